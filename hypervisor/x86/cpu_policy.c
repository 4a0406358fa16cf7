/*
 * What CPUID says to a domain.
 * Sources: xen/arch-x86/cpufeatureset.h (words, and the letters behind each feature: A/a for PV guests), cpuid.h,
 * Intel SDM volume 2 and AMD APM volume 3 (leaves).
 *
 * A policy is an array of leaves in ascending order, in the very form in which toolstacks read and write it. What
 * depends on the vcpu (APIC id, size of the extended state) and the ABI's own leaves at 0x40000000 are made on the way:
 * pv/cpuid.c, hvm/cpuid.c.
 */
#include <hv/console.h>
#include <hv/cpu_policy.h>
#include <hv/domain_tsc.h>
#include <hv/hvm.h>
#include <hv/page.h>
#include <hv/page_alloc.h>
#include <xen/arch-x86/cpuid.h>
#include <xen/arch-x86/cpufeatureset.h>
#include <xen/sysctl.h>

_Static_assert(sizeof(struct xen_cpuid_leaf) == 24, "ABI");
_Static_assert(sizeof(struct xen_msr_entry) == 16, "ABI");

#define LAST_BASIC_LEAF     0xdU
#define FIRST_EXTENDED_LEAF 0x80000000U
#define LAST_EXTENDED_LEAF  0x80000021U
#define NO_SUBLEAF          XEN_CPUID_NO_SUBLEAF
#define XEN_VERSION_LEAF    0x00040011U /* 4.17 */

enum { REG_A, REG_B, REG_C, REG_D };

struct policy {
    uint32_t count;
    struct xen_cpuid_leaf leaf[CPU_POLICY_MAX_LEAVES];
};

static struct policy raw_policy, host_policy, dom0_policy, guest_policy[4]; /* the last by enum kind */

/* ---- Features: the words of a feature set, where CPUID has them, and which a guest of each kind may (max) or does
 * (default) get. Words 16 and 17 are MSR_ARCH_CAPABILITIES, which no guest of ours can read; so IBRS, STIBP, SSBD and
 * IBPB, which need MSRs as well, are left out of all columns. HVM guests are not given what would need state that is
 * not switched (protection keys, MPX, supervisor components of XSAVES, breakpoint address masks), no virtualisation
 * of their own, and no ACPI bit, which means MSRs that throttle a processor. PCID and INVPCID work as on the processor
 * itself: nested paging leaves CR3 to the guest, and our flushes drop an ASID or VPID with all its PCIDs. ---- */

enum kind { PV_MAX, PV_DEFAULT, HVM_MAX, HVM_DEFAULT, KINDS };

#define FEATURE_WORDS 19
static const struct {
    uint32_t leaf, subleaf;
    unsigned reg;
    uint32_t known, guest[KINDS];
} words[FEATURE_WORDS] = {
    [0] = {1, NO_SUBLEAF, REG_D, 0xbfebfbff, {0x1fc9cbf5, 0x0fc9cbf5, 0x1f8bfbff, 0x0f8bfbff}},
    [1] = {1, NO_SUBLEAF, REG_C, 0xf7fef3ff, {0xf6f83203, 0xf6d83203, 0xf7fa3203, 0xf7fa3203}},
    [2] = {0x80000001, NO_SUBLEAF, REG_D, 0xffffffff, {0xea500800, 0xea500800, 0xee500800, 0xee500800}},
    [3] = {0x80000001, NO_SUBLEAF, REG_C, 0x2469bfff, {0x042109e3, 0x042109e1, 0x002109f3, 0x002109f1}},
    [4] = {0xd, 1, REG_A, 0x0000000f, {0x00000007, 0x00000007, 0x00000007, 0x00000007}},
    [5] = {7, 0, REG_B, 0xffbfffff, {0xfdaf0b39, 0xfdaf0b29, 0xfdbf0fbb, 0xfdbf0fab}},
    [6] = {7, 0, REG_C, 0x3a405fcf, {0x1a405f43, 0x02405f43, 0x1a405f47, 0x02405f47}},
    [7] = {0x80000007, NO_SUBLEAF, REG_D, 0x00000780, {0x00000100, 0x00000000, 0x00000100, 0x00000000}},
    [8] = {0x80000008, NO_SUBLEAF, REG_B, 0x779fd205, {0x24000005, 0x24000005, 0x24100005, 0x24100005}},
    [9] = {7, 0, REG_D, 0xfc91ef1c, {0x0001451c, 0x0000441c, 0x0001451c, 0x0000441c}},
    [10] = {7, 1, REG_A, 0x00001c30, {0x00001c30, 0x00001c30, 0x00001c30, 0x00001c30}},
    [11] = {0x80000021, NO_SUBLEAF, REG_A, 0xf8000164, {0x60000064, 0x60000064, 0x60000064, 0x60000064}},
    [12] = {7, 1, REG_B, 0x00000001, {0x00000000, 0x00000000, 0x00000000, 0x00000000}},
    [13] = {7, 2, REG_D, 0x00000037, {0x00000020, 0x00000020, 0x00000020, 0x00000020}},
    [14] = {7, 1, REG_C, 0x00000000, {0x00000000, 0x00000000, 0x00000000, 0x00000000}},
    [15] = {7, 1, REG_D, 0x00040000, {0x00000000, 0x00000000, 0x00000000, 0x00000000}},
    [16] = {NO_SUBLEAF, 0, REG_A, 0, {0, 0, 0, 0}},
    [17] = {NO_SUBLEAF, 0, REG_D, 0, {0, 0, 0, 0}},
    [18] = {0x80000021, NO_SUBLEAF, REG_C, 0x00000006, {0x00000006, 0x00000006, 0x00000006, 0x00000006}},
};

