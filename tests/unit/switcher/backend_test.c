// The display and keyboard backends against guests that behave and guests that do not. Guest memory is faked
// by a table of pages: a frame number or grant reference is an index in it. Everything else is the seat's
// real code, under sanitizers.
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "xen_ring.h"
#include <xen/io/fbif.h>
#include <xen/io/kbdif.h>

#include "../check.h"
#include "../random.h"
#include "displif.h"
#include "displif_buffers.h"
#include "fbif.h"
#include "foreign.h"
#include "keyboard.h"
#include "seat.h"

enum { PAGE = 4096, PAGES = 4096 };

// ---- the fake guest ----

static uint8_t (*memory)[PAGE];
static port_handler *handlers[16];
static void *handler_data[16];
static unsigned bound, notified, mapped_ranges;
static struct seat *seat;
static struct guest *guest;
static struct rect damage;
static unsigned damage_count, picture_count;
static int failure;
static uint32_t answers_wanted, *endless_prod; // of a guest whose ring never runs empty

static void *map(const uint64_t *frames, size_t count)
{
    // Contiguous frames only: that is what these tests hand out.
    for (size_t i = 0; i < count; i++) {
        if (frames[i] >= PAGES || frames[i] != frames[0] + i) {
            errno = EFAULT;
            return NULL;
        }
    }
    mapped_ranges++;
    return memory[frames[0]];
}

void *foreign_map_frames(int privcmd, uint32_t domid, const uint64_t *frames, size_t count, int protection)
{
    (void)protection;
    CHECK(privcmd == 42 && domid == 7);
    return map(frames, count);
}

void foreign_unmap_frames(void *address, size_t count)
{
    (void)count;
    mapped_ranges -= address != NULL;
}

void *foreign_map_grants(uint32_t domid, uint32_t *references, size_t count, int protection)
{
    (void)protection;
    CHECK(domid == 7);
    uint64_t *frames = calloc(count, sizeof(*frames));
    for (size_t i = 0; i < count; i++)
        frames[i] = references[i];
    void *address = map(frames, count);
    free(frames);
    return address;
}

void foreign_unmap_grants(void *address, size_t count)
{
    foreign_unmap_frames(address, count);
}

int ports_bind(struct ports *ports, uint32_t domid, uint32_t remote_port, port_handler *handler, void *data)
{
    (void)ports;
    (void)domid;
    if (remote_port >= 16) {
        errno = EINVAL;
        return -1;
    }
    handlers[remote_port] = handler;
    handler_data[remote_port] = data;
    bound++;
    return (int)remote_port;
}

void ports_unbind(struct ports *ports, int port)
{
    (void)ports;
    bound -= port >= 0;
}

void ports_notify(struct ports *ports, int port)
{
    (void)ports;
    notified += port >= 0;
}

void guest_set_picture(struct guest *g, const struct image *picture)
{
    g->picture = picture ? *picture : (struct image){0};
    picture_count++;
    if (endless_prod && *endless_prod < answers_wanted)
        ++*endless_prod; // as if it had been written meanwhile
}

void guest_set_lamps(struct guest *g, unsigned lamps)
{
    g->lamps = lamps;
}

void guest_damage(struct guest *g, struct rect area)
{
    CHECK(g == guest);
    damage = area;
    damage_count++;
}

void guest_display_failed(struct guest *g, int error)
{
    CHECK(g == guest && error != 0);
    failure = error;
}

void seat_want_frame(struct seat *s)
{
    CHECK(s == seat);
}

static void kick(unsigned port)
{
    handlers[port](handler_data[port]);
}

// ---- fbif ----

enum { FB_SHARED = 1, FB_DIRECTORY = 2, FB_MEMORY = 16, FB_PORT = 3 };

static const struct link_fbif_connect fb_connect = {FB_SHARED, FB_PORT, 4 << 20};

static struct xenfb_page *fb_page(uint32_t width, uint32_t height)
{
    struct xenfb_page *page = (struct xenfb_page *)memory[FB_SHARED];
    memset(page, 0, PAGE);
    page->width = (int32_t)width;
    page->height = (int32_t)height;
    page->line_length = width * 4;
    page->mem_length = width * height * 4;
    page->depth = 32;
    page->pd[0] = FB_DIRECTORY;
    page->pd[1] = FB_DIRECTORY + 1;
    for (unsigned i = 0; i < 2 * PAGE / 8; i++)
        ((uint64_t *)memory[FB_DIRECTORY])[i] = FB_MEMORY + i;
    return page;
}

