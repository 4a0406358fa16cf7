/*
 * Capabilities of VT-x, VMX operation of each CPU, and the life of a VMCS.
 * Source: Intel SDM volume 3, chapters 24 (VMCS), 26.3 (checks), 28 (EPT, VPID), 31.5 (set-up), appendix A.
 *
 * A VMCS is active only on the CPU that its vcpu is on: put_away clears it. That costs a VMCLEAR and a VMLAUNCH per
 * switch, and saves every other CPU from having to interrupt this one before it can look at a paused vcpu or run it.
 */
#include "vmcs.h"

#include <hv/cpu_policy.h>
#include <hv/descriptor_tables.h>
#include <hv/p2m.h>
#include <hv/page_alloc.h>
#include <hv/spinlock.h>
#include <hv/traps.h>
#include <xen/arch-x86/cpufeatureset.h>

#define CPUID_VMX      (1U << 5) /* leaf 1, ecx */
#define BASIC_TRUE     (1UL << 55)
#define BASIC_REVISION 0x7fffffffU
#define FEATURE_RDTSCP (1U << 27) /* leaf 0x80000001, edx */

#define EPT_4_LEVELS   (1UL << 6)
#define EPT_WRITE_BACK (1UL << 14)
#define EPT_2MIB       (1UL << 16)
#define EPT_INVEPT     (1UL << 20)
#define EPT_INVEPT_ONE (1UL << 25)
#define VPID_INVVPID   (1UL << 32)
#define VPID_ADDRESS   (1UL << 40)
#define VPID_ONE       (1UL << 41)

#define EPT_POINTER_WRITE_BACK 6UL
#define EPT_POINTER_4_LEVELS   (3UL << 3)

#define NO_LINK  (~0UL)
#define NR_VPIDS 65536

/* Pause-loop exiting, in TSC ticks: pauses closer together than the gap are one loop, which may last the window. */
#define PAUSE_GAP    128
#define PAUSE_WINDOW 4096

struct vmx_capabilities vmx_capabilities;
_Static_assert(sizeof(struct vmx_capabilities) == 64, "no padding: compared as bytes");

static struct vmx_cpu {
    void *region;        /* VMXON */
    struct vcpu *loaded; /* whose VMCS is current */
    uint64_t gdt_base, idt_base;
    uint64_t star, lstar, cstar, syscall_mask; /* our own */
    uint64_t tsc_aux;
} vmx_cpus[NR_CPUS];

static uint8_t *msr_bitmap;
static bool has_tsc_aux;
static struct spinlock vpid_lock = SPINLOCK_INIT(LOCK_VPID);
static BITMAP(vpids, NR_VPIDS);

void vmcs_access_failed(const char *how, unsigned long field)
{
    panic("%s of VMCS field %#lx failed", how, field);
}

/* ---- capabilities ---- */

enum control_word { PIN, PROCESSOR, SECONDARY, EXIT, ENTRY, CONTROL_WORDS };

