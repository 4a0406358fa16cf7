#include <hv/console.h>
#include <hv/event_channel.h>
#include <hv/irq.h>
#include <hv/sched.h>
#include <hv/time.h>
#include "rig.h"

#define MAX_RIG_VCPUS 8

struct cpu_features cpu_features = {.physical_address_bits = 40};

struct domain rig_domain;
static struct hvm_domain hvm_domain;
static struct vcpu vcpus[MAX_RIG_VCPUS], *vcpu_slots[MAX_RIG_VCPUS];
static struct hvm_vcpu hvm_vcpus[MAX_RIG_VCPUS];
static struct vcpu_info infos[MAX_RIG_VCPUS];
uint64_t rig_tsc_offset;
unsigned rig_kicks[MAX_RIG_VCPUS], rig_resets[MAX_RIG_VCPUS], rig_startups[MAX_RIG_VCPUS];
unsigned rig_startup_page[MAX_RIG_VCPUS];
unsigned rig_timer_limit = 1000000;

static ns_t clock_now, hardware_timer;

/* ---- what the chips need of the hypervisor ---- */

ns_t now(void)
{
    return clock_now;
}
uint64_t tsc_khz(void)
{
    return TSC_KHZ;
}
uint64_t hvm_guest_tsc(const struct vcpu *v)
{
    return clock_now * TSC_KHZ / 1000000 + rig_tsc_offset;
}
/* 14 July 2024, 12:00:00 UTC at system time 0. */
uint64_t rig_wallclock = 1720958400;
void wallclock_get(uint64_t *seconds, uint32_t *nanoseconds)
{
    *seconds = rig_wallclock;
    *nanoseconds = 0;
}
void apic_timer_set(ns_t deadline)
{
    hardware_timer = deadline;
}
void cpu_raise_softirq(struct cpu *cpu, enum softirq n)
{
    cpu->softirq_pending |= 1UL << n;
}
void vcpu_unblock(struct vcpu *v)
{
    rig_kicks[v->id]++;
    v->blocked = false;
}
void vcpu_wake(struct vcpu *v)
{
}
void apic_send_ipi(struct cpu *cpu, uint8_t vector)
{
}
void hvm_vcpu_reset(struct vcpu *v)
{
    rig_resets[v->id]++;
    chips_vcpu_reset(v);
    v->initialised = false;
    v->offline = v->id != 0;
}
void hvm_vcpu_startup(struct vcpu *v, uint8_t page)
{
    rig_startups[v->id]++;
    v->initialised = true;
    rig_startup_page[v->id] = page;
    v->offline = false;
}

uint64_t rig_pirq_bound, rig_pirq_due, rig_pirq_events;

bool hvm_pirq_line(struct domain *d, unsigned gsi, bool level)
{
    CHECK(irqs_of(d)->lock.held, "lock");
    if (!(rig_pirq_bound >> gsi & 1))
        return false;
    rig_pirq_due |= (uint64_t)level << gsi;
    return true;
}
void hvm_pirq_deliver(struct domain *d)
{
    CHECK(!irqs_of(d)->lock.held, "lock");
    rig_pirq_events |= rig_pirq_due;
    rig_pirq_due = 0;
}
bool hvm_pirq_message(struct domain *d, uint64_t address)
{
    return address >> 32 == 1;
}

static struct {
    uint16_t first, count;
    port_handler handler;
} ports[32];
static struct {
    bool (*accepts)(struct vcpu *v, uint64_t gpa);
    memory_handler handler;
} memories[8];
static unsigned port_claims, memory_claims;

int hvm_claim_ports(struct domain *d, uint16_t first, uint16_t count, port_handler handler)
{
    CHECK(port_claims < ARRAY_SIZE(ports), "too many");
    ports[port_claims].first = first;
    ports[port_claims].count = count;
    ports[port_claims++].handler = handler;
    return 0;
}

int hvm_claim_memory(struct domain *d, bool (*accepts)(struct vcpu *v, uint64_t gpa), memory_handler handler)
{
    CHECK(memory_claims < ARRAY_SIZE(memories), "too many");
    memories[memory_claims].accepts = accepts;
    memories[memory_claims++].handler = handler;
    return 0;
}

/* ---- the machine ---- */

ns_t rig_time(void)
{
    return clock_now;
}

void rig_run(ns_t time)
{
    ns_t end = clock_now + time;

    for (unsigned fired = 0;; fired++) {
        CHECK(fired < rig_timer_limit, "timers fire without end");
        if (!hardware_timer || hardware_timer > end)
            break;
        clock_now = max(clock_now, hardware_timer);
        hardware_timer = 0;
        timer_softirq();
    }
    clock_now = end;
}

