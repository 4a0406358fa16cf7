/* The switcher's top line: emblem and name, free memory, clock, and the way to power the machine off. */
#ifndef RH_HEADER_H
#define RH_HEADER_H

#include "model.h"

#include <gtk/gtk.h>

struct header;

struct header *header_new(GCallback restart_clicked, GCallback power_off_clicked, gpointer user);
GtkWidget *header_widget(struct header *header);
void header_update(struct header *header, struct model *model);

#endif
