/*
 * Where exceptions go: those of a PV guest to its kernel or to what finishes them, those of ours to a fix-up or to the
 * machine's end; and what is left to do on the way back. The real files, those of x86/ and core/ with their checks.
 */
#define HV_CHECKED
#include "../../check.h"
#include <hv/console.h>
#include <hv/cpu.h>
#include <hv/domain.h>
#include <hv/exit.h>
#include <hv/guest_copy.h>
#include <hv/hvm.h>
#include <hv/hypercall.h>
#include <hv/irq.h>
#include <hv/lock_check.h>
#include <hv/protection.h>
#include <hv/pv.h>
#include <hv/pv_internal.h>
#include <hv/sched.h>
#include <hv/timer.h>
#include <hv/traps.h>
#include <hv/xstate.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#define ENTRY       0x1000UL /* vector n of the guest is entered there + n */
#define RIP         0x5002UL
#define DR6_INITIAL 0xffff0ff0UL

volatile bool console_ring_grew;
static struct domain guest = {.id = 1}, idle_domain_here = {.is_idle = true};
static struct hvm_domain hvm_parts;
static struct domain hvm_guest_here = {.id = 2, .hvm = &hvm_parts};
static struct hvm_vcpu hvm_part;
static struct vcpu v = {.domain = &guest}, idle_vcpu = {.domain = &idle_domain_here},
                   hvm = {.domain = &hvm_guest_here, .hvm = &hvm_part};
static uint64_t stack[64] __attribute__((aligned(16)));
#define TOP ((unsigned long)(stack + 64))
static uint8_t own_stack[STACK_SIZE] __attribute__((aligned(STACK_SIZE)));

/* ---- What is under it; each call leaves a letter ---- */

static char steps[16];
static void step(char what)
{
    size_t length = strlen(steps);
    CHECK(length < sizeof(steps) - 1);
    steps[length] = what;
    steps[length + 1] = 0;
}
static bool irqs_on, nm_is_guests, has_fixup;
static unsigned long dr6, dr7, cr2, fault_address;
static unsigned crashes;

/* An interrupt may fault, and so change the address. */
static void fake_irq_enable(void)
{
    irqs_on = true;
    cr2 = 0x666;
}
static void fake_halt(void)
{
    step('h');
    fake_irq_enable();
}

void load_guest_root(struct vcpu *vcpu)
{
}
void domain_crash(struct domain *d, const char *format, ...)
{
    crashes++;
}
void panic_nmi(const struct cpu_user_regs *regs)
{
    step('p');
}
void nmi_unblock(void)
{
    step('u');
}
void protection_check_closed(void)
{
    step('c');
}
void lock_check_no_lock(void)
{
    step('l');
}
void do_irq(struct cpu_user_regs *regs)
{
    step('i');
}
bool xstate_handle_nm(struct vcpu *vcpu)
{
    CHECK(!irqs_on);
    return nm_is_guests;
}
void pv_page_fault(struct cpu_user_regs *regs, unsigned long address)
{
    CHECK(irqs_on);
    fault_address = address;
    step('f');
}
void pv_general_protection(struct cpu_user_regs *regs)
{
    CHECK(irqs_on);
    step('g');
}
void pv_invalid_opcode(struct cpu_user_regs *regs)
{
    CHECK(irqs_on);
    step('o');
}
bool extable_fixup(struct cpu_user_regs *regs)
{
    if (has_fixup)
        regs->rip = 0x7777;
    return has_fixup;
}
void timer_softirq(void)
{
    CHECK(irqs_on);
    step('t');
}
void schedule(void)
{
    CHECK(!irqs_on);
    step('s');
}
void console_notify(void)
{
    console_ring_grew = false;
    step('n');
}
bool hvm_resume(struct vcpu *vcpu)
{
    CHECK(!irqs_on && vcpu == current);
    step('e');
    return true;
}
enum hypercall_outcome hypercall_dispatch(struct hypercall *call)
{
    step('H');
    return HYPERCALL_DONE;
}

