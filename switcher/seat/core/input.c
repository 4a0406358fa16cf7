// libinput events become the seat's.
#include "input.h"

#include <assert.h>
#include <errno.h>
#include <libinput.h>
#include <libudev.h>
#include <linux/input.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "log.h"
#include "seat.h"
#include "session.h"

struct input {
    struct seat *seat;
    struct session *session; // NULL: nothing is opened
    struct udev *udev;
    struct libinput *libinput;
    struct wl_event_source *source;
    struct wl_list keyboards; // struct keyboard
    unsigned lamps;           // of enum lamp
    bool missed;              // a device that could not be opened since devices were asked for last
};

struct keyboard {
    struct wl_list link; // input->keyboards
    struct libinput_device *device;
};

// Whether it is typed or pointed with. Others (power button, lid, brightness) stay shared: the service VM's
// own power management listens to them too.
static bool is_keyboard_or_pointer(int fd)
{
    unsigned long keys[KEY_CNT / (8 * sizeof(long))] = {0};
    if (ioctl(fd, EVIOCGBIT(EV_KEY, sizeof(keys)), keys) < 0)
        return false;
    struct key_set set = {0};
    static_assert(sizeof(set) == sizeof(keys), "the kernel's bit map is a key_set");
    memcpy(&set, keys, sizeof(set));
    return key_set_has(&set, KEY_A) || key_set_has(&set, BTN_LEFT) || key_set_has(&set, BTN_TOUCH);
}

static int open_device(const char *path, int flags, void *data)
{
    (void)flags;
    struct input *input = data;
    if (!input->session)
        return -ENODEV;
    int fd = session_open_device(input->session, path);
    if (fd < 0) {
        int error = errno;
        log_error("cannot open %s: %s", path, strerror(error));
        input->missed = true;
        return -error;
    }
    if (is_keyboard_or_pointer(fd) && ioctl(fd, EVIOCGRAB, 1) != 0)
        log_error("cannot take %s exclusively: %s", path, strerror(errno));
    return fd;
}

static void close_device(int fd, void *data)
{
    session_close_device(((struct input *)data)->session, fd);
}

static const struct libinput_interface interface = {open_device, close_device};

// Keys that turn the machine off or to sleep are no guest's, whoever has the focus. It cannot sleep.
static bool is_machine_key(uint32_t code)
{
    return code == KEY_POWER || code == KEY_SLEEP || code == KEY_SUSPEND || code == KEY_POWER2;
}

static void machine_key(struct seat *seat, uint32_t code, bool pressed)
{
    if (pressed && (code == KEY_POWER || code == KEY_POWER2))
        seat_power_button(seat);
}

static void on_key(struct input *input, struct libinput_event_keyboard *event)
{
    bool pressed = libinput_event_keyboard_get_key_state(event) == LIBINPUT_KEY_STATE_PRESSED;
    // Of several keyboards the first press and the last release count.
    if (libinput_event_keyboard_get_seat_key_count(event) != (pressed ? 1u : 0u))
        return;
    uint32_t code = libinput_event_keyboard_get_key(event);
    if (is_machine_key(code))
        machine_key(input->seat, code, pressed);
    else
        seat_key(input->seat, libinput_event_keyboard_get_time(event), code, pressed);
}

static void on_button(struct input *input, struct libinput_event_pointer *event)
{
    bool pressed = libinput_event_pointer_get_button_state(event) == LIBINPUT_BUTTON_STATE_PRESSED;
    if (libinput_event_pointer_get_seat_button_count(event) != (pressed ? 1u : 0u))
        return;
    seat_pointer_button(input->seat, libinput_event_pointer_get_time(event), libinput_event_pointer_get_button(event),
                        pressed);
}

static void on_scroll(struct input *input, struct libinput_event_pointer *event, bool wheel)
{
    static const enum libinput_pointer_axis axes[] = {LIBINPUT_POINTER_AXIS_SCROLL_VERTICAL,
                                                      LIBINPUT_POINTER_AXIS_SCROLL_HORIZONTAL};
    for (int horizontal = 0; horizontal < 2; horizontal++) {
        if (!libinput_event_pointer_has_axis(event, axes[horizontal]))
            continue;
        double pixels = libinput_event_pointer_get_scroll_value(event, axes[horizontal]);
        double v120 = wheel ? libinput_event_pointer_get_scroll_value_v120(event, axes[horizontal]) : 0;
        seat_pointer_wheel(input->seat, libinput_event_pointer_get_time(event), horizontal, pixels, (int32_t)v120);
    }
}

static void light(const struct keyboard *keyboard, unsigned lamps)
{
    unsigned leds = 0;
    leds |= lamps & LAMP_NUM ? LIBINPUT_LED_NUM_LOCK : 0;
    leds |= lamps & LAMP_CAPS ? LIBINPUT_LED_CAPS_LOCK : 0;
    leds |= lamps & LAMP_SCROLL ? LIBINPUT_LED_SCROLL_LOCK : 0;
    libinput_device_led_update(keyboard->device, (enum libinput_led)leds);
}

void input_set_lamps(struct input *input, unsigned lamps)
{
    struct keyboard *keyboard;
    input->lamps = lamps;
    wl_list_for_each(keyboard, &input->keyboards, link)
        light(keyboard, lamps);
}

