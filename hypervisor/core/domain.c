/*
 * Domains: creation, lookup, pausing, shutting down, taking apart.
 */
#include <hv/acpi.h>
#include <hv/bootinfo.h>
#include <hv/claim.h>
#include <hv/console.h>
#include <hv/domain_log.h>
#include <hv/cpu.h>
#include <hv/domain.h>
#include <hv/event_channel.h>
#include <hv/grant_table.h>
#include <hv/guest_kind.h>
#include <hv/irq.h>
#include <hv/page_alloc.h>
#include <hv/page_type.h>
#include <hv/policy.h>
#include <hv/sched.h>
#include <hv/time.h>
#include <xen/sched.h>

struct domain *dom0;
struct domain idle_domain = {.id = DOMID_IDLE_, .is_idle = true, .references = 1};
struct domain xen_domain = {.id = DOMID_XEN, .references = 1}, io_domain = {.id = DOMID_IO, .references = 1};

static struct spinlock domain_list_lock = SPINLOCK_INIT(LOCK_DOMAIN_LIST);
static struct domain *domain_table[DOMID_FIRST_RESERVED];

static void init_locks(struct domain *d)
{
    spin_lock_init(&d->lock, LOCK_DOMAIN);
    spin_lock_init(&d->page_lock, LOCK_DOMAIN_PAGES);
    spin_lock_init(&d->pt_lock, LOCK_PAGE_TABLES);
}

static void init_special(struct domain *d)
{
    init_locks(d);
    d->page_list = d->xenheap_list = d->parked_list = PAGE_NONE;
    d->max_pages = ~0UL;
}

void domain_init(void)
{
    init_special(&idle_domain);
    init_special(&xen_domain);
    init_special(&io_domain);
}

struct domain *domain_find(domid_t id)
{
    if (id < DOMID_FIRST_RESERVED)
        return READ_ONCE(domain_table[id]);
    return id == DOMID_XEN ? &xen_domain : id == DOMID_IO ? &io_domain : NULL;
}

