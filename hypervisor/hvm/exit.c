/*
 * What an exit means: one handler per reason. Each ends in the instruction's completion, an exception for the guest, a
 * wait for the device model, or the guest's end.
 */
#include <hv/console.h>
#include <hv/domain_log.h>
#include <hv/cpu.h>
#include <hv/hvm_exit.h>
#include <hv/hvm_io.h>
#include <hv/hvm_irq.h>
#include <hv/instruction.h>
#include <hv/p2m.h>
#include <hv/sched.h>
#include <hv/traps.h>
#include <hv/vdev.h>
#include <xen/sched.h>

typedef void (*exit_handler)(struct vcpu *v, struct cpu_user_regs *regs, const struct hvm_exit *exit);

/* ---- common steps ---- */

/* Moves rip past the instruction that exited, clears the interrupt shadow, raises #DB for single step. */
static void skip_instruction(struct vcpu *v, struct cpu_user_regs *regs, const struct hvm_exit *exit)
{
    unsigned length = exit->length ? exit->length : hvm_instruction_length(v, regs);
    if (unlikely(!length)) {
        domain_crash(v->domain, "exit %#lx: the instruction at %#lx cannot be read", exit->code, regs->rip);
        return;
    }
    regs->rip += length;
    if (unlikely(regs->rip >> 32) && hvm_code_bytes(v) != 8)
        regs->rip = (uint32_t)regs->rip;
    hvm_vendor->set_shadow(v, 0);
    if (unlikely(regs->rflags & (X86_EFLAGS_TF | X86_EFLAGS_RF))) {
        regs->rflags &= ~X86_EFLAGS_RF;
        if (regs->rflags & X86_EFLAGS_TF)
            hvm_single_step(v);
    }
}

static void complete_or_fault(struct vcpu *v, struct cpu_user_regs *regs, const struct hvm_exit *exit, bool ok)
{
    if (ok)
        skip_instruction(v, regs, exit);
    else
        hvm_inject_exception(v, TRAP_gp_fault, 0);
}

/* The device model has to answer first. */
static void wait_and_redo(struct vcpu *v, const struct hvm_exit *exit)
{
    struct hvm_vcpu *h = v->hvm;
    *h->redo = *exit;
    h->redo->interrupted.valid = false; /* is in `pending` already */
    h->redo_valid = true;
    raise_softirq(SOFTIRQ_SCHEDULE);
}

static void emulate(struct vcpu *v, struct cpu_user_regs *regs, const struct hvm_exit *exit, const uint8_t *bytes,
                    unsigned count)
{
    switch (hvm_emulate_one(v, regs, bytes, count)) {
    case EMULATE_OK:
    case EMULATE_EXCEPTION: /* has been handed to inject.c */
        return;
    case EMULATE_RETRY:
        wait_and_redo(v, exit);
        return;
    default: {
        uint8_t at_rip[15];
        unsigned n = hvm_fetch(v, regs, at_rip);
        domain_crash(v->domain, "exit %#lx: no emulation of %u bytes %02x %02x %02x %02x %02x %02x at %#lx for %#lx",
                     exit->code, n, at_rip[0], at_rip[1], at_rip[2], at_rip[3], at_rip[4], at_rip[5], regs->rip,
                     exit->fault.gpa);
    }
    }
}

/* 32-bit results clear the upper halves, in every mode. */
static void set_pair(struct cpu_user_regs *regs, uint64_t value)
{
    regs->rax = (uint32_t)value;
    regs->rdx = value >> 32;
}

static uint64_t get_pair(const struct cpu_user_regs *regs)
{
    return (uint32_t)regs->rax | regs->rdx << 32;
}

/* ---- handlers ---- */

static void nothing(struct vcpu *v, struct cpu_user_regs *regs, const struct hvm_exit *exit)
{
}

static void exception(struct vcpu *v, struct cpu_user_regs *regs, const struct hvm_exit *exit)
{
    hvm_inject_event(v, &exit->event);
}

static void read_cpuid(struct vcpu *v, struct cpu_user_regs *regs, const struct hvm_exit *exit)
{
    struct cpuid out __uninitialized;
    hvm_cpuid(v, (uint32_t)regs->rax, (uint32_t)regs->rcx, &out);
    regs->rax = out.eax;
    regs->rbx = out.ebx;
    regs->rcx = out.ecx;
    regs->rdx = out.edx;
    skip_instruction(v, regs, exit);
}

/* Halted with interrupts off: only an INIT brings it back. (An NMI would, but nobody halts so to wait for one; kernels
 * take processors down this way.) When it is the last one, that was the guest's end. */
