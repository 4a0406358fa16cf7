/*
 * Hypercalls of Microsoft's interface: giving way while spinning, flushing translations, interrupts to many processors.
 * Source: Hypervisor Top Level Functional Specification 5.0, chapter 3 (calling convention, results), and the
 * descriptions of the calls.
 */
#include "viridian_state.h"
#include <hv/p2m.h>
#include <hv/sched.h>
#include <hv/vdev.h>

#define FROM_PAGE 0x80000000UL /* bit 31 of eax, set by our page of code; reserved in a call's input */

#define CALL_FLUSH_SPACE    0x0002
#define CALL_FLUSH_LIST     0x0003
#define CALL_LONG_SPIN_WAIT 0x0008
#define CALL_CLUSTER_IPI    0x000b

enum status {
    STATUS_SUCCESS = 0,
    STATUS_INVALID_CODE = 2,
    STATUS_INVALID_INPUT = 3,
    STATUS_INVALID_ALIGNMENT = 4,
    STATUS_INVALID_PARAMETER = 5,
    STATUS_ACCESS_DENIED = 6,
};

struct call {
    uint64_t control; /* code 15:0, fast 16, repetitions 43:32 */
    uint64_t input;   /* fast: the first 8 bytes of input; otherwise where it is */
    uint64_t output;  /* fast: the second */
};

static bool is_fast(const struct call *c)
{
    return c->control >> 16 & 1;
}

static uint64_t repetitions(const struct call *c)
{
    return c->control >> 32 & 0xfff;
}

/* From registers, or from memory, where it must not cross a page. */
static enum status get_input(struct vcpu *v, const struct call *c, uint64_t *words, unsigned count)
{
    if (is_fast(c)) {
        if (count > 2)
            return STATUS_INVALID_INPUT;
        words[0] = c->input;
        words[1] = c->output;
        return STATUS_SUCCESS;
    }
    if (c->input & 7 || (c->input & ~PAGE_MASK) + count * 8 > PAGE_SIZE)
        return STATUS_INVALID_ALIGNMENT;
    return hvm_copy_from_physical(v->domain, words, c->input, count * 8) ? STATUS_INVALID_PARAMETER : STATUS_SUCCESS;
}

#define FLUSH_ALL_PROCESSORS 1

/* Always everything that a processor has cached: single addresses are not worth a second way, since other processors
 * have to leave the guest for them in any case. */
static enum status flush(struct vcpu *v, const struct call *c)
{
    uint64_t input[3]; /* address space, flags, processors */
    enum status status = get_input(v, c, input, 3);
    if (status)
        return status;
    if (input[1] & FLUSH_ALL_PROCESSORS || input[2] & ~(1UL << v->id))
        p2m_flush(v->domain);
    else if (input[2])
        hvm_vendor->flush_tlb(v);
    return STATUS_SUCCESS;
}

#define FIRST_VECTOR 0x10

static enum status cluster_ipi(struct vcpu *v, const struct call *c)
{
    uint64_t input[2]; /* vector and, above it, the trust level; processors */
    struct vcpu *target;
    enum status status = get_input(v, c, input, 2);
    if (status)
        return status;
    if (input[0] < FIRST_VECTOR || input[0] > 0xff)
        return STATUS_INVALID_PARAMETER;
    for_each_vcpu(v->domain, target)
        if (input[1] >> target->id & 1 && target->hvm->lapic)
            vlapic_set_irq(target, (uint8_t)input[0], false);
    return STATUS_SUCCESS;
}

static enum status make_call(struct vcpu *v, const struct call *c)
{
    switch (c->control & 0xffff) {
    case CALL_LONG_SPIN_WAIT:
        vcpu_yield();
        return STATUS_SUCCESS;
    case CALL_FLUSH_SPACE:
    case CALL_FLUSH_LIST:
        return flush(v, c);
    case CALL_CLUSTER_IPI:
        return cluster_ipi(v, c);
    }
    return STATUS_INVALID_CODE;
}

bool viridian_is_hypercall(const struct vcpu *v, const struct cpu_user_regs *regs)
{
    const struct viridian_domain *s = v->domain->hvm->viridian;
    return s && s->hypercall_msr & PAGE_MSR_ENABLE && regs->rax & FROM_PAGE;
}

static uint64_t pair(uint64_t high, uint64_t low)
{
    return high << 32 | (uint32_t)low;
}

/* 64-bit code: rcx, rdx, r8, result in rax; 32-bit: edx:eax, ebx:ecx, edi:esi, result in edx:eax. */
void viridian_hypercall(struct vcpu *v, struct cpu_user_regs *regs)
{
    const bool is_64 = hvm_code_bytes(v) == 8;
    struct call c = {regs->rcx, regs->rdx, regs->r8};
    if (!is_64)
        c = (struct call){pair(regs->rdx, regs->rax) & ~FROM_PAGE, pair(regs->rbx, regs->rcx),
                          pair(regs->rdi, regs->rsi)};
    uint64_t result = hvm_vendor->cpl(v) ? STATUS_ACCESS_DENIED : make_call(v, &c);
    if (result == STATUS_SUCCESS) /* all repetitions at once */
        result |= repetitions(&c) << 32;
    regs->rax = is_64 ? result : (uint32_t)result;
    if (!is_64)
        regs->rdx = result >> 32;
}
