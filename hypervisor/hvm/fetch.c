/*
 * The bytes of the instruction that exited, for processors that do not tell its length.
 *
 * Walking the guest's page tables for each exit would cost more than most exits do. So the last walk is remembered:
 * where each of its entries lies in our direct map, and what it was. While the root, the p2m and all entries are the
 * same, a new walk would end at the same page. Only 4-level walks are remembered; the others are rare where speed
 * counts.
 *
 * Frames are read here without a reference, with interrupts off: the p2m gives none back before it has interrupted
 * every CPU that runs the guest (p2m_flush), so what a lookup has found, or is remembered from the generation that is
 * still there, stays until they are on again.
 */
#include <hv/cpu.h>
#include <hv/guest_copy.h>
#include <hv/hvm_exit.h>
#include <hv/instruction.h>
#include <hv/p2m.h>

#define LEVELS       4
#define NOT_COMPARED (PTE_ACCESSED | PTE_DIRTY)

struct code_page {
    uint64_t linear, cr3, generation; /* linear: of the page; generation 0: nothing remembered */
    const pte_t *entry[LEVELS];
    pte_t value[LEVELS];
    unsigned levels;
    const uint8_t *bytes;
};
_Static_assert(sizeof(struct code_page) <= HVM_CODE_PAGE_BYTES, "hvm.h");

static bool is_walkable(const struct vcpu *v)
{
    return v->hvm->efer & EFER_LMA && !(v->hvm->cr4 & X86_CR4_LA57);
}

static const void *ram_page(struct domain *d, gfn_t gfn)
{
    enum p2m_type type;
    mfn_t mfn = p2m_lookup(d, gfn, &type, NULL);
    return mfn != INVALID_MFN && (type == P2M_RAM || type == P2M_RAM_LOG_DIRTY) ? mfn_to_virt(mfn) : NULL;
}

/* True if the whole way is RAM and present. Rights are not looked at: the processor has just run the code. */
static bool remember(struct vcpu *v, struct code_page *p, uint64_t linear)
{
    struct domain *d = v->domain;
    uint64_t generation = d->hvm->tlb_generation;
    gfn_t gfn = (v->hvm->cr3 & PTE_ADDRESS) >> PAGE_SHIFT;
    p->generation = 0;
    p->levels = 0;
    barrier();
    for (unsigned level = LEVELS; level > 0; level--) {
        const pte_t *table = ram_page(d, gfn);
        if (!table)
            return false;
        unsigned i = p->levels++;
        p->entry[i] = &table[PTE_INDEX(linear, level)];
        pte_t e = READ_ONCE(*p->entry[i]);
        p->value[i] = e & ~NOT_COMPARED;
        if (!(e & PTE_PRESENT))
            return false;
        gfn = pte_mfn(e);
        if (level > 1 && e & PTE_PSE) {
            uint64_t inside = (1UL << 9 * (level - 1)) - 1;
            gfn = (gfn & ~inside) | (linear >> PAGE_SHIFT & inside);
            break;
        }
    }
    p->bytes = ram_page(d, gfn);
    if (!p->bytes)
        return false;
    p->linear = linear & PAGE_MASK;
    p->cr3 = v->hvm->cr3;
    p->generation = generation;
    return true;
}

static bool is_remembered(const struct vcpu *v, const struct code_page *p, uint64_t linear)
{
    if (p->linear != (linear & PAGE_MASK) || p->cr3 != v->hvm->cr3 || p->generation != v->domain->hvm->tlb_generation)
        return false;
    for (unsigned i = 0; i < p->levels; i++)
        if ((READ_ONCE(*p->entry[i]) & ~NOT_COMPARED) != p->value[i])
            return false;
    return true;
}

#define CODE_BYTES 16 /* one more than an instruction has: two loads */

/* Interrupts are on. False: not found this way. */
static bool copy_code(struct vcpu *v, uint64_t linear, uint8_t bytes[CODE_BYTES])
{
    struct code_page *p = v->hvm->code_page;
    if (!is_walkable(v))
        return false;
    irq_disable();
    bool found = likely(is_remembered(v, p, linear)) || remember(v, p, linear);
    if (likely(found))
        memcpy(bytes, p->bytes + (linear & ~PAGE_MASK), CODE_BYTES);
    irq_enable();
    return found;
}

static uint64_t linear_rip(struct vcpu *v, const struct cpu_user_regs *regs, unsigned code_bytes)
{
    struct hvm_segment_register cs;
    if (code_bytes == 8)
        return regs->rip;
    hvm_vendor->get_segment(v, SEG_CS, &cs);
    return (uint32_t)(cs.base + regs->rip);
}

static unsigned fetch_at(struct vcpu *v, uint64_t linear, uint8_t *bytes)
{
    unsigned access = WALK_FETCH | (hvm_vendor->cpl(v) == 3 ? WALK_USER : 0);
    unsigned in_page = min(15U, (unsigned)(PAGE_SIZE - (linear & ~PAGE_MASK)));
    uint32_t fault;
    uint64_t gpa;
    if (hvm_copy_linear(v, linear, bytes, in_page, access, &fault, &gpa))
        return 0;
    if (in_page < 15 && !hvm_copy_linear(v, linear + in_page, bytes + in_page, 15 - in_page, access, &fault, &gpa))
        return 15;
    return in_page;
}

unsigned hvm_fetch(struct vcpu *v, const struct cpu_user_regs *regs, uint8_t bytes[15])
{
    if (hvm_vendor->sync)
        hvm_vendor->sync(v);
    memset(bytes, 0, 15);
    return fetch_at(v, linear_rip(v, regs, hvm_code_bytes(v)), bytes);
}

/* The instructions that exit most and have one form: without prefixes it is known by two bytes, in a tenth of the steps
 * that the parser takes. */
static unsigned common_length(const uint8_t *bytes)
{
    if (bytes[0] == 0x0f) {
        switch (bytes[1]) {
        case 0x30: /* wrmsr */
        case 0x32: /* rdmsr */
        case 0xa2: /* cpuid */
            return 2;
        case 0x01:
            return bytes[2] == 0xd9 || bytes[2] == 0xc1 || bytes[2] == 0xd1 ? 3 : 0; /* vmmcall, vmcall, xsetbv */
        }
        return 0;
    }
    return bytes[0] == 0xf4 ? 1 : 0; /* hlt */
}

unsigned hvm_instruction_length(struct vcpu *v, const struct cpu_user_regs *regs)
{
    if (hvm_vendor->sync)
        hvm_vendor->sync(v);
    unsigned code_bytes = hvm_code_bytes(v);
    uint64_t linear = linear_rip(v, regs, code_bytes);
    uint8_t bytes[CODE_BYTES] __uninitialized;
    if (likely((linear & ~PAGE_MASK) <= PAGE_SIZE - CODE_BYTES) && likely(copy_code(v, linear, bytes))) {
        unsigned length = common_length(bytes);
        return length ? length : instruction_length(bytes, 15, code_bytes);
    }
    unsigned count = fetch_at(v, linear, bytes);
    return count ? instruction_length(bytes, count, code_bytes) : 0;
}
