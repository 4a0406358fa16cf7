/*
 * Arguments of hypercalls in the i386 layout of the public headers, for abi/compat*.c. Structures that are the same in
 * both layouts are not here.
 */
#ifndef ABI_COMPAT_ABI_H
#define ABI_COMPAT_ABI_H

#include <hv/hypercall.h>
#include <hv/types.h>
#include <hv/xen.h>

struct compat_sched_poll {
    uint32_t ports; /* address */
    uint32_t nr_ports;
    uint64_t timeout;
};

struct compat_singleshot_timer {
    uint64_t timeout_abs_ns;
    uint32_t flags;
} __packed;

struct compat_memory_reservation {
    uint32_t extent_start; /* address of 32-bit frame numbers */
    uint32_t nr_extents;
    uint32_t extent_order;
    uint32_t mem_flags;
    domid_t domid;
};

struct compat_add_to_physmap {
    domid_t domid;
    uint16_t size;
    uint32_t space;
    uint32_t idx;
    uint32_t gpfn;
};

struct compat_remove_from_physmap {
    domid_t domid;
    uint32_t gpfn;
};

struct compat_memory_map {
    uint32_t nr_entries;
    uint32_t buffer;
};

struct compat_reserved_device_memory_map {
    uint32_t flags;
    uint32_t nr_entries;
    uint32_t buffer;
    uint32_t dev;
};

struct compat_gnttab_copy_ptr {
    uint32_t ref_or_gmfn;
    domid_t domid;
    uint16_t offset;
};
struct compat_gnttab_copy {
    struct compat_gnttab_copy_ptr source, dest;
    uint16_t len, flags;
    int16_t status;
};

struct compat_physdev_map_pirq {
    domid_t domid;
    uint16_t pad;
    int32_t type, index, pirq, bus, devfn, entry_nr;
    uint64_t table_base;
} __packed __aligned(4);

_Static_assert(sizeof(struct compat_sched_poll) == 16, "i386");
_Static_assert(sizeof(struct compat_singleshot_timer) == 12, "i386");
_Static_assert(sizeof(struct compat_memory_reservation) == 20, "i386");
_Static_assert(sizeof(struct compat_add_to_physmap) == 16, "i386");
_Static_assert(sizeof(struct compat_remove_from_physmap) == 8, "i386");
_Static_assert(sizeof(struct compat_memory_map) == 8, "i386");
_Static_assert(sizeof(struct compat_reserved_device_memory_map) == 16, "i386");
_Static_assert(sizeof(struct compat_gnttab_copy) == 24, "i386");
_Static_assert(sizeof(struct compat_physdev_map_pirq) == 36, "i386");

/* What a call's arguments are rewritten into; on the stack while it is made. */
struct compat_area {
    uint64_t words[160];
    unsigned used; /* bytes */
};
/* Space for `bytes`, zeroed; *address is what the 64-bit handler finds it under. Never fails: the needs of each
 * hypercall are known. */
void *compat_reserve(struct compat_area *area, size_t bytes, uint64_t *address);

/* abi/compat_memory.c */
long compat_memory_op(struct hypercall *call, struct compat_area *area);

#endif
