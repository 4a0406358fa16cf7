/*
 * hvm/vmx/vmcs.c and vmx.c on a processor of variables: which controls are chosen from the capability MSRs, what a new
 * vcpu's VMCS holds, that the rules of entry (check.c) accept it in every mode we put it into, and flushes, MSRs and
 * debug registers on the way onto a CPU and off it. Bits and numbers: Intel SDM volume 3, chapter 24, appendices A and
 * B.
 */
#include <setjmp.h>
#include "../../check.h"
#include "../../random.h"
#include <hv/cpu_features.h>
#include <hv/cpu_policy.h>
#include <hv/p2m.h>
#include <hv/page_alloc.h>
#include <stdio.h>
#include <stdlib.h>

struct vcpu *fake_current;
struct cpu_user_regs fake_guest_regs;
uint64_t fake_cr2, fake_dr6, fake_vmcs[0x8000];
bool fake_irqs_on;
unsigned fake_nmis, fake_machine_checks;
struct cpu_info fake_cpu_info;
struct cpu cpus[NR_CPUS], *fake_cpu = &cpus[0];
struct cpu_features cpu_features = {.physical_address_bits = 40};
char vmx_exit_point[1];

static struct domain domain;
static struct hvm_domain hvm_domain;
static struct hvm_vcpu hvm;
static struct vcpu vcpu = {.domain = &domain, .hvm = &hvm};
static unsigned frames_used, hidden;
static jmp_buf panicked;
static bool expects_panic;

/* ---- the processor ---- */

#define MSR_COUNT 0x500
static uint64_t vmx_msr[MSR_COUNT], high_msr[0x200], processor_dr[4], pdpt[4];
static unsigned long cr4_register;
static paddr_t current_vmcs, vmx_region;
static unsigned invepts, invvpids, clears;
static struct invalidation last_invalidation;

static uint64_t *msr_at(uint32_t msr)
{
    if (msr < MSR_COUNT)
        return &vmx_msr[msr];
    CHECK(msr >= 0xc0000000 && msr < 0xc0000200);
    return &high_msr[msr & 0x1ff];
}
uint64_t rdmsr(uint32_t msr)
{
    return *msr_at(msr);
}
void wrmsr(uint32_t msr, uint64_t value)
{
    *msr_at(msr) = value;
}
bool rdmsr_safe(uint32_t msr, uint64_t *value)
{
    *value = *msr_at(msr);
    return true;
}
bool wrmsr_safe(uint32_t msr, uint64_t value)
{
    *msr_at(msr) = value;
    return true;
}
struct cpuid fake_cpuid(uint32_t leaf, uint32_t subleaf)
{
    switch (leaf) {
    case 1:
        return (struct cpuid){0, 0, 1U << 5, 0};
    case 0x80000000:
        return (struct cpuid){0x80000008, 0, 0, 0};
    case 0x80000001:
        return (struct cpuid){0, 0, 0, 1U << 27};
    }
    return (struct cpuid){0};
}
unsigned long read_cr0(void)
{
    return 0x8005003b;
}
unsigned long read_cr4(void)
{
    return cr4_register;
}
void write_cr4(unsigned long value)
{
    cr4_register = value;
}
void read_breakpoints(uint64_t address[4])
{
    memcpy(address, processor_dr, sizeof(processor_dr));
}
void write_breakpoints(const uint64_t address[4])
{
    memcpy(processor_dr, address, sizeof(processor_dr));
}
uint64_t table_base(bool idt)
{
    return idt ? 0xffff810000300000 : 0xffff810000301000;
}
bool vmxon(paddr_t region)
{
    vmx_region = region;
    return *(uint32_t *)paddr_to_virt(region) == 0x1234;
}
bool vmptrld(paddr_t vmcs)
{
    current_vmcs = vmcs;
    return *(uint32_t *)paddr_to_virt(vmcs) == 0x1234;
}
bool vmclear(paddr_t vmcs)
{
    clears++;
    if (current_vmcs == vmcs)
        current_vmcs = 0;
    return true;
}
bool invept(uint64_t kind, struct invalidation what)
{
    invepts++;
    last_invalidation = what;
    return kind == 1;
}
bool invvpid(uint64_t kind, struct invalidation what)
{
    invvpids++;
    last_invalidation = what;
    return kind == 1 || kind == 0;
}