#define WORD(feature) (XEN_X86_FEATURE_##feature / 32)
#define BIT(feature)  (1U << (XEN_X86_FEATURE_##feature % 32))

/* ---- Policies as arrays ---- */

static int order(const struct xen_cpuid_leaf *l, uint32_t leaf, uint32_t subleaf)
{
    if (l->leaf != leaf)
        return l->leaf < leaf ? -1 : 1;
    return l->subleaf < subleaf ? -1 : l->subleaf > subleaf;
}

static struct xen_cpuid_leaf *find(struct policy *p, uint32_t leaf, uint32_t subleaf)
{
    for (uint32_t i = 0; i < p->count; i++)
        if (order(&p->leaf[i], leaf, subleaf) == 0)
            return &p->leaf[i];
    return NULL;
}

/* Replaces or inserts. False: no room. */
static bool put(struct policy *p, const struct xen_cpuid_leaf *new)
{
    uint32_t at = 0;
    while (at < p->count && order(&p->leaf[at], new->leaf, new->subleaf) < 0)
        at++;
    if (at == p->count || order(&p->leaf[at], new->leaf, new->subleaf) > 0) {
        if (p->count == CPU_POLICY_MAX_LEAVES)
            return false;
        memmove(&p->leaf[at + 1], &p->leaf[at], (p->count - at) * sizeof(p->leaf[0]));
        p->count++;
    }
    p->leaf[at] = *new;
    return true;
}

static uint32_t *reg_of(struct xen_cpuid_leaf *l, unsigned reg)
{
    uint32_t *regs[] = {&l->a, &l->b, &l->c, &l->d};
    return regs[reg];
}

static uint32_t get_word(struct policy *p, unsigned word)
{
    struct xen_cpuid_leaf *l = find(p, words[word].leaf, words[word].subleaf);
    return l ? *reg_of(l, words[word].reg) : 0;
}

static void set_word(struct policy *p, unsigned word, uint32_t value)
{
    struct xen_cpuid_leaf *l = find(p, words[word].leaf, words[word].subleaf);
    if (l)
        *reg_of(l, words[word].reg) = value;
}

/* Features that the vendor's virtualisation cannot give to a guest. */
static uint32_t hvm_missing[FEATURE_WORDS];

#define HAS(p, feature) (get_word((p), WORD(feature)) & BIT(feature))

static void clear_leaf(struct xen_cpuid_leaf *l)
{
    l->a = l->b = l->c = l->d = 0;
}

/* ---- Reading the processor ---- */

