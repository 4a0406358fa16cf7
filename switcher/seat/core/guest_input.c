// One of two devices; a guest has at most one of them.
#include "guest_input.h"

#include "backend.h"

// NULL: none.
static struct backend *input_of(const struct guest *guest)
{
    struct backend *input = guest->keyboard ? guest->keyboard : guest->display;
    return backend_takes_input(input) ? input : NULL;
}

bool guest_input_present(const struct guest *guest)
{
    return input_of(guest) != NULL;
}

bool guest_input_absolute(const struct guest *guest)
{
    const struct backend *input = input_of(guest);
    return input && input->ops->absolute(input);
}

void guest_input_key(struct guest *guest, uint32_t code, bool pressed)
{
    struct backend *input = input_of(guest);
    if (input)
        input->ops->key(input, code, pressed);
}

void guest_input_position(struct guest *guest, double x, double y)
{
    struct backend *input = input_of(guest);
    if (input)
        input->ops->position(input, x, y);
}

void guest_input_motion(struct guest *guest, int32_t dx, int32_t dy)
{
    struct backend *input = input_of(guest);
    if (input)
        input->ops->motion(input, dx, dy);
}

void guest_input_wheel(struct guest *guest, int32_t notches)
{
    struct backend *input = input_of(guest);
    if (input)
        input->ops->wheel(input, notches);
}
