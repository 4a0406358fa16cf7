/*
 * Instructions a PV kernel executes as if it were in ring 0: they fault there, and we do what the ABI says they mean.
 */
#include <hv/console.h>
#include <hv/cpu.h>
#include <hv/cpu_policy.h>
#include <hv/domain_tsc.h>
#include <hv/guest_copy.h>
#include <hv/pv.h>
#include <hv/pv_internal.h>
#include <hv/sched.h>
#include <hv/xstate.h>

/* AGAIN: not finished, the same instruction is entered once more. RAISED: the guest is where it takes exceptions. Said
 * apart from the registers: where those point is the guest's choice. */
enum result { DONE, AGAIN, RAISED, NOT_OURS };
typedef enum result (*emulate)(struct vcpu *v, struct cpu_user_regs *regs, const struct instruction *i);

/* The level-1 entry of an address, 0 where there is none. */
static pte_t entry_of(struct vcpu *v, uint64_t address)
{
    struct walk found = {.entry = 0};
    spin_lock(&v->domain->pt_lock);
    bool there = pv_walk(v, address, &found);
    spin_unlock(&v->domain->pt_lock);
    return there ? found.entry : 0;
}

static bool entry_allows(pte_t entry, uint32_t access)
{
    return entry & PTE_PRESENT && (!(access & PF_WRITE) || entry & PTE_WRITE);
}

/* What the processor would raise for an access of the instruction that could not be made: for where it begins or, if
 * that is not it, for its second page. */
static enum result memory_fault(struct vcpu *v, struct cpu_user_regs *regs, uint64_t at, unsigned bytes,
                                uint32_t access)
{
    uint64_t second = ROUND_DOWN(at + bytes - 1, PAGE_SIZE);
    if (!is_canonical(at))
        return NOT_OURS;
    pte_t entry = entry_of(v, at);
    if (second > at && entry_allows(entry, access)) {
        at = second;
        entry = entry_of(v, at);
    }
    pv_inject_page_fault(regs, at, access | PF_USER | (entry & PTE_PRESENT ? PF_PRESENT : 0));
    return RAISED;
}

static bool port_access_ok(const struct vcpu *v, unsigned port, unsigned size)
{
    if (pv_iopl_allows(v))
        return true;
    if (!v->pv.iobitmap || port + size > v->pv.iobitmap_ports)
        return false;
    uint8_t bytes[2] = {0xff, 0xff};
    if (copy_from_guest_va(bytes, (unsigned long)v->pv.iobitmap + port / 8, port / 8 == (port + size - 1) / 8 ? 1 : 2))
        return false;
    unsigned mask = ((1U << size) - 1) << (port & 7);
    return !((bytes[0] | bytes[1] << 8) & mask);
}

static unsigned port_size(const struct instruction *i)
{
    return !(i->opcode & 1) ? 1 : i->operand_prefix ? 2 : 4;
}

static enum result port_in_out(struct vcpu *v, struct cpu_user_regs *regs, const struct instruction *i)
{
    unsigned size = port_size(i), port = i->opcode < 0xec ? (uint8_t)i->immediate : (uint16_t)regs->rdx;
    if (!port_access_ok(v, port, size))
        return NOT_OURS;
    if (i->opcode & 2)
        pv_port_write(v, (uint16_t)port, size, (uint32_t)register_read(regs, i, 0, size));
    else
        register_write(regs, i, 0, size, pv_port_read(v, (uint16_t)port, size));
    return DONE;
}

/* To these two our own range is no address, as on the reference. */
static enum result string_fault(struct vcpu *v, struct cpu_user_regs *regs, uint64_t at, unsigned bytes,
                                uint32_t access)
{
    return guest_range_ok(at, bytes) ? memory_fault(v, regs, at, bytes, access) : NOT_OURS;
}

/* One element at a time: a repeated instruction is entered again until its count is used up. A port is read when its
 * value has a place, for a device gives each only once. */
static enum result port_string(struct vcpu *v, struct cpu_user_regs *regs, const struct instruction *i)
{
    unsigned size = port_size(i), port = (uint16_t)regs->rdx;
    bool out = i->opcode & 2, repeated = i->repeat == 0xf3;
    uint64_t *pointer = out ? &regs->rsi : &regs->rdi;
    uint32_t value = 0;
    if (!port_access_ok(v, port, size))
        return NOT_OURS;
    if (repeated && regs->rcx == 0)
        return DONE;
    if (out) {
        if (copy_from_guest_va(&value, *pointer, size))
            return string_fault(v, regs, *pointer, size, 0);
        pv_port_write(v, (uint16_t)port, size, value);
    } else {
        if (copy_to_guest_va(*pointer, &value, size))
            return string_fault(v, regs, *pointer, size, PF_WRITE);
        value = pv_port_read(v, (uint16_t)port, size);
        if (copy_to_guest_va(*pointer, &value, size))
            return string_fault(v, regs, *pointer, size, PF_WRITE);
    }
    *pointer += regs->rflags & X86_EFLAGS_DF ? -(uint64_t)size : size;
    return repeated && --regs->rcx ? AGAIN : DONE;
}

