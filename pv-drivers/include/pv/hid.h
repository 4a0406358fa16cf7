/*
 * What HIDCLASS and a HID minidriver say to each other. The public headers of mingw-w64 lack hidport.h, and have other
 * numbers for its requests; here are the members in the order of Microsoft's reference pages, sizes asserted.
 */
#ifndef PV_HID_H
#define PV_HID_H

#include "pv/nt.h"

#define HID_REVISION 1

typedef struct _HID_MINIDRIVER_REGISTRATION {
    ULONG Revision;
    PDRIVER_OBJECT DriverObject;
    PUNICODE_STRING RegistryPath;
    ULONG DeviceExtensionSize; /* of the minidriver's own part */
    BOOLEAN DevicesArePolled;
    UCHAR Reserved[3];
} HID_MINIDRIVER_REGISTRATION;
PV_SIZE(HID_MINIDRIVER_REGISTRATION, 32);

/* What the class driver's device extension begins with. */
typedef struct _HID_DEVICE_EXTENSION {
    PDEVICE_OBJECT PhysicalDeviceObject, NextDeviceObject;
    PVOID MiniDeviceExtension;
} HID_DEVICE_EXTENSION;

typedef struct _HID_DEVICE_ATTRIBUTES {
    ULONG Size;
    USHORT VendorID, ProductID, VersionNumber;
    USHORT Reserved[11];
} HID_DEVICE_ATTRIBUTES;
PV_SIZE(HID_DEVICE_ATTRIBUTES, 32);

#pragma pack(push, 1)
typedef struct _HID_DESCRIPTOR {
    UCHAR bLength, bDescriptorType;
    USHORT bcdHID;
    UCHAR bCountry, bNumDescriptors;
    UCHAR bReportType;
    USHORT wReportLength;
} HID_DESCRIPTOR;
#pragma pack(pop)
PV_SIZE(HID_DESCRIPTOR, 9);
#define HID_HID_DESCRIPTOR_TYPE    0x21
#define HID_REPORT_DESCRIPTOR_TYPE 0x22

typedef struct _HID_XFER_PACKET {
    PUCHAR reportBuffer; /* its first byte is the id */
    ULONG reportBufferLen;
    UCHAR reportId;
} HID_XFER_PACKET;
PV_SIZE(HID_XFER_PACKET, 16);

#define HID_REQUEST(number, method)     CTL_CODE(FILE_DEVICE_KEYBOARD, number, method, FILE_ANY_ACCESS)
#define IOCTL_HID_GET_DEVICE_DESCRIPTOR HID_REQUEST(0, METHOD_NEITHER)
#define IOCTL_HID_GET_REPORT_DESCRIPTOR HID_REQUEST(1, METHOD_NEITHER)
#define IOCTL_HID_READ_REPORT           HID_REQUEST(2, METHOD_NEITHER)
#define IOCTL_HID_GET_STRING            HID_REQUEST(4, METHOD_NEITHER)
#define IOCTL_HID_GET_DEVICE_ATTRIBUTES HID_REQUEST(9, METHOD_NEITHER)
#define IOCTL_HID_GET_FEATURE           HID_REQUEST(100, METHOD_OUT_DIRECT)

#define HID_STRING_ID_IMANUFACTURER 14
#define HID_STRING_ID_IPRODUCT      15

NTSTATUS NTAPI HidRegisterMinidriver(HID_MINIDRIVER_REGISTRATION *registration);

#endif
