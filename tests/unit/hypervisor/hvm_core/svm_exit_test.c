/*
 * hvm/svm/exit.c: what the neutral code finds when it handles an exit. Expected: AMD APM volume 2, 15.7.1 (next rip),
 * appendix C (exit codes).
 */
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
unsigned hvm_fetch(struct vcpu *v, const struct cpu_user_regs *regs, uint8_t bytes[15])
{
    return 0;
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
    check(handled == 1 && seen.reason == EXIT_CPUID && seen.length == 2 && efer_seen == (EFER_LME | EFER_LMA));
    check(fake_regs.rip == 0xffffffff81000000 && !seen.interrupted.valid);
    svm_features = 0;
    exit_with(EXIT_CODE_CPUID, 0);
    check(handled == 1 && seen.length == 0);
}

static void test_unknown(void)
{
    svm_features = 0;
    exit_with(EXIT_CODE_NONE, 0);
    check(handled == 1 && seen.reason == EXIT_UNKNOWN && seen.code == EXIT_CODE_NONE);
}

/* What the refused entry was to flush may still be there. */
static void test_refused_entry(void)
{
    exit_with(SVM_EXIT_INVALID, 0);
    check(!handled && crashes == 1 && forgotten == 1);
}

int main(void)
{
    test_mode_of_a_skipped_instruction();
    test_unknown();
    test_refused_entry();
    return 0;
}