static void halt_for_good(struct vcpu *v)
{
    struct domain *d = v->domain;
    struct vcpu *other;
    bool last = true;
    spin_lock(&d->lock);
    bool down = vlapic_wait_for_startup(v);
    for_each_vcpu(d, other)
        last = last && other->offline;
    spin_unlock(&d->lock);
    if (!down)
        return; /* the INIT has come already */
    if (last) {
        domain_log(LOG_INFO, d, "every vcpu has halted with interrupts off; the guest is over");
        domain_shutdown(d, SHUTDOWN_poweroff);
    }
    vcpu_sleep(v);
}

static void halt(struct vcpu *v, struct cpu_user_regs *regs, const struct hvm_exit *exit)
{
    skip_instruction(v, regs, exit);
    if (v->hvm->pending.valid)
        return;
    if (!(regs->rflags & X86_EFLAGS_IF) && !v->nmi_pending) {
        halt_for_good(v);
        return;
    }
    __atomic_store_n(&v->blocked, true, __ATOMIC_SEQ_CST);
    /* What came before the line above found nobody to wake; what comes later finds us blocked. */
    if (v->nmi_pending || v->hvm->postponed.valid || hvm_pending_interrupt(v, false) >= 0)
        __atomic_store_n(&v->blocked, false, __ATOMIC_SEQ_CST);
    else
        raise_softirq(SOFTIRQ_SCHEDULE);
}

static void invalidate_page(struct vcpu *v, struct cpu_user_regs *regs, const struct hvm_exit *exit)
{
    hvm_vendor->invlpg(v, exit->address);
    skip_instruction(v, regs, exit);
}

/* The guest has no device that could tell: its caches are as coherent as ours. */
static void skip(struct vcpu *v, struct cpu_user_regs *regs, const struct hvm_exit *exit)
{
    skip_instruction(v, regs, exit);
}

static void read_tsc(struct vcpu *v, struct cpu_user_regs *regs, const struct hvm_exit *exit)
{
    if (v->hvm->cr4 & X86_CR4_TSD && v->hvm->cr0 & X86_CR0_PE && hvm_vendor->cpl(v)) {
        hvm_inject_exception(v, TRAP_gp_fault, 0);
        return;
    }
    set_pair(regs, hvm_guest_tsc(v));
    if (exit->write)
        regs->rcx = (uint32_t)v->hvm->tsc_aux;
    skip_instruction(v, regs, exit);
}

static void general_protection(struct vcpu *v, struct cpu_user_regs *regs, const struct hvm_exit *exit)
{
    hvm_inject_exception(v, TRAP_gp_fault, 0);
}

static void invalid_opcode(struct vcpu *v, struct cpu_user_regs *regs, const struct hvm_exit *exit)
{
    hvm_inject_exception(v, TRAP_invalid_op, HVM_NO_ERROR_CODE);
}

/* A call that is not finished leaves rip where it is and its progress in the registers. */
static void hypercall(struct vcpu *v, struct cpu_user_regs *regs, const struct hvm_exit *exit)
{
    uint64_t rip = regs->rip;
    unsigned length = exit->length ? exit->length : hvm_instruction_length(v, regs);
    struct hvm_exit with_length __uninitialized;
    with_length.code = exit->code;
    with_length.length = (uint8_t)length;
    if (hvm_hypercall(v, regs) && regs->rip == rip)
        skip_instruction(v, regs, &with_length);
}

static uint64_t register_value(struct vcpu *v, struct cpu_user_regs *regs, unsigned number)
{
    uint64_t value = *general_register(regs, number);
    return hvm_code_bytes(v) == 8 ? value : (uint32_t)value;
}

static void set_register(struct vcpu *v, struct cpu_user_regs *regs, unsigned number, uint64_t value)
{
    *general_register(regs, number) = hvm_code_bytes(v) == 8 ? value : (uint32_t)value;
}

static void read_control_register(struct vcpu *v, struct cpu_user_regs *regs, const struct hvm_exit *exit)
{
    const struct hvm_vcpu *h = v->hvm;
    const uint64_t values[] = {h->cr0, 0, h->cr2, h->cr3, h->cr4};
    uint64_t value = exit->cr == 8 ? (h->lapic ? vlapic_get_tpr(v) >> 4 : 0) : exit->cr <= 4 ? values[exit->cr] : 0;
    set_register(v, regs, exit->reg, value);
    skip_instruction(v, regs, exit);
}

