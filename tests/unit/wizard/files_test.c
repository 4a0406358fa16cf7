/* What of folders is offered, and what comes of a file that is looked at, with the real roundhouse-osinfo. */
#include "files.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct fixture {
    char *folder, *computer, *media;
    GAsyncResult *result;
};

static char *make(const char *folder, const char *name, const char *text)
{
    char *path = g_build_filename(folder, name, NULL);
    g_autofree char *parent = g_path_get_dirname(path);
    g_assert_cmpint(g_mkdir_with_parents(parent, 0700), ==, 0);
    g_assert_true(g_file_set_contents(path, text, -1, NULL));
    return path;
}

static void set_up(struct fixture *fixture, gconstpointer data)
{
    (void)data;
    fixture->folder = g_dir_make_tmp("files-XXXXXX", NULL);
    fixture->computer = g_build_filename(fixture->folder, "computer", NULL);
    fixture->media = g_build_filename(fixture->folder, "media", NULL);
    g_assert_cmpint(g_mkdir(fixture->computer, 0700), ==, 0);
}

static void tear_down(struct fixture *fixture, gconstpointer data)
{
    const char *const command[] = {"rm", "-rf", "--", fixture->folder, NULL};
    (void)data;
    g_assert_true(g_spawn_sync(NULL, (char **)command, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL, NULL, NULL));
    g_clear_object(&fixture->result);
    g_free(fixture->folder);
    g_free(fixture->computer);
    g_free(fixture->media);
}

static void done(GObject *source, GAsyncResult *result, gpointer data)
{
    struct fixture *fixture = data;
    (void)source;
    fixture->result = g_object_ref(result);
}

static void wait_for_result(struct fixture *fixture)
{
    while (!fixture->result)
        g_main_context_iteration(NULL, TRUE);
}

static GPtrArray *find(struct fixture *fixture, enum wizard_source source)
{
    const char *const plugged[] = {fixture->media, "/nowhere", NULL};
    struct wizard_places places = {fixture->computer, plugged};
    g_clear_object(&fixture->result);
    wizard_files_find(&places, source, NULL, done, fixture);
    wait_for_result(fixture);
    GPtrArray *files = wizard_files_find_finish(fixture->result, NULL);
    g_assert_nonnull(files);
    return files;
}

static void expect_file(GPtrArray *files, guint i, const char *end, const char *place, gboolean removable)
{
    const struct wizard_file *file = g_ptr_array_index(files, i);
    g_assert_true(g_str_has_suffix(file->path, end));
    g_assert_cmpstr(file->place, ==, place);
    g_assert_cmpint(file->removable, ==, removable);
    g_assert_cmpuint(file->bytes, ==, 4);
}

static void test_find(struct fixture *fixture, gconstpointer data)
{
    static const char *const names[] = {"computer/b.ISO",        "computer/deep/a.img",        "computer/notes.txt",
                                        "computer/.hidden.iso",  "media/STICK/c.iso",          "media/STICK/d.qcow2",
                                        "computer/1/2/3/at.iso", "computer/1/2/3/4/below.iso", NULL};
    (void)data;
    for (const char *const *name = names; *name; name++)
        g_free(make(fixture->folder, *name, "text"));
    g_autofree char *loop = g_build_filename(fixture->computer, "loop", NULL);
    g_autofree char *folder = g_build_filename(fixture->computer, "folder.iso", NULL);
    g_autofree char *queue = g_build_filename(fixture->computer, "queue.iso", NULL);
    g_assert_cmpint(symlink(fixture->computer, loop), ==, 0);
    g_assert_cmpint(g_mkdir(folder, 0700), ==, 0);
    g_assert_cmpint(mkfifo(queue, 0600), ==, 0);
    g_autoptr(GPtrArray) discs = find(fixture, WIZARD_DISC);
    g_assert_cmpuint(discs->len, ==, 4);
    expect_file(discs, 0, "1/2/3/at.iso", "This computer", FALSE);
    expect_file(discs, 1, "/b.ISO", "This computer", FALSE);
    expect_file(discs, 2, "/a.img", "This computer", FALSE);
    expect_file(discs, 3, "/c.iso", "STICK", TRUE);
    g_autoptr(GPtrArray) images = find(fixture, WIZARD_IMAGE);
    g_assert_cmpuint(images->len, ==, 2);
    expect_file(images, 1, "/d.qcow2", "STICK", TRUE);
}

static void test_many(struct fixture *fixture, gconstpointer data)
{
    (void)data;
    for (guint i = 0; i < FILES_MAX + 20; i++) {
        g_autofree char *name = g_strdup_printf("%u.iso", i);
        g_free(make(fixture->computer, name, ""));
    }
    g_autoptr(GPtrArray) files = find(fixture, WIZARD_DISC);
    g_assert_cmpuint(files->len, ==, FILES_MAX);
}

static struct wizard_look *look(struct fixture *fixture, const char *path, const char *program)
{
    g_clear_object(&fixture->result);
    wizard_look(path, program, NULL, done, fixture);
    wait_for_result(fixture);
    struct wizard_look *look = wizard_look_finish(fixture->result, NULL);
    g_assert_nonnull(look);
    g_assert_cmpstr(look->path, ==, path);
    return look;
}

