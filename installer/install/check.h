/*
 * What of this machine works with Roundhouse, in words. From /proc and /sys alone: nothing is tried out, and what
 * cannot be known from there is said to be unknown. Below Roundhouse itself (or Xen) Domain-0 sees what the hypervisor
 * lets it see; where that is not the machine, the hypervisor's own words are used, or it is unknown.
 */
#ifndef INSTALL_CHECK_H
#define INSTALL_CHECK_H

#include <glib.h>

enum check_verdict { CHECK_WORKS, CHECK_FAILS, CHECK_UNKNOWN, CHECK_NOTE };

struct check_finding {
    const char *name;
    enum check_verdict verdict;
    char *says; /* one sentence */
};

/* Findings (struct check_finding), in a fixed order; to be unreferenced. `root` is the folder that has proc/ and sys/:
 * "/". */
GPtrArray *check_machine(const char *root);

/* For people, and as records "finding" (json.h). */
void check_print(const GPtrArray *findings, GString *text);
void check_print_json(const GPtrArray *findings, GString *json);

#endif
