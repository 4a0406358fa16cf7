/*
 * physdev_op of the hardware domain: which of its words reaches the interrupt and PCI code, what it is told, and that
 * nothing stays behind when it cannot be told. The real abi/physdev_op.c.
 */
#include "../../check.h"
#include <hv/bootinfo.h>
#include <hv/console.h>
#include <hv/cpu.h>
#include <hv/domain.h>
#include <hv/guest_copy.h>
#include <hv/hypercall.h>
#include <hv/irq.h>
#include <hv/irq_source.h>
#include <hv/page.h>
#include <hv/pci.h>
#include <stdarg.h>
#include <string.h>
#include <xen/physdev.h>

#define IOAPIC 0xfec00000UL

struct cpu_features cpu_features = {.physical_address_bits = 40};
static struct domain hardware = {.is_privileged = true}, guest = {.id = 1};
static struct vcpu v = {.domain = &hardware}, of_guest = {.domain = &guest};
static int held, answer;
static bool read_only, needs_eoi;
static char told[200]; /* to the rest of the hypervisor */

static int tell(const char *format, ...)
{
    va_list list;
    va_start(list, format);
    vsnprintf(told + strlen(told), sizeof(told) - strlen(told), format, list);
    va_end(list);
    return answer;
}

int copy_to_guest_va(unsigned long to, const void *from, size_t bytes)
{
    return read_only ? -EFAULT : (memcpy((void *)to, from, bytes), 0);
}
struct domain *domain_get(domid_t id)
{
    struct domain *d = id == guest.id ? &guest : NULL;
    held += d != NULL;
    return d;
}
void domain_put(struct domain *d)
{
    held--;
}
int pirq_eoi(struct domain *d, int pirq)
{
    return tell("eoi %d", pirq);
}
int pirq_set_eoi_map(struct domain *d, uint64_t mfn)
{
    return tell("map %lx of d%u", (unsigned long)mfn, d->id);
}
bool pirq_needs_eoi(struct domain *d, int pirq)
{
    return needs_eoi;
}
int pirq_map_gsi(struct domain *d, unsigned gsi, int pirq_wanted)
{
    return tell("gsi %u as %d;", gsi, pirq_wanted);
}
int pirq_map_msi(struct domain *d, const struct msi_request *r, int pirq_wanted)
{
    return tell("%x:%x.%x entry %u at %lx, %u as %d;", r->segment, r->bus, r->devfn, r->entry, (unsigned long)r->table,
                r->count, pirq_wanted);
}
int pirq_unmap(struct domain *d, int pirq)
{
    tell("unmap %d", pirq);
    return 0;
}
int pirq_reserve(struct domain *d, bool msi)
{
    return tell("reserve %d;", msi);
}
void pirq_release_device(uint32_t sbdf)
{
    tell("release %x", sbdf);
}
void pirq_restore_device(uint32_t sbdf)
{
    tell("restore %x", sbdf);
}
int gsi_setup(unsigned gsi, bool level, bool low)
{
    return tell("setup %u %d %d", gsi, level, low);
}
int gsi_vector(unsigned gsi)
{
    return tell("vector %u", gsi);
}
bool ioapic_read_register(uint64_t base, unsigned reg, uint32_t *value)
{
    *value = 0x100 + reg;
    return base == IOAPIC && reg < 4;
}
unsigned pci_find_capability(uint32_t sbdf, uint8_t id)
{
    return sbdf == 0x10203 && id == PCI_CAPABILITY_MSIX ? 0x60 : 0;
}
int pci_ecam_add(paddr_t address, uint16_t segment, uint8_t first_bus, uint8_t last_bus)
{
    return tell("ecam %lx %x %u-%u", (unsigned long)address, segment, first_bus, last_bus);
}
/* As the machine's map has it, whose frames are the test's. */
bool mfn_is_ram(mfn_t mfn)
{
    for (unsigned i = 0; i < bootinfo.memory_count; i++)
        if (mfn >= bootinfo.memory[i].start >> PAGE_SHIFT && mfn < bootinfo.memory[i].end >> PAGE_SHIFT)
            return bootinfo.memory[i].kind == MEMORY_RAM;
    return false;
}