/* Interrupts are masked by evtchn_upcall_mask, not by these: where the virtual IOPL allows them they do nothing. */
static enum result interrupt_flag(struct vcpu *v, struct cpu_user_regs *regs, const struct instruction *i)
{
    return pv_iopl_allows(v) ? DONE : NOT_OURS;
}

static enum result halt(struct vcpu *v, struct cpu_user_regs *regs, const struct instruction *i)
{
    vcpu_block();
    return DONE;
}

/* A tree that has to be made first takes several entries of the same instruction. */
static enum result load_root_table(struct vcpu *v, mfn_t mfn)
{
    int err = mfn ? pv_set_root(v, mfn) : -EINVAL;
    return !err ? DONE : err == -ERESTART ? AGAIN : NOT_OURS;
}

static uint64_t visible_cr0(const struct vcpu *v)
{
    return (read_cr0() & ~X86_CR0_TS) | (v->pv.cr0_ts ? X86_CR0_TS : 0);
}

static enum result control_register(struct vcpu *v, struct cpu_user_regs *regs, const struct instruction *i)
{
    uint64_t *reg = general_register(regs, i->rm);
    bool write = i->opcode & 2;
    switch (i->reg | write << 4) {
    case 0:
        *reg = visible_cr0(v);
        return DONE;
    case 2:
        *reg = v->info->arch.cr2;
        return DONE;
    case 3:
        *reg = v->pv.root_kernel << PAGE_SHIFT;
        return DONE;
    case 4:
        *reg = v->pv.cr4;
        return DONE;
    case 16 | 0:
        if ((*reg ^ read_cr0()) & ~(uint64_t)X86_CR0_TS)
            return NOT_OURS;
        xstate_set_ts(v, *reg & X86_CR0_TS);
        return DONE;
    case 16 | 2:
        v->info->arch.cr2 = *reg;
        return DONE;
    case 16 | 3:
        return load_root_table(v, *reg >> PAGE_SHIFT);
    case 16 | 4:
        v->pv.cr4 = pv_fix_cr4(*reg);
        set_guest_cr4(v);
        return DONE;
    default:
        return NOT_OURS;
    }
}

static enum result debug_register(struct vcpu *v, struct cpu_user_regs *regs, const struct instruction *i)
{
    uint64_t *reg = general_register(regs, i->rm);
    unsigned index = i->reg & 7;
    if (pv_no_debug_register(v, index)) {
        pv_inject_trap(regs, TRAP_invalid_op, 0);
        return RAISED;
    }
    if (i->opcode & 2)
        return pv_set_debug_register(v, index, *reg) ? NOT_OURS : DONE;
    *reg = v->pv.dr[index | (index & 4) >> 1];
    return DONE;
}

static enum result clear_ts(struct vcpu *v, struct cpu_user_regs *regs, const struct instruction *i)
{
    xstate_set_ts(v, false);
    return DONE;
}

static enum result cache_flush(struct vcpu *v, struct cpu_user_regs *regs, const struct instruction *i)
{
    if (v->domain->all_io)
        wbinvd();
    return DONE;
}

static enum result msr_write(struct vcpu *v, struct cpu_user_regs *regs, const struct instruction *i)
{
    uint64_t value = regs->rdx << 32 | (uint32_t)regs->rax;
    return pv_wrmsr(v, (uint32_t)regs->rcx, value) ? DONE : NOT_OURS;
}

static enum result msr_read(struct vcpu *v, struct cpu_user_regs *regs, const struct instruction *i)
{
    uint64_t value;
    if (!pv_rdmsr(v, (uint32_t)regs->rcx, &value))
        return NOT_OURS;
    regs->rax = (uint32_t)value;
    regs->rdx = value >> 32;
    return DONE;
}

