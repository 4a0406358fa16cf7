// Buffers of displif guests.
#include "xen_ring.h"

#include "displif_buffers.h"

#include <assert.h>
#include <drm_fourcc.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "foreign.h"
#include "link_protocol.h"
#include "page_directory.h"
#include "remember.h"

enum { PAGE_BYTES = 4096, SLACK_BYTES = 1 << 20 };

static_assert((int)REMEMBER_BUFFERS == DISPLIF_MAX_BUFFERS && (int)REMEMBER_FRAMEBUFFERS == DISPLIF_MAX_FRAMEBUFFERS,
              "all of it can be remembered");

static struct displif_buffer *find_buffer(struct displif_buffers *all, uint64_t cookie)
{
    for (unsigned i = 0; i < DISPLIF_MAX_BUFFERS; i++)
        if (all->buffers[i].cookie == cookie)
            return &all->buffers[i];
    return NULL;
}

static struct displif_framebuffer *find_framebuffer(struct displif_buffers *all, uint64_t cookie)
{
    for (unsigned i = 0; i < DISPLIF_MAX_FRAMEBUFFERS; i++)
        if (all->framebuffers[i].cookie == cookie)
            return &all->framebuffers[i];
    return NULL;
}

static bool acceptable(const struct displif_buffers *all, const struct xendispl_dbuf_create_req *r)
{
    if (r->dbuf_cookie == 0 || r->width < 1 || r->width > LINK_MAX_SIZE || r->height < 1 || r->height > LINK_MAX_SIZE)
        return false;
    if (r->bpp != 16 && r->bpp != 24 && r->bpp != 32)
        return false;
    uint64_t needed = (uint64_t)r->data_ofs + (uint64_t)r->width * (r->bpp / 8) * r->height;
    return needed <= r->buffer_sz && r->buffer_sz <= all->max_bytes &&
           r->buffer_sz <= DISPLIF_MAX_BYTES - all->total_bytes;
}

void displif_buffers_limit(struct displif_buffers *all, uint32_t width, uint32_t height)
{
    all->max_bytes = (size_t)width * height * 8 + SLACK_BYTES;
}

int displif_buffers_create(struct displif_buffers *all, uint32_t domid, const struct xendispl_dbuf_create_req *request)
{
    if (request->flags & XENDISPL_DBUF_FLG_REQ_ALLOC)
        return EOPNOTSUPP;
    if (!acceptable(all, request))
        return EINVAL;
    struct displif_buffer *buffer = find_buffer(all, 0);
    if (!buffer || find_buffer(all, request->dbuf_cookie))
        return buffer ? EEXIST : ENOSPC;
    size_t pages = ((size_t)request->buffer_sz + PAGE_BYTES - 1) / PAGE_BYTES;
    uint32_t *references = calloc(pages, sizeof(*references));
    if (!references)
        return ENOMEM;
    int error = page_directory_read(domid, request->gref_directory, references, pages);
    void *memory = error ? NULL : foreign_map_grants(domid, references, pages, PROT_READ);
    if (!error && !memory)
        error = errno;
    free(references);
    if (error)
        return error;
    *buffer = (struct displif_buffer){request->dbuf_cookie,
                                      memory,
                                      pages,
                                      request->width,
                                      request->height,
                                      request->bpp,
                                      request->buffer_sz,
                                      request->data_ofs,
                                      request->gref_directory};
    all->total_bytes += buffer->bytes;
    return 0;
}

int displif_buffers_destroy(struct displif_buffers *all, uint64_t cookie)
{
    struct displif_buffer *buffer = cookie ? find_buffer(all, cookie) : NULL;
    if (!buffer)
        return ENOENT;
    for (unsigned i = 0; i < DISPLIF_MAX_FRAMEBUFFERS; i++)
        if (all->framebuffers[i].buffer == cookie)
            all->framebuffers[i] = (struct displif_framebuffer){0};
    foreign_unmap_grants((void *)buffer->memory, buffer->pages);
    all->total_bytes -= buffer->bytes;
    *buffer = (struct displif_buffer){0};
    return 0;
}

static bool known_format(uint32_t fourcc, enum pixel_format *format)
{
    switch (fourcc) {
    case DRM_FORMAT_XRGB8888:
    case DRM_FORMAT_ARGB8888:
        *format = PIXEL_XRGB8888;
        return true;
    case DRM_FORMAT_RGB888:
        *format = PIXEL_RGB888;
        return true;
    case DRM_FORMAT_RGB565:
        *format = PIXEL_RGB565;
        return true;
    default:
        return false;
    }
}

int displif_buffers_attach(struct displif_buffers *all, const struct xendispl_fb_attach_req *request)
{
    struct displif_buffer *buffer = request->dbuf_cookie ? find_buffer(all, request->dbuf_cookie) : NULL;
    struct displif_framebuffer *framebuffer = find_framebuffer(all, 0);
    enum pixel_format format;
    if (!buffer)
        return ENOENT;
    if (request->fb_cookie == 0 || find_framebuffer(all, request->fb_cookie))
        return EEXIST;
    if (!framebuffer)
        return ENOSPC;
    if (!known_format(request->pixel_format, &format) || pixel_size(format) * 8 != buffer->bits || request->width < 1 ||
        request->width > buffer->width || request->height < 1 || request->height > buffer->height)
        return EINVAL;
    *framebuffer = (struct displif_framebuffer){request->fb_cookie, request->dbuf_cookie,  request->width,
                                                request->height,    request->pixel_format, format};
    return 0;
}

