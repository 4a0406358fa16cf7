// What is logged of one guest is bounded, and costs another nothing.
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../check.h"
#include "log.h"

static char path[] = "/tmp/seat-log-XXXXXX";

static unsigned count(const char *what)
{
    FILE *file = fopen(path, "re");
    char line[512];
    unsigned lines = 0;
    while (file && fgets(line, sizeof(line), file))
        lines += strstr(line, what) != NULL;
    if (file)
        fclose(file);
    return lines;
}

void check_clean_up(void)
{
    unlink(path);
}

int main(void)
{
    int fd = mkstemp(path), terminal = dup(STDERR_FILENO);
    dup2(fd, STDERR_FILENO);
    for (unsigned i = 0; i < 10000; i++)
        log_guest(3, "its screen is closed: %s", "again");
    log_guest(4, "its screen is %s", "connected");
    log_guest(4711, "there is no such slot");
    log_error("an error of ours");
    fflush(stderr);
    dup2(terminal, STDERR_FILENO);
    CHECK(count("slot 3: its screen is closed: again") == LOG_GUEST_LINES - 1);
    CHECK(count("slot 3") == LOG_GUEST_LINES); // and one that says so
    CHECK(count("slot 4: its screen is connected") == 1 && count("an error of ours") == 1);
    CHECK(count("") == LOG_GUEST_LINES + 2);
    check_clean_up();
    return 0;
}
