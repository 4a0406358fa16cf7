// Mapping of guests' pages by frame number (privcmd) and by grant reference (gntdev).
#include "foreign.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <xen/xen.h>
#include <xen/sys/privcmd.h>
#include <xengnttab.h>

enum { PAGE_BYTES = 4096 };

static_assert(sizeof(xen_pfn_t) == sizeof(uint64_t), "frame numbers are 64 bits wide");

static void on_bus_error(int number, siginfo_t *info, void *context)
{
    (void)context;
    if (info->si_code <= 0) // sent by a process, not by a fault
        return;
    void *page = (void *)((uintptr_t)info->si_addr & ~(uintptr_t)(PAGE_BYTES - 1));
    void *replaced = mmap(page, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    if (replaced == MAP_FAILED)
        signal(number, SIG_DFL);
}

void foreign_guard_install(void)
{
    struct sigaction action = {.sa_sigaction = on_bus_error, .sa_flags = SA_SIGINFO};
    sigemptyset(&action.sa_mask);
    sigaction(SIGBUS, &action, NULL);
}

void *foreign_map_frames(int privcmd, uint32_t domid, const uint64_t *frames, size_t count, int protection)
{
    size_t size = count * PAGE_BYTES;
    int *errors = calloc(count, sizeof(*errors));
    void *address = errors ? mmap(NULL, size, protection, MAP_SHARED, privcmd, 0) : MAP_FAILED;
    if (address == MAP_FAILED) {
        free(errors);
        return NULL;
    }
    struct privcmd_mmapbatch_v2 batch = {
        .num = (unsigned)count, .dom = (domid_t)domid, .addr = (uintptr_t)address, .arr = frames, .err = errors};
    int error = ioctl(privcmd, IOCTL_PRIVCMD_MMAPBATCH_V2, &batch) == 0 ? 0 : errno;
    for (size_t i = 0; i < count && !error; i++)
        error = -errors[i];
    free(errors);
    if (!error)
        return address;
    munmap(address, size);
    errno = error > 0 ? error : EINVAL;
    return NULL;
}

void foreign_unmap_frames(void *address, size_t count)
{
    if (address)
        munmap(address, count * PAGE_BYTES);
}

static xengnttab_handle *grant_handle(void)
{
    static xengnttab_handle *handle;
    if (!handle)
        handle = xengnttab_open(NULL, 0);
    return handle;
}

void *foreign_map_grants(uint32_t domid, uint32_t *references, size_t count, int protection)
{
    xengnttab_handle *handle = grant_handle();
    if (!handle)
        return NULL;
    return xengnttab_map_domain_grant_refs(handle, (uint32_t)count, domid, references, protection);
}

void foreign_unmap_grants(void *address, size_t count)
{
    if (address)
        xengnttab_unmap(grant_handle(), address, (uint32_t)count);
}
