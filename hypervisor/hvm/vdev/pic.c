/*
 * Virtual pair of 8259A interrupt controllers at 0x20 and 0xa0, with the edge/level registers of PC chipsets at 0x4d0.
 * Sources: Intel 8259A data sheet; 82371SB (PIIX3) data sheet, ELCR.
 *
 * The state is that of the saved record, one for each of the two. Lines whose ELCR bit is set are level-triggered: irr
 * follows the line. hvm_irqs.lock.
 */
#include "lines.h"

#define MASTER_PORT  0x20
#define SLAVE_PORT   0xa0
#define ELCR_PORT    0x4d0
#define CASCADE_LINE 2

struct pic {
    struct hvm_hw_vpic hw[2]; /* master, slave */
};

static bool is_there(const struct domain *d)
{
    return chip_state(d, CHIP_PIC) != NULL;
}

static struct hvm_hw_vpic *pic_of(const struct domain *d, unsigned which)
{
    struct pic *p = chip_state(d, CHIP_PIC);

    return &p->hw[which];
}

/* Lines turned so that the one with the highest priority is bit 0. */
static uint8_t by_priority(const struct hvm_hw_vpic *p, uint8_t lines)
{
    unsigned by = p->priority_add & 7;

    return (uint8_t)(lines >> by | lines << (8 - by));
}

/* Position of the first of them in priority order, 8 if there is none. */
static unsigned first_of(const struct hvm_hw_vpic *p, uint8_t lines)
{
    uint8_t turned = by_priority(p, lines);

    return turned ? (unsigned)__builtin_ctz(turned) : 8;
}

/* The line that would interrupt now, or -1: requested, not masked, and before everything in service. */
static int highest_line(const struct hvm_hw_vpic *p)
{
    uint8_t in_service = p->isr;
    unsigned first = first_of(p, p->irr & (uint8_t)~p->imr);

    if (p->special_mask_mode)
        in_service &= (uint8_t)~p->imr;
    if (p->special_fully_nested_mode && p->is_master)
        in_service &= (uint8_t) ~(1 << CASCADE_LINE);
    if (first == 8 || first_of(p, in_service) <= first)
        return -1;
    return (int)((first + p->priority_add) & 7);
}

bool vpic_reaches(const struct vcpu *v)
{
    return vlapic_accepts_pic(v) || vioapic_passes_pic(v);
}

/* Works out both outputs anew; the slave's is the master's line 2. */
static void refresh(struct domain *d)
{
    struct hvm_hw_vpic *master = pic_of(d, 0), *slave = pic_of(d, 1);
    bool was = master->int_output;
    struct vcpu *v;

    slave->int_output = highest_line(slave) >= 0;
    if (slave->int_output)
        master->irr |= 1 << CASCADE_LINE;
    else
        master->irr &= (uint8_t) ~(1 << CASCADE_LINE);
    master->int_output = highest_line(master) >= 0;
    irqs_of(d)->pic_output = master->int_output;
    if (was || !master->int_output)
        return;
    for_each_vcpu(d, v) {
        if (vpic_reaches(v))
            hvm_kick(v);
        else
            vlapic_pic_rises(v);
    }
}

void vpic_set_line(struct domain *d, unsigned line, bool level)
{
    struct hvm_hw_vpic *p;
    uint8_t bit = (uint8_t)(1 << (line & 7));

    if (!is_there(d))
        return;
    p = pic_of(d, line >> 3);
    if (level)
        p->irr |= bit;
    else if (p->elcr & bit)
        p->irr &= (uint8_t)~bit;
    else
        return; /* an edge that has been seen stays */
    refresh(d);
}

bool vpic_line_open(struct domain *d, unsigned line)
{
    struct vcpu *v;

    if (!is_there(d) || pic_of(d, line >> 3)->imr & 1 << (line & 7) ||
        (line > 7 && pic_of(d, 0)->imr & 1 << CASCADE_LINE))
        return false;
    for_each_vcpu(d, v) {
        if (vpic_reaches(v))
            return true;
    }
    return false;
}

bool vpic_line_is(struct domain *d, unsigned line, uint8_t vector)
{
    return is_there(d) && vector == pic_of(d, line >> 3)->irq_base + (line & 7);
}