/* ---- the rest of the hypervisor ---- */

void panic(const char *format, ...)
{
    CHECK(expects_panic);
    longjmp(panicked, 1);
}
void fake_deadlock(void)
{
    abort();
}
void *alloc_zeroed_pages(unsigned order)
{
    CHECK(order == 0 && frames_used < FAKE_FRAMES);
    return memset(fake_ram[frames_used++], 0, PAGE_SIZE);
}
void free_virtual_pages(void *va, unsigned order)
{
}
void *zalloc(size_t bytes)
{
    static struct vmx_vcpu only;
    CHECK(bytes == sizeof(only));
    return memset(&only, 0, sizeof(only));
}
unsigned long find_first_zero(const unsigned long *map, unsigned long bits)
{
    unsigned long at = 0;
    while (at < bits && test_bit(at, map))
        at++;
    return at;
}
paddr_t p2m_root(const struct domain *d)
{
    return 0x123000;
}
void cpu_policy_hvm_without(unsigned feature)
{
    hidden++;
}
int hvm_copy_from_physical(struct domain *d, void *to, uint64_t gpa, size_t bytes)
{
    CHECK(bytes == sizeof(pdpt));
    memcpy(to, pdpt, bytes);
    return 0;
}
void vmx_enter(void)
{
}

/* ---- a processor that can do all we ask for ---- */

enum { PIN = 0x48d, PROCESSOR = 0x48e, SECONDARY = 0x48b, EXIT = 0x48f, ENTRY = 0x490 };

static void capability(unsigned msr, uint32_t must, uint32_t may)
{
    vmx_msr[msr] = (uint64_t)may << 32 | must;
}

static void power_on(void)
{
    memset(vmx_msr, 0, sizeof(vmx_msr));
    memset(high_msr, 0, sizeof(high_msr));
    memset(fake_vmcs, 0, sizeof(fake_vmcs));
    vmx_msr[0x3a] = 5;
    vmx_msr[0x480] = 1UL << 55 | 0x1234;
    capability(PIN, 0x16, 0x7f);
    capability(PROCESSOR, 0x4006172, 0xfff9fffe);
    capability(SECONDARY, 0, 0x1fff);
    capability(EXIT, 0x36dfb, 0x7fffff);
    capability(ENTRY, 0x11fb, 0xffff);
    vmx_msr[0x486] = 0x80000021;
    vmx_msr[0x487] = 0xffffffff;
    vmx_msr[0x488] = 0x2000;
    vmx_msr[0x489] = 0x3727ff;
    vmx_msr[0x48c] = 0xf0106734141;
    vmx_msr[0x277] = 0x0007040600070406;
    high_msr[0x80] = 0xd01;
    high_msr[0x81] = 0x00e3000800000000; /* our own STAR */
    cr4_register = 0x3406e0;
    frames_used = 1;
    current_vmcs = 0;
    hidden = invepts = invvpids = clears = 0;
}

static struct vmx_vcpu *start(void)
{
    power_on();
    CHECK(vmx_vendor.init());
    vmx_vendor.init_cpu();
    domain = (struct domain){.id = 1, .hvm = &hvm_domain};
    hvm_domain = (struct hvm_domain){.tlb_generation = 1};
    hvm = (struct hvm_vcpu){.pat = 0x0007040600070406, .cr0 = 0x10, .dr6 = 0xffff0ff0, .dr7 = 0x400};
    cpus[0].tss = (void *)0xffff810000302000;
    cpus[0].root_table = 0x5000;
    fake_current = NULL;
    CHECK(vmx_vendor.vcpu_init(&vcpu) == 0);
    return hvm.vendor;
}

