/* Discs and images made of bytes: whole ones, cut ones, others. One disc is made by xorriso, as people's are. */
#include "medium.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define DISC_SECTOR 2048
#define DISC_BYTES  (600 * DISC_SECTOR)

static void put(int fd, guint64 at, const void *bytes, gsize count)
{
    g_assert_cmpint(pwrite(fd, bytes, count, (off_t)at), ==, (gssize)count);
}

static void put_little(int fd, guint64 at, guint64 value, gsize count)
{
    guint8 bytes[8];
    for (gsize i = 0; i < count; i++)
        bytes[i] = (guint8)(value >> 8 * i);
    put(fd, at, bytes, count);
}

static void put_big(int fd, guint64 at, guint64 value, gsize count)
{
    guint8 bytes[8];
    for (gsize i = 0; i < count; i++)
        bytes[i] = (guint8)(value >> 8 * (count - 1 - i));
    put(fd, at, bytes, count);
}

static int file_of(guint64 bytes)
{
    int fd = memfd_create("medium", MFD_CLOEXEC);
    g_assert_cmpint(fd, >=, 0);
    g_assert_cmpint(ftruncate(fd, (off_t)bytes), ==, 0);
    return fd;
}

static void descriptor(int fd, guint sector, guint8 type)
{
    put(fd, sector * DISC_SECTOR, &type, 1);
    put(fd, sector * DISC_SECTOR + 1, "CD001\1", 6);
}

/* A disc that says so many sectors of itself. */
static int disc(guint64 bytes, guint32 sectors, gboolean bootable)
{
    int fd = file_of(bytes);
    descriptor(fd, 16, 1);
    put(fd, 16 * DISC_SECTOR + 8, "LINUX   ", 8);
    put(fd, 16 * DISC_SECTOR + 40, "  Work\x01 1  ", 11);
    put_little(fd, 16 * DISC_SECTOR + 80, sectors, 4);
    put_little(fd, 16 * DISC_SECTOR + 128, DISC_SECTOR, 2);
    descriptor(fd, 17, bootable ? 0 : 2);
    put(fd, 17 * DISC_SECTOR + 7, "EL TORITO SPECIFICATION", 23);
    descriptor(fd, 18, 255);
    return fd;
}

/* UDF beside it, with a partition up to this sector. */
static void add_udf(int fd, guint32 end)
{
    put_little(fd, 256 * DISC_SECTOR, 2, 2);
    put_little(fd, 256 * DISC_SECTOR + 16, 16 * DISC_SECTOR, 4);
    put_little(fd, 256 * DISC_SECTOR + 20, 257, 4);
    put_little(fd, 258 * DISC_SECTOR, 5, 2);
    put_little(fd, 258 * DISC_SECTOR + 188, 300, 4);
    put_little(fd, 258 * DISC_SECTOR + 192, end - 300, 4);
}

static struct medium expect_good(int fd, enum medium_kind kind)
{
    struct medium medium;
    g_autoptr(GError) error = NULL;
    g_assert_true(medium_read(fd, &medium, &error));
    g_assert_no_error(error);
    g_assert_cmpint(medium.kind, ==, kind);
    g_assert_nonnull(medium_kind_words(kind));
    close(fd);
    return medium;
}

static void expect_bad(int fd, enum medium_error code, const char *words)
{
    struct medium medium;
    g_autoptr(GError) error = NULL;
    g_assert_false(medium_read(fd, &medium, &error));
    g_assert_error(error, MEDIUM_ERROR, (int)code);
    if (!strstr(error->message, words))
        g_error("\"%s\" does not say \"%s\"", error->message, words);
    close(fd);
}

static void test_disc(void)
{
    struct medium medium = expect_good(disc(DISC_BYTES, 600, TRUE), MEDIUM_DISC);
    g_assert_true(medium.bootable);
    g_assert_cmpstr(medium.volume, ==, "Work  1");
    g_assert_cmpstr(medium.system, ==, "LINUX");
    g_assert_cmpstr(medium.publisher, ==, "");
    g_assert_cmpuint(medium.volume_bytes, ==, DISC_BYTES);
    g_assert_false(expect_good(disc(DISC_BYTES, 600, FALSE), MEDIUM_DISC).bootable);
    expect_good(disc(DISC_BYTES + 5000, 600, TRUE), MEDIUM_DISC);
    /* What follows the terminator is no descriptor of the disc's. */
    int fd = disc(DISC_BYTES, 600, FALSE);
    descriptor(fd, 19, 0);
    put(fd, 19 * DISC_SECTOR + 7, "EL TORITO SPECIFICATION", 23);
    g_assert_false(expect_good(fd, MEDIUM_DISC).bootable);
    /* One that can be written to a stick has a partition table too. */
    fd = disc(DISC_BYTES, 600, TRUE);
    put(fd, 510, "\x55\xaa", 2);
    expect_good(fd, MEDIUM_DISC);
}

