/* What a PV guest brings: an arena of frames in a window of their own, and the start of its vcpus. */
#include "fuzz.h"
#include "pv.h"

#define WINDOW 0x0000600000000000UL
#define KERNEL 0xffffffff80000000UL

extern void (*vcpu_function)(uint64_t);
extern const char extable_start[]; /* the end of the code */
void traps_init(void);

uint64_t arena_frame[ARENA];
volatile void *grant_entries;
uint64_t window_l1, window_l2, root_frame;
static uint64_t own_frames[4], ram_end;
static uint64_t live_frame[512];
static uint64_t pool[2048];
static unsigned live_count, pool_count;
static uint64_t stacks[WORKERS][2048] __attribute__((aligned(4096)));
static struct vcpu_guest_context contexts[WORKERS];
enum { PAGES_TO_COME = 32 };

/* ---- Frames and addresses ---- */
void *arena_page(unsigned n)
{
    return (void *)(WINDOW + n * PAGE);
}

/* The kernel, its tables, the pages that it got with them. Any number may be one of these. */
static bool lives_by(uint64_t frame)
{
    for (unsigned i = 0; i < live_count; i++)
        if (live_frame[i] == frame)
            return true;
    return false;
}

uint64_t target_frame(struct worker *w)
{
    unsigned which = below(w, 32);
    uint64_t frame = which == 0  ? odd_number(w) & 0xffffffffffUL
                     : which < 4 ? (draw(w) >> 32) % ram_end
                                 : arena_frame[below(w, ARENA)];
    return lives_by(frame) ? 0 : frame;
}

uint64_t some_frame(struct worker *w)
{
    return one_in(w, 12) ? own_frames[below(w, ARRAY_SIZE(own_frames))] : target_frame(w);
}

uint64_t some_address(struct worker *w)
{
    static const uint64_t bad[] = {UNMAPPED, NON_CANONICAL, IN_HYPERVISOR, ALMOST_TOP, 0, (uint64_t)M2P};
    unsigned which = below(w, 16);
    if (which == 0)
        return bad[below(w, ARRAY_SIZE(bad))];
    if (which == 1) /* of an entry */
        return window_l1 + below(w, ARENA) * 8;
    uint64_t page = WINDOW + below(w, which == 2 ? 2 * ARENA : ARENA) * PAGE;
    return one_in(w, 2) ? page : page + below(w, 512) * 8;
}

/* ---- Events and traps that calls bring about ---- */
static bool ignore(struct registers *regs, unsigned vector)
{
    return true;
}

/* Whatever is pending, on whichever vcpu: it stays so, masked. */
static bool mask_again(struct registers *regs, unsigned vector)
{
    regs->rflags &= ~0x200UL;
    return true;
}

static bool no_breakpoints(struct registers *regs, unsigned vector)
{
    regs->rflags &= ~0x100UL;
    HYPERCALL(set_debugreg, 7, 0);
    return true;
}

/* An event or an NMI came in where a call had set a callback to, and nothing is there: on with the next call. */
static bool stray(struct registers *regs, unsigned vector)
{
    if (regs->rip >= KERNEL && regs->rip < (uint64_t)extable_start)
        return false;
    uint64_t id = ((uint64_t)regs - (uint64_t)stacks) / sizeof(stacks[0]);
    struct worker *w = &workers[id < worker_count ? id : 0]; /* the first vcpu has the kernel's own stack */
    regs->rbp = (uint64_t)w->way_back[0];
    regs->rip = (uint64_t)w->way_back[1];
    regs->rsp = (uint64_t)w->way_back[2];
    regs->rflags = 0x2;
    w->strays++;
    return true;
}

void machine_repair(unsigned number)
{
    if (number != __HYPERVISOR_set_trap_table && number != __HYPERVISOR_set_callbacks &&
        number != __HYPERVISOR_callback_op && number != __HYPERVISOR_multicall)
        return;
    traps_init();
    trap_hooks[ENTRY_EVENT] = mask_again;
}

/* ---- For the guest's own sake ---- */
bool machine_spares(unsigned number, uint64_t *a)
{
    if (number != __HYPERVISOR_mmuext_op)
        return true;
    struct mmuext_op *list = (void *)a[0];
    unsigned id = 0;
    while (id < worker_count && !in_slots(&workers[id], a[0], 0))
        id++;
    unsigned room = id == worker_count ? 0 : (unsigned)(((uint64_t)workers[id].slots + PAGE - a[0]) / sizeof(*list));
    for (unsigned i = 0; i < room && i < a[1]; i++)
        if (list[i].cmd == MMUEXT_NEW_BASEPTR && list[i].arg1.mfn != root_frame)
            list[i].arg1.mfn |= 1UL << 38;
    return true;
}

/* ---- Start ---- */
static unsigned bits_set(uint64_t word)
{
    unsigned count = 0;
    for (; word; word &= word - 1)
        count++;
    return count;
}

/* A few flipped bits of its number do not make it one that the kernel lives by. */
static bool is_far(uint64_t frame)
{
    for (unsigned i = 0; i < live_count; i++)
        if (bits_set(frame ^ live_frame[i]) <= FLIPS)
            return false;
    return true;
}

static uint64_t far_frame(void)
{
    uint64_t frame;
    do
        frame = pfn_mfn(spare_pfn());
    while (!is_far(frame));
    return frame;
}

