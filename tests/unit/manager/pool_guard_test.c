/* The guard of the low-water mark: the real pool, whose mark is set below and above what is free, and guests that note
 * what they are asked. */
#include "guest.h"
#include "pool_guard.h"
#include "storage/pool.h"

#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

struct guest {
    struct guest_config *config;
    enum guest_state state;
    guint requests[REQUEST_COUNT];
};

const struct guest_config *guest_config(const struct guest *guest)
{
    return guest->config;
}

enum guest_state guest_state(const struct guest *guest)
{
    return guest->state;
}

int guest_domid(const struct guest *guest)
{
    return guest->state == GUEST_OFF ? -1 : 7;
}

void guest_request(struct guest *guest, enum guest_request request, guest_done_fn done, gpointer user)
{
    g_assert_null(done);
    g_assert_null(user);
    guest->requests[request]++;
    guest->state = request == REQUEST_PAUSE ? GUEST_PAUSED : GUEST_RUNNING;
}

static char *folder;
static struct pool *pool;
static struct pool_guard *guard;
static GPtrArray *guests;

static void guest_free(gpointer data)
{
    struct guest *guest = data;
    guest_config_free(guest->config);
    g_free(guest);
}

static struct guest *add_guest(const char *name, const char *disk)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *path = g_build_filename(folder, "guest.conf", NULL);
    g_autofree char *text = g_strdup_printf("[guest]\nname=%s\nslot=1\nkernel=/k\ndisk=%s\n", name, disk);
    g_assert_true(g_file_set_contents(path, text, -1, NULL));
    struct guest *guest = g_new0(struct guest, 1);
    guest->config = guest_config_load(path, &error);
    g_assert_no_error(error);
    guest->state = GUEST_RUNNING;
    g_ptr_array_add(guests, guest);
    g_unlink(path);
    return guest;
}

static void set_mark(guint64 bytes)
{
    g_autoptr(GError) error = NULL;
    pool_set_low_water(pool, bytes, &error);
    g_assert_no_error(error);
}

static void setup(void)
{
    folder = g_dir_make_tmp("roundhouse-guard-XXXXXX", NULL);
    pool = pool_open(folder, NULL);
    g_assert_nonnull(pool);
    guard = pool_guard_new(folder);
    guests = g_ptr_array_new_with_free_func(guest_free);
}

static void teardown(void)
{
    static const char *const left[] = {"low-water", "images", "making"};
    for (gsize i = 0; i < G_N_ELEMENTS(left); i++) {
        g_autofree char *path = g_build_filename(folder, left[i], NULL);
        g_remove(path);
    }
    g_assert_no_errno(g_rmdir(folder));
    pool_guard_free(guard);
    pool_close(pool);
    g_ptr_array_unref(guests);
    g_free(folder);
}

/* All of the pool is too little, nothing is enough. */
static void writers_are_paused_and_go_on(void)
{
    setup();
    struct guest *writer = add_guest("writer", "image:a"), *reader = add_guest("reader", "image:b,ro");
    struct guest *other = add_guest("other", "/dev/vg/other"), *off = add_guest("off", "image:c");
    struct guest *by_hand = add_guest("by-hand", "image:d");
    off->state = GUEST_OFF;
    by_hand->state = GUEST_PAUSED;
    set_mark(G_MAXUINT64);
    g_assert_true(pool_guard_check(guard, guests));
    g_assert_nonnull(strstr(pool_guard_problem(guard), "almost used up"));
    g_assert_cmpint(writer->state, ==, GUEST_PAUSED);
    g_assert_cmpint(reader->state, ==, GUEST_RUNNING);
    g_assert_cmpint(other->state, ==, GUEST_RUNNING);
    pool_guard_check(guard, guests);
    g_assert_cmpuint(writer->requests[REQUEST_PAUSE], ==, 1);
    writer->state = GUEST_RUNNING; /* somebody's wish, that would cost him data */
    pool_guard_check(guard, guests);
    g_assert_cmpint(writer->state, ==, GUEST_PAUSED);
    set_mark(0);
    g_assert_true(pool_guard_check(guard, guests));
    g_assert_null(pool_guard_problem(guard));
    g_assert_cmpint(writer->state, ==, GUEST_RUNNING);
    g_assert_cmpint(by_hand->state, ==, GUEST_PAUSED);
    g_assert_cmpint(off->state, ==, GUEST_OFF);
    g_assert_false(pool_guard_check(guard, guests));
    g_assert_cmpuint(writer->requests[REQUEST_UNPAUSE], ==, 1);
    teardown();
}

/* Between the marks it stays as it was: paused guests paused, running ones running. */
static void between_the_marks(void)
{
    struct pool_space space;
    setup();
    struct guest *first = add_guest("first", "image:a");
    g_assert_true(pool_get_space(pool_path(pool), &space, NULL));
    set_mark(space.free / 10 * 9);
    pool_guard_check(guard, guests);
    g_assert_cmpint(first->state, ==, GUEST_RUNNING);
    set_mark(G_MAXUINT64);
    pool_guard_check(guard, guests);
    g_assert_cmpint(first->state, ==, GUEST_PAUSED);
    set_mark(space.free / 10 * 9);
    pool_guard_check(guard, guests);
    g_assert_cmpint(first->state, ==, GUEST_PAUSED);
    set_mark(space.free / 2);
    pool_guard_check(guard, guests);
    g_assert_cmpint(first->state, ==, GUEST_RUNNING);
    teardown();
}

/* Nobody writes to it: nothing is made or read below the folder. */
static void a_machine_without_a_pool(void)
{
    guests = g_ptr_array_new_with_free_func(guest_free);
    folder = g_dir_make_tmp("roundhouse-guard-XXXXXX", NULL);
    guard = pool_guard_new(folder);
    add_guest("other", "/dev/vg/other");
    g_assert_false(pool_guard_check(guard, guests));
    g_assert_null(pool_guard_problem(guard));
    g_assert_no_errno(g_rmdir(folder));
    pool_guard_free(guard);
    g_ptr_array_unref(guests);
    g_free(folder);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/pool-guard/low", writers_are_paused_and_go_on);
    g_test_add_func("/pool-guard/between", between_the_marks);
    g_test_add_func("/pool-guard/none", a_machine_without_a_pool);
    return g_test_run();
}
