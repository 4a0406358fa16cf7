/*
 * The emulator at work on an HVM vcpu: memory is the guest's RAM or a device, ports are a device's, and what the
 * instruction raises goes back to the guest.
 */
#include "emulate_glue.h"
#include <hv/domain_log.h>
#include <hv/hvm_exit.h>

/* ---- memory ---- */

enum emulate_outcome raise_page_fault(struct emulate_context *c, uint64_t linear, uint32_t error_code)
{
    c->exception.cr2 = linear;
    return emulate_raise(c, TRAP_page_fault, error_code);
}

static enum emulate_outcome translate(struct emulate_context *c, uint64_t linear, unsigned access, uint64_t *gpa)
{
    uint32_t fault;
    int error = hvm_translate(emulated(c), linear, access, gpa, &fault);
    if (error == -EFAULT)
        return raise_page_fault(c, linear, fault);
    return error ? EMULATE_UNHANDLED : EMULATE_OK; /* page tables that are no memory */
}

/* An access is in one page or in two. */
struct span {
    uint64_t gpa[2];
    unsigned bytes[2];
};

/* Both pages are looked up before either is touched: a fault on the second leaves the first as it was. */
static enum emulate_outcome find_span(struct emulate_context *c, uint64_t linear, unsigned bytes, bool write,
                                      struct span *s)
{
    enum emulate_outcome outcome = translate(c, linear, data_access(c, write), &s->gpa[0]);
    s->bytes[0] = min(bytes, (unsigned)(PAGE_SIZE - (linear & ~PAGE_MASK)));
    s->bytes[1] = bytes - s->bytes[0];
    if (outcome == EMULATE_OK && s->bytes[1])
        outcome = translate(c, linear + s->bytes[0], data_access(c, write), &s->gpa[1]);
    return outcome;
}

/* Devices have accesses of 1, 2, 4 and 8 bytes. */
static unsigned device_part(unsigned bytes)
{
    return bytes >= 8 ? 8 : bytes >= 4 ? 4 : bytes >= 2 ? 2 : 1;
}

static enum emulate_outcome read_device(struct vcpu *v, uint64_t gpa, uint8_t *to, unsigned bytes)
{
    for (unsigned part; bytes; bytes -= part, to += part, gpa += part) {
        uint64_t value = ~0UL;
        part = device_part(bytes);
        if (hvm_memory_read(v, gpa, part, &value) == IO_RETRY)
            return EMULATE_RETRY;
        memcpy(to, &value, part);
    }
    return EMULATE_OK;
}

static enum emulate_outcome write_device(struct vcpu *v, uint64_t gpa, const uint8_t *from, unsigned bytes)
{
    for (unsigned part; bytes; bytes -= part, from += part, gpa += part) {
        uint64_t value = 0;
        part = device_part(bytes);
        memcpy(&value, from, part);
        if (hvm_memory_write(v, gpa, part, value) == IO_RETRY)
            return EMULATE_RETRY;
    }
    return EMULATE_OK;
}

static enum emulate_outcome read_memory(struct emulate_context *c, uint64_t linear, void *to, unsigned bytes,
                                        bool will_write)
{
    struct vcpu *v = emulated(c);
    struct span s;
    enum emulate_outcome outcome = find_span(c, linear, bytes, will_write, &s);
    uint8_t *at = to;
    for (unsigned i = 0; i < 2 && outcome == EMULATE_OK && s.bytes[i]; at += s.bytes[i], i++)
        if (hvm_copy_from_physical(v->domain, at, s.gpa[i], s.bytes[i]))
            outcome = read_device(v, s.gpa[i], at, s.bytes[i]);
    return outcome;
}

static enum emulate_outcome write_memory(struct emulate_context *c, uint64_t linear, const void *from, unsigned bytes)
{
    struct vcpu *v = emulated(c);
    struct span s;
    enum emulate_outcome outcome = find_span(c, linear, bytes, true, &s);
    const uint8_t *at = from;
    for (unsigned i = 0; i < 2 && outcome == EMULATE_OK && s.bytes[i]; at += s.bytes[i], i++)
        if (hvm_copy_to_physical(v->domain, s.gpa[i], at, s.bytes[i]))
            outcome = write_device(v, s.gpa[i], at, s.bytes[i]);
    return outcome;
}