static struct cpuid add_hardware_leaf(struct policy *p, uint32_t leaf, uint32_t subleaf)
{
    struct cpuid r = cpuid(leaf, subleaf == NO_SUBLEAF ? 0 : subleaf);
    struct xen_cpuid_leaf l = {leaf, subleaf, r.eax, r.ebx, r.ecx, r.edx};
    if (!put(p, &l))
        panic("CPUID of this processor has more leaves than fit");
    return r;
}

#define MAX_CACHE_SUBLEAVES    6
#define MAX_FEATURE_SUBLEAF    2U
#define MAX_TOPOLOGY_SUBLEAVES 2
#define XSTATE_COMPONENTS      63

/* Room for every leaf: ten basic ones have no sub-leaves; two are the limits of the hypervisor's blocks. */
_Static_assert(CPU_POLICY_MAX_LEAVES == 10 + MAX_CACHE_SUBLEAVES + MAX_FEATURE_SUBLEAF + 1 + MAX_TOPOLOGY_SUBLEAVES +
                                            XSTATE_COMPONENTS + 2 + LAST_EXTENDED_LEAF - FIRST_EXTENDED_LEAF + 1,
               "ABI");

static void add_cache_leaves(struct policy *p)
{
    unsigned i = 0;
    while (add_hardware_leaf(p, 4, i).eax & 0x1f && i + 1 < MAX_CACHE_SUBLEAVES)
        i++;
}

static void add_feature_leaves(struct policy *p)
{
    uint32_t last = min(add_hardware_leaf(p, 7, 0).eax, MAX_FEATURE_SUBLEAF);
    for (uint32_t i = 1; i <= last; i++)
        add_hardware_leaf(p, 7, i);
}

static void add_topology_leaves(struct policy *p)
{
    add_hardware_leaf(p, 0xb, 0);
    for (unsigned i = 1; i < MAX_TOPOLOGY_SUBLEAVES && cpuid(0xb, i).ecx & 0xff00; i++)
        add_hardware_leaf(p, 0xb, i);
}

/* libxc writes all components up to the highest, those between that the processor has not included. */
static void add_xstate_leaves(struct policy *p)
{
    struct cpuid user = add_hardware_leaf(p, 0xd, 0), system = add_hardware_leaf(p, 0xd, 1);
    uint64_t components = (uint64_t)(user.edx | system.edx) << 32 | user.eax | system.ecx;
    for (unsigned i = 2; i < XSTATE_COMPONENTS && components >> i; i++)
        add_hardware_leaf(p, 0xd, i);
}

static void add_leaf(struct policy *p, uint32_t leaf)
{
    switch (leaf) {
    case 4:
        add_cache_leaves(p);
        break;
    case 7:
        add_feature_leaves(p);
        break;
    case 0xb:
        add_topology_leaves(p);
        break;
    case 0xd:
        add_xstate_leaves(p);
        break;
    default:
        add_hardware_leaf(p, leaf, NO_SUBLEAF);
    }
}

static void read_hardware(struct policy *p)
{
    uint32_t last = min(cpuid(0, 0).eax, LAST_BASIC_LEAF);
    uint32_t last_extended = min(cpuid(FIRST_EXTENDED_LEAF, 0).eax, LAST_EXTENDED_LEAF);
    for (uint32_t leaf = 0; leaf <= last; leaf++)
        add_leaf(p, leaf);
    for (uint32_t leaf = FIRST_EXTENDED_LEAF; leaf <= last_extended; leaf++)
        add_leaf(p, leaf);
    find(p, 0, NO_SUBLEAF)->a = last;
    find(p, FIRST_EXTENDED_LEAF, NO_SUBLEAF)->a = last_extended;
    for (uint32_t leaf = XEN_CPUID_FIRST_LEAF; leaf <= XEN_CPUID_FIRST_LEAF + 0x100; leaf += 0x100)
        put(p, &(struct xen_cpuid_leaf){.leaf = leaf, .subleaf = NO_SUBLEAF});
}

/* ---- Deriving ---- */

/* Leaves that describe one CPU, its power management or its counters, and say nothing true to a vcpu. */
static bool leaf_is_private(uint32_t leaf)
{
    switch (leaf) {
    case 3:
    case 5 ... 6:
    case 8 ... 0xc:
    case 0x80000009 ... 0x80000020:
        return true;
    }
    return false;
}

