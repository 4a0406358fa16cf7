/*
 * hvm/svm/exit.c: what the neutral code finds when it handles an exit. Expected: AMD APM volume 2, 15.7.1 (next rip),
 * appendix C (exit codes).
 */
#include "../../random.h"
#include <hv/svm.h>
#include "machine.h"

#define EXIT_CODE_CPUID 0x72
#define EXIT_CODE_NONE  0x3ff
#define EFER_SVME       0x1000U

uint32_t svm_features;
static struct vmcb block;
static struct svm_vcpu svm;
static struct hvm_exit seen;
static uint64_t efer_seen;
static unsigned handled, forgotten;

void svm_sync(struct vcpu *v)
{
    v->hvm->efer = block.efer & ~(uint64_t)EFER_SVME;
}
void svm_load_debug_registers(struct vcpu *v)
{
}
void svm_decode_interrupted(const struct vcpu *v, struct hvm_event *event)
{
    event->valid = true;
}
void svm_undo_skip(struct vcpu *v, struct cpu_user_regs *regs)
{
}
void svm_forget_asids(void)
{
    forgotten++;
}
static const char *broken;
const char *svm_broken_rule(const struct vmcb *b)
{
    return broken;
}
static uint8_t code[15];
static unsigned code_bytes;
unsigned hvm_fetch(struct vcpu *v, const struct cpu_user_regs *regs, uint8_t bytes[15])
{
    memcpy(bytes, code, sizeof(code));
    return code_bytes;
}
void hvm_handle_exit(struct vcpu *v, struct cpu_user_regs *regs, const struct hvm_exit *exit)
{
    handled++;
    seen = *exit;
    efer_seen = v->hvm->efer;
}

static void exit_with(uint64_t code, uint64_t next_rip)
{
    machine_reset();
    segment[SEG_CS].attributes = SEG_ATTR_L;
    handled = forgotten = 0;
    block = (struct vmcb){.exit_code = code, .rip = 0xffffffff81000000, .next_rip = next_rip};
    block.efer = EFER_SVME | EFER_LME | EFER_LMA;
    svm = (struct svm_vcpu){.vmcb = &block, .nmi_iret_rip = ~0UL};
    hvm_vcpu.vendor = &svm;
    hvm_vcpu.efer = EFER_LME; /* as the guest wrote it; paging came on without an exit */
    svm_exit(&fake_regs);
}

/* How far rip may go depends on the mode the guest is in now. */
static void test_mode_of_a_skipped_instruction(void)
{
    svm_features = SVM_NRIP_SAVE;
    exit_with(EXIT_CODE_CPUID, 0xffffffff81000002);
    CHECK(handled == 1 && seen.reason == EXIT_CPUID && seen.length == 2 && efer_seen == (EFER_LME | EFER_LMA));
    CHECK(fake_regs.rip == 0xffffffff81000000 && !seen.interrupted.valid);
    svm_features = 0;
    exit_with(EXIT_CODE_CPUID, 0);
    CHECK(handled == 1 && seen.length == 0);
}

/* Processors that do not say which register a mov to CR8 has: its bytes do. */
static void test_register_of_a_control_register(void)
{
    static const struct {
        uint8_t count, bytes[15];
        uint8_t reg, length; /* 0: not such an instruction */
    } rows[] = {
        {15, {0x0f, 0x22, 0xc3}, 3, 3},
        {15, {0x44, 0x0f, 0x22, 0xc1}, 1, 4},
        {15, {0x66, 0xf3, 0x45, 0x0f, 0x22, 0xc7}, 15, 6},
        {15, {0x45, 0x2e, 0x0f, 0x22, 0xc7}, 7, 5}, /* a REX that does not count */
        {15, {0xf0, 0x0f, 0x22, 0x44, 0x24}, 4, 4}, /* mod counts for nothing */
        {3, {0x0f, 0x22, 0xc6}, 6, 3},
        {2, {0x0f, 0x22, 0xc0}, 0, 0},
        {0, {0x0f, 0x22, 0xc0}, 0, 0},
        {15, {0x0f, 0x20, 0xc0}, 0, 0},
        {15, {0xc5, 0xf8, 0x22, 0xc0}, 0, 0},
        {15, {0x0f, 0x38, 0x22, 0xc0}, 0, 0},
    };
    svm_features = 0;
    for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
        memcpy(code, rows[i].bytes, sizeof(code));
        code_bytes = rows[i].count;
        exit_with(SVM_EXIT_CR_WRITE + 8, 0);
        CHECK(handled == 1 && seen.reason == (rows[i].length ? EXIT_CR_WRITE : EXIT_UNKNOWN));
        CHECK(!rows[i].length || (seen.cr == 8 && seen.reg == rows[i].reg && seen.length == rows[i].length));
    }
}

