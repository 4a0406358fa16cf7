/*
 * Virtual local APIC: its registers, in the page of xAPIC mode and in the MSRs of x2APIC mode; requests and services.
 * Sources: Intel SDM volume 3, chapter 11; AMD APM volume 2, chapter 16.
 */
#include <hv/page_alloc.h>
#include <hv/viridian.h>
#include "lapic.h"

#define APIC_ARBITRATION 0x090
#define APIC_REMOTE_READ 0x0c0
#define APIC_TRIGGER     0x180
#define APIC_SELF_IPI    0x3f0

/* What the guest may write in each entry; delivery status and remote IRR are ours. */
static const uint32_t lvt_writable[LVT_COUNT] = {
    [LVT_TIMER] = 0x000700ff, /* vector, mask, mode */
    [LVT_THERMAL] = 0x000107ff, [LVT_COUNTERS] = 0x000107ff, [LVT_LINT0] = 0x0001a7ff,
    [LVT_LINT1] = 0x0001a7ff,   [LVT_ERROR] = 0x000100ff,
};
#define LVT_READ_ONLY 0x00005000U

/* ---- requests and services ---- */

void vlapic_error(struct vlapic *l, uint32_t error)
{
    if (!(__atomic_fetch_or(&l->esr_next, error, __ATOMIC_SEQ_CST) & error))
        vlapic_local(l, LVT_ERROR);
}

bool vlapic_set_irq(struct vcpu *v, uint8_t vector, bool level)
{
    struct vlapic *l = vlapic_of(v);

    if (unlikely(!l) || !l->enabled)
        return false;
    if (unlikely(vector < 16)) {
        vlapic_error(l, APIC_ERROR_RECEIVE_VECTOR);
        return true;
    }
    if (unlikely(test_bit(vector, l->tmr) != level)) {
        if (level)
            set_bit(vector, l->tmr);
        else
            clear_bit(vector, l->tmr);
    }
    /* v looks at irr again after each change of ppr; the locked operations on both sides order it. A guest that may
     * leave out its EOI has left its ppr behind. */
    if (!test_and_set_bit(vector, l->irr) && (vector >> 4 > l->ppr >> 4 || viridian_eoi_offered(v)))
        hvm_kick(v);
    return true;
}

void vlapic_local(struct vlapic *l, enum lapic_lvt entry)
{
    uint32_t lvt = READ_ONCE(l->lvt[entry]);
    unsigned mode = entry == LVT_TIMER || entry == LVT_ERROR ? APIC_FIXED : lvt >> 8 & 7;

    if (lvt & APIC_LVT_MASKED)
        return;
    if (mode == APIC_FIXED) {
        vlapic_set_irq(l->vcpu, (uint8_t)lvt, false);
    } else if (mode == APIC_NMI) {
        l->vcpu->nmi_pending = true;
        hvm_kick(l->vcpu);
    }
}

static void set_ppr(struct vlapic *l, uint8_t ppr)
{
    __atomic_store_n(&l->ppr, ppr, __ATOMIC_SEQ_CST);
}

static void refresh_ppr(struct vlapic *l)
{
    unsigned in_service = l->isr_count ? (unsigned)vlapic_highest(l->isr) & 0xf0 : 0;

    set_ppr(l, (l->tpr & 0xf0U) >= in_service ? l->tpr : (uint8_t)in_service);
}

static void end_of_interrupt(struct vlapic *l)
{
    unsigned vector;

    if (!l->isr_count)
        return;
    vector = (unsigned)vlapic_highest(l->isr);
    l->isr[vector / 64] &= ~(1UL << vector % 64);
    l->isr_count--;
    refresh_ppr(l);
    if (unlikely(test_bit(vector, l->tmr)))
        vioapic_eoi(l->vcpu->domain, (uint8_t)vector);
}

/* The EOI that the guest was allowed to leave out: it is done, or the guest has to write it after all. */
static void settle_eoi(struct vlapic *l)
{
    if (unlikely(l->vcpu->domain->hvm->viridian != NULL) && viridian_take_eoi_assist(l->vcpu))
        end_of_interrupt(l);
}

