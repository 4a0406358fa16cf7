/*
 * Exceptions. x86/traps.c, x86/extable.c
 */
#ifndef HV_TRAPS_H
#define HV_TRAPS_H

#include <hv/types.h>
#include <hv/xen.h>

enum {
    TRAP_divide_error = 0,
    TRAP_debug = 1,
    TRAP_nmi = 2,
    TRAP_int3 = 3,
    TRAP_overflow = 4,
    TRAP_bounds = 5,
    TRAP_invalid_op = 6,
    TRAP_no_device = 7,
    TRAP_double_fault = 8,
    TRAP_invalid_tss = 10,
    TRAP_no_segment = 11,
    TRAP_stack_error = 12,
    TRAP_gp_fault = 13,
    TRAP_page_fault = 14,
    TRAP_copro_error = 16,
    TRAP_alignment_check = 17,
    TRAP_machine_check = 18,
    TRAP_simd_error = 19,
};

#define PF_PRESENT  1U
#define PF_WRITE    2U
#define PF_USER     4U
#define PF_RESERVED 8U
#define PF_FETCH    16U

static inline bool from_guest(const struct cpu_user_regs *regs)
{
    return regs->cs & 3;
}
static inline bool trap_has_error_code(unsigned vector)
{
    return vector < 32 && (0x60227d00U >> vector & 1);
}

/* entry.S -> here; interrupts off. */
void do_trap(struct cpu_user_regs *regs);
/* Ends the blocking of NMIs by the one we are in. Not on the NMI's own stack. x86/entry.S */
void nmi_unblock(void);
/* Continues at the fix-up for regs->rip, if the table has one. */
bool extable_fixup(struct cpu_user_regs *regs);

/* One entry of the table: a faulting instruction and where to go on; both relative to the field. */
#define EXTABLE_ENTRY(from, to)                                                                                        \
    ".pushsection .extable, \"a\"\n\t.balign 4\n\t.long " from " - .\n\t.long " to " - .\n\t.popsection\n\t"

#endif
