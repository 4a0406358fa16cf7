/*
 * The virtual chips of an HVM guest, one per file in hvm/vdev/, where chip.h says what a chip is. Each answers ports or
 * memory (hvm_io.h), raises lines through hvm_irq.h, and saves itself in the public record of xen/arch-x86/hvm/save.h.
 * Locks: hvm_irqs.lock (controllers), hvm_timers.lock (time), those of a local APIC; interrupts off.
 */
#ifndef HV_VDEV_H
#define HV_VDEV_H

#include <hv/hvm_io.h>
#include <hv/hvm_irq.h>
#include <xen/hvm/save.h>

/* ---- vdev/chip.c: all chips of a guest. Creation and end of a domain and of a vcpu, and the reset of a vcpu. ---- */
int chips_init(struct domain *d);     /* those that d->hvm->emulation names; an error leaves none */
void chips_destroy(struct domain *d); /* also where chips_init failed or was never called */
int chips_vcpu_init(struct vcpu *v);
void chips_vcpu_reset(struct vcpu *v); /* INIT; v is current or off every CPU */
void chips_vcpu_destroy(struct vcpu *v);

/* ---- vdev/lapic.c, lapic_message.c, lapic_timer.c: local APIC, xAPIC and x2APIC, timer in one-shot, periodic and
 * TSC-deadline mode. APIC id = 2 * vcpu number, as firmware says in its MADT. ---- */
#define VLAPIC_BUS_NS 10 /* the timer's input clock: 100 MHz */
static inline uint32_t vlapic_id_of(unsigned vcpu)
{
    return 2 * vcpu;
}
/* MSRs 0x1b, 0x6e0, 0x800-0x8ff. false = #GP */
bool vlapic_rdmsr(struct vcpu *v, uint32_t msr, uint64_t *value);
bool vlapic_wrmsr(struct vcpu *v, uint32_t msr, uint64_t value);
uint8_t vlapic_get_tpr(const struct vcpu *v); /* CR8 is its upper half */
void vlapic_set_tpr(struct vcpu *v, uint8_t tpr);
/* Vector into the IRR, and v is kicked if that can interrupt it; any context. True: the APIC takes interrupts. */
bool vlapic_set_irq(struct vcpu *v, uint8_t vector, bool level);
/* Highest deliverable vector above the processor priority, or -1; _ack moves it to the ISR. Current vcpu. */
int vlapic_pending(const struct vcpu *v);
void vlapic_ack(struct vcpu *v, uint8_t vector);
void vlapic_eoi(struct vcpu *v);
/* Does v answer to this destination? 8-bit ones: the sender has made the broadcast 0xff VLAPIC_BROADCAST. */
#define VLAPIC_BROADCAST 0xffffffffU
bool vlapic_match(const struct vcpu *v, uint32_t destination, bool logical);
/* A message to whoever it names, lowest priority included. -EINVAL: nobody. Any context. */
int vlapic_deliver(struct domain *d, uint32_t destination, bool logical, unsigned delivery_mode, uint8_t vector,
                   bool level);
/*
 * INIT and start-up messages only leave a note and wake their target: a processor may not wait for another one here.
 * The target acts on it itself, on its way in: hvm_resume() calls this before anything else, and when it is
 * false (v is offline now, waiting for its start-up message) raises SOFTIRQ_SCHEDULE and gives up. Calls
 * hvm_vcpu_reset() and hvm_vcpu_startup() for the current vcpu.
 */
bool vlapic_take_startup(struct vcpu *v);
/* v, current, halts for good: offline until its start-up message. False: INIT or start-up message wait already. */
bool vlapic_wait_for_startup(struct vcpu *v);
/* Takes the PIC's line (LVT0 in ExtINT mode; APIC disabled: the first processor)? */
bool vlapic_accepts_pic(const struct vcpu *v);
/* The PIC's line has risen, for LVT0 entries that make something else of it. */
void vlapic_pic_rises(struct vcpu *v);
uint64_t vlapic_base(const struct vcpu *v);
bool vlapic_enabled(const struct vcpu *v); /* by hardware (MSR) and software */
bool vlapic_x2apic(const struct vcpu *v);
/* v's timers, and with vcpu 0 those of the domain's chips, fire on `cpu` from now on. Called by the scheduler. */
void vlapic_migrate_timers(struct vcpu *v, struct cpu *cpu);
/* The guest's TSC was set: a TSC deadline means another moment now. */
void vlapic_tsc_changed(struct vcpu *v);

