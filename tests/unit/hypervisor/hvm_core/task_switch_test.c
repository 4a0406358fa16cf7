/*
 * Hardware task switches between 32-bit and 16-bit tasks in a memory of 64 KiB: what is saved, loaded, linked and
 * marked busy, and which fault a bad descriptor gives. The real hvm/task_switch.c.
 * Expected results: Intel SDM volume 3, 7.2.1, 7.3 (tables 7-1 and 7-2).
 */
#include <hv/p2m.h>
#include <hv/traps.h>
#include "machine.h"

enum { BY_CALL, BY_IRET, BY_JMP, BY_GATE };

#define GDT       0x1000
#define OLD_TSS   0x2000
#define NEW_TSS   0x3000
#define NEW_TSS16 0x4000
#define STACK     0x8000

#define SEL_CODE    0x08
#define SEL_DATA    0x10
#define SEL_OLD     0x18
#define SEL_NEW     0x20
#define SEL_NEW16   0x28
#define SEL_ABSENT  0x30
#define SEL_SHORT   0x38
#define SEL_BADCODE 0x40 /* code that is not present */
#define GDT_LIMIT   0x47

static uint8_t memory[0x10000];
static uint64_t unmapped = ~0UL; /* page that faults */
static struct hvm_event raised;
static unsigned cr3_loads;

int hvm_copy_linear(struct vcpu *v, uint64_t linear, void *buffer, size_t bytes, unsigned access, uint32_t *fault,
                    uint64_t *gpa)
{
    CHECK(access & WALK_SYSTEM);
    if (linear >> 12 == unmapped >> 12) {
        *fault = access & WALK_WRITE ? 2 : 0;
        return -EFAULT;
    }
    if (linear + bytes > sizeof(memory)) {
        *gpa = linear;
        return -EAGAIN;
    }
    if (access & WALK_WRITE)
        memcpy(memory + linear, buffer, bytes);
    else
        memcpy(buffer, memory + linear, bytes);
    return 0;
}
void hvm_inject_exception(struct vcpu *v, uint8_t vector, uint32_t error_code)
{
    raised = (struct hvm_event){.valid = true, .vector = vector, .error_code = error_code};
}
void hvm_inject_page_fault(struct vcpu *v, uint64_t address, uint32_t error_code)
{
    raised = (struct hvm_event){.valid = true, .vector = TRAP_page_fault, .error_code = error_code, .cr2 = address};
}
bool hvm_set_cr0(struct vcpu *v, uint64_t value)
{
    hvm_vcpu.cr0 = value;
    return true;
}
bool hvm_set_cr3(struct vcpu *v, uint64_t value)
{
    hvm_vcpu.cr3 = value;
    cr3_loads++;
    return true;
}
unsigned hvm_instruction_length(struct vcpu *v, const struct cpu_user_regs *regs)
{
    return 7;
}

static void put16(unsigned at, uint16_t value)
{
    memcpy(memory + at, &value, 2);
}
static void put32(unsigned at, uint32_t value)
{
    memcpy(memory + at, &value, 4);
}
static uint16_t get16(unsigned at)
{
    return (uint16_t)(memory[at] | memory[at + 1] << 8);
}
static uint32_t get32(unsigned at)
{
    return get16(at) | (uint32_t)get16(at + 2) << 16;
}

/* rights: as in a segment register, type to G. */
static void descriptor(unsigned selector, uint32_t base, uint32_t limit, uint32_t rights)
{
    put32(GDT + selector, (limit & 0xffff) | base << 16);
    put32(GDT + selector + 4, (base >> 16 & 0xff) | (rights & 0xff) << 8 | (limit & 0xf0000) | (rights & 0xf00) << 12 |
                                  (base & 0xff000000));
}
static unsigned descriptor_type(unsigned selector)
{
    return memory[GDT + selector + 5] & 0x1f;
}

static void fill_new_tasks(void)
{
    static const uint32_t general[] = {1, 2, 3, 4, STACK, 6, 7, 8};
    static const uint16_t selectors[] = {SEL_DATA, SEL_CODE, SEL_DATA, SEL_DATA, 0, SEL_DATA, 0};
    put32(NEW_TSS + 28, 0x7000);     /* cr3 */
    put32(NEW_TSS + 32, 0x12345);    /* eip */
    put32(NEW_TSS + 36, 0xffc08208); /* eflags, with all bits set and bit 1 clear that no processor has so */
    put16(NEW_TSS16 + 14, 0x4321);   /* ip */
    put16(NEW_TSS16 + 16, 0x202);    /* flags */
    for (unsigned i = 0; i < 8; i++) {
        put32(NEW_TSS + 40 + 4 * i, general[i]);
        put16(NEW_TSS16 + 18 + 2 * i, (uint16_t)general[i]);
    }
    for (unsigned i = 0; i < 7; i++)
        put32(NEW_TSS + 72 + 4 * i, selectors[i]);
    for (unsigned i = 0; i < 4; i++)
        put16(NEW_TSS16 + 34 + 2 * i, selectors[i]);
    put16(NEW_TSS16 + 42, 0);
}

