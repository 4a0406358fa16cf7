/*
 * One hypercall on its way through us. abi/hypercall.c holds the table.
 *
 * A handler copies its arguments in once, checks everything, then commits. It returns what the guest sees in rax (0, a
 * count, or a negative errno), or -ERESTART after storing its progress in arg[] (and, for structures, in guest memory):
 * then the same hypercall is entered again with those arguments once pending work of the CPU is done. A handler whose
 * result may be any number, because it is the guest's own, is of the other kind and says apart from it how it ended.
 */
#ifndef HV_HYPERCALL_H
#define HV_HYPERCALL_H

#include <hv/types.h>
#include <hv/xen.h>

/* How a hypercall ended: beside its result, so that no number of a guest's choice can be taken for it. */
enum hypercall_outcome {
    HYPERCALL_DONE,     /* `result` is for the guest's rax */
    HYPERCALL_AGAIN,    /* not yet: the same call is to be made with the arguments as they are now */
    HYPERCALL_RETURNED, /* the registers are those of a frame, and `result` is its rax: a list of calls is over too */
};

/* As an entry of multicall's list has it, which is read into one. */
struct hypercall {
    unsigned number;
    unsigned beyond_number; /* nobody looks at it */
    uint64_t result;
    uint64_t arg[6];
};

typedef long (*hypercall_handler)(struct hypercall *call);
typedef enum hypercall_outcome (*hypercall_any_result)(struct hypercall *call);

/* One per file of abi/ and pv/; named after the public constant. */
long do_set_trap_table(struct hypercall *call);
long do_mmu_update(struct hypercall *call);
long do_set_gdt(struct hypercall *call);
long do_stack_switch(struct hypercall *call);
long do_set_callbacks(struct hypercall *call);
long do_fpu_taskswitch(struct hypercall *call);
long do_platform_op(struct hypercall *call);
long do_set_debugreg(struct hypercall *call);
enum hypercall_outcome do_get_debugreg(struct hypercall *call);
long do_update_descriptor(struct hypercall *call);
long do_memory_op(struct hypercall *call);
enum hypercall_outcome do_multicall(struct hypercall *call);
long do_update_va_mapping(struct hypercall *call);
long do_set_timer_op(struct hypercall *call);
long do_xen_version(struct hypercall *call);
long do_console_io(struct hypercall *call);
long do_grant_table_op(struct hypercall *call);
long do_vm_assist(struct hypercall *call);
long do_update_va_mapping_otherdomain(struct hypercall *call);
enum hypercall_outcome do_iret(struct hypercall *call);
long do_vcpu_op(struct hypercall *call);
long do_set_segment_base(struct hypercall *call);
long do_mmuext_op(struct hypercall *call);
long do_sched_op(struct hypercall *call);
long do_callback_op(struct hypercall *call);
long do_event_channel_op(struct hypercall *call);
long do_physdev_op(struct hypercall *call);
long do_hvm_op(struct hypercall *call);
long do_dm_op(struct hypercall *call);
long do_sysctl(struct hypercall *call);
long do_domctl(struct hypercall *call);
long do_mca(struct hypercall *call);
long do_roundhouse_op(struct hypercall *call);

/* Runs one hypercall of the current vcpu, policy check included. */
enum hypercall_outcome hypercall_dispatch(struct hypercall *call);
/* True when a long handler should store its progress and return -ERESTART. core/sched.c */
bool hypercall_should_yield(void);

#endif
