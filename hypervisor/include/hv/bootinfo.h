/*
 * What the loader and the command line told us, in one structure that is constant after boot.
 * Source: Multiboot2 specification 2.0, section 3.6.
 */
#ifndef HV_BOOTINFO_H
#define HV_BOOTINFO_H

#include <hv/types.h>

#define MAX_MEMORY_RANGES 256
#define MAX_MODULES       4

enum memory_kind { MEMORY_RAM = 1, MEMORY_RESERVED, MEMORY_ACPI, MEMORY_NVS, MEMORY_BAD }; /* = e820 types */

struct memory_range {
    paddr_t start, end; /* [start, end), bytes */
    enum memory_kind kind;
};

struct boot_module {
    paddr_t start, end;
    char cmdline[1024];
};

struct boot_framebuffer {
    bool present, text;
    paddr_t address;
    uint32_t pitch, width, height;
    uint8_t bits_per_pixel;
    uint8_t red_position, red_size, green_position, green_size, blue_position, blue_size;
};

struct options {
    uint64_t dom0_memory;     /* bytes; dom0_mem=, 0 = all but a reserve */
    uint64_t dom0_memory_max; /* bytes; dom0_mem=max: */
    unsigned dom0_vcpus;      /* dom0_max_vcpus=, 0 = one per CPU */
    unsigned max_cpus;        /* maxcpus=, 0 = all */
    unsigned com1_baud;       /* com1=, 0 = leave as the firmware set it */
    bool serial;              /* console=com1 */
    bool screen;              /* console=vga */
    bool noreboot;
    int log_level; /* loglvl=error|warning|info|debug|all */
};

struct bootinfo {
    char loader[64];
    char cmdline[1024];
    struct memory_range memory[MAX_MEMORY_RANGES]; /* sorted, not overlapping */
    unsigned memory_count;
    struct boot_module module[MAX_MODULES];
    unsigned module_count;
    struct boot_framebuffer framebuffer;
    paddr_t rsdp; /* machine address of a copy of the RSDP; 0 if the loader gave none */
    bool efi;
    paddr_t efi_system_table;
    struct options options;
};

extern struct bootinfo bootinfo;

#endif
