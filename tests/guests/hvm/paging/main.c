/*
 * Long mode paging: accessed and dirty bits, page faults and their error codes, flushes, memory that is not there.
 */
#include "hvm.h"

const char test_title[] = "paging in long mode";

#define AREA        (1UL << 39) /* mapped page by page */
#define HOLE        0xd0000000UL
#define CR4_PGE     0x80UL
#define CR0_WP      0x10000UL
#define FAULT(bits) TRAPPED(TRAP_PF, bits)
enum { PRESENT = 1, WRITE = 2, USER = 4, RESERVED = 8, FETCH = 16 };

static volatile uint64_t *page;
static unsigned reserved; /* QEMU tells a reserved bit without the one for present */
static uint64_t area_next = AREA;

/* The page at a fresh address, with these flags; *entry its entry. */
static volatile uint64_t *map(uint64_t flags, volatile uint64_t **entry)
{
    uint64_t at = area_next;
    area_next += PAGE;
    *entry = entry_of(at);
    **entry = (uint64_t)page | flags;
    return (volatile uint64_t *)at;
}

static void accessed_and_dirty(void)
{
    volatile uint64_t *entry;
    volatile uint64_t *at = map(PTE_P | PTE_W, &entry);
    page[0] = 0x1234;
    CHECK_IS(0, *entry & (PTE_A | PTE_D));
    CHECK_IS(0x1234, at[0]);
    CHECK_IS(PTE_A, *entry & (PTE_A | PTE_D));
    at[0] = 0x4321;
    CHECK_IS(PTE_A | PTE_D, *entry & (PTE_A | PTE_D));
    CHECK_IS(0x4321, page[0]);
    *entry &= ~(PTE_A | PTE_D);
    invlpg(at);
    at[1] = 1;
    CHECK_IS(PTE_A | PTE_D, *entry & (PTE_A | PTE_D));
    /* The tables above are accessed and never dirty. */
    CHECK_IS(PTE_A, ((volatile uint64_t *)root_table)[1] & (PTE_A | PTE_D));
}

static volatile uint64_t *probed;
static uint64_t probe_result[3];
static void user_probe(uint64_t ignored)
{
    probe_result[0] = try_read(probed);
    probe_result[1] = try_write(probed, 5);
}

static void error_codes(void)
{
    volatile uint64_t *entry;
    volatile uint64_t *at = map(0, &entry);
    CHECK_IS(FAULT(0), try_read(at + 1));
    CHECK_IS((uint64_t)(at + 1), READ_REGISTER("cr2"));
    CHECK_IS(FAULT(WRITE), try_write(at, 0));
    at = map(PTE_P, &entry);
    CHECK_IS(0, try_read(at));
    CHECK_IS(FAULT(PRESENT | WRITE), try_write(at + 2, 0));
    CHECK_IS((uint64_t)(at + 2), READ_REGISTER("cr2"));
    CHECK_IS(0, *entry & PTE_D);
    at = map(PTE_P | 1UL << 51, &entry);
    CHECK_IS(FAULT(reserved), try_read(at));
    at = map(PTE_P | PTE_W, &entry); /* the kernel's */
    probed = at;
    user_run(user_probe, 0);
    CHECK_IS(FAULT(PRESENT | USER), probe_result[0]);
    CHECK_IS(FAULT(PRESENT | USER | WRITE), probe_result[1]);
    probed = map(PTE_P | PTE_U, &entry);
    user_run(user_probe, 0);
    CHECK_IS(0, probe_result[0]);
    CHECK_IS(FAULT(PRESENT | USER | WRITE), probe_result[1]);
    CHECK_IS(TRAPPED(TRAP_GP, 0), try_read((void *)0x0000900000000000UL));
}

static uint64_t fetch_error, fetch_address;
static bool fetch_fault(struct registers *regs)
{
    if (regs->rip < AREA)
        return false;
    fetch_error = regs->error_code;
    fetch_address = READ_REGISTER("cr2");
    regs->rip = *(uint64_t *)regs->rsp;
    regs->rsp += 8;
    return true;
}

