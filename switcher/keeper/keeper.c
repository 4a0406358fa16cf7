// roundhouse-keeper: runs a program, and beside it, started and loaded, the process that goes on when this one dies.
// Between the two lies one message. What the service manager would keep for the program it keeps, and passes on to the
// manager, for the case that all of them die. It reads nothing of what the program reads.
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "child.h"
#include "clock.h"
#include "store.h"
#include "told.h"

enum {
    SPARE_MS = 2000,  // after a death the next spare leaves the processor to the one that goes on
    YOUNG_MS = 1000,  // who dies younger than this
    PAUSE_MS = 200,   // is followed after a pause
    START_MS = 90000, // from the word to go on to READY
    TURN_MS = 1000,
};

struct keeper {
    char **arguments;
    char socket_path[100];
    int told, signals;
    struct child active, spare;
    struct store store;
    int64_t go_due, spare_due; // when one is to go on, and when a spare is to be started
    int64_t watchdog_ms;       // 0: none
    int64_t turn_due;          // when the manager is told again that this process goes round
    bool untold;               // the manager does not know all that it should
    bool stopping;
};

static void tell_status(const struct keeper *keeper)
{
    char text[100];
    snprintf(text, sizeof(text), "STATUS=process %d goes on, process %d waits", (int)keeper->active.pid,
             (int)keeper->spare.pid);
    told_pass(text, -1);
}

static void start_spare(struct keeper *keeper)
{
    if (keeper->spare.pid || keeper->stopping)
        return;
    if (!child_start(&keeper->spare, keeper->arguments, keeper->socket_path))
        fprintf(stderr, "<3>keeper: no process for the next one: %s\n", strerror(errno));
    keeper->spare_due = now_ms() + SPARE_MS; // if it failed
}

static void go_on(struct keeper *keeper)
{
    start_spare(keeper); // if there is none
    if (!keeper->spare.pid)
        return;
    keeper->active = keeper->spare;
    keeper->spare = (struct child){0};
    if (!child_go(&keeper->active, &keeper->store))
        kill(keeper->active.pid, SIGKILL);
    keeper->spare_due = now_ms() + SPARE_MS;
    tell_status(keeper);
}

static void active_died(struct keeper *keeper)
{
    int64_t now = now_ms();
    bool young = now - keeper->active.begun < YOUNG_MS;
    int status = child_reap(&keeper->active);
    if (keeper->stopping)
        return;
    if (WIFSIGNALED(status))
        fprintf(stderr, "<4>keeper: it ended by signal %d; the next one goes on\n", WTERMSIG(status));
    else
        fprintf(stderr, "<4>keeper: it ended with status %d; the next one goes on\n", WEXITSTATUS(status));
    keeper->go_due = young ? now + PAUSE_MS : now;
}

static void spare_died(struct keeper *keeper)
{
    child_reap(&keeper->spare);
    keeper->spare_due = now_ms() + SPARE_MS;
}

static void hear(struct keeper *keeper)
{
    struct told told;
    for (unsigned i = 0; i < 64 && told_take(keeper->told, &told); i++) {
        bool ours = keeper->active.pid && told.from == keeper->active.pid;
        if (ours) {
            keeper->active.heard = now_ms();
            keeper->active.ready |= told.ready;
            if (told.remove)
                store_remove(&keeper->store, told.name);
            if (!told.watchdog)
                keeper->untold |= !told_pass(told.text, told.fd);
        }
        if (ours && told.store && told.fd >= 0)
            store_put(&keeper->store, told.name, told.fd);
        else if (told.fd >= 0)
            close(told.fd);
    }
}

static void hear_signal(struct keeper *keeper)
{
    struct signalfd_siginfo info;
    if (read(keeper->signals, &info, sizeof(info)) != sizeof(info))
        return;
    keeper->stopping = true;
    if (keeper->active.pid)
        kill(keeper->active.pid, SIGTERM);
    if (keeper->spare.pid)
        kill(keeper->spare.pid, SIGKILL);
}

