/*
 * Calls that every guest may make and that hold operations which are the machine owner's: refused before anything is
 * done. Whatever they would do has no fake here and stops the test.
 */
#include "../../check.h"
#include <hv/cpu.h>
#include <hv/domain.h>
#include <hv/guest_copy.h>
#include <hv/hvm.h>
#include <hv/hypercall.h>
#include <xen/physdev.h>
#include <xen/sched.h>

static struct domain guest = {.id = 1}, other = {.id = 2};
static struct vcpu v = {.domain = &guest};
static unsigned held;

struct domain *domain_get_any(domid_t id)
{
    struct domain *d = id == other.id ? &other : id == DOMID_SELF || id == guest.id ? &guest : NULL;
    held += d != NULL;
    return d;
}
void domain_put(struct domain *d)
{
    held--;
}

static void console(void)
{
    char text[4] = "abc";
    for (unsigned op = 0; op < 4; op++) {
        struct hypercall call = {.arg = {op, sizeof(text), (unsigned long)text}};
        CHECK(do_console_io(&call) == (op == CONSOLEIO_write || op == CONSOLEIO_read ? -EPERM : -ENOSYS));
    }
    CHECK(text[0] == 'a');
}

static long sched(unsigned op, void *argument)
{
    struct hypercall call = {.arg = {op, (unsigned long)argument}};
    return do_sched_op(&call);
}

static void shutdown_of_others(void)
{
    struct sched_remote_shutdown op = {.domain_id = other.id, .reason = SHUTDOWN_crash};
    CHECK(sched(SCHEDOP_remote_shutdown, &op) == -EPERM);
    op.domain_id = DOMID_SELF;
    CHECK(sched(SCHEDOP_remote_shutdown, &op) == -EPERM);
    op.domain_id = 7;
    CHECK(sched(SCHEDOP_remote_shutdown, &op) == -ESRCH);
    op.reason = 256;
    CHECK(sched(SCHEDOP_remote_shutdown, &op) == -EINVAL);
    CHECK(sched(SCHEDOP_remote_shutdown, NULL) == -EFAULT && !held);
    struct sched_pin_override pin = {.pcpu = 0};
    CHECK(sched(SCHEDOP_pin_override, &pin) == -EPERM);
}

static void machine_operations(void)
{
    static const unsigned hardware[] = {PHYSDEVOP_alloc_irq_vector,  PHYSDEVOP_setup_gsi,
                                        PHYSDEVOP_apic_read,         PHYSDEVOP_apic_write,
                                        PHYSDEVOP_pci_device_add,    PHYSDEVOP_pci_device_remove,
                                        PHYSDEVOP_manage_pci_add,    PHYSDEVOP_manage_pci_add_ext,
                                        PHYSDEVOP_manage_pci_remove, PHYSDEVOP_restore_msi,
                                        PHYSDEVOP_restore_msi_ext,   PHYSDEVOP_prepare_msix,
                                        PHYSDEVOP_release_msix,      PHYSDEVOP_pci_mmcfg_reserved,
                                        PHYSDEVOP_dbgp_op,           PHYSDEVOP_eoi,
                                        PHYSDEVOP_map_pirq,          PHYSDEVOP_unmap_pirq,
                                        PHYSDEVOP_get_free_pirq,     PHYSDEVOP_irq_status_query};
    static uint64_t argument[64];
    for (unsigned i = 0; i < ARRAY_SIZE(hardware); i++) {
        struct hypercall call = {.arg = {hardware[i], (unsigned long)argument}};
        CHECK(do_physdev_op(&call) == -EPERM);
    }
    struct physdev_set_iopl iopl = {.iopl = 3};
    struct hypercall call = {.arg = {PHYSDEVOP_set_iopl, (unsigned long)&iopl}};
    CHECK(do_physdev_op(&call) == 0 && v.pv.iopl == 3);
}

int main(void)
{
    fake_current[0] = &v;
    console();
    shutdown_of_others();
    machine_operations();
    return 0;
}