static char *disc(struct fixture *fixture, const char *volume)
{
    g_autofree char *text = make(fixture->folder, "text", "A file of the disc");
    char *path = g_build_filename(fixture->computer, "disc.iso", NULL);
    const char *const command[] = {"xorriso", "-as", "mkisofs", "-quiet", "-V", volume, "-o", path, text, NULL};
    g_unlink(path);
    g_assert_true(g_spawn_sync(NULL, (char **)command, NULL, G_SPAWN_SEARCH_PATH | G_SPAWN_STDERR_TO_DEV_NULL, NULL,
                               NULL, NULL, NULL, NULL, NULL));
    return path;
}

static void test_look(struct fixture *fixture, gconstpointer data)
{
    const char *program = g_getenv("ROUNDHOUSE_OSINFO");
    (void)data;
    g_assert_nonnull(program);
    g_autofree char *debian = disc(fixture, "Debian 11.5.0 amd64 n");
    struct wizard_look *found = look(fixture, debian, program);
    g_assert_no_error(found->error);
    g_assert_nonnull(found->system);
    g_assert_cmpstr(found->system->name, ==, "Debian 11");
    g_assert_cmpstr(found->system->word, ==, "debian11");
    g_assert_false(found->system->windows);
    g_assert_cmpuint(found->system->memory_mib, >=, 512);
    g_assert_cmpuint(found->system->disk_gib, >=, 10);
    wizard_look_free(found);
    found = look(fixture, debian, "/nowhere/osinfo"); /* it says so, and goes on */
    g_assert_null(found->system);
    g_assert_no_error(found->error);
    wizard_look_free(found);
    g_autofree char *unknown = disc(fixture, "--help");
    found = look(fixture, unknown, program);
    g_assert_no_error(found->error);
    g_assert_null(found->system);
    wizard_look_free(found);
    found = look(fixture, "/nowhere/disc.iso", program);
    g_assert_error(found->error, MEDIUM_ERROR, MEDIUM_ERROR_UNREADABLE);
    wizard_look_free(found);
}

static void test_cancel(struct fixture *fixture, gconstpointer data)
{
    g_autoptr(GCancellable) cancellable = g_cancellable_new();
    g_autoptr(GError) error = NULL;
    g_autofree char *path = disc(fixture, "Debian 11.5.0 amd64 n");
    (void)data;
    wizard_look(path, "/bin/cat", cancellable, done, fixture);
    g_cancellable_cancel(cancellable);
    wait_for_result(fixture);
    g_assert_null(wizard_look_finish(fixture->result, &error));
    g_assert_error(error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
}

static void test_parse(struct fixture *fixture, gconstpointer data)
{
    (void)fixture, (void)data;
    struct wizard_system *system =
        wizard_system_parse("[system]\nname=Windows\nfamily=winnt\nfirmware=uefi\nvcpus=3\nmemory_mib=9999999999\n"
                            "least_memory_mib=-4\ndisk_gib=many\n");
    g_assert_nonnull(system);
    g_assert_true(system->windows && system->uefi);
    g_assert_cmpuint(system->processors, ==, 3);
    g_assert_cmpuint(system->memory_mib + system->least_memory_mib + system->disk_gib, ==, 0);
    wizard_system_free(system);
    g_assert_null(wizard_system_parse(""));
    g_assert_null(wizard_system_parse("[system]\nshort=x\n"));
    g_assert_null(wizard_system_parse("garbage"));
}

static void test_installer(struct fixture *fixture, gconstpointer data)
{
    g_autofree char *kernel = NULL, *ramdisk = NULL;
    (void)data;
    g_assert_false(wizard_find_installer(fixture->folder, &kernel, &ramdisk));
    for (guint release = 10; release <= 12; release++) {
        g_autofree char *linux_path = g_strdup_printf("%u/amd64/text/debian-installer/amd64/linux", release);
        g_autofree char *initrd = g_strdup_printf("%u/amd64/text/debian-installer/amd64/initrd.gz", release);
        g_free(make(fixture->folder, linux_path, "kernel"));
        if (release < 12) /* half of the newest one is missing */
            g_free(make(fixture->folder, initrd, "disk"));
    }
    g_assert_true(wizard_find_installer(fixture->folder, &kernel, &ramdisk));
    g_assert_nonnull(strstr(kernel, "/11/"));
    g_assert_true(g_str_has_suffix(ramdisk, "/11/amd64/text/debian-installer/amd64/initrd.gz"));
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(struct fixture *, gconstpointer);
    } tests[] = {{"/files/find", test_find},     {"/files/many", test_many},   {"/files/look", test_look},
                 {"/files/cancel", test_cancel}, {"/files/parse", test_parse}, {"/files/installer", test_installer}};
    g_test_init(&argc, &argv, NULL);
    g_log_set_always_fatal(G_LOG_LEVEL_CRITICAL | G_LOG_FATAL_MASK);
    for (gsize i = 0; i < G_N_ELEMENTS(tests); i++)
        g_test_add(tests[i].name, struct fixture, NULL, set_up, tests[i].run, tear_down);
    return g_test_run();
}
