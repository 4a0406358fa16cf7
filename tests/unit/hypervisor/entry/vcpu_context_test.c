/*
 * A PV vcpu's registers from outside: what is taken, and what is left of it when they are refused.
 */
#include "../../check.h"
#include <hv/cpu.h>
#include <hv/domain.h>
#include <hv/pv.h>
#include <hv/pv_internal.h>
#include <hv/time.h>
#include <hv/xstate.h>

#define ROOT      0x100UL
#define USER_ROOT 0x200UL

static struct domain guest = {.id = 1};
static struct vcpu v = {.domain = &guest};
static struct vcpu_guest_context context;
static int root_answer, user_root_answer, gdt_answer, ldt_answer;

static int set_root(mfn_t *slot, mfn_t mfn, int answer)
{
    if (!answer || !mfn)
        *slot = mfn;
    return mfn ? answer : 0;
}
int pv_set_root(struct vcpu *vcpu, mfn_t mfn)
{
    return set_root(&vcpu->pv.root_kernel, mfn, root_answer);
}
int pv_set_user_root(struct vcpu *vcpu, mfn_t mfn)
{
    return set_root(&vcpu->pv.root_user, mfn, user_root_answer);
}
int pv_set_gdt(struct vcpu *vcpu, const uint64_t *frames, unsigned entries)
{
    vcpu->pv.gdt_frames = !gdt_answer;
    return gdt_answer;
}
void pv_drop_gdt(struct vcpu *vcpu)
{
    vcpu->pv.gdt_frames = 0;
}
int pv_set_ldt(struct vcpu *vcpu, unsigned long address, unsigned entries)
{
    return ldt_answer;
}
void pv_drop_ldt(struct vcpu *vcpu)
{
}
unsigned long pv_fix_cr4(unsigned long wanted)
{
    return wanted;
}
int pv_set_debug_register(struct vcpu *vcpu, unsigned index, unsigned long value)
{
    return 0;
}
uint64_t pv_sane_rflags(uint64_t rflags)
{
    return rflags | X86_EFLAGS_IF;
}
void xstate_import_fxsave(struct vcpu *vcpu, const void *fxsave)
{
}
void domain_update_wallclock(struct domain *d)
{
}

/* One that runs already. */
static void start(void)
{
    root_answer = user_root_answer = gdt_answer = ldt_answer = 0;
    memset(&context, 0, sizeof(context));
    context.flags = VGCF_in_kernel | VGCF_online;
    context.user_regs.rip = 0x1000;
    context.ctrlreg[3] = ROOT << PAGE_SHIFT;
    context.ctrlreg[1] = USER_ROOT << PAGE_SHIFT | 1;
    memset(&v.pv, 0, sizeof(v.pv));
    v.pv.kernel_mode = true;
    v.pv.root_kernel = 0x300;
    v.initialised = true;
    v.offline = false;
}

static void taken(void)
{
    start();
    v.initialised = false;
    CHECK(!pv_vcpu_set_context(&v, &context));
    CHECK(v.initialised && v.regs.rip == 0x1000 && v.pv.root_kernel == ROOT && v.pv.root_user == USER_ROOT);
    CHECK((v.regs.cs & 3) == 3 && (v.regs.ss & 3) == 3 && v.regs.rflags & X86_EFLAGS_IF && !v.regs.entry_vector);
}

/* Whatever is refused: a vcpu that may run has the root table of its mode. */
static bool has_root(void)
{
    return v.pv.kernel_mode ? v.pv.root_kernel : v.pv.root_user;
}

static void refused(void)
{
    int *const answers[] = {&root_answer, &user_root_answer, &gdt_answer, &ldt_answer};
    for (unsigned i = 0; i < ARRAY_SIZE(answers); i++) {
        start();
        context.ldt_ents = 1;
        *answers[i] = -EINVAL;
        CHECK(pv_vcpu_set_context(&v, &context) == -EINVAL);
        CHECK((!v.initialised && v.offline) || has_root());
    }
    start();
    context.ctrlreg[3] = 0;
    CHECK(pv_vcpu_set_context(&v, &context) == -EINVAL && v.initialised && has_root());
    start();
    context.flags = 0;
    context.ctrlreg[1] = 0; /* user mode without a table of its own */
    CHECK(pv_vcpu_set_context(&v, &context) == -EINVAL && v.initialised && has_root());
    start();
    context.trap_ctxt[255].address = 1UL << 47;
    CHECK(pv_vcpu_set_context(&v, &context) == -EINVAL && has_root());
}

static void expect_nothing_taken(void)
{
    struct vcpu_guest_context hostile = context;
    start();
    CHECK(pv_vcpu_set_context(&v, &hostile) == -EINVAL && v.initialised && v.pv.root_kernel == 0x300);
}

/* Addresses that would fault in us, and tables larger than there are. */
static void hostile(void)
{
    uint64_t *const address[] = {&context.user_regs.rip,
                                 &context.event_callback_eip,
                                 &context.failsafe_callback_eip,
                                 &context.syscall_callback_eip,
                                 &context.fs_base,
                                 &context.gs_base_kernel,
                                 &context.gs_base_user,
                                 &context.trap_ctxt[0].address};
    for (unsigned i = 0; i < ARRAY_SIZE(address); i++) {
        start();
        *address[i] = 1UL << 47;
        expect_nothing_taken();
    }
    start();
    context.gdt_ents = FIRST_RESERVED_GDT_ENTRY + 1;
    expect_nothing_taken();
    start();
    context.ldt_ents = 8193;
    expect_nothing_taken();
    start();
    context.flags = 0;
    context.ctrlreg[1] = 1; /* a table of user mode that is frame 0 */
    expect_nothing_taken();
    start();
    context.vm_assist = ~0UL;
    CHECK(!pv_vcpu_set_context(&v, &context) && v.domain->vm_assist == PV_ASSISTS);
}

/* Tables that take longer: asked for again, with what there is so far. */
static void in_pieces(void)
{
    start();
    v.initialised = false;
    user_root_answer = -ERESTART;
    CHECK(pv_vcpu_set_context(&v, &context) == -ERESTART && !v.initialised && v.pv.root_kernel == ROOT);
    user_root_answer = 0;
    CHECK(!pv_vcpu_set_context(&v, &context) && v.initialised && v.pv.root_user == USER_ROOT);
}

int main(void)
{
    taken();
    refused();
    hostile();
    in_pieces();
    return 0;
}
