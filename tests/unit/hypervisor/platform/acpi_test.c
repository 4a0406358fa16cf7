/*
 * x86/acpi.c against tables that are sound, damaged, truncated and hostile.
 *
 * Machine memory is a handful of regions. A mapping is a copy in a block of its own of exactly the size asked
 * for, so the address sanitizer sees any read past what was mapped.
 */
#include "../../check.h"
#include "../../random.h"
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <hv/acpi.h>
#include <hv/bootinfo.h>
#include <hv/console.h>
#include <hv/pagetable.h>

struct bootinfo bootinfo;

#define MAX_MAPPINGS 4096
static void *mappings[MAX_MAPPINGS];
static unsigned mapping_count, warnings;
static char last_message[512];
static jmp_buf on_panic;

enum { RSDP, XSDT, RSDT, MADT, FADT, DSDT, HPET, MCFG, SSDT, REGIONS };
#define REGION_BYTES 2048
static struct region {
    paddr_t pa;
    size_t bytes;
    uint8_t data[REGION_BYTES];
} region[REGIONS];

static uint8_t memory_byte(paddr_t pa)
{
    for (unsigned i = 0; i < REGIONS; i++) {
        if (pa - region[i].pa < region[i].bytes)
            return region[i].data[pa - region[i].pa];
    }
    return 0xff; /* open bus */
}

void *ioremap(paddr_t pa, size_t bytes, uint64_t cache_flags)
{
    CHECK(mapping_count < MAX_MAPPINGS, "too many mappings");
    CHECK(bytes <= 4 * MiB && pa < DIRECTMAP_END - DIRECTMAP_VA, "mapping of %zu bytes at %#lx", bytes, (long)pa);
    uint8_t *copy = malloc(bytes);
    memset(copy, 0xff, bytes);
    for (size_t i = 0; i < min(bytes, (size_t)256 * 1024); i++)
        copy[i] = memory_byte(pa + i);
    return mappings[mapping_count++] = copy;
}

void printk(enum log_level level, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(last_message, sizeof(last_message), format, args);
    va_end(args);
    warnings += level == LOG_WARNING;
}

void panic(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(last_message, sizeof(last_message), format, args);
    va_end(args);
    longjmp(on_panic, 1);
}

/* Building tables */

static void put(unsigned r, uint64_t value, size_t bytes)
{
    CHECK(region[r].bytes + bytes <= REGION_BYTES, "region %u is full", r);
    memcpy(region[r].data + region[r].bytes, &value, bytes);
    region[r].bytes += bytes;
}

static void poke(unsigned r, size_t offset, uint64_t value, size_t bytes)
{
    memcpy(region[r].data + offset, &value, bytes);
}

static void fix_sum(unsigned r, size_t at, size_t bytes)
{
    uint8_t sum = 0;
    region[r].data[at] = 0;
    for (size_t i = 0; i < bytes && i < REGION_BYTES; i++)
        sum = (uint8_t)(sum + region[r].data[i]);
    region[r].data[at] = (uint8_t)-sum;
}

static void set_length(unsigned r, uint32_t length)
{
    poke(r, 4, length, 4);
    fix_sum(r, 9, length);
}

static void finish(unsigned r)
{
    set_length(r, (uint32_t)region[r].bytes);
}

static void begin(unsigned r, const char *signature)
{
    region[r].pa = 0x7fe0000 + r * 0x1000;
    region[r].bytes = 36;
    memset(region[r].data, 0, REGION_BYTES);
    memcpy(region[r].data, signature, 4);
}

static void put_lapic(uint8_t acpi_id, uint8_t apic_id, uint32_t flags)
{
    put(MADT, 0x0800, 2);
    put(MADT, acpi_id, 1);
    put(MADT, apic_id, 1);
    put(MADT, flags, 4);
}

static void put_x2apic(uint32_t apic_id, uint32_t flags)
{
    put(MADT, 0x1009, 4);
    put(MADT, apic_id, 4);
    put(MADT, flags, 4);
    put(MADT, apic_id + 1000, 4);
}

static void put_ioapic(uint8_t id, uint32_t address, uint32_t gsi)
{
    put(MADT, 0x0c01, 2);
    put(MADT, id, 2);
    put(MADT, address, 4);
    put(MADT, gsi, 4);
}

