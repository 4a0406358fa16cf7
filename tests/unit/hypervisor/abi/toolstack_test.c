/*
 * domctl and sysctl: versions, rights, walking of lists, bitmaps, continuations.
 */
#include "fake.h"
#include <hv/page_type.h>

static long sysctl(struct xen_sysctl *op, uint32_t command)
{
    op->cmd = command;
    op->interface_version = XEN_SYSCTL_INTERFACE_VERSION;
    return run_hypercall(do_sysctl, (uint64_t)op, 0, 0);
}

static long domctl(struct xen_domctl *op, uint32_t command, domid_t domain)
{
    op->cmd = command;
    op->interface_version = XEN_DOMCTL_INTERFACE_VERSION;
    op->domain = domain;
    return run_hypercall(do_domctl, (uint64_t)op, 0, 0);
}

static void versions_and_rights(void)
{
    struct xen_sysctl s = {.cmd = XEN_SYSCTL_physinfo, .interface_version = 0x14};
    struct xen_domctl c = {.cmd = XEN_DOMCTL_getdomaininfo, .interface_version = 0x14};

    fake_reset();
    CHECK(run_hypercall(do_sysctl, (uint64_t)&s, 0, 0) == -EACCES);
    CHECK(run_hypercall(do_domctl, (uint64_t)&c, 0, 0) == -EACCES);
    CHECK(run_hypercall(do_domctl, 0, 0, 0) == -EFAULT);
    CHECK(sysctl(&s, 999) == -ENOSYS);
    CHECK(domctl(&c, 999, 0) == -ENOSYS);
    CHECK(domctl(&c, 999, 5) == -ESRCH);
    CHECK(domctl(&c, XEN_DOMCTL_get_paging_mempool_size, 0) == -EOPNOTSUPP);
    CHECK(domctl(&c, XEN_DOMCTL_getdomaininfo, 5) == -ESRCH);
    fake_be(fake_domain(5, 10));
    CHECK(sysctl(&s, XEN_SYSCTL_physinfo) == -EPERM);
    CHECK(domctl(&c, XEN_DOMCTL_getdomaininfo, 5) == -EPERM);
    CHECK_FRAMES();
}

static void domain_list_is_walked(void)
{
    static const domid_t ids[] = {0, 3, 4, 900, 0x7fef};
    struct xen_domctl_getdomaininfo info[8];
    struct xen_sysctl op = {0};
    struct xen_sysctl_getdomaininfolist *list = &op.u.getdomaininfolist;
    domid_t from = 0;

    fake_reset();
    fake_domain(900, 10);
    fake_domain(4, 10);
    fake_domain(3, 10);
    fake_domain(0x7fef, 10);
    set_xen_guest_handle(list->buffer, info);
    list->max_domains = 8;
    CHECK(sysctl(&op, XEN_SYSCTL_getdomaininfolist) == 0 && list->num_domains == 5);
    for (unsigned i = 0; i < 5; i++)
        CHECK(info[i].domain == ids[i] && info[i].cpu_time == 1000U + ids[i]);

    list->max_domains = 1;
    for (unsigned i = 0; i < 5; i++, from = (domid_t)(info[0].domain + 1)) {
        list->first_domain = from;
        CHECK(sysctl(&op, XEN_SYSCTL_getdomaininfolist) == 0 && list->num_domains == 1 && info[0].domain == ids[i]);
    }
    list->first_domain = from;
    CHECK(sysctl(&op, XEN_SYSCTL_getdomaininfolist) == 0 && list->num_domains == 0);
    list->first_domain = 0xffff;
    CHECK(sysctl(&op, XEN_SYSCTL_getdomaininfolist) == 0 && list->num_domains == 0);

    list->first_domain = 0;
    list->max_domains = 8;
    fake_fault(&info[2], sizeof(info[2]), false);
    CHECK(sysctl(&op, XEN_SYSCTL_getdomaininfolist) == -EFAULT);
    CHECK_FRAMES();
}

