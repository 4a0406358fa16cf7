/* Writes one node of xenstore as fast as it is answered, and says how fast that is.
 *   store PATH VALUE    PATH is absolute or in the guest's own folder */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <xen/io/xs_wire.h>

static int transfer(int fd, void *bytes, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t got = read(fd, (char *)bytes + done, size - done);
        if (got <= 0)
            return -1;
        done += (size_t)got;
    }
    return 0;
}

/* One write and its answer; 0: done. */
static int write_node(int fd, const char *path, const char *value)
{
    struct xsd_sockmsg message = {.type = XS_WRITE, .len = (uint32_t)(strlen(path) + 1 + strlen(value))};
    char request[256], answer[XENSTORE_PAYLOAD_MAX];

    memcpy(request, &message, sizeof(message));
    memcpy(request + sizeof(message), path, strlen(path) + 1);
    memcpy(request + sizeof(message) + strlen(path) + 1, value, strlen(value));
    if (write(fd, request, sizeof(message) + message.len) < 0 || transfer(fd, &message, sizeof(message)) ||
        message.len > sizeof(answer) || transfer(fd, answer, message.len))
        return -1;
    return message.type == XS_WRITE ? 0 : -1;
}

int main(int argc, char **argv)
{
    int fd = open("/dev/xen/xenbus", O_RDWR);
    time_t second = time(NULL);
    unsigned long count = 0;

    if (argc != 3 || strlen(argv[1]) + strlen(argv[2]) > 200 || fd < 0)
        return fprintf(stderr, "GUEST cannot write to xenstore\n"), 1;
    while (write_node(fd, argv[1], argv[2]) == 0) {
        count++;
        if (time(NULL) - second < 10)
            continue;
        printf("GUEST wrote %lu times in 10 s\n", count);
        fflush(stdout);
        second = time(NULL);
        count = 0;
    }
    return perror("GUEST xenstore"), 1;
}
