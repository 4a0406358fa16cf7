// Digits to numbers within bounds.
#include "guest_value.h"

#include <string.h>

#include "link_protocol.h"

// Decimal digits alone, nothing around them, no further than max.
static bool number(const char *bytes, size_t length, uint64_t min, uint64_t max, uint64_t *value)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < length; i++) {
        unsigned digit = (unsigned char)bytes[i] - '0';
        if (digit > 9 || sum > max / 10)
            return false;
        sum = sum * 10 + digit;
    }
    *value = sum;
    return length > 0 && sum >= min && sum <= max;
}

static bool whole_number(struct guest_text text, uint64_t min, uint64_t max, uint64_t *value)
{
    return text.bytes && number(text.bytes, text.length, min, max, value);
}

bool guest_value_port(struct guest_text text, struct event_port *port)
{
    uint64_t value;
    if (!whole_number(text, 1, EVENT_PORT_MAX, &value))
        return false;
    port->number = (uint32_t)value;
    return true;
}

bool guest_value_grant(struct guest_text text, struct grant_reference *reference)
{
    uint64_t value;
    if (!whole_number(text, 1, UINT32_MAX - 1, &value))
        return false;
    reference->number = (uint32_t)value;
    return true;
}

bool guest_value_frame(struct guest_text text, struct guest_frame *frame)
{
    return whole_number(text, 1, GUEST_FRAME_MAX, &frame->number);
}

bool guest_value_length(struct guest_text text, uint16_t *pixels)
{
    uint64_t value;
    if (!whole_number(text, 1, LINK_MAX_SIZE, &value))
        return false;
    *pixels = (uint16_t)value;
    return true;
}

bool guest_value_size(struct guest_text text, struct screen_size *size)
{
    const char *cross = text.bytes ? memchr(text.bytes, 'x', text.length) : NULL;
    if (!cross)
        return false;
    size_t before = (size_t)(cross - text.bytes);
    return guest_value_length((struct guest_text){text.bytes, before}, &size->width) &&
           guest_value_length((struct guest_text){cross + 1, text.length - before - 1}, &size->height);
}

bool guest_value_state(struct guest_text text, enum xenbus_state *state)
{
    uint64_t value = XenbusStateUnknown;
    if (text.bytes && !whole_number(text, XenbusStateUnknown, XenbusStateReconfigured, &value))
        return false;
    *state = (enum xenbus_state)value;
    return true;
}

bool guest_value_flag(struct guest_text text, bool *flag)
{
    uint64_t value = 0;
    if (text.bytes && !whole_number(text, 0, 1, &value))
        return false;
    *flag = value == 1;
    return true;
}

bool guest_value_is(struct guest_text text, const char *word)
{
    return text.bytes && text.length == strlen(word) && memcmp(text.bytes, word, text.length) == 0;
}