static bool exchange_16(void *at, const uint64_t expected[2], const uint64_t desired[2])
{
    uint64_t low = expected[0], high = expected[1];
    bool done;
    __asm__ volatile("lock cmpxchg16b %0"
                     : "+m"(*(unsigned __int128 *)at), "=@ccz"(done), "+a"(low), "+d"(high)
                     : "b"(desired[0]), "c"(desired[1])
                     : "memory");
    return done;
}

/* bytes: 1, 2, 4, 8, or 16 and then aligned. */
static bool exchange_at(void *at, const void *expected, const void *desired, unsigned bytes)
{
    uint64_t was[2] = {0, 0}, is[2] = {0, 0};
    memcpy(was, expected, bytes);
    memcpy(is, desired, bytes);
    switch (bytes) {
    case 1:
        return __sync_bool_compare_and_swap((uint8_t *)at, (uint8_t)was[0], (uint8_t)is[0]);
    case 2:
        return __sync_bool_compare_and_swap((uint16_t *)at, (uint16_t)was[0], (uint16_t)is[0]);
    case 4:
        return __sync_bool_compare_and_swap((uint32_t *)at, (uint32_t)was[0], (uint32_t)is[0]);
    case 8:
        return __sync_bool_compare_and_swap((uint64_t *)at, was[0], is[0]);
    default:
        return exchange_16(at, was, is);
    }
}

/* Across two pages no single access does it, and nobody relies on it being one. */
static enum emulate_outcome exchange_memory(struct emulate_context *c, uint64_t linear, const void *expected,
                                            const void *desired, unsigned bytes, bool *done)
{
    struct vcpu *v = emulated(c);
    struct span s;
    int error;
    enum emulate_outcome outcome = find_span(c, linear, bytes, true, &s);
    *done = true;
    if (outcome != EMULATE_OK || s.bytes[1])
        return outcome == EMULATE_OK ? write_memory(c, linear, desired, bytes) : outcome;
    struct page *page = p2m_get_page(v->domain, s.gpa[0] >> PAGE_SHIFT, true, &error);
    if (!page)
        return write_device(v, s.gpa[0], desired, bytes);
    *done = exchange_at((char *)page_to_virt(page) + (s.gpa[0] & ~PAGE_MASK), expected, desired, bytes);
    page_put_with_type(page);
    return EMULATE_OK;
}

/* What the processor gave with the exit needs no second look at the guest's page tables. */
static enum emulate_outcome fetch_code(struct emulate_context *c, uint64_t linear, void *to, unsigned bytes)
{
    struct emulated_vcpu *e = c->owner;
    uint64_t gpa;
    uint32_t fault;
    if (e->code_bytes == 0)
        e->code_linear = linear;
    uint64_t at = linear - e->code_linear;
    int error = 0;
    if (at + bytes <= e->given_bytes)
        memcpy(to, e->given + at, bytes);
    else
        error = hvm_copy_linear(e->v, linear, to, bytes, WALK_FETCH | (c->cpl == 3 ? WALK_USER : 0), &fault, &gpa);
    if (error == -EFAULT)
        return raise_page_fault(c, linear, fault);
    if (error)
        return EMULATE_UNHANDLED;
    bytes = min(bytes, (unsigned)sizeof(e->code) - e->code_bytes);
    memcpy(e->code + e->code_bytes, to, bytes);
    e->code_bytes += bytes;
    return EMULATE_OK;
}

/* ---- ports ---- */

static enum emulate_outcome read_port(struct emulate_context *c, uint16_t port, unsigned bytes, uint32_t *value)
{
    enum emulate_outcome outcome = check_port(c, port, bytes);
    if (outcome == EMULATE_OK && hvm_port_read(emulated(c), port, bytes, value) == IO_RETRY)
        outcome = EMULATE_RETRY;
    return outcome;
}

