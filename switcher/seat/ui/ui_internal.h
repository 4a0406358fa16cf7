// The parts of the interface's Wayland server, to each other. Surfaces are the centre: a surface has at most
// one role, and roles say where it is. All positions are of the screen, in pixels; scale is always 1.
#pragma once

#include <wayland-server.h>
#include <xkbcommon/xkbcommon.h>

#include "key_set.h"
#include "link_protocol.h"
#include "pixels.h"
#include "seat.h"
#include "ui.h"

struct ui_region_step {
    struct rect rect;
    bool add; // or subtract
};

enum { REGION_STEPS = 32 };

struct ui_region {
    unsigned count;
    bool everything; // more steps than fit, or never set
    struct ui_region_step steps[REGION_STEPS];
};

// The interface is not trusted: it may have this many objects of all kinds together, and this many surfaces, each of
// which may be as large as the screen and blended. Positions it names are kept within UI_FAR, so that sums of the
// positions of all surfaces fit in an int32_t.
enum { UI_OBJECTS = 2048, UI_SURFACES = 64, UI_FAR = 1 << 20 };

static inline int32_t ui_near(int32_t position)
{
    return position < -UI_FAR ? -UI_FAR : position > UI_FAR ? UI_FAR : position;
}

// A client's shared memory, held so that it stays mapped while it is drawn from.
struct ui_buffer {
    struct image image; // width 0: none
    struct wl_shm_pool *pool;
    struct wl_resource *resource; // NULL once the client destroyed it
    struct wl_listener destroyed;
};

enum ui_role { ROLE_NONE, ROLE_TOPLEVEL, ROLE_POPUP, ROLE_SUBSURFACE, ROLE_CURSOR };

struct ui_surface {
    struct ui *ui;
    struct wl_list link; // ui->surfaces
    struct wl_resource *resource;
    enum ui_role role;
    struct ui_window *window;   // of a toplevel or popup
    struct ui_surface *parent;  // of a subsurface
    struct wl_list subsurfaces; // ui_surface.sibling, bottom to top
    struct wl_list sibling;
    struct wl_resource *subsurface;
    int32_t offset_x, offset_y; // of a subsurface in its parent; of a cursor: the hotspot

    struct wl_resource *pending_buffer; // NULL: detach
    struct wl_listener pending_destroyed;
    bool attached; // since the last commit
    struct damage pending_damage;
    struct wl_list pending_frames, frames; // callbacks
    struct ui_region pending_input, input;

    struct ui_buffer buffer;

    bool switcher;       // the client named this surface so
    uint32_t bar_height; // 0: not the bar
};

// An xdg_surface with its toplevel or popup.
struct ui_window {
    struct ui_surface *surface; // NULL once the surface is gone
    struct wl_list link;        // ui->windows, bottom to top; popups are above their parents
    struct wl_resource *xdg_surface, *toplevel, *popup;
    struct ui *ui;
    struct ui_window *parent;
    bool configured, mapped, is_switcher, is_bar, grabs;
    uint32_t bar_height;
    struct rect geometry;     // the window within its surface; empty: all of it
    int32_t x, y;             // of the geometry's corner on the screen
    int32_t popup_x, popup_y; // relative to the parent's geometry
    int32_t popup_width, popup_height;
};

struct ui {
    struct seat *seat;
    int listener;
    uid_t uid;
    struct wl_event_source *listener_source;
    struct wl_client *client;
    struct wl_listener client_destroyed, object_created;
    unsigned object_count, surface_count; // of the client
    struct wl_list surfaces, windows;
    struct wl_list outputs, pointers, keyboards, data_devices, controls; // resources

    struct xkb_context *xkb;
    struct xkb_keymap *keymap;
    struct xkb_state *xkb_state;
    int keymap_fd;
    uint32_t keymap_size;
    bool keyboard_here; // the switcher has the focus
    struct ui_surface *keyboard_focus, *pointer_focus;
    struct key_set keys, buttons; // held, as told to the client
    double pointer_x, pointer_y;
    bool pointer_here;
    struct ui_surface *cursor;
    bool cursor_hidden, cursor_set; // set: the client chose one since the pointer entered
    struct wl_resource *selection;  // wl_data_source
    struct ui_thumbnails *thumbnails;
};

// The request of most objects to go.
static inline void ui_destroy_request(struct wl_client *client, struct wl_resource *resource)
{
    (void)client;
    wl_resource_destroy(resource);
}

// ui_buffer.c
// The pixels of a wl_buffer, valid as long as it lives; false, and the client is told why it is cut off, when they are
// not 32 bits each, lie outside their rows, or are more than LINK_MAX_SIZE a side.
bool ui_buffer_pixels(struct wl_resource *buffer, struct image *image);
void ui_buffer_take(struct ui_buffer *buffer, struct wl_resource *resource); // NULL: none
void ui_buffer_drop(struct ui_buffer *buffer);

// ui_surface.c
void ui_compositor_start(struct ui *ui);
struct ui_surface *ui_surface_from(struct wl_resource *resource);
void ui_surface_damage_all(struct ui_surface *surface);
bool ui_surface_visible(const struct ui_surface *surface);
void ui_surface_position(const struct ui_surface *surface, int32_t *x, int32_t *y);
void ui_surface_paint(struct ui_surface *surface, struct canvas *canvas,
                      struct rect area);                                          // with its subsurfaces
struct ui_surface *ui_surface_at(struct ui_surface *surface, double x, double y); // it or a subsurface; NULL
void ui_surface_send_frames(struct ui_surface *surface, uint32_t time);

// ui_shell.c
void ui_shell_start(struct ui *ui);
void ui_window_committed(struct ui_surface *surface); // after the surface took its pending state
void ui_window_surface_gone(struct ui_surface *surface);
void ui_window_configure(struct ui_window *window);
void ui_popups_dismiss(struct ui *ui);
struct ui_window *ui_window_root(struct ui_window *window); // the toplevel under a popup
bool ui_window_visible(const struct ui_window *window);

// ui_positioner.c: xdg_positioner, and where it puts a popup within `bounds`, all relative to the parent's
// geometry.
void ui_positioner_create(struct wl_client *client, uint32_t version, uint32_t id);
struct rect ui_positioner_place(struct wl_resource *positioner, struct rect bounds);

// ui_seat.c
bool ui_seat_start(struct ui *ui);
void ui_seat_stop(struct ui *ui);
void ui_seat_surface_gone(struct ui_surface *surface);
void ui_focus_update(struct ui *ui); // windows came, went or moved

// ui_keymap.c
bool ui_keymap_load(struct ui *ui); // unless it is loaded; false after a logged reason
void ui_keymap_drop(struct ui *ui);
bool ui_keymap_key(struct ui *ui, uint32_t code, bool pressed); // whether it changed the modifiers

// ui_data.c
void ui_data_start(struct ui *ui);
void ui_data_offer_selection(struct ui *ui); // the keyboard has come to the client

// ui_thumbnail.c: small pictures of guests, one a frame.
bool ui_thumbnails_start(struct ui *ui);
void ui_thumbnails_stop(struct ui *ui);
void ui_thumbnail_ask(struct ui *ui, struct wl_resource *control, unsigned slot, struct wl_resource *buffer);

// ui_control.c: wl_output and roundhouse_seat_v1
void ui_control_start(struct ui *ui);
void ui_output_changed(struct ui *ui);
