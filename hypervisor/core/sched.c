/*
 * The scheduler. hv/sched.h says what it promises.
 *
 * A vcpu's place is its key: the weighted time it has run, less SCHED_PRECEDENCE for those that go first. queue_clock
 * follows the smallest key of those that want to run and never goes back. Who slept is moved up to it, so that sleeping
 * saves nothing up; who ran where nobody else could (pinned, or with more weight than a CPU can give) is held at
 * MAX_AHEAD before it, so that it never waits longer than that for the others.
 * A vcpu is queued exactly while it is runnable and not running. The virtual_time of a running vcpu is that at its
 * slice_start, the time up to which it has been charged.
 */
#include <hv/console.h>
#include <hv/event_channel.h>
#include <hv/hvm.h>
#include <hv/hypercall.h>
#include <hv/page_alloc.h>
#include <hv/percpu.h>
#include <hv/sched.h>
#include <hv/time.h>

#define MAX_AHEAD          (500 * 1000000ULL)
#define CAP_PERIOD         (10 * 1000000ULL)
#define CAP_MIN_SLICE      (200 * 1000ULL) /* switching more often than this costs more than it gives */
#define MAX_CAPPED_DOMAINS 32
#define MAX_WEIGHT         65535
#define CLOCK_START        1000000000ULL /* keys below the clock stay positive */

struct cap_account {
    struct domain *domain; /* NULL: free */
    int64_t budget;        /* ns left in this period; goes below 0 when a slice overran */
};

static struct spinlock sched_lock = SPINLOCK_INIT(LOCK_SCHEDULER);
static struct list run_queue = LIST_INIT(run_queue);
static uint64_t queue_clock = CLOCK_START;
static struct vcpu *running_on[NR_CPUS];
static bool asked[NR_CPUS]; /* has SOFTIRQ_SCHEDULE coming from find_cpu: not for a second vcpu */
static bool yielding[NR_CPUS];
static struct timer slice_timer[NR_CPUS];
static ns_t slice_end[NR_CPUS];
static struct domain *foreground;
static struct cap_account caps[MAX_CAPPED_DOMAINS];
static unsigned caps_used;
static struct timer cap_timer;

/* Clocks of two CPUs may differ a little. */
static ns_t elapsed(ns_t from, ns_t to)
{
    return to > from ? to - from : 0;
}

static bool is_idle(const struct vcpu *v)
{
    return v->domain->is_idle;
}

static bool is_queued(const struct vcpu *v)
{
    return !list_empty(&v->run_link);
}

static bool goes_first(const struct domain *d)
{
    return d->is_privileged || d == foreground;
}

static uint64_t weighted(const struct domain *d, ns_t time)
{
    uint64_t weight = d->weight ? d->weight : SCHED_DEFAULT_WEIGHT;
    if (goes_first(d))
        weight *= SCHED_PRECEDENCE_SHARE;
    return time * SCHED_DEFAULT_WEIGHT / weight;
}

static uint64_t key_of(const struct vcpu *v, ns_t time)
{
    uint64_t key = v->virtual_time;
    if (v->is_running)
        key += weighted(v->domain, elapsed(v->slice_start, time));
    return goes_first(v->domain) ? key - SCHED_PRECEDENCE : key;
}

bool vcpu_waits_for_io(const struct vcpu *v)
{
    return v->hvm && READ_ONCE(v->hvm->waits_for_io);
}

bool vcpu_runnable(const struct vcpu *v)
{
    const struct domain *d = v->domain;
    return !v->offline && !v->blocked && !vcpu_waits_for_io(v) && !v->pause_count && !READ_ONCE(d->pause_count) &&
           !d->is_shutting_down;
}

/* ---- Run state accounting ---- */

static void set_runstate(struct vcpu *v, int state, ns_t time)
{
    v->runstate.time[v->runstate.state] += elapsed(v->state_entry, time);
    v->runstate.state = state;
    v->runstate.state_entry_time = time;
    v->state_entry = time;
}

/* For a vcpu that is not running. */
static void refresh_runstate(struct vcpu *v, ns_t time)
{
    int state = v->blocked || vcpu_waits_for_io(v) ? RUNSTATE_blocked
                : vcpu_runnable(v)                 ? RUNSTATE_runnable
                                                   : RUNSTATE_offline;
    if (state != v->runstate.state)
        set_runstate(v, state, time);
}

