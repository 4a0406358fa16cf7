/* The real roundhouse-policy, whose path is in the environment as ROUNDHOUSE_POLICY. */
#ifndef RH_TEST_POLICY_PROGRAM_H
#define RH_TEST_POLICY_PROGRAM_H

/* arguments: of the program, the first being its command, up to NULL. What it prints; NULL: it failed. */
char *run_policy_program(const char *const *arguments);

/* A policy's text into a table, which appears as a whole. */
void compile_policy(const char *policy, const char *table);

#endif
