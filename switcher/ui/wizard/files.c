/* Folders, looked through in a worker thread. */
#include "files.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEPTH_MAX   4
#define FOLDERS_MAX 2000 /* a stick with a system on it has more; what is below is not what is looked for */

static const char *const plugged[] = {PLUGGED_FOLDERS, NULL};
const struct wizard_places wizard_places = {MEDIA_FOLDER, plugged};

struct search {
    enum wizard_source source;
    const struct wizard_places *places;
    GPtrArray *files;
    guint folders;
    GCancellable *cancellable;
};

static void file_free(gpointer data)
{
    struct wizard_file *file = data;
    g_free(file->path);
    g_free(file->place);
    g_free(file);
}

static gboolean has_kind(const char *name, enum wizard_source source)
{
    static const char *const discs[] = {".iso", ".img", NULL};
    static const char *const images[] = {".img", ".raw", ".qcow2", ".vmdk", ".vhd", ".vhdx", ".vdi", NULL};
    g_autofree char *small = g_ascii_strdown(name, -1);
    for (const char *const *kind = source == WIZARD_DISC ? discs : images; *kind; kind++) {
        if (g_str_has_suffix(small, *kind))
            return TRUE;
    }
    return FALSE;
}

static void add_file(struct search *search, const char *path, const struct stat *status, const char *place,
                     gboolean removable)
{
    struct wizard_file *file = g_new(struct wizard_file, 1);
    *file = (struct wizard_file){g_strdup(path), g_strdup(place), (guint64)status->st_size, removable};
    g_ptr_array_add(search->files, file);
}

/* Links are not followed to folders: they may go round in a circle. */
static void search_folder(struct search *search, const char *folder, const char *place, gboolean removable, guint depth)
{
    g_autoptr(GDir) dir = depth < DEPTH_MAX && search->folders++ < FOLDERS_MAX ? g_dir_open(folder, 0, NULL) : NULL;
    for (const char *name; dir && (name = g_dir_read_name(dir));) {
        g_autofree char *path = g_build_filename(folder, name, NULL);
        struct stat status;
        if (g_cancellable_is_cancelled(search->cancellable) || search->files->len == FILES_MAX)
            return;
        if (name[0] == '.' || !g_utf8_validate(name, -1, NULL) || lstat(path, &status) < 0)
            continue;
        if (S_ISDIR(status.st_mode))
            search_folder(search, path, place, removable, depth + 1);
        else if (has_kind(name, search->source) && stat(path, &status) == 0 && S_ISREG(status.st_mode) &&
                 access(path, R_OK) == 0)
            add_file(search, path, &status, place, removable);
    }
}

/* /media/STICK, and /run/media/PERSON/STICK. */
static void search_plugged(struct search *search, const char *folder)
{
    g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
    for (const char *name; dir && (name = g_dir_read_name(dir));) {
        g_autofree char *path = g_build_filename(folder, name, NULL);
        if (g_utf8_validate(name, -1, NULL))
            search_folder(search, path, name, TRUE, 0);
    }
}

static int compare_files(gconstpointer a, gconstpointer b)
{
    const struct wizard_file *one = *(struct wizard_file *const *)a, *other = *(struct wizard_file *const *)b;
    if (one->removable != other->removable)
        return one->removable ? 1 : -1;
    int places = g_utf8_collate(one->place, other->place);
    return places ? places : g_utf8_collate(one->path, other->path);
}

static void find(GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
    struct search *search = data;
    (void)source;
    GPtrArray *files = search->files = g_ptr_array_new_with_free_func(file_free);
    search->cancellable = cancellable;
    search_folder(search, search->places->computer, "This computer", FALSE, 0);
    for (const char *const *folder = search->places->plugged; *folder; folder++)
        search_plugged(search, *folder);
    g_ptr_array_sort(files, compare_files);
    g_task_return_pointer(task, files, (GDestroyNotify)g_ptr_array_unref);
}

void wizard_files_find(const struct wizard_places *places, enum wizard_source source, GCancellable *cancellable,
                       GAsyncReadyCallback done, gpointer user)
{
    g_autoptr(GTask) task = g_task_new(NULL, cancellable, done, user);
    struct search *search = g_new0(struct search, 1);
    search->source = source;
    search->places = places;
    g_task_set_task_data(task, search, g_free);
    g_task_run_in_thread(task, find);
}

GPtrArray *wizard_files_find_finish(GAsyncResult *result, GError **error)
{
    return g_task_propagate_pointer(G_TASK(result), error);
}

/* Folders have the release's number. The text installer is the one that a screen of any size shows. */
gboolean wizard_find_installer(const char *folder, char **kernel, char **ramdisk)
{
    g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
    guint64 newest = 0;
    for (const char *name; dir && (name = g_dir_read_name(dir));) {
        guint64 release = g_ascii_strtoull(name, NULL, 10);
        g_autofree char *below = g_build_filename(folder, name, "amd64", "text", "debian-installer", "amd64", NULL);
        g_autofree char *linux_path = g_build_filename(below, "linux", NULL);
        g_autofree char *initrd_path = g_build_filename(below, "initrd.gz", NULL);
        if (release <= newest || access(linux_path, R_OK) < 0 || access(initrd_path, R_OK) < 0)
            continue;
        newest = release;
        g_free(*kernel);
        g_free(*ramdisk);
        *kernel = g_steal_pointer(&linux_path);
        *ramdisk = g_steal_pointer(&initrd_path);
    }
    return newest != 0;
}
