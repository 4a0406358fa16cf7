/* PIT, RTC, HPET, PM timer: what they count, and when they interrupt. */
#include "rig.h"

#define V(n)   (rig_domain.vcpu[n])
#define LAPIC  0xfee00000ULL
#define IOAPIC 0xfec00000ULL
#define HPET   0xfed00000ULL

static void start(uint32_t emulation)
{
    rig_start(1, emulation | XEN_X86_EMU_LAPIC | XEN_X86_EMU_IOAPIC);
    write32(0, LAPIC + APIC_SPURIOUS, 0x1ff);
}

static void route(unsigned pin, uint32_t low)
{
    write32(0, IOAPIC, 0x11 + 2 * pin);
    write32(0, IOAPIC + 0x10, 0);
    write32(0, IOAPIC, 0x10 + 2 * pin);
    write32(0, IOAPIC + 0x10, low);
}

/* Interrupts taken, each served at once. */
static unsigned served(int vector)
{
    unsigned count = 0;

    for (int got; (got = take(0)) >= 0; count++) {
        CHECK_EQUAL(vector, got);
        write32(0, LAPIC + APIC_EOI, 0);
    }
    return count;
}

/* ---- PIT ---- */

static void set_pit(unsigned channel, unsigned mode, unsigned count)
{
    outb_(0x43, (uint8_t)(channel << 6 | 0x30 | mode << 1));
    outb_((uint16_t)(0x40 + channel), (uint8_t)count);
    outb_((uint16_t)(0x40 + channel), (uint8_t)(count >> 8));
}

static unsigned latched(unsigned channel)
{
    unsigned low;

    outb_(0x43, (uint8_t)(channel << 6));
    low = inb_((uint16_t)(0x40 + channel));
    return low | (unsigned)inb_((uint16_t)(0x40 + channel)) << 8;
}

static void test_pit_counts(void)
{
    uint32_t value;

    start(XEN_X86_EMU_PIT);
    set_pit(0, 2, 11932); /* 10 ms */
    rig_run(5 * MS);
    CHECK_EQUAL(11932 - 5965, latched(0));
    rig_run(5 * MS + 1000);
    CHECK_EQUAL(11932 - 1, latched(0));
    set_pit(0, 3, 11932); /* by two */
    rig_run(MS);
    CHECK_EQUAL(11932 - 2 * 1193, latched(0));
    set_pit(1, 0, 1000);
    rig_run(MS);
    CHECK_EQUAL((1000 - 1193) & 0xffff, latched(1));
    outb_(0x43, 0xe4); /* read back status of channel 1, not the count */
    CHECK_EQUAL(0x80 | 3 << 4, inb_(0x41));
    outb_(0x43, 0x54); /* channel 1: low byte only, mode 2 */
    outb_(0x41, 200);
    CHECK_EQUAL(200, inb_(0x41));
    outb_(0x43, 0xc4 & ~0x30); /* count and status of channel 1 */
    CHECK_EQUAL(0x80 | 1 << 4 | 2 << 1, inb_(0x41));
    CHECK_EQUAL(200, inb_(0x41));
    CHECK_EQUAL(IO_UNHANDLED, port_in(0, 0x40, 2, &value));
    rig_stop();
}

/* What Linux does to find the TSC's frequency. */
static void test_pit_gate(void)
{
    start(XEN_X86_EMU_PIT);
    outb_(0x61, (inb_(0x61) & ~2) | 1);
    set_pit(2, 0, 59659); /* 50 ms */
    CHECK_EQUAL(1, inb_(0x61) & 0x21);
    rig_run(49 * MS);
    CHECK_EQUAL(0, inb_(0x61) & 0x20);
    rig_run(MS + 1000);
    CHECK_EQUAL(0x20, inb_(0x61) & 0x20);
    set_pit(2, 0, 59659);
    rig_run(10 * MS);
    outb_(0x61, 0); /* the gate stops it */
    rig_run(100 * MS);
    CHECK_EQUAL(0, inb_(0x61) & 0x20);
    CHECK_EQUAL(59659 - 11931, latched(2));
    outb_(0x61, 1);
    rig_run(10 * MS);
    CHECK_EQUAL(59659 - 23863, latched(2));
    outb_(0x61, 3);
    CHECK_EQUAL(3, inb_(0x61) & 3);
    rig_stop();
}

