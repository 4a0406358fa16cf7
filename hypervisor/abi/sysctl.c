/*
 * HYPERVISOR_sysctl: the toolstack asks about the machine and its domains. Source: xen/sysctl.h.
 *
 * Questions take no lock of their own: each answer is right for some moment during the call.
 */
#include <hv/abi_internal.h>
#include <hv/claim.h>
#include <hv/console.h>
#include <hv/cpu_policy.h>
#include <hv/event_channel.h>
#include <hv/grant_table.h>
#include <hv/guest_copy.h>
#include <hv/hvm.h>
#include <hv/operation.h>
#include <hv/page_alloc.h>
#include <hv/sched.h>
#include <hv/time.h>

_Static_assert(sizeof(struct xen_sysctl) == 136, "ABI");
_Static_assert(offsetof(struct xen_sysctl, u) == 8, "ABI");
_Static_assert(sizeof(struct xen_sysctl_physinfo) == 112, "ABI");

/* ---- console ---- */

#define CONSOLE_CHUNK 512

/* Pieces are copied out as they come; clearing waits until the caller has everything he has room for. */
static long read_console(struct request *r)
{
    struct xen_sysctl *sysctl = r->argument;
    struct xen_sysctl_readconsole *op = &sysctl->u.readconsole;
    uint32_t index = op->incremental ? op->index : 0, done = 0;
    char text[CONSOLE_CHUNK];

    while (done < op->count) {
        size_t bytes = console_ring_read(text, min(op->count - done, (uint32_t)CONSOLE_CHUNK), &index, false);

        if (!bytes)
            break;
        if (copy_to_guest_offset(op->buffer, done, text, bytes))
            return -EFAULT;
        done += (uint32_t)bytes;
    }
    if (op->clear) {
        uint32_t ignored = index;

        console_ring_read(text, 0, &ignored, true);
    }
    op->index = index;
    op->count = done;
    return 0;
}

/* ---- processors and memory ---- */

struct topology {
    unsigned threads_per_core, cores_per_socket;
    unsigned core_shift, socket_shift; /* of the APIC id */
};

/* CPUID leaf 0xb (Intel SDM volume 2; AMD APM volume 3, E.3.7): sub-leaf 0 threads of a core, 1
 * processors of a socket. */
static bool topology_from_leaf_b(struct topology *t)
{
    struct cpuid threads = cpuid(0xb, 0), socket = cpuid(0xb, 1);
    unsigned per_core = threads.ebx & 0xffff, per_socket = socket.ebx & 0xffff;

    if (cpuid(0, 0).eax < 0xb || !per_core || per_socket < per_core)
        return false;
    *t = (struct topology){per_core, per_socket / per_core, threads.eax & 0x1f, socket.eax & 0x1f};
    return true;
}

static struct topology topology(void)
{
    struct topology t = {1, 1, 0, 0};
    unsigned per_socket = cpuid(1, 0).ebx >> 16 & 0xff;

    if (topology_from_leaf_b(&t))
        return t;
    t.cores_per_socket = max(per_socket, 1U);
    while (1U << t.socket_shift < t.cores_per_socket)
        t.socket_shift++;
    return t;
}

static unsigned online_cpus(void)
{
    unsigned online = 0;

    for (unsigned i = 0; i < cpu_count; i++)
        online += cpus[i].online;
    return online;
}

