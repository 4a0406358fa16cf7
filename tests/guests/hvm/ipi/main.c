/*
 * Two processors: start by INIT and start-up messages, and messages between them in every way of addressing.
 */
#include "hvm.h"

const char test_title[] = "inter-processor interrupts";
enum { VECTOR = 0x70, LAST = 0x71 };
enum { NMI = 0x400, LOWEST = 0x100, LOGICAL = 0x800, SELF = 0x40000, ALL = 0x80000, OTHERS = 0xc0000 };

static volatile unsigned got[2], nmis[2];
static volatile bool slept;

static unsigned me(void)
{
    return apic_read(APIC_ID) >> 25;
}

static bool count(struct registers *regs)
{
    got[me()]++;
    apic_write(APIC_EOI, 0);
    return true;
}

static bool count_nmi(struct registers *regs)
{
    nmis[me()]++;
    return true;
}

static void second(void)
{
    apic_enable();
    apic_write(APIC_DFR, ~0U);
    apic_write(APIC_LDR, 2U << 24);
    slept = true;
}

static void send(uint32_t destination, uint32_t command)
{
    apic_write(APIC_ICR_HIGH, destination << 24);
    apic_write(APIC_ICR, command);
}

#define GOT(first, other)                                                                                              \
    do {                                                                                                               \
        bool right_ = WITHIN_MS(3000, got[0] == (first) && got[1] == (other));                                         \
        if (!right_)                                                                                                   \
            failure("line %d: got %u and %u", __LINE__, got[0], got[1]);                                               \
        got[0] = got[1] = 0;                                                                                           \
    } while (0)

void test_main(void)
{
    trap_hooks[VECTOR] = count;
    trap_hooks[TRAP_NMI] = count_nmi;
    apic_enable();
    apic_write(APIC_DFR, ~0U);
    apic_write(APIC_LDR, 1U << 24);
    CHECK_IS(0, me());
    second_start(second);
    CHECK(WITHIN_MS(3000, slept));
    CHECK_IS(1, second_ready);
    interrupts_on();
    send(2, VECTOR); /* physical */
    GOT(0, 1);
    send(0, SELF | VECTOR);
    GOT(1, 0);
    send(0, ALL | VECTOR);
    GOT(1, 1);
    send(0, OTHERS | VECTOR);
    GOT(0, 1);
    send(0xff, VECTOR); /* physical broadcast */
    GOT(1, 1);
    send(2, LOGICAL | VECTOR);
    GOT(0, 1);
    send(3, LOGICAL | VECTOR);
    GOT(1, 1);
    send(2, LOGICAL | LOWEST | VECTOR);
    GOT(0, 1);
    send(0x40, LOGICAL | VECTOR); /* nobody */
    send(9, VECTOR);
    CHECK(!WITHIN_MS(20, got[0] || got[1]));
    send(2, NMI);
    CHECK(WITHIN_MS(3000, nmis[1] == 1));
    send(0, OTHERS | NMI);
    CHECK(WITHIN_MS(3000, nmis[1] == 2));
    CHECK_IS(0, nmis[0]);
    send(2, 0x4600 | LOW_BASE >> 12); /* a start-up message without INIT is nothing */
    CHECK(!WITHIN_MS(50, second_ready != 1));
    slept = false;
    second_start(second); /* INIT stops it, and it starts again */
    CHECK(WITHIN_MS(3000, slept));
    CHECK_IS(2, second_ready);
    send(2, VECTOR);
    GOT(0, 1);
    interrupts_off();
}
