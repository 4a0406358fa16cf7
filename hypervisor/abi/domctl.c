/*
 * HYPERVISOR_domctl: the toolstack makes, changes and ends domains. This file: the table, life cycle, and what is not
 * special to x86. Source: xen/domctl.h.
 *
 * One domctl runs at a time. A second caller does not wait for the lock but enters its hypercall again, so that it
 * takes interrupts meanwhile.
 */
#include <hv/abi_internal.h>
#include <hv/claim.h>
#include <hv/domain_log.h>
#include <hv/cpu.h>
#include <hv/guest_copy.h>
#include <hv/hvm.h>
#include <hv/policy.h>
#include <hv/sched.h>
#include <hv/time.h>
#include <hv/vdev.h>

_Static_assert(sizeof(struct xen_domctl) == 144, "ABI");
_Static_assert(offsetof(struct xen_domctl, u) == 16, "ABI");
_Static_assert(sizeof(struct xen_domctl_getdomaininfo) == 112, "ABI");
_Static_assert(sizeof(struct xen_domctl_createdomain) == 64, "ABI");

/* ---- bitmaps ---- */

void cpumask_online(cpumask_t *mask)
{
    memset(mask, 0, sizeof(*mask));
    for (unsigned i = 0; i < cpu_count; i++)
        if (cpus[i].online)
            mask->bits[i / BITS_PER_LONG] |= 1UL << (i % BITS_PER_LONG);
}

static bool cpumask_and(cpumask_t *mask, const cpumask_t *other)
{
    unsigned long any = 0;

    for (unsigned i = 0; i < ARRAY_SIZE(mask->bits); i++)
        any |= mask->bits[i] &= other->bits[i];
    return any;
}

/* What the bitmap has beyond our mask is ignored. -EFAULT, -EINVAL (too long). */
static int cpumask_from_guest(cpumask_t *mask, const struct xenctl_bitmap *map)
{
    size_t bytes = min(DIV_ROUND_UP((size_t)map->nr_bits, 8), sizeof(*mask));
    unsigned tail = map->nr_bits % BITS_PER_LONG;

    memset(mask, 0, sizeof(*mask));
    if (copy_from_guest_va(mask, (unsigned long)map->bitmap.p, bytes))
        return -EFAULT;
    if (map->nr_bits < NR_CPUS && tail)
        mask->bits[map->nr_bits / BITS_PER_LONG] &= (1UL << tail) - 1;
    return 0;
}

int cpumask_to_guest(const struct xenctl_bitmap *map, const cpumask_t *mask)
{
    size_t wanted = DIV_ROUND_UP((size_t)map->nr_bits, 8), bytes = min(wanted, sizeof(*mask));
    unsigned long to = (unsigned long)map->bitmap.p;

    if (map->nr_bits > MAX_BITMAP_BITS)
        return -EINVAL;
    if (copy_to_guest_va(to, mask, bytes))
        return -EFAULT;
    return wanted > bytes ? clear_guest_va(to + bytes, wanted - bytes) : 0;
}

/* ---- life cycle ---- */

/* The control domain does not end itself this way. */
static long destroy_domain(struct request *r)
{
    struct domain *d = r->domain;

    if (is_current_domain(d) || d->is_privileged)
        return -EINVAL;
    memory_claim_drop(d);
    return domain_kill(d);
}

static long pause_domain(struct request *r)
{
    struct domain *d = r->domain;

    return is_current_domain(d) ? -EINVAL : domain_pause_by_controller(d);
}

static long unpause_domain(struct request *r)
{
    struct domain *d = r->domain;

    return domain_unpause_by_controller(d);
}

static long resume_domain(struct request *r)
{
    struct domain *d = r->domain;

    if (is_current_domain(d))
        return -EINVAL;
    domain_resume(d);
    return 0;
}

