/*
 * HYPERVISOR_dm_op: what a device model does to its guest. The first buffer names the operation and has its arguments;
 * others carry data. Source: xen/hvm/dm_op.h.
 *
 * An operation takes its buffer in once. One that is long writes its progress back into it and says -ERESTART.
 */
#include <hv/abi_internal.h>
#include <hv/guest_copy.h>
#include <hv/hvm_irq.h>
#include <hv/ioreq.h>
#include <hv/operation.h>
#include <hv/p2m.h>
#include <xen/sched.h>

_Static_assert(sizeof(struct xen_dm_op) == 32 && offsetof(struct xen_dm_op, u) == 8, "ABI");
_Static_assert(sizeof(struct xen_dm_op_buf) == 16, "ABI");
_Static_assert(sizeof(struct xen_dm_op_modified_memory_extent) == 16, "ABI");

#define MAX_BUFFERS           2
#define PAGES_PER_YIELD_CHECK 64
#define MAX_TRACKED_PAGES     (1U << (30 - PAGE_SHIFT)) /* a display has not more memory than 1 GiB */
#define MAX_SHUTDOWN_REASON   255
#define GFN_LIMIT             (1ULL << 40)

struct dm_request {
    struct request request;
    struct xen_dm_op op; /* its argument */
    unsigned buffers;
    struct xen_dm_op_buf buffer[MAX_BUFFERS];
};
#define ARGUMENT(r, name) (&((struct xen_dm_op *)(r)->argument)->u.name)

static bool gfns_ok(uint64_t first, uint64_t count)
{
    return first < GFN_LIMIT && count <= GFN_LIMIT - first;
}

/* ---- servers ---- */

static long create_server(struct request *r)
{
    struct xen_dm_op_create_ioreq_server *op = ARGUMENT(r, create_ioreq_server);

    if (op->pad[0] || op->pad[1] || op->pad[2])
        return -EINVAL;
    return ioreq_server_create(r->domain, op->handle_bufioreq, &op->id);
}

static long destroy_server(struct request *r)
{
    struct xen_dm_op_destroy_ioreq_server *op = ARGUMENT(r, destroy_ioreq_server);

    return op->pad ? -EINVAL : ioreq_server_destroy(r->domain, op->id);
}

/* The pages are to be had as a resource only; placing them among the guest's frames is the way of old device models. */
static long server_info(struct request *r)
{
    struct xen_dm_op_get_ioreq_server_info *op = ARGUMENT(r, get_ioreq_server_info);

    if (op->flags & ~XEN_DMOP_no_gfns)
        return -EINVAL;
    if (!(op->flags & XEN_DMOP_no_gfns))
        return -EOPNOTSUPP;
    return ioreq_server_ring_port(r->domain, op->id, &op->bufioreq_port);
}

static long map_range(struct request *r)
{
    const struct xen_dm_op_ioreq_server_range *op = ARGUMENT(r, map_io_range_to_ioreq_server);

    return op->pad ? -EINVAL : ioreq_server_map(r->domain, op->id, op->type, op->start, op->end);
}

static long unmap_range(struct request *r)
{
    const struct xen_dm_op_ioreq_server_range *op = ARGUMENT(r, unmap_io_range_from_ioreq_server);

    return op->pad ? -EINVAL : ioreq_server_unmap(r->domain, op->id, op->type, op->start, op->end);
}

static long set_server_state(struct request *r)
{
    const struct xen_dm_op_set_ioreq_server_state *op = ARGUMENT(r, set_ioreq_server_state);

    return op->pad ? -EINVAL : ioreq_server_enable(r->domain, op->id, op->enabled != 0);
}

/* The server gives the type up when it has none of these pages any more: what is written to one that is left is lost.
 */
static long map_mem_type(struct request *r)
{
    const struct xen_dm_op_map_mem_type_to_ioreq_server *op = ARGUMENT(r, map_mem_type_to_ioreq_server);

    if (op->type != HVMMEM_ioreq_server || op->opaque || op->flags & ~XEN_DMOP_IOREQ_MEM_ACCESS_WRITE)
        return -EINVAL;
    return ioreq_server_claim_writes(r->domain, op->id, op->flags != 0);
}

