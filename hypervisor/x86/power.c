/*
 * Reset and power-off. Sources: ACPI 4.8.3.2.1, 4.8.3.6; Intel ICH9 data sheet 13.7.5 (reset control at
 * 0xcf9).
 */
#include <hv/acpi.h>
#include <hv/console.h>
#include <hv/cpu.h>
#include <hv/page.h>
#include <hv/pagetable.h>
#include <hv/time.h>

#define RESET_CONTROL        0xcf9
#define RESET_SYSTEM         0x02
#define RESET_NOW            0x04
#define KEYBOARD_COMMAND     0x64
#define KEYBOARD_BUSY        0x02
#define KEYBOARD_PULSE_RESET 0xfe
#define PM1_SLEEP_TYPE_SHIFT 10
#define PM1_SLEEP_TYPE_MASK  (7U << PM1_SLEEP_TYPE_SHIFT)
#define PM1_SLEEP_ENABLE     (1U << 13)

#define WAIT_MICROSECONDS 50000 /* how long one way of resetting may take before the next is tried */

static void reset_by_acpi(void)
{
    if (!acpi.reset.address)
        return;
    if (acpi.reset.space == 1)
        outb(acpi.reset.value, (uint16_t)acpi.reset.address);
    else
        *(volatile uint8_t *)ioremap(acpi.reset.address, 1, PTE_UNCACHED) = acpi.reset.value;
}

static void reset_by_chipset(void)
{
    outb(RESET_SYSTEM, RESET_CONTROL);
    udelay(50);
    outb(RESET_SYSTEM | RESET_NOW, RESET_CONTROL);
}

static void reset_by_keyboard(void)
{
    for (unsigned i = 0; i < 1000 && (inb(KEYBOARD_COMMAND) & KEYBOARD_BUSY); i++)
        udelay(50);
    outb(KEYBOARD_PULSE_RESET, KEYBOARD_COMMAND);
}

/* With no interrupt table, the first exception becomes a triple fault. */
static void reset_by_triple_fault(void)
{
    const struct {
        uint16_t limit;
        uint64_t base;
    } __packed nothing = {0, 0};
    __asm__ volatile("lidt %0; int3" ::"m"(nothing));
}

void machine_reboot(void)
{
    static void (*const ways[])(void) = {reset_by_acpi, reset_by_chipset, reset_by_keyboard, reset_by_triple_fault};
    irq_disable();
    for (unsigned i = 0; i < ARRAY_SIZE(ways); i++) {
        ways[i]();
        udelay(WAIT_MICROSECONDS);
    }
    for (;;)
        __asm__ volatile("hlt");
}

static uint16_t sleep_value(uint16_t port, uint8_t type)
{
    return (uint16_t)((inw(port) & ~PM1_SLEEP_TYPE_MASK) | (unsigned)type << PM1_SLEEP_TYPE_SHIFT | PM1_SLEEP_ENABLE);
}

void machine_power_off(void)
{
    irq_disable();
    if (acpi.has_s5 && acpi.pm1a_control) {
        uint16_t a = sleep_value(acpi.pm1a_control, acpi.s5_type_a);
        outw(a, acpi.pm1a_control);
        if (acpi.pm1b_control)
            outw(sleep_value(acpi.pm1b_control, acpi.s5_type_b), acpi.pm1b_control);
        udelay(1000000);
    }
    log_error("this machine cannot be switched off by software; it is safe to switch it off now");
    for (;;)
        __asm__ volatile("hlt");
}
