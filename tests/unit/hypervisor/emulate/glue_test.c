/*
 * The emulator on an HVM vcpu, with a fake guest around it: identity-mapped memory whose second page is a device, a
 * descriptor table, a task state segment.
 */
#include <hv/console.h>
#include <hv/hvm_exit.h>
#include <hv/hvm_io.h>
#include <hv/p2m.h>
#include <hv/traps.h>
#include "../../../../hypervisor/hvm/emulate_glue.h"
#include "../../check.h"
#include "../../test_list.h"
#include <stdio.h>

#define CODE      0x4000UL
#define DEVICE    0x1000UL
#define UNMAPPED  0x7000UL
#define READ_ONLY 0x6000UL
#define RAM_BYTES 0x8000UL

static uint8_t ram[RAM_BYTES];
static struct hvm_segment_register segment[SEG_COUNT];
static struct domain domain;
static struct hvm_domain hvm_domain;
static struct hvm_vcpu hvm_vcpu;
static struct vcpu vcpu = {.domain = &domain, .hvm = &hvm_vcpu};
static struct cpu_user_regs regs;
static unsigned mode_bytes, ring, reads, writes, repeats;
static uint64_t written;
static uint32_t shadow, repeat_count;
static bool must_wait;
static struct hvm_event injected;

/* ---- the fake guest ---- */

static bool is_device(uint64_t gpa)
{
    return (gpa & PAGE_MASK) == DEVICE;
}

int hvm_translate(struct vcpu *v, uint64_t linear, unsigned access, uint64_t *gpa, uint32_t *fault)
{
    bool refused = (linear & PAGE_MASK) == READ_ONLY && access & WALK_WRITE;
    *gpa = linear;
    *fault = (access & (WALK_WRITE | WALK_USER | WALK_FETCH)) | refused;
    return refused || (linear & PAGE_MASK) == UNMAPPED || linear >= RAM_BYTES ? -EFAULT : 0;
}

int hvm_copy_from_physical(struct domain *d, void *to, uint64_t gpa, size_t bytes)
{
    if (is_device(gpa))
        return -EINVAL;
    memcpy(to, ram + gpa, bytes);
    return 0;
}

int hvm_copy_to_physical(struct domain *d, uint64_t gpa, const void *from, size_t bytes)
{
    if (is_device(gpa))
        return -EINVAL;
    memcpy(ram + gpa, from, bytes);
    return 0;
}

int hvm_copy_linear(struct vcpu *v, uint64_t linear, void *buffer, size_t bytes, unsigned access, uint32_t *fault,
                    uint64_t *gpa)
{
    int error = hvm_translate(v, linear, access, gpa, fault);
    if (error)
        return error;
    error = access & WALK_WRITE ? hvm_copy_to_physical(&domain, linear, buffer, bytes)
                                : hvm_copy_from_physical(&domain, buffer, linear, bytes);
    return error ? -EAGAIN : 0;
}

static enum io_result device(uint64_t *value, bool write)
{
    if (must_wait) {
        must_wait = false;
        return IO_RETRY;
    }
    if (write)
        written = *value;
    else
        *value = 0x1111111111111111UL * ++reads;
    writes += write;
    return IO_OK;
}

enum io_result hvm_memory_read(struct vcpu *v, uint64_t gpa, unsigned bytes, uint64_t *value)
{
    return device(value, false);
}

enum io_result hvm_memory_write(struct vcpu *v, uint64_t gpa, unsigned bytes, uint64_t value)
{
    return device(&value, true);
}

enum io_result hvm_port_read(struct vcpu *v, uint16_t port, unsigned bytes, uint32_t *value)
{
    *value = port;
    return IO_OK;
}

enum io_result hvm_port_write(struct vcpu *v, uint16_t port, unsigned bytes, uint32_t value)
{
    written = value;
    return IO_OK;
}

