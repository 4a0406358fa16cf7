/*
 * Runs random instructions twice, on the processor and in the emulator, and compares registers, flags, memory and
 * exceptions. The native run is a stub in a page of its own that loads the state, has the instruction in its middle,
 * and stores the state; a fault goes on behind the instruction.
 */
#include "../../random.h"
#include <hv/emulate.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#define STATE_ADDRESS 0x10000000UL
#define CODE_ADDRESS  0x10010000UL
#define DATA_ADDRESS  0x20000000UL
#define DATA_BYTES    0x2000UL

struct state {
    uint64_t reg[16]; /* in instruction order */
    uint64_t flags, host_stack;
};
#define native ((struct state *)STATE_ADDRESS)
#define data   ((uint8_t *)DATA_ADDRESS)

__asm__(".pushsection .rodata\n"
        "stub_begin:\n"
        "push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n"
        "mov %rsp, 0x10000088\n"
        "pushq 0x10000080; popfq\n"
        "mov 0x10000000, %rax; mov 0x10000008, %rcx; mov 0x10000010, %rdx; mov 0x10000018, %rbx\n"
        "mov 0x10000020, %rsp; mov 0x10000028, %rbp; mov 0x10000030, %rsi; mov 0x10000038, %rdi\n"
        "mov 0x10000040, %r8; mov 0x10000048, %r9; mov 0x10000050, %r10; mov 0x10000058, %r11\n"
        "mov 0x10000060, %r12; mov 0x10000068, %r13; mov 0x10000070, %r14; mov 0x10000078, %r15\n"
        "stub_hole: .fill 16, 1, 0x90\n"
        "stub_out:\n"
        "mov %rax, 0x10000000; mov %rcx, 0x10000008; mov %rdx, 0x10000010; mov %rbx, 0x10000018\n"
        "mov %rsp, 0x10000020; mov %rbp, 0x10000028; mov %rsi, 0x10000030; mov %rdi, 0x10000038\n"
        "mov %r8, 0x10000040; mov %r9, 0x10000048; mov %r10, 0x10000050; mov %r11, 0x10000058\n"
        "mov %r12, 0x10000060; mov %r13, 0x10000068; mov %r14, 0x10000070; mov %r15, 0x10000078\n"
        "mov 0x10000088, %rsp\n"
        "pushfq; popq 0x10000080\n"
        "cld\n"
        "pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx; ret\n"
        "stub_end:\n"
        ".popsection");
extern const uint8_t stub_begin[], stub_hole[], stub_out[], stub_end[];
#define HOLE_ADDRESS (CODE_ADDRESS + (uint64_t)(stub_hole - stub_begin))

enum { CF = 0x1, PF = 0x4, AF = 0x10, ZF = 0x40, SF = 0x80, DF = 0x400, OF = 0x800 };
#define FLAGS (CF | PF | AF | ZF | SF | DF | OF)

enum option {
    LOCKED = 1,      /* try the lock prefix */
    NO_16 = 2,       /* undefined with 16-bit operands */
    SMALL = 4,       /* registers that are no pointers are small: bit numbers */
    REPEATED = 8,    /* with rep prefixes, rcx small */
    MEMORY = 16,     /* memory forms only */
    NO_MEMORY = 32,  /* addresses anywhere: nothing is accessed (lea) */
    ALIGNED_16 = 64, /* data aligned for 16-byte accesses */
    BY_COUNT = 128,  /* overflow is defined for a count of 1 only, carry up to the width */
    F3 = 256,
    TABLE = 512, /* rbx is a pointer */
};

struct form {
    const char *name;
    uint8_t map, first, last; /* map 0, 1: 0f, 2: 0f38 */
    int8_t extension;         /* ModRM.reg; -1 any; -2: no ModRM */
    char immediate;           /* 0, 'b', 'w' 16 bits, 'z' up to 4, 'v' up to 8, 'e' enter */
    unsigned undefined;
    unsigned options;
};

#define ANY       (-1)
#define NONE      (-2)
#define MUL_FLAGS (SF | ZF | AF | PF)

