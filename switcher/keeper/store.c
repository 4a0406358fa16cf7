// Named descriptors.
#include "store.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void store_put(struct store *store, const char *name, int fd)
{
    if (store->count == STORE_MAX) {
        close(fd);
        return;
    }
    snprintf(store->kept[store->count].name, STORE_NAME, "%s", name);
    store->kept[store->count++].fd = fd;
}

void store_remove(struct store *store, const char *name)
{
    for (unsigned i = store->count; i-- > 0;) {
        if (strcmp(store->kept[i].name, name) != 0)
            continue;
        close(store->kept[i].fd);
        store->kept[i] = store->kept[--store->count];
    }
}

void store_inherit(struct store *store)
{
    enum { FIRST = 3 };
    const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS"), *names = getenv("LISTEN_FDNAMES");
    if (!pid || !count || !names || strtol(pid, NULL, 10) != getpid())
        return;
    long fds = strtol(count, NULL, 10);
    for (int fd = FIRST; fd < FIRST + fds; fd++) {
        char name[STORE_NAME];
        size_t length = strcspn(names, ":");
        snprintf(name, sizeof(name), "%.*s", (int)length, names);
        names += length + (names[length] == ':');
        fcntl(fd, F_SETFD, FD_CLOEXEC);
        store_put(store, name, fd);
    }
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
}
