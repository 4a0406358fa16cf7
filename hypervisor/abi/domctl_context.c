/*
 * domctl: registers and processor state of a vcpu, out and (PV; HVM in domctl_hvm.c) in, for building, saving and
 * looking at domains. Source: xen/domctl.h, xen/arch-x86/xen.h, xen/hvm/save.h (layout of extended state).
 *
 * The domain is kept off every processor while its state is read or written.
 */
#include <hv/abi_internal.h>
#include <hv/cpu.h>
#include <hv/guest_copy.h>
#include <hv/hvm.h>
#include <hv/page_alloc.h>
#include <hv/pv.h>
#include <hv/sched.h>
#include <hv/xstate.h>

_Static_assert(sizeof(struct vcpu_guest_context) == 5168, "ABI");

static int find_vcpu(struct domain *d, uint32_t id, struct vcpu **v)
{
    if (is_current_domain(d))
        return -EINVAL;
    *v = domain_vcpu(d, id);
    return *v ? 0 : -ESRCH;
}

/* A context that says "online" also starts the vcpu, as soon as its domain is not paused. */
static int install_context(struct domain *d, struct vcpu *v, const struct vcpu_guest_context *context)
{
    int error;

    domain_pause_sync(d);
    error = pv_vcpu_set_context(v, context);
    if (!error) {
        v->initialised = true;
        v->offline = !(context->flags & VGCF_online);
    }
    domain_unpause(d);
    if (!error && !v->offline)
        vcpu_wake(v);
    return error;
}

long domctl_setvcpucontext(struct request *r)
{
    struct domain *d = r->domain;
    struct xen_domctl *op = r->argument;
    struct vcpu_guest_context *context;
    struct vcpu *v;
    int error = find_vcpu(d, op->u.vcpucontext.vcpu, &v);

    if (error)
        return error;
    if (guest_handle_is_null(op->u.vcpucontext.ctxt) || is_hvm(d))
        return -EOPNOTSUPP;
    context = zalloc(sizeof(*context));
    if (!context)
        return -ENOMEM;
    error = copy_from_guest(context, op->u.vcpucontext.ctxt, 1);
    if (!error)
        error = install_context(d, v, context);
    free(context);
    return error;
}

long domctl_getvcpucontext(struct request *r)
{
    struct domain *d = r->domain;
    struct xen_domctl *op = r->argument;
    struct vcpu_guest_context *context;
    struct vcpu *v;
    int error = find_vcpu(d, op->u.vcpucontext.vcpu, &v);

    if (error)
        return error;
    if (!v->initialised)
        return -ENODATA;
    context = zalloc(sizeof(*context));
    if (!context)
        return -ENOMEM;
    domain_pause_sync(d);
    if (is_hvm(d))
        hvm_vcpu_get_context(v, context);
    else
        pv_vcpu_get_context(v, context);
    domain_unpause(d);
    error = copy_to_guest(op->u.vcpucontext.ctxt, context, 1);
    free(context);
    return error;
}

/* Without the machine-check part, which PV vcpus do not have, an older and shorter structure is as good. */
#define SHORTEST_EXT offsetof(struct xen_domctl_ext_vcpucontext, mcg_cap)

long domctl_set_ext_vcpucontext(struct request *r)
{
    struct domain *d = r->domain;
    struct xen_domctl *op = r->argument;
    const struct xen_domctl_ext_vcpucontext *e = &op->u.ext_vcpucontext;
    struct vcpu *v;
    int error = find_vcpu(d, e->vcpu, &v);

    if (error)
        return error;
    if (is_hvm(d))
        return -EOPNOTSUPP;
    if (e->size < SHORTEST_EXT || !is_canonical(e->syscall32_callback_eip) || !is_canonical(e->sysenter_callback_eip))
        return -EINVAL;
    domain_pause_sync(d);
    v->pv.syscall32 = (struct pv_callback){e->syscall32_callback_eip, e->syscall32_disables_events};
    v->pv.sysenter = (struct pv_callback){e->sysenter_callback_eip, e->sysenter_disables_events};
    domain_unpause(d);
    return 0;
}

