// The backend's half of fbif. The shared page is written by the guest at any time: every field is read once,
// checked, then used.
#include "fbif.h"

#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <xen/io/fbif.h>

#include "foreign.h"
#include "log.h"
#include "remember.h"
#include "seat.h"

enum { PAGE_BYTES = 4096, FRAMES_PER_PAGE = PAGE_BYTES / 8 };

static_assert(offsetof(struct xenfb_page, width) == 16 && offsetof(struct xenfb_page, pd) == 40, "xenfb_page layout");
static_assert(sizeof(union xenfb_out_event) == XENFB_OUT_EVENT_SIZE, "xenfb event size");

struct fbif {
    struct backend base;
    struct guest *guest;
    struct ports *ports;
    int port;
    struct xenfb_page *page;
    const uint8_t *memory;
    size_t pages;  // of memory
    size_t length; // bytes of memory the guest said it has
    uint32_t consumed;
    uint64_t page_frame;
    struct remembered_fbif *remembered; // NULL: nobody remembers
};

#define READ_ONCE(x) (*(volatile __typeof__(x) *)&(x))

// Whether a picture of that geometry lies within the memory; fills in the image.
static bool geometry(const struct fbif *fbif, int64_t width, int64_t height, int64_t stride, int64_t depth,
                     int64_t offset, struct image *image)
{
    enum pixel_format format = depth == 16 ? PIXEL_RGB565 : PIXEL_XRGB8888;
    int64_t pixel = depth == 16 ? 2 : 4;
    if ((depth != 16 && depth != 32) || width < 1 || width > LINK_MAX_SIZE || height < 1 || height > LINK_MAX_SIZE)
        return false;
    if (stride < width * pixel || stride > INT32_MAX || stride % pixel || offset < 0 || offset % pixel)
        return false;
    if (offset + stride * (height - 1) + width * pixel > (int64_t)fbif->length)
        return false;
    *image = (struct image){fbif->memory + offset, (uint32_t)width, (uint32_t)height, (uint32_t)stride, format};
    return true;
}

static void remember(struct fbif *fbif, const struct xenfb_resize *r)
{
    struct remembered_fbif *remembered = fbif->remembered;
    if (!remembered)
        return;
    remembered->domid = LINK_NO_DOMAIN; // while it is half done
    remembered->width = r->width;
    remembered->height = r->height;
    remembered->stride = r->stride;
    remembered->depth = r->depth;
    remembered->offset = r->offset;
    remembered->page_frame = fbif->page_frame;
    remembered->domid = fbif->guest->domid;
}

// The shared page says what size the guest began with, and an event told a seat before this one what came after.
static void restore(struct fbif *fbif, struct image *image)
{
    const struct remembered_fbif *r = fbif->remembered;
    struct image later;
    if (r && r->domid == fbif->guest->domid && r->page_frame == fbif->page_frame &&
        geometry(fbif, r->width, r->height, r->stride, r->depth, r->offset, &later))
        *image = later;
}

static bool handle_event(struct fbif *fbif, const union xenfb_out_event *event)
{
    if (event->type == XENFB_TYPE_UPDATE) {
        const struct xenfb_update *u = &event->update;
        guest_damage(fbif->guest, (struct rect){u->x, u->y, u->width, u->height});
        return true;
    }
    if (event->type == XENFB_TYPE_RESIZE) {
        const struct xenfb_resize *r = &event->resize;
        struct image image;
        if (!geometry(fbif, r->width, r->height, r->stride, r->depth, r->offset, &image))
            return false;
        remember(fbif, r);
        guest_set_picture(fbif->guest, &image);
    }
    return true; // unknown events are to be ignored
}

static void on_port(void *data)
{
    struct fbif *fbif = data;
    uint32_t produced = READ_ONCE(fbif->page->out_prod), waiting = produced - fbif->consumed;
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    if (waiting > XENFB_OUT_RING_LEN) {
        guest_display_failed(fbif->guest, EPROTO);
        return;
    }
    for (; fbif->consumed != produced; fbif->consumed++) {
        union xenfb_out_event event;
        memcpy(&event, &XENFB_OUT_RING_REF(fbif->page, fbif->consumed), sizeof(event));
        if (!handle_event(fbif, &event)) {
            guest_display_failed(fbif->guest, EPROTO);
            return;
        }
    }
    __atomic_thread_fence(__ATOMIC_RELEASE);
    fbif->page->out_cons = fbif->consumed;
    // The guest holds updates back while its ring is full; tell it that there is room again.
    if (waiting >= XENFB_OUT_RING_LEN / 2)
        ports_notify(fbif->ports, fbif->port);
}

