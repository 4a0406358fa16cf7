/*
 * Getting at the kernel in a boot module. boot/unxz.c, boot/bzimage.c, boot/elf.c
 * Pure code: no allocation beyond what is passed in, compiled for the host too. Errors are sentences.
 */
#ifndef HV_UNPACK_H
#define HV_UNPACK_H

#include <hv/types.h>

/* If `file` is a Linux bzImage: where its payload is and its unpacked size (boot protocol >= 2.08). NULL = ok, else
 * error. Not a bzImage: *payload = file. */
const char *bzimage_payload(const uint8_t *file, size_t bytes, const uint8_t **payload, size_t *payload_bytes);

/* How a kernel is packed, by its first bytes: "xz", "zstd", ...; NULL: none of those that Linux knows. */
const char *packing_name(const uint8_t *in, size_t bytes);

/* Size of the unpacked xz stream from its index; 0 and an error otherwise. */
const char *unxz_size(const uint8_t *in, size_t in_bytes, uint64_t *out_bytes);
/* .xz stream with LZMA2 and an optional x86 BCJ filter, check CRC32 (verified), CRC64 (verified) or none. */
const char *unxz(const uint8_t *in, size_t in_bytes, uint8_t *out, uint64_t out_bytes);
bool is_xz(const uint8_t *in, size_t bytes);

#define ELF_MAX_SEGMENTS 16
struct elf_kernel {
    unsigned segments;
    struct {
        uint64_t virt, phys, file_offset, file_bytes, memory_bytes;
        bool write, execute;
    } segment[ELF_MAX_SEGMENTS];
    uint64_t low, high; /* virtual extent of all segments (after removal of VIRT_BASE handling) */
    uint64_t entry;     /* XEN_ELFNOTE_ENTRY or e_entry */
    bool has_xen_notes, supports_pv;
    uint64_t virt_base, paddr_offset;
    uint64_t init_p2m;       /* XEN_ELFNOTE_INIT_P2M; 0 = none */
    uint64_t hypercall_page; /* 0 = none */
    bool mod_start_pfn;      /* XEN_ELFNOTE_MOD_START_PFN */
    bool has_phys32_entry;
    uint32_t phys32_entry;
    uint32_t features_required[1], features_supported[1]; /* from FEATURES and SUPPORTED_FEATURES notes, by bit */
    char guest_os[16], xen_version[16], loader[16];
    const uint8_t *symbols; /* symbol table sections to load, NULL */
};
/* Parses an x86-64 ELF executable and its Xen notes. All offsets are checked against `bytes`. */
const char *elf_parse(const uint8_t *file, size_t bytes, struct elf_kernel *out);

#endif
