/*
 * How long a hypercall keeps the processor without letting anything else happen. Each is made with large arguments
 * while a timer of ours comes due at several places of it; how late its event comes is how long the hypervisor went on.
 * Under QEMU's -icount a nanosecond is an instruction, so the figures are counts and do not depend on the machine.
 *
 * The bound is a millisecond of a processor of 1 GHz. Rows of which today's code is over have their own: the figure
 * rounded up.
 */
#include "guest.h"

const char test_title[] = "longest run of each hypercall";

#define BOUND   1000000
#define SAMPLES 12
#define FRAMES  2048 /* larger than what any call does in one piece */

static unsigned timer_port;
static volatile uint64_t deadline, latest;
static xen_pfn_t frames[FRAMES], pfns[FRAMES];
static struct mmu_update updates[FRAMES];
static struct mmuext_op exts[FRAMES];
static struct multicall_entry calls[FRAMES];
static struct gnttab_map_grant_ref maps[512];
static struct gnttab_unmap_grant_ref unmaps[512];
static struct gnttab_copy copies[512];
static char grant_page[PAGE] __attribute__((aligned(4096)));
static char window[PAGE] __attribute__((aligned(4096)));
static uint64_t *root; /* of the tree of tables */

/* ---- The clock ---- */
static bool came(struct registers *regs, unsigned vector)
{
    (void)regs, (void)vector;
    uint64_t now = system_time();
    vcpu0()->evtchn_upcall_pending = 0;
    vcpu0()->evtchn_pending_sel = 0;
    if (event_take(timer_port) && deadline && now > deadline) {
        if (now - deadline > latest)
            latest = now - deadline;
        deadline = 0;
    }
    return true;
}

static void clock_start(void)
{
    struct evtchn_bind_virq bind = {.virq = VIRQ_TIMER, .vcpu = 0};
    CHECK_IS(0, HYPERCALL(event_channel_op, EVTCHNOP_bind_virq, &bind));
    CHECK_IS(0, HYPERCALL(vcpu_op, VCPUOP_stop_periodic_timer, 0, 0));
    timer_port = bind.port;
    shared->evtchn_mask[timer_port / 64] &= ~(1UL << timer_port % 64);
    trap_hooks[ENTRY_EVENT] = came;
}

static void due_at(uint64_t when)
{
    struct vcpu_set_singleshot_timer timer = {.timeout_abs_ns = when};
    deadline = when;
    HYPERCALL(vcpu_op, VCPUOP_set_singleshot_timer, 0, &timer);
}

/* ---- The calls. Each may be made again and again. ---- */
static long decrease_and_populate(void)
{
    struct xen_memory_reservation r = {.extent_start.p = frames, .nr_extents = FRAMES, .domid = DOMID_SELF};
    for (unsigned i = 0; i < FRAMES; i++)
        frames[i] = pfn_mfn(pfns[i]);
    long result = HYPERCALL(memory_op, XENMEM_decrease_reservation, &r);
    for (unsigned i = 0; i < FRAMES; i++)
        frames[i] = pfns[i];
    result += HYPERCALL(memory_op, XENMEM_populate_physmap, &r);
    for (unsigned i = 0; i < FRAMES; i++)
        ((uint64_t *)start_info->mfn_list)[pfns[i]] = frames[i];
    return result == 2 * FRAMES ? 0 : -1;
}

static long update_tables(void)
{
    uint64_t ptr = entry_machine(entry_of((uint64_t)window, 1));
    for (unsigned i = 0; i < FRAMES; i++)
        updates[i] = (struct mmu_update){ptr, pte_make(mfn_of(window), i % 2 ? PTE_RW : PTE_RO)};
    return HYPERCALL(mmu_update, updates, FRAMES, 0, DOMID_SELF);
}

static long flushes(void)
{
    for (unsigned i = 0; i < FRAMES; i++)
        exts[i] = (struct mmuext_op){.cmd = MMUEXT_TLB_FLUSH_ALL};
    return HYPERCALL(mmuext_op, exts, FRAMES, 0, DOMID_SELF);
}

