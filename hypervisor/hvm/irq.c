/*
 * Interrupt lines of an HVM guest: from sources to pins, message interrupts, event channel upcalls, and what a vcpu has
 * to take next. Sources: xen/arch-x86/hvm/save.h (wiring of PCI lines and links), xen/hvm/params.h (callback).
 */
#include <hv/event_channel.h>
#include <hv/irq.h>
#include <hv/sched.h>
#include "vdev/lines.h"

/* ---- lines ---- */

/* The PIC's line that is wired to the same pin; pin 0 is the PIC's own output. */
static bool gsi_has_line(unsigned gsi)
{
    return gsi != 0 && gsi < 16;
}

static unsigned gsi_to_isa(unsigned gsi)
{
    return gsi == 2 ? 0 : gsi;
}

static void gsi_changed(struct domain *d, unsigned gsi, bool level)
{
    if (hvm_pirq_line(d, gsi, level))
        return;
    vioapic_set_pin(d, gsi, level);
    if (gsi_has_line(gsi))
        vpic_set_line(d, gsi_to_isa(gsi), level);
}

static void drive(struct domain *d, unsigned gsi, bool level)
{
    uint8_t *count = &irqs_of(d)->gsi_count[gsi];

    if (level) {
        if ((*count)++ == 0)
            gsi_changed(d, gsi, true);
    } else if (--*count == 0) {
        gsi_changed(d, gsi, false);
    }
}

/* False: it was so already. */
static bool flip(uint64_t *map, unsigned bit, bool level)
{
    uint64_t mask = 1ULL << bit;

    if (!(*map & mask) == !level)
        return false;
    *map ^= mask;
    return true;
}

/* Lines that are event channels to the guest speak up once the lock is gone. */
static void unlock_lines(struct domain *d, unsigned long flags)
{
    spin_unlock_irqrestore(&irqs_of(d)->lock, flags);
    hvm_pirq_deliver(d);
}

/* One source of those in *map says what it wants at a pin. */
static void source(struct domain *d, uint64_t *map, unsigned bit, unsigned gsi, bool level)
{
    unsigned long flags = spin_lock_irqsave(&irqs_of(d)->lock);

    if (flip(map, bit, level))
        drive(d, gsi, level);
    unlock_lines(d, flags);
}

void hvm_isa_irq(struct domain *d, unsigned line, bool level)
{
    if (line < 16)
        source(d, &irqs_of(d)->isa, line, isa_to_gsi(line), level);
}

void hvm_chip_line(struct domain *d, unsigned gsi, bool level)
{
    source(d, &irqs_of(d)->gsi_chip, gsi, gsi, level);
}

bool hvm_chip_edge(struct domain *d, unsigned gsi)
{
    struct hvm_irqs *irqs = irqs_of(d);
    unsigned long flags = spin_lock_irqsave(&irqs->lock);
    bool open = vioapic_pin_open(d, gsi) || (gsi_has_line(gsi) && vpic_line_open(d, gsi_to_isa(gsi)));

    if (flip(&irqs->gsi_chip, gsi, false))
        drive(d, gsi, false);
    flip(&irqs->gsi_chip, gsi, true);
    drive(d, gsi, true);
    unlock_lines(d, flags);
    return open;
}

bool hvm_chip_vector(struct domain *d, unsigned gsi, uint8_t vector, bool at_pic)
{
    struct hvm_irqs *irqs = irqs_of(d);
    unsigned long flags = spin_lock_irqsave(&irqs->lock);
    bool is;

    if (at_pic)
        is = gsi_has_line(gsi) && vpic_line_is(d, gsi_to_isa(gsi), vector);
    else
        is = vioapic_pin_is(d, gsi, vector);
    spin_unlock_irqrestore(&irqs->lock, flags);
    return is;
}

/* The pins that the firmware's routing table names for PCI devices of bus 0. */
static unsigned intx_gsi(unsigned wire)
{
    unsigned device = wire / 4, pin = wire % 4;

    return 16 + ((device * 4 + device / 8 + pin) & 31);
}

static unsigned intx_link(unsigned wire)
{
    return (wire / 4 + wire % 4) & 3;
}