static void on_device_added(struct input *input, struct libinput_device *device)
{
    log_info("input: %s", libinput_device_get_name(device));
    if (libinput_device_config_tap_get_finger_count(device) > 0)
        libinput_device_config_tap_set_enabled(device, LIBINPUT_CONFIG_TAP_ENABLED);
    struct keyboard *keyboard = NULL;
    if (libinput_device_has_capability(device, LIBINPUT_DEVICE_CAP_KEYBOARD))
        keyboard = calloc(1, sizeof(*keyboard));
    if (!keyboard)
        return;
    keyboard->device = device; // valid until on_device_removed()
    wl_list_insert(&input->keyboards, &keyboard->link);
    light(keyboard, input->lamps);
}

static void on_device_removed(struct input *input, struct libinput_device *device)
{
    struct keyboard *keyboard, *next;
    wl_list_for_each_safe(keyboard, next, &input->keyboards, link) {
        if (keyboard->device != device)
            continue;
        wl_list_remove(&keyboard->link);
        free(keyboard);
    }
}

static void on_event(struct input *input, struct libinput_event *event)
{
    struct libinput_event_pointer *p;
    switch (libinput_event_get_type(event)) {
    case LIBINPUT_EVENT_DEVICE_ADDED:
        on_device_added(input, libinput_event_get_device(event));
        break;
    case LIBINPUT_EVENT_DEVICE_REMOVED:
        on_device_removed(input, libinput_event_get_device(event));
        break;
    case LIBINPUT_EVENT_KEYBOARD_KEY:
        on_key(input, libinput_event_get_keyboard_event(event));
        break;
    case LIBINPUT_EVENT_POINTER_MOTION:
        p = libinput_event_get_pointer_event(event);
        seat_pointer_motion(input->seat, libinput_event_pointer_get_time(p), libinput_event_pointer_get_dx(p),
                            libinput_event_pointer_get_dy(p));
        break;
    case LIBINPUT_EVENT_POINTER_MOTION_ABSOLUTE:
        p = libinput_event_get_pointer_event(event);
        seat_pointer_absolute(input->seat, libinput_event_pointer_get_time(p),
                              libinput_event_pointer_get_absolute_x_transformed(p, 1),
                              libinput_event_pointer_get_absolute_y_transformed(p, 1));
        break;
    case LIBINPUT_EVENT_POINTER_BUTTON:
        on_button(input, libinput_event_get_pointer_event(event));
        break;
    case LIBINPUT_EVENT_POINTER_SCROLL_WHEEL:
        on_scroll(input, libinput_event_get_pointer_event(event), true);
        break;
    case LIBINPUT_EVENT_POINTER_SCROLL_FINGER:
    case LIBINPUT_EVENT_POINTER_SCROLL_CONTINUOUS:
        on_scroll(input, libinput_event_get_pointer_event(event), false);
        break;
    default:
        break;
    }
}

static int dispatch(int fd, uint32_t mask, void *data)
{
    (void)fd;
    (void)mask;
    struct input *input = data;
    libinput_dispatch(input->libinput);
    struct libinput_event *event;
    while ((event = libinput_get_event(input->libinput)) != NULL) {
        on_event(input, event);
        libinput_event_destroy(event);
    }
    return 0;
}

// libinput reads what it knows of devices when it is given its seat, and asks for devices again when it is resumed.
struct input *input_prepare(void)
{
    struct input *input = calloc(1, sizeof(*input));
    if (!input)
        return NULL;
    wl_list_init(&input->keyboards);
    input->udev = udev_new();
    if (input->udev)
        input->libinput = libinput_udev_create_context(&interface, input, input->udev);
    if (!input->libinput || libinput_udev_assign_seat(input->libinput, SESSION_SEAT) != 0) {
        log_error("libinput cannot be started on " SESSION_SEAT);
        input_close(input);
        return NULL;
    }
    libinput_suspend(input->libinput);
    return input;
}

bool input_start(struct input *input, struct seat *seat, struct session *session)
{
    input->seat = seat;
    input->session = session;
    input->source =
        wl_event_loop_add_fd(seat->loop, libinput_get_fd(input->libinput), WL_EVENT_READABLE, dispatch, input);
    if (!input->source)
        return false;
    input_resume(input);
    return true;
}

void input_close(struct input *input)
{
    if (!input)
        return;
    if (input->source)
        wl_event_source_remove(input->source);
    struct keyboard *keyboard, *next;
    wl_list_for_each_safe(keyboard, next, &input->keyboards, link)
        free(keyboard);
    if (input->libinput)
        libinput_unref(input->libinput);
    if (input->udev)
        udev_unref(input->udev);
    free(input);
}

void input_suspend(struct input *input)
{
    libinput_suspend(input->libinput);
    dispatch(-1, 0, input);
}

// A device that came while the seat manager was away would be found only if it came again.
void input_resume(struct input *input)
{
    if (input->missed)
        libinput_suspend(input->libinput);
    input->missed = false;
    if (libinput_resume(input->libinput) != 0)
        log_error("input devices cannot be taken back");
    dispatch(-1, 0, input);
}
