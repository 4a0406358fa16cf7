// The whole seat, headless, as its two peers see it: this program is the manager on the link and the
// interface on the Wayland socket, and looks at the screen.
//   session_test PATH-OF-ROUNDHOUSE-SEAT
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#include <wayland-client.h>

#include "harness.h"
#include "roundhouse-seat-v1-client-protocol.h"
#include "roundhouse_guest.h"
#include "xdg-shell-client-protocol.h"

enum { BAR = 20 };

// Within the coloured tile of a guest without a picture, beside the cursor in the middle of the screen.
enum { INSIDE_X = 100, INSIDE_Y = 60 };

static struct wl_display *display; // NULL while there is no interface

static void look_after_interface(void)
{
    if (display)
        wl_display_roundtrip(display);
}

// ---- the manager ----

static void reconnect_with(uint32_t domain_in_slot_1)
{
    uint32_t domains[LINK_SLOTS];
    for (unsigned slot = 0; slot < LINK_SLOTS; slot++)
        domains[slot] = slot == 1 ? domain_in_slot_1 : LINK_NO_DOMAIN;
    reconnect(domains);
}

static void the_manager(void)
{
    connect_manager();
    focus(0); // before HELLO
    CHECK(hear().type == 0);
    reconnect_with(LINK_NO_DOMAIN);
    add_guest(1, 5, 0xcc2200);
    add_guest(2, 6, 0x0022cc);
    focus(1);
    CHECK(hear_type(LINK_FOCUS_CHANGED).slot == 1);
    CHECK(shows(INSIDE_X, INSIDE_Y, 0xcc2200));                                   // no picture yet: the guest's colour
    CHECK(at(WIDTH - 20, HEIGHT + 12) == 0xcc2200 && at(WIDTH - 1, HEIGHT) == 0); // the strip
    struct link_message signs = {.type = LINK_GUEST_SIGNS, .slot = 1};
    signs.guest_signs.signs = GUEST_SIGN_PAUSED;
    tell(&signs, -1);
    CHECK(shows(248, HEIGHT + 11, 0xffffff)); // one of the two bars beside "paused"
    signs.guest_signs.signs = 0;
    tell(&signs, -1);
    CHECK(shows(248, HEIGHT + 11, 0xcc2200));
    focus(2);
    CHECK(hear_type(LINK_FOCUS_CHANGED).slot == 2);
    CHECK(shows(INSIDE_X, INSIDE_Y, 0x0022cc));
    CHECK(at(WIDTH - 20, HEIGHT + 12) == 0x0022cc);
    focus(7); // nobody there: no answer, no change
}

// ---- a device model ----

