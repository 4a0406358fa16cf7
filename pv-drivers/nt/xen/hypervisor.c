/* The hypercall page, the calls of one guest, and the machine around it. */
#define _GNU_SOURCE
#include <pthread.h>
#include <string.h>
#include "events.h"
#include "hypervisor.h"

#define LEAF       0x40000000u
#define PAGE_MSR   0x40000000u
#define STORE_PORT 1u
#define MAGIC      0x49d2

static struct hv_options options;
static pthread_mutex_t lock;
static uint64_t params[64];
static volatile struct grant_entry_v1 *grant_pages[64];
static unsigned suspends;
static uint16_t unplugged, product;
static uint32_t build;
bool hv_suspend_cancelled;
void (*hv_on_new_domain)(void);

/* What Xen's ABI keeps, and more: all registers but RAX. */
void hv_entry(void);
__asm__(".text\n"
        "hv_entry:\n"
        "push %rbp; mov %rsp, %rbp\n"
        "push %rdi; push %rsi; push %rdx; push %rcx; push %r8; push %r9; push %r10; push %r11\n"
        "sub $0x110, %rsp\n"
        "and $-16, %rsp\n"
        "movups %xmm6, 0x00(%rsp); movups %xmm7, 0x10(%rsp); movups %xmm8, 0x20(%rsp); movups %xmm9, 0x30(%rsp)\n"
        "movups %xmm10, 0x40(%rsp); movups %xmm11, 0x50(%rsp); movups %xmm12, 0x60(%rsp); movups %xmm13, 0x70(%rsp)\n"
        "movups %xmm14, 0x80(%rsp); movups %xmm15, 0x90(%rsp); movups %xmm0, 0xa0(%rsp); movups %xmm1, 0xb0(%rsp)\n"
        "movups %xmm2, 0xc0(%rsp); movups %xmm3, 0xd0(%rsp); movups %xmm4, 0xe0(%rsp); movups %xmm5, 0xf0(%rsp)\n"
        "mov %rdx, %rcx; mov %rsi, %rdx; mov %rdi, %rsi; mov %eax, %edi\n"
        "call hv_call\n"
        "movups 0x00(%rsp), %xmm6; movups 0x10(%rsp), %xmm7; movups 0x20(%rsp), %xmm8; movups 0x30(%rsp), %xmm9\n"
        "movups 0x40(%rsp), %xmm10; movups 0x50(%rsp), %xmm11; movups 0x60(%rsp), %xmm12; movups 0x70(%rsp), %xmm13\n"
        "movups 0x80(%rsp), %xmm14; movups 0x90(%rsp), %xmm15; movups 0xa0(%rsp), %xmm0; movups 0xb0(%rsp), %xmm1\n"
        "movups 0xc0(%rsp), %xmm2; movups 0xd0(%rsp), %xmm3; movups 0xe0(%rsp), %xmm4; movups 0xf0(%rsp), %xmm5\n"
        "lea -0x40(%rbp), %rsp\n"
        "pop %r11; pop %r10; pop %r9; pop %r8; pop %rcx; pop %rdx; pop %rsi; pop %rdi\n"
        "pop %rbp\n"
        "ret\n");

static void cpuid(uint32_t leaf, uint32_t registers[4])
{
    uint32_t base = LEAF + (options.viridian_first ? 0x100 : 0);

    memset(registers, 0, 16);
    if (options.viridian_first && leaf == LEAF) {
        registers[0] = LEAF + 6;
        memcpy(&registers[1], "Microsoft Hv", 12);
    }
    if (options.absent || leaf < base || leaf > base + 2)
        return;
    if (leaf == base) {
        registers[0] = base + 4;
        memcpy(&registers[1], "XenVMMXenVMM", 12);
    } else if (leaf == base + 1) {
        registers[0] = 4 << 16 | 17;
    } else {
        registers[0] = 1;
        registers[1] = PAGE_MSR + (options.viridian_first ? 0x200 : 0);
    }
}

