/*
 * Writes of a guest kernel straight to its level-1 page tables (VMASST writable_pagetables): the table is mapped
 * read-only, the write faults, and we finish the instruction with a checked update of the entry.
 * Instructions seen from Linux: mov, xchg, lock and; the read-modify-write family is here whole.
 */
#include <hv/console.h>
#include <hv/decode.h>
#include <hv/guest_copy.h>
#include <hv/page_type.h>
#include <hv/pv_internal.h>

#define X86_CF 0x001UL
#define X86_PF 0x004UL
#define X86_ZF 0x040UL
#define X86_SF 0x080UL
#define X86_OF 0x800UL

struct write {
    uint64_t value; /* to store */
    unsigned size;
    int register_result; /* register that receives the old value; -1 none */
    bool flags_from_or;  /* result sets ZF/SF/PF as a logical operation does */
    bool store;
};

static unsigned operand_size(const struct instruction *i)
{
    if (i->opcode_map == 0 && !(i->opcode & 1) && i->opcode != 0x83)
        return 1;
    if (i->opcode_map == 1 && (i->opcode == 0xb0 || i->opcode == 0xc0))
        return 1;
    return i->rex & 8 ? 8 : i->operand16 ? 2 : 4;
}

static bool alu(unsigned operation, uint64_t old, uint64_t operand, uint64_t *result)
{
    switch (operation) {
    case 0:
        *result = old + operand;
        return true;
    case 1:
        *result = old | operand;
        return true;
    case 4:
        *result = old & operand;
        return true;
    case 5:
        *result = old - operand;
        return true;
    case 6:
        *result = old ^ operand;
        return true;
    default:
        return false;
    }
}

static bool bit_operation(unsigned operation, uint64_t old, unsigned bit, struct cpu_user_regs *regs, uint64_t *result)
{
    static const uint8_t kinds[] = {0, 1, 2, 3}; /* bt, bts, btr, btc */
    if (operation >= ARRAY_SIZE(kinds))
        return false;
    uint64_t m = 1UL << bit;
    regs->rflags = (regs->rflags & ~X86_CF) | (old >> bit & 1);
    *result = operation == 1 ? old | m : operation == 2 ? old & ~m : operation == 3 ? old ^ m : old;
    return true;
}

/* What the instruction stores, given the operand's old value. */
static bool compute(struct cpu_user_regs *regs, const struct instruction *i, uint64_t old, struct write *w)
{
    unsigned size = w->size;
    uint64_t reg = i->has_modrm ? register_read(regs, i, i->reg, size) : 0;
    w->register_result = -1;
    w->store = true;
    if (i->opcode_map == 0) {
        switch (i->opcode) {
        case 0x88:
        case 0x89:
            w->value = reg;
            return true;
        case 0xc6:
        case 0xc7:
            w->value = (uint64_t)i->immediate;
            return true;
        case 0x86:
        case 0x87:
            w->value = reg;
            w->register_result = i->reg;
            return true;
        case 0x80:
        case 0x81:
        case 0x83:
            w->flags_from_or = true;
            return alu(i->reg & 7, old, (uint64_t)i->immediate, &w->value);
        default:
            w->flags_from_or = true;
            return i->opcode < 0x40 && (i->opcode & 7) < 2 && alu(i->opcode >> 3, old, reg, &w->value);
        }
    }
    switch (i->opcode) {
    case 0xb0:
    case 0xb1: { /* cmpxchg */
        uint64_t expected = register_read(regs, i, 0, size);
        regs->rflags = expected == old ? regs->rflags | X86_ZF : regs->rflags & ~X86_ZF;
        w->value = reg;
        w->store = expected == old;
        w->register_result = expected == old ? -1 : 0;
        return true;
    }
    case 0xba:
        return (i->reg & 4) && bit_operation(i->reg & 3, old, (unsigned)i->immediate & (size * 8 - 1), regs, &w->value);
    case 0xab:
    case 0xb3:
    case 0xbb:
        return reg < size * 8 && bit_operation(i->opcode >> 3 & 3, old, (unsigned)reg, regs, &w->value);
    case 0xc0:
    case 0xc1:
        w->value = old + reg;
        w->register_result = i->reg;
        return true;
    default:
        return false;
    }
}

static void set_result_flags(struct cpu_user_regs *regs, const struct write *w)
{
    uint64_t v = w->size == 8 ? w->value : w->value & ((1UL << (8 * w->size)) - 1);
    regs->rflags &= ~(X86_CF | X86_ZF | X86_SF | X86_OF | X86_PF);
    regs->rflags |= (v ? 0 : X86_ZF) | (v >> (8 * w->size - 1) & 1 ? X86_SF : 0) |
                    (__builtin_parity((unsigned)v & 0xff) ? 0 : X86_PF);
}

static pte_t insert_bytes(pte_t entry, unsigned shift, unsigned size, uint64_t value)
{
    uint64_t mask = size == 8 ? ~0UL : ((1UL << (8 * size)) - 1) << shift;
    return (entry & ~mask) | ((value << shift) & mask);
}

/* The table cannot change between the read and the write below but by the processor's accessed and dirty bits: an
 * exchange gives the guest what was really there, a locked operation keeps them, a plain store may lose them on
 * hardware too. */
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
    if (w.store &&
        pv_write_entry(d, NULL, table, offset / 8, 1, insert_bytes(entry, shift, w.size, w.value), i->lock, &replaced))
        return false;
    old = replaced >> shift;
    if (w.register_result >= 0)
        register_write(regs, i, (unsigned)w.register_result, w.size, old);
    if (w.flags_from_or)
        set_result_flags(regs, &w);
    return true;
}

bool pv_emulate_table_write(struct cpu_user_regs *regs, unsigned long address)
{
    struct vcpu *v = current;
    struct domain *d = v->domain;
    uint8_t code[MAX_INSTRUCTION];
    struct instruction i;
    unsigned bytes = MAX_INSTRUCTION;
    if (copy_from_guest_va(code, regs->rip, bytes)) {
        bytes = (unsigned)(PAGE_SIZE - (regs->rip & ~PAGE_MASK));
        if (bytes >= MAX_INSTRUCTION || copy_from_guest_va(code, regs->rip, bytes))
            return false;
    }
    if (!decode_instruction(code, bytes, regs, &i) || !i.has_modrm || i.mod == 3)
        return false;
    if (!i.segment && i.address != address)
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
        regs->rip += i.length;
    return done;
}
