/*
 * XEN_DOMCTL_soft_reset: an HVM guest whose kernel has shut down to start another one in its place (kexec, kdump)
 * becomes a guest that has told us nothing yet. Source: xen/domctl.h, xen/sched.h (SHUTDOWN_soft_reset).
 *
 * Gone: event channels, grants but for those that others still use, watchdogs and timers of vcpus, what the guest had
 * registered, and our pages from its memory, where there is memory of its own again. Kept: memory, the processors'
 * registers, emulated chips, parameters that the toolstack sets. Each step may be made again: a call that is
 * interrupted begins anew.
 */
#include <hv/abi_internal.h>
#include <hv/domain_log.h>
#include <hv/event_channel.h>
#include <hv/grant_table.h>
#include <hv/hvm_irq.h>
#include <hv/p2m.h>
#include <hv/sched.h>
#include <hv/time.h>

/* The next kernel takes for memory what the last one had of ours there. Without memory left it finds a hole. */
static void take_back(struct domain *d, mfn_t mfn)
{
    gfn_t gfn = m2p_get(mfn);
    enum p2m_type kind;

    if (gfn == M2P_INVALID || p2m_lookup(d, gfn, &kind, NULL) != mfn || kind != P2M_SHARED || p2m_clear(d, gfn, 0))
        return;
    if (!memory_populate_frame(d, gfn))
        domain_log(LOG_WARNING, d, "no memory to put at frame %#lx, where a page of ours was", (unsigned long)gfn);
}

static void take_back_grant_table(struct domain *d)
{
    mfn_t mfn;

    for (unsigned status = 0; status < 2; status++)
        for (unsigned i = 0; grant_table_has_frame(d, i, status, &mfn); i++)
            take_back(d, mfn);
}

static void forget_vcpu(struct vcpu *v)
{
    vcpu_timers_stop(v);
    v->runstate_guest = v->time_guest = 0;
    v->hvm->upcall_vector = 0;
    vcpu_reset_info(v);
}

long domctl_soft_reset(struct request *r)
{
    struct domain *d = r->domain;
    struct vcpu *v;
    int error;

    if (is_current_domain(d) || !is_hvm(d) || !d->is_shut_down)
        return -EINVAL;
    domain_pause_sync(d);
    error = event_channels_close_all(d);
    if (!error) {
        domain_watchdogs_kill(d);
        (void)hvm_set_callback_via(d, 0); /* none can be had */
        d->hvm->param[HVM_PARAM_CALLBACK_IRQ] = 0;
        take_back(d, virt_to_mfn(d->shared_info));
        d->hvm->shared_info_gfn = INVALID_MFN;
        memset(d->shared_info, 0, PAGE_SIZE);
        for_each_vcpu(d, v)
            forget_vcpu(v);
        domain_update_wallclock(d);
        take_back_grant_table(d);
        grant_table_forget(d);
        domain_resume(d);
    }
    domain_unpause(d);
    return error;
}
