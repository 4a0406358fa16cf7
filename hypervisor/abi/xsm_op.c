/*
 * XSM_OP, the operations of FLASK that load a policy and name labels: what stock `xl loadpolicy`, `getenforce`,
 * `setenforce` and `seclabel=` use. What is loaded is a table of roundhouse-policy(1); sids are those of
 * policies/table.h. Source: xen/xsm/flask_op.h.
 *
 * Without a policy all of it is -ENOSYS, as it is without FLASK, but loading one.
 */
#include <hv/abi_internal.h>
#include <hv/domain.h>
#include <hv/domain_log.h>
#include <hv/guest_copy.h>
#include <hv/operation.h>
#include <hv/page_alloc.h>
#include <hv/policy.h>
#include <hv/spinlock.h>
#include <xen/xsm/flask_op.h>
#include "../../policies/table.h"

_Static_assert(sizeof(struct xen_flask_op) <= OPERATION_BYTES, "fits");
_Static_assert(offsetof(struct xen_flask_op, u) == 8 && sizeof(struct xen_flask_sid_context) == 16, "ABI");

static struct spinlock load_lock = SPINLOCK_INIT(LOCK_POLICY);

static const char *load_copy(const struct xen_flask_load *load, void *copy, unsigned order)
{
    const char *wrong;

    spin_lock(&load_lock);
    wrong = policy_load(copy, order, load->size);
    spin_unlock(&load_lock);
    return wrong;
}

static long flask_load(struct request *r)
{
    const struct xen_flask_load *load = &((struct xen_flask_op *)r->argument)->u.load;
    const char *wrong;
    unsigned order;
    void *copy;

    if (!load->size || load->size > POLICY_MAX_FILE)
        return domain_refuse(current->domain, -EINVAL, "a policy that is empty, or larger than one may be");
    order = order_for(load->size);
    copy = alloc_zeroed_pages(order);
    if (!copy)
        return -ENOMEM;
    if (copy_from_guest_va(copy, guest_handle_address(load->buffer), load->size)) {
        free_virtual_pages(copy, order);
        return -EFAULT;
    }
    wrong = load_copy(load, copy, order);
    if (!wrong)
        return 0;
    free_virtual_pages(copy, order);
    domain_log(LOG_WARNING, current->domain, "policy refused: %s", wrong);
    return -EINVAL;
}

static long flask_getenforce(struct request *r)
{
    return policy_is_enforced();
}

static long flask_setenforce(struct request *r)
{
    const struct xen_flask_op *op = r->argument;

    policy_enforce(op->u.enforce.enforcing != 0);
    return 0;
}

static long flask_context_to_sid(struct request *r)
{
    struct xen_flask_sid_context *op = &((struct xen_flask_op *)r->argument)->u.sid_context;
    char context[POLICY_CONTEXT_BYTES];

    if (!op->size || op->size >= sizeof(context))
        return -EINVAL;
    if (copy_from_guest_va(context, guest_handle_address(op->context), op->size))
        return -EFAULT;
    return policy_context_to_sid(context, op->size, &op->sid);
}

/* Tells how many bytes it takes also when they are more than there is room for. */
static long flask_sid_to_context(struct request *r)
{
    struct xen_flask_sid_context *op = &((struct xen_flask_op *)r->argument)->u.sid_context;
    char context[POLICY_CONTEXT_BYTES];
    uint32_t room = op->size, bytes;

    if (policy_sid_to_context(op->sid, context))
        return -EINVAL;
    op->size = bytes = (uint32_t)strlen(context) + 1;
    if (bytes > room)
        return -ERANGE;
    return copy_to_guest_va(guest_handle_address(op->context), context, bytes) ? -EFAULT : 0;
}

#define OPERATION(name, handler, answer) [FLASK_##name] = {handler, sizeof(struct xen_flask_op), POLICY_CONTROL, answer}
static const struct operation operations[] = {
    OPERATION(LOAD, flask_load, ANSWER_NONE),
    OPERATION(GETENFORCE, flask_getenforce, ANSWER_NONE),
    OPERATION(SETENFORCE, flask_setenforce, ANSWER_NONE),
    OPERATION(CONTEXT_TO_SID, flask_context_to_sid, ANSWER_DONE),
    OPERATION(SID_TO_CONTEXT, flask_sid_to_context, ANSWER_DONE | ANSWER_FAILED),
};

/* arg[0] address of the structure, which says which operation. */
long do_xsm_op(struct hypercall *call)
{
    struct xen_flask_op op;
    struct request r = {.call = call, .address = call->arg[0], .argument = &op};

    if (!policy_is_loaded() && !current->domain->is_privileged)
        return -ENOSYS;
    if (copy_argument_in(&op, call->arg[0]))
        return -EFAULT;
    if (op.interface_version != XEN_FLASK_INTERFACE_VERSION || (!policy_is_loaded() && op.cmd != FLASK_LOAD))
        return -ENOSYS;
    return operation_serve(operations, ARRAY_SIZE(operations), op.cmd, &r);
}
