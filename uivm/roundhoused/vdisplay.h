// The guests' screens, keyboards, pointers and sound cards, toolstack side: makes the xenstore nodes of vfb or vdispl,
// of vkbd and of vsnd, plays the backend's half of the XenBus handshake, and hands rings and event channels to the
// seat, which does the drawing and the typing, and to the sound process, which plays. Runs on the default GMainContext;
// not thread-safe; no call blocks on a guest or on those two. They may start later, stop, and come back: what they
// missed is told again.
//
// xenstore node formats: xen/io/fbif.h, xen/io/kbdif.h, xen/io/displif.h, xen/io/sndif.h; states: xen/io/xenbus.h.
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "roundhouse_guest.h"

struct vdisplay;

typedef void vdisplay_focus_fn(unsigned slot, void *data);
typedef void vdisplay_lost_fn(uint32_t domid, void *data);
typedef void vdisplay_sound_fn(unsigned volume, unsigned microphone, void *data);

// Opens xenstore and starts to connect to the seat; NULL and *error when xenstore or privcmd cannot be
// opened. A seat that does not answer yet is no error. After a restart of roundhoused add the guests that
// still run before the main loop goes on: the seat then keeps them connected.
struct vdisplay *vdisplay_new(const char *seat_socket_path, const char *sound_socket_path, GError **error);
void vdisplay_free(struct vdisplay *vd);

// Called from the main loop when the device model of a guest with GUEST_DISPLAY_VGA has ended: the guest cannot go on.
// The callback may remove the guest.
void vdisplay_set_lost_callback(struct vdisplay *vd, vdisplay_lost_fn *callback, void *data);

// Called from the main loop when the seat shows something else: slot 0 the switcher, 1..9 a guest.
void vdisplay_set_focus_callback(struct vdisplay *vd, vdisplay_focus_fn *callback, void *data);

// Call between the domain's creation (paused) and its unpause; also for a running domain after a restart.
// Makes the device nodes unless they are there already. `name` is cut to 63 bytes; rgb is 0xRRGGBB; slot
// is 1..9. False and *error when the slot is taken by another domain or xenstore refuses.
bool vdisplay_add_guest(struct vdisplay *vd, unsigned slot, uint32_t domid, const char *name, uint32_t rgb,
                        enum guest_display kind, GError **error);

// Right after vdisplay_add_guest(), and again when the rule changes: how the guest is heard, and whether it has a card
// of Xen's kind. False and *error when xenstore refuses; then vdisplay_remove_guest() is the caller's.
bool vdisplay_add_sound(struct vdisplay *vd, uint32_t domid, enum guest_sound sound, uint32_t volume, bool card,
                        GError **error);

// Removes the guest's nodes and its place on the seat; harmless for an unknown domain. Call it when the
// domain stops, before or after libxl destroyed it; the seat then unmaps the guest's memory, so that the
// domain's last pages can be freed.
void vdisplay_remove_guest(struct vdisplay *vd, uint32_t domid);

// What of the guest the seat shows outside its picture, a set of enum guest_sign; harmless for an unknown domain. The
// seat is told GUEST_SIGN_MICROPHONE beside them while the sound process says so.
void vdisplay_set_signs(struct vdisplay *vd, uint32_t domid, uint32_t signs);

// Asks the seat to show a slot. False and *error when no guest sits there or the seat is not connected.
bool vdisplay_focus(struct vdisplay *vd, unsigned slot, GError **error);

// The machine's volume (0..LINK_VOLUME_MAX), and the slot whose guest hears the microphone (0: nobody), for a person
// who wants that. False and *error while there is no sound process; a volume is then told to the next one.
bool vdisplay_set_volume(struct vdisplay *vd, uint32_t volume, GError **error);
bool vdisplay_set_microphone(struct vdisplay *vd, unsigned slot, GError **error);
// Called from the main loop with what is, whenever that changes, and now and then when it does not.
void vdisplay_set_sound_callback(struct vdisplay *vd, vdisplay_sound_fn *callback, void *data);

// XRGB8888 without gaps; NULL and 0 by 0: the guest has none, or it cannot be had. Borrowed.
typedef void vdisplay_picture_fn(GBytes *pixels, unsigned width, unsigned height, void *data);

// The guest's picture as the seat has it now, at most so large (1..LINK_PICTURE_MAX); done is called once, from the
// main loop. One at a time of a guest: false and *error otherwise, and then done is not called.
bool vdisplay_picture(struct vdisplay *vd, uint32_t domid, unsigned width, unsigned height, vdisplay_picture_fn *done,
                      void *data, GError **error);

// Whether a seat is connected and has answered.
bool vdisplay_seat_present(const struct vdisplay *vd);

// The size of the seat's screen in pixels, as the seat last said; a common one before that.
void vdisplay_screen(const struct vdisplay *vd, uint32_t *width, uint32_t *height);
