/*
 * domctl: what is special to x86 and PV: rights to the machine, types of frames, CPUID policy, time stamp counter.
 * Source: xen/domctl.h.
 */
#include <hv/abi_internal.h>
#include <hv/cpu_policy.h>
#include <hv/domain_log.h>
#include <hv/domain_tsc.h>
#include <hv/guest_copy.h>
#include <hv/hvm.h>
#include <hv/irq.h>
#include <hv/p2m.h>
#include <hv/page_alloc.h>
#include <hv/page_type.h>
#include <hv/sched.h>

/* There is no shadow of a PV guest's page tables, so nothing can note which pages it writes. */
long domctl_shadow_op(struct request *r)
{
    struct domain *d = r->domain;
    struct xen_domctl *op = r->argument;

    if (is_hvm(d))
        return is_current_domain(d) ? -EINVAL : log_dirty_op(d, &op->u.shadow_op);
    switch (op->u.shadow_op.op) {
    case XEN_DOMCTL_SHADOW_OP_ENABLE:
    case XEN_DOMCTL_SHADOW_OP_ENABLE_TEST:
    case XEN_DOMCTL_SHADOW_OP_ENABLE_LOGDIRTY:
        return domain_refuse(d, -EOPNOTSUPP, "moving or saving a PV guest while it runs on");
    }
    return -EINVAL;
}

long domctl_get_paging_mempool_size(struct request *r)
{
    struct domain *d = r->domain;
    struct xen_domctl *op = r->argument;

    if (!is_hvm(d))
        return -EOPNOTSUPP;
    op->u.paging_mempool.size = p2m_get_pool_size(d);
    return 0;
}

long domctl_set_paging_mempool_size(struct request *r)
{
    struct domain *d = r->domain;
    struct xen_domctl *op = r->argument;

    return is_hvm(d) ? p2m_set_pool_size(d, op->u.paging_mempool.size) : -EOPNOTSUPP;
}

/* ---- rights to the machine ---- */

/* Nobody can give what he has not. */
long domctl_irq_permission(struct request *r)
{
    struct domain *d = r->domain;
    struct xen_domctl *op = r->argument;
    uint32_t pirq = op->u.irq_permission.pirq;

    if (pirq >= MAX_PIRQS)
        return -EINVAL;
    if (!current->domain->all_io && !test_bit(pirq, current->domain->irq_allowed))
        return -EPERM;
    if (op->u.irq_permission.allow_access)
        set_bit(pirq, d->irq_allowed);
    else
        clear_bit(pirq, d->irq_allowed);
    return 0;
}

/* A domain has all ports and device memory or none; taking away what it has not is done already. */
static int io_permission(struct domain *d, uint64_t first, uint64_t count, uint64_t limit, bool allow)
{
    if (!count || first >= limit || count > limit - first)
        return -EINVAL;
    return allow == d->all_io ? 0
                              : domain_refuse(d, -EOPNOTSUPP,
                                              allow ? "iomem=, ioports=: devices of the machine"
                                                    : "taking devices away from Domain-0");
}

long domctl_iomem_permission(struct request *r)
{
    struct domain *d = r->domain;
    struct xen_domctl *op = r->argument;
    uint64_t frames = 1UL << (cpu_features.physical_address_bits - PAGE_SHIFT);

    return io_permission(d, op->u.iomem_permission.first_mfn, op->u.iomem_permission.nr_mfns, frames,
                         op->u.iomem_permission.allow_access);
}

long domctl_ioport_permission(struct request *r)
{
    struct domain *d = r->domain;
    struct xen_domctl *op = r->argument;

    return io_permission(d, op->u.ioport_permission.first_port, op->u.ioport_permission.nr_ports, 0x10000,
                         op->u.ioport_permission.allow_access);
}

/* ---- hypercall page ---- */

/*
 * The stubs of a 64-bit PV guest, 128 of 32 bytes. Entry n calls hypercall n: the syscall instruction destroys rcx and
 * r11, which the ABI promises to keep. iret does not return; it finds rax, r11 and rcx on the stack on top of the frame
 * (struct iret_context).
 */
static void hypercall_page_write(uint8_t *page)
{
    static const uint8_t before[] = {0x51, 0x41, 0x53, 0xb8};            /* push rcx; push r11; mov eax, */
    static const uint8_t after[] = {0x0f, 0x05, 0x41, 0x5b, 0x59, 0xc3}; /* syscall; pop r11; pop rcx; ret */
    static const uint8_t iret[] = {0x51, 0x41, 0x53, 0x50, 0xb8, __HYPERVISOR_iret, 0, 0, 0, 0x0f, 0x05};

    memset(page, 0xcc, PAGE_SIZE);
    for (uint32_t n = 0; n < PAGE_SIZE / 32; n++) {
        uint8_t *entry = page + n * 32;

        memcpy(entry, before, sizeof(before));
        memcpy(entry + sizeof(before), &n, sizeof(n));
        memcpy(entry + sizeof(before) + sizeof(n), after, sizeof(after));
    }
    memcpy(page + __HYPERVISOR_iret * 32, iret, sizeof(iret));
}

