/*
 * Event channels under four threads: two vcpus of each of two guests bind, send, move, mask, close and reset ports at
 * once, drawn from a seed. Afterwards every channel has two ends that name each other, and nothing is left when the
 * guests end.
 *
 * hv-event-channel-fuzz [SEED [CALLS]]; hv-event-channel-threads is the same under the thread sanitizer.
 */
#include "../../random.h"
#include "../fake/several_threads.h"
#include "fake/fake.h"
#include <hv/event_channel.h>
#include <hv/hvm_irq.h>
#include <hv/irq.h>
#include <hv/sched.h>

enum { PORTS = 48 };

static struct domain *control, *guests[2];
static bool with_fifo;

/* What event channels use of the rest. */
void vcpu_unblock(struct vcpu *v)
{
    clear_bit(v->id, &v->domain->polling);
}
void apic_send_ipi(struct cpu *cpu, uint8_t vector)
{
}
void hvm_assert_upcall(struct vcpu *v)
{
}
int hvm_pending_interrupt(struct vcpu *v, bool acknowledge)
{
    return -1;
}
int pirq_bind(struct domain *d, int pirq, bool share)
{
    return -EPERM;
}
int domain_gfn_to_mfn(struct domain *d, uint64_t gfn, mfn_t *mfn)
{
    *mfn = gfn;
    return gfn < FAKE_FRAMES && page_owner(&fake_page[gfn]) == d ? 0 : -EINVAL;
}

static long op(unsigned command, void *argument)
{
    return fake_hypercall(do_event_channel_op, command, (uintptr_t)argument, 0, NULL);
}

/* Ports are few, so that calls meet; some do not exist. */
static evtchn_port_t any_port(void)
{
    return random_below(50) ? random_below(PORTS) : random64();
}

static domid_t any_domain(void)
{
    static const domid_t some[] = {DOMID_SELF, DOMID_SELF, 1, 1, 2, 2, 0, 77, DOMID_IDLE};
    return some[random_below(ARRAY_SIZE(some))];
}

static void bind_something(void)
{
    struct evtchn_alloc_unbound unbound = {.dom = DOMID_SELF, .remote_dom = any_domain()};
    struct evtchn_bind_interdomain bind = {.remote_dom = any_domain(), .remote_port = any_port()};
    struct evtchn_bind_virq virq = {.virq = random_below(NR_VIRQS), .vcpu = random_below(3)};
    struct evtchn_bind_ipi ipi = {.vcpu = random_below(3)};
    switch (random_below(8)) {
    case 0 ... 2:
        op(EVTCHNOP_alloc_unbound, &unbound);
        return;
    case 3 ... 5:
        op(EVTCHNOP_bind_interdomain, &bind);
        return;
    case 6:
        op(EVTCHNOP_bind_virq, &virq);
        return;
    }
    op(EVTCHNOP_bind_ipi, &ipi);
}

static void use_something(void)
{
    struct evtchn_bind_vcpu move = {.port = any_port(), .vcpu = random_below(3)};
    struct evtchn_set_priority priority = {.port = any_port(), .priority = random_below(17)};
    struct evtchn_status status = {.dom = any_domain(), .port = any_port()};
    struct evtchn_send port = {.port = any_port()};
    switch (random_below(8)) {
    case 0:
        op(EVTCHNOP_bind_vcpu, &move);
        return;
    case 1:
        op(EVTCHNOP_set_priority, &priority);
        return;
    case 2:
        op(EVTCHNOP_status, &status);
        return;
    case 3:
        op(EVTCHNOP_unmask, &port);
        return;
    }
    op(EVTCHNOP_send, &port);
}

static void one_call(unsigned n)
{
    struct evtchn_close close = {.port = any_port()};
    struct evtchn_reset reset = {.dom = DOMID_SELF};
    switch (random_below(16)) {
    case 0 ... 5:
        bind_something();
        return;
    case 6:
        op(EVTCHNOP_close, &close);
        return;
    }
    if (!with_fifo && random_below(3000) == 0)
        op(EVTCHNOP_reset, &reset);
    use_something();
}

static void fifo_start(struct domain *d)
{
    fake_run(d->vcpu[0]);
    for (unsigned vcpu = 0; vcpu < 2; vcpu++) {
        struct evtchn_init_control init = {.control_gfn = fake_frame(d), .vcpu = vcpu};
        CHECK_EQUAL(0, op(EVTCHNOP_init_control, &init));
    }
    struct evtchn_expand_array expand = {.array_gfn = fake_frame(d)};
    CHECK_EQUAL(0, op(EVTCHNOP_expand_array, &expand));
}

/* Asked by the control domain. A port is an end of a channel, or 0. */
static evtchn_port_t other_end(domid_t domain, evtchn_port_t port, domid_t *peer)
{
    struct evtchn_status status = {.dom = domain, .port = port};
    if (op(EVTCHNOP_status, &status) || status.status != EVTCHNSTAT_interdomain)
        return 0;
    *peer = status.u.interdomain.dom;
    return status.u.interdomain.port;
}

static void ends_name_each_other(void)
{
    fake_run(control->vcpu[0]);
    unsigned channels = 0;
    for (domid_t domain = 1; domain <= 2; domain++)
        for (evtchn_port_t port = 1; port < 1024; port++) {
            domid_t peer, back = DOMID_INVALID;
            evtchn_port_t far = other_end(domain, port, &peer);
            if (!far)
                continue;
            channels++;
            CHECK_EQUAL(port, other_end(peer, far, &back));
            CHECK_EQUAL(domain, back);
        }
    CHECK(channels > 0 ||
          with_fifo); /* there a closed port comes back when its guest has looked, and these do not look */
}

static void all_at_once(void)
{
    threads_run((struct vcpu *[]){guests[0]->vcpu[0], guests[0]->vcpu[1], guests[1]->vcpu[0], guests[1]->vcpu[1]},
                one_call);
    ends_name_each_other();
}

static void two_level(void)
{
    with_fifo = false;
    all_at_once();
}

static void fifo(void)
{
    with_fifo = true;
    fifo_start(guests[0]);
    fifo_start(guests[1]);
    all_at_once();
}

static void setup(void)
{
    control = fake_domain(0, 1, true);
    CHECK_EQUAL(0, event_channels_init(control, -1));
    for (unsigned i = 0; i < 2; i++) {
        guests[i] = fake_domain((domid_t)(i + 1), 2, false);
        CHECK_EQUAL(0, event_channels_init(guests[i], 1023));
    }
}

static void end(struct domain *d)
{
    d->dying = DOMAIN_DYING;
    while (event_channels_close_all(d) == -ERESTART)
        ;
    for (unsigned i = 0; i < d->max_vcpus; i++)
        event_channels_free_vcpu(d->vcpu[i]);
    event_channels_free(d);
}

static void teardown(void)
{
    fake_run(control->vcpu[0]);
    end(guests[0]);
    end(guests[1]);
    end(control);
    fake_domain_free(guests[0]);
    fake_domain_free(guests[1]);
    fake_domain_free(control);
}

int main(int count, char **arguments)
{
    static const struct unit_test tests[] = {{"two-level channels under four threads", two_level},
                                             {"FIFO channels under four threads", fifo}};
    threads_arguments(count, arguments, 6000);
    return fake_run_tests(tests, ARRAY_SIZE(tests), setup, teardown);
}
