/*
 * Writes to control and debug registers, EFER and XCR0, checked as the processor checks them. Sources: Intel SDM volume
 * 3, 2.5 and 17.2; AMD APM volume 2, chapters 3 and 13.
 */
#include <hv/cpu.h>
#include <hv/hvm.h>
#include <hv/p2m.h>
#include <hv/vdev.h>
#include <hv/xstate.h>

#define CR0_NW 0x20000000UL
#define CR0_CD 0x40000000UL
#define CR0_KNOWN                                                                                                      \
    (X86_CR0_PE | X86_CR0_MP | X86_CR0_EM | X86_CR0_TS | X86_CR0_ET | X86_CR0_NE | X86_CR0_WP | X86_CR0_AM | CR0_NW |  \
     CR0_CD | X86_CR0_PG)

#define CR4_ALWAYS 0x7ffUL /* VME, PVI, TSD, DE, PSE, PAE, MCE, PGE, PCE, OSFXSR, OSXMMEXCPT */
#define CR3_PCID   0xfffUL
#define CR3_KEEP   (1UL << 63)

#define EFER_FFXSR 0x4000U

static bool in_64bit_code(struct vcpu *v)
{
    return hvm_code_bytes(v) == 8;
}

/* Long mode comes and goes with paging. */
static bool switch_paging(struct vcpu *v, bool on)
{
    struct hvm_vcpu *h = v->hvm;
    struct hvm_segment_register cs;
    if (!on) {
        if (h->efer & EFER_LMA && (in_64bit_code(v) || h->cr4 & X86_CR4_PCIDE))
            return false;
        h->efer &= ~(uint64_t)EFER_LMA;
        return true;
    }
    if (!(h->efer & EFER_LME))
        return true;
    hvm_vendor->get_segment(v, SEG_CS, &cs);
    if (!(h->cr4 & X86_CR4_PAE) || cs.attributes & SEG_ATTR_L)
        return false;
    h->efer |= EFER_LMA;
    return true;
}

/*
 * The four entries that PAE paging without long mode begins with, which the processor takes in when paging, its mode or
 * CR3 changes: a reserved bit in a present one is #GP. Source: Intel SDM volume 3, 4.4.1.
 */
static bool pae_entries_ok(struct vcpu *v, uint64_t cr3)
{
    const uint64_t reserved = PAE_ROOT_ENTRY_RESERVED | ~0UL << cpu_features.physical_address_bits;
    uint64_t entry[4];
    if (hvm_copy_from_physical(v->domain, entry, cr3 & PAE_ROOT, sizeof(entry)))
        return false;
    for (unsigned i = 0; i < ARRAY_SIZE(entry); i++)
        if (entry[i] & PTE_PRESENT && entry[i] & reserved)
            return false;
    return true;
}

bool hvm_set_cr0(struct vcpu *v, uint64_t value)
{
    struct hvm_vcpu *h = v->hvm;
    if (value >> 32 || ((value & X86_CR0_PG) && !(value & X86_CR0_PE)) || ((value & CR0_NW) && !(value & CR0_CD)))
        return false;
    value = (value & CR0_KNOWN) | X86_CR0_ET;
    uint64_t changed = value ^ h->cr0, efer = h->efer;
    if (changed & X86_CR0_PG && !switch_paging(v, value & X86_CR0_PG))
        return false;
    if (changed & (X86_CR0_PG | CR0_CD | CR0_NW) && hvm_uses_pae(value, h->cr4, h->efer) && !pae_entries_ok(v, h->cr3))
        return false; /* efer is as it was: this is not long mode */
    h->cr0 = value;
    hvm_vendor->update_cr(v, 0);
    if (h->efer != efer)
        hvm_vendor->update_efer(v);
    if (changed & (X86_CR0_PG | X86_CR0_WP | X86_CR0_PE))
        hvm_vendor->flush_tlb(v);
    return true;
}

bool hvm_set_cr3(struct vcpu *v, uint64_t value)
{
    struct hvm_vcpu *h = v->hvm;
    bool keep = value & CR3_KEEP && h->cr4 & X86_CR4_PCIDE;
    if (keep)
        value &= ~CR3_KEEP;
    if (h->efer & EFER_LMA && value >> cpu_features.physical_address_bits)
        return false;
    if (hvm_uses_pae(h->cr0, h->cr4, h->efer) && !pae_entries_ok(v, value))
        return false;
    h->cr3 = value;
    hvm_vendor->update_cr(v, 3);
    if (!keep)
        hvm_vendor->flush_tlb(v);
    return true;
}

