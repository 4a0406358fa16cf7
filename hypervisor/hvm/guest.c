/*
 * HVM guests as core/ knows them.
 */
#include <hv/guest_kind.h>
#include <hv/hvm_irq.h>
#include <hv/pv.h>
#include <hv/vdev.h>

const struct guest_kind hvm_guest = {
    .domain_init = hvm_domain_init,
    .domain_relinquish = hvm_domain_relinquish,
    .relinquish_memory = pv_relinquish_memory, /* which finds no page tables among them */
    .domain_destroy = hvm_domain_destroy,
    .vcpu_init = hvm_vcpu_init,
    .vcpu_destroy = hvm_vcpu_destroy,
    .freeze_timers = vtimers_freeze,
    .migrate_timers = vlapic_migrate_timers,
    .put_away = hvm_put_away,
    .install = hvm_install,
    .resume = hvm_resume,
    .pirqs = &hvm_pirqs,
    .assert_upcall = hvm_assert_upcall,
    .pending_interrupt = hvm_pending_interrupt,
};
