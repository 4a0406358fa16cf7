/*
 * From a PV guest's syscall or fault to its hypercall, its kernel's entry point or an emulated instruction, and back.
 */
#include "../../check.h"
#include <hv/console.h>
#include <hv/cpu.h>
#include <hv/domain.h>
#include <hv/guest_copy.h>
#include <hv/hypercall.h>
#include <hv/pv.h>
#include <hv/pv_internal.h>
#include <hv/traps.h>

volatile bool console_ring_grew;
static struct domain guest = {.id = 1};
static struct vcpu v = {.domain = &guest};
static unsigned crashes, unblocked, swaps;
static uint64_t stack[64] __attribute__((aligned(16)));
#define TOP     ((unsigned long)(stack + 64))
#define ENTRY   0x1000UL /* where the guest wants to be entered */
#define NOWHERE 0x10UL   /* no memory of the guest's */

void fake_swap_gs(void)
{
    swaps++;
}
void nmi_unblock(void)
{
    unblocked++;
}
void load_guest_root(struct vcpu *vcpu)
{
}
void panic_nmi(const struct cpu_user_regs *regs)
{
}
void protection_check_closed(void)
{
}
void domain_crash(struct domain *d, const char *format, ...)
{
    crashes++;
}

/* Entries of the first two pages, which nobody can copy to; no other address is asked about. */
static pte_t entry_of_page[2];
bool pv_walk(struct vcpu *vcpu, unsigned long va, struct walk *found)
{
    CHECK(va < 2 * PAGE_SIZE);
    found->entry = entry_of_page[va >> PAGE_SHIFT & 1];
    return found->entry;
}

/* The hypercall's end is the test's. */
static enum hypercall_outcome outcome;
static uint64_t result;
enum hypercall_outcome hypercall_dispatch(struct hypercall *call)
{
    for (unsigned i = 0; i < 6; i++)
        call->arg[i] += 100;
    call->result = result;
    return outcome;
}

static void start(bool kernel)
{
    memset(&v.pv, 0, sizeof(v.pv));
    v.info = &v.info_of_ours;
    v.info->evtchn_upcall_mask = 0;
    v.pv.kernel_mode = kernel;
    v.pv.kernel_sp = TOP;
    v.pv.root_kernel = v.pv.root_user = 1;
    guest.vm_assist = 0;
    fake_regs = (struct cpu_user_regs){
        .rip = 0x5002, .rsp = TOP, .cs = GUEST_CS64, .ss = GUEST_DS, .rflags = 0x202, .entry_vector = ENTRY_SYSCALL};
    fake_current[0] = &v;
    crashes = unblocked = swaps = 0;
}

static void hypercalls(void)
{
    for (outcome = HYPERCALL_DONE; outcome <= HYPERCALL_RETURNED; outcome++) {
        struct cpu_user_regs *r = &fake_regs;
        start(true);
        result = (uint64_t)-ERESTART;
        r->rax = 29;
        r->rdi = 1, r->rsi = 2, r->rdx = 3, r->r10 = 4, r->r8 = 5, r->r9 = 6;
        pv_syscall(r);
        if (outcome == HYPERCALL_AGAIN) {
            CHECK(r->rax == 29 && r->rip == 0x5000);
            CHECK(r->rdi == 101 && r->rsi == 102 && r->rdx == 103 && r->r10 == 104 && r->r8 == 105 && r->r9 == 106);
        } else {
            CHECK(r->rax == result && r->rip == 0x5002);
            CHECK(r->rdi == 1 && r->r9 == 6);
        }
    }
}

