/*
 * Instructions of ring 0 in a PV guest, kernel and program: what each leaves in registers, memory and the vcpu, and
 * which are a fault. The real pv/privileged.c, pv/fetch.c and pv/bounce.c.
 */
#include "../../check.h"
#include "../fake/default.h"
#include <hv/console.h>
#include <hv/cpu.h>
#include <hv/cpu_policy.h>
#include <hv/domain.h>
#include <hv/guest_copy.h>
#include <hv/pv.h>
#include <hv/pv_internal.h>
#include <hv/sched.h>
#include <hv/time.h>
#include <hv/xstate.h>
#include <string.h>
#include <sys/mman.h>

#define ENTRY    0x1000UL /* of the guest's kernel for #GP, and for #UD and #PF: */
#define ENTRY_UD 0x2000UL
#define ENTRY_PF 0x3000UL
#define NOWHERE  0x10UL /* no memory of the guest's */
#define OURS     0xffff820000000000UL
#define CR0      (X86_CR0_PE | X86_CR0_MP | X86_CR0_NE | X86_CR0_WP | X86_CR0_PG)
#define LEFT     0xdeadbeefcafef00dUL /* in registers, before */

static struct domain guest = {.id = 1};
static struct vcpu v = {.domain = &guest};
static uint64_t stack[64] __attribute__((aligned(16)));
#define TOP ((unsigned long)(stack + 64))
static uint8_t code[16];
static unsigned crashes, blocks, flushes, port_reads, port_writes, port_size_seen, cr4_loads;
static uint16_t port_seen;
static uint32_t port_value, msr_seen;
static uint64_t msr_value, flushed_address, bases[2];
static mfn_t root_asked;
static int root_answer, xcr0_answer, debug_answer;
static bool ts_set, msr_is_there, no_debug_register;
static unsigned debug_index;

void load_guest_root(struct vcpu *vcpu)
{
}
void domain_crash(struct domain *d, const char *format, ...)
{
    crashes++;
}
bool pv_walk(struct vcpu *vcpu, unsigned long va, struct walk *found)
{
    return false;
}
void vcpu_block(void)
{
    blocks++;
}
int pv_set_root(struct vcpu *vcpu, mfn_t mfn)
{
    root_asked = mfn;
    return root_answer;
}
void xstate_set_ts(struct vcpu *vcpu, bool ts)
{
    ts_set = ts;
}
int xstate_set_xcr0(struct vcpu *vcpu, uint64_t xcr0)
{
    if (!xcr0_answer)
        vcpu->xcr0 = xcr0;
    return xcr0_answer;
}
bool pv_no_debug_register(const struct vcpu *vcpu, unsigned index)
{
    return no_debug_register;
}
int pv_set_debug_register(struct vcpu *vcpu, unsigned index, unsigned long value)
{
    debug_index = index;
    return debug_answer;
}
unsigned long pv_fix_cr4(unsigned long wanted)
{
    return wanted | X86_CR4_PAE;
}
void set_guest_cr4(const struct vcpu *vcpu)
{
    cr4_loads++;
}
bool pv_rdmsr(struct vcpu *vcpu, uint32_t msr, uint64_t *value)
{
    msr_seen = msr;
    *value = msr_value;
    return msr_is_there;
}
bool pv_wrmsr(struct vcpu *vcpu, uint32_t msr, uint64_t value)
{
    msr_seen = msr;
    msr_value = value;
    return msr_is_there;
}
uint32_t pv_port_read(struct vcpu *vcpu, uint16_t port, unsigned size)
{
    port_reads++;
    port_seen = port;
    port_size_seen = size;
    return port_value;
}
void pv_port_write(struct vcpu *vcpu, uint16_t port, unsigned size, uint32_t value)
{
    port_writes++;
    port_seen = port;
    port_size_seen = size;
    port_value = value;
}
void pv_cpuid(struct vcpu *vcpu, uint32_t leaf, uint32_t subleaf, struct cpuid *out)
{
    *out = (struct cpuid){leaf + 1, 0xb, subleaf + 2, 0xd};
}

