/* The check of a machine, on trees of /proc and /sys as other machines have them. */
#include "check.h"
#include "json.h"

#include <glib/gstdio.h>
#include <string.h>

static char *root;

static void put(const char *name, const char *text, gssize length)
{
    g_autofree char *path = g_build_filename(root, name, NULL), *folder = g_path_get_dirname(path);
    g_assert_no_errno(g_mkdir_with_parents(folder, 0700));
    g_assert_true(g_file_set_contents(path, text, length, NULL));
}

static void begin(void)
{
    root = g_dir_make_tmp("roundhouse-check-XXXXXX", NULL);
}

static void end(void)
{
    char *words[] = {"rm", "-rf", root, NULL};
    g_assert_true(g_spawn_sync(NULL, words, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL, NULL, NULL));
    g_clear_pointer(&root, g_free);
}

/* Each finding as "name=verdict: says". */
static void expect(const char *const *wanted)
{
    g_autoptr(GPtrArray) findings = check_machine(root);
    for (guint i = 0; i < findings->len; i++) {
        const struct check_finding *finding = g_ptr_array_index(findings, i);
        g_autofree char *is = g_strdup_printf("%s=%d: %s", finding->name, finding->verdict, finding->says);
        g_assert_cmpstr(is, ==, wanted[i]);
    }
    g_assert_null(wanted[findings->len]);
}

static void pci(const char *slot, const char *class)
{
    g_autofree char *base = g_strconcat("sys/bus/pci/devices/0000:", slot, "/", NULL);
    g_autofree char *class_at = g_strconcat(base, "class", NULL), *vendor = g_strconcat(base, "vendor", NULL);
    g_autofree char *device = g_strconcat(base, "device", NULL);
    put(class_at, class, -1);
    put(vendor, "0x8086\n", -1);
    put(device, "0x1234\n", -1);
}

static void a_laptop(void)
{
    static const char *const wanted[] = {
        "processor=0: Core i5",
        "virtualisation=0: Intel VT-x",
        "nested paging=0: it is there",
        "IOMMU=2: the firmware describes one (VT-d); Roundhouse has not been tried with any",
        "memory=0: 15.3 GiB",
        "firmware=0: UEFI",
        "Secure Boot=1: it is on, and Roundhouse has no signature: switch it off in the firmware's settings",
        "disk=3: /dev/nvme0n1, 1.0 GiB, Fast",
        "graphics=0: 8086:1234: its driver shows a screen",
        "Wi-Fi=1: 8086:1234: no driver has taken it; its firmware may be missing",
        "wired network=3: there is none on PCI, and no driver shows another",
        "sound=0: 8086:1234: its driver is there; no sound was tried",
        "sleep=2: the kernel offers: freeze mem disk, by s2idle [deep]; Roundhouse has not been tried with any",
        NULL,
    };
    begin();
    put("proc/cpuinfo", "processor\t: 0\nmodel name\t: Core i5\nflags\t\t: fpu lm vmx\nvmx flags\t: vnmi ept vpid\n\n",
        -1);
    put("proc/meminfo", "MemTotal:       16000000 kB\nMemFree: 1 kB\n", -1);
    put("sys/firmware/acpi/tables/DMAR", "x", -1);
    put("sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c", "\6\0\0\0\1", 5);
    put("sys/block/nvme0n1/size", "2097152\n", -1);
    put("sys/block/nvme0n1/device/model", "Fast   \n", -1);
    put("sys/block/loop0/size", "1\n", -1);
    pci("00:02.0", "0x030000\n");
    pci("00:03.0", "0x028000\n");
    pci("00:1f.3", "0x040300\n");
    put("sys/class/drm/card0/x", "", 0);
    put("sys/class/sound/card0/x", "", 0);
    put("sys/power/state", "freeze mem disk\n", -1);
    put("sys/power/mem_sleep", "s2idle [deep]\n", -1);
    expect(wanted);
    end();
}

