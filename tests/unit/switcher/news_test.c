// News for the manager: the latest state, once a frame, again when it could not be told. Link and interface are fakes.
#include "news.h"

#include <stdlib.h>

#include "../check.h"
#include "link.h"
#include "seat.h"
#include "ui.h"

static struct seat *seat;
static bool reads = true; // the manager
static unsigned focuses, cuts, modes, sizes, focus_told, cut_told;

bool link_focus_changed(struct link *link, unsigned slot)
{
    (void)link;
    focuses += reads;
    focus_told = slot;
    return reads;
}

bool link_cut_changed(struct link *link, unsigned slot)
{
    (void)link;
    cuts += reads;
    cut_told = slot;
    return reads;
}

bool link_mode(struct link *link, unsigned slot, uint32_t width, uint32_t height)
{
    CHECK(!link && slot == 2 && width == 64 && height == 48);
    modes += reads;
    return reads;
}

void ui_guest_size(struct ui *ui, unsigned slot, uint32_t width, uint32_t height)
{
    CHECK(!ui && slot == 2 && width == 64 && height == 48);
    sizes++;
}

static void frames(void)
{
    for (int i = 0; i < 4; i++)
        wl_event_loop_dispatch(seat->loop, 20);
}

int main(void)
{
    seat = calloc(1, sizeof(*seat));
    seat->loop = wl_event_loop_create();
    struct news *news = news_new(seat);
    seat->guests[2].picture = (struct image){.width = 64, .height = 48};
    seat->focus.current = 2;
    news_focus(news);
    CHECK(focuses == 1 && focus_told == 2 && cuts == 0); // at once
    seat->cut = true;
    news_cut(news);
    CHECK(cuts == 0); // within the same frame
    frames();
    CHECK(cuts == 1 && cut_told == 2 && focuses == 1);
    reads = false;
    seat->cut = false;
    news_cut(news);
    news_guest_size(news, 2);
    frames();
    CHECK(cuts == 1 && modes == 0 && sizes == 1);
    reads = true;
    frames();
    CHECK(cuts == 2 && cut_told == 0 && modes == 1 && sizes == 1);
    news_repeat(news); // a manager that has come knows of no guest that is cut off
    frames();
    CHECK(focuses == 2 && cuts == 2 && modes == 2);
    seat->cut = true;
    news_repeat(news);
    frames();
    CHECK(focuses == 3 && cuts == 3 && cut_told == 2);
    news_free(news);
    wl_event_loop_destroy(seat->loop);
    free(seat);
    return 0;
}