/* A counter that is emulated at one count per nanosecond. */
static uint64_t fake_tsc(const struct domain *d)
{
    return now();
}

#define read_cr0()      (CR0)
#define rdmsr(msr)      (bases[(msr) == MSR_GS_BASE])
#define invlpg(address) ((void)(flushed_address = (address)))
#define wbinvd()        ((void)flushes++)
#include <hv/domain_tsc.h>
#define domain_tsc(d) fake_tsc(d)
#include "../../../../hypervisor/pv/privileged.c"

static void start(bool kernel)
{
    memset(&v.pv, 0, sizeof(v.pv));
    v.info = &v.info_of_ours;
    v.info->arch.cr2 = v.info->evtchn_upcall_mask = 0;
    v.pv.kernel_mode = kernel;
    v.pv.kernel_sp = TOP;
    v.pv.root_kernel = v.pv.root_user = 1;
    v.pv.trap[TRAP_gp_fault].address = ENTRY;
    v.pv.trap[TRAP_invalid_op].address = ENTRY_UD;
    v.pv.trap[TRAP_page_fault].address = ENTRY_PF;
    guest.vm_assist = 0;
    fake_regs = (struct cpu_user_regs){.rax = LEFT,
                                       .rbx = LEFT,
                                       .rcx = LEFT,
                                       .rdx = LEFT,
                                       .rsp = TOP,
                                       .cs = GUEST_CS64,
                                       .ss = GUEST_DS,
                                       .rflags = 0x202 | X86_EFLAGS_RF};
    fake_current[0] = &v;
    fake_now = 0x500000007UL;
    crashes = blocks = flushes = port_reads = port_writes = cr4_loads = 0;
    root_answer = xcr0_answer = debug_answer = 0;
    ts_set = no_debug_register = false;
    msr_is_there = true;
    root_asked = 0;
    flushed_address = 0;
}

/* The guest's instruction faults as the processor has it fault. */
static void meet(const uint8_t *at, uint32_t error_code)
{
    fake_regs.rip = (unsigned long)at;
    fake_regs.error_code = error_code;
    pv_general_protection(&fake_regs);
}

#define RUN(...)                                                                                                       \
    ({                                                                                                                 \
        const uint8_t bytes_[] = {__VA_ARGS__};                                                                        \
        memset(code, 0x90, sizeof(code));                                                                              \
        memcpy(code, bytes_, sizeof(bytes_));                                                                          \
        fake_regs.rflags |= X86_EFLAGS_RF;                                                                             \
        meet(code, 0);                                                                                                 \
        fake_regs.rip == (unsigned long)code + sizeof(bytes_) && !(fake_regs.rflags & X86_EFLAGS_RF);                  \
    })
/* The fault is the guest kernel's, at the instruction. */
#define REFUSED(...) (!RUN(__VA_ARGS__) && fake_regs.rip == ENTRY && ((uint64_t *)fake_regs.rsp)[3] == (uint64_t)code)

/* ---- Registers of ring 0 ---- */