static void put_override(uint8_t irq, uint32_t gsi, uint16_t flags)
{
    put(MADT, 0x0a02, 2);
    put(MADT, 0, 1);
    put(MADT, irq, 1);
    put(MADT, gsi, 4);
    put(MADT, flags, 2);
}

static void begin_madt(void)
{
    begin(MADT, "APIC");
    put(MADT, 0xfee00000, 4);
    put(MADT, 1, 4);
}

static void build_madt(void)
{
    begin_madt();
    put_lapic(0, 0, 1);
    put_lapic(1, 2, 1);
    put_lapic(2, 4, 0);
    put_lapic(3, 6, 2);
    put_lapic(4, 0xff, 1);
    put_x2apic(2, 1);
    put_x2apic(300, 1);
    put_ioapic(8, 0xfec00000, 0);
    put_ioapic(9, 0xfec10000, 24);
    put_override(0, 2, 0);
    put_override(9, 9, 0xf);
    put(MADT, 0x0604, 6); /* NMI: not ours to know */
    finish(MADT);
}

static void build_fadt(void)
{
    begin(FADT, "FACP");
    region[FADT].bytes = 244;
    poke(FADT, 40, region[DSDT].pa, 4);
    poke(FADT, 46, 9, 2);
    poke(FADT, 56, 0x600, 4);
    poke(FADT, 64, 0x604, 4);
    poke(FADT, 76, 0x608, 4);
    poke(FADT, 91, 4, 1);
    poke(FADT, 112, 1U << 8 | 1U << 10, 4);
    poke(FADT, 116, 1, 1);
    poke(FADT, 120, 0xcf9, 8);
    poke(FADT, 128, 0x0f, 1);
    poke(FADT, 140, region[DSDT].pa, 8);
    finish(FADT);
}

static void build_dsdt(const void *aml, size_t bytes)
{
    begin(DSDT, "DSDT");
    memcpy(region[DSDT].data + 36, aml, bytes);
    region[DSDT].bytes += bytes;
    finish(DSDT);
}
static const uint8_t good_s5[] = {0x10, 0x05, '\\', '_', 'S',  'B',  '_',  0x08, '_', 'S', '5', '_', 0x12,
                                  0x08, 4,    0x0a, 5,   0x01, 0x00, 0x00, 0x08, '_', 'S', '6', '_'};

static void build_lists(void)
{
    static const unsigned listed[] = {FADT, MADT, HPET, MCFG, SSDT};
    begin(XSDT, "XSDT");
    begin(RSDT, "RSDT");
    for (unsigned i = 0; i < ARRAY_SIZE(listed); i++) {
        put(XSDT, region[listed[i]].pa, 8);
        put(RSDT, region[listed[i]].pa, 4);
    }
    finish(XSDT);
    finish(RSDT);
    begin(RSDP, "RSD ");
    memcpy(region[RSDP].data, "RSD PTR ", 8);
    region[RSDP].pa = 0xf5a40;
    poke(RSDP, 15, 2, 1);
    poke(RSDP, 16, region[RSDT].pa, 4);
    poke(RSDP, 20, 36, 4);
    poke(RSDP, 24, region[XSDT].pa, 8);
    fix_sum(RSDP, 8, 20);
    fix_sum(RSDP, 32, 36);
}

static void build(void)
{
    memset(&bootinfo, 0, sizeof(bootinfo));
    build_dsdt(good_s5, sizeof(good_s5));
    build_madt();
    build_fadt();
    begin(HPET, "HPET");
    put(HPET, 0x8086a201, 4);
    put(HPET, 0, 4);
    put(HPET, 0xfed00000, 8);
    put(HPET, 0, 4);
    finish(HPET);
    begin(MCFG, "MCFG");
    put(MCFG, 0, 8);
    put(MCFG, 0xb0000000, 8);
    put(MCFG, 0xff000000, 8);
    finish(MCFG);
    begin(SSDT, "SSDT");
    finish(SSDT);
    build_lists();
    bootinfo.rsdp = region[RSDP].pa;
}

