/* The wizard's model: each way through the pages, each default, each thing that can be wrong, and each request. */
#include "wizard.h"
#include "wizard_request.h"

#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#define GIB (G_GUINT64_CONSTANT(1) << 30)
#define MIB (G_GUINT64_CONSTANT(1) << 20)

static GVariant *settings_of_type(const char *type, const char *disk)
{
    GVariantDict dict;
    g_variant_dict_init(&dict, NULL);
    g_variant_dict_insert(&dict, "name", "s", "work");
    g_variant_dict_insert(&dict, "disk", "s", disk);
    g_variant_dict_insert(&dict, "type", "s", type);
    g_variant_dict_insert(&dict, "kernel", "s", "/k");
    g_variant_dict_insert(&dict, "memory_mib", "u", 700);
    g_variant_dict_insert(&dict, "vcpus", "u", 3);
    g_variant_dict_insert(&dict, "network", "s", "none");
    g_variant_dict_insert(&dict, "mac", "s", "00:16:3e:00:00:01");
    return g_variant_dict_end(&dict);
}

static GVariant *settings_of(const char *disk)
{
    return settings_of_type("pvh", disk);
}

static struct wizard *machine(void)
{
    struct wizard *wizard = wizard_new();
    struct wizard_facts *facts = wizard_facts(wizard);
    facts->memory_kib = 8 << 20;
    facts->free_memory_kib = 6 << 20;
    facts->pool_bytes = 100 * GIB;
    facts->pool_free_bytes = 50 * GIB;
    facts->slots = 1 << 1 | 1 << 2;
    wizard_add_guest(wizard, "work", TRUE, settings_of("image:work,xvda,rw; image:work-2,xvdb,rw"));
    wizard_add_guest(wizard, "device", TRUE, settings_of("/dev/mapper/device,xvda,rw"));
    wizard_add_guest(wizard, "untold", TRUE, NULL);
    return wizard;
}

static void looked(struct wizard *wizard, enum medium_kind kind, guint64 bytes, guint64 disk_bytes, const char *volume,
                   struct wizard_system *system)
{
    struct medium medium = {.kind = kind, .bytes = bytes, .disk_bytes = disk_bytes, .bootable = TRUE};
    g_strlcpy(medium.volume, volume, sizeof(medium.volume));
    wizard_set_looked(wizard, wizard_file(wizard), &medium, system, NULL);
}

static struct wizard *with_disc(struct wizard_system *system)
{
    struct wizard *wizard = machine();
    wizard_set_file(wizard, "/media/disc.iso", FALSE);
    looked(wizard, MEDIUM_DISC, 700 * MIB, 0, "Debian 12.5.0 amd64 n", system);
    return wizard;
}

static struct wizard_system *system_new(const char *name, const char *word)
{
    struct wizard_system *system = g_new0(struct wizard_system, 1);
    system->name = g_strdup(name);
    system->word = g_strdup(word);
    return system;
}

static void expect(struct wizard *wizard, enum wizard_page page, enum wizard_level level, const char *words)
{
    g_autofree char *sentence = NULL;
    g_assert_cmpint(wizard_check(wizard, page, &sentence), ==, level);
    g_assert_cmpint(wizard_check(wizard, page, NULL), ==, level);
    if (!words)
        g_assert_null(sentence);
    else if (!sentence || !strstr(sentence, words))
        g_error("\"%s\" does not say \"%s\"", sentence ? sentence : "", words);
}

/* ---- the way through ---- */

static void expect_way(struct wizard *wizard, const enum wizard_page *pages, gsize count)
{
    for (gsize i = 1; i < count; i++) {
        g_assert_true(wizard_next(wizard));
        g_assert_cmpint(wizard_page(wizard), ==, pages[i]);
    }
    g_assert_false(wizard_next(wizard));
    for (gsize i = count - 1; i-- > 0;) {
        g_assert_true(wizard_back(wizard));
        g_assert_cmpint(wizard_page(wizard), ==, pages[i]);
    }
    g_assert_false(wizard_back(wizard));
    wizard_free(wizard);
}

