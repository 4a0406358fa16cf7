/*
 * The one way to guest memory: what is not a guest's is never read or written through it.
 */
#include "../../check.h"
#include <hv/compat.h>
#include <hv/cpu.h>
#include <hv/domain.h>
#include <hv/guest_copy.h>
#include <hv/p2m.h>
#include <hv/page_type.h>

static struct domain guest = {.id = 1}, other = {.id = 2};
static struct vcpu v = {.domain = &guest};
static unsigned touched, faults, held;
unsigned long copy_guest_bytes(void *to, const void *from, unsigned long bytes);
unsigned long clear_guest_bytes(void *to, unsigned long bytes);

/* x86/entry.S; `faults` of its tries end half way. */
unsigned long copy_guest_bytes(void *to, const void *from, unsigned long bytes)
{
    touched++;
    if (faults && faults--)
        return bytes / 2;
    memcpy(to, from, bytes);
    return 0;
}
unsigned long clear_guest_bytes(void *to, unsigned long bytes)
{
    touched++;
    if (faults && faults--)
        return bytes / 2;
    memset(to, 0, bytes);
    return 0;
}

/* Frame 1 is the guest's and writable, 2 the guest's and a page table, 3 the other's; there are four. */
bool mfn_is_ram(mfn_t mfn)
{
    return mfn < 4;
}
static bool is_of(struct page *page, const struct domain *d)
{
    mfn_t mfn = page_to_mfn(page);
    return mfn == 3 ? d == &other : mfn && d == &guest;
}
bool page_get(struct page *page, const struct domain *d)
{
    return is_of(page, d) && ++held;
}
int page_get_with_type(struct page *page, const struct domain *d, uint64_t type)
{
    CHECK(type == TYPE_WRITABLE);
    return is_of(page, d) && page_to_mfn(page) != 2 ? (held++, 0) : -EINVAL;
}
void page_put(struct page *page)
{
    held--;
}
void page_put_with_type(struct page *page)
{
    held--;
}

struct page *p2m_get_page_briefly(struct domain *d, uint64_t gfn, bool writable, int *error)
{
    *error = -EINVAL;
    return gfn < 4 && page_get(&fake_page[gfn], d) ? &fake_page[gfn] : NULL;
}

/* Wherever it begins, of whatever size, also across the end of a page. */
static void unaligned(void)
{
    uint8_t value[16], got[16], *memory = fake_ram[0];
    for (unsigned i = 0; i < 16; i++)
        value[i] = (uint8_t)(i + 1);
    for (unsigned bytes = 1; bytes <= 9; bytes++)
        for (unsigned at = PAGE_SIZE; at < 2 * PAGE_SIZE; at += at < 2 * PAGE_SIZE - 64 ? 61 : 1) {
            CHECK(!hvm_copy_to_physical(&guest, at, value, bytes) && !memcmp(memory + at, value, bytes));
            CHECK(!hvm_copy_from_physical(&guest, got, at, bytes) && !memcmp(got, value, bytes));
            memset(memory + at, 0, bytes);
        }
    CHECK(hvm_copy_to_physical(&guest, 3 * PAGE_SIZE - 1, value, 8) == -EINVAL);
    memset(fake_ram[2], 0, PAGE_SIZE);
    CHECK(!held);
}

static void addresses(void)
{
    uint64_t value = 0x1122334455667788, got = 0;
    static const unsigned long bad[] = {0xffff800000000000, 0xffff87fffffffff9, 0xffff830000001000, 0xfffffffffffffffc,
                                        0x0000800000000000, 0x00007ffffffffffc, 0x8000000000000000};
    for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
        CHECK(copy_to_guest_va(bad[i], &value, 8) == -EFAULT);
        CHECK(copy_from_guest_va(&got, bad[i], 8) == -EFAULT);
        CHECK(clear_guest_va(bad[i], 8) == -EFAULT);
    }
    CHECK(!touched && !got);
    uint64_t theirs = 0;
    CHECK(!copy_to_guest_va((unsigned long)&theirs, &value, 8) && theirs == value);
    CHECK(!copy_from_guest_va(&got, (unsigned long)&theirs, 8) && got == value);
    faults = 1;
    CHECK(copy_from_guest_va(&got, (unsigned long)&theirs, 8) == -EFAULT);
    faults = 1; /* an old translation: clearing goes on where it stopped */
    CHECK(!clear_guest_va((unsigned long)&theirs, 8) && (uint32_t)(theirs >> 32) == 0);
    faults = 2;
    CHECK(clear_guest_va((unsigned long)&theirs, 8) == -EFAULT);
}

static void frames(void)
{
    uint8_t value[PAGE_SIZE] = {1};
    CHECK(!copy_to_domain_mfn(&guest, 1, 0, value, PAGE_SIZE) && fake_ram[1][0] == 1);
    for (unsigned offset = 1; offset < 3 * PAGE_SIZE; offset += 1023)
        CHECK(copy_to_domain_mfn(&guest, 1, offset, value, PAGE_SIZE) == -EINVAL);
    CHECK(copy_to_domain_mfn(&guest, 1, PAGE_SIZE - 4, value, 8) == -EINVAL && !fake_ram[2][0]);
    CHECK(copy_to_domain_mfn(&guest, 2, 0, value, 8) == -EINVAL); /* a page table */
    for (mfn_t mfn = 3; mfn < 6; mfn++)
        CHECK(copy_to_domain_mfn(&guest, mfn, 0, value, 8) == -EINVAL);
    CHECK(!held);
}

int main(void)
{
    fake_current[0] = &v;
    addresses();
    unaligned();
    frames();
    return 0;
}