/* Comes here when the counter is emulated, and from a guest's kernel that has set TSD against its own users. */
static enum result time_stamp(struct vcpu *v, struct cpu_user_regs *regs, const struct instruction *i)
{
    if (!guest_kernel_mode(v) && v->pv.cr4 & X86_CR4_TSD)
        return NOT_OURS;
    uint64_t value = domain_tsc(v->domain);
    regs->rax = (uint32_t)value;
    regs->rdx = value >> 32;
    return DONE;
}

/* TSC_AUX of a PV guest is 0. */
static enum result time_stamp_and_aux(struct vcpu *v, struct cpu_user_regs *regs, const struct instruction *i)
{
    if (time_stamp(v, regs, i) != DONE)
        return NOT_OURS;
    regs->rcx = 0;
    return DONE;
}

/* ---- What UMIP keeps from rings above 0: sgdt, sidt, sldt, str, smsw. Kernels and programs have always had an answer,
 * so they have one; it is the same on every CPU and tells nothing of where things are. */

static enum result store(struct vcpu *v, struct cpu_user_regs *regs, const struct instruction *i, const void *value,
                         unsigned bytes)
{
    enum emulate_segment segment;
    uint64_t at = memory_operand(regs, i, regs->rip + i->length, &segment);
    at += segment == EMU_FS ? rdmsr(MSR_FS_BASE) : segment == EMU_GS ? rdmsr(MSR_GS_BASE) : 0;
    return copy_to_guest_va(at, value, bytes) ? memory_fault(v, regs, at, bytes, PF_WRITE) : DONE;
}

#define GDT_LIMIT (FIRST_RESERVED_GDT_BYTE + PAGE_SIZE - 1) /* the guest's pages and ours */
#define IDT_LIMIT (256 * 16 - 1)

/* sgdt, sidt: the limit is the real one, whose size is the ABI's. */
static enum result store_table(struct vcpu *v, struct cpu_user_regs *regs, const struct instruction *i, uint16_t limit)
{
    const struct {
        uint16_t limit;
        uint64_t base;
    } __packed value = {limit, HYPERVISOR_VIRT_START};
    return store(v, regs, i, &value, sizeof(value));
}

/* sldt, str, smsw: 16 bits of memory, or a register. */
static enum result store_word(struct vcpu *v, struct cpu_user_regs *regs, const struct instruction *i, uint64_t value)
{
    if (i->mod != 3)
        return store(v, regs, i, &value, 2);
    register_write(regs, i, i->rm, i->operand_bytes, value);
    return DONE;
}

/* 0f 00: sldt (/0), str (/1). */
static enum result group_00(struct vcpu *v, struct cpu_user_regs *regs, const struct instruction *i)
{
    if ((i->reg & 7) > 1)
        return NOT_OURS;
    return store_word(v, regs, i, i->reg & 7 ? TSS_SELECTOR : v->pv.ldt_entries ? LDT_SELECTOR : 0);
}

/* 0f 01: xgetbv (d0), xsetbv (d1), rdtscp (f9), invlpg, sgdt (/0), sidt (/1), smsw (/4); only these are here. */
static enum result group_01(struct vcpu *v, struct cpu_user_regs *regs, const struct instruction *i)
{
    if (i->mod != 3 && (i->reg & 7) <= 1)
        return store_table(v, regs, i, i->reg & 7 ? IDT_LIMIT : (uint16_t)GDT_LIMIT);
    if ((i->reg & 7) == 4)
        return store_word(v, regs, i, visible_cr0(v));
    if (i->mod == 3 && (i->reg & 7) == 7 && (i->rm & 7) == 1)
        return time_stamp_and_aux(v, regs, i);
    if (!guest_kernel_mode(v))
        return NOT_OURS;
    if (i->mod == 3 && (i->reg & 7) == 2 && (i->rm & 7) == 0) {
        if ((uint32_t)regs->rcx)
            return NOT_OURS;
        regs->rax = (uint32_t)v->xcr0;
        regs->rdx = v->xcr0 >> 32;
        return DONE;
    }
    if (i->mod == 3 && (i->reg & 7) == 2 && (i->rm & 7) == 1)
        return (uint32_t)regs->rcx || xstate_set_xcr0(v, regs->rdx << 32 | (uint32_t)regs->rax) ? NOT_OURS : DONE;
    if (i->mod != 3 && (i->reg & 7) == 7) {
        enum emulate_segment segment;
        uint64_t address = memory_operand(regs, i, regs->rip + i->length, &segment);
        if (guest_range_ok(address, 1))
            invlpg(address);
        return DONE;
    }
    return NOT_OURS;
}