static void test_disc_cut(void)
{
    expect_bad(disc(DISC_BYTES - 1, 600, TRUE), MEDIUM_ERROR_TRUNCATED, "1.2");
    expect_bad(disc(20 * DISC_SECTOR, 600, TRUE), MEDIUM_ERROR_TRUNCATED, "cut short");
    expect_bad(file_of(17 * DISC_SECTOR), MEDIUM_ERROR_UNKNOWN, "neither");
}

static void test_disc_udf(void)
{
    int fd = disc(DISC_BYTES, 100, TRUE);
    add_udf(fd, 600);
    expect_good(fd, MEDIUM_DISC);
    fd = disc(DISC_BYTES, 100, TRUE);
    add_udf(fd, 601);
    expect_bad(fd, MEDIUM_ERROR_TRUNCATED, "cut short");
}

static void test_xorriso(void)
{
    g_autofree char *folder = g_dir_make_tmp("medium-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(folder, "disc.iso", NULL), *text = g_build_filename(folder, "text", NULL);
    const char *const command[] = {"xorriso", "-as", "mkisofs", "-quiet", "-V", "Our disc 12", "-o", path, text, NULL};
    int status = -1;
    g_assert_true(g_file_set_contents(text, "A file of the disc", -1, NULL));
    g_assert_true(g_spawn_sync(NULL, (char **)command, NULL, G_SPAWN_SEARCH_PATH | G_SPAWN_STDERR_TO_DEV_NULL, NULL,
                               NULL, NULL, NULL, &status, NULL));
    g_assert_cmpint(status, ==, 0);
    g_assert_cmpstr(expect_good(open(path, O_RDONLY | O_CLOEXEC), MEDIUM_DISC).volume, ==, "Our disc 12");
    g_assert_cmpint(truncate(path, 40 * DISC_SECTOR), ==, 0);
    expect_bad(open(path, O_RDONLY | O_CLOEXEC), MEDIUM_ERROR_TRUNCATED, "cut short");
    g_unlink(path);
    g_unlink(text);
    g_rmdir(folder);
}

static int qcow2(guint32 version)
{
    int fd = file_of(200000);
    put(fd, 0, "QFI\xfb", 4);
    put_big(fd, 4, version, 4);
    put_big(fd, 24, 1000000, 8);
    return fd;
}

static void test_qcow2(void)
{
    g_assert_cmpuint(expect_good(qcow2(3), MEDIUM_QCOW2).disk_bytes, ==, 1000000);
    expect_good(qcow2(2), MEDIUM_QCOW2);
    expect_bad(qcow2(4), MEDIUM_ERROR_UNKNOWN, "version");
    int fd = qcow2(3);
    put_big(fd, 8, 112, 8);
    expect_bad(fd, MEDIUM_ERROR_PARTS, "qemu-img");
    fd = qcow2(3);
    put_big(fd, 72, 4, 8);
    expect_bad(fd, MEDIUM_ERROR_PARTS, "qemu-img");
    fd = qcow2(2);
    put_big(fd, 32, 2, 4);
    expect_bad(fd, MEDIUM_ERROR_ENCRYPTED, "password");
}

static int vhd(guint32 type, gboolean front, gboolean end)
{
    int fd = file_of(10240);
    for (gsize i = 0; i < 2; i++) {
        guint64 at = i ? 10240 - 512 : 0;
        if (!(i ? end : front))
            continue;
        put(fd, at, "conectix", 8);
        put_big(fd, at + 48, 5000000, 8);
        put_big(fd, at + 60, type, 4);
    }
    return fd;
}

static void test_vhd(void)
{
    g_assert_cmpuint(expect_good(vhd(2, FALSE, TRUE), MEDIUM_VHD).disk_bytes, ==, 5000000);
    expect_good(vhd(3, TRUE, TRUE), MEDIUM_VHD);
    expect_bad(vhd(3, TRUE, FALSE), MEDIUM_ERROR_TRUNCATED, "cut short");
    expect_bad(vhd(4, TRUE, TRUE), MEDIUM_ERROR_PARTS, "Merge");
    /* A fixed one begins as the disk does. */
    int fd = vhd(2, FALSE, TRUE);
    put(fd, 510, "\x55\xaa", 2);
    expect_good(fd, MEDIUM_VHD);
}

static void test_other_images(void)
{
    int fd = file_of(4096);
    put(fd, 0, "vhdxfile", 8);
    expect_good(fd, MEDIUM_VHDX);
    fd = file_of(4096);
    put(fd, 0, "KDMV", 4);
    put_little(fd, 12, 2048, 8);
    g_assert_cmpuint(expect_good(fd, MEDIUM_VMDK).disk_bytes, ==, 1024 * 1024);
    fd = file_of(4096);
    put(fd, 0, "# Disk DescriptorFile\n", 22);
    expect_bad(fd, MEDIUM_ERROR_PARTS, ".vmdk");
    fd = file_of(4096);
    put_little(fd, 64, 0xbeda107f, 4);
    put_little(fd, 368, 7340032, 8);
    g_assert_cmpuint(expect_good(fd, MEDIUM_VDI).disk_bytes, ==, 7340032);
}

static int raw(guint8 type, guint32 start, guint32 count)
{
    int fd = file_of(100 * 512);
    put(fd, 510, "\x55\xaa", 2);
    put(fd, 446 + 16 + 4, &type, 1);
    put_little(fd, 446 + 16 + 8, start, 4);
    put_little(fd, 446 + 16 + 12, count, 4);
    return fd;
}

static void test_raw(void)
{
    g_assert_cmpuint(expect_good(raw(0x83, 10, 90), MEDIUM_RAW).disk_bytes, ==, 51200);
    expect_bad(raw(0x83, 10, 91), MEDIUM_ERROR_TRUNCATED, "cut short");
    expect_bad(raw(0x83, 0xffffffff, 0xffffffff), MEDIUM_ERROR_TRUNCATED, "cut short");
    expect_good(raw(0xee, 1, 0xffffffff), MEDIUM_RAW);
    int fd = raw(0xee, 1, 0xffffffff);
    put(fd, 512, "EFI PART", 8);
    put_little(fd, 512 + 32, 99, 8);
    expect_good(fd, MEDIUM_RAW);
    fd = raw(0xee, 1, 0xffffffff);
    put(fd, 512, "EFI PART", 8);
    put_little(fd, 512 + 32, G_MAXUINT64, 8);
    expect_good(fd, MEDIUM_RAW); /* a place that cannot be says nothing */
    fd = raw(0xee, 1, 0xffffffff);
    put(fd, 512, "EFI PART", 8);
    put_little(fd, 512 + 32, 100, 8);
    expect_bad(fd, MEDIUM_ERROR_TRUNCATED, "cut short");
    fd = raw(0xee, 1, 0xffffffff);
    put(fd, 512, "EFI PART", 8);
    put_little(fd, 512 + 32, G_MAXUINT64 - 1, 8);
    expect_bad(fd, MEDIUM_ERROR_TRUNCATED, "cut short");
}

static void test_refused(void)
{
    int fd, ends[2];
    static const struct {
        const char *bytes;
        gsize count;
    } packed[] = {{"\037\213\010", 3}, {"\3757zXZ", 5},   {"BZh9", 4},
                  {"PK\003\004", 4},   {"(\265/\375", 4}, {"7z\274\257", 4}};
    for (gsize i = 0; i < G_N_ELEMENTS(packed); i++) {
        fd = file_of(4096);
        put(fd, 0, packed[i].bytes, packed[i].count);
        expect_bad(fd, MEDIUM_ERROR_PACKED, "Unpack it");
    }
    fd = file_of(4096);
    put(fd, 257, "ustar", 5);
    expect_bad(fd, MEDIUM_ERROR_PACKED, "OVA");
    expect_bad(file_of(0), MEDIUM_ERROR_EMPTY, "empty");
    expect_bad(file_of(3), MEDIUM_ERROR_UNKNOWN, "neither");
    expect_bad(file_of(1 << 20), MEDIUM_ERROR_UNKNOWN, "neither");
    expect_bad(open("/", O_RDONLY | O_CLOEXEC), MEDIUM_ERROR_UNREADABLE, "ordinary");
    g_assert_cmpint(pipe2(ends, O_CLOEXEC), ==, 0);
    close(ends[1]);
    expect_bad(ends[0], MEDIUM_ERROR_UNREADABLE, "ordinary");
    expect_bad(-1, MEDIUM_ERROR_UNREADABLE, "ordinary");
    expect_bad(open("/proc/self/mem", O_RDONLY | O_CLOEXEC), MEDIUM_ERROR_EMPTY, "empty");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/medium/disc", test_disc);
    g_test_add_func("/medium/disc-cut", test_disc_cut);
    g_test_add_func("/medium/disc-udf", test_disc_udf);
    g_test_add_func("/medium/xorriso", test_xorriso);
    g_test_add_func("/medium/qcow2", test_qcow2);
    g_test_add_func("/medium/vhd", test_vhd);
    g_test_add_func("/medium/other-images", test_other_images);
    g_test_add_func("/medium/raw", test_raw);
    g_test_add_func("/medium/refused", test_refused);
    return g_test_run();
}
