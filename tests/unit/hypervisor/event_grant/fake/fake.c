/*
 * The fakes; fake.h says what they stand for.
 */
#include "fake.h"
#include <hv/console.h>
#include <hv/guest_copy.h>
#include <hv/hvm.h>
#include <hv/policy.h>
#include <pthread.h>

struct cpu cpus[NR_CPUS];
unsigned cpu_count = 2;

unsigned fake_fail_allocation, fake_objects;

#define MAX_DOMAINS 8
static struct domain *domains[MAX_DOMAINS];

/* Allocation and references are forbidden where interrupts are off: the real ones may have to wait for other CPUs. */
static void check_may_wait(const char *what)
{
    CHECK(!fake_irqs_off, "%s with interrupts off", what);
}

static bool allocation_fails(void)
{
    return fake_fail_allocation && --fake_fail_allocation == 0;
}

void *zalloc(size_t bytes)
{
    check_may_wait("zalloc");
    if (allocation_fails())
        return NULL;
    __atomic_add_fetch(&fake_objects, 1, __ATOMIC_SEQ_CST);
    return calloc(1, bytes);
}

void hv_free(void *object)
{
    check_may_wait("free");
    if (object)
        __atomic_sub_fetch(&fake_objects, 1, __ATOMIC_SEQ_CST);
    free(object);
}

/* Frames: one lock for all, as several threads may be about them. */
static pthread_mutex_t frames_lock = PTHREAD_MUTEX_INITIALIZER;

static void lock_frames(void)
{
    pthread_mutex_lock(&frames_lock);
}

static void unlock_frames(void)
{
    pthread_mutex_unlock(&frames_lock);
}

struct domain *page_owner(const struct page *page)
{
    uint64_t references = READ_ONCE(page->references);

    for (unsigned i = 0; i < MAX_DOMAINS; i++)
        if (domains[i] && (references & PAGE_REFERENCES_MASK) && domains[i]->id == references >> 48)
            return domains[i];
    return NULL;
}

static mfn_t new_frame(struct domain *d, uint64_t flags)
{
    for (mfn_t mfn = 1; mfn < FAKE_FRAMES; mfn++) {
        if (READ_ONCE(fake_page[mfn].references))
            continue;
        memset(fake_ram[mfn], 0, PAGE_SIZE);
        fake_page[mfn].type = 0;
        /* Other threads look at any frame that a guest names. */
        __atomic_store_n(&fake_page[mfn].references, PAGE_OF(d->id) | PAGE_ALLOCATED | flags | 1, __ATOMIC_RELEASE);
        return mfn;
    }
    panic("the fake machine is out of frames");
}

mfn_t fake_frame(struct domain *d)
{
    return new_frame(d, 0);
}

void fake_make_table(mfn_t mfn)
{
    fake_page[mfn].type = TYPE_L1 | TYPE_READY | 1;
    fake_page[mfn].references++;
}

unsigned fake_references(mfn_t mfn)
{
    uint64_t references = READ_ONCE(fake_page[mfn].references);

    return (references & PAGE_REFERENCES_MASK) - !!(references & PAGE_ALLOCATED);
}

unsigned fake_type_references(mfn_t mfn)
{
    return fake_page[mfn].type & TYPE_COUNT_MASK;
}

unsigned fake_frames_in_use(void)
{
    unsigned used = 0;

    for (mfn_t mfn = 0; mfn < FAKE_FRAMES; mfn++)
        used += fake_page[mfn].references != 0;
    return used;
}

static void hold_frame(struct page *page, int change)
{
    uint64_t now = __atomic_add_fetch(&page->references, (uint64_t)change, __ATOMIC_SEQ_CST);

    if ((now & PAGE_REFERENCES_MASK) == 0)
        __atomic_store_n(&page->references, 0, __ATOMIC_SEQ_CST);
}

bool page_get(struct page *page, const struct domain *d)
{
    lock_frames();
    bool is_owner = page_owner(page) == d;
    if (is_owner)
        hold_frame(page, 1);
    unlock_frames();
    return is_owner;
}

void page_put(struct page *page)
{
    check_may_wait("page_put");
    lock_frames();
    if (!(page->references & PAGE_REFERENCES_MASK))
        panic("reference count of a frame below 0");
    hold_frame(page, -1);
    unlock_frames();
}

int page_get_with_type(struct page *page, const struct domain *d, uint64_t type)
{
    int err = -EBUSY;

    lock_frames();
    if (!(page->type & TYPE_COUNT_MASK) || (page->type & TYPE_MASK) == type)
        err = page_owner(page) == d ? 0 : -EINVAL;
    if (!err) {
        hold_frame(page, 1);
        page->type = type | ((page->type & TYPE_COUNT_MASK) + 1);
    }
    unlock_frames();
    return err;
}

void (*fake_meanwhile)(void);

void page_put_with_type(struct page *page)
{
    void (*meanwhile)(void) = fake_meanwhile;

    if (meanwhile) {
        fake_meanwhile = NULL;
        meanwhile();
    }
    lock_frames();
    if (!(page->type & TYPE_COUNT_MASK))
        panic("type count of a frame below 0");
    page->type--;
    unlock_frames();
    page_put(page);
}

void *domain_alloc_xenheap(struct domain *d)
{
    check_may_wait("domain_alloc_xenheap");
    if (allocation_fails())
        return NULL;
    lock_frames();
    void *frame = mfn_to_virt(new_frame(d, PAGE_XENHEAP));
    unlock_frames();
    return frame;
}

