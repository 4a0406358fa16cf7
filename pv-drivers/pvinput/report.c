/*
 * What is down and where the pointer is, the reports of it, and their descriptor. Sources: Device Class Definition for
 * HID 1.11, appendix B and C for rollover; Microsoft's pages on required collections for touch screens, "hybrid mode".
 */
#include "input.h"

#define ROLLOVER_KEYS  6
#define ROLLOVER_ERROR 1 /* the usage that says that too many keys are down */
#define FIRST_MODIFIER 0xe0

/* --- the descriptor, by the class definition's items --- */

/* clang-format off */
#define PAGE(number)        0x05, (number)
#define USAGE(number)       0x09, (number)
#define USAGES(first, last) 0x19, (first), 0x29, (last)
#define USAGES_TO(last)     0x19, 0, 0x2a, (last) & 0xff, (last) >> 8
#define COLLECTION(kind)    0xa1, (kind)
#define END                 0xc0
#define ID(number)          0x85, (number)
#define FROM(value)         0x15, (value) & 0xff
#define FROM_16(value)      0x16, (value) & 0xff, (value) >> 8 & 0xff
#define TO(value)           0x25, (value)
#define TO_16(value)        0x26, (value) & 0xff, (value) >> 8
#define FIELDS(count, bits) 0x95, (count), 0x75, (bits)
#define INPUT(what)         0x81, (what)
#define FEATURE             0xb1, VARIABLE
#define PADDING(bits)       FIELDS(1, bits), INPUT(CONSTANT)

enum { OF_AXES, APPLICATION, OF_A_FINGER }; /* collections */
enum { ARRAY = 0, VARIABLE = 2, CONSTANT = 3, RELATIVE = 6 }; /* inputs */
enum { DESKTOP = 0x01, KEYS = 0x07, BUTTONS = 0x09, CONSUMER = 0x0c, DIGITIZERS = 0x0d };

#define MOUSE(id)    PAGE(DESKTOP), USAGE(0x02), COLLECTION(APPLICATION), ID(id), USAGE(0x01), COLLECTION(OF_AXES)
#define FIVE_BUTTONS PAGE(BUTTONS), USAGES(1, 5), FROM(0), TO(1), FIELDS(5, 1), INPUT(VARIABLE), PADDING(3)
#define X_AND_Y      PAGE(DESKTOP), USAGE(0x30), USAGE(0x31)
#define MOVEMENT     FROM_16(-POSITION_MOST), TO_16(POSITION_MOST), FIELDS(2, 16), INPUT(RELATIVE)
#define POSITION     FROM(0), TO_16(POSITION_MOST), FIELDS(2, 16), INPUT(VARIABLE)
#define WHEEL        USAGE(0x38), FROM(-127), TO(127), FIELDS(1, 8), INPUT(RELATIVE)

static const UCHAR keyboard[] = {
    PAGE(DESKTOP), USAGE(0x06), COLLECTION(APPLICATION), ID(REPORT_KEYBOARD), PAGE(KEYS),
    USAGES(FIRST_MODIFIER, FIRST_MODIFIER + 7), FROM(0), TO(1), FIELDS(8, 1), INPUT(VARIABLE), PADDING(8),
    USAGES(0, FIRST_MODIFIER - 1), FROM(0), TO_16(FIRST_MODIFIER - 1), FIELDS(ROLLOVER_KEYS, 8), INPUT(ARRAY), END,
};

static const UCHAR media[] = {
    PAGE(CONSUMER), USAGE(0x01), COLLECTION(APPLICATION), ID(REPORT_MEDIA),
    USAGES_TO(0x3ff), FROM(0), TO_16(0x3ff), FIELDS(MEDIA_SLOTS, 16), INPUT(ARRAY), END,
};

static const UCHAR relative[] = {MOUSE(REPORT_RELATIVE), FIVE_BUTTONS, X_AND_Y, MOVEMENT, WHEEL, END, END};

