/*
 * Hardware task switches, which VT-x leaves to us whole. 32-bit and 16-bit task state segments.
 * Source: Intel SDM volume 3, chapter 7.
 */
#include <hv/console.h>
#include <hv/cpu.h>
#include <hv/hvm_exit.h>
#include <hv/p2m.h>
#include <hv/instruction.h>
#include <hv/traps.h>

enum task_reason { BY_CALL, BY_IRET, BY_JMP, BY_GATE };

struct __packed tss32 {
    uint16_t link, reserved0;
    uint32_t stack[6];
    uint32_t cr3, eip, eflags, eax, ecx, edx, ebx, esp, ebp, esi, edi;
    struct __packed {
        uint16_t selector, reserved;
    } es, cs, ss, ds, fs, gs, ldt;
    uint16_t trap, io_map;
};
_Static_assert(sizeof(struct tss32) == 104, "SDM volume 3, figure 7-2");

struct __packed tss16 {
    uint16_t link, stack[6];
    uint16_t ip, flags, ax, cx, dx, bx, sp, bp, si, di, es, cs, ss, ds, ldt;
};
_Static_assert(sizeof(struct tss16) == 44, "SDM volume 3, figure 7-10");

/* What both kinds hold, in the order of the 32-bit one. */
struct task_state {
    uint32_t cr3, eip, eflags, general[8];
    uint16_t selector[7]; /* es, cs, ss, ds, fs, gs, ldt */
    bool trap;
};
enum { T_ES, T_CS, T_SS, T_DS, T_FS, T_GS, T_LDT };

#define TYPE_TSS16_AVAILABLE 1U
#define TYPE_TSS_BUSY        2U /* bit */
#define TYPE_TSS_32          8U /* bit */
#define DESC_BUSY            (1UL << 41)
#define EFLAGS_DEFINED       0x003f7fd5U /* the others are 0, bit 1 is 1 */

/* False: a fault of the access itself has been injected. */
static bool access(struct vcpu *v, uint64_t linear, void *buffer, size_t bytes, bool write)
{
    uint32_t fault = 0;
    uint64_t gpa;
    int err = hvm_copy_linear(v, (uint32_t)linear, buffer, bytes, WALK_SYSTEM | (write ? WALK_WRITE : WALK_READ),
                              &fault, &gpa);
    if (err == -EFAULT)
        hvm_inject_page_fault(v, (uint32_t)linear, fault);
    else if (err)
        domain_crash(v->domain, "task state or descriptor at %#lx, where there is no memory", linear);
    return !err;
}

static bool raise(struct vcpu *v, uint8_t vector, uint16_t selector)
{
    hvm_inject_exception(v, vector, selector & ~3U);
    return false;
}

/* ---- descriptors ---- */

struct descriptor {
    uint64_t raw;
    uint64_t address; /* linear */
};

static bool read_descriptor(struct vcpu *v, uint16_t selector, uint8_t vector, struct descriptor *out)
{
    struct hvm_segment_register table;
    hvm_vendor->get_segment(v, selector & 4 ? SEG_LDTR : SEG_GDTR, &table);
    if ((selector & 4 && !(table.attributes & SEG_ATTR_PRESENT)) || (selector | 7U) > table.limit)
        return raise(v, vector, selector);
    out->address = table.base + (selector & ~7U);
    return access(v, out->address, &out->raw, sizeof(out->raw), false);
}

static bool write_busy(struct vcpu *v, const struct descriptor *d, bool busy)
{
    uint64_t raw = busy ? d->raw | DESC_BUSY : d->raw & ~DESC_BUSY;
    return access(v, d->address, &raw, sizeof(raw), true);
}

/* ---- task state, in and out of memory ---- */

static const uint8_t segment_order[7] = {SEG_ES, SEG_CS, SEG_SS, SEG_DS, SEG_FS, SEG_GS, SEG_LDTR};

