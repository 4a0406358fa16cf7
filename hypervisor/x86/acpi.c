/*
 * Reads the firmware tables into struct acpi_facts.
 *
 * Nothing in a table is believed: lengths are checked against what is mapped, counts against our arrays, and
 * a table whose checksum is wrong is left out. Source: ACPI specification 6.4, chapter 5; HPET
 * specification 1.0a, 3.2.4; PCI firmware specification 3.0, 4.1.2.
 */
#include <hv/acpi.h>
#include <hv/bootinfo.h>
#include <hv/console.h>
#include <hv/page.h>
#include <hv/pagetable.h>

#define MAX_TABLE_BYTES (4 * MiB) /* the largest seen in the field are a few hundred KiB */
#define MAX_TABLES      256

struct acpi_facts acpi;

struct rsdp {
    char signature[8];
    uint8_t checksum; /* of the first 20 bytes */
    char oem[6];
    uint8_t revision;
    uint32_t rsdt;
    uint32_t length; /* from here on: revision 2 */
    uint64_t xsdt;
    uint8_t extended_checksum;
    uint8_t reserved[3];
} __packed;
_Static_assert(sizeof(struct rsdp) == 36, "ACPI 5.2.5.3");
#define RSDP_BYTES_REVISION_0 20

struct table {
    char signature[4];
    uint32_t length;
    uint8_t revision, checksum;
    char oem[6], oem_table[8];
    uint32_t oem_revision, creator, creator_revision;
} __packed;
_Static_assert(sizeof(struct table) == 36, "ACPI 5.2.6");

struct generic_address {
    uint8_t space, bits, offset, access;
    uint64_t address;
} __packed;
_Static_assert(sizeof(struct generic_address) == 12, "ACPI 5.2.3.2");
#define SPACE_MEMORY 0
#define SPACE_PORT   1

struct fadt {
    struct table header;
    uint32_t facs, dsdt;
    uint8_t reserved, profile;
    uint16_t sci;
    uint32_t smi_command;
    uint8_t smi_values[4];
    uint32_t pm1a_event, pm1b_event, pm1a_control, pm1b_control, pm2_control, pm_timer, gpe0, gpe1;
    uint8_t pm1_event_bytes, pm1_control_bytes, pm2_control_bytes, pm_timer_bytes;
    uint8_t unused[16];
    uint8_t century;
    uint16_t boot_architecture;
    uint8_t reserved2;
    uint32_t flags;
    struct generic_address reset;
    uint8_t reset_value;
    uint8_t unused2[3];
    uint64_t x_facs, x_dsdt;
    struct generic_address x_pm1a_event, x_pm1b_event, x_pm1a_control, x_pm1b_control, x_pm2_control, x_pm_timer;
} __packed;
_Static_assert(offsetof(struct fadt, sci) == 46, "ACPI 5.2.9");
_Static_assert(offsetof(struct fadt, pm_timer_bytes) == 91, "ACPI 5.2.9");
_Static_assert(offsetof(struct fadt, flags) == 112, "ACPI 5.2.9");
_Static_assert(offsetof(struct fadt, x_dsdt) == 140, "ACPI 5.2.9");
_Static_assert(offsetof(struct fadt, x_pm_timer) == 208, "ACPI 5.2.9");
#define FADT_TIMER_32BIT (1U << 8)
#define FADT_HAS_RESET   (1U << 10)

struct hpet_table {
    struct table header;
    uint32_t id;
    struct generic_address base;
} __packed;
_Static_assert(offsetof(struct hpet_table, base) == 40, "HPET 3.2.4");

struct mcfg_entry {
    uint64_t address;
    uint16_t segment;
    uint8_t first_bus, last_bus;
    uint32_t reserved;
} __packed;
_Static_assert(sizeof(struct mcfg_entry) == 16, "PCI firmware 4.1.2");
#define MCFG_ENTRIES_OFFSET 44

struct madt {
    struct table header;
    uint32_t lapic_address, flags;
} __packed;
_Static_assert(sizeof(struct madt) == 44, "ACPI 5.2.12");

