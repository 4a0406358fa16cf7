/* Trap entry, recovery by table, user mode, event upcalls. */
#include "guest.h"

trap_hook trap_hooks[259];
uint64_t trapped_address;
unsigned upcalls;
struct shared_info *shared;

struct extable_entry {
    uint64_t from, to;
};
extern const struct extable_entry extable_start[], extable_end[];
extern const struct {
    uint64_t vector, address;
} trap_entries[];
void trap_handler(struct registers *regs, unsigned vector);
void traps_init(void);

static uint64_t user_stack[512], kernel_stack[2048] __attribute__((aligned(16)));

static bool recover(struct registers *regs, unsigned vector)
{
    for (const struct extable_entry *e = extable_start; e < extable_end; e++) {
        if (e->from != regs->rip)
            continue;
        regs->rax = TRAPPED(vector, regs->error_code);
        regs->rip = e->to;
        return true;
    }
    return false;
}

static bool upcall(struct registers *regs, unsigned vector)
{
    (void)regs, (void)vector;
    upcalls++;
    vcpu0()->evtchn_upcall_pending = 0;
    return true;
}

#define LEAVE 0x1ea7eUL /* system call number of user_return */

void trap_handler(struct registers *regs, unsigned vector)
{
    if (vector == TRAP_PF)
        trapped_address = vcpu0()->arch.cr2;
    if (vector == ENTRY_SYSCALL && regs->rax == LEAVE)
        user_leave();
    if (trap_hooks[vector] && trap_hooks[vector](regs, vector))
        return;
    if (vector < 32 && recover(regs, vector))
        return;
    error("unexpected trap %u, error %lx, rip %lx, cs %lx, rsp %lx, cr2 %lx", vector, regs->error_code, regs->rip,
          regs->cs, regs->rsp, trapped_address);
}

uint64_t try_read(const void *address)
{
    uint64_t value;
    return TRY("movq (%2), %1", OUT("=&r"(value)), "r"(address));
}

uint64_t try_write(void *address, uint64_t value)
{
    return TRY("movq %2, (%1)", NO_OUT, "r"(address), "r"(value));
}

static void callback(unsigned type, uint64_t address, unsigned flags)
{
    struct callback_register reg = {.type = type, .flags = flags, .address = address};
    if (HYPERCALL(callback_op, CALLBACKOP_register, &reg))
        error("cannot register callback %u", type);
}

void traps_init(void)
{
    static struct trap_info table[32];
    unsigned n = 0;
    for (unsigned i = 0; trap_entries[i].address; i++) {
        unsigned vector = (unsigned)trap_entries[i].vector;
        if (vector >= 256) {
            static const unsigned types[] = {CALLBACKTYPE_event, CALLBACKTYPE_syscall, CALLBACKTYPE_failsafe};
            callback(types[vector - 256], trap_entries[i].address, 0);
            continue;
        }
        unsigned dpl = vector == TRAP_BP || vector == TRAP_OF || vector == INT_USER || vector == 2 * INT_USER ? 3
                       : vector == INT_KERNEL || vector == 2 * INT_KERNEL                                     ? 1
                                                                                                              : 0;
        table[n++] = (struct trap_info){
            .vector = (uint8_t)vector, .flags = (uint8_t)dpl, .cs = FLAT_KERNEL_CS, .address = trap_entries[i].address};
    }
    if (HYPERCALL(set_trap_table, table))
        error("cannot set the trap table");
    trap_hooks[ENTRY_EVENT] = upcall;
}

void events_run(void)
{
    vcpu0()->evtchn_upcall_mask = 0;
    __asm__ volatile("" ::: "memory");
    HYPERCALL(xen_version, XENVER_version, 0);
    vcpu0()->evtchn_upcall_mask = 1;
}

bool event_take(unsigned port)
{
    uint64_t bit = 1UL << (port % 64);
    return __atomic_fetch_and(&shared->evtchn_pending[port / 64], ~bit, __ATOMIC_SEQ_CST) & bit;
}

static void user_return(void)
{
    __asm__ volatile("syscall" : : "a"(LEAVE) : "rcx", "r11");
}

void user_prepare(void)
{
    static bool done;
    if (done)
        return;
    done = true;
    if (mmuext(MMUEXT_NEW_USER_BASEPTR, mfn_of(root_table()), 0))
        error("cannot set the user root table");
    if (HYPERCALL(stack_switch, FLAT_KERNEL_SS, kernel_stack + 2048))
        error("cannot set the kernel stack");
}

void user_run(void (*function)(uint64_t argument), uint64_t argument)
{
    user_prepare();
    uint64_t *sp = user_stack + 510;
    *--sp = (uint64_t)user_return;
    struct registers regs = {
        .rdi = argument,
        .rip = (uint64_t)function,
        .cs = FLAT_USER_CS64,
        .rflags = 0x202,
        .rsp = (uint64_t)sp,
        .ss = FLAT_USER_SS64,
    };
    if (vcpu0()->evtchn_upcall_mask)
        regs.rflags &= ~0x200UL;
    user_enter(&regs);
}
