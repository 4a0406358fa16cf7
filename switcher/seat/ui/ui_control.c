// wl_output, and roundhouse_seat_v1: what only a switcher may ask.
#include "roundhouse-seat-v1-server-protocol.h"
#include "strip.h"
#include "ui_internal.h"

static struct ui *from(struct wl_resource *resource)
{
    return wl_resource_get_user_data(resource);
}

static void unlink_resource(struct wl_resource *resource)
{
    wl_list_remove(wl_resource_get_link(resource));
}

// wl_output

static void send_output(struct ui *ui, struct wl_resource *output)
{
    struct rect stage = strip_stage(ui->seat->output); // what of the screen the interface can have
    int32_t width = stage.width, height = stage.height;
    // Sizes in millimetres as if the screen had 96 pixels to the inch.
    wl_output_send_geometry(output, 0, 0, width * 254 / 960, height * 254 / 960, WL_OUTPUT_SUBPIXEL_UNKNOWN,
                            "Roundhouse", "screen", WL_OUTPUT_TRANSFORM_NORMAL);
    wl_output_send_mode(output, WL_OUTPUT_MODE_CURRENT | WL_OUTPUT_MODE_PREFERRED, width, height, 60000);
    if (wl_resource_get_version(output) >= WL_OUTPUT_SCALE_SINCE_VERSION)
        wl_output_send_scale(output, 1);
    if (wl_resource_get_version(output) >= WL_OUTPUT_DONE_SINCE_VERSION)
        wl_output_send_done(output);
}

void ui_output_changed(struct ui *ui)
{
    struct wl_resource *output;
    wl_resource_for_each(output, &ui->outputs)
        send_output(ui, output);
}

static void bind_output(struct wl_client *client, void *data, uint32_t version, uint32_t id)
{
    struct ui *ui = data;
    struct wl_resource *output = wl_resource_create(client, &wl_output_interface, (int)version, id);
    if (!output) {
        wl_client_post_no_memory(client);
        return;
    }
    wl_resource_set_implementation(output, NULL, ui, unlink_resource);
    wl_list_insert(&ui->outputs, wl_resource_get_link(output));
    send_output(ui, output);
}

// roundhouse_seat_v1

static bool slot_valid(struct wl_resource *resource, uint32_t slot, uint32_t lowest)
{
    if (slot >= lowest && slot < LINK_SLOTS)
        return true;
    wl_resource_post_error(resource, ROUNDHOUSE_SEAT_V1_ERROR_BAD_SLOT, "there is no slot %u", slot);
    return false;
}

static void request_focus(struct wl_client *client, struct wl_resource *resource, uint32_t slot)
{
    (void)client;
    struct seat *seat = from(resource)->seat;
    // The user can only have asked for it where the interface is to be seen.
    if (slot_valid(resource, slot, 0))
        seat_focus(seat, slot, seat->focus.current == FOCUS_SWITCHER || seat->bar_shown);
}

static void request_set_switcher(struct wl_client *client, struct wl_resource *resource,
                                 struct wl_resource *surface_resource)
{
    (void)client;
    struct ui *ui = from(resource);
    struct ui_surface *surface = ui_surface_from(surface_resource);
    struct ui_window *window;
    surface->switcher = true;
    wl_list_for_each(window, &ui->windows, link)
        window->is_switcher = window->surface == surface;
    if (surface->window && surface->window->configured)
        ui_window_configure(surface->window);
}

static void request_set_bar(struct wl_client *client, struct wl_resource *resource,
                            struct wl_resource *surface_resource, uint32_t height)
{
    (void)client;
    struct ui *ui = from(resource);
    struct ui_surface *surface = ui_surface_from(surface_resource);
    if (height < 1 || height > (uint32_t)strip_stage(ui->seat->output).height / 2) {
        wl_resource_post_error(resource, ROUNDHOUSE_SEAT_V1_ERROR_BAD_HEIGHT, "a bar of %u pixels", height);
        return;
    }
    surface->bar_height = height;
    if (!surface->window)
        return;
    surface->window->is_bar = true;
    surface->window->is_switcher = false;
    surface->window->bar_height = height;
    if (surface->window->configured)
        ui_window_configure(surface->window);
}

static void request_show_bar(struct wl_client *client, struct wl_resource *resource)
{
    (void)client;
    struct seat *seat = from(resource)->seat;
    if (seat_focused_guest(seat))
        seat_bar_show(seat, true);
}

static void request_hide_bar(struct wl_client *client, struct wl_resource *resource)
{
    (void)client;
    seat_bar_show(from(resource)->seat, false);
}

static void request_thumbnail(struct wl_client *client, struct wl_resource *resource, uint32_t slot,
                              struct wl_resource *buffer)
{
    (void)client;
    if (slot_valid(resource, slot, 1))
        ui_thumbnail_ask(from(resource), resource, slot, buffer);
}

static const struct roundhouse_seat_v1_interface implementation = {
    .destroy = ui_destroy_request,
    .focus = request_focus,
    .set_switcher = request_set_switcher,
    .set_bar = request_set_bar,
    .show_bar = request_show_bar,
    .hide_bar = request_hide_bar,
    .thumbnail = request_thumbnail,
};

static void bind_control(struct wl_client *client, void *data, uint32_t version, uint32_t id)
{
    struct ui *ui = data;
    struct wl_resource *resource = wl_resource_create(client, &roundhouse_seat_v1_interface, (int)version, id);
    if (!resource) {
        wl_client_post_no_memory(client);
        return;
    }
    wl_resource_set_implementation(resource, &implementation, ui, unlink_resource);
    wl_list_insert(&ui->controls, wl_resource_get_link(resource));
    roundhouse_seat_v1_send_focus_changed(resource, ui->seat->focus.current);
    for (unsigned slot = 1; slot < LINK_SLOTS; slot++) {
        const struct image *picture = &ui->seat->guests[slot].picture;
        roundhouse_seat_v1_send_guest_frame_size(resource, slot, picture->width, picture->height);
    }
}

void ui_focus_changed(struct ui *ui, unsigned slot)
{
    struct wl_resource *control;
    wl_resource_for_each(control, &ui->controls)
        roundhouse_seat_v1_send_focus_changed(control, slot);
}

void ui_bar_changed(struct ui *ui, bool shown)
{
    struct wl_resource *control;
    wl_resource_for_each(control, &ui->controls) {
        if (shown)
            roundhouse_seat_v1_send_bar_show(control);
        else
            roundhouse_seat_v1_send_bar_hide(control);
    }
}

void ui_power_button(struct ui *ui)
{
    struct wl_resource *control;
    wl_resource_for_each(control, &ui->controls)
        if (wl_resource_get_version(control) >= ROUNDHOUSE_SEAT_V1_POWER_BUTTON_SINCE_VERSION)
            roundhouse_seat_v1_send_power_button(control);
}

void ui_guest_size(struct ui *ui, unsigned slot, uint32_t width, uint32_t height)
{
    struct wl_resource *control;
    wl_resource_for_each(control, &ui->controls)
        roundhouse_seat_v1_send_guest_frame_size(control, slot, width, height);
}

void ui_control_start(struct ui *ui)
{
    wl_global_create(ui->seat->display, &wl_output_interface, 2, ui, bind_output);
    wl_global_create(ui->seat->display, &roundhouse_seat_v1_interface, 2, ui, bind_control);
}
