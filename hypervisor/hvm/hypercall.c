/*
 * Hypercalls of HVM guests: registers by the mode of the caller, and the page of stubs that issues them.
 * Source: xen/arch-x86/xen-x86_32.h and xen-x86_64.h (calling conventions).
 */
#include <hv/domain_log.h>
#include <hv/cpu.h>
#include <hv/hvm_exit.h>
#include <hv/hypercall_registers.h>
#include <hv/p2m.h>
#include <hv/page_alloc.h>
#include <hv/viridian.h>

static bool compat[NR_CPUS];

bool hvm_compat_call(void)
{
    return compat[smp_processor_id()];
}

static bool call_32(struct cpu_user_regs *regs)
{
    struct hypercall call = {.number = (unsigned)regs->rax,
                             .arg = {(uint32_t)regs->rbx, (uint32_t)regs->rcx, (uint32_t)regs->rdx, (uint32_t)regs->rsi,
                                     (uint32_t)regs->rdi, (uint32_t)regs->rbp}};
    compat[smp_processor_id()] = true;
    enum hypercall_outcome outcome = hypercall_dispatch(&call);
    compat[smp_processor_id()] = false;
    if (outcome != HYPERCALL_AGAIN) {
        regs->rax = (uint32_t)call.result;
        return true;
    }
    regs->rbx = (uint32_t)call.arg[0];
    regs->rcx = (uint32_t)call.arg[1];
    regs->rdx = (uint32_t)call.arg[2];
    regs->rsi = (uint32_t)call.arg[3];
    regs->rdi = (uint32_t)call.arg[4];
    regs->rbp = (uint32_t)call.arg[5];
    return false;
}

bool hvm_hypercall(struct vcpu *v, struct cpu_user_regs *regs)
{
    if (v->domain->hvm->viridian && viridian_is_hypercall(v, regs)) {
        viridian_hypercall(v, regs);
        return true;
    }
    if (v->hvm->cr0 & X86_CR0_PE && hvm_vendor->cpl(v)) {
        regs->rax = (uint64_t)-EPERM;
        return true;
    }
    return hvm_code_bytes(v) == 8 ? hypercall_64(regs) : call_32(regs);
}

/* Entry n, 32 bytes: mov $n, %eax; vmmcall or vmcall; ret. The same bytes in every mode of 32 bits or more. */
static void fill_stubs(uint8_t *page)
{
    const uint8_t stub[] = {0xb8, 0, 0, 0, 0, 0x0f, 0x01, cpu_features.vendor == VENDOR_AMD ? 0xd9 : 0xc1, 0xc3};
    memset(page, 0xcc, PAGE_SIZE);
    for (unsigned n = 0; n < PAGE_SIZE / 32; n++) {
        memcpy(page + n * 32, stub, sizeof(stub));
        page[n * 32 + 1] = (uint8_t)n;
    }
    memcpy(page + __HYPERVISOR_iret * 32, (const uint8_t[]){0x0f, 0x0b}, 2); /* ud2: there is none for HVM guests */
}

bool hvm_write_hypercall_page(struct vcpu *v, uint64_t gpa)
{
    uint8_t *page = alloc_zeroed_pages(0);
    if (!page)
        return false;
    fill_stubs(page);
    int err = hvm_copy_to_physical(v->domain, gpa & PAGE_MASK, page, PAGE_SIZE);
    free_virtual_pages(page, 0);
    if (err)
        domain_log(LOG_DEBUG, v->domain, "no RAM at %#lx for the hypercall page", gpa);
    return !err;
}
