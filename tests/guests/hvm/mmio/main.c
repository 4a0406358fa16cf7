/*
 * Instructions that read and write memory which the hypervisor emulates (the local APIC's page, and a hole), by width;
 * string instructions on memory and ports.
 */
#include "hvm.h"

const char test_title[] = "MMIO widths and string I/O";

#define HOLE    0xd0000000UL
#define SCRATCH (*(volatile uint32_t *)(APIC_BASE + APIC_TIMER_INITIAL))
#define VERSION (APIC_BASE + APIC_VERSION)
#define MASKED  0x10000U

#define LOADS(instruction, type, address)                                                                              \
    ({                                                                                                                 \
        type value_;                                                                                                   \
        __asm__ volatile(instruction " %1, %0" : "=r"(value_) : "m"(*(volatile type *)(address)));                     \
        value_;                                                                                                        \
    })

static void loads(void)
{
    uint32_t version = apic_read(APIC_VERSION);
    CHECK_IS(0x10, version & 0xf0);
    CHECK_IS(version, LOADS("movl", uint32_t, VERSION));
    CHECK_IS(version & 0xffff, LOADS("movw", uint16_t, VERSION));
    CHECK_IS(version & 0xff, LOADS("movb", uint8_t, VERSION));
    CHECK_IS(version >> 16 & 0xff, LOADS("movb", uint8_t, VERSION + 2));
    uint32_t wide;
    __asm__ volatile("movzbl %1, %0" : "=r"(wide) : "m"(*(volatile uint8_t *)VERSION));
    CHECK_IS(version & 0xff, wide);
    __asm__ volatile("movzwl %1, %0" : "=r"(wide) : "m"(*(volatile uint16_t *)VERSION));
    CHECK_IS(version & 0xffff, wide);
    __asm__ volatile("movsbl %1, %0" : "=r"(wide) : "m"(*(volatile uint8_t *)VERSION));
    CHECK_IS((uint32_t)(int8_t)version, wide);
    uint64_t at = VERSION, pushed, moved;
    __asm__ volatile("movslq (%1), %0" : "=r"(moved) : "r"(at));
    CHECK_IS((uint64_t)(int32_t)version, moved);
    __asm__ volatile("movabsl 0xfee00030, %%eax" : "=a"(moved));
    CHECK_IS(version, moved);
    __asm__ volatile("pushq (%1)\n\tpopq %0" : "=r"(pushed) : "r"(HOLE));
    CHECK_IS(~0UL, pushed);
}

/* Arithmetic on a register that keeps all its bits; the timer is masked. */
static void arithmetic(void)
{
    SCRATCH = 0x70000000;
    CHECK_IS(0x70000000, SCRATCH);
    __asm__ volatile("movl $0x60001234, %0" : "=m"(SCRATCH));
    CHECK_IS(0x60001234, SCRATCH);
    __asm__ volatile("orl %1, %0" : "+m"(SCRATCH) : "r"(0xf));
    CHECK_IS(0x6000123f, SCRATCH);
    __asm__ volatile("andl $0xffff00ff, %0" : "+m"(SCRATCH));
    CHECK_IS(0x6000003f, SCRATCH);
    __asm__ volatile("addl $1, %0" : "+m"(SCRATCH));
    __asm__ volatile("subl %1, %0" : "+m"(SCRATCH) : "r"(0x20));
    __asm__ volatile("xorl $0x7, %0" : "+m"(SCRATCH));
    CHECK_IS(0x60000027, SCRATCH);
    __asm__ volatile("incl %0" : "+m"(SCRATCH));
    __asm__ volatile("notl %0" : "+m"(SCRATCH));
    CHECK_IS(0x9fffffd7, SCRATCH);
    uint32_t old = 0x12345678;
    __asm__ volatile("xchgl %1, %0" : "+m"(SCRATCH), "+r"(old));
    CHECK_IS(0x9fffffd7, old);
    CHECK_IS(0x12345678, SCRATCH);
    __asm__ volatile("lock btsl $31, %0" : "+m"(SCRATCH));
    CHECK_IS(0x92345678, SCRATCH);
    uint8_t equal;
    __asm__ volatile("cmpl %2, %1\n\tsete %0" : "=r"(equal) : "m"(SCRATCH), "r"(0x92345678));
    CHECK_IS(1, equal);
    __asm__ volatile("testl $0x80000000, %1\n\tsetnz %0" : "=r"(equal) : "m"(SCRATCH));
    CHECK_IS(1, equal);
    uint32_t expected = 0x92345678;
    __asm__ volatile("lock cmpxchgl %3, %1\n\tsete %0" : "=q"(equal), "+m"(SCRATCH), "+a"(expected) : "r"(0x1000));
    CHECK_IS(1, equal);
    CHECK_IS(0x1000, SCRATCH);
    SCRATCH = 0;
}

