/*
 * Hypercalls of 32-bit code: each structure is rewritten as the 64-bit handler expects it, what it answers comes back,
 * and interrupted calls go on where they were. The handlers are fakes that look at what they get.
 */
#include "../../check.h"
#include "../fake/default.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "../../../../hypervisor/abi/compat_abi.h"
#include <hv/abi_internal.h>
#include <hv/compat.h>
#include <hv/event_channel.h>
#include <hv/guest_copy.h>
#include <hv/time.h>
#include <xen/grant_table.h>
#include <xen/hvm/hvm_op.h>
#include <xen/physdev.h>
#include <xen/sched.h>
#include <xen/version.h>
#include "same_layout.h"

/* ---- The guest's memory is below 4 GiB ---- */

#define GUEST_BYTES (64 * 1024)
static uint8_t *guest;

static uint32_t at(unsigned offset)
{
    return (uint32_t)(uintptr_t)(guest + offset);
}

static bool is_guest(unsigned long address, size_t bytes)
{
    return address >= (uintptr_t)guest && address + bytes <= (uintptr_t)guest + GUEST_BYTES;
}

int copy_from_guest_va(void *to, unsigned long from, size_t bytes)
{
    if (is_compat_argument(from))
        return compat_copy_from(to, from, bytes);
    if (!is_guest(from, bytes))
        return -EFAULT;
    memcpy(to, (void *)from, bytes);
    return 0;
}

int copy_to_guest_va(unsigned long to, const void *from, size_t bytes)
{
    if (is_compat_argument(to))
        return compat_copy_to(to, from, bytes);
    if (!is_guest(to, bytes))
        return -EFAULT;
    memcpy((void *)to, from, bytes);
    return 0;
}

/* ---- Handlers ---- */

static struct hypercall seen;
static unsigned calls, layout_changes, wallclock_updates, code_bytes = 4;
static long answer;
static union {
    struct sched_poll poll;
    struct vcpu_set_singleshot_timer singleshot;
    struct xen_memory_reservation reservation;
    struct xen_add_to_physmap add;
    struct xen_remove_from_physmap remove;
    struct xen_memory_map map;
    struct xen_reserved_device_memory_map reserved;
    struct gnttab_copy copy[8];
    struct physdev_map_pirq pirq;
} got;
static uint64_t populated[1000];
static unsigned populated_count, populate_limit, restart_after;

unsigned hvm_code_bytes(struct vcpu *v)
{
    return code_bytes;
}
void event_channels_layout_changed(struct domain *d)
{
    layout_changes++;
}
void domain_update_wallclock(struct domain *d)
{
    wallclock_updates++;
}

#define GET(field, argument)  CHECK(copy_from_guest_va(&got.field, (argument), sizeof(got.field)) == 0)
#define GIVE(field, argument) CHECK(copy_to_guest_va((argument), &got.field, sizeof(got.field)) == 0)

static long record(struct hypercall *call)
{
    seen = *call;
    calls++;
    return answer;
}

long do_event_channel_op(struct hypercall *call)
{
    return record(call);
}
long do_hvm_op(struct hypercall *call)
{
    return record(call);
}
long do_vm_assist(struct hypercall *call)
{
    return record(call);
}
long do_console_io(struct hypercall *call)
{
    return record(call);
}
long do_set_timer_op(struct hypercall *call)
{
    return record(call);
}
long do_xen_version(struct hypercall *call)
{
    return record(call);
}

long do_sched_op(struct hypercall *call)
{
    if (call->arg[0] == SCHEDOP_poll)
        GET(poll, call->arg[1]);
    return record(call);
}

long do_vcpu_op(struct hypercall *call)
{
    struct vcpu_runstate_info info = {RUNSTATE_blocked, 0x1122334455667788, {1, 2, 3, 0x400000000}};
    if (call->arg[0] == VCPUOP_set_singleshot_timer)
        GET(singleshot, call->arg[2]);
    if (call->arg[0] == VCPUOP_get_runstate_info)
        CHECK(copy_to_guest_va(call->arg[2], &info, sizeof(info)) == 0);
    return record(call);
}

