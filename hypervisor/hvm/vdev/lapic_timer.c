/*
 * Timer of the virtual local APIC. Sources: Intel SDM volume 3, 11.5.4; AMD APM volume 2, 16.4.1.
 *
 * The count is not kept but computed from the time at which it was started. A software timer runs only while its end
 * would interrupt. That of a periodic timer is set anew when the guest takes the interrupt, to the next end of a
 * period: ticks that a vcpu slept through become one, the phase stays, and a guest gets no more host interrupts than
 * it serves. The timer's function only reads, so a guest that stops its timer while the function runs on another CPU
 * gets one late interrupt at worst, as it may on a processor.
 */
#include <hv/domain_tsc.h>
#include "lapic.h"

#define MODE_MASK     0x00060000U
#define MODE_PERIODIC 0x00020000U
#define MODE_DEADLINE APIC_LVT_TIMER_DEADLINE
/* Longer than that a deadline is not looked ahead; the timer's function then finds it still to come. */
#define FARTHEST_DEADLINE (1ULL << 50)
_Static_assert(FARTHEST_DEADLINE <= (1ULL << 62) / (1000000 / DOMAIN_TSC_MIN_KHZ), "a number of ns");

static uint32_t timer_mode(const struct vlapic *l)
{
    return READ_ONCE(l->lvt[LVT_TIMER]) & MODE_MASK;
}

static uint64_t period_of(const struct vlapic *l)
{
    return (uint64_t)l->timer_initial * l->timer_unit;
}

static void set_for_deadline(struct vlapic *l, uint64_t counts)
{
    const struct clock_scale scale = domain_tsc_scale(l->vcpu->domain);
    ns_t ns = clock_scale_to_ns(min(counts, FARTHEST_DEADLINE), scale.multiplier, scale.shift);

    /* Never early: the conversion rounds down, by less than this. */
    timer_set(&l->timer, now() + ns + (ns >> 30) + 1);
}

static void fires(void *data)
{
    struct vlapic *l = data;
    uint64_t deadline = READ_ONCE(l->tsc_deadline);

    if (unlikely(deadline) && timer_mode(l) == MODE_DEADLINE) {
        uint64_t tsc = hvm_guest_tsc(l->vcpu);
        if (unlikely(deadline > tsc)) {
            set_for_deadline(l, deadline - tsc);
            return;
        }
    }
    vlapic_local(l, LVT_TIMER);
}

/* End of the period that `time` is in. */
static ns_t next_tick(const struct vlapic *l, ns_t time)
{
    uint64_t period = period_of(l);

    return l->timer_start + ((time - l->timer_start) / period + 1) * period;
}

void vlapic_timer_taken(struct vlapic *l)
{
    timer_set(&l->timer, next_tick(l, now()));
}

/* One-shot and periodic; unmasked. due: an interrupt is on its way already. */
static void update_counting(struct vlapic *l, bool due)
{
    ns_t time = now();

    if (!l->timer_initial)
        return;
    if (timer_mode(l) == MODE_PERIODIC) {
        l->timer_vector = (uint8_t)l->lvt[LVT_TIMER];
        timer_set(&l->timer, due ? time : next_tick(l, time));
    } else if (due || time - l->timer_start < period_of(l)) {
        timer_set(&l->timer, l->timer_start + period_of(l));
    }
}

static void update_deadline(struct vlapic *l, bool due)
{
    uint64_t tsc = hvm_guest_tsc(l->vcpu);

    if (l->tsc_deadline > tsc)
        set_for_deadline(l, l->tsc_deadline - tsc);
    else if (l->tsc_deadline && due)
        timer_set(&l->timer, now());
}

void vlapic_timer_update(struct vlapic *l)
{
    bool due = l->timer.active && l->timer.deadline <= now();

    timer_stop(&l->timer);
    l->timer_vector = -1;
    if (l->lvt[LVT_TIMER] & APIC_LVT_MASKED)
        return;
    if (timer_mode(l) == MODE_DEADLINE)
        update_deadline(l, due);
    else
        update_counting(l, due);
}

