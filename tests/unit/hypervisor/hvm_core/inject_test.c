/*
 * Events: how two merge, which comes first, and what an interrupt that was cut short becomes. The real hvm/inject.c.
 * Expected results: Intel SDM volume 3, table 6-5.
 */
#include <setjmp.h>
#include <hv/hvm_io.h>
#include <hv/hvm_irq.h>
#include <hv/traps.h>
#include <hv/vdev.h>
#include "machine.h"

static int controller = -1; /* vector the interrupt controllers offer */
static unsigned acknowledged, redone;
static bool startup_runs = true, io_answered = true;

int hvm_pending_interrupt(struct vcpu *v, bool acknowledge)
{
    int vector = controller;
    CHECK(!interrupts_on);
    if (acknowledge) {
        acknowledged++;
        controller = -1;
    }
    return vector;
}
bool vlapic_take_startup(struct vcpu *v)
{
    return startup_runs;
}
static bool apic_enabled;
static unsigned upcalls;
bool vlapic_enabled(const struct vcpu *v)
{
    return apic_enabled;
}
void hvm_assert_upcall(struct vcpu *v)
{
    upcalls++;
}
bool hvm_io_take_answers(struct vcpu *v)
{
    CHECK(interrupts_on);
    if (!io_answered)
        fake_raise_softirq(SOFTIRQ_SCHEDULE);
    else
        hvm_vcpu.io_servers = 0;
    return io_answered;
}
void hvm_handle_exit(struct vcpu *v, struct cpu_user_regs *regs, const struct hvm_exit *record)
{
    CHECK(interrupts_on && record == hvm_vcpu.redo);
    redone++;
}

/* The processor: entering ends the call that led to it. */
static jmp_buf back;
static void enter(void)
{
    longjmp(back, 1);
}

/* One way to the guest; false: v was not entered. */
static bool enter_guest(void)
{
    struct hvm_vendor *vendor = (struct hvm_vendor *)hvm_vendor;
    static struct hvm_vendor copy;
    copy = *vendor;
    copy.enter = enter;
    hvm_vendor = &copy;
    injected.valid = false;
    if (setjmp(back))
        return true;
    CHECK(hvm_resume(&vcpu));
    return false;
}

static void start(void)
{
    machine_reset();
    controller = -1;
    acknowledged = redone = 0;
    startup_runs = io_answered = true;
}

enum outcome { SECOND, DOUBLE_FAULT, TRIPLE };

static void merge(uint8_t first, uint8_t second, enum outcome expected)
{
    start();
    hvm_inject_exception(&vcpu, first, trap_has_error_code(first) ? 0 : HVM_NO_ERROR_CODE);
    hvm_inject_exception(&vcpu, second, trap_has_error_code(second) ? 4 : HVM_NO_ERROR_CODE);
    CHECK(shutdowns == (expected == TRIPLE));
    CHECK(enter_guest());
    if (expected == TRIPLE) {
        CHECK(!injected.valid);
        return;
    }
    CHECK(injected.valid && injected.vector == (expected == SECOND ? second : TRAP_double_fault));
    CHECK(injected.has_error_code == trap_has_error_code(injected.vector));
    CHECK(injected.error_code == (expected == SECOND && injected.has_error_code ? 4U : 0U));
}

static void test_merging(void)
{
    static const uint8_t contributory[] = {TRAP_divide_error, TRAP_invalid_tss, TRAP_no_segment, TRAP_stack_error,
                                           TRAP_gp_fault};
    static const uint8_t benign[] = {TRAP_debug, TRAP_invalid_op, TRAP_no_device, TRAP_alignment_check,
                                     TRAP_simd_error};
    for (unsigned i = 0; i < ARRAY_SIZE(contributory); i++) {
        for (unsigned j = 0; j < ARRAY_SIZE(contributory); j++)
            merge(contributory[i], contributory[j], DOUBLE_FAULT);
        merge(contributory[i], TRAP_page_fault, SECOND);
        merge(TRAP_page_fault, contributory[i], DOUBLE_FAULT);
        merge(TRAP_double_fault, contributory[i], TRIPLE);
        for (unsigned j = 0; j < ARRAY_SIZE(benign); j++) {
            merge(contributory[i], benign[j], SECOND);
            merge(benign[j], contributory[i], SECOND);
        }
    }
    merge(TRAP_page_fault, TRAP_page_fault, DOUBLE_FAULT);
    merge(TRAP_double_fault, TRAP_page_fault, TRIPLE);
    merge(TRAP_debug, TRAP_page_fault, SECOND);
}

static void test_page_fault_address(void)
{
    start();
    hvm_inject_page_fault(&vcpu, 0x1234567890, 6);
    CHECK(enter_guest() && injected.vector == TRAP_page_fault && injected.cr2 == 0x1234567890 &&
          injected.error_code == 6);
    CHECK(enter_guest() && !injected.valid);
}

static struct hvm_event interrupt(uint8_t vector)
{
    return (struct hvm_event){.valid = true, .vector = vector, .kind = HVM_EVENT_EXTERNAL};
}

