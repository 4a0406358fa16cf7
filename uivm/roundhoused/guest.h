/*
 * One guest: its definition, its state, its domain, and its object on the bus. Main thread only.
 */
#ifndef RH_GUEST_H
#define RH_GUEST_H

#include "authority.h"
#include "display.h"
#include "guest_config.h"
#include "guest_state.h"
#include "toolstack.h"

#include <gio/gio.h>

struct guest;

/* Called once when a request has been carried out (error NULL) or has failed. */
typedef void (*guest_done_fn)(struct guest *guest, const GError *error, gpointer user);

struct guest_environment {
    struct toolstack *toolstack;
    struct display *display;
    struct authority *authority;
    GDBusObjectManagerServer *objects; /* where the guest's own object goes */
    const char *saved;                 /* the folder of suspended guests, saved_state.h */
    const char *identities;            /* guest_identity.h */
    /* Any guest's state has changed. */
    void (*state_changed)(struct guest *guest, gpointer user);
    /* A guest is to be started, and not from what was saved of it. go_on is called once, now or later. */
    void (*before_start)(struct guest *guest, void (*go_on)(gpointer data), gpointer data, gpointer user);
    /* A slot of the seat for a guest without one of its own; 0 with an RH_ERROR_DISPLAY: they are all taken. */
    guint (*lend_slot)(gpointer user, GError **error);
    /* Sets the definition's context before a domain is made of it; FALSE with an error: its label is none. */
    gboolean (*label)(gpointer user, struct guest_config *config, GError **error);
    gpointer user;
};

/*
 * Puts the guest on the bus; takes the definition over. A domain of its name that runs already, because the
 * service was restarted, is taken over. The environment must outlive the guest.
 */
struct guest *guest_new(const struct guest_environment *environment, struct guest_config *config);

/* Takes it off the bus. Its domain, if any, runs on. Operations under way still end safely. */
void guest_remove(struct guest *guest);

/*
 * A changed definition: counts from the next start. Takes the definition over. The name must be the same.
 */
void guest_set_config(struct guest *guest, struct guest_config *config);

void guest_request(struct guest *guest, enum guest_request request, guest_done_fn done, gpointer user);

/*
 * Something is done to its disks, one thing at a time. It is off and cannot be started meanwhile, or, off FALSE, it may
 * be in any state. It stays where it is until it is released. FALSE with an RH_ERROR_WRONG_STATE.
 */
gboolean guest_hold(struct guest *guest, gboolean off, GError **error);
void guest_release(struct guest *guest);

/* Whether its definition and disks may be changed: no domain, nothing saved, not held. */
gboolean guest_check_off(const struct guest *guest, GError **error);

/* What it shows just now: display_picture(). */
gboolean guest_show(const struct guest *guest, guint width, guint height, display_picture_fn done, gpointer data,
                    GError **error);

/* The toolstack's news about the guest's domain. */
void guest_domain_ended(struct guest *guest, enum toolstack_end end);

const struct guest_config *guest_config(const struct guest *guest);
/* What its file says: another one while it runs by what that was when it was suspended. */
const struct guest_config *guest_definition(const struct guest *guest);
/* What its domain was made with; while it has none, what its definition says. NULL: none. */
const char *guest_label(const struct guest *guest);
/* A copy of guest_config() with what the machine keeps of the guest's identity; NULL with an RH_ERROR_TOOLSTACK. */
struct guest_config *guest_whole_config(const struct guest *guest, GError **error);
/* Its definition goes: a guest that is called so later is another machine. */
void guest_forget(const struct guest *guest);
enum guest_state guest_state(const struct guest *guest);
const char *guest_object_path(const struct guest *guest);
gpointer guest_skeleton(const struct guest *guest); /* RhGuest1, for methods that others serve */
int guest_domid(const struct guest *guest);         /* -1: none */
/* Where the seat has its screen; while it has none, where it will be; 0: that is not known before. */
guint guest_slot(const struct guest *guest);

#endif
