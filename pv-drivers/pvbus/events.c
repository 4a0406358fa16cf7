/*
 * Event channels: the interrupt of the platform device, the DPC that asks the ABI in use which ports are pending, and
 * the table of who is told. All ports are taken by virtual processor 0, to which the platform device's line belongs.
 */
#include "bus.h"

#define DPC_BUDGET 128 /* ports in one run, so that a flood of events leaves the processor to others */

static struct vcpu_info *vcpu(struct bus *bus)
{
    return &bus->shared_info->vcpu_info[0];
}

static BOOLEAN NTAPI on_interrupt(PKINTERRUPT interrupt, PVOID context)
{
    struct bus *bus = context;

    UNREFERENCED_PARAMETER(interrupt);
    if (!bus->events.running || !__atomic_exchange_n(&vcpu(bus)->evtchn_upcall_pending, 0, __ATOMIC_SEQ_CST))
        return FALSE; /* the line is another device's */
    KeInsertQueueDpc(&bus->events.dpc, NULL, NULL);
    return TRUE;
}

static VOID NTAPI on_dpc(PKDPC dpc, PVOID context, PVOID first, PVOID second)
{
    struct bus *bus = context;

    UNREFERENCED_PARAMETER(first);
    UNREFERENCED_PARAMETER(second);
    if (bus->events.running && bus->events.abi->scan(bus, DPC_BUDGET))
        KeInsertQueueDpc(dpc, NULL, NULL);
}

/* By the DPC alone. Its handler runs without the lock: event_free waits for the DPC. */
void event_deliver(struct bus *bus, ULONG port)
{
    struct events *events = &bus->events;
    pv_event_handler handler = NULL;
    void *context = NULL;

    KeAcquireSpinLockAtDpcLevel(&events->lock);
    if (port < EVENT_PORTS) {
        handler = events->ports[port].handler;
        context = events->ports[port].context;
    }
    KeReleaseSpinLockFromDpcLevel(&events->lock);
    if (handler)
        handler(context);
}

static void close_port(ULONG port)
{
    struct evtchn_close close = {.port = port};

    hypercall(__HYPERVISOR_event_channel_op, EVTCHNOP_close, (ULONG_PTR)&close, 0);
}

