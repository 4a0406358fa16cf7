/* The calls of a PV guest alone, well made: its page tables, its memory, its processor. */
#include "pv.h"

static uint64_t some_entry(struct worker *w)
{
    static const uint64_t flags[] = {PTE_RW,
                                     PTE_RW,
                                     PTE_RW,
                                     PTE_RO,
                                     PTE_RO,
                                     PTE_RO,
                                     0,
                                     PTE_RW | PTE_NX,
                                     PTE_RO | PTE_PCD,
                                     PTE_RW | PTE_PSE,
                                     PTE_P,
                                     PTE_G | PTE_RO,
                                     PTE_RW | 0xe00UL,
                                     PTE_RW | 1UL << 52};
    uint64_t chosen = flags[below(w, ARRAY_SIZE(flags))];
    return chosen ? pte_make(some_frame(w), chosen) : one_in(w, 4) ? draw(w) & ~PTE_P : 0;
}

/* ---- Page tables ---- */
static void map_page(struct worker *w, struct call *c)
{
    static const uint64_t flushes[] = {UVMF_NONE, UVMF_INVLPG | UVMF_LOCAL, UVMF_INVLPG | UVMF_ALL,
                                       UVMF_TLB_FLUSH | UVMF_ALL, UVMF_TLB_FLUSH | UVMF_LOCAL};
    begin(c, __HYPERVISOR_update_va_mapping, -1, 0);
    unsigned n = below(w, ARENA);
    c->a[0] = (uint64_t)arena_page(n);
    c->a[1] = one_in(w, 3) ? some_entry(w) : pte_make(arena_frame[n], one_in(w, 2) ? PTE_RW : PTE_RO);
    c->a[2] = flushes[below(w, ARRAY_SIZE(flushes))];
    if (one_in(w, 32))
        c->hypercall = __HYPERVISOR_update_va_mapping_otherdomain, c->a[3] = some_domain(w);
}

static uint64_t some_update(struct worker *w, uint64_t *value)
{
    *value = some_entry(w);
    switch (below(w, 8)) {
    case 0:
        *value = one_in(w, 3) ? 0 : window_l1 | TABLE_FLAGS;
        return window_l2;
    case 1:
        *value = below(w, 4096);
        return (arena_frame[below(w, ARENA)] << 12) | MMU_MACHPHYS_UPDATE;
    case 2:
    case 3:
        return (window_l1 + below(w, ARENA) * 8) | (one_in(w, 3) ? MMU_PT_UPDATE_PRESERVE_AD : 0);
    }
    return (target_frame(w) << 12) + below(w, one_in(w, 2) ? 8 : 512) * 8 + (one_in(w, 8) ? below(w, 4) : 0);
}

static void update_tables(struct worker *w, struct call *c)
{
    unsigned count = 1 + (one_in(w, 2) ? below(w, 8) : 0);
    struct mmu_update *list = begin(c, __HYPERVISOR_mmu_update, 0, count * (unsigned)sizeof(*list));
    for (unsigned i = 0; i < count; i++)
        list[i].ptr = some_update(w, &list[i].val);
    c->a[1] = count;
    c->a[2] = one_in(w, 2) ? 0 : (uint64_t)behind(c, 0);
    c->a[3] = one_in(w, 8) ? some_domain(w) : DOMID_SELF;
}

static void extended(struct worker *w, struct mmuext_op *op)
{
    static const unsigned often[] = {MMUEXT_PIN_L1_TABLE, MMUEXT_PIN_L1_TABLE, MMUEXT_PIN_L2_TABLE, MMUEXT_PIN_L3_TABLE,
                                     MMUEXT_PIN_L4_TABLE, MMUEXT_UNPIN_TABLE,  MMUEXT_UNPIN_TABLE,  MMUEXT_CLEAR_PAGE};
    op->cmd = one_in(w, 3) ? below(w, 21) : often[below(w, ARRAY_SIZE(often))];
    op->arg1.mfn = op->cmd <= MMUEXT_UNPIN_TABLE && one_in(w, 16) ? root_frame : target_frame(w);
    op->arg2.src_mfn = some_frame(w);
    switch (op->cmd) {
    case MMUEXT_NEW_BASEPTR:
        op->arg1.mfn = root_frame;
        return;
    case MMUEXT_INVLPG_LOCAL:
    case MMUEXT_INVLPG_MULTI:
    case MMUEXT_INVLPG_ALL:
    case MMUEXT_SET_LDT:
        op->arg1.linear_addr = some_address(w);
        op->arg2.nr_ents = one_in(w, 4) ? 0 : below(w, 1024);
    }
    if (op->cmd == MMUEXT_TLB_FLUSH_MULTI || op->cmd == MMUEXT_INVLPG_MULTI)
        op->arg2.vcpumask.p = (const void *)some_address(w);
}

