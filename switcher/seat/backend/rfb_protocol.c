// A machine of steps: each step is a number of bytes and a function that takes them and names the next step.
#include "rfb_protocol.h"

#include <string.h>

#include "key_set.h"

enum {
    ENCODING_RAW = 0,
    ENCODING_DESKTOP_SIZE = -223,
    ENCODING_POINTER_KIND = -257,
    ENCODING_SCAN_CODES = -258,
    ENCODING_LEDS = -261,
    ENCODING_ALPHA_CURSOR = -314,
};

enum { NO_AUTHENTICATION = 1, NAME_MAX_BYTES = 4096, CLIPBOARD_MAX_BYTES = 1 << 20 };
enum { CLIENT_PIXEL_FORMAT = 0, CLIENT_ENCODINGS = 2, CLIENT_REQUEST = 3, CLIENT_POINTER = 5, CLIENT_QEMU = 255 };

enum step {
    STEP_VERSION,
    STEP_SECURITY_COUNT,
    STEP_SECURITY_TYPES,
    STEP_SECURITY_RESULT,
    STEP_SERVER_INIT,
    STEP_MESSAGE,
    STEP_UPDATE,
    STEP_COLOUR_MAP,
    STEP_CLIPBOARD,
    STEP_RECTANGLE,
    STEP_RAW_DONE,
    STEP_CURSOR_ENCODING,
    STEP_CURSOR_DONE,
    STEP_LEDS,
};

static unsigned get16(const uint8_t *p)
{
    return (unsigned)p[0] << 8 | p[1];
}

static uint32_t get32(const uint8_t *p)
{
    return (uint32_t)get16(p) << 16 | get16(p + 2);
}

static uint8_t *put16(uint8_t *p, uint32_t value)
{
    p[0] = (uint8_t)(value >> 8);
    p[1] = (uint8_t)value;
    return p + 2;
}

static uint8_t *put32(uint8_t *p, uint32_t value)
{
    return put16(put16(p, value >> 16), value);
}

static void send_bytes(struct rfb_parser *parser, const void *bytes, size_t size)
{
    parser->listener->send(parser->listener->data, bytes, size);
}

static bool expect(struct rfb_parser *parser, enum step step, size_t need)
{
    parser->step = step;
    parser->need = need;
    return true;
}

// ---- handshake ----

static bool take_version(struct rfb_parser *parser, const uint8_t *p)
{
    if (memcmp(p, "RFB 003.008\n", 12) != 0)
        return false;
    send_bytes(parser, p, 12);
    return expect(parser, STEP_SECURITY_COUNT, 1);
}

static bool take_security_count(struct rfb_parser *parser, const uint8_t *p)
{
    return p[0] > 0 && expect(parser, STEP_SECURITY_TYPES, p[0]);
}

static bool take_security_types(struct rfb_parser *parser, const uint8_t *p)
{
    static const uint8_t choice = NO_AUTHENTICATION;
    if (!memchr(p, choice, parser->need))
        return false;
    send_bytes(parser, &choice, 1);
    return expect(parser, STEP_SECURITY_RESULT, 4);
}

static bool take_security_result(struct rfb_parser *parser, const uint8_t *p)
{
    static const uint8_t shared = 1;
    if (get32(p) != 0)
        return false;
    send_bytes(parser, &shared, 1);
    return expect(parser, STEP_SERVER_INIT, 24);
}

static void send_preferences(struct rfb_parser *parser)
{
    // 32 bits per pixel, 24 of them used, little endian, 8 bits each of red, green and blue: XRGB8888, which is
    // what QEMU has in its own memory, so that it converts nothing.
    static const uint8_t format[] = {
        CLIENT_PIXEL_FORMAT, 0, 0, 0, 32, 24, 0, 1, 0, 255, 0, 255, 0, 255, 16, 8, 0, 0, 0, 0};
    static const int32_t encodings[] = {ENCODING_RAW,        ENCODING_DESKTOP_SIZE, ENCODING_POINTER_KIND,
                                        ENCODING_SCAN_CODES, ENCODING_LEDS,         ENCODING_ALPHA_CURSOR};
    enum { COUNT = sizeof(encodings) / sizeof(encodings[0]) };
    uint8_t message[4 + 4 * COUNT] = {CLIENT_ENCODINGS, 0}, *end = put16(message + 2, COUNT);
    for (unsigned i = 0; i < COUNT; i++)
        end = put32(end, (uint32_t)encodings[i]);
    send_bytes(parser, format, sizeof(format));
    send_bytes(parser, message, sizeof(message));
}

static bool resize(struct rfb_parser *parser, uint32_t width, uint32_t height)
{
    parser->pixels = NULL;
    if (width == 0 || height == 0)
        return false;
    parser->pixels = parser->listener->resize(parser->listener->data, width, height);
    parser->width = width;
    parser->height = height;
    return parser->pixels != NULL;
}

