// Guests that keep the seat busy on purpose: the seat answers its manager, keeps the link, and others keep the screen.
//   hostile_guest_test PATH-OF-ROUNDHOUSE-SEAT-ON-FAKE-XEN
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "xen_ring.h"
#include <xen/io/fbif.h>

#include "fake_xen.h"
#include "harness.h"

enum { RING = 1, EVENTS = 2, SHARED = 8, DIRECTORY = 9, DIRECTORIES = 64, PIXELS = 4096 };
enum { REQUEST_PORT = 1, EVENT_PORT = 2, FBIF_PORT = 3, FBIF_SIDE = 64 };

static uint8_t (*memory)[FAKE_PAGE];
static atomic_bool stop;
static atomic_ulong sent;

static void kick(unsigned port)
{
    uint64_t one = 1;
    if (write(FAKE_PORTS + (int)port, &one, sizeof(one)) < 0)
        CHECK(errno == EAGAIN);
}

static void make_memory(void)
{
    int fd = memfd_create("guest", 0);
    CHECK(ftruncate(fd, (off_t)FAKE_PAGES * FAKE_PAGE) == 0 && dup2(fd, FAKE_MEMORY) == FAKE_MEMORY);
    memory = mmap(NULL, (size_t)FAKE_PAGES * FAKE_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    CHECK(memory != MAP_FAILED);
    for (int i = 0; i < FAKE_PORT_COUNT; i++)
        CHECK(dup2(eventfd(0, EFD_NONBLOCK), FAKE_PORTS + i) == FAKE_PORTS + i);
}

static int64_t now_ms(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void await_focus(unsigned slot)
{
    focus(slot);
    struct link_message message;
    do
        message = hear_type(LINK_FOCUS_CHANGED);
    while (message.slot != slot && message.type != 0);
    CHECK(message.type != 0, "the seat hung up");
}

// ---- displif: requests without end, each of them either unknown or as costly as they come ----

static struct xendispl_req request_number(unsigned n, bool costly)
{
    struct xendispl_req request = {.id = (uint16_t)n, .operation = 99};
    if (costly && n % 2) {
        request.operation = XENDISPL_OP_DBUF_DESTROY;
        request.op.dbuf_destroy.dbuf_cookie = 7;
    } else if (costly) {
        request.operation = XENDISPL_OP_DBUF_CREATE;
        request.op.dbuf_create = (struct xendispl_dbuf_create_req){.dbuf_cookie = 7,
                                                                   .width = WIDTH,
                                                                   .height = HEIGHT,
                                                                   .bpp = 32,
                                                                   .buffer_sz = 1 << 20,
                                                                   .gref_directory = DIRECTORIES};
    }
    return request;
}

static void *flood(void *costly)
{
    xen_displif_sring_t *shared = (xen_displif_sring_t *)memory[RING];
    xen_displif_front_ring_t ring;
    FRONT_RING_INIT(&ring, shared, FAKE_PAGE);
    while (!stop) {
        for (; !RING_FULL(&ring); ring.req_prod_pvt++, sent++)
            *RING_GET_REQUEST(&ring, ring.req_prod_pvt) = request_number(ring.req_prod_pvt, costly != NULL);
        RING_PUSH_REQUESTS(&ring);
        kick(REQUEST_PORT);
        ring.rsp_cons = *(volatile RING_IDX *)&shared->rsp_prod;
    }
    return NULL;
}

static void connect_displif(void)
{
    for (unsigned i = 0, done = 0; done < 65536; i++) {
        uint32_t *words = (uint32_t *)memory[DIRECTORIES + i];
        words[0] = DIRECTORIES + i + 1;
        for (unsigned k = 1; k < FAKE_PAGE / 4 && done < 65536; k++)
            words[k] = PIXELS + done++;
    }
    memset(memory[RING], 0, FAKE_PAGE);
    memset(memory[EVENTS], 0, FAKE_PAGE);
    SHARED_RING_INIT((xen_displif_sring_t *)memory[RING]);
    struct link_message message = {.type = LINK_DISPLIF_CONNECT, .slot = 2};
    message.displif = (struct link_displif_connect){RING, REQUEST_PORT, EVENTS, EVENT_PORT, WIDTH, HEIGHT};
    tell(&message, -1);
    CHECK(hear_type(LINK_DISPLAY_READY).slot == 2);
}

static void displif_flood(bool costly)
{
    pthread_t thread;
    connect_displif();
    stop = false;
    sent = 0;
    pthread_create(&thread, NULL, flood, costly ? &sent : NULL);
    while (sent < 100) // it is under way
        usleep(1000);
    for (unsigned i = 0; i < 20; i++)
        await_focus((i + 1) % 2);
    unsigned long before = sent;
    while (sent < before + 100) // and is served
        usleep(1000);
    stop = true;
    pthread_join(thread, NULL);
    tell(&(struct link_message){.type = LINK_DISPLAY_DISCONNECT, .slot = 2}, -1);
    CHECK(hear_type(LINK_DISPLAY_CLOSED).slot == 2);
}

// ---- fbif: a new size with every event ----

static void *resize(void *data)
{
    struct xenfb_page *page = data;
    while (!stop) {
        uint32_t produced = page->out_prod;
        for (; produced - *(volatile uint32_t *)&page->out_cons < XENFB_OUT_RING_LEN; produced++, sent++) {
            union xenfb_out_event event = {0};
            event.resize = (struct xenfb_resize){XENFB_TYPE_RESIZE, FBIF_SIDE, produced % 2 ? 48 : 64, 256, 32, 0};
            XENFB_OUT_RING_REF(page, produced) = event;
        }
        __atomic_store_n(&page->out_prod, produced, __ATOMIC_RELEASE);
        kick(FBIF_PORT);
    }
    return NULL;
}

static struct xenfb_page *connect_fbif(void)
{
    struct xenfb_page *page = (struct xenfb_page *)memory[SHARED];
    page->width = page->height = FBIF_SIDE;
    page->line_length = FBIF_SIDE * 4;
    page->mem_length = FBIF_SIDE * FBIF_SIDE * 4;
    page->depth = 32;
    page->pd[0] = DIRECTORY;
    for (unsigned i = 0; i < FAKE_PAGE / 8; i++)
        ((uint64_t *)memory[DIRECTORY])[i] = PIXELS + i;
    struct link_message message = {.type = LINK_FBIF_CONNECT, .slot = 2};
    message.fbif = (struct link_fbif_connect){SHARED, FBIF_PORT, 1 << 20};
    int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
    tell(&message, nothing);
    close(nothing);
    CHECK(hear_type(LINK_DISPLAY_READY).slot == 2);
    return page;
}

// The manager reads nothing for a while, then all.
static void resize_storm(void)
{
    pthread_t thread;
    struct xenfb_page *page = connect_fbif();
    await_focus(1);
    stop = false;
    sent = 0;
    int64_t begin = now_ms();
    pthread_create(&thread, NULL, resize, page);
    while (sent < 200000 && now_ms() - begin < 5000)
        usleep(10000);
    unsigned modes = 0;
    while (!heard_nothing(0)) {
        struct link_message message = hear();
        CHECK(message.type == LINK_MODE && message.slot == 2);
        if (message.type == 0)
            break;
        modes++;
    }
    int64_t frames = (now_ms() - begin) / 16 + 2;
    CHECK(sent > 1000 && modes >= 1 && modes <= frames);
    printf("# %lu resizes, %u of them told in %d frames\n", (unsigned long)sent, modes, (int)frames);
    await_focus(2);
    stop = true;
    pthread_join(thread, NULL);
    CHECK(seat_lives());
}

// A link that is full when there is news: what is told late is the last state.
static void slow_manager(void)
{
    pthread_t thread;
    struct xenfb_page *page = (struct xenfb_page *)memory[SHARED];
    stop = false;
    pthread_create(&thread, NULL, resize, page);
    for (unsigned i = 0; i < 3000; i++) { // more news than the socket holds
        tell(&(struct link_message){.type = LINK_FOCUS, .slot = 1 + i % 2}, -1);
        usleep(1000);
    }
    stop = true;
    pthread_join(thread, NULL);
    tell(&(struct link_message){.type = LINK_FOCUS, .slot = 0}, -1);
    usleep(200000); // for the seat to find no room
    struct link_message message = {0};
    do
        message = hear_type(LINK_FOCUS_CHANGED);
    while (message.type != 0 && !heard_nothing(500));
    CHECK(message.type != 0 && message.slot == 0);
}

int main(int argc, char **argv)
{
    if (argc != 2)
        return 2;
    alarm(150);
    make_memory();
    seat_start_process(argv[1]);
    connect_manager();
    hello(NULL);
    add_guest(1, 5, 0xcc2200);
    add_guest(2, 6, 0x0022cc);
    displif_flood(false);
    displif_flood(true);
    resize_storm();
    slow_manager();
    seat_end();
    return 0;
}
