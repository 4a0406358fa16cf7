/*
 * Event channels against the real files: every operation, both layouts, both ends closing, hostile arguments and
 * memory.
 */
#include "../../random.h"
#include "fake/fake.h"
#include <hv/policy.h>
#include <hv/event_channel.h>
#include <hv/compat.h>
#include <hv/grant_table.h>
#include <hv/hvm_irq.h>
#include <hv/irq.h>
#include <hv/sched.h>

#include <pthread.h>

void hv_free(void *object);

static struct domain *guest, *peer, *control; /* d1 with 2 vcpus, d2, privileged d0 */
static unsigned unblocked[4], interrupts_sent;
static int pirq_bound, pirq_unbound, pirq_bind_answer;
static bool pirq_bind_saw_locks;

/* What event channels use of the rest. */
void vcpu_unblock(struct vcpu *v)
{
    unblocked[v->id]++;
    v->blocked = false;
    clear_bit(v->id, &v->domain->polling);
}
void apic_send_ipi(struct cpu *cpu, uint8_t vector)
{
    interrupts_sent += vector == VECTOR_EVENT_CHECK;
}
static unsigned upcalls[4];
static int pending_interrupt = -1;
void hvm_assert_upcall(struct vcpu *v)
{
    CHECK(v->info->evtchn_upcall_pending);
    upcalls[v->id]++;
}
int hvm_pending_interrupt(struct vcpu *v, bool acknowledge)
{
    CHECK(!acknowledge);
    return pending_interrupt;
}
int pirq_bind(struct domain *d, int pirq, bool share)
{
    pirq_bind_saw_locks |= fake_irqs_off;
    if (!pirq_bind_answer)
        pirq_bound++;
    return pirq_bind_answer;
}
void pirq_unbind(struct domain *d, int pirq)
{
    pirq_bind_saw_locks |= fake_irqs_off;
    pirq_unbound++;
}
int domain_gfn_to_mfn(struct domain *d, uint64_t gfn, mfn_t *mfn)
{
    if (gfn >= FAKE_FRAMES || page_owner(&fake_page[gfn]) != d)
        return -EINVAL;
    *mfn = gfn;
    return 0;
}

static void setup(void)
{
    memset(unblocked, 0, sizeof(unblocked));
    interrupts_sent = 0;
    pirq_bound = pirq_unbound = pirq_bind_answer = 0;
    pirq_bind_saw_locks = false;
    control = fake_domain(0, 1, true);
    guest = fake_domain(1, 2, false);
    peer = fake_domain(2, 1, false);
    CHECK_EQUAL(0, event_channels_init(control, -1));
    CHECK_EQUAL(0, event_channels_init(guest, 1023));
    CHECK_EQUAL(0, event_channels_init(peer, 1023));
    fake_run(guest->vcpu[0]);
}

/* Makes d1 an HVM guest, in the layout of 32-bit or of 64-bit code. */
static struct hvm_domain guest_hvm;
static struct hvm_vcpu guest_hvm_vcpu[2];
static void become_hvm(bool compat)
{
    guest_hvm = (struct hvm_domain){.shared_info_32 = compat};
    guest->hvm = &guest_hvm;
    for (unsigned i = 0; i < 2; i++)
        guest->vcpu[i]->hvm = &guest_hvm_vcpu[i];
    event_channels_layout_changed(guest);
    memset(upcalls, 0, sizeof(upcalls));
}

static void finish(struct domain *d)
{
    d->dying = DOMAIN_DYING;
    while (event_channels_close_all(d) == -ERESTART)
        ;
    for (unsigned i = 0; i < d->max_vcpus; i++)
        event_channels_free_vcpu(d->vcpu[i]);
    event_channels_free(d);
    event_channels_free(d); /* twice is harmless */
}

static void teardown(void)
{
    fake_run(control->vcpu[0]);
    finish(guest);
    finish(peer);
    finish(control);
    CHECK(!pirq_bind_saw_locks);
    fake_domain_free(guest);
    fake_domain_free(peer);
    fake_domain_free(control);
}

static long op(unsigned command, void *argument)
{
    return fake_hypercall(do_event_channel_op, command, (uintptr_t)argument, 0, NULL);
}
static long op_as(struct domain *d, unsigned command, void *argument)
{
    struct vcpu *before = current;
    long rc;

    fake_run(d->vcpu[0]);
    rc = op(command, argument);
    fake_run(before);
    return rc;
}
static long op_port(unsigned command, evtchn_port_t port)
{
    struct evtchn_close argument = {.port = port};

    return op(command, &argument);
}
static evtchn_port_t alloc_unbound(struct domain *d, domid_t remote)
{
    struct evtchn_alloc_unbound a = {.dom = DOMID_SELF, .remote_dom = remote};

    CHECK_EQUAL(0, op_as(d, EVTCHNOP_alloc_unbound, &a));
    return a.port;
}
static evtchn_port_t bind_to(struct domain *d, domid_t remote, evtchn_port_t port)
{
    struct evtchn_bind_interdomain b = {.remote_dom = remote, .remote_port = port};

    CHECK_EQUAL(0, op_as(d, EVTCHNOP_bind_interdomain, &b));
    return b.local_port;
}
static struct evtchn_status status_of(evtchn_port_t port)
{
    struct evtchn_status s = {.dom = DOMID_SELF, .port = port};

    CHECK_EQUAL(0, op(EVTCHNOP_status, &s));
    return s;
}
/* Pending in the 2-level layout; and takes it, with the flags that led there. */
static bool take(struct domain *d, evtchn_port_t port)
{
    bool was = test_and_clear_bit(port, d->shared_info->evtchn_pending);

    for (unsigned i = 0; i < d->max_vcpus; i++) {
        d->vcpu[i]->info->evtchn_upcall_pending = 0;
        d->vcpu[i]->info->evtchn_pending_sel = 0;
    }
    return was;
}

