/* The seat's protocol, spoken on GTK's own Wayland connection. */
#include "seat.h"

#include "roundhouse-seat-v1-client-protocol.h"

#include <gdk/gdkwayland.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define SLOTS 10

/* Memory that the seat draws a thumbnail in to. */
struct thumbnail {
    struct wl_buffer *buffer; /* NULL: none is under way */
    void *pixels;
    guint width, height;
};

struct seat {
    struct wl_registry *registry;
    struct wl_shm *shm;
    struct thumbnail thumbnails[SLOTS];
    struct roundhouse_seat_v1 *seat;
    struct seat_callbacks callbacks;
    gpointer user;
    gboolean bar_is_shown;
};

static void on_focus_changed(void *data, struct roundhouse_seat_v1 *proxy, uint32_t slot)
{
    struct seat *seat = data;
    (void)proxy;
    seat->callbacks.focus_changed(slot, seat->user);
}

static void on_bar_show(void *data, struct roundhouse_seat_v1 *proxy)
{
    struct seat *seat = data;
    (void)proxy;
    seat->bar_is_shown = TRUE;
}

static void on_bar_hide(void *data, struct roundhouse_seat_v1 *proxy)
{
    struct seat *seat = data;
    (void)proxy;
    seat->bar_is_shown = FALSE;
}

static void on_guest_frame_size(void *data, struct roundhouse_seat_v1 *proxy, uint32_t slot, uint32_t width,
                                uint32_t height)
{
    (void)data;
    (void)proxy;
    (void)slot;
    (void)width;
    (void)height;
}

/* ---- thumbnails: one shared-memory buffer each, alive from the request to the answer ---- */

static gsize thumbnail_size(const struct thumbnail *thumbnail)
{
    return (gsize)thumbnail->width * thumbnail->height * 4;
}

static void thumbnail_clear(struct thumbnail *thumbnail)
{
    if (!thumbnail->buffer)
        return;
    wl_buffer_destroy(thumbnail->buffer);
    munmap(thumbnail->pixels, thumbnail_size(thumbnail));
    memset(thumbnail, 0, sizeof(*thumbnail));
}

static cairo_surface_t *copy_picture(const struct thumbnail *thumbnail)
{
    cairo_surface_t *picture =
        cairo_image_surface_create(CAIRO_FORMAT_RGB24, (int)thumbnail->width, (int)thumbnail->height);
    guchar *rows = cairo_image_surface_get_data(picture);
    gsize stride = (gsize)cairo_image_surface_get_stride(picture), row = (gsize)thumbnail->width * 4;
    for (guint y = 0; rows && y < thumbnail->height; y++)
        memcpy(rows + y * stride, (const guchar *)thumbnail->pixels + y * row, row);
    cairo_surface_mark_dirty(picture);
    return picture;
}

static void on_thumbnail_done(void *data, struct roundhouse_seat_v1 *proxy, uint32_t slot, uint32_t drawn)
{
    struct seat *seat = data;
    (void)proxy;
    if (slot >= SLOTS || !seat->thumbnails[slot].buffer)
        return;
    cairo_surface_t *picture = drawn ? copy_picture(&seat->thumbnails[slot]) : NULL;
    thumbnail_clear(&seat->thumbnails[slot]);
    seat->callbacks.thumbnail(slot, picture, seat->user);
}

static gboolean thumbnail_make(struct seat *seat, struct thumbnail *thumbnail, guint width, guint height)
{
    int fd = memfd_create("roundhouse-thumbnail", MFD_CLOEXEC);
    *thumbnail = (struct thumbnail){.width = width, .height = height};
    gsize size = thumbnail_size(thumbnail);
    void *pixels = MAP_FAILED;
    if (fd >= 0 && ftruncate(fd, (off_t)size) == 0)
        pixels = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (pixels != MAP_FAILED) {
        struct wl_shm_pool *pool = wl_shm_create_pool(seat->shm, fd, (int32_t)size);
        thumbnail->pixels = pixels;
        thumbnail->buffer = wl_shm_pool_create_buffer(pool, 0, (int32_t)width, (int32_t)height, (int32_t)width * 4,
                                                      WL_SHM_FORMAT_XRGB8888);
        wl_shm_pool_destroy(pool);
    }
    if (fd >= 0)
        close(fd);
    return thumbnail->buffer != NULL;
}

