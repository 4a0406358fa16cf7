/*
 * mmuext_op: pinning tables, changing root tables, flushing translations, LDT, page clearing and copying.
 * Source: xen.h, "HYPERVISOR_mmuext_op".
 */
#include <hv/console.h>
#include <hv/cpu.h>
#include <hv/guest_copy.h>
#include <hv/hvm.h>
#include <hv/hypercall.h>
#include <hv/page_type.h>
#include <hv/policy.h>
#include <hv/pv_internal.h>
#include <hv/tlb.h>

int pv_domain_cpus(struct domain *d, cpumask_t *mask)
{
    struct vcpu *v;
    memset(mask, 0, sizeof(*mask));
    for_each_vcpu(d, v) {
        if (v->is_running || !v->context_saved)
            set_bit(v->cpu->id, mask->bits);
    }
    return 0;
}

/* A vcpu that is not on a CPU has nothing in a TLB that matters: its root is loaded anew when it runs. */
int pv_vcpu_bitmap_cpus(unsigned long guest_bitmap, cpumask_t *mask)
{
    struct domain *d = current->domain;
    uint64_t bits = 0;
    if (copy_from_guest_va(&bits, guest_bitmap, DIV_ROUND_UP(d->max_vcpus, 8)))
        return -EFAULT;
    memset(mask, 0, sizeof(*mask));
    struct vcpu *v;
    for_each_vcpu(d, v) {
        if ((bits >> v->id & 1) && (v->is_running || !v->context_saved))
            set_bit(v->cpu->id, mask->bits);
    }
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

static int flush_others(const struct mmuext_op *op, bool all, unsigned long va)
{
    cpumask_t mask;
    int err = all ? pv_domain_cpus(current->domain, &mask)
                  : pv_vcpu_bitmap_cpus(guest_handle_address(op->arg2.vcpumask), &mask);
    if (!err)
        tlb_flush_mask(&mask, va);
    return err;
}

static int on_self(const struct mmuext_op *op, struct domain *d)
{
    struct vcpu *v = current;
    unsigned long va = op->arg1.linear_addr;
    if (d != v->domain)
        return -EPERM;
    switch (op->cmd) {
    case MMUEXT_NEW_BASEPTR:
        return op->arg1.mfn ? pv_set_root(v, op->arg1.mfn) : -EINVAL;
    case MMUEXT_NEW_USER_BASEPTR:
        return pv_set_user_root(v, op->arg1.mfn);
    case MMUEXT_TLB_FLUSH_LOCAL:
        tlb_flush_local();
        return 0;
    case MMUEXT_INVLPG_LOCAL:
        if (guest_range_ok(va, 1))
            tlb_flush_local_va(va);
        return 0;
    case MMUEXT_TLB_FLUSH_MULTI:
        return flush_others(op, false, 0);
    case MMUEXT_INVLPG_MULTI:
        return guest_range_ok(va, 1) ? flush_others(op, false, va) : 0;
    case MMUEXT_TLB_FLUSH_ALL:
        return flush_others(op, true, 0);
    case MMUEXT_INVLPG_ALL:
        return guest_range_ok(va, 1) ? flush_others(op, true, va) : 0;
    case MMUEXT_FLUSH_CACHE:
    case MMUEXT_FLUSH_CACHE_GLOBAL:
        if (!d->all_io)
            return -EACCES;
        wbinvd();
        return 0;
    case MMUEXT_SET_LDT:
        return op->arg2.nr_ents > 8192 ? -EINVAL : pv_set_ldt(v, va, op->arg2.nr_ents);
    default:
        return -ENOSYS;
    }
}

static int one_op(const struct mmuext_op *op, struct domain *d)
{
    switch (op->cmd) {
    case MMUEXT_PIN_L1_TABLE:
    case MMUEXT_PIN_L2_TABLE:
    case MMUEXT_PIN_L3_TABLE:
    case MMUEXT_PIN_L4_TABLE:
        return pv_pin_table(d, op->arg1.mfn, op->cmd - MMUEXT_PIN_L1_TABLE + 1);
    case MMUEXT_UNPIN_TABLE:
        return unpin(d, op->arg1.mfn);
    case MMUEXT_CLEAR_PAGE:
        return clear_or_copy(d, op->arg1.mfn, 0, false);
    case MMUEXT_COPY_PAGE:
        return clear_or_copy(d, op->arg1.mfn, op->arg2.src_mfn, true);
    case MMUEXT_TLB_FLUSH_ALL:
    case MMUEXT_INVLPG_ALL:
        return on_self(op,
                       current->domain); /* names a foreign domain when the toolstack maps it, means the caller's TLB */
    default:
        return on_self(op, d);
    }
}

static struct domain *open_target(domid_t id, int *err)
{
    struct domain *self = current->domain;
    if (id == DOMID_SELF || id == self->id) {
        domain_hold(self);
        return self;
    }
    struct domain *d = domain_get(id);
    *err = d ? allowed_on(self, d) : -ESRCH;
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
