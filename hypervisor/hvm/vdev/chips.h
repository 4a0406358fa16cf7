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
    CHIP(DEBUG_PORT, debug_port) /* debug_port.c: text of firmware */

#endif
