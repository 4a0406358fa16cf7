/*
 * Events on their way into an SVM guest and those an exit cut short. Source: AMD APM volume 2, 15.20 and 15.7.2.
 */
#include <hv/svm.h>
#include <hv/traps.h>

/* int n, int3, into: what the processor itself delivers from the instruction at rip, and again when that runs again. */
static bool comes_of_instruction(const struct hvm_event *e)
{
    return e->kind == HVM_EVENT_SOFTWARE ||
           (e->kind == HVM_EVENT_EXCEPTION && (e->vector == TRAP_int3 || e->vector == TRAP_overflow));
}

/* The handler returns behind the instruction. Processors with NRIP save are told where that is; for others, and for
 * int1, which the next rip means nothing to, rip itself moves. */
static void skip_instruction(struct vcpu *v, const struct hvm_event *event)
{
    struct cpu_user_regs *regs = hvm_regs(v);
    uint64_t next = regs->rip + event->length;
    if (next >> 32 && hvm_code_bytes(v) != 8)
        next = (uint32_t)next;
    if (svm_features & SVM_NRIP_SAVE && comes_of_instruction(event)) {
        vmcb_of(v)->next_rip = next;
        return;
    }
    regs->rip = next;
    if (comes_of_instruction(event))
        svm_of(v)->skipped = event->length;
}

void svm_inject(struct vcpu *v, const struct hvm_event *event)
{
    struct vmcb *b = vmcb_of(v);
    uint64_t e = SVM_EVENT_VALID | event->vector | (uint64_t)event->kind << SVM_EVENT_KIND_SHIFT;
    if (event->has_error_code)
        e |= SVM_EVENT_ERROR_VALID | (uint64_t)event->error_code << SVM_EVENT_ERROR_SHIFT;
    b->event_injection = e;
    if (unlikely(event->length != 0))
        skip_instruction(v, event);
    if (event->kind == HVM_EVENT_EXCEPTION && event->vector == TRAP_page_fault) {
        v->hvm->cr2 = event->cr2;
        b->cr2 = event->cr2;
        b->clean &= ~CLEAN_CR2;
    }
    if (event->kind == HVM_EVENT_NMI) {
        svm_of(v)->nmi_blocked = true;
        b->intercept_1 |= SVM_IRET;
        b->clean &= ~CLEAN_INTERCEPTS;
    }
}

static void decode(const struct vmcb *b, struct hvm_event *event)
{
    uint64_t info = b->exit_interrupt_info;
    *event = (struct hvm_event){
        .valid = info & SVM_EVENT_VALID,
        .vector = (uint8_t)info,
        .kind = info >> SVM_EVENT_KIND_SHIFT & 7,
        .has_error_code = info & SVM_EVENT_ERROR_VALID,
        .error_code = (uint32_t)(info >> SVM_EVENT_ERROR_SHIFT),
        .cr2 = b->cr2,
    };
}

void svm_decode_interrupted(const struct vcpu *v, struct hvm_event *event)
{
    decode(vmcb_of(v), event);
    if (comes_of_instruction(event) && vmcb_of(v)->exit_code != SVM_EXIT_TASK)
        event->valid = false;
}

void svm_undo_skip(struct vcpu *v, struct cpu_user_regs *regs)
{
    struct hvm_event interrupted __uninitialized;
    decode(vmcb_of(v), &interrupted);
    if (interrupted.valid && comes_of_instruction(&interrupted))
        regs->rip -= svm_of(v)->skipped;
    svm_of(v)->skipped = 0;
}
