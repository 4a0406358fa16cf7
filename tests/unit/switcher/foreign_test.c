// Mapping of guests' frames and grants: all of them or none. privcmd and gntdev are fakes.
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <xen/xen.h>
#include <xen/sys/privcmd.h>
#include <xengnttab.h>

#include "../check.h"
#include "foreign.h"

enum { PAGE = 4096, FRAMES = 64, DOMAIN = 7 };

static int fails_with;  // the call as a whole, 0: it does not
static int bad_frame;   // its index; -1: none
static size_t unmapped; // bytes
static int memory;

int __wrap_ioctl(int fd, unsigned long request, ...);
int __wrap_munmap(void *address, size_t size);
int __real_munmap(void *address, size_t size);

int __wrap_ioctl(int fd, unsigned long request, ...)
{
    va_list arguments;
    va_start(arguments, request);
    struct privcmd_mmapbatch_v2 *batch = va_arg(arguments, struct privcmd_mmapbatch_v2 *);
    va_end(arguments);
    CHECK(fd == memory && request == IOCTL_PRIVCMD_MMAPBATCH_V2 && batch->dom == DOMAIN && batch->num == FRAMES);
    for (unsigned i = 0; i < batch->num; i++)
        batch->err[i] = (int)i == bad_frame ? -EINVAL : 0;
    errno = fails_with;
    return fails_with ? -1 : 0;
}

int __wrap_munmap(void *address, size_t size)
{
    unmapped += size;
    return __real_munmap(address, size);
}

struct xengntdev_handle {
    int unused;
};

xengnttab_handle *xengnttab_open(struct xentoollog_logger *logger, unsigned flags)
{
    (void)logger;
    (void)flags;
    static struct xengntdev_handle handle;
    return &handle;
}

void *xengnttab_map_domain_grant_refs(xengnttab_handle *handle, uint32_t count, uint32_t domid, uint32_t *references,
                                      int protection)
{
    CHECK(handle && count == 2 && domid == DOMAIN && references[1] == 5 && protection == PROT_READ);
    errno = fails_with;
    return fails_with ? NULL : references;
}

int xengnttab_unmap(xengnttab_handle *handle, void *address, uint32_t count)
{
    CHECK(handle && address && count == 2);
    unmapped += (size_t)count * PAGE;
    return 0;
}

static void *map(int error, int bad)
{
    static const uint64_t frames[FRAMES] = {1, 2, 3};
    fails_with = error;
    bad_frame = bad;
    unmapped = 0;
    errno = 0;
    return foreign_map_frames(memory, DOMAIN, frames, FRAMES, PROT_READ);
}

static void frames(void)
{
    void *address = map(0, -1);
    CHECK(address && unmapped == 0);
    foreign_unmap_frames(address, FRAMES);
    CHECK(unmapped == FRAMES * PAGE);
    foreign_unmap_frames(NULL, FRAMES);
    for (int bad = 0; bad < FRAMES; bad += FRAMES - 1) // one frame that cannot be had spoils all
        CHECK(map(0, bad) == NULL && errno == EINVAL && unmapped == FRAMES * PAGE);
    CHECK(map(EPERM, -1) == NULL && errno == EPERM && unmapped == FRAMES * PAGE);
}

static void grants(void)
{
    uint32_t references[2] = {4, 5};
    fails_with = 0;
    void *address = foreign_map_grants(DOMAIN, references, 2, PROT_READ);
    CHECK(address == references);
    unmapped = 0;
    foreign_unmap_grants(address, 2);
    foreign_unmap_grants(NULL, 2);
    CHECK(unmapped == 2 * PAGE);
    fails_with = ENODEV;
    CHECK(foreign_map_grants(DOMAIN, references, 2, PROT_READ) == NULL && errno == ENODEV);
}

// Pages that are taken away while they are mapped read as zeros; what is left of the mapping is as it was.
static void vanishing_page(void)
{
    foreign_guard_install();
    CHECK(ftruncate(memory, 3 * PAGE) == 0);
    volatile uint8_t *mapped = mmap(NULL, 3 * PAGE, PROT_READ, MAP_SHARED, memory, 0);
    CHECK(pwrite(memory, "ab", 1, 0) == 1 && pwrite(memory, "b", 1, PAGE) == 1 && mapped[0] == 'a' &&
          mapped[PAGE] == 'b');
    CHECK(ftruncate(memory, PAGE) == 0);
    CHECK(mapped[PAGE] == 0 && mapped[2 * PAGE] == 0 && mapped[0] == 'a');
    __real_munmap((void *)mapped, 3 * PAGE);
}

int main(void)
{
    memory = memfd_create("privcmd", MFD_CLOEXEC);
    CHECK(ftruncate(memory, FRAMES * PAGE) == 0);
    frames();
    grants();
    vanishing_page();
    close(memory);
    return 0;
}