static void test_ways(void)
{
    static const enum wizard_page file[] = {WIZARD_PAGE_SOURCE, WIZARD_PAGE_FILE, WIZARD_PAGE_NAME,
                                            WIZARD_PAGE_MEMORY, WIZARD_PAGE_DISK, WIZARD_PAGE_SUMMARY};
    static const enum wizard_page unsized[] = {WIZARD_PAGE_SOURCE, WIZARD_PAGE_FILE, WIZARD_PAGE_NAME,
                                               WIZARD_PAGE_MEMORY, WIZARD_PAGE_SUMMARY};
    static const enum wizard_page clone[] = {WIZARD_PAGE_SOURCE, WIZARD_PAGE_GUEST, WIZARD_PAGE_NAME,
                                             WIZARD_PAGE_MEMORY, WIZARD_PAGE_SUMMARY};
    static const enum wizard_page network[] = {WIZARD_PAGE_SOURCE, WIZARD_PAGE_NAME, WIZARD_PAGE_MEMORY,
                                               WIZARD_PAGE_DISK, WIZARD_PAGE_SUMMARY};
    struct wizard *wizard = with_disc(NULL);
    expect_way(wizard, file, G_N_ELEMENTS(file));
    wizard = machine();
    wizard_set_source(wizard, WIZARD_IMAGE);
    wizard_set_file(wizard, "/x.vhdx", FALSE);
    looked(wizard, MEDIUM_VHDX, 10 * MIB, 0, "", NULL);
    expect_way(wizard, unsized, G_N_ELEMENTS(unsized));
    wizard = machine();
    wizard_set_source(wizard, WIZARD_IMAGE);
    wizard_set_file(wizard, "/x.qcow2", FALSE);
    looked(wizard, MEDIUM_QCOW2, 10 * MIB, 5 * GIB, "", NULL);
    expect_way(wizard, file, G_N_ELEMENTS(file));
    wizard = machine();
    wizard_set_source(wizard, WIZARD_CLONE);
    wizard_set_origin(wizard, "work");
    expect_way(wizard, clone, G_N_ELEMENTS(clone));
    wizard = machine();
    wizard_facts(wizard)->installer_kernel = g_strdup("/linux");
    wizard_facts(wizard)->installer_ramdisk = g_strdup("/initrd");
    wizard_set_source(wizard, WIZARD_NETWORK);
    expect_way(wizard, network, G_N_ELEMENTS(network));
}

static void test_back_keeps(void)
{
    struct wizard *wizard = with_disc(NULL);
    for (guint i = 0; i < 5; i++)
        g_assert_true(wizard_next(wizard));
    wizard_change(wizard, WIZARD_PAGE_PROCESSORS);
    g_assert_cmpint(wizard_page(wizard), ==, WIZARD_PAGE_PROCESSORS);
    wizard_set_value(wizard, WIZARD_PROCESSORS, 40);
    g_assert_false(wizard_next(wizard));
    wizard_set_value(wizard, WIZARD_PROCESSORS, 4);
    g_assert_true(wizard_next(wizard));
    g_assert_cmpint(wizard_page(wizard), ==, WIZARD_PAGE_SUMMARY);
    wizard_change(wizard, WIZARD_PAGE_SOURCE);
    wizard_change(wizard, WIZARD_PAGE_SUMMARY);
    g_assert_cmpint(wizard_page(wizard), ==, WIZARD_PAGE_SUMMARY);
    wizard_change(wizard, WIZARD_PAGE_NAME);
    wizard_set_name(wizard, "mine");
    g_assert_true(wizard_back(wizard));
    g_assert_cmpint(wizard_page(wizard), ==, WIZARD_PAGE_SUMMARY);
    while (wizard_back(wizard))
        wizard_change(wizard, WIZARD_PAGE_NETWORK);
    g_assert_cmpint(wizard_page(wizard), ==, WIZARD_PAGE_SOURCE);
    g_assert_cmpstr(wizard_name(wizard), ==, "mine");
    g_assert_cmpuint(wizard_value(wizard, WIZARD_PROCESSORS), ==, 4);
    g_assert_cmpstr(wizard_file(wizard), ==, "/media/disc.iso");
    wizard_set_source(wizard, WIZARD_IMAGE);
    g_assert_null(wizard_file(wizard));
    wizard_free(wizard);
}

/* ---- what goes without saying ---- */

