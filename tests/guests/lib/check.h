/*
 * Verdicts, and instructions that may trap: what the PV and the HVM test kernels share.
 *
 * A test is a folder with a main.c that defines test_title and test_main. Each CHECK that does not hold prints a line
 * and makes the verdict FAILURE; the last line on the console is the verdict. The same kernel runs on the reference
 * hypervisor, so an expectation is a statement about the ABI or the processor and not about us.
 */
#ifndef CHECK_H
#define CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- The test's side ---- */
extern const char test_title[];
void test_main(void);

/* ---- Verdicts ---- */
void failure(const char *format, ...) __attribute__((format(printf, 1, 2)));
void error(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn)); /* the test itself cannot go on */
void skip(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
void finish(void) __attribute__((noreturn));
/* From here on an HVM kernel too prints on the guest's console, for what is too much for the hypervisor's log. */
void console_use_ring(void);

#define CHECK(condition)                                                                                               \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            failure("line %d: not true: %s", __LINE__, #condition);                                                    \
    } while (0)
/* expression gives the expected number. */
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define CHECK_IS(expected, expression)                                                                                 \
    do {                                                                                                               \
        long got_ = (long)(expression), want_ = (long)(expected);                                                      \
        if (got_ != want_)                                                                                             \
            failure("line %d: %s is %ld (%lx), not %ld (%lx)", __LINE__, #expression, got_, got_, want_, want_);       \
    } while (0)

/* Any error will do: which check comes first is the hypervisor's affair. */
#define CHECK_REFUSED(expression)                                                                                      \
    do {                                                                                                               \
        long got_ = (long)(expression);                                                                                \
        if (got_ >= 0)                                                                                                 \
            failure("line %d: not refused: %s is %ld", __LINE__, #expression, got_);                                   \
    } while (0)

/* Pointers that no hypercall may follow. */
#define UNMAPPED      0x0000123456789000UL
#define NON_CANONICAL 0x0000900000000000UL
#define IN_HYPERVISOR 0xffff830000001000UL /* the range is 0xffff800000000000 to 0xffff87ffffffffff */
#define ALMOST_TOP    0xfffffffffffffff8UL

/* ---- Who we are, and who is nobody ---- */
#define NO_DOMAIN 0x7000 /* ids are given in order, and no run makes so many domains */
uint16_t own_domain(void); /* our domain id, as the peer of a channel to ourselves */

/* ---- The command line ---- */
extern const char *command_line;
/* The word that it has behind `key` and "="; NULL without it. */
const char *option(const char *key);
bool same_word(const char *word, const char *name); /* `word` ends at a blank or at the end of the text */

/* ---- What each kind of kernel brings for it ---- */
void console_out(const char *text, size_t length);
void power_off(void) __attribute__((noreturn));

/* ---- Traps ---- */
enum {
    TRAP_DE,
    TRAP_DB,
    TRAP_NMI,
    TRAP_BP,
    TRAP_OF,
    TRAP_BR,
    TRAP_UD,
    TRAP_NM,
    TRAP_DF,
    TRAP_TS = 10,
    TRAP_NP,
    TRAP_SS,
    TRAP_GP,
    TRAP_PF,
    TRAP_MF = 16,
    TRAP_AC,
    TRAP_MC,
    TRAP_XM
};

/* What TRY yields: 0, or vector and error code of the trap. */
#define TRAPPED(vector, error) (0x80000000UL | (unsigned)(vector) << 16 | (error))

#define EXTABLE(from, to) ".pushsection .extable, \"a\"\n\t.quad " from ", " to "\n\t.popsection\n\t"
/* Runs one instruction that may trap. Further operands: outputs, then inputs, as for asm; rax is taken. */
#define TRY(instruction, outputs, ...)                                                                                 \
    ({                                                                                                                 \
        uint64_t trapped_ = 0;                                                                                         \
        __asm__ volatile("1:\t" instruction "\n2:\n\t" EXTABLE("1b", "2b")                                             \
                         : "+a"(trapped_)outputs:__VA_ARGS__                                                           \
                         : "memory", "cc");                                                                            \
        trapped_;                                                                                                      \
    })
#define OUT(...) , __VA_ARGS__
#define NO_OUT

#endif
