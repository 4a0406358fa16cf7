/*
 * Where a PV guest wants to be entered: trap table, callbacks, kernel stack; and the small registers it sets by
 * hypercall.
 */
#include <hv/cpu.h>
#include <hv/guest_copy.h>
#include <hv/operation.h>
#include <hv/pv_internal.h>
#include <xen/callback.h>

long do_set_trap_table(struct hypercall *call)
{
    struct vcpu *v = current;
    unsigned long at = call->arg[0];
    if (!at) {
        memset(v->pv.trap, 0, sizeof(v->pv.trap));
        return 0;
    }
    for (unsigned i = 0; i < 256; i++, at += sizeof(struct trap_info)) {
        struct trap_info trap;
        if (copy_from_guest_va(&trap, at, sizeof(trap)))
            return -EFAULT;
        if (!trap.address)
            break;
        if (!is_canonical(trap.address))
            return -EINVAL;
        v->pv.trap[trap.vector] = trap;
    }
    return 0;
}

/* NULL: there is none of this type. sysenter is one of 32-bit programs on Intel's processors: kernels that are refused
 * it let their programs use another gate. */
static struct pv_callback *callback_slot(struct pv_vcpu *pv, unsigned type)
{
    switch (type) {
    case CALLBACKTYPE_event:
        return &pv->event;
    case CALLBACKTYPE_failsafe:
        return &pv->failsafe;
    case CALLBACKTYPE_syscall:
        return &pv->syscall;
    case CALLBACKTYPE_syscall32:
        return &pv->syscall32;
    case CALLBACKTYPE_nmi:
        return &pv->nmi;
    default:
        return NULL;
    }
}

static long op_register(struct request *r)
{
    const struct callback_register *op = r->argument;
    struct pv_callback *slot = callback_slot(&current->pv, op->type);
    if (!is_canonical(op->address))
        return -EINVAL;
    if (op->type == CALLBACKTYPE_sysenter)
        return -EOPNOTSUPP;
    if (!slot)
        return -ENOSYS;
    *slot = (struct pv_callback){op->address, op->flags & CALLBACKF_mask_events};
    return 0;
}

static long op_unregister(struct request *r)
{
    const struct callback_unregister *op = r->argument;
    struct vcpu *v = current;
    if (op->type != CALLBACKTYPE_nmi)
        return callback_slot(&v->pv, op->type) || op->type == CALLBACKTYPE_sysenter ? -EINVAL : -ENOSYS;
    v->pv.nmi = (struct pv_callback){0};
    return 0;
}

static const struct operation operations[] = {
    [CALLBACKOP_register] = {op_register, sizeof(struct callback_register)},
    [CALLBACKOP_unregister] = {op_unregister, sizeof(struct callback_unregister)},
};

/* arg[0] CALLBACKOP_*, arg[1] address of the operation's structure. */
long do_callback_op(struct hypercall *call)
{
    struct request r = {.call = call, .address = call->arg[1]};
    return operation_serve(operations, ARRAY_SIZE(operations), call->arg[0], &r);
}

/* The first form of callback_op: event, failsafe, syscall entry points. */
long do_set_callbacks(struct hypercall *call)
{
    struct vcpu *v = current;
    for (unsigned i = 0; i < 3; i++)
        if (!is_canonical(call->arg[i]))
            return -EINVAL;
    v->pv.event = (struct pv_callback){call->arg[0], true};
    v->pv.failsafe = (struct pv_callback){call->arg[1], true};
    v->pv.syscall = (struct pv_callback){call->arg[2], false};
    return 0;
}

long do_stack_switch(struct hypercall *call)
{
    struct vcpu *v = current;
    v->pv.kernel_ss = (uint16_t)(call->arg[0] | 3);
    v->pv.kernel_sp = call->arg[1];
    return 0;
}

