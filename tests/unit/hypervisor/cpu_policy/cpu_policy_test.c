/*
 * Policies made from this machine's own CPUID: their order, what a PV guest never sees, what a toolstack can and cannot
 * change, and that nothing it sends is taken at its word.
 */
#include "../../check.h"
#include "../../random.h"
#include <stdio.h>
#include <stdlib.h>
#include <hv/cpu_policy.h>
#include <hv/hvm.h>
#include <hv/page.h>
#include <hv/vdev.h>
#include <hv/viridian.h>
#include <hv/xstate.h>
#include <xen/arch-x86/cpufeatureset.h>
#include <xen/sysctl.h>

mfn_t max_mfn = 0x1c0000; /* 7 GiB */

uint64_t xstate_xcr0(struct vcpu *v)
{
    return v->xcr0;
}

static bool virtualisation = true;
static uint64_t apic_base;
static unsigned code_bytes = 8;
bool hvm_available(void)
{
    return virtualisation;
}
uint64_t vlapic_base(const struct vcpu *v)
{
    return apic_base;
}
unsigned hvm_code_bytes(struct vcpu *v)
{
    return code_bytes;
}
struct cpuid viridian_cpuid(const struct vcpu *v, uint32_t leaf)
{
    return (struct cpuid){leaf, 1, 2, 3};
}

#define LEAVES CPU_POLICY_MAX_LEAVES

struct answer {
    struct xen_cpuid_leaf leaf[LEAVES];
    struct xen_msr_entry msr[2];
    uint32_t leaves, msrs;
};

static struct answer system_policy(unsigned index)
{
    struct answer a = {.leaves = LEAVES, .msrs = 2};
    CHECK(cpu_policy_get_system(index, a.leaf, &a.leaves, a.msr, &a.msrs) == 0 && a.msrs == 2);
    return a;
}

static struct xen_cpuid_leaf *leaf_of(struct answer *a, uint32_t leaf, uint32_t subleaf)
{
    for (uint32_t i = 0; i < a->leaves; i++)
        if (a->leaf[i].leaf == leaf && a->leaf[i].subleaf == subleaf)
            return &a->leaf[i];
    return NULL;
}

static void check_order(const struct answer *a)
{
    for (uint32_t i = 1; i < a->leaves; i++) {
        const struct xen_cpuid_leaf *p = &a->leaf[i - 1], *q = &a->leaf[i];
        CHECK(p->leaf < q->leaf || (p->leaf == q->leaf && p->subleaf < q->subleaf));
    }
}

/* MONITOR, VMX, SMX, PCID, TSC deadline, OSXSAVE; VME, PSE, MTRR, PGE, PSE36; SVM; 1 GiB pages;
 * SMEP, SMAP, UMIP, PKU */
static void check_hidden(const struct xen_cpuid_leaf *l)
{
    static const struct {
        uint32_t leaf, subleaf, b, c, d;
    } hidden[] = {
        {1, XEN_CPUID_NO_SUBLEAF, 0, 1 << 3 | 1 << 5 | 1 << 6 | 1 << 17 | 1 << 24,
         1 << 1 | 1 << 3 | 1 << 12 | 1 << 13 | 1 << 17},
        {7, 0, 1 << 7 | 1 << 10 | 1 << 20, 1 << 2 | 1 << 3, 1 << 26 | 1 << 27 | 1 << 29 | 1U << 31},
        {0x80000001, XEN_CPUID_NO_SUBLEAF, 0, 1 << 2, 1 << 26},
        {0x80000008, XEN_CPUID_NO_SUBLEAF, 1 << 12, 0, 0},
        {0x8000000a, XEN_CPUID_NO_SUBLEAF, ~0U, ~0U, ~0U},
    };
    for (unsigned i = 0; i < ARRAY_SIZE(hidden); i++)
        if (l->leaf == hidden[i].leaf && l->subleaf == hidden[i].subleaf)
            CHECK(!(l->b & hidden[i].b) && !(l->c & hidden[i].c) && !(l->d & hidden[i].d));
}

