/* The way to the hypervisor: its CPUID leaves, the page of calls, and the few calls that several files make. */
#include "bus.h"

#define CPUID_FIRST 0x40000000u
#define CPUID_LAST  0x40010000u
#define CPUID_STEP  0x100u

/* A page of this driver's code that the hypervisor fills: no page is ever writable and executable. */
extern unsigned char hypercall_page[];
__asm__(".section .hcall,\"x\"\n"
        ".balign 4096\n"
        ".globl hypercall_page\n"
        "hypercall_page:\n"
        ".fill 4096, 1, 0xcc\n"
        ".text\n");

/* The one CPUID instruction of this driver. */
static __attribute__((noinline)) void cpuid(ULONG leaf, ULONG registers[4])
{
    __asm__ volatile("cpuid"
                     : "=a"(registers[0]), "=b"(registers[1]), "=c"(registers[2]), "=d"(registers[3])
                     : "a"(leaf), "c"(0));
}

/* The first leaf of ours, which stands behind those of another interface if the guest has that too; 0: none. */
static ULONG first_leaf(void)
{
    for (ULONG leaf = CPUID_FIRST; leaf < CPUID_LAST; leaf += CPUID_STEP) {
        ULONG registers[4];

        cpuid(leaf, registers);
        if (!memcmp(&registers[1], "XenVMMXenVMM", 12) && registers[0] >= leaf + 2)
            return leaf;
    }
    return 0;
}

BOOLEAN hypervisor_found(void)
{
    return first_leaf() != 0;
}

NTSTATUS hypercall_init(void)
{
    ULONG leaf = first_leaf(), registers[4];
    ULONGLONG address;

    if (!leaf)
        return STATUS_NOT_SUPPORTED;
    cpuid(leaf + 2, registers);
    if (!registers[0])
        return STATUS_NOT_SUPPORTED;
    address = (ULONGLONG)MmGetPhysicalAddress(hypercall_page).QuadPart;
    __asm__ volatile("wrmsr" : : "c"(registers[1]), "a"((ULONG)address), "d"((ULONG)(address >> 32)) : "memory");
    return STATUS_SUCCESS;
}

LONG_PTR hypercall(ULONG number, ULONG_PTR first, ULONG_PTR second, ULONG_PTR third)
{
    ULONG_PTR result;

    __asm__ volatile("call *%[entry]"
                     : "=a"(result), "+D"(first), "+S"(second), "+d"(third)
                     : [entry] "r"(hypercall_page + number * 32)
                     : "memory", "rcx", "r8", "r9", "r10", "r11", "cc");
    return (LONG_PTR)result;
}

NTSTATUS hvm_get_param(ULONG index, ULONGLONG *value)
{
    struct xen_hvm_param param = {.domid = DOMID_SELF, .index = index};
    LONG_PTR error = hypercall(__HYPERVISOR_hvm_op, HVMOP_get_param, (ULONG_PTR)&param, 0);

    *value = param.value;
    return error ? STATUS_UNSUCCESSFUL : STATUS_SUCCESS;
}

NTSTATUS hvm_set_param(ULONG index, ULONGLONG value)
{
    struct xen_hvm_param param = {.domid = DOMID_SELF, .index = index, .value = value};

    return hypercall(__HYPERVISOR_hvm_op, HVMOP_set_param, (ULONG_PTR)&param, 0) ? STATUS_UNSUCCESSFUL : STATUS_SUCCESS;
}

NTSTATUS add_to_physmap(ULONG space, ULONG index, ULONGLONG frame)
{
    struct xen_add_to_physmap map = {.domid = DOMID_SELF, .space = space, .idx = index, .gpfn = frame};

    return hypercall(__HYPERVISOR_memory_op, XENMEM_add_to_physmap, (ULONG_PTR)&map, 0) ? STATUS_INSUFFICIENT_RESOURCES
                                                                                        : STATUS_SUCCESS;
}

ULONGLONG frame_of(void *address)
{
    return (ULONGLONG)MmGetPhysicalAddress(address).QuadPart / PV_PAGE_SIZE;
}