NTSTATUS event_attach(struct bus *bus, ULONG port, pv_event_handler handler, void *context, struct pv_event **event)
{
    struct events *events = &bus->events;
    KIRQL irql;

    if (!port || port >= EVENT_PORTS)
        return STATUS_INSUFFICIENT_RESOURCES;
    KeAcquireSpinLock(&events->lock, &irql);
    if (events->ports[port].handler) {
        KeReleaseSpinLock(&events->lock, irql);
        return STATUS_DEVICE_BUSY;
    }
    events->ports[port] = (struct pv_event){handler, context, port};
    KeReleaseSpinLock(&events->lock, irql);
    *event = &events->ports[port];
    events->abi->unmask(bus, port);
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI event_alloc(void *context, USHORT domain, pv_event_handler handler, void *argument,
                           struct pv_event **event)
{
    struct bus *bus = context;
    struct evtchn_alloc_unbound alloc = {.dom = DOMID_SELF, .remote_dom = domain};
    NTSTATUS status;

    if (hypercall(__HYPERVISOR_event_channel_op, EVTCHNOP_alloc_unbound, (ULONG_PTR)&alloc, 0))
        return STATUS_INSUFFICIENT_RESOURCES;
    status = event_attach(bus, alloc.port, handler, argument, event);
    if (!NT_SUCCESS(status))
        close_port(alloc.port);
    return status;
}

void NTAPI event_free(void *context, struct pv_event *event)
{
    struct bus *bus = context;
    ULONG port = event->port;
    KIRQL irql;

    bus->events.abi->mask(bus, port);
    KeAcquireSpinLock(&bus->events.lock, &irql);
    event->handler = NULL;
    KeReleaseSpinLock(&bus->events.lock, irql);
    KeFlushQueuedDpcs(); /* one that runs may have read it before */
    close_port(port);
}

ULONG NTAPI event_port(void *context, struct pv_event *event)
{
    UNREFERENCED_PARAMETER(context);
    return event->port;
}

void NTAPI event_notify(void *context, struct pv_event *event)
{
    struct evtchn_send send = {.port = event->port};

    UNREFERENCED_PARAMETER(context);
    hypercall(__HYPERVISOR_event_channel_op, EVTCHNOP_send, (ULONG_PTR)&send, 0);
}

static const CM_PARTIAL_RESOURCE_DESCRIPTOR *interrupt_of(PCM_RESOURCE_LIST list)
{
    const CM_PARTIAL_RESOURCE_LIST *partial = list && list->Count ? &list->List[0].PartialResourceList : NULL;

    for (ULONG i = 0; partial && i < partial->Count; i++)
        if (partial->PartialDescriptors[i].Type == CmResourceTypeInterrupt)
            return &partial->PartialDescriptors[i];
    return NULL;
}

/* Tells the hypervisor which line of the interrupt controller is raised for a pending event. */
static NTSTATUS set_callback(struct bus *bus, PCM_RESOURCE_LIST raw)
{
    const CM_PARTIAL_RESOURCE_DESCRIPTOR *interrupt = interrupt_of(raw);

    UNREFERENCED_PARAMETER(bus);
    if (!interrupt)
        return STATUS_DEVICE_CONFIGURATION_ERROR;
    return hvm_set_param(HVM_PARAM_CALLBACK_IRQ,
                         ((ULONGLONG)HVM_PARAM_CALLBACK_TYPE_GSI << 56) | interrupt->u.Interrupt.Vector);
}

static NTSTATUS choose_abi(struct bus *bus)
{
    NTSTATUS status = events_fifo.init(bus);

    bus->events.abi = &events_fifo;
    if (status != STATUS_NOT_SUPPORTED)
        return status;
    bus->events.abi = &events_two_level;
    return events_two_level.init(bus);
}

static NTSTATUS connect_interrupt(struct bus *bus)
{
    IO_CONNECT_INTERRUPT_PARAMETERS connect = {.Version = CONNECT_LINE_BASED};

    connect.LineBased.PhysicalDeviceObject = bus->physical;
    connect.LineBased.InterruptObject = &bus->events.interrupt;
    connect.LineBased.ServiceRoutine = on_interrupt;
    connect.LineBased.ServiceContext = bus;
    return IoConnectInterruptEx(&connect);
}

NTSTATUS events_init(struct bus *bus, PCM_RESOURCE_LIST raw)
{
    NTSTATUS status;

    KeInitializeSpinLock(&bus->events.lock);
    KeInitializeDpc(&bus->events.dpc, on_dpc, bus);
    memset(bus->events.ports, 0, sizeof(bus->events.ports));
    status = choose_abi(bus);
    if (!NT_SUCCESS(status))
        return status;
    status = connect_interrupt(bus);
    if (!NT_SUCCESS(status))
        return status;
    InterlockedExchange(&bus->events.running, 1);
    return set_callback(bus, raw);
}

void events_free(struct bus *bus)
{
    IO_DISCONNECT_INTERRUPT_PARAMETERS disconnect = {.Version = CONNECT_LINE_BASED};

    InterlockedExchange(&bus->events.running, 0);
    if (bus->events.interrupt) {
        hvm_set_param(HVM_PARAM_CALLBACK_IRQ, 0);
        disconnect.ConnectionContext.InterruptObject = bus->events.interrupt;
        IoDisconnectInterruptEx(&disconnect);
        bus->events.interrupt = NULL;
        KeRemoveQueueDpc(&bus->events.dpc);
        KeFlushQueuedDpcs();
    }
}

void events_resume(struct bus *bus)
{
    KIRQL irql;

    KeAcquireSpinLock(&bus->events.lock, &irql);
    for (ULONG port = 0; port < EVENT_PORTS; port++)
        bus->events.ports[port].handler = NULL;
    KeReleaseSpinLock(&bus->events.lock, irql);
    bus->events.abi->forget(bus);
    if (!NT_SUCCESS(choose_abi(bus)))
        LOG("there are no event channels after the resume");
}
