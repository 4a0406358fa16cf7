/*
 * PV guests: what the rest of the hypervisor asks of pv/.
 */
#ifndef HV_PV_H
#define HV_PV_H

#include <hv/domain.h>

int pv_vcpu_init(struct vcpu *v);
void pv_vcpu_destroy(struct vcpu *v);
/* Drops GDT, LDT, root tables of a vcpu that is not running (domain_kill, VCPUOP_initialise failure). */
void pv_vcpu_release(struct vcpu *v);

/* Gives back all table types of a dying domain, and its frames' own references. -ERESTART when there is more. */
int pv_relinquish_memory(struct domain *d);

/* The registers of the current vcpu into memory; those of the next one into the processor, which is current now. */
void pv_put_away(struct vcpu *prev);
void pv_install(struct vcpu *next);

/* Registers, tables and callbacks from the toolstack or VCPUOP_initialise; v is paused and off every CPU. -errno */
int pv_vcpu_set_context(struct vcpu *v, const struct vcpu_guest_context *context);
void pv_vcpu_get_context(struct vcpu *v, struct vcpu_guest_context *context);

/* What vm_assist and the toolstack may switch on. The first two and pae_extended_cr3 are about 32-bit kernels. */
#define PV_ASSIST(type) (1UL << VMASST_TYPE_##type)
#define PV_ASSISTS                                                                                                     \
    (PV_ASSIST(4gb_segments) | PV_ASSIST(4gb_segments_notify) | PV_ASSIST(writable_pagetables) |                       \
     PV_ASSIST(pae_extended_cr3) | PV_ASSIST(architectural_iopl) | PV_ASSIST(runstate_update_flag) |                   \
     PV_ASSIST(m2p_strict))

/* The ways into a guest. regs: of the current vcpu. */
void pv_inject_trap(struct cpu_user_regs *regs, unsigned vector, uint32_t error_code);
void pv_inject_page_fault(struct cpu_user_regs *regs, unsigned long address, uint32_t error_code);
/* On the way out (resume of hv/guest_kind.h): the failsafe callback if selectors were lost, an NMI if pending, an event
 * if one is deliverable. False: none of these. */
bool pv_resume(struct vcpu *v);

/* pv/traps.c: out of a guest. An exception of its own, interrupts off; and the syscall instruction, from x86/entry.S,
 * interrupts on: of the guest's kernel it is a hypercall, of its user mode a system call for that kernel. */
void pv_trap(struct cpu_user_regs *regs);
void pv_syscall(struct cpu_user_regs *regs);

/* Domain-0 from modules 1 and 2. Panics with one clear line if it cannot. boot/dom0_build.c */
void dom0_build(void);

#endif
