/*
 * Installations on a disk behind a loop device, with the real tools: what is there afterwards, looked at with other
 * tools than those that made it; that others' partitions are what they were; and what is left when it ends anywhere in
 * between.
 *
 * The second half, /cut, is a test of its own for meson. Needs root and loop devices; without them all is skipped, and
 * says so. Where the kernel has no device mapper, encryption is tested up to the point where it needs that.
 */
#include "grub_config.h"
#include "machine.h"
#include "trouble.h"

#include <crypt.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <libcryptsetup.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- running it, and stopping it ---- */

static void says(const char *said, const char *words)
{
    if (!said || !strstr(said, words))
        g_error("\"%s\" instead of \"%s\"", said ? said : "nothing", words);
}

static struct stops {
    guint count;                              /* steps so far */
    guint kill_at;                            /* the process is killed at this step; 0: never */
    const char *stop_in;                      /* the installation is told to stop in the middle of this stage, */
    guint after;                              /* when so many permille of it are done */
    void (*at_stop)(struct install *install); /* called there instead of stopping */
} stops;

static gboolean on_step(void *data, const struct install_progress *progress, GError **error)
{
    if (++stops.count == stops.kill_at)
        raise(SIGKILL);
    if (!stops.stop_in || strcmp(stops.stop_in, progress->stage) != 0 || progress->permille < stops.after)
        return TRUE;
    stops.stop_in = NULL;
    if (!stops.at_stop)
        return trouble(error, "It was told to stop.");
    stops.at_stop(data);
    return TRUE;
}

/* Reads the disk, makes the layout and installs. */
static gboolean install(struct install *install, GError **error)
{
    struct disk *disk = disk_read(install->answers->disk, "/sys", error);
    install->disk = disk;
    install->policies = g_getenv("POLICIES");
    install->progress = on_step;
    install->progress_data = install;
    install->iterations = 1000;
    gboolean good =
        disk &&
        layout_make(&install->layout, disk, install->answers, install->source->files[SOURCE_SYSTEM].size, error) &&
        install_run(install, error);
    install->disk = NULL;
    disk_free(disk);
    return good;
}

/* One run; what it says when it fails, to be freed, or NULL. */
static char *try_install(const char *disk, enum disk_use use, const struct source *source)
{
    GError *error = NULL;
    struct answers *answers = machine_answers(disk, use);
    struct install one = {.answers = answers, .source = source};
    gboolean good = install(&one, &error);
    char *said = good ? NULL : g_strdup(error->message);
    g_clear_error(&error);
    install_finish(&one);
    answers_free(answers);
    return said;
}

static void must_install(const char *disk, enum disk_use use, const struct source *source)
{
    stops = (struct stops){0};
    g_autofree char *said = try_install(disk, use, source);
    g_assert_cmpstr(said, ==, NULL);
}

static enum disk_holds holds(const char *path)
{
    g_autoptr(GError) error = NULL;
    struct disk *disk = disk_read(path, "/sys", &error);
    g_assert_no_error(error);
    enum disk_holds found = disk->holds;
    disk_free(disk);
    return found;
}

/* ---- what an installed disk is ---- */

static void check_table(const char *disk)
{
    g_autofree char *verdict = output("sgdisk -v %s", disk);
    g_assert_nonnull(strstr(verdict, "No problems found"));
    for (int role = 0; role < ROLE_COUNT; role++) {
        g_autofree char *line = output("sfdisk -d %s | grep 'name=\"%s\"'", disk, layout_kinds[role].name);
        g_assert_nonnull(strstr(line, layout_kinds[role].type));
    }
}

static void check_system(const char *disk, enum layout_role slot, const struct source *source)
{
    g_autofree char *part = part_of(disk, slot);
    g_autofree char *sum =
        output("head -c %" G_GINT64_FORMAT " %s | sha256sum | cut -d' ' -f1", source->files[SOURCE_SYSTEM].size, part);
    g_assert_cmpstr(sum, ==, source->files[SOURCE_SYSTEM].sum);
}