// Asks for slot 2's picture, at most so large; what comes, into `pixels` (64 by 48 have room).
static struct link_picture picture_of(unsigned width, unsigned height, size_t size, unsigned seals, uint32_t *pixels)
{
    static uint32_t serial;
    int memory = memfd_create("picture", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    CHECK(memory >= 0 && ftruncate(memory, (off_t)size) == 0 && fcntl(memory, F_ADD_SEALS, seals) == 0);
    struct link_message ask = {.type = LINK_PICTURE, .slot = 2, .picture = {width, height, ++serial}};
    tell(&ask, memory);
    struct link_picture picture = hear_type(LINK_PICTURE_DONE).picture;
    CHECK(picture.serial == serial);
    memset(pixels, 0xee, 64 * 48 * 4);
    CHECK(pread(memory, pixels, 64 * 48 * 4, 0) >= 0);
    close(memory);
    return picture;
}

// Whether it is on screen or not; never larger than it is, and smaller in its own shape.
static void pictures(uint32_t rgb)
{
    static uint32_t pixels[64 * 48];
    struct link_picture whole = picture_of(640, 480, 640 * 480 * 4, F_SEAL_SHRINK, pixels);
    CHECK(whole.width == 64 && whole.height == 48);
    CHECK((pixels[0] & 0xffffff) == rgb && (pixels[64 * 48 - 1] & 0xffffff) == rgb);
    struct link_picture wide = picture_of(32, 48, 32 * 48 * 4, F_SEAL_SHRINK, pixels);
    CHECK(wide.width == 32 && wide.height == 24 && (pixels[32 * 24 - 1] & 0xffffff) == rgb && pixels[32 * 24] == 0);
    struct link_picture high = picture_of(64, 1, 64 * 4, F_SEAL_SHRINK, pixels);
    CHECK(high.width == 1 && high.height == 1);
    // The seat does not write where it could be left without memory.
    CHECK(picture_of(64, 48, 64 * 48 * 4, F_SEAL_GROW, pixels).width == 0 && pixels[0] == 0);
    CHECK(picture_of(64, 48, 64 * 48 * 4 - 1, F_SEAL_SHRINK, pixels).width == 0 && pixels[0] == 0);
}

// Slot 2, which is on screen, has emulated graphics: a picture in the middle, until the device model goes wrong.
static void emulated_screen(void)
{
    int model = model_connect(2);
    model_greets(model);
    struct link_message mode = hear_type(LINK_MODE);
    CHECK(mode.slot == 2 && mode.mode.width == 64 && mode.mode.height == 48);
    model_draws(model, 0x12ab34);
    CHECK(shows(WIDTH / 2 - 30, HEIGHT / 2 - 20, 0x12ab34) && shows(2, 2, 0));
    model_hears(model, 10); // the next request
    model_draws(model, 0x777777);
    CHECK(shows(WIDTH / 2 - 30, HEIGHT / 2 - 20, 0x777777));
    pictures(0x777777);
    focus(1);
    CHECK(shows(INSIDE_X, INSIDE_Y, 0xcc2200));
    pictures(0x777777);
    focus(2); // its last picture is there with the first frame, and nothing in between
    do
        look();
    while (at(WIDTH / 2 - 30, HEIGHT / 2 - 20) == 0xcc2200);
    CHECK(at(WIDTH / 2 - 30, HEIGHT / 2 - 20) == 0x777777);
    model_says(model, "\377", 1); // no message of ours
    CHECK(hear_type(LINK_DISPLAY_CLOSED).closed.error == EPROTO);
    CHECK(shows(INSIDE_X, INSIDE_Y, 0x0022cc)); // the placeholder again
    static uint32_t pixels[64 * 48];
    CHECK(picture_of(64, 48, 64 * 48 * 4, F_SEAL_SHRINK, pixels).width == 0);
    close(model);
    close(model_connect(2));
    CHECK(hear_type(LINK_DISPLAY_CLOSED).closed.error == EPIPE);
}

static void guests_go(void)
{
    int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
    struct link_message message = {.type = LINK_FBIF_CONNECT, .slot = 2};
    message.fbif.videoram_limit = 1 << 20;
    tell(&message, nothing);
    message = hear_type(LINK_DISPLAY_CLOSED);
    CHECK(message.slot == 2 && message.closed.error != 0);
    close(nothing);
    tell(&(struct link_message){.type = LINK_GUEST_REMOVE, .slot = 2}, -1);
    CHECK(hear_type(LINK_FOCUS_CHANGED).slot == 0);
    focus(1);
    CHECK(hear_type(LINK_FOCUS_CHANGED).slot == 1);
    reconnect_with(5); // the manager came back and knows the guest: it stays on screen
    CHECK(shows(INSIDE_X, INSIDE_Y, 0xcc2200));
    reconnect_with(77); // it knows another: ours is gone
    CHECK(shows(INSIDE_X, INSIDE_Y, 0x1d2128));
    message.type = 4711;
    tell(&message, -1);
    CHECK(hear().type == 0);
    reconnect_with(LINK_NO_DOMAIN);
    add_guest(1, 5, 0xcc2200);
}

// ---- the interface ----

static struct wl_compositor *compositor;
static struct wl_shm *shm;
static struct xdg_wm_base *wm_base;
static struct roundhouse_seat_v1 *control;
static struct wl_seat *seat;
static unsigned globals, focused_slot = 99, keyboard_entered;
static bool bar_shown, keymap_given;
static uint32_t thumbnail_result = 99;

static void on_global(void *data, struct wl_registry *registry, uint32_t name, const char *interface, uint32_t version)
{
    (void)data;
    (void)version;
    static const char *const wanted[] = {
        "wl_compositor",          "wl_subcompositor",  "wl_shm", "wl_output", "wl_seat", "xdg_wm_base",
        "wl_data_device_manager", "roundhouse_seat_v1"};
    for (unsigned i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
        if (strcmp(interface, wanted[i]) == 0)
            globals |= 1u << i;
    if (strcmp(interface, "wl_compositor") == 0)
        compositor = wl_registry_bind(registry, name, &wl_compositor_interface, 4);
    if (strcmp(interface, "wl_shm") == 0)
        shm = wl_registry_bind(registry, name, &wl_shm_interface, 1);
    if (strcmp(interface, "xdg_wm_base") == 0)
        wm_base = wl_registry_bind(registry, name, &xdg_wm_base_interface, 1);
    if (strcmp(interface, "roundhouse_seat_v1") == 0)
        control = wl_registry_bind(registry, name, &roundhouse_seat_v1_interface, 1);
    if (strcmp(interface, "wl_seat") == 0)
        seat = wl_registry_bind(registry, name, &wl_seat_interface, 5);
}

static void on_global_remove(void *data, struct wl_registry *registry, uint32_t name)
{
    (void)data;
    (void)registry;
    (void)name;
}

static const struct wl_registry_listener registry_listener = {on_global, on_global_remove};

static void on_focus(void *data, struct roundhouse_seat_v1 *object, uint32_t slot)
{
    (void)data;
    (void)object;
    focused_slot = slot;
}

static void on_bar_show(void *data, struct roundhouse_seat_v1 *object)
{
    (void)data;
    (void)object;
    bar_shown = true;
}

static void on_bar_hide(void *data, struct roundhouse_seat_v1 *object)
{
    (void)data;
    (void)object;
    bar_shown = false;
}

static void on_frame_size(void *data, struct roundhouse_seat_v1 *object, uint32_t slot, uint32_t width, uint32_t height)
{
    (void)data;
    (void)object;
    CHECK(slot >= 1 && slot <= 9 && width == 0 && height == 0);
}

static void on_thumbnail(void *data, struct roundhouse_seat_v1 *object, uint32_t slot, uint32_t drawn)
{
    (void)data;
    (void)object;
    (void)slot;
    thumbnail_result = drawn;
}

static void ignore_power_button(void *data, struct roundhouse_seat_v1 *proxy)
{
    (void)data;
    (void)proxy;
}

static const struct roundhouse_seat_v1_listener control_listener = {on_focus,      on_bar_show,  on_bar_hide,
                                                                    on_frame_size, on_thumbnail, ignore_power_button};

static void on_keymap(void *data, struct wl_keyboard *keyboard, uint32_t format, int32_t fd, uint32_t size)
{
    (void)data;
    (void)keyboard;
    char *text = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
    keymap_given = format == WL_KEYBOARD_KEYMAP_FORMAT_XKB_V1 && text != MAP_FAILED && strstr(text, "xkb_keymap");
    munmap(text, size);
    close(fd);
}

static void on_enter(void *data, struct wl_keyboard *keyboard, uint32_t serial, struct wl_surface *surface,
                     struct wl_array *keys)
{
    (void)data;
    (void)keyboard;
    (void)serial;
    CHECK(surface && keys->size == 0);
    keyboard_entered++;
}

static void on_leave(void *data, struct wl_keyboard *keyboard, uint32_t serial, struct wl_surface *surface)
{
    (void)data;
    (void)keyboard;
    (void)serial;
    (void)surface;
    keyboard_entered--;
}

static void on_key(void *data, struct wl_keyboard *keyboard, uint32_t serial, uint32_t time, uint32_t key,
                   uint32_t state)
{
    (void)data;
    (void)keyboard;
    (void)serial;
    (void)time;
    (void)key;
    (void)state;
}

static void on_modifiers(void *data, struct wl_keyboard *keyboard, uint32_t serial, uint32_t a, uint32_t b, uint32_t c,
                         uint32_t d)
{
    (void)data;
    (void)keyboard;
    (void)serial;
    CHECK(a == 0 && b == 0 && c == 0 && d == 0);
}

static void on_repeat(void *data, struct wl_keyboard *keyboard, int32_t rate, int32_t delay)
{
    (void)data;
    (void)keyboard;
    CHECK(rate > 0 && delay > 0);
}

static const struct wl_keyboard_listener keyboard_listener = {on_keymap, on_enter,     on_leave,
                                                              on_key,    on_modifiers, on_repeat};

struct window {
    struct wl_surface *surface;
    struct xdg_surface *xdg_surface;
    struct xdg_toplevel *toplevel;
    struct xdg_popup *popup;
    int32_t x, y, width, height; // as configured
    bool configured, closed;
    int fd; // of the memory
};

static void on_configure(void *data, struct xdg_surface *xdg_surface, uint32_t serial)
{
    ((struct window *)data)->configured = true;
    xdg_surface_ack_configure(xdg_surface, serial);
}

static const struct xdg_surface_listener xdg_surface_listener = {on_configure};

static void on_toplevel(void *data, struct xdg_toplevel *toplevel, int32_t width, int32_t height,
                        struct wl_array *states)
{
    (void)toplevel;
    (void)states;
    ((struct window *)data)->width = width;
    ((struct window *)data)->height = height;
}

static void on_close(void *data, struct xdg_toplevel *toplevel)
{
    (void)toplevel;
    ((struct window *)data)->closed = true;
}

static const struct xdg_toplevel_listener toplevel_listener = {.configure = on_toplevel, .close = on_close};

static void on_popup(void *data, struct xdg_popup *popup, int32_t x, int32_t y, int32_t width, int32_t height)
{
    (void)popup;
    struct window *window = data;
    window->x = x;
    window->y = y;
    window->width = width;
    window->height = height;
}

static void on_popup_done(void *data, struct xdg_popup *popup)
{
    (void)popup;
    ((struct window *)data)->closed = true;
}

static const struct xdg_popup_listener popup_listener = {.configure = on_popup, .popup_done = on_popup_done};

static struct wl_buffer *buffer(int width, int height, uint32_t argb, int *fd)
{
    size_t size = (size_t)width * (size_t)height * 4;
    *fd = memfd_create("buffer", MFD_CLOEXEC);
    CHECK(ftruncate(*fd, (off_t)size) == 0);
    uint32_t *pixels = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, *fd, 0);
    for (size_t i = 0; i < size / 4; i++)
        pixels[i] = argb;
    munmap(pixels, size);
    struct wl_shm_pool *pool = wl_shm_create_pool(shm, *fd, (int32_t)size);
    struct wl_buffer *made = wl_shm_pool_create_buffer(pool, 0, width, height, width * 4, WL_SHM_FORMAT_ARGB8888);
    wl_shm_pool_destroy(pool);
    return made;
}

static void start_window(struct window *window)
{
    window->surface = wl_compositor_create_surface(compositor);
    window->xdg_surface = xdg_wm_base_get_xdg_surface(wm_base, window->surface);
    xdg_surface_add_listener(window->xdg_surface, &xdg_surface_listener, window);
}

static void start_toplevel(struct window *window)
{
    start_window(window);
    window->toplevel = xdg_surface_get_toplevel(window->xdg_surface);
    xdg_toplevel_add_listener(window->toplevel, &toplevel_listener, window);
}

// Commits once to be told a size, then draws all of it in one colour.
static void show(struct window *window, uint32_t argb)
{
    wl_surface_commit(window->surface);
    while (!window->configured && wl_display_roundtrip(display) >= 0)
        ;
    wl_surface_attach(window->surface, buffer(window->width, window->height, argb, &window->fd), 0, 0);
    wl_surface_damage(window->surface, 0, 0, window->width, window->height);
    wl_surface_commit(window->surface);
    wl_display_roundtrip(display);
}

static void connect_interface(void)
{
    display = wl_display_connect(ui_path);
    CHECK(display, "no Wayland connection at %s", ui_path);
    struct wl_registry *registry = wl_display_get_registry(display);
    wl_registry_add_listener(registry, &registry_listener, NULL);
    wl_display_roundtrip(display);
    CHECK(globals == 0xff);
    roundhouse_seat_v1_add_listener(control, &control_listener, NULL);
    wl_keyboard_add_listener(wl_seat_get_keyboard(seat), &keyboard_listener, NULL);
    wl_display_roundtrip(display);
    CHECK(focused_slot == 0 && keymap_given);
}

static bool eventually(const bool *flag, bool value)
{
    for (int waited = 0; waited < PATIENCE_MS && *flag != value; waited += 10) {
        wl_display_roundtrip(display);
        usleep(10000);
    }
    return *flag == value;
}

static void popups(struct window *switcher)
{
    struct window popup = {0};
    struct xdg_positioner *positioner = xdg_wm_base_create_positioner(wm_base);
    xdg_positioner_set_size(positioner, 60, 40);
    xdg_positioner_set_anchor_rect(positioner, WIDTH - 10, HEIGHT - 10, 5, 5);
    xdg_positioner_set_anchor(positioner, XDG_POSITIONER_ANCHOR_BOTTOM_RIGHT);
    xdg_positioner_set_gravity(positioner, XDG_POSITIONER_GRAVITY_BOTTOM_RIGHT);
    xdg_positioner_set_constraint_adjustment(positioner, XDG_POSITIONER_CONSTRAINT_ADJUSTMENT_SLIDE_X |
                                                             XDG_POSITIONER_CONSTRAINT_ADJUSTMENT_FLIP_Y);
    start_window(&popup);
    popup.popup = xdg_surface_get_popup(popup.xdg_surface, switcher->xdg_surface, positioner);
    xdg_popup_add_listener(popup.popup, &popup_listener, &popup);
    xdg_popup_grab(popup.popup, seat, 0);
    show(&popup, 0xffdddd00);
    CHECK(popup.x == WIDTH - 60 && popup.y == HEIGHT - 10 - 40 && popup.width == 60 && popup.height == 40);
    CHECK(shows(WIDTH - 59, HEIGHT - 49, 0xdddd00) && at(WIDTH - 62, HEIGHT - 49) == 0x00aa00);
    focus(1); // whoever leaves the switcher closes its menus
    CHECK(eventually(&popup.closed, true));
    xdg_popup_destroy(popup.popup);
    xdg_surface_destroy(popup.xdg_surface);
    wl_surface_destroy(popup.surface);
    wl_display_roundtrip(display);
    focus(0);
    CHECK(shows(WIDTH - 59, HEIGHT - 49, 0x00aa00));
}

static void the_bar(void)
{
    struct window bar = {0};
    bar.surface = wl_compositor_create_surface(compositor);
    roundhouse_seat_v1_set_bar(control, bar.surface, BAR);
    bar.xdg_surface = xdg_wm_base_get_xdg_surface(wm_base, bar.surface);
    xdg_surface_add_listener(bar.xdg_surface, &xdg_surface_listener, &bar);
    bar.toplevel = xdg_surface_get_toplevel(bar.xdg_surface);
    xdg_toplevel_add_listener(bar.toplevel, &toplevel_listener, &bar);
    show(&bar, 0x80400040); // half transparent
    CHECK(bar.width == WIDTH && bar.height == BAR);
    CHECK(shows(10, 5, 0x00aa00) && !bar_shown);
    roundhouse_seat_v1_focus(control, 1);
    CHECK(shows(INSIDE_X, INSIDE_Y, 0xcc2200) && at(10, 5) == 0x1d2128);
    roundhouse_seat_v1_show_bar(control);
    CHECK(eventually(&bar_shown, true) && focused_slot == 1 && keyboard_entered == 0);
    CHECK(shows(10, 5, 0x4e1054) && at(10, BAR) == 0x1d2128 && at(INSIDE_X, INSIDE_Y) == 0xcc2200);
    roundhouse_seat_v1_focus(control, 0);
    CHECK(eventually(&bar_shown, false) && shows(10, 5, 0x00aa00));
    wl_display_roundtrip(display);
    CHECK(focused_slot == 0 && keyboard_entered == 1);
}

static void shared_memory_vanishes(struct window *switcher)
{
    CHECK(ftruncate(switcher->fd, 0) == 0);
    wl_surface_damage(switcher->surface, 0, 0, WIDTH, HEIGHT);
    wl_surface_commit(switcher->surface);
    wl_display_roundtrip(display);
    // Zeros are wholly transparent: the background shows, and the seat lives.
    CHECK(shows(INSIDE_X, INSIDE_Y, 0x1d2128));
    CHECK(seat_lives());
}

static void the_interface(void)
{
    connect_interface();
    struct wl_display *second = wl_display_connect(ui_path);
    CHECK(second && wl_display_roundtrip(second) < 0); // only one is served
    wl_display_disconnect(second);
    struct window switcher = {0};
    start_toplevel(&switcher);
    roundhouse_seat_v1_set_switcher(control, switcher.surface);
    show(&switcher, 0xff00aa00);
    CHECK(switcher.width == WIDTH && switcher.height == HEIGHT && keyboard_entered == 1);
    CHECK(shows(1, HEIGHT - 1, 0x00aa00));
    popups(&switcher);
    the_bar();
    int fd;
    roundhouse_seat_v1_thumbnail(control, 1, buffer(16, 10, 0, &fd));
    for (int waited = 0; waited < PATIENCE_MS && thumbnail_result == 99; waited += 10) {
        wl_display_roundtrip(display);
        usleep(10000);
    }
    CHECK(thumbnail_result == 0); // that guest has no picture
    shared_memory_vanishes(&switcher);
    roundhouse_seat_v1_focus(control, 10);
    CHECK(wl_display_roundtrip(display) < 0 && wl_display_get_error(display) == EPROTO);
    wl_display_disconnect(display);
    display = NULL;
    CHECK(shows(1, 1, 0x1d2128)); // a plain switcher again
}

int main(int argc, char **argv)
{
    if (argc != 2)
        return 2;
    alarm(110);
    while_waiting = look_after_interface;
    seat_start_process(argv[1]);
    the_manager();
    emulated_screen();
    guests_go();
    the_interface();
    seat_end();
    return 0;
}
