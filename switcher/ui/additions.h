/* Below the cards: the way to a new guest, and a button for each one that is being made. */
#ifndef RH_ADDITIONS_H
#define RH_ADDITIONS_H

#include "model.h"

#include <gtk/gtk.h>

struct additions;

struct additions *additions_new(void (*add)(gpointer user), void (*show)(RhJob1 *job, gpointer user), gpointer user);
GtkWidget *additions_widget(struct additions *additions);

/* As the model is; shown: there is room for it now. */
void additions_update(struct additions *additions, struct model *model, gboolean shown);
void additions_focus(struct additions *additions);

#endif
