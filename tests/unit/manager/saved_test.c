/* The files of suspended guests: whole or not there, whatever fails, and used once. */
#include "directory.h"
#include "errors.h"
#include "saved_state.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define DEFINITION "[guest]\nslot=3\ntype=hvm\nmemory_mib=256\ncdrom=empty\n"

/* ---- the system: each call in turn can be made to fail ---- */

static int calls, failing; /* failing: the number of the call that fails, 0: none */
static guint64 free_mib;
static GString *order;

int __wrap_fsync(int fd);
int __wrap_rename(const char *from, const char *to);
int __real_rename(const char *from, const char *to);
ssize_t __wrap_write(int fd, const void *bytes, size_t length);
ssize_t __real_write(int fd, const void *bytes, size_t length);
int __wrap_statvfs(const char *path, struct statvfs *space);

static gboolean fails(const char *call)
{
    g_string_append_printf(order, "%s ", call);
    errno = ENOSPC;
    return ++calls == failing;
}

int __wrap_fsync(int fd)
{
    struct stat status;
    g_assert_cmpint(fstat(fd, &status), ==, 0);
    return fails(S_ISDIR(status.st_mode) ? "sync-folder" : "sync") ? -1 : 0;
}

int __wrap_rename(const char *from, const char *to)
{
    return fails("rename") ? -1 : __real_rename(from, to);
}

/* Two bytes at a time, so that a caller that does not go on loses the rest. */
ssize_t __wrap_write(int fd, const void *bytes, size_t length)
{
    if (!order || fd < 3)
        return __real_write(fd, bytes, length);
    return ++calls == failing ? (errno = ENOSPC, -1) : __real_write(fd, bytes, MIN(length, 2));
}

int __wrap_statvfs(const char *path, struct statvfs *space)
{
    (void)path;
    *space = (struct statvfs){.f_bavail = free_mib * 256, .f_frsize = 4096};
    return 0;
}

/* ---- */

struct fixture {
    char *folder; /* of suspended guests; not there at first */
    struct guest_config *config;
};

static void begin(struct fixture *fixture, struct directory *directory)
{
    g_autofree char *path = write_file(directory, "work.conf", DEFINITION);
    fixture->config = guest_config_load(path, NULL);
    unlink(path);
    fixture->folder = g_build_filename(directory->path, "saved", NULL);
    order = g_string_new("");
    calls = failing = 0;
    free_mib = 1024;
}

static guint files(struct fixture *fixture)
{
    guint count = 0;
    g_autoptr(GDir) dir = g_dir_open(fixture->folder, 0, NULL);
    while (dir && g_dir_read_name(dir))
        count++;
    return count;
}

static void end(struct fixture *fixture)
{
    g_string_free(g_steal_pointer(&order), TRUE);
    g_assert_cmpuint(files(fixture), ==, 0);
    rmdir(fixture->folder);
    g_free(fixture->folder);
    guest_config_free(fixture->config);
}

/* Saves "stream"; FALSE with what went wrong. */
static gboolean save(struct fixture *fixture, GError **error)
{
    int fd = saved_state_create(fixture->folder, fixture->config, error);
    if (fd < 0)
        return FALSE;
    g_assert_cmpint(__real_write(fd, "stream", 6), ==, 6);
    return saved_state_keep(fixture->folder, "work", fd, error);
}

static char *read_rest(int fd)
{
    char text[16] = "";
    g_assert_cmpint(read(fd, text, sizeof(text) - 1), >=, 0);
    close(fd);
    return g_strdup(text);
}

static void assert_damaged(struct fixture *fixture)
{
    g_autoptr(GError) error = NULL;
    struct guest_config *config = NULL;
    g_assert_cmpint(saved_state_open(fixture->folder, fixture->config, &config, &error), ==, -1);
    g_assert_null(config);
    g_assert_nonnull(error);
}

/* ---- tests ---- */

static void test_life(struct directory *directory, gconstpointer data)
{
    struct fixture fixture;
    struct guest_config *config = NULL;
    struct stat status;
    g_autoptr(GError) error = NULL;
    (void)data;
    begin(&fixture, directory);
    g_assert_false(saved_state_there(fixture.folder, "work"));
    save(&fixture, &error);
    g_assert_no_error(error);
    /* On the disk before it has its name, and the name after that. */
    g_assert_cmpstr(order->str, ==, "sync rename sync-folder ");
    g_assert_true(saved_state_there(fixture.folder, "work"));
    g_autofree char *path = g_build_filename(fixture.folder, "work", NULL);
    g_assert_true(stat(path, &status) == 0 && (status.st_mode & 0777) == 0600);
    g_assert_true(stat(fixture.folder, &status) == 0 && (status.st_mode & 0777) == 0700);

    int fd = saved_state_open(fixture.folder, fixture.config, &config, &error);
    g_assert_no_error(error);
    g_autofree char *rest = read_rest(fd);
    g_assert_cmpstr(rest, ==, "stream");
    g_free(config->path);
    config->path = g_strdup(fixture.config->path);
    g_assert_true(guest_config_equal(config, fixture.config));
    guest_config_free(config);

    g_assert_true(saved_state_use(fixture.folder, "work", &error));
    g_assert_false(saved_state_there(fixture.folder, "work"));
    saved_state_unuse(fixture.folder, "work");
    g_assert_true(saved_state_there(fixture.folder, "work"));
    g_assert_true(saved_state_use(fixture.folder, "work", &error));
    g_assert_true(saved_state_forget_used(fixture.folder, "work"));
    g_assert_false(saved_state_forget_used(fixture.folder, "work"));
    saved_state_unuse(fixture.folder, "work");
    g_assert_false(saved_state_there(fixture.folder, "work"));
    g_assert_true(save(&fixture, NULL));
    g_assert_true(saved_state_forget(fixture.folder, "work", &error));
    g_assert_true(saved_state_forget(fixture.folder, "work", &error));
    end(&fixture);
}

