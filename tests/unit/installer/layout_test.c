/* Where partitions go, and each refusal: on pictures of disks, without a disk. */
#include "layout.h"

#include <string.h>

static struct disk_part part(guint number, gint64 start, gint64 size, const char *name)
{
    return (struct disk_part){number, start, size, (char *)name, "", "", "", "", layout_is_ours(name)};
}

/* A GPT disk of 64 GiB with these parts. */
static struct disk disk_with(struct disk_part *parts, guint count)
{
    struct disk disk = {.path = "/dev/x", .size = 64 * GIB, .sector_size = 512, .is_gpt = TRUE, .table = "GPT"};
    disk.parts = g_ptr_array_new();
    for (guint i = 0; i < count; i++)
        g_ptr_array_add(disk.parts, &parts[i]);
    disk.free_start = 10 * GIB;
    disk.free_size = 30 * GIB;
    return disk;
}

static void expect(const struct disk *disk, const struct answers *answers, gint64 system, const char *says)
{
    struct layout layout;
    g_autoptr(GError) error = NULL;
    gboolean good = layout_make(&layout, disk, answers, system, &error);
    g_assert_cmpstr(good ? NULL : error->message, ==, says);
}

static void expect_order(const struct layout *layout, gint64 start, gint64 end)
{
    gint64 at = start;
    for (int role = 0; role < ROLE_COUNT; role++) {
        g_assert_cmpint(layout->parts[role].start, ==, at);
        g_assert_cmpint(layout->parts[role].size, >=, layout_kinds[role].size);
        g_assert_cmpint(layout->parts[role].start % MIB, ==, 0);
        at += layout->parts[role].size;
    }
    g_assert_cmpint(at, ==, end);
}

static void places(void)
{
    struct layout layout;
    struct answers whole = {.use = USE_WHOLE_DISK}, free_space = {.use = USE_FREE_SPACE};
    struct disk disk = disk_with(NULL, 0);
    g_assert_true(layout_make(&layout, &disk, &whole, MIB, NULL));
    expect_order(&layout, MIB, 64 * GIB - MIB);
    g_assert_true(layout_make(&layout, &disk, &free_space, MIB, NULL));
    expect_order(&layout, 10 * GIB, 40 * GIB);
    /* slots have room for a larger system */
    g_assert_true(layout_make(&layout, &disk, &whole, 5 * GIB, NULL));
    g_assert_cmpint(layout.parts[ROLE_A].size, ==, 8 * GIB);
    g_assert_cmpint(layout.parts[ROLE_B].size, ==, 8 * GIB);
    g_ptr_array_unref(disk.parts);
}

static void refuses(void)
{
    struct answers whole = {.use = USE_WHOLE_DISK}, free_space = {.use = USE_FREE_SPACE}, renew = {.use = USE_RENEW};
    struct disk disk = disk_with(NULL, 0);
    disk.in_use = "x1 is mounted at /";
    expect(&disk, &whole, MIB, "The disk /dev/x is in use: x1 is mounted at /.");
    expect(&disk, &renew, MIB, "The disk /dev/x is in use: x1 is mounted at /.");
    disk.in_use = NULL;
    disk.read_only = TRUE;
    expect(&disk, &whole, MIB, "The disk /dev/x can only be read.");
    disk.read_only = FALSE;
    disk.size = 16 * GIB;
    expect(&disk, &whole, MIB, "/dev/x has 16.0 GiB, and Roundhouse needs 19.1 GiB.");
    disk.free_size = 3 * MIB;
    expect(&disk, &free_space, MIB, "The largest free space on /dev/x has 3 MiB, and Roundhouse needs 19.1 GiB.");
    expect(&disk, &renew, MIB,
           "/dev/x has no partition roundhouse-bios, so there is no Roundhouse on it that can be renewed.");
    disk.is_gpt = FALSE;
    disk.table = "MBR";
    expect(&disk, &free_space, MIB,
           "/dev/x has MBR, and free space can be used with GPT alone. gdisk(8) converts an MBR.");
    g_ptr_array_unref(disk.parts);
}

static void spares_guests(void)
{
    struct disk_part parts[ROLE_COUNT];
    struct answers whole = {.use = USE_WHOLE_DISK}, free_space = {.use = USE_FREE_SPACE}, renew = {.use = USE_RENEW};
    struct layout layout;
    for (int role = 0; role < ROLE_COUNT; role++)
        parts[role] = part((guint)role + 3, role * 4 * GIB + MIB, 4 * GIB, layout_kinds[role].name);
    struct disk disk = disk_with(parts, ROLE_COUNT);
    disk.holds = HOLDS_ROUNDHOUSE;
    expect(
        &disk, &whole, MIB,
        "/dev/x holds Roundhouse and its guests. \"use = renew\" keeps them; \"erase-guests = yes\" says that they may "
        "be lost.");
    expect(&disk, &free_space, MIB, "/dev/x holds Roundhouse; \"use = renew\" renews it.");
    expect(&disk, &renew, 5 * GIB, "The slots on /dev/x are smaller than the new system, which has 5.0 GiB.");
    g_assert_true(layout_make(&layout, &disk, &renew, MIB, NULL));
    g_assert_cmpint(layout.parts[ROLE_POOL].start, ==, ROLE_POOL * 4 * GIB + MIB);
    whole.erase_guests = TRUE;
    expect(&disk, &whole, MIB, NULL);
    parts[ROLE_POOL] = part(9, 0, MIB, LAYOUT_UNFINISHED);
    disk.holds = HOLDS_UNFINISHED;
    whole.erase_guests = FALSE;
    expect(&disk, &whole, MIB, NULL);
    expect(&disk, &free_space, MIB, NULL);
    expect(&disk, &renew, MIB,
           "/dev/x holds an installation that came to no end; there is nothing to renew. Install anew: with \"use = "
           "free-space\" what is beside it stays.");
    g_ptr_array_unref(disk.parts);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/layout/places", places);
    g_test_add_func("/layout/refuses", refuses);
    g_test_add_func("/layout/spares-guests", spares_guests);
    return g_test_run();
}
