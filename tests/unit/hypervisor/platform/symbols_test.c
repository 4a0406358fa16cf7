/*
 * lib/symbols.c on a small table. That the image's own table is right is checked when it is linked.
 */
#include "../../check.h"
#include <string.h>
#include <hv/asm_offsets.h>
#include <hv/symbols.h>

struct symbol {
    uint32_t offset, name;
};
extern const struct symbol symbol_table[];
extern const uint32_t symbol_count;
extern const char symbol_names[];
const struct symbol symbol_table[] = {{0x200000, 0}, {0x200040, 6}, {0x200041, 10}, {0x300000, 14}};
const uint32_t symbol_count = 4;
const char symbol_names[] = "start\0two\0one\0end";

static void expect(unsigned long at, const char *name, unsigned long offset)
{
    unsigned long got_offset = 0, address = HYPERVISOR_IMAGE_VA + at;
    const char *got = symbol_find(address, &got_offset);
    CHECK(!got == !name && is_code_address(address) == (name != NULL), "%#lx: %s", at, got ? got : "nothing");
    CHECK(!name || (strcmp(got, name) == 0 && got_offset == offset), "%#lx: %s+%#lx", at, got, got_offset);
}

int main(void)
{
    expect(0, NULL, 0);
    expect(0x1fffff, NULL, 0);
    expect(0x200000, "start", 0);
    expect(0x20003f, "start", 0x3f);
    expect(0x200040, "two", 0);
    expect(0x200041, "one", 0);
    expect(0x2fffff, "one", 0xfffbe);
    expect(0x300000, NULL, 0);
    expect(0x100200000, NULL, 0);
    expect(-HYPERVISOR_IMAGE_VA, NULL, 0);
    return 0;
}
