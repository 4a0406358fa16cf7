// The KMS output over a card whose flips and modes fail when they are told to. udev, libdrm and kms.c are fakes.
#include <errno.h>
#include <fcntl.h>
#include <libudev.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <xf86drm.h>

#include "../check.h"
#include "kept.h"
#include "kms.h"
#include "output.h"
#include "session.h"

enum { SIDE = 8, CARD = 3 };

static struct wl_event_loop *loop;
static struct output *output;
static int card = -1, flip_error, mode_error;
static unsigned modes, flips, ready, resized;
static uint32_t shown, next_id = 1, monitor_side = SIDE; // shown: id of the framebuffer on screen
static void *flip_data;                                  // of the flip on its way
static int monitor = -1;
static int kept = -1, former = -1; // what the service manager keeps; what it hands to the next seat
static bool former_is_master;
static unsigned inherited, removed, destroyed; // destroyed: framebuffers that were on screen
static struct kms_leftovers left;              // on the former seat's descriptor
static bool may_adopt, find_before;
static unsigned scans; // for cards
static unsigned made, adopted;
static uint8_t *shown_pixels; // of an adopted framebuffer that was on screen

void log_info(const char *format, ...)
{
    (void)format;
}

void log_error(const char *format, ...)
{
    (void)format;
}

// ---- kept.c ----

int kept_take(const char *name)
{
    CHECK(strcmp(name, "screen") == 0);
    return former;
}

void kept_replace(const char *name, int fd)
{
    CHECK(strcmp(name, "screen") == 0);
    kept = fd;
}

int drmIsMaster(int fd)
{
    return fd == former ? former_is_master : fd == card;
}

// ---- kms.c ----

struct kms_leftovers kms_inherit(int fd)
{
    CHECK(fd == former && former_is_master);
    inherited++;
    return (struct kms_leftovers){1, {77}};
}

void kms_remove(const struct kms *kms, struct kms_leftovers *leftovers)
{
    (void)kms;
    CHECK(shown != 77); // not what is on screen
    removed += leftovers->count;
    leftovers->count = 0;
}

struct kms_leftovers kms_left_on(int fd)
{
    CHECK(fd == former);
    return left;
}

uint32_t kms_shown(const struct kms *kms)
{
    CHECK(kms->fd == card);
    return shown;
}

bool kms_find(struct kms *kms, int fd, uint32_t width, uint32_t height, bool force_legacy)
{
    (void)width;
    (void)height;
    (void)force_legacy;
    *kms = (struct kms){.fd = fd, .connector = 1, .mode = {.hdisplay = monitor_side, .vdisplay = monitor_side}};
    return true;
}

bool kms_framebuffer_create(const struct kms *kms, struct kms_framebuffer *framebuffer)
{
    uint32_t width = kms->mode.hdisplay, height = kms->mode.vdisplay;
    *framebuffer = (struct kms_framebuffer){.id = next_id++};
    framebuffer->canvas = (struct canvas){calloc(width, height * 4), width, height, width * 4};
    made++;
    return true;
}

bool kms_framebuffer_adopt(const struct kms *kms, uint32_t id, struct kms_framebuffer *framebuffer)
{
    *framebuffer = (struct kms_framebuffer){0};
    if (!may_adopt || !kms_framebuffer_create(kms, framebuffer))
        return false;
    made--;
    adopted++;
    if (id == shown)
        shown_pixels = framebuffer->canvas.pixels;
    return true;
}

void kms_framebuffer_destroy(const struct kms *kms, struct kms_framebuffer *framebuffer)
{
    (void)kms;
    destroyed += framebuffer->id == shown;
    free(framebuffer->canvas.pixels);
    *framebuffer = (struct kms_framebuffer){0};
}

void kms_framebuffer_leave(struct kms_framebuffer *framebuffer)
{
    free(framebuffer->canvas.pixels);
    *framebuffer = (struct kms_framebuffer){0};
}

bool kms_set_mode(struct kms *kms, const struct kms_framebuffer *framebuffer)
{
    (void)kms;
    CHECK(framebuffer->id != 0);
    modes++;
    errno = mode_error;
    if (!mode_error)
        shown = framebuffer->id;
    return !mode_error;
}

bool kms_flip(const struct kms *kms, const struct kms_framebuffer *framebuffer, const struct damage *drawn, void *data)
{
    (void)kms;
    CHECK(framebuffer->id != 0 && framebuffer->id != shown && drawn->count > 0);
    flips++;
    errno = flip_error;
    if (flip_error)
        return false;
    shown = framebuffer->id;
    flip_data = data;
    uint64_t one = 1;
    CHECK(write(card, &one, sizeof(one)) == sizeof(one));
    return true;
}

int drmHandleEvent(int fd, drmEventContextPtr context)
{
    uint64_t count;
    CHECK(read(fd, &count, sizeof(count)) == sizeof(count));
    context->page_flip_handler2(fd, 0, 0, 0, 0, flip_data);
    return 0;
}

// ---- session.c ----