/* Sizes and offsets of the extended state for the components in xcr0; the size in use now is not in a policy. */
static void set_xstate(struct policy *p, uint64_t xcr0)
{
    struct xen_cpuid_leaf *l = find(p, 0xd, 0), *component;
    if (!l)
        return;
    uint32_t size = xcr0 ? 576 : 0;
    for (unsigned i = 2; i < XSTATE_COMPONENTS; i++) {
        component = find(p, 0xd, i);
        if (!component)
            continue;
        struct xen_cpuid_leaf *true_one = find(&raw_policy, 0xd, i);
        clear_leaf(component);
        if (!(xcr0 >> i & 1) || !true_one)
            continue;
        component->a = true_one->a;
        component->b = true_one->b;
        size = max(size, component->a + component->b);
    }
    l->a = (uint32_t)xcr0;
    l->b = 0;
    l->c = size;
    l->d = (uint32_t)(xcr0 >> 32);
    l = find(p, 0xd, 1);
    if (l)
        l->b = l->c = l->d = 0;
}

static uint64_t xcr0_of(struct policy *p)
{
    uint64_t xcr0 = cpu_features.xcr0_mask;
    if (!HAS(p, XSAVE))
        return 0;
    if (!HAS(p, AVX))
        return xcr0 & 0x3;
    return HAS(p, AVX512F) ? xcr0 : xcr0 & 0x7;
}

/* Vector extensions go with the state they need. */
static void drop_without_xstate(struct policy *p)
{
    static const struct {
        unsigned word;
        uint32_t avx, avx512;
    } needs[] = {
        {1, BIT(FMA) | BIT(F16C) | BIT(AVX), 0},
        {3, BIT(XOP) | BIT(FMA4), 0},
        {5, BIT(AVX2),
         BIT(AVX512F) | BIT(AVX512DQ) | BIT(AVX512_IFMA) | BIT(AVX512PF) | BIT(AVX512ER) | BIT(AVX512CD) |
             BIT(AVX512BW) | BIT(AVX512VL)},
        {6, BIT(VAES) | BIT(VPCLMULQDQ),
         BIT(AVX512_VBMI) | BIT(AVX512_VBMI2) | BIT(AVX512_VNNI) | BIT(AVX512_BITALG) | BIT(AVX512_VPOPCNTDQ)},
        {9, 0, BIT(AVX512_4VNNIW) | BIT(AVX512_4FMAPS) | BIT(AVX512_VP2INTERSECT)},
        {10, BIT(AVX_VNNI), BIT(AVX512_BF16)},
    };
    uint64_t xcr0 = xcr0_of(p);
    for (unsigned i = 0; i < ARRAY_SIZE(needs); i++) {
        uint32_t drop = (xcr0 & 0x4 ? 0 : needs[i].avx | needs[i].avx512) | (xcr0 & 0x80 ? 0 : needs[i].avx512);
        set_word(p, needs[i].word, get_word(p, needs[i].word) & ~drop);
    }
    if (!xcr0)
        set_word(p, WORD(XSAVEOPT), 0);
}

/* The fields beside the feature words that a guest may see, in every leaf. */
static void sanitize_leaf(struct xen_cpuid_leaf *l)
{
    if (leaf_is_private(l->leaf))
        clear_leaf(l);
    switch (l->leaf) {
    case 1:
        l->b &= 0x00ffff00; /* APIC id and brand id are not the policy's */
        break;
    case 7:
        if (l->subleaf == 0)
            l->a = min(l->a, MAX_FEATURE_SUBLEAF);
        break;
    case 0x80000001:
        l->b = 0;
        break;
    case 0x80000007:
        l->a = l->b = l->c = 0;
        break;
    case 0x80000008:
        l->a &= 0xffff;
        l->c = l->d = 0;
        break;
    case 0x80000021:
        l->b = l->d = 0;
        break;
    }
}

