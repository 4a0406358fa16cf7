/*
 * The device model's hypercall: who may make it, what it refuses, what it goes on with, and random buffers.
 */
#include "../../random.h"
#include "guest.h"

static void ram(unsigned count)
{
    for (unsigned gfn = 0; gfn < count; gfn++) {
        kind_of[gfn] = P2M_RAM;
        frame_of[gfn] = fake_frame(guest);
    }
}

static void who_may(void)
{
    struct xen_dm_op op = {.op = XEN_DMOP_nr_vcpus};
    struct xen_dm_op_buf buffer = {{&op}, sizeof(op)};

    CHECK_EQUAL(0, dm_op(1, &op, sizeof(op)));
    CHECK_EQUAL(2, op.u.nr_vcpus.vcpus);
    CHECK_EQUAL(-EINVAL, dm_op(2, &op, sizeof(op))); /* PV */
    CHECK_EQUAL(-EINVAL, dm_op(0, &op, sizeof(op)));
    CHECK_EQUAL(-ESRCH, dm_op(9, &op, sizeof(op)));
    CHECK_EQUAL(-ESRCH, dm_op(DOMID_SELF, &op, sizeof(op)));
    fake_run(other->vcpu[0]);
    CHECK_EQUAL(-EPERM, fake_hypercall(do_dm_op, 1, 1, (uintptr_t)&buffer, NULL));
    fake_run(control->vcpu[0]);
    CHECK_EQUAL(-EINVAL, fake_hypercall(do_dm_op, 1, 0, (uintptr_t)&buffer, NULL));
    CHECK_EQUAL(-E2BIG, fake_hypercall(do_dm_op, 1, 3, (uintptr_t)&buffer, NULL));
    CHECK_EQUAL(-E2BIG, fake_hypercall(do_dm_op, 1, 1ULL << 32 | 1, (uintptr_t)&buffer, NULL));
    CHECK_EQUAL(-EFAULT, fake_hypercall(do_dm_op, 1, 1, 16, NULL));
    CHECK_EQUAL(0, fake_domain_references(guest));
    guest->dying = DOMAIN_DYING;
    CHECK_EQUAL(-ESRCH, dm_op(1, &op, sizeof(op)));
    guest->dying = DOMAIN_ALIVE;
}

static void sizes(void)
{
    struct xen_dm_op op = {.op = XEN_DMOP_set_isa_irq_level, .u.set_isa_irq_level = {4, 1}};
    uint8_t large[4096] = {0};

    CHECK_EQUAL(-EINVAL, dm_op(1, &op, 4));
    CHECK_EQUAL(-EINVAL, dm_op(1, &op, 9));
    CHECK_EQUAL(0, dm_op(1, &op, 10));
    CHECK(isa_line[4]);
    op.u.set_isa_irq_level.level = 0;
    memcpy(large, &op, sizeof(op));
    CHECK_EQUAL(0, dm_op(1, (struct xen_dm_op *)large, sizeof(large)));
    CHECK(!isa_line[4]);
    CHECK_EQUAL(-EFAULT, dm_op(1, BAD_GUEST_ADDRESS, sizeof(op)));
    op.pad = 1;
    CHECK_EQUAL(-EINVAL, dm_op(1, &op, sizeof(op)));
    op.pad = 0;
    for (uint32_t n = 0; n < 64; n++) {
        op.op = n > 31 ? 0xffffff00 + n : n;
        if (op.op == 0 || op.op == XEN_DMOP_set_irq_level || op.op > XEN_DMOP_nr_vcpus)
            CHECK_EQUAL(-EOPNOTSUPP, dm_op(1, &op, sizeof(op)));
    }
}

