/*
 * Storport for one adapter: its device object, its callbacks in their order and at their IRQLs, and requests that it
 * follows from start to completion. As its documentation has it, and not as anybody has seen it.
 */
#include <stdlib.h>
#include <string.h>
#include "nt.h"

#define PENDING_MOST 1024

static struct pv_hw_initialization miniport;
static void *extension;
static PORT_CONFIGURATION_INFORMATION *configuration;
static KSPIN_LOCK start_lock;
static LONG pending;
static unsigned changes;

struct port {
    DEVICE_OBJECT *lower, *self;
};

bool nt_storport_runs(void)
{
    return extension != NULL;
}

unsigned nt_storport_changes(void)
{
    return changes;
}

static NTSTATUS start(void)
{
    typedef NT_ABI ULONG find(PVOID, PVOID, PVOID, PCHAR, PPORT_CONFIGURATION_INFORMATION, PBOOLEAN);
    BOOLEAN again = FALSE;
    ULONG found;

    extension = nt_allocate(miniport.scsi.DeviceExtensionSize, 0x74726f50);
    memset(extension, 0, miniport.scsi.DeviceExtensionSize);
    configuration = nt_allocate(152, 0x74726f50);
    memset(configuration, 0, 152);
    configuration->Length = 152;
    configuration->AdapterInterfaceType = miniport.scsi.AdapterInterfaceType;
    found = ((find *)(void *)miniport.scsi.HwFindAdapter)(extension, NULL, NULL, "", configuration, &again);
    changes = 0;
    if (found == SP_RETURN_FOUND && (!configuration->ScatterGather || !configuration->Dma64BitAddresses ||
                                     *pv_synchronization_model(configuration) != PV_FULL_DUPLEX))
        nt_bug("the adapter's configuration is not what its driver can do");
    if (found == SP_RETURN_FOUND && miniport.scsi.HwInitialize(extension))
        return STATUS_SUCCESS;
    return STATUS_UNSUCCESSFUL;
}

static void stop(void)
{
    if (!extension)
        return;
    if (pending)
        nt_bug("%d requests are still the miniport's when its adapter is removed", (int)pending);
    miniport.scsi.HwAdapterControl(extension, ScsiStopAdapter, NULL);
    nt_free(extension);
    nt_free(configuration);
    extension = NULL;
}

static NTSTATUS NTAPI signal(PDEVICE_OBJECT device, PIRP irp, PVOID event)
{
    UNREFERENCED_PARAMETER(device);
    UNREFERENCED_PARAMETER(irp);
    KeSetEvent(event, 0, FALSE);
    return STATUS_MORE_PROCESSING_REQUIRED;
}

static NTSTATUS start_device(struct port *port, PIRP irp)
{
    KEVENT done;
    NTSTATUS status;

    KeInitializeEvent(&done, NotificationEvent, FALSE);
    IoCopyCurrentIrpStackLocationToNext(irp);
    IoSetCompletionRoutine(irp, signal, &done, TRUE, TRUE, TRUE);
    if (IofCallDriver(port->lower, irp) == STATUS_PENDING)
        KeWaitForSingleObject(&done, Executive, KernelMode, FALSE, NULL);
    status = NT_SUCCESS(irp->IoStatus.Status) ? start() : irp->IoStatus.Status;
    irp->IoStatus.Status = status;
    IofCompleteRequest(irp, 0);
    return status;
}

static NT_ABI NTSTATUS pnp(PDEVICE_OBJECT device, PIRP irp)
{
    struct port *port = device->DeviceExtension;
    UCHAR minor = irp->Tail.Overlay.CurrentStackLocation->MinorFunction;
    NTSTATUS status;

    if (minor == IRP_MN_START_DEVICE)
        return start_device(port, irp);
    if (minor == IRP_MN_REMOVE_DEVICE || minor == IRP_MN_STOP_DEVICE)
        stop();
    IoSkipCurrentIrpStackLocation(irp);
    status = IofCallDriver(port->lower, irp);
    if (minor == IRP_MN_REMOVE_DEVICE) {
        IoDetachDevice(port->lower);
        IoDeleteDevice(device);
    }
    return status;
}

