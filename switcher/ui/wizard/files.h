/*
 * The files that a guest can be made from: found below a few folders of this computer and of what is plugged into it,
 * and looked at. Both are done beside the main loop, for a stick may be slow or broken. The switcher's own rights
 * count: a file that it cannot read is not offered.
 */
#ifndef RH_FILES_H
#define RH_FILES_H

#include "wizard.h"

#include <gio/gio.h>

/* Where things are on the machine; tests have other places. */
#ifndef MEDIA_FOLDER
#define MEDIA_FOLDER     "/var/lib/roundhouse/media"
#define PLUGGED_FOLDERS  "/media", "/run/media"
#define INSTALLER_FOLDER "/usr/lib/debian-installer/images"
#define OSINFO_PROGRAM   "/usr/libexec/roundhouse/roundhouse-osinfo"
#endif

struct wizard_file {
    char *path;
    char *place; /* "This computer", or the name of what is plugged in */
    guint64 bytes;
    gboolean removable;
};

/* Where files are looked for: one folder of this computer, and folders with a folder for each thing that is plugged in.
 */
struct wizard_places {
    const char *computer;
    const char *const *plugged; /* NULL at the end */
};
extern const struct wizard_places wizard_places;

/* A list of struct wizard_file in order of places and names: of discs, or of all kinds of images. At most FILES_MAX. */
#define FILES_MAX 500
void wizard_files_find(const struct wizard_places *places, enum wizard_source source, GCancellable *cancellable,
                       GAsyncReadyCallback done, gpointer user);
GPtrArray *wizard_files_find_finish(GAsyncResult *result, GError **error);

struct wizard_look {
    char *path;
    struct medium medium;
    struct wizard_system *system; /* NULL: not known; whoever takes it over leaves NULL */
    GError *error;                /* NULL: the medium is good */
};

/* Reads the file, and asks this program (roundhouse-osinfo) which system a disc holds; without an answer of it the
 * system is not known. */
void wizard_look(const char *path, const char *program, GCancellable *cancellable, GAsyncReadyCallback done,
                 gpointer user);
struct wizard_look *wizard_look_finish(GAsyncResult *result, GError **error);
void wizard_look_free(struct wizard_look *look);

/* What roundhouse-osinfo printed; NULL: it knows nothing. Numbers out of all bounds are left out. */
struct wizard_system *wizard_system_parse(const char *text);

/* Debian's installer, if this computer has it: its newest kernel and RAM disk below this folder. */
gboolean wizard_find_installer(const char *folder, char **kernel, char **ramdisk);

#endif
