/*
 * An HVM guest of two vcpus (d1), Domain-0 with its device model, and what I/O uses of the rest of the hypervisor.
 */
#ifndef IOREQ_GUEST_H
#define IOREQ_GUEST_H

#include "../event_grant/fake/fake.h"
#include <hv/event_channel.h>
#include <hv/ioreq.h>
#include <hv/p2m.h>

extern struct domain *guest, *control, *other; /* other: a PV guest, d2 */
extern unsigned crashes, wakes, kinds_changed, marked;
extern bool isa_line[16];
extern int shutdown_reason;
extern bool fill_p2m; /* gfns below FAKE_GFNS are RAM */

#define FAKE_GFNS 256
extern enum p2m_type kind_of[FAKE_GFNS];
extern mfn_t frame_of[FAKE_GFNS];
/* What another CPU does while the p2m is looked at, or a domain is waited for; NULL: nothing. */
extern void (*during_lookup)(void), (*during_pause)(void);

void guest_setup(void);
void guest_teardown(void);

/* Hypercalls of Domain-0. */
long dm_op(domid_t domain, struct xen_dm_op *op, size_t size);
long dm_op_with(domid_t domain, struct xen_dm_op *op, size_t size, void *data, size_t bytes);
long event_op(struct domain *d, unsigned command, void *argument);

/* A server with everything bound, which has ports 0x100-0x1ff and memory 0xa0000-0xfffff. */
struct model {
    ioservid_t id;
    struct ioreq *slots;
    struct ioreq_ring *ring;
    evtchn_port_t port[2], ring_port;
};
void model_create(struct model *m, unsigned handling);
void model_bind(struct model *m);
void model_destroy(struct model *m);
/* The device model's part of a request: what came, and the answer. */
struct ioreq model_take(struct model *m, unsigned vcpu);
void model_answer(struct model *m, unsigned vcpu, uint64_t data);
void model_send(struct model *m, unsigned vcpu);

#endif
