/*
 * Microsoft's interface: what is offered follows what the toolstack asked for, pages in the guest's memory are written
 * and held rightly, hostile values do nothing, and a saved guest finds its time and its offers again.
 */
#include "../event_grant/fake/fake.h"
#include "../fake/default.h"
#include <hv/console.h>
#include <hv/hvm_io.h>
#include <hv/p2m.h>
#include <hv/sched.h>
#include <hv/time.h>
#include <hv/vdev.h>
#include <hv/viridian.h>
#include <xen/hvm/params.h>
#include <xen/sched.h>

static struct domain *d;
static struct vcpu *v, *other;
static struct hvm_domain hvm;
static struct hvm_vcpu hvm_vcpu[2];
static uint64_t guest_tsc;
static unsigned code_bytes = 8, cpl, yields, flushes_all, flushes_own, eois, ipis[2], ipi_vector;
static uint64_t icr_x2apic, icr_xapic[2];
static bool x2apic;
static uint8_t tpr;

uint64_t hvm_guest_tsc(const struct vcpu *v)
{
    return guest_tsc;
}
unsigned hvm_code_bytes(struct vcpu *v)
{
    return code_bytes;
}
void vcpu_get_runstate(struct vcpu *v, struct vcpu_runstate_info *out)
{
    *out = (struct vcpu_runstate_info){.time = {[RUNSTATE_running] = 12345}};
}
void vcpu_yield(void)
{
    yields++;
}

#define ALL_FEATURES (HVMPV_feature_mask & ~(HVMPV_synic | HVMPV_stimer))

/* Guest memory: frame numbers are the fake machine's. */
static bool is_ram(uint64_t gfn)
{
    return gfn < FAKE_FRAMES && page_owner(&fake_page[gfn]) == d;
}
struct page *p2m_hold_own_page(struct domain *owner, gfn_t gfn)
{
    if (!is_ram(gfn) || page_get_with_type(&fake_page[gfn], owner, TYPE_WRITABLE))
        return NULL;
    return &fake_page[gfn];
}
static uint8_t *physical(uint64_t gpa, size_t bytes)
{
    if (!is_ram(gpa >> PAGE_SHIFT) || (gpa & 4095) + bytes > 4096)
        return NULL;
    return fake_ram[gpa >> PAGE_SHIFT] + (gpa & 4095);
}
int hvm_copy_to_physical(struct domain *owner, uint64_t gpa, const void *from, size_t bytes)
{
    uint8_t *at = physical(gpa, bytes);
    return at ? memcpy(at, from, bytes), 0 : -EINVAL;
}
int hvm_copy_from_physical(struct domain *owner, void *to, uint64_t gpa, size_t bytes)
{
    uint8_t *at = physical(gpa, bytes);
    return at ? memcpy(to, at, bytes), 0 : -EINVAL;
}
static gfn_t marked;
void log_dirty_mark(struct domain *owner, gfn_t gfn)
{
    CHECK(owner == d);
    marked = gfn;
}
void p2m_flush(struct domain *owner)
{
    flushes_all++;
}

/* The local APIC. */
static bool apic_on = true;
uint64_t vlapic_base(const struct vcpu *v)
{
    return !v->hvm->lapic ? 0 : apic_on ? 0xfee00900 : 0xfee00100;
}
bool vlapic_x2apic(const struct vcpu *v)
{
    return x2apic;
}
bool vlapic_rdmsr(struct vcpu *v, uint32_t msr, uint64_t *value)
{
    CHECK_EQUAL(0x830, msr);
    *value = icr_x2apic;
    return true;
}
bool vlapic_wrmsr(struct vcpu *v, uint32_t msr, uint64_t value)
{
    CHECK_EQUAL(0x830, msr);
    icr_x2apic = value;
    return true;
}
enum io_result hvm_memory_read(struct vcpu *v, uint64_t gpa, unsigned bytes, uint64_t *value)
{
    CHECK(bytes == 4 && (gpa == 0xfee00300 || gpa == 0xfee00310));
    *value = icr_xapic[gpa >> 4 & 1];
    return IO_OK;
}
enum io_result hvm_memory_write(struct vcpu *v, uint64_t gpa, unsigned bytes, uint64_t value)
{
    CHECK(bytes == 4 && (gpa == 0xfee00300 || gpa == 0xfee00310));
    if (gpa == 0xfee00300)
        CHECK_EQUAL(0x02000000, icr_xapic[1]); /* the destination comes first */
    icr_xapic[gpa >> 4 & 1] = value;
    return IO_OK;
}
void vlapic_eoi(struct vcpu *v)
{
    (void)viridian_take_eoi_assist(v);
    eois++;
}
uint8_t vlapic_get_tpr(const struct vcpu *v)
{
    return tpr;
}
void vlapic_set_tpr(struct vcpu *v, uint8_t value)
{
    tpr = value;
}
bool vlapic_set_irq(struct vcpu *v, uint8_t vector, bool level)
{
    ipis[v->id]++;
    ipi_vector = vector;
    return true;
}

