/*
 * vcpu_op: a second vcpu is made, runs, gets an event, goes down and comes up again.
 */
#include "guest.h"

const char test_title[] = "vcpu_op";

extern void (*vcpu_function)(uint64_t);

static struct vcpu_guest_context context;
static volatile unsigned runs, may_end;
static uint64_t stack[1024];

static void second(uint64_t sp)
{
    (void)sp;
    runs++;
    while (!may_end)
        HYPERCALL(sched_op, SCHEDOP_yield, 0);
    may_end = 0;
    HYPERCALL(vcpu_op, VCPUOP_down, 1, 0);
    runs++;
    HYPERCALL(vcpu_op, VCPUOP_down, 1, 0);
}

static bool wait_for(volatile unsigned *what, unsigned value)
{
    uint64_t end = system_time() + 30000000000UL;
    while (*what != value && system_time() < end)
        HYPERCALL(sched_op, SCHEDOP_yield, 0);
    return *what == value;
}

static bool wait_down(void)
{
    uint64_t end = system_time() + 30000000000UL;
    while (HYPERCALL(vcpu_op, VCPUOP_is_up, 1, 0) && system_time() < end)
        HYPERCALL(sched_op, SCHEDOP_yield, 0);
    return !HYPERCALL(vcpu_op, VCPUOP_is_up, 1, 0);
}

static void good_context(void)
{
    memory_set(&context, 0, sizeof(context));
    kernel_context(&context, stack + 1000);
    context.kernel_ss = FLAT_KERNEL_SS;
    context.kernel_sp = (uint64_t)(stack + 1000);
}

static long initialise(void)
{
    return HYPERCALL(vcpu_op, VCPUOP_initialise, 1, &context);
}

static void bad_contexts(void)
{
    CHECK_IS(-EFAULT, HYPERCALL(vcpu_op, VCPUOP_initialise, 1, UNMAPPED));
    CHECK_IS(-ENOENT, HYPERCALL(vcpu_op, VCPUOP_initialise, 60, &context));
    CHECK_IS(-ENOENT, HYPERCALL(vcpu_op, VCPUOP_is_up, 60, 0));
    CHECK_IS(-ENOENT, HYPERCALL(vcpu_op, VCPUOP_is_up, 0xffffffff, 0));
    CHECK_IS(-ENOSYS, HYPERCALL(vcpu_op, 99, 0, 0));
    CHECK_IS(0, HYPERCALL(vcpu_op, VCPUOP_is_up, 1, 0));
    CHECK_IS(-EINVAL, HYPERCALL(vcpu_op, VCPUOP_up, 1, 0));
    good_context();
    context.ctrlreg[3] = 1UL << 51;
    CHECK_REFUSED(initialise());
    good_context();
    context.ctrlreg[3] = mfn_of(stack) << 12;
    CHECK_REFUSED(initialise());
    good_context();
    context.ctrlreg[3] = 0;
    CHECK_REFUSED(initialise());
    good_context();
    context.gdt_frames[0] = 1UL << 40;
    context.gdt_ents = 16;
    CHECK_REFUSED(initialise());
    good_context();
    context.gdt_ents = 14 * 512 + 1;
    CHECK_REFUSED(initialise());
    good_context();
    context.ldt_base = IN_HYPERVISOR;
    context.ldt_ents = 512;
    CHECK_REFUSED(initialise());
    good_context();
    context.fs_base = NON_CANONICAL;
    CHECK_REFUSED(initialise());
    good_context();
    context.event_callback_eip = NON_CANONICAL;
    CHECK_REFUSED(initialise());
    good_context();
    context.user_regs.rip = NON_CANONICAL;
    CHECK_REFUSED(initialise());
}

static unsigned debug_count;
static uint32_t watched;

static bool debug(struct registers *regs, unsigned vector)
{
    debug_count++;
    return true;
}

/* The other vcpu's breakpoints are set when it runs, not when it is made. */
static void breakpoints(void)
{
    trap_hooks[TRAP_DB] = debug;
    good_context();
    context.debugreg[0] = (uint64_t)&watched;
    context.debugreg[7] = 0xd0001;
    CHECK_IS(0, initialise());
    *(volatile uint32_t *)&watched = 1;
    CHECK_IS(0, debug_count);
    trap_hooks[TRAP_DB] = NULL;
}

static void areas(void)
{
    struct vcpu_runstate_info info;
    CHECK_IS(0, HYPERCALL(vcpu_op, VCPUOP_get_runstate_info, 0, &info));
    CHECK_IS(RUNSTATE_running, info.state);
    CHECK_IS(-EFAULT, HYPERCALL(vcpu_op, VCPUOP_get_runstate_info, 0, UNMAPPED));
    CHECK_IS(-EFAULT, HYPERCALL(vcpu_op, VCPUOP_get_runstate_info, 0, IN_HYPERVISOR));
    static struct vcpu_runstate_info mine;
    struct vcpu_register_runstate_memory_area area;
    area.addr.p = (uint64_t)&mine;
    CHECK_IS(0, HYPERCALL(vcpu_op, VCPUOP_register_runstate_memory_area, 0, &area));
    CHECK_IS(RUNSTATE_running, mine.state);
    /* Addresses that are not the guest's must not be written to, now or at a later switch. */
    area.addr.p = IN_HYPERVISOR;
    CHECK_REFUSED(HYPERCALL(vcpu_op, VCPUOP_register_runstate_memory_area, 0, &area));
    area.addr.p = UNMAPPED;
    HYPERCALL(vcpu_op, VCPUOP_register_runstate_memory_area, 0, &area);
    HYPERCALL(sched_op, SCHEDOP_yield, 0);
    area.addr.p = (uint64_t)&mine;
    CHECK_IS(0, HYPERCALL(vcpu_op, VCPUOP_register_runstate_memory_area, 0, &area));
    struct vcpu_register_time_memory_area time;
    time.addr.p = IN_HYPERVISOR;
    CHECK_REFUSED(HYPERCALL(vcpu_op, VCPUOP_register_vcpu_time_memory_area, 0, &time));
    CHECK_IS(-EFAULT, HYPERCALL(vcpu_op, VCPUOP_register_runstate_memory_area, 0, UNMAPPED));
    CHECK_IS(-EFAULT, HYPERCALL(vcpu_op, VCPUOP_register_vcpu_info, 1, UNMAPPED));
}

void test_main(void)
{
    bad_contexts();
    areas();
    vcpu_function = second;
    breakpoints();
    CHECK_IS(-EEXIST, initialise());
    CHECK_IS(0, HYPERCALL(vcpu_op, VCPUOP_is_up, 1, 0));
    CHECK_IS(0, HYPERCALL(vcpu_op, VCPUOP_up, 1, 0));
    CHECK_IS(1, HYPERCALL(vcpu_op, VCPUOP_is_up, 1, 0));
    CHECK(wait_for(&runs, 1));
    may_end = 1;
    CHECK(wait_down());
    CHECK_IS(0, HYPERCALL(vcpu_op, VCPUOP_up, 1, 0));
    CHECK(wait_for(&runs, 2));
    CHECK(wait_down());
}
