/*
 * A guest's definition: /etc/roundhouse/guests/<name>.conf, one [guest] group. Reading checks everything that
 * can be known without starting the guest; whether the files it names exist is checked at every start.
 * What the settings are stands in guest_settings.c.
 */
#ifndef RH_GUEST_CONFIG_H
#define RH_GUEST_CONFIG_H

#include <glib.h>

#include "roundhouse_guest.h"

#define GUEST_SLOT_NONE     0 /* no hotkey; its screen is one of those that nobody has */
#define GUEST_SLOT_MAX      9
#define GUEST_NAME_MAX      63
#define GUEST_CONTEXT_BYTES 160 /* of the longest context of a policy, and its end */

#define GUEST_BOOT_UEFI   "cdn"    /* the order of OVMF, which on Xen cannot be told another */
#define GUEST_CDROM_EMPTY "empty"  /* a CD drive without a CD */
#define GUEST_IMAGE       "image:" /* before the name of an image of the pool */
#define GUEST_CDROM_VDEV  "hdc"    /* where the drive is that cdrom= speaks of */

/* How the guest runs. The first has page tables of its own making, the others the processor's virtualisation. */
enum guest_type {
    GUEST_PV,
    GUEST_PVH, /* no emulated devices */
    GUEST_HVM, /* a whole PC, its devices emulated by QEMU */
};

enum guest_clock { GUEST_CLOCK_UTC, GUEST_CLOCK_LOCAL };

enum guest_firmware { GUEST_FIRMWARE_BIOS, GUEST_FIRMWARE_UEFI };

struct guest_disk {
    char *target; /* absolute path of a block device, or of a raw image file; pooled: the name of an image */
    gboolean pooled;
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
    guint slot;     /* 1..GUEST_SLOT_MAX, or GUEST_SLOT_NONE */
    guint32 colour; /* 0xrrggbb */
    guint memory_mib;
    guint vcpus;
    enum guest_type type;
    enum guest_firmware firmware; /* GUEST_HVM only */
    char *boot;                   /* GUEST_HVM only: c disk, d CD, n network, in order; never NULL */
    char *cdrom;            /* GUEST_HVM only: a path, GUEST_IMAGE and a name, or GUEST_CDROM_EMPTY; NULL: no drive */
    enum guest_clock clock; /* GUEST_HVM only: what its clock shows when it starts */
    gboolean viridian;      /* GUEST_HVM only: Hyper-V's calls, which Windows runs better by */
    char *kernel;           /* NULL: an HVM guest that its firmware boots */
    char *ramdisk;          /* NULL: none */
    char *cmdline;          /* never NULL */
    GPtrArray *disks;       /* struct guest_disk, owned */
    char *bridge;           /* NULL: no network card */
    guint8 mac[6];          /* 0: what guest_identity.h gives it; so is the UUID */
    guint8 uuid[16];
    guint8 generation[16]; /* no setting: guest_identity.h alone has it */
    enum guest_display display;
    enum guest_sound sound;
    guint volume; /* percent */
    gboolean autostart;
    guint undo_points;  /* how many are kept; 0: none is made */
    guint undo_space;   /* MiB that they may have of the pool, for each disk */
    guint undo_minutes; /* between two while the guest runs; 0: only at its starts */
    char *label;                       /* guest_label.h; NULL: none */
    char context[GUEST_CONTEXT_BYTES]; /* no setting: what the policy in force knows it by; "": there is no policy */
};

/*
 * Reads one file. NULL with an RH_ERROR_BAD_CONFIG that names the file and the key. Free with
 * guest_config_free.
 */
struct guest_config *guest_config_load(const char *path, GError **error);

/*
 * Reads every *.conf of a directory: the usable definitions in order (guest_config_compare). A file that cannot be
 * used, or that claims a name or slot already taken by a file earlier in the alphabet, adds a sentence to problems and
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

/*
 * A text that says all of this definition, also what goes without saying today, and what reads it; the path is for
 * messages. NULL with an RH_ERROR_BAD_CONFIG that names the key or the reason.
 */
char *guest_config_to_text(const struct guest_config *config, const char *path, GError **error);
struct guest_config *guest_config_from_text(const char *text, gsize length, const char *path, GError **error);

/* In order of slots, then those without one in order of names: negative, 0, positive. */
int guest_config_compare(const struct guest_config *a, const struct guest_config *b);

/* Whether two definitions describe the same guest in every respect. */
gboolean guest_config_equal(const struct guest_config *a, const struct guest_config *b);

/*
 * The definition that a file called path would have: what the file from says (NULL: a new one), but for these settings
 * (a{sv}: text, or a number or a boolean; an empty text takes a setting back to what goes without saying). Nothing is
 * written. NULL with an RH_ERROR_BAD_CONFIG that begins with the setting it is about.
 */
struct guest_config *guest_config_edit(const char *from, const char *path, GVariant *settings, GError **error);

/* All settings that it has, a{sv}: numbers as u, switches as b, the rest as s. A floating reference. */
GVariant *guest_config_settings(const struct guest_config *config);

/* What the file would say of a setting; NULL: nothing. The caller frees it. */
char *guest_config_text(const struct guest_config *config, const char *key);

struct guest_config *guest_config_copy(const struct guest_config *config);
void guest_config_free(struct guest_config *config);

#endif
