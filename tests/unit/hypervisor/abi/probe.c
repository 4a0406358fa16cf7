/*
 * Asks the hypervisor underneath a PV Domain-0 many questions and prints the answers, one line each: run it on the
 * reference and on ours and compare. It changes nothing that lasts. Lines that start with '~' hold figures that may
 * differ.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <errno.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define __XEN_INTERFACE_VERSION__ 0x00041100
#define __XEN_TOOLS__             1
#include <xen/xen.h>
#include <xen/domctl.h>
#include <xen/features.h>
#include <xen/memory.h>
#include <xen/platform.h>
#include <xen/sysctl.h>
#include <xen/version.h>
#include <xen/arch-x86/xen-mca.h>

struct privcmd_hypercall {
    uint64_t op, arg[5];
};
#define IOCTL_PRIVCMD_HYPERCALL _IOC(_IOC_NONE, 'P', 0, sizeof(struct privcmd_hypercall))

static int privcmd;
static uint8_t buffer[16][4096] __attribute__((aligned(4096)));

static long hypercall(uint64_t op, uint64_t a0, uint64_t a1, uint64_t a2)
{
    struct privcmd_hypercall call = {op, {a0, a1, a2, 0, 0}};
    long result = ioctl(privcmd, IOCTL_PRIVCMD_HYPERCALL, &call);

    return result < 0 ? -errno : result;
}

static void *zeroed(unsigned n)
{
    return memset(buffer[n], 0, sizeof(buffer[n]));
}

static long memory(unsigned command, void *argument)
{
    return hypercall(__HYPERVISOR_memory_op, command, (uint64_t)argument, 0);
}

static long version(unsigned command, void *argument)
{
    return hypercall(__HYPERVISOR_xen_version, command, (uint64_t)argument, 0);
}

static long sysctl(struct xen_sysctl *op, unsigned command)
{
    op->cmd = command;
    op->interface_version = XEN_SYSCTL_INTERFACE_VERSION;
    return hypercall(__HYPERVISOR_sysctl, (uint64_t)op, 0, 0);
}

static long domctl(struct xen_domctl *op, unsigned command, domid_t domain)
{
    op->cmd = command;
    op->interface_version = XEN_DOMCTL_INTERFACE_VERSION;
    op->domain = domain;
    return hypercall(__HYPERVISOR_domctl, (uint64_t)op, 0, 0);
}

static long platform(struct xen_platform_op *op, unsigned command)
{
    op->cmd = command;
    op->interface_version = XENPF_INTERFACE_VERSION;
    return hypercall(__HYPERVISOR_platform_op, (uint64_t)op, 0, 0);
}

static void probe_version(void)
{
    struct xen_feature_info *feature = zeroed(0);

    printf("version %lx\n", version(XENVER_version, NULL));
    printf("features %ld", version(XENVER_get_features, feature));
    printf(" %x\n", feature->submap);
    feature->submap_idx = 1;
    printf("features 1 %ld\n", version(XENVER_get_features, feature));
    printf("capabilities %ld", version(XENVER_capabilities, zeroed(0)));
    printf(" '%s'\n", (char *)buffer[0]);
    printf("platform_parameters %ld", version(XENVER_platform_parameters, zeroed(0)));
    printf(" %lx\n", *(uint64_t *)buffer[0]);
    printf("pagesize %ld %ld\n", version(XENVER_pagesize, NULL), version(XENVER_pagesize, buffer[0]));
    printf("guest_handle %ld\n", version(XENVER_guest_handle, zeroed(0)));
    printf("~build_id %ld\n", version(XENVER_build_id, NULL));
    printf("no such command %ld\n", version(99, NULL));
}

static void probe_memory_questions(void)
{
    struct xen_memory_domain *domain = zeroed(0);
    struct xen_machphys_mapping *mapping;
    struct xen_machphys_mfn_list *list;

    domain->domid = DOMID_SELF;
    printf("~maximum_ram_page %lx\n", memory(XENMEM_maximum_ram_page, NULL));
    printf("~current_reservation %ld\n", memory(XENMEM_current_reservation, domain));
    printf("~maximum_reservation %ld\n", memory(XENMEM_maximum_reservation, domain));
    printf("~maximum_gpfn %ld\n", memory(XENMEM_maximum_gpfn, domain));
    domain->domid = 77;
    printf("of nobody %ld %ld\n", memory(XENMEM_current_reservation, domain), memory(XENMEM_maximum_gpfn, domain));
    mapping = zeroed(0);
    printf("machphys_mapping %ld", memory(XENMEM_machphys_mapping, mapping));
    printf(" %lx %lx\n", mapping->v_start, mapping->v_end);
    list = zeroed(0);
    list->max_extents = 64;
    set_xen_guest_handle(list->extent_start, (xen_pfn_t *)zeroed(1));
    printf("machphys_mfn_list %ld\n", memory(XENMEM_machphys_mfn_list, list));
    printf("~machphys extents %u first %lx\n", list->nr_extents, *(uint64_t *)buffer[1]);
    printf("sharing %ld %ld\n", memory(XENMEM_get_sharing_freed_pages, NULL),
           memory(XENMEM_get_sharing_shared_pages, NULL));
}

static void probe_memory_maps(void)
{
    struct xen_memory_map *map = zeroed(0);
    struct xen_foreign_memory_map *foreign;
    struct xen_reserved_device_memory_map *reserved = zeroed(2);

    printf("machine_memory_map, count %ld", memory(XENMEM_machine_memory_map, map));
    printf("\n~entries %u\n", map->nr_entries);
    map->nr_entries = 2;
    set_xen_guest_handle(map->buffer, zeroed(1));
    printf("machine_memory_map, two %ld", memory(XENMEM_machine_memory_map, map));
    printf(" %u\n", map->nr_entries);
    map->nr_entries = 100;
    printf("memory_map %ld\n", memory(XENMEM_memory_map, map));
    foreign = zeroed(0);
    foreign->domid = 77;
    foreign->map.nr_entries = 1;
    printf("set_memory_map of nobody %ld\n", memory(XENMEM_set_memory_map, foreign));
    foreign->map.nr_entries = 129;
    printf("set_memory_map too long %ld\n", memory(XENMEM_set_memory_map, foreign));
    reserved->flags = XENMEM_RDM_ALL;
    printf("reserved_device_memory_map %ld", memory(XENMEM_reserved_device_memory_map, reserved));
    printf(" %u\n", reserved->nr_entries);
}

static void probe_memory_refusals(void)
{
    struct xen_add_to_physmap *add = zeroed(0);
    struct xen_add_to_physmap_batch *batch;
    struct xen_remove_from_physmap *remove;
    struct xen_pod_target *pod;
    struct xen_memory_reservation *r;

    add->domid = DOMID_SELF;
    add->space = XENMAPSPACE_shared_info;
    printf("add_to_physmap %ld\n", memory(XENMEM_add_to_physmap, add));
    remove = zeroed(0);
    remove->domid = DOMID_SELF;
    printf("remove_from_physmap %ld\n", memory(XENMEM_remove_from_physmap, remove));
    batch = zeroed(0);
    batch->domid = DOMID_SELF;
    batch->size = 1;
    printf("add_to_physmap_batch %ld\n", memory(XENMEM_add_to_physmap_batch, batch));
    pod = zeroed(0);
    pod->domid = DOMID_SELF;
    printf("get_pod_target %ld\n", memory(XENMEM_get_pod_target, pod));
    printf("set_pod_target %ld\n", memory(XENMEM_set_pod_target, pod));
    r = zeroed(0);
    r->domid = DOMID_SELF;
    printf("claim_pages of self, 0 %ld\n", memory(XENMEM_claim_pages, r));
    r->domid = 0;
    r->extent_order = 1;
    printf("claim_pages with an order %ld\n", memory(XENMEM_claim_pages, r));
    r->extent_order = 0;
    r->nr_extents = 1;
    printf("claim_pages below what is there %ld\n", memory(XENMEM_claim_pages, r));
    r->nr_extents = 1UL << 40;
    printf("claim_pages beyond the limit %ld\n", memory(XENMEM_claim_pages, r));
    printf("vnuma %ld\n", memory(XENMEM_get_vnumainfo, zeroed(0)));
    printf("no such command %ld\n", memory(62, zeroed(0)));
}

static void probe_reservation_errors(void)
{
    struct xen_memory_reservation *r = zeroed(0);

    r->domid = 77;
    r->nr_extents = 1;
    set_xen_guest_handle(r->extent_start, (xen_pfn_t *)zeroed(1));
    printf("populate nobody %ld\n", memory(XENMEM_populate_physmap, r));
    r->domid = DOMID_SELF;
    r->extent_order = 30;
    printf("populate huge order %ld\n", memory(XENMEM_populate_physmap, r));
    r->extent_order = 0;
    r->nr_extents = ~0UL;
    printf("populate huge count %ld\n", memory(XENMEM_populate_physmap, r));
    r->nr_extents = 1;
    *(uint64_t *)buffer[1] = ~0UL;
    printf("decrease by no frame %ld\n", memory(XENMEM_decrease_reservation, r));
}

static void probe_exchange_errors(void)
{
    struct xen_memory_exchange *x = zeroed(0);

    x->in.domid = x->out.domid = DOMID_SELF;
    x->in.nr_extents = 2;
    x->out.nr_extents = 1;
    printf("exchange, counts differ %ld\n", memory(XENMEM_exchange, x));
    x->out.nr_extents = 2;
    x->in.extent_order = x->out.extent_order = 30;
    printf("exchange, huge order %ld\n", memory(XENMEM_exchange, x));
    x->in.extent_order = x->out.extent_order = 0;
    x->nr_exchanged = 3;
    printf("exchange, beyond the end %ld\n", memory(XENMEM_exchange, x));
    x->nr_exchanged = 0;
    set_xen_guest_handle(x->in.extent_start, (xen_pfn_t *)zeroed(1));
    set_xen_guest_handle(x->out.extent_start, (xen_pfn_t *)zeroed(2));
    ((uint64_t *)buffer[1])[0] = ~0UL;
    printf("exchange, no frame %ld", memory(XENMEM_exchange, x));
    printf(" %lu\n", x->nr_exchanged);
    x->out.domid = 0;
    printf("exchange, two domains %ld\n", memory(XENMEM_exchange, x));
}

static void probe_resource(void)
{
    struct xen_mem_acquire_resource *r = zeroed(0);

    r->domid = 0;
    r->type = XENMEM_resource_grant_table;
    printf("acquire_resource of self, size %ld", memory(XENMEM_acquire_resource, r));
    printf(" %u\n", r->nr_frames);
    r->domid = 77;
    printf("acquire_resource of nobody %ld\n", memory(XENMEM_acquire_resource, r));
    r->domid = 0;
    r->type = 9;
    printf("acquire_resource of no type %ld\n", memory(XENMEM_acquire_resource, r));
    r->pad = 1;
    printf("acquire_resource with padding %ld\n", memory(XENMEM_acquire_resource, r));
}

static void probe_sysctl_machine(void)
{
    struct xen_sysctl *op = zeroed(0);
    struct xen_sysctl_physinfo *p = &op->u.physinfo;

    printf("physinfo %ld", sysctl(op, XEN_SYSCTL_physinfo));
    printf(" threads %u cores %u cpus %u max %u nodes %u max %u arch %x\n", p->threads_per_core, p->cores_per_socket,
           p->nr_cpus, p->max_cpu_id, p->nr_nodes, p->max_node_id, p->arch_capabilities);
    printf("~capabilities %x khz %u total %lu free %lu outstanding %lu scrub %lu max_mfn %lx\n", p->capabilities,
           p->cpu_khz, p->total_pages, p->free_pages, p->outstanding_pages, p->scrub_pages, p->max_mfn);
    printf("~hw_cap");
    for (unsigned i = 0; i < 8; i++)
        printf(" %08x", p->hw_cap[i]);
    op = zeroed(0);
    printf("\ncputopoinfo, count %ld", sysctl(op, XEN_SYSCTL_cputopoinfo));
    printf(" %u\n", op->u.cputopoinfo.num_cpus);
    op = zeroed(0);
    op->u.cputopoinfo.num_cpus = 8;
    set_xen_guest_handle(op->u.cputopoinfo.cputopo, (struct xen_sysctl_cputopo *)zeroed(1));
    printf("cputopoinfo %ld", sysctl(op, XEN_SYSCTL_cputopoinfo));
    for (unsigned i = 0; i < op->u.cputopoinfo.num_cpus; i++)
        printf(" %u/%u/%u", op->u.cputopoinfo.cputopo.p[i].core, op->u.cputopoinfo.cputopo.p[i].socket,
               op->u.cputopoinfo.cputopo.p[i].node);
    op = zeroed(0);
    printf("\nnumainfo, count %ld", sysctl(op, XEN_SYSCTL_numainfo));
    printf(" %u\n", op->u.numainfo.num_nodes);
    op = zeroed(0);
    op->u.numainfo.num_nodes = 1;
    set_xen_guest_handle(op->u.numainfo.meminfo, (xen_sysctl_meminfo_t *)zeroed(1));
    set_xen_guest_handle(op->u.numainfo.distance, (uint32_t *)zeroed(2));
    printf("numainfo %ld", sysctl(op, XEN_SYSCTL_numainfo));
    printf(" %u distance %u\n", op->u.numainfo.num_nodes, *(uint32_t *)buffer[2]);
    printf("~memsize %lx memfree %lx\n", ((uint64_t *)buffer[1])[0], ((uint64_t *)buffer[1])[1]);
    op = zeroed(0);
    op->u.availheap.node = -1;
    printf("availheap %ld\n", sysctl(op, XEN_SYSCTL_availheap));
    op->u.availheap.node = 3;
    printf("availheap, node 3 %ld\n", sysctl(op, XEN_SYSCTL_availheap));
    op = zeroed(0);
    op->u.getcpuinfo.max_cpus = 16;
    set_xen_guest_handle(op->u.getcpuinfo.info, (xen_sysctl_cpuinfo_t *)zeroed(1));
    printf("getcpuinfo %ld", sysctl(op, XEN_SYSCTL_getcpuinfo));
    printf(" %u\n", op->u.getcpuinfo.nr_cpus);
}

static void probe_sysctl_scheduler(void)
{
    struct xen_sysctl *op = zeroed(0);

    printf("sched_id %ld", sysctl(op, XEN_SYSCTL_sched_id));
    printf(" %u\n", op->u.sched_id.sched_id);
    op = zeroed(0);
    op->u.scheduler_op.sched_id = 6;
    op->u.scheduler_op.cmd = XEN_SYSCTL_SCHEDOP_getinfo;
    printf("scheduler_op %ld\n", sysctl(op, XEN_SYSCTL_scheduler_op));
    printf("~ratelimit %u\n", op->u.scheduler_op.u.sched_credit2.ratelimit_us);
    op->u.scheduler_op.sched_id = 5;
    printf("scheduler_op, other scheduler %ld\n", sysctl(op, XEN_SYSCTL_scheduler_op));
    op->u.scheduler_op.cpupool_id = 5;
    printf("scheduler_op, other pool %ld\n", sysctl(op, XEN_SYSCTL_scheduler_op));
    for (unsigned command = 0; command <= 8; command++) {
        op = zeroed(0);
        op->u.cpupool_op.op = command;
        op->u.cpupool_op.cpupool_id = 1;
        op->u.cpupool_op.cpumap.nr_bits = 8;
        set_xen_guest_handle(op->u.cpupool_op.cpumap.bitmap, (uint8_t *)zeroed(1));
        if (command != XEN_SYSCTL_CPUPOOL_OP_CREATE)
            printf("cpupool_op %u of pool 1 %ld\n", command, sysctl(op, XEN_SYSCTL_cpupool_op));
    }
    op = zeroed(0);
    op->u.cpupool_op.op = XEN_SYSCTL_CPUPOOL_OP_INFO;
    op->u.cpupool_op.cpumap.nr_bits = 8;
    set_xen_guest_handle(op->u.cpupool_op.cpumap.bitmap, (uint8_t *)zeroed(1));
    printf("cpupool info %ld", sysctl(op, XEN_SYSCTL_cpupool_op));
    printf(" id %u sched %u domains %u map %x\n", op->u.cpupool_op.cpupool_id, op->u.cpupool_op.sched_id,
           op->u.cpupool_op.n_dom, buffer[1][0]);
}

static void probe_sysctl_rest(void)
{
    static const unsigned pm[] = {
        GET_CPUFREQ_PARA, GET_CPUFREQ_AVGFREQ, SET_CPUFREQ_GOV, 0x21, 0x22, 0x24, 0x25, 0x26, 0x27, 0x99};
    static const unsigned plain[] = {XEN_SYSCTL_tbuf_op,
                                     XEN_SYSCTL_perfc_op,
                                     XEN_SYSCTL_lockprof_op,
                                     XEN_SYSCTL_coverage_op,
                                     XEN_SYSCTL_psr_cmt_op,
                                     XEN_SYSCTL_psr_alloc,
                                     XEN_SYSCTL_livepatch_op,
                                     13,
                                     24,
                                     28,
                                     77};
    struct xen_sysctl *op;

    for (unsigned type = 0x11; type <= 0x23; type = type == 0x13 ? 0x21 : type + 1) {
        op = zeroed(0);
        op->u.get_pmstat.type = type;
        printf("get_pmstat %x %ld\n", type, sysctl(op, XEN_SYSCTL_get_pmstat));
    }
    op = zeroed(0);
    op->u.get_pmstat.type = PMSTAT_get_max_cx;
    op->u.get_pmstat.cpuid = 200;
    printf("get_pmstat of no cpu %ld\n", sysctl(op, XEN_SYSCTL_get_pmstat));
    for (unsigned i = 0; i < sizeof(pm) / sizeof(*pm); i++) {
        op = zeroed(0);
        op->u.pm_op.cmd = pm[i];
        printf("pm_op %x %ld\n", pm[i], sysctl(op, XEN_SYSCTL_pm_op));
    }
    for (unsigned i = 0; i < sizeof(plain) / sizeof(*plain); i++) {
        op = zeroed(0);
        op->u.psr_cmt_op.cmd = 99;
        printf("sysctl %u %ld\n", plain[i], sysctl(op, plain[i]));
    }
    op = zeroed(0);
    printf("levelling caps %ld\n", sysctl(op, XEN_SYSCTL_get_cpu_levelling_caps));
    printf("~caps %x\n", op->u.cpu_levelling_caps.caps);
    for (unsigned i = 0; i < 7; i++) {
        op = zeroed(0);
        op->u.cpu_featureset.index = i;
        printf("featureset %u %ld", i, sysctl(op, XEN_SYSCTL_get_cpu_featureset));
        printf(" %u\n", op->u.cpu_featureset.nr_features);
        op = zeroed(0);
        op->u.cpu_policy.index = i;
        printf("cpu_policy %u %ld", i, sysctl(op, XEN_SYSCTL_get_cpu_policy));
        printf("\n~leaves %u msrs %u\n", op->u.cpu_policy.nr_leaves, op->u.cpu_policy.nr_msrs);
    }
    op = zeroed(0);
    op->cmd = XEN_SYSCTL_physinfo;
    op->interface_version = 1;
    printf("sysctl of another version %ld\n", hypercall(__HYPERVISOR_sysctl, (uint64_t)op, 0, 0));
}

static void probe_domctl(void)
{
    static const unsigned on_self[] = {XEN_DOMCTL_destroydomain,
                                       XEN_DOMCTL_pausedomain,
                                       XEN_DOMCTL_resumedomain,
                                       XEN_DOMCTL_getvcpucontext,
                                       XEN_DOMCTL_get_ext_vcpucontext,
                                       XEN_DOMCTL_getvcpuextstate,
                                       XEN_DOMCTL_get_vcpu_msrs,
                                       XEN_DOMCTL_settscinfo,
                                       XEN_DOMCTL_get_paging_mempool_size,
                                       XEN_DOMCTL_audit_p2m,
                                       XEN_DOMCTL_cacheflush,
                                       XEN_DOMCTL_gethvmcontext,
                                       XEN_DOMCTL_set_cpu_policy,
                                       XEN_DOMCTL_max_vcpus,
                                       XEN_DOMCTL_debug_op,
                                       7,
                                       49,
                                       76,
                                       87};
    struct xen_domctl *op;

    for (unsigned i = 0; i < sizeof(on_self) / sizeof(*on_self); i++)
        printf("domctl %u on oneself %ld\n", on_self[i], domctl(zeroed(0), on_self[i], 0));
    for (unsigned command = 1; command < 88; command++)
        if (command != XEN_DOMCTL_createdomain)
            printf("domctl %u on nobody %ld\n", command, domctl(zeroed(0), command, 77));
    op = zeroed(0);
    printf("getdomaininfo %ld", domctl(op, XEN_DOMCTL_getdomaininfo, 0));
    printf(" flags %x online %u max %u pool %u\n", op->u.getdomaininfo.flags, op->u.getdomaininfo.nr_online_vcpus,
           op->u.getdomaininfo.max_vcpu_id, op->u.getdomaininfo.cpupool);
    op = zeroed(0);
    op->u.scheduler_op.sched_id = 6;
    op->u.scheduler_op.cmd = XEN_DOMCTL_SCHEDOP_getinfo;
    printf("scheduler_op %ld", domctl(op, XEN_DOMCTL_scheduler_op, 0));
    printf(" weight %u cap %u\n", op->u.scheduler_op.u.credit2.weight, op->u.scheduler_op.u.credit2.cap);
    op->u.scheduler_op.cmd = XEN_DOMCTL_SCHEDOP_getvcpuinfo;
    printf("scheduler_op vcpuinfo %ld\n", domctl(op, XEN_DOMCTL_scheduler_op, 0));
    op = zeroed(0);
    printf("address size %ld", domctl(op, XEN_DOMCTL_get_address_size, 0));
    printf(" %u\n", op->u.address_size.size);
    op = zeroed(0);
    printf("vcpu info %ld", domctl(op, XEN_DOMCTL_getvcpuinfo, 0));
    printf(" %u\n", op->u.getvcpuinfo.online);
    op->u.getvcpuinfo.vcpu = 99;
    printf("vcpu info of no vcpu %ld\n", domctl(op, XEN_DOMCTL_getvcpuinfo, 0));
    op = zeroed(0);
    op->u.getpageframeinfo3.num = 1025;
    printf("getpageframeinfo3 of many %ld\n", domctl(op, XEN_DOMCTL_getpageframeinfo3, 0));
    op->u.getpageframeinfo3.num = 2;
    set_xen_guest_handle(op->u.getpageframeinfo3.array, (xen_pfn_t *)zeroed(1));
    ((uint64_t *)buffer[1])[0] = ~0UL;
    printf("getpageframeinfo3 %ld", domctl(op, XEN_DOMCTL_getpageframeinfo3, 0));
    printf(" %lx\n", ((uint64_t *)buffer[1])[0]);
    for (unsigned trigger = 1; trigger < 6; trigger++) {
        op = zeroed(0);
        op->u.sendtrigger.trigger = trigger;
        printf("sendtrigger %u %ld\n", trigger, domctl(op, XEN_DOMCTL_sendtrigger, 0));
    }
}

static void probe_create(void)
{
    static const struct {
        const char *what;
        struct xen_domctl_createdomain config;
    } bad[] = {
        {"no vcpus", {.max_vcpus = 0, .grant_opts = 1}},
        {"unknown flag", {.max_vcpus = 1, .grant_opts = 1, .flags = 1U << 30}},
        {"grant version 3", {.max_vcpus = 1, .grant_opts = 3}},
        {"grant version 0", {.max_vcpus = 1, .grant_opts = 0}},
        {"no such pool", {.max_vcpus = 1, .grant_opts = 1, .cpupool_id = 9}},
        {"emulated devices", {.max_vcpus = 1, .grant_opts = 1, .arch.emulation_flags = 1}},
        {"many vcpus", {.max_vcpus = 100000, .grant_opts = 1}},
        {"nested pv", {.max_vcpus = 1, .grant_opts = 1, .flags = XEN_DOMCTL_CDF_nested_virt}},
        {"hap pv", {.max_vcpus = 1, .grant_opts = 1, .flags = XEN_DOMCTL_CDF_hap}},
        {"iommu option alone", {.max_vcpus = 1, .grant_opts = 1, .iommu_opts = 1}},
    };

    for (unsigned i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        struct xen_domctl *op = zeroed(0);
        long result;

        op->u.createdomain = bad[i].config;
        result = domctl(op, XEN_DOMCTL_createdomain, 55);
        printf("createdomain, %s %ld\n", bad[i].what, result);
        if (!result)
            domctl(zeroed(0), XEN_DOMCTL_destroydomain, 55);
    }
}

/* A domain that never runs: what its state says before and after it has vcpus. */
static void probe_life(void)
{
    struct xen_domctl *op = zeroed(0);

    op->u.createdomain = (struct xen_domctl_createdomain){
        .max_vcpus = 2, .max_evtchn_port = 1023, .max_grant_frames = -1, .max_maptrack_frames = -1, .grant_opts = 1};
    printf("createdomain 55 %ld", domctl(op, XEN_DOMCTL_createdomain, 55));
    printf(" %u\n", op->domain);
    printf("again %ld\n", domctl(op, XEN_DOMCTL_createdomain, 55));
    op = zeroed(0);
    printf("getdomaininfo %ld", domctl(op, XEN_DOMCTL_getdomaininfo, 55));
    printf(" flags %x online %u max %u pages %lu of %lu\n", op->u.getdomaininfo.flags,
           op->u.getdomaininfo.nr_online_vcpus, op->u.getdomaininfo.max_vcpu_id, op->u.getdomaininfo.tot_pages,
           op->u.getdomaininfo.max_pages);
    op = zeroed(0);
    op->u.max_vcpus.max = 1;
    printf("max_vcpus, another number %ld\n", domctl(op, XEN_DOMCTL_max_vcpus, 55));
    op->u.max_vcpus.max = 2;
    printf("max_vcpus %ld", domctl(op, XEN_DOMCTL_max_vcpus, 55));
    printf(" again %ld\n", domctl(op, XEN_DOMCTL_max_vcpus, 55));
    op = zeroed(0);
    printf("getdomaininfo %ld", domctl(op, XEN_DOMCTL_getdomaininfo, 55));
    printf(" flags %x online %u max %u\n", op->u.getdomaininfo.flags, op->u.getdomaininfo.nr_online_vcpus,
           op->u.getdomaininfo.max_vcpu_id);
    printf("getvcpucontext %ld\n", domctl(zeroed(0), XEN_DOMCTL_getvcpucontext, 55));
    op = zeroed(0);
    op->u.max_mem.max_memkb = 4096;
    printf("max_mem %ld\n", domctl(op, XEN_DOMCTL_max_mem, 55));
    struct xen_memory_reservation *r = zeroed(2);
    r->domid = 55;
    r->nr_extents = 4;
    r->extent_order = 9;
    set_xen_guest_handle(r->extent_start, (xen_pfn_t *)zeroed(3));
    printf("populate 4 times 2 MiB of 4 MiB %ld\n", memory(XENMEM_populate_physmap, r));
    printf("current_reservation %ld\n", memory(XENMEM_current_reservation, &(struct xen_memory_domain){55}));
    op = zeroed(0);
    op->u.shadow_op.op = XEN_DOMCTL_SHADOW_OP_OFF;
    printf("shadow off %ld\n", domctl(op, XEN_DOMCTL_shadow_op, 55));
    op->u.shadow_op.op = XEN_DOMCTL_SHADOW_OP_ENABLE_LOGDIRTY;
    printf("shadow logdirty %ld\n", domctl(op, XEN_DOMCTL_shadow_op, 55));
    op->u.shadow_op.op = XEN_DOMCTL_SHADOW_OP_GET_ALLOCATION;
    printf("shadow allocation %ld\n", domctl(op, XEN_DOMCTL_shadow_op, 55));
    printf("mempool %ld\n", domctl(zeroed(0), XEN_DOMCTL_get_paging_mempool_size, 55));
    printf("unpausedomain without context %ld\n", domctl(zeroed(0), XEN_DOMCTL_unpausedomain, 55));
    printf("pausedomain %ld\n", domctl(zeroed(0), XEN_DOMCTL_pausedomain, 55));
    printf("set_cpu_policy after start %ld\n", domctl(zeroed(0), XEN_DOMCTL_set_cpu_policy, 55));
    printf("destroydomain %ld", domctl(zeroed(0), XEN_DOMCTL_destroydomain, 55));
    printf(" again %ld\n", domctl(zeroed(0), XEN_DOMCTL_destroydomain, 55));
}

