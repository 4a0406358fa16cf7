/* Records that other parts save: here they are not. */
#include <hv/vdev.h>

static int save(struct domain *d, struct hvm_save_buffer *b)
{
    return 0;
}
static int load(struct domain *d, unsigned instance, const void *body)
{
    return -ENODEV;
}
#define STUB(name, code) const struct hvm_save_handler name = {code, 64, save, load};
STUB(save_cpu, 2)
STUB(save_mtrr, 14)
STUB(save_viridian_domain, 15)
STUB(save_viridian_vcpu, 17)
STUB(save_vmce_vcpu, 18)
STUB(save_tsc_adjust, 19)
STUB(save_cpu_xsave, 16)
STUB(save_cpu_msr, 20)
