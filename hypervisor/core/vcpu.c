/*
 * Virtual processors: creation, pausing, and the structure they share with the guest.
 */
#include <hv/console.h>
#include <hv/domain.h>
#include <hv/event_channel.h>
#include <hv/guest_kind.h>
#include <hv/page_alloc.h>
#include <hv/page_type.h>
#include <hv/sched.h>
#include <hv/xstate.h>

/* A vcpu beyond the shared page's array has nowhere to take events until it registers its own. */
static struct vcpu_info *initial_info(struct vcpu *v)
{
    struct shared_info *shared = v->domain->shared_info;
    return v->id < ARRAY_SIZE(shared->vcpu_info) ? &shared->vcpu_info[v->id] : &v->info_of_ours;
}

int vcpu_create(struct domain *d, unsigned id, struct vcpu **out)
{
    if (id >= d->max_vcpus)
        return -EINVAL;
    if (d->vcpu[id])
        return -EEXIST;
    struct vcpu *v = zalloc(sizeof(*v));
    if (!v)
        return -ENOMEM;
    v->domain = d;
    v->id = id;
    v->info_mfn = INVALID_MFN;
    v->info = initial_info(v);
    v->info->evtchn_upcall_mask = !is_hvm(d);
    v->offline = true;
    list_init(&v->run_link);
    list_init(&v->notify);
    int err = xstate_alloc(v);
    if (!err)
        err = guest_kind(d)->vcpu_init(v);
    if (err) {
        xstate_free(v);
        free(v);
        return err;
    }
    sched_add_vcpu(v);
    __atomic_store_n(&d->vcpu[id], v, __ATOMIC_RELEASE); /* others send it events from here on */
    if (out)
        *out = v;
    return 0;
}

struct vcpu *domain_vcpu(const struct domain *d, unsigned id)
{
    return id < d->max_vcpus ? d->vcpu[id] : NULL;
}

void vcpu_free(struct vcpu *v)
{
    sched_remove_vcpu(v);
    event_channels_free_vcpu(v);
    guest_kind(v->domain)->vcpu_destroy(v);
    xstate_free(v);
    free(v);
}

void vcpu_pause_sync(struct vcpu *v)
{
    ASSERT(v != current);
    __atomic_add_fetch(&v->pause_count, 1, __ATOMIC_SEQ_CST);
    vcpu_sleep_sync(v);
}

bool vcpu_try_pause(struct vcpu *v)
{
    __atomic_add_fetch(&v->pause_count, 1, __ATOMIC_SEQ_CST);
    vcpu_sleep(v);
    if (!v->is_running && __atomic_load_n(&v->context_saved, __ATOMIC_ACQUIRE))
        return true;
    vcpu_unpause(v);
    return false;
}

void vcpu_unpause(struct vcpu *v)
{
    if (!__atomic_sub_fetch(&v->pause_count, 1, __ATOMIC_SEQ_CST))
        vcpu_wake(v);
}

int vcpu_register_info(struct vcpu *v, mfn_t mfn, unsigned offset)
{
    if (v->info_mfn != INVALID_MFN || offset > PAGE_SIZE - sizeof(struct vcpu_info) || (offset & 7) || !mfn_is_ram(mfn))
        return -EINVAL;
    int err = page_get_with_type(mfn_to_page(mfn), v->domain, TYPE_WRITABLE);
    if (err)
        return err;
    struct vcpu_info *info = (void *)((char *)mfn_to_virt(mfn) + offset);
    memcpy(info, v->info, sizeof(*info));
    v->info_mfn = mfn;
    __atomic_store_n(&v->info, info, __ATOMIC_RELEASE);
    event_channels_vcpu_info_moved(v);
    return 0;
}

void vcpu_reset_info(struct vcpu *v)
{
    vcpu_unregister_info(v);
    memset(&v->info_of_ours, 0, sizeof(v->info_of_ours));
    __atomic_store_n(&v->info, initial_info(v), __ATOMIC_RELEASE);
}

void vcpu_unregister_info(struct vcpu *v)
{
    mfn_t mfn = v->info_mfn;
    v->info = &v->info_of_ours; /* shared_info goes too */
    v->info_mfn = INVALID_MFN;
    if (mfn != INVALID_MFN)
        page_put_with_type(mfn_to_page(mfn));
}
