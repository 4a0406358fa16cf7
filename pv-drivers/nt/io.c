/* Device objects, requests and interrupts, and the plug and play manager's side of them, which tests drive. */
#include <stdlib.h>
#include <string.h>
#include "nt.h"

#define IRP_TYPE      6
#define IRP_COMPLETED 0x7d0

/* What stands in front of a device object: the object manager's part. */
struct object {
    unsigned references;
    bool deleted;
    uint64_t place; /* the object behind it is aligned */
};

static unsigned objects, invalidations;
static DRIVER_OBJECT root_driver;
static KSPIN_LOCK cancel_lock;
static struct {
    GUID class;
    bool on;
} interfaces[64];
static unsigned interface_count;

static struct object *object_of(void *device)
{
    return (struct object *)device - 1;
}

unsigned nt_device_objects(void)
{
    return objects;
}

static void release_object(DEVICE_OBJECT *device)
{
    struct object *object = object_of(device);

    if (object->references || !object->deleted)
        return;
    objects--;
    nt_free(object);
}

NTSTATUS NTAPI IoCreateDevice(PDRIVER_OBJECT driver, ULONG extension, PUNICODE_STRING name, DEVICE_TYPE type,
                              ULONG characteristics, BOOLEAN exclusive, PDEVICE_OBJECT *created)
{
    size_t size = sizeof(struct object) + sizeof(DEVICE_OBJECT) + extension;
    struct object *object;
    DEVICE_OBJECT *device;

    UNREFERENCED_PARAMETER(name);
    UNREFERENCED_PARAMETER(exclusive);
    if (nt_allocation_fails())
        return STATUS_INSUFFICIENT_RESOURCES;
    object = nt_allocate(size, 0x69766544);
    memset(object, 0, size);
    objects++;
    device = (DEVICE_OBJECT *)(object + 1);
    device->Type = 3;
    device->Size = (USHORT)(sizeof(*device) + extension);
    device->DriverObject = driver;
    device->NextDevice = driver->DeviceObject;
    device->Flags = DO_DEVICE_INITIALIZING;
    device->Characteristics = characteristics;
    device->DeviceType = type;
    device->StackSize = 1;
    device->DeviceExtension = extension ? device + 1 : NULL;
    driver->DeviceObject = device;
    *created = device;
    return STATUS_SUCCESS;
}

VOID NTAPI IoDeleteDevice(PDEVICE_OBJECT device)
{
    DEVICE_OBJECT **at = &device->DriverObject->DeviceObject;

    if (object_of(device)->deleted)
        nt_bug("a device object is deleted twice");
    if (device->AttachedDevice)
        nt_bug("a device object is deleted on which another stands");
    while (*at && *at != device)
        at = &(*at)->NextDevice;
    if (*at)
        *at = device->NextDevice;
    object_of(device)->deleted = true;
    release_object(device);
}

LONG_PTR FASTCALL ObfReferenceObject(PVOID object)
{
    return __atomic_add_fetch(&object_of(object)->references, 1, __ATOMIC_SEQ_CST);
}

void nt_dereference(PDEVICE_OBJECT device)
{
    if (!object_of(device)->references)
        nt_bug("a reference to a device object is given back that was not taken");
    object_of(device)->references--;
    release_object(device);
}

PDEVICE_OBJECT NTAPI IoAttachDeviceToDeviceStack(PDEVICE_OBJECT source, PDEVICE_OBJECT target)
{
    while (target->AttachedDevice)
        target = target->AttachedDevice;
    target->AttachedDevice = source;
    source->StackSize = (CCHAR)(target->StackSize + 1);
    return target;
}

VOID NTAPI IoDetachDevice(PDEVICE_OBJECT target)
{
    if (!target->AttachedDevice)
        nt_bug("nothing is attached to what is detached");
    target->AttachedDevice = NULL;
}

NTSTATUS FASTCALL IofCallDriver(PDEVICE_OBJECT device, PIRP irp)
{
    IO_STACK_LOCATION *stack;
    KIRQL irql = nt_irql();
    NTSTATUS status;

    if (irp->Type != IRP_TYPE)
        nt_bug("a request is passed on that is completed");
    if (--irp->CurrentLocation <= 0)
        nt_bug("a request has no stack location left");
    stack = --irp->Tail.Overlay.CurrentStackLocation;
    stack->DeviceObject = device;
    if (!device->DriverObject->MajorFunction[stack->MajorFunction])
        nt_bug("no function for a request's major code %#x", stack->MajorFunction);
    status = device->DriverObject->MajorFunction[stack->MajorFunction](device, irp);
    if (nt_irql() != irql)
        nt_bug("a dispatch function changes the IRQL from %u to %u", irql, nt_irql());
    return status;
}

