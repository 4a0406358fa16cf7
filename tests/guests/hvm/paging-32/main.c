/*
 * 32-bit code with two levels of page tables and 4 MiB pages.
 */
#include "hvm.h"

const char test_title[] = "32-bit paging";
extern const char paging_run[];
extern char paging_fault[];

uint32_t paging_read, paging_address, paging_faults, paging_errors[8];
static uint64_t paging_idt[32];
struct {
    uint16_t limit;
    uint32_t base;
} __attribute__((packed)) paging_idt_register;
uint32_t page_directory[1024] __attribute__((aligned(4096))), page_table[1024] __attribute__((aligned(4096)));

void test_main(void)
{
    uint64_t offset = (uint64_t)paging_fault;
    paging_idt[14] = (offset & 0xffff) | (uint64_t)CODE32 << 16 | 0x8eUL << 40 | (offset >> 16) << 48;
    paging_idt_register.limit = sizeof(paging_idt) - 1;
    paging_idt_register.base = (uint32_t)(uint64_t)paging_idt;
    for (unsigned i = 0; i < 1024; i++)
        page_directory[i] = i << 22 | PTE_PSE | PTE_P | PTE_W;
    page_directory[0x100] = (uint32_t)(uint64_t)page_table | PTE_P | PTE_W;
    uint32_t *page = page_alloc();
    page[0] = 0x600d;
    page_table[0] = (uint32_t)(uint64_t)page | PTE_P | PTE_W;
    page_table[1] = (uint32_t)(uint64_t)page | PTE_P;
    page_table[3] = (uint32_t)(uint64_t)page | PTE_P | PTE_W;
    CHECK_IS(2, low_run(PROTECTED_32, paging_run));
    CHECK_IS(0x600d, paging_read);
    CHECK_IS(0x40001000, paging_address);
    CHECK_IS(3, paging_errors[0]);
    CHECK_IS(0, paging_errors[1]);
    CHECK_IS(0x77, page[0]);
    CHECK_IS(PTE_A, page_table[0] & (PTE_A | PTE_D));
    CHECK_IS(0, page_table[1] & PTE_D);
    CHECK_IS(PTE_A | PTE_D, page_table[3] & (PTE_A | PTE_D));
}
