// xdg_wm_base: windows. The switcher fills the screen, the bar its top edge, dialogs are centred, popups hang
// on their parents.
#include <stdlib.h>

#include "strip.h"
#include "ui_internal.h"
#include "xdg-shell-server-protocol.h"

static struct ui_window *from(struct wl_resource *resource)
{
    return wl_resource_get_user_data(resource);
}

struct ui_window *ui_window_root(struct ui_window *window)
{
    while (window->popup && window->parent)
        window = window->parent;
    return window;
}

bool ui_window_visible(const struct ui_window *window)
{
    const struct seat *seat = window->ui->seat;
    if (!window->mapped)
        return false;
    if (ui_window_root((struct ui_window *)window)->is_bar)
        return seat->bar_shown;
    return seat->focus.current == FOCUS_SWITCHER;
}

static struct rect geometry_of(const struct ui_window *window)
{
    if (!rect_empty(window->geometry))
        return window->geometry;
    const struct image *image = &window->surface->buffer.image;
    return (struct rect){0, 0, (int32_t)image->width, (int32_t)image->height};
}

static void place_window(struct ui_window *window)
{
    struct rect stage = strip_stage(window->ui->seat->output);
    struct rect geometry = geometry_of(window);
    if (window->popup && window->parent) {
        window->x = window->parent->x + window->popup_x;
        window->y = window->parent->y + window->popup_y;
    } else if (window->is_switcher || window->is_bar) {
        window->x = window->y = 0;
    } else {
        window->x = (stage.width - geometry.width) / 2;
        window->y = (stage.height - geometry.height) / 2;
        window->y = window->y > 0 ? window->y : 0;
    }
}

static void send_toplevel_configure(struct ui_window *window)
{
    struct rect stage = strip_stage(window->ui->seat->output);
    int32_t width = 0, height = 0;
    struct wl_array states;
    wl_array_init(&states);
    uint32_t *state = wl_array_add(&states, sizeof(*state));
    if (state)
        *state = XDG_TOPLEVEL_STATE_ACTIVATED;
    if (window->is_switcher || window->is_bar) {
        width = stage.width;
        height = window->is_bar ? (int32_t)window->bar_height : stage.height;
        state = wl_array_add(&states, sizeof(*state));
        if (state)
            *state = XDG_TOPLEVEL_STATE_FULLSCREEN;
    }
    xdg_toplevel_send_configure(window->toplevel, width, height, &states);
    wl_array_release(&states);
}

void ui_window_configure(struct ui_window *window)
{
    if (!window->xdg_surface)
        return;
    if (window->toplevel)
        send_toplevel_configure(window);
    if (window->popup)
        xdg_popup_send_configure(window->popup, window->popup_x, window->popup_y, window->popup_width,
                                 window->popup_height);
    xdg_surface_send_configure(window->xdg_surface, wl_display_next_serial(window->ui->seat->display));
    window->configured = true;
}

// The first window without a parent is the switcher, unless the client named another.
static void choose_switcher(struct ui_window *window)
{
    struct ui_window *other;
    if (window->is_bar || window->parent || window->popup)
        return;
    wl_list_for_each(other, &window->ui->windows, link)
        if (other->is_switcher)
            return;
    window->is_switcher = true;
}

static void unmap(struct ui_window *window)
{
    if (!window->mapped)
        return;
    if (window->surface)
        ui_surface_damage_all(window->surface);
    window->mapped = false;
    if (window->is_bar)
        seat_bar_show(window->ui->seat, false);
    ui_focus_update(window->ui);
    seat_damage_all(window->ui->seat);
}

void ui_window_committed(struct ui_surface *surface)
{
    struct ui_window *window = surface->window;
    if (!window->xdg_surface || (!window->toplevel && !window->popup))
        return;
    bool has_buffer = surface->buffer.image.width > 0;
    if (!window->configured) {
        choose_switcher(window);
        ui_window_configure(window);
        return;
    }
    int32_t x = window->x, y = window->y;
    place_window(window);
    if (has_buffer != window->mapped || x != window->x || y != window->y)
        seat_damage_all(window->ui->seat);
    if (has_buffer && !window->mapped) {
        window->mapped = true;
        ui_focus_update(window->ui);
        ui_surface_damage_all(surface);
    } else if (!has_buffer && window->mapped) {
        unmap(window);
        window->configured = false;
    }
}

void ui_window_surface_gone(struct ui_surface *surface)
{
    if (!surface->window)
        return;
    unmap(surface->window);
    surface->window->surface = NULL;
    surface->window = NULL;
}

void ui_popups_dismiss(struct ui *ui)
{
    struct ui_window *window;
    wl_list_for_each_reverse(window, &ui->windows, link)
        if (window->popup && window->mapped)
            xdg_popup_send_popup_done(window->popup);
}

