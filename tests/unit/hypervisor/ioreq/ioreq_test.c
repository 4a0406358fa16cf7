/*
 * I/O of HVM guests: chips, requests and answers, the ring, and device models that do not play by the rules.
 */
#include "../../random.h"
#include "guest.h"

static struct model model;
static struct vcpu *v;

static void setup(void)
{
    guest_setup();
    v = guest->vcpu[0];
}

/* ---- chips ---- */

static unsigned asked[3];

static enum io_result chip_a(struct vcpu *vcpu, uint16_t port, unsigned bytes, bool write, uint32_t *value)
{
    asked[0]++;
    if (port == 0x43)
        return IO_UNHANDLED;
    if (!write)
        *value = 0xa0;
    return IO_OK;
}
static enum io_result chip_b(struct vcpu *vcpu, uint16_t port, unsigned bytes, bool write, uint32_t *value)
{
    asked[1]++;
    *value = 0xb0;
    return IO_OK;
}
static bool at_hpet(struct vcpu *vcpu, uint64_t gpa)
{
    return gpa >> 12 == 0xfed00;
}
static enum io_result hpet(struct vcpu *vcpu, uint64_t gpa, unsigned bytes, bool write, uint64_t *value)
{
    asked[2]++;
    *value = 0x1234567890;
    return IO_OK;
}

static void chips(void)
{
    uint32_t value = 0;
    uint64_t wide = 0;

    memset(asked, 0, sizeof(asked));
    CHECK_EQUAL(0, hvm_claim_ports(guest, 0x40, 4, chip_a));
    CHECK_EQUAL(0, hvm_claim_ports(guest, 0x43, 1, chip_b));
    CHECK_EQUAL(0, hvm_claim_ports(guest, 0xffff, 1, chip_b));
    CHECK_EQUAL(-EINVAL, hvm_claim_ports(guest, 0xffff, 2, chip_b));
    CHECK_EQUAL(-EINVAL, hvm_claim_ports(guest, 0, 0, chip_b));
    CHECK_EQUAL(0, hvm_claim_memory(guest, at_hpet, hpet));
    CHECK(hvm_port_read(v, 0x42, 1, &value) == IO_OK && value == 0xa0);
    CHECK(hvm_port_read(v, 0x43, 1, &value) == IO_OK && value == 0xb0); /* the first one declines */
    CHECK(hvm_port_read(v, 0xffff, 1, &value) == IO_OK && value == 0xb0);
    CHECK(hvm_port_write(v, 0x40, 1, 5) == IO_OK);
    CHECK_EQUAL(3, asked[0]);
    CHECK_EQUAL(2, asked[1]);
    /* 0x142 and 0x4042 share the table's places with claimed ports. */
    CHECK(hvm_port_read(v, 0x142, 1, &value) == IO_OK && value == 0xff);
    CHECK(hvm_port_read(v, 0x4002, 2, &value) == IO_OK && value == 0xffff);
    CHECK(hvm_port_read(v, 0x3f8, 4, &value) == IO_OK && value == 0xffffffff);
    CHECK_EQUAL(5, asked[0] + asked[1]);
    CHECK(hvm_memory_read(v, 0xfed00000, 8, &wide) == IO_OK && wide == 0x1234567890);
    CHECK(hvm_memory_read(v, 0xfee00000, 8, &wide) == IO_OK && wide == ~0ULL);
    CHECK(hvm_memory_read(v, 0xfee00000, 2, &wide) == IO_OK && wide == 0xffff);
    CHECK(hvm_memory_write(v, 0xfee00000, 4, 1) == IO_OK);
    CHECK(!guest->hvm->io->enabled && !hvm_io_answered(v));
    for (unsigned i = 3; i < PORT_CLAIMS_MAX; i++)
        CHECK_EQUAL(0, hvm_claim_ports(guest, 0x1000, 0x800, chip_b));
    CHECK_EQUAL(-ENOSPC, hvm_claim_ports(guest, 1, 1, chip_b));
}

/* ---- requests ---- */

static void with_model(unsigned handling)
{
    model_create(&model, handling);
    model_bind(&model);
    control->shared_info->evtchn_pending[0] = 0;
}

