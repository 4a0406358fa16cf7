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

struct libinput_event *libinput_get_event(struct libinput *libinput)
{
    (void)libinput;
    return NULL;
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

void seat_key(struct seat *seat, uint32_t time, uint32_t code, bool pressed)
{
    CHECK(!seat && time && code && pressed);
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
    input_close(input);
    CHECK(device < 0);
    wl_event_loop_destroy(seat->loop);
    free(seat);
    return 0;
}
