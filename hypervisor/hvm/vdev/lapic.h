/*
 * The local APIC's state, and what its three files share: lapic.c (registers), lapic_message.c (who gets what),
 * lapic_timer.c. Sources: Intel SDM volume 3, chapter 11; AMD APM volume 2, chapter 16.
 *
 * No lock: everything is the vcpu's own, but irr and tmr, which anybody changes by atomic operations, `startup`, which
 * has startup_lock (interrupts off, outside the scheduler's), and what the timer's function reads (lapic_timer.c).
 */
#ifndef HVM_VDEV_LAPIC_H
#define HVM_VDEV_LAPIC_H

#include <hv/apic_regs.h>
#include <hv/clock_scale.h>
#include "chip.h"

#define APIC_BASE_BSP     0x100U
#define APIC_BASE_X2APIC  0x400U
#define APIC_BASE_ENABLE  0x800U
#define APIC_BASE_DEFAULT 0xfee00000U

#define APIC_SPURIOUS_ENABLE 0x100U
#define APIC_VERSION_VALUE   0x00050014U /* integrated, entries up to the error entry, no EOI suppression */

enum lapic_lvt { LVT_TIMER, LVT_THERMAL, LVT_COUNTERS, LVT_LINT0, LVT_LINT1, LVT_ERROR, LVT_COUNT };

enum apic_delivery { APIC_FIXED, APIC_LOWEST, APIC_SMI, APIC_RESERVED, APIC_NMI, APIC_INIT, APIC_STARTUP, APIC_EXTINT };

/* Error status: SDM 11.5.3. */
#define APIC_ERROR_SEND_VECTOR    0x20U
#define APIC_ERROR_RECEIVE_VECTOR 0x40U
#define APIC_ERROR_REGISTER       0x80U

#define STARTUP_INIT 0x80000000U /* an INIT waits */
#define STARTUP_SIPI 0x40000000U /* and after it a start-up message, page number in the low byte */

/* Of all vcpus together. */
struct lapics {
    volatile unsigned lowest_turn; /* no lock: a hint */
};

/* Of one vcpu, which finds it without asking the domain: it is looked at on every way into the guest. */
struct vlapic {
    struct vcpu *vcpu;
    unsigned long irr[4]; /* requested */
    unsigned long isr[4]; /* in service */
    unsigned long tmr[4]; /* came from a level-triggered line: EOI goes to the IO-APIC */
    unsigned isr_count;
    uint8_t tpr;
    volatile uint8_t ppr; /* processor priority, kept up to date with tpr and isr */
    bool x2apic;          /* three summaries of base and svr */
    bool hw_enabled;
    volatile bool enabled; /* by hardware and software */
    int16_t timer_vector;  /* of a periodic timer, which the taking of its interrupt sets anew; -1 otherwise */
    uint64_t base;         /* MSR 0x1b */
    uint32_t id;           /* x2APIC number; in xAPIC mode it stands in bits 24-31 */
    uint32_t logical_id, destination_format, svr, esr, esr_next;
    uint32_t command, command_high;
    uint32_t lvt[LVT_COUNT];

    uint32_t timer_initial, timer_divide;
    uint32_t timer_unit; /* ns per count: the bus cycle times the divisor */
    ns_t timer_start;    /* when timer_initial was written */
    uint64_t tsc_deadline;
    struct timer timer;

    struct spinlock startup_lock;
    volatile uint32_t startup;
};

static inline struct vlapic *vlapic_of(const struct vcpu *v)
{
    return v->hvm->lapic;
}

/* The highest bit set, or -1. */
static inline int vlapic_highest(const unsigned long *map)
{
    for (int i = 3; i >= 0; i--) {
        unsigned long word = READ_ONCE(map[i]);
        if (word)
            return i * 64 + 63 - __builtin_clzl(word);
    }
    return -1;
}

/* lapic_timer.c */
void vlapic_timer_init(struct vlapic *l);
void vlapic_timer_update(struct vlapic *l); /* something it depends on has changed: sets the software timer anew */
void vlapic_timer_write_initial(struct vlapic *l, uint32_t count);
void vlapic_timer_write_divide(struct vlapic *l, uint32_t value);
void vlapic_timer_write_deadline(struct vlapic *l, uint64_t tsc);
uint64_t vlapic_timer_read_deadline(struct vlapic *l);
uint32_t vlapic_timer_count(const struct vlapic *l);
void vlapic_timer_loaded(struct vlapic *l);
void vlapic_timer_restore(struct vlapic *l, uint32_t initial, uint32_t done); /* `done` counts have passed */
void vlapic_timer_taken(struct vlapic *l);                                    /* the vcpu has taken its interrupt */

/* lapic_message.c */
void vlapic_command(struct vlapic *l, uint32_t command, uint32_t destination); /* the ICR was written */

/* lapic_save.c */
int vlapic_save(struct domain *d, struct hvm_save_buffer *b);
int vlapic_load(struct domain *d, unsigned instance, const void *body);
int vlapic_save_registers(struct domain *d, struct hvm_save_buffer *b);
int vlapic_load_registers(struct domain *d, unsigned instance, const void *body);

/* lapic.c */
void vlapic_error(struct vlapic *l, uint32_t error);
/* A local source fires. */
void vlapic_local(struct vlapic *l, enum lapic_lvt entry);
/* base, svr or what was loaded has changed: brings the summaries up to date. */
void vlapic_refresh(struct vlapic *l);

#endif
