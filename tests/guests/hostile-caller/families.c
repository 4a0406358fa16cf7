/* The families and their operations. Source: the public headers in /usr/include/xen; numbers without a row are tried
 * too. */
#define __XEN_TOOLS__ 1
#include "caller.h"
#include <xen/arch-x86/xen-mca.h>
#include <xen/domctl.h>
#include <xen/hvm/dm_op.h>
#include <xen/platform.h>
#include <xen/pmu.h>
#include <xen/sysctl.h>
#include <xen/xsm/flask_op.h>

/* A frame that is nobody's to use, and a guest frame that a small guest does not have. */
#define NO_GFN 0xfffffUL

static uint64_t frames[8];
static int errors[8];

#define SET(function, type, ...)                                                                                       \
    static void function(void *argument)                                                                               \
    {                                                                                                                  \
        type *p = argument;                                                                                            \
        *p = (type){__VA_ARGS__};                                                                                      \
    }

SET(fill_reservation, struct xen_memory_reservation, .extent_start.p = frames, .nr_extents = 1)
SET(fill_exchange, struct xen_memory_exchange, .in = {.extent_start.p = frames, .nr_extents = 1},
    .out = {.extent_start.p = frames, .nr_extents = 1})
SET(fill_physmap, struct xen_add_to_physmap, .space = XENMAPSPACE_shared_info, .gpfn = NO_GFN)
SET(fill_batch, struct xen_add_to_physmap_batch, .space = XENMAPSPACE_gmfn_foreign, .size = 1, .idxs.p = frames,
    .gpfns.p = frames, .errs.p = errors)
SET(fill_remove, struct xen_remove_from_physmap, .gpfn = NO_GFN)
SET(fill_resource, struct xen_mem_acquire_resource, .type = XENMEM_resource_grant_table, .nr_frames = 1,
    .frame_list.p = frames)
SET(fill_frames, struct gnttab_setup_table, .nr_frames = 1, .frame_list.p = frames)
SET(fill_map, struct gnttab_map_grant_ref, .host_addr = 0x200000, .flags = GNTMAP_host_map, .ref = 1)
SET(fill_unmap, struct gnttab_unmap_grant_ref, .host_addr = 0x200000, .handle = 77)
SET(fill_copy, struct gnttab_copy, .flags = GNTCOPY_source_gref, .len = 8, .source.u.ref = 1,
    .dest = {.domid = DOMID_SELF, .u.gmfn = NO_GFN})
SET(fill_version, struct gnttab_set_version, .version = 1)
SET(fill_poll, struct sched_poll, .timeout = 1)
SET(fill_watchdog, struct sched_watchdog, .timeout = 30000)
SET(fill_interdomain, struct evtchn_bind_interdomain, .remote_port = 1)
SET(fill_unbound, struct evtchn_alloc_unbound, .remote_dom = DOMID_SELF)
SET(fill_status, struct evtchn_status, .port = 1)
SET(fill_virq, struct evtchn_bind_virq, .virq = VIRQ_DOM_EXC)
SET(fill_port, struct evtchn_close, .port = 1000)
SET(fill_map_pirq, struct physdev_map_pirq, .type = MAP_PIRQ_TYPE_GSI, .index = 20, .pirq = -1)
SET(fill_unmap_pirq, struct physdev_unmap_pirq, .pirq = 20)
SET(fill_altp2m, struct xen_hvm_altp2m_op, .version = HVMOP_ALTP2M_INTERFACE_VERSION,
    .cmd = HVMOP_altp2m_get_domain_state)

#define AT(type, field) ((int)offsetof(type, field))
#define ROW(prefix, field_at, result_at, row, filler, ...)                                                             \
    {                                                                                                                  \
        .name = #row, .op = prefix##row, .domain_at = field_at, .status_at = result_at, .fill = filler, ##__VA_ARGS__  \
    }
#define PLAIN(prefix, row, ...)           ROW(prefix, -1, -1, row, __VA_ARGS__)
#define ON(prefix, row, type, field, ...) ROW(prefix, AT(type, field), -1, row, __VA_ARGS__)
#define GRANT(row, type, field, ...)      ROW(GNTTABOP_, AT(type, field), AT(type, status), row, __VA_ARGS__)
#define HANDLE(row, type, ...)            ROW(GNTTABOP_, -1, AT(type, status), row, __VA_ARGS__)