struct madt_entry {
    uint8_t type, length;
} __packed;
struct madt_lapic {
    struct madt_entry entry;
    uint8_t acpi_id, apic_id;
    uint32_t flags;
} __packed;
struct madt_ioapic {
    struct madt_entry entry;
    uint8_t id, reserved;
    uint32_t address, gsi_base;
} __packed;
struct madt_override {
    struct madt_entry entry;
    uint8_t bus, isa_irq;
    uint32_t gsi;
    uint16_t flags;
} __packed;
struct madt_lapic_address {
    struct madt_entry entry;
    uint16_t reserved;
    uint64_t address;
} __packed;
struct madt_x2apic {
    struct madt_entry entry;
    uint16_t reserved;
    uint32_t apic_id, flags, acpi_id;
} __packed;
_Static_assert(sizeof(struct madt_lapic) == 8 && sizeof(struct madt_ioapic) == 12 &&
                   sizeof(struct madt_override) == 10 && sizeof(struct madt_lapic_address) == 12 &&
                   sizeof(struct madt_x2apic) == 16,
               "ACPI 5.2.12");
#define LAPIC_ENABLED        1U
#define LAPIC_ONLINE_CAPABLE 2U
#define POLARITY(flags)      ((flags)&3)
#define TRIGGER(flags)       ((flags) >> 2 & 3)
#define ACTIVE_LOW           3
#define LEVEL_TRIGGERED      3

static bool checksum_ok(const void *data, size_t bytes)
{
    uint8_t sum = 0;
    for (size_t i = 0; i < bytes; i++)
        sum = (uint8_t)(sum + ((const uint8_t *)data)[i]);
    return sum == 0;
}

/* NULL if a table cannot lie there. */
static __init const void *map_firmware(paddr_t pa, size_t bytes)
{
    if (pa == 0 || pa >= DIRECTMAP_END - DIRECTMAP_VA - bytes)
        return NULL;
    return ioremap(pa, bytes, 0);
}

/* The table at pa, whole and checked; NULL (with a line in the log) if it is not sound. */
static __init const struct table *map_table(paddr_t pa)
{
    const struct table *header = map_firmware(pa, sizeof(*header));
    if (!header) {
        log_warning("ACPI: table at impossible address %#lx ignored", (unsigned long)pa);
        return NULL;
    }
    size_t length = header->length;
    if (length < sizeof(*header) || length > MAX_TABLE_BYTES) {
        log_warning("ACPI: table %.4s at %#lx has length %zu, ignored", header->signature, (unsigned long)pa, length);
        return NULL;
    }
    const struct table *table = map_firmware(pa, length);
    if (!table || !checksum_ok(table, length)) {
        log_warning("ACPI: table %.4s at %#lx has a wrong checksum, ignored", header->signature, (unsigned long)pa);
        return NULL;
    }
    return table;
}

static __init void add_cpu(uint32_t apic_id, uint32_t acpi_id, uint32_t flags)
{
    if (!(flags & (LAPIC_ENABLED | LAPIC_ONLINE_CAPABLE)))
        return;
    for (unsigned i = 0; i < acpi.cpu_count; i++) {
        if (acpi.cpu[i].apic_id == apic_id)
            return; /* listed as local APIC and as x2APIC */
    }
    if (acpi.cpu_count == NR_CPUS) {
        log_warning("ACPI: processor with APIC id %u left out: only %u are supported", apic_id, NR_CPUS);
        return;
    }
    acpi.cpu[acpi.cpu_count].apic_id = apic_id;
    acpi.cpu[acpi.cpu_count].acpi_id = acpi_id;
    acpi.cpu[acpi.cpu_count].enabled = flags & LAPIC_ENABLED;
    acpi.cpu_count++;
}

static __init void take_lapic(const void *entry)
{
    const struct madt_lapic *e = entry;
    if (e->apic_id != 0xff) /* that is everybody's address */
        add_cpu(e->apic_id, e->acpi_id, e->flags);
}

static __init void take_x2apic(const void *entry)
{
    const struct madt_x2apic *e = entry;
    if (e->apic_id != UINT32_MAX)
        add_cpu(e->apic_id, e->acpi_id, e->flags);
}

static __init void take_ioapic(const void *entry)
{
    const struct madt_ioapic *e = entry;
    if (acpi.ioapic_count == MAX_IOAPICS || e->address == 0) {
        log_warning("ACPI: IO-APIC %u at %#x ignored", e->id, e->address);
        return;
    }
    acpi.ioapic[acpi.ioapic_count].id = e->id;
    acpi.ioapic[acpi.ioapic_count].address = e->address;
    acpi.ioapic[acpi.ioapic_count].gsi_base = e->gsi_base;
    acpi.ioapic_count++;
}