static void test_pit_interrupts(void)
{
    start(XEN_X86_EMU_PIT);
    route(2, 0x30);
    set_pit(0, 2, 11932);
    for (unsigned i = 0; i < 10; i++) {
        rig_run(10 * MS + 1000);
        CHECK_EQUAL(1, served(0x30));
    }
    set_pit(0, 0, 11932); /* one shot */
    rig_run(9 * MS);
    CHECK_EQUAL(0, served(0x30));
    rig_run(2 * MS);
    CHECK_EQUAL(1, served(0x30));
    rig_run(100 * MS);
    CHECK_EQUAL(0, served(0x30));
    outb_(0x43, 0x34); /* mode 2, no count yet: silent */
    rig_run(100 * MS);
    CHECK_EQUAL(0, served(0x30));
    rig_stop();
}

/* The vcpu did not run for a while. */
static unsigned after_sleep(unsigned mode, ns_t sleep)
{
    unsigned count;

    start(XEN_X86_EMU_PIT);
    rig_domain.hvm->param[HVM_PARAM_TIMER_MODE] = mode;
    route(2, 0x30);
    set_pit(0, 2, 1193); /* ms */
    rig_run(MS);
    CHECK_EQUAL(1, served(0x30));
    rig_run(sleep + MS / 2);
    count = served(0x30);
    rig_stop();
    return count;
}

static void test_missed_ticks(void)
{
    CHECK_EQUAL(20, after_sleep(HVMPTM_no_delay_for_missed_ticks, 20 * MS));
    CHECK_EQUAL(20, after_sleep(HVMPTM_delay_for_missed_ticks, 20 * MS));
    CHECK_EQUAL(2, after_sleep(HVMPTM_no_missed_ticks_pending, 20 * MS)); /* the one on its way, and one for the rest */
    CHECK_EQUAL(2, after_sleep(HVMPTM_one_missed_tick_pending, 20 * MS));
    CHECK_EQUAL(TICK_BACKLOG + 2,
                after_sleep(HVMPTM_no_delay_for_missed_ticks, 5000 * MS)); /* one on its way, one taken now */
}

/* A guest that does not listen costs no more than the patience says. */
static void test_fast_tick(void)
{
    start(XEN_X86_EMU_PIT);
    set_pit(0, 2, 2);
    rig_timer_limit = 1000;
    rig_run(900 * MS); /* masked */
    route(2, 0x30);
    rig_run(900 * MS); /* not taken */
    CHECK_EQUAL(0x30, take(0));
    rig_timer_limit = 1000000;
    rig_stop();
}

static void test_freeze(void)
{
    start(XEN_X86_EMU_PIT);
    route(2, 0x30);
    set_pit(0, 2, 11932);
    rig_run(10 * MS + 1000);
    CHECK_EQUAL(1, served(0x30));
    vtimers_freeze(&rig_domain, true);
    vtimers_freeze(&rig_domain, true);
    rig_timer_limit = 2; /* the processor timer may be set for what was stopped */
    rig_run(1000 * MS);
    vtimers_freeze(&rig_domain, false);
    rig_run(1000 * MS);
    CHECK_EQUAL(0, served(0x30));
    rig_timer_limit = 1000000;
    vtimers_freeze(&rig_domain, false);
    rig_run(10 * MS);
    CHECK_EQUAL(1, served(0x30)); /* what it missed is forgotten */
    rig_stop();
    rig_domain.pause_count = 1; /* as a new domain is */
    start(XEN_X86_EMU_PIT);
    route(2, 0x30);
    set_pit(0, 2, 11932);
    rig_run(1000 * MS);
    CHECK_EQUAL(0, served(0x30));
    vtimers_freeze(&rig_domain, false);
    rig_run(10 * MS);
    CHECK_EQUAL(1, served(0x30));
    rig_domain.pause_count = 0;
    rig_stop();
}