static void system_calls(void)
{
    start(false);
    v.pv.syscall = (struct pv_callback){ENTRY, true};
    fake_regs.rcx = 0x5002, fake_regs.r11 = 0x202;
    pv_syscall(&fake_regs);
    const uint64_t *frame = (const uint64_t *)fake_regs.rsp;
    CHECK(fake_regs.rip == ENTRY && fake_regs.rsp == TOP - 7 * 8 && v.pv.kernel_mode && swaps == 1);
    CHECK(frame[0] == 0x5002 && frame[1] == 0x202 && frame[2] == 0x5002 && frame[3] == GUEST_CS64 && frame[5] == TOP);
    CHECK(v.info->evtchn_upcall_mask && fake_regs.entry_vector != ENTRY_SYSCALL);
    /* A kernel that wants none finds an invalid instruction. */
    start(false);
    v.pv.trap[TRAP_invalid_op].address = ENTRY;
    pv_syscall(&fake_regs);
    CHECK(fake_regs.rip == ENTRY && ((const uint64_t *)fake_regs.rsp)[2] == 0x5000 && !v.info->evtchn_upcall_mask);
    start(false);
    v.pv.kernel_sp = NOWHERE + 0x200;
    v.pv.syscall.address = ENTRY;
    pv_syscall(&fake_regs);
    CHECK(crashes == 1);
}

static void nmis(void)
{
    start(true);
    fake_regs.entry_vector = TRAP_nmi;
    do_trap(&fake_regs);
    CHECK(unblocked == 1 && fake_regs.rip == 0x5002);
}

static void failsafe(void)
{
    static const uint16_t selectors[4] = {0x1b, 0x23, 0x2b, 0x33};
    for (unsigned mask = 0; mask < 2; mask++) {
        start(true);
        CHECK(!pv_resume(&v));
        v.pv.failsafe = (struct pv_callback){ENTRY, mask};
        memcpy(v.pv.lost_selectors, selectors, sizeof(selectors));
        v.pv.selectors_lost = true;
        CHECK(pv_resume(&v));
        const uint64_t *frame = (const uint64_t *)fake_regs.rsp;
        CHECK(fake_regs.rip == ENTRY && v.info->evtchn_upcall_mask == mask && fake_regs.rsp == TOP - 12 * 8 + 8);
        for (unsigned i = 0; i < 4; i++)
            CHECK(frame[2 + i] == selectors[i]);
        CHECK(frame[6] == 0x5002 && !v.pv.selectors_lost);
    }
    start(true);
    v.pv.selectors_lost = true;
    CHECK(pv_resume(&v) && fake_regs.rip == 0x5002 && !v.pv.selectors_lost && !crashes);
}

static void returns(void)
{
    for (unsigned assist = 0; assist < 2; assist++) {
        struct iret_context frame = {
            .rax = (uint64_t)-ERESTART, .rip = 0x7000, .cs = 0x33, .rflags = 0x3202, .rsp = 0x8000};
        struct hypercall call = {.number = __HYPERVISOR_iret};
        start(true);
        guest.vm_assist = assist << VMASST_TYPE_architectural_iopl;
        fake_regs.rsp = (unsigned long)&frame;
        CHECK(do_iret(&call) == HYPERCALL_RETURNED && (long)call.result == -ERESTART);
        CHECK(fake_regs.rip == 0x7000 && !v.pv.kernel_mode && !(fake_regs.rflags & 0x3000));
        CHECK(v.pv.iopl == (assist ? 3 : 0));
        CHECK((pv_guest_rflags(&v, &fake_regs) & 0x3000) == (assist ? 0x3000 : 0));
    }
}

static void fault_of(const uint8_t *code)
{
    fake_regs.rip = (unsigned long)code;
    fake_regs.error_code = 0;
    fake_regs.rflags |= X86_EFLAGS_RF;
    pv_general_protection(&fake_regs);
}

