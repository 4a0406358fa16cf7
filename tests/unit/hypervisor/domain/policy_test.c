/*
 * Who may do what, in full: every class of call for every kind of caller.
 */
#include "../../check.h"
#include <hv/domain.h>
#include <hv/hvm.h>
#include <hv/policy.h>

static struct hvm_domain plain = {.emulation = XEN_X86_EMU_LAPIC}, with_pirqs = {.emulation = XEN_X86_EMU_USE_PIRQ};
static const struct domain domain0 = {.is_privileged = true}, pv = {.id = 1}, pvh = {.id = 2, .hvm = &plain},
                           hvm = {.id = 3, .hvm = &with_pirqs};

static const struct {
    enum policy_class class;
    int domain0, pv, pvh, hvm;
} expected[] = {
    {POLICY_ANYONE, 0, 0, 0, 0},
    {POLICY_CONTROL, 0, -EPERM, -EPERM, -EPERM},
    {POLICY_HARDWARE, 0, -EPERM, -EPERM, -EPERM},
    {POLICY_PV, 0, 0, -ENOSYS, -ENOSYS},
    {POLICY_PIRQS, 0, -EPERM, -ENOSYS, 0},
    {POLICY_DEVICE_MODEL, 0, -EPERM, -EPERM, -EPERM},
    {POLICY_MACHINE_LOG, 0, -EPERM, -EPERM, -EPERM},
};

int main(void)
{
    const struct domain *guests[] = {&pv, &pvh, &hvm};
    for (unsigned i = 0; i < ARRAY_SIZE(expected); i++) {
        CHECK(allowed_call(&domain0, expected[i].class) == expected[i].domain0);
        CHECK(allowed_call(&pv, expected[i].class) == expected[i].pv);
        CHECK(allowed_call(&pvh, expected[i].class) == expected[i].pvh);
        CHECK(allowed_call(&hvm, expected[i].class) == expected[i].hvm);
    }
    for (unsigned i = 0; i < ARRAY_SIZE(guests); i++) {
        CHECK(!allowed_on(&domain0, POLICY_VERB_CONTROL, guests[i]));
        CHECK(allowed_on(guests[i], POLICY_VERB_CONTROL, &domain0) == -EPERM);
        CHECK(allowed_on(guests[i], POLICY_VERB_CONTROL, guests[i]) ==
              -EPERM); /* being oneself is not power over oneself */
        CHECK(allowed_on(guests[i], POLICY_VERB_CONTROL, guests[(i + 1) % ARRAY_SIZE(guests)]) == -EPERM);
    }
    puts("policy: ok");
    return 0;
}
