/*
 * Reads what the Multiboot2 loader left (specification 2.0, section 3.6) and the command line into `bootinfo`.
 */
#include <hv/boot.h>
#include <hv/bootinfo.h>
#include <hv/console.h>
#include <hv/lib.h>

#define MB2_LOADER_MAGIC 0x36d76289

struct mb2_tag {
    uint32_t type, size;
};
enum {
    TAG_END = 0,
    TAG_CMDLINE = 1,
    TAG_LOADER = 2,
    TAG_MODULE = 3,
    TAG_MEMORY_MAP = 6,
    TAG_FRAMEBUFFER = 8,
    TAG_EFI64 = 12,
    TAG_RSDP_OLD = 14,
    TAG_RSDP_NEW = 15
};

struct mb2_module {
    struct mb2_tag tag;
    uint32_t start, end;
    char cmdline[];
};
struct mb2_memory_entry {
    uint64_t address, length;
    uint32_t type, reserved;
};
struct mb2_memory_map {
    struct mb2_tag tag;
    uint32_t entry_size, entry_version;
};
struct __packed mb2_framebuffer {
    struct mb2_tag tag;
    uint64_t address;
    uint32_t pitch, width, height;
    uint8_t bpp, kind;
    uint16_t reserved;
    uint8_t red_position, red_size, green_position, green_size, blue_position, blue_size;
};
struct mb2_efi64 {
    struct mb2_tag tag;
    uint64_t system_table;
};
_Static_assert(sizeof(struct mb2_memory_entry) == 24, "Multiboot2 3.6.8");
_Static_assert(offsetof(struct mb2_framebuffer, red_position) == 32, "Multiboot2 3.6.12");

struct bootinfo bootinfo;
static char rsdp_copy[64] __aligned(16);
static char rejected_option[64];
static bool rejected_more;

static void add_memory(uint64_t start, uint64_t end, enum memory_kind kind)
{
    if (kind == MEMORY_RAM) {
        start = ROUND_UP(start, PAGE_SIZE);
        end = ROUND_DOWN(end, PAGE_SIZE);
    }
    if (start >= end || bootinfo.memory_count == MAX_MEMORY_RANGES)
        return;
    unsigned at = bootinfo.memory_count++;
    for (; at > 0 && bootinfo.memory[at - 1].start > start; at--)
        bootinfo.memory[at] = bootinfo.memory[at - 1];
    bootinfo.memory[at] = (struct memory_range){start, end, kind};
}

/* Firmware maps may overlap: what is not RAM wins over RAM, so cut RAM ranges back to what no other range claims. */
static void cut_overlaps(void)
{
    for (unsigned i = 0; i + 1 < bootinfo.memory_count; i++) {
        struct memory_range *a = &bootinfo.memory[i], *b = &bootinfo.memory[i + 1];
        if (a->end <= b->start)
            continue;
        if (a->kind == MEMORY_RAM)
            a->end = b->start;
        else
            b->start = min(a->end, b->end);
    }
}

static void take_memory_map(const struct mb2_memory_map *map)
{
    const char *end = (const char *)map + map->tag.size;
    if (map->entry_size < sizeof(struct mb2_memory_entry))
        return;
    for (const char *p = (const char *)(map + 1); p + map->entry_size <= end; p += map->entry_size) {
        const struct mb2_memory_entry *e = (const void *)p;
        enum memory_kind kind = e->type >= MEMORY_RAM && e->type <= MEMORY_BAD ? e->type : MEMORY_RESERVED;
        if (e->length)
            add_memory(e->address, e->address + e->length, kind);
    }
    cut_overlaps();
}

static void take_module(const struct mb2_module *m)
{
    if (bootinfo.module_count == MAX_MODULES)
        return;
    struct boot_module *to = &bootinfo.module[bootinfo.module_count++];
    to->start = m->start;
    to->end = m->end;
    strlcpy(to->cmdline, m->cmdline, sizeof(to->cmdline));
}

static void take_framebuffer(const struct mb2_framebuffer *f)
{
    struct boot_framebuffer *to = &bootinfo.framebuffer;
    to->present = true;
    to->text = f->kind == 2;
    to->address = f->address;
    to->pitch = f->pitch;
    to->width = f->width;
    to->height = f->height;
    to->bits_per_pixel = f->bpp;
    if (f->kind != 1)
        return;
    to->red_position = f->red_position;
    to->red_size = f->red_size;
    to->green_position = f->green_position;
    to->green_size = f->green_size;
    to->blue_position = f->blue_position;
    to->blue_size = f->blue_size;
}

static void take_rsdp(const struct mb2_tag *tag, bool newer)
{
    if (bootinfo.rsdp && !newer)
        return;
    memcpy(rsdp_copy, tag + 1, min((size_t)tag->size - sizeof(*tag), sizeof(rsdp_copy)));
    bootinfo.rsdp = image_to_paddr(rsdp_copy);
}