static void test_system(void)
{
    static const unsigned kinds[] = {XEN_SYSCTL_cpu_policy_raw, XEN_SYSCTL_cpu_policy_host,
                                     XEN_SYSCTL_cpu_policy_pv_max, XEN_SYSCTL_cpu_policy_pv_default};
    for (unsigned i = 0; i < ARRAY_SIZE(kinds); i++) {
        struct answer a = system_policy(kinds[i]);
        check_order(&a);
        CHECK(leaf_of(&a, 0, ~0U)->a <= 0xd && leaf_of(&a, 0x80000000, ~0U)->a >= 0x80000008 && leaf_of(&a, 7, 0));
        for (uint32_t n = 0; i >= 2 && n < a.leaves; n++)
            check_hidden(&a.leaf[n]);
    }
    struct answer a = {.leaves = 3, .msrs = 1};
    CHECK(cpu_policy_get_system(XEN_SYSCTL_cpu_policy_raw, a.leaf, &a.leaves, a.msr, &a.msrs) == -ENOBUFS);
    CHECK(a.leaves > 3 && a.msrs == 2 && a.leaf[3].a == 0 && a.msr[1].idx == 0);
    virtualisation = false;
    CHECK(cpu_policy_get_system(XEN_SYSCTL_cpu_policy_hvm_max, a.leaf, &a.leaves, a.msr, &a.msrs) == -EOPNOTSUPP);
    CHECK(cpu_policy_get_system(XEN_SYSCTL_cpu_policy_hvm_default, a.leaf, &a.leaves, a.msr, &a.msrs) == -EOPNOTSUPP);
    virtualisation = true;
    CHECK(cpu_policy_get_system(6, a.leaf, &a.leaves, a.msr, &a.msrs) == -EINVAL);
    uint32_t words[32] = {0}, count = 32;
    CHECK(cpu_featureset_get(XEN_SYSCTL_cpu_featureset_host, words, &count) == 0 && count == 19);
    CHECK(words[0] & 1 && words[2] & 1 << 29);
    count = 1;
    words[1] = 77;
    CHECK(cpu_featureset_get(XEN_SYSCTL_cpu_featureset_pv, words, &count) == 0 && count == 19 && words[1] == 77);
    CHECK(cpu_featureset_get(99, words, &count) == -EINVAL);
}

static void test_guest_view(void)
{
    struct domain d = {.tsc.mode = 2};
    struct vcpu v = {.domain = &d, .id = 3};
    struct cpuid r;
    pv_cpuid(&v, 0x40000000, 0, &r);
    CHECK(r.eax == 0x40000005 && memcmp(&r.ebx, "XenV", 4) == 0 && memcmp(&r.ecx, "MMXe", 4) == 0);
    pv_cpuid(&v, 0x40000001, 0, &r);
    CHECK(r.eax == 0x00040011);
    pv_cpuid(&v, 0x40000003, 0, &r);
    CHECK(r.ebx == 2 && r.ecx == 2500000);
    pv_cpuid(&v, 0x40000005, 0, &r);
    CHECK(r.ebx == 33);
    pv_cpuid(&v, 0x40000100, 0, &r);
    CHECK(!r.eax && !r.ebx);
    pv_cpuid(&v, 1, 0, &r);
    CHECK(r.ebx >> 24 == 6 && r.ecx & 1U << 31 && !(r.ecx & 1 << 26) == !(r.ecx & 1 << 27)); /* XSAVE, OSXSAVE */
    struct cpuid again;
    pv_cpuid(&v, 1, 5, &again); /* no sub-leaves: ecx does not matter */
    CHECK(memcmp(&r, &again, sizeof(r)) == 0);
    pv_cpuid(&v, 0xe, 0, &r);
    CHECK(!r.eax && !r.ebx && !r.ecx && !r.edx);
    pv_cpuid(&v, 0x80000100, 0, &r);
    CHECK(!r.eax && !r.ebx && !r.ecx && !r.edx);
}

