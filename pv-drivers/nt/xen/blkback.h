/* Disks' back ends: each checks every request of its front end, and whatever the protocol does not allow is a bug. */
#ifndef NT_XEN_BLKBACK_H
#define NT_XEN_BLKBACK_H

#include "hypervisor.h"

#define BLKBACK_DOMAIN 7

struct blkback {
    unsigned number;
    uint64_t sectors; /* of 512 bytes */
    unsigned sector_size;
    bool read_only, flush, discard;
    bool holds;     /* requests stay, until blkback_release */
    unsigned fails; /* so many requests from now on */
    bool silent;    /* does not even connect */
    unsigned char *image;
    unsigned reads, writes, flushes, discards;
    /* of the connection */
    blkif_sring_t *ring;
    uint32_t ring_reference, port, consumed, produced;
    struct {
        uint64_t id;
        bool in_flight;
        blkif_request_t request;
    } held[32];
    unsigned held_count;
};

void blkback_boot(void); /* after hv_boot: none is there */
struct blkback *blkback_add(struct blkback disk);
void blkback_release(struct blkback *disk); /* the last request first; and holds no more */
void blkback_resize(struct blkback *disk, uint64_t sectors);
void blkback_answer(struct blkback *disk, uint64_t id); /* of no request, maybe */
void blkback_run_away(struct blkback *disk);            /* an index of the ring that cannot be */
void blkback_end(void);                                 /* a page that is still mapped is a bug of this file */

#endif
