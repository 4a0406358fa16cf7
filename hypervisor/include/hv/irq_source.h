/*
 * Inside the interrupt code: one record per device vector, and where its interrupts come from.
 * x86/irq.c owns the records; x86/ioapic.c and x86/msi.c are the sources; core/pirq.c uses both.
 *
 * Vectors are the machine's, not one CPU's: a record is found by its vector alone. All records, the IO-APICs and the
 * MSI registers are under irq_lock (interrupts off). Interrupt handlers run without it.
 */
#ifndef HV_IRQ_SOURCE_H
#define HV_IRQ_SOURCE_H

#include <hv/spinlock.h>
#include <hv/types.h>

struct irq;
struct cpu;
struct msi_device;

/* How to stop and start a source. Called under irq_lock. A source that cannot be stopped leaves them doing nothing. */
struct irq_source {
    const char *name;
    void (*mask)(struct irq *irq);
    void (*unmask)(struct irq *irq);
};

struct irq {
    const struct irq_source *source; /* NULL: vector is free */
    uint8_t vector;
    bool level;             /* the line stays asserted until the device is served */
    bool hold;              /* guest's and level: masked from delivery until pirq_eoi */
    bool held;              /* masked by that */
    unsigned gsi;           /* IO-APIC source */
    struct msi_device *msi; /* MSI source */
    unsigned msi_entry;     /* MSI-X table entry, or number within the multi-MSI block */
    bool msix;
    struct cpu *target;          /* the CPU it is sent to */
    void (*handler)(void *data); /* NULL: interrupts are counted and dropped */
    void *data;
};

extern struct spinlock irq_lock;

/* Takes `count` (a power of two) vectors in a row for `source`, the first a multiple of count, as multi-MSI needs.
 * NULL: none left. */
struct irq *irq_alloc(const struct irq_source *source, unsigned count);
void irq_free(struct irq *first, unsigned count);
struct irq *irq_of_vector(uint8_t vector);

/* Moves the 8259 pair's vectors out of the way of exceptions and masks it. */
void pic_silence(void);

/* IO-APIC pins. */
struct gsi {
    bool exists;
    bool level, low;
    bool set_up; /* attributes came from gsi_setup, or we use it ourselves: not changed again */
    uint8_t ioapic, pin;
    uint8_t vector; /* 0: none yet */
};
struct gsi *gsi_get(unsigned gsi); /* NULL: no such pin */
/* Gives the pin a vector (once) and leaves it masked. -EINVAL no such pin, -ENOSPC no vector. */
int gsi_route(unsigned gsi, struct irq **out);
void gsi_unroute(unsigned gsi); /* gives the vector back, unless the pin has a handler */

/* Register `reg` of the IO-APIC at machine address `base`; false: no such IO-APIC or register. Takes irq_lock. */
bool ioapic_read_register(uint64_t base, unsigned reg, uint32_t *value);

#endif
