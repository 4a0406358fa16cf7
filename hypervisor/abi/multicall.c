/*
 * multicall: a list of hypercalls, done in order; each entry receives its own result. Source: xen.h, struct
 * multicall_entry.
 */
#include <hv/domain.h>
#include <hv/guest_copy.h>
#include <hv/hypercall.h>

_Static_assert(sizeof(struct multicall_entry) == 64, "ABI");
_Static_assert(sizeof(((struct multicall_entry *)0)->args) == sizeof(((struct hypercall *)0)->arg), "same arguments");

/* An entry that is not finished is written back with its progress as its arguments, and the list starts at it next
 * time. The list's own result is 0 while it may go on. */
static enum hypercall_outcome run_entry(struct hypercall *list, unsigned long at)
{
    struct multicall_entry entry __uninitialized;
    list->result = (uint64_t)-EFAULT;
    if (copy_from_guest_va(&entry, at, sizeof(entry)))
        return HYPERCALL_DONE;
    struct hypercall call __uninitialized;
    call.number = (unsigned)entry.op;
    __builtin_memcpy(call.arg, entry.args, sizeof(call.arg));
    call.result = (uint64_t)-EINVAL; /* a list within a list */
    enum hypercall_outcome outcome = HYPERCALL_DONE;
    if (call.number != __HYPERVISOR_multicall)
        outcome = hypercall_dispatch(&call);
    if (outcome == HYPERCALL_AGAIN) {
        __builtin_memcpy(entry.args, call.arg, sizeof(entry.args));
        return copy_to_guest_va(at, &entry, sizeof(entry)) ? HYPERCALL_DONE : HYPERCALL_AGAIN;
    }
    int err = copy_to_guest_va(at + offsetof(struct multicall_entry, result), &call.result, sizeof(call.result));
    list->result = outcome == HYPERCALL_RETURNED ? call.result : (uint64_t)(long)err;
    return outcome;
}

enum hypercall_outcome do_multicall(struct hypercall *call)
{
    unsigned long at = call->arg[0];
    unsigned count = (unsigned)call->arg[1];
    call->result = 0;
    for (unsigned done = 0; done < count; done++, at += sizeof(struct multicall_entry)) {
        enum hypercall_outcome outcome = done && hypercall_should_yield() ? HYPERCALL_AGAIN : run_entry(call, at);
        if (outcome == HYPERCALL_AGAIN) {
            call->arg[0] = at;
            call->arg[1] = count - done;
        }
        if (outcome != HYPERCALL_DONE || call->result)
            return outcome;
    }
    return HYPERCALL_DONE;
}