/* Nobody waits for the EOI of this one. What is requested meanwhile takes the offer back. */
static void offer_eoi(struct vlapic *l, uint8_t vector)
{
    if (l->isr_count > 1 || test_bit(vector, l->tmr) || vlapic_highest(l->irr) >= 0)
        return;
    viridian_offer_eoi_assist(l->vcpu);
    if (vlapic_highest(l->irr) >= 0)
        (void)viridian_take_eoi_assist(l->vcpu);
}

int vlapic_pending(const struct vcpu *v)
{
    struct vlapic *l = vlapic_of(v);
    int vector;

    if (!l || !l->enabled)
        return -1;
    vector = vlapic_highest(l->irr);
    if (vector < 0)
        return -1;
    settle_eoi(l);
    return vector >> 4 > l->ppr >> 4 ? vector : -1;
}

void vlapic_ack(struct vcpu *v, uint8_t vector)
{
    struct vlapic *l = vlapic_of(v);

    clear_bit(vector, l->irr);
    l->isr[vector / 64] |= 1UL << vector % 64;
    l->isr_count++;
    l->ppr = vector & 0xf0;
    if (vector == l->timer_vector)
        vlapic_timer_taken(l);
    if (unlikely(v->domain->hvm->viridian != NULL))
        offer_eoi(l, vector);
}

void vlapic_eoi(struct vcpu *v)
{
    settle_eoi(vlapic_of(v));
    end_of_interrupt(vlapic_of(v));
}

uint8_t vlapic_get_tpr(const struct vcpu *v)
{
    return vlapic_of(v) ? vlapic_of(v)->tpr : 0;
}

void vlapic_set_tpr(struct vcpu *v, uint8_t tpr)
{
    struct vlapic *l = vlapic_of(v);

    if (!l)
        return;
    l->tpr = tpr;
    refresh_ppr(l);
}

bool vlapic_accepts_pic(const struct vcpu *v)
{
    const struct vlapic *l = vlapic_of(v);

    if (!l || !l->hw_enabled)
        return v->id == 0;
    return (l->lvt[LVT_LINT0] & (APIC_LVT_MASKED | 0x700)) == APIC_EXTINT << 8;
}

void vlapic_pic_rises(struct vcpu *v)
{
    struct vlapic *l = vlapic_of(v);

    if (l && l->hw_enabled)
        vlapic_local(l, LVT_LINT0);
}

uint64_t vlapic_base(const struct vcpu *v)
{
    return vlapic_of(v) ? vlapic_of(v)->base : 0;
}

bool vlapic_enabled(const struct vcpu *v)
{
    return vlapic_of(v) && vlapic_of(v)->enabled;
}

bool vlapic_x2apic(const struct vcpu *v)
{
    return vlapic_of(v) && vlapic_of(v)->x2apic;
}

/* ---- registers ---- */

static uint32_t bank_read(const unsigned long *map, unsigned reg)
{
    unsigned word = reg >> 4 & 7;

    return (uint32_t)(map[word / 2] >> word % 2 * 32);
}

/* Entry of a register's offset, or LVT_COUNT. */
static enum lapic_lvt lvt_of(unsigned reg)
{
    return reg >= APIC_LVT_TIMER && reg <= APIC_LVT_ERROR ? (reg - APIC_LVT_TIMER) >> 4 : LVT_COUNT;
}

static bool read_bank_or_lvt(struct vlapic *l, unsigned reg, uint32_t *value)
{
    if (reg >= APIC_IN_SERVICE && reg < APIC_TRIGGER)
        *value = bank_read(l->isr, reg);
    else if (reg >= APIC_TRIGGER && reg < APIC_REQUEST)
        *value = bank_read(l->tmr, reg);
    else if (reg >= APIC_REQUEST && reg < APIC_ERROR)
        *value = bank_read(l->irr, reg);
    else if (lvt_of(reg) != LVT_COUNT)
        *value = l->lvt[lvt_of(reg)];
    else
        return false;
    return true;
}

