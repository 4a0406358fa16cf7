#include "machine.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

/* grub-install asks udev for a device's place in sysfs; where there is no udev this does. */
#define UDEVADM                                                                                                        \
    "#!/bin/sh\nfor name; do :; done\npath=$(readlink -f \"/sys/class/block/${name##*/}\") && printf '%s\\n' "         \
    "\"${path#/sys}\"\n"

/* A keymap that tells which layout was asked for. */
#define CKBCOMP "#!/bin/sh\necho \"keymaps 0-127 # $*\"\n"

static char *folder, *device;
static int holder; /* the loop device is gone when this is closed, however the process ends */

/* ---- commands ---- */

static char *run_shell(const char *command, int *status)
{
    char *words[] = {"sh", "-ec", (char *)command, NULL}, *said = NULL, *complained = NULL;
    g_assert_true(g_spawn_sync(NULL, words, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, &said, &complained, status, NULL));
    if (*status)
        g_test_message("%s: %s", command, complained);
    g_free(complained);
    return g_strchomp(said);
}

char *output(const char *format, ...)
{
    va_list arguments;
    int status;
    va_start(arguments, format);
    g_autofree char *command = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    char *said = run_shell(command, &status);
    g_assert_cmpint(status, ==, 0);
    return said;
}

void run(const char *format, ...)
{
    va_list arguments;
    int status;
    va_start(arguments, format);
    g_autofree char *command = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    g_free(run_shell(command, &status));
    g_assert_cmpint(status, ==, 0);
}

/* ---- the machine ---- */

const char *machine_folder(void)
{
    return folder;
}

static void clean_up(void)
{
    machine_remove_disk();
    umount2(folder, MNT_DETACH);
    g_rmdir(folder);
}

static gboolean has_tools(void)
{
    static const char *const tools[] = {"losetup", "mkfs.ext4",    "mkfs.vfat", "mkfs.xfs",     "mcopy", "sgdisk",
                                        "sfdisk",  "grub-install", "partx",     "grub-mkimage", "blkid"};
    for (guint i = 0; i < G_N_ELEMENTS(tools); i++) {
        g_autofree char *path = g_find_program_in_path(tools[i]);
        if (!path) {
            g_test_message("%s is missing", tools[i]);
            return FALSE;
        }
    }
    return TRUE;
}

/* A program in place of one that is not here. */
static void make_program(const char *name, const char *text)
{
    g_autofree char *there = g_find_program_in_path(name), *path = g_build_filename(folder, name, NULL);
    if (there)
        return;
    g_assert_true(g_file_set_contents(path, text, -1, NULL));
    g_assert_no_errno(g_chmod(path, 0755));
}

static void make_programs(void)
{
    g_autofree char *search = g_strdup_printf("%s:%s", g_getenv("PATH"), folder);
    make_program("udevadm", UDEVADM);
    make_program("ckbcomp", CKBCOMP);
    g_setenv("PATH", search, TRUE);
}

const char *machine_prepare(void)
{
    g_autofree char *search = g_strconcat(g_getenv("PATH"), ":/usr/sbin:/sbin", NULL);
    g_setenv("PATH", search, TRUE);
    if (geteuid() != 0)
        return "needs root";
    if (!has_tools())
        return "needs the tools of disks and GRUB";
    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        return "needs a mount namespace";
    folder = g_mkdtemp(g_strdup("/tmp/roundhouse-installer-XXXXXX"));
    g_setenv("TMPDIR", folder, TRUE); /* before anybody asks for it */
    if (mount("disks", folder, "tmpfs", 0, "size=1G") < 0)
        return "needs the right to mount";
    make_programs();
    atexit(clean_up);
    const char *disk = machine_new_disk();
    int status = 1;
    if (disk) {
        g_autofree char *command = g_strdup_printf("printf 'label: gpt\\nsize=1MiB\\n' | sfdisk -q %s; partx -a %s; "
                                                   "test -b %sp1; partx -d %s",
                                                   disk, disk, disk, disk);
        g_free(run_shell(command, &status));
    }
    return status ? "needs loop devices with partitions" : NULL;
}

void machine_remove_disk(void)
{
    int status;
    if (!device)
        return;
    g_autofree char *command = g_strdup_printf("partx -d %s 2>/dev/null", device);
    g_free(run_shell(command, &status)); /* there may be none */
    close(holder);
    g_clear_pointer(&device, g_free);
    g_autofree char *path = g_build_filename(folder, "disk", NULL);
    g_remove(path);
}