/* "As the bus has it" means edge and high for ISA, the only bus that has overrides. */
static __init void take_override(const void *entry)
{
    const struct madt_override *e = entry;
    if (acpi.override_count == MAX_IRQ_OVERRIDES || e->bus != 0 || e->isa_irq >= 16) {
        log_warning("ACPI: override of bus %u interrupt %u ignored", e->bus, e->isa_irq);
        return;
    }
    acpi.override[acpi.override_count].isa_irq = e->isa_irq;
    acpi.override[acpi.override_count].gsi = e->gsi;
    acpi.override[acpi.override_count].level = TRIGGER(e->flags) == LEVEL_TRIGGERED;
    acpi.override[acpi.override_count].low = POLARITY(e->flags) == ACTIVE_LOW;
    acpi.override_count++;
}

static __init void take_lapic_address(const void *entry)
{
    const struct madt_lapic_address *e = entry;
    acpi.lapic_address = e->address;
}

static const struct {
    uint8_t type, length;
    void (*take)(const void *entry);
} madt_entries[] = {
    {0, sizeof(struct madt_lapic), take_lapic},       {1, sizeof(struct madt_ioapic), take_ioapic},
    {2, sizeof(struct madt_override), take_override}, {5, sizeof(struct madt_lapic_address), take_lapic_address},
    {9, sizeof(struct madt_x2apic), take_x2apic},
};

static __init void take_madt_entry(const struct madt_entry *entry)
{
    for (unsigned i = 0; i < ARRAY_SIZE(madt_entries); i++) {
        if (madt_entries[i].type != entry->type)
            continue;
        if (entry->length >= madt_entries[i].length)
            madt_entries[i].take(entry);
        else
            log_warning("ACPI: MADT entry of type %u is too short, ignored", entry->type);
        return;
    }
}

static __init void take_madt(const struct table *table)
{
    if (table->length < sizeof(struct madt)) {
        log_warning("ACPI: MADT is too short, ignored");
        return;
    }
    acpi.lapic_address = ((const struct madt *)table)->lapic_address;
    const uint8_t *at = (const uint8_t *)table + sizeof(struct madt), *end = (const uint8_t *)table + table->length;
    while (end - at >= (long)sizeof(struct madt_entry)) {
        const struct madt_entry *entry = (const struct madt_entry *)at;
        if (entry->length < sizeof(*entry) || entry->length > end - at) {
            log_warning("ACPI: MADT entry of length %u, the rest is ignored", entry->length);
            return;
        }
        take_madt_entry(entry);
        at += entry->length;
    }
}

/*
 * \_S5 says what to write to the PM1 control registers for power-off. It is a constant package in every
 * firmware, so its byte code can be read without an interpreter: NameOp, name, PackageOp, package length,
 * count, integers. Source: ACPI 20.2.
 */
#define AML_ZERO    0x00
#define AML_ONE     0x01
#define AML_NAME    0x08
#define AML_BYTE    0x0a
#define AML_WORD    0x0b
#define AML_PACKAGE 0x12
#define AML_ONES    0xff

/* One integer of at most two bytes; the address after it, or NULL. */
static __init const uint8_t *aml_integer(const uint8_t *at, const uint8_t *end, uint8_t *value)
{
    if (at >= end)
        return NULL;
    switch (*at) {
    case AML_ZERO:
    case AML_ONE:
    case AML_ONES:
        *value = *at;
        return at + 1;
    case AML_BYTE:
        if (end - at < 2)
            return NULL;
        *value = at[1];
        return at + 2;
    case AML_WORD:
        if (end - at < 3)
            return NULL;
        *value = at[1];
        return at + 3;
    default:
        return NULL;
    }
}

/* `at` is behind the name _S5_. */
static __init bool take_s5_package(const uint8_t *at, const uint8_t *end)
{
    uint8_t a, b = 0;
    if (end - at < 2 || *at++ != AML_PACKAGE)
        return false;
    size_t length_bytes = 1 + (*at >> 6);
    if ((size_t)(end - at) < length_bytes + 1)
        return false;
    at += length_bytes;
    uint8_t count = *at++;
    if (count == 0 || !(at = aml_integer(at, end, &a)))
        return false;
    if (count > 1 && !aml_integer(at, end, &b))
        return false;
    acpi.s5_type_a = a & 7;
    acpi.s5_type_b = b & 7;
    return true;
}

