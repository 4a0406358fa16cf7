/*
 * A vcpu's life, the page it shares with its guest, and its state on the way to a toolstack and back: the real
 * core/vcpu.c and abi/domctl_context.c.
 */
#include "../../check.h"
#include <hv/abi_internal.h>
#include <hv/cpu.h>
#include <hv/domain.h>
#include <hv/event_channel.h>
#include <hv/hvm.h>
#include <hv/page_type.h>
#include <hv/pv.h>
#include <hv/sched.h>
#include <hv/xstate.h>
#include <string.h>

#define NOT_CANONICAL 0x0000800000000000UL
#define XSAVE_BYTES   832

struct cpu_features cpu_features = {.xsave = true, .xcr0_mask = 7, .xsave_bytes = XSAVE_BYTES};
static struct shared_info shared;
static struct vcpu *list[40];
static struct hvm_domain hvm_part;
static struct domain control, guest = {.id = 1, .max_vcpus = 40, .vcpu = list, .shared_info = &shared};
static struct vcpu caller = {.domain = &control};
static unsigned added, wakes, states, moved, imports;
static size_t import_bytes;
static int init_result, held, paused;

int xstate_alloc(struct vcpu *v)
{
    states++;
    v->xstate = calloc(1, XSAVE_BYTES);
    return 0;
}
void xstate_free(struct vcpu *v)
{
    states--;
    free(v->xstate);
}
int xstate_import_xsave(struct vcpu *v, uint64_t xcr0, const void *area, size_t bytes)
{
    CHECK(paused);
    imports++;
    import_bytes = bytes;
    return xcr0 & 1 ? 0 : -EINVAL;
}
int pv_vcpu_init(struct vcpu *v)
{
    return init_result;
}
void pv_vcpu_destroy(struct vcpu *v)
{
}
int pv_vcpu_set_context(struct vcpu *v, const struct vcpu_guest_context *c)
{
    CHECK(paused && !v->initialised);
    v->regs.rip = c->user_regs.rip;
    return c->ctrlreg[3] ? 0 : -EINVAL;
}
void pv_vcpu_get_context(struct vcpu *v, struct vcpu_guest_context *c)
{
    CHECK(paused);
    c->user_regs.rip = v->regs.rip;
}
void sched_add_vcpu(struct vcpu *v)
{
    CHECK(!list[v->id]); /* nobody sends it events before the scheduler knows it */
    added++;
}
void sched_remove_vcpu(struct vcpu *v)
{
    added--;
}
void event_channels_free_vcpu(struct vcpu *v)
{
}
void event_channels_vcpu_info_moved(struct vcpu *v)
{
    moved++;
}
void vcpu_wake(struct vcpu *v)
{
    CHECK(!paused);
    wakes++;
}
void vcpu_sleep(struct vcpu *v)
{
}
void domain_pause_sync(struct domain *d)
{
    paused++;
}
void domain_unpause(struct domain *d)
{
    paused--;
}
int page_get_with_type(struct page *page, const struct domain *d, uint64_t type)
{
    if (page_to_mfn(page) != 3) /* the one frame that is the guest's */
        return -EPERM;
    CHECK(type == TYPE_WRITABLE);
    held++;
    return 0;
}
void page_put_with_type(struct page *page)
{
    held--;
}

static struct vcpu *make(unsigned id)
{
    struct vcpu *v;
    CHECK(!vcpu_create(&guest, id, &v) && list[id] == v && v->offline && !v->initialised && added == 1);
    CHECK(v->info->evtchn_upcall_mask);
    return v;
}

static void end(struct vcpu *v)
{
    list[v->id] = NULL;
    vcpu_free(v);
    CHECK(!added && !states && !held && !paused);
}

static void made_whole_or_not_at_all(void)
{
    struct vcpu *v;
    CHECK(vcpu_create(&guest, 40, &v) == -EINVAL && vcpu_create(&guest, ~0U, &v) == -EINVAL);
    CHECK(!domain_vcpu(&guest, 40) && !domain_vcpu(&guest, ~0U));
    init_result = -ENOMEM;
    CHECK(vcpu_create(&guest, 0, &v) == -ENOMEM && !list[0] && !states && !added);
    init_result = 0;
    v = make(0);
    CHECK(vcpu_create(&guest, 0, &v) == -EEXIST && domain_vcpu(&guest, 0) == list[0]);
    CHECK(v->info == &shared.vcpu_info[0]);
    end(list[0]);
    v = make(XEN_LEGACY_MAX_VCPUS); /* beyond the shared page's array */
    CHECK(v->info == &v->info_of_ours);
    end(v);
}

