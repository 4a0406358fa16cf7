// Merged news, paced by a timer.
#include "news.h"

#include <stdlib.h>

#include "link.h"
#include "seat.h"
#include "ui.h"

enum { PERIOD_MS = 16 };

struct news {
    struct seat *seat;
    struct wl_event_source *timer;
    bool waiting;                    // for the timer
    bool focus, cut;                 // the manager is to be told
    unsigned sizes, interface_sizes; // bit n: slot n; for the manager, for the interface
};

static void tell(struct news *news)
{
    struct seat *seat = news->seat;
    for (unsigned slot = 1; slot < LINK_SLOTS; slot++) {
        const struct image *picture = &seat->guests[slot].picture;
        if (news->interface_sizes >> slot & 1)
            ui_guest_size(seat->ui, slot, picture->width, picture->height);
        if (news->sizes >> slot & 1 && link_mode(seat->link, slot, picture->width, picture->height))
            news->sizes &= ~(1u << slot);
    }
    news->interface_sizes = 0;
    news->focus = news->focus && !link_focus_changed(seat->link, seat->focus.current);
    news->cut = news->cut && !link_cut_changed(seat->link, seat->cut ? seat->focus.current : 0);
}

static bool anything(const struct news *news)
{
    return news->focus || news->cut || news->sizes || news->interface_sizes;
}

// The first change is told at once; what follows it within a frame is told together.
static void something_new(struct news *news)
{
    if (news->waiting)
        return;
    tell(news);
    news->waiting = true;
    wl_event_source_timer_update(news->timer, PERIOD_MS);
}

static int on_timer(void *data)
{
    struct news *news = data;
    news->waiting = false;
    if (anything(news))
        something_new(news);
    return 0;
}

void news_guest_size(struct news *news, unsigned slot)
{
    news->sizes |= 1u << slot;
    news->interface_sizes |= 1u << slot;
    something_new(news);
}

void news_focus(struct news *news)
{
    news->focus = true;
    something_new(news);
}

void news_cut(struct news *news)
{
    news->cut = true;
    something_new(news);
}

void news_repeat(struct news *news)
{
    news->focus = true;
    news->cut = news->seat->cut;
    for (unsigned slot = 1; slot < LINK_SLOTS; slot++)
        if (news->seat->guests[slot].picture.width)
            news->sizes |= 1u << slot;
    something_new(news);
}

struct news *news_new(struct seat *seat)
{
    struct news *news = calloc(1, sizeof(*news));
    if (!news)
        return NULL;
    news->seat = seat;
    news->timer = wl_event_loop_add_timer(seat->loop, on_timer, news);
    if (news->timer)
        return news;
    free(news);
    return NULL;
}

void news_free(struct news *news)
{
    if (!news)
        return;
    wl_event_source_remove(news->timer);
    free(news);
}
