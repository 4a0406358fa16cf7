#include <stdlib.h>
#include <string.h>
#include "blkback.h"
#include "events.h"

#define MOST  17u
#define SLOTS 32u

static struct blkback *disks[MOST];
static unsigned count;

static void path_of(char *path, const struct blkback *disk, bool front, const char *name)
{
    if (front)
        snprintf(path, 128, HV_DOMAIN_PATH "/device/vbd/%u/%s", disk->number, name);
    else
        snprintf(path, 128, "/local/domain/7/backend/vbd/1/%u/%s", disk->number, name);
}

static void set(const struct blkback *disk, bool front, const char *name, uint64_t value)
{
    char path[128], text[24];

    path_of(path, disk, front, name);
    snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
    store_set(path, text);
}

static uint64_t get(const struct blkback *disk, const char *name)
{
    char path[128], text[32] = "0";

    path_of(path, disk, true, name);
    store_get(path, text, sizeof(text));
    return strtoull(text, NULL, 10);
}

/* --- requests --- */

static void respond(struct blkback *disk, uint64_t id, uint8_t operation, int16_t status)
{
    blkif_response_t response = {.id = id, .operation = operation, .status = status};
    uint32_t before = disk->produced;

    memcpy(&disk->ring->ring[disk->produced++ % SLOTS].rsp, &response, sizeof(response));
    __atomic_store_n(&disk->ring->rsp_prod, disk->produced, __ATOMIC_SEQ_CST);
    if (disk->produced - __atomic_load_n(&disk->ring->rsp_event, __ATOMIC_SEQ_CST) < disk->produced - before)
        hv_notify(disk->port);
}

static void copy(struct blkback *disk, const blkif_request_t *request, uint64_t *sector, unsigned number)
{
    const struct blkif_request_segment *segment = &request->seg[number];
    bool read = request->operation == BLKIF_OP_READ;
    unsigned char *page = hv_map(segment->gref, BLKBACK_DOMAIN, read);
    unsigned first = segment->first_sect, sectors = segment->last_sect + 1u - first;

    if (!page)
        nt_bug("blkback: the page of a request is not given for it");
    if (segment->last_sect > 7 || first > segment->last_sect || *sector + sectors > disk->sectors)
        nt_bug("blkback: sectors %u to %u of a page, for sector %llu of %llu", first, segment->last_sect,
               (unsigned long long)*sector, (unsigned long long)disk->sectors);
    if (read)
        memcpy(page + first * 512, disk->image + *sector * 512, sectors * 512);
    else
        memcpy(disk->image + *sector * 512, page + first * 512, sectors * 512);
    *sector += sectors;
    hv_unmap(segment->gref, read);
}

static void transfer(struct blkback *disk, const blkif_request_t *request)
{
    uint64_t sector = request->sector_number;

    if (!request->nr_segments || request->nr_segments > BLKIF_MAX_SEGMENTS_PER_REQUEST)
        nt_bug("blkback: %u segments", request->nr_segments);
    if (request->operation == BLKIF_OP_WRITE && disk->read_only)
        nt_bug("blkback: a write to a disk that is read only");
    for (unsigned i = 0; i < request->nr_segments; i++)
        copy(disk, request, &sector, i);
    if ((sector - request->sector_number) % (disk->sector_size / 512) ||
        request->sector_number % (disk->sector_size / 512))
        nt_bug("blkback: part of a sector of %u bytes", disk->sector_size);
    *(request->operation == BLKIF_OP_READ ? &disk->reads : &disk->writes) += 1;
}

static void discard(struct blkback *disk, const blkif_request_t *request)
{
    const struct blkif_request_discard *range = (const void *)request;

    if (!disk->discard || !range->nr_sectors || range->sector_number + range->nr_sectors > disk->sectors)
        nt_bug("blkback: a discard of %llu sectors at %llu", (unsigned long long)range->nr_sectors,
               (unsigned long long)range->sector_number);
    memset(disk->image + range->sector_number * 512, 0, range->nr_sectors * 512);
    disk->discards++;
}

static void execute(struct blkback *disk, const blkif_request_t *request)
{
    if (disk->fails) {
        disk->fails--;
        respond(disk, request->id, request->operation, BLKIF_RSP_ERROR);
        return;
    }
    if (request->operation == BLKIF_OP_READ || request->operation == BLKIF_OP_WRITE)
        transfer(disk, request);
    else if (request->operation == BLKIF_OP_DISCARD)
        discard(disk, request);
    else if (request->operation == BLKIF_OP_FLUSH_DISKCACHE && disk->flush && !request->nr_segments)
        disk->flushes++;
    else
        nt_bug("blkback: operation %u", request->operation);
    respond(disk, request->id, request->operation, BLKIF_RSP_OKAY);
}

static void hold(struct blkback *disk, const blkif_request_t *request)
{
    for (unsigned i = 0; i < disk->held_count; i++)
        if (disk->held[i].id == request->id)
            nt_bug("blkback: two requests with the id %llu", (unsigned long long)request->id);
    if (disk->held_count == SLOTS)
        nt_bug("blkback: more requests than the ring has room for");
    disk->held[disk->held_count].id = request->id;
    disk->held[disk->held_count++].request = *request;
}