static void update_all(void)
{
    vmx_vendor.update_efer(&vcpu);
    for (unsigned cr = 0; cr <= 4; cr++)
        vmx_vendor.update_cr(&vcpu, cr);
    vmx_vendor.update_dr(&vcpu);
    vmx_vendor.update_pat(&vcpu);
}

static void set(enum hvm_segment which, uint16_t selector, uint64_t base, uint32_t limit, uint16_t attributes)
{
    struct hvm_segment_register s = {.base = base, .limit = limit, .selector = selector, .attributes = attributes};
    vmx_vendor.set_segment(&vcpu, which, &s);
}

static void install(void)
{
    fake_current = &vcpu;
    vmx_vendor.install(&vcpu);
}

static void real_mode(void)
{
    update_all();
    for (unsigned i = SEG_ES; i <= SEG_GS; i++)
        set(i, 0, 0, 0xffff, i == SEG_CS ? 0x9b : 0x93);
    set(SEG_TR, 0, 0, 0xffff, 0x8b);
    set(SEG_LDTR, 0, 0, 0xffff, 0x82);
    set(SEG_GDTR, 0, 0, 0xffff, 0);
    set(SEG_IDTR, 0, 0, 0xffff, 0);
    vmwrite(VMCS_GUEST_RFLAGS, 2);
    vmwrite(VMCS_GUEST_RIP, 0xfff0);
}

/* ---- tests ---- */

static void test_controls(void)
{
    start();
    const struct vmx_capabilities *c = &vmx_capabilities;
    CHECK(c->revision == 0x1234);
    CHECK(c->pin == (0x16 | 0x01 | 0x08 | 0x20)); /* interrupts, NMIs, virtual NMIs */
    /* HLT, MWAIT, RDPMC, CR8 both ways, DR, ports, MSR bitmap, MONITOR, secondary, TSC offset */
    CHECK(c->processor == (0x4006172 | 0x80 | 0x400 | 0x800 | 0x180000 | 0x800000 | 0x1000000 | 0x10000000 |
                           0x20000000 | 0x80000000 | 0x8));
    CHECK(c->secondary == (0x02 | 0x08 | 0x20 | 0x40 | 0x80 | 0x400 | 0x1000));
    CHECK(c->exit == (0x36dfb | 0x4 | 0x200 | 0x80000 | 0x200000));
    CHECK(c->entry == (0x11fb | 0x4 | 0x4000 | 0x8000));
    CHECK(cr4_register == (0x3406e0 | 0x2000) && vmx_region && !hidden);
}

/* Every control that we cannot do without, taken away, is a reason to have no HVM guests, and no panic. */
static void test_lacking_controls(void)
{
    static const struct {
        unsigned msr;
        uint32_t bits;
    } required[] = {
        {PIN, 0x29}, {PROCESSOR, 0xb1d81c8c | 0x400004}, {SECONDARY, 0xe2}, {EXIT, 0x280204}, {ENTRY, 0xc204}};
    for (unsigned i = 0; i < ARRAY_SIZE(required); i++)
        for (unsigned bit = 0; bit < 32; bit++) {
            if (!(required[i].bits >> bit & 1))
                continue;
            power_on();
            vmx_msr[required[i].msr] &= ~(1UL << (32 + bit));
            vmx_msr[required[i].msr] &= ~(1UL << bit);
            CHECK(!vmx_vendor.init());
        }
    static const uint32_t optional[] = {0x08, 0x1000, 0x400};
    for (unsigned i = 0; i < ARRAY_SIZE(optional); i++) {
        power_on();
        vmx_msr[SECONDARY] &= ~((uint64_t)optional[i] << 32);
        CHECK(vmx_vendor.init() && !(vmx_capabilities.secondary & optional[i]));
        CHECK(hidden == (optional[i] == 0x08 ? 2 : optional[i] == 0x1000)); /* RDTSCP and RDPID, INVPCID */
    }
    for (unsigned bit = 0; bit < 3; bit++) { /* forced: INVLPG, CR3 both ways */
        static const uint32_t unwanted[] = {0x200, 0x8000, 0x10000};
        power_on();
        vmx_msr[PROCESSOR] |= unwanted[bit] | (uint64_t)unwanted[bit] << 32;
        CHECK(!vmx_vendor.init());
    }
    static const uint32_t switched[] = {0x4, 0x1000, 0x400000, 0x800000}; /* cannot be off */
    for (unsigned i = 0; i < ARRAY_SIZE(switched); i++) {
        power_on();
        vmx_msr[PROCESSOR] |= switched[i];
        CHECK(!vmx_vendor.init());
    }
    static const uint64_t ept[] = {1UL << 6, 1UL << 14, 1UL << 16, 1UL << 20, 1UL << 25, 1UL << 32, 1UL << 41};
    for (unsigned i = 0; i < ARRAY_SIZE(ept); i++) {
        power_on();
        vmx_msr[0x48c] &= ~ept[i];
        CHECK(!vmx_vendor.init());
    }
}

