/*
 * Exits with random contents, the same in each run, through every neutral handler: hvm/exit.c, inject.c, control.c,
 * msr.c, mtrr.c and task_switch.c are real, what they call is random. The sanitizers watch, nothing may panic, and
 * after each exit the guest is in a state that a processor enters.
 */
#include "../../random.h"
#include <hv/compat.h>
#include <hv/cpu_policy.h>
#include <hv/hvm_io.h>
#include <hv/hvm_irq.h>
#include <hv/hvm_mtrr.h>
#include <hv/p2m.h>
#include <hv/sched.h>
#include <hv/traps.h>
#include <hv/vdev.h>
#include <hv/viridian.h>
#include <hv/xstate.h>
#include "machine.h"

#define STEPS        3000000
#define TABLE        0x1000U
#define MEMORY       0x10000U
#define DR7_RESERVED (0xdc00UL | 0xffffffff00000000UL) /* bits 10 (set), 11, 12, 14 and 15 */
#define DR7_SET      0x400UL
#define DR6_SET      0xffff0ff0UL
#define CR0_RESERVED (~0xe005003fUL)
#define CR4_RESERVED (~0x371fffUL)

static uint8_t memory[MEMORY];

/* A value of any kind, near a table of the guest's, or a control register's. */
static uint64_t any_value(void)
{
    switch (random_below(6)) {
    case 0:
        return random_below(MEMORY);
    case 1:
        return 0x80000011UL | random_below(0x100000);
    default:
        return random_value();
    }
}

/* ---- what the handlers call ---- */

mfn_t p2m_lookup(struct domain *d, gfn_t gfn, enum p2m_type *type, unsigned *order)
{
    *type = random_below(P2M_TYPE_COUNT);
    return random_below(2) ? INVALID_MFN : 5;
}
bool p2m_fix_write_fault(struct domain *d, gfn_t gfn)
{
    return !random_below(4);
}
enum emulate_outcome hvm_emulate_one(struct vcpu *v, struct cpu_user_regs *regs, const uint8_t *bytes, unsigned count)
{
    static const enum emulate_outcome outcomes[] = {EMULATE_OK, EMULATE_EXCEPTION, EMULATE_RETRY, EMULATE_UNHANDLED};
    CHECK(count <= 15);
    return outcomes[random_below(ARRAY_SIZE(outcomes))];
}
unsigned hvm_instruction_length(struct vcpu *v, const struct cpu_user_regs *regs)
{
    return random_below(16);
}
unsigned hvm_fetch(struct vcpu *v, const struct cpu_user_regs *regs, uint8_t bytes[15])
{
    memset(bytes, random_below(256), 15);
    return random_below(16);
}
void hvm_cpuid(struct vcpu *v, uint32_t leaf, uint32_t subleaf, struct cpuid *out)
{
    *out = (struct cpuid){(uint32_t)any_value(), (uint32_t)any_value(), (uint32_t)any_value(), (uint32_t)any_value()};
    if (random_below(4)) /* as a rule all is there */
        *out = (struct cpuid){~0U, ~0U, ~0U, ~0U};
    if (leaf == 0x80000008)
        out->eax = 40;
}
uint64_t hvm_guest_tsc(const struct vcpu *v)
{
    return random64();
}
void hvm_set_guest_tsc(struct vcpu *v, uint64_t value)
{
}
void hvm_set_tsc_offset(struct vcpu *v, uint64_t offset)
{
}
bool rdmsr_safe(uint32_t msr, uint64_t *value)
{
    *value = random64();
    return random_below(2);
}
bool hvm_hypercall(struct vcpu *v, struct cpu_user_regs *regs)
{
    regs->rax = random64();
    return random_below(2);
}
bool hvm_write_hypercall_page(struct vcpu *v, uint64_t gpa)
{
    return random_below(2);
}
int hvm_pending_interrupt(struct vcpu *v, bool acknowledge)
{
    return random_below(300) - 44;
}
static enum io_result random_io(unsigned bytes)
{
    CHECK(bytes == 1 || bytes == 2 || bytes == 4);
    return random_below(8) ? IO_OK : IO_RETRY;
}
enum io_result hvm_port_read(struct vcpu *v, uint16_t port, unsigned bytes, uint32_t *value)
{
    *value = (uint32_t)random64() >> (32 - 8 * bytes);
    return random_io(bytes);
}
enum io_result hvm_port_write(struct vcpu *v, uint16_t port, unsigned bytes, uint32_t value)
{
    return random_io(bytes);
}
bool hvm_io_take_answers(struct vcpu *v)
{
    return random_below(2);
}
bool hvm_policy_rdmsr(const struct vcpu *v, uint32_t msr, uint64_t *value)
{
    *value = random64();
    return random_below(2);
}
bool viridian_rdmsr(struct vcpu *v, uint32_t msr, uint64_t *value)
{
    *value = random64();
    return random_below(2);
}
bool viridian_wrmsr(struct vcpu *v, uint32_t msr, uint64_t value)
{
    return random_below(2);
}
bool vlapic_rdmsr(struct vcpu *v, uint32_t msr, uint64_t *value)
{
    *value = random64();
    return random_below(2);
}
bool vlapic_wrmsr(struct vcpu *v, uint32_t msr, uint64_t value)
{
    return random_below(2);
}
uint8_t vlapic_get_tpr(const struct vcpu *v)
{
    return (uint8_t)random_below(256);
}
void vlapic_set_tpr(struct vcpu *v, uint8_t value)
{
    CHECK(!(value & 15));
}
bool vlapic_wait_for_startup(struct vcpu *v)
{
    v->offline = random_below(2);
    return v->offline;
}
bool vlapic_take_startup(struct vcpu *v)
{
    return true;
}
bool vlapic_enabled(const struct vcpu *v)
{
    return random_below(2);
}
void hvm_assert_upcall(struct vcpu *v)
{
}
int xstate_set_xcr0(struct vcpu *v, uint64_t xcr0)
{
    return random_below(2) ? 0 : -EINVAL;
}
void compat_latch_layout(struct vcpu *v)
{
}
void vcpu_sleep(struct vcpu *v)
{
}
void vcpu_yield(void)
{
}
void panic_regs(const struct cpu_user_regs *regs, const char *format, ...)
{
    fprintf(stderr, "a guest made it panic: %s\n", format);
    abort();
}