static const struct form forms[] = {
    {"add", 0, 0x00, 0x03, ANY, 0, 0, LOCKED},
    {"add a,i", 0, 0x04, 0x04, NONE, 'b', 0, 0},
    {"add a,i", 0, 0x05, 0x05, NONE, 'z', 0, 0},
    {"or", 0, 0x08, 0x0b, ANY, 0, AF, LOCKED},
    {"adc", 0, 0x10, 0x13, ANY, 0, 0, LOCKED},
    {"sbb", 0, 0x18, 0x1b, ANY, 0, 0, LOCKED},
    {"and", 0, 0x20, 0x23, ANY, 0, AF, LOCKED},
    {"sub", 0, 0x28, 0x2b, ANY, 0, 0, LOCKED},
    {"xor", 0, 0x30, 0x33, ANY, 0, AF, LOCKED},
    {"cmp", 0, 0x38, 0x3b, ANY, 0, 0, LOCKED},
    {"group 1", 0, 0x80, 0x80, ANY, 'b', AF, LOCKED},
    {"group 1", 0, 0x81, 0x81, ANY, 'z', AF, LOCKED},
    {"group 1", 0, 0x83, 0x83, ANY, 'b', AF, LOCKED},
    {"movsxd", 0, 0x63, 0x63, ANY, 0, 0, 0},
    {"imul 3", 0, 0x69, 0x69, ANY, 'z', MUL_FLAGS, 0},
    {"imul 3", 0, 0x6b, 0x6b, ANY, 'b', MUL_FLAGS, 0},
    {"test", 0, 0x84, 0x85, ANY, 0, AF, LOCKED},
    {"xchg", 0, 0x86, 0x87, ANY, 0, 0, LOCKED},
    {"mov", 0, 0x88, 0x8b, ANY, 0, 0, LOCKED},
    {"lea", 0, 0x8d, 0x8d, ANY, 0, 0, NO_MEMORY},
    {"pop m", 0, 0x8f, 0x8f, 0, 0, 0, 0},
    {"xchg a", 0, 0x90, 0x97, NONE, 0, 0, 0},
    {"cbw, cwd", 0, 0x98, 0x99, NONE, 0, 0, 0},
    {"pushf", 0, 0x9c, 0x9c, NONE, 0, 0, 0},
    {"sahf, lahf", 0, 0x9e, 0x9f, NONE, 0, 0, 0},
    {"test a,i", 0, 0xa8, 0xa8, NONE, 'b', AF, 0},
    {"test a,i", 0, 0xa9, 0xa9, NONE, 'z', AF, 0},
    {"mov r,i", 0, 0xb0, 0xb7, NONE, 'b', 0, 0},
    {"mov r,i", 0, 0xb8, 0xbf, NONE, 'v', 0, 0},
    {"shift i", 0, 0xc0, 0xc1, ANY, 'b', AF, BY_COUNT | LOCKED},
    {"shift 1", 0, 0xd0, 0xd1, ANY, 0, AF, LOCKED},
    {"shift cl", 0, 0xd2, 0xd3, ANY, 0, AF, BY_COUNT | LOCKED},
    {"mov m,i", 0, 0xc6, 0xc6, 0, 'b', 0, 0},
    {"mov m,i", 0, 0xc7, 0xc7, 0, 'z', 0, 0},
    {"enter", 0, 0xc8, 0xc8, NONE, 'e', 0, 0},
    {"leave", 0, 0xc9, 0xc9, NONE, 0, 0, 0},
    {"push, pop", 0, 0x50, 0x5f, NONE, 0, 0, 0},
    {"push i", 0, 0x68, 0x68, NONE, 'z', 0, 0},
    {"push i", 0, 0x6a, 0x6a, NONE, 'b', 0, 0},
    {"xlat", 0, 0xd7, 0xd7, NONE, 0, 0, TABLE},
    {"flags", 0, 0xf5, 0xf5, NONE, 0, 0, 0},
    {"flags", 0, 0xf8, 0xf9, NONE, 0, 0, 0},
    {"flags", 0, 0xfc, 0xfd, NONE, 0, 0, 0},
    {"test i", 0, 0xf6, 0xf6, 0, 'b', AF, LOCKED},
    {"test i", 0, 0xf7, 0xf7, 0, 'z', AF, LOCKED},
    {"not", 0, 0xf6, 0xf7, 2, 0, 0, LOCKED},
    {"neg", 0, 0xf6, 0xf7, 3, 0, 0, LOCKED},
    {"mul", 0, 0xf6, 0xf7, 4, 0, MUL_FLAGS, LOCKED},
    {"imul", 0, 0xf6, 0xf7, 5, 0, MUL_FLAGS, LOCKED},
    {"div", 0, 0xf6, 0xf7, 6, 0, FLAGS & ~DF, LOCKED},
    {"idiv", 0, 0xf6, 0xf7, 7, 0, FLAGS & ~DF, LOCKED},
    {"small div", 0, 0xf6, 0xf7, 6, 0, FLAGS & ~DF, SMALL},
    {"small idiv", 0, 0xf6, 0xf7, 7, 0, FLAGS & ~DF, SMALL},
    {"inc", 0, 0xfe, 0xff, 0, 0, 0, LOCKED},
    {"dec", 0, 0xfe, 0xff, 1, 0, 0, LOCKED},
    {"push m", 0, 0xff, 0xff, 6, 0, 0, 0},
    {"movs", 0, 0xa4, 0xa5, NONE, 0, 0, REPEATED},
    {"cmps", 0, 0xa6, 0xa7, NONE, 0, 0, REPEATED},
    {"stos", 0, 0xaa, 0xab, NONE, 0, 0, REPEATED},
    {"lods", 0, 0xac, 0xad, NONE, 0, 0, REPEATED},
    {"scas", 0, 0xae, 0xaf, NONE, 0, 0, REPEATED},
    {"cmovcc", 1, 0x40, 0x4f, ANY, 0, 0, 0},
    {"setcc", 1, 0x90, 0x9f, ANY, 0, 0, 0},
    {"bt", 1, 0xa3, 0xa3, ANY, 0, OF | SF | AF | PF, SMALL | LOCKED},
    {"bts", 1, 0xab, 0xab, ANY, 0, OF | SF | AF | PF, SMALL | LOCKED},
    {"btr", 1, 0xb3, 0xb3, ANY, 0, OF | SF | AF | PF, SMALL | LOCKED},
    {"btc", 1, 0xbb, 0xbb, ANY, 0, OF | SF | AF | PF, SMALL | LOCKED},
    {"bt i", 1, 0xba, 0xba, 4, 'b', OF | SF | AF | PF, LOCKED},
    {"bts i", 1, 0xba, 0xba, 5, 'b', OF | SF | AF | PF, LOCKED},
    {"btr i", 1, 0xba, 0xba, 6, 'b', OF | SF | AF | PF, LOCKED},
    {"btc i", 1, 0xba, 0xba, 7, 'b', OF | SF | AF | PF, LOCKED},
    {"shld i", 1, 0xa4, 0xa4, ANY, 'b', AF, BY_COUNT | NO_16},
    {"shld cl", 1, 0xa5, 0xa5, ANY, 0, AF, BY_COUNT | NO_16},
    {"shrd i", 1, 0xac, 0xac, ANY, 'b', AF, BY_COUNT | NO_16},
    {"shrd cl", 1, 0xad, 0xad, ANY, 0, AF, BY_COUNT | NO_16},
    {"imul 2", 1, 0xaf, 0xaf, ANY, 0, MUL_FLAGS, 0},
    {"cmpxchg", 1, 0xb0, 0xb1, ANY, 0, 0, LOCKED | SMALL},
    {"movzx", 1, 0xb6, 0xb7, ANY, 0, 0, 0},
    {"movsx", 1, 0xbe, 0xbf, ANY, 0, 0, 0},
    {"popcnt", 1, 0xb8, 0xb8, ANY, 0, 0, F3},
    {"bsf, bsr", 1, 0xbc, 0xbd, ANY, 0, CF | OF | SF | AF | PF, 0},
    {"tzcnt, lzcnt", 1, 0xbc, 0xbd, ANY, 0, OF | SF | AF | PF, F3},
    {"xadd", 1, 0xc0, 0xc1, ANY, 0, 0, LOCKED},
    {"movnti", 1, 0xc3, 0xc3, ANY, 0, 0, MEMORY | NO_16},
    {"cmpxchg8b, 16b", 1, 0xc7, 0xc7, 1, 0, 0, MEMORY | LOCKED | ALIGNED_16},
    {"bswap", 1, 0xc8, 0xcf, NONE, 0, 0, NO_16},
    {"movbe", 2, 0xf0, 0xf1, ANY, 0, 0, MEMORY},
    {"hint", 1, 0x1f, 0x1f, 0, 0, 0, 0},
};

