/* The bus itself: what the plug and play and power managers ask of it. */
#include "bus.h"

static NTSTATUS pass(struct bus *bus, PIRP irp)
{
    IoSkipCurrentIrpStackLocation(irp);
    return IoCallDriver(bus->lower, irp);
}

static NTSTATUS NTAPI signal(PDEVICE_OBJECT device, PIRP irp, PVOID event)
{
    UNREFERENCED_PARAMETER(device);
    UNREFERENCED_PARAMETER(irp);
    KeSetEvent(event, IO_NO_INCREMENT, FALSE);
    return STATUS_MORE_PROCESSING_REQUIRED;
}

/* The drivers below first; the request is ours again afterwards. */
static NTSTATUS pass_and_wait(struct bus *bus, PIRP irp)
{
    KEVENT done;

    KeInitializeEvent(&done, NotificationEvent, FALSE);
    IoCopyCurrentIrpStackLocationToNext(irp);
    IoSetCompletionRoutine(irp, signal, &done, TRUE, TRUE, TRUE);
    if (IoCallDriver(bus->lower, irp) == STATUS_PENDING)
        KeWaitForSingleObject(&done, Executive, KernelMode, FALSE, NULL);
    return irp->IoStatus.Status;
}

/* Takes down what start() made, of which any part may be missing. */
static void stop(struct bus *bus)
{
    user_free(bus);
    control_free(bus);
    if (bus->device_watch)
        watch_remove(bus, bus->device_watch);
    bus->device_watch = NULL;
    store_free(bus);
    events_free(bus);
    window_free(bus);
    bus->started = FALSE;
}

static NTSTATUS start(struct bus *bus, PIO_STACK_LOCATION stack)
{
    NTSTATUS status = hypercall_init();

    if (NT_SUCCESS(status))
        status = window_init(bus, stack->Parameters.StartDevice.AllocatedResourcesTranslated);
    if (NT_SUCCESS(status))
        status = grants_init(bus);
    if (NT_SUCCESS(status))
        status = events_init(bus, stack->Parameters.StartDevice.AllocatedResources);
    if (NT_SUCCESS(status))
        status = store_init(bus);
    if (NT_SUCCESS(status))
        status = watch_add(bus, "device", children_changed, bus, &bus->device_watch);
    if (NT_SUCCESS(status))
        status = control_init(bus);
    if (NT_SUCCESS(status))
        status = user_init(bus);
    if (!NT_SUCCESS(status)) {
        LOG("not started: %08x", status);
        stop(bus);
        return status;
    }
    bus->started = TRUE;
    return STATUS_SUCCESS;
}

static NTSTATUS start_device(struct bus *bus, PIRP irp)
{
    NTSTATUS status = pass_and_wait(bus, irp);

    if (NT_SUCCESS(status))
        status = start(bus, IoGetCurrentIrpStackLocation(irp));
    return complete(irp, status, 0);
}

static NTSTATUS query_relations(struct bus *bus, PIRP irp)
{
    PIO_STACK_LOCATION stack = IoGetCurrentIrpStackLocation(irp);
    DEVICE_RELATIONS *relations;
    NTSTATUS status;

    if (stack->Parameters.QueryDeviceRelations.Type != BusRelations || !bus->started)
        return pass(bus, irp);
    status = children_relations(bus, irp, &relations);
    if (!NT_SUCCESS(status))
        return complete(irp, status, irp->IoStatus.Information);
    irp->IoStatus.Information = (ULONG_PTR)relations;
    irp->IoStatus.Status = STATUS_SUCCESS;
    return pass(bus, irp);
}

static NTSTATUS stop_device(struct bus *bus, PIRP irp)
{
    if (bus->started)
        stop(bus);
    irp->IoStatus.Status = STATUS_SUCCESS;
    return pass(bus, irp);
}

static NTSTATUS remove_device(struct bus *bus, PIRP irp)
{
    NTSTATUS status;

    if (bus->started)
        stop(bus);
    children_orphan(bus);
    irp->IoStatus.Status = STATUS_SUCCESS;
    status = pass(bus, irp);
    IoReleaseRemoveLockAndWait(&bus->remove_lock, irp);
    user_remove(bus);
    IoDetachDevice(bus->lower);
    IoDeleteDevice(bus->device.self);
    bus_gone();
    return status;
}

/* A bus whose disks hold the page file stays. */
static NTSTATUS agree(struct bus *bus, PIRP irp)
{
    irp->IoStatus.Status = STATUS_SUCCESS;
    return pass(bus, irp);
}

static const struct {
    UCHAR minor;
    NTSTATUS (*function)(struct bus *bus, PIRP irp);
} functions[] = {
    {IRP_MN_START_DEVICE, start_device},       {IRP_MN_QUERY_DEVICE_RELATIONS, query_relations},
    {IRP_MN_QUERY_STOP_DEVICE, agree},         {IRP_MN_CANCEL_STOP_DEVICE, agree},
    {IRP_MN_STOP_DEVICE, stop_device},         {IRP_MN_QUERY_REMOVE_DEVICE, agree},
    {IRP_MN_CANCEL_REMOVE_DEVICE, agree},      {IRP_MN_SURPRISE_REMOVAL, stop_device},
    {IRP_MN_DEVICE_USAGE_NOTIFICATION, agree},
};

NTSTATUS fdo_pnp(PDEVICE_OBJECT device, PIRP irp)
{
    struct bus *bus = device->DeviceExtension;
    UCHAR minor = IoGetCurrentIrpStackLocation(irp)->MinorFunction;
    NTSTATUS status = IoAcquireRemoveLock(&bus->remove_lock, irp);

    if (!NT_SUCCESS(status))
        return complete(irp, status, 0);
    if (minor == IRP_MN_REMOVE_DEVICE)
        return remove_device(bus, irp);
    for (ULONG i = 0; i < RTL_NUMBER_OF(functions); i++)
        if (functions[i].minor == minor) {
            status = functions[i].function(bus, irp);
            IoReleaseRemoveLock(&bus->remove_lock, irp);
            return status;
        }
    status = pass(bus, irp);
    IoReleaseRemoveLock(&bus->remove_lock, irp);
    return status;
}

NTSTATUS fdo_power(PDEVICE_OBJECT device, PIRP irp)
{
    struct bus *bus = device->DeviceExtension;

    PoStartNextPowerIrp(irp);
    IoSkipCurrentIrpStackLocation(irp);
    return PoCallDriver(bus->lower, irp);
}
