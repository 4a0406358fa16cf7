/* The adapter: Storport's callbacks, and the two requests that a miniport must see before Storport does. */
#include "block.h"

#define MOST_NUMBER   999999999u
#define NAMES_SIZE    (XENSTORE_PAYLOAD_MAX + 2)
#define MOST_TRANSFER (1u << 20)
#define MOST_ELEMENTS (MOST_TRANSFER / PV_PAGE_SIZE + 1)

DRIVER_INITIALIZE DriverEntry;

/* pvbus has one device of this class. */
static struct adapter the_adapter;
static PDRIVER_ADD_DEVICE storport_add_device;
static PDRIVER_DISPATCH storport_pnp;

static void give_back(struct adapter *adapter)
{
    if (adapter->arm) {
        InterlockedExchange(&adapter->armed, 1);
        KeWaitForSingleObject(&adapter->arm_done, Executive, KernelMode, FALSE, NULL);
        IoFreeWorkItem(adapter->arm);
    }
    adapter->bus.header.InterfaceDereference(adapter->bus.header.Context);
    memset(adapter, 0, sizeof(*adapter));
}

static NTSTATUS NTAPI add_device(PDRIVER_OBJECT driver, PDEVICE_OBJECT physical)
{
    struct adapter *adapter = &the_adapter;
    NTSTATUS status;

    if (adapter->bus.path)
        return STATUS_DEVICE_ALREADY_ATTACHED;
    KeInitializeEvent(&adapter->arm_done, NotificationEvent, TRUE);
    status = bus_query(physical, &adapter->bus);
    if (!NT_SUCCESS(status))
        return status;
    status = storport_add_device(driver, physical);
    if (NT_SUCCESS(status)) {
        adapter->device = driver->DeviceObject;             /* the newest */
        adapter->arm = IoAllocateWorkItem(adapter->device); /* without it the boot after has both kinds of disks */
        return status;
    }
    give_back(adapter);
    return status;
}

static void NTAPI resumed(void *context)
{
    struct adapter *adapter = context;

    for (ULONG i = 0; i < TARGETS; i++)
        if (adapter->disks[i])
            disk_reconnect(adapter->disks[i]);
}

/* The bus is gone: what comes still, or is under way, fails. The disks stay until Storport sends no more. */
static void break_disks(struct adapter *adapter)
{
    for (ULONG i = 0; i < TARGETS; i++)
        if (adapter->disks[i])
            disk_break(adapter->disks[i]);
}

/* At PASSIVE_LEVEL, which Storport's own callbacks for this are not at. */
static void disconnect(struct adapter *adapter)
{
    adapter->bus.set_resume_handler(adapter->bus.header.Context, NULL, NULL);
    for (ULONG i = 0; i < TARGETS; i++) {
        if (adapter->disks[i])
            disk_remove(adapter->disks[i]);
        adapter->disks[i] = NULL;
    }
}

static NTSTATUS NTAPI pnp(PDEVICE_OBJECT device, PIRP irp)
{
    struct adapter *adapter = &the_adapter;
    UCHAR minor = IoGetCurrentIrpStackLocation(irp)->MinorFunction;
    BOOLEAN ours = adapter->device == device;
    NTSTATUS status;

    if (ours && minor == IRP_MN_SURPRISE_REMOVAL)
        break_disks(adapter);
    if (ours && (minor == IRP_MN_STOP_DEVICE || minor == IRP_MN_REMOVE_DEVICE))
        disconnect(adapter);
    if (ours && minor == IRP_MN_REMOVE_DEVICE)
        give_back(adapter); /* Storport's device goes with the request */
    status = storport_pnp(device, irp);
    return status;
}

/* Disks stand in the order in which xenstore names them; those beyond the last target are left out, and named. */
static void add_disks(struct adapter *adapter, char *names)
{
    ULONG target = 0, number;
    ULONGLONG value;

    for (const char *name = names; *name; name += strlen(name) + 1) {
        if (!read_decimal(name, &value) || value > MOST_NUMBER)
            continue;
        number = (ULONG)value;
        if (target == TARGETS)
            LOG("there is no place for disk %u", number);
        else if (NT_SUCCESS(disk_add(adapter, number, &adapter->disks[target])))
            target++;
        else
            LOG("disk %u does not connect", number);
    }
}

static ULONG NTAPI find_adapter(PVOID extension, PVOID context, PVOID bus, PCHAR arguments,
                                PPORT_CONFIGURATION_INFORMATION configuration, PBOOLEAN again)
{
    struct adapter *adapter = &the_adapter;
    char *names = ExAllocatePoolWithTag(NonPagedPool, NAMES_SIZE, PVBLK_TAG);

    UNREFERENCED_PARAMETER(context);
    UNREFERENCED_PARAMETER(bus);
    UNREFERENCED_PARAMETER(arguments);
    *again = FALSE;
    if (!names)
        return SP_RETURN_ERROR;
    adapter->extension = extension;
    *(struct adapter **)extension = adapter;
    configuration->MaximumTransferLength = MOST_TRANSFER;
    configuration->NumberOfPhysicalBreaks = MOST_ELEMENTS;
    configuration->NumberOfBuses = 1;
    configuration->MaximumNumberOfTargets = TARGETS + 1;
    configuration->MaximumNumberOfLogicalUnits = 1;
    configuration->InitiatorBusId[0] = TARGETS; /* the adapter's own, behind the disks' */
    configuration->ScatterGather = TRUE;
    configuration->Master = TRUE;
    configuration->CachesData = TRUE; /* so that flushes come */
    configuration->Dma64BitAddresses = SCSI_DMA64_MINIPORT_SUPPORTED;
    configuration->AlignmentMask = SECTOR - 1;
    *pv_synchronization_model(configuration) = PV_FULL_DUPLEX;
    if (NT_SUCCESS(adapter->bus.store_list(adapter->bus.header.Context, adapter->bus.path, names, NAMES_SIZE)))
        add_disks(adapter, names);
    ExFreePoolWithTag(names, PVBLK_TAG);
    adapter->bus.set_resume_handler(adapter->bus.header.Context, resumed, adapter);
    return SP_RETURN_FOUND;
}