static void test_firmware_and_other_cpus(void)
{
    power_on();
    vmx_msr[0x3a] = 1; /* locked, off */
    CHECK(!vmx_vendor.init());
    power_on();
    vmx_msr[0x3a] = 0;
    CHECK(vmx_vendor.init() && vmx_msr[0x3a] == 5);
    start();
    capability(SECONDARY, 0, 0x0fff); /* the next CPU has less */
    expects_panic = true;
    if (!setjmp(panicked)) {
        vmx_vendor.init_cpu();
        CHECK(false);
    }
    expects_panic = false;
}

/* One bit for each MSR, reads and writes: 24.6.9. */
static void test_msr_bitmap(void)
{
    static const uint32_t both[] = {0x174, 0x175, 0x176, 0xc0000100, 0xc0000101, 0xc0000102};
    static const uint32_t reads[] = {0xc0000081, 0xc0000082, 0xc0000083, 0xc0000084};
    start();
    const uint8_t *map = paddr_to_virt(fake_vmcs[0x2004]);
    for (unsigned half = 0; half < 2; half++)
        for (uint32_t n = 0; n < 0x2000; n++) {
            uint32_t msr = n | (half ? 0xc0000000 : 0);
            bool read = !(map[half * 1024 + n / 8] >> n % 8 & 1),
                 write = !(map[2048 + half * 1024 + n / 8] >> n % 8 & 1);
            bool may_read = false, may_write = false;
            for (unsigned i = 0; i < ARRAY_SIZE(both); i++)
                may_write = may_write || both[i] == msr;
            for (unsigned i = 0; i < ARRAY_SIZE(reads); i++)
                may_read = may_read || reads[i] == msr;
            CHECK(write == may_write && read == (may_read || may_write));
        }
}

static void test_new_vmcs(void)
{
    const struct vmx_vcpu *x = start();
    CHECK(current_vmcs == 0 && clears >= 2); /* active nowhere */
    CHECK(fake_vmcs[0x4000] == vmx_capabilities.pin && fake_vmcs[0x4002] == vmx_capabilities.processor);
    CHECK(fake_vmcs[0x401e] == vmx_capabilities.secondary && fake_vmcs[0x400c] == vmx_capabilities.exit);
    CHECK(fake_vmcs[0x4012] == (vmx_capabilities.entry & ~0x200U));
    CHECK(fake_vmcs[0x4004] == (1U << 1 | 1U << 17 | 1U << 18)); /* #DB, #AC, #MC */
    CHECK(fake_vmcs[0x0000] == hvm.asid && hvm.asid && fake_vmcs[0x201a] == 0x12301e);
    CHECK(fake_vmcs[0x2800] == ~0UL && fake_vmcs[0x6000] == ~0UL && fake_vmcs[0x6002] == ~0x80UL);
    CHECK(fake_vmcs[0x4020] == 128 && fake_vmcs[0x4022] == 4096 && x->changed);
}