void vcpu_get_runstate(struct vcpu *v, struct vcpu_runstate_info *out)
{
    unsigned long flags = spin_lock_irqsave(&sched_lock);
    *out = v->runstate;
    out->time[out->state] += elapsed(v->state_entry, now());
    spin_unlock_irqrestore(&sched_lock, flags);
}

uint64_t domain_cpu_time(struct domain *d)
{
    uint64_t total = 0;
    struct vcpu *v;
    for_each_vcpu(d, v) {
        struct vcpu_runstate_info info;
        vcpu_get_runstate(v, &info);
        total += info.time[RUNSTATE_running];
    }
    return total;
}

/* ---- Caps ---- */

static struct cap_account *cap_of(const struct domain *d)
{
    for (unsigned i = 0; d->cap && i < MAX_CAPPED_DOMAINS; i++)
        if (caps[i].domain == d)
            return &caps[i];
    return NULL;
}

static int64_t cap_per_period(const struct domain *d)
{
    return (int64_t)(CAP_PERIOD * d->cap / 100);
}

static void ask_idle_cpus(void)
{
    for (unsigned i = 0; i < cpu_count; i++)
        if (cpus[i].online && running_on[i] && is_idle(running_on[i]))
            cpu_raise_softirq(&cpus[i], SOFTIRQ_SCHEDULE);
}

/* A new period: budgets are filled up, debts stay. */
static void cap_period(void *data)
{
    unsigned long flags = spin_lock_irqsave(&sched_lock);
    for (unsigned i = 0; i < MAX_CAPPED_DOMAINS; i++) {
        struct cap_account *a = &caps[i];
        if (a->domain)
            a->budget = min(a->budget + cap_per_period(a->domain), cap_per_period(a->domain));
    }
    if (!list_empty(&run_queue))
        ask_idle_cpus();
    if (caps_used)
        timer_set(&cap_timer, now() + CAP_PERIOD);
    spin_unlock_irqrestore(&sched_lock, flags);
}

/* ---- The queue ---- */

static void enqueue(struct vcpu *v, ns_t time)
{
    struct vcpu *after;
    uint64_t key = key_of(v, time);
    list_for_each(after, &run_queue, run_link)
        if (key_of(after, time) > key)
            break;
    list_add_tail(&after->run_link, &v->run_link);
}

static bool is_parked(const struct vcpu *v)
{
    const struct cap_account *cap = cap_of(v->domain);
    return cap && cap->budget <= 0;
}

static void advance_clock(ns_t time)
{
    uint64_t least = ~0ULL;
    struct vcpu *v;
    list_for_each(v, &run_queue, run_link)
        if (!is_parked(v)) {
            least = key_of(v, time);
            break;
        }
    for (unsigned i = 0; i < cpu_count; i++)
        if (running_on[i] && !is_idle(running_on[i]))
            least = min(least, key_of(running_on[i], time));
    if (least != ~0ULL && least > queue_clock)
        queue_clock = least;
}

/* Books the time a running vcpu has had since it was last charged. */
static void charge(struct vcpu *v, ns_t time)
{
    ns_t used = elapsed(v->slice_start, time);
    uint64_t limit = queue_clock + MAX_AHEAD + (goes_first(v->domain) ? SCHED_PRECEDENCE : 0);
    struct cap_account *cap = cap_of(v->domain);
    v->virtual_time = min(v->virtual_time + weighted(v->domain, used), limit);
    v->slice_start = time;
    if (cap)
        cap->budget -= (int64_t)used;
}

static bool may_run(const struct vcpu *v, const struct cpu *cpu)
{
    return test_bit(cpu->id, v->hard_affinity.bits) && !is_parked(v);
}

/* ---- Finding a CPU for a vcpu in the queue ---- */

/* The one it ran on, one that it prefers, or any, in this order. */
static struct cpu *find_idle_cpu(const struct vcpu *v)
{
    struct cpu *preferred = NULL, *any = NULL;
    for (unsigned i = 0; i < cpu_count; i++) {
        struct cpu *cpu = &cpus[i];
        if (!running_on[i] || !is_idle(running_on[i]) || !cpu->online || asked[i] || !may_run(v, cpu))
            continue;
        if (!any || cpu == v->cpu)
            any = cpu;
        if (!test_bit(i, v->soft_affinity.bits))
            continue;
        if (cpu == v->cpu)
            return cpu;
        if (!preferred)
            preferred = cpu;
    }
    return preferred ? preferred : any;
}

