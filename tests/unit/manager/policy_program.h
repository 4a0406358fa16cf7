/* What tests of the service with a policy have in common. */
#ifndef RH_TEST_POLICY_PROGRAM_H
#define RH_TEST_POLICY_PROGRAM_H

#include "service.h"

#define WORK   "/org/roundhouse/guests/work"
#define GUEST  "org.roundhouse.Guest1"
#define DENIED "org.roundhouse.Error.DeniedByPolicy"
#define UNSAID "org.roundhouse.Error.NotAgreed"

/* The real roundhouse-policy, whose path is in the environment as ROUNDHOUSE_POLICY. arguments: the first is its
 * command, up to NULL. What it prints; NULL: it failed. */
char *run_policy_program(const char *const *arguments);

/* A policy's text into a table, which appears as a whole. */
void compile_policy(const char *policy, const char *table);

/* Puts a policy where the service looks: called test, with a label untrusted, and by these rules, from line 6 on; or
 * one that comes with Roundhouse. */
void put_policy(struct fixture *fixture, const char *rules);
void put_shipped_policy(struct fixture *fixture, const char *name);

/* Starts the guest work. NULL: it runs. */
GError *try_start(void);

/* Whether the policy's log has an entry like this; rule: a part of it. */
gboolean log_has(struct fixture *fixture, const char *outcome, const char *verb, const char *rule);

#endif
