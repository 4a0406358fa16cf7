/*
 * Control and debug registers, EFER and XCR0: which values the guest may write, and what else changes. The real
 * hvm/control.c. Expected results: Intel SDM volume 3, 2.5, 4.1 and 17.2; AMD APM volume 2, 3.1.
 */
#include <hv/vdev.h>
#include <hv/xstate.h>
#include "machine.h"

#define CR0_PAGING (X86_CR0_PG | X86_CR0_PE | X86_CR0_ET)
#define CR4_PCIDE  0x20000UL
#define CR4_VMXE   0x2000UL

static uint32_t leaf_1_ecx, leaf_7_ebx;
static uint8_t tpr;
static uint64_t debug_register[4];

void hvm_cpuid(struct vcpu *v, uint32_t leaf, uint32_t subleaf, struct cpuid *out)
{
    *out = (struct cpuid){0};
    if (leaf == 1)
        out->ecx = leaf_1_ecx;
    if (leaf == 7)
        out->ebx = leaf_7_ebx;
    if (leaf == 0xd)
        out->eax = 7;
    if (leaf == 0x80000001)
        out->edx = 1U << 11 | 1U << 20 | 1U << 29;
}
int xstate_set_xcr0(struct vcpu *v, uint64_t xcr0)
{
    return xcr0 & 1 ? 0 : -EINVAL;
}
void vlapic_set_tpr(struct vcpu *v, uint8_t value)
{
    tpr = value;
}
static void take_debug_registers(struct vcpu *v)
{
    if (v->hvm->dr_loaded)
        memcpy(v->hvm->dr, debug_register, sizeof(debug_register));
}

static uint64_t pae_table[4];
int hvm_copy_from_physical(struct domain *d, void *to, uint64_t gpa, size_t bytes)
{
    if (gpa != 0x5020 || bytes != sizeof(pae_table))
        return -EINVAL;
    memcpy(to, pae_table, bytes);
    return 0;
}

static void start(void)
{
    machine_reset();
    memset(pae_table, 0, sizeof(pae_table));
    leaf_1_ecx = 1U << 26;
    leaf_7_ebx = 0;
    segment[SEG_CS].attributes = SEG_ATTR_PRESENT | SEG_ATTR_S | 11 | SEG_ATTR_DB;
}

static void test_cr0(void)
{
    start();
    CHECK(!hvm_set_cr0(&vcpu, X86_CR0_PG));
    CHECK(!hvm_set_cr0(&vcpu, 0x20000000));
    CHECK(!hvm_set_cr0(&vcpu, 1UL << 32));
    CHECK(hvm_set_cr0(&vcpu, 0x60000000));
    CHECK(hvm_set_cr0(&vcpu, X86_CR0_PE) && hvm_vcpu.cr0 == (X86_CR0_PE | X86_CR0_ET));
    CHECK(hvm_set_cr0(&vcpu, X86_CR0_PE | 0x8000) && hvm_vcpu.cr0 == (X86_CR0_PE | X86_CR0_ET));
    unsigned before = flushes;
    CHECK(hvm_set_cr0(&vcpu, CR0_PAGING) && flushes == before + 1);
    CHECK(hvm_set_cr0(&vcpu, CR0_PAGING | X86_CR0_TS) && flushes == before + 1);
}

/* For values that come from elsewhere than the guest's own writes. */
static void test_cr4_is_offered(void)
{
    start();
    CHECK(hvm_cr4_is_offered(&vcpu, 0) && hvm_cr4_is_offered(&vcpu, 0x7ff));
    CHECK(hvm_cr4_is_offered(&vcpu, 0x7ff | X86_CR4_OSXSAVE)); /* leaf 1 has XSAVE */
    CHECK(!hvm_cr4_is_offered(&vcpu, CR4_PCIDE) && !hvm_cr4_is_offered(&vcpu, CR4_VMXE));
    CHECK(!hvm_cr4_is_offered(&vcpu, X86_CR4_SMEP) && !hvm_cr4_is_offered(&vcpu, 1UL << 32));
    leaf_7_ebx = 1U << 7;
    CHECK(hvm_cr4_is_offered(&vcpu, X86_CR4_SMEP));
}