/* Sizes of the extended state follow from the components, not from what the processor says of its own XCR0: Linux adds
 * them up too, and does without XSAVE when the sums differ. */
static void test_xstate_sizes(void)
{
    struct domain d = {0};
    struct vcpu v = {.domain = &d, .xcr0 = 3};
    struct cpuid r, component;
    pv_cpuid(&v, 0xd, 0, &r);
    if (!r.eax)
        return;
    CHECK(r.ebx == 576 && r.ecx >= r.ebx);
    v.xcr0 = r.eax;
    uint32_t standard = 576, compacted = 576;
    for (unsigned i = 2; i < 63; i++) {
        pv_cpuid(&v, 0xd, i, &component);
        compacted += component.eax;
        if (component.eax + component.ebx > standard)
            standard = component.eax + component.ebx;
    }
    pv_cpuid(&v, 0xd, 0, &r);
    CHECK(r.ebx == standard && r.ecx == standard);
    pv_cpuid(&v, 0xd, 1, &r);
    CHECK(r.ebx == (r.eax & 2 ? compacted : 0));
}

static int set(struct domain *d, const struct xen_cpuid_leaf *l, uint32_t n, uint32_t *bad)
{
    uint32_t subleaf, msr;
    *bad = ~0U;
    return cpu_policy_set_domain(d, l, n, NULL, 0, bad, &subleaf, &msr);
}

static void test_set(void)
{
    struct domain d = {0};
    struct vcpu v = {.domain = &d};
    struct cpuid r;
    uint32_t bad, subleaf, bad_msr = 0;
    struct answer a = system_policy(XEN_SYSCTL_cpu_policy_pv_default), b = {.leaves = LEAVES, .msrs = 2};
    CHECK(set(&d, a.leaf, a.leaves, &bad) == 0);
    CHECK(cpu_policy_get_domain(&d, b.leaf, &b.leaves, b.msr, &b.msrs) == 0 && b.leaves == a.leaves);
    CHECK(memcmp(a.leaf, b.leaf, a.leaves * sizeof(a.leaf[0])) == 0); /* what we gave comes back as it is */
    struct xen_cpuid_leaf all = {1, XEN_CPUID_NO_SUBLEAF, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff};
    CHECK(set(&d, &all, 1, &bad) == 0); /* more than PV may have: clipped */
    pv_cpuid(&v, 1, 0, &r);
    CHECK(!(r.ecx & (1 << 3 | 1 << 5 | 1 << 17 | 1 << 24)) && !(r.edx & (1 << 12 | 1 << 13)) && r.edx & 1 << 28);
    struct xen_cpuid_leaf lower = {0, XEN_CPUID_NO_SUBLEAF, 4, 1, 2, 3};
    CHECK(set(&d, &lower, 1, &bad) == 0);
    pv_cpuid(&v, 7, 0, &r);
    CHECK(!r.eax && !r.ebx);
    struct xen_cpuid_leaf wrong[] = {{0, XEN_CPUID_NO_SUBLEAF, 0xe, 0, 0, 0},
                                     {0xe, XEN_CPUID_NO_SUBLEAF, 0, 0, 0, 0},
                                     {1, 0, 0, 0, 0, 0},
                                     {7, 3, 0, 0, 0, 0},
                                     {0x80000022, XEN_CPUID_NO_SUBLEAF, 0, 0, 0, 0},
                                     {0x50000000, XEN_CPUID_NO_SUBLEAF, 0, 0, 0, 0}};
    for (unsigned i = 0; i < ARRAY_SIZE(wrong); i++)
        CHECK(set(&d, &wrong[i], 1, &bad) == -EINVAL && bad == wrong[i].leaf);
    struct xen_msr_entry msr[2] = {{0xce, 0, 0}, {0x10b, 0, 0}};
    CHECK(cpu_policy_set_domain(&d, NULL, 0, msr, 1, &bad, &subleaf, &bad_msr) == 0);
    CHECK(cpu_policy_set_domain(&d, NULL, 0, msr, 2, &bad, &subleaf, &bad_msr) == -EINVAL && bad_msr == 0x10b);
    free(d.cpu_policy.leaf);
}

