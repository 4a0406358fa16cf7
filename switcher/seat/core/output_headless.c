// A screen in memory, refreshed 60 times a second, for tests.
#include "output.h"

#include <stdlib.h>

struct headless {
    struct output base;
    struct wl_event_source *timer;
};

enum { REFRESH_MS = 16 };

static int refresh(void *data)
{
    struct headless *headless = data;
    headless->base.busy = false;
    headless->base.listener.ready(headless->base.listener.data);
    return 0;
}

static bool headless_present(struct output *output, unsigned index, const struct damage *drawn)
{
    (void)index;
    (void)drawn;
    wl_event_source_timer_update(((struct headless *)output)->timer, REFRESH_MS);
    return true;
}

static void headless_pause(struct output *output)
{
    output->paused = true;
}

static void headless_resume(struct output *output)
{
    output->paused = false;
}

static void headless_destroy(struct output *output)
{
    struct headless *headless = (struct headless *)output;
    if (headless->timer)
        wl_event_source_remove(headless->timer);
    for (unsigned i = 0; i < OUTPUT_BUFFERS; i++)
        free(output->buffers[i].canvas.pixels);
    free(headless);
}

static const struct output_ops headless_ops = {headless_present, headless_pause, headless_resume, headless_destroy,
                                               NULL};

struct output *output_headless_open(struct wl_event_loop *loop, uint32_t width, uint32_t height)
{
    struct headless *headless = calloc(1, sizeof(*headless));
    if (!headless)
        return NULL;
    struct output *output = &headless->base;
    output->ops = &headless_ops;
    output->width = width;
    output->height = height;
    headless->timer = wl_event_loop_add_timer(loop, refresh, headless);
    bool complete = headless->timer != NULL;
    for (unsigned i = 0; i < OUTPUT_BUFFERS; i++) {
        uint8_t *pixels = calloc(height, (size_t)width * 4);
        output->buffers[i].canvas = (struct canvas){pixels, width, height, width * 4};
        complete = complete && pixels;
    }
    output_damage(output, (struct rect){0, 0, (int32_t)width, (int32_t)height});
    if (!complete) {
        headless_destroy(output);
        return NULL;
    }
    return output;
}
