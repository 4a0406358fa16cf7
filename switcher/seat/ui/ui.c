// The interface's socket, its one client, and what of its surfaces is drawn.
#include "ui.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cursor.h"
#include "kept.h"
#include "listen.h"
#include "log.h"
#include "ui_internal.h"

static void on_client_destroyed(struct wl_listener *listener, void *data)
{
    (void)data;
    struct ui *ui = wl_container_of(listener, ui, client_destroyed);
    ui->client = NULL;
    log_info("the interface is gone");
    seat_interface_gone(ui->seat);
    seat_bar_show(ui->seat, false);
    seat_damage_all(ui->seat);
}

struct counted {
    struct ui *ui;
    struct wl_listener destroyed;
};

static void on_object_destroyed(struct wl_listener *listener, void *data)
{
    (void)data;
    struct counted *counted = wl_container_of(listener, counted, destroyed);
    counted->ui->object_count--;
    free(counted);
}

// The one place that bounds what the client can make us allocate: every object of every protocol comes by here.
static void on_object_created(struct wl_listener *listener, void *data)
{
    struct ui *ui = wl_container_of(listener, ui, object_created);
    struct counted *counted = ui->object_count < UI_OBJECTS ? calloc(1, sizeof(*counted)) : NULL;
    if (!counted) {
        wl_client_post_no_memory(ui->client);
        return;
    }
    ui->object_count++;
    counted->ui = ui;
    counted->destroyed.notify = on_object_destroyed;
    wl_resource_add_destroy_listener(data, &counted->destroyed);
}

static int on_connection(int fd, uint32_t mask, void *data)
{
    (void)mask;
    struct ui *ui = data;
    int peer = listen_accept(fd, ui->uid);
    if (peer < 0)
        return 0;
    if (ui->client) {
        log_error("refused a second interface: one is connected");
        close(peer);
        return 0;
    }
    ui->client = wl_client_create(ui->seat->display, peer);
    if (!ui->client) {
        close(peer);
        return 0;
    }
    ui->client_destroyed.notify = on_client_destroyed;
    wl_client_add_destroy_listener(ui->client, &ui->client_destroyed);
    ui->object_created.notify = on_object_created;
    wl_client_add_resource_created_listener(ui->client, &ui->object_created);
    log_info("the interface is connected");
    return 0;
}

struct ui *ui_new(struct seat *seat, const char *socket_path, uid_t uid)
{
    struct ui *ui = calloc(1, sizeof(*ui));
    if (!ui)
        return NULL;
    ui->seat = seat;
    ui->uid = uid;
    ui->keymap_fd = -1;
    struct wl_list *lists[] = {&ui->surfaces,  &ui->windows,      &ui->outputs, &ui->pointers,
                               &ui->keyboards, &ui->data_devices, &ui->controls};
    for (unsigned i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
        wl_list_init(lists[i]);
    ui->listener = kept_listen("interface", socket_path, SOCK_STREAM, 0666); // the peer's user is checked instead
    if (ui->listener >= 0)
        ui->listener_source = wl_event_loop_add_fd(seat->loop, ui->listener, WL_EVENT_READABLE, on_connection, ui);
    if (!ui->listener_source || !ui_seat_start(ui) || !ui_thumbnails_start(ui)) {
        ui_free(ui);
        return NULL;
    }
    wl_display_init_shm(seat->display);
    ui_compositor_start(ui);
    ui_shell_start(ui);
    ui_data_start(ui);
    ui_control_start(ui);
    return ui;
}

void ui_free(struct ui *ui)
{
    if (!ui)
        return;
    if (ui->client)
        wl_client_destroy(ui->client);
    if (ui->listener_source)
        wl_event_source_remove(ui->listener_source);
    if (ui->listener >= 0)
        close(ui->listener);
    ui_seat_stop(ui);
    ui_thumbnails_stop(ui);
    free(ui);
}

static bool in_layer(const struct ui_window *window, enum ui_layer layer)
{
    bool bar = ui_window_root((struct ui_window *)window)->is_bar;
    return window->mapped && window->surface && bar == (layer == UI_LAYER_BAR);
}

void ui_paint(struct ui *ui, struct canvas *canvas, struct rect area, enum ui_layer layer)
{
    struct ui_window *window;
    wl_list_for_each(window, &ui->windows, link)
        if (in_layer(window, layer))
            ui_surface_paint(window->surface, canvas, area);
}

bool ui_layer_mapped(const struct ui *ui, enum ui_layer layer)
{
    struct ui_window *window;
    wl_list_for_each(window, &ui->windows, link)
        if (in_layer(window, layer))
            return true;
    return false;
}

static struct rect surface_area(const struct ui_surface *surface)
{
    struct rect area = {0, 0, (int32_t)surface->buffer.image.width, (int32_t)surface->buffer.image.height};
    ui_surface_position(surface, &area.x, &area.y);
    return area;
}

struct rect ui_bar_area(const struct ui *ui)
{
    struct rect area = {0};
    struct ui_window *window;
    wl_list_for_each(window, &ui->windows, link)
        if (in_layer(window, UI_LAYER_BAR))
            area = rect_union(area, surface_area(window->surface));
    return area;
}

struct rect ui_bar_strip(const struct ui *ui)
{
    struct ui_window *window;
    wl_list_for_each(window, &ui->windows, link)
        if (in_layer(window, UI_LAYER_BAR) && window->is_bar)
            return (struct rect){0, 0, (int32_t)ui->seat->output->width, (int32_t)window->bar_height};
    return (struct rect){0};
}

bool ui_bar_contains(const struct ui *ui, double x, double y)
{
    struct ui_window *window;
    wl_list_for_each(window, &ui->windows, link)
        if (ui->seat->bar_shown && in_layer(window, UI_LAYER_BAR) && ui_surface_at(window->surface, x, y))
            return true;
    return false;
}

bool ui_cursor(const struct ui *ui, struct image *image, int32_t *hotspot_x, int32_t *hotspot_y)
{
    if (ui->cursor_hidden)
        return false;
    if (ui->cursor && ui->cursor->buffer.image.width) {
        *image = ui->cursor->buffer.image;
        *hotspot_x = ui->cursor->offset_x;
        *hotspot_y = ui->cursor->offset_y;
        return true;
    }
    *image = cursor_arrow();
    *hotspot_x = *hotspot_y = 0;
    return true;
}

void ui_frame_done(struct ui *ui, uint32_t time)
{
    struct ui_surface *surface;
    wl_list_for_each(surface, &ui->surfaces, link)
        if (surface->role == ROLE_CURSOR || ui_surface_visible(surface))
            ui_surface_send_frames(surface, time);
}

void ui_resized(struct ui *ui)
{
    ui_output_changed(ui);
    struct ui_window *window;
    wl_list_for_each(window, &ui->windows, link)
        if (window->toplevel)
            ui_window_configure(window);
}
