/*
 * Who may make which hypercall, and whom it may act on: the real dispatch table and the real policy, with handlers that
 * do nothing; the real multicall. The expectations are written out here and not taken from the table.
 */
#include <hv/compat.h>
#include <hv/console.h>
#include <hv/domain.h>
#include <hv/guest_copy.h>
#include <hv/hvm.h>
#include <hv/hypercall.h>
#include <hv/percpu.h>
#include <hv/policy.h>
#include <public/roundhouse.h>
#include <xen/arch-x86/xen-mca.h>
#include <xen/xen.h>

#include "../../check.h"

#define DONE 4711
static long next_result = DONE;

#define HANDLERS(X)                                                                                                    \
    X(set_trap_table)                                                                                                  \
    X(mmu_update)                                                                                                      \
    X(set_gdt)                                                                                                         \
    X(stack_switch)                                                                                                    \
    X(set_callbacks)                                                                                                   \
    X(fpu_taskswitch)                                                                                                  \
    X(platform_op)                                                                                                     \
    X(set_debugreg)                                                                                                    \
    X(update_descriptor)                                                                                               \
    X(memory_op)                                                                                                       \
    X(update_va_mapping)                                                                                               \
    X(set_timer_op)                                                                                                    \
    X(xen_version)                                                                                                     \
    X(console_io)                                                                                                      \
    X(grant_table_op)                                                                                                  \
    X(vm_assist)                                                                                                       \
    X(update_va_mapping_otherdomain)                                                                                   \
    X(vcpu_op)                                                                                                         \
    X(set_segment_base)                                                                                                \
    X(mmuext_op)                                                                                                       \
    X(xsm_op)                                                                                                          \
    X(sched_op)                                                                                                        \
    X(callback_op)                                                                                                     \
    X(event_channel_op) X(physdev_op) X(hvm_op) X(sysctl) X(domctl) X(xenpmu_op) X(dm_op) X(mca) X(roundhouse_op)
#define HANDLER(name)                                                                                                  \
    long do_##name(struct hypercall *call)                                                                             \
    {                                                                                                                  \
        return next_result;                                                                                            \
    }
HANDLERS(HANDLER)

/* Results of the guest's own choice. */
static uint64_t any_number = DONE;
enum hypercall_outcome do_get_debugreg(struct hypercall *call)
{
    call->result = any_number;
    return HYPERCALL_DONE;
}
enum hypercall_outcome do_iret(struct hypercall *call)
{
    call->result = any_number;
    return HYPERCALL_RETURNED;
}
int copy_to_guest_va(unsigned long to, const void *from, size_t bytes)
{
    return to ? (memcpy((void *)to, from, bytes), 0) : -EFAULT;
}

bool hvm_compat_call(void)
{
    return false;
}

static struct domain control = {.id = 0, .is_privileged = true}, pv = {.id = 1}, pvh = {.id = 2}, other = {.id = 3};
static struct hvm_domain pvh_hvm;

static enum hypercall_outcome outcome;

static long call_with(struct domain *d, unsigned long number, struct multicall_entry *list, unsigned entries)
{
    struct vcpu v = {.domain = d};
    struct hypercall call = {.number = number, .arg = {(unsigned long)list, entries}};
    fake_current[0] = &v;
    outcome = hypercall_dispatch(&call);
    return (long)call.result;
}

static long call_as(struct domain *d, unsigned long number)
{
    struct multicall_entry one = {.op = __HYPERVISOR_sched_op};
    long result = call_with(d, number, &one, 1);
    CHECK(outcome == (number == __HYPERVISOR_iret && result == DONE ? HYPERCALL_RETURNED : HYPERCALL_DONE));
    return number == __HYPERVISOR_multicall && !result ? (long)one.result : result;
}

/* What is the machine owner's. */
static const unsigned of_control[] = {
    __HYPERVISOR_platform_op, __HYPERVISOR_console_io,   __HYPERVISOR_update_va_mapping_otherdomain,
    __HYPERVISOR_sysctl,      __HYPERVISOR_domctl,       __HYPERVISOR_dm_op,
    __HYPERVISOR_mca,         __HYPERVISOR_roundhouse_op};
/* What every guest may do, about itself or where the handler asks about the other one. */
static const unsigned of_all[] = {__HYPERVISOR_memory_op,       __HYPERVISOR_multicall,  __HYPERVISOR_set_timer_op,
                                  __HYPERVISOR_xen_version,     __HYPERVISOR_vm_assist,  __HYPERVISOR_grant_table_op,
                                  __HYPERVISOR_vcpu_op,         __HYPERVISOR_xsm_op,     __HYPERVISOR_sched_op,
                                  __HYPERVISOR_hvm_op,          __HYPERVISOR_physdev_op, __HYPERVISOR_xenpmu_op,
                                  __HYPERVISOR_event_channel_op};
static const unsigned of_pv[] = {
    __HYPERVISOR_set_trap_table,    __HYPERVISOR_mmu_update,    __HYPERVISOR_set_gdt,
    __HYPERVISOR_stack_switch,      __HYPERVISOR_set_callbacks, __HYPERVISOR_fpu_taskswitch,
    __HYPERVISOR_set_debugreg,      __HYPERVISOR_get_debugreg,  __HYPERVISOR_update_descriptor,
    __HYPERVISOR_update_va_mapping, __HYPERVISOR_iret,          __HYPERVISOR_set_segment_base,
    __HYPERVISOR_mmuext_op,         __HYPERVISOR_callback_op};

