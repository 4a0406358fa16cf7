/*
 * What the differential test cannot run on the host: 16- and 32-bit code, real and virtual-8086 mode, segments, system
 * instructions, exceptions. One row per case: registers and memory before, what differs afterwards.
 */
#include "machine.h"
#include <stdio.h>
#include <string.h>

enum mode { REAL, V86, PM16, PM32, LONG };
enum { AX = 1, CX, DX, BX, SP, BP, SI, DI, IP = 17, FL, ES, CS, SS, DS, FS, GS }; /* 0 ends a list; 9-16: r8-r15 */

struct setting {
    uint8_t name;
    uint64_t value;
};
struct poke {
    uint8_t bytes;
    uint32_t address;
    uint64_t value;
};
struct test_case {
    const char *name;
    enum mode mode;
    const char *code; /* at CODE */
    struct setting before[7];
    struct poke memory[4];
    int exception; /* 0 none; otherwise vector + 1; -1 not known */
    struct setting after[6];
    struct poke memory_after[3];
    uint8_t cpl;
    bool rip_stays; /* unless IP is in after: code length is added */
};

#define CODE      0x1000
#define E(vector) ((vector) + 1)
#define UNKNOWN   (-1)

static const struct test_case cases[] = {
    {"mov ax,[bx+si+4]",
     REAL,
     "8b4004",
     {{BX, 0x2000}, {SI, 0x10}, {DS, 0x100}},
     {{2, 0x3014, 0xbeef}},
     0,
     {{AX, 0xbeef}}},
    {"mov [bp+2],ax uses ss",
     REAL,
     "894602",
     {{AX, 0x1234}, {BP, 0x200}, {SS, 0x300}},
     {},
     0,
     {},
     {{2, 0x3202, 0x1234}}},
    {"16-bit address wraps", REAL, "8a4010", {{BX, 0xfff8}, {DS, 0x200}}, {{1, 0x2008, 0x5a}}, 0, {{AX, 0x5a}}},
    {"cs override", REAL, "2ea10020", {{CS, 0}}, {{2, 0x2000, 0x7788}}, 0, {{AX, 0x7788}}},
    {"66 in 16-bit code", REAL, "66b878563412", {}, {}, 0, {{AX, 0x12345678}}},
    {"67 in 16-bit code", REAL, "678b03", {{BX, 0x2000}}, {{2, 0x2000, 0xabcd}}, 0, {{AX, 0xabcd}}},
    {"sib in 16-bit code",
     REAL,
     "67668b048b",
     {{BX, 0x2000}, {CX, 4}},
     {{4, 0x2010, 0xcafef00d}},
     0,
     {{AX, 0xcafef00d}}},
    {"limit in real mode", REAL, "8b07", {{BX, 0xffff}, {DS, 0}}, {}, E(13), {}, {}, 0, true},
    {"stack limit", REAL, "50", {{SP, 1}}, {}, E(12), {}, {}, 0, true},
    {"mov ds,ax", REAL, "8ed8", {{AX, 0x1234}}, {}, 0, {{DS, 0x1234}}},
    {"mov cs,ax", REAL, "8ec8", {}, {}, E(6), {}, {}, 0, true},
    {"mov ax,es", REAL, "8cc0", {{ES, 0x55}, {AX, 0xffffffff}}, {}, 0, {{AX, 0xffff0055}}},
    {"mov eax,es", PM32, "8cc0", {{ES, 0x55}, {AX, 0xffffffff}}, {}, 0, {{AX, 0x55}}},
    {"mov [m],es writes two bytes",
     PM32,
     "8c03",
     {{ES, 0x55}, {BX, 0x2000}},
     {{4, 0x2000, 0xffffffff}},
     0,
     {},
     {{4, 0x2000, 0xffff0055}}},
    {"mov es,bad", PM32, "8ec0", {{AX, 0xbad8}}, {}, E(11), {}, {}, 0, true},
    {"push es, 16 bits", REAL, "06", {{ES, 0x77}, {SP, 0x100}}, {}, 0, {{SP, 0xfe}}, {{2, 0xfe, 0x77}}},
    {"pop ds", REAL, "1f", {{SP, 0x100}}, {{2, 0x100, 0x99}}, 0, {{SP, 0x102}, {DS, 0x99}}},
    {"push wraps sp", REAL, "50", {{SP, 0}, {AX, 0x4321}}, {}, 0, {{SP, 0xfffe}}, {{2, 0xfffe, 0x4321}}},
    {"push keeps upper esp", PM16, "50", {{SP, 0x50100}, {AX, 0x4321}}, {}, 0, {{SP, 0x500fe}}, {{2, 0xfe, 0x4321}}},
    {"pop esp", PM32, "5c", {{SP, 0x2000}}, {{4, 0x2000, 0x8888}}, 0, {{SP, 0x8888}}},
    {"pop [esp+4]", PM32, "8f442404", {{SP, 0x2000}}, {{4, 0x2000, 0x11}}, 0, {{SP, 0x2004}}, {{4, 0x2008, 0x11}}},
    {"pusha",
     REAL,
     "60",
     {{AX, 1}, {CX, 2}, {SP, 0x100}, {DI, 8}},
     {},
     0,
     {{SP, 0xf0}},
     {{2, 0xfe, 1}, {2, 0xf6, 0x100}, {2, 0xf0, 8}}},
    {"popad",
     PM32,
     "61",
     {{SP, 0x2000}},
     {{4, 0x2000, 7}, {4, 0x200c, 0x99}, {4, 0x201c, 5}},
     0,
     {{SP, 0x2020}, {DI, 7}, {AX, 5}}},
    {"pushf16", REAL, "9c", {{SP, 0x100}, {FL, 0x3202}}, {}, 0, {{SP, 0xfe}}, {{2, 0xfe, 0x3202}}},
    {"popf in ring 3 keeps IF and IOPL",
     PM32,
     "9d",
     {{SP, 0x2000}, {FL, 0x202}},
     {{4, 0x2000, 0x3001}},
     0,
     {{SP, 0x2004}, {FL, 0x203}},
     {},
     3},
    {"popf in ring 0",
     PM32,
     "9d",
     {{SP, 0x2000}, {FL, 0x202}},
     {{4, 0x2000, 0x23001}},
     0,
     {{SP, 0x2004}, {FL, 0x3003}}},
    {"popf in v86 without IOPL", V86, "9d", {{SP, 0x100}}, {}, E(13), {}, {}, 3, true},
    {"enter 8,2",
     PM32,
     "c8080002",
     {{SP, 0x2000}, {BP, 0x3000}},
     {{4, 0x2ffc, 0x77}},
     0,
     {{SP, 0x1fec}, {BP, 0x1ffc}},
     {{4, 0x1ffc, 0x3000}, {4, 0x1ff8, 0x77}, {4, 0x1ff4, 0x1ffc}}},
    {"leave", REAL, "c9", {{BP, 0x200}, {SP, 0x100}}, {{2, 0x200, 0x300}}, 0, {{SP, 0x202}, {BP, 0x300}}},
    {"jmp short back", REAL, "ebfe", {}, {}, 0, {{IP, CODE}}},
    {"jmp near wraps", REAL, "e900f0", {}, {}, 0, {{IP, 3}}},
    {"jmp beyond limit", PM16, "66e900000100", {}, {}, E(13), {}, {}, 0, true},
    {"jz taken", PM32, "0f8410000000", {{FL, 0x42}}, {}, 0, {{IP, CODE + 0x16}}},
    {"jz not taken", PM32, "0f8410000000", {{FL, 0x2}}, {}, 0, {}},
    {"call near", LONG, "e8fb0f0000", {{SP, 0x3000}}, {}, 0, {{SP, 0x2ff8}, {IP, 0x2000}}, {{8, 0x2ff8, CODE + 5}}},
    {"call [rip]",
     LONG,
     "ff1500100000",
     {{SP, 0x3000}},
     {{8, 0x2006, 0x4000}},
     0,
     {{SP, 0x2ff8}, {IP, 0x4000}},
     {{8, 0x2ff8, CODE + 6}}},
    {"jmp to no address", LONG, "ffe0", {{AX, 0x8000000000000000}}, {}, E(13), {}, {}, 0, true},
    {"ret 4", PM32, "c20400", {{SP, 0x2000}}, {{4, 0x2000, 0x3000}}, 0, {{SP, 0x2008}, {IP, 0x3000}}},
    {"ret", REAL, "c3", {{SP, 0x200}}, {{2, 0x200, 0x3000}}, 0, {{SP, 0x202}, {IP, 0x3000}}},
    {"jmp far", REAL, "ea34120020", {}, {}, 0, {{CS, 0x2000}, {IP, 0x1234}}},
    {"jmp far 32", PM32, "ea785634120800", {}, {}, 0, {{CS, 8}, {IP, 0x12345678}}},
    {"jmp far [m]", REAL, "ff2f", {{BX, 0x2000}}, {{4, 0x2000, 0x30001111}}, 0, {{CS, 0x3000}, {IP, 0x1111}}},
    {"jmp far, bad selector", PM32, "ea78563412d8ba", {}, {}, E(11), {}, {}, 0, true},
    {"call far",
     REAL,
     "9a34120020",
     {{SP, 0x200}, {CS, 0}},
     {},
     0,
     {{CS, 0x2000}, {IP, 0x1234}, {SP, 0x1fc}},
     {{2, 0x1fe, 0}, {2, 0x1fc, CODE + 5}}},
    {"retf", REAL, "cb", {{SP, 0x200}}, {{4, 0x200, 0x20001234}}, 0, {{CS, 0x2000}, {IP, 0x1234}, {SP, 0x204}}},
    {"retf to ring 3", PM32, "cb", {{SP, 0x2000}}, {{4, 0x2000, 0x1234}, {4, 0x2004, 0x1b}}, UNKNOWN, {}, {}, 0, true},
    {"int 10h",
     REAL,
     "cd10",
     {{SP, 0x200}, {FL, 0x202}},
     {{4, 0x40, 0xc0001234}},
     0,
     {{CS, 0xc000}, {IP, 0x1234}, {SP, 0x1fa}, {FL, 2}},
     {{2, 0x1fe, 0x202}, {2, 0x1fc, 0}, {2, 0x1fa, CODE + 2}}},
    {"int in protected mode", PM32, "cd80", {}, {}, E(0x80), {}, {}, 3, true},
    {"into without overflow", PM32, "ce", {}, {}, 0, {}},
    {"iret",
     REAL,
     "cf",
     {{SP, 0x200}, {FL, 2}},
     {{2, 0x200, 0x1234}, {2, 0x202, 0x3000}, {2, 0x204, 0x247}},
     0,
     {{CS, 0x3000}, {IP, 0x1234}, {SP, 0x206}, {FL, 0x247}}},
    {"iretd",
     PM32,
     "cf",
     {{SP, 0x2000}},
     {{4, 0x2000, 0x1234}, {4, 0x2004, 8}, {4, 0x2008, 0x202}},
     0,
     {{CS, 8}, {IP, 0x1234}, {SP, 0x200c}, {FL, 0x202}}},
    {"iretq", LONG, "48cf", {}, {}, UNKNOWN, {}, {}, 0, true},
    {"loop", REAL, "e2fe", {{CX, 2}}, {}, 0, {{CX, 1}, {IP, CODE}}},
    {"loop ends", REAL, "e2fe", {{CX, 0x10001}}, {}, 0, {{CX, 0x10000}}},
    {"loop with ecx", REAL, "67e2fd", {{CX, 0x10001}}, {}, 0, {{CX, 0x10000}, {IP, CODE}}},
    {"loope stops", REAL, "e1fe", {{CX, 5}, {FL, 2}}, {}, 0, {{CX, 4}}},
    {"loopne goes on", REAL, "e0fe", {{CX, 5}, {FL, 2}}, {}, 0, {{CX, 4}, {IP, CODE}}},
    {"jcxz", REAL, "e304", {{CX, 0x10000}}, {}, 0, {{IP, CODE + 6}}},
    {"les", REAL, "c407", {{BX, 0x2000}}, {{4, 0x2000, 0x12345678}}, 0, {{ES, 0x1234}, {AX, 0x5678}}},
    {"lgs",
     PM32,
     "0fb503",
     {{BX, 0x2000}},
     {{4, 0x2000, 0x11111111}, {2, 0x2004, 0x10}},
     0,
     {{GS, 0x10}, {AX, 0x11111111}}},
    {"lea of a register", PM32, "8dc0", {}, {}, E(6), {}, {}, 0, true},
    {"inc is rex in long mode", LONG, "48ffc0", {{AX, 0xffffffff}}, {}, 0, {{AX, 0x100000000}, {FL, 0x16}}},
    {"inc ax", REAL, "40", {{AX, 0x1ffff}, {FL, 2}}, {}, 0, {{AX, 0x10000}, {FL, 0x56}}},
    {"pusha in long mode", LONG, "60", {}, {}, E(6), {}, {}, 0, true},
    {"lock mov", PM32, "f08903", {{BX, 0x2000}}, {}, E(6), {}, {}, 0, true},
    {"lock add register", PM32, "f001c0", {}, {}, E(6), {}, {}, 0, true},
    {"lock add", PM32, "f00103", {{BX, 0x2000}, {AX, 2}}, {{4, 0x2000, 3}}, 0, {{FL, 6}}, {{4, 0x2000, 5}}},
    {"div by 0", PM32, "f7f1", {{AX, 1}}, {}, E(0), {}, {}, 0, true},
    {"aam", PM32, "d40a", {{AX, 0x55}}, {}, 0, {{AX, 0x805}, {FL, 6}}},
    {"aam 0", PM32, "d400", {{AX, 0x55}}, {}, E(0), {}, {}, 0, true},
    {"aad", PM32, "d50a", {{AX, 0x805}}, {}, 0, {{AX, 0x55}, {FL, 6}}},
    {"daa", PM32, "27", {{AX, 0x9a}}, {}, 0, {{AX, 0}, {FL, 0x57}}},
    {"das", PM32, "2f", {{AX, 0x1a}}, {}, 0, {{AX, 0x14}, {FL, 0x16}}},
    {"aaa", PM32, "37", {{AX, 0x0b}}, {}, 0, {{AX, 0x101}, {FL, 0x13}}},
    {"mov al,moffs32", PM32, "a000200000", {}, {{1, 0x2000, 0x44}}, 0, {{AX, 0x44}}},
    {"mov rax,moffs64",
     LONG,
     "48a10020000000000000",
     {},
     {{8, 0x2000, 0x1122334455667788}},
     0,
     {{AX, 0x1122334455667788}}},
    {"fs base", LONG, "64488b0425f0ff0000", {{FS, 0}}, {{8, 0xfff0, 9}}, 0, {{AX, 9}}},
    {"not canonical", LONG, "488b00", {{AX, 0x1000000000000000}}, {}, E(13), {}, {}, 0, true},
    {"not canonical stack", LONG, "488b4500", {{BP, 0x1000000000000000}}, {}, E(12), {}, {}, 0, true},
    {"page fault", PM32, "8b03", {{BX, FAULT_PAGE}}, {}, E(14), {}, {}, 0, true},
    {"page fault on the second page",
     PM32,
     "8903",
     {{BX, FAULT_PAGE - 2}, {AX, ~0U}},
     {},
     E(14),
     {},
     {{2, FAULT_PAGE - 2, 0}},
     0,
     true},
    {"hlt in ring 3", PM32, "f4", {}, {}, E(13), {}, {}, 3, true},
    {"cli in ring 3", PM32, "fa", {{FL, 0x202}}, {}, E(13), {}, {}, 3, true},
    {"cli in ring 3 with IOPL", PM32, "fa", {{FL, 0x3202}}, {}, 0, {{FL, 0x3002}}, {}, 3},
    {"sti", PM32, "fb", {{FL, 2}}, {}, 0, {{FL, 0x202}}},
    {"ud2", PM32, "0f0b", {}, {}, E(6), {}, {}, 0, true},
    {"16 bytes", PM32, "2e2e2e2e2e2e2e2e2e2e2e2e2e2e2e90", {}, {}, E(13), {}, {}, 0, true},
    {"15 bytes", PM32, "2e2e2e2e2e2e2e2e2e2e2e2e2e2e90", {}, {}, 0, {}},
    {"RF ends with the instruction", PM32, "90", {{FL, 0x10002}}, {}, 0, {{FL, 2}}},
    {"pause", PM32, "f390", {}, {}, 0, {}},
    {"xchg r8d,eax", LONG, "4190", {{AX, 1}, {9, 2}}, {}, 0, {{AX, 2}, {9, 1}}},
    {"in al,imm", PM32, "e460", {{AX, 0xffffff00}}, {}, 0, {{AX, 0xffffff00}}},
    {"in eax,dx", LONG, "ed", {{AX, ~0UL}, {DX, 0xcf8}}, {}, 0, {{AX, 0}}},
    {"cpuid", LONG, "0fa2", {{AX, 0x10}, {CX, 1}}, {}, 0, {{AX, 0x11}, {BX, 0x12}, {CX, 0x13}, {DX, 0x14}}},
    {"rdmsr", LONG, "0f32", {{CX, 0xc0000080}}, {}, 0, {{AX, 0x1234}, {DX, 0xc0000080}}},
    {"rdmsr in ring 3", LONG, "0f32", {}, {}, E(13), {}, {}, 3, true},
    {"mov cr0,eax and back", PM32, "0f20e0", {}, {}, 0, {{AX, 0x40200}}},
    {"mov eax,cr1", PM32, "0f20c8", {}, {}, E(6), {}, {}, 0, true},
    {"smsw memory", PM32, "0f0123", {{BX, 0x2000}}, {{4, 0x2000, ~0U}}, 0, {}, {{4, 0x2000, 0xffff0000}}},
    {"sidt", PM32, "0f010b", {{BX, 0x2000}}, {}, 0, {}, {{4, 0x2000, 0x0000ffff}}},
    {"bts far below", PM32, "0fab03", {{BX, 0x2000}, {AX, (uint32_t)-33}}, {}, 0, {}, {{4, 0x1ff8, 0x80000000}}},
    {"bt 16-bit address wraps", REAL, "0fa307", {{BX, 0}, {AX, 0xfff0}}, {{2, 0xfffe, 1}}, 0, {{FL, 3}}},
    {"movbe", PM32, "0f38f003", {{BX, 0x2000}}, {{4, 0x2000, 0x11223344}}, 0, {{AX, 0x44332211}}},
    {"crc32", PM32, "f20f38f003", {{BX, 0x2000}}, {}, UNKNOWN, {}, {}, 0, true},
    {"fld", PM32, "d903", {}, {}, UNKNOWN, {}, {}, 0, true},
    {"arpl", PM32, "63c0", {}, {}, UNKNOWN, {}, {}, 0, true},
};