static void read_round_trip(void)
{
    uint32_t value = 0;
    struct ioreq request;

    with_model(HVM_IOREQSRV_BUFIOREQ_OFF);
    CHECK(guest->hvm->io->enabled);
    CHECK_EQUAL(IO_RETRY, hvm_port_read(v, 0x170, 2, &value));
    CHECK(v->hvm->waits_for_io && (cpus[0].softirq_pending & 1 << SOFTIRQ_SCHEDULE));
    CHECK(!hvm_io_complete(v) && v->hvm->waits_for_io);
    request = model_take(&model, 0);
    CHECK(request.addr == 0x170 && request.size == 2 && request.count == 1 && request.dir == IOREQ_READ &&
          request.type == IOREQ_TYPE_PIO && !request.data_is_ptr && !request.df);
    CHECK(!hvm_io_complete(v));
    model_send(&model, 0); /* for nothing */
    CHECK(!v->hvm->waits_for_io && wakes == 1);
    CHECK(!hvm_io_complete(v) && v->hvm->waits_for_io);
    model_answer(&model, 0, 0xffffffff1234abcd);
    CHECK(!v->hvm->waits_for_io);
    CHECK(hvm_io_complete(v) && hvm_io_answered(v));
    CHECK_EQUAL(IO_OK, hvm_port_read(v, 0x170, 2, &value));
    CHECK_EQUAL(0xabcd, value);
    hvm_io_instruction_done(v);
    CHECK(!hvm_io_answered(v));
    CHECK_EQUAL(STATE_IOREQ_NONE, model.slots[0].state);
    CHECK_EQUAL(IO_RETRY, hvm_port_read(v, 0x170, 2, &value)); /* the next one asks again */
    CHECK_EQUAL(0, crashes);
}

/* A move from one device register to another: both accesses wait, neither happens twice. */
static void two_accesses(void)
{
    uint64_t value = 0;

    with_model(HVM_IOREQSRV_BUFIOREQ_OFF);
    CHECK_EQUAL(IO_RETRY, hvm_memory_read(v, 0xa0000, 8, &value));
    model_take(&model, 0);
    model_answer(&model, 0, 42);
    CHECK(hvm_io_complete(v));
    CHECK(hvm_memory_read(v, 0xa0000, 8, &value) == IO_OK && value == 42);
    CHECK_EQUAL(IO_RETRY, hvm_memory_read(v, 0xa0008, 4, &value));
    CHECK_EQUAL(0xa0008, model_take(&model, 0).addr);
    model_answer(&model, 0, 43);
    CHECK(hvm_io_complete(v));
    CHECK(hvm_memory_read(v, 0xa0000, 8, &value) == IO_OK && value == 42);
    CHECK(hvm_memory_read(v, 0xa0008, 4, &value) == IO_OK && value == 43);
    CHECK_EQUAL(IO_OK, hvm_memory_write(v, 0xc0000, 4, 7));
    CHECK(v->hvm->waits_for_io);
    CHECK_EQUAL(IO_RETRY, hvm_memory_write(v, 0xc0004, 4, 8)); /* while the first is under way */
    model_take(&model, 0);
    model_answer(&model, 0, 0);
    CHECK(hvm_io_complete(v));
    CHECK(hvm_memory_read(v, 0xa0000, 8, &value) == IO_OK && value == 42);
    CHECK(hvm_memory_read(v, 0xa0008, 4, &value) == IO_OK && value == 43);
    CHECK_EQUAL(IO_OK, hvm_memory_write(v, 0xc0000, 4, 7));
    CHECK_EQUAL(STATE_IOREQ_NONE, model.slots[0].state); /* not asked again */
    CHECK_EQUAL(IO_OK, hvm_memory_write(v, 0xc0004, 4, 8));
    CHECK_EQUAL(8, model_take(&model, 0).data);
    hvm_io_instruction_done(v);
    model_answer(&model, 0, 0);
    CHECK(hvm_io_complete(v) && !hvm_io_answered(v));
    /* An exception instead of a second access: the next instruction is another one. */
    CHECK_EQUAL(IO_RETRY, hvm_memory_read(v, 0xa0000, 8, &value));
    model_take(&model, 0);
    model_answer(&model, 0, 1);
    CHECK(hvm_io_complete(v));
    CHECK_EQUAL(IO_RETRY, hvm_memory_read(v, 0xa0010, 8, &value));
    CHECK_EQUAL(0xa0010, model_take(&model, 0).addr);
    model_answer(&model, 0, 2);
    CHECK(hvm_io_complete(v));
    CHECK(hvm_memory_read(v, 0xa0010, 8, &value) == IO_OK && value == 2);
    CHECK_EQUAL(0, crashes);
}