static void wrmsr(uint32_t msr, uint64_t value)
{
    unsigned char *page = nt_frame(value / NT_PAGE);
    uint64_t target = (uint64_t)hv_entry;

    if (msr != PAGE_MSR + (options.viridian_first ? 0x200 : 0) || value % NT_PAGE || !page)
        nt_bug("wrmsr %#x, %#llx", msr, (unsigned long long)value);
    for (uint32_t number = 0; number < NT_PAGE / 32; number++) {
        unsigned char *entry = page + number * 32;

        entry[0] = 0xb8; /* mov eax, number; jmp to what stands behind the jump */
        memcpy(entry + 1, &number, 4);
        memcpy(entry + 5, "\xff\x25\0\0\0\0", 6);
        memcpy(entry + 11, &target, 8);
    }
}

static uint32_t in(uint16_t port, unsigned size)
{
    if (options.unplug_absent)
        return 0xffffffffu >> (32 - 8 * size);
    if (port == 0x10 && size == 2)
        return options.unplug_refuses && product ? 0xd249 : MAGIC;
    if (port == 0x12 && size == 1)
        return options.unplug_version;
    nt_bug("in from port %#x, %u bytes", port, size);
}

static void out(uint16_t port, unsigned size, uint32_t value)
{
    if (port == 0x12 && size == 2)
        product = (uint16_t)value;
    else if (port == 0x10 && size == 4)
        build = value;
    else if (port == 0x10 && size == 2)
        unplugged = (uint16_t)value;
    else
        nt_bug("out to port %#x, %u bytes", port, size);
    if (unplugged && options.unplug_version && (!product || !build))
        nt_bug("unplugged by a driver that has not said which");
    if (unplugged && (options.unplug_refuses || options.unplug_absent))
        nt_bug("unplugged against the device model's word");
}

uint16_t hv_unplugged(void)
{
    return unplugged;
}

unsigned hv_suspends(void)
{
    return suspends;
}

/* --- hypercalls; a number of the ABI as answer --- */

static long hvm_op(uint64_t operation, struct xen_hvm_param *param)
{
    if (param->domid != DOMID_SELF || param->index >= sizeof(params) / sizeof(params[0]))
        return -22;
    if (operation == HVMOP_get_param)
        param->value = params[param->index];
    else if (operation == HVMOP_set_param && param->index == HVM_PARAM_CALLBACK_IRQ)
        params[param->index] = param->value;
    else
        nt_bug("hvm_op %llu, parameter %u", (unsigned long long)operation, param->index);
    return 0;
}

static long memory_op(uint64_t operation, struct xen_add_to_physmap *map)
{
    void *page;

    if (operation != XENMEM_add_to_physmap || map->domid != DOMID_SELF)
        nt_bug("memory_op %llu", (unsigned long long)operation);
    if (map->gpfn < NT_WINDOW_FRAME || map->gpfn >= NT_WINDOW_FRAME + NT_WINDOW_PAGES)
        nt_bug("a page of the hypervisor's is to stand on RAM, frame %#llx", (unsigned long long)map->gpfn);
    page = nt_frame(map->gpfn);
    if (map->space == XENMAPSPACE_shared_info) {
        events_set_shared_info(page);
    } else if (map->space == XENMAPSPACE_grant_table) {
        if (map->idx >= options.grant_frames)
            return -22;
        if (!grant_pages[map->idx])
            memset(page, 0, NT_PAGE);
        grant_pages[map->idx] = page;
    } else {
        return -38;
    }
    return 0;
}

static long grant_table_op(uint64_t operation, struct gnttab_query_size *query, uint64_t count)
{
    if (operation != GNTTABOP_query_size || count != 1)
        nt_bug("grant_table_op %llu", (unsigned long long)operation);
    query->max_nr_frames = options.grant_frames;
    query->nr_frames = 1;
    query->status = GNTST_okay;
    return 0;
}

/* The other host: no page, port or grant of before is there. */
static void become_another(void)
{
    memset(grant_pages, 0, sizeof(grant_pages));
    params[HVM_PARAM_CALLBACK_IRQ] = 0;
    params[HVM_PARAM_STORE_EVTCHN] = events_forget(STORE_PORT + 4);
    store_forget_guest();
    if (hv_on_new_domain)
        hv_on_new_domain();
}

static long sched_op(uint64_t operation, const struct sched_shutdown *shutdown)
{
    if (operation != SCHEDOP_shutdown || shutdown->reason != SHUTDOWN_suspend)
        nt_bug("sched_op %llu", (unsigned long long)operation);
    if (nt_irql() < DISPATCH_LEVEL)
        nt_bug("the machine is suspended while others may run");
    suspends++;
    if (hv_suspend_cancelled)
        return 1;
    become_another();
    return 0;
}

