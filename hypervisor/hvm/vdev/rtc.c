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

/* ---- the time of day ---- */

/* ns into the second; *second since 1970 on the guest's clock. */
static uint32_t guest_time(const struct hvm_timers *t, int64_t *second)
{
    uint64_t seconds, ns;
    uint32_t fraction;

    wallclock_get(&seconds, &fraction);
    ns = now() + fraction;
    *second = (int64_t)(seconds + ns / NS_PER_SECOND) + t->domain->hvm->time_of_day_offset;
    return (uint32_t)(ns % NS_PER_SECOND);
}

static int64_t guest_second(const struct hvm_timers *t)
{
    int64_t second;

    guest_time(t, &second);
    return second;
}

/* When the guest's clock will show `second`; now, if it has already. */
static ns_t time_of_second(const struct hvm_timers *t, int64_t second)
{
    int64_t present;
    uint32_t ns = guest_time(t, &present);

    return second > present ? now() + (uint64_t)(second - present) * NS_PER_SECOND - ns : now();
}

/* A thousand years are enough for everybody, and cannot overflow. */
static int64_t sane_offset(int64_t seconds)
{
    const int64_t limit = 1000LL * 366 * DAY_SECONDS;

    return seconds > limit ? limit : seconds < -limit ? -limit : seconds;
}

static uint8_t encode(const struct hvm_timers *t, unsigned value)
{
    return (uint8_t)(t->rtc.cmos[B] & B_BINARY ? value : value / 10 << 4 | value % 10);
}

static unsigned decode(const struct hvm_timers *t, uint8_t byte)
{
    return t->rtc.cmos[B] & B_BINARY ? byte : (byte >> 4) * 10U + (byte & 15);
}

static uint8_t encode_hour(const struct hvm_timers *t, unsigned hour)
{
    if (t->rtc.cmos[B] & B_24_HOURS)
        return encode(t, hour);
    return encode(t, hour % 12 ? hour % 12 : 12) | (hour >= 12 ? HOUR_PM : 0);
}

