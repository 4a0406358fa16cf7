/*
 * A test of several named parts that go on without each other. They run in one child process, and after one that fails,
 * or is killed, the rest in another. Reported in TAP (protocol 'tap' in meson.build), a failed one with all that it
 * said on standard error.
 */
#ifndef UNIT_TEST_LIST_H
#define UNIT_TEST_LIST_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

struct unit_test {
    const char *name;
    void (*run)(void);
};

/* In the child: from test *next on, which is shared with the parent. `around`: run_tests(). */
static inline __attribute__((noreturn)) void run_from(const struct unit_test *tests, unsigned count, unsigned *next,
                                                      void (*around)(void (*run)(void)))
{
    for (; *next < count; ++*next) {
        if (ftruncate(STDERR_FILENO, 0) || lseek(STDERR_FILENO, 0, SEEK_SET))
            _Exit(1);
        if (around)
            around(tests[*next].run);
        else
            tests[*next].run();
        printf("ok %u - %s\n", *next + 1, tests[*next].name);
        fflush(stdout);
    }
    exit(0); /* and with what the sanitizers find at an exit */
}

static inline void tell_as_remarks(FILE *said)
{
    char line[1024];
    rewind(said);
    while (fgets(line, sizeof(line), said))
        printf("# %s", line);
    printf("\n");
}

/* What main returns. `around`, if not NULL, is called in place of each test and calls it, with what goes before and
 * after. */
static inline int run_tests(const struct unit_test *tests, unsigned count, void (*around)(void (*run)(void)))
{
    unsigned failed = 0, *next = mmap(NULL, sizeof(*next), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    FILE *said = tmpfile();
    int status = 0;
    if (!count || next == MAP_FAILED || !said)
        return 1;
    printf("1..%u\n", count);
    while (*next < count) {
        fflush(stdout);
        pid_t child = fork();
        if (child == 0 && dup2(fileno(said), STDERR_FILENO) == STDERR_FILENO)
            run_from(tests, count, next, around);
        if (child <= 0 || waitpid(child, &status, 0) != child)
            return 1;
        if (*next < count) {
            printf("not ok %u - %s\n", *next + 1, tests[*next].name);
            ++*next;
            failed++;
        }
        if (status)
            tell_as_remarks(said); /* what a sanitizer finds at the exit, too */
    }
    return failed || status;
}

#endif
