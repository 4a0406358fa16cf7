/*
 * AMD's secure virtual machine: the control block of a vcpu and its codes. hvm/svm/
 * Source: AMD APM volume 2, chapter 15 and appendices B (VMCB layout) and C (exit codes).
 */
#ifndef HV_SVM_H
#define HV_SVM_H

#include <hv/hvm_exit.h>

#define MSR_VM_CR       0xc0010114U
#define MSR_VM_HSAVE_PA 0xc0010117U
#define MSR_TSC_AUX     0xc0000103U
#define VM_CR_SVMDIS    0x10U

#define CPUID_SVM_LEAF      0x8000000aU
#define SVM_NESTED_PAGING   (1U << 0)
#define SVM_NRIP_SAVE       (1U << 3)
#define SVM_VMCB_CLEAN      (1U << 5)
#define SVM_FLUSH_BY_ASID   (1U << 6)
#define SVM_DECODE_ASSISTS  (1U << 7)
#define SVM_PAUSE_FILTER    (1U << 10)
#define SVM_PAUSE_THRESHOLD (1U << 12)

struct vmcb_segment {
    uint16_t selector, attributes;
    uint32_t limit;
    uint64_t base;
};

struct vmcb {
    /* Control area. */
    uint32_t intercept_cr; /* 0-15 reads, 16-31 writes */
    uint32_t intercept_dr;
    uint32_t intercept_exceptions;
    uint32_t intercept_1, intercept_2, intercept_3;
    uint8_t reserved1[0x3c - 0x18];
    uint16_t pause_filter_threshold, pause_filter_count;
    uint64_t io_map, msr_map;
    uint64_t tsc_offset;
    uint32_t asid;
    uint8_t tlb_control, reserved2[3];
    uint64_t virtual_interrupt;
    uint64_t interrupt_shadow;
    uint64_t exit_code, exit_info_1, exit_info_2, exit_interrupt_info;
    uint64_t nested_paging;
    uint8_t reserved3[0xa8 - 0x98];
    uint64_t event_injection;
    uint64_t nested_root;
    uint64_t lbr_virtualisation;
    uint32_t clean, reserved4;
    uint64_t next_rip;
    uint8_t fetched_count, fetched[15];
    uint8_t reserved5[0x400 - 0xe0];

    /* State save area. */
    struct vmcb_segment es, cs, ss, ds, fs, gs, gdtr, ldtr, idtr, tr;
    uint8_t reserved6[0x4cb - 0x4a0];
    uint8_t cpl;
    uint32_t reserved7;
    uint64_t efer;
    uint8_t reserved8[0x548 - 0x4d8];
    uint64_t cr4, cr3, cr0, dr7, dr6, rflags, rip;
    uint8_t reserved9[0x5d8 - 0x580];
    uint64_t rsp;
    uint8_t reserved10[0x5f8 - 0x5e0];
    uint64_t rax, star, lstar, cstar, syscall_mask, kernel_gs_base, sysenter_cs, sysenter_esp, sysenter_eip, cr2;
    uint8_t reserved11[0x668 - 0x648];
    uint64_t pat, debug_control, branch_from, branch_to, exception_from, exception_to;
    uint8_t reserved12[0x1000 - 0x698];
};
#define VMCB_AT(field, offset) _Static_assert(offsetof(struct vmcb, field) == (offset), "APM volume 2, appendix B")
VMCB_AT(intercept_exceptions, 0x008);
VMCB_AT(intercept_3, 0x014);
VMCB_AT(pause_filter_count, 0x03e);
VMCB_AT(io_map, 0x040);
VMCB_AT(msr_map, 0x048);
VMCB_AT(tsc_offset, 0x050);
VMCB_AT(asid, 0x058);
VMCB_AT(tlb_control, 0x05c);
VMCB_AT(virtual_interrupt, 0x060);
VMCB_AT(interrupt_shadow, 0x068);
VMCB_AT(exit_code, 0x070);
VMCB_AT(exit_interrupt_info, 0x088);
VMCB_AT(nested_paging, 0x090);
VMCB_AT(event_injection, 0x0a8);
VMCB_AT(nested_root, 0x0b0);
VMCB_AT(clean, 0x0c0);
VMCB_AT(next_rip, 0x0c8);
VMCB_AT(fetched_count, 0x0d0);
VMCB_AT(es, 0x400);
VMCB_AT(gdtr, 0x460);
VMCB_AT(ldtr, 0x470);
VMCB_AT(tr, 0x490);
VMCB_AT(cpl, 0x4cb);
VMCB_AT(efer, 0x4d0);
VMCB_AT(cr4, 0x548);
VMCB_AT(cr0, 0x558);
VMCB_AT(dr6, 0x568);
VMCB_AT(rflags, 0x570);
VMCB_AT(rip, 0x578);
VMCB_AT(rsp, 0x5d8);
VMCB_AT(rax, 0x5f8);
VMCB_AT(star, 0x600);
VMCB_AT(kernel_gs_base, 0x620);
VMCB_AT(sysenter_eip, 0x638);
VMCB_AT(cr2, 0x640);
VMCB_AT(pat, 0x668);
VMCB_AT(exception_to, 0x690);
_Static_assert(sizeof(struct vmcb) == 4096, "APM volume 2, appendix B");

