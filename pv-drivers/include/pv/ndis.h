/*
 * NDIS 6.20's declarations for a miniport, which mingw-w64 lacks: its ndis.h ends with NDIS 5 and does not compile.
 * What ntddndis.h has is taken from there. Order of members, revisions and numbers are those of Microsoft's reference
 * pages, sizes and offsets those of Windows 7 SP1 x64's public symbols where they name the structure.
 */
#ifndef PV_NDIS_H
#define PV_NDIS_H

#define NDIS_SUPPORT_NDIS6   1
#define NDIS_SUPPORT_NDIS61  1
#define NDIS_SUPPORT_NDIS620 1
#define NDIS_SUPPORT_NDIS630 0
#include "pv/nt.h"
#include <ntddndis.h>

typedef PVOID NDIS_HANDLE;

#ifndef DECLSPEC_NDIS
#define DECLSPEC_NDIS __declspec(dllimport)
#endif

#define NDIS_STATUS_SUCCESS                     ((NDIS_STATUS)STATUS_SUCCESS)
#define NDIS_STATUS_PENDING                     ((NDIS_STATUS)STATUS_PENDING)
#define NDIS_STATUS_FAILURE                     ((NDIS_STATUS)STATUS_UNSUCCESSFUL)
#define NDIS_STATUS_RESOURCES                   ((NDIS_STATUS)STATUS_INSUFFICIENT_RESOURCES)
#define NDIS_STATUS_NOT_SUPPORTED               ((NDIS_STATUS)STATUS_NOT_SUPPORTED)
#define NDIS_STATUS_LINK_STATE                  ((NDIS_STATUS)0x40010017)
#define NDIS_STATUS_TASK_OFFLOAD_CURRENT_CONFIG ((NDIS_STATUS)0x40020006)
#define NDIS_STATUS_INVALID_PARAMETER           ((NDIS_STATUS)STATUS_INVALID_PARAMETER)
#define NDIS_STATUS_MULTICAST_FULL              ((NDIS_STATUS)0xc0010009)
#define NDIS_STATUS_REQUEST_ABORTED             ((NDIS_STATUS)0xc001000c)
#define NDIS_STATUS_RESET_IN_PROGRESS           ((NDIS_STATUS)0xc001000d)
#define NDIS_STATUS_INVALID_LENGTH              ((NDIS_STATUS)0xc0010014)
#define NDIS_STATUS_INVALID_DATA                ((NDIS_STATUS)0xc0010015)
#define NDIS_STATUS_SEND_ABORTED                NDIS_STATUS_REQUEST_ABORTED
#define NDIS_STATUS_MEDIA_DISCONNECTED          ((NDIS_STATUS)0xc001001f)
#define NDIS_STATUS_PAUSED                      ((NDIS_STATUS)0xc023002a)
#define NDIS_ERROR_CODE_HARDWARE_FAILURE        0xc000138a

typedef struct _NET_BUFFER {
    struct _NET_BUFFER *Next;
    PMDL CurrentMdl;
    ULONG CurrentMdlOffset;
    SIZE_T DataLength;
    PMDL MdlChain;
    ULONG DataOffset, Padding; /* what follows is aligned to 16 bytes */
    USHORT ChecksumBias, Reserved;
    NDIS_HANDLE NdisPoolHandle;
    PVOID NdisReserved[2];
    PVOID ProtocolReserved[6];
    PVOID MiniportReserved[4];
    PHYSICAL_ADDRESS DataPhysicalAddress;
    PVOID SharedMemoryInfo;
} NET_BUFFER;
PV_OFFSET(NET_BUFFER, NdisPoolHandle, 0x38);
PV_OFFSET(NET_BUFFER, MiniportReserved, 0x80);
PV_SIZE(NET_BUFFER, 0xb0);

enum { TcpIpChecksumNetBufferListInfo, TcpLargeSendNetBufferListInfo = 2, NetBufferListCancelId = 6 };
enum { NetBufferListHashValue = 9, NetBufferListHashInfo = 10, MaxNetBufferListInfo = 19 };

