/* The grant table, version 1: entries are taken from a stack of free ones, and frames are added as they run out. */
#include "bus.h"

#define PER_FRAME (PV_PAGE_SIZE / sizeof(struct grant_entry_v1))

static volatile struct grant_entry_v1 *entry_of(struct bus *bus, ULONG reference)
{
    return (volatile struct grant_entry_v1 *)(bus->window_va + PV_PAGE_SIZE) + reference;
}

/* One more frame; grants.lock is held, or nobody else is there yet. */
static NTSTATUS add_frame(struct bus *bus)
{
    struct grants *grants = &bus->grants;
    ULONG frame = grants->frames, first = frame * PER_FRAME;

    if (frame >= grants->most_frames)
        return STATUS_INSUFFICIENT_RESOURCES;
    if (!NT_SUCCESS(add_to_physmap(XENMAPSPACE_grant_table, frame, window_frame(bus, 1 + frame))))
        return STATUS_INSUFFICIENT_RESOURCES;
    grants->frames++;
    for (ULONG i = PER_FRAME; i-- > 0;)
        if (first + i >= GNTTAB_NR_RESERVED_ENTRIES)
            grants->free[grants->free_count++] = first + i;
    return STATUS_SUCCESS;
}

NTSTATUS grants_init(struct bus *bus)
{
    struct gnttab_query_size query = {.dom = DOMID_SELF};
    struct grants *grants = &bus->grants;

    KeInitializeSpinLock(&grants->lock);
    grants->frames = 0;
    grants->free_count = 0;
    if (hypercall(__HYPERVISOR_grant_table_op, GNTTABOP_query_size, (ULONG_PTR)&query, 1) || query.status != GNTST_okay)
        return STATUS_UNSUCCESSFUL;
    grants->most_frames = query.max_nr_frames < GRANT_FRAMES ? query.max_nr_frames : GRANT_FRAMES;
    return add_frame(bus);
}

void grants_resume(struct bus *bus)
{
    ULONG frames = bus->grants.frames;

    bus->grants.frames = 0;
    bus->grants.free_count = 0;
    for (ULONG i = 0; i < frames; i++)
        if (!NT_SUCCESS(add_frame(bus)))
            LOG("the grant table came back with %u frames of %u", i, frames);
}

NTSTATUS NTAPI grant(void *context, USHORT domain, ULONGLONG frame, BOOLEAN read_only, ULONG *reference)
{
    struct bus *bus = context;
    struct grants *grants = &bus->grants;
    volatile struct grant_entry_v1 *entry;
    KIRQL irql;

    if (frame > MAXULONG)
        return STATUS_INVALID_PARAMETER;
    KeAcquireSpinLock(&grants->lock, &irql);
    if (!grants->free_count && !NT_SUCCESS(add_frame(bus))) {
        KeReleaseSpinLock(&grants->lock, irql);
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    *reference = grants->free[--grants->free_count];
    KeReleaseSpinLock(&grants->lock, irql);

    entry = entry_of(bus, *reference);
    entry->frame = (uint32_t)frame;
    entry->domid = domain;
    __atomic_thread_fence(__ATOMIC_SEQ_CST); /* valid only with its frame and domain */
    entry->flags = GTF_permit_access | (read_only ? GTF_readonly : 0);
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI grant_end(void *context, ULONG reference)
{
    struct bus *bus = context;
    struct grants *grants = &bus->grants;
    volatile struct grant_entry_v1 *entry = entry_of(bus, reference);
    uint16_t flags = entry->flags;
    KIRQL irql;

    do {
        if (flags & (GTF_reading | GTF_writing))
            return STATUS_DEVICE_BUSY;
    } while (!__atomic_compare_exchange_n(&entry->flags, &flags, 0, FALSE, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST));
    KeAcquireSpinLock(&grants->lock, &irql);
    grants->free[grants->free_count++] = reference;
    KeReleaseSpinLock(&grants->lock, irql);
    return STATUS_SUCCESS;
}