/* eip to gs of a 32-bit segment, ip to ds of a 16-bit one: what the processor writes; the rest stays. */
static bool save_task(struct vcpu *v, const struct hvm_segment_register *tr, uint64_t eip, uint64_t eflags)
{
    struct cpu_user_regs *regs = hvm_regs(v);
    struct hvm_segment_register s;
    if (tr->attributes & TYPE_TSS_32) {
        uint32_t out[10 + 6] = {(uint32_t)eip, (uint32_t)eflags};
        for (unsigned i = 0; i < 8; i++)
            out[2 + i] = (uint32_t)*general_register(regs, i);
        for (unsigned i = 0; i < 6; i++) {
            hvm_vendor->get_segment(v, segment_order[i], &s);
            out[10 + i] = s.selector;
        }
        return access(v, tr->base + offsetof(struct tss32, eip), out, sizeof(out), true);
    }
    uint16_t out[10 + 4] = {(uint16_t)eip, (uint16_t)eflags};
    for (unsigned i = 0; i < 8; i++)
        out[2 + i] = (uint16_t)*general_register(regs, i);
    for (unsigned i = 0; i < 4; i++) {
        hvm_vendor->get_segment(v, segment_order[i], &s);
        out[10 + i] = s.selector;
    }
    return access(v, tr->base + offsetof(struct tss16, ip), out, sizeof(out), true);
}

static bool load_task(struct vcpu *v, const struct hvm_segment_register *tr, struct task_state *t)
{
    struct tss32 wide;
    struct tss16 narrow;
    *t = (struct task_state){0};
    if (tr->attributes & TYPE_TSS_32) {
        if (!access(v, tr->base, &wide, sizeof(wide), false))
            return false;
        t->cr3 = wide.cr3;
        t->eip = wide.eip;
        t->eflags = wide.eflags;
        memcpy(t->general, &wide.eax, sizeof(t->general));
        const uint16_t selectors[7] = {wide.es.selector, wide.cs.selector, wide.ss.selector, wide.ds.selector,
                                       wide.fs.selector, wide.gs.selector, wide.ldt.selector};
        memcpy(t->selector, selectors, sizeof(selectors));
        t->trap = wide.trap & 1;
        return true;
    }
    if (!access(v, tr->base, &narrow, sizeof(narrow), false))
        return false;
    const uint16_t words[8] = {narrow.ax, narrow.cx, narrow.dx, narrow.bx, narrow.sp, narrow.bp, narrow.si, narrow.di};
    for (unsigned i = 0; i < 8; i++)
        t->general[i] = words[i] | 0xffff0000U; /* as the processor leaves the upper halves */
    t->eip = narrow.ip;
    t->eflags = narrow.flags;
    const uint16_t selectors[7] = {narrow.es, narrow.cs, narrow.ss, narrow.ds, 0, 0, narrow.ldt};
    memcpy(t->selector, selectors, sizeof(selectors));
    return true;
}

/* ---- segments of the new task ---- */

static void set_null(struct vcpu *v, enum hvm_segment which, uint16_t selector)
{
    struct hvm_segment_register s = {.selector = selector};
    hvm_vendor->set_segment(v, which, &s);
}

static void set_virtual_8086(struct vcpu *v, const struct task_state *t)
{
    for (unsigned i = T_ES; i <= T_GS; i++) {
        struct hvm_segment_register s = {.base = (uint64_t)t->selector[i] << 4,
                                         .limit = 0xffff,
                                         .selector = t->selector[i],
                                         .attributes = SEG_ATTR_PRESENT | SEG_ATTR_S | SEG_ATTR_DPL | 3};
        hvm_vendor->set_segment(v, segment_order[i], &s);
    }
}

static bool load_ldt(struct vcpu *v, uint16_t selector)
{
    struct descriptor d;
    set_null(v, SEG_LDTR, selector);
    if (!(selector & ~3U))
        return true;
    if (selector & 4)
        return raise(v, TRAP_invalid_tss, selector);
    if (!read_descriptor(v, selector, TRAP_invalid_tss, &d))
        return false;
    struct hvm_segment_register s = hvm_unpack_descriptor(d.raw, selector);
    if ((s.attributes & (SEG_ATTR_S | SEG_ATTR_TYPE)) != 2 || !(s.attributes & SEG_ATTR_PRESENT))
        return raise(v, TRAP_invalid_tss, selector);
    hvm_vendor->set_segment(v, SEG_LDTR, &s);
    return true;
}