/* A guest without the right to ports reads ones and writes nothing: a real access would end this program. */
static void ports(void)
{
    static const uint8_t in[16] = {0xec}, out[16] = {0xee}, outs[16] = {0x6e}, rep_outs[16] = {0xf3, 0x6e};
    start(true);
    v.pv.iopl = 1;
    fake_regs.rdx = 0x64;
    fault_of(in);
    CHECK((uint8_t)fake_regs.rax == 0xff && fake_regs.rip == (unsigned long)in + 1 &&
          !(fake_regs.rflags & X86_EFLAGS_RF));
    fault_of(out);
    CHECK(fake_regs.rip == (unsigned long)out + 1);
    fake_regs.rcx = 2;
    fake_regs.rsi = TOP - 8;
    fault_of(rep_outs);
    CHECK(fake_regs.rip == (unsigned long)rep_outs && fake_regs.rcx == 1);
    fault_of(rep_outs);
    CHECK(fake_regs.rip == (unsigned long)rep_outs + 2 && fake_regs.rcx == 0);
    /* A page fault of the instruction's goes to the handler, wherever that is: at the instruction itself too. */
    fake_regs.rsi = NOWHERE;
    v.pv.trap[TRAP_page_fault].address = (unsigned long)outs;
    fault_of(outs);
    CHECK(fake_regs.rip == (unsigned long)outs && v.info->arch.cr2 == NOWHERE);
    /* Not allowed at all. */
    start(true);
    v.pv.trap[TRAP_gp_fault].address = ENTRY;
    fault_of(out);
    CHECK(fake_regs.rip == ENTRY);
}

/* An instruction of ours that cannot store: the page fault is the one that the processor would raise. */
static void store_faults(void)
{
    static const struct {
        unsigned long at;
        pte_t first, second;
        uint64_t error, address;
    } cases[] = {
        {NOWHERE, 0, 0, PF_WRITE, NOWHERE},
        {NOWHERE, PTE_PRESENT, 0, PF_WRITE | PF_PRESENT, NOWHERE},
        {PAGE_SIZE - 4, PTE_PRESENT, PTE_PRESENT | PTE_WRITE, PF_WRITE | PF_PRESENT, PAGE_SIZE - 4},
        {PAGE_SIZE - 4, PTE_PRESENT | PTE_WRITE, 0, PF_WRITE, PAGE_SIZE},
        {PAGE_SIZE - 4, PTE_PRESENT | PTE_WRITE, PTE_PRESENT, PF_WRITE | PF_PRESENT, PAGE_SIZE},
        {PAGE_SIZE - 10, PTE_PRESENT | PTE_WRITE, PTE_PRESENT, PF_WRITE | PF_PRESENT, PAGE_SIZE - 10},
    };
    static const uint8_t sgdt[16] = {0x0f, 0x01, 0x07}, ins[16] = {0x6d};
    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        start(true);
        v.pv.trap[TRAP_page_fault].address = ENTRY;
        entry_of_page[0] = cases[i].first;
        entry_of_page[1] = cases[i].second;
        fake_regs.rdi = cases[i].at;
        fault_of(sgdt);
        CHECK(fake_regs.rip == ENTRY && v.info->arch.cr2 == cases[i].address);
        CHECK(((const uint64_t *)fake_regs.rsp)[2] == cases[i].error);
    }
    start(false);
    v.pv.trap[TRAP_page_fault].address = ENTRY;
    entry_of_page[0] = PTE_PRESENT;
    v.pv.iopl = 3;
    fake_regs.rdi = NOWHERE;
    fault_of(ins);
    CHECK(((const uint64_t *)fake_regs.rsp)[2] == (PF_WRITE | PF_USER | PF_PRESENT) && v.info->arch.cr2 == NOWHERE);
}

static void interrupt_flag(void)
{
    static const uint8_t cli[16] = {0xfa};
    for (unsigned iopl = 0; iopl < 4; iopl++)
        for (unsigned kernel = 0; kernel < 2; kernel++) {
            start(kernel);
            v.pv.iopl = (uint8_t)iopl;
            v.pv.trap[TRAP_gp_fault].address = ENTRY;
            fault_of(cli);
            bool allowed = iopl >= (kernel ? 1 : 3);
            CHECK(fake_regs.rip == (allowed ? (unsigned long)cli + 1 : ENTRY));
        }
}

int main(void)
{
    hypercalls();
    system_calls();
    nmis();
    failsafe();
    returns();
    ports();
    store_faults();
    interrupt_flag();
    return 0;
}