static bool take_server_init(struct rfb_parser *parser, const uint8_t *p)
{
    uint32_t name = get32(p + 20);
    if (name > NAME_MAX_BYTES || !resize(parser, get16(p), get16(p + 2)))
        return false;
    parser->skip = name;
    send_preferences(parser);
    parser->listener->update_done(parser->listener->data);
    return expect(parser, STEP_MESSAGE, 1);
}

// ---- messages ----

static bool take_message(struct rfb_parser *parser, const uint8_t *p)
{
    switch (p[0]) {
    case 0:
        return expect(parser, STEP_UPDATE, 3);
    case 1:
        return expect(parser, STEP_COLOUR_MAP, 5);
    case 2:
        return expect(parser, STEP_MESSAGE, 1); // the bell
    case 3:
        return expect(parser, STEP_CLIPBOARD, 7);
    default:
        return false;
    }
}

static bool take_colour_map(struct rfb_parser *parser, const uint8_t *p)
{
    parser->skip = (uint64_t)get16(p + 3) * 6;
    return expect(parser, STEP_MESSAGE, 1);
}

static bool take_clipboard(struct rfb_parser *parser, const uint8_t *p)
{
    parser->skip = get32(p + 3);
    return parser->skip <= CLIPBOARD_MAX_BYTES && expect(parser, STEP_MESSAGE, 1);
}

static bool next_rectangle(struct rfb_parser *parser)
{
    if (parser->rectangles > 0)
        return expect(parser, STEP_RECTANGLE, 12);
    parser->listener->update_done(parser->listener->data);
    return expect(parser, STEP_MESSAGE, 1);
}

static bool take_update(struct rfb_parser *parser, const uint8_t *p)
{
    parser->rectangles = get16(p + 1);
    return next_rectangle(parser);
}

static bool begin_raw(struct rfb_parser *parser)
{
    struct rect r = parser->area;
    if (rect_empty(r))
        return next_rectangle(parser);
    if ((uint32_t)(r.x + r.width) > parser->width || (uint32_t)(r.y + r.height) > parser->height)
        return false;
    size_t stride = (size_t)parser->width * 4;
    parser->fill = (struct rfb_fill){.start = parser->pixels + (size_t)r.y * stride + (size_t)r.x * 4,
                                     .row_bytes = (size_t)r.width * 4,
                                     .stride = stride,
                                     .rows = (uint32_t)r.height};
    return expect(parser, STEP_RAW_DONE, 0);
}

static bool take_raw(struct rfb_parser *parser, const uint8_t *p)
{
    (void)p;
    parser->listener->damage(parser->listener->data, parser->area);
    return next_rectangle(parser);
}

static bool take_rectangle(struct rfb_parser *parser, const uint8_t *p)
{
    parser->rectangles--;
    parser->area =
        (struct rect){(int32_t)get16(p), (int32_t)get16(p + 2), (int32_t)get16(p + 4), (int32_t)get16(p + 6)};
    switch ((int32_t)get32(p + 8)) {
    case ENCODING_RAW:
        return begin_raw(parser);
    case ENCODING_DESKTOP_SIZE:
        return resize(parser, (uint32_t)parser->area.width, (uint32_t)parser->area.height) && next_rectangle(parser);
    case ENCODING_POINTER_KIND:
        parser->listener->absolute(parser->listener->data, parser->area.x != 0);
        return next_rectangle(parser);
    case ENCODING_SCAN_CODES:
        return next_rectangle(parser); // says that it takes them
    case ENCODING_LEDS:
        return expect(parser, STEP_LEDS, 1);
    case ENCODING_ALPHA_CURSOR:
        return expect(parser, STEP_CURSOR_ENCODING, 4);
    default:
        return false;
    }
}

static bool take_leds(struct rfb_parser *parser, const uint8_t *p)
{
    parser->listener->lamps(parser->listener->data, p[0] & (LAMP_SCROLL | LAMP_NUM | LAMP_CAPS));
    return next_rectangle(parser);
}

static bool take_cursor_encoding(struct rfb_parser *parser, const uint8_t *p)
{
    struct rect r = parser->area;
    if (get32(p) != ENCODING_RAW || r.width > RFB_CURSOR_SIZE || r.height > RFB_CURSOR_SIZE)
        return false;
    if (!rect_empty(r))
        parser->fill = (struct rfb_fill){.start = parser->cursor,
                                         .row_bytes = (size_t)r.width * 4,
                                         .stride = (size_t)r.width * 4,
                                         .rows = (uint32_t)r.height};
    return expect(parser, STEP_CURSOR_DONE, 0);
}

// Blending relies on no colour being larger than alpha.
static void clamp_to_alpha(uint8_t *pixels, size_t count)
{
    for (size_t i = 0; i < count * 4; i += 4)
        for (unsigned c = 0; c < 3; c++)
            if (pixels[i + c] > pixels[i + 3])
                pixels[i + c] = pixels[i + 3];
}

static bool take_cursor(struct rfb_parser *parser, const uint8_t *p)
{
    (void)p;
    struct rect r = parser->area;
    if (rect_empty(r))
        r.width = r.height = 0;
    clamp_to_alpha(parser->cursor, (size_t)r.width * (size_t)r.height);
    // An image that does not lie around its own hot spot is drawn as if the spot were at its edge.
    int32_t x = r.x < r.width ? r.x : 0, y = r.y < r.height ? r.y : 0;
    parser->listener->cursor(parser->listener->data, parser->cursor, (uint32_t)r.width, (uint32_t)r.height, x, y);
    return next_rectangle(parser);
}

