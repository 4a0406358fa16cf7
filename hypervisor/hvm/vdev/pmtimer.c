/*
 * ACPI power management: PM timer and PM1a status and enable registers, with their interrupt (SCI) on GSI 9. The
 * control register beside them is the device model's. Source: ACPI 6.4, 4.8.2.1 (timer), 4.8.3.1 (PM1 registers);
 * ports: xen/hvm/ioreq.h.
 */
#include "timers.h"
#include <xen/hvm/ioreq.h>

#define PM_HZ       3579545ULL
#define SCALE_SHIFT 42
#define SCALE       ((PM_HZ << SCALE_SHIFT) / NS_PER_SECOND) /* counts per ns */
#define SCI_GSI     9

#define PM1_TIMER        0x0001U
#define PM1_GLOBAL       0x0020U
#define PM1_POWER_BUTTON 0x0100U
#define PM1_SLEEP_BUTTON 0x0200U
#define PM1_RTC          0x0400U
#define PM1_SCI          (PM1_TIMER | PM1_GLOBAL | PM1_POWER_BUTTON | PM1_SLEEP_BUTTON | PM1_RTC)

static uint64_t clock_counts(ns_t time)
{
    return (uint64_t)(((unsigned __int128)time * SCALE) >> SCALE_SHIFT);
}

static uint64_t counter(const struct hvm_timers *t)
{
    return clock_counts(now()) + t->pm.offset;
}

static void refresh_sci(struct hvm_timers *t)
{
    hvm_chip_line(t->domain, SCI_GSI, t->pm.status & t->pm.enable & PM1_SCI);
}

/* The timer's status bit is set whenever the counter's top bit changes. */
static void refresh_status(struct hvm_timers *t)
{
    uint64_t count = counter(t), turns = count >> 31;

    if (turns != t->pm.seen)
        t->pm.status |= PM1_TIMER;
    t->pm.seen = turns;
    refresh_sci(t);
    if (t->pm.enable & PM1_TIMER)
        alarm_set(&t->pm.alarm, now() + (((turns + 1) << 31) - count) * NS_PER_SECOND / PM_HZ + 1);
    else
        alarm_stop(&t->pm.alarm);
}

static void fire(struct alarm *a)
{
    refresh_status(timers_of(a->domain));
}

/* ---- ports ---- */

/* Bytes 0-1 status, written bits clear; 2-3 enable. */
static enum io_result event_access(struct vcpu *v, uint16_t port, unsigned bytes, bool write, uint32_t *value)
{
    struct hvm_timers *t = timers_of(v->domain);
    uint16_t base = t->pm.version ? ACPI_PM1A_EVT_BLK_ADDRESS_V1 : ACPI_PM1A_EVT_BLK_ADDRESS_V0;
    unsigned shift = (port - base) * 8U;
    uint32_t mask = bytes == 4 ? 0xffffffffU : (1U << bytes * 8) - 1, both;
    unsigned long flags;

    if (port < base || port - base + bytes > 4)
        return IO_UNHANDLED;
    flags = spin_lock_irqsave(&t->lock);
    refresh_status(t);
    both = t->pm.status | (uint32_t)t->pm.enable << 16;
    if (write) {
        uint32_t written = (*value & mask) << shift;
        t->pm.status &= (uint16_t)~written;
        t->pm.enable = (uint16_t)((both & ~(mask << shift)) >> 16 | written >> 16);
        refresh_status(t);
    } else {
        *value = both >> shift & mask;
    }
    spin_unlock_irqrestore(&t->lock, flags);
    return IO_OK;
}

/* Read in loops by calibration: no lock. */
static enum io_result timer_access(struct vcpu *v, uint16_t port, unsigned bytes, bool write, uint32_t *value)
{
    struct hvm_timers *t = timers_of(v->domain);
    uint16_t base = t->pm.version ? ACPI_PM_TMR_BLK_ADDRESS_V1 : ACPI_PM_TMR_BLK_ADDRESS_V0;

    if (port < base || port - base + bytes > 4)
        return IO_UNHANDLED;
    if (write)
        return IO_OK;
    *value = (uint32_t)counter(t) >> (port - base) * 8;
    if (bytes < 4)
        *value &= (1U << bytes * 8) - 1;
    return IO_OK;
}

/* Layouts are claimed both; the one that is not chosen is declined. */
int vpm_set_ioports(struct domain *d, uint64_t version)
{
    if (version > 1)
        return -EINVAL;
    if (timers_of(d))
        timers_of(d)->pm.version = (unsigned)version;
    return 0;
}

int vpm_init(struct hvm_timers *t)
{
    static const uint16_t event[] = {ACPI_PM1A_EVT_BLK_ADDRESS_V0, ACPI_PM1A_EVT_BLK_ADDRESS_V1};
    static const uint16_t timer[] = {ACPI_PM_TMR_BLK_ADDRESS_V0, ACPI_PM_TMR_BLK_ADDRESS_V1};
    int error = 0;

    alarm_init(&t->pm.alarm, t, fire);
    t->pm.offset = -clock_counts(now());
    for (unsigned i = 0; i < 2 && !error; i++) {
        error = hvm_claim_ports(t->domain, event[i], 4, event_access);
        if (!error)
            error = hvm_claim_ports(t->domain, timer[i], 4, timer_access);
    }
    return error;
}

/* ---- buttons ---- */

static void press(struct domain *d, uint16_t button)
{
    struct hvm_timers *t = timers_of(d);
    unsigned long flags;

    if (!t || !(d->hvm->emulation & XEN_X86_EMU_PM))
        return;
    flags = spin_lock_irqsave(&t->lock);
    t->pm.status |= button;
    refresh_sci(t);
    spin_unlock_irqrestore(&t->lock, flags);
}

void vpm_power_button(struct domain *d)
{
    press(d, PM1_POWER_BUTTON);
}

void vpm_sleep_button(struct domain *d)
{
    press(d, PM1_SLEEP_BUTTON);
}

/* ---- saving ---- */

static int save(struct domain *d, struct hvm_save_buffer *b)
{
    struct hvm_timers *t = timers_of(d);
    struct hvm_hw_pmtimer record;
    unsigned long flags;

    if (!(d->hvm->emulation & XEN_X86_EMU_PM))
        return 0;
    flags = spin_lock_irqsave(&t->lock);
    refresh_status(t);
    record = (struct hvm_hw_pmtimer){(uint32_t)counter(t), t->pm.status, t->pm.enable};
    spin_unlock_irqrestore(&t->lock, flags);
    return hvm_save_record(b, HVM_SAVE_CODE(PMTIMER), 0, &record, sizeof(record));
}

static int load(struct domain *d, unsigned instance, const void *body)
{
    const struct hvm_hw_pmtimer *record = body;
    struct hvm_timers *t = timers_of(d);
    unsigned long flags;

    if (instance || !(d->hvm->emulation & XEN_X86_EMU_PM))
        return -ENODEV;
    flags = spin_lock_irqsave(&t->lock);
    t->pm.offset = record->tmr_val - clock_counts(now());
    t->pm.seen = counter(t) >> 31;
    t->pm.status = record->pm1a_sts;
    t->pm.enable = record->pm1a_en;
    refresh_status(t);
    spin_unlock_irqrestore(&t->lock, flags);
    return 0;
}

const struct hvm_save_handler save_pmtimer = {HVM_SAVE_CODE(PMTIMER), sizeof(struct hvm_hw_pmtimer), save, load};
