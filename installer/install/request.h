/*
 * What the switcher asks for, over a socket (roundhouse-installer.socket): one request for a connection.
 *
 *   check | disks | plan | install     a line
 *   name = value                       answers (answers.h), of plan and install
 *   end                                a line; without it nothing is done
 *
 * The answer is records (json.h), the last of which is "end". While an installation runs, a line more or the end of the
 * connection tells it to stop.
 *
 * The other end is not trusted as root is: request_allows() says what root may answer and the switcher may not.
 */
#ifndef INSTALL_REQUEST_H
#define INSTALL_REQUEST_H

#include "answers.h"

enum request_kind { REQUEST_CHECK, REQUEST_DISKS, REQUEST_PLAN, REQUEST_INSTALL };

#define REQUEST_MAX     16384 /* bytes */
#define REQUEST_SECONDS 10    /* so long it may take to come whole */

/* Reads one. FALSE with an error. `answers` is to be freed by secret_free(). */
gboolean request_read(int fd, enum request_kind *kind, char **answers, GError **error);

/* The other end has said a word more, or is gone. */
gboolean request_stopped(int fd);

/*
 * Whether these answers may come from there: the disk is one of `disks` (disk_list()), not any file, and no file is
 * named to be written as root. FALSE with an error.
 */
gboolean request_allows(const struct answers *answers, const char *const *disks, GError **error);

#endif
