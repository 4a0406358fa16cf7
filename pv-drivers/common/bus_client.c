#include "pv/bus_client.h"
#include <string.h>

#define PATH_SIZE  192
#define VALUE_SIZE 64

static NTSTATUS NTAPI signal(PDEVICE_OBJECT device, PIRP irp, PVOID event)
{
    UNREFERENCED_PARAMETER(device);
    UNREFERENCED_PARAMETER(irp);
    KeSetEvent(event, IO_NO_INCREMENT, FALSE);
    return STATUS_MORE_PROCESSING_REQUIRED;
}

NTSTATUS bus_query(PDEVICE_OBJECT physical, struct pv_bus_interface *bus)
{
    static const GUID guid = PV_BUS_INTERFACE_GUID;
    PIRP irp = IoAllocateIrp(physical->StackSize, FALSE);
    PIO_STACK_LOCATION stack;
    NTSTATUS status;
    KEVENT done;

    if (!irp)
        return STATUS_INSUFFICIENT_RESOURCES;
    KeInitializeEvent(&done, NotificationEvent, FALSE);
    irp->IoStatus.Status = STATUS_NOT_SUPPORTED;
    stack = IoGetNextIrpStackLocation(irp);
    stack->MajorFunction = IRP_MJ_PNP;
    stack->MinorFunction = IRP_MN_QUERY_INTERFACE;
    stack->Parameters.QueryInterface.InterfaceType = &guid;
    stack->Parameters.QueryInterface.Size = sizeof(*bus);
    stack->Parameters.QueryInterface.Version = PV_BUS_INTERFACE_VERSION;
    stack->Parameters.QueryInterface.Interface = &bus->header;
    IoSetCompletionRoutine(irp, signal, &done, TRUE, TRUE, TRUE);
    if (IoCallDriver(physical, irp) == STATUS_PENDING)
        KeWaitForSingleObject(&done, Executive, KernelMode, FALSE, NULL);
    status = irp->IoStatus.Status;
    IoFreeIrp(irp);
    return status;
}

NTSTATUS forward_and_wait(PDEVICE_OBJECT lower, PIRP irp)
{
    KEVENT done;

    KeInitializeEvent(&done, NotificationEvent, FALSE);
    IoCopyCurrentIrpStackLocationToNext(irp);
    IoSetCompletionRoutine(irp, signal, &done, TRUE, TRUE, TRUE);
    if (IoCallDriver(lower, irp) == STATUS_PENDING)
        KeWaitForSingleObject(&done, Executive, KernelMode, FALSE, NULL);
    return irp->IoStatus.Status;
}

void write_decimal(char *text, ULONG value)
{
    char digits[12];
    ULONG count = 0;

    do {
        digits[count++] = (char)('0' + value % 10);
    } while (value /= 10);
    while (count)
        *text++ = digits[--count];
    *text = 0;
}

BOOLEAN read_decimal(const char *text, ULONGLONG *value)
{
    ULONG digits = 0;

    for (*value = 0; *text >= '0' && *text <= '9' && digits < 19; text++, digits++)
        *value = *value * 10 + (ULONG)(*text - '0');
    return digits && !*text;
}

void join_path(char *path, const char *folder, const char *name)
{
    strcpy(path, folder);
    strcat(path, "/");
    strcat(path, name);
}

ULONGLONG bus_read_number(struct pv_bus_interface *bus, const char *folder, const char *name, ULONGLONG otherwise)
{
    char path[PATH_SIZE], text[VALUE_SIZE];
    ULONGLONG value;

    join_path(path, folder, name);
    if (!NT_SUCCESS(bus->store_read(bus->header.Context, path, text, sizeof(text))))
        return otherwise;
    return read_decimal(text, &value) ? value : otherwise;
}

NTSTATUS bus_write_number(struct pv_bus_interface *bus, const char *folder, const char *name, ULONG value)
{
    char path[PATH_SIZE], text[12];

    join_path(path, folder, name);
    write_decimal(text, value);
    return bus->store_write(bus->header.Context, path, text);
}
