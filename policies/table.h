/*
 * A compiled policy, and the one reader of it: hypervisor, services, seat and sound ask the same bytes. Plain C: no
 * allocation, no locale, no state. A table is checked whole once, by policy_table_load(); after that a question takes
 * the same few steps whatever the policy says, and reads nothing outside the bytes that were checked. Files: GRAMMAR.md
 * tells what a policy means, compile.c writes this, tests/unit/policies tries both against each other.
 *
 * The file, little-endian, without gaps: struct policy_file, then the arrays in the order of its counts, then the
 * strings. Whoever changes any of it raises POLICY_FILE_VERSION.
 */
#ifndef POLICIES_TABLE_H
#define POLICIES_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "words.h"

#define POLICY_FILE_MAGIC   0x5943494c4f504852ULL /* "RHPOLICY" */
#define POLICY_FILE_VERSION 1

/* Bounds of a table; a policy that needs more does not compile, a file that has more does not load. */
enum {
    POLICY_MAX_IDENTITIES = 2048,
    POLICY_MAX_STEPS = 16384,
    POLICY_MAX_CHAIN =
        8, /* steps of one answer: rules of which some depend on the moment, and the last, which does not */
    POLICY_MAX_RULES = 2048,
    POLICY_MAX_DEVICES = 1024,
    POLICY_MAX_CELLS = 1 << 18,
    POLICY_MAX_STRINGS = 1 << 18,
    POLICY_MAX_FILE = 1 << 20,
};

#define POLICY_ANY_ID 0xffffffffU /* vendor or model of a device that may be any */

enum policy_effect {
    POLICY_DENY,
    POLICY_ALLOW,
    POLICY_ASK,
    POLICY_EFFECTS,
};

/* How long the answer to a question is good. */
enum policy_remember {
    POLICY_ASK_EACH_TIME,
    POLICY_UNTIL_GUEST_STOPS,
    POLICY_UNTIL_RESTART,
    POLICY_FOR_SECONDS,
    POLICY_FOREVER,
    POLICY_REMEMBERS,
};

struct policy_file {
    uint64_t magic;
    uint64_t checksum; /* FNV-1a of all that follows this field: finds damage, keeps nobody out */
    uint32_t version;
    uint32_t size;
    uint32_t verbs;
    uint32_t identities;
    uint32_t steps;
    uint32_t rules;
    uint32_t devices;
    uint32_t cells;
    uint32_t strings; /* bytes */
    uint32_t name;    /* of the policy: where in the strings */
};

/* One verb: who does it (class of the subject) by what it is done to (class of the object) gives a cell. */
struct policy_file_verb {
    uint32_t first_cell;
    uint16_t subject_classes;
    uint16_t object_classes;
};

struct policy_file_identity {
    uint32_t sid;     /* of its context; the same in every table that has that context */
    uint32_t context; /* "guest:home", "desktop:work", "laptop", ... */
    uint8_t category;
    uint8_t class;
    uint16_t reserved; /* 0 */
    uint32_t name;     /* of a guest, device or network that the policy names; "" otherwise */
    uint32_t label;    /* of a guest; "" for none */
};

enum policy_step_flag {
    POLICY_STEP_LAST = 1, /* holds whatever the moment */
    POLICY_STEP_ONLY = 2, /* and what fails its conditions is denied, not asked further */
};

struct policy_file_step {
    uint8_t effect;
    uint8_t remember;
    uint16_t flags;
    uint16_t required; /* conditions that must hold */
    uint16_t excluded; /* and that must not */
    uint16_t from;     /* minutes of the day, from <= now < until, over midnight if from > until; equal: all day */
    uint16_t until;
    uint32_t seconds; /* of POLICY_FOR_SECONDS */
    uint32_t rule;
};

/* Rule 0 is the last word of every policy: what nothing says is denied. */
struct policy_file_rule {
    uint32_t file;
    uint32_t line;
    uint32_t text;
};

