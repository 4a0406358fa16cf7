/*
 * Hypercalls of 32-bit code in HVM guests: firmware before an operating system runs, and 32-bit systems. What has the
 * same layout in both modes goes straight to its handler; the rest is rewritten.
 */
#include "compat_abi.h"
#include <hv/abi_internal.h>
#include <hv/compat.h>
#include <hv/console.h>
#include <hv/event_channel.h>
#include <hv/guest_copy.h>
#include <hv/time.h>
#include <xen/grant_table.h>
#include <xen/physdev.h>
#include <xen/sched.h>
#include <xen/version.h>

/* ---- Rewritten arguments ---- */

static struct compat_area *active[NR_CPUS];

void *compat_reserve(struct compat_area *area, size_t bytes, uint64_t *address)
{
    unsigned at = area->used;
    ASSERT(bytes <= sizeof(area->words) - at);
    area->used += (unsigned)((bytes + 7) & ~7UL);
    *address = COMPAT_ARGUMENT_VA + at;
    return memset((uint8_t *)area->words + at, 0, bytes);
}

static uint8_t *argument_at(unsigned long address, size_t bytes)
{
    struct compat_area *area = active[smp_processor_id()];
    unsigned long at = address - COMPAT_ARGUMENT_VA;
    if (!area || at > area->used || bytes > area->used - at)
        return NULL;
    return (uint8_t *)area->words + at;
}

int compat_copy_from(void *to, unsigned long address, size_t bytes)
{
    const uint8_t *from = argument_at(address, bytes);
    if (!from)
        return -EFAULT;
    memcpy(to, from, bytes);
    return 0;
}

int compat_copy_to(unsigned long address, const void *from, size_t bytes)
{
    uint8_t *to = argument_at(address, bytes);
    if (!to)
        return -EFAULT;
    memcpy(to, from, bytes);
    return 0;
}

/* ---- Layout of what is shared ---- */

void compat_latch_layout(struct vcpu *v)
{
    struct domain *d = v->domain;
    bool compat = hvm_code_bytes(v) != 8;
    if (d->hvm->shared_info_32 == compat)
        return;
    d->hvm->shared_info_32 = compat;
    event_channels_layout_changed(d);
    domain_update_wallclock(d);
}

/* ---- One function per hypercall ---- */

static long same_event_channel_op(struct hypercall *call, struct compat_area *area)
{
    return do_event_channel_op(call);
}

static long same_hvm_op(struct hypercall *call, struct compat_area *area)
{
    return do_hvm_op(call);
}

static long same_vm_assist(struct hypercall *call, struct compat_area *area)
{
    return do_vm_assist(call);
}

static long same_console_io(struct hypercall *call, struct compat_area *area)
{
    return do_console_io(call);
}

/* A 64-bit number in two registers. */
static long compat_set_timer_op(struct hypercall *call, struct compat_area *area)
{
    struct hypercall inner = {.number = call->number, .arg = {(uint32_t)call->arg[0] | call->arg[1] << 32}};
    return do_set_timer_op(&inner);
}

/* Where 32-bit PV kernels find us; HVM guests are told the same. */
#define COMPAT_HYPERVISOR_START 0xf5800000U

static long compat_xen_version(struct hypercall *call, struct compat_area *area)
{
    const uint32_t start = COMPAT_HYPERVISOR_START;
    if ((uint32_t)call->arg[0] != XENVER_platform_parameters)
        return do_xen_version(call);
    return copy_to_guest_va(call->arg[1], &start, sizeof(start));
}

static long compat_sched_op(struct hypercall *call, struct compat_area *area)
{
    struct compat_sched_poll from;
    if ((uint32_t)call->arg[0] == SCHEDOP_pin_override)
        return -ENOSYS;
    if ((uint32_t)call->arg[0] != SCHEDOP_poll)
        return do_sched_op(call);
    if (copy_argument_in(&from, call->arg[1]))
        return -EFAULT;
    struct hypercall inner = *call;
    struct sched_poll *to = compat_reserve(area, sizeof(*to), &inner.arg[1]);
    to->ports.p = (evtchn_port_t *)(unsigned long)from.ports;
    to->nr_ports = from.nr_ports;
    to->timeout = from.timeout;
    return do_sched_op(&inner);
}

static long compat_singleshot(struct hypercall *call, struct compat_area *area)
{
    struct compat_singleshot_timer from;
    if (copy_argument_in(&from, call->arg[2]))
        return -EFAULT;
    struct hypercall inner = *call;
    struct vcpu_set_singleshot_timer *to = compat_reserve(area, sizeof(*to), &inner.arg[2]);
    to->timeout_abs_ns = from.timeout_abs_ns;
    to->flags = from.flags;
    return do_vcpu_op(&inner);
}

static long compat_get_runstate(struct hypercall *call, struct compat_area *area)
{
    struct hypercall inner = *call;
    struct vcpu_runstate_info *from = compat_reserve(area, sizeof(*from), &inner.arg[2]);
    long result = do_vcpu_op(&inner);
    if (result)
        return result;
    struct compat_runstate_info to = {.state = from->state, .state_entry_time = from->state_entry_time};
    memcpy(to.time, from->time, sizeof(to.time));
    return copy_argument_out(call->arg[2], &to);
}

