/* The driver's way in, and from its device objects to the functions of the two kinds they are of. */
#include "bus.h"

DRIVER_INITIALIZE DriverEntry;

/* There is one platform device; a second one, which no machine has, would share pages with the first. */
static volatile LONG bus_exists;

NTSTATUS complete(PIRP irp, NTSTATUS status, ULONG_PTR information)
{
    irp->IoStatus.Status = status;
    irp->IoStatus.Information = information;
    IoCompleteRequest(irp, IO_NO_INCREMENT);
    return status;
}

static NTSTATUS NTAPI dispatch_pnp(PDEVICE_OBJECT object, PIRP irp)
{
    struct device *device = object->DeviceExtension;

    return device->pnp(object, irp);
}

static NTSTATUS NTAPI dispatch_power(PDEVICE_OBJECT object, PIRP irp)
{
    struct device *device = object->DeviceExtension;

    return device->power(object, irp);
}

/* The numbers of functions of files. */
static const UCHAR file_majors[] = {IRP_MJ_CREATE, IRP_MJ_CLEANUP, IRP_MJ_CLOSE, IRP_MJ_READ, IRP_MJ_WRITE};

static NTSTATUS NTAPI dispatch_file(PDEVICE_OBJECT object, PIRP irp)
{
    struct device *device = object->DeviceExtension;

    return device->file ? device->file(object, irp) : complete(irp, STATUS_INVALID_DEVICE_REQUEST, 0);
}

static NTSTATUS NTAPI dispatch_system_control(PDEVICE_OBJECT object, PIRP irp)
{
    struct device *device = object->DeviceExtension;
    struct bus *bus = object->DeviceExtension;

    if (device->pnp != fdo_pnp)
        return complete(irp, irp->IoStatus.Status, irp->IoStatus.Information);
    IoSkipCurrentIrpStackLocation(irp);
    return IoCallDriver(bus->lower, irp);
}

void bus_gone(void)
{
    InterlockedExchange(&bus_exists, 0);
}

static NTSTATUS NTAPI add_device(PDRIVER_OBJECT driver, PDEVICE_OBJECT physical)
{
    PDEVICE_OBJECT object;
    struct bus *bus;
    NTSTATUS status;

    if (foreign_driver_found()) {
        LOG("another vendor's drivers are installed: remove one or the other");
        return STATUS_DEVICE_CONFIGURATION_ERROR;
    }
    if (InterlockedExchange(&bus_exists, 1))
        return STATUS_DEVICE_ALREADY_ATTACHED;
    status =
        IoCreateDevice(driver, sizeof(*bus), NULL, FILE_DEVICE_BUS_EXTENDER, FILE_DEVICE_SECURE_OPEN, FALSE, &object);
    if (!NT_SUCCESS(status)) {
        bus_gone();
        return status;
    }
    bus = object->DeviceExtension;
    memset(bus, 0, sizeof(*bus));
    bus->device = (struct device){fdo_pnp, fdo_power, user_request, object};
    bus->physical = physical;
    user_make(bus);
    InitializeListHead(&bus->children);
    KeInitializeEvent(&bus->children_lock, SynchronizationEvent, TRUE);
    IoInitializeRemoveLock(&bus->remove_lock, PVBUS_TAG, 0, 0);
    bus->lower = IoAttachDeviceToDeviceStack(object, physical);
    if (!bus->lower) {
        IoDeleteDevice(object);
        bus_gone();
        return STATUS_NO_SUCH_DEVICE;
    }
    object->Flags = (object->Flags | DO_BUFFERED_IO | DO_POWER_PAGABLE) & ~(ULONG)DO_DEVICE_INITIALIZING;
    return STATUS_SUCCESS;
}

static VOID NTAPI unload(PDRIVER_OBJECT driver)
{
    UNREFERENCED_PARAMETER(driver);
    events_fifo_unload();
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT driver, PUNICODE_STRING service)
{
    UNREFERENCED_PARAMETER(service);
    driver->MajorFunction[IRP_MJ_PNP] = dispatch_pnp;
    driver->MajorFunction[IRP_MJ_POWER] = dispatch_power;
    driver->MajorFunction[IRP_MJ_SYSTEM_CONTROL] = dispatch_system_control;
    for (ULONG i = 0; i < RTL_NUMBER_OF(file_majors); i++)
        driver->MajorFunction[file_majors[i]] = dispatch_file;
    driver->DriverExtension->AddDevice = add_device;
    driver->DriverUnload = unload;
    if (hypervisor_found())
        unplug_at_boot();
    return STATUS_SUCCESS;
}
