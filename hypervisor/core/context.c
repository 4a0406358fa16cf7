/*
 * From one vcpu to another on a CPU.
 */
#include <hv/descriptor_tables.h>
#include <hv/guest_kind.h>
#include <hv/sched.h>
#include <hv/time.h>

void context_switch(struct vcpu *prev, struct vcpu *next)
{
    if (!prev->domain->is_idle)
        guest_kind(prev->domain)->put_away(prev);
    current = next;
    if (next->domain->is_idle || is_hvm(next->domain))
        leave_guest_tables(this_cpu());
    if (next->domain->is_idle)
        return;
    guest_kind(next->domain)->install(next);
    vcpu_update_time(next);
    runstate_update_guest(next);
}
