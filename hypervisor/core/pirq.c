/*
 * pirqs: the numbers under which the hardware domain knows the machine's interrupts, and their event channels.
 *
 * pirqs below irq_gsi_count() are GSIs of the same number; those above are messages. One domain has all of them (the
 * hardware domain, which never goes away), so one table is enough. Everything is under irq_lock. What HVM guests call
 * pirqs are lines of their own virtual chips (hvm/pirq.c): at the end is what chooses.
 */
#include <hv/event_channel.h>
#include <hv/guest_kind.h>
#include <hv/irq.h>
#include <hv/irq_source.h>
#include <hv/msi.h>
#include <hv/page_type.h>
#include <hv/policy.h>

enum pirq_kind { PIRQ_FREE, PIRQ_RESERVED, PIRQ_GSI, PIRQ_MSI };

static struct pirq {
    enum pirq_kind kind;
    bool bound;
    unsigned gsi;    /* PIRQ_GSI */
    struct irq *irq; /* PIRQ_MSI; PIRQ_GSI once it has a vector */
    unsigned count;  /* multi-MSI: size of the block, in its first pirq; 0 in the others */
} pirqs[MAX_PIRQS];
_Static_assert(MAX_PIRQS <= PAGE_SIZE * 8, "one bit each in the end-of-interrupt map");

static bool is_hardware_domain(const struct domain *d)
{
    return allowed_call(d, POLICY_HARDWARE) == 0;
}

static struct pirq *pirq_get(const struct domain *d, int pirq)
{
    if (!is_hardware_domain(d) || pirq < 0 || pirq >= MAX_PIRQS || pirqs[pirq].kind == PIRQ_FREE)
        return NULL;
    return &pirqs[pirq];
}

static bool free_run(unsigned first, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        if (first + i >= MAX_PIRQS || pirqs[first + i].kind != PIRQ_FREE)
            return false;
    return true;
}

/* First of `count` free pirqs above the GSIs. */
static int find_free(unsigned count)
{
    for (unsigned first = irq_gsi_count(); first + count <= MAX_PIRQS; first++)
        if (free_run(first, count))
            return (int)first;
    return -ENOSPC;
}

static bool may_take(int pirq)
{
    return pirq >= 0 && pirq < MAX_PIRQS && (pirqs[pirq].kind == PIRQ_FREE || pirqs[pirq].kind == PIRQ_RESERVED);
}

static int map_gsi_locked(unsigned gsi, int wanted)
{
    if (!gsi_get(gsi))
        return -EINVAL;
    for (int i = 0; i < MAX_PIRQS; i++)
        if (pirqs[i].kind == PIRQ_GSI && pirqs[i].gsi == gsi)
            return wanted < 0 || wanted == i ? i : -EBUSY;
    int pirq = wanted < 0 ? (int)gsi : wanted;
    if (pirq >= MAX_PIRQS)
        return -EINVAL;
    if (!may_take(pirq))
        return -EBUSY;
    pirqs[pirq] = (struct pirq){.kind = PIRQ_GSI, .gsi = gsi, .count = 1};
    return pirq;
}

static int hardware_map_gsi(struct domain *d, unsigned gsi, int pirq_wanted)
{
    if (!is_hardware_domain(d))
        return -EPERM;
    unsigned long flags = spin_lock_irqsave(&irq_lock);
    int pirq = map_gsi_locked(gsi, pirq_wanted);
    spin_unlock_irqrestore(&irq_lock, flags);
    return pirq;
}

static int map_msi_locked(struct msi_device *device, const struct msi_request *request, int wanted)
{
    int pirq = wanted < 0 ? find_free(request->count) : wanted;
    if (pirq < 0)
        return pirq;
    if (!may_take(pirq) || (wanted >= 0 && request->count > 1))
        return -EBUSY;
    struct irq *irq;
    int error = msi_setup(device, request, &irq);
    if (error)
        return error;
    for (unsigned i = 0; i < request->count; i++)
        pirqs[(unsigned)pirq + i] = (struct pirq){.kind = PIRQ_MSI, .irq = irq + i, .count = i ? 0 : request->count};
    return pirq;
}

