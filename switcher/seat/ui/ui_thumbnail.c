// Small pictures of guests. Scaling costs more than any other request, so each slot may have one unanswered request of
// bounded size, and one of them is answered a frame.
#include <stdlib.h>

#include "roundhouse-seat-v1-server-protocol.h"
#include "ui_internal.h"

enum { PERIOD_MS = 16, SIDE_MAX = 1024 };

struct thumbnail {
    struct wl_resource *control, *buffer; // NULL: nothing is asked for
    struct wl_listener control_destroyed, buffer_destroyed;
};

struct ui_thumbnails {
    struct wl_event_source *timer;
    unsigned next; // slot
    struct thumbnail slots[LINK_SLOTS];
};

static void forget(struct thumbnail *thumbnail)
{
    if (!thumbnail->control)
        return;
    wl_list_remove(&thumbnail->control_destroyed.link);
    wl_list_remove(&thumbnail->buffer_destroyed.link);
    *thumbnail = (struct thumbnail){0};
}

static void on_control_destroyed(struct wl_listener *listener, void *data)
{
    (void)data;
    struct thumbnail *thumbnail = wl_container_of(listener, thumbnail, control_destroyed);
    forget(thumbnail);
}

static void on_buffer_destroyed(struct wl_listener *listener, void *data)
{
    (void)data;
    struct thumbnail *thumbnail = wl_container_of(listener, thumbnail, buffer_destroyed);
    forget(thumbnail);
}

static bool acceptable(struct wl_resource *buffer, struct image *image)
{
    if (!ui_buffer_pixels(buffer, image))
        return false;
    if (image->width <= SIDE_MAX && image->height <= SIDE_MAX)
        return true;
    wl_client_post_implementation_error(wl_resource_get_client(buffer), "a thumbnail of more than %d pixels", SIDE_MAX);
    return false;
}

static void answer(struct ui *ui, struct thumbnail *thumbnail, unsigned slot)
{
    const struct image *picture = &ui->seat->guests[slot].picture;
    struct image image;
    if (!ui_buffer_pixels(thumbnail->buffer, &image))
        return;
    if (picture->width) {
        struct canvas canvas = {(uint8_t *)image.pixels, image.width, image.height, image.stride};
        pixels_scale(&canvas, canvas_rect(&canvas), picture, canvas_rect(&canvas));
    }
    roundhouse_seat_v1_send_thumbnail_done(thumbnail->control, slot, picture->width > 0);
}

// Slots take turns.
static int on_timer(void *data)
{
    struct ui *ui = data;
    struct ui_thumbnails *all = ui->thumbnails;
    for (unsigned tries = 0; tries < LINK_SLOTS; tries++) {
        unsigned slot = all->next;
        all->next = (all->next + 1) % LINK_SLOTS;
        if (!all->slots[slot].control)
            continue;
        answer(ui, &all->slots[slot], slot);
        forget(&all->slots[slot]);
        wl_event_source_timer_update(all->timer, PERIOD_MS);
        break;
    }
    return 0;
}

void ui_thumbnail_ask(struct ui *ui, struct wl_resource *control, unsigned slot, struct wl_resource *buffer)
{
    struct thumbnail *thumbnail = &ui->thumbnails->slots[slot];
    struct image image;
    if (thumbnail->control) {
        wl_resource_post_error(control, ROUNDHOUSE_SEAT_V1_ERROR_BAD_BUFFER, "slot %u has an unanswered thumbnail",
                               slot);
        return;
    }
    if (!acceptable(buffer, &image))
        return;
    *thumbnail = (struct thumbnail){control, buffer, {.notify = on_control_destroyed}, {.notify = on_buffer_destroyed}};
    wl_resource_add_destroy_listener(control, &thumbnail->control_destroyed);
    wl_resource_add_destroy_listener(buffer, &thumbnail->buffer_destroyed);
    wl_event_source_timer_update(ui->thumbnails->timer, PERIOD_MS);
}

bool ui_thumbnails_start(struct ui *ui)
{
    ui->thumbnails = calloc(1, sizeof(*ui->thumbnails));
    if (ui->thumbnails)
        ui->thumbnails->timer = wl_event_loop_add_timer(ui->seat->loop, on_timer, ui);
    return ui->thumbnails && ui->thumbnails->timer;
}

void ui_thumbnails_stop(struct ui *ui)
{
    if (ui->thumbnails && ui->thumbnails->timer)
        wl_event_source_remove(ui->thumbnails->timer);
    free(ui->thumbnails);
}
