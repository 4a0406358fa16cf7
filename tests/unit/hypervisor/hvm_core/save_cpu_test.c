/*
 * hvm/save_cpu.c: a vcpu's record comes back as it was saved, and one that no processor could be in is refused. Which
 * events a processor can be told of: SDM volume 3, 26.2.1.3.
 */
#include <hv/sched.h>
#include <hv/vdev.h>
#include <hv/xstate.h>
#include "machine.h"

static uint8_t record[4096];
static uint32_t record_bytes;
static unsigned records, wakes, registers_written;
static uint64_t tsc = 5000;

int hvm_save_record(struct hvm_save_buffer *b, uint16_t type, uint16_t instance, const void *body, uint32_t bytes)
{
    CHECK(bytes <= sizeof(record) && instance == 0);
    memcpy(record, body, bytes);
    record_bytes = bytes;
    records++;
    return 0;
}
void xstate_export_fxsave(struct vcpu *v, void *out)
{
}
void xstate_import_fxsave(struct vcpu *v, const void *in)
{
}
int xstate_import_xsave(struct vcpu *v, uint64_t xcr0, const void *area, size_t bytes)
{
    return 0;
}
uint64_t hvm_guest_tsc(const struct vcpu *v)
{
    return tsc + v->hvm->tsc_offset;
}
void hvm_set_tsc_offset(struct vcpu *v, uint64_t offset)
{
    v->hvm->tsc_offset = offset;
}
bool hvm_cr4_is_offered(struct vcpu *v, uint64_t value)
{
    return !(value & 1UL << 30);
}
bool hvm_wrmsr(struct vcpu *v, uint32_t msr, uint64_t value)
{
    registers_written++;
    return true;
}
void vcpu_wake(struct vcpu *v)
{
    wakes++;
}
struct vcpu *domain_vcpu(const struct domain *d, unsigned id)
{
    return id ? NULL : &vcpu;
}

static struct vcpu *list[1] = {&vcpu};
static struct hvm_hw_cpu *saved(void)
{
    struct hvm_save_buffer buffer = {0};
    records = 0;
    CHECK(save_cpu.save(vcpu.domain, &buffer) == 0 && records == 1 && record_bytes == sizeof(struct hvm_hw_cpu));
    return (struct hvm_hw_cpu *)record;
}

static void start(void)
{
    machine_reset();
    vcpu.domain->vcpu = list;
    vcpu.domain->max_vcpus = 1;
    hvm_vcpu.cr0 = 0x80000031;
    hvm_vcpu.cr4 = 0x20;
    hvm_vcpu.efer = 0x500;
    fake_regs = (struct cpu_user_regs){.rip = 0x1000, .rax = 7, .rflags = 0x202};
}

static void test_round_trip(void)
{
    start();
    hvm_vcpu.dr[2] = 0x2222;
    hvm_vcpu.pending = (struct hvm_event){
        .valid = true, .vector = 14, .kind = HVM_EVENT_EXCEPTION, .has_error_code = true, .error_code = 2};
    struct hvm_hw_cpu copy = *saved();
    start();
    hvm_vcpu.cr0 = 0x10;
    fake_regs.rip = 0;
    CHECK(save_cpu.load(vcpu.domain, 0, &copy) == 0 && wakes == 1 && vcpu.initialised);
    CHECK(fake_regs.rip == 0x1000 && fake_regs.rax == 7 && hvm_vcpu.cr0 == 0x80000031 && hvm_vcpu.dr[2] == 0x2222);
    CHECK(hvm_vcpu.pending.valid && hvm_vcpu.pending.vector == 14 && hvm_vcpu.pending.error_code == 2);
    CHECK(save_cpu.load(vcpu.domain, 1, &copy) == -EINVAL);
}

/* What an instruction raises it raises again, and its length is not in the record. */
static void test_event_of_an_instruction(void)
{
    start();
    hvm_vcpu.pending = (struct hvm_event){.valid = true, .vector = 0x80, .kind = HVM_EVENT_SOFTWARE, .length = 2};
    struct hvm_hw_cpu copy = *saved();
    CHECK(!copy.pending_valid);
    copy.pending_valid = 1;
    copy.pending_type = HVM_EVENT_SOFTWARE;
    copy.pending_vector = 0x80;
    CHECK(save_cpu.load(vcpu.domain, 0, &copy) == 0 && !hvm_vcpu.pending.valid);
}

