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

/* Boot CPU: chooses xAPIC or x2APIC from the processor and the MADT, and runs apic_init_cpu. Needs
 * acpi_init, ioremap. */
void apic_init(void);
void apic_init_cpu(void); /* every CPU */
uint32_t apic_id(void);
bool apic_can_address(uint32_t apic_id); /* by inter-processor interrupts, in the mode chosen */
void apic_eoi(void);
/* IPIs go to CPUs that are online. Any context, NMIs included. */
void apic_send_ipi(struct cpu *cpu, uint8_t vector);
void apic_send_nmi_all_but_self(void);
void apic_send_init(uint32_t apic_id);
void apic_send_startup(uint32_t apic_id, uint8_t page);

/* Boot CPU, after apic_init: silences the 8259 pair, masks every pin, takes GSI attributes from the MADT. */
void ioapic_init(void);

/* Our own handlers (serial line): gsi = IO-APIC global interrupt. The handler runs with interrupts off and no lock
 * held. -EINVAL no such pin, -EBUSY in use, -ENOSPC no vector. */
int irq_request_gsi(unsigned gsi, void (*handler)(void *data), void *data);

/* Number of IO-APIC pins of the machine = first pirq that is not a GSI. */
unsigned irq_gsi_count(void);

/* pirqs: a domain's names for interrupts. Those of the hardware domain are of the machine (core/pirq.c), those of HVM
 * guests of their virtual chips (hvm/pirq.c). */
#define MAX_PIRQS 512

/* What the functions below that have the same names do for either. */
struct pirq_operations {
    int (*map_gsi)(struct domain *d, unsigned gsi, int pirq_wanted);
    int (*unmap)(struct domain *d, int pirq);
    int (*reserve)(struct domain *d, bool msi);
    int (*bind)(struct domain *d, int pirq);
    void (*unbind)(struct domain *d, int pirq);
    int (*eoi)(struct domain *d, int pirq);
    bool (*needs_eoi)(struct domain *d, int pirq);
};
extern const struct pirq_operations hardware_pirqs, hvm_pirqs;

/*
 * PHYSDEVOP_map_pirq, setup_gsi, msi: see abi/physdev_op.c. All return 0/pirq or -errno; -EPERM for a domain that is
 * not the hardware domain. pirq_wanted < 0: any (a GSI gets its own number). Mapping again what is mapped so gives the
 * same pirq. -EINVAL no such thing, -EBUSY pirq or GSI otherwise in use, -ENOSPC no vectors, -ENODEV no such device or
 * capability, -ENOMEM.
 */
int pirq_map_gsi(struct domain *d, unsigned gsi, int pirq_wanted);
struct msi_request {
    uint16_t segment;
    uint8_t bus, devfn;
    unsigned entry; /* MSI-X table entry */
    paddr_t table;  /* machine address of the BAR that holds the MSI-X table; 0 = plain MSI */
    unsigned count; /* multi-MSI: vectors wanted */
};
int pirq_map_msi(struct domain *d, const struct msi_request *request, int pirq_wanted);
/* A multi-MSI block goes as a whole, by its first pirq. -EBUSY while an event channel is bound. */
int pirq_unmap(struct domain *d, int pirq);
/* A free pirq that nobody else gets until it is mapped or unmapped. msi: above the GSIs. -ENOSPC */
int pirq_reserve(struct domain *d, bool msi);
/* A device goes away: unmaps its pirqs, but for those that are still bound. */
void pirq_release_device(uint32_t sbdf);
/* The device was reset: programs its message-signalled interrupts again. */
void pirq_restore_device(uint32_t sbdf);
/* trigger: level (true) or edge, polarity: low (true) or high. -EEXIST when already set up. */
int gsi_setup(unsigned gsi, bool level, bool low);
/* The vector of a GSI, given to it now if it had none. -EINVAL, -ENOSPC */
int gsi_vector(unsigned gsi);

/* EVTCHNOP_bind_pirq: interrupts of `pirq` become evtchn_send_pirq(d, pirq) from now on; unbind masks again. */
int pirq_bind(struct domain *d, int pirq, bool share);
void pirq_unbind(struct domain *d, int pirq);
/* The guest has served a level-triggered interrupt: the line may interrupt again. -EINVAL: no such pirq. */
int pirq_eoi(struct domain *d, int pirq);
/* True when pirq_eoi must be called after each interrupt. */
bool pirq_needs_eoi(struct domain *d, int pirq);
/* PHYSDEVOP_pirq_eoi_gmfn: from now on the bit of a pirq in this frame says what pirq_needs_eoi says.
 * -EINVAL not the domain's RAM, -EBUSY there is one. The frame is held until pirq_release_domain (domain_kill calls
 * it). */
int pirq_set_eoi_map(struct domain *d, uint64_t mfn);
void pirq_release_domain(struct domain *d);

/* Run function(data) on every online CPU but this one and wait; _cpus: on the online CPUs of the cpumask_t, this one
 * included if it is in it. The function runs with interrupts off. Callers have interrupts on (or hold no lock that
 * another CPU may spin on with interrupts off); two CPUs may call each other at the same time. x86/smp_call.c */
void call_on_other_cpus(void (*function)(void *data), void *data);
void call_on_cpus(const void *cpumask, void (*function)(void *data), void *data);
/* VECTOR_CALL came in. */
void smp_call_interrupt(void);

#endif
