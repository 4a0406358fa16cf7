/*
 * Virtual 8254 interval timer: ports 0x40-0x43, and port 0x61 with the gate of channel 2.
 * Sources: Intel 8254 data sheet; port 0x61: 82371SB (PIIX3) data sheet, NMI status and control.
 *
 * Nothing counts: counts and outputs are computed from the time at which a count was loaded. Channel 0 is wired to
 * IRQ 0, channel 2 to the speaker. Not done: BCD counting.
 *
 * Guests calibrate their clocks by reading ports 0x42 and 0x61 in tight loops, so these two come first and 0x61 takes
 * no lock: it reads a few words that only a guest's other vcpus could change meanwhile.
 */
#include "timers.h"

#define PIT_HZ      1193182ULL
#define SCALE_SHIFT 43
#define SCALE       ((PIT_HZ << SCALE_SHIFT) / NS_PER_SECOND) /* counts per ns */
#define REFRESH_NS  15085U                                    /* between changes of the memory refresh bit */
#define PIT_GSI     2

/* Access modes, and between the bytes of a word the half that is next. */
enum { LATCH_COMMAND, LOW_BYTE, HIGH_BYTE, WORD, WORD_HIGH };

struct pit_channel {
    struct hvm_hw_pit_channel hw; /* count is 1..65536 */
    ns_t start;                   /* when the count was loaded or the gate opened */
    ns_t stop;                    /* when the gate closed, if it is closed */
};

struct pit {
    struct hvm_timers *timers;
    struct pit_channel channel[3];
    struct tick tick;  /* channel 0, periodic modes */
    struct alarm once; /* channel 0, others */
    uint8_t speaker;   /* port 0x61, bit 1 */
};

static struct pit *pit_of(const struct domain *d)
{
    return chip_state(d, CHIP_PIT);
}

static uint64_t elapsed(const struct pit_channel *c)
{
    ns_t time = c->hw.gate ? now() : c->stop;

    return (uint64_t)(((unsigned __int128)(time - c->start) * SCALE) >> SCALE_SHIFT);
}

static bool output(const struct pit_channel *c)
{
    uint64_t counts = elapsed(c);

    switch (c->hw.mode) {
    case 0:
    case 1:
        return counts >= c->hw.count;
    case 2:
        return counts % c->hw.count != c->hw.count - 1;
    case 3:
        return counts % c->hw.count < (c->hw.count + 1) / 2;
    default: /* 4, 5: low for one count */
        return counts != c->hw.count;
    }
}

static uint16_t count_now(const struct pit_channel *c)
{
    uint64_t counts = elapsed(c);

    switch (c->hw.mode) {
    case 2:
        return (uint16_t)(c->hw.count - counts % c->hw.count);
    case 3: /* counts down by two */
        return (uint16_t)(c->hw.count - 2 * counts % c->hw.count);
    default:
        return (uint16_t)(c->hw.count - counts);
    }
}

/* ---- channel 0's interrupt ---- */

static bool raise(struct tick *tick)
{
    tick->gsi = PIT_GSI;
    return !vhpet_replaces(tick->alarm.domain) && hvm_chip_edge(tick->alarm.domain, PIT_GSI);
}

static void fire_once(struct alarm *a)
{
    if (!vhpet_replaces(a->domain))
        hvm_chip_edge(a->domain, PIT_GSI);
}

static ns_t counts_to_ns(uint64_t counts)
{
    return (counts * NS_PER_SECOND + PIT_HZ - 1) / PIT_HZ;
}

static void restart_interrupt(struct pit *p)
{
    const struct pit_channel *c = &p->channel[0];
    ns_t period = counts_to_ns(c->hw.count);

    tick_stop(&p->tick);
    alarm_stop(&p->once);
    if (c->hw.mode == 2 || c->hw.mode == 3)
        tick_start(&p->tick, c->start + period, period);
    else if (c->hw.mode == 0 || c->hw.mode == 4) /* the others wait for a gate that does not move */
        alarm_set(&p->once, c->start + period);
}

