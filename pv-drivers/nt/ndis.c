/*
 * NDIS for one adapter: its miniport's functions in their order and at their IRQLs, its state machine, and lists of
 * buffers that are followed from one owner to the other. As its documentation has it, and not as anybody has seen it.
 */
#include <string.h>
#include "ndis_state.h"

struct nt_ndis nt_ndis;

static bool registered, has_registration, has_general, link_up;
static DEVICE_OBJECT *physical, *functional, *lower;
static NDIS_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES general;
static NDIS_OFFLOAD offload;
static unsigned link_changes, events;
static KEVENT pause_done;

void nt_ndis_check_handle(NDIS_HANDLE handle)
{
    if (handle != NT_NDIS_HANDLE || nt_ndis.state == HALTED)
        nt_bug("a handle of no adapter");
}

void nt_ndis_check_header(const NDIS_OBJECT_HEADER *header, UCHAR type, UCHAR revision, unsigned size)
{
    if (header->Type != type || header->Revision != revision || header->Size < size)
        nt_bug("a header of type %#x, revision %u, %u bytes; it is to be %#x, %u, %u", header->Type, header->Revision,
               header->Size, type, revision, size);
}

void nt_ndis_check_irql(const char *what, KIRQL before)
{
    if (nt_irql() != before)
        nt_bug("%s changes the IRQL from %u to %u", what, before, nt_irql());
}

/* --- attributes, status, requests --- */

static void take_registration(const NDIS_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES *attributes)
{
    const ULONG known = NDIS_MINIPORT_ATTRIBUTES_HARDWARE_DEVICE | NDIS_MINIPORT_ATTRIBUTES_NDIS_WDM |
                        NDIS_MINIPORT_ATTRIBUTES_SURPRISE_REMOVE_OK | NDIS_MINIPORT_ATTRIBUTES_NO_HALT_ON_SUSPEND;

    if (has_registration || attributes->AttributeFlags & ~known ||
        !(attributes->AttributeFlags & NDIS_MINIPORT_ATTRIBUTES_NDIS_WDM))
        nt_bug("an adapter is registered twice, or by wrong flags, %#x", (unsigned)attributes->AttributeFlags);
    has_registration = true;
    nt_ndis.context = attributes->MiniportAdapterContext;
}

static void take_general(const NDIS_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES *attributes)
{
    if (!has_registration || has_general)
        nt_bug("general attributes before the registration's, or twice");
    if (attributes->MediaType != NdisMedium802_3 || attributes->MacAddressLength != 6 || !attributes->MtuSize ||
        attributes->PermanentMacAddress[0] & 1 || !attributes->SupportedOidList ||
        attributes->SupportedOidListLength % sizeof(NDIS_OID))
        nt_bug("general attributes of no Ethernet card");
    if (attributes->RecvScaleCapabilities)
        nt_ndis_check_header(&attributes->RecvScaleCapabilities->Header, NDIS_OBJECT_TYPE_RSS_CAPABILITIES, 1,
                             NDIS_SIZEOF_RECEIVE_SCALE_CAPABILITIES_REVISION_1);
    has_general = true;
    general = *attributes;
}

static NDIS_STATUS take_offload(const NDIS_MINIPORT_ADAPTER_OFFLOAD_ATTRIBUTES *attributes)
{
    if (!has_general)
        nt_bug("offload attributes before the general ones");
    nt_ndis_check_header(&attributes->DefaultOffloadConfiguration->Header, NDIS_OBJECT_TYPE_OFFLOAD,
                         NDIS_OFFLOAD_REVISION_2, NDIS_SIZEOF_NDIS_OFFLOAD_REVISION_2);
    nt_ndis_check_header(&attributes->HardwareOffloadCapabilities->Header, NDIS_OBJECT_TYPE_OFFLOAD,
                         NDIS_OFFLOAD_REVISION_2, NDIS_SIZEOF_NDIS_OFFLOAD_REVISION_2);
    offload = *attributes->DefaultOffloadConfiguration;
    return NDIS_STATUS_SUCCESS;
}

