// What the service manager hears: that the seat is ready, and that its loop goes round as long as it does.
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "../check.h"
#include "notify.h"

static int listener;
static char heard[64];

void log_error(const char *format, ...)
{
    (void)format;
    CHECK(!"an error was logged");
}

static bool hear(void)
{
    ssize_t size = recv(listener, heard, sizeof(heard) - 1, MSG_DONTWAIT);
    heard[size > 0 ? size : 0] = '\0';
    return size > 0;
}

static void listen_as(const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path + 1, name + 1, strlen(name) - 1);
    listener = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name));
    CHECK(bind(listener, (struct sockaddr *)&address, size) == 0);
    setenv("NOTIFY_SOCKET", name, 1);
}

int main(void)
{
    struct wl_event_loop *loop = wl_event_loop_create();
    unsetenv("NOTIFY_SOCKET");
    struct notify *notify = notify_start(loop); // nobody listens
    notify_stop(notify);
    char name[64];
    snprintf(name, sizeof(name), "@roundhouse-notify-test-%d", (int)getpid());
    listen_as(name);
    unsetenv("WATCHDOG_USEC");
    notify = notify_start(loop);
    CHECK(hear() && strcmp(heard, "READY=1") == 0);
    wl_event_loop_dispatch(loop, 100);
    CHECK(!hear()); // no watchdog was asked for
    notify_stop(notify);
    setenv("WATCHDOG_USEC", "60000", 1);
    notify = notify_start(loop);
    CHECK(hear() && strcmp(heard, "READY=1") == 0);
    usleep(100000);
    CHECK(!hear()); // a loop that stands still says nothing
    for (int i = 0; i < 3; i++) {
        wl_event_loop_dispatch(loop, 5000);
        CHECK(hear() && strcmp(heard, "WATCHDOG=1") == 0);
    }
    notify_stop(notify);
    close(listener);
    wl_event_loop_destroy(loop);
    return 0;
}
