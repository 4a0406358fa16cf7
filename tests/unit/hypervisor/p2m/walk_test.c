/*
 * Walks of the guest's page tables: a table of cases, each with one path of entries, and what the processor would say.
 * Intel SDM volume 3, 4.3-4.7.
 */
#include "fake.h"

#define P   PTE_PRESENT
#define W   PTE_WRITE
#define U   PTE_USER
#define A   PTE_ACCESSED
#define D   PTE_DIRTY
#define PS  PTE_PSE
#define NX  PTE_NX
#define PWU (P | W | U)

enum mode { NONE, M32, M32_PSE, PAE, LONG, LA57, MODES };
static const struct {
    unsigned levels, entry_bytes, index_bits;
    uint64_t cr0, cr4, efer;
} modes[MODES] = {
    [NONE] = {0, 4, 10, 0x11, 0, 0},
    [M32] = {2, 4, 10, 0x80000011, 0, 0},
    [M32_PSE] = {2, 4, 10, 0x80000011, 0x10, 0},
    [PAE] = {3, 8, 9, 0x80000011, 0x30, EFER_NXE},
    [LONG] = {4, 8, 9, 0x80000011, 0x30, EFER_NXE | EFER_LME | EFER_LMA},
    [LA57] = {5, 8, 9, 0x80000011, 0x1030, EFER_NXE | EFER_LME | EFER_LMA},
};
#define WP      X86_CR0_WP
#define SMEP    X86_CR4_SMEP
#define SMAP    X86_CR4_SMAP
#define NO_NXE  0x10000 /* in `cr4`: EFER.NXE off */
#define AC      0x20000 /* in `cr4`: rflags.AC */
#define OK      (-1)
#define NOT_RAM (-2)

/* Tables are at gfn 16 (top), 17, 18, ...; the leaf's address part is in its entry. */
struct walk_case {
    int line;
    enum mode mode;
    uint64_t linear;
    uint64_t cr0, cr4; /* more bits */
    unsigned access;
    uint64_t entry[5]; /* flags from the top; a leaf's with its address; 0 ends the path */
    int fault;         /* error code, OK or NOT_RAM */
    uint64_t gpa;
};
#define CASE(...)                                                                                                      \
    {                                                                                                                  \
        __LINE__, __VA_ARGS__                                                                                          \
    }
