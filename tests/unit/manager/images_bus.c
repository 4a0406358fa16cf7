/* Images on the bus, and guests that are made with their disks: what is there afterwards, and what is left of nothing.
 */
#define _GNU_SOURCE /* O_PATH */
#include "service.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define MIB G_GUINT64_CONSTANT(1048576)

#define BAD_CONFIG "org.roundhouse.Error.BadConfig"
#define EXISTS     "org.roundhouse.Error.Exists"
#define IN_USE     "org.roundhouse.Error.InUse"
#define NOT_FOUND  "org.roundhouse.Error.NotFound"
#define STORAGE    "org.roundhouse.Error.Storage"

/* "name size guest, ..." */
static char *listed(struct fixture *fixture)
{
    g_autoptr(GVariant) images = NULL;
    g_autoptr(GError) error = NULL;
    GString *text = g_string_new(NULL);
    rh_manager1_call_list_images_sync(fixture->manager, &images, NULL, &error);
    g_assert_no_error(error);
    for (gsize i = 0; i < g_variant_n_children(images); i++) {
        g_autoptr(GVariant) image = g_variant_get_child_value(images, i);
        const char *name, *guest;
        guint64 size, used;
        g_assert_true(g_variant_lookup(image, "name", "&s", &name) && g_variant_lookup(image, "size", "t", &size) &&
                      g_variant_lookup(image, "used", "t", &used) && g_variant_lookup(image, "guest", "&s", &guest));
        g_assert_cmpuint(used, <=, size + MIB);
        g_string_append_printf(text, "%s%s %" G_GUINT64_FORMAT " %s", i ? ", " : "", name, size, guest);
    }
    return g_string_free(text, FALSE);
}

static void expect_images(struct fixture *fixture, const char *text)
{
    g_autofree char *found = listed(fixture);
    g_assert_cmpstr(found, ==, text);
}

/* What lies below a folder of the pool. */
static guint count_in(struct fixture *fixture, const char *folder)
{
    g_autofree char *path = g_build_filename(fixture->pool, folder, NULL);
    g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
    guint count = 0;
    while (dir && g_dir_read_name(dir))
        count++;
    return count;
}

/* ---- images ---- */

static void test_life(struct fixture *fixture, gconstpointer data)
{
    (void)data;
    make_pool(fixture);
    start_service(fixture);
    WAIT_FOR(rh_manager1_get_pool_size(fixture->manager) > 0);
    g_assert_cmpuint(rh_manager1_get_pool_free(fixture->manager) % (16 * MIB), ==, 0);
    expect_images(fixture, "");
    done(fixture, fixture->manager, "CreateImage", "('one', uint64 1048576)", -1);
    done(fixture, fixture->manager, "GrowImage", "('one', uint64 2097152)", -1);
    done(fixture, fixture->manager, "CloneImage", "('one', 'two')", -1);
    expect_images(fixture, "one 2097152 , two 2097152 ");
    done(fixture, fixture->manager, "RenameImage", "('two', 'three')", -1);
    done(fixture, fixture->manager, "DeleteImage", "('one',)", -1);
    expect_images(fixture, "three 2097152 ");
    g_assert_cmpuint(count_in(fixture, "making"), ==, 0);
}

static void test_refused(struct fixture *fixture, gconstpointer data)
{
    static const struct {
        const char *method, *parameters, *name, *sentence;
    } rows[] = {
        {"CreateImage", "('../x', uint64 512)", BAD_CONFIG, "cannot be the name of an image"},
        {"CreateImage", "('new', uint64 513)", BAD_CONFIG, "a multiple of 512"},
        {"CreateImage", "('there', uint64 512)", EXISTS, "Choose another name"},
        {"CloneImage", "('missing', 'new')", NOT_FOUND, "There is no image called \"missing\""},
        {"CloneImage", "('there', 'there')", EXISTS, "Choose another name"},
        {"GrowImage", "('there', uint64 512)", BAD_CONFIG, "It can only be made larger"},
        {"RenameImage", "('missing', 'new')", NOT_FOUND, "There is no image"},
        {"DeleteImage", "('missing',)", NOT_FOUND, "There is no image"},
        {"ImportImage", "('new', handle 0)", BAD_CONFIG, "No file was given"},
        {"ExportImage", "('there', handle 0, 'qcow2')", BAD_CONFIG, "No file was given"},
        {"ExportImage", "('there', handle 0, 'zip')", BAD_CONFIG, "\"zip\" is no format"},
    };
    (void)data;
    make_pool(fixture);
    start_service(fixture);
    done(fixture, fixture->manager, "CreateImage", "('there', uint64 1048576)", -1);
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++)
        refused(fixture, fixture->manager, rows[i].method, rows[i].parameters, -1, rows[i].name, rows[i].sentence);
    expect_images(fixture, "there 1048576 ");
}

