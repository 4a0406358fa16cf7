/*
 * Event channels, two-level: every operation, masks, pending bits, upcalls, and arguments that name nothing.
 */
#include "guest.h"

const char test_title[] = "event channels";

static long op(unsigned command, void *argument)
{
    return HYPERCALL(event_channel_op, command, argument);
}

static unsigned pair(unsigned *other)
{
    struct evtchn_alloc_unbound unbound = {.dom = DOMID_SELF, .remote_dom = DOMID_SELF};
    CHECK_IS(0, op(EVTCHNOP_alloc_unbound, &unbound));
    struct evtchn_bind_interdomain bind = {.remote_dom = DOMID_SELF, .remote_port = unbound.port};
    CHECK_IS(0, op(EVTCHNOP_bind_interdomain, &bind));
    *other = unbound.port;
    return bind.local_port;
}

static long send_to(unsigned port)
{
    struct evtchn_send send = {.port = port};
    return op(EVTCHNOP_send, &send);
}

static long close_port(unsigned port)
{
    struct evtchn_close close = {.port = port};
    return op(EVTCHNOP_close, &close);
}

static void interdomain(void)
{
    unsigned a, b;
    a = pair(&b);
    CHECK(a != b);
    event_take(a); /* binding signals both ends, so that nothing sent before is lost */
    event_take(b);
    CHECK_IS(0, send_to(a));
    CHECK(event_pending(b));
    CHECK(!event_pending(a));
    CHECK(event_take(b));
    struct evtchn_status status = {.dom = DOMID_SELF, .port = a};
    CHECK_IS(0, op(EVTCHNOP_status, &status));
    CHECK_IS(EVTCHNSTAT_interdomain, status.status);
    CHECK_IS(b, status.u.interdomain.port);
    CHECK_IS(own_domain(), status.u.interdomain.dom);
    CHECK_IS(0, close_port(a));
    status.port = b;
    CHECK_IS(0, op(EVTCHNOP_status, &status));
    CHECK_IS(EVTCHNSTAT_unbound, status.status);
    CHECK_IS(-EINVAL, send_to(a));
    CHECK_IS(0, send_to(b));
    CHECK_IS(0, close_port(b));
    CHECK_IS(-EINVAL, close_port(b));
}

static void delivery(void)
{
    unsigned a, b;
    a = pair(&b);
    for (unsigned i = 0; i < 64; i++)
        shared->evtchn_pending[i] = 0;
    vcpu0()->evtchn_pending_sel = 0;
    vcpu0()->evtchn_upcall_pending = 0;
    upcalls = 0;
    shared->evtchn_mask[b / 64] &= ~(1UL << b % 64);
    CHECK_IS(0, send_to(a));
    CHECK_IS(1, vcpu0()->evtchn_upcall_pending);
    CHECK(vcpu0()->evtchn_pending_sel & 1UL << b / 64);
    CHECK_IS(0, upcalls); /* masked */
    events_run();
    CHECK_IS(1, upcalls);
    vcpu0()->evtchn_pending_sel = 0;
    /* A port that is masked sets its bit and nothing else; unmask delivers it then. */
    event_take(b);
    shared->evtchn_mask[b / 64] |= 1UL << b % 64;
    CHECK_IS(0, send_to(a));
    CHECK(event_pending(b));
    CHECK_IS(0, vcpu0()->evtchn_upcall_pending);
    struct evtchn_unmask unmask = {.port = b};
    CHECK_IS(0, op(EVTCHNOP_unmask, &unmask));
    CHECK_IS(1, vcpu0()->evtchn_upcall_pending);
    events_run();
    CHECK_IS(2, upcalls);
    unmask.port = 5000;
    CHECK_IS(-EINVAL, op(EVTCHNOP_unmask, &unmask));
    event_take(b);
    close_port(a);
    close_port(b);
}