static void fb_send(struct xenfb_page *page, const union xenfb_out_event *event)
{
    XENFB_OUT_RING_REF(page, page->out_prod) = *event;
    page->out_prod++;
}

static void fbif_works(void)
{
    struct xenfb_page *page = fb_page(640, 480);
    struct backend *fbif = fbif_connect(guest, NULL, &fb_connect, 42);
    CHECK(fbif && guest->picture.width == 640 && guest->picture.height == 480 && guest->picture.stride == 2560);
    CHECK(guest->picture.pixels == memory[FB_MEMORY]);
    union xenfb_out_event event = {.update = {XENFB_TYPE_UPDATE, 1, 2, 30, 40}};
    damage_count = 0;
    fb_send(page, &event);
    kick(FB_PORT);
    CHECK(damage_count == 1 && damage.x == 1 && damage.y == 2 && damage.width == 30 && damage.height == 40);
    CHECK(page->out_cons == page->out_prod);
    notified = 0;
    for (unsigned i = 0; i < XENFB_OUT_RING_LEN; i++)
        fb_send(page, &event);
    kick(FB_PORT);
    CHECK(damage_count == 1 + XENFB_OUT_RING_LEN && notified == 1 && failure == 0);
    event = (union xenfb_out_event){.resize = {XENFB_TYPE_RESIZE, 320, 200, 2560, 32, 2560 * 10}};
    fb_send(page, &event);
    kick(FB_PORT);
    CHECK(guest->picture.width == 320 && guest->picture.pixels == memory[FB_MEMORY] + 25600 && failure == 0);
    backend_disconnect(fbif);
    CHECK(mapped_ranges == 0 && bound == 0);
}

static void fbif_refuses(void)
{
    static const struct {
        int32_t width, height;
        uint32_t stride, length;
        uint8_t depth;
    } bad[] = {
        {0, 480, 2560, 1 << 20, 32},
        {640, -1, 2560, 1 << 20, 32},
        {640, 480, 2559, 1 << 21, 32},
        {640, 480, 2560, 640 * 480 * 4 - 1, 32},
        {640, 480, 2560, 0, 32},
        {640, 480, 2560, UINT32_MAX, 32},
        {640, 480, 2560, (4 << 20) + 1, 32},
        {640, 480, 2560, 1 << 21, 8},
        {640, 480, 0x80000000u, 1 << 21, 32},
        {INT32_MAX, INT32_MAX, UINT32_MAX - 3, 1 << 21, 32},
        {20000, 1, 80000, 1 << 21, 32},
        {640, 480, 2561, 1 << 21, 32},
    };
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct xenfb_page *page = fb_page(640, 480);
        page->width = bad[i].width;
        page->height = bad[i].height;
        page->line_length = bad[i].stride;
        page->mem_length = bad[i].length;
        page->depth = bad[i].depth;
        CHECK(!fbif_connect(guest, NULL, &fb_connect, 42) && mapped_ranges == 0 && bound == 0);
    }
    fb_page(640, 480)->pd[0] = PAGES + 5;
    CHECK(!fbif_connect(guest, NULL, &fb_connect, 42) && mapped_ranges == 0);
    fb_page(640, 480);
    ((uint64_t *)memory[FB_DIRECTORY])[5] = UINT64_MAX;
    CHECK(!fbif_connect(guest, NULL, &fb_connect, 42) && mapped_ranges == 0);
    struct link_fbif_connect elsewhere = fb_connect;
    elsewhere.page_frame = PAGES;
    CHECK(!fbif_connect(guest, NULL, &elsewhere, 42));
    fb_page(640, 480);
    elsewhere = fb_connect;
    elsewhere.event_channel = 99;
    CHECK(!fbif_connect(guest, NULL, &elsewhere, 42) && mapped_ranges == 0 && bound == 0);
}

