/*
 * What VMRUN requires of a control block, rule by rule. Source: AMD APM volume 2, 15.5.1 (canonicalization and
 * consistency checks), 15.20 (event injection), 15.25.3 (nested paging).
 *
 * The processor checks too and says no more than "invalid"; emulators of it leave rules out.
 */
#include "../entry_rule.h"

#include <hv/cpu.h>
#include <hv/hvm_mtrr.h>
#include <hv/svm.h>
#include <hv/traps.h>

#define CR0_NW         0x20000000UL
#define CR0_CD         0x40000000UL
#define EFER_SVME      0x1000UL
#define EFER_RESERVED  (~0xfd01UL & ~0x200000UL) /* SCE, LME, LMA, NXE, SVME, LMSLE, FFXSR, TCE; AIBRSE */
#define CR4_RESERVED   0xffffffffff088000UL      /* bits 15, 19 and from 24 on */
#define CR3_RESERVED   0xfff0000000000000UL
#define MSR_MAP_BYTES  8192UL
#define IO_MAP_BYTES   12288UL
#define EVENT_RESERVED 0x7ffff000UL

static bool within(uint64_t physical, uint64_t bytes)
{
    return !((physical + bytes - 1) >> cpu_features.physical_address_bits);
}

static const char *check_registers(const struct vmcb *b)
{
    RULE(b->efer & EFER_SVME, "15.5.1: EFER.SVME");
    RULE(b->cr0 & CR0_CD || !(b->cr0 & CR0_NW), "15.5.1: CR0.NW without CD");
    RULE(!(b->cr0 >> 32), "15.5.1: CR0 above bit 31");
    RULE(!(b->cr3 & CR3_RESERVED), "15.5.1: reserved bits of CR3");
    RULE(!(b->cr4 & CR4_RESERVED), "15.5.1: reserved bits of CR4");
    RULE(!(b->dr6 >> 32), "15.5.1: DR6 above bit 31");
    RULE(!(b->dr7 >> 32), "15.5.1: DR7 above bit 31");
    RULE(!(b->efer & EFER_RESERVED), "15.5.1: reserved bits of EFER");
    RULE(memory_types_ok(b->pat, PAT_TYPES), "15.25.3: PAT");
    return NULL;
}

static const char *check_mode(const struct vmcb *b)
{
    bool long_paging = b->efer & EFER_LME && b->cr0 & X86_CR0_PG;
    const uint16_t both = SEG_ATTR_L | SEG_ATTR_DB;
    RULE(!long_paging || b->cr4 & X86_CR4_PAE, "15.5.1: long mode without PAE");
    RULE(!long_paging || b->cr0 & X86_CR0_PE, "15.5.1: long mode without protection");
    RULE(!long_paging || (b->cs.attributes & both) != both, "15.5.1: CS with L and D");
    return NULL;
}

static const char *check_controls(const struct vmcb *b)
{
    RULE(b->intercept_2 & SVM_VMRUN, "15.5.1: VMRUN is not intercepted");
    RULE(b->asid != 0, "15.5.1: ASID 0");
    RULE(within(b->msr_map, MSR_MAP_BYTES), "15.5.1: address of the MSR map");
    RULE(within(b->io_map, IO_MAP_BYTES), "15.5.1: address of the I/O map");
    RULE(within(b->nested_root, 1), "15.25.3: nested root");
    return NULL;
}

const char *svm_broken_event(const struct vmcb *b)
{
    uint64_t event = b->event_injection;
    unsigned kind = event >> SVM_EVENT_KIND_SHIFT & 7, vector = event & SVM_EVENT_VECTOR;
    if (!(event & SVM_EVENT_VALID))
        return NULL;
    RULE(kind == HVM_EVENT_EXTERNAL || kind == HVM_EVENT_NMI || kind == HVM_EVENT_EXCEPTION ||
             kind == HVM_EVENT_SOFTWARE,
         "15.20: type of the event");
    RULE(kind != HVM_EVENT_EXCEPTION || (vector < 32 && vector != TRAP_nmi), "15.20: an exception's vector");
    RULE(!(event & EVENT_RESERVED), "15.20: reserved bits of the event");
    RULE(!(event & SVM_EVENT_ERROR_VALID) || (kind == HVM_EVENT_EXCEPTION && trap_has_error_code(vector)),
         "15.20: an error code for an event that has none");
    return NULL;
}

const char *svm_broken_rule(const struct vmcb *b)
{
    static const char *(*const checks[])(const struct vmcb *b) = {check_registers, check_mode, check_controls,
                                                                  svm_broken_event};
    for (unsigned i = 0; i < ARRAY_SIZE(checks); i++) {
        const char *broken = checks[i](b);
        if (unlikely(broken != NULL))
            return broken;
    }
    return NULL;
}
