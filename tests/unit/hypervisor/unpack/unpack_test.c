/*
 * Unpacking of kernels: what the xz tool packs must come out as it went in; damaged input must give an error and
 * touch nothing outside the buffers (run under ASan and UBSan).
 *
 * unpack_test                 all tests, with files made now by the xz tool
 * unpack_test kernel VMLINUZ  unpacks a real kernel and compares it with what the xz tool gives
 */
#include "../../check.h"
#include "../../random.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <hv/unpack.h>

struct blob {
    uint8_t *data;
    size_t bytes;
};

static char directory[] = "/tmp/unpack_test.XXXXXX";

static const char *path(const char *name)
{
    static char text[256];
    snprintf(text, sizeof(text), "%s/%s", directory, name);
    return text;
}

static struct blob read_file(const char *name)
{
    FILE *f = fopen(name, "rb");
    CHECK(f);
    struct blob b = {NULL, 0};
    for (;;) {
        b.data = realloc(b.data, b.bytes + (1 << 20));
        size_t n = fread(b.data + b.bytes, 1, 1 << 20, f);
        if (n == 0)
            break;
        b.bytes += n;
    }
    fclose(f);
    b.data = realloc(b.data, b.bytes ? b.bytes : 1); /* exact, so that ASan sees an overrun */
    return b;
}

static void write_file(const char *name, struct blob b)
{
    FILE *f = fopen(name, "wb");
    CHECK(f && fwrite(b.data, 1, b.bytes, f) == b.bytes && fclose(f) == 0);
}

static struct blob xz_pack(struct blob plain, const char *options)
{
    char command[512];
    write_file(path("plain"), plain);
    snprintf(command, sizeof(command), "xz -k -c %s %s/plain > %s/packed", options, directory, directory);
    CHECK(system(command) == 0);
    return read_file(path("packed"));
}

/* Compiled code, text, noise and zeros: every kind of chunk, and plenty of branches. */
static struct blob sample(size_t bytes)
{
    struct blob b = read_file("/proc/self/exe");
    size_t code = b.bytes;
    if (code > bytes / 2)
        code = bytes / 2;
    b.data = realloc(b.data, bytes ? bytes : 1);
    for (size_t i = code; i < bytes; i++) {
        size_t third = (bytes - code) / 3 + 1, part = (i - code) / third;
        static const uint8_t branches[] = {0xe8, 0xe9, 0x00, 0xff, 0xe8, 0x01, 0x00, 0x7f};
        b.data[i] = part == 0 ? (uint8_t)random64() : part == 1 ? 0 : branches[random_below(sizeof(branches))];
    }
    b.bytes = bytes;
    return b;
}

static const char *unpack(struct blob packed, struct blob *plain)
{
    uint64_t size;
    *plain = (struct blob){NULL, 0};
    const char *error = unxz_size(packed.data, packed.bytes, &size);
    if (error)
        return error;
    if (size > 256 << 20)
        return "too large";
    plain->data = malloc(size ? size : 1);
    plain->bytes = size;
    return unxz(packed.data, packed.bytes, plain->data, size);
}

static void check_same(struct blob packed, struct blob plain)
{
    struct blob out;
    const char *error = unpack(packed, &out);
    if (error)
        fprintf(stderr, "%s\n", error);
    CHECK(!error && out.bytes == plain.bytes && memcmp(out.data, plain.data, plain.bytes) == 0);
    free(out.data);
}

static const char *const option_sets[] = {
    "--check=crc32 --x86 --lzma2=dict=32MiB",
    "--check=crc32 --lzma2",
    "--check=crc64 --x86 --lzma2",
    "--check=none -0",
    "--check=crc64 --lzma2=lc=0,lp=4,pb=4",
    "--check=crc32 --x86 --lzma2=lc=4,lp=0,pb=0,nice=273",
    "--check=crc64 -9e",
    "--check=crc32 --block-size=40000 -T1 --x86 --lzma2",
    "--check=crc64 -T2 --block-size=65536",
    "--check=crc32 --x86=start=4096 --lzma2",
};

static void test_round_trip(void)
{
    static const size_t sizes[] = {0, 1, 4, 5, 6, 100, 65536, 65537, 300000, 5000000};
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        struct blob plain = sample(sizes[i]);
        /* Packing takes the time; what differs between large files is seen with the first set, which is Linux's. */
        for (size_t o = 0; o < (sizes[i] > 1000000 ? 1 : ARRAY_SIZE(option_sets)); o++) {
            struct blob packed = xz_pack(plain, option_sets[o]);
            check_same(packed, plain);
            free(packed.data);
        }
        free(plain.data);
    }
}

