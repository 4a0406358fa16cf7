#include "machine.h"
#include <string.h>

struct machine *machine_of(struct emulate_context *c)
{
    return c->owner;
}

void machine_reset(struct machine *m)
{
    memset(m, 0, sizeof(*m));
    for (unsigned i = 0; i < 6; i++)
        m->limit[i] = 0xffffffff;
    m->cr[4] = 0x40200; /* OSXSAVE, OSFXSR */
    m->table_limit[0] = m->table_limit[1] = 0xffff;
}

static enum emulate_outcome wait_for_device(struct machine *m)
{
    bool waits = m->waits;
    m->waits = false;
    return waits ? EMULATE_RETRY : EMULATE_OK;
}

/* Memory faults in one page only, and wraps around elsewhere, so that every address can be tried. */
static enum emulate_outcome find_byte(struct emulate_context *c, uint64_t linear, bool write, uint8_t **at)
{
    struct machine *m = machine_of(c);
    linear %= MACHINE_MEMORY;
    *at = &m->memory[linear];
    if ((linear & ~0xfffUL) != FAULT_PAGE)
        return EMULATE_OK;
    c->exception.cr2 = linear;
    return emulate_raise(c, 14, write ? 2 : 0);
}

static bool is_device(uint64_t linear)
{
    return (linear % MACHINE_MEMORY & ~0xfffUL) == DEVICE_PAGE;
}

static enum emulate_outcome fetch(struct emulate_context *c, uint64_t linear, void *to, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++) {
        uint8_t *at;
        enum emulate_outcome outcome = find_byte(c, linear + i, false, &at);
        if (outcome != EMULATE_OK)
            return outcome;
        ((uint8_t *)to)[i] = *at;
    }
    return EMULATE_OK;
}

static enum emulate_outcome read_memory(struct emulate_context *c, uint64_t linear, void *to, unsigned bytes,
                                        bool will_write)
{
    struct machine *m = machine_of(c);
    if (is_device(linear)) {
        enum emulate_outcome outcome = wait_for_device(m);
        if (outcome == EMULATE_OK)
            memset(to, (int)++m->device_reads, bytes);
        return outcome;
    }
    for (unsigned i = 0; i < bytes; i++) {
        uint8_t *at;
        enum emulate_outcome outcome = find_byte(c, linear + i, will_write, &at);
        if (outcome != EMULATE_OK)
            return outcome;
        ((uint8_t *)to)[i] = *at;
    }
    return EMULATE_OK;
}

static enum emulate_outcome write_memory(struct emulate_context *c, uint64_t linear, const void *from, unsigned bytes)
{
    struct machine *m = machine_of(c);
    uint8_t *at[32];
    if (is_device(linear)) {
        enum emulate_outcome outcome = wait_for_device(m);
        if (outcome == EMULATE_OK) {
            m->device_writes++;
            m->device_last = 0;
            memcpy(&m->device_last, from, bytes < 8 ? bytes : 8);
        }
        return outcome;
    }
    for (unsigned i = 0; i < bytes; i++) {
        enum emulate_outcome outcome = find_byte(c, linear + i, true, &at[i]);
        if (outcome != EMULATE_OK)
            return outcome;
    }
    for (unsigned i = 0; i < bytes; i++)
        *at[i] = ((const uint8_t *)from)[i];
    return EMULATE_OK;
}

static enum emulate_outcome exchange(struct emulate_context *c, uint64_t linear, const void *expected,
                                     const void *desired, unsigned bytes, bool *done)
{
    struct machine *m = machine_of(c);
    *done = !m->loses_exchange;
    m->loses_exchange = false;
    return *done ? write_memory(c, linear, desired, bytes) : EMULATE_OK;
}

static enum emulate_outcome port_in(struct emulate_context *c, uint16_t port, unsigned bytes, uint32_t *value)
{
    struct machine *m = machine_of(c);
    enum emulate_outcome outcome = wait_for_device(m);
    if (outcome == EMULATE_OK) {
        m->port = port;
        *value = m->port_value++;
    }
    return outcome;
}

static enum emulate_outcome port_out(struct emulate_context *c, uint16_t port, unsigned bytes, uint32_t value)
{
    struct machine *m = machine_of(c);
    enum emulate_outcome outcome = wait_for_device(m);
    if (outcome == EMULATE_OK) {
        m->port = port;
        m->port_value = value;
    }
    return outcome;
}

static enum emulate_outcome port_string(struct emulate_context *c, uint16_t port, unsigned bytes, bool in,
                                        uint64_t linear, bool down, uint64_t *count)
{
    machine_of(c)->bulk_calls++;
    machine_of(c)->port = port;
    return EMULATE_OK;
}

static enum emulate_outcome memory_string(struct emulate_context *c, uint64_t to, uint64_t from, unsigned bytes,
                                          bool down, uint64_t *count)
{
    struct machine *m = machine_of(c);
    if (is_device(to) == is_device(from))
        *count = 0;
    else
        m->bulk_calls++;
    return EMULATE_OK;
}

