/*
 * One guest in the switcher: colour, slot, name, state in words, facts, its last error and what can be done.
 */
#ifndef RH_GUEST_CARD_H
#define RH_GUEST_CARD_H

#include "model.h"

#include <gtk/gtk.h>

/* The user wants this of the guest; the receiver asks first where work could be lost. */
typedef void (*guest_card_wish_fn)(RhGuest1 *guest, enum guest_action action, gpointer user);

/* The user wants to see all there is to the guest. */
typedef void (*guest_card_more_fn)(RhGuest1 *guest, gpointer user);

/* A GtkFlowBoxChild. It follows the guest by guest_card_update only. */
GtkWidget *guest_card_new(RhGuest1 *guest, guest_card_wish_fn wish, guest_card_more_fn more, gpointer user);

/* The size of the preview in a card, in pixels; shown only where there is room (guest_card_show_preview). */
#define PREVIEW_WIDTH  360
#define PREVIEW_HEIGHT 225

/* Shows the guest as it is now; on_screen marks the slot that has the screen. */
void guest_card_update(GtkWidget *card, gboolean on_screen);

void guest_card_show_preview(GtkWidget *card, gboolean show);

/* The guest's screen in small, NULL: it has none. Keeps a reference of its own. */
void guest_card_set_picture(GtkWidget *card, cairo_surface_t *picture);

RhGuest1 *guest_card_guest(GtkWidget *card);

#endif
