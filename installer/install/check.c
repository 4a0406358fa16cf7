#include "check.h"
#include "disk.h"
#include "json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct machine {
    const char *root;
    char *processors; /* proc/cpuinfo's first one; never NULL */
    gboolean hosted;  /* a hypervisor of Xen's kind is below */
    char *abilities;  /* the hypervisor's own: sys/hypervisor/properties/capabilities; never NULL */
};

/* ---- reading ---- */

/* A file's text without the white space at its ends; "" if there is none. Never NULL. */
static char *text_of(const struct machine *m, const char *path)
{
    g_autofree char *whole = g_build_filename(m->root, path, NULL);
    char *text = NULL;
    if (!g_file_get_contents(whole, &text, NULL, NULL))
        return g_strdup("");
    return g_strstrip(text);
}

static gboolean there(const struct machine *m, const char *path)
{
    g_autofree char *whole = g_build_filename(m->root, path, NULL);
    return g_file_test(whole, G_FILE_TEST_EXISTS);
}

/* A line "name   : value" of the first processor; "" if there is none. */
static char *processor_value(const struct machine *m, const char *name)
{
    g_auto(GStrv) lines = g_strsplit(m->processors, "\n", -1);
    for (char **line = lines; *line && **line; line++) {
        char *colon = strchr(*line, ':');
        if (colon && strncmp(*line, name, strlen(name)) == 0 && strchr("\t :", (*line)[strlen(name)]))
            return g_strdup(g_strstrip(colon + 1));
    }
    return g_strdup("");
}

static gboolean has_word(const char *words, const char *word)
{
    g_auto(GStrv) all = g_strsplit(words, " ", -1);
    return g_strv_contains((const char *const *)all, word);
}

/* The PCI devices of a class, "0300" or "03", as "8086:1234" and so on; NULL if there is none. */
static char *pci_of_class(const struct machine *m, const char *class, guint *count)
{
    g_autofree char *path = g_build_filename(m->root, "sys/bus/pci/devices", NULL),
                    *wanted = g_strconcat("0x", class, NULL);
    g_autoptr(GDir) folder = g_dir_open(path, 0, NULL);
    g_autoptr(GPtrArray) found = g_ptr_array_new_with_free_func(g_free);
    for (const char *name; folder && (name = g_dir_read_name(folder));) {
        g_autofree char *base = g_build_filename("sys/bus/pci/devices", name, NULL);
        g_autofree char *at = g_build_filename(base, "class", NULL), *is = text_of(m, at);
        if (!g_str_has_prefix(is, wanted))
            continue;
        g_autofree char *vendor_at = g_build_filename(base, "vendor", NULL), *vendor = text_of(m, vendor_at);
        g_autofree char *device_at = g_build_filename(base, "device", NULL), *device = text_of(m, device_at);
        g_ptr_array_add(found, g_strdup_printf("%s:%s", strlen(vendor) > 2 ? vendor + 2 : "?",
                                               strlen(device) > 2 ? device + 2 : "?"));
    }
    *count = found->len;
    g_ptr_array_add(found, NULL);
    return *count ? g_strjoinv(", ", (char **)found->pdata) : NULL;
}

/* The first folder of sys/class/CLASS whose name begins so. */
static gboolean in_class(const struct machine *m, const char *class, const char *begin)
{
    g_autofree char *path = g_build_filename(m->root, "sys/class", class, NULL);
    g_autoptr(GDir) folder = g_dir_open(path, 0, NULL);
    for (const char *name; folder && (name = g_dir_read_name(folder));)
        if (g_str_has_prefix(name, begin))
            return TRUE;
    return FALSE;
}

/* ---- findings ---- */

static void find(GPtrArray *findings, const char *name, enum check_verdict verdict, const char *format, ...)
    G_GNUC_PRINTF(4, 5);

static void find(GPtrArray *findings, const char *name, enum check_verdict verdict, const char *format, ...)
{
    struct check_finding *finding = g_new0(struct check_finding, 1);
    va_list arguments;
    va_start(arguments, format);
    finding->says = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    finding->name = name;
    finding->verdict = verdict;
    g_ptr_array_add(findings, finding);
}

static void check_processor(const struct machine *m, GPtrArray *findings)
{
    g_autofree char *model = processor_value(m, "model name"), *flags = processor_value(m, "flags");
    gboolean wide = has_word(flags, "lm");
    find(findings, "processor", wide ? CHECK_WORKS : CHECK_FAILS, "%s%s", *model ? model : "of an unknown model",
         wide ? "" : "; it has no 64-bit mode, and Roundhouse does not start on it");
}

