// A process of the service: it starts, loads all it needs, and waits to be told to go on.
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "store.h"

struct child {
    pid_t pid;     // 0: none
    int pidfd, go; // go: our end of what it waits at
    bool ready;    // it has said so
    int64_t heard; // milliseconds: when it was told to go on, or last said that it is alive
    int64_t begun; // when it was told to go on; 0: it waits
};

// It waits at the descriptor $KEEPER_GO, and tells at `notify_path` what it would tell a service manager. False with
// errno.
bool child_start(struct child *child, char **arguments, const char *notify_path);

// Hands over what is kept: one message, the names with a newline behind each, and their descriptors.
bool child_go(struct child *child, const struct store *store);

// It has ended: what waitpid(2) says of it.
int child_reap(struct child *child);
