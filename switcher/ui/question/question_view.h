/*
 * Questions of the policy over the switcher: a panel at its top, the oldest question first. It is part of the window,
 * takes neither keyboard nor pointer from what is below, and is answered by its buttons or, after F6, by keys; what
 * counts as an answer is in guard.h. Main thread only.
 */
#ifndef RH_QUESTION_VIEW_H
#define RH_QUESTION_VIEW_H

#include "../confirm.h"
#include "../model_questions.h"

#include <gtk/gtk.h>

struct question_view;

/* For the life of the program. Adds itself to the overlay, hidden; what comes later is above it. The confirm covers it
 * while that is open. */
struct question_view *question_view_new(struct model *model, GtkOverlay *overlay);
void question_view_attach(struct question_view *view, GtkWindow *window, struct confirm *confirm);

/* The model has changed, or the switcher has come on screen, or gone from it. */
void question_view_update(struct question_view *view, gboolean on_screen);

/* Each key of the window, before anybody else has it. TRUE: it was for the question, or for nobody. */
gboolean question_view_key(struct question_view *view, const GdkEventKey *event);

/* Gives the keyboard back, if it has it. */
void question_view_leave(struct question_view *view);

#endif
