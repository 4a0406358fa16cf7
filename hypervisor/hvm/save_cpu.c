/*
 * A vcpu's processor state as records of the HVM context: CPU, CPU_XSAVE, CPU_MSR. The domain is paused.
 * Source: xen/arch-x86/hvm/save.h.
 */
#include <hv/console.h>
#include <hv/cpu.h>
#include <hv/domain_tsc.h>
#include <hv/hvm.h>
#include <hv/page_alloc.h>
#include <hv/sched.h>
#include <hv/time.h>
#include <hv/traps.h>
#include <hv/vdev.h>
#include <hv/xstate.h>

#define EFER_LOADABLE (EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE | 0x4000U /* FFXSR */)

/* ---- general and segment registers ---- */

#define GENERAL_REGISTERS(DO)                                                                                          \
    DO(rax)                                                                                                            \
    DO(rbx)                                                                                                            \
    DO(rcx)                                                                                                            \
    DO(rdx)                                                                                                            \
    DO(rbp) DO(rsi) DO(rdi) DO(rsp) DO(r8) DO(r9) DO(r10) DO(r11) DO(r12) DO(r13) DO(r14) DO(r15) DO(rip) DO(rflags)
#define SEGMENTS(DO)                                                                                                   \
    DO(cs, SEG_CS)                                                                                                     \
    DO(ds, SEG_DS) DO(es, SEG_ES) DO(fs, SEG_FS) DO(gs, SEG_GS) DO(ss, SEG_SS) DO(tr, SEG_TR) DO(ldtr, SEG_LDTR)

static void save_segments(struct vcpu *v, struct hvm_hw_cpu *c)
{
    struct hvm_segment_register s;
#define SAVE_SEGMENT(name, which)                                                                                      \
    hvm_vendor->get_segment(v, which, &s);                                                                             \
    c->name##_sel = s.selector;                                                                                        \
    c->name##_limit = s.limit;                                                                                         \
    c->name##_base = s.base;                                                                                           \
    c->name##_arbytes = s.attributes;
    SEGMENTS(SAVE_SEGMENT)
    hvm_vendor->get_segment(v, SEG_GDTR, &s);
    c->gdtr_limit = s.limit;
    c->gdtr_base = s.base;
    hvm_vendor->get_segment(v, SEG_IDTR, &s);
    c->idtr_limit = s.limit;
    c->idtr_base = s.base;
}

