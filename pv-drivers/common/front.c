#include "pv/front.h"

#define POLL  (-10ll * 1000 * 200) /* 200 ms, relative, in units of 100 ns; mostly its watch comes before */
#define POLLS 25

#define LOG(front, format, ...) DbgPrint("%s: " format "\n", (front)->ops->driver __VA_OPT__(, ) __VA_ARGS__)

static void lock(struct front *front)
{
    KeWaitForSingleObject(&front->lock, Executive, KernelMode, FALSE, NULL);
}

static void unlock(struct front *front)
{
    KeSetEvent(&front->lock, IO_NO_INCREMENT, FALSE);
}

NTSTATUS front_publish(struct front *front, const char *name, ULONG value)
{
    return bus_write_number(&front->bus, front->bus.path, name, value);
}

ULONG front_back_number(struct front *front, const char *name, ULONG otherwise)
{
    ULONGLONG value = bus_read_number(&front->bus, front->back, name, otherwise);

    return value <= MAXULONG ? (ULONG)value : otherwise;
}

static ULONG back_state(struct front *front)
{
    return front_back_number(front, "state", XenbusStateUnknown);
}

/* --- one page, one event --- */

static NTSTATUS make_page(struct front *front, struct shared_ring *ring)
{
    ULONGLONG frame;
    NTSTATUS status;

    ring->memory = ExAllocatePoolWithTag(NonPagedPool, PV_PAGE_SIZE, front->ops->tag);
    if (!ring->memory)
        return STATUS_INSUFFICIENT_RESOURCES;
    memset(ring->memory, 0, PV_PAGE_SIZE);
    frame = (ULONGLONG)MmGetPhysicalAddress(ring->memory).QuadPart / PV_PAGE_SIZE;
    status = front->bus.grant(front->bus.header.Context, front->domain, frame, FALSE, &ring->reference);
    if (!NT_SUCCESS(status))
        ring->reference = 0;
    return status;
}

static struct pv_event *exchange_event(struct shared_ring *ring, struct pv_event *event)
{
    struct pv_event *before;
    KIRQL irql;

    KeAcquireSpinLock(ring->lock, &irql);
    before = ring->event;
    ring->event = event;
    KeReleaseSpinLock(ring->lock, irql);
    return before;
}

NTSTATUS shared_ring_make(struct front *front, struct shared_ring *ring, pv_event_handler handler, void *context)
{
    struct pv_event *event;
    NTSTATUS status;

    if (!shared_ring_free(front, ring))
        return STATUS_DEVICE_BUSY;
    status = make_page(front, ring);
    if (NT_SUCCESS(status))
        status = front->bus.event_alloc(front->bus.header.Context, front->domain, handler, context, &event);
    if (NT_SUCCESS(status))
        exchange_event(ring, event);
    return status;
}

BOOLEAN shared_ring_free(struct front *front, struct shared_ring *ring)
{
    struct pv_event *event = exchange_event(ring, NULL);

    if (event)
        front->bus.event_free(front->bus.header.Context, event);
    if (ring->reference && !NT_SUCCESS(front->bus.grant_end(front->bus.header.Context, ring->reference)))
        return FALSE;
    ring->reference = 0;
    if (ring->memory)
        ExFreePoolWithTag(ring->memory, front->ops->tag);
    ring->memory = NULL;
    return TRUE;
}

void shared_ring_forget(struct shared_ring *ring)
{
    exchange_event(ring, NULL);
    ring->reference = 0;
}

void shared_ring_notify(struct front *front, struct shared_ring *ring)
{
    if (ring->event)
        front->bus.event_notify(front->bus.header.Context, ring->event);
}

/* --- waiting for the back end --- */

static BOOLEAN is_there(ULONG state, ULONG at_least)
{
    return state >= at_least && state <= XenbusStateConnected;
}

/* One that is away, or begins anew, has let go. */
static BOOLEAN is_gone(ULONG state, ULONG at_least)
{
    return state < XenbusStateInitialised || state > XenbusStateClosed || state >= at_least;
}