/* An interrupt whose delivery faults comes after the fault, once the guest takes interrupts again. */
static void test_interrupt_then_exception(void)
{
    struct hvm_event e = interrupt(0x55);
    start();
    hvm_inject_event(&vcpu, &e);
    hvm_inject_page_fault(&vcpu, 0x1000, 2);
    CHECK(enter_guest() && injected.vector == TRAP_page_fault && injected.cr2 == 0x1000);
    controller = 0x66;
    interruptible = false;
    CHECK(enter_guest() && !injected.valid && window_wanted);
    interruptible = true;
    CHECK(enter_guest() && injected.vector == 0x55 && injected.kind == HVM_EVENT_EXTERNAL && !acknowledged);
    CHECK(enter_guest() && injected.vector == 0x66 && acknowledged == 1);
}

static void test_interrupts(void)
{
    start();
    CHECK(enter_guest() && !injected.valid && !window_wanted);
    controller = 0x40;
    interruptible = false;
    CHECK(enter_guest() && !injected.valid && window_wanted && !acknowledged);
    interruptible = true;
    CHECK(enter_guest() && injected.vector == 0x40 && injected.kind == HVM_EVENT_EXTERNAL && !injected.has_error_code);
    CHECK(acknowledged == 1);
    /* an exception that is due comes first, and the interrupt is not taken from its controller for nothing */
    controller = 0x41;
    hvm_inject_exception(&vcpu, TRAP_gp_fault, 8);
    CHECK(enter_guest() && injected.vector == TRAP_gp_fault && acknowledged == 1);
    CHECK(enter_guest() && injected.vector == 0x41);
}

static void test_nmi(void)
{
    start();
    vcpu.nmi_pending = true;
    controller = 0x40;
    nmi_allowed = false;
    CHECK(enter_guest() && !injected.valid && vcpu.nmi_pending);
    nmi_allowed = true;
    CHECK(enter_guest() && injected.kind == HVM_EVENT_NMI && injected.vector == 2 && !vcpu.nmi_pending);
    CHECK(enter_guest() && injected.vector == 0x40);
}

/* Both come again when the delivery of an NMI faults while an interrupt is waiting for its turn. */
static void test_nmi_then_exception(void)
{
    struct hvm_event e = interrupt(0x55);
    start();
    hvm_inject_event(&vcpu, &e);
    hvm_inject_page_fault(&vcpu, 0x1000, 2);
    CHECK(enter_guest() && injected.vector == TRAP_page_fault);
    interruptible = false;
    vcpu.nmi_pending = true;
    CHECK(enter_guest() && injected.kind == HVM_EVENT_NMI);
    hvm_inject_event(&vcpu, &(struct hvm_event){.vector = TRAP_nmi, .kind = HVM_EVENT_NMI});
    hvm_inject_page_fault(&vcpu, 0x2000, 2);
    CHECK(enter_guest() && injected.vector == TRAP_page_fault && injected.cr2 == 0x2000);
    CHECK(enter_guest() && injected.kind == HVM_EVENT_NMI && !vcpu.nmi_pending);
    CHECK(enter_guest() && !injected.valid);
    interruptible = true;
    CHECK(enter_guest() && injected.vector == 0x55 && injected.kind == HVM_EVENT_EXTERNAL);
}

/* No event comes between an instruction's I/O and its completion. */
static void test_io(void)
{
    struct hvm_exit record = {.reason = EXIT_PORT};
    start();
    hvm_vcpu.redo = &record;
    hvm_vcpu.redo_valid = true;
    hvm_vcpu.io_servers = 1;
    controller = 0x40;
    io_answered = false;
    CHECK(!enter_guest() && softirqs == 1 && !redone && !interrupts_on);
    io_answered = true;
    CHECK(!enter_guest() && redone == 1 && !acknowledged && !interrupts_on);
    CHECK(enter_guest() && injected.vector == 0x40 && redone == 1);
}

static void test_startup(void)
{
    start();
    startup_runs = false;
    CHECK(!enter_guest() && softirqs == 1);
}

/* Events that came while the APIC was off are told once it is on; once. */
static void test_owed_upcall(void)
{
    static struct vcpu_info info;
    start();
    vcpu.info = &info;
    info.evtchn_upcall_pending = 1;
    hvm_vcpu.upcall_owed = true;
    upcalls = 0;
    CHECK(enter_guest() && !upcalls && hvm_vcpu.upcall_owed);
    apic_enabled = true;
    CHECK(enter_guest() && upcalls == 1 && !hvm_vcpu.upcall_owed);
    CHECK(enter_guest() && upcalls == 1);
    hvm_vcpu.upcall_owed = true;
    info.evtchn_upcall_pending = 0;
    CHECK(enter_guest() && upcalls == 1);
}

static void test_translations(void)
{
    start();
    CHECK(enter_guest() && !flushes);
    vcpu.domain->hvm->tlb_generation++;
    CHECK(enter_guest() && flushes == 1);
    CHECK(enter_guest() && flushes == 1);
}

static void test_single_step(void)
{
    start();
    hvm_single_step(&vcpu);
    CHECK(hvm_vcpu.dr6 == (0xffff0ff0 | 0x4000) && debug_updates == 1);
    CHECK(enter_guest() && injected.vector == TRAP_debug && !injected.has_error_code);
}

int main(void)
{
    test_merging();
    test_single_step();
    test_page_fault_address();
    test_interrupt_then_exception();
    test_interrupts();
    test_nmi();
    test_nmi_then_exception();
    test_io();
    test_startup();
    test_owed_upcall();
    test_translations();
    return 0;
}