static enum emulate_outcome write_port(struct emulate_context *c, uint16_t port, unsigned bytes, uint32_t value)
{
    enum emulate_outcome outcome = check_port(c, port, bytes);
    if (outcome == EMULATE_OK && hvm_port_write(emulated(c), port, bytes, value) == IO_RETRY)
        outcome = EMULATE_RETRY;
    return outcome;
}

/* ---- string instructions ---- */

static enum emulate_outcome repeated(enum io_result result, uint64_t *count)
{
    if (result == IO_UNHANDLED)
        *count = 0;
    return result == IO_RETRY ? EMULATE_RETRY : EMULATE_OK;
}

static enum emulate_outcome repeat_port(struct emulate_context *c, uint16_t port, unsigned bytes, bool in,
                                        uint64_t linear, bool down, uint64_t *count)
{
    uint64_t gpa;
    enum emulate_outcome outcome = check_port(c, port, bytes);
    if (outcome == EMULATE_OK)
        outcome = translate(c, linear, data_access(c, in), &gpa);
    if (outcome != EMULATE_OK)
        return outcome;
    return repeated(hvm_port_repeat(emulated(c), port, bytes, !in, gpa, down, (uint32_t)*count), count);
}

static bool is_ram(struct vcpu *v, uint64_t gpa)
{
    enum p2m_type type;
    return p2m_lookup(v->domain, gpa >> PAGE_SHIFT, &type, NULL) != INVALID_MFN;
}

/* In bulk only between a device and memory. */
static enum emulate_outcome repeat_memory(struct emulate_context *c, uint64_t to, uint64_t from, unsigned bytes,
                                          bool down, uint64_t *count)
{
    struct vcpu *v = emulated(c);
    uint64_t source, destination;
    enum emulate_outcome outcome = translate(c, from, data_access(c, false), &source);
    if (outcome == EMULATE_OK)
        outcome = translate(c, to, data_access(c, true), &destination);
    if (outcome != EMULATE_OK)
        return outcome;
    bool reads = !is_ram(v, source), writes = !is_ram(v, destination);
    if (reads == writes) {
        *count = 0;
        return EMULATE_OK;
    }
    return repeated(hvm_memory_repeat(v, reads ? source : destination, bytes, writes, reads ? destination : source,
                                      down, (uint32_t)*count),
                    count);
}

static bool device_model_has_answered(const struct vcpu *v)
{
    const struct emulate_cache *cache = &v->hvm->io_cache;
    bool answered = v->hvm->io_servers;

    for (unsigned i = 0; i < cache->count; i++)
        answered = answered || !cache->entry[i].write;
    return answered;
}

/* A device model's answers belong to one repetition, and an interrupt may come before the next one. Writes that nobody
 * waits for are different: to fill the screen by one exit for each character would wake the device model as often. */
static bool may_go_on(struct emulate_context *c)
{
    struct vcpu *v = emulated(c);

    if (device_model_has_answered(v))
        return false;
    hvm_io_instruction_done(v);
    return true;
}

static const struct emulate_operations operations = {
    .fetch = fetch_code,
    .read = read_memory,
    .write = write_memory,
    .exchange = exchange_memory,
    .port_in = read_port,
    .port_out = write_port,
    .port_string = repeat_port,
    .memory_string = repeat_memory,
    .go_on = may_go_on,
    .linear = segment_linear,
    .load_segment = segment_load,
    .load_code = segment_load_code,
    .read_selector = segment_selector,
    .read_table = system_read_table,
    .write_table = system_write_table,
    .read_cr = system_read_cr,
    .write_cr = system_write_cr,
    .read_dr = system_read_dr,
    .write_dr = system_write_dr,
    .read_msr = system_read_msr,
    .write_msr = system_write_msr,
    .cpuid = system_cpuid,
    .invlpg = system_invlpg,
    .read_vector = system_read_vector,
    .write_vector = system_write_vector,
};

