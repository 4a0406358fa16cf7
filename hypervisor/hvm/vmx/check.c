/*
 * What VM entry requires of a VMCS, rule by rule, in the manual's order. Source: Intel SDM volume 3, 26.2 and 26.3.
 *
 * The processor checks too, but it only says "invalid guest state", emulators of it leave rules out, and a rule of the
 * host's state that is broken is noticed when the guest leaves. Rules of what we never switch on are not here: SMM,
 * SGX, posted interrupts, shadow VMCSs and the like; nor those of host fields that are written once from constants.
 */
#include "../entry_rule.h"
#include "vmcs.h"

#include <hv/cpu.h>
#include <hv/hvm_mtrr.h>
#include <hv/traps.h>

#define SWITCHED_PROCESSOR (CPU_INTERRUPT_WINDOW | CPU_NMI_WINDOW | CPU_RDTSC_EXIT | CPU_DR_EXIT)
#define EVENT_RESERVED     0x7ffff000U
#define EVENT_TYPE_OTHER   7U
#define ERROR_CODE_BITS    0xffffUL
#define LONGEST            15U
#define EPT_RESERVED       0xf80UL
#define EPT_WALK           0x3fUL /* memory type and length of the walk */
#define EPT_WALK_OURS      0x1eUL /* write-back, four levels */
#define EFER_DEFINED       (EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE)
#define RFLAGS_RESERVED    0xffffffffffc08028UL
#define RFLAGS_ONE         0x2UL
#define DEBUG_RESERVED     0xfffffffffffeaff0UL /* bits 4-11, 13, 15 and from 17 on */
#define DEBUG_RTM          0x10000UL

static bool within(uint64_t physical)
{
    return !(physical >> cpu_features.physical_address_bits);
}

static bool fixed_bits_ok(uint64_t value, uint64_t ones, uint64_t may)
{
    return (value & ones) == ones && !(value & ~may);
}

/* ---- what the rules of the guest's state hang on ---- */

static bool long_mode(void)
{
    return vmread(VMCS_ENTRY_CONTROLS) & VMENTRY_LONG_MODE;
}

static bool protected_mode(void)
{
    return vmread(VMCS_GUEST_CR0) & X86_CR0_PE;
}

static bool virtual_8086(void)
{
    return vmread(VMCS_GUEST_RFLAGS) & X86_EFLAGS_VM;
}

/* ---- 26.2.1: controls ---- */

static const char *check_controls(void)
{
    const struct vmx_capabilities *c = &vmx_capabilities;
    uint64_t ept = vmread(VMCS_EPT_POINTER), bitmap = vmread(VMCS_MSR_BITMAP);
    RULE(vmread(VMCS_PIN_CONTROLS) == c->pin, "26.2.1.1: pin-based controls");
    RULE(!((vmread(VMCS_PROCESSOR_CONTROLS) ^ c->processor) & ~(uint64_t)SWITCHED_PROCESSOR),
         "26.2.1.1: processor-based controls");
    RULE(vmread(VMCS_SECONDARY_CONTROLS) == c->secondary, "26.2.1.1: secondary controls");
    RULE(vmread(VMCS_CR3_TARGET_COUNT) <= 4, "26.2.1.1: CR3-target count");
    RULE(!(bitmap & ~PAGE_MASK) && within(bitmap), "26.2.1.1: address of the MSR bitmap");
    RULE(vmread(VMCS_VPID) != 0, "26.2.1.1: VPID 0");
    RULE((ept & EPT_WALK) == EPT_WALK_OURS && !(ept & EPT_RESERVED) && within(ept), "26.2.1.1: EPT pointer");
    RULE(vmread(VMCS_EXIT_CONTROLS) == c->exit, "26.2.1.2: VM-exit controls");
    RULE(!vmread(VMCS_EXIT_MSR_STORE_COUNT) && !vmread(VMCS_EXIT_MSR_LOAD_COUNT), "26.2.1.2: lists of MSRs");
    RULE(!((vmread(VMCS_ENTRY_CONTROLS) ^ c->entry) & ~(uint64_t)VMENTRY_LONG_MODE), "26.2.1.3: VM-entry controls");
    RULE(!vmread(VMCS_ENTRY_MSR_LOAD_COUNT), "26.2.1.3: list of MSRs");
    return NULL;
}