/* The guest's memory: 64 KiB at 0, sometimes not mapped, sometimes without memory behind it. */
int hvm_copy_linear(struct vcpu *v, uint64_t linear, void *buffer, size_t bytes, unsigned access, uint32_t *fault,
                    uint64_t *gpa)
{
    CHECK(bytes <= 104);
    if (!random_below(30)) {
        *fault = random_below(32);
        return -EFAULT;
    }
    if (linear + bytes > MEMORY || linear + bytes < linear) {
        *gpa = linear;
        return -EAGAIN;
    }
    if (access & WALK_WRITE)
        memcpy(memory + linear, buffer, bytes);
    else
        memcpy(buffer, memory + linear, bytes);
    return 0;
}
int hvm_copy_from_physical(struct domain *d, void *to, uint64_t gpa, size_t bytes)
{
    if (gpa + bytes > MEMORY || gpa + bytes < gpa)
        return -EINVAL;
    memcpy(to, memory + gpa, bytes);
    return 0;
}

/* ---- the guest ---- */

static uint64_t get_msr(struct vcpu *v, uint32_t msr)
{
    return random64();
}
static void set_msr(struct vcpu *v, uint32_t msr, uint64_t value)
{
}
static void forget_page(struct vcpu *v, uint64_t address)
{
}
static void update_pat(struct vcpu *v)
{
}

/* Descriptors at 0: mostly present, of types that tasks use, with bases inside the memory. */
static void random_tables(void)
{
    static const uint8_t types[] = {0x89, 0x8b, 0x81, 0x83, 0x82, 0x93, 0x92, 0x9b, 0x9f, 0xf3, 0xfb, 0x13, 0x97};
    for (unsigned at = 0; at < TABLE; at += 8) {
        uint64_t base = random_below(MEMORY), limit = random_below(8) ? 0xffff : random_below(128);
        uint64_t d = limit | base << 16 | (uint64_t)types[random_below(ARRAY_SIZE(types))] << 40 | 0x0040000000000000UL;
        memcpy(memory + at, &d, 8);
    }
    for (unsigned at = TABLE; at < MEMORY; at += 2) { /* selectors, wherever a task may be */
        uint16_t selector = (uint16_t)(random_below(TABLE / 8) * 8 | (random_below(4) ? 0 : random_below(8)));
        memcpy(memory + at, &selector, 2);
    }
}

