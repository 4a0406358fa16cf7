/*
 * How a guest reads where its vcpus' time went, at the address it registered. Source: xen/vcpu.h.
 */
#include <hv/compat.h>
#include <hv/guest_copy.h>
#include <hv/sched.h>

/*
 * With VMASST_TYPE_runstate_update_flag a reader on another vcpu can tell that it has read half old, half new: the flag
 * in state_entry_time is set first and cleared last.
 */
static int write_runstate_native(const struct domain *d, unsigned long to, struct vcpu_runstate_info *info)
{
    unsigned long time_at = to + offsetof(struct vcpu_runstate_info, state_entry_time);
    if (!test_bit(VMASST_TYPE_runstate_update_flag, &d->vm_assist))
        return copy_to_guest_va(to, info, sizeof(*info));
    info->state_entry_time |= XEN_RUNSTATE_UPDATE;
    int error = copy_to_guest_va(time_at, &info->state_entry_time, sizeof(info->state_entry_time));
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (!error)
        error = copy_to_guest_va(to, info, sizeof(*info));
    info->state_entry_time &= ~XEN_RUNSTATE_UPDATE;
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (!error)
        error = copy_to_guest_va(time_at, &info->state_entry_time, sizeof(info->state_entry_time));
    return error;
}

/* The same for a 32-bit guest. */
static int write_runstate_compat(const struct domain *d, unsigned long to, const struct vcpu_runstate_info *info)
{
    struct compat_runstate_info out = {.state = info->state, .state_entry_time = info->state_entry_time};
    unsigned long time_at = to + offsetof(struct compat_runstate_info, state_entry_time);
    memcpy(out.time, info->time, sizeof(out.time));
    if (!test_bit(VMASST_TYPE_runstate_update_flag, &d->vm_assist))
        return copy_to_guest_va(to, &out, sizeof(out));
    uint64_t time = out.state_entry_time, flagged = out.state_entry_time |= XEN_RUNSTATE_UPDATE;
    int error = copy_to_guest_va(time_at, &flagged, sizeof(flagged));
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (!error)
        error = copy_to_guest_va(to, &out, sizeof(out));
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    return error ? error : copy_to_guest_va(time_at, &time, sizeof(time));
}

static int write_runstate(const struct domain *d, unsigned long to, struct vcpu_runstate_info *info)
{
    return has_compat_layout(d) ? write_runstate_compat(d, to, info) : write_runstate_native(d, to, info);
}

/* Called at every switch, when v->runstate has just been set: no time has passed in the state. An area that has gone
 * from the address space is not our business. */
void runstate_update_guest(struct vcpu *v)
{
    unsigned long to = READ_ONCE(v->runstate_guest); /* another vcpu may register another one now */
    if (!to)
        return;
    struct vcpu_runstate_info info = v->runstate;
    (void)!write_runstate(v->domain, to, &info);
}

void runstate_register(struct vcpu *v, unsigned long to)
{
    struct vcpu_runstate_info info;
    WRITE_ONCE(v->runstate_guest, to);
    vcpu_get_runstate(v, &info);
    if (to) /* a first value at once, if the caller's address space reaches it */
        (void)!write_runstate(v->domain, to, &info);
}
