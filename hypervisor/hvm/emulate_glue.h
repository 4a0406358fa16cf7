/*
 * Inside the emulator's connection to an HVM vcpu: emulate_glue.c (entry, memory, ports), emulate_glue_segment.c
 * (segments, descriptors, port permissions), emulate_glue_system.c (control registers, MSRs, tables, vector registers).
 */
#ifndef HV_HVM_EMULATE_GLUE_H
#define HV_HVM_EMULATE_GLUE_H

#include <hv/hvm_io.h>
#include <hv/p2m.h>
#include <hv/traps.h>

/* What context.owner points to. */
struct emulated_vcpu {
    struct vcpu *v;
    const uint8_t *given; /* instruction bytes from the processor */
    unsigned given_bytes;
    uint64_t code_linear; /* of the first byte fetched */
    uint8_t code[15];     /* what was fetched, for messages */
    unsigned code_bytes;
    unsigned known_segments; /* bit per entry of segment[] */
    struct hvm_segment_register segment[SEG_COUNT];
};

static inline struct vcpu *emulated(const struct emulate_context *c)
{
    return ((struct emulated_vcpu *)c->owner)->v;
}
/* Rights of a data access of the instruction. */
static inline unsigned data_access(const struct emulate_context *c, bool write)
{
    return (c->cpl == 3 ? WALK_USER : 0) | (write ? WALK_WRITE : WALK_READ);
}
enum emulate_outcome raise_page_fault(struct emulate_context *c, uint64_t linear, uint32_t error_code);

/* emulate_glue_segment.c */
const struct hvm_segment_register *emulated_segment(struct emulate_context *c, enum hvm_segment which);
enum emulate_outcome segment_linear(struct emulate_context *c, enum emulate_segment segment, uint64_t offset,
                                    unsigned bytes, enum emulate_access access, uint64_t *linear);
enum emulate_outcome segment_load(struct emulate_context *c, enum emulate_segment segment, uint16_t selector);
enum emulate_outcome segment_load_code(struct emulate_context *c, uint16_t selector, uint64_t target);
uint16_t segment_selector(struct emulate_context *c, enum emulate_segment segment);
/* May int n, int3 or into of this privilege level go through the gate of this vector? True also where the gate cannot
 * be read: its delivery says why. */
bool gate_admits(struct emulate_context *c, uint8_t vector);
/* IOPL and the bitmap of the task: #GP otherwise. */
enum emulate_outcome check_port(struct emulate_context *c, uint16_t port, unsigned bytes);

/* emulate_glue_system.c */
void system_read_table(struct emulate_context *c, enum emulate_table table, uint64_t *base, uint16_t *limit);
enum emulate_outcome system_write_table(struct emulate_context *c, enum emulate_table table, uint64_t base,
                                        uint16_t limit);
enum emulate_outcome system_read_cr(struct emulate_context *c, unsigned number, uint64_t *value);
enum emulate_outcome system_write_cr(struct emulate_context *c, unsigned number, uint64_t value);
enum emulate_outcome system_read_dr(struct emulate_context *c, unsigned number, uint64_t *value);
enum emulate_outcome system_write_dr(struct emulate_context *c, unsigned number, uint64_t value);
enum emulate_outcome system_read_msr(struct emulate_context *c, uint32_t msr, uint64_t *value);
enum emulate_outcome system_write_msr(struct emulate_context *c, uint32_t msr, uint64_t value);
enum emulate_outcome system_cpuid(struct emulate_context *c, uint32_t leaf, uint32_t subleaf, uint32_t out[4]);
enum emulate_outcome system_invlpg(struct emulate_context *c, uint64_t linear);
enum emulate_outcome system_read_vector(struct emulate_context *c, unsigned number, void *to, unsigned bytes);
enum emulate_outcome system_write_vector(struct emulate_context *c, unsigned number, const void *from, unsigned bytes);

#endif
