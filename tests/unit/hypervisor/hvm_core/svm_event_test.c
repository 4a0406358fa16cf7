/*
 * hvm/svm/event.c: where the handler of a software event returns to, with and without NRIP save, and what becomes of
 * rip when the delivery is cut short. Expected: AMD APM volume 2, 15.20.
 */
#include <hv/svm.h>
#include <hv/traps.h>
#include "machine.h"

uint32_t svm_features;
static struct vmcb block;
static struct svm_vcpu svm;

static void start(uint32_t features, uint64_t rip)
{
    machine_reset();
    svm_features = features;
    block = (struct vmcb){0};
    svm = (struct svm_vcpu){.vmcb = &block};
    hvm_vcpu.vendor = &svm;
    hvm_vcpu.efer = EFER_LMA;
    segment[SEG_CS].attributes = SEG_ATTR_L;
    fake_regs.rip = rip;
}

static void inject(uint8_t vector, uint8_t kind, uint8_t length)
{
    svm_inject(&vcpu, &(struct hvm_event){.valid = true, .vector = vector, .kind = kind, .length = length});
}

static void exit_with(uint64_t info, uint64_t code)
{
    block.exit_interrupt_info = info;
    block.exit_code = code;
    block.event_injection = 0;
    if (svm.skipped)
        svm_undo_skip(&vcpu, &fake_regs);
}

static void without_next_rip(void)
{
    struct hvm_event e;
    start(0, 0x1000);
    inject(0x80, HVM_EVENT_SOFTWARE, 2);
    CHECK(block.event_injection == (SVM_EVENT_VALID | 4 << 8 | 0x80) && fake_regs.rip == 0x1002);
    exit_with(0, SVM_EXIT_INTR); /* delivered: rip is the handler's business now */
    CHECK(fake_regs.rip == 0x1002 && !svm.skipped);

    start(0, 0x1000);
    inject(0x80, HVM_EVENT_SOFTWARE, 2);
    exit_with(SVM_EVENT_VALID | 4 << 8 | 0x80, SVM_EXIT_NPF);
    svm_decode_interrupted(&vcpu, &e);
    CHECK(fake_regs.rip == 0x1000 && !e.valid && !svm.skipped);

    start(0, 0x1000);
    inject(TRAP_int3, HVM_EVENT_EXCEPTION, 1);
    CHECK(block.event_injection == (SVM_EVENT_VALID | 3 << 8 | 3) && fake_regs.rip == 0x1001);
    exit_with(SVM_EVENT_VALID | 3 << 8 | 3, SVM_EXIT_TASK);
    svm_decode_interrupted(&vcpu, &e);
    CHECK(fake_regs.rip == 0x1000 && e.valid); /* the task switch looks at the instruction itself */

    start(0, 0xffffffff);
    segment[SEG_CS].attributes = SEG_ATTR_DB;
    inject(0x80, HVM_EVENT_SOFTWARE, 2);
    CHECK(fake_regs.rip == 1);
}

static void with_next_rip(void)
{
    struct hvm_event e;
    start(SVM_NRIP_SAVE, 0x1000);
    inject(0x80, HVM_EVENT_SOFTWARE, 2);
    CHECK(fake_regs.rip == 0x1000 && block.next_rip == 0x1002 && !svm.skipped);
    exit_with(SVM_EVENT_VALID | 4 << 8 | 0x80, SVM_EXIT_NPF);
    svm_decode_interrupted(&vcpu, &e);
    CHECK(fake_regs.rip == 0x1000 && !e.valid);
    inject(TRAP_debug, HVM_EVENT_EXCEPTION, 1); /* int1 */
    CHECK(fake_regs.rip == 0x1001 && !svm.skipped);
    exit_with(SVM_EVENT_VALID | 3 << 8 | 1, SVM_EXIT_NPF);
    svm_decode_interrupted(&vcpu, &e);
    CHECK(fake_regs.rip == 0x1001 && e.valid && !e.length);
}

static void hardware_events(void)
{
    struct hvm_event e;
    start(0, 0x1000);
    svm_inject(&vcpu, &(struct hvm_event){.valid = true,
                                          .vector = TRAP_page_fault,
                                          .kind = HVM_EVENT_EXCEPTION,
                                          .has_error_code = true,
                                          .error_code = 6,
                                          .cr2 = 0x1234});
    CHECK(block.event_injection == (SVM_EVENT_VALID | SVM_EVENT_ERROR_VALID | 6UL << 32 | 3 << 8 | 14));
    CHECK(block.cr2 == 0x1234 && hvm_vcpu.cr2 == 0x1234 && fake_regs.rip == 0x1000);
    exit_with(SVM_EVENT_VALID | SVM_EVENT_ERROR_VALID | 6UL << 32 | 3 << 8 | 14, SVM_EXIT_NPF);
    svm_decode_interrupted(&vcpu, &e);
    CHECK(e.valid && e.vector == TRAP_page_fault && e.error_code == 6 && e.cr2 == 0x1234);
    start(0, 0x1000);
    inject(TRAP_nmi, HVM_EVENT_NMI, 0);
    CHECK(svm.nmi_blocked && block.intercept_1 & SVM_IRET);
}

int main(void)
{
    without_next_rip();
    with_next_rip();
    hardware_events();
    return 0;
}
