/*
 * Stand-ins for what abi/ asks of the rest of the hypervisor, simple enough to be seen to be right.
 */
#include <stdio.h>
#include <stdlib.h>

#include "fake.h"
#include <hv/acpi.h>
#include <hv/bootinfo.h>
#include <hv/console.h>
#include <hv/cpu_policy.h>
#include <hv/event_channel.h>
#include <hv/grant_table.h>
#include <hv/guest_copy.h>
#include <hv/hvm.h>
#include <hv/page_type.h>
#include <hv/pagetable.h>
#include <hv/policy.h>
#include <hv/pv.h>
#include <hv/sched.h>
#include <hv/time.h>
#include <hv/tlb.h>
#include <hv/xstate.h>

#define MAX_DOMAINS 16

struct domain *dom0;
struct acpi_facts acpi;
unsigned cpu_count = 2;
volatile uint64_t tlbflush_clock = 7;
unsigned fake_kill_steps;

static struct domain *domains[MAX_DOMAINS];
static const char *fault_start, *fault_end;
static bool fault_read;

/* What was said of a domain last. */
char fake_said[200];
void domain_log(enum log_level level, struct domain *d, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(fake_said, sizeof(fake_said), format, args);
    va_end(args);
}

int domain_refuse(struct domain *d, int error, const char *option)
{
    domain_log(LOG_WARNING, d, "%s", option);
    return error;
}

size_t strlcpy(char *to, const char *from, size_t size)
{
    snprintf(to, size, "%s", from);
    return strlen(from);
}

/* ---- world ---- */

static void free_domains(void)
{
    for (unsigned i = 0; i < MAX_DOMAINS; i++) {
        if (domains[i]) {
            free(domains[i]->e820);
            free(domains[i]->vcpu[0]);
            free(domains[i]->vcpu);
            free(domains[i]->shared_info);
            free(domains[i]);
        }
        domains[i] = NULL;
    }
}

void fake_reset(void)
{
    free_domains();
    memset(fake_ram, 0xa5, FAKE_FRAMES * PAGE_SIZE);
    for (unsigned i = 0; i < FAKE_FRAMES; i++) {
        fake_page[i] = (struct page){.references = PAGE_FREE | PAGE_OF(DOMID_INVALID)};
        fake_m2p[i] = M2P_INVALID;
    }
    memset(&bootinfo, 0, sizeof(bootinfo));
    memset(&cpus, 0, sizeof(cpus));
    cpus[0].online = cpus[1].online = true;
    cpus[1].id = 1;
    fake_fault(NULL, 0, false);
    fake_yield_every(0);
    dom0 = fake_domain(0, FAKE_FRAMES);
    dom0->is_privileged = true;
    fake_be(dom0);
}

struct domain *fake_domain(domid_t id, uint64_t max_pages)
{
    struct domain *d = calloc(1, sizeof(*d));

    d->id = id;
    d->references = 1;
    d->max_pages = max_pages;
    d->max_vcpus = 1;
    d->vcpu = calloc(1, sizeof(*d->vcpu));
    d->vcpu[0] = calloc(1, sizeof(struct vcpu));
    d->vcpu[0]->domain = d;
    d->shared_info = calloc(1, PAGE_SIZE);
    d->vcpu[0]->info = &d->shared_info->vcpu_info[0];
    for (unsigned i = 0; i < MAX_DOMAINS; i++)
        if (!domains[i]) {
            domains[i] = d;
            return d;
        }
    panic("too many domains");
}

static struct domain *find_domain(domid_t id)
{
    for (unsigned i = 0; i < MAX_DOMAINS; i++)
        if (domains[i] && domains[i]->id == id)
            return domains[i];
    return NULL;
}

void fake_be(struct domain *d)
{
    current = d->vcpu[0];
}

void fake_fault(const void *start, size_t bytes, bool read)
{
    fault_start = start;
    fault_end = fault_start + bytes;
    fault_read = read;
}

