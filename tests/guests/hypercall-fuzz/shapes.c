/* The calls that both kinds of guests may make, well made: events, grants, memory, processors, and the rest. */
#define __XEN_TOOLS__ 1
#include "fuzz.h"
#include <xen/arch-x86/xen-mca.h>
#include <xen/hvm/dm_op.h>

void *begin(struct call *c, unsigned hypercall, int pointer, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        c->slot[i] = 0;
    c->hypercall = hypercall;
    c->pointer = pointer;
    c->bytes = bytes;
    for (unsigned i = 0; i < 5; i++)
        c->a[i] = (int)i == pointer ? (uint64_t)c->slot : 0;
    return c->slot;
}

uint64_t time_now(struct worker *w)
{
    struct vcpu_runstate_info info = {0};
    HYPERCALL(vcpu_op, VCPUOP_get_runstate_info, w->id, &info);
    return w->now = info.state_entry_time;
}

#define EVENT(operation, type, ...)                                                                                    \
    do {                                                                                                               \
        type *op_ = begin(c, __HYPERVISOR_event_channel_op, 1, sizeof(type));                                          \
        *op_ = (type){__VA_ARGS__};                                                                                    \
        c->a[0] = operation;                                                                                           \
    } while (0)

/* ---- Event channels ---- */
static void bind_something(struct worker *w, struct call *c)
{
    switch (below(w, 10)) {
    case 0 ... 2:
        EVENT(EVTCHNOP_alloc_unbound, struct evtchn_alloc_unbound, .dom = DOMID_SELF, .remote_dom = some_domain(w));
        return;
    case 3 ... 6:
        EVENT(EVTCHNOP_bind_interdomain, struct evtchn_bind_interdomain, .remote_dom = some_domain(w),
              .remote_port = some_port(w));
        return;
    case 7:
        EVENT(EVTCHNOP_bind_virq, struct evtchn_bind_virq, .virq = below(w, 14), .vcpu = below(w, WORKERS));
        return;
    case 8:
        EVENT(EVTCHNOP_bind_ipi, struct evtchn_bind_ipi, .vcpu = below(w, WORKERS));
        return;
    }
    EVENT(EVTCHNOP_bind_pirq, struct evtchn_bind_pirq, .pirq = below(w, 40), .flags = below(w, 2));
}

static void fifo_something(struct worker *w, struct call *c)
{
    switch (below(w, 40)) {
    case 0:
        EVENT(EVTCHNOP_reset, struct evtchn_reset, .dom = some_domain(w));
        return;
    case 1 ... 3:
        EVENT(EVTCHNOP_init_control, struct evtchn_init_control, .control_gfn = some_frame(w),
              .offset = below(w, 512) * 8, .vcpu = below(w, WORKERS));
        return;
    case 4 ... 8:
        EVENT(EVTCHNOP_expand_array, struct evtchn_expand_array, .array_gfn = some_frame(w));
        return;
    }
    EVENT(EVTCHNOP_set_priority, struct evtchn_set_priority, .port = some_port(w), .priority = below(w, 17));
}

static void use_port(struct worker *w, struct call *c)
{
    switch (below(w, 10)) {
    case 0 ... 4:
        EVENT(EVTCHNOP_send, struct evtchn_send, .port = some_port(w));
        return;
    case 5:
        EVENT(EVTCHNOP_close, struct evtchn_close, .port = some_port(w));
        return;
    case 6:
        EVENT(EVTCHNOP_unmask, struct evtchn_unmask, .port = some_port(w));
        return;
    case 7:
        EVENT(EVTCHNOP_bind_vcpu, struct evtchn_bind_vcpu, .port = some_port(w), .vcpu = below(w, WORKERS));
        return;
    case 8:
        EVENT(EVTCHNOP_status, struct evtchn_status, .dom = some_domain(w), .port = some_port(w));
        return;
    }
    fifo_something(w, c);
}

/* ---- Grants: handles are small numbers, so the other vcpus and what went before are met ---- */
static void *grant_call(struct worker *w, struct call *c, unsigned operation, unsigned size, unsigned *count)
{
    *count = 1 + (one_in(w, 4) ? below(w, 3) : 0);
    if (*count * size > SLOT_BYTES / 2)
        *count = 1;
    void *list = begin(c, __HYPERVISOR_grant_table_op, 1, *count * size);
    c->a[0] = operation;
    c->a[2] = *count;
    return list;
}

