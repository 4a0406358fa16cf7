/*
 * Compiled for i386, where the public headers are in their 32-bit layout: ours must be the same.
 */
#include "../../../../hypervisor/abi/compat_abi.h"
#include <hv/compat_layout.h>
#include <xen/event_channel.h>
#include <xen/grant_table.h>
#include <xen/hvm/hvm_op.h>
#include <xen/hvm/params.h>
#include <xen/memory.h>
#include <xen/physdev.h>
#include <xen/sched.h>
#include <xen/vcpu.h>
#include <xen/version.h>

_Static_assert(sizeof(void *) == 4, "this file is for i386");

#define SAME_SIZE(ours, theirs)         _Static_assert(sizeof(struct ours) == sizeof(struct theirs), #theirs)
#define SAME_PLACE(ours, theirs, field) PLACE(ours, field, theirs, field)
#define PLACE(ours, field, theirs, their_field)                                                                        \
    _Static_assert(offsetof(struct ours, field) == offsetof(struct theirs, their_field), #theirs "." #their_field)

SAME_SIZE(compat_vcpu_info, vcpu_info);
SAME_PLACE(compat_vcpu_info, vcpu_info, evtchn_pending_sel);
SAME_PLACE(compat_vcpu_info, vcpu_info, arch);
SAME_PLACE(compat_vcpu_info, vcpu_info, time);
SAME_SIZE(compat_shared_info, shared_info);
SAME_PLACE(compat_shared_info, shared_info, evtchn_pending);
SAME_PLACE(compat_shared_info, shared_info, evtchn_mask);
SAME_PLACE(compat_shared_info, shared_info, wc_version);
SAME_PLACE(compat_shared_info, shared_info, wc_sec);
SAME_PLACE(compat_shared_info, shared_info, wc_nsec);
PLACE(compat_shared_info, max_pfn, shared_info, arch.max_pfn);
PLACE(compat_shared_info, wc_sec_hi, shared_info, arch.wc_sec_hi);
SAME_SIZE(compat_runstate_info, vcpu_runstate_info);
SAME_PLACE(compat_runstate_info, vcpu_runstate_info, state_entry_time);
SAME_PLACE(compat_runstate_info, vcpu_runstate_info, time);

SAME_SIZE(compat_sched_poll, sched_poll);
SAME_PLACE(compat_sched_poll, sched_poll, nr_ports);
SAME_PLACE(compat_sched_poll, sched_poll, timeout);
SAME_SIZE(compat_singleshot_timer, vcpu_set_singleshot_timer);
SAME_PLACE(compat_singleshot_timer, vcpu_set_singleshot_timer, flags);
SAME_SIZE(compat_memory_reservation, xen_memory_reservation);
SAME_PLACE(compat_memory_reservation, xen_memory_reservation, nr_extents);
SAME_PLACE(compat_memory_reservation, xen_memory_reservation, extent_order);
SAME_PLACE(compat_memory_reservation, xen_memory_reservation, mem_flags);
SAME_PLACE(compat_memory_reservation, xen_memory_reservation, domid);
SAME_SIZE(compat_add_to_physmap, xen_add_to_physmap);
SAME_PLACE(compat_add_to_physmap, xen_add_to_physmap, size);
SAME_PLACE(compat_add_to_physmap, xen_add_to_physmap, space);
SAME_PLACE(compat_add_to_physmap, xen_add_to_physmap, idx);
SAME_PLACE(compat_add_to_physmap, xen_add_to_physmap, gpfn);
SAME_SIZE(compat_remove_from_physmap, xen_remove_from_physmap);
SAME_PLACE(compat_remove_from_physmap, xen_remove_from_physmap, gpfn);
SAME_SIZE(compat_memory_map, xen_memory_map);
SAME_PLACE(compat_memory_map, xen_memory_map, buffer);
SAME_SIZE(compat_reserved_device_memory_map, xen_reserved_device_memory_map);
SAME_PLACE(compat_reserved_device_memory_map, xen_reserved_device_memory_map, nr_entries);
SAME_PLACE(compat_reserved_device_memory_map, xen_reserved_device_memory_map, buffer);
SAME_PLACE(compat_reserved_device_memory_map, xen_reserved_device_memory_map, dev);
SAME_SIZE(compat_gnttab_copy, gnttab_copy);
SAME_PLACE(compat_gnttab_copy, gnttab_copy, source.domid);
SAME_PLACE(compat_gnttab_copy, gnttab_copy, source.offset);
SAME_PLACE(compat_gnttab_copy, gnttab_copy, dest.domid);
SAME_PLACE(compat_gnttab_copy, gnttab_copy, len);
SAME_PLACE(compat_gnttab_copy, gnttab_copy, flags);
SAME_PLACE(compat_gnttab_copy, gnttab_copy, status);
SAME_SIZE(compat_physdev_map_pirq, physdev_map_pirq);
SAME_PLACE(compat_physdev_map_pirq, physdev_map_pirq, type);
SAME_PLACE(compat_physdev_map_pirq, physdev_map_pirq, pirq);
SAME_PLACE(compat_physdev_map_pirq, physdev_map_pirq, entry_nr);
SAME_PLACE(compat_physdev_map_pirq, physdev_map_pirq, table_base);

/* Those that go straight to the 64-bit handlers have the size they have there; compat_test.c says the same of its. */
#include "same_layout.h"
