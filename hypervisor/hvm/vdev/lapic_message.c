/*
 * Messages between local APICs, and from IO-APIC and devices to them: who is meant, and what the kinds do.
 * Source: Intel SDM volume 3, 11.6 (destinations, lowest priority), 9.4 (INIT, start-up).
 */
#include <hv/sched.h>
#include "chips.h"
#include "lapic.h"

/* ---- destinations ---- */

static bool match_logical(const struct vlapic *l, uint32_t destination)
{
    uint32_t mine = l->logical_id;

    if (l->x2apic)
        return mine >> 16 == destination >> 16 && mine & destination & 0xffff;
    if (destination > 0xff)
        return false;
    mine >>= 24;
    if (l->destination_format >> 28 == 0xf) /* flat: a bit for each processor */
        return mine & destination;
    return (mine >> 4 == destination >> 4 || destination >> 4 == 0xf) && mine & destination & 0xf;
}

bool vlapic_match(const struct vcpu *v, uint32_t destination, bool logical)
{
    const struct vlapic *l = vlapic_of(v);

    if (!l || !l->hw_enabled)
        return false;
    if (destination == VLAPIC_BROADCAST)
        return true;
    return logical ? match_logical(l, destination) : l->id == destination;
}

/* The matching vcpu whose priority is lowest; among equals each in its turn. */
static struct vcpu *lowest_priority(struct domain *d, uint32_t destination, bool logical)
{
    struct lapics *all = chip_state(d, CHIP_LAPIC);
    unsigned first;
    struct vcpu *best = NULL;

    if (!all)
        return NULL;
    first = all->lowest_turn;
    for (unsigned i = 1; i <= d->max_vcpus; i++) {
        struct vcpu *v = d->vcpu[(first + i) % d->max_vcpus];
        if (v && vlapic_match(v, destination, logical) && vlapic_of(v)->enabled &&
            (!best || vlapic_of(v)->ppr < vlapic_of(best)->ppr))
            best = v;
    }
    if (best)
        all->lowest_turn = best->id;
    return best;
}

/* ---- INIT and start-up ---- */

static void note_init(struct vcpu *v)
{
    struct vlapic *l = vlapic_of(v);
    unsigned long flags = spin_lock_irqsave(&l->startup_lock);

    l->startup = STARTUP_INIT;
    spin_unlock_irqrestore(&l->startup_lock, flags);
    hvm_kick(v);
}

/* Only a processor that waits after reset or INIT listens to it; one that halted for good (offline too) does not. */
static void note_startup(struct vcpu *v, uint8_t page)
{
    struct vlapic *l = vlapic_of(v);
    unsigned long flags = spin_lock_irqsave(&l->startup_lock);
    bool waits = v->offline && !v->initialised;
    bool listens = (waits || l->startup & STARTUP_INIT) && !(l->startup & STARTUP_SIPI);

    if (listens) {
        l->startup |= STARTUP_SIPI | page;
        v->offline = false;
    }
    spin_unlock_irqrestore(&l->startup_lock, flags);
    if (listens) {
        vcpu_wake(v);
        hvm_kick(v);
    }
}

/* The reset comes before the note is taken: until then a start-up message that follows it is listened to. An INIT that
 * comes after the look for one has its reset too. */
static bool act_on_startup(struct vcpu *v, struct vlapic *l)
{
    bool was_reset = false;
    unsigned long flags;
    uint32_t startup;

    for (;;) {
        if (l->startup & STARTUP_INIT) {
            hvm_vcpu_reset(v);
            was_reset = true;
        }
        flags = spin_lock_irqsave(&l->startup_lock);
        startup = l->startup;
        if (was_reset || !(startup & STARTUP_INIT))
            break;
        spin_unlock_irqrestore(&l->startup_lock, flags);
    }
    l->startup = 0;
    v->offline = !(startup & STARTUP_SIPI) && !(l->base & APIC_BASE_BSP);
    spin_unlock_irqrestore(&l->startup_lock, flags);
    if (startup & STARTUP_SIPI)
        hvm_vcpu_startup(v, (uint8_t)startup);
    return !v->offline;
}

