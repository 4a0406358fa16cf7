#include "harness.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "send_fds.h"

pid_t seat_pid;
int manager = -1;
char ui_path[64], memory_path[64];
uint32_t screen[HEIGHT + STRIP][WIDTH];
void (*while_waiting)(void);

static char directory[] = "/tmp/seat-test-XXXXXX", link_path[64], screen_path[64];

void seat_start_process(const char *program)
{
    if (!link_path[0] && !mkdtemp(directory))
        exit(2);
    snprintf(link_path, sizeof(link_path), "%s/link", directory);
    snprintf(ui_path, sizeof(ui_path), "%s/wayland", directory);
    snprintf(memory_path, sizeof(memory_path), "%s/memory", directory);
    snprintf(screen_path, sizeof(screen_path), "%s/screen", directory);
    unlink(screen_path); // a former seat's
    setenv("SEAT_SCREEN", screen_path, true);
    char link_option[80], ui_option[80], memory_option[80], user[80], uid[40];
    snprintf(link_option, sizeof(link_option), "--link=%s", link_path);
    snprintf(ui_option, sizeof(ui_option), "--ui=%s", ui_path);
    snprintf(memory_option, sizeof(memory_option), "--memory=%s", memory_path);
    snprintf(user, sizeof(user), "--ui-user=%s", getpwuid(geteuid())->pw_name);
    snprintf(uid, sizeof(uid), "--manager-uid=%u", geteuid());
    seat_pid = fork();
    if (seat_pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        execl(program, program, "--headless", "--mode=320x224", link_option, ui_option, memory_option, user, uid, NULL);
        _exit(127);
    }
}

static void remove_files(void)
{
    unlink(link_path);
    unlink(ui_path);
    unlink(memory_path);
    unlink(screen_path);
    rmdir(directory);
}

bool seat_lives(void)
{
    return waitpid(seat_pid, NULL, WNOHANG) == 0;
}

void seat_kill(void)
{
    kill(seat_pid, SIGKILL);
    waitpid(seat_pid, NULL, 0);
    close(manager);
    manager = -1;
}

void check_clean_up(void)
{
    kill(seat_pid, SIGKILL);
    remove_files();
}

void seat_end(void)
{
    int status = 0;
    kill(seat_pid, SIGTERM);
    CHECK(waitpid(seat_pid, &status, 0) == seat_pid && WIFEXITED(status) && WEXITSTATUS(status) == 0);
    remove_files();
}

static int connect_to(const char *path, int type)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strcpy(address.sun_path, path);
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
    for (int waited = 0; waited < PATIENCE_MS; waited += 20) {
        if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
            return fd;
        usleep(20000);
    }
    CHECK(false, "there is no seat");
    return -1;
}

void connect_manager(void)
{
    if (manager >= 0)
        close(manager);
    manager = connect_to(link_path, SOCK_SEQPACKET);
}

void tell(const struct link_message *message, int fd)
{
    struct iovec part = {(void *)message, sizeof(*message)};
    struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1};
    CHECK(send_with_fds(manager, &header, &fd, fd >= 0, 0) == sizeof(*message));
}

bool heard_nothing(int ms)
{
    struct pollfd ready = {.fd = manager, .events = POLLIN};
    return poll(&ready, 1, ms) == 0;
}

struct link_message hear(void)
{
    struct link_message message = {0};
    CHECK(!heard_nothing(PATIENCE_MS), "the seat says nothing");
    ssize_t size = recv(manager, &message, sizeof(message), 0);
    if (size <= 0)
        return (struct link_message){0};
    CHECK(link_message_valid(&message, (size_t)size, 0, LINK_TO_MANAGER));
    return message;
}

struct link_message hear_type(uint32_t type)
{
    struct link_message message;
    do
        message = hear();
    while (message.type != type && message.type != 0);
    CHECK(message.type == type);
    return message;
}

void hello(const uint32_t *domains)
{
    struct link_message message = {.type = LINK_HELLO};
    message.hello.version = LINK_VERSION;
    for (unsigned slot = 0; slot < LINK_SLOTS; slot++)
        message.hello.domid[slot] = domains ? domains[slot] : LINK_NO_DOMAIN;
    tell(&message, -1);
    message = hear_type(LINK_HELLO);
    CHECK(message.hello.version == LINK_VERSION && message.hello.width == WIDTH && message.hello.height == HEIGHT);
}

void reconnect(const uint32_t *domains)
{
    connect_manager();
    hello(domains);
    hear_type(LINK_FOCUS_CHANGED);
}

void add_guest(unsigned slot, uint32_t domid, uint32_t rgb)
{
    struct link_message message = {.type = LINK_GUEST_ADD, .slot = slot};
    message.guest_add.domid = domid;
    message.guest_add.rgb = rgb;
    strcpy(message.guest_add.name, "guest");
    tell(&message, -1);
}

void focus(unsigned slot)
{
    tell(&(struct link_message){.type = LINK_FOCUS, .slot = slot}, -1);
}

// Before the first frame the screen is black.
void look(void)
{
    int fd = open(screen_path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        memset(screen, 0, sizeof(screen));
    else
        CHECK(read(fd, screen, sizeof(screen)) == sizeof(screen) && lseek(fd, 0, SEEK_END) == sizeof(screen));
    close(fd);
}

uint32_t at(int x, int y)
{
    return screen[y][x] & 0xffffff;
}

bool shows(int x, int y, uint32_t rgb)
{
    for (int waited = 0; waited < PATIENCE_MS / 4; waited += 30) {
        if (while_waiting)
            while_waiting();
        for (bool connected = true; connected && !heard_nothing(0);)
            connected = hear().type != 0;
        look();
        if (at(x, y) == rgb)
            return true;
        usleep(30000);
    }
    fprintf(stderr, "pixel %d,%d is %06x, not %06x\n", x, y, at(x, y), rgb);
    return false;
}

void model_says(int model, const void *bytes, size_t size)
{
    CHECK(send(model, bytes, size, MSG_NOSIGNAL) == (ssize_t)size);
}

void model_hears(int model, size_t size)
{
    uint8_t bytes[64];
    CHECK(size <= sizeof(bytes) && recv(model, bytes, size, MSG_WAITALL) == (ssize_t)size);
}

void model_draws(int model, uint32_t rgb)
{
    static const uint8_t head[16] = {0, 0, 0, 1, 0, 0, 0, 0, 0, 64, 0, 48};
    uint32_t pixels[64 * 48];
    for (unsigned i = 0; i < 64 * 48; i++)
        pixels[i] = rgb;
    model_says(model, head, sizeof(head));
    model_says(model, pixels, sizeof(pixels));
}

int model_connect(unsigned slot)
{
    int pair[2];
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
    struct link_message message = {.type = LINK_RFB_CONNECT, .slot = slot};
    message.rfb.videoram_limit = 1 << 20;
    tell(&message, pair[0]);
    close(pair[0]);
    CHECK(hear_type(LINK_DISPLAY_READY).slot == slot);
    return pair[1];
}

void model_greets(int model)
{
    static const uint8_t init[24] = {0, 64, 0, 48};
    model_says(model, "RFB 003.008\n\1\1\0\0\0\0", 18);
    model_says(model, init, sizeof(init));
    model_hears(model, 12 + 1 + 1);
    model_hears(model, 20 + 4 + 6 * 4);
    model_hears(model, 10);
}
