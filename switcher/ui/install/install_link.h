/* A request to roundhouse-install --serve, by its socket, and the records of its answer. Main thread only. */
#ifndef RH_INSTALL_LINK_H
#define RH_INSTALL_LINK_H

#include "record.h"

/* There only where the machine was started from the boot medium (roundhouse-installer.socket). */
#ifndef INSTALLER_SOCKET
#define INSTALLER_SOCKET "/run/roundhouse-installer.sock"
#endif

struct install_link;

struct install_link_calls {
    void (*told)(const struct record *record, gpointer user);
    void (*ended)(const char *kind, gpointer user); /* once; the link is gone after it */
};

/* kind is the request's first word, a literal. */
struct install_link *install_link_new(const char *kind, const char *request, const struct install_link_calls *calls,
                                      gpointer user);

/* Tells an installation to stop; it ends by itself, and says how. */
void install_link_stop(struct install_link *link);

/* Hangs up: nothing more is told. NULL is none. */
void install_link_drop(struct install_link *link);

#endif
