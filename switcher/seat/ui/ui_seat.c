// wl_seat for the interface: who of its surfaces has keyboard and pointer.
#include <linux/input-event-codes.h>

#include "clock.h"
#include "ui_internal.h"

enum { SEAT_VERSION = 5, REPEAT_PER_SECOND = 25, REPEAT_DELAY_MS = 500 };

static uint32_t next_serial(struct ui *ui)
{
    return wl_display_next_serial(ui->seat->display);
}

// Keyboard.

static void send_modifiers(struct ui *ui)
{
    struct wl_resource *keyboard;
    if (!ui->xkb_state)
        return; // nobody has a keyboard yet
    uint32_t depressed = xkb_state_serialize_mods(ui->xkb_state, XKB_STATE_MODS_DEPRESSED);
    uint32_t latched = xkb_state_serialize_mods(ui->xkb_state, XKB_STATE_MODS_LATCHED);
    uint32_t locked = xkb_state_serialize_mods(ui->xkb_state, XKB_STATE_MODS_LOCKED);
    uint32_t group = xkb_state_serialize_layout(ui->xkb_state, XKB_STATE_LAYOUT_EFFECTIVE);
    wl_resource_for_each(keyboard, &ui->keyboards)
        wl_keyboard_send_modifiers(keyboard, next_serial(ui), depressed, latched, locked, group);
}

static void keyboard_send_enter(struct ui *ui, struct wl_resource *keyboard)
{
    struct wl_array keys;
    wl_array_init(&keys);
    for (uint32_t code = 0; code < KEY_CNT; code++) {
        if (!key_set_has(&ui->keys, code))
            continue;
        uint32_t *slot = wl_array_add(&keys, sizeof(*slot));
        if (slot)
            *slot = code;
    }
    wl_keyboard_send_enter(keyboard, next_serial(ui), ui->keyboard_focus->resource, &keys);
    wl_array_release(&keys);
}

static void set_keyboard_focus(struct ui *ui, struct ui_surface *surface)
{
    struct wl_resource *keyboard;
    if (surface == ui->keyboard_focus)
        return;
    if (ui->keyboard_focus)
        wl_resource_for_each(keyboard, &ui->keyboards)
            wl_keyboard_send_leave(keyboard, next_serial(ui), ui->keyboard_focus->resource);
    ui->keyboard_focus = surface;
    if (!surface)
        return;
    ui_data_offer_selection(ui);
    wl_resource_for_each(keyboard, &ui->keyboards)
        keyboard_send_enter(ui, keyboard);
    send_modifiers(ui);
}

// The topmost popup with a grab, or else the topmost window that is not the bar.
static struct ui_surface *keyboard_target(struct ui *ui)
{
    struct ui_window *window;
    wl_list_for_each_reverse(window, &ui->windows, link)
        if (window->mapped && window->popup && window->grabs && !ui_window_root(window)->is_bar)
            return window->surface;
    wl_list_for_each_reverse(window, &ui->windows, link)
        if (window->mapped && window->toplevel && !window->is_bar)
            return window->surface;
    return NULL;
}

void ui_focus_update(struct ui *ui)
{
    set_keyboard_focus(ui, ui->keyboard_here ? keyboard_target(ui) : NULL);
    if (ui->pointer_here && key_set_empty(&ui->buttons))
        ui_pointer_move(ui, now_ms(), ui->pointer_x, ui->pointer_y);
    seat_cursor_update(ui->seat);
}

void ui_keyboard_enter(struct ui *ui)
{
    ui->keyboard_here = true;
    ui_focus_update(ui);
}

void ui_keyboard_leave(struct ui *ui)
{
    ui->keyboard_here = false;
    ui_popups_dismiss(ui);
    set_keyboard_focus(ui, NULL);
}

void ui_key(struct ui *ui, uint32_t time, uint32_t code, bool pressed)
{
    struct wl_resource *keyboard;
    bool changed = pressed ? key_set_add(&ui->keys, code) : key_set_remove(&ui->keys, code);
    if (!changed)
        return;
    bool modifies = ui_keymap_key(ui, code, pressed);
    if (ui->keyboard_focus)
        wl_resource_for_each(keyboard, &ui->keyboards)
            wl_keyboard_send_key(keyboard, next_serial(ui), time, code, pressed);
    if (modifies && ui->keyboard_focus)
        send_modifiers(ui);
}

// Pointer.

static void pointer_frame(struct wl_resource *pointer)
{
    if (wl_resource_get_version(pointer) >= WL_POINTER_FRAME_SINCE_VERSION)
        wl_pointer_send_frame(pointer);
}

