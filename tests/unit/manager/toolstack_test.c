/* The real toolstack and domain_config.c on a libxl in memory: what is asked of it, with what rights, and what is let
 * go. */
#include "toolstack.h"
#include "errors.h"
#include "libxl_fake.h"
#include "loop_disk.h"
#include "saved_state.h"
#include "storage/image.h"
#include "vga_socket.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <libxl_utils.h>
#include <pwd.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xen/xen.h>

/* ---- the system ---- */

/* This test is made to look like a process of domain 7's device model, and is only said to be killed. */
#define BASE_UID 424242

static GArray *killed;
static const char *loop_image;
static gboolean loop_read_only;

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

static gboolean was_killed(void)
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

static unsigned open_descriptors(void)
{
    unsigned count = 0;
    g_autoptr(GDir) dir = g_dir_open("/proc/self/fd", 0, NULL);
    while (g_dir_read_name(dir))
        count++;
    return count;
}

/* ---- the whole ---- */

static struct toolstack *toolstack;
static char *folder, *kernel, *image;
static struct {
    int domid;
    enum toolstack_end end;
    unsigned count;
} ended;

static void note_end(int domid, enum toolstack_end end, gpointer user)
{
    (void)user;
    ended.domid = domid;
    ended.end = end;
    ended.count++;
}

static char *make_file(const char *name, const char *text)
{
    char *path = g_build_filename(folder, name, NULL);
    g_assert_true(g_file_set_contents(path, text, -1, NULL));
    return path;
}

static void setup(void)
{
    g_autoptr(GError) error = NULL;
    libxl_fake_reset();
    memset(&ended, 0, sizeof(ended));
    killed = g_array_new(FALSE, FALSE, sizeof(pid_t));
    folder = g_dir_make_tmp("roundhouse-toolstack-XXXXXX", NULL);
    kernel = make_file("vmlinuz", "kernel");
    image = make_file("disk.img", "disk");
    toolstack = toolstack_new(note_end, NULL, &error);
    g_assert_no_error(error);
}

static void teardown(void)
{
    toolstack_free(toolstack);
    g_array_unref(killed);
    g_unlink(kernel);
    g_unlink(image);
    g_rmdir(folder);
    g_free(kernel);
    g_free(image);
    g_free(folder);
}

static struct guest_config *config(enum guest_type type, const char *disk)
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

static void take_result(GObject *source, GAsyncResult *result, gpointer user)
{
    (void)source;
    *(GAsyncResult **)user = g_object_ref(result);
}

static GAsyncResult *wait_for(GAsyncResult **result)
{
    while (!*result)
        g_main_context_iteration(NULL, TRUE);
    return *result;
}

/* The error's sentence, or NULL; freed by the caller. */
static char *create(struct guest_config *wanted, int *domid)
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

static char *operate(enum toolstack_operation operation)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GAsyncResult) result = NULL;
    toolstack_operate(toolstack, operation, 7, take_result, &result);
    toolstack_operate_finish(toolstack, wait_for(&result), &error);
    return error ? g_strdup(error->message) : NULL;
}

/* ---- tests: making ---- */

static void check_pv(const libxl_domain_config *domain)
{
    g_assert_cmpint(domain->c_info.type, ==, LIBXL_DOMAIN_TYPE_PV);
    g_assert_cmpmem(domain->c_info.uuid.uuid, 16, "\27\27\27\27\27\27\27\27\27\27\27\27\27\27\27\27", 16);
    g_assert_cmpstr(domain->c_info.name, ==, "work");
    g_assert_null(domain->c_info.ssid_label);
    g_assert_cmpuint(domain->b_info.max_memkb, ==, 256 * 1024);
    g_assert_cmpuint(domain->b_info.target_memkb, ==, 256 * 1024);
    g_assert_cmpint(domain->b_info.max_vcpus, ==, 2);
    g_assert_cmpint(libxl_bitmap_count_set(&domain->b_info.avail_vcpus), ==, 2);
    g_assert_cmpstr(domain->b_info.kernel, ==, kernel);
    g_assert_cmpstr(domain->b_info.cmdline, ==, "quiet");
    g_assert_true(libxl_defbool_val(domain->c_info.run_hotplug_scripts));
    g_assert_cmpint(domain->num_disks, ==, 1);
    g_assert_cmpint(domain->disks[0].readwrite, ==, 0);
    g_assert_cmpint(domain->disks[0].format, ==, LIBXL_DISK_FORMAT_RAW);
    g_assert_cmpint(domain->disks[0].backend, ==, LIBXL_DISK_BACKEND_PHY);
    g_assert_cmpstr(domain->disks[0].pdev_path, ==, "/dev/loop7");
    g_assert_cmpstr(domain->disks[0].vdev, ==, "xvda");
    g_assert_cmpint(domain->num_nics, ==, 0);
    g_assert_cmpint(domain->on_crash, ==, LIBXL_ACTION_ON_SHUTDOWN_DESTROY);
}

/* What stock xl makes of seclabel=: the hypervisor turns it into the domain's ssidref. */
static void check_labelled(const libxl_domain_config *domain)
{
    g_assert_cmpstr(domain->c_info.ssid_label, ==, "desktop:untrusted");
    g_assert_cmpuint(domain->c_info.ssidref, ==, 0);
}

static void check_writable(const libxl_domain_config *domain)
{
    g_assert_cmpint(domain->disks[0].readwrite, ==, 1);
}