static void test_linux_size_trailer(void)
{
    struct blob plain = sample(100000), packed = xz_pack(plain, option_sets[0]);
    packed.data = realloc(packed.data, packed.bytes + 4);
    for (int i = 0; i < 4; i++)
        packed.data[packed.bytes + i] = plain.bytes >> (8 * i);
    packed.bytes += 4;
    check_same(packed, plain);
    free(packed.data);
    free(plain.data);
}

static void test_errors(void)
{
    struct blob plain = sample(3000), out, packed;
    static const char *const unsupported[] = {"--check=sha256", "--arm --lzma2", "--delta --x86 --lzma2",
                                              "--x86 --x86 --lzma2"};
    for (size_t i = 0; i < ARRAY_SIZE(unsupported); i++) {
        packed = xz_pack(plain, unsupported[i]);
        const char *error = unpack(packed, &out);
        CHECK(error && strstr(error, "not supported"));
        free(out.data);
        free(packed.data);
    }
    packed = xz_pack(plain, option_sets[0]);
    uint8_t small[2999], large[3001];
    CHECK(unxz(packed.data, packed.bytes, small, sizeof(small)));
    CHECK(unxz(packed.data, packed.bytes, large, sizeof(large)));
    CHECK(is_xz(packed.data, packed.bytes) && !is_xz(packed.data, 5) && !is_xz(plain.data, plain.bytes));
    free(packed.data);
    free(plain.data);
}

/* Every shorter file fails; so does every file with a changed byte, or else (padding nobody reads)
 * it unpacks the same. */
static void test_truncated_and_corrupted(void)
{
    struct blob plain = sample(6000), packed = xz_pack(plain, option_sets[0]), out;
    for (size_t n = 0; n < packed.bytes; n++) {
        struct blob part = {malloc(n ? n : 1), n};
        memcpy(part.data, packed.data, n);
        CHECK(unpack(part, &out));
        free(out.data);
        free(part.data);
    }
    for (size_t i = 0; i < packed.bytes; i++) {
        packed.data[i] ^= 1 << (i % 8);
        const char *error = unpack(packed, &out);
        CHECK(error || (out.bytes == plain.bytes && memcmp(out.data, plain.data, plain.bytes) == 0));
        CHECK(error || i > packed.bytes - 64);
        packed.data[i] ^= 1 << (i % 8);
        free(out.data);
    }
    free(packed.data);
    free(plain.data);
}

/* Damage that the checksums of header and index do not see first: only in the blocks' data, with
 * the check turned off. */
static void test_fuzz(unsigned rounds)
{
    struct blob plain = sample(60000);
    for (size_t o = 3; o < 5; o++) {
        struct blob packed = xz_pack(plain, o == 3 ? "--check=none --x86 --lzma2" : "--check=none -6"), out;
        uint8_t *good = malloc(packed.bytes);
        memcpy(good, packed.data, packed.bytes);
        for (unsigned i = 0; i < rounds; i++) {
            for (int n = 1 + random_below(4); n > 0; n--)
                packed.data[24 + random_below(packed.bytes - 48)] = random64();
            unpack(packed, &out);
            free(out.data);
            memcpy(packed.data, good, packed.bytes);
        }
        free(good);
        free(packed.data);
    }
    free(plain.data);
}

static void put(uint8_t *at, uint64_t value, int bytes)
{
    for (int i = 0; i < bytes; i++)
        at[i] = value >> (8 * i);
}

static void test_packing_name(void)
{
    static const uint8_t zstd[] = {0x28, 0xb5, 0x2f, 0xfd, 0}, gzip[] = {0x1f, 0x8b};
    static const uint8_t xz[] = {0xfd, '7', 'z', 'X', 'Z', 0};
    CHECK(!strcmp(packing_name(zstd, sizeof(zstd)), "zstd") && !strcmp(packing_name(gzip, sizeof(gzip)), "gzip"));
    CHECK(!strcmp(packing_name(xz, sizeof(xz)), "xz") && !packing_name(xz, sizeof(xz) - 1));
    CHECK(!packing_name((const uint8_t *)"\x7f" "ELF", 4) && !packing_name(gzip, 0));
}

