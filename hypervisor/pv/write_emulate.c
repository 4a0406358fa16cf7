/*
 * Writes of a guest kernel straight to its level-1 page tables (VMASST writable_pagetables): the table is mapped
 * read-only, the write faults, and we finish the instruction with a checked update of the entry.
 * Instructions seen from Linux: mov, xchg, lock and; the read-modify-write family is here whole.
 */
#include <hv/arithmetic.h>
#include <hv/console.h>
#include <hv/guest_copy.h>
#include <hv/page_type.h>
#include <hv/pv_internal.h>

struct write {
    uint64_t value; /* to store */
    unsigned size;
    int register_result; /* register that receives the old value; -1 none */
    uint64_t rflags;     /* as the instruction leaves them, for when it is done */
    bool store;
};

static unsigned operand_size(const struct instruction *i)
{
    bool byte = i->map == MAP_ONE_BYTE ? !(i->opcode & 1) : i->opcode == 0xb0 || i->opcode == 0xc0;
    return byte ? 1 : i->operand_bytes;
}

/* Those of the eight that store, and take no carry along. */
static bool alu_store(struct write *w, unsigned operation, uint64_t old, uint64_t operand)
{
    const unsigned known = 1U << ALU_ADD | 1U << ALU_OR | 1U << ALU_AND | 1U << ALU_SUB | 1U << ALU_XOR;
    if (!(known >> operation & 1))
        return false;
    w->value = alu((enum alu_operation)operation, w->size, old, operand, &w->rflags);
    return true;
}

/* The operand's old value is compared as by cmp: what is stored does not count. */
static bool compare_and_exchange(struct write *w, uint64_t expected, uint64_t old, uint64_t reg)
{
    alu(ALU_CMP, w->size, expected, old, &w->rflags);
    w->value = reg;
    w->store = expected == old;
    w->register_result = expected == old ? -1 : 0;
    return true;
}

static bool compute_one_byte(const struct instruction *i, uint64_t old, uint64_t reg, struct write *w)
{
    switch (i->opcode) {
    case 0x88:
    case 0x89:
        w->value = reg;
        return true;
    case 0xc6:
    case 0xc7:
        w->value = i->immediate;
        return true;
    case 0x86:
    case 0x87:
        w->value = reg;
        w->register_result = i->reg;
        return true;
    case 0x80:
    case 0x81:
    case 0x83:
        return alu_store(w, i->reg & 7, old, i->immediate);
    default:
        return i->opcode < 0x40 && (i->opcode & 7) < 2 && alu_store(w, i->opcode >> 3, old, reg);
    }
}

/* What the instruction stores, given the operand's old value. */
static bool compute(struct cpu_user_regs *regs, const struct instruction *i, uint64_t old, struct write *w)
{
    unsigned size = w->size;
    uint64_t reg = register_read(regs, i, i->reg, size);
    w->register_result = -1;
    w->rflags = regs->rflags;
    w->store = true;
    if (i->map == MAP_ONE_BYTE)
        return compute_one_byte(i, old, reg, w);
    switch (i->opcode) {
    case 0xb0:
    case 0xb1:
        return compare_and_exchange(w, register_read(regs, i, 0, size), old, reg);
    case 0xba:
        w->value = change_bit(i->reg & 3, old, (unsigned)i->immediate & (size * 8 - 1), &w->rflags);
        return i->reg & 4;
    case 0xab:
    case 0xb3:
    case 0xbb:
        w->value = change_bit(i->opcode >> 3 & 3, old, (unsigned)reg & 63, &w->rflags);
        return reg < size * 8;
    case 0xc0:
    case 0xc1:
        w->register_result = i->reg;
        return alu_store(w, ALU_ADD, old, reg);
    default:
        return false;
    }
}

static pte_t insert_bytes(pte_t entry, unsigned shift, unsigned size, uint64_t value)
{
    uint64_t mask = size == 8 ? ~0UL : ((1UL << (8 * size)) - 1) << shift;
    return (entry & ~mask) | ((value << shift) & mask);
}

/* The table cannot change between the read and the write below but by the processor's accessed and dirty bits: an
 * exchange gives the guest what was really there, a locked operation keeps what came in between, a plain store may lose
 * it on hardware too. */
static bool emulate_on_entry(struct cpu_user_regs *regs, const struct instruction *i, mfn_t table, unsigned offset)
{
    struct domain *d = current->domain;
    struct write w = {.size = operand_size(i)};
    unsigned shift = (offset & 7) * 8;
    if ((offset & 7) + w.size > 8)
        return false;
    pte_t entry = READ_ONCE(((pte_t *)mfn_to_virt(table))[offset / 8]);
    uint64_t old = entry >> shift;
    if (w.size < 8)
        old &= (1UL << (8 * w.size)) - 1;
    if (!compute(regs, i, old, &w))
        return false;
    pte_t replaced = entry;
    pte_t keep = i->lock ? (PTE_ACCESSED | PTE_DIRTY) & ~entry : 0;
    if (w.store &&
        pv_write_entry(d, NULL, table, offset / 8, 1, insert_bytes(entry, shift, w.size, w.value), keep, &replaced))
        return false;
    old = replaced >> shift;
    if (w.register_result >= 0)
        register_write(regs, i, (unsigned)w.register_result, w.size, old);
    regs->rflags = w.rflags;
    return true;
}

bool pv_emulate_table_write(struct cpu_user_regs *regs, unsigned long address)
{
    struct vcpu *v = current;
    struct domain *d = v->domain;
    struct code_cursor code = {.have = 0};
    struct instruction i __uninitialized;
    enum emulate_segment segment;
    code.have = pv_fetch(regs, code.byte);
    if (!pv_decode(&code, &i) || !i.has_modrm || i.mod == 3)
        return false;
    if (memory_operand(regs, &i, regs->rip + i.length, &segment) != address && segment < EMU_FS)
        return false;
    bool done = false;
    spin_lock(&d->pt_lock);
    struct walk at;
    if (pv_walk(v, address, &at) && (at.entry & (PTE_PRESENT | PTE_WRITE)) == PTE_PRESENT &&
        mfn_is_ram(pte_mfn(at.entry))) {
        struct page *page = mfn_to_page(pte_mfn(at.entry));
        if (page->owner == d->id && page_table_level(page) == 1) /* the mapping keeps the frame its owner's */
            done = emulate_on_entry(regs, &i, pte_mfn(at.entry), address & ~PAGE_MASK);
    }
    spin_unlock(&d->pt_lock);
    if (done)
        pv_finish_instruction(regs, i.length);
    return done;
}