static void test_events(void)
{
    static const struct {
        uint8_t kind, vector;
        bool coded;
        uint32_t error_code;
        int result;
    } events[] = {
        {0, 0x20, false, 0, 0},     {0, 0x20, true, 0, -EINVAL},  {2, 2, false, 0, 0},
        {2, 3, false, 0, -EINVAL},  {3, 13, true, 0xffff, 0},     {3, 13, true, 0x10000, -EINVAL},
        {3, 6, false, 0, 0},        {3, 6, true, 0, -EINVAL},     {3, 2, false, 0, -EINVAL},
        {3, 32, false, 0, -EINVAL}, {1, 0x20, false, 0, -EINVAL}, {5, 1, false, 0, -EINVAL},
        {7, 0, false, 0, -EINVAL},  {4, 0x80, true, 0, -EINVAL},  {6, 3, false, 0, -EINVAL},
    };
    for (unsigned i = 0; i < ARRAY_SIZE(events); i++) {
        start();
        struct hvm_hw_cpu copy = *saved();
        copy.pending_valid = 1;
        copy.pending_type = events[i].kind & 7U;
        copy.pending_vector = events[i].vector;
        copy.pending_error_valid = events[i].coded;
        copy.error_code = events[i].error_code;
        CHECK(save_cpu.load(vcpu.domain, 0, &copy) == events[i].result);
    }
}

static void test_refused_states(void)
{
#define REFUSED(change)                                                                                                \
    do {                                                                                                               \
        start();                                                                                                       \
        struct hvm_hw_cpu copy = *saved();                                                                             \
        CHECK(save_cpu.load(vcpu.domain, 0, &copy) == 0);                                                              \
        change;                                                                                                        \
        CHECK(save_cpu.load(vcpu.domain, 0, &copy) == -EINVAL);                                                        \
    } while (0)
    REFUSED(copy.cr0 |= 1UL << 32);
    REFUSED(copy.cr0 &= ~1UL);
    REFUSED(copy.cr4 &= ~0x20UL);
    REFUSED(copy.cr4 |= 1UL << 30);
    REFUSED(copy.msr_efer |= 1UL << 20);
    REFUSED(copy.msr_efer &= ~0x100UL);
    REFUSED(copy.cr3 |= 1UL << 40);
    REFUSED(copy.dr6 |= 1UL << 32);
    REFUSED(copy.dr7 |= 1UL << 32);
    REFUSED(copy.cs_arbytes |= 0x1000);
    REFUSED(copy.msr_lstar = 0x800000000000);
    REFUSED(copy.shadow_gs = 0x800000000000);
    REFUSED(copy.gs_base = 0x800000000000);
}

static void test_tsc_adjust(void)
{
    struct hvm_save_buffer buffer = {0};
    start();
    hvm_vcpu.tsc_adjust = 0x1234567890;
    CHECK(save_tsc_adjust.type == 19 && save_tsc_adjust.save(vcpu.domain, &buffer) == 0);
    CHECK(record_bytes == 8 && *(uint64_t *)record == 0x1234567890);
    hvm_vcpu.tsc_adjust = 0;
    CHECK(save_tsc_adjust.load(vcpu.domain, 0, record) == 0 && hvm_vcpu.tsc_adjust == 0x1234567890);
    CHECK(save_tsc_adjust.load(vcpu.domain, 1, record) == -EINVAL);
}

/* The record has what some processors alone have, and is no way to whatever a guest may write. */
static void test_msrs(void)
{
    static struct {
        struct hvm_msr list;
        struct hvm_one_msr room[40];
    } record;
    struct hvm_one_msr *msr = record.list.msr;

    start();
    CHECK(save_cpu_msr.bytes <= sizeof(record));
    CHECK_EQUAL(0, save_cpu_msr.load(vcpu.domain, 0, &record));
    record.list.count = 2;
    msr[0].index = 0x48; /* SPEC_CTRL */
    msr[1].index = 0x830;
    CHECK_EQUAL(0, save_cpu_msr.load(vcpu.domain, 0, &record));
    msr[1].val = 0xc4500; /* an INIT for all others */
    CHECK_EQUAL(-ENXIO, save_cpu_msr.load(vcpu.domain, 0, &record));
    msr[1].val = 0;
    msr[1]._rsvd = 1;
    CHECK_EQUAL(-EINVAL, save_cpu_msr.load(vcpu.domain, 0, &record));
    record.list.count = 33;
    msr[1]._rsvd = 0;
    CHECK_EQUAL(-EINVAL, save_cpu_msr.load(vcpu.domain, 0, &record));
    CHECK_EQUAL(-EINVAL, save_cpu_msr.load(vcpu.domain, 1, &record));
    CHECK_EQUAL(0, registers_written);
}

int main(void)
{
    test_round_trip();
    test_event_of_an_instruction();
    test_events();
    test_refused_states();
    test_tsc_adjust();
    test_msrs();
    return 0;
}
