/*
 * On the host the per-CPU block is a variable of the thread.
 */
#ifndef FAKE_HV_PERCPU_H
#define FAKE_HV_PERCPU_H

#define cpu_info      real_cpu_info
#define raise_softirq real_raise_softirq
#include_next <hv/percpu.h>
#undef cpu_info
#undef raise_softirq

/* Not inline: GNU ld rewrites the access to another file's thread variable in a way that breaks
 * GCC's null check of it. */
struct real_cpu_info *cpu_info(void);

static inline void raise_softirq(enum softirq n)
{
    set_bit(n, &this_cpu()->softirq_pending);
}

#endif