int session_open_device(struct session *session, const char *path)
{
    (void)session;
    CHECK(strcmp(path, "/dev/dri/card0") == 0);
    card = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return card;
}

void session_close_device(struct session *session, int fd)
{
    (void)session;
    close(fd);
}

// ---- libudev: one card ----

static char thing; // what every pointer points at

struct udev *udev_new(void)
{
    return (struct udev *)&thing;
}

struct udev *udev_unref(struct udev *udev)
{
    (void)udev;
    return NULL;
}

struct udev_enumerate *udev_enumerate_new(struct udev *udev)
{
    (void)udev;
    return (struct udev_enumerate *)&thing;
}

int udev_enumerate_add_match_subsystem(struct udev_enumerate *cards, const char *subsystem)
{
    (void)cards;
    (void)subsystem;
    return 0;
}

int udev_enumerate_add_match_sysname(struct udev_enumerate *cards, const char *name)
{
    (void)cards;
    (void)name;
    return 0;
}

int udev_enumerate_scan_devices(struct udev_enumerate *cards)
{
    (void)cards;
    scans++;
    return 0;
}

struct udev_list_entry *udev_enumerate_get_list_entry(struct udev_enumerate *cards)
{
    (void)cards;
    return (struct udev_list_entry *)&thing;
}

struct udev_list_entry *udev_list_entry_get_next(struct udev_list_entry *entry)
{
    (void)entry;
    return NULL;
}

const char *udev_list_entry_get_name(struct udev_list_entry *entry)
{
    (void)entry;
    return "/sys/card0";
}

struct udev_enumerate *udev_enumerate_unref(struct udev_enumerate *cards)
{
    (void)cards;
    return NULL;
}

struct udev_device *udev_device_new_from_syspath(struct udev *udev, const char *path)
{
    (void)udev;
    (void)path;
    return (struct udev_device *)&thing;
}

const char *udev_device_get_devnode(struct udev_device *device)
{
    (void)device;
    return "/dev/dri/card0";
}

struct udev_device *udev_device_get_parent_with_subsystem_devtype(struct udev_device *device, const char *subsystem,
                                                                  const char *type)
{
    (void)device;
    (void)subsystem;
    (void)type;
    return NULL;
}

const char *udev_device_get_sysattr_value(struct udev_device *device, const char *name)
{
    (void)device;
    (void)name;
    return NULL;
}

struct udev_device *udev_device_unref(struct udev_device *device)
{
    (void)device;
    return NULL;
}

struct udev_monitor *udev_monitor_new_from_netlink(struct udev *udev, const char *name)
{
    (void)udev;
    (void)name;
    monitor = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return (struct udev_monitor *)&thing;
}

int udev_monitor_filter_add_match_subsystem_devtype(struct udev_monitor *m, const char *subsystem, const char *type)
{
    (void)m;
    (void)subsystem;
    (void)type;
    return 0;
}

int udev_monitor_enable_receiving(struct udev_monitor *m)
{
    (void)m;
    return 0;
}

int udev_monitor_get_fd(struct udev_monitor *m)
{
    (void)m;
    return monitor;
}

struct udev_device *udev_monitor_receive_device(struct udev_monitor *m)
{
    (void)m;
    uint64_t count;
    CHECK(read(monitor, &count, sizeof(count)) == sizeof(count));
    return (struct udev_device *)&thing;
}

struct udev_monitor *udev_monitor_unref(struct udev_monitor *m)
{
    (void)m;
    return NULL;
}

// ---- tests ----

static void on_ready(void *data)
{
    (void)data;
    ready++;
}

static void on_resized(void *data)
{
    (void)data;
    resized++;
}

// Turns the loop until something is told, or for long enough.
static void until(const unsigned *count, unsigned value)
{
    for (int turns = 0; turns < 200 && *count < value; turns++)
        wl_event_loop_dispatch(loop, 50);
}

static bool show_a_frame(void)
{
    struct output_buffer *buffer = output_begin(output);
    CHECK(buffer && buffer->canvas.pixels && buffer->stale.count > 0);
    return output_present(output);
}

static void damage_all(void)
{
    output_damage(output, (struct rect){0, 0, SIDE, SIDE});
}

static void frames(void)
{
    CHECK(modes == 1 && show_a_frame() && output_begin(output) == NULL);
    until(&ready, 1);
    CHECK(ready == 1 && flips == 1 && output_begin(output) != NULL);
}

static void busy_card(void)
{
    damage_all();
    flip_error = EBUSY;
    uint32_t before = shown;
    CHECK(!show_a_frame() && shown == before && output_begin(output) == NULL);
    until(&ready, 2);
    flip_error = 0;
    CHECK(ready == 2 && modes == 1 && show_a_frame() && shown != before);
    until(&ready, 3);
}

static void flip_that_fails(void)
{
    damage_all();
    flip_error = EINVAL;
    mode_error = EINVAL;
    CHECK(!show_a_frame());
    until(&modes, 4); // tried again, in vain
    CHECK(modes >= 4 && ready == 3 && output_begin(output) == NULL);
    flip_error = mode_error = 0;
    until(&ready, 4);
    CHECK(ready == 4 && show_a_frame()); // all of it is drawn again
    until(&ready, 5);
}