NTSTATUS NTAPI PoCallDriver(PDEVICE_OBJECT device, PIRP irp)
{
    return IofCallDriver(device, irp);
}

VOID NTAPI PoStartNextPowerIrp(PIRP irp)
{
    if (irp->Type != IRP_TYPE)
        nt_bug("PoStartNextPowerIrp of a request that is completed");
}

static bool wants(const IO_STACK_LOCATION *stack, const IRP *irp)
{
    return (NT_SUCCESS(irp->IoStatus.Status) && stack->Control & SL_INVOKE_ON_SUCCESS) ||
           (!NT_SUCCESS(irp->IoStatus.Status) && stack->Control & SL_INVOKE_ON_ERROR) ||
           (irp->Cancel && stack->Control & SL_INVOKE_ON_CANCEL);
}

VOID FASTCALL IofCompleteRequest(PIRP irp, CCHAR boost)
{
    UNREFERENCED_PARAMETER(boost);
    if (irp->Type != IRP_TYPE)
        nt_bug("a request is completed twice");
    if (irp->IoStatus.Status == STATUS_PENDING)
        nt_bug("a request is completed as pending");
    if (irp->CancelRoutine)
        nt_bug("a request is completed that can still be cancelled");
    while (irp->CurrentLocation <= irp->StackCount) {
        IO_STACK_LOCATION *stack = irp->Tail.Overlay.CurrentStackLocation++;

        irp->CurrentLocation++;
        irp->PendingReturned = stack->Control & SL_PENDING_RETURNED ? TRUE : FALSE;
        if (stack->CompletionRoutine && wants(stack, irp)) {
            DEVICE_OBJECT *device = irp->CurrentLocation <= irp->StackCount ? stack[1].DeviceObject : NULL;

            if (stack->CompletionRoutine(device, irp, stack->Context) == STATUS_MORE_PROCESSING_REQUIRED)
                return;
        }
    }
    if (!irp->UserEvent)
        nt_bug("a request that a driver made is completed, and the driver was not asked");
    irp->Type = IRP_COMPLETED;
    KeSetEvent(irp->UserEvent, 0, FALSE);
}

static void make_irp(IRP *irp, CCHAR stack_size)
{
    size_t size = sizeof(IRP) + (size_t)stack_size * sizeof(IO_STACK_LOCATION);

    memset(irp, 0, size);
    irp->Type = IRP_TYPE;
    irp->Size = (USHORT)size;
    irp->StackCount = stack_size;
    irp->CurrentLocation = (CCHAR)(stack_size + 1);
    irp->Tail.Overlay.CurrentStackLocation = (IO_STACK_LOCATION *)(irp + 1) + stack_size;
}

static PIRP new_irp(CCHAR stack_size)
{
    IRP *irp = nt_allocate(sizeof(IRP) + (size_t)stack_size * sizeof(IO_STACK_LOCATION), 0x20707249);

    make_irp(irp, stack_size);
    return irp;
}

void nt_reuse_irp(PIRP irp)
{
    make_irp(irp, irp->StackCount);
}

void nt_cancel_irp(PIRP irp)
{
    KIRQL irql = KeAcquireSpinLockRaiseToDpc(&cancel_lock);
    PDRIVER_CANCEL cancel;

    irp->Cancel = TRUE;
    cancel = IoSetCancelRoutine(irp, NULL);
    if (!cancel) {
        IoReleaseCancelSpinLock(irql);
        return;
    }
    irp->CancelIrql = irql;
    cancel(irp->Tail.Overlay.CurrentStackLocation->DeviceObject, irp);
    if (nt_irql() != irql)
        nt_bug("a cancel routine comes back at IRQL %u", nt_irql());
}

VOID NTAPI IoReleaseCancelSpinLock(KIRQL irql)
{
    KeReleaseSpinLock(&cancel_lock, irql);
}