static void interdomain(void)
{
    evtchn_port_t mine = alloc_unbound(guest, peer->id), theirs;
    struct evtchn_status s = status_of(mine);

    CHECK_EQUAL(1, mine);
    CHECK_EQUAL(EVTCHNSTAT_unbound, s.status);
    CHECK_EQUAL(peer->id, s.u.unbound.dom);
    CHECK_EQUAL(0, op_port(EVTCHNOP_send, mine)); /* nobody there yet: not an error */
    theirs = bind_to(peer, guest->id, mine);
    CHECK(take(peer, theirs)); /* what was sent before is not lost */
    CHECK(!take(guest, mine));

    s = status_of(mine);
    CHECK_EQUAL(EVTCHNSTAT_interdomain, s.status);
    CHECK_EQUAL(peer->id, s.u.interdomain.dom);
    CHECK_EQUAL(theirs, s.u.interdomain.port);

    CHECK_EQUAL(0, op_port(EVTCHNOP_send, mine));
    CHECK(vcpu_event_pending(peer->vcpu[0]));
    CHECK_EQUAL(1UL << (theirs / 64), peer->vcpu[0]->info->evtchn_pending_sel);
    CHECK_EQUAL(1, event_channel_is_pending(peer, theirs));
    CHECK(take(peer, theirs));
    CHECK_EQUAL(0, event_channel_is_pending(peer, theirs));

    CHECK_EQUAL(0, op_port(EVTCHNOP_close, mine));
    CHECK_EQUAL(-EINVAL, op_port(EVTCHNOP_send, mine));
    CHECK_EQUAL(-EINVAL, op_port(EVTCHNOP_close, mine));
    fake_run(peer->vcpu[0]);
    CHECK_EQUAL(EVTCHNSTAT_unbound, status_of(theirs).status); /* waits for a new connection from the same domain */
    CHECK_EQUAL(guest->id, status_of(theirs).u.unbound.dom);
    CHECK_EQUAL(0, op_port(EVTCHNOP_send, theirs));
    fake_run(guest->vcpu[0]);
    CHECK(!take(guest, mine));
    mine = bind_to(guest, peer->id, theirs);
    CHECK(take(guest, mine));
}

static void loopback(void)
{
    evtchn_port_t a = alloc_unbound(guest, DOMID_SELF);
    evtchn_port_t b = bind_to(guest, DOMID_SELF, a);

    CHECK(a != b);
    take(guest, b);
    CHECK_EQUAL(0, op_port(EVTCHNOP_send, b));
    CHECK(take(guest, a));
    CHECK_EQUAL(0, op_port(EVTCHNOP_close, a));
    CHECK_EQUAL(EVTCHNSTAT_unbound, status_of(b).status);
    CHECK_EQUAL(0, op_port(EVTCHNOP_close, b));
}

static void binding_to_what_is_not_ours(void)
{
    evtchn_port_t for_control = alloc_unbound(guest, control->id), port;
    struct evtchn_bind_interdomain b = {.remote_dom = guest->id, .remote_port = for_control};
    struct evtchn_alloc_unbound a = {.dom = guest->id, .remote_dom = 0};
    struct evtchn_status s = {.dom = guest->id, .port = for_control};
    struct evtchn_reset r = {.dom = guest->id};

    CHECK_EQUAL(-EINVAL, op_as(peer, EVTCHNOP_bind_interdomain, &b));
    CHECK_EQUAL(-EPERM, op_as(peer, EVTCHNOP_alloc_unbound, &a));
    CHECK_EQUAL(-EPERM, op_as(peer, EVTCHNOP_status, &s));
    CHECK_EQUAL(-EPERM, op_as(peer, EVTCHNOP_reset, &r));
    CHECK_EQUAL(0, op_as(control, EVTCHNOP_status, &s));
    CHECK_EQUAL(0, op_as(control, EVTCHNOP_alloc_unbound, &a));
    port = bind_to(control, guest->id, for_control);
    CHECK_EQUAL(-EINVAL, op_as(control, EVTCHNOP_bind_interdomain, &b)); /* taken */
    b.remote_port = 0;
    CHECK_EQUAL(-EINVAL, op_as(control, EVTCHNOP_bind_interdomain, &b));
    b.remote_port = 0xffffffff;
    CHECK_EQUAL(-EINVAL, op_as(control, EVTCHNOP_bind_interdomain, &b));
    b.remote_dom = 77;
    CHECK_EQUAL(-ESRCH, op_as(control, EVTCHNOP_bind_interdomain, &b));
    a.dom = 77;
    CHECK_EQUAL(-ESRCH, op_as(control, EVTCHNOP_alloc_unbound, &a));
    CHECK_EQUAL(1, take(control, port));
    CHECK_EQUAL(0, fake_domain_references(guest));
}

/* Who binds is asked about, and whose port it is; what was denied is free for the next. */
static bool policy_denies;
static const struct domain *asked_subject, *asked_object;

int policy_ask(const struct domain *subject, enum policy_verb verb, const struct domain *object)
{
    if (!policy_denies)
        return 0;
    CHECK_EQUAL(POLICY_VERB_SEND_EVENTS, verb);
    asked_subject = subject;
    asked_object = object;
    return -EPERM;
}

static void denied_by_the_policy(void)
{
    evtchn_port_t for_peer = alloc_unbound(guest, peer->id), mine = alloc_unbound(peer, peer->id);
    struct evtchn_bind_interdomain b = {.remote_dom = guest->id, .remote_port = for_peer};

    policy_denies = true;
    CHECK_EQUAL(-EPERM, op_as(peer, EVTCHNOP_bind_interdomain, &b));
    CHECK(asked_subject == peer && asked_object == guest);
    CHECK_EQUAL(EVTCHNSTAT_unbound, status_of(for_peer).status);
    bind_to(peer, peer->id, mine); /* to itself, nobody is asked */
    policy_denies = false;
    bind_to(peer, guest->id, for_peer);
    CHECK_EQUAL(0, fake_domain_references(guest));
}