static unsigned get_cpl(struct vcpu *v)
{
    return cpl;
}
static void flush_own(struct vcpu *v)
{
    flushes_own++;
}
static const struct hvm_vendor vendor = {.cpl = get_cpl, .flush_tlb = flush_own};
const struct hvm_vendor *hvm_vendor = &vendor;

static uint8_t saved[4096];
static uint32_t saved_bytes;
static unsigned saved_records;
int hvm_save_record(struct hvm_save_buffer *b, uint16_t type, uint16_t instance, const void *body, uint32_t bytes)
{
    saved_bytes = bytes;
    memcpy(saved + 256 * instance, body, bytes);
    saved_records++;
    return 0;
}

/* ---- */

static void make_domain(void)
{
    d = fake_domain(1, 2, false);
    hvm = (struct hvm_domain){0};
    d->hvm = &hvm;
    d->shutdown_code = ~0U;
    for (unsigned i = 0; i < 2; i++) {
        hvm_vcpu[i] = (struct hvm_vcpu){.lapic = (void *)&hvm};
        d->vcpu[i]->hvm = &hvm_vcpu[i];
    }
    v = d->vcpu[0];
    other = d->vcpu[1];
    fake_run(v);
}

static void setup(void)
{
    fake_now = 1000000;
    code_bytes = 8;
    cpl = yields = flushes_all = flushes_own = eois = ipis[0] = ipis[1] = ipi_vector = 0;
    icr_x2apic = icr_xapic[0] = icr_xapic[1] = 0;
    x2apic = false;
    cpu_features.vendor = VENDOR_AMD;
    cpu_features.invariant_tsc = true;
    saved_records = 0;
    make_domain();
}

static void finish(void)
{
    viridian_relinquish(d);
    viridian_destroy(d);
    fake_domain_free(d);
}

static uint64_t rd(uint32_t msr)
{
    uint64_t value = 0;
    CHECK(viridian_rdmsr(v, msr, &value));
    return value;
}
static bool refuses(uint32_t msr)
{
    uint64_t value;
    return !viridian_rdmsr(v, msr, &value) && !viridian_wrmsr(v, msr, 0);
}
static void wr(uint32_t msr, uint64_t value)
{
    CHECK(viridian_wrmsr(v, msr, value));
}

static void enabling(void)
{
    struct cpu_user_regs regs = {.rax = 0x80000000};
    CHECK_EQUAL(0, viridian_enable(d, 0));
    CHECK(!hvm.viridian && !viridian_is_hypercall(v, &regs) && !viridian_take_eoi_assist(v));
    viridian_offer_eoi_assist(v);
    CHECK_EQUAL(-EINVAL, viridian_enable(d, HVMPV_apic_assist)); /* without the base */
    CHECK_EQUAL(-EOPNOTSUPP, viridian_enable(d, HVMPV_base_freq | HVMPV_synic));
    CHECK_EQUAL(-EOPNOTSUPP, viridian_enable(d, HVMPV_base_freq | HVMPV_stimer));
    CHECK_EQUAL(-EINVAL, viridian_enable(d, HVMPV_base_freq | 1ULL << 40));
    fake_fail_allocation = 1;
    CHECK_EQUAL(-ENOMEM, viridian_enable(d, HVMPV_base_freq));
    viridian_vcpu_reset(v);
    CHECK(hypercall_page_msr(d) == 0x40000000 && is_viridian_msr(0x400001ff) && !is_viridian_msr(0x40000200));
    CHECK_EQUAL(0, viridian_enable(d, HVMPV_base_freq));
    CHECK(hypercall_page_msr(d) == 0x40000200);
    CHECK_EQUAL(0, viridian_enable(d, HVMPV_base_freq));
    CHECK_EQUAL(-EINVAL, viridian_enable(d, HVMPV_base_freq | HVMPV_no_freq));
    CHECK_EQUAL(-EINVAL, viridian_enable(d, 0));
    viridian_destroy(d);
    d->creation_finished = true;
    CHECK_EQUAL(-EBUSY, viridian_enable(d, HVMPV_base_freq));
}

