/* Settings of a guest: what each kind refuses, definitions written and read back, and files that are none. */
#include "directory.h"
#include "errors.h"
#include "guest_setting.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MINIMUM "[guest]\nslot=3\nkernel=/k\n"

static guint synced;

/* In place of the C library's, which takes as long as the machine's disk is busy. */
int fsync(int fd)
{
    (void)fd;
    synced++;
    return 0;
}

static struct guest_config *load(const char *path)
{
    g_autoptr(GError) error = NULL;
    struct guest_config *config = guest_config_load(path, &error);
    g_assert_no_error(error);
    return config;
}

static char *contents(const char *path)
{
    char *text = NULL;
    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    return text;
}

/* Nothing but this many files: none is left over from a write that failed. */
static void assert_files(struct directory *directory, guint count)
{
    g_autoptr(GDir) dir = g_dir_open(directory->path, 0, NULL);
    while (g_dir_read_name(dir))
        count--;
    g_assert_cmpuint(count, ==, 0);
}

static void assert_refused(const char *path, const char *sentence)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *expected = g_strdup_printf("%s cannot be used. %s", path, sentence);
    g_assert_null(guest_config_load(path, &error));
    g_assert_error(error, RH_ERROR, RH_ERROR_BAD_CONFIG);
    g_assert_cmpstr(error->message, ==, expected);
}

static void assert_unwritten(const struct guest_config *config, const char *path, const char *sentence)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *begin = g_strdup_printf("%s cannot be written. ", path);
    g_assert_false(guest_config_write(config, path, &error));
    g_assert_error(error, RH_ERROR, RH_ERROR_BAD_CONFIG);
    g_assert_true(g_str_has_prefix(error->message, begin));
    if (!strstr(error->message, sentence))
        g_assert_cmpstr(error->message, ==, sentence);
}

/* ---- the table ---- */

static const struct {
    const char *key, *value;
} others[] = {
    {"clock", "local"},
    {"viridian", "true"},
    {"slot", "4"},
    {"name", "other"},
    {"colour", "#010203"},
    {"type", "pvh"},
    {"kernel", "/other"},
    {"ramdisk", "/r"},
    {"cmdline", "quiet"},
    {"firmware", "uefi"},
    {"boot", "nc"},
    {"memory_mib", "64"},
    {"vcpus", "2"},
    {"disk", "/image,xvdb,ro"},
    {"network", "br0"},
    {"autostart", "yes"},
    {"undo_points", "7"},
    {"undo_space", "512"},
    {"undo_minutes", "0"},
    {"mac", "00:16:3e:01:02:03"},
    {"display", "none"},
    {"sound", "kept"},
    {"volume", "70"},
    {"uuid", "6f0a2f5c-8a51-4f0e-9d39-3d0b6a1c7e42"},
    {"cdrom", "/cd.iso"},
    {"label", "service vpn"},
};

static const char *other_value(const char *key)
{
    for (gsize i = 0; i < G_N_ELEMENTS(others); i++) {
        if (g_str_equal(others[i].key, key))
            return others[i].value;
    }
    g_error("a new setting %s: give it a line in this test", key);
}

/* A definition that differs in this one setting is another, also once it has been copied or written. */
static void test_each(struct directory *directory, gconstpointer data)
{
    (void)data;
    for (const struct guest_setting *row = guest_settings; row->key; row++) {
        const char *type = row->hvm_only ? "type=hvm\n" : "";
        g_autofree char *plain = g_strconcat(MINIMUM, type, NULL);
        g_autofree char *text = g_strdup_printf("%s%s=%s\n", plain, row->key, other_value(row->key));
        g_autofree char *path = write_file(directory, "a.conf", plain);
        struct guest_config *before = load(path);
        g_free(write_file(directory, "a.conf", text));
        struct guest_config *after = load(path), *copy = guest_config_copy(after);
        g_assert_false(guest_config_equal(before, after));
        g_assert_true(guest_config_equal(after, copy));
        guest_config_free(after);
        g_free(write_file(directory, "a.conf", plain));
        g_assert_true(guest_config_write(copy, path, NULL));
        after = load(path);
        g_assert_true(guest_config_equal(after, copy));
        g_assert_true(guest_config_write(before, path, NULL));
        guest_config_free(after);
        after = load(path);
        g_assert_true(guest_config_equal(after, before));
        guest_config_free(before);
        guest_config_free(copy);
        guest_config_free(after);
    }
}