static void local_position(struct ui *ui, struct ui_surface *surface, wl_fixed_t *x, wl_fixed_t *y)
{
    int32_t left, top;
    ui_surface_position(surface, &left, &top);
    *x = wl_fixed_from_double(ui->pointer_x - left);
    *y = wl_fixed_from_double(ui->pointer_y - top);
}

static void set_pointer_focus(struct ui *ui, struct ui_surface *surface)
{
    struct wl_resource *pointer;
    if (surface == ui->pointer_focus)
        return;
    wl_resource_for_each(pointer, &ui->pointers) {
        if (ui->pointer_focus) {
            wl_pointer_send_leave(pointer, next_serial(ui), ui->pointer_focus->resource);
            pointer_frame(pointer);
        }
        if (surface) {
            wl_fixed_t x, y;
            local_position(ui, surface, &x, &y);
            wl_pointer_send_enter(pointer, next_serial(ui), surface->resource, x, y);
            pointer_frame(pointer);
        }
    }
    ui->pointer_focus = surface;
}

static struct ui_surface *surface_at(struct ui *ui, double x, double y)
{
    struct ui_window *window;
    for (int bar = 1; bar >= 0; bar--) {
        wl_list_for_each_reverse(window, &ui->windows, link) {
            struct ui_surface *found = NULL;
            if (ui_window_visible(window) && ui_window_root(window)->is_bar == bar)
                found = ui_surface_at(window->surface, x, y);
            if (found)
                return found;
        }
    }
    return NULL;
}

void ui_pointer_move(struct ui *ui, uint32_t time, double x, double y)
{
    struct wl_resource *pointer;
    ui->pointer_here = true;
    ui->pointer_x = x;
    ui->pointer_y = y;
    struct ui_surface *before = ui->pointer_focus;
    if (key_set_empty(&ui->buttons)) // a drag stays with the surface it began in
        set_pointer_focus(ui, surface_at(ui, x, y));
    if (!ui->pointer_focus || ui->pointer_focus != before)
        return;
    wl_resource_for_each(pointer, &ui->pointers) {
        wl_fixed_t local_x, local_y;
        local_position(ui, ui->pointer_focus, &local_x, &local_y);
        wl_pointer_send_motion(pointer, time, local_x, local_y);
        pointer_frame(pointer);
    }
}

void ui_pointer_leave(struct ui *ui)
{
    if (!ui->pointer_here)
        return;
    ui->pointer_here = false;
    ui->buttons = (struct key_set){0};
    set_pointer_focus(ui, NULL);
}

void ui_pointer_button(struct ui *ui, uint32_t time, uint32_t code, bool pressed)
{
    struct wl_resource *pointer;
    bool changed = pressed ? key_set_add(&ui->buttons, code) : key_set_remove(&ui->buttons, code);
    if (!changed)
        return;
    if (!ui->pointer_focus && pressed)
        ui_popups_dismiss(ui);
    if (ui->pointer_focus) {
        wl_resource_for_each(pointer, &ui->pointers) {
            wl_pointer_send_button(pointer, next_serial(ui), time, code, pressed);
            pointer_frame(pointer);
        }
    }
    if (!pressed && key_set_empty(&ui->buttons))
        ui_pointer_move(ui, time, ui->pointer_x, ui->pointer_y);
}

void ui_pointer_wheel(struct ui *ui, uint32_t time, bool horizontal, double pixels, int32_t v120)
{
    struct wl_resource *pointer;
    uint32_t axis = horizontal ? WL_POINTER_AXIS_HORIZONTAL_SCROLL : WL_POINTER_AXIS_VERTICAL_SCROLL;
    if (!ui->pointer_focus)
        return;
    wl_resource_for_each(pointer, &ui->pointers) {
        bool detailed = wl_resource_get_version(pointer) >= WL_POINTER_AXIS_SOURCE_SINCE_VERSION;
        if (detailed)
            wl_pointer_send_axis_source(pointer, v120 ? WL_POINTER_AXIS_SOURCE_WHEEL : WL_POINTER_AXIS_SOURCE_FINGER);
        if (detailed && v120 / 120)
            wl_pointer_send_axis_discrete(pointer, axis, v120 / 120);
        if (detailed && pixels == 0)
            wl_pointer_send_axis_stop(pointer, time, axis);
        else
            wl_pointer_send_axis(pointer, time, axis, wl_fixed_from_double(pixels));
        pointer_frame(pointer);
    }
}

void ui_seat_surface_gone(struct ui_surface *surface)
{
    struct ui *ui = surface->ui;
    if (ui->cursor == surface)
        ui->cursor = NULL;
    // No leave events: the client has forgotten the surface already.
    if (ui->pointer_focus == surface)
        ui->pointer_focus = NULL;
    if (ui->keyboard_focus == surface)
        ui->keyboard_focus = NULL;
    ui_focus_update(ui);
}

