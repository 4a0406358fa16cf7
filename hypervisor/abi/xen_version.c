/*
 * HYPERVISOR_xen_version: who we are and which parts of the ABI hold for the caller.
 * Source: xen/version.h, xen/features.h.
 *
 * We answer 4.17 because that is the ABI spoken here; tools pick their libraries by it.
 */
#include <hv/abi_internal.h>
#include <hv/bootinfo.h>
#include <hv/guest_copy.h>
#include <hv/hvm.h>
#include <hv/policy.h>
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

static long get_features(uint64_t argument)
{
    struct xen_feature_info info;

    if (copy_argument_in(&info, argument))
        return -EFAULT;
    if (info.submap_idx >= XENFEAT_NR_SUBMAPS)
        return -EINVAL;
    info.submap = is_hvm(current->domain) ? hvm_features(current->domain) : pv_features(current->domain);
    return copy_argument_out(argument, &info) ? -EFAULT : 0;
}

/* How we were started is the machine owner's business. */
static long command_line(uint64_t argument)
{
    xen_commandline_t line;

    strlcpy(line, allowed_call(current->domain, POLICY_CONTROL) ? "<denied>" : bootinfo.cmdline, sizeof(line));
    return copy_argument_out(argument, &line) ? -EFAULT : 0;
}

static long platform_parameters(uint64_t argument)
{
    struct xen_platform_parameters parameters = {.virt_start = HYPERVISOR_VIRT_START};

    return copy_argument_out(argument, &parameters) ? -EFAULT : 0;
}

static long guest_handle(uint64_t argument)
{
    return copy_argument_out(argument, &current->domain->handle) ? -EFAULT : 0;
}

static long capabilities(uint64_t argument)
{
    return copy_argument_out(argument, hvm_available() ? &all_capabilities : &pv_capabilities) ? -EFAULT : 0;
}

static long changeset(uint64_t argument)
{
    static const xen_changeset_info_t none = "";

    return copy_argument_out(argument, &none) ? -EFAULT : 0;
}

long do_xen_version(struct hypercall *call)
{
    uint64_t argument = call->arg[1];

    switch ((uint32_t)call->arg[0]) {
    case XENVER_version: /* PV Linux also calls this only to have pending events delivered on the way out. */
        return ABI_MAJOR << 16 | ABI_MINOR;
    case XENVER_extraversion:
        return copy_argument_out(argument, &extra_version) ? -EFAULT : 0;
    case XENVER_compile_info:
        return copy_argument_out(argument, &compile_info) ? -EFAULT : 0;
    case XENVER_capabilities:
        return capabilities(argument);
    case XENVER_changeset:
        return changeset(argument);
    case XENVER_platform_parameters:
        return platform_parameters(argument);
    case XENVER_get_features:
        return get_features(argument);
    case XENVER_pagesize:
        return argument ? -EINVAL : (long)PAGE_SIZE;
    case XENVER_guest_handle:
        return guest_handle(argument);
    case XENVER_commandline:
        return command_line(argument);
    case XENVER_build_id:
        return -ENODATA;
    }
    return -ENOSYS;
}
