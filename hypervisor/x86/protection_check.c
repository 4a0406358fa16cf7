/*
 * Whether guests' memory is closed where it has to be, in builds for tests.
 */
#include <hv/console.h>
#include <hv/cpu.h>
#include <hv/protection.h>

void protection_check_closed(void)
{
    unsigned long flags;
    __asm__ volatile("pushfq; popq %0" : "=r"(flags));
    if (cpu_features.smap && flags & X86_EFLAGS_AC)
        panic("guests' memory is left open to the hypervisor");
}
