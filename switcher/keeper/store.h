// Descriptors by name, as a service manager keeps them for a service (sd_notify(3), FDSTORE).
#pragma once

enum { STORE_MAX = 8, STORE_NAME = 32 };

struct store {
    unsigned count;
    struct {
        char name[STORE_NAME];
        int fd;
    } kept[STORE_MAX];
};

// Takes the descriptor; closes it when there is no room.
void store_put(struct store *store, const char *name, int fd);
void store_remove(struct store *store, const char *name); // all of that name

// What the service manager handed to this process ($LISTEN_FDS).
void store_inherit(struct store *store);
