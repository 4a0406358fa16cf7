/*
 * GDT and LDT of PV guests.
 *
 * Every vcpu has a window of 32 pages at DESCRIPTOR_VA in the hypervisor range: pages 0-13 show its GDT frames, page 14
 * the descriptors of the CPU it runs on, pages 16-31 its LDT. The processor reads them as supervisor, the guest cannot.
 * A frame shown there holds a TYPE_DESCRIPTOR reference: every descriptor in it has been checked, and changes go
 * through update_descriptor.
 */
#include <hv/boot.h>
#include <hv/cpu.h>
#include <hv/descriptor_tables.h>
#include <hv/guest_copy.h>
#include <hv/hypercall.h>
#include <hv/page_type.h>
#include <hv/pagetable.h>
#include <hv/pv_internal.h>
#include <hv/selectors.h>
#include <hv/tlb.h>

#define WINDOW_PAGES 32
#define LDT_PAGE     16
#define MAX_WINDOWS  4096
#define WINDOW_FLAGS (PTE_PRESENT | PTE_WRITE | PTE_ACCESSED | PTE_DIRTY | PTE_NX)

static struct spinlock window_lock = SPINLOCK_INIT(LOCK_DESCRIPTOR_WINDOWS);
static BITMAP(window_used, MAX_WINDOWS);

static unsigned long window_va(const struct vcpu *v, unsigned page)
{
    return DESCRIPTOR_VA + ((unsigned long)v->pv.descriptor_window * WINDOW_PAGES + page) * PAGE_SIZE;
}

/* What a guest has no descriptors for reads as null descriptors: loading one is a #GP and no page
 * fault in our range. */
static const uint64_t no_descriptors[512] __aligned(4096);

static void show(struct vcpu *v, unsigned page, mfn_t mfn)
{
    if (mfn == INVALID_MFN)
        map_page(window_va(v, page), image_to_paddr(no_descriptors) >> PAGE_SHIFT, PTE_PRESENT | PTE_NX);
    else
        map_page(window_va(v, page), mfn, WINDOW_FLAGS);
    tlb_flush_local_va(window_va(v, page));
}

int pv_descriptor_window_alloc(struct vcpu *v)
{
    spin_lock(&window_lock);
    unsigned long n = find_first_zero(window_used, MAX_WINDOWS);
    if (n < MAX_WINDOWS)
        set_bit(n, window_used);
    spin_unlock(&window_lock);
    if (n == MAX_WINDOWS)
        return -ENOMEM;
    v->pv.descriptor_window = (unsigned)n;
    if (map_tables(window_va(v, 0), WINDOW_PAGES * PAGE_SIZE)) {
        pv_descriptor_window_free(v);
        return -ENOMEM;
    }
    for (unsigned page = 0; page < WINDOW_PAGES; page++)
        show(v, page, INVALID_MFN);
    return 0;
}

void pv_descriptor_window_free(struct vcpu *v)
{
    clear_bit(v->pv.descriptor_window, window_used);
}

struct __packed table_pointer {
    uint16_t limit;
    uint64_t base;
};

static void load_ldt(struct vcpu *v, const struct cpu *cpu)
{
    uint64_t *gdt = mfn_to_virt(cpu_gdt_mfn(cpu));
    unsigned index = (LDT_SELECTOR - 0xe000) / 8;
    if (!v->pv.ldt_entries) {
        lldt(0);
        return;
    }
    uint64_t base = window_va(v, LDT_PAGE);
    gdt[index] = (v->pv.ldt_entries * 8UL - 1) | (base & 0xffffff) << 16 | 0x82UL << 40 | (base >> 24 & 0xff) << 56;
    gdt[index + 1] = base >> 32;
    lldt(LDT_SELECTOR);
}

