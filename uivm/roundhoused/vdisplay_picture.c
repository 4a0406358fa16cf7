// Pictures of guests: the seat draws them into memory that is made here for each.
#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vdisplay_private.h"

struct vpicture {
    int memory;
    struct link_picture most; // what was asked for
    vdisplay_picture_fn *done;
    void *data;
};

static void picture_free(struct vpicture *picture)
{
    if (picture->memory >= 0)
        close(picture->memory);
    g_free(picture);
}

// Memory that the seat can trust not to become smaller.
static int make_memory(size_t size)
{
    int fd = memfd_create("guest's picture", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        return -1;
    if (ftruncate(fd, (off_t)size) == 0 && fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0)
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

bool vdisplay_picture(struct vdisplay *vd, uint32_t domid, unsigned width, unsigned height, vdisplay_picture_fn *done,
                      void *data, GError **error)
{
    struct vguest *guest = vdisplay_find(vd, domid);
    if (!guest || guest->picture) {
        g_set_error(error, G_IO_ERROR, guest ? G_IO_ERROR_BUSY : G_IO_ERROR_NOT_FOUND, "%s",
                    guest ? "A picture of it is being taken already" : "It has no screen now");
        return false;
    }
    struct vpicture *picture = g_new(struct vpicture, 1);
    *picture = (struct vpicture){
        make_memory((size_t)width * height * 4), {width, height, ++vd->picture_serial}, done, data};
    struct link_message ask = {.type = LINK_PICTURE, .slot = guest->slot, .picture = picture->most};
    if (picture->memory >= 0 && vdisplay_send(vd, &ask, picture->memory) == VDISPLAY_SENT) {
        guest->picture = picture;
        return true;
    }
    g_set_error(error, G_IO_ERROR, G_IO_ERROR_FAILED, "%s",
                picture->memory < 0 ? g_strerror(errno) : "The screen's service is not there");
    picture_free(picture);
    return false;
}

// A copy: the seat may still have the memory.
static GBytes *pixels_of(const struct vpicture *picture, const struct link_picture *what)
{
    size_t size = (size_t)what->width * what->height * 4;
    if (size == 0 || what->width > picture->most.width || what->height > picture->most.height)
        return NULL;
    void *map = mmap(NULL, size, PROT_READ, MAP_SHARED, picture->memory, 0);
    if (map == MAP_FAILED)
        return NULL;
    GBytes *pixels = g_bytes_new(map, size);
    munmap(map, size);
    return pixels;
}

static void end(struct vguest *guest, const struct link_picture *what)
{
    struct vpicture *picture = g_steal_pointer(&guest->picture);
    g_autoptr(GBytes) pixels = what ? pixels_of(picture, what) : NULL;
    picture->done(pixels, pixels ? what->width : 0, pixels ? what->height : 0, picture->data);
    picture_free(picture);
}

void vdisplay_picture_done(struct vguest *guest, const struct link_picture *what)
{
    if (guest->picture && guest->picture->most.serial == what->serial)
        end(guest, what);
}

void vdisplay_picture_lost(struct vguest *guest)
{
    if (guest->picture)
        end(guest, NULL);
}
