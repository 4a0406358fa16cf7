/*
 * AMD SVM with nested paging: set-up of processors and of a vcpu's control block, and what neutral code asks of both.
 * Source: AMD APM volume 2, chapter 15.
 */
#include "instructions.h"
#include <hv/console.h>
#include <hv/cpu.h>
#include <hv/p2m.h>
#include <hv/page_alloc.h>
#include <hv/svm.h>
#include <hv/traps.h>
#include <hv/vdev.h>

#define EFER_SVME 0x1000U

#define IO_MAP_ORDER  2 /* 12 KiB */
#define MSR_MAP_ORDER 1

uint32_t svm_features;
static uint32_t asid_count;
static paddr_t io_map, msr_map;
static bool has_tsc_aux;

/* ASIDs are given out per CPU, upwards; when they are used up all are flushed and a new generation begins. */
static struct asid_allocator {
    uint64_t generation;
    uint32_t next;
} asids[NR_CPUS];

/* ---- processors ---- */

static uint32_t svm_cpuid_features(uint32_t *asid_limit)
{
    if (cpuid(0x80000000, 0).eax < CPUID_SVM_LEAF || !(cpuid(0x80000001, 0).ecx & 4))
        return 0;
    struct cpuid r = cpuid(CPUID_SVM_LEAF, 0);
    *asid_limit = r.ebx;
    return r.edx;
}

/* Registers that VMRUN, VMLOAD and VMSAVE switch, or that the guest may have while it runs: no exit for them. */
static const uint32_t free_msrs[] = {
    MSR_FS_BASE, MSR_GS_BASE,      MSR_KERNEL_GS_BASE, MSR_STAR,         MSR_LSTAR,
    MSR_CSTAR,   MSR_SYSCALL_MASK, MSR_SYSENTER_CS,    MSR_SYSENTER_ESP, MSR_SYSENTER_EIP,
};

/* Two bits for each of three ranges of 8192 registers, 2 KiB per range. */
static void free_msr(uint8_t *map, uint32_t msr)
{
    uint32_t range = msr >> 16 == 0xc000 ? 1 : msr >> 16 == 0xc001 ? 2 : 0;
    uint32_t bit = (msr & 0x1fff) * 2;
    map[range * 2048 + bit / 8] &= (uint8_t) ~(3U << bit % 8);
}

static bool make_maps(void)
{
    uint8_t *io = alloc_zeroed_pages(IO_MAP_ORDER), *msr = alloc_zeroed_pages(MSR_MAP_ORDER);
    if (!io || !msr)
        return false;
    memset(io, 0xff, PAGE_SIZE << IO_MAP_ORDER);
    memset(msr, 0xff, PAGE_SIZE << MSR_MAP_ORDER);
    for (unsigned i = 0; i < ARRAY_SIZE(free_msrs); i++)
        free_msr(msr, free_msrs[i]);
    io_map = virt_to_paddr(io);
    msr_map = virt_to_paddr(msr);
    return true;
}

static bool svm_init(void)
{
    uint64_t control;
    if (cpu_features.vendor != VENDOR_AMD)
        return false;
    svm_features = svm_cpuid_features(&asid_count);
    if (!svm_features || asid_count < 2) {
        log_info("SVM: this processor has none");
        return false;
    }
    if (rdmsr_safe(MSR_VM_CR, &control) && control & VM_CR_SVMDIS) {
        log_warning("SVM: switched off by the firmware; switch it on in its setup to run HVM guests");
        return false;
    }
    if (!(svm_features & SVM_NESTED_PAGING)) {
        log_warning("SVM: no nested paging, without which there are no HVM guests");
        return false;
    }
    has_tsc_aux = cpuid(0x80000001, 0).edx >> 27 & 1;
    if (!make_maps())
        panic("no memory for the permission maps of SVM");
    log_info("SVM: nested paging, %u ASIDs%s%s%s%s", asid_count, svm_features & SVM_NRIP_SAVE ? ", next rip" : "",
             svm_features & SVM_VMCB_CLEAN ? ", clean bits" : "",
             svm_features & SVM_FLUSH_BY_ASID ? ", flush by ASID" : "",
             svm_features & SVM_DECODE_ASSISTS ? ", decode assists" : "");
    return true;
}

