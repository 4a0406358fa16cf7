/*
 * The processes of a domain's device model. libxl gives each a uid of its own (xen-qemuuser-range-base plus the
 * domain's id; dm_restrict in domain_config.c), so whatever runs as that uid belongs to that domain and to nothing
 * else.
 */
#ifndef RH_DEVICE_MODEL_H
#define RH_DEVICE_MODEL_H

/* Kills what still runs of it, stopped processes too. For a domain that is at its end, or gone: QEMU holds its memory.
 */
void device_model_kill(int domid);

#endif
