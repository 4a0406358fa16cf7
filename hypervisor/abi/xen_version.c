/*
 * HYPERVISOR_xen_version: who we are and which parts of the ABI hold for the caller.
 * Source: xen/version.h, xen/features.h.
 *
 * We answer 4.17 because that is the ABI spoken here; tools pick their libraries by it.
 */
#include <hv/bootinfo.h>
#include <hv/guest_copy.h>
#include <hv/hvm.h>
#include <hv/operation.h>
#include <xen/version.h>

#define ABI_MAJOR 4
#define ABI_MINOR 17

static const xen_extraversion_t extra_version = "-roundhouse";
static const xen_capabilities_info_t pv_capabilities = "xen-3.0-x86_64 ";
static const xen_capabilities_info_t all_capabilities = "xen-3.0-x86_64 hvm-3.0-x86_32 hvm-3.0-x86_32p hvm-3.0-x86_64 ";
static const struct xen_compile_info compile_info = {.compiler = "gcc " __VERSION__, .compile_by = "roundhouse"};

/*
 * Feature words of a PV guest. What is absent is as telling: page and descriptor tables are not directly writable,
 * frame numbers are the machine's, and the kernel runs in ring 3. A PV guest's frame numbers being machine frame
 * numbers is what "direct mapped" says.
 */
static uint32_t pv_features(const struct domain *d)
{
    uint32_t features = 1U << XENFEAT_mmu_pt_update_preserve_ad | 1U << XENFEAT_highmem_assist |
                        1U << XENFEAT_gnttab_map_avail_bits | 1U << XENFEAT_memory_op_vnode_supported |
                        1U << XENFEAT_direct_mapped;

    if (d->is_privileged || test_bit(VMASST_TYPE_pae_extended_cr3, &d->vm_assist))
        features |= 1U << XENFEAT_pae_pgdir_above_4gb;
    return d->is_privileged ? features | 1U << XENFEAT_dom0 : features;
}

/* An HVM guest has memory and page tables of its own, and gets its events as interrupts. */
static uint32_t hvm_features(const struct domain *d)
{
    uint32_t features = 1U << XENFEAT_writable_page_tables | 1U << XENFEAT_auto_translated_physmap |
                        1U << XENFEAT_hvm_callback_vector | 1U << XENFEAT_hvm_safe_pvclock |
                        1U << XENFEAT_memory_op_vnode_supported | 1U << XENFEAT_not_direct_mapped;

    return d->hvm->emulation & XEN_X86_EMU_USE_PIRQ ? features | 1U << XENFEAT_hvm_pirqs : features;
}

static long get_features(struct request *r)
{
    struct xen_feature_info *info = r->argument;

    if (info->submap_idx >= XENFEAT_NR_SUBMAPS)
        return -EINVAL;
    info->submap = is_hvm(current->domain) ? hvm_features(current->domain) : pv_features(current->domain);
    return 0;
}

/* How we were started is the machine owner's business. */
static long command_line(struct request *r)
{
    xen_commandline_t line;

    strlcpy(line, allowed_call(current->domain, POLICY_MACHINE_LOG) ? "<denied>" : bootinfo.cmdline, sizeof(line));
    return copy_argument_out(r->address, &line) ? -EFAULT : 0;
}

static long platform_parameters(struct request *r)
{
    struct xen_platform_parameters *parameters = r->argument;

    parameters->virt_start = HYPERVISOR_VIRT_START;
    return 0;
}

static long guest_handle(struct request *r)
{
    memcpy(r->argument, &current->domain->handle, sizeof(current->domain->handle));
    return 0;
}

static long capabilities(struct request *r)
{
    return copy_argument_out(r->address, hvm_available() ? &all_capabilities : &pv_capabilities) ? -EFAULT : 0;
}

/* "" */
static long changeset(struct request *r)
{
    return 0;
}

/* PV Linux also calls this only to have pending events delivered on the way out. */
static long version(struct request *r)
{
    return ABI_MAJOR << 16 | ABI_MINOR;
}

static long extraversion(struct request *r)
{
    memcpy(r->argument, extra_version, sizeof(extra_version));
    return 0;
}

static long compiled(struct request *r)
{
    memcpy(r->argument, &compile_info, sizeof(compile_info));
    return 0;
}

static long page_size(struct request *r)
{
    return r->address ? -EINVAL : (long)PAGE_SIZE;
}

static long no_build_id(struct request *r)
{
    return -ENODATA;
}

static const struct operation operations[] = {
    [XENVER_version] = {version},
    [XENVER_extraversion] = {extraversion, sizeof(xen_extraversion_t), POLICY_ANYONE, ANSWER_ONLY},
    [XENVER_compile_info] = {compiled, sizeof(struct xen_compile_info), POLICY_ANYONE, ANSWER_ONLY},
    [XENVER_capabilities] = {capabilities},
    [XENVER_changeset] = {changeset, sizeof(xen_changeset_info_t), POLICY_ANYONE, ANSWER_ONLY},
    [XENVER_platform_parameters] = {platform_parameters, sizeof(struct xen_platform_parameters), POLICY_ANYONE,
                                    ANSWER_ONLY},
    [XENVER_get_features] = {get_features, sizeof(struct xen_feature_info), POLICY_ANYONE, ANSWER_DONE},
    [XENVER_pagesize] = {page_size},
    [XENVER_guest_handle] = {guest_handle, sizeof(xen_domain_handle_t), POLICY_ANYONE, ANSWER_ONLY},
    [XENVER_commandline] = {command_line},
    [XENVER_build_id] = {no_build_id},
};

/* arg[0] XENVER_*, arg[1] address of what is answered. */
long do_xen_version(struct hypercall *call)
{
    struct request r = {.call = call, .address = call->arg[1]};

    return operation_serve(operations, ARRAY_SIZE(operations), (uint32_t)call->arg[0], &r);
}