static void drive_link(struct domain *d, unsigned link, bool level)
{
    struct hvm_irqs *irqs = irqs_of(d);
    bool was = irqs->link_count[link], is;

    irqs->link_count[link] = (uint8_t)(irqs->link_count[link] + (level ? 1 : -1));
    is = irqs->link_count[link];
    if (was != is && irqs->link_route[link])
        drive(d, isa_to_gsi(irqs->link_route[link]), is);
}

static void intx_locked(struct domain *d, unsigned wire, bool level)
{
    if (!flip(&irqs_of(d)->pci_intx[wire / 64], wire % 64, level))
        return;
    drive(d, intx_gsi(wire), level);
    drive_link(d, intx_link(wire), level);
}

void hvm_pci_intx(struct domain *d, unsigned device, unsigned pin, bool level)
{
    struct hvm_irqs *irqs = irqs_of(d);
    unsigned long flags;

    if (device > 31 || pin > 3)
        return;
    flags = spin_lock_irqsave(&irqs->lock);
    intx_locked(d, device * 4 + pin, level);
    unlock_lines(d, flags);
}

int hvm_set_pci_link(struct domain *d, unsigned link, unsigned isa_line)
{
    struct hvm_irqs *irqs = irqs_of(d);
    unsigned long flags;
    uint8_t old;

    if (link > 3 || isa_line > 15)
        return -EINVAL;
    flags = spin_lock_irqsave(&irqs->lock);
    old = irqs->link_route[link];
    irqs->link_route[link] = (uint8_t)isa_line;
    if (irqs->link_count[link] && old != isa_line) {
        if (isa_line)
            drive(d, isa_to_gsi(isa_line), true);
        if (old)
            drive(d, isa_to_gsi(old), false);
    }
    unlock_lines(d, flags);
    return 0;
}

/* Intel SDM volume 3, 11.11. */
int hvm_msi(struct domain *d, uint64_t address, uint32_t data)
{
    uint32_t destination = address >> 12 & 0xff;
    unsigned mode = data >> 8 & 7;

    if ((uint32_t)address >> 20 != 0xfee)
        return -EINVAL;
    if (!(data & 0xff) && mode == 0)
        return hvm_pirq_message(d, address) ? 0 : -EINVAL;
    return vlapic_deliver(d, destination == 0xff ? VLAPIC_BROADCAST : destination, address >> 2 & 1, mode,
                          (uint8_t)data, data >> 15 & 1);
}

/* ---- event channel upcalls ---- */

static bool upcall_due(const struct vcpu *v)
{
    return READ_ONCE(v->info->evtchn_upcall_pending) && !READ_ONCE(v->info->evtchn_upcall_mask);
}

/* Moves the callback's own contribution to its line. hvm_irqs.lock held */
static void drive_callback(struct domain *d, bool level)
{
    struct hvm_irqs *irqs = irqs_of(d);

    if (level == irqs->callback_high)
        return;
    irqs->callback_high = level;
    if (irqs->callback == CALLBACK_INTX)
        intx_locked(d, irqs->callback_line[0] * 4U + irqs->callback_line[1], level);
    else if (flip(&irqs->gsi, irqs->callback_line[0], level))
        drive(d, irqs->callback_line[0], level);
}

/* By GSI or INTx: the line is high while the first vcpu has something to hear and no vector of its own. */
static bool callback_wanted(const struct domain *d)
{
    const struct vcpu *v = d->vcpu[0];

    return irqs_of(d)->callback >= CALLBACK_GSI && v && !v->hvm->upcall_vector && upcall_due(v);
}

static void refresh_callback_line(struct domain *d)
{
    unsigned long flags = spin_lock_irqsave(&irqs_of(d)->lock);

    drive_callback(d, callback_wanted(d));
    spin_unlock_irqrestore(&irqs_of(d)->lock, flags);
}

static enum callback_kind parse_via(uint64_t via, uint8_t line[2])
{
    switch (via >> 56) {
    case HVM_PARAM_CALLBACK_TYPE_GSI:
        line[0] = (uint8_t)via;
        return via < HVM_GSI_COUNT ? CALLBACK_GSI : CALLBACK_NONE;
    case HVM_PARAM_CALLBACK_TYPE_PCI_INTX:
        line[0] = via >> 11 & 31;
        line[1] = via & 3;
        return CALLBACK_INTX;
    case HVM_PARAM_CALLBACK_TYPE_VECTOR:
        line[0] = (uint8_t)via;
        return line[0] >= 16 ? CALLBACK_VECTOR : CALLBACK_NONE;
    }
    return CALLBACK_NONE;
}

