/*
 * pirqs of HVM guests: interrupt lines and messages of emulated devices that a guest takes as event channels. hvm_irq.h
 * says how this fits in with the interrupt controllers.
 *
 * A level-triggered line that is still high at the end of interrupt is told again. That is so for the PCI lines and the
 * ACPI interrupt; other ISA lines interrupt when they rise.
 */
#include <hv/event_channel.h>
#include <hv/ioreq.h>
#include <hv/irq.h>

#define ACPI_GSI      9
#define FIRST_PCI_GSI 16

_Static_assert(HVM_GSI_COUNT <= BITS_PER_LONG, "GSIs fit into one word");

static bool is_level(unsigned gsi)
{
    return gsi == ACPI_GSI || gsi >= FIRST_PCI_GSI;
}

static bool is_gsi(int pirq)
{
    return pirq >= 0 && pirq < HVM_GSI_COUNT;
}

static bool is_mapped(const struct hvm_io *io, int pirq)
{
    return pirq >= 0 && pirq < HVM_PIRQ_COUNT && test_bit((unsigned)pirq, io->pirq_mapped);
}

static int map_gsi(struct domain *d, unsigned gsi, int wanted)
{
    if (gsi >= HVM_GSI_COUNT || wanted >= HVM_PIRQ_COUNT)
        return -EINVAL;
    if (wanted >= 0 && wanted != (int)gsi)
        return -EBUSY;
    set_bit(gsi, d->hvm->io->pirq_mapped);
    return (int)gsi;
}

static int unmap(struct domain *d, int pirq)
{
    struct hvm_io *io = d->hvm->io;

    if (!is_mapped(io, pirq))
        return -EINVAL;
    if (is_gsi(pirq) && test_bit((unsigned)pirq, &io->gsi_bound))
        return -EBUSY;
    clear_bit((unsigned)pirq, io->pirq_mapped);
    return 0;
}

static int reserve(struct domain *d, bool message)
{
    for (unsigned pirq = message ? HVM_GSI_COUNT : 0; pirq < (message ? HVM_PIRQ_COUNT : HVM_GSI_COUNT); pirq++)
        if (!test_and_set_bit(pirq, d->hvm->io->pirq_mapped))
            return (int)pirq;
    return -ENOSPC;
}

/* ---- delivery ---- */

bool hvm_pirq_line(struct domain *d, unsigned gsi, bool level)
{
    struct hvm_io *io = d->hvm->io;

    if (level)
        set_bit(gsi, &io->gsi_high);
    else
        clear_bit(gsi, &io->gsi_high);
    if (!test_bit(gsi, &io->gsi_bound))
        return false;
    if (level)
        set_bit(gsi, &io->gsi_due);
    return true;
}

void hvm_pirq_deliver(struct domain *d)
{
    struct hvm_io *io = d->hvm->io;

    unsigned long due = READ_ONCE(io->gsi_due);

    for (; due; due &= due - 1) {
        unsigned gsi = (unsigned)__builtin_ctzl(due);

        if (test_and_clear_bit(gsi, &io->gsi_due))
            send_guest_pirq(d, gsi);
    }
}

static void tell_again_if_high(struct domain *d, unsigned gsi)
{
    if (is_level(gsi) && test_bit(gsi, &d->hvm->io->gsi_high))
        send_guest_pirq(d, gsi);
}

/* The pirq is in the place of the destination, and continued in the upper half of the address. */
bool hvm_pirq_message(struct domain *d, uint64_t address)
{
    uint64_t pirq = (address >> 32 & 0xffffff00) | (address >> 12 & 0xff);

    if (pirq < HVM_GSI_COUNT || pirq >= HVM_PIRQ_COUNT || !is_mapped(d->hvm->io, (int)pirq))
        return false;
    send_guest_pirq(d, (unsigned)pirq);
    return true;
}

/* ---- event channels ---- */

static int bind(struct domain *d, int pirq)
{
    struct hvm_io *io = d->hvm->io;

    if (!is_mapped(io, pirq))
        return -EINVAL;
    if (!is_gsi(pirq))
        return 0;
    if (test_and_set_bit((unsigned)pirq, &io->gsi_bound))
        return -EBUSY;
    tell_again_if_high(d, (unsigned)pirq);
    return 0;
}

static void unbind(struct domain *d, int pirq)
{
    struct hvm_io *io = d->hvm->io;

    if (!is_gsi(pirq))
        return;
    clear_bit((unsigned)pirq, &io->gsi_bound);
    clear_bit((unsigned)pirq, &io->gsi_due);
}

static int eoi(struct domain *d, int pirq)
{
    if (!is_mapped(d->hvm->io, pirq))
        return -EINVAL;
    if (is_gsi(pirq) && test_bit((unsigned)pirq, &d->hvm->io->gsi_bound))
        tell_again_if_high(d, (unsigned)pirq);
    return 0;
}

static bool needs_eoi(struct domain *d, int pirq)
{
    return is_mapped(d->hvm->io, pirq) && is_gsi(pirq) && is_level((unsigned)pirq);
}

const struct pirq_operations hvm_pirqs = {
    .map_gsi = map_gsi,
    .unmap = unmap,
    .reserve = reserve,
    .bind = bind,
    .unbind = unbind,
    .eoi = eoi,
    .needs_eoi = needs_eoi,
};