/* True if it came back, false if it panicked. */
static bool run(void)
{
    memset(&acpi, 0, sizeof(acpi));
    warnings = 0;
    bool fine = setjmp(on_panic) == 0;
    if (fine)
        acpi_init();
    while (mapping_count)
        free(mappings[--mapping_count]);
    CHECK(acpi.cpu_count <= NR_CPUS && acpi.ioapic_count <= MAX_IOAPICS && acpi.ecam_count <= MAX_ECAM &&
              acpi.override_count <= MAX_IRQ_OVERRIDES,
          "a count is out of bounds");
    return fine;
}

static void test_sound(void)
{
    build();
    CHECK(run() && warnings == 0, "%s", last_message);
    CHECK(acpi.cpu_count == 4 && acpi.cpu[0].apic_id == 0 && acpi.cpu[1].apic_id == 2 && acpi.cpu[2].apic_id == 6 &&
              !acpi.cpu[2].enabled && acpi.cpu[3].apic_id == 300 && acpi.cpu[3].acpi_id == 1300 && acpi.cpu[3].enabled,
          "%u processors", acpi.cpu_count);
    CHECK(acpi.lapic_address == 0xfee00000 && acpi.ioapic_count == 2 && acpi.ioapic[1].id == 9 &&
              acpi.ioapic[1].address == 0xfec10000 && acpi.ioapic[1].gsi_base == 24,
          "%u IO-APICs", acpi.ioapic_count);
    CHECK(acpi.override_count == 2 && acpi.override[0].gsi == 2 && !acpi.override[0].level && !acpi.override[0].low &&
              acpi.override[1].level && acpi.override[1].low,
          "%u overrides", acpi.override_count);
    CHECK(acpi.sci == 9 && acpi.pm1a_status == 0x600 && acpi.pm1a_control == 0x604 && acpi.pm1b_control == 0 &&
              acpi.pm_timer_port == 0x608 && acpi.pm_timer_32bit,
          "timer port %#x", acpi.pm_timer_port);
    CHECK(acpi.has_s5 && acpi.s5_type_a == 5 && acpi.s5_type_b == 1, "S5 %u %u", acpi.s5_type_a, acpi.s5_type_b);
    CHECK(acpi.reset.space == 1 && acpi.reset.address == 0xcf9 && acpi.reset.value == 0x0f, "reset");
    CHECK(acpi.hpet_address == 0xfed00000, "HPET");
    CHECK(acpi.ecam_count == 1 && acpi.ecam[0].address == 0xb0000000 && acpi.ecam[0].last_bus == 255, "ECAM");
    CHECK(acpi.rsdp == region[RSDP].pa, "RSDP");
}

static void test_rsdp(void)
{
    build();
    bootinfo.rsdp = 0; /* then it is searched in the BIOS area */
    CHECK(run() && acpi.rsdp == region[RSDP].pa, "not found");
    bootinfo.efi = true; /* where there is no BIOS area */
    CHECK(!run() && strstr(last_message, "no ACPI tables"), "%s", last_message);
    build();
    region[RSDP].data[10] ^= 1;
    CHECK(!run() && strstr(last_message, "no ACPI tables"), "%s", last_message);
    build();
    bootinfo.rsdp = ~0ULL;
    CHECK(!run(), "an impossible address");
    build();
    poke(RSDP, 24, 0, 8); /* bad second checksum and no XSDT: the RSDT serves */
    CHECK(run() && acpi.cpu_count == 4, "%s", last_message);
    build();
    poke(RSDP, 15, 0, 1);
    fix_sum(RSDP, 8, 20);
    CHECK(run() && acpi.cpu_count == 4, "revision 0: %s", last_message);
}

static void test_checksums(void)
{
    for (unsigned r = XSDT; r < REGIONS; r++) {
        build();
        region[r].data[20] ^= 0x40;
        bool fine = run();
        CHECK(warnings == (r != RSDT), "region %u: %u warnings, %s", r, warnings, last_message);
        CHECK(fine == (r != MADT), "region %u", r);
        CHECK(!fine || r != HPET || acpi.hpet_address == 0, "a bad HPET table was believed");
        CHECK(!fine || r != MCFG || acpi.ecam_count == 0, "a bad MCFG was believed");
        CHECK(!fine || r != DSDT || !acpi.has_s5, "a bad DSDT was believed");
        CHECK(!fine || r != FADT || acpi.pm_timer_port == 0, "a bad FADT was believed");
        CHECK(r != XSDT || acpi.cpu_count == 4, "the RSDT did not serve");
    }
    build();
    region[XSDT].data[20] ^= 1;
    region[RSDT].data[20] ^= 1;
    CHECK(!run() && strstr(last_message, "damaged"), "%s", last_message);
}

