/*
 * GDT, IDT, TSS and syscall entry points of each CPU.
 *
 * The ABI fixes our descriptors to GDT pages 14 and 15 (FIRST_RESERVED_GDT_ENTRY); pages 0-13 belong to the guest. A
 * CPU therefore has one frame with its own descriptors; while a vcpu runs, GDTR points to that vcpu's window, whose
 * page 14 shows this frame (pv/descriptor.c). Without a guest GDTR points below the frame so that the same selectors
 * work.
 */
#include <hv/boot.h>
#include <hv/console.h>
#include <hv/cpu.h>
#include <hv/descriptor_tables.h>
#include <hv/page.h>
#include <hv/page_alloc.h>
#include <hv/traps.h>

#define GDT_FRAME_SELECTOR  0xe000
#define GDT_INDEX(selector) (((selector)-GDT_FRAME_SELECTOR) / 8)

#define GDT_CODE64_RING0 0x00af9b000000ffffUL
#define GDT_DATA_RING0   0x00cf93000000ffffUL
#define GDT_CODE32_RING3 0x00cffb000000ffffUL
#define GDT_DATA_RING3   0x00cff3000000ffffUL
#define GDT_CODE64_RING3 0x00affb000000ffffUL

struct __packed table_pointer {
    uint16_t limit;
    uint64_t base;
};

struct gate {
    uint16_t offset_low, selector;
    uint8_t ist, type;
    uint16_t offset_middle;
    uint32_t offset_high, reserved;
};
_Static_assert(sizeof(struct gate) == 16, "SDM volume 3, figure 6-8");

/* From entry.S. */
extern const uint64_t vector_entry[256];
extern char syscall_stub[], syscall32_stub[];
extern struct {
    uint64_t saved_rsp, stack_top;
    uint64_t unused[6];
} syscall_data[NR_CPUS];
#define SYSCALL_STUB_SIZE 64

static struct gate idt[256] __aligned(16);
static uint64_t boot_gdt_frame[512] __aligned(4096) __attribute__((section(".bss.page_aligned")));
static uint64_t *gdt_frame[NR_CPUS];
static struct tss tss_of[NR_CPUS] __aligned(128);

static void set_gate(unsigned vector, unsigned ist, unsigned dpl)
{
    uint64_t entry = vector_entry[vector];
    idt[vector] = (struct gate){
        .offset_low = (uint16_t)entry,
        .offset_middle = (uint16_t)(entry >> 16),
        .offset_high = (uint32_t)(entry >> 32),
        .selector = HYPERVISOR_CS64,
        .ist = (uint8_t)ist,
        .type = (uint8_t)(0x8e | dpl << 5),
    };
}

void descriptor_tables_init(void)
{
    for (unsigned vector = 0; vector < 256; vector++)
        set_gate(vector, IST_NONE, 0);
    set_gate(TRAP_double_fault, IST_DOUBLE_FAULT, 0);
    set_gate(TRAP_nmi, IST_NMI, 0);
    set_gate(TRAP_machine_check, IST_MACHINE_CHECK, 0);
    set_gate(TRAP_debug, IST_DEBUG, 0);
    set_gate(TRAP_int3, IST_NONE, 3);
    set_gate(TRAP_overflow, IST_NONE, 3);
}

static void fill_gdt_frame(uint64_t *gdt, const struct tss *tss)
{
    uint64_t base = (uint64_t)tss;
    gdt[GDT_INDEX(HYPERVISOR_CS64)] = GDT_CODE64_RING0;
    gdt[GDT_INDEX(HYPERVISOR_DS)] = GDT_DATA_RING0;
    gdt[GDT_INDEX(GUEST_CS32)] = GDT_CODE32_RING3;
    gdt[GDT_INDEX(GUEST_DS)] = GDT_DATA_RING3;
    gdt[GDT_INDEX(GUEST_CS64)] = GDT_CODE64_RING3;
    gdt[GDT_INDEX(TSS_SELECTOR)] =
        (sizeof(*tss) - 1) | (base & 0xffffff) << 16 | 0x89UL << 40 | (base >> 24 & 0xff) << 56;
    gdt[GDT_INDEX(TSS_SELECTOR) + 1] = base >> 32;
}

