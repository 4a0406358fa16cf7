/*
 * FPU state that a toolstack gives to a vcpu: nothing of it may fault when it is loaded.
 */
#include "../../../../hypervisor/x86/xstate.c"
#include "../../check.h"

struct cpu_features cpu_features = {.xsave = true, .xcr0_mask = 7, .xsave_bytes = 832};

static struct vcpu v;
static union {
    struct xsave_area area;
    uint8_t bytes[832];
} image;
#define AREA ((struct xsave_area *)v.xstate)

static void start(void)
{
    memset(&image, 0, sizeof(image));
    image.area.fcw = FCW_RESET;
    image.area.mxcsr = 0xffffffff;
    mxcsr_mask = 0xffbf;
    free(v.xstate);
    CHECK(!xstate_alloc(&v));
    CHECK(AREA->mxcsr == MXCSR_RESET && AREA->fcw == FCW_RESET && v.xcr0 == XSTATE_X87);
}

static void bad_mxcsr(void)
{
    start();
    xstate_import_fxsave(&v, &image);
    CHECK(AREA->mxcsr == 0xffbf && AREA->mxcsr_mask == 0xffbf);
    CHECK(AREA->xstate_bv == (XSTATE_X87 | XSTATE_SSE));
    start();
    image.area.xstate_bv = 7;
    CHECK(!xstate_import_xsave(&v, 7, &image, sizeof(image)));
    CHECK(AREA->mxcsr == 0xffbf && v.xcr0 == 7);
}

static void bad_headers(void)
{
    start();
    CHECK(xstate_import_xsave(&v, 7, &image, 575) == -EINVAL);
    CHECK(xstate_import_xsave(&v, 7, &image, 833) == -EINVAL);
    image.area.xstate_bv = 8;
    CHECK(xstate_import_xsave(&v, 7, &image, sizeof(image)) == -EINVAL);
    image.area.xstate_bv = 7;
    image.area.xcomp_bv = 1UL << 63;
    CHECK(xstate_import_xsave(&v, 7, &image, sizeof(image)) == -EINVAL);
    image.area.xcomp_bv = 0;
    for (unsigned i = 0; i < 6; i++) {
        image.area.reserved3[i] = 1;
        CHECK(xstate_import_xsave(&v, 7, &image, sizeof(image)) == -EINVAL);
        image.area.reserved3[i] = 0;
    }
    static const uint64_t bad[] = {0, 2, 5, 6, 8, 0xf, 0xe7, 1UL << 63 | 7};
    for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
        CHECK(xstate_import_xsave(&v, bad[i], &image, sizeof(image)) == -EINVAL);
        CHECK(xstate_set_xcr0(&v, bad[i]) == -EINVAL);
    }
    CHECK(AREA->xstate_bv == 0 && v.xcr0 == XSTATE_X87);
}

/* What is not in use reads as reset, whatever lies in memory. */
static void stale_bytes(void)
{
    struct xsave_area out;
    start();
    memset(AREA->st, 0xaa, sizeof(AREA->st));
    memset(AREA->xmm, 0xbb, sizeof(AREA->xmm));
    AREA->fcw = 0x1234;
    AREA->xstate_bv = XSTATE_AVX;
    xstate_export_fxsave(&v, &out);
    CHECK(out.fcw == FCW_RESET && !out.st[0] && !out.st[127] && !out.xmm[0] && !out.xmm[255]);
    CHECK(out.mxcsr == MXCSR_RESET);
    AREA->xstate_bv = 3;
    xstate_export_fxsave(&v, &out);
    CHECK(out.fcw == 0x1234 && out.st[127] == 0xaa && out.xmm[255] == 0xbb);
}

int main(void)
{
    bad_mxcsr();
    bad_headers();
    stale_bytes();
    free(v.xstate);
    return 0;
}