static void offers(void)
{
    CHECK_EQUAL(0, viridian_enable(d, HVMPV_base_freq | HVMPV_no_freq));
    struct cpuid r = viridian_cpuid(v, 0x40000000);
    CHECK(r.eax == 0x40000006 && memcmp(&r.ebx, "Micr", 4) == 0 && memcmp(&r.ecx, "osof", 4) == 0);
    CHECK(memcmp(&r.edx, "t Hv", 4) == 0 && viridian_cpuid(v, 0x40000001).eax == 0x31237648);
    r = viridian_cpuid(v, 0x40000003);
    CHECK(r.eax == 0x71 && r.edx == 0 && r.ebx == 0);
    CHECK_EQUAL(0x28, viridian_cpuid(v, 0x40000004).eax);
    CHECK(refuses(0x40000020) && refuses(0x40000021) && refuses(0x40000022) && refuses(0x40000023));
    CHECK(refuses(0x40000100) && refuses(0x40000105) && refuses(0x40000003) && refuses(0x40000080));
    CHECK(refuses(0x400000b0) && refuses(0x40000106) && refuses(0x40000024) && !viridian_wrmsr(v, 0x40000002, 1));
    viridian_destroy(d);
    CHECK_EQUAL(0, viridian_enable(d, ALL_FEATURES & ~HVMPV_no_freq));
    r = viridian_cpuid(v, 0x40000003);
    CHECK(r.eax == 0xa73 && r.edx == (1 << 3 | 1 << 8 | 1 << 10)); /* no synthetic interrupts (2) or timers (3) */
    CHECK_EQUAL(0x42c, viridian_cpuid(v, 0x40000004).eax);
    CHECK(refuses(0x40000080) && refuses(0x400000b0));
    CHECK_EQUAL(0, viridian_cpuid(v, 0x40000007).eax);
    CHECK_EQUAL(2500000000, rd(0x40000022));
    CHECK_EQUAL(100000000, rd(0x40000023));
    CHECK_EQUAL(0, rd(0x40000002));
    CHECK_EQUAL(123, rd(0x40000010));
}

static void hypercall_page(void)
{
    static const uint8_t amd[] = {0x0d, 0, 0, 0, 0x80, 0x0f, 0x01, 0xd9, 0xc3};
    uint64_t at = fake_frame(d) << PAGE_SHIFT;
    struct cpu_user_regs regs = {.rax = 0x80000002};
    CHECK_EQUAL(0, viridian_enable(d, HVMPV_base_freq));
    wr(0x40000001, at | 1);
    CHECK(rd(0x40000001) == at && !viridian_is_hypercall(v, &regs)); /* it has not said what it is */
    wr(0x40000000, 0x1040a00000000);
    CHECK_EQUAL(0x1040a00000000, rd(0x40000000));
    wr(0x40000001, at | 1);
    CHECK(memcmp(fake_ram[at >> PAGE_SHIFT], amd, sizeof(amd)) == 0);
    CHECK(viridian_is_hypercall(v, &regs));
    regs.rax = 2;
    CHECK(!viridian_is_hypercall(v, &regs)); /* one of Xen's */
    cpu_features.vendor = VENDOR_INTEL;
    wr(0x40000001, at | 3);
    CHECK_EQUAL(0xc1, fake_ram[at >> PAGE_SHIFT][7]);
    wr(0x40000001, 0);
    CHECK_EQUAL(at | 3, rd(0x40000001)); /* locked */
    wr(0x40000000, 0);
    CHECK_EQUAL(at, rd(0x40000001));
    wr(0x40000000, 1);
    wr(0x40000001, ~0ULL & ~2ULL); /* where there is no memory: nothing happens */
    wr(0x40000001, 0);
}

