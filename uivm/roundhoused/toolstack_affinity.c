/* Not by the domain's definition: a map there that has not the machine's size ends libxl 4.17 by an assertion. */
#include "toolstack_affinity.h"

#include <glib.h>
#include <libxl_utils.h>

#define VARIABLE "ROUNDHOUSE_HVM_FIRST_CPU"

static int run_on(libxl_ctx *ctx, uint32_t domid, unsigned vcpus, int first, int count)
{
    libxl_bitmap cpus;
    libxl_bitmap_init(&cpus);
    int error = libxl_cpu_bitmap_alloc(ctx, &cpus, count);
    for (int cpu = first; !error && cpu < count; cpu++)
        libxl_bitmap_set(&cpus, cpu);
    if (!error)
        error = libxl_set_vcpuaffinity_all(ctx, domid, vcpus, &cpus, NULL);
    libxl_bitmap_dispose(&cpus);
    return error;
}

void toolstack_affinity_set(libxl_ctx *ctx, uint32_t domid, const struct guest_config *config)
{
    const char *text = g_getenv(VARIABLE);
    guint64 first;
    if (!text || config->type == GUEST_PV)
        return;
    int count = libxl_get_max_cpus(ctx);
    if (count < 1 || !g_ascii_string_to_unsigned(text, 10, 0, (guint64)count - 1, &first, NULL))
        g_warning("%s=%.40s is not the number of one of %d processors: %s may run on all", VARIABLE, text, count,
                  config->name);
    else if (run_on(ctx, domid, config->vcpus, (int)first, count))
        g_warning("%s could not be kept to the processors from %d on", config->name, (int)first);
}
