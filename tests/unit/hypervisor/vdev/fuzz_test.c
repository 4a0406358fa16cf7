/*
 * Random accesses to every register of every chip, lines, events, time and damaged streams, the same in each run. The
 * sanitizers and the deadlock check of the locks watch; and the lines' counts must agree with their sources.
 */
#include "../../random.h"
#include "rig.h"

#define VCPUS 4
#define STEPS 2000000
#define EVERYTHING                                                                                                     \
    (XEN_X86_EMU_LAPIC | XEN_X86_EMU_HPET | XEN_X86_EMU_PM | XEN_X86_EMU_RTC | XEN_X86_EMU_IOAPIC | XEN_X86_EMU_PIC |  \
     XEN_X86_EMU_PIT)

static uint8_t stream[64 * 1024];

static void random_port(void)
{
    static const uint16_t bases[] = {0x20, 0xa0, 0x40, 0x42, 0x61, 0x70, 0x4d0, 0xb000, 0xb008, 0x1f40, 0x1f48};
    uint16_t port = (uint16_t)(bases[random_below(ARRAY_SIZE(bases))] + random_below(4));
    unsigned bytes = 1U << (random_below(8) ? 0 : random_below(3));
    uint32_t value = 0;

    if (random_below(2))
        port_out(random_below(VCPUS), port, bytes, (uint32_t)random_value());
    else if (port_in(random_below(VCPUS), port, bytes, &value) == IO_OK && bytes < 4)
        CHECK(!(value >> bytes * 8), "port %x, %u bytes: %x", port, bytes, value);
}

static void random_memory(void)
{
    static const uint64_t bases[] = {0xfee00000, 0xfec00000, 0xfed00000};
    uint64_t gpa = bases[random_below(3)] + random_below(0x1000), value = random_value();
    unsigned bytes = 1U << random_below(4);
    bool write = random_below(2);

    if (random_below(4))
        gpa &= ~15ULL;
    gpa &= ~(uint64_t)(bytes - 1);
    if (random_below(4) && bases[1] == (gpa & ~0xfffULL))
        gpa &= ~0xfe0ULL;
    if (memory_access(random_below(VCPUS), gpa, bytes, write, &value) && !write && bytes < 8)
        CHECK(!(value >> bytes * 8), "%#llx, %u bytes: %#llx", (unsigned long long)gpa, bytes,
              (unsigned long long)value);
}

static void random_msr(struct vcpu *v)
{
    static const uint32_t msrs[] = {MSR_APIC_BASE, MSR_TSC_DEADLINE};
    uint32_t msr = random_below(8) ? 0x800 + random_below(0x101) : msrs[random_below(2)];
    uint64_t value = random_value();

    if (msr == MSR_APIC_BASE)
        value = 0xfee00000 | (random_below(4)) << 10;
    else if (msr == MSR_TSC_DEADLINE && random_below(2))
        value = hvm_guest_tsc(v) + random_below(1000000);
    if (random_below(2))
        vlapic_wrmsr(v, msr, value);
    else
        vlapic_rdmsr(v, msr, &value);
}

static void random_line(struct vcpu *v)
{
    bool level = random_below(2);

    switch (random_below(8)) {
    case 0:
        hvm_isa_irq(&rig_domain, random_below(18), level);
        break;
    case 1:
        hvm_pci_intx(&rig_domain, random_below(33), random_below(5), level);
        break;
    case 2:
        hvm_chip_line(&rig_domain, random_below(HVM_GSI_COUNT), level);
        break;
    case 3:
        hvm_set_pci_link(&rig_domain, random_below(5), random_below(17));
        break;
    case 4:
        hvm_msi(&rig_domain, 0xfee00000 | (random64() & 0xff00c), (uint32_t)random_value());
        break;
    case 5:
        hvm_set_callback_via(&rig_domain, (uint64_t)(random_below(4)) << 56 | random_below(0x10000));
        break;
    case 6:
        v->info->evtchn_upcall_pending = level;
        v->info->evtchn_upcall_mask = random_below(4) == 0;
        v->hvm->upcall_vector = random_below(4) ? 0 : (uint8_t)random64();
        hvm_assert_upcall(v);
        break;
    default:
        if (level)
            vpm_power_button(&rig_domain);
        else
            vrtc_set_time_offset(&rig_domain, (int64_t)random_value());
    }
}