/* The CPU whose vcpu is furthest behind v, if by more than the margin. */
static struct cpu *find_preemptible_cpu(const struct vcpu *v, ns_t time)
{
    struct cpu *found = NULL;
    uint64_t limit = key_of(v, time) + SCHED_WAKE_MARGIN;
    for (unsigned i = 0; i < cpu_count; i++) {
        const struct vcpu *runs = running_on[i];
        if (!cpus[i].online || !runs || is_idle(runs) || asked[i] || !may_run(v, &cpus[i]))
            continue;
        uint64_t key = key_of(runs, time);
        if (key > limit) {
            limit = key;
            found = &cpus[i];
        }
    }
    return found;
}

static void find_cpu(struct vcpu *v, ns_t time)
{
    if (!v->context_saved)
        return; /* the CPU it leaves looks again when it is saved */
    struct cpu *cpu = find_idle_cpu(v);
    if (!cpu)
        cpu = find_preemptible_cpu(v, time);
    if (!cpu)
        return;
    asked[cpu->id] = true;
    cpu_raise_softirq(cpu, SOFTIRQ_SCHEDULE);
}

/* ---- Wake and sleep ---- */

void vcpu_wake(struct vcpu *v)
{
    unsigned long flags = spin_lock_irqsave(&sched_lock);
    ns_t time = now();
    if (!v->is_running && !is_queued(v)) {
        refresh_runstate(v, time);
        if (v->runstate.state == RUNSTATE_runnable) {
            advance_clock(time);
            v->virtual_time = max(v->virtual_time, queue_clock - SCHED_WAKE_BONUS);
            enqueue(v, time);
            find_cpu(v, time);
        }
    }
    spin_unlock_irqrestore(&sched_lock, flags);
}

void vcpu_sleep(struct vcpu *v)
{
    unsigned long flags = spin_lock_irqsave(&sched_lock);
    if (!vcpu_runnable(v)) {
        if (v->is_running) {
            cpu_raise_softirq(v->cpu, SOFTIRQ_SCHEDULE);
        } else {
            list_remove(&v->run_link);
            refresh_runstate(v, now());
        }
    }
    spin_unlock_irqrestore(&sched_lock, flags);
}

void vcpu_sleep_sync(struct vcpu *v)
{
    vcpu_sleep(v);
    ASSERT(v != current);
    while (v->is_running || !__atomic_load_n(&v->context_saved, __ATOMIC_ACQUIRE))
        __builtin_ia32_pause();
}

void vcpu_block(void)
{
    struct vcpu *v = current;
    __atomic_store_n(&v->blocked, true, __ATOMIC_SEQ_CST);
    /* An event that came before the line above found nobody to wake; one that comes later finds us blocked. */
    if (vcpu_event_deliverable(v) || v->nmi_pending)
        __atomic_store_n(&v->blocked, false, __ATOMIC_SEQ_CST);
    else
        cpu_raise_softirq(this_cpu(), SOFTIRQ_SCHEDULE);
}

void vcpu_unblock(struct vcpu *v)
{
    if (!__atomic_exchange_n(&v->blocked, false, __ATOMIC_SEQ_CST))
        return;
    if (test_bit(v->id, &v->domain->polling))
        clear_bit(v->id, &v->domain->polling);
    vcpu_wake(v);
}

void vcpu_yield(void)
{
    yielding[this_cpu()->id] = true;
    cpu_raise_softirq(this_cpu(), SOFTIRQ_SCHEDULE);
}

static bool mask_has_online_cpu(const cpumask_t *mask)
{
    for (unsigned i = 0; i < cpu_count; i++)
        if (cpus[i].online && test_bit(i, mask->bits))
            return true;
    return false;
}

int vcpu_set_affinity(struct vcpu *v, const cpumask_t *hard, const cpumask_t *soft)
{
    if ((hard && !mask_has_online_cpu(hard)) || (soft && !mask_has_online_cpu(soft)))
        return -EINVAL;
    unsigned long flags = spin_lock_irqsave(&sched_lock);
    if (hard)
        v->hard_affinity = *hard;
    if (soft)
        v->soft_affinity = *soft;
    if (v->is_running && !test_bit(v->cpu->id, v->hard_affinity.bits))
        cpu_raise_softirq(v->cpu, SOFTIRQ_SCHEDULE);
    else if (is_queued(v))
        find_cpu(v, now());
    spin_unlock_irqrestore(&sched_lock, flags);
    return 0;
}