static long nr_vcpus(struct request *r)
{
    ARGUMENT(r, nr_vcpus)->vcpus = r->domain->max_vcpus;
    return 0;
}

/* ---- interrupts ---- */

static long set_isa_level(struct request *r)
{
    const struct xen_dm_op_set_isa_irq_level *op = ARGUMENT(r, set_isa_irq_level);

    if (op->isa_irq > 15 || op->level > 1)
        return -EINVAL;
    hvm_isa_irq(r->domain, op->isa_irq, op->level);
    return 0;
}

static long set_intx_level(struct request *r)
{
    const struct xen_dm_op_set_pci_intx_level *op = ARGUMENT(r, set_pci_intx_level);

    if (op->domain || op->bus || op->device > 31 || op->intx > 3 || op->level > 1)
        return -EINVAL;
    hvm_pci_intx(r->domain, op->device, op->intx, op->level);
    return 0;
}

static long set_link_route(struct request *r)
{
    const struct xen_dm_op_set_pci_link_route *op = ARGUMENT(r, set_pci_link_route);

    if (op->link > 3 || op->isa_irq > 15)
        return -EINVAL;
    return hvm_set_pci_link(r->domain, op->link, op->isa_irq);
}

static long inject_msi(struct request *r)
{
    const struct xen_dm_op_inject_msi *op = ARGUMENT(r, inject_msi);

    if (op->pad)
        return -EINVAL;
    if (!(op->data & 0xff) && hvm_pirq_message(r->domain, op->addr))
        return 0;
    return hvm_msi(r->domain, op->addr, op->data);
}

static bool event_kind(uint8_t type, enum hvm_event_kind *kind)
{
    switch (type) {
    case XEN_DMOP_EVENT_ext_int:
        *kind = HVM_EVENT_EXTERNAL;
        return true;
    case XEN_DMOP_EVENT_nmi:
        *kind = HVM_EVENT_NMI;
        return true;
    case XEN_DMOP_EVENT_hw_exc:
    case XEN_DMOP_EVENT_pri_sw_exc:
        *kind = HVM_EVENT_EXCEPTION;
        return true;
    case XEN_DMOP_EVENT_sw_int:
    case XEN_DMOP_EVENT_sw_exc:
        *kind = HVM_EVENT_SOFTWARE;
        return true;
    }
    return false;
}

static long inject_event(struct request *r)
{
    const struct xen_dm_op_inject_event *op = ARGUMENT(r, inject_event);
    struct vcpu *v = domain_vcpu(r->domain, op->vcpuid);
    struct hvm_event event = {.valid = true, .vector = op->vector, .cr2 = op->cr2, .length = op->insn_len};
    enum hvm_event_kind kind;
    long result = 0;

    if (op->pad0 || op->pad1 || !v || !event_kind(op->type, &kind) || op->insn_len > 15)
        return -EINVAL;
    if ((kind == HVM_EVENT_EXCEPTION && op->vector > 31) || (kind == HVM_EVENT_NMI && op->vector != 2))
        return -EINVAL;
    event.kind = (uint8_t)kind;
    event.has_error_code = kind == HVM_EVENT_EXCEPTION && op->error_code != ~0U;
    event.error_code = event.has_error_code ? op->error_code : 0;
    vcpu_pause_sync(v);
    if (v->hvm->pending.valid)
        result = -EBUSY;
    else
        hvm_inject_event(v, &event);
    vcpu_unpause(v);
    return result;
}

/* ---- memory ---- */

