/* The switcher's looks: one style sheet, and the guests' own colours on top of it. */
#ifndef RH_STYLE_H
#define RH_STYLE_H

#include "model.h"

#include <gtk/gtk.h>

/* Loads the style sheet for the whole program. */
void style_init(void);

/*
 * Gives each guest's class the guest's colour, and "on-screen" that of the slot on screen.
 */
void style_set_colours(struct model *model);

/* The guest's class; the caller frees it. */
char *style_guest_class(RhGuest1 *guest);

/* Adds or removes a style class. */
void style_toggle(GtkWidget *widget, const char *class_name, gboolean on);

/* An empty label of that class; align: 0 left, 1 right. */
GtkWidget *style_label(const char *class_name, float align);

#endif
