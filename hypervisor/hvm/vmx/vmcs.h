/*
 * VT-x as the processor has it: capability MSRs, VMCS fields and the instructions that reach them.
 * Source: Intel SDM volume 3, chapters 24-27 and 30, appendices A (capabilities), B (field encodings), C (exit
 * reasons).
 */
#ifndef HV_VMX_VMCS_H
#define HV_VMX_VMCS_H

#include "instructions.h"
#include <hv/console.h>
#include <hv/hvm.h>

#define MSR_TSC_AUX            0xc0000103U
#define MSR_FEATURE_CONTROL    0x0000003aU
#define MSR_VMX_BASIC          0x00000480U
#define MSR_VMX_MISC           0x00000485U
#define MSR_VMX_CR0_FIXED0     0x00000486U
#define MSR_VMX_CR0_FIXED1     0x00000487U
#define MSR_VMX_CR4_FIXED0     0x00000488U
#define MSR_VMX_CR4_FIXED1     0x00000489U
#define MSR_VMX_SECONDARY      0x0000048bU
#define MSR_VMX_EPT_VPID       0x0000048cU
#define MSR_VMX_TRUE_PIN       0x0000048dU
#define MSR_VMX_TRUE_PROCESSOR 0x0000048eU
#define MSR_VMX_TRUE_EXIT      0x0000048fU
#define MSR_VMX_TRUE_ENTRY     0x00000490U

#define FEATURE_CONTROL_LOCKED      0x1UL
#define FEATURE_CONTROL_VMX_OUTSIDE 0x4UL /* of SMX */

/* Field encodings. 64-bit fields are even; +1 would be their high half. */
enum vmcs_field {
    VMCS_VPID = 0x0000,
    VMCS_GUEST_SELECTOR = 0x0800, /* + 2 * es, cs, ss, ds, fs, gs, ldtr, tr */
    VMCS_HOST_ES_SELECTOR = 0x0c00,
    VMCS_HOST_CS_SELECTOR = 0x0c02,
    VMCS_HOST_SS_SELECTOR = 0x0c04,
    VMCS_HOST_DS_SELECTOR = 0x0c06,
    VMCS_HOST_FS_SELECTOR = 0x0c08,
    VMCS_HOST_GS_SELECTOR = 0x0c0a,
    VMCS_HOST_TR_SELECTOR = 0x0c0c,

    VMCS_MSR_BITMAP = 0x2004,
    VMCS_TSC_OFFSET = 0x2010,
    VMCS_EPT_POINTER = 0x201a,
    VMCS_GUEST_PHYSICAL_ADDRESS = 0x2400,
    VMCS_LINK_POINTER = 0x2800,
    VMCS_GUEST_DEBUGCTL = 0x2802,
    VMCS_GUEST_PAT = 0x2804,
    VMCS_GUEST_EFER = 0x2806,
    VMCS_GUEST_PDPTE0 = 0x280a, /* + 2 * index */
    VMCS_HOST_PAT = 0x2c00,
    VMCS_HOST_EFER = 0x2c02,

    VMCS_PIN_CONTROLS = 0x4000,
    VMCS_PROCESSOR_CONTROLS = 0x4002,
    VMCS_EXCEPTION_BITMAP = 0x4004,
    VMCS_PAGE_FAULT_MASK = 0x4006,
    VMCS_PAGE_FAULT_MATCH = 0x4008,
    VMCS_CR3_TARGET_COUNT = 0x400a,
    VMCS_EXIT_CONTROLS = 0x400c,
    VMCS_EXIT_MSR_STORE_COUNT = 0x400e,
    VMCS_EXIT_MSR_LOAD_COUNT = 0x4010,
    VMCS_ENTRY_CONTROLS = 0x4012,
    VMCS_ENTRY_MSR_LOAD_COUNT = 0x4014,
    VMCS_ENTRY_EVENT = 0x4016,
    VMCS_ENTRY_ERROR_CODE = 0x4018,
    VMCS_ENTRY_LENGTH = 0x401a,
    VMCS_SECONDARY_CONTROLS = 0x401e,
    VMCS_PAUSE_GAP = 0x4020,
    VMCS_PAUSE_WINDOW = 0x4022,
    VMCS_INSTRUCTION_ERROR = 0x4400,
    VMCS_EXIT_REASON = 0x4402,
    VMCS_EXIT_EVENT = 0x4404,
    VMCS_EXIT_ERROR_CODE = 0x4406,
    VMCS_VECTORING_EVENT = 0x4408,
    VMCS_VECTORING_ERROR_CODE = 0x440a,
    VMCS_EXIT_LENGTH = 0x440c,
    VMCS_GUEST_LIMIT = 0x4800, /* + 2 * es .. tr */
    VMCS_GUEST_GDTR_LIMIT = 0x4810,
    VMCS_GUEST_IDTR_LIMIT = 0x4812,
    VMCS_GUEST_ATTRIBUTES = 0x4814, /* + 2 * es .. tr */
    VMCS_GUEST_INTERRUPTIBILITY = 0x4824,
    VMCS_GUEST_ACTIVITY = 0x4826,
    VMCS_GUEST_SYSENTER_CS = 0x482a,
    VMCS_HOST_SYSENTER_CS = 0x4c00,

