// The file behind what is remembered.
#include "remember.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log.h"

// The layout is part of it: another version of the seat starts anew.
#define MAGIC (UINT64_C(0x5265616c6d000000) ^ sizeof(struct remembered))

static void forget_all(struct remembered *remembered)
{
    memset(remembered, 0, sizeof(*remembered));
    for (unsigned slot = 0; slot < LINK_SLOTS; slot++)
        remembered->displif[slot].domid = remembered->fbif[slot].domid = LINK_NO_DOMAIN;
    remembered->magic = MAGIC;
}

static void *map(int fd)
{
    struct stat status;
    if (fd < 0 || fstat(fd, &status) != 0 || !S_ISREG(status.st_mode))
        return MAP_FAILED;
    if (status.st_size != sizeof(struct remembered) &&
        (ftruncate(fd, 0) != 0 || ftruncate(fd, sizeof(struct remembered)) != 0))
        return MAP_FAILED;
    return mmap(NULL, sizeof(struct remembered), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
}

struct remembered *remember_open(const char *path)
{
    int fd = path ? open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600) : -1;
    void *mapped = map(fd);
    if (path && mapped == MAP_FAILED)
        log_error("%s: nothing will be remembered over a restart: %s", path, strerror(errno));
    if (fd >= 0)
        close(fd);
    if (mapped == MAP_FAILED)
        mapped = mmap(NULL, sizeof(struct remembered), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapped == MAP_FAILED)
        return NULL;
    struct remembered *remembered = mapped;
    if (remembered->magic != MAGIC)
        forget_all(remembered);
    return remembered;
}

void remember_close(struct remembered *remembered)
{
    if (remembered)
        munmap(remembered, sizeof(*remembered));
}

void remember_focus(struct remembered *remembered, unsigned slot, uint32_t domid)
{
    remember_cut(remembered, false);
    if (remembered)
        atomic_store(&remembered->focus, (uint64_t)slot << 32 | domid);
}

void remember_cut(struct remembered *remembered, bool cut)
{
    if (remembered)
        atomic_store(&remembered->cut, cut);
}

bool remember_is_cut(const struct remembered *remembered)
{
    return remembered && atomic_load(&remembered->cut) != 0;
}

void remember_no_display(struct remembered *remembered, unsigned slot)
{
    if (remembered)
        remembered->displif[slot].domid = remembered->fbif[slot].domid = LINK_NO_DOMAIN;
}

bool remember_focused(const struct remembered *remembered, unsigned *slot, uint32_t *domid)
{
    uint64_t focus = remembered ? atomic_load(&remembered->focus) : 0;
    *slot = (unsigned)(focus >> 32);
    *domid = (uint32_t)focus;
    return focus >> 32 >= 1 && focus >> 32 < LINK_SLOTS && *domid != LINK_NO_DOMAIN;
}
