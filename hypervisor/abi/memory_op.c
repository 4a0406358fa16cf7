/*
 * HYPERVISOR_memory_op: the table of its commands, and those that only ask. Source: xen/memory.h.
 * Frame numbers of PV domains are machine frame numbers; those of HVM domains are translated by their p2m.
 */
#include <hv/abi_internal.h>
#include <hv/bootinfo.h>
#include <hv/domain_log.h>
#include <hv/grant_table.h>
#include <hv/guest_copy.h>
#include <hv/p2m.h>
#include <hv/hvm_io.h>
#include <hv/page_alloc.h>
#include <hv/pagetable.h>

_Static_assert(sizeof(struct xen_memory_reservation) == 32, "ABI");
_Static_assert(sizeof(struct xen_memory_exchange) == 72, "ABI");
_Static_assert(sizeof(struct xen_mem_acquire_resource) == 32, "ABI");

int domain_get_for_caller(domid_t id, struct domain **out)
{
    struct domain *caller = current->domain;
    int error;

    *out = domain_get_any(id);
    if (!*out)
        return -ESRCH;
    error = *out == caller ? 0 : allowed_on(caller, POLICY_VERB_CONTROL, *out);
    if (error)
        domain_put(*out);
    return error;
}

mfn_t memory_last_ram_page(void)
{
    for (unsigned i = bootinfo.memory_count; i-- > 0;)
        if (bootinfo.memory[i].kind == MEMORY_RAM)
            return (bootinfo.memory[i].end >> PAGE_SHIFT) - 1;
    return 0;
}

/* The reference counts to the end: one more than the last. Tools size the machine-to-pfn table by it. */
static long maximum_ram_page(struct request *r)
{
    return (long)memory_last_ram_page() + 1;
}

/* The three questions about one domain that are answered by a number. */
static long domain_number(const struct request *r, long (*number)(const struct domain *d))
{
    const struct xen_memory_domain *query = r->argument;
    struct domain *d;
    long result = domain_get_for_caller(query->domid, &d);

    if (result)
        return result;
    result = number(d);
    domain_put(d);
    return result;
}

static long pages_now(const struct domain *d)
{
    return d->pages;
}

static long pages_limit(const struct domain *d)
{
    return (long)d->max_pages;
}

/* A PV guest's own numbering is known only to itself; it tells how many in its shared info page, or 0 as long as it has
 * not. */
static long highest_pfn(const struct domain *d)
{
    if (is_hvm(d))
        return (long)p2m_highest(d);
    const struct shared_info *shared = READ_ONCE(d->shared_info); /* goes early in a domain's end */
    unsigned long count = shared ? READ_ONCE(shared->arch.max_pfn) : 0;

    return count && count <= 1UL << 52 ? (long)count - 1 : 0;
}

static long current_reservation(struct request *r)
{
    return domain_number(r, pages_now);
}

static long maximum_reservation(struct request *r)
{
    return domain_number(r, pages_limit);
}

static long maximum_gpfn(struct request *r)
{
    return domain_number(r, highest_pfn);
}

static long machphys_mapping(struct request *r)
{
    struct xen_machphys_mapping *mapping = r->argument;

    mapping->v_start = M2P_RO_VA;
    mapping->v_end = MACH2PHYS_VIRT_END;
    mapping->max_mfn = max_mfn - 1;
    return 0;
}

/* A 2 MiB part of the table covers 1 GiB of memory, so even large machines have few. */
static long machphys_mfn_list(struct request *r)
{
    struct xen_machphys_mfn_list *list = r->argument;
    unsigned extents = DIV_ROUND_UP(max_mfn * sizeof(unsigned long), 2 * MiB), i;

    for (i = 0; i < extents && i < list->max_extents; i++) {
        xen_pfn_t mfn = m2p_extent_mfn(i);

        if (copy_to_guest_offset(list->extent_start, i, &mfn, 1))
            return -EFAULT;
    }
    list->nr_extents = i;
    return 0;
}

static int copy_e820_out(const struct xen_memory_map *map, unsigned index, const struct e820entry *entry)
{
    return copy_to_guest_va((unsigned long)map->buffer.p + index * sizeof(*entry), entry, sizeof(*entry));
}

/* Without a buffer: how many there are. */
static long machine_memory_map(struct request *r)
{
    struct xen_memory_map *map = r->argument;
    bool count_only;

    count_only = guest_handle_is_null(map->buffer);
    if (!count_only && map->nr_entries < bootinfo.memory_count)
        return -EINVAL;
    for (unsigned i = 0; i < bootinfo.memory_count && !count_only; i++) {
        const struct memory_range *range = &bootinfo.memory[i];
        struct e820entry entry = {range->start, range->end - range->start, range->kind};

        if (copy_e820_out(map, i, &entry))
            return -EFAULT;
    }
    map->nr_entries = bootinfo.memory_count;
    return 0;
}

/*
 * The map is copied aside under the lock because guest memory must not be touched with it held, and the toolstack may
 * replace the map meanwhile.
 */
