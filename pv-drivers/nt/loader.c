/*
 * Loads a driver's file as the kernel would: each section with its own protection, relocated, its imports bound.
 * Between a driver and what it imports stands a few instructions for each import, which tell nt_before_call() of the
 * call.
 */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include "hidclass.h"
#include "ndis.h"

#define THUNK_SIZE    32u
#define MOST_THUNKS   256u
#define RELOCATION_64 10
#define EXECUTABLE    0x20000000u
#define WRITABLE      0x80000000u

struct nt_driver {
    unsigned char *base;
    size_t size;
    DRIVER_OBJECT object;
    DRIVER_EXTENSION extension;
    unsigned char *thunks;
    unsigned thunk_count;
    WCHAR key[128];
};

static uint16_t u16(const unsigned char *at)
{
    uint16_t value;

    memcpy(&value, at, sizeof(value));
    return value;
}

static uint32_t u32(const unsigned char *at)
{
    uint32_t value;

    memcpy(&value, at, sizeof(value));
    return value;
}

static uint64_t u64(const unsigned char *at)
{
    uint64_t value;

    memcpy(&value, at, sizeof(value));
    return value;
}

static NT_ABI __attribute__((used)) void before_call(const struct nt_export *export)
{
    nt_before_call(export);
}

/* R11: the export. The caller's four registers of arguments are kept; the rest of them is on the stack, where it stays.
 */
void call_import(void);
__asm__(".text\n"
        "call_import:\n"
        "push %rcx; push %rdx; push %r8; push %r9\n"
        "sub $0x28, %rsp\n"
        "mov %r11, 0x20(%rsp)\n"
        "mov %r11, %rcx\n"
        "call before_call\n"
        "mov 0x20(%rsp), %r11\n"
        "add $0x28, %rsp\n"
        "pop %r9; pop %r8; pop %rdx; pop %rcx\n"
        "jmp *16(%r11)\n");
_Static_assert(offsetof(struct nt_export, function) == 16, "call_import knows it");

static void *thunk_of(struct nt_driver *driver, const struct nt_export *export)
{
    unsigned char *thunk = driver->thunks + THUNK_SIZE * driver->thunk_count++;
    uint64_t target = (uint64_t)call_import, argument = (uint64_t) export;

    if (driver->thunk_count > MOST_THUNKS)
        nt_bug("more than %u imports", MOST_THUNKS);
    memcpy(thunk, "\x49\xbb", 2); /* mov r11, export */
    memcpy(thunk + 2, &argument, 8);
    memcpy(thunk + 10, "\x49\xba", 2); /* mov r10, call_import */
    memcpy(thunk + 12, &target, 8);
    memcpy(thunk + 20, "\x41\xff\xe2", 3); /* jmp r10 */
    return thunk;
}

const struct nt_export *nt_find_export(const char *module, const char *name)
{
    static const struct {
        const struct nt_export *exports;
        const unsigned *count;
    } tables[] = {{nt_kernel_exports, &nt_kernel_export_count},
                  {nt_storport_exports, &nt_storport_export_count},
                  {nt_ndis_exports, &nt_ndis_export_count},
                  {nt_hid_exports, &nt_hid_export_count}};

    for (size_t table = 0; table < sizeof(tables) / sizeof(tables[0]); table++)
        for (unsigned i = 0; i < *tables[table].count; i++) {
            const struct nt_export *export = &tables[table].exports[i];

            if (!strcasecmp(export->module, module) && !strcmp(export->name, name))
                return export;
        }
    return NULL;
}

static unsigned char *read_file(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    unsigned char *data;

    if (!file)
        nt_bug("cannot open %s", path);
    fseek(file, 0, SEEK_END);
    *size = (size_t)ftell(file);
    rewind(file);
    data = malloc(*size);
    if (fread(data, 1, *size, file) != *size)
        nt_bug("cannot read %s", path);
    fclose(file);
    return data;
}

/* The optional header and the table of sections of an image's beginning. */
static unsigned char *optional_of(unsigned char *image)
{
    return image + u32(image + 0x3c) + 24;
}

static unsigned char *section_of(unsigned char *image, unsigned number)
{
    return optional_of(image) + u16(optional_of(image) - 4) + 40 * number;
}

static unsigned section_count(unsigned char *image)
{
    return u16(optional_of(image) - 18);
}

static void copy_sections(struct nt_driver *driver, unsigned char *file)
{
    memcpy(driver->base, file, u32(optional_of(file) + 60));
    for (unsigned i = 0; i < section_count(file); i++) {
        unsigned char *section = section_of(file, i);
        uint32_t size = u32(section + 8), stored = u32(section + 16);

        memcpy(driver->base + u32(section + 12), file + u32(section + 20), stored < size ? stored : size);
    }
}

static void relocate(struct nt_driver *driver)
{
    unsigned char *optional = optional_of(driver->base), *block = driver->base + u32(optional + 152);
    unsigned char *end = block + u32(optional + 156);
    uint64_t delta = (uint64_t)driver->base - u64(optional + 24);

    if (block == end)
        nt_bug("the image has no relocations");
    for (; block < end; block += u32(block + 4))
        for (uint32_t i = 8; i < u32(block + 4); i += 2)
            if (u16(block + i) >> 12 == RELOCATION_64) {
                unsigned char *at = driver->base + u32(block) + (u16(block + i) & 0xfff);
                uint64_t value = u64(at) + delta;

                memcpy(at, &value, 8);
            }
}