static long physical_info(struct request *r)
{
    struct xen_sysctl *op = r->argument;
    struct xen_sysctl_physinfo *p = &op->u.physinfo;
    struct topology t = topology();
    uint32_t words = ARRAY_SIZE(p->hw_cap);

    memset(p, 0, sizeof(*p));
    p->threads_per_core = t.threads_per_core;
    p->cores_per_socket = t.cores_per_socket;
    p->nr_cpus = online_cpus();
    p->max_cpu_id = cpu_count - 1;
    p->nr_nodes = 1;
    p->cpu_khz = (uint32_t)tsc_khz();
    p->capabilities = XEN_SYSCTL_PHYSCAP_pv | XEN_SYSCTL_PHYSCAP_gnttab_v1 | XEN_SYSCTL_PHYSCAP_gnttab_v2;
    if (hvm_available())
        p->capabilities |= XEN_SYSCTL_PHYSCAP_hvm | XEN_SYSCTL_PHYSCAP_hap;
    p->total_pages = total_page_count();
    p->free_pages = free_page_count();
    p->outstanding_pages = memory_claimed_pages();
    p->max_mfn = memory_last_ram_page();
    return cpu_featureset_get(XEN_SYSCTL_cpu_featureset_host, p->hw_cap, &words);
}

static long cpu_topology(struct request *r)
{
    struct xen_sysctl *op = r->argument;
    struct xen_sysctl_cputopoinfo *info = &op->u.cputopoinfo;
    unsigned count = min(info->num_cpus, cpu_count);
    struct topology t = topology();

    info->num_cpus = cpu_count;
    if (guest_handle_is_null(info->cputopo))
        return 0;
    for (unsigned i = 0; i < count; i++) {
        uint32_t apic = cpus[i].apic_id, in_socket = apic & ((1U << t.socket_shift) - 1);
        struct xen_sysctl_cputopo entry = {in_socket >> t.core_shift, apic >> t.socket_shift, 0};

        if (!cpus[i].online)
            entry = (struct xen_sysctl_cputopo){XEN_INVALID_CORE_ID, XEN_INVALID_SOCKET_ID, XEN_INVALID_NODE_ID};
        if (copy_to_guest_offset(info->cputopo, i, &entry, 1))
            return -EFAULT;
    }
    return 0;
}

#define LOCAL_DISTANCE 10 /* ACPI SLIT */

static long numa_info(struct request *r)
{
    struct xen_sysctl *op = r->argument;
    struct xen_sysctl_numainfo *info = &op->u.numainfo;
    struct xen_sysctl_meminfo memory = {total_page_count() << PAGE_SHIFT, free_page_count() << PAGE_SHIFT};
    uint32_t distance = LOCAL_DISTANCE, room = info->num_nodes;

    info->num_nodes = 1;
    if (room && !guest_handle_is_null(info->meminfo) && copy_to_guest(info->meminfo, &memory, 1))
        return -EFAULT;
    if (room && !guest_handle_is_null(info->distance) && copy_to_guest(info->distance, &distance, 1))
        return -EFAULT;
    return 0;
}

/* Partial answers are allowed: the caller goes on after num_devs. */
#define PCI_TOPOLOGY_CHUNK 256

static long pci_topology(struct request *r)
{
    struct xen_sysctl *op = r->argument;
    struct xen_sysctl_pcitopoinfo *info = &op->u.pcitopoinfo;
    uint32_t node = XEN_INVALID_NODE_ID, count = min(info->num_devs, (uint32_t)PCI_TOPOLOGY_CHUNK);

    if (guest_handle_is_null(info->devs) || guest_handle_is_null(info->nodes))
        return -EINVAL;
    for (uint32_t i = 0; i < count; i++)
        if (copy_to_guest_offset(info->nodes, i, &node, 1))
            return -EFAULT;
    info->num_devs = count;
    return 0;
}

static long cpu_info_list(struct request *r)
{
    struct xen_sysctl *op = r->argument;
    struct xen_sysctl_getcpuinfo *info = &op->u.getcpuinfo;
    unsigned count = min(info->max_cpus, cpu_count);
    ns_t at = now();

    for (unsigned i = 0; i < count; i++) {
        uint64_t since = READ_ONCE(cpus[i].idle_since);
        struct xen_sysctl_cpuinfo entry = {cpus[i].idle_time + (since && since < at ? at - since : 0)};

        if (copy_to_guest_offset(info->info, i, &entry, 1))
            return -EFAULT;
    }
    info->nr_cpus = count;
    return 0;
}

