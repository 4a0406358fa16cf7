/*
 * Vectors, pirqs and MSI on a simulated machine: pins with a mask, one PCI function with MSI and MSI-X, a local APIC
 * that counts ends of interrupt, and event channels that count. The real x86/irq.c, core/pirq.c and x86/msi.c run.
 */
#include "../../check.h"
#include "../../random.h"
#include <stdio.h>
#include <stdlib.h>
#include <hv/apic_regs.h>
#include <hv/console.h>
#include <hv/cpu.h>
#include <hv/domain.h>
#include <hv/ioreq.h>
#include <hv/irq.h>
#include <hv/irq_source.h>
#include <hv/page_type.h>
#include <hv/pci.h>
#include <hv/policy.h>

/* ---- The machine ---- */

#define PINS          24
#define DEVICE        PCI_SBDF(0, 2, 0x18)
#define MSI_AT        0x50
#define MSIX_AT       0x70
#define TABLE_BAR     0xfebf0000UL
#define TABLE_OFFSET  0x1000U
#define TABLE_ENTRIES 8

struct cpu cpus[NR_CPUS] = {{.apic_id = 5, .online = true}};
_Thread_local struct cpu *fake_cpu = &cpus[0];
struct cpu_features cpu_features = {.physical_address_bits = 40};
static struct domain hardware_domain = {.is_privileged = true}, other_domain;
struct domain *dom0 = &hardware_domain;
mfn_t max_mfn = 1 << 20;

static struct gsi pins[PINS];
static bool pin_masked[PINS];
static uint8_t config[256];
static uint32_t table[TABLE_ENTRIES][4];
static unsigned eois, in_service_vector, tables_mapped;
static unsigned events[MAX_PIRQS], last_eois_at_event;
static int frame_references;
static BITMAP(eoi_map_page, PAGE_SIZE * 8);

void fake_outb(uint8_t value, uint16_t port)
{
}
uint32_t apic_read(unsigned reg)
{
    unsigned first = (reg - APIC_IN_SERVICE) / 0x10 * 32;
    return in_service_vector >= first && in_service_vector < first + 32 ? 1U << (in_service_vector - first) : 0;
}
void apic_write(unsigned reg, uint32_t value)
{
}
void apic_eoi(void)
{
    eois++;
}
void smp_call_interrupt(void)
{
}
void send_guest_pirq(struct domain *d, unsigned pirq)
{
    CHECK((d == dom0 || is_hvm(d)) && irq_lock.held == 0);
    events[pirq]++;
    last_eois_at_event = eois;
}
bool mfn_is_ram(mfn_t mfn)
{
    return mfn < 0x1000;
}
/* The frame of the end-of-interrupt map, where the direct map would show it, cannot exist on the host: not used. */
int page_get_with_type(struct page *page, const struct domain *d, uint64_t type)
{
    CHECK(type == TYPE_WRITABLE);
    return -EINVAL;
}
void page_put_with_type(struct page *page)
{
    frame_references--;
}
void *ioremap(paddr_t pa, size_t bytes, uint64_t flags)
{
    CHECK(irq_lock.held == 0);
    CHECK(pa == TABLE_BAR + TABLE_OFFSET && bytes == sizeof(table));
    tables_mapped++;
    return table;
}

uint32_t pci_config_read(uint32_t sbdf, unsigned reg, unsigned size)
{
    uint32_t value = 0;
    if (sbdf != DEVICE)
        return 0xffffffffU >> (32 - 8 * size);
    memcpy(&value, config + reg, size);
    return value;
}
void pci_config_write(uint32_t sbdf, unsigned reg, unsigned size, uint32_t value)
{
    CHECK(sbdf == DEVICE);
    memcpy(config + reg, &value, size);
}
unsigned pci_find_capability(uint32_t sbdf, uint8_t id)
{
    return sbdf != DEVICE ? 0 : id == PCI_CAPABILITY_MSI ? MSI_AT : id == PCI_CAPABILITY_MSIX ? MSIX_AT : 0;
}

