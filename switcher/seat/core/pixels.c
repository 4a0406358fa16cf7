// Copying, blending and scaling of pictures.
#include "pixels.h"

#include <assert.h>
#include <string.h>
#include <wchar.h>

static_assert(sizeof(wchar_t) == sizeof(uint32_t), "wmemset() fills with pixels");

unsigned pixel_size(enum pixel_format format)
{
    switch (format) {
    case PIXEL_RGB565:
        return 2;
    case PIXEL_RGB888:
        return 3;
    default:
        return 4;
    }
}

static uint32_t load(const uint8_t *p, enum pixel_format format)
{
    if (format == PIXEL_RGB565) {
        uint16_t v;
        memcpy(&v, p, sizeof(v));
        uint32_t r = v >> 11, g = v >> 5 & 0x3f, b = v & 0x1f;
        return (r << 3 | r >> 2) << 16 | (g << 2 | g >> 4) << 8 | (b << 3 | b >> 2);
    }
    if (format == PIXEL_RGB888)
        return (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
    uint32_t v;
    memcpy(&v, p, sizeof(v));
    return v;
}

static uint8_t *row_at(struct canvas *to, int32_t x, int32_t y)
{
    return to->pixels + (size_t)y * to->stride + (size_t)x * 4;
}

static const uint8_t *image_at(const struct image *image, int32_t x, int32_t y)
{
    return image->pixels + (size_t)y * image->stride + (size_t)x * pixel_size(image->format);
}

static struct rect placed(const struct image *image, int32_t x, int32_t y)
{
    return (struct rect){x, y, (int32_t)image->width, (int32_t)image->height};
}

void pixels_fill(struct canvas *to, struct rect area, uint32_t xrgb)
{
    area = rect_intersect(area, canvas_rect(to));
    for (int32_t y = area.y; y < area.y + area.height; y++)
        wmemset((wchar_t *)row_at(to, area.x, y), (wchar_t)xrgb, (size_t)area.width);
}

void pixels_copy(struct canvas *to, struct rect area, const struct image *image, int32_t x, int32_t y)
{
    area = rect_intersect(area, placed(image, x, y));
    unsigned size = pixel_size(image->format);
    for (int32_t row = area.y; row < area.y + area.height; row++) {
        uint8_t *target = row_at(to, area.x, row);
        const uint8_t *source = image_at(image, area.x - x, row - y);
        if (size == 4) {
            memcpy(target, source, (size_t)area.width * 4);
            continue;
        }
        for (int32_t i = 0; i < area.width; i++)
            ((uint32_t *)target)[i] = load(source + (size_t)i * size, image->format);
    }
}

// Both channels pairs of a pixel at once; 0..255 times 0..255 divided by 255, rounded.
static uint32_t over(uint32_t source, uint32_t target)
{
    uint32_t keep = 255 - (source >> 24);
    uint32_t rb = (target & 0xff00ff) * keep + 0x800080, g = (target >> 8 & 0xff) * keep + 0x80;
    rb = (rb + (rb >> 8 & 0xff00ff)) >> 8 & 0xff00ff;
    g = (g + (g >> 8)) >> 8 & 0xff;
    return source + (rb | g << 8);
}

void pixels_blend(struct canvas *to, struct rect area, const struct image *image, int32_t x, int32_t y)
{
    area = rect_intersect(area, placed(image, x, y));
    for (int32_t row = area.y; row < area.y + area.height; row++) {
        uint32_t *target = (uint32_t *)row_at(to, area.x, row);
        const uint8_t *source = image_at(image, area.x - x, row - y);
        for (int32_t i = 0; i < area.width; i++) {
            uint32_t pixel = load(source + (size_t)i * 4, PIXEL_ARGB8888);
            if (pixel >> 24 == 255)
                target[i] = pixel;
            else if (pixel >> 24 != 0)
                target[i] = over(pixel, target[i]);
        }
    }
}

// What a pixel covers of the image along one axis: the first and the last of the pixels there, of which only parts may
// belong to it, and every `step`th between them; parts are in 1/256, and so is the first one's share of two.
struct span {
    uint32_t first, last, step, head, tail, share;
};

enum { WHOLE = 256, SAMPLES = 5, CHUNK = 256 };

// Of pixel `at` of `length` across `size` pixels of the image.
static struct span covered(uint32_t at, uint32_t size, uint32_t length)
{
    uint64_t begin = (uint64_t)at * size, end = begin + size; // in 1/length of a pixel
    struct span span = {.first = (uint32_t)(begin / length), .last = (uint32_t)((end - 1) / length)};
    uint64_t head_end = (uint64_t)(span.first + 1) * length, tail_begin = (uint64_t)span.last * length;
    span.head = (uint32_t)(((head_end < end ? head_end : end) - begin) * WHOLE / length);
    span.tail = (uint32_t)((end - tail_begin) * WHOLE / length);
    span.head += span.head == 0;
    span.share = span.head * WHOLE / (span.head + span.tail);
    span.step = 1 + (span.last - span.first) / SAMPLES;
    return span;
}

static uint32_t part(const struct span *span, uint32_t at)
{
    return at == span->first ? span->head : at == span->last ? span->tail : WHOLE;
}

// Two pixels, all channels at once.
static uint32_t mixed(uint32_t a, uint32_t b, uint32_t share)
{
    uint32_t rb = (a & 0xff00ff) * share + (b & 0xff00ff) * (WHOLE - share);
    uint32_t g = (a >> 8 & 0xff) * share + (b >> 8 & 0xff) * (WHOLE - share);
    return (rb >> 8 & 0xff00ff) | (g & 0xff00);
}

// Of two columns and two rows at most: what a picture that is a little too large for the screen is made of.
static uint32_t mean_of_four(const struct image *image, const struct span *columns, const struct span *rows)
{
    const uint8_t *above = image_at(image, 0, (int32_t)rows->first), *below = image_at(image, 0, (int32_t)rows->last);
    size_t size = pixel_size(image->format), left = columns->first * size, right = columns->last * size;
    uint32_t top = mixed(load(above + left, image->format), load(above + right, image->format), columns->share);
    uint32_t bottom = mixed(load(below + left, image->format), load(below + right, image->format), columns->share);
    return mixed(top, bottom, rows->share);
}

static uint32_t mean(const struct image *image, const struct span *columns, const struct span *rows)
{
    if (columns->first == columns->last && rows->first == rows->last)
        return load(image_at(image, (int32_t)columns->first, (int32_t)rows->first), image->format);
    if (columns->last - columns->first <= 1 && rows->last - rows->first <= 1)
        return mean_of_four(image, columns, rows);
    uint32_t r = 0, g = 0, b = 0, all = 0;
    for (uint32_t y = rows->first; y <= rows->last; y += rows->step) {
        for (uint32_t x = columns->first; x <= columns->last; x += columns->step) {
            uint32_t pixel = load(image_at(image, (int32_t)x, (int32_t)y), image->format);
            uint32_t weight = part(rows, y) * part(columns, x);
            r += (pixel >> 16 & 0xff) * weight;
            g += (pixel >> 8 & 0xff) * weight;
            b += (pixel & 0xff) * weight;
            all += weight;
        }
    }
    return (r / all) << 16 | (g / all) << 8 | b / all;
}

// Columns of one chunk of the area: what they cover is the same in every row.
static void scale_columns(struct canvas *to, struct rect area, const struct image *image, struct rect place)
{
    struct span columns[CHUNK];
    for (int32_t i = 0; i < area.width; i++)
        columns[i] = covered((uint32_t)(area.x + i - place.x), image->width, (uint32_t)place.width);
    for (int32_t y = area.y; y < area.y + area.height; y++) {
        struct span rows = covered((uint32_t)(y - place.y), image->height, (uint32_t)place.height);
        uint32_t *target = (uint32_t *)row_at(to, area.x, y);
        for (int32_t i = 0; i < area.width; i++)
            target[i] = 0xff000000 | mean(image, &columns[i], &rows);
    }
}

void pixels_scale(struct canvas *to, struct rect area, const struct image *image, struct rect place)
{
    area = rect_intersect(area, place);
    for (int32_t done = 0; done < area.width; done += CHUNK) {
        int32_t width = area.width - done < CHUNK ? area.width - done : CHUNK;
        scale_columns(to, (struct rect){area.x + done, area.y, width, area.height}, image, place);
    }
}

static int32_t at_least_one(int64_t length)
{
    return length > 1 ? (int32_t)length : 1;
}

struct rect pixels_fitted(const struct image *picture, struct rect area)
{
    int64_t width = picture->width, height = picture->height;
    if (width == 0 || height == 0 || rect_empty(area))
        return (struct rect){0};
    struct rect place = {0, 0, area.width, area.height};
    if (width <= area.width && height <= area.height) {
        int64_t across = area.width / width, down = area.height / height, times = across < down ? across : down;
        place.width = (int32_t)(width * times);
        place.height = (int32_t)(height * times);
    } else if (width * area.height > height * area.width) {
        place.height = at_least_one(height * area.width / width);
    } else {
        place.width = at_least_one(width * area.height / height);
    }
    place.x = area.x + (area.width - place.width) / 2;
    place.y = area.y + (area.height - place.height) / 2;
    return place;
}
