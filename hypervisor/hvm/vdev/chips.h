/*
 * The virtual chips, a row each, in the order in which they are made (chip.h): who uses another's state comes after it,
 * and of those in memory who is asked most comes first.
 */
#ifndef HVM_VDEV_CHIPS_H
#define HVM_VDEV_CHIPS_H

/* CHIP_* of its state, chip_* of its description, its file, and what it is. */
#define CHIPS(CHIP)                                                                                                    \
    CHIP(LINES, lines)           /* hvm/irq.c: interrupt lines, PCI links, event channel callback */                   \
    CHIP(LAPIC, lapic)           /* lapic*.c: local APIC of each vcpu */                                               \
    CHIP(IOAPIC, ioapic)         /* ioapic.c */                                                                        \
    CHIP(PIC, pic)               /* pic.c: pair of 8259A */                                                            \
    CHIP(TIMERS, timers)         /* timers.c: alarms and ticks of the chips of time */                                 \
    CHIP(PIT, pit)               /* pit.c: 8254 and the speaker's port */                                              \
    CHIP(RTC, rtc)               /* rtc.c: the clock of the CMOS */                                                    \
    CHIP(HPET, hpet)             /* hpet.c */                                                                          \
    CHIP(PMTIMER, pmtimer)       /* pmtimer.c: ACPI's timer, buttons and SCI */                                        \
    CHIP(DEBUG_PORT, debug_port) /* debug_port.c: text of firmware */

#endif