/* Says again what was said at creation; now the vcpus are made. */
static long max_vcpus(struct request *r)
{
    struct domain *d = r->domain;
    struct xen_domctl *op = r->argument;
    struct vcpu *v;

    if (is_current_domain(d) || op->u.max_vcpus.max != d->max_vcpus)
        return -EINVAL;
    for (unsigned i = 0; i < d->max_vcpus; i++) {
        int error = d->vcpu[i] ? 0 : vcpu_create(d, i, &v);

        if (error)
            return error;
    }
    return 0;
}

/* A limit below what the domain has now takes nothing away. */
static long max_mem(struct request *r)
{
    struct domain *d = r->domain;
    struct xen_domctl *op = r->argument;
    uint64_t pages = op->u.max_mem.max_memkb >> (PAGE_SHIFT - 10);

    spin_lock(&reservation_lock);
    d->max_pages = min(pages, (uint64_t)UINT32_MAX);
    spin_unlock(&reservation_lock);
    return 0;
}

static long set_handle(struct request *r)
{
    struct domain *d = r->domain;
    struct xen_domctl *op = r->argument;

    spin_lock(&d->lock);
    memcpy(d->handle, op->u.setdomainhandle.handle, sizeof(d->handle));
    spin_unlock(&d->lock);
    return 0;
}

static long set_time_offset(struct request *r)
{
    struct domain *d = r->domain;
    struct xen_domctl *op = r->argument;

    d->time_offset_seconds = op->u.settimeoffset.time_offset_seconds;
    if (is_hvm(d))
        vrtc_set_time_offset(d, d->time_offset_seconds);
    domain_update_wallclock(d);
    return 0;
}

/* ---- information ---- */

static uint32_t vcpu_flags(struct domain *d, struct xen_domctl_getdomaininfo *info)
{
    bool running = false, awake = false;
    struct vcpu *v;

    info->nr_online_vcpus = 0;
    info->max_vcpu_id = XEN_INVALID_MAX_VCPU_ID;
    for_each_vcpu(d, v) {
        info->max_vcpu_id = v->id;
        if (v->offline)
            continue;
        info->nr_online_vcpus++;
        running |= v->is_running;
        awake |= !v->blocked && !vcpu_waits_for_io(v);
    }
    if (running)
        return XEN_DOMINF_running;
    return info->nr_online_vcpus && !awake ? XEN_DOMINF_blocked : 0;
}

/* Under the number by which the guest knows it. */
static uint64_t shared_info_frame(const struct domain *d)
{
    struct shared_info *shared = READ_ONCE(d->shared_info);

    if (!shared)
        return INVALID_MFN;
    return is_hvm(d) ? d->hvm->shared_info_gfn : virt_to_mfn(shared);
}

void domain_info_fill(struct domain *d, struct xen_domctl_getdomaininfo *info)
{
    uint32_t flags;

    memset(info, 0, sizeof(*info));
    flags = vcpu_flags(d, info);
    flags |= d->dying == DOMAIN_DEAD ? XEN_DOMINF_dying : 0;
    flags |= d->controller_pauses ? XEN_DOMINF_paused : 0;
    flags |= d->create_flags & XEN_DOMCTL_CDF_xs_domain ? XEN_DOMINF_xs_domain : 0;
    if (is_hvm(d)) {
        flags |= XEN_DOMINF_hvm_guest | (d->hvm->is_hap ? XEN_DOMINF_hap : 0);
        info->arch_config.emulation_flags = d->hvm->emulation;
    }
    if (d->is_shut_down)
        flags |= XEN_DOMINF_shutdown | (d->shutdown_code & XEN_DOMINF_shutdownmask) << XEN_DOMINF_shutdownshift;
    info->domain = d->id;
    info->flags = flags;
    info->tot_pages = d->pages;
    info->max_pages = d->max_pages;
    info->outstanding_pages = d->outstanding_pages;
    info->shared_info_frame = shared_info_frame(d);
    info->cpu_time = domain_cpu_time(d);
    info->ssidref = policy_sid_of(d);
    memcpy(info->handle, d->handle, sizeof(info->handle));
    info->gpaddr_bits = (uint8_t)cpu_features.physical_address_bits;
}

