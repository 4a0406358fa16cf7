// An interface that was taken over: whatever it sends, the seat lives, answers its manager and obeys the next focus.
//   hostile_ui_test PATH-OF-ROUNDHOUSE-SEAT
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <wayland-client.h>

#include "harness.h"
#include "roundhouse-seat-v1-client-protocol.h"
#include "xdg-shell-client-protocol.h"

enum { FAR = 0x7fffffff };

static struct wl_display *display;
static struct wl_compositor *compositor;
static struct wl_subcompositor *subcompositor;
static struct wl_shm *shm;
static struct xdg_wm_base *wm_base;
static struct roundhouse_seat_v1 *control;
static struct wl_seat *seat;
static unsigned thumbnails;

static void on_global(void *data, struct wl_registry *registry, uint32_t name, const char *interface, uint32_t version)
{
    (void)data;
    (void)version;
    if (strcmp(interface, "wl_compositor") == 0)
        compositor = wl_registry_bind(registry, name, &wl_compositor_interface, 4);
    if (strcmp(interface, "wl_subcompositor") == 0)
        subcompositor = wl_registry_bind(registry, name, &wl_subcompositor_interface, 1);
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

static void ignore_number(void *data, struct roundhouse_seat_v1 *object, uint32_t slot)
{
    (void)data;
    (void)object;
    (void)slot;
}

static void ignore_nothing(void *data, struct roundhouse_seat_v1 *object)
{
    (void)data;
    (void)object;
}

static void ignore_size(void *data, struct roundhouse_seat_v1 *object, uint32_t slot, uint32_t width, uint32_t height)
{
    (void)data;
    (void)object;
    (void)slot;
    (void)width;
    (void)height;
}

static void on_thumbnail(void *data, struct roundhouse_seat_v1 *object, uint32_t slot, uint32_t drawn)
{
    (void)data;
    (void)object;
    CHECK(slot == 1 && drawn == 1);
    thumbnails++;
}

static const struct roundhouse_seat_v1_listener control_listener = {ignore_number, ignore_nothing, ignore_nothing,
                                                                    ignore_size,   on_thumbnail,   ignore_nothing};

static void connect_interface(void)
{
    for (int tries = 0; tries < 100 && !display; tries++) {
        display = wl_display_connect(ui_path);
        struct wl_registry *registry = wl_display_get_registry(display);
        wl_registry_add_listener(registry, &registry_listener, NULL);
        if (wl_display_roundtrip(display) >= 0 && wl_display_roundtrip(display) >= 0)
            break;
        wl_display_disconnect(display); // the one before is not quite gone
        display = NULL;
        usleep(20000);
    }
    CHECK(display, "the seat takes no interface");
    roundhouse_seat_v1_add_listener(control, &control_listener, NULL);
}

static struct wl_buffer *buffer_of(int width, int height, int stride, int offset)
{
    int size = offset + stride * height;
    int fd = memfd_create("buffer", MFD_CLOEXEC);
    CHECK(ftruncate(fd, size) == 0);
    struct wl_shm_pool *pool = wl_shm_create_pool(shm, fd, size);
    close(fd);
    return wl_shm_pool_create_buffer(pool, offset, width, height, stride, WL_SHM_FORMAT_ARGB8888);
}

static struct wl_surface *toplevel_with(struct wl_buffer *buffer)
{
    struct wl_surface *surface = wl_compositor_create_surface(compositor);
    xdg_surface_get_toplevel(xdg_wm_base_get_xdg_surface(wm_base, surface));
    wl_surface_commit(surface);
    wl_display_roundtrip(display);
    wl_surface_attach(surface, buffer, 0, 0);
    wl_surface_damage(surface, 0, 0, FAR, FAR);
    wl_surface_commit(surface);
    return surface;
}

static struct xdg_positioner *positioner(void)
{
    struct xdg_positioner *made = xdg_wm_base_create_positioner(wm_base);
    xdg_positioner_set_size(made, 10, 10);
    return made;
}

// ---- attacks ----

static void narrow_thumbnail(void)
{
    roundhouse_seat_v1_thumbnail(control, 1, buffer_of(64, 48, 64, 0));
}

static void odd_thumbnail(void)
{
    roundhouse_seat_v1_thumbnail(control, 1, buffer_of(16, 10, 64, 2));
}

static void large_thumbnail(void)
{
    roundhouse_seat_v1_thumbnail(control, 1, buffer_of(16384, 8192, 65536, 0));
}

static void many_thumbnails(void)
{
    struct wl_buffer *buffer = buffer_of(16, 10, 64, 0);
    for (int i = 0; i < 200; i++)
        roundhouse_seat_v1_thumbnail(control, 1, buffer);
}

static void narrow_surface(void)
{
    toplevel_with(buffer_of(WIDTH, 16, WIDTH, 0));
}

static void long_surface(void)
{
    toplevel_with(buffer_of(65536, 2, 262144, 0));
}

static void own_popup(void)
{
    struct wl_surface *surface = wl_compositor_create_surface(compositor);
    struct xdg_surface *xdg_surface = xdg_wm_base_get_xdg_surface(wm_base, surface);
    xdg_surface_get_popup(xdg_surface, xdg_surface, positioner());
    wl_surface_commit(surface);
    wl_surface_attach(surface, buffer_of(10, 10, 40, 0), 0, 0);
    wl_surface_commit(surface);
}

static void popup_circle(void)
{
    struct wl_surface *surfaces[2];
    struct xdg_surface *circle[2];
    for (int i = 0; i < 2; i++) {
        surfaces[i] = wl_compositor_create_surface(compositor);
        circle[i] = xdg_wm_base_get_xdg_surface(wm_base, surfaces[i]);
    }
    xdg_surface_get_popup(circle[0], circle[1], positioner());
    xdg_surface_get_popup(circle[1], circle[0], positioner());
    wl_surface_commit(surfaces[0]);
    wl_surface_attach(surfaces[0], buffer_of(10, 10, 40, 0), 0, 0);
    wl_surface_commit(surfaces[0]);
}

static void nested_surfaces(void)
{
    struct wl_surface *top = toplevel_with(buffer_of(64, 64, 256, 0)), *up = top;
    for (int i = 0; i < 3000 && wl_display_get_error(display) == 0; i++) {
        struct wl_surface *surface = wl_compositor_create_surface(compositor);
        wl_subcompositor_get_subsurface(subcompositor, surface, up);
        up = surface;
        if (i % 100 == 0)
            wl_display_roundtrip(display);
    }
    wl_surface_commit(top);
}

// Fewer than it may have objects.
static void many_surfaces(void)
{
    for (int i = 0; i < 200; i++)
        wl_compositor_create_surface(compositor);
    wl_display_roundtrip(display);
}

static void many_objects(void)
{
    for (int i = 0; i < 100000 && wl_display_get_error(display) == 0; i++) {
        wl_compositor_create_region(compositor);
        if (i % 1000 == 0)
            wl_display_roundtrip(display);
    }
}

// Nothing here is forbidden, but every sum of it must not overflow.
static void far_away(void)
{
    struct wl_surface *parent = toplevel_with(buffer_of(64, 64, 256, 0));
    for (int i = 0; i < 4; i++) {
        struct wl_surface *surface = wl_compositor_create_surface(compositor);
        wl_subsurface_set_position(wl_subcompositor_get_subsurface(subcompositor, surface, parent), FAR, -FAR);
        wl_surface_attach(surface, buffer_of(4, 4, 16, 0), 0, 0);
        wl_surface_commit(surface);
        parent = surface;
    }
    struct wl_pointer *pointer = wl_seat_get_pointer(seat);
    struct wl_surface *cursor = wl_compositor_create_surface(compositor);
    wl_pointer_set_cursor(pointer, 0, cursor, -FAR, FAR);
    for (int i = 0; i < 3; i++) {
        wl_surface_attach(cursor, buffer_of(4, 4, 16, 0), FAR, -FAR);
        wl_surface_commit(cursor);
    }
}

static void focus_storm(void)
{
    for (int i = 0; i < 20000 && wl_display_get_error(display) == 0; i++) {
        roundhouse_seat_v1_focus(control, (unsigned)(i % 2));
        if (i % 100 == 0)
            wl_display_roundtrip(display);
    }
}

// Runs the attack and looks at the seat afterwards. `forbidden`: the interface is cut off for it.
static void attacked_by(const char *name, void (*attack)(void), bool forbidden)
{
    connect_interface();
    attack();
    bool cut = wl_display_roundtrip(display) < 0;
    usleep(50000); // a frame or two
    cut = wl_display_roundtrip(display) < 0 || cut;
    CHECK(cut == forbidden, "%s", name);
    wl_display_disconnect(display);
    display = NULL;
    CHECK(seat_lives(), "%s", name);
    focus(2);
    while (hear_type(LINK_FOCUS_CHANGED).slot != 2)
        ;
    focus(0);
    CHECK(shows(1, 1, 0x1d2128), "%s", name);
}

int main(int argc, char **argv)
{
    if (argc != 2)
        return 2;
    alarm(150);
    seat_start_process(argv[1]);
    connect_manager();
    hello(NULL);
    add_guest(1, 5, 0xcc2200);
    add_guest(2, 6, 0x0022cc);
    int model = model_connect(1);
    model_greets(model);
    model_draws(model, 0x12ab34);
    attacked_by("narrow thumbnail", narrow_thumbnail, true);
    attacked_by("odd thumbnail", odd_thumbnail, true);
    attacked_by("large thumbnail", large_thumbnail, true);
    attacked_by("many thumbnails", many_thumbnails, true);
    CHECK(thumbnails <= 2);
    attacked_by("narrow surface", narrow_surface, true);
    attacked_by("long surface", long_surface, true);
    attacked_by("own popup", own_popup, true);
    attacked_by("popup circle", popup_circle, true);
    attacked_by("nested surfaces", nested_surfaces, true);
    attacked_by("many surfaces", many_surfaces, true);
    attacked_by("many objects", many_objects, true);
    attacked_by("far away", far_away, false);
    attacked_by("focus storm", focus_storm, false);
    close(model);
    seat_end();
    return 0;
}
