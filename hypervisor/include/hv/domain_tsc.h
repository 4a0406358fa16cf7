/*
 * A domain's time stamp counter: the processor's own, or one made of system time, which needs each rdtsc of the guest
 * to come to us. HVM vcpus add their offset. Set while the domain is made (abi/domctl_x86.c), constant afterwards.
 * Sources: xen-tscmode(7); public/domctl.h, XEN_DOMCTL_settscinfo.
 */
#ifndef HV_DOMAIN_TSC_H
#define HV_DOMAIN_TSC_H

#include <hv/clock_scale.h>
#include <hv/cpu.h>
#include <hv/domain.h>
#include <hv/percpu.h>
#include <hv/time.h>

/* What an emulated counter may be like: a saved guest brings it along. So a count never comes to its end, where it
 * would stand still, and FARTHEST_DEADLINE of the local APIC's timer is a number of ns. */
#define DOMAIN_TSC_MIN_KHZ     1000U
#define DOMAIN_TSC_MAX_KHZ     8000000U
#define DOMAIN_TSC_MAX_ELAPSED (1ULL << 59) /* ns, 18 years; and as long from then on */

enum tsc_mode { TSC_MODE_DEFAULT, TSC_MODE_ALWAYS_EMULATE, TSC_MODE_NEVER_EMULATE };

/* From counts to ns. */
static inline struct clock_scale domain_tsc_scale(const struct domain *d)
{
    const struct cpu *cpu = this_cpu();
    return d->tsc.emulated ? d->tsc.scale : (struct clock_scale){cpu->clock.multiplier, cpu->clock.shift};
}

static inline uint32_t domain_tsc_khz(const struct domain *d)
{
    return d->tsc.emulated ? d->tsc.khz : (uint32_t)tsc_khz();
}

/* At a moment of system time, not before domain_tsc_start; only of an emulated counter. */
static inline uint64_t domain_tsc_at(const struct domain *d, ns_t time)
{
    return clock_ns_to_counts(time + d->tsc.ahead, d->tsc.counts_per_ns);
}

static inline uint64_t domain_tsc(const struct domain *d)
{
    return unlikely(d->tsc.emulated) ? domain_tsc_at(d, now()) : rdtsc();
}

/* A moment, and how time goes on from there: what a guest needs to tell the time by its counter. */
struct tsc_anchor {
    uint64_t count;
    ns_t time;
    struct clock_scale scale;
};

/* The processor's own has it where this CPU's clock was last set; an emulated one where it begins to count: the first
 * moment of system time, or its own if that came later. */
static inline struct tsc_anchor domain_tsc_anchor(const struct domain *d)
{
    const struct cpu *cpu = this_cpu();
    const ns_t start = (int64_t)d->tsc.ahead < 0 ? -d->tsc.ahead : 0;
    return d->tsc.emulated ? (struct tsc_anchor){domain_tsc_at(d, start), start, d->tsc.scale}
                           : (struct tsc_anchor){cpu->clock.tsc, cpu->clock.time, domain_tsc_scale(d)};
}

#endif
