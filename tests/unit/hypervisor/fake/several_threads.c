#include "several_threads.h"
#include "../../check.h"
#include "../../random.h"
#include <hv/percpu.h>
#include <hv/spinlock.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#define STANDSTILL 60 /* seconds without any call by any thread: they wait for each other */

int fake_threads_meet;
static unsigned seed = 1, calls, calls_made, runs;
static pthread_barrier_t start;

struct thread {
    pthread_t thread;
    unsigned n;
    struct vcpu *vcpu;
    void (*one_call)(unsigned n);
};

static void *run(void *argument)
{
    const struct thread *t = argument;
    random_seed((uint64_t)seed << 32 | runs * THREADS | t->n); /* each run has numbers of its own */
    current = t->vcpu;
    cpu_info()->cpu = t->vcpu->cpu;
    pthread_barrier_wait(&start);
    for (unsigned i = 0; i < calls; i++) {
        t->one_call(t->n);
        __atomic_fetch_add(&calls_made, 1, __ATOMIC_RELAXED);
    }
    CHECK(!fake_irqs_off);
    return NULL;
}

/* A machine may be slow; what stands still is wrong. */
static void look_for_standstill(int number)
{
    static const char verdict[] = "no thread has made a call for a minute\n";
    static unsigned seen = -1U;
    unsigned now = __atomic_load_n(&calls_made, __ATOMIC_RELAXED);
    if (now == seen) {
        (void)!write(STDERR_FILENO, verdict, sizeof(verdict) - 1);
        _exit(1);
    }
    seen = now;
    alarm(STANDSTILL);
}

void threads_run(struct vcpu *const vcpu[THREADS], void (*one_call)(unsigned n))
{
    struct thread threads[THREADS];
    signal(SIGALRM, look_for_standstill);
    alarm(STANDSTILL);
    pthread_barrier_init(&start, NULL, THREADS);
    for (unsigned n = 0; n < THREADS; n++) {
        threads[n] = (struct thread){.n = n, .vcpu = vcpu[n], .one_call = one_call};
        CHECK(!pthread_create(&threads[n].thread, NULL, run, &threads[n]));
    }
    for (unsigned n = 0; n < THREADS; n++)
        pthread_join(threads[n].thread, NULL);
    pthread_barrier_destroy(&start);
    runs++;
    alarm(0);
}

void threads_arguments(int count, char **arguments, unsigned usual_calls)
{
    seed = count > 1 ? (unsigned)atoi(arguments[1]) : seed;
    calls = count > 2 ? (unsigned)atoi(arguments[2]) : usual_calls;
    printf("# seed %u, %u calls of each thread\n", seed, calls);
}