static void test_bzimage(void)
{
    uint8_t file[4096] = {0};
    const uint8_t *payload;
    size_t bytes;
    CHECK(!bzimage_payload(file, sizeof(file), &payload, &bytes) && payload == file && bytes == sizeof(file));
    file[0x1f1] = 2;
    put(file + 0x1fe, 0xaa55, 2);
    memcpy(file + 0x202, "HdrS", 4);
    put(file + 0x248, 100, 4);
    put(file + 0x24c, 1000, 4);
    put(file + 0x206, 0x207, 2);
    CHECK(bzimage_payload(file, sizeof(file), &payload, &bytes));
    put(file + 0x206, 0x20f, 2);
    CHECK(!bzimage_payload(file, sizeof(file), &payload, &bytes) && payload == file + 3 * 512 + 100 && bytes == 1000);
    put(file + 0x24c, 4096 - 3 * 512 - 100, 4);
    CHECK(!bzimage_payload(file, sizeof(file), &payload, &bytes));
    put(file + 0x24c, 4096 - 3 * 512 - 99, 4);
    CHECK(bzimage_payload(file, sizeof(file), &payload, &bytes));
    put(file + 0x248, 0xffffffff, 4);
    CHECK(bzimage_payload(file, sizeof(file), &payload, &bytes));
}

static size_t add_note(uint8_t *at, unsigned type, const void *data, unsigned bytes)
{
    put(at, 4, 4);
    put(at + 4, bytes, 4);
    put(at + 8, type, 4);
    memcpy(at + 12, "Xen", 4);
    memcpy(at + 16, data, bytes);
    return 16 + ROUND_UP(bytes, 4);
}

/* A kernel like Linux: text, a per-CPU segment linked at 0, notes. Returns the size. */
static size_t make_elf(uint8_t *file, const char *features)
{
    memset(file, 0, 4096);
    memcpy(file, "\177ELF\2\1\1", 7);
    put(file + 16, 2, 2);
    put(file + 18, 62, 2);
    put(file + 24, 0x1000000, 8);
    put(file + 32, 64, 8);
    put(file + 54, 56, 2);
    put(file + 56, 3, 2);
    static const uint64_t headers[3][7] = {
        /* type | flags << 32, offset, virt, phys, file, memory, align */
        {1 | 5ULL << 32, 0x800, 0xffffffff81000000, 0x1000000, 0x100, 0x1000, 0x1000},
        {1 | 6ULL << 32, 0x900, 0, 0x1200000, 0x100, 0x100, 0x1000},
        {4, 0x400, 0, 0, 0, 0, 4},
    };
    for (int i = 0; i < 3; i++)
        for (int f = 0; f < 7; f++)
            put(file + 64 + i * 56 + f * 8, headers[i][f], 8);
    uint64_t entry = 0xffffffff81000800, base = 0xffffffff80000000, p2m = 0x8000000000, zero = 0;
    uint32_t supported = 0x8801, pvh = 0x1000850, one = 1;
    size_t n = 0x400;
    n += add_note(file + n, 6, "linux", 6);
    n += add_note(file + n, 5, "xen-3.0", 8);
    n += add_note(file + n, 3, &base, 8);
    n += add_note(file + n, 4, &zero, 8);
    n += add_note(file + n, 1, &entry, 8);
    n += add_note(file + n, 10, features, strlen(features) + 1);
    n += add_note(file + n, 17, &supported, 4);
    n += add_note(file + n, 15, &p2m, 8);
    n += add_note(file + n, 18, &pvh, 4);
    n += add_note(file + n, 16, &one, 4);
    put(file + 64 + 2 * 56 + 32, n - 0x400, 8);
    return 0xa00;
}

/* What must be one thing in the file and is another; in its place each is refused. */
static void test_elf_refusals(void)
{
    static const struct {
        size_t at;
        uint64_t good, bad;
        const char *error;
    } refusals[] = {
        {64 + 40, 0x1000, 0xff, "the kernel's ELF segments are damaged"}, /* less in memory than in the file */
        {64 + 24, 0x1000000, 0xffffffffffffff00, "the kernel's ELF segments are damaged"},
        {0x464, 8, 0x1000, "the kernel's ELF notes are damaged"}, /* the length of the entry point's note */
        {0x470, 0xffffffff81000800, 0xffffffff81200100, "the kernel's entry point lies outside of it"},
        {0x470, 0xffffffff81000800, 0xffffffff80ffffff, "the kernel's entry point lies outside of it"},
    };
    uint8_t file[4096];
    struct elf_kernel k;

    for (size_t i = 0; i < ARRAY_SIZE(refusals); i++) {
        size_t bytes = make_elf(file, ""), width = refusals[i].good < 16 ? 4 : 8;
        CHECK(memcmp(file + refusals[i].at, &refusals[i].good, width) == 0);
        put(file + refusals[i].at, refusals[i].bad, width);
        const char *error = elf_parse(file, bytes, &k);
        CHECK(error && !strcmp(error, refusals[i].error));
    }
}

