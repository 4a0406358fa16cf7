// xdg_positioner: rules for where a popup goes, and their working out. Constraint adjustment: flip, then
// slide, then resize.
#include <stdlib.h>

#include "ui_internal.h"
#include "xdg-shell-server-protocol.h"

struct positioner {
    int32_t width, height, offset_x, offset_y;
    struct rect anchor_rect;
    uint32_t anchor, gravity, adjustment;
};

static struct positioner *from(struct wl_resource *resource)
{
    return wl_resource_get_user_data(resource);
}

static void set_size(struct wl_client *client, struct wl_resource *resource, int32_t width, int32_t height)
{
    (void)client;
    if (width < 1 || height < 1 || width > LINK_MAX_SIZE || height > LINK_MAX_SIZE) {
        wl_resource_post_error(resource, XDG_POSITIONER_ERROR_INVALID_INPUT, "bad popup size");
        return;
    }
    from(resource)->width = width;
    from(resource)->height = height;
}

static void set_anchor_rect(struct wl_client *client, struct wl_resource *resource, int32_t x, int32_t y, int32_t width,
                            int32_t height)
{
    (void)client;
    if (width < 0 || height < 0)
        wl_resource_post_error(resource, XDG_POSITIONER_ERROR_INVALID_INPUT, "bad anchor rectangle");
    else
        from(resource)->anchor_rect =
            rect_intersect((struct rect){x, y, width ? width : 1, height ? height : 1},
                           (struct rect){-LINK_MAX_SIZE, -LINK_MAX_SIZE, 3 * LINK_MAX_SIZE, 3 * LINK_MAX_SIZE});
}

static void set_anchor(struct wl_client *client, struct wl_resource *resource, uint32_t anchor)
{
    (void)client;
    from(resource)->anchor = anchor;
}

static void set_gravity(struct wl_client *client, struct wl_resource *resource, uint32_t gravity)
{
    (void)client;
    from(resource)->gravity = gravity;
}

static void set_adjustment(struct wl_client *client, struct wl_resource *resource, uint32_t adjustment)
{
    (void)client;
    from(resource)->adjustment = adjustment;
}

static void set_offset(struct wl_client *client, struct wl_resource *resource, int32_t x, int32_t y)
{
    (void)client;
    struct rect limits = {-LINK_MAX_SIZE, -LINK_MAX_SIZE, 2 * LINK_MAX_SIZE, 2 * LINK_MAX_SIZE};
    if (!rect_empty(rect_intersect((struct rect){x, y, 1, 1}, limits))) {
        from(resource)->offset_x = x;
        from(resource)->offset_y = y;
    }
}

static void set_reactive(struct wl_client *client, struct wl_resource *resource)
{
    (void)client;
    (void)resource;
}

static void set_parent_size(struct wl_client *client, struct wl_resource *resource, int32_t width, int32_t height)
{
    (void)client;
    (void)resource;
    (void)width;
    (void)height;
}

static void set_parent_configure(struct wl_client *client, struct wl_resource *resource, uint32_t serial)
{
    (void)client;
    (void)resource;
    (void)serial;
}

static const struct xdg_positioner_interface implementation = {
    ui_destroy_request, set_size,   set_anchor_rect, set_anchor,      set_gravity,
    set_adjustment,     set_offset, set_reactive,    set_parent_size, set_parent_configure,
};

static void positioner_gone(struct wl_resource *resource)
{
    free(from(resource));
}

void ui_positioner_create(struct wl_client *client, uint32_t version, uint32_t id)
{
    struct positioner *positioner = calloc(1, sizeof(*positioner));
    struct wl_resource *resource =
        positioner ? wl_resource_create(client, &xdg_positioner_interface, (int)version, id) : NULL;
    if (!resource) {
        free(positioner);
        wl_client_post_no_memory(client);
        return;
    }
    positioner->width = positioner->height = 1;
    wl_resource_set_implementation(resource, &implementation, positioner, positioner_gone);
}