/* Registers that both modes have. False: there is no such register. */
static bool read_register(struct vlapic *l, unsigned reg, uint32_t *value)
{
    switch (reg) {
    case APIC_ID:
        *value = l->x2apic ? l->id : l->id << 24;
        return true;
    case APIC_VERSION:
        *value = APIC_VERSION_VALUE;
        return true;
    case APIC_TASK_PRIORITY:
        *value = l->tpr;
        return true;
    case APIC_TASK_PRIORITY + 0x20:
        *value = l->ppr;
        return true;
    case APIC_LOGICAL_ID:
        *value = l->logical_id;
        return true;
    case APIC_SPURIOUS:
        *value = l->svr;
        return true;
    case APIC_ERROR:
        *value = l->esr;
        return true;
    case APIC_COMMAND:
        *value = l->command;
        return true;
    case APIC_TIMER_INITIAL:
        *value = l->timer_initial;
        return true;
    case APIC_TIMER_CURRENT:
        *value = vlapic_timer_count(l);
        return true;
    case APIC_TIMER_DIVIDE:
        *value = l->timer_divide;
        return true;
    default:
        return read_bank_or_lvt(l, reg, value);
    }
}

static void write_lvt(struct vlapic *l, enum lapic_lvt entry, uint32_t value)
{
    uint32_t old = l->lvt[entry];

    value = (value & lvt_writable[entry]) | (old & LVT_READ_ONLY);
    if (!(l->svr & APIC_SPURIOUS_ENABLE))
        value |= APIC_LVT_MASKED;
    WRITE_ONCE(l->lvt[entry], value);
    if (entry != LVT_TIMER)
        return;
    if ((old ^ value) & APIC_LVT_TIMER_DEADLINE) { /* SDM 11.5.4.1: going from or to this mode disarms */
        l->timer_initial = 0;
        l->tsc_deadline = 0;
    }
    vlapic_timer_update(l);
}

static void write_spurious(struct vlapic *l, uint32_t value)
{
    l->svr = value & 0x1ff;
    if (!(value & APIC_SPURIOUS_ENABLE))
        for (unsigned i = 0; i < LVT_COUNT; i++)
            l->lvt[i] |= APIC_LVT_MASKED;
    vlapic_refresh(l);
    vlapic_timer_update(l);
}

/* Registers that both modes have; the command register is not here. False: no such register, or read-only. */
static bool write_register(struct vlapic *l, unsigned reg, uint32_t value)
{
    switch (reg) {
    case APIC_EOI:
        vlapic_eoi(l->vcpu);
        return true;
    case APIC_TIMER_INITIAL:
        vlapic_timer_write_initial(l, value);
        return true;
    case APIC_TASK_PRIORITY:
        vlapic_set_tpr(l->vcpu, (uint8_t)value);
        return true;
    case APIC_SPURIOUS:
        write_spurious(l, value);
        return true;
    case APIC_ERROR:
        l->esr = __atomic_exchange_n(&l->esr_next, 0, __ATOMIC_SEQ_CST);
        return true;
    case APIC_TIMER_DIVIDE:
        vlapic_timer_write_divide(l, value & 0xb);
        return true;
    default:
        if (lvt_of(reg) == LVT_COUNT)
            return false;
        write_lvt(l, lvt_of(reg), value);
        return true;
    }
}

/* ---- xAPIC: a page of memory ---- */

static uint32_t page_read(struct vlapic *l, unsigned reg)
{
    uint32_t value = 0;

    switch (reg) {
    case APIC_COMMAND_HIGH:
        return l->command_high;
    case APIC_DESTINATION:
        return l->destination_format;
    case APIC_ARBITRATION:
    case APIC_REMOTE_READ:
    case APIC_EOI:
        return 0;
    }
    if (!read_register(l, reg, &value))
        vlapic_error(l, APIC_ERROR_REGISTER);
    return value;
}

static void page_write(struct vlapic *l, unsigned reg, uint32_t value)
{
    uint32_t destination = l->command_high >> 24;

    switch (reg) {
    case APIC_COMMAND:
        l->command = value & 0x000ccfff;
        vlapic_command(l, l->command, destination == 0xff ? VLAPIC_BROADCAST : destination);
        return;
    case APIC_COMMAND_HIGH:
        l->command_high = value & 0xff000000;
        return;
    case APIC_LOGICAL_ID:
        l->logical_id = value & 0xff000000;
        return;
    case APIC_DESTINATION:
        l->destination_format = value | 0x0fffffff;
        return;
    case APIC_ID:
        return; /* firmware's numbers stay */
    }
    if (!write_register(l, reg, value))
        vlapic_error(l, APIC_ERROR_REGISTER);
}

