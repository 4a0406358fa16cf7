/*
 * The one place where roundhoused asks the policy. A table (policies/table.h) is checked whole before it counts, and
 * counts at once and for all: who asks has the answer of one table. One that is refused leaves the old one in force.
 *
 * No table has ever been there: whatever is asked is allowed, by no rule. The first one that was found could not be
 * used: all is denied, but that an administrator puts another one in force.
 *
 * Questions may come from any thread; what changes the table, from the main thread alone.
 */
#ifndef RH_POLICY_ASKER_H
#define RH_POLICY_ASKER_H

#include "facts.h"
#include "guest_config.h"
#include "table.h"

#define POLICY_PARTY_BYTES (GUEST_NAME_MAX + GUEST_CONTEXT_BYTES + 4)

struct policy_asker;

/* Who does it, or what it is done to. The texts are the caller's. */
struct policy_party {
    enum policy_category category; /* of a guest, a network, this machine and people */
    const char *name;              /* of a guest; of a network, its bridge's */
    const char *label;             /* of a guest, its setting; NULL: none */
};

struct policy_decision {
    enum policy_effect effect;
    enum policy_remember remember; /* of POLICY_ASK, and so is */
    guint32 seconds;               /* of POLICY_FOR_SECONDS */
    enum policy_verb verb;
    gboolean by_rule; /* a policy is in force, and rule is the one that decided */
    /* As the policy knows them, a guest with its name before it: "person", "work (desktop:untrusted)". */
    char subject[POLICY_PARTY_BYTES], object[POLICY_PARTY_BYTES];
    char rule[512]; /* "default.policy:29: deny any guest to ..." */
};

/* Tells the hypervisor of a table before it counts; FALSE with an error refuses it. NULL: nobody is told. */
typedef gboolean (*policy_tell_fn)(const void *table, gsize size, gpointer user, GError **error);

struct policy_asker *policy_asker_new(policy_tell_fn tell, gpointer user);
void policy_asker_free(struct policy_asker *asker);

/* Puts this table in force. FALSE with an RH_ERROR_BAD_CONFIG or what tell said, and nothing has changed. */
gboolean policy_asker_take(struct policy_asker *asker, const void *table, gsize size, GError **error);
/* The same of a file. One that is not there is an error only if a policy is in force. */
gboolean policy_asker_read(struct policy_asker *asker, const char *path, GError **error);

/* The name of the policy in force; "": there is none. The caller frees it. */
char *policy_asker_name(struct policy_asker *asker);
/* A copy of its table; NULL: there is none. */
GBytes *policy_asker_table(struct policy_asker *asker);

struct policy_decision policy_ask(struct policy_asker *asker, const struct policy_party *subject, enum policy_verb verb,
                                  const struct policy_party *object, const struct policy_facts *facts);

/*
 * What the policy knows this guest by, for the hypervisor; "" without a policy. FALSE with an RH_ERROR_BAD_CONFIG that
 * begins with "label:" and has the words that are known.
 */
gboolean policy_label(struct policy_asker *asker, const char *name, const char *label,
                      char context[GUEST_CONTEXT_BYTES], GError **error);

/* The number of a verb by its words, or POLICY_VERB_LIMIT; and its words, "" for a number that is none. */
enum policy_verb policy_verb_by_words(const char *words);
const char *policy_verb_text(enum policy_verb verb);
gboolean policy_allows_less(enum policy_effect a, enum policy_effect b);

#endif
