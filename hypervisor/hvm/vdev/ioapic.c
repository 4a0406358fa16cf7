/*
 * Virtual IO-APIC: one 82093AA with 48 pins, at 0xfec00000. Source: Intel 82093AA data sheet.
 *
 * A pin with a level-triggered entry sends when its line is high and its remote IRR is clear; the EOI of the vector
 * clears that. A rising edge is sent if the entry is not masked at that moment, and lost otherwise. Pin 0 is the PIC's
 * output: firmware has it take the PIC's interrupts to the first processor.
 */
#include "lines.h"

#define IOAPIC_BASE    0xfec00000ULL
#define IOAPIC_SELECT  0x00
#define IOAPIC_WINDOW  0x10
#define REGISTER_ID    0
#define REGISTER_TABLE 0x10
#define VERSION        ((HVM_GSI_COUNT - 1) << 16 | 0x11)
#define READ_ONLY_BITS 0x5000ULL /* delivery status, remote IRR */
#define EXTINT         7         /* delivery mode */

_Static_assert(VIOAPIC_NUM_PINS == HVM_GSI_COUNT, "saved record");

/* hvm_irqs.lock */
struct ioapic {
    struct domain *domain;
    struct hvm_hw_vioapic hw;
    uint64_t in_service; /* pins whose remote IRR is set */
};

static struct ioapic *ioapic_of(const struct domain *d)
{
    return chip_state(d, CHIP_IOAPIC);
}

static void send(struct ioapic *a, unsigned pin)
{
    union vioapic_redir_entry *e = &a->hw.redirtbl[pin];
    unsigned destination = e->fields.dest_id;
    int error = vlapic_deliver(a->domain, destination == 0xff ? VLAPIC_BROADCAST : destination, e->fields.dest_mode,
                               e->fields.delivery_mode, e->fields.vector, e->fields.trig_mode);

    if (!error && e->fields.trig_mode && e->fields.delivery_mode <= 1) {
        e->fields.remote_irr = 1;
        a->in_service |= 1ULL << pin;
    }
}

static void send_if_level_high(struct ioapic *a, unsigned pin)
{
    const union vioapic_redir_entry *e = &a->hw.redirtbl[pin];

    if (gsi_is_high(irqs_of(a->domain), pin) && e->fields.trig_mode && !e->fields.mask && !e->fields.remote_irr)
        send(a, pin);
}

void vioapic_set_pin(struct domain *d, unsigned pin, bool level)
{
    struct ioapic *a = ioapic_of(d);

    if (a && level && !a->hw.redirtbl[pin].fields.mask && !a->hw.redirtbl[pin].fields.remote_irr)
        send(a, pin);
}

void vioapic_eoi(struct domain *d, uint8_t vector)
{
    struct ioapic *a = ioapic_of(d);
    unsigned long flags;

    if (!a)
        return;
    flags = spin_lock_irqsave(&irqs_of(d)->lock);
    for (uint64_t left = a->in_service; left; left &= left - 1) {
        unsigned pin = (unsigned)__builtin_ctzll(left);
        if (a->hw.redirtbl[pin].fields.vector != vector)
            continue;
        a->hw.redirtbl[pin].fields.remote_irr = 0;
        a->in_service &= ~(1ULL << pin);
        send_if_level_high(a, pin);
    }
    spin_unlock_irqrestore(&irqs_of(d)->lock, flags);
}

bool vioapic_pin_open(struct domain *d, unsigned pin)
{
    const struct ioapic *a = ioapic_of(d);

    return a && !a->hw.redirtbl[pin].fields.mask;
}

bool vioapic_pin_is(struct domain *d, unsigned pin, uint8_t vector)
{
    const struct ioapic *a = ioapic_of(d);

    return a && a->hw.redirtbl[pin].fields.vector == vector;
}

bool vioapic_passes_pic(const struct vcpu *v)
{
    const struct ioapic *a = ioapic_of(v->domain);
    union vioapic_redir_entry e;

    if (!a)
        return false;
    e = a->hw.redirtbl[0];
    return !e.fields.mask && e.fields.delivery_mode == EXTINT &&
           vlapic_match(v, e.fields.dest_id == 0xff ? VLAPIC_BROADCAST : e.fields.dest_id, e.fields.dest_mode);
}

/* ---- registers ---- */