/* A read-only disk is so for the guest and for the loop device below it. */
static void test_pv(void)
{
    int domid;
    setup();
    g_autofree char *read_only = g_strdup_printf("%s,xvda,ro", image);
    g_autofree char *writable = g_strdup_printf("%s,xvda,rw", image);
    libxl_fake.created = check_pv;
    g_assert_null(create(config(GUEST_PV, read_only), &domid));
    g_assert_cmpint(domid, ==, 7);
    g_assert_cmpstr(loop_image, ==, image);
    g_assert_true(loop_read_only);
    libxl_fake.created = check_writable;
    g_assert_null(create(config(GUEST_PV, writable), &domid));
    g_assert_false(loop_read_only);
    teardown();
}

/* An image of the pool is its file. One that is not there is no start. */
static void test_image(void)
{
    int domid;
    g_autofree char *folder = g_dir_make_tmp("roundhouse-pool-XXXXXX", NULL);
    struct pool *pool = pool_open(folder, NULL);
    g_assert_nonnull(pool);
    g_assert_true(image_create(pool, "office", 1048576, NULL));
    g_autofree char *path = image_path(pool, "office", NULL);
    setup();
    toolstack_set_pool(toolstack, folder);
    libxl_fake.created = check_writable;
    g_assert_null(create(config(GUEST_PV, "image:office"), &domid));
    g_assert_cmpstr(loop_image, ==, path);
    libxl_fake.created = NULL;
    g_autofree char *missing = create(config(GUEST_PV, "image:missing"), &domid);
    g_assert_cmpstr(missing, ==, "There is no image called \"missing\".");
    g_assert_cmpint(domid, ==, -1);
    toolstack_set_pool(toolstack, "/nowhere/at/all");
    g_autofree char *nowhere = create(config(GUEST_PV, "image:office"), &domid);
    g_assert_nonnull(strstr(nowhere, "There is no pool of disks at /nowhere/at/all"));
    teardown();
    g_assert_true(image_delete(pool, "office", NULL));
    pool_close(pool);
    g_autofree char *images = g_build_filename(folder, "images", NULL),
                    *making = g_build_filename(folder, "making", NULL);
    g_assert_no_errno(g_rmdir(images) | g_rmdir(making) | g_rmdir(folder));
}

static gboolean has_argument(const libxl_domain_config *domain, const char *text)
{
    return g_strv_contains((const char *const *)domain->b_info.extra_hvm, text);
}

/* What libxl wants of a CD in an HVM guest: QEMU behind it, and the file, not a loop device. */
static void check_cd(const libxl_domain_config *domain, int number)
{
    const libxl_device_disk *disk = &domain->disks[number];
    g_assert_cmpint(domain->num_disks, ==, number + 1);
    g_assert_cmpint(disk->is_cdrom, ==, 1);
    g_assert_cmpint(disk->removable, ==, 1);
    g_assert_cmpint(disk->readwrite, ==, 0);
    g_assert_cmpint(disk->backend, ==, LIBXL_DISK_BACKEND_QDISK);
    g_assert_cmpstr(disk->vdev, ==, "hdc");
}

/* Its device model has no rights: its own user, no display but a socket of root's, no network service. */
static void check_hvm(const libxl_domain_config *domain)
{
    const libxl_domain_build_info *build = &domain->b_info;
    g_autofree char *path = vga_socket_path("work");
    g_autofree char *listen = g_strdup_printf("unix:%s", path);
    g_assert_cmpint(domain->c_info.type, ==, LIBXL_DOMAIN_TYPE_HVM);
    g_assert_true(libxl_defbool_val(build->dm_restrict));
    g_assert_cmpint(build->device_model_version, ==, LIBXL_DEVICE_MODEL_VERSION_QEMU_XEN);
    g_assert_true(libxl_defbool_val(build->u.hvm.vnc.enable));
    g_assert_cmpstr(build->u.hvm.vnc.listen, ==, listen);
    g_assert_false(libxl_defbool_val(build->u.hvm.vnc.findunused));
    g_assert_false(libxl_defbool_val(build->u.hvm.spice.enable));
    g_assert_false(libxl_defbool_val(build->u.hvm.sdl.enable));
    g_assert_false(libxl_defbool_val(build->u.hvm.vkb_device));
    g_assert_cmpint(build->u.hvm.vga.kind, ==, LIBXL_VGA_INTERFACE_TYPE_STD);
    g_assert_cmpuint(build->video_memkb, ==, VGA_MEMORY_KIB);
    g_assert_true(has_argument(domain, "VGA.xres=1280") && has_argument(domain, "VGA.yres=800"));
    g_assert_true(has_argument(domain, "none,id=roundhouse-sound"));
    check_cd(domain, 0);
    /* Sleep that nothing ends is not offered. libxl offers it where nobody says so. */
    g_assert_false(libxl_defbool_val(build->u.hvm.acpi_s3) || libxl_defbool_val(build->u.hvm.acpi_s4));
    g_assert_false(libxl_defbool_val(build->localtime));
    g_assert_false(libxl_defbool_val(build->u.hvm.viridian));
    g_assert_cmpmem(build->u.hvm.ms_vm_genid.bytes, 16, "qqqqqqqqqqqqqqqq", 16);
    g_assert_cmpstr(domain->disks[0].pdev_path, ==, image);
}

static void check_pvh(const libxl_domain_config *domain)
{
    g_assert_cmpint(domain->c_info.type, ==, LIBXL_DOMAIN_TYPE_PVH);
}

#define FIRST_CPU "ROUNDHOUSE_HVM_FIRST_CPU"

