/*
 * Interrupts of the machine: vectors, IO-APIC pins, MSI; their handlers in us or their way to Domain-0 as pirqs.
 * x86/irq.c (vectors, descriptors), x86/apic.c, x86/ioapic.c, x86/msi.c
 */
#ifndef HV_IRQ_H
#define HV_IRQ_H

#include <hv/types.h>

struct domain;
struct cpu;
struct cpu_user_regs;

/* Fixed vectors, highest priority last. */
#define VECTOR_FIRST_DEVICE 0x30
#define VECTOR_LAST_DEVICE  0xdf
#define VECTOR_EVENT_CHECK  0xf0
#define VECTOR_CALL         0xf1 /* run a function: TLB flush, stop */
#define VECTOR_APIC_TIMER   0xf2
#define VECTOR_APIC_ERROR   0xfe
#define VECTOR_SPURIOUS     0xff

/* From x86/entry.S via traps.c, interrupts off, for vectors >= 0x20. */
void do_irq(struct cpu_user_regs *regs);

void apic_init(void);      /* boot CPU: xAPIC or x2APIC, from MADT */
void apic_init_cpu(void);  /* every CPU */
uint32_t apic_id(void);
void apic_eoi(void);
void apic_send_ipi(struct cpu *cpu, uint8_t vector);
void apic_send_ipi_all_but_self(uint8_t vector);
void apic_send_nmi_all_but_self(void);
void apic_send_init(uint32_t apic_id);
void apic_send_startup(uint32_t apic_id, uint8_t page);
void ioapic_init(void);

/* Our own handlers (serial line): gsi = IO-APIC global interrupt. */
int irq_request_gsi(unsigned gsi, void (*handler)(void *data), void *data);

/* Number of IO-APIC pins of the machine = first pirq that is not a GSI. */
unsigned irq_gsi_count(void);

/* pirqs: the hardware domain's names for interrupts. */
#define MAX_PIRQS 512

/* PHYSDEVOP_map_pirq, setup_gsi, msi: see abi/physdev_op.c. All return 0/pirq or -errno. */
int pirq_map_gsi(struct domain *d, unsigned gsi, int pirq_wanted);
struct msi_request {
    uint16_t segment;
    uint8_t bus, devfn;
    unsigned entry;      /* MSI-X table entry */
    paddr_t table;       /* MSI-X table address; 0 = plain MSI */
    unsigned count;      /* multi-MSI: vectors wanted */
};
int pirq_map_msi(struct domain *d, const struct msi_request *request, int pirq_wanted);
int pirq_unmap(struct domain *d, int pirq);
/* trigger: level (true) or edge, polarity: low (true) or high. -EEXIST when already set up. */
int gsi_setup(unsigned gsi, bool level, bool low);

/* EVTCHNOP_bind_pirq: interrupts of `pirq` become evtchn_send_pirq(d, pirq) from now on; unbind masks again. */
int pirq_bind(struct domain *d, int pirq, bool share);
void pirq_unbind(struct domain *d, int pirq);
/* The guest has served a level-triggered interrupt. */
void pirq_eoi(struct domain *d, int pirq);
bool pirq_needs_eoi(struct domain *d, int pirq);

/* Run function(data) on every online CPU but this one and wait. Interrupts on. x86/smp_call.c */
void call_on_other_cpus(void (*function)(void *data), void *data);
void call_on_cpus(const void *cpumask, void (*function)(void *data), void *data);

#endif