PIRP NTAPI IoAllocateIrp(CCHAR stack_size, BOOLEAN charge)
{
    UNREFERENCED_PARAMETER(charge);
    return nt_allocation_fails() ? NULL : new_irp(stack_size);
}

VOID NTAPI IoFreeIrp(PIRP irp)
{
    nt_free(irp);
}

PIRP nt_new_irp(PDEVICE_OBJECT top, const IO_STACK_LOCATION *stack)
{
    IRP *irp = new_irp(top->StackSize);

    irp->IoStatus.Status = STATUS_NOT_SUPPORTED;
    *(irp->Tail.Overlay.CurrentStackLocation - 1) = *stack;
    return irp;
}

NTSTATUS nt_start_irp(PDEVICE_OBJECT top, PIRP irp, KEVENT *done)
{
    NTSTATUS returned;

    KeInitializeEvent(done, NotificationEvent, FALSE);
    irp->UserEvent = done;
    returned = IofCallDriver(top, irp);
    if (returned != STATUS_PENDING && irp->Type != IRP_COMPLETED)
        nt_bug("a driver says %08x to a request and has not completed it", (unsigned)returned);
    return returned;
}

NTSTATUS nt_wait_irp(PIRP irp, NTSTATUS returned, ULONG_PTR *information)
{
    NTSTATUS status;

    KeWaitForSingleObject(irp->UserEvent, Executive, KernelMode, FALSE, NULL);
    status = irp->IoStatus.Status;
    if (returned != STATUS_PENDING && returned != status)
        nt_bug("a driver says %08x to a request that is completed as %08x", (unsigned)returned, (unsigned)status);
    if ((returned == STATUS_PENDING) != (irp->PendingReturned != FALSE))
        nt_bug("a request is marked as pending, and that is not what was said of it, or the other way round");
    if (information)
        *information = irp->IoStatus.Information;
    nt_free(irp);
    return status;
}

NTSTATUS nt_send_irp(PDEVICE_OBJECT top, PIRP irp, ULONG_PTR *information)
{
    KEVENT done;

    return nt_wait_irp(irp, nt_start_irp(top, irp, &done), information);
}

static DEVICE_OBJECT *top_of(DEVICE_OBJECT *device)
{
    while (device->AttachedDevice)
        device = device->AttachedDevice;
    return device;
}

static NTSTATUS send(DEVICE_OBJECT *device, UCHAR major, UCHAR minor, const IO_STACK_LOCATION *parameters,
                     ULONG_PTR *information)
{
    IO_STACK_LOCATION stack = {0};
    DEVICE_OBJECT *top = top_of(device);

    if (parameters)
        stack = *parameters;
    stack.MajorFunction = major;
    stack.MinorFunction = minor;
    return nt_send_irp(top, nt_new_irp(top, &stack), information);
}

NTSTATUS nt_pnp(PDEVICE_OBJECT device, UCHAR minor, const IO_STACK_LOCATION *stack, ULONG_PTR *information)
{
    return send(device, IRP_MJ_PNP, minor, stack, information);
}

NTSTATUS nt_power(PDEVICE_OBJECT device, UCHAR minor)
{
    return send(device, IRP_MJ_POWER, minor, NULL, NULL);
}

static NTSTATUS NTAPI root_dispatch(PDEVICE_OBJECT device, PIRP irp)
{
    NTSTATUS status;

    UNREFERENCED_PARAMETER(device);
    if (irp->IoStatus.Status == STATUS_NOT_SUPPORTED &&
        irp->Tail.Overlay.CurrentStackLocation->MinorFunction != IRP_MN_QUERY_DEVICE_RELATIONS)
        irp->IoStatus.Status = STATUS_SUCCESS;
    status = irp->IoStatus.Status;
    IofCompleteRequest(irp, 0);
    return status;
}

PDEVICE_OBJECT nt_root_device(void)
{
    DEVICE_OBJECT *device;

    for (int i = 0; i <= IRP_MJ_MAXIMUM_FUNCTION; i++)
        root_driver.MajorFunction[i] = root_dispatch;
    if (!NT_SUCCESS(IoCreateDevice(&root_driver, 0, NULL, 0, 0, FALSE, &device)))
        nt_bug("no root device");
    device->Flags &= ~(ULONG)DO_DEVICE_INITIALIZING; /* its bus driver is done with it */
    return device;
}

