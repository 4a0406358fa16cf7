/*
 * Processors, and what runs on them: threads, interrupts, DPCs, work items; waiting, and time. All state is under one
 * lock, which is never held while a driver's code runs.
 *
 * Each processor has an owner: a thread that runs, or one that waits and meanwhile does the processor's idle work in
 * its own context (a DPC may run in anybody's). A thread that can go on and has no processor takes the one of an owner
 * that idles.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include "nt.h"

#define WORKERS         3u
#define MOST_THREADS    16u
#define MOST_PROCESSORS 8u
#define NEVER           UINT64_MAX
#define STORM           1000u /* interrupts in a row that nobody claims */

enum wait { RUNS, FOR_EVENT, FOR_TIME, FOR_WORK, FOR_DPCS, FOR_REST, FOR_END };

struct thread {
    pthread_t id;
    KIRQL irql;
    int processor; /* -1: none */
    bool idle, in_dpc;
    enum wait wait;
    KEVENT *event;
    uint64_t deadline;
};

struct _IO_WORKITEM {
    PDEVICE_OBJECT device;
    PIO_WORKITEM_ROUTINE routine;
    PVOID context;
    bool queued;
    struct _IO_WORKITEM *next;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static struct thread *threads[MOST_THREADS];
static unsigned thread_count, processors, running_dpcs, unclaimed, wakes;
static bool ending, in_interrupt, trace;
static uint64_t now;
static LIST_ENTRY dpcs[MOST_PROCESSORS], timers;
static struct _IO_WORKITEM *work_head, **work_tail = &work_head;
static struct _KINTERRUPT *interrupt;
static __thread struct thread *self;
struct nt_machine nt_machine;

/* With the lock. */
static void wake_all(void)
{
    wakes++;
    pthread_cond_broadcast(&changed);
}

KIRQL nt_irql(void)
{
    return self ? self->irql : PASSIVE_LEVEL;
}

void nt_set_irql(KIRQL irql)
{
    self->irql = irql;
}

uint64_t nt_time(void)
{
    return now;
}

static bool line_is_up(void)
{
    return interrupt && !in_interrupt && nt_machine.line && nt_machine.line();
}

static bool dpcs_queued(void)
{
    for (unsigned i = 0; i < processors; i++)
        if (dpcs[i].Flink != &dpcs[i])
            return true;
    return false;
}

static void run_interrupt(void)
{
    struct _KINTERRUPT *taken = interrupt;
    KIRQL irql = self->irql;
    bool claimed;

    in_interrupt = true;
    self->irql = DIRQL;
    pthread_mutex_unlock(&lock);
    claimed = taken->routine(taken, taken->context);
    pthread_mutex_lock(&lock);
    in_interrupt = false;
    if (self->irql != DIRQL)
        nt_bug("an interrupt's routine comes back at IRQL %u", self->irql);
    self->irql = irql;
    unclaimed = claimed ? 0 : unclaimed + 1;
    if (unclaimed == STORM)
        nt_bug("the line stays up: nobody claims its interrupt");
}

static void run_dpc(LIST_ENTRY *queue)
{
    KDPC *dpc = CONTAINING_RECORD(queue->Flink, KDPC, DpcListEntry);
    PKDEFERRED_ROUTINE routine = dpc->DeferredRoutine;
    PVOID context = dpc->DeferredContext, first = dpc->SystemArgument1, second = dpc->SystemArgument2;
    KIRQL irql = self->irql;

    RemoveEntryList(&dpc->DpcListEntry);
    dpc->DpcData = NULL;
    running_dpcs++;
    self->irql = DISPATCH_LEVEL;
    self->in_dpc = true;
    pthread_mutex_unlock(&lock);
    routine(dpc, context, first, second);
    pthread_mutex_lock(&lock);
    if (self->irql != DISPATCH_LEVEL)
        nt_bug("a DPC comes back at IRQL %u", self->irql);
    self->in_dpc = false;
    self->irql = irql;
    running_dpcs--;
    wake_all();
}

/* One interrupt or DPC that the IRQL lets through; false: there is none. */
static bool run_pending(void)
{
    LIST_ENTRY *queue = &dpcs[self->processor];

    if (self->irql < DIRQL && line_is_up()) {
        run_interrupt();
        return true;
    }
    if (self->irql < DISPATCH_LEVEL && queue->Flink != queue) {
        run_dpc(queue);
        return true;
    }
    return false;
}

void nt_before_call(const struct nt_export *export)
{
    if (self->irql < export->lowest || self->irql > export->highest)
        nt_bug("%s is called at IRQL %u; its documentation allows %d to %d", export->name, self->irql, export->lowest,
               export->highest);
    if (trace)
        fprintf(stderr, "%d: %s at %u\n", self->processor, export->name, self->irql);
    pthread_mutex_lock(&lock);
    while (run_pending()) {
    }
    pthread_mutex_unlock(&lock);
}

/* May the thread go on? Nothing is consumed yet. */
static bool can_go_on(const struct thread *thread)
{
    if (thread->wait == RUNS || now >= thread->deadline)
        return true;
    switch (thread->wait) {
    case FOR_EVENT:
        return thread->event->Header.SignalState > 0;
    case FOR_WORK:
        return work_head || ending;
    case FOR_DPCS:
        return !running_dpcs && !dpcs_queued();
    case FOR_END:
        return ending;
    default:
        return false;
    }
}

static struct thread *first_parked(void)
{
    for (unsigned i = 0; i < thread_count; i++)
        if (threads[i]->processor < 0 && threads[i]->wait != RUNS && can_go_on(threads[i]))
            return threads[i];
    return NULL;
}

static struct thread *idle_owner(void)
{
    for (unsigned i = 0; i < thread_count; i++)
        if (threads[i]->processor >= 0 && threads[i]->idle)
            return threads[i];
    return NULL;
}

static bool all_idle(void)
{
    for (unsigned i = 0; i < thread_count; i++)
        if (threads[i]->processor >= 0 && (!threads[i]->idle || can_go_on(threads[i])))
            return false;
    return true;
}

/* Nothing goes on anywhere by itself: only time, or the test, can make something happen. */
static bool at_rest(void)
{
    return all_idle() && !first_parked() && !dpcs_queued() && !running_dpcs && !work_head && !line_is_up() &&
           (!nt_machine.idle || nt_machine.idle());
}

static uint64_t next_deadline(void)
{
    uint64_t next = NEVER;

    for (unsigned i = 0; i < thread_count; i++)
        if (threads[i]->wait != RUNS && threads[i]->deadline < next)
            next = threads[i]->deadline;
    for (LIST_ENTRY *entry = timers.Flink; entry != &timers; entry = entry->Flink) {
        KTIMER *timer = CONTAINING_RECORD(entry, KTIMER, TimerListEntry);

        if (timer->DueTime.QuadPart < next)
            next = timer->DueTime.QuadPart;
    }
    return next;
}

static void queue_dpc(KDPC *dpc, int processor, PVOID first, PVOID second)
{
    dpc->DpcData = dpc;
    dpc->SystemArgument1 = first;
    dpc->SystemArgument2 = second;
    InsertTailList(&dpcs[dpc->Number ? dpc->Number - 1 : processor], &dpc->DpcListEntry);
}

static void expire_timers(void)
{
    LIST_ENTRY *next;

    for (LIST_ENTRY *entry = timers.Flink; entry != &timers; entry = next) {
        KTIMER *timer = CONTAINING_RECORD(entry, KTIMER, TimerListEntry);

        next = entry->Flink;
        if (timer->DueTime.QuadPart > now)
            continue;
        RemoveEntryList(entry);
        timer->Header.Inserted = FALSE;
        timer->Header.SignalState = 1;
        if (timer->Dpc && !timer->Dpc->DpcData)
            queue_dpc(timer->Dpc, self->processor, NULL, NULL);
    }
}

/* It is what the thread waited for. */
static bool wake_who_waits_for_rest(void)
{
    for (unsigned i = 0; i < thread_count; i++)
        if (threads[i]->wait == FOR_REST) {
            threads[i]->deadline = now;
            wake_all();
            return true;
        }
    return false;
}

static void pass_time_to(uint64_t next)
{
    now = next;
    expire_timers();
    wake_all();
}

/* What an owner does that cannot go on; with the lock. */
static void idle(void)
{
    unsigned before = wakes;
    bool did;

    if (run_pending())
        return;
    if (!first_parked() && nt_machine.work) {
        pthread_mutex_unlock(&lock);
        did = nt_machine.work();
        pthread_mutex_lock(&lock);
        if (did)
            wake_all();
        if (wakes != before)
            return; /* what happened meanwhile woke nobody here */
    }
    if (self->processor < 0 || can_go_on(self))
        return;
    self->idle = true;
    if (first_parked())
        wake_all(); /* it may have this processor */
    if (at_rest() && !wake_who_waits_for_rest()) {
        if (next_deadline() != NEVER)
            pass_time_to(next_deadline());
        else if (!ending)
            nt_bug("everybody waits, and for nothing that will happen");
    }
    if (!can_go_on(self))
        pthread_cond_wait(&changed, &lock);
    self->idle = false;
}

static bool take_processor(void)
{
    struct thread *owner = first_parked() == self ? idle_owner() : NULL;

    if (!owner)
        return false;
    self->processor = owner->processor;
    owner->processor = -1;
    owner->idle = false;
    wake_all();
    return true;
}

/* With the lock. Goes on with a processor, but for a thread of the kernel's own at its end. */
static void block(enum wait wait, KEVENT *event, uint64_t deadline)
{
    self->wait = wait;
    self->event = event;
    self->deadline = deadline;
    wake_all();
    for (;;) {
        if (can_go_on(self) && (self->processor >= 0 || (ending && wait != FOR_EVENT) || take_processor()))
            break;
        if (self->processor >= 0)
            idle();
        else
            pthread_cond_wait(&changed, &lock);
    }
    self->wait = RUNS;
}

void nt_changed(void)
{
    pthread_mutex_lock(&lock);
    wake_all();
    pthread_mutex_unlock(&lock);
}

/* --- threads of the kernel's own --- */

static struct thread *new_thread(int processor)
{
    struct thread *thread = calloc(1, sizeof(*thread));

