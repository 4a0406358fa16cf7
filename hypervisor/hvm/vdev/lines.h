/*
 * The lines, and what the interrupt controllers share with them: one lock, hvm_irqs.lock, interrupts off. Inside the
 * event channel lock and hvm_timers.lock, outside the scheduler's. hvm/irq.c, ioapic.c, pic.c.
 */
#ifndef HVM_VDEV_LINES_H
#define HVM_VDEV_LINES_H

#include "chip.h"

enum callback_kind { CALLBACK_NONE, CALLBACK_VECTOR, CALLBACK_GSI, CALLBACK_INTX };

struct hvm_irqs {
    struct spinlock lock;

    /* Sources, one bit each: said high or low any number of times, they count once. */
    uint64_t pci_intx[2];             /* device * 4 + pin */
    uint64_t isa, gsi;                /* by the device model; as such */
    uint64_t gsi_chip;                /* by chips of ours */
    uint8_t gsi_count[HVM_GSI_COUNT]; /* sources that hold the line high */
    uint8_t link_count[4];
    uint8_t link_route[4]; /* ISA line of each PCI link; 0 none */

    enum callback_kind callback;
    bool callback_high;       /* the line is up because of it */
    uint8_t callback_line[2]; /* vector; GSI; device and pin */

    /* Looked at on every way into the guest, without a lock. */
    volatile bool pic_output;            /* the PIC requests an interrupt; pic.c */
    volatile unsigned ticks_outstanding; /* timer interrupts that a vcpu has still to take; hvm_timers.lock */
};

static inline struct hvm_irqs *irqs_of(const struct domain *d)
{
    return chip_state(d, CHIP_LINES);
}

/* Is the line high? hvm_irqs.lock held. */
static inline bool gsi_is_high(const struct hvm_irqs *irqs, unsigned gsi)
{
    return irqs->gsi_count[gsi] != 0;
}

/* IRQ 0 is wired to pin 2 (the MADT of the firmware says so too). */
static inline unsigned isa_to_gsi(unsigned line)
{
    return line == 0 ? 2 : line;
}

/* Lines driven by chips of ours, by GSI: apart from what the device model says about the same line. */
void hvm_chip_line(struct domain *d, unsigned gsi, bool level);
/* A rising edge; false if every controller has it masked, so that it is lost. */
bool hvm_chip_edge(struct domain *d, unsigned gsi);
/* Is `vector` what such a line becomes, at the PIC or the IO-APIC? */
bool hvm_chip_vector(struct domain *d, unsigned gsi, uint8_t vector, bool at_pic);

/* After loading: level-triggered lines that are high ask again. hvm_irqs.lock held */
void vioapic_lines_loaded(struct domain *d);

#endif
