/* Prints, as lines of result, what `xl info` and `xl list` round: memory in KiB, a domain's processor time in ns, and
 * the time a command takes. Waits for a domain's end with less effort than a loop around `xl`, which would show in the
 * figures. Makes a domain's writes tracked, as a save of a running domain does. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <xenctrl.h>

#include "clock.h"

#define LOOK_EVERY_US 100000
#define LOOKS_MAX     900
#define DOMAINS_MAX   16

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

/* What is neither free nor a domain's: the hypervisor's own, and what it keeps beside a domain's memory for it. */
static int beside(xc_interface *xc)
{
    xc_physinfo_t machine = {0};
    xc_dominfo_t domains[DOMAINS_MAX];
    int count = xc_domain_getinfo(xc, 0, DOMAINS_MAX, domains);
    if (xc_physinfo(xc, &machine) || count < 1 || count == DOMAINS_MAX)
        return fail("figures: beside");
    uint64_t pages = machine.total_pages - machine.free_pages;
    for (int i = 0; i < count; i++)
        pages -= domains[i].nr_pages;
    printf("%llu\n", (unsigned long long)pages * 4);
    return 0;
}

/* Until the domain has switched itself off or is gone. */
static int wait_for_end(xc_interface *xc, uint32_t id)
{
    xc_dominfo_t info;
    for (unsigned look = 0; look < LOOKS_MAX; look++) {
        if (domain(xc, id, &info) || info.shutdown)
            return 0;
        usleep(LOOK_EVERY_US);
    }
    fprintf(stderr, "figures: domain %u does not end\n", id);
    return 1;
}

static int track_writes(xc_interface *xc, uint32_t id)
{
    return xc_shadow_control(xc, id, XEN_DOMCTL_SHADOW_OP_ENABLE_LOGDIRTY, NULL, 0) ? fail("figures: track") : 0;
}

static int time_of(xc_interface *xc, uint32_t id, const char *name)
{
    xc_dominfo_t info;
    if (domain(xc, id, &info))
        return fail("figures: no such domain");
    result(name, info.cpu_time);
    return 0;
}

/* Runs a command to its end; of the whole machine, for it waits for others. */
static int took(const char *name, char **command)
{
    uint64_t start = now();
    int status;
    pid_t child = fork();
    if (!child) {
        execvp(command[0], command);
        _exit(127);
    }
    if (child < 0 || waitpid(child, &status, 0) != child || status)
        return fail(command[0]);
    result(name, now() - start);
    return 0;
}

int main(int count, char **arguments)
{
    xc_interface *xc = xc_interface_open(NULL, NULL, 0);
    if (!xc)
        return fail("figures: hypervisor interface");
    if (count == 2 && !strcmp(arguments[1], "memory"))
        return memory(xc);
    if (count == 2 && !strcmp(arguments[1], "beside"))
        return beside(xc);
    if (count >= 4 && !strcmp(arguments[1], "took"))
        return took(arguments[2], arguments + 3);
    if (count == 3 && !strcmp(arguments[1], "wait"))
        return wait_for_end(xc, (uint32_t)strtoul(arguments[2], NULL, 10));
    if (count == 3 && !strcmp(arguments[1], "track"))
        return track_writes(xc, (uint32_t)strtoul(arguments[2], NULL, 10));
    if (count == 4 && !strcmp(arguments[1], "time"))
        return time_of(xc, (uint32_t)strtoul(arguments[2], NULL, 10), arguments[3]);
    fprintf(stderr, "usage: figures memory | beside | took NAME COMMAND... | time DOMAIN NAME | wait DOMAIN | "
                    "track DOMAIN\n");
    return 1;
}
