/*
 * Every feature bit that CPUID may offer to an HVM guest has what goes with it: its MSRs can be read, its bits of CR4
 * and EFER can be set. A bit that is in the table of x86/cpu_policy.c and not here fails, so that nobody offers one
 * without a look. Which MSR or bit a feature has: Intel SDM volumes 3 and 4, AMD APM volume 2.
 */
#include "../../../../hypervisor/x86/cpu_policy.c"
#include <hv/hvm_mtrr.h>
#include <hv/vdev.h>
#include <hv/viridian.h>
#include "machine.h"

/* ---- the rest of the hypervisor ---- */

static bool offered = true; /* does CPUID say yes to everything, or to nothing? */
static uint64_t real_misc_enable, guest_tsc;

bool hvm_available(void)
{
    return true;
}
uint64_t hvm_guest_tsc(const struct vcpu *v)
{
    return guest_tsc + v->hvm->tsc_offset;
}
void hvm_set_tsc_offset(struct vcpu *v, uint64_t offset)
{
    v->hvm->tsc_offset = offset;
}
void hvm_set_guest_tsc(struct vcpu *v, uint64_t value)
{
    v->hvm->tsc_offset = value - guest_tsc;
}
void hvm_cpuid(struct vcpu *v, uint32_t leaf, uint32_t subleaf, struct cpuid *out)
{
    *out = offered ? (struct cpuid){~0U, ~0U, ~0U, ~0U} : (struct cpuid){0};
    if (leaf == 0x80000008)
        out->eax = 48;
}
bool rdmsr_safe(uint32_t msr, uint64_t *value)
{
    *value = real_misc_enable;
    return msr == 0x1a0;
}
bool hvm_policy_rdmsr(const struct vcpu *v, uint32_t msr, uint64_t *value)
{
    return false;
}
bool viridian_rdmsr(struct vcpu *v, uint32_t msr, uint64_t *value)
{
    return false;
}
bool viridian_wrmsr(struct vcpu *v, uint32_t msr, uint64_t value)
{
    return false;
}
bool vlapic_rdmsr(struct vcpu *v, uint32_t msr, uint64_t *value)
{
    *value = 0;
    return true;
}
bool vlapic_wrmsr(struct vcpu *v, uint32_t msr, uint64_t value)
{
    return true;
}
void vlapic_set_tpr(struct vcpu *v, uint8_t value)
{
}
bool hvm_write_hypercall_page(struct vcpu *v, uint64_t gpa)
{
    return false;
}
void compat_latch_layout(struct vcpu *v)
{
}
int xstate_set_xcr0(struct vcpu *v, uint64_t xcr0)
{
    return 0;
}
int hvm_copy_from_physical(struct domain *d, void *to, uint64_t gpa, size_t bytes)
{
    return -EINVAL;
}
int hvm_save_record(struct hvm_save_buffer *b, uint16_t type, uint16_t instance, const void *body, uint32_t bytes)
{
    return 0;
}

mfn_t max_mfn;
struct cpuid fake_cpuid(uint32_t leaf, uint32_t subleaf)
{
    return (struct cpuid){0};
}
struct vcpu *domain_vcpu(const struct domain *d, unsigned id)
{
    return NULL;
}

/* ---- what goes with each feature ---- */

#define F(name) XEN_X86_FEATURE_##name
struct need {
    unsigned feature;
    uint32_t msr, last_msr; /* 0: none */
    uint64_t cr4, efer;
};
static const struct need needs[] = {
    {F(TSC), .msr = 0x10},
    {F(MSR), .msr = 0x17},
    {F(APIC), .msr = 0x1b},
    {F(SEP), .msr = 0x174, .last_msr = 0x176},
    {F(MTRR), .msr = 0xfe},
    {F(MTRR), .msr = 0x200, .last_msr = 0x20f},
    {F(MTRR), .msr = 0x2ff},
    {F(MCA), .msr = 0x179, .last_msr = 0x17a},
    {F(MCA), .msr = 0x400, .last_msr = 0x407},
    {F(MCE), .cr4 = 0x40},
    {F(PAT), .msr = 0x277},
    {F(DE), .cr4 = 0x8},
    {F(PSE), .cr4 = 0x10},
    {F(PAE), .cr4 = 0x20},
    {F(PGE), .cr4 = 0x80},
    {F(VME), .cr4 = 0x3},
    {F(FXSR), .cr4 = 0x200},
    {F(SSE), .cr4 = 0x600},
    {F(PCID), .cr4 = 0x20000},
    {F(X2APIC), .msr = 0x802, .last_msr = 0x803},
    {F(TSC_DEADLINE), .msr = 0x6e0},
    {F(XSAVE), .cr4 = 0x40000},
    {F(SYSCALL), .msr = 0xc0000081, .last_msr = 0xc0000084, .efer = 1},
    {F(NX), .efer = 0x800},
    {F(FFXSR), .efer = 0x4000},
    {F(RDTSCP), .msr = 0xc0000103},
    {F(RDPID), .msr = 0xc0000103},
    {F(LM), .msr = 0xc0000100, .last_msr = 0xc0000102, .efer = 0x100},
    {F(FSGSBASE), .cr4 = 0x10000},
    {F(TSC_ADJUST), .msr = 0x3b},
    {F(SMEP), .cr4 = 0x100000},
    {F(SMAP), .cr4 = 0x200000},
    {F(UMIP), .cr4 = 0x800},
    {F(LFENCE_DISPATCH), .msr = 0xc0011029},
};