NDIS_STATUS NTAPI NdisMSetMiniportAttributes(NDIS_HANDLE handle, PVOID attributes)
{
    NDIS_OBJECT_HEADER *header = attributes;

    nt_ndis_check_handle(handle);
    if (nt_ndis.state != INITIALIZING)
        nt_bug("attributes are set after the initialization");
    if (nt_allocation_fails())
        return NDIS_STATUS_RESOURCES;
    switch (header->Type) {
    case NDIS_OBJECT_TYPE_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES:
        nt_ndis_check_header(header, header->Type, 1, sizeof(NDIS_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES));
        take_registration(attributes);
        break;
    case NDIS_OBJECT_TYPE_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES:
        nt_ndis_check_header(header, header->Type, 2, sizeof(general));
        take_general(attributes);
        break;
    case NDIS_OBJECT_TYPE_MINIPORT_ADAPTER_OFFLOAD_ATTRIBUTES:
        nt_ndis_check_header(header, header->Type, 1, sizeof(NDIS_MINIPORT_ADAPTER_OFFLOAD_ATTRIBUTES));
        return take_offload(attributes);
    default:
        nt_bug("attributes of type %#x", header->Type);
    }
    return NDIS_STATUS_SUCCESS;
}

static void take_link(const NDIS_LINK_STATE *link, ULONG size)
{
    nt_ndis_check_header(&link->Header, NDIS_OBJECT_TYPE_DEFAULT, 1, NDIS_SIZEOF_LINK_STATE_REVISION_1);
    if (size < sizeof(*link) || link_up == (link->MediaConnectState == MediaConnectStateConnected))
        nt_bug("a link state is indicated that is no other than before");
    link_up = link->MediaConnectState == MediaConnectStateConnected;
    link_changes++;
}

VOID NTAPI NdisMIndicateStatusEx(NDIS_HANDLE handle, NDIS_STATUS_INDICATION *indication)
{
    nt_ndis_check_handle(handle);
    nt_ndis_check_header(&indication->Header, NDIS_OBJECT_TYPE_STATUS_INDICATION, 1, sizeof(*indication));
    if (nt_ndis.state == INITIALIZING || indication->SourceHandle != NT_NDIS_HANDLE)
        nt_bug("a status is indicated before the adapter is initialized, or without its source");
    if (indication->StatusCode == NDIS_STATUS_LINK_STATE)
        take_link(indication->StatusBuffer, indication->StatusBufferSize);
    else if (indication->StatusCode == NDIS_STATUS_TASK_OFFLOAD_CURRENT_CONFIG &&
             indication->StatusBufferSize == sizeof(offload))
        memcpy(&offload, indication->StatusBuffer, sizeof(offload));
    else
        nt_bug("a status %#x is indicated", (unsigned)indication->StatusCode);
}

VOID __cdecl NdisWriteErrorLogEntry(NDIS_HANDLE handle, ULONG code, ULONG count, ...)
{
    nt_ndis_check_handle(handle);
    if (code != NDIS_ERROR_CODE_HARDWARE_FAILURE || count > 4)
        nt_bug("an event %#x with %u values", (unsigned)code, (unsigned)count);
    events++;
}

static NDIS_STATUS request(NDIS_REQUEST_TYPE type, NDIS_OID oid, void *buffer, unsigned size, unsigned *used)
{
    NDIS_OID_REQUEST request;
    KIRQL irql = nt_irql();
    NDIS_STATUS status;

    memset(&request, 0, sizeof(request));
    request.Header = (NDIS_OBJECT_HEADER){NDIS_OBJECT_TYPE_OID_REQUEST, 1, sizeof(request)};
    request.RequestType = type;
    request.DATA.QUERY_INFORMATION.Oid = oid;
    request.DATA.QUERY_INFORMATION.InformationBuffer = buffer;
    request.DATA.QUERY_INFORMATION.InformationBufferLength = size;
    status = nt_ndis.miniport.OidRequestHandler(nt_ndis.context, &request);
    nt_ndis_check_irql("MiniportOidRequest", irql);
    if (status == NDIS_STATUS_PENDING)
        nt_bug("a request is pending, which this NDIS does not know");
    if (request.DATA.QUERY_INFORMATION.BytesWritten > size)
        nt_bug("a request used more than its buffer");
    if (used)
        *used = status == NDIS_STATUS_SUCCESS ? request.DATA.QUERY_INFORMATION.BytesWritten
                                              : request.DATA.QUERY_INFORMATION.BytesNeeded;
    return status;
}