/* ---- one instruction ---- */

struct trial {
    const struct form *form;
    uint8_t code[16];
    unsigned length;
    unsigned operand_bytes;
    unsigned count; /* of a shift */
};

static const uint8_t pointers[] = {4, 5, 6, 7, 14}; /* rsp, rbp, rsi, rdi, r14; r11 is a small index */

static void put(struct trial *t, uint64_t value, unsigned bytes)
{
    memcpy(t->code + t->length, &value, bytes);
    t->length += bytes;
}

/* ModRM and what belongs to it; *rex gets the bits it needs. */
static unsigned put_memory(uint8_t *tail, uint8_t *rex, unsigned reg, bool anywhere)
{
    unsigned base = anywhere ? random_below(16) : pointers[random_below(sizeof(pointers))];
    unsigned index = anywhere          ? random_below(16)
                     : random_below(2) ? 11
                                       : 4,
             mod = random_below(anywhere ? 3 : 2) + (anywhere ? 0 : 1);
    unsigned length = 0, displacement = mod == 1 ? 1 : mod == 2 ? 4 : 0;
    bool sib = (base & 7) == 4 || random_below(2);
    tail[length++] = (uint8_t)(mod << 6 | (reg & 7) << 3 | (sib ? 4 : base & 7));
    if (sib) {
        tail[length++] = (uint8_t)(random_below(4) << 6 | (index & 7) << 3 | (base & 7));
        *rex |= index & 8 ? 2 : 0;
    }
    if (mod == 0 && (base & 7) == 5)
        displacement = 4;
    *rex |= (reg & 8 ? 4 : 0) | (base & 8 ? 1 : 0);
    uint64_t value = anywhere ? random64() : (uint64_t)((int64_t)random_below(256) - 128);
    memcpy(tail + length, &value, displacement);
    return length + displacement;
}

