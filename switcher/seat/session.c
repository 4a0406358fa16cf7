// libseat when it answers, open(2) when not.
#include "session.h"

#include <errno.h>
#include <fcntl.h>
#include <libseat.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"

enum { MAX_DEVICES = 64, ENABLE_TIMEOUT_MS = 5000 };

struct session_device {
    int fd, id;
};

struct session {
    struct libseat *seat; // NULL: direct
    struct wl_event_source *source;
    bool enabled;
    struct session_listener listener;
    struct session_device devices[MAX_DEVICES];
};

static void handle_enable(struct libseat *seat, void *data)
{
    (void)seat;
    struct session *session = data;
    session->enabled = true;
    if (session->listener.enabled)
        session->listener.enabled(session->listener.data);
}

static void handle_disable(struct libseat *seat, void *data)
{
    struct session *session = data;
    session->enabled = false;
    if (session->listener.disabled)
        session->listener.disabled(session->listener.data);
    libseat_disable_seat(seat);
}

static const struct libseat_seat_listener seat_listener = {handle_enable, handle_disable};

static int dispatch(int fd, uint32_t mask, void *data)
{
    (void)fd;
    (void)mask;
    struct session *session = data;
    if (libseat_dispatch(session->seat, 0) >= 0)
        return 0;
    log_error("the seat manager is gone: %s", strerror(errno));
    wl_event_source_remove(session->source); // or it is readable for ever
    session->source = NULL;
    if (session->listener.lost)
        session->listener.lost(session->listener.data);
    return 0;
}

static bool open_libseat(struct session *session, struct wl_event_loop *loop)
{
    libseat_set_log_level(LIBSEAT_LOG_LEVEL_SILENT);
    session->seat = libseat_open_seat(&seat_listener, session);
    if (!session->seat)
        return false;
    for (int i = 0; i < 10 && !session->enabled; i++)
        if (libseat_dispatch(session->seat, ENABLE_TIMEOUT_MS / 10) < 0)
            break;
    if (session->enabled)
        session->source =
            wl_event_loop_add_fd(loop, libseat_get_fd(session->seat), WL_EVENT_READABLE, dispatch, session);
    if (session->source)
        return true;
    libseat_close_seat(session->seat);
    session->seat = NULL;
    return false;
}

struct session *session_open(struct wl_event_loop *loop, enum session_kind kind)
{
    struct session *session = calloc(1, sizeof(*session));
    if (!session)
        return NULL;
    for (unsigned i = 0; i < MAX_DEVICES; i++)
        session->devices[i].fd = -1;
    if (kind != SESSION_DIRECT && open_libseat(session, loop)) {
        log_info("devices come from libseat, seat %s", session_seat_name(session));
        return session;
    }
    if (kind == SESSION_LIBSEAT) {
        log_error("no seat manager answers: start seatd, or use --session=direct");
        free(session);
        return NULL;
    }
    session->enabled = true;
    log_info("no seat manager answers: devices are opened directly");
    return session;
}

void session_close(struct session *session)
{
    if (!session)
        return;
    for (unsigned i = 0; i < MAX_DEVICES; i++)
        if (session->devices[i].fd >= 0)
            session_close_device(session, session->devices[i].fd);
    if (session->source)
        wl_event_source_remove(session->source);
    if (session->seat)
        libseat_close_seat(session->seat);
    free(session);
}

void session_set_listener(struct session *session, const struct session_listener *listener)
{
    session->listener = *listener;
}

int session_open_device(struct session *session, const char *path)
{
    struct session_device *device = NULL;
    for (unsigned i = 0; i < MAX_DEVICES && !device; i++)
        if (session->devices[i].fd < 0)
            device = &session->devices[i];
    if (!device) {
        errno = EMFILE;
        return -1;
    }
    int fd = -1;
    if (session->seat)
        device->id = libseat_open_device(session->seat, path, &fd);
    else
        fd = open(path, O_RDWR | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0 || (session->seat && device->id < 0))
        return -1;
    device->fd = fd;
    return fd;
}

void session_close_device(struct session *session, int fd)
{
    for (unsigned i = 0; i < MAX_DEVICES; i++) {
        struct session_device *device = &session->devices[i];
        if (device->fd != fd)
            continue;
        if (session->seat)
            libseat_close_device(session->seat, device->id);
        close(fd);
        device->fd = -1;
        return;
    }
}

const char *session_seat_name(const struct session *session)
{
    return session->seat ? libseat_seat_name(session->seat) : "seat0";
}