/* For the frames that calls lose. */
static void fill_pool(void)
{
    unsigned left = (unsigned)start_info->nr_pages / 8;
    while (pool_count < ARRAY_SIZE(pool) && left--)
        pool[pool_count++] = far_frame();
}

/* Left alone, all of the arena comes to be tables of each other, or given away, and every call is refused. */
void machine_refresh(struct worker *w)
{
    unsigned n = below(w, ARENA);
    uint64_t none = 0, frame = arena_frame[n];
    if (!frame && one_in(w, 8) && pool_count) {
        unsigned at = __atomic_sub_fetch(&pool_count, 1, __ATOMIC_SEQ_CST);
        frame = at < ARRAY_SIZE(pool) ? pool[at] : 0;
        __atomic_compare_exchange_n(&arena_frame[n], &none, frame, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
    }
    mmuext(MMUEXT_UNPIN_TABLE, frame, 0);
    mmu_update(window_l2, window_l1 | TABLE_FLAGS);
    update_va(arena_page(n), pte_make(frame, PTE_RW));
}

static uint64_t link_table(uint64_t entry_address)
{
    uint64_t frame = far_frame();
    if (mmuext(MMUEXT_CLEAR_PAGE, frame, 0) || mmu_update(entry_address, pte_make(frame, TABLE_FLAGS)))
        error("no table for the window");
    return frame;
}

static void make_window(void)
{
    root_frame = mfn_of(root_table());
    uint64_t l3 = link_table((root_frame << 12) + (WINDOW >> 39 & 511) * 8);
    window_l2 = link_table(l3 << 12) << 12;
    window_l1 = link_table(window_l2) << 12;
    /* Pinned, it is a table also while nothing leads to it, and what is written to it is checked. */
    if (mmuext(MMUEXT_PIN_L1_TABLE, window_l1 >> 12, 0))
        error("the window's table is not pinned");
    for (unsigned i = 0; i < ARENA; i++) {
        arena_frame[i] = far_frame();
        if (update_va(arena_page(i), pte_make(arena_frame[i], PTE_RW)))
            error("no window on frame %lx", arena_frame[i]);
        memory_set(arena_page(i), 0, PAGE);
    }
}

static void find_grants(void)
{
    xen_pfn_t frame = 0;
    struct gnttab_setup_table setup = {.dom = DOMID_SELF, .nr_frames = 1, .frame_list.p = &frame};
    void *page = page_alloc();
    if (HYPERCALL(grant_table_op, GNTTABOP_setup_table, &setup, 1) || setup.status ||
        update_va(page, pte_make(frame, PTE_RW)))
        error("no grant table");
    grant_entries = page;
    own_frames[0] = frame;
}

static void find_live_frames(void)
{
    uint64_t end = pfn_of(page_alloc()) + PAGES_TO_COME;
    if (end > ARRAY_SIZE(live_frame))
        error("the kernel has %lu pages", end);
    for (; live_count < end; live_count++)
        live_frame[live_count] = pfn_mfn(live_count);
}

static const uint8_t ends_of_straying[] = {TRAP_BP, TRAP_OF, TRAP_UD, TRAP_NM, TRAP_SS, TRAP_GP, TRAP_PF, TRAP_AC};

void machine_prepare(void)
{
    find_live_frames();
    make_window();
    fill_pool();
    find_grants();
    own_frames[1] = window_l1 >> 12;
    own_frames[2] = window_l2 >> 12;
    own_frames[3] = start_info->shared_info >> 12;
    ram_end = (uint64_t)HYPERCALL(memory_op, XENMEM_maximum_ram_page, 0);
    for (unsigned i = 0; i < worker_count; i++) {
        workers[i].slots = page_alloc();
        if (update_va(page_alloc(), 0))
            error("no hole behind a page");
    }
    trap_hooks[TRAP_NMI] = trap_hooks[ENTRY_FAILSAFE] = ignore;
    trap_hooks[TRAP_DB] = no_breakpoints;
    for (unsigned i = 0; i < ARRAY_SIZE(ends_of_straying); i++)
        trap_hooks[ends_of_straying[i]] = stray;
    trap_hooks[ENTRY_EVENT] = mask_again;
}

static void other_main(uint64_t sp)
{
    machine_repair(__HYPERVISOR_multicall);
    worker_main((unsigned)((sp - (uint64_t)stacks) / sizeof(stacks[0])));
}

void machine_start(unsigned id)
{
    struct vcpu_guest_context *context = &contexts[id];
    uint64_t sp = (uint64_t)&stacks[id][2040];
    vcpu_function = other_main;
    shared->vcpu_info[id].evtchn_upcall_mask = 1;
    context->flags = VGCF_in_kernel;
    context->user_regs.rip = (uint64_t)vcpu_entry;
    context->user_regs.cs = FLAT_KERNEL_CS;
    context->user_regs.ss = context->kernel_ss = FLAT_KERNEL_SS;
    context->user_regs.rsp = context->kernel_sp = sp;
    context->user_regs.rflags = 0x2;
    context->ctrlreg[3] = root_frame << 12;
    if (HYPERCALL(vcpu_op, VCPUOP_initialise, id, context) || HYPERCALL(vcpu_op, VCPUOP_up, id, 0))
        error("vcpu %u cannot be started", id);
}
