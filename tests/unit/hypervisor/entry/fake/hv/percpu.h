/* hv/percpu.h for the host: the registers of the guest on this CPU are the test's. */
#ifndef FAKE_GUEST_REGS_H
#define FAKE_GUEST_REGS_H
#include_next <hv/percpu.h>
#undef guest_regs
extern struct cpu_user_regs fake_regs;
#define guest_regs() (&fake_regs)
#endif
