/*
 * What takes more than one look: string instructions that stop in the middle, devices that have to wait, locked
 * accesses that lose a race, vector moves, what retires with an instruction.
 */
#include "machine.h"
#include "../../check.h"
#include "../../test_list.h"
#include <stdio.h>
#include <string.h>

#define CODE 0x1000

static struct machine machine;
static struct cpu_user_regs regs;
static struct emulate_context context;

static void start(const char *hex)
{
    unsigned byte;
    machine_reset(&machine);
    memset(&regs, 0, sizeof(regs));
    for (unsigned length = 0; sscanf(hex + 2 * length, "%2x", &byte) == 1; length++)
        machine.memory[CODE + length] = (uint8_t)byte;
    regs.rip = CODE;
    regs.rflags = 2;
    regs.rsp = 0x8000;
    context = (struct emulate_context){.operations = &machine_operations,
                                       .regs = &regs,
                                       .owner = &machine,
                                       .code_bytes = 8,
                                       .stack_bytes = 8,
                                       .protected_mode = true};
}

static enum emulate_outcome run(void)
{
    return emulate_instruction(&context);
}

static void fault_in_the_middle(void)
{
    start("f3a4"); /* rep movsb */
    regs.rsi = 0x2000;
    regs.rdi = FAULT_PAGE - 5;
    regs.rcx = 20;
    CHECK(run() == EMULATE_EXCEPTION && context.exception.vector == 14 && context.exception.error_code == 2);
    CHECK(context.exception.cr2 == FAULT_PAGE);
    CHECK(regs.rcx == 15 && regs.rsi == 0x2005 && regs.rdi == FAULT_PAGE && regs.rip == CODE);
}

static void wait_in_the_middle(void)
{
    start("f36d"); /* rep insd */
    regs.rdi = 0x3000;
    regs.rcx = 3;
    regs.rdx = 0x1f0;
    machine.port_value = 100;
    machine.waits = true;
    CHECK(run() == EMULATE_RETRY);
    CHECK(regs.rcx == 3 && regs.rdi == 0x3000 && regs.rip == CODE);
    CHECK(run() == EMULATE_OK);
    CHECK(regs.rcx == 0 && regs.rdi == 0x300c && regs.rip == CODE + 2 && machine.port == 0x1f0);
    CHECK(machine.memory[0x3000] == 100 && machine.memory[0x3004] == 101 && machine.memory[0x3008] == 102);
}

static void budget_ends_a_run(void)
{
    start("f3aa"); /* rep stosb */
    regs.rdi = 0x3000;
    regs.rcx = 100;
    context.repetitions_left = 30;
    CHECK(run() == EMULATE_OK && regs.rcx == 70 && regs.rip == CODE && regs.rdi == 0x3000 + 30);
    context.repetitions_left = 0;
    CHECK(run() == EMULATE_OK && regs.rcx == 0 && regs.rip == CODE + 2);
}

static void count_of_zero(void)
{
    start("f3a5");
    regs.rsi = FAULT_PAGE;
    CHECK(run() == EMULATE_OK && regs.rip == CODE + 2 && regs.rsi == FAULT_PAGE);
}

static void single_step_of_a_run(void)
{
    start("f3aa");
    regs.rdi = 0x3000;
    regs.rcx = 3;
    regs.rflags |= 0x100;
    CHECK(run() == EMULATE_OK && context.retired_single_step && regs.rcx == 2 && regs.rip == CODE);
}

static void bulk_between_device_and_memory(void)
{
    start("f348a5"); /* rep movsq */
    context.operations = &machine_bulk_operations;
    regs.rsi = 0x2000;
    regs.rdi = DEVICE_PAGE;
    regs.rcx = 100;
    CHECK(run() == EMULATE_OK && regs.rcx == 0 && machine.bulk_calls == 1 && regs.rdi == DEVICE_PAGE + 800);
    start("f36f"); /* rep outsd, falling, across a page */
    context.operations = &machine_bulk_operations;
    regs.rflags |= 0x400;
    regs.rsi = 0x3010;
    regs.rcx = 8;
    CHECK(run() == EMULATE_OK && regs.rcx == 0 && machine.bulk_calls == 2 && regs.rsi == 0x3010 - 32);
}

static void device_operands(void)
{
    start("830f01"); /* or dword [rdi], 1 */
    regs.rdi = DEVICE_PAGE;
    machine.waits = true;
    CHECK(run() == EMULATE_RETRY && machine.device_reads == 0 && machine.device_writes == 0 && regs.rip == CODE);
    CHECK(run() == EMULATE_OK && machine.device_reads == 1 && machine.device_writes == 1);
    CHECK(machine.device_last == 0x01010101 && regs.rip == CODE + 3);
}

