/*
 * Saving and loading of local APICs: the record with base MSR and timer, and the image of the register page.
 * Source: xen/arch-x86/hvm/save.h.
 */
#include "lapic.h"

#define DISABLED_BY_HARDWARE 1
#define DISABLED_BY_SOFTWARE 2
#define TMR_REGISTER         0x180

_Static_assert(sizeof(struct hvm_hw_lapic) == 24 && sizeof(struct hvm_hw_lapic_regs) == 1024, "ABI");

static uint32_t get(const uint8_t *page, unsigned reg)
{
    uint32_t value;

    memcpy(&value, page + reg, sizeof(value));
    return value;
}

static void put(uint8_t *page, unsigned reg, uint32_t value)
{
    memcpy(page + reg, &value, sizeof(value));
}

/* A timer that is due is not done before its interrupt is requested: waits for that, and says if one is to come. */
static bool quiesce_timer(struct vlapic *l)
{
    struct timer *t = &l->timer;
    struct cpu *cpu = t->cpu;
    bool active = t->active;
    ns_t deadline = t->deadline;

    timer_kill(t);
    timer_init(t, t->function, t->data, cpu);
    if (active)
        timer_set(t, deadline);
    return active;
}

int vlapic_save(struct domain *d, struct hvm_save_buffer *b)
{
    struct vcpu *v;

    for_each_vcpu(d, v) {
        struct vlapic *l = vlapic_of(v);
        struct hvm_hw_lapic record;
        int error;
        if (!l)
            continue;
        record = (struct hvm_hw_lapic){
            .apic_base_msr = l->base,
            .disabled =
                (l->hw_enabled ? 0 : DISABLED_BY_HARDWARE) | (l->svr & APIC_SPURIOUS_ENABLE ? 0 : DISABLED_BY_SOFTWARE),
            .timer_divisor = l->timer_unit / VLAPIC_BUS_NS,
            .tdt_msr = quiesce_timer(l) ? l->tsc_deadline : vlapic_timer_read_deadline(l),
        };
        error = hvm_save_record(b, HVM_SAVE_CODE(LAPIC), (uint16_t)v->id, &record, sizeof(record));
        if (error)
            return error;
    }
    return 0;
}

static void put_banks(const struct vlapic *l, uint8_t *page)
{
    for (unsigned i = 0; i < 8; i++) {
        unsigned shift = i % 2 * 32;
        put(page, APIC_IN_SERVICE + i * 16, (uint32_t)(l->isr[i / 2] >> shift));
        put(page, TMR_REGISTER + i * 16, (uint32_t)(l->tmr[i / 2] >> shift));
        put(page, APIC_REQUEST + i * 16, (uint32_t)(l->irr[i / 2] >> shift));
    }
}

static void put_page(struct vlapic *l, uint8_t *page)
{
    bool to_come = quiesce_timer(l);
    uint32_t count = vlapic_timer_count(l);

    put_banks(l, page);
    put(page, APIC_ID, l->x2apic ? l->id : l->id << 24);
    put(page, APIC_VERSION, APIC_VERSION_VALUE);
    put(page, APIC_TASK_PRIORITY, l->tpr);
    put(page, APIC_TASK_PRIORITY + 0x20, l->ppr);
    put(page, APIC_LOGICAL_ID, l->logical_id);
    put(page, APIC_DESTINATION, l->destination_format);
    put(page, APIC_SPURIOUS, l->svr);
    put(page, APIC_ERROR, l->esr);
    put(page, APIC_COMMAND, l->command);
    put(page, APIC_COMMAND_HIGH, l->command_high);
    for (unsigned i = 0; i < LVT_COUNT; i++)
        put(page, APIC_LVT_TIMER + i * 16, l->lvt[i]);
    put(page, APIC_TIMER_INITIAL, l->timer_initial);
    put(page, APIC_TIMER_CURRENT, to_come ? max(count, 1U) : count);
    put(page, APIC_TIMER_DIVIDE, l->timer_divide);
}