/* Which real device is that identity: the first that fits. */
struct policy_file_device {
    uint32_t identity;
    uint32_t vendor;
    uint32_t model;
    uint32_t port; /* "" for any */
};

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the file is read as it lies there");
_Static_assert(sizeof(struct policy_file) == 56 && offsetof(struct policy_file, version) == 16, "file format");
_Static_assert(sizeof(struct policy_file_verb) == 8 && sizeof(struct policy_file_rule) == 12, "file format");
_Static_assert(sizeof(struct policy_file_identity) == 20 && sizeof(struct policy_file_device) == 16, "file format");
_Static_assert(sizeof(struct policy_file_step) == 20 && offsetof(struct policy_file_step, seconds) == 12,
               "file format");

/* A table that was checked. Points into the bytes that were given, which their owner keeps and does not change. */
struct policy_table {
    const struct policy_file *file;
    const struct policy_file_verb *verbs;
    const struct policy_file_identity *identities;
    const struct policy_file_step *steps;
    const struct policy_file_rule *rules;
    const struct policy_file_device *devices;
    const uint16_t *by_sid;          /* identities in order of their sid */
    const uint16_t *subject_classes; /* [verb][identity] */
    const uint16_t *object_classes;
    const uint16_t *cells; /* first step of each answer */
    const char *strings;
};

enum policy_load {
    POLICY_LOADED,
    POLICY_TOO_SHORT,
    POLICY_NOT_A_TABLE,
    POLICY_OTHER_VERSION,
    POLICY_WRONG_SIZE,
    POLICY_DAMAGED,
    POLICY_OVER_BOUNDS,
    POLICY_MALFORMED,
    POLICY_LOAD_RESULTS,
};

/* `bytes` is aligned to 8. Sets *table only if it returns POLICY_LOADED. */
enum policy_load policy_table_load(struct policy_table *table, const void *bytes, size_t size);
/* For people: what is wrong with the file. */
const char *policy_load_text(enum policy_load result);
/* Of the bytes of a file, as its field has it. */
uint64_t policy_checksum(const void *bytes, size_t size);

/* What is so at this moment, as far as the one who asks knows. */
struct policy_moment {
    uint16_t conditions; /* enum policy_condition */
    uint16_t minute;     /* of the day */
};

struct policy_answer {
    enum policy_effect effect;
    enum policy_remember remember;
    uint32_t seconds;
    uint32_t rule; /* that decided */
};

/* The one question. An identity or verb that the table does not have is denied. */
struct policy_answer policy_table_ask(const struct policy_table *table, uint32_t subject, enum policy_verb verb,
                                      uint32_t object, struct policy_moment moment);

const char *policy_table_string(const struct policy_table *table, uint32_t string);
const char *policy_table_context(const struct policy_table *table, uint32_t identity);

/* The sid of a context: of the same text always the same, and none of the small numbers that have a meaning of their
 * own. */
uint32_t policy_sid(const char *context, size_t length);
/* What the laptop must be allowed so that the machine runs and can take another policy, and is not: a bit for each
 * verb. */
uint64_t policy_table_missing(const struct policy_table *table);

/* Identities; 0, who may nothing, if the table has none such. The rest of these is in find.c. */
uint32_t policy_table_by_sid(const struct policy_table *table, uint32_t sid);
uint32_t policy_table_by_context(const struct policy_table *table, const char *context);
/* A guest: by its name if the policy names it, otherwise by kind and label ("" for none). A label that the policy does
 * not know is a mistake somewhere, so that guest may nothing. */
uint32_t policy_table_guest(const struct policy_table *table, const char *name, enum policy_class_number kind,
                            const char *label);
/* A device by what it says of itself and where it is plugged in; one that no declaration fits is its class. */
uint32_t policy_table_device(const struct policy_table *table, enum policy_class_number class, uint32_t vendor,
                             uint32_t model, const char *port);

#endif
