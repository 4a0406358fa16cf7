/*
 * What it costs to make a domain, to give it memory and to end it, by hypercalls alone: no toolstack, no kernel in it.
 *
 * Domains follow each other without a pause, so that a hypervisor that cleans memory later than it takes it back has to
 * do so within what is measured. A line of result is "BENCH name nanoseconds", of Domain-0's clock, the mean of ROUNDS.
 */
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <xenctrl.h>

#include "clock.h"

#define ROUNDS       8
#define MIB          64
#define EXTENT_ORDER 9 /* 2 MiB, as libxl asks for */
#define EXTENTS      (MIB / 2)
#define PAGING_MIB   2
#define LOOKS_MAX    1000000

enum step { MAKE, FILL, END, STEPS };

struct kind {
    const char *name;
    uint32_t flags, emulation;
};

static const struct kind kinds[] = {
    {"pv", 0, 0},
    {"pvh", XEN_DOMCTL_CDF_hvm | XEN_DOMCTL_CDF_hap, XEN_X86_EMU_LAPIC},
};

/* With the limits that libxl sets. */
static int make(xc_interface *xc, const struct kind *kind, uint32_t *id)
{
    struct xen_domctl_createdomain config = {
        .flags = kind->flags,
        .max_vcpus = 1,
        .max_evtchn_port = 1023,
        .max_grant_frames = -1,
        .max_maptrack_frames = -1,
        .grant_opts = XEN_DOMCTL_GRANT_version(2),
        .arch.emulation_flags = kind->emulation,
    };
    unsigned paging = PAGING_MIB;
    *id = 0;
    return xc_domain_create(xc, id, &config) || xc_domain_max_vcpus(xc, *id, 1) ||
           xc_domain_setmaxmem(xc, *id, MIB << 10) ||
           (kind->emulation && xc_shadow_control(xc, *id, XEN_DOMCTL_SHADOW_OP_SET_ALLOCATION, &paging, 0));
}

static int fill(xc_interface *xc, uint32_t id)
{
    xen_pfn_t extents[EXTENTS];
    for (unsigned i = 0; i < EXTENTS; i++)
        extents[i] = (xen_pfn_t)i << EXTENT_ORDER;
    return xc_domain_populate_physmap_exact(xc, id, EXTENTS, EXTENT_ORDER, 0, extents);
}

/* Until nothing of it is left. */
static int end(xc_interface *xc, uint32_t id)
{
    xc_dominfo_t info;
    if (xc_domain_destroy(xc, id))
        return -1;
    for (unsigned look = 0; look < LOOKS_MAX; look++)
        if (xc_domain_getinfo(xc, id, 1, &info) != 1 || info.domid != id)
            return 0;
    return -1;
}

static int life(xc_interface *xc, const struct kind *kind, uint64_t took[STEPS])
{
    uint32_t id;
    uint64_t start = now(), made, filled;
    if (make(xc, kind, &id))
        return -1;
    made = now();
    if (fill(xc, id))
        return -1;
    filled = now();
    if (end(xc, id))
        return -1;
    took[MAKE] += made - start;
    took[FILL] += filled - made;
    took[END] += now() - filled;
    return 0;
}

int main(void)
{
    xc_interface *xc = xc_interface_open(NULL, NULL, 0);
    for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        uint64_t first[STEPS] = {0}, took[STEPS] = {0};
        if (!xc || life(xc, &kinds[i], first)) {
            perror("domains");
            return 1;
        }
        for (unsigned round = 0; round < ROUNDS; round++)
            if (life(xc, &kinds[i], took)) {
                perror("domains");
                return 1;
            }
        printf("BENCH %s_domain_make %llu\n", kinds[i].name, (unsigned long long)took[MAKE] / ROUNDS);
        printf("BENCH %s_domain_mib %llu\n", kinds[i].name, (unsigned long long)took[FILL] / ROUNDS / MIB);
        printf("BENCH %s_domain_end %llu\n", kinds[i].name, (unsigned long long)took[END] / ROUNDS);
    }
    return 0;
}