/* The guest's kernel runs now: GS_BASE is its own, KERNEL_GS_BASE its user mode's. */
long do_set_segment_base(struct hypercall *call)
{
    unsigned long base = call->arg[1];
    switch (call->arg[0]) {
    case SEGBASE_FS:
    case SEGBASE_GS_USER:
    case SEGBASE_GS_KERNEL:
        if (!is_canonical(base))
            return -EINVAL;
        wrmsr(call->arg[0] == SEGBASE_FS          ? MSR_FS_BASE
              : call->arg[0] == SEGBASE_GS_KERNEL ? MSR_GS_BASE
                                                  : MSR_KERNEL_GS_BASE,
              base);
        return 0;
    case SEGBASE_GS_USER_SEL:
        /* Load the selector as user mode would see it: swapgs, load (null if it faults), and back. */
        irq_disable();
        __asm__ volatile(
            "swapgs\n1: movl %k0, %%gs\n\tjmp 3f\n2: xorl %k0, %k0\n\tjmp 1b\n3: mfence\n\tswapgs\n\t" EXTABLE_ENTRY(
                "1b", "2b")
            : "+&r"(base));
        irq_enable();
        return 0;
    default:
        return -EINVAL;
    }
}

static bool debug_address_ok(unsigned long value)
{
    return is_canonical(value) && guest_range_ok(value, 8);
}

#define DR7_GENERAL_DETECT 0x2000UL
#define DR7_OF_GUESTS      0xffff03ffUL
#define DR7_ALWAYS         0x400UL

/* DR7 as a guest may set it: no general detect, which would come out at our own use of the registers, and no I/O
 * breakpoints, which could only hit our own ports: a guest's accesses fault first. The reference takes them with
 * CR4.DE, and none of them goes off. */
static bool debug_control_ok(unsigned long value)
{
    if (value & DR7_GENERAL_DETECT)
        return false;
    for (unsigned i = 0; i < 4; i++)
        if ((value >> (16 + i * 4) & 3) == 2)
            return false;
    return true;
}

bool pv_no_debug_register(const struct vcpu *v, unsigned index)
{
    return (index == 4 || index == 5) && v->pv.cr4 & X86_CR4_DE;
}

int pv_set_debug_register(struct vcpu *v, unsigned index, unsigned long value)
{
    if (pv_no_debug_register(v, index))
        return -ENODEV;
    if (index > 3 && value >> 32)
        return -EINVAL;
    switch (index) {
    case 0 ... 3:
        if (!debug_address_ok(value))
            return -EPERM;
        break;
    case 4:
    case 6:
        index = 6;
        value = (value & 0xe00f) | 0xffff0ff0;
        break;
    case 5:
    case 7:
        index = 7;
        if (!debug_control_ok(value))
            return -EPERM;
        value = (value & DR7_OF_GUESTS) | DR7_ALWAYS;
        break;
    default:
        return -EINVAL;
    }
    v->pv.dr[index] = value;
    if (v == current)
        pv_load_debug_registers(v);
    return 0;
}

void pv_load_debug_registers(const struct vcpu *v)
{
    if (!(v->pv.dr[7] & 0xff)) {
        write_dr7(0x400);
        return;
    }
    write_breakpoints(v->pv.dr);
    write_dr6(0xffff0ff0);
    write_dr7(v->pv.dr[7]);
}

long do_set_debugreg(struct hypercall *call)
{
    return pv_set_debug_register(current, (unsigned)call->arg[0], call->arg[1]);
}

enum hypercall_outcome do_get_debugreg(struct hypercall *call)
{
    unsigned index = (unsigned)call->arg[0];
    const struct vcpu *v = current;
    if (index > 7)
        call->result = (uint64_t)-EINVAL;
    else if (pv_no_debug_register(v, index))
        call->result = (uint64_t)-ENODEV;
    else
        call->result = v->pv.dr[index | (index & 4) >> 1];
    return HYPERCALL_DONE;
}