static void no_execute(void)
{
    volatile uint64_t *entry;
    *(volatile uint8_t *)page = 0xc3; /* ret */
    volatile uint64_t *at = map(PTE_P | PTE_NX, &entry);
    trap_hooks[TRAP_PF] = fetch_fault;
    __asm__ volatile("call *%0" : : "r"(at) : "memory");
    CHECK_IS(PRESENT | FETCH, fetch_error);
    CHECK_IS((uint64_t)at, fetch_address);
    fetch_error = 0;
    at = map(PTE_P, &entry);
    __asm__ volatile("call *%0" : : "r"(at) : "memory");
    CHECK_IS(0, fetch_error);
    trap_hooks[TRAP_PF] = NULL;
}

static void write_protect(void)
{
    volatile uint64_t *entry;
    volatile uint64_t *at = map(PTE_P, &entry);
    uint64_t cr0 = READ_REGISTER("cr0");
    WRITE_REGISTER("cr0", cr0 & ~CR0_WP);
    CHECK_IS(0, try_write(at, 77));
    WRITE_REGISTER("cr0", cr0);
    CHECK_IS(77, page[0]);
    CHECK_IS(FAULT(PRESENT | WRITE), try_write(at, 0));
}

/* A changed entry holds after INVLPG, a reload of CR3, and for global pages after a change of CR4.PGE. */
static void flushes(void)
{
    volatile uint64_t *entry;
    uint64_t other = (uint64_t)page_alloc();
    uint64_t cr4 = READ_REGISTER("cr4");
    *(uint64_t *)other = 0xbb;
    page[0] = 0xaa;
    volatile uint64_t *at = map(PTE_P, &entry);
    CHECK_IS(0xaa, at[0]);
    *entry = other | PTE_P;
    invlpg(at);
    CHECK_IS(0xbb, at[0]);
    *entry = (uint64_t)page | PTE_P;
    WRITE_REGISTER("cr3", root_table);
    CHECK_IS(0xaa, at[0]);
    WRITE_REGISTER("cr4", cr4 | CR4_PGE);
    *entry = (uint64_t)page | PTE_P | PTE_G;
    invlpg(at);
    CHECK_IS(0xaa, at[0]);
    *entry = other | PTE_P | PTE_G;
    WRITE_REGISTER("cr4", cr4);
    CHECK_IS(0xbb, at[0]);
    *entry = 0;
    invlpg(at);
    CHECK_IS(FAULT(0), try_read(at));
}

static void large_pages(void)
{
    entry_of(AREA + (1UL << 30)); /* makes the tables */
    uint64_t *pointers = (uint64_t *)(root_table[1] & PTE_ADDRESS);
    volatile uint64_t *directory = (volatile uint64_t *)(pointers[1] & PTE_ADDRESS);
    directory[3] = 0x400000 | PTE_PSE | PTE_P | PTE_W;
    volatile uint64_t *at = (volatile uint64_t *)(AREA + (1UL << 30) + (3UL << 21) + ((uint64_t)page - 0x400000));
    at[3] = 0x33;
    CHECK_IS(0x33, page[3]);
    CHECK_IS(PTE_A | PTE_D, directory[3] & (PTE_A | PTE_D));
    directory[5] = 0x402000 | PTE_PSE | PTE_P; /* bits 13 to 20 are reserved */
    CHECK_IS(FAULT(reserved), try_read((void *)(AREA + (1UL << 30) + (5UL << 21))));
}

/* No memory there: reads give ones, writes go nowhere. */
static void holes(void)
{
    volatile uint64_t *hole = (volatile uint64_t *)HOLE;
    CHECK_IS(~0UL, hole[0]);
    hole[0] = 0;
    CHECK_IS(~0UL, hole[0]);
    CHECK_IS(0xff, *(volatile uint8_t *)(HOLE + 5));
}

void test_main(void)
{
    page = page_alloc();
    reserved = on_platform("tcg") ? RESERVED : RESERVED | PRESENT;
    accessed_and_dirty();
    error_codes();
    no_execute();
    write_protect();
    flushes();
    large_pages();
    holes();
}
