/*
 * The machine on the bus: the list of guests, the host's memory, the focus, and what brings all the others together.
 */
#ifndef RH_MANAGER_H
#define RH_MANAGER_H

#include <gio/gio.h>

struct manager;

struct manager_options {
    const char *guests_directory; /* guest definitions; watched for changes */
    const char *seat_socket;
    const char *sound_socket;
    const char *state_directory;  /* what is kept of guests: the suspended ones, identities */
    const char *autostart_marker; /* says how far autostart has come in this boot; not there: it has not begun */
    const char *notice;           /* a file; what is in it is shown in the switcher. Not there: nothing is */
    const char *version;
    const char *pool;      /* the folder of guests' disks (storage/pool.h) */
    const char *policy;    /* the compiled policy; watched for changes */
    const char *up_marker; /* made when seat and switcher are there: this system is a good one */
};

/* Exports everything on the bus. The name is the caller's to own afterwards. */
struct manager *manager_new(GDBusConnection *bus, const struct manager_options *options, GError **error);

/* Takes everything off the bus. Guests run on. */
void manager_free(struct manager *manager);

#endif