static unsigned decode_hour(const struct hvm_timers *t, uint8_t byte)
{
    if (t->rtc.cmos[B] & B_24_HOURS)
        return decode(t, byte);
    return decode(t, byte & 0x7f) % 12 + (byte & HOUR_PM ? 12 : 0);
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
static void update_registers(struct hvm_timers *t)
{
    uint8_t *cmos = t->rtc.cmos;
    unsigned year, month, day, of_day;
    int64_t second = guest_second(t), days;

    if (cmos[B] & B_SET)
        return;
    days = (second >= 0 ? second : second - (DAY_SECONDS - 1)) / DAY_SECONDS;
    of_day = (unsigned)(second - days * DAY_SECONDS);
    date_of_days(days, &year, &month, &day);
    cmos[SECONDS] = encode(t, of_day % 60);
    cmos[MINUTES] = encode(t, of_day / 60 % 60);
    cmos[HOURS] = encode_hour(t, of_day / 3600);
    cmos[WEEKDAY] = encode(t, (unsigned)(((days + 4) % 7 + 7) % 7 + 1)); /* 1 January 1970 was a Thursday, day 5 */
    cmos[DAY] = encode(t, day);
    cmos[MONTH] = encode(t, month);
    cmos[YEAR] = encode(t, year % 100);
}

/* The guest has set the time registers: the offset follows. */
static void take_registers(struct hvm_timers *t)
{
    const uint8_t *cmos = t->rtc.cmos;
    unsigned year = decode(t, cmos[YEAR]);
    int64_t days = days_of_date(year + (year < 70 ? 2000 : 1900), decode(t, cmos[MONTH]), decode(t, cmos[DAY]));
    int64_t second = days * DAY_SECONDS + decode_hour(t, cmos[HOURS]) * 3600 + decode(t, cmos[MINUTES]) * 60 +
                     decode(t, cmos[SECONDS]);

    t->domain->hvm->time_of_day_offset = sane_offset(t->domain->hvm->time_of_day_offset + second - guest_second(t));
    t->rtc.seen = guest_second(t);
}

/* ---- flags and interrupts ---- */

static bool alarm_unit_matches(const struct hvm_timers *t, unsigned reg, unsigned value)
{
    uint8_t byte = t->rtc.cmos[reg];

    if ((byte & ANY) == ANY)
        return true;
    return (reg == HOURS_ALARM ? decode_hour(t, byte) : decode(t, byte)) == value;
}

/* The first second after `after`, within a day, that the alarm is set for; 0: never. Skips whole hours and minutes. */
static int64_t next_alarm(const struct hvm_timers *t, int64_t after)
{
    uint8_t seconds = t->rtc.cmos[SECONDS_ALARM], minutes = t->rtc.cmos[MINUTES_ALARM];

    if (((seconds & ANY) != ANY && decode(t, seconds) > 59) || ((minutes & ANY) != ANY && decode(t, minutes) > 59))
        return 0;
    for (int64_t i = 1; i <= DAY_SECONDS;) {
        unsigned of_day = (unsigned)(((after + i) % DAY_SECONDS + DAY_SECONDS) % DAY_SECONDS);
        if (!alarm_unit_matches(t, HOURS_ALARM, of_day / 3600))
            i += 3600 - of_day % 3600;
        else if (!alarm_unit_matches(t, MINUTES_ALARM, of_day / 60 % 60))
            i += 60 - of_day % 60;
        else if (!alarm_unit_matches(t, SECONDS_ALARM, of_day % 60))
            i++;
        else
            return after + i;
    }
    return 0;
}

static void flag(struct hvm_timers *t, uint8_t which)
{
    uint8_t *cmos = t->rtc.cmos;

    cmos[C] |= which;
    if (cmos[B] & cmos[C] & C_FLAGS && !(cmos[C] & C_INTERRUPT)) {
        cmos[C] |= C_INTERRUPT;
        if (!vhpet_replaces(t))
            hvm_chip_edge(t->domain, RTC_GSI);
    }
}

/* Sets the flags of what has happened since this was last asked. */
static void refresh_flags(struct hvm_timers *t)
{
    int64_t second = guest_second(t), alarm;
    uint64_t periods = tick_count(&t->rtc.tick, now());

    if (periods != t->rtc.periods_seen)
        flag(t, B_PERIODIC);
    t->rtc.periods_seen = periods;
    if (t->rtc.cmos[B] & B_SET)
        return;
    if (second <= t->rtc.seen) {
        t->rtc.seen = second; /* the host's wall clock may have been set back */
        return;
    }
    alarm = next_alarm(t, t->rtc.seen);
    t->rtc.seen = second;
    flag(t, alarm && alarm <= second ? B_UPDATE | B_ALARM : B_UPDATE);
}

/* Sets the alarm for the next update or alarm that interrupts. */
static void restart_alarm(struct hvm_timers *t)
{
    const uint8_t *cmos = t->rtc.cmos;
    int64_t second = t->rtc.seen, next = 0;

    if (!(cmos[B] & B_SET) && cmos[B] & B_UPDATE)
        next = second + 1;
    else if (!(cmos[B] & B_SET) && cmos[B] & B_ALARM)
        next = next_alarm(t, second);
    if (next)
        alarm_set(&t->rtc.alarm, time_of_second(t, next));
    else
        alarm_stop(&t->rtc.alarm);
}

static void fire(struct alarm *a)
{
    struct hvm_timers *t = timers_of(a->domain);

    refresh_flags(t);
    restart_alarm(t);
}

/* Taken when the guest reads register C. */
static bool raise(struct tick *tick)
{
    struct hvm_timers *t = timers_of(tick->alarm.domain);

    t->rtc.periods_seen = tick_count(tick, now());
    t->rtc.cmos[C] |= B_PERIODIC | C_INTERRUPT;
    return !vhpet_replaces(t) && hvm_chip_edge(t->domain, RTC_GSI);
}

/* Periods of the rate in register A: 2^(rate - 1) clocks of 32768 Hz; 1 and 2 are as 8 and 9. */
static void restart_periodic(struct hvm_timers *t)
{
    unsigned rate = t->rtc.cmos[A] & 15;
    ns_t period;

    tick_stop(&t->rtc.tick);
    t->rtc.periods_seen = 0;
    if (!rate || !(t->rtc.cmos[B] & B_PERIODIC))
        return;
    period = (NS_PER_SECOND << (rate < 3 ? rate + 6 : rate - 1)) / 32768;
    tick_start(&t->rtc.tick, now() + period, period);
}

/* ---- registers ---- */

static uint8_t read_c(struct hvm_timers *t)
{
    uint8_t value;

    refresh_flags(t);
    value = t->rtc.cmos[C];
    t->rtc.cmos[C] = 0;
    hvm_chip_line(t->domain, RTC_GSI, false);
    tick_taken(&t->rtc.tick);
    return value;
}

static uint8_t read_register(struct hvm_timers *t, unsigned index)
{
    int64_t second;

    switch (index) {
    case A:
        return t->rtc.cmos[A] |
               (!(t->rtc.cmos[B] & B_SET) && guest_time(t, &second) >= NS_PER_SECOND - UPDATE_NS ? A_UPDATING : 0);
    case C:
        return read_c(t);
    case D:
        return D_VALID;
    case SECONDS_ALARM:
    case MINUTES_ALARM:
    case HOURS_ALARM:
    case B:
        break;
    default:
        update_registers(t);
    }
    return t->rtc.cmos[index];
}

static void write_b(struct hvm_timers *t, uint8_t value)
{
    uint8_t *cmos = t->rtc.cmos, old = cmos[B];

    if (value & B_SET) {
        update_registers(t);
        value &= (uint8_t)~B_UPDATE;
    }
    refresh_flags(t);
    cmos[B] = value;
    if (old & B_SET && !(value & B_SET))
        take_registers(t);
    flag(t, 0); /* what is flagged already may interrupt now */
    if ((old ^ value) & B_PERIODIC)
        restart_periodic(t);
    restart_alarm(t);
}

static void write_register(struct hvm_timers *t, unsigned index, uint8_t value)
{
    uint8_t *cmos = t->rtc.cmos;
    uint8_t old = cmos[index];

    switch (index) {
    case A:
        cmos[A] = value & (uint8_t)~A_UPDATING;
        if ((old ^ value) & 15)
            restart_periodic(t);
        return;
    case B:
        write_b(t, value);
        return;
    case C:
    case D:
        return;
    case SECONDS_ALARM:
    case MINUTES_ALARM:
    case HOURS_ALARM:
        refresh_flags(t);
        cmos[index] = value;
        break;
    default:
        update_registers(t);
        cmos[index] = value;
        if (!(cmos[B] & B_SET))
            take_registers(t);
    }
    restart_alarm(t);
}

/* The top bit of the index masks NMIs on a PC, and nothing here. */
static enum io_result access(struct vcpu *v, uint16_t port, unsigned bytes, bool write, uint32_t *value)
{
    struct hvm_timers *t = timers_of(v->domain);
    enum io_result result = IO_OK;
    unsigned long flags;

    if (bytes != 1 || (port == 0x70 && !write))
        return IO_UNHANDLED;
    flags = spin_lock_irqsave(&t->lock);
    if (port == 0x70)
        t->rtc.index = *value & 0x7f;
    if (t->rtc.index >= RTC_CMOS_SIZE)
        result = IO_UNHANDLED;
    else if (port == 0x71 && write)
        write_register(t, t->rtc.index, (uint8_t)*value);
    else if (port == 0x71)
        *value = read_register(t, t->rtc.index);
    spin_unlock_irqrestore(&t->lock, flags);
    return result;
}

void vrtc_set_time_offset(struct domain *d, int64_t seconds)
{
    struct hvm_timers *t = timers_of(d);
    unsigned long flags;

    if (!t || !(d->hvm->emulation & XEN_X86_EMU_RTC)) {
        d->hvm->time_of_day_offset = sane_offset(seconds);
        return;
    }
    flags = spin_lock_irqsave(&t->lock);
    d->hvm->time_of_day_offset = sane_offset(seconds);
    t->rtc.seen = guest_second(t);
    restart_alarm(t);
    spin_unlock_irqrestore(&t->lock, flags);
}

int vrtc_init(struct hvm_timers *t)
{
    t->rtc.cmos[A] = 0x26; /* time base of 32768 Hz, 1024 periods a second */
    t->rtc.cmos[B] = B_24_HOURS;
    t->rtc.seen = guest_second(t);
    tick_init(&t->rtc.tick, t, raise);
    alarm_init(&t->rtc.alarm, t, fire);
    return hvm_claim_ports(t->domain, 0x70, 2, access);
}

/* ---- saving ---- */

static int save(struct domain *d, struct hvm_save_buffer *b)
{
    struct hvm_timers *t = timers_of(d);
    struct hvm_hw_rtc record = {.rtc_offset = d->hvm->time_of_day_offset};
    unsigned long flags;

    if (!(d->hvm->emulation & XEN_X86_EMU_RTC))
        return 0;
    flags = spin_lock_irqsave(&t->lock);
    update_registers(t);
    refresh_flags(t);
    memcpy(record.cmos_data, t->rtc.cmos, sizeof(record.cmos_data));
    record.cmos_index = t->rtc.index;
    spin_unlock_irqrestore(&t->lock, flags);
    return hvm_save_record(b, HVM_SAVE_CODE(RTC), 0, &record, sizeof(record));
}

static int load(struct domain *d, unsigned instance, const void *body)
{
    const struct hvm_hw_rtc *record = body;
    struct hvm_timers *t = timers_of(d);
    unsigned long flags;

    if (instance || !(d->hvm->emulation & XEN_X86_EMU_RTC))
        return -ENODEV;
    flags = spin_lock_irqsave(&t->lock);
    memcpy(t->rtc.cmos, record->cmos_data, sizeof(t->rtc.cmos));
    t->rtc.cmos[A] &= (uint8_t)~A_UPDATING;
    t->rtc.index = record->cmos_index & 0x7f;
    d->hvm->time_of_day_offset = sane_offset(record->rtc_offset);
    t->rtc.seen = guest_second(t);
    hvm_chip_line(d, RTC_GSI, t->rtc.cmos[C] & C_INTERRUPT);
    restart_periodic(t);
    restart_alarm(t);
    spin_unlock_irqrestore(&t->lock, flags);
    return 0;
}

const struct hvm_save_handler save_rtc = {HVM_SAVE_CODE(RTC), sizeof(struct hvm_hw_rtc), save, load};