// A well-behaved client destroys the role first; when it dies the order is any.
static void free_if_unused(struct ui_window *window)
{
    struct ui_window *other;
    if (window->xdg_surface || window->toplevel || window->popup)
        return;
    wl_list_for_each(other, &window->ui->windows, link)
        if (other->parent == window)
            other->parent = window->parent;
    if (window->surface)
        window->surface->window = NULL;
    wl_list_remove(&window->link);
    free(window);
}

// xdg_toplevel

static void toplevel_set_parent(struct wl_client *client, struct wl_resource *resource, struct wl_resource *parent)
{
    (void)client;
    struct ui_window *window = from(resource), *up = parent ? from(parent) : NULL;
    for (struct ui_window *w = up; w; w = w->parent)
        if (w == window)
            return;
    window->parent = up;
}

static void toplevel_string(struct wl_client *client, struct wl_resource *resource, const char *text)
{
    (void)client;
    (void)resource;
    (void)text;
}

static void toplevel_menu(struct wl_client *client, struct wl_resource *resource, struct wl_resource *seat,
                          uint32_t serial, int32_t x, int32_t y)
{
    (void)client;
    (void)resource;
    (void)seat;
    (void)serial;
    (void)x;
    (void)y;
}

static void toplevel_move(struct wl_client *client, struct wl_resource *resource, struct wl_resource *seat,
                          uint32_t serial)
{
    (void)client;
    (void)resource;
    (void)seat;
    (void)serial;
}

static void toplevel_resize(struct wl_client *client, struct wl_resource *resource, struct wl_resource *seat,
                            uint32_t serial, uint32_t edges)
{
    (void)edges;
    toplevel_move(client, resource, seat, serial);
}

static void toplevel_limit(struct wl_client *client, struct wl_resource *resource, int32_t width, int32_t height)
{
    (void)client;
    (void)resource;
    (void)width;
    (void)height;
}

// Asked to be of another size, the window is told that it stays as it is.
static void toplevel_stay(struct wl_client *client, struct wl_resource *resource)
{
    (void)client;
    if (from(resource)->configured)
        ui_window_configure(from(resource));
}

static void toplevel_fullscreen(struct wl_client *client, struct wl_resource *resource, struct wl_resource *output)
{
    (void)output;
    toplevel_stay(client, resource);
}

static void toplevel_minimize(struct wl_client *client, struct wl_resource *resource)
{
    (void)client;
    (void)resource;
}

static const struct xdg_toplevel_interface toplevel_implementation = {
    ui_destroy_request, toplevel_set_parent, toplevel_string, toplevel_string,   toplevel_menu,
    toplevel_move,      toplevel_resize,     toplevel_limit,  toplevel_limit,    toplevel_stay,
    toplevel_stay,      toplevel_fullscreen, toplevel_stay,   toplevel_minimize,
};

static void toplevel_gone(struct wl_resource *resource)
{
    struct ui_window *window = from(resource);
    unmap(window);
    window->toplevel = NULL;
    window->configured = window->is_switcher = window->is_bar = false;
    free_if_unused(window);
}

// xdg_popup

static void popup_grab(struct wl_client *client, struct wl_resource *resource, struct wl_resource *seat,
                       uint32_t serial)
{
    (void)client;
    (void)seat;
    (void)serial;
    from(resource)->grabs = true;
}

static void place_popup(struct ui_window *window, struct wl_resource *positioner)
{
    struct rect stage = strip_stage(window->ui->seat->output);
    struct rect bounds = {window->parent ? -window->parent->x : 0, window->parent ? -window->parent->y : 0, stage.width,
                          stage.height};
    struct rect place = ui_positioner_place(positioner, bounds);
    window->popup_x = place.x;
    window->popup_y = place.y;
    window->popup_width = place.width;
    window->popup_height = place.height;
}

static void popup_reposition(struct wl_client *client, struct wl_resource *resource, struct wl_resource *positioner,
                             uint32_t token)
{
    (void)client;
    place_popup(from(resource), positioner);
    xdg_popup_send_repositioned(resource, token);
    ui_window_configure(from(resource));
}

static const struct xdg_popup_interface popup_implementation = {ui_destroy_request, popup_grab, popup_reposition};

static void popup_gone(struct wl_resource *resource)
{
    struct ui_window *window = from(resource);
    unmap(window);
    window->popup = NULL;
    window->configured = window->grabs = false;
    free_if_unused(window);
}

// xdg_surface

static bool take_role(struct ui_window *window, struct wl_resource *resource, enum ui_role role)
{
    if (window->surface && (window->surface->role == ROLE_NONE || window->surface->role == role) && !window->toplevel &&
        !window->popup) {
        window->surface->role = role;
        return true;
    }
    wl_resource_post_error(resource, XDG_SURFACE_ERROR_ALREADY_CONSTRUCTED, "the surface has a role");
    return false;
}

