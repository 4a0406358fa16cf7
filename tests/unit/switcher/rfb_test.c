// The RFB client against servers that behave and servers that do not. The socket is real, the guest is a stub, and
// everything else is the seat's own code, under sanitizers.
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../check.h"
#include "../random.h"
#include "log.h"
#include "rfb.h"
#include "rfb_protocol.h"
#include "seat.h"

enum { LIMIT = 2 << 20, SLOT = 3 };

static struct seat seat;
static struct guest *guest;
static struct backend *rfb;
static int server; // the other end of the socket
static struct rect damage;
static unsigned damage_count, picture_count, cursor_count;
static int failure;

// ---- the guest ----

void guest_set_picture(struct guest *g, const struct image *picture)
{
    g->picture = picture ? *picture : (struct image){0};
    picture_count++;
}

void guest_set_lamps(struct guest *g, unsigned lamps)
{
    g->lamps = lamps;
}

void guest_set_cursor(struct guest *g, const struct image *cursor, int32_t x, int32_t y)
{
    g->cursor = *cursor;
    g->cursor_x = x;
    g->cursor_y = y;
    cursor_count++;
}

void guest_damage(struct guest *g, struct rect area)
{
    CHECK(g == guest);
    damage = area;
    damage_count++;
}

void guest_display_failed(struct guest *g, int error)
{
    CHECK(g == guest && error != 0);
    failure = error;
}

void log_guest(unsigned slot, const char *format, ...)
{
    (void)slot;
    (void)format;
}

// ---- the server ----

static void turn(void)
{
    for (int i = 0; i < 8; i++)
        wl_event_loop_dispatch(seat.loop, 0);
}

// Sends in pieces of at most `piece` bytes, with a turn of the loop after each.
static void say(const void *bytes, size_t size, size_t piece)
{
    const uint8_t *p = bytes;
    for (size_t at = 0; at < size && !failure;) {
        size_t part = size - at < piece ? size - at : piece;
        ssize_t sent = send(server, p + at, part, MSG_DONTWAIT | MSG_NOSIGNAL);
        at += sent > 0 ? (size_t)sent : 0;
        turn();
    }
}

static size_t heard(uint8_t *bytes, size_t size)
{
    turn();
    ssize_t got = recv(server, bytes, size, MSG_DONTWAIT);
    return got > 0 ? (size_t)got : 0;
}

static void forget(void)
{
    uint8_t bytes[4096];
    while (heard(bytes, sizeof(bytes)) > 0)
        ;
}

static void begin(void)
{
    int pair[2];
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
    server = pair[1];
    guest = calloc(1, sizeof(*guest));
    guest->seat = &seat;
    guest->slot = SLOT;
    seat.focus.current = SLOT;
    failure = 0;
    damage_count = picture_count = cursor_count = 0;
    struct link_rfb_connect connect = {.videoram_limit = LIMIT};
    rfb = rfb_connect(guest, &connect, pair[0]);
    CHECK(rfb != NULL);
}

static void end(void)
{
    backend_disconnect(rfb);
    close(server);
    free(guest);
}

static uint8_t *number(uint8_t *p, uint32_t value, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        p[i] = (uint8_t)(value >> 8 * (bytes - 1 - i));
    return p + bytes;
}

static size_t server_init(uint8_t *out, uint32_t width, uint32_t height)
{
    uint8_t *p = number(number(out, width, 2), height, 2);
    memset(p, 0, 16);
    p = number(p + 16, 4, 4);
    memcpy(p, "QEMU", 4);
    return 28;
}

static void handshake(uint32_t width, uint32_t height, size_t piece)
{
    uint8_t bytes[28];
    say("RFB 003.008\n", 12, piece);
    say("\1\1", 2, piece);
    say("\0\0\0\0", 4, piece);
    say(bytes, server_init(bytes, width, height), piece);
}

static size_t rectangle(uint8_t *out, struct rect r, int32_t encoding)
{
    uint8_t *p = number(number(out, (uint32_t)r.x, 2), (uint32_t)r.y, 2);
    number(number(number(p, (uint32_t)r.width, 2), (uint32_t)r.height, 2), (uint32_t)encoding, 4);
    return 12;
}

static size_t update(uint8_t *out, unsigned rectangles)
{
    number(number(out, 0, 2), rectangles, 2);
    return 4;
}

static void say_rectangle(struct rect r, int32_t encoding, const void *data, size_t size, size_t piece)
{
    uint8_t head[16];
    update(head, 1);
    rectangle(head + 4, r, encoding);
    say(head, sizeof(head), piece);
    say(data, size, piece);
}