static void test_defaults(void)
{
    struct wizard *wizard = with_disc(NULL);
    g_assert_cmpuint(wizard_value(wizard, WIZARD_MEMORY_MIB), ==, 2048);
    g_assert_cmpuint(wizard_value(wizard, WIZARD_PROCESSORS), ==, 2);
    g_assert_cmpuint(wizard_value(wizard, WIZARD_DISK_GIB), ==, 20);
    g_assert_cmpuint(wizard_value(wizard, WIZARD_UEFI), ==, 0);
    g_assert_cmpuint(wizard_value(wizard, WIZARD_WINDOWS), ==, 0);
    g_assert_cmpuint(wizard_value(wizard, WIZARD_CONNECTED), ==, 1);
    wizard_facts(wizard)->free_memory_kib = 1500 << 10;
    g_assert_cmpuint(wizard_value(wizard, WIZARD_MEMORY_MIB), ==, 1280);
    wizard_facts(wizard)->free_memory_kib = 100 << 10;
    g_assert_cmpuint(wizard_value(wizard, WIZARD_MEMORY_MIB), ==, 256);
    wizard_free(wizard);
    struct wizard_system *system = system_new("Microsoft Windows 11", "win11");
    system->windows = system->uefi = TRUE;
    system->least_memory_mib = 4096;
    wizard = with_disc(system);
    g_assert_cmpuint(wizard_value(wizard, WIZARD_MEMORY_MIB), ==, 4096);
    g_assert_cmpuint(wizard_value(wizard, WIZARD_DISK_GIB), ==, 64);
    g_assert_cmpuint(wizard_value(wizard, WIZARD_UEFI), ==, 1);
    g_assert_cmpuint(wizard_value(wizard, WIZARD_WINDOWS), ==, 1);
    g_assert_cmpstr(wizard_name(wizard), ==, "win11");
    wizard_facts(wizard)->free_memory_kib = 1500 << 10;
    g_assert_cmpuint(wizard_value(wizard, WIZARD_MEMORY_MIB), ==, 4096);
    system->memory_mib = 5000;
    system->processors = 7;
    system->disk_gib = 30;
    wizard_facts(wizard)->free_memory_kib = 6 << 20;
    g_assert_cmpuint(wizard_value(wizard, WIZARD_MEMORY_MIB), ==, 5000);
    g_assert_cmpuint(wizard_value(wizard, WIZARD_PROCESSORS), ==, 7);
    g_assert_cmpuint(wizard_value(wizard, WIZARD_DISK_GIB), ==, 30);
    wizard_set_value(wizard, WIZARD_UEFI, 0);
    g_assert_cmpuint(wizard_value(wizard, WIZARD_UEFI), ==, 0);
    wizard_free(wizard);
}

static void test_names(void)
{
    struct wizard *wizard = with_disc(NULL);
    g_assert_cmpstr(wizard_name(wizard), ==, "debian-12-5-0-amd64-n");
    wizard_set_file(wizard, "/media/Work.ISO", FALSE);
    g_assert_cmpstr(wizard_name(wizard), ==, "work-2");
    wizard_add_guest(wizard, "work-2", TRUE, NULL);
    g_assert_cmpstr(wizard_name(wizard), ==, "work-3");
    wizard_set_file(wizard, "/media/....", FALSE);
    g_assert_cmpstr(wizard_name(wizard), ==, "guest");
    wizard_set_source(wizard, WIZARD_CLONE);
    wizard_set_origin(wizard, "work");
    g_assert_cmpstr(wizard_name(wizard), ==, "work-3");
    wizard_free(wizard);
}

/* ---- what can be wrong ---- */

static void test_source_wrong(void)
{
    struct wizard *wizard = machine();
    expect(wizard, WIZARD_PAGE_SOURCE, WIZARD_FINE, NULL);
    g_assert_true(wizard_offers(wizard, WIZARD_CLONE));
    g_assert_false(wizard_offers(wizard, WIZARD_NETWORK));
    wizard_set_source(wizard, WIZARD_NETWORK);
    expect(wizard, WIZARD_PAGE_SOURCE, WIZARD_WRONG, "Choose another");
    g_ptr_array_remove_index(wizard_facts(wizard)->guests, 0);
    g_assert_false(wizard_offers(wizard, WIZARD_CLONE));
    wizard_set_source(wizard, WIZARD_DISC);
    wizard_facts(wizard)->pool_bytes = 0;
    expect(wizard, WIZARD_PAGE_SOURCE, WIZARD_WRONG, "no pool");
    wizard_free(wizard);
}

