// A KMS screen as an output: choosing the device, double buffering, frame pacing, monitors that come, go or
// change size.
#include "output.h"

#include <errno.h>
#include <libudev.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xf86drm.h>

#include "clock.h"
#include "kept.h"
#include "kms.h"
#include "log.h"
#include "session.h"

// Drivers without a vertical blank interrupt report a flip at once; frames are then paced by the clock. A
// driver that loses a flip event must not freeze the screen either.
enum { FRAME_MS = 16, LOST_FLIP_MS = 1000, RETRY_MS = 100 };

#define KEPT_AS "screen"

struct drm_output {
    struct output base;
    struct session *session;
    struct kms kms;
    struct kms_framebuffer framebuffers[OUTPUT_BUFFERS];
    struct wl_event_source *source, *timer, *udev_source;
    struct udev *udev;
    struct udev_monitor *monitor;
    uint32_t wanted_width, wanted_height;
    int former_fd; // the card as a former seat had it, which holds its last frame; -1: there is none, or it is kms.fd
    bool is_inherited;              // kms.fd is a former seat's, and its right to the screen with it
    struct kms_leftovers leftovers; // of a former seat, when inherited
    bool force_legacy, flip_pending;
    bool mode_lost; // nothing of ours is on screen: the mode is set anew until that works
    int64_t presented_ms;
};

static void frame_done(struct drm_output *drm)
{
    drm->base.busy = false;
    if (!drm->base.paused)
        drm->base.listener.ready(drm->base.listener.data);
}

static bool start_mode(struct drm_output *drm);

// A frame or a mode of ours is on screen, or cannot be: what a former seat left goes, and the next one finds ours.
static void succeed_former(struct drm_output *drm)
{
    if (!drm->base.former)
        return;
    drm->base.former = false;
    kms_remove(&drm->kms, &drm->leftovers);
    kept_replace(KEPT_AS, drm->kms.fd);
    if (drm->former_fd >= 0)
        close(drm->former_fd);
    drm->former_fd = -1;
}

static void everything_is_stale(struct drm_output *drm)
{
    struct output *output = &drm->base;
    output_damage(output, (struct rect){0, 0, (int32_t)output->width, (int32_t)output->height});
}

static void set_mode_again(struct drm_output *drm)
{
    bool have_buffers = drm->framebuffers[0].id != 0;
    drm->flip_pending = false;
    drm->mode_lost = have_buffers ? !kms_set_mode(&drm->kms, &drm->framebuffers[drm->base.front]) : !start_mode(drm);
    drm->base.busy = drm->mode_lost;
    if (drm->mode_lost) {
        wl_event_source_timer_update(drm->timer, RETRY_MS);
        return;
    }
    log_info("the screen is there");
    succeed_former(drm);
    everything_is_stale(drm);
    frame_done(drm);
}

static int on_timer(void *data)
{
    struct drm_output *drm = data;
    if (drm->mode_lost) {
        if (!drm->base.paused)
            set_mode_again(drm);
        return 0;
    }
    if (drm->flip_pending)
        log_error("the graphics driver lost a page flip");
    drm->flip_pending = false;
    frame_done(drm);
    return 0;
}

static void on_flip(int fd, unsigned sequence, unsigned seconds, unsigned microseconds, unsigned crtc, void *data)
{
    (void)fd;
    (void)sequence;
    (void)seconds;
    (void)microseconds;
    (void)crtc;
    struct drm_output *drm = data;
    if (!drm->flip_pending)
        return;
    drm->flip_pending = false;
    int64_t left = drm->presented_ms + FRAME_MS - now_ms();
    wl_event_source_timer_update(drm->timer, left > 0 ? (int)left : 0);
    if (left <= 0)
        frame_done(drm);
}

static int on_drm_readable(int fd, uint32_t mask, void *data)
{
    (void)mask;
    (void)data;
    drmEventContext context = {.version = 3, .page_flip_handler2 = on_flip};
    drmHandleEvent(fd, &context);
    return 0;
}

// The mode is set with it, in place of a former seat's last frame. That sends no event.
static bool present_first(struct drm_output *drm, unsigned index)
{
    if (!kms_set_mode(&drm->kms, &drm->framebuffers[index]))
        return false;
    succeed_former(drm);
    wl_event_source_timer_update(drm->timer, FRAME_MS);
    return true;
}

static bool present_later(struct drm_output *drm, unsigned index, const struct damage *drawn)
{
    if (!kms_flip(&drm->kms, &drm->framebuffers[index], drawn, drm))
        return false;
    drm->flip_pending = true;
    drm->presented_ms = now_ms();
    wl_event_source_timer_update(drm->timer, LOST_FLIP_MS);
    return true;
}

static bool drm_present(struct output *output, unsigned index, const struct damage *drawn)
{
    struct drm_output *drm = (struct drm_output *)output;
    if (output->former ? present_first(drm, index) : present_later(drm, index, drawn))
        return true;
    if (errno != EBUSY) {
        log_error("cannot show a frame (%s): the mode is set again", strerror(errno));
        drm->mode_lost = true;
        succeed_former(drm); // there may be no memory beside its last frame
    }
    wl_event_source_timer_update(drm->timer, RETRY_MS);
    return false;
}

