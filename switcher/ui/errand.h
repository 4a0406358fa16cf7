/*
 * Requests to roundhoused, each from its call to its end: of the call, or of the job that it has begun. A request goes
 * on when nobody waits for it any more. Main thread only.
 */
#ifndef RH_ERRAND_H
#define RH_ERRAND_H

#include "model.h"

struct errands;
struct errand;

/* For the life of the program; failed: what went wrong of those that nobody waits for. */
struct errands *errands_new(struct model *model, model_failed_fn failed, gpointer user);

/* The model has changed: jobs may have ended. */
void errands_update(struct errands *errands);

/*
 * The errand is over, and gone. sentence: why it failed, for the user; NULL: it did not, and this is the answer, which
 * is NULL after a job.
 */
typedef void (*errand_done_fn)(GVariant *answer, const char *sentence, gpointer user);

/* The parameters may float; the files are NULL where there are none. */
struct errand *errand_begin(struct errands *errands, gpointer proxy, const char *method, GVariant *parameters,
                            GUnixFDList *files, errand_done_fn done, gpointer user);

/* Nobody waits for it any more: done is not called. NULL is none. */
void errand_leave(struct errand *errand);

/* How far its job is, 0 to 1; below 0: that is not known. */
double errand_progress(const struct errand *errand);

#endif
