/*
 * On the host the per-CPU block is a variable of the thread.
 */
#ifndef FAKE_HV_PERCPU_H
#define FAKE_HV_PERCPU_H

#define cpu_info real_cpu_info
#include_next <hv/percpu.h>
#undef cpu_info

/* Not inline: GNU ld rewrites the access to another file's thread variable in a way that breaks
 * GCC's null check of it. */
struct real_cpu_info *cpu_info(void);

#endif