static void pin_mask(struct irq *irq)
{
    CHECK(irq_lock.held == 1);
    pin_masked[irq->gsi] = true;
}
static void pin_unmask(struct irq *irq)
{
    CHECK(irq_lock.held == 1);
    pin_masked[irq->gsi] = false;
}
static const struct irq_source pin_source = {"pin", pin_mask, pin_unmask};

unsigned irq_gsi_count(void)
{
    return PINS;
}
struct gsi *gsi_get(unsigned gsi)
{
    return gsi < PINS ? &pins[gsi] : NULL;
}
int gsi_route(unsigned gsi, struct irq **out)
{
    struct gsi *g = gsi_get(gsi);
    if (!g)
        return -EINVAL;
    if (!g->vector) {
        struct irq *irq = irq_alloc(&pin_source, 1);
        if (!irq)
            return -ENOSPC;
        irq->gsi = gsi;
        irq->level = g->level;
        g->vector = irq->vector;
    }
    *out = irq_of_vector(g->vector);
    return 0;
}
void gsi_unroute(unsigned gsi)
{
    if (!pins[gsi].vector)
        return;
    irq_free(irq_of_vector(pins[gsi].vector), 1);
    pins[gsi].vector = 0;
}

static void interrupt(uint8_t vector)
{
    struct cpu_user_regs regs = {.entry_vector = vector};
    in_service_vector = vector;
    do_irq(&regs);
    in_service_vector = 0;
    CHECK(irq_lock.held == 0 && cpus[0].irq_depth == 0);
}

static void reset_device(void)
{
    memset(config, 0, sizeof(config));
    memset(table, 0, sizeof(table));
    config[PCI_VENDOR_ID] = 0x86;
    config[PCI_COMMAND] = PCI_COMMAND_MEMORY;
    config[MSI_AT + 2] = 0x80 | 3 << 1; /* 64-bit, 8 messages */
    config[MSI_AT + 3] = 0x01;          /* maskable */
    config[MSIX_AT + 2] = TABLE_ENTRIES - 1;
    uint32_t where = TABLE_OFFSET | 2;
    memcpy(config + MSIX_AT + 4, &where, 4);
}

static unsigned free_vectors(void)
{
    unsigned count = 0;
    for (unsigned v = VECTOR_FIRST_DEVICE; v <= VECTOR_LAST_DEVICE; v++)
        count += irq_of_vector((uint8_t)v)->source == NULL;
    return count;
}
#define ALL_VECTORS (VECTOR_LAST_DEVICE - VECTOR_FIRST_DEVICE + 1U)

/* ---- Tests ---- */

static void test_vectors(void)
{
    struct irq *block = irq_alloc(&pin_source, 32), *single = irq_alloc(&pin_source, 1), *taken[ALL_VECTORS];
    CHECK(block && block->vector % 32 == 0 && single && free_vectors() == ALL_VECTORS - 33);
    unsigned n = 0;
    while ((taken[n] = irq_alloc(&pin_source, 1)))
        n++;
    CHECK(n == ALL_VECTORS - 33 && !irq_alloc(&pin_source, 2));
    irq_free(block, 32);
    block = irq_alloc(&pin_source, 16);
    CHECK(block && block->vector % 16 == 0);
    irq_free(block, 16);
    irq_free(single, 1);
    while (n--)
        irq_free(taken[n], 1);
    CHECK(free_vectors() == ALL_VECTORS);
}

static void test_fixed_vectors(void)
{
    eois = 0;
    interrupt(VECTOR_APIC_TIMER);
    CHECK(eois == 1 && test_and_clear_bit(SOFTIRQ_TIMER, &cpus[0].softirq_pending));
    interrupt(VECTOR_EVENT_CHECK);
    interrupt(VECTOR_CALL);
    CHECK(eois == 3 && cpus[0].softirq_pending == 0);
    interrupt(VECTOR_SPURIOUS);
    CHECK(eois == 3);
    interrupt(VECTOR_FIRST_DEVICE + 3); /* nobody's, but in service: must be ended */
    interrupt(0x2f);
    CHECK(eois == 5);
}

static unsigned own_calls, own_eois;
static void own_handler(void *data)
{
    own_calls++;
    own_eois = eois;
    CHECK(data == &own_calls && irq_lock.held == 0);
}