int vlapic_save_registers(struct domain *d, struct hvm_save_buffer *b)
{
    struct vcpu *v;

    for_each_vcpu(d, v) {
        struct hvm_hw_lapic_regs record = {{0}};
        int error;
        if (!vlapic_of(v))
            continue;
        put_page(vlapic_of(v), record.data);
        error = hvm_save_record(b, HVM_SAVE_CODE(LAPIC_REGS), (uint16_t)v->id, &record, sizeof(record));
        if (error)
            return error;
    }
    return 0;
}

static struct vlapic *find(struct domain *d, unsigned instance)
{
    struct vcpu *v = domain_vcpu(d, instance);

    return v ? vlapic_of(v) : NULL;
}

int vlapic_load(struct domain *d, unsigned instance, const void *body)
{
    const struct hvm_hw_lapic *record = body;
    struct vlapic *l = find(d, instance);
    uint64_t mode = record->apic_base_msr & (APIC_BASE_ENABLE | APIC_BASE_X2APIC);

    if (!l)
        return -ENODEV;
    if (mode == APIC_BASE_X2APIC || record->apic_base_msr >> cpu_features.physical_address_bits)
        return -EINVAL;
    l->base = (record->apic_base_msr & (PAGE_MASK | mode)) | (instance ? 0 : APIC_BASE_BSP);
    l->tsc_deadline = record->tdt_msr;
    vlapic_refresh(l);
    vlapic_timer_loaded(l);
    return 0;
}

static void get_banks(struct vlapic *l, const uint8_t *page)
{
    for (unsigned i = 0; i < 4; i++) {
        l->isr[i] = get(page, APIC_IN_SERVICE + i * 32) | (uint64_t)get(page, APIC_IN_SERVICE + i * 32 + 16) << 32;
        l->tmr[i] = get(page, TMR_REGISTER + i * 32) | (uint64_t)get(page, TMR_REGISTER + i * 32 + 16) << 32;
        l->irr[i] = get(page, APIC_REQUEST + i * 32) | (uint64_t)get(page, APIC_REQUEST + i * 32 + 16) << 32;
    }
    l->isr[0] &= ~0xffffUL; /* there are no such interrupts */
    l->irr[0] &= ~0xffffUL;
}

/* A periodic timer whose tick is taken already, or lost: its phase is all there is. */
static void get_timer(struct vlapic *l, const uint8_t *page)
{
    uint32_t initial = get(page, APIC_TIMER_INITIAL), count = min(get(page, APIC_TIMER_CURRENT), initial);

    timer_stop(&l->timer);
    l->timer_initial = 0;
    vlapic_timer_write_divide(l, get(page, APIC_TIMER_DIVIDE) & 0xb);
    vlapic_timer_restore(l, initial, initial - count);
}

int vlapic_load_registers(struct domain *d, unsigned instance, const void *body)
{
    const uint8_t *page = ((const struct hvm_hw_lapic_regs *)body)->data;
    struct vlapic *l = find(d, instance);

    if (!l)
        return -ENODEV;
    get_banks(l, page);
    l->tpr = (uint8_t)get(page, APIC_TASK_PRIORITY);
    l->logical_id = get(page, APIC_LOGICAL_ID) & 0xff000000;
    l->destination_format = get(page, APIC_DESTINATION) | 0x0fffffff;
    l->svr = get(page, APIC_SPURIOUS) & 0x1ff;
    l->esr = get(page, APIC_ERROR) & 0xff;
    l->command = get(page, APIC_COMMAND) & 0x000ccfff;
    l->command_high = get(page, APIC_COMMAND_HIGH);
    for (unsigned i = 0; i < LVT_COUNT; i++)
        l->lvt[i] = get(page, APIC_LVT_TIMER + i * 16) & 0x0007f7ff;
    vlapic_refresh(l);
    get_timer(l, page);
    return 0;
}