/* Free memory is not counted by address; a question that would need it is not answered wrongly. */
static long available_heap(struct request *r)
{
    struct xen_sysctl *op = r->argument;
    struct xen_sysctl_availheap *a = &op->u.availheap;
    bool below_all = a->max_bitwidth && a->max_bitwidth < 64 && max_mfn << PAGE_SHIFT > 1UL << a->max_bitwidth;

    if (a->node != -1 && a->node)
        return -EINVAL;
    if (below_all || a->min_bitwidth > PAGE_SHIFT)
        return -EOPNOTSUPP;
    a->avail_bytes = free_page_count() << PAGE_SHIFT;
    return 0;
}

/* ---- domains ---- */

static long domain_info_list(struct request *r)
{
    struct xen_sysctl *op = r->argument;
    struct xen_sysctl_getdomaininfolist *list = &op->u.getdomaininfolist;
    struct xen_domctl_getdomaininfo info;
    domid_t next = list->first_domain;
    uint32_t count = 0;

    while (count < list->max_domains && next < DOMID_FIRST_RESERVED) {
        struct domain *d = domain_get_next_in_any_state(next);

        if (!d)
            break;
        domain_info_fill(d, &info);
        next = (domid_t)(d->id + 1);
        domain_put(d);
        if (copy_to_guest_offset(list->buffer, count, &info, 1))
            return -EFAULT;
        count++;
    }
    list->num_domains = count;
    return 0;
}

static uint32_t count_domains(void)
{
    struct domain *d;
    uint32_t count = 0;

    for (domid_t next = 0; (d = domain_get_next_in_any_state(next)) != NULL; count++) {
        next = (domid_t)(d->id + 1);
        domain_put(d);
    }
    return count;
}

/* ---- scheduler: one, and one pool of all processors ---- */

static long scheduler_id(struct request *r)
{
    struct xen_sysctl *op = r->argument;

    op->u.sched_id.sched_id = XEN_SCHEDULER_CREDIT2;
    return 0;
}

#define RATE_LIMIT_MICROSECONDS (SCHED_SLICE / 1000)

/* What a vcpu gets before another may take its place is fixed; asking for the same is granted. */
static long scheduler_parameters(struct request *r)
{
    struct xen_sysctl *op = r->argument;
    struct xen_sysctl_scheduler_op *s = &op->u.scheduler_op;

    if (s->cpupool_id)
        return -ESRCH;
    if (s->sched_id != XEN_SCHEDULER_CREDIT2)
        return -EINVAL;
    switch (s->cmd) {
    case XEN_SYSCTL_SCHEDOP_getinfo:
        s->u.sched_credit2.ratelimit_us = RATE_LIMIT_MICROSECONDS;
        return 0;
    case XEN_SYSCTL_SCHEDOP_putinfo:
        return s->u.sched_credit2.ratelimit_us == RATE_LIMIT_MICROSECONDS ? 0 : -EOPNOTSUPP;
    }
    return -EINVAL;
}

static long cpupool_op(struct request *r)
{
    struct xen_sysctl *op = r->argument;
    struct xen_sysctl_cpupool_op *pool = &op->u.cpupool_op;
    cpumask_t mask = {{0}};

    if (pool->op < XEN_SYSCTL_CPUPOOL_OP_CREATE || pool->op > XEN_SYSCTL_CPUPOOL_OP_FREEINFO)
        return -ENOSYS;
    if (pool->op == XEN_SYSCTL_CPUPOOL_OP_FREEINFO)
        return cpumask_to_guest(&pool->cpumap, &mask);
    if (pool->op == XEN_SYSCTL_CPUPOOL_OP_CREATE)
        return -EOPNOTSUPP;
    if (pool->cpupool_id && (pool->op != XEN_SYSCTL_CPUPOOL_OP_INFO || pool->cpupool_id != XEN_SYSCTL_CPUPOOL_PAR_ANY))
        return -ENOENT;
    if (pool->op == XEN_SYSCTL_CPUPOOL_OP_MOVEDOMAIN)
        return 0;
    if (pool->op != XEN_SYSCTL_CPUPOOL_OP_INFO)
        return -EOPNOTSUPP;
    pool->cpupool_id = 0;
    pool->sched_id = XEN_SCHEDULER_CREDIT2;
    pool->n_dom = count_domains();
    cpumask_online(&mask);
    return cpumask_to_guest(&pool->cpumap, &mask);
}

