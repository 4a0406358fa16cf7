/*
 * PV guests as core/ knows them.
 */
#include <hv/guest_kind.h>
#include <hv/pv.h>

const struct guest_kind pv_guest = {
    .relinquish_memory = pv_relinquish_memory,
    .vcpu_init = pv_vcpu_init,
    .vcpu_release = pv_vcpu_release,
    .vcpu_destroy = pv_vcpu_destroy,
    .put_away = pv_put_away,
    .install = pv_install,
    .resume = pv_resume,
    .pirqs = &hardware_pirqs,
};
