// The whole process on a guest memory of the test's (fake_xen.h), without PulseAudio: it hears its manager alone,
// guests keep their time, and one that does harm does it to itself.
//   process_test PATH-OF-ROUNDHOUSE-SOUND-ON-FAKE-XEN
#include "xen_ring.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <xen/io/sndif.h>

#include "../check.h"
#include "../switcher/fake_xen.h"
#include "clock.h"
#include "link_protocol.h"
#include "roundhouse_guest.h"

enum { PATIENCE_MS = 20000, RATE = 48000, FRAME = 4, SIZE = 32768, PERIOD = 1920, DIRECTORY = 9, BUFFER = 100 };

// Each guest has four pages and four ports: requests and events of playback, then of capture.
struct guest {
    unsigned slot, pages, ports;
    uint32_t domid;
    xen_sndif_front_ring_t ring;
    uint16_t next_id;
};

static struct guest good = {1, 10, 0, 5, {0}, 0}, bad = {2, 20, 4, 6, {0}, 0};
static uint8_t (*memory)[FAKE_PAGE];
static pid_t process;
static int manager = -1;
static char directory[] = "/tmp/sound-test-XXXXXX", path[64];

void check_clean_up(void)
{
    kill(process, SIGKILL);
    unlink(path);
    rmdir(directory);
}

// ---- the manager ----

static void start_process(const char *program)
{
    CHECK(mkdtemp(directory));
    snprintf(path, sizeof(path), "%s/link", directory);
    char link_option[80], uid_option[40], server[80];
    snprintf(link_option, sizeof(link_option), "--link=%s", path);
    snprintf(uid_option, sizeof(uid_option), "--manager-uid=%u", geteuid());
    snprintf(server, sizeof(server), "unix:%s/nobody", directory);
    setenv("PULSE_SERVER", server, 1);
    process = fork();
    if (process == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        execl(program, program, link_option, uid_option, NULL);
        _exit(127);
    }
}

static void connect_manager(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strcpy(address.sun_path, path);
    if (manager >= 0)
        close(manager);
    manager = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    for (int waited = 0; connect(manager, (struct sockaddr *)&address, sizeof(address)) != 0; waited += 20) {
        CHECK(waited < PATIENCE_MS, "nobody listens");
        usleep(20000);
    }
}

static void tell(const struct link_message *message)
{
    CHECK(send(manager, message, sizeof(*message), MSG_NOSIGNAL) == sizeof(*message));
}

// Type 0: it hung up.
static struct link_message hear(void)
{
    struct link_message message = {0};
    struct pollfd ready = {.fd = manager, .events = POLLIN};
    CHECK(poll(&ready, 1, PATIENCE_MS) == 1, "nothing is said");
    ssize_t size = recv(manager, &message, sizeof(message), 0);
    if (size <= 0)
        return (struct link_message){0};
    CHECK(link_message_valid(&message, (size_t)size, 0, LINK_SOUND_TO_MANAGER));
    return message;
}

static void hello(void)
{
    struct link_message message = {.type = LINK_HELLO};
    message.hello.version = LINK_VERSION;
    for (unsigned slot = 0; slot < LINK_SLOTS; slot++)
        message.hello.domid[slot] = slot == good.slot ? good.domid : slot == bad.slot ? bad.domid : LINK_NO_DOMAIN;
    tell(&message);
    message = hear();
    CHECK(message.type == LINK_HELLO && message.hello.version == LINK_VERSION);
    CHECK_EQUAL(LINK_SOUND_MACHINE, hear().type);
}

static struct link_sound_machine machine(uint32_t volume, uint32_t microphone)
{
    struct link_message message = {.type = LINK_SOUND_MACHINE};
    message.sound_machine = (struct link_sound_machine){volume, microphone};
    tell(&message);
    message = hear();
    CHECK_EQUAL(LINK_SOUND_MACHINE, message.type);
    return message.sound_machine;
}

static void add(const struct guest *guest)
{
    struct link_message message = {.type = LINK_GUEST_ADD, .slot = guest->slot};
    message.guest_add.domid = guest->domid;
    strcpy(message.guest_add.name, "guest");
    tell(&message);
    message = (struct link_message){.type = LINK_SOUND_RULE, .slot = guest->slot};
    message.sound_rule.rule = GUEST_SOUND_MUTED;
    message.sound_rule.volume = LINK_VOLUME_MAX;
    tell(&message);
}

// ---- guests ----

