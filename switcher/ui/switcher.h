/* The switcher's window: header, the guests' cards, questions and notices. */
#ifndef RH_SWITCHER_H
#define RH_SWITCHER_H

#include "model.h"
#include "seat.h"

#include <gtk/gtk.h>

/* Brings a slot on screen by the quickest way there is. */
typedef void (*switch_to_fn)(guint slot, gpointer user);

struct switcher;

/* The window lives as long as the program; not shown yet. */
struct switcher *switcher_new(struct model *model, switch_to_fn switch_to, gpointer user);
GtkWindow *switcher_window(struct switcher *switcher);

/* Where small pictures of the guests' screens are to be had; without this there are none. */
void switcher_set_seat(struct switcher *switcher, struct seat *seat);

/* A picture has come; takes it over, NULL: the guest shows none. */
void switcher_set_picture(struct switcher *switcher, guint slot, cairo_surface_t *picture);

/* Asks whether the machine is to be powered off, unless it asks something already. */
void switcher_ask_power_off(struct switcher *switcher);

#endif