static BOOLEAN NTAPI initialize(PVOID extension)
{
    UNREFERENCED_PARAMETER(extension);
    return TRUE;
}

static VOID NTAPI arm(PDEVICE_OBJECT device, PVOID context)
{
    struct adapter *adapter = context;

    UNREFERENCED_PARAMETER(device);
    adapter->bus.arm_unplug(adapter->bus.header.Context, PV_UNPLUG_DISKS);
    KeSetEvent(&adapter->arm_done, IO_NO_INCREMENT, FALSE);
}

void adapter_worked(struct adapter *adapter)
{
    if (!adapter->arm || InterlockedExchange(&adapter->armed, 1))
        return;
    KeClearEvent(&adapter->arm_done);
    IoQueueWorkItem(adapter->arm, arm, DelayedWorkQueue, adapter);
}

static BOOLEAN NTAPI build_io(PVOID extension, PSCSI_REQUEST_BLOCK srb)
{
    UNREFERENCED_PARAMETER(extension);
    UNREFERENCED_PARAMETER(srb);
    return TRUE;
}

static BOOLEAN NTAPI start_io(PVOID extension, PSCSI_REQUEST_BLOCK srb)
{
    struct adapter *adapter = *(struct adapter **)extension;
    struct disk *disk = srb->TargetId < TARGETS && !srb->PathId && !srb->Lun ? adapter->disks[srb->TargetId] : NULL;

    if (!disk)
        scsi_complete(adapter, srb, SRB_STATUS_NO_DEVICE);
    else if (scsi_start(disk, srb))
        scsi_complete(adapter, srb, srb->SrbStatus);
    return TRUE;
}

/* There is no bus to reset: what the back end has it will answer. */
static BOOLEAN NTAPI reset_bus(PVOID extension, ULONG path)
{
    UNREFERENCED_PARAMETER(extension);
    UNREFERENCED_PARAMETER(path);
    return TRUE;
}

static BOOLEAN NTAPI interrupt(PVOID extension)
{
    UNREFERENCED_PARAMETER(extension);
    return FALSE; /* the device has none of its own */
}

static SCSI_ADAPTER_CONTROL_STATUS NTAPI control(PVOID extension, SCSI_ADAPTER_CONTROL_TYPE type, PVOID parameters)
{
    static const SCSI_ADAPTER_CONTROL_TYPE known[] = {ScsiQuerySupportedControlTypes, ScsiStopAdapter,
                                                      ScsiRestartAdapter};
    SCSI_SUPPORTED_CONTROL_TYPE_LIST *list = parameters;

    UNREFERENCED_PARAMETER(extension);
    if (type == ScsiQuerySupportedControlTypes)
        for (ULONG i = 0; i < RTL_NUMBER_OF(known); i++)
            if ((ULONG)known[i] < list->MaxControlType)
                list->SupportedTypeList[known[i]] = TRUE;
    return type <= ScsiRestartAdapter ? ScsiAdapterControlSuccess : ScsiAdapterControlUnsuccessful;
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT driver, PUNICODE_STRING service)
{
    struct pv_hw_initialization data;
    NTSTATUS status;

    memset(&data, 0, sizeof(data));
    data.scsi.HwInitializationDataSize = sizeof(data);
    data.scsi.AdapterInterfaceType = Internal;
    data.scsi.HwInitialize = initialize;
    data.scsi.HwStartIo = start_io;
    data.scsi.HwInterrupt = interrupt;
    data.scsi.HwFindAdapter = (PVOID)find_adapter;
    data.scsi.HwResetBus = reset_bus;
    data.scsi.HwAdapterControl = control;
    data.build_io = build_io;
    data.scsi.DeviceExtensionSize = sizeof(struct adapter *);
    data.scsi.SrbExtensionSize = sizeof(struct request);
    data.scsi.MapBuffers = PV_MAP_NON_READ_WRITE;
    data.scsi.NeedPhysicalAddresses = TRUE;
    data.scsi.TaggedQueuing = TRUE;
    data.scsi.AutoRequestSense = TRUE;
    data.scsi.MultipleRequestPerLu = TRUE;
    status = (NTSTATUS)StorPortInitialize(driver, service, &data, NULL);
    if (!NT_SUCCESS(status))
        return status;
    storport_add_device = driver->DriverExtension->AddDevice;
    storport_pnp = driver->MajorFunction[IRP_MJ_PNP];
    driver->DriverExtension->AddDevice = add_device;
    driver->MajorFunction[IRP_MJ_PNP] = pnp;
    return status;
}
