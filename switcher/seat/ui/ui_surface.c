// wl_compositor and wl_subcompositor: surfaces, their buffers and regions. Subsurfaces take their state at
// once, whatever their mode says.
#include <stdlib.h>

#include "ui_internal.h"

struct ui_surface *ui_surface_from(struct wl_resource *resource)
{
    return resource ? wl_resource_get_user_data(resource) : NULL;
}

static struct rect surface_bounds(const struct ui_surface *surface)
{
    return (struct rect){0, 0, (int32_t)surface->buffer.image.width, (int32_t)surface->buffer.image.height};
}

void ui_surface_position(const struct ui_surface *surface, int32_t *x, int32_t *y)
{
    *x = *y = 0;
    while (surface->role == ROLE_SUBSURFACE && surface->parent) {
        *x += surface->offset_x;
        *y += surface->offset_y;
        surface = surface->parent;
    }
    if (surface->window) {
        *x += surface->window->x - surface->window->geometry.x;
        *y += surface->window->y - surface->window->geometry.y;
    }
}

static const struct ui_window *window_of(const struct ui_surface *surface)
{
    while (surface->role == ROLE_SUBSURFACE && surface->parent)
        surface = surface->parent;
    return surface->window;
}

bool ui_surface_visible(const struct ui_surface *surface)
{
    const struct ui_window *window = window_of(surface);
    return window && ui_window_visible(window);
}

// In its coordinates.
static void damage_surface(struct ui_surface *surface, struct rect area)
{
    if (surface->role == ROLE_CURSOR) {
        seat_cursor_update(surface->ui->seat);
        return;
    }
    if (!ui_surface_visible(surface))
        return;
    int32_t x, y;
    ui_surface_position(surface, &x, &y);
    area = rect_intersect(area, surface_bounds(surface));
    area.x += x;
    area.y += y;
    seat_damage(surface->ui->seat, area);
}

void ui_surface_damage_all(struct ui_surface *surface)
{
    damage_surface(surface, surface_bounds(surface));
    struct ui_surface *child;
    wl_list_for_each(child, &surface->subsurfaces, sibling)
        ui_surface_damage_all(child);
}

void ui_surface_paint(struct ui_surface *surface, struct canvas *canvas, struct rect area)
{
    int32_t x, y;
    ui_surface_position(surface, &x, &y);
    const struct image *image = &surface->buffer.image;
    if (image->width && image->format == PIXEL_ARGB8888)
        pixels_blend(canvas, area, image, x, y);
    else if (image->width)
        pixels_copy(canvas, area, image, x, y);
    struct ui_surface *child;
    wl_list_for_each(child, &surface->subsurfaces, sibling)
        ui_surface_paint(child, canvas, area);
}

static bool region_contains(const struct ui_region *region, double x, double y)
{
    bool inside = region->everything;
    for (unsigned i = 0; !region->everything && i < region->count; i++)
        if (rect_contains(region->steps[i].rect, x, y))
            inside = region->steps[i].add;
    return inside;
}

struct ui_surface *ui_surface_at(struct ui_surface *surface, double x, double y)
{
    struct ui_surface *child;
    wl_list_for_each_reverse(child, &surface->subsurfaces, sibling) {
        struct ui_surface *found = ui_surface_at(child, x, y);
        if (found)
            return found;
    }
    int32_t left, top;
    ui_surface_position(surface, &left, &top);
    bool hit = rect_contains(surface_bounds(surface), x - left, y - top) &&
               region_contains(&surface->input, x - left, y - top);
    return hit ? surface : NULL;
}

void ui_surface_send_frames(struct ui_surface *surface, uint32_t time)
{
    struct wl_resource *callback, *next;
    wl_resource_for_each_safe(callback, next, &surface->frames) {
        wl_callback_send_done(callback, time);
        wl_resource_destroy(callback);
    }
}

// wl_surface.

static void on_pending_destroyed(struct wl_listener *listener, void *data)
{
    (void)data;
    struct ui_surface *surface = wl_container_of(listener, surface, pending_destroyed);
    wl_list_remove(&surface->pending_destroyed.link);
    surface->pending_buffer = NULL;
}

