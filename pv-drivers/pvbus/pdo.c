/* The devices on the bus: what the plug and play and power managers ask of them. */
#include "bus.h"

#define TEXT_SIZE 64

/* An ASCII text as the wide one that the caller frees; each of `extra` end marks more than the one of the text. NULL:
 * no memory. */
static WCHAR *wide(const char *text, ULONG extra)
{
    ULONG length = (ULONG)strlen(text);
    WCHAR *copy = ExAllocatePoolWithTag(PagedPool, (length + 1 + extra) * sizeof(WCHAR), PVBUS_TAG);

    if (!copy)
        return NULL;
    for (ULONG i = 0; i < length; i++)
        copy[i] = (WCHAR)text[i];
    for (ULONG i = length; i <= length + extra; i++)
        copy[i] = 0;
    return copy;
}

static NTSTATUS answer_text(PIRP irp, const char *text, ULONG extra)
{
    WCHAR *copy = wide(text, extra);

    if (!copy)
        return STATUS_INSUFFICIENT_RESOURCES;
    irp->IoStatus.Information = (ULONG_PTR)copy;
    return STATUS_SUCCESS;
}

/* Four digits: an instance id is a name and not a number. */
static void write_instance(char text[5], ULONG number)
{
    for (int i = 3; i >= 0; i--, number /= 16)
        text[i] = "0123456789ABCDEF"[number % 16];
    text[4] = 0;
}

static NTSTATUS query_id(struct child *child, PIRP irp, PIO_STACK_LOCATION stack)
{
    char text[TEXT_SIZE] = "PVBUS\\";

    strcat(text, child->class->name);
    switch (stack->Parameters.QueryId.IdType) {
    case BusQueryDeviceID:
        return answer_text(irp, text, 0);
    case BusQueryHardwareIDs:
        return answer_text(irp, text, 1);
    case BusQueryInstanceID:
        write_instance(text, child->number);
        return answer_text(irp, text, 0);
    default:
        return irp->IoStatus.Status;
    }
}

static NTSTATUS query_text(struct child *child, PIRP irp, PIO_STACK_LOCATION stack)
{
    switch (stack->Parameters.QueryDeviceText.DeviceTextType) {
    case DeviceTextDescription:
        return answer_text(irp, child->class->description, 0);
    case DeviceTextLocationInformation:
        return answer_text(irp, child->path, 0);
    default:
        return irp->IoStatus.Status;
    }
}

static NTSTATUS query_capabilities(struct child *child, PIRP irp, PIO_STACK_LOCATION stack)
{
    DEVICE_CAPABILITIES *capabilities = stack->Parameters.DeviceCapabilities.Capabilities;

    if (capabilities->Version != 1 || capabilities->Size < sizeof(*capabilities))
        return irp->IoStatus.Status;
    capabilities->UniqueID = FALSE; /* the id is of this bus */
    capabilities->SurpriseRemovalOK = TRUE;
    capabilities->Address = child->number;
    capabilities->UINumber = child->number;
    capabilities->DeviceState[PowerSystemWorking] = PowerDeviceD0;
    for (ULONG state = PowerSystemSleeping1; state < PowerSystemMaximum; state++)
        capabilities->DeviceState[state] = PowerDeviceD3;
    return STATUS_SUCCESS;
}

static NTSTATUS query_relations(struct child *child, PIRP irp, PIO_STACK_LOCATION stack)
{
    DEVICE_RELATIONS *relations;

    if (stack->Parameters.QueryDeviceRelations.Type != TargetDeviceRelation)
        return irp->IoStatus.Status;
    relations = ExAllocatePoolWithTag(PagedPool, sizeof(*relations), PVBUS_TAG);
    if (!relations)
        return STATUS_INSUFFICIENT_RESOURCES;
    ObReferenceObject(child->device.self);
    relations->Count = 1;
    relations->Objects[0] = child->device.self;
    irp->IoStatus.Information = (ULONG_PTR)relations;
    return STATUS_SUCCESS;
}

static NTSTATUS query_bus(struct child *child, PIRP irp, PIO_STACK_LOCATION stack)
{
    PNP_BUS_INFORMATION *information = ExAllocatePoolWithTag(PagedPool, sizeof(*information), PVBUS_TAG);

    UNREFERENCED_PARAMETER(child);
    UNREFERENCED_PARAMETER(stack);
    if (!information)
        return STATUS_INSUFFICIENT_RESOURCES;
    /* {1c9d3c0a-54a5-4a0f-9b1e-0b6f1c8f5d02} */
    information->BusTypeGuid = (GUID){0x1c9d3c0a, 0x54a5, 0x4a0f, {0x9b, 0x1e, 0x0b, 0x6f, 0x1c, 0x8f, 0x5d, 0x02}};
    information->LegacyBusType = PNPBus;
    information->BusNumber = 0;
    irp->IoStatus.Information = (ULONG_PTR)information;
    return STATUS_SUCCESS;
}