long domctl_get_ext_vcpucontext(struct request *r)
{
    struct domain *d = r->domain;
    struct xen_domctl *op = r->argument;
    struct xen_domctl_ext_vcpucontext *e = &op->u.ext_vcpucontext;
    uint32_t id = e->vcpu;
    struct vcpu *v;
    int error = find_vcpu(d, id, &v);

    if (error)
        return error;
    memset(e, 0, sizeof(*e));
    e->vcpu = id;
    e->size = sizeof(*e);
    if (is_hvm(d))
        return 0;
    domain_pause_sync(d);
    e->syscall32_callback_eip = v->pv.syscall32.address;
    e->syscall32_disables_events = v->pv.syscall32.mask_events;
    e->syscall32_callback_cs = v->pv.syscall32.address ? GUEST_CS64 : 0;
    e->sysenter_callback_eip = v->pv.sysenter.address;
    e->sysenter_disables_events = v->pv.sysenter.mask_events;
    e->sysenter_callback_cs = v->pv.sysenter.address ? GUEST_CS64 : 0;
    domain_unpause(d);
    return 0;
}

/*
 * Extended state travels as XCR0, the components used so far, and the XSAVE area in its standard format (Intel SDM
 * volume 1, 13.4).
 */
struct xstate_image {
    uint64_t xcr0, xcr0_accum;
    uint8_t area[];
};
#define XSAVE_AREA_MINIMUM 576

static size_t xstate_image_bytes(void)
{
    return offsetof(struct xstate_image, area) + cpu_features.xsave_bytes;
}

long domctl_getvcpuextstate(struct request *r)
{
    struct domain *d = r->domain;
    struct xen_domctl *op = r->argument;
    struct xen_domctl_vcpuextstate *e = &op->u.vcpuextstate;
    struct xstate_image *image;
    size_t bytes = xstate_image_bytes();
    struct vcpu *v;
    int error = find_vcpu(d, e->vcpu, &v);

    if (error)
        return error;
    if (!cpu_features.xsave || guest_handle_is_null(e->buffer)) {
        e->xfeature_mask = cpu_features.xsave ? cpu_features.xcr0_mask : 0;
        e->size = cpu_features.xsave ? bytes : 0;
        return 0;
    }
    if (e->size < bytes || e->xfeature_mask != cpu_features.xcr0_mask)
        return -EINVAL;
    image = zalloc(bytes);
    if (!image)
        return -ENOMEM;
    domain_pause_sync(d);
    image->xcr0 = image->xcr0_accum = v->xcr0;
    memcpy(image->area, v->xstate, cpu_features.xsave_bytes);
    domain_unpause(d);
    e->size = bytes;
    error = copy_to_guest_va((unsigned long)e->buffer.p, image, bytes);
    free(image);
    return error;
}

static int install_xstate(struct domain *d, struct vcpu *v, const struct xstate_image *image, size_t bytes)
{
    int error;

    domain_pause_sync(d);
    error = xstate_import_xsave(v, image->xcr0, image->area, bytes - offsetof(struct xstate_image, area));
    domain_unpause(d);
    return error;
}

/* A vcpu that used no extended state was saved as the two masks alone; then there is nothing to install. */
long domctl_setvcpuextstate(struct request *r)
{
    struct domain *d = r->domain;
    struct xen_domctl *op = r->argument;
    const struct xen_domctl_vcpuextstate *e = &op->u.vcpuextstate;
    size_t bytes = xstate_image_bytes();
    struct xstate_image *image;
    struct vcpu *v;
    int error = find_vcpu(d, e->vcpu, &v);

    if (error)
        return error;
    if (!cpu_features.xsave)
        return -EOPNOTSUPP;
    if (e->size == offsetof(struct xstate_image, area))
        return 0;
    if (e->size < offsetof(struct xstate_image, area) + XSAVE_AREA_MINIMUM || e->size > bytes)
        return -EINVAL;
    image = zalloc(bytes);
    if (!image)
        return -ENOMEM;
    error = copy_from_guest_va(image, (unsigned long)e->buffer.p, e->size);
    if (!error)
        error = install_xstate(d, v, image, e->size);
    free(image);
    return error;
}

/* A PV vcpu has no model-specific registers of its own beside those in its context. */
long domctl_get_vcpu_msrs(struct request *r)
{
    struct domain *d = r->domain;
    struct xen_domctl *op = r->argument;
    struct vcpu *v;
    int error = find_vcpu(d, op->u.vcpu_msrs.vcpu, &v);

    if (!error)
        op->u.vcpu_msrs.msr_count = 0;
    return error;
}

long domctl_set_vcpu_msrs(struct request *r)
{
    struct domain *d = r->domain;
    struct xen_domctl *op = r->argument;
    struct vcpu *v;
    int error = find_vcpu(d, op->u.vcpu_msrs.vcpu, &v);

    if (!error && op->u.vcpu_msrs.msr_count) {
        op->u.vcpu_msrs.msr_count = 0;
        error = -EINVAL;
    }
    return error;
}
