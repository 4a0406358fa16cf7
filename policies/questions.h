/*
 * Questions of people about a policy: what may who do, why, what would change, and does it keep its promises.
 */
#ifndef POLICIES_QUESTIONS_H
#define POLICIES_QUESTIONS_H

#include "model.h"

struct policy_compiled {
    struct policy *policy;
    GByteArray *bytes;
    struct policy_table table;
};

/* Reads and compiles; messages go to standard error. False if there are errors; then there is nothing to free. */
bool policy_open(struct policy_compiled *compiled, const char *path);
void policy_close(struct policy_compiled *compiled);

/* What main returns: 0, or 1 after a message. Their texts go to standard output. */
int policy_explain(const char *path, const char *subject, const char *verb, const char *object);
int policy_diff(const char *before, const char *after);
/* Expectations: see GRAMMAR.md. */
int policy_test(const char *path);

/* "allow", "ask, remember for 8 hours": a chain of a table in words, without the rules it comes from. To be freed. */
char *policy_chain_text(const struct policy_table *table, uint32_t first);
uint32_t policy_chain(const struct policy_table *table, uint32_t subject, unsigned verb, uint32_t object);

#endif