static void flags_of_a_domain(void)
{
    struct xen_domctl op = {0};
    struct xen_domctl_getdomaininfo *info = &op.u.getdomaininfo;
    struct domain *d;

    fake_reset();
    d = fake_domain(3, 10);
    d->vcpu[0]->offline = true;
    CHECK(domctl(&op, XEN_DOMCTL_getdomaininfo, 3) == 0);
    CHECK(info->nr_online_vcpus == 0 && info->max_vcpu_id == 0 && info->flags == 0);
    d->vcpu[0]->offline = false;
    d->vcpu[0]->blocked = true;
    CHECK(domctl(&op, XEN_DOMCTL_getdomaininfo, 3) == 0 && info->flags == XEN_DOMINF_blocked);
    d->vcpu[0]->blocked = false;
    d->vcpu[0]->is_running = true;
    CHECK(domctl(&op, XEN_DOMCTL_getdomaininfo, 3) == 0 && info->flags == XEN_DOMINF_running);
    d->is_shut_down = true;
    d->shutdown_code = 3;
    d->vcpu[0]->is_running = false;
    d->controller_pauses = 1;
    CHECK(domctl(&op, XEN_DOMCTL_getdomaininfo, 3) == 0);
    CHECK(info->flags == (XEN_DOMINF_shutdown | XEN_DOMINF_paused | 3 << XEN_DOMINF_shutdownshift));
    CHECK_FRAMES();
}

/* One label is of a guest. */
bool policy_sid_is_of_guest(uint32_t sid)
{
    return sid == 0 || sid == 0x80000007;
}

static void life(void)
{
    struct xen_domctl op = {.u.createdomain = {.max_vcpus = 1, .grant_opts = 2}};
    struct xen_domctl kill = {0};

    fake_reset();
    op.u.createdomain.ssidref = 0x80000008;
    CHECK(domctl(&op, XEN_DOMCTL_createdomain, 0) == -EINVAL);
    op.u.createdomain.ssidref = 0x80000007;
    CHECK(domctl(&op, XEN_DOMCTL_createdomain, 0) == 0 && op.domain == 42);
    op.u.createdomain.ssidref = 0;
    fake_hvm_available = false;
    op.u.createdomain.flags = XEN_DOMCTL_CDF_hvm | XEN_DOMCTL_CDF_hap;
    CHECK(domctl(&op, XEN_DOMCTL_createdomain, 7) == -EOPNOTSUPP);
    fake_hvm_available = true;
    static const struct {
        uint32_t flags, emulation;
        long answer;
    } hvm[] = {
        {XEN_DOMCTL_CDF_hvm | XEN_DOMCTL_CDF_hap, XEN_X86_EMU_LAPIC, 0},
        {XEN_DOMCTL_CDF_hvm | XEN_DOMCTL_CDF_hap | XEN_DOMCTL_CDF_oos_off, 0x3ff, 0},
        {XEN_DOMCTL_CDF_hvm | XEN_DOMCTL_CDF_hap, 0x1ff, 0},
        {XEN_DOMCTL_CDF_hvm | XEN_DOMCTL_CDF_hap, 0x7ff, -EOPNOTSUPP},
        {XEN_DOMCTL_CDF_hvm | XEN_DOMCTL_CDF_hap, 0, -EOPNOTSUPP},
        {XEN_DOMCTL_CDF_hvm, XEN_X86_EMU_LAPIC, -EOPNOTSUPP},
        {XEN_DOMCTL_CDF_hvm | XEN_DOMCTL_CDF_hap | XEN_DOMCTL_CDF_nested_virt, 0x3ff, -EOPNOTSUPP},
        {XEN_DOMCTL_CDF_hap, 0, -EINVAL},
        {0, XEN_X86_EMU_LAPIC, -EOPNOTSUPP},
    };
    for (unsigned i = 0; i < sizeof(hvm) / sizeof(hvm[0]); i++) {
        op.u.createdomain.flags = hvm[i].flags;
        op.u.createdomain.arch.emulation_flags = hvm[i].emulation;
        CHECK(domctl(&op, XEN_DOMCTL_createdomain, 7) == hvm[i].answer);
    }
    op.u.createdomain.arch.emulation_flags = 0;
    op.u.createdomain.flags = 1U << 31;
    CHECK(domctl(&op, XEN_DOMCTL_createdomain, 7) == -EINVAL);
    op.u.createdomain.flags = 0;
    op.u.createdomain.max_vcpus = MAX_VCPUS + 1;
    CHECK(domctl(&op, XEN_DOMCTL_createdomain, 7) == -EINVAL);
    fake_kill_steps = 17;
    CHECK(domctl(&kill, XEN_DOMCTL_destroydomain, 42) == 0 && !fake_kill_steps);
    CHECK(domctl(&kill, XEN_DOMCTL_destroydomain, 0) == -EINVAL);
    CHECK(domctl(&kill, XEN_DOMCTL_pausedomain, 0) == -EINVAL);
    CHECK_FRAMES();
}

