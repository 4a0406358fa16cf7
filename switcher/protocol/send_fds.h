// Sending descriptors along with a message (unix(7), SCM_RIGHTS).
#pragma once

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

enum { SEND_FDS_MAX = 16 };

// As sendmsg(2), with `count` descriptors that stay the caller's; never raises SIGPIPE.
static inline ssize_t send_with_fds(int socket, struct msghdr *header, const int *fds, unsigned count, int flags)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(SEND_FDS_MAX * sizeof(int))];
    } control = {0};
    if (count > SEND_FDS_MAX) {
        errno = EINVAL;
        return -1;
    }
    if (count > 0) {
        header->msg_control = &control;
        header->msg_controllen = CMSG_SPACE(count * sizeof(int));
        struct cmsghdr *c = CMSG_FIRSTHDR(header);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(count * sizeof(int));
        memcpy(CMSG_DATA(c), fds, count * sizeof(int));
    }
    return sendmsg(socket, header, flags | MSG_NOSIGNAL);
}