/* 26.2.1.3. With CET an error code for vector 21 would be allowed; guests have none. */
static bool wants_error_code(unsigned type, unsigned vector)
{
    const uint32_t vectors = 1U << TRAP_double_fault | 1U << TRAP_invalid_tss | 1U << TRAP_no_segment |
                             1U << TRAP_stack_error | 1U << TRAP_gp_fault | 1U << TRAP_page_fault |
                             1U << TRAP_alignment_check;
    return type == HVM_EVENT_EXCEPTION && vector < 32 && vectors >> vector & 1 && protected_mode();
}

static const char *check_event(void)
{
    uint32_t field = (uint32_t)vmread(VMCS_ENTRY_EVENT);
    unsigned type = field >> EVENT_TYPE_SHIFT & EVENT_TYPE, vector = field & EVENT_VECTOR;
    uint64_t length = vmread(VMCS_ENTRY_LENGTH);
    if (!(field & EVENT_VALID))
        return NULL;
    RULE(type != 1 && type != EVENT_TYPE_OTHER, "26.2.1.3: type of the event");
    RULE(type != HVM_EVENT_NMI || vector == TRAP_nmi, "26.2.1.3: an NMI's vector");
    RULE(type != HVM_EVENT_EXCEPTION || vector < 32, "26.2.1.3: an exception's vector");
    RULE(!!(field & EVENT_HAS_ERROR) == wants_error_code(type, vector),
         "26.2.1.3: the event's error code, or its lack");
    RULE(!(field & EVENT_RESERVED), "26.2.1.3: reserved bits of the event");
    RULE(!(field & EVENT_HAS_ERROR) || !(vmread(VMCS_ENTRY_ERROR_CODE) & ~ERROR_CODE_BITS),
         "26.2.1.3: bits of the error code");
    RULE(!vmx_event_is_software(field) || (length >= 1 && length <= LONGEST), "26.2.1.3: length of the instruction");
    return NULL;
}

/* ---- 26.2.2 to 26.2.4: host ---- */

static bool host_efer_ok(uint64_t efer)
{
    return !(efer & ~(uint64_t)EFER_DEFINED) && (efer & (EFER_LMA | EFER_LME)) == (EFER_LMA | EFER_LME);
}

static const char *check_host_registers(void)
{
    const struct vmx_capabilities *c = &vmx_capabilities;
    uint64_t cr4 = vmread(VMCS_HOST_CR4);
    RULE(fixed_bits_ok(vmread(VMCS_HOST_CR0), c->cr0_fixed0, c->cr0_fixed1), "26.2.2: host CR0");
    RULE(fixed_bits_ok(cr4, c->cr4_fixed0, c->cr4_fixed1), "26.2.2: host CR4");
    RULE(within(vmread(VMCS_HOST_CR3)), "26.2.2: host CR3");
    RULE(is_canonical(vmread(VMCS_HOST_SYSENTER_ESP)) && is_canonical(vmread(VMCS_HOST_SYSENTER_EIP)),
         "26.2.2: host SYSENTER");
    RULE(memory_types_ok(vmread(VMCS_HOST_PAT), PAT_TYPES), "26.2.2: host PAT");
    RULE(host_efer_ok(vmread(VMCS_HOST_EFER)), "26.2.2: host EFER");
    RULE(cr4 & X86_CR4_PAE, "26.2.4: host CR4.PAE");
    RULE(is_canonical(vmread(VMCS_HOST_RIP)), "26.2.4: host RIP");
    return NULL;
}

