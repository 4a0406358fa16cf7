/* The table of settings, in the order of the manual page and of a new file. */
#include "guest_setting.h"
#include "guest_label.h"
#include "storage/image_name.h"

#include <string.h>

#define CMDLINE_MAX 1023 /* start_info carries 1,024 bytes: xen/xen.h MAX_GUEST_CMDLINE */

/* Told apart by eye on a dark screen, also with the common forms of colour blindness. */
static const guint32 slot_colours[GUEST_SLOT_MAX + 1] = {0,        0x4c9be8, 0xe8a33d, 0x5fb878, 0xd66ba0,
                                                         0x9b7fe6, 0x3fc1c0, 0xe2725b, 0xc9c14a, 0x9aa5b1};

static gboolean check_name(const struct guest_setting *row, const char *value, GError **error)
{
    const char *rest = value + strspn(value, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-");
    if (!g_ascii_isalnum(value[0]) || *rest || strlen(value) > GUEST_NAME_MAX)
        return guest_setting_bad(error, row->key,
                                 "\"%s\" must begin with a letter or digit, hold only letters, digits, dots, dashes "
                                 "and underscores, and be at most %d long.",
                                 value, GUEST_NAME_MAX);
    if (g_str_equal(value, "Domain-0"))
        return guest_setting_bad(error, row->key,
                                 "\"Domain-0\" is the name of the service machine itself; choose another.");
    return TRUE;
}

static gboolean check_boot(const struct guest_setting *row, const char *value, GError **error)
{
    if (!*value || strlen(value) > 3 || value[strspn(value, "cdn")])
        return guest_setting_bad(error, row->key,
                                 "\"%s\" is not an order of c (disk), d (CD) and n (network), such as dc.", value);
    return TRUE;
}

static gboolean check_cdrom(const struct guest_setting *row, const char *value, GError **error)
{
    gboolean pooled = g_str_has_prefix(value, GUEST_IMAGE);
    if (pooled && !image_name_valid(value + strlen(GUEST_IMAGE)))
        return guest_setting_bad(error, row->key, "\"%s\" cannot be the name of an image.",
                                 value + strlen(GUEST_IMAGE));
    if (!pooled && !g_path_is_absolute(value) && !g_str_equal(value, GUEST_CDROM_EMPTY))
        return guest_setting_bad(
            error, row->key, "\"%s\" is neither a whole path that begins with / nor " GUEST_IMAGE "and a name nor %s.",
            value, GUEST_CDROM_EMPTY);
    if (strchr(value, ','))
        return guest_setting_bad(error, row->key,
                                 "\"%s\" has a comma in it, which QEMU takes for the end of the name; "
                                 "give the file another name.",
                                 value);
    return TRUE;
}

static gboolean check_cmdline(const struct guest_setting *row, const char *value, GError **error)
{
    if (strlen(value) > CMDLINE_MAX)
        return guest_setting_bad(error, row->key, "it is %zu characters long; a guest can be given %d.", strlen(value),
                                 CMDLINE_MAX);
    return TRUE;
}

static gboolean check_label(const struct guest_setting *row, const char *value, GError **error)
{
    struct guest_label label;
    return guest_label_read(value, &label) ||
           guest_setting_bad(error, row->key,
                             "\"%s\" is not a label of the policy, with desktop or service before it or not.", value);
}

static gboolean name_of_file(const struct guest_setting *row, struct guest_config *config, GError **error)
{
    g_autofree char *base = g_path_get_basename(config->path);
    if (g_str_has_suffix(base, ".conf"))
        base[strlen(base) - strlen(".conf")] = '\0';
    return row->kind->read(row, &config->name, base, error);
}

/* guest_config_write() asks before it has looked at the slot. A guest without one has a colour by its name. */
static gboolean colour_of_slot(const struct guest_setting *row, struct guest_config *config, GError **error)
{
    (void)row, (void)error;
    guint slot = config->slot ? MIN(config->slot, GUEST_SLOT_MAX) : 1 + g_str_hash(config->name) % GUEST_SLOT_MAX;
    config->colour = slot_colours[slot];
    return TRUE;
}

static gboolean display_of_type(const struct guest_setting *row, struct guest_config *config, GError **error)
{
    (void)row, (void)error;
    config->display = config->type == GUEST_HVM ? GUEST_DISPLAY_VGA : GUEST_DISPLAY_FBIF;
    return TRUE;
}

static const struct guest_word types[] = {
    {"pv", GUEST_PV, "no virtualisation extension needed"},
    {"pvh", GUEST_PVH, "the processor's virtualisation, no emulated devices"},
    {"hvm", GUEST_HVM, "a whole PC with devices emulated by QEMU, for any system"},
    {NULL, 0, NULL},
};
static const struct guest_word firmwares[] = {
    {"bios", GUEST_FIRMWARE_BIOS, "SeaBIOS"},
    {"uefi", GUEST_FIRMWARE_UEFI, "OVMF"},
    {NULL, 0, NULL},
};
static const struct guest_word clocks[] = {
    {"utc", GUEST_CLOCK_UTC, "as Linux takes it"},
    {"local", GUEST_CLOCK_LOCAL, "the time of day where this machine is, as Windows takes it"},
    {NULL, 0, NULL},
};
static const struct guest_word displays[] = {
    {"fbif", GUEST_DISPLAY_FBIF, "a framebuffer; what types pv and pvh have if nothing is given"},
    {"displif", GUEST_DISPLAY_DISPLIF, "a display of the kernel's DRM"},
    {"vga", GUEST_DISPLAY_VGA,
     "QEMU's graphics card with keyboard and tablet; type hvm only, and what it has if nothing is given"},
    {"none", GUEST_DISPLAY_NONE, "neither picture nor keyboard"},
    {NULL, 0, NULL},
};

static const struct guest_word sounds[] = {
    {"muted", GUEST_SOUND_MUTED, "nothing"},
    {"ducked", GUEST_SOUND_DUCKED, "all, but quiet"},
    {"kept", GUEST_SOUND_KEPT, "all, as loud as on screen"},
    {"none", GUEST_SOUND_NONE, "nothing, on screen neither: the guest has no sound card"},
    {NULL, 0, NULL},
};

/* offsetof, where the compiler sees that the field has the type that the kind takes it for. */
#define FIELD(type, name)                                                                                              \
    (offsetof(struct guest_config, name) + 0 * sizeof((__typeof__(type) *)NULL == &((struct guest_config *)NULL)->name))

/* clang-format off */
const struct guest_setting guest_settings[] = {
    {"slot", &guest_kind_number, FIELD(guint, slot),
     .title = "Slot", .group = "Name and place",
     .about = "The digit of the hotkey Ctrl+Alt+digit, which one guest alone can have; 0 for none",
     .otherwise = "0", .min = GUEST_SLOT_NONE, .max = GUEST_SLOT_MAX},
    {"name", &guest_kind_text, FIELD(char *, name),
     .title = "Name", .group = "Name and place",
     .about = "Letters, digits, dots, dashes and underscores, up to 63; otherwise the file's name",
     .derive = name_of_file, .check = check_name},
    {"colour", &guest_kind_colour, FIELD(guint32, colour),
     .title = "Colour", .group = "Name and place",
     .about = "#rrggbb; otherwise a colour that goes with the slot, or with the name",
     .derive = colour_of_slot},
    {"type", &guest_kind_word, FIELD(enum guest_type, type),
     .title = "Type", .group = "System",
     .about = "How the guest runs",
     .otherwise = "pv", .words = types},
    {"kernel", &guest_kind_path, FIELD(char *, kernel),
     .title = "Kernel", .group = "System",
     .about = "Path of the kernel, as a whole path. Must be there unless the type is hvm, where the firmware boots a "
              "disk or a CD without it. A PV or PVH guest starts sooner from the unpacked kernel (vmlinux)"},
    {"ramdisk", &guest_kind_path, FIELD(char *, ramdisk),
     .title = "Initial RAM disk", .group = "System",
     .about = "Path of the initial RAM disk"},
    {"cmdline", &guest_kind_text, FIELD(char *, cmdline),
     .title = "Command line", .group = "System",
     .about = "The kernel's command line, up to 1,023 characters",
     .otherwise = "", .check = check_cmdline},
    {"firmware", &guest_kind_word, FIELD(enum guest_firmware, firmware),
     .title = "Firmware", .group = "System",
     .about = "What boots the guest",
     .otherwise = "bios", .words = firmwares, .hvm_only = TRUE},
    {"boot", &guest_kind_text, FIELD(char *, boot),
     .title = "Boot order", .group = "System",
     .about = "What SeaBIOS tries, in order: c the disk, d the CD, n the network. OVMF has an order of its own, cdn, "
              "and takes no other",
     .otherwise = GUEST_BOOT_UEFI, .check = check_boot, .hvm_only = TRUE},
    {"cdrom", &guest_kind_text, FIELD(char *, cdrom),
     .title = "CD drive", .group = "System",
     .about = "A CD drive, hdc: the path of the image in it, or image: and the name of an image of the pool, or the "
              "path of a drive of this machine, or empty; otherwise no drive",
     .check = check_cdrom, .hvm_only = TRUE},
    {"clock", &guest_kind_word, FIELD(enum guest_clock, clock),
     .title = "Clock", .group = "System",
     .about = "What the PC's clock shows when the guest starts",
     .otherwise = "utc", .words = clocks, .hvm_only = TRUE},
    {"viridian", &guest_kind_switch, FIELD(gboolean, viridian),
     .title = "Hyper-V calls", .group = "System",
     .about = "Whether the PC has the calls of Hyper-V, by which Windows runs better: true or false",
     .otherwise = "false", .hvm_only = TRUE},
    {"memory_mib", &guest_kind_number, FIELD(guint, memory_mib),
     .title = "Memory, MiB", .group = "Resources",
     .about = "Memory in MiB",
     .otherwise = "512", .min = 32, .max = 1024 * 1024},
    {"vcpus", &guest_kind_number, FIELD(guint, vcpus),
     .title = "Processors", .group = "Resources",
     .about = "Virtual processors",
     .otherwise = "1", .min = 1, .max = 32},
    {"disk", &guest_kind_disks, FIELD(GPtrArray *, disks),
     .title = "Disks", .group = "Resources",
     .about = "Disks, with semicolons between them. Each is image: and the name of an image of the pool, or the "
              "path of a block device or of a raw image file, optionally with phy: or file: before it; optionally "
              "followed by ,ro or ,rw and by its name in the guest, ,xvda ... ,xvdz. In a guest of type hvm also "
              ",hda ... ,hdd, and ,cdrom for a CD drive with the image in it",
     .otherwise = ""},
    {"network", &guest_kind_network, FIELD(char *, bridge),
     .title = "Network", .group = "Network",
     .about = "The bridge that the guest's network card is a port of; bridge is the usual one, xenbr0",
     .otherwise = "none"},
    {"mac", &guest_kind_mac, FIELD(guint8[6], mac),
     .title = "Card address", .group = "Network",
     .about = "The card's address; otherwise one that was made for this guest on this machine, and stays the same"},
    {"uuid", &guest_kind_uuid, FIELD(guint8[16], uuid),
     .title = "Machine UUID", .group = "Network",
     .about = "What its system knows the machine by that it runs on; otherwise one that was made for this guest on "
              "this machine, and stays the same"},
    {"display", &guest_kind_word, FIELD(enum guest_display, display),
     .title = "Picture", .group = "Picture and sound",
     .about = "Where the guest's picture comes from",
     .derive = display_of_type, .words = displays},
    {"sound", &guest_kind_word, FIELD(enum guest_sound, sound),
     .title = "Sound off screen", .group = "Picture and sound",
     .about = "What is heard of the guest while something else is on screen; on screen it is heard",
     .otherwise = "muted", .words = sounds},
    {"volume", &guest_kind_number, FIELD(guint, volume),
     .title = "Volume, percent", .group = "Picture and sound",
     .about = "How loud the guest is, in percent",
     .otherwise = "100", .min = 0, .max = 100},
    {"autostart", &guest_kind_switch, FIELD(gboolean, autostart),
     .title = "Start with the machine", .group = "Start and undo points",
     .about = "Whether the guest is started when the machine has started: true or false",
     .otherwise = "false"},
    {"undo_points", &guest_kind_number, FIELD(guint, undo_points),
     .title = "Undo points", .group = "Start and undo points",
     .about = "How many undo points are kept: what the images of the pool that it may write were, made by itself at "
              "each start and from time to time while it runs. The oldest go first. 0 for none",
     .otherwise = "0", .min = 0, .max = 1000},
    {"undo_space", &guest_kind_number, FIELD(guint, undo_space),
     .title = "Room for them, MiB", .group = "Start and undo points",
     .about = "How many MiB of the pool the undo points of each disk may have for themselves; the newest stays in any "
              "case",
     .otherwise = "10240", .min = 1, .max = 1024 * 1024 * 1024},
    {"undo_minutes", &guest_kind_number, FIELD(guint, undo_minutes),
     .title = "Minutes between them", .group = "Start and undo points",
     .about = "How many minutes are between two undo points while it runs; 0 to make them at starts only",
     .otherwise = "60", .min = 0, .max = 7 * 24 * 60},
    {"label", &guest_kind_text, FIELD(char *, label),
     .title = "Label of the policy", .group = "Name and place",
     .about = "What the policy knows the guest by, if it does not name it: desktop, which goes without saying, or "
              "service, and one of the policy's labels; either or both",
     .check = check_label},
    {.key = NULL},
};
/* clang-format on */