long do_physdev_op(struct hypercall *call)
{
    if (call->arg[0] == PHYSDEVOP_map_pirq) {
        GET(pirq, call->arg[1]);
        got.pirq.pirq = 33;
        GIVE(pirq, call->arg[1]);
    }
    return record(call);
}

long do_grant_table_op(struct hypercall *call)
{
    if (call->arg[0] == GNTTABOP_copy) {
        CHECK(call->arg[2] == 1 && calls < ARRAY_SIZE(got.copy));
        struct gnttab_copy *copy = &got.copy[calls];
        CHECK(copy_from_guest_va(copy, call->arg[1], sizeof(*copy)) == 0);
        int16_t status = (int16_t)(-10 - (int)calls);
        unsigned long status_at = call->arg[1] + offsetof(struct gnttab_copy, status);
        CHECK(copy_to_guest_va(status_at, &status, sizeof(status)) == 0);
        call->arg[1] += sizeof(struct gnttab_copy);
        call->arg[2] = 0;
    }
    return record(call);
}

/* Serves extents until populate_limit; wants to be called again after restart_after of them. */
static long populate(struct hypercall *call)
{
    uint64_t i = call->arg[0] >> MEMOP_COMMAND_BITS;
    GET(reservation, call->arg[1]);
    for (uint64_t n = 0; i < got.reservation.nr_extents; i++, n++) {
        if (restart_after && n == restart_after) {
            call->arg[0] = (call->arg[0] & MEMOP_COMMAND_MASK) | i << MEMOP_COMMAND_BITS;
            return -ERESTART;
        }
        if (populated_count == populate_limit)
            break;
        CHECK(populated_count < ARRAY_SIZE(populated));
        CHECK(copy_from_guest_offset(&populated[populated_count], got.reservation.extent_start, i, 1) == 0);
        populated_count++;
    }
    return (long)i;
}

long do_memory_op(struct hypercall *call)
{
    switch (call->arg[0] & MEMOP_COMMAND_MASK) {
    case XENMEM_populate_physmap:
    case XENMEM_decrease_reservation:
        calls++;
        return populate(call);
    case XENMEM_add_to_physmap:
        GET(add, call->arg[1]);
        if (got.add.space == XENMAPSPACE_gmfn_range && got.add.size) {
            got.add.size--;
            got.add.idx++;
            got.add.gpfn++;
            GIVE(add, call->arg[1]);
            return record(call), got.add.size ? -ERESTART : 0;
        }
        break;
    case XENMEM_remove_from_physmap:
        GET(remove, call->arg[1]);
        break;
    case XENMEM_memory_map:
        GET(map, call->arg[1]);
        CHECK(copy_to_guest_va((unsigned long)got.map.buffer.p, "e820", 4) == 0);
        got.map.nr_entries = 5;
        GIVE(map, call->arg[1]);
        break;
    case XENMEM_reserved_device_memory_map:
        GET(reserved, call->arg[1]);
        got.reserved.nr_entries = 0;
        GIVE(reserved, call->arg[1]);
        break;
    }
    return record(call);
}

/* ---- The guest's side ---- */

static struct hypercall last;
static unsigned restarts;

static long make(unsigned number, uint32_t a0, uint32_t a1, uint32_t a2)
{
    long result;
    last = (struct hypercall){.number = number, .arg = {a0, a1, a2}};
    memset(&got, 0, sizeof(got));
    calls = restarts = 0;
    while ((result = compat_hypercall(&last)) == -ERESTART) {
        for (unsigned i = 0; i < 3; i++)
            CHECK(last.arg[i] <= UINT32_MAX); /* they are registers of 32 bits */
        CHECK(++restarts < 1000);
    }
    return result;
}

static void *put(unsigned offset, const void *what, size_t bytes)
{
    return memcpy(guest + offset, what, bytes);
}

/* ---- Tests ---- */