static const char *check_host_segments(void)
{
    static const uint16_t selector[] = {VMCS_HOST_ES_SELECTOR, VMCS_HOST_CS_SELECTOR, VMCS_HOST_SS_SELECTOR,
                                        VMCS_HOST_DS_SELECTOR, VMCS_HOST_FS_SELECTOR, VMCS_HOST_GS_SELECTOR,
                                        VMCS_HOST_TR_SELECTOR};
    static const uint16_t base[] = {VMCS_HOST_FS_BASE, VMCS_HOST_GS_BASE, VMCS_HOST_TR_BASE, VMCS_HOST_GDTR_BASE,
                                    VMCS_HOST_IDTR_BASE};
    for (unsigned i = 0; i < ARRAY_SIZE(selector); i++)
        RULE(!(vmread(selector[i]) & 7), "26.2.3: a host selector's level or table");
    RULE(vmread(VMCS_HOST_CS_SELECTOR) && vmread(VMCS_HOST_TR_SELECTOR), "26.2.3: host CS or TR is null");
    for (unsigned i = 0; i < ARRAY_SIZE(base); i++)
        RULE(is_canonical(vmread(base[i])), "26.2.3: a host base");
    return NULL;
}

/* ---- 26.3.1.1: control registers, debug registers, MSRs ---- */

static bool guest_cr0_ok(uint64_t cr0)
{
    const struct vmx_capabilities *c = &vmx_capabilities;
    return fixed_bits_ok(cr0, c->cr0_fixed0 & ~(X86_CR0_PE | X86_CR0_PG), c->cr0_fixed1);
}

static const char *check_registers(void)
{
    const struct vmx_capabilities *c = &vmx_capabilities;
    uint64_t cr0 = vmread(VMCS_GUEST_CR0), cr4 = vmread(VMCS_GUEST_CR4), efer = vmread(VMCS_GUEST_EFER);
    bool is_long = long_mode();
    RULE(guest_cr0_ok(cr0), "26.3.1.1: CR0");
    RULE(!(cr0 & X86_CR0_PG) || cr0 & X86_CR0_PE, "26.3.1.1: CR0.PG without PE");
    RULE(fixed_bits_ok(cr4, c->cr4_fixed0, c->cr4_fixed1), "26.3.1.1: CR4");
    RULE(vmread(VMCS_GUEST_DEBUGCTL) == 0, "26.3.1.1: DEBUGCTL");
    RULE(!is_long || (cr0 & X86_CR0_PG && cr4 & X86_CR4_PAE), "26.3.1.1: long mode without paging or PAE");
    RULE(is_long || !(cr4 & X86_CR4_PCIDE), "26.3.1.1: CR4.PCIDE outside of long mode");
    RULE(within(vmread(VMCS_GUEST_CR3)), "26.3.1.1: CR3");
    RULE(!(vmread(VMCS_GUEST_DR7) >> 32), "26.3.1.1: DR7");
    RULE(is_canonical(vmread(VMCS_GUEST_SYSENTER_ESP)) && is_canonical(vmread(VMCS_GUEST_SYSENTER_EIP)),
         "26.3.1.1: SYSENTER");
    RULE(memory_types_ok(vmread(VMCS_GUEST_PAT), PAT_TYPES), "26.3.1.1: PAT");
    RULE(!(efer & ~(uint64_t)EFER_DEFINED), "26.3.1.1: reserved bits of EFER");
    RULE(!!(efer & EFER_LMA) == is_long, "26.3.1.1: EFER.LMA against the entry control");
    RULE(!(cr0 & X86_CR0_PG) || !!(efer & EFER_LMA) == !!(efer & EFER_LME), "26.3.1.1: EFER.LMA against LME");
    return NULL;
}

/* ---- 26.3.1.2: segments ---- */

enum { AT_ES, AT_CS, AT_SS, AT_DS, AT_FS, AT_GS, AT_LDTR, AT_TR, SEGMENTS }; /* the VMCS's order */

#define RIGHTS_TYPE      0x0fU
#define RIGHTS_S         0x10U
#define RIGHTS_PRESENT   0x80U
#define RIGHTS_L         0x2000U
#define RIGHTS_DB        0x4000U
#define RIGHTS_G         0x8000U
#define RIGHTS_UNUSABLE  0x10000U
#define RIGHTS_RESERVED  0xfffe0f00U
#define RIGHTS_V8086     0xf3U
#define TYPE_WRITABLE_RO 3U  /* data, read and write, accessed */
#define TYPE_DOWN        7U  /* the same, expand-down */
#define TYPE_CODE        9U  /* code, accessed; also 11, which may be read */
#define TYPE_CONFORMING  13U /* and 15 */
#define TYPE_CODE_BIT    8U
#define TYPE_READABLE    2U
#define TYPE_BUSY_TSS16  3U
#define TYPE_BUSY_TSS    11U
#define TYPE_LDT         2U
#define DPL_OF(rights)   ((rights) >> 5 & 3)

