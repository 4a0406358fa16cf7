/*
 * Interrupt vectors: who has which, and what happens when one comes in.
 *
 * A guest's edge interrupts (and all MSIs) end in the local APIC at once. A guest's level interrupts are masked at
 * their source first and ended, so that a guest that takes its time (or never answers) blocks no other vector.
 */
#include <hv/apic_regs.h>
#include <hv/console.h>
#include <hv/cpu.h>
#include <hv/irq.h>
#include <hv/irq_source.h>
#include <hv/percpu.h>

#define FIRST_EXTERNAL 0x20 /* the 8259 pair is moved to 0x20-0x2f and masked */
#define PIC1_COMMAND   0x20
#define PIC1_DATA      0x21
#define PIC2_COMMAND   0xa0
#define PIC2_DATA      0xa1
#define PIC_EOI        0x20

struct spinlock irq_lock = SPINLOCK_INIT(LOCK_INTERRUPTS);
static struct irq irqs[256];
static BITMAP(logged_vectors, 256);
static uint64_t unexpected_count, spurious_count;

struct irq *irq_of_vector(uint8_t vector)
{
    return &irqs[vector];
}

static bool vectors_free(unsigned first, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        if (irqs[first + i].source)
            return false;
    return true;
}

struct irq *irq_alloc(const struct irq_source *source, unsigned count)
{
    unsigned first = ROUND_UP(VECTOR_FIRST_DEVICE, count);
    while (first + count - 1 <= VECTOR_LAST_DEVICE && !vectors_free(first, count))
        first += count;
    if (first + count - 1 > VECTOR_LAST_DEVICE)
        return NULL;
    for (unsigned i = 0; i < count; i++) {
        struct irq *irq = &irqs[first + i];
        *irq = (struct irq){.source = source, .vector = (uint8_t)(first + i), .target = &cpus[0]};
    }
    return &irqs[first];
}

void irq_free(struct irq *first, unsigned count)
{
    memset(first, 0, count * sizeof(*first));
}

/* True the first time: what a device or a guest can cause again and again is said once. */
static bool first_time(unsigned vector)
{
    return !test_and_set_bit(vector, logged_vectors);
}

static bool in_service(unsigned vector)
{
    return apic_read(APIC_IN_SERVICE + (vector / 32) * 0x10) >> (vector % 32) & 1;
}

static void unexpected(unsigned vector)
{
    /* The 8259 gives a vector without the local APIC knowing: nothing to end there. */
    if (in_service(vector))
        apic_eoi();
    else if (vector == FIRST_EXTERNAL + 15)
        outb(PIC_EOI, PIC1_COMMAND); /* spurious in the second 8259: the first one saw a real request */
    unexpected_count++;
    if (first_time(vector))
        log_warning("Interrupt vector %#x came in and belongs to nobody; further ones are only counted", vector);
}

static void device_interrupt(unsigned vector)
{
    struct irq *irq = &irqs[vector];
    spin_lock(&irq_lock);
    void (*handler)(void *) = irq->handler;
    void *data = irq->data;
    bool ours_level = irq->level && !irq->hold;
    bool owned = irq->source != NULL;
    if (handler && irq->hold) {
        irq->source->mask(irq);
        irq->held = true;
    }
    spin_unlock(&irq_lock);

    if (!handler && !owned) {
        unexpected(vector);
        return;
    }
    if (!handler || !ours_level)
        apic_eoi();
    if (!handler)
        return;
    handler(data);
    if (ours_level)
        apic_eoi();
}

static void event_check(unsigned vector)
{
    apic_eoi(); /* the sender's softirq bit is looked at on the way out */
}

static void call(unsigned vector)
{
    apic_eoi();
    smp_call_interrupt();
}

static void apic_timer(unsigned vector)
{
    apic_eoi();
    raise_softirq(SOFTIRQ_TIMER);
}

static void apic_error(unsigned vector)
{
    apic_write(APIC_ERROR, 0); /* moves what has gathered into the readable register */
    uint32_t errors = apic_read(APIC_ERROR);
    apic_eoi();
    if (first_time(vector))
        log_warning("CPU %u: local APIC error %#x; further ones are not logged", smp_processor_id(), errors);
}

static void spurious(unsigned vector)
{
    spurious_count++; /* never in service: no end of interrupt */
    if (first_time(vector))
        log_info("CPU %u: spurious interrupt; further ones are only counted", smp_processor_id());
}

static const struct {
    uint8_t first, last;
    void (*serve)(unsigned vector);
} dispatch[] = {
    {VECTOR_FIRST_DEVICE, VECTOR_LAST_DEVICE, device_interrupt},
    {VECTOR_APIC_TIMER, VECTOR_APIC_TIMER, apic_timer},
    {VECTOR_EVENT_CHECK, VECTOR_EVENT_CHECK, event_check},
    {VECTOR_CALL, VECTOR_CALL, call},
    {VECTOR_APIC_ERROR, VECTOR_APIC_ERROR, apic_error},
    {VECTOR_SPURIOUS, VECTOR_SPURIOUS, spurious},
    {0, 0xff, unexpected},
};

void do_irq(struct cpu_user_regs *regs)
{
    struct cpu *cpu = this_cpu();
    uint8_t vector = (uint8_t)regs->entry_vector;
    cpu->irq_depth++;
    cpu->irq_count++;
    unsigned i = 0;
    while (vector < dispatch[i].first || vector > dispatch[i].last)
        i++;
    dispatch[i].serve(vector);
    cpu->irq_depth--;
}

/* Intel 8259A data sheet: four initialisation words, then everything masked. */
void pic_silence(void)
{
    outb(0x11, PIC1_COMMAND);
    outb(0x11, PIC2_COMMAND);
    outb(FIRST_EXTERNAL, PIC1_DATA);
    outb(FIRST_EXTERNAL + 8, PIC2_DATA);
    outb(4, PIC1_DATA);
    outb(2, PIC2_DATA);
    outb(1, PIC1_DATA);
    outb(1, PIC2_DATA);
    outb(0xff, PIC1_DATA);
    outb(0xff, PIC2_DATA);
}
