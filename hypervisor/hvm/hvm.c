/*
 * HVM guests as a whole: choice of the processor's extension, life of domains and vcpus, their way on and off a CPU.
 */
#include <hv/console.h>
#include <hv/cpu.h>
#include <hv/descriptor_tables.h>
#include <hv/domain_tsc.h>
#include <hv/hvm_exit.h>
#include <hv/hvm_io.h>
#include <hv/p2m.h>
#include <hv/page_alloc.h>
#include <hv/time.h>
#include <hv/vdev.h>
#include <hv/viridian.h>
#include <hv/xstate.h>

const struct hvm_vendor *hvm_vendor;

static const struct hvm_vendor *const vendors[] = {&svm_vendor, &vmx_vendor};

/* ---- start-up ---- */

void hvm_init(void)
{
    for (unsigned i = 0; i < ARRAY_SIZE(vendors) && !hvm_vendor; i++)
        if (vendors[i]->init())
            hvm_vendor = vendors[i];
    if (hvm_vendor)
        log_info("HVM guests: by %s", hvm_vendor->name);
    else
        log_info("HVM guests: none, this machine offers neither SVM nor VT-x");
}

void hvm_init_cpu(void)
{
    if (hvm_vendor)
        hvm_vendor->init_cpu();
}

bool hvm_available(void)
{
    return hvm_vendor != NULL;
}

/* ---- domains ---- */

int hvm_domain_init(struct domain *d, const struct xen_domctl_createdomain *config)
{
    if (!hvm_available())
        return -EOPNOTSUPP;
    d->hvm = zalloc(sizeof(*d->hvm));
    if (!d->hvm)
        return -ENOMEM;
    d->hvm->is_hap = true;
    d->hvm->emulation = config->arch.emulation_flags;
    d->hvm->shared_info_gfn = INVALID_MFN;
    d->hvm->tlb_generation = 1;
    int err = p2m_init(d);
    if (!err)
        err = hvm_io_init(d);
    return err ? err : chips_init(d); /* what was made goes with hvm_domain_destroy */
}

int hvm_domain_relinquish(struct domain *d)
{
    hvm_io_relinquish(d);
    viridian_relinquish(d);
    return p2m_relinquish(d);
}

void hvm_domain_destroy(struct domain *d)
{
    viridian_destroy(d);
    chips_destroy(d);
    hvm_io_destroy(d);
    p2m_destroy(d);
    free(d->hvm);
    d->hvm = NULL;
}

/* ---- vcpus ---- */

int hvm_vcpu_init(struct vcpu *v)
{
    struct hvm_vcpu *h = v->hvm = zalloc(sizeof(*h));
    if (!h)
        return -ENOMEM;
    h->tsc_offset = v->domain->hvm->tsc_offset;
    h->pat = 0x0007040600070406UL; /* after power-up: SDM volume 3, 12.12.4 */
    h->redo = zalloc(sizeof(*h->redo));
    h->code_page = zalloc(HVM_CODE_PAGE_BYTES);
    int err = h->redo && h->code_page ? hvm_vendor->vcpu_init(v) : -ENOMEM;
    if (!err)
        err = chips_vcpu_init(v);
    if (!err)
        err = hvm_io_vcpu_init(v);
    if (err) {
        hvm_vcpu_destroy(v);
        return err;
    }
    hvm_vendor->update_pat(v);
    hvm_vendor->update_tsc(v);
    hvm_vcpu_reset(v);
    return 0;
}

void hvm_vcpu_destroy(struct vcpu *v)
{
    if (!v->hvm)
        return;
    chips_vcpu_destroy(v);
    hvm_vendor->vcpu_destroy(v);
    free(v->hvm->redo);
    free(v->hvm->code_page);
    free(v->hvm);
    v->hvm = NULL;
}

/* ---- first registers ---- */

static void set_segment(struct vcpu *v, enum hvm_segment which, uint16_t selector, uint64_t base, uint32_t limit,
                        uint16_t attributes)
{
    struct hvm_segment_register s = {.base = base, .limit = limit, .selector = selector, .attributes = attributes};
    hvm_vendor->set_segment(v, which, &s);
}

static void update_control_registers(struct vcpu *v)
{
    hvm_vendor->update_efer(v);
    hvm_vendor->update_cr(v, 0);
    hvm_vendor->update_cr(v, 2);
    hvm_vendor->update_cr(v, 3);
    hvm_vendor->update_cr(v, 4);
    hvm_vendor->update_dr(v);
}

static void forget_events(struct vcpu *v)
{
    v->hvm->pending.valid = v->hvm->postponed.valid = v->hvm->redo_valid = false;
    hvm_io_instruction_done(v);
    hvm_vendor->set_shadow(v, 0);
}