static bool page_accepts(struct vcpu *v, uint64_t gpa)
{
    const struct vlapic *l = vlapic_of(v);

    return l && (gpa & PAGE_MASK) == (l->base & PAGE_MASK) && l->hw_enabled && !l->x2apic;
}

/* Registers are 32 bits wide, 16 bytes apart, and written as a whole. */
static enum io_result page_access(struct vcpu *v, uint64_t gpa, unsigned bytes, bool write, uint64_t *value)
{
    struct vlapic *l = vlapic_of(v);
    unsigned offset = gpa & ~PAGE_MASK;

    if (write) {
        if (bytes == 4 && !(offset & 15))
            page_write(l, offset, (uint32_t)*value);
        return IO_OK;
    }
    *value = offset & 12 ? 0 : (uint64_t)page_read(l, offset & ~15U) >> offset % 4 * 8;
    if (bytes < 8)
        *value &= (1ULL << bytes * 8) - 1;
    return IO_OK;
}

/* ---- the state as a whole ---- */

void vlapic_refresh(struct vlapic *l)
{
    l->hw_enabled = l->base & APIC_BASE_ENABLE;
    l->x2apic = l->hw_enabled && l->base & APIC_BASE_X2APIC;
    l->enabled = l->hw_enabled && l->svr & APIC_SPURIOUS_ENABLE;
    if (l->x2apic)
        l->logical_id = (l->id >> 4) << 16 | 1U << (l->id & 15);
    l->isr_count = 0;
    for (unsigned i = 0; i < ARRAY_SIZE(l->isr); i++)
        for (unsigned long word = l->isr[i]; word; word &= word - 1)
            l->isr_count++;
    refresh_ppr(l);
}

/* All but base and id. */
static void reset(struct vlapic *l)
{
    for (unsigned i = 0; i < ARRAY_SIZE(l->irr); i++) {
        WRITE_ONCE(l->irr[i], 0);
        WRITE_ONCE(l->tmr[i], 0);
        l->isr[i] = 0;
    }
    l->tpr = 0;
    l->logical_id = 0;
    l->destination_format = 0xffffffff;
    l->svr = 0xff;
    l->esr = l->esr_next = 0;
    l->command = l->command_high = 0;
    for (unsigned i = 0; i < LVT_COUNT; i++)
        l->lvt[i] = APIC_LVT_MASKED;
    l->timer_initial = 0;
    l->tsc_deadline = 0;
    vlapic_timer_write_divide(l, 0);
    vlapic_refresh(l);
}

/* ---- x2APIC: MSRs ---- */

static bool x2apic_write_ok(unsigned reg, uint64_t value)
{
    switch (reg) {
    case APIC_EOI:
    case APIC_ERROR:
        return value == 0;
    case APIC_TASK_PRIORITY:
    case APIC_SELF_IPI:
        return value <= 0xff;
    case APIC_SPURIOUS:
        return !(value & ~0x3ffULL);
    case APIC_TIMER_DIVIDE:
        return !(value & ~0xbULL);
    }
    if (lvt_of(reg) != LVT_COUNT)
        return !(value & ~(uint64_t)(lvt_writable[lvt_of(reg)] | LVT_READ_ONLY));
    return value <= 0xffffffffU;
}

static bool x2apic_write(struct vlapic *l, unsigned reg, uint64_t value)
{
    if (reg == APIC_EOI && !value) {
        vlapic_eoi(l->vcpu);
        return true;
    }
    if (reg == APIC_COMMAND) {
        if (value & 0xfff32000U)
            return false;
        l->command = (uint32_t)value & ~0x1000U;
        l->command_high = (uint32_t)(value >> 32);
        vlapic_command(l, l->command, l->command_high);
        return true;
    }
    if (!x2apic_write_ok(reg, value))
        return false;
    if (reg == APIC_SELF_IPI) {
        vlapic_command(l, 0x40000U | (uint32_t)value, 0);
        return true;
    }
    return write_register(l, reg, (uint32_t)value);
}