static bool (*const steps[])(struct rfb_parser *parser, const uint8_t *p) = {
    [STEP_VERSION] = take_version,
    [STEP_SECURITY_COUNT] = take_security_count,
    [STEP_SECURITY_TYPES] = take_security_types,
    [STEP_SECURITY_RESULT] = take_security_result,
    [STEP_SERVER_INIT] = take_server_init,
    [STEP_MESSAGE] = take_message,
    [STEP_UPDATE] = take_update,
    [STEP_COLOUR_MAP] = take_colour_map,
    [STEP_CLIPBOARD] = take_clipboard,
    [STEP_RECTANGLE] = take_rectangle,
    [STEP_RAW_DONE] = take_raw,
    [STEP_CURSOR_ENCODING] = take_cursor_encoding,
    [STEP_CURSOR_DONE] = take_cursor,
    [STEP_LEDS] = take_leds,
};

// ---- bytes in ----

void rfb_start(struct rfb_parser *parser, const struct rfb_listener *listener)
{
    *parser = (struct rfb_parser){.listener = listener, .step = STEP_VERSION, .need = 12};
}

static bool filling(const struct rfb_parser *parser)
{
    return parser->fill.row < parser->fill.rows;
}

unsigned rfb_targets(struct rfb_parser *parser, struct iovec *targets, unsigned count, size_t bytes)
{
    const struct rfb_fill *fill = &parser->fill;
    if (!filling(parser)) {
        targets[0] = (struct iovec){parser->input + parser->input_size, sizeof(parser->input) - parser->input_size};
        return 1;
    }
    unsigned used = 0;
    size_t total = 0;
    for (uint32_t row = fill->row; row < fill->rows && used < count && total < bytes; row++) {
        size_t offset = row == fill->row ? fill->offset : 0;
        targets[used++] = (struct iovec){fill->start + row * fill->stride + offset, fill->row_bytes - offset};
        total += fill->row_bytes - offset;
    }
    return used;
}

static void fill_advance(struct rfb_fill *fill, size_t size)
{
    size_t offset = fill->offset + size;
    fill->row += (uint32_t)(offset / fill->row_bytes);
    fill->offset = offset % fill->row_bytes;
}

// Takes from the input what belongs to the picture; returns how much that was.
static size_t fill_from_input(struct rfb_parser *parser, const uint8_t *p, size_t size)
{
    struct rfb_fill *fill = &parser->fill;
    size_t done = 0;
    while (filling(parser) && done < size) {
        size_t part = fill->row_bytes - fill->offset;
        if (part > size - done)
            part = size - done;
        memcpy(fill->start + fill->row * fill->stride + fill->offset, p + done, part);
        fill_advance(fill, part);
        done += part;
    }
    return done;
}

// Everything that can be done with the input; what is left of it moves to its front.
static bool work(struct rfb_parser *parser)
{
    size_t at = 0;
    for (;;) {
        size_t left = parser->input_size - at;
        if (parser->skip > 0) {
            size_t part = parser->skip < left ? (size_t)parser->skip : left;
            parser->skip -= part;
            at += part;
            if (parser->skip > 0)
                break;
        } else if (filling(parser)) {
            at += fill_from_input(parser, parser->input + at, left);
            if (filling(parser))
                break;
        } else if (parser->need <= left) {
            size_t taken = parser->need;
            if (!steps[parser->step](parser, parser->input + at))
                return false;
            at += taken;
        } else {
            break;
        }
    }
    parser->input_size -= at;
    memmove(parser->input, parser->input + at, parser->input_size);
    return true;
}

bool rfb_received(struct rfb_parser *parser, size_t size)
{
    if (filling(parser))
        fill_advance(&parser->fill, size);
    else
        parser->input_size += size;
    return work(parser);
}

// ---- messages out ----

size_t rfb_key_message(uint8_t *out, uint32_t code, bool pressed)
{
    uint8_t scan_code = rfb_scan_code(code);
    if (scan_code == 0)
        return 0;
    out[0] = CLIENT_QEMU;
    out[1] = 0; // the key event among QEMU's messages
    put32(put32(put16(out + 2, pressed), 0), scan_code);
    return RFB_KEY_SIZE;
}

size_t rfb_pointer_message(uint8_t *out, unsigned buttons, uint32_t x, uint32_t y)
{
    out[0] = CLIENT_POINTER;
    out[1] = (uint8_t)buttons;
    put16(put16(out + 2, x), y);
    return RFB_POINTER_SIZE;
}

size_t rfb_request_message(uint8_t *out, bool incremental, uint32_t width, uint32_t height)
{
    out[0] = CLIENT_REQUEST;
    out[1] = incremental;
    put16(put16(put32(out + 2, 0), width), height);
    return RFB_REQUEST_SIZE;
}
