/*
 * For tests whose domains are all PV: what HVM domains would be asked for. None of it may be called.
 */
#include <hv/abi_internal.h>
#include <hv/grant_table.h>
#include <hv/p2m.h>
#include <stdlib.h>

/* Weak: a test that has a real one or a stand-in of its own uses that. */
#define NEVER(type, name, ...)                                                                                         \
    __attribute__((weak)) type name(__VA_ARGS__)                                                                       \
    {                                                                                                                  \
        abort();                                                                                                       \
    }

NEVER(mfn_t, p2m_lookup, struct domain *d, gfn_t gfn, enum p2m_type *type, unsigned *order)
NEVER(gfn_t, p2m_highest, const struct domain *d)
NEVER(gfn_t, p2m_limit, const struct domain *d)
NEVER(int, p2m_set, struct domain *d, gfn_t gfn, mfn_t mfn, unsigned order, enum p2m_type type)
NEVER(int, p2m_clear, struct domain *d, gfn_t gfn, unsigned order)
NEVER(int, p2m_release, struct domain *d, gfn_t gfn, unsigned order)
NEVER(int, p2m_move, struct domain *d, gfn_t from, gfn_t to)
NEVER(uint64_t, p2m_get_pool_size, const struct domain *d)
NEVER(int, p2m_set_pool_size, struct domain *d, uint64_t bytes)
NEVER(int, log_dirty_op, struct domain *d, struct xen_domctl_shadow_op *op)
NEVER(void, log_dirty_mark, struct domain *d, gfn_t gfn)
NEVER(int, hvm_grant_map, uint64_t address, mfn_t mfn, unsigned flags)
NEVER(int, hvm_grant_unmap, uint64_t address, mfn_t mfn, unsigned flags)
NEVER(int, domctl_gethvmcontext, struct domain *d, struct xen_domctl *op)
NEVER(int, domctl_sethvmcontext, struct domain *d, struct xen_domctl *op)
NEVER(int, domctl_gethvmcontext_partial, struct domain *d, struct xen_domctl *op)
NEVER(bool, hvm_write_hypercall_page, struct vcpu *v, uint64_t gpa)
