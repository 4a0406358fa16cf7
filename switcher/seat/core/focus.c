// The focus state machine.
#include "focus.h"

static bool occupied(const struct focus *focus, unsigned slot)
{
    return slot >= 1 && slot < FOCUS_SLOTS && (focus->present >> slot & 1);
}

bool focus_key(struct focus *focus, uint32_t code, bool pressed)
{
    return pressed ? key_set_add(&focus->held, code) : key_set_remove(&focus->held, code);
}

void focus_release(struct focus *focus, focus_release_fn *release, void *data)
{
    for (uint32_t code = 0; code < KEY_CNT; code++)
        if (key_set_remove(&focus->held, code))
            release(data, focus->current, code);
}

bool focus_switch(struct focus *focus, unsigned slot, focus_release_fn *release, void *data)
{
    if (slot != FOCUS_SWITCHER && !occupied(focus, slot))
        return false;
    if (slot == focus->current)
        return true;
    focus_release(focus, release, data);
    focus->current = slot;
    return true;
}

unsigned focus_neighbour(const struct focus *focus, int step)
{
    unsigned slot = focus->current;
    for (unsigned tries = 0; tries < FOCUS_SLOTS; tries++) {
        slot = (slot + FOCUS_SLOTS + (step > 0 ? 1 : -1)) % FOCUS_SLOTS;
        if (occupied(focus, slot))
            return slot;
    }
    return focus->current;
}

bool focus_add(struct focus *focus, unsigned slot)
{
    if (slot < 1 || slot >= FOCUS_SLOTS || occupied(focus, slot))
        return false;
    focus->present |= (uint16_t)(1u << slot);
    return true;
}

void focus_remove(struct focus *focus, unsigned slot)
{
    if (!occupied(focus, slot))
        return;
    focus->present &= (uint16_t) ~(1u << slot);
    if (focus->current == slot) {
        focus->current = FOCUS_SWITCHER;
        focus->held = (struct key_set){0};
    }
}
