/*
 * May this domain do this? The dispatch table asks for every hypercall (allowed_call); handlers that act on another
 * domain ask about that pair (allowed_on). Answers: 0 or -EPERM, or how the reference answers a kind of guest that has
 * no such call. core/policy.c
 */
#ifndef HV_POLICY_H
#define HV_POLICY_H

#include <hv/types.h>

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
};

int allowed_call(const struct domain *subject, enum policy_class class);
/* subject acts with toolstack power on object: itself is not enough. */
int allowed_on(const struct domain *subject, const struct domain *object);

#endif
