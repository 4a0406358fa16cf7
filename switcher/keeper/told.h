// What processes tell their service manager (sd_notify(3)), here in both directions: from the one that is kept, and to
// the manager of this process.
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "store.h"

struct told {
    bool ready, watchdog, store, remove;
    char name[STORE_NAME];
    int fd; // goes along; -1: none
    pid_t from;
    char text[256]; // all of it
};

// A socket at the path, replacing one that is left over; -1 with errno.
int told_listen(const char *path);

// False: nothing waits. The descriptor is the caller's.
bool told_take(int socket, struct told *told);

// Tells the service manager of this process; nobody when there is none. Does not wait: false when it is too busy.
bool told_pass(const char *text, int fd);