static void hostile_arguments(void)
{
    static const evtchn_port_t bad[] = {0, 5, 1024, 4095, 4096, 131071, 131072, 0x7fffffff, 0xffffffff};
    struct evtchn_bind_vcpu bv = {.vcpu = 0};
    struct evtchn_bind_virq virq = {.virq = NR_VIRQS};
    struct evtchn_bind_ipi ipi = {.vcpu = 2};
    struct evtchn_bind_pirq pirq = {.pirq = MAX_PIRQS};

    for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
        CHECK_EQUAL(-EINVAL, op_port(EVTCHNOP_close, bad[i]));
        CHECK_EQUAL(-EINVAL, op_port(EVTCHNOP_send, bad[i]));
        CHECK_EQUAL(-EINVAL, op_port(EVTCHNOP_unmask, bad[i]));
        bv.port = bad[i];
        CHECK_EQUAL(-EINVAL, op(EVTCHNOP_bind_vcpu, &bv));
    }
    CHECK_EQUAL(-EINVAL, event_channel_is_pending(guest, 0));
    CHECK_EQUAL(0, event_channel_is_pending(guest, 1023));
    CHECK_EQUAL(-EINVAL, event_channel_is_pending(guest, 1024));
    CHECK_EQUAL(-EINVAL, event_channel_is_pending(control, 4096));
    CHECK_EQUAL(-EINVAL, op(EVTCHNOP_bind_virq, &virq));
    virq = (struct evtchn_bind_virq){.virq = VIRQ_TIMER, .vcpu = 2};
    CHECK_EQUAL(-ENOENT, op(EVTCHNOP_bind_virq, &virq));
    virq = (struct evtchn_bind_virq){.virq = VIRQ_DOM_EXC, .vcpu = 1};
    CHECK_EQUAL(-EINVAL, op(EVTCHNOP_bind_virq, &virq));
    CHECK_EQUAL(-ENOENT, op(EVTCHNOP_bind_ipi, &ipi));
    ipi.vcpu = 0xffffffff;
    CHECK_EQUAL(-ENOENT, op(EVTCHNOP_bind_ipi, &ipi));
    CHECK_EQUAL(-EINVAL, op(EVTCHNOP_bind_pirq, &pirq));
    pirq = (struct evtchn_bind_pirq){.pirq = 4, .flags = 2};
    CHECK_EQUAL(-EINVAL, op(EVTCHNOP_bind_pirq, &pirq));
    for (unsigned command = 0; command <= EVTCHNOP_set_priority; command++)
        CHECK_EQUAL(-EFAULT, op(command, BAD_GUEST_ADDRESS));
    CHECK_EQUAL(-ENOSYS, op(14, &pirq));
    CHECK_EQUAL(-ENOSYS, fake_hypercall(do_event_channel_op, 1UL << 32, (uintptr_t)&pirq, 0, NULL));
}

static void running_out_of_ports(void)
{
    struct evtchn_bind_ipi ipi = {.vcpu = 0};

    for (unsigned i = 1; i <= 1023; i++) {
        CHECK_EQUAL(0, op(EVTCHNOP_bind_ipi, &ipi));
        CHECK_EQUAL(i, ipi.port);
    }
    CHECK_EQUAL(-ENOSPC, op(EVTCHNOP_bind_ipi, &ipi));
    CHECK_EQUAL(0, op_port(EVTCHNOP_close, 500));
    CHECK_EQUAL(0, op(EVTCHNOP_bind_ipi, &ipi));
    CHECK_EQUAL(500, ipi.port);
    CHECK_EQUAL(0, op_port(EVTCHNOP_send, 1023));
    CHECK(take(guest, 1023));

    fake_run(control->vcpu[0]); /* unlimited, but the layout has only so many */
    for (unsigned i = 1; i < EVTCHN_2L_NR_CHANNELS; i++)
        CHECK_EQUAL(0, op(EVTCHNOP_bind_ipi, &ipi));
    CHECK_EQUAL(-ENOSPC, op(EVTCHNOP_bind_ipi, &ipi));
    CHECK_EQUAL(0, op_port(EVTCHNOP_send, 4095));
    CHECK(take(control, 4095));
}

static void out_of_memory(void)
{
    struct evtchn_bind_ipi ipi = {.vcpu = 0};

    fake_fail_allocation = 1;
    CHECK_EQUAL(-ENOMEM, op(EVTCHNOP_bind_ipi, &ipi));
    CHECK_EQUAL(0, op(EVTCHNOP_bind_ipi, &ipi));
    for (unsigned n = 1; n <= 3; n++) {
        struct domain *d = fake_domain(9, 1, false);

        fake_fail_allocation = n;
        CHECK_EQUAL(-ENOMEM, event_channels_init(d, 1023));
        CHECK(!d->events);
        fake_fail_allocation = 0;
        fake_domain_free(d);
    }
}

static void masking(void)
{
    struct evtchn_bind_ipi ipi = {.vcpu = 1};
    struct vcpu *v = guest->vcpu[1];

    CHECK_EQUAL(0, op(EVTCHNOP_bind_ipi, &ipi));
    set_bit(ipi.port, guest->shared_info->evtchn_mask);
    CHECK_EQUAL(0, op_port(EVTCHNOP_send, ipi.port));
    CHECK(test_bit(ipi.port, guest->shared_info->evtchn_pending));
    CHECK(!vcpu_event_pending(v));
    CHECK_EQUAL(0, op_port(EVTCHNOP_unmask, ipi.port));
    CHECK(vcpu_event_pending(v));
    CHECK(!vcpu_event_pending(guest->vcpu[0]));
    CHECK(vcpu_event_deliverable(v));
    v->info->evtchn_upcall_mask = 1;
    CHECK(!vcpu_event_deliverable(v));
    CHECK(vcpu_event_pending(v));
}

static void waking(void)
{
    struct evtchn_bind_ipi ipi = {.vcpu = 1};
    struct vcpu *v = guest->vcpu[1];

    CHECK_EQUAL(0, op(EVTCHNOP_bind_ipi, &ipi));
    CHECK_EQUAL(0, op_port(EVTCHNOP_send, ipi.port));
    CHECK_EQUAL(1, unblocked[1]);
    CHECK_EQUAL(0, interrupts_sent); /* it does not run */
    take(guest, ipi.port);
    v->is_running = true;
    CHECK_EQUAL(0, op_port(EVTCHNOP_send, ipi.port));
    CHECK_EQUAL(1, interrupts_sent); /* it runs on the other CPU */
    CHECK_EQUAL(0, op_port(EVTCHNOP_send, ipi.port));
    CHECK_EQUAL(1, interrupts_sent); /* and has been told */
    v->is_running = false;
    take(guest, ipi.port);

    set_bit(ipi.port, guest->shared_info->evtchn_mask);
    set_bit(v->id, &guest->polling);
    v->poll_port = ipi.port + 1;
    unblocked[1] = 0;
    CHECK_EQUAL(0, op_port(EVTCHNOP_send, ipi.port));
    CHECK_EQUAL(0, unblocked[1]); /* polls another port */
    v->poll_port = ipi.port;
    CHECK_EQUAL(0, op_port(EVTCHNOP_send, ipi.port));
    CHECK_EQUAL(1, unblocked[1]); /* a masked port ends the poll too */
    set_bit(v->id, &guest->polling);
    v->poll_port = 0;
    CHECK_EQUAL(0, op_port(EVTCHNOP_send, ipi.port));
    CHECK_EQUAL(2, unblocked[1]);

    v->info->evtchn_upcall_pending = 1; /* the guest's own doing, and then it blocks */
    v->blocked = true;
    clear_bit(ipi.port, guest->shared_info->evtchn_mask);
    clear_bit(ipi.port, guest->shared_info->evtchn_pending);
    v->info->evtchn_pending_sel = 0;
    CHECK_EQUAL(0, op_port(EVTCHNOP_send, ipi.port));
    CHECK_EQUAL(3, unblocked[1]);
}

