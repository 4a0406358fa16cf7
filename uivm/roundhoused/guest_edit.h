/*
 * Guests made, changed, renamed and deleted on request: org.roundhouse.Manager1.CreateGuest, and those methods of
 * org.roundhouse.Guest1 that are about its definition.
 */
#ifndef RH_GUEST_EDIT_H
#define RH_GUEST_EDIT_H

#include "guest.h"
#include "job.h"

struct guest_edit {
    const char *directory; /* of definitions */
    GPtrArray *guests;     /* struct guest */
    struct jobs *jobs;
    struct authority *authority;
    const char *pool; /* the folder of disks (storage/pool.h) */
    /* Definitions have changed: afterwards guests is what they say. It may end any guest that is not running. */
    void (*reload)(gpointer user);
    /* Whether the policy knows the definition's label; FALSE with an error. */
    gboolean (*label)(gpointer user, struct guest_config *config, GError **error);
    gpointer user;
};

/* The structure must outlive the skeletons. */
void guest_edit_serve_manager(struct guest_edit *edit, gpointer skeleton);
void guest_edit_serve_guest(struct guest_edit *edit, struct guest *guest);

#endif
