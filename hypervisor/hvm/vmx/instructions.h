/*
 * The instructions of VT-x, and others that only ring 0 may rely on. Source: Intel SDM volume 3, chapter 30. Unit tests
 * have others in their place.
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

/* Of the GDT, or the IDT. */
static inline uint64_t table_base(bool idt)
{
    struct __packed {
        uint16_t limit;
        uint64_t base;
    } table;
    if (idt)
        __asm__ volatile("sidt %0" : "=m"(table));
    else
        __asm__ volatile("sgdt %0" : "=m"(table));
    return table.base;
}

/* What ended a guest's run is the host's: to its own handlers, interrupts off. */
static inline void host_nmi(void)
{
    __asm__ volatile("int $2" ::: "memory");
}
static inline void host_machine_check(void)
{
    __asm__ volatile("int $18" ::: "memory");
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