static void reference_time(void)
{
    uint64_t at = fake_frame(d) << PAGE_SHIFT;
    struct page_format {
        uint32_t sequence, reserved;
        uint64_t scale;
        int64_t offset;
    } *page = (void *)fake_ram[at >> PAGE_SHIFT];
    CHECK_EQUAL(0, viridian_enable(d, HVMPV_base_freq | HVMPV_time_ref_count | HVMPV_reference_tsc));
    CHECK_EQUAL(0, rd(0x40000020));
    fake_now += 5000000;
    CHECK_EQUAL(50000, rd(0x40000020));
    static const uint64_t rates[] = {1000000, 2500000, 3333333, 5900000};
    for (unsigned i = 0; i < ARRAY_SIZE(rates); i++) {
        fake_tsc_khz = rates[i];
        guest_tsc = 987654321987;
        wr(0x40000021, at | 1);
        CHECK(rd(0x40000021) == (at | 1) && page->sequence == 1);
        CHECK_EQUAL(50000, (uint64_t)((unsigned __int128)guest_tsc * page->scale >> 64) + (uint64_t)page->offset);
        uint64_t later = guest_tsc + fake_tsc_khz * 3600000; /* an hour on */
        uint64_t count = (uint64_t)((unsigned __int128)later * page->scale >> 64) + (uint64_t)page->offset;
        CHECK(count >= 36000050000 - 1 && count <= 36000050000);
    }
    fake_tsc_khz = 2500000;
    cpu_features.invariant_tsc = false;
    wr(0x40000021, at | 1);
    CHECK(page->sequence == 0 && page->scale == 0);
    wr(0x40000021, ~0ULL);
    wr(0x40000021, 0);
}

static void apic(void)
{
    mfn_t frame = fake_frame(d), second = fake_frame(d);
    uint32_t *word = (uint32_t *)fake_ram[frame];
    CHECK_EQUAL(0, viridian_enable(d, HVMPV_base_freq | HVMPV_apic_assist));
    wr(0x40000071, 0x0200000000000041);
    CHECK(icr_xapic[0] == 0x41 && icr_xapic[1] == 0x02000000);
    CHECK_EQUAL(0x0200000000000041, rd(0x40000071));
    apic_on = false;
    CHECK(refuses(0x40000071));
    apic_on = true;
    x2apic = true;
    wr(0x40000071, 0x200000042);
    CHECK(icr_x2apic == 0x200000042 && rd(0x40000071) == 0x200000042);
    wr(0x40000072, 0x30);
    CHECK(tpr == 0x30 && rd(0x40000072) == 0x30);
    wr(0x40000070, 0);
    CHECK_EQUAL(1, eois);
    uint64_t value;
    CHECK(!viridian_rdmsr(v, 0x40000070, &value)); /* write only */

    viridian_offer_eoi_assist(v);
    CHECK(!viridian_take_eoi_assist(v)); /* no page yet */
    memset(fake_ram[frame], 0xff, PAGE_SIZE);
    wr(0x40000073, frame << PAGE_SHIFT | 1);
    CHECK(*word == 0 && fake_type_references(frame) == 1);
    viridian_mark_pages(d);
    CHECK_EQUAL(m2p_get(frame), marked);
    viridian_offer_eoi_assist(v);
    CHECK_EQUAL(1, *word);
    CHECK(!viridian_take_eoi_assist(v) && *word == 0); /* the guest has not come to its EOI yet */
    viridian_offer_eoi_assist(v);
    *word = 0; /* it has */
    CHECK(viridian_take_eoi_assist(v) && !viridian_take_eoi_assist(v));
    viridian_offer_eoi_assist(v);
    wr(0x40000070, 0);
    CHECK(eois == 2 && *word == 0);
    viridian_offer_eoi_assist(v);
    CHECK(viridian_eoi_offered(v) && !viridian_eoi_offered(other));
    *word = 0;
    wr(0x40000073, frame << PAGE_SHIFT | 1); /* the page is set anew: what was done by the old one counts */
    CHECK(eois == 3 && !viridian_eoi_offered(v));
    viridian_offer_eoi_assist(other); /* has no page */
    CHECK(!viridian_take_eoi_assist(other));

    wr(0x40000073, second << PAGE_SHIFT | 1);
    CHECK(fake_references(frame) == 0 && fake_type_references(second) == 1);
    wr(0x40000073, 0xfffffffffffff001);
    CHECK(fake_references(second) == 0 && rd(0x40000073) == 0xfffffffffffff001);
    viridian_offer_eoi_assist(v);
    CHECK(!viridian_take_eoi_assist(v));
    wr(0x40000073, second << PAGE_SHIFT | 1);
    viridian_vcpu_reset(v);
    CHECK(fake_references(second) == 0 && rd(0x40000073) == 0);
    wr(0x40000073, second << PAGE_SHIFT | 1); /* and the end of the domain lets go of it */
    hvm_vcpu[0].lapic = NULL;
    CHECK(refuses(0x40000070) && refuses(0x40000071) && refuses(0x40000072));
}

