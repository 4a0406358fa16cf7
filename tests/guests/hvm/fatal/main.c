/*
 * Guests that cannot go on, one way each (option "case"). The guest ends, the hypervisor's log says why, and nobody
 * else notices; tests/rig/scenarios/hvm_guests.py looks.
 */
#include "hvm.h"

const char test_title[] = "fatal";
#define HOLE 0xd0000000UL

static void undefined(void)
{
    __asm__ volatile("ud2");
}

static void without_tables(void)
{
    struct table_register nothing = {0, 0};
    __asm__ volatile("lidt %0" : : "m"(nothing));
    undefined();
}

static void tables_in_hole(void)
{
    struct table_register hole = {4095, HOLE};
    __asm__ volatile("lidt %0" : : "m"(hole));
    undefined();
}

static void stack_in_hole(void)
{
    __asm__ volatile("mov %0, %%rsp\n\tud2" : : "r"(HOLE + PAGE));
}

static void page_tables_in_hole(void)
{
    WRITE_REGISTER("cr3", HOLE);
}

static void page_tables_nowhere(void)
{
    WRITE_REGISTER("cr3", 0xfffff000UL << 4);
}

static void code_in_hole(void)
{
    __asm__ volatile("jmp *%0" : : "r"(HOLE));
}

static void code_in_apic(void)
{
    apic_enable();
    __asm__ volatile("jmp *%0" : : "r"(APIC_BASE));
}

static void halted(void)
{
    __asm__ volatile("cli\n\thlt");
}

static void shutdown(unsigned reason)
{
    struct sched_shutdown how = {reason};
    HYPERCALL(sched_op, SCHEDOP_shutdown, &how);
}

static void crash(void)
{
    shutdown(SHUTDOWN_crash);
}

static void reboot(void)
{
    shutdown(SHUTDOWN_reboot);
}

void test_main(void)
{
    static const struct {
        const char *name;
        void (*run)(void);
    } cases[] = {
        {"without-tables", without_tables},
        {"tables-in-hole", tables_in_hole},
        {"stack-in-hole", stack_in_hole},
        {"page-tables-in-hole", page_tables_in_hole},
        {"page-tables-nowhere", page_tables_nowhere},
        {"code-in-hole", code_in_hole},
        {"code-in-apic", code_in_apic},
        {"halted", halted},
        {"crash", crash},
        {"reboot", reboot},
    };
    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++)
        if (same_word(option("case"), cases[i].name))
            cases[i].run();
    error("still here");
}
