/* What an HVM guest brings: an arena of guest frames that it adds, removes and lets be replaced, and the start of its
 * vcpus. */
#include "fuzz.h"
#include <xen/hvm/hvm_vcpu.h>

/* Away from the kernel, whose memory ends below, and from the pages of the toolstack by more than FLIPS bits. */
#define KERNEL_FRAME  0x100UL
#define KERNEL_END    0x1000UL
#define ARENA_FRAME   0x1f000UL
#define GRANT_FRAME   0x1f800UL
#define SPECIAL_FRAME 0xfeff0UL /* 16 of them: the console's ring and the like; 16 before */
#define CR0_ON        0x80010033UL
#define CR4_ON        0x620UL
#define EFER_ON       0xd01UL

void second_entry_64(void);
void other_main(uint64_t sp);

const char machine_kind[] = "pvh";
volatile void *grant_entries;
static char stacks[WORKERS][16384] __attribute__((aligned(4096)));

/* ---- Frames and addresses ---- */
void *arena_page(unsigned n)
{
    return (void *)((ARENA_FRAME + n) * PAGE);
}

uint64_t some_frame(struct worker *w)
{
    static const uint64_t other[] = {GRANT_FRAME, 0xfee00, 0xfec00, 0xfffff, 0x100000, 0xa0};
    unsigned which = below(w, 32);
    if (which == 0)
        return odd_number(w) | 0x8000;
    return which < 4 ? other[below(w, ARRAY_SIZE(other))] : ARENA_FRAME + below(w, ARENA);
}

uint64_t some_address(struct worker *w)
{
    static const uint64_t bad[] = {UNMAPPED, NON_CANONICAL, IN_HYPERVISOR, ALMOST_TOP, 0xfee00000, 0xf0000000};
    if (one_in(w, 16))
        return bad[below(w, ARRAY_SIZE(bad))];
    uint64_t page = (ARENA_FRAME + below(w, ARENA)) * PAGE;
    return one_in(w, 2) ? page : page + below(w, 512) * 8;
}

/* ---- Memory ---- */
static void add_page(struct worker *w, struct call *c)
{
    static const unsigned spaces[] = {XENMAPSPACE_shared_info, XENMAPSPACE_grant_table, XENMAPSPACE_grant_table,
                                      XENMAPSPACE_gmfn,        XENMAPSPACE_gmfn_range,  XENMAPSPACE_gmfn_foreign,
                                      XENMAPSPACE_dev_mmio};
    struct xen_add_to_physmap *op = begin(c, __HYPERVISOR_memory_op, 1, sizeof(*op));
    op->domid = one_in(w, 8) ? some_domain(w) : DOMID_SELF;
    op->space = spaces[below(w, ARRAY_SIZE(spaces))];
    op->size = (uint16_t)below(w, 4);
    op->idx = op->space == XENMAPSPACE_shared_info   ? below(w, 2)
              : op->space == XENMAPSPACE_grant_table ? below(w, 4) | (one_in(w, 4) ? XENMAPIDX_grant_table_status : 0)
                                                     : some_frame(w);
    op->gpfn = some_frame(w);
    c->a[0] = XENMEM_add_to_physmap;
}

static void add_batch(struct worker *w, struct call *c)
{
    struct xen_add_to_physmap_batch *op = begin(c, __HYPERVISOR_memory_op, 1, sizeof(*op));
    uint64_t *from = behind(c, 0), *to = behind(c, 64);
    for (unsigned i = 0; i < 4; i++)
        from[i] = some_frame(w), to[i] = some_frame(w);
    op->domid = DOMID_SELF;
    op->space = (uint16_t)below(w, 6);
    op->size = (uint16_t)(1 + below(w, 4));
    op->u.foreign_domid = some_domain(w);
    op->idxs.p = from, op->gpfns.p = to, op->errs.p = behind(c, 128);
    c->a[0] = XENMEM_add_to_physmap_batch;
}

static void remove_page(struct worker *w, struct call *c)
{
    struct xen_remove_from_physmap *op = begin(c, __HYPERVISOR_memory_op, 1, sizeof(*op));
    op->domid = one_in(w, 8) ? some_domain(w) : DOMID_SELF;
    op->gpfn = some_frame(w);
    c->a[0] = XENMEM_remove_from_physmap;
}

static void reserve(struct worker *w, struct call *c)
{
    static const unsigned operations[] = {XENMEM_populate_physmap, XENMEM_populate_physmap, XENMEM_populate_physmap,
                                          XENMEM_decrease_reservation, XENMEM_increase_reservation};
    struct xen_memory_reservation *op = begin(c, __HYPERVISOR_memory_op, 1, sizeof(*op));
    uint64_t *list = behind(c, 0);
    for (unsigned i = 0; i < 4; i++)
        list[i] = some_frame(w);
    *op = (struct xen_memory_reservation){.extent_start.p = list, .nr_extents = 1 + below(w, 4), .domid = DOMID_SELF};
    if (one_in(w, 16))
        op->extent_order = below(w, 4);
    if (one_in(w, 16))
        op->domid = some_domain(w);
    c->a[0] = operations[below(w, ARRAY_SIZE(operations))];
}