static void derive_host(void)
{
    host_policy = raw_policy;
    for (uint32_t i = 0; i < host_policy.count; i++)
        sanitize_leaf(&host_policy.leaf[i]);
    struct xen_cpuid_leaf *identity = find(&host_policy, 1, NO_SUBLEAF);
    identity->b &= 0x0000ff00;
    for (unsigned i = 0; i < FEATURE_WORDS; i++)
        set_word(&host_policy, i, get_word(&host_policy, i) & words[i].known);
    if (cpu_features.vendor == VENDOR_AMD) /* SYSENTER does not exist in 64-bit mode there */
        set_word(&host_policy, WORD(SEP), get_word(&host_policy, WORD(SEP)) & ~BIT(SEP));
    drop_without_xstate(&host_policy);
    set_xstate(&host_policy, xcr0_of(&host_policy));
}

static bool is_hvm_kind(enum kind k)
{
    return k == HVM_MAX || k == HVM_DEFAULT;
}

/* Four levels of nested tables reach this far. */
#define NESTED_ADDRESS_BITS 48U

static void derive_guest(enum kind k)
{
    const bool maximum = k == PV_MAX || k == HVM_MAX;
    struct policy *p = &guest_policy[k];
    *p = host_policy;
    for (unsigned i = 0; i < FEATURE_WORDS; i++)
        set_word(p, i, get_word(p, i) & words[i].guest[k]);
    set_word(p, WORD(HYPERVISOR), get_word(p, WORD(HYPERVISOR)) | BIT(HYPERVISOR));
    if (maximum || is_hvm_kind(k)) /* an HVM guest's local APIC is ours, whatever the processor's can do */
        set_word(p, WORD(X2APIC), get_word(p, WORD(X2APIC)) | BIT(X2APIC));
    if (maximum) { /* what a toolstack may say of a vcpu, whatever the processor is */
        set_word(p, WORD(HTT), get_word(p, WORD(HTT)) | BIT(HTT));
        set_word(p, WORD(CMP_LEGACY), get_word(p, WORD(CMP_LEGACY)) | BIT(CMP_LEGACY));
    }
    if (is_hvm_kind(k)) {
        set_word(p, WORD(SEP), get_word(p, WORD(SEP)) | HAS(&raw_policy, SEP)); /* 32-bit kernels use it on AMD too */
        for (unsigned i = 0; i < FEATURE_WORDS; i++)
            set_word(p, i, get_word(p, i) & ~hvm_missing[i]);
        struct xen_cpuid_leaf *l = find(p, 0x80000008, NO_SUBLEAF);
        l->a = (l->a & ~0xffU) | min(l->a & 0xff, NESTED_ADDRESS_BITS);
    }
    drop_without_xstate(p);
    set_xstate(p, xcr0_of(p));
}

void cpu_policy_hvm_without(unsigned feature)
{
    ASSERT(feature / 32 < FEATURE_WORDS);
    hvm_missing[feature / 32] |= 1U << (feature % 32);
    if (host_policy.count) { /* the policies are made already */
        derive_guest(HVM_MAX);
        derive_guest(HVM_DEFAULT);
    }
}

void cpu_policy_init(void)
{
    read_hardware(&raw_policy);
    derive_host();
    for (enum kind k = 0; k < KINDS; k++)
        derive_guest(k);
    dom0_policy = guest_policy[PV_DEFAULT];
    /* Domain-0 never moves to another machine: it may know that the TSC is good. */
    set_word(&dom0_policy, WORD(ITSC), get_word(&host_policy, WORD(ITSC)) & BIT(ITSC));
}

/* ---- CPUID by a guest ---- */

/* The leaves of d's policy. */
static const struct xen_cpuid_leaf *leaves_of(const struct domain *d, uint32_t *count)
{
    const struct policy *p = d->is_privileged ? &dom0_policy : &guest_policy[is_hvm(d) ? HVM_DEFAULT : PV_DEFAULT];
    *count = d->cpu_policy.leaf ? d->cpu_policy.nr_leaves : p->count;
    return d->cpu_policy.leaf ? d->cpu_policy.leaf : p->leaf;
}

/* The first record of `leaf`, or of the next higher one there is; leaf + count when there is none. Basic leaves are at
 * the start, and those with low numbers are asked for most. */
static const struct xen_cpuid_leaf *first_record(const struct xen_cpuid_leaf *l, uint32_t count, uint32_t leaf)
{
    if (leaf <= LAST_BASIC_LEAF) {
        while (count-- && l->leaf < leaf)
            l++;
        return l;
    }
    while (count) {
        uint32_t half = count / 2;
        if (l[half].leaf < leaf) {
            l += half + 1;
            count -= half + 1;
        } else {
            count = half;
        }
    }
    return l;
}

