/* The context stream: what is saved comes back, and what is no stream is refused. */
#include <hv/cpu.h>
#include "rig.h"

#define V(n)   (rig_domain.vcpu[n])
#define LAPIC  0xfee00000ULL
#define IOAPIC 0xfec00000ULL
#define HPET   0xfed00000ULL
#define EVERYTHING                                                                                                     \
    (XEN_X86_EMU_LAPIC | XEN_X86_EMU_HPET | XEN_X86_EMU_PM | XEN_X86_EMU_RTC | XEN_X86_EMU_IOAPIC | XEN_X86_EMU_PIC |  \
     XEN_X86_EMU_PIT)

static uint8_t stream[64 * 1024], again[64 * 1024];

static uint32_t save_to(uint8_t *buffer)
{
    uint32_t query = 0, bytes = sizeof(stream);

    CHECK_EQUAL(0, hvm_save(&rig_domain, NULL, &query));
    CHECK_EQUAL(0, hvm_save(&rig_domain, buffer, &bytes));
    CHECK_EQUAL(query, bytes);
    return bytes;
}

static void ioapic_write(unsigned index, uint32_t value)
{
    write32(0, IOAPIC, index);
    write32(0, IOAPIC + 0x10, value);
}

/* Something in every chip. */
static void program_everything(void)
{
    for (unsigned i = 0; i < 2; i++) {
        write32(i, LAPIC + APIC_SPURIOUS, 0x1ff);
        write32(i, LAPIC + APIC_LOGICAL_ID, 0x01000000U << i);
        write32(i, LAPIC + APIC_TASK_PRIORITY, 0x20 + i);
        write32(i, LAPIC + APIC_TIMER_DIVIDE, 0xb);
        write32(i, LAPIC + APIC_LVT_TIMER, i ? 0x20040 : 0x40);
        write32(i, LAPIC + APIC_TIMER_INITIAL, 1000000); /* 10 ms */
    }
    vlapic_set_irq(V(0), 0x91, true);
    CHECK_EQUAL(0x91, take(0));
    vlapic_set_irq(V(0), 0x81, false);
    vlapic_set_irq(V(1), 0xef, true);
    ioapic_write(0, 0x03000000);
    ioapic_write(0x10 + 2 * 28, 0x8061);
    ioapic_write(0x10 + 2 * 11, 0x8071);
    hvm_set_pci_link(&rig_domain, 3, 11);
    hvm_pci_intx(&rig_domain, 3, 0, true);
    hvm_isa_irq(&rig_domain, 12, true);
    outb_(0x20, 0x11);
    outb_(0x21, 0x30);
    outb_(0x4d0, 0x20);
    outb_(0x43, 0x34);
    outb_(0x40, 0x9c);
    outb_(0x40, 0x2e);
    outb_(0x43, 0xb0);
    outb_(0x42, 0x11);
    outb_(0x61, 3);
    outb_(0x70, 0x0b);
    outb_(0x71, 0x12);
    outb_(0x70, 1);
    outb_(0x71, 0x30);
    write32(0, HPET + 0x10, 1);
    write32(0, HPET + 0x120, 0x100 | 20 << 9 | 0xc);
    write32(0, HPET + 0x128, 12345);
    vpm_set_ioports(&rig_domain, 1);
    CHECK_EQUAL(IO_OK, port_out(0, 0xb002, 2, 0x100));
    vpm_power_button(&rig_domain);
}

