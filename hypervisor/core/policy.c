/*
 * Who may do what: today one rule, the control domain may do everything to everybody. policies/ will grow from here.
 */
#include <hv/domain.h>
#include <hv/hvm.h>
#include <hv/policy.h>

int allowed_call(const struct domain *subject, enum policy_class class)
{
    if (class == POLICY_PV)
        return is_hvm(subject) ? -ENOSYS : 0;
    if (class == POLICY_HVM)
        return is_hvm(subject) ? 0 : -EINVAL;
    if (class == POLICY_ANYONE || subject->is_privileged)
        return 0;
    if (class == POLICY_PIRQS && is_hvm(subject))
        return subject->hvm->emulation & XEN_X86_EMU_USE_PIRQ ? 0 : -ENOSYS;
    return -EPERM;
}

int allowed_on(const struct domain *subject, const struct domain *object)
{
    return subject->is_privileged ? 0 : -EPERM;
}
