/*
 * What the toolstack's hypercalls use of HVM guests. The fake machine has none, unless fake_hvm_available says it
 * could.
 */
#include "fake.h"
#include <hv/abi_internal.h>
#include <hv/hvm_io.h>
#include <hv/sched.h>
#include <hv/vdev.h>

bool fake_hvm_available = true;

bool hvm_available(void)
{
    return fake_hvm_available;
}

void hvm_update_tsc_mode(struct domain *d)
{
}

void hvm_params_init(struct domain *d)
{
}

bool vcpu_waits_for_io(const struct vcpu *v)
{
    return false;
}

void hvm_vcpu_get_context(struct vcpu *v, struct vcpu_guest_context *c)
{
}

long domctl_gethvmcontext(struct request *r)
{
    return -EINVAL;
}

long domctl_sethvmcontext(struct request *r)
{
    return -EINVAL;
}

long domctl_gethvmcontext_partial(struct request *r)
{
    return -EINVAL;
}

long domctl_soft_reset(struct request *r)
{
    return -EINVAL;
}

int hvm_send_trigger(struct vcpu *v, uint32_t trigger)
{
    return 0;
}

int ioreq_server_get_frame(struct domain *d, uint32_t id, unsigned index, mfn_t *mfn)
{
    return -ENOENT;
}

void vrtc_set_time_offset(struct domain *d, int64_t seconds)
{
}