static enum emulate_outcome find_linear(struct emulate_context *c, enum emulate_segment segment, uint64_t offset,
                                        unsigned bytes, enum emulate_access access, uint64_t *linear)
{
    struct machine *m = machine_of(c);
    *linear = offset;
    if (segment == EMU_LINEAR)
        return EMULATE_OK;
    if (c->code_bytes == 8) {
        *linear += segment >= EMU_FS ? m->base[segment] : 0;
        bool canonical = (uint64_t)((int64_t)(*linear << 16) >> 16) == *linear;
        return canonical ? EMULATE_OK : emulate_raise(c, segment == EMU_SS ? 12 : 13, 0);
    }
    *linear = (uint32_t)(m->base[segment] + offset);
    bool inside = offset + bytes - 1 <= m->limit[segment];
    return inside ? EMULATE_OK : emulate_raise(c, segment == EMU_SS ? 12 : 13, 0);
}

static enum emulate_outcome load_segment(struct emulate_context *c, enum emulate_segment segment, uint16_t selector)
{
    struct machine *m = machine_of(c);
    if (selector == 0xbad8)
        return emulate_raise(c, 11, selector);
    m->selector[segment] = selector;
    if (!c->protected_mode)
        m->base[segment] = selector * 16U;
    return EMULATE_OK;
}

static enum emulate_outcome load_code(struct emulate_context *c, uint16_t selector, uint64_t target)
{
    uint64_t linear;
    enum emulate_outcome outcome = find_linear(c, EMU_CS, target, 1, EMU_EXECUTE, &linear);
    return outcome == EMULATE_OK ? load_segment(c, EMU_CS, selector) : outcome;
}

static uint16_t read_selector(struct emulate_context *c, enum emulate_segment segment)
{
    return machine_of(c)->selector[segment];
}

static void read_table(struct emulate_context *c, enum emulate_table table, uint64_t *base, uint16_t *limit)
{
    *base = machine_of(c)->table_base[table];
    *limit = machine_of(c)->table_limit[table];
}

static enum emulate_outcome write_table(struct emulate_context *c, enum emulate_table table, uint64_t base,
                                        uint16_t limit)
{
    machine_of(c)->table_base[table] = base;
    machine_of(c)->table_limit[table] = limit;
    return EMULATE_OK;
}

static enum emulate_outcome read_cr(struct emulate_context *c, unsigned number, uint64_t *value)
{
    *value = machine_of(c)->cr[number];
    return EMULATE_OK;
}

static enum emulate_outcome write_cr(struct emulate_context *c, unsigned number, uint64_t value)
{
    machine_of(c)->cr[number] = value;
    return EMULATE_OK;
}

static enum emulate_outcome read_dr(struct emulate_context *c, unsigned number, uint64_t *value)
{
    *value = machine_of(c)->dr[number];
    return EMULATE_OK;
}

static enum emulate_outcome write_dr(struct emulate_context *c, unsigned number, uint64_t value)
{
    machine_of(c)->dr[number] = value;
    return EMULATE_OK;
}

static enum emulate_outcome read_msr(struct emulate_context *c, uint32_t msr, uint64_t *value)
{
    *value = (uint64_t)msr << 32 | 0x1234;
    return EMULATE_OK;
}

static enum emulate_outcome write_msr(struct emulate_context *c, uint32_t msr, uint64_t value)
{
    machine_of(c)->msr = value;
    return EMULATE_OK;
}

static enum emulate_outcome identify(struct emulate_context *c, uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
    for (unsigned i = 0; i < 4; i++)
        out[i] = leaf + subleaf + i;
    return EMULATE_OK;
}

static enum emulate_outcome invalidate(struct emulate_context *c, uint64_t linear)
{
    machine_of(c)->invalidated = linear;
    return EMULATE_OK;
}

static enum emulate_outcome read_vector(struct emulate_context *c, unsigned number, void *to, unsigned bytes)
{
    memcpy(to, machine_of(c)->vector[number & 15], bytes);
    return EMULATE_OK;
}

static enum emulate_outcome write_vector(struct emulate_context *c, unsigned number, const void *from, unsigned bytes)
{
    memcpy(machine_of(c)->vector[number & 15], from, bytes);
    return EMULATE_OK;
}

#define COMMON                                                                                                         \
    .fetch = fetch, .read = read_memory, .write = write_memory, .exchange = exchange, .port_in = port_in,              \
    .port_out = port_out, .linear = find_linear, .load_segment = load_segment, .load_code = load_code,                 \
    .read_selector = read_selector, .read_table = read_table, .write_table = write_table, .read_cr = read_cr,          \
    .write_cr = write_cr, .read_dr = read_dr, .write_dr = write_dr, .read_msr = read_msr, .write_msr = write_msr,      \
    .cpuid = identify, .invlpg = invalidate, .read_vector = read_vector, .write_vector = write_vector

const struct emulate_operations machine_operations = {COMMON};
const struct emulate_operations machine_bulk_operations = {
    COMMON,
    .port_string = port_string,
    .memory_string = memory_string,
};