int pirq_map_msi(struct domain *d, const struct msi_request *request, int pirq_wanted)
{
    if (!is_hardware_domain(d))
        return -EPERM;
    if (request->count == 0 || request->count > 32 || (request->table && request->count != 1))
        return -EINVAL;
    struct msi_device *device;
    int error = msi_prepare(request, &device);
    if (error)
        return error;
    unsigned long flags = spin_lock_irqsave(&irq_lock);
    int pirq = map_msi_locked(device, request, pirq_wanted);
    spin_unlock_irqrestore(&irq_lock, flags);
    return pirq;
}

static int unmap_locked(struct pirq *p)
{
    if (p->kind == PIRQ_MSI && p->count == 0)
        return -EINVAL; /* inside a block */
    for (unsigned i = 0; i < p->count; i++)
        if (p[i].bound)
            return -EBUSY;
    if (p->kind == PIRQ_MSI)
        msi_teardown(p->irq, p->count);
    else if (p->kind == PIRQ_GSI)
        gsi_unroute(p->gsi);
    memset(p, 0, max(p->count, 1U) * sizeof(*p));
    return 0;
}

static int hardware_unmap(struct domain *d, int pirq)
{
    if (!is_hardware_domain(d))
        return -EPERM;
    unsigned long flags = spin_lock_irqsave(&irq_lock);
    struct pirq *p = pirq_get(d, pirq);
    int error = p ? unmap_locked(p) : -EINVAL;
    spin_unlock_irqrestore(&irq_lock, flags);
    return error;
}

static int hardware_reserve(struct domain *d, bool msi)
{
    if (!is_hardware_domain(d))
        return -EPERM;
    unsigned long flags = spin_lock_irqsave(&irq_lock);
    int pirq = -ENOSPC;
    if (msi)
        pirq = find_free(1);
    for (unsigned i = 0; !msi && pirq < 0 && i < irq_gsi_count(); i++)
        if (pirqs[i].kind == PIRQ_FREE)
            pirq = (int)i;
    if (pirq >= 0)
        pirqs[pirq] = (struct pirq){.kind = PIRQ_RESERVED, .count = 1};
    spin_unlock_irqrestore(&irq_lock, flags);
    return pirq;
}

void pirq_release_device(uint32_t sbdf)
{
    struct msi_device *device = msi_device_find(sbdf);
    unsigned long flags = spin_lock_irqsave(&irq_lock);
    for (unsigned i = 0; device && i < MAX_PIRQS; i++)
        if (pirqs[i].kind == PIRQ_MSI && pirqs[i].count && pirqs[i].irq->msi == device)
            unmap_locked(&pirqs[i]);
    spin_unlock_irqrestore(&irq_lock, flags);
}

void pirq_restore_device(uint32_t sbdf)
{
    struct msi_device *device = msi_device_find(sbdf);
    unsigned long flags = spin_lock_irqsave(&irq_lock);
    if (device)
        msi_restore(device);
    spin_unlock_irqrestore(&irq_lock, flags);
}

/* From device_interrupt, without irq_lock: a pirq unbound in between has no event channel, and nothing happens. */
static void pirq_interrupt(void *data)
{
    send_guest_pirq(dom0, (unsigned)(unsigned long)data);
}

static void set_eoi_bit(struct domain *d, unsigned pirq, bool needed)
{
    if (!d->eoi_map)
        return;
    if (needed)
        set_bit(pirq, d->eoi_map);
    else
        clear_bit(pirq, d->eoi_map);
}

static int bind_locked(struct domain *d, int number, struct pirq *p)
{
    if (p->bound)
        return -EBUSY;
    if (p->kind == PIRQ_RESERVED)
        return -EINVAL;
    if (p->kind == PIRQ_GSI) {
        int error = gsi_route(p->gsi, &p->irq);
        if (error)
            return error;
        if (p->irq->handler)
            return -EBUSY; /* ours */
    }
    struct irq *irq = p->irq;
    irq->hold = irq->level;
    irq->held = false;
    irq->data = (void *)(unsigned long)number;
    irq->handler = pirq_interrupt;
    p->bound = true;
    set_eoi_bit(d, (unsigned)number, irq->hold);
    irq->source->unmask(irq);
    return 0;
}

static int hardware_bind(struct domain *d, int pirq)
{
    unsigned long flags = spin_lock_irqsave(&irq_lock);
    struct pirq *p = pirq_get(d, pirq);
    int error = p ? bind_locked(d, pirq, p) : -EINVAL;
    spin_unlock_irqrestore(&irq_lock, flags);
    return error;
}

