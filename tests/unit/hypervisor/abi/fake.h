/*
 * The world around abi/ in the tests: frames, domains, guest memory, and what can be made to go wrong. Guest addresses
 * are this program's own.
 */
#ifndef FAKE_H
#define FAKE_H

#include "../../check.h"
#include "../fake/default.h"
#include <hv/abi_internal.h>
#include <hv/claim.h>
#include <hv/page_alloc.h>

/* A fresh world: Domain-0 (privileged, current) and frames that are all free. */
void fake_reset(void);
/* A domain with one vcpu, that may have `max_pages`. */
struct domain *fake_domain(domid_t id, uint64_t max_pages);
void fake_be(struct domain *d);

/* Guest addresses in [start, start + bytes) fault when written (and read, if `read`). bytes = 0: none. */
void fake_fault(const void *start, size_t bytes, bool read);
/* Every frame is free or owned by exactly the domain that counts it; the place is the caller's. */
void fake_check_frames(const char *file, int line);
#define CHECK_FRAMES() fake_check_frames(__FILE__, __LINE__)

/* What domain_log or domain_refuse said last. */
extern char fake_said[200];

/* Whom the policy denies to act on; NULL: nobody. */
extern const struct domain *fake_denied;

/* domain_kill answers -ERESTART this many times first. */
extern unsigned fake_kill_steps;

/* Enters the hypercall again as long as it asks for it. */
long run_hypercall(hypercall_handler handler, uint64_t a0, uint64_t a1, uint64_t a2);

void test_memory(void);
void test_exchange(void);
void test_toolstack(void);

/* fake_hvm.c: the machine could have HVM guests. */
extern bool fake_hvm_available;

#endif
