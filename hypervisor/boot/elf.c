/*
 * Reading an x86-64 ELF kernel: what to load where, and its Xen notes.
 * Source: System V ABI (ELF-64 object file format), xen/elfnote.h, xen/features.h.
 *
 * The file is the toolchain's but it is checked as if it were hostile: every offset against the file's size, every sum
 * for overflow. Nothing is copied but short strings.
 */
#include <hv/unpack.h>
#include <hv/lib.h>
#include <xen/elfnote.h>
#include <xen/features.h>

struct elf_header {
    uint8_t magic[4], class, encoding, ident_version, pad[9];
    uint16_t type, machine;
    uint32_t version;
    uint64_t entry, program_headers, section_headers;
    uint32_t flags;
    uint16_t header_bytes, program_header_bytes, program_header_count;
    uint16_t section_header_bytes, section_header_count, section_names;
};
_Static_assert(sizeof(struct elf_header) == 64, "Elf64_Ehdr");

struct program_header {
    uint32_t type, flags;
    uint64_t offset, virt, phys, file_bytes, memory_bytes, align;
};
_Static_assert(sizeof(struct program_header) == 56, "Elf64_Phdr");

struct note_header {
    uint32_t name_bytes, data_bytes, type;
};
_Static_assert(sizeof(struct note_header) == 12, "Elf64_Nhdr");

#define CLASS_64        2
#define ENCODING_LITTLE 1
#define TYPE_EXECUTABLE 2
#define TYPE_SHARED     3
#define MACHINE_X86_64  62
#define SEGMENT_LOAD    1
#define SEGMENT_NOTE    4
#define FLAG_EXECUTE    1
#define FLAG_WRITE      2

struct feature_name {
    const char *name;
    unsigned bit;
};
static const struct feature_name feature_names[] = {
    {"writable_page_tables", XENFEAT_writable_page_tables},
    {"writable_descriptor_tables", XENFEAT_writable_descriptor_tables},
    {"auto_translated_physmap", XENFEAT_auto_translated_physmap},
    {"supervisor_mode_kernel", XENFEAT_supervisor_mode_kernel},
    {"pae_pgdir_above_4gb", XENFEAT_pae_pgdir_above_4gb},
    {"mmu_pt_update_preserve_ad", XENFEAT_mmu_pt_update_preserve_ad},
    {"gnttab_map_avail_bits", XENFEAT_gnttab_map_avail_bits},
    {"hvm_callback_vector", XENFEAT_hvm_callback_vector},
    {"hvm_safe_pvclock", XENFEAT_hvm_safe_pvclock},
    {"hvm_pirqs", XENFEAT_hvm_pirqs},
    {"dom0", XENFEAT_dom0},
    {"linux_rsdp_unrestricted", XENFEAT_linux_rsdp_unrestricted},
};

static bool in_file(uint64_t offset, uint64_t length, size_t bytes)
{
    return offset <= bytes && length <= bytes - offset;
}

/* "a|!b|c": '!' before a name means that the kernel cannot do without. Unknown names only matter when required. */
static const char *parse_features(const char *text, size_t length, struct elf_kernel *out)
{
    const char *end = text + strnlen(text, length);
    while (text < end) {
        bool required = *text == '!';
        const char *name = text + required, *stop = name;
        while (stop < end && *stop != '|')
            stop++;
        size_t i = 0, n = stop - name;
        while (i < ARRAY_SIZE(feature_names) &&
               (strlen(feature_names[i].name) != n || memcmp(feature_names[i].name, name, n) != 0))
            i++;
        if (i < ARRAY_SIZE(feature_names)) {
            out->features_supported[0] |= 1U << feature_names[i].bit;
            if (required)
                out->features_required[0] |= 1U << feature_names[i].bit;
        } else if (required) {
            return "the kernel requires a Xen feature that is not known";
        }
        text = stop < end ? stop + 1 : end;
    }
    return NULL;
}

/* Little endian, 1 to 8 bytes; longer notes give their first 8. */
static uint64_t note_number(const uint8_t *data, uint32_t bytes)
{
    uint64_t value = 0;
    for (uint32_t i = 0; i < bytes && i < 8; i++)
        value |= (uint64_t)data[i] << (8 * i);
    return value;
}

static void note_text(char *to, size_t size, const uint8_t *data, uint32_t bytes)
{
    size_t n = strnlen((const char *)data, bytes);
    if (n >= size)
        n = size - 1;
    memcpy(to, data, n);
    to[n] = 0;
}

struct notes_seen {
    bool entry, virt_base;
};

static const char *parse_xen_note(uint32_t type, const uint8_t *data, uint32_t bytes, struct elf_kernel *out,
                                  struct notes_seen *seen)
{
    uint64_t number = note_number(data, bytes);
    out->has_xen_notes = true;
    switch (type) {
    case XEN_ELFNOTE_ENTRY:
        out->entry = number;
        seen->entry = true;
        break;
    case XEN_ELFNOTE_HYPERCALL_PAGE:
        out->hypercall_page = number;
        break;
    case XEN_ELFNOTE_VIRT_BASE:
        out->virt_base = number;
        seen->virt_base = true;
        break;
    case XEN_ELFNOTE_PADDR_OFFSET:
        out->paddr_offset = number;
        break;
    case XEN_ELFNOTE_XEN_VERSION:
        note_text(out->xen_version, sizeof(out->xen_version), data, bytes);
        break;
    case XEN_ELFNOTE_GUEST_OS:
        note_text(out->guest_os, sizeof(out->guest_os), data, bytes);
        break;
    case XEN_ELFNOTE_LOADER:
        note_text(out->loader, sizeof(out->loader), data, bytes);
        break;
    case XEN_ELFNOTE_FEATURES:
        return parse_features((const char *)data, bytes, out);
    case XEN_ELFNOTE_INIT_P2M:
        out->init_p2m = number;
        break;
    case XEN_ELFNOTE_MOD_START_PFN:
        out->mod_start_pfn = number != 0;
        break;
    case XEN_ELFNOTE_SUPPORTED_FEATURES:
        out->features_supported[0] |= (uint32_t)number;
        break;
    case XEN_ELFNOTE_PHYS32_ENTRY:
        out->has_phys32_entry = true;
        out->phys32_entry = (uint32_t)number;
        break;
    default:
        break;
    }
    return NULL;
}

