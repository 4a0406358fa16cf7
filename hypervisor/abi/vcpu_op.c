/*
 * __HYPERVISOR_vcpu_op: bringing vcpus up and down, their timers, and what they share with their guest.
 * Source: xen/vcpu.h.
 */
#include <hv/guest_copy.h>
#include <hv/hvm.h>
#include <hv/hvm_irq.h>
#include <hv/operation.h>
#include <hv/p2m.h>
#include <hv/page_alloc.h>
#include <hv/pv.h>
#include <hv/sched.h>
#include <hv/time.h>
#include <xen/hvm/hvm_vcpu.h>
#include <xen/sched.h>

#define MIN_PERIOD 1000000ULL   /* ns; the ABI lets us refuse less */
#define MAX_PERIOD (1ULL << 60) /* so that sums do not overflow */

/* ---- Life ---- */

/* After an INIT it may be on its way off a CPU, or back onto one by a start-up message. It is not waited for: two that
 * did so for each other would wait for ever. */
static long hvm_initialise(struct vcpu *v, unsigned long argument)
{
    struct vcpu_hvm_context context;
    if (copy_argument_in(&context, argument))
        return -EFAULT;
    if (!vcpu_try_pause(v))
        return v->initialised ? -EEXIST : -EBUSY;
    spin_lock(&v->domain->lock);
    long error = v->initialised ? -EEXIST : hvm_vcpu_set_context(v, &context);
    spin_unlock(&v->domain->lock);
    vcpu_unpause(v);
    return error;
}

/* The context is too large for the stack. */
static long pv_initialise(struct vcpu *v, unsigned long argument)
{
    struct vcpu_guest_context *context = zalloc(sizeof(*context));
    if (!context)
        return -ENOMEM;
    long error = copy_argument_in(context, argument) ? -EFAULT : 0;
    if (!error) {
        context->vm_assist = v->domain->vm_assist; /* the domain's, which it has set already */
        spin_lock(&v->domain->lock);
        error = v->initialised ? -EEXIST : pv_vcpu_set_context(v, context);
        if (!error)
            v->initialised = true;
        spin_unlock(&v->domain->lock);
    }
    free(context);
    return error;
}

static long vcpu_initialise(struct request *r)
{
    return r->vcpu->hvm ? hvm_initialise(r->vcpu, r->address) : pv_initialise(r->vcpu, r->address);
}

static long vcpu_up(struct request *r)
{
    struct vcpu *v = r->vcpu;
    struct domain *d = v->domain;
    spin_lock(&d->lock);
    bool ready = v->initialised;
    if (ready)
        v->offline = false;
    spin_unlock(&d->lock);
    if (!ready)
        return -EINVAL;
    vcpu_wake(v);
    return 0;
}

/* The last one to go down takes the domain with it: nobody could bring it up again. */
static long vcpu_down(struct request *r)
{
    struct vcpu *v = r->vcpu;
    struct domain *d = v->domain;
    struct vcpu *other;
    bool last = true;
    spin_lock(&d->lock);
    for_each_vcpu(d, other)
        last = last && (other == v || other->offline);
    if (!last)
        v->offline = true;
    spin_unlock(&d->lock);
    if (last)
        domain_shutdown(d, SHUTDOWN_poweroff);
    else
        vcpu_sleep(v);
    return 0;
}

static long vcpu_is_up(struct request *r)
{
    return !r->vcpu->offline;
}

static long vcpu_send_nmi(struct request *r)
{
    struct vcpu *v = r->vcpu;
    if (r->address)
        return -EINVAL;
    v->nmi_pending = true;
    if (v->hvm) {
        hvm_kick(v);
        return 0;
    }
    vcpu_unblock(v);
    if (v->is_running)
        cpu_raise_softirq(v->cpu, SOFTIRQ_SCHEDULE); /* makes it pass its exit path */
    return 0;
}

static long vcpu_get_physid(struct request *r)
{
    struct vcpu_get_physid *op = r->argument;
    struct vcpu *v = r->vcpu;
    unsigned cpu = find_first_set(v->hard_affinity.bits, NR_CPUS);
    cpumask_t only = {{0}};
    if (cpu >= cpu_count)
        return -EINVAL;
    set_bit(cpu, only.bits);
    if (!v->domain->is_privileged || memcmp(&only, &v->hard_affinity, sizeof(only)) != 0)
        return -EINVAL;
    op->phys_id = cpus[cpu].apic_id | (uint64_t)cpus[cpu].acpi_id << 32;
    return 0;
}

/* ---- Shared areas ---- */

static long get_runstate_info(struct request *r)
{
    vcpu_get_runstate(r->vcpu, r->argument);
    return 0;
}

/* Any address may be an HVM guest's own. */
static bool area_ok(const struct vcpu *v, unsigned long address, size_t bytes)
{
    return !address || v->hvm || guest_range_ok(address, bytes);
}

