/*
 * Model-specific registers as an HVM guest sees them: one table; a register that is not in it raises #GP.
 * Sources: Intel SDM volume 4; AMD APM volume 2, appendix A; AMD PPR for family 17h (C001_xxxx).
 */
#include <hv/compat.h>
#include <hv/cpu.h>
#include <hv/cpu_policy.h>
#include <hv/hvm_mtrr.h>
#include <hv/vdev.h>
#include <hv/viridian.h>
#include <xen/arch-x86/cpuid.h>

#define MSR_TSC          0x00000010U
#define MSR_PLATFORM_ID  0x00000017U
#define MSR_TSC_ADJUST   0x0000003bU
#define MSR_BIOS_SIGN_ID 0x0000008bU
#define MSR_MTRR_CAP     0x000000feU
#define MSR_MCG_STATUS   0x0000017aU
#define MSR_DEBUGCTL     0x000001d9U
#define MSR_LAST_BRANCH  0x000001dbU
#define MSR_MC_FIRST     0x00000400U
#define MSR_MC_LAST      0x0000047fU
#define MSR_X2APIC_LAST  0x000008ffU
#define MSR_TSC_AUX      0xc0000103U
#define MSR_AMD_PMC      0xc0010000U
#define MSR_AMD_PMC_LAST 0xc0010007U
#define MSR_AMD_SYSCFG   0xc0010010U
#define MSR_AMD_HWCR     0xc0010015U
#define MSR_AMD_IORR     0xc0010016U
#define MSR_AMD_TOM2     0xc001001dU
#define MSR_AMD_NB_CFG   0xc001001fU
#define MSR_AMD_INT_PEND 0xc0010055U
#define MSR_AMD_MMIO_CFG 0xc0010058U
#define MSR_AMD_PSTATE   0xc0010061U
#define MSR_AMD_PSTATE_L 0xc001006bU
#define MSR_AMD_VM_CR    0xc0010114U
#define MSR_AMD_HSAVE    0xc0010117U
#define MSR_AMD_OSVW     0xc0010140U
#define MSR_AMD_DE_CFG   0xc0011029U

#define MISC_ENABLE_STRING 0x1UL    /* fast strings */
#define MISC_ENABLE_BTS    0x800UL  /* not available */
#define MISC_ENABLE_PEBS   0x1000UL /* not available */
#define VM_CR_LOCKED_OFF   0x18UL
#define DE_CFG_LFENCE      0x2UL
#define HWCR_TSC_CONSTANT  0x01000000UL
#define MAX_HYPERCALL_PAGE 1

static bool read_zero(struct vcpu *v, uint32_t msr, uint64_t *value)
{
    *value = 0;
    return true;
}
static bool write_ignored(struct vcpu *v, uint32_t msr, uint64_t value)
{
    return true;
}

static bool read_tsc(struct vcpu *v, uint32_t msr, uint64_t *value)
{
    *value = hvm_guest_tsc(v);
    return true;
}
/* Whichever of the two is written, the other moves by as much: SDM volume 3, 17.17.3. */
static bool write_tsc(struct vcpu *v, uint32_t msr, uint64_t value)
{
    v->hvm->tsc_adjust += value - hvm_guest_tsc(v);
    hvm_set_guest_tsc(v, value);
    return true;
}

static bool has_tsc_adjust(struct vcpu *v)
{
    struct cpuid r;
    hvm_cpuid(v, 7, 0, &r);
    return r.ebx >> 1 & 1;
}
static bool read_tsc_adjust(struct vcpu *v, uint32_t msr, uint64_t *value)
{
    *value = v->hvm->tsc_adjust;
    return has_tsc_adjust(v);
}
static bool write_tsc_adjust(struct vcpu *v, uint32_t msr, uint64_t value)
{
    if (!has_tsc_adjust(v))
        return false;
    hvm_set_tsc_offset(v, v->hvm->tsc_offset + value - v->hvm->tsc_adjust);
    v->hvm->tsc_adjust = value;
    return true;
}

static bool read_efer(struct vcpu *v, uint32_t msr, uint64_t *value)
{
    *value = v->hvm->efer;
    return true;
}
static bool write_efer(struct vcpu *v, uint32_t msr, uint64_t value)
{
    return hvm_set_efer(v, value);
}

