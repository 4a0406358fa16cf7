/*
 * From one vcpu to another on a CPU: what is kept of the one, and what the processor has of the other.
 */
#include "../../check.h"
#include <hv/boot.h>
#include <hv/cpu.h>
#include <hv/descriptor_tables.h>
#include <hv/domain.h>
#include <hv/hvm.h>
#include <hv/pv_internal.h>
#include <hv/sched.h>
#include <hv/selectors.h>
#include <hv/time.h>
#include <hv/tlb.h>
#include <hv/xstate.h>

volatile uint64_t tlbflush_clock = 100;
unsigned long fake_cr3, fake_cr4, fake_dr7;
struct fake_selectors fake_selectors;
static uint64_t msrs[3];

#define HOST_CR4 (X86_CR4_PAE | X86_CR4_OSXSAVE | X86_CR4_UMIP | X86_CR4_SMAP | X86_CR4_VMXE)
#define OWN_ROOT 0x9000UL

/* What was done beside the registers, a letter for each. */
static char done[32];
static void note(char what)
{
    size_t n = strlen(done);
    CHECK(n < sizeof(done) - 1);
    done[n] = what;
    done[n + 1] = 0;
}

uint64_t *fake_msr(uint32_t msr)
{
    CHECK(msr == MSR_FS_BASE || msr == MSR_GS_BASE || msr == MSR_KERNEL_GS_BASE);
    return &msrs[msr - MSR_FS_BASE];
}
static uint16_t missing;
bool fake_selector_exists(uint16_t selector)
{
    return !selector || selector != missing;
}
void descriptor_tables_load(const struct cpu *cpu)
{
    CHECK(cpu == &cpus[0]);
    note('o');
}
void pv_load_descriptors(struct vcpu *v, const struct cpu *cpu)
{
    CHECK(fake_cr3 == (v->pv.kernel_mode ? v->pv.root_kernel : v->pv.root_user) << PAGE_SHIFT);
    note('d');
}
void pv_load_debug_registers(const struct vcpu *v)
{
    CHECK(current == v);
    note('b');
}
void xstate_save(struct vcpu *v)
{
    CHECK(current == v);
    note('s');
}
void xstate_restore(struct vcpu *v)
{
    CHECK(current == v);
    note('r');
}
void hvm_put_away(struct vcpu *v)
{
    CHECK(current == v);
    note('a');
}
void hvm_install(struct vcpu *v)
{
    CHECK(current == v && fake_cr3 == OWN_ROOT && !fake_selectors.ldt);
    note('h');
}
void vcpu_update_time(struct vcpu *v)
{
    CHECK(current == v);
    note('t');
}
void runstate_update_guest(struct vcpu *v)
{
    CHECK(current == v);
    note('u');
}

static struct domain one = {.id = 1}, two = {.id = 2}, translated = {.id = 3}, nobody = {.is_idle = true};
static struct hvm_domain hvm;
static struct vcpu a = {.domain = &one}, b = {.domain = &two}, h = {.domain = &translated}, idle = {.domain = &nobody};

static void start(struct vcpu *running)
{
    translated.hvm = &hvm;
    one.tsc.emulated = two.tsc.emulated = false;
    memset(&a.pv, 0, sizeof(a.pv));
    memset(&b.pv, 0, sizeof(b.pv));
    a.pv.kernel_mode = b.pv.kernel_mode = true;
    a.pv.root_kernel = 1, a.pv.root_user = 2, b.pv.root_kernel = 3, b.pv.root_user = 4;
    cpus[0].root_table = OWN_ROOT;
    fake_cr4 = HOST_CR4;
    fake_dr7 = 0x777;
    fake_selectors = (struct fake_selectors){0x1b, 0x23, 0x2b, 0x33, 0xe058};
    msrs[0] = 0xf5, msrs[1] = 0x65, msrs[2] = 0x66;
    missing = 0;
    done[0] = 0;
    memset(&fake_regs, 0x5a, sizeof(fake_regs));
    memset(&b.regs, 0x3c, sizeof(b.regs));
    fake_current[0] = running;
}

