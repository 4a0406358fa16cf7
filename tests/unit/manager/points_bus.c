/* A guest's points, its disc and its end with all it has, on the bus. */
#include "service.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define BAD_CONFIG  "org.roundhouse.Error.BadConfig"
#define IN_USE      "org.roundhouse.Error.InUse"
#define NOT_FOUND   "org.roundhouse.Error.NotFound"
#define TOOLSTACK   "org.roundhouse.Error.Toolstack"
#define WRONG_STATE "org.roundhouse.Error.WrongState"

/* ---- what there is ---- */

static GVariant *points_of(RhGuest1 *guest)
{
    GVariant *points = NULL;
    g_autoptr(GError) error = NULL;
    rh_guest1_call_list_points_sync(guest, &points, NULL, &error);
    g_assert_no_error(error);
    return points;
}

/* The labels, "-" for an undo point, each with its size in bytes; the times rise. */
static void expect_points(RhGuest1 *guest, const char *wanted)
{
    g_autoptr(GVariant) points = points_of(guest);
    g_autoptr(GString) text = g_string_new(NULL);
    gint64 before = 0;
    for (gsize i = 0; i < g_variant_n_children(points); i++) {
        g_autoptr(GVariant) point = g_variant_get_child_value(points, i);
        const char *label;
        gint64 time;
        guint64 size;
        g_assert_true(g_variant_lookup(point, "label", "&s", &label) && g_variant_lookup(point, "time", "x", &time) &&
                      g_variant_lookup(point, "size", "t", &size));
        g_assert_cmpint(time, >, before);
        before = time;
        g_string_append_printf(text, "%s%s %" G_GUINT64_FORMAT, i ? ", " : "", *label ? label : "-", size);
    }
    g_assert_cmpstr(text->str, ==, wanted);
}

static gsize point_count(RhGuest1 *guest)
{
    g_autoptr(GVariant) points = points_of(guest);
    return g_variant_n_children(points);
}

/* "(TIME,)" */
static char *time_of(RhGuest1 *guest, gsize index)
{
    g_autoptr(GVariant) points = points_of(guest);
    g_autoptr(GVariant) point = g_variant_get_child_value(points, index);
    gint64 time;
    g_assert_true(g_variant_lookup(point, "time", "x", &time));
    return g_strdup_printf("(int64 %" G_GINT64_FORMAT ",)", time);
}

static void use_point(struct fixture *fixture, RhGuest1 *guest, const char *method, gsize index)
{
    g_autofree char *time = time_of(guest, index);
    done(fixture, guest, method, time, -1);
}

static void write_disk(struct fixture *fixture, const char *image, const char *text)
{
    g_autofree char *path = g_build_filename(fixture->pool, "images", image, "disk.img", NULL);
    g_assert_true(g_file_set_contents_full(path, text, -1, G_FILE_SET_CONTENTS_NONE, 0600, NULL));
}

static void expect_disk(struct fixture *fixture, const char *image, const char *text)
{
    g_autofree char *path = g_build_filename(fixture->pool, "images", image, "disk.img", NULL);
    g_autofree char *found = NULL;
    g_assert_true(g_file_get_contents(path, &found, NULL, NULL));
    g_assert_cmpstr(found, ==, text);
}

/* A guest "work" with two images that it writes and one that it reads. */
static RhGuest1 *begin(struct fixture *fixture, const char *more)
{
    g_autofree char *lines = g_strdup_printf("disk=image:one; image:two; image:three,ro\n%s", more);
    make_pool(fixture);
    define(fixture, "work", 1, lines);
    run(fixture, "mkdir -p pool/images/one pool/images/two pool/images/three; echo -n 3 >pool/images/three/disk.img");
    write_disk(fixture, "one", "1");
    write_disk(fixture, "two", "22");
    start_service(fixture);
    return guest(fixture, "work");
}

