/*
 * Virtual HPET: a 64-bit counter of 62.5 MHz and three comparators, at 0xfed00000. Source: IA-PC HPET 1.0a.
 *
 * The counter is computed from the time at which it was zero. Not done: message interrupts (no timer says it can), the
 * second match of a 32-bit one-shot comparator after the counter has gone round.
 */
#include "timers.h"

#define HPET_BASE  0xfed00000ULL
#define HPET_BYTES 0x400U
#define TICK_SHIFT 4 /* 16 ns per count */
#define CAPABILITY (16000000ULL << 32 | 0x8086a201ULL)

#define CONFIG_ENABLE 1ULL
#define CONFIG_LEGACY 2ULL

#define TIMER_LEVEL    0x0002ULL
#define TIMER_ENABLE   0x0004ULL
#define TIMER_PERIODIC 0x0008ULL
#define TIMER_SET      0x0040ULL /* the next write sets the comparator of a periodic timer */
#define TIMER_32       0x0100ULL
#define TIMER_ROUTE    0x3e00ULL
#define TIMER_WRITABLE (TIMER_LEVEL | TIMER_ENABLE | TIMER_PERIODIC | TIMER_SET | TIMER_32 | TIMER_ROUTE)
#define ROUTES         0x00f00000ULL            /* GSI 20 to 23 */
#define TIMER_FIXED    (ROUTES << 32 | 0x30ULL) /* periodic and 64 bits possible */

#define FARTHEST (1ULL << 56) /* counts; beyond it nobody waits */

bool vhpet_replaces(const struct hvm_timers *t)
{
    return (t->hpet.config & (CONFIG_ENABLE | CONFIG_LEGACY)) == (CONFIG_ENABLE | CONFIG_LEGACY);
}

static uint64_t counter(const struct hvm_timers *t, ns_t time)
{
    return t->hpet.config & CONFIG_ENABLE ? (time - t->hpet.start) >> TICK_SHIFT : t->hpet.counter;
}

/* ---- interrupts ---- */

/* Where it interrupts, 0 nowhere. */
static unsigned gsi_of(const struct hvm_timers *t, const struct hpet_timer *h)
{
    unsigned route = (h->config & TIMER_ROUTE) >> 9;

    if (t->hpet.config & CONFIG_LEGACY && h->index < 2)
        return h->index ? 8 : 2;
    return ROUTES >> route & 1 ? route : 0;
}

static bool interrupt(struct hvm_timers *t, struct hpet_timer *h)
{
    unsigned gsi = gsi_of(t, h);

    if (!gsi)
        return false;
    if (!(h->config & TIMER_LEVEL)) {
        h->tick.gsi = gsi;
        return hvm_chip_edge(t->domain, gsi);
    }
    h->tick.gsi = 0; /* taken when the status bit is cleared */
    t->hpet.isr |= 1ULL << h->index;
    hvm_chip_line(t->domain, gsi, true);
    return true;
}

static bool raise(struct tick *tick)
{
    return interrupt(timers_of(tick->alarm.domain), container_of(tick, struct hpet_timer, tick));
}

static void fire_once(struct alarm *a)
{
    interrupt(timers_of(a->domain), container_of(a, struct hpet_timer, once));
}

/* Counts until the comparator matches. */
static uint64_t distance(const struct hvm_timers *t, const struct hpet_timer *h, ns_t time)
{
    uint64_t counts = h->comparator - counter(t, time);

    return h->config & TIMER_32 ? (uint32_t)counts : counts;
}

/* The comparator of a periodic timer moves on by itself. */
static void advance(const struct hvm_timers *t, struct hpet_timer *h, ns_t time)
{
    uint64_t behind = counter(t, time) - h->comparator;

    if (!(h->config & TIMER_PERIODIC) || !h->period)
        return;
    if (h->config & TIMER_32)
        behind = (int32_t)behind < 0 ? ~0ULL : (uint32_t)behind;
    if ((int64_t)behind >= 0)
        h->comparator += (behind / h->period + 1) * h->period;
    if (h->config & TIMER_32)
        h->comparator = (uint32_t)h->comparator;
}

static void restart(struct hvm_timers *t, struct hpet_timer *h)
{
    ns_t time = now();
    uint64_t counts, period = min(h->period, FARTHEST);

    tick_stop(&h->tick);
    alarm_stop(&h->once);
    if (!(t->hpet.config & CONFIG_ENABLE) || !(h->config & TIMER_ENABLE) || !gsi_of(t, h))
        return;
    advance(t, h, time);
    counts = distance(t, h, time);
    if (counts > FARTHEST)
        return;
    if (!(h->config & TIMER_PERIODIC))
        alarm_set(&h->once, time + (counts << TICK_SHIFT));
    else if (period)
        tick_start(&h->tick, time + (counts << TICK_SHIFT), period << TICK_SHIFT);
}