static void check_boot(const char *disk, char slot, const struct source *source)
{
    const char *boot = mounted(disk, ROLE_BOOT);
    char letter = g_ascii_tolower(slot);
    for (int i = SOURCE_HYPERVISOR; i <= SOURCE_INITRD; i++) {
        g_autofree char *sum = output("sha256sum %s/%c/%s | cut -d' ' -f1", boot, letter, source_names[i]);
        g_assert_cmpstr(sum, ==, source->files[i].sum);
    }
    g_autofree char *part = part_of(disk, slot == 'A' ? ROLE_A : ROLE_B);
    g_autofree char *id = output("blkid -p -s PART_ENTRY_UUID -o value %s", part);
    g_autofree char *start = output("grep -c 'root=PARTUUID=%s ro boot=roundhouse roundhouse.slot=%c' %s/%c/start.cfg",
                                    id, slot, boot, letter);
    g_assert_cmpstr(start, ==, "1");
    g_autofree char *order = output("grep -a ORDER %s/grub/grubenv", boot);
    g_assert_cmpint(order[6], ==, slot);
    run("cd %s; grub-script-check grub/grub.cfg; grub-script-check %c/start.cfg; test -f grub/i386-pc/normal.mod; cd "
        "%c; "
        "test $(sha256sum -c sha256 | grep -c OK) = 3; grep -q ^keymaps ../keymap",
        boot, letter, letter);
    unmounted();
}

/* GRUB's code in the first sector leads to the partition for it, which begins with code that leads on; for UEFI two
 * files. */
static void check_loader(const char *disk)
{
    g_autofree char *bios = part_of(disk, ROLE_BIOS), *esp = part_of(disk, ROLE_ESP), *boot = part_of(disk, ROLE_BOOT);
    run("test $(dd if=%s bs=1 skip=92 count=8 status=none | od -An -tu8) = $(cat /sys/class/block/%s/start); "
        "test \"$(dd if=%s bs=1 skip=510 count=2 status=none | od -An -tx1)\" = ' 55 aa'",
        disk, strrchr(bios, '/') + 1, disk);
    run("cd %s; for name in BOOT/BOOTX64.EFI roundhouse/grubx64.efi; do mcopy -n -o -i %s ::/EFI/$name efi; "
        "test \"$(head -c 2 efi)\" = MZ; grep -aq \"$(blkid -s UUID -o value -p %s)\" efi; done",
        machine_folder(), esp, boot);
    /* GRUB's own file system */
    run("for name in hypervisor kernel initrd; do grub-fstest %s cmp \"(loop0,gpt%s)/a/$name\" %s/boot/$name; done",
        disk, strrchr(boot, 'p') + 1, machine_folder());
}

static void check_settings(const char *disk)
{
    const char *state = mounted(disk, ROLE_STATE);
    run("cd %s/etc; test \"$(cat hostname)\" = laptop-1; test \"$(readlink localtime)\" = /usr/share/zoneinfo/UTC; "
        "grep -q XKBLAYOUT=us default/keyboard; cmp roundhouse/start.policy %s/kiosk.policy; "
        "grep -q '^anna:x:1000:1000:' passwd; grep -q '^root:x:0:0:' passwd; test $(stat -c %%a shadow) = 600",
        state, g_getenv("POLICIES"));
    g_autofree char *hash = output("grep ^anna: %s/etc/shadow | cut -d: -f2", state);
    g_assert_cmpstr(crypt("geheim", hash), ==, hash);
    unmounted();
}

static void whole_disk(void)
{
    const char *disk = machine_new_disk();
    struct source *source = machine_source("one");
    must_install(disk, USE_WHOLE_DISK, source);
    g_assert_cmpint(holds(disk), ==, HOLDS_ROUNDHOUSE);
    check_table(disk);
    check_system(disk, ROLE_A, source);
    check_boot(disk, 'A', source);
    check_loader(disk);
    check_settings(disk);
    g_autofree char *pool = part_of(disk, ROLE_POOL);
    run("test \"$(blkid -s TYPE -o value -p %s)\" = xfs; xfs_db -r -c version %s | grep -q REFLINK", pool, pool);
    g_autofree char *again = try_install(disk, USE_WHOLE_DISK, source),
                    *beside = try_install(disk, USE_FREE_SPACE, source);
    says(again, "holds Roundhouse and its guests");
    says(beside, "holds Roundhouse");
    source_free(source);
}

/* ---- renewal ---- */

