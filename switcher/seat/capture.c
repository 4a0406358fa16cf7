// PNG by libpng, encoded in memory first so that a slow reader cannot hold up the seat for long.
#include "capture.h"

#include <errno.h>
#include <png.h>
#include <poll.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

// A pipe that is ready takes CHUNK bytes at once; a longer write would wait for its reader.
enum { WRITE_TIMEOUT_MS = 500, CHUNK = 4096 };

static int64_t now_ms(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static int write_all(int fd, const uint8_t *bytes, size_t size)
{
    int64_t end = now_ms() + WRITE_TIMEOUT_MS;
    while (size > 0) {
        struct pollfd ready = {.fd = fd, .events = POLLOUT};
        int64_t left = end - now_ms();
        if (left <= 0 || poll(&ready, 1, (int)left) != 1)
            return ETIMEDOUT;
        ssize_t written = write(fd, bytes, size < CHUNK ? size : CHUNK);
        if (written < 0 && errno != EINTR && errno != EAGAIN)
            return errno;
        if (written > 0) {
            bytes += written;
            size -= (size_t)written;
        }
    }
    return 0;
}

int capture_png(const struct image *image, int fd)
{
    size_t stride = (size_t)image->width * 4;
    uint8_t *copy = malloc(stride * image->height);
    if (!copy)
        return ENOMEM;
    struct canvas canvas = {copy, image->width, image->height, (uint32_t)stride};
    pixels_copy(&canvas, canvas_rect(&canvas), image, 0, 0);
    for (size_t i = 3; i < stride * image->height; i += 4)
        copy[i] = 0xff;
    png_image png = {.version = PNG_IMAGE_VERSION,
                     .width = image->width,
                     .height = image->height,
                     .format = PNG_FORMAT_BGRA,
                     .flags = PNG_IMAGE_FLAG_FAST};
    png_alloc_size_t size = PNG_IMAGE_PNG_SIZE_MAX(png);
    void *encoded = malloc(size);
    int error = encoded ? 0 : ENOMEM;
    if (!error && !png_image_write_to_memory(&png, encoded, &size, 0, copy, (png_int_32)stride, NULL))
        error = EIO;
    if (!error)
        error = write_all(fd, encoded, size);
    free(encoded);
    free(copy);
    return error;
}