/* ---- power: processors are neither slowed nor put into deep sleep, so there are no figures about it ---- */

static long power_statistics(struct request *r)
{
    struct xen_sysctl *op = r->argument;

    return op->u.get_pmstat.cpuid < cpu_count ? -ENODEV : -EINVAL;
}

static long power_op(struct request *r)
{
    struct xen_sysctl *op = r->argument;
    struct xen_sysctl_pm_op *pm = &op->u.pm_op;

    if (pm->cmd == XEN_SYSCTL_pm_op_get_max_cstate) {
        pm->u.get_max_cstate = XEN_SYSCTL_CX_UNLIMITED;
        return 0;
    }
    return (pm->cmd & PM_PARA_CATEGORY_MASK) == CPUFREQ_PARA ? -EINVAL : -ENOSYS;
}

static long cpu_hotplug(struct request *r)
{
    struct xen_sysctl *op = r->argument;
    bool online = op->u.cpu_hotplug.op == XEN_SYSCTL_CPU_HOTPLUG_ONLINE;
    uint32_t cpu = op->u.cpu_hotplug.cpu;

    if (!online && op->u.cpu_hotplug.op != XEN_SYSCTL_CPU_HOTPLUG_OFFLINE)
        return -EOPNOTSUPP;
    if (cpu >= cpu_count || (!online && !cpu))
        return -EINVAL;
    return cpus[cpu].online == online ? 0 : -EOPNOTSUPP;
}

/* ---- CPUID ---- */

static long levelling_caps(struct request *r)
{
    struct xen_sysctl *op = r->argument;

    op->u.cpu_levelling_caps.caps = 0;
    return 0;
}

#define MAX_FEATURE_WORDS 64

static long cpu_featureset(struct request *r)
{
    struct xen_sysctl *op = r->argument;
    struct xen_sysctl_cpu_featureset *f = &op->u.cpu_featureset;
    uint32_t features[MAX_FEATURE_WORDS], words = MAX_FEATURE_WORDS, wanted = f->nr_features;
    int error = cpu_featureset_get(f->index, features, &words);

    if (error)
        return error;
    f->nr_features = words;
    if (guest_handle_is_null(f->features))
        return 0;
    f->nr_features = min(words, wanted);
    if (copy_to_guest(f->features, features, f->nr_features))
        return -EFAULT;
    return wanted < words ? -ENOBUFS : 0;
}

struct policy_buffer {
    struct xen_cpuid_leaf leaf[CPU_POLICY_MAX_LEAVES];
    struct xen_msr_entry msr[CPU_POLICY_MAX_MSRS];
};

/* A null array asks how much any policy can need. */
static long cpu_policy(struct request *r)
{
    struct xen_sysctl *op = r->argument;
    struct xen_sysctl_cpu_policy *p = &op->u.cpu_policy;
    uint32_t leaves = CPU_POLICY_MAX_LEAVES, msrs = CPU_POLICY_MAX_MSRS;
    struct policy_buffer *buffer;
    int error;

    if (p->_rsvd)
        return -EINVAL;
    buffer = zalloc(sizeof(*buffer));
    if (!buffer)
        return -ENOMEM;
    error = cpu_policy_get_system(p->index, buffer->leaf, &leaves, buffer->msr, &msrs);
    if (!error && !guest_handle_is_null(p->leaves))
        error = p->nr_leaves < leaves ? -ENOBUFS : copy_to_guest(p->leaves, buffer->leaf, leaves);
    if (!error && !guest_handle_is_null(p->msrs))
        error = p->nr_msrs < msrs ? -ENOBUFS : copy_to_guest(p->msrs, buffer->msr, msrs);
    p->nr_leaves = guest_handle_is_null(p->leaves) ? CPU_POLICY_MAX_LEAVES : leaves;
    p->nr_msrs = guest_handle_is_null(p->msrs) ? CPU_POLICY_MAX_MSRS : msrs;
    free(buffer);
    return error;
}