static void control_registers_are_the_vcpus(void)
{
    start(true);
    v.pv.cr0_ts = true;
    CHECK(RUN(0x0f, 0x20, 0xc0) && fake_regs.rax == (CR0 | X86_CR0_TS)); /* mov %cr0, %rax */
    v.pv.cr0_ts = false;
    CHECK(RUN(0x0f, 0x20, 0xc3) && fake_regs.rbx == CR0);
    v.info->arch.cr2 = 0x1234;
    CHECK(RUN(0x0f, 0x20, 0xd1) && fake_regs.rcx == 0x1234); /* mov %cr2, %rcx */
    v.pv.root_kernel = 0x77;
    CHECK(RUN(0x0f, 0x20, 0xd8) && fake_regs.rax == 0x77000); /* mov %cr3, %rax */
    v.pv.cr4 = 0x99;
    CHECK(RUN(0x41, 0x0f, 0x20, 0xe7) && fake_regs.r15 == 0x99); /* mov %cr4, %r15 */
    fake_regs.rax = CR0 | X86_CR0_TS;
    CHECK(RUN(0x0f, 0x22, 0xc0) && ts_set); /* mov %rax, %cr0 */
    fake_regs.rax = CR0;
    CHECK(RUN(0x0f, 0x22, 0xc0) && !ts_set);
    fake_regs.rax = 0x4321;
    CHECK(RUN(0x0f, 0x22, 0xd0) && v.info->arch.cr2 == 0x4321);
    CHECK(RUN(0x0f, 0x22, 0xe0) && v.pv.cr4 == (0x4321 | X86_CR4_PAE) && cr4_loads == 1);
    ts_set = true;
    CHECK(RUN(0x0f, 0x06) && !ts_set); /* clts */
}

static void what_a_guest_cannot_change_in_control_registers_is_a_fault(void)
{
    start(true);
    fake_regs.rax = CR0 & ~X86_CR0_WP;
    CHECK(REFUSED(0x0f, 0x22, 0xc0));
    start(true);
    CHECK(REFUSED(0x44, 0x0f, 0x20, 0xc0)); /* mov %cr8, %rax */
    start(true);
    CHECK(REFUSED(0x0f, 0x22, 0xc8)); /* mov %rax, %cr1 */
    start(false);
    CHECK(REFUSED(0x0f, 0x20, 0xc0) && fake_regs.rax == LEFT);
}

static void a_root_table_may_take_several_entries(void)
{
    start(true);
    fake_regs.rax = 0x5a000;
    CHECK(RUN(0x0f, 0x22, 0xd8) && root_asked == 0x5a); /* mov %rax, %cr3 */
    root_answer = -ERESTART;
    RUN(0x0f, 0x22, 0xd8);
    CHECK(fake_regs.rip == (unsigned long)code && fake_regs.rax == 0x5a000);
    root_answer = -EINVAL;
    CHECK(REFUSED(0x0f, 0x22, 0xd8));
    start(true);
    fake_regs.rax = 0xfff;
    CHECK(REFUSED(0x0f, 0x22, 0xd8) && !root_asked);
}

static void debug_registers(void)
{
    start(true);
    v.pv.dr[6] = 0x66;
    v.pv.dr[7] = 0x77;
    v.pv.dr[2] = 0x22;
    CHECK(RUN(0x0f, 0x21, 0xd0) && fake_regs.rax == 0x22);
    CHECK(RUN(0x0f, 0x21, 0xf0) && fake_regs.rax == 0x66);
    CHECK(RUN(0x0f, 0x21, 0xf8) && fake_regs.rax == 0x77);
    CHECK(RUN(0x0f, 0x21, 0xe0) && fake_regs.rax == 0x66); /* DR4 is DR6 */
    CHECK(RUN(0x0f, 0x23, 0xf8) && debug_index == 7);
    debug_answer = -EPERM;
    CHECK(REFUSED(0x0f, 0x23, 0xf8));
    start(true);
    no_debug_register = true;
    RUN(0x0f, 0x21, 0xe0);
    CHECK(fake_regs.rip == ENTRY_UD && fake_regs.rax == LEFT);
}