static unsigned put_registers(uint8_t *tail, uint8_t *rex, unsigned reg)
{
    unsigned rm = random_below(16);
    tail[0] = (uint8_t)(0xc0 | (reg & 7) << 3 | (rm & 7));
    *rex |= (reg & 8 ? 4 : 0) | (rm & 8 ? 1 : 0);
    return 1;
}

static unsigned make_modrm(const struct form *f, uint8_t *tail, uint8_t *rex)
{
    unsigned reg = f->extension >= 0 ? (unsigned)f->extension : random_below(16);
    if (f->options & SMALL) /* not a pointer */
        while (f->extension < 0 && (reg == 14 || (reg >= 4 && reg <= 7)))
            reg = random_below(16);
    if (f->options & NO_MEMORY)
        return put_memory(tail, rex, reg, true);
    return f->options & MEMORY || random_below(2) ? put_memory(tail, rex, reg, false) : put_registers(tail, rex, reg);
}

static void put_immediate(struct trial *t, char kind)
{
    uint64_t value = random_value();
    unsigned word = t->operand_bytes < 4 ? t->operand_bytes : 4;
    if (kind == 'b')
        put(t, value, 1);
    else if (kind == 'w')
        put(t, value, 2);
    else if (kind == 'z')
        put(t, value, word);
    else if (kind == 'v')
        put(t, value, t->operand_bytes);
    else if (kind == 'e')
        put(t, random_below(512) | random_below(random_below(2) ? 1 : 12) << 16, 3);
    if (kind == 'b')
        t->count = value & 0xff;
}