/* A pool that comes later is found. */
static void test_no_pool(struct fixture *fixture, gconstpointer data)
{
    g_autoptr(GVariant) images = NULL;
    GError *error = NULL;
    (void)data;
    start_service(fixture);
    g_assert_cmpuint(rh_manager1_get_pool_size(fixture->manager), ==, 0);
    g_assert_false(rh_manager1_call_list_images_sync(fixture->manager, &images, NULL, &error));
    expect_error(error, STORAGE, "There is no pool of disks at");
    refused(fixture, fixture->manager, "CreateImage", "('new', uint64 512)", -1, STORAGE,
            "There is no pool of disks at");
    refused(fixture, fixture->manager, "CreateGuest", "({'name': <'new'>, 'kernel': <'/k'>}, [{'size': <uint64 512>}])",
            -1, STORAGE, "There is no pool of disks at");
    g_assert_cmpuint(guest_count(fixture), ==, 0);
    make_pool(fixture);
    done(fixture, fixture->manager, "CreateImage", "('new', uint64 512)", -1);
}

static void expect_content(struct fixture *fixture, const char *image, const char *file)
{
    g_autofree char *command = g_strdup_printf("cmp pool/images/%s/disk.img %s", image, file);
    run(fixture, command);
}

static void test_there_and_back(struct fixture *fixture, gconstpointer data)
{
    (void)data;
    make_pool(fixture);
    start_service(fixture);
    run(fixture, "head -c 1048576 /dev/urandom >raw; mkfifo fifo; : >empty; : >out; : >again; echo x >full");
    run(fixture, "qemu-img create -q -f qcow2 -F raw -b \"$PWD/raw\" over");
    int raw = open_file(fixture, "raw", O_RDONLY), out = open_file(fixture, "out", O_WRONLY);
    done(fixture, fixture->manager, "ImportImage", "('work', handle 0)", raw);
    expect_content(fixture, "work", "raw");
    done(fixture, fixture->manager, "ExportImage", "('work', handle 0, 'qcow2')", out);
    run(fixture, "head -c 3 out | grep -q QFI");
    int back = open_file(fixture, "out", O_RDONLY);
    done(fixture, fixture->manager, "ImportImage", "('back', handle 0)", back);
    expect_content(fixture, "back", "raw");
    const struct {
        const char *method, *parameters, *file;
        int flags;
        const char *sentence;
    } rows[] = {
        {"ImportImage", "('new', handle 0)", "fifo", O_RDWR, "is no ordinary file"},
        {"ImportImage", "('new', handle 0)", "empty", O_RDONLY, "It is empty"},
        {"ImportImage", "('new', handle 0)", "raw", O_WRONLY, "not open for reading"},
        {"ImportImage", "('new', handle 0)", "raw", O_PATH, "not open for reading"},
        {"ImportImage", "('new', handle 0)", "over", O_RDONLY, "the rest is in another file"},
        {"ExportImage", "('work', handle 0, 'raw')", "again", O_RDONLY, "not open for writing"},
        {"ExportImage", "('work', handle 0, 'raw')", "full", O_RDWR, "must be an empty ordinary file"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        int fd = open_file(fixture, rows[i].file, rows[i].flags);
        refused(fixture, fixture->manager, rows[i].method, rows[i].parameters, fd, BAD_CONFIG, rows[i].sentence);
        close(fd);
    }
    run(fixture, "test ! -s again; test \"$(cat full)\" = x");
    expect_images(fixture, "back 1048576 , work 1048576 ");
    close(raw);
    close(out);
    close(back);
}

/* An image that a definition has stays, off as the guest is. */
static void test_in_use(struct fixture *fixture, gconstpointer data)
{
    (void)data;
    make_pool(fixture);
    define(fixture, "office", 1, "disk=image:one");
    define(fixture, "pc", 2, "type=hvm\ndisk=image:two\ncdrom=image:disc");
    start_service(fixture);
    g_assert_cmpuint(problem_count(fixture), ==, 0);
    done(fixture, fixture->manager, "CreateImage", "('one', uint64 1048576)", -1);
    done(fixture, fixture->manager, "CreateImage", "('disc', uint64 1048576)", -1);
    expect_images(fixture, "disc 1048576 pc, one 1048576 office");
    refused(fixture, fixture->manager, "DeleteImage", "('one',)", -1, IN_USE, "\"one\" is a disk of office");
    refused(fixture, fixture->manager, "RenameImage", "('one', 'other')", -1, IN_USE, "\"one\" is a disk of office");
    refused(fixture, fixture->manager, "DeleteImage", "('disc',)", -1, IN_USE, "\"disc\" is a disk of pc");
    undefine(fixture, "office");
    WAIT_FOR(guest_count(fixture) == 1);
    done(fixture, fixture->manager, "DeleteImage", "('one',)", -1);
}

/* ---- guests with their disks ---- */

static char *setting(struct fixture *fixture, const char *name, const char *key)
{
    g_autoptr(RhGuest1) proxy = guest(fixture, name);
    g_autoptr(GVariant) settings = NULL;
    char *text = NULL;
    g_assert_true(rh_guest1_call_get_settings_sync(proxy, &settings, NULL, NULL));
    g_variant_lookup(settings, key, "s", &text);
    return text;
}

static void expect_setting(struct fixture *fixture, const char *name, const char *key, const char *wanted)
{
    g_autofree char *text = setting(fixture, name, key);
    g_assert_cmpstr(text, ==, wanted);
}

static void test_create(struct fixture *fixture, gconstpointer data)
{
    (void)data;
    make_pool(fixture);
    start_service(fixture);
    run(fixture, "head -c 1048576 /dev/urandom >raw");
    int raw = open_file(fixture, "raw", O_RDONLY);
    done(fixture, fixture->manager, "CreateGuest",
         "({'name': <'work'>, 'kernel': <'/k'>, 'disk': <'/dev/vg/x'>},"
         " [{'size': <uint64 2097152>}, {'import': <handle 0>}])",
         raw);
    expect_images(fixture, "work 2097152 work, work-2 1048576 work");
    expect_content(fixture, "work-2", "raw");
    expect_setting(fixture, "work", "disk", "/dev/vg/x,xvda; image:work,xvdb; image:work-2,xvdc");
    done(
        fixture, fixture->manager, "CreateGuest",
        "({'name': <'pc'>, 'type': <'hvm'>, 'cdrom': <'image:work'>}, [{'clone': <'work-2'>, 'size': <uint64 2097152>},"
        " {'size': <uint64 512>}, {'size': <uint64 512>}, {'size': <uint64 512>}])",
        -1);
    expect_setting(fixture, "pc", "disk", "image:pc,hda; image:pc-2,hdb; image:pc-3,hdd; image:pc-4,xvde");
    expect_images(fixture, "pc 2097152 pc, pc-2 512 pc, pc-3 512 pc, pc-4 512 pc, work 2097152 pc, work, "
                           "work-2 1048576 work");
    run(fixture, "cmp -n 1048576 pool/images/pc/disk.img raw");
    close(raw);
}

/* Whatever is refused, and wherever in the row of disks: nothing is left. */
static void test_create_refused(struct fixture *fixture, gconstpointer data)
{
    static const struct {
        const char *disks, *name, *sentence;
    } rows[] = {
        {"[{'size': <uint64 0>}]", BAD_CONFIG, "Disk 1 cannot be made."},
        {"[{'size': <'20G'>}]", BAD_CONFIG, "Disk 1 cannot be made."},
        {"[{'size': <uint64 512>}, {'colour': <'red'>}]", BAD_CONFIG, "Disk 2 cannot be made."},
        {"[@a{sv} {}]", BAD_CONFIG, "Give its size"},
        {"[{'clone': <'there'>, 'import': <handle 0>}]", BAD_CONFIG, "both a clone and an import"},
        {"[{'size': <uint64 512>}, {'size': <uint64 513>}]", BAD_CONFIG, "a multiple of 512"},
        {"[{'size': <uint64 512>}, {'clone': <'missing'>}]", NOT_FOUND, "There is no image called \"missing\""},
        {"[{'clone': <'there'>, 'size': <uint64 512>}]", BAD_CONFIG, "It can only be made larger"},
        {"[{'size': <uint64 512>}, {'import': <handle 0>}]", BAD_CONFIG, "The file cannot be imported."},
    };
    (void)data;
    make_pool(fixture);
    start_service(fixture);
    run(fixture, "qemu-img create -q -f qed other 1M");
    int other = open_file(fixture, "other", O_RDONLY);
    done(fixture, fixture->manager, "CreateImage", "('there', uint64 1048576)", -1);
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *parameters = g_strdup_printf("({'name': <'new'>, 'kernel': <'/k'>}, %s)", rows[i].disks);
        refused(fixture, fixture->manager, "CreateGuest", parameters, other, rows[i].name, rows[i].sentence);
        g_assert_cmpuint(count_in(fixture, "images"), ==, 1);
        g_assert_cmpuint(count_in(fixture, "making"), ==, 0);
    }
    refused(fixture, fixture->manager, "CreateGuest",
            "({'name': <'there'>, 'kernel': <'/k'>}, [{'size': <uint64 512>}])", -1, EXISTS,
            "There is an image called \"there\" already");
    g_assert_cmpuint(guest_count(fixture), ==, 0);
    close(other);
}