static void shared_page(void)
{
    struct vcpu *v = make(2);
    static const unsigned bad[] = {4, 1, PAGE_SIZE - sizeof(struct vcpu_info) + 8, PAGE_SIZE, ~7U};
    for (unsigned i = 0; i < ARRAY_SIZE(bad); i++)
        CHECK(vcpu_register_info(v, 3, bad[i]) == -EINVAL);
    CHECK(vcpu_register_info(v, max_mfn, 0) == -EINVAL); /* no memory */
    CHECK(vcpu_register_info(v, 4, 0) == -EPERM);        /* another's */
    CHECK(v->info == &shared.vcpu_info[2] && v->info_mfn == INVALID_MFN && !held && !moved);
    v->info->evtchn_pending_sel = 0x55;
    CHECK(!vcpu_register_info(v, 3, PAGE_SIZE - sizeof(struct vcpu_info)) && held == 1 && moved == 1);
    CHECK((uint8_t *)v->info == fake_ram[3] + PAGE_SIZE - sizeof(struct vcpu_info) &&
          v->info->evtchn_pending_sel == 0x55);
    CHECK(vcpu_register_info(v, 3, 0) == -EINVAL && held == 1); /* once */
    vcpu_reset_info(v);
    CHECK(v->info == &shared.vcpu_info[2] && !held && !vcpu_register_info(v, 3, 0));
    vcpu_unregister_info(v);
    vcpu_unregister_info(v);
    CHECK(v->info == &v->info_of_ours && !held);
    end(v);
}

static void pausing(void)
{
    struct vcpu *v = make(0);
    v->is_running = v->context_saved = true;
    CHECK(!vcpu_try_pause(v) && !v->pause_count && wakes == 1);
    v->is_running = v->context_saved = false;
    CHECK(!vcpu_try_pause(v)); /* its registers are not in memory yet */
    v->context_saved = true;
    CHECK(vcpu_try_pause(v) && v->pause_count == 1);
    vcpu_unpause(v);
    CHECK(!v->pause_count && wakes == 3);
    wakes = 0;
    end(v);
}

/* ---- domctl ---- */

static long as_domctl(operation_handler handler, struct xen_domctl *op)
{
    struct request r = {.argument = op, .domain = &guest};
    return handler(&r);
}

static long context_call(operation_handler handler, unsigned vcpu, void *at)
{
    struct xen_domctl op = {.u.vcpucontext = {.vcpu = vcpu}};
    op.u.vcpucontext.ctxt.p = at;
    long result = as_domctl(handler, &op);
    CHECK(!paused);
    return result;
}

static void contexts(void)
{
    static struct vcpu_guest_context c;
    struct vcpu *v = make(0);
    c.user_regs.rip = 0x1234;
    c.flags = VGCF_online;
    CHECK(context_call(domctl_getvcpucontext, 0, &c) == -ENODATA); /* it has none yet */
    CHECK(context_call(domctl_setvcpucontext, 0, &c) == -EINVAL && !v->initialised && v->offline && !wakes);
    c.ctrlreg[3] = 0x5000;
    CHECK(context_call(domctl_setvcpucontext, 0, (void *)16) == -EFAULT);
    CHECK(context_call(domctl_setvcpucontext, 0, NULL) == -EOPNOTSUPP);
    CHECK(context_call(domctl_setvcpucontext, 1, &c) == -ESRCH &&
          context_call(domctl_getvcpucontext, 99, &c) == -ESRCH);
    CHECK(!context_call(domctl_setvcpucontext, 0, &c) && v->initialised && !v->offline && wakes == 1);
    memset(&c, 0, sizeof(c));
    CHECK(!context_call(domctl_getvcpucontext, 0, &c) && c.user_regs.rip == 0x1234);
    fake_current[0] = v; /* nobody stops himself to look at himself */
    CHECK(context_call(domctl_getvcpucontext, 0, &c) == -EINVAL &&
          context_call(domctl_setvcpucontext, 0, &c) == -EINVAL);
    fake_current[0] = &caller;
    guest.hvm = &hvm_part;
    CHECK(context_call(domctl_setvcpucontext, 0, &c) == -EOPNOTSUPP);
    guest.hvm = NULL;
    end(v);
}