static long compat_vcpu_op(struct hypercall *call, struct compat_area *area)
{
    switch ((uint32_t)call->arg[0]) {
    case VCPUOP_initialise: /* 32-bit systems start their processors by INIT and SIPI */
    case VCPUOP_get_physid:
        return -ENOSYS;
    case VCPUOP_set_singleshot_timer:
        return compat_singleshot(call, area);
    case VCPUOP_get_runstate_info:
        return compat_get_runstate(call, area);
    }
    return do_vcpu_op(call);
}

/* One at a time: few guests of this kind copy much. */
static long compat_grant_copy(struct hypercall *call, struct compat_area *area)
{
    uint64_t *left = &call->arg[2];
    struct hypercall inner = {.number = call->number, .arg = {GNTTABOP_copy, 0, 1}};
    struct gnttab_copy *to = compat_reserve(area, sizeof(*to), &inner.arg[1]);
    const uint64_t address = inner.arg[1];
    struct compat_gnttab_copy from;
    for (*left = (uint32_t)*left; *left; --*left, call->arg[1] += sizeof(from)) {
        if (copy_argument_in(&from, call->arg[1]))
            return -EFAULT;
        to->source.u.gmfn = from.source.ref_or_gmfn;
        to->source.domid = from.source.domid;
        to->source.offset = from.source.offset;
        to->dest.u.gmfn = from.dest.ref_or_gmfn;
        to->dest.domid = from.dest.domid;
        to->dest.offset = from.dest.offset;
        to->len = from.len;
        to->flags = from.flags;
        inner.arg[1] = address;
        inner.arg[2] = 1;
        long result = do_grant_table_op(&inner);
        if (result)
            return result;
        from.status = to->status;
        if (copy_argument_out(call->arg[1], &from))
            return -EFAULT;
        if (*left > 1 && hypercall_should_yield()) {
            --*left;
            call->arg[1] += sizeof(from);
            return -ERESTART;
        }
    }
    return 0;
}

/* Lists of frames are for PV guests: an HVM one maps its grant table by XENMEM_add_to_physmap. */
static long compat_grant_table_op(struct hypercall *call, struct compat_area *area)
{
    switch ((uint32_t)call->arg[0]) {
    case GNTTABOP_map_grant_ref:
    case GNTTABOP_unmap_grant_ref:
    case GNTTABOP_query_size:
    case GNTTABOP_set_version:
    case GNTTABOP_get_version:
    case GNTTABOP_swap_grant_ref:
        return do_grant_table_op(call);
    case GNTTABOP_copy:
        return compat_grant_copy(call, area);
    }
    return -ENOSYS;
}

static long compat_map_pirq(struct hypercall *call, struct compat_area *area)
{
    struct compat_physdev_map_pirq from;
    if (copy_argument_in(&from, call->arg[1]))
        return -EFAULT;
    struct hypercall inner = *call;
    struct physdev_map_pirq *to = compat_reserve(area, sizeof(*to), &inner.arg[1]);
    *to = (struct physdev_map_pirq){from.domid, from.type,  from.index,    from.pirq,
                                    from.bus,   from.devfn, from.entry_nr, from.table_base};
    long result = do_physdev_op(&inner);
    from.pirq = to->pirq;
    from.entry_nr = to->entry_nr;
    if (!result && copy_argument_out(call->arg[1], &from))
        result = -EFAULT;
    return result;
}

static long compat_physdev_op(struct hypercall *call, struct compat_area *area)
{
    switch ((uint32_t)call->arg[0]) {
    case PHYSDEVOP_map_pirq:
        return compat_map_pirq(call, area);
    case PHYSDEVOP_unmap_pirq:
    case PHYSDEVOP_eoi:
    case PHYSDEVOP_irq_status_query:
    case PHYSDEVOP_get_free_pirq:
        return do_physdev_op(call);
    }
    return -ENOSYS;
}

static long (*const table[])(struct hypercall *call, struct compat_area *area) = {
    [__HYPERVISOR_memory_op] = compat_memory_op,
    [__HYPERVISOR_set_timer_op] = compat_set_timer_op,
    [__HYPERVISOR_xen_version] = compat_xen_version,
    [__HYPERVISOR_console_io] = same_console_io,
    [__HYPERVISOR_grant_table_op] = compat_grant_table_op,
    [__HYPERVISOR_vm_assist] = same_vm_assist,
    [__HYPERVISOR_vcpu_op] = compat_vcpu_op,
    [__HYPERVISOR_sched_op] = compat_sched_op,
    [__HYPERVISOR_event_channel_op] = same_event_channel_op,
    [__HYPERVISOR_physdev_op] = compat_physdev_op,
    [__HYPERVISOR_hvm_op] = same_hvm_op,
};

long compat_hypercall(struct hypercall *call)
{
    if (call->number >= ARRAY_SIZE(table) || !table[call->number])
        return -ENOSYS;
    struct compat_area area __uninitialized;
    area.used = 0;
    active[smp_processor_id()] = &area;
    long result = table[call->number](call, &area);
    active[smp_processor_id()] = NULL;
    return result;
}
