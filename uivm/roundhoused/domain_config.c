/* From a guest's definition to libxl_domain_config: type, kernel or firmware, disks, network card, device model. */
#include "domain_config.h"
#include "errors.h"
#include "loop_disk.h"
#include "vga_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <libxl_utils.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static gboolean check_readable(const char *what, const char *path, GError **error)
{
    struct stat status;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        g_set_error(error, RH_ERROR, RH_ERROR_BAD_CONFIG,
                    "Its %s %s cannot be read: %s. Correct the path in its definition, or put the file there.", what,
                    path, g_strerror(errno));
        return FALSE;
    }
    gboolean good = fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_size > 0;
    close(fd);
    if (!good)
        g_set_error(error, RH_ERROR, RH_ERROR_BAD_CONFIG,
                    "Its %s %s is empty or no ordinary file. Correct the path in its definition, or put a %s there.",
                    what, path, what);
    return good;
}

static const libxl_domain_type types[] = {
    [GUEST_PV] = LIBXL_DOMAIN_TYPE_PV, [GUEST_PVH] = LIBXL_DOMAIN_TYPE_PVH, [GUEST_HVM] = LIBXL_DOMAIN_TYPE_HVM};

/*
 * What libxl has no words for. A tablet gives positions, and on this controller it does not wake QEMU a thousand times
 * a second. The machine type is an old one, whose card does not tell the system in the guest what screen it has.
 * The sound card plays to nobody yet (docs/decisions.md), but a system that is installed now has its driver.
 */
static char **device_arguments(struct guest_screen screen)
{
    GPtrArray *list = g_ptr_array_new();
    const char *const fixed[] = {"-device",   "qemu-xhci,id=roundhouse-usb",
                                 "-device",   "usb-tablet,bus=roundhouse-usb.0",
                                 "-audiodev", "none,id=roundhouse-sound",
                                 "-device",   "intel-hda",
                                 "-device",   "hda-output,audiodev=roundhouse-sound",
                                 "-global",   "VGA.edid=on"};
    for (gsize i = 0; i < G_N_ELEMENTS(fixed); i++)
        g_ptr_array_add(list, g_strdup(fixed[i]));
    g_ptr_array_add(list, g_strdup("-global"));
    g_ptr_array_add(list, g_strdup_printf("VGA.xres=%u", screen.width));
    g_ptr_array_add(list, g_strdup("-global"));
    g_ptr_array_add(list, g_strdup_printf("VGA.yres=%u", screen.height));
    g_ptr_array_add(list, NULL);
    return (char **)g_ptr_array_free(list, FALSE);
}

/*
 * The PC and its device model. QEMU runs as a user of its own (xen-qemuuser-range-base plus the domain's id), in an
 * empty root folder and under a system call filter, and can touch nothing but this domain: all that is what libxl
 * makes of dm_restrict. Its screen is a socket in a folder of root's, which it opens before it gives up root.
 */
static void fill_pc(libxl_domain_build_info *build, const struct guest_config *config, struct guest_screen screen)
{
    gboolean vga = config->display == GUEST_DISPLAY_VGA;
    build->device_model_version = LIBXL_DEVICE_MODEL_VERSION_QEMU_XEN;
    libxl_defbool_set(&build->dm_restrict, true);
    build->u.hvm.bios = config->firmware == GUEST_FIRMWARE_UEFI ? LIBXL_BIOS_TYPE_OVMF : LIBXL_BIOS_TYPE_SEABIOS;
    build->u.hvm.boot = g_strdup(config->boot);
    build->u.hvm.hdtype = LIBXL_HDTYPE_AHCI;
    libxl_defbool_set(&build->u.hvm.acpi_s3, false); /* its sleep has no key that ends it: it is not offered */
    libxl_defbool_set(&build->u.hvm.acpi_s4, false);
    libxl_defbool_set(&build->localtime, config->clock == GUEST_CLOCK_LOCAL);
    libxl_defbool_set(&build->u.hvm.viridian, config->viridian);
    memcpy(build->u.hvm.ms_vm_genid.bytes, config->generation, sizeof(config->generation));
    build->u.hvm.vga.kind = vga ? LIBXL_VGA_INTERFACE_TYPE_STD : LIBXL_VGA_INTERFACE_TYPE_NONE;
    build->video_memkb = vga ? VGA_MEMORY_KIB : 0;
    libxl_defbool_set(&build->u.hvm.sdl.enable, false);
    libxl_defbool_set(&build->u.hvm.spice.enable, false);
    libxl_defbool_set(&build->u.hvm.vkb_device, false); /* the display broker makes it where it is wanted */
    libxl_defbool_set(&build->u.hvm.vnc.enable, vga);
    if (!vga)
        return;
    libxl_defbool_set(&build->u.hvm.vnc.findunused, false);
    g_autofree char *path = vga_socket_path(config->name);
    build->u.hvm.vnc.listen = g_strdup_printf("unix:%s", path);
    build->extra_hvm = device_arguments(screen);
}