static void write_control_register(struct vcpu *v, struct cpu_user_regs *regs, const struct hvm_exit *exit)
{
    uint64_t value = exit->reg == 0xff ? exit->value : register_value(v, regs, exit->reg);
    bool ok = false;
    /* Before the register changes: what mode the code is in, and where it is, may hang on it. */
    struct hvm_exit with_length __uninitialized;
    with_length.code = exit->code;
    with_length.length = exit->length ? exit->length : (uint8_t)hvm_instruction_length(v, regs);
    switch (exit->cr) {
    case 0:
        ok = hvm_set_cr0(v, value);
        break;
    case 3:
        ok = hvm_set_cr3(v, value);
        break;
    case 4:
        ok = hvm_set_cr4(v, value);
        break;
    case 8:
        ok = hvm_set_cr8(v, value);
        break;
    }
    complete_or_fault(v, regs, &with_length, ok);
}

static void debug_register(struct vcpu *v, struct cpu_user_regs *regs, const struct hvm_exit *exit)
{
    uint64_t value = 0;
    if ((exit->cr == 4 || exit->cr == 5) && v->hvm->cr4 & X86_CR4_DE) {
        hvm_inject_exception(v, TRAP_invalid_op, HVM_NO_ERROR_CODE);
        return;
    }
    bool ok =
        exit->write ? hvm_write_dr(v, exit->cr, register_value(v, regs, exit->reg)) : hvm_read_dr(v, exit->cr, &value);
    if (ok && !exit->write)
        set_register(v, regs, exit->reg, value);
    complete_or_fault(v, regs, exit, ok);
}

/* Parts of rax: 1 and 2 bytes leave the rest alone, 4 bytes clear the upper half. */
static void set_accumulator(struct cpu_user_regs *regs, unsigned bytes, uint32_t value)
{
    if (bytes == 1)
        regs->rax = (regs->rax & ~0xffUL) | (uint8_t)value;
    else if (bytes == 2)
        regs->rax = (regs->rax & ~0xffffUL) | (uint16_t)value;
    else
        regs->rax = value;
}

static void port(struct vcpu *v, struct cpu_user_regs *regs, const struct hvm_exit *exit)
{
    unsigned bytes = exit->port.bytes;
    enum io_result result;
    uint32_t value = 0;
    if (exit->port.string) {
        emulate(v, regs, exit, NULL, 0);
        return;
    }
    if (exit->port.in)
        result = hvm_port_read(v, exit->port.port, bytes, &value);
    else
        result = hvm_port_write(v, exit->port.port, bytes, (uint32_t)regs->rax);
    if (result == IO_RETRY) {
        wait_and_redo(v, exit);
        return;
    }
    if (exit->port.in)
        set_accumulator(regs, bytes, value);
    hvm_io_instruction_done(v);
    skip_instruction(v, regs, exit);
}

static void model_specific_register(struct vcpu *v, struct cpu_user_regs *regs, const struct hvm_exit *exit)
{
    uint32_t msr = (uint32_t)regs->rcx;
    uint64_t value = 0;
    if (exit->write) {
        complete_or_fault(v, regs, exit, hvm_wrmsr(v, msr, get_pair(regs)));
        return;
    }
    bool ok = hvm_rdmsr(v, msr, &value);
    if (ok)
        set_pair(regs, value);
    complete_or_fault(v, regs, exit, ok);
}

/* What each kind of memory may be used for; what the p2m's entries allow (p2m_table.c). */
#define MAY_READ    1
#define MAY_WRITE   2
#define MAY_EXECUTE 4
static const uint8_t memory_rights[P2M_TYPE_COUNT] = {
    [P2M_RAM] = MAY_READ | MAY_WRITE | MAY_EXECUTE,
    [P2M_RAM_READONLY] = MAY_READ | MAY_EXECUTE,
    [P2M_RAM_LOG_DIRTY] = MAY_READ | MAY_EXECUTE,
    [P2M_IOREQ_SERVER] = MAY_READ | MAY_EXECUTE,
    [P2M_FOREIGN] = MAY_READ | MAY_WRITE,
    [P2M_GRANT_WRITABLE] = MAY_READ | MAY_WRITE,
    [P2M_GRANT_READONLY] = MAY_READ,
    [P2M_SHARED] = MAY_READ | MAY_WRITE,
};

static bool is_fetch(const struct hvm_exit *exit)
{
    return exit->fault.fetch && !exit->fault.in_walk;
}

static uint8_t rights_at(struct vcpu *v, gfn_t gfn)
{
    enum p2m_type type;
    mfn_t mfn = p2m_lookup(v->domain, gfn, &type, NULL);
    return mfn == INVALID_MFN ? 0 : memory_rights[type];
}