static uint32_t some_grant(struct worker *w)
{
    return one_in(w, 8) ? below(w, 40) : below(w, GRANTS);
}

static void map_grants(struct worker *w, struct call *c)
{
    static const unsigned flags[] = {GNTMAP_host_map,
                                     GNTMAP_host_map,
                                     GNTMAP_host_map | GNTMAP_readonly,
                                     GNTMAP_device_map | GNTMAP_host_map,
                                     GNTMAP_host_map | GNTMAP_application_map,
                                     GNTMAP_host_map | GNTMAP_contains_pte};
    unsigned count;
    struct gnttab_map_grant_ref *op =
        grant_call(w, c, GNTTABOP_map_grant_ref, sizeof(struct gnttab_map_grant_ref), &count);
    for (unsigned i = 0; i < count; i++)
        op[i] = (struct gnttab_map_grant_ref){.host_addr = some_address(w) & ~(PAGE - 1),
                                              .flags = flags[below(w, ARRAY_SIZE(flags))],
                                              .ref = some_grant(w),
                                              .dom = some_domain(w)};
}

static void unmap_grants(struct worker *w, struct call *c)
{
    unsigned count;
    struct gnttab_unmap_grant_ref *op =
        grant_call(w, c, GNTTABOP_unmap_grant_ref, sizeof(struct gnttab_unmap_grant_ref), &count);
    if (one_in(w, 16))
        c->a[0] = GNTTABOP_unmap_and_replace;
    for (unsigned i = 0; i < count; i++)
        op[i] = (struct gnttab_unmap_grant_ref){.host_addr = one_in(w, 3) ? 0 : some_address(w) & ~(PAGE - 1),
                                                .handle = below(w, 24)};
}

static void copy_grants(struct worker *w, struct call *c)
{
    unsigned count;
    struct gnttab_copy *op = grant_call(w, c, GNTTABOP_copy, sizeof(struct gnttab_copy), &count);
    for (unsigned i = 0; i < count; i++) {
        op[i] = (struct gnttab_copy){.len = (uint16_t)below(w, 600), .flags = (uint16_t)below(w, 4)};
        op[i].source.domid = some_domain(w);
        op[i].dest.domid = some_domain(w);
        op[i].source.offset = (uint16_t)below(w, 3600);
        op[i].dest.offset = (uint16_t)below(w, 3600);
        op[i].source.u.gmfn = op[i].flags & GNTCOPY_source_gref ? some_grant(w) : some_frame(w);
        op[i].dest.u.gmfn = op[i].flags & GNTCOPY_dest_gref ? some_grant(w) : some_frame(w);
    }
}

/* Setting another version changes all entries, so it is rare. */
static void ask_grants(struct worker *w, struct call *c)
{
    unsigned count;
    struct gnttab_setup_table *op = grant_call(w, c, GNTTABOP_setup_table, sizeof(struct gnttab_setup_table), &count);
    op->dom = some_domain(w);
    op->nr_frames = below(w, 5);
    op->frame_list.p = behind(c, 0);
    static const unsigned others[] = {GNTTABOP_query_size, GNTTABOP_get_version, GNTTABOP_transfer,
                                      GNTTABOP_cache_flush};
    unsigned which = below(w, 12);
    if (which == 0)
        c->a[0] = GNTTABOP_get_status_frames;
    else if (which < 1 + ARRAY_SIZE(others))
        c->a[0] = others[which - 1];
    else if (which == 6)
        *(struct gnttab_swap_grant_ref *)grant_call(w, c, GNTTABOP_swap_grant_ref, sizeof(struct gnttab_swap_grant_ref),
                                                    &count) =
            (struct gnttab_swap_grant_ref){.ref_a = some_grant(w), .ref_b = some_grant(w)};
    else if (which == 7 && one_in(w, 10))
        *(struct gnttab_set_version *)grant_call(w, c, GNTTABOP_set_version, sizeof(struct gnttab_set_version),
                                                 &count) = (struct gnttab_set_version){.version = 1 + below(w, 2)};
}

/* ---- Memory that both kinds have ---- */
static void *memory_call(struct call *c, unsigned operation, unsigned size)
{
    void *op = begin(c, __HYPERVISOR_memory_op, 1, size);
    c->a[0] = operation;
    return op;
}

