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

struct pmtimer {
    struct hvm_timers *timers;
    uint16_t status, enable;
    unsigned version;   /* of the port layout */
    uint64_t offset;    /* counter = what the clock counts since boot + offset */
    uint64_t seen;      /* half turns of the counter that the status register has had */
    struct alarm alarm; /* next half turn */
};

static struct pmtimer *pm_of(const struct domain *d)
{
    return chip_state(d, CHIP_PMTIMER);
}

static uint64_t clock_counts(ns_t time)
{
    return (uint64_t)(((unsigned __int128)time * SCALE) >> SCALE_SHIFT);
}

static uint64_t counter(const struct pmtimer *p)
{
    return clock_counts(now()) + p->offset;
}

static void refresh_sci(struct pmtimer *p)
{
    hvm_chip_line(p->timers->domain, SCI_GSI, p->status & p->enable & PM1_SCI);
}

/* The timer's status bit is set whenever the counter's top bit changes. */
static void refresh_status(struct pmtimer *p)
{
    uint64_t count = counter(p), turns = count >> 31;

    if (turns != p->seen)
        p->status |= PM1_TIMER;
    p->seen = turns;
    refresh_sci(p);
    if (p->enable & PM1_TIMER)
        alarm_set(&p->alarm, now() + (((turns + 1) << 31) - count) * NS_PER_SECOND / PM_HZ + 1);
    else
        alarm_stop(&p->alarm);
}

static void fire(struct alarm *a)
{
    refresh_status(container_of(a, struct pmtimer, alarm));
}

/* ---- ports ---- */

/* Bytes 0-1 status, written bits clear; 2-3 enable. */
static enum io_result event_access(struct vcpu *v, uint16_t port, unsigned bytes, bool write, uint32_t *value)
{
    struct pmtimer *p = pm_of(v->domain);
    uint16_t base = p->version ? ACPI_PM1A_EVT_BLK_ADDRESS_V1 : ACPI_PM1A_EVT_BLK_ADDRESS_V0;
    unsigned shift = (port - base) * 8U;
    uint32_t mask = bytes == 4 ? 0xffffffffU : (1U << bytes * 8) - 1, both;
    unsigned long flags;

    if (port < base || port - base + bytes > 4)
        return IO_UNHANDLED;
    flags = spin_lock_irqsave(&p->timers->lock);
    refresh_status(p);
    both = p->status | (uint32_t)p->enable << 16;
    if (write) {
        uint32_t written = (*value & mask) << shift;
        p->status &= (uint16_t)~written;
        p->enable = (uint16_t)((both & ~(mask << shift)) >> 16 | written >> 16);
        refresh_status(p);
    } else {
        *value = both >> shift & mask;
    }
    spin_unlock_irqrestore(&p->timers->lock, flags);
    return IO_OK;
}

/* Read in loops by calibration: no lock. */
static enum io_result timer_access(struct vcpu *v, uint16_t port, unsigned bytes, bool write, uint32_t *value)
{
    struct pmtimer *p = pm_of(v->domain);
    uint16_t base = p->version ? ACPI_PM_TMR_BLK_ADDRESS_V1 : ACPI_PM_TMR_BLK_ADDRESS_V0;

    if (port < base || port - base + bytes > 4)
        return IO_UNHANDLED;
    if (write)
        return IO_OK;
    *value = (uint32_t)counter(p) >> (port - base) * 8;
    if (bytes < 4)
        *value &= (1U << bytes * 8) - 1;
    return IO_OK;
}

/* Layouts are claimed both; the one that is not chosen is declined. */
int vpm_set_ioports(struct domain *d, uint64_t version)
{
    if (version > 1)
        return -EINVAL;
    if (pm_of(d))
        pm_of(d)->version = (unsigned)version;
    return 0;
}

static int init(struct domain *d)
{
    struct pmtimer *p = pm_of(d);

    p->timers = timers_of(d);
    alarm_init(&p->alarm, p->timers, fire);
    p->offset = -clock_counts(now());
    return 0;
}

/* ---- buttons ---- */

static void press(struct domain *d, uint16_t button)
{
    struct pmtimer *p = pm_of(d);
    unsigned long flags;

    if (!p)
        return;
    flags = spin_lock_irqsave(&p->timers->lock);
    p->status |= button;
    refresh_sci(p);
    spin_unlock_irqrestore(&p->timers->lock, flags);
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
    struct pmtimer *p = pm_of(d);
    struct hvm_hw_pmtimer record;
    unsigned long flags;

    flags = spin_lock_irqsave(&p->timers->lock);
    refresh_status(p);
    record = (struct hvm_hw_pmtimer){(uint32_t)counter(p), p->status, p->enable};
    spin_unlock_irqrestore(&p->timers->lock, flags);
    return hvm_save_record(b, HVM_SAVE_CODE(PMTIMER), 0, &record, sizeof(record));
}

static int load(struct domain *d, unsigned instance, const void *body)
{
    const struct hvm_hw_pmtimer *record = body;
    struct pmtimer *p = pm_of(d);
    unsigned long flags;

    if (instance)
        return -ENODEV;
    flags = spin_lock_irqsave(&p->timers->lock);
    p->offset = record->tmr_val - clock_counts(now());
    p->seen = counter(p) >> 31;
    p->status = record->pm1a_sts;
    p->enable = record->pm1a_en;
    refresh_status(p);
    spin_unlock_irqrestore(&p->timers->lock, flags);
    return 0;
}

const struct chip chip_pmtimer = {
    .flags = XEN_X86_EMU_PM,
    .bytes = sizeof(struct pmtimer),
    .ports = {{ACPI_PM1A_EVT_BLK_ADDRESS_V0, 4, event_access},
              {ACPI_PM_TMR_BLK_ADDRESS_V0, 4, timer_access},
              {ACPI_PM1A_EVT_BLK_ADDRESS_V1, 4, event_access},
              {ACPI_PM_TMR_BLK_ADDRESS_V1, 4, timer_access}},
    .init = init,
    .records = {{HVM_SAVE_CODE(PMTIMER), sizeof(struct hvm_hw_pmtimer), save, load}},
};
