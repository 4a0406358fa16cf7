/*
 * STAC and CLAC put in their places, and each CPU's protection tried out. Sources: Intel SDM volume 3, 4.6; volume 2,
 * STAC and CLAC; AMD APM volume 2, 5.6.
 */
#include <hv/boot.h>
#include <hv/console.h>
#include <hv/cpu.h>
#include <hv/pagetable.h>
#include <hv/percpu.h>
#include <hv/protection.h>
#include <hv/traps.h>

struct smap_site {
    int32_t at; /* relative to this field */
    uint32_t last_byte;
};
extern const struct smap_site smap_sites_start[], smap_sites_end[];

void protection_init(void)
{
    for (const struct smap_site *s = smap_sites_start; cpu_features.smap && s < smap_sites_end; s++) {
        uint8_t *code = (uint8_t *)&s->at + s->at;
        const uint8_t instruction[] = {0x0f, 0x01, (uint8_t)s->last_byte};
        memcpy(code, instruction, sizeof(instruction));
    }
}

static bool can_read(const void *at)
{
    bool can = true;
    uint8_t value;
    __asm__ volatile("1: movb (%2), %1\n\tjmp 3f\n2: movb $0, %0\n3:\n\t" EXTABLE_ENTRY("1b", "2b")
                     : "+r"(can), "=&r"(value)
                     : "r"(at)
                     : "memory");
    return can;
}

/* Writes nothing but what is there. */
static bool can_write(const void *at)
{
    bool can = true;
    __asm__ volatile("1: orb $0, (%1)\n\tjmp 3f\n2: movb $0, %0\n3:\n\t" EXTABLE_ENTRY("1b", "2b")
                     : "+r"(can)
                     : "r"(at)
                     : "memory", "cc");
    return can;
}

uint8_t protection_data = 0xc3; /* ret */

static bool can_run_data(void)
{
    bool can = true;
    __asm__ volatile(
        "call protection_data\n\tjmp 3f\n2: add $8, %%rsp\n\tmovb $0, %0\n3:\n\t" EXTABLE_ENTRY("protection_data", "2b")
        : "+r"(can)::"memory", "cc");
    return can;
}

/* The machine-to-pfn table that guests read is the one page of theirs that is always there. */
void protection_check_cpu(void)
{
    const struct cpu_features *f = &cpu_features;
    unsigned cpu = smp_processor_id();
    if (can_write(text_start) || can_write(rodata_start))
        panic("CPU %u lets the hypervisor write to its own code", cpu);
    if (can_run_data())
        panic("CPU %u lets the hypervisor run data", cpu);
    if (f->smap && can_read((const void *)M2P_RO_VA))
        panic("CPU %u lets the hypervisor read guests' pages unasked, in spite of SMAP", cpu);
    if (f->smep && !(read_cr4() & X86_CR4_SMEP))
        panic("CPU %u does not keep SMEP on", cpu);
    if (f->umip && !(read_cr4() & X86_CR4_UMIP))
        panic("CPU %u does not keep UMIP on", cpu);
    if (!cpu)
        log_info("protection: WP, NX%s%s%s", f->smep ? ", SMEP" : "", f->smap ? ", SMAP" : "", f->umip ? ", UMIP" : "");
}