static long ask(unsigned command, void *argument)
{
    struct hypercall call = {.arg = {command, (unsigned long)argument}};
    told[0] = 0;
    long result = do_physdev_op(&call);
    CHECK(!held);
    return result;
}
#define TOLD(text) (!strcmp(told, text))

static void start(void)
{
    fake_current[0] = &v;
    answer = 0;
    read_only = needs_eoi = false;
}

/* ---- Interrupts ---- */

static void ends_of_interrupts(void)
{
    struct physdev_eoi eoi = {.irq = MAX_PIRQS - 1};
    struct physdev_irq_status_query query = {.irq = 3, .flags = 0xff};
    struct physdev_pirq_eoi_gmfn map = {.gmfn = 0x123};
    start();
    CHECK(!ask(PHYSDEVOP_eoi, &eoi) && TOLD("eoi 511"));
    eoi.irq = MAX_PIRQS;
    CHECK(ask(PHYSDEVOP_eoi, &eoi) == -EINVAL && TOLD(""));
    CHECK(!ask(PHYSDEVOP_irq_status_query, &query) && query.flags == 0);
    needs_eoi = true;
    CHECK(!ask(PHYSDEVOP_irq_status_query, &query) && query.flags == XENIRQSTAT_needs_eoi);
    read_only = true;
    CHECK(ask(PHYSDEVOP_irq_status_query, &query) == -EFAULT);
    query.irq = ~0U;
    CHECK(ask(PHYSDEVOP_irq_status_query, &query) == -EINVAL);
    CHECK(!ask(PHYSDEVOP_pirq_eoi_gmfn_v2, &map) && TOLD("map 123 of d0"));
    CHECK(ask(PHYSDEVOP_pirq_eoi_gmfn_v1, &map) == -ENOSYS && TOLD(""));
}

static void lines_are_mapped_and_unmapped(void)
{
    struct physdev_map_pirq op = {.domid = DOMID_SELF, .type = MAP_PIRQ_TYPE_GSI, .index = 9, .pirq = -1};
    struct physdev_unmap_pirq unmap = {.domid = DOMID_SELF, .pirq = 9};
    start();
    answer = 9;
    CHECK(!ask(PHYSDEVOP_map_pirq, &op) && op.pirq == 9 && TOLD("gsi 9 as -1;"));
    CHECK(!ask(PHYSDEVOP_unmap_pirq, &unmap) && TOLD("unmap 9"));
    read_only = true;
    CHECK(ask(PHYSDEVOP_map_pirq, &op) == -EFAULT && TOLD("gsi 9 as 9;unmap 9")); /* who is not told has none */
    read_only = false;
    answer = -EBUSY;
    op.pirq = 4;
    CHECK(ask(PHYSDEVOP_map_pirq, &op) == -EBUSY && op.pirq == 4);
    op.index = -1;
    CHECK(ask(PHYSDEVOP_map_pirq, &op) == -EINVAL && TOLD(""));
    op.type = MAP_PIRQ_TYPE_UNKNOWN;
    CHECK(ask(PHYSDEVOP_map_pirq, &op) == -EINVAL && TOLD(""));
}

/* Nothing is passed through. */
static void only_for_itself(void)
{
    static const struct {
        domid_t id;
        long answer;
    } cases[] = {{0, 0}, {DOMID_SELF, 0}, {1, -EOPNOTSUPP}, {7, -ESRCH}, {DOMID_XEN, -ESRCH}};
    start();
    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        struct physdev_map_pirq map = {.domid = cases[i].id, .type = MAP_PIRQ_TYPE_GSI};
        struct physdev_unmap_pirq unmap = {.domid = cases[i].id};
        CHECK(ask(PHYSDEVOP_map_pirq, &map) == cases[i].answer && (cases[i].answer != 0) == TOLD(""));
        CHECK(ask(PHYSDEVOP_unmap_pirq, &unmap) == cases[i].answer && (cases[i].answer != 0) == TOLD(""));
    }
}

