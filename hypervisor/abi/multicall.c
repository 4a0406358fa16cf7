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
 * time. */
static long run_entry(unsigned long at)
{
    struct multicall_entry entry __uninitialized;
    if (copy_from_guest_va(&entry, at, sizeof(entry)))
        return -EFAULT;
    struct hypercall call __uninitialized;
    call.number = (unsigned)entry.op;
    __builtin_memcpy(call.arg, entry.args, sizeof(call.arg));
    bool nested = call.number == __HYPERVISOR_multicall || call.number == __HYPERVISOR_iret;
    long result = nested ? -EINVAL : hypercall_dispatch(&call);
    if (result == -ERESTART) {
        __builtin_memcpy(entry.args, call.arg, sizeof(entry.args));
        return copy_to_guest_va(at, &entry, sizeof(entry)) ? -EFAULT : -ERESTART;
    }
    entry.result = (unsigned long)result;
    return copy_to_guest_va(at + offsetof(struct multicall_entry, result), &entry.result, sizeof(entry.result));
}

long do_multicall(struct hypercall *call)
{
    unsigned long at = call->arg[0];
    unsigned count = (unsigned)call->arg[1];
    for (unsigned done = 0; done < count; done++, at += sizeof(struct multicall_entry)) {
        long err = done && hypercall_should_yield() ? -ERESTART : run_entry(at);
        if (err == -ERESTART) {
            call->arg[0] = at;
            call->arg[1] = count - done;
        }
        if (err)
            return err;
    }
    return 0;
}