/* The base may move and the mode go round: disabled -> xAPIC -> x2APIC -> disabled, and back to disabled at any time
 * (SDM 11.12.5). */
static bool offers_x2apic(struct vcpu *v)
{
    struct cpuid r;

    hvm_cpuid(v, 1, 0, &r);
    return r.ecx >> 21 & 1;
}

static bool write_base(struct vlapic *l, uint64_t value)
{
    uint64_t mode = value & (APIC_BASE_ENABLE | APIC_BASE_X2APIC),
             old = l->base & (APIC_BASE_ENABLE | APIC_BASE_X2APIC);

    if (value & 0x2ffU || value >> cpu_features.physical_address_bits)
        return false;
    if (mode == APIC_BASE_X2APIC || (mode == APIC_BASE_ENABLE && old & APIC_BASE_X2APIC) ||
        (mode & APIC_BASE_X2APIC && !(old & APIC_BASE_ENABLE)))
        return false;
    if (mode & ~old & APIC_BASE_X2APIC && !offers_x2apic(l->vcpu))
        return false;
    l->base = (value & ~(uint64_t)APIC_BASE_BSP) | (l->base & APIC_BASE_BSP);
    if (mode == old)
        return true;
    if (!(mode & APIC_BASE_ENABLE))
        reset(l);
    vlapic_refresh(l);
    return true;
}

bool vlapic_rdmsr(struct vcpu *v, uint32_t msr, uint64_t *value)
{
    struct vlapic *l = vlapic_of(v);
    unsigned reg = (msr - MSR_X2APIC_FIRST) << 4;
    uint32_t low = 0;

    if (!l)
        return false;
    if (msr == MSR_APIC_BASE) {
        *value = l->base;
        return true;
    }
    if (msr == MSR_TSC_DEADLINE) {
        *value = vlapic_timer_read_deadline(l);
        return true;
    }
    if (msr - MSR_X2APIC_FIRST > 0xff || !l->x2apic || !read_register(l, reg, &low))
        return false;
    *value = reg == APIC_COMMAND ? low | (uint64_t)l->command_high << 32 : low;
    return true;
}

bool vlapic_wrmsr(struct vcpu *v, uint32_t msr, uint64_t value)
{
    struct vlapic *l = vlapic_of(v);

    if (!l)
        return false;
    if (msr - MSR_X2APIC_FIRST <= 0xff)
        return l->x2apic && x2apic_write(l, (msr - MSR_X2APIC_FIRST) << 4, value);
    if (msr == MSR_TSC_DEADLINE) {
        vlapic_timer_write_deadline(l, value);
        return true;
    }
    return msr == MSR_APIC_BASE && write_base(l, value);
}

/* ---- life ---- */

static void vcpu_reset(struct vcpu *v)
{
    reset(vlapic_of(v));
}

static int vcpu_init(struct vcpu *v)
{
    struct vlapic *l = zalloc(sizeof(*l));

    if (!l)
        return -ENOMEM;
    spin_lock_init(&l->startup_lock, LOCK_LAPIC_STARTUP);
    l->vcpu = v;
    l->id = vlapic_id_of(v->id);
    l->base = APIC_BASE_DEFAULT | APIC_BASE_ENABLE | (v->id ? 0 : APIC_BASE_BSP);
    v->hvm->lapic = l;
    vlapic_timer_init(l);
    return 0;
}

static void vcpu_destroy(struct vcpu *v)
{
    struct vlapic *l = vlapic_of(v);

    if (!l)
        return;
    timer_kill(&l->timer);
    v->hvm->lapic = NULL;
    free(l);
}

const struct chip chip_lapic = {
    .flags = XEN_X86_EMU_LAPIC,
    .bytes = sizeof(struct lapics),
    .memory = {page_accepts, page_access},
    .vcpu_init = vcpu_init,
    .vcpu_reset = vcpu_reset,
    .vcpu_destroy = vcpu_destroy,
    .records = {{HVM_SAVE_CODE(LAPIC), sizeof(struct hvm_hw_lapic), vlapic_save, vlapic_load},
                {HVM_SAVE_CODE(LAPIC_REGS), sizeof(struct hvm_hw_lapic_regs), vlapic_save_registers,
                 vlapic_load_registers}},
};