static void crash(void)
{
    CHECK_EQUAL(0, viridian_enable(d, HVMPV_base_freq | HVMPV_crash_ctl));
    for (unsigned i = 0; i < 5; i++)
        wr(0x40000100 + i, 0x1111 * i);
    CHECK_EQUAL(0x4444, rd(0x40000104));
    CHECK_EQUAL(1ULL << 63, rd(0x40000105));
    wr(0x40000105, 1);
    CHECK_EQUAL(~0U, d->shutdown_code);
    wr(0x40000105, 1ULL << 63);
    CHECK_EQUAL(SHUTDOWN_crash, d->shutdown_code);
}

static uint64_t call(uint64_t control, uint64_t input, uint64_t output)
{
    struct cpu_user_regs regs = {.rcx = control, .rdx = input, .r8 = output, .rax = 0x80000000};
    if (code_bytes == 8) {
        viridian_hypercall(v, &regs);
        return regs.rax;
    }
    regs = (struct cpu_user_regs){.rax = (uint32_t)control | 0x80000000,
                                  .rdx = control >> 32,
                                  .rbx = input >> 32,
                                  .rcx = (uint32_t)input,
                                  .rdi = output >> 32,
                                  .rsi = (uint32_t)output};
    viridian_hypercall(v, &regs);
    CHECK(regs.rax <= UINT32_MAX && regs.rdx <= UINT32_MAX);
    return regs.rdx << 32 | regs.rax;
}

#define FAST (1ULL << 16)

static void hypercalls(void)
{
    mfn_t frame = fake_frame(d);
    uint64_t at = frame << PAGE_SHIFT, *input = (void *)(fake_ram[frame] + 4096 - 24);
    CHECK_EQUAL(0, viridian_enable(d, HVMPV_base_freq));
    for (code_bytes = 4; code_bytes <= 8; code_bytes += 4) {
        yields = flushes_own = flushes_all = ipis[0] = ipis[1] = 0;
        CHECK(call(8 | FAST, 100, 0) == 0 && yields == 1);
        CHECK_EQUAL(2, call(0x55, 0, 0));
        CHECK_EQUAL(3, call(2 | FAST, 0, 0)); /* does not fit into registers */
        CHECK_EQUAL(4, call(2, at + 4, 0));
        CHECK_EQUAL(4, call(2, at + 4096 - 16, 0)); /* crosses a page */
        CHECK_EQUAL(5, call(2, 0xffffffff000, 0));
        CHECK_EQUAL(4, call(2, ~7ULL, 0));
        memcpy(input, (uint64_t[]){0, 0, 1}, 24);
        CHECK(call(2, at + 4096 - 24, 0) == 0 && flushes_own == 1 && flushes_all == 0);
        input[2] = 0;
        CHECK(call(2, at + 4096 - 24, 0) == 0 && flushes_own == 1 && flushes_all == 0);
        input[2] = 3;
        CHECK(call(2, at + 4096 - 24, 0) == 0 && flushes_own == 1 && flushes_all == 1);
        input[1] = 1; /* everybody */
        input[2] = 0;
        CHECK_EQUAL(7ULL << 32, call(3 | 7ULL << 32, at + 4096 - 24, 0)); /* seven addresses: all done */
        CHECK_EQUAL(2, flushes_all);
        CHECK(call(0xb | FAST, 0x41, ~0ULL) == 0 && ipis[0] == 1 && ipis[1] == 1 && ipi_vector == 0x41);
        CHECK(call(0xb | FAST, 0xff, 2) == 0 && ipis[0] == 1 && ipis[1] == 2);
        CHECK(call(0xb | FAST, 0xf, 2) == 5 && call(0xb | FAST, 0x100, 2) == 5 &&
              call(0xb | FAST, 1ULL << 32 | 0x41, 2) == 5);
        cpl = 3;
        CHECK(call(8 | FAST, 0, 0) == 6 && yields == 1);
        cpl = 0;
    }
}