static void virtual_interrupts(void)
{
    struct evtchn_bind_virq bind = {.virq = VIRQ_TIMER, .vcpu = 0};
    CHECK_IS(0, op(EVTCHNOP_bind_virq, &bind));
    unsigned port = bind.port;
    CHECK_IS(-EEXIST, op(EVTCHNOP_bind_virq, &bind));
    struct evtchn_status status = {.dom = DOMID_SELF, .port = port};
    CHECK_IS(0, op(EVTCHNOP_status, &status));
    CHECK_IS(EVTCHNSTAT_virq, status.status);
    CHECK_IS(VIRQ_TIMER, status.u.virq);
    bind.virq = NR_VIRQS;
    CHECK_IS(-EINVAL, op(EVTCHNOP_bind_virq, &bind));
    bind.virq = VIRQ_DEBUG;
    bind.vcpu = 700;
    CHECK_IS(-ENOENT, op(EVTCHNOP_bind_virq, &bind));
    bind.virq = VIRQ_DOM_EXC;
    bind.vcpu = 1;
    CHECK_REFUSED(op(EVTCHNOP_bind_virq, &bind)); /* a global one starts at vcpu 0 */
    bind.vcpu = 0;
    CHECK_IS(0, op(EVTCHNOP_bind_virq, &bind));
    struct evtchn_bind_vcpu move = {.port = bind.port, .vcpu = 1};
    CHECK_IS(0, op(EVTCHNOP_bind_vcpu, &move));
    move.port = port;
    CHECK_IS(-EINVAL, op(EVTCHNOP_bind_vcpu, &move)); /* VIRQ_TIMER belongs to its vcpu */
    CHECK_IS(0, close_port(bind.port));
    CHECK_IS(-EINVAL, send_to(port));
    CHECK_IS(0, close_port(port));
    struct evtchn_bind_ipi ipi = {.vcpu = 0};
    CHECK_IS(0, op(EVTCHNOP_bind_ipi, &ipi));
    CHECK_IS(0, send_to(ipi.port));
    CHECK(event_take(ipi.port));
    move = (struct evtchn_bind_vcpu){.port = ipi.port, .vcpu = 1};
    CHECK_IS(-EINVAL, op(EVTCHNOP_bind_vcpu, &move));
    CHECK_IS(0, close_port(ipi.port));
    ipi.vcpu = 1000;
    CHECK_IS(-ENOENT, op(EVTCHNOP_bind_ipi, &ipi));
    struct evtchn_bind_pirq pirq = {.pirq = 100000};
    CHECK_IS(-EINVAL, op(EVTCHNOP_bind_pirq, &pirq));
}

static void nonsense(void)
{
    struct evtchn_alloc_unbound unbound = {.dom = NO_DOMAIN, .remote_dom = DOMID_SELF};
    CHECK_IS(-ESRCH, op(EVTCHNOP_alloc_unbound, &unbound));
    struct evtchn_bind_interdomain bind = {.remote_dom = NO_DOMAIN, .remote_port = 1};
    CHECK_IS(-ESRCH, op(EVTCHNOP_bind_interdomain, &bind));
    bind = (struct evtchn_bind_interdomain){.remote_dom = DOMID_SELF, .remote_port = 0};
    CHECK_IS(-EINVAL, op(EVTCHNOP_bind_interdomain, &bind));
    bind.remote_port = 0xffffffff;
    CHECK_IS(-EINVAL, op(EVTCHNOP_bind_interdomain, &bind));
    CHECK_IS(-EINVAL, send_to(0));
    CHECK_IS(-EINVAL, send_to(4095));
    CHECK_IS(-EINVAL, send_to(4096));
    CHECK_IS(-EINVAL, send_to(0xffffffff));
    CHECK_IS(-EINVAL, close_port(0));
    CHECK_IS(-EINVAL, close_port(0x80000000));
    struct evtchn_status status = {.dom = DOMID_SELF, .port = 0x80000000};
    CHECK_IS(-EINVAL, op(EVTCHNOP_status, &status));
    status = (struct evtchn_status){.dom = NO_DOMAIN, .port = 1};
    CHECK_IS(-ESRCH, op(EVTCHNOP_status, &status));
    status = (struct evtchn_status){.dom = DOMID_SELF, .port = 900};
    CHECK_REFUSED(op(EVTCHNOP_status, &status) ? -1 : status.status == EVTCHNSTAT_closed ? -1 : 0);
    for (unsigned command = 0; command < 14; command++) {
        if (command == EVTCHNOP_reset)
            continue;
        CHECK_IS(-EFAULT, op(command, (void *)UNMAPPED));
        CHECK_IS(-EFAULT, op(command, (void *)IN_HYPERVISOR));
    }
    CHECK_IS(-ENOSYS, op(99, &status));
    struct evtchn_set_priority priority = {.port = 900, .priority = 0};
    CHECK_REFUSED(op(EVTCHNOP_set_priority, &priority));
}

