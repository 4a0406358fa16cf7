/*
 * Interrupt lines of an HVM guest: ISA and PCI lines, their routing to PIC and IO-APIC, message interrupts, and the
 * ways by which an event channel upcall reaches a guest. hvm/irq.c; chips in vdev.h.
 * Locks: hvm_irqs.lock, interrupts off; inside the event channel lock, outside the scheduler's.
 */
#ifndef HV_HVM_IRQ_H
#define HV_HVM_IRQ_H

#include <hv/hvm.h>

#define HVM_GSI_COUNT 48 /* pins of the virtual IO-APIC */

/* Any context. Levels are counted per line: a line is high while any source holds it. */
void hvm_isa_irq(struct domain *d, unsigned line, bool level);
void hvm_pci_intx(struct domain *d, unsigned device, unsigned pin, bool level); /* 0-31, 0-3 */
int hvm_set_pci_link(struct domain *d, unsigned link, unsigned isa_line);       /* 0-3; 0 = off */
/* A message as written to the local APIC range. -EINVAL when it names no processor. */
int hvm_msi(struct domain *d, uint64_t address, uint32_t data);

/* Asks in order: callback vector, local APIC, PIC. Nothing deliverable: -1; the interrupt flag and shadows, and NMIs
 * (vcpu.nmi_pending, which anybody may set at any time), are the caller's to look at. `acknowledge` takes it (in
 * service). v is current; also brings the line of a GSI or INTx callback up to date. Called on every way in. */
int hvm_pending_interrupt(struct vcpu *v, bool acknowledge);
/* v's interrupt state changed: wakes it, and interrupts it if it runs elsewhere. Any context. */
void hvm_kick(struct vcpu *v);

/* HVM_PARAM_CALLBACK_IRQ was set: by vector, GSI or PCI INTx; 0 = none. -EINVAL */
int hvm_set_callback_via(struct domain *d, uint64_t via);
/* v's evtchn_upcall_pending has become true (or it registered its vector): raise what it asked for. Called from
 * vcpu_mark_event_pending, once for each time (a vector through the local APIC is an edge), not on the way in. */
void hvm_assert_upcall(struct vcpu *v);

/*
 * pirqs of an HVM guest (XENFEAT_hvm_pirqs): a line or a message interrupt that it takes as an event channel instead of
 * by its interrupt controllers. pirqs below HVM_GSI_COUNT are GSIs of the same number, others are messages.
 * hvm/pirq.c, whose row of functions is hvm_pirqs (hv/irq.h).
 */
#define HVM_PIRQ_COUNT 256

/* A message interrupt without a vector means a pirq. False: not one that is bound. Any context. */
bool hvm_pirq_message(struct domain *d, uint64_t address);

/* hvm_irqs.lock held: a GSI's line has changed its level. True: the guest takes it as an event channel, its controllers
 * are to hear nothing of it. Who then releases the lock calls hvm_pirq_deliver, but not from within the event channel
 * lock. */
bool hvm_pirq_line(struct domain *d, unsigned gsi, bool level);
void hvm_pirq_deliver(struct domain *d);

#endif