    VMCS_CR0_MASK = 0x6000,
    VMCS_CR4_MASK = 0x6002,
    VMCS_CR0_SHADOW = 0x6004,
    VMCS_CR4_SHADOW = 0x6006,
    VMCS_EXIT_QUALIFICATION = 0x6400,
    VMCS_GUEST_CR0 = 0x6800,
    VMCS_GUEST_CR3 = 0x6802,
    VMCS_GUEST_CR4 = 0x6804,
    VMCS_GUEST_BASE = 0x6806, /* + 2 * es .. tr */
    VMCS_GUEST_GDTR_BASE = 0x6816,
    VMCS_GUEST_IDTR_BASE = 0x6818,
    VMCS_GUEST_DR7 = 0x681a,
    VMCS_GUEST_RSP = 0x681c,
    VMCS_GUEST_RIP = 0x681e,
    VMCS_GUEST_RFLAGS = 0x6820,
    VMCS_GUEST_PENDING_DEBUG = 0x6822,
    VMCS_GUEST_SYSENTER_ESP = 0x6824,
    VMCS_GUEST_SYSENTER_EIP = 0x6826,
    VMCS_HOST_CR0 = 0x6c00,
    VMCS_HOST_CR3 = 0x6c02,
    VMCS_HOST_CR4 = 0x6c04,
    VMCS_HOST_FS_BASE = 0x6c06,
    VMCS_HOST_GS_BASE = 0x6c08,
    VMCS_HOST_TR_BASE = 0x6c0a,
    VMCS_HOST_GDTR_BASE = 0x6c0c,
    VMCS_HOST_IDTR_BASE = 0x6c0e,
    VMCS_HOST_SYSENTER_ESP = 0x6c10,
    VMCS_HOST_SYSENTER_EIP = 0x6c12,
    VMCS_HOST_RSP = 0x6c14,
    VMCS_HOST_RIP = 0x6c16,
};

#define PIN_INTERRUPT_EXIT 0x00000001U
#define PIN_NMI_EXIT       0x00000008U
#define PIN_VIRTUAL_NMI    0x00000020U

#define CPU_INTERRUPT_WINDOW 0x00000004U
#define CPU_TSC_OFFSET       0x00000008U
#define CPU_HLT_EXIT         0x00000080U
#define CPU_INVLPG_EXIT      0x00000200U
#define CPU_MWAIT_EXIT       0x00000400U
#define CPU_RDPMC_EXIT       0x00000800U
#define CPU_RDTSC_EXIT       0x00001000U
#define CPU_CR3_LOAD_EXIT    0x00008000U
#define CPU_CR3_STORE_EXIT   0x00010000U
#define CPU_CR8_LOAD_EXIT    0x00080000U
#define CPU_CR8_STORE_EXIT   0x00100000U
#define CPU_NMI_WINDOW       0x00400000U
#define CPU_DR_EXIT          0x00800000U
#define CPU_PORT_EXIT        0x01000000U
#define CPU_MSR_BITMAP       0x10000000U
#define CPU_MONITOR_EXIT     0x20000000U
#define CPU_SECONDARY        0x80000000U

#define CPU2_EPT          0x00000002U
#define CPU2_RDTSCP       0x00000008U
#define CPU2_VPID         0x00000020U
#define CPU2_WBINVD_EXIT  0x00000040U
#define CPU2_UNRESTRICTED 0x00000080U
#define CPU2_PAUSE_LOOP   0x00000400U
#define CPU2_INVPCID      0x00001000U

#define VMEXIT_SAVE_DEBUG 0x00000004U
#define VMEXIT_HOST_64    0x00000200U
#define VMEXIT_LOAD_PAT   0x00080000U
#define VMEXIT_LOAD_EFER  0x00200000U

#define VMENTRY_LOAD_DEBUG 0x00000004U
#define VMENTRY_LONG_MODE  0x00000200U
#define VMENTRY_LOAD_PAT   0x00004000U
#define VMENTRY_LOAD_EFER  0x00008000U

/* Fields that hold an event: entry event, exit event, vectoring event. */
#define EVENT_VECTOR      0x000000ffU
#define EVENT_TYPE_SHIFT  8
#define EVENT_TYPE        7U
#define EVENT_HAS_ERROR   0x00000800U
#define EVENT_NMI_UNBLOCK 0x00001000U /* exit event: an IRET had ended NMI blocking, which must be put back */
#define EVENT_VALID       0x80000000U
#define EVENT_TYPE_INT1   5U
#define EVENT_TYPE_INT3   6U /* and INTO */

#define INTERRUPTIBILITY_STI    1U
#define INTERRUPTIBILITY_MOV_SS 2U
#define INTERRUPTIBILITY_SMI    4U
#define INTERRUPTIBILITY_NMI    8U

