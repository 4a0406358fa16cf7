// Descriptors that outlive the seat: the service manager, or roundhouse-keeper(8) between it and the seat, keeps them
// and hands them to the next one (sd_notify(3), FDSTORE). Sockets are kept so that nobody finds the seat away, and the
// screen so that what it shows stays.
#pragma once

#include <stdbool.h>
#include <sys/types.h>

// Takes what a former seat left. Under roundhouse-keeper(8) it waits, for as long as that one lives; false: nobody will
// ever want this process.
bool kept_wait(void);

// What a former seat left under this name, now the caller's; -1: nothing.
int kept_take(const char *name);

// Closes what nobody took. Call it once, when everybody had the chance.
void kept_close_rest(void);

// Keeps the descriptor, which stays the caller's, and nothing else under this name.
void kept_replace(const char *name, int fd);

// A listening socket that is kept under this name, made anew (listen.h) where a former seat left none; -1 after a
// logged reason.
int kept_listen(const char *name, const char *path, int type, mode_t mode);