int toolstack_leaves(const void *leaves, uint32_t count);

/* libxc gives the buffer into which it writes a changed policy the size of the one that it has read. */
static void test_read_as_written(void)
{
    for (unsigned i = XEN_SYSCTL_cpu_policy_raw; i <= XEN_SYSCTL_cpu_policy_hvm_default; i++) {
        struct answer a = system_policy(i);
        int back = toolstack_leaves(a.leaf, a.leaves);
        CHECK(back > 0 && (uint32_t)back <= a.leaves);
    }
}

/* Toolstacks hold a policy in a structure and write all of it back: each sub-leaf that it names, whether or not the
 * processor has it. */
static void test_write_back_all(void)
{
    struct domain d = {0};
    struct xen_cpuid_leaf l[LEAVES];
    uint32_t n = 0, bad;
    struct answer limits = system_policy(XEN_SYSCTL_cpu_policy_pv_default);
    for (uint32_t leaf = 0; leaf <= 0xd; leaf++) {
        uint32_t subleaves = leaf == 4 ? 6 : leaf == 7 ? 3 : leaf == 0xb ? 2 : leaf == 0xd ? 63 : 0;
        for (uint32_t i = 0; i < subleaves; i++)
            l[n++] = (struct xen_cpuid_leaf){leaf, i, 0, 0, 0, 0};
        if (!subleaves)
            l[n++] = (struct xen_cpuid_leaf){leaf, XEN_CPUID_NO_SUBLEAF, 0, 0, 0, 0};
    }
    l[n++] = (struct xen_cpuid_leaf){0x40000000, XEN_CPUID_NO_SUBLEAF, 0, 0, 0, 0};
    l[n++] = (struct xen_cpuid_leaf){0x40000100, XEN_CPUID_NO_SUBLEAF, 0, 0, 0, 0};
    for (uint32_t leaf = 0x80000000; leaf <= 0x80000021; leaf++)
        l[n++] = (struct xen_cpuid_leaf){leaf, XEN_CPUID_NO_SUBLEAF, 0, 0, 0, 0};
    l[0].a = leaf_of(&limits, 0, ~0U)->a;
    CHECK(n == LEAVES);
    CHECK(set(&d, l, n, &bad) == 0);
    struct answer now = {.leaves = LEAVES, .msrs = 2};
    CHECK(cpu_policy_get_domain(&d, now.leaf, &now.leaves, now.msr, &now.msrs) == 0 && now.leaves == n);
    check_order(&now);
    free(d.cpu_policy.leaf);
}

/* A hostile toolstack: whatever is accepted stays sorted and within what PV may have. */
static void test_fuzz(void)
{
    struct domain d = {0};
    struct answer pv_max = system_policy(XEN_SYSCTL_cpu_policy_pv_max);
    static const uint32_t leaves[] = {0,   1,          2,          4,          7,          0xb,
                                      0xd, 0x80000000, 0x80000001, 0x80000008, 0x8000000a, 0x80000021};
    for (int round = 0; round < 20000; round++) {
        struct xen_cpuid_leaf l[8];
        uint32_t bad;
        for (int i = 0; i < 8; i++)
            l[i] = (struct xen_cpuid_leaf){leaves[random_below(ARRAY_SIZE(leaves))],
                                           random_below(2) ? XEN_CPUID_NO_SUBLEAF : random_below(64),
                                           (uint32_t)random64(),
                                           (uint32_t)random64(),
                                           (uint32_t)random64(),
                                           (uint32_t)random64()};
        set(&d, l, random_below(9), &bad);
        struct answer now = {.leaves = LEAVES, .msrs = 2};
        CHECK(cpu_policy_get_domain(&d, now.leaf, &now.leaves, now.msr, &now.msrs) == 0);
        check_order(&now);
        CHECK(leaf_of(&now, 0, ~0U)->a <= leaf_of(&pv_max, 0, ~0U)->a);
        for (uint32_t n = 0; n < now.leaves; n++)
            check_hidden(&now.leaf[n]);
        struct xen_cpuid_leaf *xstate = leaf_of(&now, 0xd, 0), *limit = leaf_of(&pv_max, 0xd, 0);
        CHECK(!xstate || !limit || (!(xstate->a & ~limit->a) && xstate->c <= limit->c));
    }
    free(d.cpu_policy.leaf);
}