static void posted_write(void)
{
    struct ioreq request;

    with_model(HVM_IOREQSRV_BUFIOREQ_OFF);
    CHECK_EQUAL(IO_OK, hvm_port_write(v, 0x1f0, 1, 0xaabbccdd));
    hvm_io_instruction_done(v);
    CHECK(v->hvm->waits_for_io && !hvm_io_complete(v));
    request = model_take(&model, 0);
    CHECK(request.addr == 0x1f0 && request.data == 0xdd && request.dir == IOREQ_WRITE && request.size == 1);
    model_answer(&model, 0, 99);
    CHECK(hvm_io_complete(v) && !hvm_io_answered(v) && !v->hvm->waits_for_io);
}

static void nobody_there(void)
{
    uint32_t value = 0;

    with_model(HVM_IOREQSRV_BUFIOREQ_OFF);
    CHECK(hvm_port_read(v, 0xff, 1, &value) == IO_OK && value == 0xff);
    CHECK(hvm_port_read(v, 0x1ff, 2, &value) == IO_OK && value == 0xffff); /* half of it is not his */
    CHECK(hvm_port_write(v, 0x200, 1, 1) == IO_OK);
    CHECK(!v->hvm->waits_for_io && !hvm_io_answered(v) && !cpus[0].softirq_pending);
}

static void config_space(void)
{
    struct xen_dm_op op = {.op = XEN_DMOP_map_io_range_to_ioreq_server,
                           .u.map_io_range_to_ioreq_server = {0, 0, XEN_DMOP_IO_RANGE_PCI,
                                                              XEN_DMOP_PCI_SBDF(0, 0, 3, 0),
                                                              XEN_DMOP_PCI_SBDF(0, 0, 3, 0)}};
    struct ioreq request;
    uint32_t value = 0;

    with_model(HVM_IOREQSRV_BUFIOREQ_OFF);
    CHECK_EQUAL(0, dm_op(1, &op, sizeof(op)));
    CHECK(hvm_port_read(v, 0xcfc, 4, &value) == IO_OK && value == ~0U);
    CHECK(hvm_port_write(v, 0xcf8, 4, 0x80001810) == IO_OK);
    CHECK(hvm_port_read(v, 0xcf8, 4, &value) == IO_OK && value == 0x80001810);
    CHECK(!v->hvm->waits_for_io);
    CHECK_EQUAL(IO_RETRY, hvm_port_read(v, 0xcfe, 2, &value));
    request = model_take(&model, 0);
    CHECK(request.type == IOREQ_TYPE_PCI_CONFIG && request.addr == (0x18ULL << 32 | 0x12) && request.size == 2);
    model_answer(&model, 0, 0x5678);
    CHECK(hvm_io_complete(v));
    CHECK(hvm_port_read(v, 0xcfe, 2, &value) == IO_OK && value == 0x5678);
    hvm_io_instruction_done(v);
    CHECK(hvm_port_read(v, 0xcfe, 4, &value) == IO_OK && value == ~0U); /* beyond the register */
    CHECK(hvm_port_write(v, 0xcf8, 4, 0x80002010) == IO_OK);
    CHECK(hvm_port_read(v, 0xcfc, 4, &value) == IO_OK && value == ~0U); /* no such function */
}

static void repeated(void)
{
    struct ioreq request;

    with_model(HVM_IOREQSRV_BUFIOREQ_OFF);
    kind_of[5] = P2M_RAM;
    frame_of[5] = 7;
    CHECK_EQUAL(IO_RETRY, hvm_port_repeat(v, 0x1f0, 2, false, 0x5000, false, 256));
    request = model_take(&model, 0);
    CHECK(request.data_is_ptr && request.data == 0x5000 && request.count == 256 && request.size == 2 && !request.df);
    model_answer(&model, 0, 0x77);
    CHECK(hvm_io_complete(v));
    CHECK_EQUAL(IO_OK, hvm_port_repeat(v, 0x1f0, 2, false, 0x5000, false, 256));
    hvm_io_instruction_done(v);
    CHECK_EQUAL(IO_OK, hvm_memory_repeat(v, 0xa0ff8, 4, true, 0x5010, true, 5));
    request = model_take(&model, 0);
    CHECK(request.df && request.data_is_ptr && request.dir == IOREQ_WRITE && request.count == 5);
    model_answer(&model, 0, 0);
    CHECK(hvm_io_complete(v));
    hvm_io_instruction_done(v);
    CHECK_EQUAL(IO_UNHANDLED, hvm_port_repeat(v, 0x1f0, 2, false, 0x5ffe, false, 2)); /* next page */
    CHECK_EQUAL(IO_UNHANDLED, hvm_port_repeat(v, 0x1f0, 2, false, 0x5000, true, 2));
    CHECK_EQUAL(IO_UNHANDLED, hvm_port_repeat(v, 0x1f0, 2, false, 0x5000, false, 0));
    CHECK_EQUAL(IO_UNHANDLED, hvm_port_repeat(v, 0x1f0, 2, false, 0x6000, false, 1)); /* no RAM */
    CHECK_EQUAL(IO_UNHANDLED, hvm_port_repeat(v, 0x200, 2, false, 0x5000, false, 1)); /* nobody's */
    CHECK_EQUAL(IO_UNHANDLED, hvm_memory_repeat(v, 0xa0000, 4, true, 0x5010, true, 2));
    kind_of[5] = P2M_RAM_READONLY;
    CHECK_EQUAL(IO_UNHANDLED, hvm_port_repeat(v, 0x1f0, 2, false, 0x5000, false, 1));
    CHECK_EQUAL(IO_OK, hvm_port_repeat(v, 0x1f0, 2, true, 0x5000, false, 1));
}