typedef struct _NET_BUFFER_LIST {
    struct _NET_BUFFER_LIST *Next;
    NET_BUFFER *FirstNetBuffer;
    PVOID Context;
    struct _NET_BUFFER_LIST *ParentNetBufferList;
    NDIS_HANDLE NdisPoolHandle;
    PVOID Reserved; /* what follows is aligned to 16 bytes */
    PVOID NdisReserved[2];
    PVOID ProtocolReserved[4];
    PVOID MiniportReserved[2];
    PVOID Scratch;
    NDIS_HANDLE SourceHandle;
    ULONG NblFlags;
    LONG ChildRefCount;
    ULONG Flags;
    NDIS_STATUS Status;
    PVOID NetBufferListInfo[MaxNetBufferListInfo];
    ULONG_PTR Padding;
} NET_BUFFER_LIST;
PV_OFFSET(NET_BUFFER_LIST, MiniportReserved, 0x60);
PV_OFFSET(NET_BUFFER_LIST, Status, 0x8c);
PV_OFFSET(NET_BUFFER_LIST, NetBufferListInfo, 0x90);
PV_SIZE(NET_BUFFER_LIST, 0x130);

typedef union _NDIS_TCP_IP_CHECKSUM_NET_BUFFER_LIST_INFO {
    struct {
        ULONG IsIPv4 : 1, IsIPv6 : 1, TcpChecksum : 1, UdpChecksum : 1, IpHeaderChecksum : 1, Reserved : 11;
        ULONG TcpHeaderOffset : 10;
    } Transmit;
    struct {
        ULONG TcpChecksumFailed : 1, UdpChecksumFailed : 1, IpChecksumFailed : 1;
        ULONG TcpChecksumSucceeded : 1, UdpChecksumSucceeded : 1, IpChecksumSucceeded : 1, Loopback : 1;
    } Receive;
    PVOID Value;
} NDIS_TCP_IP_CHECKSUM_NET_BUFFER_LIST_INFO;
PV_SIZE(NDIS_TCP_IP_CHECKSUM_NET_BUFFER_LIST_INFO, 8);

typedef union _NDIS_TCP_LARGE_SEND_OFFLOAD_NET_BUFFER_LIST_INFO {
    struct {
        ULONG MSS : 20, TcpHeaderOffset : 10, Type : 1, IPVersion : 1;
    } LsoV2Transmit;
    struct {
        ULONG Reserved : 30, Type : 1, Reserved2 : 1;
    } LsoV2TransmitComplete;
    PVOID Value;
} NDIS_TCP_LARGE_SEND_OFFLOAD_NET_BUFFER_LIST_INFO;
PV_SIZE(NDIS_TCP_LARGE_SEND_OFFLOAD_NET_BUFFER_LIST_INFO, 8);
#define NDIS_TCP_LARGE_SEND_OFFLOAD_V2_TYPE 1

#define NDIS_SEND_FLAGS_DISPATCH_LEVEL          0x01
#define NDIS_SEND_COMPLETE_FLAGS_DISPATCH_LEVEL 0x01
#define NDIS_RECEIVE_FLAGS_DISPATCH_LEVEL       0x01
#define NDIS_RETURN_FLAGS_DISPATCH_LEVEL        0x01

typedef struct _NET_BUFFER_LIST_POOL_PARAMETERS {
    NDIS_OBJECT_HEADER Header;
    UCHAR ProtocolId;
    BOOLEAN fAllocateNetBuffer;
    USHORT ContextSize;
    ULONG PoolTag, DataSize;
} NET_BUFFER_LIST_POOL_PARAMETERS;
PV_SIZE(NET_BUFFER_LIST_POOL_PARAMETERS, 16);
#define NET_BUFFER_LIST_POOL_PARAMETERS_REVISION_1 1