struct xen_cpuid_leaf cpu_policy_lookup(const struct domain *d, uint32_t leaf, uint32_t subleaf)
{
    uint32_t count;
    const struct xen_cpuid_leaf *leaves = leaves_of(d, &count), *end = leaves + count, *l, *limit;
    limit = first_record(leaves, count, leaf & FIRST_EXTENDED_LEAF);
    if (limit == end || limit->leaf != (leaf & FIRST_EXTENDED_LEAF) || leaf > limit->a)
        return (struct xen_cpuid_leaf){0};
    for (l = first_record(leaves, count, leaf); l != end && l->leaf == leaf; l++)
        if (l->subleaf == subleaf || l->subleaf == NO_SUBLEAF)
            return *l;
    return (struct xen_cpuid_leaf){0};
}

#define XSAVE_LEGACY_AND_HEADER 576U
#define XSTATE_FIRST_EXTENDED   2
#define XSTATE_COMPONENTS       63

/* Standard offsets come from the policy's own leaves: a component that the domain may not have counts nothing. */
uint32_t cpu_policy_xstate_bytes(const struct domain *d, uint64_t features, bool compacted)
{
    uint32_t bytes = XSAVE_LEGACY_AND_HEADER;
    for (unsigned i = XSTATE_FIRST_EXTENDED; i < XSTATE_COMPONENTS; i++) {
        if (!(features >> i & 1))
            continue;
        struct xen_cpuid_leaf l = cpu_policy_lookup(d, 0xd, i);
        if (compacted)
            bytes += l.a;
        else if (l.a)
            bytes = max(bytes, l.a + l.b);
    }
    return bytes;
}

static struct cpuid time_leaf(const struct vcpu *v, uint32_t subleaf)
{
    const struct domain *d = v->domain;
    const struct clock_scale scale = domain_tsc_scale(d);
    uint32_t flags =
        (d->tsc.emulated ? 1 : 0) | (cpu_features.invariant_tsc ? 2 : 0) | (HAS(&host_policy, RDTSCP) ? 4 : 0);
    switch (subleaf) {
    case 0:
        return (struct cpuid){flags, d->tsc.mode, domain_tsc_khz(d), d->tsc.incarnation};
    case 1:
        return (struct cpuid){0, 0, scale.multiplier, (uint32_t)scale.shift};
    case 2:
        return (struct cpuid){(uint32_t)tsc_khz(), 0, 0, 0};
    default:
        return (struct cpuid){0};
    }
}

static uint32_t hypervisor_limit(const struct domain *d, uint32_t first)
{
    uint32_t count, limit = XEN_CPUID_MAX_NUM_LEAVES;
    const struct xen_cpuid_leaf *leaves = leaves_of(d, &count), *l = first_record(leaves, count, first);
    if (l != leaves + count && l->leaf == first && (l->a & 0xff) >= 2)
        limit = min(limit, l->a & 0xff);
    return first + limit;
}

bool cpu_policy_hypervisor_leaf(const struct vcpu *v, uint32_t first, uint32_t leaf, uint32_t subleaf,
                                struct cpuid *out)
{
    uint32_t limit = hypervisor_limit(v->domain, first);
    *out = (struct cpuid){0};
    if (leaf > limit)
        return true;
    switch (leaf - first) {
    case 0:
        *out = (struct cpuid){limit, XEN_CPUID_SIGNATURE_EBX, XEN_CPUID_SIGNATURE_ECX, XEN_CPUID_SIGNATURE_EDX};
        return true;
    case 1:
        *out = (struct cpuid){XEN_VERSION_LEAF, 0, 0, 0};
        return true;
    case 3:
        *out = time_leaf(v, subleaf);
        return true;
    default:
        return false;
    }
}

/* ---- Toolstacks ---- */

