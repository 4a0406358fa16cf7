/*
 * Structures of the ABI that are the same for 32-bit and 64-bit callers: compiled for both.
 */
#define SIZE(type, bytes)          _Static_assert(sizeof(struct type) == (bytes), #type)
#define OFFSET(type, field, bytes) _Static_assert(offsetof(struct type, field) == (bytes), #type "." #field)

SIZE(evtchn_alloc_unbound, 8);
SIZE(evtchn_bind_interdomain, 12);
SIZE(evtchn_bind_virq, 12);
SIZE(evtchn_bind_pirq, 12);
SIZE(evtchn_bind_ipi, 8);
SIZE(evtchn_close, 4);
SIZE(evtchn_send, 4);
SIZE(evtchn_status, 24);
SIZE(evtchn_bind_vcpu, 8);
SIZE(evtchn_unmask, 4);
SIZE(evtchn_reset, 2);
SIZE(evtchn_init_control, 24);
OFFSET(evtchn_init_control, offset, 8);
SIZE(evtchn_expand_array, 8);
SIZE(evtchn_set_priority, 8);
SIZE(sched_shutdown, 4);
SIZE(sched_remote_shutdown, 8);
SIZE(sched_watchdog, 8);
SIZE(xen_hvm_param, 16);
OFFSET(xen_hvm_param, value, 8);
SIZE(xen_hvm_evtchn_upcall_vector, 8);
SIZE(vcpu_register_vcpu_info, 16);
OFFSET(vcpu_register_vcpu_info, offset, 8);
SIZE(vcpu_set_periodic_timer, 8);
SIZE(vcpu_register_runstate_memory_area, 8);
SIZE(vcpu_register_time_memory_area, 8);
SIZE(vcpu_time_info, 32);
OFFSET(vcpu_time_info, tsc_timestamp, 8);
SIZE(xen_feature_info, 8);
SIZE(xen_compile_info, 144);
SIZE(xen_memory_domain, 2);
SIZE(gnttab_map_grant_ref, 32);
OFFSET(gnttab_map_grant_ref, status, 18);
OFFSET(gnttab_map_grant_ref, dev_bus_addr, 24);
SIZE(gnttab_unmap_grant_ref, 24);
OFFSET(gnttab_unmap_grant_ref, status, 20);
SIZE(gnttab_query_size, 16);
SIZE(gnttab_set_version, 4);
SIZE(gnttab_get_version, 8);
SIZE(gnttab_swap_grant_ref, 12);
SIZE(physdev_eoi, 4);
SIZE(physdev_irq_status_query, 8);
SIZE(physdev_get_free_pirq, 8);
SIZE(physdev_unmap_pirq, 8);
