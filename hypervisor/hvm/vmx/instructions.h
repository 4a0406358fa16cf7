/*
 * The instructions of VT-x. Source: Intel SDM volume 3, chapter 30. Unit tests have others in their place.
 */
#ifndef HV_VMX_INSTRUCTIONS_H
#define HV_VMX_INSTRUCTIONS_H

#include <hv/lib.h>
#include <hv/types.h>

/* Interrupts do not matter: no interrupt handler touches a VMCS. A field the processor does not know is our fault. */
void vmcs_access_failed(const char *how, unsigned long field) __noreturn;
static inline uint64_t vmread(unsigned long field)
{
    uint64_t value;
    bool failed;
    __asm__ volatile("vmread %2, %0" : "=r"(value), "=@ccbe"(failed) : "r"(field));
    if (unlikely(failed))
        vmcs_access_failed("vmread", field);
    return value;
}
static inline void vmwrite(unsigned long field, uint64_t value)
{
    bool failed;
    __asm__ volatile("vmwrite %2, %1" : "=@ccbe"(failed) : "r"(field), "rm"(value));
    if (unlikely(failed))
        vmcs_access_failed("vmwrite", field);
}

/* The others are false when they fail. */
static inline bool vmxon(paddr_t region)
{
    bool failed;
    __asm__ volatile("vmxon %1" : "=@ccbe"(failed) : "m"(region) : "memory");
    return !failed;
}
static inline bool vmptrld(paddr_t vmcs)
{
    bool failed;
    __asm__ volatile("vmptrld %1" : "=@ccbe"(failed) : "m"(vmcs) : "memory");
    return !failed;
}
static inline bool vmclear(paddr_t vmcs)
{
    bool failed;
    __asm__ volatile("vmclear %1" : "=@ccbe"(failed) : "m"(vmcs) : "memory");
    return !failed;
}

struct invalidation {
    uint64_t context, address;
};
#define INVALIDATE_ADDRESS 0UL /* INVVPID */
#define INVALIDATE_ONE     1UL /* one VPID, one EPT pointer */

static inline bool invept(uint64_t kind, struct invalidation what)
{
    bool failed;
    __asm__ volatile("invept %1, %2" : "=@ccbe"(failed) : "m"(what), "r"(kind) : "memory");
    return !failed;
}
static inline bool invvpid(uint64_t kind, struct invalidation what)
{
    bool failed;
    __asm__ volatile("invvpid %1, %2" : "=@ccbe"(failed) : "m"(what), "r"(kind) : "memory");
    return !failed;
}

#endif
