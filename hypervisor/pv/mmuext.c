/*
 * mmuext_op: pinning tables, changing root tables, flushing translations, LDT, page clearing and copying.
 * Source: xen.h, "HYPERVISOR_mmuext_op".
 */
#include <hv/cpu.h>
#include <hv/guest_copy.h>
#include <hv/hvm.h>
#include <hv/hypercall.h>
#include <hv/page_type.h>
#include <hv/policy.h>
#include <hv/pv_internal.h>
#include <hv/tlb.h>

/* A vcpu that is not on a CPU has nothing in a TLB that matters: its root is loaded anew when it runs. */
static void cpus_of(struct domain *d, uint64_t vcpus, cpumask_t *mask)
{
    struct vcpu *v;
    memset(mask, 0, sizeof(*mask));
    for_each_vcpu(d, v) {
        if ((vcpus >> v->id & 1) && (v->is_running || !v->context_saved))
            set_bit(v->cpu->id, mask->bits);
    }
}

void pv_domain_cpus(struct domain *d, cpumask_t *mask)
{
    cpus_of(d, ~0UL, mask);
}

int pv_vcpu_bitmap_cpus(unsigned long guest_bitmap, cpumask_t *mask)
{
    struct domain *d = current->domain;
    uint64_t vcpus = 0;
    if (copy_from_guest_va(&vcpus, guest_bitmap, DIV_ROUND_UP(d->max_vcpus, 8)))
        return -EFAULT;
    cpus_of(d, vcpus, mask);
    return 0;
}

int pv_pin_table(struct domain *d, mfn_t mfn, unsigned level)
{
    if (is_hvm(d) || !mfn_is_ram(mfn)) /* an HVM guest's frames never become tables */
        return -EINVAL;
    spin_lock(&d->pt_lock);
    int err = pv_get_table(d, mfn, level);
    if (!err && (__atomic_fetch_or(&mfn_to_page(mfn)->type, TYPE_PINNED, __ATOMIC_ACQ_REL) & TYPE_PINNED)) {
        pv_put_table(d, mfn);
        err = -EINVAL;
    }
    spin_unlock(&d->pt_lock);
    return err;
}

static int unpin(struct domain *d, mfn_t mfn)
{
    if (!mfn_is_ram(mfn))
        return -EINVAL;
    struct page *page = mfn_to_page(mfn);
    if (!page_get(page, d))
        return -EINVAL;
    spin_lock(&d->pt_lock);
    int err = __atomic_fetch_and(&page->type, ~TYPE_PINNED, __ATOMIC_ACQ_REL) & TYPE_PINNED ? 0 : -EINVAL;
    if (!err)
        pv_put_table(d, mfn);
    spin_unlock(&d->pt_lock);
    page_put(page);
    return err;
}

static int swap_root(struct vcpu *v, mfn_t *slot, mfn_t mfn, bool m2p)
{
    struct domain *d = v->domain;
    mfn_t old = *slot;
    if (old == mfn)
        return 0;
    spin_lock(&d->pt_lock);
    int err = mfn ? pv_get_table(d, mfn, 4) : 0;
    if (mfn && !err)
        pv_show_m2p(mfn, m2p);
    spin_unlock(&d->pt_lock);
    if (err)
        return err;
    *slot = mfn;
    if (v == current)
        load_guest_root(v);
    if (old) {
        spin_lock(&d->pt_lock);
        pv_put_table(d, old);
        spin_unlock(&d->pt_lock);
    }
    return 0;
}

int pv_set_root(struct vcpu *v, mfn_t mfn)
{
    return swap_root(v, &v->pv.root_kernel, mfn, true);
}

int pv_set_user_root(struct vcpu *v, mfn_t mfn)
{
    return swap_root(v, &v->pv.root_user, mfn, mfn == v->pv.root_kernel);
}