static void test_file_wrong(void)
{
    struct wizard *wizard = machine();
    expect(wizard, WIZARD_PAGE_FILE, WIZARD_WAIT, "Choose a file");
    wizard_set_file(wizard, "/disc.iso", FALSE);
    expect(wizard, WIZARD_PAGE_FILE, WIZARD_WAIT, "Looking");
    g_autoptr(GError) error = g_error_new_literal(MEDIUM_ERROR, MEDIUM_ERROR_TRUNCATED, "It is cut short.");
    struct medium medium = {.kind = MEDIUM_DISC};
    wizard_set_looked(wizard, "/another.iso", &medium, system_new("Late", "late"), NULL);
    expect(wizard, WIZARD_PAGE_FILE, WIZARD_WAIT, "Looking");
    wizard_set_looked(wizard, "/disc.iso", &medium, NULL, error);
    expect(wizard, WIZARD_PAGE_FILE, WIZARD_WRONG, "cut short");
    wizard_set_looked(wizard, "/disc.iso", &medium, NULL, NULL);
    expect(wizard, WIZARD_PAGE_FILE, WIZARD_WRONG, "cannot be started");
    looked(wizard, MEDIUM_QCOW2, GIB, GIB, "", NULL);
    expect(wizard, WIZARD_PAGE_FILE, WIZARD_WRONG, "qcow2");
    looked(wizard, MEDIUM_DISC, 60 * GIB, 0, "", NULL);
    expect(wizard, WIZARD_PAGE_FILE, WIZARD_FINE, NULL);
    wizard_set_file(wizard, "/media/stick/disc.iso", TRUE);
    looked(wizard, MEDIUM_DISC, GIB, 0, "", NULL);
    expect(wizard, WIZARD_PAGE_FILE, WIZARD_HINT, "stick");
    wizard_set_source(wizard, WIZARD_IMAGE);
    wizard_set_file(wizard, "/disc.img", FALSE);
    looked(wizard, MEDIUM_DISC, GIB, 0, "", NULL);
    expect(wizard, WIZARD_PAGE_FILE, WIZARD_WRONG, "installation disc");
    looked(wizard, MEDIUM_RAW, 50 * GIB + 1, 50 * GIB + 1, "", NULL);
    expect(wizard, WIZARD_PAGE_FILE, WIZARD_WRONG, "is free");
    looked(wizard, MEDIUM_RAW, 50 * GIB, 50 * GIB, "", NULL);
    expect(wizard, WIZARD_PAGE_FILE, WIZARD_FINE, NULL);
    wizard_free(wizard);
}

static void test_guest_wrong(void)
{
    struct wizard *wizard = machine();
    wizard_set_source(wizard, WIZARD_CLONE);
    expect(wizard, WIZARD_PAGE_GUEST, WIZARD_WAIT, "Choose");
    wizard_set_origin(wizard, "gone");
    expect(wizard, WIZARD_PAGE_GUEST, WIZARD_WAIT, "Choose");
    wizard_set_origin(wizard, "device");
    expect(wizard, WIZARD_PAGE_GUEST, WIZARD_WRONG, "device writes");
    wizard_set_origin(wizard, "work");
    expect(wizard, WIZARD_PAGE_GUEST, WIZARD_FINE, NULL);
    wizard_add_guest(wizard, "busy", FALSE, settings_of("image:busy,xvda,rw"));
    wizard_set_origin(wizard, "busy");
    expect(wizard, WIZARD_PAGE_GUEST, WIZARD_HINT, "power cut");
    static const char *const others[] = {
        "", "image:a,xvdb,rw", "image:a,xvda,ro", "image:a,xvda,rw; /x,xvdb,rw", "image:a,xvda,rw;", NULL};
    for (const char *const *disk = others; *disk; disk++) {
        struct wizard_guest guest = {"other", TRUE, g_variant_ref_sink(settings_of(*disk))};
        g_assert_false(wizard_can_clone(&guest));
        g_variant_unref(guest.settings);
    }
    static const struct {
        const char *disk;
        gboolean good;
    } pcs[] = {{"image:a,hda,rw", TRUE},
               {"image:a,hda,rw; image:b,hdb,rw; image:c,hdd,rw; image:d,xvde,rw; image:e,xvdf,rw", TRUE},
               {"image:a,xvda,rw", FALSE},
               {"image:a,hda,rw; image:b,hdc,rw", FALSE}};
    for (gsize i = 0; i < G_N_ELEMENTS(pcs); i++) {
        struct wizard_guest guest = {"other", TRUE, g_variant_ref_sink(settings_of_type("hvm", pcs[i].disk))};
        g_assert_cmpint(wizard_can_clone(&guest), ==, pcs[i].good);
        g_variant_unref(guest.settings);
    }
    wizard_free(wizard);
}