int displif_buffers_detach(struct displif_buffers *all, uint64_t cookie)
{
    struct displif_framebuffer *framebuffer = cookie ? find_framebuffer(all, cookie) : NULL;
    if (!framebuffer)
        return ENOENT;
    *framebuffer = (struct displif_framebuffer){0};
    return 0;
}

void displif_buffers_remember(const struct displif_buffers *all, struct remembered_displif *remembered)
{
    for (unsigned i = 0; i < DISPLIF_MAX_BUFFERS; i++) {
        const struct displif_buffer *b = &all->buffers[i];
        remembered->buffers[i] =
            (struct remembered_buffer){b->cookie, b->width, b->height, b->bits, b->bytes, b->offset, b->directory};
    }
    for (unsigned i = 0; i < DISPLIF_MAX_FRAMEBUFFERS; i++) {
        const struct displif_framebuffer *f = &all->framebuffers[i];
        remembered->framebuffers[i] =
            (struct remembered_framebuffer){f->cookie, f->buffer, f->width, f->height, f->fourcc, 0};
    }
}

void displif_buffers_restore(struct displif_buffers *all, uint32_t domid, const struct remembered_displif *remembered)
{
    for (unsigned i = 0; i < DISPLIF_MAX_BUFFERS; i++) {
        struct remembered_buffer b = remembered->buffers[i];
        struct xendispl_dbuf_create_req create = {.dbuf_cookie = b.cookie,
                                                  .width = b.width,
                                                  .height = b.height,
                                                  .bpp = b.bits,
                                                  .buffer_sz = b.bytes,
                                                  .data_ofs = b.offset,
                                                  .gref_directory = b.directory};
        if (b.cookie)
            displif_buffers_create(all, domid, &create);
    }
    for (unsigned i = 0; i < DISPLIF_MAX_FRAMEBUFFERS; i++) {
        struct remembered_framebuffer f = remembered->framebuffers[i];
        struct xendispl_fb_attach_req attach = {f.buffer, f.cookie, f.width, f.height, f.fourcc};
        if (f.cookie)
            displif_buffers_attach(all, &attach);
    }
}

void displif_buffers_clear(struct displif_buffers *all)
{
    for (unsigned i = 0; i < DISPLIF_MAX_BUFFERS; i++)
        if (all->buffers[i].cookie)
            displif_buffers_destroy(all, all->buffers[i].cookie);
    free(all->row_sums);
    *all = (struct displif_buffers){0};
}

int displif_buffers_image(const struct displif_buffers *all, uint64_t cookie, struct image *image)
{
    const struct displif_framebuffer *framebuffer = find_framebuffer((struct displif_buffers *)all, cookie);
    if (cookie == 0 || !framebuffer)
        return ENOENT;
    const struct displif_buffer *buffer = find_buffer((struct displif_buffers *)all, framebuffer->buffer);
    *image = (struct image){buffer->memory + buffer->offset, framebuffer->width, framebuffer->height,
                            buffer->width * (buffer->bits / 8), framebuffer->format};
    return 0;
}

bool displif_buffers_uses(const struct displif_buffers *all, uint64_t cookie, uint64_t buffer)
{
    const struct displif_framebuffer *framebuffer = find_framebuffer((struct displif_buffers *)all, cookie);
    return cookie != 0 && framebuffer && framebuffer->buffer == buffer;
}

// Any sum will do that changes when a pixel does.
static uint64_t row_sum(const uint8_t *row, size_t bytes)
{
    uint64_t sum = 0x9e3779b97f4a7c15;
    for (; bytes >= 8; bytes -= 8, row += 8) {
        uint64_t word;
        memcpy(&word, row, sizeof(word));
        sum = (sum ^ word) * 0xff51afd7ed558ccd;
        sum ^= sum >> 32;
    }
    for (; bytes > 0; bytes--, row++)
        sum = (sum ^ *row) * 0xff51afd7ed558ccd;
    return sum;
}

struct rect displif_buffers_scan(struct displif_buffers *all, const struct image *picture)
{
    if (all->row_count != picture->height) {
        free(all->row_sums);
        all->row_sums = calloc(picture->height, sizeof(*all->row_sums));
        all->row_count = all->row_sums ? picture->height : 0;
    }
    int32_t first = -1, last = -1;
    size_t bytes = (size_t)picture->width * pixel_size(picture->format);
    for (uint32_t y = 0; y < all->row_count; y++) {
        uint64_t sum = row_sum(picture->pixels + (size_t)y * picture->stride, bytes);
        if (sum == all->row_sums[y])
            continue;
        all->row_sums[y] = sum;
        first = first < 0 ? (int32_t)y : first;
        last = (int32_t)y;
    }
    if (first < 0)
        return (struct rect){0};
    return (struct rect){0, first, (int32_t)picture->width, last - first + 1};
}
