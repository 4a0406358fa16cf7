/* The switcher's window: header, the guests' cards, questions and notices. */
#ifndef RH_SWITCHER_H
#define RH_SWITCHER_H

#include "model.h"
#include "seat.h"

#include <gtk/gtk.h>

/* Brings a slot on screen by the quickest way there is. */
typedef void (*switch_to_fn)(guint slot, gpointer user);

/* The window lives as long as the program; not shown yet. */
GtkWindow *switcher_new(struct model *model, switch_to_fn switch_to, gpointer user);

#endif