static const struct {
    const char *name;
    enum control_word word;
    uint32_t bit;
    bool required;
} wanted_controls[] = {
    {"external-interrupt exiting", PIN, PIN_INTERRUPT_EXIT, true},
    {"NMI exiting", PIN, PIN_NMI_EXIT, true},
    {"virtual NMIs", PIN, PIN_VIRTUAL_NMI, true},
    {"secondary controls", PROCESSOR, CPU_SECONDARY, true},
    {"TSC offsetting", PROCESSOR, CPU_TSC_OFFSET, true},
    {"HLT exiting", PROCESSOR, CPU_HLT_EXIT, true},
    {"MWAIT exiting", PROCESSOR, CPU_MWAIT_EXIT, true},
    {"MONITOR exiting", PROCESSOR, CPU_MONITOR_EXIT, true},
    {"RDPMC exiting", PROCESSOR, CPU_RDPMC_EXIT, true},
    {"CR8-load exiting", PROCESSOR, CPU_CR8_LOAD_EXIT, true},
    {"CR8-store exiting", PROCESSOR, CPU_CR8_STORE_EXIT, true},
    {"MOV-DR exiting", PROCESSOR, CPU_DR_EXIT, true},
    {"unconditional I/O exiting", PROCESSOR, CPU_PORT_EXIT, true},
    {"MSR bitmaps", PROCESSOR, CPU_MSR_BITMAP, true},
    {"EPT", SECONDARY, CPU2_EPT, true},
    {"VPID", SECONDARY, CPU2_VPID, true},
    {"unrestricted guest", SECONDARY, CPU2_UNRESTRICTED, true},
    {"WBINVD exiting", SECONDARY, CPU2_WBINVD_EXIT, true},
    {"RDTSCP", SECONDARY, CPU2_RDTSCP, false},
    {"INVPCID", SECONDARY, CPU2_INVPCID, false},
    {"pause-loop exiting", SECONDARY, CPU2_PAUSE_LOOP, false},
    {"saving of debug controls", EXIT, VMEXIT_SAVE_DEBUG, true},
    {"64-bit host", EXIT, VMEXIT_HOST_64, true},
    {"PAT load on exit", EXIT, VMEXIT_LOAD_PAT, true},
    {"EFER load on exit", EXIT, VMEXIT_LOAD_EFER, true},
    {"loading of debug controls", ENTRY, VMENTRY_LOAD_DEBUG, true},
    {"PAT load on entry", ENTRY, VMENTRY_LOAD_PAT, true},
    {"EFER load on entry", ENTRY, VMENTRY_LOAD_EFER, true},
};

/* Needed too, but switched on and off as we go. */
static const struct {
    const char *name;
    enum control_word word;
    uint32_t bit;
} switched_controls[] = {
    {"interrupt-window exiting", PROCESSOR, CPU_INTERRUPT_WINDOW},
    {"NMI-window exiting", PROCESSOR, CPU_NMI_WINDOW},
    {"RDTSC exiting", PROCESSOR, CPU_RDTSC_EXIT},
    {"MOV-DR exiting", PROCESSOR, CPU_DR_EXIT},
    {"IA-32e mode guest", ENTRY, VMENTRY_LONG_MODE},
};

/* Would take exits that the rest of the code does not expect; old processors force them. */
static const struct {
    const char *name;
    enum control_word word;
    uint32_t bit;
} unwanted_controls[] = {
    {"guests without CR3-load exiting", PROCESSOR, CPU_CR3_LOAD_EXIT},
    {"guests without CR3-store exiting", PROCESSOR, CPU_CR3_STORE_EXIT},
    {"guests without INVLPG exiting", PROCESSOR, CPU_INVLPG_EXIT},
};

static const struct {
    const char *name;
    uint64_t bit;
} wanted_ept[] = {
    {"EPT with 4 levels", EPT_4_LEVELS},       {"EPT in write-back memory", EPT_WRITE_BACK},
    {"EPT with 2 MiB pages", EPT_2MIB},        {"INVEPT", EPT_INVEPT},
    {"INVEPT of one context", EPT_INVEPT_ONE}, {"INVVPID", VPID_INVVPID},
    {"INVVPID of one context", VPID_ONE},
};

static bool lacks(const char *name)
{
    log_warning("VT-x: this processor lacks %s; HVM and PVH guests are not available", name);
    return false;
}

static const uint32_t control_msr[CONTROL_WORDS] = {
    [PIN] = MSR_VMX_TRUE_PIN,   [PROCESSOR] = MSR_VMX_TRUE_PROCESSOR, [SECONDARY] = MSR_VMX_SECONDARY,
    [EXIT] = MSR_VMX_TRUE_EXIT, [ENTRY] = MSR_VMX_TRUE_ENTRY,
};

