/*
 * A policy as its text says it: statements of all files in order, what they declare, and the rules. Made by
 * policy_read(), which reports every mistake and goes on; only a policy without any is compiled. All texts belong to
 * the policy (policy->texts) and live as long.
 */
#ifndef POLICIES_MODEL_H
#define POLICIES_MODEL_H

#include <glib.h>
#include <stdbool.h>

#include "table.h"

/* Bounds of the text: a policy is a page or a few, and who writes one may be wrong about anything. */
enum {
    POLICY_MAX_TEXT = 256 * 1024,
    POLICY_MAX_FILES = 64,
    POLICY_MAX_DEPTH = 8,
    POLICY_MAX_ERRORS = 20,
    POLICY_MAX_NAME = 63,
    POLICY_MAX_LABELS = 64,
    POLICY_MAX_TERMS = 64, /* of the list of a rule's subjects, or its objects */
};

struct policy_source {
    const char *path; /* as opened, and as messages name it */
    const char *text; /* UTF-8 */
};

struct policy_word {
    const char *text;
    unsigned line, column; /* from 1, in characters */
    bool quoted;
};

struct policy_statement {
    const struct policy_source *source;
    struct policy_word *words; /* count of them, and one more, empty, behind the last: where the statement ends */
    unsigned count;
};

/* What can be a subject or an object; the place in the list is its number in the table. */
struct policy_identity {
    enum policy_category category;
    unsigned class;   /* 0 for none */
    const char *name; /* "" for none */
    const char *label;
    const char *context; /* for machines: "desktop:work" */
    const char *phrase;  /* for people: "desktop labelled work" */
    uint32_t vendor, model;
    const char *port;
};

/* Which identities a word of a rule means: all whose category and class are in the sets, with that label and that name.
 */
struct policy_term {
    uint32_t categories;
    uint32_t classes;  /* 0: any, or none */
    const char *label; /* NULL: any, or none */
    const char *name;  /* NULL: any, or none */
};

struct policy_when {
    bool only;
    uint16_t required, excluded;
    uint16_t from, until;
};

struct policy_rule {
    enum policy_effect effect;
    enum policy_remember remember;
    uint32_t seconds;
    struct policy_when when;
    GArray *subjects; /* of struct policy_term */
    GArray *objects;
    uint64_t verbs; /* bit for each */
    const struct policy_source *source;
    unsigned line, column;
    const char *text;
};

struct policy {
    const char *name;
    GStringChunk *texts;
    GPtrArray *sources;    /* struct policy_source */
    GPtrArray *statements; /* struct policy_statement */
    GPtrArray *labels;     /* const char * */
    GArray *identities;    /* struct policy_identity */
    GArray *rules;         /* struct policy_rule */
    GPtrArray *messages;   /* char *: errors, each whole */
    unsigned warnings;     /* of the messages */
};

/* Reads a policy and all it includes. Never NULL; good if policy_is_good(). */
struct policy *policy_read(const char *path);
/* Its statements only, whatever they are. */
struct policy *policy_read_statements(const char *path);
void policy_free(struct policy *policy);
bool policy_is_good(const struct policy *policy);

/* a, an, the: they are for the reader. */
bool policy_is_article(const char *text);
/* Is that word there, and not quoted? */
bool policy_has(const struct policy_statement *s, unsigned at, const char *text);
/* The words [from, until) as a person writes them. To be freed. */
char *policy_join(const struct policy_statement *statement, unsigned from, unsigned until);

/* declare.c: what guests, labels, devices and networks there are. */
void policy_declare(struct policy *policy);
const struct policy_identity *policy_identity(const struct policy *policy, unsigned number);
/* The number of what a phrase ("desktop labelled work") or a context ("desktop:work") means; 0 if nothing. */
unsigned policy_find(const struct policy *policy, const char *phrase);

/* rule.c */
void policy_read_rules(struct policy *policy);
/* The verb that stands at *at, which is moved behind it; -1 if none does. The longest that fits. */
int policy_read_verb(const struct policy_statement *statement, unsigned *at);
/* Conditions, `on screen and not locked and between 08:00 and 18:00`, from *at to where they end. */
bool policy_read_conditions(struct policy *policy, const struct policy_statement *statement, unsigned *at,
                            struct policy_when *when);
bool policy_read_clock(const char *text, uint16_t *minute);
bool policy_term_matches(const struct policy_term *term, const struct policy_identity *identity);

/* message.c: FILE:LINE:COLUMN: what is wrong, then the line and a mark under the place. `meant`, or NULL: one of these
 * words was meant, if one is near. */
void policy_error(struct policy *policy, const struct policy_statement *statement, unsigned word,
                  const char *const *meant, const char *format, ...) G_GNUC_PRINTF(5, 6);
void policy_error_at(struct policy *policy, const struct policy_source *source, unsigned line, unsigned column,
                     const char *format, ...) G_GNUC_PRINTF(5, 6);
void policy_warning(struct policy *policy, const struct policy_rule *rule, const char *format, ...) G_GNUC_PRINTF(3, 4);
const char *policy_nearest(const char *word, const char *const *candidates);

/* words.c: the lists of words.h by number. */
struct policy_verb_words {
    const char *words;
    uint32_t subjects, objects;
    enum policy_enforcer enforcer;
    const char *text;
    bool known;
};
struct policy_class_words {
    const char *words; /* NULL where there is no class of that number */
    enum policy_category category;
};
extern const struct policy_verb_words policy_verbs[POLICY_VERB_LIMIT];
extern const struct policy_class_words policy_classes[POLICY_CLASS_LIMIT];
extern const char *const policy_conditions[];                /* by bit, NULL at the end */
extern const char *const policy_effects[POLICY_EFFECTS + 1]; /* NULL at the end */
/* One more than the highest number of a verb. */
unsigned policy_verb_count(void);
bool policy_verb_names_object(unsigned verb);
/* "a guest, the laptop": of a set of categories. To be freed. */
char *policy_categories_text(uint32_t categories);
/* Tables of the words for the manual, and the completion of the command for bash: to standard output. */
void policy_print_words(void);
void policy_print_completion(void);

/* compile.c: the bytes of a table; NULL with messages if the policy does not fit one, or would stop the machine. */
GByteArray *policy_compile(struct policy *policy);

#endif