static struct e820entry *e820_snapshot(struct domain *d, unsigned *count)
{
    struct e820entry *copy = zalloc(MAX_E820_ENTRIES * sizeof(*copy));

    if (!copy)
        return NULL;
    spin_lock(&d->lock);
    *count = d->e820_count;
    if (d->e820)
        memcpy(copy, d->e820, *count * sizeof(*copy));
    spin_unlock(&d->lock);
    return copy;
}

/* -ENOSYS, which PV kernels take as "make one up": the toolstack set none. */
static long memory_map(struct request *r)
{
    struct xen_memory_map *map = r->argument;
    struct e820entry *entries;
    unsigned count = 0;
    long result = 0;

    if (!current->domain->e820)
        return -ENOSYS;
    entries = e820_snapshot(current->domain, &count);
    if (!entries)
        return -ENOMEM;
    if (map->nr_entries < count)
        result = -ENOBUFS;
    map->nr_entries = count;
    for (unsigned i = 0; i < count && !result; i++)
        result = copy_e820_out(map, i, &entries[i]);
    free(entries);
    return result;
}

static void replace_memory_map(struct domain *d, struct e820entry *entries, unsigned count)
{
    struct e820entry *old;

    spin_lock(&d->lock);
    old = d->e820;
    d->e820 = entries;
    d->e820_count = count;
    spin_unlock(&d->lock);
    free(old);
}

static long set_memory_map(struct request *r)
{
    struct xen_foreign_memory_map *request = r->argument;
    struct e820entry *entries;
    struct domain *d;
    long result;

    if (!request->map.nr_entries || request->map.nr_entries > MAX_E820_ENTRIES)
        return -EINVAL;
    d = domain_get_any(request->domid);
    if (!d)
        return -ESRCH;
    result = allowed_on(current->domain, POLICY_VERB_CONTROL, d);
    entries = result ? NULL : zalloc(request->map.nr_entries * sizeof(*entries));
    if (!result && !entries)
        result = -ENOMEM;
    if (!result)
        result = copy_from_guest_va(entries, (unsigned long)request->map.buffer.p,
                                    request->map.nr_entries * sizeof(*entries));
    if (!result)
        replace_memory_map(d, entries, request->map.nr_entries);
    else
        free(entries);
    domain_put(d);
    return result;
}

/* Nothing is shared between domains by content here. */
static long sharing_pages(struct request *r)
{
    return 0;
}

/* No devices with memory of their own that must be kept free: none are handed to guests yet. */
static long reserved_device_memory(struct request *r)
{
    struct xen_reserved_device_memory_map *map = r->argument;

    if (map->flags & ~XENMEM_RDM_ALL)
        return -EINVAL;
    map->nr_entries = 0;
    return 0;
}

#define RESOURCE_CHUNK 32

static int ioreq_server_get_frames(struct domain *d, unsigned id, unsigned frame, unsigned count, uint64_t *mfns)
{
    int error = 0;

    for (unsigned i = 0; i < count && !error; i++)
        error = ioreq_server_get_frame(d, id, frame + i, &mfns[i]);
    return error;
}

static long resource_frames(struct domain *d, const struct xen_mem_acquire_resource *r)
{
    uint64_t mfns[RESOURCE_CHUNK];

    for (unsigned done = 0; done < r->nr_frames;) {
        unsigned count = min(r->nr_frames - done, (unsigned)RESOURCE_CHUNK);
        int error = r->type == XENMEM_resource_grant_table
                        ? grant_table_get_frames(d, r->id, (unsigned)r->frame + done, count, mfns)
                        : ioreq_server_get_frames(d, r->id, (unsigned)r->frame + done, count, mfns);

        if (error)
            return error;
        if (copy_to_guest_offset(r->frame_list, done, mfns, count))
            return -EFAULT;
        done += count;
    }
    return 0;
}

/* How many frames there are of what is named; 0: there is no such resource. */
static unsigned resource_size(struct domain *d, const struct xen_mem_acquire_resource *r)
{
    if (r->type == XENMEM_resource_grant_table && r->id <= XENMEM_resource_grant_table_id_status)
        return grant_table_max_frames(d);
    return r->type == XENMEM_resource_ioreq_server && is_hvm(d) ? IOREQ_SERVER_FRAMES : 0;
}

static long acquire_for(struct domain *d, const struct request *request)
{
    struct xen_mem_acquire_resource *r = request->argument;
    unsigned size = resource_size(d, r);

    if (!size)
        return -EOPNOTSUPP;
    if (guest_handle_is_null(r->frame_list)) {
        if (r->nr_frames)
            return -EINVAL;
        r->nr_frames = size;
        return copy_argument_out(request->address, r) ? -EFAULT : 0;
    }
    if (r->frame > size || r->nr_frames > size - r->frame)
        return -EINVAL;
    return resource_frames(d, r);
}

