/* One run of qemu-img. For storage/ alone. */
#ifndef RH_QEMU_IMG_H
#define RH_QEMU_IMG_H

#include "convert.h"

/* What it reads and what it writes are given to it by these names, already open: no other file can come in their place.
 */
#define QEMU_IMG_INPUT  "/proc/self/fd/3"
#define QEMU_IMG_OUTPUT "/proc/self/fd/4"

/* All that it may open beside the system's programs, whatever an image names. */
struct qemu_img_files {
    const char *input;  /* a path */
    const char *output; /* a path of a file that is there; NULL: none */
};

/*
 * Runs the command line (argv[0] is the program) to its end. What it prints is in *output if that is not NULL,
 * otherwise it is taken for progress. FALSE with what it says about its failure.
 */
gboolean qemu_img_run(const char *const *argv, const struct qemu_img_files *files, char **output,
                      const struct convert_watch *watch, GError **error);

#endif
