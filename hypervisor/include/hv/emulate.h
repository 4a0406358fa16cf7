/*
 * The instruction emulator: pure code, no state of its own, builds and runs on the host too (tests, fuzzers).
 * hvm/emulate/. Sources: AMD APM volume 3, Intel SDM volume 2.
 *
 * It executes one instruction (or a bounded number of repetitions of a string instruction) on a copy of the general
 * registers, reaching everything else through operations. Nothing is committed to the registers unless the outcome is
 * EMULATE_OK; memory written before a fault stays written, as on a processor.
 */
#ifndef HV_EMULATE_H
#define HV_EMULATE_H

#include <hv/types.h>
#include <hv/xen.h>

enum emulate_outcome {
    EMULATE_OK,
    EMULATE_EXCEPTION, /* context.exception says which; registers unchanged (string: as of the last whole repetition) */
    EMULATE_RETRY,     /* an operation must wait: run the same instruction again later */
    EMULATE_UNHANDLED, /* an instruction this emulator does not know */
};

enum emulate_segment { EMU_ES, EMU_CS, EMU_SS, EMU_DS, EMU_FS, EMU_GS, EMU_LINEAR /* no segment: system access */ };

struct emulate_context;

/* Each returns an outcome; EMULATE_EXCEPTION after filling context->exception. bytes: 1..16. */
struct emulate_operations {
    enum emulate_outcome (*fetch)(struct emulate_context *c, uint64_t linear, void *to, unsigned bytes);
    enum emulate_outcome (*read)(struct emulate_context *c, uint64_t linear, void *to, unsigned bytes);
    enum emulate_outcome (*write)(struct emulate_context *c, uint64_t linear, const void *from, unsigned bytes);
    /* Compare *expected with memory and write `desired` if equal; *expected receives what was there. Locked. */
    enum emulate_outcome (*exchange)(struct emulate_context *c, uint64_t linear, void *expected, const void *desired,
                                     unsigned bytes, bool *done);
    enum emulate_outcome (*port_in)(struct emulate_context *c, uint16_t port, unsigned bytes, uint32_t *value);
    enum emulate_outcome (*port_out)(struct emulate_context *c, uint16_t port, unsigned bytes, uint32_t value);
    /* Segment base and limit checks included: offset to linear, for an access of `bytes`. */
    enum emulate_outcome (*linear)(struct emulate_context *c, enum emulate_segment segment, uint64_t offset,
                                   unsigned bytes, bool write, uint64_t *linear);
    enum emulate_outcome (*load_segment)(struct emulate_context *c, enum emulate_segment segment, uint16_t selector);
    uint16_t (*read_selector)(struct emulate_context *c, enum emulate_segment segment);
    enum emulate_outcome (*read_cr)(struct emulate_context *c, unsigned number, uint64_t *value);
    enum emulate_outcome (*write_cr)(struct emulate_context *c, unsigned number, uint64_t value);
    enum emulate_outcome (*read_msr)(struct emulate_context *c, uint32_t msr, uint64_t *value);
    enum emulate_outcome (*write_msr)(struct emulate_context *c, uint32_t msr, uint64_t value);
    enum emulate_outcome (*cpuid)(struct emulate_context *c, uint32_t leaf, uint32_t subleaf, uint32_t out[4]);
    enum emulate_outcome (*invlpg)(struct emulate_context *c, uint64_t linear);
    /* SSE/AVX register moves to and from memory (frame buffers are written so): the register's 16 or 32 bytes. */
    enum emulate_outcome (*read_vector)(struct emulate_context *c, unsigned number, void *to, unsigned bytes);
    enum emulate_outcome (*write_vector)(struct emulate_context *c, unsigned number, const void *from, unsigned bytes);
};

struct emulate_context {
    const struct emulate_operations *operations;
    struct cpu_user_regs *regs;
    unsigned code_bytes;  /* default address and operand size: 2, 4, 8 */
    unsigned stack_bytes; /* SS.B: 2, 4, 8 */
    unsigned cpl;
    unsigned iopl_ok; /* port access allowed by IOPL; otherwise port operations check the TSS bitmap themselves */
    struct {
        uint8_t vector;
        bool has_error_code;
        uint32_t error_code;
        uint64_t cr2;
    } exception;
    bool retired_hlt, retired_sti, retired_mov_ss, retired_single_step;
    unsigned repetitions_left; /* budget for string instructions, 0 = default */
    void *owner;               /* the caller's */
};

enum emulate_outcome emulate_instruction(struct emulate_context *c);
/* Only its length (prefixes, opcode, operands), 0 if it is no whole valid instruction in `count` bytes. */
unsigned instruction_length(const uint8_t *bytes, unsigned count, unsigned code_bytes);

/* What an instruction has read from devices so far, in order; so that running it again repeats no access. */
#define EMULATE_CACHE_ENTRIES 6
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
