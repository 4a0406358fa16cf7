/*
 * libxenstore in memory, for one user of it. A path may be told to fire its watch without end, as when its guest writes
 * it in a loop.
 */
#ifndef XENSTORE_FAKE_H
#define XENSTORE_FAKE_H

#include <glib.h>

void xenstore_fake_reset(void);

/* What a guest does: its write fires watches. NULL: removes the node. */
void xenstore_fake_write(const char *path, const char *value);
void xenstore_fake_write_bytes(const char *path, const void *value, gsize length);
const char *xenstore_fake_read(const char *path); /* NULL: no such node */

void xenstore_fake_flood(const char *path);    /* NULL: the flood ends */
void xenstore_fake_conflicts(gboolean always); /* whether every transaction ends with EAGAIN */

extern unsigned xenstore_fake_calls;   /* questions to xenstored */
extern unsigned xenstore_fake_watches; /* set at the moment */

#endif
