/*
 * The FIFO layout of event channels against the real files: order, priority, hostile arguments and memory, two
 * processors; and ports from before a change of layout.
 */
#include "../../random.h"
#include "event_channel_rig.h"
#include <hv/compat.h>

#include <pthread.h>

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
        {"ports beyond the layout", ports_beyond_the_layout},
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