/* What a renewal must not touch: settings and guests. */
static char *kept(const char *disk)
{
    g_autofree char *state = part_of(disk, ROLE_STATE), *pool = part_of(disk, ROLE_POOL);
    return output("head -c 300M %s | sha256sum; head -c 300M %s | sha256sum; sfdisk -d %s", state, pool, disk);
}

static void renewal(void)
{
    const char *disk = machine_new_disk();
    struct source *one = machine_source("one");
    must_install(disk, USE_WHOLE_DISK, one);
    g_autofree char *before = kept(disk);
    struct source *two = machine_source("two");
    must_install(disk, USE_RENEW, two);
    check_system(disk, ROLE_A, one);
    check_system(disk, ROLE_B, two);
    check_boot(disk, 'B', two);
    struct source *three = machine_source("three");
    must_install(disk, USE_RENEW, three);
    check_system(disk, ROLE_A, three);
    check_system(disk, ROLE_B, two);
    check_boot(disk, 'A', three);
    g_autofree char *after = kept(disk);
    g_assert_cmpstr(after, ==, before);
    source_free(one);
    source_free(two);
    source_free(three);
}

/* The new system did not come up, and the old one has its turn since: that is not written over. */
static void renewal_after_fallback(void)
{
    const char *disk = machine_new_disk();
    struct source *one = machine_source("one");
    must_install(disk, USE_WHOLE_DISK, one);
    struct source *two = machine_source("two");
    must_install(disk, USE_RENEW, two);
    const char *boot = mounted(disk, ROLE_BOOT);
    run("mount -o remount,rw %s; grub-editenv %s/grub/grubenv set B_TRY=3", boot, boot);
    unmounted();
    must_install(disk, USE_RENEW, two);
    check_system(disk, ROLE_A, one);
    check_boot(disk, 'B', two);
    source_free(one);
    source_free(two);
}

/* ---- the program ---- */

/* Its exit status; what it says is left in the files "said" and "complained". */
static int program(const char *disk, const char *answers, const char *options)
{
    g_autofree char *all = g_strdup_printf("disk = %s\n%s", disk, answers);
    g_autofree char *path = g_build_filename(machine_folder(), "program.answers", NULL);
    g_assert_true(g_file_set_contents(path, all, -1, NULL));
    g_autofree char *status =
        output("cd %s; %s --answers program.answers --system system --boot boot --policies %s %s >said "
               "2>complained || { echo $?; exit 0; }; echo 0",
               machine_folder(), g_getenv("PROGRAM"), g_getenv("POLICIES"), options);
    return atoi(status);
}

static void as_a_program(void)
{
    static const char *const answers = "use = whole-disk\nencrypt = no\nkeyboard = us\ntime-zone = UTC\nperson = anna\n"
                                       "password = geheim\n";
    const char *disk = machine_new_disk();
    source_free(machine_source("one"));
    g_autofree char *before = sum_of(disk, 0, 64 * MIB);
    if (g_access(answer_places.keyboards, R_OK) < 0 || g_access("/usr/share/zoneinfo/UTC", R_OK) < 0) {
        g_test_skip("needs X's keyboards and time zones (packages xkb-data and tzdata)");
        return;
    }
    g_assert_cmpint(program(disk, answers, "--plan"), ==, 0);
    run("cd %s; grep -q '^Before:$' said; grep -q 'roundhouse-pool$' said; grep -q '^  finish ' said; test ! -s "
        "complained",
        machine_folder());
    g_autofree char *after = sum_of(disk, 0, 64 * MIB);
    g_assert_cmpstr(after, ==, before);
    g_assert_cmpint(program(disk, "use = renew\nperson = x\n", ""), ==, 2);
    run("grep -q '^program.answers:3: person is of no use' %s/complained", machine_folder());
    g_assert_cmpint(program(disk, "use = renew\n", ""), ==, 1);
    run("grep -q 'has no partition roundhouse-bios' %s/complained", machine_folder());
    g_assert_cmpint(program(disk, answers, "--json"), ==, 0);
    run("cd %s; tail -n1 said | grep -q 'Roundhouse is installed'; test $(grep -c '\"permille\": 0}' said) = 9; "
        "python3 -c 'import json, sys; [json.loads(line)[\"record\"] for line in sys.stdin]' <said",
        machine_folder());
    g_assert_cmpint(holds(disk), ==, HOLDS_ROUNDHOUSE);
}

