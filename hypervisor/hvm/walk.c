/*
 * From a guest's linear address to its physical one, through the page tables it made itself, as its processor would:
 * rights, reserved bits, accessed and dirty bits. Sources: Intel SDM volume 3, 4.3 to 4.7; AMD APM volume 2, 5.
 *
 * The four kinds of tables differ in four numbers (struct shape); one loop walks them all. Protection keys and shadow
 * stacks are not offered to guests.
 */
#include <hv/p2m.h>

#define FAULT_PRESENT  0x01U
#define FAULT_WRITE    0x02U
#define FAULT_USER     0x04U
#define FAULT_RESERVED 0x08U
#define FAULT_FETCH    0x10U

struct shape {
    uint8_t levels;
    uint8_t entry_bytes; /* 4 or 8 */
    uint8_t index_bits;  /* of each level but PAE's top one, which uses what is left of 32 */
    uint8_t large;       /* highest level that may hold a leaf */
};
static const struct shape shape_32 = {2, 4, 10, 2}, shape_32_no_pse = {2, 4, 10, 1}, shape_pae = {3, 8, 9, 2},
                          shape_long = {4, 8, 9, 3}, shape_la57 = {5, 8, 9, 3};

struct walk {
    struct vcpu *v;
    const struct shape *shape;
    uint64_t linear;
    unsigned access;
    bool no_execute;                     /* EFER.NXE, with entries that have the bit */
    uint64_t writable, user, executable; /* what all entries so far allow: PTE_WRITE, PTE_USER, not PTE_NX */
    uint32_t fault;
    uint64_t gpa;
};

static const struct shape *choose_shape(const struct vcpu *v)
{
    if (v->hvm->efer & EFER_LMA)
        return v->hvm->cr4 & X86_CR4_LA57 ? &shape_la57 : &shape_long;
    if (v->hvm->cr4 & X86_CR4_PAE)
        return &shape_pae;
    return v->hvm->cr4 & X86_CR4_PSE ? &shape_32 : &shape_32_no_pse;
}

static uint64_t table_start(const struct vcpu *v, const struct shape *shape)
{
    if (shape == &shape_pae)
        return v->hvm->cr3 & PAE_ROOT;
    return shape->entry_bytes == 4 ? v->hvm->cr3 & 0xfffff000UL : v->hvm->cr3 & PTE_ADDRESS;
}

/* Bits that must be zero, by kind of entry. */
static uint64_t reserved_bits(const struct walk *w, unsigned level, bool leaf)
{
    uint64_t too_high = ~0UL << cpu_features.physical_address_bits & PTE_ADDRESS;

    if (w->shape->entry_bytes == 4) /* 4 MiB: bits 13-20 are address bits 32-39 */
        return leaf && level == 2 ? 1UL << 21 : 0;
    if (!w->no_execute)
        too_high |= PTE_NX;
    if (w->shape == &shape_pae) {
        too_high |= 0x7ff0000000000000UL;
        if (level == 3)
            return too_high | PTE_NX | PAE_ROOT_ENTRY_RESERVED;
    }
    if (leaf && level > 1)
        return too_high | (((1UL << (PAGE_SHIFT + 9 * (level - 1))) - 1) & ~0x1fffUL);
    return level > w->shape->large ? too_high | PTE_PSE : too_high;
}

static int page_fault(struct walk *w, uint32_t why)
{
    w->fault = why | (w->access & (FAULT_WRITE | FAULT_USER));
    if ((w->access & WALK_FETCH) && (w->no_execute || (w->v->hvm->cr4 & X86_CR4_SMEP)))
        w->fault |= FAULT_FETCH;
    return -EFAULT;
}

static bool supervisor_may(const struct walk *w, bool write)
{
    const struct vcpu *v = w->v;
    uint64_t rflags = v == current ? guest_regs()->rflags : v->regs.rflags;

    if (w->access & WALK_FETCH)
        return !(w->user && (v->hvm->cr4 & X86_CR4_SMEP));
    if (w->user && (v->hvm->cr4 & X86_CR4_SMAP) && ((w->access & WALK_SYSTEM) || !(rflags & X86_EFLAGS_AC)))
        return false;
    return !write || w->writable || !(v->hvm->cr0 & X86_CR0_WP);
}

static bool allowed(const struct walk *w)
{
    bool write = w->access & WALK_WRITE;

    if ((w->access & WALK_FETCH) && !w->executable)
        return false;
    if (!(w->access & WALK_USER))
        return supervisor_may(w, write);
    return w->user && (!write || w->writable);
}

static uint64_t read_table(const struct walk *w, const void *slot)
{
    return w->shape->entry_bytes == 8 ? READ_ONCE(*(const uint64_t *)slot) : READ_ONCE(*(const uint32_t *)slot);
}

static bool exchange_entry(const struct walk *w, void *slot, uint64_t entry, uint64_t bits)
{
    uint32_t low = (uint32_t)entry;

    if (w->shape->entry_bytes == 8)
        return __atomic_compare_exchange_n((uint64_t *)slot, &entry, entry | bits, false, __ATOMIC_SEQ_CST,
                                           __ATOMIC_RELAXED);
    return __atomic_compare_exchange_n((uint32_t *)slot, &low, low | (uint32_t)bits, false, __ATOMIC_SEQ_CST,
                                       __ATOMIC_RELAXED);
}

