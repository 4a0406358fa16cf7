/*
 * Handing control to a PV guest's kernel: the stack frame of an exception, event or system call, and the switch between
 * its user and kernel modes (both run in ring 3; they differ in root table and GS base).
 * Source: arch-x86/xen.h and xen-x86_64.h (trap_info, frame layout), callback.h.
 */
#include <hv/console.h>
#include <hv/cpu.h>
#include <hv/event_channel.h>
#include <hv/guest_copy.h>
#include <hv/pv.h>
#include <hv/pv_internal.h>

bool pv_toggle_mode(struct vcpu *v)
{
    if (v->pv.kernel_mode && !v->pv.root_user)
        return false;
    swap_gs();
    v->pv.kernel_mode = !v->pv.kernel_mode;
    load_guest_root(v);
    return true;
}

uint64_t pv_sane_rflags(uint64_t rflags)
{
    rflags &= ~(X86_EFLAGS_IOPL | X86_EFLAGS_VM | X86_EFLAGS_VIF | X86_EFLAGS_VIP | X86_EFLAGS_NT);
    return (rflags & 0x3fffff) | X86_EFLAGS_IF | 2;
}

/* A kernel is in ring 1 as far as its level of ports goes, and in ring 0 for one that takes it from the flags. */
bool pv_iopl_allows(const struct vcpu *v)
{
    if (guest_kernel_mode(v))
        return v->pv.iopl >= 1 || pv_assist(v, VMASST_TYPE_architectural_iopl);
    return v->pv.iopl == 3;
}

uint64_t pv_guest_rflags(const struct vcpu *v, const struct cpu_user_regs *regs)
{
    uint64_t rflags = regs->rflags & ~(X86_EFLAGS_IF | X86_EFLAGS_IOPL);
    if (!v->info->evtchn_upcall_mask)
        rflags |= X86_EFLAGS_IF;
    if (pv_assist(v, VMASST_TYPE_architectural_iopl))
        rflags |= (uint64_t)v->pv.iopl << 12;
    return rflags;
}

/* What a frame may have between r11 and rip: an error code, or the selectors of a failsafe callback. */
#define MAX_EXTRA_WORDS 4
struct extra {
    uint64_t word[MAX_EXTRA_WORDS];
    unsigned count;
};

/* Layout, from the stack pointer up: rcx, r11, [extra], rip, cs with the event mask in bits 32-39, rflags, rsp, ss. */
static unsigned build_frame(uint64_t *frame, const struct vcpu *v, const struct cpu_user_regs *regs,
                            const struct extra *extra, bool was_kernel)
{
    unsigned n = 0;
    frame[n++] = regs->rcx;
    frame[n++] = regs->r11;
    for (unsigned i = 0; i < extra->count; i++)
        frame[n++] = extra->word[i];
    frame[n++] = regs->rip;
    frame[n++] = (was_kernel ? regs->cs & ~3UL : regs->cs) | (uint64_t)v->info->evtchn_upcall_mask << 32;
    frame[n++] = pv_guest_rflags(v, regs);
    frame[n++] = regs->rsp;
    frame[n++] = regs->ss;
    return n;
}

static void bounce(struct cpu_user_regs *regs, unsigned long address, bool mask_events, const struct extra *extra)
{
    struct vcpu *v = current;
    bool was_kernel = guest_kernel_mode(v);
    uint64_t frame[7 + MAX_EXTRA_WORDS] __uninitialized;
    unsigned words = build_frame(frame, v, regs, extra, was_kernel);
    unsigned long sp = was_kernel ? regs->rsp : v->pv.kernel_sp;
    if (!was_kernel)
        pv_toggle_mode(v);
    sp = (sp & ~15UL) - words * 8;
    if (copy_to_guest_va(sp, frame, words * 8)) {
        domain_crash(v->domain, "no stack for an exception: rsp %#lx, going to %#lx from %#lx", sp, address, regs->rip);
        return;
    }
    if (mask_events)
        v->info->evtchn_upcall_mask = 1;
    regs->entry_vector = 0;
    regs->rip = address;
    regs->cs = GUEST_CS64;
    regs->ss = GUEST_DS;
    regs->rsp = sp;
    regs->rflags = pv_sane_rflags(regs->rflags) & ~(X86_EFLAGS_TF | X86_EFLAGS_RF | X86_EFLAGS_AC | X86_EFLAGS_DF);
}

void pv_bounce(struct cpu_user_regs *regs, unsigned long address, bool mask_events, uint64_t error_code)
{
    struct extra extra __uninitialized;
    extra.count = error_code != NO_ERROR_CODE;
    extra.word[0] = error_code;
    bounce(regs, address, mask_events, &extra);
}

void pv_inject_trap(struct cpu_user_regs *regs, unsigned vector, uint32_t error_code)
{
    struct vcpu *v = current;
    const struct trap_info *trap = &v->pv.trap[vector];
    if (!trap->address) {
        domain_crash(v->domain, "exception %u at rip %#lx (error %x), and no handler for it", vector, regs->rip,
                     error_code);
        return;
    }
    pv_bounce(regs, trap->address, TI_GET_IF(trap), trap_has_error_code(vector) ? error_code : NO_ERROR_CODE);
}

/* The guest's kernel runs in ring 3 too: to it, its own accesses are supervisor ones. */
void pv_inject_page_fault(struct cpu_user_regs *regs, unsigned long address, uint32_t error_code)
{
    struct vcpu *v = current;
    if (guest_kernel_mode(v))
        error_code &= ~PF_USER;
    v->info->arch.cr2 = address;
    pv_inject_trap(regs, TRAP_page_fault, error_code);
}

/* A guest that has not registered one finds its selectors null, as others would. */
static void failsafe(struct vcpu *v, struct cpu_user_regs *regs)
{
    struct extra selectors = {.count = ARRAY_SIZE(v->pv.lost_selectors)};
    for (unsigned i = 0; i < selectors.count; i++)
        selectors.word[i] = v->pv.lost_selectors[i];
    v->pv.selectors_lost = false;
    if (v->pv.failsafe.address)
        bounce(regs, v->pv.failsafe.address, v->pv.failsafe.mask_events, &selectors);
}

static void deliver_pending(struct vcpu *v, struct cpu_user_regs *regs)
{
    if (v->pv.selectors_lost) {
        failsafe(v, regs);
        return;
    }
    if (v->nmi_pending) {
        v->nmi_pending = false;
        if (v->pv.nmi.address)
            pv_bounce(regs, v->pv.nmi.address, true, NO_ERROR_CODE);
        return;
    }
    if (!v->pv.event.address) {
        v->info->evtchn_upcall_mask = 1; /* cannot take it: the guest has told us no entry point yet */
        return;
    }
    pv_bounce(regs, v->pv.event.address, true, NO_ERROR_CODE);
}

/* Not on the way of a hypercall that leaves nothing to do. */
static __noinline bool deliver(struct vcpu *v)
{
    irq_enable();
    deliver_pending(v, guest_regs());
    irq_disable();
    return true;
}

static bool needs_delivery(const struct vcpu *v)
{
    return (vcpu_event_pending(v) && !READ_ONCE(v->info->evtchn_upcall_mask)) || v->nmi_pending || v->pv.selectors_lost;
}

/* A frame changed by other means than the hypercall itself must not go back by sysret; those places set entry_vector.
 */
bool pv_resume(struct vcpu *v)
{
    return needs_delivery(v) && deliver(v);
}
