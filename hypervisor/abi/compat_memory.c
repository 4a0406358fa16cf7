/*
 * memory_op of 32-bit code: those commands that an HVM guest makes about itself.
 */
#include "compat_abi.h"
#include <hv/abi_internal.h>
#include <hv/guest_copy.h>
#include <xen/memory.h>
#include <xen/physdev.h>

/* Frame numbers are widened this many at a time. */
#define BATCH 64

struct batch {
    struct xen_memory_reservation *reservation;
    uint64_t reservation_address;
    uint64_t *frames;
    uint64_t frames_address;
};

/* Serves `count` extents from the start-th on. How many were served; -ERESTART with *done of them, or -errno. */
static long serve_batch(struct batch *b, unsigned command, unsigned long list, unsigned count, unsigned *done)
{
    uint32_t frames[BATCH];
    struct hypercall inner = {.number = __HYPERVISOR_memory_op, .arg = {command, b->reservation_address}};
    if (copy_from_guest_va(frames, list, count * sizeof(*frames)))
        return -EFAULT;
    for (unsigned i = 0; i < count; i++)
        b->frames[i] = frames[i];
    b->reservation->nr_extents = count;
    long result = do_memory_op(&inner);
    *done = (unsigned)(inner.arg[0] >> MEMOP_COMMAND_BITS);
    return result;
}

static long serve_extents(struct hypercall *call, struct batch *b, const struct compat_memory_reservation *from,
                          unsigned command, uint32_t start)
{
    while (start < from->nr_extents) {
        unsigned count = min(from->nr_extents - start, (uint32_t)BATCH), done = 0;
        unsigned long list = from->extent_start + (unsigned long)start * sizeof(uint32_t);
        long result = serve_batch(b, command, list, count, &done);
        if (result == -ERESTART)
            start += done;
        else if (result < 0)
            return start ? start : result;
        else
            start += (uint32_t)result;
        if (result >= 0 && result < count)
            return start;
        if (result == -ERESTART || (start < from->nr_extents && hypercall_should_yield())) {
            call->arg[0] = command | (uint64_t)start << MEMOP_COMMAND_BITS;
            return -ERESTART;
        }
    }
    return start;
}

/* Populate and decrease: the list is read only, for a guest's frame numbers are its own choice. */
static long compat_reservation(struct hypercall *call, struct compat_area *area)
{
    unsigned command = call->arg[0] & MEMOP_COMMAND_MASK;
    uint32_t start = (uint32_t)call->arg[0] >> MEMOP_COMMAND_BITS;
    struct compat_memory_reservation from;
    struct batch b;
    if (copy_argument_in(&from, call->arg[1]))
        return -EFAULT;
    if (from.nr_extents > UINT32_MAX >> MEMOP_COMMAND_BITS)
        return start;
    b.reservation = compat_reserve(area, sizeof(*b.reservation), &b.reservation_address);
    b.frames = compat_reserve(area, BATCH * sizeof(*b.frames), &b.frames_address);
    b.reservation->extent_start.p = (xen_pfn_t *)b.frames_address;
    b.reservation->extent_order = from.extent_order;
    b.reservation->mem_flags = from.mem_flags;
    b.reservation->domid = from.domid;
    return serve_extents(call, &b, &from, command, start);
}

/* A range goes on, when it is interrupted, from what has been written into the structure. */
static long compat_add_to_physmap(struct hypercall *call, struct compat_area *area)
{
    struct hypercall inner = *call;
    struct compat_add_to_physmap from;
    if (copy_argument_in(&from, call->arg[1]))
        return -EFAULT;
    struct xen_add_to_physmap *to = compat_reserve(area, sizeof(*to), &inner.arg[1]);
    *to = (struct xen_add_to_physmap){
        .domid = from.domid, .size = from.size, .space = from.space, .idx = from.idx, .gpfn = from.gpfn};
    long result = do_memory_op(&inner);
    call->arg[0] = inner.arg[0];
    if (to->size != from.size) {
        from.size = to->size;
        from.idx = (uint32_t)to->idx;
        from.gpfn = (uint32_t)to->gpfn;
        if (copy_argument_out(call->arg[1], &from))
            result = -EFAULT;
    }
    return result;
}

static long compat_remove_from_physmap(struct hypercall *call, struct compat_area *area)
{
    struct hypercall inner = *call;
    struct compat_remove_from_physmap from;
    if (copy_argument_in(&from, call->arg[1]))
        return -EFAULT;
    struct xen_remove_from_physmap *to = compat_reserve(area, sizeof(*to), &inner.arg[1]);
    to->domid = from.domid;
    to->gpfn = from.gpfn;
    return do_memory_op(&inner);
}

static long compat_memory_map(struct hypercall *call, struct compat_area *area)
{
    struct hypercall inner = *call;
    struct compat_memory_map from;
    if (copy_argument_in(&from, call->arg[1]))
        return -EFAULT;
    struct xen_memory_map *to = compat_reserve(area, sizeof(*to), &inner.arg[1]);
    to->nr_entries = from.nr_entries;
    to->buffer.p = (void *)(unsigned long)from.buffer;
    long result = do_memory_op(&inner);
    from.nr_entries = to->nr_entries;
    return copy_argument_out(call->arg[1], &from) ? -EFAULT : result;
}

static long compat_reserved_device_memory(struct hypercall *call, struct compat_area *area)
{
    struct hypercall inner = *call;
    struct compat_reserved_device_memory_map from;
    if (copy_argument_in(&from, call->arg[1]))
        return -EFAULT;
    struct xen_reserved_device_memory_map *to = compat_reserve(area, sizeof(*to), &inner.arg[1]);
    to->flags = from.flags;
    to->nr_entries = from.nr_entries;
    to->buffer.p = (void *)(unsigned long)from.buffer;
    memcpy(&to->dev, &from.dev, sizeof(from.dev));
    long result = do_memory_op(&inner);
    from.nr_entries = to->nr_entries;
    return copy_argument_out(call->arg[1], &from) ? -EFAULT : result;
}

static long same(struct hypercall *call, struct compat_area *area)
{
    return do_memory_op(call);
}

static long (*const commands[])(struct hypercall *call, struct compat_area *area) = {
    [XENMEM_decrease_reservation] = compat_reservation,
    [XENMEM_maximum_ram_page] = same,
    [XENMEM_current_reservation] = same,
    [XENMEM_maximum_reservation] = same,
    [XENMEM_populate_physmap] = compat_reservation,
    [XENMEM_add_to_physmap] = compat_add_to_physmap,
    [XENMEM_memory_map] = compat_memory_map,
    [XENMEM_maximum_gpfn] = same,
    [XENMEM_remove_from_physmap] = compat_remove_from_physmap,
    [XENMEM_get_vnumainfo] = same, /* refused without a look at the argument */
    [XENMEM_reserved_device_memory_map] = compat_reserved_device_memory,
};

long compat_memory_op(struct hypercall *call, struct compat_area *area)
{
    unsigned command = call->arg[0] & MEMOP_COMMAND_MASK;
    if (command >= ARRAY_SIZE(commands) || !commands[command])
        return -ENOSYS;
    return commands[command](call, area);
}