static void fill_tss(struct tss *tss, struct cpu_info *ci)
{
    uint64_t block = ROUND_DOWN((uint64_t)ci, STACK_SIZE);
    *tss = (struct tss){.iomap_base = sizeof(*tss)};
    tss->rsp[0] = (uint64_t)&ci->guest_regs.es;
    for (unsigned ist = IST_DOUBLE_FAULT; ist <= IST_DEBUG; ist++)
        tss->ist[ist - 1] = block + 2 * ist * PAGE_SIZE; /* each has a guard below it */
}

static void load_syscall_entry(const struct cpu *cpu, struct cpu_info *ci)
{
    syscall_data[cpu->id].stack_top = (uint64_t)&ci->guest_regs.es;
    wrmsr(MSR_STAR, (uint64_t)GUEST_CS32 << 48 | (uint64_t)HYPERVISOR_CS64 << 32);
    wrmsr(MSR_LSTAR, (uint64_t)syscall_stub + cpu->id * SYSCALL_STUB_SIZE);
    wrmsr(MSR_CSTAR, (uint64_t)syscall32_stub + cpu->id * SYSCALL_STUB_SIZE);
    wrmsr(MSR_SYSCALL_MASK, X86_EFLAGS_IF | X86_EFLAGS_TF | X86_EFLAGS_DF | X86_EFLAGS_NT | X86_EFLAGS_AC |
                                X86_EFLAGS_RF | X86_EFLAGS_IOPL);
    wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_SCE);
    wrmsr_safe(MSR_SYSENTER_CS, 0); /* SYSENTER by a guest raises #GP, which is passed on to it */
}

void descriptor_tables_load(const struct cpu *cpu)
{
    struct table_pointer gdtr = {GDT_FRAME_SELECTOR + PAGE_SIZE - 1, (uint64_t)gdt_frame[cpu->id] - GDT_FRAME_SELECTOR};
    __asm__ volatile("lgdt %0" ::"m"(gdtr));
}

void descriptor_tables_init_cpu(struct cpu *cpu)
{
    struct cpu_info *ci = cpu_info();
    uint64_t *gdt = cpu->id ? alloc_zeroed_pages(0) : boot_gdt_frame;
    if (!gdt)
        panic("no memory for the descriptors of CPU %u", cpu->id);
    gdt_frame[cpu->id] = gdt;
    cpu->tss = &tss_of[cpu->id];
    fill_tss(cpu->tss, ci);
    fill_gdt_frame(gdt, cpu->tss);
    struct table_pointer idtr = {sizeof(idt) - 1, (uint64_t)idt};
    descriptor_tables_load(cpu);
    __asm__ volatile("lidt %0" ::"m"(idtr));
    __asm__ volatile("pushq %0\n\tleaq 1f(%%rip), %%rax\n\tpushq %%rax\n\tlretq\n1:" ::"i"(HYPERVISOR_CS64)
                     : "rax", "memory");
    __asm__ volatile(
        "mov %0, %%ss\n\tmov %1, %%ds\n\tmov %1, %%es\n\tmov %1, %%fs\n\tmov %1, %%gs" ::"r"(HYPERVISOR_DS), "r"(0));
    __asm__ volatile("lldt %w0\n\tltr %w1" ::"r"(0), "r"(TSS_SELECTOR));
    load_syscall_entry(cpu, ci);
}

/* The boot CPU's frame is part of the image. */
mfn_t cpu_gdt_mfn(const struct cpu *cpu)
{
    const uint64_t *gdt = gdt_frame[cpu->id];
    return (gdt == boot_gdt_frame ? image_to_paddr(gdt) : virt_to_paddr(gdt)) >> PAGE_SHIFT;
}