static void random_guest(void)
{
    static struct hvm_exit redo;
    machine_reset();
    hvm_vcpu.redo = &redo;
    hvm_vcpu.lapic = random_below(2) ? (struct vlapic *)&redo : NULL; /* only whether there is one counts here */
    cpu_features.vendor = random_below(2) ? VENDOR_AMD : VENDOR_INTEL;
    for (unsigned i = 0; i < sizeof(fake_regs) / 8; i++)
        ((uint64_t *)&fake_regs)[i] = any_value();
    for (unsigned i = 0; i < SEG_COUNT; i++)
        segment[i] = (struct hvm_segment_register){(uint16_t)random64(), (uint16_t)(random64() & 0xfff),
                                                   (uint32_t)any_value(), any_value()};
    segment[SEG_GDTR].base = segment[SEG_LDTR].base = 0;
    segment[SEG_GDTR].limit = segment[SEG_LDTR].limit = random_below(4) ? TABLE - 1 : random_below(TABLE);
    segment[SEG_TR] = (struct hvm_segment_register){(uint16_t)(random_below(TABLE / 8) * 8),
                                                    random_below(4) ? 0x8b : 0x83, 0xffff, random_below(MEMORY)};
    static const uint64_t modes[][3] = {
        {0x10, 0, 0}, {0x11, 0, 0}, {0x80000011, 0x10, 0}, {0x80000011, 0x30, 0x800}, {0x80050033, 0x6a0, 0xd01}};
    const uint64_t *mode = modes[random_below(ARRAY_SIZE(modes))];
    hvm_vcpu.cr0 = mode[0];
    hvm_vcpu.cr4 = mode[1];
    hvm_vcpu.efer = mode[2];
    hvm_vcpu.cr3 = random_below(16) << 12;
    hvm_vcpu.dr_loaded = random_below(2);
}

/* One that hvm/msr.c has, or near one. */
static uint32_t random_msr(void)
{
    static const uint32_t known[] = {0x10,       0x17,       0x1b,       0x8b,       0xfe,       0x174,      0x179,
                                     0x1a0,      0x1d9,      0x200,      0x250,      0x258,      0x268,      0x277,
                                     0x2ff,      0x400,      0x6e0,      0x800,      0xda0,      0x40000000, 0xc0000080,
                                     0xc0000081, 0xc0000084, 0xc0000100, 0xc0000102, 0xc0000103, 0xc0010000, 0xc0010010,
                                     0xc0010015, 0xc0010058, 0xc0010140, 0xc0011029};
    return known[random_below(ARRAY_SIZE(known))] + (random_below(2) ? 0 : random_below(16));
}

/* What the exit is about, near what the guest has now. */
static void make_likely(struct hvm_exit *e)
{
    const uint64_t now[] = {hvm_vcpu.cr0, 0, 0, hvm_vcpu.cr3, hvm_vcpu.cr4};
    if (e->reason == EXIT_MSR) {
        fake_regs.rcx = random_msr();
        if (fake_regs.rcx == 0xc0000080)
            fake_regs.rax = hvm_vcpu.efer ^ 1UL << random_below(16);
        if (fake_regs.rcx == 0x277 || fake_regs.rcx == 0x2ff)
            fake_regs.rax = fake_regs.rdx = 0x06060606;
    }
    if (e->reason == EXIT_CR_WRITE) {
        static const uint8_t registers[] = {0, 3, 4, 8};
        e->cr = registers[random_below(4)];
        e->reg = 0xff;
        e->value =
            e->cr == 8 ? random_below(32) : now[e->cr] ^ 1UL << random_below(64) ^ (random_below(2) ? 1UL << 31 : 0);
    }
    if (e->reason == EXIT_XSETBV) {
        hvm_vcpu.cr4 |= X86_CR4_OSXSAVE;
        fake_regs.rcx = 0;
    }
    if (e->reason == EXIT_TASK_SWITCH) {
        e->task.selector = (uint16_t)(random_below(TABLE / 8) * 8 | random_below(2) * 4);
        fake_regs.rflags &= ~(1UL << 17);
    }
}