static void msrs(void)
{
    start(true);
    msr_value = 0x1122334455667788UL;
    fake_regs.rcx = 0xffffffffc0000101UL;
    CHECK(RUN(0x0f, 0x32) && msr_seen == 0xc0000101 && fake_regs.rax == 0x55667788 && fake_regs.rdx == 0x11223344);
    fake_regs.rax = LEFT;
    fake_regs.rdx = 0x12;
    CHECK(RUN(0x0f, 0x30) && msr_value == (0x12UL << 32 | (uint32_t)LEFT));
    CHECK(RUN(0x2e, 0x0f, 0x30)); /* with a prefix it is decoded */
    msr_is_there = false;
    fake_regs.rax = fake_regs.rdx = LEFT;
    CHECK(REFUSED(0x0f, 0x32) && fake_regs.rax == LEFT && fake_regs.rdx == LEFT);
    start(true);
    msr_is_there = false;
    CHECK(REFUSED(0x0f, 0x30));
    start(false);
    msr_seen = 0;
    CHECK(REFUSED(0x0f, 0x32) && !msr_seen && fake_regs.rax == LEFT);
    start(false);
    CHECK(REFUSED(0x2e, 0x0f, 0x30) && !msr_seen);
}

static void extended_control_register(void)
{
    start(true);
    v.xcr0 = 0x200000007UL;
    fake_regs.rcx = 0;
    CHECK(RUN(0x0f, 0x01, 0xd0) && fake_regs.rax == 7 && fake_regs.rdx == 2); /* xgetbv */
    fake_regs.rax = 3, fake_regs.rdx = LEFT & ~0xffffffffUL;
    CHECK(RUN(0x0f, 0x01, 0xd1) && (uint32_t)v.xcr0 == 3); /* xsetbv */
    fake_regs.rcx = 1;
    CHECK(REFUSED(0x0f, 0x01, 0xd1));
    start(true);
    fake_regs.rcx = 0;
    xcr0_answer = -EINVAL;
    CHECK(REFUSED(0x0f, 0x01, 0xd1));
    start(false);
    fake_regs.rcx = 0;
    CHECK(REFUSED(0x0f, 0x01, 0xd1));
}

/* There is one such register; what faults has changed none. */
static void a_fault_of_xgetbv_leaves_the_registers(void)
{
    start(true);
    fake_regs.rcx = 2;
    CHECK(REFUSED(0x0f, 0x01, 0xd0) && fake_regs.rax == LEFT && fake_regs.rdx == LEFT);
}

/* ---- Time, caches, waiting ---- */

static void time_stamp_counter(void)
{
    start(true);
    v.pv.cr4 = X86_CR4_TSD;
    CHECK(RUN(0x0f, 0x31) && fake_regs.rax == 7 && fake_regs.rdx == 5);
    CHECK(RUN(0x0f, 0x01, 0xf9) && fake_regs.rcx == 0 && fake_regs.rax == 7); /* rdtscp */
    start(false);
    CHECK(RUN(0x0f, 0x31) && fake_regs.rax == 7);
    start(false);
    v.pv.cr4 = X86_CR4_TSD;
    CHECK(REFUSED(0x0f, 0x31) && fake_regs.rax == LEFT);
    start(false);
    v.pv.cr4 = X86_CR4_TSD;
    CHECK(REFUSED(0x0f, 0x01, 0xf9) && fake_regs.rcx == LEFT);
}

static void caches_and_translations(void)
{
    start(true);
    CHECK(RUN(0x0f, 0x09) && !flushes && RUN(0x0f, 0x08) && !flushes); /* wbinvd, invd: of no use without devices */
    guest.all_io = true;
    CHECK(RUN(0x0f, 0x09) && flushes == 1);
    guest.all_io = false;
    fake_regs.rdi = 0x7000;
    CHECK(RUN(0x0f, 0x01, 0x3f) && flushed_address == 0x7000); /* invlpg (%rdi) */
    fake_regs.rdi = OURS;
    CHECK(RUN(0x0f, 0x01, 0x3f) && flushed_address == 0x7000);
    start(false);
    fake_regs.rdi = 0x7000;
    CHECK(REFUSED(0x0f, 0x01, 0x3f) && !flushed_address);
}

static void halt_waits(void)
{
    start(true);
    CHECK(RUN(0xf4) && blocks == 1);
    start(false);
    CHECK(REFUSED(0xf4) && !blocks);
}