/* Those the processor switches; without an exit where the vendor can, here for the emulator and VT-x's checks. */
static bool read_switched(struct vcpu *v, uint32_t msr, uint64_t *value)
{
    *value = hvm_vendor->get_msr(v, msr);
    return true;
}
static bool write_switched(struct vcpu *v, uint32_t msr, uint64_t value)
{
    hvm_vendor->set_msr(v, msr, value);
    return true;
}
static bool write_address(struct vcpu *v, uint32_t msr, uint64_t value)
{
    if (!is_canonical(value))
        return false;
    hvm_vendor->set_msr(v, msr, value);
    return true;
}
static bool write_syscall_mask(struct vcpu *v, uint32_t msr, uint64_t value)
{
    hvm_vendor->set_msr(v, msr, (uint32_t)value);
    return true;
}

static bool has_rdtscp(struct vcpu *v)
{
    struct cpuid r;
    hvm_cpuid(v, 0x80000001, 0, &r);
    return r.edx >> 27 & 1;
}
static bool read_tsc_aux(struct vcpu *v, uint32_t msr, uint64_t *value)
{
    *value = v->hvm->tsc_aux;
    return has_rdtscp(v);
}
static bool write_tsc_aux(struct vcpu *v, uint32_t msr, uint64_t value)
{
    if (value >> 32 || !has_rdtscp(v))
        return false;
    v->hvm->tsc_aux = value;
    hvm_vendor->set_msr(v, MSR_TSC_AUX, value);
    return true;
}

static bool has_lapic(const struct vcpu *v)
{
    return v->hvm->lapic != NULL;
}
static bool read_lapic(struct vcpu *v, uint32_t msr, uint64_t *value)
{
    return has_lapic(v) && vlapic_rdmsr(v, msr, value);
}
static bool write_lapic(struct vcpu *v, uint32_t msr, uint64_t value)
{
    return has_lapic(v) && vlapic_wrmsr(v, msr, value);
}

/* Two banks' worth of machine check registers that never report anything. */
#define MC_BANKS 2
static bool read_mcg_cap(struct vcpu *v, uint32_t msr, uint64_t *value)
{
    *value = MC_BANKS;
    return true;
}

/* Whether the processor's strings are fast is not the guest's to say. */
static bool read_misc_enable(struct vcpu *v, uint32_t msr, uint64_t *value)
{
    uint64_t real;
    rdmsr_safe(MSR_MISC_ENABLE, &real);
    *value = (real & MISC_ENABLE_STRING) | MISC_ENABLE_BTS | MISC_ENABLE_PEBS;
    return cpu_features.vendor == VENDOR_INTEL;
}
static bool write_misc_enable(struct vcpu *v, uint32_t msr, uint64_t value)
{
    return cpu_features.vendor == VENDOR_INTEL;
}

static bool read_xss(struct vcpu *v, uint32_t msr, uint64_t *value)
{
    struct cpuid r;
    hvm_cpuid(v, 0xd, 1, &r);
    *value = 0;
    return r.eax >> 3 & 1;
}
static bool write_xss(struct vcpu *v, uint32_t msr, uint64_t value)
{
    uint64_t now;
    return !value && read_xss(v, msr, &now);
}

static bool is_amd(void)
{
    return cpu_features.vendor == VENDOR_AMD;
}
static bool amd_zero(struct vcpu *v, uint32_t msr, uint64_t *value)
{
    *value = 0;
    return is_amd();
}
static bool amd_ignored(struct vcpu *v, uint32_t msr, uint64_t value)
{
    return is_amd();
}
static bool read_vm_cr(struct vcpu *v, uint32_t msr, uint64_t *value)
{
    *value = VM_CR_LOCKED_OFF;
    return is_amd();
}
static bool read_de_cfg(struct vcpu *v, uint32_t msr, uint64_t *value)
{
    *value = DE_CFG_LFENCE;
    return is_amd();
}
static bool read_hwcr(struct vcpu *v, uint32_t msr, uint64_t *value)
{
    *value = HWCR_TSC_CONSTANT;
    return is_amd();
}

