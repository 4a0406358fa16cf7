/*
 * VT-x for the neutral code: struct hvm_vendor over a VMCS. Source: Intel SDM volume 3, chapters 24-26.
 *
 * The real CR0 and CR4 of a guest are what it sees plus NE, MCE and VMXE: the processor insists on the first and the
 * last, and a machine check must reach us whatever the guest thinks of it.
 */
#include "vmcs.h"

#include <hv/p2m.h>

#define DR7_FIXED    0x400UL
#define DR7_WRITABLE 0xffff2fffUL /* bits 12, 14, 15 are always 0 */
#define DR7_ENABLED  0xffUL
#define DR6_RESERVED 0xffff0ff0UL

/* ---- life ---- */

static int vcpu_init(struct vcpu *v)
{
    return vmcs_create(v);
}

static void vcpu_destroy(struct vcpu *v)
{
    vmcs_destroy(v);
}

/* ---- debug registers: the guest's are in the processor from its first use until it leaves the CPU ---- */

static void write_dr_exit(struct vcpu *v, bool exits)
{
    uint32_t *controls = &vmx_of(v)->processor_controls;
    *controls = exits ? *controls | CPU_DR_EXIT : *controls & ~CPU_DR_EXIT;
    vmwrite(VMCS_PROCESSOR_CONTROLS, *controls);
}

void vmx_load_debug_registers(struct vcpu *v)
{
    struct hvm_vcpu *h = v->hvm;
    write_breakpoints(h->dr);
    write_dr6(h->dr6 | DR6_RESERVED);
    h->dr_loaded = true;
    write_dr_exit(v, false);
}

/* vmx_sync has brought ours up to date. */
static void leave_debug_registers(struct vcpu *v)
{
    v->hvm->dr_loaded = false;
    write_dr_exit(v, true);
}

static void update_dr(struct vcpu *v)
{
    struct vcpu *previous = vmcs_begin(v);
    vmwrite(VMCS_GUEST_DR7, (v->hvm->dr7 & DR7_WRITABLE) | DR7_FIXED);
    vmx_of(v)->changed = true;
    if (v == current && (v->hvm->dr_loaded || v->hvm->dr7 & DR7_ENABLED))
        vmx_load_debug_registers(v);
    vmcs_end(v, previous);
}

/* ---- on and off a CPU ---- */

static void install(struct vcpu *v)
{
    vmcs_install(v);
    vmx_load_guest_msrs(v);
    if (v->hvm->dr7 & DR7_ENABLED)
        vmx_load_debug_registers(v);
}

void vmx_sync(struct vcpu *v)
{
    struct hvm_vcpu *h = v->hvm;
    h->cr3 = vmread(VMCS_GUEST_CR3);
    h->cr4 = (h->cr4 & ~X86_CR4_PGE) | (vmread(VMCS_GUEST_CR4) & X86_CR4_PGE);
    if (!h->dr_loaded)
        return;
    read_breakpoints(h->dr);
    h->dr6 = read_dr6();
    h->dr7 = vmread(VMCS_GUEST_DR7);
}

/* Off every CPU all is up to date since put_away. */
static void sync_current(struct vcpu *v)
{
    if (v == current)
        vmx_sync(v);
}

static void put_away(struct vcpu *v)
{
    vmx_of(v)->kernel_gs_base = rdmsr(MSR_KERNEL_GS_BASE);
    vmx_sync(v);
    if (v->hvm->dr_loaded)
        leave_debug_registers(v);
    vmcs_put_away(v);
    vmx_load_host_msrs();
}

/* ---- control registers ---- */

/* With EPT the processor reads the four entries itself only when the guest's own MOV to CR3 runs without an exit. One
 * with reserved bits would fail the entry; it counts as absent, and the guest faults when it uses it. */
