/*
 * 32-bit code segments are there for a 64-bit guest too. From them every way in is tried: syscall, sysenter,
 * int, a page fault, a far return to selectors that are not the guest's.
 */
#include "guest.h"

const char test_title[] = "32-bit code";

#define LOW_VA 0x10000000UL

static struct registers seen;
static unsigned seen_vector, count;

static bool note(struct registers *regs, unsigned vector)
{
    seen = *regs;
    seen_vector = vector;
    count++;
    user_leave();
}

static void *map_low(void)
{
    void *page = page_alloc();
    pte_t *l3 = page_alloc(), *l2 = page_alloc(), *l1 = page_alloc();
    l1[LOW_VA >> 12 & 511] = pte_make(mfn_of(page), PTE_RW);
    l2[LOW_VA >> 21 & 511] = pte_make(mfn_of(l1), TABLE_FLAGS);
    l3[LOW_VA >> 30 & 511] = pte_make(mfn_of(l2), TABLE_FLAGS);
    set_readonly(l1);
    set_readonly(l2);
    set_readonly(l3);
    CHECK_IS(0, mmu_update(mfn_of(root_table()) * PAGE + (LOW_VA >> 39) * 8, pte_make(mfn_of(l3), TABLE_FLAGS)));
    return (void *)LOW_VA;
}

void test_main(void)
{
    static const struct {
        uint8_t code[8];
        const char *what;
    } cases[] = {
        {{0x0f, 0x0b}, "ud2"},
        {{0xcc}, "int3"},
        {{0x0f, 0x05, 0x0f, 0x0b}, "syscall"},
        {{0x0f, 0x34, 0x0f, 0x0b}, "sysenter"},
        {{0xcd, 0x80, 0x0f, 0x0b}, "int 0x80"},
        {{0xcd, 0x82, 0x0f, 0x0b}, "int 0x82"},
        {{0xf4}, "hlt"},
        {{0x0f, 0x20, 0xd8}, "mov cr3, eax"},
        {{0xa1, 0, 0, 0, 0x50}, "load from nowhere"},
        {{0x6a, 0x08, 0x6a, 0x00, 0xcb}, "far return to 8"},
        {{0x9a, 0, 0, 0, 0, 0x08, 0xe0, 0x0f}, "far call to the hypervisor's cs"},
        {{0xea, 0, 0, 0, 0x10, 0x40, 0xe0}, "far jump to the TSS"},
        {{0xce}, "into"},
    };
    uint8_t *page = map_low();
    user_prepare();
    for (unsigned user = 0; user < 2; user++)
        for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
            if (!user && cases[i].code[0] == 0xf4)
                continue; /* of a kernel that is the way to wait */
            memory_copy(page, cases[i].code, sizeof(cases[i].code));
            page[8] = 0x0f;
            page[9] = 0x0b;
            for (unsigned v = 0; v < 20; v++)
                trap_hooks[v] = note;
            trap_hooks[ENTRY_SYSCALL] = trap_hooks[ENTRY_FAILSAFE] = note;
            struct registers regs = {.rip = LOW_VA,
                                     .cs = user ? FLAT_USER_CS32 : FLAT_RING3_CS32 & ~3UL,
                                     .ss = FLAT_USER_SS32,
                                     .rsp = LOW_VA + 4096,
                                     .rflags = 0x202};
            count = 0;
            user_enter(&regs);
            if (count != 1)
                failure("%s: %u traps", cases[i].what, count);
        }
}