long run_hypercall(hypercall_handler handler, uint64_t a0, uint64_t a1, uint64_t a2)
{
    struct hypercall call = {.arg = {a0, a1, a2}};
    long result;

    do
        result = handler(&call);
    while (result == -ERESTART);
    return result;
}

void fake_check_frames(const char *file, int line)
{
    for (unsigned i = 0; i < MAX_DOMAINS; i++) {
        unsigned count = 0;

        for (mfn_t n = 0; domains[i] && n < FAKE_FRAMES; n++) {
            uint64_t references = fake_page[n].references;

            if (fake_page[n].owner != domains[i]->id)
                continue;
            CHECK(!(references & PAGE_FREE) && references & PAGE_REFERENCES_MASK,
                  "an owned frame without references, %s:%d", file, line);
            count += !(references & PAGE_XENHEAP);
        }
        if (!domains[i])
            continue;
        CHECK_EQUAL(count, domains[i]->pages, "frames are lost or found, %s:%d", file, line);
        CHECK_EQUAL(1, domains[i]->references, "%s:%d", file, line);
    }
}

/* ---- guest memory ---- */

static bool faults(const void *at, size_t bytes, bool read)
{
    const char *p = at;

    return (!read || fault_read) && p < fault_end && p + bytes > fault_start;
}

int copy_from_guest_va(void *to, unsigned long from, size_t bytes)
{
    if (bytes && (!from || faults((void *)from, bytes, true)))
        return -EFAULT;
    if (bytes)
        memcpy(to, (void *)from, bytes);
    return 0;
}

int copy_to_guest_va(unsigned long to, const void *from, size_t bytes)
{
    if (bytes && (!to || faults((void *)to, bytes, false)))
        return -EFAULT;
    if (bytes)
        memcpy((void *)to, from, bytes);
    return 0;
}

int clear_guest_va(unsigned long to, size_t bytes)
{
    if (!to || faults((void *)to, bytes, false))
        return -EFAULT;
    memset((void *)to, 0, bytes);
    return 0;
}

int copy_to_domain_mfn(struct domain *d, mfn_t mfn, size_t offset, const void *from, size_t bytes)
{
    if (mfn >= FAKE_FRAMES || fake_page[mfn].owner != d->id)
        return -EINVAL;
    memcpy(fake_ram[mfn] + offset, from, bytes);
    return 0;
}

/* ---- frames ---- */

void m2p_set(mfn_t mfn, unsigned long pfn)
{
    CHECK(mfn < FAKE_FRAMES);
    fake_m2p[mfn] = pfn;
}

mfn_t m2p_extent_mfn(unsigned long index)
{
    return 0x100 + index;
}

bool mfn_is_ram(mfn_t mfn)
{
    return false;
}

static bool block_is_free(mfn_t first, unsigned order)
{
    for (mfn_t n = first; n < first + (1UL << order); n++)
        if (!(fake_page[n].references & PAGE_FREE))
            return false;
    return true;
}

struct page *alloc_pages(unsigned order, unsigned address_bits)
{
    uint64_t limit = address_bits - PAGE_SHIFT >= 12 ? FAKE_FRAMES : 1UL << (address_bits - PAGE_SHIFT);

    if (address_bits < PAGE_SHIFT)
        return NULL;
    for (mfn_t first = limit; (first -= 1UL << order) < limit;)
        if (block_is_free(first, order)) {
            for (mfn_t n = first; n < first + (1UL << order); n++)
                fake_page[n] = (struct page){.references = PAGE_OF(DOMID_INVALID)};
            return &fake_page[first];
        }
    return NULL;
}

void free_pages(struct page *page, unsigned order)
{
    for (unsigned long n = 0; n < 1UL << order; n++) {
        CHECK(!(page[n].references & ~PAGE_OF(0xffff)));
        page[n].references = PAGE_FREE | PAGE_OF(DOMID_INVALID);
    }
}