static void load_pdptes(struct vcpu *v)
{
    uint64_t entry[4];
    uint64_t reserved = PAE_ROOT_ENTRY_RESERVED | ~((1UL << cpu_features.physical_address_bits) - 1);
    if (hvm_copy_from_physical(v->domain, entry, v->hvm->cr3 & PAE_ROOT, sizeof(entry)) != 0)
        memset(entry, 0, sizeof(entry));
    for (unsigned i = 0; i < ARRAY_SIZE(entry); i++) {
        bool usable = entry[i] & 1 && !(entry[i] & reserved);
        vmwrite(VMCS_GUEST_PDPTE0 + 2 * i, usable ? entry[i] : 0);
    }
}

static void write_guest_cr0(const struct hvm_vcpu *h)
{
    const struct vmx_capabilities *c = &vmx_capabilities;
    uint64_t needed = c->cr0_fixed0 & ~(X86_CR0_PE | X86_CR0_PG); /* unrestricted guest */
    vmwrite(VMCS_GUEST_CR0, ((h->cr0 | X86_CR0_NE) & c->cr0_fixed1) | needed);
    vmwrite(VMCS_CR0_SHADOW, h->cr0);
}

static void write_guest_cr4(const struct hvm_vcpu *h)
{
    const struct vmx_capabilities *c = &vmx_capabilities;
    vmwrite(VMCS_GUEST_CR4, ((h->cr4 | X86_CR4_MCE) & c->cr4_fixed1) | c->cr4_fixed0);
    vmwrite(VMCS_CR4_SHADOW, h->cr4 & ~X86_CR4_VMXE);
}

static void update_cr(struct vcpu *v, unsigned cr)
{
    struct hvm_vcpu *h = v->hvm;
    if (cr == 2)
        return; /* loaded on the way in */
    struct vcpu *previous = vmcs_begin(v);
    if (cr == 0)
        write_guest_cr0(h);
    else if (cr == 3)
        vmwrite(VMCS_GUEST_CR3, h->cr3 & ((1UL << cpu_features.physical_address_bits) - 1));
    else if (cr == 4)
        write_guest_cr4(h);
    if (hvm_uses_pae(h->cr0, h->cr4, h->efer))
        load_pdptes(v);
    vmcs_end(v, previous);
    vmx_of(v)->changed = true;
    vmx_of(v)->flush_linear = true; /* entries do not flush what a VPID tags */
}

static void update_efer(struct vcpu *v)
{
    struct vmx_vcpu *x = vmx_of(v);
    struct vcpu *previous = vmcs_begin(v);
    x->entry_controls &= ~VMENTRY_LONG_MODE;
    if (v->hvm->efer & EFER_LMA)
        x->entry_controls |= VMENTRY_LONG_MODE;
    vmwrite(VMCS_ENTRY_CONTROLS, x->entry_controls);
    vmwrite(VMCS_GUEST_EFER, v->hvm->efer);
    if (hvm_uses_pae(v->hvm->cr0, v->hvm->cr4, v->hvm->efer))
        load_pdptes(v);
    vmcs_end(v, previous);
    x->changed = x->flush_linear = true;
}

/* ---- time, memory types ---- */

/* RDTSC exiting is for rdtscp too. */
static void update_tsc(struct vcpu *v)
{
    uint32_t *controls = &vmx_of(v)->processor_controls;
    struct vcpu *previous = vmcs_begin(v);
    *controls = v->domain->tsc.emulated ? *controls | CPU_RDTSC_EXIT : *controls & ~CPU_RDTSC_EXIT;
    vmwrite(VMCS_PROCESSOR_CONTROLS, *controls);
    vmwrite(VMCS_TSC_OFFSET, v->hvm->tsc_offset);
    vmcs_end(v, previous);
}

static void update_pat(struct vcpu *v)
{
    struct vcpu *previous = vmcs_begin(v);
    vmwrite(VMCS_GUEST_PAT, v->hvm->pat);
    vmcs_end(v, previous);
    vmx_of(v)->changed = true;
}

/* ---- MSRs ---- */

