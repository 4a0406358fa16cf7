/* One run of qemu-img. For storage/ alone. */
#ifndef RH_QEMU_IMG_H
#define RH_QEMU_IMG_H

#include "convert.h"

/*
 * Runs the command line (argv[0] is the program) to its end. What it prints is in *output if that is not NULL,
 * otherwise it is taken for progress. FALSE with what it says about its failure.
 */
gboolean qemu_img_run(const char *const *argv, char **output, const struct convert_watch *watch, GError **error);

#endif
