/*
 * A roundhoused that does nothing by itself: the generated skeletons on a bus, and what its test tells it on its
 * standard input. It says on its standard output what it was asked for. Commands, a line each:
 *
 *     guest NAME STATE SCREEN [DISKS]   there is such a guest, or it has changed
 *     job PROGRESS SECONDS              how far the last job is
 *     end STATE [SENTENCE]              it ends; one that is done has made the guest of its name
 *     pool FREE SIZE                    in GiB
 *     memory FREE TOTAL                 in MiB
 *     refuse SENTENCE                   what CreateGuest answers from now on; nothing: a job
 */
#include "roundhouse_dbus.h"

#include <gio/gunixfdlist.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static GDBusObjectManagerServer *objects;
static RhManager1 *manager;
static RhJob1 *job;
static char *job_name, *refusal;
static guint job_count;

static RhObjectSkeleton *object_at(const char *path)
{
    return rh_object_skeleton_new(path);
}

static gboolean on_act(RhGuest1 *guest, GDBusMethodInvocation *invocation, gpointer data)
{
    (void)data;
    printf("%s %s\n", g_dbus_method_invocation_get_method_name(invocation), rh_guest1_get_name(guest));
    fflush(stdout);
    g_dbus_method_invocation_return_value(invocation, NULL);
    return TRUE;
}

static gboolean on_settings(RhGuest1 *guest, GDBusMethodInvocation *invocation, gpointer data)
{
    const char *disks = g_object_get_data(G_OBJECT(guest), "disk");
    GVariantDict dict;
    (void)data;
    g_variant_dict_init(&dict, NULL);
    g_variant_dict_insert(&dict, "disk", "s", disks ? disks : "");
    g_variant_dict_insert(&dict, "memory_mib", "u", 512);
    rh_guest1_complete_get_settings(guest, invocation, g_variant_dict_end(&dict));
    return TRUE;
}

static gboolean on_set(RhGuest1 *guest, GDBusMethodInvocation *invocation, GVariant *settings, gpointer data)
{
    g_autofree char *text = g_variant_print(settings, FALSE);
    (void)data;
    printf("SetSettings %s %s\n", rh_guest1_get_name(guest), text);
    fflush(stdout);
    rh_guest1_complete_set_settings(guest, invocation);
    return TRUE;
}

static RhGuest1 *add_guest(const char *path, const char *name)
{
    RhGuest1 *guest = rh_guest1_skeleton_new();
    g_autoptr(RhObjectSkeleton) object = object_at(path);
    rh_guest1_set_name(guest, name);
    rh_guest1_set_colour(guest, "#4c9be8");
    rh_guest1_set_guest_type(guest, "hvm");
    rh_guest1_set_memory(guest, 512 * 1024);
    rh_guest1_set_vcpus(guest, 1);
    g_signal_connect(guest, "handle-start", G_CALLBACK(on_act), NULL);
    g_signal_connect(guest, "handle-switch", G_CALLBACK(on_act), NULL);
    g_signal_connect(guest, "handle-get-settings", G_CALLBACK(on_settings), NULL);
    g_signal_connect(guest, "handle-set-settings", G_CALLBACK(on_set), NULL);
    rh_object_skeleton_set_guest1(object, guest);
    g_dbus_object_manager_server_export(objects, G_DBUS_OBJECT_SKELETON(object));
    return guest;
}

static void set_guest(char **words)
{
    g_autofree char *path = g_strdup_printf("/org/roundhouse/guests/%s", words[1]);
    for (char *c = path; *c; c++)
        *c = *c == '-' ? '_' : *c;
    g_autoptr(GDBusObject) object = g_dbus_object_manager_get_object(G_DBUS_OBJECT_MANAGER(objects), path);
    g_autoptr(RhGuest1) guest = object ? rh_object_get_guest1(RH_OBJECT(object)) : add_guest(path, words[1]);
    rh_guest1_set_state(guest, words[2]);
    rh_guest1_set_screen(guest, (guint)atoi(words[3]));
    if (words[4])
        g_object_set_data_full(G_OBJECT(guest), "disk", g_strdup(words[4]), g_free);
}

static gboolean on_cancel(RhJob1 *which, GDBusMethodInvocation *invocation, gpointer data)
{
    (void)data;
    printf("Cancel %s\n", job_name);
    fflush(stdout);
    rh_job1_set_state(which, "cancelling");
    rh_job1_complete_cancel(which, invocation);
    return TRUE;
}

static char *begin_job(const char *name)
{
    char *path = g_strdup_printf("/org/roundhouse/jobs/%u", ++job_count);
    g_autoptr(RhObjectSkeleton) object = object_at(path);
    job = rh_job1_skeleton_new();
    g_free(job_name);
    job_name = g_strdup(name);
    rh_job1_set_kind(job, "create");
    rh_job1_set_guest(job, name);
    rh_job1_set_state(job, "running");
    rh_job1_set_result(job, "/");
    rh_job1_set_seconds_left(job, -1);
    g_signal_connect(job, "handle-cancel", G_CALLBACK(on_cancel), NULL);
    rh_object_skeleton_set_job1(object, job);
    g_dbus_object_manager_server_export(objects, G_DBUS_OBJECT_SKELETON(object));
    return path;
}

