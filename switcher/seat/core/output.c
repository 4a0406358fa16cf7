// What all outputs share: buffer ages.
#include "output.h"

void output_damage(struct output *output, struct rect area)
{
    struct rect bounds = {0, 0, (int32_t)output->width, (int32_t)output->height};
    for (unsigned i = 0; i < OUTPUT_BUFFERS; i++)
        damage_add(&output->buffers[i].stale, area, bounds);
}

static unsigned back_index(const struct output *output)
{
    return (output->front + 1) % OUTPUT_BUFFERS;
}

struct output_buffer *output_begin(struct output *output)
{
    if (output->busy || output->paused)
        return NULL;
    return &output->buffers[back_index(output)];
}

bool output_present(struct output *output)
{
    unsigned index = back_index(output);
    struct damage drawn = output->buffers[index].stale;
    damage_clear(&output->buffers[index].stale);
    output->busy = true;
    bool presented = output->ops->present(output, index, &drawn);
    if (presented)
        output->front = index;
    else
        output->buffers[index].stale = drawn;
    return presented;
}

void output_destroy(struct output *output)
{
    if (output)
        output->ops->destroy(output);
}
