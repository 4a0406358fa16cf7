/*
 * hvm/svm as a whole on a processor of variables: what svm_init makes of CPUID and MSRs, the control block of a new
 * vcpu, translations, debug registers, and that each exit that is asked for has a row. Bits and numbers are written out
 * from AMD APM volume 2, chapter 15 and appendices B and C.
 */
#include <setjmp.h>
#include <hv/p2m.h>
#include <hv/page_alloc.h>
#include <hv/svm.h>
#include "machine.h"

static unsigned frames_used, saved_blocks, invalidated_asid, tlb_entries;
static uint64_t efer_msr, hsave_msr, tsc_aux_msr, vm_cr_msr;
static uint32_t asids, features = SVM_NESTED_PAGING | SVM_NRIP_SAVE | SVM_VMCB_CLEAN | SVM_FLUSH_BY_ASID;
static bool has_svm;
static uint64_t processor_dr[4];
static struct hvm_exit seen;
static jmp_buf entered;
static bool in_guest;

/* ---- the processor ---- */

struct cpuid fake_cpuid(uint32_t leaf, uint32_t subleaf)
{
    switch (leaf) {
    case 0x80000000:
        return (struct cpuid){0x8000001f, 0, 0, 0};
    case 0x80000001:
        return (struct cpuid){0, 0, has_svm ? 4 : 0, 1U << 27};
    case 0x8000000a:
        return (struct cpuid){1, asids, 0, features};
    }
    return (struct cpuid){0};
}
uint64_t rdmsr(uint32_t msr)
{
    CHECK(msr == 0xc0000080);
    return efer_msr;
}
bool rdmsr_safe(uint32_t msr, uint64_t *value)
{
    *value = vm_cr_msr;
    return msr == 0xc0010114;
}
void wrmsr(uint32_t msr, uint64_t value)
{
    uint64_t *to = msr == 0xc0000080 ? &efer_msr : msr == 0xc0010117 ? &hsave_msr : &tsc_aux_msr;
    CHECK(to != &tsc_aux_msr || msr == 0xc0000103);
    *to = value;
}
void read_breakpoints(uint64_t address[4])
{
    memcpy(address, processor_dr, sizeof(processor_dr));
}
void write_breakpoints(const uint64_t address[4])
{
    memcpy(processor_dr, address, sizeof(processor_dr));
}
void vmsave(paddr_t block)
{
    saved_blocks++;
}
void invlpga(uint64_t linear, uint32_t asid)
{
    invalidated_asid = asid;
    tlb_entries++;
}
void svm_run(paddr_t block)
{
    CHECK(block == svm_of(&vcpu)->vmcb_address);
    in_guest = true;
    longjmp(entered, 1);
}

/* ---- the rest of the hypervisor ---- */

struct cpu_info fake_cpu_info;
void *alloc_zeroed_pages(unsigned order)
{
    void *at = fake_ram[frames_used];
    frames_used += 1U << order;
    CHECK(frames_used <= FAKE_FRAMES);
    memset(at, 0, PAGE_SIZE << order);
    return at;
}
void free_virtual_pages(void *va, unsigned order)
{
}
void *zalloc(size_t bytes)
{
    static struct svm_vcpu only;
    CHECK(bytes == sizeof(only));
    return memset(&only, 0, sizeof(only));
}
paddr_t p2m_root(const struct domain *d)
{
    return 0x123000;
}
uint8_t vlapic_get_tpr(const struct vcpu *v)
{
    return 0x50;
}
unsigned hvm_fetch(struct vcpu *v, const struct cpu_user_regs *regs, uint8_t bytes[15])
{
    return 0;
}
void hvm_handle_exit(struct vcpu *v, struct cpu_user_regs *regs, const struct hvm_exit *exit)
{
    seen = *exit;
}

/* ---- tests ---- */

static void power_on(void)
{
    machine_reset();
    memset(&cpus[0], 0, sizeof(cpus[0]));
    frames_used = 1;
    efer_msr = 0xd01;
    vm_cr_msr = tsc_aux_msr = tlb_entries = 0;
    asids = 16;
    has_svm = true;
    features = SVM_NESTED_PAGING | SVM_NRIP_SAVE | SVM_VMCB_CLEAN | SVM_FLUSH_BY_ASID;
    cpu_features.vendor = VENDOR_AMD;
}