/* Object names are made of four capital letters, digits and underscores: "_S5_" behind NameOp, or behind its
 * \. */
static __init void take_definitions(const struct table *table)
{
    const uint8_t *start = (const uint8_t *)table + sizeof(*table), *end = (const uint8_t *)table + table->length;
    for (const uint8_t *at = start; !acpi.has_s5 && end - at > 4; at++) {
        if (memcmp(at, "_S5_", 4) != 0)
            continue;
        bool named = at > start && (at[-1] == AML_NAME || (at[-1] == '\\' && at - 1 > start && at[-2] == AML_NAME));
        if (named)
            acpi.has_s5 = take_s5_package(at + 4, end);
    }
}

/* The extended register, if it names a port, wins over the old field. */
static __init uint16_t fadt_port(const struct generic_address *extended, uint32_t old)
{
    if (extended->space == SPACE_PORT && extended->address && extended->address <= UINT16_MAX)
        return (uint16_t)extended->address;
    return old <= UINT16_MAX ? (uint16_t)old : 0;
}

static __init void take_reset(const struct fadt *fadt)
{
    const struct generic_address *reset = &fadt->reset;
    bool port = reset->space == SPACE_PORT && reset->address <= UINT16_MAX;
    if (!(fadt->flags & FADT_HAS_RESET) || (!port && reset->space != SPACE_MEMORY))
        return;
    acpi.reset.space = reset->space;
    acpi.reset.address = reset->address;
    acpi.reset.value = fadt->reset_value;
}

static __init void take_fadt(const struct table *table)
{
    struct fadt fadt = {0}; /* what an old, shorter table has not reads as 0 */
    memcpy(&fadt, table, min((size_t)table->length, sizeof(fadt)));
    acpi.sci = fadt.sci;
    acpi.pm1a_status = fadt_port(&fadt.x_pm1a_event, fadt.pm1a_event);
    acpi.pm1a_control = fadt_port(&fadt.x_pm1a_control, fadt.pm1a_control);
    acpi.pm1b_control = fadt_port(&fadt.x_pm1b_control, fadt.pm1b_control);
    if (fadt.pm_timer_bytes == 4) {
        acpi.pm_timer_port = fadt_port(&fadt.x_pm_timer, fadt.pm_timer);
        acpi.pm_timer_32bit = fadt.flags & FADT_TIMER_32BIT;
    }
    take_reset(&fadt);
    paddr_t dsdt = fadt.x_dsdt ? fadt.x_dsdt : fadt.dsdt;
    const struct table *definitions = dsdt ? map_table(dsdt) : NULL;
    if (definitions && memcmp(definitions->signature, "DSDT", 4) == 0)
        take_definitions(definitions);
}

static __init void take_hpet(const struct table *table)
{
    const struct hpet_table *hpet = (const struct hpet_table *)table;
    if (table->length < sizeof(*hpet) || hpet->base.space != SPACE_MEMORY) {
        log_warning("ACPI: HPET table not understood, ignored");
        return;
    }
    acpi.hpet_address = hpet->base.address;
}

static __init void take_mcfg(const struct table *table)
{
    for (size_t at = MCFG_ENTRIES_OFFSET; at + sizeof(struct mcfg_entry) <= table->length;
         at += sizeof(struct mcfg_entry)) {
        const struct mcfg_entry *e = (const struct mcfg_entry *)((const uint8_t *)table + at);
        if (acpi.ecam_count == MAX_ECAM || e->address == 0 || e->last_bus < e->first_bus) {
            log_warning("ACPI: configuration space of segment %u ignored", e->segment);
            continue;
        }
        acpi.ecam[acpi.ecam_count].address = e->address;
        acpi.ecam[acpi.ecam_count].segment = e->segment;
        acpi.ecam[acpi.ecam_count].first_bus = e->first_bus;
        acpi.ecam[acpi.ecam_count].last_bus = e->last_bus;
        acpi.ecam_count++;
    }
}

static const struct {
    char signature[5];
    bool many; /* otherwise the first one counts */
    void (*take)(const struct table *table);
} tables[] = {
    {"APIC", false, take_madt}, {"FACP", false, take_fadt},       {"HPET", false, take_hpet},
    {"MCFG", false, take_mcfg}, {"SSDT", true, take_definitions},
};

