/* The shipped pvinput.sys on the shipped pvbus.sys: what is typed, pointed at and touched, as HIDCLASS reads it. */
#include <linux/input-event-codes.h>
#include <string.h>
#include "../check.h"
#include "../test_list.h"
#include "keyboard.h"

#define PIXELS  .absolute = true, .width = 1280, .height = 801
#define FINGERS .contacts = 5, .touch_width = 1001, .touch_height = 501

/* --- what it says of itself --- */

/* The collections that the descriptor has, by their numbers of reports. */
static unsigned reports_described(void)
{
    unsigned found = 0;

    for (unsigned i = 0; i < nt_hid_items()->count; i++)
        found |= 1u << nt_hid_items()->fields[i].report;
    return found;
}

static const struct {
    struct kbdback offers;
    unsigned reports;
} described[] = {
    {{PIXELS}, 1 << KEYBOARD | 1 << MEDIA | 1 << RELATIVE | 1 << ABSOLUTE},
    {{PIXELS, FINGERS}, 1 << KEYBOARD | 1 << MEDIA | 1 << RELATIVE | 1 << ABSOLUTE | 1 << TOUCH},
    {{.no_keyboard = true, FINGERS}, 1 << RELATIVE | 1 << ABSOLUTE | 1 << TOUCH},
    {{.no_pointer = true}, 1 << KEYBOARD | 1 << MEDIA},
};

static void describes_what_the_back_end_offers(void)
{
    for (unsigned i = 0; i < sizeof(described) / sizeof(described[0]); i++) {
        struct system system;

        keyboard_boot(1);
        keyboard_run(&system, described[i].offers);
        CHECK_EQUAL(described[i].reports, reports_described(), "row %u", i);
        CHECK(nt_hid_reads_out() == 2 && !nt_hid_reads_failed(), "row %u", i);
        for (unsigned field = 0; field < nt_hid_items()->count; field++) {
            static const unsigned applications[] = {
                [KEYBOARD] = 0x10006, [MEDIA] = 0xc0001, [RELATIVE] = 0x10002, [ABSOLUTE] = 0x10002, [TOUCH] = 0xd0004};
            const struct hid_field *one = &nt_hid_items()->fields[field];

            CHECK_EQUAL(applications[one->report], one->application);
        }
        keyboard_end(&system);
    }
}

static void refuses_a_device_of_nothing(void)
{
    struct system system;

    keyboard_boot(1);
    kbdback_add((struct kbdback){.no_keyboard = true, .no_pointer = true});
    system_load(&system, pvinput_file, "pvinput");
    system_start(&system);
    CHECK_EQUAL(STATUS_DEVICE_CONFIGURATION_ERROR, system.started_as);
    CHECK(nt_said("has neither keyboard nor pointer"));
    keyboard_end(&system);
}

static void answers_requests(void)
{
    struct system system;
    HID_XFER_PACKET *packet;
    unsigned char *data;
    ULONG_PTR size = 0;

    keyboard_boot(1);
    keyboard_run(&system, (struct kbdback){FINGERS});
    data = nt_allocate(64, 0);
    packet = nt_allocate(sizeof(*packet), 0);
    CHECK_EQUAL(STATUS_SUCCESS, nt_hid_request(IOCTL_HID_GET_STRING, (void *)0x0409000eull, data, 64, &size));
    CHECK(size == 22 && !memcmp(data, L"Roundhouse", 22));
    CHECK_EQUAL(STATUS_BUFFER_TOO_SMALL, nt_hid_request(IOCTL_HID_GET_STRING, (void *)0x0409000eull, data, 21, &size));
    CHECK_EQUAL(0, size);
    CHECK_EQUAL(STATUS_SUCCESS, nt_hid_request(IOCTL_HID_GET_STRING, (void *)0x0409000full, data, 64, &size));
    CHECK_EQUAL(STATUS_INVALID_PARAMETER, nt_hid_request(IOCTL_HID_GET_STRING, (void *)0x04090010ull, data, 64, NULL));
    CHECK_EQUAL(STATUS_BUFFER_TOO_SMALL, nt_hid_request(IOCTL_HID_GET_DEVICE_DESCRIPTOR, NULL, data, 8, NULL));
    CHECK_EQUAL(STATUS_BUFFER_TOO_SMALL, nt_hid_request(IOCTL_HID_READ_REPORT, NULL, data, 8, NULL));
    CHECK_EQUAL(STATUS_NOT_SUPPORTED, nt_hid_request(HID_REQUEST(3, METHOD_NEITHER), NULL, data, 64, NULL));
    *packet = (HID_XFER_PACKET){.reportBuffer = data, .reportBufferLen = 2, .reportId = TOUCH};
    CHECK_EQUAL(STATUS_SUCCESS, nt_hid_request(IOCTL_HID_GET_FEATURE, NULL, packet, sizeof(*packet), &size));
    CHECK_EQUAL(2, size);
    CHECK(data[0] == TOUCH && data[1] == 5);
    CHECK_EQUAL(2, hid_report_size(nt_hid_items(), HID_FEATURE, TOUCH));
    packet->reportBufferLen = 1;
    CHECK_EQUAL(STATUS_BUFFER_TOO_SMALL, nt_hid_request(IOCTL_HID_GET_FEATURE, NULL, packet, sizeof(*packet), NULL));
    packet->reportId = KEYBOARD;
    CHECK_EQUAL(STATUS_INVALID_PARAMETER, nt_hid_request(IOCTL_HID_GET_FEATURE, NULL, packet, sizeof(*packet), NULL));
    nt_free(packet);
    nt_free(data);
    keyboard_end(&system);
}

