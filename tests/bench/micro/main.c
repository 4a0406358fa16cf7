/*
 * What the ways through the hypervisor cost. Under QEMU's -icount the time stamp counter advances by one with each
 * instruction, so these figures are exact numbers of instructions.
 *
 * Each thing is done in batches; the smallest batch counts (in a larger one a timer interrupt came between), less what
 * the same loop costs with nothing in it. A line of result is "BENCH name instructions".
 */
#define __XEN_TOOLS__ 1
#include "guest.h"
#include <xen/domctl.h>
#include <xen/xsm/flask_op.h>

const char test_title[] = "costs";

_Static_assert(offsetof(struct shared_info, evtchn_pending) == 2048, "ways.S");
_Static_assert(sizeof(struct vcpu_info) == 64, "ways.S");

#define ROUNDS  64
#define BATCHES 32

extern char way_of_syscall[], way_of_page_fault[], way_of_trap[], way_of_event[], way_of_event_on_second[];
extern void (*vcpu_function)(uint64_t);
extern volatile uint64_t events_taken;

/* A loop of ROUNDS around one statement; yields the smallest time of a batch. */
#define SMALLEST(statement)                                                                                            \
    ({                                                                                                                 \
        uint64_t best_ = ~0UL;                                                                                         \
        for (unsigned batch_ = 0; batch_ < BATCHES; batch_++) {                                                        \
            uint64_t start_ = rdtsc();                                                                                 \
            for (unsigned round_ = 0; round_ < ROUNDS; round_++) {                                                     \
                __asm__ volatile("" ::: "memory");                                                                     \
                statement;                                                                                             \
            }                                                                                                          \
            uint64_t time_ = rdtsc() - start_;                                                                         \
            best_ = time_ < best_ ? time_ : best_;                                                                     \
        }                                                                                                              \
        best_;                                                                                                         \
    })

static uint64_t empty;

static void report(const char *name, uint64_t smallest, unsigned each)
{
    say("BENCH %s %lu", name, (smallest - empty + ROUNDS * each / 2) / (ROUNDS * each));
}

#define MEASURE(name, statement) report(name, SMALLEST(statement), 1)

static inline __attribute__((always_inline)) long call3(unsigned op, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
    register uint64_t r10 __asm__("r10") = d;
    long result = op;
    __asm__ volatile("syscall"
                     : "+a"(result), "+D"(a), "+S"(b), "+d"(c), "+r"(r10)
                     :
                     : "rcx", "r11", "r8", "r9", "memory");
    return result;
}
#define CALL_(op, a, b, c, d, ...) call3(__HYPERVISOR_##op, (uint64_t)(a), (uint64_t)(b), (uint64_t)(c), (uint64_t)(d))
#define CALL(op, ...)              CALL_(op, __VA_ARGS__, 0, 0, 0, 0)

static void must(bool good, const char *what)
{
    if (!good)
        error("%s does not work, so its cost says nothing", what);
}

static void hypercalls(void)
{
    must(CALL(xen_version, XENVER_version, 0) == (4 << 16 | 17), "xen_version");
    MEASURE("null_hypercall", CALL(xen_version, XENVER_version, 0));
    must(call3(63, 0, 0, 0, 0) == -ENOSYS, "an invalid hypercall");
    MEASURE("invalid_hypercall", call3(63, 0, 0, 0, 0));
    static struct multicall_entry calls[8];
    for (unsigned i = 0; i < 8; i++)
        calls[i] = (struct multicall_entry){.op = __HYPERVISOR_xen_version};
    must(CALL(multicall, calls, 8) == 0 && calls[7].result == (4 << 16 | 17), "multicall");
    report("multicall_entry", SMALLEST(CALL(multicall, calls, 8)), 8);
}

static void set_trap(unsigned vector, const char *address, unsigned ring)
{
    struct trap_info table[2] = {
        {.vector = (uint8_t)vector, .flags = (uint8_t)ring, .cs = FLAT_KERNEL_CS, .address = (uint64_t)address}};
    must(HYPERCALL(set_trap_table, table) == 0, "set_trap_table");
}

static void set_callback(unsigned type, const char *address)
{
    struct callback_register reg = {.type = (uint16_t)type, .address = (uint64_t)address};
    must(HYPERCALL(callback_op, CALLBACKOP_register, &reg) == 0, "callback_op");
}

static inline void fault(void)
{
    __asm__ volatile("movb %%al, (%0)" : : "D"(UNMAPPED) : "memory");
}

/* ---- In user mode. The way of system calls is taken by what is measured, so user mode ends with an invalid opcode.
 * ---- */
static uint64_t user_time;

static bool end_user(struct registers *regs, unsigned vector)
{
    user_leave();
}

static void measure_user(const char *name, void (*function)(uint64_t))
{
    user_time = 0;
    user_run(function, 0);
    must(user_time != 0, name);
    report(name, user_time, 1);
}