/* ---- debug keys ---- */

static void for_each_domain(void (*show)(struct domain *d))
{
    struct domain *d;

    for (domid_t next = 0; (d = domain_get_next_in_any_state(next)) != NULL;) {
        next = (domid_t)(d->id + 1);
        show(d);
        domain_put(d);
    }
}

static void show_domain(struct domain *d)
{
    struct vcpu *v;

    log_info("d%u: %s%s%s pages %u of %lu, ours %u, references %d, paused %d", d->id,
             d->is_privileged ? "privileged " : "", d->dying ? "dying " : "", d->is_shut_down ? "shut down " : "",
             d->pages, (unsigned long)d->max_pages, d->xenheap_pages, d->references, d->pause_count);
    for_each_vcpu(d, v)
        log_info("  d%uv%u: cpu %u%s%s%s paused %d, pending %u masked %u, rip %016lx", d->id, v->id,
                 v->cpu ? v->cpu->id : 0, v->is_running ? " running" : "", v->blocked ? " blocked" : "",
                 v->offline ? " offline" : "", v->pause_count, v->info->evtchn_upcall_pending,
                 v->info->evtchn_upcall_mask, (unsigned long)v->regs.rip);
}

static void show_scheduling(struct domain *d)
{
    struct vcpu *v;

    for_each_vcpu(d, v)
        log_info("  d%uv%u: weight %u, cpu %u%s, runnable %d, virtual time %lu, hard affinity %lx", d->id, v->id,
                 d->weight, v->cpu ? v->cpu->id : 0, v->is_running ? " running" : "", vcpu_runnable(v),
                 (unsigned long)v->virtual_time, v->hard_affinity.bits[0]);
}

static void key_domains(void)
{
    for_each_domain(show_domain);
}

static void key_run_queue(void)
{
    log_info("system time %lu ns", (unsigned long)now());
    for (unsigned i = 0; i < cpu_count; i++)
        log_info("cpu %u: %s, idle for %lu ns, softirqs %lx", i, cpus[i].online ? "online" : "offline",
                 (unsigned long)cpus[i].idle_time, cpus[i].softirq_pending);
    for_each_domain(show_scheduling);
}

static void key_event_channels(void)
{
    for_each_domain(event_channels_dump);
}

static void key_grants(void)
{
    for_each_domain(grant_table_dump);
}

static void key_memory(void)
{
    log_info("memory: %lu pages, %lu free, %lu claimed, last frame of RAM %lx", (unsigned long)total_page_count(),
             (unsigned long)free_page_count(), (unsigned long)memory_claimed_pages(),
             (unsigned long)memory_last_ram_page());
}

static void key_help(void);

static const struct {
    char key;
    void (*function)(void);
    const char *help;
} keys[] = {
    {'h', key_help, "this list"},
    {'q', key_domains, "domains and their vcpus"},
    {'r', key_run_queue, "processors and scheduling"},
    {'e', key_event_channels, "event channels"},
    {'g', key_grants, "grant tables"},
    {'m', key_memory, "memory"},
};

static void key_help(void)
{
    for (unsigned i = 0; i < ARRAY_SIZE(keys); i++)
        log_info("key '%c': %s", keys[i].key, keys[i].help);
}

/* One of `xl debug-keys`; unknown keys print the help. */
static void debug_key(char key)
{
    for (unsigned i = 0; i < ARRAY_SIZE(keys); i++)
        if (keys[i].key == key) {
            keys[i].function();
            return;
        }
    key_help();
}

