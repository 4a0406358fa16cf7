// Scan codes of keys: set 1 of the PC keyboard, with bit 7 in place of the prefix E0.
#include <linux/input-event-codes.h>

#include "rfb_protocol.h"

// Up to KEY_KPDOT Linux took its numbers from this set.
static const uint8_t codes[KEY_MAX + 1] = {
    [KEY_102ND] = 0x56,        [KEY_F11] = 0x57,       [KEY_F12] = 0x58,        [KEY_RO] = 0x73,
    [KEY_KATAKANA] = 0x78,     [KEY_HIRAGANA] = 0x77,  [KEY_HENKAN] = 0x79,     [KEY_KATAKANAHIRAGANA] = 0x70,
    [KEY_MUHENKAN] = 0x7b,     [KEY_KPJPCOMMA] = 0x5c, [KEY_KPENTER] = 0x9c,    [KEY_RIGHTCTRL] = 0x9d,
    [KEY_KPSLASH] = 0xb5,      [KEY_SYSRQ] = 0x54,     [KEY_RIGHTALT] = 0xb8,   [KEY_HOME] = 0xc7,
    [KEY_UP] = 0xc8,           [KEY_PAGEUP] = 0xc9,    [KEY_LEFT] = 0xcb,       [KEY_RIGHT] = 0xcd,
    [KEY_END] = 0xcf,          [KEY_DOWN] = 0xd0,      [KEY_PAGEDOWN] = 0xd1,   [KEY_INSERT] = 0xd2,
    [KEY_DELETE] = 0xd3,       [KEY_MUTE] = 0xa0,      [KEY_VOLUMEDOWN] = 0xae, [KEY_VOLUMEUP] = 0xb0,
    [KEY_POWER] = 0xde,        [KEY_KPEQUAL] = 0x59,   [KEY_PAUSE] = 0xc6,      [KEY_KPCOMMA] = 0x7e,
    [KEY_HANGEUL] = 0x72,      [KEY_HANJA] = 0x71,     [KEY_YEN] = 0x7d,        [KEY_LEFTMETA] = 0xdb,
    [KEY_RIGHTMETA] = 0xdc,    [KEY_COMPOSE] = 0xdd,   [KEY_CALC] = 0xa1,       [KEY_SLEEP] = 0xdf,
    [KEY_WAKEUP] = 0xe3,       [KEY_MAIL] = 0xec,      [KEY_BOOKMARKS] = 0xe6,  [KEY_COMPUTER] = 0xeb,
    [KEY_BACK] = 0xea,         [KEY_FORWARD] = 0xe9,   [KEY_NEXTSONG] = 0x99,   [KEY_PLAYPAUSE] = 0xa2,
    [KEY_PREVIOUSSONG] = 0x90, [KEY_STOPCD] = 0xa4,    [KEY_HOMEPAGE] = 0xb2,   [KEY_REFRESH] = 0xe7,
    [KEY_SEARCH] = 0xe5,       [KEY_MEDIA] = 0xed,     [KEY_F13] = 0x5d,        [KEY_F14] = 0x5e,
    [KEY_F15] = 0x5f,          [KEY_F16] = 0x55,       [KEY_F17] = 0x83,        [KEY_F18] = 0xf7,
    [KEY_F19] = 0x84,          [KEY_F20] = 0x5a,       [KEY_F21] = 0x74,        [KEY_F22] = 0xf9,
    [KEY_F23] = 0x6d,          [KEY_F24] = 0x6f,       [KEY_STOP] = 0xe8,       [KEY_AGAIN] = 0x85,
    [KEY_PROPS] = 0x86,        [KEY_UNDO] = 0x87,      [KEY_FRONT] = 0x8c,      [KEY_COPY] = 0xf8,
    [KEY_OPEN] = 0x64,         [KEY_PASTE] = 0x65,     [KEY_FIND] = 0xc1,       [KEY_CUT] = 0xbc,
    [KEY_HELP] = 0xf5,         [KEY_MENU] = 0x9e,
};

uint8_t rfb_scan_code(uint32_t code)
{
    if (code <= KEY_KPDOT)
        return (uint8_t)code;
    return code <= KEY_MAX ? codes[code] : 0;
}
