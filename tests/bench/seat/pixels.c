/*
 * ./dev bench --pixels: the seat's own filling, copying, blending and scaling against pixman's. Processor time, the
 * best of many rounds, and how far thumbnails are from the mean of what they stand for. docs/decisions.md has what came
 * of it.
 */
#include <pixman.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "pixels.h"

enum { ROUNDS = 20, THUMBNAIL_WIDTH = 320, THUMBNAIL_HEIGHT = 180, BAR_HEIGHT = 64, CURSOR = 24 };
enum kind { FILL, COPY, BLEND, SCALE };

struct work {
    const char *name;
    enum kind kind;
    struct canvas *target;
    struct rect area;       // of the target; all of it when scaling
    struct image image;     // a thumbnail's sides are whole parts of its sides
    pixman_filter_t filter; // for scaling
};

static double now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static struct rect whole(const struct canvas *canvas)
{
    return (struct rect){0, 0, (int32_t)canvas->width, (int32_t)canvas->height};
}

static void ours(const struct work *w)
{
    if (w->kind == FILL)
        pixels_fill(w->target, w->area, 0xff1d2128);
    else if (w->kind == COPY)
        pixels_copy(w->target, w->area, &w->image, w->area.x, w->area.y);
    else if (w->kind == BLEND)
        pixels_blend(w->target, w->area, &w->image, w->area.x, w->area.y);
    else
        pixels_scale(w->target, whole(w->target), &w->image, whole(w->target));
}

static pixman_image_t *view(enum pixel_format format, const void *pixels, uint32_t width, uint32_t height,
                            uint32_t stride)
{
    static const pixman_format_code_t codes[] = {
        [PIXEL_XRGB8888] = PIXMAN_x8r8g8b8,
        [PIXEL_ARGB8888] = PIXMAN_a8r8g8b8,
        [PIXEL_RGB565] = PIXMAN_r5g6b5,
        [PIXEL_RGB888] = PIXMAN_r8g8b8,
    };
    return pixman_image_create_bits_no_clear(codes[format], (int)width, (int)height, (uint32_t *)pixels, (int)stride);
}

static void set_scale(pixman_image_t *source, const struct work *w)
{
    pixman_fixed_t x = pixman_double_to_fixed((double)w->image.width / w->target->width);
    pixman_fixed_t y = pixman_double_to_fixed((double)w->image.height / w->target->height);
    const pixman_kernel_t box = PIXMAN_KERNEL_BOX;
    pixman_fixed_t *values = NULL;
    int count = 0;
    pixman_transform_t transform;
    pixman_transform_init_scale(&transform, x, y);
    pixman_image_set_transform(source, &transform);
    pixman_image_set_repeat(source, PIXMAN_REPEAT_PAD);
    if (w->filter == PIXMAN_FILTER_SEPARABLE_CONVOLUTION)
        values = pixman_filter_create_separable_convolution(&count, x, y, box, box, box, box, 1, 1);
    pixman_image_set_filter(source, w->filter, values, count);
    free(values);
}

static void with_pixman(const struct work *w)
{
    const struct canvas *to = w->target;
    if (w->kind == FILL) {
        pixman_fill((uint32_t *)to->pixels, (int)to->stride / 4, 32, w->area.x, w->area.y, w->area.width,
                    w->area.height, 0xff1d2128);
        return;
    }
    const struct image *from = &w->image;
    pixman_image_t *source = view(from->format, from->pixels, from->width, from->height, from->stride);
    pixman_image_t *target = view(PIXEL_XRGB8888, to->pixels, to->width, to->height, to->stride);
    if (w->kind == SCALE)
        set_scale(source, w);
    pixman_image_composite32(w->kind == BLEND ? PIXMAN_OP_OVER : PIXMAN_OP_SRC, source, NULL, target, 0, 0, 0, 0,
                             w->area.x, w->area.y, w->area.width, w->area.height);
    pixman_image_unref(source);
    pixman_image_unref(target);
}

static double best_us(void (*draw)(const struct work *), const struct work *w)
{
    double best = INFINITY;
    int times = 1 + 100000 / (w->area.width * w->area.height);
    for (int round = 0; round < ROUNDS; round++) {
        double begin = now_us();
        for (int i = 0; i < times; i++)
            draw(w);
        double spent = (now_us() - begin) / times;
        best = spent < best ? spent : best;
    }
    return best;
}

