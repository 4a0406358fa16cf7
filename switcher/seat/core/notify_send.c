// A datagram to $NOTIFY_SOCKET.
#include "notify_send.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "send_fds.h"

bool notify_send(const char *text, int fd, int flags)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t length = path ? strlen(path) : 0;
    if (length < 2 || length >= sizeof(address.sun_path))
        return true;
    memcpy(address.sun_path, path, length);
    if (path[0] == '@')
        address.sun_path[0] = '\0'; // an abstract name
    struct iovec part = {(void *)text, strlen(text)};
    struct msghdr header = {.msg_name = &address, .msg_iov = &part, .msg_iovlen = 1};
    header.msg_namelen = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
    int link = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool sent = link >= 0 && send_with_fds(link, &header, &fd, fd >= 0, flags) >= 0;
    if (link >= 0)
        close(link);
    return sent;
}