/* Below a hypervisor the processor's own flags are hidden; what it says of its guests is the answer. */
static void check_hosted(const struct machine *m, GPtrArray *findings)
{
    gboolean hvm = strstr(m->abilities, "hvm-") != NULL;
    if (!*m->abilities) {
        find(findings, "virtualisation", CHECK_UNKNOWN, "a hypervisor hides it, and says nothing of it itself");
        find(findings, "nested paging", CHECK_UNKNOWN, "a hypervisor hides it, and says nothing of it itself");
        return;
    }
    find(findings, "virtualisation", hvm ? CHECK_WORKS : CHECK_FAILS,
         hvm ? "the running hypervisor offers PVH and HVM guests" : "the running hypervisor offers PV guests alone");
    find(findings, "nested paging", hvm ? CHECK_UNKNOWN : CHECK_FAILS,
         hvm ? "the hypervisor hides it; Roundhouse itself offers PVH and HVM guests only with it"
             : "the running hypervisor offers PV guests alone");
}

static void check_virtualisation(const struct machine *m, GPtrArray *findings)
{
    g_autofree char *flags = processor_value(m, "flags"), *vmx_flags = processor_value(m, "vmx flags");
    gboolean svm = has_word(flags, "svm"), vmx = has_word(flags, "vmx");
    if (m->hosted) {
        check_hosted(m, findings);
        return;
    }
    find(findings, "virtualisation", svm || vmx ? CHECK_WORKS : CHECK_FAILS, "%s",
         svm   ? "AMD-V (SVM)"
         : vmx ? "Intel VT-x"
               : "there is none, or the firmware's settings have it switched off; PV guests run, Windows does not");
    gboolean nested = has_word(flags, "npt") || has_word(flags, "ept") || has_word(vmx_flags, "ept");
    if (svm || vmx)
        find(findings, "nested paging", nested ? CHECK_WORKS : CHECK_FAILS, "%s",
             nested ? "it is there" : "it is missing; PV guests run, PVH and HVM guests do not");
    else
        find(findings, "nested paging", CHECK_FAILS, "there is no virtualisation it would belong to");
}

static void check_iommu(const struct machine *m, GPtrArray *findings)
{
    gboolean intel = there(m, "sys/firmware/acpi/tables/DMAR"), amd = there(m, "sys/firmware/acpi/tables/IVRS");
    if (intel || amd)
        find(findings, "IOMMU", CHECK_UNKNOWN,
             "the firmware describes one (%s); Roundhouse has not been tried with any", intel ? "VT-d" : "AMD-Vi");
    else if (there(m, "sys/firmware/acpi/tables"))
        find(findings, "IOMMU", CHECK_FAILS,
             "the firmware describes none; devices cannot be given to guests. Its settings may have it switched off");
    else
        find(findings, "IOMMU", CHECK_UNKNOWN, "the firmware's tables are not to be seen");
}

static void check_memory(const struct machine *m, GPtrArray *findings)
{
    g_autofree char *text = text_of(m, "proc/meminfo");
    unsigned long long kib = 0;
    const char *line = strstr(text, "MemTotal:");
    if (!line || sscanf(line, "MemTotal: %llu", &kib) != 1) {
        find(findings, "memory", CHECK_UNKNOWN, "its size is not to be seen");
        return;
    }
    g_autofree char *size = size_text((gint64)kib * 1024);
    if (m->hosted)
        find(findings, "memory", CHECK_UNKNOWN, "%s are the service VM's own; the hypervisor has the rest", size);
    else
        /* 1 GiB is the service VM's, and a desktop wants as much; what the kernel keeps is left out of the sum. */
        find(findings, "memory", kib >= 1700 * 1024ULL ? CHECK_WORKS : CHECK_FAILS, "%s%s", size,
             kib >= 1700 * 1024ULL ? "" : "; with less than 2 GiB there is no room for a guest");
}

static void check_firmware(const struct machine *m, GPtrArray *findings)
{
    static const char variable[] = "sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c";
    g_autofree char *path = g_build_filename(m->root, variable, NULL), *bytes = NULL;
    gsize length = 0;
    if (!there(m, "sys/firmware/efi")) {
        find(findings, "firmware", m->hosted ? CHECK_UNKNOWN : CHECK_WORKS, "%s",
             m->hosted ? "the hypervisor hides whether it is UEFI or BIOS; the installed system starts by both"
                       : "BIOS, or UEFI that starts as BIOS does");
        return;
    }
    find(findings, "firmware", CHECK_WORKS, "UEFI");
    if (!g_file_get_contents(path, &bytes, &length, NULL) || length != 5)
        find(findings, "Secure Boot", CHECK_UNKNOWN, "the firmware does not say whether it is on");
    else if (bytes[4] == 1)
        find(findings, "Secure Boot", CHECK_FAILS,
             "it is on, and Roundhouse has no signature: switch it off in the firmware's settings");
    else
        find(findings, "Secure Boot", CHECK_WORKS, "it is off");
}

