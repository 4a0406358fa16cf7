/*
 * The page of the machine: how loud it and its guests are and who hears the microphone, which keys do what, the pool of
 * guests' disks, and what runs here. What roundhoused has no call for is not on it.
 */
#ifndef RH_MACHINE_VIEW_H
#define RH_MACHINE_VIEW_H

#include "../confirm.h"
#include "../errand.h"
#include "../model.h"

#include <gtk/gtk.h>

struct machine_view;

/* For the life of the program; closed: nothing is shown any more. */
struct machine_view *machine_view_new(struct model *model, struct errands *errands, struct confirm *confirm,
                                      void (*closed)(gpointer user), gpointer user);
GtkWidget *machine_view_widget(struct machine_view *view);

void machine_view_open(struct machine_view *view);
gboolean machine_view_is_open(struct machine_view *view);

/* The model has changed. */
void machine_view_update(struct machine_view *view);

/* A key of the window; TRUE: it was for the page. */
gboolean machine_view_key(struct machine_view *view, guint key, GdkModifierType modifiers);

#endif
