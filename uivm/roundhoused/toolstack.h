/*
 * What roundhoused asks of the hypervisor, free of libxl's types. Operations run in worker threads;
 * completion callbacks and events arrive in the default main context. Errors are RH_ERROR sentences without
 * the guest's name in front. toolstack_libxl.c is the real one; tests link toolstack_fake.c instead.
 */
#ifndef RH_TOOLSTACK_H
#define RH_TOOLSTACK_H

#include "guest_config.h"

#include <gio/gio.h>

struct toolstack;

enum toolstack_operation {
    TOOLSTACK_PAUSE,
    TOOLSTACK_UNPAUSE,
    TOOLSTACK_SHUTDOWN, /* asks the guest's system, or presses the power button of a PC whose system has no Xen drivers
                         */
    TOOLSTACK_REBOOT,   /* the same; where there is only the button, a shutdown is what comes */
    TOOLSTACK_DESTROY,
    TOOLSTACK_RESUME, /* lets a domain go on that has stopped to be saved */
    TOOLSTACK_OPERATION_COUNT
};

/* Ends, and what looks like one. */
enum toolstack_end {
    TOOLSTACK_END_POWEROFF,  /* shut down by itself; the domain still has to be destroyed */
    TOOLSTACK_END_REBOOT,    /* wants to be started again; still has to be destroyed */
    TOOLSTACK_END_CRASH,     /* crashed; still has to be destroyed */
    TOOLSTACK_END_VANISHED,  /* destroyed, by us or by another tool */
    TOOLSTACK_END_SUSPENDED, /* no end: stands still while somebody saves it, us or another tool */
    TOOLSTACK_END_RESUMED,   /* goes on after that */
};

/* News of a domain that toolstack_watch() watches. An end may come twice: first the end, then VANISHED. */
typedef void (*toolstack_end_fn)(int domid, enum toolstack_end end, gpointer user);

struct toolstack_host {
    char version[64];
    guint64 free_kib, total_kib;
};

struct toolstack_domain {
    int domid; /* -1: there is no such domain */
    gboolean paused;
    gboolean begun;     /* it has run */
    gboolean suspended; /* it has stopped to be saved */
};

struct toolstack *toolstack_new(toolstack_end_fn end, gpointer user, GError **error);
void toolstack_free(struct toolstack *toolstack);

/* Where the images of definitions are (storage/pool.h); POOL_PATH otherwise. */
void toolstack_set_pool(struct toolstack *toolstack, const char *path);

/*
 * Creates the guest's domain, paused. The definition is copied by the call. A graphics card prefers the screen's size.
 * saved: what saved_state_open() gave, and the domain goes on from there; closed in any case. -1: a new one.
 */
void toolstack_create(struct toolstack *toolstack, const struct guest_config *config, struct guest_screen screen,
                      int saved, GAsyncReadyCallback done, gpointer user);
/* The new domain's id, or -1; then nothing of it is left. */
int toolstack_create_finish(struct toolstack *toolstack, GAsyncResult *result, GError **error);

void toolstack_operate(struct toolstack *toolstack, enum toolstack_operation operation, int domid,
                       GAsyncReadyCallback done, gpointer user);
gboolean toolstack_operate_finish(struct toolstack *toolstack, GAsyncResult *result, GError **error);

/*
 * Puts the guest into a file of its own in the folder (saved_state.h). Afterwards its domain stands still and is to be
 * destroyed; where it could not be saved, it runs on.
 */
void toolstack_save(struct toolstack *toolstack, const struct guest_config *config, int domid, const char *folder,
                    GAsyncReadyCallback done, gpointer user);
gboolean toolstack_save_finish(struct toolstack *toolstack, GAsyncResult *result, GError **error);

/*
 * Puts an image file into the drive of cdrom= while the guest runs, or, GUEST_CDROM_EMPTY, takes out what is in it. It
 * is opened here and QEMU gets a descriptor: confined, it has no files of its own, and takes no device that way.
 */
void toolstack_change_cd(struct toolstack *toolstack, int domid, const char *image, GAsyncReadyCallback done,
                         gpointer user);
gboolean toolstack_change_cd_finish(struct toolstack *toolstack, GAsyncResult *result, GError **error);

/* One question at a time. */
void toolstack_query_host(struct toolstack *toolstack, GAsyncReadyCallback done, gpointer user);
gboolean toolstack_query_host_finish(struct toolstack *toolstack, GAsyncResult *result, struct toolstack_host *host,
                                     GError **error);

/* Who is on screen and goes first on the processors; -1: nobody. A hypervisor that cannot say so is left as it is. */
void toolstack_set_foreground(struct toolstack *toolstack, int domid);

/*
 * Puts a compiled policy (policies/table.h) in force in the hypervisor; blocks for a moment. FALSE with an error: the
 * one before is in force, if there was one.
 */
gboolean toolstack_load_policy(struct toolstack *toolstack, const void *table, gsize size, GError **error);

/* Starts to watch a domain for its end. Watching ends with VANISHED. */
gboolean toolstack_watch(struct toolstack *toolstack, int domid, GError **error);

/* Looks for a domain by name; blocks for a moment, meant for the service's own start. */
struct toolstack_domain toolstack_find(struct toolstack *toolstack, const char *name);

#endif
