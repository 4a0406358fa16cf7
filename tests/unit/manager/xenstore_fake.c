/* A table of nodes, one list of watches, one queue of their events, and an eventfd that is readable while events wait.
 */
#include "xenstore_fake.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <xenstore.h>

struct watch {
    char *path, *token;
};

unsigned xenstore_fake_calls, xenstore_fake_watches;

static GHashTable *nodes; /* path -> GBytes */
static GQueue watches = G_QUEUE_INIT, events = G_QUEUE_INIT;
static char *flooded;
static gboolean conflicts;
static int event_fd = -1;

static void watch_free(gpointer data)
{
    struct watch *watch = data;
    g_free(watch->path);
    g_free(watch->token);
    g_free(watch);
}

static struct watch *watch_of(const char *path)
{
    for (GList *link = watches.head; path && link; link = link->next) {
        struct watch *watch = link->data;
        if (g_str_equal(watch->path, path))
            return watch;
    }
    return NULL;
}

static void set_readable(void)
{
    guint64 value = 1;
    if (!g_queue_is_empty(&events) || watch_of(flooded))
        g_assert_cmpint(write(event_fd, &value, sizeof(value)), ==, sizeof(value));
    else
        (void)!read(event_fd, &value, sizeof(value));
}

static void fire(const char *path)
{
    struct watch *watch = watch_of(path);
    if (watch)
        g_queue_push_tail(&events, g_strdup(watch->token));
    set_readable();
}

void xenstore_fake_reset(void)
{
    g_clear_pointer(&nodes, g_hash_table_unref);
    nodes = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_bytes_unref);
    g_queue_clear_full(&watches, watch_free);
    g_queue_clear_full(&events, g_free);
    g_clear_pointer(&flooded, g_free);
    conflicts = FALSE;
    xenstore_fake_calls = xenstore_fake_watches = 0;
    if (event_fd < 0)
        event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    set_readable();
}

void xenstore_fake_write_bytes(const char *path, const void *value, gsize length)
{
    g_hash_table_insert(nodes, g_strdup(path), g_bytes_new(value, length));
    fire(path);
}

void xenstore_fake_write(const char *path, const char *value)
{
    if (value) {
        xenstore_fake_write_bytes(path, value, strlen(value) + 1); /* with the NUL, which is not counted below */
        return;
    }
    g_hash_table_remove(nodes, path);
    fire(path);
}

const char *xenstore_fake_read(const char *path)
{
    GBytes *bytes = g_hash_table_lookup(nodes, path);
    return bytes ? g_bytes_get_data(bytes, NULL) : NULL;
}

void xenstore_fake_flood(const char *path)
{
    g_free(flooded);
    flooded = g_strdup(path);
    set_readable();
}

void xenstore_fake_conflicts(gboolean always)
{
    conflicts = always;
}

/* ---- the library ---- */

struct xs_handle *xs_open(unsigned long flags)
{
    (void)flags;
    return (struct xs_handle *)&nodes;
}

void xs_close(struct xs_handle *handle)
{
    (void)handle;
}

int xs_fileno(struct xs_handle *handle)
{
    (void)handle;
    return event_fd;
}

void *xs_read(struct xs_handle *handle, xs_transaction_t t, const char *path, unsigned *length)
{
    gsize size;
    (void)handle;
    (void)t;
    xenstore_fake_calls++;
    GBytes *bytes = g_hash_table_lookup(nodes, path);
    if (!bytes) {
        errno = ENOENT;
        return NULL;
    }
    const char *data = g_bytes_get_data(bytes, &size);
    gboolean text = size > 0 && memchr(data, '\0', size) == data + size - 1;
    char *copy = calloc(1, size + 1);
    memcpy(copy, data, size);
    *length = (unsigned)(text ? size - 1 : size);
    return copy;
}

bool xs_write(struct xs_handle *handle, xs_transaction_t t, const char *path, const void *data, unsigned length)
{
    g_autofree char *text = g_strndup(data, length);
    (void)handle;
    (void)t;
    xenstore_fake_calls++;
    xenstore_fake_write(path, text);
    return true;
}

bool xs_mkdir(struct xs_handle *handle, xs_transaction_t t, const char *path)
{
    (void)handle;
    (void)t;
    (void)path;
    xenstore_fake_calls++;
    return true;
}

static gboolean is_below(gpointer key, gpointer value, gpointer path)
{
    (void)value;
    return g_str_has_prefix(key, path);
}

bool xs_rm(struct xs_handle *handle, xs_transaction_t t, const char *path)
{
    (void)handle;
    (void)t;
    xenstore_fake_calls++;
    g_hash_table_foreach_remove(nodes, is_below, (gpointer)path);
    return true;
}

bool xs_set_permissions(struct xs_handle *handle, xs_transaction_t t, const char *path, struct xs_permissions *perms,
                        unsigned count)
{
    (void)handle;
    (void)t;
    (void)path;
    (void)perms;
    (void)count;
    xenstore_fake_calls++;
    return true;
}

xs_transaction_t xs_transaction_start(struct xs_handle *handle)
{
    (void)handle;
    xenstore_fake_calls++;
    return 1;
}

bool xs_transaction_end(struct xs_handle *handle, xs_transaction_t t, bool abort)
{
    (void)handle;
    (void)t;
    (void)abort;
    xenstore_fake_calls++;
    errno = EAGAIN;
    return !conflicts;
}

bool xs_watch(struct xs_handle *handle, const char *path, const char *token)
{
    struct watch *watch = g_new(struct watch, 1);
    (void)handle;
    xenstore_fake_calls++;
    xenstore_fake_watches++;
    *watch = (struct watch){g_strdup(path), g_strdup(token)};
    g_queue_push_tail(&watches, watch);
    fire(path); /* every new watch fires once */
    return true;
}

bool xs_unwatch(struct xs_handle *handle, const char *path, const char *token)
{
    struct watch *watch = watch_of(path);
    (void)handle;
    (void)token;
    xenstore_fake_calls++;
    if (!watch)
        return false;
    xenstore_fake_watches--;
    g_queue_remove(&watches, watch);
    watch_free(watch);
    set_readable();
    return true;
}

char **xs_check_watch(struct xs_handle *handle)
{
    (void)handle;
    struct watch *flood = watch_of(flooded);
    g_autofree char *token = g_queue_pop_head(&events);
    if (!token && flood)
        token = g_strdup(flood->token);
    set_readable();
    if (!token) {
        errno = EAGAIN;
        return NULL;
    }
    /* As the library: one block with pointers to its strings. */
    char **event = calloc(1, 2 * sizeof(char *) + 1 + strlen(token) + 1);
    event[XS_WATCH_PATH] = (char *)(event + 2);
    event[XS_WATCH_TOKEN] = event[XS_WATCH_PATH] + 1;
    strcpy(event[XS_WATCH_TOKEN], token);
    return event;
}