static NT_ABI NTSTATUS add_device(PDRIVER_OBJECT driver, PDEVICE_OBJECT physical)
{
    DEVICE_OBJECT *device;
    NTSTATUS status = IoCreateDevice(driver, sizeof(struct port), NULL, FILE_DEVICE_CONTROLLER, 0, FALSE, &device);
    struct port *port;

    if (!NT_SUCCESS(status))
        return status;
    port = device->DeviceExtension;
    port->self = device;
    port->lower = IoAttachDeviceToDeviceStack(device, physical);
    device->Flags &= ~(ULONG)DO_DEVICE_INITIALIZING;
    return STATUS_SUCCESS;
}

static NT_ABI VOID unload(PDRIVER_OBJECT driver)
{
    UNREFERENCED_PARAMETER(driver);
}

ULONG NTAPI StorPortInitialize(PVOID object, PVOID service, struct pv_hw_initialization *data, PVOID context)
{
    DRIVER_OBJECT *driver = object;

    UNREFERENCED_PARAMETER(service);
    UNREFERENCED_PARAMETER(context);
    if (data->scsi.HwInitializationDataSize != sizeof(*data))
        return (ULONG)STATUS_REVISION_MISMATCH;
    if (!data->scsi.HwInitialize || !data->scsi.HwStartIo || !data->scsi.HwFindAdapter || !data->scsi.HwResetBus ||
        !data->scsi.HwAdapterControl || !data->scsi.TaggedQueuing || !data->scsi.AutoRequestSense ||
        !data->scsi.MultipleRequestPerLu || !data->scsi.NeedPhysicalAddresses)
        return (ULONG)STATUS_INVALID_PARAMETER;
    miniport = *data;
    pending = 0;
    driver->DriverExtension->AddDevice = add_device;
    driver->MajorFunction[IRP_MJ_PNP] = pnp;
    driver->DriverUnload = unload;
    return STATUS_SUCCESS;
}

struct pv_scatter_gather_list *NTAPI StorPortGetScatterGatherList(PVOID device, PSCSI_REQUEST_BLOCK srb)
{
    if (device != extension)
        nt_bug("a scatter gather list of another adapter");
    return CONTAINING_RECORD(srb, struct nt_srb, srb)->list;
}

static void complete(SCSI_REQUEST_BLOCK *block)
{
    struct nt_srb *srb = CONTAINING_RECORD(block, struct nt_srb, srb);

    if (!__atomic_exchange_n(&srb->pending, false, __ATOMIC_SEQ_CST))
        nt_bug("a request to a disk is completed twice");
    if (block->SrbStatus == SRB_STATUS_PENDING)
        nt_bug("a request to a disk is completed as pending");
    __sync_sub_and_fetch(&pending, 1);
    KeSetEvent(&srb->done, 0, FALSE);
}

VOID __cdecl StorPortNotification(SCSI_NOTIFICATION_TYPE type, PVOID device, ...)
{
    __builtin_ms_va_list arguments;

    if (device != extension)
        nt_bug("a notification of another adapter");
    __builtin_ms_va_start(arguments, device);
    if (type == RequestComplete)
        complete(__builtin_va_arg(arguments, SCSI_REQUEST_BLOCK *));
    else if (type == BusChangeDetected)
        changes++;
    else
        nt_bug("a notification of type %d", type);
    __builtin_ms_va_end(arguments);
}

/* What Storport's own device object would make of a buffer's pages. */
static struct pv_scatter_gather_list *list_of(unsigned char *data, unsigned size)
{
    struct pv_scatter_gather_list *list =
        nt_allocate(sizeof(*list) + (size / NT_PAGE + 2) * sizeof(list->elements[0]), 0x7473694c);