/* ---- beside others ---- */

/* Partitions of others before and behind the free space, with something in each. */
static void make_others(const char *disk)
{
    run("printf 'label: gpt\\nstart=2048,size=32MiB,name=theirs\\nstart=23GiB,size=64MiB,name=behind\\n' | sfdisk -q "
        "%s; "
        "partx -a %s; mkfs.ext4 -q %sp1; head -c 64M /dev/urandom >%sp2; partx -d %s",
        disk, disk, disk, disk, disk);
}

static char *others_of(const char *disk)
{
    g_autofree char *one = sum_of(disk, MIB, 32 * MIB), *other = sum_of(disk, 23 * GIB, 64 * MIB);
    g_autofree char *rows = output("sfdisk -d %s | grep -E 'theirs|behind|label-id'", disk);
    return g_strdup_printf("%s %s %s", one, other, rows);
}

/* Where partition tables are; but for the first sector's code, which is GRUB's afterwards. */
static char *tables_of(const char *disk)
{
    g_autofree char *head = sum_of(disk, 0, MIB), *tail = sum_of(disk, DISK_SIZE - MIB, MIB);
    return g_strdup_printf("%s %s", head, tail);
}

static void beside_others(void)
{
    const char *disk = machine_new_disk();
    struct source *source = machine_source("one");
    make_others(disk);
    g_autofree char *before = others_of(disk);
    must_install(disk, USE_FREE_SPACE, source);
    g_autofree char *after = others_of(disk);
    g_assert_cmpstr(after, ==, before);
    check_table(disk);
    g_assert_cmpint(holds(disk), ==, HOLDS_ROUNDHOUSE);
    source_free(source);
}

/* ---- told to stop ---- */

static const struct {
    const char *stage;
    guint after;
} stopped_at[] = {
    {"partition", 500},  {"clear", 500},    {"encrypt", 0},  {"filesystems", 400}, {"system", 500},
    {"boot-files", 300}, {"settings", 400}, {"loader", 400}, {"finish", 500},
};

static void stops_beside_others(void)
{
    const char *disk = machine_new_disk();
    struct source *source = machine_source("one");
    make_others(disk);
    g_autofree char *tables = tables_of(disk), *others = others_of(disk);
    for (guint i = 0; i < G_N_ELEMENTS(stopped_at); i++) {
        stops = (struct stops){.stop_in = stopped_at[i].stage, .after = stopped_at[i].after};
        g_autofree char *said = try_install(disk, USE_FREE_SPACE, source);
        g_autofree char *wanted =
            g_strdup_printf("It was told to stop. (stage \"%s\")\nThe disk is as it was before.", stopped_at[i].stage);
        g_assert_cmpstr(said, ==, wanted);
        g_autofree char *tables_now = tables_of(disk), *others_now = others_of(disk);
        g_assert_cmpstr(tables_now, ==, tables);
        g_assert_cmpstr(others_now, ==, others);
        g_assert_cmpint(holds(disk), ==, HOLDS_OTHER);
    }
    source_free(source);
}

static void stops_on_whole_disk(void)
{
    const char *disk = machine_new_disk();
    struct source *source = machine_source("one");
    make_others(disk);
    g_autofree char *tables = tables_of(disk);
    for (guint i = 0; i < 2; i++) {
        stops = (struct stops){.stop_in = stopped_at[i].stage, .after = stopped_at[i].after};
        g_autofree char *said = try_install(disk, USE_WHOLE_DISK, source), *now = tables_of(disk);
        says(said, i ? "What was on the disk before is lost." : "The disk is as it was before.");
        g_assert_true((strcmp(now, tables) == 0) == (i == 0));
        g_assert_cmpint(holds(disk), ==, i ? HOLDS_UNFINISHED : HOLDS_OTHER);
    }
    must_install(disk, USE_WHOLE_DISK, source);
    source_free(source);
}

/* ---- killed ---- */

