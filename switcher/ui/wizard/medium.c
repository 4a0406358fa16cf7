/* Which kind of file it is: a table of recognisers, each of which says "not mine", "whole", or what is wrong. */
#include "medium.h"
#include "medium_file.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

G_DEFINE_QUARK(medium - error - quark, medium_error)

const char *medium_kind_words(enum medium_kind kind)
{
    static const char *const words[] = {
        [MEDIUM_DISC] = "installation disc",          [MEDIUM_RAW] = "raw disk image",
        [MEDIUM_QCOW2] = "QEMU disk image (qcow2)",   [MEDIUM_VMDK] = "VMware disk image (vmdk)",
        [MEDIUM_VHD] = "Hyper-V disk image (vhd)",    [MEDIUM_VHDX] = "Hyper-V disk image (vhdx)",
        [MEDIUM_VDI] = "VirtualBox disk image (vdi)",
    };
    return words[kind];
}

gboolean medium_file_at(const struct medium_file *file, guint64 at, gpointer buffer, gsize bytes)
{
    guint8 *to = buffer;
    if (at > file->bytes || bytes > file->bytes - at)
        return FALSE;
    while (bytes) {
        ssize_t got = pread(file->fd, to, bytes, (off_t)at);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return FALSE;
        to += got;
        at += (guint64)got;
        bytes -= (gsize)got;
    }
    return TRUE;
}

guint64 medium_little(const guint8 *from, gsize bytes)
{
    guint64 value = 0;
    while (bytes--)
        value = value << 8 | from[bytes];
    return value;
}

static guint64 big(const guint8 *from, gsize bytes)
{
    guint64 value = 0;
    for (gsize i = 0; i < bytes; i++)
        value = value << 8 | from[i];
    return value;
}

enum medium_verdict medium_cut_short(guint64 wanted, guint64 there, GError **error)
{
    g_autofree char *whole = g_format_size(wanted), *part = g_format_size(there);
    g_set_error(error, MEDIUM_ERROR, MEDIUM_ERROR_TRUNCATED,
                "It is cut short: it should be at least %s long and is %s. Copy or download it again.", whole, part);
    return MEDIUM_WRONG;
}

static enum medium_verdict wrong(GError **error, enum medium_error code, const char *sentence)
{
    g_set_error_literal(error, MEDIUM_ERROR, (int)code, sentence);
    return MEDIUM_WRONG;
}

/* ---- packed files, and those that are many in one ---- */

static enum medium_verdict read_packed(const struct medium_file *file, struct medium *medium, GError **error)
{
    static const struct {
        const char *magic;
        gsize length;
    } packings[] = {{"\037\213", 2},   {"\3757zXZ", 5},   {"BZh", 3},
                    {"PK\003\004", 4}, {"(\265/\375", 4}, {"7z\274\257", 4}};
    (void)medium;
    for (gsize i = 0; i < G_N_ELEMENTS(packings); i++) {
        if (memcmp(file->head, packings[i].magic, packings[i].length) == 0)
            return wrong(error, MEDIUM_ERROR_PACKED,
                         "It is packed. Unpack it on another computer, and choose what was in it.");
    }
    if (memcmp(file->head + 257, "ustar", 5) == 0)
        return wrong(error, MEDIUM_ERROR_PACKED,
                     "It is an archive of several files (OVA is one). Unpack it on another computer, and choose the "
                     "disk image that was in it, such as its .vmdk.");
    return MEDIUM_OTHER;
}

/* ---- disk images ---- */

#define QCOW2_CRYPT_METHOD     32
#define QCOW2_FEATURES         72
#define QCOW2_EXTERNAL_DATA    4
#define QCOW2_HEADER_V3_LENGTH 104

static enum medium_verdict read_qcow2(const struct medium_file *file, struct medium *medium, GError **error)
{
    if (memcmp(file->head, "QFI\xfb", 4) != 0)
        return MEDIUM_OTHER;
    guint64 version = big(file->head + 4, 4);
    if (version != 2 && version != 3)
        return wrong(error, MEDIUM_ERROR_UNKNOWN,
                     "It is a QEMU image of a version that is not known here. Convert it to qcow2 with qemu-img.");
    medium->kind = MEDIUM_QCOW2;
    medium->disk_bytes = big(file->head + 24, 8);
    if (big(file->head + 8, 8) || (version == 3 && big(file->head + QCOW2_FEATURES, 8) & QCOW2_EXTERNAL_DATA))
        return wrong(error, MEDIUM_ERROR_PARTS,
                     "It holds only what differs from another file. Make one whole image of both with \"qemu-img "
                     "convert\" on another computer, and choose that.");
    if (big(file->head + QCOW2_CRYPT_METHOD, 4))
        return wrong(error, MEDIUM_ERROR_ENCRYPTED,
                     "It is encrypted. Convert it to an image that is not on the computer that has its password.");
    return MEDIUM_MINE;
}

#define VHD_FOOTER_BYTES 512
#define VHD_DIFFERENCING 4

