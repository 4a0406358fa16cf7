// The switcher's interface: a Wayland server for exactly one client. The seat tells it what the user does and
// asks it to draw.
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "damage.h"
#include "pixels.h"

struct seat;
struct ui;

enum ui_layer {
    UI_LAYER_SWITCHER, // all windows but the bar
    UI_LAYER_BAR,
};

// Listens at the path; only processes of `uid` are let in, one at a time. NULL after a logged reason.
struct ui *ui_new(struct seat *seat, const char *socket_path, uid_t uid);
void ui_free(struct ui *ui);

// Draws what of the layer lies in the area.
void ui_paint(struct ui *ui, struct canvas *canvas, struct rect area, enum ui_layer layer);
bool ui_layer_mapped(const struct ui *ui, enum ui_layer layer);
struct rect ui_bar_area(const struct ui *ui);  // on screen, with its menus; empty when there is no bar
struct rect ui_bar_strip(const struct ui *ui); // without them
bool ui_bar_contains(const struct ui *ui, double x, double y);

// The client's cursor while the pointer is over it: false when it asked for none. Hotspot in pixels.
bool ui_cursor(const struct ui *ui, struct image *image, int32_t *hotspot_x, int32_t *hotspot_y);

// A frame is on screen: visible surfaces may draw the next one.
void ui_frame_done(struct ui *ui, uint32_t time);

// The user's doings. Keys only between ui_keyboard_enter and _leave, buttons only after a ui_pointer_move.
void ui_keyboard_enter(struct ui *ui);
void ui_keyboard_leave(struct ui *ui);
void ui_key(struct ui *ui, uint32_t time, uint32_t code, bool pressed);
void ui_pointer_move(struct ui *ui, uint32_t time, double x, double y);
void ui_pointer_leave(struct ui *ui);
void ui_pointer_button(struct ui *ui, uint32_t time, uint32_t code, bool pressed);
void ui_pointer_wheel(struct ui *ui, uint32_t time, bool horizontal, double pixels, int32_t v120);

// What is locked for the interface: a set of enum lamp.
unsigned ui_lamps(const struct ui *ui);

// News for the client.
void ui_focus_changed(struct ui *ui, unsigned slot);
void ui_bar_changed(struct ui *ui, bool shown);
void ui_power_button(struct ui *ui);
void ui_guest_size(struct ui *ui, unsigned slot, uint32_t width, uint32_t height);
void ui_resized(struct ui *ui);
