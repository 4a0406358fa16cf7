/*
 * What the switcher knows: roundhoused's objects as live proxies, kept complete and in order while the
 * service and its guests come and go. Main thread only.
 */
#ifndef RH_MODEL_H
#define RH_MODEL_H

#include "roundhouse_dbus.h"
#include "roundhouse_guest.h"

#include <gio/gunixfdlist.h>

#define MODEL_JOBS_PATH "/org/roundhouse/jobs/" /* begins the paths of jobs */

struct model;

/* Something is different; told at most once per turn of the main loop. */
typedef void (*model_changed_fn)(gpointer user);

/* A request has failed; the sentence is for the user. */
typedef void (*model_failed_fn)(const char *sentence, gpointer user);

struct model *model_new(void);
void model_free(struct model *model);

void model_observe(struct model *model, model_changed_fn changed, gpointer user);
void model_set_failed(struct model *model, model_failed_fn failed, gpointer user);

/* NULL while roundhoused is not there. */
RhManager1 *model_manager(struct model *model);

/* The slot on screen, 0: the switcher. As the seat last said, where there is one; otherwise as roundhoused
 * says. */
guint model_focused(struct model *model);
void model_set_focused(struct model *model, guint slot);

/* RhGuest1 proxies, smallest slot first, those without one behind; the model's own. */
GPtrArray *model_guests(struct model *model);

/* RhJob1 proxies of guests that are being made, and of those whose making has ended lately; the model's own. */
GPtrArray *model_jobs(struct model *model);

/* By the path of its object, a job of any kind; NULL: it is not there, or not yet. */
RhJob1 *model_find_job(struct model *model, const char *path);
RhGuest1 *model_find_guest(struct model *model, const char *path);

/* The guest with its screen in the slot; otherwise the one whose slot it is; NULL: none. */
RhGuest1 *model_guest_in_slot(struct model *model, guint slot);

/* The switcher is on screen: roundhoused is told, now and whenever it comes back. */
void model_set_shown(struct model *model);

gboolean guest_is(RhGuest1 *guest, enum guest_state state);

/* Whether there is something to bring on screen. */
gboolean guest_is_live(RhGuest1 *guest);

enum guest_action {
    ACTION_START,
    ACTION_SHUTDOWN,
    ACTION_REBOOT,
    ACTION_DESTROY,
    ACTION_PAUSE,
    ACTION_UNPAUSE,
    ACTION_SUSPEND,
    ACTION_SWITCH
};

/* Ask roundhoused; a failure comes back through model_set_failed's function. */
void model_act(struct model *model, RhGuest1 *guest, enum guest_action action);
void model_set_settings(struct model *model, RhGuest1 *guest, GVariant *arguments);
void model_cancel_job(struct model *model, RhJob1 *job);

/* Asks for CreateGuest with these arguments; the answer is the job's path, or NULL and a sentence. */
typedef void (*model_created_fn)(const char *job, const char *sentence, gpointer user);
void model_create(struct model *model, GVariant *arguments, GUnixFDList *files, model_created_fn created,
                  gpointer user);

void model_show_switcher(struct model *model);
void model_power_off(struct model *model);
void model_restart(struct model *model);

#endif
