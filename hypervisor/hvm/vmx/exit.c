/*
 * The way in, and what the processor says about why a guest left, in the neutral form of hvm_exit.h.
 * Source: Intel SDM volume 3, 27.2 (what an exit records, tables 27-1 to 27-14) and appendix C (exit reasons).
 */
#include "vmcs.h"

#include <hv/domain_log.h>
#include <hv/cpu.h>
#include <hv/hvm_exit.h>
#include <hv/traps.h>

enum vmx_reason {
    REASON_EXCEPTION = 0,
    REASON_INTERRUPT = 1,
    REASON_TRIPLE_FAULT = 2,
    REASON_INTERRUPT_WINDOW = 7,
    REASON_NMI_WINDOW = 8,
    REASON_TASK_SWITCH = 9,
    REASON_CPUID = 10,
    REASON_GETSEC = 11,
    REASON_HLT = 12,
    REASON_INVD = 13,
    REASON_INVLPG = 14,
    REASON_RDPMC = 15,
    REASON_RDTSC = 16,
    REASON_VMCALL = 18,
    REASON_VMCLEAR = 19,
    REASON_VMLAUNCH = 20,
    REASON_VMPTRLD = 21,
    REASON_VMPTRST = 22,
    REASON_VMREAD = 23,
    REASON_VMRESUME = 24,
    REASON_VMWRITE = 25,
    REASON_VMXOFF = 26,
    REASON_VMXON = 27,
    REASON_CR = 28,
    REASON_DR = 29,
    REASON_PORT = 30,
    REASON_RDMSR = 31,
    REASON_WRMSR = 32,
    REASON_MWAIT = 36,
    REASON_MONITOR = 39,
    REASON_PAUSE = 40,
    REASON_MACHINE_CHECK = 41, /* during the entry */
    REASON_EPT_VIOLATION = 48,
    REASON_INVEPT = 50,
    REASON_RDTSCP = 51,
    REASON_INVVPID = 53,
    REASON_WBINVD = 54,
    REASON_XSETBV = 55,
    REASON_VMFUNC = 59,
    REASON_COUNT = 60,
};
#define REASON_ENTRY_FAILURE (1U << 31)
#define REASON_NUMBER        0xffffU

/* ---- one function per kind of exit that says more than its number; all fields of *e are zero before ---- */

/* An IRET that faulted, or whose guest memory did, had already ended NMI blocking. */
static void restore_nmi_blocking(void)
{
    vmwrite(VMCS_GUEST_INTERRUPTIBILITY, vmread(VMCS_GUEST_INTERRUPTIBILITY) | INTERRUPTIBILITY_NMI);
}

/* The processor leaves DR6 and DR7.GD alone when #DB exits and when we deliver it: the bits that it would have set are
 * in the qualification, and its handler may use the debug registers. */
static void note_debug_status(struct vcpu *v)
{
    const uint64_t conditions = 0xf, status = 0xe00f, general_detect = 0x2000; /* B0-B3; with BD, BS, BT; GD of DR7 */
    uint64_t bits = vmread(VMCS_EXIT_QUALIFICATION) & status;
    v->hvm->dr6 = (v->hvm->dr6 & ~conditions) | bits;
    if (v->hvm->dr_loaded)
        write_dr6(v->hvm->dr6);
    v->hvm->dr7 &= ~general_detect;
    vmwrite(VMCS_GUEST_DR7, vmread(VMCS_GUEST_DR7) & ~general_detect);
}

static void exception(struct vcpu *v, struct hvm_exit *e)
{
    uint32_t field = (uint32_t)vmread(VMCS_EXIT_EVENT);
    unsigned type = field >> EVENT_TYPE_SHIFT & EVENT_TYPE, vector = field & EVENT_VECTOR;
    if (type == HVM_EVENT_NMI) {
        host_nmi();
        return;
    }
    if (vector == TRAP_machine_check) {
        host_machine_check();
        return;
    }
    if (field & EVENT_NMI_UNBLOCK && vector != TRAP_double_fault && !e->interrupted.valid)
        restore_nmi_blocking();
    if (vector == TRAP_debug)
        note_debug_status(v);
    e->reason = EXIT_EXCEPTION;
    e->event = vmx_decode_event(v, field, (uint32_t)vmread(VMCS_EXIT_ERROR_CODE), (uint8_t)vmread(VMCS_EXIT_LENGTH));
    if (e->event.kind == HVM_EVENT_EXCEPTION && vector == TRAP_page_fault)
        e->event.cr2 = vmread(VMCS_EXIT_QUALIFICATION);
}

static void interrupt_window(struct vcpu *v, struct hvm_exit *e)
{
    vmx_close_window(v, CPU_INTERRUPT_WINDOW);
}

