// Link messages: the good ones pass, every kind of bad one does not, and random bytes never confuse the
// check.
#include "link_protocol.h"

#include <string.h>

#include "../check.h"
#include "../random.h"
#include "roundhouse_guest.h"

static struct link_message good(uint32_t type)
{
    struct link_message m = {.type = type, .slot = 1};
    switch (type) {
    case LINK_HELLO:
    case LINK_SOUND_MACHINE:
        m.slot = 0;
        break;
    case LINK_GUEST_ADD:
        m.guest_add.domid = 7;
        strcpy(m.guest_add.name, "work");
        break;
    case LINK_FBIF_CONNECT:
        m.fbif.videoram_limit = 1 << 20;
        break;
    case LINK_DISPLIF_CONNECT:
        m.displif.width = 1280;
        m.displif.height = 800;
        break;
    case LINK_PICTURE:
        m.picture = (struct link_picture){LINK_PICTURE_MAX, 1, 7};
        break;
    case LINK_RFB_CONNECT:
        m.rfb.videoram_limit = 1 << 20;
        break;
    case LINK_KEYBOARD_CONNECT:
        m.keyboard.by_grant = 1;
        break;
    default:
        break;
    }
    return m;
}

static bool to_seat(const struct link_message *m, unsigned fds)
{
    return link_message_valid(m, sizeof(*m), fds, LINK_TO_SEAT);
}

static const struct {
    uint32_t type;
    unsigned fds;
    bool to_seat, to_manager;
} types[] = {
    {LINK_HELLO, 0, true, true},
    {LINK_GUEST_ADD, 0, true, false},
    {LINK_GUEST_SIGNS, 0, true, false},
    {LINK_GUEST_REMOVE, 0, true, false},
    {LINK_FBIF_CONNECT, 1, true, false},
    {LINK_DISPLIF_CONNECT, 0, true, false},
    {LINK_DISPLAY_DISCONNECT, 0, true, false},
    {LINK_RFB_CONNECT, 1, true, false},
    {LINK_KEYBOARD_CONNECT, 0, true, false},
    {LINK_KEYBOARD_DISCONNECT, 0, true, false},
    {LINK_FOCUS, 0, true, false},
    {LINK_PICTURE, 1, true, false},
    {LINK_PICTURE_DONE, 0, false, true},
    {LINK_FOCUS_CHANGED, 0, false, true},
    {LINK_DISPLAY_READY, 0, false, true},
    {LINK_DISPLAY_CLOSED, 0, false, true},
    {LINK_KEYBOARD_READY, 0, false, true},
    {LINK_KEYBOARD_CLOSED, 0, false, true},
    {LINK_MODE, 0, false, true},
    {LINK_CUT_CHANGED, 0, false, true},
};

static void every_type(void)
{
    for (unsigned i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        struct link_message m = good(types[i].type);
        unsigned fds = types[i].fds;
        CHECK(link_message_valid(&m, sizeof(m), fds, LINK_TO_SEAT) == types[i].to_seat);
        CHECK(link_message_valid(&m, sizeof(m), fds, LINK_TO_MANAGER) == types[i].to_manager);
        CHECK(!link_message_valid(&m, sizeof(m), fds + 1, LINK_TO_SEAT));
        CHECK(!link_message_valid(&m, sizeof(m) - 1, fds, LINK_TO_SEAT));
        CHECK(!link_message_valid(&m, 0, fds, LINK_TO_MANAGER));
        m.slot = LINK_SLOTS;
        CHECK(!link_message_valid(&m, sizeof(m), fds, LINK_TO_SEAT));
        CHECK(!link_message_valid(&m, sizeof(m), fds, LINK_TO_MANAGER));
    }
}

// The link of the sound process has some of the seat's messages and some of its own, and neither end speaks for
// another.
static void sound_types(void)
{
    enum { TO = LINK_TO_SOUND, FROM = LINK_SOUND_TO_MANAGER };
    static const struct {
        uint32_t type;
        unsigned directions;
    } all[] = {{LINK_HELLO, LINK_TO_SEAT | LINK_TO_MANAGER | TO | FROM},
               {LINK_GUEST_ADD, LINK_TO_SEAT | TO},
               {LINK_GUEST_SIGNS, LINK_TO_SEAT},
               {LINK_GUEST_REMOVE, LINK_TO_SEAT | TO},
               {LINK_FOCUS, LINK_TO_SEAT | TO},
               {LINK_SOUND_RULE, TO},
               {LINK_SNDIF_CONNECT, TO},
               {LINK_SOUND_DISCONNECT, TO},
               {LINK_SOUND_MACHINE, TO | FROM},
               {LINK_SOUND_READY, FROM},
               {LINK_SOUND_CLOSED, FROM},
               {LINK_FOCUS_CHANGED, LINK_TO_MANAGER},
               {LINK_DISPLAY_READY, LINK_TO_MANAGER}};
    for (unsigned i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        struct link_message m = good(all[i].type);
        for (unsigned direction = LINK_TO_SEAT; direction <= LINK_SOUND_TO_MANAGER; direction *= 2)
            CHECK_EQUAL((all[i].directions & direction) != 0,
                        link_message_valid(&m, sizeof(m), 0, (enum link_direction)direction), "type %u, direction %u",
                        m.type, direction);
        CHECK(!link_message_valid(&m, sizeof(m), 1, LINK_TO_SOUND));
    }
}

