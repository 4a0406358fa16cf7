/*
 * What somebody who looks for a fault asks of a machine: its versions, what it is, what it can do with Roundhouse, and
 * what the hypervisor, the kernel and our services said since it started, and before that. Nothing of guests but their
 * states.
 */
#ifndef REPORT_REPORT_H
#define REPORT_REPORT_H

#include <glib.h>

/*
 * The text, without what redact.h takes out; to be freed. A part that cannot be had is told as a sentence in its place.
 * `root` is the folder that has etc/ and var/: "/". The tools of the table are run, found by PATH.
 */
char *report_make(const char *root);

#endif
