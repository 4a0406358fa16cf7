/*
 * On the host the per-CPU block is a variable of the thread.
 */
#ifndef FAKE_HV_PERCPU_H
#define FAKE_HV_PERCPU_H

#define cpu_info real_cpu_info
#include_next <hv/percpu.h>
#undef cpu_info

extern __thread struct real_cpu_info fake_cpu_info;

static inline struct real_cpu_info *cpu_info(void)
{
    return &fake_cpu_info;
}

#endif
