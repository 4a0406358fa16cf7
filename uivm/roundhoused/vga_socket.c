/* One file per guest, by its name: the domain's id is not known before QEMU is told. */
#include "vga_socket.h"

#define FOLDER "/run/roundhouse/vga"

char *vga_socket_path(const char *name)
{
    return g_strdup_printf(FOLDER "/%s", name);
}
