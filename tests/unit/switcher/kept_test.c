// What is kept over the seat's death, between a service manager that is this program and the next seat, which is too.
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "../check.h"
#include "kept.h"
#include "listen.h"

static int manager, got = -1;
static char heard[128];
static unsigned made;

void log_error(const char *format, ...)
{
    (void)format;
    CHECK(!"an error was logged");
}

int listen_at(const char *path, int type, mode_t mode)
{
    CHECK(strcmp(path, "/nowhere") == 0 && type == SOCK_STREAM && mode == 0600);
    made++;
    return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void start_manager(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char name[64];
    int length = snprintf(name, sizeof(name), "@roundhouse-kept-test-%d", (int)getpid());
    memcpy(address.sun_path + 1, name + 1, (size_t)length - 1);
    manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)length);
    CHECK(bind(manager, (struct sockaddr *)&address, size) == 0);
    setenv("NOTIFY_SOCKET", name, 1);
}

static bool hear(const char *what)
{
    char control[64];
    struct iovec part = {heard, sizeof(heard) - 1};
    struct msghdr header = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
    ssize_t size = recvmsg(manager, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    heard[size > 0 ? size : 0] = '\0';
    struct cmsghdr *c = size > 0 ? CMSG_FIRSTHDR(&header) : NULL;
    got = -1;
    if (c)
        memcpy(&got, CMSG_DATA(c), sizeof(int));
    return strcmp(heard, what) == 0;
}

static void give(int first, int count, const char *names)
{
    char text[16];
    for (int i = 0; i < count; i++)
        CHECK(dup2(manager, first + i) == first + i);
    snprintf(text, sizeof(text), "%d", count);
    setenv("LISTEN_FDS", text, 1);
    snprintf(text, sizeof(text), "%d", (int)getpid());
    setenv("LISTEN_PID", text, 1);
    setenv("LISTEN_FDNAMES", names, 1);
}

static void say_go(int go)
{
    static const char names[] = "\nold\nscreen\n";
    int fds[2] = {manager, manager};
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(fds))];
    } control = {0};
    struct iovec part = {(void *)names, strlen(names)};
    struct msghdr header = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
    struct cmsghdr *c = CMSG_FIRSTHDR(&header);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(fds));
    memcpy(CMSG_DATA(c), fds, sizeof(fds));
    CHECK(sendmsg(go, &header, 0) == (ssize_t)strlen(names));
}

// A process that waits is sent on by a message, or ends with its keeper.
static void keeper(void)
{
    char number[16];
    int ends[2];
    CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) == 0);
    snprintf(number, sizeof(number), "%d", ends[1]);
    setenv("KEEPER_GO", number, 1);
    say_go(ends[0]);
    CHECK(kept_wait());
    int fd = kept_take("screen");
    CHECK(fd >= 0 && fd != manager && fcntl(fd, F_GETFD) == FD_CLOEXEC && kept_take("screen") == -1);
    kept_close_rest();
    close(ends[0]);
    CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) == 0);
    snprintf(number, sizeof(number), "%d", ends[1]);
    setenv("KEEPER_GO", number, 1);
    close(ends[0]);
    CHECK(!kept_wait());
    unsetenv("KEEPER_GO");
}

int main(void)
{
    int above = 20;
    start_manager();
    CHECK(dup2(manager, above) == above); // away from the numbers that are handed over
    close(manager);
    manager = above;
    CHECK(kept_take("link") == -1);
    int fd = kept_listen("link", "/nowhere", SOCK_STREAM, 0600);
    CHECK(made == 1 && fd >= 0 && hear("FDSTOREREMOVE=1\nFDNAME=link") && got < 0);
    CHECK(hear("FDSTORE=1\nFDPOLL=0\nFDNAME=link") && got >= 0 && got != fd);
    close(got);
    close(fd);
    give(3, 4, "screen:linked:link:old");
    CHECK(kept_wait());
    CHECK(kept_listen("link", "/nowhere", SOCK_STREAM, 0600) == 5 && made == 1 && !hear("anything"));
    CHECK(fcntl(5, F_GETFD) == FD_CLOEXEC && kept_take("link") == -1 && kept_take("screen") == 3);
    kept_close_rest();
    CHECK(fcntl(3, F_GETFD) >= 0 && fcntl(4, F_GETFD) < 0 && fcntl(5, F_GETFD) >= 0 && fcntl(6, F_GETFD) < 0);
    give(3, 1, "screen");
    setenv("LISTEN_PID", "1", 1);
    CHECK(kept_wait() && kept_take("screen") == -1); // meant for another process
    keeper();
    return 0;
}
