// A small set of rectangles that covers everything damaged since it was last cleared. It may cover more,
// never less. Pure. Bounded: however many rectangles come in, at most DAMAGE_MAX are kept.
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct rect {
    int32_t x, y, width, height; // empty when width or height is not positive
};

enum { DAMAGE_MAX = 12 };

struct damage {
    unsigned count;
    struct rect rects[DAMAGE_MAX];
};

static inline bool rect_empty(struct rect r)
{
    return r.width <= 0 || r.height <= 0;
}

static inline bool rect_contains(struct rect r, double x, double y)
{
    return x >= r.x && y >= r.y && x < (double)r.x + r.width && y < (double)r.y + r.height;
}

// Safe for any field values: arithmetic is in 64 bits.
struct rect rect_intersect(struct rect a, struct rect b);

// The smallest rectangle around both; an empty one adds nothing. Both must lie within +-2^30.
struct rect rect_union(struct rect a, struct rect b);

// Adds what of `r` lies within `bounds`.
void damage_add(struct damage *damage, struct rect r, struct rect bounds);

static inline void damage_clear(struct damage *damage)
{
    damage->count = 0;
}