#define USER_LOOP(name, statement)                                                                                     \
    static void name(uint64_t unused)                                                                                  \
    {                                                                                                                  \
        user_time = SMALLEST(statement);                                                                               \
        __asm__ volatile("ud2");                                                                                       \
    }

USER_LOOP(user_syscalls, __asm__ volatile("syscall" : : "a"(39UL) : "rcx", "r11", "memory"))
USER_LOOP(user_faults, fault())
USER_LOOP(user_traps, __asm__ volatile("int3"))

/* As kernels have it: user mode with a root table of its own. */
static void separate_user_root(void)
{
    void *table = page_alloc();
    memory_copy(table, root_table(), PAGE);
    must(set_readonly(table) == 0 && mmuext(MMUEXT_PIN_L4_TABLE, mfn_of(table), 0) == 0 &&
             mmuext(MMUEXT_NEW_USER_BASEPTR, mfn_of(table), 0) == 0,
         "a root table for user mode");
}

static void bounces(void)
{
    user_prepare();
    separate_user_root();
    trap_hooks[TRAP_UD] = end_user;
    set_callback(CALLBACKTYPE_syscall, way_of_syscall);
    set_trap(TRAP_PF, way_of_page_fault, 0);
    set_trap(TRAP_BP, way_of_trap, 3);
    measure_user("system_call_bounce", user_syscalls);
    measure_user("page_fault_bounce", user_faults);
    measure_user("exception_bounce", user_traps);
    MEASURE("kernel_page_fault_bounce", fault());
}

static char data[PAGE] __attribute__((aligned(PAGE)));

static void one_update(struct mmu_update *u, uint64_t value)
{
    u->val = value;
    CALL(mmu_update, u, 1, 0, DOMID_SELF);
}

static void page_tables(void)
{
    uint64_t mfn = mfn_of(data), writable = pte_make(mfn, PTE_RW), readonly = pte_make(mfn, PTE_RO);
    uint64_t entry = entry_machine(entry_of((uint64_t)data, 1));
    static struct mmu_update u[32];
    for (unsigned i = 0; i < 32; i++)
        u[i] = (struct mmu_update){entry, i & 1 ? writable : readonly};
    must(CALL(mmu_update, u, 2, 0, DOMID_SELF) == 0, "mmu_update");
    report("mmu_update_one", SMALLEST({
               one_update(u, readonly);
               one_update(u, writable);
           }),
           2);
    u[0].val = readonly;
    report("mmu_update_of_32", SMALLEST(CALL(mmu_update, u, 32, 0, DOMID_SELF)), 32);
    must(CALL(update_va_mapping, data, readonly, 0) == 0, "update_va_mapping");
    report("update_va_mapping", SMALLEST({
               CALL(update_va_mapping, data, readonly, 0);
               CALL(update_va_mapping, data, writable, 0);
           }),
           2);
    report("update_va_mapping_invlpg", SMALLEST({
               CALL(update_va_mapping, data, readonly, UVMF_INVLPG | UVMF_LOCAL);
               CALL(update_va_mapping, data, writable, UVMF_INVLPG | UVMF_LOCAL);
           }),
           2);
    report("update_va_mapping_clear_set", SMALLEST({
               CALL(update_va_mapping, data, 0, 0);
               CALL(update_va_mapping, data, writable, 0);
           }),
           2);
}

/* What a kernel does when it starts, switches to, and ends an address space. */
static void address_spaces(void)
{
    pte_t *table = page_alloc();
    for (unsigned i = 0; i < 512; i++)
        table[i] = pte_make(mfn_of(data), PTE_RO);
    must(set_readonly(table) == 0, "a read-only page");
    struct mmuext_op pin = {.cmd = MMUEXT_PIN_L1_TABLE, .arg1.mfn = mfn_of(table)};
    struct mmuext_op unpin = {.cmd = MMUEXT_UNPIN_TABLE, .arg1.mfn = mfn_of(table)};
    must(CALL(mmuext_op, &pin, 1, 0, DOMID_SELF) == 0 && CALL(mmuext_op, &unpin, 1, 0, DOMID_SELF) == 0, "pin, unpin");
    MEASURE("pin_unpin_full_table", ({
                CALL(mmuext_op, &pin, 1, 0, DOMID_SELF);
                CALL(mmuext_op, &unpin, 1, 0, DOMID_SELF);
            }));
    struct mmuext_op root = {.cmd = MMUEXT_NEW_BASEPTR, .arg1.mfn = mfn_of(root_table())};
    must(CALL(mmuext_op, &root, 1, 0, DOMID_SELF) == 0, "new root table");
    MEASURE("new_root_table", CALL(mmuext_op, &root, 1, 0, DOMID_SELF));
    static char stack[256];
    must(CALL(stack_switch, FLAT_KERNEL_SS, stack + 256) == 0, "stack_switch");
    MEASURE("stack_switch", CALL(stack_switch, FLAT_KERNEL_SS, stack + 256));
    must(CALL(set_segment_base, SEGBASE_FS, data) == 0, "set_segment_base");
    MEASURE("set_segment_base", CALL(set_segment_base, SEGBASE_FS, data));
}