static const UCHAR absolute[] = {MOUSE(REPORT_ABSOLUTE), FIVE_BUTTONS, X_AND_Y, POSITION, WHEEL, END, END};

static const UCHAR touch[] = {
    PAGE(DIGITIZERS), USAGE(0x04), COLLECTION(APPLICATION), ID(REPORT_TOUCH), USAGE(0x22), COLLECTION(OF_A_FINGER),
    USAGE(0x42), FROM(0), TO(1), FIELDS(1, 1), INPUT(VARIABLE), PADDING(7),                     /* is it down? */
    USAGE(0x51), TO(MOST_CONTACTS - 1), FIELDS(1, 8), INPUT(VARIABLE), X_AND_Y, POSITION, END, /* which one, where */
    PAGE(DIGITIZERS), USAGE(0x54), TO(MOST_CONTACTS), FIELDS(1, 8), INPUT(VARIABLE),            /* how many there are */
    USAGE(0x55), FEATURE, END,                                                                  /* and at most */
};
/* clang-format on */

/* The report has so many bytes. */
static const struct collection {
    ULONG report, bytes, size;
    const UCHAR *items;
} collections[] = {
    {REPORT_KEYBOARD, 3 + ROLLOVER_KEYS, sizeof(keyboard), keyboard},
    {REPORT_MEDIA, 1 + 2 * MEDIA_SLOTS, sizeof(media), media},
    {REPORT_RELATIVE, 7, sizeof(relative), relative},
    {REPORT_ABSOLUTE, 7, sizeof(absolute), absolute},
    {REPORT_TOUCH, 8, sizeof(touch), touch},
};
_Static_assert(sizeof(keyboard) + sizeof(media) + sizeof(relative) + sizeof(absolute) + sizeof(touch) <=
                   DESCRIPTOR_ROOM,
               "room for all");

ULONG report_descriptor(struct input *input, UCHAR *descriptor)
{
    ULONG size = 0;

    for (ULONG i = 0; i < RTL_NUMBER_OF(collections); i++)
        if (input->offers & REPORT_BIT(collections[i].report)) {
            memcpy(descriptor + size, collections[i].items, collections[i].size);
            size += collections[i].size;
        }
    return size;
}

ULONG report_longest(const struct input *input)
{
    ULONG longest = 0;

    for (ULONG i = 0; i < RTL_NUMBER_OF(collections); i++)
        if (input->offers & REPORT_BIT(collections[i].report) && collections[i].bytes > longest)
            longest = collections[i].bytes;
    return longest;
}

/* --- what events change --- */

static void make_due(struct input *input, enum report report)
{
    input->due |= input->offers & REPORT_BIT(report);
}

static enum report button_report(const struct input *input)
{
    return input->buttons_absolute ? REPORT_ABSOLUTE : REPORT_RELATIVE;
}

static void press_key(struct input *input, USHORT usage, BOOLEAN pressed)
{
    UCHAR *byte = &input->down[usage / 8], before = *byte, bit = (UCHAR)(1u << usage % 8);

    *byte = pressed ? before | bit : before & (UCHAR)~bit;
    if (*byte != before)
        make_due(input, REPORT_KEYBOARD);
}

/* One too many is not seen. */
static void press_media(struct input *input, USHORT usage, BOOLEAN pressed)
{
    USHORT *slot = NULL, *free = NULL;

    for (ULONG i = 0; i < MEDIA_SLOTS; i++)
        if (input->media[i] == usage)
            slot = &input->media[i];
        else if (!input->media[i])
            free = &input->media[i];
    if (pressed && !slot && free)
        *free = usage;
    else if (!pressed && slot)
        *slot = 0;
    else
        return;
    make_due(input, REPORT_MEDIA);
}

/* A press goes with the pointer of the connection, its release with the one that has the others. */
static void press_button(struct input *input, USHORT number, BOOLEAN pressed)
{
    UCHAR bit = (UCHAR)(1u << (number - 1)), before = input->buttons;

    if (!before)
        input->buttons_absolute = input->absolute;
    input->buttons = pressed ? before | bit : before & (UCHAR)~bit;
    if (input->buttons != before)
        make_due(input, button_report(input));
}