static long clear_pages(void)
{
    for (unsigned i = 0; i < FRAMES; i++)
        exts[i] = (struct mmuext_op){.cmd = MMUEXT_CLEAR_PAGE, .arg1.mfn = pfn_mfn(pfns[i])};
    return HYPERCALL(mmuext_op, exts, FRAMES, 0, DOMID_SELF);
}

static long many_calls(void)
{
    for (unsigned i = 0; i < FRAMES; i++)
        calls[i] = (struct multicall_entry){.op = __HYPERVISOR_xen_version, .args = {XENVER_version}};
    return HYPERCALL(multicall, calls, FRAMES);
}

static long grants(void)
{
    for (unsigned i = 0; i < ARRAY_SIZE(maps); i++) {
        maps[i] = (struct gnttab_map_grant_ref){
            .host_addr = (uint64_t)window, .flags = GNTMAP_device_map, .ref = 8, .dom = own_domain()};
    }
    long result = HYPERCALL(grant_table_op, GNTTABOP_map_grant_ref, maps, ARRAY_SIZE(maps));
    for (unsigned i = 0; i < ARRAY_SIZE(maps); i++)
        unmaps[i] = (struct gnttab_unmap_grant_ref){.dev_bus_addr = maps[i].dev_bus_addr, .handle = maps[i].handle};
    return result ? result : HYPERCALL(grant_table_op, GNTTABOP_unmap_grant_ref, unmaps, ARRAY_SIZE(unmaps));
}

static long grant_copies(void)
{
    for (unsigned i = 0; i < ARRAY_SIZE(copies); i++)
        copies[i] = (struct gnttab_copy){.source = {.u.gmfn = mfn_of(window), .domid = DOMID_SELF},
                                         .dest = {.u.gmfn = mfn_of(window), .domid = DOMID_SELF},
                                         .len = PAGE};
    return HYPERCALL(grant_table_op, GNTTABOP_copy, copies, ARRAY_SIZE(copies));
}

static long reset_ports(void)
{
    struct evtchn_reset reset = {.dom = DOMID_SELF};
    struct evtchn_alloc_unbound unbound = {.dom = DOMID_SELF, .remote_dom = DOMID_SELF};
    while (!HYPERCALL(event_channel_op, EVTCHNOP_alloc_unbound, &unbound))
        continue;
    long result = HYPERCALL(event_channel_op, EVTCHNOP_reset, &reset);
    clock_start();
    return result;
}

static long pin_and_unpin(void)
{
    long result = mmuext(MMUEXT_PIN_L4_TABLE, mfn_of(root), 0);
    return result ? result : mmuext(MMUEXT_UNPIN_TABLE, mfn_of(root), 0);
}

static long exchange_for_large(void)
{
    static xen_pfn_t out[1];
    struct xen_memory_reservation small = {.extent_start.p = frames, .nr_extents = 512, .domid = DOMID_SELF};
    struct xen_memory_reservation large = {
        .extent_start.p = out, .nr_extents = 1, .extent_order = 9, .domid = DOMID_SELF};
    struct xen_memory_exchange there = {.in = small, .out = large}, back = {.in = large, .out = small};
    for (unsigned i = 0; i < 512; i++)
        frames[i] = pfn_mfn(pfns[i]);
    out[0] = pfns[0];
    long result = HYPERCALL(memory_op, XENMEM_exchange, &there);
    if (result)
        return result;
    for (unsigned i = 0; i < 512; i++)
        frames[i] = pfns[i];
    result = HYPERCALL(memory_op, XENMEM_exchange, &back);
    for (unsigned i = 0; i < 512; i++)
        ((uint64_t *)start_info->mfn_list)[pfns[i]] = frames[i];
    return result;
}

static long grant_frames(void)
{
    struct gnttab_setup_table setup = {.dom = DOMID_SELF, .nr_frames = 64, .frame_list.p = frames};
    long result = HYPERCALL(grant_table_op, GNTTABOP_setup_table, &setup, 1);
    return result ? result : setup.status;
}

