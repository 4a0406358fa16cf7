/*
 * The shared fakes: what nobody faked stops the test and is named; what a test defines itself is called.
 */
#include "../../check.h"
#include <hv/console.h>
#include <hv/domain.h>
#include <hv/page_alloc.h>
#include <hv/sched.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static unsigned woken;

void vcpu_wake(struct vcpu *v)
{
    woken++;
}

/* What a process says on its standard error before it is stopped. */
static void said_before_abort(void (*run)(void), char *text, size_t size)
{
    int ends[2], status;
    CHECK(pipe(ends) == 0);
    pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        run();
        _exit(0);
    }
    close(ends[1]);
    size_t length = 0;
    for (ssize_t got; (got = read(ends[0], text + length, size - 1 - length)) > 0; length += got)
        ;
    text[length] = 0;
    close(ends[0]);
    CHECK(waitpid(child, &status, 0) == child && WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

static void call_nobodys(void)
{
    vcpu_unblock(NULL);
}

static void call_panic(void)
{
    panic("count %d", 7);
}

int main(void)
{
    char text[4096];
    said_before_abort(call_nobodys, text, sizeof(text));
    CHECK(strstr(text, "unexpected call of vcpu_unblock()"));
    said_before_abort(call_panic, text, sizeof(text));
    CHECK(strstr(text, "panic: count 7"));
    vcpu_wake(NULL);
    CHECK(woken == 1);
    char *object = zalloc(100);
    CHECK(object && !object[0] && !object[99]);
    free(object);
    return 0;
}
