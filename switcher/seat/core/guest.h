// A guest as the seat sees it: a slot, a name, a picture, a keyboard. The display backends (fbif, displif, rfb)
// own the memory behind picture and cursor and keep it valid while it is set here.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "link_protocol.h"
#include "pixels.h"

struct seat;
struct backend;

struct guest {
    struct seat *seat;
    unsigned slot;
    bool present;
    uint32_t domid, rgb;
    uint32_t signs; // of enum guest_sign
    unsigned lamps; // of its keyboard, of enum lamp
    char name[LINK_NAME_SIZE];
    struct image picture;                // width 0: none
    struct image cursor;                 // what the guest wants drawn at the pointer; width 0: it draws that itself
    int32_t cursor_x, cursor_y;          // the cursor's hot spot
    struct backend *display, *keyboard;  // NULL: none
    struct link_message display_connect; // what is connected now, to know a repeated message
    struct link_keyboard_connect keyboard_connect;
};

// For the display backends. The whole picture is another one now, or none (NULL).
void guest_set_picture(struct guest *guest, const struct image *picture);

// Part of the picture changed; `area` is in its coordinates and may reach outside.
void guest_damage(struct guest *guest, struct rect area);

// The pointer's image: ARGB8888, 0 by 0 for none; (x, y) is the pixel that points.
void guest_set_cursor(struct guest *guest, const struct image *cursor, int32_t x, int32_t y);

// The lamps of its keyboard, a set of enum lamp: those of the machine's follow while it is on screen.
void guest_set_lamps(struct guest *guest, unsigned lamps);

// The guest broke the protocol: the display is closed at the next turn of the event loop, and the manager
// told.
void guest_display_failed(struct guest *guest, int error);

// For the owner of the guests. Connecting replaces what was connected, unless it is the same again; returns 0
// or an errno value. Takes the descriptor.
int guest_connect_display(struct guest *guest, const struct link_message *connect, int fd); // of any protocol
int guest_connect_keyboard(struct guest *guest, const struct link_keyboard_connect *connect, int privcmd);
void guest_disconnect_display(struct guest *guest);
void guest_disconnect_keyboard(struct guest *guest);