static void entry_points(void)
{
    struct vcpu *v = make(0);
    struct xen_domctl op = {.u.ext_vcpucontext = {.size = 128, .syscall32_callback_eip = NOT_CANONICAL}};
    struct xen_domctl_ext_vcpucontext *e = &op.u.ext_vcpucontext;
    CHECK(as_domctl(domctl_set_ext_vcpucontext, &op) == -EINVAL);
    e->syscall32_callback_eip = 0x1000;
    e->sysenter_callback_eip = NOT_CANONICAL;
    CHECK(as_domctl(domctl_set_ext_vcpucontext, &op) == -EINVAL && !v->pv.syscall32.address);
    e->sysenter_callback_eip = 0x2000;
    e->sysenter_disables_events = 1;
    e->size = offsetof(struct xen_domctl_ext_vcpucontext, mcg_cap) - 1;
    CHECK(as_domctl(domctl_set_ext_vcpucontext, &op) == -EINVAL);
    e->size++;
    CHECK(!as_domctl(domctl_set_ext_vcpucontext, &op) && v->pv.sysenter.mask_events && !v->pv.syscall32.mask_events);
    memset(e, 0xaa, sizeof(*e));
    e->vcpu = 0;
    CHECK(!as_domctl(domctl_get_ext_vcpucontext, &op) && e->syscall32_callback_eip == 0x1000 && e->size == sizeof(*e));
    CHECK(e->sysenter_callback_eip == 0x2000 && e->sysenter_disables_events == 1 && !e->mcg_cap);
    end(v);
}

static long extended(operation_handler handler, uint64_t *bytes, void *buffer, uint64_t mask)
{
    struct xen_domctl op = {.u.vcpuextstate = {.size = *bytes, .xfeature_mask = mask}};
    op.u.vcpuextstate.buffer.p = buffer;
    long result = as_domctl(handler, &op);
    *bytes = op.u.vcpuextstate.size;
    CHECK(!paused);
    return result;
}

/* A heap block of just the size: the sanitizer sees whoever goes beyond. */
static void extended_state(void)
{
    struct vcpu *v = make(0);
    uint64_t bytes = 0, whole = 16 + XSAVE_BYTES, *image = calloc(1, whole);
    CHECK(!extended(domctl_getvcpuextstate, &bytes, NULL, 0) && bytes == whole);
    bytes = whole - 1;
    CHECK(extended(domctl_getvcpuextstate, &bytes, image, 7) == -EINVAL);
    bytes = whole;
    CHECK(extended(domctl_getvcpuextstate, &bytes, image, 3) == -EINVAL);
    v->xcr0 = 5;
    CHECK(!extended(domctl_getvcpuextstate, &bytes, image, 7) && bytes == whole && image[0] == 5 && image[1] == 5);
    static const uint64_t bad[] = {0, 15, 17, 16 + 575, 16 + XSAVE_BYTES + 1, ~0UL};
    for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
        bytes = bad[i];
        CHECK(extended(domctl_setvcpuextstate, &bytes, image, 7) == -EINVAL && !imports);
    }
    bytes = 16; /* saved before it used any */
    CHECK(!extended(domctl_setvcpuextstate, &bytes, image, 7) && !imports);
    bytes = 16 + 576;
    CHECK(!extended(domctl_setvcpuextstate, &bytes, image, 7) && imports == 1 && import_bytes == 576);
    image[0] = 2;
    CHECK(extended(domctl_setvcpuextstate, &bytes, image, 7) == -EINVAL);
    CHECK(extended(domctl_setvcpuextstate, &bytes, (void *)16, 7) == -EFAULT);
    cpu_features.xsave = false;
    CHECK(extended(domctl_setvcpuextstate, &bytes, image, 7) == -EOPNOTSUPP);
    cpu_features.xsave = true;
    free(image);
    struct xen_domctl op = {.u.vcpu_msrs = {.msr_count = 3}};
    CHECK(as_domctl(domctl_set_vcpu_msrs, &op) == -EINVAL && !op.u.vcpu_msrs.msr_count);
    CHECK(!as_domctl(domctl_set_vcpu_msrs, &op) && !as_domctl(domctl_get_vcpu_msrs, &op));
    end(v);
}

int main(void)
{
    fake_current[0] = &caller;
    made_whole_or_not_at_all();
    shared_page();
    pausing();
    contexts();
    entry_points();
    extended_state();
    puts("vcpu: ok");
    return 0;
}
