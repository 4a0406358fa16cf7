/*
 * HVM domains: guests whose processor is virtualised by SVM or VT-x, and whose physical memory is a map of ours (p2m).
 * PVH guests are HVM guests without a device model. hvm/hvm.c; what the rest of the hypervisor asks of hvm/.
 *
 * Layers:
 *   hvm/svm, hvm/vmx   only translate: guest state to and from the hardware's structure, its exits to struct hvm_exit
 *   hvm                decides: what an exit means (hvm_exit.h), memory (p2m.h), I/O (hvm_io.h), interrupts (hvm_irq.h)
 *   hvm/vdev           one virtual chip per file
 *
 * A CPU in an HVM guest leaves it with the guest's general registers, rip, rsp and rflags in guest_regs() and calls
 * hvm_handle_exit(); it goes back through exit_to_guest like any other (exit.h), which ends in hvm_resume() and
 * the vendor's entry code. cs of guest_regs() is not used; segments and control registers are read by the functions
 * below.
 *
 * All functions act on a vcpu that is current, or paused and off every CPU, unless they say otherwise.
 */
#ifndef HV_HVM_H
#define HV_HVM_H

#include <hv/cpu.h>
#include <hv/domain.h>
#include <hv/emulate.h>
#include <xen/hvm/hvm_vcpu.h>
#include <xen/hvm/params.h>

struct hvm_exit; /* hvm_exit.h */
struct p2m;      /* p2m.h */
struct hvm_io;   /* hvm_io.h: intercepted ranges and ioreq servers */
struct vlapic;   /* vdev.h */
struct viridian_domain;

#define HVM_CHIPS 16 /* room for the states of so many kinds of virtual chips */

struct hvm_domain {
    struct p2m *p2m;
    struct hvm_io *io;
    struct viridian_domain *viridian; /* NULL: not enabled */
    void *chip[HVM_CHIPS];            /* [c] states of the virtual chips it has; hvm/vdev/chip.h */
    uint64_t param[HVM_NR_PARAMS];    /* [d] HVM_PARAM_* as set; abi/hvm_op.c */
    uint32_t emulation;               /* [c] XEN_X86_EMU_* */
    bool is_hap;                      /* [c] always: there are no shadow page tables */
    bool shared_info_32;        /* [d] layout of shared_info and vcpu_info arrays; latched from the guest's mode */
    mfn_t shared_info_gfn;      /* where the guest mapped it; INVALID_MFN none */
    uint64_t tsc_offset;        /* guest TSC = domain_tsc() + this, for vcpus that did not write theirs */
    int64_t time_of_day_offset; /* seconds the guest's RTC is ahead of the host's clock */
    struct hvm_move {
        uint64_t from, to, pages; /* gfns */
    } moved, moving;              /* abi/dm_op.c: memory that the device model had moved last, and is having moved */
    volatile uint64_t tlb_generation; /* bumped by p2m changes; vcpus with an older one flush before they run */
};

enum hvm_event_kind { /* values of SVM EVENTINJ.TYPE and VMX interruption type, which agree */
                      HVM_EVENT_EXTERNAL = 0,
                      HVM_EVENT_NMI = 2,
                      HVM_EVENT_EXCEPTION = 3,
                      HVM_EVENT_SOFTWARE = 4,
};

struct hvm_event {
    bool valid;
    uint8_t vector;
    uint8_t kind; /* enum hvm_event_kind */
    bool has_error_code;
    uint32_t error_code;
    uint64_t cr2;   /* for page faults */
    uint8_t length; /* of the instruction at rip that raised it: int n; int3, into, int1 (exceptions); 0: none did */
};

#define HVM_CODE_PAGE_BYTES 128

