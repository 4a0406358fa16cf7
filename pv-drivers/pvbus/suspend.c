/*
 * Suspend and resume: the machine stops inside one hypercall and goes on in another domain, which knows nothing of its
 * ports, grants and pages. Meanwhile every other processor waits in a DPC, so that nobody holds a spin lock or looks at
 * what is gone.
 */
#include "bus.h"

struct suspension {
    struct bus *bus;
    volatile LONG parked, done;
    LONG_PTR cancelled;
    KDPC dpcs[]; /* one for each processor */
};

static VOID NTAPI park(PKDPC dpc, PVOID context, PVOID first, PVOID second)
{
    struct suspension *suspension = context;

    UNREFERENCED_PARAMETER(dpc);
    UNREFERENCED_PARAMETER(first);
    UNREFERENCED_PARAMETER(second);
    InterlockedIncrement(&suspension->parked);
    while (!suspension->done)
        YieldProcessor();
    InterlockedDecrement(&suspension->parked);
}

/* At DISPATCH_LEVEL, as the one processor that runs. */
static void go_away_and_come_back(struct suspension *suspension)
{
    struct sched_shutdown shutdown = {.reason = SHUTDOWN_suspend};
    struct bus *bus = suspension->bus;

    suspension->cancelled = hypercall(__HYPERVISOR_sched_op, SCHEDOP_shutdown, (ULONG_PTR)&shutdown, 0);
    if (suspension->cancelled)
        return;
    hypercall_init();
    window_place(bus);
    events_resume(bus);
    grants_resume(bus);
}

static void with_others_parked(struct suspension *suspension, ULONG processors)
{
    KIRQL irql;
    ULONG self;

    KeRaiseIrql(DISPATCH_LEVEL, &irql);
    self = KeGetCurrentProcessorNumberEx(NULL);
    for (ULONG i = 0; i < processors; i++) {
        KeInitializeDpc(&suspension->dpcs[i], park, suspension);
        KeSetTargetProcessorDpc(&suspension->dpcs[i], (CCHAR)i);
        KeSetImportanceDpc(&suspension->dpcs[i], HighImportance);
        if (i != self)
            KeInsertQueueDpc(&suspension->dpcs[i], NULL, NULL);
    }
    while (suspension->parked != (LONG)processors - 1)
        YieldProcessor();
    go_away_and_come_back(suspension);
    InterlockedExchange(&suspension->done, 1);
    while (suspension->parked)
        YieldProcessor();
    KeLowerIrql(irql);
}

/* Interrupts are taken again, and what came meanwhile is looked at. */
static void run_events(struct bus *bus, ULONGLONG callback)
{
    InterlockedExchange(&bus->events.running, 1);
    hvm_set_param(HVM_PARAM_CALLBACK_IRQ, callback);
    KeInsertQueueDpc(&bus->events.dpc, NULL, NULL);
}

static void reconnect(struct bus *bus, ULONGLONG callback)
{
    if (!NT_SUCCESS(store_connect(bus)))
        LOG("xenstore is not there after the resume");
    run_events(bus, callback);
    store_release(bus);
    store_write(bus, FEATURE_SUSPEND, "1");
    children_resume(bus);
    watches_resume(bus);
    user_resume(bus);
}

NTSTATUS suspend(struct bus *bus)
{
    ULONG processors = KeQueryActiveProcessorCount(NULL);
    SIZE_T size = sizeof(struct suspension) + processors * sizeof(KDPC);
    struct suspension *suspension = ExAllocatePoolWithTag(NonPagedPool, size, PVBUS_TAG);
    ULONGLONG callback = 0;
    BOOLEAN cancelled;

    if (!suspension)
        return STATUS_INSUFFICIENT_RESOURCES;
    memset(suspension, 0, size);
    suspension->bus = bus;
    store_hold(bus);
    hvm_get_param(HVM_PARAM_CALLBACK_IRQ, &callback);
    InterlockedExchange(&bus->events.running, 0);
    KeFlushQueuedDpcs();
    with_others_parked(suspension, processors);
    cancelled = suspension->cancelled != 0;
    ExFreePoolWithTag(suspension, PVBUS_TAG);
    if (!cancelled) {
        reconnect(bus, callback);
        return STATUS_SUCCESS;
    }
    run_events(bus, callback);
    store_release(bus);
    return STATUS_CANCELLED;
}
