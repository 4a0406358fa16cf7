// Processes, and the word that sends them on.
#include "child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "send_fds.h"

_Static_assert((int)STORE_MAX <= (int)SEND_FDS_MAX, "all that is kept goes in one message");

static void become(char **arguments, const char *notify_path, int go, pid_t parent)
{
    char number[16];
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    snprintf(number, sizeof(number), "%d", go);
    if (getppid() == parent && fcntl(go, F_SETFD, 0) == 0 && setenv("KEEPER_GO", number, 1) == 0 &&
        setenv("NOTIFY_SOCKET", notify_path, 1) == 0)
        execv(arguments[0], arguments);
    fprintf(stderr, "<3>keeper: cannot run %s: %s\n", arguments[0], strerror(errno));
    _exit(127);
}

bool child_start(struct child *child, char **arguments, const char *notify_path)
{
    int ends[2];
    pid_t parent = getpid();
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
        return false;
    pid_t pid = fork();
    if (pid == 0)
        become(arguments, notify_path, ends[1], parent);
    close(ends[1]);
    int pidfd = pid > 0 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;
    if (pidfd < 0) {
        close(ends[0]);
        return false;
    }
    fcntl(pidfd, F_SETFD, FD_CLOEXEC);
    *child = (struct child){.pid = pid, .pidfd = pidfd, .go = ends[0]};
    return true;
}

bool child_go(struct child *child, const struct store *store)
{
    char names[STORE_MAX * (STORE_NAME + 1) + 1] = "\n"; // never empty: that would be the end of the connection
    int fds[STORE_MAX];
    size_t length = 1;
    for (unsigned i = 0; i < store->count; i++) {
        length += (size_t)snprintf(names + length, sizeof(names) - length, "%s\n", store->kept[i].name);
        fds[i] = store->kept[i].fd;
    }
    struct iovec part = {names, length};
    struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1};
    bool sent = send_with_fds(child->go, &header, fds, store->count, 0) == (ssize_t)length;
    close(child->go);
    child->go = -1;
    child->begun = child->heard = now_ms();
    return sent;
}

int child_reap(struct child *child)
{
    int status = 0;
    waitpid(child->pid, &status, 0);
    close(child->pidfd);
    if (child->go >= 0)
        close(child->go);
    *child = (struct child){0};
    return status;
}
