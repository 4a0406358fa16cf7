/*
 * Why an SVM guest left: the control block's exit code into the neutral record. Source: AMD APM volume 2, 15.9 to
 * 15.13 and appendix C.
 */
#include <hv/domain_log.h>
#include <hv/cpu.h>
#include <hv/instruction.h>
#include <hv/svm.h>
#include <hv/traps.h>

typedef void (*decoder)(struct vcpu *v, const struct vmcb *b, struct hvm_exit *exit);

/* Without NRIP save the length stays 0 and is found from the instruction's bytes. */
static uint8_t instruction_bytes(const struct vmcb *b)
{
    if (!(svm_features & SVM_NRIP_SAVE) || !b->next_rip)
        return 0;
    uint64_t length = b->next_rip - b->rip;
    return length <= 15 ? (uint8_t)length : 0;
}

static void decode_exception(struct vcpu *v, const struct vmcb *b, struct hvm_exit *exit)
{
    uint8_t vector = (uint8_t)(b->exit_code - SVM_EXIT_EXCEPTION);
    exit->event = (struct hvm_event){
        .valid = true,
        .vector = vector,
        .kind = HVM_EVENT_EXCEPTION,
        .has_error_code = trap_has_error_code(vector),
        .error_code = (uint32_t)b->exit_info_1,
        .cr2 = b->exit_info_2,
    };
    if (vector == TRAP_machine_check)
        exit->reason = EXIT_MACHINE_CHECK;
}

static void decode_cr_write(struct vcpu *v, const struct vmcb *b, struct hvm_exit *exit)
{
    struct code_cursor code = {.at = 0};
    struct instruction i;
    exit->cr = (uint8_t)(b->exit_code - SVM_EXIT_CR_WRITE);
    if (svm_features & SVM_DECODE_ASSISTS && b->exit_info_1 >> 63) {
        exit->reg = b->exit_info_1 & 15;
        return;
    }
    code.have = hvm_fetch(v, guest_regs(), code.byte);
    bool known = parse_instruction(&code, hvm_code_bytes(v), &i) == PARSE_OK;
    if (!known || i.vex || i.map != MAP_0F || i.opcode != 0x22) { /* mov to a control register */
        exit->reason = EXIT_UNKNOWN;
        return;
    }
    exit->reg = i.rm;
    exit->length = i.length;
}

static void decode_port(struct vcpu *v, const struct vmcb *b, struct hvm_exit *exit)
{
    uint64_t info = b->exit_info_1;
    exit->port.port = (uint16_t)(info >> 16);
    exit->port.bytes = info >> 4 & 7;
    exit->port.in = info & 1;
    exit->port.string = info & 4;
    exit->length = (uint8_t)(b->exit_info_2 - b->rip);
}

static void decode_msr(struct vcpu *v, const struct vmcb *b, struct hvm_exit *exit)
{
    exit->write = b->exit_info_1;
}

static void decode_nested_fault(struct vcpu *v, const struct vmcb *b, struct hvm_exit *exit)
{
    uint64_t info = b->exit_info_1;
    exit->fault.gpa = b->exit_info_2;
    exit->fault.present = info & PF_PRESENT;
    exit->fault.write = info & PF_WRITE;
    exit->fault.fetch = info & PF_FETCH;
    exit->fault.read = !(info & (PF_WRITE | PF_FETCH));
    exit->fault.in_walk = info & NPF_IN_WALK;
    exit->fault.byte_count = 0;
    if (svm_features & SVM_DECODE_ASSISTS && b->fetched_count <= sizeof(exit->fault.bytes)) {
        exit->fault.byte_count = b->fetched_count;
        memcpy(exit->fault.bytes, b->fetched, sizeof(exit->fault.bytes));
    }
}

static void decode_task(struct vcpu *v, const struct vmcb *b, struct hvm_exit *exit)
{
    uint64_t info = b->exit_info_2;
    bool iret = info >> 36 & 1, jump = info >> 38 & 1;
    exit->task.selector = (uint16_t)b->exit_info_1;
    exit->task.reason = iret ? 1 : jump ? 2 : b->exit_interrupt_info & SVM_EVENT_VALID ? 3 : 0;
    exit->task.has_error_code = info >> 44 & 1;
    exit->task.error_code = (uint32_t)info;
}

