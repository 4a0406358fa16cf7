// One message to the service manager (sd_notify(3)), for the seat and for its keeper.
#pragma once

#include <stdbool.h>

// `fd` goes along and stays the caller's, -1: none. `flags` are those of sendmsg(2). True too when there is no
// $NOTIFY_SOCKET; false with errno.
bool notify_send(const char *text, int fd, int flags);