struct hvm_vcpu {
    /* The guest's view; the vendor's structure is derived from it by hvm_vendor->update_*. */
    uint64_t cr0, cr2, cr3, cr4, efer;
    uint64_t dr[4], dr6, dr7;
    bool dr_loaded; /* dr[] are in the processor and the guest writes them freely */
    uint64_t pat;
    struct { /* MTRRs: kept for the guest to read back; memory types are EPT/NPT's */
        uint64_t def_type, fixed[11], base[8], mask[8];
    } mtrr;
    uint64_t tsc_offset, tsc_aux;
    uint64_t tsc_adjust; /* what the guest has moved its counter by */
    uint64_t xss;
    uint32_t asid;
    uint64_t asid_generation, tlb_generation;
    struct hvm_event pending;   /* to be injected at the next entry */
    struct hvm_event postponed; /* an interrupt (no NMI) whose delivery raised an exception: after that one */
    struct hvm_exit *redo;      /* the exit that is handled again when its I/O is answered */
    bool redo_valid;
    struct code_page *code_page;   /* hvm/fetch.c: where the last instruction was found */
    struct vlapic *lapic;          /* NULL without XEN_X86_EMU_LAPIC */
    struct emulate_cache io_cache; /* answers of I/O already done for the instruction being emulated (hvm_io.h) */
    volatile bool upcall_owed;     /* an upcall found the local APIC off, or was in it at INIT: raised again later */
    uint8_t upcall_vector;         /* HVMOP_set_evtchn_upcall_vector; 0 none */
    bool waits_for_io;             /* [a] off the run queue until its ioreq is answered */
    uint8_t io_servers;            /* [v] bit per ioreq server that has yet to answer */
    uint8_t io_invalidate;         /* [v] bit per ioreq server that is yet to be told of changed mappings */
    void *vendor;                  /* struct svm_vcpu or struct vmx_vcpu */
};

static inline bool is_hvm(const struct domain *d)
{
    return d->hvm != NULL;
}

/* ---- start-up ---- */

/* Boot CPU, before domains: finds SVM or VT-x, chooses the vendor. Nothing usable: hvm_available() is false and
 * createdomain refuses HVM with -EOPNOTSUPP. */
void hvm_init(void);
void hvm_init_cpu(void); /* every CPU, after descriptor tables; panics on a CPU that lacks what the boot CPU has */
bool hvm_available(void);

/* ---- life; called by core/domain.c and core/vcpu.c, by way of hv/guest_kind.h ---- */
int hvm_domain_init(struct domain *d, const struct xen_domctl_createdomain *config);
/* Step of domain_kill: ioreq servers, timers, foreign and grant references of the p2m. -ERESTART. */
int hvm_domain_relinquish(struct domain *d);
void hvm_domain_destroy(struct domain *d);
int hvm_vcpu_init(struct vcpu *v);
void hvm_vcpu_destroy(struct vcpu *v);
/* Puts the registers of v (current or off every CPU) into the state after INIT; vcpu 0: as after reset (real mode,
 * 0xfffffff0). Whether it runs or waits is the caller's to say. */
void hvm_vcpu_reset(struct vcpu *v);
/* VCPUOP_initialise: v's first registers; it is down and stays so. -EINVAL for a state no processor can be in, or with
 * features that the guest is not offered. d->lock is held. */
int hvm_vcpu_set_context(struct vcpu *v, const struct vcpu_hvm_context *context);
/* SIPI after that: real mode at page << 12. */
void hvm_vcpu_startup(struct vcpu *v, uint8_t page);

/* ---- context switch and entry; core/context.c and the exit path ---- */
void hvm_put_away(struct vcpu *v);
void hvm_install(struct vcpu *v);
/* On the way out, interrupts off (they may be on meanwhile): takes start-up messages and answers, hands over the event
 * that is due, and goes. Returns only to be asked again: softirqs come first, or the guest was in a state that no
 * processor enters and has ended. */
bool hvm_resume(struct vcpu *v);

/* ---- guest state ---- */
enum hvm_segment { SEG_ES, SEG_CS, SEG_SS, SEG_DS, SEG_FS, SEG_GS, SEG_TR, SEG_LDTR, SEG_GDTR, SEG_IDTR, SEG_COUNT };

