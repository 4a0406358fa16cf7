/*
 * A domain with virtual chips for tests on the host: a clock that jumps from timer to timer, ports and memory
 * reached through the claims that the chips make, and vcpus whose waking is counted.
 */
#ifndef RIG_H
#define RIG_H

#include <hv/hvm.h>
#include <hv/vdev.h>
#include "../../../../hypervisor/hvm/vdev/lines.h"
#include "../../../../hypervisor/hvm/vdev/lapic.h"
#include "../../../../hypervisor/hvm/vdev/timers.h"
#include "../../check.h"

#define MS      1000000ULL
#define TSC_KHZ 2000000ULL

extern struct domain rig_domain;
extern uint64_t rig_tsc_offset; /* of the guest */
extern bool rig_x2apic_hidden;  /* CPUID offers no x2APIC */
extern unsigned rig_kicks[];    /* by vcpu: times it was woken */
extern unsigned rig_resets[], rig_startups[], rig_startup_page[];

extern uint64_t rig_pirq_bound, rig_pirq_events; /* by GSI: event channels instead of interrupts, and those sent */

extern uint32_t rig_assist; /* the guest's EOI assist: not 0: the next EOI may be left out */

void rig_start(unsigned vcpus, uint32_t emulation); /* keeps rig_domain.pause_count */
void rig_stop(void);
ns_t rig_time(void);
void rig_run(ns_t time); /* lets time pass, timers fire */
/* How many timers the next `time` would fire is bounded: ends the test above that. */
extern unsigned rig_timer_limit;

enum io_result port_in(unsigned vcpu, uint16_t port, unsigned bytes, uint32_t *value);
enum io_result port_out(unsigned vcpu, uint16_t port, unsigned bytes, uint32_t value);
uint8_t inb_(uint16_t port); /* vcpu 0, must be answered */
void outb_(uint16_t port, uint8_t value);
bool memory_access(unsigned vcpu, uint64_t gpa, unsigned bytes, bool write, uint64_t *value);
uint32_t read32(unsigned vcpu, uint64_t gpa);
void write32(unsigned vcpu, uint64_t gpa, uint32_t value);
uint64_t read64(unsigned vcpu, uint64_t gpa);
void write64(unsigned vcpu, uint64_t gpa, uint64_t value);

extern uint64_t rig_wallclock; /* of the host: seconds since 1970 at system time 0 */

/* Takes and ends the next interrupt as a guest would: its vector, -1 none. */
int take(unsigned vcpu); /* acknowledges only */
uint64_t rdmsr_(unsigned vcpu, uint32_t msr);
void wrmsr_(unsigned vcpu, uint32_t msr, uint64_t value);

#endif