typedef enum { NdisDevicePnPEventSurpriseRemoved = 2 } NDIS_DEVICE_PNP_EVENT;
typedef struct _NET_DEVICE_PNP_EVENT {
    NDIS_OBJECT_HEADER Header;
    NDIS_PORT_NUMBER PortNumber;
    NDIS_DEVICE_PNP_EVENT DevicePnPEvent;
    PVOID InformationBuffer;
    ULONG InformationBufferLength;
    UCHAR NdisReserved[2 * sizeof(PVOID)];
} NET_DEVICE_PNP_EVENT;

typedef struct _NDIS_OID_REQUEST {
    NDIS_OBJECT_HEADER Header;
    NDIS_REQUEST_TYPE RequestType;
    NDIS_PORT_NUMBER PortNumber;
    ULONG Timeout;
    PVOID RequestId;
    NDIS_HANDLE RequestHandle;
    union {
        struct {
            NDIS_OID Oid;
            PVOID InformationBuffer;
            ULONG InformationBufferLength, BytesWritten, BytesNeeded;
        } QUERY_INFORMATION;
        struct {
            NDIS_OID Oid;
            PVOID InformationBuffer;
            ULONG InformationBufferLength, BytesRead, BytesNeeded;
        } SET_INFORMATION;
        struct {
            NDIS_OID Oid;
            PVOID InformationBuffer;
            ULONG InputBufferLength, OutputBufferLength, MethodId;
            ULONG BytesWritten, BytesRead, BytesNeeded;
        } METHOD_INFORMATION;
    } DATA;
    UCHAR NdisReserved[16 * sizeof(PVOID)];
    UCHAR MiniportReserved[2 * sizeof(PVOID)];
    UCHAR SourceReserved[2 * sizeof(PVOID)];
    UCHAR SupportedRevision, Reserved1;
    USHORT Reserved2;
} NDIS_OID_REQUEST;
PV_OFFSET(NDIS_OID_REQUEST, DATA, 0x20);

typedef struct _NDIS_STATUS_INDICATION {
    NDIS_OBJECT_HEADER Header;
    NDIS_HANDLE SourceHandle;
    NDIS_PORT_NUMBER PortNumber;
    NDIS_STATUS StatusCode;
    ULONG Flags;
    NDIS_HANDLE DestinationHandle;
    PVOID RequestId, StatusBuffer;
    ULONG StatusBufferSize;
    GUID Guid;
    PVOID NdisReserved[4];
} NDIS_STATUS_INDICATION;
PV_SIZE(NDIS_STATUS_INDICATION, 0x70);
#define NDIS_STATUS_INDICATION_REVISION_1 1

typedef struct _NDIS_OFFLOAD_ENCAPSULATION {
    NDIS_OBJECT_HEADER Header;
    struct {
        ULONG Enabled, EncapsulationType, HeaderSize;
    } IPv4, IPv6;
} NDIS_OFFLOAD_ENCAPSULATION;
PV_SIZE(NDIS_OFFLOAD_ENCAPSULATION, 0x1c);

typedef enum { NdisInterfaceInternal = 0 } NDIS_INTERFACE_TYPE;
typedef struct _NDIS_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES {
    NDIS_OBJECT_HEADER Header;
    NDIS_HANDLE MiniportAdapterContext;
    ULONG AttributeFlags;
    ULONG CheckForHangTimeInSeconds;
    NDIS_INTERFACE_TYPE InterfaceType;
} NDIS_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES;
PV_SIZE(NDIS_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES, 0x20);
#define NDIS_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES_REVISION_1 1
#define NDIS_MINIPORT_ATTRIBUTES_HARDWARE_DEVICE                 0x01
#define NDIS_MINIPORT_ATTRIBUTES_NDIS_WDM                        0x02
#define NDIS_MINIPORT_ATTRIBUTES_SURPRISE_REMOVE_OK              0x04
#define NDIS_MINIPORT_ATTRIBUTES_NO_HALT_ON_SUSPEND              0x20

