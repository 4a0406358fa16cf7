// One KMS pipeline: a connector, a CRTC, its primary plane, and dumb framebuffers. Thin: every function is
// one or a few ioctls. Atomic where the driver has it, legacy otherwise; callers see no difference.
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <xf86drmMode.h>

#include "damage.h"
#include "pixels.h"

struct kms_plane_properties {
    uint32_t fb_id, crtc_id, src_x, src_y, src_w, src_h, crtc_x, crtc_y, crtc_w, crtc_h;
    uint32_t fb_damage_clips; // 0 when the driver has none
};

struct kms {
    int fd;
    bool atomic;
    uint32_t connector, crtc, plane;
    unsigned crtc_index;
    uint32_t connector_crtc_id, crtc_mode_id, crtc_active; // property ids
    struct kms_plane_properties properties;
    drmModeModeInfo mode;
};

struct kms_framebuffer {
    uint32_t handle, id;
    size_t size;
    struct canvas canvas;
};

// Finds a connected connector with a mode and a CRTC for it; width and height of 0 ask for the preferred
// mode, otherwise the mode of that size or, failing that, the preferred one. False when no screen is
// connected. `fd` stays the caller's.
bool kms_find(struct kms *kms, int fd, uint32_t width, uint32_t height, bool force_legacy);

// A cleared XRGB8888 buffer in the mode's size; false with errno.
bool kms_framebuffer_create(const struct kms *kms, struct kms_framebuffer *framebuffer);
void kms_framebuffer_destroy(const struct kms *kms, struct kms_framebuffer *framebuffer);
// A buffer that another process made, under that number and with that picture: it has the mode's size, or this fails.
// `fd` must have the right to the screen.
bool kms_framebuffer_adopt(const struct kms *kms, uint32_t id, struct kms_framebuffer *framebuffer);
// It goes when nobody has the card open any more, and stays on screen until then.
void kms_framebuffer_leave(struct kms_framebuffer *framebuffer);

// What a process before this one left on the same descriptor.
enum { KMS_LEFTOVERS = 8 };
struct kms_leftovers {
    unsigned count;
    uint32_t ids[KMS_LEFTOVERS]; // of framebuffers
};

// Call it before anything is made on the descriptor. Its framebuffers stay, for one of them may be on screen.
struct kms_leftovers kms_inherit(int fd);
void kms_remove(const struct kms *kms, struct kms_leftovers *leftovers);
// The framebuffers that were made on a descriptor.
struct kms_leftovers kms_left_on(int fd);
// Which framebuffer is on screen; 0: none.
uint32_t kms_shown(const struct kms *kms);

// Sets the mode and shows the framebuffer; blocks until done. False with errno. Falls back from atomic to
// legacy.
bool kms_set_mode(struct kms *kms, const struct kms_framebuffer *framebuffer);

// Shows another framebuffer at the next vertical blank and then sends the page flip event with `data`. False
// with errno.
bool kms_flip(const struct kms *kms, const struct kms_framebuffer *framebuffer, const struct damage *drawn, void *data);
