/*
 * What the processors can do. Sources: Intel SDM volume 2 (CPUID), volume 3 (2.5 control registers, 13 XSAVE); AMD APM
 * volume 3 appendix E.
 */
#include <hv/console.h>
#include <hv/cpu_features.h>
#include <hv/percpu.h>

struct cpu_features cpu_features;

enum cpuid_register { EAX, EBX, ECX, EDX };

struct feature_bit {
    const char *name;
    uint32_t leaf;
    uint8_t subleaf, reg, bit;
    bool required;
    uint16_t offset; /* of its bool in struct cpu_features; NO_FIELD */
};
#define NO_FIELD    0xffff
#define FIELD(name) offsetof(struct cpu_features, name)

static const struct feature_bit feature_bits[] = {
    {"long mode", 0x80000001, 0, EDX, 29, true, NO_FIELD},
    {"SYSCALL", 0x80000001, 0, EDX, 11, true, NO_FIELD},
    {"FXSAVE", 1, 0, EDX, 24, true, NO_FIELD},
    {"SSE2", 1, 0, EDX, 26, true, NO_FIELD},
    {"APIC", 1, 0, EDX, 9, true, NO_FIELD},
    {"NX (execute disable; perhaps off in the firmware's setup)", 0x80000001, 0, EDX, 20, true, FIELD(nx)},
    {"PGE", 1, 0, EDX, 13, true, FIELD(pge)},
    {"SMEP", 7, 0, EBX, 7, false, FIELD(smep)},
    {"SMAP", 7, 0, EBX, 20, false, FIELD(smap)},
    {"FSGSBASE", 7, 0, EBX, 0, false, FIELD(fsgsbase)},
    {"UMIP", 7, 0, ECX, 2, false, FIELD(umip)},
    {"PCID", 1, 0, ECX, 17, false, FIELD(pcid)},
    {"XSAVE", 1, 0, ECX, 26, false, FIELD(xsave)},
    {"XSAVEOPT", 0xd, 1, EAX, 0, false, FIELD(xsaveopt)},
    {"1 GiB pages", 0x80000001, 0, EDX, 26, false, FIELD(page1gb)},
    {"x2APIC", 1, 0, ECX, 21, false, FIELD(x2apic)},
    {"TSC deadline timer", 1, 0, ECX, 24, false, FIELD(tsc_deadline)},
    {"invariant TSC", 0x80000007, 0, EDX, 8, false, FIELD(invariant_tsc)},
};

/* CPUID, or zeros for a leaf the processor has not (Intel answers those with the data of another leaf). */
static struct cpuid cpuid_checked(uint32_t leaf, uint32_t subleaf)
{
    uint32_t last = cpuid(leaf & 0x80000000, 0).eax;
    if (leaf > last || (last ^ leaf) & 0x7fff0000)
        return (struct cpuid){0};
    return cpuid(leaf, subleaf);
}

static bool has(const struct feature_bit *f)
{
    struct cpuid r = cpuid_checked(f->leaf, f->subleaf);
    uint32_t regs[] = {r.eax, r.ebx, r.ecx, r.edx};
    return regs[f->reg] >> f->bit & 1;
}

static unsigned read_vendor(void)
{
    struct cpuid r = cpuid(0, 0);
    static const struct {
        char text[13];
        unsigned vendor;
    } vendors[] = {{"GenuineIntel", VENDOR_INTEL}, {"AuthenticAMD", VENDOR_AMD}, {"HygonGenuine", VENDOR_AMD}};
    uint32_t text[3] = {r.ebx, r.edx, r.ecx};
    for (unsigned i = 0; i < ARRAY_SIZE(vendors); i++)
        if (memcmp(text, vendors[i].text, sizeof(text)) == 0)
            return vendors[i].vendor;
    return VENDOR_UNKNOWN;
}

static void read_brand(char brand[49])
{
    uint32_t text[13] = {0};
    for (unsigned i = 0; i < 3; i++) {
        struct cpuid r = cpuid_checked(0x80000002 + i, 0);
        memcpy(&text[4 * i], &r, sizeof(r));
    }
    const char *start = (const char *)text;
    while (*start == ' ')
        start++;
    strlcpy(brand, start, 49);
}

#define XSTATE_X87_SSE          0x3UL
#define XSTATE_AVX              0x4UL
#define XSTATE_AVX512           0xe0UL
#define XSAVE_LEGACY_AND_HEADER 576

