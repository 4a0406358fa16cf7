/* Below the cards: the ways to a new guest and to the machine's settings, and a button for each guest that is being
 * made. */
#ifndef RH_ADDITIONS_H
#define RH_ADDITIONS_H

#include "model.h"

#include <gtk/gtk.h>

struct additions;

struct additions_calls {
    void (*add)(gpointer user);
    void (*settings)(gpointer user);
    void (*install)(gpointer user); /* NULL: nothing can be installed from here */
    void (*show)(RhJob1 *job, gpointer user);
};

struct additions *additions_new(const struct additions_calls *calls, gpointer user);
GtkWidget *additions_widget(struct additions *additions);

/* As the model is; shown: there is room for it now. */
void additions_update(struct additions *additions, struct model *model, gboolean shown);

/* The keyboard goes to the way by which somebody has come from another page. */
void additions_focus(struct additions *additions, gboolean settings);

#endif
