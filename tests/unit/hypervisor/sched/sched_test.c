/*
 * The scheduler and the timers under a simulated machine: CPUs that serve their softirqs in turn, a clock that jumps to
 * the next timer, vcpus that spin, sleep and wake. The real core/sched.c and core/timer.c run.
 */
#include "../../check.h"
#include "../fake/default.h"
#include "../../random.h"
#include <stdio.h>
#include <stdlib.h>
#include <hv/event_channel.h>
#include <hv/sched.h>
#include <hv/time.h>

#define MS 1000000ULL

/* ---- The machine ---- */

unsigned cpu_count;
struct domain idle_domain = {.is_idle = true};

static ns_t hardware_timer[NR_CPUS];
static bool event_pending;
static unsigned switches;
static void (*during_switch)(struct vcpu *prev); /* what other CPUs do while prev is being saved */

void apic_timer_set(ns_t deadline)
{
    hardware_timer[fake_cpu->id] = deadline;
}
void cpu_raise_softirq(struct cpu *cpu, enum softirq n)
{
    cpu->softirq_pending |= 1UL << n;
}
bool vcpu_event_deliverable(const struct vcpu *v)
{
    return event_pending;
}
void vcpu_timers_init(struct vcpu *v)
{
}
void domain_watchdogs_kill(struct domain *d)
{
}
void vcpu_timers_kill(struct vcpu *v)
{
}
void vcpu_timers_migrate(struct vcpu *v, struct cpu *cpu)
{
}
void context_switch(struct vcpu *prev, struct vcpu *next)
{
    CHECK(fake_current[fake_cpu->id] == prev && prev != next && next->is_running && !prev->is_running);
    for (unsigned i = 0; i < cpu_count; i++)
        CHECK(fake_current[i] != next); /* nowhere twice */
    CHECK(next->domain->is_idle || test_bit(fake_cpu->id, next->hard_affinity.bits));
    fake_current[fake_cpu->id] = next;
    switches++;
    if (during_switch)
        during_switch(prev);
}

static void serve(unsigned id)
{
    struct cpu *before = fake_cpu;
    fake_cpu = &cpus[id];
    while (fake_cpu->softirq_pending) {
        unsigned long pending = fake_cpu->softirq_pending;
        fake_cpu->softirq_pending = 0;
        if (pending & 1UL << SOFTIRQ_TIMER)
            timer_softirq();
        if (pending & 1UL << SOFTIRQ_SCHEDULE)
            schedule();
    }
    fake_cpu = before;
}

static void serve_all(void)
{
    for (bool again = true; again;) {
        again = false;
        for (unsigned i = 0; i < cpu_count; i++)
            if (cpus[i].softirq_pending) {
                serve(i);
                again = true;
            }
    }
}

static void run_until(ns_t end)
{
    serve_all();
    for (;;) {
        unsigned first = 0;
        ns_t deadline = ~0ULL;
        for (unsigned i = 0; i < cpu_count; i++)
            if (hardware_timer[i] && hardware_timer[i] < deadline)
                deadline = hardware_timer[first = i];
        if (deadline > end)
            break;
        fake_now = deadline > fake_now ? deadline : fake_now;
        hardware_timer[first] = 0;
        cpu_raise_softirq(&cpus[first], SOFTIRQ_TIMER);
        serve_all();
    }
    fake_now = end;
}

static void run_for(ns_t time)
{
    run_until(fake_now + time);
}

static void start_machine(unsigned count)
{
    static bool initialised;
    for (unsigned i = 0; i < count; i++) {
        cpus[i] = (struct cpu){.id = i, .online = true};
        hardware_timer[i] = 0;
        timer_init_cpu(&cpus[i]);
        cpu_count = i + 1;
        fake_cpu = &cpus[i];
        sched_init_cpu(&cpus[i]);
        CHECK(fake_current[i] == cpus[i].idle);
    }
    fake_cpu = &cpus[0];
    if (!initialised)
        sched_init();
    initialised = true;
}

static void stop_machine(void)
{
    for (unsigned i = 0; i < cpu_count; i++) {
        CHECK(fake_current[i] == cpus[i].idle);
        free(cpus[i].idle);
    }
}

static struct vcpu *new_vcpu(struct domain *d)
{
    struct vcpu *v = calloc(1, sizeof(*v));
    v->domain = d;
    v->id = d->max_vcpus++;
    d->vcpu = realloc(d->vcpu, d->max_vcpus * sizeof(*d->vcpu));
    d->vcpu[v->id] = v;
    sched_add_vcpu(v);
    v->offline = false;
    vcpu_wake(v);
    return v;
}

