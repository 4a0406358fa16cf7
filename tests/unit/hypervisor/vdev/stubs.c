/* Records that other parts save: here they are not. And Microsoft's EOI assist, for a guest that has it; CPUID. */
#include <hv/vdev.h>
#include <hv/viridian.h>
#include "rig.h"

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

uint32_t rig_assist;
static bool offered;

void viridian_offer_eoi_assist(struct vcpu *v)
{
    offered = true;
    rig_assist = 1;
}
bool viridian_take_eoi_assist(struct vcpu *v)
{
    bool used = offered && !rig_assist;
    offered = false;
    rig_assist = 0;
    return used;
}
bool viridian_eoi_offered(const struct vcpu *v)
{
    return offered;
}

bool rig_x2apic_hidden;
void hvm_cpuid(struct vcpu *v, uint32_t leaf, uint32_t subleaf, struct cpuid *out)
{
    *out = (struct cpuid){.ecx = rig_x2apic_hidden ? 0 : 1U << 21};
}