static jmp_buf stopped;
static char last_words[200];
void panic_regs(const struct cpu_user_regs *regs, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    vsnprintf(last_words, sizeof(last_words), format, list);
    va_end(list);
    longjmp(stopped, 1);
}

#undef irq_enable
#undef irq_disable
#define irq_enable()          fake_irq_enable()
#define irq_disable()         ((void)(irqs_on = false))
#define irq_enable_and_halt() fake_halt()
#define read_cr2()            (cr2)
#define read_dr6()            (dr6)
#define write_dr6(value)      ((void)(dr6 = (value)))
#define write_dr7(value)      ((void)(dr7 = (value)))
#define cpu_info()            ((struct cpu_info *)(own_stack + STACK_SIZE) - 1)
#include "../../../../hypervisor/core/exit_work.c"
#include "../../../../hypervisor/pv/traps.c"
#include "../../../../hypervisor/x86/traps.c"

static void start(struct vcpu *running, uint16_t cs)
{
    memset(&v.pv, 0, sizeof(v.pv));
    v.info = &v.info_of_ours;
    v.info->evtchn_upcall_pending = v.info->evtchn_upcall_mask = 0;
    v.nmi_pending = false;
    v.pv.kernel_mode = true;
    v.pv.root_user = 1;
    for (unsigned i = 0; i < 32; i++)
        v.pv.trap[i].address = ENTRY + i;
    fake_regs = (struct cpu_user_regs){.rip = RIP, .rsp = TOP, .cs = cs, .ss = GUEST_DS, .rflags = 0x202};
    fake_current[0] = running;
    fake_cpu->softirq_pending = 0;
    console_ring_grew = irqs_on = nm_is_guests = has_fixup = false;
    steps[0] = 0;
    dr6 = 0xffff4ff1;
    dr7 = 0x401;
    cr2 = 0xabc008;
    crashes = 0;
}

#define OWN_CS 0xe008

static void trap(unsigned vector, uint16_t cs, uint32_t error_code)
{
    start(&v, cs);
    fake_regs.entry_vector = vector;
    fake_regs.error_code = error_code;
    do_trap(&fake_regs);
}

/* Whether the machine stopped, with last_words. */
static bool stops(unsigned vector, uint16_t cs, uint32_t error_code)
{
    last_words[0] = 0;
    if (setjmp(stopped))
        return true;
    trap(vector, cs, error_code);
    return false;
}

static bool entered(unsigned vector)
{
    return fake_regs.rip == ENTRY + vector && fake_regs.cs == GUEST_CS64;
}

/* ---- A guest's ---- */

static void most_go_to_the_guests_kernel(void)
{
    static const struct {
        uint8_t vector;
        bool has_error_code;
    } cases[] = {{TRAP_divide_error, false}, {TRAP_int3, false},        {TRAP_overflow, false},
                 {TRAP_bounds, false},       {TRAP_invalid_tss, true},  {TRAP_no_segment, true},
                 {TRAP_stack_error, true},   {TRAP_copro_error, false}, {TRAP_alignment_check, true},
                 {TRAP_simd_error, false}};
    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        trap(cases[i].vector, GUEST_CS64, 0x1234);
        const uint64_t *frame = (const uint64_t *)fake_regs.rsp;
        CHECK(entered(cases[i].vector) && !strcmp(steps, "c") && !crashes);
        if (cases[i].has_error_code)
            CHECK(frame[2] == 0x1234 && frame[3] == RIP);
        else
            CHECK(frame[2] == RIP);
    }
}

static void a_breakpoint_is_told_and_its_status_is_the_guests(void)
{
    trap(TRAP_debug, GUEST_CS64, 0);
    CHECK(entered(TRAP_debug) && v.pv.dr[6] == 0xffff4ff1 && dr6 == DR6_INITIAL && dr7 == 0x401);
}

static void the_fpu_is_ours_first(void)
{
    trap(TRAP_no_device, GUEST_CS64, 0);
    CHECK(fake_regs.rip == RIP);
    start(&v, GUEST_CS64);
    nm_is_guests = true;
    fake_regs.entry_vector = TRAP_no_device;
    do_trap(&fake_regs);
    CHECK(entered(TRAP_no_device));
}

