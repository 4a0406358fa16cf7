/*
 * Instructions by which a PV kernel writes to its level-1 tables, against the processor's own: what they leave in the
 * entry, in registers and in the flags. And those that are not finished: nothing has changed then. The real
 * pv/write_emulate.c.
 */
#include "../../random.h"
#include "machine.h"
#include <hv/guest_copy.h>
#include <string.h>
#include <sys/mman.h>

#define VA 0x7000000000UL

static mfn_t table;
static int write_answer;
static unsigned writes;
static pte_t meanwhile; /* bits that the processor sets between our look and our exchange */

/* What of entries a guest may have is the business of page_table.c and mmu_test.c. */
static int fake_write_entry(struct domain *d, struct domain *foreign, mfn_t mfn, unsigned index, unsigned level,
                            pte_t value, pte_t keep, pte_t *replaced)
{
    pte_t *slot = &table_at(mfn)[index];
    CHECK(d == &guest && !foreign && mfn == table && level == 1);
    writes++;
    if (write_answer)
        return write_answer;
    *replaced = *slot |= meanwhile;
    *slot = value | (*slot & keep);
    return 0;
}
#define pv_write_entry fake_write_entry
#include "hypervisor/pv/write_emulate.c"
#undef pv_write_entry

/* Two pages for instructions; what begins on one does not go on on the other for those who may not. */
static uint8_t *code;
static unsigned long no_code_from = ~0UL;
int copy_from_guest_va(void *to, unsigned long from, size_t bytes)
{
    if (from + bytes > no_code_from)
        return -EFAULT;
    memcpy(to, (const void *)from, bytes);
    return 0;
}

struct state {
    uint64_t rax, rbx, rcx, rdx, rflags, operand;
};

static void emulate_at(struct cpu_user_regs *regs, struct state *s, unsigned offset)
{
    table_at(table)[0] = s->operand;
    *regs = (struct cpu_user_regs){.rip = (unsigned long)code,
                                   .rax = s->rax,
                                   .rbx = s->rbx,
                                   .rcx = s->rcx,
                                   .rdx = s->rdx,
                                   .rdi = VA + offset,
                                   .rflags = s->rflags | X86_EFLAGS_RF};
}

/* The instruction in `code`, which has (%rdi) for its operand, by us. */
static bool emulate(struct state *s, unsigned offset, unsigned length)
{
    struct cpu_user_regs regs;
    emulate_at(&regs, s, offset);
    bool done = pv_emulate_table_write(&regs, VA + offset);
    if (!done) {
        CHECK(regs.rip == (unsigned long)code && regs.rflags == (s->rflags | X86_EFLAGS_RF));
        CHECK(regs.rax == s->rax && regs.rbx == s->rbx && regs.rcx == s->rcx && regs.rdx == s->rdx);
        CHECK(table_at(table)[0] == s->operand);
        return false;
    }
    CHECK(regs.rip == (unsigned long)code + length && !(regs.rflags & X86_EFLAGS_RF) && regs.rdi == VA + offset);
    *s = (struct state){regs.rax, regs.rbx, regs.rcx, regs.rdx, regs.rflags, table_at(table)[0]};
    return true;
}

/* And by the processor. The stack below ours may be in use: a leaf has what it has there. */
static void execute(struct state *s, unsigned offset)
{
    __asm__ volatile("lea -256(%%rsp), %%rsp\n\t"
                     "pushq %[flags]\n\tpopfq\n\t"
                     "call *%[code]\n\t"
                     "pushfq\n\tpopq %[flags]\n\t"
                     "lea 256(%%rsp), %%rsp"
                     : "+a"(s->rax), "+b"(s->rbx), "+c"(s->rcx), "+d"(s->rdx), [flags] "+S"(s->rflags)
                     : "D"((uint8_t *)&s->operand + offset), [code] "r"(code)
                     : "memory", "cc");
}

/* ---- The same as the processor's ---- */

#define STATUS ARITHMETIC_FLAGS
enum { BYTE = 1, LOCKABLE = 2, IMM8 = 4, IMMZ = 8, BIT_REGISTER = 16, COMPARES = 32 };

