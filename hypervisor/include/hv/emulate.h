/*
 * The instruction emulator: pure code, no state of its own, builds and runs on the host too (tests, fuzzers).
 * emulate/. Sources: AMD APM volume 3, Intel SDM volume 2.
 *
 * It executes one instruction (or a bounded number of repetitions of a string instruction) on a copy of the general
 * registers, reaching everything else through operations. Nothing is committed to the registers unless the outcome is
 * EMULATE_OK; only a string instruction has done its whole repetitions when it cannot go on. Memory written before a
 * fault stays written, as on a processor.
 */
#ifndef HV_EMULATE_H
#define HV_EMULATE_H

#include <hv/types.h>
#include <hv/xen.h>

enum emulate_outcome {
    EMULATE_OK,
    EMULATE_EXCEPTION, /* context.exception says which */
    EMULATE_RETRY,     /* an operation must wait: run the same instruction again later */
    EMULATE_UNHANDLED, /* an instruction this emulator does not know */
};

/* EMU_LINEAR is no segment: offsets are linear addresses, for system structures. */
enum emulate_segment { EMU_ES, EMU_CS, EMU_SS, EMU_DS, EMU_FS, EMU_GS, EMU_LINEAR };
enum emulate_access { EMU_READ, EMU_WRITE, EMU_EXECUTE };
enum emulate_table { EMU_GDT, EMU_IDT };

struct emulate_context;

/*
 * Each returns an outcome; EMULATE_EXCEPTION after filling context->exception (emulate_raise). All must be there but
 * those that say otherwise. Registers as they are before the instruction are in context->regs.
 */
struct emulate_operations {
    /* Code at a linear address within one page, as many bytes as there are in it at least: 1 to 15. */
    enum emulate_outcome (*fetch)(struct emulate_context *c, uint64_t linear, void *to, unsigned bytes);
    /* Data, 1 to 32 bytes, anywhere in pages. will_write: the same bytes are written next, so a read that might not
     * write them faults as a write does. */
    enum emulate_outcome (*read)(struct emulate_context *c, uint64_t linear, void *to, unsigned bytes, bool will_write);
    enum emulate_outcome (*write)(struct emulate_context *c, uint64_t linear, const void *from, unsigned bytes);
    /* After a read: if memory still holds `expected`, writes `desired`, in one locked access; otherwise *done = false
     * and the instruction is run again. On a device it is the write alone. bytes: 1, 2, 4, 8, 16. */
    enum emulate_outcome (*exchange)(struct emulate_context *c, uint64_t linear, const void *expected,
                                     const void *desired, unsigned bytes, bool *done);
    /* Permission (IOPL, TSS bitmap) is checked first. bytes: 1, 2, 4. */
    enum emulate_outcome (*port_in)(struct emulate_context *c, uint16_t port, unsigned bytes, uint32_t *value);
    enum emulate_outcome (*port_out)(struct emulate_context *c, uint16_t port, unsigned bytes, uint32_t value);
    /*
     * String instructions in bulk; may be NULL. *count elements are wanted, all within one page at each address; it
     * receives how many were moved, 0 = none, do them one by one. `down`: addresses fall (direction flag).
     */
    enum emulate_outcome (*port_string)(struct emulate_context *c, uint16_t port, unsigned bytes, bool in,
                                        uint64_t linear, bool down, uint64_t *count);
    enum emulate_outcome (*memory_string)(struct emulate_context *c, uint64_t to, uint64_t from, unsigned bytes,
                                          bool down, uint64_t *count);
    /* After each repetition of a string instruction; false ends the run here. May be NULL: runs to its budget. */
    bool (*go_on)(struct emulate_context *c);
    /* Offset in a segment to linear address, with every check of the segment for an access of `bytes`. */
    enum emulate_outcome (*linear)(struct emulate_context *c, enum emulate_segment segment, uint64_t offset,
                                   unsigned bytes, enum emulate_access access, uint64_t *linear);
    /* Not EMU_CS. Takes effect at once. */
    enum emulate_outcome (*load_segment)(struct emulate_context *c, enum emulate_segment segment, uint16_t selector);
    /* CS, for code that goes on at `target` in it, which is checked against it. To the same privilege level only,
     * anything else (gates, tasks) is EMULATE_UNHANDLED. Takes effect at once; the last operation of its instruction
     * that can fail. */
    enum emulate_outcome (*load_code)(struct emulate_context *c, uint16_t selector, uint64_t target);
    uint16_t (*read_selector)(struct emulate_context *c, enum emulate_segment segment);
    void (*read_table)(struct emulate_context *c, enum emulate_table table, uint64_t *base, uint16_t *limit);
    enum emulate_outcome (*write_table)(struct emulate_context *c, enum emulate_table table, uint64_t base,
                                        uint16_t limit);
    enum emulate_outcome (*read_cr)(struct emulate_context *c, unsigned number, uint64_t *value);
    enum emulate_outcome (*write_cr)(struct emulate_context *c, unsigned number, uint64_t value);
    enum emulate_outcome (*read_dr)(struct emulate_context *c, unsigned number, uint64_t *value);
    enum emulate_outcome (*write_dr)(struct emulate_context *c, unsigned number, uint64_t value);
    enum emulate_outcome (*read_msr)(struct emulate_context *c, uint32_t msr, uint64_t *value);
    enum emulate_outcome (*write_msr)(struct emulate_context *c, uint32_t msr, uint64_t value);
    enum emulate_outcome (*cpuid)(struct emulate_context *c, uint32_t leaf, uint32_t subleaf, uint32_t out[4]);
    enum emulate_outcome (*invlpg)(struct emulate_context *c, uint64_t linear);
    /* SSE and AVX registers, for moves to and from memory (frame buffers are written so). 16 bytes: the low part, the
     * rest of the register stays; 32: all, what is above becomes 0. */
    enum emulate_outcome (*read_vector)(struct emulate_context *c, unsigned number, void *to, unsigned bytes);
    enum emulate_outcome (*write_vector)(struct emulate_context *c, unsigned number, const void *from, unsigned bytes);
};