/* The host area of VMRUN, and one for our own half of what VMLOAD and VMSAVE handle. */
static void svm_init_cpu(void)
{
    uint32_t limit = 0, features = svm_cpuid_features(&limit);
    if ((features & svm_features) != svm_features || limit < asid_count)
        panic("CPU %u has less of SVM than the boot CPU", smp_processor_id());
    void *save = alloc_zeroed_pages(0), *own = alloc_zeroed_pages(0);
    if (!save || !own)
        panic("no memory for the SVM state of CPU %u", smp_processor_id());
    wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_SVME);
    wrmsr(MSR_VM_HSAVE_PA, virt_to_paddr(save));
    paddr_t host = virt_to_paddr(own);
    vmsave(host);
    cpu_info()->hvm_host = host;
    asids[smp_processor_id()] = (struct asid_allocator){.generation = 1, .next = 1};
}

/* ---- a vcpu's control block ---- */

static void set_intercepts(struct vmcb *b)
{
    b->intercept_cr = CR_WRITE(4) | CR_WRITE(8);
    b->intercept_dr = ~0U;
    /* #DB and #AC can make the processor deliver them for ever without taking an interrupt in between. */
    b->intercept_exceptions = 1U << TRAP_debug | 1U << TRAP_alignment_check | 1U << TRAP_machine_check;
    b->intercept_1 = SVM_INTR | SVM_NMI | SVM_INIT | SVM_RDPMC | SVM_CPUID | SVM_INVD | SVM_HLT | SVM_INVLPGA |
                     SVM_IOIO | SVM_MSR | SVM_FERR | SVM_SHUTDOWN;
    b->intercept_2 = SVM_VMRUN | SVM_VMMCALL | SVM_VMLOAD | SVM_VMSAVE | SVM_STGI | SVM_CLGI | SVM_SKINIT | SVM_WBINVD |
                     SVM_MONITOR | SVM_MWAIT | SVM_XSETBV | SVM_RDPRU;
    b->intercept_3 = SVM_INVLPGB | SVM_INVLPGB_X | SVM_MCOMMIT | SVM_TLBSYNC;
    if ((svm_features & SVM_PAUSE_FILTER) && (svm_features & SVM_PAUSE_THRESHOLD)) {
        b->intercept_1 |= SVM_PAUSE;
        b->pause_filter_count = 3000;
        b->pause_filter_threshold = 128;
    }
}

static int svm_vcpu_init(struct vcpu *v)
{
    struct svm_vcpu *s = zalloc(sizeof(*s));
    struct vmcb *b = alloc_zeroed_pages(0);
    if (!s || !b) {
        free(s);
        if (b)
            free_virtual_pages(b, 0);
        return -ENOMEM;
    }
    s->vmcb = b;
    s->vmcb_address = virt_to_paddr(b);
    s->nmi_iret_rip = ~0UL;
    v->hvm->vendor = s;
    set_intercepts(b);
    b->io_map = io_map;
    b->msr_map = msr_map;
    b->virtual_interrupt = V_INTR_MASKING;
    b->nested_paging = 1;
    b->nested_root = p2m_root(v->domain);
    b->efer = EFER_SVME;
    return 0;
}

static void svm_vcpu_destroy(struct vcpu *v)
{
    struct svm_vcpu *s = v->hvm->vendor;
    if (!s)
        return;
    free_virtual_pages(s->vmcb, 0);
    free(s);
    v->hvm->vendor = NULL;
}

/* ---- control registers ---- */

static void svm_update_cr(struct vcpu *v, unsigned cr)
{
    struct vmcb *b = vmcb_of(v);
    switch (cr) {
    case 0:
        b->cr0 = v->hvm->cr0;
        break;
    case 2:
        b->cr2 = v->hvm->cr2;
        b->clean &= ~CLEAN_CR2;
        return;
    case 3:
        b->cr3 = v->hvm->cr3;
        break;
    case 4:
        b->cr4 = v->hvm->cr4;
        break;
    }
    b->clean &= ~CLEAN_CR;
}

static void svm_update_efer(struct vcpu *v)
{
    struct vmcb *b = vmcb_of(v);
    b->efer = v->hvm->efer | EFER_SVME;
    b->clean &= ~CLEAN_CR;
}

static void svm_update_pat(struct vcpu *v)
{
    vmcb_of(v)->pat = v->hvm->pat;
    vmcb_of(v)->clean &= ~CLEAN_NESTED;
}

static void svm_update_tsc(struct vcpu *v)
{
    struct vmcb *b = vmcb_of(v);
    b->tsc_offset = v->hvm->tsc_offset;
    b->intercept_1 &= ~SVM_RDTSC;
    b->intercept_2 &= ~SVM_RDTSCP;
    if (v->domain->tsc.emulated) {
        b->intercept_1 |= SVM_RDTSC;
        b->intercept_2 |= SVM_RDTSCP;
    }
    b->clean &= ~CLEAN_INTERCEPTS;
}