/* ---- What UMIP keeps ---- */

static void tables_are_stored_as_one_everywhere(void)
{
    struct __attribute__((packed)) {
        uint16_t limit;
        uint64_t base;
        uint16_t behind;
    } at = {.behind = 0x5a5a};
    start(false);
    fake_regs.rdi = (unsigned long)&at;
    CHECK(RUN(0x0f, 0x01, 0x07) && at.limit == 0xefff && at.base == HYPERVISOR_VIRT_START && at.behind == 0x5a5a);
    CHECK(RUN(0x0f, 0x01, 0x0f) && at.limit == 0xfff && at.base == HYPERVISOR_VIRT_START && at.behind == 0x5a5a);
    bases[1] = (unsigned long)&at;
    at.limit = 0;
    fake_regs.rdi = 0;
    CHECK(RUN(0x65, 0x0f, 0x01, 0x0f) && at.limit == 0xfff); /* sidt %gs:(%rdi) */
}

static void words_are_stored_by_the_operands_size(void)
{
    uint16_t at[2] = {0, 0x5a5a};
    start(false);
    CHECK(RUN(0x0f, 0x01, 0xe0) && fake_regs.rax == (uint32_t)CR0);                               /* smsw %eax */
    CHECK(RUN(0x48, 0x0f, 0x01, 0xe3) && fake_regs.rbx == CR0);                                   /* smsw %rbx */
    CHECK(RUN(0x66, 0x0f, 0x01, 0xe1) && fake_regs.rcx == ((LEFT & ~0xffffUL) | (CR0 & 0xffff))); /* smsw %cx */
    fake_regs.rdi = (unsigned long)at;
    CHECK(RUN(0x0f, 0x01, 0x27) && at[0] == (CR0 & 0xffff) && at[1] == 0x5a5a); /* smsw (%rdi) */
    CHECK(RUN(0x0f, 0x00, 0x0f) && at[0] == TSS_SELECTOR && at[1] == 0x5a5a);   /* str (%rdi) */
    CHECK(RUN(0x0f, 0x00, 0xc0) && fake_regs.rax == 0);                         /* sldt %eax */
    v.pv.ldt_entries = 4;
    CHECK(RUN(0x0f, 0x00, 0xc0) && fake_regs.rax == LDT_SELECTOR);
    start(true);
    CHECK(REFUSED(0x0f, 0x00, 0xd0)); /* lldt */
    start(true);
    CHECK(REFUSED(0x0f, 0x01, 0x17)); /* lgdt (%rdi) */
}

/* ---- Ports ---- */

static void ports_by_number_and_register(void)
{
    start(true);
    v.pv.iopl = 1;
    port_value = 0xa1b2c3d4;
    CHECK(RUN(0xe4, 0x60) && port_seen == 0x60 && port_size_seen == 1 && fake_regs.rax == ((LEFT & ~0xffUL) | 0xd4));
    fake_regs.rdx = 0xffff0cf8;
    CHECK(RUN(0xed) && port_seen == 0xcf8 && port_size_seen == 4 && fake_regs.rax == 0xa1b2c3d4);
    fake_regs.rax = LEFT;
    CHECK(RUN(0x66, 0xef) && port_size_seen == 2 && port_value == (uint16_t)LEFT);
    CHECK(RUN(0xe6, 0x80) && port_seen == 0x80 && port_value == (uint8_t)LEFT && port_writes == 2);
}

