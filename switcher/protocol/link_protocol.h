// The link between roundhoused (the manager) and the seat: a unix SOCK_SEQPACKET socket on which the seat
// listens and to which only root connects. One packet is one message: `struct link_message`, sent whole,
// unused bytes zero. Descriptors travel beside it as SCM_RIGHTS. The manager speaks first, with HELLO; the
// seat answers HELLO. A message that link_message_valid() rejects ends the connection. Losing the connection
// changes nothing on screen: guests stay connected, and a manager that comes back repeats what it knows.
//
// The link between roundhoused and the sound process is made in the same way of the same messages, on a socket of its
// own: HELLO, GUEST_ADD, GUEST_REMOVE and FOCUS (which tells there what is on screen), and those about sound.
#pragma once

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    LINK_VERSION = 5,
    LINK_SLOTS = 10,       // slot 0 is the switcher, 1..9 are guests
    LINK_NAME_SIZE = 64,   // with the closing NUL
    LINK_MAX_SIZE = 16384, // largest width or height of a guest's screen, in pixels
    LINK_VOLUME_MAX = 100,
    LINK_PICTURE_MAX = 4096, // largest side of a picture that is asked for
};

#define LINK_SOCKET_PATH    "/run/roundhouse/seat.sock"
#define LINK_SOUND_PATH     "/run/roundhouse-sound/link.sock"
#define LINK_UI_SOCKET_PATH "/run/roundhouse/ui/wayland-0"
#define LINK_NO_DOMAIN      UINT32_C(0xffffffff)

enum link_type {
    // manager to seat
    LINK_HELLO = 1,        // both ways; the manager's one lists the guests it knows, the seat forgets others
    LINK_GUEST_ADD = 2,    // again for the same domain: new name and colour only
    LINK_GUEST_REMOVE = 4, // everything of the guest is unmapped when the next message is answered
    LINK_FBIF_CONNECT = 5, // fd: privcmd restricted to the guest
    LINK_DISPLIF_CONNECT = 6,
    LINK_DISPLAY_DISCONNECT = 7,
    LINK_KEYBOARD_CONNECT = 8, // fd: privcmd restricted to the guest, unless by_grant
    LINK_KEYBOARD_DISCONNECT = 9,
    LINK_FOCUS = 10,       // ignored when no guest sits in the slot
    LINK_RFB_CONNECT = 12, // fd: a connected stream socket of the device model's VNC server
    LINK_GUEST_SIGNS = 13, // all of them; none after the first GUEST_ADD
    LINK_PICTURE = 14,     // of the guest, into memory; fd: a memfd that cannot shrink, of XRGB8888 pixels without gaps

    // manager to sound
    LINK_SOUND_RULE = 16, // of the guest in the slot, right after each GUEST_ADD
    LINK_SNDIF_CONNECT = 17,
    LINK_SOUND_DISCONNECT = 18,
    LINK_SOUND_MACHINE = 19, // both ways: what a person wants, and what is: after HELLO and after each change; slot 0

    // seat to manager
    LINK_FOCUS_CHANGED = 32,
    LINK_DISPLAY_READY = 33,  // rings mapped, event channels bound: the backend may go to Connected
    LINK_DISPLAY_CLOSED = 34, // connecting failed, or the guest broke the protocol: go to Closed
    LINK_KEYBOARD_READY = 35,
    LINK_KEYBOARD_CLOSED = 36,
    LINK_MODE = 37, // the guest's picture changed its size
    LINK_CUT_CHANGED = 38, // the person cut this guest off from keyboard and pointer, and sound is to follow; slot 0
                           // and each FOCUS_CHANGED: none is
    LINK_PICTURE_DONE = 39, // the answer to PICTURE: what is in the memory now; 0 by 0: it has none

    // sound to manager
    LINK_SOUND_READY = 48, // as DISPLAY_READY
    LINK_SOUND_CLOSED = 49,
};

// HELLO. From the manager: domid[slot] for slots 1..9, LINK_NO_DOMAIN when free, and 0 for width and height.
// From the seat: the size in pixels of what of the screen guests can have, and domid all LINK_NO_DOMAIN.
struct link_hello {
    uint32_t version;
    uint32_t width, height;
    uint32_t domid[LINK_SLOTS];
};