static void make_memory(void)
{
    int fd = memfd_create("guests", 0);
    CHECK(ftruncate(fd, (off_t)FAKE_PAGES * FAKE_PAGE) == 0 && dup2(fd, FAKE_MEMORY) == FAKE_MEMORY);
    memory = mmap(NULL, (size_t)FAKE_PAGES * FAKE_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    CHECK(memory != MAP_FAILED);
    for (int i = 0; i < FAKE_PORT_COUNT; i++)
        CHECK(dup2(eventfd(0, EFD_NONBLOCK), FAKE_PORTS + i) == FAKE_PORTS + i);
    for (unsigned i = 0; i < SIZE / FAKE_PAGE; i++)
        ((uint32_t *)memory[DIRECTORY])[1 + i] = BUFFER + i;
}

static struct link_message connection(const struct guest *guest)
{
    struct link_message message = {.type = LINK_SNDIF_CONNECT, .slot = guest->slot};
    uint32_t page = guest->pages, port = guest->ports;
    message.sndif =
        (struct link_sndif_connect){{page, port, page + 1, port + 1}, {page + 2, port + 2, page + 3, port + 3}};
    return message;
}

static void plug_in(struct guest *guest)
{
    memset(memory[guest->pages], 0, 4 * FAKE_PAGE);
    xen_sndif_sring_t *shared = (xen_sndif_sring_t *)memory[guest->pages];
    SHARED_RING_INIT(shared);
    SHARED_RING_INIT((xen_sndif_sring_t *)memory[guest->pages + 2]);
    FRONT_RING_INIT(&guest->ring, shared, FAKE_PAGE);
    struct link_message message = connection(guest);
    tell(&message);
    message = hear();
    CHECK(message.type == LINK_SOUND_READY && message.slot == guest->slot);
}

static void kick(const struct guest *guest)
{
    uint64_t one = 1;
    if (write(FAKE_PORTS + (int)guest->ports, &one, sizeof(one)) < 0)
        CHECK(errno == EAGAIN);
}

static int ask(struct guest *guest, struct xensnd_req request)
{
    request.id = guest->next_id++;
    *RING_GET_REQUEST(&guest->ring, guest->ring.req_prod_pvt) = request;
    guest->ring.req_prod_pvt++;
    RING_PUSH_REQUESTS(&guest->ring);
    kick(guest);
    for (int64_t begin = now_ms(); *(volatile RING_IDX *)&guest->ring.sring->rsp_prod == guest->ring.rsp_cons;) {
        CHECK(now_ms() - begin < 3000, "no answer"); // what Linux waits
        usleep(500);
    }
    struct xensnd_resp response = *RING_GET_RESPONSE(&guest->ring, guest->ring.rsp_cons);
    guest->ring.rsp_cons++;
    CHECK(response.id == request.id);
    return response.status;
}

static void begin_to_play(struct guest *guest)
{
    struct xensnd_req request = {.operation = XENSND_OP_OPEN};
    request.op.open = (struct xensnd_open_req){RATE, XENSND_PCM_FORMAT_S16_LE, 2, 0, SIZE, DIRECTORY, PERIOD};
    CHECK_EQUAL(0, ask(guest, request));
    request = (struct xensnd_req){.operation = XENSND_OP_TRIGGER};
    request.op.trigger.type = XENSND_OP_TRIGGER_START;
    CHECK_EQUAL(0, ask(guest, request));
}

// The last position that was told; all events are read. When nobody reads them for 0.6 s, they stop.
static uint64_t position(const struct guest *guest)
{
    struct xensnd_event_page *page = (struct xensnd_event_page *)memory[guest->pages + 1];
    uint32_t produced = __atomic_load_n(&page->in_prod, __ATOMIC_ACQUIRE);
    page->in_cons = produced;
    return produced ? XENSND_IN_RING_REF(page, produced - 1).op.cur_pos.position : 0;
}

static void keep_reading(const struct guest *guest, unsigned ms)
{
    for (int64_t begin = now_ms(); now_ms() - begin < ms; position(guest))
        usleep(20000);
}

static void plays_in_time(const struct guest *guest, unsigned ms)
{
    keep_reading(guest, 300);
    uint64_t before = position(guest);
    int64_t begin = now_ms();
    keep_reading(guest, ms);
    uint64_t moved = (position(guest) - before) / FRAME;
    uint64_t due = (uint64_t)(now_ms() - begin) * RATE / 1000;
    CHECK(moved > due * 7 / 10 && moved < due * 13 / 10, "%lu frames, %lu are due", moved, due);
}

// ---- tests ----

static void strangers_and_nonsense(void)
{
    connect_manager();
    tell(&(struct link_message){.type = LINK_FOCUS}); // before HELLO
    CHECK_EQUAL(0, hear().type);
    connect_manager();
    hello();
    tell(&(struct link_message){.type = LINK_SOUND_RULE, .slot = 3});   // nobody sits there
    tell(&(struct link_message){.type = LINK_FBIF_CONNECT, .slot = 1}); // is the seat's
    CHECK_EQUAL(0, hear().type);
    connect_manager();
    hello();
    struct link_message message = {.type = LINK_SOUND_MACHINE};
    message.sound_machine.volume = LINK_VOLUME_MAX + 1;
    tell(&message);
    CHECK_EQUAL(0, hear().type);
    connect_manager();
    hello();
}

static void guests_keep_their_time(void)
{
    add(&good);
    add(&bad);
    plug_in(&good);
    begin_to_play(&good);
    usleep(100000);
    plays_in_time(&good, 700);
}

static atomic_bool ends;
static atomic_ulong sent;

static void *flood(void *data)
{
    (void)data;
    struct xensnd_req request = {.operation = XENSND_OP_OPEN};
    request.op.open = (struct xensnd_open_req){RATE, XENSND_PCM_FORMAT_S16_LE, 2, 0, SIZE, DIRECTORY, PERIOD};
    for (unsigned n = 0; !ends; n++) {
        for (; !RING_FULL(&bad.ring); bad.ring.req_prod_pvt++, sent++) {
            request.operation = sent % 3 == 0 ? XENSND_OP_CLOSE : sent % 3 == 1 ? XENSND_OP_OPEN : XENSND_OP_TRIGGER;
            if (request.operation != XENSND_OP_TRIGGER)
                request.op.open.pcm_rate = RATE;
            else
                request.op.trigger.type = XENSND_OP_TRIGGER_START;
            *RING_GET_REQUEST(&bad.ring, bad.ring.req_prod_pvt) = request;
        }
        RING_PUSH_REQUESTS(&bad.ring);
        kick(&bad);
        bad.ring.rsp_cons = *(volatile RING_IDX *)&bad.ring.sring->rsp_prod;
    }
    return NULL;
}

static void a_flood_harms_nobody_else(void)
{
    pthread_t thread;
    plug_in(&bad);
    ends = false;
    pthread_create(&thread, NULL, flood, NULL);
    while (sent < 1000)
        usleep(1000);
    plays_in_time(&good, 1000);
    for (unsigned i = 0; i < 10; i++) {
        struct xensnd_req request = {.operation = XENSND_OP_WRITE};
        request.op.rw = (struct xensnd_rw_req){0, SIZE};
        CHECK_EQUAL(0, ask(&good, request));
        hello(); // and the manager is answered
    }
    ends = true;
    pthread_join(thread, NULL);
}

static void an_impossible_ring_ends_one_card(void)
{
    tell(&(struct link_message){.type = LINK_SOUND_DISCONNECT, .slot = bad.slot});
    struct link_message message = hear();
    CHECK(message.type == LINK_SOUND_CLOSED && message.slot == bad.slot && message.closed.error == 0);
    plug_in(&bad);
    bad.ring.sring->req_prod = 4711;
    kick(&bad);
    message = hear();
    CHECK(message.type == LINK_SOUND_CLOSED && message.slot == bad.slot && message.closed.error == EPROTO);
    plays_in_time(&good, 300);
    message = connection(&bad);
    message.sndif.capture.event_gref = UINT32_MAX - 1; // a page that is not granted, after three that are
    tell(&message);
    message = hear();
    CHECK(message.type == LINK_SOUND_CLOSED && message.closed.error == EFAULT);
    plug_in(&bad); // nothing of that is left: its ports are free
}

// What is, is told: a guest that goes, or another domain in its place, has no microphone.
static void the_microphone_ends_with_its_guest(void)
{
    struct link_sound_machine is = machine(40, good.slot);
    CHECK(is.volume == 40 && is.microphone == good.slot);
    is = machine(50, 5); // nobody sits there
    CHECK(is.volume == 50 && is.microphone == 0);
    CHECK_EQUAL(bad.slot, machine(50, bad.slot).microphone);
    tell(&(struct link_message){.type = LINK_GUEST_REMOVE, .slot = bad.slot});
    struct link_message message = hear();
    CHECK(message.type == LINK_SOUND_MACHINE && message.sound_machine.microphone == 0);
    add(&bad);
    CHECK_EQUAL(bad.slot, machine(50, bad.slot).microphone);
    bad.domid++;
    add(&bad);
    message = hear();
    CHECK(message.type == LINK_SOUND_MACHINE && message.sound_machine.microphone == 0);
    plug_in(&bad);
}

static void a_manager_that_comes_back(void)
{
    plays_in_time(&good, 300);
    connect_manager();
    bad.domid++; // another domain sits there now
    hello();
    add(&good);
    add(&bad);
    plays_in_time(&good, 300);
    plug_in(&bad);
    tell(&(struct link_message){.type = LINK_GUEST_REMOVE, .slot = good.slot});
    hello();
    keep_reading(&good, 100);
    uint64_t before = position(&good);
    keep_reading(&good, 200);
    CHECK_EQUAL(before, position(&good));
}

int main(int argc, char **argv)
{
    if (argc != 2)
        return 2;
    alarm(150);
    make_memory();
    start_process(argv[1]);
    strangers_and_nonsense();
    guests_keep_their_time();
    a_flood_harms_nobody_else();
    an_impossible_ring_ends_one_card();
    the_microphone_ends_with_its_guest();
    a_manager_that_comes_back();
    int status = 0;
    kill(process, SIGTERM);
    CHECK(waitpid(process, &status, 0) == process && WIFEXITED(status) && WEXITSTATUS(status) == 0);
    unlink(path);
    rmdir(directory);
    return 0;
}
