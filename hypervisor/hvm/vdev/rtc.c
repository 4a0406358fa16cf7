/*
 * Virtual real-time clock: MC146818 behind ports 0x70 and 0x71. Source: Motorola MC146818 data sheet.
 *
 * Only the clock's 14 registers are here; the rest of the CMOS memory is the device model's, which sees both the index
 * and the data of every other access. The time is not kept but computed: the host's wall clock and the domain's offset.
 * While the guest has stopped updates, the registers hold what it wrote, and the offset is set when it lets go.
 */
#include "timers.h"

#define RTC_GSI 8

enum { SECONDS, SECONDS_ALARM, MINUTES, MINUTES_ALARM, HOURS, HOURS_ALARM, WEEKDAY, DAY, MONTH, YEAR, A, B, C, D };
_Static_assert(D == RTC_CMOS_SIZE - 1, "saved record");

#define A_UPDATING  0x80
#define B_SET       0x80
#define B_PERIODIC  0x40
#define B_ALARM     0x20
#define B_UPDATE    0x10
#define B_BINARY    0x04
#define B_24_HOURS  0x02
#define C_INTERRUPT 0x80
#define C_FLAGS     0x70 /* periodic, alarm, update: as in B */
#define D_VALID     0x80
#define HOUR_PM     0x80
#define ANY         0xc0 /* alarm bytes with these bits match everything */

#define UPDATE_NS   244000U /* "updating" comes this long before the update */
#define DAY_SECONDS 86400

struct rtc {
    struct hvm_timers *timers;
    uint8_t cmos[RTC_CMOS_SIZE];
    uint8_t index;
    int64_t seen;          /* second up to which update and alarm flags have been worked out */
    uint64_t periods_seen; /* and the periodic flag */
    struct tick tick;      /* periodic interrupt */
    struct alarm alarm;    /* next update or alarm that interrupts */
};

static struct rtc *rtc_of(const struct domain *d)
{
    return chip_state(d, CHIP_RTC);
}

/* ---- the time of day ---- */

/* ns into the second; *second since 1970 on the guest's clock. */
static uint32_t guest_time(const struct rtc *r, int64_t *second)
{
    uint64_t seconds, ns;
    uint32_t fraction;

    wallclock_get(&seconds, &fraction);
    ns = now() + fraction;
    *second = (int64_t)(seconds + ns / NS_PER_SECOND) + r->timers->domain->hvm->time_of_day_offset;
    return (uint32_t)(ns % NS_PER_SECOND);
}

static int64_t guest_second(const struct rtc *r)
{
    int64_t second;

    guest_time(r, &second);
    return second;
}

/* When the guest's clock will show `second`; now, if it has already. */
static ns_t time_of_second(const struct rtc *r, int64_t second)
{
    int64_t present;
    uint32_t ns = guest_time(r, &present);

    return second > present ? now() + (uint64_t)(second - present) * NS_PER_SECOND - ns : now();
}

/* A thousand years are enough for everybody, and cannot overflow. */
static int64_t sane_offset(int64_t seconds)
{
    const int64_t limit = 1000LL * 366 * DAY_SECONDS;

    return seconds > limit ? limit : seconds < -limit ? -limit : seconds;
}

static uint8_t encode(const struct rtc *r, unsigned value)
{
    return (uint8_t)(r->cmos[B] & B_BINARY ? value : value / 10 << 4 | value % 10);
}

static unsigned decode(const struct rtc *r, uint8_t byte)
{
    return r->cmos[B] & B_BINARY ? byte : (byte >> 4) * 10U + (byte & 15);
}

static uint8_t encode_hour(const struct rtc *r, unsigned hour)
{
    if (r->cmos[B] & B_24_HOURS)
        return encode(r, hour);
    return encode(r, hour % 12 ? hour % 12 : 12) | (hour >= 12 ? HOUR_PM : 0);
}

static unsigned decode_hour(const struct rtc *r, uint8_t byte)
{
    if (r->cmos[B] & B_24_HOURS)
        return decode(r, byte);
    return decode(r, byte & 0x7f) % 12 + (byte & HOUR_PM ? 12 : 0);
}

/* Days since 1 March 2000 and back, in the Gregorian calendar: years begin in March, so that a leap day is last. */
#define EPOCH_DAYS 11017 /* 1 March 2000 since 1970 */

