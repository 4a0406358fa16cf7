/*
 * The hypercall that is Roundhouse's own. Source: include/public/roundhouse.h.
 */
#include <hv/domain.h>
#include <hv/operation.h>
#include <hv/sched.h>
#include <public/roundhouse.h>

/* The domain may die meanwhile; its last reference, ours at the latest, makes the scheduler forget it. */
static long set_foreground(struct request *r)
{
    uint64_t id = r->call->arg[1];
    struct domain *d;
    long result;

    if (id == DOMID_INVALID) {
        sched_set_foreground(NULL);
        return 0;
    }
    d = id < DOMID_FIRST_RESERVED ? domain_get((domid_t)id) : NULL;
    if (!d)
        return -ESRCH;
    result = allowed_on(current->domain, POLICY_VERB_CONTROL, d);
    if (!result)
        sched_set_foreground(d);
    domain_put(d);
    return result;
}

static const struct operation operations[] = {
    [ROUNDHOUSEOP_set_foreground] = {set_foreground, 0, POLICY_CONTROL},
};

/* arg[0] ROUNDHOUSEOP_*, arg[1] as the operation says. */
long do_roundhouse_op(struct hypercall *call)
{
    struct request r = {.call = call};

    return operation_serve(operations, ARRAY_SIZE(operations), call->arg[0], &r);
}
