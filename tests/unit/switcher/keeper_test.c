// The keeper over processes that die: the next one was there before, goes on with what was kept, and is followed by
// another. This program is the service manager, and with an argument more the service.
//   keeper_test PATH-OF-ROUNDHOUSE-KEEPER
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../check.h"
#include "kept.h"
#include "listen.h"
#include "notify.h"

enum { PATIENCE_MS = 20000 };

static int manager;
static char text[256];
static pid_t keeper;

void log_error(const char *format, ...)
{
    (void)format;
}

int listen_at(const char *path, int type, mode_t mode)
{
    (void)path;
    (void)type;
    (void)mode;
    return -1;
}

// ---- the service: it says what it was given, keeps one descriptor, and waits for its end ----

static int serve(void)
{
    char said[100], word[32] = "nothing";
    if (!kept_wait())
        return 1;
    int fd = kept_take("thing");
    if (fd >= 0)
        word[pread(fd, word, sizeof(word) - 1, 0)] = '\0';
    kept_close_rest();
    int kept = memfd_create("thing", MFD_CLOEXEC);
    dprintf(kept, "of %d", (int)getpid());
    kept_replace("thing", kept);
    snprintf(said, sizeof(said), "READY=1\nX_ME=%d\nX_GIVEN=%s", (int)getpid(), word);
    notify_say(said, -1);
    for (;;)
        pause();
}

// ---- the manager ----

static bool hear(void)
{
    char control[64];
    struct iovec part = {text, sizeof(text) - 1};
    struct msghdr header = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
    struct pollfd polled = {manager, POLLIN, 0};
    if (poll(&polled, 1, PATIENCE_MS) != 1)
        return false;
    ssize_t size = recvmsg(manager, &header, MSG_CMSG_CLOEXEC);
    text[size > 0 ? size : 0] = '\0';
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&header); c; c = CMSG_NXTHDR(&header, c)) {
        int fd;
        memcpy(&fd, CMSG_DATA(c), sizeof(fd));
        close(fd);
        strcat(text, "\n+fd");
    }
    return size > 0;
}

static bool hear_that(const char *part)
{
    while (hear())
        if (strstr(text, part))
            return true;
    return false;
}

// The process that goes on and the one that waits, as the keeper says; both are there.
static void status(int *active, int *spare)
{
    do
        CHECK(hear_that("STATUS="));
    while (sscanf(text, "STATUS=process %d goes on, process %d waits", active, spare) == 2 && *spare == 0);
}

static int started(const char *given)
{
    int pid = 0;
    CHECK(hear_that("READY=1") && sscanf(text, "READY=1\nX_ME=%d", &pid) == 1);
    CHECK(strstr(text, given) != NULL);
    return pid;
}

static char folder[] = "/tmp/keeper-test-XXXXXX";

void check_clean_up(void)
{
    char command[100];
    snprintf(command, sizeof(command), "rm -rf %s", folder);
    if (system(command))
        fprintf(stderr, "%s is left\n", folder);
}

static void start(char **argv)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof(address.sun_path), "%s/manager", folder);
    manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    CHECK(bind(manager, (struct sockaddr *)&address, sizeof(address)) == 0);
    setenv("NOTIFY_SOCKET", address.sun_path, 1);
    setenv("RUNTIME_DIRECTORY", folder, 1);
    setenv("WATCHDOG_USEC", "3000000", 1);
    keeper = fork();
    if (keeper == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        char self[200] = "";
        CHECK(readlink("/proc/self/exe", self, sizeof(self) - 1) > 0);
        execl(argv[1], argv[1], self, "serve", "here", NULL);
        _exit(127);
    }
}

static bool is_gone(int pid)
{
    for (int waited = 0; waited < PATIENCE_MS && kill(pid, 0) == 0; waited += 10)
        usleep(10000);
    return kill(pid, 0) != 0;
}

int main(int argc, char **argv)
{
    if (argc == 3)
        return serve();
    if (argc != 2)
        return 2;
    alarm(100);
    char given[40];
    int active, spare, next;
    CHECK(mkdtemp(folder) != NULL);
    start(argv);
    CHECK(hear_that("FDSTORE=1") && strstr(text, "FDNAME=thing") && strstr(text, "+fd")); // for its own death
    int first = started("X_GIVEN=nothing");
    status(&active, &spare);
    CHECK(active == first && spare != active);
    kill(first, SIGKILL);
    snprintf(given, sizeof(given), "X_GIVEN=of %d", first);
    CHECK(started(given) == spare); // it was there before
    status(&active, &next);
    CHECK(active == spare && next != spare);
    kill(next, SIGKILL); // nobody depends on it
    kill(active, SIGKILL);
    snprintf(given, sizeof(given), "X_GIVEN=of %d", active);
    started(given);
    status(&active, &spare);
    CHECK(hear_that("WATCHDOG=1"));
    CHECK(is_gone(active)); // it never says that it lives
    started("X_GIVEN=of ");
    status(&active, &spare);
    kill(keeper, SIGTERM);
    int end = 1;
    CHECK(waitpid(keeper, &end, 0) == keeper && WIFEXITED(end) && WEXITSTATUS(end) == 0);
    CHECK(is_gone(active) && is_gone(spare));
    check_clean_up();
    return 0;
}