static void test_same(void)
{
    answer = 7;
    CHECK(make(__HYPERVISOR_event_channel_op, EVTCHNOP_send, at(0), 0) == 7 && seen.arg[1] == at(0));
    CHECK(make(__HYPERVISOR_hvm_op, HVMOP_get_param, at(8), 0) == 7 && seen.arg[1] == at(8));
    CHECK(make(__HYPERVISOR_vm_assist, VMASST_CMD_enable, 5, 0) == 7 && seen.arg[1] == 5);
    CHECK(make(__HYPERVISOR_xen_version, XENVER_extraversion, at(0), 0) == 7 && seen.arg[1] == at(0));
    CHECK(make(__HYPERVISOR_vcpu_op, VCPUOP_is_up, 1, 0) == 7 && seen.arg[1] == 1);
    CHECK(make(__HYPERVISOR_vcpu_op, VCPUOP_register_vcpu_info, 1, at(4)) == 7 && seen.arg[2] == at(4));
    CHECK(make(__HYPERVISOR_memory_op, XENMEM_get_vnumainfo, at(0), 0) == 7);
    CHECK(make(__HYPERVISOR_memory_op, XENMEM_maximum_gpfn, at(0), 0) == 7 && seen.arg[1] == at(0));
    CHECK(make(__HYPERVISOR_grant_table_op, GNTTABOP_query_size, at(0), 1) == 7 && seen.arg[2] == 1);
    CHECK(make(__HYPERVISOR_physdev_op, PHYSDEVOP_eoi, at(0), 0) == 7);
    CHECK(make(__HYPERVISOR_sched_op, SCHEDOP_shutdown, at(0), 0) == 7);
    CHECK(make(__HYPERVISOR_set_timer_op, 0x89abcdef, 0x12, 0) == 7 && seen.arg[0] == 0x1289abcdefULL);
    answer = 0;
}

static void test_refused(void)
{
    static const struct {
        unsigned number;
        uint32_t command;
    } refused[] = {
        {__HYPERVISOR_mmu_update, 0},
        {__HYPERVISOR_multicall, 0},
        {__HYPERVISOR_domctl, 0},
        {__HYPERVISOR_dm_op, 0},
        {63, 0},
        {~0U, 0},
        {__HYPERVISOR_vcpu_op, VCPUOP_initialise},
        {__HYPERVISOR_sched_op, SCHEDOP_pin_override},
        {__HYPERVISOR_grant_table_op, GNTTABOP_setup_table},
        {__HYPERVISOR_grant_table_op, GNTTABOP_transfer},
        {__HYPERVISOR_physdev_op, PHYSDEVOP_set_iopl},
        {__HYPERVISOR_memory_op, XENMEM_exchange},
        {__HYPERVISOR_memory_op, XENMEM_acquire_resource},
        {__HYPERVISOR_memory_op, 63},
    };
    for (unsigned i = 0; i < ARRAY_SIZE(refused); i++)
        CHECK(make(refused[i].number, refused[i].command, at(0), 1) == -ENOSYS && calls == 0);
}

/* Each structure where there is no memory, and one byte short of its end. */
static void test_faults(void)
{
    static const struct {
        unsigned number;
        uint32_t command;
        unsigned argument, bytes;
    } all[] = {
        {__HYPERVISOR_sched_op, SCHEDOP_poll, 1, 16},
        {__HYPERVISOR_vcpu_op, VCPUOP_set_singleshot_timer, 2, 12},
        {__HYPERVISOR_vcpu_op, VCPUOP_get_runstate_info, 2, 44},
        {__HYPERVISOR_memory_op, XENMEM_populate_physmap, 1, 20},
        {__HYPERVISOR_memory_op, XENMEM_decrease_reservation, 1, 20},
        {__HYPERVISOR_memory_op, XENMEM_add_to_physmap, 1, 16},
        {__HYPERVISOR_memory_op, XENMEM_remove_from_physmap, 1, 8},
        {__HYPERVISOR_memory_op, XENMEM_memory_map, 1, 8},
        {__HYPERVISOR_memory_op, XENMEM_reserved_device_memory_map, 1, 16},
        {__HYPERVISOR_physdev_op, PHYSDEVOP_map_pirq, 1, 36},
        {__HYPERVISOR_xen_version, XENVER_platform_parameters, 1, 4},
    };
    for (unsigned i = 0; i < ARRAY_SIZE(all); i++) {
        uint32_t bad[] = {0, 0x1000, at(GUEST_BYTES - all[i].bytes + 1), 0xfffffff0};
        for (unsigned n = 0; n < ARRAY_SIZE(bad); n++) {
            uint32_t a1 = all[i].argument == 1 ? bad[n] : 0;
            CHECK(make(all[i].number, all[i].command, a1, bad[n]) == -EFAULT);
        }
    }
    CHECK(make(__HYPERVISOR_grant_table_op, GNTTABOP_copy, at(GUEST_BYTES - 23), 1) == -EFAULT && calls == 0);
}