static void ask_memory(struct worker *w, struct call *c)
{
    static const unsigned by_domain[] = {XENMEM_current_reservation, XENMEM_maximum_reservation, XENMEM_maximum_gpfn};
    static const unsigned rest[] = {
        XENMEM_maximum_ram_page, XENMEM_machphys_mapping, XENMEM_claim_pages, XENMEM_get_sharing_freed_pages,
        XENMEM_set_pod_target,   XENMEM_get_pod_target,   XENMEM_paging_op,   XENMEM_access_op,
        XENMEM_sharing_op,       XENMEM_set_memory_map};
    struct xen_memory_map *map;
    struct xen_mem_acquire_resource *resource;
    switch (below(w, 5)) {
    case 0:
        *(domid_t *)memory_call(c, by_domain[below(w, ARRAY_SIZE(by_domain))], 8) = some_domain(w);
        return;
    case 1:
        map = memory_call(c, one_in(w, 2) ? XENMEM_memory_map : XENMEM_machine_memory_map, sizeof(*map));
        map->nr_entries = below(w, 8);
        map->buffer.p = behind(c, 0);
        return;
    case 2:
        resource = memory_call(c, XENMEM_acquire_resource, sizeof(*resource));
        resource->domid = some_domain(w);
        resource->type = below(w, 4);
        resource->nr_frames = below(w, 4);
        resource->frame_list.p = behind(c, 0);
        return;
    case 3:
        map = memory_call(c, XENMEM_machphys_mfn_list, sizeof(*map));
        map->nr_entries = below(w, 8);
        map->buffer.p = behind(c, 0);
        return;
    }
    *(domid_t *)memory_call(c, rest[below(w, ARRAY_SIZE(rest))], 64) = some_domain(w);
}

/* ---- Processors and scheduling ---- */
static void schedule(struct worker *w, struct call *c)
{
    struct sched_poll *poll = begin(c, __HYPERVISOR_sched_op, 1, sizeof(*poll));
    evtchn_port_t *ports = behind(c, 0);
    c->a[0] = SCHEDOP_yield;
    switch (below(w, 4)) {
    case 0:
        poll = begin(c, __HYPERVISOR_sched_op, 1, sizeof(*poll));
        for (unsigned i = 0; i < 8; i++)
            ports[i] = some_port(w);
        poll->ports.p = ports;
        poll->nr_ports = below(w, 9);
        poll->timeout = time_now(w) + 50000 * below(w, 8);
        c->a[0] = SCHEDOP_poll;
        return;
    case 1:
        *(struct sched_watchdog *)begin(c, __HYPERVISOR_sched_op, 1, sizeof(struct sched_watchdog)) =
            (struct sched_watchdog){.id = below(w, 4), .timeout = below(w, 2) << 20};
        c->a[0] = SCHEDOP_watchdog;
        return;
    case 2:
        *(struct sched_remote_shutdown *)begin(c, __HYPERVISOR_sched_op, 1, sizeof(struct sched_remote_shutdown)) =
            (struct sched_remote_shutdown){.domain_id = some_domain(w), .reason = below(w, 6)};
        c->a[0] = SCHEDOP_remote_shutdown;
    }
}

static void *vcpu_call(struct worker *w, struct call *c, unsigned operation, unsigned size)
{
    void *op = begin(c, __HYPERVISOR_vcpu_op, 2, size);
    c->a[0] = operation;
    c->a[1] = below(w, WORKERS);
    return op;
}

static void drive_vcpu(struct worker *w, struct call *c)
{
    static const unsigned plain[] = {VCPUOP_up,
                                     VCPUOP_up,
                                     VCPUOP_down,
                                     VCPUOP_is_up,
                                     VCPUOP_send_nmi,
                                     VCPUOP_stop_periodic_timer,
                                     VCPUOP_stop_singleshot_timer,
                                     VCPUOP_get_physid,
                                     VCPUOP_get_runstate_info,
                                     VCPUOP_initialise};
    struct vcpu_register_vcpu_info *info;
    switch (below(w, 6)) {
    case 0:
        ((struct vcpu_register_runstate_memory_area *)vcpu_call(w, c, VCPUOP_register_runstate_memory_area, 8))
            ->addr.p = some_address(w);
        if (one_in(w, 2))
            c->a[0] = VCPUOP_register_vcpu_time_memory_area;
        return;
    case 1:
        info = vcpu_call(w, c, VCPUOP_register_vcpu_info, sizeof(*info));
        info->mfn = some_frame(w);
        info->offset = 64 * below(w, 64);
        return;
    case 2:
        ((struct vcpu_set_periodic_timer *)vcpu_call(w, c, VCPUOP_set_periodic_timer, 8))->period_ns =
            500000 * (1 + below(w, 100));
        return;
    case 3:
        *(struct vcpu_set_singleshot_timer *)vcpu_call(w, c, VCPUOP_set_singleshot_timer,
                                                       sizeof(struct vcpu_set_singleshot_timer)) =
            (struct vcpu_set_singleshot_timer){.timeout_abs_ns = time_now(w) + 100000 * below(w, 10),
                                               .flags = below(w, 2)};
        c->a[1] = w->id;
        return;
    }
    vcpu_call(w, c, plain[below(w, ARRAY_SIZE(plain))], 256);
}

