#include "fake.h"
#include <hv/compat.h>
#include <hv/console.h>
#include <hv/hypercall.h>
#include <hv/irq.h>
#include <hv/policy.h>

unsigned cpu_count = 2;
unsigned fake_flushes, fake_fail_allocation;
static unsigned objects;
static bool ept_1g;

static bool never(void)
{
    return true;
}
static const struct hvm_vendor npt = {.name = "npt", .init = never}, ept = {.name = "ept", .uses_ept = true};
const struct hvm_vendor *hvm_vendor;

struct domain guest, control;
static struct hvm_domain guest_hvm;
static struct vcpu vcpus[3], *guest_vcpu[2] = {&vcpus[0], &vcpus[1]}, *control_vcpu[1] = {&vcpus[2]};
static struct hvm_vcpu hvm_vcpus[2];

bool fake_mappings_forgotten;

void hvm_forget_mappings(struct vcpu *v)
{
    fake_mappings_forgotten = true;
}

void fake_be(struct vcpu *v)
{
    current = v;
}

static void may_wait(const char *what)
{
    if (fake_irqs_off)
        panic("%s with interrupts off", what);
}

bool rdmsr_safe(uint32_t msr, uint64_t *value)
{
    *value = ept_1g ? 1UL << 17 : 0;
    return msr == 0x48c;
}

void call_on_cpus(const void *cpumask, void (*function)(void *data), void *data)
{
    may_wait("call_on_cpus");
    CHECK_EQUAL(2, ((const cpumask_t *)cpumask)->bits[0]);
    fake_flushes++;
    function(data);
}

/* ---- frames ---- */

/* Frame 0 is never given out. */
static bool is_free(mfn_t mfn)
{
    return mfn && (fake_page[mfn].references & PAGE_FREE);
}

static mfn_t take(unsigned order)
{
    for (mfn_t mfn = 0; mfn < FAKE_FRAMES; mfn += 1UL << order) {
        mfn_t n = 0;

        while (n < 1UL << order && is_free(mfn + n))
            n++;
        if (n < 1UL << order)
            continue;
        for (n = 0; n < 1UL << order; n++)
            fake_page[mfn + n] = (struct page){.references = PAGE_OF(DOMID_INVALID)};
        return mfn;
    }
    return INVALID_MFN;
}

unsigned fake_used(void)
{
    unsigned used = 0;

    for (mfn_t mfn = 1; mfn < FAKE_FRAMES; mfn++)
        used += !is_free(mfn);
    return used;
}

static bool allocation_fails(void)
{
    return fake_fail_allocation && --fake_fail_allocation == 0;
}

struct page *alloc_pages(unsigned order, unsigned address_bits)
{
    mfn_t mfn;

    may_wait("alloc_pages");
    mfn = allocation_fails() ? INVALID_MFN : take(order);
    return mfn == INVALID_MFN ? NULL : mfn_to_page(mfn);
}

void *alloc_zeroed_pages(unsigned order)
{
    struct page *page = alloc_pages(order, 0);

    return page ? memset(page_to_virt(page), 0, PAGE_SIZE << order) : NULL;
}

void free_virtual_pages(void *va, unsigned order)
{
    may_wait("free_virtual_pages");
    memset(va, 0xed, PAGE_SIZE << order); /* as entries: present, of memory that is not there */
    for (mfn_t n = 0; n < 1UL << order; n++) {
        CHECK(!is_free(virt_to_mfn(va) + n));
        fake_page[virt_to_mfn(va) + n].references = PAGE_FREE;
    }
}

uint64_t free_page_count(void)
{
    return FAKE_FRAMES - 1 - fake_used();
}

void *zalloc(size_t bytes)
{
    may_wait("zalloc");
    if (allocation_fails())
        return NULL;
    objects++;
    return calloc(1, bytes);
}

void hv_free(void *object)
{
    may_wait("free");
    objects -= object != NULL;
    free(object);
}

mfn_t fake_frame_of(struct domain *d, unsigned order)
{
    mfn_t mfn = take(order);

    if (mfn == INVALID_MFN)
        panic("the machine is out of frames");
    for (mfn_t n = 0; n < 1UL << order; n++) {
        fake_page[mfn + n] = (struct page){.references = PAGE_OF(d->id) | PAGE_ALLOCATED | 1};
        memset(fake_ram[mfn + n], 0, PAGE_SIZE);
        d->pages++;
    }
    return mfn;
}

struct page *domain_alloc_pages(struct domain *d, unsigned order, unsigned address_bits)
{
    if (d->pages + (1UL << order) > d->max_pages || allocation_fails())
        return NULL;
    return mfn_to_page(fake_frame_of(d, order));
}

mfn_t fake_ram_at(gfn_t gfn, unsigned order)
{
    mfn_t mfn = fake_frame_of(&guest, order);

    CHECK_EQUAL(0, p2m_set(&guest, gfn, mfn, order, P2M_RAM));
    return mfn;
}

unsigned fake_references(mfn_t mfn)
{
    return (unsigned)(fake_page[mfn].references & PAGE_REFERENCES_MASK);
}

unsigned fake_type_references(mfn_t mfn)
{
    return (unsigned)(fake_page[mfn].type & TYPE_COUNT_MASK);
}

bool page_get_owned(struct page *page)
{
    if (!(page->references & PAGE_REFERENCES_MASK) || (page->references & PAGE_FREE))
        return false;
    page->references++;
    return true;
}

bool page_get(struct page *page, const struct domain *d)
{
    return page->owner == d->id && page_get_owned(page);
}