/* Low half of a control MSR: bits that must be 1; high half: bits that may be. The secondary word and those MSRs that
 * say the truth exist only if others say so, which the caller has seen. */
static bool choose_controls(uint32_t chosen[CONTROL_WORDS])
{
    uint32_t must[CONTROL_WORDS], may[CONTROL_WORDS];
    for (unsigned word = 0; word < CONTROL_WORDS; word++) {
        uint64_t value = 0;
        rdmsr_safe(control_msr[word], &value);
        chosen[word] = must[word] = (uint32_t)value;
        may[word] = (uint32_t)(value >> 32);
    }
    for (unsigned i = 0; i < ARRAY_SIZE(wanted_controls); i++) {
        if (may[wanted_controls[i].word] & wanted_controls[i].bit)
            chosen[wanted_controls[i].word] |= wanted_controls[i].bit;
        else if (wanted_controls[i].required)
            return lacks(wanted_controls[i].name);
    }
    for (unsigned i = 0; i < ARRAY_SIZE(switched_controls); i++)
        if (!((may[switched_controls[i].word] & ~must[switched_controls[i].word]) & switched_controls[i].bit))
            return lacks(switched_controls[i].name);
    for (unsigned i = 0; i < ARRAY_SIZE(unwanted_controls); i++)
        if (chosen[unwanted_controls[i].word] & unwanted_controls[i].bit)
            return lacks(unwanted_controls[i].name);
    return true;
}

/* Firmware decides by a lock; where it has not, we do. */
static bool enabled_by_firmware(void)
{
    uint64_t value;
    if (!rdmsr_safe(MSR_FEATURE_CONTROL, &value))
        return false;
    if (!(value & FEATURE_CONTROL_LOCKED)) {
        value |= FEATURE_CONTROL_VMX_OUTSIDE | FEATURE_CONTROL_LOCKED;
        wrmsr_safe(MSR_FEATURE_CONTROL, value);
    }
    return value & FEATURE_CONTROL_VMX_OUTSIDE;
}

static bool read_capabilities(struct vmx_capabilities *c)
{
    uint64_t basic = rdmsr(MSR_VMX_BASIC);
    if (!(basic & BASIC_TRUE))
        return lacks("VT-x controls that may be off (true capability MSRs)");
    uint32_t chosen[CONTROL_WORDS];
    if (!choose_controls(chosen))
        return false;
    *c = (struct vmx_capabilities){
        .revision = (uint32_t)basic & BASIC_REVISION,
        .pin = chosen[PIN],
        .processor = chosen[PROCESSOR],
        .secondary = chosen[SECONDARY],
        .exit = chosen[EXIT],
        .entry = chosen[ENTRY],
        .ept_vpid = rdmsr(MSR_VMX_EPT_VPID),
        .cr0_fixed0 = rdmsr(MSR_VMX_CR0_FIXED0),
        .cr0_fixed1 = rdmsr(MSR_VMX_CR0_FIXED1),
        .cr4_fixed0 = rdmsr(MSR_VMX_CR4_FIXED0),
        .cr4_fixed1 = rdmsr(MSR_VMX_CR4_FIXED1),
    };
    for (unsigned i = 0; i < ARRAY_SIZE(wanted_ept); i++)
        if (!(c->ept_vpid & wanted_ept[i].bit))
            return lacks(wanted_ept[i].name);
    return true;
}

/* ---- MSR bitmap: one for all guests ---- */

#define BITMAP_READ_LOW   0x000
#define BITMAP_READ_HIGH  0x400
#define BITMAP_WRITE_LOW  0x800
#define BITMAP_WRITE_HIGH 0xc00

/* Those the processor switches by itself, and KERNEL_GS_BASE, which is saved when the vcpu leaves. Of the others a
 * guest's own value is in the MSR while it runs, so it may read them; a write must pass us. */