#define REAL_MODE_DATA (SEG_ATTR_PRESENT | SEG_ATTR_S | 3)
#define REAL_MODE_CODE (SEG_ATTR_PRESENT | SEG_ATTR_S | 11)
#define ATTR_LDT       (SEG_ATTR_PRESENT | 2)
#define ATTR_BUSY_TSS  (SEG_ATTR_PRESENT | 11)

static void reset_segments(struct vcpu *v, uint16_t cs)
{
    static const uint8_t data[] = {SEG_ES, SEG_SS, SEG_DS, SEG_FS, SEG_GS};
    for (unsigned i = 0; i < ARRAY_SIZE(data); i++)
        set_segment(v, data[i], 0, 0, 0xffff, REAL_MODE_DATA);
    set_segment(v, SEG_CS, cs, (uint64_t)cs << 4, 0xffff, REAL_MODE_CODE);
    set_segment(v, SEG_TR, 0, 0, 0xffff, ATTR_BUSY_TSS);
    set_segment(v, SEG_LDTR, 0, 0, 0xffff, ATTR_LDT);
    set_segment(v, SEG_GDTR, 0, 0, 0xffff, 0);
    set_segment(v, SEG_IDTR, 0, 0, 0xffff, 0);
}

/* SDM volume 3, table 10-1; with the caches on, as firmware leaves them. */
void hvm_vcpu_reset(struct vcpu *v)
{
    struct hvm_vcpu *h = v->hvm;
    struct cpu_user_regs *regs = hvm_regs(v);
    struct cpuid identity;
    chips_vcpu_reset(v);
    hvm_cpuid(v, 1, 0, &identity);
    memset(regs, 0, offsetof(struct cpu_user_regs, es));
    regs->rflags = 2;
    regs->rdx = identity.eax;
    h->cr0 = X86_CR0_ET;
    h->cr2 = h->cr3 = h->cr4 = h->efer = 0;
    memset(h->dr, 0, sizeof(h->dr));
    h->dr6 = 0xffff0ff0;
    h->dr7 = 0x400;
    update_control_registers(v);
    reset_segments(v, 0xf000);
    regs->rip = 0xfff0;
    if (v->id == 0)
        set_segment(v, SEG_CS, 0xf000, 0xffff0000, 0xffff, REAL_MODE_CODE);
    forget_events(v);
    h->upcall_owed = true; /* what the APIC held is gone */
    viridian_vcpu_reset(v);
    v->initialised = false;
}

void hvm_vcpu_startup(struct vcpu *v, uint8_t page)
{
    reset_segments(v, (uint16_t)(page << 8));
    hvm_regs(v)->rip = 0;
    v->initialised = true;
}

/* ---- VCPUOP_initialise ---- */

static void set_flat_segments_64(struct vcpu *v)
{
    static const uint8_t data[] = {SEG_ES, SEG_SS, SEG_DS, SEG_FS, SEG_GS};
    for (unsigned i = 0; i < ARRAY_SIZE(data); i++)
        set_segment(v, data[i], 0, 0, ~0U, SEG_ATTR_G | SEG_ATTR_DB | SEG_ATTR_PRESENT | SEG_ATTR_S | 3);
    set_segment(v, SEG_CS, 0, 0, ~0U, SEG_ATTR_G | SEG_ATTR_L | SEG_ATTR_PRESENT | SEG_ATTR_S | 11);
    set_segment(v, SEG_TR, 0, 0, 0xff, ATTR_BUSY_TSS);
}

static int set_context_64(struct vcpu *v, const struct vcpu_hvm_x86_64 *c)
{
    struct cpu_user_regs *r = &v->regs;
    bool long_mode = (c->cr0 & X86_CR0_PG) && (c->cr0 & X86_CR0_PE) && (c->cr4 & X86_CR4_PAE) &&
                     (c->efer & (EFER_LME | EFER_LMA)) == (EFER_LME | EFER_LMA);
    if (!long_mode || !is_canonical(c->rip) || c->cr3 >> cpu_features.physical_address_bits)
        return -EINVAL;
    r->rax = c->rax;
    r->rcx = c->rcx;
    r->rdx = c->rdx;
    r->rbx = c->rbx;
    r->rsp = c->rsp;
    r->rbp = c->rbp;
    r->rsi = c->rsi;
    r->rdi = c->rdi;
    r->rip = c->rip;
    r->rflags = c->rflags | 2;
    v->hvm->cr0 = c->cr0 | X86_CR0_ET;
    v->hvm->cr3 = c->cr3;
    v->hvm->cr4 = c->cr4;
    v->hvm->efer = c->efer;
    set_flat_segments_64(v);
    return 0;
}

static bool is_code(uint16_t attributes)
{
    return (attributes & (SEG_ATTR_S | 8)) == (SEG_ATTR_S | 8);
}