/* Type and privilege checks of one code, stack or data segment. */
static bool segment_fits(unsigned index, const struct hvm_segment_register *s, unsigned cpl)
{
    unsigned dpl = (s->attributes & SEG_ATTR_DPL) >> 5, rpl = s->selector & 3;
    bool code = s->attributes & 8, conforming = code && s->attributes & 4, second = s->attributes & 2;
    if (!(s->attributes & SEG_ATTR_S))
        return false;
    if (index == T_CS)
        return code && (conforming ? dpl <= rpl : dpl == rpl);
    if (index == T_SS)
        return !code && second && dpl == cpl && rpl == cpl;
    return (!code || second) && (conforming || (dpl >= cpl && dpl >= rpl));
}

static bool load_segment(struct vcpu *v, unsigned index, uint16_t selector, unsigned cpl)
{
    enum hvm_segment which = segment_order[index];
    struct descriptor d;
    if (!(selector & ~3U)) {
        if (index == T_CS || index == T_SS)
            return raise(v, TRAP_invalid_tss, selector);
        set_null(v, which, selector);
        return true;
    }
    if (!read_descriptor(v, selector, TRAP_invalid_tss, &d))
        return false;
    struct hvm_segment_register s = hvm_unpack_descriptor(d.raw, selector);
    if (!segment_fits(index, &s, cpl))
        return raise(v, TRAP_invalid_tss, selector);
    if (!(s.attributes & SEG_ATTR_PRESENT))
        return raise(v, index == T_SS ? TRAP_stack_error : TRAP_no_segment, selector);
    s.attributes |= 1; /* accessed; in memory too */
    d.raw |= 1UL << 40;
    if (!access(v, d.address, &d.raw, sizeof(d.raw), true))
        return false;
    hvm_vendor->set_segment(v, which, &s);
    return true;
}

static bool load_segments(struct vcpu *v, const struct task_state *t)
{
    static const uint8_t order[] = {T_SS, T_CS, T_ES, T_DS, T_FS, T_GS};
    unsigned cpl = t->selector[T_CS] & 3;
    if (!load_ldt(v, t->selector[T_LDT]))
        return false;
    if (t->eflags & X86_EFLAGS_VM) {
        set_virtual_8086(v, t);
        return true;
    }
    for (unsigned i = 0; i < ARRAY_SIZE(order); i++)
        if (!load_segment(v, order[i], t->selector[order[i]], cpl))
            return false;
    return true;
}

/* ---- the switch ---- */

/* The new task's descriptor: everything that can be wrong with it is the old task's fault. */
static bool find_task(struct vcpu *v, const struct hvm_exit *exit, struct descriptor *d,
                      struct hvm_segment_register *tr)
{
    bool iret = exit->task.reason == BY_IRET;
    uint8_t vector = iret ? TRAP_invalid_tss : TRAP_gp_fault;
    uint16_t selector = exit->task.selector;
    if (selector & 4)
        return raise(v, vector, selector);
    if (!read_descriptor(v, selector, vector, d))
        return false;
    *tr = hvm_unpack_descriptor(d->raw, selector);
    unsigned type = tr->attributes & (SEG_ATTR_S | SEG_ATTR_TYPE) & ~TYPE_TSS_32;
    if (type != (TYPE_TSS16_AVAILABLE | (iret ? TYPE_TSS_BUSY : 0)))
        return raise(v, vector, selector);
    if (!(tr->attributes & SEG_ATTR_PRESENT))
        return raise(v, TRAP_no_segment, selector);
    if (tr->limit < (tr->attributes & TYPE_TSS_32 ? sizeof(struct tss32) : sizeof(struct tss16)) - 1)
        return raise(v, TRAP_invalid_tss, selector);
    return true;
}

