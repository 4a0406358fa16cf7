/*
 * XEN_DOMCTL_createdomain: what a domain may be asked to be, and a line in the log that names what it may not.
 * Source: xen/domctl.h.
 */
#include <hv/abi_internal.h>
#include <hv/domain_log.h>
#include <hv/hvm.h>

#define FIELD(name) offsetof(struct xen_domctl_createdomain, name)

/* Bits that ask for what there is not; of fields of 32 bits. Names are those of xl's options where there is one. */
static const struct {
    size_t field;
    uint32_t bits;
    int error;
    const char *option;
} absent[] = {
    {FIELD(flags), XEN_DOMCTL_CDF_nested_virt, -EOPNOTSUPP, "nestedhvm=: virtualisation inside of a guest"},
    {FIELD(flags), XEN_DOMCTL_CDF_vpmu, -EOPNOTSUPP, "vpmu=: performance counters"},
    {FIELD(flags), XEN_DOMCTL_CDF_iommu, -EINVAL, "passthrough=: devices of the machine"},
    {FIELD(flags), XEN_DOMCTL_CDF_s3_integrity, -EINVAL, "a checksum of memory over suspend (tboot)"},
    {FIELD(flags), ~(uint32_t)(XEN_DOMCTL_CDF_MAX * 2 - 1), -EINVAL, "a flag of a later interface"},
    {FIELD(iommu_opts), ~0U, -EINVAL, "passthrough=: devices of the machine"},
    {FIELD(vmtrace_size), ~0U, -EOPNOTSUPP, "vmtrace_buf_kb=: traces by the processor"},
    {FIELD(cpupool_id), ~0U, -EINVAL, "pool=: another pool than the first"},
    {FIELD(arch.misc_flags), ~(uint32_t)XEN_X86_MISC_FLAGS_MAX, -EINVAL, "a flag of a later interface"},
};

_Static_assert(sizeof(((struct xen_domctl_createdomain *)0)->flags) == 4, "ABI");
_Static_assert(sizeof(((struct xen_domctl_createdomain *)0)->iommu_opts) == 4, "ABI");
_Static_assert(sizeof(((struct xen_domctl_createdomain *)0)->vmtrace_size) == 4, "ABI");
_Static_assert(sizeof(((struct xen_domctl_createdomain *)0)->cpupool_id) == 4, "ABI");
_Static_assert(sizeof(((struct xen_domctl_createdomain *)0)->arch.misc_flags) == 4, "ABI");

/* The sets of chips there are: none but the local APIC (PVH), or those of a PC, with or without its interrupts as
 * event channels. VGA and IOMMU in it name no chip of ours: the device model has the one, nobody the other. */
static const uint32_t emulation_sets[] = {
    XEN_X86_EMU_LAPIC,
    XEN_X86_EMU_ALL & ~XEN_X86_EMU_VPCI,
    XEN_X86_EMU_ALL & ~XEN_X86_EMU_VPCI & ~XEN_X86_EMU_USE_PIRQ,
};

static int refuse(int error, const char *option)
{
    return domain_refuse(current->domain, error, option);
}

/* Memory is translated by the processor or not at all. */
static int check_hvm(const struct xen_domctl_createdomain *config)
{
    if (!hvm_available())
        return refuse(-EOPNOTSUPP, "type=hvm, type=pvh: this machine has neither SVM nor VT-x, or it is switched off");
    if (!(config->flags & XEN_DOMCTL_CDF_hap))
        return refuse(-EOPNOTSUPP, "hap=0: page tables in the shadow of a guest's");
    for (unsigned i = 0; i < ARRAY_SIZE(emulation_sets); i++)
        if (config->arch.emulation_flags == emulation_sets[i])
            return 0;
    return refuse(-EOPNOTSUPP, "a set of emulated chips that is neither PVH's nor a PC's");
}

static int check_pv(const struct xen_domctl_createdomain *config)
{
    if (config->flags & XEN_DOMCTL_CDF_hap)
        return refuse(-EINVAL, "hap= of a PV guest");
    return config->arch.emulation_flags ? refuse(-EOPNOTSUPP, "emulated chips of a PV guest") : 0;
}

static int check_create(const struct xen_domctl_createdomain *config)
{
    unsigned version = XEN_DOMCTL_GRANT_version(config->grant_opts);

    for (unsigned i = 0; i < ARRAY_SIZE(absent); i++)
        if (*(const uint32_t *)((const uint8_t *)config + absent[i].field) & absent[i].bits)
            return refuse(absent[i].error, absent[i].option);
    if (!config->max_vcpus || config->max_vcpus > MAX_VCPUS)
        return refuse(-EINVAL, "maxvcpus=: from 1 to 64 there can be");
    if (version < 1 || version > 2)
        return refuse(-EINVAL, "max_grant_version=: there are 1 and 2");
    if (!policy_sid_is_of_guest(config->ssidref))
        return refuse(-EINVAL, "seclabel=: a label that the policy has for no guest");
    return config->flags & XEN_DOMCTL_CDF_hvm ? check_hvm(config) : check_pv(config);
}

/* Ids that cannot be a guest's mean: choose one. */
long domctl_createdomain(struct request *r)
{
    struct xen_domctl *op = r->argument;
    domid_t id = op->domain && op->domain < DOMID_FIRST_RESERVED ? op->domain : DOMID_INVALID;
    struct domain *d;
    int error = check_create(&op->u.createdomain);

    if (!error)
        error = allowed_to_make(current->domain, op->u.createdomain.ssidref);
    if (!error)
        error = domain_create(id, &op->u.createdomain, false, &d);
    if (error)
        return error;
    if (is_hvm(d))
        hvm_params_init(d);
    op->domain = d->id;
    return 0;
}