static void moved_vcpu_info(void)
{
    struct vcpu_info elsewhere = {.evtchn_upcall_mask = 0};
    struct vcpu *v = guest->vcpu[1];

    v->info = &elsewhere;
    event_channels_vcpu_info_moved(v);
    CHECK(vcpu_event_deliverable(v));
    CHECK_EQUAL(~0UL, elsewhere.evtchn_pending_sel);
    v->info = &guest->shared_info->vcpu_info[1];
}

static void virqs(void)
{
    struct evtchn_bind_virq timer = {.virq = VIRQ_TIMER, .vcpu = 1}, exception = {.virq = VIRQ_DOM_EXC};
    struct evtchn_bind_vcpu bv = {.vcpu = 1};

    send_guest_global_virq(NULL, VIRQ_DOM_EXC);
    send_guest_global_virq(guest, VIRQ_DOM_EXC); /* unbound: nothing */
    CHECK_EQUAL(0, op(EVTCHNOP_bind_virq, &timer));
    CHECK_EQUAL(-EEXIST, op(EVTCHNOP_bind_virq, &timer));
    CHECK_EQUAL(0, op(EVTCHNOP_bind_virq, &exception));
    CHECK(timer.port != exception.port);
    send_guest_vcpu_virq(guest->vcpu[0], VIRQ_TIMER);
    CHECK(!take(guest, timer.port));
    send_guest_vcpu_virq(guest->vcpu[1], VIRQ_TIMER);
    CHECK(vcpu_event_pending(guest->vcpu[1]));
    CHECK(take(guest, timer.port));

    bv.port = timer.port;
    CHECK_EQUAL(-EINVAL, op(EVTCHNOP_bind_vcpu, &bv));
    bv.port = exception.port;
    CHECK_EQUAL(0, op(EVTCHNOP_bind_vcpu, &bv));
    CHECK_EQUAL(1, status_of(exception.port).vcpu);
    CHECK_EQUAL(VIRQ_DOM_EXC, status_of(exception.port).u.virq);
    send_guest_global_virq(guest, VIRQ_DOM_EXC);
    CHECK(vcpu_event_pending(guest->vcpu[1]));
    CHECK(take(guest, exception.port));
    bv.vcpu = 2;
    CHECK_EQUAL(-ENOENT, op(EVTCHNOP_bind_vcpu, &bv));

    CHECK_EQUAL(-EINVAL, op_port(EVTCHNOP_send, timer.port)); /* not for the guest to send */
    CHECK_EQUAL(0, op_port(EVTCHNOP_close, exception.port));  /* bound to vcpu 1, but vcpu 0's table names it */
    send_guest_global_virq(guest, VIRQ_DOM_EXC);
    CHECK(!take(guest, exception.port));
    CHECK_EQUAL(0, op(EVTCHNOP_bind_virq, &exception));
}

static void pirqs(void)
{
    struct evtchn_bind_pirq p = {.pirq = 9, .flags = BIND_PIRQ__WILL_SHARE};
    evtchn_port_t port;

    send_guest_pirq(guest, 9);
    CHECK_EQUAL(0, op(EVTCHNOP_bind_pirq, &p));
    port = p.port;
    CHECK_EQUAL(1, pirq_bound);
    CHECK_EQUAL(-EEXIST, op(EVTCHNOP_bind_pirq, &p));
    CHECK_EQUAL(1, pirq_bound);
    send_guest_pirq(guest, 9);
    CHECK(take(guest, port));
    send_guest_pirq(guest, 8);
    send_guest_pirq(guest, MAX_PIRQS);
    CHECK_EQUAL(EVTCHNSTAT_pirq, status_of(port).status);
    CHECK_EQUAL(9, status_of(port).u.pirq);
    CHECK_EQUAL(0, op_port(EVTCHNOP_close, port));
    CHECK_EQUAL(1, pirq_unbound);
    send_guest_pirq(guest, 9);
    CHECK(!take(guest, port));

    pirq_bind_answer = -EBUSY;
    CHECK_EQUAL(-EBUSY, op(EVTCHNOP_bind_pirq, &p));
    CHECK_EQUAL(EVTCHNSTAT_closed, status_of(port).status);
    pirq_bind_answer = 0;
    CHECK_EQUAL(0, op(EVTCHNOP_bind_pirq, &p));
}

static void dying(void)
{
    evtchn_port_t mine = alloc_unbound(guest, peer->id);
    evtchn_port_t theirs = bind_to(peer, guest->id, mine);
    struct evtchn_bind_interdomain b = {.remote_dom = peer->id};
    evtchn_port_t unused;

    take(peer, theirs);
    b.remote_port = alloc_unbound(peer, guest->id);
    peer->dying = DOMAIN_DYING;
    CHECK_EQUAL(0, op_port(EVTCHNOP_send, mine)); /* not an error, and nothing happens */
    CHECK(!take(peer, theirs));
    CHECK_EQUAL(-ESRCH, event_channel_alloc_unbound(peer, guest->id, &unused));
    fake_run(control->vcpu[0]);
    CHECK_EQUAL(0, event_channels_close_all(peer));
    fake_run(guest->vcpu[0]);
    CHECK_EQUAL(EVTCHNSTAT_unbound, status_of(mine).status);
    CHECK_EQUAL(0, op_port(EVTCHNOP_send, mine));
    CHECK_EQUAL(-EINVAL, op(EVTCHNOP_bind_interdomain, &b));
    CHECK_EQUAL(0, fake_domain_references(peer));
}

/* A toolstack may make channels of a domain before it makes its vcpus. */
static void before_there_are_vcpus(void)
{
    evtchn_port_t mine = alloc_unbound(guest, peer->id);
    evtchn_port_t theirs = bind_to(peer, guest->id, mine);
    struct vcpu *later = peer->vcpu[0];

    take(peer, theirs);
    memset(unblocked, 0, sizeof(unblocked));
    peer->vcpu[0] = NULL;
    CHECK_EQUAL(0, op_port(EVTCHNOP_send, mine));
    peer->vcpu[0] = later;
    CHECK(!unblocked[0] && take(peer, theirs));
    CHECK_EQUAL(0, op_port(EVTCHNOP_send, mine));
    CHECK(vcpu_event_pending(later) && take(peer, theirs));
}

