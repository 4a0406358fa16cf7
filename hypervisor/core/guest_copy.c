/*
 * The one way to guest memory: through the current vcpu's page tables with fault recovery, or by owned frame.
 */
#include <hv/compat.h>
#include <hv/cpu.h>
#include <hv/domain.h>
#include <hv/guest_copy.h>
#include <hv/page_type.h>

/* x86/entry.S: bytes left when a fault stopped them. */
unsigned long copy_guest_bytes(void *to, const void *from, unsigned long bytes);
unsigned long clear_guest_bytes(void *to, unsigned long bytes);

static void open_guest(void)
{
    if (cpu_features.smap)
        __asm__ volatile("stac" ::: "memory", "cc");
}
static void close_guest(void)
{
    if (cpu_features.smap)
        __asm__ volatile("clac" ::: "memory", "cc");
}

/* A translation that is older than the guest's last change of the entry may fault once; the fault drops it, so the
 * second try sees the tables as they are. */
static int copy(void *to, const void *from, size_t bytes)
{
    open_guest();
    unsigned long left = copy_guest_bytes(to, from, bytes);
    if (left)
        left = copy_guest_bytes((char *)to + (bytes - left), (const char *)from + (bytes - left), left);
    close_guest();
    return left ? -EFAULT : 0;
}

int copy_from_guest_va(void *to, unsigned long from, size_t bytes)
{
    if (is_compat_argument(from))
        return compat_copy_from(to, from, bytes);
    if (!guest_range_ok(from, bytes))
        return -EFAULT;
    return copy(to, (const void *)from, bytes);
}

int copy_to_guest_va(unsigned long to, const void *from, size_t bytes)
{
    if (is_compat_argument(to))
        return compat_copy_to(to, from, bytes);
    if (!guest_range_ok(to, bytes))
        return -EFAULT;
    return copy((void *)to, from, bytes);
}

int clear_guest_va(unsigned long to, size_t bytes)
{
    if (!guest_range_ok(to, bytes))
        return -EFAULT;
    open_guest();
    unsigned long left = clear_guest_bytes((void *)to, bytes);
    if (left)
        left = clear_guest_bytes((void *)(to + (bytes - left)), left);
    close_guest();
    return left ? -EFAULT : 0;
}

int copy_to_domain_mfn(struct domain *d, mfn_t mfn, size_t offset, const void *from, size_t bytes)
{
    if (!mfn_is_ram(mfn) || offset + bytes > PAGE_SIZE || page_get_with_type(mfn_to_page(mfn), d, TYPE_WRITABLE))
        return -EINVAL;
    memcpy((char *)mfn_to_virt(mfn) + offset, from, bytes);
    page_put_with_type(mfn_to_page(mfn));
    return 0;
}

int copy_from_domain_mfn(struct domain *d, mfn_t mfn, size_t offset, void *to, size_t bytes)
{
    if (!mfn_is_ram(mfn) || offset + bytes > PAGE_SIZE || !page_get(mfn_to_page(mfn), d))
        return -EINVAL;
    memcpy(to, (char *)mfn_to_virt(mfn) + offset, bytes);
    page_put(mfn_to_page(mfn));
    return 0;
}