int hvm_set_callback_via(struct domain *d, uint64_t via)
{
    struct hvm_irqs *irqs = irqs_of(d);
    uint8_t line[2] = {0};
    enum callback_kind kind = via ? parse_via(via, line) : CALLBACK_NONE;
    unsigned long flags;
    struct vcpu *v;

    if (via && kind == CALLBACK_NONE)
        return -EINVAL;
    flags = spin_lock_irqsave(&irqs->lock);
    drive_callback(d, false);
    irqs->callback = kind;
    memcpy(irqs->callback_line, line, sizeof(line));
    drive_callback(d, callback_wanted(d));
    spin_unlock_irqrestore(&irqs->lock, flags);
    for_each_vcpu(d, v) {
        if (kind == CALLBACK_VECTOR && upcall_due(v))
            hvm_kick(v);
    }
    return 0;
}

void hvm_assert_upcall(struct vcpu *v)
{
    const struct hvm_irqs *irqs = irqs_of(v->domain);

    if (v->hvm->upcall_vector)
        v->hvm->upcall_owed = !vlapic_set_irq(v, v->hvm->upcall_vector, false);
    else if (irqs->callback == CALLBACK_VECTOR) {
        if (upcall_due(v))
            hvm_kick(v);
    } else if (irqs->callback != CALLBACK_NONE && v->id == 0) {
        refresh_callback_line(v->domain);
    }
}

/* ---- what a vcpu takes next ---- */

void hvm_kick(struct vcpu *v)
{
    vcpu_unblock(v);
    if (v->is_running && v->cpu != this_cpu())
        apic_send_ipi(v->cpu, VECTOR_EVENT_CHECK);
}

static int callback_vector(struct vcpu *v, const struct hvm_irqs *irqs)
{
    if (irqs->callback == CALLBACK_VECTOR)
        return !v->hvm->upcall_vector && upcall_due(v) ? irqs->callback_line[0] : -1;
    if (v->id == 0 && irqs->callback_high != (!v->hvm->upcall_vector && upcall_due(v)))
        refresh_callback_line(v->domain);
    return -1;
}

static int from_pic(struct domain *d, bool acknowledge)
{
    int vector = acknowledge ? vpic_ack(d) : vpic_pending(d);

    if (acknowledge && irqs_of(d)->ticks_outstanding)
        vtimers_taken(d, (uint8_t)vector, true);
    return vector;
}

int hvm_pending_interrupt(struct vcpu *v, bool acknowledge)
{
    const struct hvm_irqs *irqs = irqs_of(v->domain);
    int vector;

    if (irqs->callback != CALLBACK_NONE) {
        vector = callback_vector(v, irqs);
        if (vector >= 0)
            return vector;
    }
    vector = vlapic_pending(v);
    if (vector >= 0) {
        if (acknowledge) {
            vlapic_ack(v, (uint8_t)vector);
            if (unlikely(irqs->ticks_outstanding))
                vtimers_taken(v->domain, (uint8_t)vector, false);
        }
        return vector;
    }
    if (irqs->pic_output && vpic_reaches(v))
        return from_pic(v->domain, acknowledge);
    return -1;
}

/* ---- saving ---- */