/* ---- registers ---- */

static void load_count(struct pit *p, unsigned index, uint16_t value)
{
    struct pit_channel *c = &p->channel[index];

    c->hw.count = value ? value : 0x10000;
    if (c->hw.mode != 1 && c->hw.mode != 5)
        c->start = c->stop = now();
    if (index == 0)
        restart_interrupt(p);
}

static void write_count(struct pit *p, unsigned index, uint8_t value)
{
    struct hvm_hw_pit_channel *hw = &p->channel[index].hw;

    switch (hw->write_state) {
    case LOW_BYTE:
        load_count(p, index, value);
        break;
    case HIGH_BYTE:
        load_count(p, index, (uint16_t)(value << 8));
        break;
    case WORD:
        hw->write_latch = value;
        hw->write_state = WORD_HIGH;
        break;
    case WORD_HIGH:
        hw->write_state = WORD;
        load_count(p, index, (uint16_t)(hw->write_latch | value << 8));
        break;
    }
}

static void latch_count(struct pit_channel *c)
{
    if (c->hw.count_latched)
        return;
    c->hw.latched_count = count_now(c);
    c->hw.count_latched = c->hw.rw_mode;
}

static void latch_status(struct pit_channel *c)
{
    if (c->hw.status_latched)
        return;
    c->hw.status = (uint8_t)(output(c) << 7 | c->hw.rw_mode << 4 | c->hw.mode << 1 | c->hw.bcd);
    c->hw.status_latched = 1;
}

static void read_back(struct pit *p, uint8_t value)
{
    for (unsigned i = 0; i < 3; i++) {
        if (!(value & 2 << i))
            continue;
        if (!(value & 0x20))
            latch_count(&p->channel[i]);
        if (!(value & 0x10))
            latch_status(&p->channel[i]);
    }
}

static void write_control(struct pit *p, uint8_t value)
{
    unsigned index = value >> 6, access = value >> 4 & 3, mode = value >> 1 & 7;
    struct pit_channel *c = &p->channel[index % 3];

    if (index == 3) {
        read_back(p, value);
        return;
    }
    if (access == LATCH_COMMAND) {
        latch_count(c);
        return;
    }
    c->hw.rw_mode = c->hw.read_state = c->hw.write_state = (uint8_t)access;
    c->hw.count_latched = c->hw.status_latched = 0;
    c->hw.mode = (uint8_t)(mode > 5 ? mode & 3 : mode);
    c->hw.bcd = value & 1;
    if (index == 0) { /* it does not count until a count is written */
        tick_stop(&p->tick);
        alarm_stop(&p->once);
    }
}

/* One byte of a 16-bit value that is read as *state says. */
static uint8_t next_byte(uint16_t value, uint8_t *state)
{
    switch (*state) {
    case HIGH_BYTE:
        return value >> 8;
    case WORD:
        *state = WORD_HIGH;
        return (uint8_t)value;
    case WORD_HIGH:
        *state = WORD;
        return value >> 8;
    default:
        return (uint8_t)value;
    }
}

static uint8_t read_count(struct pit_channel *c)
{
    uint8_t value;

    if (c->hw.status_latched) {
        c->hw.status_latched = 0;
        return c->hw.status;
    }
    if (!c->hw.count_latched)
        return next_byte(count_now(c), &c->hw.read_state);
    value = next_byte(c->hw.latched_count, &c->hw.count_latched);
    if (c->hw.count_latched != WORD_HIGH)
        c->hw.count_latched = 0;
    return value;
}

static void locked_access(struct pit *p, unsigned index, bool write, uint32_t *value)
{
    unsigned long flags = spin_lock_irqsave(&p->timers->lock);

    if (!write)
        *value = index < 3 ? read_count(&p->channel[index]) : 0xff;
    else if (index < 3)
        write_count(p, index, (uint8_t)*value);
    else
        write_control(p, (uint8_t)*value);
    spin_unlock_irqrestore(&p->timers->lock, flags);
}

