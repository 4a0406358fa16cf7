/*
 * What a child may open: a list of files and folders, and nothing else of the file system (Landlock, landlock(7)). For
 * a program that reads what is not trusted, and opens what that names.
 */
#ifndef RH_CONFINE_H
#define RH_CONFINE_H

#include <glib.h>

struct confine_place {
    const char *path;                                      /* one that is not there is left out; NULL ends a list */
    enum { CONFINE_READ, CONFINE_RUN, CONFINE_WRITE } may; /* run and write: read too */
};

/* A descriptor of the list; -1 with an RH_ERROR_STORAGE, also where the kernel has no Landlock. */
int confine_new(const struct confine_place *places, GError **error);

/* In a child, between fork and exec: from now on the list counts, for good. FALSE: it must not go on. */
gboolean confine_self(int list);

#endif