/* ---- RTC ---- */

static uint8_t rtc_read(uint8_t index)
{
    outb_(0x70, index);
    return inb_(0x71);
}

static void rtc_write(uint8_t index, uint8_t value)
{
    outb_(0x70, index);
    outb_(0x71, value);
}

static void test_rtc_time(void)
{
    uint32_t value;

    start(XEN_X86_EMU_RTC);
    CHECK_EQUAL(0x00, rtc_read(0));
    CHECK_EQUAL(0x00, rtc_read(2));
    CHECK_EQUAL(0x12, rtc_read(4));
    CHECK_EQUAL(1, rtc_read(6)); /* a Sunday */
    CHECK_EQUAL(0x14, rtc_read(7));
    CHECK_EQUAL(0x07, rtc_read(8));
    CHECK_EQUAL(0x24, rtc_read(9));
    CHECK_EQUAL(0x80, rtc_read(0x0d));
    CHECK_EQUAL(0x26, rtc_read(0x0a));
    rig_run(899 * MS + 900000); /* 0.9999 s: the update is near */
    CHECK_EQUAL(0xa6, rtc_read(0x0a));
    rig_run(3600ULL * 1000 * MS + 59ULL * 1000 * MS);
    CHECK_EQUAL(0x59, rtc_read(0));
    CHECK_EQUAL(0x13, rtc_read(4));
    rtc_write(0x0b, 0); /* 12 hours */
    CHECK_EQUAL(0x81, rtc_read(4));
    rtc_write(0x0b, 4); /* binary */
    CHECK_EQUAL(59, rtc_read(0));
    rtc_write(0x0b, 0x86); /* stopped, 24 hours */
    rtc_write(9, 99);
    rtc_write(8, 12);
    rtc_write(7, 31);
    rtc_write(4, 23);
    rtc_write(2, 59);
    rtc_write(0, 58);
    CHECK_EQUAL(58, rtc_read(0));
    rtc_write(0x0b, 0x06);
    CHECK_EQUAL(58, rtc_read(0));
    rig_run(2000 * MS);
    CHECK_EQUAL(0, rtc_read(9)); /* 1 January 2000, a Saturday */
    CHECK_EQUAL(1, rtc_read(8));
    CHECK_EQUAL(1, rtc_read(7));
    CHECK_EQUAL(7, rtc_read(6));
    CHECK_EQUAL(0, rtc_read(4));
    rtc_write(9, 24); /* set while it runs: 29 February */
    rtc_write(8, 2);
    rtc_write(7, 29);
    CHECK_EQUAL(29, rtc_read(7));
    rig_run(86400ULL * 1000 * MS);
    CHECK_EQUAL(1, rtc_read(7));
    CHECK_EQUAL(3, rtc_read(8));
    vrtc_set_time_offset(&rig_domain, 3600);
    CHECK_EQUAL(7, rtc_read(8));
    CHECK_EQUAL(IO_UNHANDLED, port_out(0, 0x70, 1, 0x0e)); /* the device model's */
    CHECK_EQUAL(IO_UNHANDLED, port_in(0, 0x71, 1, &value));
    CHECK_EQUAL(IO_OK, port_out(0, 0x70, 1, 0x80 | 4));
    CHECK_EQUAL(IO_OK, port_in(0, 0x71, 1, &value));
    rig_stop();
}

/* The host's wall clock goes back an hour: seconds go on being counted. */
static void test_rtc_wallclock_set_back(void)
{
    start(XEN_X86_EMU_RTC);
    rtc_write(0x0b, 0x12); /* updates interrupt */
    (void)rtc_read(0x0c);
    rig_run(1000 * MS);
    CHECK_EQUAL(0x10, rtc_read(0x0c) & 0x10);
    rig_wallclock -= 3600;
    rig_run(1000 * MS);
    (void)rtc_read(0x0c);
    rig_run(1000 * MS);
    CHECK_EQUAL(0x10, rtc_read(0x0c) & 0x10);
    rig_run(1000 * MS);
    CHECK_EQUAL(0x10, rtc_read(0x0c) & 0x10);
    rig_wallclock += 3600;
    rig_stop();
}

