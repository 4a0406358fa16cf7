/*
 * The seat's side channel, roundhouse-seat-v1 over the same Wayland connection that GTK uses. Absent under
 * X11 and other compositors: then there is no bar over guests, and switching goes over D-Bus only.
 */
#ifndef RH_SEAT_H
#define RH_SEAT_H

#include <gtk/gtk.h>

struct seat;

struct seat_callbacks {
    /* The slot on screen; 0 is the switcher. */
    void (*focus_changed)(guint slot, gpointer user);
    /*
     * A small picture of a guest's screen, asked for by seat_thumbnail; NULL: it has none. The receiver's to
     * keep.
     */
    void (*thumbnail)(guint slot, cairo_surface_t *picture, gpointer user);
    /* The machine's power button was pressed, and the switcher is on screen. */
    void (*power_button)(gpointer user);
};

/* NULL where there is no roundhouse seat. */
struct seat *seat_new(const struct seat_callbacks *callbacks, gpointer user);
void seat_free(struct seat *seat);

/* Both before the window is first shown; realizes it. */
void seat_set_switcher(struct seat *seat, GtkWindow *window);
void seat_set_bar(struct seat *seat, GtkWindow *window, guint height);

/* Asks for a small picture of a guest's screen; does nothing while one for that slot is under way. */
void seat_thumbnail(struct seat *seat, guint slot, guint width, guint height);

void seat_focus(struct seat *seat, guint slot);
void seat_show_bar(struct seat *seat, gboolean show);
gboolean seat_bar_is_shown(const struct seat *seat);

#endif
