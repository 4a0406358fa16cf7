#include "machine.h"
#include <hv/console.h>

static struct domain domain;
static struct hvm_domain hvm_domain;
struct vcpu vcpu, *fake_current[NR_CPUS] = {&vcpu};
struct hvm_vcpu hvm_vcpu;
struct cpu_features cpu_features = {.vendor = VENDOR_AMD, .physical_address_bits = 40, .xsave = true, .xcr0_mask = 7};
struct hvm_segment_register segment[SEG_COUNT];
struct hvm_event injected;
void (*machine_sync)(struct vcpu *v);
bool interruptible, nmi_allowed, window_wanted, interrupts_on;
unsigned flushes, shutdowns, crashes, softirqs, debug_updates;

static void get_segment(struct vcpu *v, enum hvm_segment which, struct hvm_segment_register *out)
{
    *out = segment[which];
}
static void set_segment(struct vcpu *v, enum hvm_segment which, const struct hvm_segment_register *in)
{
    segment[which] = *in;
}
static unsigned cpl(struct vcpu *v)
{
    return (segment[SEG_SS].attributes & SEG_ATTR_DPL) >> 5;
}
static void update_cr(struct vcpu *v, unsigned cr)
{
}
static void sync(struct vcpu *v)
{
    if (machine_sync)
        machine_sync(v);
}
static void update(struct vcpu *v)
{
}
static void update_dr(struct vcpu *v)
{
    debug_updates++;
}
static void inject(struct vcpu *v, const struct hvm_event *event)
{
    injected = *event;
}
static bool can_interrupt(struct vcpu *v, bool nmi)
{
    return nmi ? nmi_allowed : interruptible;
}
static void want_window(struct vcpu *v, bool nmi)
{
    window_wanted = true;
}
static void set_shadow(struct vcpu *v, uint32_t shadow)
{
}
static void flush(struct vcpu *v)
{
    flushes++;
}

static uint64_t switched_msr;
static uint64_t get_msr(struct vcpu *v, uint32_t msr)
{
    return switched_msr;
}
static void set_msr(struct vcpu *v, uint32_t msr, uint64_t value)
{
    switched_msr = value;
}

static const struct hvm_vendor vendor = {
    .name = "test",
    .get_segment = get_segment,
    .set_segment = set_segment,
    .cpl = cpl,
    .sync = sync,
    .update_cr = update_cr,
    .update_efer = update,
    .update_pat = update,
    .get_msr = get_msr,
    .set_msr = set_msr,
    .update_dr = update_dr,
    .inject = inject,
    .can_interrupt = can_interrupt,
    .want_window = want_window,
    .set_shadow = set_shadow,
    .flush_tlb = flush,
};
const struct hvm_vendor *hvm_vendor = &vendor;

void machine_reset(void)
{
    domain = (struct domain){.id = 1, .hvm = &hvm_domain};
    hvm_domain = (struct hvm_domain){.tlb_generation = 1};
    hvm_vcpu = (struct hvm_vcpu){.cr0 = X86_CR0_ET, .dr6 = 0xffff0ff0, .dr7 = 0x400, .tlb_generation = 1};
    vcpu = (struct vcpu){.domain = &domain, .hvm = &hvm_vcpu};
    memset(&fake_regs, 0, sizeof(fake_regs));
    memset(segment, 0, sizeof(segment));
    injected = (struct hvm_event){0};
    machine_sync = NULL;
    interruptible = nmi_allowed = true;
    window_wanted = interrupts_on = false;
    flushes = shutdowns = crashes = softirqs = debug_updates = 0;
}

void fake_raise_softirq(enum softirq n)
{
    softirqs++;
}
void fake_interrupts(bool on)
{
    interrupts_on = on;
}
void domain_shutdown(struct domain *d, unsigned reason)
{
    shutdowns++;
}
void domain_crash(struct domain *d, const char *format, ...)
{
    crashes++;
}

unsigned hvm_code_bytes(struct vcpu *v)
{
    uint16_t cs = segment[SEG_CS].attributes;
    return cs & SEG_ATTR_L && hvm_vcpu.efer & EFER_LMA ? 8 : cs & SEG_ATTR_DB ? 4 : 2;
}
bool hvm_long_mode(const struct vcpu *v)
{
    return hvm_vcpu.efer & EFER_LMA;
}
bool hvm_paging(const struct vcpu *v)
{
    return hvm_vcpu.cr0 & X86_CR0_PG;
}