/* The same with copies that take a while. */
static RhGuest1 *begin_slowly(struct fixture *fixture, const char *more)
{
    g_setenv("ROUNDHOUSE_FAKE_REFLINK", "300", TRUE);
    RhGuest1 *work = begin(fixture, more);
    g_unsetenv("ROUNDHOUSE_FAKE_REFLINK");
    return work;
}

static void start(RhGuest1 *guest)
{
    g_autoptr(GError) error = NULL;
    rh_guest1_call_start_sync(guest, NULL, &error);
    g_assert_no_error(error);
    WAIT_FOR(is(guest, "running"));
}

static void stop(RhGuest1 *guest)
{
    g_assert_true(rh_guest1_call_destroy_sync(guest, NULL, NULL));
    WAIT_FOR(is(guest, "off"));
}

/* ---- points ---- */

static void test_life(struct fixture *fixture, gconstpointer data)
{
    (void)data;
    g_autoptr(RhGuest1) work = begin(fixture, "");
    expect_points(work, "");
    done(fixture, work, "Snapshot", "('before the update',)", -1);
    write_disk(fixture, "one", "broken");
    write_disk(fixture, "two", "broken too");
    done(fixture, work, "Snapshot", "('worse',)", -1);
    expect_points(work, "before the update 3, worse 16");
    use_point(fixture, work, "Revert", 0);
    expect_disk(fixture, "one", "1");
    expect_disk(fixture, "two", "22");
    expect_points(work, "before the update 3, worse 16, - 16");
    use_point(fixture, work, "Revert", 2); /* which undoes it */
    expect_disk(fixture, "one", "broken");
    expect_disk(fixture, "two", "broken too");
    use_point(fixture, work, "DeletePoint", 0);
    use_point(fixture, work, "DeletePoint", 0);
    expect_points(work, "- 3"); /* undo points are not collected where nobody wants some */
    run(fixture, "test $(ls pool/images/one pool/images/two pool/images/three | grep -c '[0-9].*img') = 2");
}

/* What it showed, of points that were made while it showed something; it goes with the point. */
static void test_picture(struct fixture *fixture, gconstpointer data)
{
    static const guint8 begin_of_png[] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
    (void)data;
    g_autoptr(RhGuest1) work = begin(fixture, "");
    done(fixture, work, "Snapshot", "('off',)", -1);
    start(work);
    done(fixture, work, "Snapshot", "('on',)", -1);
    g_autoptr(GVariant) points = points_of(work);
    for (gsize i = 0; i < 2; i++) {
        g_autoptr(GVariant) point = g_variant_get_child_value(points, i), answer = NULL;
        gint64 time;
        gboolean picture;
        g_assert_true(g_variant_lookup(point, "time", "x", &time) &&
                      g_variant_lookup(point, "picture", "b", &picture));
        g_assert_true(picture == (i == 1));
        answer = g_dbus_proxy_call_sync(G_DBUS_PROXY(work), "GetPointPicture", g_variant_new("(x)", time), 0, -1, NULL,
                                        NULL);
        g_assert_true((answer != NULL) == picture);
        if (!answer)
            continue;
        gsize size;
        g_autoptr(GVariant) bytes = g_variant_get_child_value(answer, 0);
        const void *png = g_variant_get_fixed_array(bytes, &size, 1);
        g_assert_cmpuint(size, >, sizeof(begin_of_png));
        g_assert_cmpmem(png, sizeof(begin_of_png), begin_of_png, sizeof(begin_of_png));
    }
    g_autofree char *time = time_of(work, 0);
    refused(fixture, work, "GetPointPicture", time, -1, NOT_FOUND, "There is no picture of this point");
    run(fixture, "test $(ls pool/images/one | grep -c png) = 1");
    use_point(fixture, work, "DeletePoint", 1);
    run(fixture, "test $(ls pool/images/one pool/images/two | grep -c png) = 0");
}