/* Every day of 800 years goes to registers and back. */
static void test_rtc_calendar(void)
{
    static const uint8_t lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    unsigned year = 1970, month = 1, day = 1, weekday = 5;

    start(XEN_X86_EMU_RTC);
    rtc_write(0x0b, 6);
    for (int64_t i = 0; i < 146097; i++) {
        vrtc_set_time_offset(&rig_domain, i * 86400 - 1720958400);
        CHECK_EQUAL(year % 100, rtc_read(9));
        CHECK_EQUAL(month, rtc_read(8));
        CHECK_EQUAL(day, rtc_read(7));
        CHECK_EQUAL(weekday, rtc_read(6));
        if (year < 2070) {
            int64_t offset = rig_domain.hvm->time_of_day_offset;
            rtc_write(0x0b, 0x86);
            rtc_write(0x0b, 0x06);
            CHECK_EQUAL(offset, rig_domain.hvm->time_of_day_offset);
        }
        weekday = weekday % 7 + 1;
        unsigned length = lengths[month - 1] + (month == 2 && year % 4 == 0 && (year % 100 || year % 400 == 0));
        if (day++ == length) {
            day = 1;
            month = month % 12 + 1;
            year += month == 1;
        }
    }
    rig_stop();
}

static void test_rtc_interrupts(void)
{
    start(XEN_X86_EMU_RTC);
    route(8, 0x38);
    rtc_write(0x0b, 0x12); /* update ended */
    rig_run(900 * MS - 1);
    CHECK_EQUAL(0, served(0x38));
    rig_run(1);
    CHECK_EQUAL(1, served(0x38));
    rig_run(5000 * MS);
    CHECK_EQUAL(0, served(0x38)); /* not until register C is read */
    CHECK_EQUAL(0x90, rtc_read(0x0c));
    CHECK_EQUAL(0, rtc_read(0x0c));
    rig_run(1000 * MS);
    CHECK_EQUAL(1, served(0x38));
    CHECK_EQUAL(0x90, rtc_read(0x0c));
    rtc_write(0x0b, 0x02);
    rtc_write(1, 0x30); /* alarm at :30 of every minute */
    rtc_write(3, 0xff);
    rtc_write(5, 0xff);
    (void)rtc_read(0x0c);
    rtc_write(0x0b, 0x22);
    rig_run(23000 * MS - 1);
    CHECK_EQUAL(0, served(0x38));
    rig_run(1);
    CHECK_EQUAL(1, served(0x38));
    CHECK_EQUAL(0xb0, rtc_read(0x0c));
    rtc_write(3, 0x05);
    rtc_write(5, 0x12); /* 12:05:30 */
    rig_run(5 * 60 * 1000 * MS);
    CHECK_EQUAL(1, served(0x38));
    CHECK_EQUAL(0x20, rtc_read(0x0c) & 0x20);
    rtc_write(0x0b, 0x02);
    rtc_write(0x0a, 0x26); /* 1024 Hz */
    rtc_write(0x0b, 0x42);
    for (unsigned i = 0; i < 1024; i++) {
        rig_run(976563);
        CHECK_EQUAL(1, served(0x38));
        CHECK_EQUAL(0xc0, rtc_read(0x0c) & 0xc0);
    }
    rig_run(10 * 976563); /* missed: one after the other as it reads register C */
    for (unsigned i = 0; i < 10; i++) {
        CHECK_EQUAL(1, served(0x38));
        (void)rtc_read(0x0c);
    }
    CHECK_EQUAL(0, served(0x38));
    rig_stop();
}

/* ---- HPET ---- */

