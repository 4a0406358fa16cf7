/* The console ring. A test may close every event channel it has: the one to the reader is made again. */
#include "ring_console.h"
#include "check.h"
#define __XEN_INTERFACE_VERSION__ 0x00040e00
#include <xen/xen.h>
#include <xen/event_channel.h>
#include <xen/io/console.h>
#include <xen/sched.h>

long hypercall(unsigned op, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e);

static struct xencons_interface *ring;
static uint32_t port, remote_port;

static long event_op(unsigned command, void *argument)
{
    return hypercall(__HYPERVISOR_event_channel_op, command, (uint64_t)argument, 0, 0, 0);
}

uint16_t own_domain(void)
{
    static uint16_t id = DOMID_INVALID;
    struct evtchn_alloc_unbound unbound = {.dom = DOMID_SELF, .remote_dom = DOMID_SELF};
    if (id != DOMID_INVALID)
        return id;
    if (event_op(EVTCHNOP_alloc_unbound, &unbound))
        error("no event channel");
    struct evtchn_bind_interdomain bind = {.remote_dom = DOMID_SELF, .remote_port = unbound.port};
    if (event_op(EVTCHNOP_bind_interdomain, &bind))
        error("no channel to ourselves");
    struct evtchn_status status = {.dom = DOMID_SELF, .port = bind.local_port};
    if (event_op(EVTCHNOP_status, &status))
        error("no status of our channel");
    id = status.u.interdomain.dom;
    struct evtchn_close near = {bind.local_port}, far = {unbound.port};
    event_op(EVTCHNOP_close, &near);
    event_op(EVTCHNOP_close, &far);
    return id;
}

static uint32_t peer_of(uint32_t of)
{
    struct evtchn_status status = {.dom = DOMID_SELF, .port = of};
    if (event_op(EVTCHNOP_status, &status) || status.status != EVTCHNSTAT_interdomain || status.u.interdomain.dom)
        return 0;
    return status.u.interdomain.port;
}

/* The reader may have made its end anew. */
static void notify(void)
{
    uint32_t peer = peer_of(port);
    if (peer) {
        remote_port = peer;
    } else {
        struct evtchn_bind_interdomain again = {.remote_dom = 0, .remote_port = remote_port};
        event_op(EVTCHNOP_bind_interdomain, &again);
        port = again.local_port;
    }
    struct evtchn_send send = {port};
    event_op(EVTCHNOP_send, &send);
}

static uint32_t unread(void)
{
    return ring->out_prod - *(volatile XENCONS_RING_IDX *)&ring->out_cons;
}

static void wait_for_room(uint32_t room)
{
    while (unread() > sizeof(ring->out) - room) {
        notify();
        hypercall(__HYPERVISOR_sched_op, SCHEDOP_yield, 0, 0, 0, 0);
    }
}

void ring_console_out(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        wait_for_room(1);
        ring->out[ring->out_prod % sizeof(ring->out)] = text[i];
        __atomic_store_n(&ring->out_prod, ring->out_prod + 1, __ATOMIC_RELEASE);
    }
    notify();
}

void ring_console_drain(void)
{
    wait_for_room(sizeof(ring->out));
}

/* xenconsoled looks at a console once more for each xenstore watch that has fired, its own first ones included, and
 * lets go for good of one whose port is closed just then. In each turn of its loop it takes one of those looks and
 * reads one console, so what it has read letter by letter tells that none is waiting any more. */
void ring_console_start(struct xencons_interface *of, uint32_t at)
{
    static const char ready[] = "console ready\n";

    ring = of;
    port = at;
    while (!(remote_port = peer_of(port)))
        hypercall(__HYPERVISOR_sched_op, SCHEDOP_yield, 0, 0, 0, 0);
    for (const char *letter = ready; *letter; letter++) {
        ring_console_out(letter, 1);
        ring_console_drain();
    }
}
