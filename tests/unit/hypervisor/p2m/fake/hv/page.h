/*
 * On the host, machine memory is an array: the functions that would use the hypervisor's address space are replaced.
 */
#ifndef FAKE_HV_PAGE_H
#define FAKE_HV_PAGE_H

#define mfn_to_page  real_mfn_to_page
#define page_to_mfn  real_page_to_mfn
#define mfn_to_virt  real_mfn_to_virt
#define virt_to_mfn  real_virt_to_mfn
#define page_to_virt real_page_to_virt
#include_next <hv/page.h>
#undef mfn_to_page
#undef page_to_mfn
#undef mfn_to_virt
#undef virt_to_mfn
#undef page_to_virt

#define FAKE_FRAMES 4096U
extern struct page fake_page[FAKE_FRAMES];
extern uint8_t (*fake_ram)[PAGE_SIZE];
mfn_t fake_frame_number(const void *va);

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
static inline mfn_t virt_to_mfn(const void *va)
{
    return fake_frame_number(va);
}
static inline void *page_to_virt(const struct page *page)
{
    return mfn_to_virt(page_to_mfn(page));
}

#endif
