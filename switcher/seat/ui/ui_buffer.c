// Shared memory of the interface, checked before a pixel of it is touched: libwayland asks only that a row is not
// shorter in bytes than it is wide in pixels.
#include "ui_internal.h"

static const char *fault_of(const struct image *image, uint32_t format)
{
    if (format != WL_SHM_FORMAT_ARGB8888 && format != WL_SHM_FORMAT_XRGB8888)
        return "want argb8888 or xrgb8888";
    if (image->width > LINK_MAX_SIZE || image->height > LINK_MAX_SIZE)
        return "the buffer is too large";
    if (image->stride < image->width * 4 || image->stride % 4 || (uintptr_t)image->pixels % 4)
        return "the buffer's rows are too short or not aligned";
    return NULL;
}

bool ui_buffer_pixels(struct wl_resource *buffer, struct image *image)
{
    struct wl_shm_buffer *shm = wl_shm_buffer_get(buffer);
    uint32_t format = shm ? wl_shm_buffer_get_format(shm) : 0;
    if (shm)
        *image = (struct image){wl_shm_buffer_get_data(shm), (uint32_t)wl_shm_buffer_get_width(shm),
                                (uint32_t)wl_shm_buffer_get_height(shm), (uint32_t)wl_shm_buffer_get_stride(shm),
                                format == WL_SHM_FORMAT_ARGB8888 ? PIXEL_ARGB8888 : PIXEL_XRGB8888};
    const char *fault = shm ? fault_of(image, format) : "want wl_shm";
    if (fault)
        wl_client_post_implementation_error(wl_resource_get_client(buffer), "%s", fault);
    return !fault;
}

static void on_destroyed(struct wl_listener *listener, void *data)
{
    (void)data;
    struct ui_buffer *buffer = wl_container_of(listener, buffer, destroyed);
    wl_list_remove(&buffer->destroyed.link);
    buffer->resource = NULL; // its memory is still ours, through the pool
}

void ui_buffer_drop(struct ui_buffer *buffer)
{
    if (buffer->resource) {
        wl_buffer_send_release(buffer->resource);
        wl_list_remove(&buffer->destroyed.link);
    }
    if (buffer->pool)
        wl_shm_pool_unref(buffer->pool);
    *buffer = (struct ui_buffer){0};
}

void ui_buffer_take(struct ui_buffer *buffer, struct wl_resource *resource)
{
    struct image image;
    ui_buffer_drop(buffer);
    if (!resource || !ui_buffer_pixels(resource, &image))
        return;
    buffer->image = image;
    buffer->pool = wl_shm_buffer_ref_pool(wl_shm_buffer_get(resource));
    buffer->resource = resource;
    buffer->destroyed.notify = on_destroyed;
    wl_resource_add_destroy_listener(resource, &buffer->destroyed);
}
