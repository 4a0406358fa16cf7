/*
 * Hypercalls of an HVM guest: by the page, by the instruction, from 32-bit code, from user mode; memory map and
 * parameters.
 */
#include "hvm.h"

const char test_title[] = "hypercalls";
enum { EPERM = 1, EFAULT = 14, EINVAL = 22, ENOSYS = 38 };
extern const char compat_version[];

static long user_result;
static void from_user(uint64_t ignored)
{
    user_result = HYPERCALL(xen_version, XENVER_version, 0);
}

static long by_instruction(void)
{
    uint32_t out[4];
    cpuid(0, 0, out);
    bool amd = out[1] == 0x68747541;
    long result;
    uint64_t command = XENVER_version, nothing = 0;
    if (amd)
        __asm__ volatile("vmmcall"
                         : "=a"(result), "+D"(command), "+S"(nothing)
                         : "0"((long)__HYPERVISOR_xen_version)
                         : "memory");
    else
        __asm__ volatile("vmcall"
                         : "=a"(result), "+D"(command), "+S"(nothing)
                         : "0"((long)__HYPERVISOR_xen_version)
                         : "memory");
    return result;
}

static void memory_map(void)
{
    struct shared_info *shared = page_alloc();
    struct xen_add_to_physmap add = {
        .domid = DOMID_SELF, .space = XENMAPSPACE_shared_info, .gpfn = (uint64_t)shared >> 12};
    *(uint64_t *)shared = ~0UL;
    CHECK_IS(0, HYPERCALL(memory_op, XENMEM_add_to_physmap, &add));
    CHECK(shared->wc_sec > 1000000000);
    CHECK(shared->vcpu_info[0].time.tsc_to_system_mul != 0);
    /* A page given back is a hole, and can be asked for again. */
    volatile uint64_t *page = page_alloc();
    xen_pfn_t gfn = (uint64_t)page >> 12;
    struct xen_memory_reservation one = {.nr_extents = 1, .domid = DOMID_SELF};
    set_xen_guest_handle(one.extent_start, &gfn);
    page[0] = 7;
    CHECK_IS(1, HYPERCALL(memory_op, XENMEM_decrease_reservation, &one));
    CHECK_IS(~0UL, page[0]);
    CHECK_IS(1, HYPERCALL(memory_op, XENMEM_populate_physmap, &one));
    page[0] = 8;
    CHECK_IS(8, page[0]);
    add.space = 77;
    CHECK(HYPERCALL(memory_op, XENMEM_add_to_physmap, &add) < 0);
}

static volatile unsigned upcalls;
static bool upcall(struct registers *regs)
{
    upcalls++;
    apic_write(APIC_EOI, 0);
    return true;
}

/* An event to ourselves arrives by the vector asked for. */
static void events(void)
{
    struct shared_info *shared = page_alloc();
    struct xen_add_to_physmap add = {
        .domid = DOMID_SELF, .space = XENMAPSPACE_shared_info, .gpfn = (uint64_t)shared >> 12};
    CHECK_IS(0, HYPERCALL(memory_op, XENMEM_add_to_physmap, &add));
    apic_enable();
    trap_hooks[0x60] = upcall;
    struct xen_hvm_evtchn_upcall_vector vector = {.vcpu = 0, .vector = 0x60};
    CHECK_IS(0, HYPERCALL(hvm_op, HVMOP_set_evtchn_upcall_vector, &vector));
    struct evtchn_bind_ipi bind = {.vcpu = 0};
    CHECK_IS(0, HYPERCALL(event_channel_op, EVTCHNOP_bind_ipi, &bind));
    shared->evtchn_mask[bind.port / 64] &= ~(1UL << bind.port % 64);
    struct evtchn_send send = {.port = bind.port};
    CHECK_IS(0, HYPERCALL(event_channel_op, EVTCHNOP_send, &send));
    CHECK(shared->evtchn_pending[bind.port / 64] >> bind.port % 64 & 1);
    CHECK_IS(1, shared->vcpu_info[0].evtchn_upcall_pending);
    interrupts_on();
    CHECK(WITHIN_MS(1000, upcalls == 1));
    interrupts_off();
}

void test_main(void)
{
    long version = HYPERCALL(xen_version, XENVER_version, 0);
    CHECK(version >> 16 == 4);
    CHECK_IS(version, by_instruction());
    CHECK_IS(-ENOSYS, hypercall(60, 0, 0, 0, 0, 0));
    CHECK_IS(-ENOSYS, hypercall(__HYPERVISOR_set_trap_table, 0, 0, 0, 0, 0));
    CHECK_IS(-ENOSYS, hypercall(__HYPERVISOR_mmu_update, 0, 0, 0, 0, 0));
    user_run(from_user, 0);
    CHECK_IS(-EPERM, user_result);
    CHECK_IS(-EFAULT, HYPERCALL(memory_op, XENMEM_add_to_physmap, 0x123456789000UL));
    struct xen_hvm_param param = {.domid = DOMID_SELF, .index = HVM_PARAM_STORE_PFN};
    CHECK_IS(0, HYPERCALL(hvm_op, HVMOP_get_param, &param));
    CHECK(param.value != 0);
    param.index = 0x1000;
    CHECK_IS(-EINVAL, HYPERCALL(hvm_op, HVMOP_get_param, &param));
    memory_map();
    events();
    /* The page is the same for 32-bit code: the instruction's meaning follows the mode. */
    CHECK_IS((uint32_t)version, low_run(PROTECTED_32, compat_version));
}