static void test_hpet_counter(void)
{
    uint64_t before;

    start(XEN_X86_EMU_HPET);
    CHECK_EQUAL(0x8086a201, read32(0, HPET));
    CHECK_EQUAL(16000000, read32(0, HPET + 4));
    CHECK_EQUAL(0, read64(0, HPET + 0xf0));
    rig_run(MS);
    CHECK_EQUAL(0, read64(0, HPET + 0xf0));
    write32(0, HPET + 0x10, 1);
    rig_run(MS);
    CHECK_EQUAL(MS / 16, read64(0, HPET + 0xf0));
    write32(0, HPET + 0x10, 0);
    rig_run(MS);
    CHECK_EQUAL(MS / 16, read32(0, HPET + 0xf0));
    write32(0, HPET + 0xf4, 5); /* upper half */
    CHECK_EQUAL(5ULL << 32 | MS / 16, read64(0, HPET + 0xf0));
    write32(0, HPET + 0x10, 1);
    before = read64(0, HPET + 0xf0);
    rig_run(16);
    CHECK_EQUAL(before + 1, read64(0, HPET + 0xf0));
    CHECK_EQUAL(0x00f00000, read32(0, HPET + 0x104));
    rig_domain.hvm->param[HVM_PARAM_HPET_ENABLED] = 0;
    CHECK(!memory_access(0, HPET, 4, false, &before), "not there");
    rig_stop();
}

static void test_hpet_legacy(void)
{
    start(XEN_X86_EMU_HPET | XEN_X86_EMU_PIT);
    route(2, 0x30);
    set_pit(0, 2, 1193);
    write32(0, HPET + 0x10, 3);
    write32(0, HPET + 0x100, 0x014c); /* periodic, enabled, value to be set, 32 bits */
    write32(0, HPET + 0x108, read32(0, HPET + 0xf0) + 10 * MS / 16);
    write32(0, HPET + 0x108, 10 * MS / 16);
    for (unsigned i = 0; i < 10; i++) {
        rig_run(10 * MS - 1);
        CHECK_EQUAL(0, served(0x30));
        rig_run(1);
        CHECK_EQUAL(1, served(0x30));
    }
    CHECK_EQUAL(11 * 10 * MS / 16, read32(0, HPET + 0x108));
    write32(0, HPET + 0x10, 1); /* the PIT is back */
    rig_run(5 * MS + MS / 2);
    CHECK(served(0x30) >= 4, "the PIT's ticks");
    rig_stop();
}

static void test_hpet_one_shot(void)
{
    start(XEN_X86_EMU_HPET);
    route(20, 0x50);
    write32(0, HPET + 0x10, 1);
    write32(0, HPET + 0x120, 20 << 9 | 4); /* timer 1 to GSI 20 */
    write64(0, HPET + 0x128, read64(0, HPET + 0xf0) + MS / 16);
    rig_run(MS - 1);
    CHECK_EQUAL(0, served(0x50));
    rig_run(1);
    CHECK_EQUAL(1, served(0x50));
    rig_run(1000 * MS);
    CHECK_EQUAL(0, served(0x50));
    write64(0, HPET + 0x128, read64(0, HPET + 0xf0) - 1); /* passed: in 64 bits it never comes */
    rig_run(1000 * MS);
    CHECK_EQUAL(0, served(0x50));
    write32(0, HPET + 0x120, 0x100 | 20 << 9 | 4); /* in 32 bits it comes when the counter has gone round */
    write32(0, HPET + 0x128, read32(0, HPET + 0xf0) - 1);
    rig_run(69000 * MS);
    CHECK_EQUAL(1, served(0x50));
    rig_stop();
}