static void lost_exchange(void)
{
    start("f00fc103"); /* lock xadd [rbx], eax */
    regs.rbx = 0x2000;
    regs.rax = 5;
    machine.loses_exchange = true;
    CHECK(run() == EMULATE_RETRY && regs.rax == 5 && regs.rip == CODE && machine.memory[0x2000] == 0);
    CHECK(run() == EMULATE_OK && regs.rax == 0 && machine.memory[0x2000] == 5);
}

static void write_fault_of_a_change(void)
{
    start("0103"); /* add [rbx], eax: one access, which writes */
    regs.rbx = FAULT_PAGE;
    CHECK(run() == EMULATE_EXCEPTION && context.exception.error_code == 2);
    start("3903"); /* cmp only reads */
    regs.rbx = FAULT_PAGE;
    CHECK(run() == EMULATE_EXCEPTION && context.exception.error_code == 0);
}

static void instruction_across_a_fault(void)
{
    start("90");
    regs.rip = FAULT_PAGE - 2;
    memcpy(machine.memory + FAULT_PAGE - 2, "\x89\xc8", 2); /* mov eax,ecx ends the page */
    CHECK(run() == EMULATE_OK && regs.rip == FAULT_PAGE);
    regs.rip = FAULT_PAGE - 1;
    machine.memory[FAULT_PAGE - 1] = 0x89;
    CHECK(run() == EMULATE_EXCEPTION && context.exception.vector == 14 && context.exception.cr2 == FAULT_PAGE);
}

static void shadows(void)
{
    start("fb");
    CHECK(run() == EMULATE_OK && context.retired_sti);
    start("fb");
    regs.rflags |= 0x200;
    CHECK(run() == EMULATE_OK && !context.retired_sti);
    start("8ed0"); /* mov ss, ax */
    regs.rflags |= 0x100;
    CHECK(run() == EMULATE_OK && context.retired_mov_ss && !context.retired_single_step);
    start("f4");
    CHECK(run() == EMULATE_OK && context.retired_hlt);
}

static void software_interrupt(void)
{
    start("cd80");
    CHECK(run() == EMULATE_EXCEPTION && context.exception.vector == 0x80 && context.exception.software_bytes == 2);
    CHECK(!context.exception.has_error_code && regs.rip == CODE);
}

static bool filled(const uint8_t *bytes, unsigned from, unsigned to, uint8_t value)
{
    for (unsigned i = from; i < to; i++)
        if (bytes[i] != value)
            return false;
    return true;
}

static void vector_start(const char *hex)
{
    start(hex);
    regs.rbx = 0x2000;
    memset(machine.memory + 0x2000, 0x22, 64);
    memset(machine.vector, 0x77, sizeof(machine.vector));
}

static void vector_stores(void)
{
    uint8_t *memory = machine.memory + 0x2000;
    vector_start("0f1103"); /* movups [rbx], xmm0 */
    CHECK(run() == EMULATE_OK && filled(memory, 0, 16, 0x77) && memory[16] == 0x22);
    vector_start("f30f114301"); /* movss [rbx+1], xmm0 */
    CHECK(run() == EMULATE_OK && memory[0] == 0x22 && filled(memory, 1, 5, 0x77) && memory[5] == 0x22);
    vector_start("66440f7f3b"); /* movdqa [rbx], xmm15 */
    machine.vector[15][3] = 0x55;
    CHECK(run() == EMULATE_OK && memory[3] == 0x55 && memory[15] == 0x77);
    vector_start("c5fe7f03"); /* vmovdqu [rbx], ymm0 */
    CHECK(run() == EMULATE_OK && filled(memory, 0, 32, 0x77) && memory[32] == 0x22);
    vector_start("66480f7e03"); /* movq [rbx], xmm0 */
    CHECK(run() == EMULATE_OK && filled(memory, 0, 8, 0x77) && memory[8] == 0x22);
    vector_start("0f1703"); /* movhps [rbx], xmm0 */
    machine.vector[0][8] = 0x11;
    CHECK(run() == EMULATE_OK && memory[0] == 0x11 && memory[7] == 0x77 && memory[8] == 0x22);
}

static void vector_loads(void)
{
    const uint8_t *xmm = machine.vector[0];
    vector_start("f30f6f03"); /* movdqu xmm0, [rbx]: the upper half stays */
    CHECK(run() == EMULATE_OK && filled(xmm, 0, 16, 0x22) && filled(xmm, 16, 32, 0x77));
    vector_start("c5fa6f03"); /* vmovdqu xmm0, [rbx]: it is cleared */
    CHECK(run() == EMULATE_OK && filled(xmm, 0, 16, 0x22) && filled(xmm, 16, 32, 0));
    vector_start("f20f1003"); /* movsd xmm0, [rbx] clears to 16 bytes */
    CHECK(run() == EMULATE_OK && filled(xmm, 0, 8, 0x22) && filled(xmm, 8, 16, 0) && xmm[16] == 0x77);
    vector_start("0f1603"); /* movhps xmm0, [rbx] */
    CHECK(run() == EMULATE_OK && filled(xmm, 0, 8, 0x77) && filled(xmm, 8, 16, 0x22) && xmm[16] == 0x77);
    vector_start("660f6ec3"); /* movd xmm0, ebx */
    CHECK(run() == EMULATE_OK && xmm[1] == 0x20 && filled(xmm, 4, 16, 0));
}