static void invalidate(void)
{
    struct model second;
    uint32_t value;

    with_model(HVM_IOREQSRV_BUFIOREQ_OFF);
    model_create(&second, HVM_IOREQSRV_BUFIOREQ_OFF);
    model_bind(&second);
    control->shared_info->evtchn_pending[0] = 0;
    hvm_forget_mappings(v);
    CHECK(!hvm_io_complete(v) && model.slots[0].type == IOREQ_TYPE_INVALIDATE);
    CHECK_EQUAL(STATE_IOREQ_READY, model.slots[0].state);
    CHECK_EQUAL(~0ULL, model_take(&second, 0).data);
    model_answer(&second, 0, 0);
    CHECK(!hvm_io_complete(v));
    model.slots[0].state = STATE_IOREQ_INPROCESS;
    model_answer(&model, 0, 0);
    CHECK(hvm_io_complete(v));
    control->shared_info->evtchn_pending[0] = 0;
    /* After a write that is still under way; the server made last has the ports. */
    CHECK_EQUAL(IO_OK, hvm_port_write(v, 0x100, 1, 1));
    hvm_io_instruction_done(v);
    hvm_forget_mappings(v);
    CHECK_EQUAL(IOREQ_TYPE_PIO, model_take(&second, 0).type);
    model_answer(&second, 0, 0);
    CHECK(!hvm_io_complete(v));
    CHECK_EQUAL(IOREQ_TYPE_INVALIDATE, model_take(&second, 0).type);
    model_answer(&second, 0, 0);
    model.slots[0].state = STATE_IOREQ_INPROCESS;
    model_answer(&model, 0, 0);
    CHECK(hvm_io_complete(v));
    CHECK_EQUAL(IO_RETRY, hvm_port_read(v, 0x100, 1, &value));
    CHECK_EQUAL(0, crashes);
}

/* ---- the ring ---- */

#define RING(m) ((volatile uint32_t *)&(m).ring->pointers)

static void ring(void)
{
    with_model(HVM_IOREQSRV_BUFIOREQ_ATOMIC);
    CHECK_EQUAL(IO_OK, hvm_memory_write(v, 0xb8000, 2, 0x12340741));
    CHECK(!v->hvm->waits_for_io);
    CHECK_EQUAL(1, event_channel_is_pending(control, model.ring_port));
    CHECK(RING(model)[0] == 0 && RING(model)[1] == 1);
    CHECK(model.ring->slot[0].addr == 0xb8000 && model.ring->slot[0].size == 1 && model.ring->slot[0].data == 0x741 &&
          model.ring->slot[0].dir == IOREQ_WRITE && model.ring->slot[0].type == IOREQ_TYPE_COPY);
    CHECK_EQUAL(IO_OK, hvm_memory_write(v, 0xbfff8, 8, 0x1122334455667788));
    CHECK(RING(model)[1] == 3 && model.ring->slot[1].size == 3 && model.ring->slot[1].data == 0x55667788 &&
          model.ring->slot[2].data == 0x11223344);
    hvm_io_instruction_done(v);
    CHECK_EQUAL(IO_OK, hvm_memory_write(v, 0xbfffc, 8, 1)); /* out of the window: waits */
    CHECK(v->hvm->waits_for_io && RING(model)[1] == 3);
}