static int clear_or_copy(struct domain *d, mfn_t to, mfn_t from, bool copy)
{
    if (is_hvm(d) || !mfn_is_ram(to) || page_get_with_type(mfn_to_page(to), d, TYPE_WRITABLE))
        return -EINVAL;
    int err = 0;
    if (!copy) {
        memset(mfn_to_virt(to), 0, PAGE_SIZE);
    } else if (mfn_is_ram(from) && page_get(mfn_to_page(from), d)) {
        memcpy(mfn_to_virt(to), mfn_to_virt(from), PAGE_SIZE);
        page_put(mfn_to_page(from));
    } else {
        err = -EINVAL;
    }
    page_put_with_type(mfn_to_page(to));
    return err;
}

/* ---- one function for each row; `d` is whom the operation is about ---- */

static int pin(const struct mmuext_op *op, struct domain *d)
{
    return pv_pin_table(d, op->arg1.mfn, op->cmd - MMUEXT_PIN_L1_TABLE + 1);
}

static int unpin_table(const struct mmuext_op *op, struct domain *d)
{
    return unpin(d, op->arg1.mfn);
}

static int clear_page(const struct mmuext_op *op, struct domain *d)
{
    return clear_or_copy(d, op->arg1.mfn, 0, false);
}

static int copy_page(const struct mmuext_op *op, struct domain *d)
{
    return clear_or_copy(d, op->arg1.mfn, op->arg2.src_mfn, true);
}

static int new_root(const struct mmuext_op *op, struct domain *d)
{
    return op->arg1.mfn ? pv_set_root(current, op->arg1.mfn) : -EINVAL;
}

static int new_user_root(const struct mmuext_op *op, struct domain *d)
{
    return pv_set_user_root(current, op->arg1.mfn);
}

static int flush_local(const struct mmuext_op *op, struct domain *d)
{
    tlb_flush_local();
    return 0;
}

static int flush_local_page(const struct mmuext_op *op, struct domain *d)
{
    if (guest_range_ok(op->arg1.linear_addr, 1))
        tlb_flush_local_va(op->arg1.linear_addr);
    return 0;
}

static int flush_some(const struct mmuext_op *op, unsigned long va)
{
    cpumask_t mask;
    int err = pv_vcpu_bitmap_cpus(guest_handle_address(op->arg2.vcpumask), &mask);
    if (!err)
        tlb_flush_mask(&mask, va);
    return err;
}

static int flush_multi(const struct mmuext_op *op, struct domain *d)
{
    return flush_some(op, 0);
}

static int flush_multi_page(const struct mmuext_op *op, struct domain *d)
{
    return guest_range_ok(op->arg1.linear_addr, 1) ? flush_some(op, op->arg1.linear_addr) : 0;
}

static int flush_domain(struct domain *d, unsigned long va)
{
    cpumask_t mask;
    pv_domain_cpus(d, &mask);
    tlb_flush_mask(&mask, va);
    return 0;
}

static int flush_all(const struct mmuext_op *op, struct domain *d)
{
    return flush_domain(d, 0);
}

static int flush_all_page(const struct mmuext_op *op, struct domain *d)
{
    return guest_range_ok(op->arg1.linear_addr, 1) ? flush_domain(d, op->arg1.linear_addr) : 0;
}

static int flush_cache(const struct mmuext_op *op, struct domain *d)
{
    if (!d->all_io)
        return -EACCES;
    wbinvd();
    return 0;
}

static int set_ldt(const struct mmuext_op *op, struct domain *d)
{
    return op->arg2.nr_ents > 8192 ? -EINVAL : pv_set_ldt(current, op->arg1.linear_addr, op->arg2.nr_ents);
}

/* The toolstack names the domain that it maps when it flushes everywhere, and means its own translations. */
enum about { SELF_ALONE, ANY_DOMAIN, ALWAYS_SELF };