/* Who asks for what there is not is told what it is. */
/* Whatever is asked of a domain that dies, no reference to it stays behind; and little is done. */
static void dying_domains_are_let_go(void)
{
    static const uint32_t looks[] = {XEN_DOMCTL_getdomaininfo, XEN_DOMCTL_getvcpuinfo, XEN_DOMCTL_getvcpuaffinity,
                                     XEN_DOMCTL_getnodeaffinity};
    fake_reset();
    struct domain *d = fake_domain(7, 10);
    d->dying = DOMAIN_DYING;
    for (uint32_t command = XEN_DOMCTL_destroydomain; command <= XEN_DOMCTL_get_paging_mempool_size + 2; command++) {
        struct xen_domctl op = {0};
        bool may = command == XEN_DOMCTL_destroydomain;
        for (unsigned i = 0; i < ARRAY_SIZE(looks); i++)
            may |= command == looks[i];
        CHECK(domctl(&op, command, 7) != 0 || may);
        CHECK_FRAMES();
    }
}

static void refusals_have_names(void)
{
    static const struct {
        struct xen_domctl_createdomain config;
        long answer;
        const char *name;
    } create[] = {
        {{.flags = XEN_DOMCTL_CDF_nested_virt}, -EOPNOTSUPP, "nestedhvm="},
        {{.flags = XEN_DOMCTL_CDF_vpmu}, -EOPNOTSUPP, "vpmu="},
        {{.flags = XEN_DOMCTL_CDF_iommu}, -EINVAL, "passthrough="},
        {{.flags = XEN_DOMCTL_CDF_s3_integrity}, -EINVAL, "checksum"},
        {{.flags = 1U << 31}, -EINVAL, "later interface"},
        {{.iommu_opts = XEN_DOMCTL_IOMMU_no_sharept}, -EINVAL, "passthrough="},
        {{.vmtrace_size = 4096}, -EOPNOTSUPP, "vmtrace_buf_kb="},
        {{.cpupool_id = 1}, -EINVAL, "pool="},
        {{.arch.misc_flags = 1U << 31}, -EINVAL, "later interface"},
        {{.flags = XEN_DOMCTL_CDF_hvm}, -EOPNOTSUPP, "hap=0"},
        {{.flags = XEN_DOMCTL_CDF_hvm | XEN_DOMCTL_CDF_hap}, -EOPNOTSUPP, "emulated chips"},
        {{.flags = XEN_DOMCTL_CDF_hap}, -EINVAL, "hap= of a PV"},
        {{.arch.emulation_flags = XEN_X86_EMU_LAPIC}, -EOPNOTSUPP, "emulated chips of a PV"},
        {{.max_vcpus = MAX_VCPUS + 1}, -EINVAL, "maxvcpus="},
        {{.grant_opts = 3}, -EINVAL, "max_grant_version="},
    };
    static const struct {
        uint32_t command;
        long answer;
        const char *name;
    } commands[] = {
        {XEN_DOMCTL_assign_device, -EOPNOTSUPP, "pci="},     {XEN_DOMCTL_bind_pt_irq, -EOPNOTSUPP, "pci="},
        {XEN_DOMCTL_memory_mapping, -EOPNOTSUPP, "iomem="},  {XEN_DOMCTL_ioport_mapping, -EOPNOTSUPP, "ioports="},
        {XEN_DOMCTL_setvnumainfo, -ENOSYS, "vnuma="},        {XEN_DOMCTL_monitor_op, -EOPNOTSUPP, "altp2m="},
        {XEN_DOMCTL_get_device_group, -ENOSYS, "pci="},      {XEN_DOMCTL_vm_event_op, -EOPNOTSUPP, "watching"},
        {XEN_DOMCTL_vmtrace_op, -ENOSYS, "vmtrace_buf_kb="},
    };

    fake_reset();
    for (unsigned i = 0; i < sizeof(create) / sizeof(create[0]); i++) {
        struct xen_domctl op = {.u.createdomain = create[i].config};

        if (!op.u.createdomain.max_vcpus)
            op.u.createdomain.max_vcpus = 1;
        if (!op.u.createdomain.grant_opts)
            op.u.createdomain.grant_opts = 1;
        fake_said[0] = 0;
        CHECK(domctl(&op, XEN_DOMCTL_createdomain, 7) == create[i].answer);
        CHECK(strstr(fake_said, create[i].name));
    }
    for (unsigned i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        struct xen_domctl op = {0};

        fake_said[0] = 0;
        CHECK(domctl(&op, commands[i].command, 0) == commands[i].answer);
        CHECK(strstr(fake_said, commands[i].name));
    }
    struct xen_domctl op = {.u.address_size.size = 32};
    CHECK(domctl(&op, XEN_DOMCTL_set_address_size, 0) == -EOPNOTSUPP && strstr(fake_said, "32 bits"));
}