static const struct {
    uint32_t msr;
    bool write;
} own_msrs[] = {
    {MSR_SYSENTER_CS, true}, {MSR_SYSENTER_ESP, true},   {MSR_SYSENTER_EIP, true}, {MSR_FS_BASE, true},
    {MSR_GS_BASE, true},     {MSR_KERNEL_GS_BASE, true}, {MSR_STAR, false},        {MSR_LSTAR, false},
    {MSR_CSTAR, false},      {MSR_SYSCALL_MASK, false},
};

static bool create_msr_bitmap(void)
{
    msr_bitmap = alloc_zeroed_pages(0);
    if (!msr_bitmap)
        return false;
    memset(msr_bitmap, 0xff, PAGE_SIZE);
    for (unsigned i = 0; i < ARRAY_SIZE(own_msrs); i++) {
        bool high = own_msrs[i].msr >= 0xc0000000U;
        uint32_t bit = own_msrs[i].msr & 0x1fff;
        clear_bit(bit, msr_bitmap + (high ? BITMAP_READ_HIGH : BITMAP_READ_LOW));
        if (own_msrs[i].write)
            clear_bit(bit, msr_bitmap + (high ? BITMAP_WRITE_HIGH : BITMAP_WRITE_LOW));
    }
    return true;
}

/* ---- CPUs ---- */

/* Instructions that raise #UD in a guest unless their control is on. */
static void hide_features(uint32_t controls)
{
    static const struct {
        uint32_t control;
        unsigned feature;
    } needs[] = {
        {CPU2_RDTSCP, XEN_X86_FEATURE_RDTSCP},
        {CPU2_RDTSCP, XEN_X86_FEATURE_RDPID},
        {CPU2_INVPCID, XEN_X86_FEATURE_INVPCID},
    };
    for (unsigned i = 0; i < ARRAY_SIZE(needs); i++)
        if (!(controls & needs[i].control))
            cpu_policy_hvm_without(needs[i].feature);
}

bool vmx_probe(void)
{
    if (!(cpuid(1, 0).ecx & CPUID_VMX))
        return false;
    if (!enabled_by_firmware()) {
        log_warning("VT-x: switched off in the firmware's setup; HVM and PVH guests are not available");
        return false;
    }
    if (!read_capabilities(&vmx_capabilities) || !create_msr_bitmap())
        return false;
    hide_features(vmx_capabilities.secondary);
    has_tsc_aux = cpuid(0x80000000, 0).eax >= 0x80000001 && cpuid(0x80000001, 0).edx & FEATURE_RDTSCP;
    set_bit(0, vpids); /* ours */
    log_info("VT-x found: EPT, VPID, unrestricted guest%s%s%s",
             vmx_capabilities.secondary & CPU2_RDTSCP ? ", RDTSCP" : "",
             vmx_capabilities.secondary & CPU2_INVPCID ? ", INVPCID" : "",
             vmx_capabilities.secondary & CPU2_PAUSE_LOOP ? ", pause-loop exiting" : "");
    return true;
}

static void *new_region(void)
{
    uint32_t *region = alloc_zeroed_pages(0);
    if (region)
        *region = vmx_capabilities.revision;
    return region;
}

void vmx_init_cpu(void)
{
    struct vmx_cpu *c = &vmx_cpus[smp_processor_id()];
    struct vmx_capabilities mine;
    if (!enabled_by_firmware() || !read_capabilities(&mine) || memcmp(&mine, &vmx_capabilities, sizeof(mine)) != 0)
        panic("CPU %u has another VT-x than the boot CPU", smp_processor_id());
    c->region = new_region();
    if (!c->region)
        panic("no memory for VMX operation of CPU %u", smp_processor_id());
    c->gdt_base = table_base(false);
    c->idt_base = table_base(true);
    c->star = rdmsr(MSR_STAR);
    c->lstar = rdmsr(MSR_LSTAR);
    c->cstar = rdmsr(MSR_CSTAR);
    c->syscall_mask = rdmsr(MSR_SYSCALL_MASK);
    if (has_tsc_aux)
        c->tsc_aux = rdmsr(MSR_TSC_AUX);
    write_cr4(read_cr4() | X86_CR4_VMXE);
    if (!vmxon(virt_to_paddr(c->region)))
        panic("CPU %u does not enter VMX operation", smp_processor_id());
}