/* A save is cut at each of its calls in turn: nothing is there, or all of it. An older one is not lost for that. */
static void test_cut(struct directory *directory, gconstpointer data)
{
    struct fixture fixture;
    gboolean good = FALSE;
    (void)data;
    begin(&fixture, directory);
    for (int call = 1; !good; call++) {
        g_autoptr(GError) error = NULL;
        calls = 0;
        failing = call;
        good = save(&fixture, &error);
        failing = 0;
        g_assert_true(good == (error == NULL));
        if (saved_state_there(fixture.folder, "work")) { /* all was done but for the last word */
            struct guest_config *config = NULL;
            g_autofree char *rest = read_rest(saved_state_open(fixture.folder, fixture.config, &config, NULL));
            g_assert_cmpstr(rest, ==, "stream");
            guest_config_free(config);
        } else {
            g_assert_false(good);
            g_assert_nonnull(strstr(error->message, "No space left on device"));
        }
        saved_state_drop(fixture.folder, "work");
        g_assert_false(saved_state_drop(fixture.folder, "work"));
        g_assert_true(saved_state_forget(fixture.folder, "work", NULL));
        g_assert_cmpuint(files(&fixture), ==, 0);
    }
    g_assert_cmpint(calls, >, 20); /* it has written */
    end(&fixture);
}

/* One that is not marked as used on the disk may not go on: it might do so twice. */
static void test_unmarked(struct directory *directory, gconstpointer data)
{
    struct fixture fixture;
    g_autoptr(GError) error = NULL, other = NULL;
    (void)data;
    begin(&fixture, directory);
    g_assert_true(save(&fixture, NULL));
    calls = 0;
    failing = 1;
    g_assert_false(saved_state_use(fixture.folder, "work", &error));
    g_assert_nonnull(strstr(error->message, "cannot be marked as used"));
    calls = 0;
    failing = 2;
    g_assert_false(saved_state_use(fixture.folder, "work", &other));
    saved_state_unuse(fixture.folder, "work");
    g_assert_true(saved_state_forget(fixture.folder, "work", NULL));
    end(&fixture);
}

static void test_no_room(struct directory *directory, gconstpointer data)
{
    struct fixture fixture;
    g_autoptr(GError) error = NULL;
    (void)data;
    begin(&fixture, directory);
    free_mib = 256 + 63;
    g_assert_false(save(&fixture, &error));
    g_assert_nonnull(strstr(error->message, "has 319 MiB free and 320 are needed. Make room"));
    free_mib++;
    g_assert_true(save(&fixture, NULL));
    g_assert_true(saved_state_forget(fixture.folder, "work", NULL));
    end(&fixture);
}

/* A file that ends anywhere in its head, or that says something else, is no guest, and harms nobody. */
static void test_damaged(struct directory *directory, gconstpointer data)
{
    struct fixture fixture;
    g_autofree char *text = NULL;
    gsize length;
    (void)data;
    begin(&fixture, directory);
    g_autofree char *path = g_build_filename(fixture.folder, "work", NULL);
    assert_damaged(&fixture);
    g_assert_true(save(&fixture, NULL));
    g_assert_true(g_file_get_contents(path, &text, &length, NULL));
    gsize head = length - strlen("stream");
    for (gsize cut = 0; cut < head; cut++) {
        g_assert_cmpint(truncate(path, (off_t)cut), ==, 0);
        assert_damaged(&fixture);
        g_assert_true(g_file_set_contents(path, text, (gssize)length, NULL));
    }
    for (gsize at = 0; at < 40; at++) {
        g_autofree char *other = g_memdup2(text, length);
        other[at] ^= (char)0x80;
        g_assert_true(g_file_set_contents(path, other, (gssize)length, NULL));
        assert_damaged(&fixture);
    }
    unlink(path);
    g_assert_cmpint(symlink("/dev/zero", path), ==, 0);
    assert_damaged(&fixture);
    unlink(path);
    end(&fixture);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD_WITH_DIRECTORY("/saved/life", test_life);
    ADD_WITH_DIRECTORY("/saved/cut", test_cut);
    ADD_WITH_DIRECTORY("/saved/unmarked", test_unmarked);
    ADD_WITH_DIRECTORY("/saved/no-room", test_no_room);
    ADD_WITH_DIRECTORY("/saved/damaged", test_damaged);
    return g_test_run();
}
