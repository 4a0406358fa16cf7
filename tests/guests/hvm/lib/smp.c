/* The local APIC and the second processor. */
#include "hvm.h"

void second_main(void);
volatile unsigned second_ready;
static void (*volatile second_function)(void);

#define ICR_PENDING (1U << 12)
#define ICR_INIT    0x4500U
#define ICR_STARTUP 0x4600U

void apic_enable(void)
{
    apic_write(APIC_SPURIOUS, 0x1ff);
    apic_write(APIC_TPR, 0);
}

static void send(uint32_t command)
{
    apic_write(APIC_ICR_HIGH, 2U << 24); /* identifiers are twice the number of the vcpu */
    apic_write(APIC_ICR, command);
    if (!WITHIN_MS(1000, !(apic_read(APIC_ICR) & ICR_PENDING)))
        failure("message %x is not delivered", command);
}

void second_start(void (*function)(void))
{
    unsigned before = second_ready;
    second_function = function;
    send(ICR_INIT);
    send(ICR_STARTUP | LOW_BASE >> 12);
    WITHIN_MS(200, second_ready != before);
    if (second_ready == before)
        send(ICR_STARTUP | LOW_BASE >> 12);
    if (!WITHIN_MS(10000, second_ready != before))
        error("the second processor does not start");
}

void second_main(void)
{
    __asm__ volatile("lidt %0" : : "m"(idt_register));
    second_ready++;
    second_function();
    for (;;)
        __asm__ volatile("sti\n\thlt");
}