static void start(void)
{
    machine_reset();
    memset(memory, 0, sizeof(memory));
    unmapped = ~0UL;
    raised.valid = false;
    cr3_loads = 0;
    descriptor(SEL_CODE, 0, 0xfffff, 0xc9a);
    descriptor(SEL_DATA, 0, 0xfffff, 0xc92);
    descriptor(SEL_OLD, OLD_TSS, 0x67, 0x08b);
    descriptor(SEL_NEW, NEW_TSS, 0x67, 0x089);
    descriptor(SEL_NEW16, NEW_TSS16, 0x2b, 0x081);
    descriptor(SEL_ABSENT, NEW_TSS, 0x67, 0x009);
    descriptor(SEL_SHORT, NEW_TSS, 0x66, 0x089);
    descriptor(SEL_BADCODE, 0, 0xfffff, 0xc1a);
    segment[SEG_GDTR] = (struct hvm_segment_register){.base = GDT, .limit = GDT_LIMIT};
    segment[SEG_TR] = (struct hvm_segment_register){OLD_TSS, 0x67, SEL_OLD, 0x08b};
    segment[SEG_CS] = (struct hvm_segment_register){0, ~0U, SEL_CODE, 0xc9b};
    segment[SEG_SS] = segment[SEG_DS] = segment[SEG_ES] = (struct hvm_segment_register){0, ~0U, SEL_DATA, 0xc93};
    hvm_vcpu.cr0 = X86_CR0_PE | X86_CR0_ET | X86_CR0_PG;
    hvm_vcpu.dr7 = 0x4ff;
    fake_regs.rip = 0x555;
    fake_regs.rflags = 0x246;
    fake_regs.rax = 0xaaaa;
    fake_regs.rsp = 0x9000;
    fill_new_tasks();
}

static void switch_to(uint16_t selector, uint8_t reason)
{
    struct hvm_exit record = {
        .reason = EXIT_TASK_SWITCH, .length = 5, .task = {.selector = selector, .reason = reason}};
    hvm_task_switch(&vcpu, &record);
}

static void check_new_registers(void)
{
    CHECK(!raised.valid && !crashes);
    CHECK(fake_regs.rip == 0x12345 && fake_regs.rax == 1 && fake_regs.rbx == 4 && fake_regs.rdi == 8);
    CHECK(fake_regs.rsp == STACK && hvm_vcpu.cr3 == 0x7000 && cr3_loads == 1 && hvm_vcpu.cr0 & X86_CR0_TS);
    CHECK(segment[SEG_TR].selector == SEL_NEW && segment[SEG_TR].base == NEW_TSS &&
          segment[SEG_TR].attributes == 0x08b);
    CHECK(segment[SEG_CS].selector == SEL_CODE && segment[SEG_CS].limit == ~0U && segment[SEG_CS].attributes == 0xc9b);
    CHECK(segment[SEG_FS].selector == 0 && !(segment[SEG_FS].attributes & SEG_ATTR_PRESENT));
    CHECK((hvm_vcpu.dr7 & 0xff) == 0xaa); /* local breakpoints are off */
}

static void test_jump(void)
{
    start();
    switch_to(SEL_NEW, BY_JMP);
    check_new_registers();
    CHECK(fake_regs.rflags == 0x202);
    CHECK(get32(OLD_TSS + 32) == 0x55a && get32(OLD_TSS + 36) == 0x246 && get32(OLD_TSS + 40) == 0xaaaa);
    CHECK(get32(OLD_TSS + 56) == 0x9000 && get16(OLD_TSS + 76) == SEL_CODE);
    CHECK(descriptor_type(SEL_OLD) == 9 && descriptor_type(SEL_NEW) == 11);
    CHECK(get16(NEW_TSS) == 0);
}

static void test_call_and_return(void)
{
    start();
    switch_to(SEL_NEW, BY_CALL);
    check_new_registers();
    CHECK(fake_regs.rflags == (0x202 | X86_EFLAGS_NT) && get16(NEW_TSS) == SEL_OLD);
    CHECK(descriptor_type(SEL_OLD) == 11 && descriptor_type(SEL_NEW) == 11);
    fake_regs.rip = 0x20000;
    switch_to(SEL_OLD, BY_IRET);
    CHECK(!raised.valid && fake_regs.rip == 0x55a && fake_regs.rax == 0xaaaa && fake_regs.rsp == 0x9000);
    CHECK(fake_regs.rflags == 0x246 && segment[SEG_TR].selector == SEL_OLD);
    CHECK(!(get32(NEW_TSS + 36) & X86_EFLAGS_NT) && get32(NEW_TSS + 32) == 0x20005);
    CHECK(descriptor_type(SEL_OLD) == 11 && descriptor_type(SEL_NEW) == 9);
}