static void messages_are_of_a_device(void)
{
    static const struct {
        struct physdev_map_pirq op;
        long answer;
        const char *told;
    } cases[] = {
        {{.type = MAP_PIRQ_TYPE_MSI, .bus = 0x50012, .devfn = 8, .entry_nr = 2, .table_base = 0xf000, .pirq = 40},
         0,
         "0:12.8 entry 2 at f000, 1 as 40;"},
        {{.type = MAP_PIRQ_TYPE_MSI_SEG, .bus = 0x50012, .devfn = 8, .entry_nr = 2}, 0, "5:12.8 entry 2 at 0, 1 as 0;"},
        {{.type = MAP_PIRQ_TYPE_MULTI_MSI, .bus = 0x50012, .entry_nr = 32}, 0, "5:12.0 entry 0 at 0, 32 as 0;"},
        {{.type = MAP_PIRQ_TYPE_MULTI_MSI, .entry_nr = 33}, -EINVAL, ""},
        {{.type = MAP_PIRQ_TYPE_MULTI_MSI, .entry_nr = 0}, -EINVAL, ""},
        {{.type = MAP_PIRQ_TYPE_MULTI_MSI, .entry_nr = 2, .table_base = 0x1000}, -EINVAL, ""},
        {{.type = MAP_PIRQ_TYPE_MSI, .entry_nr = -1}, -EINVAL, ""},
    };
    start();
    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        struct physdev_map_pirq op = cases[i].op;
        CHECK(ask(PHYSDEVOP_map_pirq, &op) == cases[i].answer && TOLD(cases[i].told));
    }
}

static void free_numbers(void)
{
    struct physdev_get_free_pirq op = {.type = MAP_PIRQ_TYPE_MSI};
    start();
    answer = 300;
    CHECK(!ask(PHYSDEVOP_get_free_pirq, &op) && op.pirq == 300 && TOLD("reserve 1;"));
    op.type = MAP_PIRQ_TYPE_GSI;
    read_only = true;
    CHECK(ask(PHYSDEVOP_get_free_pirq, &op) == -EFAULT && TOLD("reserve 0;unmap 300"));
    op.type = MAP_PIRQ_TYPE_MULTI_MSI;
    CHECK(ask(PHYSDEVOP_get_free_pirq, &op) == -EINVAL && TOLD(""));
    op.type = MAP_PIRQ_TYPE_MSI;
    answer = -ENOSPC;
    CHECK(ask(PHYSDEVOP_get_free_pirq, &op) == -ENOSPC);
}

static void pins(void)
{
    struct physdev_irq vector = {.irq = 9};
    struct physdev_setup_gsi setup = {.gsi = 5, .triggering = 1, .polarity = 0};
    struct physdev_apic apic = {.apic_physbase = IOAPIC, .reg = 1};
    start();
    answer = 0x41;
    CHECK(!ask(PHYSDEVOP_alloc_irq_vector, &vector) && vector.vector == 0x41 && TOLD("vector 9"));
    answer = -EINVAL;
    CHECK(ask(PHYSDEVOP_alloc_irq_vector, &vector) == -EINVAL && vector.vector == 0x41);
    answer = -EEXIST;
    CHECK(ask(PHYSDEVOP_setup_gsi, &setup) == -EEXIST && TOLD("setup 5 1 0"));
    setup.gsi = -1;
    CHECK(ask(PHYSDEVOP_setup_gsi, &setup) == -EINVAL && TOLD(""));
    CHECK(!ask(PHYSDEVOP_apic_read, &apic) && apic.value == 0x101);
    CHECK(ask(PHYSDEVOP_apic_write, &apic) == -EPERM);
    apic.reg = 4;
    CHECK(ask(PHYSDEVOP_apic_read, &apic) == -EINVAL && ask(PHYSDEVOP_apic_write, &apic) == -EINVAL);
}

