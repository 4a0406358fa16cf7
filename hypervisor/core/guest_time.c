/*
 * What guests are told of the time: the clock of each vcpu, by which it computes system time itself, and the date in
 * the page that each domain shares with us. Source: xen/xen.h, struct vcpu_time_info and struct shared_info.
 */
#include <hv/clock_scale.h>
#include <hv/compat.h>
#include <hv/cpu.h>
#include <hv/domain_tsc.h>
#include <hv/guest_copy.h>
#include <hv/time.h>

/* ns since 1970 at system time 0. */
static uint64_t wallclock_base;
static struct spinlock wallclock_lock = SPINLOCK_INIT(LOCK_WALL_CLOCK);

void wallclock_get(uint64_t *seconds, uint32_t *nanoseconds)
{
    unsigned long flags = spin_lock_irqsave(&wallclock_lock);
    uint64_t base = wallclock_base;
    spin_unlock_irqrestore(&wallclock_lock, flags);
    *seconds = base / NS_PER_SECOND;
    *nanoseconds = (uint32_t)(base % NS_PER_SECOND);
}

void wallclock_set(uint64_t seconds, uint32_t nanoseconds, ns_t at)
{
    unsigned long flags = spin_lock_irqsave(&wallclock_lock);
    wallclock_base = seconds * NS_PER_SECOND + nanoseconds - at;
    spin_unlock_irqrestore(&wallclock_lock, flags);
}

_Static_assert(sizeof(struct vcpu_time_info) == 32, "ABI: vcpu_time_info");
_Static_assert(offsetof(struct vcpu_time_info, tsc_to_system_mul) == 24, "ABI: vcpu_time_info");

/* The guest's second copy (VCPUOP_register_vcpu_time_memory_area), by its own address and rights. A fault is
 * the guest's wish: it then reads what was there. */
static void copy_time_to_guest(unsigned long address, const struct vcpu_time_info *time)
{
    const size_t version_bytes = sizeof(time->version);
    uint32_t version = time->version | 1;
    if (copy_to_guest_va(address, &version, version_bytes))
        return;
    barrier();
    if (copy_to_guest_va(address + version_bytes, (const uint8_t *)time + version_bytes, sizeof(*time) - version_bytes))
        return;
    barrier();
    version++;
    (void)!copy_to_guest_va(address, &version, version_bytes);
}

void vcpu_update_time(struct vcpu *v)
{
    const struct tsc_anchor anchor = domain_tsc_anchor(v->domain);
    struct vcpu_time_info *time = &v->info->time;
    uint32_t version = (READ_ONCE(time->version) | 1) + 2;
    WRITE_ONCE(time->version, version);
    barrier();
    time->tsc_timestamp = anchor.count + (v->hvm ? v->hvm->tsc_offset : 0); /* as the guest reads it */
    time->system_time = anchor.time;
    time->tsc_to_system_mul = anchor.scale.multiplier;
    time->tsc_shift = anchor.scale.shift;
    time->flags = v->domain->tsc.emulated || cpu_features.invariant_tsc ? XEN_PVCLOCK_TSC_STABLE_BIT : 0;
    barrier();
    WRITE_ONCE(time->version, version + 1);
    unsigned long to = READ_ONCE(v->time_guest); /* another vcpu may register another one now */
    if (v == current && to) {
        struct vcpu_time_info copy = *time;
        copy.version = version;
        copy_time_to_guest(to, &copy);
    }
}

/* Guests' pages are written under wallclock_lock: each is whole, none is older than one before, and a page that was
 * taken away is written no more. */
struct wallclock_fields {
    uint32_t *version, *seconds, *seconds_high, *nanoseconds;
};

static struct wallclock_fields wallclock_fields(const struct domain *d)
{
    struct shared_info *shared = d->shared_info;
    struct compat_shared_info *compat = compat_shared_info(d);
    if (has_compat_layout(d))
        return (struct wallclock_fields){&compat->wc_version, &compat->wc_sec, &compat->wc_sec_hi, &compat->wc_nsec};
    return (struct wallclock_fields){&shared->wc_version, &shared->wc_sec, &shared->wc_sec_hi, &shared->wc_nsec};
}

static void write_wallclock(const struct domain *d)
{
    struct wallclock_fields fields = wallclock_fields(d);
    uint64_t seconds = wallclock_base / NS_PER_SECOND + (uint64_t)d->time_offset_seconds;
    uint32_t version = (READ_ONCE(*fields.version) | 1) + 2;
    WRITE_ONCE(*fields.version, version);
    barrier();
    *fields.seconds = (uint32_t)seconds;
    *fields.seconds_high = (uint32_t)(seconds >> 32);
    *fields.nanoseconds = (uint32_t)(wallclock_base % NS_PER_SECOND);
    barrier();
    WRITE_ONCE(*fields.version, version + 1);
}

void domain_update_wallclock(struct domain *d)
{
    unsigned long flags = spin_lock_irqsave(&wallclock_lock);
    if (d->shared_info)
        write_wallclock(d);
    spin_unlock_irqrestore(&wallclock_lock, flags);
}

struct shared_info *wallclock_take_page(struct domain *d)
{
    unsigned long flags = spin_lock_irqsave(&wallclock_lock);
    struct shared_info *page = d->shared_info;
    WRITE_ONCE(d->shared_info, NULL);
    spin_unlock_irqrestore(&wallclock_lock, flags);
    return page;
}