static void ring_full(void)
{
    with_model(HVM_IOREQSRV_BUFIOREQ_ATOMIC);
    for (unsigned i = 0; i < IOREQ_BUFFER_SLOT_NUM - 1; i++) {
        CHECK_EQUAL(IO_OK, hvm_memory_write(v, 0xa0000, 4, i));
        hvm_io_instruction_done(v);
    }
    CHECK(!v->hvm->waits_for_io);
    CHECK_EQUAL(IO_OK, hvm_memory_write(v, 0xa0000, 8, 5)); /* needs two */
    CHECK(v->hvm->waits_for_io && RING(model)[1] == IOREQ_BUFFER_SLOT_NUM - 1);
    model.slots[0].state = STATE_IOREQ_INPROCESS;
    model_answer(&model, 0, 0);
    CHECK(hvm_io_complete(v));
    hvm_io_instruction_done(v);
    CHECK_EQUAL(IO_OK, hvm_memory_write(v, 0xa0000, 4, 6));
    CHECK(!v->hvm->waits_for_io && RING(model)[1] == IOREQ_BUFFER_SLOT_NUM);
    hvm_io_instruction_done(v);
    CHECK_EQUAL(IO_OK, hvm_memory_write(v, 0xa0000, 4, 7));
    CHECK(v->hvm->waits_for_io);
}

/* Three laps; the reader sees every write, in order, and the pointers stay small. */
static void ring_laps(void)
{
    uint32_t expected = 0;

    with_model(HVM_IOREQSRV_BUFIOREQ_ATOMIC);
    for (uint32_t i = 0; i < 2000; i++) {
        CHECK_EQUAL(IO_OK, hvm_memory_write(v, 0xa0000 + i % 0x1000, 1, i));
        hvm_io_instruction_done(v);
        while (i % 7 == 6 && RING(model)[0] != RING(model)[1]) {
            const struct buf_ioreq *b = &model.ring->slot[RING(model)[0] % IOREQ_BUFFER_SLOT_NUM];

            CHECK(b->data == (expected & 0xff) && b->addr == 0xa0000 + expected % 0x1000);
            RING(model)[0]++;
            expected++;
        }
        CHECK(RING(model)[1] < 2 * IOREQ_BUFFER_SLOT_NUM);
    }
    CHECK(!v->hvm->waits_for_io && expected > 1990);
}

static void ring_hostile(void)
{
    with_model(HVM_IOREQSRV_BUFIOREQ_ATOMIC);
    for (unsigned i = 0; i < 100000; i++) {
        RING(model)[0] = random64() & 1 ? (uint32_t)random64() : RING(model)[1] - random_below(600);
        if (i % 5 == 0)
            RING(model)[1] = (uint32_t)random64();
        CHECK_EQUAL(IO_OK, hvm_memory_write(v, 0xa0000, random64() & 1 ? 8 : 1, i));
        hvm_io_instruction_done(v);
        if (v->hvm->io_servers) {
            model.slots[0].state = STATE_IORESP_READY;
            CHECK(hvm_io_complete(v));
        }
    }
    CHECK_EQUAL(0, crashes);
}

/* ---- device models that do not play by the rules ---- */

static void wrong_states(void)
{
    with_model(HVM_IOREQSRV_BUFIOREQ_OFF);
    for (unsigned state = 0; state < 16; state++) {
        uint32_t value = 0;
        bool waits = state == STATE_IOREQ_READY || state == STATE_IOREQ_INPROCESS;

        model.slots[0].state = STATE_IOREQ_NONE;
        CHECK_EQUAL(IO_RETRY, hvm_port_read(v, 0x100, 1, &value));
        model.slots[0].state = (uint8_t)state & 15;
        crashes = 0;
        CHECK(hvm_io_complete(v) == (state == STATE_IORESP_READY));
        CHECK_EQUAL(waits || state == STATE_IORESP_READY ? 0 : 1, crashes);
        CHECK(v->hvm->waits_for_io == waits);
        model.slots[0].state = STATE_IORESP_READY;
        hvm_io_complete(v);
        hvm_io_instruction_done(v);
        CHECK_EQUAL(0, v->hvm->io_servers);
        /* And a slot that is not left alone between requests. */
        if (state != STATE_IOREQ_NONE) {
            crashes = 0;
            model.slots[0].state = (uint8_t)state & 15;
            CHECK_EQUAL(IO_RETRY, hvm_port_read(v, 0x100, 1, &value));
            CHECK(crashes == 1 && !v->hvm->waits_for_io && !v->hvm->io_servers);
            hvm_io_instruction_done(v);
        }
    }
}