static const struct form {
    const char *name;
    uint8_t two_byte, opcode;
    int8_t reg; /* of the ModRM byte; -1: any register */
    unsigned how;
    uint64_t flags; /* that are defined */
} forms[] = {
    {"mov", 0, 0x88, -1, BYTE, STATUS},
    {"mov", 0, 0x89, -1, 0, STATUS},
    {"mov imm", 0, 0xc6, 0, BYTE | IMM8, STATUS},
    {"mov imm", 0, 0xc7, 0, IMMZ, STATUS},
    {"xchg", 0, 0x86, -1, BYTE | LOCKABLE, STATUS},
    {"xchg", 0, 0x87, -1, LOCKABLE, STATUS},
    {"add", 0, 0x00, -1, BYTE | LOCKABLE, STATUS},
    {"add", 0, 0x01, -1, LOCKABLE, STATUS},
    {"or", 0, 0x08, -1, BYTE | LOCKABLE, STATUS & ~FLAG_AF},
    {"or", 0, 0x09, -1, LOCKABLE, STATUS & ~FLAG_AF},
    {"and", 0, 0x20, -1, BYTE | LOCKABLE, STATUS & ~FLAG_AF},
    {"and", 0, 0x21, -1, LOCKABLE, STATUS & ~FLAG_AF},
    {"sub", 0, 0x28, -1, BYTE | LOCKABLE, STATUS},
    {"sub", 0, 0x29, -1, LOCKABLE, STATUS},
    {"xor", 0, 0x30, -1, BYTE | LOCKABLE, STATUS & ~FLAG_AF},
    {"xor", 0, 0x31, -1, LOCKABLE, STATUS & ~FLAG_AF},
    {"add imm", 0, 0x80, 0, BYTE | LOCKABLE | IMM8, STATUS},
    {"or imm", 0, 0x81, 1, LOCKABLE | IMMZ, STATUS & ~FLAG_AF},
    {"and imm", 0, 0x81, 4, LOCKABLE | IMMZ, STATUS & ~FLAG_AF},
    {"and imm8", 0, 0x83, 4, LOCKABLE | IMM8, STATUS & ~FLAG_AF},
    {"sub imm8", 0, 0x83, 5, LOCKABLE | IMM8, STATUS},
    {"xor imm", 0, 0x80, 6, BYTE | LOCKABLE | IMM8, STATUS & ~FLAG_AF},
    {"cmpxchg", 1, 0xb0, -1, BYTE | LOCKABLE | COMPARES, STATUS},
    {"cmpxchg", 1, 0xb1, -1, LOCKABLE | COMPARES, STATUS},
    {"xadd", 1, 0xc0, -1, BYTE | LOCKABLE, STATUS},
    {"xadd", 1, 0xc1, -1, LOCKABLE, STATUS},
    {"bt imm", 1, 0xba, 4, IMM8, FLAG_CF | FLAG_ZF},
    {"bts imm", 1, 0xba, 5, LOCKABLE | IMM8, FLAG_CF | FLAG_ZF},
    {"btr imm", 1, 0xba, 6, LOCKABLE | IMM8, FLAG_CF | FLAG_ZF},
    {"btc imm", 1, 0xba, 7, LOCKABLE | IMM8, FLAG_CF | FLAG_ZF},
    {"bts", 1, 0xab, -1, LOCKABLE | BIT_REGISTER, FLAG_CF | FLAG_ZF},
    {"btr", 1, 0xb3, -1, LOCKABLE | BIT_REGISTER, FLAG_CF | FLAG_ZF},
    {"btc", 1, 0xbb, -1, LOCKABLE | BIT_REGISTER, FLAG_CF | FLAG_ZF},
};

/* Size in bytes, the instruction into `code`, its length. */
static unsigned assemble(const struct form *f, unsigned *size, unsigned *length)
{
    uint8_t *at = code;
    bool byte = f->how & BYTE, lock = f->how & LOCKABLE && random_below(2);
    *size = byte ? 1 : 2U << random_below(3);
    unsigned reg = f->reg >= 0 ? (unsigned)f->reg : random_below(byte ? 8 : 4); /* of bytes: ah, ch, dh, bh too */
    if (lock)
        *at++ = 0xf0;
    if (*size == 2)
        *at++ = 0x66;
    if (*size == 8)
        *at++ = 0x48;
    if (f->two_byte)
        *at++ = 0x0f;
    *at++ = f->opcode;
    *at++ = (uint8_t)(reg << 3 | 7); /* (%rdi) */
    unsigned immediate = f->how & IMM8 ? 1 : f->how & IMMZ ? min(*size, 4U) : 0;
    for (unsigned i = 0; i < immediate; i++)
        *at++ = (uint8_t)random64();
    *length = (unsigned)(at - code);
    *at = 0xc3; /* ret */
    return reg;
}