static void apply_key(struct input *input, const struct xenkbd_key *key)
{
    static void (*const press[])(struct input *, USHORT, BOOLEAN) = {
        [PAGE_KEYBOARD] = press_key, [PAGE_MEDIA] = press_media, [PAGE_BUTTON] = press_button};
    enum key_page page;
    USHORT usage;

    if (key_find(key->keycode, &page, &usage))
        press[page](input, usage, key->pressed != 0);
}

static LONG limited(LONG value, LONG most)
{
    return value > most ? most : value < -most ? -most : value;
}

/* From pixels, of which there are so many, or raw for 0. */
static USHORT position_of(LONG value, ULONG range)
{
    ULONG most = range ? range - 1 : POSITION_MOST;

    if (value <= 0 || !most)
        return 0;
    if ((ULONG)value >= most)
        return POSITION_MOST;
    return (USHORT)((ULONGLONG)(ULONG)value * POSITION_MOST / most);
}

/* The ABI's wheel turns the other way round than HID's. */
static void turn(struct input *input, LONG notches)
{
    input->wheel = (signed char)-limited(notches, 127);
}

static void apply_motion(struct input *input, const struct xenkbd_motion *motion)
{
    if (!motion->rel_x && !motion->rel_y && !motion->rel_z)
        return;
    input->dx = (SHORT)limited(motion->rel_x, POSITION_MOST);
    input->dy = (SHORT)limited(motion->rel_y, POSITION_MOST);
    turn(input, motion->rel_z);
    make_due(input, REPORT_RELATIVE);
}

static void apply_position(struct input *input, const struct xenkbd_position *position)
{
    input->x = position_of(position->abs_x, input->width);
    input->y = position_of(position->abs_y, input->height);
    turn(input, position->rel_z);
    make_due(input, REPORT_ABSOLUTE);
}

/* A frame tells of all fingers that are down, and of those that went up. */
static void begin_frame(struct input *input)
{
    input->frame = 0;
    for (ULONG i = 0; i < MOST_CONTACTS; i++) {
        struct contact *finger = &input->fingers[i];

        finger->tell = finger->down || finger->changed;
        finger->changed = FALSE;
        input->frame = (UCHAR)(input->frame + finger->tell);
    }
    if (input->frame)
        make_due(input, REPORT_TOUCH);
}

static void apply_touch(struct input *input, const struct xenkbd_mtouch *event)
{
    struct contact *finger = &input->fingers[event->contact_id < input->contacts ? event->contact_id : 0];

    if (event->contact_id >= input->contacts)
        return;
    switch (event->event_type) {
    case XENKBD_MT_EV_DOWN:
    case XENKBD_MT_EV_MOTION:
        if (event->event_type == XENKBD_MT_EV_DOWN)
            finger->down = TRUE;
        finger->x = position_of(event->u.pos.abs_x, input->touch_width);
        finger->y = position_of(event->u.pos.abs_y, input->touch_height);
        break;
    case XENKBD_MT_EV_UP:
        finger->changed = finger->changed || finger->down;
        finger->down = FALSE;
        break;
    case XENKBD_MT_EV_SYN:
        begin_frame(input);
        break;
    default:
        break;
    }
}

void report_apply(struct input *input, const union xenkbd_in_event *event)
{
    switch (event->type) {
    case XENKBD_TYPE_KEY:
        apply_key(input, &event->key);
        break;
    case XENKBD_TYPE_MOTION:
        apply_motion(input, &event->motion);
        break;
    case XENKBD_TYPE_POS:
        apply_position(input, &event->pos);
        break;
    case XENKBD_TYPE_MTOUCH:
        apply_touch(input, &event->mtouch);
        break;
    default:
        break;
    }
}