/* ---- one VMCS ---- */

static void load_vmcs(struct vcpu *v)
{
    if (!vmptrld(vmx_of(v)->vmcs_address))
        panic("vmptrld of d%uv%u failed", v->domain->id, v->id);
    vmx_cpus[smp_processor_id()].loaded = v;
}

static void clear_vmcs(struct vcpu *v)
{
    if (!vmclear(vmx_of(v)->vmcs_address))
        panic("vmclear of d%uv%u failed", v->domain->id, v->id);
    vmx_of(v)->launched = false;
    if (vmx_cpus[smp_processor_id()].loaded == v)
        vmx_cpus[smp_processor_id()].loaded = NULL;
}

struct vcpu *vmcs_begin(struct vcpu *v)
{
    struct vcpu *previous = vmx_cpus[smp_processor_id()].loaded;
    if (previous != v)
        load_vmcs(v);
    return previous;
}

void vmcs_end(struct vcpu *v, struct vcpu *previous)
{
    if (previous == v)
        return;
    clear_vmcs(v);
    if (previous)
        load_vmcs(previous);
}

static uint32_t allocate_vpid(void)
{
    unsigned long flags = spin_lock_irqsave(&vpid_lock);
    unsigned long vpid = find_first_zero(vpids, NR_VPIDS);
    if (vpid < NR_VPIDS)
        set_bit(vpid, vpids);
    spin_unlock_irqrestore(&vpid_lock, flags);
    return vpid < NR_VPIDS ? (uint32_t)vpid : 0;
}

static void write_controls(const struct vcpu *v, const struct vmx_vcpu *x)
{
    vmwrite(VMCS_PIN_CONTROLS, vmx_capabilities.pin);
    vmwrite(VMCS_PROCESSOR_CONTROLS, x->processor_controls);
    vmwrite(VMCS_SECONDARY_CONTROLS, vmx_capabilities.secondary);
    vmwrite(VMCS_EXIT_CONTROLS, vmx_capabilities.exit);
    vmwrite(VMCS_ENTRY_CONTROLS, x->entry_controls);
    /* #DB and #AC too: a guest could make their delivery an endless loop inside the processor. */
    vmwrite(VMCS_EXCEPTION_BITMAP, 1U << TRAP_debug | 1U << TRAP_alignment_check | 1U << TRAP_machine_check);
    vmwrite(VMCS_PAGE_FAULT_MASK, 0);
    vmwrite(VMCS_PAGE_FAULT_MATCH, 0);
    vmwrite(VMCS_CR3_TARGET_COUNT, 0);
    vmwrite(VMCS_EXIT_MSR_STORE_COUNT, 0);
    vmwrite(VMCS_EXIT_MSR_LOAD_COUNT, 0);
    vmwrite(VMCS_ENTRY_MSR_LOAD_COUNT, 0);
    vmwrite(VMCS_ENTRY_EVENT, 0);
    vmwrite(VMCS_MSR_BITMAP, virt_to_paddr(msr_bitmap));
    vmwrite(VMCS_VPID, v->hvm->asid);
    vmwrite(VMCS_EPT_POINTER, x->ept_pointer);
    vmwrite(VMCS_LINK_POINTER, NO_LINK);
    if (vmx_capabilities.secondary & CPU2_PAUSE_LOOP) {
        vmwrite(VMCS_PAUSE_GAP, PAUSE_GAP);
        vmwrite(VMCS_PAUSE_WINDOW, PAUSE_WINDOW);
    }
}