/* A vcpu goes in: start-up messages, then interrupts, some of them served. */
static void random_entry(struct vcpu *v)
{
    int vector;

    if (!vlapic_take_startup(v))
        return;
    vector = take(v->id);
    CHECK(vector <= 0xff, "%d", vector);
    v->nmi_pending = false;
    if (random_below(4))
        vlapic_eoi(v);
    if (random_below(2))
        port_out(v->id, 0x20, 1, 0x20);
}

/* Bodies of anything, in records as they should be. */
static void fill_records(uint32_t bytes)
{
    struct hvm_save_descriptor record;

    for (uint32_t at = 32; at < bytes; at += (uint32_t)sizeof(record) + record.length) {
        bool chosen = random_below(3) == 0;

        memcpy(&record, stream + at, sizeof(record));
        for (uint32_t i = 0; i + 8 <= record.length && chosen; i += 8)
            memcpy(stream + at + sizeof(record) + i, &(uint64_t){random_value()}, 8);
    }
}

static void random_stream(void)
{
    uint32_t bytes = sizeof(stream);

    CHECK_EQUAL(0, hvm_save(&rig_domain, stream, &bytes));
    if (random_below(2))
        fill_records(bytes);
    for (unsigned damage = random_below(8); damage; damage--)
        stream[random_below(8) ? random_below(bytes) : random_below(64)] ^= (uint8_t)(1U << random_below(8));
    hvm_load(&rig_domain, stream, random_below(16) ? bytes : random_below(bytes));
}

static void check_lines(void)
{
    const struct hvm_irqs *irqs = irqs_of(&rig_domain);
    unsigned counts[HVM_GSI_COUNT] = {0}, links[4] = {0}, outstanding = 0;
    struct tick *tick;

    for (unsigned i = 0; i < 16; i++)
        counts[isa_to_gsi(i)] += irqs->isa >> i & 1;
    for (unsigned i = 0; i < HVM_GSI_COUNT; i++)
        counts[i] += (irqs->gsi >> i & 1) + (irqs->gsi_chip >> i & 1);
    for (unsigned i = 0; i < 128; i++)
        if (irqs->pci_intx[i / 64] >> i % 64 & 1) {
            counts[16 + ((i / 4 * 4 + i / 32 + i % 4) & 31)]++;
            links[(i / 4 + i % 4) & 3]++;
        }
    for (unsigned i = 0; i < 4; i++) {
        CHECK_EQUAL(links[i], irqs->link_count[i]);
        if (links[i] && irqs->link_route[i])
            counts[isa_to_gsi(irqs->link_route[i])]++;
    }
    for (unsigned i = 0; i < HVM_GSI_COUNT; i++)
        CHECK_EQUAL(counts[i], irqs->gsi_count[i]);
    list_for_each(tick, &timers_of(&rig_domain)->ticks, link)
        outstanding += tick->outstanding;
    CHECK_EQUAL(outstanding, irqs->ticks_outstanding);
    for (unsigned i = 0; i < VCPUS; i++) {
        const struct vlapic *l = vlapic_of(rig_domain.vcpu[i]);
        unsigned bits = 0;
        for (unsigned j = 0; j < 4; j++)
            bits += (unsigned)__builtin_popcountl(l->isr[j]);
        CHECK_EQUAL(bits, l->isr_count);
    }
}

static void step(void)
{
    struct vcpu *v = rig_domain.vcpu[random_below(VCPUS)];

    switch (random_below(16)) {
    case 0 ... 3:
        random_port();
        break;
    case 4 ... 7:
        random_memory();
        break;
    case 8 ... 9:
        random_msr(v);
        break;
    case 10 ... 11:
        random_line(v);
        break;
    case 12 ... 13:
        random_entry(v);
        break;
    case 14:
        rig_run(random_below(16) ? random_below(4 * MS) : (uint32_t)random64());
        break;
    default:
        if (random_below(16) == 0)
            random_stream();
        else if (random_below(4) == 0)
            vtimers_freeze(&rig_domain, random_below(4) == 0);
    }
}

int main(void)
{
    rig_start(VCPUS, EVERYTHING);
    for (unsigned i = 0; i < STEPS; i++) {
        step();
        if (i % 16 == 0)
            check_lines();
        if (i % 20000 == 19999) {
            rig_stop();
            rig_start(VCPUS, EVERYTHING);
        }
    }
    rig_stop();
    return 0;
}