static uint32_t read_register(const struct ioapic *a, unsigned index)
{
    unsigned pin = (index - REGISTER_TABLE) / 2;

    if (index >= REGISTER_TABLE)
        return pin < HVM_GSI_COUNT ? (uint32_t)(a->hw.redirtbl[pin].bits >> index % 2 * 32) : 0;
    switch (index) {
    case REGISTER_ID:
    case 2: /* arbitration id: a copy */
        return (a->hw.id & 0xf) << 24;
    case 1:
        return VERSION;
    }
    return 0;
}

static void write_entry(struct ioapic *a, unsigned pin, bool high, uint32_t value)
{
    union vioapic_redir_entry *e = &a->hw.redirtbl[pin];

    if (high) {
        e->bits = (e->bits & 0xffffffffU) | (uint64_t)value << 32;
    } else {
        uint64_t kept = 0xffffffff00000000ULL | READ_ONLY_BITS;
        e->bits = (e->bits & kept) | (value & 0x1ffffU & ~READ_ONLY_BITS);
    }
    if (!e->fields.trig_mode && e->fields.remote_irr) { /* edge: there is nothing to wait for */
        e->fields.remote_irr = 0;
        a->in_service &= ~(1ULL << pin);
    }
    send_if_level_high(a, pin);
}

static void write_register(struct ioapic *a, unsigned index, uint32_t value)
{
    unsigned pin = (index - REGISTER_TABLE) / 2;

    if (index == REGISTER_ID)
        a->hw.id = value >> 24 & 0xf;
    else if (index >= REGISTER_TABLE && pin < HVM_GSI_COUNT)
        write_entry(a, pin, index % 2, value);
}

static bool accepts(struct vcpu *v, uint64_t gpa)
{
    return gpa - IOAPIC_BASE < 0x100;
}

static enum io_result access(struct vcpu *v, uint64_t gpa, unsigned bytes, bool write, uint64_t *value)
{
    struct ioapic *a = ioapic_of(v->domain);
    unsigned long flags = spin_lock_irqsave(&irqs_of(v->domain)->lock);
    unsigned offset = gpa - IOAPIC_BASE;

    if (write && offset == IOAPIC_SELECT)
        a->hw.ioregsel = (uint8_t)*value;
    else if (write && offset == IOAPIC_WINDOW)
        write_register(a, a->hw.ioregsel, (uint32_t)*value);
    else if (!write)
        *value = offset == IOAPIC_SELECT   ? a->hw.ioregsel
                 : offset == IOAPIC_WINDOW ? read_register(a, a->hw.ioregsel)
                                           : 0;
    spin_unlock_irqrestore(&irqs_of(v->domain)->lock, flags);
    if (!write && bytes < 4)
        *value &= (1U << bytes * 8) - 1;
    return IO_OK;
}

static int init(struct domain *d)
{
    struct ioapic *a = ioapic_of(d);

    a->domain = d;
    a->hw.base_address = IOAPIC_BASE;
    for (unsigned pin = 0; pin < HVM_GSI_COUNT; pin++)
        a->hw.redirtbl[pin].fields.mask = 1;
    return 0;
}

/* ---- saving ---- */

void vioapic_lines_loaded(struct domain *d)
{
    struct ioapic *a = ioapic_of(d);

    for (unsigned pin = 0; a && pin < HVM_GSI_COUNT; pin++)
        send_if_level_high(a, pin);
}

static int save(struct domain *d, struct hvm_save_buffer *b)
{
    const struct hvm_hw_vioapic *hw = &ioapic_of(d)->hw;

    return hvm_save_record(b, HVM_SAVE_CODE(IOAPIC), 0, hw, sizeof(*hw));
}

static int load(struct domain *d, unsigned instance, const void *body)
{
    struct ioapic *a = ioapic_of(d);
    unsigned long flags;

    if (instance)
        return -ENODEV;
    flags = spin_lock_irqsave(&irqs_of(d)->lock);
    memcpy(&a->hw, body, sizeof(a->hw));
    a->hw.base_address = IOAPIC_BASE;
    a->hw.ioregsel &= 0xff;
    a->in_service = 0;
    for (unsigned pin = 0; pin < HVM_GSI_COUNT; pin++)
        if (a->hw.redirtbl[pin].fields.remote_irr)
            a->in_service |= 1ULL << pin;
    spin_unlock_irqrestore(&irqs_of(d)->lock, flags);
    return 0;
}

const struct chip chip_ioapic = {
    .flags = XEN_X86_EMU_IOAPIC,
    .bytes = sizeof(struct ioapic),
    .memory = {accepts, access},
    .init = init,
    .records = {{HVM_SAVE_CODE(IOAPIC), sizeof(struct hvm_hw_vioapic), save, load}},
};
