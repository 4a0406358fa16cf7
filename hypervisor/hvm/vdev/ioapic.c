/*
 * Virtual IO-APIC: one 82093AA with 48 pins, at 0xfec00000. Source: Intel 82093AA data sheet.
 *
 * A pin with a level-triggered entry sends when its line is high and its remote IRR is clear; the EOI of the vector
 * clears that. A rising edge is sent if the entry is not masked at that moment, and lost otherwise. Pin 0 is the PIC's
 * output: firmware has it take the PIC's interrupts to the first processor.
 */
#include "chips.h"

#define IOAPIC_BASE    0xfec00000ULL
#define IOAPIC_SELECT  0x00
#define IOAPIC_WINDOW  0x10
#define REGISTER_ID    0
#define REGISTER_TABLE 0x10
#define VERSION        ((HVM_GSI_COUNT - 1) << 16 | 0x11)
#define READ_ONLY_BITS 0x5000ULL /* delivery status, remote IRR */
#define EXTINT         7         /* delivery mode */

_Static_assert(VIOAPIC_NUM_PINS == HVM_GSI_COUNT, "saved record");

static union vioapic_redir_entry *entry_of(struct domain *d, unsigned pin)
{
    return &d->hvm->irqs->ioapic.redirtbl[pin];
}

static void send(struct domain *d, unsigned pin)
{
    union vioapic_redir_entry *e = entry_of(d, pin);
    unsigned destination = e->fields.dest_id;
    int error = vlapic_deliver(d, destination == 0xff ? VLAPIC_BROADCAST : destination, e->fields.dest_mode,
                               e->fields.delivery_mode, e->fields.vector, e->fields.trig_mode);

    if (!error && e->fields.trig_mode && e->fields.delivery_mode <= 1) {
        e->fields.remote_irr = 1;
        d->hvm->irqs->ioapic_in_service |= 1ULL << pin;
    }
}

static void send_if_level_high(struct domain *d, unsigned pin)
{
    const union vioapic_redir_entry *e = entry_of(d, pin);

    if (gsi_is_high(d->hvm->irqs, pin) && e->fields.trig_mode && !e->fields.mask && !e->fields.remote_irr)
        send(d, pin);
}

void vioapic_set_pin(struct domain *d, unsigned pin, bool level)
{
    const union vioapic_redir_entry *e = entry_of(d, pin);

    if (level && !e->fields.mask && !e->fields.remote_irr)
        send(d, pin);
}

void vioapic_eoi(struct domain *d, uint8_t vector)
{
    struct hvm_irqs *irqs = d->hvm->irqs;
    unsigned long flags = spin_lock_irqsave(&irqs->lock);

    for (uint64_t left = irqs->ioapic_in_service; left; left &= left - 1) {
        unsigned pin = (unsigned)__builtin_ctzll(left);
        if (entry_of(d, pin)->fields.vector != vector)
            continue;
        entry_of(d, pin)->fields.remote_irr = 0;
        irqs->ioapic_in_service &= ~(1ULL << pin);
        send_if_level_high(d, pin);
    }
    spin_unlock_irqrestore(&irqs->lock, flags);
}

bool vioapic_pin_open(struct domain *d, unsigned pin)
{
    return !entry_of(d, pin)->fields.mask;
}

bool vioapic_pin_is(struct domain *d, unsigned pin, uint8_t vector)
{
    return entry_of(d, pin)->fields.vector == vector;
}

bool vioapic_passes_pic(const struct vcpu *v)
{
    const struct hvm_irqs *irqs = v->domain->hvm->irqs;
    const union vioapic_redir_entry *e = &irqs->ioapic.redirtbl[0];
    unsigned destination = e->fields.dest_id;

    return irqs->has_ioapic && !e->fields.mask && e->fields.delivery_mode == EXTINT &&
           vlapic_match(v, destination == 0xff ? VLAPIC_BROADCAST : destination, e->fields.dest_mode);
}

/* ---- registers ---- */

static uint32_t read_register(struct domain *d, unsigned index)
{
    const struct hvm_hw_vioapic *chip = &d->hvm->irqs->ioapic;
    unsigned pin = (index - REGISTER_TABLE) / 2;

    if (index >= REGISTER_TABLE)
        return pin < HVM_GSI_COUNT ? (uint32_t)(chip->redirtbl[pin].bits >> index % 2 * 32) : 0;
    switch (index) {
    case REGISTER_ID:
    case 2: /* arbitration id: a copy */
        return (chip->id & 0xf) << 24;
    case 1:
        return VERSION;
    }
    return 0;
}