struct hvm_segment_register {
    uint64_t base;
    uint32_t limit; /* in bytes, granularity applied */
    uint16_t selector;
    uint16_t attributes; /* SVM's packed form: type 0-3, S 4, DPL 5-6, P 7, AVL 8, L 9, D/B 10, G 11 */
};
#define SEG_ATTR_TYPE    0x00f
#define SEG_ATTR_S       0x010
#define SEG_ATTR_DPL     0x060
#define SEG_ATTR_PRESENT 0x080
#define SEG_ATTR_AVL     0x100
#define SEG_ATTR_L       0x200
#define SEG_ATTR_DB      0x400
#define SEG_ATTR_G       0x800

static inline struct hvm_segment_register hvm_unpack_descriptor(uint64_t raw, uint16_t selector)
{
    struct hvm_segment_register s = {.selector = selector};
    s.base = (raw >> 16 & 0xffffff) | (raw >> 56 << 24);
    s.limit = (uint32_t)((raw & 0xffff) | (raw >> 32 & 0xf0000));
    s.attributes = (uint16_t)((raw >> 40 & 0xff) | (raw >> 44 & 0xf00));
    if (s.attributes & SEG_ATTR_G)
        s.limit = s.limit << 12 | 0xfff;
    return s;
}

/* PAE paging without long mode: where CR3 has its root, four entries, and what is 0 in one that is present. */
#define PAE_ROOT                0xffffffe0UL
#define PAE_ROOT_ENTRY_RESERVED 0x1e6UL
static inline bool hvm_uses_pae(uint64_t cr0, uint64_t cr4, uint64_t efer)
{
    return cr0 & X86_CR0_PG && cr4 & X86_CR4_PAE && !(efer & EFER_LMA);
}

/* What a vendor provides. Each function acts on the current vcpu or one that is off every CPU. */
struct hvm_vendor {
    const char *name;
    bool (*init)(void); /* boot CPU: usable? logs why not */
    void (*init_cpu)(void);
    int (*vcpu_init)(struct vcpu *v);
    void (*vcpu_destroy)(struct vcpu *v);
    void (*put_away)(struct vcpu *v);
    void (*install)(struct vcpu *v);
    void (*get_segment)(struct vcpu *v, enum hvm_segment which, struct hvm_segment_register *out);
    void (*set_segment)(struct vcpu *v, enum hvm_segment which, const struct hvm_segment_register *in);
    unsigned (*cpl)(struct vcpu *v);
    /* NULL, or: brings hvm->cr*, efer and the debug registers up to date with what the guest changed without an exit.
     * The vendor does so itself in put_away and before exits whose handlers look at control registers. */
    void (*sync)(struct vcpu *v);
    void (*update_cr)(struct vcpu *v, unsigned cr); /* hvm->cr0/cr2/cr3/cr4 changed */
    void (*update_efer)(struct vcpu *v);
    void (*update_dr)(struct vcpu *v);  /* dr[], dr6, dr7, all up to date before, were changed by us */
    void (*update_tsc)(struct vcpu *v); /* its offset, or whether the domain's is emulated, was changed by us */
    void (*update_pat)(struct vcpu *v);
    uint64_t (*get_msr)(struct vcpu *v, uint32_t msr); /* those the hardware switches: STAR family, SYSENTER, KGS */
    void (*set_msr)(struct vcpu *v, uint32_t msr, uint64_t value);
    void (*inject)(struct vcpu *v, const struct hvm_event *event);
    bool (*can_interrupt)(struct vcpu *v, bool nmi); /* IF, shadow, NMI blocking */
    void (*want_window)(struct vcpu *v, bool nmi);   /* exit as soon as can_interrupt becomes true */
    uint32_t (*get_shadow)(struct vcpu *v);          /* bit 0 sti, bit 1 mov ss; ABI of struct hvm_hw_cpu */
    void (*set_shadow)(struct vcpu *v, uint32_t shadow);
    void (*flush_tlb)(struct vcpu *v); /* this vcpu's translations, before it runs next */
    void (*invlpg)(struct vcpu *v, uint64_t linear);
    bool uses_ept;       /* format of the p2m's entries: EPT; otherwise NPT */
    void (*enter)(void); /* from exit_to_guest, interrupts off; returns as hvm_resume() does */
};
extern const struct hvm_vendor *hvm_vendor;
extern const struct hvm_vendor svm_vendor, vmx_vendor;

