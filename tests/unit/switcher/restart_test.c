// The seat is killed and started again, over guests that notice nothing of it: focus, pictures and sizes are those of
// before. What the file of its memory says is believed only where the guest could have said it.
//   restart_test PATH-OF-ROUNDHOUSE-SEAT-ON-FAKE-XEN
#include "../random.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "xen_ring.h"
#include <xen/io/fbif.h>

#include "fake_xen.h"
#include "harness.h"
#include "remember.h"

enum { RING = 1, EVENTS = 2, SHARED = 8, FRAMES = 9, DIRECTORY = 64, CARD_PIXELS = 4096, FB_PIXELS = 8192 };
enum { REQUEST_PORT = 1, EVENT_PORT = 2, FBIF_PORT = 3, FBIF_SIDE = 64, BUFFER = 7, FRAMEBUFFER = 9 };
enum { CARD_COLOUR = 0x3465a4, FB_COLOUR = 0x2e8b57 };

static uint8_t (*memory)[FAKE_PAGE];
static xen_displif_front_ring_t ring;
static const char *program;

static void kick(unsigned port)
{
    uint64_t one = 1;
    CHECK(write(FAKE_PORTS + (int)port, &one, sizeof(one)) == sizeof(one));
}

static void make_memory(void)
{
    int fd = memfd_create("guest", 0);
    CHECK(ftruncate(fd, (off_t)FAKE_PAGES * FAKE_PAGE) == 0 && dup2(fd, FAKE_MEMORY) == FAKE_MEMORY);
    memory = mmap(NULL, (size_t)FAKE_PAGES * FAKE_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    CHECK(memory != MAP_FAILED);
    for (int i = 0; i < FAKE_PORT_COUNT; i++)
        CHECK(dup2(eventfd(0, EFD_NONBLOCK), FAKE_PORTS + i) == FAKE_PORTS + i);
    for (int i = 0; i < WIDTH * HEIGHT; i++)
        ((uint32_t *)memory[CARD_PIXELS])[i] = CARD_COLOUR;
    for (int i = 0; i < FBIF_SIDE * FBIF_SIDE; i++)
        ((uint32_t *)memory[FB_PIXELS])[i] = FB_COLOUR;
}

// ---- slot 2: a guest with a display of buffers ----

static void ask(const struct xendispl_req *request)
{
    *RING_GET_REQUEST(&ring, ring.req_prod_pvt) = *request;
    ring.req_prod_pvt++;
    RING_PUSH_REQUESTS(&ring);
    kick(REQUEST_PORT);
    for (int waited = 0; waited < PATIENCE_MS && !RING_HAS_UNCONSUMED_RESPONSES(&ring); waited++)
        usleep(1000);
    CHECK(RING_HAS_UNCONSUMED_RESPONSES(&ring) && RING_GET_RESPONSE(&ring, ring.rsp_cons)->status == 0);
    ring.rsp_cons++;
}

static void start_card(void)
{
    SHARED_RING_INIT((xen_displif_sring_t *)memory[RING]);
    FRONT_RING_INIT(&ring, (xen_displif_sring_t *)memory[RING], FAKE_PAGE);
    for (unsigned i = 0; i + 1 < FAKE_PAGE / 4; i++)
        ((uint32_t *)memory[DIRECTORY])[1 + i] = CARD_PIXELS + i;
}

static void connect_card(void)
{
    struct link_message message = {.type = LINK_DISPLIF_CONNECT, .slot = 2};
    message.displif = (struct link_displif_connect){RING, REQUEST_PORT, EVENTS, EVENT_PORT, WIDTH, HEIGHT};
    tell(&message, -1);
    CHECK(hear_type(LINK_DISPLAY_READY).slot == 2);
}

static void draw_card(void)
{
    struct xendispl_req create = {.id = 1, .operation = XENDISPL_OP_DBUF_CREATE};
    create.op.dbuf_create = (struct xendispl_dbuf_create_req){.dbuf_cookie = BUFFER,
                                                              .width = WIDTH,
                                                              .height = HEIGHT,
                                                              .bpp = 32,
                                                              .buffer_sz = WIDTH * HEIGHT * 4,
                                                              .gref_directory = DIRECTORY};
    ask(&create);
    struct xendispl_req attach = {.id = 2, .operation = XENDISPL_OP_FB_ATTACH};
    attach.op.fb_attach = (struct xendispl_fb_attach_req){BUFFER, FRAMEBUFFER, WIDTH, HEIGHT, 0x34325258}; // XR24
    ask(&attach);
    struct xendispl_req show = {.id = 3, .operation = XENDISPL_OP_SET_CONFIG};
    show.op.set_config.fb_cookie = FRAMEBUFFER;
    ask(&show);
}

// ---- slot 3: a guest with a framebuffer, which it made narrower ----

static struct xenfb_page *start_framebuffer(void)
{
    struct xenfb_page *page = (struct xenfb_page *)memory[SHARED];
    page->width = page->height = FBIF_SIDE;
    page->line_length = FBIF_SIDE * 4;
    page->mem_length = FBIF_SIDE * FBIF_SIDE * 4;
    page->depth = 32;
    page->pd[0] = FRAMES;
    for (unsigned i = 0; i < FAKE_PAGE / 8; i++)
        ((uint64_t *)memory[FRAMES])[i] = FB_PIXELS + i;
    return page;
}

static struct link_message mode_of_framebuffer(void)
{
    struct link_message message;
    do
        message = hear_type(LINK_MODE);
    while (message.type != 0 && message.slot != 3);
    return message;
}

static struct link_message connect_framebuffer(void)
{
    struct link_message message = {.type = LINK_FBIF_CONNECT, .slot = 3};
    message.fbif = (struct link_fbif_connect){SHARED, FBIF_PORT, 1 << 20};
    int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
    tell(&message, nothing);
    close(nothing);
    return mode_of_framebuffer();
}

// ---- seats ----

static void start_seat(uint32_t domid_in_slot_2)
{
    seat_start_process(program);
    connect_manager();
    hello(NULL);
    hear_type(LINK_FOCUS_CHANGED);
    add_guest(1, 5, 0xcc2200);
    add_guest(2, domid_in_slot_2, 0x0022cc);
    add_guest(3, 7, 0x00cc22);
}

static void next_seat(uint32_t domid_in_slot_2)
{
    seat_kill();
    start_seat(domid_in_slot_2);
}

static struct remembered *file_of_memory(void)
{
    int fd = open(memory_path, O_RDWR | O_CLOEXEC);
    struct remembered *file = mmap(NULL, sizeof(*file), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    CHECK(file != MAP_FAILED);
    return file;
}

static void everything_is_back(void)
{
    connect_card();
    draw_card();
    struct xenfb_page *page = start_framebuffer();
    CHECK(connect_framebuffer().mode.width == FBIF_SIDE);
    union xenfb_out_event event = {.resize = {XENFB_TYPE_RESIZE, 48, 32, FBIF_SIDE * 4, 32, 0}};
    XENFB_OUT_RING_REF(page, page->out_prod) = event;
    page->out_prod++;
    kick(FBIF_PORT);
    CHECK(mode_of_framebuffer().mode.width == 48);
    focus(2);
    CHECK(hear_type(LINK_FOCUS_CHANGED).slot == 2 && shows(10, 10, CARD_COLOUR));

    next_seat(6);
    CHECK(hear_type(LINK_FOCUS_CHANGED).slot == 2); // nobody asked for it
    connect_card();
    CHECK(shows(10, 10, CARD_COLOUR)); // and the guest said nothing
    struct link_message mode = connect_framebuffer();
    CHECK(mode.slot == 3 && mode.mode.width == 48 && mode.mode.height == 32);
    focus(3);
    CHECK(hear_type(LINK_FOCUS_CHANGED).slot == 3 && shows(WIDTH / 2 + 20, HEIGHT / 2 + 12, FB_COLOUR));
    struct xendispl_req destroy = {.id = 4, .operation = XENDISPL_OP_DBUF_DESTROY};
    destroy.op.dbuf_destroy.dbuf_cookie = BUFFER;
    ask(&destroy); // what came back is the guest's to give up
}

static void nothing_of_another_guest(void)
{
    draw_card();
    focus(2);
    CHECK(shows(10, 10, CARD_COLOUR));
    next_seat(66); // another domain sits there
    connect_card();
    CHECK(shows(10, 10, 0x1d2128));
    focus(2);
    CHECK(hear_type(LINK_FOCUS_CHANGED).slot == 2 && shows(10, 10, 0x1d2128)); // its own picture: none
}

static void closed_is_forgotten(void)
{
    draw_card();
    CHECK(shows(10, 10, CARD_COLOUR));
    tell(&(struct link_message){.type = LINK_DISPLAY_DISCONNECT, .slot = 2}, -1);
    CHECK(hear_type(LINK_DISPLAY_CLOSED).slot == 2);
    start_card();
    connect_card();
    CHECK(shows(10, 10, 0x1d2128));
    draw_card(); // its cookies are free again
    CHECK(shows(10, 10, CARD_COLOUR));
}

static void the_switcher_is_remembered_too(void)
{
    focus(0);
    CHECK(hear_type(LINK_FOCUS_CHANGED).slot == 0);
    next_seat(66);
    CHECK(heard_nothing(200)); // no change of focus
}

// What the file says is wild, half changed, or of another length.
static void spoilt_memory(void)
{
    for (unsigned round = 0; round < 12; round++) {
        seat_kill();
        struct remembered *file = file_of_memory();
        file->focus = (uint64_t)random_below(12) << 32 | random_below(8);
        for (unsigned i = 0; i < 40; i++) {
            file->displif[2].buffers[random_below(REMEMBER_BUFFERS)] =
                (struct remembered_buffer){1 + random_below(4),
                                           random_below(20000),
                                           random_below(20000),
                                           32,
                                           random_below(UINT32_MAX),
                                           random_below(UINT32_MAX),
                                           random_below(3) ? DIRECTORY : random_below(UINT32_MAX)};
            file->displif[2].framebuffers[random_below(REMEMBER_FRAMEBUFFERS)] = (struct remembered_framebuffer){
                1 + random_below(9), 1 + random_below(4), random_below(20000), random_below(20000), 0x34325258, 0};
        }
        file->displif[2].domid = 66;
        file->displif[2].connect = (struct link_displif_connect){RING, REQUEST_PORT, EVENTS, EVENT_PORT, WIDTH, HEIGHT};
        file->displif[2].shown = random_below(9);
        file->fbif[3].domid = 7;
        file->fbif[3].page_frame = SHARED;
        file->fbif[3].width = (int32_t)random_below(UINT32_MAX);
        file->fbif[3].height = (int32_t)random_below(100000);
        file->fbif[3].offset = (int32_t)random_below(UINT32_MAX);
        munmap(file, sizeof(*file));
        if (round % 4 == 3)
            CHECK(truncate(memory_path, random_below(sizeof(*file))) == 0);
        start_seat(66);
        connect_card();
        connect_framebuffer();
        focus(1);
        CHECK(shows(100, 60, 0xcc2200) && seat_lives());
    }
}

int main(int argc, char **argv)
{
    if (argc != 2)
        return 2;
    alarm(150);
    program = argv[1];
    make_memory();
    start_card();
    start_seat(6);
    everything_is_back();
    nothing_of_another_guest();
    closed_is_forgotten();
    the_switcher_is_remembered_too();
    spoilt_memory();
    seat_end();
    return 0;
}
