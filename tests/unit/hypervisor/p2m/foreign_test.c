/*
 * Domain-0 maps an HVM guest's memory: page table updates name the guest's frames.
 */
#include "fake.h"
#include <hv/hypercall.h>
#include <hv/pv_internal.h>
#include <hv/tlb.h>

/* ---- what updates need of pv/: the last entry written, with the references a level-1 entry has ---- */

static uint64_t written;
static struct domain *written_for;

int pv_write_entry(struct domain *pt_owner, struct domain *foreign, mfn_t table, unsigned index, unsigned level,
                   pte_t value, pte_t keep, pte_t *replaced)
{
    int error = !(value & PTE_PRESENT) ? 0
                : value & PTE_WRITE    ? page_get_with_type(mfn_to_page(pte_mfn(value)), foreign, TYPE_WRITABLE)
                : page_get(mfn_to_page(pte_mfn(value)), foreign) ? 0
                                                                 : -EINVAL;

    if (error)
        return error;
    if (written & PTE_WRITE)
        page_put_with_type(mfn_to_page(pte_mfn(written)));
    else if (written)
        page_put(mfn_to_page(pte_mfn(written)));
    written = value;
    written_for = foreign;
    return 0;
}

static mfn_t table;

bool pv_walk(struct vcpu *v, unsigned long va, struct walk *found)
{
    *found = (struct walk){.table = table};
    return true;
}

int pv_finish_table_work(struct domain *d)
{
    return 0;
}

void pv_domain_cpus(struct domain *d, cpumask_t *mask)
{
}

int pv_vcpu_bitmap_cpus(unsigned long guest_bitmap, cpumask_t *mask)
{
    return 0;
}

void tlb_flush_local(void)
{
}

void tlb_flush_local_va(unsigned long va)
{
}

void tlb_flush_mask(const cpumask_t *mask, unsigned long va)
{
}

struct domain io_domain, xen_domain;

/* ---- */

static long update(uint64_t kind, uint64_t value, domid_t foreign)
{
    struct mmu_update u = {.ptr = table << PAGE_SHIFT | kind, .val = value};
    struct hypercall call = {.arg = {(unsigned long)&u, 1, 0, foreign}};

    return do_mmu_update(&call);
}

#define PW (PTE_PRESENT | PTE_WRITE)

int main(void)
{

    fake_start(false, false);
    table = fake_frame_of(&control, 0);
    mfn_to_page(table)->type = TYPE_L1 | TYPE_READY | 1;
    mfn_t ram = fake_ram_at(0x200, 9), own = fake_frame_of(&guest, 0);

    CHECK_EQUAL(0, update(0, 0x234UL << 12 | PW, guest.id));
    CHECK_EQUAL((ram + 0x34) << 12 | PW, written);
    CHECK(written_for == &guest);
    CHECK_EQUAL(2, fake_references(ram + 0x34));
    CHECK_EQUAL(-EINVAL, update(0, 0x999UL << 12 | PW, guest.id));
    CHECK_EQUAL(-EINVAL, update(0, ~0UL >> 12 << 12 | PW, guest.id));
    CHECK_EQUAL((ram + 0x34) << 12 | PW, written);

    /* The guest returns the page: it stays while it is mapped. */
    CHECK_EQUAL(0, p2m_release(&guest, 0x234, 0));
    CHECK_EQUAL(1, fake_references(ram + 0x34));
    CHECK_EQUAL(0, update(0, 0, guest.id));
    CHECK(fake_page[ram + 0x34].references & PAGE_FREE);

    /* Machine frames, as XENMEM_acquire_resource tells them, and the kinds the guest itself cannot write. */
    CHECK_EQUAL(0, update(MMU_PT_UPDATE_NO_TRANSLATE, own << 12 | PW, guest.id));
    CHECK_EQUAL(own << 12 | PW, written);
    CHECK_EQUAL(0, p2m_change_type(&guest, 0x201, P2M_RAM, P2M_RAM_READONLY));
    CHECK_EQUAL(0, update(0, 0x201UL << 12 | PW, guest.id));
    CHECK_EQUAL(0, p2m_set(&guest, 5, INVALID_MFN, 0, P2M_MMIO_DM));
    CHECK_EQUAL(-EINVAL, update(0, 5UL << 12 | PW, guest.id));

    /* A writable mapping makes a watched page dirty, a readable one does not. */
    enum p2m_type kind;
    CHECK_EQUAL(0, p2m_change_type(&guest, 0x202, P2M_RAM, P2M_RAM_LOG_DIRTY));
    CHECK_EQUAL(0, update(0, 0x202UL << 12 | PTE_PRESENT, guest.id));
    p2m_lookup(&guest, 0x202, &kind, NULL);
    CHECK_EQUAL(P2M_RAM_LOG_DIRTY, kind);
    CHECK_EQUAL(0, update(0, 0x202UL << 12 | PW, guest.id));
    p2m_lookup(&guest, 0x202, &kind, NULL);
    CHECK_EQUAL(P2M_RAM, kind);

    /* By linear address; and nobody has page tables in an HVM guest. */
    struct hypercall call = {.arg = {0x1000, 0x203UL << 12 | PW, 0, guest.id}};
    CHECK_EQUAL(0, do_update_va_mapping_otherdomain(&call));
    CHECK_EQUAL((ram + 3) << 12 | PW, written);
    CHECK_EQUAL(0, update(0, 0, (domid_t)guest.id));
    struct hypercall other = {.arg = {0, 0, 0, (uint64_t)(guest.id + 1) << 16 | DOMID_SELF}};
    CHECK_EQUAL(-EINVAL, do_mmu_update(&other));
    CHECK_EQUAL(-EINVAL, update(MMU_MACHPHYS_UPDATE, 7, guest.id));

    mfn_to_page(table)->type = 0;
    fake_stop();
    return 0;
}