#define PENDING_DEBUG_STEP 0x4000UL

/* What the processors can do; read once on the boot CPU, required of the others. */
struct vmx_capabilities {
    uint32_t revision;
    uint32_t pin, processor, secondary, exit, entry; /* the controls we run with; windows, DR and long mode apart */
    uint64_t ept_vpid;
    uint64_t cr0_fixed0, cr0_fixed1, cr4_fixed0, cr4_fixed1;
};
extern struct vmx_capabilities vmx_capabilities;

struct vmx_vcpu {
    void *vmcs; /* one page */
    paddr_t vmcs_address;
    bool launched;                     /* vmresume instead of vmlaunch; ends with VMCLEAR */
    bool flush_linear, flush_physical; /* before the next entry: by VPID, by EPT pointer */
    struct cpu *cpu;                   /* whose host state the VMCS holds; where its translations may be cached */
    bool changed;                      /* we have written guest state: it is checked before the next entry */
    uint64_t exit_rip, exit_rflags;    /* as the guest left them */
    uint32_t processor_controls, entry_controls;
    uint64_t ept_pointer, ept_generation; /* hvm_domain.tlb_generation at the last flush_physical */
    /* MSRs the processor does not switch; ours are restored when the vcpu leaves the CPU. */
    uint64_t star, lstar, cstar, syscall_mask;
    uint64_t kernel_gs_base; /* while not on a CPU */
};

static inline struct vmx_vcpu *vmx_of(const struct vcpu *v)
{
    return v->hvm->vendor;
}

/* vmx/vmcs.c */
bool vmx_probe(void); /* boot CPU: fills vmx_capabilities; false with a log line when something needed is missing */
void vmx_init_cpu(void);
int vmcs_create(struct vcpu *v);
void vmcs_destroy(struct vcpu *v);
/* Makes v's VMCS this CPU's current one and returns the vcpu whose it was (NULL: none); vmcs_end undoes it. Between
 * them nothing may schedule. A VMCS that is not of this CPU's current vcpu is inactive otherwise (VMCLEAR), so any CPU
 * may begin. */
struct vcpu *vmcs_begin(struct vcpu *v);
void vmcs_end(struct vcpu *v, struct vcpu *previous);
/* v comes onto this CPU, or leaves it. */
void vmcs_install(struct vcpu *v);
void vmcs_put_away(struct vcpu *v);
void vmx_load_guest_msrs(struct vcpu *v);
void vmx_load_guest_msr(uint32_t msr, uint64_t value); /* one of them, changed while its vcpu is here */
void vmx_load_host_msrs(void);
void vmx_flush_before_entry(struct vcpu *v);
void vmx_invlpg(struct vcpu *v, uint64_t linear);

/* vmx/event.c: members of struct hvm_vendor; and the events the processor tells about. */
void vmx_inject(struct vcpu *v, const struct hvm_event *event);
bool vmx_can_interrupt(struct vcpu *v, bool nmi);
void vmx_want_window(struct vcpu *v, bool nmi);
void vmx_close_window(struct vcpu *v, uint32_t control);
uint32_t vmx_get_shadow(struct vcpu *v);
void vmx_set_shadow(struct vcpu *v, uint32_t shadow);
/* A shadow together with TF must have its single step pending, and none without TF (26.3.1.5). RFLAGS is in the VMCS.
 */
void vmx_settle_pending_debug(void);
bool vmx_event_is_software(uint32_t field); /* INT, INT3, INTO, INT1 */
/* From an event field and what belongs to it, as the neutral code knows it. */
struct hvm_event vmx_decode_event(const struct vcpu *v, uint32_t field, uint32_t error_code, uint8_t length);

/* vmx/segment.c */
void vmx_get_segment(struct vcpu *v, enum hvm_segment which, struct hvm_segment_register *out);
void vmx_set_segment(struct vcpu *v, enum hvm_segment which, const struct hvm_segment_register *in);
unsigned vmx_cpl(struct vcpu *v);

/* vmx/vmx.c */
void vmx_sync(struct vcpu *v); /* what the guest changes without an exit: hvm->cr3, PGE in hvm->cr4, dr6, dr7 */
void vmx_load_debug_registers(struct vcpu *v);

/* vmx/entry.S */
void vmx_enter(void);
extern char vmx_exit_point[];

/* vmx/check.c: the rule of VM entry that the current VMCS breaks, NULL if none. About a hundred VMREADs. */
const char *vmx_broken_rule(void);

/* vmx/exit.c, called from entry.S with interrupts off. */
enum vmx_entry { VMX_LAUNCH, VMX_RESUME, VMX_NO_ENTRY }; /* entry.S knows the values; NO_ENTRY: the guest has ended */
enum vmx_entry vmx_prepare_entry(void);
void vmx_exit(void);
void vmx_entry_refused(void); /* VMLAUNCH or VMRESUME fell through */

#endif