/* The state after a reset, long mode, PAE: entry has nothing against it. */
static void test_enterable(void)
{
    start();
    real_mode();
    install();
    CHECK(!vmx_broken_rule());
    CHECK(fake_vmcs[0x6c02] == 0x5000 && fake_vmcs[0x6c0a] == 0xffff810000302000);
    CHECK(!(fake_vmcs[0x6c00] & 8) && fake_vmcs[0x6c04] == 0x3426e8); /* no TS; DE, VMXE */
    CHECK(fake_vmcs[0x6800] == 0x30 && fake_vmcs[0x6004] == 0x10);    /* NE behind its back */
    CHECK(fake_vmcs[0x6804] == 0x2040 && fake_vmcs[0x6006] == 0);     /* MCE and VMXE too */
    hvm.cr0 = 0x80000031;
    hvm.cr4 = 0x20;
    hvm.cr3 = 0x7000;
    memcpy(pdpt, (const uint64_t[4]){0x8001, 0x9003, 0x10000000001, 0}, sizeof(pdpt));
    vmx_vendor.update_cr(&vcpu, 0);
    vmx_vendor.update_cr(&vcpu, 4);
    vmx_vendor.update_cr(&vcpu, 3);
    CHECK(fake_vmcs[0x280a] == 0x8001 && fake_vmcs[0x280c] == 0 && fake_vmcs[0x280e] == 0 && !vmx_broken_rule());
    hvm.efer = 0xd01;
    vmx_vendor.update_efer(&vcpu);
    set(SEG_CS, 0x10, 0, ~0U, 0xa9b);
    CHECK(fake_vmcs[0x4012] & 0x200 && !vmx_broken_rule());
}

/* Whatever a toolstack's context says of segments: what we write the processor takes, but for types and levels. */
static void test_random_segments(void)
{
    start();
    real_mode();
    install();
    hvm.cr0 = 0x11;
    vmx_vendor.update_cr(&vcpu, 0);
    for (unsigned round = 0; round < 200000; round++) {
        for (unsigned i = SEG_ES; i <= SEG_IDTR; i++) {
            uint16_t attributes = (uint16_t)random_below(0x1000);
            if (i == SEG_CS)
                attributes = 0x09b;
            if (i == SEG_SS)
                attributes = (attributes & SEG_ATTR_PRESENT) | 0x13;
            if (i != SEG_CS && i != SEG_SS && attributes & 8)
                attributes |= 2;
            if (i == SEG_TR)
                attributes = (attributes & ~0xfU) | 9;
            set(i, (uint16_t)random64(), random64(), (uint32_t)random64(), attributes);
        }
        const char *broken = vmx_broken_rule();
        CHECK(!broken, "%s", broken);
    }
}

static void test_flushes(void)
{
    struct vmx_vcpu *x = start();
    real_mode();
    install();
    vmx_flush_before_entry(&vcpu);
    CHECK(invepts == 1 && invvpids == 1 && last_invalidation.context == hvm.asid);
    vmx_flush_before_entry(&vcpu);
    CHECK(invepts == 1 && invvpids == 1);
    hvm_domain.tlb_generation++;
    vmx_flush_before_entry(&vcpu);
    CHECK(invepts == 2 && invvpids == 1 && last_invalidation.context == x->ept_pointer);
    vmx_vendor.flush_tlb(&vcpu);
    vmx_flush_before_entry(&vcpu);
    CHECK(invepts == 2 && invvpids == 2);
    vmx_vendor.invlpg(&vcpu, 0x5000);
    CHECK(invvpids == 3 && last_invalidation.address == 0x5000 && !x->flush_linear);
    vmx_vendor.invlpg(&vcpu, 1UL << 63); /* not canonical: the instruction would fail */
    CHECK(invvpids == 3 && x->flush_linear);
    vmx_flush_before_entry(&vcpu);
    vmx_vendor.put_away(&vcpu);
    install();
    CHECK(!x->flush_linear && !x->flush_physical); /* the same CPU */
    vmx_vendor.put_away(&vcpu);
    x->cpu = &cpus[1];
    install();
    CHECK(x->flush_linear && x->flush_physical && x->changed);
}

