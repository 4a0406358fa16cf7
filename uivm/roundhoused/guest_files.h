/*
 * Which files of the service machine a guest may be given at the wish of somebody who is not root. Whoever may
 * administer guests is not root for that: a guest with the service machine's own disk, or with a file of secrets as its
 * RAM disk, would be.
 *
 * Allowed are images of the pool, and, to read, ordinary files that everybody may read and CD drives. A path must lead
 * there without links and through folders that root alone changes, so that it leads to the same file when the guest is
 * started.
 */
#ifndef RH_GUEST_FILES_H
#define RH_GUEST_FILES_H

#include "guest_config.h"

/* What the definition has already may stay; before is NULL for a new one. FALSE with an RH_ERROR_NOT_ALLOWED. */
gboolean guest_files_allowed(const struct guest_config *config, const struct guest_config *before, GError **error);

#endif
