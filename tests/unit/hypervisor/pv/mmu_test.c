/*
 * What a PV guest may do to page tables, its own and others': the real calls, the write emulator, faults, grant maps.
 */
#include "machine.h"
#include <hv/grant_table.h>
#include <hv/hypercall.h>
#include <hv/pv.h>
#include <hv/tlb.h>

#define wbinvd() (caches_flushed++)
static unsigned caches_flushed;
#include "hypervisor/pv/mmuext.c"
#undef wbinvd

#define VA 0x7000000000UL

static struct vcpu second; /* of guest, on the other processor */
static struct vcpu *both[2] = {&guest_vcpu, &second};
static mfn_t l1, mine, theirs;
static uint64_t flushed_cpus;
static unsigned long flushed_va;
static pte_t entry_at_flush;
static unsigned local_flushes, injected;

static pte_t entry(void)
{
    return table_at(l1)[PTE_INDEX(VA, 1)];
}

void tlb_flush_mask(const cpumask_t *mask, unsigned long va)
{
    flushed_cpus = mask->bits[0];
    flushed_va = va;
    entry_at_flush = entry();
}

void tlb_flush_local_va(unsigned long va)
{
    local_flushes++;
}

void pv_inject_page_fault(struct cpu_user_regs *regs, unsigned long address, uint32_t error_code)
{
    injected++;
}

static long mmuext(unsigned cmd, mfn_t mfn, domid_t on)
{
    struct mmuext_op op = {.cmd = cmd, .arg1.mfn = mfn};
    struct hypercall call = {.arg = {(uint64_t)&op, 1, 0, on}};
    return do_mmuext_op(&call);
}

static long update(mfn_t table, unsigned index, pte_t value, uint64_t domains)
{
    struct mmu_update u = {table << PAGE_SHIFT | index * 8, value};
    struct hypercall call = {.arg = {(uint64_t)&u, 1, 0, domains}};
    return do_mmu_update(&call);
}

static long update_va(pte_t value, uint64_t flags)
{
    struct hypercall call = {.arg = {VA, value, flags}};
    return do_update_va_mapping(&call);
}

/* ---- Other domains ---- */

#define TABLES_OF(d) ((uint64_t)((d)->id + 1) << 16 | DOMID_SELF)

static void only_who_may_acts_on_others(void)
{
    mfn_t table = frame_of(&other);
    CHECK(update(table, 0, 0, TABLES_OF(&other)) == -EPERM && update(l1, 0, 0, other.id) == -EPERM);
    CHECK(update(table, 0, 0, DOMID_SELF) == -EINVAL && update(l1, 0, 0, DOMID_XEN) == -EPERM);
    CHECK(mmuext(MMUEXT_PIN_L1_TABLE, table, other.id) == -EPERM && !type_count(table));
    CHECK(mmuext(MMUEXT_CLEAR_PAGE, table, other.id) == -EPERM &&
          mmuext(MMUEXT_CLEAR_PAGE, table, DOMID_SELF) == -EINVAL);
    CHECK(mmuext(MMUEXT_PIN_L1_TABLE, table, 77) == -ESRCH);
    guest.is_privileged = true;
    CHECK(!mmuext(MMUEXT_PIN_L1_TABLE, table, other.id) && has_type(table, TYPE_L1));
    CHECK(!update(table, 0, make_pte(theirs, PTE_PRESENT), TABLES_OF(&other)));
    CHECK(update(table, 1, make_pte(mine, PTE_PRESENT), TABLES_OF(&other)) == -EINVAL);
    CHECK(!mmuext(MMUEXT_UNPIN_TABLE, table, other.id) && mmuext(MMUEXT_NEW_BASEPTR, table, other.id) == -EPERM);
    guest.is_privileged = false;
    CHECK(guest.references == 1 + !!guest.pages && other.references == 1 + !!other.pages);
}

/* Frames of ours that guests may look at, such as the machine-to-pfn table. */
static void our_frames_are_read_only(void)
{
    mfn_t table = FAKE_FRAMES - 1;
    mfn_to_page(table)->references = PAGE_XENHEAP | PAGE_OF(DOMID_XEN) | 1;
    guest.is_privileged = true;
    CHECK(update(l1, 0, make_pte(table, PTE_PRESENT | PTE_WRITE), DOMID_XEN) == -EPERM);
    CHECK(!table_at(l1)[0] && !update(l1, 0, make_pte(table, PTE_PRESENT), DOMID_XEN) && table_at(l1)[0]);
    CHECK(update(l1, 0, make_pte(table, PTE_PRESENT | PTE_WRITE), DOMID_XEN) == -EPERM);
    CHECK(!(table_at(l1)[0] & PTE_WRITE) && !update(l1, 0, 0, DOMID_SELF));
    guest.is_privileged = false;
    CHECK(mfn_to_page(table)->references == (PAGE_XENHEAP | PAGE_OF(DOMID_XEN) | 1));
}