/* Every shorter length, with a right checksum: no read past the end, nothing invented. */
static void test_truncated(void)
{
    for (unsigned r = XSDT; r < REGIONS; r++) {
        build();
        for (uint32_t length = 0; length <= region[r].bytes; length++) {
            build();
            if (length < 36)
                poke(r, 4, length, 4);
            else
                set_length(r, length);
            bool fine = run();
            CHECK(fine || r == MADT || r == XSDT || r == RSDT, "region %u of length %u: %s", r, length, last_message);
        }
    }
    static const uint32_t too_long[] = {4 * MiB + 1, 0x7fffffff, 0xffffffff};
    for (unsigned i = 0; i < ARRAY_SIZE(too_long); i++) {
        build();
        poke(HPET, 4, too_long[i], 4);
        CHECK(run() && warnings == 1 && !acpi.hpet_address, "length %u", too_long[i]);
    }
}

static void test_old_fadt(void)
{
    build();
    set_length(FADT, 116);
    region[FADT].bytes = 116;
    CHECK(run() && acpi.pm1a_control == 0x604 && acpi.has_s5 && !acpi.reset.address, "a FADT of ACPI 1.0");
    build();
    poke(FADT, 172, 0x01, 1); /* the extended register names another port */
    poke(FADT, 176, 0x1804, 8);
    finish(FADT);
    CHECK(run() && acpi.pm1a_control == 0x1804, "%#x", acpi.pm1a_control);
    build();
    poke(FADT, 176, 0x123456789, 8); /* no port has such a number */
    poke(FADT, 172, 0x01, 1);
    poke(FADT, 64, 0x10000, 4);
    finish(FADT);
    CHECK(run() && acpi.pm1a_control == 0, "%#x", acpi.pm1a_control);
}

static void test_madt(void)
{
    static const uint8_t bad_lengths[] = {0, 1, 7, 200};
    for (unsigned i = 0; i < sizeof(bad_lengths); i++) {
        begin_madt();
        put_lapic(0, 0, 1);
        put_lapic(1, 1, 1);
        region[MADT].data[44 + 8 + 1] = bad_lengths[i];
        finish(MADT);
        CHECK(run() && acpi.cpu_count == 1 && warnings >= 1, "length %u: %u processors, %u warnings", bad_lengths[i],
              acpi.cpu_count, warnings);
    }
    begin_madt();
    for (unsigned i = 0; i < 100; i++)
        put_lapic((uint8_t)i, (uint8_t)i, 1);
    for (unsigned i = 0; i < 40; i++)
        put_ioapic((uint8_t)i, 0xfec00000 + i * 0x1000, i * 24);
    for (unsigned i = 0; i < 40; i++)
        put_override((uint8_t)i, i, 0);
    finish(MADT);
    CHECK(run() && acpi.cpu_count == NR_CPUS && acpi.ioapic_count == MAX_IOAPICS &&
              acpi.override_count == MAX_IRQ_OVERRIDES,
          "%s", last_message);
    begin_madt();
    finish(MADT);
    CHECK(!run() && strstr(last_message, "no processors"), "%s", last_message);
}

