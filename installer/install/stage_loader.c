/*
 * GRUB: its menu and counters, for BIOS by grub-install, for UEFI as one file with all modules in it, at the path that
 * every firmware looks at and at one of its own. The file is put there by mtools, which need no mount; an entry in the
 * firmware's own list is not made.
 *
 * A renewal leaves GRUB itself alone and writes the menu, and last the counters: the moment from which on the new
 * system is the one that starts.
 */
#include "grub_config.h"
#include "install.h"
#include "tool.h"

#include <string.h>

/* What menu and start files use. */
#define MODULES                                                                                                        \
    "part_gpt", "ext2", "fat", "search", "search_fs_uuid", "search_fs_file", "normal", "configfile", "loadenv",        \
        "test", "echo", "sleep", "hashsum", "gcry_sha256", "serial", "terminal", "multiboot2", "all_video", "chain",   \
        "reboot", "halt"

static void plan(struct install *install, GString *text)
{
    g_string_append(text, install->answers->use == USE_RENEW
                              ? "GRUB starts the new system, and the old one if that fails"
                              : "GRUB is installed for BIOS and for UEFI");
}

static gboolean install_bios(struct install *install, const char *boot, GError **error)
{
    g_autofree char *folder = g_strconcat("--boot-directory=", boot, NULL);
    return tool_run(error, "grub-install", "--target=i386-pc", "--no-floppy",
                    "--locales=", "--fonts=", "--themes=", "--modules=part_gpt ext2", folder, install->disk->path,
                    NULL);
}

static gboolean make_efi(struct install *install, const char *image, GError **error)
{
    g_autofree char *early = g_build_filename(install->work, "early.cfg", NULL);
    g_autofree char *text = g_strdup_printf("search --no-floppy --fs-uuid --set=root %s\nset prefix=($root)/grub\n"
                                            "configfile ($root)/grub/grub.cfg\n",
                                            install->boot_uuid);
    return file_put(early, text, strlen(text), 0600, error) &&
           tool_run(error, "grub-mkimage", "-O", "x86_64-efi", "-p", "/grub", "-c", early, "-o", image, MODULES,
                    "efi_gop", "efifwsetup", NULL);
}

static gboolean install_efi(struct install *install, GError **error)
{
    static const char *const folders[] = {"::/EFI", "::/EFI/BOOT", "::/EFI/roundhouse"};
    static const char *const places[] = {"::/EFI/BOOT/BOOTX64.EFI", "::/EFI/roundhouse/grubx64.efi"};
    const char *device = install->devices[ROLE_ESP];
    g_autofree char *image = g_build_filename(install->work, "grubx64.efi", NULL);
    gboolean good = make_efi(install, image, error);
    for (guint i = 0; good && i < G_N_ELEMENTS(folders); i++)
        good = tool_run(error, "mmd", "-i", device, folders[i], NULL);
    for (guint i = 0; good && i < G_N_ELEMENTS(places); i++)
        good = tool_run(error, "mcopy", "-i", device, image, places[i], NULL);
    return good;
}

static gboolean put_menu(struct install *install, const char *boot, GError **error)
{
    g_autofree char *menu_path = g_build_filename(boot, "grub/grub.cfg", NULL), *menu = grub_menu();
    g_autofree char *counters_path = g_build_filename(boot, "grub/grubenv", NULL);
    g_autofree char *counters = grub_environment(install->slot, install->answers->use == USE_RENEW);
    return file_put(menu_path, menu, strlen(menu), 0644, error) && install_step(install, 900, error) &&
           file_put(counters_path, counters, GRUB_ENVIRONMENT_SIZE, 0644, error);
}

static gboolean perform(struct install *install, GError **error)
{
    char *boot = install_mount(install, ROLE_BOOT, "ext4", FALSE, error);
    if (!boot)
        return FALSE;
    gboolean good = install->answers->use == USE_RENEW ||
                    (install_bios(install, boot, error) && install_step(install, 400, error) &&
                     install_efi(install, error) && install_step(install, 800, error));
    good = good && put_menu(install, boot, error);
    return install_unmount(boot, error) && good;
}

const struct stage stage_loader = {
    .name = "loader",
    .title = "Install the boot loader",
    .renews = TRUE,
    .plan = plan,
    .perform = perform,
};