static void test_name_wrong(void)
{
    struct wizard *wizard = with_disc(NULL);
    g_autofree char *longest = g_strnfill(63, 'a'), *longer = g_strnfill(64, 'a');
    const struct {
        const char *name, *words;
    } rows[] = {{"", "Type one"}, {"my desk", "Leave"}, {"-a", "begins"},        {".a", "begins"},
                {longer, "63"},   {"work", "already"},  {"Domain-0", "service"}, {"d\303\251", "Leave"},
                {longest, NULL},  {"A.b_c-1", NULL}};
    expect(wizard, WIZARD_PAGE_NAME, WIZARD_FINE, NULL);
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        wizard_set_name(wizard, rows[i].name);
        expect(wizard, WIZARD_PAGE_NAME, rows[i].words ? WIZARD_WRONG : WIZARD_FINE, rows[i].words);
    }
    wizard_free(wizard);
}

static void expect_value(struct wizard *wizard, enum wizard_value value, guint number, enum wizard_page page,
                         enum wizard_level level, const char *words)
{
    wizard_set_value(wizard, value, number);
    expect(wizard, page, level, words);
}

static void test_numbers_wrong(void)
{
    struct wizard_system *system = system_new("Debian 11", "debian11");
    system->least_memory_mib = 1024;
    system->uefi = TRUE;
    struct wizard *wizard = with_disc(system);
    expect_value(wizard, WIZARD_MEMORY_MIB, 63, WIZARD_PAGE_MEMORY, WIZARD_WRONG, "64 MiB");
    expect_value(wizard, WIZARD_MEMORY_MIB, 1023, WIZARD_PAGE_MEMORY, WIZARD_HINT, "Debian 11 asks for 1024");
    expect_value(wizard, WIZARD_MEMORY_MIB, 1024, WIZARD_PAGE_MEMORY, WIZARD_FINE, NULL);
    expect_value(wizard, WIZARD_MEMORY_MIB, 6144, WIZARD_PAGE_MEMORY, WIZARD_FINE, NULL);
    expect_value(wizard, WIZARD_MEMORY_MIB, 6145, WIZARD_PAGE_MEMORY, WIZARD_HINT, "6.0\302\240GiB is free");
    expect_value(wizard, WIZARD_MEMORY_MIB, 8193, WIZARD_PAGE_MEMORY, WIZARD_WRONG, "8.0\302\240GiB in all");
    expect_value(wizard, WIZARD_MEMORY_MIB, 2048, WIZARD_PAGE_MEMORY, WIZARD_FINE, NULL);
    expect_value(wizard, WIZARD_PROCESSORS, 0, WIZARD_PAGE_PROCESSORS, WIZARD_WRONG, "1 to 32");
    expect_value(wizard, WIZARD_PROCESSORS, 33, WIZARD_PAGE_PROCESSORS, WIZARD_WRONG, "1 to 32");
    expect_value(wizard, WIZARD_PROCESSORS, 32, WIZARD_PAGE_PROCESSORS, WIZARD_FINE, NULL);
    expect_value(wizard, WIZARD_DISK_GIB, 0, WIZARD_PAGE_DISK, WIZARD_WRONG, "1 GiB");
    expect_value(wizard, WIZARD_DISK_GIB, 50, WIZARD_PAGE_DISK, WIZARD_FINE, NULL);
    expect_value(wizard, WIZARD_DISK_GIB, 51, WIZARD_PAGE_DISK, WIZARD_HINT, "50.0\302\240GiB is free");
    expect_value(wizard, WIZARD_DISK_GIB, 101, WIZARD_PAGE_DISK, WIZARD_WRONG, "100.0\302\240GiB in all");
    wizard_facts(wizard)->pool_free_bytes = GIB - 1;
    expect_value(wizard, WIZARD_DISK_GIB, 10, WIZARD_PAGE_DISK, WIZARD_WRONG, "full");
    expect(wizard, WIZARD_PAGE_SUMMARY, WIZARD_WRONG, "full");
    wizard_facts(wizard)->pool_free_bytes = 20 * GIB;
    expect(wizard, WIZARD_PAGE_SUMMARY, WIZARD_FINE, NULL);
    expect_value(wizard, WIZARD_UEFI, 0, WIZARD_PAGE_FIRMWARE, WIZARD_HINT, "UEFI");
    expect(wizard, WIZARD_PAGE_SUMMARY, WIZARD_HINT, "UEFI");
    expect_value(wizard, WIZARD_UEFI, 1, WIZARD_PAGE_FIRMWARE, WIZARD_FINE, NULL);
    expect(wizard, WIZARD_PAGE_WINDOWS, WIZARD_FINE, NULL);
    expect(wizard, WIZARD_PAGE_NETWORK, WIZARD_FINE, NULL);
    wizard_free(wizard);
    wizard = machine();
    wizard_set_source(wizard, WIZARD_IMAGE);
    wizard_set_file(wizard, "/x.qcow2", FALSE);
    looked(wizard, MEDIUM_QCOW2, GIB, 5 * GIB + 1, "", NULL);
    g_assert_cmpuint(wizard_value(wizard, WIZARD_DISK_GIB), ==, 6);
    expect_value(wizard, WIZARD_DISK_GIB, 5, WIZARD_PAGE_DISK, WIZARD_WRONG, "smaller");
    expect_value(wizard, WIZARD_DISK_GIB, 6, WIZARD_PAGE_DISK, WIZARD_FINE, NULL);
    wizard_free(wizard);
}