/* CR4.PGE is the guest's own: it flushes by it. All else of CR0 and CR4 exits, so hvm->cr0 and hvm->cr4 are exact. */
static void write_guest_constants(void)
{
    vmwrite(VMCS_CR0_MASK, ~0UL);
    vmwrite(VMCS_CR4_MASK, ~X86_CR4_PGE);
    vmwrite(VMCS_GUEST_DEBUGCTL, 0);
    vmwrite(VMCS_GUEST_ACTIVITY, 0);
    vmwrite(VMCS_GUEST_INTERRUPTIBILITY, 0);
    vmwrite(VMCS_GUEST_PENDING_DEBUG, 0);
    vmwrite(VMCS_GUEST_SYSENTER_CS, 0);
    vmwrite(VMCS_GUEST_SYSENTER_ESP, 0);
    vmwrite(VMCS_GUEST_SYSENTER_EIP, 0);
    for (unsigned i = 0; i < 4; i++)
        vmwrite(VMCS_GUEST_PDPTE0 + 2 * i, 0);
}

static void write_host_constants(void)
{
    vmwrite(VMCS_HOST_CS_SELECTOR, HYPERVISOR_CS64);
    vmwrite(VMCS_HOST_SS_SELECTOR, HYPERVISOR_DS);
    vmwrite(VMCS_HOST_DS_SELECTOR, 0);
    vmwrite(VMCS_HOST_ES_SELECTOR, 0);
    vmwrite(VMCS_HOST_FS_SELECTOR, 0);
    vmwrite(VMCS_HOST_GS_SELECTOR, 0);
    vmwrite(VMCS_HOST_TR_SELECTOR, TSS_SELECTOR);
    vmwrite(VMCS_HOST_FS_BASE, 0);
    vmwrite(VMCS_HOST_GS_BASE, 0);
    vmwrite(VMCS_HOST_PAT, rdmsr(MSR_PAT));
    vmwrite(VMCS_HOST_EFER, rdmsr(MSR_EFER));
    vmwrite(VMCS_HOST_SYSENTER_CS, 0);
    vmwrite(VMCS_HOST_SYSENTER_ESP, 0);
    vmwrite(VMCS_HOST_SYSENTER_EIP, 0);
    vmwrite(VMCS_HOST_RIP, (uint64_t)vmx_exit_point);
}

/* A PV vcpu's TSD and DE may be in CR4 now, and its TS in CR0; they are none of ours. */
static void write_host_state(struct cpu *cpu)
{
    const struct vmx_cpu *c = &vmx_cpus[cpu->id];
    vmwrite(VMCS_HOST_CR0, read_cr0() & ~X86_CR0_TS);
    vmwrite(VMCS_HOST_CR3, cpu->root_table);
    vmwrite(VMCS_HOST_CR4, (read_cr4() & ~X86_CR4_TSD) | X86_CR4_DE);
    vmwrite(VMCS_HOST_TR_BASE, (uint64_t)cpu->tss);
    vmwrite(VMCS_HOST_GDTR_BASE, c->gdt_base);
    vmwrite(VMCS_HOST_IDTR_BASE, c->idt_base);
    /* An exit leaves the stack as an exception with an error code would: the general registers come next. */
    vmwrite(VMCS_HOST_RSP, (uint64_t)&cpu_info()->guest_regs.error_code);
}

int vmcs_create(struct vcpu *v)
{
    struct vmx_vcpu *x = zalloc(sizeof(*x));
    void *vmcs = new_region();
    uint32_t vpid = allocate_vpid();
    if (!x || !vmcs || !vpid) {
        free(x);
        if (vmcs)
            free_virtual_pages(vmcs, 0);
        if (vpid)
            clear_bit(vpid, vpids);
        return -ENOMEM;
    }
    *x = (struct vmx_vcpu){
        .vmcs = vmcs,
        .vmcs_address = virt_to_paddr(vmcs),
        .processor_controls = vmx_capabilities.processor,
        .changed = true,
        .entry_controls = vmx_capabilities.entry & ~VMENTRY_LONG_MODE,
        .ept_pointer = p2m_root(v->domain) | EPT_POINTER_4_LEVELS | EPT_POINTER_WRITE_BACK,
    };
    v->hvm->vendor = x;
    v->hvm->asid = vpid;
    clear_vmcs(v);
    struct vcpu *previous = vmcs_begin(v);
    write_controls(v, x);
    write_guest_constants();
    write_host_constants();
    vmcs_end(v, previous);
    return 0;
}