static void forget_pending_buffer(struct ui_surface *surface)
{
    if (surface->pending_buffer)
        wl_list_remove(&surface->pending_destroyed.link);
    surface->pending_buffer = NULL;
}

static void surface_attach(struct wl_client *client, struct wl_resource *resource, struct wl_resource *buffer,
                           int32_t x, int32_t y)
{
    (void)client;
    struct ui_surface *surface = ui_surface_from(resource);
    forget_pending_buffer(surface);
    surface->attached = true;
    surface->pending_buffer = buffer;
    if (buffer) {
        surface->pending_destroyed.notify = on_pending_destroyed;
        wl_resource_add_destroy_listener(buffer, &surface->pending_destroyed);
    }
    if (surface->role == ROLE_CURSOR) {
        surface->offset_x = ui_near(surface->offset_x - ui_near(x));
        surface->offset_y = ui_near(surface->offset_y - ui_near(y));
    }
}

static void surface_damage(struct wl_client *client, struct wl_resource *resource, int32_t x, int32_t y, int32_t width,
                           int32_t height)
{
    (void)client;
    struct rect bounds = {0, 0, LINK_MAX_SIZE, LINK_MAX_SIZE};
    damage_add(&ui_surface_from(resource)->pending_damage, (struct rect){x, y, width, height}, bounds);
}

static void callback_gone(struct wl_resource *resource)
{
    wl_list_remove(wl_resource_get_link(resource));
}

static void surface_frame(struct wl_client *client, struct wl_resource *resource, uint32_t id)
{
    struct ui_surface *surface = ui_surface_from(resource);
    struct wl_resource *callback = wl_resource_create(client, &wl_callback_interface, 1, id);
    if (!callback) {
        wl_client_post_no_memory(client);
        return;
    }
    wl_resource_set_implementation(callback, NULL, NULL, callback_gone);
    wl_list_insert(surface->pending_frames.prev, wl_resource_get_link(callback));
}

static void surface_set_opaque_region(struct wl_client *client, struct wl_resource *resource,
                                      struct wl_resource *region)
{
    (void)client;
    (void)resource;
    (void)region;
}

static void surface_set_input_region(struct wl_client *client, struct wl_resource *resource, struct wl_resource *region)
{
    (void)client;
    struct ui_region everything = {.everything = true};
    struct ui_region *given = region ? wl_resource_get_user_data(region) : &everything;
    ui_surface_from(resource)->pending_input = *given;
}

static void surface_commit(struct wl_client *client, struct wl_resource *resource)
{
    (void)client;
    struct ui_surface *surface = ui_surface_from(resource);
    struct rect before = surface_bounds(surface);
    bool attached = surface->attached;
    if (attached) {
        ui_surface_damage_all(surface); // while the old size is known, if it changes
        ui_buffer_take(&surface->buffer, surface->pending_buffer);
        forget_pending_buffer(surface);
        surface->attached = false;
    }
    struct rect after = surface_bounds(surface);
    surface->input = surface->pending_input;
    wl_list_insert_list(surface->frames.prev, &surface->pending_frames);
    wl_list_init(&surface->pending_frames);
    struct damage damage = surface->pending_damage;
    damage_clear(&surface->pending_damage);
    if (surface->window)
        ui_window_committed(surface);
    if (before.width != after.width || before.height != after.height)
        ui_surface_damage_all(surface);
    for (unsigned i = 0; i < damage.count; i++)
        damage_surface(surface, damage.rects[i]);
    if (!wl_list_empty(&surface->frames))
        seat_want_frame(surface->ui->seat);
}

static void surface_ignore_number(struct wl_client *client, struct wl_resource *resource, int32_t value)
{
    (void)client;
    (void)resource;
    (void)value;
}

static void surface_offset(struct wl_client *client, struct wl_resource *resource, int32_t x, int32_t y)
{
    (void)client;
    (void)resource;
    (void)x;
    (void)y;
}

static const struct wl_surface_interface surface_implementation = {
    .destroy = ui_destroy_request,
    .attach = surface_attach,
    .damage = surface_damage,
    .frame = surface_frame,
    .set_opaque_region = surface_set_opaque_region,
    .set_input_region = surface_set_input_region,
    .commit = surface_commit,
    .set_buffer_transform = surface_ignore_number,
    .set_buffer_scale = surface_ignore_number,
    .damage_buffer = surface_damage,
    .offset = surface_offset,
};