static struct machine machine;

static uint64_t *field(struct cpu_user_regs *r, unsigned name)
{
    uint64_t *const fields[] = {&r->rax, &r->rcx, &r->rdx, &r->rbx, &r->rsp, &r->rbp, &r->rsi, &r->rdi, &r->r8,
                                &r->r9,  &r->r10, &r->r11, &r->r12, &r->r13, &r->r14, &r->r15, &r->rip, &r->rflags};
    return fields[name - 1];
}

static void apply(struct cpu_user_regs *regs, uint16_t selector[6], const struct setting *s, unsigned count)
{
    for (unsigned i = 0; i < count && s[i].name; i++) {
        if (s[i].name >= ES)
            selector[s[i].name - ES] = (uint16_t)s[i].value;
        else
            *field(regs, s[i].name) = s[i].value;
    }
}

static unsigned put_code(const char *hex)
{
    unsigned length = 0, byte;
    for (; sscanf(hex + 2 * length, "%2x", &byte) == 1; length++)
        machine.memory[CODE + length] = (uint8_t)byte;
    return length;
}

static void set_up(const struct test_case *t, struct cpu_user_regs *regs, struct emulate_context *c)
{
    static const uint8_t code_bytes[] = {2, 2, 2, 4, 8};
    bool paragraphs = t->mode == REAL || t->mode == V86;
    machine_reset(&machine);
    regs->rip = CODE;
    regs->rflags = 2;
    apply(regs, machine.selector, t->before, 7);
    regs->rflags |= t->mode == V86 ? 0x20000 : 0;
    for (unsigned i = 0; i < 6 && t->mode != LONG && t->mode != PM32; i++) {
        machine.limit[i] = 0xffff;
        machine.base[i] = paragraphs ? machine.selector[i] * 16U : 0;
    }
    for (unsigned i = 0; i < 4; i++)
        memcpy(machine.memory + t->memory[i].address, &t->memory[i].value, t->memory[i].bytes);
    *c = (struct emulate_context){.operations = &machine_operations, .regs = regs, .owner = &machine};
    c->code_bytes = c->stack_bytes = code_bytes[t->mode];
    c->cpl = t->cpl;
    c->protected_mode = t->mode != REAL;
}