#define R WALK_READ
static const struct walk_case cases[] = {
    CASE(NONE, 0x12345678, 0, 0, WALK_WRITE | WALK_USER, {0}, OK, 0x12345678),
    CASE(NONE, 0x1f2345678, 0, 0, R, {0}, OK, 0xf2345678),

    CASE(M32, 0x00403123, 0, 0, R, {PWU, 0x44000 | PWU}, OK, 0x44123),
    CASE(M32, 0xffc03123, 0, 0, WALK_WRITE | WALK_USER, {PWU, 0x44000 | PWU}, OK, 0x44123),
    CASE(M32, 0x00403123, 0, 0, R, {W, 0}, 0, 0),
    CASE(M32, 0x00403123, 0, 0, R | WALK_USER, {PWU, 0x44000 | P}, 5, 0),
    CASE(M32, 0x00403123, 0, 0, WALK_WRITE | WALK_USER, {PWU, 0x44000 | P | U}, 7, 0),
    CASE(M32, 0x00403123, 0, 0, WALK_WRITE, {PWU, 0x44000 | P | U}, OK, 0x44123),
    CASE(M32, 0x00403123, WP, 0, WALK_WRITE, {PWU, 0x44000 | P | U}, 3, 0),
    CASE(M32, 0x00403123, WP, 0, WALK_WRITE, {P | U, 0x44000 | PWU}, 3, 0),
    CASE(M32, 0x00403123, 0, 0, WALK_FETCH | WALK_USER, {P | W, 0x44000 | PWU}, 5, 0),
    CASE(M32, 0x00403123, 0, SMEP, WALK_FETCH, {PWU, 0x44000 | PWU}, 0x11, 0),
    CASE(M32, 0x00403123, 0, 0, R, {PWU | PS, 0x44000 | PWU}, OK, 0x44123), /* no CR4.PSE: the bit means nothing */
    CASE(M32_PSE, 0x00403123, 0, 0, R, {0x800000 | PWU | PS}, OK, 0x803123),
    CASE(M32_PSE, 0x00403123, 0, 0, R, {0x800000 | 1 << 13 | PWU | PS}, OK, 0x100803123),
    CASE(M32_PSE, 0x00403123, 0, 0, R, {0x800000 | 1 << 21 | PWU | PS}, 9, 0),

    CASE(PAE, 0xc0403123, 0, 0, WALK_WRITE | WALK_USER, {P, PWU, 0x44000 | PWU}, OK, 0x44123),
    CASE(PAE, 0xc0403123, 0, 0, WALK_WRITE, {P, 0x600000 | PWU | PS}, OK, 0x603123),
    CASE(PAE, 0xc0403123, 0, 0, WALK_WRITE, {P, 0x602000 | PWU | PS}, 0xb, 0),
    CASE(PAE, 0xc0403123, 0, 0, R, {P | W, PWU, 0x44000 | PWU}, 9, 0), /* reserved in a top entry */
    CASE(PAE, 0xc0403123, 0, 0, R, {P, PWU, 1UL << 52 | 0x44000 | PWU}, 9, 0),
    CASE(PAE, 0xc0403123, 0, 0, WALK_FETCH, {P, PWU, NX | 0x44000 | PWU}, 0x11, 0),

    CASE(LONG, 0xffff8000c0403123, WP, 0, R, {PWU, PWU, PWU, 0x44000 | PWU}, OK, 0x44123),
    CASE(LONG, 0x00007fffffffffff, WP, 0, WALK_WRITE | WALK_USER, {PWU, PWU, PWU, 0x44000 | PWU}, OK, 0x44fff),
    CASE(LONG, 0x0000800000000000, 0, 0, R, {PWU, PWU, PWU, 0x44000 | PWU}, 0, 0),
    CASE(LONG, 0x403123, 0, 0, WALK_USER, {P | W, PWU, PWU, 0x44000 | PWU}, 5, 0),
    CASE(LONG, 0x403123, 0, 0, WALK_USER, {PWU, P | W, PWU, 0x44000 | PWU}, 5, 0),
    CASE(LONG, 0x403123, 0, 0, WALK_USER | WALK_WRITE, {PWU, PWU, PWU, W}, 6, 0),
    CASE(LONG, 0x403123, 0, 0, WALK_USER | WALK_FETCH, {PWU, PWU, PWU, W}, 0x14, 0),
    CASE(LONG, 0x403123, 0, NO_NXE, WALK_USER | WALK_FETCH, {PWU, PWU, PWU, W}, 4, 0),
    CASE(LONG, 0x403123, 0, NO_NXE, R, {PWU, PWU, PWU, NX | 0x44000 | PWU}, 9, 0),
    CASE(LONG, 0x403123, 0, 0, WALK_FETCH, {NX | PWU, PWU, PWU, 0x44000 | PWU}, 0x11, 0),
    CASE(LONG, 0x403123, 0, 0, R, {NX | PWU, PWU, PWU, 0x44000 | PWU}, OK, 0x44123),
    CASE(LONG, 0x403123, 0, 0, R, {PWU | PS, PWU, PWU, 0x44000 | PWU}, 9, 0),
    CASE(LONG, 0x40403123, 0, 0, WALK_WRITE, {PWU, 0x80000000 | PWU | PS}, OK, 0x80403123),
    CASE(LONG, 0x40403123, 0, 0, WALK_WRITE, {PWU, 0x80100000 | PWU | PS}, 0xb, 0),
    CASE(LONG, 0x40403123, 0, 0, R, {PWU, PWU, 0x600000 | 1 << 12 | PWU | PS}, OK, 0x603123), /* PAT */
    CASE(LONG, 0x403123, 0, 0, R, {PWU, PWU, PWU, 1UL << 40 | PWU}, 9, 0), /* beyond the width of addresses */
    CASE(LONG, 0x403123, 0, 0, R, {PWU, PWU, 0xfffff000 | PWU, 0}, NOT_RAM, 0xfffff018),
    CASE(LONG, 0x403123, 0, SMAP, R, {PWU, PWU, PWU, 0x44000 | PWU}, 1, 0),
    CASE(LONG, 0x403123, 0, SMAP | AC, R, {PWU, PWU, PWU, 0x44000 | PWU}, OK, 0x44123),
    CASE(LONG, 0x403123, 0, SMAP | AC, WALK_SYSTEM, {PWU, PWU, PWU, 0x44000 | PWU}, 1, 0),
    CASE(LONG, 0x403123, 0, SMAP, R, {PWU, PWU, PWU, 0x44000 | P | W}, OK, 0x44123),
    CASE(LONG, 0x403123, 0, SMAP, WALK_USER, {PWU, PWU, PWU, 0x44000 | PWU}, OK, 0x44123),
    CASE(LONG, 0x403123, 0, SMAP, WALK_FETCH, {PWU, PWU, PWU, 0x44000 | PWU}, OK, 0x44123),
    CASE(LONG, 0x403123, 0, SMEP, WALK_FETCH, {PWU, PWU, PWU, 0x44000 | PWU}, 0x11, 0),
    CASE(LONG, 0x403123, 0, SMEP, WALK_FETCH | WALK_USER, {PWU, PWU, PWU, 0x44000 | PWU}, OK, 0x44123),

    CASE(LA57, 0xff00000000403123, WP, 0, WALK_WRITE | WALK_USER, {PWU, PWU, PWU, PWU, 0x44000 | PWU}, OK, 0x44123),
    CASE(LA57, 0x0100000000000000, 0, 0, R, {PWU, PWU, PWU, PWU, 0x44000 | PWU}, 0, 0),
};

