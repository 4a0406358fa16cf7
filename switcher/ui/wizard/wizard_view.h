/*
 * The wizard's pages on screen: one question at a time, in the middle of the switcher's window. All is done by keyboard
 * too: Tab and arrows choose, Enter goes on, Escape goes back.
 */
#ifndef RH_WIZARD_VIEW_H
#define RH_WIZARD_VIEW_H

#include "../model.h"
#include "../switcher.h"

#include <gtk/gtk.h>

struct wizard_view;

struct wizard_view_calls {
    void (*closed)(gpointer user); /* nothing is to be shown any more */
    void (*failed)(const char *sentence, gpointer user);
    switch_to_fn switch_to;
};

/* For the life of the program. */
struct wizard_view *wizard_view_new(struct model *model, const struct wizard_view_calls *calls, gpointer user);
GtkWidget *wizard_view_widget(struct wizard_view *view);

/* Begins with a new guest, or with showing how far another one is, that is being made already. */
void wizard_view_open(struct wizard_view *view);
void wizard_view_open_job(struct wizard_view *view, RhJob1 *job);
gboolean wizard_view_is_open(struct wizard_view *view);

/* The model has changed. */
void wizard_view_update(struct wizard_view *view);

/* A key of the window; TRUE: it was for the wizard. */
gboolean wizard_view_key(struct wizard_view *view, guint key);

#endif
