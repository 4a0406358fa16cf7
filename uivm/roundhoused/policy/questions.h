/*
 * What a rule wants a person to be asked: each question is an object /org/roundhouse/questions/NUMBER with
 * org.roundhouse.Question1, which the switcher shows and answers. No answer in time is a no; so is a question too many.
 * What was agreed to is kept as long as its rule says; of two answers to the same the last counts. Main thread only.
 */
#ifndef RH_POLICY_QUESTIONS_H
#define RH_POLICY_QUESTIONS_H

#include "asker.h"
#include "authority.h"
#include "log.h"

#define POLICY_QUESTIONS_MAX    16  /* at a time */
#define POLICY_QUESTIONS_OF_ONE 4   /* user, so that others have room */
#define POLICY_ANSWERS_MAX      256 /* that are kept; more push the oldest out */

struct policy_questions;

/* path: where answers are kept that outlast the service. */
struct policy_questions *policy_questions_new(GDBusObjectManagerServer *objects, struct authority *authority,
                                              struct policy_log *log, const char *path);
/* Takes all off the bus; those who wait are told no. */
void policy_questions_free(struct policy_questions *questions);

/* Whether somebody has agreed to this, and it still counts. */
gboolean policy_questions_agreed(const struct policy_questions *questions, const struct policy_decision *decision);

/* Somebody who may answer has done it himself, which is a yes. */
void policy_questions_agree(struct policy_questions *questions, const struct policy_decision *decision);

/* Once: error NULL: somebody said yes to this. */
typedef void (*policy_answered_fn)(gpointer user, const struct policy_decision *decision, const GError *error);

/* Asks, for the user uid. FALSE with an RH_ERROR_NOT_AGREED: there are too many questions; answered is not called. */
gboolean policy_questions_put(struct policy_questions *questions, const struct policy_decision *decision, guint32 uid,
                              policy_answered_fn answered, gpointer user, GError **error);
/* Nobody waits for it any more: what was put with this user. */
void policy_questions_withdraw(struct policy_questions *questions, gpointer user);

/* Another policy has come: who waits is told no, and may ask again. */
void policy_questions_end_all(struct policy_questions *questions);

/* A guest has stopped: what was agreed until then is over. */
void policy_questions_guest_stopped(struct policy_questions *questions, const char *name);
/* A guest is no more: whatever was agreed of it is over. */
void policy_questions_guest_gone(struct policy_questions *questions, const char *name);

#endif
