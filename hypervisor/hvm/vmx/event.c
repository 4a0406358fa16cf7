/*
 * Events on their way into a guest and those an exit cut short.
 * Source: Intel SDM volume 3, 24.4.2 (interruptibility), 24.8.3 (entry event), 24.9.2-3 (exit and vectoring
 * event), 26.3.1.5.
 */
#include "vmcs.h"

#include <hv/cpu.h>
#include <hv/traps.h>

#define SHADOW ((uint64_t)(INTERRUPTIBILITY_STI | INTERRUPTIBILITY_MOV_SS))

static bool is_software(unsigned type)
{
    return type == HVM_EVENT_SOFTWARE || type == EVENT_TYPE_INT1 || type == EVENT_TYPE_INT3;
}

bool vmx_event_is_software(uint32_t field)
{
    return is_software(field >> EVENT_TYPE_SHIFT & EVENT_TYPE);
}

/* INT3, INTO and INT1 are exceptions with a length to the neutral code, types of their own to the processor. */
static unsigned event_type(const struct hvm_event *event)
{
    if (event->kind != HVM_EVENT_EXCEPTION || !event->length)
        return event->kind;
    if (event->vector == TRAP_int3 || event->vector == TRAP_overflow)
        return EVENT_TYPE_INT3;
    return event->vector == TRAP_debug ? EVENT_TYPE_INT1 : HVM_EVENT_EXCEPTION;
}

/*
 * Real mode has no error codes. The delivery of an NMI blocks the next even when it is cut short; to be entered with
 * again it must find none blocked. The delivery of whatever ends an interrupt shadow, and a shadow that stayed would
 * want a pending single step with TF, which the exit by a #DB has taken away (26.3.1.5).
 */
void vmx_inject(struct vcpu *v, const struct hvm_event *event)
{
    unsigned type = event_type(event);
    uint32_t field = EVENT_VALID | type << EVENT_TYPE_SHIFT | event->vector;
    struct vcpu *previous = vmcs_begin(v);
    if (event->has_error_code && v->hvm->cr0 & X86_CR0_PE) {
        field |= EVENT_HAS_ERROR;
        vmwrite(VMCS_ENTRY_ERROR_CODE, event->error_code);
    }
    if (is_software(type))
        vmwrite(VMCS_ENTRY_LENGTH, event->length);
    if (event->kind == HVM_EVENT_EXCEPTION && event->vector == TRAP_page_fault)
        v->hvm->cr2 = event->cr2;
    if (event->kind != HVM_EVENT_EXTERNAL) {
        uint64_t ended = SHADOW | (event->kind == HVM_EVENT_NMI ? INTERRUPTIBILITY_NMI : 0);
        vmwrite(VMCS_GUEST_INTERRUPTIBILITY, vmread(VMCS_GUEST_INTERRUPTIBILITY) & ~ended);
        vmx_of(v)->changed = true;
    }
    vmwrite(VMCS_ENTRY_EVENT, field);
    vmcs_end(v, previous);
}

struct hvm_event vmx_decode_event(const struct vcpu *v, uint32_t field, uint32_t error_code, uint8_t length)
{
    unsigned type = field >> EVENT_TYPE_SHIFT & EVENT_TYPE;
    struct hvm_event event = {
        .valid = true,
        .vector = (uint8_t)(field & EVENT_VECTOR),
        .kind = type == EVENT_TYPE_INT1 || type == EVENT_TYPE_INT3 ? HVM_EVENT_EXCEPTION : (uint8_t)type,
        .has_error_code = field & EVENT_HAS_ERROR,
        .length = is_software(type) ? length : 0,
    };
    if (event.has_error_code)
        event.error_code = error_code;
    if (event.kind == HVM_EVENT_EXCEPTION && event.vector == TRAP_page_fault)
        event.cr2 = v->hvm->cr2;
    return event;
}

/* Some processors refuse an NMI while STI blocks interrupts. */
bool vmx_can_interrupt(struct vcpu *v, bool nmi)
{
    const struct cpu_user_regs *regs = v == current ? guest_regs() : &v->regs;
    if (!nmi && !(regs->rflags & X86_EFLAGS_IF))
        return false;
    struct vcpu *previous = vmcs_begin(v);
    uint64_t blocked = vmread(VMCS_GUEST_INTERRUPTIBILITY);
    vmcs_end(v, previous);
    return !(blocked & (SHADOW | (nmi ? INTERRUPTIBILITY_NMI : 0)));
}

static void write_processor_controls(struct vcpu *v, uint32_t controls)
{
    struct vmx_vcpu *x = vmx_of(v);
    if (x->processor_controls == controls)
        return;
    x->processor_controls = controls;
    struct vcpu *previous = vmcs_begin(v);
    vmwrite(VMCS_PROCESSOR_CONTROLS, controls);
    vmcs_end(v, previous);
}

void vmx_want_window(struct vcpu *v, bool nmi)
{
    write_processor_controls(v, vmx_of(v)->processor_controls | (nmi ? CPU_NMI_WINDOW : CPU_INTERRUPT_WINDOW));
}

void vmx_close_window(struct vcpu *v, uint32_t control)
{
    write_processor_controls(v, vmx_of(v)->processor_controls & ~control);
}

uint32_t vmx_get_shadow(struct vcpu *v)
{
    struct vcpu *previous = vmcs_begin(v);
    uint64_t blocked = vmread(VMCS_GUEST_INTERRUPTIBILITY);
    vmcs_end(v, previous);
    return (uint32_t)(blocked & SHADOW);
}

/* Both shadows at once cannot be. */
void vmx_set_shadow(struct vcpu *v, uint32_t shadow)
{
    const struct cpu_user_regs *regs = v == current ? guest_regs() : &v->regs;
    uint32_t wanted = shadow & INTERRUPTIBILITY_MOV_SS ? INTERRUPTIBILITY_MOV_SS : shadow & INTERRUPTIBILITY_STI;
    if (!(regs->rflags & X86_EFLAGS_IF))
        wanted &= ~INTERRUPTIBILITY_STI;
    struct vcpu *previous = vmcs_begin(v);
    uint64_t now = vmread(VMCS_GUEST_INTERRUPTIBILITY);
    uint64_t next = (now & ~SHADOW) | wanted;
    if (next != now)
        vmwrite(VMCS_GUEST_INTERRUPTIBILITY, next);
    vmcs_end(v, previous);
    if (next != now)
        vmx_of(v)->changed = true;
}

void vmx_settle_pending_debug(void)
{
    if (!(vmread(VMCS_GUEST_INTERRUPTIBILITY) & SHADOW))
        return;
    uint64_t pending = vmread(VMCS_GUEST_PENDING_DEBUG), steps = PENDING_DEBUG_STEP;
    bool traps = vmread(VMCS_GUEST_RFLAGS) & X86_EFLAGS_TF;
    vmwrite(VMCS_GUEST_PENDING_DEBUG, traps ? pending | steps : pending & ~steps);
}