static void test_refused(struct fixture *fixture, gconstpointer data)
{
    static const struct {
        const char *method, *parameters, *name, *sentence;
    } rows[] = {
        {"Snapshot", "('',)", BAD_CONFIG, "A snapshot's name is text of one line"},
        {"Snapshot", "('a/b',)", BAD_CONFIG, "A snapshot's name is text of one line"},
        {"Revert", "(int64 1,)", NOT_FOUND, "There is no such point any more"},
        {"DeletePoint", "(int64 1,)", NOT_FOUND, "There is no such point any more"},
    };
    (void)data;
    define(fixture, "plain", 2, "disk=/dev/vg/plain");
    g_autoptr(RhGuest1) work = begin(fixture, "");
    g_autoptr(RhGuest1) plain = guest(fixture, "plain");
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++)
        refused(fixture, work, rows[i].method, rows[i].parameters, -1, rows[i].name, rows[i].sentence);
    expect_points(work, "");
    expect_points(plain, "");
    refused(fixture, plain, "Snapshot", "('x',)", -1, NOT_FOUND, "no image of the pool");
    done(fixture, work, "Snapshot", "('x',)", -1);
    start(work);
    g_autofree char *time = time_of(work, 0);
    refused(fixture, work, "Revert", time, -1, WRONG_STATE, "work is running. Shut it down first");
    done(fixture, work, "DeletePoint", time, -1);
    run(fixture, "rm pool/images/two/disk.img");
    refused(fixture, work, "Snapshot", "('x',)", -1, NOT_FOUND, "There is no image called \"two\"");
    expect_points(work, "");
    g_assert_true(is(work, "running"));
}

/* Disks are copied one after the other, so the guest stands still; it goes on also when that fails. */
static void test_stands_still(struct fixture *fixture, gconstpointer data)
{
    (void)data;
    g_autoptr(RhGuest1) work = begin_slowly(fixture, "cmdline=operate_ms=300");
    g_autoptr(GError) error = NULL;
    start(work);
    g_autofree char *path = call_for_job(work, "Snapshot", "('now',)", -1, &error);
    g_assert_no_error(error);
    refused(fixture, work, "Snapshot", "('too',)", -1, WRONG_STATE, "Wait a moment");
    WAIT_FOR(is(work, "paused"));
    WAIT_FOR(is(work, "running"));
    g_autoptr(RhJob1) job = end_of(fixture, path);
    g_assert_cmpstr(rh_job1_get_state(job), ==, "done");
    g_assert_cmpstr(rh_job1_get_guest(job), ==, "work");
    expect_points(work, "now 3");
}

/* At each start, and every two seconds, which are minutes here; no more than two. */
static void test_undo(struct fixture *fixture, gconstpointer data)
{
    (void)data;
    g_autoptr(RhGuest1) work = begin(fixture, "undo_points=2\nundo_minutes=0\n");
    done(fixture, work, "Snapshot", "('mine',)", -1);
    for (int i = 0; i < 3; i++) {
        start(work);
        stop(work);
    }
    expect_points(work, "mine 3, - 3, - 3");
    g_assert_cmpstr(rh_guest1_get_error(work), ==, "");
    run(fixture, "test $(ls pool/images/two | grep -c '^[0-9]') = 3");
}

static void test_undo_by_time(struct fixture *fixture, gconstpointer data)
{
    (void)data;
    g_autoptr(RhGuest1) work = begin(fixture, "undo_points=9\nundo_minutes=1\n");
    start(work);
    g_assert_cmpuint(point_count(work), ==, 1);
    WAIT_FOR(point_count(work) == 3);
    WAIT_FOR(is(work, "running"));
    stop(work);
    gsize count = point_count(work);
    pass_time(4000);
    g_assert_cmpuint(point_count(work), ==, count);
}