static const struct {
    const char *name;
    long (*call)(void);
    uint64_t bound; /* 0: BOUND */
} rows[] = {
    {"memory_op: 2048 frames back and again", decrease_and_populate, 0},
    {"memory_op: 512 frames exchanged for 2 MiB and back", exchange_for_large, 0},
    {"mmu_update: 2048 entries", update_tables, 0},
    {"mmuext_op: 2048 flushes", flushes, 0},
    {"mmuext_op: 2048 pages cleared", clear_pages, 0},
    {"mmuext_op: a tree of tables pinned and unpinned", pin_and_unpin, 0},
    {"multicall: 2048 calls", many_calls, 0},
    {"grant_table_op: 512 grants mapped and unmapped", grants, 0},
    {"grant_table_op: 512 pages copied", grant_copies, 0},
    {"grant_table_op: 64 frames of grants", grant_frames, 0},
    {"event_channel_op: all ports reset", reset_ports, 0},
};

/* ---- What the calls need ---- */
/* A root with one table of each level; level 1 is named 512 times by each of many level-2 tables. */
static void tree_make(void)
{
    uint64_t *low = page_alloc(), *upper = page_alloc();
    root = page_alloc();
    for (unsigned i = 0; i < 512; i++)
        low[i] = pte_make(mfn_of(window), PTE_RO);
    CHECK_IS(0, set_readonly(low));
    for (unsigned table = 0; table < 60; table++) {
        uint64_t *middle = page_alloc();
        for (unsigned i = 0; i < 512; i++)
            middle[i] = pte_make(mfn_of(low), TABLE_FLAGS);
        CHECK_IS(0, set_readonly(middle));
        upper[table] = pte_make(mfn_of(middle), TABLE_FLAGS);
    }
    CHECK_IS(0, set_readonly(upper));
    root[0] = pte_make(mfn_of(upper), TABLE_FLAGS);
    CHECK_IS(0, set_readonly(root));
}

static void grant_make(void)
{
    xen_pfn_t frame;
    struct gnttab_setup_table setup = {.dom = DOMID_SELF, .nr_frames = 1, .frame_list.p = &frame};
    CHECK_IS(0, HYPERCALL(grant_table_op, GNTTABOP_setup_table, &setup, 1));
    CHECK_IS(0, update_va(grant_page, pte_make(frame, PTE_RW)));
    ((struct grant_entry_v1 *)grant_page)[8] =
        (struct grant_entry_v1){.flags = GTF_permit_access, .domid = own_domain(), .frame = (uint32_t)mfn_of(window)};
}

static bool on_the_reference(void)
{
    static char text[64];
    HYPERCALL(xen_version, XENVER_extraversion, text);
    return !same_word("-roundhouse", text);
}

static void measure(unsigned row, bool judge)
{
    latest = deadline = 0;
    uint64_t start = system_time();
    long result = rows[row].call();
    uint64_t whole = system_time() - start, bound = rows[row].bound ? rows[row].bound : BOUND;
    if (result)
        failure("%s: %ld", rows[row].name, result);
    for (unsigned sample = 0; sample < SAMPLES; sample++) {
        due_at(system_time() + 20000 + whole * sample / SAMPLES);
        vcpu0()->evtchn_upcall_mask = 0;
        rows[row].call();
        events_run();
        vcpu0()->evtchn_upcall_mask = 1;
    }
    say("%s: %lu of %lu", rows[row].name, latest, whole);
    if (judge && latest > bound)
        failure("%s runs on for %lu, the bound is %lu", rows[row].name, latest, bound);
    if (judge && rows[row].bound && latest < BOUND)
        failure("%s is below the bound of all now: it needs none of its own", rows[row].name);
}

void test_main(void)
{
    bool judge = !on_the_reference();
    for (unsigned i = 0; i < FRAMES; i++)
        pfns[i] = spare_pfn();
    clock_start();
    tree_make();
    grant_make();
    for (unsigned row = 0; row < ARRAY_SIZE(rows); row++)
        measure(row, judge);
}