static void test_own_handler(void)
{
    struct irq *irq;
    pins[4].level = true;
    CHECK(gsi_route(4, &irq) == 0);
    irq->handler = own_handler;
    irq->data = &own_calls;
    eois = 0;
    interrupt(pins[4].vector);
    CHECK(own_calls == 1 && own_eois == 0 && eois == 1); /* level: ended after the device was served */
    CHECK(pirq_map_gsi(dom0, 4, 4) == 4 && pirq_bind(dom0, 4, true) == -EBUSY);
    irq->handler = NULL;
    CHECK(pirq_unmap(dom0, 4) == 0 && free_vectors() == ALL_VECTORS);
    pins[4].level = false;
}

static void test_gsi_numbers(void)
{
    CHECK(pirq_map_gsi(&other_domain, 9, -1) == -EPERM);
    CHECK(pirq_map_gsi(dom0, PINS, -1) == -EINVAL);
    CHECK(pirq_map_gsi(dom0, 9, -1) == 9 && pirq_map_gsi(dom0, 9, 9) == 9 && pirq_map_gsi(dom0, 9, 10) == -EBUSY);
    CHECK(pirq_map_gsi(dom0, 10, 9) == -EBUSY && pirq_map_gsi(dom0, 10, MAX_PIRQS) == -EINVAL);
    int low = pirq_reserve(dom0, false), high = pirq_reserve(dom0, true);
    CHECK(low >= 0 && low < PINS && high >= PINS);
    CHECK(pirq_bind(dom0, high, false) == -EINVAL); /* reserved is not mapped */
    CHECK(pirq_map_gsi(dom0, 10, high) == high && pirq_unmap(dom0, high) == 0 && pirq_unmap(dom0, high) == -EINVAL);
    CHECK(pirq_unmap(dom0, low) == 0 && pirq_unmap(dom0, 9) == 0);
    CHECK(pirq_unmap(dom0, -1) == -EINVAL && pirq_unmap(dom0, MAX_PIRQS) == -EINVAL);
    CHECK(pirq_reserve(&other_domain, true) == -EPERM && pirq_eoi(&other_domain, 9) == -EINVAL);
}

static void test_level(void)
{
    pins[17].level = true;
    pin_masked[17] = true;
    CHECK(pirq_map_gsi(dom0, 17, 17) == 17 && pirq_needs_eoi(dom0, 17) && pirq_bind(dom0, 17, true) == 0);
    CHECK(!pin_masked[17] && pirq_bind(dom0, 17, true) == -EBUSY && pirq_unmap(dom0, 17) == -EBUSY);
    eois = events[17] = 0;
    interrupt(pins[17].vector);
    /* Masked and ended before the guest hears of it: it blocks nothing meanwhile. */
    CHECK(pin_masked[17] && eois == 1 && events[17] == 1 && last_eois_at_event == 1);
    CHECK(pirq_eoi(dom0, 17) == 0 && !pin_masked[17]);
    pin_masked[17] = true;
    CHECK(pirq_eoi(dom0, 17) == 0 && pin_masked[17]); /* one too many unmasks nothing */
    pin_masked[17] = false;
    interrupt(pins[17].vector);
    pirq_unbind(dom0, 17);
    CHECK(pin_masked[17] && pirq_eoi(dom0, 17) == 0 && pin_masked[17]); /* late: stays masked */
    interrupt(pins[17].vector);
    CHECK(events[17] == 2 && eois == 3);
    CHECK(pirq_bind(dom0, 17, true) == 0 && !pin_masked[17]);
    pirq_unbind(dom0, 17);
    CHECK(pirq_unmap(dom0, 17) == 0 && free_vectors() == ALL_VECTORS);
}

static void test_edge(void)
{
    CHECK(pirq_map_gsi(dom0, 1, -1) == 1 && !pirq_needs_eoi(dom0, 1) && pirq_bind(dom0, 1, false) == 0);
    eois = events[1] = 0;
    interrupt(pins[1].vector);
    interrupt(pins[1].vector);
    CHECK(!pin_masked[1] && eois == 2 && events[1] == 2);
    pirq_unbind(dom0, 1);
    CHECK(pin_masked[1] && pirq_unmap(dom0, 1) == 0);
}