static void exchange(struct worker *w, struct call *c)
{
    struct xen_memory_exchange *op = begin(c, __HYPERVISOR_memory_op, 1, sizeof(*op));
    uint64_t *in = behind(c, 0), *out = behind(c, 64);
    for (unsigned i = 0; i < 4; i++)
        in[i] = some_frame(w), out[i] = some_frame(w);
    op->in = (struct xen_memory_reservation){.extent_start.p = in, .nr_extents = 1 + below(w, 4), .domid = DOMID_SELF};
    op->out = op->in;
    op->out.extent_start.p = out;
    c->a[0] = XENMEM_exchange;
}

const struct weighted_shape machine_shapes[] = {
    {add_page, 20}, {add_batch, 8}, {remove_page, 8}, {reserve, 20}, {exchange, 3}, {NULL, 0},
};

/* ---- For the guest's own sake ---- */
static bool lives_by(uint64_t frame)
{
    return (frame >= KERNEL_FRAME - (1 << ORDERS) && frame < KERNEL_END) || frame >> 5 == SPECIAL_FRAME >> 5;
}

/* As a frame or an address. Few calls name frames, and elsewhere their numbers stand for other things. */
bool machine_lives_by(unsigned hypercall, unsigned n, uint64_t word)
{
    switch (hypercall) {
    case __HYPERVISOR_memory_op: /* the first word is a domain or a pointer */
        return n != ARGUMENT && n != 0 && lives_by(word);
    case __HYPERVISOR_event_channel_op: /* of control blocks and arrays */
        return n == 0 && lives_by(word);
    case __HYPERVISOR_grant_table_op:
    case __HYPERVISOR_vcpu_op:
    case __HYPERVISOR_physdev_op:
    case __HYPERVISOR_hvm_op:
        return n != ARGUMENT && (lives_by(word) || lives_by(word >> 12));
    }
    return false;
}

bool machine_spares(unsigned number, uint64_t *a)
{
    return number < 128; /* the hypercall page has no more */
}

/* Frames that are gone are populated by the calls themselves. */
void machine_refresh(struct worker *w)
{
}

/* A call may have moved the grant table. */
void machine_repair(unsigned number)
{
    struct xen_add_to_physmap add = {.domid = DOMID_SELF, .space = XENMAPSPACE_grant_table, .gpfn = GRANT_FRAME};
    if (number == __HYPERVISOR_memory_op)
        HYPERCALL(memory_op, XENMEM_add_to_physmap, &add);
}

/* ---- Start ---- */
static bool ignore(struct registers *regs)
{
    return true;
}

/* In the place of memory that nobody uses, the last of the kernel's. */
static void make_arena(void)
{
    for (uint64_t i = 0; i < ARENA; i++) {
        uint64_t from = KERNEL_END - 2 * ARENA + i, to = ARENA_FRAME + i;
        struct xen_memory_reservation less = {.extent_start.p = &from, .nr_extents = 1, .domid = DOMID_SELF};
        struct xen_memory_reservation more = {.extent_start.p = &to, .nr_extents = 1, .domid = DOMID_SELF};
        if (HYPERCALL(memory_op, XENMEM_decrease_reservation, &less) != 1 ||
            HYPERCALL(memory_op, XENMEM_populate_physmap, &more) != 1)
            error("page %lu of the arena is not to be had", i);
    }
}

void machine_prepare(void)
{
    make_arena();
    machine_repair(__HYPERVISOR_memory_op);
    grant_entries = (volatile void *)(GRANT_FRAME * PAGE);
    for (unsigned i = 0; i < worker_count; i++) {
        workers[i].slots = (char *)slots_address(i);
        *entry_of(slots_address(i)) = (uint64_t)page_alloc() | PTE_P | PTE_W | PTE_A | PTE_D;
    }
    trap_hooks[TRAP_NMI] = ignore;
}

void other_main(uint64_t sp)
{
    __asm__ volatile("lidt %0" : : "m"(idt_register));
    worker_main((unsigned)((sp - (uint64_t)stacks) / sizeof(stacks[0])));
}

__asm__("second_entry_64:\n\t"
        "cld\n\t"
        "mov %rsp, %rdi\n\t"
        "lgdt gdt_register\n\t"
        "pushq $8\n\t"
        "pushq $1f\n\t"
        "lretq\n"
        "1:\tmov $16, %eax\n\t"
        "mov %eax, %ds\n\t"
        "mov %eax, %es\n\t"
        "mov %eax, %ss\n\t"
        "call other_main\n");

void machine_start(unsigned id)
{
    static struct vcpu_hvm_context context;
    context.mode = VCPU_HVM_MODE_64B;
    context.cpu_regs.x86_64 = (struct vcpu_hvm_x86_64){.rip = (uint64_t)second_entry_64,
                                                       .rsp = (uint64_t)&stacks[id][16000],
                                                       .rflags = 2,
                                                       .cr0 = CR0_ON,
                                                       .cr3 = (uint64_t)root_table,
                                                       .cr4 = CR4_ON,
                                                       .efer = EFER_ON};
    if (HYPERCALL(vcpu_op, VCPUOP_initialise, id, &context) || HYPERCALL(vcpu_op, VCPUOP_up, id, 0))
        error("vcpu %u cannot be started", id);
}
