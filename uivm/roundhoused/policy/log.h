/*
 * What the policy denied, asked about, or allowed after a question: the newest of it, in a file of bounded size. Main
 * thread only.
 */
#ifndef RH_POLICY_LOG_H
#define RH_POLICY_LOG_H

#include "asker.h"

#define POLICY_LOG_ENTRIES 512

struct policy_log;

/* path: where it is kept over restarts. What is there and no log is left out. */
struct policy_log *policy_log_new(const char *path);
/* Writes what has not been written. */
void policy_log_free(struct policy_log *log);

/* outcome: "denied", "asked", "agreed", "refused" or "unanswered". The same once more is counted in its entry. */
void policy_log_add(struct policy_log *log, const struct policy_decision *decision, const char *outcome);

/* All, the oldest first: aa{sv} with time and last (t, seconds since 1970), count (u), outcome, subject, verb, object,
 * rule (s). A floating reference. */
GVariant *policy_log_entries(const struct policy_log *log);

#endif