/* What the manual page is made of goes into it as it is. */
static void test_texts(void)
{
    for (const struct guest_setting *row = guest_settings; row->key; row++) {
        g_assert_true(g_ascii_isalnum(row->about[0]) || row->about[0] == '#');
        g_assert_null(strpbrk(row->about, "\\\n\""));
        g_assert_false(g_str_has_suffix(row->about, "."));
        for (const struct guest_word *word = row->words; word && word->word; word++)
            g_assert_null(strpbrk(word->about, "\\\n\""));
    }
}

/* ---- what each kind refuses ---- */

static void test_sentences(struct directory *directory, gconstpointer data)
{
    static const struct {
        const char *line, *sentence;
    } cases[] = {
        {"slot=10", "slot: \"10\" is not a number from 0 to 9."},
        {"memory_mib=1048577", "memory_mib: \"1048577\" is not a number from 32 to 1048576."},
        {"memory_mib=0x40", "memory_mib: \"0x40\" is not a number from 32 to 1048576."},
        {"memory_mib=1e3", "memory_mib: \"1e3\" is not a number from 32 to 1048576."},
        {"vcpus=+1", "vcpus: \"+1\" is not a number from 1 to 32."},
        {"vcpus=18446744073709551617", "vcpus: \"18446744073709551617\" is not a number from 1 to 32."},
        {"vcpus=", "vcpus: \"\" is not a number from 1 to 32."},
        {"name=Domain-0", "name: \"Domain-0\" is the name of the service machine itself; choose another."},
        {"boot=cdnn", "boot: \"cdnn\" is not an order of c (disk), d (CD) and n (network), such as dc."},
        {"type=PV", "type: \"PV\" is not one of pv, pvh, hvm."},
        {"type=", "type: \"\" is not one of pv, pvh, hvm."},
        {"type=hvm\nfirmware=efi", "firmware: \"efi\" is not one of bios, uefi."},
        {"display=sdl", "display: \"sdl\" is not one of fbif, displif, vga, none."},
        {"undo_points=1001", "undo_points: \"1001\" is not a number from 0 to 1000."},
        {"undo_space=0", "undo_space: \"0\" is not a number from 1 to 1073741824."},
        {"type=hvm\ncdrom=image:../x", "cdrom: \"../x\" cannot be the name of an image."},
        {"autostart=on", "autostart: \"on\" is neither true nor false."},
        {"colour=#1234567", "colour: \"#1234567\" is not a colour of the form #rrggbb."},
        {"kernel=", "kernel: \"\" must be a whole path that begins with /."},
        {"ramdisk=r", "ramdisk: \"r\" must be a whole path that begins with /."},
        {"network=a b", "network: \"a b\" cannot be the name of a bridge."},
        {"mac=00:00:00:00:00:00",
         "mac: \"00:00:00:00:00:00\" is not the address of a network card, such as 00:16:3e:01:02:03."},
        {"disk=/a,xvdA", "disk: \"xvdA\" is not one of ro, rw, cdrom, xvda ... xvdz, hda ... hdd."},
        {"disk=/a,,ro", "disk: \"\" is not one of ro, rw, cdrom, xvda ... xvdz, hda ... hdd."},
        {"disk=image:a/b", "disk: \"a/b\" cannot be the name of an image."},
        {"disk=image:", "disk: \"\" cannot be the name of an image."},
        {"disk=image:..", "disk: \"..\" cannot be the name of an image."},
        {"disk=image:a;image:a", "disk: the image a is there twice, and not ro both times."},
        {"disk=image:a,ro;image:b;image:a", "disk: the image a is there twice, and not ro both times."},
        {"disk=/a,xvdb;/b", "disk: two disks are both called xvdb."},
        {"disk=/a;b", "disk: \"b\" must be a whole path that begins with /."},
        {"disk=/a,hda", "disk: cdrom and hda ... hdd are for guests with type=hvm only."},
        {"display=vga", "display: \"vga\" is for guests with type=hvm only."},
        {"boot=c", "boot: this setting is for guests with type=hvm only."},
        {"firmware=bios", "firmware: this setting is for guests with type=hvm only."},
        {"memory=1", "memory: there is no such setting; check its spelling."},
        {"name[de]=heim", "name[de]: there is no such setting; check its spelling."},
    };
    (void)data;
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *text = g_strconcat(MINIMUM, cases[i].line, "\n", NULL);
        g_autofree char *path = write_file(directory, "x.conf", text);
        assert_refused(path, cases[i].sentence);
    }
    g_autofree char *disks = g_strnfill(27, ';'), *path = NULL;
    g_auto(GStrv) parts = g_strsplit(disks, ";", -1);
    g_autofree char *text = g_strjoinv("/a;", parts);
    g_autofree char *many = g_strconcat(MINIMUM "disk=", text, "\n", NULL);
    path = write_file(directory, "x.conf", many);
    g_assert_null(guest_config_load(path, NULL));
}