/* The buffer is pool of just its size. */
NDIS_STATUS nt_ndis_query(NDIS_OID oid, void *buffer, unsigned size, unsigned *used)
{
    void *copy = nt_allocate(size ? size : 1, NT_NDIS_TAG);
    NDIS_STATUS status = request(NdisRequestQueryInformation, oid, copy, size, used);

    memcpy(buffer, copy, size);
    nt_free(copy);
    return status;
}

NDIS_STATUS nt_ndis_set(NDIS_OID oid, const void *buffer, unsigned size)
{
    void *copy = nt_allocate(size ? size : 1, NT_NDIS_TAG);
    NDIS_STATUS status;

    memcpy(copy, buffer, size);
    status = request(NdisRequestSetInformation, oid, copy, size, NULL);
    nt_free(copy);
    return status;
}

bool nt_ndis_link(void)
{
    return link_up;
}

unsigned nt_ndis_link_changes(void)
{
    return link_changes;
}

unsigned nt_ndis_events(void)
{
    return events;
}

NDIS_OFFLOAD nt_ndis_offload(void)
{
    return offload;
}

NDIS_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES nt_ndis_general(void)
{
    return general;
}

/* --- the adapter's states --- */

bool nt_ndis_initialized(void)
{
    return nt_ndis.state >= PAUSED;
}

NDIS_STATUS nt_ndis_restart(void)
{
    NDIS_STATUS status;

    if (nt_ndis.state != PAUSED)
        nt_bug("the test restarts what is not paused");
    nt_ndis.state = RUNNING;
    status = nt_ndis.miniport.RestartHandler(nt_ndis.context, NULL);
    nt_ndis_check_irql("MiniportRestart", PASSIVE_LEVEL);
    if (status != NDIS_STATUS_SUCCESS)
        nt_bug("MiniportRestart: %#x", (unsigned)status);
    return status;
}

static void finish_pause(void)
{
    if (nt_ndis.with_protocol || nt_ndis.sends_pending)
        nt_bug("the adapter is paused with %d packets at the protocol and %d sends pending", (int)nt_ndis.with_protocol,
               (int)nt_ndis.sends_pending);
    nt_ndis.state = PAUSED;
}

/* The miniport may complete it before its function says that it is pending. */
VOID NTAPI NdisMPauseComplete(NDIS_HANDLE handle)
{
    nt_ndis_check_handle(handle);
    if (nt_ndis.state != PAUSING && nt_ndis.state != PAUSE_PENDING)
        nt_bug("a pause is completed that nobody asked for");
    KeSetEvent(&pause_done, 0, FALSE);
}

bool nt_ndis_pause_begin(void)
{
    NDIS_STATUS status;

    if (nt_ndis.state != RUNNING)
        nt_bug("the test pauses what does not run");
    KeInitializeEvent(&pause_done, NotificationEvent, FALSE);
    nt_ndis.state = PAUSING;
    status = nt_ndis.miniport.PauseHandler(nt_ndis.context, NULL);
    nt_ndis_check_irql("MiniportPause", PASSIVE_LEVEL);
    nt_ndis.state = PAUSE_PENDING;
    if (status == NDIS_STATUS_PENDING)
        return true;
    if (status != NDIS_STATUS_SUCCESS)
        nt_bug("MiniportPause: %#x", (unsigned)status);
    finish_pause();
    return false;
}

void nt_ndis_pause_end(void)
{
    KeWaitForSingleObject(&pause_done, Executive, KernelMode, FALSE, NULL);
    finish_pause();
}

void nt_ndis_pause(void)
{
    if (nt_ndis_pause_begin())
        nt_ndis_pause_end();
}

void nt_ndis_power(bool on)
{
    NDIS_DEVICE_POWER_STATE wanted = on ? NdisDeviceStateD0 : NdisDeviceStateD3;

    if (!on)
        nt_ndis_pause();
    if (nt_ndis_set(OID_PNP_SET_POWER, &wanted, sizeof(wanted)) != NDIS_STATUS_SUCCESS)
        nt_bug("a power state is refused");
    if (on)
        nt_ndis_restart();
}

NDIS_STATUS nt_ndis_reset(void)
{
    BOOLEAN addressing = TRUE;
    NDIS_STATUS status = nt_ndis.miniport.ResetHandlerEx(nt_ndis.context, &addressing);

    if (addressing || nt_ndis.miniport.CheckForHangHandlerEx(nt_ndis.context))
        nt_bug("a reset wants more than that");
    return status;
}