struct emulate_context {
    const struct emulate_operations *operations;
    struct cpu_user_regs *regs; /* general registers, rip, rsp, rflags */
    unsigned code_bytes;        /* default address and operand size: 2, 4, 8 */
    unsigned stack_bytes;       /* SS.B: 2, 4, 8 */
    unsigned cpl;               /* 0 in real mode, 3 in virtual-8086 mode */
    bool protected_mode;        /* CR0.PE; virtual-8086 mode is rflags.VM */
    struct {
        uint8_t vector;
        bool has_error_code;
        uint32_t error_code;
        uint64_t cr2;
        uint8_t software_bytes; /* int n, int3, into, int1: length of the instruction, after which it returns */
        bool is_interrupt;      /* of those, int n; the others are exceptions */
    } exception;
    bool retired_hlt, retired_sti, retired_mov_ss, retired_single_step;
    unsigned repetitions_left; /* budget for string instructions, 0 = default */
    void *owner;               /* the caller's */
};

/* Fills context->exception; returns EMULATE_EXCEPTION. Vectors 8, 10-14 and 17 have an error code. */
enum emulate_outcome emulate_raise(struct emulate_context *c, uint8_t vector, uint32_t error_code);

/* A string instruction that has not come to its end leaves rip where it was. */
enum emulate_outcome emulate_instruction(struct emulate_context *c);

/*
 * What an instruction has read from devices so far, in order; so that running it again repeats no access. It must hold
 * all of the longest instruction, which is ENTER: the frame pointer, for each outer level a read and a push, the new
 * frame pointer. Reads and pushes are two rows of neighbours; where a row meets a page's end, an access of eight bytes
 * falls into four of a device's, and it may meet two: the stack pointer of 16-bit code wraps.
 */
#define EMULATE_ENTER_LEVELS  31
#define EMULATE_ENTER_PARTS   (2 + 2 * (EMULATE_ENTER_LEVELS - 1) + 2 * 2 * 3)
#define EMULATE_VECTOR_PARTS  7 /* 32 bytes across a page's end: 8 + 8 + 8 + 4 + 2 + 1, and 1 */
#define EMULATE_CACHE_ENTRIES EMULATE_ENTER_PARTS
_Static_assert(EMULATE_CACHE_ENTRIES >= 2 * EMULATE_VECTOR_PARTS && EMULATE_CACHE_ENTRIES >= 8 + 2 * 3,
               "also what reads and writes a vector, and PUSHA and POPA");
struct emulate_cache {
    unsigned count, used;
    struct {
        uint64_t address;
        uint8_t bytes;
        bool port, write, done;
        uint64_t value;
    } entry[EMULATE_CACHE_ENTRIES];
};

#endif