static void kicked(void *context)
{
    struct blkback *disk = context;
    uint32_t produced;

    do {
        if (!disk->ring)
            return;
        produced = __atomic_load_n(&disk->ring->req_prod, __ATOMIC_SEQ_CST);
        if (produced - disk->consumed > SLOTS)
            nt_bug("blkback: the front end's index ran away");
        while (disk->consumed != produced) {
            blkif_request_t request;

            memcpy(&request, &disk->ring->ring[disk->consumed++ % SLOTS].req, sizeof(request));
            if (disk->holds)
                hold(disk, &request);
            else
                execute(disk, &request);
        }
        __atomic_store_n(&disk->ring->req_event, disk->consumed + 1, __ATOMIC_SEQ_CST);
    } while (__atomic_load_n(&disk->ring->req_prod, __ATOMIC_SEQ_CST) != disk->consumed);
}

void blkback_release(struct blkback *disk)
{
    hv_lock();
    disk->holds = false;
    while (disk->held_count)
        execute(disk, &disk->held[--disk->held_count].request);
    hv_unlock();
}

void blkback_answer(struct blkback *disk, uint64_t id)
{
    hv_lock();
    respond(disk, id, BLKIF_OP_READ, BLKIF_RSP_OKAY);
    hv_unlock();
}

void blkback_run_away(struct blkback *disk)
{
    hv_lock();
    disk->ring->rsp_prod = disk->produced + 1000;
    hv_notify(disk->port);
    hv_unlock();
}

/* --- the connection --- */

static void connect(struct blkback *disk)
{
    char path[128], protocol[32] = "";

    path_of(path, disk, true, "protocol");
    store_get(path, protocol, sizeof(protocol));
    if (strcmp(protocol, XEN_IO_PROTO_ABI_X86_64))
        nt_bug("blkback: protocol \"%s\"", protocol);
    disk->ring_reference = (uint32_t)get(disk, "ring-ref");
    disk->port = (uint32_t)get(disk, "event-channel");
    disk->ring = hv_map(disk->ring_reference, BLKBACK_DOMAIN, true);
    if (!disk->ring || !hv_bind(disk->port, BLKBACK_DOMAIN, kicked, disk))
        nt_bug("blkback: the ring or the port of disk %u is not given", disk->number);
    disk->consumed = disk->produced = disk->held_count = 0;
    set(disk, false, "sectors", disk->sectors);
    set(disk, false, "sector-size", disk->sector_size);
    set(disk, false, "info", disk->read_only ? VDISK_READONLY : 0);
    set(disk, false, "feature-flush-cache", disk->flush);
    set(disk, false, "feature-discard", disk->discard);
    set(disk, false, "state", XenbusStateConnected);
}

static void disconnect(struct blkback *disk)
{
    if (!disk->ring)
        return;
    hv_unbind(disk->port);
    hv_unmap(disk->ring_reference, true);
    disk->ring = NULL;
}

static void front_changed(struct blkback *disk)
{
    switch (get(disk, "state")) {
    case XenbusStateInitialised:
        if (!disk->ring && !disk->silent)
            connect(disk);
        break;
    case XenbusStateClosing:
        disconnect(disk);
        set(disk, false, "state", XenbusStateClosed);
        break;
    default:
        break;
    }
}

static void observe(const char *path)
{
    for (unsigned i = 0; i < count; i++) {
        char state[128];

        path_of(state, disks[i], true, "state");
        if (!strcmp(state, path))
            front_changed(disks[i]);
    }
}

static void new_domain(void)
{
    for (unsigned i = 0; i < count; i++) {
        disks[i]->ring = NULL;
        disks[i]->held_count = 0;
        set(disks[i], true, "state", XenbusStateInitialising);
        set(disks[i], false, "state", XenbusStateInitWait);
    }
}

void blkback_boot(void)
{
    count = 0;
    store_observe(observe);
    hv_on_new_domain = new_domain;
}

struct blkback *blkback_add(struct blkback wanted)
{
    struct blkback *disk = malloc(sizeof(*disk));
    char path[128], back[128];

    *disk = wanted;
    if (!disk->sector_size)
        disk->sector_size = 512;
    disk->image = calloc(disk->sectors, 512);
    for (uint64_t i = 0; i < disk->sectors * 512; i++)
        disk->image[i] = (unsigned char)(i / 512 * 7 + i);
    path_of(back, disk, false, "");
    back[strlen(back) - 1] = 0;
    path_of(path, disk, true, "backend");
    store_set(path, back);
    set(disk, true, "backend-id", BLKBACK_DOMAIN);
    set(disk, true, "state", XenbusStateInitialising);
    set(disk, false, "state", XenbusStateInitWait);
    disks[count++] = disk;
    return disk;
}

void blkback_resize(struct blkback *disk, uint64_t sectors)
{
    hv_lock();
    disk->image = realloc(disk->image, sectors * 512);
    disk->sectors = sectors;
    set(disk, false, "sectors", sectors);
    hv_unlock();
}

void blkback_end(void)
{
    while (count) {
        struct blkback *disk = disks[--count];

        if (disk->ring)
            nt_bug("blkback: the front end of disk %u left without a word", disk->number);
        free(disk->image);
        free(disk);
    }
    store_observe(NULL);
    hv_on_new_domain = NULL;
}