static void destroy_buffers(struct drm_output *drm)
{
    for (unsigned i = 0; i < OUTPUT_BUFFERS; i++) {
        kms_framebuffer_destroy(&drm->kms, &drm->framebuffers[i]);
        drm->base.buffers[i] = (struct output_buffer){0};
    }
}

// A former seat's buffers, of which one stays on screen: to make others and bring one of them there is most of the work
// of a start.
static bool adopt_buffers(struct drm_output *drm)
{
    if (drm->former_fd < 0)
        return false;
    struct kms_leftovers left = kms_left_on(drm->former_fd);
    uint32_t shown = kms_shown(&drm->kms);
    unsigned count = 0, front = OUTPUT_BUFFERS;
    for (unsigned i = 0; i < left.count && count < OUTPUT_BUFFERS; i++) {
        if (!kms_framebuffer_adopt(&drm->kms, left.ids[i], &drm->framebuffers[count]))
            continue;
        if (left.ids[i] == shown)
            front = count;
        count++;
    }
    drm->base.front = front;
    if (count == OUTPUT_BUFFERS && front < OUTPUT_BUFFERS)
        return true;
    destroy_buffers(drm);
    return false;
}

static bool make_buffers(struct drm_output *drm)
{
    drm->base.front = 0;
    for (unsigned i = 0; i < OUTPUT_BUFFERS; i++) {
        if (kms_framebuffer_create(&drm->kms, &drm->framebuffers[i]))
            continue;
        log_error("no memory for a framebuffer of %ux%u: %s", drm->kms.mode.hdisplay, drm->kms.mode.vdisplay,
                  strerror(errno));
        destroy_buffers(drm);
        return false;
    }
    return true;
}

// Has buffers for the mode in drm->kms and shows the first, unless what a former seat drew last is to stay until then.
static bool start_mode(struct drm_output *drm)
{
    struct output *output = &drm->base;
    if (!adopt_buffers(drm) && !make_buffers(drm))
        return false;
    for (unsigned i = 0; i < OUTPUT_BUFFERS; i++)
        output->buffers[i] = (struct output_buffer){.canvas = drm->framebuffers[i].canvas};
    output->width = drm->kms.mode.hdisplay;
    output->height = drm->kms.mode.vdisplay;
    output->busy = drm->flip_pending = false;
    everything_is_stale(drm);
    if (!output->former && !kms_set_mode(&drm->kms, &drm->framebuffers[0])) {
        log_error("cannot set %ux%u: %s", output->width, output->height, strerror(errno));
        destroy_buffers(drm);
        return false;
    }
    log_info("screen %ux%u, %s mode setting", output->width, output->height, drm->kms.atomic ? "atomic" : "legacy");
    return true;
}

static void drm_pause(struct output *output)
{
    output->paused = true;
}

static void drm_resume(struct output *output)
{
    struct drm_output *drm = (struct drm_output *)output;
    output->paused = false;
    set_mode_again(drm);
}

static void drm_destroy(struct output *output)
{
    struct drm_output *drm = (struct drm_output *)output;
    struct wl_event_source *sources[] = {drm->source, drm->timer, drm->udev_source};
    for (unsigned i = 0; i < 3; i++)
        if (sources[i])
            wl_event_source_remove(sources[i]);
    for (unsigned i = 0; i < OUTPUT_BUFFERS; i++)
        kms_framebuffer_leave(&drm->framebuffers[i]); // for the next seat (kept.h)
    if (drm->kms.fd >= 0 && drm->is_inherited)
        close(drm->kms.fd);
    else if (drm->kms.fd >= 0)
        session_close_device(drm->session, drm->kms.fd);
    if (drm->former_fd >= 0)
        close(drm->former_fd);
    udev_monitor_unref(drm->monitor);
    udev_unref(drm->udev);
    free(drm);
}

static bool drm_holds(const struct output *output)
{
    return drmIsMaster(((const struct drm_output *)output)->kms.fd) != 0;
}

static const struct output_ops drm_ops = {drm_present, drm_pause, drm_resume, drm_destroy, drm_holds};

// The monitor may offer another preferred mode now (a resized window under QEMU, another monitor).
static int on_hotplug(int fd, uint32_t mask, void *data)
{
    (void)fd;
    (void)mask;
    struct drm_output *drm = data;
    struct udev_device *device = udev_monitor_receive_device(drm->monitor);
    udev_device_unref(device);
    struct kms found;
    if (!device || !kms_find(&found, drm->kms.fd, drm->wanted_width, drm->wanted_height, drm->force_legacy))
        return 0;
    if (found.connector == drm->kms.connector && found.mode.hdisplay == drm->kms.mode.hdisplay &&
        found.mode.vdisplay == drm->kms.mode.vdisplay)
        return 0;
    struct kms before = drm->kms;
    destroy_buffers(drm);
    drm->kms = found;
    if (!start_mode(drm)) {
        drm->kms = before;
        set_mode_again(drm);
    }
    drm->base.listener.resized(drm->base.listener.data);
    return 0;
}