/* ---- acknowledge ---- */

/* No lock: a look at a few bytes, which is repeated before anything is done. */
int vpic_pending(struct domain *d)
{
    const struct hvm_hw_vpic *master = pic_of(d, 0), *slave = pic_of(d, 1);
    int line = highest_line(master), slave_line = highest_line(slave);

    if (line == CASCADE_LINE && slave_line >= 0)
        return slave->irq_base + slave_line;
    return line >= 0 ? master->irq_base + line : -1;
}

static void take(struct hvm_hw_vpic *p, int line)
{
    uint8_t bit = (uint8_t)(1 << line);

    if (!(p->elcr & bit))
        p->irr &= (uint8_t)~bit;
    if (!p->auto_eoi)
        p->isr |= bit;
    else if (p->rotate_on_auto_eoi)
        p->priority_add = (line + 1) & 7;
}

/* One chip's answer; a request that has gone away meanwhile is line 7 (8259A: "default IR7"). */
static int answer(struct hvm_hw_vpic *p)
{
    int line = highest_line(p);

    if (line < 0)
        return 7;
    take(p, line);
    return line;
}

int vpic_ack(struct domain *d)
{
    struct hvm_hw_vpic *master = pic_of(d, 0), *slave = pic_of(d, 1);
    unsigned long flags = spin_lock_irqsave(&irqs_of(d)->lock);
    int line = answer(master), vector;

    if (line == CASCADE_LINE)
        vector = slave->irq_base + answer(slave);
    else
        vector = master->irq_base + line;
    master->int_output = 0; /* what is left rises anew */
    refresh(d);
    spin_unlock_irqrestore(&irqs_of(d)->lock, flags);
    return vector;
}

/* ---- registers ---- */

static void end_of_interrupt(struct hvm_hw_vpic *p, unsigned line, bool rotate)
{
    p->isr &= (uint8_t) ~(1 << line);
    if (rotate)
        p->priority_add = (line + 1) & 7;
}

static void write_ocw2(struct hvm_hw_vpic *p, uint8_t value)
{
    uint8_t in_service = p->special_mask_mode ? p->isr & (uint8_t)~p->imr : p->isr;
    unsigned first = first_of(p, in_service);

    switch (value >> 5) {
    case 0:
    case 4:
        p->rotate_on_auto_eoi = value >> 7;
        break;
    case 1: /* end of the interrupt with the highest priority */
    case 5:
        if (first < 8)
            end_of_interrupt(p, (first + p->priority_add) & 7, value >> 7);
        break;
    case 3: /* of a certain one */
    case 7:
        end_of_interrupt(p, value & 7, value >> 7);
        break;
    case 6:
        p->priority_add = (value + 1) & 7;
        break;
    }
}

static void write_command(struct hvm_hw_vpic *p, uint8_t value)
{
    if (value & 0x10) { /* ICW1 */
        p->init_state = (uint8_t)((value & 3) << 2 | 1);
        p->imr = p->isr = p->priority_add = p->readsel_isr = p->poll = 0;
        p->auto_eoi = p->rotate_on_auto_eoi = p->special_fully_nested_mode = p->special_mask_mode = 0;
        p->irr &= p->elcr;
    } else if (value & 0x08) { /* OCW3 */
        if (value & 0x04)
            p->poll = 1;
        else if (value & 0x02)
            p->readsel_isr = value & 1;
        if (value & 0x40)
            p->special_mask_mode = value >> 5 & 1;
    } else {
        write_ocw2(p, value);
    }
}

static void write_data(struct hvm_hw_vpic *p, uint8_t value)
{
    bool wants_icw4 = p->init_state & 4, single = p->init_state & 8;

    switch (p->init_state & 3) {
    case 0:
        p->imr = value;
        return;
    case 1:
        p->irq_base = value & 0xf8;
        p->init_state++;
        if (!single)
            return;
        break;
    case 2: /* the wiring of the cascade is what it is */
        break;
    case 3:
        p->special_fully_nested_mode = value >> 4 & 1;
        p->auto_eoi = value >> 1 & 1;
        p->init_state = 0;
        return;
    }
    p->init_state = wants_icw4 ? (uint8_t)((p->init_state & ~3) | 3) : 0;
}

