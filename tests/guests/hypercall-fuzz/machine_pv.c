/* What a PV guest brings: an arena of frames in a window of their own, and the start of its vcpus. */
#include "fuzz.h"
#include "pv.h"

#define WINDOW 0x0000600000000000UL
#define KERNEL 0xffffffff80000000UL
/* Nothing of the window or the slots is code: an event that is led there comes back by a fault. */
#define DATA_TABLE (TABLE_FLAGS | PTE_NX)
enum {
    PAGES_TO_COME = 32,
    MOST_FRAMES = 1 << 19,    /* of the machine */
    NEIGHBOURS = 1 << ORDERS, /* what an extent can reach beside the frame that is named */
    OFTEN = 16
};

extern void (*vcpu_function)(uint64_t);
extern const char extable_start[]; /* the end of the code */
void traps_init(void);

uint64_t arena_frame[ARENA];
const char machine_kind[] = "pv";
volatile void *grant_entries;
uint64_t window_l1, window_l2, root_frame;
static uint64_t own_frames[4], ram_end;
static uint64_t live_frame[1024]; /* the kernel, its tables, the pages that it got with them, the slots */
static uint64_t near_live[MOST_FRAMES / 64 + 1]; /* those and their neighbours, a bit each */
static uint64_t pool[2048];
static unsigned live_count;
static int pool_count;
static unsigned refused[ARENA],
    window_refused; /* how often in a row a page, and all of them, could not be mapped anew */
static uint64_t stacks[WORKERS][2048] __attribute__((aligned(4096)));
static struct vcpu_guest_context contexts[WORKERS];

/* ---- Frames and addresses ---- */
void *arena_page(unsigned n)
{
    return (void *)(WINDOW + n * PAGE);
}

static bool lives_by(uint64_t frame)
{
    frame &= 0xffffffffffUL;
    return frame < MOST_FRAMES && (near_live[frame / 64] >> frame % 64 & 1);
}

/* As a frame, a machine address or an entry. The table that the vcpus run on is fair game for what may be done to such
 * a table. */
bool machine_lives_by(unsigned hypercall, unsigned n, uint64_t word)
{
    if (hypercall == __HYPERVISOR_mmuext_op && word == root_frame && n != ARGUMENT && n % 3 == 1)
        return false;
    return lives_by(word) || lives_by(word >> 12);
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
    if (number == __HYPERVISOR_update_va_mapping || number == __HYPERVISOR_update_va_mapping_otherdomain)
        return !leads_to_slots(a[0]) && a[0] < KERNEL;
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

/* ---- The frames ---- */
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
    return !lives_by(frame);
}

static void add_live(uint64_t frame)
{
    if (live_count == ARRAY_SIZE(live_frame) || frame + NEIGHBOURS >= MOST_FRAMES)
        error("%u pages of the kernel, one of them frame %lx", live_count, frame);
    live_frame[live_count++] = frame;
    for (uint64_t at = frame - NEIGHBOURS; at <= frame + NEIGHBOURS; at++)
        near_live[at / 64] |= 1UL << at % 64;
}

static uint64_t far_frame(void)
{
    uint64_t frame;
    do
        frame = pfn_mfn(spare_pfn());
    while (!is_far(frame));
    return frame;
}

static uint64_t new_live_frame(void)
{
    uint64_t frame = pfn_mfn(spare_pfn());
    add_live(frame);
    return frame;
}

/* For the frames that calls lose. */
static void fill_pool(void)
{
    unsigned left = (unsigned)start_info->nr_pages / 8;
    while (pool_count < (int)ARRAY_SIZE(pool) && left--)
        pool[pool_count++] = far_frame();
}

static void link_table(uint64_t entry_address, uint64_t frame, uint64_t flags)
{
    if (mmuext(MMUEXT_CLEAR_PAGE, frame, 0) || mmu_update(entry_address, pte_make(frame, flags)))
        error("no table for the window");
}

/* Pinned, it is a table also while nothing leads to it, and what is written to it is checked. */
static bool make_lowest_table(uint64_t frame)
{
    return !mmuext(MMUEXT_CLEAR_PAGE, frame, 0) && !mmuext(MMUEXT_PIN_L1_TABLE, frame, 0) &&
           !mmu_update(window_l2, pte_make(frame, TABLE_FLAGS));
}