static void end_domain(struct domain *d)
{
    d->pause_count++;
    for (unsigned i = 0; i < d->max_vcpus; i++)
        vcpu_sleep(d->vcpu[i]);
    serve_all();
    for (unsigned i = 0; i < d->max_vcpus; i++) {
        vcpu_sleep_sync(d->vcpu[i]);
        sched_remove_vcpu(d->vcpu[i]);
        free(d->vcpu[i]);
    }
    sched_remove_domain(d);
    free(d->vcpu);
}

static void block(struct vcpu *v)
{
    for (unsigned i = 0; i < cpu_count; i++)
        if (fake_current[i] == v) {
            fake_cpu = &cpus[i];
            vcpu_block();
            serve_all();
            fake_cpu = &cpus[0];
            return;
        }
    CHECK(!"only a running vcpu can block");
}

static ns_t ran(struct vcpu *v)
{
    struct vcpu_runstate_info info;
    vcpu_get_runstate(v, &info);
    CHECK(info.time[0] + info.time[1] + info.time[2] + info.time[3] <= fake_now);
    return info.time[RUNSTATE_running];
}

static bool on_cpu(const struct vcpu *v)
{
    for (unsigned i = 0; i < cpu_count; i++)
        if (fake_current[i] == v)
            return true;
    return false;
}

static void check_share(struct vcpu *v, ns_t start, ns_t expected, ns_t tolerance)
{
    ns_t got = ran(v) - start;
    if (got + tolerance < expected || got > expected + tolerance)
        fprintf(stderr, "ran %llu us, expected %llu us\n", (unsigned long long)got / 1000,
                (unsigned long long)expected / 1000);
    CHECK(got + tolerance >= expected && got <= expected + tolerance);
}

/* ---- Timers ---- */

static unsigned fired[8], fired_count;
static struct timer rearmed;

static void note(void *data)
{
    fired[fired_count++ % 8] = (unsigned)(unsigned long)data;
    if ((unsigned long)data == 7 && fired_count < 5)
        timer_set(&rearmed, fake_now + MS);
}

static void test_timers(void)
{
    struct timer t[4];
    start_machine(2);
    for (unsigned long i = 0; i < 4; i++)
        timer_init(&t[i], note, (void *)i, &cpus[i == 3]);
    timer_set(&t[0], fake_now + 30 * MS);
    timer_set(&t[1], fake_now + 10 * MS);
    timer_set(&t[2], fake_now + 20 * MS);
    timer_set(&t[3], fake_now + 15 * MS); /* the other CPU's: by softirq */
    CHECK(hardware_timer[0] == fake_now + 10 * MS && hardware_timer[1] == 0);
    timer_set(&t[1], fake_now + 25 * MS);
    run_for(28 * MS);
    CHECK(fired_count == 3 && fired[0] == 3 && fired[1] == 2 && fired[2] == 1);
    timer_stop(&t[0]);
    timer_stop(&t[0]);
    run_for(10 * MS);
    CHECK(fired_count == 3);
    timer_set(&t[0], fake_now - MS); /* in the past: at once */
    run_for(0);
    CHECK(fired_count == 4 && fired[3] == 0);
    timer_set(&t[0], fake_now + 5 * MS);
    timer_migrate(&t[0], &cpus[1]);
    CHECK(list_empty(&cpus[0].timers) && t[0].cpu == &cpus[1] && t[0].active);
    timer_kill(&t[0]);
    timer_set(&t[0], fake_now);
    CHECK(!t[0].active && list_empty(&cpus[1].timers));
    fired_count = 0;
    timer_init(&rearmed, note, (void *)7L, &cpus[0]);
    timer_set(&rearmed, fake_now + MS);
    run_for(20 * MS);
    CHECK(fired_count == 5);
    stop_machine();
}

/* ---- Scheduler ---- */

static void test_equal_and_weighted_shares(void)
{
    struct domain a = {.weight = 256}, b = {.weight = 256}, c = {.weight = 512};
    start_machine(1);
    struct vcpu *va = new_vcpu(&a), *vb = new_vcpu(&b);
    run_for(1000 * MS);
    check_share(va, 0, 500 * MS, 6 * MS);
    check_share(vb, 0, 500 * MS, 6 * MS);
    struct vcpu *vc = new_vcpu(&c);
    ns_t sa = ran(va), sb = ran(vb);
    run_for(4000 * MS);
    check_share(va, sa, 1000 * MS, 15 * MS);
    check_share(vb, sb, 1000 * MS, 15 * MS);
    check_share(vc, 0, 2000 * MS, 25 * MS);
    CHECK(domain_cpu_time(&c) == ran(vc));
    end_domain(&a), end_domain(&b), end_domain(&c);
    stop_machine();
}