/* --- keys --- */

/* The usage of each key of a PC's keyboard, reckoned from where it stands; 0: this test knows of none. */
static unsigned usage_of(unsigned code)
{
    static const struct {
        unsigned first;
        const char *letters;
    } rows[] = {{KEY_Q, "qwertyuiop"}, {KEY_A, "asdfghjkl"}, {KEY_Z, "zxcvbnm"}};
    static const unsigned modifiers[8] = {KEY_LEFTCTRL,  KEY_LEFTSHIFT,  KEY_LEFTALT,  KEY_LEFTMETA,
                                          KEY_RIGHTCTRL, KEY_RIGHTSHIFT, KEY_RIGHTALT, KEY_RIGHTMETA};
    static const unsigned behind_digits[] = {KEY_ENTER, KEY_ESC,   KEY_BACKSPACE, KEY_TAB,        KEY_SPACE,
                                             KEY_MINUS, KEY_EQUAL, KEY_LEFTBRACE, KEY_RIGHTBRACE, KEY_BACKSLASH};
    static const unsigned behind_f12[] = {
        KEY_SYSRQ,    KEY_SCROLLLOCK, KEY_PAUSE,   KEY_INSERT, KEY_HOME, KEY_PAGEUP,  KEY_DELETE,  KEY_END,
        KEY_PAGEDOWN, KEY_RIGHT,      KEY_LEFT,    KEY_DOWN,   KEY_UP,   KEY_NUMLOCK, KEY_KPSLASH, KEY_KPASTERISK,
        KEY_KPMINUS,  KEY_KPPLUS,     KEY_KPENTER, KEY_KP1,    KEY_KP2,  KEY_KP3,     KEY_KP4,     KEY_KP5,
        KEY_KP6,      KEY_KP7,        KEY_KP8,     KEY_KP9,    KEY_KP0,  KEY_KPDOT,   KEY_102ND,   KEY_COMPOSE};

    for (unsigned row = 0; row < 3; row++)
        if (code >= rows[row].first && code < rows[row].first + strlen(rows[row].letters))
            return 4u + (unsigned)(rows[row].letters[code - rows[row].first] - 'a');
    for (unsigned i = 0; i < 8; i++)
        if (modifiers[i] == code)
            return 0xe0 + i;
    for (unsigned i = 0; i < sizeof(behind_digits) / sizeof(behind_digits[0]); i++)
        if (behind_digits[i] == code)
            return 0x28 + i;
    for (unsigned i = 0; i < sizeof(behind_f12) / sizeof(behind_f12[0]); i++)
        if (behind_f12[i] == code)
            return 0x46 + i;
    if (code >= KEY_1 && code <= KEY_0)
        return 0x1e + code - KEY_1;
    if (code >= KEY_F1 && code <= KEY_F10)
        return 0x3a + code - KEY_F1;
    if (code >= KEY_F13 && code <= KEY_F24)
        return 0x68 + code - KEY_F13;
    return code == KEY_F11 ? 0x44 : code == KEY_F12 ? 0x45 : 0;
}