static long dispatch(uint32_t number, uint64_t first, uint64_t second, uint64_t third)
{
    switch (number) {
    case __HYPERVISOR_hvm_op:
        return hvm_op(first, (void *)second);
    case __HYPERVISOR_memory_op:
        return memory_op(first, (void *)second);
    case __HYPERVISOR_grant_table_op:
        return grant_table_op(first, (void *)second, third);
    case __HYPERVISOR_event_channel_op:
        return events_op(first, (void *)second);
    case __HYPERVISOR_sched_op:
        return sched_op(first, (void *)second);
    default:
        nt_bug("hypercall %u", number);
    }
}

__attribute__((used)) long hv_call(uint32_t number, uint64_t first, uint64_t second, uint64_t third)
{
    long result;

    hv_lock();
    result = dispatch(number, first, second, third);
    hv_unlock();
    nt_changed();
    return result;
}

void hv_lock(void)
{
    pthread_mutex_lock(&lock);
}

void hv_unlock(void)
{
    pthread_mutex_unlock(&lock);
}

/* --- grants --- */

static volatile struct grant_entry_v1 *entry_of(uint32_t reference)
{
    const uint32_t per_frame = NT_PAGE / sizeof(struct grant_entry_v1);
    uint32_t frame = reference / per_frame;

    return frame < options.grant_frames && grant_pages[frame] ? grant_pages[frame] + reference % per_frame : NULL;
}

void *hv_map(uint32_t reference, uint16_t domain, bool write)
{
    volatile struct grant_entry_v1 *entry = entry_of(reference);
    uint16_t marks = write ? GTF_reading | GTF_writing : GTF_reading;

    if (!entry || (entry->flags & GTF_type_mask) != GTF_permit_access || entry->domid != domain ||
        (write && entry->flags & GTF_readonly))
        return NULL;
    __atomic_fetch_or(&entry->flags, marks, __ATOMIC_SEQ_CST);
    return nt_frame(entry->frame);
}

void hv_unmap(uint32_t reference, bool write)
{
    volatile struct grant_entry_v1 *entry = entry_of(reference);

    if (entry)
        __atomic_fetch_and(&entry->flags, (uint16_t) ~(write ? GTF_reading | GTF_writing : GTF_reading),
                           __ATOMIC_SEQ_CST);
}

unsigned hv_grants(void)
{
    const uint32_t per_frame = NT_PAGE / sizeof(struct grant_entry_v1);
    unsigned count = 0;

    for (uint32_t reference = 0; reference < options.grant_frames * per_frame; reference++)
        count += entry_of(reference) && entry_of(reference)->flags;
    return count;
}

/* --- the machine --- */

static bool line(void)
{
    return params[HVM_PARAM_CALLBACK_IRQ] && events_upcall_pending();
}

void hv_boot(const struct hv_options *wanted)
{
    pthread_mutexattr_t recursive;

    pthread_mutexattr_init(&recursive);
    pthread_mutexattr_settype(&recursive, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(&lock, &recursive);
    options = *wanted;
    if (!options.grant_frames)
        options.grant_frames = 32;
    memset(params, 0, sizeof(params));
    memset(grant_pages, 0, sizeof(grant_pages));
    suspends = unplugged = product = build = 0;
    hv_suspend_cancelled = false;
    hv_on_new_domain = NULL;
    params[HVM_PARAM_STORE_PFN] = NT_SPECIAL_FRAME;
    params[HVM_PARAM_STORE_EVTCHN] = STORE_PORT;
    nt_machine = (struct nt_machine){line, events_work, events_idle, in, out, cpuid, wrmsr};
    events_boot(!options.two_level);
    hv_set_clock(&(struct hv_clock){0});
    store_boot(STORE_PORT);
    events_open_store(STORE_PORT);
}

void hv_shutdown(void)
{
    if (hv_grants())
        nt_bug("leak: %u grants are still given", hv_grants());
    if (hv_ports() > 1)
        nt_bug("leak: %u event channels are still open", hv_ports() - 1);
}