static void destroy_callbacks(struct wl_list *list)
{
    struct wl_resource *callback, *next;
    wl_resource_for_each_safe(callback, next, list)
        wl_resource_destroy(callback);
}

static void surface_gone(struct wl_resource *resource)
{
    struct ui_surface *surface = ui_surface_from(resource);
    struct ui *ui = surface->ui;
    ui_surface_damage_all(surface);
    struct ui_surface *child, *next;
    wl_list_for_each_safe(child, next, &surface->subsurfaces, sibling) {
        child->parent = NULL;
        wl_list_remove(&child->sibling);
        wl_list_init(&child->sibling);
    }
    wl_list_remove(&surface->sibling);
    if (surface->subsurface)
        wl_resource_set_user_data(surface->subsurface, NULL);
    ui_window_surface_gone(surface);
    wl_list_remove(&surface->link);
    ui->surface_count--;
    ui_seat_surface_gone(surface);
    forget_pending_buffer(surface);
    ui_buffer_drop(&surface->buffer);
    destroy_callbacks(&surface->pending_frames);
    destroy_callbacks(&surface->frames);
    free(surface);
    seat_cursor_update(ui->seat);
}

static void compositor_create_surface(struct wl_client *client, struct wl_resource *resource, uint32_t id)
{
    struct ui *ui = wl_resource_get_user_data(resource);
    struct ui_surface *surface = ui->surface_count < UI_SURFACES ? calloc(1, sizeof(*surface)) : NULL;
    if (surface)
        surface->resource = wl_resource_create(client, &wl_surface_interface, wl_resource_get_version(resource), id);
    if (!surface || !surface->resource) {
        free(surface);
        wl_client_post_no_memory(client);
        return;
    }
    surface->ui = ui;
    ui->surface_count++;
    wl_list_init(&surface->subsurfaces);
    wl_list_init(&surface->sibling);
    wl_list_init(&surface->pending_frames);
    wl_list_init(&surface->frames);
    surface->input.everything = surface->pending_input.everything = true;
    wl_list_insert(surface->ui->surfaces.prev, &surface->link);
    wl_resource_set_implementation(surface->resource, &surface_implementation, surface, surface_gone);
}

// wl_region.

static void region_step(struct wl_resource *resource, struct rect rect, bool add)
{
    struct ui_region *region = wl_resource_get_user_data(resource);
    if (region->count == REGION_STEPS)
        region->everything = true;
    else
        region->steps[region->count++] = (struct ui_region_step){rect, add};
}

static void region_add(struct wl_client *client, struct wl_resource *resource, int32_t x, int32_t y, int32_t width,
                       int32_t height)
{
    (void)client;
    region_step(resource, (struct rect){x, y, width, height}, true);
}

static void region_subtract(struct wl_client *client, struct wl_resource *resource, int32_t x, int32_t y, int32_t width,
                            int32_t height)
{
    (void)client;
    region_step(resource, (struct rect){x, y, width, height}, false);
}

static const struct wl_region_interface region_implementation = {ui_destroy_request, region_add, region_subtract};

static void region_gone(struct wl_resource *resource)
{
    free(wl_resource_get_user_data(resource));
}

static void compositor_create_region(struct wl_client *client, struct wl_resource *resource, uint32_t id)
{
    (void)resource;
    struct ui_region *region = calloc(1, sizeof(*region));
    struct wl_resource *made = region ? wl_resource_create(client, &wl_region_interface, 1, id) : NULL;
    if (!made) {
        free(region);
        wl_client_post_no_memory(client);
        return;
    }
    wl_resource_set_implementation(made, &region_implementation, region, region_gone);
}

static const struct wl_compositor_interface compositor_implementation = {compositor_create_surface,
                                                                         compositor_create_region};

static void bind_compositor(struct wl_client *client, void *data, uint32_t version, uint32_t id)
{
    struct wl_resource *resource = wl_resource_create(client, &wl_compositor_interface, (int)version, id);
    if (resource)
        wl_resource_set_implementation(resource, &compositor_implementation, data, NULL);
    else
        wl_client_post_no_memory(client);
}

