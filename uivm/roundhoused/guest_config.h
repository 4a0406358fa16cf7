/*
 * A guest's definition: /etc/roundhouse/guests/<name>.conf, one [guest] group. Reading checks everything that
 * can be known without starting the guest; whether the files it names exist is checked at every start.
 * What the settings are stands in guest_settings.c.
 */
#ifndef RH_GUEST_CONFIG_H
#define RH_GUEST_CONFIG_H

#include <glib.h>

#include "roundhouse_guest.h"

#define GUEST_SLOT_MIN 1
#define GUEST_SLOT_MAX 9
#define GUEST_NAME_MAX 63

/* How the guest runs. The first has page tables of its own making, the others the processor's virtualisation. */
enum guest_type {
    GUEST_PV,
    GUEST_PVH, /* no emulated devices */
    GUEST_HVM, /* a whole PC, its devices emulated by QEMU */
};

enum guest_firmware { GUEST_FIRMWARE_BIOS, GUEST_FIRMWARE_UEFI };

struct guest_disk {
    char *target; /* absolute path of a block device, or of a raw image file */
    char vdev[8]; /* its name in the guest, "xvda" ... "xvdz"; in an HVM guest also "hda" ... "hdd" */
    gboolean read_only;
    gboolean cdrom; /* a CD drive with this image in it; GUEST_HVM only */
};

/* The size in pixels of the screen that guests are shown on. */
struct guest_screen {
    guint width, height;
};

struct guest_config {
    char *path; /* the file it came from, for messages */
    char *name;
    guint slot;     /* GUEST_SLOT_MIN..GUEST_SLOT_MAX */
    guint32 colour; /* 0xrrggbb */
    guint memory_mib;
    guint vcpus;
    enum guest_type type;
    enum guest_firmware firmware; /* GUEST_HVM only */
    char *boot;                   /* GUEST_HVM only: c disk, d CD, n network, in order; never NULL */
    char *kernel;                 /* NULL: an HVM guest that its firmware boots */
    char *ramdisk;                /* NULL: none */
    char *cmdline;                /* never NULL */
    GPtrArray *disks;             /* struct guest_disk, owned */
    char *bridge;                 /* NULL: no network card */
    guint8 mac[6];
    enum guest_display display;
    enum guest_sound sound;
    guint volume; /* percent */
    gboolean autostart;
};

/*
 * Reads one file. NULL with an RH_ERROR_BAD_CONFIG that names the file and the key. Free with
 * guest_config_free.
 */
struct guest_config *guest_config_load(const char *path, GError **error);

/*
 * Reads every *.conf of a directory: the usable definitions in order of slots. A file that cannot be used, or
 * that claims a name or slot already taken by a file earlier in the alphabet, adds a sentence to problems and
 * is left out. A missing directory is an empty one.
 */
GPtrArray *guest_config_load_directory(const char *directory, GPtrArray *problems);

/*
 * Writes the file, the whole of it or nothing, so that it reads back as this definition. Comments, other groups and
 * lines that say so already stay as they are; what goes without saying gets no line. FALSE with an RH_ERROR_BAD_CONFIG
 * that names the file and the key or the reason: when no file can say this, or the one that is there cannot be read or
 * replaced. Whether another file has the name or the slot is the caller's affair.
 */
gboolean guest_config_write(const struct guest_config *config, const char *path, GError **error);

/* Whether two definitions describe the same guest in every respect. */
gboolean guest_config_equal(const struct guest_config *a, const struct guest_config *b);

struct guest_config *guest_config_copy(const struct guest_config *config);
void guest_config_free(struct guest_config *config);

#endif
