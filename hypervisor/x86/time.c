/*
 * Time: the TSC, measured once against a counter of known frequency, gives system time; the local APIC timer
 * (or its TSC deadline mode) gives interrupts; the CMOS clock gives the date.
 *
 * System time 0 is the end of time_init. The scale never changes afterwards, so every CPU and every guest
 * computes the same time from the same constants.
 */
#include <hv/time.h>
#include <hv/acpi.h>
#include <hv/apic_regs.h>
#include <hv/clock_scale.h>
#include <hv/console.h>
#include <hv/cpu.h>
#include <hv/irq.h>
#include <hv/pagetable.h>

/* Longer is more exact and delays the boot: the pair of readings is good to about 0.3 us, hence 15 ppm. */
#define MEASURE_MICROSECONDS 20000
/* If the TSC makes this many steps while a counter stands still, that counter is broken (4 s at 4 GHz). */
#define STUCK_TSC_STEPS (1ULL << 34)
#define GUESSED_TSC_HZ  4000000000ULL /* for delays before the TSC is measured: rather too long than too short */

static uint64_t tsc_hz;
static uint64_t tsc_per_ns;        /* 32.32 */
static uint64_t apic_timer_per_ns; /* 32.32; 0 = not measured yet */

/* HPET: Intel HPET specification 1.0a, 2.3. */
#define HPET_PERIOD     0x04 /* fs per count */
#define HPET_CONFIG     0x10
#define HPET_COUNTER    0xf0
#define HPET_ENABLE     1U
#define HPET_MIN_PERIOD 1000000U /* 1 GHz; ours, so that products stay below 2^64 */
#define HPET_MAX_PERIOD 100000000U
#define FS_PER_SECOND   1000000000000000ULL
#define HPET_BYTES      1024

static volatile uint8_t *hpet;

static uint32_t hpet_read32(unsigned reg)
{
    return *(volatile uint32_t *)(hpet + reg);
}

/* The low half is enough: it wraps after minutes, we measure milliseconds. */
static uint64_t hpet_read(void)
{
    return hpet_read32(HPET_COUNTER);
}

static uint64_t hpet_start(void)
{
    if (!acpi.hpet_address)
        return 0;
    hpet = ioremap(acpi.hpet_address, HPET_BYTES, PTE_UNCACHED);
    uint32_t period = hpet_read32(HPET_PERIOD);
    if (period < HPET_MIN_PERIOD || period > HPET_MAX_PERIOD)
        return 0;
    *(volatile uint32_t *)(hpet + HPET_CONFIG) = hpet_read32(HPET_CONFIG) | HPET_ENABLE;
    return FS_PER_SECOND / period;
}

#define PM_TIMER_HZ 3579545 /* ACPI 4.8.3.3 */
static uint64_t pm_timer_read(void)
{
    return inl(acpi.pm_timer_port);
}

static uint64_t pm_timer_start(void)
{
    return acpi.pm_timer_port ? PM_TIMER_HZ : 0;
}

/* 8254 counter 2, which has its gate at port 0x61 and no interrupt. */
#define PIT_HZ               1193182
#define PIT_COUNTER_2        0x42
#define PIT_COMMAND          0x43
#define PIT_2_RATE_GENERATOR 0xb4 /* low byte then high byte, mode 2 */
#define PIT_2_LATCH          0x80
#define PIT_GATE             0x61
#define PIT_GATE_ON          0x01
#define PIT_SPEAKER          0x02

static uint64_t pit_read(void)
{
    outb(PIT_2_LATCH, PIT_COMMAND);
    uint16_t low = inb(PIT_COUNTER_2), high = inb(PIT_COUNTER_2);
    return 0xffffU - (uint16_t)(high << 8 | low); /* it counts down */
}

static uint64_t pit_start(void)
{
    outb((uint8_t)((inb(PIT_GATE) & ~PIT_SPEAKER) | PIT_GATE_ON), PIT_GATE);
    outb(PIT_2_RATE_GENERATOR, PIT_COMMAND);
    outb(0, PIT_COUNTER_2); /* 0 stands for 65536 */
    outb(0, PIT_COUNTER_2);
    return PIT_HZ;
}

static const struct counter {
    const char *name;
    uint64_t (*start)(void); /* its frequency in Hz; 0 = not there */
    uint64_t (*read)(void);
    uint64_t mask;
} counters[] = {
    {"HPET", hpet_start, hpet_read, 0xffffffff},
    {"PM timer", pm_timer_start, pm_timer_read, 0xffffff},
    {"PIT", pit_start, pit_read, 0xffff},
};

struct reading {
    uint64_t tsc, count;
};

