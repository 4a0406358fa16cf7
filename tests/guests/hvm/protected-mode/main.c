/*
 * Protected mode, 32 and 16 bits wide, without long mode.
 */
#include "hvm.h"

const char test_title[] = "protected mode";
extern const char protected_faults[], protected_strings[], protected_stack[], protected_16[], gate_16[];
extern char handler_0[], handler_3[], handler_6[], handler_11[], handler_13[], handler_0x40[];

uint32_t fault_log[32][2], fault_count;
uint64_t idt32[256];
struct {
    uint16_t limit;
    uint32_t base;
} __attribute__((packed)) idt32_register;

static uint64_t gate(uint64_t offset, uint16_t selector, uint8_t type)
{
    return (offset & 0xffff) | (uint64_t)selector << 16 | (uint64_t)type << 40 | (offset >> 16) << 48;
}

static void prepare(void)
{
    static const struct {
        unsigned vector;
        const char *handler;
    } handlers[] = {{0, handler_0},   {3, handler_3},   {6, handler_6},
                    {11, handler_11}, {13, handler_13}, {0x40, handler_0x40}};
    for (unsigned i = 0; i < ARRAY_SIZE(handlers); i++)
        idt32[handlers[i].vector] = gate((uint64_t)handlers[i].handler, CODE32, 0x8e);
    idt32[0x41] = gate((uint64_t)gate_16, CODE16, 0x86);
    idt32_register.limit = sizeof(idt32) - 1;
    idt32_register.base = (uint32_t)(uint64_t)idt32;
    gdt[0x50 / 8] = 0x00cf13000000ffff; /* data, not present */
    gdt[0x58 / 8] = 0x004093400000ffff; /* data, base 0x400000, 64 KiB */
}

static void faults(void)
{
    static const uint32_t expected[][2] = {{0, ~0U}, {6, ~0U}, {0x40, ~0U}, {3, ~0U}, {13, 0xf0}, {11, 0x50}, {13, 0}};
    CHECK_IS(ARRAY_SIZE(expected), low_run(PROTECTED_32, protected_faults));
    for (unsigned i = 0; i < ARRAY_SIZE(expected); i++) {
        CHECK_IS(expected[i][0], fault_log[i][0]);
        CHECK_IS(expected[i][1], fault_log[i][1]);
    }
}

void test_main(void)
{
    volatile uint32_t *words = low_address(LOW_RESULTS);
    prepare();
    faults();
    CHECK_IS(0x37363534, low_run(PROTECTED_32, protected_strings)); /* "4567" */
    CHECK_IS(1, low_run(PROTECTED_32, protected_stack));
    CHECK_IS(0x1234, low_run(PROTECTED_16, protected_16));
    CHECK_IS(0x110, words[0] & 0xffff);
    CHECK_IS(CODE32 << 16 | CODE16, words[1]);
}