static bool differ(const char *what, uint64_t is, uint64_t wanted)
{
    if (is != wanted)
        printf("# %s is %lx, wanted %lx\n", what, is, wanted);
    return is != wanted;
}

static bool outcome_ok(const struct test_case *t, const struct emulate_context *c, enum emulate_outcome outcome)
{
    enum emulate_outcome wanted = t->exception == 0         ? EMULATE_OK
                                  : t->exception == UNKNOWN ? EMULATE_UNHANDLED
                                                            : EMULATE_EXCEPTION;
    bool bad = differ("outcome", outcome, wanted);
    if (!bad && wanted == EMULATE_EXCEPTION)
        bad = differ("vector", c->exception.vector, (uint64_t)t->exception - 1);
    return !bad;
}

static bool run_case(const struct test_case *t)
{
    static const char *const name[] = {"ax", "cx",  "dx",  "bx",  "sp",  "bp",  "si",  "di", "r8",
                                       "r9", "r10", "r11", "r12", "r13", "r14", "r15", "ip", "flags"};
    struct cpu_user_regs regs = {0}, wanted;
    struct emulate_context c;
    uint16_t selector[6];
    set_up(t, &regs, &c);
    unsigned length = put_code(t->code);
    wanted = regs;
    memcpy(selector, machine.selector, sizeof(selector));
    wanted.rip += t->rip_stays ? 0 : length;
    apply(&wanted, selector, t->after, 6);
    bool good = outcome_ok(t, &c, emulate_instruction(&c));
    for (unsigned i = 1; i <= FL; i++)
        good &= !differ(name[i - 1], *field(&regs, i), *field(&wanted, i));
    for (unsigned i = 0; i < 6; i++)
        good &= !differ("selector", machine.selector[i], selector[i]);
    for (unsigned i = 0; i < 3; i++) {
        uint64_t value = 0;
        memcpy(&value, machine.memory + t->memory_after[i].address, t->memory_after[i].bytes);
        good &= !t->memory_after[i].bytes || !differ("memory", value, t->memory_after[i].value);
    }
    return good;
}

int main(void)
{
    unsigned bad = 0, count = sizeof(cases) / sizeof(cases[0]);
    printf("1..%u\n", count);
    for (unsigned i = 0; i < count; i++) {
        bool good = run_case(&cases[i]);
        printf("%s %u - %s\n", good ? "ok" : "not ok", i + 1, cases[i].name);
        bad += !good;
    }
    return bad != 0;
}