/* ---- outcomes ---- */

#define SHADOW_STI    1U
#define SHADOW_MOV_SS 2U

/* hlt needs nothing here: a halt may end at any time, and guests look again. */
static void retire(struct vcpu *v, const struct emulate_context *c)
{
    hvm_io_instruction_done(v);
    hvm_vendor->set_shadow(v, (c->retired_sti ? SHADOW_STI : 0) | (c->retired_mov_ss ? SHADOW_MOV_SS : 0));
    if (c->retired_single_step)
        hvm_single_step(v);
}

/* The processor does not look at the level of a gate for what it is told is an exception; int1 passes every gate. */
static bool may_interrupt(struct emulate_context *c)
{
    return (c->exception.vector == TRAP_debug && !c->exception.is_interrupt) || gate_admits(c, c->exception.vector);
}

/* Real mode has no error codes. */
static void deliver(struct vcpu *v, struct emulate_context *c)
{
    if (c->exception.software_bytes && !may_interrupt(c))
        emulate_raise(c, TRAP_gp_fault, c->exception.vector * 8U + 2);
    bool coded = c->exception.has_error_code && c->protected_mode;
    hvm_io_instruction_done(v);
    if (c->exception.vector == TRAP_page_fault) {
        hvm_inject_page_fault(v, c->exception.cr2, c->exception.error_code);
    } else if (c->exception.software_bytes) {
        struct hvm_event event = {.valid = true,
                                  .vector = c->exception.vector,
                                  .kind = c->exception.is_interrupt ? HVM_EVENT_SOFTWARE : HVM_EVENT_EXCEPTION,
                                  .length = c->exception.software_bytes};
        hvm_inject_event(v, &event);
    } else {
        hvm_inject_exception(v, c->exception.vector, coded ? c->exception.error_code : HVM_NO_ERROR_CODE);
    }
}

/* A program must not end the whole guest by using a device in a way nobody thought of; its kernel hears of it. */
static enum emulate_outcome give_up(struct vcpu *v, const struct emulate_context *c)
{
    const struct emulated_vcpu *e = c->owner;
    const uint8_t *b = e->code;
    domain_log(
        LOG_WARNING, v->domain,
        "no emulation of the instruction at %#lx: %02x %02x %02x %02x %02x %02x %02x %02x %02x %02x (%u-bit, ring %u)",
        c->regs->rip, b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], 8 * c->code_bytes, c->cpl);
    hvm_io_instruction_done(v);
    if (c->cpl != 3)
        return EMULATE_UNHANDLED;
    hvm_inject_exception(v, TRAP_invalid_op, HVM_NO_ERROR_CODE);
    return EMULATE_EXCEPTION;
}

static unsigned stack_bytes(struct emulate_context *c)
{
    if (c->code_bytes == 8)
        return 8;
    return emulated_segment(c, SEG_SS)->attributes & SEG_ATTR_DB ? 4 : 2;
}

enum emulate_outcome hvm_emulate_one(struct vcpu *v, struct cpu_user_regs *regs, const uint8_t *bytes, unsigned count)
{
    struct emulated_vcpu e __uninitialized;
    e.v = v;
    e.given = bytes;
    e.given_bytes = count;
    e.code_bytes = e.known_segments = 0;
    struct emulate_context c = {.operations = &operations, .regs = regs, .owner = &e};
    c.code_bytes = hvm_code_bytes(v);
    c.stack_bytes = stack_bytes(&c);
    c.cpl = hvm_vendor->cpl(v);
    c.protected_mode = v->hvm->cr0 & X86_CR0_PE;
    v->hvm->io_cache.used = 0;
    enum emulate_outcome outcome = emulate_instruction(&c);
    switch (outcome) {
    case EMULATE_OK:
        retire(v, &c);
        return outcome;
    case EMULATE_EXCEPTION:
        deliver(v, &c);
        return outcome;
    case EMULATE_RETRY:
        return outcome;
    default:
        return give_up(v, &c);
    }
}