void domain_free_xenheap(struct domain *d, void *va)
{
    struct page *page;

    if (!va)
        return;
    page = mfn_to_page(virt_to_mfn(va));
    __atomic_fetch_and(&page->references, ~PAGE_ALLOCATED, __ATOMIC_SEQ_CST);
    page_put(page);
}

/* Domains. */

struct domain *fake_domain(domid_t id, unsigned vcpus, bool privileged)
{
    struct domain *d = calloc(1, sizeof(*d));

    d->id = id;
    d->references = 1;
    d->is_privileged = privileged;
    d->max_vcpus = vcpus;
    d->vcpu = calloc(vcpus, sizeof(*d->vcpu));
    d->shared_info = aligned_alloc(4096, 4096);
    memset(d->shared_info, 0, 4096);
    for (unsigned i = 0; i < vcpus; i++) {
        struct vcpu *v = calloc(1, sizeof(*v));

        v->domain = d;
        v->id = i;
        v->info = &d->shared_info->vcpu_info[i];
        v->cpu = &cpus[i % cpu_count];
        d->vcpu[i] = v;
    }
    for (unsigned i = 0; i < MAX_DOMAINS; i++) {
        if (!domains[i]) {
            domains[i] = d;
            return d;
        }
    }
    panic("too many fake domains");
}

void fake_domain_free(struct domain *d)
{
    for (unsigned i = 0; i < MAX_DOMAINS; i++)
        if (domains[i] == d)
            domains[i] = NULL;
    for (mfn_t mfn = 0; mfn < FAKE_FRAMES; mfn++)
        if (fake_page[mfn].references && fake_page[mfn].owner == d->id) {
            CHECK_EQUAL((fake_page[mfn].type & TYPE_READY) ? 1 : 0, fake_references(mfn));
            fake_page[mfn] = (struct page){0};
        }
    CHECK_EQUAL(1, d->references);
    for (unsigned i = 0; i < d->max_vcpus; i++)
        free(d->vcpu[i]);
    free(d->vcpu);
    free(d->shared_info);
    free(d);
}

int fake_domain_references(const struct domain *d)
{
    return d->references - 1;
}

void fake_run(struct vcpu *v)
{
    if (current)
        current->is_running = false;
    cpu_info()->cpu = v->cpu;
    current = v;
    v->is_running = true;
}

struct domain *domain_get(domid_t id)
{
    for (unsigned i = 0; i < MAX_DOMAINS; i++) {
        if (domains[i] && domains[i]->id == id) {
            domain_hold(domains[i]);
            return domains[i];
        }
    }
    return NULL;
}

struct domain *domain_get_any(domid_t id)
{
    return domain_get(id == DOMID_SELF ? current->domain->id : id);
}

void domain_put(struct domain *d)
{
    check_may_wait("domain_put");
    if (__atomic_sub_fetch(&d->references, 1, __ATOMIC_SEQ_CST) < 1)
        panic("reference count of d%u below its creator's", d->id);
}

/* Hypercalls. */

long fake_hypercall(hypercall_handler handler, uint64_t a0, uint64_t a1, uint64_t a2, unsigned *restarts)
{
    struct hypercall call = {.arg = {a0, a1, a2}};
    long rc;

    for (unsigned n = 0;; n++) {
        rc = handler(&call);
        if (restarts)
            *restarts = n;
        if (rc != -ERESTART)
            return rc;
        if (n > 100000)
            panic("a hypercall never ends");
    }
}

static bool bad_address(unsigned long address, size_t bytes)
{
    return address < PAGE_SIZE || address + bytes < address || address + bytes > 1UL << 47;
}

int copy_from_guest_va(void *to, unsigned long from, size_t bytes)
{
    check_may_wait("copy_from_guest_va");
    if (bad_address(from, bytes))
        return -EFAULT;
    memcpy(to, (const void *)from, bytes);
    return 0;
}

int copy_to_guest_va(unsigned long to, const void *from, size_t bytes)
{
    check_may_wait("copy_to_guest_va");
    if (bad_address(to, bytes))
        return -EFAULT;
    memcpy((void *)to, from, bytes);
    return 0;
}

/* Running. */

void fake_reset(void)
{
    memset(fake_page, 0, sizeof(fake_page));
    memset(domains, 0, sizeof(domains));
    memset(cpus, 0, sizeof(cpus));
    for (unsigned i = 0; i < NR_CPUS; i++)
        cpus[i].id = i;
    fake_fail_allocation = fake_objects = 0;
    fake_yield_every(0);
    current = NULL;
    cpu_info()->cpu = &cpus[0];
}

static void (*setup_of_all)(void), (*teardown_of_all)(void);

static void without_leaks(void (*run)(void))
{
    fake_reset();
    setup_of_all();
    run();
    teardown_of_all();
    CHECK_EQUAL(0, fake_objects);
    CHECK_EQUAL(0, fake_frames_in_use());
    CHECK_EQUAL(0, fake_irqs_off);
}

int fake_run_tests(const struct unit_test *tests, unsigned count, void (*setup)(void), void (*teardown)(void))
{
    setup_of_all = setup;
    teardown_of_all = teardown;
    return run_tests(tests, count, without_leaks);
}

/* Asked for HVM domains only, whose memory lies here at its machine addresses. */
unsigned long m2p_get(mfn_t mfn)
{
    return mfn;
}
