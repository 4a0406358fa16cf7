/*
 * The one way to guest memory. A PV guest's is reached through the current vcpu's page tables with fault recovery; an
 * HVM guest's by walking its tables and its p2m (hv/p2m.h), page by page; of either by owned frame.
 */
#include <hv/compat.h>
#include <hv/cpu.h>
#include <hv/domain.h>
#include <hv/guest_copy.h>
#include <hv/p2m.h>
#include <hv/page_type.h>
#include <hv/protection.h>

/* x86/entry.S: bytes left when a fault stopped them; copying has tried again by then. */
unsigned long copy_guest_bytes(void *to, const void *from, unsigned long bytes);
unsigned long clear_guest_bytes(void *to, unsigned long bytes);

/* Only between these two may the hypervisor touch a page that a guest's programs may: no file but this one has them. */
static void open_guest(void)
{
    __asm__ volatile(SMAP_SITE(SMAP_STAC)::: "memory", "cc");
}
static void close_guest(void)
{
    __asm__ volatile(SMAP_SITE(SMAP_CLAC)::: "memory", "cc");
}

static int copy(void *to, const void *from, size_t bytes)
{
    open_guest();
    unsigned long left = copy_guest_bytes(to, from, bytes);
    close_guest();
    return left ? -EFAULT : 0;
}

/* ---- HVM ---- */

/* A guest's addresses are what they are: nothing of it is aligned but by its own will. */
typedef uint16_t anywhere16 __attribute__((aligned(1), may_alias));
typedef uint32_t anywhere32 __attribute__((aligned(1), may_alias));
typedef uint64_t anywhere64 __attribute__((aligned(1), may_alias));

/* What fits a register moves in one piece: guests' locks and page tables are written this way too. */
static void move_bytes(void *to, const void *from, size_t bytes)
{
    switch (bytes) {
    case 1:
        *(volatile uint8_t *)to = *(const volatile uint8_t *)from;
        return;
    case 2:
        *(volatile anywhere16 *)to = *(const volatile anywhere16 *)from;
        return;
    case 4:
        *(volatile anywhere32 *)to = *(const volatile anywhere32 *)from;
        return;
    case 8:
        *(volatile anywhere64 *)to = *(const volatile anywhere64 *)from;
        return;
    default:
        memcpy(to, from, bytes);
    }
}

/* Within one page. buffer NULL: zeros, to the guest. */
static int move_physical(struct domain *d, uint64_t gpa, void *buffer, size_t bytes, bool to_guest)
{
    int error;
    struct page *page = p2m_get_page_briefly(d, gpa >> PAGE_SHIFT, to_guest, &error);
    char *at;

    if (!page)
        return error;
    at = (char *)page_to_virt(page) + (gpa & ~PAGE_MASK);
    if (!buffer)
        memset(at, 0, bytes);
    else if (to_guest)
        move_bytes(at, buffer, bytes);
    else
        move_bytes(buffer, at, bytes);
    page_put(page);
    return 0;
}

static size_t left_in_page(uint64_t address, size_t bytes)
{
    return min(bytes, PAGE_SIZE - (address & ~PAGE_MASK));
}

int hvm_copy_linear(struct vcpu *v, uint64_t linear, void *buffer, size_t bytes, unsigned access, uint32_t *fault,
                    uint64_t *gpa)
{
    uint64_t address = 0;
    uint32_t code = 0;
    int error = 0;

    for (size_t done = 0, part; done < bytes && !error; done += part) {
        part = left_in_page(linear + done, bytes - done);
        error = hvm_translate(v, linear + done, access, &address, &code);
        if (error == -EFAULT && fault)
            *fault = code;
        if (!error &&
            move_physical(v->domain, address, buffer ? (char *)buffer + done : NULL, part, access & WALK_WRITE))
            error = -EAGAIN;
    }
    if (error && error != -EFAULT && gpa)
        *gpa = address;
    return error;
}

static int copy_physical(struct domain *d, uint64_t gpa, void *buffer, size_t bytes, bool to_guest)
{
    int error = 0;

    for (size_t done = 0, part; done < bytes && !error; done += part) {
        part = left_in_page(gpa + done, bytes - done);
        error = move_physical(d, gpa + done, (char *)buffer + done, part, to_guest);
    }
    return error ? -EINVAL : 0;
}

int hvm_copy_from_physical(struct domain *d, void *to, uint64_t gpa, size_t bytes)
{
    return copy_physical(d, gpa, to, bytes, false);
}

int hvm_copy_to_physical(struct domain *d, uint64_t gpa, const void *from, size_t bytes)
{
    return copy_physical(d, gpa, (void *)from, bytes, true);
}

/* Arguments of hypercalls: the kernel's own addresses, as its own access. */
static int copy_hvm(unsigned long linear, void *buffer, size_t bytes, unsigned access)
{
    return hvm_copy_linear(current, linear, buffer, bytes, access, NULL, NULL) ? -EFAULT : 0;
}

/* ---- the current vcpu, of either kind ---- */

int copy_from_guest_va(void *to, unsigned long from, size_t bytes)
{
    if (unlikely(is_hvm(current->domain)))
        return is_compat_argument(from) ? compat_copy_from(to, from, bytes) : copy_hvm(from, to, bytes, WALK_READ);
    if (!guest_range_ok(from, bytes))
        return -EFAULT;
    return copy(to, (const void *)from, bytes);
}

int copy_to_guest_va(unsigned long to, const void *from, size_t bytes)
{
    if (unlikely(is_hvm(current->domain)))
        return is_compat_argument(to) ? compat_copy_to(to, from, bytes) : copy_hvm(to, (void *)from, bytes, WALK_WRITE);
    if (!guest_range_ok(to, bytes))
        return -EFAULT;
    return copy((void *)to, from, bytes);
}

int clear_guest_va(unsigned long to, size_t bytes)
{
    if (unlikely(is_hvm(current->domain)))
        return copy_hvm(to, NULL, bytes, WALK_WRITE);
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