static bool try_card(struct drm_output *drm, const char *path)
{
    int fd = session_open_device(drm->session, path);
    if (fd < 0) {
        log_error("cannot open %s: %s", path, strerror(errno));
        return false;
    }
    if (kms_find(&drm->kms, fd, drm->wanted_width, drm->wanted_height, drm->force_legacy) && start_mode(drm))
        return true;
    drm->kms.fd = -1;
    session_close_device(drm->session, fd);
    return false;
}

// A card that was opened by a seat manager that is dead: nobody else can have the screen while it is open.
static bool try_inherited(struct drm_output *drm)
{
    if (drm->former_fd < 0 || !drmIsMaster(drm->former_fd))
        return false;
    drm->leftovers = kms_inherit(drm->former_fd);
    if (!kms_find(&drm->kms, drm->former_fd, drm->wanted_width, drm->wanted_height, drm->force_legacy) ||
        !start_mode(drm)) {
        drm->kms.fd = -1;
        return false;
    }
    drm->is_inherited = true;
    drm->former_fd = -1;
    return true;
}

static bool is_boot_display(struct udev_device *card)
{
    struct udev_device *pci = udev_device_get_parent_with_subsystem_devtype(card, "pci", NULL);
    const char *boot = pci ? udev_device_get_sysattr_value(pci, "boot_vga") : NULL;
    return boot && strcmp(boot, "1") == 0;
}

static void add_card(struct output_cards *cards, const char *node, bool first)
{
    if (cards->count == OUTPUT_CARDS || strlen(node) >= sizeof(cards->nodes[0]))
        return;
    unsigned place = first ? 0 : cards->count;
    if (first)
        memmove(cards->nodes[1], cards->nodes[0], cards->count * sizeof(cards->nodes[0]));
    snprintf(cards->nodes[place], sizeof(cards->nodes[0]), "%s", node);
    cards->count++;
}

void output_drm_cards(struct output_cards *cards)
{
    *cards = (struct output_cards){0};
    struct udev *udev = udev_new();
    struct udev_enumerate *found = udev ? udev_enumerate_new(udev) : NULL;
    if (!found) {
        udev_unref(udev);
        return;
    }
    udev_enumerate_add_match_subsystem(found, "drm");
    udev_enumerate_add_match_sysname(found, "card[0-9]");
    udev_enumerate_scan_devices(found);
    struct udev_list_entry *entry;
    udev_list_entry_foreach(entry, udev_enumerate_get_list_entry(found)) {
        struct udev_device *card = udev_device_new_from_syspath(udev, udev_list_entry_get_name(entry));
        const char *node = card ? udev_device_get_devnode(card) : NULL;
        if (node)
            add_card(cards, node, is_boot_display(card));
        udev_device_unref(card);
    }
    udev_enumerate_unref(found);
    udev_unref(udev);
}

static bool try_cards(struct drm_output *drm, const struct output_cards *cards)
{
    for (unsigned i = 0; i < cards->count; i++)
        if (try_card(drm, cards->nodes[i]))
            return true;
    return false;
}

// There may be others than those found before.
static bool try_new_cards(struct drm_output *drm, const struct output_cards *before)
{
    struct output_cards now;
    output_drm_cards(&now);
    return memcmp(&now, before, sizeof(now)) != 0 && try_cards(drm, &now);
}

static bool watch(struct drm_output *drm, struct wl_event_loop *loop)
{
    drm->source = wl_event_loop_add_fd(loop, drm->kms.fd, WL_EVENT_READABLE, on_drm_readable, drm);
    drm->timer = wl_event_loop_add_timer(loop, on_timer, drm);
    drm->monitor = udev_monitor_new_from_netlink(drm->udev, "udev");
    if (drm->monitor) {
        udev_monitor_filter_add_match_subsystem_devtype(drm->monitor, "drm", NULL);
        udev_monitor_enable_receiving(drm->monitor);
        drm->udev_source =
            wl_event_loop_add_fd(loop, udev_monitor_get_fd(drm->monitor), WL_EVENT_READABLE, on_hotplug, drm);
    }
    return drm->source && drm->timer;
}

struct output *output_drm_open(struct wl_event_loop *loop, struct session *session, const struct output_cards *cards,
                               uint32_t width, uint32_t height, bool force_legacy)
{
    struct drm_output *drm = calloc(1, sizeof(*drm));
    if (!drm)
        return NULL;
    drm->base.ops = &drm_ops;
    drm->session = session;
    drm->wanted_width = width;
    drm->wanted_height = height;
    drm->force_legacy = force_legacy;
    drm->kms.fd = -1;
    drm->former_fd = kept_take(KEPT_AS);
    drm->base.former = drm->former_fd >= 0;
    drm->udev = udev_new();
    bool found = drm->udev && (try_inherited(drm) || try_cards(drm, cards) || try_new_cards(drm, cards));
    if (found && !drm->base.former)
        kept_replace(KEPT_AS, drm->kms.fd);
    if (found && watch(drm, loop))
        return &drm->base;
    log_error("no screen: no /dev/dri/card* that can be opened has a connected monitor");
    drm_destroy(&drm->base);
    return NULL;
}