/* A level-triggered interrupt is over: the guest has cleared its status bit, or the timer does without now. */
static void quiet(struct hvm_timers *t, struct hpet_timer *h)
{
    if (!(t->hpet.isr & 1ULL << h->index))
        return;
    t->hpet.isr &= ~(1ULL << h->index);
    if (gsi_of(t, h))
        hvm_chip_line(t->domain, gsi_of(t, h), false);
    tick_taken(&h->tick);
}

/* ---- registers ---- */

static uint64_t read_timer(struct hvm_timers *t, unsigned offset)
{
    struct hpet_timer *h = &t->hpet.timer[(offset - 0x100) / 0x20];

    switch (offset & 0x18) {
    case 0:
        return h->config | TIMER_FIXED;
    case 8:
        advance(t, h, now());
        return h->comparator;
    }
    return 0;
}

static uint64_t read_register(struct hvm_timers *t, unsigned offset)
{
    switch (offset) {
    case 0x000:
        return CAPABILITY;
    case 0x010:
        return t->hpet.config;
    case 0x020:
        return t->hpet.isr;
    case 0x0f0:
        return counter(t, now());
    }
    return offset >= 0x100 && offset < 0x100 + HPET_TIMER_NUM * 0x20 ? read_timer(t, offset) : 0;
}

static void write_config(struct hvm_timers *t, uint64_t value)
{
    uint64_t changed = (t->hpet.config ^ value) & (CONFIG_ENABLE | CONFIG_LEGACY);
    ns_t time = now();

    if (!changed)
        return;
    for (unsigned i = 0; i < HPET_TIMER_NUM; i++)
        quiet(t, &t->hpet.timer[i]);
    if (changed & CONFIG_ENABLE && value & CONFIG_ENABLE) {
        t->hpet.start = time - (t->hpet.counter << TICK_SHIFT);
    } else if (changed & CONFIG_ENABLE) {
        for (unsigned i = 0; i < HPET_TIMER_NUM; i++)
            advance(t, &t->hpet.timer[i], time);
        t->hpet.counter = counter(t, time);
    }
    t->hpet.config ^= changed;
    for (unsigned i = 0; i < HPET_TIMER_NUM; i++)
        restart(t, &t->hpet.timer[i]);
}

static void write_counter(struct hvm_timers *t, uint64_t value)
{
    t->hpet.counter = value;
    t->hpet.start = now() - (value << TICK_SHIFT);
    for (unsigned i = 0; i < HPET_TIMER_NUM; i++)
        restart(t, &t->hpet.timer[i]);
}

static void write_comparator(struct hpet_timer *h, uint64_t value)
{
    if (h->config & TIMER_32)
        value = (uint32_t)value;
    if (!(h->config & TIMER_PERIODIC) || h->config & TIMER_SET)
        h->comparator = value;
    h->period = value;
    h->config &= ~TIMER_SET;
}

static void write_timer(struct hvm_timers *t, unsigned offset, uint64_t value)
{
    struct hpet_timer *h = &t->hpet.timer[(offset - 0x100) / 0x20];

    switch (offset & 0x18) {
    case 0:
        advance(t, h, now());
        quiet(t, h);
        h->config = value & TIMER_WRITABLE;
        if (h->config & TIMER_32) {
            h->comparator = (uint32_t)h->comparator;
            h->period = (uint32_t)h->period;
        }
        break;
    case 8:
        write_comparator(h, value);
        break;
    default:
        return;
    }
    restart(t, h);
}

static void write_register(struct hvm_timers *t, unsigned offset, uint64_t value)
{
    if (offset == 0x010) {
        write_config(t, value);
    } else if (offset == 0x020) {
        for (unsigned i = 0; i < HPET_TIMER_NUM; i++)
            if (value >> i & 1)
                quiet(t, &t->hpet.timer[i]);
    } else if (offset == 0x0f0) {
        write_counter(t, value);
    } else if (offset >= 0x100 && offset < 0x100 + HPET_TIMER_NUM * 0x20) {
        write_timer(t, offset, value);
    }
}

static bool accepts(struct vcpu *v, uint64_t gpa)
{
    return gpa - HPET_BASE < HPET_BYTES && v->domain->hvm->param[HVM_PARAM_HPET_ENABLED];
}

/* What stays of a register when half of it is written: nothing of the status, whose written bits clear; and what is
 * written to a running periodic timer is its period. */
