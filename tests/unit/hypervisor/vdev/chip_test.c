/*
 * The life of chips by their rows (vdev/chip.c), and their records: here there are three, a, b and c, that note what is
 * done to them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "rig.h"

#define ALL (XEN_X86_EMU_LAPIC | XEN_X86_EMU_PIC)

static char notes[400];
static const char *failing = "";   /* what is to fail */
static unsigned allocations = 100; /* that succeed */
static unsigned states;            /* that there are to be while one is destroyed */

static struct vcpu vcpu, *vcpus[] = {&vcpu};
static struct hvm_vcpu hvm_vcpu;
static struct hvm_domain hvm;
static struct domain domain = {.id = 1, .max_vcpus = 1, .vcpu = vcpus, .hvm = &hvm};

static int note(const char *what)
{
    strcat(strcat(notes, *notes ? ", " : ""), what);
    return strcmp(what, failing) ? 0 : -EBUSY;
}

static void expect_notes(const char *wanted)
{
    CHECK(!strcmp(notes, wanted), "\"%s\", not \"%s\"", notes, wanted);
    *notes = 0;
}

void *zalloc(size_t bytes)
{
    return allocations && allocations-- ? calloc(1, bytes) : NULL;
}

uint64_t tsc_khz(void)
{
    return TSC_KHZ;
}

int hvm_claim_ports(struct domain *d, uint16_t first, uint16_t count, port_handler handler)
{
    char what[20];

    snprintf(what, sizeof(what), "port %u+%u", first, count);
    return note(what);
}

int hvm_claim_memory(struct domain *d, bool (*accepts)(struct vcpu *v, uint64_t gpa), memory_handler handler)
{
    return note("memory");
}

static unsigned count_states(void)
{
    unsigned count = 0;

    for (unsigned id = 0; id < HVM_CHIPS; id++)
        count += hvm.chip[id] != NULL;
    return count;
}

static enum io_result port(struct vcpu *v, uint16_t port, unsigned bytes, bool write, uint32_t *value)
{
    return IO_OK;
}

static bool accepts(struct vcpu *v, uint64_t gpa)
{
    return true;
}

static enum io_result memory(struct vcpu *v, uint64_t gpa, unsigned bytes, bool write, uint64_t *value)
{
    return IO_OK;
}