/* ---- Flushes ---- */

static void every_processor_that_was_meant_is_flushed(void)
{
    uint64_t bitmap = 2;
    CHECK(!update_va(make_pte(mine, PTE_PRESENT), UVMF_TLB_FLUSH | UVMF_ALL));
    CHECK(flushed_cpus == 3 && !flushed_va && pte_mfn(entry_at_flush) == mine);
    flushed_cpus = 0;
    CHECK(!update_va(0, UVMF_INVLPG | UVMF_ALL) && flushed_cpus == 3 && flushed_va == VA && !entry_at_flush);
    CHECK(!update_va(0, UVMF_INVLPG | (unsigned long)&bitmap) && flushed_cpus == 2);
    flushed_cpus = 0;
    CHECK(!update_va(0, UVMF_NONE) && !flushed_cpus);
    CHECK(update_va(make_pte(theirs, PTE_PRESENT), UVMF_TLB_FLUSH | UVMF_ALL) == -EINVAL && !flushed_cpus);
    CHECK(!mmuext(MMUEXT_TLB_FLUSH_ALL, 0, DOMID_SELF) && flushed_cpus == 3);
}

static void caches_are_flushed_for_who_has_devices(void)
{
    CHECK(mmuext(MMUEXT_FLUSH_CACHE, 0, DOMID_SELF) == -EACCES && !caches_flushed);
    CHECK(mmuext(MMUEXT_FLUSH_CACHE_GLOBAL, 0, DOMID_SELF) == -EACCES && !caches_flushed);
    guest.all_io = true;
    CHECK(!mmuext(MMUEXT_FLUSH_CACHE, 0, DOMID_SELF) && caches_flushed == 1);
    guest.all_io = false;
}

/* ---- Writes and faults ---- */

static bool write_to_va(uint64_t value)
{
    static const uint8_t code[16] = {0x48, 0x89, 0x07}; /* mov %rax, (%rdi) */
    struct cpu_user_regs regs = {.rip = (unsigned long)code, .rax = value, .rdi = VA};
    return pv_emulate_table_write(&regs, VA);
}

static void show(mfn_t mfn, struct domain *owner)
{
    spin_lock(&guest.pt_lock);
    CHECK(!pv_write_entry(&guest, owner, l1, PTE_INDEX(VA, 1), 1, make_pte(mfn, PTE_PRESENT), 0, NULL));
    spin_unlock(&guest.pt_lock);
}

static void writes_are_finished_for_own_tables_only(void)
{
    mfn_t own = frame_of(&guest), foreign = frame_of(&other);
    spin_lock(&guest.pt_lock);
    CHECK(!pv_get_table(&guest, own, 1));
    spin_unlock(&guest.pt_lock);
    spin_lock(&other.pt_lock);
    CHECK(!pv_get_table(&other, foreign, 1));
    spin_unlock(&other.pt_lock);
    show(foreign, &other);
    CHECK(!write_to_va(make_pte(mine, PTE_PRESENT)) && !table_at(foreign)[0]);
    show(own, NULL);
    CHECK(write_to_va(make_pte(mine, PTE_PRESENT)) && pte_mfn(table_at(own)[0]) == mine && table_at(own)[0] & PTE_USER);
    CHECK(!write_to_va(make_pte(theirs, PTE_PRESENT)) && pte_mfn(table_at(own)[0]) == mine);
    CHECK(write_to_va(0));
    show(mine, NULL);
    CHECK(!write_to_va(0)); /* no table */
}

static bool is_ignored(uint32_t error)
{
    struct cpu_user_regs regs = {.error_code = error};
    unsigned before = injected;
    pv_page_fault(&regs, VA);
    return injected == before;
}

