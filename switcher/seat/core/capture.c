// Scaled down where it has to be, with the code of the peek.
#include "capture.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/stat.h>

// What could become smaller under us would end the seat by a signal.
static bool has_room(int memory, uint64_t size)
{
    struct stat status;
    int seals = fcntl(memory, F_GET_SEALS);
    return seals >= 0 && (seals & F_SEAL_SHRINK) && fstat(memory, &status) == 0 && status.st_size >= 0 &&
           (uint64_t)status.st_size >= size;
}

// The picture's shape, at most *width by *height.
static void fit(const struct image *picture, uint32_t *width, uint32_t *height)
{
    uint64_t wide = picture->width, high = picture->height;
    if (wide <= *width && high <= *height) {
        *width = picture->width;
        *height = picture->height;
    } else if (wide * *height > high * *width) {
        *height = (uint32_t)(high * *width / wide);
    } else {
        *width = (uint32_t)(wide * *height / high);
    }
    *width += *width == 0;
    *height += *height == 0;
}

int capture_picture(const struct image *picture, int memory, uint32_t *width, uint32_t *height)
{
    if (!has_room(memory, (uint64_t)*width * *height * 4))
        return EINVAL;
    if (picture->width == 0 || picture->height == 0) {
        *width = *height = 0;
        return 0;
    }
    fit(picture, width, height);
    size_t size = (size_t)*width * *height * 4;
    void *pixels = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
    if (pixels == MAP_FAILED)
        return errno;
    struct canvas canvas = {pixels, *width, *height, *width * 4};
    pixels_scale(&canvas, canvas_rect(&canvas), picture, canvas_rect(&canvas));
    munmap(pixels, size);
    return 0;
}
