/*
 * Events for the guest: exceptions that our emulation raises, what an exit cut short, interrupts and NMIs. One waits in
 * hvm->pending for the next entry; a second one merges with it as in the processor. Sources: Intel SDM volume 3, 6.15
 * (table 6-5); AMD APM volume 2, 8.2.9 and 15.20.
 */
#include <hv/domain_log.h>
#include <hv/cpu.h>
#include <hv/event_channel.h>
#include <hv/hvm_exit.h>
#include <hv/hvm_io.h>
#include <hv/hvm_irq.h>
#include <hv/traps.h>
#include <hv/vdev.h>
#include <xen/sched.h>

enum exception_class { BENIGN, CONTRIBUTORY, PAGE_FAULT };

static enum exception_class class_of(const struct hvm_event *e)
{
    const uint32_t contributory = 1U << TRAP_divide_error | 1U << TRAP_invalid_tss | 1U << TRAP_no_segment |
                                  1U << TRAP_stack_error | 1U << TRAP_gp_fault;
    if (e->kind != HVM_EVENT_EXCEPTION || e->vector >= 32)
        return BENIGN;
    if (e->vector == TRAP_page_fault)
        return PAGE_FAULT;
    return contributory >> e->vector & 1 ? CONTRIBUTORY : BENIGN;
}

static void triple_fault(struct vcpu *v)
{
    const struct cpu_user_regs *r = hvm_regs(v);
    domain_log(LOG_INFO, v->domain, "triple fault at rip %lx; the guest restarts", r->rip);
    v->hvm->pending.valid = false;
    domain_shutdown(v->domain, SHUTDOWN_reboot);
}

/* An exception while another waits to be delivered: it was raised by that delivery. */
static void merge_exception(struct vcpu *v, const struct hvm_event *second)
{
    struct hvm_event *first = &v->hvm->pending;
    enum exception_class was = class_of(first), is = class_of(second);
    if (first->vector == TRAP_double_fault && is != BENIGN) {
        triple_fault(v);
        return;
    }
    if ((was == CONTRIBUTORY && is == CONTRIBUTORY) || (was == PAGE_FAULT && is != BENIGN)) {
        *first = (struct hvm_event){
            .valid = true, .vector = TRAP_double_fault, .kind = HVM_EVENT_EXCEPTION, .has_error_code = true};
        return;
    }
    *first = *second; /* in turn: the instruction that raised the first runs again afterwards */
}

void hvm_inject_event(struct vcpu *v, const struct hvm_event *event)
{
    struct hvm_vcpu *h = v->hvm;
    if (h->pending.valid && event->kind == HVM_EVENT_EXCEPTION) {
        if (h->pending.kind == HVM_EVENT_EXCEPTION) {
            merge_exception(v, event);
            return;
        }
        /* An interrupt has been taken from its controller and must not get lost: it comes after the exception. So does
         * an NMI, apart from it: one may have been delivered while an interrupt was waiting here. */
        if (h->pending.kind == HVM_EVENT_NMI)
            v->nmi_pending = true;
        else if (h->pending.kind != HVM_EVENT_SOFTWARE)
            h->postponed = h->pending;
    }
    h->pending = *event;
    h->pending.valid = true;
}

void hvm_inject_exception(struct vcpu *v, uint8_t vector, uint32_t error_code)
{
    struct hvm_event e = {.valid = true, .vector = vector, .kind = HVM_EVENT_EXCEPTION};
    e.has_error_code = error_code != HVM_NO_ERROR_CODE;
    e.error_code = e.has_error_code ? error_code : 0;
    hvm_inject_event(v, &e);
}

#define DR6_SINGLE_STEP    0x4000UL
#define DR7_GENERAL_DETECT 0x2000UL /* off while #DB is handled */

void hvm_single_step(struct vcpu *v)
{
    if (hvm_vendor->sync)
        hvm_vendor->sync(v);
    v->hvm->dr6 |= DR6_SINGLE_STEP;
    v->hvm->dr7 &= ~DR7_GENERAL_DETECT;
    hvm_vendor->update_dr(v);
    hvm_inject_exception(v, TRAP_debug, HVM_NO_ERROR_CODE);
}

