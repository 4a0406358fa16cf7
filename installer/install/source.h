/*
 * What is installed: what a boot medium of Roundhouse has (installer/media).
 *
 *   --system FILE  the service VM's root file system as one file: a squashfs, or a raw image of ext4. It is written
 * into a slot as it is, and is only read there: what changes is in the state partition, over its /etc and /var
 *   FILE.sha256    the SHA-256 of each 8 MiB of it, a line each, and at the end that of nothing
 *   --boot DIR     hypervisor          its ELF file, for multiboot2
 *                  kernel, initrd      Domain-0's, as modules 1 and 2
 *                  hypervisor.options  one line: its command line
 *                  kernel.options      one line: the kernel's, without root=, ro and rw, which the installer adds
 *                  SHA256SUMS          of sha256sum(1): a line for each of these, and for the system by that name
 *
 * The kernel is started with root=PARTUUID=SLOT ro boot=roundhouse roundhouse.slot=A|B roundhouse.state=PARTUUID=STATE
 * and the kernel's options.
 * To lay the state's folders etc/ and var/ over those of the slot, and to ask for the passphrase where the state is
 * LUKS, is the initrd's work (uivm/image/uivm.initramfs).
 */
#ifndef INSTALL_SOURCE_H
#define INSTALL_SOURCE_H

#include <glib.h>

enum source_file {
    SOURCE_SYSTEM,
    SOURCE_HYPERVISOR,
    SOURCE_KERNEL,
    SOURCE_INITRD, /* the last that is copied */
    SOURCE_HYPERVISOR_OPTIONS,
    SOURCE_KERNEL_OPTIONS,
    SOURCE_COUNT,
};

struct source {
    struct {
        char *path;
        gint64 size;
        char *sum; /* SHA-256 in small hexadecimal letters */
    } files[SOURCE_COUNT];
    char *hypervisor_options, *kernel_options;
};

/* As on the medium and on the boot partition. */
extern const char *const source_names[SOURCE_COUNT];

/* Reads every file to its end and compares its sum; NULL with an error, which says which one is damaged. */
struct source *source_open(const char *system, const char *boot, GError **error);
/* Of plans: how large the system is and nothing more; what is in it is not looked at. */
struct source *source_glance(const char *system, GError **error);
void source_free(struct source *source);

#endif