#define FIRST_TABLE 16UL

static void *guest_page(gfn_t gfn)
{
    enum p2m_type kind;

    return mfn_to_virt(p2m_lookup(&guest, gfn, &kind, NULL));
}

static unsigned index_at(const struct walk_case *c, unsigned depth)
{
    unsigned level = modes[c->mode].levels - depth;

    return (unsigned)(c->linear >> (12 + modes[c->mode].index_bits * (level - 1)) &
                      (c->mode == PAE && depth == 0 ? 3 : (1U << modes[c->mode].index_bits) - 1));
}

static bool is_leaf(const struct walk_case *c, unsigned depth)
{
    return depth + 1 == modes[c->mode].levels || c->entry[depth + 1] == 0 || depth == 4;
}

/* An entry that is not the last gets the next table's address, unless it has one. */
static void build(const struct walk_case *c)
{
    for (gfn_t gfn = FIRST_TABLE; gfn < FIRST_TABLE + 5; gfn++)
        memset(guest_page(gfn), 0, PAGE_SIZE);
    for (unsigned depth = 0; depth < modes[c->mode].levels; depth++) {
        uint64_t entry = c->entry[depth];

        if (!is_leaf(c, depth) && !(entry & PTE_ADDRESS))
            entry |= (FIRST_TABLE + depth + 1) << PAGE_SHIFT;
        if (modes[c->mode].entry_bytes == 8)
            ((uint64_t *)guest_page(FIRST_TABLE + depth))[index_at(c, depth)] = entry;
        else
            ((uint32_t *)guest_page(FIRST_TABLE + depth))[index_at(c, depth)] = (uint32_t)entry;
        if (is_leaf(c, depth))
            return;
    }
}

static uint64_t read_back(const struct walk_case *c, unsigned depth)
{
    const void *page = guest_page(FIRST_TABLE + depth);

    return modes[c->mode].entry_bytes == 8 ? ((const uint64_t *)page)[index_at(c, depth)]
                                           : ((const uint32_t *)page)[index_at(c, depth)];
}

/* Accessed everywhere on the way, dirty in the leaf of a write, nothing in a leaf that faulted. */
static void check_marks(const struct walk_case *c)
{
    for (unsigned depth = 0; depth < modes[c->mode].levels; depth++) {
        uint64_t want = c->mode == PAE && depth == 0 ? 0 : A;

        if (is_leaf(c, depth) && (c->access & WALK_WRITE))
            want |= D;
        if (c->fault != OK && is_leaf(c, depth))
            want = 0;
        CHECK_EQUAL(want, read_back(c, depth) & (A | D), "line %d, depth %u", c->line, depth);
        if (is_leaf(c, depth))
            return;
    }
}

static void enter_mode(struct vcpu *v, const struct walk_case *c)
{
    v->hvm->cr0 = modes[c->mode].cr0 | c->cr0;
    v->hvm->cr4 = modes[c->mode].cr4 | (c->cr4 & (SMEP | SMAP));
    v->hvm->efer = modes[c->mode].efer & ~(c->cr4 & NO_NXE ? EFER_NXE : 0UL);
    v->hvm->cr3 = FIRST_TABLE << PAGE_SHIFT;
    v->regs.rflags = c->cr4 & AC ? X86_EFLAGS_AC : 0;
}