/* A guest is started without its undo point rather than not at all, and says so. */
static void test_undo_fails(struct fixture *fixture, gconstpointer data)
{
    (void)data;
    g_autoptr(RhGuest1) work = begin(fixture, "undo_points=2\n");
    run(fixture, "rm -r pool/images/two");
    start(work);
    WAIT_FOR(strstr(rh_guest1_get_error(work), "No undo point of work could be made."));
    stop(work);
    run(fixture,
        "mkdir pool/images/two; echo -n 22 >pool/images/two/disk.img; echo 18446744073709551615 >pool/low-water");
    start(work);
    WAIT_FOR(strstr(rh_guest1_get_error(work), "The disks' space is almost used up"));
    expect_points(work, "");
}

/* A service that was killed in between the disks of a guest left a point of the second alone. */
static void test_half_made(struct fixture *fixture, gconstpointer data)
{
    (void)data;
    g_autoptr(RhGuest1) work = begin(fixture, "");
    run(fixture, "echo -n 2 >'pool/images/two/1000.half.img'");
    expect_points(work, "");
    refused(fixture, work, "Revert", "(int64 1000,)", -1, NOT_FOUND, "There is no such point");
    done(fixture, work, "Snapshot", "('whole',)", -1);
    expect_points(work, "whole 3");
}

static int lock(struct fixture *fixture, const char *image, off_t start, off_t length)
{
    g_autofree char *file = g_strdup_printf("pool/images/%s/disk.img", image);
    struct flock range = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = start, .l_len = length};
    int fd = open_file(fixture, file, O_RDWR);
    g_assert_cmpint(fcntl(fd, F_SETLK, &range), ==, 0);
    return fd;
}

/* One disk that cannot be copied, or not be changed, leaves the other as it was (storage/lock.h). */
static void test_all_or_none(struct fixture *fixture, gconstpointer data)
{
    const off_t place = (off_t)1 << 62;
    (void)data;
    g_autoptr(RhGuest1) work = begin(fixture, "");
    int held = lock(fixture, "one", place, 1);
    refused(fixture, work, "Snapshot", "('no',)", -1, IN_USE, "\"one\" is in use");
    close(held);
    run(fixture, "test $(ls pool/images/one pool/images/two | grep -c '[0-9].*img') = 0");
    done(fixture, work, "Snapshot", "('whole',)", -1);
    write_disk(fixture, "one", "broken");
    g_autofree char *time = time_of(work, 0);
    held = lock(fixture, "two", 0, 1);
    refused(fixture, work, "Revert", time, -1, IN_USE, "\"two\" is in use");
    close(held);
    expect_disk(fixture, "one", "broken");
    expect_points(work, "whole 3");
}

static void started(GObject *source, GAsyncResult *result, gpointer error)
{
    g_assert_false(rh_guest1_call_start_finish(RH_GUEST1(source), result, error));
}

/* While its disks go back it cannot be started, and it can afterwards. */
static void test_not_meanwhile(struct fixture *fixture, gconstpointer data)
{
    GError *error = NULL;
    (void)data;
    g_autoptr(RhGuest1) work = begin_slowly(fixture, "");
    done(fixture, work, "Snapshot", "('whole',)", -1);
    g_autofree char *time = time_of(work, 0);
    g_autoptr(GError) none = NULL;
    g_autofree char *path = call_for_job(work, "Revert", time, -1, &none);
    g_assert_no_error(none);
    rh_guest1_call_start(work, NULL, started, &error);
    WAIT_FOR(error);
    expect_error(error, WRONG_STATE, "work has its disks changed now. Wait a moment.");
    g_autoptr(RhJob1) job = end_of(fixture, path);
    g_assert_cmpstr(rh_job1_get_state(job), ==, "done");
    start(work);
}

/* ---- delete ---- */

