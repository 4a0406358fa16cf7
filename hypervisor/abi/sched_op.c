/*
 * __HYPERVISOR_sched_op: giving up the CPU, waiting, ending. Source: xen/sched.h.
 */
#include <hv/event_channel.h>
#include <hv/guest_copy.h>
#include <hv/operation.h>
#include <hv/sched.h>
#include <xen/sched.h>

#define MAX_POLL_PORTS      128
#define MAX_SHUTDOWN_REASON 255 /* what XEN_DOMINF_shutdownmask can tell */

static long sched_yield(struct request *r)
{
    vcpu_yield();
    return 0;
}

static long sched_block(struct request *r)
{
    WRITE_ONCE(current->info->evtchn_upcall_mask, 0);
    vcpu_block();
    return 0;
}

static long sched_shutdown(struct request *r)
{
    struct sched_shutdown *op = r->argument;
    if (op->reason > MAX_SHUTDOWN_REASON)
        return -EINVAL;
    domain_shutdown(current->domain, op->reason);
    return 0;
}

/* True as soon as one port is pending; -EINVAL for one that is not the domain's. */
static int any_port_pending(struct domain *d, const evtchn_port_t *ports, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        int pending = event_channel_is_pending(d, ports[i]);
        if (pending)
            return pending;
    }
    return 0;
}

static void stop_polling(struct vcpu *v)
{
    __atomic_store_n(&v->blocked, false, __ATOMIC_SEQ_CST);
    clear_bit(v->id, &v->domain->polling);
}

/* The vcpu counts as blocked before the ports are looked at, so an event that comes in between ends the wait. */
static long sched_poll(struct request *r)
{
    struct vcpu *v = current;
    struct sched_poll *op = r->argument;
    evtchn_port_t ports[MAX_POLL_PORTS];
    if (op->nr_ports > MAX_POLL_PORTS)
        return -EINVAL;
    if (copy_from_guest(ports, op->ports, op->nr_ports))
        return -EFAULT;
    timer_stop(&v->poll_timer); /* of an earlier poll that an event ended */
    v->poll_port = op->nr_ports == 1 ? ports[0] : 0;
    set_bit(v->id, &v->domain->polling);
    __atomic_store_n(&v->blocked, true, __ATOMIC_SEQ_CST);
    int pending = any_port_pending(v->domain, ports, op->nr_ports);
    if (pending || vcpu_event_deliverable(v) || v->nmi_pending) {
        stop_polling(v);
        return pending < 0 ? pending : 0;
    }
    if (op->timeout)
        timer_set(&v->poll_timer, op->timeout);
    cpu_raise_softirq(this_cpu(), SOFTIRQ_SCHEDULE);
    return 0;
}

static long sched_remote_shutdown(struct request *r)
{
    struct sched_remote_shutdown *op = r->argument;
    if (op->reason > MAX_SHUTDOWN_REASON)
        return -EINVAL;
    struct domain *d = domain_get_any(op->domain_id);
    if (!d)
        return -ESRCH;
    long error = d == current->domain ? -EPERM : allowed_on(current->domain, POLICY_VERB_CONTROL, d);
    if (!error)
        domain_shutdown(d, op->reason);
    domain_put(d);
    return error;
}

/* Latches the code that a later shutdown reports; domain_shutdown leaves one that is set alone. */
static long sched_shutdown_code(struct request *r)
{
    struct domain *d = current->domain;
    struct sched_shutdown *op = r->argument;
    if (op->reason > MAX_SHUTDOWN_REASON)
        return -EINVAL;
    spin_lock(&d->lock);
    if (d->shutdown_code == ~0U)
        d->shutdown_code = op->reason;
    spin_unlock(&d->lock);
    return 0;
}

static long sched_watchdog(struct request *r)
{
    struct sched_watchdog *op = r->argument;
    return domain_watchdog_set(current->domain, op->id, op->timeout);
}

/* ---- Pinning by the hardware domain, for firmware calls that must come from one CPU. Undone with what was before.
 * ---- */

static struct {
    bool active;
    cpumask_t before;
} pin_overrides[MAX_VCPUS];

static long pin_to(struct vcpu *v, unsigned pcpu)
{
    cpumask_t before = v->hard_affinity, mask = {{0}};
    if (pcpu >= cpu_count || !cpus[pcpu].online)
        return -EINVAL;
    if (pin_overrides[v->id].active)
        return -EBUSY;
    set_bit(pcpu, mask.bits);
    int error = vcpu_set_affinity(v, &mask, NULL);
    if (error)
        return error;
    pin_overrides[v->id].before = before;
    pin_overrides[v->id].active = true;
    return 0;
}

static long sched_pin_override(struct request *r)
{
    struct vcpu *v = current;
    struct sched_pin_override *op = r->argument;
    if (op->pcpu >= 0)
        return pin_to(v, (unsigned)op->pcpu);
    if (!pin_overrides[v->id].active)
        return -ENOENT;
    pin_overrides[v->id].active = false;
    return vcpu_set_affinity(v, &pin_overrides[v->id].before, NULL);
}

static const struct operation operations[] = {
    [SCHEDOP_yield] = {sched_yield},
    [SCHEDOP_block] = {sched_block},
    [SCHEDOP_shutdown] = {sched_shutdown, sizeof(struct sched_shutdown)},
    [SCHEDOP_poll] = {sched_poll, sizeof(struct sched_poll)},
    [SCHEDOP_remote_shutdown] = {sched_remote_shutdown, sizeof(struct sched_remote_shutdown)},
    [SCHEDOP_shutdown_code] = {sched_shutdown_code, sizeof(struct sched_shutdown)},
    [SCHEDOP_watchdog] = {sched_watchdog, sizeof(struct sched_watchdog)},
    [SCHEDOP_pin_override] = {sched_pin_override, sizeof(struct sched_pin_override), POLICY_HARDWARE},
};

/* arg[0] SCHEDOP_*, arg[1] address of its structure. */
long do_sched_op(struct hypercall *call)
{
    struct request r = {.call = call, .address = call->arg[1]};

    return operation_serve(operations, ARRAY_SIZE(operations), (uint32_t)call->arg[0], &r);
}
