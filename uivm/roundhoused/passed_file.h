/*
 * Files that a caller passes as descriptors: what the caller may do with a file counts, and not what this service may.
 */
#ifndef RH_PASSED_FILE_H
#define RH_PASSED_FILE_H

#include <gio/gio.h>

/*
 * A descriptor of our own of an ordinary file, by the handle in the call's parameters; -1 with an RH_ERROR_BAD_CONFIG:
 * it is something else, or not open for reading, or for writing.
 */
int passed_file_take(GDBusMethodInvocation *invocation, gint32 handle, gboolean writing, GError **error);

/* A path by which this process and its children open the file as long as the descriptor is open. */
char *passed_file_path(int fd);

#endif