static long acquire_resource(struct request *r)
{
    struct xen_mem_acquire_resource *op = r->argument;
    struct domain *d;
    long result;

    if (op->pad)
        return -EINVAL;
    d = domain_get_any(op->domid);
    if (!d)
        return -ESRCH;
    result = is_current_domain(d) ? -EPERM : allowed_on(current->domain, POLICY_VERB_MAP_MEMORY, d);
    if (!result)
        result = acquire_for(d, r);
    domain_put(d);
    return result;
}

static long not_supported(struct request *r)
{
    return -EOPNOTSUPP;
}

/*
 * A target is what the guest's balloon goes to, and nothing waits to be populated. Who builds a domain and wants more
 * for it than it has counts on memory that comes when it is touched, of which there is none.
 */
static long pod_target(struct request *r, bool set)
{
    struct xen_pod_target *target = r->argument;
    struct domain *d;
    long result;

    d = domain_get_any(target->domid);
    if (!d)
        return -ESRCH;
    result = is_hvm(d) ? allowed_on(current->domain, POLICY_VERB_CONTROL, d) : -EINVAL;
    if (!result && set && !d->creation_finished && target->target_pages > d->pages)
        result = domain_refuse(d, -EOPNOTSUPP, "memory= below maxmem=: populate-on-demand");
    target->tot_pages = d->pages;
    target->pod_cache_pages = target->pod_entries = 0;
    domain_put(d);
    return result;
}

static long set_pod_target(struct request *r)
{
    return pod_target(r, true);
}

static long get_pod_target(struct request *r)
{
    return pod_target(r, false);
}

static const struct operation operations[] = {
    [XENMEM_increase_reservation] = {memory_populate, sizeof(struct xen_memory_reservation)},
    [XENMEM_decrease_reservation] = {memory_decrease, sizeof(struct xen_memory_reservation)},
    [XENMEM_maximum_ram_page] = {maximum_ram_page},
    [XENMEM_current_reservation] = {current_reservation, sizeof(struct xen_memory_domain)},
    [XENMEM_maximum_reservation] = {maximum_reservation, sizeof(struct xen_memory_domain)},
    [XENMEM_machphys_mfn_list] = {machphys_mfn_list, sizeof(struct xen_machphys_mfn_list), POLICY_ANYONE, ANSWER_DONE},
    [XENMEM_populate_physmap] = {memory_populate, sizeof(struct xen_memory_reservation)},
    [XENMEM_add_to_physmap] = {memory_add_to_physmap, sizeof(struct xen_add_to_physmap), POLICY_ANYONE,
                               ANSWER_PROGRESS},
    [XENMEM_memory_map] = {memory_map, sizeof(struct xen_memory_map), POLICY_ANYONE, ANSWER_DONE | ANSWER_FAILED},
    [XENMEM_machine_memory_map] = {machine_memory_map, sizeof(struct xen_memory_map), POLICY_HARDWARE, ANSWER_DONE},
    [XENMEM_exchange] = {memory_exchange, sizeof(struct xen_memory_exchange)},
    [XENMEM_machphys_mapping] = {machphys_mapping, sizeof(struct xen_machphys_mapping), POLICY_PV, ANSWER_ONLY},
    [XENMEM_set_memory_map] = {set_memory_map, sizeof(struct xen_foreign_memory_map)},
    [XENMEM_maximum_gpfn] = {maximum_gpfn, sizeof(struct xen_memory_domain)},
    [XENMEM_remove_from_physmap] = {memory_remove_from_physmap, sizeof(struct xen_remove_from_physmap)},
    [XENMEM_set_pod_target] = {set_pod_target, sizeof(struct xen_pod_target), POLICY_ANYONE, ANSWER_DONE},
    [XENMEM_get_pod_target] = {get_pod_target, sizeof(struct xen_pod_target), POLICY_ANYONE, ANSWER_DONE},
    [XENMEM_get_sharing_freed_pages] = {sharing_pages},
    [XENMEM_get_sharing_shared_pages] = {sharing_pages},
    [XENMEM_paging_op] = {not_supported},
    [XENMEM_access_op] = {not_supported},
    [XENMEM_sharing_op] = {not_supported},
    [XENMEM_add_to_physmap_batch] = {memory_add_to_physmap_batch, sizeof(struct xen_add_to_physmap_batch)},
    [XENMEM_claim_pages] = {memory_claim, sizeof(struct xen_memory_reservation), POLICY_CONTROL},
    [XENMEM_machphys_compat_mfn_list] = {not_supported},
    [XENMEM_get_vnumainfo] = {not_supported},
    [XENMEM_reserved_device_memory_map] = {reserved_device_memory, sizeof(struct xen_reserved_device_memory_map),
                                           POLICY_ANYONE, ANSWER_DONE},
    [XENMEM_acquire_resource] = {acquire_resource, sizeof(struct xen_mem_acquire_resource)},
};

/* arg[0] XENMEM_* and where a continued call goes on, arg[1] address of the operation's structure. */
long do_memory_op(struct hypercall *call)
{
    struct request r = {.call = call, .address = call->arg[1]};

    return operation_serve(operations, ARRAY_SIZE(operations), call->arg[0] & MEMOP_COMMAND_MASK, &r);
}