static void affinity_bitmaps(void)
{
    uint8_t hard[32], soft[1] = {3};
    struct xen_domctl op = {.u.vcpuaffinity.flags = XEN_VCPUAFFINITY_HARD | XEN_VCPUAFFINITY_SOFT};
    struct xen_domctl_vcpuaffinity *a = &op.u.vcpuaffinity;

    fake_reset();
    memset(hard, 0xff, sizeof(hard));
    set_xen_guest_handle(a->cpumap_hard.bitmap, hard);
    set_xen_guest_handle(a->cpumap_soft.bitmap, soft);
    a->cpumap_hard.nr_bits = 256;
    a->cpumap_soft.nr_bits = 1;
    CHECK(domctl(&op, XEN_DOMCTL_setvcpuaffinity, 0) == 0);
    CHECK(dom0->vcpu[0]->hard_affinity.bits[0] == ~0UL && dom0->vcpu[0]->soft_affinity.bits[0] == 1);
    CHECK(hard[0] == 3 && !hard[1] && !hard[31] && soft[0] == 1);
    CHECK(domctl(&op, XEN_DOMCTL_getvcpuaffinity, 0) == 0 && hard[7] == 0xff && !hard[8]);
    a->vcpu = 1;
    CHECK(domctl(&op, XEN_DOMCTL_getvcpuaffinity, 0) == -EINVAL);
    a->vcpu = 0;
    a->flags = 0;
    CHECK(domctl(&op, XEN_DOMCTL_setvcpuaffinity, 0) == -EINVAL);
    a->flags = XEN_VCPUAFFINITY_HARD;
    a->cpumap_hard.nr_bits = ~0U;
    CHECK(domctl(&op, XEN_DOMCTL_getvcpuaffinity, 0) == -EINVAL);
    CHECK_FRAMES();
}

static void page_kinds(void)
{
    xen_pfn_t list[100];
    struct xen_domctl op = {.u.getpageframeinfo3.num = 100};
    struct page *table, *plain;

    fake_reset();
    fake_domain(3, 10);
    plain = domain_alloc_pages(dom0, 0, ANY_ADDRESS);
    table = domain_alloc_pages(dom0, 0, ANY_ADDRESS);
    table->type = TYPE_L4 | TYPE_PINNED | TYPE_READY | 1;
    for (unsigned i = 0; i < 100; i++)
        list[i] = i == 70 ? page_to_mfn(table) : i == 99 ? page_to_mfn(plain) : i == 1 ? ~0UL : 5;
    set_xen_guest_handle(op.u.getpageframeinfo3.array, list);
    CHECK(domctl(&op, XEN_DOMCTL_getpageframeinfo3, 0) == 0);
    CHECK(list[0] == XEN_DOMCTL_PFINFO_XTAB && list[1] == XEN_DOMCTL_PFINFO_XTAB);
    CHECK(list[70] == (XEN_DOMCTL_PFINFO_L4TAB | XEN_DOMCTL_PFINFO_LPINTAB) && list[99] == XEN_DOMCTL_PFINFO_NOTAB);
    op.u.getpageframeinfo3.num = 1025;
    CHECK(domctl(&op, XEN_DOMCTL_getpageframeinfo3, 0) == -E2BIG);
    CHECK_FRAMES();
}