void svm_sync(struct vcpu *v)
{
    const struct vmcb *b = vmcb_of(v);
    struct hvm_vcpu *h = v->hvm;
    h->cr0 = b->cr0;
    h->cr2 = b->cr2;
    h->cr3 = b->cr3;
    h->efer = b->efer & ~(uint64_t)EFER_SVME;
    h->dr6 = b->dr6;
    h->dr7 = b->dr7;
    if (h->dr_loaded)
        read_breakpoints(h->dr);
}

/* ---- debug registers: the guest's are in the processor from its first use until it leaves the CPU ---- */

void svm_load_debug_registers(struct vcpu *v)
{
    struct hvm_vcpu *h = v->hvm;
    write_breakpoints(h->dr);
    h->dr_loaded = true;
    vmcb_of(v)->intercept_dr = 0;
    vmcb_of(v)->clean &= ~CLEAN_INTERCEPTS;
}

/* svm_sync has brought ours up to date. */
static void leave_debug_registers(struct vcpu *v)
{
    v->hvm->dr_loaded = false;
    vmcb_of(v)->intercept_dr = ~0U;
    vmcb_of(v)->clean &= ~CLEAN_INTERCEPTS;
}

static void svm_update_dr(struct vcpu *v)
{
    struct vmcb *b = vmcb_of(v);
    b->dr6 = v->hvm->dr6;
    b->dr7 = v->hvm->dr7;
    b->clean &= ~CLEAN_DR;
    if (v == current && (v->hvm->dr_loaded || v->hvm->dr7 & 0xff))
        svm_load_debug_registers(v);
}

/* ---- registers the block holds for VMLOAD ---- */

static uint64_t *msr_field(struct vmcb *b, uint32_t msr)
{
    switch (msr) {
    case MSR_STAR:
        return &b->star;
    case MSR_LSTAR:
        return &b->lstar;
    case MSR_CSTAR:
        return &b->cstar;
    case MSR_SYSCALL_MASK:
        return &b->syscall_mask;
    case MSR_KERNEL_GS_BASE:
        return &b->kernel_gs_base;
    case MSR_SYSENTER_CS:
        return &b->sysenter_cs;
    case MSR_SYSENTER_ESP:
        return &b->sysenter_esp;
    case MSR_SYSENTER_EIP:
        return &b->sysenter_eip;
    case MSR_FS_BASE:
        return &b->fs.base;
    case MSR_GS_BASE:
        return &b->gs.base;
    default:
        return NULL;
    }
}

static uint64_t svm_get_msr(struct vcpu *v, uint32_t msr)
{
    const uint64_t *field = msr_field(vmcb_of(v), msr);
    return field ? *field : 0;
}

static void svm_set_msr(struct vcpu *v, uint32_t msr, uint64_t value)
{
    uint64_t *field = msr_field(vmcb_of(v), msr);
    if (field)
        *field = value;
    if (msr == MSR_TSC_AUX && v == current && has_tsc_aux)
        wrmsr(MSR_TSC_AUX, value);
}

/* ---- events ---- */

static bool svm_can_interrupt(struct vcpu *v, bool nmi)
{
    const struct svm_vcpu *s = svm_of(v);
    const struct cpu_user_regs *regs = hvm_regs(v);
    if (s->vmcb->interrupt_shadow & 1)
        return false;
    if (!nmi)
        return regs->rflags & X86_EFLAGS_IF;
    return !s->nmi_blocked && regs->rip != s->nmi_iret_rip;
}

/* A virtual interrupt of the highest priority, intercepted: the exit comes when the guest could take one. It says
 * nothing about NMIs, which wait for their handler's IRET; that exits by itself. */
static void svm_want_window(struct vcpu *v, bool nmi)
{
    struct vmcb *b = vmcb_of(v);
    if (b->virtual_interrupt & V_IRQ || (nmi && svm_of(v)->nmi_blocked))
        return;
    b->virtual_interrupt |= V_IRQ | V_INTR_PRIORITY | V_IGNORE_TPR;
    b->intercept_1 |= SVM_VINTR;
    b->clean &= ~(CLEAN_TPR | CLEAN_INTERCEPTS);
}

static uint32_t svm_get_shadow(struct vcpu *v)
{
    return vmcb_of(v)->interrupt_shadow & 1;
}

static void svm_set_shadow(struct vcpu *v, uint32_t shadow)
{
    vmcb_of(v)->interrupt_shadow = shadow != 0;
}