static int64_t days_of_date(unsigned year, unsigned month, unsigned day)
{
    int64_t y = (int64_t)year - 2000 - (month < 3);
    unsigned m = (month + 9) % 12;
    int64_t leap = (y >= 0 ? y : y - 3) / 4 - (y >= 0 ? y : y - 99) / 100 + (y >= 0 ? y : y - 399) / 400;

    return EPOCH_DAYS + y * 365 + leap + (153 * m + 2) / 5 + day - 1;
}

static void date_of_days(int64_t days, unsigned *year, unsigned *month, unsigned *day)
{
    int64_t since = days - EPOCH_DAYS;
    int64_t era = (since >= 0 ? since : since - 146096) / 146097; /* of 400 years */
    unsigned d = (unsigned)(since - era * 146097);
    unsigned y = (d - d / 1460 + d / 36524 - d / 146096) / 365;
    unsigned of_year = d - (365 * y + y / 4 - y / 100);
    unsigned m = (5 * of_year + 2) / 153;

    *day = of_year - (153 * m + 2) / 5 + 1;
    *month = m < 10 ? m + 3 : m - 9;
    *year = (unsigned)(2000 + era * 400 + y + (m >= 10));
}

/* Fills the time registers, unless updates are stopped. */
static void update_registers(struct rtc *r)
{
    uint8_t *cmos = r->cmos;
    unsigned year, month, day, of_day;
    int64_t second = guest_second(r), days;

    if (cmos[B] & B_SET)
        return;
    days = (second >= 0 ? second : second - (DAY_SECONDS - 1)) / DAY_SECONDS;
    of_day = (unsigned)(second - days * DAY_SECONDS);
    date_of_days(days, &year, &month, &day);
    cmos[SECONDS] = encode(r, of_day % 60);
    cmos[MINUTES] = encode(r, of_day / 60 % 60);
    cmos[HOURS] = encode_hour(r, of_day / 3600);
    cmos[WEEKDAY] = encode(r, (unsigned)(((days + 4) % 7 + 7) % 7 + 1)); /* 1 January 1970 was a Thursday, day 5 */
    cmos[DAY] = encode(r, day);
    cmos[MONTH] = encode(r, month);
    cmos[YEAR] = encode(r, year % 100);
}

/* The guest has set the time registers: the offset follows. */
static void take_registers(struct rtc *r)
{
    const uint8_t *cmos = r->cmos;
    unsigned year = decode(r, cmos[YEAR]);
    int64_t days = days_of_date(year + (year < 70 ? 2000 : 1900), decode(r, cmos[MONTH]), decode(r, cmos[DAY]));
    int64_t second = days * DAY_SECONDS + decode_hour(r, cmos[HOURS]) * 3600 + decode(r, cmos[MINUTES]) * 60 +
                     decode(r, cmos[SECONDS]);

    r->timers->domain->hvm->time_of_day_offset =
        sane_offset(r->timers->domain->hvm->time_of_day_offset + second - guest_second(r));
    r->seen = guest_second(r);
}

/* ---- flags and interrupts ---- */

static bool alarm_unit_matches(const struct rtc *r, unsigned reg, unsigned value)
{
    uint8_t byte = r->cmos[reg];

    if ((byte & ANY) == ANY)
        return true;
    return (reg == HOURS_ALARM ? decode_hour(r, byte) : decode(r, byte)) == value;
}

/* The first second after `after`, within a day, that the alarm is set for; 0: never. Skips whole hours and minutes. */
static int64_t next_alarm(const struct rtc *r, int64_t after)
{
    uint8_t seconds = r->cmos[SECONDS_ALARM], minutes = r->cmos[MINUTES_ALARM];

    if (((seconds & ANY) != ANY && decode(r, seconds) > 59) || ((minutes & ANY) != ANY && decode(r, minutes) > 59))
        return 0;
    for (int64_t i = 1; i <= DAY_SECONDS;) {
        unsigned of_day = (unsigned)(((after + i) % DAY_SECONDS + DAY_SECONDS) % DAY_SECONDS);
        if (!alarm_unit_matches(r, HOURS_ALARM, of_day / 3600))
            i += 3600 - of_day % 3600;
        else if (!alarm_unit_matches(r, MINUTES_ALARM, of_day / 60 % 60))
            i += 60 - of_day % 60;
        else if (!alarm_unit_matches(r, SECONDS_ALARM, of_day % 60))
            i++;
        else
            return after + i;
    }
    return 0;
}