static void exhaustion(void)
{
    struct evtchn_alloc_unbound unbound = {.dom = DOMID_SELF, .remote_dom = DOMID_SELF};
    unsigned count = 0, limit = is_privileged() ? 4096 : 1024; /* the toolstack allows a guest fewer */
    long result;
    while (!(result = op(EVTCHNOP_alloc_unbound, &unbound)))
        count++;
    CHECK_IS(-ENOSPC, result);
    say("%u ports", count);
    CHECK(count > limit - 96 && count < limit);
    struct evtchn_reset reset = {.dom = DOMID_SELF};
    CHECK_IS(0, op(EVTCHNOP_reset, &reset));
    CHECK_IS(0, op(EVTCHNOP_alloc_unbound, &unbound));
    CHECK(unbound.port < 100);
    CHECK_IS(0, close_port(unbound.port));
}

/* The queue of the fifo ABI: from the control block to the event words. */
static void fifo(void)
{
    struct evtchn_fifo_control_block *block = page_alloc();
    event_word_t *words = page_alloc();
    struct evtchn_init_control control = {.control_gfn = mfn_of(block), .offset = 0, .vcpu = 0};
    struct evtchn_expand_array expand = {.array_gfn = mfn_of(words)};
    CHECK_REFUSED(op(EVTCHNOP_expand_array, &expand));
    control.offset = 4096 - 8;
    CHECK_REFUSED(op(EVTCHNOP_init_control, &control));
    control.offset = 4;
    CHECK_REFUSED(op(EVTCHNOP_init_control, &control));
    control.offset = 0;
    control.vcpu = 900;
    CHECK_IS(-ENOENT, op(EVTCHNOP_init_control, &control));
    control.vcpu = 0;
    control.control_gfn = 1UL << 40;
    CHECK_REFUSED(op(EVTCHNOP_init_control, &control));
    control.control_gfn = mfn_of(root_table());
    CHECK_REFUSED(op(EVTCHNOP_init_control, &control));
    control.control_gfn = mfn_of(block);
    CHECK_IS(0, op(EVTCHNOP_init_control, &control));
    CHECK_REFUSED(op(EVTCHNOP_init_control, &control));
    CHECK_IS(0, op(EVTCHNOP_expand_array, &expand));
    expand.array_gfn = mfn_of(root_table());
    CHECK_REFUSED(op(EVTCHNOP_expand_array, &expand));
    unsigned a, b;
    a = pair(&b);
    words[a] = words[b] = 1U << EVTCHN_FIFO_MASKED;
    CHECK_IS(0, send_to(a));
    CHECK(words[b] & 1U << EVTCHN_FIFO_PENDING);
    CHECK(!(words[b] & 1U << EVTCHN_FIFO_LINKED));
    struct evtchn_set_priority priority = {.port = b, .priority = 3};
    CHECK_IS(0, op(EVTCHNOP_set_priority, &priority));
    priority.priority = 16;
    CHECK_IS(-EINVAL, op(EVTCHNOP_set_priority, &priority));
    vcpu0()->evtchn_upcall_pending = 0;
    struct evtchn_unmask unmask = {.port = b};
    CHECK_IS(0, op(EVTCHNOP_unmask, &unmask));
    CHECK(words[b] & 1U << EVTCHN_FIFO_LINKED);
    CHECK(!(words[b] & 1U << EVTCHN_FIFO_MASKED));
    CHECK(block->ready & 1U << 3);
    CHECK_IS(b, block->head[3]);
    CHECK_IS(1, vcpu0()->evtchn_upcall_pending);
    /* What a hostile guest writes there: links that lead out, to themselves, flags it has no
     * business with. */
    block->head[3] = 0x1ffff;
    words[b] = 0x3fffffff | 1U << EVTCHN_FIFO_BUSY;
    CHECK_IS(0, send_to(a));
    CHECK_IS(0, send_to(b));
    words[a] = 1U << EVTCHN_FIFO_LINKED | a;
    words[b] = a;
    for (unsigned i = 0; i < 100; i++) {
        send_to(a);
        send_to(b);
        words[b] = (i * 77777) & 0x1fffffff;
        block->ready = i;
    }
    CHECK_IS(0, close_port(a));
    CHECK_IS(0, close_port(b));
    struct evtchn_reset reset = {.dom = DOMID_SELF};
    CHECK_IS(0, op(EVTCHNOP_reset, &reset));
}

void test_main(void)
{
    interdomain();
    delivery();
    virtual_interrupts();
    nonsense();
    exhaustion();
    fifo();
}