static void vector_faults(void)
{
    vector_start("0f294301"); /* movaps [rbx+1], xmm0 */
    CHECK(run() == EMULATE_EXCEPTION && context.exception.vector == 13);
    vector_start("0f1103");
    machine.cr[0] = 8; /* TS */
    CHECK(run() == EMULATE_EXCEPTION && context.exception.vector == 7);
    vector_start("0f1103");
    machine.cr[4] = 0; /* no OSFXSR */
    CHECK(run() == EMULATE_EXCEPTION && context.exception.vector == 6);
    vector_start("c5e81003"); /* vvvv is used: no such form */
    CHECK(run() == EMULATE_UNHANDLED);
    vector_start("0f1203"); /* movlps with a device that waits */
    regs.rbx = DEVICE_PAGE;
    machine.waits = true;
    CHECK(run() == EMULATE_RETRY && filled(machine.vector[0], 0, 32, 0x77));
}

static void wide_exchange(void)
{
    start("f0480fc70b"); /* lock cmpxchg16b [rbx] */
    regs.rbx = 0x2000;
    memset(machine.memory + 0x2000, 0x11, 16);
    CHECK(run() == EMULATE_OK && !(regs.rflags & 0x40) && regs.rax == 0x1111111111111111 && regs.rdx == regs.rax);
    regs.rip = CODE;
    regs.rcx = 7;
    CHECK(run() == EMULATE_OK && regs.rflags & 0x40 && machine.memory[0x2008] == 7 && machine.memory[0x2001] == 0x20);
    regs.rip = CODE;
    regs.rbx = 0x2008;
    CHECK(run() == EMULATE_EXCEPTION && context.exception.vector == 13);
}

static void system_registers(void)
{
    start("0f01f0"); /* lmsw ax: PE stays set */
    machine.cr[0] = 0x80000001;
    regs.rax = 0xa;
    CHECK(run() == EMULATE_OK && machine.cr[0] == 0x8000000b);
    start("0f06"); /* clts */
    machine.cr[0] = 0x8000000b;
    CHECK(run() == EMULATE_OK && machine.cr[0] == 0x80000003);
    start("0f0113"); /* lgdt [rbx] */
    regs.rbx = 0x2000;
    memcpy(machine.memory + 0x2000, "\x34\x12\x88\x77\x66\x55\x44\x33\x22\x11", 10);
    CHECK(run() == EMULATE_OK && machine.table_limit[0] == 0x1234 && machine.table_base[0] == 0x1122334455667788);
    start("0f0138"); /* invlpg [rax] */
    regs.rax = 0x5000;
    CHECK(run() == EMULATE_OK && machine.invalidated == 0x5000);
    start("0f30"); /* wrmsr */
    regs.rax = 0x1234567811111111;
    regs.rdx = 0x22222222;
    CHECK(run() == EMULATE_OK && machine.msr == 0x2222222211111111);
    start("410f22c0"); /* mov cr0, r8 */
    regs.r8 = 0x80000011;
    CHECK(run() == EMULATE_OK && machine.cr[0] == 0x80000011);
}

/* What a processor does. */
static void overrides_of_long_code(void)
{
    start("643e262e368b07"); /* mov eax, fs:ds:es:cs:ss:[rdi] */
    machine.base[EMU_FS] = 0x2000;
    machine.memory[0x2010] = 7;
    regs.rdi = 0x10;
    CHECK(run() == EMULATE_OK && regs.rax == 7);
    start("2e8b4500"); /* mov eax, cs:[rbp] */
    regs.rbp = 0x10;
    machine.memory[0x10] = 8;
    CHECK(run() == EMULATE_OK && regs.rax == 8);
}

int main(void)
{
    static const struct unit_test tests[] = {
        {"fault in the middle of a string instruction", fault_in_the_middle},
        {"wait in the middle of a string instruction", wait_in_the_middle},
        {"budget of repetitions", budget_ends_a_run},
        {"count of zero", count_of_zero},
        {"single step of repetitions", single_step_of_a_run},
        {"bulk moves", bulk_between_device_and_memory},
        {"read and write of a device", device_operands},
        {"locked access that loses", lost_exchange},
        {"write fault of a read and write", write_fault_of_a_change},
        {"instruction at the end of a page", instruction_across_a_fault},
        {"interrupt shadows and hlt", shadows},
        {"software interrupt", software_interrupt},
        {"vector stores", vector_stores},
        {"vector loads", vector_loads},
        {"vector faults", vector_faults},
        {"cmpxchg16b", wide_exchange},
        {"system registers", system_registers},
        {"segment overrides in long code", overrides_of_long_code},
    };
    return run_tests(tests, sizeof(tests) / sizeof(tests[0]), NULL);
}