typedef struct _NDIS_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES {
    NDIS_OBJECT_HEADER Header;
    ULONG Flags;
    NDIS_MEDIUM MediaType;
    NDIS_PHYSICAL_MEDIUM PhysicalMediumType;
    ULONG MtuSize;
    ULONG64 MaxXmitLinkSpeed, XmitLinkSpeed, MaxRcvLinkSpeed, RcvLinkSpeed;
    NDIS_MEDIA_CONNECT_STATE MediaConnectState;
    NDIS_MEDIA_DUPLEX_STATE MediaDuplexState;
    ULONG LookaheadSize;
    PNDIS_PNP_CAPABILITIES PowerManagementCapabilities;
    ULONG MacOptions, SupportedPacketFilters, MaxMulticastListSize;
    USHORT MacAddressLength;
    UCHAR PermanentMacAddress[NDIS_MAX_PHYS_ADDRESS_LENGTH];
    UCHAR CurrentMacAddress[NDIS_MAX_PHYS_ADDRESS_LENGTH];
    PNDIS_RECEIVE_SCALE_CAPABILITIES RecvScaleCapabilities;
    NET_IF_ACCESS_TYPE AccessType;
    NET_IF_DIRECTION_TYPE DirectionType;
    NET_IF_CONNECTION_TYPE ConnectionType;
    NET_IFTYPE IfType;
    BOOLEAN IfConnectorPresent;
    ULONG SupportedStatistics, SupportedPauseFunctions, DataBackFillSize, ContextBackFillSize;
    NDIS_OID *SupportedOidList;
    ULONG SupportedOidListLength, AutoNegotiationFlags;
    PVOID PowerManagementCapabilitiesEx;
} NDIS_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES;
PV_OFFSET(NDIS_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES, MaxXmitLinkSpeed, 0x18);
PV_OFFSET(NDIS_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES, RecvScaleCapabilities, 0xa0);
PV_SIZE(NDIS_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES, 0xe0);
#define NDIS_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES_REVISION_2 2

typedef struct _NDIS_MINIPORT_ADAPTER_OFFLOAD_ATTRIBUTES {
    NDIS_OBJECT_HEADER Header;
    NDIS_OFFLOAD *DefaultOffloadConfiguration, *HardwareOffloadCapabilities;
    PVOID DefaultTcpConnectionOffloadConfiguration, TcpConnectionOffloadHardwareCapabilities;
} NDIS_MINIPORT_ADAPTER_OFFLOAD_ATTRIBUTES;
PV_SIZE(NDIS_MINIPORT_ADAPTER_OFFLOAD_ATTRIBUTES, 0x28);
#define NDIS_MINIPORT_ADAPTER_OFFLOAD_ATTRIBUTES_REVISION_1 1

typedef struct _NDIS_MINIPORT_DRIVER_CHARACTERISTICS {
    NDIS_OBJECT_HEADER Header;
    UCHAR MajorNdisVersion, MinorNdisVersion, MajorDriverVersion, MinorDriverVersion;
    ULONG Flags;
    PVOID SetOptionsHandler;
    NDIS_STATUS(NTAPI *InitializeHandlerEx)(NDIS_HANDLE miniport, NDIS_HANDLE driver, PVOID parameters);
    VOID(NTAPI *HaltHandlerEx)(NDIS_HANDLE adapter, ULONG action);
    VOID(NTAPI *UnloadHandler)(PDRIVER_OBJECT driver);
    NDIS_STATUS(NTAPI *PauseHandler)(NDIS_HANDLE adapter, PVOID parameters);
    NDIS_STATUS(NTAPI *RestartHandler)(NDIS_HANDLE adapter, PVOID parameters);
    NDIS_STATUS(NTAPI *OidRequestHandler)(NDIS_HANDLE adapter, NDIS_OID_REQUEST *request);
    VOID(NTAPI *SendNetBufferListsHandler)
    (NDIS_HANDLE adapter, NET_BUFFER_LIST *lists, NDIS_PORT_NUMBER port, ULONG flags);
    VOID(NTAPI *ReturnNetBufferListsHandler)(NDIS_HANDLE adapter, NET_BUFFER_LIST *lists, ULONG flags);
    VOID(NTAPI *CancelSendHandler)(NDIS_HANDLE adapter, PVOID id);
    BOOLEAN(NTAPI *CheckForHangHandlerEx)(NDIS_HANDLE adapter);
    NDIS_STATUS(NTAPI *ResetHandlerEx)(NDIS_HANDLE adapter, PBOOLEAN addressing);
    VOID(NTAPI *DevicePnPEventNotifyHandler)(NDIS_HANDLE adapter, NET_DEVICE_PNP_EVENT *event);
    VOID(NTAPI *ShutdownHandlerEx)(NDIS_HANDLE adapter, ULONG action);
    VOID(NTAPI *CancelOidRequestHandler)(NDIS_HANDLE adapter, PVOID id);
    PVOID DirectOidRequestHandler, CancelDirectOidRequestHandler;
} NDIS_MINIPORT_DRIVER_CHARACTERISTICS;
PV_SIZE(NDIS_MINIPORT_DRIVER_CHARACTERISTICS, 0x98);
#define NDIS_MINIPORT_DRIVER_CHARACTERISTICS_REVISION_2 2