/* Instructions that need nothing but the processor, or state that XCR0 has; and facts. */
static const unsigned plain[] = {
    F(FPU),
    F(CX8),
    F(MCA),
    F(CMOV),
    F(PSE36),
    F(CLFLUSH),
    F(MMX),
    F(SSE2),
    F(HTT),
    F(SSE3),
    F(PCLMULQDQ),
    F(SSSE3),
    F(FMA),
    F(CX16),
    F(SSE4_1),
    F(SSE4_2),
    F(MOVBE),
    F(POPCNT),
    F(AESNI),
    F(AVX),
    F(F16C),
    F(RDRAND),
    F(HYPERVISOR),
    F(MMXEXT),
    F(PAGE1GB),
    F(3DNOWEXT),
    F(3DNOW),
    F(LAHF_LM),
    F(CMP_LEGACY),
    F(CR8_LEGACY),
    F(ABM),
    F(SSE4A),
    F(MISALIGNSSE),
    F(3DNOWPREFETCH),
    F(XOP),
    F(FMA4),
    F(TBM),
    F(XSAVEOPT),
    F(XSAVEC),
    F(XGETBV1),
    F(BMI1),
    F(HLE),
    F(AVX2),
    F(BMI2),
    F(ERMS),
    F(INVPCID),
    F(RTM),
    F(AVX512F),
    F(AVX512DQ),
    F(RDSEED),
    F(ADX),
    F(AVX512_IFMA),
    F(CLFLUSHOPT),
    F(CLWB),
    F(AVX512PF),
    F(AVX512ER),
    F(AVX512CD),
    F(SHA),
    F(AVX512BW),
    F(AVX512VL),
    F(PREFETCHWT1),
    F(AVX512_VBMI),
    F(AVX512_VBMI2),
    F(GFNI),
    F(VAES),
    F(VPCLMULQDQ),
    F(AVX512_VNNI),
    F(AVX512_BITALG),
    F(AVX512_VPOPCNTDQ),
    F(CLDEMOTE),
    F(MOVDIRI),
    F(MOVDIR64B),
    F(ITSC),
    F(CLZERO),
    F(RSTR_FP_ERR_PTRS),
    F(NO_LMSL),
    F(AVX512_4VNNIW),
    F(AVX512_4FMAPS),
    F(FSRM),
    F(AVX512_VP2INTERSECT),
    F(MD_CLEAR),
    F(SERIALIZE),
    F(TSXLDTRK),
    F(AVX_VNNI),
    F(AVX512_BF16),
    F(FZRM),
    F(FSRS),
    F(FSRCS),
    F(NSCB),
    F(SSB_NO),
    F(BTC_NO),
    F(SS),
    F(VERW_CLEAR),
    F(SRSO_NO),
    F(SRSO_US_NO),
    F(MCDT_NO),
    F(TSA_SQ_NO),
    F(TSA_L1_NO),
};

static void start(unsigned vendor)
{
    machine_reset();
    cpu_features.vendor = vendor;
    vcpu.hvm->lapic = (struct vlapic *)1;
    vcpu.domain->hvm->viridian = NULL;
    hvm_vcpu.cr0 = 0x80000031;
    hvm_vcpu.cr4 = 0x20;
    hvm_vcpu.efer = 0x500;
    offered = true;
}

static bool msr_readable(uint32_t msr)
{
    uint64_t value;
    for (unsigned i = 0; i < 2; i++) {
        start(i ? VENDOR_AMD : VENDOR_INTEL);
        if (hvm_rdmsr(&vcpu, msr, &value))
            return true;
    }
    return false;
}

static bool bit_settable(const struct need *n)
{
    start(VENDOR_AMD);
    if (n->cr4 && !hvm_cr4_is_offered(&vcpu, n->cr4))
        return false;
    hvm_vcpu.cr0 = 1;
    hvm_vcpu.efer = 0;
    return !n->efer || hvm_set_efer(&vcpu, n->efer);
}