/* What may take long runs with interrupts on; the address was read before. */
static void those_we_finish_are_handed_on(void)
{
    trap(TRAP_page_fault, GUEST_CS64, 6);
    CHECK(!strcmp(steps, "cf") && fault_address == 0xabc008);
    trap(TRAP_gp_fault, GUEST_CS64, 0);
    CHECK(!strcmp(steps, "cg"));
    trap(TRAP_invalid_op, GUEST_CS64, 0);
    CHECK(!strcmp(steps, "co"));
}

static void some_a_guest_cannot_have(void)
{
    static const uint8_t none[] = {TRAP_double_fault, 9, 15, 20, 21, 28, 31};
    for (unsigned i = 0; i < ARRAY_SIZE(none); i++)
        CHECK(stops(none[i], GUEST_CS64, 0) && strstr(last_words, "from a guest"));
    CHECK(stops(TRAP_machine_check, GUEST_CS64, 0) && strstr(last_words, "machine check on CPU 0"));
}

static void nmis_and_interrupts(void)
{
    trap(TRAP_nmi, GUEST_CS64, 0);
    CHECK(!strcmp(steps, "cpu") && fake_regs.rip == RIP);
    trap(TRAP_nmi, OWN_CS, 0); /* its own stack: the way back ends the blocking */
    CHECK(!strcmp(steps, "cp"));
    trap(32, GUEST_CS64, 0);
    CHECK(!strcmp(steps, "ci"));
    trap(255, OWN_CS, 0);
    CHECK(!strcmp(steps, "ci"));
}

/* ---- Ours ---- */

static void own_faults_have_a_fix_up_or_end_it(void)
{
    CHECK(stops(TRAP_gp_fault, OWN_CS, 0x18) && !strcmp(last_words, "general protection (error 18) in the hypervisor"));
    CHECK(stops(9, OWN_CS, 0) && strstr(last_words, "?"));
    CHECK(stops(30, OWN_CS, 0) && strstr(last_words, "exception"));
    CHECK(stops(TRAP_page_fault, OWN_CS, 2) &&
          !strcmp(last_words, "page fault at 0xabc008 (error 2) in the hypervisor"));
    start(&v, OWN_CS);
    has_fixup = true;
    fake_regs.entry_vector = TRAP_page_fault;
    do_trap(&fake_regs);
    CHECK(fake_regs.rip == 0x7777);
}

/* A breakpoint that a guest has set on what we touch is no reason to stop, and stays set. */
static void own_breakpoints_are_passed_over(void)
{
    trap(TRAP_debug, OWN_CS, 0);
    CHECK(dr6 == DR6_INITIAL && dr7 == 0x401 && fake_regs.rip == RIP && !v.pv.dr[6]);
}

static bool stops_although_there_is_a_fix_up(unsigned vector, unsigned long address)
{
    start(&v, OWN_CS);
    has_fixup = true;
    cr2 = address;
    fake_regs.entry_vector = vector;
    if (setjmp(stopped))
        return true;
    do_trap(&fake_regs);
    return false;
}

static void a_stack_run_over_is_told_apart(void)
{
    unsigned long block = (unsigned long)own_stack;
    CHECK(stops_although_there_is_a_fix_up(TRAP_machine_check, 0));
    CHECK(stops_although_there_is_a_fix_up(TRAP_double_fault, block + 8 * PAGE_SIZE + 8));
    CHECK(strstr(last_words, "stack of CPU 0 run over"));
    CHECK(stops_although_there_is_a_fix_up(TRAP_double_fault, block + 9 * PAGE_SIZE));
    CHECK(strstr(last_words, "double fault"));
    CHECK(stops_although_there_is_a_fix_up(TRAP_double_fault, block + STACK_SIZE + 8 * PAGE_SIZE));
    CHECK(strstr(last_words, "double fault"));
}