/* The state components guests may use, and the size of an area (standard format) that holds them all. */
static void read_xstate(struct cpu_features *f)
{
    f->xsave_bytes = XSAVE_LEGACY_AND_HEADER;
    if (!f->xsave)
        return;
    f->xcr0_mask = cpuid_checked(0xd, 0).eax & (XSTATE_X87_SSE | XSTATE_AVX | XSTATE_AVX512);
    if ((f->xcr0_mask & XSTATE_AVX512) != XSTATE_AVX512 || !(f->xcr0_mask & XSTATE_AVX))
        f->xcr0_mask &= ~XSTATE_AVX512;
    for (unsigned i = 2; i < 63; i++) {
        if (!(f->xcr0_mask >> i & 1))
            continue;
        struct cpuid r = cpuid_checked(0xd, i); /* eax size, ebx offset */
        f->xsave_bytes = max(f->xsave_bytes, r.ebx + r.eax);
    }
}

/* Firmware can hide NX and the higher CPUID leaves of Intel processors: bring them back before looking. */
static void undo_firmware_limits(unsigned vendor)
{
    const uint64_t limit_cpuid = 1UL << 22, disable_nx = 1UL << 34;
    uint64_t value;
    if (vendor == VENDOR_INTEL && rdmsr_safe(MSR_MISC_ENABLE, &value) && value & (limit_cpuid | disable_nx))
        wrmsr_safe(MSR_MISC_ENABLE, value & ~(limit_cpuid | disable_nx));
}

void cpu_features_init(void)
{
    struct cpu_features *f = &cpu_features;
    f->vendor = read_vendor();
    undo_firmware_limits(f->vendor);
    read_brand(f->brand);
    uint32_t address_bits = cpuid_checked(0x80000008, 0).eax & 0xff;
    f->physical_address_bits = address_bits ? min(address_bits, 52U) : 36;
    for (unsigned i = 0; i < ARRAY_SIZE(feature_bits); i++) {
        const struct feature_bit *bit = &feature_bits[i];
        bool present = has(bit);
        if (bit->required && !present)
            panic("this processor lacks %s, which Roundhouse needs", bit->name);
        if (bit->offset != NO_FIELD)
            *(bool *)((char *)f + bit->offset) = present;
    }
    read_xstate(f);
    log_info("processor: %s, %u address bits, xstate %#lx in %u bytes%s", f->brand, f->physical_address_bits,
             (unsigned long)f->xcr0_mask, f->xsave_bytes, f->invariant_tsc ? ", invariant TSC" : "");
}

static void require_boot_cpu_features(void)
{
    struct cpu_features mine = {.xsave = cpu_features.xsave};
    for (unsigned i = 0; i < ARRAY_SIZE(feature_bits); i++) {
        const struct feature_bit *bit = &feature_bits[i];
        bool boot_cpu_has = bit->offset == NO_FIELD || *(bool *)((char *)&cpu_features + bit->offset);
        if (boot_cpu_has && !has(bit))
            panic("CPU %u lacks %s, which the boot CPU has", smp_processor_id(), bit->name);
    }
    read_xstate(&mine);
    if (cpu_features.xcr0_mask & ~mine.xcr0_mask || mine.xsave_bytes != cpu_features.xsave_bytes)
        panic("CPU %u has other extended state than the boot CPU", smp_processor_id());
}

void cpu_features_init_cpu(void)
{
    const struct cpu_features *f = &cpu_features;
    undo_firmware_limits(f->vendor);
    require_boot_cpu_features();
    wrmsr(MSR_PAT, PAT_OF_ABI); /* nothing is mapped yet with an entry that changes */
    wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_NXE);
    write_cr0((read_cr0() & ~X86_CR0_TS) | X86_CR0_MP | X86_CR0_NE | X86_CR0_WP);
    unsigned long on = X86_CR4_DE | X86_CR4_MCE | X86_CR4_PGE | X86_CR4_OSFXSR | X86_CR4_OSXMMEXCPT;
    if (f->smep)
        on |= X86_CR4_SMEP;
    if (f->smap)
        on |= X86_CR4_SMAP;
    if (f->fsgsbase)
        on |= X86_CR4_FSGSBASE;
    if (f->umip) /* guests' kernels and programs are answered all the same: pv/privileged.c */
        on |= X86_CR4_UMIP;
    write_cr4((read_cr4() & ~X86_CR4_TSD) | on);
}
