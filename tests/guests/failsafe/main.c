/*
 * Selectors that a vcpu has loaded and its tables no longer have: the failsafe callback says so when the vcpu runs
 * again. Two vcpus take turns on one processor, and each turn loads the selectors anew; what else is a vcpu's own stays
 * so.
 */
#include "guest.h"

const char test_title[] = "failsafe callback";

#define DATA        0x00cff2000000ffffUL /* present, ring 3, writable */
#define SELECTOR(n) ((uint16_t)((n) << 3 | 3))

extern void (*vcpu_function)(uint64_t);
extern const struct {
    uint64_t vector, address;
} trap_entries[];

static volatile unsigned turns, bases_refused;
static uint64_t gdt[512] __attribute__((aligned(4096)));
static struct registers seen;
static unsigned count;
static uint8_t mask_in_handler;

struct selectors {
    uint16_t ds, es, fs, gs;
};

static void stay_on_first_processor(void)
{
    struct sched_pin_override pin = {.pcpu = 0};
    CHECK_IS(0, HYPERCALL(sched_op, SCHEDOP_pin_override, &pin));
}

static void second(uint64_t sp)
{
    stay_on_first_processor();
    for (;;) {
        uint64_t base;
        __asm__ volatile("movq %0, %%xmm3" : : "r"(0x2222UL));
        bases_refused += TRY("rdfsbase %1", OUT("=r"(base)), "r"(0)) == TRAPPED(TRAP_UD, 0);
        turns++;
        HYPERCALL(sched_op, SCHEDOP_yield, 0);
    }
}

static void let_the_other_run(void)
{
    unsigned before = turns;
    uint64_t end = system_time() + 10000000000UL;
    while (turns < before + 2 && system_time() < end)
        HYPERCALL(sched_op, SCHEDOP_yield, 0);
    CHECK(turns >= before + 2);
}

static uint64_t address_of(unsigned vector)
{
    unsigned i = 0;
    while (trap_entries[i].vector != vector)
        i++;
    return trap_entries[i].address;
}

static void start_second(void)
{
    static struct vcpu_guest_context context;
    static uint64_t stack[1024];
    kernel_context(&context, stack + 1000);
    context.trap_ctxt[TRAP_UD] =
        (struct trap_info){.vector = TRAP_UD, .cs = FLAT_KERNEL_CS, .address = address_of(TRAP_UD)};
    vcpu_function = second;
    stay_on_first_processor();
    CHECK_IS(0, HYPERCALL(vcpu_op, VCPUOP_initialise, 1, &context));
    CHECK_IS(0, HYPERCALL(vcpu_op, VCPUOP_up, 1, 0));
    let_the_other_run();
}

static bool note(struct registers *regs, unsigned vector)
{
    seen = *regs;
    mask_in_handler = vcpu0()->evtchn_upcall_mask;
    count++;
    return true;
}

static void descriptor(unsigned index, uint64_t value)
{
    CHECK_IS(0, HYPERCALL(update_descriptor, mfn_of(gdt) * PAGE + index * 8, value));
}

static void load(struct selectors s)
{
    __asm__ volatile("mov %w0, %%ds\n\tmov %w1, %%es\n\tmov %w2, %%fs\n\tmov %w3, %%gs"
                     :
                     : "r"(s.ds), "r"(s.es), "r"(s.fs), "r"(s.gs));
}

static struct selectors loaded(void)
{
    struct selectors s;
    __asm__ volatile("mov %%ds, %0\n\tmov %%es, %1\n\tmov %%fs, %2\n\tmov %%gs, %3"
                     : "=r"(s.ds), "=r"(s.es), "=r"(s.fs), "=r"(s.gs));
    return s;
}

/* Loads them, takes away the descriptors from `first` to 6, and looks what is left. */
static struct selectors lose(struct selectors s, unsigned first)
{
    for (unsigned i = 3; i < 7; i++)
        descriptor(i, DATA);
    load(s);
    count = 0;
    for (unsigned i = first; i < 7; i++)
        descriptor(i, 0);
    let_the_other_run();
    struct selectors left = loaded();
    load((struct selectors){0});
    return left;
}