static void test_gate_with_error_code(void)
{
    struct hvm_exit record = {
        .reason = EXIT_TASK_SWITCH,
        .task = {.selector = SEL_NEW, .reason = BY_GATE, .has_error_code = true, .error_code = 0x99}};
    start();
    hvm_task_switch(&vcpu, &record);
    CHECK(!raised.valid && get32(OLD_TSS + 32) == 0x555); /* a fault: the instruction runs again */
    CHECK(fake_regs.rsp == STACK - 4 && get32(STACK - 4) == 0x99);
}

static void test_16_bit(void)
{
    start();
    switch_to(SEL_NEW16, BY_JMP);
    CHECK(!raised.valid && fake_regs.rip == 0x4321 && (uint16_t)fake_regs.rax == 1 && (uint16_t)fake_regs.rdi == 8);
    CHECK(!cr3_loads && segment[SEG_TR].attributes == 0x083 && get32(OLD_TSS + 32) == 0x55a);
    fake_regs.rip = 0x50;
    fake_regs.rax = 0x777;
    switch_to(SEL_OLD, BY_JMP);
    CHECK(!raised.valid && fake_regs.rip == 0x55a && get16(NEW_TSS16 + 14) == 0x55 && get16(NEW_TSS16 + 18) == 0x777);
    CHECK(get16(NEW_TSS16 + 36) == SEL_CODE && descriptor_type(SEL_NEW16) == 1);
}

static void fails(uint16_t selector, uint8_t reason, uint8_t vector, uint16_t error_code)
{
    start();
    switch_to(selector, reason);
    CHECK(raised.valid && raised.vector == vector && raised.error_code == error_code);
    CHECK(fake_regs.rip == 0x555 && segment[SEG_TR].selector == SEL_OLD && descriptor_type(SEL_OLD) == 11);
}

static void test_bad_tasks(void)
{
    fails(SEL_ABSENT, BY_JMP, TRAP_no_segment, SEL_ABSENT);
    fails(SEL_SHORT, BY_JMP, TRAP_invalid_tss, SEL_SHORT);
    fails(SEL_OLD, BY_JMP, TRAP_gp_fault, SEL_OLD);     /* busy */
    fails(SEL_NEW, BY_IRET, TRAP_invalid_tss, SEL_NEW); /* not busy */
    fails(SEL_CODE, BY_CALL, TRAP_gp_fault, SEL_CODE);  /* no task */
    fails(GDT_LIMIT + 1, BY_JMP, TRAP_gp_fault, GDT_LIMIT + 1);
    fails(SEL_NEW | 4, BY_JMP, TRAP_gp_fault, SEL_NEW | 4); /* in the local table */
}

/* Faults after the commit point belong to the new task. */
static void test_bad_segments(void)
{
    start();
    put32(NEW_TSS + 76, SEL_BADCODE);
    switch_to(SEL_NEW, BY_JMP);
    CHECK(raised.valid && raised.vector == TRAP_no_segment && raised.error_code == SEL_BADCODE);
    CHECK(fake_regs.rip == 0x12345 && segment[SEG_TR].selector == SEL_NEW);
    start();
    put32(NEW_TSS + 80, SEL_CODE); /* ss */
    switch_to(SEL_NEW, BY_JMP);
    CHECK(raised.valid && raised.vector == TRAP_invalid_tss && raised.error_code == SEL_CODE);
}

static void test_page_fault(void)
{
    start();
    unmapped = NEW_TSS;
    switch_to(SEL_NEW, BY_JMP);
    CHECK(raised.valid && raised.vector == TRAP_page_fault && raised.cr2 >> 12 == NEW_TSS >> 12);
    CHECK(fake_regs.rip == 0x555);
}

static void test_virtual_8086(void)
{
    start();
    put32(NEW_TSS + 36, X86_EFLAGS_VM | 2);
    put32(NEW_TSS + 76, 0x1234);
    switch_to(SEL_NEW, BY_JMP);
    CHECK(!raised.valid && segment[SEG_CS].base == 0x12340 && segment[SEG_CS].limit == 0xffff);
    CHECK(segment[SEG_SS].attributes == (SEG_ATTR_PRESENT | SEG_ATTR_S | SEG_ATTR_DPL | 3));
}

int main(void)
{
    test_jump();
    test_call_and_return();
    test_gate_with_error_code();
    test_16_bit();
    test_bad_tasks();
    test_bad_segments();
    test_page_fault();
    test_virtual_8086();
    return 0;
}
