/*
 * The virtual chips of an HVM guest, one per file in hvm/vdev/. Each registers its ports or memory with hvm_io.h,
 * raises lines through hvm_irq.h, and saves itself in the public record of xen/arch-x86/hvm/save.h. Every chip has its
 * own lock or shares hvm_irqs.lock (PIC, IO-APIC); interrupts off.
 */
#ifndef HV_VDEV_H
#define HV_VDEV_H

#include <hv/hvm_io.h>
#include <hv/hvm_irq.h>
#include <xen/hvm/save.h>

/* ---- vdev/lapic.c: local APIC, xAPIC and x2APIC, timer in one-shot, periodic and TSC-deadline mode ---- */
int vlapic_init(struct vcpu *v);
void vlapic_destroy(struct vcpu *v);
void vlapic_reset(struct vcpu *v); /* INIT: keeps APIC base and id */
/* MSRs 0x1b, 0x6e0, 0x800-0x8ff. false = #GP */
bool vlapic_rdmsr(struct vcpu *v, uint32_t msr, uint64_t *value);
bool vlapic_wrmsr(struct vcpu *v, uint32_t msr, uint64_t value);
uint8_t vlapic_get_tpr(const struct vcpu *v);
void vlapic_set_tpr(struct vcpu *v, uint8_t tpr);
/* Vector into the IRR; any context. */
void vlapic_set_irq(struct vcpu *v, uint8_t vector, bool level);
/* Highest deliverable vector above the processor priority, or -1; _ack moves it to the ISR. */
int vlapic_pending(const struct vcpu *v);
void vlapic_ack(struct vcpu *v, uint8_t vector);
void vlapic_eoi(struct vcpu *v);
/* Does v answer to this destination? */
bool vlapic_match(const struct vcpu *v, uint32_t destination, bool logical);
/* A message to whoever it names, lowest priority included. -EINVAL: nobody. */
int vlapic_deliver(struct domain *d, uint32_t destination, bool logical, unsigned delivery_mode, uint8_t vector,
                   bool level);
/* Takes the PIC's line (LVT0 in ExtINT mode, or APIC disabled)? */
bool vlapic_accepts_pic(const struct vcpu *v);
uint64_t vlapic_base(const struct vcpu *v);
bool vlapic_enabled(const struct vcpu *v); /* by hardware (MSR) and software */
bool vlapic_x2apic(const struct vcpu *v);
void vlapic_migrate_timers(struct vcpu *v, struct cpu *cpu);

/* ---- vdev/ioapic.c ---- */
int vioapic_init(struct domain *d);
void vioapic_set_pin(struct domain *d, unsigned pin, bool level); /* hvm_irqs.lock held */
void vioapic_eoi(struct domain *d, uint8_t vector);               /* from a local APIC */

/* ---- vdev/pic.c ---- */
int vpic_init(struct domain *d);
void vpic_set_line(struct domain *d, unsigned line, bool level); /* hvm_irqs.lock held */
int vpic_pending(struct domain *d);                              /* -1: nothing */
int vpic_ack(struct domain *d);                                  /* the vector */

/* ---- time: vdev/pit.c, rtc.c, hpet.c, pmtimer.c ---- */
int vtimers_init(struct domain *d); /* those that d->hvm->emulation names */
void vtimers_destroy(struct domain *d);
/* The guest is paused or runs again: virtual time of these chips stands still meanwhile. */
void vtimers_freeze(struct domain *d, bool freeze);
void vrtc_set_time_offset(struct domain *d, int64_t seconds);
/* HVM_PARAM_ACPI_IOPORTS_LOCATION: 0 or 1. */
int vpm_set_ioports(struct domain *d, uint64_t version);
void vpm_power_button(struct domain *d);
void vpm_sleep_button(struct domain *d);

/* ---- hvm/save.c: the guest's context as a stream of typed records (xen/arch-x86/hvm/save.h) ---- */
struct hvm_save_buffer {
    uint8_t *data;
    uint32_t size, at;
};
/* Appends one record / finds out whether the next record fits; the body follows. */
int hvm_save_record(struct hvm_save_buffer *b, uint16_t type, uint16_t instance, const void *body, uint32_t bytes);
/* One per record type, in a table in hvm/save.c, in the stream's order. save: appends for d (all vcpus); load: one
 * record's body, zero-extended to `bytes`. */
struct hvm_save_handler {
    uint16_t type;
    uint32_t bytes;
    int (*save)(struct domain *d, struct hvm_save_buffer *b);
    int (*load)(struct domain *d, unsigned instance, const void *body);
};
extern const struct hvm_save_handler save_cpu, save_pic, save_ioapic, save_lapic, save_lapic_regs, save_pci_irq,
    save_isa_irq, save_pci_link, save_pit, save_rtc, save_hpet, save_pmtimer, save_mtrr, save_viridian_domain,
    save_viridian_vcpu, save_vmce_vcpu, save_tsc_adjust, save_cpu_xsave, save_cpu_msr;
/* XEN_DOMCTL_gethvmcontext with a NULL buffer asks for the size. d is paused. */
int hvm_save(struct domain *d, uint8_t *buffer, uint32_t *bytes);
int hvm_load(struct domain *d, const uint8_t *buffer, uint32_t bytes);
int hvm_save_one(struct domain *d, uint16_t type, uint16_t instance, uint8_t *buffer, uint32_t *bytes);

#endif