enum io_result hvm_port_repeat(struct vcpu *v, uint16_t port, unsigned bytes, bool write, uint64_t buffer, bool down,
                               uint32_t count)
{
    repeats++;
    repeat_count = count;
    return port == 0x60 ? IO_UNHANDLED : IO_OK;
}

enum io_result hvm_memory_repeat(struct vcpu *v, uint64_t gpa, unsigned bytes, bool write, uint64_t buffer, bool down,
                                 uint32_t count)
{
    repeats++;
    repeat_count = count;
    return is_device(gpa) && !is_device(buffer) ? IO_OK : IO_UNHANDLED;
}

mfn_t p2m_lookup(struct domain *d, gfn_t gfn, enum p2m_type *type, unsigned *order)
{
    return is_device(gfn << PAGE_SHIFT) ? INVALID_MFN : gfn;
}

/* No frames here: a locked access is what it is on a device. */
struct page *p2m_get_page(struct domain *d, gfn_t gfn, bool write, int *error)
{
    *error = -EINVAL;
    return NULL;
}

void page_put_with_type(struct page *page)
{
}

unsigned hvm_code_bytes(struct vcpu *v)
{
    return mode_bytes;
}

void hvm_inject_event(struct vcpu *v, const struct hvm_event *event)
{
    injected = *event;
}

void hvm_inject_exception(struct vcpu *v, uint8_t vector, uint32_t error_code)
{
    bool coded = error_code != HVM_NO_ERROR_CODE;
    injected = (struct hvm_event){.valid = true, .vector = vector, .has_error_code = coded, .error_code = error_code};
}

void hvm_single_step(struct vcpu *v)
{
    v->hvm->dr6 |= 0x4000;
    hvm_inject_exception(v, TRAP_debug, HVM_NO_ERROR_CODE);
}

void hvm_inject_page_fault(struct vcpu *v, uint64_t address, uint32_t error_code)
{
    hvm_inject_exception(v, TRAP_page_fault, error_code);
    injected.cr2 = address;
}

static void get_segment(struct vcpu *v, enum hvm_segment which, struct hvm_segment_register *out)
{
    *out = segment[which];
}

static void set_segment(struct vcpu *v, enum hvm_segment which, const struct hvm_segment_register *in)
{
    segment[which] = *in;
}

static unsigned get_ring(struct vcpu *v)
{
    return ring;
}

static void set_shadow(struct vcpu *v, uint32_t value)
{
    shadow = value;
}

static const struct hvm_vendor vendor = {
    .get_segment = get_segment, .set_segment = set_segment, .cpl = get_ring, .set_shadow = set_shadow};
const struct hvm_vendor *hvm_vendor = &vendor;

/* System registers are not looked at here. */
#define NOT_USED(name, ...)                                                                                            \
    enum emulate_outcome name(__VA_ARGS__)                                                                             \
    {                                                                                                                  \
        return EMULATE_UNHANDLED;                                                                                      \
    }
NOT_USED(system_write_table, struct emulate_context *c, enum emulate_table table, uint64_t base, uint16_t limit)
NOT_USED(system_read_cr, struct emulate_context *c, unsigned number, uint64_t *value)
NOT_USED(system_write_cr, struct emulate_context *c, unsigned number, uint64_t value)
NOT_USED(system_read_dr, struct emulate_context *c, unsigned number, uint64_t *value)
NOT_USED(system_write_dr, struct emulate_context *c, unsigned number, uint64_t value)
NOT_USED(system_read_msr, struct emulate_context *c, uint32_t msr, uint64_t *value)
NOT_USED(system_write_msr, struct emulate_context *c, uint32_t msr, uint64_t value)
NOT_USED(system_cpuid, struct emulate_context *c, uint32_t leaf, uint32_t subleaf, uint32_t out[4])
NOT_USED(system_invlpg, struct emulate_context *c, uint64_t linear)
NOT_USED(system_read_vector, struct emulate_context *c, unsigned number, void *to, unsigned bytes)
NOT_USED(system_write_vector, struct emulate_context *c, unsigned number, const void *from, unsigned bytes)
void system_read_table(struct emulate_context *c, enum emulate_table table, uint64_t *base, uint16_t *limit)
{
}

