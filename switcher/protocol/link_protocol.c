// Validation of link messages: one table row per type.
#include "link_protocol.h"

#include <string.h>

#include "roundhouse_guest.h"

typedef bool check_fn(const struct link_message *m);

static bool check_hello(const struct link_message *m)
{
    return m->slot == 0 && m->hello.width <= LINK_MAX_SIZE && m->hello.height <= LINK_MAX_SIZE;
}

static bool check_guest_add(const struct link_message *m)
{
    const struct link_guest_add *add = &m->guest_add;
    return add->domid != LINK_NO_DOMAIN && add->rgb <= 0xffffff && memchr(add->name, '\0', sizeof(add->name)) != NULL;
}

static bool check_guest_signs(const struct link_message *m)
{
    return (m->guest_signs.signs & ~(uint32_t)GUEST_SIGNS) == 0;
}

static bool check_fbif(const struct link_message *m)
{
    return m->fbif.videoram_limit > 0;
}

static bool check_rfb(const struct link_message *m)
{
    return m->rfb.videoram_limit > 0;
}

static bool size_in_range(uint32_t width, uint32_t height)
{
    return width >= 1 && width <= LINK_MAX_SIZE && height >= 1 && height <= LINK_MAX_SIZE;
}

static bool check_displif(const struct link_message *m)
{
    return size_in_range(m->displif.width, m->displif.height);
}

static bool check_keyboard(const struct link_message *m)
{
    const struct link_keyboard_connect *k = &m->keyboard;
    if (k->by_grant > 1 || k->absolute > 1 || (k->by_grant && k->page > UINT32_MAX))
        return false;
    return !k->absolute || size_in_range(k->width, k->height);
}

static bool check_mode(const struct link_message *m)
{
    return m->mode.width <= LINK_MAX_SIZE && m->mode.height <= LINK_MAX_SIZE;
}

static bool check_picture(const struct link_message *m)
{
    return m->picture.width <= LINK_PICTURE_MAX && m->picture.height <= LINK_PICTURE_MAX &&
           (m->picture.width > 0) == (m->picture.height > 0);
}

static bool check_picture_ask(const struct link_message *m)
{
    return m->picture.width > 0 && check_picture(m);
}

static bool check_sound_rule(const struct link_message *m)
{
    return m->sound_rule.rule <= GUEST_SOUND_NONE && m->sound_rule.volume <= LINK_VOLUME_MAX;
}

static bool check_sound_machine(const struct link_message *m)
{
    return m->slot == 0 && m->sound_machine.volume <= LINK_VOLUME_MAX && m->sound_machine.microphone < LINK_SLOTS;
}

static bool check_any(const struct link_message *m)
{
    (void)m;
    return true;
}

enum { NO_FD = 0, ONE_FD = 1, FD_UNLESS_GRANT = 2 };

struct rule {
    uint32_t type;
    unsigned directions; // of enum link_direction
    bool slot_zero_allowed;
    unsigned fds;
    check_fn *check;
};

static const struct rule rules[] = {
    {LINK_HELLO, LINK_TO_SEAT | LINK_TO_MANAGER | LINK_TO_SOUND | LINK_SOUND_TO_MANAGER, true, NO_FD, check_hello},
    {LINK_GUEST_ADD, LINK_TO_SEAT | LINK_TO_SOUND, false, NO_FD, check_guest_add},
    {LINK_GUEST_SIGNS, LINK_TO_SEAT, false, NO_FD, check_guest_signs},
    {LINK_PICTURE, LINK_TO_SEAT, false, ONE_FD, check_picture_ask},
    {LINK_GUEST_REMOVE, LINK_TO_SEAT | LINK_TO_SOUND, false, NO_FD, check_any},
    {LINK_FBIF_CONNECT, LINK_TO_SEAT, false, ONE_FD, check_fbif},
    {LINK_DISPLIF_CONNECT, LINK_TO_SEAT, false, NO_FD, check_displif},
    {LINK_RFB_CONNECT, LINK_TO_SEAT, false, ONE_FD, check_rfb},
    {LINK_DISPLAY_DISCONNECT, LINK_TO_SEAT, false, NO_FD, check_any},
    {LINK_KEYBOARD_CONNECT, LINK_TO_SEAT, false, FD_UNLESS_GRANT, check_keyboard},
    {LINK_KEYBOARD_DISCONNECT, LINK_TO_SEAT, false, NO_FD, check_any},
    {LINK_FOCUS, LINK_TO_SEAT | LINK_TO_SOUND, true, NO_FD, check_any},
    {LINK_SOUND_RULE, LINK_TO_SOUND, false, NO_FD, check_sound_rule},
    {LINK_SNDIF_CONNECT, LINK_TO_SOUND, false, NO_FD, check_any},
    {LINK_SOUND_DISCONNECT, LINK_TO_SOUND, false, NO_FD, check_any},
    {LINK_SOUND_MACHINE, LINK_TO_SOUND | LINK_SOUND_TO_MANAGER, true, NO_FD, check_sound_machine},
    {LINK_FOCUS_CHANGED, LINK_TO_MANAGER, true, NO_FD, check_any},
    {LINK_DISPLAY_READY, LINK_TO_MANAGER, false, NO_FD, check_any},
    {LINK_DISPLAY_CLOSED, LINK_TO_MANAGER, false, NO_FD, check_any},
    {LINK_KEYBOARD_READY, LINK_TO_MANAGER, false, NO_FD, check_any},
    {LINK_KEYBOARD_CLOSED, LINK_TO_MANAGER, false, NO_FD, check_any},
    {LINK_MODE, LINK_TO_MANAGER, false, NO_FD, check_mode},
    {LINK_CUT_CHANGED, LINK_TO_MANAGER, true, NO_FD, check_any},
    {LINK_PICTURE_DONE, LINK_TO_MANAGER, false, NO_FD, check_picture},
    {LINK_SOUND_READY, LINK_SOUND_TO_MANAGER, false, NO_FD, check_any},
    {LINK_SOUND_CLOSED, LINK_SOUND_TO_MANAGER, false, NO_FD, check_any},
};

static unsigned fds_wanted(const struct rule *rule, const struct link_message *m)
{
    if (rule->fds == FD_UNLESS_GRANT)
        return m->keyboard.by_grant ? 0 : 1;
    return rule->fds;
}

bool link_message_valid(const struct link_message *message, size_t size, unsigned fds, enum link_direction direction)
{
    if (size != sizeof(*message) || message->slot >= LINK_SLOTS)
        return false;
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        const struct rule *rule = &rules[i];
        if (rule->type != message->type)
            continue;
        if (!(rule->directions & direction))
            return false;
        if (message->slot == 0 && !rule->slot_zero_allowed)
            return false;
        return fds == fds_wanted(rule, message) && rule->check(message);
    }
    return false;
}