static void test_round_trip(void)
{
    uint32_t first, second;
    ns_t time;

    rig_start(2, EVERYTHING);
    program_everything();
    rig_run(3 * MS);
    first = save_to(stream);
    time = rig_time();
    rig_stop();

    rig_start(2, EVERYTHING);
    rig_run(time - rig_time());
    CHECK_EQUAL(0, hvm_load(&rig_domain, stream, first));
    second = save_to(again);
    CHECK_EQUAL(first, second);
    for (unsigned i = 0; i < first; i++)
        CHECK(stream[i] == again[i], "byte %u: %x, %x", i, stream[i], again[i]);
    CHECK_EQUAL(0x90, vlapic_of(V(0))->ppr);
    CHECK_EQUAL(-1, take(0));
    CHECK_EQUAL(0xef, take(1));
    write32(0, LAPIC + APIC_EOI, 0);
    CHECK_EQUAL(0x81, take(0));
    write32(0, LAPIC + APIC_EOI, 0);
    write32(0, LAPIC + APIC_EOI, 0);
    CHECK_EQUAL(0x71, take(0)); /* PCI line, by the link */
    write32(0, LAPIC + APIC_EOI, 0);
    CHECK_EQUAL(0x71, take(0)); /* still high */
    hvm_pci_intx(&rig_domain, 3, 0, false);
    write32(0, LAPIC + APIC_EOI, 0);
    CHECK_EQUAL(0x61, take(0));
    write32(0, LAPIC + APIC_EOI, 0);
    CHECK_EQUAL(-1, take(0));
    write32(1, LAPIC + APIC_EOI, 0);
    rig_run(7 * MS - 1); /* the timers have 7 ms to go */
    CHECK_EQUAL(-1, take(0));
    CHECK_EQUAL(-1, take(1));
    rig_run(1);
    CHECK_EQUAL(0x40, take(0));
    CHECK_EQUAL(0x40, take(1));
    for (unsigned i = 0; i < HVM_GSI_COUNT; i++)
        CHECK_EQUAL(i == 9 || i == 12 || i == 20, irqs_of(&rig_domain)->gsi_count[i]); /* SCI, the model, HPET */
    rig_stop();
}

/* The end of the timer has come but its interrupt has not: it must not be lost. */
static void test_due_timer(void)
{
    for (unsigned deadline_mode = 0; deadline_mode < 2; deadline_mode++) {
        uint32_t bytes;
        rig_start(1, XEN_X86_EMU_LAPIC);
        wrmsr_(0, MSR_APIC_BASE, 0xfee00d00);
        wrmsr_(0, 0x80f, 0x1ff);
        wrmsr_(0, 0x83e, 0xb);
        wrmsr_(0, 0x832, deadline_mode ? 0x40044 : 0x44);
        if (deadline_mode)
            wrmsr_(0, MSR_TSC_DEADLINE, hvm_guest_tsc(V(0)) + TSC_KHZ / 1000000 + 1);
        else
            wrmsr_(0, 0x838, 1);
        rig_tsc_offset += 1000; /* as if time had passed, but no softirq */
        bytes = save_to(stream);
        rig_stop();
        rig_start(1, XEN_X86_EMU_LAPIC);
        rig_tsc_offset = 1000000;
        CHECK_EQUAL(0, hvm_load(&rig_domain, stream, bytes));
        CHECK_EQUAL(true, vlapic_x2apic(V(0)));
        rig_run(100);
        CHECK_EQUAL(0x44, take(0));
        rig_stop();
    }
}

static void test_pvh_stream(void)
{
    struct hvm_save_descriptor descriptor;
    uint32_t bytes;
    unsigned types[HVM_SAVE_CODE_MAX + 1] = {0};

    rig_start(3, XEN_X86_EMU_LAPIC);
    bytes = save_to(stream);
    memcpy(&descriptor, stream, sizeof(descriptor));
    CHECK_EQUAL(HVM_SAVE_CODE(HEADER), descriptor.typecode);
    for (uint32_t at = 0; at < bytes; at += (uint32_t)sizeof(descriptor) + descriptor.length) {
        memcpy(&descriptor, stream + at, sizeof(descriptor));
        types[descriptor.typecode]++;
    }
    CHECK_EQUAL(1, types[HVM_SAVE_CODE(END)]);
    CHECK_EQUAL(3, types[HVM_SAVE_CODE(LAPIC)]);
    CHECK_EQUAL(3, types[HVM_SAVE_CODE(LAPIC_REGS)]);
    CHECK_EQUAL(0, types[HVM_SAVE_CODE(PIC)]);
    CHECK_EQUAL(0, types[HVM_SAVE_CODE(IOAPIC)]);
    CHECK_EQUAL(0, types[HVM_SAVE_CODE(PIT)]);
    rig_stop();
}