static void nmi_window(struct vcpu *v, struct hvm_exit *e)
{
    vmx_close_window(v, CPU_NMI_WINDOW);
}

/* Table 27-2. An event that goes through a task gate is spent: it is part of the switch. Only that of a software
 * interrupt has an instruction to skip. */
static void task_switch(struct vcpu *v, struct hvm_exit *e)
{
    uint64_t qualification = vmread(VMCS_EXIT_QUALIFICATION);
    e->task.selector = (uint16_t)qualification;
    e->task.reason = qualification >> 30 & 3;
    if (e->task.reason != 3) {
        e->interrupted.valid = false;
        return;
    }
    e->length = e->interrupted.valid ? e->interrupted.length : 0;
    e->task.has_error_code = e->interrupted.has_error_code;
    e->task.error_code = e->interrupted.error_code;
}

static void invlpg_address(struct vcpu *v, struct hvm_exit *e)
{
    e->address = vmread(VMCS_EXIT_QUALIFICATION);
}

/* Table 27-3. */
static void control_register(struct vcpu *v, struct hvm_exit *e)
{
    enum { MOV_TO, MOV_FROM, CLTS, LMSW };
    const uint64_t lmsw_bits = 0xf;
    uint64_t qualification = vmread(VMCS_EXIT_QUALIFICATION), cr0 = v->hvm->cr0;
    unsigned kind = qualification >> 4 & 3;
    e->cr = qualification & 0xf;
    e->reg = qualification >> 8 & 0xf;
    e->reason = kind == MOV_FROM ? EXIT_CR_READ : EXIT_CR_WRITE;
    e->write = kind != MOV_FROM;
    if (kind == MOV_TO || kind == MOV_FROM)
        return;
    e->cr = 0;
    e->reg = 0xff;
    /* LMSW sets PE and never clears it. */
    e->value =
        kind == CLTS ? cr0 & ~X86_CR0_TS : (cr0 & ~(lmsw_bits & ~X86_CR0_PE)) | (qualification >> 16 & lmsw_bits);
}

/* First use of the debug registers since the guest came onto this CPU: they are its own now, and it tries again. */
static void debug_register(struct vcpu *v, struct hvm_exit *e)
{
    vmx_load_debug_registers(v);
}

/* Table 27-5. */
static void port(struct vcpu *v, struct hvm_exit *e)
{
    uint64_t qualification = vmread(VMCS_EXIT_QUALIFICATION);
    e->port.port = (uint16_t)(qualification >> 16);
    e->port.bytes = (qualification & 7) + 1;
    e->port.in = qualification & 0x08;
    e->port.string = qualification & 0x10;
    e->write = !e->port.in;
}

/* Table 27-7. */
static void ept_violation(struct vcpu *v, struct hvm_exit *e)
{
    uint64_t qualification = vmread(VMCS_EXIT_QUALIFICATION);
    e->fault.gpa = vmread(VMCS_GUEST_PHYSICAL_ADDRESS);
    e->fault.read = qualification & 0x01;
    e->fault.write = qualification & 0x02;
    e->fault.fetch = qualification & 0x04;
    e->fault.present = qualification & 0x38;
    e->fault.in_walk = (qualification & 0x180) == 0x080; /* a linear address led to it, and not its own translation */
    if (qualification & EVENT_NMI_UNBLOCK && !e->interrupted.valid)
        restore_nmi_blocking();
}

/* ---- the table ---- */

struct translation {
    uint8_t reason;  /* enum hvm_exit_reason */
    bool has_length; /* caused by an instruction, whose length the processor tells */
    bool write;
    void (*fill)(struct vcpu *v, struct hvm_exit *e);
};

/* INIT, SIPI and SMI never come, nor what belongs to controls we leave off: those stay EXIT_UNKNOWN. The machine check
 * is an entry that failed, and has no row. */