static void probe_platform(void)
{
    static const unsigned plain[] = {XENPF_add_memtype,    XENPF_del_memtype, XENPF_microcode_update,
                                     XENPF_platform_quirk, XENPF_change_freq, XENPF_core_parking,
                                     XENPF_cpu_hotadd,     XENPF_mem_hotadd,  99};
    struct xen_platform_op *op;

    for (unsigned type = 0; type < 7; type++)
        for (unsigned index = 0; index < 8; index++) {
            op = zeroed(0);
            op->u.firmware_info.type = type;
            op->u.firmware_info.index = index;
            printf("firmware_info %u %u %ld\n", type, index, platform(op, XENPF_firmware_info));
        }
    for (unsigned i = 0; i < 3; i++) {
        op = zeroed(0);
        op->u.pcpu_info.xen_cpuid = i;
        printf("get_cpuinfo %u %ld", i, platform(op, XENPF_get_cpuinfo));
        printf(" max %u flags %x apic %u acpi %u\n", op->u.pcpu_info.max_present, op->u.pcpu_info.flags,
               op->u.pcpu_info.apic_id, op->u.pcpu_info.acpi_id);
    }
    op = zeroed(0);
    printf("cpu_version %ld", platform(op, XENPF_get_cpu_version));
    printf(" %.12s %u %u %u\n", op->u.pcpu_version.vendor_id, op->u.pcpu_version.family, op->u.pcpu_version.model,
           op->u.pcpu_version.stepping);
    printf("online 0 %ld", platform(zeroed(0), XENPF_cpu_online));
    printf(" offline 0 %ld\n", platform(zeroed(0), XENPF_cpu_offline));
    op = zeroed(0);
    op->u.settime64.mbz = 1;
    printf("settime64 with padding %ld\n", platform(op, XENPF_settime64));
    for (unsigned i = 0; i < sizeof(plain) / sizeof(*plain); i++)
        printf("platform_op %u %ld\n", plain[i], platform(zeroed(0), plain[i]));
    op = zeroed(0);
    op->cmd = XENPF_get_cpuinfo;
    op->interface_version = 1;
    printf("platform_op of another version %ld\n", hypercall(__HYPERVISOR_platform_op, (uint64_t)op, 0, 0));
}

