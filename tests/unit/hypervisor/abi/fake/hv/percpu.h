/*
 * The running vcpu of the tests: a variable instead of the top of the stack. All else is the real header.
 */
#ifndef FAKE_HV_PERCPU_H
#define FAKE_HV_PERCPU_H

#include_next <hv/percpu.h>
#undef current

extern struct vcpu *fake_current;
#define current fake_current

#endif