static const struct {
    uint8_t map, first, last; /* enum opcode_map; opcodes */
    bool user_too;            /* ports and the interrupt flag, by IOPL or bitmap; time stamp counter; what UMIP keeps */
    emulate function;
} table[] = {
    {0, 0x6c, 0x6f, true, port_string},       {0, 0xe4, 0xe7, true, port_in_out},
    {0, 0xec, 0xef, true, port_in_out},       {0, 0xf4, 0xf4, false, halt},
    {0, 0xfa, 0xfb, true, interrupt_flag},    {1, 0x00, 0x00, true, group_00},
    {1, 0x01, 0x01, true, group_01},          {1, 0x06, 0x06, false, clear_ts},
    {1, 0x08, 0x09, false, cache_flush},      {1, 0x20, 0x20, false, control_register},
    {1, 0x22, 0x22, false, control_register}, {1, 0x21, 0x21, false, debug_register},
    {1, 0x23, 0x23, false, debug_register},   {1, 0x30, 0x30, false, msr_write},
    {1, 0x31, 0x31, true, time_stamp},        {1, 0x32, 0x32, false, msr_read},
};

static emulate find_emulation(const struct instruction *i, bool kernel)
{
    for (unsigned n = 0; n < ARRAY_SIZE(table); n++)
        if (i->map == table[n].map && i->opcode >= table[n].first && i->opcode <= table[n].last)
            return kernel || table[n].user_too ? table[n].function : NULL;
    return NULL;
}

/* Kernels read segment bases at each switch of tasks: what needs no decoding, having neither operand nor prefix. */
static emulate without_operands(const uint8_t *code)
{
    if (code[0] != 0x0f)
        return NULL;
    return code[1] == 0x32 ? msr_read : code[1] == 0x30 ? msr_write : NULL;
}
#define BYTES_WITHOUT_OPERANDS 2

/* `int n` of guest code faults as IDT entry n: the trap table's DPL decides whether it may. */
static bool software_interrupt(struct vcpu *v, struct cpu_user_regs *regs)
{
    if (!(regs->error_code & 2))
        return false;
    unsigned vector = regs->error_code >> 3 & 0xff;
    const struct trap_info *trap = &v->pv.trap[vector];
    if (!trap->address || TI_GET_DPL(trap) < (guest_kernel_mode(v) ? 1 : 3))
        return false;
    regs->rip += 2;
    pv_bounce(regs, trap->address, TI_GET_IF(trap), NO_ERROR_CODE);
    return true;
}

void pv_general_protection(struct cpu_user_regs *regs)
{
    struct vcpu *v = current;
    struct code_cursor code = {.have = 0};
    struct instruction i __uninitialized;
    if (software_interrupt(v, regs))
        return;
    if (regs->error_code == 0)
        code.have = pv_fetch(regs, code.byte);
    if (code.have >= BYTES_WITHOUT_OPERANDS && without_operands(code.byte) && guest_kernel_mode(v)) {
        if (without_operands(code.byte)(v, regs, NULL) == DONE)
            pv_finish_instruction(regs, BYTES_WITHOUT_OPERANDS);
        else
            pv_inject_trap(regs, TRAP_gp_fault, 0);
        return;
    }
    if (pv_decode(&code, &i)) {
        emulate function = find_emulation(&i, guest_kernel_mode(v));
        enum result result = function ? function(v, regs, &i) : NOT_OURS;
        if (result == DONE)
            pv_finish_instruction(regs, i.length);
        if (result != NOT_OURS)
            return;
    }
    pv_inject_trap(regs, TRAP_gp_fault, regs->error_code);
}

/* ud2; "xen"; cpuid: the way a PV guest asks us rather than the processor. Source: arch-x86/xen.h,
 * XEN_EMULATE_PREFIX. */
static bool forced_cpuid(struct vcpu *v, struct cpu_user_regs *regs)
{
    static const uint8_t wanted[] = {0x0f, 0x0b, 'x', 'e', 'n', 0x0f, 0xa2};
    uint8_t code[sizeof(wanted)];
    if (copy_from_guest_va(code, regs->rip, sizeof(code)) || memcmp(code, wanted, sizeof(code)))
        return false;
    struct cpuid r;
    pv_cpuid(v, (uint32_t)regs->rax, (uint32_t)regs->rcx, &r);
    regs->rax = r.eax;
    regs->rbx = r.ebx;
    regs->rcx = r.ecx;
    regs->rdx = r.edx;
    pv_finish_instruction(regs, sizeof(code));
    return true;
}

void pv_invalid_opcode(struct cpu_user_regs *regs)
{
    if (!forced_cpuid(current, regs))
        pv_inject_trap(regs, TRAP_invalid_op, 0);
}