static void take_tag(const struct mb2_tag *tag)
{
    switch (tag->type) {
    case TAG_CMDLINE:
        strlcpy(bootinfo.cmdline, (const char *)(tag + 1), sizeof(bootinfo.cmdline));
        break;
    case TAG_LOADER:
        strlcpy(bootinfo.loader, (const char *)(tag + 1), sizeof(bootinfo.loader));
        break;
    case TAG_MODULE:
        take_module((const void *)tag);
        break;
    case TAG_MEMORY_MAP:
        take_memory_map((const void *)tag);
        break;
    case TAG_FRAMEBUFFER:
        take_framebuffer((const void *)tag);
        break;
    case TAG_EFI64:
        bootinfo.efi = true;
        bootinfo.efi_system_table = ((const struct mb2_efi64 *)tag)->system_table;
        break;
    case TAG_RSDP_OLD:
    case TAG_RSDP_NEW:
        take_rsdp(tag, tag->type == TAG_RSDP_NEW);
        break;
    default:
        break;
    }
}

static void set_console(const char *value)
{
    bootinfo.options.serial = strstr(value, "com1") != NULL;
    bootinfo.options.screen = strstr(value, "vga") != NULL;
}
static void set_com1(const char *value)
{
    bootinfo.options.com1_baud = (unsigned)strtou64(value, &value);
}
static void set_loglvl(const char *value)
{
    static const char *const names[] = {"error", "warning", "info", "debug"};
    bootinfo.options.log_level = !strcmp(value, "all") ? LOG_DEBUG : LOG_INFO;
    for (unsigned i = 0; i < ARRAY_SIZE(names); i++)
        if (!strcmp(value, names[i]))
            bootinfo.options.log_level = (int)i;
}
static void set_dom0_mem(const char *value)
{
    while (*value) {
        uint64_t *to = &bootinfo.options.dom0_memory;
        if (!strncmp(value, "max:", 4) || !strncmp(value, "min:", 4)) {
            to = value[1] == 'a' ? &bootinfo.options.dom0_memory_max : NULL;
            value += 4;
        }
        const char *end;
        uint64_t bytes = parse_size(value, &end);
        if (to)
            *to = bytes;
        value = *end == ',' ? end + 1 : "";
    }
}
static void set_dom0_vcpus(const char *value)
{
    bootinfo.options.dom0_vcpus = (unsigned)strtou64(value, &value);
}
static void set_maxcpus(const char *value)
{
    bootinfo.options.max_cpus = (unsigned)strtou64(value, &value);
}
static void set_noreboot(const char *value)
{
    bootinfo.options.noreboot = true;
}
static void accept(const char *value)
{
}

#ifdef HV_CHECKED
#define OPTIONS_OF_TESTS {"provoke", accept}, /* core/provoke.c */
#else
#define OPTIONS_OF_TESTS
#endif

static const struct {
    const char *name;
    void (*set)(const char *value);
} option_table[] = {
    OPTIONS_OF_TESTS
    {"console", set_console},
    {"com1", set_com1},
    {"loglvl", set_loglvl},
    {"guest_loglvl", accept}, /* guests' messages share loglvl; accepted because boot entries of Xen carry it */
    {"dom0_mem", set_dom0_mem},
    {"dom0_max_vcpus", set_dom0_vcpus},
    {"maxcpus", set_maxcpus},
    {"noreboot", set_noreboot},
    {"placeholder", accept}, /* GRUB's Xen entries start with this word */
};

static void take_option(char *word)
{
    char *value = strchr(word, '=');
    if (value)
        *value++ = 0;
    for (unsigned i = 0; i < ARRAY_SIZE(option_table); i++) {
        if (!strcmp(word, option_table[i].name)) {
            option_table[i].set(value ? value : "");
            return;
        }
    }
    rejected_more = rejected_option[0] != 0;
    if (!rejected_more)
        strlcpy(rejected_option, word, sizeof(rejected_option));
}

static void parse_cmdline(void)
{
    static char words[sizeof(bootinfo.cmdline)];
    strlcpy(words, bootinfo.cmdline, sizeof(words));
    char *p = words;
    if (*p == '/') { /* some loaders pass the image's path as the first word */
        while (*p && *p != ' ')
            p++;
    }
    while (*p) {
        while (*p == ' ')
            p++;
        char *word = p;
        while (*p && *p != ' ')
            p++;
        if (*p)
            *p++ = 0;
        if (*word)
            take_option(word);
    }
}

bool bootinfo_parse(uint32_t magic, paddr_t info)
{
    bootinfo.options = (struct options){.serial = true, .screen = true, .log_level = LOG_INFO};
    if (magic != MB2_LOADER_MAGIC)
        return false;
    uint32_t total = *(const uint32_t *)info;
    for (paddr_t at = info + 8; at + sizeof(struct mb2_tag) <= info + total;) {
        const struct mb2_tag *tag = (const void *)at;
        if (tag->type == TAG_END || tag->size < sizeof(*tag))
            break;
        take_tag(tag);
        at = ROUND_UP(at + tag->size, 8);
    }
    parse_cmdline();
    return true;
}

void bootinfo_report(void)
{
    static const char *const kinds[] = {"?", "RAM", "reserved", "ACPI tables", "ACPI NVS", "bad"};
    if (rejected_option[0])
        log_warning("unknown option '%s' on the hypervisor's command line is ignored%s", rejected_option,
                    rejected_more ? ", and others" : "");
    if (bootinfo.memory_count == 0)
        panic("the boot loader gave no memory map");
    for (unsigned i = 0; i < bootinfo.memory_count; i++)
        log_debug("memory %012lx-%012lx %s", bootinfo.memory[i].start, bootinfo.memory[i].end,
                  kinds[bootinfo.memory[i].kind]);
}
