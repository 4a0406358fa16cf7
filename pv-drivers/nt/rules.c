/*
 * What drivers may import, and the IRQLs at which each may be called: the lines "IRQL" of Microsoft's reference pages.
 * Where a page says nothing more than "any level" the highest is HIGH_LEVEL. KeSetEvent and KeWaitForSingleObject have
 * more to say, which the functions check.
 */
#include "nt.h"
#include "text.h"

#define KERNEL(name, lowest, highest)                                                                                  \
    {                                                                                                                  \
        "ntoskrnl.exe", #name, (void *)name, lowest, highest                                                           \
    }
#define FAST(name, function, lowest, highest)                                                                          \
    {                                                                                                                  \
        "ntoskrnl.exe", #name, (void *)function, lowest, highest                                                       \
    }
#define LIBRARY(name)                                                                                                  \
    {                                                                                                                  \
        "ntoskrnl.exe", #name, (void *)nt_##name, PASSIVE_LEVEL, HIGH_LEVEL                                            \
    }
#define ANYWHERE(name) KERNEL(name, PASSIVE_LEVEL, HIGH_LEVEL)

static NT_ABI NTSTATUS call_driver(PDEVICE_OBJECT device, PIRP irp)
{
    return IofCallDriver(device, irp);
}

static NT_ABI VOID complete_request(PIRP irp, CCHAR boost)
{
    IofCompleteRequest(irp, boost);
}

static NT_ABI LONG_PTR reference_object(PVOID object)
{
    return ObfReferenceObject(object);
}