/* ---- translations ---- */

static void svm_flush_tlb(struct vcpu *v)
{
    if (svm_features & SVM_FLUSH_BY_ASID)
        vmcb_of(v)->tlb_control = TLB_FLUSH_ASID;
    else
        v->hvm->asid_generation = 0;
}

static void svm_invlpg(struct vcpu *v, uint64_t linear)
{
    if (v != current || v->hvm->asid_generation != asids[smp_processor_id()].generation)
        svm_flush_tlb(v);
    else
        invlpga(linear, v->hvm->asid);
}

static void assign_asid(struct vcpu *v, struct vmcb *b, struct asid_allocator *a)
{
    if (a->next >= asid_count) {
        a->generation++;
        a->next = 1;
        b->tlb_control = TLB_FLUSH_ALL;
    }
    v->hvm->asid_generation = a->generation;
    v->hvm->asid = a->next++;
    b->asid = v->hvm->asid;
    b->clean &= ~CLEAN_ASID;
}

void svm_forget_asids(void)
{
    asids[smp_processor_id()].next = asid_count;
}

/* ---- on and off a CPU ---- */

static void svm_put_away(struct vcpu *v)
{
    svm_sync(v);
    if (v->hvm->dr_loaded)
        leave_debug_registers(v);
    if (has_tsc_aux && v->hvm->tsc_aux)
        wrmsr(MSR_TSC_AUX, 0);
}

static void svm_install(struct vcpu *v)
{
    struct svm_vcpu *s = svm_of(v);
    if (s->last_cpu != this_cpu()) {
        s->last_cpu = this_cpu();
        s->vmcb->clean = 0;
        v->hvm->asid_generation = 0;
    }
    if (v->hvm->dr7 & 0xff)
        svm_load_debug_registers(v);
    if (has_tsc_aux && v->hvm->tsc_aux)
        wrmsr(MSR_TSC_AUX, v->hvm->tsc_aux);
}

static void sync_tpr(struct vcpu *v, struct vmcb *b)
{
    uint64_t tpr = v->hvm->lapic ? vlapic_get_tpr(v) >> 4 : 0;
    if ((b->virtual_interrupt & V_TPR_MASK) == tpr)
        return;
    b->virtual_interrupt = (b->virtual_interrupt & ~V_TPR_MASK) | tpr;
    b->clean &= ~CLEAN_TPR;
}

/* What the guest itself did to its state the processor has seen; the event, and what we changed, it has not. */
static const char *broken_rule(const struct vmcb *b)
{
    if (unlikely((b->clean & CLEAN_CHECKED) != CLEAN_CHECKED))
        return svm_broken_rule(b);
    return svm_broken_event(b);
}

static void svm_enter(void)
{
    struct vcpu *v = current;
    struct svm_vcpu *s = svm_of(v);
    struct vmcb *b = s->vmcb;
    const struct cpu_user_regs *regs = guest_regs();
    struct asid_allocator *a = &asids[smp_processor_id()];
    if (unlikely(v->hvm->asid_generation != a->generation))
        assign_asid(v, b, a);
    sync_tpr(v, b);
    b->rax = regs->rax;
    b->rip = regs->rip;
    b->rsp = regs->rsp;
    b->rflags = regs->rflags;
    const char *broken = broken_rule(b);
    if (likely(!broken))
        svm_run(s->vmcb_address);
    irq_enable();
    svm_refuse(v, broken);
    irq_disable();
}

const struct hvm_vendor svm_vendor = {
    .name = "SVM",
    .init = svm_init,
    .init_cpu = svm_init_cpu,
    .vcpu_init = svm_vcpu_init,
    .vcpu_destroy = svm_vcpu_destroy,
    .put_away = svm_put_away,
    .install = svm_install,
    .get_segment = svm_get_segment,
    .set_segment = svm_set_segment,
    .cpl = svm_cpl,
    .sync = svm_sync,
    .update_cr = svm_update_cr,
    .update_efer = svm_update_efer,
    .update_dr = svm_update_dr,
    .update_tsc = svm_update_tsc,
    .update_pat = svm_update_pat,
    .get_msr = svm_get_msr,
    .set_msr = svm_set_msr,
    .inject = svm_inject,
    .can_interrupt = svm_can_interrupt,
    .want_window = svm_want_window,
    .get_shadow = svm_get_shadow,
    .set_shadow = svm_set_shadow,
    .flush_tlb = svm_flush_tlb,
    .invlpg = svm_invlpg,
    .enter = svm_enter,
};