static void flag(struct rtc *r, uint8_t which)
{
    uint8_t *cmos = r->cmos;

    cmos[C] |= which;
    if (cmos[B] & cmos[C] & C_FLAGS && !(cmos[C] & C_INTERRUPT)) {
        cmos[C] |= C_INTERRUPT;
        if (!vhpet_replaces(r->timers->domain))
            hvm_chip_edge(r->timers->domain, RTC_GSI);
    }
}

/* Sets the flags of what has happened since this was last asked. */
static void refresh_flags(struct rtc *r)
{
    int64_t second = guest_second(r), alarm;
    uint64_t periods = tick_count(&r->tick, now());

    if (periods != r->periods_seen)
        flag(r, B_PERIODIC);
    r->periods_seen = periods;
    if (r->cmos[B] & B_SET)
        return;
    if (second <= r->seen) {
        r->seen = second; /* the host's wall clock may have been set back */
        return;
    }
    alarm = next_alarm(r, r->seen);
    r->seen = second;
    flag(r, alarm && alarm <= second ? B_UPDATE | B_ALARM : B_UPDATE);
}

/* Sets the alarm for the next update or alarm that interrupts. */
static void restart_alarm(struct rtc *r)
{
    const uint8_t *cmos = r->cmos;
    int64_t second = r->seen, next = 0;

    if (!(cmos[B] & B_SET) && cmos[B] & B_UPDATE)
        next = second + 1;
    else if (!(cmos[B] & B_SET) && cmos[B] & B_ALARM)
        next = next_alarm(r, second);
    if (next)
        alarm_set(&r->alarm, time_of_second(r, next));
    else
        alarm_stop(&r->alarm);
}

static void fire(struct alarm *a)
{
    struct rtc *r = container_of(a, struct rtc, alarm);

    refresh_flags(r);
    restart_alarm(r);
}

/* Taken when the guest reads register C. */
static bool raise(struct tick *tick)
{
    struct rtc *r = container_of(tick, struct rtc, tick);

    r->periods_seen = tick_count(tick, now());
    r->cmos[C] |= B_PERIODIC | C_INTERRUPT;
    return !vhpet_replaces(r->timers->domain) && hvm_chip_edge(r->timers->domain, RTC_GSI);
}

/* Periods of the rate in register A: 2^(rate - 1) clocks of 32768 Hz; 1 and 2 are as 8 and 9. */
static void restart_periodic(struct rtc *r)
{
    unsigned rate = r->cmos[A] & 15;
    ns_t period;

    tick_stop(&r->tick);
    r->periods_seen = 0;
    if (!rate || !(r->cmos[B] & B_PERIODIC))
        return;
    period = (NS_PER_SECOND << (rate < 3 ? rate + 6 : rate - 1)) / 32768;
    tick_start(&r->tick, now() + period, period);
}

/* ---- registers ---- */

static uint8_t read_c(struct rtc *r)
{
    uint8_t value;

    refresh_flags(r);
    value = r->cmos[C];
    r->cmos[C] = 0;
    hvm_chip_line(r->timers->domain, RTC_GSI, false);
    tick_taken(&r->tick);
    return value;
}

static uint8_t read_register(struct rtc *r, unsigned index)
{
    int64_t second;

    switch (index) {
    case A:
        return r->cmos[A] |
               (!(r->cmos[B] & B_SET) && guest_time(r, &second) >= NS_PER_SECOND - UPDATE_NS ? A_UPDATING : 0);
    case C:
        return read_c(r);
    case D:
        return D_VALID;
    case SECONDS_ALARM:
    case MINUTES_ALARM:
    case HOURS_ALARM:
    case B:
        break;
    default:
        update_registers(r);
    }
    return r->cmos[index];
}

static void write_b(struct rtc *r, uint8_t value)
{
    uint8_t *cmos = r->cmos, old = cmos[B];

    if (value & B_SET) {
        update_registers(r);
        value &= (uint8_t)~B_UPDATE;
    }
    refresh_flags(r);
    cmos[B] = value;
    if (old & B_SET && !(value & B_SET))
        take_registers(r);
    flag(r, 0); /* what is flagged already may interrupt now */
    if ((old ^ value) & B_PERIODIC)
        restart_periodic(r);
    restart_alarm(r);
}