static void load_segments(struct vcpu *v, const struct hvm_hw_cpu *c)
{
    struct hvm_segment_register s;
#define LOAD_SEGMENT(name, which)                                                                                      \
    s = (struct hvm_segment_register){c->name##_base, c->name##_limit, (uint16_t)c->name##_sel,                        \
                                      (uint16_t)c->name##_arbytes};                                                    \
    hvm_vendor->set_segment(v, which, &s);
    SEGMENTS(LOAD_SEGMENT)
    s = (struct hvm_segment_register){c->gdtr_base, c->gdtr_limit, 0, 0};
    hvm_vendor->set_segment(v, SEG_GDTR, &s);
    s = (struct hvm_segment_register){c->idtr_base, c->idtr_limit, 0, 0};
    hvm_vendor->set_segment(v, SEG_IDTR, &s);
}

static void save_msrs(struct vcpu *v, struct hvm_hw_cpu *c)
{
    c->sysenter_cs = hvm_vendor->get_msr(v, MSR_SYSENTER_CS);
    c->sysenter_esp = hvm_vendor->get_msr(v, MSR_SYSENTER_ESP);
    c->sysenter_eip = hvm_vendor->get_msr(v, MSR_SYSENTER_EIP);
    c->shadow_gs = hvm_vendor->get_msr(v, MSR_KERNEL_GS_BASE);
    c->msr_star = hvm_vendor->get_msr(v, MSR_STAR);
    c->msr_lstar = hvm_vendor->get_msr(v, MSR_LSTAR);
    c->msr_cstar = hvm_vendor->get_msr(v, MSR_CSTAR);
    c->msr_syscall_mask = hvm_vendor->get_msr(v, MSR_SYSCALL_MASK);
    c->msr_efer = v->hvm->efer;
    c->msr_tsc_aux = v->hvm->tsc_aux;
}

static void load_msrs(struct vcpu *v, const struct hvm_hw_cpu *c)
{
    hvm_vendor->set_msr(v, MSR_SYSENTER_CS, c->sysenter_cs);
    hvm_vendor->set_msr(v, MSR_SYSENTER_ESP, c->sysenter_esp);
    hvm_vendor->set_msr(v, MSR_SYSENTER_EIP, c->sysenter_eip);
    hvm_vendor->set_msr(v, MSR_KERNEL_GS_BASE, c->shadow_gs);
    hvm_vendor->set_msr(v, MSR_STAR, c->msr_star);
    hvm_vendor->set_msr(v, MSR_LSTAR, c->msr_lstar);
    hvm_vendor->set_msr(v, MSR_CSTAR, c->msr_cstar);
    hvm_vendor->set_msr(v, MSR_SYSCALL_MASK, c->msr_syscall_mask);
    v->hvm->tsc_aux = (uint32_t)c->msr_tsc_aux;
}

/* ---- control and debug registers, pending event ---- */

static void save_control(struct vcpu *v, struct hvm_hw_cpu *c)
{
    const struct hvm_vcpu *h = v->hvm;
    c->cr0 = h->cr0;
    c->cr2 = h->cr2;
    c->cr3 = h->cr3;
    c->cr4 = h->cr4;
    c->dr0 = h->dr[0];
    c->dr1 = h->dr[1];
    c->dr2 = h->dr[2];
    c->dr3 = h->dr[3];
    c->dr6 = h->dr6;
    c->dr7 = h->dr7;
    c->tsc = hvm_guest_tsc(v);
    const struct hvm_event *e = h->pending.valid ? &h->pending : &h->postponed;
    if (!e->valid || e->length)
        return; /* what an instruction raised it raises again: rip is still there */
    c->pending_valid = 1;
    c->pending_vector = e->vector;
    c->pending_type = e->kind & 7U;
    c->pending_error_valid = e->has_error_code;
    c->error_code = e->error_code;
}

static void load_control(struct vcpu *v, const struct hvm_hw_cpu *c)
{
    struct hvm_vcpu *h = v->hvm;
    h->cr0 = c->cr0 | X86_CR0_ET;
    h->cr2 = c->cr2;
    h->cr3 = c->cr3;
    h->cr4 = c->cr4;
    h->efer = c->msr_efer;
    h->dr[0] = c->dr0;
    h->dr[1] = c->dr1;
    h->dr[2] = c->dr2;
    h->dr[3] = c->dr3;
    h->dr6 = (uint32_t)c->dr6 | 0xffff0ff0U;
    h->dr7 = (uint32_t)c->dr7 | 0x400U;
    hvm_vendor->update_efer(v);
    for (unsigned cr = 0; cr <= 4; cr++)
        if (cr != 1)
            hvm_vendor->update_cr(v, cr);
    hvm_vendor->update_dr(v);
    h->postponed.valid = h->redo_valid = false;
    /* An int n runs again. */
    h->pending = (struct hvm_event){.valid = c->pending_valid && c->pending_type != HVM_EVENT_SOFTWARE,
                                    .vector = c->pending_vector,
                                    .kind = c->pending_type,
                                    .has_error_code = c->pending_error_valid,
                                    .error_code = c->error_code,
                                    .cr2 = c->cr2};
}

/*
 * The counters of a guest's processors are one clock. Vcpu 0's sets it for all; another's record counts only when it
 * differs by more than saving one after the other explains.
 */
static void load_tsc(struct vcpu *v, uint64_t tsc)
{
    struct domain *d = v->domain;
    struct vcpu *other;
    uint64_t offset = tsc - domain_tsc(d);
    int64_t difference = (int64_t)(offset - d->hvm->tsc_offset);
    if (v->id == 0) {
        d->hvm->tsc_offset = offset;
        for_each_vcpu(d, other)
            hvm_set_tsc_offset(other, offset);
    } else if ((uint64_t)(difference < 0 ? -difference : difference) > domain_tsc_khz(d) * 1000UL) {
        hvm_set_tsc_offset(v, offset);
    }
}

/* ---- the CPU record ---- */

static int save(struct domain *d, struct hvm_save_buffer *b)
{
    struct vcpu *v;
    struct hvm_hw_cpu *c = zalloc(sizeof(*c));
    int err = c ? 0 : -ENOMEM;
    for_each_vcpu(d, v) {
        if (err || v->offline)
            continue; /* one that waits to be started again has no state to speak of */
        memset(c, 0, sizeof(*c));
        const struct cpu_user_regs *r = hvm_regs(v);
#define SAVE_REGISTER(name) c->name = r->name;
        GENERAL_REGISTERS(SAVE_REGISTER)
        save_segments(v, c);
        save_msrs(v, c);
        save_control(v, c);
        xstate_export_fxsave(v, c->fpu_regs);
        c->flags = XEN_X86_FPU_INITIALISED;
        err = hvm_save_record(b, HVM_SAVE_CODE(CPU), (uint16_t)v->id, c, sizeof(*c));
    }
    free(c);
    return err;
}

static bool attributes_ok(const struct hvm_hw_cpu *c)
{
    uint32_t all = c->cs_arbytes | c->ds_arbytes | c->es_arbytes | c->fs_arbytes | c->gs_arbytes | c->ss_arbytes |
                   c->tr_arbytes | c->ldtr_arbytes;
    return !(all >> 12);
}

/* One that a processor can be told of: SDM volume 3, 26.2.1.3. */
static bool event_ok(const struct hvm_hw_cpu *c)
{
    if (!c->pending_valid)
        return true;
    if (c->pending_reserved ||
        (c->pending_error_valid &&
         (!trap_has_error_code(c->pending_vector) || c->pending_type != HVM_EVENT_EXCEPTION || c->error_code >> 16)))
        return false;
    switch (c->pending_type) {
    case HVM_EVENT_EXTERNAL:
    case HVM_EVENT_SOFTWARE:
        return true;
    case HVM_EVENT_NMI:
        return c->pending_vector == TRAP_nmi;
    case HVM_EVENT_EXCEPTION:
        return c->pending_vector < 32 && c->pending_vector != TRAP_nmi;
    }
    return false;
}

/* What the processor itself would not hold, or the guest is not offered. The rest ends the guest before it is entered.
 */
static bool record_ok(struct vcpu *v, const struct hvm_hw_cpu *c)
{
    bool paging = c->cr0 & X86_CR0_PG, long_mode = c->msr_efer & EFER_LMA;
    if (c->cr0 >> 32 || (paging && !(c->cr0 & X86_CR0_PE)) || c->msr_efer & ~(uint64_t)EFER_LOADABLE)
        return false;
    if (long_mode && (!(c->msr_efer & EFER_LME) || !paging || !(c->cr4 & X86_CR4_PAE)))
        return false;
    if (c->dr6 >> 32 || c->dr7 >> 32 || c->cr3 >> cpu_features.physical_address_bits || !hvm_cr4_is_offered(v, c->cr4))
        return false;
    return attributes_ok(c) && event_ok(c) && is_canonical(c->msr_lstar) && is_canonical(c->msr_cstar) &&
           is_canonical(c->shadow_gs) && is_canonical(c->fs_base) && is_canonical(c->gs_base);
}

static int load(struct domain *d, unsigned instance, const void *body)
{
    const struct hvm_hw_cpu *c = body;
    struct vcpu *v = domain_vcpu(d, instance);
    if (!v || !record_ok(v, c))
        return -EINVAL;
    struct cpu_user_regs *r = hvm_regs(v);
#define LOAD_REGISTER(name) r->name = c->name;
    GENERAL_REGISTERS(LOAD_REGISTER)
    r->rflags |= 2;
    load_segments(v, c);
    load_msrs(v, c);
    load_control(v, c);
    load_tsc(v, c->tsc);
    hvm_vendor->flush_tlb(v);
    if (c->flags & XEN_X86_FPU_INITIALISED)
        xstate_import_fxsave(v, c->fpu_regs);
    v->initialised = true;
    v->offline = false;
    vcpu_wake(v);
    return 0;
}

const struct hvm_save_handler save_cpu = {HVM_SAVE_CODE(CPU), sizeof(struct hvm_hw_cpu), save, load};

/* ---- CPU_XSAVE ---- */

#define XSAVE_AREA_AT offsetof(struct hvm_hw_cpu_xsave, save_area)
#define XSAVE_MAXIMUM (XSAVE_AREA_AT + 2688) /* with AVX-512, the largest we allow */

static int save_xsave(struct domain *d, struct hvm_save_buffer *b)
{
    struct vcpu *v;
    struct hvm_hw_cpu_xsave *x = cpu_features.xsave ? zalloc(XSAVE_MAXIMUM) : NULL;
    int err = x || !cpu_features.xsave ? 0 : -ENOMEM;
    for_each_vcpu(d, v) {
        if (err || !x || v->offline)
            continue;
        x->xfeature_mask = cpu_features.xcr0_mask;
        x->xcr0 = x->xcr0_accum = v->xcr0;
        memcpy(&x->save_area, v->xstate, min(cpu_features.xsave_bytes, (uint32_t)(XSAVE_MAXIMUM - XSAVE_AREA_AT)));
        err =
            hvm_save_record(b, CPU_XSAVE_CODE, (uint16_t)v->id, x, (uint32_t)XSAVE_AREA_AT + cpu_features.xsave_bytes);
    }
    free(x);
    return err;
}

static int load_xsave(struct domain *d, unsigned instance, const void *body)
{
    const struct hvm_hw_cpu_xsave *x = body;
    struct vcpu *v = domain_vcpu(d, instance);
    if (!v)
        return -EINVAL;
    if (!cpu_features.xsave)
        return -EOPNOTSUPP;
    return xstate_import_xsave(v, x->xcr0, &x->save_area, cpu_features.xsave_bytes);
}

const struct hvm_save_handler save_cpu_xsave = {CPU_XSAVE_CODE, XSAVE_MAXIMUM, save_xsave, load_xsave};

/* ---- CPU_MSR: registers that only some processors have. We have none of them; zero is what they are. ---- */

#define MAX_MSRS 32

static int save_nothing(struct domain *d, struct hvm_save_buffer *b)
{
    return 0;
}

static int load_msr_list(struct domain *d, unsigned instance, const void *body)
{
    const struct hvm_msr *list = body;
    struct vcpu *v = domain_vcpu(d, instance);
    if (!v || list->count > MAX_MSRS)
        return -EINVAL;
    for (unsigned i = 0; i < list->count; i++) {
        if (list->msr[i]._rsvd)
            return -EINVAL;
        if (list->msr[i].val)
            return -ENXIO;
    }
    return 0;
}

const struct hvm_save_handler save_cpu_msr = {
    CPU_MSR_CODE, offsetof(struct hvm_msr, msr) + MAX_MSRS * sizeof(struct hvm_one_msr), save_nothing, load_msr_list};

/* ---- TSC_ADJUST: the number the guest reads back; the counter itself is in the CPU record ---- */

static int save_adjust(struct domain *d, struct hvm_save_buffer *b)
{
    struct vcpu *v;
    int err = 0;
    for_each_vcpu(d, v) {
        struct hvm_tsc_adjust record = {v->hvm->tsc_adjust};
        if (!err)
            err = hvm_save_record(b, HVM_SAVE_CODE(TSC_ADJUST), (uint16_t)v->id, &record, sizeof(record));
    }
    return err;
}

static int load_adjust(struct domain *d, unsigned instance, const void *body)
{
    const struct hvm_tsc_adjust *record = body;
    struct vcpu *v = domain_vcpu(d, instance);
    if (!v)
        return -EINVAL;
    v->hvm->tsc_adjust = record->tsc_adjust;
    return 0;
}

const struct hvm_save_handler save_tsc_adjust = {HVM_SAVE_CODE(TSC_ADJUST), sizeof(struct hvm_tsc_adjust), save_adjust,
                                                 load_adjust};