static bool is_served(unsigned feature)
{
    bool found = false;
    for (unsigned i = 0; i < ARRAY_SIZE(needs); i++) {
        const struct need *n = &needs[i];
        if (n->feature != feature)
            continue;
        found = true;
        for (uint32_t msr = n->msr; msr && msr <= max(n->msr, n->last_msr); msr++)
            if (!msr_readable(msr))
                return false;
        if (!bit_settable(n))
            return false;
    }
    for (unsigned i = 0; i < ARRAY_SIZE(plain); i++)
        found = found || plain[i] == feature;
    return found;
}

static void test_every_bit(void)
{
    unsigned missing = 0;
    for (unsigned word = 0; word < FEATURE_WORDS; word++)
        for (unsigned bit = 0; bit < 32; bit++) {
            uint32_t may = words[word].guest[HVM_MAX] | words[word].guest[HVM_DEFAULT];
            if (!(may >> bit & 1) || is_served(32 * word + bit))
                continue;
            fprintf(stderr, "feature %u (word %u, bit %u) is offered and nothing goes with it\n", 32 * word + bit, word,
                    bit);
            missing++;
        }
    CHECK(!missing);
}

/* What is not offered is not there. */
static void test_not_offered(void)
{
    static const uint32_t msr[] = {0x3b, 0xc0000103};
    uint64_t value;
    for (unsigned i = 0; i < ARRAY_SIZE(msr); i++) {
        start(VENDOR_INTEL);
        offered = false;
        CHECK(!hvm_rdmsr(&vcpu, msr[i], &value) && !hvm_wrmsr(&vcpu, msr[i], 0));
    }
    CHECK(!hvm_cr4_is_offered(&vcpu, 0x100000) && !hvm_set_efer(&vcpu, 0x801));
}

/* SDM volume 3, 17.17.3: a write of one moves the other. */
static void test_tsc_adjust(void)
{
    uint64_t value;
    start(VENDOR_INTEL);
    guest_tsc = 1000000;
    CHECK(hvm_rdmsr(&vcpu, 0x3b, &value) && value == 0);
    CHECK(hvm_wrmsr(&vcpu, 0x3b, 500) && hvm_guest_tsc(&vcpu) == 1000500);
    CHECK(hvm_wrmsr(&vcpu, 0x3b, (uint64_t)-100) && hvm_guest_tsc(&vcpu) == 999900);
    CHECK(hvm_rdmsr(&vcpu, 0x3b, &value) && value == (uint64_t)-100);
    CHECK(hvm_wrmsr(&vcpu, 0x10, 999950) && hvm_rdmsr(&vcpu, 0x3b, &value) && value == (uint64_t)-50);
    CHECK(hvm_wrmsr(&vcpu, 0x3b, 0) && hvm_guest_tsc(&vcpu) == 1000000);
}

/* Whether strings are fast is the processor's to say; Linux drops ERMS where they are not. */
static void test_misc_enable(void)
{
    uint64_t value;
    for (unsigned fast = 0; fast < 2; fast++) {
        start(VENDOR_INTEL);
        real_misc_enable = 0x850088 | fast;
        CHECK(hvm_rdmsr(&vcpu, 0x1a0, &value) && value == (0x1800 | fast));
        CHECK(hvm_wrmsr(&vcpu, 0x1a0, 0x1800 | !fast) && hvm_rdmsr(&vcpu, 0x1a0, &value) && value == (0x1800 | fast));
    }
    start(VENDOR_AMD);
    CHECK(!hvm_rdmsr(&vcpu, 0x1a0, &value) && !hvm_wrmsr(&vcpu, 0x1a0, 0));
}

/* Values that the processor would refuse to load do not get as far. */
static void test_refused_values(void)
{
    static const uint32_t address[] = {0xc0000082, 0xc0000083, 0xc0000100, 0xc0000101, 0xc0000102, 0x175, 0x176};
    for (unsigned i = 0; i < ARRAY_SIZE(address); i++) {
        start(VENDOR_INTEL);
        CHECK(hvm_wrmsr(&vcpu, address[i], 0xffff800000000000) && hvm_wrmsr(&vcpu, address[i], 0x00007fffffffffff));
        CHECK(!hvm_wrmsr(&vcpu, address[i], 0x0000800000000000) && !hvm_wrmsr(&vcpu, address[i], 1UL << 63));
    }
    CHECK(hvm_wrmsr(&vcpu, 0xc0000103, 0xffffffff) && hvm_vcpu.tsc_aux == 0xffffffff);
    CHECK(!hvm_wrmsr(&vcpu, 0xc0000103, 1UL << 32) && hvm_vcpu.tsc_aux == 0xffffffff);
    CHECK(!hvm_wrmsr(&vcpu, 0x277, 0x0007040600070402) && !hvm_wrmsr(&vcpu, 0xda0, 1));
}

int main(void)
{
    test_every_bit();
    test_not_offered();
    test_tsc_adjust();
    test_misc_enable();
    test_refused_values();
    return 0;
}
