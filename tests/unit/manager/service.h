/*
 * The real roundhoused, with a hypervisor in memory, as a process on a private bus: what its tests have in common. The
 * paths of it and of the real roundhousectl come in the environment as ROUNDHOUSED and ROUNDHOUSECTL.
 */
#ifndef RH_TEST_SERVICE_H
#define RH_TEST_SERVICE_H

#include "roundhouse_dbus.h"
#include "wait_for.h"

#include <gio/gio.h>
#include <glib/gstdio.h>

#define BUS_NAME     "org.roundhouse.Manager1"
#define OBJECTS_PATH "/org/roundhouse"
#define MANAGER_PATH "/org/roundhouse/Manager1"

struct fixture {
    GSubprocess *service;
    char *directory, *guests, *saved, *marker, *up, *notice, *signs, *pool, *policy;
    RhManager1 *manager;
    GDBusObjectManager *objects; /* what a UI follows: one call for all there is, and signals */
};

struct service_test {
    const char *name;
    void (*run)(struct fixture *, gconstpointer);
};

/* Runs the tests on a bus of their own, up to one without name; the program's exit status. */
int service_run(int argc, char **argv, const struct service_test *tests);

/* A folder, and all in it. */
void remove_files(const char *path);

/* A definition with a kernel and these other lines, and its end. */
void define(struct fixture *fixture, const char *name, guint slot, const char *more);
void undefine(struct fixture *fixture, const char *name);

void start_service(struct fixture *fixture);
/* Ends in order: an unclean end is a leak or a memory error that the sanitizers found. */
void stop_service(struct fixture *fixture);
void kill_service(struct fixture *fixture);

/* The folder of disks; until then there is none. */
void make_pool(struct fixture *fixture);

RhGuest1 *guest(struct fixture *fixture, const char *name);
gboolean is(RhGuest1 *guest, const char *state);
guint guest_count(struct fixture *fixture);
guint problem_count(struct fixture *fixture);

/* The path of the job that a method starts; the file is given by handle 0, -1: none is. NULL: it starts none, or the
 * error. */
char *call_for_job(gpointer proxy, const char *method, const char *parameters, int file, GError **error);
RhJob1 *find_job(struct fixture *fixture, const char *path); /* NULL: it is not there yet */
gboolean has_ended(RhJob1 *job);
RhJob1 *end_of(struct fixture *fixture, const char *path);

/* The job comes to its end; and it, or the call, is refused. */
void done(struct fixture *fixture, gpointer proxy, const char *method, const char *parameters, int file);
void refused(struct fixture *fixture, gpointer proxy, const char *method, const char *parameters, int file,
             const char *name, const char *sentence);

/* A file of the test's folder, and a script that runs in it. */
int open_file(struct fixture *fixture, const char *name, int flags);
void run(struct fixture *fixture, const char *command);

/* Frees the error. */
void expect_error(GError *error, const char *name, const char *text);

#endif