static void make_window(void)
{
    uint64_t l3 = new_live_frame(), l2 = far_frame(), l1 = far_frame();
    link_table((root_frame << 12) + (WINDOW >> 39 & 511) * 8, l3, DATA_TABLE);
    link_table(l3 << 12, l2, TABLE_FLAGS);
    window_l2 = l2 << 12;
    window_l1 = l1 << 12;
    if (!make_lowest_table(l1))
        error("the window's table is not pinned");
    for (unsigned i = 0; i < ARENA; i++) {
        arena_frame[i] = far_frame();
        if (update_va(arena_page(i), pte_make(arena_frame[i], PTE_RW)))
            error("no window on frame %lx", arena_frame[i]);
        memory_set(arena_page(i), 0, PAGE);
    }
}

static void make_slots(void)
{
    uint64_t at = root_frame << 12;
    for (unsigned shift = 39; shift > 12; shift -= 9) {
        uint64_t table = new_live_frame();
        link_table(at + (slots_address(0) >> shift & 511) * 8, table, shift == 39 ? DATA_TABLE : TABLE_FLAGS);
        at = table << 12;
    }
    for (unsigned i = 0; i < worker_count; i++) {
        workers[i].slots = (char *)slots_address(i);
        if (update_va(workers[i].slots, pte_make(new_live_frame(), PTE_RW)))
            error("no slots");
        memory_set(workers[i].slots, 0, PAGE);
    }
}

/* ---- What calls have used up ---- */
static uint64_t new_frame(void)
{
    int at = __atomic_sub_fetch(&pool_count, 1, __ATOMIC_SEQ_CST);
    return at >= 0 ? pool[at] : 0;
}

/* What a call has named may be anything. A frame of ours can be mapped. */
static bool is_ours(struct worker *w, uint64_t frame)
{
    void *place = w->slots + 2 * PAGE;
    bool ours = is_far(frame) && !update_va(place, pte_make(frame, PTE_RO));
    update_va(place, 0);
    return ours;
}

void put_frame(struct worker *w, uint64_t frame)
{
    for (unsigned i = 0; frame && i < ARENA; i++) {
        uint64_t none = 0;
        if (!arena_frame[i] && !is_ours(w, frame))
            return;
        if (__atomic_compare_exchange_n(&arena_frame[i], &none, frame, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
            return;
    }
}

/* A call may have taken the table out of the window, and then another its frame. */
static void open_window(void)
{
    if (!mmu_update(window_l2, window_l1 | TABLE_FLAGS)) {
        window_refused = 0;
        return;
    }
    uint64_t frame = ++window_refused % OFTEN ? 0 : new_frame();
    if (frame && make_lowest_table(frame)) {
        window_l1 = frame << 12;
        own_frames[1] = frame;
    }
}

/* Left alone, all of the arena comes to be tables of each other, or given away, and every call is refused. */
void machine_refresh(struct worker *w)
{
    unsigned n = below(w, ARENA);
    if ((!arena_frame[n] || refused[n] >= OFTEN) && one_in(w, 8)) {
        refused[n] = 0;
        __atomic_store_n(&arena_frame[n], new_frame(), __ATOMIC_SEQ_CST);
    }
    mmuext(MMUEXT_UNPIN_TABLE, arena_frame[n], 0);
    open_window();
    refused[n] = update_va(arena_page(n), pte_make(arena_frame[n], PTE_RW)) ? refused[n] + 1 : 0;
}

/* ---- Start ---- */
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
    for (uint64_t pfn = 0; pfn < end; pfn++)
        add_live(pfn_mfn(pfn));
}

static const uint8_t ends_of_straying[] = {TRAP_BP, TRAP_OF, TRAP_UD, TRAP_NM, TRAP_SS, TRAP_GP, TRAP_PF, TRAP_AC};

void machine_prepare(void)
{
    root_frame = mfn_of(root_table());
    find_live_frames();
    make_slots();
    make_window();
    fill_pool();
    find_grants();
    own_frames[1] = window_l1 >> 12;
    own_frames[2] = window_l2 >> 12;
    own_frames[3] = start_info->shared_info >> 12;
    ram_end = (uint64_t)HYPERCALL(memory_op, XENMEM_maximum_ram_page, 0);
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