/* The window may have been used on another CPU: every page of it is flushed here before it is used. */
void pv_load_descriptors(struct vcpu *v, const struct cpu *cpu)
{
    show(v, FIRST_RESERVED_GDT_PAGE, cpu_gdt_mfn(cpu));
    for (unsigned page = 0; page < v->pv.gdt_frames; page++)
        tlb_flush_local_va(window_va(v, page));
    for (unsigned page = 0; page * 512U < v->pv.ldt_entries; page++)
        tlb_flush_local_va(window_va(v, LDT_PAGE + page));
    struct table_pointer gdtr = {(FIRST_RESERVED_GDT_PAGE + 1) * PAGE_SIZE - 1, window_va(v, 0)};
    __asm__ volatile("lgdt %0" ::"m"(gdtr));
    load_ldt(v, cpu);
}

/* Fields of a segment descriptor, SDM volume 3, section 3.4.5. */
#define DESC_PRESENT      (1UL << 47)
#define DESC_CODE_OR_DATA (1UL << 44)
#define DESC_DPL_SHIFT    45
#define DESC_CODE         (1UL << 43)
#define DESC_CONFORMING   (1UL << 42)

/* A descriptor a guest may have: ring 1-3 code, data; 64-bit call gates excluded. Fixes the DPL where the ABI does. */
static bool descriptor_ok(uint64_t *descriptor)
{
    uint64_t d = *descriptor;
    if (!(d & DESC_PRESENT))
        return true;
    if (!(d & DESC_CODE_OR_DATA))
        return false; /* gates and system segments would lead into our ring */
    if ((d >> DESC_DPL_SHIFT & 3) == 0)
        d |= 3UL << DESC_DPL_SHIFT; /* the ABI lets a guest write its ring-0 descriptors and makes them ring 3 */
    if ((d & DESC_CODE) && (d & DESC_CONFORMING))
        return false;
    *descriptor = d;
    return true;
}

static int check_page(mfn_t mfn)
{
    uint64_t *entry = mfn_to_virt(mfn);
    for (unsigned i = 0; i < 512; i++) {
        uint64_t found = READ_ONCE(entry[i]), fixed = found;
        if (!descriptor_ok(&fixed))
            return -EINVAL;
        if (fixed != found)
            WRITE_ONCE(entry[i], fixed);
    }
    return 0;
}

/* pt_lock held. */
static int get_descriptor_page(struct domain *d, mfn_t mfn)
{
    if (!mfn_is_ram(mfn) || !page_get(mfn_to_page(mfn), d))
        return -EINVAL;
    int err = page_get_checked_type(mfn_to_page(mfn), TYPE_DESCRIPTOR, check_page);
    if (err)
        page_put(mfn_to_page(mfn));
    return err;
}

void pv_drop_gdt(struct vcpu *v)
{
    for (unsigned i = 0; i < v->pv.gdt_frames; i++) {
        show(v, i, INVALID_MFN);
        page_put_with_type(mfn_to_page(v->pv.gdt_mfn[i]));
    }
    v->pv.gdt_frames = 0;
    v->pv.gdt_count = 0;
}

int pv_set_gdt(struct vcpu *v, const uint64_t *frames, unsigned entries)
{
    unsigned count = DIV_ROUND_UP(entries, 512);
    if (entries > FIRST_RESERVED_GDT_ENTRY)
        return -EINVAL;
    for (unsigned i = 0; i < count; i++) {
        spin_lock(&v->domain->pt_lock);
        int err = get_descriptor_page(v->domain, frames[i]);
        spin_unlock(&v->domain->pt_lock);
        if (err) {
            while (i-- > 0)
                page_put_with_type(mfn_to_page(frames[i]));
            return err;
        }
    }
    pv_drop_gdt(v);
    for (unsigned i = 0; i < count; i++) {
        v->pv.gdt_mfn[i] = frames[i];
        show(v, i, frames[i]);
    }
    v->pv.gdt_frames = (uint8_t)count;
    v->pv.gdt_count = (uint16_t)entries;
    return 0;
}