static uint64_t rest_of(struct hvm_timers *t, unsigned offset)
{
    const struct hpet_timer *h = &t->hpet.timer[(offset - 0x100) / 0x20 % HPET_TIMER_NUM];

    if (offset == 0x020)
        return 0;
    if (offset >= 0x100 && (offset & 0x18) == 8 && (h->config & (TIMER_PERIODIC | TIMER_SET)) == TIMER_PERIODIC)
        return h->period;
    return read_register(t, offset);
}

/* Registers are 64 bits wide; their halves may be accessed. */
static void write_part(struct hvm_timers *t, unsigned offset, unsigned bytes, uint64_t value)
{
    unsigned shift = offset % 8 * 8;
    uint64_t mask = (bytes == 8 ? ~0ULL : 0xffffffffULL) << shift;

    write_register(t, offset & ~7U, (rest_of(t, offset & ~7U) & ~mask) | (value << shift & mask));
}

static enum io_result access(struct vcpu *v, uint64_t gpa, unsigned bytes, bool write, uint64_t *value)
{
    struct hvm_timers *t = timers_of(v->domain);
    unsigned offset = (unsigned)(gpa - HPET_BASE);
    unsigned long flags;

    if (!write)
        *value = 0;
    if (offset % bytes)
        return IO_OK;
    flags = spin_lock_irqsave(&t->lock);
    if (!write)
        *value = read_register(t, offset & ~7U) >> offset % 8 * 8;
    else if (bytes >= 4)
        write_part(t, offset, bytes, *value);
    spin_unlock_irqrestore(&t->lock, flags);
    if (!write && bytes < 8)
        *value &= (1ULL << bytes * 8) - 1;
    return IO_OK;
}

int vhpet_init(struct hvm_timers *t)
{
    for (unsigned i = 0; i < HPET_TIMER_NUM; i++) {
        t->hpet.timer[i].index = i;
        t->hpet.timer[i].comparator = ~0ULL;
        tick_init(&t->hpet.timer[i].tick, t, raise);
        alarm_init(&t->hpet.timer[i].once, t, fire_once);
    }
    return hvm_claim_memory(t->domain, accepts, access);
}

/* ---- saving ---- */

_Static_assert(sizeof(struct hvm_hw_hpet) == HPET_BYTES + HPET_TIMER_NUM * 8, "ABI");

static int save(struct domain *d, struct hvm_save_buffer *b)
{
    struct hvm_timers *t = timers_of(d);
    struct hvm_hw_hpet record = {.capability = CAPABILITY};
    unsigned long flags;

    if (!(d->hvm->emulation & XEN_X86_EMU_HPET))
        return 0;
    flags = spin_lock_irqsave(&t->lock);
    record.config = t->hpet.config;
    record.isr = t->hpet.isr;
    record.mc64 = counter(t, now());
    for (unsigned i = 0; i < HPET_TIMER_NUM; i++) {
        struct hpet_timer *h = &t->hpet.timer[i];
        advance(t, h, now());
        record.timers[i].config = h->config | TIMER_FIXED;
        record.timers[i].cmp = h->comparator;
        record.period[i] = h->period;
    }
    spin_unlock_irqrestore(&t->lock, flags);
    return hvm_save_record(b, HVM_SAVE_CODE(HPET), 0, &record, sizeof(record));
}

static int load(struct domain *d, unsigned instance, const void *body)
{
    const struct hvm_hw_hpet *record = body;
    struct hvm_timers *t = timers_of(d);
    unsigned long flags;

    if (instance || !(d->hvm->emulation & XEN_X86_EMU_HPET))
        return -ENODEV;
    flags = spin_lock_irqsave(&t->lock);
    t->hpet.config = record->config & (CONFIG_ENABLE | CONFIG_LEGACY);
    t->hpet.isr = record->isr & ((1U << HPET_TIMER_NUM) - 1);
    for (unsigned i = 0; i < HPET_TIMER_NUM; i++) {
        struct hpet_timer *h = &t->hpet.timer[i];
        h->config = record->timers[i].config & TIMER_WRITABLE;
        h->comparator = record->timers[i].cmp;
        h->period = record->period[i];
        if (t->hpet.isr >> i & 1 && gsi_of(t, h))
            hvm_chip_line(d, gsi_of(t, h), true);
    }
    write_counter(t, record->mc64);
    spin_unlock_irqrestore(&t->lock, flags);
    return 0;
}

const struct hvm_save_handler save_hpet = {HVM_SAVE_CODE(HPET), sizeof(struct hvm_hw_hpet), save, load};