/* First use of the debug registers since the guest came onto this CPU: they are its own now, and it tries again. */
static void decode_dr(struct vcpu *v, const struct vmcb *b, struct hvm_exit *exit)
{
    svm_load_debug_registers(v);
}

static void decode_window(struct vcpu *v, const struct vmcb *b, struct hvm_exit *exit)
{
    struct vmcb *block = vmcb_of(v);
    block->virtual_interrupt &= ~(V_IRQ | V_INTR_PRIORITY | V_IGNORE_TPR);
    block->intercept_1 &= ~SVM_VINTR;
    block->clean &= ~(CLEAN_TPR | CLEAN_INTERCEPTS);
}

/* The NMI handler's IRET is about to run; another NMI may come after it. */
static void decode_iret(struct vcpu *v, const struct vmcb *b, struct hvm_exit *exit)
{
    struct svm_vcpu *s = svm_of(v);
    s->nmi_blocked = false;
    s->nmi_iret_rip = b->rip;
    s->vmcb->intercept_1 &= ~SVM_IRET;
    s->vmcb->clean &= ~CLEAN_INTERCEPTS;
}

static void decode_rdtscp(struct vcpu *v, const struct vmcb *b, struct hvm_exit *exit)
{
    exit->write = true;
}

static const struct {
    uint8_t reason;   /* enum hvm_exit_reason; 0 = EXIT_NOTHING */
    bool known, sync; /* sync: control registers are looked at */
    decoder decode;
} exits[0xa5] = {
    [SVM_EXIT_CR_WRITE + 4] = {EXIT_CR_WRITE, true, true, decode_cr_write},
    [SVM_EXIT_CR_WRITE + 8] = {EXIT_CR_WRITE, true, true, decode_cr_write},
    [SVM_EXIT_DR_READ... SVM_EXIT_DR_WRITE + 15] = {EXIT_NOTHING, true, true, decode_dr},
    [SVM_EXIT_EXCEPTION... SVM_EXIT_EXCEPTION + 31] = {EXIT_EXCEPTION, true, true, decode_exception},
    [SVM_EXIT_INTR] = {EXIT_NOTHING, true, false, NULL},
    [0x061] = {EXIT_NMI, true, false, NULL},
    [0x063] = {EXIT_NOTHING, true, false, NULL}, /* INIT: meant for the machine, which does not take it */
    [SVM_EXIT_VINTR] = {EXIT_INTERRUPT_WINDOW, true, false, decode_window},
    [0x06e] = {EXIT_RDTSC, true, true, NULL},
    [0x06f] = {EXIT_RDPMC, true, false, NULL},
    [0x072] = {EXIT_CPUID, true, false, NULL},
    [SVM_EXIT_IRET] = {EXIT_NOTHING, true, false, decode_iret},
    [0x076] = {EXIT_INVD, true, false, NULL},
    [0x077] = {EXIT_PAUSE, true, false, NULL},
    [0x078] = {EXIT_HLT, true, false, NULL},
    [0x07a] = {EXIT_VIRTUALISATION, true, false, NULL}, /* INVLPGA */
    [SVM_EXIT_IOIO] = {EXIT_PORT, true, true, decode_port},
    [SVM_EXIT_MSR] = {EXIT_MSR, true, true, decode_msr},
    [SVM_EXIT_TASK] = {EXIT_TASK_SWITCH, true, true, decode_task},
    [0x07e] = {EXIT_NOTHING, true, false, NULL}, /* FERR_FREEZE */
    [0x07f] = {EXIT_SHUTDOWN, true, false, NULL},
    [0x080] = {EXIT_VIRTUALISATION, true, false, NULL}, /* VMRUN */
    [0x081] = {EXIT_HYPERCALL, true, true, NULL},
    [0x082 ... 0x086] = {EXIT_VIRTUALISATION, true, false, NULL}, /* VMLOAD, VMSAVE, STGI, CLGI, SKINIT */
    [0x087] = {EXIT_RDTSC, true, true, decode_rdtscp},
    [0x089] = {EXIT_INVD, true, false, NULL}, /* WBINVD */
    [0x08a] = {EXIT_MONITOR, true, false, NULL},
    [0x08b] = {EXIT_MONITOR, true, false, NULL},
    [0x08c] = {EXIT_MONITOR, true, false, NULL},
    [0x08d] = {EXIT_XSETBV, true, true, NULL},
    [0x08e] = {EXIT_VIRTUALISATION, true, false, NULL}, /* RDPRU */
    /* Not offered: INVLPGB, the same with arguments that it refuses, MCOMMIT, TLBSYNC. */
    [0x0a0] = {EXIT_VIRTUALISATION, true, false, NULL},
    [0x0a1] = {EXIT_VIRTUALISATION, true, false, NULL},
    [0x0a3] = {EXIT_VIRTUALISATION, true, false, NULL},
    [0x0a4] = {EXIT_VIRTUALISATION, true, false, NULL},
};