/* ---- tests ---- */

static enum emulate_outcome run(const void *code, unsigned bytes)
{
    memcpy(ram + CODE, code, bytes);
    regs.rip = CODE;
    injected.valid = false;
    return hvm_emulate_one(&vcpu, &regs, NULL, 0);
}
#define RUN(code) run(code, sizeof(code) - 1)

static void start(unsigned bytes, unsigned privilege)
{
    memset(ram, 0, sizeof(ram));
    memset(&regs, 0, sizeof(regs));
    memset(&hvm_vcpu, 0, sizeof(hvm_vcpu));
    domain.hvm = &hvm_domain;
    hvm_vcpu.cr0 = 1;
    mode_bytes = bytes;
    ring = privilege;
    reads = writes = repeats = 0;
    must_wait = false;
    for (unsigned i = 0; i <= SEG_GS; i++)
        segment[i] = (struct hvm_segment_register){.limit = 0xffffffff, .attributes = i == SEG_CS ? 0xc9b : 0xc93};
    segment[SEG_GDTR] = (struct hvm_segment_register){.base = 0x2000, .limit = 0x3f};
    segment[SEG_TR] = (struct hvm_segment_register){.base = 0x3000, .limit = 0x100, .attributes = 0x8b};
}

static void memory_and_device(void)
{
    start(8, 0);
    regs.rbx = DEVICE - 2;
    ram[DEVICE - 2] = 0xaa;
    ram[DEVICE - 1] = 0xbb;
    CHECK(RUN("\x8b\x03") == EMULATE_OK && regs.rax == 0x1111bbaa); /* mov eax,[rbx] over both */
    regs.rax = 0x44332211;
    CHECK(RUN("\x89\x03") == EMULATE_OK && ram[DEVICE - 2] == 0x11 && ram[DEVICE - 1] == 0x22 && written == 0x4433);
    regs.rbx = DEVICE + 8;
    must_wait = true;
    CHECK(RUN("\x48\x8b\x03") == EMULATE_RETRY && regs.rip == CODE && !injected.valid);
    CHECK(RUN("\x48\x8b\x03") == EMULATE_OK && regs.rip == CODE + 3 && regs.rax == 0x2222222222222222);
}

/* hv/emulate.h reckons with so many accesses to devices for one instruction. */
static void longest_instructions(void)
{
    static const struct {
        const char *code;
        unsigned bytes, mode, accesses;
    } longest[] = {
        {"\xc8\x00\x00\x1f", 4, 8, 62}, /* enter 0,31 */
        {"\xc8\x00\x00\x1f", 4, 4, 62}, {"\x60", 1, 4, 8},     {"\x61", 1, 4, 8},
        {"\xff\x33", 2, 8, 2},          {"\x8f\x03", 2, 8, 2},
    };
    for (unsigned i = 0; i < sizeof(longest) / sizeof(longest[0]); i++) {
        start(longest[i].mode, 0);
        regs.rsp = DEVICE + 0x800;
        regs.rbp = DEVICE + 0xc00;
        regs.rbx = DEVICE + 0xe00;
        CHECK(run(longest[i].code, longest[i].bytes) == EMULATE_OK);
        CHECK(reads + writes == longest[i].accesses && reads + writes <= EMULATE_CACHE_ENTRIES);
    }
    start(8, 0);
    regs.rsp = DEVICE + 0x14; /* both rows leave the device's page */
    regs.rbp = DEVICE + 0x13;
    CHECK(RUN("\xc8\x00\x00\x1f") == EMULATE_OK && reads + writes == 2 + 2 + 1 + 2);
}

