/* Instructions that user space may not execute: what they would do in ring 0 is done here, and the next one is
 * executed. */
#define _GNU_SOURCE
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include "nt.h"

#define TRAP_STACK 65536

static __thread stack_t stack;

static const int registers[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
                                  REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};

struct prefixes {
    unsigned operand_size, rex;
    const uint8_t *opcode;
};

static struct prefixes prefixes_of(const uint8_t *code)
{
    struct prefixes found = {4, 0, code};

    if (*found.opcode == 0x66) {
        found.operand_size = 2;
        found.opcode++;
    }
    if ((*found.opcode & 0xf0) == 0x40)
        found.rex = *found.opcode++;
    return found;
}

/* mov to and from CR8; how many bytes of opcode, 0: it is none. */
static unsigned move_cr8(const struct prefixes *code, greg_t *general)
{
    const uint8_t *byte = code->opcode;
    unsigned control = (byte[2] >> 3 & 7) | (code->rex & 4) << 1, other = (byte[2] & 7) | (code->rex & 1) << 3;

    if (byte[0] != 0x0f || (byte[1] & ~2u) != 0x20 || control != 8)
        return 0;
    if (byte[1] == 0x20)
        general[registers[other]] = nt_irql();
    else
        nt_set_irql((KIRQL)general[registers[other]]);
    return 3;
}

static unsigned access_port(const struct prefixes *code, greg_t *general)
{
    uint8_t byte = code->opcode[0];
    bool by_register = byte & 8;
    uint16_t port = by_register ? (uint16_t)general[REG_RDX] : code->opcode[1];
    unsigned size = byte & 1 ? code->operand_size : 1;
    uint64_t mask = size == 4 ? ~0ull : (1ull << size * 8) - 1; /* 32 bits clear those above */

    if ((byte & 0xf4) != 0xe4)
        return 0;
    if (byte & 2)
        nt_machine.out(port, size, (uint32_t)((uint64_t)general[REG_RAX] & mask));
    else
        general[REG_RAX] = (greg_t)(((uint64_t)general[REG_RAX] & ~mask) | nt_machine.in(port, size));
    return by_register ? 1 : 2;
}

static unsigned other(const struct prefixes *code, greg_t *general)
{
    if (code->opcode[0] == 0x0f && code->opcode[1] == 0x30) {
        nt_machine.wrmsr((uint32_t)general[REG_RCX], (uint64_t)general[REG_RDX] << 32 | (uint32_t)general[REG_RAX]);
        return 2;
    }
    if (code->opcode[0] == 0x0f && code->opcode[1] == 0x0b) { /* the loader's, for CPUID */
        uint32_t result[4];

        nt_machine.cpuid((uint32_t)general[REG_RAX], result);
        general[REG_RAX] = result[0];
        general[REG_RBX] = result[1];
        general[REG_RCX] = result[2];
        general[REG_RDX] = result[3];
        return 2;
    }
    return 0;
}

static void on_signal(int number, siginfo_t *information, void *context)
{
    greg_t *general = ((ucontext_t *)context)->uc_mcontext.gregs;
    bool fetched = number == SIGSEGV && information->si_addr == (void *)general[REG_RIP];
    struct prefixes code;
    unsigned length = 0;

    if (!fetched) {
        code = prefixes_of((const uint8_t *)general[REG_RIP]);
        length = move_cr8(&code, general);
        if (!length)
            length = access_port(&code, general);
        if (!length)
            length = other(&code, general);
    }
    if (!length)
        nt_bug("a fault at %p, address %p", (void *)general[REG_RIP], information->si_addr);
    general[REG_RIP] = (greg_t)(code.opcode + length);
}

/* The sanitizer would have its own stack for signals in each thread, and take it away at the end. */
const char *__asan_default_options(void);
__attribute__((used)) const char *__asan_default_options(void)
{
    return "use_sigaltstack=0:allow_user_segv_handler=1:handle_segv=0:handle_sigbus=0:handle_sigill=0";
}

void nt_trap_thread_end(void)
{
    stack_t none = {.ss_flags = SS_DISABLE};

    sigaltstack(&none, NULL);
    munmap(stack.ss_sp, TRAP_STACK);
    stack.ss_sp = NULL;
}

void nt_trap_thread(void)
{
    if (stack.ss_sp)
        return;
    stack.ss_sp = mmap(NULL, TRAP_STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    stack.ss_size = TRAP_STACK;
    sigaltstack(&stack, NULL);
}

void nt_trap_init(void)
{
    struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};

    sigaction(SIGSEGV, &action, NULL);
    sigaction(SIGILL, &action, NULL);
    sigaction(SIGBUS, &action, NULL);
    nt_trap_thread();
}