static uint32_t pixel(uint32_t x, uint32_t y)
{
    uint32_t value;
    memcpy(&value, guest->picture.pixels + (size_t)y * guest->picture.stride + (size_t)x * 4, 4);
    return value;
}

// ---- a good server ----

static void greets(void)
{
    uint8_t bytes[256];
    begin();
    say("RFB 003.008\n", 12, 99);
    CHECK(heard(bytes, sizeof(bytes)) == 12 && memcmp(bytes, "RFB 003.008\n", 12) == 0);
    say("\2\2\1", 3, 99);
    CHECK(heard(bytes, sizeof(bytes)) == 1 && bytes[0] == 1);
    say("\0\0\0\0", 4, 99);
    CHECK(heard(bytes, sizeof(bytes)) == 1 && bytes[0] == 1);
    say(bytes, server_init(bytes, 64, 48), 99);
    size_t size = heard(bytes, sizeof(bytes));
    CHECK(size == 20 + 4 + 6 * 4 + RFB_REQUEST_SIZE && bytes[0] == 0 && bytes[4] == 32 && bytes[20] == 2);
    CHECK(bytes[48] == 3 && bytes[49] == 0 && bytes[55] == 64 && bytes[57] == 48); // the whole picture
    CHECK(guest->picture.width == 64 && guest->picture.height == 48 && guest->picture.stride == 256);
    CHECK(failure == 0);
    end();
}

static void draws(size_t piece)
{
    uint32_t data[5 * 7];
    uint8_t bytes[64];
    begin();
    handshake(64, 48, piece);
    forget();
    for (unsigned i = 0; i < 35; i++)
        data[i] = 0x010203 * (i + 1);
    say_rectangle((struct rect){10, 20, 5, 7}, 0, data, sizeof(data), piece);
    CHECK(damage_count == 1 && damage.x == 10 && damage.y == 20 && damage.width == 5 && damage.height == 7);
    for (unsigned i = 0; i < 35; i++)
        CHECK(pixel(10 + i % 5, 20 + i / 5) == data[i]);
    CHECK(pixel(9, 20) == 0 && pixel(15, 20) == 0 && pixel(10, 27) == 0);
    CHECK(heard(bytes, sizeof(bytes)) == RFB_REQUEST_SIZE && bytes[1] == 1); // the next one, for what changed
    say_rectangle((struct rect){0, 0, 32, 24}, -223, NULL, 0, piece);
    CHECK(guest->picture.width == 32 && guest->picture.height == 24 && picture_count == 2);
    CHECK(heard(bytes, sizeof(bytes)) == RFB_REQUEST_SIZE && bytes[1] == 0 && bytes[7] == 32);
    say_rectangle((struct rect){31, 23, 1, 1}, 0, data, 4, piece);
    CHECK(pixel(31, 23) == data[0] && failure == 0);
    say("\2", 1, piece);                   // bell
    say("\3\0\0\0\0\0\0\3abc", 11, piece); // clipboard
    say("\1\0\0\0\0\1abcdef", 12, piece);  // colours
    say_rectangle((struct rect){0, 0, 1, 1}, 0, data + 3, 4, piece);
    CHECK(pixel(0, 0) == data[3] && failure == 0);
    end();
}

static void shows_cursor(void)
{
    static const uint32_t image[4] = {0xffffffff, 0x80ffffff, 0x00ffffff, 0xff123456};
    uint8_t data[20] = {0};
    begin();
    handshake(64, 48, 99);
    memcpy(data + 4, image, sizeof(image));
    say_rectangle((struct rect){1, 1, 2, 2}, -314, data, sizeof(data), 99);
    const uint32_t *pixels = (const uint32_t *)guest->cursor.pixels;
    CHECK(cursor_count == 1 && guest->cursor.width == 2 && guest->cursor_x == 1 && guest->cursor_y == 1);
    CHECK(pixels[0] == 0xffffffff && pixels[1] == 0x80808080 && pixels[2] == 0 && pixels[3] == 0xff123456);
    say_rectangle((struct rect){0, 0, 0, 0}, -314, data, 4, 99);
    CHECK(cursor_count == 2 && guest->cursor.width == 0 && failure == 0);
    end();
}

static void asks_rarely_when_hidden(void)
{
    uint8_t bytes[64];
    uint32_t data = 0x123456;
    begin();
    handshake(64, 48, 99);
    forget();
    seat.focus.current = 0;
    say_rectangle((struct rect){0, 0, 1, 1}, 0, &data, 4, 99);
    CHECK(pixel(0, 0) == 0x123456 && heard(bytes, sizeof(bytes)) == 0);
    seat.focus.current = SLOT;
    backend_shown(rfb);
    CHECK(heard(bytes, sizeof(bytes)) == RFB_REQUEST_SIZE && bytes[1] == 1);
    backend_shown(rfb);
    CHECK(heard(bytes, sizeof(bytes)) == 0); // one request at a time
    end();
}

