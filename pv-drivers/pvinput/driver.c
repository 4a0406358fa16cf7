/* The minidriver: what HIDCLASS asks of it, from DriverEntry to unload. */
#include "input.h"

#define VENDOR  0x5853 /* the platform device's */
#define PRODUCT 0x0101
#define VERSION 0x0001

DRIVER_INITIALIZE DriverEntry;

static struct device *device_of(PDEVICE_OBJECT functional)
{
    return ((HID_DEVICE_EXTENSION *)functional->DeviceExtension)->MiniDeviceExtension;
}

static PDEVICE_OBJECT next_of(PDEVICE_OBJECT functional)
{
    return ((HID_DEVICE_EXTENSION *)functional->DeviceExtension)->NextDeviceObject;
}

static NTSTATUS NTAPI pass(PDEVICE_OBJECT functional, PIRP irp)
{
    IoSkipCurrentIrpStackLocation(irp);
    return IoCallDriver(next_of(functional), irp);
}

static NTSTATUS complete(PIRP irp, NTSTATUS status)
{
    irp->IoStatus.Status = status;
    IoCompleteRequest(irp, IO_NO_INCREMENT);
    return status;
}

/* --- what it is --- */

static NTSTATUS give(PIRP irp, const void *data, ULONG size)
{
    if (IoGetCurrentIrpStackLocation(irp)->Parameters.DeviceIoControl.OutputBufferLength < size || !irp->UserBuffer)
        return STATUS_BUFFER_TOO_SMALL;
    memcpy(irp->UserBuffer, data, size);
    irp->IoStatus.Information = size;
    return STATUS_SUCCESS;
}

static NTSTATUS get_device_descriptor(struct device *device, PIRP irp)
{
    return give(irp, &device->header, sizeof(device->header));
}

static NTSTATUS get_report_descriptor(struct device *device, PIRP irp)
{
    return give(irp, device->descriptor, device->descriptor_size);
}

static NTSTATUS get_attributes(struct device *device, PIRP irp)
{
    HID_DEVICE_ATTRIBUTES attributes = {
        .Size = sizeof(attributes), .VendorID = VENDOR, .ProductID = PRODUCT, .VersionNumber = VERSION};

    UNREFERENCED_PARAMETER(device);
    return give(irp, &attributes, sizeof(attributes));
}

static NTSTATUS get_string(struct device *device, PIRP irp)
{
    static const WCHAR maker[] = L"Roundhouse", product[] = L"Roundhouse keyboard and pointer";
    PVOID wanted = IoGetCurrentIrpStackLocation(irp)->Parameters.DeviceIoControl.Type3InputBuffer;

    UNREFERENCED_PARAMETER(device);
    switch ((ULONG_PTR)wanted & 0xffff) { /* above is the language */
    case HID_STRING_ID_IMANUFACTURER:
        return give(irp, maker, sizeof(maker));
    case HID_STRING_ID_IPRODUCT:
        return give(irp, product, sizeof(product));
    default:
        return STATUS_INVALID_PARAMETER;
    }
}

/* The one there is: how many fingers the touch screen tells of. */
static NTSTATUS get_feature(struct device *device, PIRP irp)
{
    HID_XFER_PACKET *packet = irp->UserBuffer;

    if (!packet || packet->reportId != REPORT_TOUCH || !device->input.contacts)
        return STATUS_INVALID_PARAMETER;
    if (packet->reportBufferLen < 2)
        return STATUS_BUFFER_TOO_SMALL;
    packet->reportBuffer[0] = REPORT_TOUCH;
    packet->reportBuffer[1] = (UCHAR)device->input.contacts;
    irp->IoStatus.Information = 2;
    return STATUS_SUCCESS;
}

static const struct {
    ULONG code;
    NTSTATUS (*function)(struct device *device, PIRP irp);
} requests[] = {
    {IOCTL_HID_GET_DEVICE_DESCRIPTOR, get_device_descriptor},
    {IOCTL_HID_GET_REPORT_DESCRIPTOR, get_report_descriptor},
    {IOCTL_HID_GET_DEVICE_ATTRIBUTES, get_attributes},
    {IOCTL_HID_GET_STRING, get_string},
    {IOCTL_HID_GET_FEATURE, get_feature},
};

static NTSTATUS NTAPI dispatch_internal(PDEVICE_OBJECT functional, PIRP irp)
{
    ULONG code = IoGetCurrentIrpStackLocation(irp)->Parameters.DeviceIoControl.IoControlCode;

    if (code == IOCTL_HID_READ_REPORT)
        return reads_add(device_of(functional), irp);
    irp->IoStatus.Information = 0;
    for (ULONG i = 0; i < RTL_NUMBER_OF(requests); i++)
        if (requests[i].code == code)
            return complete(irp, requests[i].function(device_of(functional), irp));
    return complete(irp, STATUS_NOT_SUPPORTED);
}

/* --- its life --- */

static NTSTATUS describe(struct device *device)
{
    if (!front_await(&device->front))
        LOG("the back end of %s is not there: a keyboard and a pointer are taken for granted", device->front.bus.path);
    ring_read_offers(device);
    device->descriptor_size = report_descriptor(&device->input, device->descriptor);
    device->header = (HID_DESCRIPTOR){.bLength = sizeof(device->header),
                                      .bDescriptorType = HID_HID_DESCRIPTOR_TYPE,
                                      .bcdHID = 0x0111,
                                      .bNumDescriptors = 1,
                                      .bReportType = HID_REPORT_DESCRIPTOR_TYPE,
                                      .wReportLength = (USHORT)device->descriptor_size};
    return device->descriptor_size ? STATUS_SUCCESS : STATUS_DEVICE_CONFIGURATION_ERROR;
}