/* In a process of its own, killed at that step; TRUE if it came to its end before. */
static gboolean killed_at(const char *disk, enum disk_use use, const struct source *source, guint step)
{
    int status;
    pid_t child = fork();
    if (child == 0) {
        stops = (struct stops){.kill_at = step};
        g_autofree char *said = try_install(disk, use, source);
        if (said)
            fprintf(stderr, "%s\n", said);
        _exit(said != NULL);
    }
    g_assert_cmpint(waitpid(child, &status, 0), ==, child);
    /* What it had mounted; on a machine its namespace goes with it. */
    run("for place in $(grep -o '/[^ ]*/roundhouse-install-[^ ]*/[^ ]*' /proc/self/mounts); do umount $place; done");
    if (WIFEXITED(status)) {
        g_assert_cmpint(WEXITSTATUS(status), ==, 0);
        return TRUE;
    }
    g_assert_cmpint(WTERMSIG(status), ==, SIGKILL);
    return FALSE;
}

/* Each run is the second one after the cut before, and is cut some steps later. */
static void killed_beside_others(void)
{
    const char *disk = machine_new_disk();
    struct source *source = machine_source("one");
    make_others(disk);
    g_autofree char *before = others_of(disk);
    guint step = 1;
    for (; !killed_at(disk, USE_FREE_SPACE, source, step); step += 4) {
        g_autofree char *after = others_of(disk), *verdict = output("sgdisk -v %s", disk);
        g_assert_cmpstr(after, ==, before);
        g_assert_nonnull(strstr(verdict, "No problems found"));
        if (holds(disk) == HOLDS_ROUNDHOUSE)
            break; /* a step after the mark */
    }
    g_assert_cmpuint(step, >, 30);
    g_assert_cmpint(holds(disk), ==, HOLDS_ROUNDHOUSE);
    check_system(disk, ROLE_A, source);
    check_boot(disk, 'A', source);
    check_loader(disk);
    check_settings(disk);
    source_free(source);
}

/* At each moment the slot that GRUB starts is whole: the old one, or the new one. */
static void killed_in_renewal(void)
{
    const char *disk = machine_new_disk();
    struct source *one = machine_source("one");
    must_install(disk, USE_WHOLE_DISK, one);
    g_autofree char *before = kept(disk);
    struct source *two = machine_source("two");
    gboolean done = FALSE;
    for (guint step = 1; !done; step++) {
        done = killed_at(disk, USE_RENEW, two, step);
        const char *boot = mounted(disk, ROLE_BOOT);
        g_autofree char *order = output("grep -a ORDER %s/grub/grubenv", boot);
        g_autofree char *ok = output("grep -a %c_OK %s/grub/grubenv", order[6] == 'A' ? 'B' : 'A', boot);
        unmounted();
        done |= order[6] == 'B';
        check_system(disk, order[6] == 'A' ? ROLE_A : ROLE_B, order[6] == 'A' ? one : two);
        check_boot(disk, order[6], order[6] == 'A' ? one : two);
        g_assert_cmpstr(ok + 2, ==, done ? "OK=1" : "OK=0");
    }
    g_autofree char *after = kept(disk);
    g_assert_cmpstr(after, ==, before);
    source_free(one);
    source_free(two);
}

/* ---- broken disks ---- */

/* The medium lies in the same tmpfs and is there already. */
static void full_disk(void)
{
    const char *disk = machine_new_disk();
    struct source *source = machine_source("one");
    stops = (struct stops){0};
    g_autofree char *used = output("du -sk %s | cut -f1", machine_folder());
    machine_set_room((g_ascii_strtoll(used, NULL, 10) + 9 * 1024) * 1024);
    g_autofree char *said = try_install(disk, USE_WHOLE_DISK, source);
    machine_set_room(GIB);
    says(said, "What was on the disk before is lost.");
    g_assert_cmpint(holds(disk), !=, HOLDS_ROUNDHOUSE);
    must_install(disk, USE_WHOLE_DISK, source);
    source_free(source);
}

static void spoil_slot(struct install *install)
{
    run("printf x | dd of=%s bs=1 seek=1234567 conv=notrunc status=none", install->paths[ROLE_A]);
}

static void disk_that_forgets(void)
{
    const char *disk = machine_new_disk();
    struct source *source = machine_source("one");
    stops = (struct stops){.stop_in = "system", .after = 500, .at_stop = spoil_slot};
    g_autofree char *said = try_install(disk, USE_WHOLE_DISK, source);
    says(said, "The disk gives back something else than what was written to it (system).");
    source_free(source);
}

