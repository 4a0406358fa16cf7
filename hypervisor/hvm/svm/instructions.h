/*
 * The instructions of SVM that C uses. Source: AMD APM volume 3. Unit tests have others in their place.
 */
#ifndef HV_SVM_INSTRUCTIONS_H
#define HV_SVM_INSTRUCTIONS_H

#include <hv/types.h>

static inline void vmsave(paddr_t block)
{
    __asm__ volatile("vmsave %%rax" ::"a"(block) : "memory");
}
static inline void invlpga(uint64_t linear, uint32_t asid)
{
    __asm__ volatile("invlpga %%rax, %%ecx" ::"a"(linear), "c"(asid) : "memory");
}

#endif