static uint64_t *register_of(struct state *s, unsigned reg)
{
    uint64_t *const all[] = {&s->rax, &s->rcx, &s->rdx, &s->rbx};
    return all[reg & 3];
}

static void compare(const struct form *f)
{
    unsigned size, length, reg = assemble(f, &size, &length), offset = random_below(9 - size);
    struct state ours = {random_value(), random_value(), random_value(), random_value(), 0x202 | (random64() & STATUS),
                         random_value()};
    if (f->how & BIT_REGISTER)
        *register_of(&ours, reg) = random_below(8 * size);
    if (f->how & COMPARES && random_below(2))
        ours.rax = ours.operand >> 8 * offset;
    struct state before = ours, theirs = ours;
    CHECK(emulate(&ours, offset, length));
    execute(&theirs, offset);
    bool same = ours.rax == theirs.rax && ours.rbx == theirs.rbx && ours.rcx == theirs.rcx && ours.rdx == theirs.rdx &&
                ours.operand == theirs.operand && !((ours.rflags ^ theirs.rflags) & f->flags);
    if (!same)
        fprintf(stderr,
                "%s of %u bytes at %u, register %u: %lx, rax %lx, flags %lx; operand %lx, not %lx; rax %lx, not %lx\n",
                f->name, size, offset, reg, before.operand, before.rax, (ours.rflags ^ theirs.rflags) & f->flags,
                ours.operand, theirs.operand, ours.rax, theirs.rax);
    CHECK(same);
}

static void all_forms_are_the_processors(void)
{
    for (unsigned round = 0; round < 3000; round++)
        for (unsigned i = 0; i < ARRAY_SIZE(forms); i++)
            compare(&forms[i]);
}

/* ---- What the processor does meanwhile ---- */

#define CODE(...)                                                                                                      \
    ({                                                                                                                 \
        static const uint8_t bytes_[] = {__VA_ARGS__};                                                                 \
        memcpy(code, bytes_, sizeof(bytes_));                                                                          \
        (unsigned)sizeof(bytes_);                                                                                      \
    })

static void accessed_bits_that_come_in_between_are_not_lost(void)
{
    struct state s = {.rax = 0x5000, .operand = 0x4000 | PTE_ACCESSED};
    meanwhile = PTE_DIRTY;
    CHECK(emulate(&s, 0, CODE(0x48, 0x87, 0x07)) && s.rax == (0x4000 | PTE_ACCESSED | PTE_DIRTY)); /* xchg tells them */
    CHECK(s.operand == 0x5000);
    s = (struct state){.rax = ~PTE_WRITE, .operand = 0x4000 | PTE_WRITE};
    CHECK(emulate(&s, 0, CODE(0xf0, 0x48, 0x21, 0x07)) && s.operand == (0x4000 | PTE_DIRTY)); /* lock and keeps them */
    s = (struct state){.rax = 0x4000, .rbx = 0x6000, .operand = 0x4000};
    CHECK(emulate(&s, 0, CODE(0xf0, 0x48, 0x0f, 0xb1, 0x1f)) && s.operand == (0x6000 | PTE_DIRTY));
    s = (struct state){.rax = 0x5000, .operand = 0x4000};
    CHECK(emulate(&s, 0, CODE(0x48, 0x89, 0x07)) && s.operand == 0x5000); /* a store does not */
    meanwhile = 0;
}

static void a_comparison_that_fails_writes_nothing(void)
{
    struct state s = {.rax = 1, .rbx = 2, .rflags = FLAG_ZF, .operand = 3};
    writes = 0;
    CHECK(emulate(&s, 0, CODE(0x48, 0x0f, 0xb1, 0x1f)) && !writes && s.operand == 3 && s.rax == 3 &&
          !(s.rflags & FLAG_ZF));
}

/* ---- Not finished ---- */

#define REFUSED(offset, ...)                                                                                           \
    ({                                                                                                                 \
        struct state s_ = {0x11, 0x22, 3, 0x44, 0x202, 0x4000};                                                        \
        CODE(__VA_ARGS__);                                                                                             \
        !emulate(&s_, (offset), 0);                                                                                    \
    })

static void what_the_table_refuses_has_changed_nothing(void)
{
    write_answer = -EINVAL;
    CHECK(REFUSED(0, 0x48, 0x87, 0x07) && REFUSED(0, 0x48, 0x0f, 0xc1, 0x07) && REFUSED(0, 0x48, 0x21, 0x07));
    write_answer = 0;
}