static void scribbled_slot(void)
{
    uint32_t value = 0;

    with_model(HVM_IOREQSRV_BUFIOREQ_OFF);
    memset(model.slots, 0xf0, PAGE_SIZE);
    for (unsigned i = 0; i < 2; i++)
        model.slots[i].state = STATE_IOREQ_NONE;
    CHECK_EQUAL(IO_RETRY, hvm_port_read(v, 0x100, 4, &value));
    CHECK(model.slots[0].addr == 0x100 && model.slots[0].count == 1 && !model.slots[0].data_is_ptr);
    memset(model.slots, 0xff, PAGE_SIZE);
    model.slots[0].state = STATE_IORESP_READY;
    CHECK(hvm_io_complete(v));
    CHECK(hvm_port_read(v, 0x100, 4, &value) == IO_OK && value == ~0U);
    CHECK_EQUAL(0, crashes);
}

static void not_bound_yet(void)
{
    uint32_t value = 0;

    model_create(&model, HVM_IOREQSRV_BUFIOREQ_OFF);
    CHECK_EQUAL(IO_RETRY, hvm_port_read(v, 0x100, 1, &value));
    CHECK(!hvm_io_complete(v) && crashes == 0);
    model_bind(&model); /* is told by that */
    model_take(&model, 0);
    model_answer(&model, 0, 3);
    CHECK(hvm_io_complete(v) && hvm_port_read(v, 0x100, 1, &value) == IO_OK && value == 3);
}

static void dies_with_request(void)
{
    struct evtchn_close close;
    uint32_t value = 0;

    with_model(HVM_IOREQSRV_BUFIOREQ_OFF);
    CHECK_EQUAL(IO_RETRY, hvm_port_read(v, 0x100, 1, &value));
    close.port = model.port[0];
    CHECK_EQUAL(0, event_op(control, EVTCHNOP_close, &close));
    CHECK(!v->hvm->waits_for_io && crashes == 0);
    CHECK(!hvm_io_complete(v));
    CHECK_EQUAL(1, crashes);
}

static void dies_between(void)
{
    struct evtchn_close close;

    with_model(HVM_IOREQSRV_BUFIOREQ_OFF);
    close.port = model.port[0];
    CHECK_EQUAL(0, event_op(control, EVTCHNOP_close, &close));
    CHECK(hvm_io_complete(v) && crashes == 0);
    CHECK_EQUAL(IO_OK, hvm_port_write(v, 0x100, 1, 1));
    CHECK_EQUAL(1, crashes);
}

static void destroyed_with_request(void)
{
    uint32_t value = 0;

    with_model(HVM_IOREQSRV_BUFIOREQ_ATOMIC);
    CHECK_EQUAL(IO_RETRY, hvm_port_read(v, 0x100, 2, &value));
    model_destroy(&model);
    CHECK(!v->hvm->waits_for_io && hvm_io_complete(v));
    CHECK(hvm_port_read(v, 0x100, 2, &value) == IO_OK && value == 0xffff);
    CHECK(!guest->hvm->io->enabled);
    fake_run(control->vcpu[0]);
    CHECK_EQUAL(-ENOENT, ioreq_server_destroy(guest, model.id));
    CHECK_EQUAL(-ENOENT, ioreq_server_destroy(guest, 60000));
}

/* A device model that stops and goes on: the request it has is answered, others do not reach it meanwhile. */
static void disabled_with_request(void)
{
    struct xen_dm_op op = {.op = XEN_DMOP_set_ioreq_server_state, .u.set_ioreq_server_state = {model.id, 0, 0}};
    struct vcpu *other_vcpu = guest->vcpu[1];
    uint32_t value = 0;

    with_model(HVM_IOREQSRV_BUFIOREQ_OFF);
    CHECK_EQUAL(IO_RETRY, hvm_port_read(v, 0x100, 1, &value));
    CHECK_EQUAL(0, dm_op(1, &op, sizeof(op)));
    CHECK(v->hvm->waits_for_io && !hvm_io_complete(v));
    fake_run(other_vcpu);
    CHECK(hvm_port_read(other_vcpu, 0x100, 1, &value) == IO_OK && value == 0xff);
    fake_run(v);
    op.u.set_ioreq_server_state.enabled = 1;
    CHECK_EQUAL(0, dm_op(1, &op, sizeof(op)));
    model_take(&model, 0);
    model_answer(&model, 0, 7);
    CHECK(hvm_io_complete(v) && hvm_port_read(v, 0x100, 1, &value) == IO_OK && value == 7);
    CHECK_EQUAL(0, crashes);
}

