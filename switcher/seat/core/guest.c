// Connecting guests' devices, and what their pictures mean for the screen.
#include "guest.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "backend.h"
#include "displif.h"
#include "fbif.h"
#include "keyboard.h"
#include "link.h"
#include "log.h"
#include "news.h"
#include "remember.h"
#include "rfb.h"
#include "scene.h"

static bool on_screen(const struct guest *guest)
{
    return seat_shows_guest(guest->seat, guest->slot);
}

void guest_set_picture(struct guest *guest, const struct image *picture)
{
    struct image before = guest->picture;
    guest->picture = picture ? *picture : (struct image){0};
    if (before.width != guest->picture.width || before.height != guest->picture.height) {
        news_guest_size(guest->seat->news, guest->slot);
        if (on_screen(guest))
            seat_damage_all(guest->seat);
    } else if (on_screen(guest)) {
        guest_damage(guest, (struct rect){0, 0, (int32_t)guest->picture.width, (int32_t)guest->picture.height});
    }
}

void guest_damage(struct guest *guest, struct rect area)
{
    if (!on_screen(guest))
        return; // a switch draws everything anyway
    struct rect picture = {0, 0, (int32_t)guest->picture.width, (int32_t)guest->picture.height};
    seat_damage(guest->seat, scene_picture_area(guest->seat, guest, rect_intersect(area, picture)));
}

void guest_set_lamps(struct guest *guest, unsigned lamps)
{
    guest->lamps = lamps;
    seat_lamps_update(guest->seat);
}

void guest_set_cursor(struct guest *guest, const struct image *cursor, int32_t x, int32_t y)
{
    guest->cursor = *cursor;
    guest->cursor_x = x;
    guest->cursor_y = y;
    if (on_screen(guest))
        seat_cursor_update(guest->seat);
}

// What is remembered of it stays: the display that is connected next may be the one that a former seat had.
static void close_display(struct guest *guest)
{
    guest->seat->display_errors[guest->slot] = 0;
    if (guest->picture.width)
        guest_set_picture(guest, NULL);
    if (guest->cursor.width)
        guest_set_cursor(guest, &(struct image){0}, 0, 0);
    backend_disconnect(guest->display);
    guest->display = NULL;
}

static void close_failed(void *data)
{
    struct seat *seat = data;
    seat->failure_idle = NULL;
    for (unsigned slot = 1; slot < LINK_SLOTS; slot++) {
        int error = seat->display_errors[slot];
        if (!error || !seat->guests[slot].present)
            continue;
        log_guest(slot, "its screen is closed: %s", strerror(error));
        guest_disconnect_display(&seat->guests[slot]);
        link_display_closed(seat->link, slot, error);
    }
}

void guest_display_failed(struct guest *guest, int error)
{
    struct seat *seat = guest->seat;
    seat->display_errors[guest->slot] = error;
    if (!seat->failure_idle)
        seat->failure_idle = wl_event_loop_add_idle(seat->loop, close_failed, seat);
}

// Takes the descriptor.
static struct backend *connect_display(struct guest *guest, const struct link_message *connect, int fd)
{
    struct ports *ports = guest->seat->ports;
    if (connect->type == LINK_RFB_CONNECT)
        return rfb_connect(guest, &connect->rfb, fd);
    if (connect->type == LINK_DISPLIF_CONNECT)
        return displif_connect(guest, ports, &connect->displif);
    struct backend *display = fbif_connect(guest, ports, &connect->fbif, fd);
    int error = errno;
    close(fd);
    errno = error;
    return display;
}

// RFB comes with a new connection each time, so its message is never a repeated one.
static bool is_connected(const struct guest *guest, const struct link_message *connect)
{
    return guest->display && connect->type != LINK_RFB_CONNECT &&
           memcmp(connect, &guest->display_connect, sizeof(*connect)) == 0;
}

int guest_connect_display(struct guest *guest, const struct link_message *connect, int fd)
{
    if (is_connected(guest, connect)) {
        if (fd >= 0)
            close(fd);
        return 0;
    }
    close_display(guest);
    guest->display_connect = *connect;
    guest->display = connect_display(guest, connect, fd);
    return guest->display ? 0 : errno;
}

int guest_connect_keyboard(struct guest *guest, const struct link_keyboard_connect *connect, int privcmd)
{
    int error = 0;
    if (!guest->keyboard || memcmp(connect, &guest->keyboard_connect, sizeof(*connect)) != 0) {
        guest_disconnect_keyboard(guest);
        guest->keyboard_connect = *connect;
        guest->keyboard = keyboard_connect(guest, guest->seat->ports, connect, privcmd);
        error = guest->keyboard ? 0 : errno;
    }
    if (privcmd >= 0)
        close(privcmd);
    return error;
}

void guest_disconnect_display(struct guest *guest)
{
    remember_no_display(guest->seat->remembered, guest->slot);
    close_display(guest);
}

void guest_disconnect_keyboard(struct guest *guest)
{
    backend_disconnect(guest->keyboard);
    guest->keyboard = NULL;
}
