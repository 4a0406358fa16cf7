/*
 * One fault of each kind that the hypervisor has to stop at with a readable dump.
 */
#include <hv/bootinfo.h>
#include <hv/console.h>
#include <hv/irq.h>
#include <hv/lib.h>
#include <hv/pagetable.h>
#include <hv/provoke.h>
#include <hv/spinlock.h>

static volatile unsigned depth_limit = ~0U;

static __noinline unsigned run_over(unsigned depth)
{
    volatile unsigned here[64] = {depth};
    return depth < depth_limit ? run_over(depth + 1) + here[0] : 0;
}

static void stack_overflow(void)
{
    run_over(0);
}

/* On the stack of another CPU, in an interrupt handler. */
static void run_over_there(void *data)
{
    run_over(0);
}

static void other_stack_overflow(void)
{
    call_on_other_cpus(run_over_there, NULL);
}

static __noinline void write_beyond(volatile char *array, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        array[i] = 'x';
}

static void canary(void)
{
    char array[16];
    write_beyond(array, 24); /* the guard, and not the frame that the dump goes by */
}

static void guest_page(void)
{
    (void)*(volatile unsigned long *)M2P_RO_VA;
}

static void lock_order(void)
{
    static struct spinlock outer = SPINLOCK_INIT(LOCK_DOMAIN), inner = SPINLOCK_INIT(LOCK_PAGE_TABLES);
    spin_lock(&inner);
    spin_lock(&outer);
}

static void undefined(void)
{
    static volatile int shift = 40;
    log_info("%u", 1U << shift);
}

static const struct {
    const char *name;
    void (*make)(void);
} faults[] = {
    {"stack", stack_overflow},  {"other-stack", other_stack_overflow},
    {"canary", canary},         {"guest-page", guest_page},
    {"lock-order", lock_order}, {"undefined", undefined},
};

void provoke_fault(void)
{
    const char *wanted = strstr(bootinfo.cmdline, "provoke=");
    for (unsigned i = 0; wanted && i < ARRAY_SIZE(faults); i++) {
        const char *name = wanted + strlen("provoke=");
        size_t length = strlen(faults[i].name);
        if (!strncmp(name, faults[i].name, length) && (!name[length] || name[length] == ' '))
            faults[i].make();
    }
}