#define CR_WRITE(n) (1U << (16 + (n)))

/* intercept_1 */
#define SVM_INTR     (1U << 0)
#define SVM_NMI      (1U << 1)
#define SVM_INIT     (1U << 3)
#define SVM_VINTR    (1U << 4)
#define SVM_RDTSC    (1U << 14)
#define SVM_RDPMC    (1U << 15)
#define SVM_CPUID    (1U << 18)
#define SVM_IRET     (1U << 20)
#define SVM_INVD     (1U << 22)
#define SVM_PAUSE    (1U << 23)
#define SVM_HLT      (1U << 24)
#define SVM_INVLPGA  (1U << 26)
#define SVM_IOIO     (1U << 27)
#define SVM_MSR      (1U << 28)
#define SVM_TASK     (1U << 29)
#define SVM_FERR     (1U << 30)
#define SVM_SHUTDOWN (1U << 31)
/* intercept_2 */
#define SVM_VMRUN   (1U << 0)
#define SVM_VMMCALL (1U << 1)
#define SVM_VMLOAD  (1U << 2)
#define SVM_VMSAVE  (1U << 3)
#define SVM_STGI    (1U << 4)
#define SVM_CLGI    (1U << 5)
#define SVM_SKINIT  (1U << 6)
#define SVM_RDTSCP  (1U << 7)
#define SVM_WBINVD  (1U << 9)
#define SVM_MONITOR (1U << 10)
#define SVM_MWAIT   (1U << 11)
#define SVM_XSETBV  (1U << 13)
#define SVM_RDPRU   (1U << 14)
/* intercept_3 */
#define SVM_INVLPGB   (1U << 0)
#define SVM_INVLPGB_X (1U << 1)
#define SVM_MCOMMIT   (1U << 3)
#define SVM_TLBSYNC   (1U << 4)

/* virtual_interrupt */
#define V_TPR_MASK      0xffUL
#define V_IRQ           (1UL << 8)
#define V_INTR_PRIORITY (0xfUL << 16)
#define V_IGNORE_TPR    (1UL << 20)
#define V_INTR_MASKING  (1UL << 24)

/* event_injection, exit_interrupt_info */
#define SVM_EVENT_VECTOR      0xffUL
#define SVM_EVENT_KIND_SHIFT  8
#define SVM_EVENT_ERROR_VALID (1UL << 11)
#define SVM_EVENT_VALID       (1UL << 31)
#define SVM_EVENT_ERROR_SHIFT 32

#define TLB_NOTHING    0
#define TLB_FLUSH_ALL  1
#define TLB_FLUSH_ASID 3