static void fbif_hostile_ring(void)
{
    struct xenfb_page *page = fb_page(640, 480);
    struct backend *fbif = fbif_connect(guest, NULL, &fb_connect, 42);
    page->out_prod = page->out_cons + XENFB_OUT_RING_LEN + 1;
    failure = 0;
    kick(FB_PORT);
    CHECK(failure == EPROTO);
    page->out_prod = page->out_cons;
    union xenfb_out_event event = {.resize = {XENFB_TYPE_RESIZE, 640, 480, 2560, 32, 1}};
    failure = 0;
    fb_send(page, &event);
    kick(FB_PORT);
    CHECK(failure == EPROTO); // reaches past the memory, by an odd offset
    backend_disconnect(fbif);
    for (unsigned round = 0; round < 20000; round++) {
        page = fb_page(64, 64);
        fbif = fbif_connect(guest, NULL, &fb_connect, 42);
        for (unsigned i = 0; i < PAGE - 1024; i++)
            memory[FB_SHARED][1024 + i] = (uint8_t)random_below(i % 40 ? 256 : 5);
        page->out_prod = page->out_cons + random_below(60);
        kick(FB_PORT);
        const struct image *p = &guest->picture;
        CHECK(p->pixels >= memory[FB_MEMORY] &&
              p->pixels + (size_t)p->stride * (p->height - 1) + p->width * 2u <= memory[FB_MEMORY] + 64 * 64 * 4);
        backend_disconnect(fbif);
    }
    failure = 0;
}

// ---- kbdif ----

enum { KBD_PAGE = 3000, KBD_PORT = 4 };

static const struct link_keyboard_connect kbd_connect = {KBD_PAGE, KBD_PORT, 1, 1, 1280, 800};

static union xenkbd_in_event kbd_take(struct xenkbd_page *page)
{
    CHECK(page->in_cons != page->in_prod);
    return XENKBD_IN_RING_REF(page, page->in_cons++);
}

static void keyboard_works(void)
{
    struct xenkbd_page *page = (struct xenkbd_page *)memory[KBD_PAGE];
    memset(page, 0, PAGE);
    struct backend *keyboard = keyboard_connect(guest, NULL, &kbd_connect, -1);
    CHECK(keyboard && keyboard->ops->absolute(keyboard));
    keyboard->ops->key(keyboard, KEY_A, true);
    keyboard->ops->position(keyboard, 0.5, 0.25);
    keyboard->ops->position(keyboard, 7, -1);
    keyboard->ops->wheel(keyboard, -2);
    CHECK(page->in_prod == 4);
    union xenkbd_in_event event = kbd_take(page);
    CHECK(event.key.type == XENKBD_TYPE_KEY && event.key.pressed == 1 && event.key.keycode == KEY_A);
    event = kbd_take(page);
    CHECK(event.pos.type == XENKBD_TYPE_POS && event.pos.abs_x == 640 && event.pos.abs_y == 200 &&
          event.pos.rel_z == 0);
    event = kbd_take(page);
    CHECK(event.pos.abs_x == 1279 && event.pos.abs_y == 0);
    event = kbd_take(page);
    CHECK(event.pos.abs_x == 1279 && event.pos.rel_z == -2);
    backend_disconnect(keyboard);
    CHECK(mapped_ranges == 0 && bound == 0);
}

// What xen-kbdfront takes goes as it is: side buttons, keys beyond F12, media keys. It does not tell of its lamps.
static void keyboard_has_all_keys(void)
{
    static const uint32_t codes[] = {BTN_SIDE, BTN_TASK, KEY_F13, KEY_F24, KEY_NEXTSONG, KEY_FN, KEY_CAPSLOCK};
    struct xenkbd_page *page = (struct xenkbd_page *)memory[KBD_PAGE];
    memset(page, 0, PAGE);
    struct backend *keyboard = keyboard_connect(guest, NULL, &kbd_connect, -1);
    for (unsigned i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        keyboard->ops->key(keyboard, codes[i], true);
        CHECK(kbd_take(page).key.keycode == codes[i]);
        keyboard->ops->key(keyboard, codes[i], false);
        CHECK(!kbd_take(page).key.pressed);
    }
    CHECK(guest->lamps == LAMP_CAPS);
    keyboard->ops->key(keyboard, KEY_NUMLOCK, true);
    CHECK(guest->lamps == (LAMP_CAPS | LAMP_NUM));
    keyboard->ops->key(keyboard, KEY_NUMLOCK, false);
    keyboard->ops->key(keyboard, KEY_CAPSLOCK, true);
    CHECK(guest->lamps == LAMP_NUM);
    guest->lamps = 0;
    backend_disconnect(keyboard);
}