static void probe_misc(void)
{
    struct xen_mc *mc = zeroed(0);

    printf("vm_assist 64 %ld", hypercall(__HYPERVISOR_vm_assist, VMASST_CMD_enable, 64, 0));
    printf(" 31 %ld", hypercall(__HYPERVISOR_vm_assist, VMASST_CMD_enable, 31, 0));
    printf(" command 9 %ld\n", hypercall(__HYPERVISOR_vm_assist, 9, 2, 0));
    printf("xsm_op %ld\n", hypercall(__HYPERVISOR_xsm_op, 0, 0, 0));
    printf("xenpmu_op %ld\n", hypercall(__HYPERVISOR_xenpmu_op, 0, (uint64_t)zeroed(1), 0));
    printf("console_io 9 %ld\n", hypercall(__HYPERVISOR_console_io, 9, 0, (uint64_t)zeroed(1)));
    for (unsigned n = 37; n < 48; n++)
        if (n != 40 && n != 41)
            printf("hypercall %u %ld\n", n, hypercall(n, 0, 0, 0));
    mc->cmd = XEN_MC_physcpuinfo;
    mc->interface_version = XEN_MCA_INTERFACE_VERSION;
    printf("mca physcpuinfo %ld", hypercall(__HYPERVISOR_mca, (uint64_t)mc, 0, 0));
    printf(" %u\n", mc->u.mc_physcpuinfo.ncpus);
    mc->interface_version = 1;
    printf("mca of another version %ld\n", hypercall(__HYPERVISOR_mca, (uint64_t)mc, 0, 0));
}

int main(void)
{
    privcmd = open("/dev/xen/privcmd", O_RDWR | O_CLOEXEC);
    if (privcmd < 0 || mlock(buffer, sizeof(buffer))) {
        perror("probe: /dev/xen/privcmd");
        return 1;
    }
    probe_version();
    probe_memory_questions();
    probe_memory_maps();
    probe_memory_refusals();
    probe_reservation_errors();
    probe_exchange_errors();
    probe_resource();
    probe_sysctl_machine();
    probe_sysctl_scheduler();
    probe_sysctl_rest();
    probe_domctl();
    probe_create();
    probe_life();
    probe_platform();
    probe_misc();
    return 0;
}
