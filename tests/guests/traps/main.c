/*
 * Exceptions: the frame that the kernel finds, error codes, which of them software may raise.
 */
#include "guest.h"

const char test_title[] = "traps";

static struct registers seen;
static unsigned seen_vector, count;

static bool note(struct registers *regs, unsigned vector)
{
    seen = *regs;
    seen_vector = vector;
    count++;
    return true;
}

static void faults(void)
{
    CHECK_IS(TRAPPED(TRAP_UD, 0), TRY("ud2", NO_OUT, "r"(0)));
    CHECK_IS(TRAPPED(TRAP_DE, 0), TRY("xor %%edx, %%edx\n1:\tdivl %1", NO_OUT, "r"(0)));
    CHECK_IS(TRAPPED(TRAP_GP, 0), try_read((void *)NON_CANONICAL));
    CHECK_IS(TRAPPED(TRAP_PF, 0), try_read((void *)UNMAPPED));
    CHECK_IS(UNMAPPED, trapped_address);
    CHECK_IS(TRAPPED(TRAP_PF, 2), try_write((void *)UNMAPPED, 1));
}

void test_main(void)
{
    faults();
    trap_hooks[TRAP_BP] = note;
    __asm__ volatile("int3");
    CHECK_IS(1, count);
    CHECK_IS(TRAP_BP, seen_vector);
}
