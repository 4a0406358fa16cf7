/*
 * Inside the grant table files: our records of entries, handles, and the hypercall's operations.
 */
#ifndef ABI_GRANT_TABLE_PRIVATE_H
#define ABI_GRANT_TABLE_PRIVATE_H

#include <hv/grant_table.h>
#include <hv/operation.h>
#include <hv/page_alloc.h>

#define ENTRIES_PER_FRAME_V1 (PAGE_SIZE / sizeof(grant_entry_v1_t))
#define ENTRIES_PER_FRAME_V2 (PAGE_SIZE / sizeof(grant_entry_v2_t))
#define STATUS_PER_FRAME     (PAGE_SIZE / sizeof(grant_status_t))

/* What we know of an entry while it is pinned. */
struct grant_record {
    mfn_t mfn;
    uint64_t gfn;              /* as the entry names it */
    uint32_t readers, writers; /* bounded by the users' handles; a writer is not counted as a reader */
    domid_t user;
    bool sub_page;
    uint16_t start, length; /* bytes of the frame that may be copied; all of it unless sub_page */
};
/* Records come in chunks, one per table frame: enough for version 1, more than enough for 2. */
#define RECORDS_PER_CHUNK ENTRIES_PER_FRAME_V1

/* A mapping. */
struct grant_handle {
    struct domain *granter; /* with a reference */
    mfn_t mfn;
    union {
        grant_ref_t ref;
        uint32_t next_free;
    };
    uint32_t flags; /* GNTMAP_*; 0 = free; HANDLE_BUSY */
};
#define HANDLE_BUSY 0x8000U /* some vcpu is working on it */
#define HANDLE_FLAGS                                                                                                   \
    (GNTMAP_device_map | GNTMAP_host_map | GNTMAP_readonly | GNTMAP_application_map | GNTMAP_contains_pte)
#define HANDLES_PER_FRAME (PAGE_SIZE / sizeof(struct grant_handle))
#define NO_HANDLE         0xffffffffU

struct grant_table {
    struct spinlock lock;
    unsigned version, max_version; /* lock */
    unsigned max_frames;           /* constant */
    unsigned frames;               /* lock; grows only */
    unsigned status_frames;        /* lock; grows only: the guest may have them mapped */
    void **frame;                  /* max_frames slots */
    grant_status_t **status;
    struct grant_record **record;
    unsigned pinned; /* lock; entries with a pin */

    struct spinlock handle_lock;
    unsigned max_handle_frames; /* constant */
    unsigned handle_frames;     /* handle_lock; grows only */
    struct grant_handle **handle;
    uint32_t free_handle;  /* handle_lock; head of the list of free ones */
    uint32_t handles_used; /* handle_lock */
    uint32_t release_next; /* progress of grant_table_release_mappings */
};

static inline unsigned grant_entries(const struct grant_table *gt)
{
    return gt->frames * (gt->version == 1 ? ENTRIES_PER_FRAME_V1 : ENTRIES_PER_FRAME_V2);
}
static inline struct grant_record *grant_record(const struct grant_table *gt, grant_ref_t ref)
{
    return &gt->record[ref / RECORDS_PER_CHUNK][ref % RECORDS_PER_CHUNK];
}
static inline grant_entry_v1_t *grant_entry_v1(const struct grant_table *gt, grant_ref_t ref)
{
    return (grant_entry_v1_t *)gt->frame[ref / ENTRIES_PER_FRAME_V1] + ref % ENTRIES_PER_FRAME_V1;
}
static inline grant_entry_v2_t *grant_entry_v2(const struct grant_table *gt, grant_ref_t ref)
{
    return (grant_entry_v2_t *)gt->frame[ref / ENTRIES_PER_FRAME_V2] + ref % ENTRIES_PER_FRAME_V2;
}
static inline grant_status_t *grant_status(const struct grant_table *gt, grant_ref_t ref)
{
    return &gt->status[ref / STATUS_PER_FRAME][ref % STATUS_PER_FRAME];
}

/* Pins entry `ref` of granter for domain `user`, which the entry must name. whole: a grant of a part of a frame will
 * not do. use: what the entry grants. GNTST_* */
struct grant_use {
    mfn_t mfn;
    uint16_t start, length;
};
int16_t grant_pin(struct domain *granter, grant_ref_t ref, domid_t user, bool write, bool whole, struct grant_use *use);
void grant_unpin(struct domain *granter, grant_ref_t ref, bool write);

/* References to a frame of `owner` for reading or writing. Not to frames of ours that it may map. GNTST_* */
int16_t grant_get_frame(struct domain *owner, mfn_t mfn, bool write);
void grant_put_frame(mfn_t mfn, bool write);

/* Mappings whose entries are gone from the page tables but perhaps not yet from the TLBs. */
#define UNMAP_BATCH 32
struct unmap_batch {
    bool flush;
    unsigned count;
    uint32_t handle[UNMAP_BATCH];
};
/* Flushes, then gives back everything that the unmapped handles held. */
void grant_finish_unmaps(struct unmap_batch *batch);

/* One element of the hypercall's array. Handlers return 0 with the outcome in its status, or -errno that ends the call.
 */
struct grant_request {
    struct request request;
    struct unmap_batch batch; /* of all its elements */
};
static inline struct unmap_batch *batch_of(struct request *r)
{
    return &container_of(r, struct grant_request, request)->batch;
}
long grant_op_map_grant_ref(struct request *r);
long grant_op_unmap_grant_ref(struct request *r);
long grant_op_unmap_and_replace(struct request *r);
long grant_op_copy(struct request *r);

#endif