static void extend(struct worker *w, struct call *c)
{
    unsigned count = 1 + (one_in(w, 3) ? below(w, 4) : 0);
    struct mmuext_op *list = begin(c, __HYPERVISOR_mmuext_op, 0, count * (unsigned)sizeof(*list));
    for (unsigned i = 0; i < count; i++)
        extended(w, &list[i]);
    c->a[1] = count;
    c->a[2] = one_in(w, 2) ? 0 : (uint64_t)behind(c, 0);
    c->a[3] = one_in(w, 8) ? some_domain(w) : DOMID_SELF;
}

static void part(struct multicall_entry *entry, unsigned op, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
    *entry = (struct multicall_entry){.op = op, .args = {a, b, c, d}};
}

/* A table and what it maps, from cleared pages, pinned: two pages of the arena become a table and a page of it. */
static void make_table(struct worker *w, struct call *c)
{
    unsigned n = below(w, ARENA), level = below(w, 4), inner = below(w, ARENA);
    struct multicall_entry *list = (void *)(w->slots + SLOTS * SLOT_BYTES);
    struct mmuext_op *ops = (void *)w->slots;
    struct mmu_update *update = (void *)(w->slots + SLOT_BYTES);
    ops[0] = (struct mmuext_op){.cmd = MMUEXT_CLEAR_PAGE, .arg1.mfn = arena_frame[n]};
    ops[1] = (struct mmuext_op){.cmd = MMUEXT_PIN_L1_TABLE + level, .arg1.mfn = arena_frame[n]};
    update->ptr = (arena_frame[n] << 12) + below(w, 512) * 8;
    update->val = pte_make(arena_frame[inner], level ? TABLE_FLAGS : PTE_RO);
    part(&list[0], __HYPERVISOR_update_va_mapping, (uint64_t)arena_page(n), pte_make(arena_frame[n], PTE_RO),
         UVMF_INVLPG | UVMF_ALL, 0);
    part(&list[1], __HYPERVISOR_mmuext_op, (uint64_t)&ops[0], 1, 0, DOMID_SELF);
    part(&list[2], __HYPERVISOR_mmu_update, (uint64_t)update, 1, 0, DOMID_SELF);
    part(&list[3], __HYPERVISOR_mmuext_op, (uint64_t)&ops[1], 1, 0, DOMID_SELF);
    *c = (struct call){.hypercall = __HYPERVISOR_multicall,
                       .a = {(uint64_t)list, 4},
                       .pointer = 0,
                       .bytes = 4 * (unsigned)sizeof(*list),
                       .slot = (char *)list};
}

/* ---- Memory ---- */
static uint64_t take_frame(struct worker *w, unsigned at)
{
    unsigned n = w->given[at] = below(w, ARENA);
    HYPERCALL(update_va_mapping, arena_page(n), 0, UVMF_INVLPG | UVMF_ALL);
    return __atomic_exchange_n(&arena_frame[n], 0, __ATOMIC_SEQ_CST);
}

/* Those not given away are back; those got are there. */
static void after_decrease(struct worker *w, struct call *c, long result)
{
    const uint64_t *list = behind(c, 0);
    for (unsigned i = result > 0 ? (unsigned)result : 0; i < 4; i++)
        put_frame(w, list[i]);
}

static void after_populate(struct worker *w, struct call *c, long result)
{
    const uint64_t *list = behind(c, 0);
    for (unsigned i = 0; i < 4 && (long)i < result; i++)
        put_frame(w, list[i]);
}

static void after_exchange(struct worker *w, struct call *c, long result)
{
    const struct xen_memory_exchange *op = (const void *)c->slot;
    const uint64_t *in = behind(c, 0), *out = behind(c, 64);
    bool done = result == 0 && op->nr_exchanged == op->in.nr_extents;
    for (unsigned i = 0; i < 4; i++)
        put_frame(w, done ? out[i] : in[i]);
}

static void exchange(struct worker *w, struct call *c, unsigned count)
{
    bool together = one_in(w, 4);
    struct xen_memory_exchange *op = begin(c, __HYPERVISOR_memory_op, 1, sizeof(*op));
    uint64_t *in = behind(c, 0), *out = behind(c, 64);
    for (unsigned i = 0; i < 4; i++) {
        in[i] = i < count ? take_frame(w, i) : 0;
        out[i] = i < count ? below(w, 4096) : 0;
    }
    op->in = (struct xen_memory_reservation){.extent_start.p = in, .nr_extents = count, .domid = DOMID_SELF};
    op->out = op->in;
    op->out.extent_start.p = out;
    if (together && count == 4)
        op->out.nr_extents = 1, op->out.extent_order = 2;
    c->a[0] = XENMEM_exchange;
    c->after = after_exchange;
}

