// When devices are asked for, and by whose leave. libinput is a fake that finds one device each time it is resumed.
#include <errno.h>
#include <fcntl.h>
#include <libinput.h>
#include <libudev.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../check.h"
#include "input.h"
#include "seat.h"
#include "session.h"

static const struct libinput_interface *interface;
static void *interface_data;
static int pipe_ends[2];
static bool active, gone; // gone: nobody gives devices
static unsigned opened, refused, read_descriptions;
static int device = -1;

void log_info(const char *format, ...)
{
    (void)format;
}

void log_error(const char *format, ...)
{
    (void)format;
}

struct udev *udev_new(void)
{
    return (struct udev *)&active;
}

struct udev *udev_unref(struct udev *udev)
{
    (void)udev;
    return NULL;
}

struct libinput *libinput_udev_create_context(const struct libinput_interface *given, void *data, struct udev *udev)
{
    (void)udev;
    interface = given;
    interface_data = data;
    return (struct libinput *)&interface;
}

static void find_device(void)
{
    if (active)
        return;
    active = true;
    device = interface->open_restricted("/dev/null", O_RDWR, interface_data);
    opened += device >= 0;
    refused += device < 0;
}

int libinput_udev_assign_seat(struct libinput *libinput, const char *name)
{
    (void)libinput;
    CHECK(strcmp(name, "seat0") == 0);
    read_descriptions++;
    find_device();
    return 0;
}

void libinput_suspend(struct libinput *libinput)
{
    (void)libinput;
    active = false;
    if (device >= 0)
        interface->close_restricted(device, interface_data);
    device = -1;
}

int libinput_resume(struct libinput *libinput)
{
    (void)libinput;
    find_device();
    return 0;
}

int libinput_get_fd(struct libinput *libinput)
{
    (void)libinput;
    return pipe_ends[0];
}

int libinput_dispatch(struct libinput *libinput)
{
    (void)libinput;
    return 0;
}

// What libinput tells next: at most one event at a time; its device is the event.
static enum libinput_event_type event;
static unsigned leds[2], devices_lit; // of two keyboards, and how often one was told

struct libinput_event *libinput_get_event(struct libinput *libinput)
{
    (void)libinput;
    return event == LIBINPUT_EVENT_NONE ? NULL : (struct libinput_event *)&event;
}

enum libinput_event_type libinput_event_get_type(struct libinput_event *given)
{
    (void)given;
    return event;
}

void libinput_event_destroy(struct libinput_event *given)
{
    (void)given;
    event = LIBINPUT_EVENT_NONE;
}

static unsigned which; // keyboard of the event; 2: a mouse

struct libinput_device *libinput_event_get_device(struct libinput_event *given)
{
    (void)given;
    static unsigned mouse;
    return (struct libinput_device *)(which == 2 ? &mouse : &leds[which]);
}

const char *libinput_device_get_name(struct libinput_device *given)
{
    (void)given;
    return "a device";
}

int libinput_device_config_tap_get_finger_count(struct libinput_device *given)
{
    (void)given;
    return 0;
}

int libinput_device_has_capability(struct libinput_device *given, enum libinput_device_capability capability)
{
    return capability == LIBINPUT_DEVICE_CAP_KEYBOARD && (void *)given >= (void *)leds &&
           (void *)given < (void *)(leds + 2);
}

void libinput_device_led_update(struct libinput_device *given, enum libinput_led lit)
{
    *(unsigned *)given = lit;
    devices_lit++;
}

static struct {
    uint32_t code;
    bool pressed;
} key;
static unsigned powered;

struct libinput_event_keyboard *libinput_event_get_keyboard_event(struct libinput_event *given)
{
    return (struct libinput_event_keyboard *)given;
}

enum libinput_key_state libinput_event_keyboard_get_key_state(struct libinput_event_keyboard *given)
{
    (void)given;
    return key.pressed ? LIBINPUT_KEY_STATE_PRESSED : LIBINPUT_KEY_STATE_RELEASED;
}

uint32_t libinput_event_keyboard_get_seat_key_count(struct libinput_event_keyboard *given)
{
    (void)given;
    return key.pressed;
}

uint32_t libinput_event_keyboard_get_key(struct libinput_event_keyboard *given)
{
    (void)given;
    return key.code;
}

uint32_t libinput_event_keyboard_get_time(struct libinput_event_keyboard *given)
{
    (void)given;
    return 1;
}

