/*
 * The hypervisor's clock: the wall clock at the machine's start, and the time since by the record of virtual processor
 * 0, which holds for the others but for microseconds. The hypervisor writes both, and makes a version odd meanwhile.
 */
#include "bus.h"

#define TO_1970     11644473600ull /* seconds since 1601 */
#define NANOSECONDS 1000000000ull

static ULONG version_of(const volatile uint32_t *version)
{
    return __atomic_load_n(version, __ATOMIC_SEQ_CST);
}

static ULONGLONG wall_at_start(const volatile struct shared_info *shared)
{
    ULONGLONG seconds, rest;
    ULONG version;

    do {
        version = version_of(&shared->wc_version);
        seconds = (ULONGLONG)shared->wc_sec_hi << 32 | shared->wc_sec;
        rest = shared->wc_nsec;
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
    } while (version & 1 || version != version_of(&shared->wc_version));
    return seconds * NANOSECONDS + rest;
}

static ULONGLONG since_start(const volatile struct vcpu_time_info *record)
{
    ULONGLONG count, at, before;
    ULONG version, scale;
    int shift;

    do {
        version = version_of(&record->version);
        at = record->tsc_timestamp;
        before = record->system_time;
        scale = record->tsc_to_system_mul;
        shift = record->tsc_shift;
        count = __builtin_ia32_rdtsc();
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
    } while (version & 1 || version != version_of(&record->version));
    count = shift < 0 ? (count - at) >> -shift : (count - at) << shift;
    return before + (ULONGLONG)((unsigned __int128)count * scale >> 32);
}

ULONGLONG clock_now(struct bus *bus)
{
    ULONGLONG start = wall_at_start(bus->shared_info);

    if (!start)
        return 0;
    return TO_1970 * 10000000 + (start + since_start(&bus->shared_info->vcpu_info[0].time)) / 100;
}