/* What the guest's CPUID offers. */
static uint64_t cr4_allowed(struct vcpu *v)
{
    struct cpuid basic, extended;
    hvm_cpuid(v, 1, 0, &basic);
    hvm_cpuid(v, 7, 0, &extended);
    return CR4_ALWAYS | (basic.ecx >> 17 & 1 ? X86_CR4_PCIDE : 0) | (basic.ecx >> 26 & 1 ? X86_CR4_OSXSAVE : 0) |
           (extended.ebx & 1 ? X86_CR4_FSGSBASE : 0) | (extended.ebx >> 7 & 1 ? X86_CR4_SMEP : 0) |
           (extended.ebx >> 20 & 1 ? X86_CR4_SMAP : 0) | (extended.ecx >> 2 & 1 ? X86_CR4_UMIP : 0);
}

bool hvm_cr4_is_offered(struct vcpu *v, uint64_t value)
{
    return !(value & ~CR4_ALWAYS) || !(value & ~cr4_allowed(v));
}

bool hvm_set_cr4(struct vcpu *v, uint64_t value)
{
    const uint64_t translation = X86_CR4_PSE | X86_CR4_PAE | X86_CR4_PGE | X86_CR4_PCIDE | X86_CR4_SMEP | X86_CR4_SMAP;
    struct hvm_vcpu *h = v->hvm;
    uint64_t changed = value ^ h->cr4;
    if (changed & value & ~CR4_ALWAYS && !hvm_cr4_is_offered(v, value))
        return false;
    if (changed & X86_CR4_PAE && h->efer & EFER_LMA)
        return false;
    if (changed & value & X86_CR4_PCIDE && (!(h->efer & EFER_LMA) || h->cr3 & CR3_PCID))
        return false;
    if (changed & (X86_CR4_PSE | X86_CR4_PAE | X86_CR4_PGE | X86_CR4_SMEP) && hvm_uses_pae(h->cr0, value, h->efer) &&
        !pae_entries_ok(v, h->cr3))
        return false;
    h->cr4 = value;
    hvm_vendor->update_cr(v, 4);
    if (changed & translation)
        hvm_vendor->flush_tlb(v);
    return true;
}

bool hvm_set_cr8(struct vcpu *v, uint64_t value)
{
    if (value >> 4)
        return false;
    if (v->hvm->lapic)
        vlapic_set_tpr(v, (uint8_t)(value << 4));
    return true;
}

/* On Intel CPUID tells SYSCALL in 64-bit code alone; the bit may be set in any, so long mode stands for it. */
static uint64_t efer_allowed(struct vcpu *v)
{
    struct cpuid r;
    hvm_cpuid(v, 0x80000001, 0, &r);
    return EFER_LMA | (r.edx & (1U << 11 | 1U << 29) ? EFER_SCE : 0) | (r.edx >> 20 & 1 ? EFER_NXE : 0) |
           (r.edx >> 25 & 1 ? EFER_FFXSR : 0) | (r.edx >> 29 & 1 ? EFER_LME : 0);
}

bool hvm_set_efer(struct vcpu *v, uint64_t value)
{
    struct hvm_vcpu *h = v->hvm;
    if (value & ~efer_allowed(v) || ((value ^ h->efer) & EFER_LME && h->cr0 & X86_CR0_PG))
        return false;
    bool translation = (value ^ h->efer) & EFER_NXE;
    h->efer = (value & ~(uint64_t)EFER_LMA) | (h->efer & EFER_LMA);
    hvm_vendor->update_efer(v);
    if (translation)
        hvm_vendor->flush_tlb(v);
    return true;
}

bool hvm_set_xcr0(struct vcpu *v, uint32_t index, uint64_t value)
{
    struct cpuid r;
    if (index || !(v->hvm->cr4 & X86_CR4_OSXSAVE))
        return false;
    hvm_cpuid(v, 0xd, 0, &r);
    if (value & ~((uint64_t)r.edx << 32 | r.eax))
        return false;
    return xstate_set_xcr0(v, value) == 0;
}

/* ---- debug registers ---- */

#define DR6_WRITABLE 0xe00fUL
#define DR6_ONES     0xffff0ff0UL
#define DR7_WRITABLE 0xffff23ffUL
#define DR7_ONES     0x400UL

static unsigned alias(unsigned number)
{
    return number == 4 ? 6 : number == 5 ? 7 : number;
}

bool hvm_read_dr(struct vcpu *v, unsigned number, uint64_t *value)
{
    if (number > 7)
        return false;
    if (hvm_vendor->sync)
        hvm_vendor->sync(v);
    number = alias(number);
    *value = number < 4 ? v->hvm->dr[number] : number == 6 ? v->hvm->dr6 : v->hvm->dr7;
    return true;
}

bool hvm_write_dr(struct vcpu *v, unsigned number, uint64_t value)
{
    number = alias(number);
    if (number > 7 || (number >= 4 && value >> 32))
        return false;
    if (hvm_vendor->sync)
        hvm_vendor->sync(v);
    if (number < 4)
        v->hvm->dr[number] = value;
    else if (number == 6)
        v->hvm->dr6 = (value & DR6_WRITABLE) | DR6_ONES;
    else
        v->hvm->dr7 = (value & DR7_WRITABLE) | DR7_ONES;
    hvm_vendor->update_dr(v);
    return true;
}