/* The processors that a new guest was kept to, 0: to none. */
static guint64 kept_to(enum guest_type type, const char *first)
{
    int domid;
    if (first)
        g_setenv(FIRST_CPU, first, TRUE);
    libxl_fake.affinity = 0;
    g_assert_null(create(config(type, NULL), &domid));
    g_assert_cmpint(domid, ==, 7);
    g_unsetenv(FIRST_CPU);
    return libxl_fake.affinity;
}

/* Guests that run by SVM or VT-x are kept to a test machine's later processors, with all their vcpus; others never. */
static void test_affinity(void)
{
    setup();
    g_assert_cmphex(kept_to(GUEST_HVM, NULL), ==, 0);
    g_assert_cmphex(kept_to(GUEST_PV, "1"), ==, 0);
    g_assert_cmphex(kept_to(GUEST_HVM, "1"), ==, 2);
    g_assert_cmpuint(libxl_fake.affinity_vcpus, ==, 2);
    libxl_fake.cpus = 11;
    g_assert_cmphex(kept_to(GUEST_PVH, "1"), ==, 0x7fe);
    g_assert_cmphex(kept_to(GUEST_PVH, "10"), ==, 0x400);
    teardown();
}

/* What cannot be done is said in the log; the guest is made all the same. */
static void test_affinity_impossible(void)
{
    setup();
    const char *values[] = {"", "2", "-1", "one", "1,2", "4294967297"};
    for (unsigned i = 0; i < G_N_ELEMENTS(values); i++) {
        g_test_expect_message(G_LOG_DOMAIN, G_LOG_LEVEL_WARNING, FIRST_CPU "=*one of 2 processors: work may*");
        g_assert_cmphex(kept_to(GUEST_HVM, values[i]), ==, 0);
        g_test_assert_expected_messages();
    }
    libxl_fake.cpus = ERROR_FAIL;
    g_test_expect_message(G_LOG_DOMAIN, G_LOG_LEVEL_WARNING, FIRST_CPU "=1 is not *");
    g_assert_cmphex(kept_to(GUEST_PVH, "1"), ==, 0);
    g_test_assert_expected_messages();
    libxl_fake.cpus = 2;
    libxl_fake.affinity_result = ERROR_FAIL;
    g_test_expect_message(G_LOG_DOMAIN, G_LOG_LEVEL_WARNING, "work could not be kept to the processors from 1 on");
    kept_to(GUEST_PVH, "1");
    g_test_assert_expected_messages();
    teardown();
}

static void test_hvm(void)
{
    int domid;
    setup();
    g_autofree char *cd = g_strdup_printf("%s,hdc,cdrom", image);
    libxl_fake.created = check_hvm;
    g_assert_null(create(config(GUEST_HVM, cd), &domid));
    libxl_fake.created = check_pvh;
    g_assert_null(create(config(GUEST_PVH, NULL), &domid));
    teardown();
}

static void expect(char *sentence, const char *part);

static struct guest_config *definition(const char *text)
{
    g_autofree char *path = make_file("work.conf", text);
    g_autoptr(GError) error = NULL;
    struct guest_config *config = guest_config_load(path, &error);
    g_assert_no_error(error);
    g_unlink(path);
    return config;
}

#define PC "[guest]\nname=work\nslot=3\ntype=hvm\n"

static void check_empty_cd(const libxl_domain_config *domain)
{
    check_cd(domain, 1);
    g_assert_null(domain->disks[1].pdev_path);
    g_assert_cmpint(domain->disks[1].format, ==, LIBXL_DISK_FORMAT_EMPTY);
    g_assert_cmpint(domain->disks[0].is_cdrom, ==, 0);
    g_assert_cmpint(domain->b_info.u.hvm.bios, ==, LIBXL_BIOS_TYPE_OVMF);
}

static void check_image_cd(const libxl_domain_config *domain)
{
    check_cd(domain, 0);
    g_assert_cmpstr(domain->disks[0].pdev_path, ==, image);
    g_assert_cmpint(domain->disks[0].format, ==, LIBXL_DISK_FORMAT_RAW);
    g_assert_cmpint(domain->b_info.u.hvm.bios, ==, LIBXL_BIOS_TYPE_SEABIOS);
    g_assert_true(libxl_defbool_val(domain->b_info.localtime));
    g_assert_true(libxl_defbool_val(domain->b_info.u.hvm.viridian));
    g_assert_cmpstr(domain->b_info.u.hvm.boot, ==, "dc");
}

/* The drive of cdrom=: with an image that is there, or empty. */
static void test_cdrom(void)
{
    int domid;
    setup();
    g_autofree char *empty = g_strdup_printf(PC "firmware=uefi\ncdrom=empty\ndisk=%s\n", image);
    g_autofree char *full = g_strdup_printf(PC "boot=dc\nclock=local\nviridian=true\ncdrom=%s\n", image);
    libxl_fake.created = check_empty_cd;
    g_assert_null(create(definition(empty), &domid));
    libxl_fake.created = check_image_cd;
    g_assert_null(create(definition(full), &domid));
    libxl_fake.created = NULL;
    expect(create(definition(PC "cdrom=/nonexistent.iso\n"), &domid), "CD /nonexistent.iso cannot be found");
    expect(create(definition(PC "cdrom=/dev/null\n"), &domid), "CD /dev/null cannot be found, or is empty");
    g_autofree char *nothing = make_file("nothing.iso", "");
    g_autofree char *of_nothing = g_strdup_printf(PC "cdrom=%s\n", nothing);
    expect(create(definition(of_nothing), &domid), "cannot be found, or is empty");
    g_unlink(nothing);
    teardown();
}

static const char *pool_disc;