/* In the place of qemu-img: says that a quarter is done, and sleeps. The first disk is there already. */
static char *create_slowly(struct fixture *fixture)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *path = g_strdup_printf("%s:%s", fixture->directory, g_getenv("PATH"));
    run(fixture,
        "printf '#!/bin/sh\\nif [ $1 = info ]; then echo file format: raw; exit; fi\\n"
        "sleep 0.5; printf \"    (25.00/100%%%%)\\\\r\"; exec sleep 100\\n' >qemu-img; chmod +x qemu-img; echo x >raw");
    g_setenv("PATH", path, TRUE);
    make_pool(fixture);
    start_service(fixture);
    g_setenv("PATH", strchr(path, ':') + 1, TRUE);
    int raw = open_file(fixture, "raw", O_RDONLY);
    char *job = call_for_job(fixture->manager, "CreateGuest",
                             "({'name': <'new'>, 'kernel': <'/k'>}, [{'size': <uint64 512>}, {'import': <handle 0>}])",
                             raw, &error);
    g_assert_no_error(error);
    close(raw);
    return job;
}

static void test_cancel(struct fixture *fixture, gconstpointer data)
{
    (void)data;
    g_autofree char *path = create_slowly(fixture);
    RhJob1 *job = NULL;
    WAIT_FOR(job || (job = find_job(fixture, path)));
    WAIT_FOR(rh_job1_get_progress(job) == 0.625);
    expect_images(fixture, ""); /* what is made for it is not there yet */
    g_assert_cmpuint(count_in(fixture, "images"), ==, 1);
    g_assert_true(rh_job1_call_cancel_sync(job, NULL, NULL));
    WAIT_FOR(has_ended(job));
    g_assert_cmpstr(rh_job1_get_state(job), ==, "cancelled");
    g_assert_cmpuint(count_in(fixture, "images"), ==, 0);
    g_assert_cmpuint(count_in(fixture, "making"), ==, 0);
    g_assert_cmpuint(guest_count(fixture), ==, 0);
    g_object_unref(job);
}