void nt_delete_root_device(PDEVICE_OBJECT device)
{
    IoDeleteDevice(device);
}

NTSTATUS nt_add_device(struct nt_driver *driver, PDEVICE_OBJECT physical)
{
    DRIVER_OBJECT *object = nt_driver_object(driver);
    NTSTATUS status = object->DriverExtension->AddDevice(object, physical);

    if (NT_SUCCESS(status) && top_of(physical)->Flags & DO_DEVICE_INITIALIZING)
        nt_bug("AddDevice leaves its device object initializing");
    return status;
}

NTSTATUS nt_start_platform(PDEVICE_OBJECT device)
{
    struct {
        CM_RESOURCE_LIST list;
        CM_PARTIAL_RESOURCE_DESCRIPTOR more;
    } resources = {0};
    CM_PARTIAL_RESOURCE_DESCRIPTOR *descriptors = resources.list.List[0].PartialResourceList.PartialDescriptors;
    IO_STACK_LOCATION stack = {0};

    resources.list.Count = 1;
    resources.list.List[0].PartialResourceList.Count = 2;
    descriptors[0].Type = CmResourceTypeMemory;
    descriptors[0].u.Memory.Start.QuadPart = (LONGLONG)NT_WINDOW_FRAME * NT_PAGE;
    descriptors[0].u.Memory.Length = NT_WINDOW_PAGES * NT_PAGE;
    descriptors[1].Type = CmResourceTypeInterrupt;
    descriptors[1].u.Interrupt.Vector = 28;
    stack.Parameters.StartDevice.AllocatedResources = &resources.list;
    stack.Parameters.StartDevice.AllocatedResourcesTranslated = &resources.list;
    return nt_pnp(device, IRP_MN_START_DEVICE, &stack, NULL);
}

unsigned nt_bus_relations(PDEVICE_OBJECT bus, PDEVICE_OBJECT *children, unsigned most)
{
    IO_STACK_LOCATION stack = {.Parameters.QueryDeviceRelations.Type = BusRelations};
    ULONG_PTR information = 0;
    DEVICE_RELATIONS *relations;
    unsigned count = 0;

    if (!NT_SUCCESS(nt_pnp(bus, IRP_MN_QUERY_DEVICE_RELATIONS, &stack, &information)) || !information)
        return 0;
    relations = (DEVICE_RELATIONS *)information;
    for (; count < relations->Count; count++) {
        if (count == most)
            nt_bug("a bus reports more than %u devices", most);
        children[count] = relations->Objects[count];
        nt_dereference(children[count]);
    }
    nt_free(relations);
    return count;
}

unsigned nt_invalidations(void)
{
    return invalidations;
}

VOID NTAPI IoInvalidateDeviceRelations(PDEVICE_OBJECT device, DEVICE_RELATION_TYPE type)
{
    if (device->DriverObject != &root_driver || type != BusRelations)
        nt_bug("IoInvalidateDeviceRelations of what is no bus's physical device object");
    invalidations++;
}

NTSTATUS NTAPI IoConnectInterruptEx(PIO_CONNECT_INTERRUPT_PARAMETERS parameters)
{
    struct _KINTERRUPT *interrupt;

    if (parameters->Version != CONNECT_LINE_BASED)
        nt_bug("an interrupt of another kind than by line is not known here");
    if (nt_allocation_fails())
        return STATUS_INSUFFICIENT_RESOURCES;
    interrupt = nt_allocate(sizeof(*interrupt), 0x72746e49);
    *interrupt = (struct _KINTERRUPT){parameters->LineBased.ServiceRoutine, parameters->LineBased.ServiceContext, 0};
    *parameters->LineBased.InterruptObject = interrupt;
    nt_connect_interrupt(interrupt);
    return STATUS_SUCCESS;
}

VOID NTAPI IoDisconnectInterruptEx(PIO_DISCONNECT_INTERRUPT_PARAMETERS parameters)
{
    nt_connect_interrupt(NULL);
    nt_free(parameters->ConnectionContext.InterruptObject);
}