void rig_start(unsigned count, uint32_t emulation)
{
    clock_now = 100 * MS;
    hardware_timer = 0;
    rig_tsc_offset = rig_pirq_bound = rig_pirq_due = rig_pirq_events = 0;
    port_claims = memory_claims = 0;
    memset(vcpus, 0, sizeof(vcpus));
    memset(hvm_vcpus, 0, sizeof(hvm_vcpus));
    memset(infos, 0, sizeof(infos));
    memset(&hvm_domain, 0, sizeof(hvm_domain));
    memset(rig_kicks, 0, sizeof(rig_kicks));
    memset(rig_resets, 0, sizeof(rig_resets));
    memset(rig_startups, 0, sizeof(rig_startups));
    timer_init_cpu(&cpus[0]);
    cpus[0].online = true;
    const struct clock_scale scale = clock_scale_of(TSC_KHZ * 1000UL);
    cpus[0].clock.multiplier = scale.multiplier;
    cpus[0].clock.shift = scale.shift;
    hvm_domain.emulation = emulation;
    hvm_domain.param[HVM_PARAM_HPET_ENABLED] = 1;
    hvm_domain.param[HVM_PARAM_TIMER_MODE] = HVMPTM_no_delay_for_missed_ticks;
    rig_domain = (struct domain){
        .id = 1, .max_vcpus = count, .vcpu = vcpu_slots, .hvm = &hvm_domain, .pause_count = rig_domain.pause_count};
    CHECK_EQUAL(0, chips_init(&rig_domain));
    for (unsigned i = 0; i < count; i++) {
        vcpus[i] = (struct vcpu){.domain = &rig_domain,
                                 .id = i,
                                 .hvm = &hvm_vcpus[i],
                                 .cpu = &cpus[0],
                                 .info = &infos[i],
                                 .offline = i != 0};
        vcpu_slots[i] = &vcpus[i];
        CHECK_EQUAL(0, chips_vcpu_init(&vcpus[i]));
        chips_vcpu_reset(&vcpus[i]);
    }
}

void rig_stop(void)
{
    for (unsigned i = 0; i < rig_domain.max_vcpus; i++) {
        chips_vcpu_destroy(&vcpus[i]);
        vcpu_slots[i] = NULL;
    }
    chips_destroy(&rig_domain);
}

/* ---- the guest ---- */

static enum io_result port_access(unsigned vcpu, uint16_t port, unsigned bytes, bool write, uint32_t *value)
{
    for (unsigned i = 0; i < port_claims; i++)
        if (port >= ports[i].first && port < ports[i].first + ports[i].count) {
            enum io_result result = ports[i].handler(&vcpus[vcpu], port, bytes, write, value);
            if (result != IO_UNHANDLED)
                return result;
        }
    return IO_UNHANDLED;
}

enum io_result port_in(unsigned vcpu, uint16_t port, unsigned bytes, uint32_t *value)
{
    *value = 0xffffffff;
    return port_access(vcpu, port, bytes, false, value);
}

enum io_result port_out(unsigned vcpu, uint16_t port, unsigned bytes, uint32_t value)
{
    return port_access(vcpu, port, bytes, true, &value);
}

uint8_t inb_(uint16_t port)
{
    uint32_t value;

    CHECK_EQUAL(IO_OK, port_in(0, port, 1, &value));
    CHECK(value <= 0xff, "port %x gave %x", port, value);
    return (uint8_t)value;
}

void outb_(uint16_t port, uint8_t value)
{
    CHECK_EQUAL(IO_OK, port_out(0, port, 1, value));
}

bool memory_access(unsigned vcpu, uint64_t gpa, unsigned bytes, bool write, uint64_t *value)
{
    for (unsigned i = 0; i < memory_claims; i++)
        if (memories[i].accepts(&vcpus[vcpu], gpa))
            return memories[i].handler(&vcpus[vcpu], gpa, bytes, write, value) == IO_OK;
    return false;
}

static uint64_t read_memory(unsigned vcpu, uint64_t gpa, unsigned bytes)
{
    uint64_t value = ~0ULL;

    CHECK(memory_access(vcpu, gpa, bytes, false, &value), "nobody at %#llx", (unsigned long long)gpa);
    return value;
}

uint32_t read32(unsigned vcpu, uint64_t gpa)
{
    return (uint32_t)read_memory(vcpu, gpa, 4);
}

uint64_t read64(unsigned vcpu, uint64_t gpa)
{
    return read_memory(vcpu, gpa, 8);
}

void write32(unsigned vcpu, uint64_t gpa, uint32_t value)
{
    uint64_t wide = value;

    CHECK(memory_access(vcpu, gpa, 4, true, &wide), "nobody at %#llx", (unsigned long long)gpa);
}

void write64(unsigned vcpu, uint64_t gpa, uint64_t value)
{
    CHECK(memory_access(vcpu, gpa, 8, true, &value), "nobody at %#llx", (unsigned long long)gpa);
}

int take(unsigned vcpu)
{
    int seen = hvm_pending_interrupt(&vcpus[vcpu], false);

    if (seen >= 0)
        CHECK_EQUAL(seen, hvm_pending_interrupt(&vcpus[vcpu], true));
    return seen;
}

uint64_t rdmsr_(unsigned vcpu, uint32_t msr)
{
    uint64_t value = 0;

    CHECK(vlapic_rdmsr(&vcpus[vcpu], msr, &value), "rdmsr %#x", msr);
    return value;
}

void wrmsr_(unsigned vcpu, uint32_t msr, uint64_t value)
{
    CHECK(vlapic_wrmsr(&vcpus[vcpu], msr, value), "wrmsr %#x", msr);
}
