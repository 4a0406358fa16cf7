/*
 * Two vcpus at once on the same frames, tables, ports and grants: one maps what the other makes a table.
 * Needs two processors to be a race; on one it only checks that everything is given back.
 */
#include "guest.h"

const char test_title[] = "two vcpus at once";

extern void (*vcpu_function)(uint64_t);

static struct vcpu_guest_context context;
static uint64_t stack[2048];
static volatile unsigned stop, stopped;
static void *page;
static volatile unsigned ready;

static void other(uint64_t sp)
{
    uint64_t mfn = mfn_of(page);
    ready = 1;
    for (unsigned i = 0; !stop; i++) {
        /* Each of these may be refused; none may leave anything behind. */
        update_va(page, pte_make(mfn, PTE_RW));
        update_va(page, pte_make(mfn, PTE_RO));
        mmuext(MMUEXT_PIN_L2_TABLE, mfn, 0);
        mmuext(MMUEXT_UNPIN_TABLE, mfn, 0);
        update_va(page, 0);
        HYPERCALL(update_descriptor, mfn << 12, 0);
        struct evtchn_alloc_unbound unbound = {.dom = DOMID_SELF, .remote_dom = DOMID_SELF};
        if (!HYPERCALL(event_channel_op, EVTCHNOP_alloc_unbound, &unbound)) {
            struct evtchn_send send = {.port = unbound.port};
            HYPERCALL(event_channel_op, EVTCHNOP_send, &send);
            struct evtchn_close close = {.port = unbound.port};
            HYPERCALL(event_channel_op, EVTCHNOP_close, &close);
        }
    }
    stopped = 1;
    HYPERCALL(vcpu_op, VCPUOP_down, 1, 0);
}

static void start_other(void)
{
    vcpu_function = other;
    kernel_context(&context, stack + 2040);
    context.kernel_ss = FLAT_KERNEL_SS;
    context.kernel_sp = (uint64_t)(stack + 2040);
    if (HYPERCALL(vcpu_op, VCPUOP_initialise, 1, &context))
        error("the second vcpu cannot be made");
    CHECK_IS(0, HYPERCALL(vcpu_op, VCPUOP_up, 1, 0));
    while (!ready)
        HYPERCALL(sched_op, SCHEDOP_yield, 0);
}

void test_main(void)
{
    page = page_alloc();
    uint64_t mfn = mfn_of(page), frames[1] = {mfn};
    unsigned pinned = 0, used = 0;
    start_other();
    for (uint64_t end = system_time() + 2000000000UL; system_time() < end;) {
        if (mmuext(MMUEXT_PIN_L1_TABLE, mfn, 0) == 0)
            pinned++;
        mmuext(MMUEXT_UNPIN_TABLE, mfn, 0);
        if (HYPERCALL(set_gdt, frames, 1) == 0)
            used++;
        HYPERCALL(set_gdt, frames, 0);
        HYPERCALL(mmu_update, frames, 0, 0, DOMID_SELF);
        mmuext(MMUEXT_CLEAR_PAGE, mfn, 0);
        for (unsigned i = 4; i < 20; i++) {
            struct evtchn_close close = {.port = i};
            HYPERCALL(event_channel_op, EVTCHNOP_close, &close);
        }
        HYPERCALL(sched_op, SCHEDOP_yield, 0);
    }
    stop = 1;
    while (!stopped)
        HYPERCALL(sched_op, SCHEDOP_yield, 0);
    say("%u pins, %u GDTs", pinned, used);
    mmuext(MMUEXT_UNPIN_TABLE, mfn, 0);
    /* No reference of any kind is left: it can be everything again. */
    CHECK_IS(0, update_va(page, pte_make(mfn, PTE_RW)));
    CHECK_IS(0, update_va(page, 0));
    CHECK_IS(0, mmuext(MMUEXT_PIN_L1_TABLE, mfn, 0));
    CHECK_REFUSED(update_va(page, pte_make(mfn, PTE_RW)));
    CHECK_IS(0, mmuext(MMUEXT_UNPIN_TABLE, mfn, 0));
    CHECK_IS(0, HYPERCALL(set_gdt, frames, 1));
    CHECK_IS(0, HYPERCALL(set_gdt, frames, 0));
    CHECK_IS(0, update_va(page, pte_make(mfn, PTE_RW)));
}
