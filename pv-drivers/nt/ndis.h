/* NDIS for one adapter, and the protocol above it, which is the test. Single threaded but for what is indicated. */
#ifndef NT_NDIS_H
#define NT_NDIS_H

#include "nt.h"
#define DECLSPEC_NDIS
#include "pv/ndis.h"

extern const struct nt_export nt_ndis_exports[];
extern const unsigned nt_ndis_export_count;

bool nt_ndis_initialized(void); /* the adapter is there, paused or running */
NDIS_STATUS nt_ndis_restart(void);
/* begin says whether it is pending; then end waits. A send or an indication while paused is a bug. */
bool nt_ndis_pause_begin(void);
void nt_ndis_pause_end(void);
void nt_ndis_pause(void);
void nt_ndis_power(bool on); /* D0 or D3, paused meanwhile */
NDIS_STATUS nt_ndis_reset(void);

/* A request at PASSIVE_LEVEL; with success `used` bytes were, else `needed` would be. */
NDIS_STATUS nt_ndis_query(NDIS_OID oid, void *buffer, unsigned size, unsigned *used);
NDIS_STATUS nt_ndis_set(NDIS_OID oid, const void *buffer, unsigned size);

bool nt_ndis_link(void);             /* as last indicated */
unsigned nt_ndis_link_changes(void); /* since it was initialized */
unsigned nt_ndis_events(void);       /* entries of the event log, since then */
NDIS_OFFLOAD nt_ndis_offload(void);  /* in force, as attributes and status indications say */
NDIS_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES nt_ndis_general(void);

/* A list of buffers that goes down. The bytes are copied into pool, in MDLs of `piece` bytes (0: one). */
struct nt_send {
    NET_BUFFER_LIST list;
    KEVENT done;
    bool pending;
};
struct nt_send *nt_send_make(const void *data, unsigned size, unsigned piece);
void nt_send_add(struct nt_send *send, const void *data, unsigned size, unsigned piece); /* one more buffer */
void nt_send_start(struct nt_send *send); /* and those that its list's Next has */
bool nt_send_is_pending(const struct nt_send *send);
NDIS_STATUS nt_send_wait(struct nt_send *send); /* and frees it */
void nt_send_cancel(void *id);

struct nt_received {
    unsigned char data[4096];
    unsigned size, processor;
    NDIS_TCP_IP_CHECKSUM_NET_BUFFER_LIST_INFO checksum;
    uint32_t hash, hash_info;
};
/* The oldest one that was indicated and not taken yet; false: there is none. */
bool nt_received_take(struct nt_received *received);
/* Lists that are indicated stay with the protocol until they are returned. */
void nt_ndis_hold(bool holds);
unsigned nt_ndis_held(void);
void nt_ndis_return_held(void);

#endif