static void session_comes_back(void)
{
    output->ops->pause(output);
    CHECK(output_begin(output) == NULL);
    mode_error = EACCES;
    unsigned before = modes;
    output->ops->resume(output);
    CHECK(modes == before + 1 && output_begin(output) == NULL);
    until(&modes, before + 3);
    mode_error = 0;
    until(&ready, 6);
    CHECK(ready == 6 && modes > before + 2 && show_a_frame());
    until(&ready, 7);
}

static const uint8_t *front_pixels(void)
{
    return output->buffers[output->front].canvas.pixels;
}

static void another_monitor(void)
{
    monitor_side = 2 * SIDE;
    mode_error = ENOSPC; // neither its mode nor the one before can be set
    uint64_t one = 1;
    CHECK(write(monitor, &one, sizeof(one)) == sizeof(one));
    until(&resized, 1);
    CHECK(output_begin(output) == NULL && front_pixels() == NULL); // no picture, and no stale pointer
    mode_error = 0;
    until(&ready, 8);
    CHECK(ready == 8 && front_pixels() != NULL && show_a_frame());
    until(&ready, 9);
}

static void open_output(void)
{
    struct output_cards cards = {0};
    if (find_before)
        output_drm_cards(&cards);
    unsigned before = scans;
    output = output_drm_open(loop, NULL, &cards, 0, 0, false);
    CHECK(scans == before + !(find_before || former_is_master)); // what is known is not sought again
    find_before = !find_before;
    CHECK(output && output->width == SIDE);
    output->listener = (struct output_listener){on_ready, on_resized, NULL};
}

// Nothing is made anew, and what is on screen is not drawn over.
static void next_seat_adopts(void)
{
    former = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    former_is_master = false;
    modes = flips = made = adopted = 0;
    may_adopt = true;
    left = (struct kms_leftovers){3, {78, 77, 79}};
    shown = 77;
    open_output();
    CHECK(output->former && adopted == 2 && made == 0 && modes == 0 && shown == 77 && shown_pixels);
    CHECK(front_pixels() == shown_pixels && output_begin(output)->canvas.pixels != shown_pixels);
    CHECK(show_a_frame() && modes == 1 && !output->former);
    until(&ready, ready + 1);
    output_destroy(output);
    close(monitor);
    former = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    left = (struct kms_leftovers){1, {77}};
    shown = 77;
    open_output();
    CHECK(made == 2 && output->former && shown == 77); // one is not enough
    output_destroy(output);
    close(monitor);
    former = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    left = (struct kms_leftovers){2, {78, 79}};
    open_output();
    CHECK(made == 4); // nor are two that may both be on screen soon: nobody knows what is
    output_destroy(output);
    close(monitor);
    may_adopt = false;
}

static bool is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

// The seat died, and its manager of devices took the screen from what is left of it: the next seat opens the card anew,
// and the last frame stays until there is one to follow.
static void next_seat(void)
{
    monitor_side = SIDE;
    former = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    former_is_master = false;
    kept = former;
    modes = flips = ready = 0;
    shown = 77;
    open_output();
    CHECK(output->former && shown == 77 && modes == 0 && is_open(former) && kept == former && card != former);
    CHECK(show_a_frame() && shown != 77 && modes == 1 && flips == 0 && !output->former);
    CHECK(kept == card && !is_open(former) && inherited == 0 && output_begin(output) == NULL);
    until(&ready, 1);
    CHECK(ready == 1 && output_begin(output) != NULL);
    damage_all();
    CHECK(show_a_frame() && modes == 1 && flips == 1);
    until(&ready, 2);
    destroyed = 0;
    output_destroy(output);
    CHECK(destroyed == 0); // an orderly end leaves its picture too
    close(monitor);
}

// The manager of devices died before the seat: the card is still the former seat's, and nobody else can have it.
static void next_seat_inherits(void)
{
    former = card = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    former_is_master = true;
    modes = flips = ready = removed = 0;
    shown = 77;
    open_output();
    CHECK(output->former && inherited == 1 && shown == 77 && modes == 0 && output->ops->holds(output));
    mode_error = EINVAL;
    shown = 0; // what is removed goes from the screen
    CHECK(!show_a_frame() && removed == 1 && kept == former && output_begin(output) == NULL); // in case it lacks memory
    mode_error = 0;
    until(&ready, 1);
    CHECK(ready == 1 && !output->former && show_a_frame());
    former_is_master = false;
    CHECK(!output->ops->holds(output));
    output_destroy(output);
    CHECK(!is_open(former));
}

int main(void)
{
    loop = wl_event_loop_create();
    open_output();
    CHECK(kept == card);
    frames();
    busy_card();
    flip_that_fails();
    session_comes_back();
    another_monitor();
    output_destroy(output);
    close(monitor);
    next_seat();
    next_seat_adopts();
    next_seat_inherits();
    close(monitor);
    wl_event_loop_destroy(loop);
    return 0;
}
