/*
 * What a person wants of the installer, from a file of answers: lines `name = value`, empty lines, and lines that begin
 * with `#`. roundhouse-install(8) lists the names. All mistakes are found at once, each told with its line and with
 * what was meant, before any disk is looked at.
 */
#ifndef INSTALL_ANSWERS_H
#define INSTALL_ANSWERS_H

#include <glib.h>

enum disk_use {
    USE_WHOLE_DISK, /* everything on it is lost */
    USE_FREE_SPACE, /* beside what is there, which stays byte for byte */
    USE_RENEW,      /* the disk holds Roundhouse: guests and settings stay, the system is new */
};

struct answers {
    char *disk; /* the path of a block device */
    int use;    /* enum disk_use */

    /* Of a new installation. */
    int erase_guests; /* whole-disk may take a disk that holds Roundhouse */
    int encrypt;
    int discard; /* an encrypted disk may be told what is free, which shows how full it is to who steals it */
    char *passphrase;
    char *recovery_key_file; /* made by the installer */
    char *recovery_key;      /* in place of the file: who asks has shown it to the person (passphrase.h made it) */
    char *host_name;
    char *keyboard; /* of X's keyboard layouts */
    char *language; /* de_DE.UTF-8 */
    char *time_zone;
    char *person; /* login name */
    char *password;
    char *password_hash; /* in place of the password, as of crypt(5) */
    char *policy;        /* to start with */
};

/* Where keyboard layouts, time zones and policies of this machine are found: folders, which tests replace. */
struct answer_places {
    const char *keyboards; /* a file: base.lst of xkb-data */
    const char *time_zones;
    const char *policies;
};

extern const struct answer_places answer_places;

/*
 * The answers in that file; NULL if there are mistakes, which are then in `mistakes`, one sentence each: those of lines
 * first, then what is missing or does not go together. A file that cannot be read is a mistake.
 */
struct answers *answers_load(const char *path, const struct answer_places *places, GPtrArray *mistakes);

/* The same of a text that bears that name in mistakes. */
struct answers *answers_read(const char *name, const char *text, const struct answer_places *places,
                             GPtrArray *mistakes);

/* Secrets are overwritten before. NULL is allowed. */
void answers_free(struct answers *answers);

#endif