/* Answers for the first domain from the number named on: callers walk all domains this way. */
static long get_domain_info(struct request *r)
{
    struct xen_domctl *op = r->argument;
    struct domain *d = domain_get_next_in_any_state(op->domain);

    if (!d)
        return -ESRCH;
    domain_info_fill(d, &op->u.getdomaininfo);
    op->domain = d->id;
    domain_put(d);
    return 0;
}

static int no_such_vcpu(const struct domain *d, uint32_t id)
{
    return id < d->max_vcpus ? -ESRCH : -EINVAL;
}

static long get_vcpu_info(struct request *r)
{
    struct domain *d = r->domain;
    struct xen_domctl *op = r->argument;
    struct xen_domctl_getvcpuinfo *info = &op->u.getvcpuinfo;
    struct vcpu *v = domain_vcpu(d, info->vcpu);
    struct vcpu_runstate_info runstate;

    if (!v)
        return no_such_vcpu(d, info->vcpu);
    vcpu_get_runstate(v, &runstate);
    info->online = !v->offline;
    info->blocked = v->blocked;
    info->running = v->is_running;
    info->cpu_time = runstate.time[RUNSTATE_running];
    info->cpu = v->cpu ? v->cpu->id : 0;
    return 0;
}

/* ---- placement and scheduling ---- */

#define AFFINITY_FLAGS (XEN_VCPUAFFINITY_HARD | XEN_VCPUAFFINITY_SOFT | XEN_VCPUAFFINITY_FORCE)

/* Wanted masks are kept as they are; the caller is told what is left of them on the processors that are there. */
static long set_vcpu_affinity(struct request *r)
{
    struct domain *d = r->domain;
    struct xen_domctl *op = r->argument;
    struct xen_domctl_vcpuaffinity *a = &op->u.vcpuaffinity;
    struct vcpu *v = domain_vcpu(d, a->vcpu);
    cpumask_t hard, soft, online;
    int error = 0;

    if (!v)
        return no_such_vcpu(d, a->vcpu);
    if (a->flags & ~AFFINITY_FLAGS || !(a->flags & (XEN_VCPUAFFINITY_HARD | XEN_VCPUAFFINITY_SOFT)))
        return -EINVAL;
    hard = v->hard_affinity;
    soft = v->soft_affinity;
    cpumask_online(&online);
    if (a->flags & XEN_VCPUAFFINITY_HARD)
        error = cpumask_from_guest(&hard, &a->cpumap_hard);
    if (!error && a->flags & XEN_VCPUAFFINITY_SOFT)
        error = cpumask_from_guest(&soft, &a->cpumap_soft);
    if (!error)
        error = vcpu_set_affinity(v, &hard, &soft);
    if (error)
        return error;
    cpumask_and(&hard, &online);
    cpumask_and(&soft, &hard);
    if (a->flags & XEN_VCPUAFFINITY_HARD)
        error = cpumask_to_guest(&a->cpumap_hard, &hard);
    if (!error && a->flags & XEN_VCPUAFFINITY_SOFT)
        error = cpumask_to_guest(&a->cpumap_soft, &soft);
    return error;
}

static long get_vcpu_affinity(struct request *r)
{
    struct domain *d = r->domain;
    struct xen_domctl *op = r->argument;
    struct xen_domctl_vcpuaffinity *a = &op->u.vcpuaffinity;
    struct vcpu *v = domain_vcpu(d, a->vcpu);
    int error = 0;

    if (!v)
        return no_such_vcpu(d, a->vcpu);
    if (a->flags & XEN_VCPUAFFINITY_HARD)
        error = cpumask_to_guest(&a->cpumap_hard, &v->hard_affinity);
    if (!error && a->flags & XEN_VCPUAFFINITY_SOFT)
        error = cpumask_to_guest(&a->cpumap_soft, &v->soft_affinity);
    return error;
}