static void check_pool_cd(const libxl_domain_config *domain)
{
    check_cd(domain, 0);
    g_assert_cmpstr(domain->disks[0].pdev_path, ==, pool_disc);
}

/* A CD that is an image of the pool is its file too, as a disk and in the drive of cdrom=. */
static void test_pool_cd(void)
{
    int domid;
    g_autofree char *folder = g_dir_make_tmp("roundhouse-pool-XXXXXX", NULL);
    struct pool *pool = pool_open(folder, NULL);
    g_assert_true(image_create(pool, "disc", 1048576, NULL));
    g_autofree char *path = image_path(pool, "disc", NULL);
    pool_disc = path;
    setup();
    toolstack_set_pool(toolstack, folder);
    libxl_fake.created = check_pool_cd;
    g_assert_null(create(definition(PC "cdrom=image:disc\n"), &domid));
    g_assert_null(create(definition(PC "disk=image:disc,hdc,cdrom\n"), &domid));
    libxl_fake.created = NULL;
    g_autofree char *missing = create(definition(PC "cdrom=image:missing\n"), &domid);
    g_assert_cmpstr(missing, ==, "There is no image called \"missing\".");
    teardown();
    pool_close(pool);
    g_autofree char *command = g_strdup_printf("rm -r %s", folder);
    g_assert_true(g_spawn_command_line_sync(command, NULL, NULL, NULL, NULL));
}

/* What libxl refuses: "direct boot parameters specified but kernel missing". */
static void check_boots(const libxl_domain_config *domain)
{
    const libxl_domain_build_info *build = &domain->b_info;
    g_assert_true(build->kernel || (!build->cmdline && !build->ramdisk));
    g_assert_true(build->kernel || domain->c_info.type == LIBXL_DOMAIN_TYPE_HVM);
    g_assert_true(domain->c_info.type != LIBXL_DOMAIN_TYPE_HVM || build->u.hvm.boot);
    g_assert_cmpuint(build->max_memkb, >, 0);
    g_assert_cmpint(build->max_vcpus, >, 0);
}

/* Each type of guest without each of its settings in turn: refused by name, or made as one that boots. */
static void left_out(const char *const *lines, const char *without, const char *needed)
{
    int domid;
    g_autoptr(GString) text = g_string_new("[guest]\n");
    g_autoptr(GError) error = NULL;
    for (gsize i = 0; lines[i]; i++) {
        if (lines[i] != without)
            g_string_append_printf(text, "%s\n", lines[i]);
    }
    g_autofree char *path = make_file("work.conf", text->str);
    struct guest_config *config = guest_config_load(path, &error);
    g_unlink(path);
    if (!config) {
        g_auto(GStrv) named = g_strsplit(needed, " ", -1);
        g_auto(GStrv) words = g_strsplit(without, "=", 2);
        g_assert_true(g_strv_contains((const char *const *)named, words[0]));
        return;
    }
    libxl_fake.created = check_boots;
    g_assert_null(create(config, &domid));
    g_assert_cmpint(domid, ==, 7);
}

