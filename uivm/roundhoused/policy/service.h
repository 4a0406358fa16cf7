/*
 * The policy as the rest of roundhoused meets it: the table in its file, watched; the gate that every call passes; the
 * labels of guests; the log; and org.roundhouse.Manager1's methods about it. Main thread only.
 */
#ifndef RH_POLICY_SERVICE_H
#define RH_POLICY_SERVICE_H

#include "facts.h"
#include "guest.h"

struct policy_service;

struct policy_service_options {
    GDBusObjectManagerServer *objects;
    struct authority *authority;
    struct toolstack *toolstack;
    GPtrArray *guests;           /* struct guest */
    const char *table;           /* the compiled policy; not there: there is no policy */
    const char *state_directory; /* for the log, and for what was agreed */
    /* Another policy is in force, or policy_service_problem() is another. */
    void (*changed)(gpointer user);
    gpointer user;
};

/* Reads the table and tells the hypervisor of it. The options' objects must outlive the service. */
struct policy_service *policy_service_new(const struct policy_service_options *options);
void policy_service_free(struct policy_service *service);

/* skeleton: RhManager1. */
void policy_service_serve(struct policy_service *service, gpointer skeleton);

/* What is wrong with the table, as a sentence; NULL: nothing. */
const char *policy_service_problem(const struct policy_service *service);

/* Sets config->context. FALSE with an RH_ERROR_BAD_CONFIG that begins with "label:". */
gboolean policy_service_label(struct policy_service *service, struct guest_config *config, GError **error);

/* Whether the laptop may start it by itself; FALSE with an RH_ERROR_POLICY. */
gboolean policy_service_may_autostart(struct policy_service *service, const struct guest_config *config,
                                      GError **error);

/* Whether the laptop may make an undo point of it; the same. */
gboolean policy_service_may_keep(struct policy_service *service, const struct guest_config *config, GError **error);

/* What is on the machine's screen, and whether it is locked. Until this is called: nothing, and no. */
void policy_service_set_screen(struct policy_service *service, const struct policy_screen *screen);

/* The state of a guest has changed. */
void policy_service_guest_changed(struct policy_service *service, struct guest *guest);

/* A guest has no definition any more: one that is called so later is another. */
void policy_service_guest_gone(struct policy_service *service, const char *name);

#endif