/* ---- reading back ---- */

#define ANY(words) words[g_test_rand_int_range(0, G_N_ELEMENTS(words))]

static gboolean chance(void)
{
    return g_test_rand_int_range(0, 2) == 0;
}

static void set(char **text, const char *value)
{
    g_free(*text);
    *text = g_strdup(value);
}

static void choose_disks(struct guest_config *config)
{
    static const char *const targets[] = {
        "/dev/vg/work", "/srv/with spaces.img", "/srv/back\\slash", "/srv/#1=[a]", "/srv/\303\251.img", "/phy:/x", "/"};
    guint count = (guint)g_test_rand_int_range(0, 27), first = (guint)g_test_rand_int_range(0, 26);
    gboolean hvm = config->type == GUEST_HVM;
    g_ptr_array_set_size(config->disks, 0);
    for (guint i = 0; i < count; i++) {
        struct guest_disk *disk = g_new0(struct guest_disk, 1);
        disk->pooled = chance();
        disk->target = disk->pooled ? g_strdup_printf("image-%u", i) : g_strdup(ANY(targets));
        disk->read_only = chance();
        disk->cdrom = hvm && chance();
        g_snprintf(disk->vdev, sizeof(disk->vdev), "xvd%c", 'a' + (int)((first + i) % 26));
        if (hvm && i < 4)
            g_snprintf(disk->vdev, sizeof(disk->vdev), "hd%c", 'a' + (int)i);
        g_ptr_array_add(config->disks, disk);
    }
}

static void choose_text(struct guest_config *config)
{
    static const char *const names[] = {"a", "Work-1", "x.conf", "9_.-", "b"};
    static const char *const paths[] = {"/k", "/boot/vm linuz", "/a\\tb", "/\303\251;,#"};
    static const char *const lines[] = {
        "",         "quiet", "a=b  c=\"d e\"", "back\\slash \\n \\",    "tab\tin line\n2",
        "# no [x]", ";,=",   "\303\251",       "root=/dev/xvda ro\r\nx"};
    static const char *const boots[] = {"c", "cd", "dcn", "n"};
    static const char *const bridges[] = {"xenbr0", "br1", "fifteen-letters"};
    gboolean hvm = config->type == GUEST_HVM;
    set(&config->name, ANY(names));
    set(&config->kernel, hvm && chance() ? NULL : ANY(paths));
    set(&config->ramdisk, !config->kernel || chance() ? NULL : ANY(paths));
    set(&config->cmdline, config->kernel ? ANY(lines) : "");
    set(&config->boot, hvm && config->firmware == GUEST_FIRMWARE_BIOS ? ANY(boots) : "cdn");
    set(&config->bridge, chance() ? NULL : ANY(bridges));
}

static void choose_cdrom(struct guest_config *config)
{
    static const char *const cds[] = {"/cd.iso", "empty", "image:a-disc"};
    gboolean possible = config->type == GUEST_HVM;
    for (guint i = 0; i < config->disks->len; i++)
        possible = possible && !g_str_equal(((struct guest_disk *)g_ptr_array_index(config->disks, i))->vdev, "hdc");
    set(&config->cdrom, possible && chance() ? ANY(cds) : NULL);
}

