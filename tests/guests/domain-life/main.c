/*
 * The life of other domains as Domain-0 brings it about: counted pauses, and one that has ended while a frame of it is
 * still mapped here.
 */
#define __XEN_TOOLS__ 1
#include "guest.h"
#include <xen/domctl.h>
#include <xen/platform.h>

const char test_title[] = "life of domains";

static struct xen_domctl op;

static long domctl(unsigned command, unsigned domain)
{
    op.cmd = command;
    op.interface_version = XEN_DOMCTL_INTERFACE_VERSION;
    op.domain = (domid_t)domain;
    return HYPERCALL(domctl, &op);
}

/* With all else in its arguments 0. */
static long plain_domctl(unsigned command, unsigned domain)
{
    memory_set(&op, 0, sizeof(op));
    return domctl(command, domain);
}

static unsigned create(void)
{
    memory_set(&op, 0, sizeof(op));
    op.u.createdomain = (struct xen_domctl_createdomain){
        .max_vcpus = 1, .max_evtchn_port = 1023, .max_grant_frames = 4, .max_maptrack_frames = 4, .grant_opts = 1};
    if (domctl(XEN_DOMCTL_createdomain, 0))
        error("no domain to be had");
    return op.domain;
}

static void make_vcpu(unsigned domain)
{
    memory_set(&op, 0, sizeof(op));
    op.u.max_vcpus.max = 1;
    CHECK_IS(0, domctl(XEN_DOMCTL_max_vcpus, domain));
}

static unsigned flags_of(unsigned domain)
{
    if (plain_domctl(XEN_DOMCTL_getdomaininfo, domain) || op.domain != domain)
        return ~0U;
    return op.u.getdomaininfo.flags & 0xff;
}

static bool is_paused(unsigned domain)
{
    return flags_of(domain) & XEN_DOMINF_paused;
}

static void pauses_count(void)
{
    unsigned domain = create(), accepted = 0;
    make_vcpu(domain);
    CHECK(is_paused(domain));
    CHECK_IS(0, plain_domctl(XEN_DOMCTL_pausedomain, domain));
    CHECK_IS(0, plain_domctl(XEN_DOMCTL_pausedomain, domain));
    CHECK_IS(0, plain_domctl(XEN_DOMCTL_unpausedomain, domain));
    CHECK_IS(0, plain_domctl(XEN_DOMCTL_unpausedomain, domain));
    CHECK(is_paused(domain));
    while (accepted < 1000 && !plain_domctl(XEN_DOMCTL_pausedomain, domain))
        accepted++;
    CHECK_IS(254, accepted);
    CHECK_IS(-EOVERFLOW, plain_domctl(XEN_DOMCTL_pausedomain, domain));
    CHECK_IS(0, plain_domctl(XEN_DOMCTL_destroydomain, domain));
    CHECK_IS(-ESRCH, plain_domctl(XEN_DOMCTL_pausedomain, domain));
}

static long set_clock(void)
{
    static struct xen_platform_op clock;
    memory_set(&clock, 0, sizeof(clock));
    clock.cmd = XENPF_settime64;
    clock.interface_version = XENPF_INTERFACE_VERSION;
    clock.u.settime64.secs = 1700000000;
    clock.u.settime64.system_time = system_time();
    return HYPERCALL(platform_op, &clock);
}

/* Maps a frame of its own; where. */
static void *map_frame_of(unsigned domain)
{
    xen_pfn_t frame = 0;
    struct xen_memory_reservation reservation = {.nr_extents = 1, .domid = (domid_t)domain};
    memory_set(&op, 0, sizeof(op));
    op.u.max_mem.max_memkb = 4096;
    CHECK_IS(0, domctl(XEN_DOMCTL_max_mem, domain));
    set_xen_guest_handle(reservation.extent_start, &frame);
    CHECK_IS(1, HYPERCALL(memory_op, XENMEM_populate_physmap, &reservation));
    void *window = page_alloc();
    CHECK_IS(0,
             HYPERCALL(update_va_mapping_otherdomain, window, pte_make(frame, PTE_RW), UVMF_INVLPG, (domid_t)domain));
    return window;
}

/* It is listed as long as somebody holds its memory. What it may still be asked is to go. */
static void dead_but_mapped(void)
{
    unsigned domain = create();
    make_vcpu(domain);
    uint64_t *window = map_frame_of(domain);
    *window = 42;
    CHECK_IS(0, set_clock());
    CHECK_IS(0, plain_domctl(XEN_DOMCTL_destroydomain, domain));
    CHECK(flags_of(domain) != ~0U && flags_of(domain) & XEN_DOMINF_dying);
    CHECK_IS(0, set_clock());
    CHECK_IS(42, *window);
    CHECK_IS(0, plain_domctl(XEN_DOMCTL_destroydomain, domain));
    struct evtchn_alloc_unbound unbound = {.dom = (domid_t)domain, .remote_dom = 0};
    CHECK_REFUSED(HYPERCALL(event_channel_op, EVTCHNOP_alloc_unbound, &unbound));
    CHECK_IS(0, update_va(window, 0));
    CHECK(flags_of(domain) == ~0U);
    CHECK_IS(-ESRCH, plain_domctl(XEN_DOMCTL_destroydomain, domain));
    CHECK_IS(0, set_clock());
}

void test_main(void)
{
    pauses_count();
    dead_but_mapped();
}
