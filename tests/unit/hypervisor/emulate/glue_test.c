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
#include "tap.h"
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

void guest_log(enum log_level level, const struct vcpu *v, const char *format, ...)
{
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
    static const struct tap_test tests[] = {
        {"memory and device", memory_and_device},
        {"page faults", page_faults},
        {"unknown instructions", unknown_instructions},
        {"instruction bytes from the processor", given_bytes},
        {"limits and types of segments", limits_and_types},
        {"segment loads", segment_loads},
        {"ports", ports},
        {"bulk moves", bulk_moves},
        {"what retires", what_retires},
    };
    return run_tap_tests(tests, sizeof(tests) / sizeof(tests[0]));
}