static void make_instruction(struct trial *t, const struct form *f)
{
    uint8_t tail[16], rex = (uint8_t)random_below(16) & 8,
                      opcode = (uint8_t)(f->first + random_below(f->last - f->first + 1U));
    unsigned tail_bytes = f->extension != NONE ? make_modrm(f, tail, &rex) : 0;
    bool short_operands = !(f->options & NO_16) && random_below(4) == 0, has_rex = rex || random_below(2);
    *t = (struct trial){.form = f};
    if (f->extension == NONE && !(f->options & NO_MEMORY))
        rex |= random_below(2) && !f->options ? 1 : 0;
    has_rex |= rex;
    if (f->options & LOCKED && random_below(6) == 0)
        put(t, 0xf0, 1);
    if (short_operands)
        put(t, 0x66, 1);
    if (f->options & F3 || (f->options & REPEATED && random_below(3)))
        put(t, f->options & REPEATED && random_below(2) ? 0xf2 : 0xf3, 1);
    if (random_below(8) == 0 && !(f->options & TABLE))
        put(t, 0x67, 1);
    if (has_rex)
        put(t, 0x40 | rex, 1);
    t->operand_bytes = rex & 8 ? 8 : short_operands ? 2 : 4;
    if (f->map)
        put(t, f->map == 2 ? 0x380f : 0x0f, f->map);
    put(t, opcode, 1);
    memcpy(t->code + t->length, tail, tail_bytes);
    t->length += tail_bytes;
    put_immediate(t, f->immediate);
    if (f->map == 0 && !(opcode & 1) && opcode < 0xd8 && f->options & BY_COUNT)
        t->operand_bytes = 1;
}

static void make_state(const struct trial *t, struct state *s)
{
    unsigned options = t->form->options;
    for (unsigned i = 0; i < 16; i++)
        s->reg[i] = options & SMALL ? (uint64_t)((int64_t)random_below(8000) - 4000) : random_value();
    for (unsigned i = 0; i < sizeof(pointers); i++)
        s->reg[pointers[i]] = DATA_ADDRESS + DATA_BYTES / 2 + (options & ALIGNED_16 ? 0 : random_below(128));
    s->reg[11] = random_below(64) & (options & ALIGNED_16 ? ~15U : ~0U);
    if (options & TABLE)
        s->reg[3] = DATA_ADDRESS + random_below(256);
    if (options & REPEATED)
        s->reg[1] = random_below(24);
    s->flags = 2 | 0x200 | (random64() & FLAGS);
    for (unsigned i = 0; i < DATA_BYTES; i += 8) {
        uint64_t value = options & SMALL ? random_below(0x10000) : random_below(2) ? 0x4141414141414141 : random64();
        memcpy(data + i, &value, 8);
    }
}

/* ---- natively ---- */

static volatile int signal_caught;

static void on_signal(int number, siginfo_t *info, void *context)
{
    ucontext_t *u = context;
    uint64_t rip = (uint64_t)u->uc_mcontext.gregs[REG_RIP];
    if (rip < HOLE_ADDRESS || rip >= HOLE_ADDRESS + 16)
        abort();
    signal_caught = number;
    u->uc_mcontext.gregs[REG_RIP] = (greg_t)(CODE_ADDRESS + (uint64_t)(stub_out - stub_begin));
}

static int run_native(const struct trial *t)
{
    uint8_t *hole = (uint8_t *)HOLE_ADDRESS;
    memset(hole, 0x90, 16);
    memcpy(hole, t->code, t->length);
    signal_caught = 0;
    ((void (*)(void))CODE_ADDRESS)();
    return signal_caught;
}

