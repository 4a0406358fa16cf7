/* Uses what viridian=1 offers as Windows does: says the CPUID leaves, tries the MSRs of each processor, and switches
 * on the hypercall page, the reference TSC page and the assist page. It needs the module msr and three pages of memory
 * that the kernel leaves alone, whose address is the argument. Each line that begins with GUEST is the same on every
 * hypervisor that does it right. */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { PAGE = 4096, ENABLE = 1 };
enum {
    OS_ID = 0x40000000,
    HYPERCALL = 0x40000001,
    VP_INDEX = 0x40000002,
    REFERENCE_COUNT = 0x40000020,
    REFERENCE_TSC = 0x40000021,
    TSC_HERTZ = 0x40000022,
    APIC_HERTZ = 0x40000023,
    TPR = 0x40000072,
    ASSIST = 0x40000073,
};
enum { MAY_COUNT = 1 << 1, MAY_REFERENCE_TSC = 1 << 9, MAY_FREQUENCIES = 1 << 11 };
/* Bits of leaf 0x40000003 that stand for what viridian=1 asks for; a hypervisor may offer more. */
enum { ASKED_RIGHTS = 0x872, ASKED_FEATURES = 0x408 };
#define LINUX_6_1 0x8100000006010000UL

struct reference_tsc {
    volatile uint32_t sequence, reserved;
    volatile uint64_t scale;
    volatile int64_t offset;
};

static int msr[64];

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static uint64_t read_msr(unsigned processor, uint32_t number)
{
    uint64_t value;
    if (pread(msr[processor], &value, sizeof(value), number) != sizeof(value)) {
        fprintf(stderr, "MSR %x: ", number);
        fail("cannot be read");
    }
    return value;
}

static void write_msr(unsigned processor, uint32_t number, uint64_t value)
{
    if (pwrite(msr[processor], &value, sizeof(value), number) != sizeof(value)) {
        fprintf(stderr, "MSR %x: ", number);
        fail("cannot be written");
    }
}

static void cpuid(uint32_t leaf, uint32_t out[4])
{
    __asm__ volatile("cpuid" : "=a"(out[0]), "=b"(out[1]), "=c"(out[2]), "=d"(out[3]) : "0"(leaf), "2"(0));
}

static void say_signature(uint32_t leaf)
{
    uint32_t out[4];
    cpuid(leaf, out);
    printf("GUEST leaf %x is %.12s\n", leaf, (char *)(out + 1));
}

static uint32_t leaves(void)
{
    uint32_t out[4], rights;
    say_signature(0x40000000);
    say_signature(0x40000100);
    cpuid(0x40000001, out);
    printf("GUEST interface %.4s\n", (char *)out);
    cpuid(0x40000003, out);
    rights = out[0];
    printf("GUEST rights %x, features %x\n", out[0] & ASKED_RIGHTS, out[3] & ASKED_FEATURES);
    fprintf(stderr, "rights %x, features %x\n", out[0], out[3]);
    return rights;
}

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC_RAW, &now);
    return now.tv_sec + now.tv_nsec / 1e9;
}

static uint64_t rdtsc(void)
{
    uint32_t low, high;
    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
    return (uint64_t)high << 32 | low;
}

static const char *compared(double value, double wanted)
{
    fprintf(stderr, "%g, wanted %g\n", value, wanted);
    return value > wanted * 0.95 && value < wanted * 1.05 ? "right" : "wrong";
}

static void clocks(uint32_t rights)
{
    uint64_t count = rights & MAY_COUNT ? read_msr(0, REFERENCE_COUNT) : 0, tsc = rdtsc();
    double start = seconds();
    sleep(2);
    double passed = seconds() - start;
    uint64_t ticks = rdtsc() - tsc;
    if (rights & MAY_COUNT)
        printf("GUEST reference count %s\n", compared((double)(read_msr(0, REFERENCE_COUNT) - count) / 1e7, passed));
    if (rights & MAY_FREQUENCIES)
        printf("GUEST frequencies %s, APIC %s\n", compared((double)read_msr(0, TSC_HERTZ), (double)ticks / passed),
               read_msr(0, APIC_HERTZ) ? "told" : "not told");
}

/* The time by the page, in units of 100 ns, is that of the counter; sequence 0 sends its reader to the counter. */
static void reference_page(unsigned processors, struct reference_tsc *page, uint64_t address)
{
    write_msr(0, REFERENCE_TSC, address | ENABLE);
    for (unsigned i = 0; i < processors && page->sequence; i++) {
        uint64_t now = (uint64_t)((unsigned __int128)rdtsc() * page->scale >> 64) + (uint64_t)page->offset;
        int64_t ahead = (int64_t)(read_msr(i, REFERENCE_COUNT) - now);
        fprintf(stderr, "processor %u: counter ahead of page by %ld\n", i, (long)ahead);
        if (ahead < -1000 || ahead > 1000000)
            printf("GUEST reference page wrong on %u\n", i);
    }
    printf("GUEST reference page %s\n", read_msr(0, REFERENCE_TSC) == (address | ENABLE) ? "on" : "off");
    write_msr(0, REFERENCE_TSC, 0);
}

static void hypercall_page(uint8_t *page, uint64_t address)
{
    memset(page, 0, PAGE);
    write_msr(0, OS_ID, LINUX_6_1);
    write_msr(0, HYPERCALL, address | ENABLE);
    printf("GUEST hypercall page: %s, %s\n", read_msr(0, HYPERCALL) & ENABLE ? "on" : "off",
           memchr(page, 0xc3, 64) ? "code" : "no code");
    write_msr(0, HYPERCALL, 0);
    write_msr(0, OS_ID, 0);
}

int main(int argc, char **argv)
{
    uint64_t address = strtoull(argc > 1 ? argv[1] : "0", NULL, 0);
    unsigned processors = (unsigned)sysconf(_SC_NPROCESSORS_ONLN);
    int memory = open("/dev/mem", O_RDWR | O_SYNC);
    uint8_t *pages = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, memory, (off_t)address);
    if (memory < 0 || pages == MAP_FAILED)
        fail("/dev/mem");
    for (unsigned i = 0; i < processors; i++) {
        char name[32];
        snprintf(name, sizeof(name), "/dev/cpu/%u/msr", i);
        msr[i] = open(name, O_RDWR);
        if (msr[i] < 0)
            fail(name);
        printf("GUEST processor %lu, task priority %lu\n", (unsigned long)read_msr(i, VP_INDEX),
               (unsigned long)read_msr(i, TPR));
    }
    uint32_t rights = leaves();
    clocks(rights);
    hypercall_page(pages, address);
    if (rights & MAY_REFERENCE_TSC)
        reference_page(processors, (struct reference_tsc *)(pages + PAGE), address + PAGE);
    for (unsigned i = 0; i < processors; i++)
        write_msr(i, ASSIST, (address + 2 * PAGE) | ENABLE);
    sleep(1); /* interrupts come and go with it */
    for (unsigned i = 0; i < processors; i++) {
        printf("GUEST assist page %s\n", read_msr(i, ASSIST) == ((address + 2 * PAGE) | ENABLE) ? "on" : "off");
        write_msr(i, ASSIST, 0);
    }
    return 0;
}
