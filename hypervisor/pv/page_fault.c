/*
 * Page faults of PV guests: ours to finish (page-table writes), ours to ignore (stale translation), or the guest's.
 */
#include <hv/console.h>
#include <hv/cpu.h>
#include <hv/page_type.h>
#include <hv/pv.h>
#include <hv/pv_internal.h>
#include <hv/tlb.h>

/* The tables by now allow what faulted: an entry was changed after the processor had cached it. */
static bool is_spurious(struct vcpu *v, unsigned long address, uint32_t error)
{
    mfn_t mfn = guest_kernel_mode(v) ? v->pv.root_kernel : v->pv.root_user;
    pte_t e = 0, rights = PTE_WRITE, nx = 0;
    if (error & PF_RESERVED)
        return false;
    for (unsigned level = 4; level > 0; level--) {
        e = READ_ONCE(((pte_t *)mfn_to_virt(mfn))[PTE_INDEX(address, level)]);
        if (!(e & PTE_PRESENT))
            return false;
        rights &= e;
        nx |= e & PTE_NX;
        mfn = pte_mfn(e);
    }
    return !((error & PF_WRITE) && !rights) && !((error & PF_FETCH) && nx);
}

void pv_page_fault(struct cpu_user_regs *regs, unsigned long address)
{
    struct vcpu *v = current;
    struct domain *d = v->domain;
    uint32_t error = regs->error_code;
    if (!guest_range_ok(address, 1)) {
        pv_inject_page_fault(regs, address, error);
        return;
    }
    if ((error & (PF_WRITE | PF_PRESENT)) == (PF_WRITE | PF_PRESENT) && guest_kernel_mode(v) &&
        pv_emulate_table_write(regs, address))
        return;
    if (!is_canonical(address)) {
        pv_inject_page_fault(regs, address, error);
        return;
    }
    spin_lock(&d->pt_lock);
    bool spurious = is_spurious(v, address, error);
    spin_unlock(&d->pt_lock);
    if (spurious) {
        tlb_flush_local_va(address);
        return;
    }
    pv_inject_page_fault(regs, address, error);
}
