/*
 * What the unit tests of the hypervisor's domain-level code share: machine memory, domains, guest access, and the
 * checks. Everything starts over with fake_reset.
 */
#ifndef FAKE_H
#define FAKE_H

#include "../../../check.h"
#include "../../../test_list.h"
#include "../../fake/default.h"
#include <string.h>

#include <hv/domain.h>
#include <hv/hypercall.h>
#include <hv/page_alloc.h>
#include <hv/page_type.h>

/* Runs all (test_list.h); every test starts from fake_reset and must end without leaks. Returns what main returns. */
int fake_run_tests(const struct unit_test *tests, unsigned count, void (*setup)(void), void (*teardown)(void));

void fake_reset(void);

/* Domains. fake_domain makes one with `vcpus` vcpus; it is found by domain_get until fake_domain_free. */
struct domain *fake_domain(domid_t id, unsigned vcpus, bool privileged);
void fake_domain_free(struct domain *d);
int fake_domain_references(const struct domain *d);
/* The following hypercalls are made by this vcpu. */
void fake_run(struct vcpu *v);

/* A frame of RAM of d, cleared. */
mfn_t fake_frame(struct domain *d);
/* Makes a frame a page table, so that nothing may write to it. */
void fake_make_table(mfn_t mfn);
unsigned fake_references(mfn_t mfn); /* beyond the owner's own */
unsigned fake_type_references(mfn_t mfn);
unsigned fake_frames_in_use(void);
/* Called once, instead of nothing, when the next frame's type and reference are given back: what another vcpu does in
 * that moment. */
extern void (*fake_meanwhile)(void);

/* Memory: the n-th zalloc or frame allocation from now fails (1 = the next); 0 = none. */
extern unsigned fake_fail_allocation;
extern unsigned fake_objects; /* zalloc'ed and not freed */

/* A hypercall as the guest sees it; entered again while it wants to, *restarts counts that. */
long fake_hypercall(hypercall_handler handler, uint64_t a0, uint64_t a1, uint64_t a2, unsigned *restarts);

#define BAD_GUEST_ADDRESS ((void *)16)

#endif