struct segment {
    uint16_t selector;
    uint32_t limit, rights;
    uint64_t base;
};

static bool usable(const struct segment *s)
{
    return !(s->rights & RIGHTS_UNUSABLE);
}

static void read_segments(struct segment s[SEGMENTS])
{
    for (unsigned i = 0; i < SEGMENTS; i++)
        s[i] = (struct segment){
            .selector = (uint16_t)vmread(VMCS_GUEST_SELECTOR + 2 * i),
            .limit = (uint32_t)vmread(VMCS_GUEST_LIMIT + 2 * i),
            .rights = (uint32_t)vmread(VMCS_GUEST_ATTRIBUTES + 2 * i),
            .base = vmread(VMCS_GUEST_BASE + 2 * i),
        };
}

static bool granularity_ok(const struct segment *s)
{
    bool g = s->rights & RIGHTS_G;
    return ((s->limit & 0xfff) == 0xfff || !g) && (!(s->limit >> 20) || g);
}

static const char *check_virtual_8086(const struct segment s[SEGMENTS])
{
    for (unsigned i = AT_ES; i <= AT_GS; i++) {
        RULE(s[i].base == (uint64_t)s[i].selector << 4, "26.3.1.2: virtual-8086 base");
        RULE(s[i].limit == 0xffff, "26.3.1.2: virtual-8086 limit");
        RULE(s[i].rights == RIGHTS_V8086, "26.3.1.2: virtual-8086 rights");
    }
    return NULL;
}

static const char *check_code(const struct segment *cs, unsigned ss_dpl)
{
    unsigned type = cs->rights & RIGHTS_TYPE, dpl = DPL_OF(cs->rights);
    bool conforming = (type | 2) == (TYPE_CONFORMING | 2), plain = (type | 2) == (TYPE_CODE | 2);
    RULE(conforming || plain || type == TYPE_WRITABLE_RO, "26.3.1.2: type of CS");
    RULE(cs->rights & RIGHTS_S && cs->rights & RIGHTS_PRESENT && usable(cs), "26.3.1.2: CS is none, or not present");
    RULE(type != TYPE_WRITABLE_RO || !dpl, "26.3.1.2: level of CS that is data");
    RULE(!plain || dpl == ss_dpl, "26.3.1.2: level of CS");
    RULE(!conforming || dpl <= ss_dpl, "26.3.1.2: level of conforming CS");
    RULE(!(long_mode() && cs->rights & RIGHTS_L && cs->rights & RIGHTS_DB), "26.3.1.2: CS with L and D");
    return NULL;
}

static const char *check_stack(const struct segment *ss, const struct segment *cs)
{
    unsigned type = ss->rights & RIGHTS_TYPE;
    RULE(!usable(ss) || type == TYPE_WRITABLE_RO || type == TYPE_DOWN, "26.3.1.2: type of SS");
    RULE(!DPL_OF(ss->rights) || ((cs->rights & RIGHTS_TYPE) != TYPE_WRITABLE_RO && protected_mode()),
         "26.3.1.2: level of SS");
    return NULL;
}

static const char *check_data(const struct segment *s)
{
    unsigned type = s->rights & RIGHTS_TYPE;
    RULE(type & 1, "26.3.1.2: a data segment not accessed");
    RULE(!(type & TYPE_CODE_BIT) || type & TYPE_READABLE, "26.3.1.2: a data segment that cannot be read");
    return NULL;
}

/* The rules that CS, SS, DS, ES, FS and GS share. */
static const char *check_usable(const struct segment *s, bool wide_base)
{
    RULE(wide_base || !(s->base >> 32), "26.3.1.2: base above 4 GiB");
    RULE(s->rights & RIGHTS_S && s->rights & RIGHTS_PRESENT, "26.3.1.2: a segment is none, or not present");
    RULE(!(s->rights & RIGHTS_RESERVED), "26.3.1.2: reserved bits of rights");
    RULE(granularity_ok(s), "26.3.1.2: granularity against limit");
    return NULL;
}