/* The guest has no say in these ports. */
static void ports_are_ours(void)
{
    struct evtchn_close close;
    struct evtchn_send send;
    struct evtchn_bind_vcpu move;
    struct evtchn_reset reset = {.dom = DOMID_SELF};
    uint32_t value = 0;

    with_model(HVM_IOREQSRV_BUFIOREQ_ATOMIC);
    for (evtchn_port_t port = 1; port < 8; port++) {
        close.port = send.port = move.port = port;
        move.vcpu = 1;
        CHECK_EQUAL(-EINVAL, event_op(guest, EVTCHNOP_close, &close));
        CHECK_EQUAL(-EINVAL, event_op(guest, EVTCHNOP_send, &send));
        CHECK_EQUAL(-EINVAL, event_op(guest, EVTCHNOP_bind_vcpu, &move));
    }
    CHECK_EQUAL(0, event_op(guest, EVTCHNOP_reset, &reset));
    CHECK_EQUAL(IO_RETRY, hvm_port_read(v, 0x100, 1, &value));
    model_take(&model, 0);
    model_answer(&model, 0, 9);
    CHECK(hvm_io_complete(v) && hvm_port_read(v, 0x100, 1, &value) == IO_OK && value == 9);
    CHECK_EQUAL(0, guest->shared_info->evtchn_pending[0]);
}

static void no_memory(void)
{
    struct xen_dm_op op = {.op = XEN_DMOP_create_ioreq_server, .u.create_ioreq_server.handle_bufioreq = 2};
    unsigned made = 0;

    for (unsigned n = 1; n < 40 && !made; n++) {
        fake_fail_allocation = n;
        made = dm_op(1, &op, sizeof(op)) == 0;
        fake_fail_allocation = 0;
    }
    CHECK(made);
}

static void many_servers(void)
{
    struct model m[IOREQ_SERVERS];
    struct xen_dm_op op = {.op = XEN_DMOP_create_ioreq_server};

    for (unsigned i = 0; i < IOREQ_SERVERS; i++)
        model_create(&m[i], i % 3);
    CHECK_EQUAL(-ENOSPC, dm_op(1, &op, sizeof(op)));
    model_destroy(&m[3]);
    CHECK_EQUAL(0, dm_op(1, &op, sizeof(op)));
    CHECK_EQUAL(3, op.u.create_ioreq_server.id);
}

/* Two vcpus do what comes to mind, and so does the device model, with its pages too. */

static void play_vcpu(struct vcpu *who)
{
    unsigned bytes = 1U << random_below(3);
    enum io_result result = IO_OK;
    uint64_t wide = 0;
    uint32_t value = 0;

    switch (random_below(6)) {
    case 0:
        result = hvm_port_read(who, (uint16_t)(0xf0 + random_below(0x130)), bytes, &value);
        CHECK(result == IO_RETRY || bytes == 4 || value < 1U << 8 * bytes);
        break;
    case 1:
        result = hvm_port_write(who, (uint16_t)(0xcf0 + random_below(0x20)), bytes, (uint32_t)random64());
        break;
    case 2:
        result = hvm_memory_read(who, 0x9fff0 + (uint64_t)random_below(0x60020), 8, &wide);
        break;
    case 3:
        result = hvm_memory_write(who, 0x9fff0 + (uint64_t)random_below(0x60020), bytes, wide);
        break;
    case 4:
        result = hvm_port_repeat(who, 0x1f0, bytes, random64() & 1, (uint64_t)random_below(FAKE_GFNS * PAGE_SIZE),
                                 random64() & 1, random_below(9));
        break;
    default:
        hvm_forget_mappings(who);
    }
    if (result != IO_RETRY)
        hvm_io_instruction_done(who);
}

static void play_model(void)
{
    unsigned i = (unsigned)random64() & 1;
    uint8_t *page = (uint8_t *)(random64() & 1 ? (void *)model.slots : (void *)model.ring);

    if (random_below(4))
        model.slots[i].state = STATE_IORESP_READY;
    else if (random_below(50) == 0)
        page[random_below(PAGE_SIZE)] = (uint8_t)random64();
    if (random_below(5) == 0)
        model.slots[i].state = STATE_IOREQ_NONE;
    model_send(&model, i);
}