/* The lines from what the sources say. No edges come of it: those that were pending are in the controllers' records. */
static void rebuild_lines(struct domain *d)
{
    struct hvm_irqs *irqs = irqs_of(d);

    memset(irqs->gsi_count, 0, sizeof(irqs->gsi_count));
    memset(irqs->link_count, 0, sizeof(irqs->link_count));
    for (unsigned i = 0; i < 128; i++) {
        if (!(irqs->pci_intx[i / 64] >> i % 64 & 1))
            continue;
        irqs->gsi_count[intx_gsi(i)]++;
        irqs->link_count[intx_link(i)]++;
    }
    for (unsigned i = 0; i < 4; i++)
        if (irqs->link_count[i] && irqs->link_route[i])
            irqs->gsi_count[isa_to_gsi(irqs->link_route[i])]++;
    for (unsigned i = 0; i < HVM_GSI_COUNT; i++)
        irqs->gsi_count[i] += (uint8_t)((irqs->gsi >> i & 1) + (irqs->gsi_chip >> i & 1));
    for (unsigned i = 0; i < 16; i++)
        irqs->gsi_count[isa_to_gsi(i)] += irqs->isa >> i & 1;
    for (unsigned i = 0; i < HVM_GSI_COUNT; i++)
        hvm_pirq_line(d, i, gsi_is_high(irqs, i));
    vioapic_lines_loaded(d);
}

/* Copies a loaded record to its place and works out what follows. */
static int load_lines(struct domain *d, unsigned instance, void *to, const void *body, size_t bytes)
{
    unsigned long flags;

    if (instance)
        return -ENODEV;
    flags = spin_lock_irqsave(&irqs_of(d)->lock);
    memcpy(to, body, bytes);
    rebuild_lines(d);
    spin_unlock_irqrestore(&irqs_of(d)->lock, flags);
    return 0;
}

/* The callback's own wire is left out: the line rises again by itself when the guest runs. */
static int save_pci(struct domain *d, struct hvm_save_buffer *b)
{
    const struct hvm_irqs *irqs = irqs_of(d);
    struct hvm_hw_pci_irqs record = {.pad = {irqs->pci_intx[0], irqs->pci_intx[1]}};
    unsigned wire = irqs->callback_line[0] * 4U + irqs->callback_line[1];

    if (irqs->callback == CALLBACK_INTX && irqs->callback_high)
        record.pad[wire / 64] &= ~(1ULL << wire % 64);
    return hvm_save_record(b, HVM_SAVE_CODE(PCI_IRQ), 0, &record, sizeof(record));
}

static int load_pci(struct domain *d, unsigned instance, const void *body)
{
    irqs_of(d)->callback_high &= irqs_of(d)->callback != CALLBACK_INTX;
    return load_lines(d, instance, irqs_of(d)->pci_intx, body, sizeof(struct hvm_hw_pci_irqs));
}

static int save_isa(struct domain *d, struct hvm_save_buffer *b)
{
    struct hvm_hw_isa_irqs record = {.pad = {irqs_of(d)->isa}};

    return hvm_save_record(b, HVM_SAVE_CODE(ISA_IRQ), 0, &record, sizeof(record));
}

static int load_isa(struct domain *d, unsigned instance, const void *body)
{
    uint64_t lines = ((const struct hvm_hw_isa_irqs *)body)->pad[0] & 0xffff;

    return load_lines(d, instance, &irqs_of(d)->isa, &lines, sizeof(lines));
}

static int save_link(struct domain *d, struct hvm_save_buffer *b)
{
    struct hvm_hw_pci_link record = {{0}, {0}};

    memcpy(record.route, irqs_of(d)->link_route, sizeof(record.route));
    return hvm_save_record(b, HVM_SAVE_CODE(PCI_LINK), 0, &record, sizeof(record));
}

static int load_link(struct domain *d, unsigned instance, const void *body)
{
    const struct hvm_hw_pci_link *record = body;

    for (unsigned i = 0; i < 4; i++)
        if (record->route[i] > 15)
            return -EINVAL;
    return load_lines(d, instance, irqs_of(d)->link_route, record->route, sizeof(record->route));
}

static int init(struct domain *d)
{
    spin_lock_init(&irqs_of(d)->lock, LOCK_HVM_IRQS);
    return 0;
}

const struct chip chip_lines = {
    .bytes = sizeof(struct hvm_irqs),
    .init = init,
    .records = {{HVM_SAVE_CODE(PCI_IRQ), sizeof(struct hvm_hw_pci_irqs), save_pci, load_pci},
                {HVM_SAVE_CODE(ISA_IRQ), sizeof(struct hvm_hw_isa_irqs), save_isa, load_isa},
                {HVM_SAVE_CODE(PCI_LINK), sizeof(struct hvm_hw_pci_link), save_link, load_link}},
};