    list->count = 0;
    list->reserved = 0;
    for (unsigned at = 0; at < size;) {
        unsigned length = NT_PAGE - (unsigned)((uintptr_t)(data + at) % NT_PAGE);

        if (length > size - at)
            length = size - at;
        list->elements[list->count++] = (struct pv_scatter_gather_element){MmGetPhysicalAddress(data + at), length, 0};
        at += length;
    }
    if (list->count > configuration->NumberOfPhysicalBreaks || size > configuration->MaximumTransferLength)
        nt_bug("the test asks for more than the adapter takes");
    return list;
}

static void begin(struct nt_srb *srb)
{
    KIRQL irql = nt_irql(), old;

    nt_set_irql(DISPATCH_LEVEL);
    miniport.build_io(extension, &srb->srb);
    old = KeAcquireSpinLockRaiseToDpc(&start_lock);
    miniport.scsi.HwStartIo(extension, &srb->srb);
    KeReleaseSpinLock(&start_lock, old);
    if (nt_irql() != DISPATCH_LEVEL)
        nt_bug("HwStorStartIo changes the IRQL");
    nt_set_irql(irql);
}

struct nt_srb *nt_srb_start(unsigned target, const UCHAR *command, unsigned command_size, void *data, unsigned size)
{
    struct nt_srb *srb = nt_allocate(sizeof(*srb), 0x20627253);

    memset(srb, 0, sizeof(*srb));
    KeInitializeEvent(&srb->done, NotificationEvent, FALSE);
    srb->srb.Length = sizeof(srb->srb);
    srb->srb.Function = SRB_FUNCTION_EXECUTE_SCSI;
    srb->srb.SrbStatus = SRB_STATUS_PENDING;
    srb->srb.TargetId = (UCHAR)target;
    srb->srb.CdbLength = (UCHAR)command_size;
    memcpy(srb->srb.Cdb, command, command_size);
    srb->srb.DataBuffer = data;
    srb->srb.DataTransferLength = size;
    srb->srb.SenseInfoBuffer = srb->sense;
    srb->srb.SenseInfoBufferLength = sizeof(srb->sense);
    srb->srb.SrbExtension = nt_allocate(miniport.scsi.SrbExtensionSize, 0x20627253);
    srb->list = size ? list_of(data, size) : NULL;
    srb->pending = true;
    __sync_add_and_fetch(&pending, 1);
    begin(srb);
    return srb;
}

bool nt_srb_is_pending(const struct nt_srb *srb)
{
    return __atomic_load_n(&srb->pending, __ATOMIC_SEQ_CST);
}

UCHAR nt_srb_wait(struct nt_srb *srb, UCHAR sense[2], ULONG *left)
{
    UCHAR status;

    KeWaitForSingleObject(&srb->done, Executive, KernelMode, FALSE, NULL);
    status = srb->srb.SrbStatus;
    if (sense) {
        sense[0] = status & SRB_STATUS_AUTOSENSE_VALID ? srb->sense[2] : 0;
        sense[1] = status & SRB_STATUS_AUTOSENSE_VALID ? srb->sense[12] : 0;
    }
    if (left)
        *left = srb->srb.DataTransferLength;
    nt_free(srb->srb.SrbExtension);
    if (srb->list)
        nt_free(srb->list);
    nt_free(srb);
    return status & (UCHAR)~SRB_STATUS_AUTOSENSE_VALID;
}

#define STORPORT(name)                                                                                                 \
    {                                                                                                                  \
        "storport.sys", #name, (void *)name, PASSIVE_LEVEL, DISPATCH_LEVEL                                             \
    }

const struct nt_export nt_storport_exports[] = {
    STORPORT(StorPortGetScatterGatherList),
    {"storport.sys", "StorPortInitialize", (void *)StorPortInitialize, PASSIVE_LEVEL, PASSIVE_LEVEL},
    STORPORT(StorPortNotification),
};
const unsigned nt_storport_export_count = sizeof(nt_storport_exports) / sizeof(nt_storport_exports[0]);