static void check_disks(const struct machine *m, GPtrArray *findings)
{
    g_autofree char *sys = g_build_filename(m->root, "sys", NULL);
    g_auto(GStrv) disks = disk_list(sys);
    for (char **disk = disks; *disk; disk++) {
        g_autofree char *name = g_path_get_basename(*disk);
        g_autofree char *at = g_strdup_printf("sys/block/%s/size", name), *sectors = text_of(m, at);
        g_autofree char *model_at = g_strdup_printf("sys/block/%s/device/model", name), *model = text_of(m, model_at);
        g_autofree char *size = size_text((gint64)g_ascii_strtoull(sectors, NULL, 10) * 512);
        find(findings, "disk", CHECK_NOTE, "%s, %s%s%s", *disk, size, *model ? ", " : "", model);
    }
    if (!*disks)
        find(findings, "disk", CHECK_FAILS, "there is none that the installer knows");
}

/* A class of devices whose driver shows itself in sys/class. */
static const struct device_class {
    const char *name, *pci;        /* PCI's class */
    const char *class, *begin;     /* of sysfs */
    const char *works, *no_driver; /* in words */
} device_classes[] = {
    {"graphics", "03", "drm", "card", "its driver shows a screen", "no driver has taken it"},
    {"Wi-Fi", "0280", "net", "wl", "its driver is there; no network was tried",
     "no driver has taken it; its firmware may be missing"},
    {"wired network", "0200", "net", "e", "its driver is there; no network was tried", "no driver has taken it"},
    {"sound", "04", "sound", "card", "its driver is there; no sound was tried", "no driver has taken it"},
};

static void check_devices(const struct machine *m, GPtrArray *findings)
{
    for (guint i = 0; i < G_N_ELEMENTS(device_classes); i++) {
        const struct device_class *kind = &device_classes[i];
        guint count = 0;
        g_autofree char *devices = pci_of_class(m, kind->pci, &count);
        gboolean driven = in_class(m, kind->class, kind->begin);
        if (!devices && !driven)
            find(findings, kind->name, CHECK_NOTE, "there is none on PCI, and no driver shows another");
        else
            find(findings, kind->name, driven ? CHECK_WORKS : CHECK_FAILS, "%s%s%s", devices ? devices : "not on PCI",
                 ": ", driven ? kind->works : kind->no_driver);
    }
}

static void check_sleep(const struct machine *m, GPtrArray *findings)
{
    g_autofree char *states = text_of(m, "sys/power/state"), *kinds = text_of(m, "sys/power/mem_sleep");
    if (!*states)
        find(findings, "sleep", CHECK_UNKNOWN, "the kernel says nothing of it");
    else
        find(findings, "sleep", CHECK_UNKNOWN, "the kernel offers: %s%s%s; Roundhouse has not been tried with any",
             states, *kinds ? ", by " : "", kinds);
}

static void finding_free(gpointer data)
{
    struct check_finding *finding = data;
    g_free(finding->says);
    g_free(finding);
}

GPtrArray *check_machine(const char *root)
{
    static void (*const checks[])(const struct machine *, GPtrArray *) = {
        check_processor, check_virtualisation, check_iommu,   check_memory,
        check_firmware,  check_disks,          check_devices, check_sleep,
    };
    GPtrArray *findings = g_ptr_array_new_with_free_func(finding_free);
    struct machine m = {.root = root};
    g_autofree char *type = text_of(&m, "sys/hypervisor/type");
    m.processors = text_of(&m, "proc/cpuinfo");
    m.hosted = strcmp(type, "xen") == 0;
    m.abilities = text_of(&m, "sys/hypervisor/properties/capabilities");
    for (guint i = 0; i < G_N_ELEMENTS(checks); i++)
        checks[i](&m, findings);
    g_free(m.processors);
    g_free(m.abilities);
    return findings;
}

/* ---- in words ---- */

static const struct {
    const char *words, *json;
} verdicts[] = {
    [CHECK_WORKS] = {"works", "works"},
    [CHECK_FAILS] = {"does not", "does-not"},
    [CHECK_UNKNOWN] = {"not known", "unknown"},
    [CHECK_NOTE] = {"", "note"},
};

void check_print(const GPtrArray *findings, GString *text)
{
    for (guint i = 0; i < findings->len; i++) {
        const struct check_finding *finding = g_ptr_array_index(findings, i);
        g_string_append_printf(text, "%-15s %-10s %s\n", finding->name, verdicts[finding->verdict].words,
                               finding->says);
    }
}

void check_print_json(const GPtrArray *findings, GString *json)
{
    for (guint i = 0; i < findings->len; i++) {
        const struct check_finding *finding = g_ptr_array_index(findings, i);
        json_begin(json, "finding");
        json_text(json, "name", finding->name);
        json_text(json, "verdict", verdicts[finding->verdict].json);
        json_text(json, "says", finding->says);
        json_end(json);
    }
}
