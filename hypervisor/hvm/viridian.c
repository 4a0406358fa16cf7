/*
 * Microsoft's hypervisor interface: what CPUID says of it, and its MSRs. The hypercalls are in viridian_call.c.
 * Source: Hypervisor Top Level Functional Specification 5.0: chapters 2 (CPUID), 3 (hypercall page), 9 (crash), 10
 * (APIC), 12 (time); the register numbers are in its appendices.
 *
 * Not there: the synthetic interrupt controller and timers (HVMPV_synic, HVMPV_stimer).
 */
#include "viridian_state.h"
#include <hv/console.h>
#include <hv/domain_log.h>
#include <hv/domain_tsc.h>
#include <hv/hvm_io.h>
#include <hv/p2m.h>
#include <hv/page_alloc.h>
#include <hv/sched.h>
#include <hv/time.h>
#include <hv/vdev.h>
#include <xen/hvm/params.h>
#include <xen/sched.h>

#define HV_GUEST_OS_ID    0x40000000U
#define HV_HYPERCALL      0x40000001U
#define HV_VP_INDEX       0x40000002U
#define HV_VP_RUNTIME     0x40000010U
#define HV_TIME_REF_COUNT 0x40000020U
#define HV_REFERENCE_TSC  0x40000021U
#define HV_TSC_FREQUENCY  0x40000022U
#define HV_APIC_FREQUENCY 0x40000023U
#define HV_EOI            0x40000070U
#define HV_ICR            0x40000071U
#define HV_TPR            0x40000072U
#define HV_VP_ASSIST_PAGE 0x40000073U
#define HV_CRASH_P0       0x40000100U
#define HV_CRASH_P4       0x40000104U
#define HV_CRASH_CTL      0x40000105U

#define NS_PER_UNIT    100 /* of the reference counter */
#define APIC_BUS_HERTZ (1000000000UL / VLAPIC_BUS_NS)

static struct viridian_domain *domain_state(const struct vcpu *v)
{
    return v->domain->hvm->viridian;
}

static struct viridian_vcpu *vcpu_state(const struct vcpu *v)
{
    return &domain_state(v)->vcpu[v->id];
}

static bool has(const struct vcpu *v, uint64_t feature)
{
    return domain_state(v)->features & feature;
}

static bool has_frequencies(const struct vcpu *v)
{
    return !has(v, HVMPV_no_freq);
}

/* ---- life ---- */

#define ABSENT_FEATURES (HVMPV_synic | HVMPV_stimer)

int viridian_enable(struct domain *d, uint64_t features)
{
    struct viridian_domain *old = d->hvm->viridian, *new;
    if (old)
        return features == old->features ? 0 : -EINVAL;
    if (!features)
        return 0;
    if (features & ~(uint64_t)HVMPV_feature_mask || !(features & HVMPV_base_freq))
        return -EINVAL;
    if (features & ABSENT_FEATURES) {
        domain_log(LOG_WARNING, d, "viridian's %s not there",
                   features & HVMPV_synic ? "synic (synthetic interrupt controller) is" : "stimer (timers) are");
        return -EOPNOTSUPP;
    }
    if (d->creation_finished)
        return -EBUSY;
    new = zalloc(sizeof(*new) + d->max_vcpus * sizeof(new->vcpu[0]));
    if (!new)
        return -ENOMEM;
    new->features = features;
    new->epoch = (int64_t)now();
    d->hvm->viridian = new;
    return 0;
}

static void drop_assist_page(struct viridian_vcpu *s)
{
    if (s->assist_page)
        page_put_with_type(s->assist_page);
    s->assist_page = NULL;
    s->assist = NULL;
    s->assist_offered = false;
}

void viridian_vcpu_reset(struct vcpu *v)
{
    if (!domain_state(v))
        return;
    drop_assist_page(vcpu_state(v));
    vcpu_state(v)->assist_msr = 0;
}

void viridian_relinquish(struct domain *d)
{
    for (unsigned i = 0; d->hvm->viridian && i < d->max_vcpus; i++)
        drop_assist_page(&d->hvm->viridian->vcpu[i]);
}

void viridian_mark_pages(struct domain *d)
{
    for (unsigned i = 0; d->hvm->viridian && i < d->max_vcpus; i++)
        if (d->hvm->viridian->vcpu[i].assist_page)
            log_dirty_mark(d, m2p_get(page_to_mfn(d->hvm->viridian->vcpu[i].assist_page)));
}

void viridian_destroy(struct domain *d)
{
    free(d->hvm->viridian);
    d->hvm->viridian = NULL;
}

/* ---- CPUID (2.4) ---- */