/* The closest of a few pairs: one that an SMI fell into is wide. */
static struct reading read_pair(const struct counter *counter)
{
    struct reading best = {0};
    uint64_t best_width = UINT64_MAX;
    for (int i = 0; i < 5; i++) {
        uint64_t before = rdtsc_ordered(), count = counter->read(), width = rdtsc_ordered() - before;
        if (width < best_width) {
            best_width = width;
            best = (struct reading){.tsc = before + width / 2, .count = count};
        }
    }
    return best;
}

/* TSC frequency by this counter; 0 if it is absent or does not count. */
static uint64_t measure_tsc(const struct counter *counter)
{
    uint64_t hz = counter->start();
    if (hz == 0)
        return 0;
    uint64_t wanted = hz * MEASURE_MICROSECONDS / 1000000;
    struct reading start = read_pair(counter);
    while (((counter->read() - start.count) & counter->mask) < wanted) {
        if (rdtsc() - start.tsc > STUCK_TSC_STEPS)
            return 0;
        cpu_relax();
    }
    struct reading end = read_pair(counter);
    return (end.tsc - start.tsc) * hz / ((end.count - start.count) & counter->mask);
}

static void set_clock(struct cpu *cpu, uint64_t tsc, const struct clock_scale *scale)
{
    cpu->clock.tsc = tsc;
    cpu->clock.time = 0;
    cpu->clock.shift = scale->shift;
    cpu->clock.multiplier = scale->multiplier;
}

void time_init(void)
{
    const struct counter *counter = counters;
    for (; counter < counters + ARRAY_SIZE(counters) && tsc_hz == 0; counter++) {
        tsc_hz = measure_tsc(counter);
        if (tsc_hz)
            log_info("TSC: %lu.%03lu MHz by %s%s", (unsigned long)(tsc_hz / 1000000),
                     (unsigned long)(tsc_hz / 1000 % 1000), counter->name,
                     cpu_features.invariant_tsc ? "" : ", not invariant");
    }
    if (tsc_hz == 0)
        panic("no clock of this machine works: neither HPET nor PM timer nor PIT counts");
    tsc_per_ns = clock_counts_per_ns(tsc_hz);
    struct clock_scale scale = clock_scale_of(tsc_hz);
    set_clock(this_cpu(), rdtsc_ordered(), &scale);
}

void time_init_cpu(void)
{
    this_cpu()->clock = cpus[0].clock;
}

/* A CPU whose TSC is behind by a few counts must not see time before 0. */
static ns_t tsc_to_time(const struct cpu *cpu, uint64_t tsc)
{
    int64_t elapsed = (int64_t)(tsc - cpu->clock.tsc);
    if (unlikely(elapsed < 0))
        return cpu->clock.time;
    return cpu->clock.time + clock_scale_to_ns((uint64_t)elapsed, cpu->clock.multiplier, cpu->clock.shift);
}

ns_t now(void)
{
    return tsc_to_time(this_cpu(), rdtsc_ordered());
}

uint64_t tsc_khz(void)
{
    return tsc_hz / 1000;
}

void udelay(unsigned microseconds)
{
    uint64_t hz = tsc_hz ? tsc_hz : GUESSED_TSC_HZ;
    uint64_t start = rdtsc(), steps = hz / 1000000 * microseconds;
    while (rdtsc() - start < steps)
        cpu_relax();
}

/* The timer's own frequency, counted for a moment with its interrupt masked. */
#define APIC_MEASURE_MICROSECONDS 1000

static uint64_t apic_timer_read(void)
{
    return UINT32_MAX - apic_read(APIC_TIMER_CURRENT); /* it counts down */
}

static void measure_apic_timer(void)
{
    static const struct counter timer = {.name = "local APIC timer", .read = apic_timer_read};
    apic_write(APIC_LVT_TIMER, APIC_LVT_MASKED | VECTOR_APIC_TIMER);
    apic_write(APIC_TIMER_DIVIDE, APIC_DIVIDE_BY_1);
    apic_write(APIC_TIMER_INITIAL, UINT32_MAX);
    struct reading start = read_pair(&timer);
    udelay(APIC_MEASURE_MICROSECONDS);
    struct reading end = read_pair(&timer);
    apic_write(APIC_TIMER_INITIAL, 0);
    if (end.count <= start.count)
        panic("the local APIC's timer does not count");
    uint64_t hz = (end.count - start.count) * (tsc_hz / 1000) / (end.tsc - start.tsc) * 1000;
    apic_timer_per_ns = clock_counts_per_ns(hz);
    log_info("local APIC timer: %lu.%03lu MHz", (unsigned long)(hz / 1000000), (unsigned long)(hz / 1000 % 1000));
}