/* General registers, rip, rsp, rflags of v, which is current or off every CPU. */
static inline struct cpu_user_regs *hvm_regs(struct vcpu *v)
{
    return v == current ? guest_regs() : &v->regs;
}

/* Mode of the code that runs: 2, 4 or 8 bytes; 8 only when EFER.LMA and CS.L. */
unsigned hvm_code_bytes(struct vcpu *v);
bool hvm_long_mode(const struct vcpu *v); /* EFER.LMA */
bool hvm_paging(const struct vcpu *v);    /* CR0.PG */

/* Checked writes as the guest's own: false = raise #GP (or #UD for dr4/5 with CR4.DE, told by *vector). hvm/control.c
 */
bool hvm_set_cr0(struct vcpu *v, uint64_t value);
bool hvm_set_cr3(struct vcpu *v, uint64_t value);
bool hvm_set_cr4(struct vcpu *v, uint64_t value);
bool hvm_set_cr8(struct vcpu *v, uint64_t value);
/* No bit is set but those that the guest's CPUID offers. For values that do not come by hvm_set_cr4. */
bool hvm_cr4_is_offered(struct vcpu *v, uint64_t value);
bool hvm_set_efer(struct vcpu *v, uint64_t value);
bool hvm_set_xcr0(struct vcpu *v, uint32_t index, uint64_t value);
bool hvm_read_dr(struct vcpu *v, unsigned number, uint64_t *value);
bool hvm_write_dr(struct vcpu *v, unsigned number, uint64_t value);
/* hvm/msr.c: false = #GP. */
bool hvm_rdmsr(struct vcpu *v, uint32_t msr, uint64_t *value);
bool hvm_wrmsr(struct vcpu *v, uint32_t msr, uint64_t value);
uint64_t hvm_guest_tsc(const struct vcpu *v);
/* The counter of d, which does not run, is emulated now or no longer. */
void hvm_update_tsc_mode(struct domain *d);
/* Of v alone; its TSC deadline and, if it is current, the time in its vcpu_info follow. */
void hvm_set_guest_tsc(struct vcpu *v, uint64_t value);
void hvm_set_tsc_offset(struct vcpu *v, uint64_t offset);

/* CPUID as v sees it. x86/cpu_policy.c */
void hvm_cpuid(struct vcpu *v, uint32_t leaf, uint32_t subleaf, struct cpuid *out);

/* ---- events ---- */
/* An exception for the instruction that just exited; merges with a pending one as the processor would (#DF, triple
 * fault = the guest ends with SHUTDOWN_reboot and a log line). hvm/inject.c */
void hvm_inject_exception(struct vcpu *v, uint8_t vector, uint32_t error_code);
void hvm_inject_page_fault(struct vcpu *v, uint64_t address, uint32_t error_code);
void hvm_inject_event(struct vcpu *v, const struct hvm_event *event);
#define HVM_NO_ERROR_CODE 0xffffffffU

/* ---- hypercalls ---- */
/* Calls hypercall_dispatch with the mode's registers; result to eax/rax. False: not finished, its progress is in the
 * registers and the instruction is to be run again. hvm/hypercall.c */
bool hvm_hypercall(struct vcpu *v, struct cpu_user_regs *regs);
/* Fills a page of stubs (vmcall/vmmcall) for the mode at gpa. */
bool hvm_write_hypercall_page(struct vcpu *v, uint64_t gpa);
/* True while the current hypercall comes from 32-bit code: arguments have the 32-bit layout. Only those hypercalls that
 * firmware makes are served in it (abi/compat.c); the others give -ENOSYS. */
bool hvm_compat_call(void);

#endif
