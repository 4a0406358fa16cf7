/*
 * A processor for each thread (fake/thread_cpu), and interrupts that are off for it (fake/threads).
 */
#include <hv/percpu.h>
#include <hv/spinlock.h>

__attribute__((weak)) __thread unsigned fake_irqs_off;
static __thread struct real_cpu_info info;

__attribute__((weak)) struct real_cpu_info *cpu_info(void)
{
    return &info;
}