/* A dynamic one has its footer at the front too; a fixed one has it at the end alone. */
static enum medium_verdict read_vhd(const struct medium_file *file, struct medium *medium, GError **error)
{
    guint8 footer[VHD_FOOTER_BYTES];
    gboolean at_end = file->bytes >= sizeof(footer) &&
                      medium_file_at(file, file->bytes - sizeof(footer), footer, sizeof(footer)) &&
                      memcmp(footer, "conectix", 8) == 0;
    if (!at_end && memcmp(file->head, "conectix", 8) != 0)
        return MEDIUM_OTHER;
    if (!at_end)
        return wrong(
            error, MEDIUM_ERROR_TRUNCATED,
            "It is cut short: a vhd image has a footer, and this one ends without. Copy or download it again.");
    medium->kind = MEDIUM_VHD;
    medium->disk_bytes = big(footer + 48, 8);
    if (big(footer + 60, 4) == VHD_DIFFERENCING)
        return wrong(error, MEDIUM_ERROR_PARTS,
                     "It holds only what differs from another file. Merge it into that on the computer it comes from.");
    return MEDIUM_MINE;
}

static enum medium_verdict read_vhdx(const struct medium_file *file, struct medium *medium, GError **error)
{
    (void)error;
    if (memcmp(file->head, "vhdxfile", 8) != 0)
        return MEDIUM_OTHER;
    medium->kind = MEDIUM_VHDX;
    return MEDIUM_MINE;
}

static enum medium_verdict read_vmdk(const struct medium_file *file, struct medium *medium, GError **error)
{
    if (memcmp(file->head, "# Disk DescriptorFile", 21) == 0)
        return wrong(error, MEDIUM_ERROR_PARTS,
                     "It only names the files that the disk is in. Convert it to one .vmdk or .qcow2 file on another "
                     "computer, and choose that.");
    if (memcmp(file->head, "KDMV", 4) != 0)
        return MEDIUM_OTHER;
    medium->kind = MEDIUM_VMDK;
    medium->disk_bytes = medium_sectors(medium_little(file->head + 12, 8));
    return MEDIUM_MINE;
}

#define VDI_SIGNATURE 0xbeda107f
#define VDI_SIZE      368

static enum medium_verdict read_vdi(const struct medium_file *file, struct medium *medium, GError **error)
{
    (void)error;
    if (medium_little(file->head + 64, 4) != VDI_SIGNATURE)
        return MEDIUM_OTHER;
    medium->kind = MEDIUM_VDI;
    medium->disk_bytes = medium_little(file->head + VDI_SIZE, 8);
    return MEDIUM_MINE;
}

/* ---- a disk as it is ---- */

#define MBR_PARTITIONS      446
#define MBR_PARTITION_BYTES 16
#define MBR_PARTITION_COUNT 4
#define MBR_PROTECTIVE      0xee /* what covers a GPT; its length may be made up */

/* How long the disk is at least, by its partition table. */
static guint64 end_of_partitions(const guint8 *head)
{
    guint64 end = 0;
    if (memcmp(head + MEDIUM_SECTOR, "EFI PART", 8) == 0)
        return medium_sectors(medium_little(head + MEDIUM_SECTOR + 32, 8) + 1);
    for (gsize i = 0; i < MBR_PARTITION_COUNT; i++) {
        const guint8 *entry = head + MBR_PARTITIONS + i * MBR_PARTITION_BYTES;
        if (entry[4] && entry[4] != MBR_PROTECTIVE)
            end = MAX(end, medium_little(entry + 8, 4) + medium_little(entry + 12, 4));
    }
    return medium_sectors(end);
}

static enum medium_verdict read_raw(const struct medium_file *file, struct medium *medium, GError **error)
{
    if (file->head[510] != 0x55 || file->head[511] != 0xaa)
        return MEDIUM_OTHER;
    guint64 end = end_of_partitions(file->head);
    medium->kind = MEDIUM_RAW;
    medium->disk_bytes = file->bytes;
    return end > file->bytes ? medium_cut_short(end, file->bytes, error) : MEDIUM_MINE;
}

/* The order counts: a disc that can be written to a stick looks like a disk too, and so may the front of a VHD. */
static enum medium_verdict (*const recognisers[])(const struct medium_file *, struct medium *, GError **) = {
    read_packed, read_qcow2, read_vhdx, read_vmdk, read_vdi, medium_read_disc, read_vhd, read_raw,
};

static gboolean read_head(struct medium_file *file, GError **error)
{
    struct stat status;
    if (fstat(file->fd, &status) < 0 || !S_ISREG(status.st_mode)) {
        wrong(error, MEDIUM_ERROR_UNREADABLE, "It is no ordinary file. Choose another one.");
        return FALSE;
    }
    file->bytes = (guint64)status.st_size;
    if (!file->bytes) {
        wrong(error, MEDIUM_ERROR_EMPTY, "It is empty. Copy or download it again.");
        return FALSE;
    }
    if (!medium_file_at(file, 0, file->head, MIN(sizeof(file->head), file->bytes))) {
        wrong(error, MEDIUM_ERROR_UNREADABLE,
              "It cannot be read. If it is on a stick, pull that out, put it in again and choose the file once more.");
        return FALSE;
    }
    return TRUE;
}

gboolean medium_read(int fd, struct medium *medium, GError **error)
{
    struct medium_file file = {.fd = fd};
    *medium = (struct medium){0};
    if (!read_head(&file, error))
        return FALSE;
    medium->bytes = file.bytes;
    for (gsize i = 0; i < G_N_ELEMENTS(recognisers); i++) {
        enum medium_verdict verdict = recognisers[i](&file, medium, error);
        if (verdict != MEDIUM_OTHER)
            return verdict == MEDIUM_MINE;
    }
    wrong(error, MEDIUM_ERROR_UNKNOWN,
          "It is neither an installation disc nor a disk image that a PC can start from. Choose another file.");
    return FALSE;
}