/* Set bits forbid; an access needs all of its ports. */
static void a_bitmap_gives_single_ports_to_a_program(void)
{
    static uint8_t bitmap[0x20];
    memset(bitmap, 0xff, sizeof(bitmap));
    bitmap[0x60 / 8] = (uint8_t)~1U; /* 0x60 */
    bitmap[0x87 / 8] = 0x7f;         /* 0x87 and 0x88 to 0x8a */
    bitmap[0x88 / 8] = 0xf8;
    start(false);
    v.pv.iobitmap = bitmap;
    v.pv.iobitmap_ports = 0x100;
    CHECK(RUN(0xe4, 0x60) && RUN(0xe5, 0x87) && port_size_seen == 4);
    CHECK(REFUSED(0xe4, 0x61) && port_reads == 2);
    for (unsigned n = 0; n < 3; n++) {
        static const uint8_t in[3][2] = {{0xe5, 0x60}, {0xe5, 0x88}, {0xe5, 0xfe}};
        start(false);
        v.pv.iobitmap = bitmap;
        v.pv.iobitmap_ports = 0x100;
        CHECK(REFUSED(in[n][0], in[n][1]) && !port_reads);
    }
    start(false);
    v.pv.iobitmap = (uint8_t *)NOWHERE;
    v.pv.iobitmap_ports = 0x100;
    CHECK(REFUSED(0xe4, 0x60) && !port_reads);
}

static void strings_go_up_or_down(void)
{
    uint16_t words[3] = {0x1111, 0x2222, 0x3333};
    start(true);
    v.pv.iopl = 1;
    fake_regs.rdx = 0x1f0;
    fake_regs.rsi = (unsigned long)&words[2];
    fake_regs.rflags |= X86_EFLAGS_DF;
    CHECK(RUN(0x66, 0x6f) && port_value == 0x3333 && fake_regs.rsi == (unsigned long)&words[1]);
    port_value = 0xabcd;
    fake_regs.rdi = (unsigned long)words;
    fake_regs.rflags &= ~X86_EFLAGS_DF;
    CHECK(RUN(0x66, 0x6d) && words[0] == 0xabcd && words[1] == 0x2222 && fake_regs.rdi == (unsigned long)&words[1]);
    fake_regs.rcx = 0;
    CHECK(RUN(0xf3, 0x66, 0x6d) && port_reads == 1 && fake_regs.rdi == (unsigned long)&words[1]);
    start(false);
    CHECK(REFUSED(0x6d) && !port_reads);
}

/* A device forgets what was read: it is asked once there is a place for its answer. */
static void a_port_is_not_read_for_a_page_that_is_not_there(void)
{
    start(true);
    v.pv.iopl = 1;
    fake_regs.rdi = NOWHERE;
    RUN(0x6c);
    CHECK(fake_regs.rip == ENTRY_PF && v.info->arch.cr2 == NOWHERE && fake_regs.rdi == NOWHERE);
    CHECK(!port_reads);
}

/* ---- Faults that are something else ---- */

static void software_interrupts(void)
{
    start(true);
    v.pv.trap[0x80] = (struct trap_info){.vector = 0x80, .flags = 3, .address = 0x8000};
    meet(code, 0x80 << 3 | 2);
    CHECK(fake_regs.rip == 0x8000 && ((uint64_t *)fake_regs.rsp)[2] == (uint64_t)code + 2);
    start(false);
    v.pv.trap[0x81] = (struct trap_info){.vector = 0x81, .flags = 1, .address = 0x8000}; /* the kernel's only */
    meet(code, 0x81 << 3 | 2);
    CHECK(fake_regs.rip == ENTRY && ((uint64_t *)fake_regs.rsp)[2] == (0x81 << 3 | 2));
    start(true);
    v.pv.trap[0x82] = (struct trap_info){.vector = 0x82, .flags = 0, .address = 0x8000};
    meet(code, 0x82 << 3 | 2);
    CHECK(fake_regs.rip == ENTRY);
    start(true);
    meet(code, 0x83 << 3 | 2); /* no such entry */
    CHECK(fake_regs.rip == ENTRY && ((uint64_t *)fake_regs.rsp)[3] == (uint64_t)code);
}

