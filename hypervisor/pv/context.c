/*
 * What a running PV vcpu has beside its general registers: address space, segments, FPU, debug registers, CR4.
 */
#include <hv/cpu.h>
#include <hv/pv.h>
#include <hv/pv_internal.h>
#include <hv/selectors.h>
#include <hv/tlb.h>
#include <hv/xstate.h>

void load_guest_root(struct vcpu *v)
{
    load_root((v->pv.kernel_mode ? v->pv.root_kernel : v->pv.root_user) << PAGE_SHIFT);
}

/* What of a guest's own CR4 counts while it runs. The rest of it is a value that it reads back: OSXSAVE stays set for
 * us. */
#define LOADED_CR4 (X86_CR4_TSD | X86_CR4_DE | X86_CR4_FSGSBASE)
#define GUEST_CR4  (LOADED_CR4 | X86_CR4_OSXSAVE)

/* A PV guest has no VT-x, whether we use it or not, and no UMIP. */
unsigned long pv_fix_cr4(unsigned long wanted)
{
    unsigned long host = read_cr4(), offered = X86_CR4_TSD | X86_CR4_DE | (host & X86_CR4_OSXSAVE);
    if (cpu_features.fsgsbase)
        offered |= X86_CR4_FSGSBASE;
    return (wanted & offered) | (host & ~(GUEST_CR4 | X86_CR4_VMXE | X86_CR4_UMIP));
}

/* With TSD, rdtsc of user and kernel comes to us as #GP. Without FSGSBASE no program of a guest changes the bases that
 * its kernel believes it to have. */
void set_guest_cr4(const struct vcpu *v)
{
    unsigned long cr4 = (read_cr4() & ~LOADED_CR4) | (v->pv.cr4 & LOADED_CR4);
    if (v->domain->tsc.emulated)
        cr4 |= X86_CR4_TSD;
    if (cr4 != read_cr4())
        write_cr4(cr4);
}

/* GS base of the mode that is not running is in KERNEL_GS_BASE. */
static void save_segments(struct vcpu *v)
{
    v->regs.ds = read_selector(ds);
    v->regs.es = read_selector(es);
    v->regs.fs = read_selector(fs);
    v->regs.gs = read_selector(gs);
    v->pv.fs_base = rdmsr(MSR_FS_BASE);
    unsigned long active = rdmsr(MSR_GS_BASE), other = rdmsr(MSR_KERNEL_GS_BASE);
    v->pv.gs_base_kernel = v->pv.kernel_mode ? active : other;
    v->pv.gs_base_user = v->pv.kernel_mode ? other : active;
}

/* The guest had removed the descriptor and loaded none since. It is told by its failsafe callback, once. */
static void note_lost_selectors(struct vcpu *v)
{
    const struct cpu_user_regs *r = &v->regs;
    if (v->pv.selectors_lost)
        return;
    v->pv.selectors_lost = true;
    memcpy(v->pv.lost_selectors, (const uint16_t[]){r->ds, r->es, r->fs, r->gs}, sizeof(v->pv.lost_selectors));
}

static void load_segments(struct vcpu *v)
{
    bool all = load_selector(ds, v->regs.ds);
    all &= load_selector(es, v->regs.es);
    all &= load_selector(fs, v->regs.fs);
    all &= load_selector(gs, v->regs.gs);
    if (unlikely(!all))
        note_lost_selectors(v);
    wrmsr(MSR_FS_BASE, v->pv.fs_base);
    wrmsr(MSR_GS_BASE, v->pv.kernel_mode ? v->pv.gs_base_kernel : v->pv.gs_base_user);
    wrmsr(MSR_KERNEL_GS_BASE, v->pv.kernel_mode ? v->pv.gs_base_user : v->pv.gs_base_kernel);
}

void pv_put_away(struct vcpu *prev)
{
    const struct cpu_user_regs *regs = guest_regs();
    memcpy(&prev->regs, regs, offsetof(struct cpu_user_regs, es));
    save_segments(prev);
    xstate_save(prev);
    if (prev->pv.dr[7] & 0xff)
        write_dr7(0x400);
}

void pv_install(struct vcpu *next)
{
    memcpy(guest_regs(), &next->regs, sizeof(next->regs));
    load_guest_root(next);
    pv_load_descriptors(next, this_cpu());
    load_segments(next);
    set_guest_cr4(next);
    pv_load_debug_registers(next);
    xstate_restore(next);
}
