/* Loop devices through /dev/loop-control; interface: linux/loop.h, loop(4). */
#include "loop_disk.h"
#include "errors.h"
#include "storage/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define ATTEMPTS 16 /* another program may take the free device before we do */

static int fail(GError **error, const char *image, const char *what)
{
    g_set_error(error, RH_ERROR, RH_ERROR_TOOLSTACK, "Its disk %s %s: %s.", image, what, g_strerror(errno));
    return -1;
}

/* One try: -1 with errno EBUSY when the device was taken meanwhile. */
static int attach_free_device(int control, int image, gboolean read_only, const char *name, char **device)
{
    struct loop_config config = {.fd = (guint32)image, .block_size = 512};
    int number = ioctl(control, LOOP_CTL_GET_FREE);
    if (number < 0)
        return -1;
    g_autofree char *path = g_strdup_printf("/dev/loop%d", number);
    int fd = open(path, (read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC);
    if (fd < 0)
        return -1;
    config.info.lo_flags = LO_FLAGS_AUTOCLEAR | LO_FLAGS_DIRECT_IO | (read_only ? LO_FLAGS_READ_ONLY : 0);
    g_strlcpy((char *)config.info.lo_file_name, name, LO_NAME_SIZE);
    if (ioctl(fd, LOOP_CONFIGURE, &config) < 0) {
        int cause = errno;
        close(fd);
        errno = cause;
        return -1;
    }
    *device = g_steal_pointer(&path);
    return fd;
}

/* The device keeps the description that it is given, and with it the lock. */
int loop_disk_attach(const char *image, gboolean read_only, const char *holder, char **device, GError **error)
{
    int fd = -1;
    g_autofree char *what = g_strdup_printf("Its disk %s", image);
    int file = image_lock(image, what, read_only ? IMAGE_READ : IMAGE_WRITE, holder, error);
    if (file < 0)
        return -1;
    int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
    if (control < 0) {
        fail(error, image, "needs loop devices, which this kernel does not offer");
        close(file);
        return -1;
    }
    for (int i = 0; fd < 0 && i < ATTEMPTS; i++) {
        fd = attach_free_device(control, file, read_only, image, device);
        if (fd < 0 && errno != EBUSY)
            break;
    }
    if (fd < 0)
        fail(error, image, "cannot be put behind a loop device");
    close(control);
    close(file);
    return fd;
}