static const char *parse_notes(const uint8_t *notes, uint64_t bytes, struct elf_kernel *out, struct notes_seen *seen)
{
    while (bytes >= sizeof(struct note_header)) {
        struct note_header header;
        memcpy(&header, notes, sizeof(header));
        uint64_t name = sizeof(header), data = name + ROUND_UP((uint64_t)header.name_bytes, 4);
        uint64_t next = data + ROUND_UP((uint64_t)header.data_bytes, 4);
        if (data > bytes || header.data_bytes > bytes - data)
            return "the kernel's ELF notes are damaged";
        if (header.name_bytes == 4 && memcmp(notes + name, "Xen", 4) == 0) {
            const char *error = parse_xen_note(header.type, notes + data, header.data_bytes, out, seen);
            if (error)
                return error;
        }
        if (next > bytes)
            break;
        notes += next;
        bytes -= next;
    }
    return NULL;
}

static const char *check_header(const struct elf_header *h, size_t bytes)
{
    if (memcmp(h->magic, "\177ELF", 4) != 0)
        return "not an ELF file: the kernel is of an unknown kind or packed with something else than xz";
    if (h->class != CLASS_64 || h->encoding != ENCODING_LITTLE || h->machine != MACHINE_X86_64)
        return "the kernel is not for 64-bit x86";
    if (h->type != TYPE_EXECUTABLE && h->type != TYPE_SHARED)
        return "the kernel is not an executable";
    if (h->program_header_bytes != sizeof(struct program_header) ||
        !in_file(h->program_headers, (uint64_t)h->program_header_count * sizeof(struct program_header), bytes))
        return "the kernel's ELF program headers are damaged";
    return NULL;
}

static const char *add_segment(const struct program_header *p, struct elf_kernel *out)
{
    if (p->memory_bytes == 0)
        return NULL;
    if (out->segments == ELF_MAX_SEGMENTS)
        return "the kernel has too many ELF segments";
    if (p->file_bytes > p->memory_bytes || p->phys + p->memory_bytes < p->phys || p->virt + p->memory_bytes < p->virt)
        return "the kernel's ELF segments are damaged";
    out->segment[out->segments].virt = p->virt;
    out->segment[out->segments].phys = p->phys;
    out->segment[out->segments].file_offset = p->offset;
    out->segment[out->segments].file_bytes = p->file_bytes;
    out->segment[out->segments].memory_bytes = p->memory_bytes;
    out->segment[out->segments].write = p->flags & FLAG_WRITE;
    out->segment[out->segments].execute = p->flags & FLAG_EXECUTE;
    out->segments++;
    return NULL;
}

/*
 * Where the segments go. With a VIRT_BASE note it is the physical address that counts (per-CPU segments are linked at
 * virtual address 0): virt = phys - PADDR_OFFSET + VIRT_BASE.
 */
static const char *place_segments(struct elf_kernel *out, const struct notes_seen *seen)
{
    out->low = ~0UL;
    for (unsigned i = 0; i < out->segments; i++) {
        uint64_t virt = out->segment[i].virt, bytes = out->segment[i].memory_bytes;
        if (seen->virt_base)
            virt = out->segment[i].phys - out->paddr_offset + out->virt_base;
        if (virt + bytes < virt)
            return "the kernel's ELF segments are damaged";
        out->segment[i].virt = virt;
        out->low = min(out->low, virt);
        out->high = max(out->high, virt + bytes);
    }
    if (seen->entry && (out->entry < out->low || out->entry >= out->high))
        return "the kernel's entry point lies outside of it";
    return NULL;
}

static const char *parse_program_headers(const uint8_t *file, size_t bytes, const struct elf_header *header,
                                         struct elf_kernel *out, struct notes_seen *seen)
{
    for (unsigned i = 0; i < header->program_header_count; i++) {
        struct program_header p;
        memcpy(&p, file + header->program_headers + i * sizeof(p), sizeof(p));
        if (p.type != SEGMENT_LOAD && p.type != SEGMENT_NOTE)
            continue;
        if (!in_file(p.offset, p.file_bytes, bytes))
            return "the kernel is truncated: a segment lies outside the file";
        const char *error =
            p.type == SEGMENT_LOAD ? add_segment(&p, out) : parse_notes(file + p.offset, p.file_bytes, out, seen);
        if (error)
            return error;
    }
    return out->segments ? NULL : "the kernel has nothing to load";
}

const char *elf_parse(const uint8_t *file, size_t bytes, struct elf_kernel *out)
{
    struct elf_header header;
    struct notes_seen seen = {0};
    memset(out, 0, sizeof(*out));
    if (bytes < sizeof(header))
        return "the kernel is truncated";
    memcpy(&header, file, sizeof(header));
    const char *error = check_header(&header, bytes);
    if (error)
        return error;
    out->entry = header.entry;
    error = parse_program_headers(file, bytes, &header, out, &seen);
    if (!error)
        error = place_segments(out, &seen);
    out->supports_pv = seen.entry && (!out->xen_version[0] || strcmp(out->xen_version, "xen-3.0") == 0);
    return error;
}