static void prepare(void)
{
    static uint8_t stack[1 << 16];
    stack_t alternative = {.ss_sp = stack, .ss_size = sizeof(stack)};
    struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE;
    if (mmap(native, 4096, PROT_READ | PROT_WRITE, flags, -1, 0) == MAP_FAILED ||
        mmap((void *)CODE_ADDRESS, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, flags, -1, 0) == MAP_FAILED ||
        mmap(data, DATA_BYTES, PROT_READ | PROT_WRITE, flags, -1, 0) == MAP_FAILED) {
        perror("mmap");
        exit(2);
    }
    memcpy((void *)CODE_ADDRESS, stub_begin, (size_t)(stub_end - stub_begin));
    sigaltstack(&alternative, NULL);
    for (unsigned i = 0; i < 4; i++)
        sigaction((const int[]){SIGFPE, SIGILL, SIGSEGV, SIGBUS}[i], &action, NULL);
}

/* ---- emulated ---- */

static uint8_t memory[DATA_BYTES];
static const struct trial *present;

static enum emulate_outcome data_at(struct emulate_context *c, uint64_t linear, unsigned bytes, uint8_t **at)
{
    if (linear < DATA_ADDRESS || linear + bytes > DATA_ADDRESS + DATA_BYTES)
        return emulate_raise(c, 14, 0);
    *at = memory + (linear - DATA_ADDRESS);
    return EMULATE_OK;
}

static enum emulate_outcome fetch(struct emulate_context *c, uint64_t linear, void *to, unsigned bytes)
{
    uint8_t code[32];
    memset(code, 0x90, sizeof(code));
    memcpy(code, present->code, present->length);
    memcpy(to, code + (linear - HOLE_ADDRESS), bytes);
    return EMULATE_OK;
}

static enum emulate_outcome read_data(struct emulate_context *c, uint64_t linear, void *to, unsigned bytes, bool write)
{
    uint8_t *at;
    enum emulate_outcome outcome = data_at(c, linear, bytes, &at);
    if (outcome == EMULATE_OK)
        memcpy(to, at, bytes);
    return outcome;
}

static enum emulate_outcome write_data(struct emulate_context *c, uint64_t linear, const void *from, unsigned bytes)
{
    uint8_t *at;
    enum emulate_outcome outcome = data_at(c, linear, bytes, &at);
    if (outcome == EMULATE_OK)
        memcpy(at, from, bytes);
    return outcome;
}

static enum emulate_outcome exchange_data(struct emulate_context *c, uint64_t linear, const void *expected,
                                          const void *desired, unsigned bytes, bool *done)
{
    uint8_t *at;
    enum emulate_outcome outcome = data_at(c, linear, bytes, &at);
    if (outcome == EMULATE_OK) {
        *done = memcmp(at, expected, bytes) == 0;
        memcpy(at, desired, bytes);
    }
    return outcome;
}

static enum emulate_outcome flat(struct emulate_context *c, enum emulate_segment segment, uint64_t offset,
                                 unsigned bytes, enum emulate_access access, uint64_t *linear)
{
    *linear = offset;
    return EMULATE_OK;
}

static enum emulate_outcome host_cpuid(struct emulate_context *c, uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
    __asm__("cpuid" : "=a"(out[0]), "=b"(out[1]), "=c"(out[2]), "=d"(out[3]) : "a"(leaf), "c"(subleaf));
    return EMULATE_OK;
}

static const struct emulate_operations operations = {
    .fetch = fetch,
    .read = read_data,
    .write = write_data,
    .exchange = exchange_data,
    .linear = flat,
    .cpuid = host_cpuid,
};

static uint64_t *register_of(struct cpu_user_regs *r, unsigned number)
{
    uint64_t *const reg[16] = {&r->rax, &r->rcx, &r->rdx, &r->rbx, &r->rsp, &r->rbp, &r->rsi, &r->rdi,
                               &r->r8,  &r->r9,  &r->r10, &r->r11, &r->r12, &r->r13, &r->r14, &r->r15};
    return reg[number];
}

