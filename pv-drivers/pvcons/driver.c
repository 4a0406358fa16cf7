/* The driver's life, its device's, and what programs ask of that. */
#include "cons.h"

DRIVER_INITIALIZE DriverEntry;

static NTSTATUS complete(PIRP irp, NTSTATUS status)
{
    irp->IoStatus.Status = status;
    IoCompleteRequest(irp, IO_NO_INCREMENT);
    return status;
}

static NTSTATUS pass(struct console *console, PIRP irp)
{
    IoSkipCurrentIrpStackLocation(irp);
    return IoCallDriver(console->lower, irp);
}

/* --- programs --- */

static NTSTATUS open(struct console *console, PIRP irp)
{
    irp->IoStatus.Information = 0;
    if (InterlockedCompareExchange(&console->in_use, 1, 0))
        return complete(irp, STATUS_SHARING_VIOLATION);
    return complete(irp, STATUS_SUCCESS);
}

/* The last handle is gone: nobody waits for answers any more. */
static NTSTATUS clean_up(struct console *console, PIRP irp)
{
    ring_end(console, STATUS_CANCELLED);
    return complete(irp, STATUS_SUCCESS);
}

static NTSTATUS close(struct console *console, PIRP irp)
{
    InterlockedExchange(&console->in_use, 0);
    return complete(irp, STATUS_SUCCESS);
}

static NTSTATUS read(struct console *console, PIRP irp)
{
    irp->IoStatus.Information = 0;
    if (!IoGetCurrentIrpStackLocation(irp)->Parameters.Read.Length)
        return complete(irp, STATUS_SUCCESS);
    return ring_add(console, &console->reads, irp);
}

static NTSTATUS write(struct console *console, PIRP irp)
{
    irp->IoStatus.Information = 0;
    if (!IoGetCurrentIrpStackLocation(irp)->Parameters.Write.Length)
        return complete(irp, STATUS_SUCCESS);
    return ring_add(console, &console->writes, irp);
}

/* --- plug and play, power --- */

static NTSTATUS start(struct console *console)
{
    NTSTATUS status = front_init(&console->front, &ring_front, console->physical, console->self);

    if (!NT_SUCCESS(status))
        return status;
    status = IoSetDeviceInterfaceState(&console->name, TRUE);
    if (!NT_SUCCESS(status)) {
        front_free(&console->front);
        return status;
    }
    console->started = TRUE;
    ring_open(console);
    front_open(&console->front);
    front_look(&console->front);
    return STATUS_SUCCESS;
}

static void stop(struct console *console)
{
    if (!console->started)
        return;
    console->started = FALSE;
    IoSetDeviceInterfaceState(&console->name, FALSE);
    ring_close(console);
    front_close(&console->front);
    front_free(&console->front);
}

static NTSTATUS start_device(struct console *console, PIRP irp)
{
    NTSTATUS status = forward_and_wait(console->lower, irp);

    if (NT_SUCCESS(status))
        status = start(console);
    return complete(irp, status);
}

static NTSTATUS stop_device(struct console *console, PIRP irp)
{
    stop(console);
    irp->IoStatus.Status = STATUS_SUCCESS;
    return pass(console, irp);
}

/* Nobody is waited for: the device is gone. */
static NTSTATUS surprise(struct console *console, PIRP irp)
{
    if (console->started)
        front_removed(&console->front);
    ring_close(console);
    irp->IoStatus.Status = STATUS_SUCCESS;
    return pass(console, irp);
}

static NTSTATUS agree(struct console *console, PIRP irp)
{
    irp->IoStatus.Status = STATUS_SUCCESS;
    return pass(console, irp);
}

static NTSTATUS remove_device(struct console *console, PIRP irp)
{
    NTSTATUS status;

    stop(console);
    irp->IoStatus.Status = STATUS_SUCCESS;
    status = pass(console, irp);
    IoReleaseRemoveLockAndWait(&console->remove_lock, irp);
    RtlFreeUnicodeString(&console->name);
    IoDetachDevice(console->lower);
    IoDeleteDevice(console->self);
    return status;
}

static const struct {
    UCHAR minor;
    NTSTATUS (*function)(struct console *console, PIRP irp);
} functions[] = {
    {IRP_MN_START_DEVICE, start_device}, {IRP_MN_QUERY_STOP_DEVICE, agree},   {IRP_MN_CANCEL_STOP_DEVICE, agree},
    {IRP_MN_STOP_DEVICE, stop_device},   {IRP_MN_QUERY_REMOVE_DEVICE, agree}, {IRP_MN_CANCEL_REMOVE_DEVICE, agree},
    {IRP_MN_SURPRISE_REMOVAL, surprise},
};

