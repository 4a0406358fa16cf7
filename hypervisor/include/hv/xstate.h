/*
 * FPU, SSE, AVX state of vcpus. x86/xstate.c
 * The registers hold the state of one vcpu at a time, loaded eagerly at context switch and saved when it leaves.
 */
#ifndef HV_XSTATE_H
#define HV_XSTATE_H

#include <hv/domain.h>

void xstate_init_cpu(void);       /* CR0, CR4.OSFXSR/OSXSAVE, XCR0; every CPU */
int xstate_alloc(struct vcpu *v); /* area in reset state; -ENOMEM */
void xstate_free(struct vcpu *v);
void xstate_save(struct vcpu *v);    /* registers -> v->xstate (CR0.TS is handled) */
void xstate_restore(struct vcpu *v); /* v->xstate -> registers, XCR0; sets CR0.TS when v->pv.cr0_ts */
/* XSETBV by the guest: -EINVAL for what is not allowed. */
int xstate_set_xcr0(struct vcpu *v, uint64_t xcr0);
/* v's XCR0, from the processor while v is the one whose state is in it; v->xcr0 is right while v is on no CPU. */
uint64_t xstate_xcr0(struct vcpu *v);
/* CR0.TS of PV guests (__HYPERVISOR_fpu_taskswitch, MOV to CR0, CLTS): the next FPU use traps into the guest. */
void xstate_set_ts(struct vcpu *v, bool ts);
/* #NM happened while v ran. True: it is the guest's (whose TS is clear again, as the ABI has it). */
bool xstate_handle_nm(struct vcpu *v);
/* vcpu_guest_context.fpu_ctxt (512 bytes FXSAVE image). */
void xstate_import_fxsave(struct vcpu *v, const void *fxsave);
void xstate_export_fxsave(struct vcpu *v, void *fxsave);
/* XEN_DOMCTL_setvcpuextstate of a vcpu that is off every CPU: an XSAVE area in standard format of `bytes` bytes and the
 * XCR0 that goes with it. Everything the processor would fault on is refused: -EINVAL. The area to export is v->xstate,
 * cpu_features.xsave_bytes long. */
int xstate_import_xsave(struct vcpu *v, uint64_t xcr0, const void *area, size_t bytes);

#endif