static const char *check_protected(const struct segment s[SEGMENTS])
{
    const char *broken = check_code(&s[AT_CS], DPL_OF(s[AT_SS].rights));
    if (!broken)
        broken = check_stack(&s[AT_SS], &s[AT_CS]);
    for (unsigned i = AT_ES; i <= AT_GS && !broken; i++) {
        bool data = i != AT_CS && i != AT_SS, wide = i == AT_FS || i == AT_GS;
        if (!usable(&s[i]))
            continue;
        broken = check_usable(&s[i], wide);
        if (!broken && data)
            broken = check_data(&s[i]);
    }
    return broken;
}

static const char *check_system(const struct segment *ldtr, const struct segment *tr)
{
    unsigned type = tr->rights & RIGHTS_TYPE;
    RULE(!(tr->selector & 4), "26.3.1.2: TR in the LDT");
    RULE(is_canonical(tr->base), "26.3.1.2: base of TR");
    RULE(type == TYPE_BUSY_TSS || (type == TYPE_BUSY_TSS16 && !long_mode()), "26.3.1.2: type of TR");
    RULE((tr->rights & (RIGHTS_S | RIGHTS_PRESENT)) == RIGHTS_PRESENT && usable(tr), "26.3.1.2: TR is none");
    RULE(!(tr->rights & RIGHTS_RESERVED) && granularity_ok(tr), "26.3.1.2: rights of TR");
    if (!usable(ldtr))
        return NULL;
    RULE(!(ldtr->selector & 4), "26.3.1.2: LDTR in the LDT");
    RULE(is_canonical(ldtr->base), "26.3.1.2: base of LDTR");
    RULE((ldtr->rights & (RIGHTS_TYPE | RIGHTS_S | RIGHTS_PRESENT)) == (TYPE_LDT | RIGHTS_PRESENT),
         "26.3.1.2: type of LDTR");
    RULE(!(ldtr->rights & RIGHTS_RESERVED) && granularity_ok(ldtr), "26.3.1.2: rights of LDTR");
    return NULL;
}

static const char *check_segments(void)
{
    struct segment s[SEGMENTS];
    read_segments(s);
    RULE(is_canonical(s[AT_FS].base) && is_canonical(s[AT_GS].base), "26.3.1.2: base of FS or GS");
    const char *broken = virtual_8086() ? check_virtual_8086(s) : check_protected(s);
    return broken ? broken : check_system(&s[AT_LDTR], &s[AT_TR]);
}

static const char *check_tables(void)
{
    RULE(is_canonical(vmread(VMCS_GUEST_GDTR_BASE)) && is_canonical(vmread(VMCS_GUEST_IDTR_BASE)),
         "26.3.1.3: base of GDTR or IDTR");
    RULE(!(vmread(VMCS_GUEST_GDTR_LIMIT) >> 16) && !(vmread(VMCS_GUEST_IDTR_LIMIT) >> 16),
         "26.3.1.3: limit of GDTR or IDTR");
    return NULL;
}

/* ---- 26.3.1.4: RIP and RFLAGS ---- */

/* Behind the last instruction below the hole RIP is not canonical, and may be: only bits 63 to 48 must agree. */
static bool same_upper_bits(uint64_t rip)
{
    return !(rip >> 48) || !(~rip >> 48);
}

static const char *check_flow(void)
{
    uint64_t rip = vmread(VMCS_GUEST_RIP), rflags = vmread(VMCS_GUEST_RFLAGS);
    uint32_t event = (uint32_t)vmread(VMCS_ENTRY_EVENT);
    bool code_64 = long_mode() && vmread(VMCS_GUEST_ATTRIBUTES + 2 * AT_CS) & RIGHTS_L;
    bool interrupt = event & EVENT_VALID && (event >> EVENT_TYPE_SHIFT & EVENT_TYPE) == HVM_EVENT_EXTERNAL;
    RULE(code_64 ? same_upper_bits(rip) : !(rip >> 32), "26.3.1.4: RIP");
    RULE(!(rflags & RFLAGS_RESERVED) && rflags & RFLAGS_ONE, "26.3.1.4: reserved bits of RFLAGS");
    RULE(!(rflags & X86_EFLAGS_VM) || (!long_mode() && protected_mode()), "26.3.1.4: RFLAGS.VM");
    RULE(!interrupt || rflags & X86_EFLAGS_IF, "26.3.1.4: an interrupt while RFLAGS.IF is 0");
    return NULL;
}