/* Leaf 3 EAX: privileges. */
#define ACCESS_VP_RUNTIME      (1U << 0)
#define ACCESS_REFERENCE_COUNT (1U << 1)
#define ACCESS_APIC_MSRS       (1U << 4)
#define ACCESS_HYPERCALL_MSRS  (1U << 5)
#define ACCESS_VP_INDEX        (1U << 6)
#define ACCESS_REFERENCE_TSC   (1U << 9)
#define ACCESS_FREQUENCY_MSRS  (1U << 11)
/* Leaf 3 EDX. */
#define CPU_DYNAMIC_PARTITIONING (1U << 3)
#define FREQUENCY_MSRS           (1U << 8)
#define CRASH_MSRS               (1U << 10)
/* Leaf 4 EAX: what is better than the processor's own way. */
#define HINT_REMOTE_FLUSH   (1U << 2)
#define HINT_APIC_MSRS      (1U << 3)
#define HINT_RELAXED_TIMING (1U << 5)
#define HINT_CLUSTER_IPI    (1U << 10)
#define SPIN_RETRIES        2047U /* before HvNotifyLongSpinWait */
/* Leaf 6 EAX: what of the processor's is in use. */
#define USES_MSR_BITMAPS   (1U << 1)
#define USES_NESTED_PAGING (1U << 3)

static struct cpuid feature_leaf(const struct vcpu *v)
{
    struct cpuid r = {ACCESS_VP_RUNTIME | ACCESS_APIC_MSRS | ACCESS_HYPERCALL_MSRS | ACCESS_VP_INDEX, 0, 0, 0};
    if (has(v, HVMPV_time_ref_count))
        r.eax |= ACCESS_REFERENCE_COUNT;
    if (has(v, HVMPV_reference_tsc))
        r.eax |= ACCESS_REFERENCE_TSC;
    if (has_frequencies(v)) {
        r.eax |= ACCESS_FREQUENCY_MSRS;
        r.edx |= FREQUENCY_MSRS;
    }
    if (has(v, HVMPV_crash_ctl))
        r.edx |= CRASH_MSRS;
    if (has(v, HVMPV_cpu_hotplug))
        r.edx |= CPU_DYNAMIC_PARTITIONING;
    return r;
}

static struct cpuid hint_leaf(const struct vcpu *v)
{
    uint32_t hints = HINT_RELAXED_TIMING | HINT_APIC_MSRS;
    if (has(v, HVMPV_hcall_remote_tlb_flush))
        hints |= HINT_REMOTE_FLUSH;
    if (has(v, HVMPV_hcall_ipi))
        hints |= HINT_CLUSTER_IPI;
    return (struct cpuid){hints, SPIN_RETRIES, 0, 0};
}

/* Versions are those of a Windows Server 2008 R2 host. */
struct cpuid viridian_cpuid(const struct vcpu *v, uint32_t leaf)
{
    switch (leaf) {
    case 0x40000000:
        return (struct cpuid){0x40000006, 0x7263694d, 0x666f736f, 0x76482074}; /* "Microsoft Hv" */
    case 0x40000001:
        return (struct cpuid){0x31237648, 0, 0, 0}; /* "Hv#1" */
    case 0x40000002:
        return (struct cpuid){7601, 6 << 16 | 1, 0, 0};
    case 0x40000003:
        return feature_leaf(v);
    case 0x40000004:
        return hint_leaf(v);
    case 0x40000005:
        return (struct cpuid){MAX_VCPUS, MAX_VCPUS, 0, 0};
    case 0x40000006:
        return (struct cpuid){USES_MSR_BITMAPS | USES_NESTED_PAGING, 0, 0, 0};
    default:
        return (struct cpuid){0};
    }
}

/* ---- time (12) ---- */

static uint64_t reference_count(const struct viridian_domain *s)
{
    return (uint64_t)((int64_t)now() - s->epoch) / NS_PER_UNIT;
}

/* Counts of the reference counter per tick of the TSC, times 2^64: long division, as it is below 1. */
static uint64_t tsc_scale(const struct domain *d)
{
    const uint64_t khz = domain_tsc_khz(d);
    uint64_t quotient = 0, rest = 1000000 / NS_PER_UNIT;
    for (unsigned i = 0; i < 64; i++) {
        rest <<= 1;
        quotient <<= 1;
        if (rest >= khz) {
            rest -= khz;
            quotient |= 1;
        }
    }
    return quotient;
}

struct reference_tsc_page {
    uint32_t sequence, reserved;
    uint64_t scale;
    int64_t offset;
};
_Static_assert(sizeof(struct reference_tsc_page) == 24, "12.7");