/* All memory is one node; the only wrong answer is not to want it. */
static long set_node_affinity(struct request *r)
{
    struct xen_domctl *op = r->argument;
    cpumask_t nodes;
    int error = cpumask_from_guest(&nodes, &op->u.nodeaffinity.nodemap);

    return error ? error : nodes.bits[0] & 1 ? 0 : -EINVAL;
}

static long get_node_affinity(struct request *r)
{
    struct xen_domctl *op = r->argument;
    cpumask_t nodes = {{1}};

    return cpumask_to_guest(&op->u.nodeaffinity.nodemap, &nodes);
}

/* In putinfo, weight 0 and a cap of all ones leave the value as it is. */
static long scheduler_op(struct request *r)
{
    struct domain *d = r->domain;
    struct xen_domctl *op = r->argument;
    struct xen_domctl_sched_credit2 *p = &op->u.scheduler_op.u.credit2;
    uint32_t weight, cap;
    int error;

    if (op->u.scheduler_op.sched_id != XEN_SCHEDULER_CREDIT2)
        return -EINVAL;
    error = sched_get_params(d, &weight, &cap);
    if (error)
        return error;
    switch (op->u.scheduler_op.cmd) {
    case XEN_DOMCTL_SCHEDOP_getinfo:
        p->weight = (uint16_t)weight;
        p->cap = (uint16_t)cap;
        return 0;
    case XEN_DOMCTL_SCHEDOP_putinfo:
        return sched_set_params(d, p->weight ? p->weight : weight, p->cap != UINT16_MAX ? p->cap : cap);
    }
    return -EINVAL;
}

/* Events for the machine's owner stay with Domain-0, where they are now. */
static long set_virq_handler(struct request *r)
{
    struct domain *d = r->domain;
    struct xen_domctl *op = r->argument;

    if (op->u.set_virq_handler.virq >= NR_VIRQS)
        return -EINVAL;
    return d->is_privileged ? 0 : domain_refuse(d, -EOPNOTSUPP, "events of the machine for another than Domain-0");
}

/* ---- dispatch ---- */

/* What there is no such thing of. Names are those of xl's options where there is one. */
static const struct {
    uint32_t command;
    int error;
    const char *option;
} absent[] = {
    {XEN_DOMCTL_assign_device, -EOPNOTSUPP, "pci=: a device of the machine"},
    {XEN_DOMCTL_deassign_device, -EOPNOTSUPP, "pci=: a device of the machine"},
    {XEN_DOMCTL_test_assign_device, -EOPNOTSUPP, "pci=: a device of the machine"},
    {XEN_DOMCTL_get_device_group, -ENOSYS, "pci=: a device of the machine"},
    {XEN_DOMCTL_bind_pt_irq, -EOPNOTSUPP, "pci=: an interrupt of a device of the machine"},
    {XEN_DOMCTL_unbind_pt_irq, -EOPNOTSUPP, "pci=: an interrupt of a device of the machine"},
    {XEN_DOMCTL_memory_mapping, -EOPNOTSUPP, "iomem=: memory of a device of the machine"},
    {XEN_DOMCTL_ioport_mapping, -EOPNOTSUPP, "ioports=: ports of a device of the machine"},
    {XEN_DOMCTL_setvnumainfo, -ENOSYS, "vnuma=: more nodes of memory than one"},
    {XEN_DOMCTL_debug_op, -EOPNOTSUPP, "single steps by a debugger"},
    {XEN_DOMCTL_gdbsx_guestmemio, -ENOSYS, "gdbsx"},
    {XEN_DOMCTL_monitor_op, -EOPNOTSUPP, "altp2m= and others: watching a guest"},
    {XEN_DOMCTL_vm_event_op, -EOPNOTSUPP, "paging, sharing or watching a guest's memory"},
    {XEN_DOMCTL_mem_sharing_op, -ENOSYS, "sharing memory between guests"},
    {XEN_DOMCTL_set_access_required, -ENOSYS, "watching a guest's memory"},
    {XEN_DOMCTL_vmtrace_op, -ENOSYS, "vmtrace_buf_kb=: traces by the processor"},
    {XEN_DOMCTL_psr_cmt_op, -ENOSYS, "psr: shares of the processor's caches"},
    {XEN_DOMCTL_psr_alloc, -ENOSYS, "psr: shares of the processor's caches"},
    {XEN_DOMCTL_set_broken_page_p2m, -EOPNOTSUPP, "broken pages of a guest"},
};