/* FALSE: not in time. */
static BOOLEAN wait_until(struct front *front, BOOLEAN (*is)(ULONG state, ULONG at_least), ULONG at_least)
{
    LARGE_INTEGER poll = {.QuadPart = POLL};

    for (ULONG i = 0; i < POLLS; i++) {
        if (is(back_state(front), at_least))
            return TRUE;
        KeWaitForSingleObject(&front->back_changed, Executive, KernelMode, FALSE, &poll);
    }
    return FALSE;
}

/* --- connecting and going, with the lock --- */

static void connect(struct front *front)
{
    NTSTATUS status = front->ops->connect(front);

    if (NT_SUCCESS(status)) {
        front->linked = TRUE;
        front->met = FALSE;
        return;
    }
    LOG(front, "%s does not connect: %x", front->bus.path, (ULONG)status);
    front->ops->stop(front);
    front->ops->release(front);
}

static void stop(struct front *front)
{
    front->ops->stop(front);
    front->linked = FALSE;
}

/* The back end has the ring mapped until it is told that this end closes; Linux' lets go at "closing", others at
 * "closed". */
static void disconnect(struct front *front)
{
    if (front->linked) {
        stop(front);
        front_publish(front, "state", XenbusStateClosing);
        wait_until(front, is_gone, XenbusStateClosing);
        front_publish(front, "state", XenbusStateClosed);
        if (!wait_until(front, is_gone, XenbusStateClosed))
            LOG(front, "the back end of %s does not close", front->bus.path);
    }
    if (!front->ops->release(front))
        LOG(front, "the back end of %s keeps pages of the ring", front->bus.path);
}

static void find_back(struct front *front, char *path)
{
    char name[FRONT_PATH_SIZE + 16];

    join_path(name, front->bus.path, "backend");
    if (!NT_SUCCESS(front->bus.store_read(front->bus.header.Context, name, path, FRONT_PATH_SIZE)))
        *path = 0;
    front->domain = (USHORT)bus_read_number(&front->bus, front->bus.path, "backend-id", 0);
}

static void follow(struct front *front, ULONG state)
{
    if (state == XenbusStateConnected && front->linked) {
        front->ops->connected(front);
        front->met = TRUE;
    } else if (front->linked && state >= XenbusStateClosing) {
        disconnect(front);
    } else if (front->linked && front->met && state <= XenbusStateInitWait) {
        stop(front); /* it was begun anew without a word, and has let go of all */
        front->ops->release(front);
        front->met = FALSE;
    }
    if (state == XenbusStateInitWait && !front->linked)
        connect(front);
}

static void step(struct front *front)
{
    if (front->broken && !front->failed) {
        LOG(front, "%s is closed: its back end does not keep to the protocol", front->bus.path);
        if (front->ops->failed)
            front->ops->failed(front);
        disconnect(front);
        front->failed = TRUE;
    }
    if (!front->gone && !front->asleep && !front->failed && *front->back)
        follow(front, back_state(front));
}

/* --- what comes, and the work item --- */

static IO_WORKITEM_ROUTINE work;

/* However much comes, the item is queued once. */
void front_look(struct front *front)
{
    KIRQL irql;

    KeAcquireSpinLock(&front->work_lock, &irql);
    front->work_wanted = TRUE;
    if (!front->work_queued) {
        front->work_queued = TRUE;
        KeClearEvent(&front->work_idle);
        IoQueueWorkItem(front->work, work, DelayedWorkQueue, front);
    }
    KeReleaseSpinLock(&front->work_lock, irql);
}

static BOOLEAN take_work(struct front *front)
{
    BOOLEAN wanted;
    KIRQL irql;

    KeAcquireSpinLock(&front->work_lock, &irql);
    wanted = front->work_wanted;
    front->work_wanted = FALSE;
    if (!wanted) {
        front->work_queued = FALSE;
        KeSetEvent(&front->work_idle, IO_NO_INCREMENT, FALSE);
    }
    KeReleaseSpinLock(&front->work_lock, irql);
    return wanted;
}