static void test_long_mode(void)
{
    start();
    CHECK(hvm_set_cr0(&vcpu, X86_CR0_PE));
    CHECK(hvm_set_efer(&vcpu, EFER_LME) && !(hvm_vcpu.efer & EFER_LMA));
    CHECK(!hvm_set_cr0(&vcpu, CR0_PAGING)); /* without PAE */
    CHECK(hvm_set_cr4(&vcpu, X86_CR4_PAE));
    segment[SEG_CS].attributes |= SEG_ATTR_L;
    CHECK(!hvm_set_cr0(&vcpu, CR0_PAGING)); /* from a code segment with L */
    segment[SEG_CS].attributes &= (uint16_t)~SEG_ATTR_L;
    CHECK(hvm_set_cr0(&vcpu, CR0_PAGING) && hvm_vcpu.efer & EFER_LMA);
    CHECK(!hvm_set_efer(&vcpu, 0) && !hvm_set_cr4(&vcpu, 0));
    CHECK(hvm_set_efer(&vcpu, EFER_LME | EFER_NXE) && hvm_vcpu.efer == (EFER_LME | EFER_LMA | EFER_NXE));
    CHECK(!hvm_set_efer(&vcpu, EFER_LME | 0x1000));
    segment[SEG_CS].attributes = (segment[SEG_CS].attributes & (uint16_t)~SEG_ATTR_DB) | SEG_ATTR_L;
    CHECK(!hvm_set_cr0(&vcpu, X86_CR0_PE)); /* not from 64-bit code */
    segment[SEG_CS].attributes &= (uint16_t)~SEG_ATTR_L;
    CHECK(hvm_set_cr0(&vcpu, X86_CR0_PE) && !(hvm_vcpu.efer & EFER_LMA) && hvm_vcpu.efer & EFER_LME);
}

static void test_cr4(void)
{
    start();
    CHECK(!hvm_set_cr4(&vcpu, CR4_VMXE) && !hvm_set_cr4(&vcpu, X86_CR4_SMEP) && !hvm_set_cr4(&vcpu, 1UL << 33));
    leaf_7_ebx = 1U << 7;
    CHECK(hvm_set_cr4(&vcpu, X86_CR4_SMEP));
    CHECK(hvm_set_cr4(&vcpu, X86_CR4_OSXSAVE));
    leaf_1_ecx |= 1U << 17;
    CHECK(!hvm_set_cr4(&vcpu, CR4_PCIDE)); /* outside long mode */
    hvm_vcpu.efer = EFER_LME | EFER_LMA;
    hvm_vcpu.cr4 = X86_CR4_PAE;
    hvm_vcpu.cr3 = 0x1005;
    CHECK(!hvm_set_cr4(&vcpu, X86_CR4_PAE | CR4_PCIDE)); /* with a PCID in CR3 */
    hvm_vcpu.cr3 = 0x1000;
    CHECK(hvm_set_cr4(&vcpu, X86_CR4_PAE | CR4_PCIDE));
    unsigned before = flushes;
    CHECK(hvm_set_cr4(&vcpu, X86_CR4_PAE | CR4_PCIDE | X86_CR4_TSD) && flushes == before);
    CHECK(hvm_set_cr4(&vcpu, X86_CR4_PAE | CR4_PCIDE | X86_CR4_PGE) && flushes == before + 1);
}

static void test_cr3_and_cr8(void)
{
    static int apic;
    start();
    hvm_vcpu.efer = EFER_LMA;
    CHECK(!hvm_set_cr3(&vcpu, 1UL << 40) && !hvm_set_cr3(&vcpu, 1UL << 63));
    CHECK(hvm_set_cr3(&vcpu, 0x5000) && flushes == 1);
    hvm_vcpu.cr4 = CR4_PCIDE;
    CHECK(hvm_set_cr3(&vcpu, 1UL << 63 | 0x6001) && hvm_vcpu.cr3 == 0x6001 && flushes == 1);
    hvm_vcpu.lapic = (struct vlapic *)&apic;
    CHECK(!hvm_set_cr8(&vcpu, 16) && hvm_set_cr8(&vcpu, 15) && tpr == 0xf0);
}

static void test_xcr0(void)
{
    start();
    CHECK(!hvm_set_xcr0(&vcpu, 0, 3)); /* without CR4.OSXSAVE */
    hvm_vcpu.cr4 = X86_CR4_OSXSAVE;
    CHECK(hvm_set_xcr0(&vcpu, 0, 3) && !hvm_set_xcr0(&vcpu, 1, 3) && !hvm_set_xcr0(&vcpu, 0, 2));
    CHECK(!hvm_set_xcr0(&vcpu, 0, 0x21)); /* what CPUID does not offer */
}

