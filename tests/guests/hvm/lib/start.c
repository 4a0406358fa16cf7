/* The start of an HVM test kernel in long mode: command line, hypercall page, memory, time. */
#include "hvm.h"
#include "../../lib/ring_console.h"

void hvm_start(void);
void traps_init(void);
void second_main(void);

static char *next_page = (char *)0x400000; /* behind the kernel and its start info, with room */
static uint32_t tsc_khz;
static bool console_is_ring;
struct hvm_start_info *start_info;

void console_out(const char *text, size_t length)
{
    if (console_is_ring) {
        ring_console_out(text, length);
        return;
    }
    while (length--)
        outb(0xe9, (uint8_t)*text++);
}

static uint64_t parameter(unsigned index)
{
    struct xen_hvm_param parameter = {.domid = DOMID_SELF, .index = index};
    if (HYPERCALL(hvm_op, HVMOP_get_param, &parameter))
        error("there is no parameter %u", index);
    return parameter.value;
}

void console_use_ring(void)
{
    ring_console_start((void *)(parameter(HVM_PARAM_CONSOLE_PFN) * PAGE),
                       (uint32_t)parameter(HVM_PARAM_CONSOLE_EVTCHN));
    console_is_ring = true;
}

void power_off(void)
{
    struct sched_shutdown off = {SHUTDOWN_poweroff};
    if (console_is_ring)
        ring_console_drain();
    for (;;)
        HYPERCALL(sched_op, SCHEDOP_shutdown, &off);
}

bool on_platform(const char *name)
{
    return same_word(option("platform"), name);
}

bool on_reference(void)
{
    return same_word(option("hypervisor"), "reference");
}

void memory_set(void *to, int value, size_t n)
{
    __asm__ volatile("rep stosb" : "+D"(to), "+c"(n) : "a"(value) : "memory");
}

/* The compiler calls these by name. */
void *memset(void *to, int value, size_t n);
void *memcpy(void *to, const void *from, size_t n);
void *memset(void *to, int value, size_t n)
{
    memory_set(to, value, n);
    return to;
}
void *memcpy(void *to, const void *from, size_t n)
{
    void *start = to;
    __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(n) : : "memory");
    return start;
}

void *page_alloc(void)
{
    void *page = next_page;
    next_page += PAGE;
    if (next_page > (char *)0x800000)
        error("the test needs more memory than 4 MiB");
    memory_set(page, 0, PAGE);
    return page;
}

uint64_t *entry_of(uint64_t address)
{
    uint64_t *table = root_table;
    for (unsigned shift = 39; shift > 12; shift -= 9) {
        uint64_t *entry = &table[address >> shift & 511];
        if (!*entry)
            *entry = (uint64_t)page_alloc() | PTE_P | PTE_W | PTE_U;
        else if (*entry & PTE_PSE)
            error("%lx is in the one-to-one mapping", address);
        table = (uint64_t *)(*entry & PTE_ADDRESS);
    }
    return &table[address >> 12 & 511];
}

uint32_t hypervisor_leaf(void)
{
    for (uint32_t leaf = 0x40000000; leaf < 0x40010000; leaf += 0x100) {
        uint32_t out[4];
        cpuid(leaf, 0, out);
        if (out[1] == XEN_CPUID_SIGNATURE_EBX && out[2] == XEN_CPUID_SIGNATURE_ECX && out[3] == XEN_CPUID_SIGNATURE_EDX)
            return leaf;
    }
    return 0;
}

uint64_t ticks_of(uint64_t microseconds)
{
    return microseconds * tsc_khz / 1000;
}

long hypercall(unsigned op, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e)
{
    register uint64_t r10 __asm__("r10") = d;
    register uint64_t r8 __asm__("r8") = e;
    long result;
    __asm__ volatile("call *%6"
                     : "=a"(result), "+D"(a), "+S"(b), "+d"(c), "+r"(r10), "+r"(r8)
                     : "r"(hypercall_page + op * 32)
                     : "rcx", "r11", "memory");
    return result;
}

void hvm_start(void)
{
    traps_init();
    command_line = (const char *)start_info->cmdline_paddr;
    uint32_t leaf = hypervisor_leaf(), out[4];
    if (!leaf)
        for (;;)
            __asm__ volatile("ud2");
    cpuid(leaf + 3, 0, out);
    tsc_khz = out[2];
    cpuid(leaf + 2, 0, out);
    wrmsr(out[1], (uint64_t)hypercall_page);
    say("Test: %s", test_title);
    test_main();
    finish();
}