/* ---- Choosing ---- */

static struct vcpu *first_for(const struct cpu *cpu)
{
    struct vcpu *v;
    list_for_each(v, &run_queue, run_link)
        if (may_run(v, cpu) && v->context_saved)
            return v;
    return NULL;
}

/* prev stays unless it must not run, or somebody before it in the queue wants to: within its slice it has a margin. */
static struct vcpu *choose(struct cpu *cpu, struct vcpu *prev, ns_t time)
{
    struct vcpu *first = first_for(cpu);
    bool yields = yielding[cpu->id];
    yielding[cpu->id] = false;
    bool prev_can = !is_idle(prev) && vcpu_runnable(prev) && may_run(prev, cpu);
    if (!first)
        return prev_can ? prev : cpu->idle;
    if (!prev_can || yields)
        return first;
    uint64_t margin = time >= slice_end[cpu->id] ? 0 : SCHED_WAKE_MARGIN;
    return key_of(first, time) + margin < key_of(prev, time) ? first : prev;
}

static void start_slice(struct cpu *cpu, const struct vcpu *v, ns_t time)
{
    ns_t slice = SCHED_SLICE;
    const struct cap_account *cap = cap_of(v->domain);
    if (cap && cap->budget < (int64_t)slice)
        slice = max((int64_t)CAP_MIN_SLICE, cap->budget);
    slice_end[cpu->id] = time + slice;
    timer_set(&slice_timer[cpu->id], time + slice);
}

static void leave(struct vcpu *prev, ns_t time)
{
    struct cpu *cpu = prev->cpu;
    prev->is_running = false;
    if (is_idle(prev)) {
        cpu->idle_time += elapsed(cpu->idle_since, time);
        return;
    }
    refresh_runstate(prev, time);
    if (prev->runstate.state == RUNSTATE_runnable) /* else whoever changes that calls vcpu_wake, after us */
        enqueue(prev, time);
}

static void enter(struct vcpu *next, struct cpu *cpu, ns_t time)
{
    list_remove(&next->run_link);
    next->is_running = true;
    next->cpu = cpu;
    running_on[cpu->id] = next;
    if (is_idle(next)) {
        cpu->idle_since = time;
        timer_stop(&slice_timer[cpu->id]);
        return;
    }
    next->context_saved = false;
    next->slice_start = time;
    set_runstate(next, RUNSTATE_running, time);
    start_slice(cpu, next, time);
}

/* prev's registers are in memory: others may run it now. */
static void hand_over(struct vcpu *prev)
{
    if (is_idle(prev))
        return;
    unsigned long flags = spin_lock_irqsave(&sched_lock);
    __atomic_store_n(&prev->context_saved, true, __ATOMIC_RELEASE);
    if (is_queued(prev))
        find_cpu(prev, now());
    spin_unlock_irqrestore(&sched_lock, flags);
}

void schedule(void)
{
    struct cpu *cpu = this_cpu();
    struct vcpu *prev = current;
    unsigned long flags = spin_lock_irqsave(&sched_lock);
    ns_t time = now();
    asked[cpu->id] = false;
    if (!is_idle(prev))
        charge(prev, time);
    advance_clock(time);
    struct vcpu *next = choose(cpu, prev, time);
    if (next == prev) {
        if (!is_idle(prev) && time >= slice_end[cpu->id])
            start_slice(cpu, prev, time);
        spin_unlock_irqrestore(&sched_lock, flags);
        return;
    }
    struct cpu *came_from = next->cpu;
    leave(prev, time);
    enter(next, cpu, time);
    spin_unlock_irqrestore(&sched_lock, flags);
    if (came_from != cpu)
        vcpu_timers_migrate(next, cpu);
    context_switch(prev, next);
    hand_over(prev);
}

/* ---- Life ---- */

static void slice_ended(void *data)
{
    cpu_raise_softirq(data, SOFTIRQ_SCHEDULE);
}

void sched_init(void)
{
    timer_init(&cap_timer, cap_period, NULL, &cpus[0]);
}

