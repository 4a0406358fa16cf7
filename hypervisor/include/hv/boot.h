/*
 * Steps of the boot, in the order boot/boot.c calls them, where no other header has them.
 */
#ifndef HV_BOOT_H
#define HV_BOOT_H

#include <hv/types.h>

/* x86/bootinfo.c: the loader's data into `bootinfo`; false if the loader is not Multiboot2. */
bool bootinfo_parse(uint32_t magic, paddr_t info);
/* After the console is up: complaints about options, what was found. */
void bootinfo_report(void);

/* boot/boot_policy.c: puts the policy in force that the loader brought, if any. Before Domain-0 is built, which frees
 * the modules. */
struct boot_module;
void boot_policy(void);
bool is_policy_module(const struct boot_module *m);

/* x86/cpu_features.c */
void cpu_features_init(void);
void cpu_features_init_cpu(void);

/* Physical address the image was loaded at (boot/start.S finds it), and its linker-script bounds. */
extern paddr_t image_physical_base;
extern char image_start[], image_end[], text_start[], text_end[], rodata_start[], rodata_end[], data_start[], bss_end[];
extern char boot_cpu_stack[]; /* the whole block, x86/cpus.c */
static inline paddr_t image_to_paddr(const void *p)
{
    return (paddr_t)((const char *)p - image_start) + image_physical_base;
}

#endif
