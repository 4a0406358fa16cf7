// libseat when it answers, open(2) when not.
#include "session.h"

#include <errno.h>
#include <fcntl.h>
#include <libseat.h>
#include <stdlib.h>
#include <unistd.h>

#include "log.h"

enum { MAX_DEVICES = 64, ENABLE_TIMEOUT_MS = 5000, RETRY_MS = 100, TRIES = 50 };

struct session_device {
    int fd, id;
    unsigned connection; // which one of the session's it came by
};

struct session {
    struct libseat *seat; // NULL: direct, or the seat manager is away
    struct wl_event_loop *loop;
    struct wl_event_source *source, *retry;
    bool direct, enabled;
    bool lost;           // the seat manager died, and none has given the seat back since
    unsigned connection; // how many there were
    struct session_listener listener;
    struct session_device devices[MAX_DEVICES];
};

static void handle_enable(struct libseat *seat, void *data)
{
    (void)seat;
    struct session *session = data;
    session->enabled = true;
    if (session->lost)
        log_info("the seat manager is back");
    session->lost = false;
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

static void disconnect(struct session *session)
{
    if (session->source)
        wl_event_source_remove(session->source); // or it is readable for ever
    if (session->seat)
        libseat_close_seat(session->seat);
    session->source = NULL;
    session->seat = NULL;
    session->enabled = false;
}

static int dispatch(int fd, uint32_t mask, void *data)
{
    (void)fd;
    struct session *session = data;
    // libseat takes the end of the connection for a message that has not come yet.
    if (libseat_dispatch(session->seat, 0) >= 0 && !(mask & (WL_EVENT_HANGUP | WL_EVENT_ERROR)))
        return 0;
    log_error("the seat manager is gone");
    session->lost = true;
    disconnect(session);
    wl_event_source_timer_update(session->retry, RETRY_MS);
    if (session->listener.lost)
        session->listener.lost(session->listener.data);
    return 0;
}

static bool connect_libseat(struct session *session)
{
    session->seat = libseat_open_seat(&seat_listener, session);
    if (!session->seat)
        return false;
    session->connection++;
    session->source =
        wl_event_loop_add_fd(session->loop, libseat_get_fd(session->seat), WL_EVENT_READABLE, dispatch, session);
    if (session->source)
        return true;
    disconnect(session);
    return false;
}

static int on_retry(void *data)
{
    struct session *session = data;
    if (connect_libseat(session))
        dispatch(-1, 0, session); // what came with the answer makes nothing readable any more
    else
        wl_event_source_timer_update(session->retry, RETRY_MS);
    return 0;
}

// While seatd is away libseat goes on to what else it knows, at last a seat manager in a process that it forks, which
// answers at once and may open nothing. The user's own choice is left alone.
static void choose_manager(void)
{
    setenv("LIBSEAT_BACKEND", "seatd", 0);
}

// `tries`: how often a seat manager that is not there is asked for.
static bool open_libseat(struct session *session, unsigned tries)
{
    libseat_set_log_level(LIBSEAT_LOG_LEVEL_SILENT);
    choose_manager();
    session->retry = wl_event_loop_add_timer(session->loop, on_retry, session);
    while (session->retry && !connect_libseat(session) && --tries > 0)
        usleep(RETRY_MS * 1000);
    for (int i = 0; session->seat && i < 10 && !session->enabled; i++)
        if (libseat_dispatch(session->seat, ENABLE_TIMEOUT_MS / 10) < 0)
            break;
    if (session->enabled)
        return true;
    disconnect(session);
    if (session->retry)
        wl_event_source_remove(session->retry);
    session->retry = NULL;
    return false;
}

struct session *session_open(struct wl_event_loop *loop, enum session_kind kind)
{
    struct session *session = calloc(1, sizeof(*session));
    if (!session)
        return NULL;
    session->loop = loop;
    for (unsigned i = 0; i < MAX_DEVICES; i++)
        session->devices[i].fd = -1;
    if (kind != SESSION_DIRECT && open_libseat(session, kind == SESSION_LIBSEAT ? TRIES : 1)) {
        log_info("devices come from libseat, seat %s", libseat_seat_name(session->seat));
        return session;
    }
    if (kind == SESSION_LIBSEAT) {
        log_error("no seat manager answers: start seatd, or use --session=direct");
        free(session);
        return NULL;
    }
    session->enabled = session->direct = true;
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
    disconnect(session);
    if (session->retry)
        wl_event_source_remove(session->retry);
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
    errno = ENOTCONN;
    if (session->direct)
        fd = open(path, O_RDWR | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    else if (session->seat)
        device->id = libseat_open_device(session->seat, path, &fd);
    if (fd < 0 || (!session->direct && device->id < 0))
        return -1;
    device->fd = fd;
    device->connection = session->connection;
    return fd;
}

void session_close_device(struct session *session, int fd)
{
    for (unsigned i = 0; i < MAX_DEVICES; i++) {
        struct session_device *device = &session->devices[i];
        if (device->fd != fd)
            continue;
        if (session->seat && device->connection == session->connection)
            libseat_close_device(session->seat, device->id);
        close(fd);
        device->fd = -1;
        return;
    }
}
