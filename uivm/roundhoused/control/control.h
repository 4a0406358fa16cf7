/* roundhousectl's parts: what a command is given, and what they have in common. */
#ifndef RH_CONTROL_H
#define RH_CONTROL_H

#include "roundhouse_dbus.h"

#include <gio/gio.h>
#include <gio/gunixfdlist.h>

#define BUS_NAME     "org.roundhouse.Manager1"
#define OBJECTS_PATH "/org/roundhouse"
#define MANAGER_PATH "/org/roundhouse/Manager1"

/* The exit status; roundhousectl(1) has them too. */
enum { EXIT_DONE, EXIT_FAILED, EXIT_USAGE, EXIT_NO_SERVICE, EXIT_NOT_ALLOWED };

struct control {
    RhManager1 *manager; /* NULL in commands that do without the service */
    char **words;        /* after the command */
    gboolean json, yes, dry_run;
    gboolean eject, with_images;
    const char *name; /* of --name; NULL: not given */
    GPtrArray *disks; /* struct control_disk, in the order of the options */
};

/* A disk that is made with a guest: --disk SIZE, --disk-clone NAME[,SIZE], --disk-import FILE[,SIZE]. */
struct control_disk {
    const char *kind; /* "size", "clone" or "import" */
    char *word;
};

/* Calls a method, however long it takes; polkit may ask for a password. NULL: failed. */
GVariant *control_call(gpointer proxy, const char *method, GVariant *parameters, GError **error);

/* The same with files, which the parameters name by their handles; NULL: none. */
GVariant *control_call_with(gpointer proxy, const char *method, GVariant *parameters, GUnixFDList *files,
                            GError **error);

/* The same; waits for the job that is its answer. FALSE: failed. */
gboolean control_do(gpointer proxy, const char *method, GVariant *parameters, GUnixFDList *files, GError **error);

/* A list with this one file, as handle 0. NULL: it cannot be opened for reading. */
GUnixFDList *control_open(const char *path, GError **error);

/* A list with a new file, as handle 0, which who made it takes away again where nothing comes of it. NULL: it cannot be
 * made, or there is one. */
GUnixFDList *control_make_file(const char *path, GError **error);

/* "20G": bytes. M, G and T are powers of 1024. */
gboolean control_size(const char *text, guint64 *bytes, GError **error);

/* For people: "20.0 GiB". The caller frees it. */
char *control_bytes(guint64 bytes);

/* Words that make no sense: FALSE with an error that leads to EXIT_USAGE. */
gboolean control_usage(GError **error, const char *format, const char *what);

/* Whether the person at the terminal says yes. */
gboolean control_sure(const char *question, const char *what);

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
gboolean control_volume(struct control *control, GError **error);
gboolean control_microphone(struct control *control, GError **error);
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
gboolean control_image(struct control *control, GError **error);
gboolean control_snapshot(struct control *control, GError **error);
gboolean control_points(struct control *control, GError **error);
gboolean control_revert(struct control *control, GError **error);
gboolean control_undo(struct control *control, GError **error);
gboolean control_forget(struct control *control, GError **error);
gboolean control_screenshot(struct control *control, GError **error);
gboolean control_disc(struct control *control, GError **error);

/* A line for each action of "image". */
void control_image_help(void);

/* Asks the service for a guest of these settings (a{sv}) with the disks of the options, and waits until it is there. */
gboolean control_make(struct control *control, GVariant *settings, GError **error);

#endif