static NTSTATUS initialize(void)
{
    NDIS_STATUS status;

    nt_ndis.state = INITIALIZING;
    has_registration = has_general = link_up = false;
    link_changes = events = 0;
    nt_ndis.sends_pending = nt_ndis.with_protocol = 0;
    nt_ndis.context = NULL;
    status = nt_ndis.miniport.InitializeHandlerEx(NT_NDIS_HANDLE, NULL, NULL);
    nt_ndis_check_irql("MiniportInitializeEx", PASSIVE_LEVEL);
    if (status == NDIS_STATUS_SUCCESS && !has_general)
        nt_bug("an adapter is initialized without its attributes");
    nt_ndis.state = status == NDIS_STATUS_SUCCESS ? PAUSED : HALTED;
    return status;
}

static void halt(ULONG action)
{
    if (nt_ndis.state == RUNNING) {
        nt_ndis_return_held();
        nt_ndis_pause();
    }
    if (nt_ndis.state != PAUSED)
        return;
    nt_ndis.miniport.HaltHandlerEx(nt_ndis.context, action);
    nt_ndis_check_irql("MiniportHaltEx", PASSIVE_LEVEL);
    nt_ndis.state = HALTED;
    nt_ndis_forget_received();
}

static void surprise(void)
{
    NET_DEVICE_PNP_EVENT event;

    if (nt_ndis.state < PAUSED)
        return;
    memset(&event, 0, sizeof(event));
    event.Header = (NDIS_OBJECT_HEADER){NDIS_OBJECT_TYPE_DEFAULT, 1, sizeof(event)};
    event.DevicePnPEvent = NdisDevicePnPEventSurpriseRemoved;
    nt_ndis.miniport.DevicePnPEventNotifyHandler(nt_ndis.context, &event);
}

/* --- as a driver of devices --- */

static NTSTATUS NTAPI signal(PDEVICE_OBJECT device, PIRP irp, PVOID event)
{
    UNREFERENCED_PARAMETER(device);
    UNREFERENCED_PARAMETER(irp);
    KeSetEvent(event, 0, FALSE);
    return STATUS_MORE_PROCESSING_REQUIRED;
}

static NTSTATUS start_device(PIRP irp)
{
    KEVENT done;
    NTSTATUS status;

    KeInitializeEvent(&done, NotificationEvent, FALSE);
    IoCopyCurrentIrpStackLocationToNext(irp);
    IoSetCompletionRoutine(irp, signal, &done, TRUE, TRUE, TRUE);
    if (IofCallDriver(lower, irp) == STATUS_PENDING)
        KeWaitForSingleObject(&done, Executive, KernelMode, FALSE, NULL);
    status = NT_SUCCESS(irp->IoStatus.Status) ? initialize() : irp->IoStatus.Status;
    irp->IoStatus.Status = status;
    IofCompleteRequest(irp, 0);
    return status;
}

static NT_ABI NTSTATUS pnp(PDEVICE_OBJECT device, PIRP irp)
{
    UCHAR minor = irp->Tail.Overlay.CurrentStackLocation->MinorFunction;
    NTSTATUS status;

    if (minor == IRP_MN_START_DEVICE)
        return start_device(irp);
    if (minor == IRP_MN_SURPRISE_REMOVAL)
        surprise();
    if (minor == IRP_MN_REMOVE_DEVICE || minor == IRP_MN_STOP_DEVICE)
        halt(0);
    IoSkipCurrentIrpStackLocation(irp);
    status = IofCallDriver(lower, irp);
    if (minor == IRP_MN_REMOVE_DEVICE) {
        IoDetachDevice(lower);
        IoDeleteDevice(device);
    }
    return status;
}

static NT_ABI NTSTATUS add_device(PDRIVER_OBJECT driver, PDEVICE_OBJECT target)
{
    NTSTATUS status = IoCreateDevice(driver, 0, NULL, FILE_DEVICE_NETWORK, 0, FALSE, &functional);

    if (!NT_SUCCESS(status))
        return status;
    physical = target;
    lower = IoAttachDeviceToDeviceStack(functional, target);
    functional->Flags &= ~(ULONG)DO_DEVICE_INITIALIZING;
    return STATUS_SUCCESS;
}