static void what_is_not_one_write_to_one_entry(void)
{
    writes = 0;
    CHECK(REFUSED(1, 0x48, 0x89, 0x07) && REFUSED(5, 0x89, 0x07) && REFUSED(7, 0x66, 0x89, 0x07)); /* two entries */
    CHECK(REFUSED(0, 0x48, 0x11, 0x07) && REFUSED(0, 0x48, 0x39, 0x07) &&
          REFUSED(0, 0x48, 0x83, 0x17, 1));                                       /* adc, cmp */
    CHECK(REFUSED(0, 0x48, 0x0f, 0xba, 0x07, 1) && REFUSED(0, 0x48, 0x89, 0xc7)); /* no such, a register */
    CHECK(REFUSED(0, 0x48, 0x89, 0x47, 8) && REFUSED(0, 0x48, 0xff, 0x07));       /* elsewhere, inc */
    CHECK(REFUSED(0, 0x48, 0x03, 0x07) && REFUSED(0, 0xaa));                      /* to a register; stos */
    CHECK(!writes);
}

static bool is_finished(const uint8_t *before, unsigned bytes, uint8_t opcode, unsigned reg)
{
    struct cpu_user_regs regs;
    struct state s = {.rax = 1, .rbx = 2, .rcx = 3, .rdx = 4, .rflags = 0x202, .operand = 0x4000};
    emulate_at(&regs, &s, 0);
    regs.r15 = VA;
    regs.rdi = 5;
    memset(code, 1, 24);
    memcpy(code, before, bytes);
    code[bytes] = opcode;
    code[bytes + 1] = (uint8_t)(reg << 3 | 7); /* (%r15) */
    bool done = pv_emulate_table_write(&regs, VA);
    CHECK(done || (regs.rip == (unsigned long)code && table_at(table)[0] == s.operand));
    return done;
}

static bool is_ours(bool two_byte, uint8_t opcode, unsigned reg)
{
    static const uint8_t one[] = {0x86, 0x87, 0x88, 0x89, 0xc6, 0xc7},
                         two[] = {0xab, 0xb0, 0xb1, 0xb3, 0xbb, 0xc0, 0xc1};
    const unsigned alu_operations = 0x73; /* add, or, and, sub, xor */
    if (two_byte)
        return memchr(two, opcode, sizeof(two)) || (opcode == 0xba && reg >= 4);
    if (opcode < 0x40 && (opcode & 7) < 2)
        return alu_operations >> (opcode >> 3) & 1;
    if (opcode == 0x80 || opcode == 0x81 || opcode == 0x83)
        return alu_operations >> reg & 1;
    return memchr(one, opcode, sizeof(one));
}

struct row {
    unsigned bytes;
    uint8_t byte[14];
};

static void prefixes_make_no_other_instruction(void)
{
    static const struct row rows[] = {
        {1, {0x41}},       {2, {0x66, 0x41}},       {2, {0xf2, 0x41}}, {2, {0xf3, 0x41}},       {2, {0xf0, 0x41}},
        {2, {0x2e, 0x41}}, {2, {0x3e, 0x41}},       {2, {0x64, 0x41}}, {3, {0x64, 0x3e, 0x41}}, {1, {0x49}},
        {2, {0x66, 0x49}}, {3, {0xf3, 0x66, 0x49}},
    };
    for (unsigned i = 0; i < ARRAY_SIZE(rows) * 256 * 8; i++) {
        struct row r = rows[i >> 11];
        uint8_t opcode = (uint8_t)(i >> 3);
        CHECK(is_finished(r.byte, r.bytes, opcode, i & 7) == is_ours(false, opcode, i & 7));
        r.byte[r.bytes++] = 0x0f;
        CHECK(is_finished(r.byte, r.bytes, opcode, i & 7) == is_ours(true, opcode, i & 7));
    }
}

/* What only looks like one of those: 0F38 and 0F3A, VEX and EVEX, a REX that is not last, a cut address. */
static void other_maps_are_not_finished(void)
{
    static const struct row rows[] = {
        {3, {0x41, 0x0f, 0x38}}, {3, {0x41, 0x0f, 0x3a}},       {3, {0xc4, 0xc1, 0x78}}, {4, {0x62, 0xd1, 0x7c, 0x48}},
        {3, {0x41, 0x66, 0x41}}, {4, {0x41, 0x66, 0x41, 0x0f}}, {2, {0x40, 0x41}},       {3, {0x40, 0x41, 0x0f}},
        {2, {0x67, 0x41}},       {3, {0x67, 0x41, 0x0f}},
    };
    for (unsigned i = 0; i < ARRAY_SIZE(rows) * 256 * 8; i++)
        CHECK(!is_finished(rows[i >> 11].byte, rows[i >> 11].bytes, (uint8_t)(i >> 3), i & 7));
}

