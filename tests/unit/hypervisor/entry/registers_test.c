/*
 * What a PV guest may put into the registers that it does not load by itself: entry points, bases, debug registers,
 * MSRs. The real pv/callback.c and pv/msr.c.
 */
#include "../../check.h"
#include <hv/cpu.h>
#include <hv/domain.h>
#include <hv/guest_copy.h>
#include <hv/hypercall.h>
#include <hv/pv_internal.h>
#include <string.h>
#include <xen/callback.h>

#define NOT_CANONICAL 0x0000800000000000UL
#define OURS          0xffff820000000000UL
#define KERNEL        0xffffffff81000000UL
#define MACHINES_EFER (EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE | 0x1000) /* with SVME */
#define MACHINES_PAT  0x0007040600070406UL

static struct domain guest = {.id = 1}, hardware = {.all_io = true};
static struct vcpu v = {.domain = &guest}, of_hardware = {.domain = &hardware};
static unsigned copies, msr_writes, breakpoints;
static uint32_t msr_written;
static uint64_t value_written;

int copy_from_guest_va(void *to, unsigned long from, size_t bytes)
{
    copies++;
    return from < PAGE_SIZE ? -EFAULT : (memcpy(to, (const void *)from, bytes), 0);
}
static uint64_t fake_rdmsr(uint32_t msr)
{
    return msr == MSR_EFER ? MACHINES_EFER : msr == MSR_PAT ? MACHINES_PAT : 0x1000 + msr;
}
static void fake_wrmsr(uint32_t msr, uint64_t value)
{
    msr_writes++;
    msr_written = msr;
    value_written = value;
}
/* The machine has all of them, so what is refused is refused by the table. */
bool rdmsr_safe(uint32_t msr, uint64_t *value)
{
    *value = fake_rdmsr(msr);
    return true;
}

#define rdmsr(msr)              fake_rdmsr(msr)
#define wrmsr(msr, value)       fake_wrmsr(msr, value)
#define write_breakpoints(list) ((void)(list), breakpoints++)
#define write_dr6(value)        ((void)(value))
#define write_dr7(value)        ((void)(value))
#include "../../../../hypervisor/pv/callback.c"
#include "../../../../hypervisor/pv/msr.c"

static void start(void)
{
    memset(&v.pv, 0, sizeof(v.pv));
    fake_current[0] = &v;
    copies = msr_writes = breakpoints = 0;
}

#define CALL(function, ...) function(&(struct hypercall){.arg = {__VA_ARGS__}})

static void trap_tables(void)
{
    static struct trap_info table[300];
    start();
    for (unsigned i = 0; i < ARRAY_SIZE(table); i++)
        table[i] = (struct trap_info){.vector = (uint8_t)i, .address = KERNEL + i};
    CHECK(!CALL(do_set_trap_table, (uintptr_t)table) && copies == 256); /* a table without an end has one */
    CHECK(v.pv.trap[255].address == KERNEL + 255);
    CHECK(!CALL(do_set_trap_table, 0) && !v.pv.trap[255].address);
    table[2].address = NOT_CANONICAL;
    CHECK(CALL(do_set_trap_table, (uintptr_t)table) == -EINVAL && !v.pv.trap[2].address);
    table[1].address = 0;
    CHECK(!CALL(do_set_trap_table, (uintptr_t)table) && !v.pv.trap[3].address);
    CHECK(CALL(do_set_trap_table, 16) == -EFAULT);
}

static long register_callback(unsigned type, unsigned long address, unsigned flags)
{
    struct callback_register op = {.type = (uint16_t)type, .flags = (uint16_t)flags, .address = address};
    return CALL(do_callback_op, CALLBACKOP_register, (uintptr_t)&op);
}

static long unregister_callback(unsigned type)
{
    struct callback_unregister op = {.type = (uint16_t)type};
    return CALL(do_callback_op, CALLBACKOP_unregister, (uintptr_t)&op);
}

static void callbacks(void)
{
    const struct {
        unsigned type;
        const struct pv_callback *slot;
    } types[] = {{CALLBACKTYPE_event, &v.pv.event},
                 {CALLBACKTYPE_failsafe, &v.pv.failsafe},
                 {CALLBACKTYPE_syscall, &v.pv.syscall},
                 {CALLBACKTYPE_syscall32, &v.pv.syscall32},
                 {CALLBACKTYPE_nmi, &v.pv.nmi}};
    start();
    for (unsigned i = 0; i < ARRAY_SIZE(types); i++) {
        CHECK(register_callback(types[i].type, NOT_CANONICAL, 0) == -EINVAL && !types[i].slot->address);
        CHECK(!register_callback(types[i].type, KERNEL + i, i % 2 ? CALLBACKF_mask_events : 0));
        CHECK(types[i].slot->address == KERNEL + i && types[i].slot->mask_events == i % 2);
        CHECK(unregister_callback(types[i].type) == (types[i].type == CALLBACKTYPE_nmi ? 0 : -EINVAL));
    }
    CHECK(!v.pv.nmi.address && v.pv.event.address == KERNEL);
    CHECK(register_callback(CALLBACKTYPE_sysenter, KERNEL, 0) == -EOPNOTSUPP);
    CHECK(register_callback(77, KERNEL, 0) == -ENOSYS && unregister_callback(77) == -ENOSYS);
    CHECK(CALL(do_callback_op, CALLBACKOP_register, 16) == -EFAULT);
    CHECK(CALL(do_callback_op, 2, 16) == -ENOSYS);
    start();
    for (unsigned bad = 0; bad < 3; bad++) {
        uint64_t address[3] = {KERNEL, KERNEL, KERNEL};
        address[bad] = NOT_CANONICAL;
        CHECK(CALL(do_set_callbacks, address[0], address[1], address[2]) == -EINVAL && !v.pv.event.address);
    }
    CHECK(!CALL(do_set_callbacks, KERNEL, KERNEL + 1, KERNEL + 2));
    CHECK(v.pv.event.mask_events && v.pv.failsafe.address == KERNEL + 1 && v.pv.syscall.address == KERNEL + 2);
}

