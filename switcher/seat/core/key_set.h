// A set of key or button codes (linux/input-event-codes.h). Codes out of range are never members.
#pragma once

#include <linux/input-event-codes.h>
#include <stdbool.h>
#include <stdint.h>

struct key_set {
    uint64_t words[KEY_CNT / 64];
};

// Lamps of a keyboard: sets, as RFB and QEMU have them.
enum lamp { LAMP_SCROLL = 1, LAMP_NUM = 2, LAMP_CAPS = 4 };

// Of the lock key; 0: it has none.
static inline unsigned lamp_of(uint32_t code)
{
    return code == KEY_SCROLLLOCK ? LAMP_SCROLL : code == KEY_NUMLOCK ? LAMP_NUM : code == KEY_CAPSLOCK ? LAMP_CAPS : 0;
}

// Whether it is a button of a mouse or the like, and not a key.
static inline bool is_button(uint32_t code)
{
    return code >= BTN_MISC && code < KEY_OK;
}

static inline bool key_set_has(const struct key_set *set, uint32_t code)
{
    return code < KEY_CNT && (set->words[code / 64] >> (code % 64) & 1);
}

// Both say whether the set changed.
static inline bool key_set_add(struct key_set *set, uint32_t code)
{
    if (code >= KEY_CNT || key_set_has(set, code))
        return false;
    set->words[code / 64] |= UINT64_C(1) << (code % 64);
    return true;
}

static inline bool key_set_remove(struct key_set *set, uint32_t code)
{
    if (!key_set_has(set, code))
        return false;
    set->words[code / 64] &= ~(UINT64_C(1) << (code % 64));
    return true;
}

static inline bool key_set_empty(const struct key_set *set)
{
    uint64_t any = 0;
    for (unsigned i = 0; i < KEY_CNT / 64; i++)
        any |= set->words[i];
    return any == 0;
}
