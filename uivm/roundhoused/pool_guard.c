/* The low-water mark kept: who is paused for it, and until when. */
#include "pool_guard.h"
#include "guest.h"
#include "storage/pool.h"

struct pool_guard {
    char *path;
    gboolean low;
    char *problem;      /* while it is low */
    GHashTable *paused; /* names of guests that were paused for it */
};

static gboolean writes_to_pool(const struct guest *guest)
{
    const struct guest_config *config = guest_config(guest);
    for (guint i = 0; i < config->disks->len; i++) {
        const struct guest_disk *disk = g_ptr_array_index(config->disks, i);
        if (disk->pooled && !disk->read_only)
            return TRUE;
    }
    return FALSE;
}

static gboolean has_writers(GPtrArray *guests)
{
    for (guint i = 0; i < guests->len; i++) {
        const struct guest *guest = g_ptr_array_index(guests, i);
        if (guest_domid(guest) >= 0 && writes_to_pool(guest))
            return TRUE;
    }
    return FALSE;
}

/* A pool that cannot be looked at stays what it was. */
static void look(struct pool_guard *guard)
{
    struct pool_space space;
    if (!pool_get_space(guard->path, &space, NULL))
        return;
    if (pool_must_pause(&space))
        guard->low = TRUE;
    else if (pool_may_go_on(&space))
        guard->low = FALSE;
    g_clear_pointer(&guard->problem, g_free);
    if (guard->low)
        guard->problem =
            g_strdup_printf("The disks' space is almost used up. Guests are paused so that they lose nothing, "
                            "and go on when %" G_GUINT64_FORMAT " MiB are free. Delete images or undo points.",
                            space.enough >> 20);
}

/* A request that fails is made again at the next turn: it goes by the guest's state. */
static void apply(struct pool_guard *guard, struct guest *guest)
{
    const char *name = guest_config(guest)->name;
    enum guest_state state = guest_state(guest);
    if (guard->low && state == GUEST_RUNNING && writes_to_pool(guest)) {
        g_hash_table_add(guard->paused, g_strdup(name));
        guest_request(guest, REQUEST_PAUSE, NULL, NULL);
    } else if (!guard->low && g_hash_table_contains(guard->paused, name)) {
        if (state == GUEST_PAUSED)
            guest_request(guest, REQUEST_UNPAUSE, NULL, NULL);
        else
            g_hash_table_remove(guard->paused, name);
    }
}

gboolean pool_guard_check(struct pool_guard *guard, GPtrArray *guests)
{
    g_autofree char *before = g_strdup(guard->problem);
    if (has_writers(guests)) {
        look(guard);
    } else {
        guard->low = FALSE;
        g_clear_pointer(&guard->problem, g_free);
        g_hash_table_remove_all(guard->paused);
    }
    for (guint i = 0; i < guests->len; i++)
        apply(guard, g_ptr_array_index(guests, i));
    return g_strcmp0(before, guard->problem) != 0;
}

const char *pool_guard_problem(const struct pool_guard *guard)
{
    return guard->problem;
}

struct pool_guard *pool_guard_new(const char *pool_path)
{
    struct pool_guard *guard = g_new0(struct pool_guard, 1);
    guard->path = g_strdup(pool_path);
    guard->paused = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    return guard;
}

void pool_guard_free(struct pool_guard *guard)
{
    if (!guard)
        return;
    g_hash_table_unref(guard->paused);
    g_free(guard->problem);
    g_free(guard->path);
    g_free(guard);
}