/* Has somebody else made the access possible meanwhile, or was it only a stale translation? */
static bool may_try_again(const struct hvm_exit *exit, uint8_t rights)
{
    return rights & (exit->fault.write ? MAY_WRITE : is_fetch(exit) ? MAY_EXECUTE : MAY_READ);
}

/* Accesses of the processor's own - to page tables, to instructions, to descriptors and stack for an event - where
 * there is no memory: no operating system has them there, and no instruction at rip explains them. */
static const char *own_access(const struct hvm_exit *exit)
{
    return exit->fault.fetch ? "instructions" : exit->fault.in_walk ? "page tables" : "an event's frame";
}

static void nested_fault(struct vcpu *v, struct cpu_user_regs *regs, const struct hvm_exit *exit)
{
    gfn_t gfn = exit->fault.gpa >> PAGE_SHIFT;
    if (exit->fault.write && p2m_fix_write_fault(v->domain, gfn))
        return;
    uint8_t rights = rights_at(v, gfn);
    if (may_try_again(exit, rights))
        return;
    /* Memory that holds no code for anybody: a program of the guest that jumps there must not end the guest. */
    if (is_fetch(exit) && rights) {
        hvm_inject_exception(v, TRAP_gp_fault, 0);
        return;
    }
    if (exit->fault.in_walk || exit->fault.fetch || exit->interrupted.valid) {
        domain_crash(v->domain, "%s at %#lx, where there is no memory, rip %#lx", own_access(exit), exit->fault.gpa,
                     regs->rip);
        return;
    }
    emulate(v, regs, exit, exit->fault.bytes, exit->fault.byte_count);
}

static void task_switch(struct vcpu *v, struct cpu_user_regs *regs, const struct hvm_exit *exit)
{
    hvm_task_switch(v, exit);
}

static void set_extended_control(struct vcpu *v, struct cpu_user_regs *regs, const struct hvm_exit *exit)
{
    complete_or_fault(v, regs, exit, !hvm_vendor->cpl(v) && hvm_set_xcr0(v, (uint32_t)regs->rcx, get_pair(regs)));
}

static void pause(struct vcpu *v, struct cpu_user_regs *regs, const struct hvm_exit *exit)
{
    skip_instruction(v, regs, exit);
    vcpu_yield();
}

static void shutdown(struct vcpu *v, struct cpu_user_regs *regs, const struct hvm_exit *exit)
{
    domain_log(LOG_INFO, v->domain, "triple fault; the guest restarts");
    domain_shutdown(v->domain, SHUTDOWN_reboot);
}

static void machine_check(struct vcpu *v, struct cpu_user_regs *regs, const struct hvm_exit *exit)
{
    panic_regs(regs, "machine check on CPU %u: the hardware reported an uncorrectable error", smp_processor_id());
}

static void unknown(struct vcpu *v, struct cpu_user_regs *regs, const struct hvm_exit *exit)
{
    domain_crash(v->domain, "exit %#lx is none we know, rip %#lx", exit->code, regs->rip);
}

static const exit_handler handlers[EXIT_COUNT] = {
    [EXIT_NOTHING] = nothing,
    [EXIT_EXCEPTION] = exception,
    [EXIT_INTERRUPT_WINDOW] = nothing,
    [EXIT_CPUID] = read_cpuid,
    [EXIT_HLT] = halt,
    [EXIT_INVLPG] = invalidate_page,
    [EXIT_INVD] = skip,
    [EXIT_RDTSC] = read_tsc,
    [EXIT_RDPMC] = general_protection,
    [EXIT_HYPERCALL] = hypercall,
    [EXIT_VIRTUALISATION] = invalid_opcode,
    [EXIT_CR_READ] = read_control_register,
    [EXIT_CR_WRITE] = write_control_register,
    [EXIT_DR] = debug_register,
    [EXIT_PORT] = port,
    [EXIT_MSR] = model_specific_register,
    [EXIT_NESTED_FAULT] = nested_fault,
    [EXIT_TASK_SWITCH] = task_switch,
    [EXIT_XSETBV] = set_extended_control,
    [EXIT_MONITOR] = invalid_opcode,
    [EXIT_PAUSE] = pause,
    [EXIT_SHUTDOWN] = shutdown,
    [EXIT_NMI] = nothing,
    [EXIT_MACHINE_CHECK] = machine_check,
    [EXIT_UNKNOWN] = unknown,
};

void hvm_handle_exit(struct vcpu *v, struct cpu_user_regs *regs, const struct hvm_exit *exit)
{
    if (unlikely(exit->interrupted.valid) && exit->reason != EXIT_TASK_SWITCH)
        v->hvm->pending = exit->interrupted;
    handlers[exit->reason](v, regs, exit);
}
