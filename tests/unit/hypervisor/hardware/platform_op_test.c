/*
 * platform_op: who may, one at a time, and what each command answers and changes. The real abi/platform_op.c.
 */
#include "../../check.h"
#include "../fake/default.h"
#include <hv/acpi.h>
#include <hv/bootinfo.h>
#include <hv/console.h>
#include <hv/cpu.h>
#include <hv/domain.h>
#include <hv/guest_copy.h>
#include <hv/hypercall.h>
#include <hv/page.h>
#include <hv/pagetable.h>
#include <hv/policy.h>
#include <hv/time.h>
#include <setjmp.h>
#include <string.h>
#include <xen/platform.h>

#define EFI_TABLE   0x70000000UL
#define EFI_RUNTIME 0x70001000UL
#define EFI_VENDOR  0x70002000UL

unsigned cpu_count = 3;
static struct domain domains[] = {{.id = 0, .is_privileged = true}, {.id = 3}, {.id = 0x7fef}};
static struct vcpu v = {.domain = &domains[0]}, of_guest = {.domain = &domains[1]};
static bool low_memory, read_only;
static const void *fault_at;
static int held;
static unsigned updated[3], mappings;
static uint64_t seconds_set;
static uint32_t nanoseconds_set;
static ns_t set_at;
static jmp_buf off;

/* ---- The machine ---- */

int copy_to_guest_va(unsigned long to, const void *from, size_t bytes)
{
    if (read_only || (const void *)to == fault_at || to < PAGE_SIZE)
        return -EFAULT;
    memcpy((void *)to, from, bytes);
    return 0;
}
struct domain *domain_get_next(domid_t from)
{
    for (unsigned i = 0; i < ARRAY_SIZE(domains); i++)
        if (domains[i].id >= from) {
            held++;
            return &domains[i];
        }
    return NULL;
}
void domain_put(struct domain *d)
{
    held--;
}
void domain_update_wallclock(struct domain *d)
{
    updated[d - domains]++;
}
void wallclock_set(uint64_t seconds, uint32_t nanoseconds, ns_t at)
{
    seconds_set = seconds;
    nanoseconds_set = nanoseconds;
    set_at = at;
}
bool mfn_is_ram(mfn_t mfn)
{
    return low_memory;
}
void machine_power_off(void)
{
    longjmp(off, 1);
}

/* A Zen 3: family 19, model 21, stepping 2. */
static struct cpuid fake_cpuid(uint32_t leaf)
{
    static const struct cpuid vendor = {0x10, 0x68747541, 0x444d4163, 0x69746e65}, version = {.eax = 0x00a20f12};
    return leaf ? version : vendor;
}
static uint32_t signature_of_intel;
#define cpuid(leaf, subleaf)                                                                                           \
    (signature_of_intel && (leaf) ? (struct cpuid){signature_of_intel, 0, 0, 0} : fake_cpuid(leaf))
#include "../../../../hypervisor/abi/platform_op.c"

static struct efi_system_table table = {.header = {EFI_SYSTEM_TABLE_SIGNATURE, 0x20046, 120, 0, 0},
                                        .vendor = EFI_VENDOR,
                                        .firmware_revision = 0x10000,
                                        .runtime_services = EFI_RUNTIME,
                                        .configuration_entries = 9,
                                        .configuration = 0x70003000};
static const struct efi_header runtime = {.revision = 0x2004a};
static uint16_t vendor[EFI_VENDOR_CHARACTERS] = {'E', 'D', 'K', 0, 'x'};
void *ioremap(paddr_t pa, size_t bytes, uint64_t cache_flags)
{
    CHECK(!cache_flags);
    mappings++;
    return pa == EFI_TABLE ? (void *)&table : pa == EFI_RUNTIME ? (void *)&runtime : pa == EFI_VENDOR ? vendor : NULL;
}

static long ask(struct xen_platform_op *op, unsigned command)
{
    struct hypercall call = {.arg = {(unsigned long)op}};
    op->cmd = command;
    op->interface_version = XENPF_INTERFACE_VERSION;
    long result = do_platform_op(&call);
    CHECK(!held);
    return result;
}

static void start(void)
{
    fake_current[0] = &v;
    read_only = low_memory = false;
    fault_at = NULL;
    memset(updated, 0, sizeof(updated));
    for (unsigned i = 0; i < cpu_count; i++)
        cpus[i] = (struct cpu){.id = i, .apic_id = 10 + i, .acpi_id = 20 + i, .online = i < 2};
}