long domctl_hypercall_init(struct request *r)
{
    struct domain *d = r->domain;
    struct xen_domctl *op = r->argument;
    uint64_t gfn = op->u.hypercall_init.gmfn;
    uint8_t *page;
    int error;

    if (is_hvm(d))
        return d->vcpu[0] && hvm_write_hypercall_page(d->vcpu[0], gfn << PAGE_SHIFT) ? 0 : -EINVAL;
    page = zalloc(PAGE_SIZE);
    if (!page)
        return -ENOMEM;
    hypercall_page_write(page);
    error = copy_to_domain_mfn(d, gfn, 0, page, PAGE_SIZE);
    free(page);
    return error;
}

/* ---- kind of guest ---- */

long domctl_set_address_size(struct request *r)
{
    struct domain *d = r->domain;
    struct xen_domctl *op = r->argument;

    switch (op->u.address_size.size) {
    case 64:
        return 0;
    case 32:
        return domain_refuse(d, -EOPNOTSUPP, "a PV kernel of 32 bits");
    }
    return -EINVAL;
}

long domctl_get_address_size(struct request *r)
{
    struct xen_domctl *op = r->argument;

    op->u.address_size.size = 64;
    return 0;
}

/* ---- time stamp counter ---- */

static bool counter_ok(const struct xen_domctl_tsc_info *info)
{
    return (!info->gtsc_khz || (info->gtsc_khz >= DOMAIN_TSC_MIN_KHZ && info->gtsc_khz <= DOMAIN_TSC_MAX_KHZ)) &&
           info->elapsed_nsec <= DOMAIN_TSC_MAX_ELAPSED;
}

long domctl_settscinfo(struct request *r)
{
    struct domain *d = r->domain;
    struct xen_domctl *op = r->argument;
    const struct xen_domctl_tsc_info *info = &op->u.tsc_info;
    bool emulated = info->tsc_mode == TSC_MODE_ALWAYS_EMULATE;

    if (is_current_domain(d) || info->tsc_mode > TSC_MODE_NEVER_EMULATE || (emulated && !counter_ok(info)))
        return -EINVAL;
    if (d->creation_finished && emulated != d->tsc.emulated)
        return -EBUSY;
    d->tsc.mode = info->tsc_mode;
    d->tsc.incarnation = info->incarnation + 1; /* of this life of the guest */
    d->tsc.ahead = emulated ? info->elapsed_nsec - now() : 0;
    if (emulated) {
        d->tsc.khz = info->gtsc_khz ? info->gtsc_khz : (uint32_t)tsc_khz();
        d->tsc.counts_per_ns = clock_counts_per_ns(d->tsc.khz * 1000UL);
        d->tsc.scale = clock_scale_of(d->tsc.khz * 1000UL);
    }
    d->tsc.emulated = emulated;
    if (is_hvm(d)) { /* its vcpus' control structures are their CPUs' while they run */
        domain_pause_sync(d);
        hvm_update_tsc_mode(d);
        domain_unpause(d);
    }
    return 0;
}

long domctl_gettscinfo(struct request *r)
{
    struct domain *d = r->domain;
    struct xen_domctl *op = r->argument;

    op->u.tsc_info.tsc_mode = d->tsc.mode;
    op->u.tsc_info.gtsc_khz = domain_tsc_khz(d);
    op->u.tsc_info.incarnation = d->tsc.incarnation;
    op->u.tsc_info.elapsed_nsec = now() + d->tsc.ahead;
    return 0;
}

/* ---- frames ---- */

#define MAX_PAGE_QUERY   1024
#define PAGE_QUERY_CHUNK 64

static xen_pfn_t page_kind(struct domain *d, mfn_t mfn)
{
    static const uint32_t level[] = {XEN_DOMCTL_PFINFO_L1TAB, XEN_DOMCTL_PFINFO_L2TAB, XEN_DOMCTL_PFINFO_L3TAB,
                                     XEN_DOMCTL_PFINFO_L4TAB};
    xen_pfn_t kind = XEN_DOMCTL_PFINFO_NOTAB;
    struct page *page;
    unsigned table;

    if (mfn >= max_mfn || !page_get(mfn_to_page(mfn), d))
        return XEN_DOMCTL_PFINFO_XTAB;
    page = mfn_to_page(mfn);
    if (READ_ONCE(page->references) & PAGE_BROKEN)
        kind = XEN_DOMCTL_PFINFO_BROKEN;
    else if ((table = page_table_level(page)) != 0) {
        kind = level[table - 1];
        kind |= READ_ONCE(page->type) & TYPE_PINNED ? XEN_DOMCTL_PFINFO_LPINTAB : 0;
    }
    page_put(page);
    return kind;
}

/* An HVM guest's page tables are its own affair. */
static xen_pfn_t gfn_kind(struct domain *d, gfn_t gfn)
{
    enum p2m_type kind;

    p2m_lookup(d, gfn, &kind, NULL);
    return p2m_is_own_ram(kind) ? XEN_DOMCTL_PFINFO_NOTAB : XEN_DOMCTL_PFINFO_XTAB;
}

