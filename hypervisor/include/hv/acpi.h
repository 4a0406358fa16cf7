/*
 * The firmware tables we need ourselves: processors, interrupt controllers, timers, power. x86/acpi.c
 * Source: ACPI specification 6.4. Everything is bounds-checked and checksummed; a bad table is logged and ignored.
 */
#ifndef HV_ACPI_H
#define HV_ACPI_H

#include <hv/percpu.h>

#define MAX_IOAPICS       16
#define MAX_IRQ_OVERRIDES 16
#define MAX_ECAM          4

struct acpi_facts {
    paddr_t lapic_address;
    unsigned cpu_count;
    struct {
        uint32_t apic_id, acpi_id;
        bool enabled;
    } cpu[NR_CPUS];
    unsigned ioapic_count;
    struct {
        uint32_t id;
        paddr_t address;
        unsigned gsi_base;
    } ioapic[MAX_IOAPICS];
    unsigned override_count;
    struct {
        uint8_t isa_irq;
        uint32_t gsi;
        bool level, low;
    } override[MAX_IRQ_OVERRIDES];
    unsigned ecam_count;
    struct {
        paddr_t address;
        uint16_t segment;
        uint8_t first_bus, last_bus;
    } ecam[MAX_ECAM];
    uint16_t pm_timer_port; /* 0: none */
    bool pm_timer_32bit;
    uint16_t pm1a_control, pm1b_control, pm1a_status;
    uint16_t sci;
    bool has_s5;
    uint8_t s5_type_a, s5_type_b;
    paddr_t hpet_address; /* 0: none */
    struct {
        uint8_t space; /* 0 memory, 1 port */
        paddr_t address;
        uint8_t value; /* 0 address: no reset register */
    } reset;
    paddr_t rsdp;
};
extern struct acpi_facts acpi;

/* Needs the direct map; maps tables outside RAM by ioremap. Panics without RSDP or MADT: one clear line. */
void acpi_init(void);

/* x86/power.c */
void machine_reboot(void) __attribute__((noreturn));
void machine_power_off(void) __attribute__((noreturn));

#endif