static void closing_in_pieces(void)
{
    struct evtchn_reset reset = {.dom = DOMID_SELF};
    evtchn_port_t port = 0;
    unsigned restarts;

    for (unsigned i = 0; i < 1000; i++)
        CHECK_EQUAL(0, event_channel_alloc_unbound(guest, 2, &port));
    fake_yield_every(1);
    CHECK_EQUAL(0, fake_hypercall(do_event_channel_op, EVTCHNOP_reset, (uintptr_t)&reset, 0, &restarts));
    CHECK(restarts >= 10);
    fake_yield_every(0);
    CHECK_EQUAL(EVTCHNSTAT_closed, status_of(port).status);
    CHECK_EQUAL(0, event_channel_alloc_unbound(guest, 2, &port));
    CHECK_EQUAL(1, port);
}

/* FIFO: the guest's side of the protocol, as xen/event_channel.h and Linux have it. */

#define BIT_OF(name) (1U << EVTCHN_FIFO_##name)
struct fifo_guest {
    mfn_t control[2], array[2];
    unsigned arrays;
    uint32_t head[2][EVTCHN_FIFO_MAX_QUEUES];
};
static struct fifo_guest fifo;

static struct evtchn_fifo_control_block *control_of(unsigned vcpu)
{
    return (struct evtchn_fifo_control_block *)(fake_ram[fifo.control[vcpu]] + 64);
}
static event_word_t *word(evtchn_port_t port)
{
    return (event_word_t *)fake_ram[fifo.array[port / 1024]] + port % 1024;
}
static long init_control(unsigned vcpu)
{
    struct evtchn_init_control init = {.offset = 64, .vcpu = vcpu};
    long rc;

    fifo.control[vcpu] = init.control_gfn = fake_frame(guest);
    rc = op(EVTCHNOP_init_control, &init);
    CHECK_EQUAL(rc ? 0 : EVTCHN_FIFO_LINK_BITS, init.link_bits);
    return rc;
}
static long expand_array(void)
{
    struct evtchn_expand_array expand;

    fifo.array[fifo.arrays] = expand.array_gfn = fake_frame(guest);
    fifo.arrays++;
    return op(EVTCHNOP_expand_array, &expand);
}
static void fifo_start(void)
{
    memset(&fifo, 0, sizeof(fifo));
    CHECK_EQUAL(0, init_control(0));
    CHECK_EQUAL(0, init_control(1));
    CHECK_EQUAL(0, expand_array());
}
static uint32_t unlink_word(event_word_t *w)
{
    uint32_t old = __atomic_load_n(w, __ATOMIC_SEQ_CST);

    while (!__atomic_compare_exchange_n(w, &old, old & ~(BIT_OF(LINKED) | EVTCHN_FIFO_LINK_MASK), false,
                                        __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
        ;
    return old & EVTCHN_FIFO_LINK_MASK;
}
/* The events of a vcpu in the order of their handling; PENDING is cleared. Queue priority of each in *priority. */
static unsigned fifo_consume(unsigned vcpu, evtchn_port_t *got, unsigned room)
{
    struct evtchn_fifo_control_block *control = control_of(vcpu);
    uint32_t ready;
    unsigned count = 0;

    /* In this order, as a guest does: an event raised between the two raises the upcall again. */
    __atomic_store_n(&guest->vcpu[vcpu]->info->evtchn_upcall_pending, 0, __ATOMIC_SEQ_CST);
    ready = __atomic_exchange_n(&control->ready, 0, __ATOMIC_SEQ_CST);
    while (ready) {
        unsigned queue = __builtin_ctz(ready);
        evtchn_port_t port = fifo.head[vcpu][queue];

        if (!port)
            port = __atomic_load_n(&control->head[queue], __ATOMIC_ACQUIRE);
        fifo.head[vcpu][queue] = unlink_word(word(port));
        if (!fifo.head[vcpu][queue])
            ready &= ~(1U << queue);
        if ((__atomic_load_n(word(port), __ATOMIC_SEQ_CST) & (BIT_OF(PENDING) | BIT_OF(MASKED))) == BIT_OF(PENDING)) {
            __atomic_fetch_and(word(port), ~BIT_OF(PENDING), __ATOMIC_SEQ_CST);
            if (count < room)
                got[count] = port;
            count++;
        }
        ready |= __atomic_exchange_n(&control->ready, 0, __ATOMIC_SEQ_CST);
    }
    return count;
}
static evtchn_port_t ipi_on(unsigned vcpu)
{
    struct evtchn_bind_ipi ipi = {.vcpu = vcpu};

    CHECK_EQUAL(0, op(EVTCHNOP_bind_ipi, &ipi));
    return ipi.port;
}

static void fifo_order_and_priority(void)
{
    struct evtchn_set_priority high = {.priority = EVTCHN_FIFO_PRIORITY_MAX};
    evtchn_port_t a, b, c, got[8];

    fifo_start();
    a = ipi_on(0), b = ipi_on(0), c = ipi_on(0);
    high.port = c;
    CHECK_EQUAL(0, op(EVTCHNOP_set_priority, &high));
    op_port(EVTCHNOP_send, b);
    CHECK(vcpu_event_pending(guest->vcpu[0]));
    op_port(EVTCHNOP_send, a);
    op_port(EVTCHNOP_send, b);
    op_port(EVTCHNOP_send, c);
    CHECK_EQUAL(1, event_channel_is_pending(guest, a));
    CHECK_EQUAL(3, fifo_consume(0, got, 8));
    CHECK_EQUAL(c, got[0]);
    CHECK_EQUAL(b, got[1]);
    CHECK_EQUAL(a, got[2]);
    CHECK_EQUAL(0, event_channel_is_pending(guest, a));
    CHECK_EQUAL(0, fifo_consume(0, got, 8));
    op_port(EVTCHNOP_send, a); /* again, on a queue that ran empty with a as its tail */
    op_port(EVTCHNOP_send, c);
    CHECK_EQUAL(2, fifo_consume(0, got, 8));
    CHECK_EQUAL(0, fifo_consume(1, got, 8));

    high.priority = EVTCHN_FIFO_PRIORITY_MIN + 1;
    CHECK_EQUAL(-EINVAL, op(EVTCHNOP_set_priority, &high));
    high.priority = EVTCHN_FIFO_PRIORITY_MIN;
    high.port = 999;
    CHECK_EQUAL(-EINVAL, op(EVTCHNOP_set_priority, &high));
}

static void fifo_masking_and_moving(void)
{
    struct evtchn_bind_vcpu bv = {.vcpu = 1};
    evtchn_port_t got[8], far, near, other;

    fifo_start();
    near = alloc_unbound(guest, peer->id);
    far = bind_to(peer, guest->id, near);
    other = ipi_on(0);
    __atomic_fetch_or(word(near), BIT_OF(MASKED), __ATOMIC_SEQ_CST);
    fake_run(peer->vcpu[0]);
    CHECK_EQUAL(0, op_port(EVTCHNOP_send, far));
    fake_run(guest->vcpu[0]);
    CHECK_EQUAL(0, fifo_consume(0, got, 8));
    CHECK(*word(near) & BIT_OF(PENDING));
    CHECK_EQUAL(0, op_port(EVTCHNOP_unmask, near));
    CHECK(!(*word(near) & BIT_OF(MASKED)));

    /* Now on vcpu 0's queue. It moves to vcpu 1: this time it is still taken from vcpu 0's. */
    bv.port = near;
    CHECK_EQUAL(0, op(EVTCHNOP_bind_vcpu, &bv));
    CHECK_EQUAL(0, fifo_consume(1, got, 8));
    CHECK_EQUAL(1, fifo_consume(0, got, 8));
    CHECK_EQUAL(near, got[0]);

    /* It was the tail of vcpu 0's queue: on vcpu 1's queue it must not get what comes after on vcpu 0's. */
    fake_run(peer->vcpu[0]);
    CHECK_EQUAL(0, op_port(EVTCHNOP_send, far));
    fake_run(guest->vcpu[0]);
    op_port(EVTCHNOP_send, other);
    CHECK_EQUAL(1, fifo_consume(0, got, 8));
    CHECK_EQUAL(other, got[0]);
    CHECK_EQUAL(1, fifo_consume(1, got, 8));
    CHECK_EQUAL(near, got[0]);
}

static void fifo_port_reuse(void)
{
    evtchn_port_t a, b, got[8];

    fifo_start();
    a = ipi_on(0);
    op_port(EVTCHNOP_send, a);
    CHECK_EQUAL(0, op_port(EVTCHNOP_close, a));
    CHECK(!(*word(a) & BIT_OF(PENDING)));
    b = ipi_on(1);
    CHECK(b != a); /* still on vcpu 0's queue */
    CHECK_EQUAL(0, fifo_consume(0, got, 8));
    CHECK_EQUAL(0, op_port(EVTCHNOP_close, b));
    CHECK_EQUAL(a, ipi_on(1));
    op_port(EVTCHNOP_send, a);
    CHECK_EQUAL(1, fifo_consume(1, got, 8));
}

static void fifo_events_before_the_array(void)
{
    evtchn_port_t port, got[8];

    memset(&fifo, 0, sizeof(fifo));
    CHECK_EQUAL(0, init_control(0));
    port = ipi_on(0);
    op_port(EVTCHNOP_send, port);
    CHECK_EQUAL(1, event_channel_is_pending(guest, port));
    CHECK(!vcpu_event_pending(guest->vcpu[0]));
    CHECK_EQUAL(0, expand_array());
    CHECK(vcpu_event_pending(guest->vcpu[0]));
    CHECK_EQUAL(1, fifo_consume(0, got, 8));

    port = ipi_on(1); /* a vcpu without control block */
    op_port(EVTCHNOP_send, port);
    CHECK_EQUAL(0, fifo_consume(0, got, 8));
    CHECK_EQUAL(0, init_control(1));
    CHECK_EQUAL(1, fifo_consume(1, got, 8));
    CHECK_EQUAL(port, got[0]);
}

static void fifo_hostile_arguments(void)
{
    struct evtchn_init_control init = {.offset = 0, .vcpu = 0};
    struct evtchn_expand_array expand = {.array_gfn = fake_frame(guest)};
    struct evtchn_set_priority priority = {.port = 1, .priority = 3};
    mfn_t table = fake_frame(guest), foreign = fake_frame(peer);

    fake_make_table(table);
    CHECK_EQUAL(-EOPNOTSUPP, op(EVTCHNOP_expand_array, &expand)); /* not FIFO yet */
    CHECK_EQUAL(-EOPNOTSUPP, op(EVTCHNOP_set_priority, &priority));
    CHECK_EQUAL(0, fake_references(expand.array_gfn));

    init.control_gfn = table;
    CHECK(op(EVTCHNOP_init_control, &init) < 0);
    init.control_gfn = foreign;
    CHECK_EQUAL(-EINVAL, op(EVTCHNOP_init_control, &init));
    init.control_gfn = ~0UL;
    CHECK_EQUAL(-EINVAL, op(EVTCHNOP_init_control, &init));
    init.control_gfn = fake_frame(guest);
    for (uint32_t offset = 4096 - 64; offset; offset += 8) { /* to the end of 32 bits */
        init.offset = offset;
        if (offset > 8192)
            offset += 0x1000000;
        CHECK_EQUAL(-EINVAL, op(EVTCHNOP_init_control, &init));
        if (offset > 0xf0000000)
            break;
    }
    init.offset = 4;
    CHECK_EQUAL(-EINVAL, op(EVTCHNOP_init_control, &init));
    init.offset = 0;
    init.vcpu = 2;
    CHECK_EQUAL(-ENOENT, op(EVTCHNOP_init_control, &init));
    init.vcpu = 0;
    fake_fail_allocation = 1;
    CHECK_EQUAL(-ENOMEM, op(EVTCHNOP_init_control, &init));
    fake_fail_allocation = 2;
    CHECK_EQUAL(-ENOMEM, op(EVTCHNOP_init_control, &init));
    CHECK_EQUAL(0, fake_references(init.control_gfn));
    CHECK_EQUAL(0, op(EVTCHNOP_init_control, &init));
    CHECK_EQUAL(1, fake_type_references(init.control_gfn));
    CHECK_EQUAL(-EINVAL, op(EVTCHNOP_init_control, &init)); /* once per vcpu */
    CHECK_EQUAL(1, fake_type_references(init.control_gfn));
    for (unsigned i = 0; i < 128; i++)
        CHECK_EQUAL(0, op(EVTCHNOP_expand_array, &expand));
    CHECK_EQUAL(-ENOSPC, op(EVTCHNOP_expand_array, &expand));
    CHECK_EQUAL(128, fake_type_references(expand.array_gfn));
}

static void fifo_hostile_memory(void)
{
    evtchn_port_t ports[20], got[8];

    fifo_start();
    for (unsigned i = 0; i < 20; i++)
        ports[i] = ipi_on(i % 2);
    for (unsigned round = 0; round < 20000; round++) {
        uint32_t *w = round % 3 ? word(random_below(1024)) : (uint32_t *)control_of(0) + random_below(18);
        struct evtchn_set_priority p = {.port = ports[random_below(20)], .priority = random_below(16)};

        *w = (uint32_t)random64();
        op(EVTCHNOP_set_priority, &p);
        CHECK_EQUAL(0, op_port(EVTCHNOP_send, ports[random_below(20)]));
        CHECK_EQUAL(0, op_port(EVTCHNOP_unmask, ports[random_below(20)]));
    }
    /* Whatever that did to the guest's queues, a fresh start works. */
    CHECK_EQUAL(0, op(EVTCHNOP_reset, &(struct evtchn_reset){.dom = DOMID_SELF}));
    fifo_start();
    ports[0] = ipi_on(0);
    op_port(EVTCHNOP_send, ports[0]);
    CHECK_EQUAL(1, fifo_consume(0, got, 8));
}

static void fifo_reset(void)
{
    struct evtchn_reset reset = {.dom = DOMID_SELF};
    evtchn_port_t port;

    fifo_start();
    port = ipi_on(0);
    CHECK_EQUAL(0, op(EVTCHNOP_reset, &reset));
    CHECK_EQUAL(0, fake_references(fifo.control[0]));
    CHECK_EQUAL(0, fake_references(fifo.control[1]));
    CHECK_EQUAL(0, fake_references(fifo.array[0]));
    port = ipi_on(0); /* 2-level again */
    op_port(EVTCHNOP_send, port);
    CHECK(take(guest, port));
}

/* d1 once more, with other limits. */
static void guest_with_ports(unsigned max_port)
{
    fake_run(control->vcpu[0]);
    finish(guest);
    fake_domain_free(guest);
    guest = fake_domain(1, 2, false);
    CHECK_EQUAL(0, event_channels_init(guest, max_port));
    fake_run(guest->vcpu[0]);
}

/* While vcpu 0 resets, vcpu 1 makes the next array, which is shorter, and raises an event: the tail of the last queue
 * has no word in it. */
static evtchn_port_t early_port;
static void start_anew(void)
{
    fifo.arrays = 0;
    CHECK_EQUAL(0, init_control(0));
    CHECK_EQUAL(0, expand_array());
    early_port = ipi_on(1);
    CHECK_EQUAL(0, op_port(EVTCHNOP_send, early_port));
}

static void fifo_reset_and_new_start(void)
{
    struct evtchn_reset reset = {.dom = DOMID_SELF};
    evtchn_port_t last = 0, got[2];

    guest_with_ports(4095);
    fifo_start();
    CHECK_EQUAL(0, expand_array());
    while (last < 1024)
        last = ipi_on(1);
    CHECK_EQUAL(0, op_port(EVTCHNOP_send, last));
    fake_meanwhile = start_anew;
    CHECK_EQUAL(0, op(EVTCHNOP_reset, &reset));
    CHECK(early_port && early_port < 1024);
    CHECK_EQUAL(0, init_control(1)); /* its queue of before is gone; what was sent meanwhile comes now */
    memset(fifo.head, 0, sizeof(fifo.head));
    CHECK_EQUAL(1, fifo_consume(1, got, 2));
    CHECK_EQUAL(early_port, got[0]);
}

/* A guest that consumes on one CPU while another domain sends on a second: nothing sent last may stay unseen. */
#define STRESS_PORTS 8
#define STRESS_SENDS 200000
static evtchn_port_t stress_far[STRESS_PORTS], stress_near[STRESS_PORTS];
static volatile unsigned long stress_sent[STRESS_PORTS];
static volatile bool stress_done;

static void *stress_sender(void *unused)
{

    fake_run(peer->vcpu[0]);
    for (unsigned i = 0; i < STRESS_SENDS; i++) {
        unsigned n = random_below(STRESS_PORTS);

        __atomic_add_fetch(&stress_sent[n], 1, __ATOMIC_SEQ_CST);
        CHECK_EQUAL(0, op_port(EVTCHNOP_send, stress_far[n]));
    }
    __atomic_store_n(&stress_done, true, __ATOMIC_SEQ_CST);
    return NULL;
}

static void fifo_two_processors(void)
{
    unsigned long seen[STRESS_PORTS] = {0};
    bool last = false;
    pthread_t sender;

    fifo_start();
    stress_done = false;
    for (unsigned i = 0; i < STRESS_PORTS; i++) {
        stress_near[i] = alloc_unbound(guest, peer->id);
        stress_far[i] = bind_to(peer, guest->id, stress_near[i]);
        stress_sent[i] = 0;
    }
    pthread_create(&sender, NULL, stress_sender, NULL);
    while (!last) {
        evtchn_port_t got[STRESS_PORTS * 4];
        unsigned count;

        last = __atomic_load_n(&stress_done, __ATOMIC_SEQ_CST);
        if (!__atomic_load_n(&guest->vcpu[0]->info->evtchn_upcall_pending, __ATOMIC_SEQ_CST))
            continue;
        count = fifo_consume(0, got, ARRAY_SIZE(got));
        for (unsigned i = 0; i < min(count, (unsigned)ARRAY_SIZE(got)); i++)
            for (unsigned n = 0; n < STRESS_PORTS; n++)
                if (stress_near[n] == got[i])
                    seen[n] = stress_sent[n];
        if (count > ARRAY_SIZE(got))
            for (unsigned n = 0; n < STRESS_PORTS; n++)
                seen[n] = stress_sent[n]; /* more than we kept: taken as seen now */
    }
    pthread_join(sender, NULL);
    for (unsigned n = 0; n < STRESS_PORTS; n++)
        CHECK_EQUAL(stress_sent[n], seen[n]);
}

/* An HVM guest gets an interrupt, once until it has taken the flag away; what ends its waits are interrupts. */
static void hvm_upcalls(void)
{
    struct evtchn_bind_ipi ipi = {.vcpu = 1};
    struct vcpu *v = guest->vcpu[1];

    become_hvm(false);
    CHECK_EQUAL(0, op(EVTCHNOP_bind_ipi, &ipi));
    CHECK_EQUAL(0, op_port(EVTCHNOP_send, ipi.port));
    CHECK(upcalls[1] == 1 && upcalls[0] == 0 && test_bit(ipi.port, guest->shared_info->evtchn_pending));
    CHECK_EQUAL(1, v->info->evtchn_pending_sel);
    v->info->evtchn_pending_sel = 0;
    clear_bit(ipi.port, guest->shared_info->evtchn_pending);
    CHECK_EQUAL(0, op_port(EVTCHNOP_send, ipi.port));
    CHECK_EQUAL(1, upcalls[1]); /* still flagged */
    v->info->evtchn_upcall_pending = 0;
    clear_bit(ipi.port, guest->shared_info->evtchn_pending);
    v->info->evtchn_pending_sel = 0;
    CHECK_EQUAL(0, op_port(EVTCHNOP_send, ipi.port));
    CHECK_EQUAL(2, upcalls[1]);

    pending_interrupt = -1;
    v->regs.rflags = X86_EFLAGS_IF;
    CHECK(!vcpu_event_deliverable(v)); /* flagged, but no interrupt comes of it */
    pending_interrupt = 0xf3;
    CHECK(vcpu_event_deliverable(v));
    v->regs.rflags = 0;
    CHECK(!vcpu_event_deliverable(v));
    pending_interrupt = -1;
}

/* The layout of a 32-bit guest: its words have 32 bits, and there are 1024 ports. */
static void compat_2level(void)
{
    struct compat_shared_info *shared = (void *)guest->shared_info;
    struct compat_vcpu_info *info = &shared->vcpu_info[1];
    struct evtchn_bind_ipi ipi = {.vcpu = 1};
    struct evtchn_close first;

    become_hvm(true);
    do { /* one above the first word */
        CHECK_EQUAL(0, op(EVTCHNOP_bind_ipi, &ipi));
    } while (ipi.port < 70);
    first.port = ipi.port;
    CHECK_EQUAL(0, op_port(EVTCHNOP_send, first.port));
    CHECK(shared->evtchn_pending[2] == 1U << 6 && info->evtchn_pending_sel == 1U << 2 && info->arch[0] == 0);
    CHECK(info->evtchn_upcall_pending == 1 && upcalls[1] == 1 && shared->evtchn_mask[2] == 0);
    CHECK_EQUAL(1, event_channel_is_pending(guest, first.port));

    memset(shared->evtchn_pending, 0, sizeof(shared->evtchn_pending));
    info->evtchn_pending_sel = info->evtchn_upcall_pending = 0;
    shared->evtchn_mask[2] = 1U << 6;
    CHECK_EQUAL(0, op_port(EVTCHNOP_send, first.port));
    CHECK(shared->evtchn_pending[2] == 1U << 6 && info->evtchn_pending_sel == 0 && upcalls[1] == 1);
    CHECK_EQUAL(0, op_port(EVTCHNOP_unmask, first.port));
    CHECK(shared->evtchn_mask[2] == 0 && info->evtchn_pending_sel == 1U << 2 && upcalls[1] == 2);
    info->evtchn_pending_sel = info->evtchn_upcall_pending = 0;
    event_channels_vcpu_info_moved(guest->vcpu[1]);
    CHECK(info->evtchn_pending_sel == ~0U && info->arch[0] == 0 && upcalls[1] == 3);

    struct evtchn_bind_ipi last = {.vcpu = 0};
    long rc;
    while ((rc = op(EVTCHNOP_bind_ipi, &last)) == 0)
        first.port = last.port;
    CHECK(rc == -ENOSPC && first.port == COMPAT_2L_NR_CHANNELS - 1);
    CHECK_EQUAL(0, op_port(EVTCHNOP_send, first.port));
    CHECK_EQUAL(1U << 31, shared->evtchn_pending[31]);
    CHECK_EQUAL(1U << 31, shared->vcpu_info[0].evtchn_pending_sel);
    CHECK(shared->wc_version == 0 && shared->evtchn_mask[0] == 0);
}

/* Ports that were opened while the layout had more: by a kernel of 64 bits before one of 32, and ours in an array. */
static void nobody(struct domain *d, unsigned vcpu, evtchn_port_t port, bool gone)
{
}
static void ports_beyond_the_layout(void)
{
    struct compat_shared_info *shared;
    struct shared_info before;
    struct evtchn_reset reset = {.dom = DOMID_SELF};
    evtchn_port_t port = 0, ours;

    guest_with_ports(20000);
    become_hvm(false);
    while (port < 3000)
        port = ipi_on(1);
    become_hvm(true);
    shared = (struct compat_shared_info *)guest->shared_info;
    memset(shared, 0, sizeof(*guest->shared_info));
    memset(&before, 0, sizeof(before));
    CHECK_EQUAL(0, op_port(EVTCHNOP_send, port));
    CHECK_EQUAL(0, op_port(EVTCHNOP_unmask, port));
    CHECK(!memcmp(&before, shared, sizeof(before)));
    memset(shared, 0xff, sizeof(before));
    memset(&before, 0xff, sizeof(before));
    CHECK_EQUAL(0, op_port(EVTCHNOP_unmask, port));
    CHECK_EQUAL(0, op_port(EVTCHNOP_close, port));
    CHECK(!memcmp(&before, shared, sizeof(before)));
    memset(shared, 0, sizeof(before));

    guest->hvm = NULL;
    guest->vcpu[0]->hvm = guest->vcpu[1]->hvm = NULL;
    fifo_start();
    while (port < 17000)
        port = ipi_on(0);
    CHECK_EQUAL(0, event_channel_alloc_consumed(guest, 0, 0, nobody, &ours));
    CHECK(ours > 17000);
    CHECK_EQUAL(0, op(EVTCHNOP_reset, &reset));
    event_channel_close_consumed(guest, ours); /* its bit would be behind the page */
}

int main(void)
{
    static const struct unit_test tests[] = {
        {"interdomain channels", interdomain},
        {"loopback", loopback},
        {"rights", binding_to_what_is_not_ours},
        {"denied by the policy", denied_by_the_policy},
        {"hostile arguments", hostile_arguments},
        {"running out of ports", running_out_of_ports},
        {"out of memory", out_of_memory},
        {"masking", masking},
        {"waking", waking},
        {"vcpu_info moves", moved_vcpu_info},
        {"HVM upcalls", hvm_upcalls},
        {"32-bit layout", compat_2level},
        {"ports beyond the layout", ports_beyond_the_layout},
        {"virtual interrupts", virqs},
        {"physical interrupts", pirqs},
        {"dying domain", dying},
        {"before there are vcpus", before_there_are_vcpus},
        {"closing in pieces", closing_in_pieces},
        {"FIFO order and priority", fifo_order_and_priority},
        {"FIFO masking and moving", fifo_masking_and_moving},
        {"FIFO port reuse", fifo_port_reuse},
        {"FIFO events before the array", fifo_events_before_the_array},
        {"FIFO hostile arguments", fifo_hostile_arguments},
        {"FIFO hostile memory", fifo_hostile_memory},
        {"FIFO reset", fifo_reset},
        {"FIFO reset and new start", fifo_reset_and_new_start},
        {"FIFO with two processors", fifo_two_processors},
    };

    return fake_run_tests(tests, ARRAY_SIZE(tests), setup, teardown);
}
