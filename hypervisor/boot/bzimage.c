/*
 * Finding the packed kernel inside a Linux bzImage.
 * Source: Linux Documentation/arch/x86/boot.rst, the real-mode header, protocol 2.08 and later.
 */
#include <hv/unpack.h>
#include <hv/lib.h>

#define SETUP_SECTORS    0x1f1
#define BOOT_FLAG        0x1fe
#define HEADER_MAGIC     0x202
#define PROTOCOL_VERSION 0x206
#define PAYLOAD_OFFSET   0x248
#define PAYLOAD_LENGTH   0x24c
#define HEADER_END       0x250

#define SECTOR                     512
#define DEFAULT_SETUP_SECTORS      4 /* what 0 means */
#define FIRST_VERSION_WITH_PAYLOAD 0x0208

static uint32_t le16(const uint8_t *p)
{
    return p[0] | p[1] << 8;
}

static uint32_t le32(const uint8_t *p)
{
    return le16(p) | le16(p + 2) << 16;
}

static bool is_bzimage(const uint8_t *file, size_t bytes)
{
    return bytes >= HEADER_END && le16(file + BOOT_FLAG) == 0xaa55 && memcmp(file + HEADER_MAGIC, "HdrS", 4) == 0;
}

const char *packing_name(const uint8_t *in, size_t bytes)
{
    static const struct {
        const char *name;
        uint8_t bytes, magic[6];
    } packings[] = {
        {"xz", 6, {0xfd, '7', 'z', 'X', 'Z', 0}}, {"zstd", 4, {0x28, 0xb5, 0x2f, 0xfd}},
        {"gzip", 2, {0x1f, 0x8b}},                {"lz4", 4, {0x02, 0x21, 0x4c, 0x18}},
        {"bzip2", 3, {'B', 'Z', 'h'}},            {"lzma", 3, {0x5d, 0, 0}},
        {"lzo", 3, {0x89, 'L', 'Z'}},
    };
    for (unsigned i = 0; i < ARRAY_SIZE(packings); i++)
        if (bytes >= packings[i].bytes && memcmp(in, packings[i].magic, packings[i].bytes) == 0)
            return packings[i].name;
    return NULL;
}

const char *bzimage_payload(const uint8_t *file, size_t bytes, const uint8_t **payload, size_t *payload_bytes)
{
    *payload = file;
    *payload_bytes = bytes;
    if (!is_bzimage(file, bytes))
        return NULL;
    if (le16(file + PROTOCOL_VERSION) < FIRST_VERSION_WITH_PAYLOAD)
        return "the kernel is too old: its boot protocol does not say where its payload is";
    uint64_t setup_sectors = file[SETUP_SECTORS] ? file[SETUP_SECTORS] : DEFAULT_SETUP_SECTORS;
    uint64_t start = (setup_sectors + 1) * SECTOR + le32(file + PAYLOAD_OFFSET);
    uint64_t length = le32(file + PAYLOAD_LENGTH);
    if (length == 0 || start > bytes || length > bytes - start)
        return "the kernel is truncated: its payload lies outside the file";
    *payload = file + start;
    *payload_bytes = length;
    return NULL;
}
