/*
 * Who may do what is asked of the real rules, and there is no policy; weak, so that a test may have others.
 */
#pragma weak allowed_call
#pragma weak allowed_on
#pragma weak allowed_between
#include "../../../../hypervisor/core/policy.c"

__attribute__((weak)) int policy_ask(const struct domain *subject, enum policy_verb verb, const struct domain *object)
{
    return 0;
}

__attribute__((weak)) void policy_label(struct domain *d)
{
}

__attribute__((weak)) bool policy_sid_is_of_guest(uint32_t sid)
{
    return true;
}

__attribute__((weak)) uint32_t policy_sid_of(const struct domain *d)
{
    return d->ssidref;
}
