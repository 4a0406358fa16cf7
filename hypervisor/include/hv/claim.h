/*
 * How many frames a domain has or may have, and those that it has been promised before it takes them. core/claim.c
 * Source: xen/memory.h, XENMEM_claim_pages.
 */
#ifndef HV_CLAIM_H
#define HV_CLAIM_H

#include <hv/spinlock.h>

struct domain;
struct page;

/*
 * Serialises everything that changes how many frames a domain has or may have, so that an exchange can give frames back
 * and take others without somebody else's allocation in between. Outside of page_lock and the page allocator's lock,
 * inside of domain.lock; interrupts on.
 */
extern struct spinlock reservation_lock;

/* As domain_alloc_pages(), but for what others have claimed; d's own claim becomes less by it. */
struct page *memory_take_frames(struct domain *d, unsigned order, unsigned address_bits);

/* `pages` is all that d is to have; what it has already is not claimed again. 0 ends a claim. -EINVAL for less than it
 * has or more than it may, -ENOMEM; then nothing has changed. */
int memory_claim_set(struct domain *d, uint64_t pages);
/* Gives up what is left of d's claim: it is being destroyed. */
void memory_claim_drop(struct domain *d);
/* Frames claimed by all domains and not yet allocated. */
uint64_t memory_claimed_pages(void);

#endif
