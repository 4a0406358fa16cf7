/*
 * A PV vcpu's life: its window, its first registers (from the toolstack or VCPUOP_initialise), and what it lets go of.
 * Source: arch-x86/xen.h, struct vcpu_guest_context.
 */
#include <hv/console.h>
#include <hv/cpu.h>
#include <hv/guest_copy.h>
#include <hv/pv.h>
#include <hv/pv_internal.h>
#include <hv/spinlock.h>
#include <hv/time.h>
#include <hv/xstate.h>

int pv_vcpu_init(struct vcpu *v)
{
    v->pv.dr[6] = 0xffff0ff0;
    v->pv.dr[7] = 0x400;
    v->pv.kernel_mode = true;
    v->pv.cr4 = pv_fix_cr4(0);
    return pv_descriptor_window_alloc(v);
}

void pv_vcpu_destroy(struct vcpu *v)
{
    pv_descriptor_window_free(v);
}

void pv_vcpu_release(struct vcpu *v)
{
    pv_drop_gdt(v);
    pv_drop_ldt(v);
    pv_set_user_root(v, 0);
    pv_set_root(v, 0);
}

static bool context_ok(const struct vcpu_guest_context *c)
{
    bool addresses = is_canonical(c->user_regs.rip) && is_canonical(c->event_callback_eip) &&
                     is_canonical(c->failsafe_callback_eip) && is_canonical(c->syscall_callback_eip) &&
                     is_canonical(c->fs_base) && is_canonical(c->gs_base_kernel) && is_canonical(c->gs_base_user);
    for (unsigned i = 0; i < 256; i++)
        addresses = addresses && is_canonical(c->trap_ctxt[i].address);
    /* The mode it starts in must have a root table: without one the processor would have none either. */
    bool roots = c->ctrlreg[3] >> PAGE_SHIFT &&
                 ((c->flags & VGCF_in_kernel) || (c->ctrlreg[1] & 1 && c->ctrlreg[1] >> PAGE_SHIFT));
    return addresses && roots && c->gdt_ents <= FIRST_RESERVED_GDT_ENTRY && c->ldt_ents <= 8192;
}

static int set_roots(struct vcpu *v, const struct vcpu_guest_context *c)
{
    /* Tables are made by the toolstack with xen_pfn_to_cr3; a zero user root means none yet.
     * ctrlreg[1] bit 0: present. */
    int err = pv_set_root(v, c->ctrlreg[3] >> PAGE_SHIFT);
    if (!err && (c->ctrlreg[1] & 1))
        err = pv_set_user_root(v, c->ctrlreg[1] >> PAGE_SHIFT);
    return err;
}

static void set_registers(struct vcpu *v, const struct vcpu_guest_context *c)
{
    v->regs = c->user_regs;
    v->pv.selectors_lost = false;
    v->regs.entry_vector = 0;
    v->regs.cs |= 3;
    v->regs.ss |= 3;
    v->regs.rflags = pv_sane_rflags(v->regs.rflags);
    v->pv.iopl = c->user_regs.rflags >> 12 & 3;
    v->pv.kernel_mode = c->flags & VGCF_in_kernel;
    v->pv.kernel_sp = c->kernel_sp;
    v->pv.kernel_ss = (uint16_t)(c->kernel_ss | 3);
    v->pv.fs_base = c->fs_base;
    v->pv.gs_base_kernel = c->gs_base_kernel;
    v->pv.gs_base_user = c->gs_base_user;
    v->pv.cr4 = pv_fix_cr4(c->ctrlreg[4]);
    for (unsigned i = 0; i < 8; i++)
        if (i != 4 && i != 5)
            pv_set_debug_register(v, i, c->debugreg[i]);
}

static void set_entry_points(struct vcpu *v, const struct vcpu_guest_context *c)
{
    for (unsigned i = 0; i < 256; i++)
        v->pv.trap[i] = c->trap_ctxt[i];
    v->pv.event = (struct pv_callback){c->event_callback_eip, true};
    v->pv.failsafe = (struct pv_callback){c->failsafe_callback_eip, c->flags & VGCF_failsafe_disables_events};
    v->pv.syscall = (struct pv_callback){c->syscall_callback_eip, c->flags & VGCF_syscall_disables_events};
}