static bool is_in(const unsigned *list, unsigned count, unsigned number)
{
    for (unsigned i = 0; i < count; i++)
        if (list[i] == number)
            return true;
    return false;
}
#define IN(list, number) is_in(list, ARRAY_SIZE(list), number)

static void every_number(void)
{
    for (unsigned number = 0; number < 70; number++) {
        bool control_only = IN(of_control, number), all = IN(of_all, number), pv_only = IN(of_pv, number);
        CHECK(control_only + all + pv_only <= 1);
        CHECK(call_as(&control, number) == (control_only || all || pv_only ? DONE : -ENOSYS));
        CHECK(call_as(&pv, number) == (control_only ? -EPERM : all || pv_only ? DONE : -ENOSYS));
        CHECK(call_as(&pvh, number) == (control_only ? -EPERM : all ? DONE : -ENOSYS));
    }
    static const unsigned long far[] = {255, 0x7fffffff, 0x80000000, 0xffffffff, ~0UL};
    for (unsigned i = 0; i < ARRAY_SIZE(far); i++)
        CHECK(call_as(&control, far[i]) == -ENOSYS && call_as(&pv, far[i]) == -ENOSYS &&
              call_as(&pvh, far[i]) == -ENOSYS);
}

static void whom(void)
{
    struct domain *guests[] = {&pv, &pvh};
    CHECK(allowed_on(&control, POLICY_VERB_CONTROL, &control) == 0 &&
          allowed_on(&control, POLICY_VERB_CONTROL, &pv) == 0 && allowed_on(&control, POLICY_VERB_CONTROL, &pvh) == 0);
    for (unsigned i = 0; i < ARRAY_SIZE(guests); i++) {
        CHECK(allowed_on(guests[i], POLICY_VERB_CONTROL, &control) == -EPERM &&
              allowed_on(guests[i], POLICY_VERB_CONTROL, &other) == -EPERM);
        CHECK(allowed_on(guests[i], POLICY_VERB_CONTROL, guests[i]) == -EPERM); /* toolstack power over oneself */
        CHECK(allowed_call(guests[i], POLICY_CONTROL) == -EPERM && allowed_call(guests[i], POLICY_HARDWARE) == -EPERM);
        CHECK(allowed_call(guests[i], POLICY_DEVICE_MODEL) == -EPERM && allowed_call(guests[i], POLICY_ANYONE) == 0);
    }
    CHECK(allowed_call(&pv, POLICY_PV) == 0 && allowed_call(&pvh, POLICY_PV) == -ENOSYS);
    CHECK(allowed_call(&pv, POLICY_PIRQS) == -EPERM && allowed_call(&pvh, POLICY_PIRQS) == -ENOSYS);
    pvh_hvm.emulation = XEN_X86_EMU_USE_PIRQ;
    CHECK(allowed_call(&pvh, POLICY_PIRQS) == 0);
}

/* "Again" is said beside the result: a number that a guest has chosen is no more than that. */
static void any_result(void)
{
    for (long n = -100; n < 0; n++) {
        any_number = (uint64_t)n;
        CHECK(call_with(&pv, __HYPERVISOR_get_debugreg, NULL, 0) == n && outcome == HYPERCALL_DONE);
        CHECK(call_with(&pv, __HYPERVISOR_iret, NULL, 0) == n && outcome == HYPERCALL_RETURNED);
    }
    any_number = DONE;
    next_result = -ERESTART;
    call_with(&pv, __HYPERVISOR_memory_op, NULL, 0);
    CHECK(outcome == HYPERCALL_AGAIN);
    next_result = DONE;
}

#define LIST(...)                                                                                                      \
    {                                                                                                                  \
        {.op = __VA_ARGS__, .result = 1},                                                                              \
        {                                                                                                              \
            .op = __HYPERVISOR_xen_version, .result = 1                                                                \
        }                                                                                                              \
    }

static void lists(void)
{
    struct multicall_entry read[] = LIST(__HYPERVISOR_get_debugreg), back[] = LIST(__HYPERVISOR_iret),
                           again[] = LIST(__HYPERVISOR_memory_op), nested[] = LIST(__HYPERVISOR_multicall);
    any_number = (uint64_t)-ERESTART;
    CHECK(call_with(&pv, __HYPERVISOR_multicall, read, 2) == 0 && outcome == HYPERCALL_DONE);
    CHECK(read[0].result == any_number && read[1].result == DONE);
    /* A return from an exception ends the list: what runs on is what the frame says, its rax included. */
    CHECK(call_with(&pv, __HYPERVISOR_multicall, back, 2) == -ERESTART && outcome == HYPERCALL_RETURNED);
    CHECK(back[0].result == any_number && back[1].result == 1);
    CHECK(call_with(&pvh, __HYPERVISOR_multicall, back, 2) == 0 && (long)back[0].result == -ENOSYS);
    next_result = -ERESTART;
    call_with(&pv, __HYPERVISOR_multicall, again, 2);
    CHECK(outcome == HYPERCALL_AGAIN && again[0].result == 1 && again[1].result == 1);
    next_result = DONE;
    CHECK(call_with(&pv, __HYPERVISOR_multicall, nested, 2) == 0 && (long)nested[0].result == -EINVAL);
    CHECK(call_with(&pv, __HYPERVISOR_multicall, NULL, 1) == -EFAULT && outcome == HYPERCALL_DONE);
    any_number = DONE;
}

int main(void)
{
    pvh.hvm = &pvh_hvm;
    every_number();
    whom();
    any_result();
    lists();
    return 0;
}
