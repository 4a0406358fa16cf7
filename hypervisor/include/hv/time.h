/*
 * Time of day and system time. x86/time.c has the machine's clocks, core/guest_time.c what guests are told.
 */
#ifndef HV_TIME_H
#define HV_TIME_H

#include <hv/types.h>

struct vcpu;
struct domain;

/* Finds the best counter (HPET, PM timer, PIT), measures the TSC against it. Boot CPU, interrupts off. */
void time_init(void);
/* Gives this CPU the boot CPU's clock. */
void time_init_cpu(void);
/* System time in ns: monotonic on one CPU, and equal on all within the error of TSC synchronisation. */
ns_t now(void);
uint64_t tsc_khz(void);
void udelay(unsigned microseconds);
/* Arms this CPU's local APIC timer (or TSC deadline) for `deadline`; 0 = off. Interrupts off. */
void apic_timer_set(ns_t deadline);

/* The date of the CMOS clock, in seconds since 1970. */
uint64_t cmos_seconds(void);
/* Seconds and ns since 1970 at system time 0; from the CMOS clock, then XENPF_settime64 by Domain-0. */
void wallclock_get(uint64_t *seconds, uint32_t *nanoseconds);
void wallclock_set(uint64_t seconds, uint32_t nanoseconds, ns_t at);

/* Fills the ABI's time fields: vcpu_info.time and shared_info.wc*. Versions are odd while being written. */
void vcpu_update_time(struct vcpu *v);
void domain_update_wallclock(struct domain *d);
/* Sets d->shared_info to NULL. The page is the caller's: nobody writes to it any more. */
struct shared_info *wallclock_take_page(struct domain *d);

#endif
