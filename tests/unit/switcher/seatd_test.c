// The session over a seat manager that gives devices, takes them away, and dies. libseat is a fake.
#include <errno.h>
#include <fcntl.h>
#include <libseat.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../check.h"
#include "session.h"

static const struct libseat_seat_listener *listener;
static void *listener_data;
static int connection = -1, manager = -1; // the session's end, and the seat manager's
static bool dead, refuses, silent;
static bool together; // the seat comes with the answer, and nothing is left to read
static unsigned said_back, enabled, disabled, lost, dispatched, acknowledged, errors, closed;

static void say(uint64_t what)
{
    CHECK(write(manager, &what, sizeof(what)) == sizeof(what));
}

void log_info(const char *format, ...)
{
    said_back += strcmp(format, "the seat manager is back") == 0;
}

void log_error(const char *format, ...)
{
    (void)format;
    errors++;
}

void libseat_set_log_level(enum libseat_log_level level)
{
    (void)level;
}

struct libseat *libseat_open_seat(const struct libseat_seat_listener *given, void *data)
{
    listener = given;
    listener_data = data;
    int ends[2];
    const char *chosen = getenv("LIBSEAT_BACKEND");
    // Left to choose, libseat ends with a seat manager of its own, which answers and has no devices.
    CHECK(chosen && strcmp(chosen, "seatd") == 0);
    if (refuses || dead)
        return NULL;
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    connection = ends[0];
    manager = ends[1];
    if (!silent && !together)
        say(1);
    return (struct libseat *)&connection;
}

int libseat_close_seat(struct libseat *seat)
{
    CHECK(seat == (struct libseat *)&connection);
    close(connection);
    return 0;
}

int libseat_disable_seat(struct libseat *seat)
{
    (void)seat;
    acknowledged++;
    return 0;
}

int libseat_get_fd(struct libseat *seat)
{
    (void)seat;
    return connection;
}

// libseat 0.7 takes the end of the connection for "nothing yet" when it must not wait.
int libseat_dispatch(struct libseat *seat, int timeout)
{
    (void)timeout;
    dispatched++;
    if (together) {
        together = false;
        listener->enable_seat(seat, listener_data);
        return 1;
    }
    uint64_t what;
    ssize_t size = recv(connection, &what, sizeof(what), MSG_DONTWAIT);
    if ((dead && size == 0) || (size < 0 && errno == EAGAIN))
        return 0;
    CHECK(size == sizeof(what));
    if (what == 1)
        listener->enable_seat(seat, listener_data);
    else
        listener->disable_seat(seat, listener_data);
    return 1;
}

int libseat_open_device(struct libseat *seat, const char *path, int *fd)
{
    (void)seat;
    *fd = dead ? -1 : open(path, O_RDWR | O_CLOEXEC);
    return *fd < 0 ? -1 : 3;
}

int libseat_close_device(struct libseat *seat, int device)
{
    (void)seat;
    CHECK(device == 3);
    closed++;
    return dead ? -1 : 0;
}

const char *libseat_seat_name(struct libseat *seat)
{
    (void)seat;
    return "seat0";
}

static void on_enabled(void *data)
{
    (void)data;
    enabled++;
}

static void on_disabled(void *data)
{
    (void)data;
    disabled++;
    CHECK(acknowledged == 0); // only when the devices are no longer used
}

static void on_lost(void *data)
{
    (void)data;
    lost++;
}

// It is sought ten times a second.
static void until_enabled(struct wl_event_loop *loop, unsigned count)
{
    for (int turns = 0; turns < 100 && enabled < count; turns++)
        wl_event_loop_dispatch(loop, 50);
}

int main(void)
{
    struct wl_event_loop *loop = wl_event_loop_create();
    refuses = true;
    CHECK(session_open(loop, SESSION_LIBSEAT) == NULL && errors == 1);
    refuses = false;
    struct session *session = session_open(loop, SESSION_LIBSEAT);
    CHECK(session != NULL);
    session_set_listener(session, &(struct session_listener){on_enabled, on_disabled, on_lost, NULL});
    int fd = session_open_device(session, "/dev/null");
    CHECK(fd >= 0 && session_open_device(session, "/dev/nothing") < 0);
    say(2);
    wl_event_loop_dispatch(loop, 0);
    CHECK(disabled == 1 && acknowledged == 1 && enabled == 0);
    say(1);
    wl_event_loop_dispatch(loop, 0);
    CHECK(enabled == 1 && lost == 0);
    dead = true;
    close(manager);
    unsigned before = dispatched;
    for (int turns = 0; turns < 50; turns++)
        wl_event_loop_dispatch(loop, 0);
    CHECK(lost == 1 && dispatched == before + 1 && errors == 2); // told once, and the loop does not spin
    CHECK(fcntl(fd, F_GETFD) >= 0 && session_open_device(session, "/dev/null") < 0);
    dead = false;
    silent = true;
    until_enabled(loop, 2);
    CHECK(enabled == 1 && said_back == 0); // somebody answers, and has given nothing yet
    say(1);
    until_enabled(loop, 2);
    CHECK(enabled == 2 && lost == 1 && said_back == 1);
    int next = session_open_device(session, "/dev/null");
    CHECK(next >= 0);
    session_close_device(session, fd);
    CHECK(closed == 0 && fcntl(fd, F_GETFD) < 0); // the new manager of devices does not know it
    dead = true;
    close(manager);
    wl_event_loop_dispatch(loop, 0);
    CHECK(lost == 2);
    dead = silent = false;
    together = true;
    until_enabled(loop, 3);
    CHECK(enabled == 3 && said_back == 2);
    session_close_device(session, next);
    CHECK(closed == 0);
    next = session_open_device(session, "/dev/null");
    session_close_device(session, next);
    CHECK(closed == 1);
    session_close(session);
    wl_event_loop_destroy(loop);
    return 0;
}
