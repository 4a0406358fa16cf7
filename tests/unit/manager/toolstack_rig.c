#include "toolstack_rig.h"
#include "errors.h"
#include "loop_disk.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <pwd.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* This test is made to look like a process of domain 7's device model, and is only said to be killed. */
#define BASE_UID 424242

static GArray *killed;
const char *loop_image;
gboolean loop_read_only;

struct passwd *__wrap_getpwnam(const char *name);
int __wrap_kill(pid_t pid, int signal);
int __wrap_stat(const char *path, struct stat *status);
int __real_stat(const char *path, struct stat *status);

struct passwd *__wrap_getpwnam(const char *name)
{
    static struct passwd base = {.pw_uid = BASE_UID};
    g_assert_cmpstr(name, ==, "xen-qemuuser-range-base");
    return &base;
}

int __wrap_stat(const char *path, struct stat *status)
{
    g_autofree char *own = g_strdup_printf("/proc/%d", getpid());
    int result = __real_stat(path, status);
    if (g_str_equal(path, own))
        status->st_uid = BASE_UID + 7;
    return result;
}

int __wrap_kill(pid_t pid, int signal)
{
    g_assert_cmpint(signal, ==, SIGKILL);
    g_array_append_val(killed, pid);
    libxl_fake_go_on();
    return 0;
}

gboolean was_killed(void)
{
    for (guint i = 0; i < killed->len; i++)
        g_assert_cmpint(g_array_index(killed, pid_t, i), ==, getpid());
    return killed->len > 0;
}

int loop_disk_attach(const char *image, gboolean read_only, const char *holder, char **device, GError **error)
{
    g_assert_cmpstr(holder, ==, "work");
    loop_image = g_intern_string(image);
    loop_read_only = read_only;
    if (g_str_has_suffix(image, "bad")) {
        g_set_error(error, RH_ERROR, RH_ERROR_TOOLSTACK, "No loop.");
        return -1;
    }
    *device = g_strdup("/dev/loop7");
    return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

unsigned open_descriptors(void)
{
    unsigned count = 0;
    g_autoptr(GDir) dir = g_dir_open("/proc/self/fd", 0, NULL);
    while (g_dir_read_name(dir))
        count++;
    return count;
}

struct toolstack *toolstack;
char *folder, *kernel, *image;
struct ended ended;

void note_end(int domid, enum toolstack_end end, gpointer user)
{
    (void)user;
    ended.domid = domid;
    ended.end = end;
    ended.count++;
}

char *make_file(const char *name, const char *text)
{
    char *path = g_build_filename(folder, name, NULL);
    g_assert_true(g_file_set_contents(path, text, -1, NULL));
    return path;
}

void setup(void)
{
    g_autoptr(GError) error = NULL;
    libxl_fake_reset();
    memset(&ended, 0, sizeof(ended));
    killed = g_array_new(FALSE, FALSE, sizeof(pid_t));
    folder = g_dir_make_tmp("roundhouse-toolstack-XXXXXX", NULL);
    g_assert_cmpint(g_chdir(folder), ==, 0); /* GUEST_RAN_MARK */
    kernel = make_file("vmlinuz", "kernel");
    image = make_file("disk.img", "disk");
    toolstack = toolstack_new(note_end, NULL, &error);
    g_assert_no_error(error);
}

void teardown(void)
{
    toolstack_free(toolstack);
    g_array_unref(killed);
    g_unlink(kernel);
    g_unlink(image);
    g_unlink("guest-ran");
    g_rmdir(folder);
    g_free(kernel);
    g_free(image);
    g_free(folder);
}

struct guest_config *config(enum guest_type type, const char *disk)
{
    g_autofree char *text = g_strdup_printf(
        "[guest]\nname=work\nslot=3\ntype=%s\nkernel=%s\ncmdline=quiet\nmemory_mib=256\nvcpus=2\n%s%s\n",
        type == GUEST_HVM ? "hvm" : (type == GUEST_PVH ? "pvh" : "pv"), kernel, disk ? "disk=" : "", disk ? disk : "");
    g_autofree char *path = make_file("work.conf", text);
    g_autoptr(GError) error = NULL;
    struct guest_config *config = guest_config_load(path, &error);
    g_assert_no_error(error);
    g_unlink(path);
    memset(config->uuid, 0x17, sizeof(config->uuid));
    memset(config->generation, 0x71, sizeof(config->generation));
    return config;
}

void take_result(GObject *source, GAsyncResult *result, gpointer user)
{
    (void)source;
    *(GAsyncResult **)user = g_object_ref(result);
}

GAsyncResult *wait_for(GAsyncResult **result)
{
    while (!*result)
        g_main_context_iteration(NULL, TRUE);
    return *result;
}

/* The error's sentence, or NULL; freed by the caller. */
char *create(struct guest_config *wanted, int *domid)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GAsyncResult) result = NULL;
    struct guest_screen screen = {1280, 800};
    toolstack_create(toolstack, wanted, screen, -1, take_result, &result);
    guest_config_free(wanted);
    *domid = toolstack_create_finish(toolstack, wait_for(&result), &error);
    g_assert_true((*domid < 0) == (error != NULL));
    return error ? g_strdup(error->message) : NULL;
}

char *operate(enum toolstack_operation operation)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GAsyncResult) result = NULL;
    toolstack_operate(toolstack, operation, 7, take_result, &result);
    toolstack_operate_finish(toolstack, wait_for(&result), &error);
    return error ? g_strdup(error->message) : NULL;
}

/* The last sentence is for the person, and tells to do something. */
static gboolean says_what_to_do(const char *sentence)
{
    static const char *const verbs[] = {"Correct", "Force", "Make", "Put",   "Restart", "Set",
                                        "Shut",    "Take",  "Try",  "Start", NULL};
    const char *last = g_strrstr(sentence, ". ");
    g_auto(GStrv) words = g_strsplit(last ? last + 2 : sentence, " ", 2);
    return g_str_has_suffix(sentence, ".") && words[0] && g_strv_contains(verbs, words[0]);
}

void expect(char *sentence, const char *part)
{
    g_assert_nonnull(sentence);
    if (!strstr(sentence, part))
        g_error("\"%s\" does not say \"%s\"", sentence, part);
    g_assert_null(strstr(sentence, "journal")); /* who reads it cannot go there */
    if (!says_what_to_do(sentence))
        g_error("\"%s\" does not say what to do", sentence);
    g_free(sentence);
}

/* Arrays in which libxl notes what it gave out stay with a context, whose real end is not called. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libxenlight.so\n";
}
