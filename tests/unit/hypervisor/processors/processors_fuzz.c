/*
 * sched_op and vcpu_op under four threads: two vcpus of each of two guests bring each other up and down, set, stop and
 * miss timers, poll, register areas and feed watchdogs at once, drawn from a seed; each thread is a processor that also
 * runs its timers. Afterwards no timer is left and no vcpu waits for a poll that ended. Locks are taken in their order,
 * and memory is asked for under none that forbids it.
 *
 * hv-processors-fuzz [SEED [CALLS]]; hv-processors-threads is the same under the thread sanitizer.
 */
#include "../../check.h"
#include "../../random.h"
#include "../fake/several_threads.h"
#include <stdlib.h>
#include <string.h>
#include <hv/abi_internal.h>
#include <hv/domain.h>
#include <hv/event_channel.h>
#include <hv/hypercall.h>
#include <hv/percpu.h>
#include <hv/pv.h>
#include <hv/sched.h>
#include <hv/time.h>
#include <xen/sched.h>
#include <xen/vcpu.h>

struct cpu cpus[NR_CPUS];
unsigned cpu_count = THREADS;
static struct domain guests[2];
static struct vcpu vcpus[THREADS], *all[THREADS];
static struct shared_info shared[2];
static volatile uint64_t clock_now = 1000000, fired, woken, shut_down;

/* To the thread sanitizer a volatile access is like an atomic one here (tsan-distinguish-volatile has it ask by these):
 * two such may meet, one and a plain one may not. */
#define VOLATILE_ACCESS(bytes, type)                                                                                   \
    void __tsan_volatile_read##bytes(void *address);                                                                   \
    void __tsan_volatile_read##bytes(void *address)                                                                    \
    {                                                                                                                  \
        (void)__atomic_load_n((type *)address, __ATOMIC_RELAXED);                                                      \
    }                                                                                                                  \
    void __tsan_volatile_write##bytes(void *address);                                                                  \
    void __tsan_volatile_write##bytes(void *address)                                                                   \
    {                                                                                                                  \
        __atomic_fetch_add((type *)address, 0, __ATOMIC_RELAXED);                                                      \
    }
VOLATILE_ACCESS(1, uint8_t)
VOLATILE_ACCESS(2, uint16_t)
VOLATILE_ACCESS(4, uint32_t)
VOLATILE_ACCESS(8, uint64_t)

/* ---- What the two use of the rest ---- */
bool irqs_enabled(void)
{
    return !fake_irqs_off;
}
void *zalloc(size_t bytes)
{
    lock_check_call(); /* as the real one */
    return calloc(1, bytes);
}
ns_t now(void)
{
    return __atomic_add_fetch(&clock_now, 1000, __ATOMIC_RELAXED);
}
void apic_timer_set(ns_t deadline)
{
}
void cpu_raise_softirq(struct cpu *cpu, enum softirq n)
{
    __atomic_fetch_or(&cpu->softirq_pending, 1UL << n, __ATOMIC_SEQ_CST);
}
void vcpu_wake(struct vcpu *v)
{
    __atomic_add_fetch(&woken, 1, __ATOMIC_RELAXED);
}
void vcpu_unblock(struct vcpu *v)
{
    __atomic_store_n(&v->blocked, false, __ATOMIC_SEQ_CST);
    clear_bit(v->id, &v->domain->polling);
}
void vcpu_sleep(struct vcpu *v)
{
}
void vcpu_block(void)
{
}
void vcpu_yield(void)
{
}
void domain_shutdown(struct domain *d, unsigned reason)
{
    __atomic_add_fetch(&shut_down, 1, __ATOMIC_RELAXED);
}
void send_guest_vcpu_virq(struct vcpu *v, unsigned virq)
{
    __atomic_add_fetch(&fired, 1, __ATOMIC_RELAXED);
}
int event_channel_is_pending(struct domain *d, evtchn_port_t port)
{
    return port > 40 ? -EINVAL : port > 38;
}
bool vcpu_event_deliverable(const struct vcpu *v)
{
    return false;
}
void vcpu_get_runstate(struct vcpu *v, struct vcpu_runstate_info *out)
{
    *out = (struct vcpu_runstate_info){0};
}
void vcpu_update_time(struct vcpu *v)
{
}
int vcpu_register_info(struct vcpu *v, mfn_t mfn, unsigned offset)
{
    return -EINVAL;
}
int pv_vcpu_set_context(struct vcpu *v, const struct vcpu_guest_context *context)
{
    return context->flags & VGCF_in_kernel ? 0 : -EINVAL;
}
struct domain *domain_get_any(domid_t id)
{
    return id == DOMID_SELF ? current->domain : id < 2 ? &guests[id] : NULL;
}
void domain_put(struct domain *d)
{
}
unsigned long find_first_set(const unsigned long *map, unsigned long bits)
{
    return bits; /* no vcpu is pinned */
}
static bool nobodys(unsigned long address)
{
    return address < PAGE_SIZE;
}
int copy_from_guest_va(void *to, unsigned long from, size_t bytes)
{
    if (nobodys(from))
        return -EFAULT;
    memcpy(to, (const void *)from, bytes);
    return 0;
}
int copy_to_guest_va(unsigned long to, const void *from, size_t bytes)
{
    if (nobodys(to))
        return -EFAULT;
    for (size_t i = 0; i < bytes; i++) /* the guest's own affair: several vcpus may have one area */
        __atomic_store_n((uint8_t *)to + i, ((const uint8_t *)from)[i], __ATOMIC_RELAXED);
    return 0;
}

