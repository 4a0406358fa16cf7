#include "machine.h"
#include <hv/abi_internal.h>
#include <hv/acpi.h>
#include <hv/bootinfo.h>
#include <hv/console.h>
#include <hv/hypercall.h>
#include <hv/irq.h>
#include <hv/page_alloc.h>
#include <hv/p2m.h>
#include <hv/pagetable.h>
#include <hv/policy.h>
#include <hv/tlb.h>

#define __weak __attribute__((weak))

struct cpu cpus[NR_CPUS], *fake_cpu = &cpus[0];
struct vcpu *fake_current[NR_CPUS];
struct cpu_features cpu_features = {.physical_address_bits = 40};
struct acpi_facts acpi;
static pte_t idle_table[PTES_PER_TABLE];
pte_t *idle_root = idle_table;

struct domain guest, other;
struct vcpu guest_vcpu, other_vcpu;
struct domain xen_domain = {.id = DOMID_XEN, .references = 1}, io_domain = {.id = DOMID_IO, .references = 1};
static struct vcpu *vcpu_of_guest[1] = {&guest_vcpu}, *vcpu_of_other[1] = {&other_vcpu};

__weak void machine_names(mfn_t mfn)
{
}

/* A frame is given a name while it is somebody's, or nobody's yet. */
void m2p_set(mfn_t mfn, unsigned long pfn)
{
    if (pfn != M2P_INVALID) {
        machine_names(mfn);
        CHECK(!(READ_ONCE(fake_page[mfn].references) & PAGE_FREE));
    }
    WRITE_ONCE(fake_m2p[mfn], pfn);
}

struct domain *domain_find(domid_t id)
{
    return id == guest.id ? &guest : id == other.id ? &other : id == DOMID_XEN ? &xen_domain : NULL;
}

/* A boot that has given nothing away. */
bool boot_frame_taken(paddr_t pa, paddr_t *skip_to)
{
    return false;
}

void pagetable_use_allocator(void)
{
}

/* ---- What a test may have in a version of its own ---- */

__weak volatile uint64_t tlbflush_clock = 1;

__weak void tlb_filter_and_flush(uint64_t stamp)
{
    CHECK(stamp <= tlbflush_clock);
}

__weak void tlb_flush_local(void)
{
}

__weak void tlb_flush_local_va(unsigned long va)
{
}

__weak void tlb_flush_mask(const cpumask_t *mask, unsigned long va)
{
}

/* Nobody else answers: there is one processor. */
__weak void smp_call_interrupt(void)
{
    panic("waiting for a processor that is not there");
}

__weak void load_guest_root(struct vcpu *v)
{
}

__weak int pv_set_ldt(struct vcpu *v, unsigned long address, unsigned entries)
{
    return -EINVAL;
}

__weak void pv_inject_page_fault(struct cpu_user_regs *regs, unsigned long address, uint32_t error_code)
{
    panic("a fault that nobody expected at %lx", address);
}

__weak struct page *p2m_get_page_privileged(struct domain *d, gfn_t gfn, bool write)
{
    return NULL;
}

/* ---- Around hypercalls; a guest's address is one of ours ---- */

struct domain *domain_get(domid_t id)
{
    struct domain *d = domain_find(id);
    if (d)
        domain_hold(d);
    return d;
}

static void domain_start(struct domain *d, domid_t id, struct vcpu *v, struct vcpu **list)
{
    *d = (struct domain){.id = id, .references = 1, .max_vcpus = 1, .vcpu = list, .max_pages = FAKE_FRAMES};
    d->page_list = d->parked_list = d->xenheap_list = PAGE_NONE;
    *v = (struct vcpu){.domain = d, .cpu = &cpus[0], .is_running = true};
    v->pv.kernel_mode = true;
}

void machine_start(void)
{
    for (unsigned i = 0; i < FAKE_FRAMES; i++)
        fake_page[i] = (struct page){.references = PAGE_OF(DOMID_INVALID), .next = PAGE_NONE, .prev = PAGE_NONE};
    for (unsigned i = 0; i < PTES_PER_TABLE; i++)
        idle_table[i] = 0x1000 | PTE_PRESENT;
    bootinfo.memory_count = 1;
    bootinfo.memory[0] = (struct memory_range){PAGE_SIZE, FAKE_FRAMES * PAGE_SIZE, MEMORY_RAM};
    cpus[0].online = true;
    page_alloc_init();
    domain_start(&guest, 1, &guest_vcpu, vcpu_of_guest);
    domain_start(&other, 2, &other_vcpu, vcpu_of_other);
    machine_run(&guest_vcpu);
}

void machine_run(struct vcpu *v)
{
    current = v;
}

mfn_t frame_of(struct domain *d)
{
    struct page *page = domain_alloc_pages(d, 0, ANY_ADDRESS);
    CHECK(page);
    return page_to_mfn(page);
}

mfn_t tree_make(struct vcpu *v, unsigned long va, pte_t leaf)
{
    mfn_t table[5];
    for (unsigned level = 1; level <= 4; level++) {
        table[level] = frame_of(v->domain);
        table_at(table[level])[PTE_INDEX(va, level)] =
            level == 1 ? leaf : make_pte(table[level - 1], PTE_PRESENT | PTE_WRITE);
    }
    spin_lock(&v->domain->pt_lock);
    CHECK(!pv_get_table(v->domain, table[4], 4));
    spin_unlock(&v->domain->pt_lock);
    v->pv.root_kernel = table[4];
    return table[1];
}
