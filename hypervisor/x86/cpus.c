/*
 * The processors of this machine, the stack of the first, and where the loader put the image.
 */
#include <hv/boot.h>
#include <hv/percpu.h>

struct cpu cpus[NR_CPUS];
unsigned cpu_count = 1;

char boot_cpu_stack[STACK_SIZE] __attribute__((aligned(STACK_SIZE), section(".bss.stack")));
paddr_t image_physical_base;