/* ---- Calls ---- */
static long vcpu_op(unsigned operation, unsigned vcpu, void *argument)
{
    struct hypercall call = {.arg = {operation, vcpu, (uintptr_t)argument}};
    return do_vcpu_op(&call);
}

static long sched_op(unsigned operation, void *argument)
{
    struct hypercall call = {.arg = {operation, (uintptr_t)argument}};
    return do_sched_op(&call);
}

static void time_something(unsigned vcpu)
{
    struct vcpu_set_periodic_timer periodic = {.period_ns = 500000 * (1 + random_below(4))};
    struct vcpu_set_singleshot_timer single = {.timeout_abs_ns = now() + random_below(5000), .flags = random_below(2)};
    static const unsigned stops[] = {VCPUOP_stop_periodic_timer, VCPUOP_stop_singleshot_timer};
    switch (random_below(3)) {
    case 0:
        vcpu_op(VCPUOP_set_periodic_timer, vcpu, &periodic);
        return;
    case 1:
        vcpu_op(VCPUOP_set_singleshot_timer, vcpu, &single);
        return;
    }
    vcpu_op(stops[random_below(2)], vcpu, NULL);
}

static void register_something(unsigned vcpu)
{
    static __thread struct vcpu_runstate_info area;
    struct vcpu_register_runstate_memory_area runstate = {0};
    runstate.addr.p = random_below(2) ? 0 : (uintptr_t)&area;
    struct vcpu_guest_context *context = calloc(1, sizeof(*context));
    context->flags = random_below(2) ? VGCF_in_kernel : 0;
    switch (random_below(4)) {
    case 0:
        vcpu_op(VCPUOP_initialise, vcpu, context);
        break;
    case 1:
        vcpu_op(VCPUOP_register_vcpu_time_memory_area, vcpu, &runstate);
        break;
    case 2:
        vcpu_op(VCPUOP_get_runstate_info, vcpu, &area);
        break;
    default:
        vcpu_op(VCPUOP_register_runstate_memory_area, vcpu, &runstate);
    }
    free(context);
}

static void poll_something(void)
{
    evtchn_port_t ports[4];
    for (unsigned i = 0; i < 4; i++)
        ports[i] = random_below(42);
    struct sched_poll poll = {.nr_ports = random_below(5), .timeout = now() + random_below(5000)};
    set_xen_guest_handle(poll.ports, ports);
    sched_op(SCHEDOP_poll, &poll);
}

static void watch_something(void)
{
    struct sched_watchdog watchdog = {.id = random_below(4), .timeout = random_below(3)};
    struct sched_remote_shutdown remote = {.domain_id = random_below(3), .reason = random_below(300)};
    struct sched_shutdown code = {.reason = random_below(300)};
    switch (random_below(8)) {
    case 0:
        sched_op(SCHEDOP_remote_shutdown, &remote);
        return;
    case 1:
        sched_op(SCHEDOP_shutdown_code, &code);
        return;
    }
    sched_op(SCHEDOP_watchdog, &watchdog);
}

static void call_something(void)
{
    static const unsigned plain[] = {VCPUOP_up, VCPUOP_down, VCPUOP_is_up, VCPUOP_send_nmi};
    unsigned vcpu = random_below(3);
    switch (random_below(5)) {
    case 0:
        time_something(vcpu);
        return;
    case 1:
        register_something(vcpu);
        return;
    case 2:
        poll_something();
        return;
    case 3:
        watch_something();
        return;
    }
    vcpu_op(plain[random_below(ARRAY_SIZE(plain))], vcpu, NULL);
}

/* Each thread is a processor too. */
static void one_call(unsigned n)
{
    call_something();
    if (random_below(4) == 0)
        timer_softirq();
    if (random_below(16) == 0)
        runstate_update_guest(&vcpus[n]);
    if (random_below(64) == 0)
        vcpu_timers_migrate(&vcpus[random_below(THREADS)], &cpus[random_below(THREADS)]);
}

static void set_up(void)
{
    for (unsigned n = 0; n < THREADS; n++) {
        struct domain *d = &guests[n / 2];
        cpus[n].id = n;
        cpus[n].online = true;
        timer_init_cpu(&cpus[n]);
        all[n] = &vcpus[n];
        vcpus[n] = (struct vcpu){.domain = d, .id = n % 2, .cpu = &cpus[n], .initialised = n % 2 == 0};
        vcpus[n].info = &shared[n / 2].vcpu_info[n % 2];
        vcpu_timers_init(&vcpus[n]);
        if (n % 2 == 0) {
            *d = (struct domain){.id = (domid_t)(n / 2), .max_vcpus = 2, .vcpu = &all[n], .shutdown_code = ~0U};
            spin_lock_init(&d->lock, LOCK_DOMAIN);
        }
    }
}

static void end(void)
{
    for (unsigned i = 0; i < 2; i++) {
        guests[i].dying = DOMAIN_DYING;
        domain_watchdogs_kill(&guests[i]);
    }
    for (unsigned n = 0; n < THREADS; n++)
        vcpu_timers_kill(&vcpus[n]);
    for (unsigned n = 0; n < THREADS; n++)
        CHECK(list_empty(&cpus[n].timers));
}

int main(int count, char **arguments)
{
    threads_arguments(count, arguments, 20000);
    set_up();
    threads_run(all, one_call);
    current = &vcpus[0];
    cpu_info()->cpu = &cpus[0];
    end();
    printf("%lu timers fired, %lu wakes, %lu ends\n", (unsigned long)fired, (unsigned long)woken,
           (unsigned long)shut_down);
    CHECK(fired && woken);
    return 0;
}