/* ---- vdev/ioapic.c. Where there is none: nothing happens, and false. ---- */
void vioapic_set_pin(struct domain *d, unsigned pin, bool level); /* hvm_irqs.lock held */
void vioapic_eoi(struct domain *d, uint8_t vector);               /* from a local APIC */
/* Would an edge at this pin become an interrupt, and is it `vector`? hvm_irqs.lock held */
bool vioapic_pin_open(struct domain *d, unsigned pin);
bool vioapic_pin_is(struct domain *d, unsigned pin, uint8_t vector);
/* Does pin 0 hand the PIC's interrupts to v (ExtINT)? No lock: a look. */
bool vioapic_passes_pic(const struct vcpu *v);

/* ---- vdev/pic.c. Where there is none: nothing happens, and false; hvm_irqs.pic_output says what to take. ---- */
void vpic_set_line(struct domain *d, unsigned line, bool level); /* hvm_irqs.lock held */
bool vpic_reaches(const struct vcpu *v);                         /* by its local APIC's LINT0 or by the IO-APIC */
int vpic_pending(struct domain *d);                              /* there is one; -1: nothing */
int vpic_ack(struct domain *d);                                  /* there is one; the vector */
bool vpic_line_open(struct domain *d, unsigned line);            /* hvm_irqs.lock held */
bool vpic_line_is(struct domain *d, unsigned line, uint8_t vector);

/* ---- time: vdev/timers.c, tick.c, pit.c, rtc.c, hpet.c, pmtimer.c. One lock, hvm_timers.lock, outside the event
 * channel lock and hvm_irqs.lock. ---- */
/* The guest is paused (no timer of these chips fires) or runs again: ticks it has missed meanwhile are not made up
 * for. Counters go on, for the TSC does too. Nests, with the pauses of the domain (core/domain.c); a new domain's
 * timers are as often frozen as it is paused. */
void vtimers_freeze(struct domain *d, bool freeze);
/* A vcpu has taken an interrupt of this vector. Only while hvm_irqs.ticks_outstanding. */
void vtimers_taken(struct domain *d, uint8_t vector, bool from_pic);
void vtimers_migrate(struct domain *d, struct cpu *cpu);
void vrtc_set_time_offset(struct domain *d, int64_t seconds);
/* HVM_PARAM_ACPI_IOPORTS_LOCATION: 0 or 1, otherwise -EINVAL. */
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
/* One per record type, in a chip (hvm/vdev/chip.h) or, in the stream's order, in a table in hvm/save.c. save: appends
 * for d (all vcpus); load: one record's body, zero-extended to `bytes`. */
struct hvm_save_handler {
    uint16_t type;
    uint32_t bytes;
    int (*save)(struct domain *d, struct hvm_save_buffer *b);
    int (*load)(struct domain *d, unsigned instance, const void *body);
};
extern const struct hvm_save_handler save_cpu, save_mtrr, save_viridian_domain, save_viridian_vcpu, save_cpu_xsave,
    save_cpu_msr, save_tsc_adjust;
/* Those of the chips: appends all of them, by ascending type; the one of a type, and whether d has its chip. */
int chips_save(struct domain *d, struct hvm_save_buffer *b);
const struct hvm_save_handler *chips_find_record(const struct domain *d, uint16_t type, bool *there);
/* XEN_DOMCTL_gethvmcontext with a NULL buffer asks for the size. d is paused. */
int hvm_save(struct domain *d, uint8_t *buffer, uint32_t *bytes);
int hvm_load(struct domain *d, const uint8_t *buffer, uint32_t bytes);
int hvm_save_one(struct domain *d, uint16_t type, uint16_t instance, uint8_t *buffer, uint32_t *bytes);

#endif
