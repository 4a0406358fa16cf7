/*
 * Model-specific registers as a PV guest sees them: a table of what may be read and written; the rest raises #GP,
 * except that the hardware domain may read what the machine has (it drives microcode, power and machine-check code).
 */
#include <hv/cpu.h>
#include <hv/pv_internal.h>

#define MSR_BIOS_SIGN_ID    0x8bU
#define MSR_MCG_STATUS      0x17aU
#define MSR_MC_FIRST        0x400U
#define MSR_MC_LAST         0x47fU
#define MSR_AMD_SYSCFG      0xc0010010U
#define MSR_AMD_HWCR        0xc0010015U
#define MSR_AMD_NB_CFG      0xc001001fU
#define MSR_AMD_LS_CFG      0xc0011020U
#define MSR_AMD_VM_CR       0xc0010114U
#define MSR_AMD_VM_HSAVE    0xc0010117U
#define MSR_K7_EVENT_SELECT 0xc0010000U
#define MSR_K7_COUNTER_LAST 0xc0010007U
#define EFER_OF_GUESTS      (~0x1000UL) /* SVME is ours */
#define APIC_BASE_BSP       0x100U
#define APIC_BASE_ENABLE    0x800U

/* Not for guests even where the machine has it. */
static bool read_refused(struct vcpu *v, uint64_t *value)
{
    return false;
}
static bool read_efer(struct vcpu *v, uint64_t *value)
{
    *value = rdmsr(MSR_EFER) & EFER_OF_GUESTS;
    return true;
}
static bool read_apic_base(struct vcpu *v, uint64_t *value)
{
    *value = 0xfee00000U | APIC_BASE_ENABLE | (v->id == 0 ? APIC_BASE_BSP : 0);
    return true;
}
static bool read_zero(struct vcpu *v, uint64_t *value)
{
    *value = 0;
    return true;
}
/* Where we are entered, and what we run guests with, is nobody's business, not the hardware domain's either. */
static bool read_refuse(struct vcpu *v, uint64_t *value)
{
    return false;
}
static bool read_fs_base(struct vcpu *v, uint64_t *value)
{
    *value = rdmsr(MSR_FS_BASE);
    return true;
}
static bool read_gs_base(struct vcpu *v, uint64_t *value)
{
    *value = rdmsr(MSR_GS_BASE);
    return true;
}
static bool read_kernel_gs_base(struct vcpu *v, uint64_t *value)
{
    *value = rdmsr(MSR_KERNEL_GS_BASE);
    return true;
}

static bool write_base(uint32_t msr, uint64_t value)
{
    if (!is_canonical(value))
        return false;
    wrmsr(msr, value);
    return true;
}
static bool write_fs_base(struct vcpu *v, uint64_t value)
{
    return write_base(MSR_FS_BASE, value);
}
static bool write_gs_base(struct vcpu *v, uint64_t value)
{
    return write_base(MSR_GS_BASE, value);
}
static bool write_kernel_gs_base(struct vcpu *v, uint64_t value)
{
    return write_base(MSR_KERNEL_GS_BASE, value);
}
static bool write_ignore(struct vcpu *v, uint64_t value)
{
    return true;
}
/* Nobody may change the machine's: writing back what is there is how drivers probe. */
static bool write_efer(struct vcpu *v, uint64_t value)
{
    return !((value ^ rdmsr(MSR_EFER)) & EFER_OF_GUESTS & ~EFER_LMA) && !(value & ~EFER_OF_GUESTS);
}
static bool write_pat(struct vcpu *v, uint64_t value)
{
    return value == rdmsr(MSR_PAT);
}

/* No reader: the machine's value. No writer: #GP. */
static const struct {
    uint32_t first, last;
    bool (*read)(struct vcpu *v, uint64_t *value);
    bool (*write)(struct vcpu *v, uint64_t value);
} msr_table[] = {
    {MSR_SYSENTER_CS, MSR_SYSENTER_EIP, read_refuse, NULL},
    {MSR_STAR, MSR_SYSCALL_MASK, read_refuse, NULL},
    {MSR_AMD_VM_CR, MSR_AMD_VM_HSAVE, read_refuse, NULL},
    {MSR_KERNEL_GS_BASE, MSR_KERNEL_GS_BASE, read_kernel_gs_base, write_kernel_gs_base},
    {MSR_FS_BASE, MSR_FS_BASE, read_fs_base, write_fs_base},
    {MSR_GS_BASE, MSR_GS_BASE, read_gs_base, write_gs_base},
    {MSR_EFER, MSR_EFER, read_efer, write_efer},
    {MSR_APIC_BASE, MSR_APIC_BASE, read_apic_base, NULL},
    {MSR_PAT, MSR_PAT, NULL, write_pat},
    {MSR_BIOS_SIGN_ID, MSR_BIOS_SIGN_ID, NULL, write_ignore},
    {MSR_MCG_CAP, MSR_MCG_STATUS, read_zero, write_ignore},
    {MSR_MC_FIRST, MSR_MC_LAST, read_zero, write_ignore},
    {MSR_MISC_ENABLE, MSR_MISC_ENABLE, NULL, write_ignore},
    {MSR_K7_EVENT_SELECT, MSR_K7_COUNTER_LAST, read_zero, write_ignore},
    {MSR_AMD_LS_CFG, MSR_AMD_LS_CFG, read_refused, NULL},
    {MSR_AMD_NB_CFG, MSR_AMD_NB_CFG, NULL, write_ignore},
    {MSR_AMD_SYSCFG, MSR_AMD_SYSCFG, NULL, NULL},
    {MSR_AMD_HWCR, MSR_AMD_HWCR, NULL, NULL},
};

bool pv_rdmsr(struct vcpu *v, uint32_t msr, uint64_t *value)
{
    *value = 0;
    for (unsigned i = 0; i < ARRAY_SIZE(msr_table); i++)
        if (msr >= msr_table[i].first && msr <= msr_table[i].last)
            return msr_table[i].read ? msr_table[i].read(v, value) : rdmsr_safe(msr, value);
    return v->domain->all_io && !(msr >= MSR_X2APIC_FIRST && msr < MSR_X2APIC_FIRST + 0x100) && rdmsr_safe(msr, value);
}

bool pv_wrmsr(struct vcpu *v, uint32_t msr, uint64_t value)
{
    for (unsigned i = 0; i < ARRAY_SIZE(msr_table); i++)
        if (msr >= msr_table[i].first && msr <= msr_table[i].last)
            return msr_table[i].write && msr_table[i].write(v, value);
    return false;
}