static void bind_module(struct nt_driver *driver, const unsigned char *descriptor)
{
    const char *module = (char *)driver->base + u32(descriptor + 12);
    unsigned char *name = driver->base + u32(descriptor), *slot = driver->base + u32(descriptor + 16);

    for (; u64(name); name += 8, slot += 8) {
        const char *text = (char *)driver->base + u64(name) + 2;
        const struct nt_export *export = nt_find_export(module, text);
        void *thunk;

        if (!export)
            nt_bug("%s of %s is not there", text, module);
        thunk = thunk_of(driver, export);
        memcpy(slot, &thunk, sizeof(thunk));
    }
}

/* CPUID does not trap in user space: the one that a driver has at most becomes an instruction that does. */
static void catch_cpuid(unsigned char *code, size_t size)
{
    unsigned found = 0;

    for (size_t i = 0; i + 1 < size; i++)
        if (code[i] == 0x0f && code[i + 1] == 0xa2) {
            code[i + 1] = 0x0b;
            found++;
        }
    if (found > 1)
        nt_bug("%u instructions look like CPUID; one was expected", found);
}

static void protect_sections(struct nt_driver *driver)
{
    mprotect(driver->base, NT_PAGE, PROT_READ);
    for (unsigned i = 0; i < section_count(driver->base); i++) {
        unsigned char *section = section_of(driver->base, i);

        if ((u32(section + 36) & (WRITABLE | EXECUTABLE)) == (WRITABLE | EXECUTABLE))
            nt_bug("a section is writable code");
        if (u32(section + 36) & EXECUTABLE)
            catch_cpuid(driver->base + u32(section + 12), u32(section + 8));
    }
    for (unsigned i = section_count(driver->base); i-- > 0;) {
        unsigned char *section = section_of(driver->base, i);
        uint32_t flags = u32(section + 36), size = (u32(section + 8) + NT_PAGE - 1) & ~(NT_PAGE - 1);

        mprotect(driver->base + u32(section + 12), size,
                 PROT_READ | (flags & WRITABLE ? PROT_WRITE : 0) | (flags & EXECUTABLE ? PROT_EXEC : 0));
    }
}

static void map_image(struct nt_driver *driver, const char *path)
{
    size_t file_size;
    unsigned char *file = read_file(path, &file_size);

    driver->size = (u32(optional_of(file) + 56) + NT_PAGE - 1) & ~(size_t)(NT_PAGE - 1);
    driver->base = nt_image_pages(driver->size);
    copy_sections(driver, file);
    free(file);
    relocate(driver);
    for (unsigned char *descriptor = driver->base + u32(optional_of(driver->base) + 120); u32(descriptor + 12);
         descriptor += 20)
        bind_module(driver, descriptor);
    protect_sections(driver);
    mprotect(driver->thunks, THUNK_SIZE * MOST_THUNKS, PROT_READ | PROT_EXEC);
}

static void drop(struct nt_driver *driver)
{
    nt_image_free(driver->base, driver->size);
    munmap(driver->thunks, THUNK_SIZE * MOST_THUNKS);
    free(driver);
}

static NTSTATUS enter(struct nt_driver *driver, const char *service)
{
    typedef NT_ABI NTSTATUS entry(DRIVER_OBJECT *, UNICODE_STRING *);
    UNICODE_STRING key = {.Buffer = driver->key};
    char text[128];
    int length = snprintf(text, sizeof(text), "\\Registry\\Machine\\System\\CurrentControlSet\\Services\\%s", service);

    for (int i = 0; i <= length; i++)
        driver->key[i] = (WCHAR)text[i];
    key.Length = (USHORT)(length * 2);
    key.MaximumLength = (USHORT)(length * 2 + 2);
    return ((entry *)(driver->base + u32(optional_of(driver->base) + 16)))(&driver->object, &key);
}

struct nt_driver *nt_load(const char *file, const char *service, NTSTATUS *status)
{
    struct nt_driver *driver = calloc(1, sizeof(*driver));

    driver->object.Type = 4;
    driver->object.Size = sizeof(driver->object);
    driver->object.DriverExtension = &driver->extension;
    driver->extension.DriverObject = &driver->object;
    driver->thunks = mmap(NULL, THUNK_SIZE * MOST_THUNKS, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    map_image(driver, file);
    *status = enter(driver, service);
    if (nt_irql() != PASSIVE_LEVEL)
        nt_bug("DriverEntry of %s comes back at IRQL %u", service, nt_irql());
    if (!NT_SUCCESS(*status)) {
        drop(driver);
        return NULL;
    }
    return driver;
}

void nt_unload(struct nt_driver *driver)
{
    if (driver->object.DeviceObject)
        nt_bug("a driver is unloaded that still has a device object");
    if (!driver->object.DriverUnload)
        nt_bug("the driver cannot be unloaded");
    driver->object.DriverUnload(&driver->object);
    nt_settle();
    drop(driver);
}

DRIVER_OBJECT *nt_driver_object(struct nt_driver *driver)
{
    return &driver->object;
}