/* count = (tsc * scale >> 64) + offset. Sequence 0: not valid, the guest reads the MSR; so on machines whose TSC may
 * change its rate. */
static void write_reference_tsc(struct vcpu *v)
{
    const struct viridian_domain *s = domain_state(v);
    struct reference_tsc_page page = {0};
    if (!(s->reference_tsc_msr & PAGE_MSR_ENABLE))
        return;
    if (cpu_features.invariant_tsc || v->domain->tsc.emulated) {
        page.sequence = 1;
        page.scale = tsc_scale(v->domain);
        uint64_t scaled = (uint64_t)((unsigned __int128)hvm_guest_tsc(v) * page.scale >> 64);
        page.offset = (int64_t)(reference_count(s) - scaled);
    }
    if (hvm_copy_to_physical(v->domain, s->reference_tsc_msr & PAGE_MASK, &page, sizeof(page)))
        domain_log(LOG_DEBUG, v->domain, "no RAM for the reference TSC page (%#lx)",
                   (unsigned long)s->reference_tsc_msr);
}

static uint64_t run_time(struct vcpu *v)
{
    struct vcpu_runstate_info info;
    vcpu_get_runstate(v, &info);
    return info.time[RUNSTATE_running] / NS_PER_UNIT;
}

/* ---- hypercall page (3.13) ---- */

#define HYPERCALL_LOCKED 2ULL

/* or $0x80000000, %eax; vmcall or vmmcall; ret */
static void write_hypercall_page(struct vcpu *v)
{
    const uint64_t at = domain_state(v)->hypercall_msr & PAGE_MASK;
    const uint8_t last = cpu_features.vendor == VENDOR_AMD ? 0xd9 : 0xc1;
    const uint8_t code[] = {0x0d, 0, 0, 0, 0x80, 0x0f, 0x01, last, 0xc3};
    if (hvm_copy_to_physical(v->domain, at, code, sizeof(code)))
        domain_log(LOG_DEBUG, v->domain, "no RAM for the hypercall page at %#lx", (unsigned long)at);
}

static void write_hypercall_msr(struct vcpu *v, uint64_t value)
{
    struct viridian_domain *s = domain_state(v);
    if (s->hypercall_msr & HYPERCALL_LOCKED)
        return;
    if (!s->guest_os_id) /* who does not say what it is cannot switch it on */
        value &= ~PAGE_MSR_ENABLE;
    s->hypercall_msr = value;
    if (value & PAGE_MSR_ENABLE)
        write_hypercall_page(v);
}

static void write_guest_os_id(struct vcpu *v, uint64_t value)
{
    struct viridian_domain *s = domain_state(v);
    s->guest_os_id = value;
    if (!value)
        s->hypercall_msr &= ~(PAGE_MSR_ENABLE | HYPERCALL_LOCKED);
}

/* ---- APIC (10) ---- */

#define X2APIC_MSR_ICR 0x830U
#define XAPIC_ICR_LOW  0x300
#define XAPIC_ICR_HIGH 0x310

#define APIC_BASE_ENABLE 0x800U

/* Without its page in memory an access there would be a device model's. */
static bool has_icr(const struct vcpu *v)
{
    return vlapic_base(v) & APIC_BASE_ENABLE;
}

static bool read_icr(struct vcpu *v, uint64_t *value)
{
    uint64_t base = vlapic_base(v) & PAGE_MASK, low = 0, high = 0;
    if (vlapic_x2apic(v))
        return vlapic_rdmsr(v, X2APIC_MSR_ICR, value);
    hvm_memory_read(v, base + XAPIC_ICR_LOW, 4, &low);
    hvm_memory_read(v, base + XAPIC_ICR_HIGH, 4, &high);
    *value = high << 32 | (uint32_t)low;
    return true;
}

static bool write_icr(struct vcpu *v, uint64_t value)
{
    uint64_t base = vlapic_base(v) & PAGE_MASK;
    if (vlapic_x2apic(v))
        return vlapic_wrmsr(v, X2APIC_MSR_ICR, value);
    hvm_memory_write(v, base + XAPIC_ICR_HIGH, 4, value >> 32);
    hvm_memory_write(v, base + XAPIC_ICR_LOW, 4, (uint32_t)value);
    return true;
}

static void hold_assist_page(struct vcpu *v, uint64_t msr)
{
    struct viridian_vcpu *s = vcpu_state(v);
    drop_assist_page(s);
    s->assist_msr = msr;
    if (!(msr & PAGE_MSR_ENABLE))
        return;
    s->assist_page = p2m_hold_own_page(v->domain, msr >> PAGE_SHIFT);
    if (s->assist_page)
        s->assist = page_to_virt(s->assist_page);
    else
        domain_log(LOG_DEBUG, v->domain, "no RAM for the assist page (%#lx)", (unsigned long)msr);
}