VOID NTAPI NdisMGetDeviceProperty(NDIS_HANDLE handle, PDEVICE_OBJECT *wants_physical, PDEVICE_OBJECT *wants_functional,
                                  PDEVICE_OBJECT *wants_next, PVOID resources, PVOID translated)
{
    nt_ndis_check_handle(handle);
    UNREFERENCED_PARAMETER(resources);
    UNREFERENCED_PARAMETER(translated);
    if (wants_physical)
        *wants_physical = physical;
    if (wants_functional)
        *wants_functional = functional;
    if (wants_next)
        *wants_next = lower;
}

NDIS_STATUS NTAPI NdisMRegisterMiniportDriver(PDRIVER_OBJECT driver, PUNICODE_STRING path, NDIS_HANDLE driver_context,
                                              NDIS_MINIPORT_DRIVER_CHARACTERISTICS *characteristics,
                                              NDIS_HANDLE *handle)
{
    UNREFERENCED_PARAMETER(path);
    UNREFERENCED_PARAMETER(driver_context);
    nt_ndis_check_header(&characteristics->Header, NDIS_OBJECT_TYPE_MINIPORT_DRIVER_CHARACTERISTICS,
                         NDIS_MINIPORT_DRIVER_CHARACTERISTICS_REVISION_2, sizeof(*characteristics));
    if (characteristics->MajorNdisVersion != 6 || characteristics->MinorNdisVersion != 20)
        nt_bug("a driver for NDIS %u.%u", characteristics->MajorNdisVersion, characteristics->MinorNdisVersion);
    if (!characteristics->InitializeHandlerEx || !characteristics->HaltHandlerEx || !characteristics->UnloadHandler ||
        !characteristics->PauseHandler || !characteristics->RestartHandler || !characteristics->OidRequestHandler ||
        !characteristics->SendNetBufferListsHandler || !characteristics->ReturnNetBufferListsHandler ||
        !characteristics->CancelSendHandler || !characteristics->DevicePnPEventNotifyHandler ||
        !characteristics->ShutdownHandlerEx || !characteristics->CancelOidRequestHandler)
        nt_bug("a miniport lacks a function that it must have");
    if (nt_allocation_fails())
        return NDIS_STATUS_RESOURCES;
    nt_ndis.miniport = *characteristics;
    registered = true;
    *handle = &nt_ndis.miniport;
    driver->DriverExtension->AddDevice = add_device;
    driver->MajorFunction[IRP_MJ_PNP] = pnp;
    driver->DriverUnload = (PDRIVER_UNLOAD)characteristics->UnloadHandler;
    return NDIS_STATUS_SUCCESS;
}

VOID NTAPI NdisMDeregisterMiniportDriver(NDIS_HANDLE driver)
{
    if (driver != &nt_ndis.miniport || !registered || nt_ndis.state != HALTED)
        nt_bug("a miniport's driver is deregistered that is not there, or has an adapter");
    registered = false;
}

#define NDIS(name, highest)                                                                                            \
    {                                                                                                                  \
        "NDIS.SYS", #name, (void *)name, PASSIVE_LEVEL, highest                                                        \
    }

const struct nt_export nt_ndis_exports[] = {
    NDIS(NdisAllocateNetBufferAndNetBufferList, DISPATCH_LEVEL),
    NDIS(NdisAllocateNetBufferListPool, PASSIVE_LEVEL),
    NDIS(NdisFreeNetBufferList, DISPATCH_LEVEL),
    NDIS(NdisFreeNetBufferListPool, DISPATCH_LEVEL),
    NDIS(NdisMDeregisterMiniportDriver, PASSIVE_LEVEL),
    NDIS(NdisMGetDeviceProperty, PASSIVE_LEVEL),
    NDIS(NdisMIndicateReceiveNetBufferLists, DISPATCH_LEVEL),
    NDIS(NdisMIndicateStatusEx, DISPATCH_LEVEL),
    NDIS(NdisMPauseComplete, DISPATCH_LEVEL),
    NDIS(NdisMRegisterMiniportDriver, PASSIVE_LEVEL),
    NDIS(NdisMSendNetBufferListsComplete, DISPATCH_LEVEL),
    NDIS(NdisMSetMiniportAttributes, PASSIVE_LEVEL),
    NDIS(NdisWriteErrorLogEntry, DISPATCH_LEVEL),
};
const unsigned nt_ndis_export_count = sizeof(nt_ndis_exports) / sizeof(nt_ndis_exports[0]);
