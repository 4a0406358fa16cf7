/*
 * GDT and LDT: which descriptors a guest may have, what happens to its ring-0 ones, selectors and segment
 * bases.
 */
#include "guest.h"

const char test_title[] = "descriptor tables, segment bases";

#define DATA    0x00cff2000000ffffUL /* present, ring 3, writable */
#define CODE    0x00affa000000ffffUL
#define TYPE(n) ((uint64_t)(n) << 40)

static uint64_t gdt[1024] __attribute__((aligned(4096)));

static uint64_t load_ds(uint16_t selector)
{
    return TRY("mov %w1, %%ds\n\tmov %w2, %%ds", NO_OUT, "r"(selector), "r"(0));
}

static long update(unsigned index, uint64_t value)
{
    return HYPERCALL(update_descriptor, mfn_of(gdt) * PAGE + index * 8, value);
}

static void use(void)
{
    uint64_t frames[1] = {mfn_of(gdt)};
    gdt[1] = DATA;
    gdt[2] = DATA & ~(3UL << 45);                   /* ring 0 */
    CHECK_REFUSED(HYPERCALL(set_gdt, frames, 512)); /* mapped writable */
    CHECK_IS(0, set_readonly(gdt));
    CHECK_IS(0, HYPERCALL(set_gdt, frames, 512));
    CHECK_REFUSED(set_writable(gdt));
    CHECK_REFUSED(mmuext(MMUEXT_PIN_L1_TABLE, mfn_of(gdt), 0));
    CHECK_IS(DATA & ~TYPE(1), gdt[1] & ~TYPE(1));
    CHECK_IS(3UL << 45, gdt[2] & 3UL << 45);
    CHECK_IS(0, load_ds(1 << 3 | 3));
    CHECK_IS(0, load_ds(2 << 3 | 3));
    CHECK_IS(TRAPPED(TRAP_GP, 3 << 3), load_ds(3 << 3 | 3));
    CHECK_IS(TRAPPED(TRAP_GP, 600 << 3), load_ds(600 << 3 | 3));
    CHECK_IS(TRAPPED(TRAP_GP, 0xe008), load_ds(0xe008));
    CHECK_IS(TRAPPED(TRAP_GP, 4), load_ds(4));
    CHECK_IS(0, update(3, DATA & ~(1UL << 47)));
    CHECK_IS(TRAPPED(TRAP_NP, 3 << 3), load_ds(3 << 3 | 3));
    CHECK_IS(0, update(3, 0));
}

static void kinds(void)
{
    static const struct {
        uint64_t value;
        bool allowed;
        const char *what;
    } cases[] = {
        {DATA, true, "data"},
        {CODE, true, "64-bit code"},
        {0x00cffa000000ffffUL, true, "32-bit code"},
        {DATA & ~(1UL << 47), true, "not present"},
        {0, true, "null"},
        {0x0000ee0000000000UL, false, "interrupt gate"},
        {0x0000ef0000000000UL, false, "trap gate"},
        {0x0000e50000080000UL, false, "task gate"},
        {0x000089000000ffffUL, false, "TSS"},
        {0x0000e9000000ffffUL, false, "TSS of ring 3"},
        {0x000082000000ffffUL, false, "LDT"},
    };
    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        long result = update(5, cases[i].value);
        if ((result == 0) != cases[i].allowed)
            failure("%s descriptor: %ld", cases[i].what, result);
        if (result == 0 && (cases[i].value & 1UL << 47) && (gdt[5] >> 45 & 3) != 3)
            failure("%s descriptor is of ring %lu", cases[i].what, gdt[5] >> 45 & 3);
    }
    CHECK_IS(0, update(5, DATA & ~(3UL << 45)));
    CHECK(gdt[5] >> 45 & 3);
    CHECK_IS(0, update(5, 0));
    CHECK_REFUSED(HYPERCALL(update_descriptor, mfn_of(gdt) * PAGE + 4, DATA));
    CHECK_REFUSED(HYPERCALL(update_descriptor, mfn_of(root_table()) * PAGE, 0));
    CHECK_REFUSED(HYPERCALL(update_descriptor, 1UL << 60, DATA));
}