/* Every code there is, pressed and released: a report of one key each, those of a PC's keyboard the right one, no two
 * the same, and unknown ones nothing. */
static void knows_keys(void)
{
    struct system system;
    struct kbdback *keyboard;
    bool used[0x10000] = {false};
    unsigned known = 0;

    keyboard_boot(1);
    keyboard = keyboard_run(&system, (struct kbdback){PIXELS});
    for (unsigned code = 0; code < 0x300; code++) {
        unsigned usage = 0;

        CHECK(kbdback_key(keyboard, code, true));
        if (!next_report()) {
            CHECK(!usage_of(code), "code %u", code);
            CHECK(kbdback_key(keyboard, code, false));
            CHECK(!next_report(), "code %u", code);
            continue;
        }
        if (report_id() == KEYBOARD) {
            CHECK_EQUAL(1, keys_down(), "code %u", code);
            for (usage = 4; !value_of(PAGE_KEYS, usage); usage++) {
            }
            if (usage_of(code))
                CHECK_EQUAL(usage_of(code), usage, "code %u", code);
            CHECK(!used[usage], "code %u", code);
            used[usage] = true;
        }
        known += report_id() == KEYBOARD;
        CHECK(kbdback_key(keyboard, code, true));
        CHECK(!next_report()); /* it is down already */
        CHECK(kbdback_key(keyboard, code, false));
        CHECK(next_report());
        CHECK(report_id() != KEYBOARD || !keys_down());
        CHECK(!next_report());
    }
    CHECK(known >= 115, "%u", known);
    keyboard_end(&system);
}

static void tells_of_six_keys_and_of_more(void)
{
    static const unsigned codes[] = {KEY_A, KEY_B, KEY_C, KEY_D, KEY_E, KEY_F, KEY_G, KEY_H};
    struct system system;
    struct kbdback *keyboard;

    keyboard_boot(1);
    keyboard = keyboard_run(&system, (struct kbdback){PIXELS});
    kbdback_key(keyboard, KEY_LEFTSHIFT, true);
    CHECK(next_report());
    for (unsigned i = 0; i < 8; i++) {
        CHECK(kbdback_key(keyboard, codes[i], true));
        CHECK(next_report());
        CHECK_EQUAL(i >= 6, says_rollover());
        CHECK_EQUAL(1, value_of(PAGE_KEYS, 0xe1)); /* modifiers are told of all the same */
        if (i < 6)
            CHECK_EQUAL(2 + i, keys_down());
    }
    for (unsigned i = 0; i < 8; i++) {
        CHECK(kbdback_key(keyboard, codes[i], false));
        CHECK(next_report());
        CHECK_EQUAL(i < 1, says_rollover());
        if (i >= 1)
            CHECK_EQUAL(8 - i, keys_down());
        if (i >= 1 && i < 7)
            CHECK_EQUAL(1, value_of(PAGE_KEYS, 11)); /* h */
    }
    keyboard_end(&system);
}

static void knows_media_keys(void)
{
    struct system system;
    struct kbdback *keyboard;

    keyboard_boot(1);
    keyboard = keyboard_run(&system, (struct kbdback){PIXELS});
    kbdback_key(keyboard, KEY_VOLUMEUP, true);
    kbdback_key(keyboard, KEY_MUTE, true);
    kbdback_key(keyboard, KEY_PLAYPAUSE, true); /* one too many */
    kbdback_key(keyboard, KEY_VOLUMEUP, false);
    CHECK(next_report() && report_id() == MEDIA && value_of(PAGE_MEDIA, 0xe9) && !value_of(PAGE_MEDIA, 0xe2));
    CHECK(next_report() && value_of(PAGE_MEDIA, 0xe9) && value_of(PAGE_MEDIA, 0xe2));
    CHECK(next_report() && !value_of(PAGE_MEDIA, 0xe9) && value_of(PAGE_MEDIA, 0xe2));
    CHECK(!next_report());
    kbdback_key(keyboard, KEY_PLAYPAUSE, false);
    CHECK(!next_report());
    keyboard_end(&system);
}

