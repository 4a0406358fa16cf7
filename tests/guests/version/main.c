/*
 * xen_version, console_io, vm_assist: what they answer, and what they do with pointers that lead nowhere.
 */
#include "guest.h"

const char test_title[] = "xen_version, console_io, vm_assist";

static void pointers(unsigned command, const char *name)
{
    static const uint64_t bad[] = {0, UNMAPPED, NON_CANONICAL, IN_HYPERVISOR, ALMOST_TOP};
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        long result = HYPERCALL(xen_version, command, bad[i]);
        if (result != -EFAULT)
            failure("%s with pointer %lx gives %ld", name, bad[i], result);
    }
    /* The last bytes of a mapped page followed by a hole, and a read-only page. */
    char *page = page_alloc();
    set_readonly(page);
    if (HYPERCALL(xen_version, command, page) != -EFAULT)
        failure("%s writes to a read-only page", name);
}

static void version(void)
{
    static char text[1024];
    struct xen_feature_info features = {.submap_idx = 0};
    struct xen_platform_parameters parameters;
    CHECK_IS(4 << 16 | 17, HYPERCALL(xen_version, XENVER_version, 0));
    CHECK_IS(4096, HYPERCALL(xen_version, XENVER_pagesize, 0));
    CHECK_IS(0, HYPERCALL(xen_version, XENVER_extraversion, text));
    CHECK_IS(0, HYPERCALL(xen_version, XENVER_compile_info, text));
    CHECK_IS(0, HYPERCALL(xen_version, XENVER_changeset, text));
    CHECK_IS(0, HYPERCALL(xen_version, XENVER_commandline, text));
    CHECK_IS(!is_privileged(), same_word(text, "<denied>"));
    CHECK_IS(0, HYPERCALL(xen_version, XENVER_guest_handle, text));
    CHECK_IS(0, HYPERCALL(xen_version, XENVER_capabilities, text));
    CHECK(memory_compare(text, "xen-3.0-x86_64 ", 15) == 0);
    CHECK_IS(0, HYPERCALL(xen_version, XENVER_platform_parameters, &parameters));
    CHECK_IS(0xffff800000000000UL, parameters.virt_start);
    CHECK_IS(0, HYPERCALL(xen_version, XENVER_get_features, &features));
    CHECK_IS(is_privileged() ? 0x228f0 : 0x220e0, features.submap);
    features.submap_idx = 1;
    CHECK_IS(-EINVAL, HYPERCALL(xen_version, XENVER_get_features, &features));
    CHECK_IS(-ENOSYS, HYPERCALL(xen_version, 11, text));
    CHECK_IS(-ENOSYS, HYPERCALL(xen_version, 0xffffffff, text));
    pointers(XENVER_extraversion, "extraversion");
    pointers(XENVER_compile_info, "compile_info");
    pointers(XENVER_capabilities, "capabilities");
    pointers(XENVER_platform_parameters, "platform_parameters");
    pointers(XENVER_get_features, "get_features");
    pointers(XENVER_guest_handle, "guest_handle");
    pointers(XENVER_commandline, "commandline");
}

static void console(void)
{
    char text[8];
    if (!is_privileged()) {
        for (unsigned command = 0; command < 4; command++)
            CHECK_IS(-EPERM, HYPERCALL(console_io, command, 5, UNMAPPED));
        return;
    }
    CHECK_IS(0, HYPERCALL(console_io, CONSOLEIO_write, 0, UNMAPPED));
    CHECK_IS(-EFAULT, HYPERCALL(console_io, CONSOLEIO_write, 5, UNMAPPED));
    CHECK_IS(-EFAULT, HYPERCALL(console_io, CONSOLEIO_write, 5, IN_HYPERVISOR));
    CHECK_IS(-EFAULT, HYPERCALL(console_io, CONSOLEIO_write, 5, NON_CANONICAL));
    CHECK_IS(0, HYPERCALL(console_io, CONSOLEIO_read, 8, text));
    CHECK_IS(-ENOSYS, HYPERCALL(console_io, 2, 0, text));
}

static void assists(void)
{
    CHECK_IS(0, HYPERCALL(vm_assist, VMASST_CMD_enable, VMASST_TYPE_writable_pagetables));
    CHECK_IS(0, HYPERCALL(vm_assist, VMASST_CMD_disable, VMASST_TYPE_writable_pagetables));
    CHECK_IS(0, HYPERCALL(vm_assist, VMASST_CMD_enable, VMASST_TYPE_runstate_update_flag));
    CHECK_IS(0, HYPERCALL(vm_assist, VMASST_CMD_enable, VMASST_TYPE_m2p_strict));
    uint64_t known = 0;
    for (unsigned type = 0; type < 64; type++)
        if (HYPERCALL(vm_assist, VMASST_CMD_enable, type) == 0) {
            known |= 1UL << type;
            HYPERCALL(vm_assist, VMASST_CMD_disable, type);
        }
    CHECK_IS(0x10000003fUL, known);
    CHECK_IS(-EINVAL, HYPERCALL(vm_assist, VMASST_CMD_enable, 64));
    CHECK_IS(-EINVAL, HYPERCALL(vm_assist, VMASST_CMD_enable, 0xffffffff));
    CHECK_IS(-ENOSYS, HYPERCALL(vm_assist, 2, VMASST_TYPE_writable_pagetables));
}

static void absent(void)
{
    CHECK_IS(-ENOSYS, hypercall(64, 0, 0, 0, 0, 0));
    CHECK_IS(-ENOSYS, hypercall(63, 0, 0, 0, 0, 0));
    CHECK_IS(-ENOSYS, hypercall(11, 0, 0, 0, 0, 0));
    CHECK_IS(-ENOSYS, hypercall(0x7fffffff, 0, 0, 0, 0, 0));
    CHECK_IS(-ENOSYS, hypercall(0xffffffff, 0, 0, 0, 0, 0));
}

void test_main(void)
{
    version();
    console();
    assists();
    absent();
}