VOID NTAPI IoInitializeRemoveLockEx(PIO_REMOVE_LOCK lock, ULONG tag, ULONG minutes, ULONG most, ULONG size)
{
    UNREFERENCED_PARAMETER(tag);
    UNREFERENCED_PARAMETER(minutes);
    UNREFERENCED_PARAMETER(most);
    if (size != sizeof(*lock))
        nt_bug("a remove lock of %u bytes", (unsigned)size);
    memset(lock, 0, sizeof(*lock));
    lock->Common.IoCount = 1;
    KeInitializeEvent(&lock->Common.RemoveEvent, NotificationEvent, FALSE);
}

NTSTATUS NTAPI IoAcquireRemoveLockEx(PIO_REMOVE_LOCK lock, PVOID tag, PCSTR file, ULONG line, ULONG size)
{
    UNREFERENCED_PARAMETER(tag);
    UNREFERENCED_PARAMETER(file);
    UNREFERENCED_PARAMETER(line);
    UNREFERENCED_PARAMETER(size);
    if (lock->Common.Removed)
        return STATUS_DELETE_PENDING;
    __sync_add_and_fetch(&lock->Common.IoCount, 1);
    return STATUS_SUCCESS;
}

VOID NTAPI IoReleaseRemoveLockEx(PIO_REMOVE_LOCK lock, PVOID tag, ULONG size)
{
    LONG left = __sync_sub_and_fetch(&lock->Common.IoCount, 1);

    UNREFERENCED_PARAMETER(tag);
    UNREFERENCED_PARAMETER(size);
    if (left < 0)
        nt_bug("a remove lock is released more often than taken");
    if (!left)
        KeSetEvent(&lock->Common.RemoveEvent, 0, FALSE);
}

VOID NTAPI IoReleaseRemoveLockAndWaitEx(PIO_REMOVE_LOCK lock, PVOID tag, ULONG size)
{
    lock->Common.Removed = TRUE;
    IoReleaseRemoveLockEx(lock, tag, size);
    IoReleaseRemoveLockEx(lock, tag, size);
    KeWaitForSingleObject(&lock->Common.RemoveEvent, Executive, KernelMode, FALSE, NULL);
}

/* --- device interfaces: a name, and whether it is on --- */

NTSTATUS NTAPI IoRegisterDeviceInterface(PDEVICE_OBJECT physical, CONST GUID *class, PUNICODE_STRING reference,
                                         PUNICODE_STRING name)
{
    if (interface_count == sizeof(interfaces) / sizeof(interfaces[0]) || reference ||
        physical->Flags & DO_DEVICE_INITIALIZING)
        nt_bug("an interface of a device that has none");
    if (nt_allocation_fails())
        return STATUS_INSUFFICIENT_RESOURCES;
    *name = (UNICODE_STRING){.Length = 2, .MaximumLength = 4, .Buffer = nt_allocate(4, 0x7265746e)};
    interfaces[interface_count].class = *class;
    name->Buffer[0] = (WCHAR)++interface_count;
    name->Buffer[1] = 0;
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI IoSetDeviceInterfaceState(PUNICODE_STRING name, BOOLEAN enable)
{
    unsigned number = name->Length == 2 ? name->Buffer[0] - 1u : interface_count;

    if (number >= interface_count || interfaces[number].on == (enable != FALSE))
        nt_bug("an interface is turned %s that is so", enable ? "on" : "off");
    interfaces[number].on = enable;
    return STATUS_SUCCESS;
}

bool nt_interface_is_on(const GUID *class)
{
    for (unsigned i = 0; i < interface_count; i++)
        if (interfaces[i].on && !memcmp(&interfaces[i].class, class, sizeof(*class)))
            return true;
    return false;
}

VOID NTAPI RtlFreeUnicodeString(PUNICODE_STRING string)
{
    nt_free(string->Buffer);
    memset(string, 0, sizeof(*string));
}

static void io_boot(void)
{
    objects = invalidations = 0;
    cancel_lock = 0;
    interface_count = 0;
    memset(interfaces, 0, sizeof(interfaces));
    memset(&root_driver, 0, sizeof(root_driver));
}

void nt_boot(unsigned processors)
{
    nt_trap_init();
    nt_memory_boot();
    io_boot();
    nt_registry_clear();
    nt_processors_boot(processors);
}

void nt_shutdown(void)
{
    nt_settle();
    nt_processors_shutdown();
    memset(&nt_machine, 0, sizeof(nt_machine)); /* whose functions idle processors call */
    if (objects)
        nt_bug("leak: %u device objects", objects);
    nt_memory_shutdown();
    nt_registry_clear();
}
