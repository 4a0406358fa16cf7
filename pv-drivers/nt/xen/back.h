/* Numbers of xenstore, for devices' other sides. */
#ifndef NT_XEN_BACK_H
#define NT_XEN_BACK_H

#include <stdint.h>

void back_set(const char *folder, const char *name, uint64_t value);
uint64_t back_get(const char *folder, const char *name); /* 0: there is none */

#endif
