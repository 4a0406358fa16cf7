// Rectangle arithmetic and the bounded union of damage.
#include "damage.h"

static int64_t max64(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t min64(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

struct rect rect_intersect(struct rect a, struct rect b)
{
    if (rect_empty(a) || rect_empty(b))
        return (struct rect){0};
    int64_t x1 = max64(a.x, b.x), y1 = max64(a.y, b.y);
    int64_t x2 = min64((int64_t)a.x + a.width, (int64_t)b.x + b.width);
    int64_t y2 = min64((int64_t)a.y + a.height, (int64_t)b.y + b.height);
    if (x2 <= x1 || y2 <= y1)
        return (struct rect){0};
    return (struct rect){(int32_t)x1, (int32_t)y1, (int32_t)(x2 - x1), (int32_t)(y2 - y1)};
}

struct rect rect_union(struct rect a, struct rect b)
{
    if (rect_empty(a))
        return b;
    if (rect_empty(b))
        return a;
    int64_t x1 = min64(a.x, b.x), y1 = min64(a.y, b.y);
    int64_t x2 = max64((int64_t)a.x + a.width, (int64_t)b.x + b.width);
    int64_t y2 = max64((int64_t)a.y + a.height, (int64_t)b.y + b.height);
    return (struct rect){(int32_t)x1, (int32_t)y1, (int32_t)(x2 - x1), (int32_t)(y2 - y1)};
}

static int64_t area(struct rect r)
{
    return (int64_t)r.width * r.height;
}

// Pixels that a union would draw although neither part asked for them.
static int64_t waste(struct rect a, struct rect b)
{
    return area(rect_union(a, b)) - area(a) - area(b) + area(rect_intersect(a, b));
}

static void join_cheapest_pair(struct damage *damage)
{
    unsigned best_i = 0, best_j = 1;
    int64_t best = INT64_MAX;
    for (unsigned i = 0; i < damage->count; i++) {
        for (unsigned j = i + 1; j < damage->count; j++) {
            int64_t cost = waste(damage->rects[i], damage->rects[j]);
            if (cost < best) {
                best = cost;
                best_i = i;
                best_j = j;
            }
        }
    }
    damage->rects[best_i] = rect_union(damage->rects[best_i], damage->rects[best_j]);
    damage->rects[best_j] = damage->rects[--damage->count];
}

void damage_add(struct damage *damage, struct rect r, struct rect bounds)
{
    r = rect_intersect(r, bounds);
    if (rect_empty(r))
        return;
    for (unsigned i = 0; i < damage->count; i++) {
        if (waste(damage->rects[i], r) <= area(r) / 4) {
            damage->rects[i] = rect_union(damage->rects[i], r);
            return;
        }
    }
    if (damage->count == DAMAGE_MAX)
        join_cheapest_pair(damage);
    damage->rects[damage->count++] = r;
}
