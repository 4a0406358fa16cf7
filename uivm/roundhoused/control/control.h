/* roundhousectl's parts: what a command is given, and what they have in common. */
#ifndef RH_CONTROL_H
#define RH_CONTROL_H

#include "roundhouse_dbus.h"

#include <gio/gio.h>

#define BUS_NAME     "org.roundhouse.Manager1"
#define OBJECTS_PATH "/org/roundhouse"
#define MANAGER_PATH "/org/roundhouse/Manager1"

/* The exit status; roundhousectl(1) has them too. */
enum { EXIT_DONE, EXIT_FAILED, EXIT_USAGE, EXIT_NO_SERVICE, EXIT_NOT_ALLOWED };

struct control {
    RhManager1 *manager; /* NULL in commands that do without the service */
    char **words;        /* after the command */
    gboolean json, yes, dry_run;
    const char *name; /* of --name; NULL: not given */
};

/* Calls a method, however long it takes; polkit may ask for a password. NULL: failed. */
GVariant *control_call(gpointer proxy, const char *method, GVariant *parameters, GError **error);

/* The guest with this name; NULL: there is none. */
RhGuest1 *control_guest(struct control *control, const char *name, GError **error);

/* RhGuest1 in order of slots, those without one behind; RhJob1 in order of their beginning. NULL: failed. */
GPtrArray *control_guests(GError **error);
GPtrArray *control_jobs(GError **error);

/* a{sv}: the object's properties. A floating reference. */
GVariant *control_properties(gpointer proxy);

/* A value as one line of JSON. */
void json_print(GVariant *value);

/* ---- commands; FALSE with an error ---- */

gboolean control_list(struct control *control, GError **error);
gboolean control_status(struct control *control, GError **error);
gboolean control_switch(struct control *control, GError **error);
gboolean control_console(struct control *control, GError **error);
gboolean control_settings(struct control *control, GError **error);
gboolean control_create(struct control *control, GError **error);
gboolean control_edit(struct control *control, GError **error);
gboolean control_rename(struct control *control, GError **error);
gboolean control_delete(struct control *control, GError **error);
gboolean control_list_jobs(struct control *control, GError **error);
gboolean control_cancel(struct control *control, GError **error);
gboolean control_policy(struct control *control, GError **error);
gboolean control_import(struct control *control, GError **error);

/* Asks the service for a guest of these settings (a{sv}), and waits until it is there. */
gboolean control_make(struct control *control, GVariant *settings, GError **error);

#endif