/* ---- The rest ---- */
static void hvm_call(struct worker *w, struct call *c)
{
    static const unsigned operations[] = {HVMOP_set_param,
                                          HVMOP_get_param,
                                          HVMOP_get_param,
                                          HVMOP_flush_tlbs,
                                          HVMOP_get_time,
                                          HVMOP_get_mem_type,
                                          HVMOP_pagetable_dying,
                                          HVMOP_guest_request_vm_event,
                                          HVMOP_set_evtchn_upcall_vector,
                                          HVMOP_altp2m};
    struct xen_hvm_param *parameter = begin(c, __HYPERVISOR_hvm_op, 1, sizeof(*parameter));
    parameter->domid = some_domain(w);
    parameter->index = below(w, HVM_NR_PARAMS + 2);
    parameter->value = odd_number(w);
    c->a[0] = operations[below(w, ARRAY_SIZE(operations))];
}

static void toolstack_call(struct worker *w, struct call *c)
{
    static const struct {
        unsigned hypercall, version, last;
    } families[] = {
        {__HYPERVISOR_domctl, 0x15, 90},   {__HYPERVISOR_sysctl, 0x15, 32}, {__HYPERVISOR_platform_op, 0x03000000, 70},
        {__HYPERVISOR_mca, 0x03000000, 8}, {__HYPERVISOR_dm_op, 0, 24},     {__HYPERVISOR_xsm_op, 1, 28}};
    unsigned which = below(w, ARRAY_SIZE(families));
    uint32_t *op = begin(c, families[which].hypercall, 0, 128);
    op[0] = below(w, families[which].last);
    op[1] = families[which].version;
    op[2] = some_domain(w);
    if (families[which].hypercall != __HYPERVISOR_dm_op)
        return;
    struct xen_dm_op_buf *buffer = behind(c, 0);
    *buffer = (struct xen_dm_op_buf){.h.p = op, .size = 64};
    c->pointer = 2;
    c->a[0] = some_domain(w), c->a[1] = 1, c->a[2] = (uint64_t)buffer;
}

static void small_call(struct worker *w, struct call *c)
{
    static const unsigned simple[] = {__HYPERVISOR_vm_assist,   __HYPERVISOR_xenpmu_op,   __HYPERVISOR_console_io,
                                      __HYPERVISOR_xen_version, __HYPERVISOR_xen_version, __HYPERVISOR_physdev_op};
    unsigned hypercall = simple[below(w, ARRAY_SIZE(simple))];
    uint32_t *op = begin(c, hypercall, 1, 64);
    c->a[0] = below(w, hypercall == __HYPERVISOR_physdev_op ? 36 : 12);
    op[0] = some_domain(w);
    op[1] = below(w, 64);
    if (hypercall == __HYPERVISOR_vm_assist)
        c->a[0] = below(w, 2), c->a[1] = below(w, 40);
    if (hypercall != __HYPERVISOR_console_io)
        return;
    c->a[0] = below(w, 2), c->a[1] = below(w, 64), c->a[2] = (uint64_t)op, c->pointer = 2;
}

static void set_timer(struct worker *w, struct call *c)
{
    begin(c, __HYPERVISOR_set_timer_op, -1, 0);
    c->a[0] = one_in(w, 4) ? 0 : time_now(w) + 50000 * below(w, 20);
}

const struct weighted_shape common_shapes[] = {
    {bind_something, 12}, {use_port, 20},  {map_grants, 14}, {unmap_grants, 12},  {copy_grants, 8},
    {ask_grants, 6},      {ask_memory, 3}, {schedule, 4},    {drive_vcpu, 8},     {hvm_call, 4},
    {toolstack_call, 2},  {small_call, 5}, {set_timer, 2},   {make_multicall, 6}, {NULL, 0},
};