/* Both MSRs of a policy are 0: no CPUID faulting, no MSR_ARCH_CAPABILITIES. */
static int copy_out(const struct xen_cpuid_leaf *from, uint32_t count, struct xen_cpuid_leaf *leaf, uint32_t *leaves,
                    struct xen_msr_entry *msr, uint32_t *msrs)
{
    static const struct xen_msr_entry entries[CPU_POLICY_MAX_MSRS] = {{MSR_PLATFORM_INFO, 0, 0},
                                                                      {MSR_ARCH_CAPABILITIES, 0, 0}};
    uint32_t room = *leaves, msr_room = *msrs;
    *leaves = count;
    *msrs = CPU_POLICY_MAX_MSRS;
    memcpy(leaf, from, min(room, count) * sizeof(*leaf));
    memcpy(msr, entries, min(msr_room, (uint32_t)CPU_POLICY_MAX_MSRS) * sizeof(*msr));
    return room < count || msr_room < CPU_POLICY_MAX_MSRS ? -ENOBUFS : 0;
}

/* By XEN_SYSCTL_cpu_policy_*. NULL: unknown. */
static const struct policy *system_policy(unsigned index)
{
    static const struct policy *const policies[] = {
        [XEN_SYSCTL_cpu_policy_raw] = &raw_policy,
        [XEN_SYSCTL_cpu_policy_host] = &host_policy,
        [XEN_SYSCTL_cpu_policy_pv_max] = &guest_policy[PV_MAX],
        [XEN_SYSCTL_cpu_policy_pv_default] = &guest_policy[PV_DEFAULT],
        [XEN_SYSCTL_cpu_policy_hvm_max] = &guest_policy[HVM_MAX],
        [XEN_SYSCTL_cpu_policy_hvm_default] = &guest_policy[HVM_DEFAULT],
    };
    return index < ARRAY_SIZE(policies) ? policies[index] : NULL;
}

int cpu_policy_get_system(unsigned index, struct xen_cpuid_leaf *leaf, uint32_t *leaves, struct xen_msr_entry *msr,
                          uint32_t *msrs)
{
    const struct policy *p = system_policy(index);
    if (!p)
        return -EINVAL;
    if ((index == XEN_SYSCTL_cpu_policy_hvm_max || index == XEN_SYSCTL_cpu_policy_hvm_default) && !hvm_available())
        return -EOPNOTSUPP;
    return copy_out(p->leaf, p->count, leaf, leaves, msr, msrs);
}

int cpu_policy_get_domain(struct domain *d, struct xen_cpuid_leaf *leaf, uint32_t *leaves, struct xen_msr_entry *msr,
                          uint32_t *msrs)
{
    uint32_t count;
    const struct xen_cpuid_leaf *from = leaves_of(d, &count);
    return copy_out(from, count, leaf, leaves, msr, msrs);
}

static bool leaf_exists(uint32_t leaf, uint32_t subleaf)
{
    switch (leaf) {
    case 4:
        return subleaf < MAX_CACHE_SUBLEAVES;
    case 7:
        return subleaf <= MAX_FEATURE_SUBLEAF;
    case 0xb:
        return subleaf < MAX_TOPOLOGY_SUBLEAVES;
    case 0xd:
        return subleaf < XSTATE_COMPONENTS;
    }
    bool exists = leaf <= LAST_BASIC_LEAF || (leaf >= FIRST_EXTENDED_LEAF && leaf <= LAST_EXTENDED_LEAF) ||
                  leaf == XEN_CPUID_FIRST_LEAF || leaf == XEN_CPUID_FIRST_LEAF + 0x100;
    return exists && subleaf == NO_SUBLEAF;
}

/* A limit above the processor's would promise leaves that are not there. */
static bool limit_ok(struct policy *maximum, const struct xen_cpuid_leaf *l)
{
    if (l->leaf != 0 && l->leaf != FIRST_EXTENDED_LEAF)
        return true;
    return l->a <= find(maximum, l->leaf, NO_SUBLEAF)->a;
}

