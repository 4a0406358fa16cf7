/*
 * Disks that are made with a guest: new images of the pool, called as it is. Until its definition is there they are
 * claimed (storage/image.h), so that neither an error nor a kill leaves one of them.
 */
#ifndef RH_GUEST_DISKS_H
#define RH_GUEST_DISKS_H

#include "guest.h"
#include "storage/pool_work.h"

struct guest_disks;

/* What CreateGuest was given (aa{sv}); there may be none. NULL with an RH_ERROR_BAD_CONFIG. */
struct guest_disks *guest_disks_read(GDBusMethodInvocation *invocation, GVariant *disks, GError **error);
void guest_disks_free(gpointer disks); /* NULL is none */

gboolean guest_disks_none(const struct guest_disks *disks);

/* What disk= is with them at the end of what the definition has; they get the names of its images here. Free with
 * g_free. */
char *guest_disks_setting(struct guest_disks *disks, const struct guest_config *config);

/* Work on the pool, data is the disks: makes them all or none, gives them to the guest that is there now, takes them
 * away. */
gboolean guest_disks_make(struct pool *pool, gpointer disks, const struct convert_watch *watch, GError **error);
gboolean guest_disks_settle(struct pool *pool, gpointer disks, const struct convert_watch *watch, GError **error);
gboolean guest_disks_drop(struct pool *pool, gpointer disks, const struct convert_watch *watch, GError **error);

/* At the service's start: what was claimed when it ended belongs to the guests (struct guest) that have it, or goes. */
void guest_disks_settle_all(const char *pool_path, const GPtrArray *guests);

#endif