static void hardware_unbind(struct domain *d, int pirq)
{
    unsigned long flags = spin_lock_irqsave(&irq_lock);
    struct pirq *p = pirq_get(d, pirq);
    if (p && p->bound) {
        p->irq->source->mask(p->irq);
        p->irq->handler = NULL;
        p->irq->hold = p->irq->held = false;
        p->bound = false;
        set_eoi_bit(d, (unsigned)pirq, false);
    }
    spin_unlock_irqrestore(&irq_lock, flags);
}

static int hardware_eoi(struct domain *d, int pirq)
{
    unsigned long flags = spin_lock_irqsave(&irq_lock);
    struct pirq *p = pirq_get(d, pirq);
    if (p && p->bound && p->irq->held) {
        p->irq->held = false;
        p->irq->source->unmask(p->irq);
    }
    spin_unlock_irqrestore(&irq_lock, flags);
    return p ? 0 : -EINVAL;
}

static bool needs_eoi_locked(const struct pirq *p)
{
    if (p->kind != PIRQ_GSI)
        return false;
    return p->bound ? p->irq->hold : gsi_get(p->gsi)->level;
}

static bool hardware_needs_eoi(struct domain *d, int pirq)
{
    unsigned long flags = spin_lock_irqsave(&irq_lock);
    struct pirq *p = pirq_get(d, pirq);
    bool needed = p && needs_eoi_locked(p);
    spin_unlock_irqrestore(&irq_lock, flags);
    return needed;
}

static void install_eoi_map(struct domain *d, uint64_t mfn)
{
    d->eoi_map_mfn = mfn;
    d->eoi_map = mfn_to_virt(mfn);
    for (unsigned i = 0; is_hardware_domain(d) && i < MAX_PIRQS; i++)
        if (pirqs[i].bound)
            set_eoi_bit(d, i, pirqs[i].irq->hold);
}

int pirq_set_eoi_map(struct domain *d, uint64_t mfn)
{
    if (mfn >= max_mfn || !mfn_is_ram(mfn))
        return -EINVAL;
    struct page *page = mfn_to_page(mfn);
    int error = page_get_with_type(page, d, TYPE_WRITABLE);
    if (error)
        return -EINVAL;
    unsigned long flags = spin_lock_irqsave(&irq_lock);
    bool taken = d->eoi_map != NULL;
    if (!taken)
        install_eoi_map(d, mfn);
    spin_unlock_irqrestore(&irq_lock, flags);
    if (taken)
        page_put_with_type(page);
    return taken ? -EBUSY : 0;
}

void pirq_release_domain(struct domain *d)
{
    unsigned long flags = spin_lock_irqsave(&irq_lock);
    mfn_t mfn = d->eoi_map ? d->eoi_map_mfn : INVALID_MFN;
    d->eoi_map = NULL;
    d->eoi_map_mfn = INVALID_MFN;
    spin_unlock_irqrestore(&irq_lock, flags);
    if (mfn != INVALID_MFN)
        page_put_with_type(mfn_to_page(mfn));
}

const struct pirq_operations hardware_pirqs = {
    .map_gsi = hardware_map_gsi,
    .unmap = hardware_unmap,
    .reserve = hardware_reserve,
    .bind = hardware_bind,
    .unbind = hardware_unbind,
    .eoi = hardware_eoi,
    .needs_eoi = hardware_needs_eoi,
};

/* ---- Whose pirqs ---- */

static const struct pirq_operations *pirqs_of(const struct domain *d)
{
    return guest_kind(d)->pirqs;
}

int pirq_map_gsi(struct domain *d, unsigned gsi, int pirq_wanted)
{
    return pirqs_of(d)->map_gsi(d, gsi, pirq_wanted);
}

int pirq_unmap(struct domain *d, int pirq)
{
    return pirqs_of(d)->unmap(d, pirq);
}

int pirq_reserve(struct domain *d, bool msi)
{
    return pirqs_of(d)->reserve(d, msi);
}

int pirq_bind(struct domain *d, int pirq, bool share)
{
    return pirqs_of(d)->bind(d, pirq);
}

void pirq_unbind(struct domain *d, int pirq)
{
    pirqs_of(d)->unbind(d, pirq);
}

int pirq_eoi(struct domain *d, int pirq)
{
    return pirqs_of(d)->eoi(d, pirq);
}

bool pirq_needs_eoi(struct domain *d, int pirq)
{
    return pirqs_of(d)->needs_eoi(d, pirq);
}