    thread->processor = processor;
    thread->deadline = NEVER;
    threads[thread_count++] = thread;
    return thread;
}

static void run_work(void)
{
    struct _IO_WORKITEM *item = work_head;
    PIO_WORKITEM_ROUTINE routine = item->routine;
    PVOID context = item->context;
    PDEVICE_OBJECT device = item->device;

    work_head = item->next;
    if (!work_head)
        work_tail = &work_head;
    item->queued = false;
    pthread_mutex_unlock(&lock);
    routine(device, context); /* which may free the item */
    pthread_mutex_lock(&lock);
    if (self->irql != PASSIVE_LEVEL)
        nt_bug("a work item comes back at IRQL %u", self->irql);
}

static void *worker(void *thread)
{
    self = thread;
    nt_trap_thread();
    pthread_mutex_lock(&lock);
    for (;;) {
        block(FOR_WORK, NULL, NEVER);
        if (!work_head)
            break;
        run_work();
    }
    pthread_mutex_unlock(&lock);
    nt_trap_thread_end();
    return NULL;
}

static void *idler(void *thread)
{
    self = thread;
    nt_trap_thread();
    pthread_mutex_lock(&lock);
    block(FOR_END, NULL, NEVER);
    pthread_mutex_unlock(&lock);
    nt_trap_thread_end();
    return NULL;
}

void nt_processors_boot(unsigned count)
{
    processors = count;
    trace = getenv("NT_TRACE") != NULL; /* says every call of a driver on standard error */
    thread_count = running_dpcs = unclaimed = 0;
    ending = in_interrupt = false;
    now = 1;
    interrupt = NULL;
    InitializeListHead(&timers);
    for (unsigned i = 0; i < MOST_PROCESSORS; i++)
        InitializeListHead(&dpcs[i]);
    self = new_thread(0);
    for (unsigned i = 1; i < count; i++)
        new_thread((int)i);
    for (unsigned i = 0; i < WORKERS; i++)
        new_thread(-1);
    for (unsigned i = 1; i < thread_count; i++)
        if (pthread_create(&threads[i]->id, NULL, i < count ? idler : worker, threads[i]))
            nt_bug("no thread");
}

void nt_processors_shutdown(void)
{
    if (self->irql != PASSIVE_LEVEL || interrupt || timers.Flink != &timers)
        nt_bug("at the end: IRQL %u, %s interrupt, %s timer", self->irql, interrupt ? "an" : "no",
               timers.Flink != &timers ? "a" : "no");
    pthread_mutex_lock(&lock);
    ending = true;
    wake_all();
    pthread_mutex_unlock(&lock);
    for (unsigned i = 1; i < thread_count; i++)
        pthread_join(threads[i]->id, NULL);
    for (unsigned i = 0; i < thread_count; i++)
        free(threads[i]);
    self = NULL;
}

void nt_settle(void)
{
    pthread_mutex_lock(&lock);
    block(FOR_REST, NULL, NEVER);
    pthread_mutex_unlock(&lock);
}

void nt_pass_time(unsigned milliseconds)
{
    pthread_mutex_lock(&lock);
    block(FOR_TIME, NULL, now + milliseconds * 10000ull);
    pthread_mutex_unlock(&lock);
    nt_settle();
}

void nt_connect_interrupt(struct _KINTERRUPT *connected)
{
    pthread_mutex_lock(&lock);
    interrupt = connected;
    pthread_mutex_unlock(&lock);
}

/* --- what drivers call --- */

VOID NTAPI KeInitializeEvent(PRKEVENT event, EVENT_TYPE type, BOOLEAN state)
{
    memset(event, 0, sizeof(*event));
    event->Header.Type = (UCHAR)type;
    event->Header.SignalState = state;
}

LONG NTAPI KeSetEvent(PRKEVENT event, KPRIORITY increment, BOOLEAN wait)
{
    LONG before;

    UNREFERENCED_PARAMETER(increment);
    UNREFERENCED_PARAMETER(wait);
    pthread_mutex_lock(&lock);
    before = event->Header.SignalState;
    event->Header.SignalState = 1;
    wake_all();
    pthread_mutex_unlock(&lock);
    return before;
}

VOID NTAPI KeClearEvent(PRKEVENT event)
{
    pthread_mutex_lock(&lock);
    event->Header.SignalState = 0;
    pthread_mutex_unlock(&lock);
}

static uint64_t deadline_of(const LARGE_INTEGER *timeout)
{
    if (!timeout)
        return NEVER;
    return timeout->QuadPart > 0 ? (uint64_t)timeout->QuadPart : now + (uint64_t)-timeout->QuadPart;
}

NTSTATUS NTAPI KeWaitForSingleObject(PVOID object, KWAIT_REASON reason, KPROCESSOR_MODE mode, BOOLEAN alertable,
                                     PLARGE_INTEGER timeout)
{
    KEVENT *event = object;
    bool signaled;

    UNREFERENCED_PARAMETER(reason);
    UNREFERENCED_PARAMETER(mode);
    UNREFERENCED_PARAMETER(alertable);
    if (self->irql >= DISPATCH_LEVEL && (!timeout || timeout->QuadPart))
        nt_bug("a thread waits at IRQL %u", self->irql);
    pthread_mutex_lock(&lock);
    do {
        block(FOR_EVENT, event, deadline_of(timeout));
        signaled = event->Header.SignalState > 0;
    } while (!signaled && !timeout); /* another took it first */
    if (signaled && event->Header.Type == SynchronizationEvent)
        event->Header.SignalState = 0;
    pthread_mutex_unlock(&lock);
    return signaled ? STATUS_SUCCESS : STATUS_TIMEOUT;
}

VOID NTAPI KeInitializeDpc(PRKDPC dpc, PKDEFERRED_ROUTINE routine, PVOID context)
{
    memset(dpc, 0, sizeof(*dpc));
    dpc->DeferredRoutine = routine;
    dpc->DeferredContext = context;
}

BOOLEAN NTAPI KeInsertQueueDpc(PRKDPC dpc, PVOID first, PVOID second)
{
    bool queued;

    pthread_mutex_lock(&lock);
    queued = !dpc->DpcData;
    if (queued)
        queue_dpc(dpc, self->processor, first, second);
    wake_all();
    pthread_mutex_unlock(&lock);
    return queued;
}

BOOLEAN NTAPI KeRemoveQueueDpc(PRKDPC dpc)
{
    bool queued;

    pthread_mutex_lock(&lock);
    queued = dpc->DpcData != NULL;
    if (queued)
        RemoveEntryList(&dpc->DpcListEntry);
    dpc->DpcData = NULL;
    pthread_mutex_unlock(&lock);
    return queued;
}

VOID NTAPI KeFlushQueuedDpcs(VOID)
{
    pthread_mutex_lock(&lock);
    block(FOR_DPCS, NULL, NEVER);
    pthread_mutex_unlock(&lock);
}

VOID NTAPI KeSetTargetProcessorDpc(PRKDPC dpc, CCHAR number)
{
    if ((unsigned)number >= processors)
        nt_bug("a DPC for processor %d of %u", number, processors);
    dpc->Number = (USHORT)(number + 1);
}

NTSTATUS NTAPI KeSetTargetProcessorDpcEx(PKDPC dpc, PPROCESSOR_NUMBER processor)
{
    if (processor->Group || processor->Reserved)
        return STATUS_INVALID_PARAMETER;
    KeSetTargetProcessorDpc(dpc, (CCHAR)processor->Number);
    return STATUS_SUCCESS;
}

VOID NTAPI KeSetImportanceDpc(PRKDPC dpc, KDPC_IMPORTANCE importance)
{
    dpc->Importance = (UCHAR)importance;
}

ULONG NTAPI KeQueryActiveProcessorCount(PKAFFINITY active)
{
    if (active)
        *active = (1u << processors) - 1;
    return processors;
}

ULONG NTAPI KeGetCurrentProcessorNumberEx(PPROCESSOR_NUMBER number)
{
    if (number)
        *number = (PROCESSOR_NUMBER){.Number = (UCHAR)self->processor};
    return (ULONG)self->processor;
}

VOID NTAPI KeAcquireSpinLockAtDpcLevel(PKSPIN_LOCK spin_lock)
{
    ULONG_PTR owner = (ULONG_PTR)self->processor + 1, before;

    while ((before = __sync_val_compare_and_swap(spin_lock, 0, owner))) {
        if (before == owner)
            nt_bug("a spin lock is taken twice");
        sched_yield();
    }
}

VOID NTAPI KeReleaseSpinLockFromDpcLevel(PKSPIN_LOCK spin_lock)
{
    if (*spin_lock != (ULONG_PTR)self->processor + 1)
        nt_bug("a spin lock is released that this processor does not hold");
    __atomic_store_n(spin_lock, 0, __ATOMIC_SEQ_CST);
}

KIRQL NTAPI KeAcquireSpinLockRaiseToDpc(PKSPIN_LOCK spin_lock)
{
    KIRQL irql = self->irql;

    self->irql = DISPATCH_LEVEL;
    KeAcquireSpinLockAtDpcLevel(spin_lock);
    return irql;
}

VOID NTAPI KeReleaseSpinLock(PKSPIN_LOCK spin_lock, KIRQL irql)
{
    if (irql > self->irql)
        nt_bug("a spin lock's release raises the IRQL from %u to %u", self->irql, irql);
    KeReleaseSpinLockFromDpcLevel(spin_lock);
    self->irql = irql;
    pthread_mutex_lock(&lock);
    while (run_pending()) {
    }
    pthread_mutex_unlock(&lock);
}

PIO_WORKITEM NTAPI IoAllocateWorkItem(PDEVICE_OBJECT device)
{
    struct _IO_WORKITEM *item;

    if (nt_allocation_fails())
        return NULL;
    item = nt_allocate(sizeof(*item), 0x6b726f77);
    memset(item, 0, sizeof(*item));
    item->device = device;
    return item;
}

VOID NTAPI IoFreeWorkItem(PIO_WORKITEM item)
{
    if (item->queued)
        nt_bug("a work item is freed that is queued");
    nt_free(item);
}

VOID NTAPI IoQueueWorkItem(PIO_WORKITEM item, PIO_WORKITEM_ROUTINE routine, WORK_QUEUE_TYPE type, PVOID context)
{
    UNREFERENCED_PARAMETER(type);
    pthread_mutex_lock(&lock);
    if (item->queued)
        nt_bug("a work item is queued twice");
    item->queued = true;
    item->routine = routine;
    item->context = context;
    item->next = NULL;
    *work_tail = item;
    work_tail = &item->next;
    wake_all();
    pthread_mutex_unlock(&lock);
}