static void clip(struct policy *p, struct policy *maximum)
{
    const uint32_t address_bits = find(maximum, 0x80000008, NO_SUBLEAF)->a & 0xff;
    for (unsigned i = 0; i < FEATURE_WORDS; i++)
        set_word(p, i, get_word(p, i) & get_word(maximum, i));
    set_word(p, WORD(HYPERVISOR), get_word(p, WORD(HYPERVISOR)) | BIT(HYPERVISOR));
    for (uint32_t i = 0; i < p->count; i++) {
        struct xen_cpuid_leaf *l = &p->leaf[i];
        uint32_t topology_b = l->b, topology_c = l->c, topology_a = l->a;
        sanitize_leaf(l);
        if (l->leaf == 0xb) { /* the vcpu's own, made by the toolstack */
            l->a = topology_a;
            l->b = topology_b;
            l->c = topology_c;
        }
        if (l->leaf == 0x80000008)
            l->a = (l->a & ~0xffU) | min(l->a & 0xff, address_bits);
    }
    drop_without_xstate(p);
    set_xstate(p, xcr0_of(p));
}

static int overlay(struct policy *p, struct policy *maximum, const struct xen_cpuid_leaf *leaf, uint32_t leaves,
                   uint32_t *bad_leaf, uint32_t *bad_subleaf)
{
    for (uint32_t i = 0; i < leaves; i++) {
        if (leaf_exists(leaf[i].leaf, leaf[i].subleaf) && limit_ok(maximum, &leaf[i]) && put(p, &leaf[i]))
            continue;
        *bad_leaf = leaf[i].leaf;
        *bad_subleaf = leaf[i].subleaf;
        return -EINVAL;
    }
    return 0;
}

static int check_msrs(const struct xen_msr_entry *msr, uint32_t msrs, uint32_t *bad_msr)
{
    for (uint32_t i = 0; i < msrs; i++)
        if (msr[i].flags || (msr[i].idx != MSR_PLATFORM_INFO && msr[i].idx != MSR_ARCH_CAPABILITIES)) {
            *bad_msr = msr[i].idx;
            return -EINVAL;
        }
    return 0;
}

int cpu_policy_set_domain(struct domain *d, const struct xen_cpuid_leaf *leaf, uint32_t leaves,
                          const struct xen_msr_entry *msr, uint32_t msrs, uint32_t *bad_leaf, uint32_t *bad_subleaf,
                          uint32_t *bad_msr)
{
    struct policy *maximum = &guest_policy[is_hvm(d) ? HVM_MAX : PV_MAX];
    int error = check_msrs(msr, msrs, bad_msr);
    if (error)
        return error;
    struct policy *new = zalloc(sizeof(*new));
    if (!new)
        return -ENOMEM;
    const struct xen_cpuid_leaf *old = leaves_of(d, &new->count);
    memcpy(new->leaf, old, new->count * sizeof(*old));
    error = overlay(new, maximum, leaf, leaves, bad_leaf, bad_subleaf);
    struct xen_cpuid_leaf *kept = error ? NULL : zalloc((new->count) * sizeof(*kept));
    if (!error && !kept)
        error = -ENOMEM;
    if (!error) {
        clip(new, maximum);
        memcpy(kept, new->leaf, new->count * sizeof(*kept));
        free(d->cpu_policy.leaf);
        d->cpu_policy.leaf = kept;
        d->cpu_policy.nr_leaves = new->count;
    }
    free(new);
    return error;
}

/* Without virtualisation HVM guests have no features. */
int cpu_featureset_get(unsigned index, uint32_t *words_out, uint32_t *count)
{
    static struct policy *const policies[] = {
        [XEN_SYSCTL_cpu_featureset_raw] = &raw_policy,
        [XEN_SYSCTL_cpu_featureset_host] = &host_policy,
        [XEN_SYSCTL_cpu_featureset_pv] = &guest_policy[PV_DEFAULT],
        [XEN_SYSCTL_cpu_featureset_hvm] = &guest_policy[HVM_DEFAULT],
        [XEN_SYSCTL_cpu_featureset_pv_max] = &guest_policy[PV_MAX],
        [XEN_SYSCTL_cpu_featureset_hvm_max] = &guest_policy[HVM_MAX],
    };
    if (index >= ARRAY_SIZE(policies))
        return -EINVAL;
    bool hvm = index == XEN_SYSCTL_cpu_featureset_hvm || index == XEN_SYSCTL_cpu_featureset_hvm_max;
    for (unsigned i = 0; i < min(*count, (uint32_t)FEATURE_WORDS); i++)
        words_out[i] = hvm && !hvm_available() ? 0 : get_word(policies[index], i);
    *count = FEATURE_WORDS;
    return 0;
}
