/*
 * The address space of a CPU, and what it has between guests.
 */
#include <hv/cpu.h>
#include <hv/descriptor_tables.h>
#include <hv/percpu.h>
#include <hv/selectors.h>
#include <hv/tlb.h>

void load_root(paddr_t root)
{
    struct cpu *cpu = this_cpu();
    uint64_t time = __atomic_add_fetch(&tlbflush_clock, 1, __ATOMIC_SEQ_CST);
    cpu->current_cr3 = root;
    write_cr3(root);
    cpu->tlbflush_time = time;
}

void leave_guest_tables(struct cpu *cpu)
{
    load_root(cpu->root_table);
    descriptor_tables_load(cpu);
    (void)load_selector(ds, 0);
    (void)load_selector(es, 0);
    lldt(0);
}