static void damaged_medium(void)
{
    static const char *const files[] = {"system", "boot/hypervisor", "boot/kernel", "boot/initrd",
                                        "boot/kernel.options"};
    for (guint i = 0; i < G_N_ELEMENTS(files); i++) {
        g_autoptr(GError) error = NULL;
        source_free(machine_source("one"));
        g_autofree char *system = g_build_filename(machine_folder(), "system", NULL);
        g_autofree char *boot = g_build_filename(machine_folder(), "boot", NULL);
        run("printf x | dd of=%s/%s bs=1 seek=12 conv=notrunc status=none", machine_folder(), files[i]);
        g_assert_null(source_open(system, boot, &error));
        says(error->message, "is damaged: its sum is not the one that belongs to it.");
        says(error->message, files[i]);
    }
}

/* In the medium's folder this line of the shell, and what is said then. Its sums are made anew, unless they are what is
 * changed. */
static void odd_medium(void)
{
    static const struct {
        const char *change, *words;
    } rows[] = {
        {"echo quiet root=/dev/sda1 >kernel.options", "has \"root=/dev/sda1\", which the installer adds by itself."},
        {"echo rw >kernel.options", "has \"rw\", which"},
        {"echo 'a;reboot' >kernel.options", "kernel.options is more than one line, or has a sign that GRUB"},
        {"printf 'a\nb\n' >kernel.options", "kernel.options is more than one line"},
        {"echo '$x' >hypervisor.options", "hypervisor.options is more than one line"},
        {": >initrd", "initrd is empty."},
        {"rm -f kernel", "kernel cannot be read: No such file or directory"},
        {"sed -i '/  system$/s/^./x/' SHA256SUMS", "system is damaged"},
        {"sed -i '/  kernel.options$/d' SHA256SUMS", "kernel.options is damaged"},
        {"sed -i '$d' ../system.sha256", "system.sha256 has no end."},
        {"sed -i 1d ../system.sha256", "system is damaged"},
        {"sed -i 1p ../system.sha256", "system is damaged"},
        {"truncate -s 5M ../system", "system is damaged"},
        {"truncate -s 20M ../system", "system is damaged"},
    };
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GError) error = NULL;
        source_free(machine_source("one"));
        g_autofree char *system = g_build_filename(machine_folder(), "system", NULL);
        g_autofree char *boot = g_build_filename(machine_folder(), "boot", NULL);
        const char *sums =
            strstr(rows[i].change, "SHA256SUMS") ? ":" : "rm SHA256SUMS; sha256sum * >sums; mv sums SHA256SUMS";
        run("cd %s; %s; %s", boot, rows[i].change, sums);
        g_assert_null(source_open(system, boot, &error));
        says(error->message, rows[i].words);
    }
}

/* ---- refused ---- */

static void refuse(const char *disk, enum disk_use use, const char *words)
{
    struct source *source = machine_source("one");
    g_autofree char *before = tables_of(disk), *said = try_install(disk, use, source), *after = tables_of(disk);
    says(said, words);
    g_assert_cmpstr(after, ==, before);
    source_free(source);
}

static void refuses(void)
{
    const char *disk = machine_new_disk();
    make_others(disk);
    run("partx -a %s", disk);
    g_autofree char *part = g_strconcat(disk, "p1", NULL), *file = g_build_filename(machine_folder(), "file", NULL);
    g_autofree char *wanted = g_strdup_printf("is mounted at %s/mounted.", machine_folder());
    run("mkdir -p %s/mounted; mount %s %s/mounted", machine_folder(), part, machine_folder());
    refuse(disk, USE_WHOLE_DISK, wanted);
    unmounted();
    stops = (struct stops){0};
    struct source *source = machine_source("one");
    g_autofree char *of_part = try_install(part, USE_WHOLE_DISK, source);
    says(of_part, "is a partition; a whole disk is needed.");
    g_assert_true(g_file_set_contents(file, "x", 1, NULL));
    g_autofree char *of_file = try_install(file, USE_WHOLE_DISK, source);
    says(of_file, "is no disk; a whole disk is needed.");
    int fd = open(disk, O_RDONLY | O_EXCL);
    refuse(disk, USE_WHOLE_DISK, "is in use: it is swap space or another program has it for itself.");
    close(fd);
    run("blockdev --setro %s", disk);
    refuse(disk, USE_WHOLE_DISK, "can only be read.");
    run("blockdev --setrw %s", disk);
    disk = machine_new_disk();
    run("echo 'label: dos\nsize=1GiB' | sfdisk -q %s", disk);
    refuse(disk, USE_FREE_SPACE, "has MBR, and free space can be used with GPT alone.");
    source_free(source);
}

