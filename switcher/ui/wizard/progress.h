/*
 * One guest that is being made: asked for, followed while it is copied and converted, started and brought on screen at
 * the end. It goes on when its page is closed, and in roundhoused also when the switcher ends; a new switcher shows the
 * job, but starts no guest of itself: somebody else may have asked for it.
 */
#ifndef RH_WIZARD_PROGRESS_H
#define RH_WIZARD_PROGRESS_H

#include "wizard_request.h"
#include "wizard_view.h"

struct progress;

struct progress_calls {
    void (*left)(gboolean back, gpointer user); /* the page is to be closed; back: to the answers, for it failed */
    switch_to_fn switch_to;
    gpointer switch_user;
};

/* Asks for the guest; the request is taken over. */
struct progress *progress_new(struct model *model, struct wizard_request *request, const struct progress_calls *calls,
                              gpointer user);

/* Follows a job that is there. */
struct progress *progress_of_job(struct model *model, RhJob1 *job, const struct progress_calls *calls, gpointer user);
void progress_free(struct progress *progress);

/* Its page, floating until it is put somewhere; lives as long as the progress. */
GtkWidget *progress_widget(struct progress *progress);
GtkWidget *progress_first(struct progress *progress); /* what has the keyboard first */

/* Whether its page is looked at: only then the guest comes on screen. */
void progress_set_shown(struct progress *progress, gboolean shown);

/* The model has changed. */
void progress_update(struct progress *progress);

gboolean progress_is_of(const struct progress *progress, RhJob1 *job);
gboolean progress_is_over(const struct progress *progress);

/* How long it is going to take, for people; the caller frees it. */
char *progress_time_words(int seconds);

#endif
