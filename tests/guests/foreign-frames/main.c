/*
 * Every frame of the machine is tried: RAM that is not the domain's own cannot be mapped, used as a table or
 * freed.
 */
#include "guest.h"

const char test_title[] = "frames of others";

static char window[4096] __attribute__((aligned(4096)));

static bool ours(uint64_t mfn)
{
    uint64_t pfn = 0;
    uint64_t trapped = TRY("movq (%2), %1", OUT("=&r"(pfn)), "r"(M2P + mfn));
    return !trapped && pfn < start_info->nr_pages && pfn_mfn(pfn) == mfn;
}

/* Frames of the hypervisor that it shares with a guest have no guest frame number, and say so. */
static bool shared_with_us(uint64_t mfn)
{
    uint64_t pfn = 0;
    return !TRY("movq (%2), %1", OUT("=&r"(pfn)), "r"(M2P + mfn)) &&
           (pfn == ~1UL || mfn == start_info->shared_info >> 12);
}

/* From 1 MiB on. Domain-0 may have what is not RAM, so for it up to the first reserved range below the top of 512 MiB.
 */
#define FIRST_RAM 0x100UL
static uint64_t last_ram, stride = 1; /* not all of a larger machine's frames: the reference logs each refusal */

static uint64_t unlisted;

static void map_all(void)
{
    uint64_t ptr = entry_machine(entry_of((uint64_t)window, 1)), own = 0, foreign = 0;
    for (uint64_t mfn = FIRST_RAM; mfn < last_ram; mfn += stride) {
        if (shared_with_us(mfn))
            continue;
        bool mine = ours(mfn);
        long result = mmu_update(ptr, pte_make(mfn, PTE_RO));
        if (mine && result)
            failure("own frame %lx cannot be mapped: %ld", mfn, result);
        if (!mine && result == 0 && M2P[mfn] == ~0UL && !unlisted) {
            unlisted = mfn; /* the domain builder may have left one frame without a number */
            continue;
        }
        if (!mine && result == 0 && foreign++ < 5)
            failure("frame %lx of somebody else (pfn %lx) can be mapped", mfn, M2P[mfn]);
        own += mine;
    }
    if (foreign)
        failure("%lu frames of others can be mapped", foreign);
    CHECK(own > (start_info->nr_pages - 256) / stride - stride);
    CHECK_IS(0, update_va(window, pte_make(mfn_of(window), PTE_RW)));
}

static void use_all(void)
{
    uint64_t pinned = 0;
    for (uint64_t mfn = FIRST_RAM; mfn < last_ram; mfn += 7 * stride)
        if (mfn != unlisted && !ours(mfn) && !shared_with_us(mfn)) {
            if (mmuext(MMUEXT_PIN_L1_TABLE, mfn, 0) == 0 || mmuext(MMUEXT_CLEAR_PAGE, mfn, 0) == 0 ||
                mmuext(MMUEXT_COPY_PAGE, mfn_of(window), mfn) == 0 || mmuext(MMUEXT_NEW_BASEPTR, mfn, 0) == 0 ||
                HYPERCALL(set_gdt, &mfn, 1) == 0 || HYPERCALL(update_descriptor, mfn << 12, 0) == 0)
                pinned++;
        }
    CHECK_IS(0, pinned);
    CHECK_REFUSED(mmuext(MMUEXT_PIN_L1_TABLE, 1UL << 40, 0));
    CHECK_REFUSED(mmuext(MMUEXT_PIN_L4_TABLE, ~0UL, 0));
    CHECK_REFUSED(mmuext(MMUEXT_NEW_BASEPTR, ~0UL, 0));
    CHECK_REFUSED(mmuext(MMUEXT_NEW_USER_BASEPTR, ~0UL, 0));
    CHECK_REFUSED(mmuext(MMUEXT_UNPIN_TABLE, ~0UL, 0));
    CHECK_REFUSED(mmuext(MMUEXT_CLEAR_PAGE, ~0UL, 0));
    CHECK_REFUSED(mmuext(MMUEXT_COPY_PAGE, mfn_of(window), ~0UL));
}

static void devices(void)
{
    static const uint64_t frames[] = {0xfec00, 0xfed00, 0xb8, 0xe0000, 0xfffff};
    long answer = is_privileged() ? 0 : -EINVAL;
    for (unsigned i = 0; i < ARRAY_SIZE(frames); i++) {
        CHECK_IS(answer, update_va(window, pte_make(frames[i], PTE_RW | PTE_PCD)));
        CHECK_IS(answer, update_va(window, pte_make(frames[i], PTE_RO | PTE_PCD)));
    }
    /* The local APIC is the hypervisor's. */
    CHECK_REFUSED(update_va(window, pte_make(0xfee00, PTE_RW | PTE_PCD)));
    CHECK_REFUSED(update_va(window, pte_make(0xfee00, PTE_RO | PTE_PCD)));
    CHECK_IS(0, update_va(window, pte_make(mfn_of(window), PTE_RW)));
}

void test_main(void)
{
    last_ram = is_privileged() ? 0x1ffd0 : (uint64_t)HYPERCALL(memory_op, XENMEM_maximum_ram_page, 0) + 1;
    if (!is_privileged())
        stride = 61;
    map_all();
    use_all();
    devices();
}
