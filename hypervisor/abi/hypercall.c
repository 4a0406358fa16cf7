/*
 * The hypercall table. A new hypercall is one line here: number, handler, who may make it at all, and in what kind of
 * guest it exists.
 */
#include <hv/abi_internal.h>
#include <hv/compat.h>
#include <hv/domain.h>
#include <hv/hypercall.h>
#include <hv/policy.h>
#include <public/roundhouse.h>
#include <xen/arch-x86/xen-mca.h>

static const struct {
    hypercall_handler handler;
    enum policy_class class;
    enum { PV_ONLY, ANY_GUEST } exists_in;
    hypercall_any_result any_result; /* in place of handler */
} table[] = {
    [__HYPERVISOR_set_trap_table] = {do_set_trap_table, POLICY_ANYONE, PV_ONLY},
    [__HYPERVISOR_mmu_update] = {do_mmu_update, POLICY_ANYONE, PV_ONLY},
    [__HYPERVISOR_set_gdt] = {do_set_gdt, POLICY_ANYONE, PV_ONLY},
    [__HYPERVISOR_stack_switch] = {do_stack_switch, POLICY_ANYONE, PV_ONLY},
    [__HYPERVISOR_set_callbacks] = {do_set_callbacks, POLICY_ANYONE, PV_ONLY},
    [__HYPERVISOR_fpu_taskswitch] = {do_fpu_taskswitch, POLICY_ANYONE, PV_ONLY},
    [__HYPERVISOR_platform_op] = {do_platform_op, POLICY_HARDWARE, PV_ONLY},
    [__HYPERVISOR_set_debugreg] = {do_set_debugreg, POLICY_ANYONE, PV_ONLY},
    [__HYPERVISOR_get_debugreg] = {NULL, POLICY_ANYONE, PV_ONLY, do_get_debugreg},
    [__HYPERVISOR_update_descriptor] = {do_update_descriptor, POLICY_ANYONE, PV_ONLY},
    [__HYPERVISOR_memory_op] = {do_memory_op, POLICY_ANYONE, ANY_GUEST},
    [__HYPERVISOR_multicall] = {NULL, POLICY_ANYONE, ANY_GUEST, do_multicall},
    [__HYPERVISOR_update_va_mapping] = {do_update_va_mapping, POLICY_ANYONE, PV_ONLY},
    [__HYPERVISOR_set_timer_op] = {do_set_timer_op, POLICY_ANYONE, ANY_GUEST},
    [__HYPERVISOR_xen_version] = {do_xen_version, POLICY_ANYONE, ANY_GUEST},
    [__HYPERVISOR_console_io] = {do_console_io, POLICY_HARDWARE, ANY_GUEST},
    [__HYPERVISOR_grant_table_op] = {do_grant_table_op, POLICY_ANYONE, ANY_GUEST},
    [__HYPERVISOR_vm_assist] = {do_vm_assist, POLICY_ANYONE, ANY_GUEST},
    [__HYPERVISOR_update_va_mapping_otherdomain] = {do_update_va_mapping_otherdomain, POLICY_CONTROL, PV_ONLY},
    [__HYPERVISOR_iret] = {NULL, POLICY_ANYONE, PV_ONLY, do_iret},
    [__HYPERVISOR_vcpu_op] = {do_vcpu_op, POLICY_ANYONE, ANY_GUEST},
    [__HYPERVISOR_set_segment_base] = {do_set_segment_base, POLICY_ANYONE, PV_ONLY},
    [__HYPERVISOR_mmuext_op] = {do_mmuext_op, POLICY_ANYONE, PV_ONLY},
    [__HYPERVISOR_xsm_op] = {do_xsm_op, POLICY_ANYONE, ANY_GUEST},
    [__HYPERVISOR_sched_op] = {do_sched_op, POLICY_ANYONE, ANY_GUEST},
    [__HYPERVISOR_callback_op] = {do_callback_op, POLICY_ANYONE, PV_ONLY},
    [__HYPERVISOR_event_channel_op] = {do_event_channel_op, POLICY_ANYONE, ANY_GUEST},
    [__HYPERVISOR_physdev_op] = {do_physdev_op, POLICY_ANYONE, ANY_GUEST},
    [__HYPERVISOR_hvm_op] = {do_hvm_op, POLICY_ANYONE, ANY_GUEST},
    [__HYPERVISOR_sysctl] = {do_sysctl, POLICY_CONTROL, ANY_GUEST},
    [__HYPERVISOR_domctl] = {do_domctl, POLICY_CONTROL, ANY_GUEST},
    [__HYPERVISOR_xenpmu_op] = {do_xenpmu_op, POLICY_ANYONE, ANY_GUEST},
    [__HYPERVISOR_dm_op] = {do_dm_op, POLICY_DEVICE_MODEL, ANY_GUEST},
    [__HYPERVISOR_mca] = {do_mca, POLICY_HARDWARE, PV_ONLY},
    [__HYPERVISOR_roundhouse_op] = {do_roundhouse_op, POLICY_CONTROL, PV_ONLY},
};

static inline enum hypercall_outcome ended(struct hypercall *call, long result)
{
    call->result = (uint64_t)result;
    return unlikely(result == -ERESTART) ? HYPERCALL_AGAIN : HYPERCALL_DONE;
}

/* Those that not every guest may make, those whose result is any number, and all of HVM guests. */
static __noinline enum hypercall_outcome checked_dispatch(struct hypercall *call, const struct domain *d)
{
    if (!table[call->number].handler && !table[call->number].any_result)
        return ended(call, -ENOSYS);
    if (table[call->number].class != POLICY_ANYONE && allowed_call(d, table[call->number].class))
        return ended(call, -EPERM);
    if (is_hvm(d)) {
        if (table[call->number].exists_in == PV_ONLY)
            return ended(call, -ENOSYS);
        if (hvm_compat_call())
            return ended(call, compat_hypercall(call));
    }
    if (table[call->number].any_result)
        return table[call->number].any_result(call);
    return ended(call, table[call->number].handler(call));
}

enum hypercall_outcome hypercall_dispatch(struct hypercall *call)
{
    const struct domain *d = current->domain;
    if (call->number >= ARRAY_SIZE(table))
        return ended(call, -ENOSYS);
    hypercall_handler handler = table[call->number].handler;
    if (unlikely(!handler || table[call->number].class != POLICY_ANYONE || is_hvm(d)))
        return checked_dispatch(call, d);
    return ended(call, handler(call));
}