static void test_three_on_two_cpus(void)
{
    struct domain d = {.weight = 256};
    struct vcpu *v[3];
    start_machine(2);
    for (int i = 0; i < 3; i++)
        v[i] = new_vcpu(&d);
    run_for(3000 * MS);
    for (int i = 0; i < 3; i++)
        check_share(v[i], 0, 2000 * MS, 15 * MS);
    end_domain(&d);
    stop_machine();
}

/* Who slept does not owe the others its sleep, and gets the CPU at once. */
static void test_wake_preempts(void)
{
    struct domain a = {.weight = 256}, b = {.weight = 256};
    start_machine(1);
    struct vcpu *spinner = new_vcpu(&a), *sleeper = new_vcpu(&b);
    run_for(7 * MS);
    while (!on_cpu(sleeper))
        run_for(MS);
    block(sleeper);
    CHECK(on_cpu(spinner));
    run_for(2000 * MS);
    CHECK(on_cpu(spinner));
    vcpu_unblock(sleeper);
    serve_all();
    CHECK(on_cpu(sleeper));
    ns_t s = ran(spinner);
    run_for(200 * MS); /* now it spins as well: no more than the bonus above its half */
    check_share(spinner, s, 100 * MS, 10 * MS);
    end_domain(&a), end_domain(&b);
    stop_machine();
}

static void test_event_before_block_does_not_sleep(void)
{
    struct domain a = {.weight = 256};
    start_machine(1);
    struct vcpu *v = new_vcpu(&a);
    run_for(MS);
    event_pending = true;
    block(v);
    CHECK(on_cpu(v) && !v->blocked);
    event_pending = false;
    block(v);
    CHECK(!on_cpu(v) && v->runstate.state == RUNSTATE_blocked);
    vcpu_unblock(v);
    vcpu_unblock(v);
    serve_all();
    CHECK(on_cpu(v));
    end_domain(&a);
    stop_machine();
}

/* Many short sleepers of one domain must not keep a spinning vcpu of another from its share. */
static void test_nobody_starves(void)
{
    struct domain a = {.weight = 256}, dom0 = {.weight = 256, .is_privileged = true};
    start_machine(1);
    struct vcpu *spinner = new_vcpu(&a), *hog = new_vcpu(&dom0);
    ns_t longest = 0, last = ran(spinner), since = fake_now;
    for (int i = 0; i < 4000; i++) {
        run_for(MS / 2);
        if (on_cpu(hog) && i % 20 == 0) { /* sleeps for an instant: no fresh credit for it */
            block(hog);
            vcpu_unblock(hog);
            serve_all();
        }
        if (ran(spinner) != last)
            since = fake_now, last = ran(spinner);
        longest = fake_now - since > longest ? fake_now - since : longest;
    }
    check_share(spinner, 0, 400 * MS, 40 * MS);
    CHECK(longest < 80 * MS);
    end_domain(&a), end_domain(&dom0);
    stop_machine();
}

static void test_precedence(void)
{
    struct domain a = {.weight = 256}, b = {.weight = 256}, dom0 = {.weight = 256, .is_privileged = true};
    start_machine(1);
    struct vcpu *va = new_vcpu(&a), *vb = new_vcpu(&b), *service = new_vcpu(&dom0);
    run_for(MS);
    while (!on_cpu(service))
        run_for(MS);
    block(service);
    for (int i = 0; i < 1000; i++) { /* 1 ms of work every 5: always at once, whoever runs */
        run_for(4 * MS);
        vcpu_unblock(service);
        serve_all();
        CHECK(on_cpu(service));
        run_for(MS);
        block(service);
    }
    ns_t sa = ran(va), sb = ran(vb);
    sched_set_foreground(&b);
    serve_all();
    run_for(1000 * MS);
    check_share(vb, sb, 800 * MS, 25 * MS); /* its time counts a quarter */
    check_share(va, sa, 200 * MS, 25 * MS);
    sched_set_foreground(NULL);
    sa = ran(va);
    run_for(1000 * MS);
    check_share(va, sa, 500 * MS, 30 * MS);
    end_domain(&a), end_domain(&b), end_domain(&dom0);
    stop_machine();
}