static void test_hpet_level(void)
{
    start(XEN_X86_EMU_HPET);
    route(21, 0x8000 | 0x51);
    write32(0, HPET + 0x10, 1);
    write32(0, HPET + 0x140, 21 << 9 | 0x4e); /* timer 2, periodic, level, 64 bits */
    write64(0, HPET + 0x148, read64(0, HPET + 0xf0) + MS / 16);
    write64(0, HPET + 0x148, MS / 16);
    rig_run(MS);
    CHECK_EQUAL(0x51, take(0));
    CHECK_EQUAL(4, read32(0, HPET + 0x20));
    write32(0, HPET + 0x20, 3); /* others */
    CHECK_EQUAL(4, read32(0, HPET + 0x20));
    write32(0, HPET + 0x20, 4);
    CHECK_EQUAL(0, read32(0, HPET + 0x20));
    write32(0, LAPIC + APIC_EOI, 0);
    CHECK_EQUAL(-1, take(0));
    rig_run(MS);
    CHECK_EQUAL(0x51, take(0));
    rig_stop();
}

/* ---- PM timer ---- */

static void test_pm_timer(void)
{
    uint32_t first, second;

    start(XEN_X86_EMU_PM);
    CHECK_EQUAL(IO_UNHANDLED, port_in(0, 0xb008, 4, &first));
    CHECK_EQUAL(IO_OK, port_in(0, 0x1f48, 4, &first));
    CHECK_EQUAL(-EINVAL, vpm_set_ioports(&rig_domain, 2));
    CHECK_EQUAL(0, vpm_set_ioports(&rig_domain, 1));
    CHECK_EQUAL(IO_UNHANDLED, port_in(0, 0x1f48, 4, &first));
    CHECK_EQUAL(IO_UNHANDLED, port_in(0, 0xb004, 2, &first)); /* control is the device model's */
    CHECK_EQUAL(IO_OK, port_in(0, 0xb008, 4, &first));
    rig_run(1000 * MS);
    CHECK_EQUAL(IO_OK, port_in(0, 0xb008, 4, &second));
    CHECK(second - first >= 3579544 && second - first <= 3579545, "%u", second - first);
    rig_stop();
}

static void test_pm_events(void)
{
    uint32_t value;

    start(XEN_X86_EMU_PM);
    CHECK_EQUAL(0, vpm_set_ioports(&rig_domain, 1));
    route(9, 0x8000 | 0x49);
    vpm_power_button(&rig_domain);
    CHECK_EQUAL(-1, take(0));
    CHECK_EQUAL(IO_OK, port_out(0, 0xb002, 2, 0x0121));
    CHECK_EQUAL(0x49, take(0));
    CHECK_EQUAL(IO_OK, port_in(0, 0xb000, 2, &value));
    CHECK_EQUAL(0x100, value);
    CHECK_EQUAL(IO_OK, port_in(0, 0xb000, 4, &value));
    CHECK_EQUAL(0x01210100, value);
    CHECK_EQUAL(IO_OK, port_out(0, 0xb000, 2, 0x100));
    write32(0, LAPIC + APIC_EOI, 0);
    CHECK_EQUAL(-1, take(0));
    vpm_sleep_button(&rig_domain); /* not enabled */
    CHECK_EQUAL(-1, take(0));
    rig_run(601000 * MS); /* the counter's top bit turns after 600 s */
    CHECK_EQUAL(0x49, take(0));
    CHECK_EQUAL(IO_OK, port_in(0, 0xb000, 2, &value));
    CHECK_EQUAL(0x201, value);
    CHECK_EQUAL(IO_OK, port_in(0, 0xb002, 1, &value));
    CHECK_EQUAL(0x21, value);
    CHECK_EQUAL(IO_OK, port_out(0, 0xb003, 1, 0));
    CHECK_EQUAL(IO_OK, port_in(0, 0xb000, 4, &value));
    CHECK_EQUAL(0x00210201, value);
    rig_stop();
}

int main(void)
{
    test_pit_counts();
    test_pit_gate();
    test_pit_interrupts();
    test_missed_ticks();
    test_fast_tick();
    test_freeze();
    test_rtc_time();
    test_rtc_wallclock_set_back();
    test_rtc_calendar();
    test_rtc_interrupts();
    test_hpet_counter();
    test_hpet_legacy();
    test_hpet_one_shot();
    test_hpet_level();
    test_pm_timer();
    test_pm_events();
    return 0;
}
