// The service manager's $LISTEN_FDS or the keeper's message, and what they are told.
#include "kept.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "listen.h"
#include "notify.h"

enum { FIRST = 3, LIMIT = 16, NAME = 32 };

static struct {
    char name[NAME];
    int fd; // -1: somebody has taken it
} given[LIMIT];
static unsigned count;

// `names` have `end` behind each of them, the last may lack it.
static void note(const char *names, char end, const int *fds, unsigned fd_count)
{
    for (unsigned i = 0; i < fd_count; i++) {
        size_t length = strchrnul(names, end) - names;
        if (count == LIMIT || fcntl(fds[i], F_SETFD, FD_CLOEXEC) != 0)
            continue;
        snprintf(given[count].name, NAME, "%.*s", (int)length, names);
        given[count++].fd = fds[i];
        names += length + (names[length] == end);
    }
}

static void note_of_manager(void)
{
    const char *pid = getenv("LISTEN_PID"), *number = getenv("LISTEN_FDS"), *names = getenv("LISTEN_FDNAMES");
    int fds[LIMIT];
    if (!pid || !number || !names || strtol(pid, NULL, 10) != getpid())
        return;
    unsigned fd_count = (unsigned)strtoul(number, NULL, 10);
    for (unsigned i = 0; i < LIMIT; i++)
        fds[i] = FIRST + (int)i;
    note(names, ':', fds, fd_count < LIMIT ? fd_count : LIMIT);
}

static bool note_of_keeper(int go)
{
    char names[LIMIT * (NAME + 1)];
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(LIMIT * sizeof(int))];
    } control;
    struct iovec part = {names, sizeof(names) - 1};
    struct msghdr header = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
    ssize_t size;
    do
        size = recvmsg(go, &header, MSG_CMSG_CLOEXEC);
    while (size < 0 && errno == EINTR);
    close(go);
    if (size < 1)
        return false;
    names[size] = '\0';
    struct cmsghdr *c = CMSG_FIRSTHDR(&header);
    if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
        note(names + 1, '\n', (const int *)CMSG_DATA(c), (unsigned)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int)));
    return true;
}

bool kept_wait(void)
{
    const char *go = getenv("KEEPER_GO");
    if (go)
        return note_of_keeper((int)strtol(go, NULL, 10));
    note_of_manager();
    return true;
}

int kept_take(const char *name)
{
    for (unsigned i = 0; i < count; i++) {
        int fd = given[i].fd;
        if (fd < 0 || strcmp(given[i].name, name) != 0)
            continue;
        given[i].fd = -1;
        return fd;
    }
    return -1;
}

void kept_close_rest(void)
{
    for (unsigned i = 0; i < count; i++)
        if (given[i].fd >= 0)
            close(given[i].fd);
    count = 0;
}

void kept_replace(const char *name, int fd)
{
    char text[64];
    snprintf(text, sizeof(text), "FDSTOREREMOVE=1\nFDNAME=%s", name);
    notify_say(text, -1);
    snprintf(text, sizeof(text), "FDSTORE=1\nFDPOLL=0\nFDNAME=%s", name);
    notify_say(text, fd);
}

int kept_listen(const char *name, const char *path, int type, mode_t mode)
{
    int fd = kept_take(name);
    if (fd >= 0)
        return fd;
    fd = listen_at(path, type, mode);
    if (fd >= 0)
        kept_replace(name, fd);
    return fd;
}
