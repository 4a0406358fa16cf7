/*
 * May this domain do this? The dispatch table asks for every hypercall (allowed_call); handlers that act on another
 * domain ask about that pair (allowed_on), and so do grants and event channels, which need no power over each other
 * (allowed_between). core/policy.c
 *
 * Two answers have to be yes: that of the rule which always holds, that only Domain-0 has power over others, and that
 * of the compiled policy, if one is in force (core/policy_table.c). So a policy takes away and never gives, and without
 * one the rule is all there is. What the policy denies is -EPERM and one line in the log that names its rule, within
 * the limit of the domain that asked. Constant time, no allocation, from any context but an NMI.
 *
 * Answers: 0 or -EPERM, or how the reference answers a kind of guest that has no such call.
 */
#ifndef HV_POLICY_H
#define HV_POLICY_H

#include <hv/types.h>
#include "../../../policies/words.h" /* enum policy_verb */

struct domain;

enum policy_class {
    POLICY_ANYONE,       /* acts on the caller only, or asks allowed_on itself */
    POLICY_CONTROL,      /* the control domain only */
    POLICY_HARDWARE,     /* the hardware domain only */
    POLICY_PV,           /* PV domains: it is about a PV vcpu, or names machine frames */
    POLICY_HVM,          /* HVM domains: it is about what such a guest alone has */
    POLICY_PIRQS,        /* the hardware domain, and HVM guests that have interrupts as pirqs of their own */
    POLICY_DEVICE_MODEL, /* whoever runs device models: Domain-0; which process there may act on which guest is its
                            kernel's to say */
    POLICY_MACHINE_LOG,  /* whoever may read our console and command line: Domain-0 */
};

int allowed_call(const struct domain *subject, enum policy_class class);
/* subject acts with toolstack power on object: itself is not enough. */
int allowed_on(const struct domain *subject, enum policy_verb verb, const struct domain *object);
/* subject makes a guest of this label, on which it acts with toolstack power then. */
int allowed_to_make(const struct domain *subject, uint32_t sid);
/* subject and object deal with each other as guests do: nobody needs power for it. Of itself nobody is asked. */
int allowed_between(const struct domain *subject, enum policy_verb verb, const struct domain *object);

/* What the policy in force says; 0 without one. object NULL: the machine. core/policy_table.c */
int policy_ask(const struct domain *subject, enum policy_verb verb, const struct domain *object);
int policy_ask_label(const struct domain *subject, enum policy_verb verb, uint32_t sid); /* of a guest that has it */

/* A table in memory of 2^order pages that it takes over if it is good: from then on, for every question that begins, it
 * is the policy in force, and the one before is gone when this returns. NULL, or what is wrong, for people; then
 * nothing has changed. Calls other CPUs; one at a time: the caller sees to that. */
const char *policy_load(void *table, unsigned order, size_t size);
bool policy_is_loaded(void);
/* Whether what the policy denies is denied, or only told. */
bool policy_is_enforced(void);
void policy_enforce(bool enforce);

/* Labels. A domain keeps the sid it was made with, ssidref; small sids, which toolstacks give to domains without a
 * label, are those of a desktop without one. A sid that the policy does not know may nothing. */
#define POLICY_CONTEXT_BYTES 160 /* of a context and its end */
/* -EINVAL: the policy has no such context, or sid. */
int policy_context_to_sid(const char *context, size_t length, uint32_t *sid);
int policy_sid_to_context(uint32_t sid, char context[POLICY_CONTEXT_BYTES]);
/* May a guest be made with this ssidref? Any, without a policy. */
bool policy_sid_is_of_guest(uint32_t sid);
/* What tools see of a domain's label. */
uint32_t policy_sid_of(const struct domain *d);
/* Of a new domain, before it is listed: finds its label once. */
void policy_label(struct domain *d);

#endif