static void a_fault_is_spurious_only_if_the_tables_allow_it(void)
{
    const uint32_t user = PF_USER | PF_PRESENT;
    guest_vcpu.pv.kernel_mode = false;
    guest_vcpu.pv.root_user = guest_vcpu.pv.root_kernel;
    CHECK(!update_va(make_pte(mine, PTE_PRESENT | PTE_NX), UVMF_NONE));
    CHECK(is_ignored(user) && is_ignored(PF_USER) && local_flushes);
    CHECK(!is_ignored(user | PF_WRITE) && !is_ignored(user | PF_FETCH) && !is_ignored(user | PF_RESERVED));
    CHECK(!update_va(make_pte(mine, PTE_PRESENT | PTE_WRITE), UVMF_NONE));
    CHECK(is_ignored(user | PF_WRITE) && is_ignored(user | PF_FETCH));
    CHECK(!update_va(0, UVMF_NONE) && !is_ignored(user) && !is_ignored(PF_USER));
    guest_vcpu.pv.kernel_mode = true;
    guest_vcpu.pv.root_user = 0;
}

/* ---- Grants ---- */

static void a_grant_is_unmapped_where_it_was_mapped(void)
{
    uint64_t pte_address = l1 << PAGE_SHIFT | PTE_INDEX(VA, 1) * 8;
    CHECK(pv_grant_map(VA, theirs, GNTMAP_readonly, 0) == GNTST_okay && !(entry() & PTE_WRITE));
    CHECK(pv_grant_map(VA, theirs, 0, 0) == GNTST_okay && entry() & PTE_WRITE && has_type(theirs, TYPE_WRITABLE));
    CHECK(pv_grant_unmap(VA, mine, 0, 0) != GNTST_okay && pte_mfn(entry()) == theirs);
    CHECK(pv_grant_unmap(pte_address, mine, GNTMAP_contains_pte, 0) != GNTST_okay && pte_mfn(entry()) == theirs);
    CHECK(pv_grant_unmap(VA, theirs, GNTMAP_readonly, 0) != GNTST_okay && entry() & PTE_WRITE);
    CHECK(pv_grant_unmap(VA, theirs, 0, 0) == GNTST_okay && !entry() && !type_count(theirs));
    CHECK(pv_grant_map(VA, theirs, GNTMAP_readonly, 0) == GNTST_okay && pv_grant_unmap(VA, theirs, 0, 0) != GNTST_okay);
    CHECK(pte_mfn(entry()) == theirs && pv_grant_unmap(VA, theirs, GNTMAP_readonly, 0) == GNTST_okay && !entry());
    CHECK(pv_grant_unmap(VA, theirs, 0, 0) != GNTST_okay);
    CHECK(pv_grant_map(pte_address, theirs, GNTMAP_contains_pte, 0) == GNTST_okay && pte_mfn(entry()) == theirs);
    CHECK(pv_grant_unmap(pte_address, theirs, GNTMAP_contains_pte, 0) == GNTST_okay && !entry());
}

/* An entry by its address: in a table of the caller's, of level 1, now. */
static void a_grant_is_mapped_into_own_tables_only(void)
{
    mfn_t foreign = frame_of(&other), plain = frame_of(&guest), root = guest_vcpu.pv.root_kernel;
    spin_lock(&other.pt_lock);
    CHECK(!pv_get_table(&other, foreign, 1));
    spin_unlock(&other.pt_lock);
    mfn_t targets[] = {foreign, plain, root, FAKE_FRAMES, 1UL << 36};
    for (unsigned i = 0; i < ARRAY_SIZE(targets); i++)
        CHECK(pv_grant_map(targets[i] << PAGE_SHIFT, theirs, GNTMAP_contains_pte, 0) != GNTST_okay);
    CHECK(pv_grant_map((l1 << PAGE_SHIFT) + 4, theirs, GNTMAP_contains_pte, 0) != GNTST_okay);
    CHECK(!table_at(foreign)[0] && !((uint64_t *)mfn_to_virt(plain))[0]);
    CHECK((mfn_to_page(theirs)->references & PAGE_REFERENCES_MASK) == 1);
}

int main(void)
{
    machine_start();
    guest.max_vcpus = 2;
    guest.vcpu = both;
    second = (struct vcpu){.domain = &guest, .id = 1, .cpu = &cpus[1], .is_running = true};
    cpus[1] = (struct cpu){.id = 1, .online = true};
    cpu_count = 2;
    mine = frame_of(&guest);
    theirs = frame_of(&other);
    l1 = tree_make(&guest_vcpu, VA, 0);
    only_who_may_acts_on_others();
    our_frames_are_read_only();
    every_processor_that_was_meant_is_flushed();
    caches_are_flushed_for_who_has_devices();
    writes_are_finished_for_own_tables_only();
    a_fault_is_spurious_only_if_the_tables_allow_it();
    a_grant_is_unmapped_where_it_was_mapped();
    a_grant_is_mapped_into_own_tables_only();
    return 0;
}
