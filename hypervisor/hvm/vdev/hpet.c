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

struct hpet_timer {
    struct tick tick; /* periodic */
    struct alarm once;
    unsigned index;
    uint64_t config, comparator, period;
};

struct hpet {
    struct hvm_timers *timers;
    uint64_t config, isr;
    uint64_t counter; /* while stopped */
    ns_t start;       /* when the counter was 0, while running */
    struct hpet_timer timer[HPET_TIMER_NUM];
};

static struct hpet *hpet_of(const struct domain *d)
{
    return chip_state(d, CHIP_HPET);
}

bool vhpet_replaces(const struct domain *d)
{
    const struct hpet *c = hpet_of(d);

    return c && (c->config & (CONFIG_ENABLE | CONFIG_LEGACY)) == (CONFIG_ENABLE | CONFIG_LEGACY);
}

static uint64_t counter(const struct hpet *c, ns_t time)
{
    return c->config & CONFIG_ENABLE ? (time - c->start) >> TICK_SHIFT : c->counter;
}

/* ---- interrupts ---- */

/* Where it interrupts, 0 nowhere. */
static unsigned gsi_of(const struct hpet *c, const struct hpet_timer *h)
{
    unsigned route = (h->config & TIMER_ROUTE) >> 9;

    if (c->config & CONFIG_LEGACY && h->index < 2)
        return h->index ? 8 : 2;
    return ROUTES >> route & 1 ? route : 0;
}

static bool interrupt(struct hpet *c, struct hpet_timer *h)
{
    unsigned gsi = gsi_of(c, h);

    if (!gsi)
        return false;
    if (!(h->config & TIMER_LEVEL)) {
        h->tick.gsi = gsi;
        return hvm_chip_edge(c->timers->domain, gsi);
    }
    h->tick.gsi = 0; /* taken when the status bit is cleared */
    c->isr |= 1ULL << h->index;
    hvm_chip_line(c->timers->domain, gsi, true);
    return true;
}

static bool raise(struct tick *tick)
{
    return interrupt(hpet_of(tick->alarm.domain), container_of(tick, struct hpet_timer, tick));
}

static void fire_once(struct alarm *a)
{
    interrupt(hpet_of(a->domain), container_of(a, struct hpet_timer, once));
}

/* Counts until the comparator matches. */
static uint64_t distance(const struct hpet *c, const struct hpet_timer *h, ns_t time)
{
    uint64_t counts = h->comparator - counter(c, time);

    return h->config & TIMER_32 ? (uint32_t)counts : counts;
}

/* The comparator of a periodic timer moves on by itself. */
static void advance(const struct hpet *c, struct hpet_timer *h, ns_t time)
{
    uint64_t behind = counter(c, time) - h->comparator;

    if (!(h->config & TIMER_PERIODIC) || !h->period)
        return;
    if (h->config & TIMER_32)
        behind = (int32_t)behind < 0 ? ~0ULL : (uint32_t)behind;
    if ((int64_t)behind >= 0)
        h->comparator += (behind / h->period + 1) * h->period;
    if (h->config & TIMER_32)
        h->comparator = (uint32_t)h->comparator;
}

static void restart(struct hpet *c, struct hpet_timer *h)
{
    ns_t time = now();
    uint64_t counts, period = min(h->period, FARTHEST);

    tick_stop(&h->tick);
    alarm_stop(&h->once);
    if (!(c->config & CONFIG_ENABLE) || !(h->config & TIMER_ENABLE) || !gsi_of(c, h))
        return;
    advance(c, h, time);
    counts = distance(c, h, time);
    if (counts > FARTHEST)
        return;
    if (!(h->config & TIMER_PERIODIC))
        alarm_set(&h->once, time + (counts << TICK_SHIFT));
    else if (period)
        tick_start(&h->tick, time + (counts << TICK_SHIFT), period << TICK_SHIFT);
}

