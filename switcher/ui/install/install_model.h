/*
 * What the pages of the installation know, and what follows from it: which pages there are, whether one is answered,
 * the request to roundhouse-install, and how far that is. No GTK, no file, no socket.
 */
#ifndef RH_INSTALL_MODEL_H
#define RH_INSTALL_MODEL_H

#include "record.h"

#include <glib.h>

enum install_page {
    INSTALL_START,
    INSTALL_CHECK,
    INSTALL_DISK,
    INSTALL_KEYBOARD, /* before a passphrase is typed, which is asked for with it at each start */
    INSTALL_ENCRYPTION,
    INSTALL_KEY,    /* the recovery key */
    INSTALL_PERSON, /* and the machine: its name and time zone */
    INSTALL_POLICY,
    INSTALL_SUMMARY,
    INSTALL_PROGRESS, /* and how it ended */
    INSTALL_PAGE_COUNT,
};

enum install_use { INSTALL_WHOLE, INSTALL_BESIDE, INSTALL_RENEW, INSTALL_USE_COUNT };

/* What is typed or chosen as a text. */
enum install_field {
    FIELD_PASSPHRASE,
    FIELD_PASSPHRASE_AGAIN,
    FIELD_KEY_AGAIN, /* the last letters of the recovery key */
    FIELD_KEYBOARD,
    FIELD_HOST_NAME,
    FIELD_TIME_ZONE,
    FIELD_PERSON,
    FIELD_PASSWORD,
    FIELD_PASSWORD_AGAIN,
    FIELD_POLICY,
    FIELD_COUNT,
};

struct install_finding {
    char *name, *verdict, *says;
};

struct install_disk {
    char *path, *model, *table, *holds, *parts, *refused;
    gint64 size, free;
};

struct install_part {
    gboolean after;
    gint64 start, size;
    char *fate, *name, *what;
    gboolean encrypted;
};

struct install_plan {
    GPtrArray *parts; /* struct install_part */
    char *refused;    /* why not; NULL: it can be done */
    gboolean whole;   /* it was told to its end */
};

enum install_state { INSTALL_ASKING, INSTALL_WORKING, INSTALL_STOPPING, INSTALL_DONE, INSTALL_FAILED };

/* Secrets are made and judged by the installer's own functions (passphrase.h). */
struct install_secrets {
    char *(*weakness)(const char *passphrase); /* NULL: it is good */
    char *(*new_key)(void);
    char *(*hash)(const char *password);
};

struct install_model {
    const struct install_secrets *secrets;
    enum install_page page;
    GPtrArray *findings, *disks; /* NULL until they are told */
    int disk;                    /* index; -1: none is chosen */
    int use;                     /* -1: none */
    gboolean encrypt, erase_guests;
    char *fields[FIELD_COUNT]; /* never NULL */
    char *key;                 /* the recovery key */
    struct install_plan plan;
    enum install_state state;
    char *said;          /* by the installer at its end */
    char *title;         /* of the stage; "" before the first */
    guint number, count; /* of stages */
    guint permille;      /* of the stage */
    gint64 stage_began;  /* microseconds */
};

struct install_model *install_model_new(const struct install_secrets *secrets);
/* Secrets are overwritten. */
void install_model_free(struct install_model *model);

void install_set(struct install_model *model, enum install_field field, const char *text);
const struct install_disk *install_disk(const struct install_model *model); /* NULL: none is chosen */

/* Whether the disk can be used so; *why: if not, a sentence of nobody's. */
gboolean install_use_offered(const struct install_disk *disk, enum install_use use, const char **why);

/* Chooses; what was planned and agreed to for another choice is forgotten. */
void install_choose(struct install_model *model, int disk, int use);

/* NULL: the page is answered; else what is missing. */
const char *install_missing(struct install_model *model, enum install_page page);

/* To the next page, if this one is answered, and to the one before. FALSE: nothing happened. */
gboolean install_next(struct install_model *model);
gboolean install_back(struct install_model *model);

/* The request; free by install_request_free(). A plan's has no secrets in it. NULL: a password could not be hashed. */
char *install_request_plan(const struct install_model *model);
char *install_request(const struct install_model *model);
void install_request_free(char *request);

/* What was told in answer to check, disks, plan or install. `now` is microseconds. */
void install_begin(struct install_model *model, const char *kind);
void install_take(struct install_model *model, const struct record *record, gint64 now);
/* The connection has ended, with a record "end" before or without. */
void install_ended(struct install_model *model, const char *kind);

/* Seconds that this stage still takes at its pace; -1: not known yet. */
gint64 install_seconds_left(const struct install_model *model, gint64 now);

#endif
