/* Writing of the partition table, by libfdisk: both copies, written out before a function returns. */
#ifndef INSTALL_TABLE_H
#define INSTALL_TABLE_H

#include "install.h"

/* Our partitions at their places in `layout`, the pool named as unfinished; with USE_WHOLE_DISK in a new table. The
 * kernel knows them afterwards. */
gboolean table_write(struct install *install, GError **error);

/* Finds ours on the disk: fills `paths`, `devices` and `ids`, and waits until the devices are there. */
gboolean table_find(struct install *install, GError **error);

/* Gives the unfinished pool its name. */
gboolean table_finish(struct install *install, GError **error);

/* Reads what table_restore() needs into `saved`. */
gboolean table_save(struct install *install, GError **error);

/* Puts the table back that was there when it was saved; nothing to do if none was. */
gboolean table_restore(struct install *install, GError **error);

#endif
