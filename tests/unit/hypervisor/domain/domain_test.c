/*
 * A domain's life, with the real core/domain.c and core/domain_pages.c: who finds it, what ends it, how it is paused.
 * Another CPU acts at the moments that decide: while this one waits for a lock, and while a part is made or taken
 * apart.
 */
#include "../../check.h"
#include <stdarg.h>
#include <string.h>
#include <hv/bootinfo.h>
#include <hv/console.h>
#include <hv/domain.h>
#include <hv/event_channel.h>
#include <hv/grant_table.h>
#include <hv/hvm.h>
#include <hv/irq.h>
#include <hv/abi_internal.h>
#include <hv/page_alloc.h>
#include <hv/page_type.h>
#include <hv/pv.h>
#include <hv/sched.h>
#include <hv/time.h>
#include <hv/vdev.h>
#include <xen/sched.h>

/* ---- The world around ---- */

static unsigned objects, frames, failing_part, steps_to_go, waited_for, virqs;
/* What another CPU does while this one waits for a lock; while it makes or ends a part. */
static void (*during_lock)(void), (*during_part)(void);

static void act_once(void (**other_cpu)(void))
{
    void (*act)(void) = *other_cpu;
    *other_cpu = NULL;
    if (act)
        act();
}
void fake_before_lock(struct spinlock *lock)
{
    act_once(&during_lock);
}
void panic_regs(const struct cpu_user_regs *regs, const char *format, ...)
{
    panic(format);
}
void *zalloc(size_t bytes)
{
    objects++;
    return calloc(1, bytes);
}
void hv_free(void *p)
{
    objects -= p != NULL;
    free(p);
}
struct page *alloc_pages(unsigned order, unsigned bits)
{
    static mfn_t next;
    frames++;
    return mfn_to_page(++next);
}
void free_pages(struct page *page, unsigned order)
{
    frames--;
}
void page_put_with_type(struct page *page)
{
    page->type--;
    page_put(page);
}
void page_put(struct page *page)
{
    if (!(__atomic_sub_fetch(&page->references, 1, __ATOMIC_RELAXED) & PAGE_REFERENCES_MASK))
        domain_free_page(page);
}

/* Parts of a domain: 1, 2, 3 are made in this order, the shared page is the last one. */
static int make_part(unsigned part)
{
    act_once(&during_part);
    return part == failing_part ? -ENOMEM : 0;
}
int hvm_domain_init(struct domain *d, const struct xen_domctl_createdomain *config)
{
    return make_part(1);
}
int event_channels_init(struct domain *d, unsigned max_port)
{
    return make_part(2);
}
int grant_table_init(struct domain *d, int max_grant_frames, int max_maptrack_frames, unsigned max_version)
{
    return make_part(3);
}
struct shared_info *wallclock_take_page(struct domain *d)
{
    struct shared_info *page = d->shared_info;
    d->shared_info = NULL;
    return page;
}
void domain_update_wallclock(struct domain *d)
{
    CHECK(d->shared_info);
}
int event_channels_close_all(struct domain *d)
{
    struct vcpu *v;
    for_each_vcpu(d, v)
        CHECK(waited_for & 1U << v->id); /* none is on a CPU any more */
    act_once(&during_part);
    return steps_to_go && steps_to_go-- ? -ERESTART : 0;
}
int grant_table_release_mappings(struct domain *d)
{
    return 0;
}
int pv_relinquish_memory(struct domain *d)
{
    return 0;
}
void vcpu_sleep_sync(struct vcpu *v)
{
    CHECK(v->domain->pause_count);
    waited_for |= 1U << v->id;
}
static unsigned slept, woken;
void vcpu_sleep(struct vcpu *v)
{
    slept++;
}
void vcpu_wake(struct vcpu *v)
{
    woken++;
}
void send_guest_global_virq(struct domain *d, unsigned virq)
{
    virqs++;
}
int hvm_domain_relinquish(struct domain *d)
{
    return 0;
}
#define NOTHING(name, ...)                                                                                             \
    void name(__VA_ARGS__)                                                                                             \
    {                                                                                                                  \
    }