static struct hvm_event random_event(void)
{
    static const uint8_t kinds[] = {HVM_EVENT_EXTERNAL, HVM_EVENT_NMI, HVM_EVENT_EXCEPTION, HVM_EVENT_SOFTWARE};
    struct hvm_event e = {.valid = true, .kind = kinds[random_below(4)], .vector = (uint8_t)random64()};
    if (e.kind == HVM_EVENT_EXCEPTION)
        e.vector %= 32;
    if (e.kind == HVM_EVENT_NMI)
        e.vector = TRAP_nmi;
    e.has_error_code = e.kind == HVM_EVENT_EXCEPTION && 0x27d00 >> e.vector & 1;
    e.error_code = e.has_error_code ? (uint32_t)random64() : 0;
    e.cr2 = any_value();
    return e;
}

static struct hvm_exit random_exit(void)
{
    struct hvm_exit e = {.code = random64(), .length = (uint8_t)random_below(16), .write = random_below(2)};
    do
        e.reason = random_below(EXIT_COUNT);
    while (e.reason == EXIT_MACHINE_CHECK); /* the machine's, and it does panic */
    e.cr = (uint8_t)random_below(16);
    e.reg = random_below(8) ? (uint8_t)random_below(16) : 0xff;
    e.value = any_value();
    e.address = any_value();
    e.event = random_event();
    if (!random_below(4))
        e.interrupted = random_event();
    e.port.port = (uint16_t)any_value();
    e.port.bytes = (uint8_t)(1U << random_below(3));
    e.port.in = random_below(2);
    e.port.string = random_below(2);
    e.fault.gpa = any_value();
    e.fault.write = random_below(2);
    e.fault.fetch = random_below(2);
    e.fault.in_walk = !random_below(4);
    e.fault.byte_count = (uint8_t)random_below(16);
    e.task.selector = (uint16_t)any_value();
    e.task.reason = (uint8_t)random_below(4);
    e.task.has_error_code = random_below(2);
    e.task.error_code = (uint32_t)random64();
    return e;
}

/* What VM entry looks at and a guest may have changed. */
static void check_guest(void)
{
    const struct hvm_vcpu *h = &hvm_vcpu;
    bool paging = h->cr0 & X86_CR0_PG, long_mode = h->efer & EFER_LMA;
    CHECK(!(h->cr0 & CR0_RESERVED) && !(h->cr4 & CR4_RESERVED) && !(h->efer & ~0x4d01UL));
    CHECK(!paging || h->cr0 & X86_CR0_PE);
    CHECK(!(h->cr0 & 0x20000000) || h->cr0 & 0x40000000); /* NW without CD */
    CHECK(long_mode == (paging && h->efer & EFER_LME));
    CHECK(!long_mode || h->cr4 & X86_CR4_PAE);
    CHECK(!long_mode || h->cr3 >> cpu_features.physical_address_bits == 0);
    CHECK((h->dr6 & ~0xe00fUL) == DR6_SET);
    CHECK((h->dr7 & DR7_RESERVED) == DR7_SET);
    const struct hvm_event *e = &h->pending;
    if (!e->valid)
        return;
    CHECK(e->kind != HVM_EVENT_EXCEPTION || e->vector < 32);
    CHECK(e->kind != HVM_EVENT_NMI || e->vector == TRAP_nmi);
    CHECK(!e->has_error_code || (e->kind == HVM_EVENT_EXCEPTION && 0x227d00U >> e->vector & 1));
}

int main(void)
{
    static struct hvm_vendor vendor;
    vendor = *hvm_vendor;
    vendor.get_msr = get_msr;
    vendor.set_msr = set_msr;
    vendor.invlpg = forget_page;
    vendor.update_pat = update_pat;
    hvm_vendor = &vendor;
    for (unsigned step = 0; step < STEPS; step++) {
        if (step % 4096 == 0)
            random_tables();
        if (step % 8 == 0)
            random_guest();
        struct hvm_exit e = random_exit();
        if (random_below(8))
            make_likely(&e);
        if (!random_below(3))
            hvm_vcpu.pending.valid = false;
        hvm_handle_exit(&vcpu, &fake_regs, &e);
        check_guest();
        CHECK(!hvm_vcpu.redo_valid || !hvm_vcpu.redo->interrupted.valid);
        hvm_vcpu.redo_valid = false;
        fake_regs.rflags = any_value();
        if (!random_below(4))
            fake_regs.rcx = any_value();
    }
    puts("ok");
    return 0;
}