static void who_may_and_how(void)
{
    struct xen_platform_op op = {.cmd = XENPF_get_cpuinfo, .interface_version = XENPF_INTERFACE_VERSION + 1};
    struct hypercall call = {.arg = {(unsigned long)&op}};
    start();
    CHECK(do_platform_op(&call) == -EACCES);
    CHECK(do_platform_op(&(struct hypercall){.arg = {16}}) == -EFAULT);
    CHECK(ask(&op, 999) == -ENOSYS);
    read_only = true;
    CHECK(ask(&op, XENPF_get_cpuinfo) == -EFAULT);
    fake_current[0] = &of_guest;
    CHECK(ask(&op, XENPF_get_cpuinfo) == -EPERM);
}

static void one_at_a_time(void)
{
    struct xen_platform_op op = {.u.settime64 = {.secs = 11}};
    start();
    seconds_set = 0;
    spin_lock(&platform_lock);
    CHECK(ask(&op, XENPF_settime64) == -ERESTART && !seconds_set);
    spin_unlock(&platform_lock);
    CHECK(!ask(&op, XENPF_settime64) && seconds_set == 11 && !platform_lock.held);
}

static void every_domain_learns_the_date(void)
{
    struct xen_platform_op op = {.u.settime64 = {.secs = 1UL << 33, .nsecs = 999999999, .system_time = 77}};
    start();
    CHECK(!ask(&op, XENPF_settime64) && seconds_set == 1UL << 33 && nanoseconds_set == 999999999 && set_at == 77);
    CHECK(updated[0] == 1 && updated[1] == 1 && updated[2] == 1);
    op.u.settime64.nsecs++;
    op.u.settime64.secs = 5;
    CHECK(ask(&op, XENPF_settime64) == -EINVAL && seconds_set != 5 && updated[1] == 1);
    op.u.settime64.nsecs = 0;
    op.u.settime64.mbz = 1;
    CHECK(ask(&op, XENPF_settime64) == -EINVAL && seconds_set != 5);
    op.u.settime32.secs = 6;
    op.u.settime32.nsecs = 7;
    op.u.settime32.system_time = 8;
    CHECK(!ask(&op, XENPF_settime32) && seconds_set == 6 && nanoseconds_set == 7 && set_at == 8 && updated[1] == 2);
}

/* ---- Processors ---- */

static void processors_are_told(void)
{
    struct xen_platform_op op = {.u.pcpu_info.xen_cpuid = 1};
    const struct xenpf_pcpuinfo *info = &op.u.pcpu_info;
    start();
    CHECK(!ask(&op, XENPF_get_cpuinfo) && info->max_present == 2 && info->flags == XEN_PCPU_FLAGS_ONLINE);
    CHECK(info->apic_id == 11 && info->acpi_id == 21);
    op.u.pcpu_info.xen_cpuid = 2;
    CHECK(!ask(&op, XENPF_get_cpuinfo) && info->flags == 0 && info->apic_id == 12);
    op.u.pcpu_info.xen_cpuid = 3;
    CHECK(!ask(&op, XENPF_get_cpuinfo) && info->flags == XEN_PCPU_FLAGS_INVALID && info->apic_id == 12);
    op.u.pcpu_info.xen_cpuid = ~0U;
    CHECK(!ask(&op, XENPF_get_cpuinfo) && info->flags == XEN_PCPU_FLAGS_INVALID);
}

static void versions_are_told(void)
{
    struct xen_platform_op op = {.u.pcpu_version.xen_cpuid = 2};
    const struct xenpf_pcpu_version *version = &op.u.pcpu_version;
    start();
    CHECK(!ask(&op, XENPF_get_cpu_version) && !memcmp(version->vendor_id, "AuthenticAMD", 12));
    CHECK(version->family == 0x19 && version->model == 0x21 && version->stepping == 2 && version->max_present == 2);
    signature_of_intel = 0x000906ea;
    CHECK(!ask(&op, XENPF_get_cpu_version) && version->family == 6 && version->model == 0x9e &&
          version->stepping == 10);
    signature_of_intel = 0;
    op.u.pcpu_version.xen_cpuid = 3;
    CHECK(!ask(&op, XENPF_get_cpu_version) && !version->family && !version->vendor_id[0]);
}