// Requests.

static void unlink_resource(struct wl_resource *resource)
{
    wl_list_remove(wl_resource_get_link(resource));
}

static void pointer_set_cursor(struct wl_client *client, struct wl_resource *resource, uint32_t serial,
                               struct wl_resource *surface_resource, int32_t hotspot_x, int32_t hotspot_y)
{
    (void)client;
    (void)serial;
    struct ui *ui = wl_resource_get_user_data(resource);
    struct ui_surface *surface = ui_surface_from(surface_resource);
    if (surface && surface->role != ROLE_NONE && surface->role != ROLE_CURSOR) {
        wl_resource_post_error(resource, WL_POINTER_ERROR_ROLE, "the surface has another role");
        return;
    }
    ui->cursor = surface;
    ui->cursor_hidden = !surface;
    if (surface) {
        surface->role = ROLE_CURSOR;
        surface->offset_x = ui_near(hotspot_x);
        surface->offset_y = ui_near(hotspot_y);
    }
    seat_cursor_update(ui->seat);
}

static const struct wl_pointer_interface pointer_implementation = {pointer_set_cursor, ui_destroy_request};
static const struct wl_keyboard_interface keyboard_implementation = {ui_destroy_request};

static void seat_get_pointer(struct wl_client *client, struct wl_resource *resource, uint32_t id)
{
    struct ui *ui = wl_resource_get_user_data(resource);
    struct wl_resource *pointer =
        wl_resource_create(client, &wl_pointer_interface, wl_resource_get_version(resource), id);
    if (!pointer) {
        wl_client_post_no_memory(client);
        return;
    }
    wl_resource_set_implementation(pointer, &pointer_implementation, ui, unlink_resource);
    wl_list_insert(&ui->pointers, wl_resource_get_link(pointer));
    if (ui->pointer_focus) {
        wl_fixed_t x, y;
        local_position(ui, ui->pointer_focus, &x, &y);
        wl_pointer_send_enter(pointer, next_serial(ui), ui->pointer_focus->resource, x, y);
        pointer_frame(pointer);
    }
}

static void seat_get_keyboard(struct wl_client *client, struct wl_resource *resource, uint32_t id)
{
    struct ui *ui = wl_resource_get_user_data(resource);
    struct wl_resource *keyboard =
        !ui_keymap_load(ui) ? NULL
                            : wl_resource_create(client, &wl_keyboard_interface, wl_resource_get_version(resource), id);
    if (!keyboard) {
        wl_client_post_no_memory(client);
        return;
    }
    wl_resource_set_implementation(keyboard, &keyboard_implementation, ui, unlink_resource);
    wl_list_insert(&ui->keyboards, wl_resource_get_link(keyboard));
    wl_keyboard_send_keymap(keyboard, WL_KEYBOARD_KEYMAP_FORMAT_XKB_V1, ui->keymap_fd, ui->keymap_size);
    if (wl_resource_get_version(keyboard) >= WL_KEYBOARD_REPEAT_INFO_SINCE_VERSION)
        wl_keyboard_send_repeat_info(keyboard, REPEAT_PER_SECOND, REPEAT_DELAY_MS);
    if (ui->keyboard_focus) {
        keyboard_send_enter(ui, keyboard);
        send_modifiers(ui);
    }
}

static void seat_get_touch(struct wl_client *client, struct wl_resource *resource, uint32_t id)
{
    (void)client;
    (void)id;
    wl_resource_post_error(resource, WL_SEAT_ERROR_MISSING_CAPABILITY, "there is no touch device");
}

static const struct wl_seat_interface seat_implementation = {seat_get_pointer, seat_get_keyboard, seat_get_touch,
                                                             ui_destroy_request};

static void bind_seat(struct wl_client *client, void *data, uint32_t version, uint32_t id)
{
    struct wl_resource *resource = wl_resource_create(client, &wl_seat_interface, (int)version, id);
    if (!resource) {
        wl_client_post_no_memory(client);
        return;
    }
    wl_resource_set_implementation(resource, &seat_implementation, data, NULL);
    wl_seat_send_capabilities(resource, WL_SEAT_CAPABILITY_POINTER | WL_SEAT_CAPABILITY_KEYBOARD);
    if (version >= WL_SEAT_NAME_SINCE_VERSION)
        wl_seat_send_name(resource, "seat0");
}

// Keymap.

bool ui_seat_start(struct ui *ui)
{
    return wl_global_create(ui->seat->display, &wl_seat_interface, SEAT_VERSION, ui, bind_seat) != NULL;
}

void ui_seat_stop(struct ui *ui)
{
    ui_keymap_drop(ui);
}