/* ---- the request ---- */

static void expect_request(struct wizard *wizard, const char *settings, const char *disks, const char *then)
{
    struct wizard_request request;
    g_autoptr(GError) error = NULL;
    g_assert_true(wizard_request_make(wizard, &request, &error));
    g_assert_no_error(error);
    g_autoptr(GVariant) made = g_variant_get_child_value(request.arguments, 0);
    g_autoptr(GVariant) made_disks = g_variant_get_child_value(request.arguments, 1);
    g_autoptr(GVariant) wanted = g_variant_parse(G_VARIANT_TYPE("a{sv}"), settings, NULL, NULL, &error);
    g_assert_no_error(error);
    g_autofree char *disks_text = g_variant_print(made_disks, TRUE);
    g_autofree char *then_text = request.then ? g_variant_print(request.then, FALSE) : NULL;
    g_assert_cmpuint(g_variant_n_children(made), ==, g_variant_n_children(wanted));
    for (gsize i = 0; i < g_variant_n_children(wanted); i++) {
        g_autofree char *key = NULL;
        g_autoptr(GVariant) value = NULL;
        g_variant_get_child(wanted, i, "{sv}", &key, &value);
        g_autoptr(GVariant) given = g_variant_lookup_value(made, key, NULL);
        if (!given || !g_variant_equal(given, value))
            g_error("%s is not what it should be in %s", key, g_variant_print(made, TRUE));
    }
    g_assert_cmpstr(disks_text, ==, disks);
    g_assert_cmpstr(then_text, ==, then);
    wizard_request_clear(&request);
    wizard_free(wizard);
}