static void test_delete(struct fixture *fixture, gconstpointer data)
{
    (void)data;
    g_autoptr(RhGuest1) work = begin(fixture, "");
    define(fixture, "other", 2, "disk=image:two");
    WAIT_FOR(guest_count(fixture) == 2);
    start(work);
    refused(fixture, work, "DeleteWithImages", "()", -1, WRONG_STATE, "Shut it down first");
    stop(work);
    int held = lock(fixture, "one", 0, 0);
    refused(fixture, work, "DeleteWithImages", "()", -1, IN_USE, "\"one\" is in use");
    g_assert_cmpuint(guest_count(fixture), ==, 2);
    close(held);
    done(fixture, work, "DeleteWithImages", "()", -1);
    WAIT_FOR(guest_count(fixture) == 1);
    run(fixture, "test ! -e pool/images/one; test -e pool/images/two; test -e pool/images/three; "
                 "test ! -e guests/work.conf");
}

/* ---- the disc ---- */

static void change(RhGuest1 *guest, const char *device, int file, const char *name, const char *sentence)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *parameters = g_strdup_printf(file < 0 ? "('%s',)" : "('%s', handle 0)", device);
    g_autofree char *none = call_for_job(guest, file < 0 ? "EjectDisc" : "ChangeDisc", parameters, file, &error);
    if (name)
        expect_error(g_steal_pointer(&error), name, sentence);
    g_assert_no_error(error);
}

static void expect_disc(struct fixture *fixture, const char *text)
{
    g_autofree char *path = g_build_filename(fixture->directory, "disc", NULL);
    g_autofree char *found = NULL;
    g_assert_true(g_file_get_contents(path, &found, NULL, NULL));
    g_assert_cmpstr(found, ==, text);
}

static void test_disc(struct fixture *fixture, gconstpointer data)
{
    (void)data;
    g_autofree char *disc = g_build_filename(fixture->directory, "disc", NULL);
    g_setenv("ROUNDHOUSE_FAKE_DISC", disc, TRUE);
    define(fixture, "plain", 1, "type=hvm");
    define(fixture, "pc", 2, "type=hvm\ncdrom=empty");
    define(fixture, "shut", 3, "type=hvm\ncdrom=empty\ncmdline=disc_fails");
    start_service(fixture);
    run(fixture, "echo -n 'an ISO' >iso; mkdir folder");
    g_autoptr(RhGuest1) plain = guest(fixture, "plain"), pc = guest(fixture, "pc"), shut = guest(fixture, "shut");
    int iso = open_file(fixture, "iso", O_RDONLY), blind = open_file(fixture, "iso", O_WRONLY);
    int folder = open_file(fixture, "folder", O_RDONLY);
    run(fixture, "rm iso");
    change(pc, "hdc", iso, WRONG_STATE, "pc is off.");
    start(plain);
    start(pc);
    start(shut);
    change(pc, "hda", iso, NOT_FOUND, "\"hda\" is no drive");
    change(plain, "hdc", iso, NOT_FOUND, "plain has no CD drive");
    change(plain, "hdc", -1, NOT_FOUND, "plain has no CD drive");
    change(pc, "hdc", folder, BAD_CONFIG, "no ordinary file");
    change(pc, "hdc", blind, BAD_CONFIG, "not open for reading");
    change(shut, "hdc", iso, TOOLSTACK, "The door is locked");
    change(pc, "hdc", iso, NULL, NULL);
    expect_disc(fixture, "an ISO");
    change(pc, "hdc", -1, NULL, NULL);
    expect_disc(fixture, "");
    close(iso);
    close(blind);
    close(folder);
}

int main(int argc, char **argv)
{
    static const struct service_test tests[] = {
        {"/points/life", test_life},
        {"/points/picture", test_picture},
        {"/points/refused", test_refused},
        {"/points/stands-still", test_stands_still},
        {"/points/undo", test_undo},
        {"/points/undo-by-time", test_undo_by_time},
        {"/points/undo-fails", test_undo_fails},
        {"/points/half-made", test_half_made},
        {"/points/all-or-none", test_all_or_none},
        {"/points/not-meanwhile", test_not_meanwhile},
        {"/points/delete", test_delete},
        {"/points/disc", test_disc},
        {NULL, NULL},
    };
    return service_run(argc, argv, tests);
}