const char *machine_new_disk(void)
{
    int status;
    machine_remove_disk();
    g_autofree char *command = g_strdup_printf("truncate -s %" G_GINT64_FORMAT " %s/disk; losetup -P -f --show %s/disk",
                                               DISK_SIZE, folder, folder);
    char *said = run_shell(command, &status);
    if (!status) {
        device = g_strdup(said);
        holder = open(device, O_RDONLY | O_CLOEXEC);
        run("losetup -d %s", device); /* takes place at the last close */
    }
    g_free(said);
    return device;
}

void machine_set_room(gint64 bytes)
{
    g_autofree char *options = g_strdup_printf("size=%" G_GINT64_FORMAT, bytes);
    g_assert_no_errno(mount(NULL, folder, NULL, MS_REMOUNT, options));
}

struct source *machine_source(const char *version)
{
    g_autoptr(GError) error = NULL;
    run("cd %s; rm -rf root boot; mkdir -p root/etc root/usr boot; echo %s >root/usr/version; "
        "echo root:x:0:0:root:/root:/bin/bash >root/etc/passwd; echo root:x:0: >root/etc/group; "
        "echo 'root:!:19000::::::' >root/etc/shadow; rm -f system; mke2fs -q -t ext4 -d root system 10M; "
        "for name in hypervisor kernel initrd; do head -c 300000 /dev/urandom >boot/$name; done; "
        "echo console=com1 >boot/hypervisor.options; echo quiet >boot/kernel.options; : >system.sha256; "
        "for part in 1 2 3; do tail -c +$(((part - 1) * 8388608 + 1)) system | head -c 8388608 | sha256sum | cut -c-64 "
        ">>system.sha256; done; cd boot; ln -sf ../system .; sha256sum * >SHA256SUMS",
        folder, version);
    g_autofree char *system = g_build_filename(folder, "system", NULL), *boot = g_build_filename(folder, "boot", NULL);
    struct source *source = source_open(system, boot, &error);
    g_assert_no_error(error);
    return source;
}

struct answers *machine_answers(const char *disk, enum disk_use use)
{
    g_autoptr(GPtrArray) mistakes = g_ptr_array_new_with_free_func(g_free);
    struct answer_places places = answer_places;
    g_autofree char *keyboards = g_build_filename(folder, "base.lst", NULL);
    g_autofree char *zones = g_build_filename(folder, "zones", NULL);
    run("mkdir -p %s; echo >%s/UTC; printf '! layout\\n  us  English\\n' >%s", zones, zones, keyboards);
    places = (struct answer_places){keyboards, zones, g_getenv("POLICIES")};
    g_autofree char *text = g_strdup_printf("disk = %s\nuse = renew\n", disk);
    if (use != USE_RENEW) {
        g_free(text);
        text = g_strdup_printf("disk = %s\nuse = %s\nencrypt = no\nkeyboard = us\ntime-zone = UTC\nperson = anna\n"
                               "password = geheim\nhost-name = laptop-1\npolicy = kiosk\n",
                               disk, use == USE_WHOLE_DISK ? "whole-disk" : "free-space");
    }
    g_autofree char *path = g_build_filename(folder, "answers", NULL);
    g_assert_true(g_file_set_contents(path, text, -1, NULL));
    struct answers *answers = answers_load(path, &places, mistakes);
    g_assert_nonnull(answers);
    return answers;
}

/* ---- looking ---- */

char *sum_of(const char *disk, gint64 start, gint64 size)
{
    g_assert_cmpint(start % 65536 + size % 65536, ==, 0);
    return output("dd if=%s bs=64K skip=%" G_GINT64_FORMAT " count=%" G_GINT64_FORMAT
                  " iflag=fullblock status=none | sha256sum",
                  disk, start / 65536, size / 65536);
}

char *part_of(const char *disk, enum layout_role role)
{
    return output("sfdisk -d %s | grep 'name=\"%s\"' | cut -d' ' -f1", disk, layout_kinds[role].name);
}

const char *mounted(const char *disk, enum layout_role role)
{
    static char place[256];
    g_autofree char *part = part_of(disk, role);
    g_snprintf(place, sizeof(place), "%s/mounted", folder);
    run("mkdir -p %s; mount -o ro %s %s", place, part, place);
    return place;
}

void unmounted(void)
{
    run("umount %s/mounted", folder);
}