static void test_s5(void)
{
    static const struct {
        uint8_t aml[16];
        size_t bytes;
        bool found;
        uint8_t a, b;
    } cases[] = {
        {{0x08, '_', 'S', '5', '_', 0x12, 0x06, 4, 0, 0, 0, 0}, 12, true, 0, 0},
        {{0x08, '\\', '_', 'S', '5', '_', 0x12, 0x06, 2, 0x0a, 7, 0x0a, 6}, 13, true, 7, 6},
        {{0x08, '_', 'S', '5', '_', 0x12, 0x46, 0x00, 2, 0x0b, 3, 0, 0x01}, 13, true, 3, 1},
        {{0x08, '_', 'S', '5', '_', 0x12, 0x04, 1, 0x01}, 9, true, 1, 0},
        {{0x08, '_', 'S', '5', '_', 0x12, 0x06, 2, 0x0a, 0xfd, 0xff}, 11, true, 5, 7},
        {{0x08, '_', 'S', '5', '_', 0x12, 0x04, 0, 0x01}, 9, false, 0, 0},
        {{0x08, '_', 'S', '5', '_', 0x12, 0xff, 2, 0x01}, 9, false, 0, 0},
        {{0x08, '_', 'S', '5', '_', 0x12, 0x06, 2, 0x0a}, 9, false, 0, 0},
        {{0x08, '_', 'S', '5', '_', 0x12, 0x06, 2, 0x0a, 1, 0x0b, 1}, 12, false, 0, 0},
        {{0x08, '_', 'S', '5', '_', 0x12}, 6, false, 0, 0},
        {{0x08, '_', 'S', '5', '_'}, 5, false, 0, 0},
        {{0x5b, '_', 'S', '5', '_', 0x12, 0x06, 2, 0, 0}, 10, false, 0, 0},
        {{'_', 'S', '5', '_', 0x12, 0x06, 2, 0, 0}, 9, false, 0, 0},
        {{'\\', '_', 'S', '5', '_', 0x12, 0x06, 2, 0, 0}, 10, false, 0, 0},
        {{0x08, '_', 'S', '5', '_', 0x14, 0x06, 2, 0, 0}, 10, false, 0, 0},
    };
    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        build();
        build_dsdt(cases[i].aml, cases[i].bytes);
        CHECK(run() && acpi.has_s5 == cases[i].found, "case %u: %d", i, acpi.has_s5);
        CHECK(!acpi.has_s5 || (acpi.s5_type_a == cases[i].a && acpi.s5_type_b == cases[i].b), "case %u: %u %u", i,
              acpi.s5_type_a, acpi.s5_type_b);
    }
}

static void test_mcfg(void)
{
    build();
    for (unsigned i = 0; i < 10; i++) {
        put(MCFG, 0xc0000000 + i, 8);
        put(MCFG, 0x1f100000 + i, 8);
    }
    finish(MCFG);
    CHECK(run() && acpi.ecam_count == MAX_ECAM && warnings == 7, "%u, %u warnings", acpi.ecam_count, warnings);
    build();
    poke(MCFG, 44 + 10, 5, 1); /* first bus 5, last bus 3 */
    poke(MCFG, 44 + 11, 3, 1);
    finish(MCFG);
    CHECK(run() && acpi.ecam_count == 0 && warnings == 1, "%u", acpi.ecam_count);
}

static void test_list_of_nonsense(void)
{
    static const uint64_t addresses[] = {0, 1, 0x7fe0000, ~0ULL, 1ULL << 63, 0x50000000000, 0xfffffffff000};
    build();
    for (unsigned i = 0; i < ARRAY_SIZE(addresses); i++)
        put(XSDT, addresses[i], 8);
    for (unsigned i = 0; i < 100; i++)
        put(XSDT, region[HPET].pa, 8); /* the same again and again */
    finish(XSDT);
    CHECK(run() && acpi.cpu_count == 4, "%s", last_message);
}

/* Random damage, half of it under right checksums. What must hold is in run(), and no read out of bounds. */
static void test_random_damage(void)
{
    for (unsigned round = 0; round < 5000; round++) {
        build();
        for (unsigned n = random_below(6) + 1; n; n--) {
            unsigned r = random_below(REGIONS);
            size_t at = random_below(region[r].bytes);
            region[r].data[at] = (uint8_t)random64();
            if (random_below(2) && r != RSDP) {
                uint32_t length;
                memcpy(&length, region[r].data + 4, 4);
                fix_sum(r, 9, length);
            }
        }
        run();
    }
}

int main(void)
{
    test_sound();
    test_rsdp();
    test_checksums();
    test_truncated();
    test_old_fadt();
    build();
    test_madt();
    test_s5();
    test_mcfg();
    test_list_of_nonsense();
    test_random_damage();
    return 0;
}
