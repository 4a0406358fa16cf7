#include "event_channel_rig.h"
#include <hv/grant_table.h>
#include <hv/hvm_irq.h>

struct domain *guest, *peer, *control;
unsigned unblocked[4], interrupts_sent;
int pirq_bound, pirq_unbound, pirq_bind_answer;
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
unsigned upcalls[4];
int pending_interrupt = -1;
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

void setup(void)
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
void become_hvm(bool compat)
{
    guest_hvm = (struct hvm_domain){.shared_info_32 = compat};
    guest->hvm = &guest_hvm;
    for (unsigned i = 0; i < 2; i++)
        guest->vcpu[i]->hvm = &guest_hvm_vcpu[i];
    event_channels_layout_changed(guest);
    memset(upcalls, 0, sizeof(upcalls));
}

void finish(struct domain *d)
{
    d->dying = DOMAIN_DYING;
    while (event_channels_close_all(d) == -ERESTART)
        ;
    for (unsigned i = 0; i < d->max_vcpus; i++)
        event_channels_free_vcpu(d->vcpu[i]);
    event_channels_free(d);
    event_channels_free(d); /* twice is harmless */
}

void teardown(void)
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

long op(unsigned command, void *argument)
{
    return fake_hypercall(do_event_channel_op, command, (uintptr_t)argument, 0, NULL);
}
long op_as(struct domain *d, unsigned command, void *argument)
{
    struct vcpu *before = current;
    long rc;

    fake_run(d->vcpu[0]);
    rc = op(command, argument);
    fake_run(before);
    return rc;
}
long op_port(unsigned command, evtchn_port_t port)
{
    struct evtchn_close argument = {.port = port};

    return op(command, &argument);
}
evtchn_port_t alloc_unbound(struct domain *d, domid_t remote)
{
    struct evtchn_alloc_unbound a = {.dom = DOMID_SELF, .remote_dom = remote};

    CHECK_EQUAL(0, op_as(d, EVTCHNOP_alloc_unbound, &a));
    return a.port;
}
evtchn_port_t bind_to(struct domain *d, domid_t remote, evtchn_port_t port)
{
    struct evtchn_bind_interdomain b = {.remote_dom = remote, .remote_port = port};

    CHECK_EQUAL(0, op_as(d, EVTCHNOP_bind_interdomain, &b));
    return b.local_port;
}
struct evtchn_status status_of(evtchn_port_t port)
{
    struct evtchn_status s = {.dom = DOMID_SELF, .port = port};

    CHECK_EQUAL(0, op(EVTCHNOP_status, &s));
    return s;
}
/* Pending in the 2-level layout; and takes it, with the flags that led there. */
bool take(struct domain *d, evtchn_port_t port)
{
    bool was = test_and_clear_bit(port, d->shared_info->evtchn_pending);

    for (unsigned i = 0; i < d->max_vcpus; i++) {
        d->vcpu[i]->info->evtchn_upcall_pending = 0;
        d->vcpu[i]->info->evtchn_pending_sel = 0;
    }
    return was;
}

evtchn_port_t ipi_on(unsigned vcpu)
{
    struct evtchn_bind_ipi ipi = {.vcpu = vcpu};

    CHECK_EQUAL(0, op(EVTCHNOP_bind_ipi, &ipi));
    return ipi.port;
}
