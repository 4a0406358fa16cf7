// Linked into the seat that a test runs: every frame that its headless screen shows is put into the file $SEAT_SCREEN,
// whole, as XRGB8888 without gaps.
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "output.h"

struct output *__real_output_headless_open(struct wl_event_loop *loop, uint32_t width, uint32_t height);
struct output *__wrap_output_headless_open(struct wl_event_loop *loop, uint32_t width, uint32_t height);

static const struct output_ops *real;

static bool put(const char *path, const struct canvas *canvas)
{
    char part[128];
    size_t size = (size_t)canvas->height * canvas->stride;
    snprintf(part, sizeof(part), "%s.part", path);
    int fd = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    bool whole = fd >= 0 && write(fd, canvas->pixels, size) == (ssize_t)size;
    if (fd >= 0)
        close(fd);
    return whole && rename(part, path) == 0; // whoever looks sees one frame, not parts of two
}

static bool present(struct output *output, unsigned index, const struct damage *drawn)
{
    if (!put(getenv("SEAT_SCREEN"), &output->buffers[index].canvas))
        abort();
    return real->present(output, index, drawn);
}

struct output *__wrap_output_headless_open(struct wl_event_loop *loop, uint32_t width, uint32_t height)
{
    static struct output_ops ops;
    struct output *output = __real_output_headless_open(loop, width, height);
    if (output) {
        real = output->ops;
        ops = *real;
        ops.present = present;
        output->ops = &ops;
    }
    return output;
}
