/*
 * __HYPERVISOR_vcpu_op: bringing vcpus up and down, their timers, and what they share with their guest.
 * Source: xen/vcpu.h.
 */
#include <hv/compat.h>
#include <hv/console.h>
#include <hv/event_channel.h>
#include <hv/grant_table.h>
#include <hv/guest_copy.h>
#include <hv/hvm.h>
#include <hv/hvm_irq.h>
#include <hv/operation.h>
#include <hv/p2m.h>
#include <hv/page_alloc.h>
#include <hv/pv.h>
#include <hv/sched.h>
#include <hv/time.h>
#include <hv/vdev.h>
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

/* Any address may be an HVM guest's own. */
static bool area_ok(const struct vcpu *v, unsigned long address, size_t bytes)
{
    return !address || v->hvm || guest_range_ok(address, bytes);
}

static long register_runstate_area(struct request *r)
{
    struct vcpu *v = r->vcpu;
    struct vcpu_register_runstate_memory_area *op = r->argument;
    struct vcpu_runstate_info info;
    if (!area_ok(v, op->addr.p, sizeof(info)))
        return -EFAULT;
    WRITE_ONCE(v->runstate_guest, op->addr.p);
    vcpu_get_runstate(v, &info);
    if (op->addr.p) /* a first value at once, if the caller's address space reaches it */
        (void)!write_runstate(v->domain, op->addr.p, &info);
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

static void singleshot_fired(void *data)
{
    send_guest_vcpu_virq(data, VIRQ_TIMER);
}

/* Ticks missed are not made up for: one event says that time has passed. */
static void periodic_fired(void *data)
{
    struct vcpu *v = data;
    ns_t period = READ_ONCE(v->periodic_period), time = now();
    send_guest_vcpu_virq(v, VIRQ_TIMER);
    if (!period)
        return;
    ns_t next = v->periodic.deadline + period;
    timer_set(&v->periodic, next > time ? next : time + period);
}

static void poll_timed_out(void *data)
{
    struct vcpu *v = data;
    if (test_bit(v->id, &v->domain->polling))
        vcpu_unblock(v);
}

void vcpu_timers_init(struct vcpu *v)
{
    timer_init(&v->singleshot, singleshot_fired, v, v->cpu);
    timer_init(&v->periodic, periodic_fired, v, v->cpu);
    timer_init(&v->poll_timer, poll_timed_out, v, v->cpu);
}

void vcpu_timers_stop(struct vcpu *v)
{
    v->periodic_period = 0;
    timer_stop(&v->singleshot);
    timer_stop(&v->periodic);
    timer_stop(&v->poll_timer);
}

void vcpu_timers_kill(struct vcpu *v)
{
    WRITE_ONCE(v->periodic_period, 0);
    timer_kill(&v->singleshot);
    timer_kill(&v->periodic);
    timer_kill(&v->poll_timer);
}

void vcpu_timers_migrate(struct vcpu *v, struct cpu *cpu)
{
    timer_migrate(&v->singleshot, cpu);
    timer_migrate(&v->periodic, cpu);
    timer_migrate(&v->poll_timer, cpu);
    if (v->hvm)
        vlapic_migrate_timers(v, cpu);
}

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
