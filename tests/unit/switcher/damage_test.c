// Damage: everything added stays covered, the number of rectangles stays bounded, nothing leaves the bounds.
#include "damage.h"

#include <string.h>

#include "../check.h"
#include "../random.h"

enum { WIDTH = 64, HEIGHT = 48 };

static const struct rect bounds = {0, 0, WIDTH, HEIGHT};

static void edges(void)
{
    struct rect whole = {INT32_MIN, INT32_MIN, INT32_MAX, INT32_MAX};
    CHECK(rect_empty(rect_intersect(whole, bounds)));
    struct rect huge = {-5, -5, INT32_MAX, INT32_MAX};
    struct rect r = rect_intersect(huge, bounds);
    CHECK(r.x == 0 && r.y == 0 && r.width == WIDTH && r.height == HEIGHT);
    CHECK(rect_empty(rect_intersect((struct rect){WIDTH, 0, 5, 5}, bounds)));
    CHECK(rect_empty(rect_intersect((struct rect){3, 3, -1, 5}, bounds)));
    CHECK(rect_empty(rect_intersect((struct rect){INT32_MAX, INT32_MAX, INT32_MAX, INT32_MAX}, bounds)));
    r = rect_union((struct rect){1, 2, 3, 4}, (struct rect){0});
    CHECK(r.x == 1 && r.y == 2 && r.width == 3 && r.height == 4);
    r = rect_union((struct rect){1, 2, 3, 4}, (struct rect){10, 0, 2, 2});
    CHECK(r.x == 1 && r.y == 0 && r.width == 11 && r.height == 6);
}

static void far_apart_stay_apart(void)
{
    struct damage d = {0};
    damage_add(&d, (struct rect){0, 0, 4, 4}, bounds);
    damage_add(&d, (struct rect){40, 40, 4, 4}, bounds);
    CHECK(d.count == 2);
    damage_add(&d, (struct rect){1, 1, 2, 2}, bounds); // covered already
    CHECK(d.count == 2);
    damage_clear(&d);
    CHECK(d.count == 0);
}

static void mark(bool map[HEIGHT][WIDTH], struct rect r)
{
    r = rect_intersect(r, bounds);
    for (int y = r.y; y < r.y + r.height; y++)
        for (int x = r.x; x < r.x + r.width; x++)
            map[y][x] = true;
}

static bool covers(const struct damage *d, bool wanted[HEIGHT][WIDTH])
{
    bool have[HEIGHT][WIDTH] = {0};
    for (unsigned i = 0; i < d->count; i++)
        mark(have, d->rects[i]);
    for (int y = 0; y < HEIGHT; y++)
        for (int x = 0; x < WIDTH; x++)
            if (wanted[y][x] && !have[y][x])
                return false;
    return true;
}

static struct rect random_rect(void)
{
    return (struct rect){(int32_t)random_below(90) - 10, (int32_t)random_below(70) - 10, (int32_t)random_below(30) - 2,
                         (int32_t)random_below(30) - 2};
}

static void random_cover(void)
{
    for (unsigned round = 0; round < 2000; round++) {
        struct damage damage = {0};
        bool wanted[HEIGHT][WIDTH] = {0};
        unsigned count = random_below(60);
        for (unsigned i = 0; i < count; i++) {
            struct rect r = random_rect();
            damage_add(&damage, r, bounds);
            mark(wanted, r);
        }
        CHECK(damage.count <= DAMAGE_MAX && covers(&damage, wanted));
        for (unsigned i = 0; i < damage.count; i++) {
            struct rect r = damage.rects[i], clipped = rect_intersect(r, bounds);
            CHECK(memcmp(&r, &clipped, sizeof(r)) == 0 && !rect_empty(r));
        }
    }
}

int main(void)
{
    edges();
    far_apart_stay_apart();
    random_cover();
    return 0;
}
