/*
 * Names of code addresses. The table is sorted by address; entry i holds up to where entry i+1 begins, and
 * the last one marks the end of the code.
 */
#include <hv/symbols.h>
#include <hv/asm_offsets.h>

struct symbol {
    uint32_t offset; /* from the start of the image */
    uint32_t name;   /* offset into symbol_names */
};

/* Made by tools/link_image.py; empty in the first link. */
extern const struct symbol symbol_table[];
extern const uint32_t symbol_count;
extern const char symbol_names[];

static const struct symbol *find(unsigned long address)
{
    if (symbol_count < 2)
        return NULL;
    unsigned long offset = address - HYPERVISOR_IMAGE_VA;
    if (offset < symbol_table[0].offset || offset >= symbol_table[symbol_count - 1].offset)
        return NULL;
    uint32_t low = 0, high = symbol_count - 1; /* table[low] <= offset < table[high] */
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (symbol_table[middle].offset <= offset)
            low = middle;
        else
            high = middle;
    }
    return &symbol_table[low];
}

const char *symbol_find(unsigned long address, unsigned long *offset)
{
    const struct symbol *symbol = find(address);
    if (!symbol)
        return NULL;
    *offset = address - HYPERVISOR_IMAGE_VA - symbol->offset;
    return symbol_names + symbol->name;
}

bool is_code_address(unsigned long address)
{
    return find(address) != NULL;
}
