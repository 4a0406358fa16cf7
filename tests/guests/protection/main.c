/*
 * The hypervisor keeps what protects it from its own faults switched on, and a guest that sets AC, which SMAP goes by,
 * changes nothing by it.
 */
#define __XEN_TOOLS__
#include "guest.h"
#include <xen/sysctl.h>

const char test_title[] = "protection";

static char console[16384];
static uint32_t console_bytes;

/* The hypervisor's log, or nothing where it keeps another interface version. */
static void read_console(void)
{
    struct xen_sysctl op = {.cmd = XEN_SYSCTL_readconsole, .interface_version = XEN_SYSCTL_INTERFACE_VERSION};
    op.u.readconsole.buffer.p = console;
    op.u.readconsole.count = sizeof(console);
    CHECK_IS(0, HYPERCALL(sysctl, &op));
    console_bytes = op.u.readconsole.count;
}

static bool logged(const char *text)
{
    size_t length = 0;
    while (text[length])
        length++;
    for (uint32_t at = 0; at + length <= console_bytes; at++)
        if (memory_compare(console + at, text, length) == 0)
            return true;
    return false;
}

/* The instruction itself, which the emulator lets through. */
static uint32_t processor_feature(uint32_t leaf, unsigned reg)
{
    uint32_t r[4];
    __asm__ volatile("cpuid" : "=a"(r[0]), "=b"(r[1]), "=c"(r[2]), "=d"(r[3]) : "0"(leaf), "2"(0));
    return r[reg];
}

/* Each CPU tries what it must not be able to do, and the hypervisor says what it then relies on. */
static void tried(void)
{
    read_console();
    if (!logged("Roundhouse hypervisor"))
        return;
    CHECK(logged("protection: WP, NX"));
    CHECK_IS(processor_feature(7, 1) >> 7 & 1, logged(", SMEP"));
    CHECK_IS(processor_feature(7, 1) >> 20 & 1, logged(", SMAP"));
    CHECK_IS(processor_feature(7, 2) >> 2 & 1, logged(", UMIP"));
}

static bool skip_int3(struct registers *regs, unsigned vector)
{
    return true;
}

static uint64_t set_flags(uint64_t flags)
{
    uint64_t old;
    __asm__ volatile("pushf\n\tpop %0\n\tpush %1\n\tpopf" : "=&r"(old) : "r"(flags) : "memory", "cc");
    return old;
}

/* With AC on, through every way in: exceptions, hypercalls, page table writes that are finished for us, interrupts. */
static void with_ac(void)
{
    static uint64_t word __attribute__((aligned(8)));
    uint64_t before = set_flags(0x40202);
    trap_hooks[TRAP_BP] = skip_int3;
    for (unsigned i = 0; i < 64; i++) {
        char name[64];
        uint64_t value = 0;
        __asm__ volatile("int3" ::: "memory");
        CHECK_IS(TRAPPED(TRAP_UD, 0), TRY("ud2", NO_OUT, "r"(0)));
        CHECK_IS(TRAPPED(TRAP_PF, 2), try_write((void *)UNMAPPED, 1));
        CHECK_IS(0, try_write(&word, i));
        CHECK_IS(0, TRY("mov %%cr2, %1", OUT("=r"(value)), "r"(0)));
        CHECK_IS(0, HYPERCALL(xen_version, XENVER_extraversion, name));
        CHECK_IS(-EFAULT, HYPERCALL(xen_version, XENVER_extraversion, UNMAPPED));
        CHECK_IS(0, HYPERCALL(sched_op, SCHEDOP_yield, 0));
    }
    uint64_t flags = set_flags(before);
    CHECK_IS(0x40000, flags & 0x40000);
    trap_hooks[TRAP_BP] = NULL;
}

void test_main(void)
{
    if (is_privileged())
        tried();
    with_ac();
}