static const struct row {
    int (*handler)(const struct mmuext_op *op, struct domain *d);
    enum about about;
} operations[] = {
    [MMUEXT_PIN_L1_TABLE] = {pin, ANY_DOMAIN},
    [MMUEXT_PIN_L2_TABLE] = {pin, ANY_DOMAIN},
    [MMUEXT_PIN_L3_TABLE] = {pin, ANY_DOMAIN},
    [MMUEXT_PIN_L4_TABLE] = {pin, ANY_DOMAIN},
    [MMUEXT_UNPIN_TABLE] = {unpin_table, ANY_DOMAIN},
    [MMUEXT_NEW_BASEPTR] = {new_root, SELF_ALONE},
    [MMUEXT_TLB_FLUSH_LOCAL] = {flush_local, SELF_ALONE},
    [MMUEXT_INVLPG_LOCAL] = {flush_local_page, SELF_ALONE},
    [MMUEXT_TLB_FLUSH_MULTI] = {flush_multi, SELF_ALONE},
    [MMUEXT_INVLPG_MULTI] = {flush_multi_page, SELF_ALONE},
    [MMUEXT_TLB_FLUSH_ALL] = {flush_all, ALWAYS_SELF},
    [MMUEXT_INVLPG_ALL] = {flush_all_page, ALWAYS_SELF},
    [MMUEXT_FLUSH_CACHE] = {flush_cache, SELF_ALONE},
    [MMUEXT_SET_LDT] = {set_ldt, SELF_ALONE},
    [MMUEXT_NEW_USER_BASEPTR] = {new_user_root, SELF_ALONE},
    [MMUEXT_CLEAR_PAGE] = {clear_page, ANY_DOMAIN},
    [MMUEXT_COPY_PAGE] = {copy_page, ANY_DOMAIN},
    [MMUEXT_FLUSH_CACHE_GLOBAL] = {flush_cache, SELF_ALONE},
};

static int one_op(const struct mmuext_op *op, struct domain *d)
{
    static const struct row none;
    const struct row *row = op->cmd < ARRAY_SIZE(operations) ? &operations[op->cmd] : &none;
    if (row->about == ALWAYS_SELF)
        d = current->domain;
    if (row->about == SELF_ALONE && d != current->domain)
        return -EPERM;
    return row->handler ? row->handler(op, d) : -ENOSYS;
}

static struct domain *open_target(domid_t id, int *err)
{
    struct domain *self = current->domain;
    if (id == DOMID_SELF || id == self->id) {
        domain_hold(self);
        return self;
    }
    struct domain *d = domain_get(id);
    *err = d ? allowed_on(self, POLICY_VERB_CONTROL, d) : -ESRCH;
    if (d && *err)
        domain_put(d);
    return *err ? NULL : d;
}

#define CONTINUED (1U << 31)

long do_mmuext_op(struct hypercall *call)
{
    unsigned long at = call->arg[0];
    unsigned count = (unsigned)call->arg[1] & ~CONTINUED, done = 0, already = 0;
    int err = 0;
    if (((unsigned)call->arg[1] & CONTINUED) && call->arg[2] && copy_argument_in(&already, call->arg[2]))
        return -EFAULT;
    struct domain *d = open_target((domid_t)call->arg[3], &err);
    if (!d)
        return err;
    for (;; done++) {
        struct mmuext_op op;
        err = pv_finish_tables(d);
        if (err || done == count)
            break;
        if (done && hypercall_should_yield()) {
            err = -ERESTART;
            break;
        }
        err = copy_from_guest_va(&op, at + done * sizeof(op), sizeof(op)) ? -EFAULT : one_op(&op, d);
        if (err)
            break;
    }
    domain_put(d);
    already += done;
    if (call->arg[2] && copy_argument_out(call->arg[2], &already))
        return -EFAULT;
    if (err == -ERESTART) {
        call->arg[0] = at + done * sizeof(struct mmuext_op);
        call->arg[1] = (count - done) | CONTINUED;
    }
    return err;
}
