/*
 * The page that a starting processor executes below 1 MiB, and the data at its end. boot/trampoline.S, boot/smp.c
 */
#ifndef HV_TRAMPOLINE_H
#define HV_TRAMPOLINE_H

/* Offsets in struct trampoline_data. */
#define TRAMPOLINE_ticket          0
#define TRAMPOLINE_cr0             4
#define TRAMPOLINE_root            8
#define TRAMPOLINE_efer            12
#define TRAMPOLINE_stack           16
#define TRAMPOLINE_entry           24
#define TRAMPOLINE_cpu             32
#define TRAMPOLINE_protected_entry 40
#define TRAMPOLINE_long_entry      48
#define TRAMPOLINE_gdt_limit       58
#define TRAMPOLINE_gdt_base        60
#define TRAMPOLINE_gdt             64
#define TRAMPOLINE_SIZE            96

#define TRAMPOLINE_CS32 0x08
#define TRAMPOLINE_DS   0x10
#define TRAMPOLINE_CS64 0x18

#ifndef __ASSEMBLER__
#include <hv/types.h>

struct trampoline_data {
    uint32_t ticket; /* 1: the next processor may come in; it takes it by exchange with 0 */
    uint32_t cr0;
    uint32_t root; /* the idle page table; it shows the first 2 MiB one to one meanwhile */
    uint32_t efer;
    uint64_t stack;
    uint64_t entry; /* ap_entry */
    uint64_t cpu;   /* struct cpu * */
    struct {
        uint32_t offset;
        uint16_t selector, unused;
    } protected_entry, long_entry;
    uint16_t unused, gdt_limit;
    uint32_t gdt_base;
    uint64_t gdt[4];
};
_Static_assert(offsetof(struct trampoline_data, ticket) == TRAMPOLINE_ticket, "trampoline");
_Static_assert(offsetof(struct trampoline_data, cr0) == TRAMPOLINE_cr0, "trampoline");
_Static_assert(offsetof(struct trampoline_data, efer) == TRAMPOLINE_efer, "trampoline");
_Static_assert(offsetof(struct trampoline_data, root) == TRAMPOLINE_root, "trampoline");
_Static_assert(offsetof(struct trampoline_data, stack) == TRAMPOLINE_stack, "trampoline");
_Static_assert(offsetof(struct trampoline_data, entry) == TRAMPOLINE_entry, "trampoline");
_Static_assert(offsetof(struct trampoline_data, cpu) == TRAMPOLINE_cpu, "trampoline");
_Static_assert(offsetof(struct trampoline_data, protected_entry) == TRAMPOLINE_protected_entry, "trampoline");
_Static_assert(offsetof(struct trampoline_data, long_entry) == TRAMPOLINE_long_entry, "trampoline");
_Static_assert(offsetof(struct trampoline_data, gdt_limit) == TRAMPOLINE_gdt_limit, "trampoline");
_Static_assert(offsetof(struct trampoline_data, gdt_base) == TRAMPOLINE_gdt_base, "trampoline");
_Static_assert(offsetof(struct trampoline_data, gdt) == TRAMPOLINE_gdt, "trampoline");
_Static_assert(sizeof(struct trampoline_data) == TRAMPOLINE_SIZE, "trampoline");

/* The code as linked; it is copied before it runs. */
#define TRAMPOLINE_SYMBOL extern const uint8_t __attribute__((visibility("hidden")))
TRAMPOLINE_SYMBOL trampoline_start[], trampoline_protected[], trampoline_long[], trampoline_data[], trampoline_end[];
/* Where the copy jumps to in the image, with its stack and rdi = cpu; calls ap_main. */
TRAMPOLINE_SYMBOL ap_entry[];
#endif

#endif