void page_put(struct page *page)
{
    CHECK(page->references & PAGE_REFERENCES_MASK);
    if (--page->references & PAGE_REFERENCES_MASK)
        return;
    CHECK(!(page->references & PAGE_ALLOCATED) && !(page->type & TYPE_COUNT_MASK));
    (page->owner == guest.id ? &guest : &control)->pages--;
    fake_m2p[page_to_mfn(page)] = M2P_INVALID;
    page->references = PAGE_FREE;
}

int page_get_type(struct page *page, uint64_t type)
{
    CHECK(type == TYPE_WRITABLE);
    page->type = type | ((page->type & TYPE_COUNT_MASK) + 1);
    return 0;
}

void page_put_type(struct page *page)
{
    CHECK(page->type & TYPE_COUNT_MASK);
    page->type--;
}

int page_get_with_type(struct page *page, const struct domain *d, uint64_t type)
{
    return page_get(page, d) ? page_get_type(page, type) : -EINVAL;
}

void page_put_with_type(struct page *page)
{
    page_put_type(page);
    page_put(page);
}

/* ---- domains ---- */

struct domain *domain_get_any(domid_t id)
{
    struct domain *d = id == DOMID_SELF   ? current->domain
                       : id == guest.id   ? &guest
                       : id == control.id ? &control
                                          : NULL;
    if (d)
        domain_hold(d);
    return d;
}

struct domain *domain_get(domid_t id)
{
    return id == DOMID_SELF ? NULL : domain_get_any(id);
}

int domain_get_for_caller(domid_t id, struct domain **out)
{
    *out = domain_get_any(id);
    if (!*out)
        return -ESRCH;
    int error = *out == current->domain ? 0 : allowed_on(current->domain, POLICY_VERB_CONTROL, *out);
    if (error)
        domain_put(*out);
    return error;
}

/* Two frames of a table, made on demand, where there are no real grant tables. */
static void *grant_frame[2];

__attribute__((weak)) int grant_table_get_frame(struct domain *d, unsigned long index, bool status, mfn_t *mfn)
{
    if (index >= 2 || status)
        return -EINVAL;
    if (!grant_frame[index])
        grant_frame[index] = mfn_to_virt(fake_frame_of(d, 0));
    *mfn = virt_to_mfn(grant_frame[index]);
    return 0;
}

unsigned long copy_guest_bytes(void *to, const void *from, unsigned long bytes)
{
    memcpy(to, from, bytes);
    return 0;
}

unsigned long clear_guest_bytes(void *to, unsigned long bytes)
{
    memset(to, 0, bytes);
    return 0;
}

void fake_start(bool use_ept, bool can_1g)
{
    memset(fake_ram, 0xee, FAKE_FRAMES * PAGE_SIZE);
    for (mfn_t mfn = 0; mfn < FAKE_FRAMES; mfn++) {
        fake_page[mfn] = (struct page){.references = PAGE_FREE | PAGE_OF(DOMID_INVALID)};
        fake_m2p[mfn] = M2P_INVALID;
    }
    hvm_vendor = use_ept ? &ept : &npt;
    ept_1g = cpu_features.page1gb = can_1g;
    cpu_features.physical_address_bits = 40;
    memset(&guest_hvm, 0, sizeof(guest_hvm));
    memset(hvm_vcpus, 0, sizeof(hvm_vcpus));
    memset(vcpus, 0, sizeof(vcpus));
    guest = (struct domain){
        .id = 5, .references = 1, .max_vcpus = 2, .vcpu = guest_vcpu, .hvm = &guest_hvm, .max_pages = FAKE_FRAMES};
    control = (struct domain){.id = 0,
                              .references = 1,
                              .is_privileged = true,
                              .max_vcpus = 1,
                              .vcpu = control_vcpu,
                              .max_pages = FAKE_FRAMES};
    for (unsigned i = 0; i < 3; i++) {
        vcpus[i].id = i % 2;
        vcpus[i].domain = i < 2 ? &guest : &control;
        vcpus[i].hvm = i < 2 ? &hvm_vcpus[i] : NULL;
        vcpus[i].context_saved = true;
        vcpus[i].info_mfn = INVALID_MFN;
    }
    cpus[1].id = 1;
    vcpus[1].cpu = &cpus[1];
    vcpus[1].is_running = true;
    cpu_info()->cpu = &cpus[0];
    fake_be(&vcpus[2]);
    fake_flushes = fake_fail_allocation = 0;
    fake_yield_every(0);
    CHECK_EQUAL(0, p2m_init(&guest));
}

static void drop_frames_of(struct domain *d)
{
    for (mfn_t mfn = 1; mfn < FAKE_FRAMES; mfn++)
        if (!is_free(mfn) && fake_page[mfn].owner == d->id && (fake_page[mfn].references & PAGE_ALLOCATED)) {
            fake_page[mfn].references &= ~PAGE_ALLOCATED;
            CHECK_EQUAL(1, fake_references(mfn));
            CHECK_EQUAL(0, fake_type_references(mfn));
            page_put(mfn_to_page(mfn));
        }
}

void fake_stop(void)
{
    int error;

    fake_yield_every(2);
    do
        error = p2m_relinquish(&guest);
    while (error == -ERESTART);
    CHECK_EQUAL(0, error);
    drop_frames_of(&guest);
    drop_frames_of(&control);
    p2m_destroy(&guest);
    grant_frame[0] = grant_frame[1] = NULL;
    CHECK_EQUAL(0, fake_used());
    CHECK_EQUAL(0, objects);
    CHECK_EQUAL(0, guest.pages);
    CHECK_EQUAL(1, guest.references);
    CHECK_EQUAL(1, control.references);
}

unsigned fake_viridian_marks;
void viridian_mark_pages(struct domain *d)
{
    fake_viridian_marks++;
}