static long track_dirty(struct request *r)
{
    const struct dm_request *c = container_of(r, const struct dm_request, request);
    const struct xen_dm_op_track_dirty_vram *op = ARGUMENT(r, track_dirty_vram);
    const struct xen_dm_op_buf *bitmap = &c->buffer[1];

    if (op->pad || c->buffers != 2 || op->nr > MAX_TRACKED_PAGES || !gfns_ok(op->first_pfn, op->nr))
        return -EINVAL;
    if (bitmap->size < DIV_ROUND_UP((uint64_t)op->nr, 8))
        return -EINVAL;
    return dirty_vram(r->domain, op->first_pfn, op->nr, guest_handle_address(bitmap->h));
}

/* As much of an extent as there is time for; its rest stays in it. */
static long mark_extent(struct domain *d, struct xen_dm_op_modified_memory_extent *e)
{
    while (e->nr) {
        log_dirty_mark(d, e->first_pfn++);
        if (--e->nr % PAGES_PER_YIELD_CHECK == 0 && e->nr && hypercall_should_yield())
            return -ERESTART;
    }
    return 0;
}

/* opaque: the first extent that is not done. */
static long modified_memory(struct request *r)
{
    const struct dm_request *c = container_of(r, const struct dm_request, request);
    struct xen_dm_op_modified_memory *op = ARGUMENT(r, modified_memory);
    unsigned long list = guest_handle_address(c->buffer[1].h);
    struct xen_dm_op_modified_memory_extent e;
    uint32_t i;
    long result = 0;

    if (c->buffers != 2 || op->opaque > op->nr_extents || c->buffer[1].size / sizeof(e) < op->nr_extents)
        return -EINVAL;
    for (i = op->opaque; i < op->nr_extents && !result; i++) {
        unsigned long at = list + i * sizeof(e);

        if (i > op->opaque && hypercall_should_yield()) {
            op->opaque = i;
            return -ERESTART;
        }
        if (copy_from_guest_va(&e, at, sizeof(e)))
            result = -EFAULT;
        else if (e.pad || !gfns_ok(e.first_pfn, e.nr))
            result = -EINVAL;
        else
            result = mark_extent(r->domain, &e);
        if (result == -ERESTART) {
            op->opaque = i;
            return copy_to_guest_va(at, &e, sizeof(e)) ? -EFAULT : -ERESTART;
        }
    }
    if (result)
        op->nr_extents = i; /* one more than the number of the extent that is wrong */
    return result;
}

/* What each kind that may be asked for is to us, and what may become it. */
static const struct {
    enum p2m_type type;
    uint32_t from;
} memory_kinds[] = {
    [HVMMEM_ram_rw] = {P2M_RAM, 1U << P2M_RAM | 1U << P2M_RAM_LOG_DIRTY | 1U << P2M_RAM_READONLY | 1U << P2M_MMIO_DM |
                                    1U << P2M_IOREQ_SERVER},
    [HVMMEM_ram_ro] = {P2M_RAM_READONLY,
                       1U << P2M_RAM | 1U << P2M_RAM_LOG_DIRTY | 1U << P2M_RAM_READONLY | 1U << P2M_MMIO_DM},
    [HVMMEM_mmio_dm] = {P2M_MMIO_DM,
                        1U << P2M_RAM | 1U << P2M_RAM_LOG_DIRTY | 1U << P2M_RAM_READONLY | 1U << P2M_MMIO_DM},
    [HVMMEM_ioreq_server] = {P2M_IOREQ_SERVER, 1U << P2M_RAM | 1U << P2M_RAM_LOG_DIRTY | 1U << P2M_IOREQ_SERVER},
};

static long set_one_type(struct domain *d, gfn_t gfn, unsigned kind)
{
    for (unsigned tries = 0; tries < 8; tries++) {
        enum p2m_type now;
        long result;

        (void)p2m_lookup(d, gfn, &now, NULL); /* P2M_MMIO_DM shows no frame, and may have one all the same */
        if (!(memory_kinds[kind].from >> now & 1))
            return -EINVAL;
        if (now == memory_kinds[kind].type || (now == P2M_RAM_LOG_DIRTY && kind == HVMMEM_ram_rw))
            return 0;
        result = p2m_change_type(d, gfn, now, memory_kinds[kind].type);
        if (result != -EAGAIN)
            return result;
    }
    return -EINVAL; /* there is no frame, or the kind changes faster than we look */
}