static void test_left_out(void)
{
    setup();
    g_autofree char *its_kernel = g_strdup_printf("kernel=%s", kernel),
                    *its_ramdisk = g_strdup_printf("ramdisk=%s", kernel);
    g_autofree char *its_disk = g_strdup_printf("disk=%s", image), *its_cd = g_strdup_printf("cdrom=%s", image);
    const struct {
        const char *lines[16], *needed;
    } types[] = {
        {{"type=pv", "slot=3", "name=work", its_kernel, its_ramdisk, "cmdline=quiet", "memory_mib=64", "vcpus=2",
          its_disk, "display=displif", "autostart=false"},
         "slot kernel"},
        {{"type=pvh", "slot=3", "name=work", its_kernel, its_ramdisk, "cmdline=quiet", "memory_mib=64", "vcpus=2",
          its_disk, "display=none", "network=none"},
         "slot kernel"},
        {{"type=hvm", "slot=3", "name=work", its_kernel, its_ramdisk, "cmdline=quiet", its_disk}, "slot kernel"},
        {{"type=hvm", "slot=3", "name=work", "memory_mib=64", "display=vga"}, "slot type display"},
        {{"type=hvm", "slot=3", its_disk, its_cd, "firmware=bios", "boot=dc", "mac=00:16:3e:00:00:01"}, "slot type"},
        {{"type=hvm", "slot=3", its_cd, "firmware=uefi", "boot=cdn", "display=none"}, "slot type"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(types); i++) {
        left_out(types[i].lines, "", "");
        for (gsize line = 0; types[i].lines[line]; line++)
            left_out(types[i].lines, types[i].lines[line], types[i].needed);
    }
    teardown();
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

static void expect(char *sentence, const char *part)
{
    g_assert_nonnull(sentence);
    if (!strstr(sentence, part))
        g_error("\"%s\" does not say \"%s\"", sentence, part);
    g_assert_null(strstr(sentence, "journal")); /* who reads it cannot go there */
    if (!says_what_to_do(sentence))
        g_error("\"%s\" does not say what to do", sentence);
    g_free(sentence);
}

/* Nothing is left of what was not made: no context, no loop device. */
static void test_not_made(void)
{
    int domid;
    setup();
    g_assert_null(create(config(GUEST_PV, NULL), &domid)); /* GLib opens what it keeps */
    int contexts = libxl_fake.contexts;
    unsigned descriptors = open_descriptors();
    g_autofree char *disk = g_strdup_printf("%s,xvda,rw", image);
    libxl_fake.complaint = "no vcpu today";
    libxl_fake.create_result = ERROR_FAIL;
    expect(create(config(GUEST_PV, disk), &domid), "The toolstack says: no vcpu today. Try again");
    libxl_fake.create_result = 0;
    libxl_fake.free_kib = 256 * 1024 - 1;
    expect(create(config(GUEST_PV, disk), &domid), "It needs 256 MiB of memory and 255 MiB are free");
    libxl_fake.free_kib++;
    g_assert_null(create(config(GUEST_PV, NULL), &domid));
    libxl_fake.no_hypervisor = TRUE;
    expect(create(config(GUEST_PV, NULL), &domid), "The hypervisor does not answer (no vcpu today)");
    libxl_fake.no_hypervisor = FALSE;
    expect(create(config(GUEST_PV, "/nonexistent.img,xvda,rw"), &domid), "cannot be found");
    expect(create(config(GUEST_PV, "/dev/null,xvda,rw"), &domid), "neither a block device nor an image file");
    struct guest_config *no_kernel = config(GUEST_PV, NULL), *no_bridge = config(GUEST_PV, NULL);
    g_free(no_kernel->kernel);
    no_kernel->kernel = g_strdup("/nonexistent/vmlinuz");
    expect(create(no_kernel, &domid), "kernel /nonexistent/vmlinuz cannot be read");
    no_bridge->bridge = g_strdup("nobridge0");
    expect(create(no_bridge, &domid), "network nobridge0 does not exist");
    while (libxl_fake.contexts > contexts || open_descriptors() > descriptors) /* a worker may still be at its end */
        g_usleep(1000);
    teardown();
}

/* ---- tests: operations ---- */

static void test_operations(void)
{
    static const struct {
        enum toolstack_operation operation;
        enum libxl_fake_call call;
    } all[] = {{TOOLSTACK_PAUSE, FAKE_PAUSE},   {TOOLSTACK_UNPAUSE, FAKE_UNPAUSE}, {TOOLSTACK_SHUTDOWN, FAKE_SHUTDOWN},
               {TOOLSTACK_REBOOT, FAKE_REBOOT}, {TOOLSTACK_RESUME, FAKE_RESUME},   {TOOLSTACK_DESTROY, FAKE_DESTROY}};
    setup();
    int contexts = libxl_fake.contexts;
    for (gsize i = 0; i < G_N_ELEMENTS(all); i++) {
        libxl_fake.call = FAKE_NONE;
        libxl_fake.result = 0;
        g_assert_null(operate(all[i].operation));
        g_assert_cmpint(libxl_fake.call, ==, all[i].call);
        g_assert_cmpuint(libxl_fake.domid, ==, 7);
        g_assert_true(was_killed() == (all[i].operation == TOOLSTACK_DESTROY));
        libxl_fake.result = ERROR_FAIL;
        libxl_fake.complaint = "it resists";
        expect(operate(all[i].operation), "it resists");
        libxl_fake.result = ERROR_DOMAIN_NOTFOUND;
        g_autofree char *gone = operate(all[i].operation);
        g_assert_true((gone == NULL) == (all[i].operation == TOOLSTACK_DESTROY));
    }
    while (g_atomic_int_get(&libxl_fake.contexts) > contexts)
        g_usleep(1000);
    teardown();
}

/* What a guest of this type, which writes this into control/, is asked by. */
static enum libxl_fake_call asked_by(libxl_domain_type type, const char *feature, const char *value,
                                     enum toolstack_operation operation)
{
    g_autofree char *path = g_strdup_printf("/local/domain/7/control/%s", feature);
    libxl_fake.info.domid = 7;
    libxl_fake.info.domain_type = type;
    libxl_fake.store_path = path;
    libxl_fake.store_value = value;
    libxl_fake.call = FAKE_NONE;
    g_assert_null(operate(operation));
    g_assert_cmpuint(libxl_fake.domid, ==, 7);
    libxl_fake.store_path = NULL;
    return libxl_fake.call;
}

/* A PC whose system has no Xen driver that listens is asked by its power button. */
static void test_power_button(void)
{
    static const struct {
        libxl_domain_type type;
        const char *feature, *value;
        enum toolstack_operation operation;
        enum libxl_fake_call call;
    } cases[] = {
        {LIBXL_DOMAIN_TYPE_HVM, "feature-poweroff", "1", TOOLSTACK_SHUTDOWN, FAKE_SHUTDOWN},
        {LIBXL_DOMAIN_TYPE_HVM, "feature-poweroff", "", TOOLSTACK_SHUTDOWN, FAKE_POWER_BUTTON},
        {LIBXL_DOMAIN_TYPE_HVM, "feature-poweroff", "0", TOOLSTACK_SHUTDOWN, FAKE_POWER_BUTTON},
        {LIBXL_DOMAIN_TYPE_HVM, "feature-reboot", "1", TOOLSTACK_SHUTDOWN, FAKE_POWER_BUTTON},
        {LIBXL_DOMAIN_TYPE_HVM, "feature-reboot", "1", TOOLSTACK_REBOOT, FAKE_REBOOT},
        {LIBXL_DOMAIN_TYPE_HVM, "feature-poweroff", "1", TOOLSTACK_REBOOT, FAKE_POWER_BUTTON},
        {LIBXL_DOMAIN_TYPE_PV, "other", "", TOOLSTACK_SHUTDOWN, FAKE_SHUTDOWN},
        {LIBXL_DOMAIN_TYPE_PVH, "other", "", TOOLSTACK_SHUTDOWN, FAKE_SHUTDOWN},
        {LIBXL_DOMAIN_TYPE_PVH, "other", "", TOOLSTACK_REBOOT, FAKE_REBOOT},
    };
    setup();
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++)
        g_assert_cmpint(asked_by(cases[i].type, cases[i].feature, cases[i].value, cases[i].operation), ==,
                        cases[i].call);
    teardown();
}

/* libxl that waits for a device model without end is helped, by the end of its processes. */
static void test_destroy_hangs(void)
{
    setup();
    libxl_fake.destroy_hangs = TRUE;
    g_assert_null(operate(TOOLSTACK_DESTROY));
    g_assert_true(was_killed());
    teardown();
}

/* libxl repeats what a device model says. People read it, and the bus ends the connection of who sends what is no
 * UTF-8. */
static void test_words(void)
{
    setup();
    g_autofree char *endless = g_strnfill(100000, 'x');
    libxl_fake.result = ERROR_FAIL;
    libxl_fake.complaint = "QMP: \xff\x1b[2J\n";
    g_autofree char *sentence = operate(TOOLSTACK_PAUSE);
    g_assert_true(g_utf8_validate(sentence, -1, NULL));
    g_assert_nonnull(strstr(sentence, "QMP:"));
    g_assert_null(strpbrk(sentence, "\x1b\n"));
    libxl_fake.complaint = endless;
    g_autofree char *shorter = operate(TOOLSTACK_PAUSE);
    g_assert_cmpuint(strlen(shorter), <, 300);
    teardown();
}

/* ---- tests: suspend to disk ---- */

static char *save(struct guest_config *wanted, const char *saved)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GAsyncResult) result = NULL;
    libxl_fake.call = FAKE_NONE;
    toolstack_save(toolstack, wanted, 7, saved, take_result, &result);
    guest_config_free(wanted);
    g_assert_true(toolstack_save_finish(toolstack, wait_for(&result), &error) == (error == NULL));
    return error ? g_strdup(error->message) : NULL;
}

