/*
 * The hypercall that is Roundhouse's own. Source: include/public/roundhouse.h.
 */
#include <hv/abi_internal.h>
#include <hv/sched.h>
#include <public/roundhouse.h>

/* The domain may die meanwhile; its last reference, ours at the latest, makes the scheduler forget it. */
static long set_foreground(struct hypercall *call)
{
    struct domain *d = NULL;

    if (call->arg[1] != DOMID_INVALID) {
        d = call->arg[1] < DOMID_FIRST_RESERVED ? domain_get((domid_t)call->arg[1]) : NULL;
        if (!d)
            return -ESRCH;
    }
    sched_set_foreground(d);
    if (d)
        domain_put(d);
    return 0;
}

static long (*const commands[])(struct hypercall *call) = {
    [ROUNDHOUSEOP_set_foreground] = set_foreground,
};

long do_roundhouse_op(struct hypercall *call)
{
    if (call->arg[0] >= ARRAY_SIZE(commands))
        return -ENOSYS;
    return commands[call->arg[0]](call);
}