static void test_pause(void)
{
    struct domain a = {.weight = 256}, b = {.weight = 256};
    start_machine(2);
    struct vcpu *va = new_vcpu(&a), *vb = new_vcpu(&b), *vc = new_vcpu(&b);
    run_for(20 * MS);
    b.pause_count = 2;
    vcpu_sleep(vb);
    vcpu_sleep(vc);
    serve_all();
    CHECK(!on_cpu(vb) && !on_cpu(vc) && on_cpu(va) && vb->runstate.state == RUNSTATE_offline);
    b.pause_count = 1;
    vcpu_wake(vb);
    serve_all();
    CHECK(!on_cpu(vb));
    b.pause_count = 0;
    vcpu_wake(vb);
    vcpu_wake(vc);
    run_for(20 * MS);
    CHECK(ran(vb) > 0 && ran(vc) > 0);
    vb->pause_count = 1;
    vcpu_sleep(vb);
    vb->pause_count = 0; /* unpaused before its CPU looked */
    vcpu_wake(vb);
    run_for(20 * MS);
    CHECK(vcpu_runnable(vb) && (on_cpu(vb) || !list_empty(&vb->run_link)));
    end_domain(&a), end_domain(&b);
    stop_machine();
}

static struct vcpu *race_target;
static void other_cpu_wants_it(struct vcpu *prev)
{
    if (prev != race_target)
        return;
    during_switch = NULL;
    CHECK(!prev->context_saved);
    vcpu_unblock(prev); /* its event comes while it is being saved */
    unsigned here = fake_cpu->id;
    for (unsigned i = 0; i < cpu_count; i++)
        if (i != here) {
            cpus[i].softirq_pending |= 1UL << SOFTIRQ_SCHEDULE;
            serve(i);
            CHECK(fake_current[i] != prev); /* not before it is in memory */
        }
}

static void test_not_run_before_it_is_saved(void)
{
    struct domain a = {.weight = 256};
    start_machine(3);
    struct vcpu *v = new_vcpu(&a);
    run_for(MS);
    race_target = v;
    during_switch = other_cpu_wants_it;
    block(v);
    serve_all();
    CHECK(!during_switch && on_cpu(v));
    end_domain(&a);
    stop_machine();
}

static void test_affinity(void)
{
    struct domain a = {.weight = 256};
    cpumask_t only1 = {{2}}, none = {{0}}, both = {{3}};
    start_machine(2);
    struct vcpu *v = new_vcpu(&a), *w = new_vcpu(&a);
    CHECK(vcpu_set_affinity(v, &none, NULL) == -EINVAL);
    CHECK(vcpu_set_affinity(v, &only1, NULL) == 0 && vcpu_set_affinity(w, &only1, NULL) == 0);
    run_for(MS);
    CHECK(fake_current[0] == cpus[0].idle);
    ns_t s = ran(v);
    run_for(1000 * MS);
    check_share(v, s, 500 * MS, 10 * MS);
    CHECK(vcpu_set_affinity(v, &both, NULL) == 0);
    run_for(6 * MS); /* if v runs now, its slice ends first */
    CHECK(on_cpu(v) && on_cpu(w));
    s = ran(v);
    run_for(100 * MS);
    check_share(v, s, 100 * MS, MS);
    end_domain(&a);
    stop_machine();
}

/* What a guest is given while it is paused holds from its first moment on, whoever sleeps, wakes or is in front:
 * context_switch() above looks at each entry. */
static void test_affinity_before_the_first_run(void)
{
    struct domain a = {.weight = 256, .pause_count = 1}, b = {.weight = 256};
    cpumask_t only1 = {{2}};
    start_machine(2);
    struct vcpu *v[] = {new_vcpu(&a), new_vcpu(&a)}, *other = new_vcpu(&b);
    run_for(MS);
    CHECK(!on_cpu(v[0]) && !on_cpu(v[1]));
    for (unsigned i = 0; i < 2; i++) {
        CHECK(vcpu_set_affinity(v[i], &only1, NULL) == 0 && v[i]->cpu == &cpus[i]);
        serve_all();
    }
    a.pause_count = 0;
    for (unsigned i = 0; i < 2; i++)
        vcpu_wake(v[i]);
    for (unsigned i = 0; i < 300; i++) {
        run_for(MS);
        CHECK(on_cpu(v[0]) || on_cpu(v[1]));
        struct vcpu *slept = i % 2 ? other : fake_current[1];
        if (on_cpu(slept)) {
            block(slept);
            run_for(MS);
            vcpu_unblock(slept);
        }
        sched_set_foreground(i % 3 ? &a : &b);
    }
    CHECK(ran(v[0]) && ran(v[1]));
    end_domain(&a);
    end_domain(&b);
    stop_machine();
}