static void check_resumed(const libxl_domain_config *domain)
{
    g_assert_cmpint(domain->c_info.type, ==, LIBXL_DOMAIN_TYPE_PV);
    g_assert_nonnull(libxl_fake.restored);
}

/* What libxl writes is what it gets back, and a guest that was not saved goes on. */
static void test_save(void)
{
    int domid;
    g_autoptr(GError) error = NULL;
    g_autoptr(GAsyncResult) result = NULL;
    struct guest_config *wanted = NULL;
    setup();
    g_autofree char *saved = g_build_filename(folder, "saved", NULL);
    libxl_fake.stream = "a stream";
    libxl_fake.suspend_result = ERROR_FAIL;
    libxl_fake.complaint = "no suspend today";
    expect(save(config(GUEST_PV, NULL), saved), "no suspend today. It runs on. Try again");
    g_assert_cmpint(libxl_fake.call, ==, FAKE_RESUME);
    g_assert_false(saved_state_there(saved, "work") || saved_state_drop(saved, "work"));
    libxl_fake.result = ERROR_FAIL;
    expect(save(config(GUEST_PV, NULL), saved), "It stands still now. Force it off.");
    libxl_fake.suspend_result = libxl_fake.result = 0;
    expect(save(config(GUEST_PV, NULL), "/proc/none"), "no place for suspended guests");
    g_assert_cmpint(libxl_fake.call, ==, FAKE_NONE); /* it was not touched */
    g_assert_null(save(config(GUEST_PV, NULL), saved));
    g_assert_cmpint(libxl_fake.call, ==, FAKE_NONE);
    g_assert_true(saved_state_there(saved, "work"));

    struct guest_config *now = config(GUEST_PV, NULL);
    int fd = saved_state_open(saved, now, &wanted, &error);
    guest_config_free(now);
    unsigned before = open_descriptors();
    libxl_fake.created = check_resumed;
    toolstack_create(toolstack, wanted, (struct guest_screen){1280, 800}, fd, take_result, &result);
    guest_config_free(wanted);
    domid = toolstack_create_finish(toolstack, wait_for(&result), &error);
    g_assert_no_error(error);
    g_assert_cmpint(domid, ==, 7);
    g_assert_cmpstr(libxl_fake.restored->str, ==, "a stream");
    g_string_free(libxl_fake.restored, TRUE);
    g_clear_object(&result);
    while (open_descriptors() >= before)
        g_usleep(1000);
    g_assert_true(saved_state_forget(saved, "work", NULL));
    g_rmdir(saved);
    teardown();
}

/* ---- tests: another CD ---- */

static char *change_cd(const char *path)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GAsyncResult) result = NULL;
    toolstack_change_cd(toolstack, 7, path, take_result, &result);
    g_assert_true(toolstack_change_cd_finish(toolstack, wait_for(&result), &error) == (error == NULL));
    return error ? g_strdup(error->message) : NULL;
}

static const char *wanted_cd;

static void check_inserted(const libxl_device_disk *disk)
{
    g_assert_cmpstr(disk->vdev, ==, GUEST_CDROM_VDEV);
    g_assert_cmpstr(disk->pdev_path, ==, wanted_cd);
    g_assert_cmpint(disk->format, ==, wanted_cd ? LIBXL_DISK_FORMAT_RAW : LIBXL_DISK_FORMAT_EMPTY);
    g_assert_cmpint(disk->backend, ==, LIBXL_DISK_BACKEND_QDISK);
    g_assert_true(disk->is_cdrom && !disk->readwrite);
}

static void check_none(const libxl_device_disk *disk)
{
    g_error("%s was put in", disk->pdev_path);
}

