/*
 * Frames that the hypervisor itself writes to on a guest's behalf never become that guest's page tables or descriptors:
 * shared info, grant frames, registered vcpu_info, event channel fifo pages. One that did would let the guest make the
 * hypervisor write page table entries of the guest's choice.
 */
#include "guest.h"

const char test_title[] = "frames shared with the hypervisor";

static void refused(uint64_t mfn, const char *what)
{
    for (unsigned command = MMUEXT_PIN_L1_TABLE; command <= MMUEXT_PIN_L4_TABLE; command++) {
        long result = mmuext(command, mfn, 0);
        if (result >= 0) {
            failure("%s can be pinned as a level-%u table", what, command - MMUEXT_PIN_L1_TABLE + 1);
            mmuext(MMUEXT_UNPIN_TABLE, mfn, 0);
        }
    }
    if (HYPERCALL(set_gdt, &mfn, 1) >= 0) {
        failure("%s can be used as GDT", what);
        HYPERCALL(set_gdt, &mfn, 0);
    }
}

static void shared_info(void)
{
    uint64_t mfn = start_info->shared_info >> 12;
    void *elsewhere = (void *)shared;
    CHECK_IS(0, update_va(elsewhere, 0));
    refused(mfn, "the shared info frame");
    CHECK_IS(0, update_va(elsewhere, start_info->shared_info | PTE_RO));
    refused(mfn, "the shared info frame mapped read-only");
    CHECK_IS(0, update_va(elsewhere, start_info->shared_info | PTE_RW));
}

static void grant_frames(void)
{
    xen_pfn_t frames[1] = {0};
    struct gnttab_setup_table setup = {.dom = DOMID_SELF, .nr_frames = 1};
    set_xen_guest_handle(setup.frame_list, frames);
    CHECK_IS(0, HYPERCALL(grant_table_op, GNTTABOP_setup_table, &setup, 1));
    CHECK_IS(GNTST_okay, setup.status);
    refused(frames[0], "a grant frame");
}

static void vcpu_info_frame(void)
{
    void *page = page_alloc();
    uint64_t mfn = mfn_of(page);
    struct vcpu_register_vcpu_info info = {.mfn = mfn, .offset = 64};

    info.offset = 4090;
    CHECK_REFUSED(HYPERCALL(vcpu_op, VCPUOP_register_vcpu_info, 1, &info));
    info.offset = 64;
    info.mfn = 1UL << 40;
    CHECK_REFUSED(HYPERCALL(vcpu_op, VCPUOP_register_vcpu_info, 0, &info));
    info.mfn = mfn_of(root_table());
    CHECK_REFUSED(HYPERCALL(vcpu_op, VCPUOP_register_vcpu_info, 1, &info));
    info.mfn = mfn;
    CHECK_IS(0, HYPERCALL(vcpu_op, VCPUOP_register_vcpu_info, 1, &info));
    CHECK_IS(-EINVAL, HYPERCALL(vcpu_op, VCPUOP_register_vcpu_info, 1, &info));
    CHECK_IS(0, update_va(page, 0));
    refused(mfn, "a registered vcpu_info's frame");
    CHECK_IS(0, update_va(page, pte_make(mfn, PTE_RW)));
}

static void fifo_frames(void)
{
    void *page = page_alloc(), *array = page_alloc();
    struct evtchn_init_control control = {.control_gfn = mfn_of(page), .offset = 0, .vcpu = 0};
    struct evtchn_expand_array expand = {.array_gfn = mfn_of(array)};
    CHECK_IS(0, HYPERCALL(event_channel_op, EVTCHNOP_init_control, &control));
    CHECK_IS(0, HYPERCALL(event_channel_op, EVTCHNOP_expand_array, &expand));
    CHECK_IS(0, update_va(page, 0));
    CHECK_IS(0, update_va(array, 0));
    refused(mfn_of(page), "an event channel control block");
    refused(mfn_of(array), "an event channel array");
}

void test_main(void)
{
    shared_info();
    grant_frames();
    vcpu_info_frame();
    fifo_frames();
}