static long register_runstate_area(struct request *r)
{
    struct vcpu *v = r->vcpu;
    struct vcpu_register_runstate_memory_area *op = r->argument;
    if (!area_ok(v, op->addr.p, sizeof(struct vcpu_runstate_info)))
        return -EFAULT;
    runstate_register(v, op->addr.p);
    return 0;
}

static long register_time_area(struct request *r)
{
    struct vcpu *v = r->vcpu;
    struct vcpu_register_time_memory_area *op = r->argument;
    if (!area_ok(v, op->addr.p, sizeof(struct vcpu_time_info)))
        return -EFAULT;
    WRITE_ONCE(v->time_guest, op->addr.p);
    if (v == current)
        vcpu_update_time(v);
    return 0;
}

/* Registering takes references of its own. */
static long register_info_at_gfn(struct vcpu *v, gfn_t gfn, unsigned offset)
{
    int error;
    struct page *page = p2m_get_page(v->domain, gfn, true, &error);
    if (!page)
        return error;
    error = vcpu_register_info(v, page_to_mfn(page), offset);
    page_put_with_type(page);
    return error;
}

static long register_info(struct request *r)
{
    struct vcpu *v = r->vcpu;
    struct vcpu_register_vcpu_info *op = r->argument;
    if (op->offset > PAGE_SIZE - sizeof(struct vcpu_info))
        return -EINVAL;
    spin_lock(&v->domain->lock);
    long error = v->hvm ? register_info_at_gfn(v, op->mfn, op->offset) : vcpu_register_info(v, op->mfn, op->offset);
    spin_unlock(&v->domain->lock);
    if (!error && v == current)
        vcpu_update_time(v); /* the master copy of the time moves with it */
    return error;
}

/* ---- Timers ---- */

static long set_periodic_timer(struct request *r)
{
    struct vcpu *v = r->vcpu;
    struct vcpu_set_periodic_timer *op = r->argument;
    if (op->period_ns < MIN_PERIOD || op->period_ns > MAX_PERIOD)
        return -EINVAL;
    WRITE_ONCE(v->periodic_period, op->period_ns);
    timer_set(&v->periodic, now() + op->period_ns);
    return 0;
}

static long stop_periodic_timer(struct request *r)
{
    struct vcpu *v = r->vcpu;
    WRITE_ONCE(v->periodic_period, 0);
    timer_stop(&v->periodic);
    return 0;
}

/* The one-shot timer is its vcpu's own: no other vcpu sets or stops it. */
static long set_singleshot_timer(struct request *r)
{
    struct vcpu *v = r->vcpu;
    struct vcpu_set_singleshot_timer op;
    if (v != current)
        return -EINVAL;
    if (copy_argument_in(&op, r->address))
        return -EFAULT;
    if (op.flags & VCPU_SSHOTTMR_future && op.timeout_abs_ns < now())
        return -ETIME;
    timer_set(&v->singleshot, op.timeout_abs_ns);
    return 0;
}

static long stop_singleshot_timer(struct request *r)
{
    struct vcpu *v = r->vcpu;
    if (v != current)
        return -EINVAL;
    timer_stop(&v->singleshot);
    return 0;
}

static const struct operation operations[] = {
    [VCPUOP_initialise] = {vcpu_initialise},
    [VCPUOP_up] = {vcpu_up},
    [VCPUOP_down] = {vcpu_down},
    [VCPUOP_is_up] = {vcpu_is_up},
    [VCPUOP_get_runstate_info] = {get_runstate_info, sizeof(struct vcpu_runstate_info), POLICY_ANYONE, ANSWER_ONLY},
    [VCPUOP_register_runstate_memory_area] = {register_runstate_area,
                                              sizeof(struct vcpu_register_runstate_memory_area)},
    [VCPUOP_set_periodic_timer] = {set_periodic_timer, sizeof(struct vcpu_set_periodic_timer)},
    [VCPUOP_stop_periodic_timer] = {stop_periodic_timer},
    [VCPUOP_set_singleshot_timer] = {set_singleshot_timer},
    [VCPUOP_stop_singleshot_timer] = {stop_singleshot_timer},
    [VCPUOP_register_vcpu_info] = {register_info, sizeof(struct vcpu_register_vcpu_info)},
    [VCPUOP_send_nmi] = {vcpu_send_nmi},
    [VCPUOP_get_physid] = {vcpu_get_physid, sizeof(struct vcpu_get_physid), POLICY_ANYONE, ANSWER_ONLY},
    [VCPUOP_register_vcpu_time_memory_area] = {register_time_area, sizeof(struct vcpu_register_time_memory_area)},
};

/* arg[0] VCPUOP_*, arg[1] which of the caller's vcpus, arg[2] address of the operation's structure. */
long do_vcpu_op(struct hypercall *call)
{
    struct request r = {
        .call = call,
        .address = call->arg[2],
        .vcpu = domain_vcpu(current->domain, (uint32_t)call->arg[1]),
    };

    return r.vcpu ? operation_serve(operations, ARRAY_SIZE(operations), (uint32_t)call->arg[0], &r) : -ENOENT;
}
