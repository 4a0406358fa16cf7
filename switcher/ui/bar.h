/*
 * The bar: a strip in the colour of the guest on screen, with its name and state, and buttons for the other
 * guests and the switcher. Over guests it is the seat that shows it; the keyboard stays with the guest.
 */
#ifndef RH_BAR_H
#define RH_BAR_H

#include "model.h"
#include "switcher.h"

#include <gtk/gtk.h>

#define BAR_HEIGHT 36

/* Not shown yet. */
GtkWindow *bar_new(struct model *model, switch_to_fn switch_to, gpointer user);

#endif