/* clean: what the processor may keep from the last VMRUN of this block */
#define CLEAN_INTERCEPTS (1U << 0)
#define CLEAN_ASID       (1U << 2)
#define CLEAN_TPR        (1U << 3)
#define CLEAN_NESTED     (1U << 4)
#define CLEAN_CR         (1U << 5)
#define CLEAN_DR         (1U << 6)
#define CLEAN_TABLES     (1U << 7)
#define CLEAN_SEGMENTS   (1U << 8)
#define CLEAN_CR2        (1U << 9)
#define CLEAN_EVERYTHING 0x3ffU
/* what rules of entry are about */
#define CLEAN_CHECKED (CLEAN_ASID | CLEAN_NESTED | CLEAN_CR | CLEAN_DR | CLEAN_SEGMENTS)

#define SVM_EXIT_CR_READ   0x000U
#define SVM_EXIT_CR_WRITE  0x010U
#define SVM_EXIT_DR_READ   0x020U
#define SVM_EXIT_DR_WRITE  0x030U
#define SVM_EXIT_EXCEPTION 0x040U
#define SVM_EXIT_INTR      0x060U
#define SVM_EXIT_VINTR     0x064U
#define SVM_EXIT_IRET      0x074U
#define SVM_EXIT_IOIO      0x07bU
#define SVM_EXIT_MSR       0x07cU
#define SVM_EXIT_TASK      0x07dU
#define SVM_EXIT_NPF       0x400U
#define SVM_EXIT_INVALID   0xffffffffffffffffUL

/* exit_info_1 of SVM_EXIT_NPF */
#define NPF_IN_WALK (1UL << 33)

struct svm_vcpu {
    struct vmcb *vmcb;
    paddr_t vmcb_address;
    struct cpu *last_cpu;  /* the block's cached parts and the ASID are this CPU's */
    uint8_t skipped;       /* bytes rip was moved by svm_inject; until the next exit */
    bool nmi_blocked;      /* an NMI handler runs, as far as we know */
    uint64_t nmi_iret_rip; /* its IRET, about to run; ~0: none */
};

static inline struct svm_vcpu *svm_of(const struct vcpu *v)
{
    return v->hvm->vendor;
}
static inline struct vmcb *vmcb_of(const struct vcpu *v)
{
    return svm_of(v)->vmcb;
}

extern uint32_t svm_features; /* edx of CPUID_SVM_LEAF */

/* svm.c; the guest's debug registers, first use */
void svm_load_debug_registers(struct vcpu *v);
/* svm.c; control registers the guest changes without an exit, from the block to v->hvm */
void svm_sync(struct vcpu *v);
/* svm.c; the next vcpu of this CPU that needs an ASID flushes all of them. Current CPU. */
void svm_forget_asids(void);
/* check.c; the rule of VMRUN that the block breaks, NULL if none; of them those of the event alone */
const char *svm_broken_rule(const struct vmcb *b);
const char *svm_broken_event(const struct vmcb *b);
/* exit.c; ends v's guest, whose state VMRUN refuses for this rule */
void svm_refuse(struct vcpu *v, const char *broken);
/* event.c */
void svm_inject(struct vcpu *v, const struct hvm_event *event);
/* After an exit, if svm_inject has moved rip: back to the instruction, if its event was not delivered. */
void svm_undo_skip(struct vcpu *v, struct cpu_user_regs *regs);
/* What was being delivered at the last exit; not valid if it happens again by itself. */
void svm_decode_interrupted(const struct vcpu *v, struct hvm_event *event);
/* segment.c */
void svm_get_segment(struct vcpu *v, enum hvm_segment which, struct hvm_segment_register *out);
void svm_set_segment(struct vcpu *v, enum hvm_segment which, const struct hvm_segment_register *in);
unsigned svm_cpl(struct vcpu *v);
/* entry.S -> exit.c, interrupts on */
void svm_exit(struct cpu_user_regs *regs);
/* entry.S: runs the guest of this block; interrupts off */
void svm_run(paddr_t vmcb_address) __noreturn;

#endif