void sched_init_cpu(struct cpu *cpu)
{
    struct vcpu *idle = zalloc(sizeof(*idle));
    if (!idle)
        panic("no memory for the idle vcpu of CPU %u", cpu->id);
    idle->domain = &idle_domain;
    idle->id = cpu->id;
    list_init(&idle->run_link);
    idle->cpu = cpu;
    idle->is_running = true;
    idle->context_saved = true;
    cpu->idle = idle;
    cpu->idle_since = now();
    running_on[cpu->id] = idle;
    timer_init(&slice_timer[cpu->id], slice_ended, cpu, cpu);
    if (cpu == this_cpu())
        current = idle;
}

void sched_add_vcpu(struct vcpu *v)
{
    list_init(&v->run_link);
    v->cpu = &cpus[cpu_count ? v->id % cpu_count : 0];
    v->is_running = false;
    v->context_saved = true;
    v->offline = true;
    memset(&v->hard_affinity, 0xff, sizeof(v->hard_affinity));
    memset(&v->soft_affinity, 0xff, sizeof(v->soft_affinity));
    v->state_entry = now();
    v->runstate.state = RUNSTATE_offline;
    v->runstate.state_entry_time = v->state_entry;
    if (!v->domain->weight)
        v->domain->weight = SCHED_DEFAULT_WEIGHT;
    vcpu_timers_init(v);
}

void sched_remove_vcpu(struct vcpu *v)
{
    vcpu_timers_kill(v);
    unsigned long flags = spin_lock_irqsave(&sched_lock);
    ASSERT(!v->is_running);
    list_remove(&v->run_link);
    spin_unlock_irqrestore(&sched_lock, flags);
}

/* Keys have changed: sorts the queue anew. */
static void requeue_all(ns_t time)
{
    struct list old = LIST_INIT(old);
    while (!list_empty(&run_queue)) {
        struct list *first = run_queue.next;
        list_remove(first);
        list_add_tail(&old, first);
    }
    while (!list_empty(&old)) {
        struct vcpu *v = list_entry(old.next, struct vcpu, run_link);
        list_remove(&v->run_link);
        enqueue(v, time);
    }
}

void sched_set_foreground(struct domain *d)
{
    unsigned long flags = spin_lock_irqsave(&sched_lock);
    ns_t time = now();
    for (unsigned i = 0; i < cpu_count; i++)
        if (running_on[i] && !is_idle(running_on[i]))
            charge(running_on[i], time); /* what has run so far counts at the old rate */
    foreground = d;
    requeue_all(time);
    if (!list_empty(&run_queue))
        find_cpu(list_entry(run_queue.next, struct vcpu, run_link), time);
    spin_unlock_irqrestore(&sched_lock, flags);
}

/* ---- Weight and cap ---- */

int sched_get_params(struct domain *d, uint32_t *weight, uint32_t *cap)
{
    *weight = d->weight ? d->weight : SCHED_DEFAULT_WEIGHT;
    *cap = d->cap;
    return 0;
}

static struct cap_account *cap_slot(const struct domain *d)
{
    for (unsigned i = 0; i < MAX_CAPPED_DOMAINS; i++)
        if (caps[i].domain == d)
            return &caps[i];
    return NULL;
}

static int set_cap(struct domain *d, uint32_t cap)
{
    struct cap_account *a = cap_slot(d);
    if (cap && !a) {
        a = cap_slot(NULL);
        if (!a)
            return -ENOSPC;
        a->domain = d;
        a->budget = 0;
        if (caps_used++ == 0)
            timer_set(&cap_timer, now() + CAP_PERIOD);
    } else if (!cap && a) {
        a->domain = NULL;
        caps_used--;
    }
    d->cap = cap;
    return 0;
}

int sched_set_params(struct domain *d, uint32_t weight, uint32_t cap)
{
    if (weight < 1 || weight > MAX_WEIGHT || cap > 100 * NR_CPUS)
        return -EINVAL;
    unsigned long flags = spin_lock_irqsave(&sched_lock);
    int error = set_cap(d, cap);
    if (!error)
        d->weight = weight;
    spin_unlock_irqrestore(&sched_lock, flags);
    return error;
}

void sched_remove_domain(struct domain *d)
{
    domain_watchdogs_kill(d);
    unsigned long flags = spin_lock_irqsave(&sched_lock);
    set_cap(d, 0);
    if (foreground == d)
        foreground = NULL;
    spin_unlock_irqrestore(&sched_lock, flags);
}

bool hypercall_should_yield(void)
{
    return this_cpu()->softirq_pending != 0;
}