NOTHING(hvm_domain_destroy, struct domain *d)
NOTHING(event_channels_free, struct domain *d)
NOTHING(grant_table_free, struct domain *d)
NOTHING(grant_table_release_frames, struct domain *d)
NOTHING(pirq_release_domain, struct domain *d)
NOTHING(memory_claim_drop, struct domain *d)
NOTHING(sched_remove_domain, struct domain *d)
NOTHING(vcpu_free, struct vcpu *v)
NOTHING(vcpu_unregister_info, struct vcpu *v)
NOTHING(pv_vcpu_release, struct vcpu *v)
NOTHING(vtimers_freeze, struct domain *d, bool freeze)

/* ---- Tests ---- */

#define GUEST 7

static struct domain control = {.is_privileged = true};

static struct domain *make(domid_t id)
{
    const struct xen_domctl_createdomain config = {.max_vcpus = 2};
    struct domain *d = NULL;
    CHECK(!domain_create(id, &config, false, &d));
    CHECK(d->shared_info && d->references >= 2);
    return d;
}

static bool is_found(struct domain *d)
{
    if (d)
        domain_put(d);
    return d;
}

static void expect_nobody(void)
{
    CHECK(!is_found(domain_get(GUEST)) && !is_found(domain_get_next(1)));
    CHECK(!is_found(domain_get_in_any_state(GUEST)) && !is_found(domain_get_next_in_any_state(1)));
}

static void expect_only_lists_show_it(void)
{
    CHECK(!is_found(domain_get(GUEST)) && !is_found(domain_get_next(1)));
    CHECK(is_found(domain_get_in_any_state(GUEST)) && is_found(domain_get_next_in_any_state(1)));
}

static void expect_alive(void)
{
    CHECK(is_found(domain_get(GUEST)) && is_found(domain_get_next(1)) && is_found(domain_get_in_any_state(GUEST)));
}

static void expect_all_gone(void)
{
    CHECK(objects == 0 && frames == 0 && !domain_find(GUEST));
    expect_nobody();
}

static void found_while_it_lives(void)
{
    struct domain *d = make(GUEST);
    expect_alive();
    CHECK(domain_find(GUEST) == d && !is_found(domain_get(GUEST + 1)) && !is_found(domain_get(DOMID_SELF)));
    CHECK(domain_create(GUEST, &(struct xen_domctl_createdomain){.max_vcpus = 1}, false, &d) == -EEXIST);
    CHECK(!domain_kill(domain_find(GUEST)));
    expect_all_gone();
}

/* A lookup while it is being made finds nothing: there is no part of it yet that it might not use. */
static void not_found_before_it_is_whole(void)
{
    for (unsigned part = 1; part <= 3; part++) {
        const struct xen_domctl_createdomain config = {.max_vcpus = 1, .flags = part == 1 ? XEN_DOMCTL_CDF_hvm : 0};
        struct domain *d;
        failing_part = part;
        during_part = expect_nobody;
        CHECK(domain_create(GUEST, &config, false, &d) == -ENOMEM);
        CHECK(!during_part);
        failing_part = 0;
        expect_all_gone();
    }
}

/* While the last reference goes, between its count's 0 and its end. */
static void not_found_when_nobody_holds_it(void)
{
    struct domain *d = make(GUEST);
    domain_hold(d);
    CHECK(!domain_kill(d));
    during_lock = expect_nobody;
    domain_put(d);
    CHECK(!during_lock);
    expect_all_gone();
}

static void only_listed_while_it_dies(void)
{
    struct domain *d = make(GUEST);
    domain_hold(d); /* as somebody who has a frame of it mapped */
    steps_to_go = 2;
    during_part = expect_only_lists_show_it;
    CHECK(domain_kill(d) == -ERESTART && !during_part && d->dying == DOMAIN_DYING);
    CHECK(domain_kill(d) == -ERESTART);
    expect_only_lists_show_it();
    virqs = 0;
    CHECK(!domain_kill(d) && d->dying == DOMAIN_DEAD && virqs == 1 && !d->shared_info);
    expect_only_lists_show_it();
    CHECK(!domain_kill(d) && virqs == 1); /* what is listed can be asked to go; it is on its way */
    CHECK(domain_find(GUEST) == d);
    domain_put(d);
    expect_all_gone();
}