static void NTAPI back_changed(void *context)
{
    struct front *front = context;

    KeSetEvent(&front->back_changed, IO_NO_INCREMENT, FALSE);
    front_look(front);
}

/* The watch follows the back end's path, which another host has another of. A watch is removed without the lock, since
 * its handler may be waited for. */
static void follow_path(struct front *front)
{
    char path[FRONT_PATH_SIZE];
    struct pv_watch *old = NULL;

    lock(front);
    find_back(front, path);
    if (strcmp(path, front->back)) {
        old = front->watch;
        front->watch = NULL;
        strcpy(front->back, path);
    }
    unlock(front);
    if (old)
        front->bus.watch_remove(front->bus.header.Context, old);
    if (!front->watch && *front->back &&
        !NT_SUCCESS(front->bus.watch_add(front->bus.header.Context, front->back, back_changed, front, &front->watch)))
        LOG(front, "%s is not watched", front->back);
}

static VOID NTAPI work(PDEVICE_OBJECT device, PVOID context)
{
    struct front *front = context;

    UNREFERENCED_PARAMETER(device);
    while (take_work(front)) {
        if (!front->gone)
            follow_path(front);
        lock(front);
        step(front);
        unlock(front);
    }
}

static void NTAPI resumed(void *context)
{
    struct front *front = context;

    lock(front);
    stop(front);
    front->ops->forget(front);
    front->ops->release(front);
    InterlockedExchange(&front->broken, 0);
    front->failed = FALSE;
    unlock(front);
    front_look(front);
}

void front_break(struct front *front, const char *what)
{
    if (InterlockedExchange(&front->broken, 1))
        return;
    LOG(front, "the back end of %s %s", front->bus.path, what);
    front_look(front);
}

/* --- its life --- */

NTSTATUS front_init(struct front *front, const struct front_ops *ops, PDEVICE_OBJECT physical,
                    PDEVICE_OBJECT functional)
{
    NTSTATUS status;

    memset(front, 0, sizeof(*front));
    front->ops = ops;
    KeInitializeEvent(&front->lock, SynchronizationEvent, TRUE);
    KeInitializeEvent(&front->work_idle, NotificationEvent, TRUE);
    KeInitializeEvent(&front->back_changed, SynchronizationEvent, FALSE);
    KeInitializeSpinLock(&front->work_lock);
    status = bus_query(physical, &front->bus);
    if (!NT_SUCCESS(status))
        return status;
    front->work = IoAllocateWorkItem(functional);
    if (!front->work) {
        front->bus.header.InterfaceDereference(front->bus.header.Context);
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    return STATUS_SUCCESS;
}

void front_free(struct front *front)
{
    IoFreeWorkItem(front->work);
    front->bus.header.InterfaceDereference(front->bus.header.Context);
}

void front_open(struct front *front)
{
    front->bus.set_resume_handler(front->bus.header.Context, resumed, front);
    front_publish(front, "state", XenbusStateInitialising);
}

BOOLEAN front_await(struct front *front)
{
    find_back(front, front->back);
    return *front->back && wait_until(front, is_there, XenbusStateInitWait);
}

void front_close(struct front *front)
{
    front->bus.set_resume_handler(front->bus.header.Context, NULL, NULL);
    lock(front);
    disconnect(front);
    front->gone = TRUE;
    unlock(front);
    KeWaitForSingleObject(&front->work_idle, Executive, KernelMode, FALSE, NULL);
    if (front->watch)
        front->bus.watch_remove(front->bus.header.Context, front->watch);
    KeWaitForSingleObject(&front->work_idle, Executive, KernelMode, FALSE, NULL);
}

void front_sleep(struct front *front, BOOLEAN asleep)
{
    lock(front);
    front->asleep = asleep;
    if (asleep) {
        disconnect(front);
    } else {
        front->failed = FALSE;
        InterlockedExchange(&front->broken, 0);
        front_publish(front, "state", XenbusStateInitialising);
    }
    unlock(front);
    front_look(front);
}

void front_removed(struct front *front)
{
    lock(front);
    front->gone = TRUE;
    stop(front);
    unlock(front);
}
