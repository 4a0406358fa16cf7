#include "several_threads.h"
#include "../check.h"
#include <hv/percpu.h>
#include <hv/spinlock.h>
#include <pthread.h>
#include <unistd.h>

int fake_threads_meet;
static unsigned seed = 1, calls;
static pthread_barrier_t start;

struct thread {
    pthread_t thread;
    unsigned n;
    struct vcpu *vcpu;
    void (*one_call)(unsigned n, unsigned *state);
};

static void *run(void *argument)
{
    const struct thread *t = argument;
    unsigned state = seed * THREADS + t->n;
    current = t->vcpu;
    cpu_info()->cpu = t->vcpu->cpu;
    pthread_barrier_wait(&start);
    for (unsigned i = 0; i < calls; i++)
        t->one_call(t->n, &state);
    check(!fake_irqs_off);
    return NULL;
}

void threads_run(struct vcpu *const vcpu[THREADS], void (*one_call)(unsigned n, unsigned *state))
{
    struct thread threads[THREADS];
    pthread_barrier_init(&start, NULL, THREADS);
    for (unsigned n = 0; n < THREADS; n++) {
        threads[n] = (struct thread){.n = n, .vcpu = vcpu[n], .one_call = one_call};
        check(!pthread_create(&threads[n].thread, NULL, run, &threads[n]));
    }
    for (unsigned n = 0; n < THREADS; n++)
        pthread_join(threads[n].thread, NULL);
    pthread_barrier_destroy(&start);
}

void threads_arguments(int count, char **arguments, unsigned usual_calls)
{
    seed = count > 1 ? (unsigned)atoi(arguments[1]) : seed;
    calls = count > 2 ? (unsigned)atoi(arguments[2]) : usual_calls;
    printf("seed %u, %u calls of each thread\n", seed, calls);
    alarm(200);
}