static void events(void)
{
    struct evtchn_alloc_unbound port = {.dom = DOMID_SELF, .remote_dom = DOMID_SELF};
    must(HYPERCALL(event_channel_op, EVTCHNOP_alloc_unbound, &port) == 0, "alloc_unbound");
    struct evtchn_bind_interdomain other = {.remote_dom = DOMID_SELF, .remote_port = port.port};
    must(HYPERCALL(event_channel_op, EVTCHNOP_bind_interdomain, &other) == 0, "bind_interdomain");
    struct evtchn_send send = {other.local_port};
    must(port.port < 64 && !event_take(port.port), "an event channel");
    MEASURE("event_send_masked", CALL(event_channel_op, EVTCHNOP_send, &send));
    must(event_take(port.port), "event send");
    set_callback(CALLBACKTYPE_event, way_of_event);
    vcpu0()->evtchn_upcall_pending = 0;
    vcpu0()->evtchn_pending_sel = 0;
    vcpu0()->evtchn_upcall_mask = 0;
    uint64_t before = events_taken;
    uint64_t time = SMALLEST(CALL(event_channel_op, EVTCHNOP_send, &send));
    vcpu0()->evtchn_upcall_mask = 1;
    must(events_taken - before >= ROUNDS * BATCHES, "event upcall");
    report("event_send_upcall", time, 1);
}

static inline void port_read(void)
{
    uint8_t value;
    __asm__ volatile("inb $0x61, %0" : "=a"(value));
}

static void privileged(void)
{
    struct physdev_set_iopl iopl = {1};
    must(HYPERCALL(physdev_op, PHYSDEVOP_set_iopl, &iopl) == 0, "set_iopl");
    MEASURE("port_read", port_read());
}

/* ---- grants, of a page of ours to ourselves ---- */

static grant_entry_v1_t *grant_table(void)
{
    xen_pfn_t frame = 0;
    struct gnttab_setup_table setup = {.dom = DOMID_SELF, .nr_frames = 1};
    set_xen_guest_handle(setup.frame_list, &frame);
    must(HYPERCALL(grant_table_op, GNTTABOP_setup_table, &setup, 1) == 0 && setup.status == GNTST_okay, "setup_table");
    grant_entry_v1_t *table = page_alloc();
    must(update_va(table, pte_make(frame, PTE_RW)) == 0, "a grant table");
    return table;
}

static void map_unmap(struct gnttab_map_grant_ref *map)
{
    CALL(grant_table_op, GNTTABOP_map_grant_ref, map, 1);
    struct gnttab_unmap_grant_ref unmap = {.host_addr = map->host_addr, .handle = map->handle};
    CALL(grant_table_op, GNTTABOP_unmap_grant_ref, &unmap, 1);
}

static void grants(void)
{
    enum { REFERENCE = 8 };
    char *source = page_alloc(), *window = page_alloc(), *target = page_alloc();
    grant_entry_v1_t *table = grant_table();
    table[REFERENCE] = (grant_entry_v1_t){GTF_permit_access, 0, (uint32_t)mfn_of(source)};
    must(update_va(window, 0) == 0, "a window");
    struct gnttab_map_grant_ref map = {.host_addr = (uint64_t)window, .flags = GNTMAP_host_map, .ref = REFERENCE};
    map_unmap(&map);
    must(map.status == GNTST_okay && table[REFERENCE].flags == GTF_permit_access, "a grant's mapping");
    MEASURE("grant_map_unmap", map_unmap(&map));
    struct gnttab_copy copy = {.source = {{.ref = REFERENCE}, .domid = 0},
                               .dest = {{.gmfn = mfn_of(target)}, .domid = DOMID_SELF}};
    copy.len = PAGE;
    copy.flags = GNTCOPY_source_gref;
    source[PAGE - 1] = 7;
    must(CALL(grant_table_op, GNTTABOP_copy, &copy, 1) == 0 && copy.status == GNTST_okay && target[PAGE - 1] == 7,
         "a grant's copy");
    MEASURE("grant_copy_page", CALL(grant_table_op, GNTTABOP_copy, &copy, 1));
}

/* ---- two processors: what both of them do counts ---- */

static void second(uint64_t stack)
{
    shared->vcpu_info[1].evtchn_upcall_mask = 0;
    for (;;)
        __asm__ volatile("pause");
}