/* Of ifdef.h and its neighbours, which mingw-w64's lack. */
#define NET_IF_LINK_SPEED_UNKNOWN ((ULONG64)-1)
#define PV_IF_TYPE_ETHERNET       6

DECLSPEC_NDIS NDIS_STATUS NTAPI NdisMRegisterMiniportDriver(PDRIVER_OBJECT driver, PUNICODE_STRING path,
                                                            NDIS_HANDLE context,
                                                            NDIS_MINIPORT_DRIVER_CHARACTERISTICS *characteristics,
                                                            NDIS_HANDLE *handle);
DECLSPEC_NDIS VOID NTAPI NdisMDeregisterMiniportDriver(NDIS_HANDLE driver);
DECLSPEC_NDIS NDIS_STATUS NTAPI NdisMSetMiniportAttributes(NDIS_HANDLE miniport, PVOID attributes);
DECLSPEC_NDIS VOID NTAPI NdisMGetDeviceProperty(NDIS_HANDLE miniport, PDEVICE_OBJECT *physical,
                                                PDEVICE_OBJECT *functional, PDEVICE_OBJECT *next, PVOID resources,
                                                PVOID translated);
DECLSPEC_NDIS NDIS_HANDLE NTAPI NdisAllocateNetBufferListPool(NDIS_HANDLE miniport,
                                                              NET_BUFFER_LIST_POOL_PARAMETERS *parameters);
DECLSPEC_NDIS VOID NTAPI NdisFreeNetBufferListPool(NDIS_HANDLE pool);
DECLSPEC_NDIS NET_BUFFER_LIST *NTAPI NdisAllocateNetBufferAndNetBufferList(NDIS_HANDLE pool, USHORT context,
                                                                           USHORT back_fill, PMDL mdl, ULONG offset,
                                                                           SIZE_T length);
DECLSPEC_NDIS VOID NTAPI NdisFreeNetBufferList(NET_BUFFER_LIST *list);
DECLSPEC_NDIS VOID NTAPI NdisMIndicateReceiveNetBufferLists(NDIS_HANDLE miniport, NET_BUFFER_LIST *lists,
                                                            NDIS_PORT_NUMBER port, ULONG count, ULONG flags);
DECLSPEC_NDIS VOID NTAPI NdisMSendNetBufferListsComplete(NDIS_HANDLE miniport, NET_BUFFER_LIST *lists, ULONG flags);
DECLSPEC_NDIS VOID NTAPI NdisMIndicateStatusEx(NDIS_HANDLE miniport, NDIS_STATUS_INDICATION *indication);
DECLSPEC_NDIS VOID NTAPI NdisMPauseComplete(NDIS_HANDLE miniport);
DECLSPEC_NDIS VOID __cdecl NdisWriteErrorLogEntry(NDIS_HANDLE miniport, ULONG code, ULONG count, ...);

#endif