/* A file goes in, nothing does, and nothing else. */
static void test_change_cd(void)
{
    setup();
    libxl_fake.inserted = check_inserted;
    wanted_cd = image;
    g_assert_null(change_cd(image));
    wanted_cd = NULL;
    g_assert_null(change_cd(GUEST_CDROM_EMPTY));
    libxl_fake.result = ERROR_FAIL;
    libxl_fake.complaint = "the door is locked";
    expect(change_cd(GUEST_CDROM_EMPTY), "the door is locked. Take the CD out in the guest first");
    libxl_fake.inserted = check_none;
    expect(change_cd("/dev/null"), "/dev/null is no image file");
    expect(change_cd("/nonexistent.iso"), "/nonexistent.iso is no image file");
    teardown();
}

/* ---- tests: ends ---- */

static void next_end(void)
{
    unsigned before = ended.count;
    while (ended.count == before)
        g_main_context_iteration(NULL, TRUE);
}

static void test_ends(void)
{
    static const struct {
        int reason;
        enum toolstack_end end;
    } reasons[] = {{LIBXL_SHUTDOWN_REASON_POWEROFF, TOOLSTACK_END_POWEROFF},
                   {LIBXL_SHUTDOWN_REASON_REBOOT, TOOLSTACK_END_REBOOT},
                   {LIBXL_SHUTDOWN_REASON_CRASH, TOOLSTACK_END_CRASH},
                   {LIBXL_SHUTDOWN_REASON_WATCHDOG, TOOLSTACK_END_CRASH},
                   {255, TOOLSTACK_END_CRASH}};
    g_autoptr(GError) error = NULL;
    int domid;
    setup();
    g_autofree char *disk = g_strdup_printf("%s,xvda,rw", image);
    g_assert_null(create(config(GUEST_PV, NULL), &domid)); /* GLib opens what it keeps */
    unsigned before = open_descriptors();
    g_assert_null(create(config(GUEST_PV, disk), &domid));
    g_assert_true(toolstack_watch(toolstack, 7, &error));
    for (gsize i = 0; i < G_N_ELEMENTS(reasons); i++) {
        libxl_fake_event(LIBXL_EVENT_TYPE_DOMAIN_SHUTDOWN, 7, reasons[i].reason);
        next_end();
        g_assert_cmpint(ended.domid, ==, 7);
        g_assert_cmpint(ended.end, ==, reasons[i].end);
    }
    g_assert_cmpuint(open_descriptors(), >, before); /* the loop device lives with the domain */
    g_assert_cmpuint(libxl_fake.watches, ==, 1);
    g_assert_false(was_killed());
    libxl_fake_event(LIBXL_EVENT_TYPE_DOMAIN_DEATH, 7, 0);
    next_end();
    g_assert_cmpint(ended.end, ==, TOOLSTACK_END_VANISHED);
    g_assert_cmpuint(libxl_fake.watches, ==, 0);
    g_assert_true(was_killed());
    while (open_descriptors() > before)
        g_usleep(1000);
    libxl_fake.result = ERROR_FAIL;
    libxl_fake.complaint = "no watch";
    g_assert_false(toolstack_watch(toolstack, 8, &error));
    expect(g_strdup(error->message), "no watch");
    teardown();
}

/* A suspend is no end; when the domain goes on, its end is waited for anew, for a watch tells of one only. */
static void test_suspended(void)
{
    g_autoptr(GError) error = NULL;
    setup();
    libxl_fake.info.domid = 7;
    libxl_fake.info.shutdown = true;
    libxl_fake.info.shutdown_reason = LIBXL_SHUTDOWN_REASON_SUSPEND;
    g_assert_true(toolstack_watch(toolstack, 7, &error));
    libxl_fake_event(LIBXL_EVENT_TYPE_DOMAIN_SHUTDOWN, 7, LIBXL_SHUTDOWN_REASON_SUSPEND);
    next_end();
    g_assert_cmpint(ended.end, ==, TOOLSTACK_END_SUSPENDED);
    for (gint64 until = g_get_monotonic_time() + 200000; g_get_monotonic_time() < until; g_usleep(5000))
        g_main_context_iteration(NULL, FALSE);
    g_assert_cmpuint(ended.count, ==, 1);
    g_assert_cmpuint(libxl_fake.watches_begun, ==, 1);
    libxl_fake.info.shutdown = false;
    next_end();
    g_assert_cmpint(ended.end, ==, TOOLSTACK_END_RESUMED);
    g_assert_cmpuint(libxl_fake.watches_begun, ==, 2);
    g_assert_cmpuint(libxl_fake.watches, ==, 1);
    libxl_fake_event(LIBXL_EVENT_TYPE_DOMAIN_SHUTDOWN, 7, LIBXL_SHUTDOWN_REASON_POWEROFF);
    next_end();
    g_assert_cmpint(ended.end, ==, TOOLSTACK_END_POWEROFF);
    libxl_fake.info.shutdown = true;
    libxl_fake_event(LIBXL_EVENT_TYPE_DOMAIN_SHUTDOWN, 7, LIBXL_SHUTDOWN_REASON_SUSPEND);
    next_end();
    libxl_fake_event(LIBXL_EVENT_TYPE_DOMAIN_DEATH, 7, 0);
    next_end();
    g_assert_cmpint(ended.end, ==, TOOLSTACK_END_VANISHED);
    g_assert_cmpuint(libxl_fake.watches, ==, 0);
    libxl_fake.info.shutdown = false; /* the next one of this number is another one */
    for (gint64 until = g_get_monotonic_time() + 100000; g_get_monotonic_time() < until; g_usleep(5000))
        g_main_context_iteration(NULL, FALSE);
    g_assert_cmpuint(libxl_fake.watches_begun, ==, 2);
    teardown();
}