static bool segments_ok(const struct vcpu_hvm_x86_32 *c)
{
    const uint16_t all = c->cs_ar | c->ds_ar | c->ss_ar | c->es_ar | c->tr_ar;
    const uint16_t tss_type = c->tr_ar & (SEG_ATTR_S | SEG_ATTR_TYPE);
    return !(all >> 12) && (c->cs_ar & SEG_ATTR_PRESENT) && is_code(c->cs_ar) && (c->ss_ar & SEG_ATTR_PRESENT) &&
           !is_code(c->ss_ar) && (c->ss_ar & SEG_ATTR_S) && !(c->cs_ar & SEG_ATTR_L) &&
           ((c->cs_ar ^ c->ss_ar) & SEG_ATTR_DPL) == 0 && (tss_type == 3 || tss_type == 11 || tss_type == 9);
}

static int set_context_32(struct vcpu *v, const struct vcpu_hvm_x86_32 *c)
{
    struct cpu_user_regs *r = &v->regs;
    if (!segments_ok(c) || ((c->cr0 & X86_CR0_PG) && !(c->cr0 & X86_CR0_PE)))
        return -EINVAL;
    r->rax = c->eax;
    r->rcx = c->ecx;
    r->rdx = c->edx;
    r->rbx = c->ebx;
    r->rsp = c->esp;
    r->rbp = c->ebp;
    r->rsi = c->esi;
    r->rdi = c->edi;
    r->rip = c->eip;
    r->rflags = c->eflags | 2;
    v->hvm->cr0 = c->cr0 | X86_CR0_ET;
    v->hvm->cr3 = c->cr3;
    v->hvm->cr4 = c->cr4;
    v->hvm->efer = c->efer;
    set_segment(v, SEG_CS, 0, c->cs_base, c->cs_limit, c->cs_ar);
    set_segment(v, SEG_DS, 0, c->ds_base, c->ds_limit, c->ds_ar);
    set_segment(v, SEG_SS, 0, c->ss_base, c->ss_limit, c->ss_ar);
    set_segment(v, SEG_ES, 0, c->es_base, c->es_limit, c->es_ar);
    set_segment(v, SEG_TR, 0, c->tr_base, c->tr_limit, c->tr_ar | 2);
    return 0;
}

#define EFER_SETTABLE (EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE)

int hvm_vcpu_set_context(struct vcpu *v, const struct vcpu_hvm_context *context)
{
    bool is_32 = context->mode == VCPU_HVM_MODE_32B;
    uint64_t efer = is_32 ? context->cpu_regs.x86_32.efer : context->cpu_regs.x86_64.efer;
    uint64_t cr4 = is_32 ? context->cpu_regs.x86_32.cr4 : context->cpu_regs.x86_64.cr4;
    if (context->pad || context->mode > VCPU_HVM_MODE_64B || efer & ~(uint64_t)EFER_SETTABLE ||
        !hvm_cr4_is_offered(v, cr4))
        return -EINVAL;
    int err = is_32 ? set_context_32(v, &context->cpu_regs.x86_32) : set_context_64(v, &context->cpu_regs.x86_64);
    if (err)
        return err;
    update_control_registers(v);
    forget_events(v);
    v->initialised = true;
    return 0;
}

/* ---- on and off a CPU ---- */

void hvm_put_away(struct vcpu *v)
{
    memcpy(&v->regs, guest_regs(), offsetof(struct cpu_user_regs, es));
    xstate_save(v);
    hvm_vendor->put_away(v);
}

void hvm_install(struct vcpu *v)
{
    memcpy(guest_regs(), &v->regs, offsetof(struct cpu_user_regs, es));
    xstate_restore(v);
    hvm_vendor->install(v);
}

/* ---- small facts ---- */

unsigned hvm_code_bytes(struct vcpu *v)
{
    struct hvm_segment_register cs;
    hvm_vendor->get_segment(v, SEG_CS, &cs);
    if (cs.attributes & SEG_ATTR_L && v->hvm->efer & EFER_LMA)
        return 8;
    return cs.attributes & SEG_ATTR_DB ? 4 : 2;
}

bool hvm_long_mode(const struct vcpu *v)
{
    return v->hvm->efer & EFER_LMA;
}

bool hvm_paging(const struct vcpu *v)
{
    return v->hvm->cr0 & X86_CR0_PG;
}

uint64_t hvm_guest_tsc(const struct vcpu *v)
{
    return domain_tsc(v->domain) + v->hvm->tsc_offset;
}

void hvm_update_tsc_mode(struct domain *d)
{
    struct vcpu *v;
    for_each_vcpu(d, v)
        hvm_vendor->update_tsc(v);
}

void hvm_set_tsc_offset(struct vcpu *v, uint64_t offset)
{
    v->hvm->tsc_offset = offset;
    hvm_vendor->update_tsc(v);
    vlapic_tsc_changed(v);
    if (v == current)
        vcpu_update_time(v); /* others are told when they come onto a CPU */
}

void hvm_set_guest_tsc(struct vcpu *v, uint64_t value)
{
    hvm_set_tsc_offset(v, value - domain_tsc(v->domain));
}
