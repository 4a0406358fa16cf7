/* Layout of the hypervisor image: linked at its virtual address, loaded at 2 MiB or wherever the loader moves it. */
#include <hv/asm_offsets.h>

#define LOAD_BASE 0x200000
ENTRY(multiboot2_entry)

PHDRS
{
    text PT_LOAD FLAGS(5);
    rodata PT_LOAD FLAGS(4);
    data PT_LOAD FLAGS(6);
}

SECTIONS
{
    . = HYPERVISOR_IMAGE_VA + LOAD_BASE;
    image_start = .;
    .text : AT(ADDR(.text) - HYPERVISOR_IMAGE_VA) {
        text_start = .;
        *(.multiboot2)
        *(.boot.text)
        . = ALIGN(64);
        *(.entry.text)
        *(.text .text.*)
        *(.init.text)
        . = ALIGN(4096);
        text_end = .;
    } :text
    .rodata : AT(ADDR(.rodata) - HYPERVISOR_IMAGE_VA) {
        rodata_start = .;
        *(.rodata .rodata.*)
        . = ALIGN(8);
        extable_start = .;
        *(.extable)
        extable_end = .;
        smap_sites_start = .;
        *(.smap_sites)
        smap_sites_end = .;
        . = ALIGN(8);
        *(.symbols)
        . = ALIGN(4096);
        rodata_end = .;
    } :rodata
    .data : AT(ADDR(.data) - HYPERVISOR_IMAGE_VA) {
        data_start = .;
        *(.init.data)
        *(.data .data.*)
        *(.data.rel.ro .data.rel.ro.* .data.rel.ro.local)
        *(.got .got.plt)
        . = ALIGN(4096);
    } :data
    .bss : AT(ADDR(.bss) - HYPERVISOR_IMAGE_VA) {
        bss_start = .;
        *(.bss.page_aligned)
        . = ALIGN(STACK_SIZE);
        *(.bss.stack)
        *(.bss .bss.* COMMON)
        . = ALIGN(4096);
        bss_end = .;
    } :data
    image_end = .;
    /DISCARD/ : { *(.note .note.* .comment .eh_frame .eh_frame_hdr .interp .dynamic .dynsym .dynstr .hash .gnu.hash) }
}

ASSERT(image_end - image_start < 64 * 1024 * 1024, "image larger than the boot mapping")