/* ---- tests: questions ---- */

static void test_find(void)
{
    setup();
    int contexts = libxl_fake.contexts;
    libxl_fake.info.domid = 9;
    libxl_fake.info.cpu_time = 1;
    struct toolstack_domain domain = toolstack_find(toolstack, "work");
    g_assert_true(domain.domid == 9 && domain.begun && !domain.paused && !domain.suspended);
    libxl_fake.info.shutdown = true;
    libxl_fake.info.shutdown_reason = LIBXL_SHUTDOWN_REASON_CRASH;
    g_assert_false(toolstack_find(toolstack, "work").suspended);
    libxl_fake.info.shutdown_reason = LIBXL_SHUTDOWN_REASON_SUSPEND;
    g_assert_true(toolstack_find(toolstack, "work").suspended);
    libxl_fake.info.paused = true;
    libxl_fake.info.cpu_time = 0;
    domain = toolstack_find(toolstack, "work");
    g_assert_true(domain.domid == 9 && !domain.begun && domain.paused);
    g_assert_cmpint(toolstack_find(toolstack, "other").domid, ==, -1);
    libxl_fake.info.dying = true;
    g_assert_cmpint(toolstack_find(toolstack, "work").domid, ==, -1);
    libxl_fake.no_hypervisor = TRUE;
    g_assert_cmpint(toolstack_find(toolstack, "work").domid, ==, -1);
    g_assert_cmpint(libxl_fake.contexts, ==, contexts);
    teardown();
}

static void test_host(void)
{
    struct toolstack_host host;
    g_autoptr(GError) error = NULL;
    g_autoptr(GAsyncResult) result = NULL, again = NULL;
    setup();
    toolstack_query_host(toolstack, take_result, &result);
    g_assert_true(toolstack_query_host_finish(toolstack, wait_for(&result), &host, &error));
    g_assert_cmpstr(host.version, ==, "4.17.x");
    g_assert_cmpuint(host.free_kib, ==, 40);
    g_assert_cmpuint(host.total_kib, ==, 4000);
    libxl_fake.result = ERROR_FAIL;
    toolstack_query_host(toolstack, take_result, &again);
    g_assert_false(toolstack_query_host_finish(toolstack, wait_for(&again), &host, &error));
    toolstack_set_foreground(toolstack, 3);
    g_assert_cmpuint(libxl_fake.foreground, ==, 3);
    toolstack_set_foreground(toolstack, -1);
    g_assert_cmpuint(libxl_fake.foreground, ==, DOMID_INVALID);
    teardown();
}

static void test_policy(void)
{
    static const char table[] = "a table";
    g_autoptr(GError) error = NULL;
    int domid;
    setup();
    libxl_fake.policy = g_string_new(NULL);
    g_assert_true(toolstack_load_policy(toolstack, table, sizeof(table), &error));
    g_assert_cmpmem(libxl_fake.policy->str, libxl_fake.policy->len, table, sizeof(table));
    libxl_fake.result = -1;
    g_assert_false(toolstack_load_policy(toolstack, table, sizeof(table), &error));
    g_assert_error(error, RH_ERROR, RH_ERROR_TOOLSTACK);
    g_string_free(libxl_fake.policy, TRUE);
    struct guest_config *labelled = config(GUEST_PV, NULL);
    g_strlcpy(labelled->context, "desktop:untrusted", sizeof(labelled->context));
    libxl_fake.result = 0;
    libxl_fake.created = check_labelled;
    g_assert_null(create(labelled, &domid));
    teardown();
}

static void test_no_hypervisor(void)
{
    g_autoptr(GError) error = NULL;
    libxl_fake_reset();
    libxl_fake.no_hypervisor = TRUE;
    libxl_fake.complaint = "no xenstore";
    g_assert_null(toolstack_new(note_end, NULL, &error));
    g_assert_nonnull(strstr(error->message, "no xenstore"));
}

/* Arrays in which libxl notes what it gave out stay with a context, whose real end is not called. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libxenlight.so\n";
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_log_set_always_fatal(G_LOG_LEVEL_ERROR | G_LOG_LEVEL_CRITICAL);
    g_test_add_func("/toolstack/pv", test_pv);
    g_test_add_func("/toolstack/image", test_image);
    g_test_add_func("/toolstack/hvm", test_hvm);
    g_test_add_func("/toolstack/cdrom", test_cdrom);
    g_test_add_func("/toolstack/left-out", test_left_out);
    g_test_add_func("/toolstack/affinity", test_affinity);
    g_test_add_func("/toolstack/affinity-impossible", test_affinity_impossible);
    g_test_add_func("/toolstack/not-made", test_not_made);
    g_test_add_func("/toolstack/operations", test_operations);
    g_test_add_func("/toolstack/power-button", test_power_button);
    g_test_add_func("/toolstack/words", test_words);
    g_test_add_func("/toolstack/destroy-hangs", test_destroy_hangs);
    g_test_add_func("/toolstack/ends", test_ends);
    g_test_add_func("/toolstack/save", test_save);
    g_test_add_func("/toolstack/pool-cd", test_pool_cd);
    g_test_add_func("/toolstack/change-cd", test_change_cd);
    g_test_add_func("/toolstack/suspended", test_suspended);
    g_test_add_func("/toolstack/find", test_find);
    g_test_add_func("/toolstack/host", test_host);
    g_test_add_func("/toolstack/policy", test_policy);
    g_test_add_func("/toolstack/no-hypervisor", test_no_hypervisor);
    return g_test_run();
}