static void sizes_are_told(void)
{
    uint32_t words[32];
    struct xen_cpuid_leaf leaves[3];
    struct xen_sysctl op = {0};

    fake_reset();
    CHECK(sysctl(&op, XEN_SYSCTL_get_cpu_featureset) == 0 && op.u.cpu_featureset.nr_features == 18);
    set_xen_guest_handle(op.u.cpu_featureset.features, words);
    op.u.cpu_featureset.nr_features = 4;
    CHECK(sysctl(&op, XEN_SYSCTL_get_cpu_featureset) == -ENOBUFS && op.u.cpu_featureset.nr_features == 4);
    op = (struct xen_sysctl){0};
    CHECK(sysctl(&op, XEN_SYSCTL_get_cpu_policy) == 0);
    CHECK(op.u.cpu_policy.nr_leaves == 120 && op.u.cpu_policy.nr_msrs == 2); /* what any policy can need */
    op = (struct xen_sysctl){.u.cpu_policy.nr_leaves = 3};
    set_xen_guest_handle(op.u.cpu_policy.leaves, leaves);
    CHECK(sysctl(&op, XEN_SYSCTL_get_cpu_policy) == 0);
    CHECK(op.u.cpu_policy.nr_leaves == 3 && op.u.cpu_policy.nr_msrs == 2);
    op.u.cpu_policy.nr_leaves = 2;
    CHECK(sysctl(&op, XEN_SYSCTL_get_cpu_policy) == -ENOBUFS && op.u.cpu_policy.nr_leaves == 3);
    op = (struct xen_sysctl){0};
    CHECK(sysctl(&op, XEN_SYSCTL_cputopoinfo) == 0 && op.u.cputopoinfo.num_cpus == 2);
}

static void pools(void)
{
    uint8_t map[1] = {0xff};
    struct xen_sysctl op = {0};
    struct xen_sysctl_cpupool_op *pool = &op.u.cpupool_op;

    fake_reset();
    set_xen_guest_handle(pool->cpumap.bitmap, map);
    pool->cpumap.nr_bits = 8;
    pool->op = XEN_SYSCTL_CPUPOOL_OP_INFO;
    CHECK(sysctl(&op, XEN_SYSCTL_cpupool_op) == 0 && map[0] == 3 && pool->n_dom == 1 && pool->sched_id == 6);
    pool->cpupool_id = 1;
    CHECK(sysctl(&op, XEN_SYSCTL_cpupool_op) == -ENOENT);
    pool->cpupool_id = XEN_SYSCTL_CPUPOOL_PAR_ANY;
    CHECK(sysctl(&op, XEN_SYSCTL_cpupool_op) == 0 && pool->cpupool_id == 0);
    pool->op = XEN_SYSCTL_CPUPOOL_OP_FREEINFO;
    CHECK(sysctl(&op, XEN_SYSCTL_cpupool_op) == 0 && map[0] == 0);
}

static void console_ring(void)
{
    char text[16] = "";
    struct xen_sysctl op = {.u.readconsole = {.count = 4}};

    fake_reset();
    set_xen_guest_handle(op.u.readconsole.buffer, text);
    CHECK(sysctl(&op, XEN_SYSCTL_readconsole) == 0 && op.u.readconsole.count == 4 && !memcmp(text, "0123", 5));
    op.u.readconsole.incremental = 1;
    op.u.readconsole.count = sizeof(text);
    CHECK(sysctl(&op, XEN_SYSCTL_readconsole) == 0 && op.u.readconsole.count == 6 && !memcmp(text, "456789", 6));
    op.u.readconsole.count = sizeof(text);
    CHECK(sysctl(&op, XEN_SYSCTL_readconsole) == 0 && op.u.readconsole.count == 0);
}