static void sends_input(void)
{
    uint8_t bytes[256];
    begin();
    handshake(640, 480, 99);
    forget();
    rfb->ops->key(rfb, KEY_A, true);
    rfb->ops->key(rfb, KEY_A, false);
    CHECK(heard(bytes, sizeof(bytes)) == 24 && bytes[0] == 255 && bytes[1] == 0 && bytes[3] == 1 && bytes[11] == 0x1e);
    CHECK(bytes[15] == 0 && bytes[23] == 0x1e);
    rfb->ops->key(rfb, KEY_RIGHTCTRL, true);
    CHECK(heard(bytes, sizeof(bytes)) == 12 && bytes[11] == 0x9d);
    static const struct {
        uint32_t code;
        uint8_t number;
    } rare[] = {{KEY_F13, 0x5d}, {KEY_F18, 0xf7}, {KEY_F24, 0x6f}, {KEY_NEXTSONG, 0x99}, {KEY_UNDO, 0x87}};
    for (unsigned i = 0; i < sizeof(rare) / sizeof(rare[0]); i++) {
        rfb->ops->key(rfb, rare[i].code, true);
        CHECK(heard(bytes, sizeof(bytes)) == 12 && bytes[11] == rare[i].number && bytes[10] == 0);
    }
    rfb->ops->key(rfb, KEY_B, false);  // never pressed
    rfb->ops->key(rfb, KEY_MAX, true); // no such key on a PC
    rfb->ops->key(rfb, UINT32_MAX, true);
    CHECK(heard(bytes, sizeof(bytes)) == 0);
    rfb->ops->motion(rfb, 5, -70000);
    CHECK(heard(bytes, sizeof(bytes)) == 6 && bytes[0] == 5 && bytes[2] == 0x80 && bytes[3] == 4 && bytes[4] == 0);
    CHECK(!rfb->ops->absolute(rfb));
    say_rectangle((struct rect){1, 0, 0, 0}, -257, NULL, 0, 99);
    CHECK(rfb->ops->absolute(rfb));
    forget();
    rfb->ops->position(rfb, 0.5, 2);
    rfb->ops->key(rfb, BTN_RIGHT, true);
    CHECK(heard(bytes, sizeof(bytes)) == 12 && bytes[2] == 1 && bytes[3] == 64 && bytes[4] == 1 && bytes[5] == 0xdf);
    CHECK(bytes[7] == RFB_RIGHT && bytes[9] == 64);
    rfb->ops->wheel(rfb, -1);
    CHECK(heard(bytes, sizeof(bytes)) == 12 && bytes[1] == (RFB_RIGHT | RFB_WHEEL_UP) && bytes[7] == RFB_RIGHT);
    say_rectangle((struct rect){0}, -261, "\377", 1, 99); // lamps, and what there may be one day
    CHECK(guest->lamps == (LAMP_CAPS | LAMP_NUM | LAMP_SCROLL));
    say_rectangle((struct rect){0}, -261, "\2", 1, 99);
    CHECK(guest->lamps == LAMP_NUM);
    forget();
    rfb->ops->wheel(rfb, INT32_MAX);
    CHECK(heard(bytes, sizeof(bytes)) == 16 * 12 && failure == 0);
    end();
}

// ---- bad servers ----

