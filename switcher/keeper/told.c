// Datagrams of assignments, one a line.
#include "told.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "notify_send.h"

int told_listen(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int one = 1, fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    unlink(path);
    if (fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0 &&
        setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &one, sizeof(one)) == 0)
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

static void take_control(struct msghdr *header, struct told *told)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c; c = CMSG_NXTHDR(header, c)) {
        if (c->cmsg_level != SOL_SOCKET)
            continue;
        if (c->cmsg_type == SCM_CREDENTIALS) {
            struct ucred sender;
            memcpy(&sender, CMSG_DATA(c), sizeof(sender));
            told->from = sender.pid;
        }
        int fds = c->cmsg_type == SCM_RIGHTS ? (int)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int)) : 0;
        for (int i = 0; i < fds; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(c) + (size_t)i * sizeof(int), sizeof(int));
            if (told->fd < 0)
                told->fd = fd;
            else
                close(fd);
        }
    }
}

static void parse(struct told *told)
{
    char copy[sizeof(told->text)], *rest = copy;
    memcpy(copy, told->text, sizeof(copy));
    for (char *line; (line = strsep(&rest, "\n")) != NULL;) {
        told->ready |= strcmp(line, "READY=1") == 0;
        told->watchdog |= strcmp(line, "WATCHDOG=1") == 0;
        told->store |= strcmp(line, "FDSTORE=1") == 0;
        told->remove |= strcmp(line, "FDSTOREREMOVE=1") == 0;
        if (strncmp(line, "FDNAME=", 7) == 0)
            snprintf(told->name, sizeof(told->name), "%s", line + 7);
    }
}

bool told_take(int socket, struct told *told)
{
    *told = (struct told){.fd = -1};
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(struct ucred)) + CMSG_SPACE(4 * sizeof(int))];
    } control;
    struct iovec part = {told->text, sizeof(told->text) - 1};
    struct msghdr header = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
    if (recvmsg(socket, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) < 0)
        return false;
    take_control(&header, told);
    parse(told);
    return true;
}

bool told_pass(const char *text, int fd)
{
    return notify_send(text, fd, MSG_DONTWAIT);
}
