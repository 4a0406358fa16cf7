/*
 * What the processor refuses to the hypervisor itself, so that a bug of ours does not become a guest's way in: to write
 * to read-only pages (WP), to run data (NX), and to run or touch what a guest's programs may (SMEP, SMAP).
 * x86/protection.c; cpu_features_init_cpu() switches them on.
 */
#ifndef HV_PROTECTION_H
#define HV_PROTECTION_H

#include <hv/asm_offsets.h>

/* One STAC or CLAC for inline assembly, a no-op without SMAP. Entry code has its own (hv/entry_macros.h). */
#define SMAP_STRING_(...) #__VA_ARGS__
#define SMAP_STRING(...)  SMAP_STRING_(__VA_ARGS__)
#define SMAP_SITE(last_byte)                                                                                           \
    "1: .byte " SMAP_STRING(SMAP_SITE_BYTES) "\n\t.pushsection .smap_sites, \"a\"\n\t.balign 4\n\t"                    \
                                             ".long 1b - ., " SMAP_STRING(last_byte) "\n\t.popsection\n\t"

/* Boot CPU, after cpu_features_init() and while the image can still be written: makes the sites real where there is
 * SMAP. */
void protection_init(void);

/* Every CPU, on the hypervisor's own page tables: tries what it must not be able to do, and panics if it can. */
void protection_check_cpu(void);

#ifdef HV_CHECKED
/* Panics if guests' memory is open: an entry or a copy has forgotten to close it. */
void protection_check_closed(void);
#else
static inline void protection_check_closed(void)
{
}
#endif

#endif