// Anchor and gravity as directions: -1 left or top, 0 centre, 1 right or bottom. The two enums have the same
// values.
static int direction_x(uint32_t edge)
{
    switch (edge) {
    case XDG_POSITIONER_ANCHOR_LEFT:
    case XDG_POSITIONER_ANCHOR_TOP_LEFT:
    case XDG_POSITIONER_ANCHOR_BOTTOM_LEFT:
        return -1;
    case XDG_POSITIONER_ANCHOR_RIGHT:
    case XDG_POSITIONER_ANCHOR_TOP_RIGHT:
    case XDG_POSITIONER_ANCHOR_BOTTOM_RIGHT:
        return 1;
    default:
        return 0;
    }
}

static int direction_y(uint32_t edge)
{
    switch (edge) {
    case XDG_POSITIONER_ANCHOR_TOP:
    case XDG_POSITIONER_ANCHOR_TOP_LEFT:
    case XDG_POSITIONER_ANCHOR_TOP_RIGHT:
        return -1;
    case XDG_POSITIONER_ANCHOR_BOTTOM:
    case XDG_POSITIONER_ANCHOR_BOTTOM_LEFT:
    case XDG_POSITIONER_ANCHOR_BOTTOM_RIGHT:
        return 1;
    default:
        return 0;
    }
}

struct span {
    int32_t start, size;
};

static struct span unconstrained(struct span anchor, int32_t size, int32_t offset, int anchor_to, int gravity)
{
    int32_t at = anchor.start + (anchor_to + 1) * anchor.size / 2 + offset;
    return (struct span){at - (1 - gravity) * size / 2, size};
}

static bool fits(struct span span, struct span bounds)
{
    return span.start >= bounds.start && span.start + span.size <= bounds.start + bounds.size;
}

static struct span slide(struct span span, struct span bounds)
{
    if (span.start + span.size > bounds.start + bounds.size)
        span.start = bounds.start + bounds.size - span.size;
    if (span.start < bounds.start)
        span.start = bounds.start;
    return span;
}

static struct span cut(struct span span, struct span bounds)
{
    int32_t end = span.start + span.size;
    if (span.start < bounds.start)
        span.start = bounds.start;
    if (end > bounds.start + bounds.size)
        end = bounds.start + bounds.size;
    span.size = end - span.start > 1 ? end - span.start : 1;
    return span;
}

// One axis; `adjustment` has the axis's bits moved to those of x.
static struct span place(struct span anchor, int32_t size, int32_t offset, int anchor_to, int gravity,
                         uint32_t adjustment, struct span bounds)
{
    struct span span = unconstrained(anchor, size, offset, anchor_to, gravity);
    if (fits(span, bounds))
        return span;
    if (adjustment & XDG_POSITIONER_CONSTRAINT_ADJUSTMENT_FLIP_X) {
        struct span flipped = unconstrained(anchor, size, -offset, -anchor_to, -gravity);
        if (fits(flipped, bounds))
            return flipped;
    }
    if (adjustment & XDG_POSITIONER_CONSTRAINT_ADJUSTMENT_SLIDE_X)
        span = slide(span, bounds);
    if (adjustment & XDG_POSITIONER_CONSTRAINT_ADJUSTMENT_RESIZE_X && !fits(span, bounds))
        span = cut(span, bounds);
    return span;
}

struct rect ui_positioner_place(struct wl_resource *resource, struct rect bounds)
{
    const struct positioner *p = from(resource);
    struct span x =
        place((struct span){p->anchor_rect.x, p->anchor_rect.width}, p->width, p->offset_x, direction_x(p->anchor),
              direction_x(p->gravity), p->adjustment, (struct span){bounds.x, bounds.width});
    struct span y =
        place((struct span){p->anchor_rect.y, p->anchor_rect.height}, p->height, p->offset_y, direction_y(p->anchor),
              direction_y(p->gravity), p->adjustment >> 1, (struct span){bounds.y, bounds.height});
    return (struct rect){x.start, y.start, x.size, y.size};
}