/* Accessed and dirty bits. The table is written, so it is asked for again that way; in a table that may not be written
 * they stay as they are. False: the guest changed the entry, or what is at its address, meanwhile. */
static bool set_bits(const struct walk *w, uint64_t at, void *slot, uint64_t entry, uint64_t bits)
{
    struct page *page;
    int error = 0;
    bool done;

    if ((entry & bits) == bits)
        return true;
    page = p2m_get_page_briefly(w->v->domain, at >> PAGE_SHIFT, true, &error);
    if (!page)
        return error == -EACCES;
    done = (char *)page_to_virt(page) + (at & ~PAGE_MASK) == (char *)slot && exchange_entry(w, slot, entry, bits);
    page_put(page);
    return done;
}

static unsigned level_shift(const struct walk *w, unsigned level)
{
    return PAGE_SHIFT + w->shape->index_bits * (level - 1);
}

static uint64_t leaf_address(const struct walk *w, uint64_t entry, unsigned level)
{
    uint64_t offset = (1UL << level_shift(w, level)) - 1;
    uint64_t frame = entry & PTE_ADDRESS & ~offset;

    if (w->shape->entry_bytes == 4 && level == 2)
        frame = (entry & 0xffc00000UL) | (entry & 0x1fe000UL) << 19;
    return frame | (w->linear & offset);
}

static void combine_rights(struct walk *w, uint64_t entry, unsigned level)
{
    if (w->shape == &shape_pae && level == 3)
        return; /* has none */
    w->writable &= entry & PTE_WRITE;
    w->user &= entry & PTE_USER;
    if (w->no_execute && (entry & PTE_NX))
        w->executable = 0;
}

enum step { STEP_DOWN, STEP_DONE, STEP_AGAIN };

/* The entry at `slot`, which the guest has at address `at`. STEP_DOWN: *table is the next table. */
static int use_entry(struct walk *w, uint64_t at, void *slot, unsigned level, uint64_t *table)
{
    uint64_t entry = read_table(w, slot), marks = PTE_ACCESSED;
    bool leaf = level == 1 || (level <= w->shape->large && (entry & PTE_PSE));

    if (!(entry & PTE_PRESENT))
        return page_fault(w, 0);
    if (entry & reserved_bits(w, level, leaf))
        return page_fault(w, FAULT_PRESENT | FAULT_RESERVED);
    combine_rights(w, entry, level);
    if (leaf && !allowed(w))
        return page_fault(w, FAULT_PRESENT);
    if (leaf && (w->access & WALK_WRITE))
        marks |= PTE_DIRTY;
    if (w->shape == &shape_pae && level == 3)
        marks = 0;
    if (!set_bits(w, at, slot, entry, marks))
        return STEP_AGAIN;
    if (leaf)
        w->gpa = leaf_address(w, entry, level);
    else
        *table = entry & PTE_ADDRESS;
    return leaf ? STEP_DONE : STEP_DOWN;
}

static int one_level(struct walk *w, unsigned level, uint64_t *table)
{
    uint64_t mask = w->shape == &shape_pae && level == 3 ? 3 : (1UL << w->shape->index_bits) - 1;
    uint64_t at = *table + (w->linear >> level_shift(w, level) & mask) * w->shape->entry_bytes;
    int error;
    struct page *page = p2m_get_page_briefly(w->v->domain, at >> PAGE_SHIFT, false, &error);

    if (!page) {
        w->gpa = at;
        return -EINVAL;
    }
    error = use_entry(w, at, (char *)page_to_virt(page) + (at & ~PAGE_MASK), level, table);
    page_put(page);
    return error;
}

static int walk_tables(struct walk *w)
{
    uint64_t table = table_start(w->v, w->shape);
    int step = STEP_DOWN;

    w->writable = w->user = w->executable = ~0UL;
    for (unsigned level = w->shape->levels; step == STEP_DOWN; level--)
        step = one_level(w, level, &table);
    return step;
}

static bool linear_ok(const struct walk *w)
{
    unsigned unused = w->shape->levels == 5 ? 64 - 57 : 64 - 48;

    return w->shape->levels < 4 || (uint64_t)((int64_t)(w->linear << unused) >> unused) == w->linear;
}

/* A guest that changes its entries all the time gets what it has at the end. */
#define WALK_TRIES 16

int hvm_translate(struct vcpu *v, uint64_t linear, unsigned access, uint64_t *gpa, uint32_t *fault)
{
    struct walk w = {.v = v, .linear = linear, .access = access};
    int step = STEP_AGAIN;

    if (!(v->hvm->efer & EFER_LMA))
        w.linear = (uint32_t)linear;
    if (!(v->hvm->cr0 & X86_CR0_PG)) {
        *gpa = w.linear;
        return 0;
    }
    w.shape = choose_shape(v);
    w.no_execute = (v->hvm->efer & EFER_NXE) && w.shape->entry_bytes == 8;
    if (!linear_ok(&w))
        step = page_fault(&w, 0);
    for (unsigned i = 0; i < WALK_TRIES && step == STEP_AGAIN; i++)
        step = walk_tables(&w);
    if (step == STEP_AGAIN)
        step = page_fault(&w, 0);
    if (step == -EFAULT)
        *fault = w.fault;
    else
        *gpa = w.gpa;
    return step == STEP_DONE ? 0 : step;
}