/* --- pointers --- */

static void moves(void)
{
    static const struct {
        int x, y, z, told_x, told_y, told_z;
    } moves[] = {
        {1, -2, 0, 1, -2, 0},
        {0, 0, 3, 0, 0, -3}, /* HID's wheel turns the other way */
        {0, 0, -1, 0, 0, 1},
        {70000, -70000, 0, 32767, -32767, 0},
        {INT32_MIN, INT32_MAX, INT32_MIN, -32767, 32767, 127},
    };
    struct system system;
    struct kbdback *keyboard;

    keyboard_boot(1);
    keyboard = keyboard_run(&system, (struct kbdback){0});
    CHECK(!keyboard->asked_absolute);
    for (unsigned i = 0; i < sizeof(moves) / sizeof(moves[0]); i++) {
        CHECK(kbdback_move(keyboard, moves[i].x, moves[i].y, moves[i].z));
        CHECK(next_report() && report_id() == RELATIVE, "row %u", i);
        CHECK_EQUAL(moves[i].told_x, value_of(PAGE_DESKTOP, USAGE_X), "row %u", i);
        CHECK_EQUAL(moves[i].told_y, value_of(PAGE_DESKTOP, USAGE_Y), "row %u", i);
        CHECK_EQUAL(moves[i].told_z, value_of(PAGE_DESKTOP, USAGE_WHEEL), "row %u", i);
    }
    kbdback_move(keyboard, 0, 0, 0);
    CHECK(!next_report());
    for (unsigned i = 0; i < 5; i++) {
        kbdback_key(keyboard, BTN_LEFT + i, true);
        CHECK(next_report() && report_id() == RELATIVE);
        for (unsigned other = 0; other < 5; other++)
            CHECK_EQUAL(other <= i, value_of(PAGE_BUTTONS, other + 1));
        CHECK(!value_of(PAGE_DESKTOP, USAGE_X) && !value_of(PAGE_DESKTOP, USAGE_WHEEL)); /* told once */
    }
    keyboard_end(&system);
}

static void places(void)
{
    static const struct {
        int x, y, told_x, told_y;
    } places[] = {
        {0, 0, 0, 0},           {1279, 800, 32767, 32767}, {640, 400, 16396, 16383},
        {-5, 100000, 0, 32767}, {INT32_MAX, -1, 32767, 0},
    };
    struct system system;
    struct kbdback *keyboard;

    keyboard_boot(1);
    keyboard = keyboard_run(&system, (struct kbdback){PIXELS});
    CHECK(keyboard->asked_absolute && !keyboard->asked_raw);
    for (unsigned i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        CHECK(kbdback_place(keyboard, places[i].x, places[i].y, 0));
        CHECK(next_report() && report_id() == ABSOLUTE, "row %u", i);
        CHECK_EQUAL(places[i].told_x, value_of(PAGE_DESKTOP, USAGE_X), "row %u", i);
        CHECK_EQUAL(places[i].told_y, value_of(PAGE_DESKTOP, USAGE_Y), "row %u", i);
    }
    kbdback_place(keyboard, 1279, 0, 2);
    CHECK(next_report() && value_of(PAGE_DESKTOP, USAGE_WHEEL) == -2);
    kbdback_key(keyboard, BTN_RIGHT, true);
    CHECK(next_report() && report_id() == ABSOLUTE && value_of(PAGE_BUTTONS, 2));
    CHECK_EQUAL(32767, value_of(PAGE_DESKTOP, USAGE_X)); /* it stays where it is */
    CHECK_EQUAL(0, value_of(PAGE_DESKTOP, USAGE_WHEEL));
    kbdback_move(keyboard, 3, 0, 0);
    CHECK(next_report() && report_id() == RELATIVE && !value_of(PAGE_BUTTONS, 2)); /* the button is the other one's */
    kbdback_set(keyboard, "width", 2559);
    nt_settle();
    kbdback_place(keyboard, 1279, 0, 0);
    CHECK(next_report());
    CHECK_EQUAL(16383, value_of(PAGE_DESKTOP, USAGE_X));
    keyboard_end(&system);
}