static NTSTATUS query_interface(struct child *child, PIRP irp, PIO_STACK_LOCATION stack)
{
    return child_query_interface(child, stack, irp->IoStatus.Status);
}

static NTSTATUS start_device(struct child *child, PIRP irp, PIO_STACK_LOCATION stack)
{
    UNREFERENCED_PARAMETER(irp);
    UNREFERENCED_PARAMETER(stack);
    child->started = TRUE;
    return STATUS_SUCCESS;
}

static NTSTATUS stop_device(struct child *child, PIRP irp, PIO_STACK_LOCATION stack)
{
    UNREFERENCED_PARAMETER(irp);
    UNREFERENCED_PARAMETER(stack);
    child->started = FALSE;
    return STATUS_SUCCESS;
}

static NTSTATUS agree(struct child *child, PIRP irp, PIO_STACK_LOCATION stack)
{
    UNREFERENCED_PARAMETER(child);
    UNREFERENCED_PARAMETER(irp);
    UNREFERENCED_PARAMETER(stack);
    return STATUS_SUCCESS;
}

static const struct {
    UCHAR minor;
    NTSTATUS (*function)(struct child *child, PIRP irp, PIO_STACK_LOCATION stack);
} functions[] = {
    {IRP_MN_START_DEVICE, start_device},
    {IRP_MN_QUERY_STOP_DEVICE, agree},
    {IRP_MN_CANCEL_STOP_DEVICE, agree},
    {IRP_MN_STOP_DEVICE, stop_device},
    {IRP_MN_QUERY_REMOVE_DEVICE, agree},
    {IRP_MN_CANCEL_REMOVE_DEVICE, agree},
    {IRP_MN_SURPRISE_REMOVAL, stop_device},
    {IRP_MN_DEVICE_USAGE_NOTIFICATION, agree},
    {IRP_MN_EJECT, agree},
    {IRP_MN_QUERY_ID, query_id},
    {IRP_MN_QUERY_DEVICE_TEXT, query_text},
    {IRP_MN_QUERY_CAPABILITIES, query_capabilities},
    {IRP_MN_QUERY_DEVICE_RELATIONS, query_relations},
    {IRP_MN_QUERY_BUS_INFORMATION, query_bus},
    {IRP_MN_QUERY_INTERFACE, query_interface},
};

/* The object goes only once xenstore does not name the device any more: till then it is the same device, driver or not.
 */
static NTSTATUS remove_device(struct child *child, PIRP irp)
{
    BOOLEAN missing = child->state == CHILD_MISSING;

    child->started = FALSE;
    if (child->references)
        LOG("%s was removed while its driver holds %d references to the bus", child->path, child->references);
    complete(irp, STATUS_SUCCESS, 0);
    if (missing) {
        struct bus *bus = child->bus;

        KeWaitForSingleObject(&bus->children_lock, Executive, KernelMode, FALSE, NULL);
        child_delete(child);
        KeSetEvent(&bus->children_lock, IO_NO_INCREMENT, FALSE);
    }
    return STATUS_SUCCESS;
}

NTSTATUS pdo_pnp(PDEVICE_OBJECT device, PIRP irp)
{
    struct child *child = device->DeviceExtension;
    PIO_STACK_LOCATION stack = IoGetCurrentIrpStackLocation(irp);

    if (stack->MinorFunction == IRP_MN_REMOVE_DEVICE)
        return remove_device(child, irp);
    for (ULONG i = 0; i < RTL_NUMBER_OF(functions); i++)
        if (functions[i].minor == stack->MinorFunction) {
            NTSTATUS status = functions[i].function(child, irp, stack);

            return complete(irp, status, irp->IoStatus.Information);
        }
    return complete(irp, irp->IoStatus.Status, irp->IoStatus.Information);
}

NTSTATUS pdo_power(PDEVICE_OBJECT device, PIRP irp)
{
    UCHAR minor = IoGetCurrentIrpStackLocation(irp)->MinorFunction;
    NTSTATUS status = irp->IoStatus.Status;

    UNREFERENCED_PARAMETER(device);
    PoStartNextPowerIrp(irp);
    if (minor == IRP_MN_SET_POWER || minor == IRP_MN_QUERY_POWER)
        status = STATUS_SUCCESS;
    return complete(irp, status, irp->IoStatus.Information);
}