static bool start_second(void)
{
    static struct vcpu_guest_context context;
    static uint64_t stack[512];
    kernel_context(&context, stack + 500);
    context.kernel_ss = FLAT_KERNEL_SS;
    context.kernel_sp = (uint64_t)(stack + 500);
    context.event_callback_eip = (uint64_t)way_of_event_on_second;
    vcpu_function = second;
    shared->vcpu_info[1].evtchn_upcall_mask = 1;
    return CALL(vcpu_op, VCPUOP_initialise, 1, &context) == 0 && CALL(vcpu_op, VCPUOP_up, 1) == 0;
}

static void send_to_second(struct evtchn_send *send)
{
    uint64_t before = events_taken;
    CALL(event_channel_op, EVTCHNOP_send, send);
    while (events_taken == before)
        __asm__ volatile("pause");
}

static void two_processors(void)
{
    struct evtchn_bind_ipi port = {.vcpu = 1};
    must(HYPERCALL(event_channel_op, EVTCHNOP_bind_ipi, &port) == 0 && port.port < 64, "bind_ipi");
    struct evtchn_send send = {port.port};
    send_to_second(&send);
    MEASURE("event_to_other", send_to_second(&send));
    struct mmuext_op all = {.cmd = MMUEXT_INVLPG_ALL, .arg1.linear_addr = (uint64_t)data};
    must(CALL(mmuext_op, &all, 1, 0, DOMID_SELF) == 0, "invlpg_all");
    MEASURE("shoot_down_page", CALL(mmuext_op, &all, 1, 0, DOMID_SELF));
}

/* --- calls on another domain, of which a policy is asked if there is one --- */

static long domctl(struct xen_domctl *op, unsigned command, domid_t domain)
{
    op->cmd = command;
    op->interface_version = XEN_DOMCTL_INTERFACE_VERSION;
    op->domain = domain;
    return CALL(domctl, op);
}

static domid_t make_domain(void)
{
    static struct xen_domctl op = {
        .u.createdomain = {.max_vcpus = 1,
                           .max_evtchn_port = 1023,
                           .max_grant_frames = 4,
                           .max_maptrack_frames = 4,
                           .grant_opts = 1}};
    must(domctl(&op, XEN_DOMCTL_createdomain, 0) == 0, "createdomain");
    return op.domain;
}

static evtchn_port_t bind(domid_t domain, evtchn_port_t port)
{
    struct evtchn_bind_interdomain bound = {.remote_dom = domain, .remote_port = port};
    must(CALL(event_channel_op, EVTCHNOP_bind_interdomain, &bound) == 0, "bind_interdomain");
    return bound.local_port;
}

static void close(evtchn_port_t port)
{
    struct evtchn_close closed = {.port = port};
    must(CALL(event_channel_op, EVTCHNOP_close, &closed) == 0, "close");
}

/* What a table costs whose bytes begin in the second page of the RAM disk; the first has their number. */
static void policy_reload(void)
{
    const uint64_t *size = (const uint64_t *)start_info->mod_start;
    static struct xen_flask_op op = {.cmd = FLASK_LOAD, .interface_version = XEN_FLASK_INTERFACE_VERSION};
    if (!start_info->mod_len)
        return;
    op.u.load.buffer.p = (void *)(start_info->mod_start + PAGE);
    op.u.load.size = (uint32_t)*size;
    uint64_t best = ~0UL;
    for (unsigned round = 0; round < 4; round++) {
        uint64_t start = rdtsc();
        must(CALL(xsm_op, &op) == 0, "loading a policy");
        uint64_t time = rdtsc() - start;
        best = time < best ? time : best;
    }
    say("BENCH policy_reload %lu", best);
}

static void between_domains(void)
{
    static struct xen_domctl op;
    domid_t other = make_domain();
    struct evtchn_alloc_unbound far = {.dom = other, .remote_dom = DOMID_SELF};
    must(!domctl(&op, XEN_DOMCTL_pausedomain, other) && !domctl(&op, XEN_DOMCTL_unpausedomain, other), "pausedomain");
    report("domain_pause",
           SMALLEST((domctl(&op, XEN_DOMCTL_pausedomain, other), domctl(&op, XEN_DOMCTL_unpausedomain, other))), 2);
    must(CALL(event_channel_op, EVTCHNOP_alloc_unbound, &far) == 0, "alloc_unbound");
    MEASURE("event_bind_close", close(bind(other, far.port)));
}

void test_main(void)
{
    empty = SMALLEST((void)0);
    if (same_word(option("only"), "policy")) {
        between_domains();
        policy_reload();
        say("BENCH end 0");
        return;
    }
    if (start_second()) {
        two_processors();
        say("BENCH end 0");
        return;
    }
    hypercalls();
    grants();
    page_tables();
    events();
    privileged();
    bounces();
    address_spaces();
    between_domains();
    say("BENCH end 0");
}
