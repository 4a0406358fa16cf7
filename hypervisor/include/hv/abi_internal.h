/*
 * What the files of abi/ share with each other.
 */
#ifndef HV_ABI_INTERNAL_H
#define HV_ABI_INTERNAL_H

#include <hv/domain.h>
#include <hv/operation.h>
#include <xen/memory.h>
#include <xen/sysctl.h>

/* An entry of XENMEM_memory_map, in the format of BIOS INT 15h AX=E820h (ACPI 6.4, section 15.1). */
struct e820entry {
    uint64_t address, size;
    uint32_t type;
} __packed;
_Static_assert(sizeof(struct e820entry) == 20, "INT 15h E820 record");
#define MAX_E820_ENTRIES 128

/* memory_op's command word: the low bits are the command, the rest says at which extent a continued call goes on. */
#define MEMOP_COMMAND_BITS 6
#define MEMOP_COMMAND_MASK ((1UL << MEMOP_COMMAND_BITS) - 1)

/* Reads of one bitmap can name at most this many bits: one page. */
#define MAX_BITMAP_BITS (8U * 4096)

/* ---- abi/misc.c: hypercalls without a family of their own, and those that exist only to be refused. ---- */
long do_xenpmu_op(struct hypercall *call); /* -EOPNOTSUPP */
long do_xsm_op(struct hypercall *call);

/* ---- abi/memory_populate.c ---- */
long memory_populate(struct request *r); /* XENMEM_populate_physmap, XENMEM_increase_reservation */
long memory_decrease(struct request *r); /* XENMEM_decrease_reservation */
long memory_claim(struct request *r);    /* XENMEM_claim_pages */
/* A fresh frame at gfn, where there is none. False: no memory, or d may have no more. */
bool memory_populate_frame(struct domain *d, uint64_t gfn);
/* Largest extent anybody may name: 2^order frames. It bounds the work between two chances to be interrupted, Domain-0's
 * too; toolstacks that are refused larger ones take these, and Linux asks for none. */
#define MAX_EXTENT_ORDER 9U

/* ---- abi/memory_physmap.c: HVM domains; -EACCES for PV ones ---- */
long memory_add_to_physmap(struct request *r);
long memory_add_to_physmap_batch(struct request *r);
long memory_remove_from_physmap(struct request *r);
/* One page of d's own RAM gets another number; RAM that is there goes back to the allocator. -EINVAL, -ENOMEM, -ESRCH
 */
int memory_move_page(struct domain *d, uint64_t from, uint64_t to);

/* ---- abi/memory_exchange.c ---- */
long memory_exchange(struct request *r);

/* ---- abi/memory_op.c ---- */
/* Highest frame number that is RAM. */
mfn_t memory_last_ram_page(void);

/*
 * Domain named by a hypercall about memory: DOMID_SELF and the caller's own id are always allowed, another one only to
 * the control domain. 0 and a reference in *out; -ESRCH, -EPERM.
 */
int domain_get_for_caller(domid_t id, struct domain **out);

/* ---- abi/domctl.c ---- */
void domain_info_fill(struct domain *d, struct xen_domctl_getdomaininfo *info);
/* To a bitmap of the toolstack. Longer than our mask: the rest is zeroed. -EFAULT, -EINVAL (too long). */
int cpumask_to_guest(const struct xenctl_bitmap *map, const cpumask_t *mask);
void cpumask_online(cpumask_t *mask);

/* Handlers of domctl: r->argument is a struct xen_domctl, r->domain NULL where the table says that there is none. */

/* abi/domctl_create.c */
long domctl_createdomain(struct request *r);

/* abi/domctl_x86.c */
long domctl_shadow_op(struct request *r);
long domctl_get_paging_mempool_size(struct request *r);
long domctl_set_paging_mempool_size(struct request *r);
long domctl_irq_permission(struct request *r);
long domctl_iomem_permission(struct request *r);
long domctl_ioport_permission(struct request *r);
long domctl_hypercall_init(struct request *r);
long domctl_set_address_size(struct request *r);
long domctl_get_address_size(struct request *r);
long domctl_settscinfo(struct request *r);
long domctl_gettscinfo(struct request *r);
long domctl_getpageframeinfo3(struct request *r);
long domctl_get_cpu_policy(struct request *r);
long domctl_set_cpu_policy(struct request *r);
long domctl_sendtrigger(struct request *r);

/* abi/domctl_context.c */
long domctl_setvcpucontext(struct request *r);
long domctl_getvcpucontext(struct request *r);
long domctl_set_ext_vcpucontext(struct request *r);
long domctl_get_ext_vcpucontext(struct request *r);
long domctl_setvcpuextstate(struct request *r);
long domctl_getvcpuextstate(struct request *r);
long domctl_set_vcpu_msrs(struct request *r);
long domctl_get_vcpu_msrs(struct request *r);

/* abi/domctl_hvm_context.c */
long domctl_gethvmcontext(struct request *r);
long domctl_sethvmcontext(struct request *r);
long domctl_gethvmcontext_partial(struct request *r);
/* abi/domctl_hvm.c */
/* XEN_DOMCTL_sendtrigger: v's buttons. */
int hvm_send_trigger(struct vcpu *v, uint32_t trigger);
/* v's registers as tools that look at guests want them; v is paused. */
void hvm_vcpu_get_context(struct vcpu *v, struct vcpu_guest_context *c);

/* abi/soft_reset.c */
long domctl_soft_reset(struct request *r);

/* abi/hvm_op.c: values that are not 0 at the start. */
void hvm_params_init(struct domain *d);

#endif
