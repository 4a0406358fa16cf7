/*
 * On the host, machine memory is an array: the functions that would use the hypervisor's address space are replaced.
 * The array and the frame table are fake/memory.c's, or the test's.
 */
#ifndef FAKE_HV_PAGE_H
#define FAKE_HV_PAGE_H

#define mfn_to_page   real_mfn_to_page
#define page_to_mfn   real_page_to_mfn
#define mfn_to_virt   real_mfn_to_virt
#define virt_to_mfn   real_virt_to_mfn
#define page_to_virt  real_page_to_virt
#define paddr_to_virt real_paddr_to_virt
#define virt_to_paddr real_virt_to_paddr
#include_next <hv/page.h>
#undef mfn_to_page
#undef page_to_mfn
#undef mfn_to_virt
#undef virt_to_mfn
#undef page_to_virt
#undef paddr_to_virt
#undef virt_to_paddr

#define FAKE_FRAMES 4096U
extern struct page fake_page[FAKE_FRAMES];
extern uint8_t (*fake_ram)[PAGE_SIZE];
extern unsigned long fake_m2p[FAKE_FRAMES]; /* of m2p_set() and m2p_get() */

static inline struct page *mfn_to_page(mfn_t mfn)
{
    return &fake_page[mfn];
}
static inline mfn_t page_to_mfn(const struct page *page)
{
    return (mfn_t)(page - fake_page);
}
static inline void *mfn_to_virt(mfn_t mfn)
{
    return fake_ram[mfn];
}
static inline void *page_to_virt(const struct page *page)
{
    return mfn_to_virt(page_to_mfn(page));
}
static inline void *paddr_to_virt(paddr_t pa)
{
    return (uint8_t *)fake_ram + pa;
}
static inline paddr_t virt_to_paddr(const void *va)
{
    return (paddr_t)((const uint8_t *)va - (uint8_t *)fake_ram);
}
static inline mfn_t virt_to_mfn(const void *va)
{
    return virt_to_paddr(va) >> PAGE_SHIFT;
}

#endif