// A server that takes nothing keeps a bounded queue; positions are merged, and the release of a key that it was sent
// is never lost.
static void survives_a_deaf_server(void)
{
    uint8_t bytes[65536];
    int small = 4096;
    begin();
    handshake(640, 480, 99);
    say_rectangle((struct rect){1, 0, 0, 0}, -257, NULL, 0, 99);
    setsockopt(server, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
    rfb->ops->key(rfb, KEY_Z, true);
    for (unsigned i = 0; i < 100000; i++) {
        rfb->ops->key(rfb, KEY_A, true);
        rfb->ops->position(rfb, i / 100000.0, 0);
        rfb->ops->key(rfb, KEY_A, false);
        rfb->ops->wheel(rfb, 1);
    }
    rfb->ops->key(rfb, KEY_Z, false);
    CHECK(failure == 0);
    bool z_down = false, a_down = false;
    for (size_t size, kept = 0; (size = heard(bytes + kept, sizeof(bytes) - kept)) > 0;) {
        size += kept;
        size_t at = 0;
        for (size_t step; at < size; at += step) {
            step = bytes[at] == 255 ? 12 : bytes[at] == 5 ? 6 : bytes[at] == 3 ? 10 : bytes[at] == 0 ? 20 : 28;
            if (at + step > size)
                break;
            if (bytes[at] == 255 && bytes[at + 11] == KEY_Z)
                z_down = bytes[at + 3];
            if (bytes[at] == 255 && bytes[at + 11] == KEY_A)
                a_down = bytes[at + 3];
        }
        kept = size - at;
        memmove(bytes, bytes + at, kept);
    }
    CHECK(!z_down && !a_down && failure == 0);
    end();
}

static void refuses(const void *bytes, size_t size, int error)
{
    begin();
    handshake(64, 48, 99);
    CHECK(failure == 0);
    say(bytes, size, 99);
    CHECK(failure == error);
    unsigned before = damage_count;
    send(server, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL);
    turn();
    CHECK(damage_count == before); // nothing more is read
    end();
}

static void refuses_rectangle(struct rect r, int32_t encoding)
{
    uint8_t bytes[20] = {0};
    update(bytes, 1);
    rectangle(bytes + 4, r, encoding);
    refuses(bytes, sizeof(bytes), EPROTO);
}

static void refuses_nonsense(void)
{
    refuses("\4", 1, EPROTO);                         // no such message
    refuses("\3\0\0\0\377\377\377\377", 8, EPROTO);   // clipboard of 4 GiB
    refuses_rectangle((struct rect){0, 0, 65, 1}, 0); // outside
    refuses_rectangle((struct rect){64, 0, 1, 1}, 0); //
    refuses_rectangle((struct rect){65535, 65535, 65535, 65535}, 0);
    refuses_rectangle((struct rect){0, 47, 1, 2}, 0);
    refuses_rectangle((struct rect){0, 0, 1, 1}, 1); // not asked for
    refuses_rectangle((struct rect){0, 0, 1, 1}, 16);
    refuses_rectangle((struct rect){0, 0, 0, 10}, -223);        // no size
    refuses_rectangle((struct rect){0, 0, 16384, 16384}, -223); // beyond the video memory
    refuses_rectangle((struct rect){0, 0, 16385, 1}, -223);     // more than the manager takes from us
    refuses_rectangle((struct rect){0, 0, 1, 16385}, -223);
    refuses_rectangle((struct rect){0, 0, 257, 1}, -314); // cursor too large
    begin();
    handshake(64, 48, 99);
    close(server);
    turn();
    CHECK(failure == EPIPE);
    end();
}

static void refuses_greetings(void)
{
    static const struct {
        const char *bytes;
        size_t size;
    } bad[] = {{"RFB 003.003\n", 12},
               {"HTTP/1.1 200 OK\r\n", 17},
               {"RFB 003.008\n\0", 13},
               {"RFB 003.008\n\1\2", 14},
               {"RFB 003.008\n\1\1\0\0\0\1", 18},
               {"RFB 003.008\n\1\1\0\0\0\0\0\0\0\0................\0\0\0\0", 42},
               {"RFB 003.008\n\1\1\0\0\0\0\0\1\0\1................\177\0\0\0", 42}};
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        begin();
        say(bad[i].bytes, bad[i].size, 99);
        CHECK(failure == EPROTO);
        rfb->ops->key(rfb, KEY_A, true);
        rfb->ops->position(rfb, 0.5, 0.5);
        end();
    }
}

// Sizes that never come to rest would keep manager and interface busy.
static void refuses_restless_sizes(void)
{
    begin();
    handshake(64, 48, 99);
    for (int i = 0; i < 100 && !failure; i++)
        say_rectangle((struct rect){0, 0, 10 + i, 10}, -223, NULL, 0, 99);
    CHECK(failure == EPROTO && picture_count <= 20);
    end();
}

static void survives_noise(void)
{
    for (int round = 0; round < 3000; round++) {
        uint8_t bytes[600];
        begin();
        if (round % 4)
            handshake(1 + random_below(300), 1 + random_below(300), 7 + random_below(90));
        unsigned size = 1 + random_below(sizeof(bytes));
        for (unsigned i = 0; i < size; i++)
            bytes[i] = (uint8_t)(random_below(3) ? random_below(4) : random_below(256));
        if (round % 2)
            update(bytes, random_below(20));
        say(bytes, size, 1 + random_below(200));
        end();
    }
    CHECK(true);
}

int main(void)
{
    seat.loop = wl_event_loop_create();
    greets();
    draws(1);
    draws(13);
    draws(100000);
    shows_cursor();
    asks_rarely_when_hidden();
    sends_input();
    survives_a_deaf_server();
    refuses_nonsense();
    refuses_greetings();
    refuses_restless_sizes();
    survives_noise();
    wl_event_loop_destroy(seat.loop);
    return 0;
}