static void an_instruction_has_15_bytes(void)
{
    uint8_t prefixes[13];
    memset(prefixes, 0x2e, sizeof(prefixes));
    prefixes[12] = 0x41;
    CHECK(is_finished(prefixes, 13, 0x89, 0));
    CHECK(!is_finished(prefixes, 13, 0xc6, 0)); /* its immediate would be the 16th */
}

/* A bit of a register beyond the operand is in another entry; an immediate is taken modulo the operand. */
static void bits_beyond_the_entry(void)
{
    struct state s = {.rax = 64, .operand = 0x4000};
    CHECK(!emulate(&s, 0, CODE(0x48, 0x0f, 0xab, 0x07)));
    s.rax = 63;
    CHECK(emulate(&s, 0, CODE(0x48, 0x0f, 0xab, 0x07)) && s.operand == (0x4000 | 1UL << 63));
    CHECK(emulate(&s, 0, CODE(0x48, 0x0f, 0xba, 0x2f, 65)) && s.operand == (0x4002 | 1UL << 63));
}

/* The base of a segment is not looked at: the address is where it faulted. */
static void segments_are_taken_as_they_come(void)
{
    struct cpu_user_regs regs = {.rip = (unsigned long)code, .rax = 0x5000, .rdi = 0x10};
    CODE(0x65, 0x48, 0x89, 0x07); /* mov %rax, %gs:(%rdi) */
    table_at(table)[0] = 0;
    CHECK(pv_emulate_table_write(&regs, VA) && table_at(table)[0] == 0x5000);
}

static void instructions_at_the_end_of_memory(void)
{
    static const uint8_t store[] = {0x48, 0x89, 0x07};
    no_code_from = (unsigned long)code + PAGE_SIZE;
    for (unsigned behind = 0; behind < 3; behind++) {
        struct cpu_user_regs regs = {.rip = no_code_from - sizeof(store) + behind, .rax = 0x5000, .rdi = VA};
        memcpy((void *)regs.rip, store, sizeof(store));
        table_at(table)[0] = 0;
        CHECK(pv_emulate_table_write(&regs, VA) == !behind && table_at(table)[0] == (behind ? 0 : 0x5000));
    }
    struct cpu_user_regs nowhere = {.rip = no_code_from, .rdi = VA};
    CHECK(!pv_emulate_table_write(&nowhere, VA));
    no_code_from = ~0UL;
}

static pte_t *entry_of_table;

static void only_what_is_mapped_and_read_only(void)
{
    pte_t shown = *entry_of_table;
    *entry_of_table = shown & ~PTE_PRESENT;
    CHECK(REFUSED(0, 0x48, 0x89, 0x07));
    *entry_of_table = shown | PTE_WRITE;
    CHECK(REFUSED(0, 0x48, 0x89, 0x07));
    *entry_of_table = shown;
    struct state s = {.rax = 0x5000};
    CHECK(emulate(&s, 0, CODE(0x48, 0x89, 0x07)) && s.operand == 0x5000);
}

static void start(void)
{
    machine_start();
    entry_of_table = &table_at(tree_make(&guest_vcpu, VA, 0))[PTE_INDEX(VA, 1)];
    table = frame_of(&guest);
    spin_lock(&guest.pt_lock);
    CHECK(!pv_get_table(&guest, table, 1));
    spin_unlock(&guest.pt_lock);
    *entry_of_table = make_pte(table, PTE_PRESENT);
    code = mmap(NULL, 2 * PAGE_SIZE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(code != MAP_FAILED);
}

int main(void)
{
    start();
    all_forms_are_the_processors();
    accessed_bits_that_come_in_between_are_not_lost();
    a_comparison_that_fails_writes_nothing();
    what_the_table_refuses_has_changed_nothing();
    what_is_not_one_write_to_one_entry();
    prefixes_make_no_other_instruction();
    other_maps_are_not_finished();
    an_instruction_has_15_bytes();
    bits_beyond_the_entry();
    segments_are_taken_as_they_come();
    instructions_at_the_end_of_memory();
    only_what_is_mapped_and_read_only();
    return 0;
}