/* The functions of chip `x`, the nth, with one record of 8 bytes, which is its state. */
#define FUNCTIONS(x, n, code)                                                                                          \
    static int init_##x(struct domain *d)                                                                              \
    {                                                                                                                  \
        CHECK(!*(uint64_t *)hvm.chip[n], "not zero");                                                                  \
        *(uint64_t *)hvm.chip[n] = n + 1;                                                                              \
        return note("init " #x);                                                                                       \
    }                                                                                                                  \
    static void destroy_##x(struct domain *d)                                                                          \
    {                                                                                                                  \
        CHECK_EQUAL(states, count_states());                                                                           \
        note("destroy " #x);                                                                                           \
    }                                                                                                                  \
    static int vcpu_init_##x(struct vcpu *v)                                                                           \
    {                                                                                                                  \
        return note("vcpu_init " #x);                                                                                  \
    }                                                                                                                  \
    static void vcpu_reset_##x(struct vcpu *v)                                                                         \
    {                                                                                                                  \
        note("vcpu_reset " #x);                                                                                        \
    }                                                                                                                  \
    static void vcpu_destroy_##x(struct vcpu *v)                                                                       \
    {                                                                                                                  \
        note("vcpu_destroy " #x);                                                                                      \
    }                                                                                                                  \
    static int save_##x(struct domain *d, struct hvm_save_buffer *b)                                                   \
    {                                                                                                                  \
        return hvm_save_record(b, code, 0, hvm.chip[n], 8);                                                            \
    }                                                                                                                  \
    static int load_##x(struct domain *d, unsigned instance, const void *body)                                         \
    {                                                                                                                  \
        CHECK_EQUAL(n + 1, *(const uint64_t *)body);                                                                   \
        return note("load " #x);                                                                                       \
    }

FUNCTIONS(a, 0, HVM_SAVE_CODE(LAPIC))
FUNCTIONS(b, 1, HVM_SAVE_CODE(PIC))
FUNCTIONS(c, 2, HVM_SAVE_CODE(RTC))

#define LIFE(x)                                                                                                        \
    .bytes = 8, .init = init_##x, .destroy = destroy_##x, .vcpu_init = vcpu_init_##x, .vcpu_reset = vcpu_reset_##x,    \
    .vcpu_destroy = vcpu_destroy_##x
static const struct chip a = {LIFE(a), .flags = XEN_X86_EMU_LAPIC, .ports = {{1, 2, port}, {5, 1, port}},
                              .records = {{HVM_SAVE_CODE(LAPIC), 8, save_a, load_a}}};
static const struct chip b = {LIFE(b), .flags = XEN_X86_EMU_PIC | XEN_X86_EMU_IOAPIC,
                              .records = {{HVM_SAVE_CODE(PIC), 8, save_b, load_b}}};
static const struct chip c = {LIFE(c), .memory = {accepts, memory},
                              .records = {{HVM_SAVE_CODE(RTC), 8, save_c, load_c}}};
static const struct chip quiet = {.bytes = 1};

const struct chip *const hvm_chips[] = {&a, &b, &c, &quiet};
const unsigned hvm_chip_count = ARRAY_SIZE(hvm_chips);

static void start(uint32_t emulation)
{
    hvm.emulation = emulation;
    CHECK_EQUAL(0, chips_init(&domain));
    *notes = 0;
    states = count_states();
}

static void stop(void)
{
    chips_destroy(&domain);
    CHECK_EQUAL(0, count_states());
    *notes = 0;
}

static void made_in_order_and_undone_in_reverse(void)
{
    hvm.emulation = ALL;
    CHECK_EQUAL(0, chips_init(&domain));
    expect_notes("port 1+2, port 5+1, init a, init b, memory, init c");
    states = 4;
    chips_destroy(&domain);
    expect_notes("destroy c, destroy b, destroy a");
    CHECK_EQUAL(0, count_states());
    chips_destroy(&domain);
    expect_notes("");
}

/* Nothing of what failed is left, and the chips before it go; a second end has nothing to do. */
static void a_failure_undoes_those_before(void)
{
    static const struct {
        const char *failing;
        unsigned allocations, states;
        int error;
        const char *notes;
    } rows[] = {
        {"port 5+1", 100, 0, -EBUSY, "port 1+2, port 5+1"},
        {"init a", 100, 0, -EBUSY, "port 1+2, port 5+1, init a"},
        {"init b", 100, 2, -EBUSY, "port 1+2, port 5+1, init a, init b, destroy a"},
        {"memory", 100, 3, -EBUSY, "port 1+2, port 5+1, init a, init b, memory, destroy b, destroy a"},
        {"init c", 100, 3, -EBUSY, "port 1+2, port 5+1, init a, init b, memory, init c, destroy b, destroy a"},
        {"", 0, 0, -ENOMEM, ""},
        {"", 2, 2, -ENOMEM, "port 1+2, port 5+1, init a, init b, destroy b, destroy a"},
    };

    hvm.emulation = ALL;
    for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
        failing = rows[i].failing;
        allocations = rows[i].allocations;
        states = rows[i].states;
        CHECK_EQUAL(rows[i].error, chips_init(&domain));
        expect_notes(rows[i].notes);
        CHECK_EQUAL(0, count_states());
        chips_destroy(&domain);
        expect_notes("");
    }
    failing = "";
    allocations = 100;
}

static void no_flag_no_chip(void)
{
    hvm.emulation = XEN_X86_EMU_HPET; /* nobody's */
    CHECK_EQUAL(0, chips_init(&domain));
    expect_notes("memory, init c");
    states = 2;
    chips_destroy(&domain);
    expect_notes("destroy c");
    hvm.emulation = XEN_X86_EMU_IOAPIC; /* one of two is enough */
    CHECK_EQUAL(0, chips_init(&domain));
    expect_notes("init b, memory, init c");
    states = 3;
    chips_destroy(&domain);
    expect_notes("destroy c, destroy b");
}

static void vcpus_have_those_of_the_domain(void)
{
    start(ALL);
    CHECK_EQUAL(0, chips_vcpu_init(&vcpu));
    chips_vcpu_reset(&vcpu);
    chips_vcpu_destroy(&vcpu);
    expect_notes("vcpu_init a, vcpu_init b, vcpu_init c, vcpu_reset a, vcpu_reset b, vcpu_reset c, "
                 "vcpu_destroy c, vcpu_destroy b, vcpu_destroy a");
    failing = "vcpu_init b";
    CHECK_EQUAL(-EBUSY, chips_vcpu_init(&vcpu));
    expect_notes("vcpu_init a, vcpu_init b");
    failing = "";
    stop();
    start(XEN_X86_EMU_PIC);
    CHECK_EQUAL(0, chips_vcpu_init(&vcpu));
    chips_vcpu_reset(&vcpu);
    chips_vcpu_destroy(&vcpu);
    expect_notes("vcpu_init b, vcpu_init c, vcpu_reset b, vcpu_reset c, vcpu_destroy c, vcpu_destroy b");
    stop();
}

static uint8_t stream[1000];

static uint32_t save(void)
{
    uint32_t bytes = sizeof(stream);

    CHECK_EQUAL(0, hvm_save(&domain, stream, &bytes));
    return bytes;
}

/* Types of the records behind the header, in their order. */
static void expect_types(uint32_t bytes, const char *wanted)
{
    struct hvm_save_descriptor record;
    char types[100] = "";

    for (uint32_t at = 32; at < bytes; at += (uint32_t)sizeof(record) + record.length) {
        memcpy(&record, stream + at, sizeof(record));
        snprintf(types + strlen(types), sizeof(types) - strlen(types), "%u ", record.typecode);
    }
    CHECK(!strcmp(types, wanted), "\"%s\", not \"%s\"", types, wanted);
}

static void saved_by_type_and_refused_where_there_is_none(void)
{
    uint32_t bytes, one = 8;
    uint64_t state;

    start(ALL);
    bytes = save();
    expect_types(bytes, "3 5 11 0 "); /* b, a, c, end */
    CHECK_EQUAL(0, hvm_load(&domain, stream, bytes));
    expect_notes("load b, load a, load c");
    CHECK_EQUAL(0, hvm_save_one(&domain, HVM_SAVE_CODE(PIC), 0, (uint8_t *)&state, &one));
    CHECK_EQUAL(2, state);
    stop();

    start(XEN_X86_EMU_PIC); /* no a */
    CHECK_EQUAL(-ENODEV, hvm_load(&domain, stream, bytes));
    expect_notes("load b");
    CHECK_EQUAL(-ENOENT, hvm_save_one(&domain, HVM_SAVE_CODE(LAPIC), 0, (uint8_t *)&state, &one));
    stop();

    start(XEN_X86_EMU_LAPIC); /* no b */
    CHECK_EQUAL(-ENODEV, hvm_load(&domain, stream, bytes));
    expect_notes("");
    bytes = save();
    expect_types(bytes, "5 11 0 ");
    CHECK_EQUAL(0, hvm_load(&domain, stream, bytes));
    expect_notes("load a, load c");
    stop();
}

int main(void)
{
    vcpu = (struct vcpu){.domain = &domain, .hvm = &hvm_vcpu};
    made_in_order_and_undone_in_reverse();
    a_failure_undoes_those_before();
    no_flag_no_chip();
    vcpus_have_those_of_the_domain();
    saved_by_type_and_refused_where_there_is_none();
    return 0;
}