static void write_assist_msr(struct vcpu *v, uint64_t value)
{
    if (viridian_take_eoi_assist(v))
        vlapic_eoi(v);
    hold_assist_page(v, value);
    if (vcpu_state(v)->assist)
        memset(vcpu_state(v)->assist, 0, PAGE_SIZE);
}

void viridian_offer_eoi_assist(struct vcpu *v)
{
    if (!domain_state(v) || !has(v, HVMPV_apic_assist))
        return;
    struct viridian_vcpu *s = vcpu_state(v);
    if (!s->assist)
        return;
    WRITE_ONCE(s->assist_offered, true);
    __atomic_fetch_or(s->assist, 1, __ATOMIC_SEQ_CST);
}

bool viridian_eoi_offered(const struct vcpu *v)
{
    return domain_state(v) && READ_ONCE(vcpu_state(v)->assist_offered);
}

bool viridian_take_eoi_assist(struct vcpu *v)
{
    if (!domain_state(v) || !vcpu_state(v)->assist_offered)
        return false;
    vcpu_state(v)->assist_offered = false;
    return !(__atomic_fetch_and(vcpu_state(v)->assist, ~1U, __ATOMIC_SEQ_CST) & 1);
}

/* ---- crash (9) ---- */

#define CRASH_NOTIFY (1ULL << 63)

/* The guest goes on, to write its dump, and then resets: the toolstack learns with that why. */
static void note_crash(struct vcpu *v)
{
    struct domain *d = v->domain;
    const uint64_t *p = domain_state(v)->crash;
    domain_log(LOG_WARNING, v->domain, "its system has crashed: %lx %lx %lx %lx %lx", (unsigned long)p[0],
               (unsigned long)p[1], (unsigned long)p[2], (unsigned long)p[3], (unsigned long)p[4]);
    spin_lock(&d->lock);
    if (d->shutdown_code == ~0U)
        d->shutdown_code = SHUTDOWN_crash;
    spin_unlock(&d->lock);
}

/* ---- MSRs ---- */

static bool rdmsr_time(struct vcpu *v, uint32_t msr, uint64_t *value)
{
    const struct viridian_domain *s = domain_state(v);
    switch (msr) {
    case HV_VP_RUNTIME:
        *value = run_time(v);
        return true;
    case HV_TIME_REF_COUNT:
        *value = reference_count(s);
        return has(v, HVMPV_time_ref_count);
    case HV_REFERENCE_TSC:
        *value = s->reference_tsc_msr;
        return has(v, HVMPV_reference_tsc);
    case HV_TSC_FREQUENCY:
        *value = domain_tsc_khz(v->domain) * 1000UL;
        return has_frequencies(v);
    case HV_APIC_FREQUENCY:
        *value = APIC_BUS_HERTZ;
        return has_frequencies(v);
    }
    return false;
}

static bool rdmsr_apic(struct vcpu *v, uint32_t msr, uint64_t *value)
{
    switch (msr) {
    case HV_ICR:
        return has_icr(v) && read_icr(v, value);
    case HV_TPR:
        *value = vlapic_get_tpr(v);
        return v->hvm->lapic != NULL;
    case HV_VP_ASSIST_PAGE:
        *value = vcpu_state(v)->assist_msr;
        return true;
    }
    return false;
}

bool viridian_rdmsr(struct vcpu *v, uint32_t msr, uint64_t *value)
{
    const struct viridian_domain *s = domain_state(v);
    *value = 0;
    switch (msr) {
    case HV_GUEST_OS_ID:
        *value = s->guest_os_id;
        return true;
    case HV_HYPERCALL:
        *value = s->hypercall_msr;
        return true;
    case HV_VP_INDEX:
        *value = v->id;
        return true;
    case HV_VP_RUNTIME ... HV_APIC_FREQUENCY:
        return rdmsr_time(v, msr, value);
    case HV_EOI ... HV_VP_ASSIST_PAGE:
        return rdmsr_apic(v, msr, value);
    case HV_CRASH_P0 ... HV_CRASH_P4:
        *value = s->crash[msr - HV_CRASH_P0];
        return has(v, HVMPV_crash_ctl);
    case HV_CRASH_CTL:
        *value = CRASH_NOTIFY;
        return has(v, HVMPV_crash_ctl);
    }
    return false;
}

