/*
 * Who may do what: today one rule, the control domain may do everything to everybody. policies/ will grow from here.
 */
#include <hv/domain.h>
#include <hv/policy.h>

int allowed_call(const struct domain *subject, enum policy_class class)
{
    return class == POLICY_ANYONE || subject->is_privileged ? 0 : -EPERM;
}

int allowed_on(const struct domain *subject, const struct domain *object)
{
    return subject->is_privileged ? 0 : -EPERM;
}