static bool to_sound(const struct link_message *m)
{
    return link_message_valid(m, sizeof(*m), 0, LINK_TO_SOUND);
}

static void bad_sound_fields(void)
{
    struct link_message m = good(LINK_SOUND_RULE);
    m.sound_rule = (struct link_sound_rule){GUEST_SOUND_NONE, LINK_VOLUME_MAX};
    CHECK(to_sound(&m));
    m.sound_rule.rule = GUEST_SOUND_NONE + 1;
    CHECK(!to_sound(&m));
    m.sound_rule = (struct link_sound_rule){GUEST_SOUND_KEPT, LINK_VOLUME_MAX + 1};
    CHECK(!to_sound(&m));
    m = good(LINK_SOUND_MACHINE);
    m.sound_machine = (struct link_sound_machine){LINK_VOLUME_MAX, LINK_SLOTS - 1};
    CHECK(to_sound(&m));
    m.sound_machine.microphone = LINK_SLOTS;
    CHECK(!to_sound(&m));
    m.sound_machine = (struct link_sound_machine){LINK_VOLUME_MAX + 1, 0};
    CHECK(!to_sound(&m));
    m = good(LINK_SOUND_MACHINE);
    m.slot = 1;
    CHECK(!to_sound(&m));
}

static void bad_fields(void)
{
    struct link_message m = good(LINK_GUEST_ADD);
    m.slot = 0;
    CHECK(!to_seat(&m, 0));
    m = good(LINK_GUEST_ADD);
    memset(m.guest_add.name, 'x', LINK_NAME_SIZE);
    CHECK(!to_seat(&m, 0));
    m = good(LINK_GUEST_ADD);
    m.guest_add.rgb = 0x1000000;
    CHECK(!to_seat(&m, 0));
    m.guest_add.rgb = 0xffffff;
    CHECK(to_seat(&m, 0));
    m.guest_add.domid = LINK_NO_DOMAIN;
    CHECK(!to_seat(&m, 0));
    m = good(LINK_GUEST_SIGNS);
    m.guest_signs.signs = GUEST_SIGNS;
    CHECK(to_seat(&m, 0));
    m.guest_signs.signs = GUEST_SIGNS + 1;
    CHECK(!to_seat(&m, 0));
    m = good(LINK_FBIF_CONNECT);
    CHECK(!to_seat(&m, 0) && to_seat(&m, 1));
    m.fbif.videoram_limit = 0;
    CHECK(!to_seat(&m, 1));
    m = good(LINK_DISPLIF_CONNECT);
    m.displif.height = LINK_MAX_SIZE + 1;
    CHECK(!to_seat(&m, 0));
    m.displif.height = 0;
    CHECK(!to_seat(&m, 0));
    m = good(LINK_HELLO);
    m.slot = 1;
    CHECK(!to_seat(&m, 0));
    m = good(LINK_PICTURE);
    m.picture.height = LINK_PICTURE_MAX + 1;
    CHECK(!to_seat(&m, 1));
    m.picture.height = 0;
    CHECK(!to_seat(&m, 1));
    m.type = LINK_PICTURE_DONE;
    CHECK(!link_message_valid(&m, sizeof(m), 0, LINK_TO_MANAGER));
    m.picture.width = 0;
    CHECK(link_message_valid(&m, sizeof(m), 0, LINK_TO_MANAGER) && !to_seat(&m, 1));
}

static void keyboards(void)
{
    struct link_message m = good(LINK_KEYBOARD_CONNECT);
    CHECK(to_seat(&m, 0) && !to_seat(&m, 1));
    m.keyboard.by_grant = 0; // by frame number: needs the descriptor
    CHECK(!to_seat(&m, 0) && to_seat(&m, 1));
    m.keyboard.page = UINT64_C(1) << 33;
    CHECK(to_seat(&m, 1));
    m.keyboard.by_grant = 1;
    CHECK(!to_seat(&m, 0)); // grant references have 32 bits
    m = good(LINK_KEYBOARD_CONNECT);
    m.keyboard.absolute = 1;
    CHECK(!to_seat(&m, 0)); // without a range
    m.keyboard.width = m.keyboard.height = 800;
    CHECK(to_seat(&m, 0));
    m.keyboard.absolute = 2;
    CHECK(!to_seat(&m, 0));
}

static bool known(uint32_t type)
{
    for (unsigned i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        if (types[i].type == type)
            return true;
    return false;
}

static void random_bytes(void)
{
    for (unsigned round = 0; round < 100000; round++) {
        struct link_message m;
        for (unsigned i = 0; i < sizeof(m); i++)
            ((uint8_t *)&m)[i] = (uint8_t)random_below(256);
        m.type = random_below(64);
        m.slot = random_below(12);
        bool valid = to_seat(&m, random_below(2));
        CHECK(!valid || (known(m.type) && m.slot < LINK_SLOTS));
    }
}

int main(void)
{
    every_type();
    bad_fields();
    sound_types();
    bad_sound_fields();
    keyboards();
    random_bytes();
    return 0;
}