static long refuse_absent(struct request *r)
{
    struct domain *d = r->domain;
    struct xen_domctl *op = r->argument;

    for (unsigned i = 0; i < ARRAY_SIZE(absent); i++)
        if (absent[i].command == op->cmd)
            return domain_refuse(d, absent[i].error, absent[i].option);
    return -ENOSYS;
}

#define OPERATION(name, handler, answer, object)                                                                       \
    [XEN_DOMCTL_##name] = {handler, sizeof(struct xen_domctl), POLICY_CONTROL, answer, object}
/* Row 0 stands for what has none: it is refused once the domain is known to exist. */
static const struct operation operations[] = {
    [0] = {refuse_absent, sizeof(struct xen_domctl), POLICY_CONTROL},
    OPERATION(createdomain, domctl_createdomain, ANSWER_DONE, OBJECT_NONE),
    OPERATION(destroydomain, destroy_domain, ANSWER_NONE, OBJECT_ANY_STATE),
    OPERATION(pausedomain, pause_domain, ANSWER_NONE, OBJECT_LIVING),
    OPERATION(unpausedomain, unpause_domain, ANSWER_NONE, OBJECT_LIVING),
    OPERATION(resumedomain, resume_domain, ANSWER_NONE, OBJECT_LIVING),
    OPERATION(getdomaininfo, get_domain_info, ANSWER_DONE, OBJECT_NONE),
    OPERATION(max_vcpus, max_vcpus, ANSWER_NONE, OBJECT_LIVING),
    OPERATION(max_mem, max_mem, ANSWER_NONE, OBJECT_LIVING),
    OPERATION(setdomainhandle, set_handle, ANSWER_NONE, OBJECT_LIVING),
    OPERATION(settimeoffset, set_time_offset, ANSWER_NONE, OBJECT_LIVING),
    OPERATION(getvcpuinfo, get_vcpu_info, ANSWER_DONE, OBJECT_ANY_STATE),
    OPERATION(setvcpuaffinity, set_vcpu_affinity, ANSWER_DONE, OBJECT_LIVING),
    OPERATION(getvcpuaffinity, get_vcpu_affinity, ANSWER_DONE, OBJECT_ANY_STATE),
    OPERATION(setnodeaffinity, set_node_affinity, ANSWER_NONE, OBJECT_LIVING),
    OPERATION(getnodeaffinity, get_node_affinity, ANSWER_DONE, OBJECT_ANY_STATE),
    OPERATION(scheduler_op, scheduler_op, ANSWER_DONE, OBJECT_LIVING),
    OPERATION(set_virq_handler, set_virq_handler, ANSWER_NONE, OBJECT_LIVING),

    OPERATION(setvcpucontext, domctl_setvcpucontext, ANSWER_NONE, OBJECT_LIVING),
    OPERATION(getvcpucontext, domctl_getvcpucontext, ANSWER_DONE, OBJECT_LIVING),
    OPERATION(set_ext_vcpucontext, domctl_set_ext_vcpucontext, ANSWER_NONE, OBJECT_LIVING),
    OPERATION(get_ext_vcpucontext, domctl_get_ext_vcpucontext, ANSWER_DONE, OBJECT_LIVING),
    OPERATION(setvcpuextstate, domctl_setvcpuextstate, ANSWER_NONE, OBJECT_LIVING),
    OPERATION(getvcpuextstate, domctl_getvcpuextstate, ANSWER_DONE, OBJECT_LIVING),
    OPERATION(gethvmcontext, domctl_gethvmcontext, ANSWER_DONE, OBJECT_LIVING),
    OPERATION(sethvmcontext, domctl_sethvmcontext, ANSWER_NONE, OBJECT_LIVING),
    OPERATION(gethvmcontext_partial, domctl_gethvmcontext_partial, ANSWER_DONE, OBJECT_LIVING),
    OPERATION(set_vcpu_msrs, domctl_set_vcpu_msrs, ANSWER_DONE | ANSWER_FAILED, OBJECT_LIVING),
    OPERATION(get_vcpu_msrs, domctl_get_vcpu_msrs, ANSWER_DONE | ANSWER_FAILED, OBJECT_LIVING),

    OPERATION(shadow_op, domctl_shadow_op, ANSWER_DONE, OBJECT_LIVING),
    OPERATION(irq_permission, domctl_irq_permission, ANSWER_NONE, OBJECT_LIVING),
    OPERATION(iomem_permission, domctl_iomem_permission, ANSWER_NONE, OBJECT_LIVING),
    OPERATION(ioport_permission, domctl_ioport_permission, ANSWER_NONE, OBJECT_LIVING),
    OPERATION(hypercall_init, domctl_hypercall_init, ANSWER_NONE, OBJECT_LIVING),
    OPERATION(set_address_size, domctl_set_address_size, ANSWER_NONE, OBJECT_LIVING),
    OPERATION(get_address_size, domctl_get_address_size, ANSWER_DONE, OBJECT_LIVING),
    OPERATION(settscinfo, domctl_settscinfo, ANSWER_NONE, OBJECT_LIVING),
    OPERATION(gettscinfo, domctl_gettscinfo, ANSWER_DONE, OBJECT_LIVING),
    OPERATION(getpageframeinfo3, domctl_getpageframeinfo3, ANSWER_NONE, OBJECT_LIVING),
    OPERATION(get_cpu_policy, domctl_get_cpu_policy, ANSWER_DONE | ANSWER_FAILED, OBJECT_LIVING),
    OPERATION(set_cpu_policy, domctl_set_cpu_policy, ANSWER_DONE | ANSWER_FAILED, OBJECT_LIVING),
    OPERATION(sendtrigger, domctl_sendtrigger, ANSWER_NONE, OBJECT_LIVING),
    OPERATION(soft_reset, domctl_soft_reset, ANSWER_NONE, OBJECT_LIVING),
    OPERATION(get_paging_mempool_size, domctl_get_paging_mempool_size, ANSWER_DONE, OBJECT_LIVING),
    OPERATION(set_paging_mempool_size, domctl_set_paging_mempool_size, ANSWER_NONE, OBJECT_LIVING),
};

/* On the domain that it is about, which the caller must have the right to act on. */
static long serve(struct request *r)
{
    const struct xen_domctl *op = r->argument;
    uint32_t number = op->cmd < ARRAY_SIZE(operations) && operations[op->cmd].handler ? op->cmd : 0;
    enum object object = operations[number].object;
    long result;

    if (object == OBJECT_NONE)
        return operation_serve(operations, ARRAY_SIZE(operations), number, r);
    r->domain = object == OBJECT_ANY_STATE ? domain_get_in_any_state(op->domain) : domain_get(op->domain);
    if (!r->domain)
        return -ESRCH;
    result = allowed_on(current->domain, POLICY_VERB_CONTROL, r->domain);
    if (!result)
        result = operation_serve(operations, ARRAY_SIZE(operations), number, r);
    domain_put(r->domain);
    return result;
}

static struct spinlock domctl_lock = SPINLOCK_INIT(LOCK_DOMCTL);

/* arg[0] address of the structure, which says which operation. */
long do_domctl(struct hypercall *call)
{
    struct xen_domctl op;
    struct request r = {.call = call, .address = call->arg[0], .argument = &op};
    long result;

    if (copy_argument_in(&op, call->arg[0]))
        return -EFAULT;
    if (op.interface_version != XEN_DOMCTL_INTERFACE_VERSION)
        return -EACCES;
    if (!spin_trylock(&domctl_lock))
        return -ERESTART;
    result = serve(&r);
    spin_unlock(&domctl_lock);
    return result;
}