static enum io_result counter_access(struct vcpu *v, uint16_t port, unsigned bytes, bool write, uint32_t *value)
{
    if (bytes != 1)
        return IO_UNHANDLED;
    locked_access(pit_of(v->domain), port & 3, write, value);
    return IO_OK;
}

/* The gate of channel 2: an edge starts most modes, a low level stops the count of the others. */
static void set_gate(struct pit_channel *c, bool gate)
{
    if (gate == c->hw.gate)
        return;
    if (!gate)
        c->stop = now();
    else if (c->hw.mode == 0 || c->hw.mode == 4)
        c->start += now() - c->stop;
    else
        c->start = now();
    c->hw.gate = gate;
}

static enum io_result speaker_access(struct vcpu *v, uint16_t port, unsigned bytes, bool write, uint32_t *value)
{
    struct pit *p = pit_of(v->domain);
    struct pit_channel *c = &p->channel[2];
    unsigned long flags;

    if (bytes != 1)
        return IO_UNHANDLED;
    if (!write) {
        *value = c->hw.gate | p->speaker | (now() / REFRESH_NS & 1) << 4 | (uint32_t)output(c) << 5;
        return IO_OK;
    }
    flags = spin_lock_irqsave(&p->timers->lock);
    set_gate(c, *value & 1);
    p->speaker = *value & 2;
    spin_unlock_irqrestore(&p->timers->lock, flags);
    return IO_OK;
}

static int init(struct domain *d)
{
    struct pit *p = pit_of(d);

    p->timers = timers_of(d);
    for (unsigned i = 0; i < 3; i++)
        p->channel[i] = (struct pit_channel){
            .hw =
                {.count = 0x10000, .mode = 3, .rw_mode = WORD, .read_state = WORD, .write_state = WORD, .gate = i < 2},
            .start = now(),
            .stop = now(),
        };
    tick_init(&p->tick, p->timers, raise);
    alarm_init(&p->once, p->timers, fire_once);
    return 0;
}

/* ---- saving: the phase of the counts is not part of the record ---- */

static int save(struct domain *d, struct hvm_save_buffer *b)
{
    struct pit *p = pit_of(d);
    struct hvm_hw_pit record = {0};

    for (unsigned i = 0; i < 3; i++)
        record.channels[i] = p->channel[i].hw;
    record.speaker_data_on = p->speaker >> 1;
    return hvm_save_record(b, HVM_SAVE_CODE(PIT), 0, &record, sizeof(record));
}

static void load_channel(struct pit_channel *c, const struct hvm_hw_pit_channel *hw)
{
    c->hw = *hw;
    c->hw.count = hw->count - 1 < 0x10000 ? hw->count : 0x10000;
    c->hw.mode = (uint8_t)(hw->mode > 5 ? hw->mode & 3 : hw->mode);
    c->hw.rw_mode &= 3;
    c->hw.bcd &= 1;
    c->hw.gate = hw->gate != 0;
    c->start = c->stop = now();
}

static int load(struct domain *d, unsigned instance, const void *body)
{
    const struct hvm_hw_pit *record = body;
    struct pit *p = pit_of(d);
    unsigned long flags;

    if (instance)
        return -ENODEV;
    flags = spin_lock_irqsave(&p->timers->lock);
    for (unsigned i = 0; i < 3; i++)
        load_channel(&p->channel[i], &record->channels[i]);
    p->speaker = record->speaker_data_on ? 2 : 0;
    restart_interrupt(p);
    spin_unlock_irqrestore(&p->timers->lock, flags);
    return 0;
}

const struct chip chip_pit = {
    .flags = XEN_X86_EMU_PIT,
    .bytes = sizeof(struct pit),
    .ports = {{0x40, 4, counter_access}, {0x61, 1, speaker_access}},
    .init = init,
    .records = {{HVM_SAVE_CODE(PIT), sizeof(struct hvm_hw_pit), save, load}},
};
