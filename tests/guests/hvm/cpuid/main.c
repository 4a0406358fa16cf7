/*
 * CPUID: the hypervisor's leaves, and features that agree with what the registers take.
 */
#include "hvm.h"

const char test_title[] = "cpuid";

static uint32_t leaf(uint32_t number, uint32_t subleaf, unsigned reg)
{
    uint32_t out[4];
    cpuid(number, subleaf, out);
    return out[reg];
}
enum { EAX, EBX, ECX, EDX };

/* A control bit can be set just when the feature is told. */
static void control(unsigned bit, bool told)
{
    uint64_t cr4 = READ_REGISTER("cr4");
    bool taken = !TRY("mov %1, %%cr4", NO_OUT, "r"(cr4 | 1UL << bit));
    if (taken != told)
        failure("CR4 bit %u: told %u, taken %u", bit, told, taken);
    WRITE_REGISTER("cr4", cr4);
}

/* The size told follows what the kernel has switched on, whether the processor left the guest for it or not. */
static void state_sizes(uint32_t offered)
{
    static const uint32_t wanted[] = {3, 7, 1, 3};
    for (unsigned i = 0; i < ARRAY_SIZE(wanted); i++) {
        if (wanted[i] & ~offered)
            continue;
        __asm__ volatile("xsetbv" : : "a"(wanted[i]), "c"(0), "d"(0));
        uint32_t end = wanted[i] & 4 ? leaf(0xd, 2, EAX) + leaf(0xd, 2, EBX) : 576;
        CHECK_IS(end, leaf(0xd, 0, EBX));
    }
}

void test_main(void)
{
    uint32_t base = hypervisor_leaf();
    root_table[0] &= ~PTE_U; /* for SMEP and SMAP */
    WRITE_REGISTER("cr3", root_table);
    CHECK_IS(0x40000000, base);
    CHECK(leaf(base, 0, EAX) >= base + 4 && leaf(base, 0, EAX) <= base + 6);
    CHECK_IS((uint32_t)HYPERCALL(xen_version, XENVER_version, 0), leaf(base + 1, 0, EAX));
    CHECK_IS(1, leaf(base + 2, 0, EAX));
    CHECK_IS(base, leaf(base + 2, 0, EBX)); /* the register of the hypercall page */
    CHECK(leaf(base + 3, 0, ECX) > 1000); /* kHz */
    CHECK(leaf(base + 4, 0, EAX) & XEN_HVM_CPUID_VCPU_ID_PRESENT);
    CHECK_IS(0, leaf(base + 4, 0, EBX));
    CHECK(leaf(base + 4, 0, EAX) & XEN_HVM_CPUID_DOMID_PRESENT);
    uint32_t features = leaf(1, 0, ECX);
    CHECK(features >> 31 & 1);                     /* a hypervisor */
    CHECK(!(features & (1 << 5)));                 /* no VT-x */
    CHECK(!(leaf(0x80000001, 0, ECX) & (1 << 2))); /* no SVM */
    CHECK(leaf(0x80000001, 0, EDX) & (1 << 29));   /* long mode */
    CHECK_IS(0, leaf(1, 0, EBX) >> 24);            /* local APIC's identifier */
    CHECK(features & (1 << 21));                   /* x2APIC */
    control(20, leaf(7, 0, EBX) >> 7 & 1);         /* SMEP */
    control(16, leaf(7, 0, EBX) & 1);              /* FSGSBASE */
    control(11, leaf(7, 0, ECX) >> 2 & 1);         /* UMIP */
    control(17, features >> 17 & 1);               /* PCID */
    control(18, features >> 26 & 1);               /* XSAVE */
    control(12, false);                            /* LA57 */
    control(13, false);                            /* VMX */
    if (features >> 26 & 1) {
        CHECK(!(features >> 27 & 1));
        WRITE_REGISTER("cr4", READ_REGISTER("cr4") | 1UL << 18);
        CHECK(leaf(1, 0, ECX) >> 27 & 1); /* OSXSAVE follows CR4 */
        CHECK_IS(576, leaf(0xd, 0, EBX)); /* x87 and SSE, header */
        CHECK_IS(3, leaf(0xd, 0, EAX) & 3);
        CHECK_IS(TRAPPED(TRAP_GP, 0), TRY("xsetbv", NO_OUT, "c"(0), "d"(0)));
        state_sizes(leaf(0xd, 0, EAX));
    }
    uint32_t last = leaf(0, 0, EAX), out[4];
    CHECK(last >= 0xd);
    /* Beyond the last one of AMD's: zeros. */
    uint32_t extended = leaf(0x80000000, 0, EAX);
    CHECK(extended >= 0x80000008 && extended < 0x80000100);
    cpuid(extended + 1, 0, out);
    if (leaf(0, 0, EBX) == 0x68747541)
        CHECK_IS(0, out[0] | out[1] | out[2] | out[3]);
    CHECK_IS(48, leaf(0x80000008, 0, EAX) >> 8 & 0xff); /* bits of a linear address */
}