/*
 * libxl frees what it finds in its structures with free(3), which g_strdup's memory is made for since
 * GLib 2.46.
 */
static void fill_build_info(libxl_domain_build_info *build, libxl_ctx *ctx, const struct guest_config *config,
                            struct guest_screen screen)
{
    libxl_domain_build_info_init_type(build, types[config->type]);
    build->max_vcpus = (int)config->vcpus;
    libxl_cpu_bitmap_alloc(ctx, &build->avail_vcpus, (int)config->vcpus);
    libxl_bitmap_set_none(&build->avail_vcpus);
    for (guint i = 0; i < config->vcpus; i++)
        libxl_bitmap_set(&build->avail_vcpus, (int)i);
    build->max_memkb = build->target_memkb = (guint64)config->memory_mib * 1024;
    build->kernel = g_strdup(config->kernel);
    build->ramdisk = g_strdup(config->ramdisk);
    if (config->kernel) /* libxl refuses a command line, an empty one too, where there is nobody to read it */
        build->cmdline = g_strdup(config->cmdline);
    if (config->type == GUEST_HVM)
        fill_pc(build, config, screen);
}

/*
 * libxl wants QEMU behind a CD drive, and QEMU the file itself: it may then be changed for another file while it is
 * confined (docs/decisions.md). Which drives QEMU can have open is known at the guest's start alone.
 */
gboolean domain_config_fill_cdrom(libxl_device_disk *disk, const char *vdev, const char *target, GError **error)
{
    struct stat status;
    gboolean empty = g_str_equal(target, GUEST_CDROM_EMPTY);
    disk->vdev = g_strdup(vdev);
    disk->backend = LIBXL_DISK_BACKEND_QDISK;
    disk->format = empty ? LIBXL_DISK_FORMAT_EMPTY : LIBXL_DISK_FORMAT_RAW;
    disk->is_cdrom = disk->removable = true;
    if (empty)
        return TRUE;
    disk->pdev_path = g_strdup(target);
    if (stat(target, &status) == 0 && (S_ISBLK(status.st_mode) || (S_ISREG(status.st_mode) && status.st_size > 0)))
        return TRUE;
    g_set_error(error, RH_ERROR, RH_ERROR_BAD_CONFIG,
                "Its CD %s cannot be found, or is empty. Put the image there, or take the CD out of its settings.",
                target);
    return FALSE;
}

