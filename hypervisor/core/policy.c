/*
 * Who may do what: the rule that always holds, and then the policy in force. policy.h says how they go together.
 */
#include <hv/domain.h>
#include <hv/hvm.h>
#include <hv/policy.h>

static int rule_of_call(const struct domain *subject, enum policy_class class)
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

/* What Domain-0 does by a call of that class; a guest does none of it. */
static int policy_of_call(const struct domain *subject, enum policy_class class)
{
    switch (class) {
    case POLICY_CONTROL:
        return policy_ask(subject, POLICY_VERB_CONTROL, NULL);
    case POLICY_HARDWARE:
    case POLICY_PIRQS:
        return policy_ask(subject, POLICY_VERB_DRIVE_HARDWARE, NULL);
    case POLICY_DEVICE_MODEL:
        return policy_ask(subject, POLICY_VERB_DEVICE_MODEL, NULL);
    case POLICY_MACHINE_LOG:
        return policy_ask(subject, POLICY_VERB_READ_MACHINE, NULL);
    case POLICY_ANYONE:
    case POLICY_PV:
    case POLICY_HVM:
        break;
    }
    return 0;
}

int allowed_call(const struct domain *subject, enum policy_class class)
{
    int error = rule_of_call(subject, class);
    return error || !subject->is_privileged ? error : policy_of_call(subject, class);
}

int allowed_on(const struct domain *subject, enum policy_verb verb, const struct domain *object)
{
    return subject->is_privileged ? policy_ask(subject, verb, object) : -EPERM;
}

int allowed_to_make(const struct domain *subject, uint32_t sid)
{
    return subject->is_privileged ? policy_ask_label(subject, POLICY_VERB_CONTROL, sid) : -EPERM;
}

int allowed_between(const struct domain *subject, enum policy_verb verb, const struct domain *object)
{
    return subject == object ? 0 : policy_ask(subject, verb, object);
}
