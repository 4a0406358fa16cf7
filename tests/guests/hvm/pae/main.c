/*
 * 32-bit code with PAE paging. QEMU 7.2 hangs in it under nested paging, so it is for Bochs and real machines.
 */
#include "hvm.h"

const char test_title[] = "PAE paging";
extern const char pae_run[];
extern char pae_fault[];

uint32_t pae_read, pae_faults, pae_errors[8], pae_target = 0x40002000;
static uint64_t pae_idt[32];
struct {
    uint16_t limit;
    uint32_t base;
} __attribute__((packed)) pae_idt_register;
uint64_t pae_pointers[4] __attribute__((aligned(32)));
static uint64_t directory[4][512] __attribute__((aligned(4096))), table[512] __attribute__((aligned(4096)));

void test_main(void)
{
    uint64_t offset = (uint64_t)pae_fault;
    pae_idt[14] = (offset & 0xffff) | (uint64_t)CODE32 << 16 | 0x8eUL << 40 | (offset >> 16) << 48;
    pae_idt_register.limit = sizeof(pae_idt) - 1;
    pae_idt_register.base = (uint32_t)(uint64_t)pae_idt;
    for (unsigned i = 0; i < 2048; i++)
        directory[i / 512][i % 512] = (uint64_t)i << 21 | PTE_PSE | PTE_P | PTE_W;
    for (unsigned i = 0; i < 4; i++)
        pae_pointers[i] = (uint64_t)directory[i] | PTE_P;
    directory[1][0] = (uint64_t)table | PTE_P | PTE_W;
    uint32_t *page = page_alloc();
    page[0] = 0x600d;
    table[0] = (uint64_t)page | PTE_P | PTE_W;
    table[1] = (uint64_t)page | PTE_P;
    table[2] = (uint64_t)page | PTE_P | PTE_NX;
    table[3] = (uint64_t)page | PTE_P | PTE_W;
    CHECK_IS(2, low_run(PROTECTED_32, pae_run));
    CHECK_IS(0x600d, pae_read);
    CHECK_IS(3, pae_errors[0]);
    CHECK_IS(0x11, pae_errors[1]);
    CHECK_IS(0x77, page[0]);
    CHECK_IS(PTE_A, table[0] & (PTE_A | PTE_D));
    CHECK_IS(PTE_A | PTE_D, table[3] & (PTE_A | PTE_D));
}