/* Every value that reading allows, the limits more often than chance has them. */
static void choose(struct guest_config *config)
{
    static const enum guest_display displays[] = {GUEST_DISPLAY_NONE, GUEST_DISPLAY_FBIF, GUEST_DISPLAY_DISPLIF,
                                                  GUEST_DISPLAY_VGA};
    config->type = (enum guest_type)g_test_rand_int_range(GUEST_PV, GUEST_HVM + 1);
    gboolean hvm = config->type == GUEST_HVM;
    config->slot = (guint)g_test_rand_int_range(GUEST_SLOT_NONE, GUEST_SLOT_MAX + 1);
    config->colour = chance() ? 0x4c9be8 : (guint32)g_test_rand_int_range(0, 0x1000000);
    config->memory_mib = chance() ? 512 : (guint)g_test_rand_int_range(32, 1024 * 1024 + 1);
    config->vcpus = (guint)g_test_rand_int_range(1, 33);
    config->firmware = hvm && chance() ? GUEST_FIRMWARE_UEFI : GUEST_FIRMWARE_BIOS;
    config->clock = hvm && chance() ? GUEST_CLOCK_LOCAL : GUEST_CLOCK_UTC;
    config->viridian = hvm && chance();
    config->display = displays[g_test_rand_int_range(0, hvm ? 4 : 3)];
    config->sound = (enum guest_sound)g_test_rand_int_range(GUEST_SOUND_MUTED, GUEST_SOUND_NONE + 1);
    config->volume = chance() ? 100 : (guint)g_test_rand_int_range(0, 101);
    config->autostart = chance();
    config->undo_points = (guint)g_test_rand_int_range(0, 1001);
    config->undo_space = (guint)g_test_rand_int_range(1, 1 << 30);
    config->undo_minutes = (guint)g_test_rand_int_range(0, 10081);
    for (gsize i = 0; i < sizeof(config->mac); i++)
        config->mac[i] = (guint8)g_test_rand_int_range(0, 256);
    config->mac[0] = (config->mac[0] & 0xfe) | 2;
    for (gsize i = 0; i < sizeof(config->uuid); i++)
        config->uuid[i] = config->mac[1] & 1 ? (guint8)g_test_rand_int_range(0, 256) : 0;
    if (chance())
        memset(config->mac, 0, sizeof(config->mac));
    choose_text(config);
    choose_disks(config);
    choose_cdrom(config);
}

/* Into the file of the definition before, each time: what was said there must not be left. */
static void test_round_trip(struct directory *directory, gconstpointer data)
{
    static const char first[] = "# mine\n" MINIMUM "ramdisk=/old\n# about memory\nmemory_mib = 99\n\n[else]\nslot=x\n";
    g_autofree char *path = write_file(directory, "a.conf", first);
    struct guest_config *config = load(path);
    (void)data;
    for (int i = 0; i < 300; i++) {
        g_autoptr(GError) error = NULL;
        choose(config);
        guest_config_write(config, path, &error);
        g_assert_no_error(error);
        struct guest_config *again = load(path);
        g_assert_true(guest_config_equal(config, again));
        g_autofree char *text = contents(path);
        g_assert_true(guest_config_write(again, path, NULL));
        g_autofree char *same = contents(path);
        g_assert_cmpstr(text, ==, same);
        g_assert_true(strstr(text, "# mine\n") && strstr(text, "# about memory\n") && strstr(text, "[else]\nslot=x\n"));
        guest_config_free(again);
    }
    assert_files(directory, 1);
    guest_config_free(config);
}

/* A new file says what must be said, in the order of the table, and is on the disk before it has its name. */
static void test_new_file(struct directory *directory, gconstpointer data)
{
    g_autofree char *path = write_file(directory, "a.conf",
                                       "[guest]\nslot=4\nname=b\nkernel=/k\nautostart=1\n"
                                       "disk=file:/d,ro;/c,cdrom,rw,hdb\ntype=hvm\nnetwork=bridge\n");
    g_autofree char *other = g_build_filename(directory->path, "b.conf", NULL);
    struct guest_config *config = load(path);
    struct stat status;
    (void)data;
    synced = 0;
    g_assert_true(guest_config_write(config, other, NULL));
    g_assert_cmpuint(synced, >, 0);
    g_autofree char *text = contents(other);
    g_assert_cmpstr(text, ==,
                    "[guest]\nslot=4\ntype=hvm\nkernel=/k\ndisk=/d,xvda,ro; /c,hdb,cdrom,rw\nnetwork=xenbr0\n"
                    "autostart=true\n");
    g_assert_cmpint(stat(other, &status), ==, 0);
    g_assert_cmpint(status.st_mode & 0022, ==, 0);
    guest_config_free(config);
}