/* The guest's kernel takes the exception that our iretq had, with its error code, as its own. */
static void a_frame_that_iretq_refuses_is_the_guests_fault(void)
{
    static const struct {
        unsigned vector;
        uint32_t error_code;
    } cases[] = {{TRAP_gp_fault, 0x33}, {TRAP_stack_error, 0x2b}, {TRAP_no_segment, 0x48}};
    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        start(&v, OWN_CS);
        has_fixup = true;
        fake_regs.entry_vector = cases[i].vector;
        fake_regs.error_code = cases[i].error_code;
        do_trap(&fake_regs);
        start(&v, GUEST_CS64);
        do_iret_fault(&fake_regs);
        CHECK(entered(cases[i].vector) && ((const uint64_t *)fake_regs.rsp)[2] == cases[i].error_code && irqs_on);
    }
}

/* ---- System calls ---- */

static void system_calls_of_programs_of_32_bits(void)
{
    start(&v, GUEST_CS64);
    v.pv.kernel_mode = false;
    v.pv.kernel_sp = TOP;
    v.pv.syscall.address = 0x9000;
    v.pv.syscall32 = (struct pv_callback){0xa000, true};
    fake_regs.entry_vector = ENTRY_SYSCALL32;
    pv_syscall(&fake_regs);
    CHECK(fake_regs.rip == 0xa000 && v.pv.kernel_mode && v.info->evtchn_upcall_mask);
    /* To a kernel it is no hypercall. */
    start(&v, GUEST_CS64);
    v.pv.syscall32.address = 0xa000;
    fake_regs.entry_vector = ENTRY_SYSCALL32;
    pv_syscall(&fake_regs);
    CHECK(entered(TRAP_invalid_op) && ((const uint64_t *)fake_regs.rsp)[2] == RIP - 2 && !strchr(steps, 'H'));
}

/* ---- The way back ---- */

static bool work(const char *expected, bool more)
{
    return exit_work() == more && !strcmp(steps, expected) && !irqs_on;
}

static void one_step_at_a_time(void)
{
    start(&v, GUEST_CS64);
    CHECK(work("lc", false));
    start(&hvm, GUEST_CS64); /* whatever waits comes before the guest, softirqs before the console */
    console_ring_grew = true;
    fake_cpu->softirq_pending = 1UL << SOFTIRQ_TIMER | 1UL << SOFTIRQ_SCHEDULE;
    CHECK(work("lcts", true) && !fake_cpu->softirq_pending && console_ring_grew);
    CHECK(work("lctslcn", true) && !console_ring_grew);
    start(&v, GUEST_CS64);
    fake_cpu->softirq_pending = 1UL << SOFTIRQ_SCHEDULE;
    CHECK(work("lcs", true) && !fake_cpu->softirq_pending);
    start(&idle_vcpu, GUEST_CS64);
    CHECK(work("lch", true));
}

static void an_hvm_vcpu_is_entered_from_here(void)
{
    start(&hvm, GUEST_CS64);
    CHECK(work("lce", true));
}

static void events_are_delivered(void)
{
    start(&v, GUEST_CS64);
    v.pv.event = (struct pv_callback){0x9000, true};
    v.info->evtchn_upcall_pending = 1;
    CHECK(work("lc", true) && fake_regs.rip == 0x9000 && v.info->evtchn_upcall_mask);
    steps[0] = 0;
    CHECK(work("lc", false));
    start(&v, GUEST_CS64);
    v.pv.nmi.address = 0xb000;
    v.info->evtchn_upcall_mask = 1;
    v.nmi_pending = true;
    CHECK(work("lc", true) && fake_regs.rip == 0xb000 && !v.nmi_pending);
}

int main(void)
{
    most_go_to_the_guests_kernel();
    a_breakpoint_is_told_and_its_status_is_the_guests();
    the_fpu_is_ours_first();
    those_we_finish_are_handed_on();
    some_a_guest_cannot_have();
    nmis_and_interrupts();
    own_faults_have_a_fix_up_or_end_it();
    own_breakpoints_are_passed_over();
    a_stack_run_over_is_told_apart();
    a_frame_that_iretq_refuses_is_the_guests_fault();
    system_calls_of_programs_of_32_bits();
    one_step_at_a_time();
    an_hvm_vcpu_is_entered_from_here();
    events_are_delivered();
    return 0;
}