static void test_unknown(void)
{
    svm_features = 0;
    exit_with(EXIT_CODE_NONE, 0);
    CHECK(handled == 1 && seen.reason == EXIT_UNKNOWN && seen.code == EXIT_CODE_NONE);
}

/* Instructions that are intercepted because they are not offered: INVLPGB in both forms, MCOMMIT, TLBSYNC, RDPRU. */
static void test_not_offered(void)
{
    static const uint8_t codes[] = {0xa0, 0xa1, 0xa3, 0xa4, 0x8e};
    for (unsigned i = 0; i < sizeof(codes); i++) {
        exit_with(codes[i], 0);
        CHECK(handled == 1 && seen.reason == EXIT_VIRTUALISATION);
    }
}

/* What the refused entry was to flush may still be there. */
static void test_refused_entry(void)
{
    exit_with(SVM_EXIT_INVALID, 0);
    CHECK(!handled && crashes == 1 && forgotten == 1);
}

/* Whatever the guest ran and the processor says of it: a record that hvm/exit.c can index its tables with. */
static void test_random_exits(void)
{
    static const uint8_t likely[] = {0x0f, 0x22, 0x66, 0x48, 0xf0, 0x41, 0xe0};
    static const uint8_t widths[] = {1, 2, 4};
    for (unsigned round = 0; round < 500000; round++) {
        machine_reset();
        handled = crashes = 0;
        for (unsigned i = 0; i < sizeof(code); i++)
            code[i] = random_below(2) ? (uint8_t)random64() : likely[random_below(ARRAY_SIZE(likely))];
        code_bytes = random_below(16);
        svm_features = random_below(2) ? SVM_NRIP_SAVE | SVM_DECODE_ASSISTS : 0;
        segment[SEG_CS].attributes = (uint16_t)random64();
        block = (struct vmcb){.rip = random64(), .exit_code = random_below(0x800), .exit_info_1 = random64()};
        block.exit_code = round % 8 ? block.exit_code % 0x90 : round % 16 ? block.exit_code : SVM_EXIT_NPF;
        block.exit_info_2 = block.next_rip = block.rip + random_below(16);
        block.exit_interrupt_info = random_below(2) ? random64() : 0;
        block.fetched_count = (uint8_t)random64();
        block.interrupt_shadow = random64();
        if (block.exit_code == SVM_EXIT_IOIO)
            block.exit_info_1 = (block.exit_info_1 & ~0x70UL) | (uint64_t)widths[round % 3] << 4;
        block.efer = EFER_SVME;
        svm = (struct svm_vcpu){.vmcb = &block, .nmi_iret_rip = ~0UL};
        hvm_vcpu.vendor = &svm;
        seen.interrupted.valid = false;
        svm_exit(&fake_regs);
        CHECK(handled + crashes <= 1 && fake_regs.rip == block.rip);
        if (!handled)
            continue;
        CHECK(seen.reason < EXIT_COUNT && seen.length <= 15 && seen.code == block.exit_code);
        CHECK(seen.reason != EXIT_PORT || seen.port.bytes == 1 || seen.port.bytes == 2 || seen.port.bytes == 4);
        CHECK(seen.reason != EXIT_CR_WRITE || seen.reg < 16);
        CHECK(seen.reason != EXIT_NESTED_FAULT || seen.fault.byte_count <= sizeof(seen.fault.bytes));
        CHECK(seen.reason != EXIT_TASK_SWITCH || seen.task.reason <= 3);
        CHECK(seen.reason != EXIT_MACHINE_CHECK || block.exit_code == SVM_EXIT_EXCEPTION + 18);
    }
}

int main(void)
{
    test_random_exits();
    test_mode_of_a_skipped_instruction();
    test_register_of_a_control_register();
    test_unknown();
    test_not_offered();
    test_refused_entry();
    return 0;
}
