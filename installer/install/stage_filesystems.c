/* File systems, by the tools that belong to them. */
#include "install.h"
#include "tool.h"

static void plan(struct install *install, GString *text)
{
    (void)install;
    g_string_append(text, "vfat for UEFI, ext4 for boot files and settings, XFS with shared blocks for guests");
}

/* The pool inside LUKS is known by its label, the bare one by its partition's name, which it gets at the end. */
static gboolean make_pool(struct install *install, GError **error)
{
    return tool_run(error, "mkfs.xfs", "-q", "-f", "-K", "-m", "reflink=1", "-L",
                    install->answers->encrypt ? "rh-pool" : "", install->devices[ROLE_POOL], NULL);
}

static gboolean perform(struct install *install, GError **error)
{
    install->boot_uuid = g_uuid_string_random();
    /* GRUB 2.06 does not know a seed of its own for checksums. */
    return tool_run(error, "mkfs.vfat", "-n", "RH-EFI", install->devices[ROLE_ESP], NULL) &&
           install_step(install, 200, error) &&
           tool_run(error, "mkfs.ext4", "-q", "-F", "-O", "^metadata_csum_seed", "-L", "rh-boot", "-U",
                    install->boot_uuid, install->devices[ROLE_BOOT], NULL) &&
           install_step(install, 400, error) &&
           tool_run(error, "mkfs.ext4", "-q", "-F", "-L", "rh-state", install->devices[ROLE_STATE], NULL) &&
           install_step(install, 700, error) && make_pool(install, error);
}

const struct stage stage_filesystems = {
    .name = "filesystems",
    .title = "Make file systems",
    .plan = plan,
    .perform = perform,
};
