/*
 * On test machines, the processors that PVH and HVM guests run on: ROUNDHOUSE_HVM_FIRST_CPU in the environment is the
 * number of the first one. An emulator may do such guests wrong on others (tests/rig/machine.py).
 */
#ifndef RH_TOOLSTACK_AFFINITY_H
#define RH_TOOLSTACK_AFFINITY_H

#include "guest_config.h"

#include <libxl.h>

/* For a new domain that is still paused. What cannot be done is logged, and the guest may run on all processors. */
void toolstack_affinity_set(libxl_ctx *ctx, uint32_t domid, const struct guest_config *config);

#endif