/* An operation with one value wrong after the other. */
static void refused(const char *what, struct xen_dm_op op)
{
    long result = dm_op(1, &op, sizeof(op));

    CHECK(result == -EINVAL || result == -ENOENT || result == -EOPNOTSUPP, "%s was answered with %ld", what, result);
}
#define REFUSED(name, ...)                                                                                             \
    refused(#name " " #__VA_ARGS__, (struct xen_dm_op){.op = XEN_DMOP_##name, .u.name = {__VA_ARGS__}})

static void arguments(void)
{
    ram(16);
    REFUSED(create_ioreq_server, .handle_bufioreq = 3);
    REFUSED(create_ioreq_server, .pad = {1});
    REFUSED(get_ioreq_server_info, .id = 0, .flags = 1);
    REFUSED(get_ioreq_server_info, .id = 0, .flags = 0);
    REFUSED(map_io_range_to_ioreq_server, .id = 0, .type = 0, .start = 1, .end = 1);
    REFUSED(unmap_io_range_from_ioreq_server, .id = 0xffff, .type = 0, .start = 1, .end = 1);
    REFUSED(map_io_range_to_ioreq_server, .id = 0, .type = 3);
    REFUSED(set_ioreq_server_state, .id = 7, .enabled = 1);
    REFUSED(destroy_ioreq_server, .id = 8);
    REFUSED(set_pci_intx_level, .domain = 1);
    REFUSED(set_pci_intx_level, .bus = 1);
    REFUSED(set_pci_intx_level, .device = 32);
    REFUSED(set_pci_intx_level, .intx = 4);
    REFUSED(set_pci_intx_level, .level = 2);
    REFUSED(set_isa_irq_level, .isa_irq = 16);
    REFUSED(set_isa_irq_level, .level = 2);
    REFUSED(set_pci_link_route, .link = 4);
    REFUSED(set_pci_link_route, .isa_irq = 16);
    REFUSED(track_dirty_vram, .nr = 8); /* no second buffer */
    REFUSED(modified_memory, .nr_extents = 1);
    REFUSED(set_mem_type, .nr = 1, .mem_type = HVMMEM_unused);
    REFUSED(set_mem_type, .nr = 1, .mem_type = 5);
    REFUSED(set_mem_type, .nr = 1, .mem_type = HVMMEM_ioreq_server); /* nobody has claimed them */
    REFUSED(set_mem_type, .nr = 1, .mem_type = HVMMEM_ram_ro, .first_pfn = 16);
    REFUSED(set_mem_type, .nr = 2, .mem_type = HVMMEM_ram_ro, .first_pfn = ~0ULL);
    REFUSED(inject_event, .vcpuid = 2, .type = XEN_DMOP_EVENT_nmi, .vector = 2);
    REFUSED(inject_event, .type = 1);
    REFUSED(inject_event, .type = XEN_DMOP_EVENT_hw_exc, .vector = 32);
    REFUSED(inject_event, .type = XEN_DMOP_EVENT_nmi, .vector = 3);
    REFUSED(inject_event, .type = XEN_DMOP_EVENT_sw_int, .insn_len = 16);
    REFUSED(inject_msi, .addr = 0x1000, .data = 0x30);
    REFUSED(inject_msi, .addr = 0xfee00000, .data = 0x30, .pad = 1);
    REFUSED(map_mem_type_to_ioreq_server, .id = 0, .type = HVMMEM_ram_rw, .flags = 2);
    REFUSED(map_mem_type_to_ioreq_server, .id = 0, .type = HVMMEM_ioreq_server, .flags = 1);
    REFUSED(map_mem_type_to_ioreq_server, .id = 0, .type = HVMMEM_ioreq_server, .flags = 2);
    REFUSED(remote_shutdown, .reason = 256);
    REFUSED(relocate_memory, .size = 1, .src_gfn = 99, .dst_gfn = 5);
    REFUSED(relocate_memory, .size = 2, .src_gfn = ~0ULL, .dst_gfn = 5);
    REFUSED(pin_memory_cacheattr, .start = 1, .end = 0, .type = XEN_DMOP_MEM_CACHEATTR_WC);
    REFUSED(pin_memory_cacheattr, .type = 2);
    CHECK(kinds_changed == 0 && shutdown_reason == -1);
}

static void memory_types(void)
{
    struct xen_dm_op op = {.op = XEN_DMOP_set_mem_type, .u.set_mem_type = {.nr = 200, .mem_type = HVMMEM_ram_ro}};
    struct model m;

    ram(200);
    fake_yield_every(1);
    CHECK_EQUAL(0, dm_op(1, &op, sizeof(op))); /* with interruptions */
    CHECK_EQUAL(200, kinds_changed);
    CHECK(op.u.set_mem_type.first_pfn > 0 && op.u.set_mem_type.first_pfn < 200);
    fake_yield_every(0);
    model_create(&m, 0);
    op = (struct xen_dm_op){
        .op = XEN_DMOP_map_mem_type_to_ioreq_server,
        .u.map_mem_type_to_ioreq_server = {m.id, HVMMEM_ioreq_server, XEN_DMOP_IOREQ_MEM_ACCESS_WRITE, 0}};
    CHECK_EQUAL(0, dm_op(1, &op, sizeof(op)));
    CHECK_EQUAL(-EBUSY, dm_op(1, &op, sizeof(op)));
    kind_of[3] = P2M_RAM;
    op = (struct xen_dm_op){.op = XEN_DMOP_set_mem_type, .u.set_mem_type = {1, HVMMEM_ioreq_server, 0, 3}};
    CHECK_EQUAL(0, dm_op(1, &op, sizeof(op)));
    op.u.set_mem_type.nr = 1;
    op.u.set_mem_type.first_pfn = 4; /* read-only may not */
    CHECK_EQUAL(-EINVAL, dm_op(1, &op, sizeof(op)));
    fake_run(guest->vcpu[0]);
    CHECK_EQUAL(IO_OK, hvm_memory_write(guest->vcpu[0], 0x3008, 4, 5));
    CHECK(m.slots[0].state == STATE_IOREQ_READY && m.slots[0].addr == 0x3008);
    m.slots[0].state = STATE_IORESP_READY;
    CHECK(hvm_io_complete(guest->vcpu[0]));
    hvm_io_instruction_done(guest->vcpu[0]);
    CHECK_EQUAL(IO_OK, hvm_memory_write(guest->vcpu[0], 0x4008, 4, 5));
    CHECK_EQUAL(0, guest->vcpu[0]->hvm->io_servers);
    op = (struct xen_dm_op){.op = XEN_DMOP_map_mem_type_to_ioreq_server,
                            .u.map_mem_type_to_ioreq_server = {m.id, HVMMEM_ioreq_server, 0, 0}};
    CHECK_EQUAL(0, dm_op(1, &op, sizeof(op)));
    CHECK_EQUAL(-EINVAL, dm_op(1, &op, sizeof(op)));
}

/* RAM that becomes the device model's keeps its frame for the way back; what never was RAM has none. */
static void device_memory_and_back(void)
{
    struct xen_dm_op op = {.op = XEN_DMOP_set_mem_type, .u.set_mem_type = {1, HVMMEM_mmio_dm, 0, 3}};

    ram(4);
    CHECK_EQUAL(0, dm_op(1, &op, sizeof(op)));
    CHECK_EQUAL(P2M_MMIO_DM, kind_of[3]);
    op.u.set_mem_type = (struct xen_dm_op_set_mem_type){1, HVMMEM_ram_rw, 0, 3};
    CHECK_EQUAL(0, dm_op(1, &op, sizeof(op)));
    CHECK_EQUAL(P2M_RAM, kind_of[3]);
    kind_of[3] = P2M_MMIO_DM;
    frame_of[3] = INVALID_MFN;
    op.u.set_mem_type = (struct xen_dm_op_set_mem_type){1, HVMMEM_ram_rw, 0, 3};
    CHECK_EQUAL(-EINVAL, dm_op(1, &op, sizeof(op)));
}

static void give_claim_up(void)
{
    guest->hvm->io->write_server = NO_IOREQ_SERVER;
}

/* The claim of writes goes while a write is on its way to who had it. */
static void claim_lost_meanwhile(void)
{
    struct model m;
    struct xen_dm_op op;

    ram(4);
    model_create(&m, 0);
    op = (struct xen_dm_op){
        .op = XEN_DMOP_map_mem_type_to_ioreq_server,
        .u.map_mem_type_to_ioreq_server = {m.id, HVMMEM_ioreq_server, XEN_DMOP_IOREQ_MEM_ACCESS_WRITE, 0}};
    CHECK_EQUAL(0, dm_op(1, &op, sizeof(op)));
    kind_of[3] = P2M_IOREQ_SERVER;
    during_lookup = give_claim_up;
    fake_run(guest->vcpu[0]);
    CHECK_EQUAL(IO_OK, hvm_memory_write(guest->vcpu[0], 0x3008, 4, 5));
    during_lookup = NULL;
    CHECK_EQUAL(STATE_IOREQ_READY, m.slots[0].state);
    m.slots[0].state = STATE_IORESP_READY;
    CHECK(hvm_io_complete(guest->vcpu[0]));
    hvm_io_instruction_done(guest->vcpu[0]);
}

static void relocation(void)
{
    struct xen_dm_op op = {.op = XEN_DMOP_relocate_memory, .u.relocate_memory = {100, 0, 0, 150}};
    mfn_t first, last;

    ram(100);
    first = frame_of[0];
    last = frame_of[99];
    fake_yield_every(1);
    CHECK_EQUAL(0, dm_op(1, &op, sizeof(op)));
    CHECK(frame_of[150] == first && frame_of[249] == last && kind_of[0] == P2M_HOLE && kind_of[99] == P2M_HOLE);
    /* Asked for from its home again, without having been brought back there. */
    op = (struct xen_dm_op){.op = XEN_DMOP_relocate_memory, .u.relocate_memory = {100, 0, 0, 120}};
    CHECK_EQUAL(0, dm_op(1, &op, sizeof(op)));
    CHECK(frame_of[120] == first && frame_of[219] == last && kind_of[249] == P2M_HOLE);
    op = (struct xen_dm_op){.op = XEN_DMOP_relocate_memory, .u.relocate_memory = {1, 0, 100, 5}};
    CHECK_EQUAL(-EINVAL, dm_op(1, &op, sizeof(op))); /* one beyond: nothing was there */
    op = (struct xen_dm_op){.op = XEN_DMOP_relocate_memory, .u.relocate_memory = {1, 0, 120, FAKE_GFNS}};
    CHECK_EQUAL(-ENOMEM, dm_op(1, &op, sizeof(op)));
    CHECK(frame_of[120] == first); /* as before */
}

static void modified(void)
{
    struct xen_dm_op_modified_memory_extent list[] = {{10, 0, 5}, {300, 0, 1000}, {0, 0, 1}, {7, 0, 0}}, saved[4];
    struct xen_dm_op op = {.op = XEN_DMOP_modified_memory, .u.modified_memory = {4, 0}};

    memcpy(saved, list, sizeof(list));
    CHECK_EQUAL(0, dm_op_with(1, &op, sizeof(op), list, sizeof(list)));
    CHECK_EQUAL(317, marked);
    marked = 0;
    fake_yield_every(1);
    op.u.modified_memory = (struct xen_dm_op_modified_memory){4, 0};
    CHECK_EQUAL(0, dm_op_with(1, &op, sizeof(op), list, sizeof(list)));
    CHECK_EQUAL(317, marked); /* each once, interrupted or not */
    fake_yield_every(0);
    op.u.modified_memory = (struct xen_dm_op_modified_memory){5, 0};
    CHECK_EQUAL(-EINVAL, dm_op_with(1, &op, sizeof(op), list, sizeof(list)));
    memcpy(list, saved, sizeof(list));
    list[2].first_pfn = ~0ULL;
    list[2].nr = 2;
    op.u.modified_memory = (struct xen_dm_op_modified_memory){4, 0};
    CHECK_EQUAL(-EINVAL, dm_op_with(1, &op, sizeof(op), list, sizeof(list)));
    CHECK_EQUAL(3, op.u.modified_memory.nr_extents);
    op.u.modified_memory = (struct xen_dm_op_modified_memory){2, 3};
    CHECK_EQUAL(-EINVAL, dm_op_with(1, &op, sizeof(op), list, sizeof(list)));
}

static void vram(void)
{
    uint8_t bitmap[16];
    struct xen_dm_op op = {.op = XEN_DMOP_track_dirty_vram, .u.track_dirty_vram = {128, 0, 0xf0000}};

    CHECK_EQUAL(0, dm_op_with(1, &op, sizeof(op), bitmap, 16));
    CHECK_EQUAL(-EINVAL, dm_op_with(1, &op, sizeof(op), bitmap, 15));
    op.u.track_dirty_vram.nr = 1 << 20;
    CHECK_EQUAL(-EINVAL, dm_op_with(1, &op, sizeof(op), bitmap, 1 << 20));
    op.u.track_dirty_vram.nr = 0;
    CHECK_EQUAL(0, dm_op_with(1, &op, sizeof(op), bitmap, 0));
}

static void events(void)
{
    struct xen_dm_op op = {
        .op = XEN_DMOP_inject_event,
        .u.inject_event = {.vcpuid = 1, .vector = 14, .type = XEN_DMOP_EVENT_hw_exc, .error_code = 2, .cr2 = 77}};
    const struct hvm_event *pending = &guest->vcpu[1]->hvm->pending;

    CHECK_EQUAL(0, dm_op(1, &op, sizeof(op)));
    CHECK(pending->valid && pending->vector == 14 && pending->has_error_code && pending->error_code == 2 &&
          pending->cr2 == 77);
    CHECK_EQUAL(-EBUSY, dm_op(1, &op, sizeof(op)));
    CHECK_EQUAL(0, guest->vcpu[1]->pause_count);
    op = (struct xen_dm_op){.op = XEN_DMOP_remote_shutdown, .u.remote_shutdown.reason = 3};
    CHECK_EQUAL(0, dm_op(1, &op, sizeof(op)));
    CHECK_EQUAL(3, shutdown_reason);
}

/* A domain is made before its vcpus are; its events have nobody to wake yet. */
static void before_there_are_vcpus(void)
{
    struct xen_dm_op create = {.op = XEN_DMOP_create_ioreq_server, .u.create_ioreq_server.handle_bufioreq = 2};
    struct evtchn_bind_interdomain bind = {.remote_dom = 1};
    struct evtchn_close close;
    struct vcpu *vcpus[] = {guest->vcpu[0], guest->vcpu[1]};

    fake_run(control->vcpu[0]);
    guest->vcpu[0] = guest->vcpu[1] = NULL;
    CHECK_EQUAL(0, dm_op(1, &create, sizeof(create)));
    CHECK_EQUAL(0, ioreq_server_ring_port(guest, create.u.create_ioreq_server.id, &bind.remote_port));
    CHECK_EQUAL(0, event_op(control, EVTCHNOP_bind_interdomain, &bind));
    CHECK_EQUAL(0, event_op(control, EVTCHNOP_send, &(struct evtchn_send){bind.local_port}));
    close.port = bind.local_port;
    CHECK_EQUAL(0, event_op(control, EVTCHNOP_close, &close));
    CHECK_EQUAL(0, wakes);
    guest->vcpu[0] = vcpus[0];
    guest->vcpu[1] = vcpus[1];
}

static void all_that_it_had_goes(void)
{
    during_pause = NULL;
    guest->dying = DOMAIN_DYING;
    hvm_io_relinquish(guest);
}

/* One that is made while its guest ends would hold pages of it for ever. */
static void made_while_the_guest_ends(void)
{
    struct xen_dm_op create = {.op = XEN_DMOP_create_ioreq_server};
    unsigned vcpus = guest->max_vcpus;

    fake_run(control->vcpu[0]);
    guest->max_vcpus = 0; /* no port to be made is what would tell */
    during_pause = all_that_it_had_goes;
    CHECK_EQUAL(-ESRCH, dm_op(1, &create, sizeof(create)));
    guest->max_vcpus = vcpus;
    CHECK(!guest->hvm->io->server[0]);
}

/* Whatever is in the buffers, and whatever is done in between: no harm but to the guest. */
static void random_buffers(void)
{
    uint8_t data[512];

    ram(100);
    fake_yield_every(3);
    for (unsigned n = 0; n < 500000; n++) {
        union {
            struct xen_dm_op op;
            uint8_t byte[64];
        } buffer = {{.op = random_below(22)}};
        size_t size = random_below(8) ? sizeof(struct xen_dm_op) : random_below(sizeof(buffer));
        unsigned density = random_below(5);

        for (unsigned i = 8; i < sizeof(buffer); i++)
            buffer.byte[i] = random_below(5) < density ? (uint8_t)(random64() & 1 ? random_below(4) : random64()) : 0;
        if (buffer.op.op == XEN_DMOP_modified_memory) /* or it takes for ever */
            buffer.op.u.modified_memory.nr_extents &= 31;
        for (unsigned i = 0; i < sizeof(data); i++)
            data[i] = i % 16 == 0 || random_below(8) == 0 ? (uint8_t)random64() & 63 : 0;
        for (unsigned i = 2; i < sizeof(data); i += 16)
            data[i] = data[i + 1] = 0;
        if (random64() & 1)
            dm_op(1, &buffer.op, size);
        else
            dm_op_with(1, &buffer.op, size, data, random_below(2) ? sizeof(data) : random_below(sizeof(data)));
        CHECK_EQUAL(0, guest->pause_count);
        guest->vcpu[0]->hvm->pending.valid = guest->vcpu[1]->hvm->pending.valid = false;
    }
    fake_yield_every(0);
    CHECK_EQUAL(0, fake_domain_references(guest));
}

int main(void)
{
    static const struct unit_test tests[] = {
        {"who may", who_may},
        {"sizes", sizes},
        {"arguments", arguments},
        {"memory types", memory_types},
        {"device memory and back", device_memory_and_back},
        {"a claim lost meanwhile", claim_lost_meanwhile},
        {"relocation", relocation},
        {"modified memory", modified},
        {"display memory", vram},
        {"events", events},
        {"before there are vcpus", before_there_are_vcpus},
        {"made while the guest ends", made_while_the_guest_ends},
        {"random buffers", random_buffers},
    };

    return fake_run_tests(tests, sizeof(tests) / sizeof(tests[0]), guest_setup, guest_teardown);
}