static void an_old_one(void)
{
    static const char *const wanted[] = {
        "processor=1: of an unknown model; it has no 64-bit mode, and Roundhouse does not start on it",
        "virtualisation=1: there is none, or the firmware's settings have it switched off; PV guests run, Windows does "
        "not",
        "nested paging=1: there is no virtualisation it would belong to",
        "IOMMU=1: the firmware describes none; devices cannot be given to guests. Its settings may have it switched "
        "off",
        "memory=1: 976 MiB; with less than 2 GiB there is no room for a guest",
        "firmware=0: BIOS, or UEFI that starts as BIOS does",
        "disk=1: there is none that the installer knows",
        "graphics=3: there is none on PCI, and no driver shows another",
        "Wi-Fi=3: there is none on PCI, and no driver shows another",
        "wired network=3: there is none on PCI, and no driver shows another",
        "sound=3: there is none on PCI, and no driver shows another",
        "sleep=2: the kernel says nothing of it",
        NULL,
    };
    begin();
    put("proc/cpuinfo", "processor\t: 0\nflags\t\t: fpu svmx\n", -1);
    put("proc/meminfo", "MemTotal:       1000000 kB\n", -1);
    put("sys/firmware/acpi/tables/FACP", "x", -1);
    expect(wanted);
    end();
}

/* What the findings of that name say; in Domain-0, where CPUID hides what the processor has. */
static char *hosted(const char *capabilities, const char *name)
{
    char *said = NULL;
    begin();
    put("proc/cpuinfo", "processor\t: 0\nflags\t\t: fpu lm hypervisor\n", -1);
    put("proc/meminfo", "MemTotal:       1000000 kB\n", -1);
    put("sys/hypervisor/type", "xen\n", -1);
    if (capabilities)
        put("sys/hypervisor/properties/capabilities", capabilities, -1);
    g_autoptr(GPtrArray) findings = check_machine(root);
    for (guint i = 0; i < findings->len; i++) {
        const struct check_finding *finding = g_ptr_array_index(findings, i);
        if (strcmp(finding->name, name) == 0)
            said = g_strdup_printf("%d: %s", finding->verdict, finding->says);
    }
    end();
    return said;
}

static void below_a_hypervisor(void)
{
    static const struct {
        const char *capabilities, *name, *says;
    } rows[] = {
        {"xen-3.0-x86_64 hvm-3.0-x86_64\n", "virtualisation", "0: the running hypervisor offers PVH and HVM guests"},
        {"xen-3.0-x86_64\n", "virtualisation", "1: the running hypervisor offers PV guests alone"},
        {NULL, "virtualisation", "2: a hypervisor hides it, and says nothing of it itself"},
        {"xen-3.0-x86_64 hvm-3.0-x86_64\n", "nested paging",
         "2: the hypervisor hides it; Roundhouse itself offers PVH and HVM guests only with it"},
        {NULL, "memory", "2: 976 MiB are the service VM's own; the hypervisor has the rest"},
        {NULL, "firmware", "2: the hypervisor hides whether it is UEFI or BIOS; the installed system starts by both"},
        {NULL, "IOMMU", "2: the firmware's tables are not to be seen"},
    };
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *says = hosted(rows[i].capabilities, rows[i].name);
        g_assert_cmpstr(says, ==, rows[i].says);
    }
}

static void prints(void)
{
    struct check_finding one = {"disk", CHECK_NOTE, "a \"b\" \\ \n"}, two = {"memory", CHECK_WORKS, "enough"};
    g_autoptr(GPtrArray) findings = g_ptr_array_new();
    g_autoptr(GString) json = g_string_new(NULL), text = g_string_new(NULL);
    g_ptr_array_add(findings, &one);
    g_ptr_array_add(findings, &two);
    check_print_json(findings, json);
    g_assert_cmpstr(json->str, ==,
                    "{\"record\": \"finding\", \"name\": \"disk\", \"verdict\": \"note\", \"says\": \"a \\\"b\\\" \\\\ "
                    "\\u000a\"}\n{\"record\": \"finding\", \"name\": \"memory\", \"verdict\": \"works\", \"says\": "
                    "\"enough\"}\n");
    g_ptr_array_remove_index(findings, 0);
    check_print(findings, text);
    g_assert_cmpstr(text->str, ==, "memory          works      enough\n");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/check/laptop", a_laptop);
    g_test_add_func("/check/old", an_old_one);
    g_test_add_func("/check/hosted", below_a_hypervisor);
    g_test_add_func("/check/prints", prints);
    return g_test_run();
}
