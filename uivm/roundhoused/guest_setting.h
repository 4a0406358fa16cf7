/*
 * The settings of a guest's definition, a row each. A row says all about its setting: guest_config.c reads, compares,
 * copies and writes by it, and roundhouse-guest(5) is made of it.
 */
#ifndef RH_GUEST_SETTING_H
#define RH_GUEST_SETTING_H

#include "guest_config.h"

struct guest_setting;

/* What settings of one kind have in common. A field is where such a setting is kept in struct guest_config. */
struct guest_kind {
    /* Puts into the field what value says, without white space around it; FALSE leaves the field as it was. */
    gboolean (*read)(const struct guest_setting *row, gpointer field, const char *value, GError **error);
    /* The text that read makes this field of; NULL: there is none. The caller frees it. */
    char *(*write)(const struct guest_setting *row, gconstpointer field);
    gboolean (*equal)(gconstpointer a, gconstpointer b);
    /* Of a field that points to something, NULL in others: makes a copy of its own of that. */
    void (*own)(gpointer field);
    /* Says nothing any more, and frees what it points to; NULL: the setting always says something. */
    void (*clear)(gpointer field);
};

extern const struct guest_kind guest_kind_text;    /* char * */
extern const struct guest_kind guest_kind_path;    /* char *, a whole path */
extern const struct guest_kind guest_kind_number;  /* guint */
extern const struct guest_kind guest_kind_word;    /* an enumeration, which is a guint to C */
extern const struct guest_kind guest_kind_switch;  /* gboolean */
extern const struct guest_kind guest_kind_colour;  /* guint32 */
extern const struct guest_kind guest_kind_network; /* char *: a bridge; NULL: no card */
extern const struct guest_kind guest_kind_mac;     /* guint8[6]; 0: none */
extern const struct guest_kind guest_kind_uuid;    /* guint8[16]; 0: none */
extern const struct guest_kind guest_kind_disks;   /* GPtrArray *: struct guest_disk */

struct guest_word {
    const char *word;
    guint value;
    const char *about;
};

struct guest_setting {
    const char *key;
    const struct guest_kind *kind;
    gsize offset; /* of the field in struct guest_config */

    /* For people. The manual page goes on with limits or words, the default and the two conditions below. */
    const char *about;

    /* Where the switcher shows it: its name, and the heading above it; NULL: the key, and none. */
    const char *title, *group;

    /* What a definition without this setting means: this text, or what derive makes of the rows above; else nothing. */
    const char *otherwise;
    gboolean (*derive)(const struct guest_setting *row, struct guest_config *config, GError **error);

    guint min, max;                 /* numbers */
    const struct guest_word *words; /* words, up to one that is NULL */
    gboolean (*check)(const struct guest_setting *row, const char *value,
                      GError **error); /* texts; NULL: any will do */

    gboolean hvm_only; /* in definitions of type hvm alone */
};

extern const struct guest_setting guest_settings[]; /* up to one whose key is NULL */

/* FALSE, with an RH_ERROR_BAD_CONFIG that begins with the key. */
gboolean guest_setting_bad(GError **error, const char *key, const char *format, ...) G_GNUC_PRINTF(3, 4);

#endif