static long set_mem_type(struct request *r)
{
    struct xen_dm_op_set_mem_type *op = ARGUMENT(r, set_mem_type);

    if (op->pad || op->mem_type >= ARRAY_SIZE(memory_kinds) || op->mem_type == HVMMEM_unused ||
        !gfns_ok(op->first_pfn, op->nr))
        return -EINVAL;
    if (op->mem_type == HVMMEM_ioreq_server && r->domain->hvm->io->write_server == NO_IOREQ_SERVER)
        return -EINVAL;
    while (op->nr) {
        long result = set_one_type(r->domain, op->first_pfn, op->mem_type);

        if (result)
            return result;
        op->first_pfn++;
        if (--op->nr % PAGES_PER_YIELD_CHECK == 0 && op->nr && hypercall_should_yield())
            return -ERESTART;
    }
    return 0;
}

/* A device's memory has its home where QEMU made it, and goes where the guest puts the BAR. When the guest moves the
 * BAR on, QEMU does not always bring the memory home before it asks for the way from there; so we know where it is. */
static gfn_t place_of(struct domain *d, gfn_t gfn)
{
    const struct hvm_move *moved = &d->hvm->moved;
    enum p2m_type type;

    if (gfn - moved->from >= moved->pages)
        return gfn;
    p2m_lookup(d, gfn, &type, NULL);
    return p2m_is_own_ram(type) ? gfn : moved->to + (gfn - moved->from);
}

static void note_move(struct hvm_move *moving, gfn_t from, gfn_t to)
{
    if (from != moving->from + moving->pages || to != moving->to + moving->pages)
        *moving = (struct hvm_move){from, to, 0};
    moving->pages++;
}

static long relocate_memory(struct request *r)
{
    struct xen_dm_op_relocate_memory *op = ARGUMENT(r, relocate_memory);

    if (op->pad || !gfns_ok(op->src_gfn, op->size) || !gfns_ok(op->dst_gfn, op->size))
        return -EINVAL;
    while (op->size) {
        long result = memory_move_page(r->domain, place_of(r->domain, op->src_gfn), op->dst_gfn);

        if (result)
            return result;
        note_move(&r->domain->hvm->moving, op->src_gfn, op->dst_gfn);
        op->src_gfn++;
        op->dst_gfn++;
        if (--op->size % PAGES_PER_YIELD_CHECK == 0 && op->size && hypercall_should_yield())
            return -ERESTART;
    }
    r->domain->hvm->moved = r->domain->hvm->moving;
    return 0;
}

/* Guest RAM is cached whatever the guest says: no device reaches it but through us or the device model, which both see
 * what is in the cache. So there is nothing to pin. */
static long pin_cache_attribute(struct request *r)
{
    const struct xen_dm_op_pin_memory_cacheattr *op = ARGUMENT(r, pin_memory_cacheattr);

    switch (op->type) {
    case XEN_DMOP_MEM_CACHEATTR_UC:
    case XEN_DMOP_MEM_CACHEATTR_WC:
    case XEN_DMOP_MEM_CACHEATTR_WT:
    case XEN_DMOP_MEM_CACHEATTR_WP:
    case XEN_DMOP_MEM_CACHEATTR_WB:
    case XEN_DMOP_MEM_CACHEATTR_UCM:
    case XEN_DMOP_DELETE_MEM_CACHEATTR:
        return op->pad || op->start > op->end || op->end >= GFN_LIMIT ? -EINVAL : 0;
    }
    return -EINVAL;
}

/* ---- the end ---- */

static long remote_shutdown(struct request *r)
{
    if (ARGUMENT(r, remote_shutdown)->reason > MAX_SHUTDOWN_REASON)
        return -EINVAL;
    domain_shutdown(r->domain, ARGUMENT(r, remote_shutdown)->reason);
    return 0;
}

/* ---- dispatch ---- */