/* ---- Devices ---- */

static void devices_come_and_go(void)
{
    struct physdev_manage_pci old = {.bus = 2, .devfn = 3};
    struct physdev_manage_pci_ext ext = {.bus = 2, .devfn = 3};
    struct physdev_restore_msi restore = {.bus = 2, .devfn = 3};
    struct physdev_pci_device device = {.seg = 1, .bus = 2, .devfn = 3};
    struct physdev_pci_device_add add = {.seg = 1, .bus = 2, .devfn = 3};
    start();
    CHECK(!ask(PHYSDEVOP_manage_pci_add, &old) && !ask(PHYSDEVOP_manage_pci_add_ext, &ext) && TOLD(""));
    CHECK(!ask(PHYSDEVOP_pci_device_add, &add) && TOLD(""));
    CHECK(!ask(PHYSDEVOP_manage_pci_remove, &old) && TOLD("release 203"));
    CHECK(!ask(PHYSDEVOP_pci_device_remove, &device) && TOLD("release 10203"));
    CHECK(!ask(PHYSDEVOP_restore_msi, &restore) && TOLD("restore 203"));
    CHECK(!ask(PHYSDEVOP_restore_msi_ext, &device) && TOLD("restore 10203"));
    CHECK(!ask(PHYSDEVOP_prepare_msix, &device) && !ask(PHYSDEVOP_release_msix, &device));
    device.seg = 0;
    CHECK(ask(PHYSDEVOP_prepare_msix, &device) == -ENODEV);
}

static void a_debug_port_needs_no_care(void)
{
    struct physdev_dbgp_op op = {.op = PHYSDEVOP_DBGP_RESET_PREPARE};
    start();
    CHECK(!ask(PHYSDEVOP_dbgp_op, &op));
    op.op = PHYSDEVOP_DBGP_RESET_DONE;
    CHECK(!ask(PHYSDEVOP_dbgp_op, &op));
    op.op = 77;
    CHECK(ask(PHYSDEVOP_dbgp_op, &op) == -EINVAL);
}

#define RESERVED XEN_PCI_MMCFG_RESERVED

static long configuration_space(uint64_t address, uint8_t first, uint8_t last, uint32_t flags)
{
    struct physdev_pci_mmcfg_reserved op = {
        .address = address, .segment = 2, .start_bus = first, .end_bus = last, .flags = flags};
    return ask(PHYSDEVOP_pci_mmcfg_reserved, &op);
}

/* The address is that of bus 0, whether it is one of the range or not. */
static void configuration_space_is_taken_where_it_is_told(void)
{
    start();
    CHECK(!configuration_space(0xe0000000, 0, 255, RESERVED) && TOLD("ecam e0000000 2 0-255"));
    CHECK(!configuration_space(0xe0000000, 16, 31, RESERVED) && TOLD("ecam e1000000 2 16-31"));
    CHECK(!configuration_space(0xe0000000, 0, 255, 0) && TOLD(""));
    CHECK(configuration_space(0xe0000000, 0, 255, 2) == -EINVAL && TOLD(""));
    CHECK(configuration_space(0xe0000000, 9, 8, RESERVED) == -EINVAL && TOLD(""));
    CHECK(configuration_space(0xe0001000, 0, 255, RESERVED) == -EINVAL && TOLD(""));
    CHECK(configuration_space(0x1000000, 0, 0, RESERVED) == -EINVAL && TOLD("")); /* memory */
    CHECK(configuration_space(~0UL << 20, 255, 255, RESERVED) == -EINVAL && TOLD(""));
    answer = -ENOSPC;
    CHECK(configuration_space(0xe0000000, 0, 255, RESERVED) == -ENOSPC);
}

