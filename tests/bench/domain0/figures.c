/* Prints, as lines of result, what `xl info` and `xl list` round: memory in KiB, and a domain's
 * processor time in ns. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xenctrl.h>

static int fail(const char *what)
{
    perror(what);
    return 1;
}

static void result(const char *name, unsigned long long value)
{
    printf("BENCH %s %llu\n", name, value);
}

static int domain(xc_interface *xc, uint32_t id, xc_dominfo_t *info)
{
    return xc_domain_getinfo(xc, id, 1, info) == 1 && info->domid == id ? 0 : -1;
}

static int memory(xc_interface *xc)
{
    xc_physinfo_t machine = {0};
    xc_dominfo_t domain0;
    if (xc_physinfo(xc, &machine) || domain(xc, 0, &domain0))
        return fail("figures: memory");
    result("memory_total_kib", machine.total_pages * 4);
    result("memory_free_kib", machine.free_pages * 4);
    result("memory_domain0_kib", domain0.nr_pages * 4ULL);
    return 0;
}

int main(int count, char **arguments)
{
    xc_interface *xc = xc_interface_open(NULL, NULL, 0);
    xc_dominfo_t info;
    if (!xc)
        return fail("figures: hypervisor interface");
    if (count == 2 && !strcmp(arguments[1], "memory"))
        return memory(xc);
    if (count != 4 || strcmp(arguments[1], "time")) {
        fprintf(stderr, "usage: figures memory | figures time DOMAIN NAME\n");
        return 1;
    }
    if (domain(xc, (uint32_t)strtoul(arguments[2], NULL, 10), &info))
        return fail("figures: no such domain");
    result(arguments[3], info.cpu_time);
    return 0;
}
