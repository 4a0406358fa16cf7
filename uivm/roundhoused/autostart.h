/*
 * Guests that start by themselves: once per boot, after the picture is there, one after another, smallest slot first. A
 * service that ended amid it goes on where it was; a restart of the service brings back nothing that the user has shut
 * down. Main thread only.
 */
#ifndef RH_AUTOSTART_H
#define RH_AUTOSTART_H

#include "guest_config.h"

#include <gio/gio.h>

struct autostart;

struct autostart_options {
    GPtrArray *guests;     /* struct guest, in order: guest_config_compare */
    const char *marker;    /* a file that says how far it has come in this boot; not there: it has not begun */
    const char *up_marker; /* a file that is made when seat and switcher are there: this system is a good one */
    /* Whether this one may be; FALSE with an error. */
    gboolean (*may)(gpointer user, const struct guest_config *config, GError **error);
    void (*told)(gpointer user); /* autostart_problem() is another */
    gpointer user;
};

/* Waits for the seat from now on. guests and user must outlive it. */
struct autostart *autostart_new(const struct autostart_options *options);
void autostart_free(struct autostart *autostart); /* NULL is none */

/* The seat shows a picture. The switcher is waited for, but not for ever. */
void autostart_seat_came(struct autostart *autostart);

/* The switcher shows itself; seat: and the seat is there. */
void autostart_switcher_shown(struct autostart *autostart, gboolean seat);

/* The machine ends: none is started any more. */
void autostart_stop(struct autostart *autostart);

/* For people: why none is started. NULL: all is well. */
const char *autostart_problem(const struct autostart *autostart);

#endif