/* ---- HVM ---- */

/* MONITOR, VMX, SMX, DS, TM; PKU, OSPKE, MPX, PQM; SVM, SKINIT, IBS, breakpoint masks, XSAVES; IBRS and ARCH_CAPS. */
static void check_hidden_hvm(const struct xen_cpuid_leaf *l)
{
    static const struct {
        uint32_t leaf, subleaf, a, b, c, d;
    } hidden[] = {
        {1, XEN_CPUID_NO_SUBLEAF, 0, 0, 1 << 3 | 1 << 5 | 1 << 6 | 1 << 15, 1 << 21 | 1 << 29},
        {7, 0, 0, 1 << 12 | 1 << 14, 1 << 3 | 1 << 4, 1 << 26 | 1 << 27 | 1 << 29 | 1U << 31},
        {0xa, XEN_CPUID_NO_SUBLEAF, ~0U, ~0U, ~0U, ~0U},
        {0xd, 1, 1 << 3, 0, 0, 0},
        {0x80000001, XEN_CPUID_NO_SUBLEAF, 0, 0, 1 << 2 | 1 << 10 | 1 << 12 | 1 << 26, 0},
        {0x80000008, XEN_CPUID_NO_SUBLEAF, 0, 1 << 12 | 1 << 14 | 1 << 24, 0, 0},
        {0x8000000a, XEN_CPUID_NO_SUBLEAF, ~0U, ~0U, ~0U, ~0U},
    };
    for (unsigned i = 0; i < ARRAY_SIZE(hidden); i++)
        if (l->leaf == hidden[i].leaf && l->subleaf == hidden[i].subleaf)
            CHECK(!(l->a & hidden[i].a) && !(l->b & hidden[i].b) && !(l->c & hidden[i].c) && !(l->d & hidden[i].d));
}

static void test_hvm_system(void)
{
    struct answer max = system_policy(XEN_SYSCTL_cpu_policy_hvm_max);
    struct answer def = system_policy(XEN_SYSCTL_cpu_policy_hvm_default);
    uint32_t pv[19], hvm[19], words = 19;
    check_order(&max);
    check_order(&def);
    for (uint32_t n = 0; n < max.leaves; n++)
        check_hidden_hvm(&max.leaf[n]);
    for (uint32_t n = 0; n < def.leaves; n++)
        check_hidden_hvm(&def.leaf[n]);
    CHECK(cpu_featureset_get(XEN_SYSCTL_cpu_featureset_pv_max, pv, &words) == 0);
    CHECK(cpu_featureset_get(XEN_SYSCTL_cpu_featureset_hvm_max, hvm, &words) == 0 && words == 19);
    CHECK((hvm[0] & 0x3f) == 0x3f && hvm[0] & 1 << 12 && hvm[0] & 1 << 13 && hvm[0] & 1 << 11); /* VME.. MTRR PGE SEP */
    CHECK(hvm[1] & 1 << 21 && hvm[1] & 1U << 31 && hvm[2] & 1 << 29);       /* x2APIC, HYPERVISOR, LM */
    CHECK(cpuid(7, 0).ebx & 1 << 7 ? hvm[5] & 1 << 7 : !(hvm[5] & 1 << 7)); /* SMEP as it is */
    pv[3] &= ~(1U << 26);
    for (unsigned i = 0; i < 19; i++)
        CHECK(!(pv[i] & ~hvm[i])); /* all that PV may have beside breakpoint masks, and more */
    CHECK((leaf_of(&max, 0x80000008, ~0U)->a & 0xff) <= 48);
    virtualisation = false;
    CHECK(cpu_featureset_get(XEN_SYSCTL_cpu_featureset_hvm, hvm, &words) == 0 && hvm[0] == 0 && hvm[2] == 0);
    virtualisation = true;
}