static void test_small(void)
{
    struct compat_sched_poll poll = {at(100), 3, 0x1234567890};
    put(0, &poll, sizeof(poll));
    CHECK(make(__HYPERVISOR_sched_op, SCHEDOP_poll, at(0), 0) == 0);
    CHECK((uintptr_t)got.poll.ports.p == at(100) && got.poll.nr_ports == 3 && got.poll.timeout == 0x1234567890);

    struct compat_singleshot_timer timer = {0xabcdef0123456789, VCPU_SSHOTTMR_future};
    unsigned end = GUEST_BYTES - sizeof(timer); /* nothing behind it is read */
    put(end, &timer, sizeof(timer));
    CHECK(make(__HYPERVISOR_vcpu_op, VCPUOP_set_singleshot_timer, 2, at(end)) == 0 && seen.arg[1] == 2);
    CHECK(got.singleshot.timeout_abs_ns == 0xabcdef0123456789 && got.singleshot.flags == VCPU_SSHOTTMR_future);

    struct compat_runstate_info *info = (void *)(guest + GUEST_BYTES - sizeof(*info));
    CHECK(make(__HYPERVISOR_vcpu_op, VCPUOP_get_runstate_info, 0, (uint32_t)(uintptr_t)info) == 0);
    CHECK(info->state == RUNSTATE_blocked && info->state_entry_time == 0x1122334455667788);
    CHECK(info->time[0] == 1 && info->time[3] == 0x400000000);

    CHECK(make(__HYPERVISOR_xen_version, XENVER_platform_parameters, at(GUEST_BYTES - 4), 0) == 0);
    uint32_t start;
    memcpy(&start, guest + GUEST_BYTES - 4, sizeof(start));
    CHECK(start == 0xf5800000);

    struct compat_physdev_map_pirq pirq = {.domid = DOMID_SELF,
                                           .type = 1,
                                           .index = 9,
                                           .pirq = -1,
                                           .bus = 2,
                                           .devfn = 3,
                                           .entry_nr = 4,
                                           .table_base = 1ULL << 40};
    end = GUEST_BYTES - sizeof(pirq);
    put(end, &pirq, sizeof(pirq));
    CHECK(make(__HYPERVISOR_physdev_op, PHYSDEVOP_map_pirq, at(end), 0) == 0);
    CHECK(got.pirq.domid == DOMID_SELF && got.pirq.type == 1 && got.pirq.index == 9 && got.pirq.bus == 2);
    CHECK(got.pirq.devfn == 3 && got.pirq.entry_nr == 4 && got.pirq.table_base == 1ULL << 40);
    CHECK(((struct compat_physdev_map_pirq *)(guest + end))->pirq == 33);
}