static void from_guest_to_guest(void)
{
    for (unsigned modes = 0; modes < 4; modes++) {
        start(&a);
        a.pv.kernel_mode = modes & 1;
        b.pv.kernel_mode = modes & 2;
        b.pv.fs_base = 1, b.pv.gs_base_kernel = 2, b.pv.gs_base_user = 3;
        b.regs.ds = 0x41, b.regs.es = 0x42, b.regs.fs = 0x43, b.regs.gs = 0x44;
        uint64_t clock = tlbflush_clock;
        context_switch(&a, &b);
        CHECK(current == &b && !strcmp(done, "sdbrtu") && fake_dr7 == 0x777);
        CHECK(a.regs.rip == 0x5a5a5a5a5a5a5a5aUL && a.regs.ds == 0x1b && a.regs.gs == 0x33);
        CHECK(a.pv.fs_base == 0xf5 && a.pv.gs_base_kernel == (modes & 1 ? 0x65 : 0x66) &&
              a.pv.gs_base_user == (modes & 1 ? 0x66 : 0x65));
        CHECK(fake_regs.rip == 0x3c3c3c3c3c3c3c3cUL && fake_selectors.ds == 0x41 && fake_selectors.gs == 0x44);
        CHECK(msrs[0] == 1 && msrs[1] == (modes & 2 ? 2 : 3) && msrs[2] == (modes & 2 ? 3 : 2));
        CHECK(fake_cr3 == (modes & 2 ? 3UL : 4UL) << PAGE_SHIFT && cpus[0].current_cr3 == fake_cr3);
        /* Loading a root is a flush, and its stamp is of before. */
        CHECK(tlbflush_clock == clock + 1 && cpus[0].tlbflush_time == clock + 1);
    }
}

/* Each guest's own, and nothing else of what it reads back. */
static void control_registers(void)
{
    const unsigned long loaded = X86_CR4_TSD | X86_CR4_DE | X86_CR4_FSGSBASE;
    start(&a);
    for (unsigned long wanted = 0; wanted <= loaded; wanted++) {
        if (wanted & ~loaded)
            continue;
        b.pv.cr4 = wanted | X86_CR4_PGE;
        a.pv.cr4 = ~wanted & loaded;
        context_switch(&a, &b);
        CHECK(fake_cr4 == (HOST_CR4 | wanted));
        done[0] = 0;
        context_switch(&b, &a);
        CHECK(fake_cr4 == (HOST_CR4 | (~wanted & loaded)));
        done[0] = 0;
    }
    start(&a);
    two.tsc.emulated = true;
    context_switch(&a, &b);
    CHECK(fake_cr4 == (HOST_CR4 | X86_CR4_TSD));
    cpu_features.fsgsbase = false;
    CHECK(pv_fix_cr4(~0UL) == (X86_CR4_PAE | X86_CR4_OSXSAVE | X86_CR4_SMAP | X86_CR4_TSD | X86_CR4_DE));
    cpu_features.fsgsbase = true;
    CHECK(pv_fix_cr4(~0UL) & X86_CR4_FSGSBASE);
    CHECK(pv_fix_cr4(0) == (X86_CR4_PAE | X86_CR4_SMAP));
}

static void lost_selectors(void)
{
    static const uint16_t all[] = {0x41, 0x42, 0x43, 0x44}, others[] = {0x51, 0x52, 0x53, 0x54};
    for (unsigned lost = 0; lost < 4; lost++) {
        start(&a);
        b.regs.ds = all[0], b.regs.es = all[1], b.regs.fs = all[2], b.regs.gs = all[3];
        missing = all[lost];
        context_switch(&a, &b);
        CHECK(b.pv.selectors_lost && !memcmp(b.pv.lost_selectors, all, sizeof(all)));
        CHECK((&fake_selectors.ds)[lost] == 0 && (&fake_selectors.ds)[(lost + 1) % 4] == all[(lost + 1) % 4]);
        /* Told of once: what is lost before the guest has heard of it does not replace it. */
        b.regs.ds = others[0], b.regs.es = others[1], b.regs.fs = others[2], b.regs.gs = others[3];
        missing = others[lost];
        done[0] = 0;
        fake_current[0] = &a;
        context_switch(&a, &b);
        CHECK(b.pv.selectors_lost && !memcmp(b.pv.lost_selectors, all, sizeof(all)));
    }
    start(&a);
    context_switch(&a, &b);
    CHECK(!b.pv.selectors_lost);
}

static void breakpoints_go_off(void)
{
    start(&a);
    a.pv.dr[7] = 0x401;
    context_switch(&a, &idle);
    CHECK(fake_dr7 == 0x400);
}

static bool on_own_tables(void)
{
    return fake_cr3 == OWN_ROOT && cpus[0].current_cr3 == OWN_ROOT && !fake_selectors.ldt && !fake_selectors.ds &&
           !fake_selectors.es;
}

/* Nothing of a PV guest's tables stays on a CPU that does not run it: they may go meanwhile. */
static void no_guest(void)
{
    start(&a);
    context_switch(&a, &idle);
    CHECK(current == &idle && !strcmp(done, "so") && on_own_tables());
    done[0] = 0;
    context_switch(&idle, &b);
    CHECK(current == &b && !strcmp(done, "dbrtu"));
    start(&a);
    context_switch(&a, &h);
    CHECK(current == &h && !strcmp(done, "sohtu") && on_own_tables());
    done[0] = 0;
    context_switch(&h, &b);
    CHECK(current == &b && !strcmp(done, "adbrtu"));
}

int main(void)
{
    from_guest_to_guest();
    control_registers();
    lost_selectors();
    breakpoints_go_off();
    no_guest();
    return 0;
}