static uint32_t config32(unsigned at)
{
    return pci_config_read(DEVICE, at, 4);
}

static void test_msi(void)
{
    struct msi_request r = {.bus = 2, .devfn = 0x18, .count = 1}, absent = {.bus = 3, .count = 1};
    reset_device();
    CHECK(pirq_map_msi(&other_domain, &r, -1) == -EPERM && pirq_map_msi(dom0, &absent, -1) == -ENODEV);
    int pirq = pirq_map_msi(dom0, &r, -1);
    CHECK(pirq >= PINS && pirq_map_msi(dom0, &r, -1) == -EBUSY && !pirq_needs_eoi(dom0, pirq));
    uint8_t vector = config[MSI_AT + 12];
    CHECK(config32(MSI_AT + 4) == 0xfee05000 && config32(MSI_AT + 8) == 0 && (config[MSI_AT + 2] & 0x71) == 1);
    CHECK(config32(MSI_AT + 16) == 1 && free_vectors() == ALL_VECTORS - 1); /* masked until bound */
    eois = events[pirq] = 0;
    interrupt(vector);
    CHECK(eois == 1 && events[pirq] == 0);
    CHECK(pirq_bind(dom0, pirq, false) == 0 && config32(MSI_AT + 16) == 0);
    interrupt(vector);
    CHECK(eois == 2 && events[pirq] == 1);
    reset_device();
    pirq_restore_device(DEVICE);
    CHECK(config[MSI_AT + 12] == vector && config32(MSI_AT + 4) == 0xfee05000 && (config[MSI_AT + 2] & 1));
    pirq_unbind(dom0, pirq);
    CHECK(config32(MSI_AT + 16) == 1 && pirq_unmap(dom0, pirq) == 0 && !(config[MSI_AT + 2] & 1));
    CHECK(free_vectors() == ALL_VECTORS);
}

static void test_multi_msi(void)
{
    struct msi_request r = {.bus = 2, .devfn = 0x18, .count = 5};
    reset_device();
    int pirq = pirq_map_msi(dom0, &r, -1);
    CHECK(pirq >= PINS && free_vectors() == ALL_VECTORS - 8);
    uint8_t first = config[MSI_AT + 12];
    CHECK(first % 8 == 0 && (config[MSI_AT + 2] >> 4 & 7) == 3 && config32(MSI_AT + 16) == 0xff);
    for (int i = 0; i < 5; i++) {
        CHECK(pirq_bind(dom0, pirq + i, false) == 0);
        events[pirq + i] = 0;
        interrupt((uint8_t)(first + i));
        CHECK(events[pirq + i] == 1);
    }
    CHECK(config32(MSI_AT + 16) == 0xe0 && pirq_bind(dom0, pirq + 5, false) == -EINVAL);
    pirq_restore_device(DEVICE);
    CHECK((config[MSI_AT + 2] >> 4 & 7) == 3 && config32(MSI_AT + 16) == 0xe0);
    CHECK(pirq_unmap(dom0, pirq) == -EBUSY && pirq_unmap(dom0, pirq + 1) == -EINVAL);
    for (int i = 0; i < 5; i++)
        pirq_unbind(dom0, pirq + i);
    CHECK(pirq_unmap(dom0, pirq) == 0 && free_vectors() == ALL_VECTORS && !(config[MSI_AT + 2] & 0x71));
    r.count = 16; /* the function has 8 */
    CHECK(pirq_map_msi(dom0, &r, -1) == -EINVAL);
    r.count = 33;
    CHECK(pirq_map_msi(dom0, &r, -1) == -EINVAL && free_vectors() == ALL_VECTORS);
}