static void test_yield(void)
{
    struct domain a = {.weight = 256};
    start_machine(1);
    struct vcpu *v = new_vcpu(&a), *w = new_vcpu(&a);
    run_for(MS);
    for (int i = 0; i < 10; i++) {
        struct vcpu *was = fake_current[0];
        vcpu_yield();
        serve_all();
        CHECK(fake_current[0] != was && (was == v || was == w));
        run_for(MS / 10);
    }
    end_domain(&a);
    stop_machine();
}

static void test_cap(void)
{
    struct domain a = {.weight = 256}, b = {.weight = 256};
    uint32_t weight, cap;
    start_machine(1);
    struct vcpu *va = new_vcpu(&a);
    CHECK(sched_set_params(&a, 0, 0) == -EINVAL && sched_set_params(&a, 256, 30) == 0);
    CHECK(sched_get_params(&a, &weight, &cap) == 0 && weight == 256 && cap == 30);
    run_for(100 * MS);
    ns_t s = ran(va);
    run_for(1000 * MS);
    check_share(va, s, 300 * MS, 10 * MS);
    struct vcpu *vb = new_vcpu(&b);
    s = ran(va);
    ns_t sb = ran(vb);
    run_for(1000 * MS);
    check_share(va, s, 300 * MS, 15 * MS);
    check_share(vb, sb, 700 * MS, 15 * MS);
    CHECK(sched_set_params(&a, 256, 0) == 0);
    s = ran(va);
    run_for(1000 * MS);
    CHECK(ran(va) - s >= 480 * MS);
    end_domain(&a), end_domain(&b);
    stop_machine();
}

/* Anything at any time: every runnable vcpu is on a CPU or in the queue, and no CPU idles while one could run there. */
static void test_random(void)
{
    struct domain d[3] = {{.weight = 100}, {.weight = 256}, {.weight = 1000, .is_privileged = true}};
    struct vcpu *v[9];
    start_machine(3);
    for (int i = 0; i < 9; i++)
        v[i] = new_vcpu(&d[i % 3]);
    for (int step = 0; step < 100000; step++) {
        struct vcpu *x = v[random_below(9)];
        switch (random_below(7)) {
        case 0:
            if (on_cpu(x))
                block(x);
            break;
        case 1:
            vcpu_unblock(x);
            break;
        case 2:
            if (x->pause_count < 2) {
                x->pause_count++;
                vcpu_sleep(x);
            }
            break;
        case 3:
            if (x->pause_count && --x->pause_count == 0)
                vcpu_wake(x);
            break;
        case 4:
            while (x->pause_count && --x->pause_count)
                ;
            vcpu_wake(x);
            break;
        case 5:
            sched_set_foreground(random_below(2) ? &d[random_below(3)] : NULL);
            break;
        default:
            run_for(random_below(3 * MS));
        }
        if (random_below(4) == 0)
            continue; /* let requests pile up */
        serve_all();
        unsigned waiting = 0;
        bool idle = false;
        for (int i = 0; i < 9; i++) {
            CHECK(on_cpu(v[i]) == v[i]->is_running && v[i]->context_saved == !v[i]->is_running);
            CHECK(vcpu_runnable(v[i]) == (on_cpu(v[i]) || !list_empty(&v[i]->run_link)));
            waiting += !list_empty(&v[i]->run_link);
        }
        for (unsigned i = 0; i < cpu_count; i++)
            idle |= fake_current[i] == cpus[i].idle;
        CHECK(!(waiting && idle));
    }
    end_domain(&d[0]), end_domain(&d[1]), end_domain(&d[2]);
    stop_machine();
}

int main(void)
{
    fake_now = 1000 * MS;
    test_timers();
    test_equal_and_weighted_shares();
    test_three_on_two_cpus();
    test_wake_preempts();
    test_event_before_block_does_not_sleep();
    test_nobody_starves();
    test_precedence();
    test_pause();
    test_not_run_before_it_is_saved();
    test_affinity();
    test_affinity_before_the_first_run();
    test_yield();
    test_cap();
    test_random();
    printf("ok, %u switches\n", switches);
    return 0;
}
