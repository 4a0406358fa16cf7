/*
 * The stop of the machine: one dump on every console, then reboot or halt.
 */
#include <hv/acpi.h>
#include <hv/bootinfo.h>
#include <hv/console.h>
#include <hv/cpu.h>
#include <hv/domain.h>
#include <hv/irq.h>
#include <hv/lock_check.h>
#include <hv/symbols.h>
#include <hv/time.h>

#define REBOOT_DELAY_SECONDS 5
#define MAX_FRAMES           32
#define STACK_WORDS          30

#define say(...) printk(LOG_ERROR, __VA_ARGS__)

static __noreturn void halt_forever(void)
{
    for (;;)
        __asm__ volatile("cli; hlt");
}

static bool on_this_stack(unsigned long address, unsigned long bytes)
{
    unsigned long end = (unsigned long)cpu_info();
    return address >= ROUND_DOWN(end, STACK_SIZE) && address <= end - bytes && address % sizeof(long) == 0 &&
           !is_stack_guard(address) && !is_stack_guard(address + bytes - 1);
}

static void dump_where(void)
{
    const struct cpu *cpu = this_cpu();
    const struct vcpu *v = current;
    if (!cpu)
        say("on the boot processor, before processors were set up");
    else if (!v)
        say("on CPU %u (APIC id %u), no vcpu", cpu->id, cpu->apic_id);
    else
        say("on CPU %u (APIC id %u), vcpu d%uv%u", cpu->id, cpu->apic_id, v->domain ? v->domain->id : DOMID_INVALID,
            v->id);
}

/* With the time stamp, no line is wider than the 80 columns of the smallest screen. */
static void dump_registers(const struct cpu_user_regs *r)
{
    const unsigned long words[] = {r->rax, r->rbx, r->rcx, r->rdx, r->rsi, r->rdi, r->rbp, r->rsp,
                                   r->r8,  r->r9,  r->r10, r->r11, r->r12, r->r13, r->r14, r->r15};
    static const char names[][4] = {"rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "rsp",
                                    "r8 ", "r9 ", "r10", "r11", "r12", "r13", "r14", "r15"};
    say("rip %016lx %pS", (unsigned long)r->rip, (void *)r->rip);
    for (unsigned i = 0; i < ARRAY_SIZE(words); i += 2)
        say("%s %016lx %s %016lx", names[i], words[i], names[i + 1], words[i + 1]);
    say("rflags %08lx cs %04x ss %04x vector %#x error code %#x", (unsigned long)r->rflags, r->cs, r->ss,
        r->entry_vector, r->error_code);
}

static void dump_control_registers(void)
{
    say("cr0 %08lx cr2 %016lx cr3 %016lx", read_cr0(), read_cr2(), read_cr3());
    say("cr4 %08lx efer %04lx", read_cr4(), (unsigned long)rdmsr(MSR_EFER));
}

static void dump_stack(unsigned long sp)
{
    if (is_stack_guard(sp)) /* run over: its last words lie above */
        sp = ROUND_UP(sp + 1, PAGE_SIZE);
    say("stack from %016lx:", sp);
    for (unsigned i = 0; i < STACK_WORDS; i += 3, sp += 3 * sizeof(long)) {
        if (!on_this_stack(sp, 3 * sizeof(long)))
            break;
        const unsigned long *word = (const unsigned long *)sp;
        say("  %016lx %016lx %016lx", word[0], word[1], word[2]);
    }
}

static void say_return(unsigned long address)
{
    say("  %016lx %pS", address, (void *)address);
}

/* Frames are two words: the caller's frame, the return address. Each lies above the one before, so this ends.
 * A function that had not made its frame yet shows by a return address on top of the stack; sp 0: there is
 * none such. */
static void dump_backtrace(unsigned long frame, unsigned long sp)
{
    say("backtrace:");
    if (sp != frame && on_this_stack(sp, 8) && is_code_address(*(const unsigned long *)sp))
        say_return(*(const unsigned long *)sp);
    for (unsigned i = 0; i < MAX_FRAMES && on_this_stack(frame, 16); i++) {
        const unsigned long *word = (const unsigned long *)frame;
        if (!is_code_address(word[1]))
            break;
        say_return(word[1]);
        if (word[0] <= frame)
            break;
        frame = word[0];
    }
}

static __noreturn void stop_machine(void)
{
    if (bootinfo.options.noreboot) {
        say("the machine is halted (noreboot)");
        halt_forever();
    }
    say("rebooting in %d seconds", REBOOT_DELAY_SECONDS);
    for (int i = 0; i < REBOOT_DELAY_SECONDS * 1000; i++)
        udelay(1000);
    machine_reboot();
}

static struct cpu_info *volatile panicking_cpu; /* the first one; it alone dumps and ends the machine */

/* The same CPU a second time means that the dump itself faults: one line more, then the end. Any other CPU
 * stops. */
static void enter_panic(const char *message)
{
    static bool again;
    struct cpu_info *expected = NULL;
    irq_disable();
    if (__atomic_compare_exchange_n(&panicking_cpu, &expected, cpu_info(), false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
        if (cpu_count > 1)
            apic_send_nmi_all_but_self();
        console_enter_panic();
        return;
    }
    if (expected != cpu_info() || again)
        halt_forever();
    again = true;
    say("fault inside the dump: %s", message);
    stop_machine();
}

void panic_nmi(const struct cpu_user_regs *regs)
{
    if (panicking_cpu && panicking_cpu != cpu_info())
        halt_forever();
}

static __noreturn void dump_and_stop(const struct cpu_user_regs *regs, unsigned long frame, const char *message)
{
    enter_panic(message);
    say("*************** Roundhouse stops: %s", message);
    dump_where();
    if (regs)
        dump_registers(regs);
    dump_control_registers();
    dump_stack(regs ? (unsigned long)regs->rsp : frame);
    dump_backtrace(frame, regs ? (unsigned long)regs->rsp : 0);
    lock_check_report();
    stop_machine();
}

void panic(const char *format, ...)
{
    char message[256];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    dump_and_stop(NULL, (unsigned long)__builtin_frame_address(0), message);
}

void panic_regs(const struct cpu_user_regs *regs, const char *format, ...)
{
    char message[256];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    dump_and_stop(regs, (unsigned long)regs->rbp, message);
}
