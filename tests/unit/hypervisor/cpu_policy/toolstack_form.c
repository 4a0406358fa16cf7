/* How many leaves the toolstack's own library makes of a policy that it has read. A file of its own: the library's
 * headers and the hypervisor's do not go together. */
#include <stdint.h>
#include <xenctrl.h>
#include <xenguest.h>

int toolstack_leaves(const void *leaves, uint32_t count);

enum { ROOM = 512 };

int toolstack_leaves(const void *leaves, uint32_t count)
{
    static xen_cpuid_leaf_t out[ROOM];
    xen_msr_entry_t msr[ROOM / 16];
    uint32_t out_leaves = ROOM, out_msrs = ROOM / 16;
    xc_interface *xch = xc_interface_open(NULL, NULL, XC_OPENFLAG_DUMMY);
    xc_cpu_policy_t *policy = xc_cpu_policy_init();
    int error = !xch || !policy || xc_cpu_policy_update_cpuid(xch, policy, leaves, count) ||
                xc_cpu_policy_serialise(xch, policy, out, &out_leaves, msr, &out_msrs);
    xc_cpu_policy_destroy(policy);
    xc_interface_close(xch);
    return error ? -1 : (int)out_leaves;
}