static void write_entry(struct domain *d, unsigned pin, bool high, uint32_t value)
{
    union vioapic_redir_entry *e = entry_of(d, pin);

    if (high) {
        e->bits = (e->bits & 0xffffffffU) | (uint64_t)value << 32;
    } else {
        uint64_t kept = 0xffffffff00000000ULL | READ_ONLY_BITS;
        e->bits = (e->bits & kept) | (value & 0x1ffffU & ~READ_ONLY_BITS);
    }
    if (!e->fields.trig_mode && e->fields.remote_irr) { /* edge: there is nothing to wait for */
        e->fields.remote_irr = 0;
        d->hvm->irqs->ioapic_in_service &= ~(1ULL << pin);
    }
    send_if_level_high(d, pin);
}

static void write_register(struct domain *d, unsigned index, uint32_t value)
{
    unsigned pin = (index - REGISTER_TABLE) / 2;

    if (index == REGISTER_ID)
        d->hvm->irqs->ioapic.id = value >> 24 & 0xf;
    else if (index >= REGISTER_TABLE && pin < HVM_GSI_COUNT)
        write_entry(d, pin, index % 2, value);
}

static bool accepts(struct vcpu *v, uint64_t gpa)
{
    return gpa - IOAPIC_BASE < 0x100;
}

static enum io_result access(struct vcpu *v, uint64_t gpa, unsigned bytes, bool write, uint64_t *value)
{
    struct domain *d = v->domain;
    struct hvm_hw_vioapic *chip = &d->hvm->irqs->ioapic;
    unsigned long flags = spin_lock_irqsave(&d->hvm->irqs->lock);
    unsigned offset = gpa - IOAPIC_BASE;

    if (write && offset == IOAPIC_SELECT)
        chip->ioregsel = (uint8_t)*value;
    else if (write && offset == IOAPIC_WINDOW)
        write_register(d, chip->ioregsel, (uint32_t)*value);
    else if (!write)
        *value = offset == IOAPIC_SELECT   ? chip->ioregsel
                 : offset == IOAPIC_WINDOW ? read_register(d, chip->ioregsel)
                                           : 0;
    spin_unlock_irqrestore(&d->hvm->irqs->lock, flags);
    if (!write && bytes < 4)
        *value &= (1U << bytes * 8) - 1;
    return IO_OK;
}

int vioapic_init(struct domain *d)
{
    struct hvm_irqs *irqs = d->hvm->irqs;

    if (!(d->hvm->emulation & XEN_X86_EMU_IOAPIC))
        return 0;
    irqs->has_ioapic = true;
    irqs->ioapic.base_address = IOAPIC_BASE;
    for (unsigned pin = 0; pin < HVM_GSI_COUNT; pin++)
        irqs->ioapic.redirtbl[pin].fields.mask = 1;
    return hvm_claim_memory(d, accepts, access);
}

/* ---- saving ---- */

void vioapic_lines_loaded(struct domain *d)
{
    for (unsigned pin = 0; pin < HVM_GSI_COUNT; pin++)
        send_if_level_high(d, pin);
}

static int save(struct domain *d, struct hvm_save_buffer *b)
{
    const struct hvm_irqs *irqs = d->hvm->irqs;

    return irqs->has_ioapic ? hvm_save_record(b, HVM_SAVE_CODE(IOAPIC), 0, &irqs->ioapic, sizeof(irqs->ioapic)) : 0;
}

static int load(struct domain *d, unsigned instance, const void *body)
{
    struct hvm_irqs *irqs = d->hvm->irqs;
    unsigned long flags;

    if (instance || !irqs->has_ioapic)
        return -ENODEV;
    flags = spin_lock_irqsave(&irqs->lock);
    memcpy(&irqs->ioapic, body, sizeof(irqs->ioapic));
    irqs->ioapic.base_address = IOAPIC_BASE;
    irqs->ioapic.ioregsel &= 0xff;
    irqs->ioapic_in_service = 0;
    for (unsigned pin = 0; pin < HVM_GSI_COUNT; pin++)
        if (irqs->ioapic.redirtbl[pin].fields.remote_irr)
            irqs->ioapic_in_service |= 1ULL << pin;
    spin_unlock_irqrestore(&irqs->lock, flags);
    return 0;
}

const struct hvm_save_handler save_ioapic = {HVM_SAVE_CODE(IOAPIC), sizeof(struct hvm_hw_vioapic), save, load};