static void test_requests(void)
{
    expect_request(with_disc(NULL),
                   "{'name': <'debian-12-5-0-amd64-n'>, 'slot': <uint32 3>, 'memory_mib': <uint32 2048>,"
                   " 'vcpus': <uint32 2>, 'network': <'bridge'>, 'type': <'hvm'>, 'firmware': <'bios'>,"
                   " 'cdrom': <'/media/disc.iso'>}",
                   "[{'size': <uint64 21474836480>}]", NULL);
    struct wizard_system *system = system_new("Windows", "win");
    system->windows = system->uefi = TRUE;
    struct wizard *wizard = with_disc(system);
    wizard_facts(wizard)->slots = 0x3fe;
    wizard_set_value(wizard, WIZARD_CONNECTED, 0);
    wizard_set_value(wizard, WIZARD_DISK_GIB, 1);
    expect_request(wizard,
                   "{'name': <'win'>, 'memory_mib': <uint32 4096>, 'vcpus': <uint32 2>, 'network': <'none'>,"
                   " 'type': <'hvm'>, 'firmware': <'uefi'>, 'clock': <'local'>, 'viridian': <true>,"
                   " 'cdrom': <'/media/disc.iso'>}",
                   "[{'size': <uint64 1073741824>}]", NULL);
    wizard = machine();
    wizard_set_source(wizard, WIZARD_CLONE);
    wizard_set_origin(wizard, "work");
    expect_request(wizard,
                   "{'name': <'work-2'>, 'slot': <uint32 3>, 'memory_mib': <uint32 700>, 'vcpus': <uint32 3>,"
                   " 'network': <'none'>, 'type': <'pvh'>, 'kernel': <'/k'>}",
                   "[{'clone': <'work'>}, {'clone': <'work-2'>}]", NULL);
    wizard = machine();
    wizard_facts(wizard)->installer_kernel = g_strdup("/linux");
    wizard_facts(wizard)->installer_ramdisk = g_strdup("/initrd");
    wizard_set_source(wizard, WIZARD_NETWORK);
    expect_request(wizard,
                   "{'name': <'debian'>, 'slot': <uint32 3>, 'memory_mib': <uint32 2048>, 'vcpus': <uint32 2>,"
                   " 'network': <'bridge'>, 'type': <'hvm'>, 'firmware': <'bios'>, 'kernel': <'/linux'>,"
                   " 'ramdisk': <'/initrd'>}",
                   "[{'size': <uint64 21474836480>}]", "({'kernel': <''>, 'ramdisk': <''>},)");
}

/* A real file, so that what is handed on is what was looked at. */
static struct wizard *with_image(const char *path, guint64 bytes)
{
    struct wizard *wizard = machine();
    g_autofree char *data = g_malloc0(bytes);
    memcpy(data + 510, "\x55\xaa", 2);
    g_assert_true(g_file_set_contents(path, data, (gssize)bytes, NULL));
    wizard_set_source(wizard, WIZARD_IMAGE);
    wizard_set_file(wizard, path, FALSE);
    looked(wizard, MEDIUM_RAW, 4096, 4096, "", NULL);
    wizard_set_name(wizard, "mine");
    return wizard;
}

static void test_import(void)
{
    struct wizard_request request;
    g_autoptr(GError) error = NULL;
    g_autofree char *folder = g_dir_make_tmp("wizard-XXXXXX", NULL), *path = g_build_filename(folder, "disk.img", NULL);
    const char *settings = "{'name': <'mine'>, 'slot': <uint32 3>, 'memory_mib': <uint32 2048>, 'vcpus': <uint32 2>,"
                           " 'network': <'bridge'>, 'type': <'hvm'>, 'firmware': <'bios'>}";
    expect_request(with_image(path, 4096), settings, "[{'import': <handle 0>}]", NULL);
    struct wizard *wizard = with_image(path, 4096);
    wizard_set_value(wizard, WIZARD_DISK_GIB, 2);
    expect_request(wizard, settings, "[{'size': <uint64 2147483648>, 'import': <handle 0>}]", NULL);
    wizard = with_image(path, 8192);
    g_assert_false(wizard_request_make(wizard, &request, &error));
    g_assert_nonnull(strstr(error->message, "has changed"));
    g_clear_error(&error);
    g_unlink(path);
    g_assert_false(wizard_request_make(wizard, &request, &error));
    g_assert_nonnull(strstr(error->message, "cannot be opened"));
    g_clear_error(&error);
    wizard_set_name(wizard, "");
    g_assert_false(wizard_request_make(wizard, &request, &error));
    g_assert_nonnull(strstr(error->message, "Type one"));
    wizard_free(wizard);
    g_rmdir(folder);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/wizard/ways", test_ways);
    g_test_add_func("/wizard/back-keeps", test_back_keeps);
    g_test_add_func("/wizard/defaults", test_defaults);
    g_test_add_func("/wizard/names", test_names);
    g_test_add_func("/wizard/source-wrong", test_source_wrong);
    g_test_add_func("/wizard/file-wrong", test_file_wrong);
    g_test_add_func("/wizard/guest-wrong", test_guest_wrong);
    g_test_add_func("/wizard/name-wrong", test_name_wrong);
    g_test_add_func("/wizard/numbers-wrong", test_numbers_wrong);
    g_test_add_func("/wizard/requests", test_requests);
    g_test_add_func("/wizard/import", test_import);
    return g_test_run();
}