/* ---- encryption ---- */

static gboolean opens(const char *path, const char *key, gsize length)
{
    struct crypt_device *device = NULL;
    g_assert_cmpint(crypt_init(&device, path), ==, 0);
    g_assert_cmpint(crypt_load(device, CRYPT_LUKS2, NULL), ==, 0);
    int slot = crypt_activate_by_passphrase(device, NULL, CRYPT_ANY_SLOT, key, length, 0);
    crypt_free(device);
    return slot >= 0;
}

/* Now that somebody has asked for it, and so loaded it. */
static gboolean has_device_mapper(void)
{
    g_autofree char *text = NULL;
    return g_file_get_contents("/proc/misc", &text, NULL, NULL) && strstr(text, "device-mapper");
}

static void encrypted(void)
{
    const char *disk = machine_new_disk(), *phrase = "Nashorn fliegt 77";
    g_autofree char *key_file = g_build_filename(machine_folder(), "recovery", NULL);
    struct source *source = machine_source("one");
    struct answers *answers = machine_answers(disk, USE_WHOLE_DISK);
    answers->encrypt = answers->discard = TRUE;
    answers->passphrase = g_strdup(phrase);
    answers->recovery_key_file = g_strdup(key_file);
    struct install one = {.answers = answers, .source = source};
    g_autoptr(GError) error = NULL;
    stops = (struct stops){0};
    gboolean good = install(&one, &error);
    g_autofree char *state = part_of(disk, ROLE_STATE);
    g_assert_true(opens(state, phrase, strlen(phrase)));
    g_assert_true(opens(state, one.recovery_key, strlen(one.recovery_key)));
    g_assert_false(opens(state, "Nashorn fliegt 78", strlen(phrase)));
    run("cryptsetup luksDump %s | grep -q allow-discards", state);
    if (has_device_mapper()) {
        g_autofree char *key = output("cat %s", key_file), *pool = part_of(disk, ROLE_POOL);
        g_assert_no_error(error);
        g_assert_cmpstr(key, ==, one.recovery_key);
        g_assert_true(opens(pool, key, strlen(key)) && opens(pool, one.pool_key, sizeof(one.pool_key)));
    } else {
        g_assert_false(good);
        says(error->message, "(stage \"encrypt\")\nWhat was on the disk before is lost.");
        g_assert_cmpint(holds(disk), ==, HOLDS_UNFINISHED);
        g_test_message("there is no device mapper here: nothing beyond the header of the first volume was tried");
    }
    install_finish(&one);
    answers_free(answers);
    source_free(source);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(void);
    } tests[] = {
        {"/disk/whole", whole_disk},
        {"/disk/renewal", renewal},
        {"/disk/renewal-after-fallback", renewal_after_fallback},
        {"/disk/as-a-program", as_a_program},
        {"/disk/beside-others", beside_others},
        {"/cut/stops-beside-others", stops_beside_others},
        {"/cut/stops-on-whole-disk", stops_on_whole_disk},
        {"/cut/killed-beside-others", killed_beside_others},
        {"/cut/killed-in-renewal", killed_in_renewal},
        {"/disk/full", full_disk},
        {"/disk/forgets", disk_that_forgets},
        {"/disk/damaged-medium", damaged_medium},
        {"/disk/odd-medium", odd_medium},
        {"/disk/refuses", refuses},
        {"/disk/encrypted", encrypted},
    };
    g_test_init(&argc, &argv, NULL);
    const char *missing = machine_prepare();
    if (missing) {
        printf("1..0 # SKIP %s\n", missing);
        return 0;
    }
    for (guint i = 0; i < G_N_ELEMENTS(tests); i++)
        g_test_add_func(tests[i].name, tests[i].run);
    return g_test_run();
}
