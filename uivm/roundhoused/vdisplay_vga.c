// The screen of QEMU: roundhoused, which may, connects to its socket and hands the connection to the seat, which may
// not. A lost connection is made anew, for QEMU or the seat may only have been restarted; one that broke the
// protocol is not.
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "vdisplay_private.h"
#include "vga_socket.h"

// The first try is made while the guest is being added, so an end is told after the second at the earliest.
enum { RETRY_MS = 500, TRIES_MAX = 20, TRIES_ENDED = 3 };

static int connect_to(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    g_strlcpy(address.sun_path, path, sizeof(address.sun_path));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

static gboolean on_retry(void *data);

// The socket's file is there, or was, and nobody listens. (A busy QEMU's answer would be EAGAIN.) The guest may be gone
// afterwards.
static void not_connected(struct vguest *guest, int error)
{
    struct vdisplay *vd = guest->vd;
    bool ended = error == ECONNREFUSED || error == ENOENT;
    if (++guest->vga_tries < (ended ? TRIES_ENDED : TRIES_MAX)) {
        guest->vga_retry = g_timeout_add(RETRY_MS, on_retry, guest);
        return;
    }
    vguest_warn(guest, "%s: its device model does not answer at %s: %s", guest->name, guest->vga_socket,
                g_strerror(error));
    if (ended && vd->lost_callback)
        vd->lost_callback(guest->domid, vd->lost_data);
}

static gboolean on_retry(void *data)
{
    struct vguest *guest = data;
    guest->vga_retry = 0;
    vdisplay_vga_connect(guest);
    return G_SOURCE_REMOVE;
}

void vdisplay_vga_connect(struct vguest *guest)
{
    if (!guest->vga_socket || guest->vga_connected || guest->vga_retry || !guest->vd->seat.greeted)
        return;
    int fd = connect_to(guest->vga_socket);
    if (fd < 0) {
        not_connected(guest, errno);
        return;
    }
    struct link_message message = {.type = LINK_RFB_CONNECT, .slot = guest->slot};
    message.rfb.videoram_limit = VGA_MEMORY_KIB << 10;
    guest->vga_connected = vdisplay_send(guest->vd, &message, fd) == VDISPLAY_SENT;
    guest->vga_tries = 0;
    close(fd);
}

void vdisplay_vga_closed(struct vguest *guest, int error)
{
    if (!guest->vga_socket || !guest->vga_connected)
        return;
    guest->vga_connected = false;
    vguest_warn(guest, "%s: the seat closed the device model's screen: %s", guest->name, g_strerror(error));
    if (error == EPIPE)
        guest->vga_retry = g_timeout_add(RETRY_MS, on_retry, guest);
}

void vdisplay_vga_stop(struct vguest *guest)
{
    guest->vga_connected = false;
    guest->vga_tries = 0;
    g_clear_handle_id(&guest->vga_retry, g_source_remove);
}
