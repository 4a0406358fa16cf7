/*
 * The kernel's declarations as drivers use them: mingw-w64's ntddk.h, with the sizes that this code relies on asserted.
 * Source of the sizes: offsets of Windows 7 SP1 x64's public symbols; the members' order is Microsoft's
 * documentation's.
 */
#ifndef PV_NT_H
#define PV_NT_H

#include <stddef.h>
#include <stdint.h>
#include <ntddk.h>

#define PV_SIZE(type, bytes)           _Static_assert(sizeof(type) == (bytes), #type)
#define PV_OFFSET(type, member, bytes) _Static_assert(offsetof(type, member) == (bytes), #type "." #member)

PV_SIZE(LONG, 4);
PV_SIZE(WCHAR, 2);
PV_SIZE(UNICODE_STRING, 16);
PV_SIZE(KEVENT, 0x18);
PV_SIZE(KDPC, 0x40);
PV_SIZE(KTIMER, 0x40);
PV_SIZE(IRP, 0xd0);
PV_SIZE(IO_STACK_LOCATION, 0x48);
PV_SIZE(DRIVER_OBJECT, 0x150);
PV_SIZE(MDL, 0x30);
PV_SIZE(DEVICE_CAPABILITIES, 0x40);
PV_SIZE(IO_CONNECT_INTERRUPT_PARAMETERS, 0x50);
PV_OFFSET(DEVICE_OBJECT, DeviceExtension, 0x40);
PV_OFFSET(DEVICE_OBJECT, StackSize, 0x4c);
PV_OFFSET(IRP, IoStatus, 0x30);
PV_OFFSET(IRP, CancelRoutine, 0x68);
PV_OFFSET(IO_STACK_LOCATION, Parameters, 0x08);
PV_OFFSET(IO_STACK_LOCATION, CompletionRoutine, 0x38);
PV_OFFSET(DRIVER_OBJECT, MajorFunction, 0x70);

#endif