/* A selector's error code is no instruction of ours. */
static void other_faults_keep_their_error_code(void)
{
    start(true);
    code[0] = 0xf4;
    meet(code, 0x18);
    CHECK(fake_regs.rip == ENTRY && ((uint64_t *)fake_regs.rsp)[2] == 0x18 && !blocks);
    start(true);
    meet((const uint8_t *)NOWHERE, 0);
    CHECK(fake_regs.rip == ENTRY);
    start(true);
    CHECK(REFUSED(0x0f, 0xc7, 0xc8)); /* nothing we know */
}

/* ---- What is finished and nothing else ---- */

static const uint8_t kernels_one_byte[] = {0x6c, 0x6d, 0x6e, 0x6f, 0xe4, 0xe5, 0xe6, 0xe7,
                                           0xec, 0xed, 0xee, 0xef, 0xf4, 0xfa, 0xfb},
                     kernels_two_byte[] = {0x00, 0x01, 0x06, 0x08, 0x09, 0x20, 0x21, 0x22, 0x23, 0x30, 0x31, 0x32},
                     programs_two_byte[] = {0x00, 0x01, 0x31};

static bool is_ours(bool kernel, bool two_byte, uint8_t opcode)
{
    if (two_byte)
        return kernel ? memchr(kernels_two_byte, opcode, sizeof(kernels_two_byte))
                      : memchr(programs_two_byte, opcode, sizeof(programs_two_byte));
    return memchr(kernels_one_byte, opcode, sizeof(kernels_one_byte)) && (kernel || opcode != 0xf4);
}

static bool is_prefix_or_escape(uint8_t byte)
{
    static const uint8_t others[] = {0x0f, 0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf0, 0xf2, 0xf3};
    return (byte & 0xf0) == 0x40 || memchr(others, byte, sizeof(others));
}

static void *low_memory; /* below 4 GiB */

/* With some operand: memory at (%rdi) or (%r15), or a register. */
static bool is_finished(bool kernel, const uint8_t *before, unsigned bytes, uint8_t opcode)
{
    for (unsigned modrm = 0x07; modrm < 0x100; modrm += modrm < 0x3f ? 8 : modrm == 0x3f ? 0xc0 - 0x3f : 1) {
        start(kernel);
        v.pv.iopl = kernel ? 1 : 3;
        fake_regs.rax = CR0;
        fake_regs.rcx = 0;
        fake_regs.rsi = fake_regs.rdi = fake_regs.r15 = (unsigned long)low_memory;
        memset(code, 0x90, sizeof(code));
        memcpy(code, before, bytes);
        code[bytes] = opcode;
        code[bytes + 1] = (uint8_t)modrm;
        meet(code, 0);
        if (fake_regs.rip - (unsigned long)code <= 15)
            return true;
        CHECK(fake_regs.rip == ENTRY);
    }
    return false;
}

struct row {
    unsigned bytes;
    uint8_t byte[14];
};

static void prefixes_make_no_other_instruction(void)
{
    static const struct row rows[] = {
        {0, {0}},
        {1, {0x66}},
        {1, {0x67}},
        {1, {0xf2}},
        {1, {0xf3}},
        {1, {0xf0}},
        {1, {0x2e}},
        {1, {0x36}},
        {1, {0x3e}},
        {1, {0x26}},
        {1, {0x64}},
        {1, {0x65}},
        {1, {0x40}},
        {1, {0x48}},
        {1, {0x4b}},
        {2, {0x66, 0x48}},
        {2, {0x65, 0x41}},
        {4, {0xf3, 0x66, 0x67, 0x41}},
        {4, {0xf0, 0xf0, 0x2e, 0x66}},
    };
    for (unsigned i = 0; i < ARRAY_SIZE(rows) * 256 * 2; i++) {
        struct row r = rows[i >> 9];
        uint8_t opcode = (uint8_t)i;
        bool kernel = i & 0x100;
        if (!is_prefix_or_escape(opcode))
            CHECK(is_finished(kernel, r.byte, r.bytes, opcode) == is_ours(kernel, false, opcode));
        r.byte[r.bytes++] = 0x0f;
        CHECK(is_finished(kernel, r.byte, r.bytes, opcode) == is_ours(kernel, true, opcode));
    }
}