static struct vmcb *start(void)
{
    power_on();
    CHECK(svm_vendor.init());
    svm_vendor.init_cpu();
    CHECK(svm_vendor.vcpu_init(&vcpu) == 0);
    hvm_vcpu.pat = 0x0007040600070406;
    hvm_vcpu.efer = 0x500;
    hvm_vcpu.cr0 = 0x80000031;
    hvm_vcpu.cr4 = 0x20;
    svm_vendor.update_pat(&vcpu);
    svm_vendor.update_efer(&vcpu);
    for (unsigned cr = 0; cr <= 4; cr++)
        svm_vendor.update_cr(&vcpu, cr);
    svm_vendor.update_dr(&vcpu);
    svm_vendor.install(&vcpu);
    return vmcb_of(&vcpu);
}

static bool enter(void)
{
    in_guest = false;
    if (!setjmp(entered))
        svm_vendor.enter();
    return in_guest;
}

static void test_choice(void)
{
    power_on();
    has_svm = false;
    CHECK(!svm_vendor.init());
    power_on();
    vm_cr_msr = 0x10; /* SVMDIS */
    CHECK(!svm_vendor.init());
    power_on();
    features = SVM_NRIP_SAVE;
    CHECK(!svm_vendor.init());
    power_on();
    asids = 1;
    CHECK(!svm_vendor.init());
    power_on();
    cpu_features.vendor = VENDOR_INTEL;
    CHECK(!svm_vendor.init());
    start();
    CHECK(efer_msr == 0x1d01 && hsave_msr && saved_blocks && fake_cpu_info.hvm_host && svm_features == features);
}

/* Two bits for each MSR: 15.11. All but those that VMLOAD and VMRUN switch end in us, and every port does. */
static void test_permission_maps(void)
{
    static const uint32_t free_ones[] = {0xc0000081, 0xc0000082, 0xc0000083, 0xc0000084, 0xc0000100,
                                         0xc0000101, 0xc0000102, 0x174,      0x175,      0x176};
    static const uint32_t base[] = {0, 0xc0000000, 0xc0010000};
    const struct vmcb *b = start();
    const uint8_t *io = paddr_to_virt(b->io_map), *msr = paddr_to_virt(b->msr_map);
    for (unsigned i = 0; i < 12288; i++)
        CHECK(io[i] == 0xff);
    for (unsigned range = 0; range < 3; range++)
        for (uint32_t n = 0; n < 0x2000; n++) {
            unsigned bits = msr[range * 2048 + n / 4] >> n % 4 * 2 & 3, wanted = 3;
            for (unsigned i = 0; i < ARRAY_SIZE(free_ones); i++)
                wanted = free_ones[i] == base[range] + n ? 0 : wanted;
            CHECK(bits == wanted);
        }
    for (unsigned i = 6144; i < 8192; i++)
        CHECK(msr[i] == 0xff);
}

#define BIT(n) (1U << (n))
static void test_intercepts(void)
{
    const struct vmcb *b = start();
    /* interrupts, NMI, INIT; RDPMC, CPUID, INVD, HLT, INVLPGA, ports, MSRs, FERR_FREEZE, shutdown */
    const uint32_t first = BIT(0) | BIT(1) | BIT(3) | BIT(15) | BIT(18) | BIT(22) | BIT(24) | BIT(26) | BIT(27) |
                           BIT(28) | BIT(30) | BIT(31);
    /* VMRUN, VMMCALL, VMLOAD, VMSAVE, STGI, CLGI, SKINIT; WBINVD, MONITOR, MWAIT, XSETBV, RDPRU */
    const uint32_t second = 0x7f | BIT(9) | BIT(10) | BIT(11) | BIT(13) | BIT(14);
    CHECK(b->intercept_cr == (BIT(16 + 4) | BIT(16 + 8)) && b->intercept_dr == ~0U);
    CHECK(b->intercept_exceptions == (BIT(1) | BIT(17) | BIT(18)));
    CHECK(b->intercept_1 == first && b->intercept_2 == second && b->intercept_3 == (BIT(0) | BIT(1) | BIT(3) | BIT(4)));
    CHECK(b->virtual_interrupt == BIT(24) && b->nested_paging == 1 && b->nested_root == 0x123000);
    CHECK(b->efer == 0x1500 && b->lbr_virtualisation == 0);
    vcpu.domain->tsc.emulated = true;
    svm_vendor.update_tsc(&vcpu);
    CHECK(b->intercept_1 == (first | BIT(14)) && b->intercept_2 == (second | BIT(7)));
    vcpu.domain->tsc.emulated = false;
    hvm_vcpu.tsc_offset = 0x1234;
    svm_vendor.update_tsc(&vcpu);
    CHECK(b->intercept_1 == first && b->intercept_2 == second && b->tsc_offset == 0x1234);
}