long do_set_gdt(struct hypercall *call)
{
    struct vcpu *v = current;
    uint64_t frames[FIRST_RESERVED_GDT_PAGE];
    uint64_t entries = call->arg[1];
    if (entries > FIRST_RESERVED_GDT_ENTRY)
        return -EINVAL;
    if (copy_from_guest_va(frames, call->arg[0], DIV_ROUND_UP(entries, 512) * sizeof(frames[0])))
        return -EFAULT;
    int err = pv_set_gdt(v, frames, (unsigned)entries);
    pv_load_descriptors(v, this_cpu());
    return err;
}

void pv_drop_ldt(struct vcpu *v)
{
    for (unsigned page = 0; page * 512U < v->pv.ldt_entries; page++) {
        show(v, LDT_PAGE + page, INVALID_MFN);
        page_put_with_type(mfn_to_page(v->pv.ldt_mfn[page]));
    }
    v->pv.ldt_entries = 0;
}

/* The frame behind an address of the LDT. Entry and frame are looked at under one hold of the lock: the guest may
 * change the entry at any other time. */
static int get_ldt_page(struct vcpu *v, unsigned long address, mfn_t *mfn)
{
    struct domain *d = v->domain;
    struct walk found;
    int err = -EINVAL;
    spin_lock(&d->pt_lock);
    if (pv_walk(v, address, &found) && (found.entry & PTE_PRESENT)) {
        *mfn = pte_mfn(found.entry);
        err = get_descriptor_page(d, *mfn);
    }
    spin_unlock(&d->pt_lock);
    return err;
}

/* The frames are found through the guest's page tables once, here; later remapping of the address does not matter. */
int pv_set_ldt(struct vcpu *v, unsigned long address, unsigned entries)
{
    mfn_t mfns[16];
    unsigned pages = DIV_ROUND_UP(entries, 512);
    if (entries > 8192 || (address & ~PAGE_MASK) || (entries && !guest_range_ok(address, entries * 8UL)))
        return -EINVAL;
    for (unsigned i = 0; i < pages; i++) {
        int err = get_ldt_page(v, address + i * PAGE_SIZE, &mfns[i]);
        if (err) {
            while (i-- > 0)
                page_put_with_type(mfn_to_page(mfns[i]));
            return err;
        }
    }
    pv_drop_ldt(v);
    for (unsigned i = 0; i < pages; i++) {
        v->pv.ldt_mfn[i] = mfns[i];
        show(v, LDT_PAGE + i, mfns[i]);
    }
    v->pv.ldt_entries = (uint16_t)entries;
    v->pv.ldt_base = address;
    if (v == current)
        load_ldt(v, this_cpu());
    return 0;
}

long do_update_descriptor(struct hypercall *call)
{
    struct domain *d = current->domain;
    paddr_t pa = call->arg[0];
    uint64_t descriptor = call->arg[1];
    mfn_t mfn = pa >> PAGE_SHIFT;
    if ((pa & 7) || !mfn_is_ram(mfn) || !descriptor_ok(&descriptor))
        return -EINVAL;
    struct page *page = mfn_to_page(mfn);
    if (!page_get(page, d))
        return -EINVAL;
    /* A frame already in use as descriptors keeps that type meanwhile, any other must be ordinary writable memory. */
    spin_lock(&d->pt_lock);
    bool in_use = (page->type & TYPE_MASK) == TYPE_DESCRIPTOR && (page->type & TYPE_COUNT_MASK);
    int err = in_use ? page_get_checked_type(page, TYPE_DESCRIPTOR, check_page) : page_get_type(page, TYPE_WRITABLE);
    if (!err) {
        WRITE_ONCE(*(uint64_t *)paddr_to_virt(pa), descriptor);
        page_put_type(page);
    }
    spin_unlock(&d->pt_lock);
    page_put(page);
    return err;
}