// It was too busy before.
static void tell_again(struct keeper *keeper)
{
    bool told = !keeper->active.ready || told_pass("READY=1", -1);
    for (unsigned i = 0; i < keeper->store.count && told; i++) {
        char text[100];
        snprintf(text, sizeof(text), "FDSTOREREMOVE=1\nFDNAME=%s", keeper->store.kept[i].name);
        told = told_pass(text, -1);
        snprintf(text, sizeof(text), "FDSTORE=1\nFDPOLL=0\nFDNAME=%s", keeper->store.kept[i].name);
        told = told && told_pass(text, keeper->store.kept[i].fd);
    }
    keeper->untold = !told;
}

static void each_turn(struct keeper *keeper, int64_t now)
{
    if (now < keeper->turn_due)
        return;
    keeper->turn_due = now + TURN_MS;
    if (keeper->untold)
        tell_again(keeper);
    if (keeper->watchdog_ms)
        told_pass("WATCHDOG=1", -1);
}

static void look_after(struct keeper *keeper)
{
    int64_t now = now_ms();
    struct child *active = &keeper->active;
    if (!active->pid && now >= keeper->go_due && !keeper->stopping)
        go_on(keeper);
    else if (!keeper->spare.pid && now >= keeper->spare_due && active->ready) {
        start_spare(keeper);
        tell_status(keeper);
    }
    int64_t limit = !active->ready ? START_MS : keeper->watchdog_ms;
    if (active->pid && limit && now - active->heard > limit) {
        fprintf(stderr, "<3>keeper: it says nothing any more and is killed\n");
        active->heard = now;
        kill(active->pid, SIGKILL);
    }
    each_turn(keeper, now);
}

static int next_turn(const struct keeper *keeper)
{
    int64_t now = now_ms(), left = TURN_MS;
    if (!keeper->active.pid && keeper->go_due - now < left)
        left = keeper->go_due - now;
    return left > 0 ? (int)left : 0;
}

static void run(struct keeper *keeper)
{
    while (!keeper->stopping || keeper->active.pid || keeper->spare.pid) {
        look_after(keeper);
        struct pollfd polled[] = {{keeper->told, POLLIN, 0},
                                  {keeper->signals, POLLIN, 0},
                                  {keeper->active.pid ? keeper->active.pidfd : -1, POLLIN, 0},
                                  {keeper->spare.pid ? keeper->spare.pidfd : -1, POLLIN, 0}};
        if (poll(polled, 4, next_turn(keeper)) < 0 && errno != EINTR)
            break;
        if (polled[0].revents)
            hear(keeper); // what the dead had to say comes before its successor
        if (polled[1].revents)
            hear_signal(keeper);
        if (polled[2].revents)
            active_died(keeper);
        if (polled[3].revents)
            spare_died(keeper);
    }
}

static bool prepare(struct keeper *keeper)
{
    const char *folder = getenv("RUNTIME_DIRECTORY"), *watchdog = getenv("WATCHDOG_USEC");
    if (!folder || strlen(folder) + 8 > sizeof(keeper->socket_path)) {
        fprintf(stderr, "<3>keeper: $RUNTIME_DIRECTORY names no folder for its socket\n");
        return false;
    }
    snprintf(keeper->socket_path, sizeof(keeper->socket_path), "%s/keeper", folder);
    keeper->watchdog_ms = watchdog ? (int64_t)(strtoull(watchdog, NULL, 10) / 1000) : 0;
    store_inherit(&keeper->store);
    keeper->told = told_listen(keeper->socket_path);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigprocmask(SIG_BLOCK, &set, NULL);
    keeper->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (keeper->told >= 0 && keeper->signals >= 0)
        return true;
    fprintf(stderr, "<3>keeper: cannot listen at %s: %s\n", keeper->socket_path, strerror(errno));
    return false;
}

int main(int argc, char **argv)
{
    if (argc < 2 || argv[1][0] != '/') {
        fprintf(stderr, "Usage: roundhouse-keeper PROGRAM [ARGUMENT]...\n"
                        "Runs PROGRAM (a whole path) and keeps its next process ready. See roundhouse-keeper(8).\n");
        return 2;
    }
    struct keeper keeper = {.arguments = argv + 1};
    if (!prepare(&keeper))
        return EXIT_FAILURE;
    run(&keeper);
    unlink(keeper.socket_path);
    return EXIT_SUCCESS;
}