static void expect_row(struct vmcb *b, uint64_t code)
{
    b->exit_code = code;
    b->exit_info_1 = code == 0x7b ? 0x10 : 1UL << 63;
    b->exit_interrupt_info = SVM_EVENT_VALID | 0x30; /* so that an interrupt's exit is told too */
    seen.reason = EXIT_UNKNOWN;
    svm_exit(&fake_regs);
    CHECK(seen.reason != EXIT_UNKNOWN);
}

static void test_every_intercept_has_a_row(void)
{
    struct vmcb *b = start();
    const uint32_t word[] = {b->intercept_1, b->intercept_2, b->intercept_3};
    svm_features |= SVM_DECODE_ASSISTS;
    for (unsigned n = 0; n < 96; n++)
        if (word[n / 32] >> n % 32 & 1)
            expect_row(b, 0x60 + n);
    for (unsigned n = 0; n < 32; n++) {
        if (b->intercept_cr >> n & 1)
            expect_row(b, n);
        if (b->intercept_exceptions >> n & 1)
            expect_row(b, 0x40 + n);
        b->intercept_dr = ~0U;
        expect_row(b, 0x20 + n);
    }
    expect_row(b, 0x400);
}

/* VMRUN is given what the vcpu has; a state it would refuse never gets as far. */
static void test_entry(void)
{
    struct vmcb *b = start();
    fake_regs = (struct cpu_user_regs){.rip = 0x1000, .rsp = 0x2000, .rax = 3, .rflags = 0x202};
    CHECK(enter() && b->rip == 0x1000 && b->rsp == 0x2000 && b->rax == 3 && b->rflags == 0x202 && b->asid == 1);
    CHECK((b->virtual_interrupt & 0xff) == 0 && !crashes);
    hvm_vcpu.lapic = (struct vlapic *)1;
    CHECK(enter() && (b->virtual_interrupt & 0xff) == 5);
    b->clean = CLEAN_EVERYTHING;
    hvm_vcpu.cr0 |= 0x20000000; /* NW without CD */
    svm_vendor.update_cr(&vcpu, 0);
    CHECK(!enter() && crashes == 1);
    b = start();
    CHECK(enter());
    b->clean = CLEAN_EVERYTHING;
    svm_vendor.inject(&vcpu, &(struct hvm_event){.valid = true, .vector = 2, .kind = HVM_EVENT_EXCEPTION});
    CHECK(!enter() && crashes == 1);
}

static void test_translations(void)
{
    struct vmcb *b = start();
    CHECK(enter() && b->asid == 1 && b->tlb_control == TLB_NOTHING);
    svm_vendor.flush_tlb(&vcpu);
    CHECK(b->tlb_control == 3);
    b->tlb_control = 0;
    svm_vendor.invlpg(&vcpu, 0x5000);
    CHECK(tlb_entries == 1 && invalidated_asid == 1 && b->tlb_control == 0);
    features &= ~SVM_FLUSH_BY_ASID;
    svm_features = features;
    for (unsigned n = 2; n < 16; n++) { /* another ASID stands for a flush, until there is none left */
        svm_vendor.flush_tlb(&vcpu);
        CHECK(enter() && b->asid == n && b->tlb_control == 0);
    }
    svm_vendor.flush_tlb(&vcpu);
    CHECK(enter() && b->asid == 1 && b->tlb_control == 1);
    b->tlb_control = 0;
    svm_forget_asids();
    svm_vendor.flush_tlb(&vcpu);
    CHECK(enter() && b->tlb_control == 1);
    b->clean = CLEAN_EVERYTHING;
    svm_of(&vcpu)->last_cpu = &cpus[1];
    svm_vendor.install(&vcpu); /* from another CPU: nothing is known here */
    CHECK(b->clean == 0 && hvm_vcpu.asid_generation == 0);
}

