// The client's half of RFB 3.8 (RFC 6143) as QEMU's VNC server speaks it, with QEMU's extensions for keys by scan
// code and for the kind of pointer (QEMU, docs/interop/vnc-ledstate-pseudo-encoding; rfbproto, "QEMU" sections).
// Pure: no I/O. The server is not trusted: every length is checked before a byte is stored, and nothing but raw
// pixels in the one format asked for is accepted.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "damage.h"

enum {
    RFB_CURSOR_SIZE = 256, // largest width and height of a pointer's image
    RFB_TARGETS = 64,      // most pieces of memory that rfb_targets() names
    RFB_INPUT = 1024,
};

struct rfb_listener {
    void *data;
    // Bytes for the server.
    void (*send)(void *data, const void *bytes, size_t size);
    // The picture has this size from now on: returns the memory for it, XRGB8888, rows without gaps. NULL refuses.
    uint8_t *(*resize)(void *data, uint32_t width, uint32_t height);
    void (*damage)(void *data, struct rect area); // these pixels are new
    void (*update_done)(void *data);              // the answer to an update request is complete
    void (*absolute)(void *data, bool absolute);  // whether pointer events are positions or movements
    void (*lamps)(void *data, unsigned lamps);    // of its keyboard: a set of enum lamp
    // The pointer's image, premultiplied ARGB8888, rows without gaps, valid until the next call; 0 by 0: the guest
    // draws its own.
    void (*cursor)(void *data, const uint8_t *pixels, uint32_t width, uint32_t height, int32_t x, int32_t y);
};

// Where bytes go that are not looked at: rows of an area in a picture.
struct rfb_fill {
    uint8_t *start;           // of the first row
    size_t row_bytes, stride; // row_bytes <= stride
    uint32_t rows, row;       // row: the one being filled
    size_t offset;            // in it
};

struct rfb_parser {
    const struct rfb_listener *listener;
    unsigned step; // what the next `need` bytes are: index in a table in rfb_protocol.c
    size_t need;
    uint64_t skip; // bytes to be dropped before that
    uint8_t input[RFB_INPUT];
    size_t input_size;
    struct rfb_fill fill; // rows left: bytes go there first
    uint8_t *pixels;
    uint32_t width, height;
    unsigned rectangles; // left in the current update
    struct rect area;    // of the current one
    int32_t hotspot_x, hotspot_y;
    uint8_t cursor[RFB_CURSOR_SIZE * RFB_CURSOR_SIZE * 4];
};

void rfb_start(struct rfb_parser *parser, const struct rfb_listener *listener);

// Names the memory that the next received bytes belong in, in order; at most `count` pieces, at least one, and
// together at most about `bytes`. Valid until rfb_received().
unsigned rfb_targets(struct rfb_parser *parser, struct iovec *targets, unsigned count, size_t bytes);

// Says that `size` bytes were put there. False: the server broke the protocol, and the parser is of no more use.
bool rfb_received(struct rfb_parser *parser, size_t size);

// Messages to the server; each returns its size in bytes.
enum {
    RFB_MESSAGE_MAX = 12,
    RFB_KEY_SIZE = 12,
    RFB_POINTER_SIZE = 6,
    RFB_REQUEST_SIZE = 10,
    RFB_RELATIVE_ZERO = 0x7fff
};
enum { RFB_LEFT = 1, RFB_MIDDLE = 2, RFB_RIGHT = 4, RFB_WHEEL_UP = 8, RFB_WHEEL_DOWN = 16 };

// 0 when the key (linux/input-event-codes.h) has no number that QEMU knows. QEMU before 8.0 has no F13 to F24 and drops
// them; its mouse has three buttons and one wheel, whatever RFB's mask could say.
size_t rfb_key_message(uint8_t *out, uint32_t code, bool pressed);
// A position, or a movement plus RFB_RELATIVE_ZERO.
size_t rfb_pointer_message(uint8_t *out, unsigned buttons, uint32_t x, uint32_t y);
size_t rfb_request_message(uint8_t *out, bool incremental, uint32_t width, uint32_t height);

// The scan code (set 1, bit 7 for the prefix E0) of a key; 0 when it has none.
uint8_t rfb_scan_code(uint32_t code);