/* What only looks like one of those: 0F38 and 0F3A, VEX and EVEX, a REX that is not last. */
static void other_maps_are_not_finished(void)
{
    static const struct row rows[] = {
        {2, {0x0f, 0x38}},
        {2, {0x0f, 0x3a}},
        {2, {0xc5, 0xf8}},
        {3, {0xc4, 0xe1, 0x78}},
        {4, {0x62, 0xf1, 0x7c, 0x48}},
        {2, {0x48, 0x66}},
        {2, {0x40, 0x48}},
        {3, {0x40, 0xf0, 0x40}},
        {3, {0x48, 0x66, 0x0f}},
        {3, {0x48, 0x2e, 0x0f}},
        {3, {0x40, 0x40, 0x0f}},
    };
    for (unsigned i = 0; i < ARRAY_SIZE(rows) * 256; i++)
        CHECK(!is_finished(true, rows[i >> 8].byte, rows[i >> 8].bytes, (uint8_t)i));
}

static void an_instruction_has_15_bytes(void)
{
    uint8_t prefixes[14];
    memset(prefixes, 0x2e, sizeof(prefixes));
    CHECK(is_finished(true, prefixes, 14, 0xf4));
    prefixes[13] = 0x0f;
    CHECK(is_finished(true, prefixes, 14, 0x31));
    start(true);
    v.pv.iopl = 1;
    memset(code, 0x2e, sizeof(code));
    code[14] = 0xe4; /* in, whose port would be the 16th */
    meet(code, 0);
    CHECK(fake_regs.rip == ENTRY && !port_reads);
}

static void forced_cpuid_is_asked_of_us(void)
{
    static const uint8_t forced[] = {0x0f, 0x0b, 'x', 'e', 'n', 0x0f, 0xa2},
                         almost[] = {0x0f, 0x0b, 'x', 'e', 'n', 0x0f, 0xa3};
    start(false);
    fake_regs.rax = 0x100000005UL;
    fake_regs.rcx = 0x100000007UL;
    fake_regs.rip = (unsigned long)forced;
    pv_invalid_opcode(&fake_regs);
    CHECK(fake_regs.rip == (unsigned long)forced + 7 && !(fake_regs.rflags & X86_EFLAGS_RF));
    CHECK(fake_regs.rax == 6 && fake_regs.rbx == 0xb && fake_regs.rcx == 9 && fake_regs.rdx == 0xd);
    start(false);
    fake_regs.rip = (unsigned long)almost;
    pv_invalid_opcode(&fake_regs);
    CHECK(fake_regs.rip == ENTRY_UD && fake_regs.rax == LEFT);
    start(false);
    fake_regs.rip = NOWHERE;
    pv_invalid_opcode(&fake_regs);
    CHECK(fake_regs.rip == ENTRY_UD);
}

int main(void)
{
    control_registers_are_the_vcpus();
    what_a_guest_cannot_change_in_control_registers_is_a_fault();
    a_root_table_may_take_several_entries();
    debug_registers();
    msrs();
    extended_control_register();
    a_fault_of_xgetbv_leaves_the_registers();
    time_stamp_counter();
    caches_and_translations();
    halt_waits();
    tables_are_stored_as_one_everywhere();
    words_are_stored_by_the_operands_size();
    ports_by_number_and_register();
    a_bitmap_gives_single_ports_to_a_program();
    strings_go_up_or_down();
    a_port_is_not_read_for_a_page_that_is_not_there();
    software_interrupts();
    other_faults_keep_their_error_code();
    low_memory = mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
    bases[0] = bases[1] = 0;
    prefixes_make_no_other_instruction();
    other_maps_are_not_finished();
    an_instruction_has_15_bytes();
    forced_cpuid_is_asked_of_us();
    return 0;
}