/* What the processor does not switch is the guest's while it is on the CPU, and ours afterwards. */
static void test_msrs(void)
{
    start();
    real_mode();
    vmx_vendor.set_msr(&vcpu, 0xc0000081, 0x1111);
    vmx_vendor.set_msr(&vcpu, 0xc0000082, 0x0000800000000000); /* no address: made one */
    vmx_vendor.set_msr(&vcpu, 0x175, 0x0000800000000000);
    CHECK(fake_vmcs[0x6824] == 0xffff800000000000);
    CHECK(high_msr[0x81] == 0x00e3000800000000);
    install();
    CHECK(high_msr[0x81] == 0x1111 && high_msr[0x82] == 0xffff800000000000);
    vmx_vendor.set_msr(&vcpu, 0xc0000082, 0x2222);
    CHECK(high_msr[0x82] == 0x2222 && vmx_vendor.get_msr(&vcpu, 0xc0000082) == 0x2222);
    high_msr[0x102] = 0x3333; /* KERNEL_GS_BASE, which the guest writes by itself */
    CHECK(vmx_vendor.get_msr(&vcpu, 0xc0000102) == 0x3333);
    vmx_vendor.put_away(&vcpu);
    fake_current = NULL;
    CHECK(high_msr[0x81] == 0x00e3000800000000 && vmx_vendor.get_msr(&vcpu, 0xc0000102) == 0x3333);
    hvm.tsc_aux = 5;
    install();
    CHECK(high_msr[0x103] == 5 && high_msr[0x102] == 0x3333);
    vmx_vendor.put_away(&vcpu);
    CHECK(high_msr[0x103] == 0);
    domain.tsc.emulated = true;
    vmx_vendor.update_tsc(&vcpu);
    CHECK(fake_vmcs[0x4002] & 0x1000);
}

/* None is lost when we change another, as a task switch and the emulator's single step do. */
static void test_debug_registers(void)
{
    start();
    real_mode();
    install();
    CHECK(!hvm.dr_loaded && fake_vmcs[0x4002] & 0x800000);
    vmx_load_debug_registers(&vcpu);
    CHECK(hvm.dr_loaded && !(fake_vmcs[0x4002] & 0x800000));
    processor_dr[0] = 0x1111;
    processor_dr[3] = 0x3333;
    fake_dr6 = 0xffff0ff1;
    fake_vmcs[0x681a] = 0x401;
    vmx_vendor.sync(&vcpu);
    hvm.dr7 &= ~0x55UL;
    vmx_vendor.update_dr(&vcpu);
    CHECK(processor_dr[0] == 0x1111 && processor_dr[3] == 0x3333 && fake_dr6 == 0xffff0ff1);
    CHECK(fake_vmcs[0x681a] == 0x400);
    vmx_vendor.put_away(&vcpu);
    CHECK(!hvm.dr_loaded && hvm.dr[0] == 0x1111 && hvm.dr[3] == 0x3333 && hvm.dr6 == 0xffff0ff1);
    CHECK(fake_vmcs[0x4002] & 0x800000);
}

/* A paused vcpu's VMCS is reached from any CPU, and the one that was current is so again. */
static void test_reach(void)
{
    struct vmx_vcpu *x = start();
    struct hvm_segment_register s;
    real_mode();
    install();
    CHECK(current_vmcs == x->vmcs_address);
    vmx_vendor.get_segment(&vcpu, SEG_CS, &s);
    CHECK(current_vmcs == x->vmcs_address);
    vmx_vendor.put_away(&vcpu);
    fake_current = NULL;
    CHECK(current_vmcs == 0 && !x->launched);
    vmx_vendor.get_segment(&vcpu, SEG_CS, &s);
    CHECK(current_vmcs == 0);
}

int main(void)
{
    test_controls();
    test_lacking_controls();
    test_firmware_and_other_cpus();
    test_msr_bitmap();
    test_new_vmcs();
    test_enterable();
    test_random_segments();
    test_flushes();
    test_msrs();
    test_debug_registers();
    test_reach();
    return 0;
}