static void page_faults(void)
{
    start(8, 3);
    regs.rbx = UNMAPPED - 2;
    regs.rax = ~0UL;
    CHECK(RUN("\x89\x03") == EMULATE_EXCEPTION && injected.vector == TRAP_page_fault && injected.cr2 == UNMAPPED - 2);
    CHECK(injected.error_code == (PF_PRESENT | PF_WRITE | PF_USER)); /* the first page may only be read */
    regs.rbx = UNMAPPED;
    CHECK(RUN("\x8b\x03") == EMULATE_EXCEPTION && injected.cr2 == UNMAPPED && injected.error_code == PF_USER);
}

static void unknown_instructions(void)
{
    start(8, 0);
    CHECK(RUN("\xd9\x03") == EMULATE_UNHANDLED && !injected.valid);
    start(8, 3);
    CHECK(RUN("\xd9\x03") == EMULATE_EXCEPTION && injected.vector == TRAP_invalid_op && !injected.has_error_code);
}

static void given_bytes(void)
{
    const uint8_t given[15] = {0xb8, 1, 2, 3, 4, 0x90};
    start(4, 0);
    regs.rip = CODE;
    CHECK(hvm_emulate_one(&vcpu, &regs, given, sizeof(given)) == EMULATE_OK && regs.rax == 0x04030201);
    regs.rip = CODE;
    regs.rax = 0x2000;                                                                    /* 00 00 is add [eax],al */
    CHECK(hvm_emulate_one(&vcpu, &regs, given, 3) == EMULATE_OK && regs.rip == CODE + 2); /* too few: memory's are */
}

static void limits_and_types(void)
{
    start(4, 0);
    segment[SEG_DS].limit = 0xfff;
    regs.rbx = 0xffd;
    CHECK(RUN("\x8b\x03") == EMULATE_EXCEPTION && injected.vector == TRAP_gp_fault && injected.error_code == 0);
    segment[SEG_DS].attributes = 0xc97; /* expand-down: above the limit */
    regs.rbx = 0x2000;
    CHECK(RUN("\x8b\x03") == EMULATE_OK);
    segment[SEG_DS] = (struct hvm_segment_register){.limit = ~0U, .attributes = 0xc91};
    CHECK(RUN("\x89\x03") == EMULATE_EXCEPTION && injected.vector == TRAP_gp_fault);
    CHECK(RUN("\x2e\x8b\x03") == EMULATE_OK);
    segment[SEG_CS].attributes = 0xc99; /* execute only */
    CHECK(RUN("\x2e\x8b\x03") == EMULATE_EXCEPTION && RUN("\x90") == EMULATE_OK);
    segment[SEG_SS].attributes = 0;
    regs.rsp = 0x2000;
    CHECK(RUN("\x50") == EMULATE_EXCEPTION && injected.vector == TRAP_stack_error);
}

static void put_descriptor(unsigned selector, uint64_t descriptor)
{
    memcpy(ram + 0x2000 + selector, &descriptor, 8);
}

static enum emulate_outcome load_ds(uint16_t selector)
{
    regs.rax = selector;
    return RUN("\x8e\xd8");
}

