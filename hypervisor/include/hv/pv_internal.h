/*
 * Between the files of pv/, and for who builds Domain-0; nobody else includes this.
 * All functions act on the current vcpu unless they are given one.
 */
#ifndef HV_PV_INTERNAL_H
#define HV_PV_INTERNAL_H

#include <hv/cpu.h>
#include <hv/domain.h>
#include <hv/instruction.h>
#include <hv/traps.h>

static inline bool guest_kernel_mode(const struct vcpu *v)
{
    return v->pv.kernel_mode;
}

/* As the processor does behind an instruction; the fault that brought it to us had set RF. */
static inline void pv_finish_instruction(struct cpu_user_regs *regs, unsigned length)
{
    regs->rip += length;
    regs->rflags &= ~X86_EFLAGS_RF;
}

/* VMASST_TYPE_* */
static inline bool pv_assist(const struct vcpu *v, unsigned type)
{
    return READ_ONCE(v->domain->vm_assist) >> type & 1;
}

/* pv/bounce.c: the other root table and GS base; true if there was one to go to. */
bool pv_toggle_mode(struct vcpu *v);
/* Error code without a value. */
#define NO_ERROR_CODE (~0ULL)
/* Builds the guest's stack frame and continues at `address`; crashes the domain when its stack cannot take it. */
void pv_bounce(struct cpu_user_regs *regs, unsigned long address, bool mask_events, uint64_t error_code);
/* May the guest's present mode, user or kernel, use ports and the interrupt flag? */
bool pv_iopl_allows(const struct vcpu *v);
/* Virtual rflags: what the guest sees for its own. */
uint64_t pv_guest_rflags(const struct vcpu *v, const struct cpu_user_regs *regs);
/* Clears what a guest must not have in real rflags and sets IF. */
uint64_t pv_sane_rflags(uint64_t rflags);

/* Exceptions of guest code. */
void pv_page_fault(struct cpu_user_regs *regs, unsigned long address);          /* pv/page_fault.c */
void pv_general_protection(struct cpu_user_regs *regs);                         /* pv/privileged.c */
void pv_invalid_opcode(struct cpu_user_regs *regs);                             /* pv/privileged.c: forced CPUID */
bool pv_emulate_table_write(struct cpu_user_regs *regs, unsigned long address); /* pv/write_emulate.c */

/* pv/fetch.c: the bytes at rip, as many as there are up to the end of the page or an instruction's; 0: none. */
unsigned pv_fetch(const struct cpu_user_regs *regs, uint8_t bytes[MAX_INSTRUCTION_BYTES]);
/* False: not whole, or none of those that are finished for guests. */
bool pv_decode(struct code_cursor *code, struct instruction *i);

/* pv/msr.c: false = #GP. */
bool pv_rdmsr(struct vcpu *v, uint32_t msr, uint64_t *value);
bool pv_wrmsr(struct vcpu *v, uint32_t msr, uint64_t value);
/* pv/port_io.c: size 1, 2, 4. What is not the guest's reads all ones, and a write to it goes nowhere. */
uint32_t pv_port_read(struct vcpu *v, uint16_t port, unsigned size);
void pv_port_write(struct vcpu *v, uint16_t port, unsigned size, uint32_t value);

/* pv/descriptor.c */
int pv_descriptor_window_alloc(struct vcpu *v);
void pv_descriptor_window_free(struct vcpu *v);
/* Shows the CPU's own descriptors in v's window and loads GDTR and LDTR. On context switch. */
void pv_load_descriptors(struct vcpu *v, const struct cpu *cpu);
int pv_set_gdt(struct vcpu *v, const uint64_t *frames, unsigned entries);
void pv_drop_gdt(struct vcpu *v);
int pv_set_ldt(struct vcpu *v, unsigned long address, unsigned entries);
void pv_drop_ldt(struct vcpu *v);

/* pv/table_tree.c; owner's pt_lock held but for pv_finish_tables and pv_abandon_tables. */
/* A reference to a page table of d and its type. -ERESTART: it takes longer, ask for it again. */
int pv_get_table(struct domain *d, mfn_t mfn, unsigned level);
void pv_put_table(struct domain *d, mfn_t mfn);
/* A piece of what is under way; -ERESTART while there is more. It takes the lock, and nothing where there is no
 * work: every call that changes tables of d, or what its frames are used for, begins and ends with it. */
int pv_finish_table_work(struct domain *d);
static inline int pv_finish_tables(struct domain *d)
{
    const struct table_work *w = &d->table_work;
    return likely(!READ_ONCE(w->closing) && !READ_ONCE(w->root)) ? 0 : pv_finish_table_work(d);
}
/* The same for a domain that ends: what is being made is given up. */
int pv_abandon_tables(struct domain *d);

/* pv/page_table.c; owner's pt_lock held. */
/* The references of all entries of a level-1 table, or none. */
int pv_get_l1_entries(struct domain *d, mfn_t mfn);
/* Entries of a root table that are ours. */
bool pv_is_hypervisor_slot(unsigned level, unsigned index);
void pv_fill_hypervisor_slots(pte_t *root);
/* Whether this root table shows the table of frame numbers, which is the guest kernel's business and no program's. */
void pv_show_m2p(mfn_t root, bool shown);
/* Writes one entry of a table in use of pt_owner; frames it names belong to `foreign` (NULL: to pt_owner). *replaced
 * (may be NULL) receives what was there at the moment of the exchange. keep: accessed and dirty bits that
 * stay if they are set at that moment. -ERESTART: nothing was written, again. */
int pv_write_entry(struct domain *pt_owner, struct domain *foreign, mfn_t table, unsigned index, unsigned level,
                   pte_t value, pte_t keep, pte_t *replaced);
/* Gives back the references that a level-1 entry stands for. */
void pv_put_l1e(struct domain *pt_owner, pte_t entry);
/* What v's present tables say about va: the level-1 entry as it was read, once, and where it stands. A value and no
 * pointer: a second look could find another entry. False: a table is missing on the way. */
struct walk {
    pte_t entry;
    mfn_t table;
    unsigned index;
};
bool pv_walk(struct vcpu *v, unsigned long va, struct walk *found);

/* pv/callback.c. DR4 and 5 are 6 and 7, unless the guest has CR4.DE: then there is none. */
bool pv_no_debug_register(const struct vcpu *v, unsigned index);
/* -EPERM for a value a guest must not have; v->pv.dr into the processor. */
int pv_set_debug_register(struct vcpu *v, unsigned index, unsigned long value);
void pv_load_debug_registers(const struct vcpu *v);

/* pv/mmuext.c */
/* MMUEXT_PIN_Ln_TABLE. -EINVAL: not such a table, or pinned already; -ERESTART: again, as for pv_set_root. */
int pv_pin_table(struct domain *d, mfn_t mfn, unsigned level);
/* CPUs whose TLB may hold translations of d's running vcpus, or of those in the caller's bitmap of ids: -EFAULT. */
void pv_domain_cpus(struct domain *d, cpumask_t *mask);
int pv_vcpu_bitmap_cpus(unsigned long guest_bitmap, cpumask_t *mask);
int pv_set_root(struct vcpu *v, mfn_t mfn);
int pv_set_user_root(struct vcpu *v, mfn_t mfn);
/* pv/context.c: loads the root table of v's present mode. */
void load_guest_root(struct vcpu *v);
void set_guest_cr4(const struct vcpu *v);
/* The CR4 a guest may have: its TSD, DE, OSXSAVE and FSGSBASE, ours for the rest. */
unsigned long pv_fix_cr4(unsigned long wanted);

#endif