static void run_case(const struct walk_case *c)
{
    struct vcpu *v = guest.vcpu[0];
    uint64_t gpa = 0;
    uint32_t fault = 0xbad;
    int result, want = c->fault == OK ? 0 : c->fault == NOT_RAM ? -EINVAL : -EFAULT;

    enter_mode(v, c);
    build(c);
    result = hvm_translate(v, c->linear, c->access, &gpa, &fault);
    CHECK_EQUAL(want, result, "line %d: gpa %lx, fault %x", c->line, gpa, fault);
    if (want == -EFAULT)
        CHECK_EQUAL((uint32_t)c->fault, fault, "line %d", c->line);
    else
        CHECK_EQUAL(c->gpa, gpa, "line %d", c->line);
    if (c->fault == OK)
        check_marks(c);
}

/* An identity map of the first 2 MiB with holes, to copy through. */
static void test_copies(void)
{
    static const struct walk_case flat = CASE(LONG, 0, 0, 0, 0, {PWU, PWU, PWU, P | W}, OK, 0);
    struct vcpu *v = guest.vcpu[0];
    uint64_t *table, gpa = 0;
    uint32_t fault = 0;
    char in[8192], out[8192];

    enter_mode(v, &flat);
    build(&flat);
    table = guest_page(FIRST_TABLE + 3);
    for (gfn_t gfn = 0; gfn < 512; gfn++)
        table[gfn] = gfn << PAGE_SHIFT | P | W;
    table[60] = 0;
    table[62] = 0xfee00000UL | P | W;
    for (unsigned i = 0; i < sizeof(in); i++)
        in[i] = (char)(i * 7);
    fake_be(v);
    CHECK_EQUAL(0, copy_to_guest_va(0x30123, in, sizeof(in)));
    memset(out, 0, sizeof(out));
    CHECK_EQUAL(0, copy_from_guest_va(out, 0x30123, sizeof(out)));
    CHECK(!memcmp(in, out, sizeof(in)));
    CHECK_EQUAL(0, clear_guest_va(0x30ff0, 0x20));
    CHECK_EQUAL(0, hvm_copy_from_physical(&guest, out, 0x30fe0, 64));
    CHECK(!out[0x10] && !out[0x2f] && out[0x30] == in[0xecd + 0x20 - 0x0]);
    CHECK_EQUAL(-EFAULT, copy_to_guest_va(0x3bffc, in, 8));
    CHECK_EQUAL(-EFAULT, hvm_copy_linear(v, 0x3bffc, in, 8, WALK_WRITE, &fault, &gpa));
    CHECK_EQUAL(2, fault);
    CHECK_EQUAL(-EFAULT, hvm_copy_linear(v, 0x3effe, out, 4, WALK_READ | WALK_USER, &fault, &gpa));
    CHECK_EQUAL(5, fault);
    CHECK_EQUAL(-EAGAIN, hvm_copy_linear(v, 0x3dffe, out, 4, WALK_READ, &fault, &gpa));
    CHECK_EQUAL(0xfee00000, gpa);
    fake_be(control.vcpu[0]);
    CHECK_EQUAL(0, copy_to_guest_va((unsigned long)out, in, sizeof(in)));
    CHECK(!memcmp(in, out, sizeof(in)));
    CHECK_EQUAL(-EFAULT, copy_to_guest_va(DIRECTMAP_VA, in, 1));
}

/* Marks in a table that is watched make it dirty; in one that cannot be written they are left out. */
static void test_watched_tables(void)
{
    const struct walk_case c = CASE(LONG, 0x403123, 0, 0, WALK_WRITE, {PWU, PWU, PWU, 0x44000 | PWU}, OK, 0x44123);
    enum p2m_type kind;
    uint64_t gpa;
    uint32_t fault;

    enter_mode(guest.vcpu[0], &c);
    build(&c);
    CHECK_EQUAL(0, p2m_change_type(&guest, FIRST_TABLE + 3, P2M_RAM, P2M_RAM_LOG_DIRTY));
    CHECK_EQUAL(0, p2m_change_type(&guest, FIRST_TABLE + 2, P2M_RAM, P2M_RAM_READONLY));
    CHECK_EQUAL(0, hvm_translate(guest.vcpu[0], c.linear, c.access, &gpa, &fault));
    CHECK_EQUAL(0x44123, gpa);
    p2m_lookup(&guest, FIRST_TABLE + 3, &kind, NULL);
    CHECK_EQUAL(P2M_RAM, kind);
    CHECK_EQUAL(A | D, read_back(&c, 3) & (A | D));
    CHECK_EQUAL(0, read_back(&c, 2) & (A | D));
}

int main(void)
{
    fake_start(false, false);
    fake_ram_at(0, 9);
    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++)
        run_case(&cases[i]);
    test_copies();
    test_watched_tables();
    fake_stop();
    return 0;
}