/* One run of an instruction that reads so many neighbours; the emulator runs it anew after each answer. */
static bool run_reads(unsigned count)
{
    v->hvm->io_cache.used = 0;
    for (unsigned i = 0; i < count; i++) {
        uint64_t value = 0;
        if (hvm_memory_read(v, 0xa0000 + 4 * i, 4, &value) == IO_RETRY)
            return false;
        CHECK_EQUAL(100 + i, value);
    }
    hvm_io_instruction_done(v);
    return true;
}

/* However many accesses an instruction has, each is made once. */
static void longest_instruction(void)
{
    for (unsigned count = 1; count <= EMULATE_CACHE_ENTRIES; count++) {
        unsigned requests = 0;
        with_model(HVM_IOREQSRV_BUFIOREQ_OFF);
        while (!run_reads(count) && requests <= count) {
            struct ioreq r = model_take(&model, 0);
            CHECK_EQUAL(0xa0000 + 4 * requests, r.addr);
            requests++;
            model_answer(&model, 0, 100 + (r.addr - 0xa0000) / 4);
            CHECK(hvm_io_complete(v));
        }
        CHECK_EQUAL(count, requests);
        CHECK_EQUAL(0, crashes);
        model_destroy(&model);
    }
}

/* One with more would be a fault of ours, and ends its guest. */
static void too_long_an_instruction(void)
{
    unsigned requests = 0;
    with_model(HVM_IOREQSRV_BUFIOREQ_OFF);
    while (!run_reads(EMULATE_CACHE_ENTRIES + 1) && !guest->is_shut_down && requests < 1000) {
        requests++;
        model_answer(&model, 0, 100 + (model_take(&model, 0).addr - 0xa0000) / 4);
        hvm_io_complete(v);
    }
    CHECK_EQUAL(EMULATE_CACHE_ENTRIES, requests);
    CHECK_EQUAL(1, crashes);
}

/* Another guest takes the place of one that died. */
static void start_over(void)
{
    guest->is_shut_down = false;
    memset(model.slots, 0, PAGE_SIZE);
    for (unsigned i = 0; i < 2; i++) {
        struct hvm_vcpu *hvm = guest->vcpu[i]->hvm;

        hvm->io_servers = hvm->io_invalidate = 0;
        hvm->waits_for_io = false;
        hvm_io_instruction_done(guest->vcpu[i]);
    }
}

static void random_play(void)
{
    unsigned accesses = 0;

    with_model(HVM_IOREQSRV_BUFIOREQ_ATOMIC);
    for (unsigned n = 0; n < 300000; n++) {
        struct vcpu *who = guest->vcpu[random64() & 1];

        fake_run(who);
        if (hvm_io_complete(who) && !guest->is_shut_down) {
            CHECK(!who->hvm->waits_for_io);
            play_vcpu(who);
            accesses++;
        }
        if (random_below(3) == 0)
            play_model();
        if (guest->is_shut_down)
            start_over();
        CHECK(who->hvm->io_cache.count <= EMULATE_CACHE_ENTRIES && who->hvm->io_cache.used <= who->hvm->io_cache.count);
    }
    CHECK(crashes > 1000 && accesses > 5 * crashes);
}

int main(void)
{
    static const struct unit_test tests[] = {
        {"chips", chips},
        {"a read", read_round_trip},
        {"several accesses in one instruction", two_accesses},
        {"a write", posted_write},
        {"the longest instruction", longest_instruction},
        {"an instruction longer than that", too_long_an_instruction},
        {"nobody there", nobody_there},
        {"PCI configuration", config_space},
        {"string instructions", repeated},
        {"invalidate", invalidate},
        {"ring", ring},
        {"ring full", ring_full},
        {"ring, several laps", ring_laps},
        {"ring with hostile pointers", ring_hostile},
        {"wrong states", wrong_states},
        {"scribbled slot", scribbled_slot},
        {"not bound yet", not_bound_yet},
        {"dies with a request", dies_with_request},
        {"dies between requests", dies_between},
        {"destroyed with a request", destroyed_with_request},
        {"disabled with a request", disabled_with_request},
        {"the guest has no say in the ports", ports_are_ours},
        {"no memory", no_memory},
        {"many servers", many_servers},
        {"random play", random_play},
    };

    return fake_run_tests(tests, sizeof(tests) / sizeof(tests[0]), setup, guest_teardown);
}