static void segment_loads(void)
{
    start(4, 0);
    put_descriptor(0x08, 0x12cf92345678ffff);
    CHECK(load_ds(8) == EMULATE_OK && segment[SEG_DS].base == 0x12345678 && segment[SEG_DS].limit == 0xffffffff);
    CHECK(segment[SEG_DS].attributes == 0xc93 && segment[SEG_DS].selector == 8 && ram[0x200d] == 0x93);
    CHECK(load_ds(0) == EMULATE_OK && !(segment[SEG_DS].attributes & SEG_ATTR_PRESENT));
    CHECK(load_ds(0x40) == EMULATE_EXCEPTION && injected.vector == TRAP_gp_fault && injected.error_code == 0x40);
    CHECK(load_ds(0x0c) == EMULATE_EXCEPTION && injected.error_code == 0x0c); /* there is no LDT */
    put_descriptor(0x10, 0x00cf12000000ffff);
    CHECK(load_ds(0x10) == EMULATE_EXCEPTION && injected.vector == TRAP_no_segment && injected.error_code == 0x10);
    ring = 3;
    CHECK(load_ds(8) == EMULATE_EXCEPTION && injected.vector == TRAP_gp_fault);
    ring = 0;
    put_descriptor(0x18, 0x00cf9a000000ffff);
    CHECK(RUN("\xea\x78\x56\x00\x00\x18\x00") == EMULATE_OK && regs.rip == 0x5678 && segment[SEG_CS].selector == 0x18);
    CHECK(RUN("\xea\x78\x56\x00\x00\x08\x00") == EMULATE_EXCEPTION && injected.vector == TRAP_gp_fault);
    put_descriptor(0x20, 0x0000890000000067);
    CHECK(RUN("\xea\x78\x56\x00\x00\x20\x00") == EMULATE_UNHANDLED); /* a task */
    regs.rax = 8;
    CHECK(RUN("\x8e\xd0") == EMULATE_OK && shadow == 2); /* mov ss,ax */
    regs.rax = 0x18;
    CHECK(RUN("\x8e\xd0") == EMULATE_EXCEPTION && injected.vector == TRAP_gp_fault && injected.error_code == 0x18);
}

/* jmp far [rbx], whose pointer begins in the device: the hypervisor loads what a program chose. */
static enum emulate_outcome far_jump(uint16_t selector, uint64_t target)
{
    uint64_t rest = target >> 8;
    regs.rbx = DEVICE + PAGE_SIZE - 1;
    memcpy(ram + DEVICE + PAGE_SIZE, &rest, 7);
    memcpy(ram + DEVICE + PAGE_SIZE + 7, &selector, 2);
    reads = (unsigned)(target & 0xff) / 0x11 - 1; /* so that the device reads as the target's first byte */
    return mode_bytes == 8 ? RUN("\x48\xff\x2b") : RUN("\xff\x2b");
}

static bool is_gp(enum emulate_outcome outcome, uint32_t error_code)
{
    return outcome == EMULATE_EXCEPTION && injected.vector == TRAP_gp_fault && injected.has_error_code &&
           injected.error_code == error_code && regs.rip == CODE;
}

static void far_targets(void)
{
    start(8, 0);
    hvm_vcpu.efer = EFER_LMA;
    segment[SEG_CS] = (struct hvm_segment_register){.limit = ~0U, .selector = 0x10, .attributes = 0xa9b};
    put_descriptor(0x10, 0x00af9a000000ffff); /* 64-bit */
    put_descriptor(0x18, 0x00cf9a000000ffff); /* 32-bit */
    put_descriptor(0x20, 0x004f9a000000ffff); /* 32-bit, 1 MiB */
    CHECK(far_jump(0x10, 0x0000700000001122) == EMULATE_OK && regs.rip == 0x0000700000001122);
    CHECK(segment[SEG_CS].selector == 0x10);
    CHECK(far_jump(0x10, 0xffff800000000011) == EMULATE_OK && regs.rip == 0xffff800000000011);
    CHECK(is_gp(far_jump(0x10, 0x00f0000000000022), 0) && segment[SEG_CS].selector == 0x10);
    CHECK(is_gp(far_jump(0x10, 0x0000800000000022), 0));
    CHECK(is_gp(far_jump(0x18, 0x0000001200000022), 0) && segment[SEG_CS].selector == 0x10 && ram[0x201d] == 0x9a);
    CHECK(is_gp(far_jump(0x20, 0x0000000000100022), 0));
    CHECK(far_jump(0x20, 0x00000000000fff11) == EMULATE_OK && segment[SEG_CS].limit == 0xfffff);
    start(4, 0);
    segment[SEG_CS].selector = 0x18;
    put_descriptor(0x18, 0x00409a0000000fff);
    CHECK(is_gp(RUN("\xea\x00\x10\x00\x00\x18\x00"), 0));
    CHECK(is_gp(RUN("\x9a\x00\x10\x00\x00\x18\x00"), 0) || injected.vector == TRAP_page_fault);
    CHECK(RUN("\xea\xff\x0f\x00\x00\x18\x00") == EMULATE_OK && regs.rip == 0xfff);
    CHECK(is_gp(RUN("\xea\x00\x00\x00\x00\x00\x00"), 0)); /* a null selector */
}

