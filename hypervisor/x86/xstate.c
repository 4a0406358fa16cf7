/*
 * FPU, SSE and AVX state of vcpus. Sources: Intel SDM volume 1 chapters 10 and 13; AMD APM volume 2 chapter 11.
 *
 * The whole state is loaded when a vcpu comes onto a CPU and saved when it leaves: nothing of one guest is ever in the
 * registers while another runs. Saving and loading happen with every component enabled, so that a guest which turned
 * some off in its XCR0 neither loses them nor finds another's when it turns them on again.
 */
#include <hv/cpu.h>
#include <hv/hypercall.h>
#include <hv/page_alloc.h>
#include <hv/xstate.h>

struct xsave_area {
    uint16_t fcw, fsw;
    uint8_t ftw, reserved1;
    uint16_t fop;
    uint64_t fip, fdp;
    uint32_t mxcsr, mxcsr_mask;
    uint8_t st[128], xmm[256], reserved2[96];
    uint64_t xstate_bv, xcomp_bv, reserved3[6];
};
_Static_assert(sizeof(struct xsave_area) == 576, "legacy region and XSAVE header");
_Static_assert(offsetof(struct xsave_area, mxcsr) == 24, "FXSAVE layout");
_Static_assert(offsetof(struct xsave_area, xmm) == 160, "FXSAVE layout");
_Static_assert(offsetof(struct xsave_area, xstate_bv) == 512, "XSAVE header");

#define FXSAVE_BYTES       512
#define XSTATE_X87         0x1UL
#define XSTATE_SSE         0x2UL
#define XSTATE_AVX         0x4UL
#define XSTATE_AVX512      0xe0UL
#define FCW_RESET          0x37f
#define MXCSR_RESET        0x1f80
#define MXCSR_MASK_DEFAULT 0xffbf /* for processors that store 0 */
#define FSW_ERROR_SUMMARY  0x80

static uint32_t mxcsr_mask;
/* AMD before Zen 2 leaves FOP, FIP and FDP alone on restore without a pending exception: another guest's would show. */
static bool restore_leaks_pointers;
static uint64_t loaded_xcr0[NR_CPUS];

static void xsetbv(uint64_t value)
{
    __asm__ volatile("xsetbv" ::"c"(0), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)) : "memory");
}

static void load_xcr0(uint64_t value)
{
    uint64_t *loaded = &loaded_xcr0[smp_processor_id()];
    if (*loaded == value)
        return;
    xsetbv(value);
    *loaded = value;
}

static uint64_t xgetbv(void)
{
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t)high << 32 | low;
}

/* QEMU lets an HVM guest write XCR0 without an exit, so that neither of our copies tells. */
uint64_t xstate_xcr0(struct vcpu *v)
{
    if (cpu_features.xsave && v->hvm && this_cpu()->fpu_owner == v) {
        loaded_xcr0[smp_processor_id()] = xgetbv();
        v->xcr0 = loaded_xcr0[smp_processor_id()] & cpu_features.xcr0_mask;
    }
    return v->xcr0;
}

static void clear_ts(void)
{
    __asm__ volatile("clts" ::: "memory");
}

static void set_ts(void)
{
    write_cr0(read_cr0() | X86_CR0_TS);
}

static void read_processor_facts(void)
{
    static struct xsave_area image __aligned(64);
    __asm__ volatile("fxsave64 %0" : "=m"(image)::"memory");
    mxcsr_mask = image.mxcsr_mask ? image.mxcsr_mask : MXCSR_MASK_DEFAULT;
    bool fixed = cpuid(0x80000000, 0).eax >= 0x80000008 && cpuid(0x80000008, 0).ebx & 4; /* RstrFpErrPtrs */
    restore_leaks_pointers = cpu_features.vendor == VENDOR_AMD && !fixed;
}

void xstate_init_cpu(void)
{
    unsigned long cr4 = read_cr4() | X86_CR4_OSFXSR | X86_CR4_OSXMMEXCPT;
    write_cr0((read_cr0() & ~X86_CR0_TS) | X86_CR0_MP | X86_CR0_NE);
    write_cr4(cpu_features.xsave ? cr4 | X86_CR4_OSXSAVE : cr4);
    if (cpu_features.xsave) {
        loaded_xcr0[smp_processor_id()] = 0;
        load_xcr0(cpu_features.xcr0_mask);
    }
    __asm__ volatile("fninit");
    if (mxcsr_mask == 0)
        read_processor_facts();
}

static void reset_area(struct xsave_area *area)
{
    memset(area, 0, cpu_features.xsave_bytes);
    area->fcw = FCW_RESET;
    area->mxcsr = MXCSR_RESET;
}

int xstate_alloc(struct vcpu *v)
{
    v->xstate = zalloc(cpu_features.xsave_bytes);
    if (!v->xstate)
        return -ENOMEM;
    reset_area(v->xstate);
    v->xcr0 = cpu_features.xsave ? XSTATE_X87 : 0;
    v->fpu_initialised = true;
    return 0;
}

void xstate_free(struct vcpu *v)
{
    free(v->xstate);
    v->xstate = NULL;
}