void report_release_all(struct input *input)
{
    BOOLEAN fingers = FALSE;

    for (ULONG i = 0; i < sizeof(input->down); i++)
        if (input->down[i])
            make_due(input, REPORT_KEYBOARD);
    memset(input->down, 0, sizeof(input->down));
    for (ULONG i = 0; i < MEDIA_SLOTS; i++)
        if (input->media[i])
            make_due(input, REPORT_MEDIA);
    memset(input->media, 0, sizeof(input->media));
    if (input->buttons)
        make_due(input, button_report(input));
    input->buttons = 0;
    for (ULONG i = 0; i < MOST_CONTACTS; i++) {
        struct contact *finger = &input->fingers[i];

        fingers = fingers || finger->down || finger->changed || finger->tell;
        finger->changed = finger->changed || finger->down || finger->tell;
        finger->down = FALSE;
    }
    if (fingers)
        begin_frame(input);
}

/* --- reports --- */

static UCHAR *put_16(UCHAR *report, USHORT value)
{
    *report++ = (UCHAR)value;
    *report++ = (UCHAR)(value >> 8);
    return report;
}

static ULONG keyboard_report(struct input *input, UCHAR *report)
{
    ULONG count = 0;

    report[1] = input->down[FIRST_MODIFIER / 8];
    memset(report + 2, 0, 1 + ROLLOVER_KEYS);
    for (ULONG usage = 0; usage < FIRST_MODIFIER; usage++)
        if (input->down[usage / 8] & 1u << usage % 8 && count++ < ROLLOVER_KEYS)
            report[2 + count] = (UCHAR)usage;
    if (count > ROLLOVER_KEYS)
        memset(report + 3, ROLLOVER_ERROR, ROLLOVER_KEYS);
    return 3 + ROLLOVER_KEYS;
}

static ULONG media_report(struct input *input, UCHAR *report)
{
    UCHAR *end = report + 1;

    for (ULONG i = 0; i < MEDIA_SLOTS; i++)
        end = put_16(end, input->media[i]);
    return (ULONG)(end - report);
}

/* Movement and wheel are of one report; a position stays. */
static ULONG pointer_report(struct input *input, UCHAR *report)
{
    BOOLEAN absolute = report[0] == REPORT_ABSOLUTE;
    UCHAR *end;

    report[1] = input->buttons_absolute == absolute ? input->buttons : 0;
    end = put_16(report + 2, absolute ? input->x : (USHORT)input->dx);
    end = put_16(end, absolute ? input->y : (USHORT)input->dy);
    *end++ = (UCHAR)input->wheel;
    input->dx = input->dy = input->wheel = 0;
    return (ULONG)(end - report);
}

/* One finger; the first one's says how many there are, the others' none. */
static ULONG touch_report(struct input *input, UCHAR *report)
{
    ULONG i = 0;

    while (i + 1 < MOST_CONTACTS && !input->fingers[i].tell)
        i++;
    input->fingers[i].tell = FALSE;
    report[1] = input->fingers[i].down;
    report[2] = (UCHAR)i;
    put_16(put_16(report + 3, input->fingers[i].x), input->fingers[i].y);
    report[7] = input->frame;
    input->frame = 0;
    for (i = 0; i < MOST_CONTACTS; i++)
        if (input->fingers[i].tell)
            make_due(input, REPORT_TOUCH);
    return 8;
}

ULONG report_take(struct input *input, UCHAR *report)
{
    static ULONG (*const make[])(struct input *, UCHAR *) = {
        [REPORT_KEYBOARD] = keyboard_report, [REPORT_MEDIA] = media_report, [REPORT_RELATIVE] = pointer_report,
        [REPORT_ABSOLUTE] = pointer_report,  [REPORT_TOUCH] = touch_report,
    };
    UCHAR number = 1;

    while (number + 1 < REPORT_END && !(input->due & REPORT_BIT(number)))
        number++;
    input->due &= ~REPORT_BIT(number);
    report[0] = number;
    return make[number](input, report);
}