static void test_msix(void)
{
    struct msi_request r = {.bus = 2, .devfn = 0x18, .count = 1, .table = TABLE_BAR, .entry = 3}, plain = r;
    reset_device();
    config[MSIX_AT + 3] = 0xc0; /* the driver has enabled it and masked all */
    int pirq = pirq_map_msi(dom0, &r, -1);
    CHECK(pirq >= PINS && table[3][0] == 0xfee05000 && table[3][1] == 0 && (table[3][3] & 1) && tables_mapped == 1);
    CHECK(config[MSIX_AT + 3] == 0xc0); /* and it stays the driver's to unmask */
    uint8_t vector = (uint8_t)table[3][2];
    CHECK(pirq_map_msi(dom0, &r, -1) == -EBUSY);
    plain.table = 0;
    CHECK(pirq_map_msi(dom0, &plain, -1) == -EBUSY); /* never both kinds */
    r.entry = TABLE_ENTRIES;
    CHECK(pirq_map_msi(dom0, &r, -1) == -EINVAL);
    r.entry = 0;
    int second = pirq_map_msi(dom0, &r, -1);
    CHECK(second > pirq && tables_mapped == 1 && table[0][2] != vector);
    CHECK(pirq_bind(dom0, pirq, false) == 0 && !(table[3][3] & 1) && (table[0][3] & 1));
    events[pirq] = 0;
    interrupt(vector);
    CHECK(events[pirq] == 1);
    memset(table, 0, sizeof(table));
    config[MSIX_AT + 3] = 0;
    pirq_restore_device(DEVICE);
    CHECK(table[3][2] == vector && !(table[3][3] & 1) && (table[0][3] & 1) && config[MSIX_AT + 3] == 0x80);
    pirq_release_device(DEVICE); /* takes the unbound one */
    CHECK(pirq_bind(dom0, second, false) == -EINVAL && free_vectors() == ALL_VECTORS - 1);
    pirq_unbind(dom0, pirq);
    CHECK(table[3][3] & 1);
    pirq_release_device(DEVICE);
    CHECK(free_vectors() == ALL_VECTORS);
    config[PCI_COMMAND] = 0;
    CHECK(pirq_map_msi(dom0, &r, -1) == -ENXIO);
    r.table = 0x10000; /* RAM */
    CHECK(pirq_map_msi(dom0, &r, -1) == -EINVAL);
    r.table = 1UL << 41;
    CHECK(pirq_map_msi(dom0, &r, -1) == -EINVAL && free_vectors() == ALL_VECTORS);
}

static void test_eoi_map(void)
{
    CHECK(pirq_set_eoi_map(dom0, max_mfn) == -EINVAL && pirq_set_eoi_map(dom0, 5) == -EINVAL && frame_references == 0);
    hardware_domain.eoi_map = eoi_map_page;
    pins[18].level = true;
    CHECK(pirq_map_gsi(dom0, 18, -1) == 18 && pirq_map_gsi(dom0, 2, -1) == 2);
    CHECK(pirq_bind(dom0, 18, true) == 0 && pirq_bind(dom0, 2, true) == 0);
    CHECK(test_bit(18, eoi_map_page) && !test_bit(2, eoi_map_page));
    pirq_unbind(dom0, 18);
    pirq_unbind(dom0, 2);
    CHECK(!test_bit(18, eoi_map_page) && pirq_unmap(dom0, 18) == 0 && pirq_unmap(dom0, 2) == 0);
    hardware_domain.eoi_map = NULL;
    hardware_domain.eoi_map_mfn = INVALID_MFN;
    pirq_release_domain(dom0);
    CHECK(frame_references == 0);
}

/* Whatever a guest asks in whatever order, nothing is lost. */
static void test_random(void)
{
    reset_device();
    for (unsigned i = 0; i < 200000; i++) {
        int pirq = (int)random_below(64) - 1;
        struct msi_request r = {.bus = 2, .devfn = 0x18, .count = 1U + random_below(9)};
        if (random_below(2))
            r = (struct msi_request){.bus = 2, .devfn = 0x18, .count = 1, .table = TABLE_BAR, .entry = random_below(9)};
        switch (random_below(8)) {
        case 0:
            pirq_map_gsi(dom0, random_below(PINS + 2), random_below(2) ? -1 : pirq);
            break;
        case 1:
            pirq_map_msi(dom0, &r, random_below(4) ? -1 : pirq);
            break;
        case 2:
            pirq_unmap(dom0, pirq);
            break;
        case 3:
            pirq_bind(dom0, pirq, random_below(2));
            break;
        case 4:
            pirq_unbind(dom0, pirq);
            break;
        case 5:
            pirq_eoi(dom0, pirq);
            break;
        case 6:
            pirq_reserve(dom0, random_below(2));
            break;
        default:
            interrupt((uint8_t)(VECTOR_FIRST_DEVICE + random_below(ALL_VECTORS)));
            break;
        }
    }
    for (int pirq = 0; pirq < MAX_PIRQS; pirq++)
        pirq_unbind(dom0, pirq);
    for (int pirq = 0; pirq < MAX_PIRQS; pirq++)
        pirq_unmap(dom0, pirq);
    CHECK(free_vectors() == ALL_VECTORS);
    for (unsigned gsi = 0; gsi < PINS; gsi++)
        CHECK(pirq_map_gsi(dom0, gsi, (int)gsi) == (int)gsi && pirq_unmap(dom0, (int)gsi) == 0);
}

