/* The tools that do the work, run to their end, and what of the operating system stages have in common. */
#ifndef INSTALL_TOOL_H
#define INSTALL_TOOL_H

#include <glib.h>

/* Runs it with these words, a NULL at their end. FALSE if it is not there or fails; the error has the end of what it
 * said. */
gboolean tool_run(GError **error, const char *tool, ...) G_GNUC_NULL_TERMINATED;

/* The same; what it printed, to be freed, or NULL. */
char *tool_output(GError **error, const char *tool, ...) G_GNUC_NULL_TERMINATED;

/* Writes all bytes at that place; FALSE and errno otherwise. */
gboolean write_all(int fd, const void *bytes, gsize length, gint64 at);
gboolean read_all(int fd, void *bytes, gsize length, gint64 at);

/*
 * Makes the file with its folders and writes it out: afterwards it is there whole, whatever happens, or the one before
 * it is. `mode` is its permissions.
 */
gboolean file_put(const char *path, const void *bytes, gsize length, int mode, GError **error);

/* Writes out what the folder lists. */
gboolean folder_sync(const char *path, GError **error);

#endif
