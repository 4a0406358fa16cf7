/*
 * Where a guest's QEMU listens for the viewer of its screen. The folder is root's alone (tmpfiles.d/roundhouse.conf):
 * nobody else can listen there in QEMU's place or connect.
 */
#ifndef RH_VGA_SOCKET_H
#define RH_VGA_SOCKET_H

#include <glib.h>

/* Memory of the emulated graphics card: enough for 2560 by 1600. */
#define VGA_MEMORY_KIB (16 * 1024)

/* Free with g_free. Names are at most GUEST_NAME_MAX long, so that it fits sun_path. */
char *vga_socket_path(const char *name);

#endif