static void saving(void)
{
    uint64_t calls = fake_frame(d) << PAGE_SHIFT, tsc = fake_frame(d) << PAGE_SHIFT;
    mfn_t assist = fake_frame(d);
    struct hvm_save_buffer buffer = {0};
    uint8_t record[sizeof(saved)];
    CHECK(save_viridian_domain.save(d, &buffer) == 0 && save_viridian_vcpu.save(d, &buffer) == 0 && saved_records == 0);
    CHECK_EQUAL(-EINVAL, save_viridian_domain.load(d, 0, saved));
    CHECK_EQUAL(-EINVAL, save_viridian_vcpu.load(d, 0, saved));
    CHECK_EQUAL(0, viridian_enable(d, ALL_FEATURES));
    wr(0x40000000, 42);
    wr(0x40000001, calls | 1);
    wr(0x40000021, tsc | 1);
    wr(0x40000073, assist << PAGE_SHIFT | 1);
    viridian_offer_eoi_assist(v);
    fake_now += 700;
    CHECK(save_viridian_domain.save(d, &buffer) == 0 && saved_records == 1);
    CHECK_EQUAL(sizeof(struct hvm_viridian_domain_context), saved_bytes);
    memcpy(record, saved, sizeof(record));
    CHECK(save_viridian_vcpu.save(d, &buffer) == 0 && saved_records == 3);

    viridian_relinquish(d);
    viridian_destroy(d);
    CHECK_EQUAL(0, fake_references(assist));
    memset(fake_ram[tsc >> PAGE_SHIFT], 0, PAGE_SIZE);
    fake_now = 300; /* another machine, up for less time than the guest has lived */
    CHECK_EQUAL(0, viridian_enable(d, ALL_FEATURES));
    CHECK_EQUAL(-EINVAL, save_viridian_domain.load(d, 1, record));
    CHECK_EQUAL(0, save_viridian_domain.load(d, 0, record));
    CHECK_EQUAL(-EINVAL, save_viridian_vcpu.load(d, 2, saved));
    CHECK_EQUAL(0, save_viridian_vcpu.load(d, 0, saved));
    CHECK_EQUAL(0, save_viridian_vcpu.load(d, 1, saved + 256));
    CHECK(rd(0x40000020) == 7 && rd(0x40000000) == 42 && rd(0x40000001) == (calls | 1));
    CHECK_EQUAL(1, fake_ram[tsc >> PAGE_SHIFT][0]);
    CHECK(rd(0x40000073) == (assist << PAGE_SHIFT | 1) && *(uint32_t *)fake_ram[assist] == 1);
    *(uint32_t *)fake_ram[assist] = 0;
    CHECK(viridian_take_eoi_assist(v) && !viridian_take_eoi_assist(other));
}

int main(void)
{
    static const struct unit_test tests[] = {
        {"enabling", enabling},
        {"offers", offers},
        {"hypercall page", hypercall_page},
        {"reference time", reference_time},
        {"APIC", apic},
        {"crash", crash},
        {"hypercalls", hypercalls},
        {"saving", saving},
    };

    return fake_run_tests(tests, ARRAY_SIZE(tests), setup, finish);
}