/* Each frame number in the caller's array is replaced by what the frame is. */
long domctl_getpageframeinfo3(struct request *r)
{
    struct domain *d = r->domain;
    struct xen_domctl *op = r->argument;
    const struct xen_domctl_getpageframeinfo3 *query = &op->u.getpageframeinfo3;
    xen_pfn_t chunk[PAGE_QUERY_CHUNK];

    if (query->num > MAX_PAGE_QUERY)
        return -E2BIG;
    for (uint64_t done = 0; done < query->num;) {
        uint64_t count = min(query->num - done, (uint64_t)PAGE_QUERY_CHUNK);

        if (copy_from_guest_offset(chunk, query->array, done, count))
            return -EFAULT;
        for (uint64_t i = 0; i < count; i++)
            chunk[i] = is_hvm(d) ? gfn_kind(d, chunk[i]) : page_kind(d, chunk[i]);
        if (copy_to_guest_offset(query->array, done, chunk, count))
            return -EFAULT;
        done += count;
    }
    return 0;
}

/* ---- CPUID policy ---- */

struct policy_buffer {
    struct xen_cpuid_leaf leaf[CPU_POLICY_MAX_LEAVES];
    struct xen_msr_entry msr[CPU_POLICY_MAX_MSRS];
};

long domctl_get_cpu_policy(struct request *r)
{
    struct domain *d = r->domain;
    struct xen_domctl *op = r->argument;
    struct xen_domctl_cpu_policy *p = &op->u.cpu_policy;
    uint32_t leaves = CPU_POLICY_MAX_LEAVES, msrs = CPU_POLICY_MAX_MSRS;
    struct policy_buffer *buffer = zalloc(sizeof(*buffer));
    int error;

    if (!buffer)
        return -ENOMEM;
    error = cpu_policy_get_domain(d, buffer->leaf, &leaves, buffer->msr, &msrs);
    if (!error && ((!guest_handle_is_null(p->leaves) && p->nr_leaves < leaves) ||
                   (!guest_handle_is_null(p->msrs) && p->nr_msrs < msrs)))
        error = -ENOBUFS;
    p->nr_leaves = leaves;
    p->nr_msrs = msrs;
    if (!error && !guest_handle_is_null(p->leaves))
        error = copy_to_guest(p->leaves, buffer->leaf, leaves);
    if (!error && !guest_handle_is_null(p->msrs))
        error = copy_to_guest(p->msrs, buffer->msr, msrs);
    free(buffer);
    return error;
}

/* The processor a guest saw at its start must not change under it. */
long domctl_set_cpu_policy(struct request *r)
{
    struct domain *d = r->domain;
    struct xen_domctl *op = r->argument;
    struct xen_domctl_cpu_policy *p = &op->u.cpu_policy;
    struct policy_buffer *buffer;
    int error = 0;

    if (is_current_domain(d))
        return -EINVAL;
    if (d->creation_finished)
        return -EEXIST;
    if (p->nr_leaves > CPU_POLICY_MAX_LEAVES || p->nr_msrs > CPU_POLICY_MAX_MSRS)
        return -E2BIG;
    buffer = zalloc(sizeof(*buffer));
    if (!buffer)
        return -ENOMEM;
    if (copy_from_guest(buffer->leaf, p->leaves, p->nr_leaves) || copy_from_guest(buffer->msr, p->msrs, p->nr_msrs))
        error = -EFAULT;
    p->err_leaf = p->err_subleaf = p->err_msr = ~0U;
    if (!error)
        error = cpu_policy_set_domain(d, buffer->leaf, p->nr_leaves, buffer->msr, p->nr_msrs, &p->err_leaf,
                                      &p->err_subleaf, &p->err_msr);
    if (error)
        domain_log(LOG_WARNING, d, "refused (error %d): cpuid=: leaf %#x, subleaf %#x, MSR %#x", -error, p->err_leaf,
                   p->err_subleaf, p->err_msr);
    free(buffer);
    return error;
}

/* ---- buttons ---- */

/* A PV machine has no reset or power button; its NMI is a callback. */
long domctl_sendtrigger(struct request *r)
{
    struct domain *d = r->domain;
    struct xen_domctl *op = r->argument;
    struct vcpu *v = domain_vcpu(d, op->u.sendtrigger.vcpu);

    if (!v)
        return -ESRCH;
    if (is_hvm(d))
        return hvm_send_trigger(v, op->u.sendtrigger.trigger);
    switch (op->u.sendtrigger.trigger) {
    case XEN_DOMCTL_SENDTRIGGER_NMI:
        break;
    case XEN_DOMCTL_SENDTRIGGER_POWER:
    case XEN_DOMCTL_SENDTRIGGER_SLEEP:
        return -EINVAL;
    default:
        return -ENOSYS;
    }
    v->nmi_pending = true;
    vcpu_unblock(v);
    if (v->is_running && v->cpu)
        cpu_raise_softirq(v->cpu, SOFTIRQ_SCHEDULE);
    return 0;
}