/* lretq and iret: what they pop is looked at as a jump's target is. */
static void popped_targets(void)
{
    start(8, 0);
    hvm_vcpu.efer = EFER_LMA;
    put_descriptor(0x10, 0x00af9a000000ffff);
    put_descriptor(0x18, 0x00cf9a000000ffff);
    regs.rsp = 0x2800;
    uint64_t frame[2] = {0x0000001200000022, 0x18};
    memcpy(ram + 0x2800, frame, sizeof(frame));
    CHECK(is_gp(RUN("\x48\xcb"), 0) && regs.rsp == 0x2800);
    frame[0] = 0x1000000000000000;
    frame[1] = 0x10;
    memcpy(ram + 0x2800, frame, sizeof(frame));
    CHECK(is_gp(RUN("\x48\xcb"), 0));
    CHECK(is_gp(RUN("\xc3"), 0)); /* ret: near */
    start(4, 0);
    put_descriptor(0x18, 0x00409a0000000fff);
    regs.rsp = 0x2800;
    const uint32_t interrupt[3] = {0x1000, 0x18, 2};
    memcpy(ram + 0x2800, interrupt, sizeof(interrupt));
    CHECK(is_gp(RUN("\xcf"), 0));
    start(4, 0); /* real mode: the segment keeps its limit */
    hvm_vcpu.cr0 = 0;
    mode_bytes = 2;
    segment[SEG_CS].limit = 0xffff;
    regs.rsp = 0x2800;
    memcpy(ram + 0x2800, (const uint32_t[2]){0x10000, 0x100}, 8);
    CHECK(RUN("\x66\xcb") == EMULATE_EXCEPTION && injected.vector == TRAP_gp_fault);
}

static void put_gate(unsigned vector, unsigned bytes, uint8_t rights)
{
    ram[0x2400 + vector * bytes + 5] = rights;
}

/* The processor does not look at a gate's level for an exception that it is told of. */
static void gates(void)
{
    for (unsigned long_mode = 0; long_mode < 2; long_mode++) {
        unsigned bytes = long_mode ? 16 : 8;
        start(long_mode ? 8 : 4, 3);
        hvm_vcpu.efer = long_mode ? EFER_LMA : 0;
        segment[SEG_IDTR] = (struct hvm_segment_register){.base = 0x2400, .limit = 0x3ff};
        put_gate(3, bytes, 0xee);
        CHECK(RUN("\xcc") == EMULATE_EXCEPTION && injected.vector == TRAP_int3 && injected.length == 1);
        put_gate(3, bytes, 0x8e);
        CHECK(is_gp(RUN("\xcc"), 3 * 8 + 2) && !injected.length);
        CHECK(is_gp(RUN("\xcd\x20"), 0x20 * 8 + 2));
        put_gate(1, bytes, 0x8e);
        CHECK(RUN("\xf1") == EMULATE_EXCEPTION && injected.vector == TRAP_debug); /* int1 passes */
        CHECK(is_gp(RUN("\xcd\x01"), 1 * 8 + 2));
        ring = 0;
        CHECK(RUN("\xcc") == EMULATE_EXCEPTION && injected.vector == TRAP_int3);
    }
    start(4, 3);
    segment[SEG_IDTR] = (struct hvm_segment_register){.base = 0x2400, .limit = 0x3ff};
    regs.rflags = 0x802;
    put_gate(4, 8, 0x8e);
    CHECK(is_gp(RUN("\xce"), 4 * 8 + 2));
}