static enum emulate_outcome run_emulated(const struct trial *t, struct state *s, uint64_t *rip, uint8_t *vector)
{
    struct cpu_user_regs regs = {.rip = HOLE_ADDRESS, .rflags = s->flags};
    struct emulate_context c = {
        .operations = &operations, .regs = &regs, .code_bytes = 8, .stack_bytes = 8, .cpl = 3, .protected_mode = true};
    for (unsigned i = 0; i < 16; i++)
        *register_of(&regs, i) = s->reg[i];
    present = t;
    enum emulate_outcome outcome = emulate_instruction(&c);
    for (unsigned i = 0; i < 16; i++)
        s->reg[i] = *register_of(&regs, i);
    s->flags = regs.rflags;
    *rip = regs.rip;
    *vector = c.exception.vector;
    return outcome;
}

/* ---- comparison ---- */

static void show(const struct trial *t, const char *what)
{
    printf("# %s:", t->form->name);
    for (unsigned i = 0; i < t->length; i++)
        printf(" %02x", t->code[i]);
    printf(": %s\n", what);
}

static unsigned undefined_flags(const struct trial *t, const struct state *before)
{
    unsigned undefined = t->form->undefined, bits = 8 * t->operand_bytes;
    if (!(t->form->options & BY_COUNT))
        return undefined;
    unsigned count = t->form->immediate ? t->count : (unsigned)before->reg[1] & 0xff;
    count &= t->operand_bytes == 8 ? 63 : 31;
    if (count != 1)
        undefined |= count ? OF : 0;
    if (count >= bits)
        undefined |= CF;
    return undefined;
}

static int vector_of(int signal)
{
    return signal == SIGFPE ? 0 : signal == SIGILL ? 6 : signal == SIGBUS ? 17 : 13;
}

static bool registers_equal(const struct trial *t, const struct state *before, const struct state *ours)
{
    char text[120];
    unsigned compared = FLAGS & ~undefined_flags(t, before);
    for (unsigned i = 0; i < 16; i++) {
        if (native->reg[i] == ours->reg[i])
            continue;
        snprintf(text, sizeof(text), "register %u is %lx, processor has %lx, was %lx", i, ours->reg[i], native->reg[i],
                 before->reg[i]);
        show(t, text);
        return false;
    }
    if ((native->flags ^ ours->flags) & compared) {
        snprintf(text, sizeof(text), "flags are %lx, processor has %lx, were %lx", ours->flags & FLAGS,
                 native->flags & FLAGS, before->flags & FLAGS);
        show(t, text);
        return false;
    }
    if (memcmp(memory, data, DATA_BYTES) == 0)
        return true;
    show(t, "memory differs");
    return false;
}

/* 1 equal, 0 not, -1 both raised an exception */
static int try_one(const struct form *f)
{
    struct trial t;
    struct state before, ours;
    uint64_t rip;
    uint8_t vector;
    make_instruction(&t, f);
    make_state(&t, &before);
    memcpy(memory, data, DATA_BYTES);
    *native = ours = before;
    int caught = run_native(&t);
    enum emulate_outcome outcome = run_emulated(&t, &ours, &rip, &vector);
    if (caught) {
        bool same =
            outcome == EMULATE_EXCEPTION && (vector == vector_of(caught) || (caught == SIGSEGV && vector == 14));
        if (!same)
            show(&t, caught == SIGILL ? "processor raised #UD" : "processor raised an exception");
        return same ? -1 : 0;
    }
    if (outcome != EMULATE_OK || rip != HOLE_ADDRESS + t.length) {
        show(&t, outcome == EMULATE_OK ? "rip is wrong" : outcome == EMULATE_EXCEPTION ? "exception" : "not known");
        return 0;
    }
    return registers_equal(&t, &before, &ours);
}

int main(void)
{
    const unsigned tries = 1000, count = sizeof(forms) / sizeof(forms[0]);
    unsigned bad = 0;
    prepare();
    printf("1..%u\n", count);
    for (unsigned i = 0; i < count; i++) {
        unsigned equal = 0, wrong = 0;
        for (unsigned n = 0; n < tries && wrong < 5; n++) {
            int result = try_one(&forms[i]);
            equal += result > 0;
            wrong += result == 0;
        }
        bool ok = !wrong && equal > 20;
        bad += !ok;
        printf("%s %u - %s: %u equal\n", ok ? "ok" : "not ok", i + 1, forms[i].name, equal);
    }
    return bad != 0;
}