static void asks_for_positions_only_if_it_knows_what_of(void)
{
    static const struct {
        struct kbdback offers;
        bool absolute, raw;
    } rows[] = {
        {{.absolute = true}, false, false},
        {{.absolute = true, .width = 800}, false, false},
        {{.absolute = true, .raw = true}, true, true},
        {{.raw = true}, false, false},
        {{.width = 800, .height = 600}, false, false},
        {{PIXELS}, true, false},
    };

    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct system system;
        struct kbdback *keyboard;

        keyboard_boot(1);
        keyboard = keyboard_run(&system, rows[i].offers);
        CHECK_EQUAL(rows[i].absolute, keyboard->asked_absolute, "row %u", i);
        CHECK_EQUAL(rows[i].raw, keyboard->asked_raw, "row %u", i);
        keyboard_end(&system);
    }
}

static void takes_raw_positions_as_they_are(void)
{
    struct system system;
    struct kbdback *keyboard;

    keyboard_boot(1);
    keyboard = keyboard_run(&system, (struct kbdback){.raw = true, PIXELS});
    CHECK(keyboard->asked_raw);
    kbdback_place(keyboard, 12345, 32767, 0);
    CHECK(next_report());
    CHECK_EQUAL(12345, value_of(PAGE_DESKTOP, USAGE_X));
    CHECK_EQUAL(32767, value_of(PAGE_DESKTOP, USAGE_Y));
    keyboard_end(&system);
}

/* --- touch --- */

static void expect_finger(unsigned count, unsigned finger, bool down, int x)
{
    CHECK(next_report() && report_id() == TOUCH);
    CHECK_EQUAL(count, value_of(PAGE_DIGITS, 0x54));
    CHECK_EQUAL(finger, value_of(PAGE_DIGITS, 0x51));
    CHECK_EQUAL(down, value_of(PAGE_DIGITS, 0x42));
    CHECK_EQUAL(x, value_of(PAGE_DESKTOP, USAGE_X));
}

static void touches(void)
{
    struct system system;
    struct kbdback *keyboard;

    keyboard_boot(1);
    keyboard = keyboard_run(&system, (struct kbdback){FINGERS});
    CHECK(keyboard->asked_touch);
    kbdback_touch(keyboard, XENKBD_MT_EV_DOWN, 1, 0, 0);
    CHECK(!next_report()); /* the frame is not whole */
    kbdback_touch(keyboard, XENKBD_MT_EV_DOWN, 4, 1000, 0);
    kbdback_touch(keyboard, XENKBD_MT_EV_DOWN, 5, 1000, 0); /* the sixth finger of five */
    kbdback_touch(keyboard, XENKBD_MT_EV_SHAPE, 1, 77, 77);
    kbdback_touch(keyboard, XENKBD_MT_EV_SYN, 0, 0, 0);
    expect_finger(2, 1, true, 0);
    expect_finger(0, 4, true, 32767);
    CHECK(!next_report());
    kbdback_touch(keyboard, XENKBD_MT_EV_MOTION, 4, 500, 0);
    kbdback_touch(keyboard, XENKBD_MT_EV_UP, 1, 0, 0);
    kbdback_touch(keyboard, XENKBD_MT_EV_SYN, 0, 0, 0);
    expect_finger(2, 1, false, 0);
    expect_finger(0, 4, true, 16383);
    kbdback_touch(keyboard, XENKBD_MT_EV_SYN, 0, 0, 0);
    expect_finger(1, 4, true, 16383);
    kbdback_touch(keyboard, XENKBD_MT_EV_UP, 4, 0, 0);
    kbdback_touch(keyboard, XENKBD_MT_EV_SYN, 0, 0, 0);
    expect_finger(1, 4, false, 16383);
    kbdback_touch(keyboard, XENKBD_MT_EV_SYN, 0, 0, 0);
    CHECK(!next_report());
    keyboard_end(&system);
}

static void hears_nothing_of_what_was_not_offered(void)
{
    struct system system;
    struct kbdback *keyboard;

    keyboard_boot(1);
    keyboard = keyboard_run(&system, (struct kbdback){.no_pointer = true});
    kbdback_touch(keyboard, XENKBD_MT_EV_DOWN, 0, 5, 5);
    kbdback_touch(keyboard, XENKBD_MT_EV_SYN, 0, 0, 0);
    kbdback_place(keyboard, 5, 5, 0);
    kbdback_move(keyboard, 5, 5, 0);
    kbdback_key(keyboard, BTN_LEFT, true);
    kbdback_send(keyboard, &(union xenkbd_in_event){.type = 77});
    CHECK(!next_report());
    kbdback_key(keyboard, KEY_A, true);
    CHECK(next_report() && report_id() == KEYBOARD);
    keyboard_end(&system);
}