struct link_guest_add {
    uint32_t domid;
    uint32_t rgb;              // 0xRRGGBB
    char name[LINK_NAME_SIZE]; // UTF-8, NUL-terminated
};

struct link_guest_signs {
    uint32_t signs; // of enum guest_sign
};

// xenfb: the shared page and the pixel pages are frame numbers of the guest, mapped through the descriptor.
struct link_fbif_connect {
    uint64_t page_frame;
    uint32_t event_channel;  // the guest's port
    uint32_t videoram_limit; // bytes; a guest that claims a larger framebuffer is refused
};

// displif, connector 0: two rings, each a granted page and the guest's port.
struct link_displif_connect {
    uint32_t request_gref, request_channel;
    uint32_t event_gref, event_channel;
    uint32_t width, height; // the connector's resolution
};

// Emulated graphics, keyboard and pointer, by RFB.
struct link_rfb_connect {
    uint32_t videoram_limit; // bytes; a device model that claims a larger picture is refused
};

struct link_keyboard_connect {
    uint64_t page; // a grant reference when by_grant, else a frame number of the guest
    uint32_t event_channel;
    uint32_t by_grant;      // 0 or 1
    uint32_t absolute;      // 0 or 1: the guest asked for absolute pointer positions
    uint32_t width, height; // range of absolute positions as told to the guest, 0 when not absolute
};

struct link_sound_rule {
    uint32_t rule;   // enum guest_sound
    uint32_t volume; // 0..LINK_VOLUME_MAX
};

// Of the whole machine, and whose the microphone is: a slot, 0 nobody's.
struct link_sound_machine {
    uint32_t volume; // 0..LINK_VOLUME_MAX
    uint32_t microphone;
};

// sndif, one stream of playback and one of capture: two rings each, a granted page and the guest's port for both.
struct link_sndif_stream {
    uint32_t request_gref, request_channel;
    uint32_t event_gref, event_channel;
};

struct link_sndif_connect {
    struct link_sndif_stream playback, capture;
};

struct link_closed {
    uint32_t error; // errno value that says why, 0 when asked to
};

struct link_mode {
    uint32_t width, height;
};

// PICTURE: how large it may be; it is as large as the guest's unless that is larger, and then has its shape.
struct link_picture {
    uint32_t width, height; // 1..LINK_PICTURE_MAX
    uint32_t serial;        // the answer has it again: one to a guest that is gone is not the next one's
};

struct link_message {
    uint32_t type; // enum link_type
    uint32_t slot;
    union {
        struct link_hello hello;
        struct link_guest_add guest_add;
        struct link_guest_signs guest_signs;
        struct link_fbif_connect fbif;
        struct link_displif_connect displif;
        struct link_rfb_connect rfb;
        struct link_keyboard_connect keyboard;
        struct link_sound_rule sound_rule;
        struct link_sound_machine sound_machine;
        struct link_sndif_connect sndif;
        struct link_closed closed; // DISPLAY_CLOSED, KEYBOARD_CLOSED, SOUND_CLOSED
        struct link_mode mode;
        struct link_picture picture; // PICTURE, PICTURE_DONE
        uint8_t bytes[88];
    };
};

static_assert(sizeof(struct link_message) == 96, "link message size");
static_assert(offsetof(struct link_message, bytes) == 8, "link message header");
static_assert(sizeof(struct link_hello) == 52, "link hello");
static_assert(sizeof(struct link_guest_add) == 72, "link guest_add");
static_assert(sizeof(struct link_guest_signs) == 4, "link guest_signs");
static_assert(sizeof(struct link_fbif_connect) == 16, "link fbif");
static_assert(sizeof(struct link_displif_connect) == 24, "link displif");
static_assert(sizeof(struct link_rfb_connect) == 4, "link rfb");
static_assert(sizeof(struct link_keyboard_connect) == 32, "link keyboard");
static_assert(sizeof(struct link_sndif_connect) == 32, "link sndif");

enum link_direction { LINK_TO_SEAT = 1, LINK_TO_MANAGER = 2, LINK_TO_SOUND = 4, LINK_SOUND_TO_MANAGER = 8 };

// Whether a received packet of `size` bytes with `fds` descriptors is a well-formed message for that
// direction: known type, right size, slot and fields in range, name closed, exactly the descriptors it needs.
bool link_message_valid(const struct link_message *message, size_t size, unsigned fds, enum link_direction direction);