/* A lookup takes its reference only while there is one: without any, d is on its way to be freed. List lock held. */
static bool try_hold(struct domain *d)
{
    int count = READ_ONCE(d->references);
    while (count &&
           !__atomic_compare_exchange_n(&d->references, &count, count + 1, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
        ;
    return count;
}

struct domain *domain_get_in_any_state(domid_t id)
{
    if (id >= DOMID_FIRST_RESERVED)
        return NULL;
    spin_lock(&domain_list_lock);
    struct domain *d = domain_table[id];
    if (d && (!d->listed || !try_hold(d)))
        d = NULL;
    spin_unlock(&domain_list_lock);
    return d;
}

static struct domain *only_alive(struct domain *d)
{
    if (!d || READ_ONCE(d->dying) == DOMAIN_ALIVE)
        return d;
    domain_put(d);
    return NULL;
}

struct domain *domain_get(domid_t id)
{
    return only_alive(domain_get_in_any_state(id));
}

struct domain *domain_get_any(domid_t id)
{
    if (id != DOMID_SELF)
        return domain_get(id);
    domain_hold(current->domain);
    return current->domain;
}

struct domain *domain_get_next_in_any_state(domid_t from)
{
    struct domain *found = NULL;
    spin_lock(&domain_list_lock);
    for (unsigned id = from; id < DOMID_FIRST_RESERVED && !found; id++) {
        struct domain *d = domain_table[id];
        if (d && d->listed && try_hold(d))
            found = d;
    }
    spin_unlock(&domain_list_lock);
    return found;
}

struct domain *domain_get_next(domid_t from)
{
    struct domain *d;
    while ((d = domain_get_next_in_any_state(from)) != NULL) {
        from = (domid_t)(d->id + 1);
        if (only_alive(d))
            break;
    }
    return d;
}

void domain_hold(struct domain *d)
{
    ASSERT(READ_ONCE(d->references) > 0);
    __atomic_add_fetch(&d->references, 1, __ATOMIC_RELAXED);
}

static void domain_free(struct domain *d)
{
    struct vcpu *v;
    sched_remove_domain(d);
    for_each_vcpu(d, v)
        vcpu_free(v);
    event_channels_free(d);
    grant_table_free(d);
    if (guest_kind(d)->domain_destroy)
        guest_kind(d)->domain_destroy(d);
    free(d->vcpu);
    free(d->cpu_policy.leaf);
    free(d->cpu_policy.msr);
    free(d->e820);
    free(d);
}

void domain_put(struct domain *d)
{
    if (__atomic_sub_fetch(&d->references, 1, __ATOMIC_ACQ_REL))
        return;
    spin_lock(&domain_list_lock);
    domain_table[d->id] = NULL;
    spin_unlock(&domain_list_lock);
    domain_log(LOG_DEBUG, d, "freed");
    domain_free(d);
}

/* Ids grow before they are used again, so that logs are not ambiguous. */
static int choose_id(domid_t wanted, struct domain *d)
{
    static unsigned last;
    int err = -EEXIST;
    spin_lock(&domain_list_lock);
    if (wanted != DOMID_INVALID) {
        if (!domain_table[wanted])
            err = 0;
    } else {
        err = -ENOMEM;
        for (unsigned n = 0; n < DOMID_FIRST_RESERVED && err; n++) {
            last = last + 1 >= DOMID_FIRST_RESERVED ? 1 : last + 1;
            if (!domain_table[last]) {
                wanted = (domid_t)last;
                err = 0;
            }
        }
    }
    if (!err) {
        d->id = wanted;
        domain_table[wanted] = d;
    }
    spin_unlock(&domain_list_lock);
    return err;
}

/* From here on lookups find it: it has all its parts. */
static void list_domain(struct domain *d)
{
    spin_lock(&domain_list_lock);
    d->listed = true;
    spin_unlock(&domain_list_lock);
}

static int create_parts(struct domain *d, const struct xen_domctl_createdomain *config)
{
    const struct guest_kind *kind = config->flags & XEN_DOMCTL_CDF_hvm ? &hvm_guest : &pv_guest;
    int err = kind->domain_init ? kind->domain_init(d, config) : 0;
    if (!err)
        err = event_channels_init(d, config->max_evtchn_port);
    if (!err)
        err = grant_table_init(d, config->max_grant_frames, config->max_maptrack_frames, config->grant_opts & 0xf);
    if (!err && !(d->shared_info = domain_alloc_xenheap(d)))
        err = -ENOMEM;
    return err;
}

static void fill_fields(struct domain *d, const struct xen_domctl_createdomain *config, bool privileged)
{
    init_locks(d);
    d->references = 1;
    d->is_privileged = d->all_io = privileged;
    d->create_flags = config->flags;
    d->ssidref = config->ssidref;
    d->max_vcpus = config->max_vcpus;
    memcpy(d->handle, config->handle, sizeof(d->handle));
    d->page_list = d->xenheap_list = d->parked_list = PAGE_NONE;
    d->eoi_map_mfn = INVALID_MFN;
    d->weight = SCHED_DEFAULT_WEIGHT;
    d->shutdown_code = ~0U;
    d->pause_count = 1;
    d->controller_pauses = 1;
}

int domain_create(domid_t id, const struct xen_domctl_createdomain *config, bool privileged, struct domain **out)
{
    if (config->max_vcpus == 0 || config->max_vcpus > MAX_VCPUS)
        return -EINVAL;
    struct domain *d = zalloc(sizeof(*d));
    if (!d)
        return -ENOMEM;
    fill_fields(d, config, privileged);
    d->vcpu = zalloc(config->max_vcpus * sizeof(*d->vcpu));
    int err = d->vcpu ? choose_id(id, d) : -ENOMEM;
    if (err) {
        free(d->vcpu);
        free(d);
        return err;
    }
    err = create_parts(d, config);
    if (err) {
        domain_put(d);
        return err;
    }
    policy_label(d);
    list_domain(d);
    domain_update_wallclock(d);
    *out = d;
    return 0;
}

static void freeze_timers(struct domain *d, bool freeze)
{
    if (guest_kind(d)->freeze_timers)
        guest_kind(d)->freeze_timers(d, freeze);
}

static void domain_pause(struct domain *d)
{
    struct vcpu *v;
    __atomic_add_fetch(&d->pause_count, 1, __ATOMIC_SEQ_CST);
    freeze_timers(d, true);
    for_each_vcpu(d, v)
        vcpu_sleep(v);
}

void domain_pause_sync(struct domain *d)
{
    struct vcpu *v;
    ASSERT(d != current->domain);
    domain_pause(d);
    for_each_vcpu(d, v)
        vcpu_sleep_sync(v);
}

void domain_unpause(struct domain *d)
{
    struct vcpu *v;
    freeze_timers(d, false);
    if (__atomic_sub_fetch(&d->pause_count, 1, __ATOMIC_SEQ_CST))
        return;
    for_each_vcpu(d, v)
        vcpu_wake(v);
}

/* The first of them pauses and the last one lets go, under the lock with their count. */
int domain_pause_by_controller(struct domain *d)
{
    struct vcpu *v;
    int err = 0;
    spin_lock(&d->lock);
    if (d->controller_pauses == MAX_CONTROLLER_PAUSES)
        err = -EOVERFLOW;
    else if (!d->controller_pauses++)
        domain_pause(d);
    spin_unlock(&d->lock);
    for_each_vcpu(d, v)
        vcpu_sleep_sync(v);
    return err;
}

int domain_unpause_by_controller(struct domain *d)
{
    int err = 0;
    spin_lock(&d->lock);
    d->creation_finished = true;
    if (!d->controller_pauses)
        err = -EINVAL;
    else if (!--d->controller_pauses)
        domain_unpause(d);
    spin_unlock(&d->lock);
    return err;
}

/* Domain-0 said shutdown, reboot or crash: so does the machine. */
static void __noreturn hardware_domain_shutdown(unsigned reason)
{
    log_info("Domain-0 asks for %s", reason == SHUTDOWN_poweroff ? "power-off"
                                     : reason == SHUTDOWN_reboot ? "reboot"
                                                                 : "a stop");
    if (reason == SHUTDOWN_poweroff)
        machine_power_off();
    if (reason == SHUTDOWN_crash && bootinfo.options.noreboot)
        panic("Domain-0 crashed by its own account; `noreboot' keeps the machine here");
    machine_reboot();
}

void domain_shutdown(struct domain *d, unsigned reason)
{
    spin_lock(&d->lock);
    bool first = !d->is_shut_down;
    if (d->shutdown_code == ~0U)
        d->shutdown_code = reason;
    if (first) {
        d->is_shutting_down = d->is_shut_down = true;
        if (!d->is_privileged)
            domain_pause(d);
    }
    spin_unlock(&d->lock);
    if (d->is_privileged)
        hardware_domain_shutdown(reason);
    if (!first)
        return;
    domain_log(LOG_DEBUG, d, "shut down, reason %u", reason);
    send_guest_global_virq(dom0, VIRQ_DOM_EXC);
}

void domain_resume(struct domain *d)
{
    spin_lock(&d->lock);
    bool was = d->is_shut_down;
    d->is_shutting_down = d->is_shut_down = false;
    d->shutdown_code = ~0U;
    if (was)
        domain_unpause(d);
    spin_unlock(&d->lock);
}

void domain_crash(struct domain *d, const char *format, ...)
{
    char reason[160];
    va_list args;
    va_start(args, format);
    vsnprintf(reason, sizeof(reason), format, args);
    va_end(args);
    if (d->is_privileged)
        panic_regs(guest_regs(), "Domain-0 crashed: %s", reason);
    domain_log(LOG_ERROR, d, "crashed: %s", reason);
    if (current->domain == d) {
        const struct cpu_user_regs *r = guest_regs();
        domain_log(LOG_INFO, d, "rip %lx rsp %lx rflags %lx cr3 %lx rax %lx rcx %lx rdi %lx rsi %lx", r->rip, r->rsp,
                   r->rflags, this_cpu()->current_cr3, r->rax, r->rcx, r->rdi, r->rsi);
    }
    domain_shutdown(d, SHUTDOWN_crash);
}

static int step_release_vcpus(struct domain *d)
{
    struct vcpu *v;
    for_each_vcpu(d, v) {
        vcpu_unregister_info(v);
        if (d->dying == DOMAIN_DYING && guest_kind(d)->vcpu_release)
            guest_kind(d)->vcpu_release(v);
    }
    return 0;
}

static int step_free_shared(struct domain *d)
{
    pirq_release_domain(d);
    grant_table_release_frames(d);
    domain_free_xenheap(d, wallclock_take_page(d));
    memory_claim_drop(d);
    return 0;
}

static int step_release_own(struct domain *d)
{
    return guest_kind(d)->domain_relinquish ? guest_kind(d)->domain_relinquish(d) : 0;
}

static int step_release_memory(struct domain *d)
{
    return guest_kind(d)->relinquish_memory(d);
}

/* What a dying domain gives back, in order; each step may say -ERESTART and is entered again. */
static int (*const relinquish_steps[])(struct domain *d) = {
    event_channels_close_all, grant_table_release_mappings, step_release_vcpus, step_release_own,
    step_free_shared,         step_release_memory,
};

int domain_kill(struct domain *d)
{
    if (d == current->domain || d->is_privileged)
        return -EINVAL;
    if (d->dying == DOMAIN_DEAD)
        return 0;
    if (d->dying == DOMAIN_ALIVE) {
        domain_pause_sync(d);
        spin_lock(&d->lock);
        d->dying = DOMAIN_DYING;
        spin_unlock(&d->lock);
    }
    while (d->relinquish_step < ARRAY_SIZE(relinquish_steps)) {
        int err = relinquish_steps[d->relinquish_step](d);
        if (err)
            return err;
        d->relinquish_step++;
    }
    d->dying = DOMAIN_DEAD;
    send_guest_global_virq(dom0, VIRQ_DOM_EXC);
    domain_put(d); /* the reference of its life */
    return 0;
}
