// Listening unix sockets whose peers are checked by user id.
#pragma once

#include <sys/types.h>

// A listening socket of the type at the path, replacing a left-over one; -1 after a logged reason.
int listen_at(const char *path, int type, mode_t mode);

// Accepts a waiting connection if its process runs as `uid`; otherwise -1, logged.
int listen_accept(int listener, uid_t uid);
