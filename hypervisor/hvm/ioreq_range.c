/*
 * What an ioreq server serves: a set of numbers (ports, addresses, PCI functions) as sorted ranges.
 */
#include <hv/ioreq.h>

/* Index of the first range that ends at or after `number`; count if there is none. */
static unsigned first_from(const struct io_ranges *r, uint64_t number)
{
    unsigned low = 0, high = r->count;

    while (low < high) {
        unsigned middle = (low + high) / 2;

        if (r->range[middle].last < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool io_ranges_contain(const struct io_ranges *r, uint64_t first, uint64_t last)
{
    unsigned i = first_from(r, first);

    return i < r->count && r->range[i].first <= first && last <= r->range[i].last;
}

static void close_gap(struct io_ranges *r, unsigned i)
{
    memmove(&r->range[i], &r->range[i + 1], (r->count - i - 1) * sizeof(r->range[0]));
    r->count--;
}

static bool open_gap(struct io_ranges *r, unsigned i)
{
    if (r->count == IO_RANGES_MAX)
        return false;
    memmove(&r->range[i + 1], &r->range[i], (r->count - i) * sizeof(r->range[0]));
    r->count++;
    return true;
}

int io_ranges_add(struct io_ranges *r, uint64_t first, uint64_t last)
{
    unsigned i = first_from(r, first);
    bool joins_before, joins_after;

    if (first > last)
        return -EINVAL;
    if (i < r->count && r->range[i].first <= last)
        return -EEXIST;
    joins_before = i > 0 && r->range[i - 1].last + 1 == first;
    joins_after = i < r->count && last + 1 == r->range[i].first;
    if (joins_before && joins_after) {
        r->range[i - 1].last = r->range[i].last;
        close_gap(r, i);
    } else if (joins_before) {
        r->range[i - 1].last = last;
    } else if (joins_after) {
        r->range[i].first = first;
    } else {
        if (!open_gap(r, i))
            return -ENOSPC;
        r->range[i].first = first;
        r->range[i].last = last;
    }
    return 0;
}

int io_ranges_remove(struct io_ranges *r, uint64_t first, uint64_t last)
{
    unsigned i = first_from(r, first);

    if (first > last)
        return -EINVAL;
    if (!io_ranges_contain(r, first, last))
        return -ENOENT;
    if (r->range[i].first == first && r->range[i].last == last) {
        close_gap(r, i);
    } else if (r->range[i].first == first) {
        r->range[i].first = last + 1;
    } else if (r->range[i].last == last) {
        r->range[i].last = first - 1;
    } else {
        if (!open_gap(r, i))
            return -ENOSPC;
        r->range[i + 1].first = last + 1;
        r->range[i].last = first - 1;
    }
    return 0;
}
