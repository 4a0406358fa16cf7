/*
 * Machine memory on the host: FAKE_FRAMES frames of RAM, which start as zeroes and nobody's. All weak, like the rest.
 */
#include <hv/page.h>

#define WEAK __attribute__((weak))

WEAK struct page fake_page[FAKE_FRAMES];
static uint8_t ram[FAKE_FRAMES][PAGE_SIZE] __attribute__((aligned(PAGE_SIZE)));
WEAK uint8_t (*fake_ram)[PAGE_SIZE] = ram;
WEAK unsigned long fake_m2p[FAKE_FRAMES];
WEAK mfn_t max_mfn = FAKE_FRAMES;

WEAK bool mfn_is_ram(mfn_t mfn)
{
    return mfn < max_mfn && !(READ_ONCE(fake_page[mfn].references) & PAGE_IO);
}

WEAK void m2p_set(mfn_t mfn, unsigned long pfn)
{
    WRITE_ONCE(fake_m2p[mfn], pfn);
}

WEAK unsigned long m2p_get(mfn_t mfn)
{
    return READ_ONCE(fake_m2p[mfn]);
}