/* *seen has bit i set once a table of kind i was taken. */
static __init void take_table(paddr_t pa, uint32_t *seen)
{
    const struct table *header = map_firmware(pa, sizeof(*header));
    for (unsigned i = 0; header && i < ARRAY_SIZE(tables); i++) {
        if (memcmp(header->signature, tables[i].signature, 4) != 0 || (*seen >> i & 1 && !tables[i].many))
            continue;
        const struct table *table = map_table(pa);
        if (!table)
            return;
        *seen |= 1U << i;
        tables[i].take(table);
    }
}

static __init bool rsdp_ok(const struct rsdp *rsdp)
{
    return memcmp(rsdp->signature, "RSD PTR ", 8) == 0 && checksum_ok(rsdp, RSDP_BYTES_REVISION_0);
}

/* On 16-byte boundaries in [pa, pa+bytes). */
static __init paddr_t scan_for_rsdp(paddr_t pa, size_t bytes)
{
    const uint8_t *area = map_firmware(pa, bytes);
    for (size_t at = 0; area && at + RSDP_BYTES_REVISION_0 <= bytes; at += 16) {
        if (rsdp_ok((const struct rsdp *)(area + at)))
            return pa + at;
    }
    return 0;
}

#define BIOS_DATA_EBDA 0x40e
static __init paddr_t find_rsdp(void)
{
    if (bootinfo.rsdp || bootinfo.efi)
        return bootinfo.rsdp;
    const uint16_t *ebda_segment = map_firmware(BIOS_DATA_EBDA, sizeof(*ebda_segment));
    paddr_t ebda = (paddr_t)*ebda_segment << 4, found = 0;
    if (ebda >= 0x400 && ebda < 0xa0000)
        found = scan_for_rsdp(ebda, KiB);
    return found ? found : scan_for_rsdp(0xe0000, 128 * KiB);
}

/* The list of tables: XSDT, or RSDT where there is none that is sound. */
static __init const struct table *map_root(const struct rsdp *rsdp, size_t *entry_bytes)
{
    const struct table *root = NULL;
    if (rsdp->revision >= 2) {
        const struct rsdp *extended = map_firmware(acpi.rsdp, sizeof(*extended));
        if (extended && checksum_ok(extended, sizeof(*extended)) && extended->xsdt)
            root = map_table(extended->xsdt);
        *entry_bytes = 8;
        if (root && memcmp(root->signature, "XSDT", 4) == 0)
            return root;
    }
    root = rsdp->rsdt ? map_table(rsdp->rsdt) : NULL;
    *entry_bytes = 4;
    return root && memcmp(root->signature, "RSDT", 4) == 0 ? root : NULL;
}

static __init void take_tables(const struct table *root, size_t entry_bytes)
{
    const uint8_t *entry = (const uint8_t *)root + sizeof(*root);
    size_t count = (root->length - sizeof(*root)) / entry_bytes;
    uint32_t seen = 0;
    for (size_t i = 0; i < min(count, (size_t)MAX_TABLES); i++, entry += entry_bytes) {
        uint64_t pa = 0;
        memcpy(&pa, entry, entry_bytes); /* entries are not aligned */
        take_table(pa, &seen);
    }
}

__init void acpi_init(void)
{
    acpi.rsdp = find_rsdp();
    const struct rsdp *rsdp = acpi.rsdp ? map_firmware(acpi.rsdp, RSDP_BYTES_REVISION_0) : NULL;
    if (!rsdp || !rsdp_ok(rsdp))
        panic("this machine's firmware gives no ACPI tables; Roundhouse needs them to find the processors");
    size_t entry_bytes;
    const struct table *root = map_root(rsdp, &entry_bytes);
    if (!root)
        panic("the list of ACPI tables (XSDT or RSDT) is damaged; a firmware update may help");
    take_tables(root, entry_bytes);
    if (acpi.cpu_count == 0)
        panic("the firmware lists no processors: the ACPI table MADT is missing or damaged");
    log_info("ACPI: %u processors, %u IO-APICs, %u overrides, %s, %s, %s", acpi.cpu_count, acpi.ioapic_count,
             acpi.override_count, acpi.hpet_address ? "HPET" : "no HPET",
             acpi.pm_timer_port ? "PM timer" : "no PM timer", acpi.has_s5 ? "power-off" : "no power-off");
}