static void test_memory(void)
{
    struct compat_add_to_physmap add = {DOMID_SELF, 0, XENMAPSPACE_shared_info, 0x80000000, 0xfffff000};
    put(0, &add, sizeof(add));
    CHECK(make(__HYPERVISOR_memory_op, XENMEM_add_to_physmap, at(0), 0) == 0);
    CHECK(got.add.domid == DOMID_SELF && got.add.space == XENMAPSPACE_shared_info && got.add.idx == 0x80000000);
    CHECK(got.add.gpfn == 0xfffff000);

    add = (struct compat_add_to_physmap){DOMID_SELF, 5, XENMAPSPACE_gmfn_range, 10, 20};
    put(0, &add, sizeof(add));
    CHECK(make(__HYPERVISOR_memory_op, XENMEM_add_to_physmap, at(0), 0) == 0 && calls == 5 && restarts == 4);
    memcpy(&add, guest, sizeof(add));
    CHECK(add.size == 0 && add.idx == 15 && add.gpfn == 25 && got.add.idx == 15);

    struct compat_remove_from_physmap remove = {.domid = 3, .gpfn = 0xdeadbeef};
    put(0, &remove, sizeof(remove));
    CHECK(make(__HYPERVISOR_memory_op, XENMEM_remove_from_physmap, at(0), 0) == 0);
    CHECK(got.remove.domid == 3 && got.remove.gpfn == 0xdeadbeef);

    struct compat_memory_map map = {128, at(512)};
    put(0, &map, sizeof(map));
    answer = -ENOBUFS; /* the count comes back with the error too */
    CHECK(make(__HYPERVISOR_memory_op, XENMEM_memory_map, at(0), 0) == -ENOBUFS);
    CHECK(memcmp(guest + 512, "e820", 4) == 0 && ((struct compat_memory_map *)guest)->nr_entries == 5);
    CHECK(((struct compat_memory_map *)guest)->buffer == at(512));
    answer = 0;

    struct compat_reserved_device_memory_map reserved = {1, 9, at(512), 0x00010203};
    put(0, &reserved, sizeof(reserved));
    CHECK(make(__HYPERVISOR_memory_op, XENMEM_reserved_device_memory_map, at(0), 0) == 0);
    CHECK(got.reserved.flags == 1 && (uintptr_t)got.reserved.buffer.p == at(512) && got.reserved.dev.pci.seg == 0x0203);
    CHECK(((struct compat_reserved_device_memory_map *)guest)->nr_entries == 0);
}

static long reserve(unsigned command, uint32_t count, unsigned limit, unsigned restart, unsigned yield)
{
    struct compat_memory_reservation r = {at(4096), count, 3, 0x40, DOMID_SELF};
    put(0, &r, sizeof(r));
    populated_count = 0;
    populate_limit = limit;
    restart_after = restart;
    fake_yield_every(yield);
    return make(__HYPERVISOR_memory_op, command, at(0), 0);
}

static void test_reservation(void)
{
    uint32_t *list = (uint32_t *)(guest + 4096);
    for (uint32_t i = 0; i < 400; i++)
        list[i] = 0xf0000000 + i * 3;
    static const uint32_t counts[] = {0, 1, 63, 64, 65, 128, 400};
    for (unsigned i = 0; i < ARRAY_SIZE(counts); i++)
        for (unsigned restart = 0; restart < 8; restart += 7)
            for (unsigned yield = 0; yield < 3; yield++) {
                CHECK(reserve(XENMEM_populate_physmap, counts[i], 1000, restart, yield) == counts[i]);
                CHECK(populated_count == counts[i]);
                for (unsigned n = 0; n < counts[i]; n++)
                    CHECK(populated[n] == list[n]);
            }
    CHECK(reserve(XENMEM_decrease_reservation, 400, 1000, 0, 0) == 400 && got.reservation.extent_order == 3);
    CHECK(got.reservation.mem_flags == 0x40 && got.reservation.domid == DOMID_SELF);
    CHECK(reserve(XENMEM_populate_physmap, 400, 70, 0, 0) == 70); /* memory ran out */
    CHECK(reserve(XENMEM_populate_physmap, 400, 64, 9, 1) == 64);
    CHECK(reserve(XENMEM_populate_physmap, 1U << 26, 1000, 0, 0) == 0 && calls == 0);
    struct compat_memory_reservation r = {0x1000, 1, 0, 0, DOMID_SELF};
    put(0, &r, sizeof(r));
    CHECK(make(__HYPERVISOR_memory_op, XENMEM_populate_physmap, at(0), 0) == -EFAULT);
    populate_limit = 1000;
    r.extent_start = at(GUEST_BYTES - 256); /* the list ends with the memory after the first batch */
    r.nr_extents = 100;
    put(0, &r, sizeof(r));
    populated_count = restart_after = 0;
    fake_yield_every(0);
    CHECK(make(__HYPERVISOR_memory_op, XENMEM_populate_physmap, at(0), 0) == 64);
}