/* Once on each CPU, when its timer is first used. */
static void prepare_apic_timer(void)
{
    static BITMAP(prepared, NR_CPUS);
    if (likely(test_bit(smp_processor_id(), prepared)))
        return;
    if (cpu_features.tsc_deadline) {
        apic_write(APIC_LVT_TIMER, APIC_LVT_TIMER_DEADLINE | VECTOR_APIC_TIMER);
        __asm__ volatile("mfence" ::: "memory"); /* the mode must be set before the MSR counts: SDM 3, 11.5.4.1 */
    } else {
        if (apic_timer_per_ns == 0)
            measure_apic_timer();
        apic_write(APIC_TIMER_DIVIDE, APIC_DIVIDE_BY_1);
        apic_write(APIC_LVT_TIMER, APIC_LVT_TIMER_ONESHOT | VECTOR_APIC_TIMER);
    }
    set_bit(smp_processor_id(), prepared);
}

/* A deadline too far for the 32-bit counter fires early; the owner of the timers then sets it again. */
void apic_timer_set(ns_t deadline)
{
    const struct cpu *cpu = this_cpu();
    prepare_apic_timer();
    if (cpu_features.tsc_deadline) {
        wrmsr(MSR_TSC_DEADLINE, deadline ? clock_count_at(cpu->clock.tsc, cpu->clock.time, deadline, tsc_per_ns) : 0);
        return;
    }
    uint64_t counts = 0;
    if (deadline) {
        ns_t time = now();
        counts = deadline > time ? clock_ns_to_counts(deadline - time, apic_timer_per_ns) : 1;
        counts = min(max(counts, (uint64_t)1), (uint64_t)UINT32_MAX);
    }
    apic_write(APIC_TIMER_INITIAL, (uint32_t)counts);
}

/* CMOS clock: Motorola MC146818A data sheet. */
#define CMOS_INDEX     0x70
#define CMOS_DATA      0x71
#define CMOS_SECONDS   0x00
#define CMOS_MINUTES   0x02
#define CMOS_HOURS     0x04
#define CMOS_DAY       0x07
#define CMOS_MONTH     0x08
#define CMOS_YEAR      0x09
#define CMOS_STATUS_A  0x0a
#define CMOS_STATUS_B  0x0b
#define CMOS_UPDATING  0x80
#define CMOS_BINARY    0x04
#define CMOS_24_HOURS  0x02
#define CMOS_AFTERNOON 0x80

struct date {
    uint8_t seconds, minutes, hours, day, month, year;
};

static uint8_t cmos_read(uint8_t reg)
{
    outb(reg, CMOS_INDEX);
    return inb(CMOS_DATA);
}

static struct date cmos_read_date(void)
{
    /* An update takes 2 ms at most; a clock that is always updating is no clock, and its date is as good as
     * any. */
    for (unsigned i = 0; i < 3000 && (cmos_read(CMOS_STATUS_A) & CMOS_UPDATING); i++)
        udelay(1);
    return (struct date){cmos_read(CMOS_SECONDS), cmos_read(CMOS_MINUTES), cmos_read(CMOS_HOURS),
                         cmos_read(CMOS_DAY),     cmos_read(CMOS_MONTH),   cmos_read(CMOS_YEAR)};
}

static uint8_t from_bcd(uint8_t v)
{
    return (uint8_t)((v >> 4) * 10 + (v & 15));
}

static void normalise_date(struct date *date)
{
    uint8_t status = cmos_read(CMOS_STATUS_B);
    bool afternoon = !(status & CMOS_24_HOURS) && (date->hours & CMOS_AFTERNOON);
    uint8_t *field = &date->seconds;
    if (!(status & CMOS_24_HOURS))
        date->hours &= (uint8_t)~CMOS_AFTERNOON;
    for (unsigned i = 0; !(status & CMOS_BINARY) && i < sizeof(*date); i++)
        field[i] = from_bcd(field[i]);
    if (!(status & CMOS_24_HOURS))
        date->hours = (uint8_t)(date->hours % 12 + (afternoon ? 12 : 0));
}

/* Days from 1970-01-01 to a date of the years 2000 to 2099, where every fourth year is a leap year. */
static uint64_t days_since_1970(const struct date *date)
{
    static const uint16_t before_month[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
    unsigned month = min(max((unsigned)date->month, 1U), 12U);
    bool after_leap_day = date->year % 4 == 0 && month > 2;
    return 10957 + date->year * 365ULL + (date->year + 3U) / 4 + before_month[month - 1] + after_leap_day + date->day -
           1;
}

uint64_t cmos_seconds(void)
{
    struct date date, again = cmos_read_date();
    for (int i = 0; i < 5; i++) { /* two equal readings: none was torn by an update */
        date = again;
        again = cmos_read_date();
        if (memcmp(&date, &again, sizeof(date)) == 0)
            break;
    }
    normalise_date(&again);
    return days_since_1970(&again) * 86400 + again.hours * 3600ULL + again.minutes * 60ULL + again.seconds;
}