/* Its last byte too. */
static void all_of_configuration_space_is_no_memory(void)
{
    start();
    CHECK(!configuration_space(0xf0000000, 0, 255, RESERVED));
    CHECK(configuration_space(0xf0100000, 0, 255, RESERVED) == -EINVAL && TOLD("")); /* its end is memory */
    CHECK(configuration_space(0, 0, 255, RESERVED) == -EINVAL && TOLD(""));          /* its middle */
}

static void configuration_space_is_where_the_processor_has_addresses(void)
{
    start();
    CHECK(!configuration_space((1UL << 40) - 256 * MiB, 0, 255, RESERVED));
    CHECK(configuration_space(1UL << 40, 0, 255, RESERVED) == -EINVAL && TOLD(""));
    CHECK(configuration_space((1UL << 40) - 255 * MiB, 0, 255, RESERVED) == -EINVAL && TOLD(""));
    CHECK(configuration_space(~0UL << 20, 0, 0, RESERVED) == -EINVAL && TOLD(""));
}

/* ---- Rights to ports, of every PV vcpu ---- */

static void ports_of_a_program(void)
{
    static uint8_t bitmap[8192];
    struct physdev_set_iobitmap op = {.nr_ports = 65536};
    struct physdev_set_iopl iopl = {.iopl = 3};
    start();
    fake_current[0] = &of_guest;
    set_xen_guest_handle(op.bitmap, bitmap);
    CHECK(!ask(PHYSDEVOP_set_iobitmap, &op) && of_guest.pv.iobitmap == bitmap && of_guest.pv.iobitmap_ports == 65536);
    op.nr_ports = 65537;
    CHECK(ask(PHYSDEVOP_set_iobitmap, &op) == -EINVAL && of_guest.pv.iobitmap_ports == 65536);
    op.nr_ports = 1;
    set_xen_guest_handle(op.bitmap, (uint8_t *)HYPERVISOR_VIRT_START);
    CHECK(ask(PHYSDEVOP_set_iobitmap, &op) == -EINVAL && of_guest.pv.iobitmap == bitmap);
    CHECK(!ask(PHYSDEVOP_set_iopl, &iopl) && of_guest.pv.iopl == 3);
    iopl.iopl = 4;
    CHECK(ask(PHYSDEVOP_set_iopl, &iopl) == -EINVAL && of_guest.pv.iopl == 3);
}

static void what_is_not_there_is_no_argument(void)
{
    static const unsigned none[] = {0, 4, PHYSDEVOP_free_irq_vector, 18, 33, ~0U};
    unsigned served = 0;
    start();
    for (unsigned command = 0; command < 64; command++) {
        long result = ask(command, NULL);
        CHECK((result == -EFAULT || result == -ENOSYS) && TOLD(""));
        served += result == -EFAULT;
    }
    CHECK(served == 23);
    for (unsigned i = 0; i < ARRAY_SIZE(none); i++)
        CHECK(ask(none[i], NULL) == -ENOSYS);
}

int main(void)
{
    bootinfo.memory[0] = (struct memory_range){0x100000, 0xe0000000, MEMORY_RAM};
    bootinfo.memory[1] = (struct memory_range){0xe0000000, 0x100000000, MEMORY_RESERVED};
    bootinfo.memory[2] = (struct memory_range){0x100000000, 0x140000000, MEMORY_RAM};
    bootinfo.memory_count = 3;
    ends_of_interrupts();
    lines_are_mapped_and_unmapped();
    only_for_itself();
    messages_are_of_a_device();
    free_numbers();
    pins();
    devices_come_and_go();
    a_debug_port_needs_no_care();
    configuration_space_is_taken_where_it_is_told();
    all_of_configuration_space_is_no_memory();
    configuration_space_is_where_the_processor_has_addresses();
    ports_of_a_program();
    what_is_not_there_is_no_argument();
    return 0;
}
