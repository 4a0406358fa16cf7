// Values that a guest writes into xenstore, read with one function per kind. A value comes as xenstore gives it (NULL:
// the node is not there) and is good or it is not: what these functions put into their types is in range, and nothing
// else makes such a type from a guest's text. Formats: xen/io/xenbus.h, fbif.h, kbdif.h, displif.h: decimal digits.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <xen/io/xenbus.h>

struct event_port {
    uint32_t number; // 1..EVENT_PORT_MAX
};

struct grant_reference {
    uint32_t number; // 1..UINT32_MAX - 1
};

struct guest_frame {
    uint64_t number; // 1..GUEST_FRAME_MAX
};

struct screen_size {
    uint16_t width, height; // 1..LINK_MAX_SIZE
};

// FIFO event channels have ports of 17 bits (xen/event_channel.h); a physical address has 52 bits, 12 of them in the
// page.
#define EVENT_PORT_MAX  UINT32_C(0x1ffff)
#define GUEST_FRAME_MAX ((UINT64_C(1) << 40) - 1)

struct guest_text {
    const char *bytes; // NULL: no such node
    size_t length;
};

bool guest_value_port(struct guest_text text, struct event_port *port);
bool guest_value_grant(struct guest_text text, struct grant_reference *reference);
bool guest_value_frame(struct guest_text text, struct guest_frame *frame);
bool guest_value_size(struct guest_text text, struct screen_size *size);  // "WIDTHxHEIGHT"
bool guest_value_state(struct guest_text text, enum xenbus_state *state); // a node that is not there: Unknown
bool guest_value_flag(struct guest_text text, bool *flag);                // a node that is not there: false
bool guest_value_length(struct guest_text text, uint16_t *pixels);        // 1..LINK_MAX_SIZE
bool guest_value_is(struct guest_text text, const char *word);
