/*
 * domctl: what is special to HVM guests: their buttons, and their registers as tools that look at guests want them.
 * Source: xen/domctl.h, xen/arch-x86/xen.h.
 */
#include <hv/abi_internal.h>
#include <hv/hvm_irq.h>
#include <hv/vdev.h>
#include <hv/xstate.h>
#include <xen/sched.h>

#define DELIVERY_INIT 5 /* Intel SDM volume 3, 11.6.1 */

/* ---- buttons ---- */

static int press_power(struct vcpu *v)
{
    vpm_power_button(v->domain);
    return 0;
}

static int press_sleep(struct vcpu *v)
{
    vpm_sleep_button(v->domain);
    return 0;
}

/* The toolstack starts a guest that wants to reboot anew, which is a reset. */
static int press_reset(struct vcpu *v)
{
    domain_shutdown(v->domain, SHUTDOWN_reboot);
    return 0;
}

static int send_nmi(struct vcpu *v)
{
    v->nmi_pending = true;
    hvm_kick(v);
    return 0;
}

/* As from another processor: it takes the INIT itself, and then waits for its start-up message. */
static int send_init(struct vcpu *v)
{
    return vlapic_deliver(v->domain, vlapic_id_of(v->id), false, DELIVERY_INIT, 0, false);
}

int hvm_send_trigger(struct vcpu *v, uint32_t trigger)
{
    static int (*const triggers[])(struct vcpu * v) = {
        [XEN_DOMCTL_SENDTRIGGER_NMI] = send_nmi,      [XEN_DOMCTL_SENDTRIGGER_RESET] = press_reset,
        [XEN_DOMCTL_SENDTRIGGER_INIT] = send_init,    [XEN_DOMCTL_SENDTRIGGER_POWER] = press_power,
        [XEN_DOMCTL_SENDTRIGGER_SLEEP] = press_sleep,
    };

    if (trigger >= ARRAY_SIZE(triggers))
        return -ENOSYS;
    return is_current_domain(v->domain) ? -EINVAL : triggers[trigger](v);
}

/* ---- registers ---- */

static struct hvm_segment_register segment(struct vcpu *v, enum hvm_segment which)
{
    struct hvm_segment_register s;

    hvm_vendor->get_segment(v, which, &s);
    return s;
}

/* FS, and GS of both modes: the one that is not in use is in a register of its own. */
static void get_bases(struct vcpu *v, struct vcpu_guest_context *c, bool kernel)
{
    uint64_t in_use = segment(v, SEG_GS).base, other = hvm_vendor->get_msr(v, MSR_KERNEL_GS_BASE);

    c->fs_base = segment(v, SEG_FS).base;
    c->gs_base_kernel = kernel ? in_use : other;
    c->gs_base_user = kernel ? other : in_use;
}

void hvm_vcpu_get_context(struct vcpu *v, struct vcpu_guest_context *c)
{
    const struct hvm_vcpu *hvm = v->hvm;
    bool kernel = hvm_vendor->cpl(v) == 0;

    memset(c, 0, sizeof(*c));
    c->user_regs = v->regs;
    c->user_regs.cs = segment(v, SEG_CS).selector;
    c->user_regs.ss = segment(v, SEG_SS).selector;
    c->user_regs.ds = segment(v, SEG_DS).selector;
    c->user_regs.es = segment(v, SEG_ES).selector;
    c->user_regs.fs = segment(v, SEG_FS).selector;
    c->user_regs.gs = segment(v, SEG_GS).selector;
    xstate_export_fxsave(v, &c->fpu_ctxt);
    c->flags = VGCF_i387_valid | (kernel ? VGCF_in_kernel : 0) | (v->offline ? 0 : VGCF_online);
    c->ctrlreg[0] = hvm->cr0;
    c->ctrlreg[2] = hvm->cr2;
    c->ctrlreg[3] = hvm->cr3;
    c->ctrlreg[4] = hvm->cr4;
    for (unsigned i = 0; i < ARRAY_SIZE(hvm->dr); i++)
        c->debugreg[i] = hvm->dr[i];
    c->debugreg[6] = hvm->dr6;
    c->debugreg[7] = hvm->dr7;
    get_bases(v, c, kernel);
}