static void test_refusals(void)
{
    uint32_t bytes, small = 100;
    struct hvm_save_descriptor *record = (void *)(stream + 32);

    rig_start(1, XEN_X86_EMU_LAPIC);
    bytes = save_to(stream);
    CHECK_EQUAL(-ENOSPC, hvm_save(&rig_domain, again, &small));
    for (uint32_t cut = 0; cut < bytes; cut++)
        CHECK_EQUAL(-ENODATA, hvm_load(&rig_domain, stream, cut));
    CHECK_EQUAL(0, hvm_load(&rig_domain, stream, bytes));
    CHECK_EQUAL(HVM_SAVE_CODE(LAPIC), record->typecode);
    record->instance = 1;
    CHECK_EQUAL(-ENODEV, hvm_load(&rig_domain, stream, bytes));
    record->instance = 0;
    record->typecode = 99;
    CHECK_EQUAL(-EINVAL, hvm_load(&rig_domain, stream, bytes));
    record->typecode = HVM_SAVE_CODE(PIC);
    CHECK_EQUAL(-EINVAL, hvm_load(&rig_domain, stream, bytes)); /* too long for it */
    record->typecode = HVM_SAVE_CODE(LAPIC);
    stream[8] ^= 1;
    CHECK_EQUAL(-EINVAL, hvm_load(&rig_domain, stream, bytes));
    stream[8] ^= 1;
    stream[0] = HVM_SAVE_CODE(LAPIC);
    CHECK_EQUAL(-EINVAL, hvm_load(&rig_domain, stream, bytes));
    rig_stop();
}

/* A shorter record of an older format: the rest is zero. */
static void test_zero_extension(void)
{
    struct hvm_save_descriptor record = {HVM_SAVE_CODE(LAPIC), 0, 8}, end = {0, 0, 0};
    uint64_t base = 0xfee00800;

    rig_start(1, XEN_X86_EMU_LAPIC);
    save_to(stream);
    memcpy(stream + 32, &record, 8);
    memcpy(stream + 40, &base, 8);
    memcpy(stream + 48, &end, 8);
    vlapic_of(V(0))->tsc_deadline = 5;
    CHECK_EQUAL(0, hvm_load(&rig_domain, stream, 56));
    CHECK_EQUAL(0, vlapic_of(V(0))->tsc_deadline);
    rig_stop();
}

static uint32_t put_record(uint32_t at, unsigned type, unsigned instance)
{
    struct hvm_save_descriptor record = {(uint16_t)type, (uint16_t)instance, 0};

    memcpy(stream + at, &record, sizeof(record));
    return at + (uint32_t)sizeof(record);
}

/* How long a stream keeps us is not its own choice: each record is there once. */
static void test_repeated_records(void)
{
    uint32_t bytes;

    rig_start(2, XEN_X86_EMU_LAPIC);
    save_to(stream);
    bytes = put_record(32, HVM_SAVE_CODE(LAPIC), 0);
    bytes = put_record(bytes, HVM_SAVE_CODE(LAPIC), 1);
    bytes = put_record(bytes, HVM_SAVE_CODE(LAPIC_REGS), 1);
    CHECK_EQUAL(0, hvm_load(&rig_domain, stream, put_record(bytes, HVM_SAVE_CODE(END), 0)));
    bytes = put_record(bytes, HVM_SAVE_CODE(LAPIC), 1);
    CHECK_EQUAL(-EEXIST, hvm_load(&rig_domain, stream, put_record(bytes, HVM_SAVE_CODE(END), 0)));
    rig_stop();
}