static uint8_t read_pic(struct hvm_hw_vpic *p, bool data)
{
    int line;

    if (p->poll) { /* takes the request as an acknowledge cycle does */
        p->poll = 0;
        line = highest_line(p);
        if (line < 0)
            return 0;
        take(p, line);
        return (uint8_t)(0x80 | line);
    }
    return data ? p->imr : p->readsel_isr ? p->isr : p->irr;
}

/* A line that becomes level-triggered or edge-triggered takes its state from the wire. */
static void write_elcr(struct domain *d, unsigned which, uint8_t value)
{
    static const uint8_t writable[2] = {0xf8, 0xde}; /* timer, keyboard, cascade, clock and FPU are edges */
    struct hvm_hw_vpic *p = pic_of(d, which);
    uint8_t changed = p->elcr ^ (value & writable[which]);

    p->elcr ^= changed;
    for (unsigned i = 0; i < 8; i++) {
        if (!(changed & 1 << i))
            continue;
        if (p->elcr & 1 << i && gsi_is_high(irqs_of(d), which * 8 + i))
            p->irr |= (uint8_t)(1 << i);
        else
            p->irr &= (uint8_t) ~(1 << i);
    }
}

static uint8_t access_byte(struct domain *d, uint16_t port, bool write, uint8_t value)
{
    struct hvm_hw_vpic *p = pic_of(d, (port & 0x80) != 0);

    if (port >= ELCR_PORT) {
        if (write)
            write_elcr(d, port & 1, value);
        value = pic_of(d, port & 1)->elcr;
    } else if (!write) {
        value = read_pic(p, port & 1);
    } else if (port & 1) {
        write_data(p, value);
    } else {
        write_command(p, value);
    }
    return value;
}

static bool is_ours(unsigned port)
{
    return (port & ~1U) == MASTER_PORT || (port & ~1U) == SLAVE_PORT || (port & ~1U) == ELCR_PORT;
}

/* The chips are 8 bits wide: a wider access is one to each port in turn. */
static enum io_result access(struct vcpu *v, uint16_t port, unsigned bytes, bool write, uint32_t *value)
{
    struct domain *d = v->domain;
    unsigned long flags = spin_lock_irqsave(&irqs_of(d)->lock);
    uint32_t result = 0;

    for (unsigned i = 0; i < bytes; i++) {
        uint8_t byte = write ? (uint8_t)(*value >> 8 * i) : 0xff;
        if (is_ours(port + i))
            byte = access_byte(d, (uint16_t)(port + i), write, byte);
        result |= (uint32_t)byte << 8 * i;
    }
    refresh(d);
    spin_unlock_irqrestore(&irqs_of(d)->lock, flags);
    if (!write)
        *value = result;
    return IO_OK;
}

static int init(struct domain *d)
{
    pic_of(d, 0)->is_master = 1;
    return 0;
}

/* ---- saving: instance 0 is the master ---- */

static int save(struct domain *d, struct hvm_save_buffer *b)
{
    int error = 0;

    for (uint16_t i = 0; i < 2 && !error; i++)
        error = hvm_save_record(b, HVM_SAVE_CODE(PIC), i, pic_of(d, i), sizeof(*pic_of(d, i)));
    return error;
}

static int load(struct domain *d, unsigned instance, const void *body)
{
    struct hvm_hw_vpic *p;
    unsigned long flags;

    if (instance > 1)
        return -ENODEV;
    p = pic_of(d, instance);
    flags = spin_lock_irqsave(&irqs_of(d)->lock);
    memcpy(p, body, sizeof(*p));
    p->is_master = instance == 0;
    p->priority_add &= 7;
    p->irq_base &= 0xf8;
    refresh(d);
    spin_unlock_irqrestore(&irqs_of(d)->lock, flags);
    return 0;
}

const struct chip chip_pic = {
    .flags = XEN_X86_EMU_PIC,
    .bytes = sizeof(struct pic),
    .ports = {{MASTER_PORT, 2, access}, {SLAVE_PORT, 2, access}, {ELCR_PORT, 2, access}},
    .init = init,
    .records = {{HVM_SAVE_CODE(PIC), sizeof(struct hvm_hw_vpic), save, load}},
};