static void ports(void)
{
    start(4, 3);
    regs.rdx = 0x3f8;
    ram[0x3000 + 102] = ram[0x3000 + 103] = 0xff; /* no bitmap */
    CHECK(RUN("\xec") == EMULATE_EXCEPTION && injected.vector == TRAP_gp_fault);
    regs.rflags = 0x3000;
    CHECK(RUN("\xec") == EMULATE_OK && (regs.rax & 0xff) == 0xf8);
    regs.rflags = 0;
    ram[0x3000 + 103] = 0;
    ram[0x3000 + 102] = 0x68; /* bitmap at 0x68: ports 0 to 0x4bf */
    CHECK(RUN("\xec") == EMULATE_OK);
    ram[0x3000 + 0x68 + 0x3f8 / 8] = 0x04; /* port 0x3fa */
    CHECK(RUN("\xec") == EMULATE_OK && RUN("\x66\xed") == EMULATE_OK && RUN("\xed") == EMULATE_EXCEPTION);
    regs.rdx = 0xfff0;
    CHECK(RUN("\xec") == EMULATE_EXCEPTION);
    start(4, 0);
    regs.rdi = 0x2000;
    regs.rcx = 8;
    regs.rdx = 0x1f0;
    CHECK(RUN("\xf3\x6d") == EMULATE_OK && repeats == 1 && repeat_count == 8 && regs.rcx == 0 && regs.rdi == 0x2020);
    regs.rcx = 2;
    regs.rdx = 0x60;
    CHECK(RUN("\xf3\x6c") == EMULATE_OK && regs.rcx == 0 && ram[0x2021] == 0x60);
}

static void bulk_moves(void)
{
    start(8, 0);
    regs.rsi = 0x2000;
    regs.rdi = DEVICE;
    regs.rcx = 16;
    CHECK(RUN("\xf3\xa4") == EMULATE_OK && repeats == 1 && repeat_count == 16 && regs.rcx == 0 && writes == 0);
    regs.rsi = 0x2000;
    regs.rdi = 0x2800;
    regs.rcx = 16;
    ram[0x200f] = 0x5a;
    CHECK(RUN("\xf3\xa4") == EMULATE_OK && repeats == 1 && ram[0x280f] == 0x5a);
}

static void what_retires(void)
{
    start(8, 0);
    CHECK(RUN("\xfb") == EMULATE_OK && shadow == 1);
    regs.rflags = 0x102;
    CHECK(RUN("\x90") == EMULATE_OK && injected.valid && injected.vector == TRAP_debug && hvm_vcpu.dr6 & 0x4000);
    CHECK(shadow == 0);
    regs.rflags = 2;
    CHECK(RUN("\xcd\x21") == EMULATE_EXCEPTION && injected.kind == HVM_EVENT_SOFTWARE && injected.length == 2);
    CHECK(RUN("\xcc") == EMULATE_EXCEPTION && injected.kind == HVM_EVENT_EXCEPTION && injected.length == 1);
    CHECK(injected.vector == TRAP_int3 && regs.rip == CODE);
    CHECK(RUN("\xcd\x03") == EMULATE_EXCEPTION && injected.kind == HVM_EVENT_SOFTWARE && injected.length == 2);
}

int main(void)
{
    static const struct unit_test tests[] = {
        {"memory and device", memory_and_device},
        {"the longest instructions", longest_instructions},
        {"page faults", page_faults},
        {"unknown instructions", unknown_instructions},
        {"instruction bytes from the processor", given_bytes},
        {"limits and types of segments", limits_and_types},
        {"segment loads", segment_loads},
        {"targets of far jumps", far_targets},
        {"targets that are popped", popped_targets},
        {"levels of gates", gates},
        {"ports", ports},
        {"bulk moves", bulk_moves},
        {"what retires", what_retires},
    };
    return run_tests(tests, sizeof(tests) / sizeof(tests[0]), NULL);
}