// A guest that reads nothing for a while: presses may be lost, a release of a press it gets never is.
static void keyboard_full(void)
{
    struct xenkbd_page *page = (struct xenkbd_page *)memory[KBD_PAGE];
    memset(page, 0, PAGE);
    struct backend *keyboard = keyboard_connect(guest, NULL, &kbd_connect, -1);
    for (unsigned i = 0; i < 10000; i++)
        keyboard->ops->position(keyboard, i / 10000.0, 0);
    CHECK(page->in_prod == XENKBD_IN_RING_LEN);
    bool sent_down[KEY_CNT] = {0}, held[KEY_CNT] = {0};
    for (unsigned code = 1; code < 240; code++)
        keyboard->ops->key(keyboard, code, true);
    for (unsigned code = 1; code < 100; code++)
        keyboard->ops->key(keyboard, code, false);
    unsigned seen = 0, last_x = 0;
    while (page->in_cons != page->in_prod) {
        union xenkbd_in_event event = kbd_take(page);
        seen++;
        if (event.type == XENKBD_TYPE_POS)
            last_x = (unsigned)event.pos.abs_x;
        if (event.type == XENKBD_TYPE_KEY) {
            held[event.key.keycode] = event.key.pressed;
            sent_down[event.key.keycode] |= event.key.pressed;
        }
        kick(KBD_PORT);
    }
    CHECK(seen > XENKBD_IN_RING_LEN && seen < XENKBD_IN_RING_LEN + 256 && last_x == 1279);
    CHECK(sent_down[1]);
    for (unsigned code = 1; code < 100; code++)
        CHECK(!held[code]);
    backend_disconnect(keyboard);
}

static void keyboard_hostile(void)
{
    struct xenkbd_page *page = (struct xenkbd_page *)memory[KBD_PAGE];
    for (unsigned round = 0; round < 20000; round++) {
        for (unsigned i = 0; i < 16; i++)
            memory[KBD_PAGE][i] = (uint8_t)random_below(256);
        struct backend *keyboard = keyboard_connect(guest, NULL, &kbd_connect, -1);
        for (unsigned i = 0; i < 40; i++) {
            keyboard->ops->key(keyboard, random_below(KEY_CNT), random_below(2));
            if (random_below(3) == 0)
                page->in_cons = random_below(2) ? page->in_prod : random_below(UINT32_MAX);
            kick(KBD_PORT);
        }
        backend_disconnect(keyboard);
    }
    CHECK(mapped_ranges == 0 && bound == 0);
}

// ---- displif ----

enum {
    RING_PAGE = 3100,
    EVENT_PAGE = 3101,
    DIRECTORY_PAGE = 3102,
    BUFFER_PAGES = 100,
    REQUEST_PORT = 5,
    EVENT_PORT = 6
};

static const struct link_displif_connect displ_connect = {RING_PAGE, REQUEST_PORT, EVENT_PAGE, EVENT_PORT, 640, 480};
static xen_displif_front_ring_t front;

static struct backend *displif_start(void)
{
    memset(memory[RING_PAGE], 0, PAGE);
    memset(memory[EVENT_PAGE], 0, PAGE);
    xen_displif_sring_t *shared = (xen_displif_sring_t *)memory[RING_PAGE];
    SHARED_RING_INIT(shared);
    FRONT_RING_INIT(&front, shared, PAGE);
    return displif_connect(guest, NULL, &displ_connect);
}

static int ask(const struct xendispl_req *request)
{
    *RING_GET_REQUEST(&front, front.req_prod_pvt) = *request;
    front.req_prod_pvt++;
    RING_PUSH_REQUESTS(&front);
    kick(REQUEST_PORT);
    for (int turns = 0; turns < 1000 && front.sring->rsp_prod == front.rsp_cons; turns++)
        wl_event_loop_dispatch(seat->loop, 100); // the guest rests after a slow request
    CHECK(front.sring->rsp_prod == front.rsp_cons + 1);
    struct xendispl_resp *response = RING_GET_RESPONSE(&front, front.rsp_cons);
    front.rsp_cons++;
    CHECK(response->id == request->id && response->operation == request->operation);
    return response->status;
}