/* From their first use on the guest's debug registers are in the processor; none is lost when we change another. */
static void test_debug_registers(void)
{
    struct vmcb *b = start();
    expect_row(b, 0x37); /* mov dr7 */
    CHECK(hvm_vcpu.dr_loaded && b->intercept_dr == 0);
    processor_dr[0] = 0x1111; /* the guest's, without an exit */
    processor_dr[3] = 0x3333;
    b->dr6 = 0xffff0ff1;
    b->dr7 = 0x401;
    svm_vendor.sync(&vcpu);
    hvm_vcpu.dr7 &= ~0x55UL; /* as a task switch does */
    svm_vendor.update_dr(&vcpu);
    CHECK(processor_dr[0] == 0x1111 && processor_dr[3] == 0x3333 && b->dr7 == 0x400 && b->dr6 == 0xffff0ff1);
    svm_vendor.put_away(&vcpu);
    CHECK(!hvm_vcpu.dr_loaded && hvm_vcpu.dr[0] == 0x1111 && hvm_vcpu.dr[3] == 0x3333 && b->intercept_dr == ~0U);
    processor_dr[0] = 0;
    hvm_vcpu.dr7 = 0x401;
    svm_vendor.install(&vcpu);
    CHECK(processor_dr[0] == 0x1111 && hvm_vcpu.dr_loaded);
}

static void test_msrs(void)
{
    static const uint32_t switched[] = {0xc0000081, 0xc0000082, 0xc0000083, 0xc0000084, 0xc0000102,
                                        0x174,      0x175,      0x176,      0xc0000100, 0xc0000101};
    struct vmcb *b = start();
    for (unsigned i = 0; i < ARRAY_SIZE(switched); i++)
        svm_vendor.set_msr(&vcpu, switched[i], 0x100 + i);
    for (unsigned i = 0; i < ARRAY_SIZE(switched); i++)
        CHECK(svm_vendor.get_msr(&vcpu, switched[i]) == 0x100 + i);
    CHECK(b->star == 0x100 && b->kernel_gs_base == 0x104 && b->sysenter_cs == 0x105 && b->gs.base == 0x109);
    svm_vendor.set_msr(&vcpu, 0xc0000103, 7);
    CHECK(tsc_aux_msr == 7);
    hvm_vcpu.tsc_aux = 7;
    svm_vendor.put_away(&vcpu);
    CHECK(tsc_aux_msr == 0);
    svm_vendor.install(&vcpu);
    CHECK(tsc_aux_msr == 7);
}

static void test_segments(void)
{
    struct vmcb *b = start();
    struct hvm_segment_register s = {.base = 0x1000, .limit = 0xffff, .selector = 0x33, .attributes = 0xcf3};
    svm_vendor.set_segment(&vcpu, SEG_SS, &s);
    CHECK(b->ss.selector == 0x33 && b->ss.attributes == 0xcf3 && b->cpl == 3 && svm_vendor.cpl(&vcpu) == 3);
    b->clean = CLEAN_EVERYTHING;
    svm_vendor.set_segment(&vcpu, SEG_TR, &s);
    CHECK((b->clean & (1U << 8 | 1U << 7)) == 0 && b->tr.base == 0x1000 && b->cpl == 3);
    svm_vendor.get_segment(&vcpu, SEG_TR, &s);
    CHECK(s.selector == 0x33 && s.limit == 0xffff);
}

int main(void)
{
    test_choice();
    test_permission_maps();
    test_intercepts();
    test_every_intercept_has_a_row();
    test_entry();
    test_translations();
    test_debug_registers();
    test_msrs();
    test_segments();
    return 0;
}