static void test_one_record(void)
{
    struct hvm_hw_lapic_regs registers;
    uint32_t bytes = 0, value;

    rig_start(2, XEN_X86_EMU_LAPIC);
    CHECK_EQUAL(0, hvm_save_one(&rig_domain, HVM_SAVE_CODE(LAPIC_REGS), 1, NULL, &bytes));
    CHECK_EQUAL(sizeof(registers), bytes);
    CHECK_EQUAL(0, hvm_save_one(&rig_domain, HVM_SAVE_CODE(LAPIC_REGS), 1, (uint8_t *)&registers, &bytes));
    memcpy(&value, registers.data + APIC_ID, 4);
    CHECK_EQUAL(2 << 24, value);
    bytes = 10;
    CHECK_EQUAL(-ENOSPC, hvm_save_one(&rig_domain, HVM_SAVE_CODE(LAPIC_REGS), 1, (uint8_t *)&registers, &bytes));
    CHECK_EQUAL(-ENOENT, hvm_save_one(&rig_domain, HVM_SAVE_CODE(LAPIC_REGS), 2, NULL, &bytes));
    CHECK_EQUAL(-ENOENT, hvm_save_one(&rig_domain, HVM_SAVE_CODE(PIC), 0, NULL, &bytes));
    CHECK_EQUAL(-EINVAL, hvm_save_one(&rig_domain, 0, 0, NULL, &bytes));
    rig_stop();
}

/* Without its flag a chip answers nothing and saves nothing, and its record is refused. */
static void test_left_out(void)
{
    static const struct {
        uint32_t flag;
        unsigned type;
        uint16_t port;
        uint64_t memory;
    } rows[] = {
        {XEN_X86_EMU_LAPIC, HVM_SAVE_CODE(LAPIC), 0, LAPIC},
        {XEN_X86_EMU_LAPIC, HVM_SAVE_CODE(LAPIC_REGS), 0, LAPIC},
        {XEN_X86_EMU_IOAPIC, HVM_SAVE_CODE(IOAPIC), 0, IOAPIC},
        {XEN_X86_EMU_PIC, HVM_SAVE_CODE(PIC), 0x21, 0},
        {XEN_X86_EMU_PIT, HVM_SAVE_CODE(PIT), 0x61, 0},
        {XEN_X86_EMU_RTC, HVM_SAVE_CODE(RTC), 0x71, 0},
        {XEN_X86_EMU_HPET, HVM_SAVE_CODE(HPET), 0, HPET},
        {XEN_X86_EMU_PM, HVM_SAVE_CODE(PMTIMER), 0x1f40, 0},
    };
    uint32_t value, bytes, without;
    uint64_t wide = 0;

    rig_start(1, EVERYTHING);
    bytes = save_to(stream);
    for (unsigned i = 0; i < ARRAY_SIZE(rows); i++)
        CHECK(rows[i].port ? port_in(0, rows[i].port, 1, &value) == IO_OK
                           : memory_access(0, rows[i].memory, 4, false, &wide),
              "row %u", i);
    rig_stop();
    for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
        struct hvm_save_descriptor record;
        rig_start(1, EVERYTHING & ~rows[i].flag);
        CHECK(rows[i].port ? port_in(0, rows[i].port, 1, &value) == IO_UNHANDLED
                           : !memory_access(0, rows[i].memory, 4, false, &wide),
              "row %u", i);
        CHECK_EQUAL(-ENODEV, hvm_load(&rig_domain, stream, bytes));
        without = save_to(again);
        for (uint32_t at = 0; at < without; at += (uint32_t)sizeof(record) + record.length) {
            memcpy(&record, again + at, sizeof(record));
            CHECK(record.typecode != rows[i].type, "row %u", i);
        }
        rig_stop();
    }
}

/* What chip.h asks of a row. */
static void test_rows(void)
{
    unsigned seen = 0;

    for (unsigned id = 0; id < hvm_chip_count; id++) {
        CHECK(hvm_chips[id] && hvm_chips[id]->bytes, "chip %u has no state", id);
        for (unsigned i = 0; i < CHIP_RECORDS; i++) {
            const struct hvm_save_handler *record = &hvm_chips[id]->records[i];
            if (!record->type)
                continue;
            CHECK(record->type <= HVM_SAVE_CODE_MAX && !(seen >> record->type & 1), "record %u", record->type);
            CHECK(record->bytes && record->save && record->load, "record %u", record->type);
            seen |= 1U << record->type;
        }
    }
    CHECK_EQUAL(0x3ff8, seen); /* PIC to PM timer, 3 to 13 */
}

int main(void)
{
    test_rows();
    test_left_out();
    test_round_trip();
    test_due_timer();
    test_pvh_stream();
    test_refusals();
    test_zero_extension();
    test_repeated_records();
    test_one_record();
    return 0;
}
