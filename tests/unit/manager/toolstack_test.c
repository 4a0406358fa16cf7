/* The toolstack makes domains: what is asked of libxl, with what rights, and what is let go; and what it is asked. */
#include "toolstack_rig.h"
#include "errors.h"
#include "storage/image.h"
#include "vga_socket.h"

#include <glib/gstdio.h>
#include <libxl_utils.h>
#include <string.h>
#include <unistd.h>
#include <xen/xen.h>

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

/* Nothing is left of what was not made: no context, no loop device. */
static void test_not_made(void)
{
    int domid;
    setup();
    g_assert_null(create(config(GUEST_PV, NULL), &domid)); /* GLib opens what it keeps */
    int contexts = libxl_fake.contexts;
    unsigned descriptors = open_descriptors();
    g_autofree char *disk = g_strdup_printf("%s,xvda,rw", image);
    g_assert_true(g_file_test("guest-ran", G_FILE_TEST_IS_REGULAR));
    g_assert_true(g_unlink("guest-ran") == 0 && g_mkdir("guest-ran", 0700) == 0);
    expect(create(config(GUEST_PV, disk), &domid), "guest-ran cannot be made");
    g_assert_cmpint(g_rmdir("guest-ran"), ==, 0);
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
    g_test_add_func("/toolstack/pool-cd", test_pool_cd);
    g_test_add_func("/toolstack/find", test_find);
    g_test_add_func("/toolstack/host", test_host);
    g_test_add_func("/toolstack/policy", test_policy);
    g_test_add_func("/toolstack/no-hypervisor", test_no_hypervisor);
    return g_test_run();
}
