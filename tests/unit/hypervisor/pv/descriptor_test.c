/*
 * The real pv/descriptor.c over the real page types and tables. Another vcpu of the guest gets its chance whenever a
 * lock is given back.
 */
#include "machine.h"
#include <hv/boot.h>
#include <hv/descriptor_tables.h>
#include <hv/guest_copy.h>
#include <hv/hypercall.h>
#include <hv/pagetable.h>
#include <hv/tlb.h>
#include <stdint.h>

static void other_vcpu_turn(void);
#define spin_unlock(lock) (spin_unlock(lock), other_vcpu_turn())
#include "hypervisor/pv/descriptor.c"
#undef spin_unlock

#define VA   0x7000000000UL
#define GATE 0x0000ec0000080000UL /* a call gate that leads into our ring */

paddr_t image_physical_base;
char image_start[1];
static mfn_t shown[WINDOW_PAGES]; /* the window of the one vcpu */
static mfn_t l1, good, gates;
static bool racing;

void map_page(unsigned long va, mfn_t mfn, uint64_t flags)
{
    shown[(va - DESCRIPTOR_VA) >> PAGE_SHIFT] = flags & PTE_WRITE ? mfn : 0;
}

int map_tables(unsigned long va, size_t bytes)
{
    return 0;
}

mfn_t cpu_gdt_mfn(const struct cpu *cpu)
{
    return 1;
}

unsigned long find_first_zero(const unsigned long *map, unsigned long bits)
{
    unsigned long n = 0;
    while (n < bits && test_bit(n, map))
        n++;
    return n;
}

static void set_leaf(mfn_t mfn)
{
    spin_lock(&guest.pt_lock);
    CHECK(!pv_write_entry(&guest, NULL, l1, PTE_INDEX(VA, 1), 1, make_pte(mfn, PTE_PRESENT), 0, NULL));
    spin_unlock(&guest.pt_lock);
}

static void other_vcpu_turn(void)
{
    if (!racing || guest.pt_lock.held)
        return;
    racing = false; /* its own calls take the lock too */
    struct walk now;
    CHECK(pv_walk(&guest_vcpu, VA, &now));
    set_leaf(pte_mfn(now.entry) == good ? gates : good);
    racing = true;
}

/* What the processor may use is checked, whatever the guest does to its page table meanwhile. */
static void only_checked_frames_are_shown(void)
{
    for (unsigned i = 0; i < WINDOW_PAGES; i++)
        CHECK(!shown[i] || has_type(shown[i], TYPE_DESCRIPTOR));
}

static void ldt_is_looked_up_once(void)
{
    set_leaf(good);
    racing = true;
    int first = pv_set_ldt(&guest_vcpu, VA, 512);
    only_checked_frames_are_shown();
    int second = pv_set_ldt(&guest_vcpu, VA, 512);
    only_checked_frames_are_shown();
    racing = false;
    CHECK(!first || !second);
    CHECK(first == -EINVAL || second == -EINVAL); /* the gates had their turn too, and were refused */
    pv_drop_ldt(&guest_vcpu);
    CHECK(!type_count(good) && !type_count(gates));
}

static void ldt_needs_present_pages(void)
{
    set_leaf(good);
    CHECK(pv_set_ldt(&guest_vcpu, VA, 513) == -EINVAL);
    CHECK(pv_set_ldt(&guest_vcpu, VA + 8, 1) == -EINVAL);
    CHECK(pv_set_ldt(&guest_vcpu, VA + (1UL << 40), 1) == -EINVAL);
    CHECK(!type_count(good));
    CHECK(!pv_set_ldt(&guest_vcpu, VA, 512) && shown[LDT_PAGE] == good);
    pv_drop_ldt(&guest_vcpu);
    CHECK(!shown[LDT_PAGE]);
}

static void gdt_frames_are_checked(void)
{
    uint64_t frames[2] = {good, gates}, foreign[1] = {frame_of(&other)}, nowhere[1] = {1UL << 40};
    CHECK(pv_set_gdt(&guest_vcpu, frames, 513) == -EINVAL && !type_count(good));
    CHECK(pv_set_gdt(&guest_vcpu, foreign, 1) == -EINVAL);
    CHECK(pv_set_gdt(&guest_vcpu, nowhere, 1) == -EINVAL);
    CHECK(pv_set_gdt(&guest_vcpu, frames, FIRST_RESERVED_GDT_ENTRY + 1) == -EINVAL);
    CHECK(!pv_set_gdt(&guest_vcpu, frames, 512) && shown[0] == good && has_type(good, TYPE_DESCRIPTOR));
    pv_drop_gdt(&guest_vcpu);
    CHECK(!shown[0] && !type_count(good));
}

/* Into a table in use only what a guest may have, into other memory only where it may be written. */
static void descriptor_is_updated_where_it_may(void)
{
    uint64_t frames[1] = {good}, data = 0x00cff2000000ffffUL;
    struct hypercall call = {.arg = {good << PAGE_SHIFT | 8, data}};
    struct hypercall foreign = {.arg = {frame_of(&other) << PAGE_SHIFT, data}};
    struct hypercall table = {.arg = {l1 << PAGE_SHIFT, data}};
    CHECK(!pv_set_gdt(&guest_vcpu, frames, 512));
    CHECK(!do_update_descriptor(&call) && ((uint64_t *)mfn_to_virt(good))[1] == data);
    call.arg[1] = GATE;
    CHECK(do_update_descriptor(&call) == -EINVAL && ((uint64_t *)mfn_to_virt(good))[1] == data);
    CHECK(do_update_descriptor(&foreign) == -EINVAL && do_update_descriptor(&table) == -EINVAL);
    pv_drop_gdt(&guest_vcpu);
}

int main(void)
{
    machine_start();
    good = frame_of(&guest);
    gates = frame_of(&guest);
    ((uint64_t *)mfn_to_virt(gates))[2] = GATE;
    l1 = tree_make(&guest_vcpu, VA, make_pte(good, PTE_PRESENT));
    CHECK(!pv_descriptor_window_alloc(&guest_vcpu));
    machine_run(&other_vcpu); /* the tables of one that is on no processor: nothing is loaded */
    ldt_is_looked_up_once();
    ldt_needs_present_pages();
    gdt_frames_are_checked();
    machine_run(&guest_vcpu);
    descriptor_is_updated_where_it_may();
    return 0;
}