/* One that is not canonical would fault in us. */
static void segment_bases(void)
{
    static const struct {
        unsigned which;
        uint32_t msr;
    } bases[] = {{SEGBASE_FS, MSR_FS_BASE}, {SEGBASE_GS_USER, MSR_KERNEL_GS_BASE}, {SEGBASE_GS_KERNEL, MSR_GS_BASE}};
    for (unsigned i = 0; i < ARRAY_SIZE(bases); i++) {
        start();
        CHECK(CALL(do_set_segment_base, bases[i].which, NOT_CANONICAL) == -EINVAL && !msr_writes);
        CHECK(!CALL(do_set_segment_base, bases[i].which, KERNEL) && msr_written == bases[i].msr);
        CHECK(!pv_wrmsr(&v, bases[i].msr, NOT_CANONICAL) && msr_writes == 1);
        CHECK(pv_wrmsr(&v, bases[i].msr, KERNEL + 1) && msr_written == bases[i].msr && value_written == KERNEL + 1);
    }
    CHECK(CALL(do_set_segment_base, 4, KERNEL) == -EINVAL);
}

static long set_debug(unsigned index, unsigned long value)
{
    return CALL(do_set_debugreg, index, value);
}

static long get_debug(unsigned index)
{
    struct hypercall call = {.arg = {index}};
    CHECK(do_get_debugreg(&call) == HYPERCALL_DONE);
    return (long)call.result;
}

static void debug_registers(void)
{
    start();
    for (unsigned index = 0; index < 4; index++) {
        CHECK(set_debug(index, OURS) == -EPERM && set_debug(index, NOT_CANONICAL) == -EPERM);
        CHECK(set_debug(index, (1UL << 47) - 4) == -EPERM && !get_debug(index));
        CHECK(!set_debug(index, KERNEL + index) && get_debug(index) == (long)KERNEL + index);
    }
    CHECK(set_debug(7, 1UL << 32) == -EINVAL && set_debug(6, 1UL << 32) == -EINVAL);
    CHECK(set_debug(7, 0x2000) != 0);        /* general detect */
    for (unsigned at = 16; at < 32; at += 4) /* I/O breakpoints */
        CHECK(set_debug(7, 2UL << at) != 0);
    CHECK(!breakpoints && !set_debug(7, ~0x2000U & ~0x2222000fU & 0xffffffff) && get_debug(7) & 0x400);
    CHECK(!(get_debug(7) & 0xd800) && breakpoints == 1);
    CHECK(!set_debug(6, ~0U) && get_debug(6) == 0xffffefff && get_debug(4) == get_debug(6));
    CHECK(set_debug(8, 0) == -EINVAL && get_debug(8) == -EINVAL);
    v.pv.cr4 = X86_CR4_DE;
    CHECK(set_debug(4, 0) == -ENODEV && get_debug(5) == -ENODEV);
}

static void model_specific_registers(void)
{
    static const uint32_t nobodys[] = {MSR_SYSENTER_CS, MSR_SYSENTER_ESP, MSR_SYSENTER_EIP, MSR_STAR,        MSR_LSTAR,
                                       MSR_CSTAR,       MSR_SYSCALL_MASK, MSR_AMD_VM_CR,    MSR_AMD_VM_HSAVE};
    uint64_t value;
    start();
    for (unsigned i = 0; i < ARRAY_SIZE(nobodys); i++) {
        CHECK(!pv_rdmsr(&v, nobodys[i], &value) && !value && !pv_wrmsr(&v, nobodys[i], 0));
        CHECK(!pv_rdmsr(&of_hardware, nobodys[i], &value) && !pv_wrmsr(&of_hardware, nobodys[i], 0));
    }
    CHECK(pv_rdmsr(&v, MSR_EFER, &value) && value == (MACHINES_EFER & ~0x1000));
    CHECK(pv_wrmsr(&v, MSR_EFER, value) && pv_wrmsr(&v, MSR_EFER, value & ~EFER_LMA));
    CHECK(!pv_wrmsr(&v, MSR_EFER, value & ~EFER_NXE) && !pv_wrmsr(&v, MSR_EFER, MACHINES_EFER));
    CHECK(pv_wrmsr(&v, MSR_PAT, MACHINES_PAT) && !pv_wrmsr(&v, MSR_PAT, 0));
    CHECK(pv_rdmsr(&v, MSR_APIC_BASE, &value) && value & APIC_BASE_BSP && !pv_wrmsr(&v, MSR_APIC_BASE, value));
    CHECK(pv_rdmsr(&v, MSR_MCG_CAP, &value) && !value);
    /* What no row names is the machine's, and its owner's to read. */
    CHECK(!pv_rdmsr(&v, 0xc0010064, &value) && pv_rdmsr(&of_hardware, 0xc0010064, &value));
    for (uint32_t msr = MSR_X2APIC_FIRST; msr < MSR_X2APIC_FIRST + 0x100; msr++)
        CHECK(!pv_rdmsr(&of_hardware, msr, &value));
    CHECK(!pv_wrmsr(&of_hardware, 0xc0010064, 0) && !pv_wrmsr(&of_hardware, MSR_X2APIC_FIRST, 0));
    CHECK(!msr_writes); /* none of these is changed by anybody */
}

int main(void)
{
    trap_tables();
    callbacks();
    segment_bases();
    debug_registers();
    model_specific_registers();
    puts("registers: ok");
    return 0;
}