bool vlapic_take_startup(struct vcpu *v)
{
    struct vlapic *l = vlapic_of(v);

    if (likely(!l || !l->startup))
        return true;
    return act_on_startup(v, l);
}

bool vlapic_wait_for_startup(struct vcpu *v)
{
    struct vlapic *l = vlapic_of(v);
    unsigned long flags;

    if (!l) {
        v->offline = true;
        return true;
    }
    flags = spin_lock_irqsave(&l->startup_lock);
    if (!l->startup)
        v->offline = true;
    spin_unlock_irqrestore(&l->startup_lock, flags);
    return v->offline;
}

/* ---- delivery ---- */

/* False: the APIC refused. */
static bool deliver_to(struct vcpu *v, unsigned mode, uint8_t vector, bool level)
{
    switch (mode) {
    case APIC_FIXED:
    case APIC_LOWEST:
        return vlapic_set_irq(v, vector, level);
    case APIC_NMI:
        v->nmi_pending = true;
        hvm_kick(v);
        return true;
    case APIC_INIT:
        note_init(v);
        return true;
    case APIC_STARTUP:
        note_startup(v, vector);
        return true;
    default: /* system management mode there is none; ExtINT comes through vpic_reaches() */
        return true;
    }
}

static struct vcpu *by_id(struct domain *d, uint32_t id)
{
    struct vcpu *v = id % 2 || id / 2 >= d->max_vcpus ? NULL : d->vcpu[id / 2];

    return v && vlapic_match(v, id, false) ? v : NULL;
}

int vlapic_deliver(struct domain *d, uint32_t destination, bool logical, unsigned mode, uint8_t vector, bool level)
{
    bool any = false;
    struct vcpu *v;

    if (!logical && destination != VLAPIC_BROADCAST) {
        v = by_id(d, destination);
        return v && deliver_to(v, mode, vector, level) ? 0 : -EINVAL;
    }
    if (mode == APIC_LOWEST) {
        v = lowest_priority(d, destination, logical);
        return v && deliver_to(v, mode, vector, level) ? 0 : -EINVAL;
    }
    for_each_vcpu(d, v) {
        if (vlapic_match(v, destination, logical))
            any |= deliver_to(v, mode, vector, level);
    }
    return any ? 0 : -EINVAL;
}

enum shorthand { TO_DESTINATION, TO_SELF, TO_ALL, TO_OTHERS };

static void command_shorthand(struct vlapic *l, uint32_t command, enum shorthand to)
{
    unsigned mode = command >> 8 & 7;
    struct vcpu *v;

    if (to == TO_SELF) { /* only interrupts may be sent so */
        if (mode == APIC_FIXED)
            vlapic_set_irq(l->vcpu, (uint8_t)command, false);
        return;
    }
    for_each_vcpu(l->vcpu->domain, v) {
        if ((to == TO_ALL || v != l->vcpu) && vlapic_match(v, VLAPIC_BROADCAST, false))
            deliver_to(v, mode, (uint8_t)command, false);
    }
}

void vlapic_command(struct vlapic *l, uint32_t command, uint32_t destination)
{
    unsigned mode = command >> 8 & 7;

    if (unlikely((mode == APIC_FIXED || mode == APIC_LOWEST) && (command & 0xf0) == 0)) {
        vlapic_error(l, APIC_ERROR_SEND_VECTOR);
        return;
    }
    if (mode == APIC_INIT && (command & 0xc000) == 0x8000) /* the old "de-assert" does nothing */
        return;
    if (command >> 18 & 3)
        command_shorthand(l, command, command >> 18 & 3);
    else
        vlapic_deliver(l->vcpu->domain, destination, command >> 11 & 1, mode, (uint8_t)command, false);
}