uint64_t free_page_count(void)
{
    uint64_t count = 0;

    for (mfn_t n = 0; n < FAKE_FRAMES; n++)
        count += !!(fake_page[n].references & PAGE_FREE);
    return count;
}

uint64_t total_page_count(void)
{
    return FAKE_FRAMES;
}

int domain_assign_pages(struct domain *d, struct page *page, unsigned order)
{
    if (d->pages + (1UL << order) > d->max_pages)
        return -E2BIG;
    for (unsigned long n = 0; n < 1UL << order; n++)
        page_give(&page[n], d, 0);
    d->pages += 1U << order;
    return 0;
}

struct page *domain_alloc_pages(struct domain *d, unsigned order, unsigned address_bits)
{
    struct page *page = alloc_pages(order, address_bits);

    if (page && domain_assign_pages(d, page, order)) {
        free_pages(page, order);
        return NULL;
    }
    if (page)
        memset(page_to_virt(page), 0, PAGE_SIZE << order);
    return page;
}

void domain_remove_page(struct domain *d, struct page *page)
{
    CHECK(page->owner == d->id);
    d->pages--;
}

bool page_get(struct page *page, const struct domain *d)
{
    if (page->owner != d->id || !(page->references & PAGE_REFERENCES_MASK))
        return false;
    page->references++;
    return true;
}

void page_put(struct page *page)
{
    CHECK(page->references & PAGE_REFERENCES_MASK);
    if (--page->references & PAGE_REFERENCES_MASK)
        return;
    domain_remove_page(find_domain(page->owner), page);
    free_pages(page, 0);
}

int grant_table_get_frames(struct domain *d, unsigned id, unsigned frame, unsigned nr, uint64_t *mfns)
{
    for (unsigned i = 0; i < nr; i++)
        mfns[i] = 1000 * id + frame + i;
    return 0;
}

unsigned grant_table_max_frames(const struct domain *d)
{
    return 64;
}

/* ---- domains ---- */

struct domain *domain_get_in_any_state(domid_t id)
{
    struct domain *d = find_domain(id);

    if (d)
        d->references++;
    return d;
}

static struct domain *only_alive(struct domain *d)
{
    if (!d || d->dying == DOMAIN_ALIVE)
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
    return domain_get(id == DOMID_SELF ? current->domain->id : id);
}

struct domain *domain_get_next_in_any_state(domid_t from)
{
    struct domain *best = NULL;

    for (unsigned i = 0; i < MAX_DOMAINS; i++)
        if (domains[i] && domains[i]->id >= from && (!best || domains[i]->id < best->id))
            best = domains[i];
    if (best)
        best->references++;
    return best;
}

struct domain *domain_get_next(domid_t from)
{
    struct domain *d = domain_get_next_in_any_state(from);

    return !d || d->dying == DOMAIN_ALIVE ? d : (domain_put(d), domain_get_next((domid_t)(d->id + 1)));
}

int domain_create(domid_t id, const struct xen_domctl_createdomain *config, bool privileged, struct domain **out)
{
    *out = fake_domain(id == DOMID_INVALID ? 42 : id, 0);
    return 0;
}

int domain_kill(struct domain *d)
{
    if (fake_kill_steps) {
        fake_kill_steps--;
        return -ERESTART;
    }
    d->dying = DOMAIN_DEAD;
    return 0;
}

int vcpu_set_affinity(struct vcpu *v, const cpumask_t *hard, const cpumask_t *soft)
{
    if (!(hard->bits[0] & 3))
        return -EINVAL;
    v->hard_affinity = *hard;
    v->soft_affinity = *soft;
    return 0;
}

void vcpu_get_runstate(struct vcpu *v, struct vcpu_runstate_info *out)
{
    *out = v->runstate;
}