void vlapic_timer_write_initial(struct vlapic *l, uint32_t count)
{
    uint32_t lvt = l->lvt[LVT_TIMER];

    if ((lvt & MODE_MASK) == MODE_DEADLINE)
        return;
    l->timer_initial = count;
    l->timer_start = now();
    if (likely(count && !(lvt & (MODE_MASK | APIC_LVT_MASKED)))) {
        timer_set(&l->timer, l->timer_start + period_of(l));
        return;
    }
    timer_stop(&l->timer);
    vlapic_timer_update(l);
}

/* The count goes on from where it is. */
void vlapic_timer_write_divide(struct vlapic *l, uint32_t value)
{
    uint32_t done = l->timer_initial - vlapic_timer_count(l);
    unsigned code = (value & 3) | (value >> 1 & 4);

    l->timer_divide = value;
    l->timer_unit = VLAPIC_BUS_NS << (code == 7 ? 0 : code + 1);
    l->timer_start = now() - (uint64_t)done * l->timer_unit;
    vlapic_timer_update(l);
}

void vlapic_timer_write_deadline(struct vlapic *l, uint64_t tsc)
{
    uint64_t time;

    if (timer_mode(l) != MODE_DEADLINE)
        return;
    WRITE_ONCE(l->tsc_deadline, tsc);
    if (!tsc || l->lvt[LVT_TIMER] & APIC_LVT_MASKED) {
        timer_stop(&l->timer);
        return;
    }
    time = hvm_guest_tsc(l->vcpu);
    if (tsc > time) {
        set_for_deadline(l, tsc - time);
    } else {
        timer_stop(&l->timer);
        WRITE_ONCE(l->tsc_deadline, 0);
        vlapic_local(l, LVT_TIMER);
    }
}

uint64_t vlapic_timer_read_deadline(struct vlapic *l)
{
    return l->tsc_deadline > hvm_guest_tsc(l->vcpu) ? l->tsc_deadline : 0;
}

/* An armed deadline that the new count has passed is due. */
void vlapic_tsc_changed(struct vcpu *v)
{
    struct vlapic *l = vlapic_of(v);

    if (!l || timer_mode(l) != MODE_DEADLINE || !l->timer.active)
        return;
    timer_stop(&l->timer);
    update_deadline(l, true);
}

uint32_t vlapic_timer_count(const struct vlapic *l)
{
    uint64_t done;

    if (!l->timer_initial || timer_mode(l) == MODE_DEADLINE)
        return 0;
    done = (now() - l->timer_start) / l->timer_unit;
    if (timer_mode(l) == MODE_PERIODIC)
        return l->timer_initial - (uint32_t)(done % l->timer_initial);
    return done >= l->timer_initial ? 0 : l->timer_initial - (uint32_t)done;
}

/* A deadline that was loaded was to come when it was saved: if it has passed since, it is due. */
void vlapic_timer_loaded(struct vlapic *l)
{
    vlapic_timer_update(l);
    if (timer_mode(l) == MODE_DEADLINE && !(l->lvt[LVT_TIMER] & APIC_LVT_MASKED) && l->tsc_deadline)
        update_deadline(l, true);
}

void vlapic_timer_restore(struct vlapic *l, uint32_t initial, uint32_t done)
{
    l->timer_initial = initial;
    l->timer_start = now() - (uint64_t)done * l->timer_unit;
    vlapic_timer_loaded(l);
}

void vlapic_migrate_timers(struct vcpu *v, struct cpu *cpu)
{
    if (vlapic_of(v))
        timer_migrate(&vlapic_of(v)->timer, cpu);
    if (v->id == 0)
        vtimers_migrate(v->domain, cpu);
}

void vlapic_timer_init(struct vlapic *l)
{
    l->timer_unit = VLAPIC_BUS_NS * 2;
    l->timer_vector = -1;
    timer_init(&l->timer, fires, l, l->vcpu->cpu ? l->vcpu->cpu : this_cpu());
}
