/* One file, looked at: what it is, in a worker thread; then which system it holds, by roundhouse-osinfo. */
#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define GROUP          "system"
#define MEMORY_MAX_MIB (1024 * 1024)
#define WORD_MAX       40

void wizard_look_free(struct wizard_look *look)
{
    if (!look)
        return;
    g_free(look->path);
    wizard_system_free(look->system);
    g_clear_error(&look->error);
    g_free(look);
}

static guint number_of(GKeyFile *file, const char *key, guint max)
{
    gint64 number = g_key_file_get_int64(file, GROUP, key, NULL);
    return number > 0 && number <= max ? (guint)number : 0;
}

struct wizard_system *wizard_system_parse(const char *text)
{
    g_autoptr(GKeyFile) file = g_key_file_new();
    if (!g_key_file_load_from_data(file, text, (gsize)-1, G_KEY_FILE_NONE, NULL) || !g_key_file_has_group(file, GROUP))
        return NULL;
    g_autofree char *family = g_key_file_get_string(file, GROUP, "family", NULL);
    g_autofree char *firmware = g_key_file_get_string(file, GROUP, "firmware", NULL);
    struct wizard_system *system = g_new0(struct wizard_system, 1);
    system->name = g_key_file_get_string(file, GROUP, "name", NULL);
    system->word = g_key_file_get_string(file, GROUP, "short", NULL);
    system->windows = g_strcmp0(family, "winnt") == 0;
    system->uefi = g_strcmp0(firmware, "uefi") == 0;
    system->least_memory_mib = number_of(file, "least_memory_mib", MEMORY_MAX_MIB);
    system->memory_mib = number_of(file, "memory_mib", MEMORY_MAX_MIB);
    system->processors = number_of(file, "vcpus", WIZARD_PROCESSORS_MAX);
    system->disk_gib = number_of(file, "disk_gib", WIZARD_DISK_MAX_GIB);
    if (!system->name || g_utf8_strlen(system->name, -1) > 2 * (glong)WORD_MAX)
        g_clear_pointer(&system, wizard_system_free);
    return system;
}

static void answered(GObject *source, GAsyncResult *result, gpointer data)
{
    g_autoptr(GTask) task = data;
    g_autofree char *text = NULL;
    g_autoptr(GError) error = NULL;
    struct wizard_look *look = g_task_get_task_data(task);
    if (!g_subprocess_communicate_utf8_finish(G_SUBPROCESS(source), result, &text, NULL, &error))
        g_message("It is not known which system %s holds: %s", look->path, error->message);
    else if (text)
        look->system = wizard_system_parse(text);
    if (!g_task_return_error_if_cancelled(task))
        g_task_return_boolean(task, TRUE);
}

static GSubprocess *ask(const char *program, const struct medium *medium, GError **error)
{
    g_autofree char *bytes = g_strdup_printf("--bytes=%" G_GUINT64_FORMAT, medium->volume_bytes);
    g_autofree char *volume = g_strconcat("--volume=", medium->volume, NULL);
    g_autofree char *system = g_strconcat("--system=", medium->system, NULL);
    g_autofree char *publisher = g_strconcat("--publisher=", medium->publisher, NULL);
    g_autofree char *application = g_strconcat("--application=", medium->application, NULL);
    return g_subprocess_new(G_SUBPROCESS_FLAGS_STDOUT_PIPE, error, program, volume, system, publisher, application,
                            bytes, NULL);
}

static void was_read(GObject *source, GAsyncResult *result, gpointer data)
{
    g_autoptr(GTask) task = data;
    g_autoptr(GError) error = NULL;
    struct wizard_look *look = g_task_get_task_data(task);
    (void)source, (void)result;
    if (g_task_return_error_if_cancelled(task))
        return;
    g_autoptr(GSubprocess) child = !look->error && look->medium.kind == MEDIUM_DISC
                                       ? ask(g_object_get_data(G_OBJECT(task), "program"), &look->medium, &error)
                                       : NULL;
    if (error)
        g_warning("Which system a disc holds cannot be found out: %s", error->message);
    if (!child)
        g_task_return_boolean(task, TRUE);
    else
        g_subprocess_communicate_utf8_async(child, NULL, g_task_get_cancellable(task), answered, g_object_ref(task));
}

static void read_file(GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
    struct wizard_look *look = data;
    (void)source, (void)cancellable;
    int fd = open(look->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0)
        g_set_error(&look->error, MEDIUM_ERROR, MEDIUM_ERROR_UNREADABLE,
                    "It cannot be opened: %s. Look whether it is still there, and choose it again.", g_strerror(errno));
    else {
        medium_read(fd, &look->medium, &look->error);
        close(fd);
    }
    g_task_return_boolean(task, TRUE);
}

/* Both tasks have what is found; the outer one, which the caller sees, owns it. */
void wizard_look(const char *path, const char *program, GCancellable *cancellable, GAsyncReadyCallback done,
                 gpointer user)
{
    GTask *outer = g_task_new(NULL, cancellable, done, user);
    struct wizard_look *look = g_new0(struct wizard_look, 1);
    look->path = g_strdup(path);
    g_task_set_task_data(outer, look, (GDestroyNotify)wizard_look_free);
    g_object_set_data_full(G_OBJECT(outer), "program", g_strdup(program), g_free);
    g_autoptr(GTask) inner = g_task_new(NULL, NULL, was_read, outer);
    g_task_set_task_data(inner, look, NULL);
    g_task_run_in_thread(inner, read_file);
}

struct wizard_look *wizard_look_finish(GAsyncResult *result, GError **error)
{
    struct wizard_look *look = g_task_get_task_data(G_TASK(result));
    if (!g_task_propagate_boolean(G_TASK(result), error))
        return NULL;
    struct wizard_look *taken = g_new(struct wizard_look, 1);
    *taken = *look;
    *look = (struct wizard_look){0};
    return taken;
}
