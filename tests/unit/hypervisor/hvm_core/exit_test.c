/*
 * hvm/exit.c: what nested faults mean, and how far an instruction goes. Everything the handlers call is a note here.
 */
#include "machine.h"
#include <hv/hvm_io.h>
#include <hv/hvm_irq.h>
#include <hv/p2m.h>
#include <hv/sched.h>
#include <hv/traps.h>
#include <hv/vdev.h>

static enum p2m_type kind;
static unsigned emulated, exceptions, steps;
static uint8_t vector;
static bool fixable;

mfn_t p2m_lookup(struct domain *d, gfn_t gfn, enum p2m_type *type, unsigned *order)
{
    *type = kind;
    return kind == P2M_HOLE ? INVALID_MFN : 5;
}
bool p2m_fix_write_fault(struct domain *d, gfn_t gfn)
{
    return fixable;
}
enum emulate_outcome hvm_emulate_one(struct vcpu *v, struct cpu_user_regs *regs, const uint8_t *bytes, unsigned count)
{
    emulated++;
    return EMULATE_OK;
}
void hvm_inject_exception(struct vcpu *v, uint8_t which, uint32_t error_code)
{
    exceptions++;
    vector = which;
}
void hvm_inject_event(struct vcpu *v, const struct hvm_event *event)
{
}
void hvm_single_step(struct vcpu *v)
{
    steps++;
}
unsigned hvm_instruction_length(struct vcpu *v, const struct cpu_user_regs *regs)
{
    return 3;
}
unsigned hvm_fetch(struct vcpu *v, const struct cpu_user_regs *regs, uint8_t bytes[15])
{
    return 0;
}

static void fault(enum p2m_type at, bool write, bool fetch, bool in_walk)
{
    struct hvm_exit e = {.reason = EXIT_NESTED_FAULT};
    machine_reset();
    emulated = exceptions = steps = 0;
    kind = at;
    e.fault.gpa = 0x5000;
    e.fault.write = write;
    e.fault.fetch = fetch;
    e.fault.in_walk = in_walk;
    hvm_handle_exit(&vcpu, &fake_regs, &e);
}

static bool tries_again(void)
{
    return !emulated && !exceptions && !crashes;
}

static void data(void)
{
    fault(P2M_RAM, true, false, false);
    CHECK(tries_again());
    fault(P2M_GRANT_READONLY, false, false, false);
    CHECK(tries_again());
    fault(P2M_GRANT_READONLY, true, false, false);
    CHECK(emulated == 1);
    fault(P2M_RAM_LOG_DIRTY, true, false, false);
    CHECK(emulated == 1); /* not one that could be made writable */
    fixable = true;
    fault(P2M_RAM_LOG_DIRTY, true, false, false);
    CHECK(tries_again());
    fixable = false;
    fault(P2M_HOLE, false, false, false);
    CHECK(emulated == 1);
    fault(P2M_MMIO_DM, true, false, false);
    CHECK(emulated == 1);
}

/* A stale translation is tried again; memory without the right to execute would be for ever. */
static void code(void)
{
    static const enum p2m_type data_only[] = {P2M_FOREIGN, P2M_GRANT_WRITABLE, P2M_GRANT_READONLY, P2M_SHARED};
    fault(P2M_RAM, false, true, false);
    CHECK(tries_again());
    fault(P2M_RAM_READONLY, false, true, false);
    CHECK(tries_again());
    for (unsigned i = 0; i < ARRAY_SIZE(data_only); i++) {
        fault(data_only[i], false, true, false);
        CHECK(exceptions == 1 && vector == TRAP_gp_fault && !emulated && !crashes);
    }
    fault(P2M_GRANT_WRITABLE, false, true, true); /* page tables there are read, whatever for */
    CHECK(tries_again());
    fault(P2M_HOLE, false, true, false);
    CHECK(crashes == 1 && !exceptions);
}

static void skipping(void)
{
    struct hvm_exit e = {.reason = EXIT_INVD};
    machine_reset();
    steps = 0;
    fake_regs.rip = 0xffffffff;
    segment[SEG_CS].attributes = SEG_ATTR_DB;
    hvm_handle_exit(&vcpu, &fake_regs, &e);
    CHECK(fake_regs.rip == 2 && !steps);
    fake_regs.rflags = X86_EFLAGS_TF | X86_EFLAGS_RF;
    hvm_handle_exit(&vcpu, &fake_regs, &e);
    CHECK(fake_regs.rip == 5 && steps == 1 && fake_regs.rflags == X86_EFLAGS_TF);
}

int main(void)
{
    data();
    code();
    skipping();
    puts("ok");
    return 0;
}