static struct xendispl_req create_request(uint64_t cookie)
{
    uint32_t *directory = (uint32_t *)memory[DIRECTORY_PAGE];
    memset(directory, 0, PAGE);
    for (unsigned i = 0; i < 1023; i++)
        directory[1 + i] = BUFFER_PAGES + i;
    struct xendispl_req request = {.id = 1, .operation = XENDISPL_OP_DBUF_CREATE};
    request.op.dbuf_create = (struct xendispl_dbuf_create_req){.dbuf_cookie = cookie,
                                                               .width = 640,
                                                               .height = 480,
                                                               .bpp = 32,
                                                               .buffer_sz = 640 * 480 * 4,
                                                               .gref_directory = DIRECTORY_PAGE};
    return request;
}

static struct xendispl_req attach_request(uint64_t buffer, uint64_t framebuffer)
{
    struct xendispl_req request = {.id = 2, .operation = XENDISPL_OP_FB_ATTACH};
    request.op.fb_attach = (struct xendispl_fb_attach_req){buffer, framebuffer, 640, 480, 0x34325258}; // XR24
    return request;
}

static int cookie_request(uint8_t operation, uint64_t cookie)
{
    struct xendispl_req request = {.id = 3, .operation = operation};
    request.op.fb_detach.fb_cookie = cookie; // every such request begins with its cookie
    return ask(&request);
}

static void displif_works(void)
{
    struct backend *displif = displif_start();
    struct xendispl_req request = create_request(10);
    CHECK(displif && ask(&request) == 0 && ask(&request) == -EEXIST);
    request = attach_request(10, 20);
    CHECK(ask(&request) == 0 && ask(&request) == -EEXIST);
    request = attach_request(10, 21);
    CHECK(ask(&request) == 0);
    CHECK(cookie_request(XENDISPL_OP_SET_CONFIG, 20) == 0 && guest->picture.pixels == memory[BUFFER_PAGES]);
    struct xendispl_event_page *events = (struct xendispl_event_page *)memory[EVENT_PAGE];
    CHECK(cookie_request(XENDISPL_OP_PG_FLIP, 21) == 0 && events->in_prod == 0);
    backend_presented(displif);
    backend_presented(displif); // one event for one flip
    CHECK(events->in_prod == 1 && XENDISPL_IN_RING_REF(events, 0).op.pg_flip.fb_cookie == 21);
    CHECK(cookie_request(XENDISPL_OP_GET_EDID, 0) == -EOPNOTSUPP);
    CHECK(cookie_request(XENDISPL_OP_FB_DETACH, 21) == 0 && guest->picture.width == 0); // it was on screen
    CHECK(cookie_request(XENDISPL_OP_PG_FLIP, 21) == -ENOENT && cookie_request(XENDISPL_OP_PG_FLIP, 0) == -EINVAL);
    CHECK(cookie_request(XENDISPL_OP_SET_CONFIG, 20) == 0 && guest->picture.width == 640);
    CHECK(cookie_request(XENDISPL_OP_DBUF_DESTROY, 10) == 0 && guest->picture.width == 0);
    CHECK(cookie_request(XENDISPL_OP_DBUF_DESTROY, 10) == -ENOENT &&
          cookie_request(XENDISPL_OP_SET_CONFIG, 20) == -ENOENT);
    backend_disconnect(displif);
    CHECK(mapped_ranges == 0 && bound == 0);
}