static void write_register(struct rtc *r, unsigned index, uint8_t value)
{
    uint8_t *cmos = r->cmos;
    uint8_t old = cmos[index];

    switch (index) {
    case A:
        cmos[A] = value & (uint8_t)~A_UPDATING;
        if ((old ^ value) & 15)
            restart_periodic(r);
        return;
    case B:
        write_b(r, value);
        return;
    case C:
    case D:
        return;
    case SECONDS_ALARM:
    case MINUTES_ALARM:
    case HOURS_ALARM:
        refresh_flags(r);
        cmos[index] = value;
        break;
    default:
        update_registers(r);
        cmos[index] = value;
        if (!(cmos[B] & B_SET))
            take_registers(r);
    }
    restart_alarm(r);
}

/* The top bit of the index masks NMIs on a PC, and nothing here. */
static enum io_result access(struct vcpu *v, uint16_t port, unsigned bytes, bool write, uint32_t *value)
{
    struct rtc *r = rtc_of(v->domain);
    enum io_result result = IO_OK;
    unsigned long flags;

    if (bytes != 1 || (port == 0x70 && !write))
        return IO_UNHANDLED;
    flags = spin_lock_irqsave(&r->timers->lock);
    if (port == 0x70)
        r->index = *value & 0x7f;
    if (r->index >= RTC_CMOS_SIZE)
        result = IO_UNHANDLED;
    else if (port == 0x71 && write)
        write_register(r, r->index, (uint8_t)*value);
    else if (port == 0x71)
        *value = read_register(r, r->index);
    spin_unlock_irqrestore(&r->timers->lock, flags);
    return result;
}

void vrtc_set_time_offset(struct domain *d, int64_t seconds)
{
    struct rtc *r = rtc_of(d);
    unsigned long flags;

    if (!r) {
        d->hvm->time_of_day_offset = sane_offset(seconds);
        return;
    }
    flags = spin_lock_irqsave(&r->timers->lock);
    d->hvm->time_of_day_offset = sane_offset(seconds);
    r->seen = guest_second(r);
    restart_alarm(r);
    spin_unlock_irqrestore(&r->timers->lock, flags);
}

static int init(struct domain *d)
{
    struct rtc *r = rtc_of(d);

    r->timers = timers_of(d);
    r->cmos[A] = 0x26; /* time base of 32768 Hz, 1024 periods a second */
    r->cmos[B] = B_24_HOURS;
    r->seen = guest_second(r);
    tick_init(&r->tick, r->timers, raise);
    alarm_init(&r->alarm, r->timers, fire);
    return 0;
}

/* ---- saving ---- */

static int save(struct domain *d, struct hvm_save_buffer *b)
{
    struct rtc *r = rtc_of(d);
    struct hvm_hw_rtc record = {.rtc_offset = d->hvm->time_of_day_offset};
    unsigned long flags;

    flags = spin_lock_irqsave(&r->timers->lock);
    update_registers(r);
    refresh_flags(r);
    memcpy(record.cmos_data, r->cmos, sizeof(record.cmos_data));
    record.cmos_index = r->index;
    spin_unlock_irqrestore(&r->timers->lock, flags);
    return hvm_save_record(b, HVM_SAVE_CODE(RTC), 0, &record, sizeof(record));
}

static int load(struct domain *d, unsigned instance, const void *body)
{
    const struct hvm_hw_rtc *record = body;
    struct rtc *r = rtc_of(d);
    unsigned long flags;

    if (instance)
        return -ENODEV;
    flags = spin_lock_irqsave(&r->timers->lock);
    memcpy(r->cmos, record->cmos_data, sizeof(r->cmos));
    r->cmos[A] &= (uint8_t)~A_UPDATING;
    r->index = record->cmos_index & 0x7f;
    d->hvm->time_of_day_offset = sane_offset(record->rtc_offset);
    r->seen = guest_second(r);
    hvm_chip_line(d, RTC_GSI, r->cmos[C] & C_INTERRUPT);
    restart_periodic(r);
    restart_alarm(r);
    spin_unlock_irqrestore(&r->timers->lock, flags);
    return 0;
}

const struct chip chip_rtc = {
    .flags = XEN_X86_EMU_RTC,
    .bytes = sizeof(struct rtc),
    .ports = {{0x70, 2, access}},
    .init = init,
    .records = {{HVM_SAVE_CODE(RTC), sizeof(struct hvm_hw_rtc), save, load}},
};