const struct nt_export nt_kernel_exports[] = {
    LIBRARY(DbgPrint),
    LIBRARY(memcmp),
    LIBRARY(memcpy),
    LIBRARY(memmove),
    LIBRARY(memset),
    LIBRARY(strcat),
    LIBRARY(strchr),
    LIBRARY(strcmp),
    LIBRARY(strcpy),
    LIBRARY(strlen),
    LIBRARY(wcslen),
    KERNEL(ExAllocatePoolWithTag, PASSIVE_LEVEL, DISPATCH_LEVEL),
    KERNEL(ExFreePoolWithTag, PASSIVE_LEVEL, DISPATCH_LEVEL),
    KERNEL(IoAllocateIrp, PASSIVE_LEVEL, DISPATCH_LEVEL),
    KERNEL(IoAllocateWorkItem, PASSIVE_LEVEL, DISPATCH_LEVEL),
    KERNEL(IoAttachDeviceToDeviceStack, PASSIVE_LEVEL, DISPATCH_LEVEL),
    KERNEL(IoConnectInterruptEx, PASSIVE_LEVEL, PASSIVE_LEVEL),
    KERNEL(IoCreateDevice, PASSIVE_LEVEL, APC_LEVEL),
    KERNEL(IoDeleteDevice, PASSIVE_LEVEL, APC_LEVEL),
    KERNEL(IoDetachDevice, PASSIVE_LEVEL, DISPATCH_LEVEL),
    KERNEL(IoDisconnectInterruptEx, PASSIVE_LEVEL, PASSIVE_LEVEL),
    KERNEL(IoFreeIrp, PASSIVE_LEVEL, DISPATCH_LEVEL),
    KERNEL(IoFreeWorkItem, PASSIVE_LEVEL, DISPATCH_LEVEL),
    KERNEL(IoInitializeRemoveLockEx, PASSIVE_LEVEL, PASSIVE_LEVEL),
    KERNEL(IoAcquireRemoveLockEx, PASSIVE_LEVEL, DISPATCH_LEVEL),
    KERNEL(IoReleaseRemoveLockEx, PASSIVE_LEVEL, DISPATCH_LEVEL),
    KERNEL(IoReleaseRemoveLockAndWaitEx, PASSIVE_LEVEL, PASSIVE_LEVEL),
    KERNEL(IoInvalidateDeviceRelations, PASSIVE_LEVEL, DISPATCH_LEVEL),
    KERNEL(IoRegisterDeviceInterface, PASSIVE_LEVEL, PASSIVE_LEVEL),
    KERNEL(IoSetDeviceInterfaceState, PASSIVE_LEVEL, PASSIVE_LEVEL),
    KERNEL(IoReleaseCancelSpinLock, DISPATCH_LEVEL, DISPATCH_LEVEL),
    KERNEL(IoQueueWorkItem, PASSIVE_LEVEL, DISPATCH_LEVEL),
    FAST(IofCallDriver, call_driver, PASSIVE_LEVEL, DISPATCH_LEVEL),
    FAST(IofCompleteRequest, complete_request, PASSIVE_LEVEL, DISPATCH_LEVEL),
    KERNEL(KeAcquireSpinLockAtDpcLevel, DISPATCH_LEVEL, HIGH_LEVEL),
    KERNEL(KeAcquireSpinLockRaiseToDpc, PASSIVE_LEVEL, DISPATCH_LEVEL),
    KERNEL(KeClearEvent, PASSIVE_LEVEL, DISPATCH_LEVEL),
    KERNEL(KeFlushQueuedDpcs, PASSIVE_LEVEL, PASSIVE_LEVEL),
    ANYWHERE(KeGetCurrentProcessorNumberEx),
    ANYWHERE(KeInitializeDpc),
    ANYWHERE(KeInitializeEvent),
    ANYWHERE(KeInsertQueueDpc),
    KERNEL(KeQueryActiveProcessorCount, PASSIVE_LEVEL, DISPATCH_LEVEL),
    KERNEL(KeReleaseSpinLock, DISPATCH_LEVEL, DISPATCH_LEVEL),
    KERNEL(KeReleaseSpinLockFromDpcLevel, DISPATCH_LEVEL, HIGH_LEVEL),
    ANYWHERE(KeRemoveQueueDpc),
    KERNEL(KeSetEvent, PASSIVE_LEVEL, DISPATCH_LEVEL),
    ANYWHERE(KeSetImportanceDpc),
    ANYWHERE(KeSetTargetProcessorDpc),
    ANYWHERE(KeSetTargetProcessorDpcEx),
    KERNEL(KeWaitForSingleObject, PASSIVE_LEVEL, DISPATCH_LEVEL),
    KERNEL(MmBuildMdlForNonPagedPool, PASSIVE_LEVEL, DISPATCH_LEVEL),
    ANYWHERE(MmGetPhysicalAddress),
    KERNEL(MmMapIoSpace, PASSIVE_LEVEL, APC_LEVEL),
    KERNEL(MmMapLockedPagesSpecifyCache, PASSIVE_LEVEL, DISPATCH_LEVEL),
    KERNEL(MmUnmapIoSpace, PASSIVE_LEVEL, APC_LEVEL),
    FAST(ObfReferenceObject, reference_object, PASSIVE_LEVEL, HIGH_LEVEL),
    KERNEL(PoCallDriver, PASSIVE_LEVEL, DISPATCH_LEVEL),
    KERNEL(PoStartNextPowerIrp, PASSIVE_LEVEL, DISPATCH_LEVEL),
    KERNEL(RtlFreeUnicodeString, PASSIVE_LEVEL, PASSIVE_LEVEL),
    KERNEL(RtlInitUnicodeString, PASSIVE_LEVEL, DISPATCH_LEVEL),
    KERNEL(ZwClose, PASSIVE_LEVEL, PASSIVE_LEVEL),
    KERNEL(ZwDeleteValueKey, PASSIVE_LEVEL, PASSIVE_LEVEL),
    KERNEL(ZwFlushKey, PASSIVE_LEVEL, PASSIVE_LEVEL),
    KERNEL(ZwOpenKey, PASSIVE_LEVEL, PASSIVE_LEVEL),
    KERNEL(ZwQueryValueKey, PASSIVE_LEVEL, PASSIVE_LEVEL),
    KERNEL(ZwSetValueKey, PASSIVE_LEVEL, PASSIVE_LEVEL),
};
const unsigned nt_kernel_export_count = sizeof(nt_kernel_exports) / sizeof(nt_kernel_exports[0]);