void vmcs_destroy(struct vcpu *v)
{
    struct vmx_vcpu *x = v->hvm->vendor;
    if (!x)
        return;
    clear_bit(v->hvm->asid, vpids);
    free_virtual_pages(x->vmcs, 0);
    free(x);
    v->hvm->vendor = NULL;
}

/* ---- coming and going ---- */

void vmx_load_guest_msrs(struct vcpu *v)
{
    const struct vmx_vcpu *x = vmx_of(v);
    wrmsr(MSR_STAR, x->star);
    wrmsr(MSR_LSTAR, x->lstar);
    wrmsr(MSR_CSTAR, x->cstar);
    wrmsr(MSR_SYSCALL_MASK, x->syscall_mask);
    wrmsr(MSR_KERNEL_GS_BASE, x->kernel_gs_base);
    if (has_tsc_aux)
        wrmsr(MSR_TSC_AUX, (uint32_t)v->hvm->tsc_aux);
}

void vmx_load_guest_msr(uint32_t msr, uint64_t value)
{
    if (msr != MSR_TSC_AUX || has_tsc_aux)
        wrmsr(msr, value);
}

void vmx_load_host_msrs(void)
{
    const struct vmx_cpu *c = &vmx_cpus[smp_processor_id()];
    wrmsr(MSR_STAR, c->star);
    wrmsr(MSR_LSTAR, c->lstar);
    wrmsr(MSR_CSTAR, c->cstar);
    wrmsr(MSR_SYSCALL_MASK, c->syscall_mask);
    if (has_tsc_aux)
        wrmsr(MSR_TSC_AUX, c->tsc_aux);
}

/* On another CPU there may be translations of this vcpu from the last time it was there, and none of the flushes since
 * reached them. */
void vmcs_install(struct vcpu *v)
{
    struct vmx_vcpu *x = vmx_of(v);
    struct cpu *cpu = this_cpu();
    load_vmcs(v);
    if (x->cpu == cpu)
        return;
    x->cpu = cpu;
    x->changed = true;
    x->flush_linear = x->flush_physical = true;
    write_host_state(cpu);
}

void vmcs_put_away(struct vcpu *v)
{
    clear_vmcs(v);
}

/* ---- translations ---- */

/* Interrupts are off: a change of the p2m after this look sends an interrupt that makes the guest exit at once. */
void vmx_flush_before_entry(struct vcpu *v)
{
    struct vmx_vcpu *x = vmx_of(v);
    uint64_t generation = v->domain->hvm->tlb_generation;
    if (unlikely(x->flush_physical || x->ept_generation != generation)) {
        x->flush_physical = false;
        x->ept_generation = generation;
        BUG_ON(!invept(INVALIDATE_ONE, (struct invalidation){x->ept_pointer, 0}));
    }
    if (unlikely(x->flush_linear)) {
        x->flush_linear = false;
        BUG_ON(!invvpid(INVALIDATE_ONE, (struct invalidation){v->hvm->asid, 0}));
    }
}

void vmx_invlpg(struct vcpu *v, uint64_t linear)
{
    if (v == current && vmx_capabilities.ept_vpid & VPID_ADDRESS && is_canonical(linear))
        BUG_ON(!invvpid(INVALIDATE_ADDRESS, (struct invalidation){v->hvm->asid, linear}));
    else
        vmx_of(v)->flush_linear = true;
}