static void test_grant_copy(void)
{
    for (unsigned yield = 0; yield < 2; yield++) {
        struct compat_gnttab_copy list[5];
        for (unsigned i = 0; i < 5; i++)
            list[i] = (struct compat_gnttab_copy){
                {100 + i, 1, 2}, {0xfffffff0 + i, 3, 4}, (uint16_t)(50 + i), GNTCOPY_source_gref, 99};
        unsigned end = GUEST_BYTES - sizeof(list);
        put(end, list, sizeof(list));
        fake_yield_every(yield);
        CHECK(make(__HYPERVISOR_grant_table_op, GNTTABOP_copy, at(end), 5) == 0 && calls == 5);
        CHECK(restarts == (yield ? 4 : 0));
        memcpy(list, guest + end, sizeof(list));
        for (unsigned i = 0; i < 5; i++) {
            CHECK(got.copy[i].source.u.ref == 100 + i && got.copy[i].source.domid == 1 &&
                  got.copy[i].source.offset == 2);
            CHECK(got.copy[i].dest.u.gmfn == 0xfffffff0 + i && got.copy[i].dest.domid == 3);
            CHECK(got.copy[i].dest.offset == 4 && got.copy[i].len == 50 + i &&
                  got.copy[i].flags == GNTCOPY_source_gref);
            CHECK(list[i].status == -10 - (int)i);
        }
    }
    fake_yield_every(0);
}

/* Outside of a call nobody reaches the rewritten arguments, and nothing beyond them ever. */
static void test_area(void)
{
    struct compat_area area = {.used = 0};
    uint8_t byte = 0;
    uint64_t first, second;
    CHECK(compat_copy_from(&byte, COMPAT_ARGUMENT_VA, 1) == -EFAULT);
    CHECK(compat_copy_to(COMPAT_ARGUMENT_VA, &byte, 1) == -EFAULT);
    compat_reserve(&area, 5, &first);
    compat_reserve(&area, 8, &second);
    CHECK(first == COMPAT_ARGUMENT_VA && second == first + 8 && area.used == 16);
    CHECK(is_compat_argument(first) && is_compat_argument(first + 0xffff) && !is_compat_argument(first - 1));
    CHECK(!is_compat_argument(0xffff800000000000) && !is_compat_argument(0x7fffffffffff));
    struct compat_sched_poll poll = {0, 0, 0};
    put(0, &poll, sizeof(poll));
    CHECK(make(__HYPERVISOR_sched_op, SCHEDOP_poll, at(0), 0) == 0);
    CHECK(compat_copy_from(&byte, COMPAT_ARGUMENT_VA, 1) == -EFAULT); /* the call has ended */
}

static void test_latch(void)
{
    struct hvm_domain hd = {0};
    struct domain d = {.hvm = &hd};
    struct vcpu v = {.domain = &d};
    code_bytes = 8;
    compat_latch_layout(&v);
    CHECK(!hd.shared_info_32 && layout_changes == 0 && wallclock_updates == 0);
    code_bytes = 4;
    compat_latch_layout(&v);
    compat_latch_layout(&v);
    CHECK(hd.shared_info_32 && has_compat_layout(&d) && layout_changes == 1 && wallclock_updates == 1);
    code_bytes = 8;
    compat_latch_layout(&v);
    CHECK(!hd.shared_info_32 && layout_changes == 2);
    code_bytes = 2; /* real mode shares nothing in 64-bit layout either */
    compat_latch_layout(&v);
    CHECK(hd.shared_info_32);
}

int main(void)
{
    guest = mmap(NULL, GUEST_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
    CHECK(guest != MAP_FAILED);
    test_same();
    test_refused();
    test_faults();
    test_small();
    test_memory();
    test_reservation();
    test_grant_copy();
    test_area();
    test_latch();
    puts("ok");
    return 0;
}
