/*
 * multicall: a list of hypercalls, done in order; each entry receives its own result. Source: xen.h, struct
 * multicall_entry.
 */
#include <hv/domain.h>
#include <hv/guest_copy.h>
#include <hv/hypercall.h>

#define SAME_PLACE(ours, theirs)                                                                                       \
    _Static_assert(offsetof(struct hypercall, ours) == offsetof(struct multicall_entry, theirs), "an entry is a call")
SAME_PLACE(number, op);
SAME_PLACE(result, result);
SAME_PLACE(arg, args);
_Static_assert(sizeof(struct hypercall) == sizeof(struct multicall_entry), "an entry is a call");

/* An entry that is not finished is written back with its progress as its arguments, and the list starts at it next
 * time. The list's own result is 0 while it may go on. */
static enum hypercall_outcome run_entry(struct hypercall *list, unsigned long at)
{
    struct hypercall call __uninitialized;
    list->result = (uint64_t)-EFAULT;
    if (copy_from_guest_va(&call, at, sizeof(call)))
        return HYPERCALL_DONE;
    enum hypercall_outcome outcome = HYPERCALL_DONE;
    if (call.number != __HYPERVISOR_multicall)
        outcome = hypercall_dispatch(&call);
    else
        call.result = (uint64_t)-EINVAL; /* a list within a list */
    if (outcome == HYPERCALL_AGAIN)
        return copy_to_guest_va(at + offsetof(struct multicall_entry, args), call.arg, sizeof(call.arg))
                   ? HYPERCALL_DONE
                   : HYPERCALL_AGAIN;
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