static void processors_stay_as_they_are(void)
{
    static const long online[] = {0, 0, -EOPNOTSUPP, -EINVAL}, offline[] = {-EINVAL, -EOPNOTSUPP, 0, -EINVAL};
    start();
    for (unsigned i = 0; i < 4; i++) {
        struct xen_platform_op op = {.u.cpu_ol.cpuid = i};
        CHECK(ask(&op, XENPF_cpu_online) == online[i] && ask(&op, XENPF_cpu_offline) == offline[i]);
        CHECK(i > 2 || cpus[i].online == (i < 2));
    }
}

static void idle_time_up_to_now(void)
{
    fake_now = 5000;
    uint8_t map[126];
    uint64_t idle[64] = {0};
    struct xen_platform_op op = {.u.getidletime.cpumap_nr_cpus = 10};
    start();
    cpus[0].idle_time = 100;
    cpus[0].idle_since = 4000;
    cpus[1].idle_time = 200;
    cpus[2].idle_time = 300;
    cpus[2].idle_since = 6000; /* by another processor's clock */
    memset(map, 0xff, sizeof(map));
    map[0] = 0xfd;
    memset(idle, 0xff, sizeof(idle));
    set_xen_guest_handle(op.u.getidletime.cpumap_bitmap, map);
    set_xen_guest_handle(op.u.getidletime.idletime, idle);
    CHECK(!ask(&op, XENPF_getidletime) && op.u.getidletime.now == fake_now);
    CHECK(idle[0] == 1100 && idle[1] == ~0UL && idle[2] == 300 && idle[3] == 0 && idle[9] == 0 && idle[10] == ~0UL);
    CHECK(map[0] == 5 && map[1] == 0xfc && map[2] == 0xff);
    fault_at = &idle[2];
    map[0] = 4;
    CHECK(ask(&op, XENPF_getidletime) == -EFAULT);
    fault_at = map;
    CHECK(ask(&op, XENPF_getidletime) == -EFAULT);
    fault_at = NULL;
    memset(map, 0xff, sizeof(map));
    op.u.getidletime.cpumap_nr_cpus = ~0U; /* more than there ever are: a map of as many */
    CHECK(!ask(&op, XENPF_getidletime) && map[0] == 7 && !map[7] && map[8] == 0xff);
    set_xen_guest_handle(op.u.getidletime.cpumap_bitmap, (uint8_t *)16);
    CHECK(ask(&op, XENPF_getidletime) == -EFAULT);
}

/* ---- Firmware ---- */

static long firmware(struct xen_platform_op *op, unsigned type, unsigned index)
{
    op->u.firmware_info.type = type;
    op->u.firmware_info.index = index;
    return ask(op, XENPF_firmware_info);
}

static void what_the_bios_knows(void)
{
    struct xen_platform_op op = {0};
    start();
    fake_ram[0][0x417] = 0x20;
    CHECK(!firmware(&op, XEN_FW_KBD_SHIFT_FLAGS, 0) && op.u.firmware_info.u.kbd_shift_flags == 0);
    low_memory = true;
    CHECK(!firmware(&op, XEN_FW_KBD_SHIFT_FLAGS, 0) && op.u.firmware_info.u.kbd_shift_flags == 0x20);
    CHECK(firmware(&op, XEN_FW_KBD_SHIFT_FLAGS, 1) == -ESRCH && firmware(&op, XEN_FW_DISK_INFO, 0) == -ESRCH);
    CHECK(firmware(&op, XEN_FW_DISK_MBR_SIGNATURE, 0) == -ESRCH && firmware(&op, XEN_FW_VBEDDC_INFO, 0) == -ESRCH);
    CHECK(firmware(&op, 99, 0) == -EINVAL);
    CHECK(firmware(&op, XEN_FW_EFI_INFO, XEN_FW_EFI_VERSION) == -ENOSYS && !mappings); /* the machine has none */
}

static void what_efi_knows(void)
{
    struct xen_platform_op op = {0};
    const union xenpf_efi_info *efi = &op.u.firmware_info.u.efi_info;
    start();
    low_memory = true;
    bootinfo.efi = true;
    CHECK(firmware(&op, XEN_FW_EFI_INFO, XEN_FW_EFI_VERSION) == -ENOSYS && !mappings);
    bootinfo.efi_system_table = EFI_TABLE;
    CHECK(!firmware(&op, XEN_FW_KBD_SHIFT_FLAGS, 0) && op.u.firmware_info.u.kbd_shift_flags == 0);
    CHECK(!firmware(&op, XEN_FW_EFI_INFO, XEN_FW_EFI_VERSION) && efi->version == 0x20046);
    CHECK(!firmware(&op, XEN_FW_EFI_INFO, XEN_FW_EFI_RT_VERSION) && efi->version == 0x2004a);
    CHECK(!firmware(&op, XEN_FW_EFI_INFO, XEN_FW_EFI_CONFIG_TABLE));
    CHECK(efi->cfg.addr == 0x70003000 && efi->cfg.nent == 9);
    CHECK(firmware(&op, XEN_FW_EFI_INFO, XEN_FW_EFI_MEM_INFO) == -ENOENT);
    table.header.signature++;
    CHECK(firmware(&op, XEN_FW_EFI_INFO, XEN_FW_EFI_VERSION) == -ENOSYS);
    table.header.signature--;
}