/* It has no tables any more, so it must not run, whatever it did before: the processor would have none either. */
static void give_up(struct vcpu *v)
{
    pv_vcpu_release(v);
    v->initialised = false;
    v->offline = true;
}

int pv_vcpu_set_context(struct vcpu *v, const struct vcpu_guest_context *c)
{
    if (!context_ok(c))
        return -EINVAL;
    int err = set_roots(v, c);
    if (!err)
        err = pv_set_gdt(v, c->gdt_frames, c->gdt_ents);
    if (err == -ERESTART) /* what it has by now it finds again */
        return err;
    if (err) {
        give_up(v);
        return err;
    }
    set_registers(v, c);
    set_entry_points(v, c);
    if (c->flags & VGCF_i387_valid)
        xstate_import_fxsave(v, &c->fpu_ctxt);
    if (c->ldt_ents)
        err = pv_set_ldt(v, c->ldt_base, c->ldt_ents);
    if (!err) {
        v->domain->vm_assist = c->vm_assist & PV_ASSISTS;
        v->initialised = true;
        if (v->id == 0)
            domain_update_wallclock(v->domain); /* the toolstack clears the shared page when it builds a guest */
    }
    return err;
}

/* As the guest had them: where they are set again, they are lost again. */
static void get_selectors(const struct vcpu *v, struct cpu_user_regs *regs)
{
    const uint16_t *lost = v->pv.lost_selectors;
    if (!v->pv.selectors_lost)
        return;
    regs->ds = lost[0];
    regs->es = lost[1];
    regs->fs = lost[2];
    regs->gs = lost[3];
}

void pv_vcpu_get_context(struct vcpu *v, struct vcpu_guest_context *c)
{
    memset(c, 0, sizeof(*c));
    c->user_regs = v->regs;
    c->user_regs.rflags = pv_guest_rflags(v, &v->regs) | (uint64_t)v->pv.iopl << 12;
    get_selectors(v, &c->user_regs);
    xstate_export_fxsave(v, &c->fpu_ctxt);
    c->flags = VGCF_i387_valid | (v->pv.kernel_mode ? VGCF_in_kernel : 0) | (v->offline ? 0 : VGCF_online);
    memcpy(c->trap_ctxt, v->pv.trap, sizeof(c->trap_ctxt));
    c->ldt_base = v->pv.ldt_base;
    c->ldt_ents = v->pv.ldt_entries;
    for (unsigned i = 0; i < v->pv.gdt_frames; i++)
        c->gdt_frames[i] = v->pv.gdt_mfn[i];
    c->gdt_ents = v->pv.gdt_count;
    c->kernel_ss = v->pv.kernel_ss;
    c->kernel_sp = v->pv.kernel_sp;
    c->ctrlreg[0] = read_cr0() & ~X86_CR0_TS;
    c->ctrlreg[1] = v->pv.root_user ? v->pv.root_user << PAGE_SHIFT | 1 : 0;
    c->ctrlreg[3] = v->pv.root_kernel << PAGE_SHIFT;
    c->ctrlreg[4] = v->pv.cr4;
    memcpy(c->debugreg, v->pv.dr, sizeof(c->debugreg));
    c->event_callback_eip = v->pv.event.address;
    c->failsafe_callback_eip = v->pv.failsafe.address;
    c->syscall_callback_eip = v->pv.syscall.address;
    c->flags |= (v->pv.failsafe.mask_events ? VGCF_failsafe_disables_events : 0) |
                (v->pv.syscall.mask_events ? VGCF_syscall_disables_events : 0);
    c->vm_assist = v->domain->vm_assist;
    c->fs_base = v->pv.fs_base;
    c->gs_base_kernel = v->pv.gs_base_kernel;
    c->gs_base_user = v->pv.gs_base_user;
}