static void displif_refuses(void)
{
    struct backend *displif = displif_start();
    struct xendispl_req request = create_request(0);
    CHECK(ask(&request) == -EINVAL);
    request = create_request(10);
    request.op.dbuf_create.buffer_sz--;
    CHECK(ask(&request) == -EINVAL);
    request = create_request(10);
    request.op.dbuf_create.buffer_sz = UINT32_MAX;
    CHECK(ask(&request) == -EINVAL);
    request = create_request(10);
    request.op.dbuf_create.buffer_sz = 4 << 20; // a screen is 1.2 MB
    CHECK(ask(&request) == -EINVAL);
    request = create_request(10);
    request.op.dbuf_create.buffer_sz = 1000 * 4096; // no more than the directory's page names
    CHECK(ask(&request) == -EINVAL);
    request = create_request(10);
    request.op.dbuf_create.data_ofs = UINT32_MAX;
    CHECK(ask(&request) == -EINVAL);
    request = create_request(10);
    request.op.dbuf_create.bpp = 0;
    CHECK(ask(&request) == -EINVAL);
    request = create_request(10);
    request.op.dbuf_create.flags = XENDISPL_DBUF_FLG_REQ_ALLOC;
    CHECK(ask(&request) == -EOPNOTSUPP);
    request = create_request(10);
    request.op.dbuf_create.gref_directory = 0;
    CHECK(ask(&request) == -EINVAL);
    request = create_request(10);
    ((uint32_t *)memory[DIRECTORY_PAGE])[7] = PAGES;
    CHECK(ask(&request) == -EFAULT);
    request = create_request(10);
    request.op.dbuf_create.height = 1000;
    request.op.dbuf_create.buffer_sz = 640 * 1000 * 4 * 2; // more pages than the directory's one page names
    CHECK(ask(&request) == -EINVAL);
    request = create_request(10);
    CHECK(ask(&request) == 0);
    request = attach_request(10, 20);
    request.op.fb_attach.width = 641;
    CHECK(ask(&request) == -EINVAL);
    request = attach_request(10, 20);
    request.op.fb_attach.pixel_format = 0x36314752; // RG16: 16 bits in a 32-bit buffer
    CHECK(ask(&request) == -EINVAL);
    request = attach_request(11, 20);
    CHECK(ask(&request) == -ENOENT);
    for (uint64_t i = 0; i < 64; i++) {
        request = attach_request(10, 100 + i);
        CHECK(ask(&request) == (i < DISPLIF_MAX_FRAMEBUFFERS ? 0 : -ENOSPC));
    }
    failure = 0;
    front.sring->req_prod = front.req_prod_pvt + 1000;
    kick(REQUEST_PORT);
    CHECK(failure == EPROTO);
    backend_disconnect(displif);
    CHECK(mapped_ranges == 0 && bound == 0);
}

// A guest that writes a request for each answer, as another processor may at any time.
static void displif_endless(void)
{
    struct backend *displif = displif_start();
    for (unsigned i = 0; i < 32; i++)
        *RING_GET_REQUEST(&front, i) = (struct xendispl_req){.id = 9, .operation = XENDISPL_OP_SET_CONFIG};
    endless_prod = &front.sring->req_prod;
    answers_wanted = 5000;
    *endless_prod = 32;
    kick(REQUEST_PORT);
    uint32_t first = front.sring->rsp_prod;
    CHECK(first > 0 && first <= 200); // the turn ended although the ring never ran empty
    kick(REQUEST_PORT);
    CHECK(front.sring->rsp_prod == first); // asking again does not end its rest
    for (int turns = 0; turns < 1000 && front.sring->rsp_prod < answers_wanted; turns++) {
        uint32_t before = front.sring->rsp_prod;
        wl_event_loop_dispatch(seat->loop, 100);
        CHECK(front.sring->rsp_prod - before <= 200);
    }
    CHECK(front.sring->rsp_prod >= answers_wanted);
    endless_prod = NULL;
    backend_disconnect(displif);
    CHECK(mapped_ranges == 0 && bound == 0);
}

static void displif_scan(void)
{
    struct displif_buffers all = {0};
    struct image picture = {memory[BUFFER_PAGES], 640, 480, 2560, PIXEL_XRGB8888};
    memset(memory[BUFFER_PAGES], 0, 2560 * 480);
    struct rect r = displif_buffers_scan(&all, &picture);
    CHECK(r.y == 0 && r.width == 640 && r.height == 480);
    CHECK(rect_empty(displif_buffers_scan(&all, &picture)));
    uint8_t *pixels = memory[BUFFER_PAGES];
    pixels[2560 * 17 + 99] ^= 1;
    pixels[2560 * 30] ^= 1;
    r = displif_buffers_scan(&all, &picture);
    CHECK(r.y == 17 && r.height == 14);
    CHECK(rect_empty(displif_buffers_scan(&all, &picture)));
    displif_buffers_clear(&all);
}

int main(void)
{
    memory = mmap(NULL, (size_t)PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    seat = calloc(1, sizeof(*seat));
    seat->loop = wl_event_loop_create();
    guest = &seat->guests[1];
    *guest = (struct guest){.seat = seat, .slot = 1, .present = true, .domid = 7};
    fbif_works();
    fbif_refuses();
    fbif_hostile_ring();
    keyboard_works();
    keyboard_has_all_keys();
    keyboard_full();
    keyboard_hostile();
    displif_works();
    displif_refuses();
    displif_endless();
    displif_scan();
    wl_event_loop_destroy(seat->loop);
    free(seat);
    return 0;
}