/* Its frames outlive it while others have them; the structure stays that long. */
static void its_frames_keep_it(void)
{
    struct domain *d = make(GUEST);
    d->max_pages = 1;
    struct page *page = alloc_pages(0, 64);
    CHECK(!domain_assign_pages(d, page, 0) && domain_assign_pages(d, page + 1, 0) == -E2BIG);
    CHECK(!domain_kill(d) && domain_find(GUEST) == d && frames == 1);
    CHECK(domain_assign_pages(d, page, 0) == -EINVAL);
    page->references &= ~PAGE_ALLOCATED;
    page_put(page);
    expect_all_gone();
}

static void its_vcpus_stop_first(void)
{
    struct domain *d = make(GUEST);
    struct vcpu v[2] = {{.domain = d, .id = 0}, {.domain = d, .id = 1}};
    d->vcpu[0] = &v[0];
    d->vcpu[1] = &v[1];
    waited_for = 0;
    CHECK(!domain_kill(d) && waited_for == 3);
    expect_all_gone();
}

static void nobody_ends_himself(void)
{
    CHECK(domain_kill(&control) == -EINVAL);
}

/* As on the reference: `pause' twice and `unpause' once leaves it paused, and there is no unpausing what runs. */
static void pauses_count(void)
{
    struct domain *d = make(GUEST);
    CHECK(d->pause_count == 1 && d->controller_pauses == 1 && !d->creation_finished);
    CHECK(!domain_pause_by_controller(d) && !domain_unpause_by_controller(d));
    CHECK(d->pause_count == 1 && d->controller_pauses == 1);
    CHECK(!domain_unpause_by_controller(d) && d->pause_count == 0 && d->creation_finished);
    CHECK(domain_unpause_by_controller(d) == -EINVAL && d->pause_count == 0);
    for (unsigned i = 0; i < MAX_CONTROLLER_PAUSES; i++)
        CHECK(!domain_pause_by_controller(d));
    CHECK(domain_pause_by_controller(d) == -EOVERFLOW && d->pause_count == 1);
    CHECK(!domain_kill(d));
    expect_all_gone();
}

static void shutting_down(void)
{
    struct domain *d = make(GUEST);
    CHECK(!domain_unpause_by_controller(d));
    virqs = 0;
    domain_shutdown(d, SHUTDOWN_reboot);
    domain_shutdown(d, SHUTDOWN_crash);
    CHECK(d->is_shut_down && d->shutdown_code == SHUTDOWN_reboot && d->pause_count == 1 && virqs == 1);
    domain_resume(d);
    CHECK(!d->is_shut_down && d->pause_count == 0);
    domain_resume(d);
    CHECK(d->pause_count == 0);
    CHECK(!domain_kill(d));
    expect_all_gone();
}

/* Numbers grow: a log names one domain by one number. */
static void numbers_are_not_used_again_soon(void)
{
    domid_t last = 0;
    for (unsigned i = 0; i < 5; i++) {
        struct domain *d = make(DOMID_INVALID);
        CHECK(d->id > last);
        last = d->id;
        CHECK(!domain_kill(d));
    }
    expect_all_gone();
}

int main(void)
{
    static struct vcpu v = {.domain = &control};
    fake_current[0] = &v;
    domain_init();
    dom0 = &control;
    found_while_it_lives();
    not_found_before_it_is_whole();
    not_found_when_nobody_holds_it();
    only_listed_while_it_dies();
    its_frames_keep_it();
    its_vcpus_stop_first();
    nobody_ends_himself();
    pauses_count();
    shutting_down();
    numbers_are_not_used_again_soon();
    puts("domain: ok");
    return 0;
}