static bool wrmsr_apic(struct vcpu *v, uint32_t msr, uint64_t value)
{
    if (msr == HV_VP_ASSIST_PAGE)
        write_assist_msr(v, value);
    else if (!v->hvm->lapic)
        return false;
    else if (msr == HV_EOI)
        vlapic_eoi(v);
    else if (msr == HV_ICR)
        return has_icr(v) && write_icr(v, value);
    else
        vlapic_set_tpr(v, (uint8_t)value);
    return true;
}

static bool wrmsr_crash(struct vcpu *v, uint32_t msr, uint64_t value)
{
    if (!has(v, HVMPV_crash_ctl))
        return false;
    if (msr != HV_CRASH_CTL)
        domain_state(v)->crash[msr - HV_CRASH_P0] = value;
    else if (value & CRASH_NOTIFY)
        note_crash(v);
    return true;
}

static bool wrmsr_reference_tsc(struct vcpu *v, uint64_t value)
{
    if (!has(v, HVMPV_reference_tsc))
        return false;
    domain_state(v)->reference_tsc_msr = value;
    write_reference_tsc(v);
    return true;
}

bool viridian_wrmsr(struct vcpu *v, uint32_t msr, uint64_t value)
{
    switch (msr) {
    case HV_GUEST_OS_ID:
        write_guest_os_id(v, value);
        return true;
    case HV_HYPERCALL:
        write_hypercall_msr(v, value);
        return true;
    case HV_REFERENCE_TSC:
        return wrmsr_reference_tsc(v, value);
    case HV_EOI ... HV_VP_ASSIST_PAGE:
        return wrmsr_apic(v, msr, value);
    case HV_CRASH_P0 ... HV_CRASH_CTL:
        return wrmsr_crash(v, msr, value);
    }
    return false;
}

/* ---- records of a saved guest ---- */

static int save_domain(struct domain *d, struct hvm_save_buffer *b)
{
    const struct viridian_domain *s = d->hvm->viridian;
    if (!s)
        return 0;
    struct hvm_viridian_domain_context record = {
        .hypercall_gpa = s->hypercall_msr,
        .guest_os_id = s->guest_os_id,
        .time_ref_count = reference_count(s),
        .reference_tsc = s->reference_tsc_msr,
    };
    return hvm_save_record(b, HVM_SAVE_CODE(VIRIDIAN_DOMAIN), 0, &record, sizeof(record));
}

/* The pages are in the guest's memory already, but this machine may be another. */
static int load_domain(struct domain *d, unsigned instance, const void *body)
{
    const struct hvm_viridian_domain_context *record = body;
    struct viridian_domain *s = d->hvm->viridian;
    struct vcpu *first = domain_vcpu(d, 0);
    if (instance || !s || !first)
        return -EINVAL;
    s->hypercall_msr = record->hypercall_gpa;
    s->guest_os_id = record->guest_os_id;
    s->epoch = (int64_t)(now() - record->time_ref_count * NS_PER_UNIT);
    s->reference_tsc_msr = record->reference_tsc;
    if (s->hypercall_msr & PAGE_MSR_ENABLE)
        write_hypercall_page(first);
    write_reference_tsc(first);
    return 0;
}

static int save_vcpus(struct domain *d, struct hvm_save_buffer *b)
{
    const struct viridian_domain *s = d->hvm->viridian;
    struct vcpu *v;
    int error = 0;
    if (!s)
        return 0;
    for_each_vcpu(d, v) {
        struct hvm_viridian_vcpu_context record = {
            .vp_assist_msr = s->vcpu[v->id].assist_msr,
            .apic_assist_pending = s->vcpu[v->id].assist_offered,
        };
        if (!error)
            error = hvm_save_record(b, HVM_SAVE_CODE(VIRIDIAN_VCPU), (uint16_t)v->id, &record, sizeof(record));
    }
    return error;
}

static int load_vcpu(struct domain *d, unsigned instance, const void *body)
{
    const struct hvm_viridian_vcpu_context *record = body;
    struct vcpu *v = domain_vcpu(d, instance);
    if (!v || !d->hvm->viridian)
        return -EINVAL;
    hold_assist_page(v, record->vp_assist_msr);
    vcpu_state(v)->assist_offered = vcpu_state(v)->assist && record->apic_assist_pending;
    return 0;
}

const struct hvm_save_handler save_viridian_domain = {
    HVM_SAVE_CODE(VIRIDIAN_DOMAIN), sizeof(struct hvm_viridian_domain_context), save_domain, load_domain};
const struct hvm_save_handler save_viridian_vcpu = {HVM_SAVE_CODE(VIRIDIAN_VCPU),
                                                    sizeof(struct hvm_viridian_vcpu_context), save_vcpus, load_vcpu};