static void test_elf(void)
{
    uint8_t file[4096];
    struct elf_kernel k;
    size_t bytes = make_elf(file, "!writable_page_tables|pae_pgdir_above_4gb|something_new");
    CHECK(!elf_parse(file, bytes, &k) && k.segments == 2 && k.supports_pv && k.has_xen_notes);
    CHECK(k.entry == 0xffffffff81000800 && k.low == 0xffffffff81000000 && k.high == 0xffffffff81200100);
    CHECK(k.segment[1].virt == 0xffffffff81200000 && k.segment[1].write && !k.segment[1].execute);
    CHECK(k.features_required[0] == 1 && k.features_supported[0] == (0x8801 | 1 << 4));
    CHECK(k.init_p2m == 0x8000000000 && k.mod_start_pfn && k.has_phys32_entry && k.phys32_entry == 0x1000850);
    CHECK(!strcmp(k.guest_os, "linux") && !strcmp(k.xen_version, "xen-3.0") && k.hypercall_page == 0);
    CHECK(elf_parse(file, bytes - 1, &k));
    make_elf(file, "!no_such_feature");
    CHECK(elf_parse(file, bytes, &k));
    make_elf(file, "");
    put(file + 64 + 16, 0xffffffffffffff00, 8);
    put(file + 64 + 24, 0xffffffffffffff00, 8);
    CHECK(elf_parse(file, bytes, &k));
    for (int i = 0; i < 20000; i++) { /* damaged headers and notes: any answer, no stray access */
        struct blob b = {malloc(bytes), bytes};
        make_elf(file, "!writable_page_tables");
        memcpy(b.data, file, bytes);
        for (int n = 1 + random_below(6); n > 0; n--)
            b.data[random_below(random_below(2) ? 0x110 : 0x600)] = random64();
        elf_parse(b.data, bytes, &k);
        free(b.data);
    }
}

static void test_kernel(const char *vmlinuz)
{
    struct blob file = read_file(vmlinuz), out;
    const uint8_t *payload;
    size_t bytes;
    struct elf_kernel k;
    CHECK(!bzimage_payload(file.data, file.bytes, &payload, &bytes) && payload != file.data && is_xz(payload, bytes));
    const char *error = unpack((struct blob){(uint8_t *)payload, bytes}, &out);
    printf("%zu -> %zu bytes: %s\n", bytes, out.bytes, error ? error : "ok");
    CHECK(!error);
    write_file(path("packed"), (struct blob){(uint8_t *)payload, bytes - 4});
    char command[256];
    snprintf(command, sizeof(command), "xz -d -c < %s/packed > %s/plain", directory, directory);
    CHECK(system(command) == 0);
    struct blob plain = read_file(path("plain"));
    CHECK(plain.bytes == out.bytes && memcmp(plain.data, out.data, out.bytes) == 0);
    CHECK(!elf_parse(out.data, out.bytes, &k) && k.supports_pv);
    for (unsigned i = 0; i < k.segments; i++)
        printf("segment %#lx, %#lx bytes\n", k.segment[i].virt, k.segment[i].memory_bytes);
    printf("entry %#lx, initial p2m %#lx, required features %#x, supported %#x\n", k.entry, k.init_p2m,
           k.features_required[0], k.features_supported[0]);
    free(plain.data);
    free(out.data);
    free(file.data);
}

int main(int argc, char **argv)
{
    CHECK(mkdtemp(directory));
    if (argc == 3 && strcmp(argv[1], "kernel") == 0) {
        test_kernel(argv[2]);
    } else {
        test_packing_name();
        test_bzimage();
        test_elf_refusals();
        test_elf();
        test_round_trip();
        test_linux_size_trailer();
        test_errors();
        test_truncated_and_corrupted();
        test_fuzz(2000);
    }
    unlink(path("plain"));
    unlink(path("packed"));
    rmdir(directory);
    puts("ok");
    return 0;
}