static gboolean fill_disk(libxl_device_disk *disk, const struct guest_disk *wanted, const char *guest, GArray *holds,
                          GError **error)
{
    struct stat status;
    if (wanted->cdrom)
        return domain_config_fill_cdrom(disk, wanted->vdev, wanted->target, error);
    if (stat(wanted->target, &status) < 0) {
        g_set_error(error, RH_ERROR, RH_ERROR_BAD_CONFIG,
                    "Its disk %s cannot be found: %s. Correct the path in its definition, or create the disk.",
                    wanted->target, g_strerror(errno));
        return FALSE;
    }
    disk->vdev = g_strdup(wanted->vdev);
    disk->backend = LIBXL_DISK_BACKEND_PHY;
    disk->format = LIBXL_DISK_FORMAT_RAW;
    disk->readwrite = !wanted->read_only;
    if (S_ISBLK(status.st_mode)) {
        disk->pdev_path = g_strdup(wanted->target);
        return TRUE;
    }
    if (!S_ISREG(status.st_mode)) {
        g_set_error(error, RH_ERROR, RH_ERROR_BAD_CONFIG,
                    "Its disk %s is neither a block device nor an image file. Correct the path in "
                    "its definition.",
                    wanted->target);
        return FALSE;
    }
    int hold = loop_disk_attach(wanted->target, wanted->read_only, guest, &disk->pdev_path, error);
    if (hold < 0)
        return FALSE;
    g_array_append_val(holds, hold);
    return TRUE;
}

static libxl_device_disk *next_disk(libxl_domain_config *domain)
{
    libxl_device_disk *disk = &domain->disks[domain->num_disks++];
    libxl_device_disk_init(disk);
    return disk;
}

static gboolean fill_disks(libxl_domain_config *domain, const struct guest_config *config, GArray *holds,
                           GError **error)
{
    domain->disks = g_new0(libxl_device_disk, config->disks->len + 1);
    for (guint i = 0; i < config->disks->len; i++) {
        if (!fill_disk(next_disk(domain), g_ptr_array_index(config->disks, i), config->name, holds, error))
            return FALSE;
    }
    return !config->cdrom || domain_config_fill_cdrom(next_disk(domain), GUEST_CDROM_VDEV, config->cdrom, error);
}

static gboolean fill_network(libxl_domain_config *domain, const struct guest_config *config, GError **error)
{
    if (!config->bridge)
        return TRUE;
    g_autofree char *path = g_strdup_printf("/sys/class/net/%s/bridge", config->bridge);
    if (!g_file_test(path, G_FILE_TEST_IS_DIR)) {
        g_set_error(error, RH_ERROR, RH_ERROR_BAD_CONFIG,
                    "Its network %s does not exist on this machine. Correct network= in its definition, or set it "
                    "to none.",
                    config->bridge);
        return FALSE;
    }
    domain->nics = g_new0(libxl_device_nic, 1);
    domain->num_nics = 1;
    libxl_device_nic_init(domain->nics);
    domain->nics->nictype = config->type == GUEST_HVM ? LIBXL_NIC_TYPE_VIF_IOEMU : LIBXL_NIC_TYPE_VIF;
    if (config->type == GUEST_HVM)
        domain->nics->model = g_strdup("e1000"); /* libxl's choice has no driver in newer systems */
    domain->nics->bridge = g_strdup(config->bridge);
    memcpy(domain->nics->mac, config->mac, sizeof(domain->nics->mac));
    return TRUE;
}

gboolean domain_config_fill(libxl_domain_config *domain, libxl_ctx *ctx, const struct guest_config *config,
                            struct guest_screen screen, GArray *holds, GError **error)
{
    if ((config->kernel && !check_readable("kernel", config->kernel, error)) ||
        (config->ramdisk && !check_readable("ramdisk", config->ramdisk, error)))
        return FALSE;
    domain->c_info.type = types[config->type];
    domain->c_info.name = g_strdup(config->name);
    memcpy(libxl_uuid_bytearray(&domain->c_info.uuid), config->uuid, sizeof(config->uuid));
    if (*config->context) /* which the hypervisor turns into an ssidref, or refuses */
        domain->c_info.ssid_label = g_strdup(config->context);
    libxl_defbool_set(&domain->c_info.run_hotplug_scripts, true);
    fill_build_info(&domain->b_info, ctx, config, screen);
    /* The ends of a domain are dealt with here; these only tell other tools so. */
    domain->on_poweroff = domain->on_crash = domain->on_watchdog = LIBXL_ACTION_ON_SHUTDOWN_DESTROY;
    domain->on_reboot = LIBXL_ACTION_ON_SHUTDOWN_RESTART;
    return fill_disks(domain, config, holds, error) && fill_network(domain, config, error);
}
