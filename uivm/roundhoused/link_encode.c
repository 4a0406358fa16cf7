// One function per message.
#include "link_encode.h"

struct link_message link_encode_fbif(unsigned slot, struct guest_frame page, struct event_port port,
                                     uint32_t videoram_limit)
{
    struct link_message message = {.type = LINK_FBIF_CONNECT, .slot = slot};
    message.fbif.page_frame = page.number;
    message.fbif.event_channel = port.number;
    message.fbif.videoram_limit = videoram_limit;
    return message;
}

struct link_message link_encode_displif(unsigned slot, struct ring requests, struct ring events,
                                        struct screen_size size)
{
    struct link_message message = {.type = LINK_DISPLIF_CONNECT, .slot = slot};
    message.displif.request_gref = requests.page.number;
    message.displif.request_channel = requests.port.number;
    message.displif.event_gref = events.page.number;
    message.displif.event_channel = events.port.number;
    message.displif.width = size.width;
    message.displif.height = size.height;
    return message;
}

static struct link_sndif_stream stream(const struct pcm_rings *rings)
{
    return (struct link_sndif_stream){rings->requests.page.number, rings->requests.port.number,
                                      rings->events.page.number, rings->events.port.number};
}

struct link_message link_encode_sndif(unsigned slot, const struct pcm_rings *playback, const struct pcm_rings *capture)
{
    struct link_message message = {.type = LINK_SNDIF_CONNECT, .slot = slot};
    message.sndif.playback = stream(playback);
    message.sndif.capture = stream(capture);
    return message;
}

static struct link_message keyboard(unsigned slot, uint64_t page, struct event_port port,
                                    const struct screen_size *range)
{
    struct link_message message = {.type = LINK_KEYBOARD_CONNECT, .slot = slot};
    message.keyboard.page = page;
    message.keyboard.event_channel = port.number;
    message.keyboard.absolute = range != NULL;
    message.keyboard.width = range ? range->width : 0;
    message.keyboard.height = range ? range->height : 0;
    return message;
}

struct link_message link_encode_keyboard_by_grant(unsigned slot, struct ring ring, const struct screen_size *range)
{
    struct link_message message = keyboard(slot, ring.page.number, ring.port, range);
    message.keyboard.by_grant = 1;
    return message;
}

struct link_message link_encode_keyboard_by_frame(unsigned slot, struct guest_frame page, struct event_port port,
                                                  const struct screen_size *range)
{
    return keyboard(slot, page.number, port, range);
}
