/*
 * The public Xen headers of libxen-dev for a compiler whose long has 32 bits: they mean the 64-bit type by "unsigned
 * long".
 */
#ifndef PV_XEN_H
#define PV_XEN_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef _WIN32
#define long long long
#endif
#include <xen/xen.h>
#include <xen/event_channel.h>
#include <xen/grant_table.h>
#include <xen/memory.h>
#include <xen/sched.h>
#include <xen/version.h>
#include <xen/hvm/hvm_op.h>
#include <xen/hvm/params.h>
#include <xen/io/blkif.h>
#include <xen/io/console.h>
#include <xen/io/kbdif.h>
#include <xen/io/netif.h>
#include <xen/io/protocols.h>
#include <xen/io/xenbus.h>
#include <xen/io/xs_wire.h>
#ifdef _WIN32
#undef long
#endif

_Static_assert(sizeof(struct vcpu_info) == 64, "vcpu_info");
_Static_assert(sizeof(struct shared_info) == 3136, "shared_info");
_Static_assert(offsetof(struct shared_info, evtchn_pending) == 2048, "evtchn_pending");
_Static_assert(offsetof(struct shared_info, evtchn_mask) == 2560, "evtchn_mask");
_Static_assert(sizeof(struct evtchn_fifo_control_block) == 72, "evtchn_fifo_control_block");
_Static_assert(sizeof(struct grant_entry_v1) == 8, "grant_entry_v1");
_Static_assert(sizeof(struct xen_add_to_physmap) == 24, "xen_add_to_physmap");
_Static_assert(sizeof(struct xen_hvm_param) == 16, "xen_hvm_param");
_Static_assert(sizeof(struct xenstore_domain_interface) >= 2064, "xenstore_domain_interface");
_Static_assert(sizeof(struct blkif_request) == 112, "blkif_request");
_Static_assert(sizeof(struct xencons_interface) == 3088, "xencons_interface");
_Static_assert(sizeof(union xenkbd_in_event) == XENKBD_IN_EVENT_SIZE, "xenkbd_in_event");
_Static_assert(sizeof(struct xenkbd_page) == 16, "xenkbd_page");
_Static_assert(sizeof(union netif_tx_sring_entry) == 12, "netif_tx_sring_entry");
_Static_assert(sizeof(union netif_rx_sring_entry) == 8, "netif_rx_sring_entry");

#define PV_PAGE_SIZE 4096u

#endif