/* A line that says so already stays in the user's words, and only the line that changes does. */
static void test_own_words(struct directory *directory, gconstpointer data)
{
    static const char text[] = "[guest]\nslot=1\n# fast\nkernel=/k\ntype=pv\ncolour=#4C9BE8\n"
                               "disk=phy:/dev/vg/a , r ;\nvcpus=2\nautostart=yes\nnetwork=bridge\n";
    static const char changed[] = "[guest]\nslot=1\n# fast\nkernel=/k\ntype=pv\ncolour=#4C9BE8\n"
                                  "disk=phy:/dev/vg/a , r ;\nvcpus=3\nautostart=yes\nnetwork=bridge\n";
    g_autofree char *path = write_file(directory, "a.conf", text);
    struct guest_config *config = load(path);
    struct stat status;
    (void)data;
    g_assert_cmpint(chmod(path, 0600), ==, 0);
    g_assert_true(guest_config_write(config, path, NULL));
    g_autofree char *now = contents(path);
    g_assert_cmpstr(now, ==, text);
    config->vcpus = 3;
    g_assert_true(guest_config_write(config, path, NULL));
    now = (g_free(now), contents(path));
    g_assert_cmpstr(now, ==, changed);
    g_assert_cmpint(stat(path, &status), ==, 0);
    g_assert_cmpint(status.st_mode & 0777, ==, 0600);
    guest_config_free(config);
}

/* The last line counts; without it none does. */
static void test_said_twice(struct directory *directory, gconstpointer data)
{
    g_autofree char *path = write_file(directory, "a.conf", MINIMUM "ramdisk=/1\nramdisk=/2\nramdisk=/3\n");
    struct guest_config *config = load(path);
    (void)data;
    g_assert_cmpstr(config->ramdisk, ==, "/3");
    set(&config->ramdisk, NULL);
    g_assert_true(guest_config_write(config, path, NULL));
    g_autofree char *text = contents(path);
    g_assert_cmpstr(text, ==, MINIMUM);
    guest_config_free(config);
}

/* A PC that becomes a guest without firmware: its lines may not stay, though they say what goes without saying. */
static void test_other_type(struct directory *directory, gconstpointer data)
{
    g_autofree char *path =
        write_file(directory, "a.conf", MINIMUM "type=hvm\nfirmware=bios\nboot=cdn\ndisplay=fbif\n");
    struct guest_config *config = load(path);
    (void)data;
    config->type = GUEST_PVH;
    g_assert_true(guest_config_write(config, path, NULL));
    g_autofree char *text = contents(path);
    g_assert_cmpstr(text, ==, MINIMUM "type=pvh\ndisplay=fbif\n");
    guest_config_free(config);
}

/* ---- what cannot be written ---- */

#define TO_SPOIL MINIMUM "disk=/image,xvdb,ro\n"

/* The definition, spoilt, is refused, and the file that is there stays. Frees it. */
static void assert_spoilt(struct guest_config *config, const char *sentence)
{
    assert_unwritten(config, config->path, sentence);
    g_autofree char *now = contents(config->path);
    g_assert_cmpstr(now, ==, TO_SPOIL);
    guest_config_free(config);
}