void seat_thumbnail(struct seat *seat, guint slot, guint width, guint height)
{
    if (slot == 0 || slot >= SLOTS || !width || !height || !seat->shm || seat->thumbnails[slot].buffer)
        return;
    if (thumbnail_make(seat, &seat->thumbnails[slot], width, height))
        roundhouse_seat_v1_thumbnail(seat->seat, slot, seat->thumbnails[slot].buffer);
}

static void on_power_button(void *data, struct roundhouse_seat_v1 *proxy)
{
    struct seat *seat = data;
    (void)proxy;
    seat->callbacks.power_button(seat->user);
}

static const struct roundhouse_seat_v1_listener seat_listener = {
    .focus_changed = on_focus_changed,
    .bar_show = on_bar_show,
    .bar_hide = on_bar_hide,
    .guest_frame_size = on_guest_frame_size,
    .thumbnail_done = on_thumbnail_done,
    .power_button = on_power_button,
};

static void global_added(void *data, struct wl_registry *registry, uint32_t name, const char *interface,
                         uint32_t version)
{
    struct seat *seat = data;
    if (!seat->shm && strcmp(interface, wl_shm_interface.name) == 0)
        seat->shm = wl_registry_bind(registry, name, &wl_shm_interface, 1);
    if (seat->seat || strcmp(interface, roundhouse_seat_v1_interface.name) != 0)
        return;
    seat->seat = wl_registry_bind(registry, name, &roundhouse_seat_v1_interface, MIN(version, 2));
    roundhouse_seat_v1_add_listener(seat->seat, &seat_listener, seat);
}

static void global_removed(void *data, struct wl_registry *registry, uint32_t name)
{
    (void)data;
    (void)registry;
    (void)name;
}

static const struct wl_registry_listener registry_listener = {global_added, global_removed};

struct seat *seat_new(const struct seat_callbacks *callbacks, gpointer user)
{
    GdkDisplay *display = gdk_display_get_default();
    if (!GDK_IS_WAYLAND_DISPLAY(display))
        return NULL;
    struct wl_display *wayland = gdk_wayland_display_get_wl_display(display);
    struct seat *seat = g_new0(struct seat, 1);
    seat->callbacks = *callbacks;
    seat->user = user;
    seat->registry = wl_display_get_registry(wayland);
    wl_registry_add_listener(seat->registry, &registry_listener, seat);
    wl_display_roundtrip(wayland);
    if (seat->seat)
        return seat;
    seat_free(seat);
    return NULL;
}

void seat_free(struct seat *seat)
{
    if (!seat)
        return;
    for (guint slot = 0; slot < SLOTS; slot++)
        thumbnail_clear(&seat->thumbnails[slot]);
    if (seat->shm)
        wl_shm_destroy(seat->shm);
    if (seat->seat)
        roundhouse_seat_v1_destroy(seat->seat);
    wl_registry_destroy(seat->registry);
    g_free(seat);
}

static struct wl_surface *surface_of(GtkWindow *window)
{
    gtk_widget_realize(GTK_WIDGET(window));
    return gdk_wayland_window_get_wl_surface(gtk_widget_get_window(GTK_WIDGET(window)));
}

void seat_set_switcher(struct seat *seat, GtkWindow *window)
{
    roundhouse_seat_v1_set_switcher(seat->seat, surface_of(window));
}

void seat_set_bar(struct seat *seat, GtkWindow *window, guint height)
{
    roundhouse_seat_v1_set_bar(seat->seat, surface_of(window), height);
}

void seat_focus(struct seat *seat, guint slot)
{
    roundhouse_seat_v1_focus(seat->seat, slot);
}

void seat_show_bar(struct seat *seat, gboolean show)
{
    if (show)
        roundhouse_seat_v1_show_bar(seat->seat);
    else
        roundhouse_seat_v1_hide_bar(seat->seat);
}

gboolean seat_bar_is_shown(const struct seat *seat)
{
    return seat->bar_is_shown;
}