static void tables(void)
{
    uint64_t frames[16] = {0};
    uint64_t *bad = page_alloc();
    bad[511] = 0x0000ee0000000000UL;
    CHECK_IS(0, set_readonly(bad));
    frames[0] = mfn_of(bad);
    CHECK_REFUSED(HYPERCALL(set_gdt, frames, 512));
    /* An LDT may be looked at when it is set or when it is used. */
    if (mmuext(MMUEXT_SET_LDT, (uint64_t)bad, 512) == 0)
        CHECK(load_ds(511 << 3 | 4 | 3) != 0);
    mmuext(MMUEXT_SET_LDT, 0, 0);
    CHECK_IS(0, set_writable(bad));
    frames[0] = 1UL << 40;
    CHECK_REFUSED(HYPERCALL(set_gdt, frames, 1));
    CHECK_REFUSED(HYPERCALL(set_gdt, frames, 14 * 512 + 1));
    CHECK_REFUSED(HYPERCALL(set_gdt, frames, 0x80000001UL));
    CHECK_IS(-EFAULT, HYPERCALL(set_gdt, UNMAPPED, 1));
    CHECK_IS(-EFAULT, HYPERCALL(set_gdt, IN_HYPERVISOR, 1));
    frames[0] = mfn_of(gdt);
    frames[1] = mfn_of(root_table());
    CHECK_REFUSED(HYPERCALL(set_gdt, frames, 513));
    CHECK_IS(0, HYPERCALL(set_gdt, frames, 0));
    CHECK_IS(0, set_writable(gdt)); /* given back */
    gdt[1] = 0;
}

static void ldt(void)
{
    uint64_t *table = page_alloc();
    table[1] = DATA;
    CHECK_IS(0, set_readonly(table));
    CHECK_IS(0, mmuext(MMUEXT_SET_LDT, (uint64_t)table, 8));
    CHECK_IS(0, load_ds(1 << 3 | 4 | 3));
    CHECK_IS(TRAPPED(TRAP_GP, 2 << 3 | 4), load_ds(2 << 3 | 4 | 3));
    CHECK_IS(TRAPPED(TRAP_GP, 9 << 3 | 4), load_ds(9 << 3 | 4 | 3));
    CHECK_REFUSED(set_writable(table));
    CHECK_REFUSED(mmuext(MMUEXT_SET_LDT, (uint64_t)table + 8, 8));
    CHECK_REFUSED(mmuext(MMUEXT_SET_LDT, (uint64_t)table, 8193));
    CHECK_IS(0, mmuext(MMUEXT_SET_LDT, 0, 0));
    CHECK_IS(TRAPPED(TRAP_GP, 1 << 3 | 4), load_ds(1 << 3 | 4 | 3));
    CHECK_IS(0, set_writable(table));
}

static void bases(void)
{
    uint64_t value = 0x5a5a, got = 0;
    CHECK_IS(0, HYPERCALL(set_segment_base, SEGBASE_FS, &value));
    __asm__ volatile("movq %%fs:0, %0" : "=r"(got));
    CHECK_IS(0x5a5a, got);
    CHECK_IS(0, HYPERCALL(set_segment_base, SEGBASE_GS_KERNEL, &value));
    __asm__ volatile("movq %%gs:0, %0" : "=r"(got));
    CHECK_IS(0x5a5a, got);
    CHECK_IS(0, HYPERCALL(set_segment_base, SEGBASE_GS_USER, 0x1000));
    __asm__ volatile("movq %%gs:0, %0" : "=r"(got));
    CHECK_IS(0x5a5a, got);
    CHECK_REFUSED(HYPERCALL(set_segment_base, SEGBASE_FS, NON_CANONICAL));
    CHECK_REFUSED(HYPERCALL(set_segment_base, SEGBASE_GS_USER, NON_CANONICAL));
    CHECK_REFUSED(HYPERCALL(set_segment_base, SEGBASE_GS_KERNEL, NON_CANONICAL));
    CHECK_REFUSED(HYPERCALL(set_segment_base, 9, 0));
    CHECK_IS(0, HYPERCALL(set_segment_base, SEGBASE_GS_USER_SEL, 0));
    CHECK_IS(0, HYPERCALL(set_segment_base, SEGBASE_GS_USER_SEL, 0xe02b));
    CHECK_IS(0, HYPERCALL(set_segment_base, SEGBASE_GS_USER_SEL, 0xe010)); /* cannot be loaded: null */
    CHECK_IS(0, HYPERCALL(set_segment_base, SEGBASE_GS_USER_SEL, 0x1003));
    CHECK_IS(0, HYPERCALL(set_segment_base, SEGBASE_GS_KERNEL, &value));
    __asm__ volatile("movq %%gs:0, %0" : "=r"(got));
    CHECK_IS(0x5a5a, got);
}

void test_main(void)
{
    use();
    kinds();
    tables();
    ldt();
    bases();
}