void hvm_inject_page_fault(struct vcpu *v, uint64_t address, uint32_t error_code)
{
    struct hvm_event e = {.valid = true,
                          .vector = TRAP_page_fault,
                          .kind = HVM_EVENT_EXCEPTION,
                          .has_error_code = true,
                          .error_code = error_code,
                          .cr2 = address};
    hvm_inject_event(v, &e);
}

/* ---- on the way in ---- */

static void offer_nmi(struct vcpu *v)
{
    if (!hvm_vendor->can_interrupt(v, true)) {
        hvm_vendor->want_window(v, true);
        return;
    }
    v->nmi_pending = false;
    v->hvm->pending = (struct hvm_event){.valid = true, .vector = TRAP_nmi, .kind = HVM_EVENT_NMI};
}

static void offer_postponed(struct vcpu *v)
{
    struct hvm_event *e = &v->hvm->postponed;
    if (!hvm_vendor->can_interrupt(v, false)) {
        hvm_vendor->want_window(v, false);
        return;
    }
    v->hvm->pending = *e;
    e->valid = false;
}

static void offer_interrupt(struct vcpu *v)
{
    int vector = hvm_pending_interrupt(v, false);
    if (likely(vector < 0))
        return;
    if (!hvm_vendor->can_interrupt(v, false)) {
        hvm_vendor->want_window(v, false);
        return;
    }
    vector = hvm_pending_interrupt(v, true);
    if (vector >= 0)
        v->hvm->pending = (struct hvm_event){.valid = true, .vector = (uint8_t)vector, .kind = HVM_EVENT_EXTERNAL};
}

/* An NMI that has to wait holds interrupts back too: its handler's IRET is near. */
static void offer_events(struct vcpu *v)
{
    if (unlikely(v->nmi_pending))
        offer_nmi(v);
    else if (unlikely(v->hvm->postponed.valid))
        offer_postponed(v);
    else
        offer_interrupt(v);
}

/* The device model has answered: the exit is handled again, with what the instruction did already in the cache. */
static void resume(struct vcpu *v)
{
    struct hvm_vcpu *h = v->hvm;
    if (!hvm_io_complete(v))
        return;
    if (h->redo_valid) {
        h->redo_valid = false;
        hvm_handle_exit(v, guest_regs(), h->redo);
    }
}

/* An upcall is an edge: one that the local APIC did not take would be the last. */
static void raise_owed_upcall(struct vcpu *v)
{
    if (!vlapic_enabled(v))
        return;
    v->hvm->upcall_owed = false;
    if (vcpu_event_pending(v))
        hvm_assert_upcall(v);
}

/* Takes INIT and start-up messages, completes answered I/O, chooses the event that is due. False: to be asked again
 * once softirqs are served; one is raised if v may not run. */
static bool prepare_entry(struct vcpu *v)
{
    struct hvm_vcpu *h = v->hvm;
    if (unlikely(h->io_servers | h->io_invalidate | h->redo_valid)) {
        irq_enable();
        resume(v);
        irq_disable();
        return false;
    }
    if (unlikely(!vlapic_take_startup(v))) {
        raise_softirq(SOFTIRQ_SCHEDULE);
        return false;
    }
    if (unlikely(h->upcall_owed))
        raise_owed_upcall(v);
    if (likely(!h->pending.valid))
        offer_events(v);
    return true;
}

/* A p2m change bumps the generation and then interrupts this CPU: what is not seen here comes as an exit. */
static void enter(struct vcpu *v)
{
    struct hvm_vcpu *h = v->hvm;
    uint64_t generation = v->domain->hvm->tlb_generation;
    if (unlikely(h->tlb_generation != generation)) {
        h->tlb_generation = generation;
        hvm_vendor->flush_tlb(v);
    }
    if (h->pending.valid) {
        hvm_vendor->inject(v, &h->pending);
        h->pending.valid = false;
    }
    hvm_vendor->enter();
}

bool hvm_resume(struct vcpu *v)
{
    if (prepare_entry(v))
        enter(v);
    return true;
}