static const struct selectors all = {SELECTOR(3), SELECTOR(4), SELECTOR(5), SELECTOR(6)};

static void kernel_mode(void)
{
    lose(all, 7);
    CHECK_IS(0, count);
    for (unsigned first = 3; first < 7; first++) {
        struct selectors left = lose(all, first);
        CHECK_IS(1, count);
        CHECK_IS(all.ds, failsafe_selectors[0]);
        CHECK_IS(all.es, failsafe_selectors[1]);
        CHECK_IS(all.fs, failsafe_selectors[2]);
        CHECK_IS(all.gs, failsafe_selectors[3]);
        CHECK_IS(first > 3 ? all.ds : 0, left.ds);
        CHECK_IS(first > 4 ? all.es : 0, left.es);
        CHECK_IS(first > 5 ? all.fs : 0, left.fs);
        CHECK_IS(0, left.gs);
        CHECK_IS(FLAT_KERNEL_CS & ~3, seen.cs & 0xffff);
        CHECK_IS(1, seen.cs >> 32 & 0xff);
        CHECK_IS(FLAT_KERNEL_SS, seen.ss);
    }
}

static void masks(void)
{
    struct callback_register callback = {.type = CALLBACKTYPE_failsafe};
    callback.address = address_of(ENTRY_FAILSAFE);
    for (unsigned mask = 0; mask < 2; mask++) {
        callback.flags = mask ? CALLBACKF_mask_events : 0;
        CHECK_IS(0, HYPERCALL(callback_op, CALLBACKOP_register, &callback));
        vcpu0()->evtchn_upcall_mask = 0;
        lose(all, 6);
        CHECK_IS(1, count);
        CHECK_IS(mask, mask_in_handler);
        CHECK_IS(0, vcpu0()->evtchn_upcall_mask);
        vcpu0()->evtchn_upcall_mask = 1;
    }
}

static void wait_for_turns(uint64_t end)
{
    while (turns < end)
        ;
}

/* Taken off the processor in user mode, if not before: the other vcpu has its turns at any moment. */
static void user_mode(void)
{
    bool from_user = false;
    for (unsigned i = 0; i < 20 && !from_user; i++) {
        descriptor(5, DATA);
        load((struct selectors){.fs = SELECTOR(5)});
        count = 0;
        descriptor(5, 0);
        user_run(wait_for_turns, turns + 3);
        CHECK_IS(1, count);
        CHECK_IS(SELECTOR(5), failsafe_selectors[2]);
        from_user = (seen.cs & 3) == 3;
    }
    CHECK(from_user);
    CHECK_IS(FLAT_USER_CS64, seen.cs & 0xffff);
    CHECK(seen.rip >= (uint64_t)wait_for_turns && seen.rip < (uint64_t)wait_for_turns + 64);
}

/* Vector registers, and CR4: one vcpu has the FSGSBASE instructions and the other has not. */
static void own_state(void)
{
    uint64_t cr4, value = 0;
    __asm__ volatile("mov %%cr4, %0" : "=r"(cr4));
    __asm__ volatile("mov %0, %%cr4" : : "r"(cr4 | 1UL << 16));
    for (unsigned i = 0; i < 3; i++) {
        unsigned before = turns, refused = bases_refused;
        __asm__ volatile("movq %0, %%xmm3" : : "r"(0x1111UL));
        let_the_other_run();
        __asm__ volatile("movq %%xmm3, %0" : "=r"(value));
        CHECK_IS(0x1111, value);
        CHECK_IS(0, TRY("rdfsbase %1", OUT("=r"(value)), "r"(0)));
        CHECK(bases_refused - refused + 1 >= turns - before && bases_refused > refused);
    }
    __asm__ volatile("mov %0, %%cr4" : : "r"(cr4));
}

void test_main(void)
{
    uint64_t frames[1] = {mfn_of(gdt)};
    CHECK_IS(0, set_readonly(gdt));
    CHECK_IS(0, HYPERCALL(set_gdt, frames, 512));
    start_second();
    own_state();
    trap_hooks[ENTRY_FAILSAFE] = note;
    kernel_mode();
    masks();
    user_mode();
}