static void test_hvm_view(void)
{
    struct hvm_domain hd = {0};
    struct hvm_vcpu hv = {.lapic = (void *)&hd};
    struct domain d = {.id = 9, .hvm = &hd};
    struct vcpu v = {.domain = &d, .id = 3, .hvm = &hv, .xcr0 = 3};
    struct cpuid r;
    apic_base = 0xfee00800;
    hvm_cpuid(&v, 0x40000000, 0, &r);
    CHECK(r.eax == 0x40000005 && memcmp(&r.ebx, "XenVMMXenVMM", 4) == 0);
    hvm_cpuid(&v, 0x40000002, 0, &r);
    CHECK(r.eax == 1 && r.ebx == 0x40000000 && !r.ecx);
    hvm_cpuid(&v, 0x40000004, 0, &r);
    CHECK(r.eax == 0x5c && r.ebx == 3 && r.ecx == 9);
    hvm_cpuid(&v, 0x40000004, 1, &r);
    CHECK(!r.eax && !r.ebx && !r.ecx);
    hvm_cpuid(&v, 0x40000100, 0, &r);
    CHECK(!r.eax && !r.ebx);
    hvm_cpuid(&v, 1, 0, &r);
    CHECK(r.ebx >> 24 == 6 && r.edx & 1 << 9 && !(r.ecx & 1 << 27) && r.ecx & 1 << 21);
    hv.cr4 = X86_CR4_OSXSAVE;
    apic_base = 0xfee00000; /* switched off by the guest */
    hvm_cpuid(&v, 1, 0, &r);
    CHECK(!(r.edx & 1 << 9) && !(r.ecx & 1 << 27) == !(r.ecx & 1 << 26) && r.ecx & 1 << 21);
    hv.lapic = NULL;
    hvm_cpuid(&v, 1, 0, &r);
    CHECK(!(r.edx & 1 << 9) && !(r.ecx & (1 << 21 | 1 << 24)));
    hvm_cpuid(&v, 0xb, 1, &r); /* not every processor has levels */
    CHECK(cpuid(0xb, 1).ecx & 0xff00 ? r.ecx == 1 && r.edx == 6 : !r.ebx);
    hvm_cpuid(&v, 0xd, 0, &r);
    CHECK(!cpu_features.xsave || (r.ebx == 576 && r.ecx >= 576));
    v.xcr0 = 7;
    hvm_cpuid(&v, 0xd, 0, &r);
    CHECK(!(r.eax & 4) || r.ebx == 576 + 256);
    hvm_cpuid(&v, 0xd, 1, &r);
    CHECK(!(r.eax & 2) || r.ebx == 576 + 256);
    hd.viridian = (void *)&hd;
    hvm_cpuid(&v, 0x40000003, 0, &r);
    CHECK(r.eax == 0x40000003 && r.edx == 3); /* Microsoft's */
    hvm_cpuid(&v, 0x40000100, 0, &r);
    CHECK(r.eax == 0x40000105 && memcmp(&r.ebx, "XenV", 4) == 0);
    hvm_cpuid(&v, 0x40000102, 0, &r);
    CHECK(r.ebx == 0x40000200);
    hvm_cpuid(&v, 0x40000200, 0, &r);
    CHECK(!r.eax && !r.ebx);
}