// Collects the frame numbers of the framebuffer from the page directory's pages.
static uint64_t *read_directory(struct fbif *fbif, int privcmd)
{
    size_t directory_pages = (fbif->pages + FRAMES_PER_PAGE - 1) / FRAMES_PER_PAGE;
    uint64_t directory[sizeof(fbif->page->pd) / sizeof(fbif->page->pd[0])];
    if (directory_pages > sizeof(directory) / sizeof(directory[0])) {
        errno = EPROTO;
        return NULL;
    }
    for (size_t i = 0; i < directory_pages; i++)
        directory[i] = READ_ONCE(fbif->page->pd[i]);
    uint64_t *frames = calloc(directory_pages, PAGE_BYTES);
    void *mapped =
        frames ? foreign_map_frames(privcmd, fbif->guest->domid, directory, directory_pages, PROT_READ) : NULL;
    if (!mapped) {
        free(frames);
        return NULL;
    }
    memcpy(frames, mapped, directory_pages * PAGE_BYTES);
    foreign_unmap_frames(mapped, directory_pages);
    return frames;
}

static bool map_framebuffer(struct fbif *fbif, uint32_t limit, int privcmd, struct image *image)
{
    int32_t width = READ_ONCE(fbif->page->width), height = READ_ONCE(fbif->page->height);
    uint32_t stride = READ_ONCE(fbif->page->line_length);
    uint8_t depth = READ_ONCE(fbif->page->depth);
    fbif->length = READ_ONCE(fbif->page->mem_length);
    if (fbif->length == 0 || fbif->length > limit || !geometry(fbif, width, height, stride, depth, 0, image)) {
        errno = EPROTO;
        return false;
    }
    fbif->pages = (fbif->length + PAGE_BYTES - 1) / PAGE_BYTES;
    uint64_t *frames = read_directory(fbif, privcmd);
    if (frames)
        fbif->memory = foreign_map_frames(privcmd, fbif->guest->domid, frames, fbif->pages, PROT_READ);
    free(frames);
    image->pixels = fbif->memory;
    return fbif->memory != NULL;
}

static void disconnect(struct backend *backend)
{
    struct fbif *fbif = (struct fbif *)backend;
    ports_unbind(fbif->ports, fbif->port);
    foreign_unmap_frames((void *)fbif->memory, fbif->pages);
    foreign_unmap_frames(fbif->page, 1);
    free(fbif);
}

static const struct backend_ops ops = {.disconnect = disconnect};

struct backend *fbif_connect(struct guest *guest, struct ports *ports, const struct link_fbif_connect *connect,
                             int privcmd)
{
    struct fbif *fbif = calloc(1, sizeof(*fbif));
    if (!fbif)
        return NULL;
    fbif->base.ops = &ops;
    fbif->guest = guest;
    fbif->ports = ports;
    fbif->port = -1;
    fbif->page_frame = connect->page_frame;
    if (guest->seat->remembered)
        fbif->remembered = &guest->seat->remembered->fbif[guest->slot];
    struct image image;
    fbif->page = foreign_map_frames(privcmd, guest->domid, &connect->page_frame, 1, PROT_READ | PROT_WRITE);
    if (fbif->page && map_framebuffer(fbif, connect->videoram_limit, privcmd, &image))
        fbif->port = ports_bind(ports, guest->domid, connect->event_channel, on_port, fbif);
    if (fbif->port < 0) {
        int error = errno;
        disconnect(&fbif->base);
        errno = error;
        return NULL;
    }
    // Where an earlier backend stopped; a guest that lies here only cheats itself of updates.
    fbif->consumed = READ_ONCE(fbif->page->out_cons);
    restore(fbif, &image);
    guest_set_picture(guest, &image);
    on_port(fbif);
    return &fbif->base;
}