size_t console_ring_read(char *to, size_t bytes, uint32_t *index, bool clear)
{
    static const char ring[] = "0123456789";
    size_t left = *index < sizeof(ring) - 1 ? sizeof(ring) - 1 - *index : 0;

    bytes = min(bytes, left);
    memcpy(to, ring + *index, bytes);
    *index += (uint32_t)bytes;
    return bytes;
}

/* ---- the rest is not what these tests are about: it does nothing, and says so by its value ---- */

int domain_pause_by_controller(struct domain *d)
{
    d->controller_pauses++;
    return 0;
}
int domain_unpause_by_controller(struct domain *d)
{
    d->controller_pauses--;
    return 0;
}
void domain_pause_sync(struct domain *d)
{
    d->pause_count++;
}
void domain_unpause(struct domain *d)
{
    d->pause_count--;
}
void domain_resume(struct domain *d)
{
}
int vcpu_create(struct domain *d, unsigned id, struct vcpu **out)
{
    return -ENOMEM;
}
uint64_t domain_cpu_time(struct domain *d)
{
    return 1000 + d->id;
}
bool vcpu_runnable(const struct vcpu *v)
{
    return false;
}
int sched_get_params(struct domain *d, uint32_t *weight, uint32_t *cap)
{
    *weight = d->weight;
    *cap = d->cap;
    return 0;
}
int sched_set_params(struct domain *d, uint32_t weight, uint32_t cap)
{
    d->weight = weight;
    d->cap = cap;
    return 0;
}
int xstate_import_xsave(struct vcpu *v, uint64_t xcr0, const void *area, size_t bytes)
{
    return -EINVAL;
}
void vcpu_wake(struct vcpu *v)
{
}
void vcpu_unblock(struct vcpu *v)
{
}
void cpu_raise_softirq(struct cpu *cpu, enum softirq n)
{
}
int pv_vcpu_set_context(struct vcpu *v, const struct vcpu_guest_context *context)
{
    v->regs.rip = context->user_regs.rip;
    return 0;
}
void pv_vcpu_get_context(struct vcpu *v, struct vcpu_guest_context *context)
{
    context->user_regs.rip = v->regs.rip;
}
const struct domain *fake_denied;
int policy_ask(const struct domain *subject, enum policy_verb verb, const struct domain *object)
{
    return object && object == fake_denied ? -EPERM : 0;
}
int cpu_policy_get_system(unsigned index, struct xen_cpuid_leaf *leaf, uint32_t *leaves, struct xen_msr_entry *msr,
                          uint32_t *msrs)
{
    *leaves = 3;
    *msrs = 1;
    return index > XEN_SYSCTL_cpu_policy_hvm_default ? -EINVAL : 0;
}
int cpu_policy_get_domain(struct domain *d, struct xen_cpuid_leaf *leaf, uint32_t *leaves, struct xen_msr_entry *msr,
                          uint32_t *msrs)
{
    return cpu_policy_get_system(0, leaf, leaves, msr, msrs);
}
int cpu_policy_set_domain(struct domain *d, const struct xen_cpuid_leaf *leaf, uint32_t leaves,
                          const struct xen_msr_entry *msr, uint32_t msrs, uint32_t *bad_leaf, uint32_t *bad_subleaf,
                          uint32_t *bad_msr)
{
    *bad_leaf = 7;
    return -EINVAL;
}
int cpu_featureset_get(unsigned index, uint32_t *words_out, uint32_t *words)
{
    *words = min(*words, 18U);
    memset(words_out, 0x11, *words * sizeof(*words_out));
    return 0;
}
void wallclock_set(uint64_t seconds, uint32_t nanoseconds, ns_t at)
{
}
void domain_update_wallclock(struct domain *d)
{
}
void event_channels_dump(struct domain *d)
{
}
void grant_table_dump(struct domain *d)
{
}
void *ioremap(paddr_t pa, size_t bytes, uint64_t cache_flags)
{
    return NULL;
}

/* ---- asked for HVM domains only ---- */