static void debug_keys_are_bounded(void)
{
    static char keys[65] = "hqregm?";
    struct xen_sysctl op = {.u.debug_keys.nr_keys = 7};

    fake_reset();
    set_xen_guest_handle(op.u.debug_keys.keys, keys);
    CHECK(sysctl(&op, XEN_SYSCTL_debug_keys) == 0);
    op.u.debug_keys.nr_keys = 65;
    CHECK(sysctl(&op, XEN_SYSCTL_debug_keys) == -E2BIG);
    CHECK_FRAMES();
}

static void policy_errors_name_the_leaf(void)
{
    struct xen_domctl op = {0};

    fake_reset();
    fake_domain(3, 10);
    CHECK(domctl(&op, XEN_DOMCTL_set_cpu_policy, 3) == -EINVAL && op.u.cpu_policy.err_leaf == 7);
    CHECK(strstr(fake_said, "cpuid=: leaf 0x7"));
    op.u.cpu_policy.nr_leaves = ~0U;
    CHECK(domctl(&op, XEN_DOMCTL_set_cpu_policy, 3) == -E2BIG);
    CHECK_FRAMES();
}

/* What a saved guest says of its counter: one that overflows, or stands still, has its timers fire for ever. */
static void counters(void)
{
    static const struct {
        uint32_t mode, khz;
        uint64_t elapsed;
        long answer;
    } rows[] = {
        {1, 0, 0, 0},
        {1, 1000, 0, 0},
        {1, 2400000, 1UL << 59, 0},
        {1, 8000000, 5, 0},
        {1, 999, 0, -EINVAL},
        {1, 8000001, 0, -EINVAL},
        {1, UINT32_MAX, 0, -EINVAL},
        {1, 2400000, (1UL << 59) + 1, -EINVAL},
        {1, 0, ~0UL, -EINVAL},
        {0, 1, ~0UL, 0}, /* the machine's own counter: nothing of it counts */
        {2, UINT32_MAX, ~0UL, 0},
        {3, 0, 0, -EINVAL},
    };
    struct domain *d;

    fake_reset();
    d = fake_domain(3, 10);
    for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
        struct xen_domctl op = {.u.tsc_info = {rows[i].mode, rows[i].khz, 0, 0, rows[i].elapsed}};
        d->tsc.incarnation = 77;
        CHECK_EQUAL(rows[i].answer, domctl(&op, XEN_DOMCTL_settscinfo, 3));
        CHECK_EQUAL(rows[i].answer ? 77 : 1, d->tsc.incarnation);
    }
    CHECK_FRAMES();
}

static void hypercall_page(void)
{
    struct xen_domctl op = {0};
    struct page *page;
    const uint8_t *code;

    fake_reset();
    page = domain_alloc_pages(dom0, 0, ANY_ADDRESS);
    op.u.hypercall_init.gmfn = page_to_mfn(page);
    CHECK(domctl(&op, XEN_DOMCTL_hypercall_init, 0) == 0);
    code = page_to_virt(page);
    CHECK(!memcmp(code + 17 * 32, "\x51\x41\x53\xb8\x11\0\0\0\x0f\x05\x41\x5b\x59\xc3", 14));
    CHECK(!memcmp(code + 23 * 32, "\x51\x41\x53\x50\xb8\x17\0\0\0\x0f\x05", 11));
    op.u.hypercall_init.gmfn = 3;
    CHECK(domctl(&op, XEN_DOMCTL_hypercall_init, 0) == -EINVAL);
}

void test_toolstack(void)
{
    versions_and_rights();
    domain_list_is_walked();
    flags_of_a_domain();
    life();
    dying_domains_are_let_go();
    refusals_have_names();
    affinity_bitmaps();
    page_kinds();
    sizes_are_told();
    pools();
    console_ring();
    debug_keys_are_bounded();
    policy_errors_name_the_leaf();
    counters();
    hypercall_page();
}