/* An HVM guest's pirqs are lines of its own chips; the machine's are not touched. */
static void test_hvm(void)
{
    static struct hvm_io io;
    static struct hvm_domain hvm = {.io = &io};
    static struct domain guest = {.id = 9, .hvm = &hvm};

    memset(events, 0, sizeof(events));
    CHECK(pirq_map_gsi(&guest, 48, -1) == -EINVAL && pirq_map_gsi(&guest, 20, 21) == -EBUSY);
    CHECK(pirq_bind(&guest, 20, false) == -EINVAL && pirq_eoi(&guest, 20) == -EINVAL);
    CHECK(pirq_map_gsi(&guest, 20, -1) == 20 && pirq_map_gsi(&guest, 20, 20) == 20 && pirq_map_gsi(&guest, 4, -1) == 4);
    CHECK(!hvm_pirq_line(&guest, 20, true));                    /* nobody has bound it: the controllers' */
    CHECK(pirq_bind(&guest, 20, true) == 0 && events[20] == 1); /* it was high */
    CHECK(pirq_bind(&guest, 20, true) == -EBUSY && pirq_unmap(&guest, 20) == -EBUSY);
    CHECK(pirq_bind(&guest, 4, false) == 0 && events[4] == 0);
    CHECK(pirq_needs_eoi(&guest, 20) && !pirq_needs_eoi(&guest, 4) && !pirq_needs_eoi(&guest, 300));

    CHECK(hvm_pirq_line(&guest, 20, false) && pirq_eoi(&guest, 20) == 0 && events[20] == 1);
    CHECK(hvm_pirq_line(&guest, 20, true) && events[20] == 1);
    hvm_pirq_deliver(&guest);
    hvm_pirq_deliver(&guest);
    CHECK(events[20] == 2);
    CHECK(pirq_eoi(&guest, 20) == 0 && events[20] == 3); /* a level stays */
    CHECK(hvm_pirq_line(&guest, 4, true));
    hvm_pirq_deliver(&guest);
    CHECK(events[4] == 1 && pirq_eoi(&guest, 4) == 0 && events[4] == 1); /* an edge does not */
    pirq_unbind(&guest, 20);
    CHECK(!hvm_pirq_line(&guest, 20, true) && pirq_unmap(&guest, 20) == 0 && pirq_unmap(&guest, 20) == -EINVAL);

    int message = pirq_reserve(&guest, true);
    CHECK(message >= HVM_GSI_COUNT && pirq_bind(&guest, message, false) == 0);
    CHECK(hvm_pirq_message(&guest, 0xfee00000 | (uint64_t)message << 12) && events[message] == 1);
    CHECK(!hvm_pirq_message(&guest, 0xfee00000 | (uint64_t)(message + 1) << 12));
    CHECK(!hvm_pirq_message(&guest, 0xfee00000 | 20 << 12) && !hvm_pirq_message(&guest, ~0ULL));
    for (int i = message + 1; i < HVM_PIRQ_COUNT; i++)
        CHECK(pirq_reserve(&guest, true) == i);
    CHECK(pirq_reserve(&guest, true) == -ENOSPC);
}

int main(void)
{
    test_vectors();
    test_fixed_vectors();
    test_own_handler();
    test_gsi_numbers();
    test_level();
    test_edge();
    test_msi();
    test_multi_msi();
    test_msix();
    test_eoi_map();
    test_random();
    test_hvm();
    puts("irq: ok");
    return 0;
}