static void test_bad_numbers(struct directory *directory, gconstpointer data)
{
    static const struct {
        gsize offset;
        guint number;
        const char *sentence;
    } cases[] = {
        {offsetof(struct guest_config, slot), 10, "slot: \"10\" is not a number from 0 to 9."},
        {offsetof(struct guest_config, slot), G_MAXUINT, "slot: \"4294967295\" is not a number from 0 to 9."},
        {offsetof(struct guest_config, colour), 0x1000000, "colour: \"#1000000\" is not a colour"},
        {offsetof(struct guest_config, type), 7, "type: \"\" would be read as \"pv\"."},
        {offsetof(struct guest_config, display), GUEST_DISPLAY_VGA,
         "display: \"vga\" is for guests with type=hvm only."},
        {offsetof(struct guest_config, firmware), GUEST_FIRMWARE_UEFI, "firmware: this setting is for guests with"},
    };
    g_autofree char *path = write_file(directory, "a.conf", TO_SPOIL);
    (void)data;
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        struct guest_config *config = load(path);
        G_STRUCT_MEMBER(guint, config, cases[i].offset) = cases[i].number;
        assert_spoilt(config, cases[i].sentence);
    }
    struct guest_config *config = load(path);
    config->mac[0] = 1;
    assert_spoilt(config, "mac: \"01:00:00:00:00:00\" is not the address");
    assert_files(directory, 1);
}

static void test_bad_texts(struct directory *directory, gconstpointer data)
{
    g_autofree char *huge = g_strnfill(1024 * 1024, 'x');
    const struct {
        gsize offset;
        const char *text, *sentence;
    } cases[] = {
        {offsetof(struct guest_config, name), "a\nslot=1", "name: \"a\nslot=1\" must begin with"},
        {offsetof(struct guest_config, name), huge, "It is longer than 64 KiB."},
        {offsetof(struct guest_config, kernel), NULL, "kernel: this setting is missing."},
        {offsetof(struct guest_config, cmdline), " quiet", "cmdline: \" quiet\" would be read as \"quiet\"."},
        {offsetof(struct guest_config, cmdline), "\377", "It is not text in UTF-8."},
        {offsetof(struct guest_config, bridge), "bridge", "network: \"bridge\" would be read as \"xenbr0\"."},
    };
    g_autofree char *path = write_file(directory, "a.conf", TO_SPOIL);
    (void)data;
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        struct guest_config *config = load(path);
        set(&G_STRUCT_MEMBER(char *, config, cases[i].offset), cases[i].text);
        assert_spoilt(config, cases[i].sentence);
    }
    assert_files(directory, 1);
}

/* A path that would be read as more than a path. */
static void test_bad_disks(struct directory *directory, gconstpointer data)
{
    static const struct {
        const char *target, *vdev, *sentence;
    } cases[] = {
        {"/a,xvda;/dev/sda", "xvdb", "\"/a,xvda;/dev/sda,xvdb,ro\" would be read as \"/a,xvda; /dev/sda,xvdb,ro\"."},
        {"/a,xvda; /dev/sda", "xvdb", "\"/a,xvda; /dev/sda,xvdb,ro\" would be read as \"/a,xvda; /dev/sda,xvdb,ro\"."},
        {"/a,rw", "xvda", "\"/a,rw,xvda,ro\" would be read as \"/a,xvda,ro\"."},
        {"/a ", "xvda", "\"/a ,xvda,ro\" would be read as \"/a,xvda,ro\"."},
        {"/a", "sda", "disk: \"sda\" is not one of"},
        {"", "xvda", "disk: \"\" must be a whole path"},
    };
    g_autofree char *path = write_file(directory, "a.conf", TO_SPOIL);
    (void)data;
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        struct guest_config *config = load(path);
        struct guest_disk *disk = g_ptr_array_index(config->disks, 0);
        set(&disk->target, cases[i].target);
        g_strlcpy(disk->vdev, cases[i].vdev, sizeof(disk->vdev));
        assert_spoilt(config, cases[i].sentence);
    }
    assert_files(directory, 1);
}

/* ---- files that are none ---- */

static void write_bytes(const char *path, const char *bytes, gsize length)
{
    g_assert_true(g_file_set_contents(path, bytes, (gssize)length, NULL));
}