static void decode(struct vcpu *v, struct vmcb *b, struct hvm_exit *exit)
{
    uint64_t code = b->exit_code;
    exit->code = code;
    exit->length = instruction_bytes(b);
    exit->write = false;
    exit->interrupted.valid = false;
    if (unlikely(b->exit_interrupt_info & SVM_EVENT_VALID))
        svm_decode_interrupted(v, &exit->interrupted);
    if (code == SVM_EXIT_NPF) {
        exit->reason = EXIT_NESTED_FAULT;
        svm_sync(v);
        decode_nested_fault(v, b, exit);
        return;
    }
    if (code >= ARRAY_SIZE(exits) || !exits[code].known) {
        exit->reason = EXIT_UNKNOWN;
        return;
    }
    exit->reason = exits[code].reason;
    /* Who skips an instruction of known length looks at the mode; finding the length syncs by itself. */
    if (exits[code].sync || exit->length)
        svm_sync(v);
    if (exits[code].decode)
        exits[code].decode(v, b, exit);
}

/* By a context somebody loaded, or what the emulator made of it. */
void svm_refuse(struct vcpu *v, const char *broken)
{
    const struct vmcb *b = vmcb_of(v);
    svm_forget_asids(); /* the flush that this entry was to do may not have happened */
    domain_log(LOG_ERROR, v->domain, "cr0 %lx cr3 %lx cr4 %lx efer %lx rip %lx cs %x/%x ss %x/%x cpl %u event %lx",
               b->cr0, b->cr3, b->cr4, b->efer, b->rip, b->cs.selector, b->cs.attributes, b->ss.selector,
               b->ss.attributes, b->cpl, b->event_injection);
    domain_crash(v->domain, "VMRUN refuses the guest's state: %s", broken ? broken : "it breaks no rule that we know");
}

void svm_exit(struct cpu_user_regs *regs)
{
    struct vcpu *v = current;
    struct svm_vcpu *s = svm_of(v);
    struct vmcb *b = s->vmcb;
    struct hvm_exit exit __uninitialized;
    regs->rax = b->rax;
    regs->rip = b->rip;
    regs->rsp = b->rsp;
    regs->rflags = b->rflags;
    if (unlikely(s->skipped != 0))
        svm_undo_skip(v, regs);
    b->clean = CLEAN_EVERYTHING;
    b->tlb_control = TLB_NOTHING;
    if (unlikely(b->exit_code == SVM_EXIT_INVALID)) {
        svm_refuse(v, svm_broken_rule(b));
        return;
    }
    b->event_injection = 0;
    if (b->exit_code == SVM_EXIT_INTR && likely(!(b->exit_interrupt_info & SVM_EVENT_VALID)))
        return;
    if (unlikely(s->nmi_iret_rip != ~0UL) && b->exit_code != SVM_EXIT_IRET && regs->rip != s->nmi_iret_rip)
        s->nmi_iret_rip = ~0UL;
    decode(v, b, &exit);
    hvm_handle_exit(v, regs, &exit);
}