static void test_hvm_mode(unsigned vendor)
{
    struct hvm_domain hd = {0};
    struct hvm_vcpu hv = {.lapic = (void *)&hd};
    struct domain d = {.hvm = &hd};
    struct vcpu v = {.domain = &d, .hvm = &hv};
    const unsigned real = cpu_features.vendor;
    struct cpuid basic, r;
    uint64_t value = 1;
    cpu_features.vendor = vendor;
    apic_base = 0xfee00000;
    code_bytes = 4;
    hvm_cpuid(&v, 1, 0, &basic);
    hvm_cpuid(&v, 0x80000001, 0, &r);
    if (vendor == VENDOR_AMD)
        CHECK((r.edx & AMD_REPEATED) == (basic.edx & AMD_REPEATED) && !(r.edx & 1 << 9) && r.edx & 1 << 11);
    else
        CHECK(!(r.edx & 1 << 11));
    CHECK(hvm_policy_rdmsr(&v, MSR_PLATFORM_INFO, &value) == (vendor == VENDOR_INTEL) && value == 0);
    CHECK(!hvm_policy_rdmsr(&v, MSR_ARCH_CAPABILITIES, &value));
    code_bytes = 8;
    hvm_cpuid(&v, 0x80000001, 0, &r);
    CHECK(r.edx & 1 << 11);
    cpu_features.vendor = real;
}

static void test_hvm_set(void)
{
    struct hvm_domain hd = {0};
    struct hvm_vcpu hv = {.lapic = (void *)&hd};
    struct domain d = {.hvm = &hd};
    struct vcpu v = {.domain = &d, .hvm = &hv};
    struct answer a = system_policy(XEN_SYSCTL_cpu_policy_hvm_default), b = {.leaves = LEAVES, .msrs = 2};
    struct cpuid r;
    uint32_t bad, words[19], count = 19;
    CHECK(set(&d, a.leaf, a.leaves, &bad) == 0);
    CHECK(cpu_policy_get_domain(&d, b.leaf, &b.leaves, b.msr, &b.msrs) == 0 && b.leaves == a.leaves);
    CHECK(memcmp(a.leaf, b.leaf, a.leaves * sizeof(a.leaf[0])) == 0);
    struct xen_cpuid_leaf all = {1, XEN_CPUID_NO_SUBLEAF, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff};
    CHECK(set(&d, &all, 1, &bad) == 0);
    hvm_cpuid(&v, 1, 0, &r);
    CHECK(!(r.ecx & (1 << 3 | 1 << 5 | 1 << 6)) && r.edx & 1 << 12 && r.edx & 1 << 28);
    struct xen_cpuid_leaf limit = {0x40000000, XEN_CPUID_NO_SUBLEAF, 0x40000002, 0, 0, 0};
    CHECK(set(&d, &limit, 1, &bad) == 0);
    hvm_cpuid(&v, 0x40000004, 0, &r);
    CHECK(!r.eax);
    free(d.cpu_policy.leaf);
    cpu_policy_hvm_without(XEN_X86_FEATURE_POPCNT); /* every processor that runs this has it */
    CHECK(cpu_featureset_get(XEN_SYSCTL_cpu_featureset_hvm_max, words, &count) == 0 && !(words[1] & 1 << 23));
    CHECK(cpu_featureset_get(XEN_SYSCTL_cpu_featureset_pv_max, words, &count) == 0 && words[1] & 1 << 23);
}

int main(void)
{
    struct cpuid xstate = cpuid(0xd, 0);
    cpu_features.physical_address_bits = cpuid(0x80000008, 0).eax & 0xff;
    cpu_features.vendor = cpuid(0, 0).ebx == 0x68747541 ? VENDOR_AMD : VENDOR_INTEL;
    cpu_features.xsave = cpuid(1, 0).ecx & 1 << 26;
    cpu_features.xcr0_mask = cpu_features.xsave ? xstate.eax & 0xe7 : 0;
    cpu_policy_init();
    test_system();
    test_guest_view();
    test_xstate_sizes();
    test_set();
    test_read_as_written();
    test_write_back_all();
    test_fuzz();
    test_hvm_system();
    test_hvm_view();
    test_hvm_mode(VENDOR_AMD);
    test_hvm_mode(VENDOR_INTEL);
    test_hvm_set();
    puts("ok");
    return 0;
}