#define OPERATION(name, handler, answer)                                                                               \
    [XEN_DMOP_##name] = {handler, offsetof(struct xen_dm_op, u) + sizeof(((struct xen_dm_op *)0)->u.name),             \
                         POLICY_DEVICE_MODEL, answer}
static const struct operation operations[] = {
    OPERATION(create_ioreq_server, create_server, ANSWER_DONE),
    OPERATION(get_ioreq_server_info, server_info, ANSWER_DONE),
    OPERATION(map_io_range_to_ioreq_server, map_range, ANSWER_NONE),
    OPERATION(unmap_io_range_from_ioreq_server, unmap_range, ANSWER_NONE),
    OPERATION(set_ioreq_server_state, set_server_state, ANSWER_NONE),
    OPERATION(destroy_ioreq_server, destroy_server, ANSWER_NONE),
    OPERATION(track_dirty_vram, track_dirty, ANSWER_NONE),
    OPERATION(set_pci_intx_level, set_intx_level, ANSWER_NONE),
    OPERATION(set_isa_irq_level, set_isa_level, ANSWER_NONE),
    OPERATION(set_pci_link_route, set_link_route, ANSWER_NONE),
    OPERATION(modified_memory, modified_memory, ANSWER_DONE | ANSWER_FAILED | ANSWER_PROGRESS),
    OPERATION(set_mem_type, set_mem_type, ANSWER_PROGRESS),
    OPERATION(inject_event, inject_event, ANSWER_NONE),
    OPERATION(inject_msi, inject_msi, ANSWER_NONE),
    OPERATION(map_mem_type_to_ioreq_server, map_mem_type, ANSWER_NONE),
    OPERATION(remote_shutdown, remote_shutdown, ANSWER_NONE),
    OPERATION(relocate_memory, relocate_memory, ANSWER_PROGRESS),
    OPERATION(pin_memory_cacheattr, pin_cache_attribute, ANSWER_NONE),
    OPERATION(nr_vcpus, nr_vcpus, ANSWER_DONE),
};

/* The operation and its arguments: what the buffer has of them, which must be all that the operation needs. */
static long take_operation(struct dm_request *c, const struct operation **o)
{
    size_t size = min(c->buffer[0].size, sizeof(c->op));

    if (size < offsetof(struct xen_dm_op, u))
        return -EINVAL;
    if (copy_from_guest_va(&c->op, c->request.address, size))
        return -EFAULT;
    if (c->op.pad)
        return -EINVAL;
    if (operation_find(operations, ARRAY_SIZE(operations), c->op.op, o))
        return -EOPNOTSUPP;
    return size < (*o)->bytes ? -EINVAL : 0;
}

/* A device model acts on a living HVM guest that is not itself. */
static long check_target(const struct domain *d)
{
    long result = allowed_on(current->domain, POLICY_VERB_DEVICE_MODEL, d);

    if (result)
        return result;
    if (!is_hvm(d) || is_current_domain(d))
        return -EINVAL;
    return d->dying != DOMAIN_ALIVE ? -ESRCH : 0;
}

/* arg[0] domain, arg[1] number of buffers, arg[2] the array that describes them. */
long do_dm_op(struct hypercall *call)
{
    struct dm_request c = {.request = {.call = call, .argument = &c.op}, .buffers = (unsigned)call->arg[1]};
    const struct operation *o;
    struct domain *d;
    long result;

    if (call->arg[1] < 1 || call->arg[1] > MAX_BUFFERS)
        return call->arg[1] ? -E2BIG : -EINVAL;
    if (copy_from_guest_va(c.buffer, call->arg[2], c.buffers * sizeof(c.buffer[0])))
        return -EFAULT;
    c.request.address = guest_handle_address(c.buffer[0].h);
    c.request.domain = d = domain_get((domid_t)call->arg[0]);
    if (!d)
        return -ESRCH;
    result = check_target(d);
    if (!result)
        result = take_operation(&c, &o);
    if (!result)
        result = operation_run(o, &c.request);
    domain_put(d);
    return result;
}
