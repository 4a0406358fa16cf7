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

// Mean of the image's pixels in columns x1..x2-1 and rows y1..y2-1, at most four samples each way.
static uint32_t mean(const struct image *image, uint32_t x1, uint32_t x2, uint32_t y1, uint32_t y2)
{
    uint32_t r = 0, g = 0, b = 0, n = 0;
    uint32_t step_x = (x2 - x1 + 3) / 4, step_y = (y2 - y1 + 3) / 4;
    for (uint32_t y = y1; y < y2; y += step_y) {
        for (uint32_t x = x1; x < x2; x += step_x) {
            uint32_t pixel = load(image_at(image, (int32_t)x, (int32_t)y), image->format);
            r += pixel >> 16 & 0xff;
            g += pixel >> 8 & 0xff;
            b += pixel & 0xff;
            n++;
        }
    }
    return 0xff000000 | (r / n) << 16 | (g / n) << 8 | b / n;
}

void pixels_scale(struct canvas *to, const struct image *image)
{
    for (uint32_t y = 0; y < to->height; y++) {
        uint32_t y1 = (uint32_t)((uint64_t)y * image->height / to->height);
        uint32_t y2 = (uint32_t)((uint64_t)(y + 1) * image->height / to->height);
        uint32_t *row = (uint32_t *)row_at(to, 0, (int32_t)y);
        for (uint32_t x = 0; x < to->width; x++) {
            uint32_t x1 = (uint32_t)((uint64_t)x * image->width / to->width);
            uint32_t x2 = (uint32_t)((uint64_t)(x + 1) * image->width / to->width);
            row[x] = mean(image, x1, x2 > x1 ? x2 : x1 + 1, y1, y2 > y1 ? y2 : y1 + 1);
        }
    }
}