/* Where an MSR lives that the VMCS holds; 0: elsewhere. */
static unsigned long vmcs_msr_field(uint32_t msr)
{
    switch (msr) {
    case MSR_SYSENTER_CS:
        return VMCS_GUEST_SYSENTER_CS;
    case MSR_SYSENTER_ESP:
        return VMCS_GUEST_SYSENTER_ESP;
    case MSR_SYSENTER_EIP:
        return VMCS_GUEST_SYSENTER_EIP;
    case MSR_FS_BASE:
        return VMCS_GUEST_BASE + 2 * 4;
    case MSR_GS_BASE:
        return VMCS_GUEST_BASE + 2 * 5;
    default:
        return 0;
    }
}

static uint64_t *saved_msr(struct vcpu *v, uint32_t msr)
{
    struct vmx_vcpu *x = vmx_of(v);
    switch (msr) {
    case MSR_STAR:
        return &x->star;
    case MSR_LSTAR:
        return &x->lstar;
    case MSR_CSTAR:
        return &x->cstar;
    case MSR_SYSCALL_MASK:
        return &x->syscall_mask;
    case MSR_KERNEL_GS_BASE:
        return &x->kernel_gs_base;
    case MSR_TSC_AUX:
        return &v->hvm->tsc_aux;
    default:
        return NULL;
    }
}

static uint64_t get_msr(struct vcpu *v, uint32_t msr)
{
    unsigned long field = vmcs_msr_field(msr);
    if (field) {
        struct vcpu *previous = vmcs_begin(v);
        uint64_t value = vmread(field);
        vmcs_end(v, previous);
        return value;
    }
    if (msr == MSR_KERNEL_GS_BASE && v == current)
        return rdmsr(msr);
    const uint64_t *saved = saved_msr(v, msr);
    return saved ? *saved : 0;
}

/* Values reach the processor without another check, here or when the vcpu is installed: make them ones it takes. */
static uint64_t acceptable(uint32_t msr, uint64_t value)
{
    if (msr == MSR_STAR)
        return value;
    if (msr == MSR_SYSENTER_CS || msr == MSR_SYSCALL_MASK || msr == MSR_TSC_AUX)
        return (uint32_t)value;
    return (uint64_t)((int64_t)(value << 16) >> 16);
}

static void set_msr(struct vcpu *v, uint32_t msr, uint64_t value)
{
    unsigned long field = vmcs_msr_field(msr);
    value = acceptable(msr, value);
    if (field) {
        struct vcpu *previous = vmcs_begin(v);
        vmwrite(field, value);
        vmcs_end(v, previous);
        vmx_of(v)->changed = true;
        return;
    }
    uint64_t *saved = saved_msr(v, msr);
    if (!saved)
        return;
    *saved = value;
    if (v == current)
        vmx_load_guest_msr(msr, value);
}

static void flush_tlb(struct vcpu *v)
{
    vmx_of(v)->flush_linear = true;
}

const struct hvm_vendor vmx_vendor = {
    .name = "VT-x",
    .init = vmx_probe,
    .init_cpu = vmx_init_cpu,
    .vcpu_init = vcpu_init,
    .vcpu_destroy = vcpu_destroy,
    .put_away = put_away,
    .install = install,
    .get_segment = vmx_get_segment,
    .set_segment = vmx_set_segment,
    .cpl = vmx_cpl,
    .sync = sync_current,
    .update_cr = update_cr,
    .update_efer = update_efer,
    .update_dr = update_dr,
    .update_tsc = update_tsc,
    .update_pat = update_pat,
    .get_msr = get_msr,
    .set_msr = set_msr,
    .inject = vmx_inject,
    .can_interrupt = vmx_can_interrupt,
    .want_window = vmx_want_window,
    .get_shadow = vmx_get_shadow,
    .set_shadow = vmx_set_shadow,
    .flush_tlb = flush_tlb,
    .invlpg = vmx_invlpg,
    .uses_ept = true,
    .enter = vmx_enter,
};