static void test_no_text(struct directory *directory, gconstpointer data)
{
    static const char hidden[] = MINIMUM "cmdline=a\0b\n";
    g_autofree char *path = write_file(directory, "a.conf", MINIMUM);
    g_autofree char *large = g_strnfill(64 * 1024 + 1, '#');
    struct guest_config *config = load(path);
    (void)data;
    write_bytes(path, hidden, sizeof(hidden) - 1);
    assert_refused(path, "It is not text in UTF-8.");
    assert_unwritten(config, path, "It is not text in UTF-8.");
    write_bytes(path, MINIMUM "cmdline=\377\n", strlen(MINIMUM) + 10);
    assert_refused(path, "It is not text in UTF-8.");
    write_bytes(path, large, strlen(large));
    assert_refused(path, "It is longer than 64 KiB.");
    assert_unwritten(config, path, "It is longer than 64 KiB.");
    g_assert_cmpint(truncate(path, (off_t)1 << 41), ==, 0);
    assert_refused(path, "It is longer than 64 KiB.");
    large[64 * 1024] = '\0';
    memcpy(large, MINIMUM, strlen(MINIMUM));
    write_bytes(path, large, strlen(large));
    guest_config_free(load(path));
    write_bytes(path, "no key file\n", 12);
    g_assert_null(guest_config_load(path, NULL));
    assert_unwritten(config, path, "no key file");
    g_autofree char *now = contents(path);
    g_assert_cmpstr(now, ==, "no key file\n");
    guest_config_free(config);
}

/* A device may have no end, and a pipe would be waited for. */
static void test_no_file(struct directory *directory, gconstpointer data)
{
    g_autofree char *path = write_file(directory, "a.conf", MINIMUM);
    g_autofree char *pipe = g_build_filename(directory->path, "pipe.conf", NULL);
    g_autofree char *folder = g_build_filename(directory->path, "folder.conf", NULL);
    struct guest_config *config = load(path);
    (void)data;
    g_assert_cmpint(mkfifo(pipe, 0600), ==, 0);
    g_assert_cmpint(g_mkdir(folder, 0700), ==, 0);
    assert_refused("/dev/null", "It is no ordinary file.");
    assert_unwritten(config, "/dev/null", "It is no ordinary file.");
    assert_refused(pipe, "It is no ordinary file.");
    assert_unwritten(config, pipe, "It is no ordinary file.");
    assert_refused(folder, "It is no ordinary file.");
    assert_unwritten(config, folder, "It is no ordinary file.");
    g_assert_null(guest_config_load("/nonexistent/a.conf", NULL));
    assert_unwritten(config, "/nonexistent/a.conf", "/nonexistent/a.conf");
    guest_config_free(config);
}

/* Nobody may make a file in /proc, not even root; in a folder without the right to, root may. */
static void test_no_right(struct directory *directory, gconstpointer data)
{
    g_autofree char *path = write_file(directory, "a.conf", MINIMUM);
    struct guest_config *config = load(path);
    (void)data;
    assert_unwritten(config, "/proc/a.conf", "/proc/a.conf");
    config->vcpus = 2;
    g_assert_cmpint(chmod(directory->path, 0500), ==, 0);
    if (geteuid() != 0)
        assert_unwritten(config, path, "Permission denied");
    g_assert_cmpint(chmod(directory->path, 0700), ==, 0);
    g_assert_cmpint(chmod(path, 0), ==, 0);
    if (geteuid() != 0) {
        g_assert_null(guest_config_load(path, NULL));
        assert_unwritten(config, path, "Permission denied");
    }
    assert_files(directory, 1);
    guest_config_free(config);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/table/texts", test_texts);
    ADD_WITH_DIRECTORY("/table/each", test_each);
    ADD_WITH_DIRECTORY("/read/sentences", test_sentences);
    ADD_WITH_DIRECTORY("/write/round-trip", test_round_trip);
    ADD_WITH_DIRECTORY("/write/new-file", test_new_file);
    ADD_WITH_DIRECTORY("/write/own-words", test_own_words);
    ADD_WITH_DIRECTORY("/write/said-twice", test_said_twice);
    ADD_WITH_DIRECTORY("/write/other-type", test_other_type);
    ADD_WITH_DIRECTORY("/write/bad-numbers", test_bad_numbers);
    ADD_WITH_DIRECTORY("/write/bad-texts", test_bad_texts);
    ADD_WITH_DIRECTORY("/write/bad-disks", test_bad_disks);
    ADD_WITH_DIRECTORY("/hostile/no-text", test_no_text);
    ADD_WITH_DIRECTORY("/hostile/no-file", test_no_file);
    ADD_WITH_DIRECTORY("/hostile/no-right", test_no_right);
    return g_test_run();
}
