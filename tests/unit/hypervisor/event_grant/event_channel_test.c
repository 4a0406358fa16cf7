/*
 * Event channels against the real files: every operation, the 2-level layout, both ends closing, hostile arguments.
 */
#include "event_channel_rig.h"
#include <hv/policy.h>
#include <hv/compat.h>

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
        {"virtual interrupts", virqs},
        {"physical interrupts", pirqs},
        {"dying domain", dying},
        {"before there are vcpus", before_there_are_vcpus},
        {"closing in pieces", closing_in_pieces},
    };

    return fake_run_tests(tests, ARRAY_SIZE(tests), setup, teardown);
}