static void xdg_surface_toplevel(struct wl_client *client, struct wl_resource *resource, uint32_t id)
{
    struct ui_window *window = from(resource);
    if (!take_role(window, resource, ROLE_TOPLEVEL))
        return;
    window->toplevel = wl_resource_create(client, &xdg_toplevel_interface, wl_resource_get_version(resource), id);
    if (window->toplevel)
        wl_resource_set_implementation(window->toplevel, &toplevel_implementation, window, toplevel_gone);
    else
        wl_client_post_no_memory(client);
}

static void xdg_surface_popup(struct wl_client *client, struct wl_resource *resource, uint32_t id,
                              struct wl_resource *parent, struct wl_resource *positioner)
{
    struct ui_window *window = from(resource), *up = parent ? from(parent) : NULL;
    for (struct ui_window *w = up; w; w = w->parent) {
        if (w == window) {
            wl_resource_post_error(resource, XDG_WM_BASE_ERROR_INVALID_POPUP_PARENT, "a popup on itself");
            return;
        }
    }
    if (!take_role(window, resource, ROLE_POPUP))
        return;
    window->popup = wl_resource_create(client, &xdg_popup_interface, wl_resource_get_version(resource), id);
    if (!window->popup) {
        wl_client_post_no_memory(client);
        return;
    }
    wl_resource_set_implementation(window->popup, &popup_implementation, window, popup_gone);
    window->parent = up;
    place_popup(window, positioner);
}

static void xdg_surface_geometry(struct wl_client *client, struct wl_resource *resource, int32_t x, int32_t y,
                                 int32_t width, int32_t height)
{
    (void)client;
    struct rect limits = {-LINK_MAX_SIZE, -LINK_MAX_SIZE, 2 * LINK_MAX_SIZE, 2 * LINK_MAX_SIZE};
    if (width < 1 || height < 1)
        wl_resource_post_error(resource, XDG_SURFACE_ERROR_UNCONFIGURED_BUFFER, "empty window geometry");
    else
        from(resource)->geometry = rect_intersect((struct rect){x, y, width, height}, limits);
}

static void xdg_surface_ack(struct wl_client *client, struct wl_resource *resource, uint32_t serial)
{
    (void)client;
    (void)resource;
    (void)serial;
}

static const struct xdg_surface_interface xdg_surface_implementation = {
    ui_destroy_request, xdg_surface_toplevel, xdg_surface_popup, xdg_surface_geometry, xdg_surface_ack,
};

static void xdg_surface_gone(struct wl_resource *resource)
{
    struct ui_window *window = from(resource);
    unmap(window);
    window->xdg_surface = NULL;
    free_if_unused(window);
}

// xdg_wm_base

static void wm_base_positioner(struct wl_client *client, struct wl_resource *resource, uint32_t id)
{
    ui_positioner_create(client, (uint32_t)wl_resource_get_version(resource), id);
}

static void wm_base_surface(struct wl_client *client, struct wl_resource *resource, uint32_t id,
                            struct wl_resource *surface_resource)
{
    struct ui_surface *surface = ui_surface_from(surface_resource);
    if (surface->window) {
        wl_resource_post_error(resource, XDG_WM_BASE_ERROR_ROLE, "the surface is a window already");
        return;
    }
    struct ui_window *window = calloc(1, sizeof(*window));
    if (window)
        window->xdg_surface = wl_resource_create(client, &xdg_surface_interface, wl_resource_get_version(resource), id);
    if (!window || !window->xdg_surface) {
        free(window);
        wl_client_post_no_memory(client);
        return;
    }
    window->ui = surface->ui;
    window->surface = surface;
    window->is_bar = surface->bar_height > 0;
    window->bar_height = surface->bar_height;
    window->is_switcher = surface->switcher;
    surface->window = window;
    wl_list_insert(surface->ui->windows.prev, &window->link);
    wl_resource_set_implementation(window->xdg_surface, &xdg_surface_implementation, window, xdg_surface_gone);
}

static void wm_base_pong(struct wl_client *client, struct wl_resource *resource, uint32_t serial)
{
    (void)client;
    (void)resource;
    (void)serial;
}

static const struct xdg_wm_base_interface wm_base_implementation = {
    ui_destroy_request,
    wm_base_positioner,
    wm_base_surface,
    wm_base_pong,
};

static void bind_wm_base(struct wl_client *client, void *data, uint32_t version, uint32_t id)
{
    struct wl_resource *resource = wl_resource_create(client, &xdg_wm_base_interface, (int)version, id);
    if (resource)
        wl_resource_set_implementation(resource, &wm_base_implementation, data, NULL);
    else
        wl_client_post_no_memory(client);
}

void ui_shell_start(struct ui *ui)
{
    wl_global_create(ui->seat->display, &xdg_wm_base_interface, 3, ui, bind_wm_base);
}
