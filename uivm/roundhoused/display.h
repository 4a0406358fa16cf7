/*
 * The guests' screens as guest.c and manager.c see them. display_broker.c does it with the display broker and
 * the seat; tests link display_fake.c.
 */
#ifndef RH_DISPLAY_H
#define RH_DISPLAY_H

#include "guest_config.h"

#include <gio/gio.h>

struct display;

struct display_callbacks {
    /* The seat has come (it shows a picture) or has gone. */
    void (*seat_changed)(gboolean present, gpointer user);
    /* The slot on screen has changed; 0 is the switcher. */
    void (*focus_changed)(guint slot, gpointer user);
    /* The machine's volume (percent), and the slot that hears the microphone (0: nobody), may have changed. */
    void (*sound_changed)(guint volume, guint microphone, gpointer user);
    /* The process that emulates the domain's devices has ended, and so has the domain's use. */
    void (*devices_lost)(int domid, gpointer user);
};

struct display *display_new(const char *seat_socket, const char *sound_socket,
                            const struct display_callbacks *callbacks, gpointer user, GError **error);
void display_free(struct display *display);

gboolean display_seat_present(struct display *display);

/* The seat's screen; before the seat has come, a common size. */
struct guest_screen display_screen(struct display *display);

/* Offers a domain its screen, keyboard, pointer and sound card in this slot: after its creation, before it runs. */
gboolean display_add_guest(struct display *display, const struct guest_config *config, guint slot, int domid,
                           GError **error);
/* Takes them away and lets go of the domain's memory: before it is destroyed. */
void display_remove_guest(struct display *display, int domid);

/*
 * What of a domain a person must see whatever it draws: a set of enum guest_sign, none of them at first. That it hears
 * the microphone the seat is told without this.
 */
void display_set_signs(struct display *display, int domid, guint signs);

/* XRGB8888 without gaps, borrowed; NULL and 0 by 0: it has no picture, or it cannot be had. */
typedef void (*display_picture_fn)(GBytes *pixels, guint width, guint height, gpointer data);

/*
 * What a domain shows just now, whether it is on screen or not: no larger than this (1..DISPLAY_PICTURE_MAX). done is
 * called once, unless this is FALSE, with an RH_ERROR_DISPLAY.
 */
#define DISPLAY_PICTURE_MAX 4096
gboolean display_picture(struct display *display, int domid, guint width, guint height, display_picture_fn done,
                         gpointer data, GError **error);

/* Asks for a slot to be brought on screen; focus_changed tells when it is. */
gboolean display_focus(struct display *display, guint slot, GError **error);

/* Asks for a volume of the machine, or that the slot's guest hears the microphone; sound_changed tells. */
gboolean display_set_volume(struct display *display, guint percent, GError **error);
gboolean display_set_microphone(struct display *display, guint slot, GError **error);

#endif