/* A level-triggered interrupt is over: the guest has cleared its status bit, or the timer does without now. */
static void quiet(struct hpet *c, struct hpet_timer *h)
{
    if (!(c->isr & 1ULL << h->index))
        return;
    c->isr &= ~(1ULL << h->index);
    if (gsi_of(c, h))
        hvm_chip_line(c->timers->domain, gsi_of(c, h), false);
    tick_taken(&h->tick);
}

/* ---- registers ---- */

static uint64_t read_timer(struct hpet *c, unsigned offset)
{
    struct hpet_timer *h = &c->timer[(offset - 0x100) / 0x20];

    switch (offset & 0x18) {
    case 0:
        return h->config | TIMER_FIXED;
    case 8:
        advance(c, h, now());
        return h->comparator;
    }
    return 0;
}

static uint64_t read_register(struct hpet *c, unsigned offset)
{
    switch (offset) {
    case 0x000:
        return CAPABILITY;
    case 0x010:
        return c->config;
    case 0x020:
        return c->isr;
    case 0x0f0:
        return counter(c, now());
    }
    return offset >= 0x100 && offset < 0x100 + HPET_TIMER_NUM * 0x20 ? read_timer(c, offset) : 0;
}

static void write_config(struct hpet *c, uint64_t value)
{
    uint64_t changed = (c->config ^ value) & (CONFIG_ENABLE | CONFIG_LEGACY);
    ns_t time = now();

    if (!changed)
        return;
    for (unsigned i = 0; i < HPET_TIMER_NUM; i++)
        quiet(c, &c->timer[i]);
    if (changed & CONFIG_ENABLE && value & CONFIG_ENABLE) {
        c->start = time - (c->counter << TICK_SHIFT);
    } else if (changed & CONFIG_ENABLE) {
        for (unsigned i = 0; i < HPET_TIMER_NUM; i++)
            advance(c, &c->timer[i], time);
        c->counter = counter(c, time);
    }
    c->config ^= changed;
    for (unsigned i = 0; i < HPET_TIMER_NUM; i++)
        restart(c, &c->timer[i]);
}