static long vendor_name(uint16_t *to, uint32_t bytes)
{
    struct xen_platform_op op = {0};
    op.u.firmware_info.u.efi_info.vendor.bufsz = bytes;
    set_xen_guest_handle(op.u.firmware_info.u.efi_info.vendor.name, (void *)to);
    long result = firmware(&op, XEN_FW_EFI_INFO, XEN_FW_EFI_VENDOR);
    CHECK(result || op.u.firmware_info.u.efi_info.vendor.revision == 0x10000);
    return result;
}

/* As much of it as there is room for, always ended by 0. */
static void the_name_of_the_vendor_fits(void)
{
    uint16_t name[EFI_VENDOR_CHARACTERS + 8];
    start();
    memset(name, 0x77, sizeof(name));
    CHECK(!vendor_name(name, sizeof(name)) && !memcmp(name, vendor, 8) && name[4] == 0x7777);
    CHECK(!vendor_name(name, 5) && name[0] == 'E' && !name[1] && name[2] == 'K');
    name[0] = 0x7777;
    CHECK(!vendor_name(name, 1) && name[0] == 0x7777 && !vendor_name(NULL, 100));
    for (unsigned i = 0; i < EFI_VENDOR_CHARACTERS; i++)
        vendor[i] = 'a';
    CHECK(!vendor_name(name, ~0U) && name[126] == 'a' && !name[127] && name[128] == 0x7777);
    fault_at = &name[3];
    CHECK(vendor_name(name, sizeof(name)) == -EFAULT);
    CHECK(mappings == 3); /* once each */
}

/* ---- Others ---- */

static void the_machine_is_switched_off(void)
{
    static struct xen_platform_op op = {.u.enter_acpi_sleep.sleep_state = 3};
    start();
    CHECK(ask(&op, XENPF_enter_acpi_sleep) == -EOPNOTSUPP);
    op.u.enter_acpi_sleep.sleep_state = 5;
    if (!setjmp(off)) {
        ask(&op, XENPF_enter_acpi_sleep);
        CHECK(!"the machine is still on");
    }
    spin_unlock(&platform_lock);
}

static void what_is_ours_is_refused(void)
{
    static const struct {
        unsigned command;
        long answer;
    } cases[] = {{XENPF_efi_runtime_call, -ENOSYS},     {XENPF_set_processor_pminfo, -EOPNOTSUPP},
                 {XENPF_microcode_update, -EOPNOTSUPP}, {XENPF_platform_quirk, -EOPNOTSUPP},
                 {XENPF_change_freq, -EOPNOTSUPP},      {XENPF_add_memtype, -EOPNOTSUPP},
                 {XENPF_del_memtype, -EOPNOTSUPP},      {XENPF_read_memtype, -EOPNOTSUPP},
                 {XENPF_cpu_hotadd, -EOPNOTSUPP},       {XENPF_mem_hotadd, -EOPNOTSUPP},
                 {XENPF_core_parking, -EOPNOTSUPP},     {XENPF_resource_op, -EOPNOTSUPP}};
    struct xen_platform_op op = {.u.symdata = {.namelen = 40, .address = 5, .type = 'T'}};
    start();
    CHECK(!ask(&op, XENPF_get_symbol) && !op.u.symdata.namelen && !op.u.symdata.address && !op.u.symdata.type);
    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++)
        CHECK(ask(&op, cases[i].command) == cases[i].answer);
}

int main(void)
{
    who_may_and_how();
    one_at_a_time();
    every_domain_learns_the_date();
    processors_are_told();
    versions_are_told();
    processors_stay_as_they_are();
    idle_time_up_to_now();
    what_the_bios_knows();
    what_efi_knows();
    the_name_of_the_vendor_fits();
    the_machine_is_switched_off();
    what_is_ours_is_refused();
    return 0;
}