static void test_debug_registers(void)
{
    uint64_t value;
    start();
    CHECK(hvm_write_dr(&vcpu, 6, 0) && hvm_vcpu.dr6 == 0xffff0ff0);
    CHECK(hvm_write_dr(&vcpu, 4, ~0U) && hvm_vcpu.dr6 == 0xffffefff);
    CHECK(!hvm_write_dr(&vcpu, 6, 1UL << 32) && !hvm_write_dr(&vcpu, 7, 1UL << 63) && !hvm_write_dr(&vcpu, 8, 0));
    CHECK(hvm_write_dr(&vcpu, 7, 0xffffffff) && hvm_vcpu.dr7 == 0xffff27ff);
    CHECK(hvm_read_dr(&vcpu, 5, &value) && value == 0xffff27ff && !hvm_read_dr(&vcpu, 8, &value));
    /* loaded: the processor's are the newer ones, and none is lost when another is written */
    machine_sync = take_debug_registers;
    hvm_vcpu.dr_loaded = true;
    for (unsigned i = 0; i < 4; i++)
        debug_register[i] = 0x1000 + i;
    CHECK(hvm_read_dr(&vcpu, 2, &value) && value == 0x1002);
    CHECK(hvm_write_dr(&vcpu, 1, 0x77) && hvm_vcpu.dr[0] == 0x1000 && hvm_vcpu.dr[1] == 0x77 &&
          hvm_vcpu.dr[3] == 0x1003);
}

/* SDM volume 3, 4.4.1: which writes look at the entries, and what they find. */
static void test_pae(void)
{
    start();
    hvm_vcpu.cr3 = 0x5020;
    hvm_vcpu.cr4 = X86_CR4_PAE;
    pae_table[3] = 0x7002; /* not present: anything goes */
    CHECK(hvm_set_cr0(&vcpu, CR0_PAGING));
    pae_table[3] = 0x7003; /* a writable bit is reserved */
    CHECK(!hvm_set_cr3(&vcpu, 0x5020) && hvm_set_cr0(&vcpu, CR0_PAGING | X86_CR0_TS));
    CHECK(!hvm_set_cr4(&vcpu, X86_CR4_PAE | X86_CR4_PGE) && hvm_vcpu.cr4 == X86_CR4_PAE);
    CHECK(hvm_set_cr0(&vcpu, X86_CR0_PE) && !hvm_set_cr0(&vcpu, CR0_PAGING) && !(hvm_vcpu.cr0 & X86_CR0_PG));
    pae_table[3] = 1UL << 40 | 1; /* beyond the physical width */
    CHECK(!hvm_set_cr0(&vcpu, CR0_PAGING));
    pae_table[3] = 1UL << 39 | 0x19; /* cache attributes are not reserved */
    CHECK(hvm_set_cr0(&vcpu, CR0_PAGING) && hvm_set_cr3(&vcpu, 0x5020 | 0x18));
    CHECK(!hvm_set_cr3(&vcpu, 0x8000)); /* no memory: all ones */
    pae_table[3] = 3;
    CHECK(hvm_set_cr0(&vcpu, X86_CR0_PE) && hvm_set_cr4(&vcpu, 0) && hvm_set_cr0(&vcpu, CR0_PAGING));
    CHECK(!hvm_set_cr4(&vcpu, X86_CR4_PAE)); /* from 32-bit paging */
    CHECK(hvm_set_cr0(&vcpu, X86_CR0_PE) && hvm_set_cr4(&vcpu, X86_CR4_PAE) && hvm_set_efer(&vcpu, EFER_LME));
    segment[SEG_CS].attributes = SEG_ATTR_PRESENT | SEG_ATTR_S | 11 | SEG_ATTR_DB;
    CHECK(hvm_set_cr0(&vcpu, CR0_PAGING)); /* long mode has no such entries */
}

int main(void)
{
    test_pae();
    test_cr0();
    test_cr4_is_offered();
    test_long_mode();
    test_cr4();
    test_cr3_and_cr8();
    test_xcr0();
    test_debug_registers();
    return 0;
}
