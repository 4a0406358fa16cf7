// The display buffers (granted memory) and framebuffers (ways to look at it) that a displif guest has made.
// Bounded in number and in memory. Errors are errno values, 0 for success.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "damage.h"
#include "pixels.h"

struct xendispl_dbuf_create_req;
struct xendispl_fb_attach_req;
struct remembered_displif;

enum { DISPLIF_MAX_BUFFERS = 16, DISPLIF_MAX_FRAMEBUFFERS = 32, DISPLIF_MAX_BYTES = 256 << 20 };

struct displif_buffer {
    uint64_t cookie; // 0: free
    const uint8_t *memory;
    size_t pages;
    uint32_t width, height, bits, bytes, offset, directory;
};

struct displif_framebuffer {
    uint64_t cookie; // 0: free
    uint64_t buffer; // cookie
    uint32_t width, height, fourcc;
    enum pixel_format format;
};

struct displif_buffers {
    struct displif_buffer buffers[DISPLIF_MAX_BUFFERS];
    struct displif_framebuffer framebuffers[DISPLIF_MAX_FRAMEBUFFERS];
    size_t total_bytes, max_bytes; // of all buffers; of one
    uint64_t *row_sums;            // of the picture at the last scan
    uint32_t row_count;
};

// Buffers may hold two screens of that size and a little, all together DISPLIF_MAX_BYTES: mapping takes time.
void displif_buffers_limit(struct displif_buffers *all, uint32_t width, uint32_t height);

int displif_buffers_create(struct displif_buffers *all, uint32_t domid, const struct xendispl_dbuf_create_req *request);
int displif_buffers_destroy(struct displif_buffers *all, uint64_t cookie); // and its framebuffers
int displif_buffers_attach(struct displif_buffers *all, const struct xendispl_fb_attach_req *request);
int displif_buffers_detach(struct displif_buffers *all, uint64_t framebuffer);
void displif_buffers_clear(struct displif_buffers *all);

// For the next seat; and what of it can be had again, as if the guest asked anew.
void displif_buffers_remember(const struct displif_buffers *all, struct remembered_displif *remembered);
void displif_buffers_restore(struct displif_buffers *all, uint32_t domid, const struct remembered_displif *remembered);

// What a framebuffer shows.
int displif_buffers_image(const struct displif_buffers *all, uint64_t framebuffer, struct image *image);
bool displif_buffers_uses(const struct displif_buffers *all, uint64_t framebuffer, uint64_t buffer);

// The rows of the picture that differ from the last call's, as one band; all of them after a change of size.
struct rect displif_buffers_scan(struct displif_buffers *all, const struct image *picture);