static const struct {
    uint32_t first, last;
    bool (*read)(struct vcpu *v, uint32_t msr, uint64_t *value);
    bool (*write)(struct vcpu *v, uint32_t msr, uint64_t value); /* NULL: #GP */
} table[] = {
    {MSR_X2APIC_FIRST, MSR_X2APIC_LAST, read_lapic, write_lapic},
    {MSR_TSC_DEADLINE, MSR_TSC_DEADLINE, read_lapic, write_lapic},
    {MSR_EFER, MSR_EFER, read_efer, write_efer},
    {MSR_KERNEL_GS_BASE, MSR_KERNEL_GS_BASE, read_switched, write_address},
    {MSR_FS_BASE, MSR_GS_BASE, read_switched, write_address},
    {MSR_STAR, MSR_STAR, read_switched, write_switched},
    {MSR_LSTAR, MSR_CSTAR, read_switched, write_address},
    {MSR_SYSCALL_MASK, MSR_SYSCALL_MASK, read_switched, write_syscall_mask},
    {MSR_SYSENTER_CS, MSR_SYSENTER_CS, read_switched, write_switched},
    {MSR_SYSENTER_ESP, MSR_SYSENTER_EIP, read_switched, write_address},
    {MSR_TSC_AUX, MSR_TSC_AUX, read_tsc_aux, write_tsc_aux},
    {MSR_TSC, MSR_TSC, read_tsc, write_tsc},
    {MSR_TSC_ADJUST, MSR_TSC_ADJUST, read_tsc_adjust, write_tsc_adjust},
    {MSR_APIC_BASE, MSR_APIC_BASE, read_lapic, write_lapic},
    {MSR_PLATFORM_ID, MSR_PLATFORM_ID, read_zero, NULL},
    {MSR_BIOS_SIGN_ID, MSR_BIOS_SIGN_ID, read_zero, write_ignored},
    {MSR_MTRR_CAP, MSR_MTRR_CAP, hvm_mtrr_read, NULL},
    {0x200, 0x2ff, hvm_mtrr_read, hvm_mtrr_write},
    {MSR_MCG_CAP, MSR_MCG_CAP, read_mcg_cap, NULL},
    {MSR_MCG_STATUS, MSR_MCG_STATUS, read_zero, write_ignored},
    {MSR_MC_FIRST, MSR_MC_LAST, read_zero, write_ignored},
    {MSR_MISC_ENABLE, MSR_MISC_ENABLE, read_misc_enable, write_misc_enable},
    {MSR_DEBUGCTL, MSR_DEBUGCTL, read_zero, write_ignored},
    {MSR_LAST_BRANCH, MSR_LAST_BRANCH + 3, read_zero, NULL},
    {MSR_XSS, MSR_XSS, read_xss, write_xss},
    {MSR_AMD_PMC, MSR_AMD_PMC_LAST, amd_zero, amd_ignored},
    {MSR_AMD_SYSCFG, MSR_AMD_SYSCFG, amd_zero, amd_ignored},
    {MSR_AMD_HWCR, MSR_AMD_HWCR, read_hwcr, amd_ignored},
    {MSR_AMD_IORR, MSR_AMD_TOM2, amd_zero, amd_ignored},
    {MSR_AMD_NB_CFG, MSR_AMD_NB_CFG, amd_zero, amd_ignored},
    {MSR_AMD_INT_PEND, MSR_AMD_INT_PEND, amd_zero, amd_ignored},
    {MSR_AMD_MMIO_CFG, MSR_AMD_MMIO_CFG, amd_zero, NULL},
    {MSR_AMD_PSTATE, MSR_AMD_PSTATE_L, amd_zero, amd_ignored},
    {MSR_AMD_VM_CR, MSR_AMD_VM_CR, read_vm_cr, NULL},
    {MSR_AMD_OSVW, MSR_AMD_OSVW + 1, amd_zero, NULL},
    {MSR_AMD_DE_CFG, MSR_AMD_DE_CFG, read_de_cfg, amd_ignored},
};

static bool write_hypercall_page(struct vcpu *v, uint64_t value)
{
    if ((value & ~PAGE_MASK) >= MAX_HYPERCALL_PAGE)
        return false;
    if (!hvm_write_hypercall_page(v, value & PAGE_MASK))
        return false;
    compat_latch_layout(v);
    return true;
}

bool hvm_rdmsr(struct vcpu *v, uint32_t msr, uint64_t *value)
{
    for (unsigned i = 0; i < ARRAY_SIZE(table); i++)
        if (msr >= table[i].first && msr <= table[i].last)
            return table[i].read(v, msr, value);
    if (v->domain->hvm->viridian && is_viridian_msr(msr))
        return viridian_rdmsr(v, msr, value);
    return hvm_policy_rdmsr(v, msr, value);
}

bool hvm_wrmsr(struct vcpu *v, uint32_t msr, uint64_t value)
{
    for (unsigned i = 0; i < ARRAY_SIZE(table); i++)
        if (msr >= table[i].first && msr <= table[i].last)
            return table[i].write && table[i].write(v, msr, value);
    if (v->domain->hvm->viridian && is_viridian_msr(msr))
        return viridian_wrmsr(v, msr, value);
    return msr == hypercall_page_msr(v->domain) && write_hypercall_page(v, value);
}
