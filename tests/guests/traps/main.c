/*
 * Exceptions: the frame that the kernel finds, error codes, which of them software may raise.
 */
#include "guest.h"

const char test_title[] = "traps";

static struct registers seen;
static unsigned seen_vector, count;

static bool note(struct registers *regs, unsigned vector)
{
    seen = *regs;
    seen_vector = vector;
    count++;
    return true;
}

static void faults(void)
{
    CHECK_IS(TRAPPED(TRAP_UD, 0), TRY("ud2", NO_OUT, "r"(0)));
    CHECK_IS(TRAPPED(TRAP_DE, 0), TRY("xor %%edx, %%edx\n1:\tdivl %1", NO_OUT, "r"(0)));
    CHECK_IS(TRAPPED(TRAP_GP, 0), try_read((void *)NON_CANONICAL));
    CHECK_IS(TRAPPED(TRAP_PF, 0), try_read((void *)UNMAPPED));
    CHECK_IS(UNMAPPED, trapped_address);
    CHECK_IS(TRAPPED(TRAP_PF, 2), try_write((void *)UNMAPPED, 1));
}

static void frames(void)
{
    uint64_t at, flags, rax = 0x1234;
    trap_hooks[TRAP_BP] = note;
    count = 0;
    vcpu0()->evtchn_upcall_mask = 0;
    __asm__ volatile("int3\n1:\tlea 1b(%%rip), %0\n\tpushf\n\tpop %1"
                     : "=&r"(at), "=&r"(flags), "+a"(rax)
                     :
                     : "memory");
    vcpu0()->evtchn_upcall_mask = 1;
    CHECK_IS(1, count);
    CHECK_IS(TRAP_BP, seen_vector);
    CHECK_IS(at, seen.rip);
    CHECK_IS(0, seen.error_code);
    CHECK_IS(0x1234, seen.rax);
    /* The kernel sees itself in ring 0, its event mask beside cs, and IF by the mask. */
    CHECK_IS(0, seen.cs & 3);
    CHECK_IS(FLAT_KERNEL_CS & ~3, seen.cs & 0xffff);
    CHECK_IS(0, seen.cs >> 32 & 0xff);
    CHECK_IS(0x200, seen.rflags & 0x200);
    CHECK_IS(0, seen.rflags & 0x100);
    CHECK_IS(0x1234, rax);
    __asm__ volatile("int3" ::: "memory");
    CHECK_IS(1, seen.cs >> 32 & 0xff);
    CHECK_IS(0, seen.rflags & 0x200);
    CHECK_IS(1, vcpu0()->evtchn_upcall_mask); /* iret put it back */
    trap_hooks[TRAP_BP] = NULL;
}

static uint8_t mask_in_handler;

static bool note_mask(struct registers *regs, unsigned vector)
{
    mask_in_handler = vcpu0()->evtchn_upcall_mask;
    return note(regs, vector);
}

/* Bit 2 of the flags: events are masked on entry. */
static void interrupt_gates(void)
{
    extern const struct {
        uint64_t vector, address;
    } trap_entries[];
    struct trap_info entry[2] = {
        {.vector = TRAP_BP, .flags = 3, .cs = FLAT_KERNEL_CS, .address = trap_entries[TRAP_BP].address}};
    trap_hooks[TRAP_BP] = note_mask;
    vcpu0()->evtchn_upcall_mask = 0;
    __asm__ volatile("int3" ::: "memory");
    CHECK_IS(0, mask_in_handler);
    CHECK_IS(0, vcpu0()->evtchn_upcall_mask);
    entry[0].flags = 3 | 4;
    CHECK_IS(0, HYPERCALL(set_trap_table, entry));
    __asm__ volatile("int3" ::: "memory");
    CHECK_IS(1, mask_in_handler);
    CHECK_IS(0, vcpu0()->evtchn_upcall_mask);
    vcpu0()->evtchn_upcall_mask = 1;
    trap_hooks[TRAP_BP] = NULL;
    /* Tables that cannot be read. */
    CHECK_IS(-EFAULT, HYPERCALL(set_trap_table, UNMAPPED));
    CHECK_IS(-EFAULT, HYPERCALL(set_trap_table, IN_HYPERVISOR));
    entry[0].address = NON_CANONICAL;
    CHECK_IS(-EINVAL, HYPERCALL(set_trap_table, entry));
    CHECK_IS(-EFAULT, HYPERCALL(callback_op, CALLBACKOP_register, UNMAPPED));
    struct callback_register reg = {.type = 99, .address = VIRT_BASE_ADDRESS};
    CHECK_REFUSED(HYPERCALL(callback_op, CALLBACKOP_register, &reg));
    reg = (struct callback_register){.type = CALLBACKTYPE_event, .address = NON_CANONICAL};
    CHECK_IS(-EINVAL, HYPERCALL(callback_op, CALLBACKOP_register, &reg));
    struct callback_unregister unreg = {.type = CALLBACKTYPE_event};
    for (unsigned type = 0; type < 10; type++) {
        static const bool known[10] = {
            [CALLBACKTYPE_event] = true, [CALLBACKTYPE_failsafe] = true, [CALLBACKTYPE_syscall] = true,
            [CALLBACKTYPE_nmi] = true,   [CALLBACKTYPE_sysenter] = true, [CALLBACKTYPE_syscall32] = true};
        unreg.type = (uint16_t)type;
        CHECK_IS(!known[type]               ? -ENOSYS
                 : type == CALLBACKTYPE_nmi ? 0
                                            : -EINVAL,
                 HYPERCALL(callback_op, CALLBACKOP_unregister, &unreg));
    }
    CHECK_REFUSED(HYPERCALL(callback_op, 99, &reg));
}

/* Error codes of page faults, in our range and in the hypervisor's. */
static void more_faults(void)
{
    char *page = page_alloc();
    *page = (char)0xc3;
    CHECK_IS(0, update_va(page, pte_make(mfn_of(page), PTE_RO | PTE_NX)));
    CHECK_IS(TRAPPED(TRAP_PF, 3), try_write(page, 1));
    CHECK_IS((uint64_t)page, trapped_address);
    CHECK_IS(TRAPPED(TRAP_PF, 1), try_read((void *)0xffff880000000000UL) | 1);
    CHECK_IS(TRAPPED(TRAP_PF, 0), try_read((void *)IN_HYPERVISOR) & ~1UL);
    CHECK_IS(TRAPPED(TRAP_PF, 2), try_write((void *)IN_HYPERVISOR, 1) & ~1UL);
    CHECK_IS(TRAPPED(TRAP_PF, 2), try_write((void *)0xffff810000000000UL, 1) & ~1UL);
}

void test_main(void)
{
    faults();
    frames();
    interrupt_gates();
    more_faults();
}