static void reserve(struct worker *w, struct call *c)
{
    unsigned count = 1 + below(w, 4), which = below(w, 8);
    if (which < 2) {
        exchange(w, c, count);
        return;
    }
    struct xen_memory_reservation *op = begin(c, __HYPERVISOR_memory_op, 1, sizeof(*op));
    uint64_t *list = behind(c, 0);
    bool decrease = which < 4;
    for (unsigned i = 0; i < 4; i++)
        list[i] = i >= count ? 0 : decrease ? take_frame(w, i) : below(w, 4096);
    *op = (struct xen_memory_reservation){.extent_start.p = list, .nr_extents = count, .domid = DOMID_SELF};
    c->a[0] = decrease    ? XENMEM_decrease_reservation
              : which < 7 ? XENMEM_populate_physmap
                          : XENMEM_increase_reservation;
    c->after = decrease ? after_decrease : after_populate;
    if (one_in(w, 16))
        op->extent_order = below(w, 4);
    if (one_in(w, 16))
        op->domid = some_domain(w);
}

/* ---- Processor ---- */
static void descriptors(struct worker *w, struct call *c)
{
    uint64_t *frames = begin(c, one_in(w, 2) ? __HYPERVISOR_set_gdt : __HYPERVISOR_update_descriptor, 0, 64);
    if (c->hypercall == __HYPERVISOR_set_gdt) {
        for (unsigned i = 0; i < 4; i++)
            frames[i] = some_frame(w);
        c->a[1] = below(w, 4) * 512;
        return;
    }
    static const uint64_t some[] = {0, 0x00cff3000000ffff, 0x00affb000000ffff, 0x0000ec0000000000, 0x0000890000000067};
    c->pointer = -1;
    c->a[0] = (target_frame(w) << 12) + below(w, 512) * 8;
    c->a[1] = one_in(w, 4) ? draw(w) : some[below(w, ARRAY_SIZE(some))];
}

static void ways_in(struct worker *w, struct call *c)
{
    struct trap_info *traps;
    struct callback_register *callback;
    switch (below(w, 4)) {
    case 0:
        traps = begin(c, __HYPERVISOR_set_trap_table, 0, 4 * sizeof(*traps));
        for (unsigned i = 0; i < 3; i++)
            traps[i] = (struct trap_info){.vector = (uint8_t)(64 + below(w, 64)),
                                          .flags = (uint8_t)below(w, 8),
                                          .cs = FLAT_KERNEL_CS,
                                          .address = some_address(w)};
        return;
    case 1:
        begin(c, __HYPERVISOR_set_callbacks, -1, 0);
        for (unsigned i = 0; i < 3; i++)
            c->a[i] = some_address(w);
        return;
    case 2:
        begin(c, __HYPERVISOR_stack_switch, -1, 0);
        c->a[0] = FLAT_KERNEL_SS, c->a[1] = some_address(w);
        return;
    }
    callback = begin(c, __HYPERVISOR_callback_op, 1, sizeof(*callback));
    *callback = (struct callback_register){
        .type = (uint16_t)below(w, 8), .flags = (uint16_t)below(w, 2), .address = some_address(w)};
    c->a[0] = below(w, 3);
}

static void registers(struct worker *w, struct call *c)
{
    static const unsigned simple[] = {__HYPERVISOR_set_debugreg, __HYPERVISOR_get_debugreg, __HYPERVISOR_fpu_taskswitch,
                                      __HYPERVISOR_set_segment_base};
    begin(c, simple[below(w, ARRAY_SIZE(simple))], -1, 0);
    c->a[0] = below(w, 8);
    c->a[1] = one_in(w, 4) ? odd_number(w) : some_address(w);
    if (c->hypercall == __HYPERVISOR_fpu_taskswitch)
        c->a[0] &= 1;
    if (c->hypercall == __HYPERVISOR_set_segment_base)
        c->a[0] &= 3;
}

const struct weighted_shape machine_shapes[] = {
    {map_page, 24},   {update_tables, 20}, {extend, 20},   {make_table, 14}, {reserve, 10},
    {descriptors, 4}, {ways_in, 2},        {registers, 4}, {NULL, 0},
};
