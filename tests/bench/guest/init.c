/*
 * First and only program of the guest that is measured. It says when it has started, waits while Domain-0 reads what
 * that cost, then does what its arguments name, and switches the guest off.
 *
 * A line of result is "BENCH name nanoseconds"; under -icount one instruction is one nanosecond. Each thing is done in
 * batches and the smallest counts: in the others a timer interrupt or another domain came between.
 */
#define _GNU_SOURCE /* O_DIRECT */
#include "guest.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "wake.h"

#define BATCHES      12
#define PAGE         4096
#define WAIT_SECONDS 5 /* Domain-0 looks at us meanwhile */

void fail(const char *what)
{
    printf("BENCH-ERROR in the guest: %s: %s\n", what, strerror(errno));
    reboot(RB_POWER_OFF);
    exit(1);
}

static void system_call(void)
{
    if (syscall(SYS_getppid) != 0)
        fail("getppid");
}

static void finish_child(pid_t child)
{
    int status;
    if (child < 0)
        fail("fork");
    if (waitpid(child, &status, 0) != child || status)
        fail("the child's end");
}

static void fork_exit(void)
{
    pid_t child = fork();
    if (!child)
        _exit(0);
    finish_child(child);
}

static void fork_exec(void)
{
    pid_t child = fork();
    if (!child) {
        execl("/bin/busybox", "true", (char *)NULL);
        _exit(1);
    }
    finish_child(child);
}

#define FAULTS 64

static void page_faults(void)
{
    char *memory = mmap(NULL, FAULTS * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        fail("mmap");
    for (unsigned i = 0; i < FAULTS; i++)
        memory[i * PAGE] = 1;
    munmap(memory, FAULTS * PAGE);
}

static int to_child[2], to_parent[2];

static void ping_pong(void)
{
    char byte = 0;
    if (write(to_child[1], &byte, 1) != 1 || read(to_parent[0], &byte, 1) != 1)
        fail("pipe");
}

static pid_t start_pong(void)
{
    char byte;
    if (pipe(to_child) || pipe(to_parent))
        fail("pipe");
    pid_t child = fork();
    if (child)
        return child;
    close(to_child[1]);
    while (read(to_child[0], &byte, 1) == 1)
        if (write(to_parent[1], &byte, 1) != 1)
            break;
    _exit(0);
}

void measure(const char *name, void (*once)(void), unsigned rounds, unsigned each)
{
    uint64_t best = UINT64_MAX;
    once();
    for (unsigned batch = 0; batch < BATCHES; batch++) {
        uint64_t start = now();
        for (unsigned round = 0; round < rounds; round++)
            once();
        uint64_t time = now() - start;
        if (time < best)
            best = time;
    }
    printf("BENCH %s %llu\n", name, (unsigned long long)(best / rounds / each));
}

#define DISK_BYTES   (4U << 20)
#define DISK_REQUEST (128U << 10)

/* Once. Drivers are in /modules, in the order in which they can be loaded; a file's name begins with its number. */
static void load_drivers(void)
{
    static bool loaded;
    struct dirent **modules;
    if (loaded)
        return;
    loaded = true;
    int count = scandir("/modules", &modules, NULL, alphasort);
    for (int i = 0; i < count; i++) {
        char path[300];
        snprintf(path, sizeof(path), "/modules/%s", modules[i]->d_name);
        int file = open(path, O_RDONLY | O_CLOEXEC);
        if (strstr(path, ".ko") && syscall(SYS_finit_module, file, "", 0) && errno != ENODEV)
            fail(path);
        close(file);
    }
}

static int open_disk(void)
{
    for (unsigned turn = 0; turn < 100; turn++) {
        int disk = open("/dev/xvda", O_RDONLY | O_DIRECT | O_CLOEXEC);
        if (disk < 0)
            disk = open("/dev/sda", O_RDONLY | O_DIRECT | O_CLOEXEC);
        if (disk >= 0)
            return disk;
        usleep(100000);
    }
    fail("no disk has appeared");
    return -1;
}

static int disk;

static void read_disk(void)
{
    static char buffer[DISK_REQUEST] __attribute__((aligned(PAGE)));
    for (unsigned done = 0; done < DISK_BYTES; done += DISK_REQUEST)
        if (pread(disk, buffer, DISK_REQUEST, done) != (ssize_t)DISK_REQUEST)
            fail("read from the disk");
}

/* Of the whole machine: the disk's other half is in Domain-0. */
static void measure_disk(void)
{
    disk = open_disk();
    measure("guest_disk_mib", read_disk, 1, DISK_BYTES >> 20);
}

static void measure_processes(void)
{
    measure("guest_system_call", system_call, 1000, 1);
    measure("guest_page_fault", page_faults, 4, FAULTS);
    measure("guest_fork_exit", fork_exit, 4, 1);
    measure("guest_fork_exec_exit", fork_exec, 2, 1);
    pid_t child = start_pong();
    measure("guest_process_switch", ping_pong, 100, 2);
    close(to_child[1]);
    finish_child(child);
}

/* Takes all of its processor that it is given. */
static void spin(void)
{
    for (;;)
        __asm__ volatile("");
}

static void wake(void)
{
    wake_measure("guest_wake");
}

/* What an argument asks for. */
static const struct {
    const char *name;
    void (*run)(void);
    bool drivers;
} works[] = {
    {"processes", measure_processes, false},
    {"disk", measure_disk, true},
    {"network", measure_network, true},
    {"wake", wake, false},
    {"spin", spin, false},
};

static void work(const char *name)
{
    for (unsigned i = 0; i < sizeof(works) / sizeof(works[0]); i++)
        if (!strcmp(works[i].name, name)) {
            if (works[i].drivers)
                load_drivers();
            works[i].run();
            return;
        }
    errno = EINVAL;
    fail(name);
}

int main(int count, char **arguments)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    printf("BENCH guest_uptime_at_init %llu\nBENCH-READY\n", (unsigned long long)now());
    if (mount("dev", "/dev", "devtmpfs", 0, NULL))
        fail("mount of /dev");
    sleep(WAIT_SECONDS);
    for (int i = 1; i < count; i++)
        work(arguments[i]);
    printf("BENCH-DONE\n");
    fflush(stdout);
    sleep(1);
    reboot(RB_POWER_OFF);
    fail("power-off");
}
