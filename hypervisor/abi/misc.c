/*
 * Hypercalls too small for a file of their own: vm_assist, set_timer_op, machine checks, and one that is refused.
 * Source: xen/xen.h, xen/arch-x86/xen-mca.h.
 */
#include <hv/abi_internal.h>
#include <hv/cpu.h>
#include <hv/guest_copy.h>
#include <hv/hvm.h>
#include <hv/operation.h>
#include <hv/pv.h>
#include <hv/time.h>
#include <xen/arch-x86/xen-mca.h>

#define HVM_ASSISTS PV_ASSIST(runstate_update_flag)

long do_vm_assist(struct hypercall *call)
{
    struct domain *d = current->domain;
    uint32_t command = (uint32_t)call->arg[0], type = (uint32_t)call->arg[1];

    if (type >= BITS_PER_LONG || !((is_hvm(d) ? HVM_ASSISTS : PV_ASSISTS) >> type & 1))
        return -EINVAL;
    switch (command) {
    case VMASST_CMD_enable:
        set_bit(type, &d->vm_assist);
        return 0;
    case VMASST_CMD_disable:
        clear_bit(type, &d->vm_assist);
        return 0;
    }
    return -ENOSYS;
}

/* One shot at an absolute system time; 0 stops it. VIRQ_TIMER when it comes. */
long do_set_timer_op(struct hypercall *call)
{
    struct vcpu *v = current;

    if (call->arg[0])
        timer_set(&v->singleshot, call->arg[0]);
    else
        timer_stop(&v->singleshot);
    return 0;
}

static uint32_t decode_family(uint32_t signature)
{
    uint32_t family = signature >> 8 & 0xf;

    return family == 0xf ? family + (signature >> 20 & 0xff) : family;
}

static void describe_cpu(struct mcinfo_logical_cpu *info, const struct cpu *cpu)
{
    struct cpuid identity = cpuid(0, 0), features = cpuid(1, 0);
    char *vendor = info->mc_vendorid;

    *info = (struct mcinfo_logical_cpu){
        .mc_cpunr = cpu->id,
        .mc_apicid = cpu->apic_id,
        .mc_coreid = (uint16_t)cpu->id,
        .mc_clusterid = ~0U,
        .mc_ncores = cpu_count,
        .mc_ncores_active = cpu_count,
        .mc_nthreads = 1,
        .mc_cpuid_level = (int32_t)identity.eax,
        .mc_family = decode_family(features.eax),
        .mc_vendor = cpu_features.vendor,
        .mc_model = (features.eax >> 4 & 0xf) | (features.eax >> 12 & 0xf0),
        .mc_step = features.eax & 0xf,
        .mc_cache_alignment = (features.ebx >> 8 & 0xff) * 8,
    };
    memcpy(vendor, &identity.ebx, 4);
    memcpy(vendor + 4, &identity.edx, 4);
    memcpy(vendor + 8, &identity.ecx, 4);
    strlcpy(info->mc_brandid, cpu_features.brand, sizeof(info->mc_brandid));
    info->mc_cpu_caps[MC_CAPS_STD_EDX] = features.edx;
    info->mc_cpu_caps[MC_CAPS_STD_ECX] = features.ecx;
    info->mc_nmsrvals = 1;
    info->mc_msrvalues[0].reg = MSR_MCG_CAP;
    rdmsr_safe(MSR_MCG_CAP, &info->mc_msrvalues[0].value);
}

/* Without a buffer: how many there are. With one: as many as fit. */
static long mca_cpu_info(struct request *r)
{
    struct xen_mc *op = r->argument;
    struct xen_mc_physcpuinfo *asked = &op->u.mc_physcpuinfo;
    unsigned count = min(asked->ncpus, cpu_count);

    if (guest_handle_is_null(asked->info)) {
        asked->ncpus = cpu_count;
        return 0;
    }
    for (unsigned i = 0; i < count; i++) {
        struct mcinfo_logical_cpu info;

        describe_cpu(&info, &cpus[i]);
        if (copy_to_guest_offset(asked->info, i, &info, 1))
            return -EFAULT;
    }
    asked->ncpus = count;
    return 0;
}

/* The processor's error banks are not collected; an honest "there is nothing" ends the caller's polling loop. */
static long mca_fetch(struct request *r)
{
    struct xen_mc *op = r->argument;

    op->u.mc_fetch.flags = XEN_MC_NODATA;
    op->u.mc_fetch.fetch_id = 0;
    return 0;
}

static const struct operation operations[] = {
    [XEN_MC_fetch] = {mca_fetch, sizeof(struct xen_mc), POLICY_HARDWARE, ANSWER_DONE},
    [XEN_MC_physcpuinfo] = {mca_cpu_info, sizeof(struct xen_mc), POLICY_HARDWARE, ANSWER_DONE},
};

/* arg[0] address of the structure, which says which operation. */
long do_mca(struct hypercall *call)
{
    struct xen_mc op;
    struct request r = {.call = call, .address = call->arg[0], .argument = &op};
    long result;

    if (copy_argument_in(&op, call->arg[0]))
        return -EFAULT;
    if (op.interface_version != XEN_MCA_INTERFACE_VERSION)
        return -EACCES;
    result = operation_serve(operations, ARRAY_SIZE(operations), op.cmd, &r);
    return result == -ENOSYS ? -EOPNOTSUPP : result;
}

long do_xenpmu_op(struct hypercall *call)
{
    return -EOPNOTSUPP;
}