static const struct translation translations[REASON_COUNT] = {
    [REASON_EXCEPTION] = {EXIT_NOTHING, false, false, exception},
    [REASON_INTERRUPT] = {EXIT_NOTHING, false, false, NULL},
    [REASON_TRIPLE_FAULT] = {EXIT_SHUTDOWN, false, false, NULL},
    [REASON_INTERRUPT_WINDOW] = {EXIT_INTERRUPT_WINDOW, false, false, interrupt_window},
    [REASON_NMI_WINDOW] = {EXIT_INTERRUPT_WINDOW, false, false, nmi_window},
    [REASON_TASK_SWITCH] = {EXIT_TASK_SWITCH, true, false, task_switch},
    [REASON_CPUID] = {EXIT_CPUID, true, false, NULL},
    [REASON_GETSEC] = {EXIT_VIRTUALISATION, true, false, NULL},
    [REASON_HLT] = {EXIT_HLT, true, false, NULL},
    [REASON_INVD] = {EXIT_INVD, true, false, NULL},
    [REASON_INVLPG] = {EXIT_INVLPG, true, false, invlpg_address},
    [REASON_RDPMC] = {EXIT_RDPMC, true, false, NULL},
    [REASON_RDTSC] = {EXIT_RDTSC, true, false, NULL},
    [REASON_VMCALL] = {EXIT_HYPERCALL, true, false, NULL},
    [REASON_VMCLEAR] = {EXIT_VIRTUALISATION, true, false, NULL},
    [REASON_VMLAUNCH] = {EXIT_VIRTUALISATION, true, false, NULL},
    [REASON_VMPTRLD] = {EXIT_VIRTUALISATION, true, false, NULL},
    [REASON_VMPTRST] = {EXIT_VIRTUALISATION, true, false, NULL},
    [REASON_VMREAD] = {EXIT_VIRTUALISATION, true, false, NULL},
    [REASON_VMRESUME] = {EXIT_VIRTUALISATION, true, false, NULL},
    [REASON_VMWRITE] = {EXIT_VIRTUALISATION, true, false, NULL},
    [REASON_VMXOFF] = {EXIT_VIRTUALISATION, true, false, NULL},
    [REASON_VMXON] = {EXIT_VIRTUALISATION, true, false, NULL},
    [REASON_CR] = {EXIT_CR_WRITE, true, false, control_register},
    [REASON_DR] = {EXIT_NOTHING, false, false, debug_register},
    [REASON_PORT] = {EXIT_PORT, true, false, port},
    [REASON_RDMSR] = {EXIT_MSR, true, false, NULL},
    [REASON_WRMSR] = {EXIT_MSR, true, true, NULL},
    [REASON_MWAIT] = {EXIT_MONITOR, true, false, NULL},
    [REASON_MONITOR] = {EXIT_MONITOR, true, false, NULL},
    [REASON_PAUSE] = {EXIT_PAUSE, true, false, NULL},
    [REASON_EPT_VIOLATION] = {EXIT_NESTED_FAULT, false, false, ept_violation},
    [REASON_INVEPT] = {EXIT_VIRTUALISATION, true, false, NULL},
    [REASON_RDTSCP] = {EXIT_RDTSC, true, true, NULL},
    [REASON_INVVPID] = {EXIT_VIRTUALISATION, true, false, NULL},
    [REASON_WBINVD] = {EXIT_INVD, true, false, NULL},
    [REASON_XSETBV] = {EXIT_XSETBV, true, false, NULL},
    [REASON_VMFUNC] = {EXIT_VIRTUALISATION, true, false, NULL},
};

/* ---- entries that fail ---- */

static void crash(struct vcpu *v, const char *what, unsigned number, const char *broken)
{
    domain_log(LOG_WARNING, v->domain, "cr0 %#lx cr3 %#lx cr4 %#lx efer %#lx", vmread(VMCS_GUEST_CR0),
               vmread(VMCS_GUEST_CR3), vmread(VMCS_GUEST_CR4), vmread(VMCS_GUEST_EFER));
    domain_log(LOG_WARNING, v->domain, "rip %#lx rsp %#lx rflags %#lx interruptibility %#lx activity %#lx event %#lx",
               vmread(VMCS_GUEST_RIP), vmread(VMCS_GUEST_RSP), vmread(VMCS_GUEST_RFLAGS),
               vmread(VMCS_GUEST_INTERRUPTIBILITY), vmread(VMCS_GUEST_ACTIVITY), vmread(VMCS_ENTRY_EVENT));
    static const char *const name[] = {"es", "cs", "ss", "ds", "fs", "gs", "ldtr", "tr"};
    for (unsigned i = 0; i < ARRAY_SIZE(name); i++)
        domain_log(LOG_WARNING, v->domain, "%s %04lx base %#lx limit %#lx rights %#lx", name[i],
                   vmread(VMCS_GUEST_SELECTOR + 2 * i), vmread(VMCS_GUEST_BASE + 2 * i),
                   vmread(VMCS_GUEST_LIMIT + 2 * i), vmread(VMCS_GUEST_ATTRIBUTES + 2 * i));
    domain_log(LOG_WARNING, v->domain, "controls pin %#lx processor %#lx %#lx exit %#lx entry %#lx",
               vmread(VMCS_PIN_CONTROLS), vmread(VMCS_PROCESSOR_CONTROLS), vmread(VMCS_SECONDARY_CONTROLS),
               vmread(VMCS_EXIT_CONTROLS), vmread(VMCS_ENTRY_CONTROLS));
    domain_crash(v->domain, "VT-x did not enter vcpu %u: %s %u (%s)", v->id, what, number,
                 broken ? broken : "it breaks no rule that we know");
}

void vmx_entry_refused(void)
{
    unsigned error = (unsigned)vmread(VMCS_INSTRUCTION_ERROR);
    irq_enable();
    crash(current, "instruction error", error, vmx_broken_rule());
}