#define MAX_KEYS 64

static long debug_keys(struct request *r)
{
    struct xen_sysctl *op = r->argument;
    char pressed[MAX_KEYS];

    if (op->u.debug_keys.nr_keys > MAX_KEYS)
        return -E2BIG;
    if (copy_from_guest_va(pressed, (unsigned long)op->u.debug_keys.keys.p, op->u.debug_keys.nr_keys))
        return -EFAULT;
    for (uint32_t i = 0; i < op->u.debug_keys.nr_keys; i++)
        debug_key(pressed[i]);
    return 0;
}

/* ---- dispatch ---- */

static long not_supported(struct request *r)
{
    return -EOPNOTSUPP;
}

static long no_device(struct request *r)
{
    return -ENODEV;
}

static long not_built(struct request *r)
{
    return -ENOSYS;
}

#define OPERATION(name, handler, answer)                                                                               \
    [XEN_SYSCTL_##name] = {handler, sizeof(struct xen_sysctl), POLICY_CONTROL, answer}
static const struct operation operations[] = {
    [XEN_SYSCTL_readconsole] = {read_console, sizeof(struct xen_sysctl), POLICY_MACHINE_LOG, ANSWER_DONE},
    OPERATION(physinfo, physical_info, ANSWER_DONE),
    OPERATION(sched_id, scheduler_id, ANSWER_DONE),
    OPERATION(getdomaininfolist, domain_info_list, ANSWER_DONE),
    OPERATION(debug_keys, debug_keys, ANSWER_NONE),
    OPERATION(getcpuinfo, cpu_info_list, ANSWER_DONE),
    OPERATION(availheap, available_heap, ANSWER_DONE),
    OPERATION(get_pmstat, power_statistics, ANSWER_NONE),
    OPERATION(cpu_hotplug, cpu_hotplug, ANSWER_NONE),
    OPERATION(pm_op, power_op, ANSWER_DONE),
    OPERATION(cputopoinfo, cpu_topology, ANSWER_DONE),
    OPERATION(numainfo, numa_info, ANSWER_DONE),
    OPERATION(pcitopoinfo, pci_topology, ANSWER_DONE),
    OPERATION(cpupool_op, cpupool_op, ANSWER_DONE),
    OPERATION(scheduler_op, scheduler_parameters, ANSWER_DONE),
    OPERATION(get_cpu_levelling_caps, levelling_caps, ANSWER_DONE),
    OPERATION(get_cpu_featureset, cpu_featureset,
              ANSWER_DONE | ANSWER_FAILED), /* with an error: the sizes that would have done */
    OPERATION(get_cpu_policy, cpu_policy,
              ANSWER_DONE | ANSWER_FAILED), /* with an error: the sizes that would have done */
    OPERATION(tbuf_op, not_built, ANSWER_NONE),
    OPERATION(perfc_op, not_built, ANSWER_NONE),
    OPERATION(lockprof_op, not_built, ANSWER_NONE),
    OPERATION(page_offline_op, not_supported, ANSWER_NONE),
    OPERATION(coverage_op, not_supported, ANSWER_NONE),
    OPERATION(psr_cmt_op, no_device, ANSWER_NONE),
    OPERATION(psr_alloc, not_supported, ANSWER_NONE),
    OPERATION(livepatch_op, not_supported, ANSWER_NONE),
};

/* arg[0] address of the structure, which says which operation. */
long do_sysctl(struct hypercall *call)
{
    struct xen_sysctl op;
    struct request r = {.call = call, .address = call->arg[0], .argument = &op};

    if (copy_argument_in(&op, call->arg[0]))
        return -EFAULT;
    if (op.interface_version != XEN_SYSCTL_INTERFACE_VERSION)
        return -EACCES;
    return operation_serve(operations, ARRAY_SIZE(operations), op.cmd, &r);
}
