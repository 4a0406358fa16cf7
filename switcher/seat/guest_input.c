// One of two devices; a guest has at most one of them.
#include "guest_input.h"

#include "keyboard.h"
#include "rfb.h"

bool guest_input_present(const struct guest *guest)
{
    return guest->keyboard || guest->rfb;
}

bool guest_input_absolute(const struct guest *guest)
{
    if (guest->keyboard)
        return keyboard_absolute(guest->keyboard);
    return guest->rfb && rfb_absolute(guest->rfb);
}

void guest_input_key(struct guest *guest, uint32_t code, bool pressed)
{
    if (guest->keyboard)
        keyboard_key(guest->keyboard, code, pressed);
    else if (guest->rfb)
        rfb_key(guest->rfb, code, pressed);
}

void guest_input_position(struct guest *guest, double x, double y)
{
    if (guest->keyboard)
        keyboard_position(guest->keyboard, x, y);
    else if (guest->rfb)
        rfb_position(guest->rfb, x, y);
}

void guest_input_motion(struct guest *guest, int32_t dx, int32_t dy)
{
    if (guest->keyboard)
        keyboard_motion(guest->keyboard, dx, dy);
    else if (guest->rfb)
        rfb_motion(guest->rfb, dx, dy);
}

void guest_input_wheel(struct guest *guest, int32_t notches)
{
    if (guest->keyboard)
        keyboard_wheel(guest->keyboard, notches);
    else if (guest->rfb)
        rfb_wheel(guest->rfb, notches);
}