/* ---- in and out ---- */

/* Has anything happened to the guest's state but that an instruction was skipped? With TF set a shadow is of interest.
 */
static bool wants_check(const struct vmx_vcpu *x, const struct cpu_user_regs *regs)
{
    const uint64_t arithmetic = 0xcd5, longest = 15;
    return x->changed || regs->rip - x->exit_rip > longest || regs->rflags & X86_EFLAGS_TF ||
           (regs->rflags ^ x->exit_rflags) & ~(arithmetic | X86_EFLAGS_RF);
}

/* False: no processor could be in this state, and the guest has ended for it. */
static bool check_entry(struct vmx_vcpu *x)
{
    vmx_settle_pending_debug();
    const char *broken = vmx_broken_rule();
    x->changed = false;
    if (likely(!broken))
        return true;
    irq_enable();
    crash(current, "entry check", 0, broken);
    return false;
}

enum vmx_entry vmx_prepare_entry(void)
{
    struct vcpu *v = current;
    struct vmx_vcpu *x = vmx_of(v);
    const struct cpu_user_regs *regs = guest_regs();
    const uint64_t always_one = 2;
    vmwrite(VMCS_GUEST_RIP, regs->rip);
    vmwrite(VMCS_GUEST_RSP, regs->rsp);
    vmwrite(VMCS_GUEST_RFLAGS, regs->rflags | always_one);
    if (unlikely(wants_check(x, regs)) && !check_entry(x))
        return VMX_NO_ENTRY;
    if (read_cr2() != v->hvm->cr2)
        write_cr2(v->hvm->cr2);
    vmx_flush_before_entry(v);
    return x->launched ? VMX_RESUME : VMX_LAUNCH;
}

static void save_registers(struct vcpu *v)
{
    struct cpu_user_regs *regs = guest_regs();
    struct vmx_vcpu *x = vmx_of(v);
    regs->rip = x->exit_rip = vmread(VMCS_GUEST_RIP);
    regs->rsp = vmread(VMCS_GUEST_RSP);
    regs->rflags = x->exit_rflags = vmread(VMCS_GUEST_RFLAGS);
    v->hvm->cr2 = read_cr2();
}

/* What was being delivered. An event of the guest's own INT, INT3, INTO or INT1 happens again when the instruction runs
 * again; only a task switch must know of it. */
static void decode_interrupted(struct vcpu *v, struct hvm_exit *e)
{
    uint32_t field = (uint32_t)vmread(VMCS_VECTORING_EVENT);
    if (likely(!(field & EVENT_VALID)))
        return;
    e->interrupted =
        vmx_decode_event(v, field, (uint32_t)vmread(VMCS_VECTORING_ERROR_CODE), (uint8_t)vmread(VMCS_EXIT_LENGTH));
    if (vmx_event_is_software(field) && e->code != REASON_TASK_SWITCH)
        e->interrupted.valid = false;
}

static const struct translation *translation_of(uint64_t reason)
{
    static const struct translation unknown = {EXIT_UNKNOWN, false, false, NULL};
    if (reason >= REASON_COUNT)
        return &unknown;
    const struct translation *t = &translations[reason];
    return t->reason || t->fill || reason == REASON_INTERRUPT ? t : &unknown;
}

/* The guest is as it was, its event is still to be delivered. A machine check is no fault of the guest's: if the host's
 * handler lets things go on, it tries again. */
static void entry_failed(struct vcpu *v, unsigned reason)
{
    if (reason == REASON_MACHINE_CHECK)
        host_machine_check();
    irq_enable();
    if (reason != REASON_MACHINE_CHECK)
        crash(v, "entry failure", reason, vmx_broken_rule());
}

/* An interrupt is not acknowledged by its exit: switching interrupts on takes it. */
void vmx_exit(void)
{
    struct vcpu *v = current;
    struct hvm_exit e = {.code = vmread(VMCS_EXIT_REASON)};
    save_registers(v);
    if (unlikely(e.code & REASON_ENTRY_FAILURE)) {
        entry_failed(v, e.code & REASON_NUMBER);
        return;
    }
    e.code &= REASON_NUMBER;
    vmx_of(v)->launched = true;
    decode_interrupted(v, &e);
    if (e.code == REASON_INTERRUPT && likely(!e.interrupted.valid)) {
        irq_enable();
        return;
    }
    const struct translation *t = translation_of(e.code);
    e.reason = t->reason;
    e.write = t->write;
    if (t->has_length)
        e.length = (uint8_t)vmread(VMCS_EXIT_LENGTH);
    vmx_sync(v);
    if (t->fill)
        t->fill(v, &e);
    irq_enable();
    hvm_handle_exit(v, guest_regs(), &e);
}