static void stop(struct device *device)
{
    if (!device->started)
        return;
    device->started = FALSE;
    front_close(&device->front);
    reads_close(device);
    KeRemoveQueueDpc(&device->dpc);
    KeFlushQueuedDpcs();
    front_free(&device->front);
}

static NTSTATUS start(struct device *device, PDEVICE_OBJECT physical)
{
    NTSTATUS status = front_init(&device->front, &ring_front, physical, device->functional);

    if (!NT_SUCCESS(status))
        return status;
    device->started = TRUE;
    front_open(&device->front);
    status = describe(device);
    if (!NT_SUCCESS(status)) {
        LOG("%s has neither keyboard nor pointer", device->front.bus.path);
        stop(device);
        return status;
    }
    reads_open(device);
    front_look(&device->front);
    return STATUS_SUCCESS;
}

static NTSTATUS start_device(PDEVICE_OBJECT functional, PIRP irp)
{
    HID_DEVICE_EXTENSION *extension = functional->DeviceExtension;
    NTSTATUS status = forward_and_wait(extension->NextDeviceObject, irp);

    if (NT_SUCCESS(status))
        status = start(device_of(functional), extension->PhysicalDeviceObject);
    return complete(irp, status);
}

/* Nobody is waited for: the device is gone. */
static void surprise(struct device *device)
{
    if (device->started)
        front_removed(&device->front);
    reads_close(device);
}

static NTSTATUS NTAPI dispatch_pnp(PDEVICE_OBJECT functional, PIRP irp)
{
    switch (IoGetCurrentIrpStackLocation(irp)->MinorFunction) {
    case IRP_MN_START_DEVICE:
        return start_device(functional, irp);
    case IRP_MN_STOP_DEVICE:
    case IRP_MN_REMOVE_DEVICE:
        stop(device_of(functional));
        irp->IoStatus.Status = STATUS_SUCCESS;
        break;
    case IRP_MN_SURPRISE_REMOVAL:
        surprise(device_of(functional));
        irp->IoStatus.Status = STATUS_SUCCESS;
        break;
    case IRP_MN_QUERY_STOP_DEVICE:
    case IRP_MN_CANCEL_STOP_DEVICE:
    case IRP_MN_QUERY_REMOVE_DEVICE:
    case IRP_MN_CANCEL_REMOVE_DEVICE:
        irp->IoStatus.Status = STATUS_SUCCESS;
        break;
    default:
        break;
    }
    return pass(functional, irp);
}

/* The device objects are marked so that this comes at PASSIVE_LEVEL. */
static NTSTATUS NTAPI dispatch_power(PDEVICE_OBJECT functional, PIRP irp)
{
    PIO_STACK_LOCATION stack = IoGetCurrentIrpStackLocation(irp);
    struct device *device = device_of(functional);

    if (stack->MinorFunction == IRP_MN_SET_POWER && stack->Parameters.Power.Type == DevicePowerState &&
        device->started && KeGetCurrentIrql() == PASSIVE_LEVEL)
        front_sleep(&device->front, stack->Parameters.Power.State.DeviceState != PowerDeviceD0);
    PoStartNextPowerIrp(irp);
    IoSkipCurrentIrpStackLocation(irp);
    return PoCallDriver(next_of(functional), irp);
}

static NTSTATUS NTAPI add_device(PDRIVER_OBJECT driver, PDEVICE_OBJECT functional)
{
    struct device *device = device_of(functional);

    UNREFERENCED_PARAMETER(driver);
    memset(device, 0, sizeof(*device));
    device->functional = functional;
    device->closed = TRUE;
    KeInitializeSpinLock(&device->lock);
    device->shared.lock = &device->lock;
    irp_queue_init(&device->reads, &device->lock);
    KeInitializeDpc(&device->dpc, reads_go_on, device);
    functional->Flags = (functional->Flags | DO_POWER_PAGABLE) & ~(ULONG)DO_DEVICE_INITIALIZING;
    return STATUS_SUCCESS;
}

static VOID NTAPI unload(PDRIVER_OBJECT driver)
{
    UNREFERENCED_PARAMETER(driver);
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT driver, PUNICODE_STRING path)
{
    HID_MINIDRIVER_REGISTRATION registration = {
        .Revision = HID_REVISION,
        .DriverObject = driver,
        .RegistryPath = path,
        .DeviceExtensionSize = sizeof(struct device),
    };

    driver->MajorFunction[IRP_MJ_INTERNAL_DEVICE_CONTROL] = dispatch_internal;
    driver->MajorFunction[IRP_MJ_PNP] = dispatch_pnp;
    driver->MajorFunction[IRP_MJ_POWER] = dispatch_power;
    driver->MajorFunction[IRP_MJ_SYSTEM_CONTROL] = pass;
    driver->DriverExtension->AddDevice = add_device;
    driver->DriverUnload = unload;
    return HidRegisterMinidriver(&registration);
}