static void write_counter(struct hpet *c, uint64_t value)
{
    c->counter = value;
    c->start = now() - (value << TICK_SHIFT);
    for (unsigned i = 0; i < HPET_TIMER_NUM; i++)
        restart(c, &c->timer[i]);
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

static void write_timer(struct hpet *c, unsigned offset, uint64_t value)
{
    struct hpet_timer *h = &c->timer[(offset - 0x100) / 0x20];

    switch (offset & 0x18) {
    case 0:
        advance(c, h, now());
        quiet(c, h);
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
    restart(c, h);
}

static void write_register(struct hpet *c, unsigned offset, uint64_t value)
{
    if (offset == 0x010) {
        write_config(c, value);
    } else if (offset == 0x020) {
        for (unsigned i = 0; i < HPET_TIMER_NUM; i++)
            if (value >> i & 1)
                quiet(c, &c->timer[i]);
    } else if (offset == 0x0f0) {
        write_counter(c, value);
    } else if (offset >= 0x100 && offset < 0x100 + HPET_TIMER_NUM * 0x20) {
        write_timer(c, offset, value);
    }
}

static bool accepts(struct vcpu *v, uint64_t gpa)
{
    return gpa - HPET_BASE < HPET_BYTES && v->domain->hvm->param[HVM_PARAM_HPET_ENABLED];
}

/* What stays of a register when half of it is written: nothing of the status, whose written bits clear; and what is
 * written to a running periodic timer is its period. */
static uint64_t rest_of(struct hpet *c, unsigned offset)
{
    const struct hpet_timer *h = &c->timer[(offset - 0x100) / 0x20 % HPET_TIMER_NUM];

    if (offset == 0x020)
        return 0;
    if (offset >= 0x100 && (offset & 0x18) == 8 && (h->config & (TIMER_PERIODIC | TIMER_SET)) == TIMER_PERIODIC)
        return h->period;
    return read_register(c, offset);
}

/* Registers are 64 bits wide; their halves may be accessed. */
static void write_part(struct hpet *c, unsigned offset, unsigned bytes, uint64_t value)
{
    unsigned shift = offset % 8 * 8;
    uint64_t mask = (bytes == 8 ? ~0ULL : 0xffffffffULL) << shift;

    write_register(c, offset & ~7U, (rest_of(c, offset & ~7U) & ~mask) | (value << shift & mask));
}

static enum io_result access(struct vcpu *v, uint64_t gpa, unsigned bytes, bool write, uint64_t *value)
{
    struct hpet *c = hpet_of(v->domain);
    unsigned offset = (unsigned)(gpa - HPET_BASE);
    unsigned long flags;

    if (!write)
        *value = 0;
    if (offset % bytes)
        return IO_OK;
    flags = spin_lock_irqsave(&c->timers->lock);
    if (!write)
        *value = read_register(c, offset & ~7U) >> offset % 8 * 8;
    else if (bytes >= 4)
        write_part(c, offset, bytes, *value);
    spin_unlock_irqrestore(&c->timers->lock, flags);
    if (!write && bytes < 8)
        *value &= (1ULL << bytes * 8) - 1;
    return IO_OK;
}

static int init(struct domain *d)
{
    struct hpet *c = hpet_of(d);

    c->timers = timers_of(d);
    for (unsigned i = 0; i < HPET_TIMER_NUM; i++) {
        c->timer[i].index = i;
        c->timer[i].comparator = ~0ULL;
        tick_init(&c->timer[i].tick, c->timers, raise);
        alarm_init(&c->timer[i].once, c->timers, fire_once);
    }
    return 0;
}

/* ---- saving ---- */

_Static_assert(sizeof(struct hvm_hw_hpet) == HPET_BYTES + HPET_TIMER_NUM * 8, "ABI");

static int save(struct domain *d, struct hvm_save_buffer *b)
{
    struct hpet *c = hpet_of(d);
    struct hvm_hw_hpet record = {.capability = CAPABILITY};
    unsigned long flags;

    flags = spin_lock_irqsave(&c->timers->lock);
    record.config = c->config;
    record.isr = c->isr;
    record.mc64 = counter(c, now());
    for (unsigned i = 0; i < HPET_TIMER_NUM; i++) {
        struct hpet_timer *h = &c->timer[i];
        advance(c, h, now());
        record.timers[i].config = h->config | TIMER_FIXED;
        record.timers[i].cmp = h->comparator;
        record.period[i] = h->period;
    }
    spin_unlock_irqrestore(&c->timers->lock, flags);
    return hvm_save_record(b, HVM_SAVE_CODE(HPET), 0, &record, sizeof(record));
}

static int load(struct domain *d, unsigned instance, const void *body)
{
    const struct hvm_hw_hpet *record = body;
    struct hpet *c = hpet_of(d);
    unsigned long flags;

    if (instance)
        return -ENODEV;
    flags = spin_lock_irqsave(&c->timers->lock);
    c->config = record->config & (CONFIG_ENABLE | CONFIG_LEGACY);
    c->isr = record->isr & ((1U << HPET_TIMER_NUM) - 1);
    for (unsigned i = 0; i < HPET_TIMER_NUM; i++) {
        struct hpet_timer *h = &c->timer[i];
        h->config = record->timers[i].config & TIMER_WRITABLE;
        h->comparator = record->timers[i].cmp;
        h->period = record->period[i];
        if (c->isr >> i & 1 && gsi_of(c, h))
            hvm_chip_line(d, gsi_of(c, h), true);
    }
    write_counter(c, record->mc64);
    spin_unlock_irqrestore(&c->timers->lock, flags);
    return 0;
}

const struct chip chip_hpet = {
    .flags = XEN_X86_EMU_HPET,
    .bytes = sizeof(struct hpet),
    .memory = {accepts, access},
    .init = init,
    .records = {{HVM_SAVE_CODE(HPET), sizeof(struct hvm_hw_hpet), save, load}},
};