static const struct operation memory[] = {
    ON(XENMEM_, increase_reservation, struct xen_memory_reservation, domid, fill_reservation),
    ON(XENMEM_, decrease_reservation, struct xen_memory_reservation, domid, fill_reservation, .care = SPARE_SELF),
    ON(XENMEM_, populate_physmap, struct xen_memory_reservation, domid, fill_reservation, .care = SPARE_SELF),
    ON(XENMEM_, exchange, struct xen_memory_exchange, in.domid, fill_exchange, .care = SPARE_SELF),
    ON(XENMEM_, claim_pages, struct xen_memory_reservation, domid, fill_reservation),
    ON(XENMEM_, add_to_physmap, struct xen_add_to_physmap, domid, fill_physmap),
    ON(XENMEM_, add_to_physmap_batch, struct xen_add_to_physmap_batch, domid, fill_batch),
    ON(XENMEM_, remove_from_physmap, struct xen_remove_from_physmap, domid, fill_remove),
    ON(XENMEM_, set_memory_map, struct xen_foreign_memory_map, domid, NULL),
    ON(XENMEM_, set_pod_target, struct xen_pod_target, domid, NULL),
    ON(XENMEM_, get_pod_target, struct xen_pod_target, domid, NULL),
    ON(XENMEM_, paging_op, struct xen_mem_paging_op, domain, NULL),
    ON(XENMEM_, access_op, struct xen_mem_access_op, domid, NULL),
    ON(XENMEM_, sharing_op, struct xen_mem_sharing_op, domain, NULL),
    ON(XENMEM_, get_vnumainfo, struct xen_vnuma_topology_info, domid, NULL),
    ON(XENMEM_, acquire_resource, struct xen_mem_acquire_resource, domid, fill_resource),
};

static const struct operation grants[] = {
    GRANT(map_grant_ref, struct gnttab_map_grant_ref, dom, fill_map),
    HANDLE(unmap_grant_ref, struct gnttab_unmap_grant_ref, fill_unmap),
    GRANT(setup_table, struct gnttab_setup_table, dom, fill_frames),
    GRANT(dump_table, struct gnttab_dump_table, dom, NULL),
    GRANT(transfer, struct gnttab_transfer, domid, NULL),
    GRANT(copy, struct gnttab_copy, source.domid, fill_copy),
    GRANT(query_size, struct gnttab_query_size, dom, NULL),
    HANDLE(unmap_and_replace, struct gnttab_unmap_and_replace, NULL),
    PLAIN(GNTTABOP_, set_version, fill_version),
    GRANT(get_status_frames, struct gnttab_get_status_frames, dom, NULL),
    ON(GNTTABOP_, get_version, struct gnttab_get_version, dom, NULL),
};

static const struct operation events[] = {
    ON(EVTCHNOP_, bind_interdomain, struct evtchn_bind_interdomain, remote_dom, fill_interdomain),
    PLAIN(EVTCHNOP_, bind_virq, fill_virq),
    PLAIN(EVTCHNOP_, close, fill_port),
    PLAIN(EVTCHNOP_, send, fill_port),
    ON(EVTCHNOP_, status, struct evtchn_status, dom, fill_status),
    ON(EVTCHNOP_, alloc_unbound, struct evtchn_alloc_unbound, dom, fill_unbound),
    ON(EVTCHNOP_, reset, struct evtchn_reset, dom, NULL, .care = SPARE_SELF),
    PLAIN(EVTCHNOP_, init_control, NULL, .care = SPARE_SELF),
};

static const struct operation sched[] = {
    PLAIN(SCHEDOP_, block, NULL, .care = SPARE),
    PLAIN(SCHEDOP_, shutdown, NULL, .care = SPARE_SELF),
    PLAIN(SCHEDOP_, poll, fill_poll),
    PLAIN(SCHEDOP_, watchdog, fill_watchdog),
    ON(SCHEDOP_, remote_shutdown, struct sched_remote_shutdown, domain_id, NULL),
    PLAIN(SCHEDOP_, shutdown_code, NULL, .care = SPARE_SELF),
};

static const struct operation physdev[] = {
    ON(PHYSDEVOP_, map_pirq, struct physdev_map_pirq, domid, fill_map_pirq),
    ON(PHYSDEVOP_, unmap_pirq, struct physdev_unmap_pirq, domid, fill_unmap_pirq),
};