// wl_subcompositor. The user data of a wl_subsurface is its surface, or NULL once that is gone.

static void subsurface_set_position(struct wl_client *client, struct wl_resource *resource, int32_t x, int32_t y)
{
    (void)client;
    struct ui_surface *surface = wl_resource_get_user_data(resource);
    x = ui_near(x);
    y = ui_near(y);
    if (!surface || (surface->offset_x == x && surface->offset_y == y))
        return;
    ui_surface_damage_all(surface);
    surface->offset_x = x;
    surface->offset_y = y;
    ui_surface_damage_all(surface);
}

static void restack(struct wl_resource *resource, struct wl_resource *sibling_resource, bool above)
{
    struct ui_surface *surface = wl_resource_get_user_data(resource), *other = ui_surface_from(sibling_resource);
    if (!surface || !surface->parent || !other || other == surface)
        return;
    struct wl_list *place = other->parent == surface->parent ? &other->sibling : &surface->parent->subsurfaces;
    wl_list_remove(&surface->sibling);
    wl_list_insert(above ? place : place->prev, &surface->sibling);
    ui_surface_damage_all(surface->parent);
}

static void subsurface_place_above(struct wl_client *client, struct wl_resource *resource, struct wl_resource *sibling)
{
    (void)client;
    restack(resource, sibling, true);
}

static void subsurface_place_below(struct wl_client *client, struct wl_resource *resource, struct wl_resource *sibling)
{
    (void)client;
    restack(resource, sibling, false);
}

static void subsurface_mode(struct wl_client *client, struct wl_resource *resource)
{
    (void)client;
    (void)resource;
}

static const struct wl_subsurface_interface subsurface_implementation = {
    ui_destroy_request,     subsurface_set_position, subsurface_place_above,
    subsurface_place_below, subsurface_mode,         subsurface_mode,
};

static void subsurface_gone(struct wl_resource *resource)
{
    struct ui_surface *surface = wl_resource_get_user_data(resource);
    if (!surface)
        return;
    ui_surface_damage_all(surface);
    surface->subsurface = NULL;
    surface->parent = NULL;
    wl_list_remove(&surface->sibling);
    wl_list_init(&surface->sibling);
}

static void subcompositor_get(struct wl_client *client, struct wl_resource *resource, uint32_t id,
                              struct wl_resource *surface_resource, struct wl_resource *parent_resource)
{
    struct ui_surface *surface = ui_surface_from(surface_resource), *parent = ui_surface_from(parent_resource);
    for (struct ui_surface *up = parent; up; up = up->parent) {
        if (up == surface) {
            wl_resource_post_error(resource, WL_SUBCOMPOSITOR_ERROR_BAD_SURFACE, "a surface cannot be its own parent");
            return;
        }
    }
    if ((surface->role != ROLE_NONE && surface->role != ROLE_SUBSURFACE) || surface->subsurface) {
        wl_resource_post_error(resource, WL_SUBCOMPOSITOR_ERROR_BAD_SURFACE, "the surface has another role");
        return;
    }
    struct wl_resource *made = wl_resource_create(client, &wl_subsurface_interface, 1, id);
    if (!made) {
        wl_client_post_no_memory(client);
        return;
    }
    surface->role = ROLE_SUBSURFACE;
    surface->parent = parent;
    surface->subsurface = made;
    wl_list_insert(parent->subsurfaces.prev, &surface->sibling);
    wl_resource_set_implementation(made, &subsurface_implementation, surface, subsurface_gone);
}

static const struct wl_subcompositor_interface subcompositor_implementation = {ui_destroy_request, subcompositor_get};

static void bind_subcompositor(struct wl_client *client, void *data, uint32_t version, uint32_t id)
{
    struct wl_resource *resource = wl_resource_create(client, &wl_subcompositor_interface, (int)version, id);
    if (resource)
        wl_resource_set_implementation(resource, &subcompositor_implementation, data, NULL);
    else
        wl_client_post_no_memory(client);
}

void ui_compositor_start(struct ui *ui)
{
    wl_global_create(ui->seat->display, &wl_compositor_interface, 4, ui, bind_compositor);
    wl_global_create(ui->seat->display, &wl_subcompositor_interface, 1, ui, bind_subcompositor);
}