void seat_power_button(struct seat *seat)
{
    CHECK(seat != NULL);
    powered++;
}

static void happens(struct seat *seat, enum libinput_event_type type, unsigned keyboard)
{
    event = type;
    which = keyboard;
    CHECK(write(pipe_ends[1], "x", 1) == 1);
    wl_event_loop_dispatch(seat->loop, 0);
    char byte;
    CHECK(event == LIBINPUT_EVENT_NONE && read(pipe_ends[0], &byte, 1) == 1);
}

// Every keyboard has the lamps that were last wanted, also one that comes later; one that is gone is not touched.
static void lamps(struct seat *seat, struct input *input)
{
    happens(seat, LIBINPUT_EVENT_DEVICE_ADDED, 0);
    happens(seat, LIBINPUT_EVENT_DEVICE_ADDED, 2);
    CHECK(devices_lit == 1 && leds[0] == 0);
    input_set_lamps(input, LAMP_CAPS | LAMP_SCROLL);
    CHECK(leds[0] == (LIBINPUT_LED_CAPS_LOCK | LIBINPUT_LED_SCROLL_LOCK) && devices_lit == 2);
    happens(seat, LIBINPUT_EVENT_DEVICE_ADDED, 1);
    CHECK(leds[1] == leds[0] && devices_lit == 3);
    happens(seat, LIBINPUT_EVENT_DEVICE_REMOVED, 0);
    input_set_lamps(input, LAMP_NUM);
    CHECK(leds[1] == LIBINPUT_LED_NUM_LOCK && leds[0] != leds[1] && devices_lit == 4);
}

struct libinput *libinput_unref(struct libinput *libinput)
{
    libinput_suspend(libinput);
    return NULL;
}

int session_open_device(struct session *session, const char *path)
{
    CHECK(session != NULL);
    if (!gone)
        return open(path, O_RDWR | O_CLOEXEC);
    errno = ENOTCONN;
    return -1;
}

void session_close_device(struct session *session, int fd)
{
    CHECK(session != NULL);
    close(fd);
}

static unsigned keys_told;

void seat_key(struct seat *seat, uint32_t time, uint32_t code, bool pressed)
{
    CHECK(seat && time && code == KEY_A);
    keys_told += pressed ? 1 : 100;
}

void seat_pointer_motion(struct seat *seat, uint32_t time, double dx, double dy)
{
    CHECK(!seat && time && dx > dy);
}

void seat_pointer_absolute(struct seat *seat, uint32_t time, double x, double y)
{
    CHECK(!seat && time && x > y);
}

void seat_pointer_button(struct seat *seat, uint32_t time, uint32_t code, bool pressed)
{
    CHECK(!seat && time && code && pressed);
}

void seat_pointer_wheel(struct seat *seat, uint32_t time, bool horizontal, double pixels, int32_t v120)
{
    CHECK(!seat && time && horizontal && pixels > v120);
}

// The keys of the machine are nobody's; the power button is told once.
static void machine_keys(struct seat *seat)
{
    static const uint32_t codes[] = {KEY_POWER, KEY_SLEEP, KEY_SUSPEND, KEY_A};
    for (unsigned i = 0; i < 8; i++) {
        key.code = codes[i / 2];
        key.pressed = i % 2 == 0;
        happens(seat, LIBINPUT_EVENT_KEYBOARD_KEY, 0);
    }
    CHECK(powered == 1 && keys_told == 101);
}

int main(void)
{
    struct seat *seat = calloc(1, sizeof(*seat));
    struct session *session = (struct session *)&gone;
    CHECK(pipe(pipe_ends) == 0);
    seat->loop = wl_event_loop_create();
    struct input *input = input_prepare();
    CHECK(input != NULL && opened == 0 && refused == 1 && !active); // it waits, and takes no news of devices
    CHECK(input_start(input, seat, session) && opened == 1 && device >= 0 && read_descriptions == 1);
    input_resume(input);
    CHECK(opened == 1); // nothing was missed: what is open stays as it is
    input_suspend(input);
    CHECK(device < 0);
    gone = true;
    input_resume(input);
    CHECK(opened == 1 && refused == 2);
    gone = false;
    input_resume(input); // by a seat manager that is back
    CHECK(opened == 2 && device >= 0);
    input_resume(input);
    CHECK(opened == 2);
    lamps(seat, input);
    machine_keys(seat);
    input_close(input);
    CHECK(device < 0);
    wl_event_loop_destroy(seat->loop);
    free(seat);
    return 0;
}