static gboolean on_create(RhManager1 *which, GDBusMethodInvocation *invocation, GUnixFDList *files, GVariant *settings,
                          GVariant *disks, gpointer data)
{
    g_autofree char *text = g_variant_print(settings, FALSE), *disk_text = g_variant_print(disks, FALSE);
    const char *name = "";
    struct stat status = {0};
    (void)data;
    g_variant_lookup(settings, "name", "&s", &name);
    if (files && g_unix_fd_list_get_length(files))
        fstat(g_unix_fd_list_peek_fds(files, NULL)[0], &status);
    printf("CreateGuest %s %s file=%lld\n", text, disk_text, (long long)status.st_size);
    fflush(stdout);
    if (refusal) {
        g_dbus_method_invocation_return_dbus_error(invocation, "org.roundhouse.Error.NoSpace", refusal);
        return TRUE;
    }
    g_autofree char *path = begin_job(name);
    rh_manager1_complete_create_guest(which, invocation, NULL, path);
    return TRUE;
}

static void end_job(char **words)
{
    if (g_str_equal(words[1], "done")) {
        char *guest[] = {(char *)"guest", job_name, (char *)"off", (char *)"0", NULL, NULL};
        g_autofree char *path = g_strdup_printf("/org/roundhouse/guests/%s", job_name);
        set_guest(guest);
        rh_job1_set_result(job, g_strdelimit(path, "-", '_'));
    }
    rh_job1_set_error(job, words[2] ? words[2] : "");
    rh_job1_set_state(job, words[1]);
}

static void command(char **words)
{
    if (g_str_equal(words[0], "guest"))
        set_guest(words);
    else if (g_str_equal(words[0], "job")) {
        rh_job1_set_progress(job, g_ascii_strtod(words[1], NULL));
        rh_job1_set_seconds_left(job, atoi(words[2]));
    } else if (g_str_equal(words[0], "end"))
        end_job(words);
    else if (g_str_equal(words[0], "pool")) {
        rh_manager1_set_pool_free(manager, (guint64)atoi(words[1]) << 30);
        rh_manager1_set_pool_size(manager, (guint64)atoi(words[2]) << 30);
    } else if (g_str_equal(words[0], "memory")) {
        rh_manager1_set_free_memory(manager, (guint64)atoi(words[1]) << 10);
        rh_manager1_set_total_memory(manager, (guint64)atoi(words[2]) << 10);
    } else if (g_str_equal(words[0], "refuse")) {
        g_free(refusal);
        refusal = words[1] ? g_strjoinv(" ", words + 1) : NULL;
    } else
        g_error("there is no command %s", words[0]);
}

static gboolean on_line(GIOChannel *input, GIOCondition condition, gpointer loop)
{
    g_autofree char *line = NULL;
    (void)condition;
    if (g_io_channel_read_line(input, &line, NULL, NULL, NULL) != G_IO_STATUS_NORMAL) {
        g_main_loop_quit(loop);
        return G_SOURCE_REMOVE;
    }
    /* The last word may have spaces in it. */
    g_auto(GStrv) words = g_strsplit(g_strstrip(line), " ", g_str_has_prefix(line, "guest") ? 5 : 3);
    command(words);
    return G_SOURCE_CONTINUE;
}

static void acquired(GDBusConnection *bus, const char *name, gpointer data)
{
    g_autoptr(RhObjectSkeleton) object = object_at("/org/roundhouse/Manager1");
    (void)name, (void)data;
    rh_object_skeleton_set_manager1(object, manager);
    g_dbus_object_manager_server_export(objects, G_DBUS_OBJECT_SKELETON(object));
    g_dbus_object_manager_server_set_connection(objects, bus);
}

int main(void)
{
    g_autoptr(GMainLoop) loop = g_main_loop_new(NULL, FALSE);
    g_autoptr(GIOChannel) input = g_io_channel_unix_new(0);
    objects = g_dbus_object_manager_server_new("/org/roundhouse");
    manager = rh_manager1_skeleton_new();
    g_signal_connect(manager, "handle-create-guest", G_CALLBACK(on_create), NULL);
    g_io_add_watch(input, G_IO_IN | G_IO_HUP, on_line, loop);
    g_bus_own_name(G_BUS_TYPE_SYSTEM, "org.roundhouse.Manager1", G_BUS_NAME_OWNER_FLAGS_NONE, acquired, NULL, NULL,
                   NULL, NULL);
    g_main_loop_run(loop);
    return 0;
}
