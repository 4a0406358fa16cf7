/*
 * What differs between the two kinds of guest, for those below who make, run and end either: one row of functions
 * each, in pv/guest.c and hvm/guest.c. NULL: that kind has nothing to do there.
 */
#ifndef HV_GUEST_KIND_H
#define HV_GUEST_KIND_H

#include <hv/hvm.h>
#include <hv/irq.h>

struct guest_kind {
    /* A domain's and a vcpu's own part: made, given back while it dies (-ERESTART: again), freed. */
    int (*domain_init)(struct domain *d, const struct xen_domctl_createdomain *config);
    int (*domain_relinquish)(struct domain *d);
    int (*relinquish_memory)(struct domain *d); /* its frames, at last; they may be page tables of a PV guest's */
    void (*domain_destroy)(struct domain *d);
    int (*vcpu_init)(struct vcpu *v);
    void (*vcpu_release)(struct vcpu *v);
    void (*vcpu_destroy)(struct vcpu *v);
    /* The timers of its chips: they stand still while the domain is paused, and follow a vcpu to its new CPU. */
    void (*freeze_timers)(struct domain *d, bool freeze);
    void (*migrate_timers)(struct vcpu *v, struct cpu *cpu);
    /* core/context.c: the current vcpu's registers into memory, the new current one's into the processor. */
    void (*put_away)(struct vcpu *v);
    void (*install)(struct vcpu *v);
    /* core/exit_work.c, interrupts off before and after: one step on the way into v, which is current. False: there is
     * none left, and the registers of entry.S are those to go on with. A vcpu that is entered otherwise is so from
     * here. */
    bool (*resume)(struct vcpu *v);
    const struct pirq_operations *pirqs;
    /* core/event_channel.c, of a kind whose events come as interrupts (vcpu.hvm): the flag of v's events has just been
     * set; the vector that v would take now, -1: none (hv/hvm_irq.h). */
    void (*assert_upcall)(struct vcpu *v);
    int (*pending_interrupt)(struct vcpu *v, bool acknowledge);
};
extern const struct guest_kind pv_guest, hvm_guest;

static inline const struct guest_kind *guest_kind(const struct domain *d)
{
    return is_hvm(d) ? &hvm_guest : &pv_guest;
}

#endif