/* int n, int3, into: the task goes on behind it. */
static bool is_of_instruction(const struct hvm_event *e)
{
    return e->kind == HVM_EVENT_SOFTWARE ||
           (e->kind == HVM_EVENT_EXCEPTION && (e->vector == TRAP_int3 || e->vector == TRAP_overflow));
}

static bool leave_old(struct vcpu *v, const struct hvm_exit *exit, const struct hvm_segment_register *old)
{
    const struct cpu_user_regs *regs = hvm_regs(v);
    uint64_t eflags = regs->rflags, eip = regs->rip;
    struct descriptor d;
    if (exit->task.reason == BY_IRET)
        eflags &= ~X86_EFLAGS_NT;
    if (exit->task.reason != BY_GATE || is_of_instruction(&exit->interrupted))
        eip += exit->length ? exit->length : hvm_instruction_length(v, regs);
    if (!save_task(v, old, eip, eflags))
        return false;
    if (exit->task.reason == BY_CALL || exit->task.reason == BY_GATE)
        return true;
    return read_descriptor(v, old->selector, TRAP_invalid_tss, &d) && write_busy(v, &d, false);
}

static void set_registers(struct vcpu *v, const struct task_state *t, const struct hvm_segment_register *tr,
                          bool nested)
{
    struct cpu_user_regs *regs = hvm_regs(v);
    struct hvm_segment_register busy = *tr;
    busy.attributes |= TYPE_TSS_BUSY;
    hvm_vendor->set_segment(v, SEG_TR, &busy);
    if (tr->attributes & TYPE_TSS_32 && hvm_paging(v))
        hvm_set_cr3(v, t->cr3);
    hvm_set_cr0(v, v->hvm->cr0 | X86_CR0_TS);
    regs->rip = t->eip;
    regs->rflags = (t->eflags & EFLAGS_DEFINED) | 2 | (nested ? X86_EFLAGS_NT : 0);
    for (unsigned i = 0; i < 8; i++)
        *general_register(regs, i) = t->general[i];
    v->hvm->dr7 &= ~0x55UL; /* local breakpoints belong to the old task */
    hvm_vendor->update_dr(v);
}

static void push_error_code(struct vcpu *v, const struct hvm_segment_register *tr, uint32_t error_code)
{
    struct cpu_user_regs *regs = hvm_regs(v);
    struct hvm_segment_register ss;
    unsigned bytes = tr->attributes & TYPE_TSS_32 ? 4 : 2;
    hvm_vendor->get_segment(v, SEG_SS, &ss);
    uint64_t mask = ss.attributes & SEG_ATTR_DB ? 0xffffffffUL : 0xffffUL;
    uint64_t sp = (regs->rsp - bytes) & mask;
    if (access(v, ss.base + sp, &error_code, bytes, true))
        regs->rsp = (regs->rsp & ~mask) | sp;
}

void hvm_task_switch(struct vcpu *v, const struct hvm_exit *exit)
{
    struct hvm_segment_register old, new;
    struct descriptor d;
    struct task_state t;
    bool nested = exit->task.reason == BY_CALL || exit->task.reason == BY_GATE;
    hvm_vendor->get_segment(v, SEG_TR, &old);
    if (hvm_long_mode(v)) {
        raise(v, TRAP_gp_fault, exit->task.selector);
        return;
    }
    if (!find_task(v, exit, &d, &new) || !leave_old(v, exit, &old) || !load_task(v, &new, &t))
        return;
    if (nested && !access(v, new.base, &old.selector, sizeof(old.selector), true))
        return;
    if (exit->task.reason != BY_IRET && !write_busy(v, &d, true))
        return;
    set_registers(v, &t, &new, nested);
    hvm_vendor->set_shadow(v, 0);
    if (!load_segments(v, &t))
        return;
    if (exit->task.has_error_code)
        push_error_code(v, &new, exit->task.error_code);
    if (t.trap) {
        v->hvm->dr6 |= 0x8000;
        hvm_vendor->update_dr(v);
        hvm_inject_exception(v, TRAP_debug, HVM_NO_ERROR_CODE);
    }
}