static const struct operation hvm[] = {
    ON(HVMOP_, set_param, struct xen_hvm_param, domid, NULL, .care = SPARE_SELF),
    ON(HVMOP_, get_param, struct xen_hvm_param, domid, NULL),
    ON(HVMOP_, pagetable_dying, struct xen_hvm_pagetable_dying, domid, NULL),
    ON(HVMOP_, get_mem_type, struct xen_hvm_get_mem_type, domid, NULL),
    ON(HVMOP_, altp2m, struct xen_hvm_altp2m_op, domain, fill_altp2m),
};

static const struct operation callbacks[] = {PLAIN(CALLBACKOP_, register, NULL, .care = SPARE_SELF)};
static const struct operation vcpus[] = {PLAIN(VCPUOP_, up, NULL, .care = SPARE),
                                         PLAIN(VCPUOP_, register_vcpu_info, NULL, .care = SPARE_SELF)};

#define ROWS(table) table, ARRAY_SIZE(table)
const struct family families[] = {
    {"xen_version", __HYPERVISOR_xen_version, 12, OP_ARG, 0, -1, NULL, 0},
    {"console_io", __HYPERVISOR_console_io, 3, OP_0_ARG, 0, -1, NULL, 0},
    {"memory_op", __HYPERVISOR_memory_op, 34, OP_ARG, 0, -1, ROWS(memory)},
    {"grant_table_op", __HYPERVISOR_grant_table_op, 16, OP_ARG_1, 0, -1, ROWS(grants)},
    {"event_channel_op", __HYPERVISOR_event_channel_op, 18, OP_ARG, 0, -1, ROWS(events)},
    {"sched_op", __HYPERVISOR_sched_op, 12, OP_ARG, 0, -1, ROWS(sched)},
    {"vcpu_op", __HYPERVISOR_vcpu_op, 18, OP_ARG_1, 0, -1, ROWS(vcpus)},
    {"physdev_op", __HYPERVISOR_physdev_op, 36, OP_ARG, 0, -1, ROWS(physdev)},
    {"hvm_op", __HYPERVISOR_hvm_op, 30, OP_ARG, 0, 0, ROWS(hvm)},
    {"callback_op", __HYPERVISOR_callback_op, 4, OP_ARG, 0, -1, ROWS(callbacks)},
    {"nmi_op", __HYPERVISOR_nmi_op, 4, OP_ARG, 0, -1, NULL, 0},
    {"xenoprof_op", __HYPERVISOR_xenoprof_op, 20, OP_ARG, 0, -1, NULL, 0},
    {"kexec_op", __HYPERVISOR_kexec_op, 9, OP_ARG, 0, -1, NULL, 0},
    {"argo_op", __HYPERVISOR_argo_op, 6, OP_ARG, 0, -1, NULL, 0},
    {"xenpmu_op", __HYPERVISOR_xenpmu_op, 10, OP_ARG, 0, -1, NULL, 0},
    {"hypfs_op", __HYPERVISOR_hypfs_op, 6, OP_ARG, 0, -1, NULL, 0},
    {"domctl", __HYPERVISOR_domctl, 90, IN_STRUCT, XEN_DOMCTL_INTERFACE_VERSION, AT(struct xen_domctl, domain), NULL,
     0},
    {"sysctl", __HYPERVISOR_sysctl, 32, IN_STRUCT, XEN_SYSCTL_INTERFACE_VERSION, -1, NULL, 0},
    {"platform_op", __HYPERVISOR_platform_op, 70, IN_STRUCT, XENPF_INTERFACE_VERSION, -1, NULL, 0},
    {"xsm_op", __HYPERVISOR_xsm_op, 28, IN_STRUCT, XEN_FLASK_INTERFACE_VERSION, -1, NULL, 0},
    {"mca", __HYPERVISOR_mca, 8, IN_STRUCT, 0, -1, NULL, 0},
    {"tmem_op", __HYPERVISOR_tmem_op, 4, IN_STRUCT, 0, -1, NULL, 0},
    {"dm_op", __HYPERVISOR_dm_op, 24, BY_DOMAIN, 0, -1, NULL, 0},
    {"mmuext_op", __HYPERVISOR_mmuext_op, 24, LIST_DOMAIN, 0, -1, NULL, 0},
};
const unsigned family_count = ARRAY_SIZE(families);