static NTSTATUS pnp(struct console *console, PIRP irp)
{
    UCHAR minor = IoGetCurrentIrpStackLocation(irp)->MinorFunction;

    for (ULONG i = 0; i < RTL_NUMBER_OF(functions); i++)
        if (functions[i].minor == minor)
            return functions[i].function(console, irp);
    return pass(console, irp);
}

static NTSTATUS power(struct console *console, PIRP irp)
{
    PIO_STACK_LOCATION stack = IoGetCurrentIrpStackLocation(irp);

    if (stack->MinorFunction == IRP_MN_SET_POWER && stack->Parameters.Power.Type == DevicePowerState &&
        console->started && KeGetCurrentIrql() == PASSIVE_LEVEL)
        front_sleep(&console->front, stack->Parameters.Power.State.DeviceState != PowerDeviceD0);
    PoStartNextPowerIrp(irp);
    IoSkipCurrentIrpStackLocation(irp);
    return PoCallDriver(console->lower, irp);
}

static const struct {
    UCHAR major;
    NTSTATUS (*function)(struct console *console, PIRP irp);
} majors[] = {
    {IRP_MJ_CREATE, open}, {IRP_MJ_CLEANUP, clean_up}, {IRP_MJ_CLOSE, close}, {IRP_MJ_READ, read},
    {IRP_MJ_WRITE, write}, {IRP_MJ_PNP, pnp},          {IRP_MJ_POWER, power}, {IRP_MJ_SYSTEM_CONTROL, pass},
};

/* A request that waits holds the remove lock no longer than its function: before the device goes all are completed. */
static NTSTATUS NTAPI dispatch(PDEVICE_OBJECT device, PIRP irp)
{
    struct console *console = device->DeviceExtension;
    PIO_STACK_LOCATION stack = IoGetCurrentIrpStackLocation(irp);
    UCHAR major = stack->MajorFunction;
    NTSTATUS status = IoAcquireRemoveLock(&console->remove_lock, irp);

    if (!NT_SUCCESS(status)) {
        irp->IoStatus.Information = 0;
        return complete(irp, status);
    }
    if (major == IRP_MJ_PNP && stack->MinorFunction == IRP_MN_REMOVE_DEVICE)
        return remove_device(console, irp);
    for (ULONG i = 0; i < RTL_NUMBER_OF(majors); i++)
        if (majors[i].major == major)
            status = majors[i].function(console, irp);
    IoReleaseRemoveLock(&console->remove_lock, irp);
    return status;
}

/* --- --- */

static void make(struct console *console, PDEVICE_OBJECT self, PDEVICE_OBJECT physical)
{
    memset(console, 0, sizeof(*console));
    console->self = self;
    console->physical = physical;
    console->closed = TRUE;
    KeInitializeSpinLock(&console->lock);
    console->shared.lock = &console->lock;
    irp_queue_init(&console->reads, &console->lock);
    irp_queue_init(&console->writes, &console->lock);
    IoInitializeRemoveLock(&console->remove_lock, PVCONS_TAG, 0, 0);
}

static NTSTATUS attach(struct console *console)
{
    static const GUID guid = PVCONS_INTERFACE;
    NTSTATUS status = IoRegisterDeviceInterface(console->physical, &guid, NULL, &console->name);

    if (!NT_SUCCESS(status))
        return status;
    console->lower = IoAttachDeviceToDeviceStack(console->self, console->physical);
    if (console->lower)
        return STATUS_SUCCESS;
    RtlFreeUnicodeString(&console->name);
    return STATUS_NO_SUCH_DEVICE;
}

static NTSTATUS NTAPI add_device(PDRIVER_OBJECT driver, PDEVICE_OBJECT physical)
{
    PDEVICE_OBJECT self;
    NTSTATUS status = IoCreateDevice(driver, sizeof(struct console), NULL, FILE_DEVICE_SERIAL_PORT,
                                     FILE_DEVICE_SECURE_OPEN, FALSE, &self);

    if (!NT_SUCCESS(status))
        return status;
    make(self->DeviceExtension, self, physical);
    status = attach(self->DeviceExtension);
    if (!NT_SUCCESS(status)) {
        IoDeleteDevice(self);
        return status;
    }
    self->Flags = (self->Flags | DO_BUFFERED_IO | DO_POWER_PAGABLE) & ~(ULONG)DO_DEVICE_INITIALIZING;
    return STATUS_SUCCESS;
}

static VOID NTAPI unload(PDRIVER_OBJECT driver)
{
    UNREFERENCED_PARAMETER(driver);
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT driver, PUNICODE_STRING path)
{
    UNREFERENCED_PARAMETER(path);
    for (ULONG i = 0; i < RTL_NUMBER_OF(majors); i++)
        driver->MajorFunction[majors[i].major] = dispatch;
    driver->DriverExtension->AddDevice = add_device;
    driver->DriverUnload = unload;
    return STATUS_SUCCESS;
}