/* --- reads --- */

/* The ring is the queue: what is not read yet stays in it, and nothing is lost. */
static void leaves_in_the_ring_what_nobody_reads(void)
{
    struct system system;
    struct kbdback *keyboard;
    unsigned sent = 0;

    keyboard_boot(1);
    keyboard = keyboard_run(&system, (struct kbdback){PIXELS});
    nt_hid_hold(true);
    while (kbdback_place(keyboard, (int)sent, 0, 0)) {
        sent++;
        nt_settle();
    }
    CHECK_EQUAL(XENKBD_IN_RING_LEN + 2, sent); /* two reads were out */
    keyboard->kicks = 0;
    nt_hid_hold(false);
    for (unsigned i = 0; i < sent; i++) {
        CHECK(next_report());
        CHECK_EQUAL(i * 32767 / 1279, value_of(PAGE_DESKTOP, USAGE_X));
    }
    CHECK(keyboard->kicks); /* there is room again */
    CHECK(kbdback_place(keyboard, 7, 0, 0) && next_report());
    keyboard_end(&system);
}

static void lets_reads_be_cancelled(void)
{
    struct system system;
    struct kbdback *keyboard;

    keyboard_boot(1);
    keyboard = keyboard_run(&system, (struct kbdback){PIXELS});
    CHECK_EQUAL(2, nt_hid_reads_out());
    nt_hid_cancel();
    CHECK_EQUAL(2, nt_hid_reads_out());
    kbdback_key(keyboard, KEY_A, true);
    CHECK(next_report() && value_of(PAGE_KEYS, 4));
    CHECK_EQUAL(0, nt_hid_reads_failed());
    keyboard_end(&system);
}

static void fails_reads_when_it_goes(void)
{
    static const UCHAR ways[] = {IRP_MN_STOP_DEVICE, IRP_MN_SURPRISE_REMOVAL, IRP_MN_REMOVE_DEVICE};

    for (unsigned i = 0; i < sizeof(ways); i++) {
        struct system system;
        struct kbdback *keyboard;

        keyboard_boot(1);
        keyboard = keyboard_run(&system, (struct kbdback){PIXELS});
        nt_hid_cancels = false;
        CHECK_EQUAL(STATUS_SUCCESS, nt_pnp(system.device, ways[i], NULL, NULL));
        CHECK_EQUAL(0, nt_hid_reads_out());
        CHECK_EQUAL(2, nt_hid_reads_failed());
        system.added = ways[i] != IRP_MN_REMOVE_DEVICE;
        kbdback_forget(keyboard); /* of a device that was pulled out it hears nothing */
        keyboard_end(&system);
    }
}

static const struct unit_test tests[] = {
    {"describes what the back end offers", describes_what_the_back_end_offers},
    {"refuses a device of nothing", refuses_a_device_of_nothing},
    {"answers requests", answers_requests},
    {"knows keys", knows_keys},
    {"tells of six keys and of more", tells_of_six_keys_and_of_more},
    {"knows media keys", knows_media_keys},
    {"moves", moves},
    {"places", places},
    {"asks for positions only if it knows what of", asks_for_positions_only_if_it_knows_what_of},
    {"takes raw positions as they are", takes_raw_positions_as_they_are},
    {"touches", touches},
    {"hears nothing of what was not offered", hears_nothing_of_what_was_not_offered},
    {"leaves in the ring what nobody reads", leaves_in_the_ring_what_nobody_reads},
    {"lets reads be cancelled", lets_reads_be_cancelled},
    {"fails reads when it goes", fails_reads_when_it_goes},
};

int main(int count, char **arguments)
{
    if (count != 3)
        return 2;
    pvbus_file = arguments[1];
    pvinput_file = arguments[2];
    return run_tests(tests, sizeof(tests) / sizeof(tests[0]), NULL);
}