/* ---- 26.3.1.5: what is no register ---- */

static const char *check_blocking(uint64_t blocked)
{
    const uint64_t shadow = INTERRUPTIBILITY_STI | INTERRUPTIBILITY_MOV_SS;
    uint32_t event = (uint32_t)vmread(VMCS_ENTRY_EVENT);
    unsigned type = event & EVENT_VALID ? event >> EVENT_TYPE_SHIFT & EVENT_TYPE : EVENT_TYPE;
    RULE(!(blocked & ~(shadow | INTERRUPTIBILITY_NMI)), "26.3.1.5: bits of the interruptibility state");
    RULE((blocked & shadow) != shadow, "26.3.1.5: blocking by STI and by MOV SS");
    RULE(!(blocked & INTERRUPTIBILITY_STI) || vmread(VMCS_GUEST_RFLAGS) & X86_EFLAGS_IF,
         "26.3.1.5: blocking by STI while RFLAGS.IF is 0");
    RULE(type != HVM_EVENT_EXTERNAL || !(blocked & shadow), "26.3.1.5: an interrupt that is blocked");
    RULE(type != HVM_EVENT_NMI || !(blocked & (shadow | INTERRUPTIBILITY_NMI)), "26.3.1.5: an NMI that is blocked");
    return NULL;
}

static const char *check_activity(void)
{
    const uint64_t shadow = INTERRUPTIBILITY_STI | INTERRUPTIBILITY_MOV_SS;
    uint64_t blocked = vmread(VMCS_GUEST_INTERRUPTIBILITY), debug = vmread(VMCS_GUEST_PENDING_DEBUG);
    bool traps = vmread(VMCS_GUEST_RFLAGS) & X86_EFLAGS_TF, steps = debug & PENDING_DEBUG_STEP;
    RULE(vmread(VMCS_GUEST_ACTIVITY) == 0, "26.3.1.5: activity state");
    const char *broken = check_blocking(blocked);
    if (broken)
        return broken;
    RULE(!(debug & DEBUG_RESERVED), "26.3.1.5: reserved bits of the pending debug exceptions");
    RULE(!(blocked & shadow) || traps == steps, "26.3.1.5: pending single step against RFLAGS.TF");
    RULE(!(debug & DEBUG_RTM), "26.3.1.5: a pending debug exception in a transaction");
    RULE(vmread(VMCS_LINK_POINTER) == ~0UL, "26.3.1.5: link pointer");
    return NULL;
}

/* ---- 26.3.1.6: page-directory pointers ---- */

static const char *check_pdptes(void)
{
    bool pae = vmread(VMCS_GUEST_CR0) & X86_CR0_PG && vmread(VMCS_GUEST_CR4) & X86_CR4_PAE && !long_mode();
    for (unsigned i = 0; pae && i < 4; i++) {
        uint64_t entry = vmread(VMCS_GUEST_PDPTE0 + 2 * i);
        RULE(!(entry & 1) || (!(entry & PAE_ROOT_ENTRY_RESERVED) && within(entry)),
             "26.3.1.6: a page-directory pointer");
    }
    return NULL;
}

const char *vmx_broken_rule(void)
{
    static const char *(*const checks[])(void) = {
        check_controls, check_event,  check_host_registers, check_host_segments, check_registers,
        check_segments, check_tables, check_flow,           check_activity,      check_pdptes,
    };
    for (unsigned i = 0; i < ARRAY_SIZE(checks); i++) {
        const char *broken = checks[i]();
        if (unlikely(broken != NULL))
            return broken;
    }
    return NULL;
}