/* The next start takes away what was made, and gives a guest that is there what was made for it. */
static void test_killed(struct fixture *fixture, gconstpointer data)
{
    (void)data;
    g_autofree char *path = create_slowly(fixture);
    WAIT_FOR(count_in(fixture, "images") == 1 && count_in(fixture, "making") == 1);
    kill_service(fixture);
    g_assert_cmpuint(count_in(fixture, "images"), ==, 1);
    run(fixture, "mkdir pool/images/pc; echo x >pool/images/pc/disk.img; : >pool/images/pc/claimed");
    define(fixture, "pc", 1, "disk=image:pc");
    start_service(fixture);
    expect_images(fixture, "pc 2 pc");
    g_assert_cmpuint(count_in(fixture, "images"), ==, 1);
    g_assert_cmpuint(count_in(fixture, "making"), ==, 0);
    g_assert_cmpuint(guest_count(fixture), ==, 1);
}

int main(int argc, char **argv)
{
    static const struct service_test tests[] = {
        {"/images/life", test_life},
        {"/images/refused", test_refused},
        {"/images/no-pool", test_no_pool},
        {"/images/there-and-back", test_there_and_back},
        {"/images/in-use", test_in_use},
        {"/images/create", test_create},
        {"/images/create-refused", test_create_refused},
        {"/images/cancel", test_cancel},
        {"/images/killed", test_killed},
        {NULL, NULL},
    };
    return service_run(argc, argv, tests);
}