void xstate_save(struct vcpu *v)
{
    struct xsave_area *area = v->xstate;
    if (!area || !v->fpu_dirty)
        return;
    clear_ts();
    if (cpu_features.xsave) {
        xstate_xcr0(v);
        load_xcr0(cpu_features.xcr0_mask);
        if (cpu_features.xsaveopt)
            __asm__ volatile("xsaveopt64 %0" : "+m"(*area) : "a"(~0U), "d"(~0U) : "memory");
        else
            __asm__ volatile("xsave64 %0" : "+m"(*area) : "a"(~0U), "d"(~0U) : "memory");
    } else {
        __asm__ volatile("fxsave64 %0" : "=m"(*area)::"memory");
    }
    v->fpu_dirty = false;
    this_cpu()->fpu_owner = NULL;
}

/* Any x87 load replaces the error pointers; it needs a free register and no pending exception. */
static void overwrite_error_pointers(const struct xsave_area *area)
{
    static const uint32_t zero;
    if (restore_leaks_pointers && !(area->fsw & FSW_ERROR_SUMMARY))
        __asm__ volatile("fnclex; emms; fildl %0" ::"m"(zero));
}

void xstate_restore(struct vcpu *v)
{
    struct xsave_area *area = v->xstate;
    if (!area) /* an idle vcpu: it uses none, and what is in the registers belongs to nobody */
        return;
    clear_ts();
    overwrite_error_pointers(area);
    if (cpu_features.xsave) {
        load_xcr0(cpu_features.xcr0_mask);
        __asm__ volatile("xrstor64 %0" ::"m"(*area), "a"(~0U), "d"(~0U) : "memory");
        load_xcr0(v->xcr0);
    } else {
        __asm__ volatile("fxrstor64 %0" ::"m"(*area) : "memory");
    }
    v->fpu_dirty = true;
    this_cpu()->fpu_owner = v;
    if (v->pv.cr0_ts)
        set_ts();
}

static bool xcr0_ok(uint64_t xcr0)
{
    if (xcr0 & ~cpu_features.xcr0_mask || !(xcr0 & XSTATE_X87))
        return false;
    if (xcr0 & XSTATE_AVX && !(xcr0 & XSTATE_SSE))
        return false;
    if (xcr0 & XSTATE_AVX512)
        return (xcr0 & XSTATE_AVX512) == XSTATE_AVX512 && xcr0 & XSTATE_AVX;
    return true;
}

int xstate_set_xcr0(struct vcpu *v, uint64_t xcr0)
{
    if (!cpu_features.xsave || !xcr0_ok(xcr0))
        return -EINVAL;
    v->xcr0 = xcr0;
    if (v == current)
        load_xcr0(xcr0);
    return 0;
}

void xstate_set_ts(struct vcpu *v, bool ts)
{
    v->pv.cr0_ts = ts;
    if (v != current)
        return;
    if (ts)
        set_ts();
    else
        clear_ts();
}

bool xstate_handle_nm(struct vcpu *v)
{
    bool guests = v->pv.cr0_ts;
    xstate_set_ts(v, false);
    return guests;
}

long do_fpu_taskswitch(struct hypercall *call)
{
    xstate_set_ts(current, call->arg[0] != 0);
    return 0;
}

/* Bits the processor has not would fault on restore. */
static void sanitize_legacy(struct xsave_area *area)
{
    area->mxcsr &= mxcsr_mask;
    area->mxcsr_mask = mxcsr_mask;
}

void xstate_import_fxsave(struct vcpu *v, const void *fxsave)
{
    struct xsave_area *area = v->xstate;
    reset_area(area);
    memcpy(area, fxsave, FXSAVE_BYTES);
    sanitize_legacy(area);
    area->xstate_bv = (XSTATE_X87 | XSTATE_SSE) & cpu_features.xcr0_mask;
}

/*
 * A component whose xstate_bv bit is clear is in its reset state and the area holds stale bytes for it. MXCSR is always
 * in memory, whichever bits are set.
 */
void xstate_export_fxsave(struct vcpu *v, void *fxsave)
{
    const struct xsave_area *area = v->xstate;
    struct xsave_area out;
    memcpy(&out, area, FXSAVE_BYTES);
    if (cpu_features.xsave && !(area->xstate_bv & XSTATE_X87)) {
        memset(&out, 0, offsetof(struct xsave_area, mxcsr));
        memset(out.st, 0, sizeof(out.st));
        out.fcw = FCW_RESET;
    }
    if (cpu_features.xsave && !(area->xstate_bv & XSTATE_SSE))
        memset(out.xmm, 0, sizeof(out.xmm));
    memcpy(fxsave, &out, FXSAVE_BYTES);
}

int xstate_import_xsave(struct vcpu *v, uint64_t xcr0, const void *from, size_t bytes)
{
    const struct xsave_area *header = from;
    struct xsave_area *area = v->xstate;
    if (!cpu_features.xsave || bytes < sizeof(*header) || bytes > cpu_features.xsave_bytes || !xcr0_ok(xcr0))
        return -EINVAL;
    /* State outlives its bit in XCR0, which the guest may clear or never have set. */
    if (header->xstate_bv & ~cpu_features.xcr0_mask || header->xcomp_bv)
        return -EINVAL;
    for (unsigned i = 0; i < ARRAY_SIZE(header->reserved3); i++)
        if (header->reserved3[i])
            return -EINVAL;
    reset_area(area);
    memcpy(area, from, bytes);
    sanitize_legacy(area);
    v->xcr0 = xcr0;
    return 0;
}