// How far the target is from the mean of all pixels that each of its own stands for, green only, of 255.
static double mean_error(const struct work *w)
{
    const struct image *image = &w->image;
    uint32_t step_x = image->width / w->target->width, step_y = image->height / w->target->height;
    double sum = 0;
    for (uint32_t y = 0; y < w->target->height; y++) {
        for (uint32_t x = 0; x < w->target->width; x++) {
            const uint8_t *first = image->pixels + (size_t)y * step_y * image->stride + x * step_x * 4 + 1;
            double mean = 0;
            for (uint32_t i = 0; i < step_x * step_y; i++)
                mean += first[(size_t)(i / step_x) * image->stride + i % step_x * 4];
            double d = mean / (step_x * step_y) - w->target->pixels[(size_t)y * w->target->stride + x * 4 + 1];
            sum += d * d;
        }
    }
    return sqrt(sum / (w->target->width * w->target->height));
}

static void compare(const struct work *w)
{
    bool smaller = w->kind == SCALE && w->target->width < w->image.width;
    double own_us = best_us(ours, w), own_error = smaller ? mean_error(w) : 0;
    double pixman_us = best_us(with_pixman, w);
    printf("  %-24s ours %9.1f us, pixman %9.1f us, ratio %5.2f", w->name, own_us, pixman_us, pixman_us / own_us);
    if (smaller)
        printf("; error ours %.1f, pixman %.1f", own_error, mean_error(w));
    printf("\n");
}

static void *memory(size_t bytes)
{
    void *p = malloc(bytes);
    if (!p)
        abort();
    return memset(p, 1, bytes);
}

// Letters of five by seven dots, larger on a larger screen.
static struct image text(uint32_t width, uint32_t height)
{
    uint32_t *pixels = memory((size_t)width * height * 4), dot = width / 1920;
    for (uint32_t i = 0; i < width * height; i++) {
        uint32_t x = i % width / dot, y = i / width / dot, letter = (y / 16 * 7919 + x / 8) * 2654435761u;
        bool ink = x % 8 < 5 && y % 16 < 7 && (letter ^ letter >> 13) >> (x % 8 * 3 + y % 16) & 1;
        pixels[i] = ink ? 0xff000000 : 0xffffffff;
    }
    return (struct image){(uint8_t *)pixels, width, height, width * 4, PIXEL_ARGB8888};
}

static struct image plain(uint32_t width, uint32_t height, uint32_t argb)
{
    uint32_t *pixels = memory((size_t)width * height * 4);
    for (uint32_t i = 0; i < width * height; i++)
        pixels[i] = argb;
    return (struct image){(uint8_t *)pixels, width, height, width * 4, PIXEL_ARGB8888};
}

static struct image as_format(struct image image, enum pixel_format format)
{
    return (struct image){image.pixels, image.width, image.height, image.width * pixel_size(format), format};
}

static void measure(uint32_t width, uint32_t height)
{
    struct canvas screen = {memory((size_t)width * height * 4), width, height, width * 4};
    struct canvas thumbnail = {memory(THUMBNAIL_WIDTH * THUMBNAIL_HEIGHT * 4), THUMBNAIL_WIDTH, THUMBNAIL_HEIGHT,
                               THUMBNAIL_WIDTH * 4};
    struct image opaque = text(width, height), clear = plain(width, height, 0);
    struct image half = plain(width, height, 0x80402010), cursor = plain(CURSOR, CURSOR, 0xff000000);
    struct image smaller = plain(width * 2 / 3, height * 2 / 3, 0xff336699);
    struct rect all = canvas_rect(&screen), small = canvas_rect(&thumbnail);
    const struct work works[] = {
        {"fill", FILL, &screen, all, opaque, 0},
        {"copy", COPY, &screen, all, opaque, 0},
        {"copy of 300 by 20", COPY, &screen, {0, 0, 300, 20}, opaque, 0},
        {"copy, 16 bits", COPY, &screen, all, as_format(opaque, PIXEL_RGB565), 0},
        {"copy, 24 bits", COPY, &screen, all, as_format(opaque, PIXEL_RGB888), 0},
        {"blend, opaque", BLEND, &screen, all, opaque, 0},
        {"blend, clear", BLEND, &screen, all, clear, 0},
        {"blend, half", BLEND, &screen, all, half, 0},
        {"blend of the bar", BLEND, &screen, {0, 0, (int32_t)width, BAR_HEIGHT}, opaque, 0},
        {"blend of a cursor", BLEND, &screen, {0, 0, CURSOR, CURSOR}, cursor, 0},
        {"thumbnail, bilinear", SCALE, &thumbnail, small, opaque, PIXMAN_FILTER_BILINEAR},
        {"thumbnail, mean", SCALE, &thumbnail, small, opaque, PIXMAN_FILTER_SEPARABLE_CONVOLUTION},
        {"to the panel, bilinear", SCALE, &screen, all, smaller, PIXMAN_FILTER_BILINEAR},
    };
    printf("%u by %u\n", width, height);
    for (unsigned i = 0; i < sizeof(works) / sizeof(works[0]); i++)
        compare(&works[i]);
}

int main(void)
{
    measure(1920, 1080);
    measure(3840, 2160);
    return 0;
}