static void strings(void)
{
    uint32_t *page = page_alloc();
    uint64_t to = (uint64_t)page, from = VERSION, count = 1;
    __asm__ volatile("rep movsl" : "+D"(to), "+S"(from), "+c"(count)::"memory");
    CHECK_IS(apic_read(APIC_VERSION), page[0]);
    CHECK_IS(0, count);
    CHECK_IS(VERSION + 4, from);
    to = (uint64_t)page;
    from = HOLE;
    count = 100;
    __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(count)::"memory");
    CHECK_IS(0xffffffff, page[24]);
    CHECK_IS(0, page[25]);
    CHECK_IS(HOLE + 100, from);
    to = APIC_BASE + APIC_TIMER_INITIAL;
    page[5] = 0x55555;
    from = (uint64_t)&page[5];
    __asm__ volatile("movsl" : "+D"(to), "+S"(from)::"memory");
    CHECK_IS(0x55555, SCRATCH);
    to = APIC_BASE + APIC_TIMER_INITIAL;
    __asm__ volatile("stosl" : "+D"(to) : "a"(0x66666) : "memory");
    CHECK_IS(0x66666, SCRATCH);
    from = APIC_BASE + APIC_TIMER_INITIAL;
    uint64_t loaded = 0;
    __asm__ volatile("lodsl" : "+S"(from), "+a"(loaded));
    CHECK_IS(0x66666, loaded);
    to = HOLE;
    count = 4096;
    __asm__ volatile("std\n\trep stosb\n\tcld" : "+D"(to), "+c"(count) : "a"(1) : "memory");
    CHECK_IS(0, count);
    CHECK_IS(HOLE - 4096, to);
    to = HOLE + 4096;
    count = 1000;
    __asm__ volatile("repe scasb" : "+D"(to), "+c"(count) : "a"(0xff) : "memory");
    CHECK_IS(0, count);
    SCRATCH = 0;
}

/* Reads of any width, and over a page of it. */
static void holes(void)
{
    volatile uint8_t *hole = (volatile uint8_t *)HOLE;
    CHECK_IS(~0UL, *(volatile uint64_t *)hole);
    CHECK_IS(0xffff, *(volatile uint16_t *)(hole + 1));
    CHECK_IS(0xffffffff, *(volatile uint32_t *)(hole + 0xffe)); /* over two pages of it */
    uint64_t low[2] = {0, 0};
    __asm__ volatile("movups (%1), %%xmm0\n\tmovups %%xmm0, %0" : "=m"(low) : "r"(hole));
    CHECK_IS(~0UL, low[0]);
    CHECK_IS(~0UL, low[1]);
}

static void ports(void)
{
    uint8_t *page = page_alloc();
    uint64_t to = (uint64_t)page + 10, count = 20;
    uint32_t value;
    __asm__ volatile("inb %1, %b0" : "=a"(value) : "Nd"((uint16_t)0x8fe), "0"(0));
    CHECK_IS(0xff, value);
    __asm__ volatile("inw %1, %w0" : "=a"(value) : "Nd"((uint16_t)0x8fe), "0"(0));
    CHECK_IS(0xffff, value);
    __asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"((uint16_t)0x8fe), "0"(0));
    CHECK_IS(0xffffffff, value);
    __asm__ volatile("rep insb" : "+D"(to), "+c"(count) : "d"(0x8fe) : "memory");
    CHECK_IS(0, count);
    CHECK_IS((uint64_t)page + 30, to);
    CHECK_IS(0, page[9]);
    CHECK_IS(0xff, page[10]);
    CHECK_IS(0xff, page[29]);
    CHECK_IS(0, page[30]);
    to = (uint64_t)page + 64;
    count = 3;
    __asm__ volatile("rep insl" : "+D"(to), "+c"(count) : "d"(0x8fe) : "memory");
    CHECK_IS(0xff, page[75]);
    CHECK_IS(0, page[76]);
    uint64_t from = (uint64_t) "written by outs\n";
    count = 16;
    __asm__ volatile("rep outsb" : "+S"(from), "+c"(count) : "d"(0xe9) : "memory");
    CHECK_IS(0, count);
    /* Faults in the middle leave the registers where they got to. */
    uint64_t *entry = entry_of(1UL << 39);
    entry[0] = (uint64_t)page | PTE_P | PTE_W;
    entry[1] = 0;
    to = (1UL << 39) + PAGE - 4;
    count = 8;
    CHECK_IS(TRAPPED(TRAP_PF, 2), TRY("rep insb", OUT("+D"(to), "+c"(count)), "d"(0x8fe)));
    CHECK_IS(4, count);
    CHECK_IS((1UL << 39) + PAGE, to);
}

void test_main(void)
{
    apic_enable();
    apic_write(APIC_LVT_TIMER, MASKED | 0x50);
    loads();
    arithmetic();
    strings();
    holes();
    ports();
}
