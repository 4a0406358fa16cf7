// The backend's half of displif: the request ring, and the events that end page flips. Requests are copied
// out of the ring before they are looked at. Buffers are in displif_buffers.c.
#include "xen_ring.h"

#include "displif.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "clock.h"
#include "displif_buffers.h"
#include "foreign.h"
#include "log.h"
#include "remember.h"
#include "seat.h"

static_assert(sizeof(struct xendispl_req) == 64 && sizeof(struct xendispl_resp) == 64, "displif packet size");
static_assert(sizeof(struct xendispl_evt) == 64 && sizeof(struct xendispl_event_page) == 64, "displif event size");

// A guest nobody looks at may flip this often. A guest that draws in to the visible buffer without flipping
// is looked at this often: the protocol has no message for that.
enum { HIDDEN_FLIP_MS = 50, SCAN_MS = 40, HIDDEN_SCAN_MS = 250, RING_BYTES = 4096 };
// One guest's share of the main loop: so many requests in a turn, and after more than FREE_US a rest.
enum { REQUESTS_PER_TURN = 64, FREE_US = 2000, REST_FACTOR = 3 };

struct displif {
    struct backend base;
    struct guest *guest;
    struct ports *ports;
    int request_port, event_port;
    xen_displif_back_ring_t ring;
    struct xendispl_event_page *events;
    uint32_t event_count; // produced, and the next event's id
    struct displif_buffers buffers;
    struct remembered_displif *remembered; // NULL: nobody remembers
    uint64_t shown;                        // cookie of the framebuffer in the picture; 0 none
    bool flip_unanswered;                  // the guest waits for the event
    bool flipped_recently;                 // since the last scan
    bool resting;                          // until rest_timer
    struct wl_event_source *flip_timer, *scan_timer, *rest_timer;
};

#define READ_ONCE(x) (*(volatile __typeof__(x) *)&(x))

static void send_flip_event(struct displif *displif)
{
    if (!displif->flip_unanswered)
        return;
    displif->flip_unanswered = false;
    if (displif->event_count - READ_ONCE(displif->events->in_cons) >= XENDISPL_IN_RING_LEN)
        return; // the guest does not read its events; its own time-out ends the flip
    struct xendispl_evt event = {.id = (uint16_t)displif->event_count, .type = XENDISPL_EVT_PG_FLIP};
    event.op.pg_flip.fb_cookie = displif->shown;
    memcpy(&XENDISPL_IN_RING_REF(displif->events, displif->event_count), &event, sizeof(event));
    displif->event_count++;
    xen_wmb();
    displif->events->in_prod = displif->event_count;
    ports_notify(displif->ports, displif->event_port);
}

static void presented(struct backend *backend)
{
    send_flip_event((struct displif *)backend);
}

static int on_flip_timer(void *data)
{
    send_flip_event(data);
    return 0;
}

static bool on_screen(const struct displif *displif)
{
    return seat_shows_guest(displif->guest->seat, displif->guest->slot);
}

static int on_scan_timer(void *data)
{
    struct displif *displif = data;
    wl_event_source_timer_update(displif->scan_timer, on_screen(displif) ? SCAN_MS : HIDDEN_SCAN_MS);
    if (on_screen(displif) && displif->shown && !displif->flipped_recently) {
        struct rect changed = displif_buffers_scan(&displif->buffers, &displif->guest->picture);
        if (!rect_empty(changed))
            guest_damage(displif->guest, changed);
    }
    displif->flipped_recently = false;
    return 0;
}

static void set_shown(struct displif *displif, uint64_t cookie)
{
    displif->shown = cookie;
    if (displif->remembered)
        displif->remembered->shown = cookie;
}

static int show(struct displif *displif, uint64_t cookie)
{
    struct image image;
    if (cookie == 0) {
        set_shown(displif, 0);
        guest_set_picture(displif->guest, NULL);
        return 0;
    }
    int error = displif_buffers_image(&displif->buffers, cookie, &image);
    if (error)
        return error;
    set_shown(displif, cookie);
    guest_set_picture(displif->guest, &image);
    return 0;
}

static int flip(struct displif *displif, uint64_t cookie)
{
    int error = cookie ? show(displif, cookie) : EINVAL;
    if (error)
        return error;
    displif->flip_unanswered = displif->flipped_recently = true;
    if (on_screen(displif))
        seat_want_frame(displif->guest->seat);
    wl_event_source_timer_update(displif->flip_timer, HIDDEN_FLIP_MS);
    return 0;
}

// A picture must not outlive its memory.
static void hide_if_shown(struct displif *displif, bool still_there)
{
    if (displif->shown && !still_there)
        show(displif, 0);
}

static void remember_buffers(struct displif *displif)
{
    struct remembered_displif *remembered = displif->remembered;
    if (!remembered)
        return;
    remembered->domid = LINK_NO_DOMAIN; // while it is half done
    displif_buffers_remember(&displif->buffers, remembered);
    remembered->domid = displif->guest->domid;
}

// The guest will not tell again what it told a seat before this one.
static void restore(struct displif *displif, const struct link_displif_connect *connect)
{
    struct remembered_displif *remembered = displif->remembered;
    if (remembered && remembered->domid == displif->guest->domid &&
        memcmp(&remembered->connect, connect, sizeof(*connect)) == 0) {
        displif_buffers_restore(&displif->buffers, displif->guest->domid, remembered);
        show(displif, remembered->shown);
    }
    if (remembered) {
        remembered->domid = LINK_NO_DOMAIN;
        remembered->connect = *connect;
        remembered->shown = displif->shown;
    }
    remember_buffers(displif);
}

static int perform(struct displif *displif, const struct xendispl_req *request)
{
    struct displif_buffers *buffers = &displif->buffers;
    uint64_t cookie;
    switch (request->operation) {
    case XENDISPL_OP_DBUF_CREATE:
        return displif_buffers_create(buffers, displif->guest->domid, &request->op.dbuf_create);
    case XENDISPL_OP_DBUF_DESTROY:
        cookie = request->op.dbuf_destroy.dbuf_cookie;
        hide_if_shown(displif, !displif_buffers_uses(buffers, displif->shown, cookie));
        return displif_buffers_destroy(buffers, cookie);
    case XENDISPL_OP_FB_ATTACH:
        return displif_buffers_attach(buffers, &request->op.fb_attach);
    case XENDISPL_OP_FB_DETACH:
        cookie = request->op.fb_detach.fb_cookie;
        hide_if_shown(displif, displif->shown != cookie);
        return displif_buffers_detach(buffers, cookie);
    case XENDISPL_OP_SET_CONFIG:
        return show(displif, request->op.set_config.fb_cookie);
    case XENDISPL_OP_PG_FLIP:
        return flip(displif, request->op.pg_flip.fb_cookie);
    default:
        return EOPNOTSUPP;
    }
}

static bool changes_buffers(uint8_t operation)
{
    return operation == XENDISPL_OP_DBUF_CREATE || operation == XENDISPL_OP_DBUF_DESTROY ||
           operation == XENDISPL_OP_FB_ATTACH || operation == XENDISPL_OP_FB_DETACH;
}

static void respond(struct displif *displif, const struct xendispl_req *request, int error)
{
    struct xendispl_resp response = {.id = request->id, .operation = request->operation, .status = -error};
    memcpy(RING_GET_RESPONSE(&displif->ring, displif->ring.rsp_prod_pvt), &response, sizeof(response));
    displif->ring.rsp_prod_pvt++;
}

// Copies requests out, performs them and answers, as many as one turn may have. Returns whether more are there, or -1
// when the ring cannot be right.
static int work(struct displif *displif)
{
    int notify, more = 1;
    for (unsigned done = 0; more && done < REQUESTS_PER_TURN;) {
        RING_IDX produced = READ_ONCE(displif->ring.sring->req_prod);
        xen_rmb();
        if (RING_REQUEST_PROD_OVERFLOW(&displif->ring, produced))
            return -1;
        for (; displif->ring.req_cons != produced && done < REQUESTS_PER_TURN; done++) {
            struct xendispl_req request;
            memcpy(&request, RING_GET_REQUEST(&displif->ring, displif->ring.req_cons), sizeof(request));
            displif->ring.req_cons++;
            int error = perform(displif, &request);
            if (!error && changes_buffers(request.operation))
                remember_buffers(displif);
            respond(displif, &request, error);
        }
        RING_PUSH_RESPONSES_AND_CHECK_NOTIFY(&displif->ring, notify);
        if (notify)
            ports_notify(displif->ports, displif->request_port);
        RING_FINAL_CHECK_FOR_REQUESTS(&displif->ring, more);
    }
    return more;
}

// A guest that asks for much, or for what takes long, then waits longer than it was worked for. The loop's idle
// callbacks would not do: those added while they run are run in the same turn.
static void on_request(void *data)
{
    struct displif *displif = data;
    if (displif->resting)
        return; // on_rested() looks again
    int64_t begin = now_us();
    int more = work(displif);
    int64_t spent = now_us() - begin;
    if (more < 0) {
        guest_display_failed(displif->guest, EPROTO);
        return;
    }
    displif->resting = more || spent > FREE_US;
    if (displif->resting)
        wl_event_source_timer_update(displif->rest_timer, 1 + (int)(spent * REST_FACTOR / 1000));
}

static int on_rested(void *data)
{
    struct displif *displif = data;
    displif->resting = false;
    on_request(displif);
    return 0;
}

static void on_event_port(void *data)
{
    (void)data; // the guest has read events; nothing waits for that
}

static bool connect_rings(struct displif *displif, const struct link_displif_connect *connect)
{
    uint32_t domid = displif->guest->domid, request_gref = connect->request_gref, event_gref = connect->event_gref;
    xen_displif_sring_t *shared = foreign_map_grants(domid, &request_gref, 1, PROT_READ | PROT_WRITE);
    if (!shared)
        return false;
    BACK_RING_ATTACH(&displif->ring, shared, READ_ONCE(shared->rsp_prod), RING_BYTES);
    displif->events = foreign_map_grants(domid, &event_gref, 1, PROT_READ | PROT_WRITE);
    if (!displif->events)
        return false;
    displif->event_count = READ_ONCE(displif->events->in_prod);
    displif->request_port = ports_bind(displif->ports, domid, connect->request_channel, on_request, displif);
    if (displif->request_port < 0)
        return false;
    displif->event_port = ports_bind(displif->ports, domid, connect->event_channel, on_event_port, displif);
    return displif->event_port >= 0;
}

static void disconnect(struct backend *backend)
{
    struct displif *displif = (struct displif *)backend;
    ports_unbind(displif->ports, displif->request_port);
    ports_unbind(displif->ports, displif->event_port);
    if (displif->flip_timer)
        wl_event_source_remove(displif->flip_timer);
    if (displif->scan_timer)
        wl_event_source_remove(displif->scan_timer);
    if (displif->rest_timer)
        wl_event_source_remove(displif->rest_timer);
    displif_buffers_clear(&displif->buffers);
    foreign_unmap_grants(displif->ring.sring, 1);
    foreign_unmap_grants(displif->events, 1);
    free(displif);
}

static const struct backend_ops ops = {.disconnect = disconnect, .presented = presented};

struct backend *displif_connect(struct guest *guest, struct ports *ports, const struct link_displif_connect *connect)
{
    struct displif *displif = calloc(1, sizeof(*displif));
    if (!displif)
        return NULL;
    displif->base.ops = &ops;
    displif->guest = guest;
    displif->ports = ports;
    displif->request_port = displif->event_port = -1;
    displif->flip_timer = wl_event_loop_add_timer(guest->seat->loop, on_flip_timer, displif);
    displif->scan_timer = wl_event_loop_add_timer(guest->seat->loop, on_scan_timer, displif);
    displif->rest_timer = wl_event_loop_add_timer(guest->seat->loop, on_rested, displif);
    if (guest->seat->remembered)
        displif->remembered = &guest->seat->remembered->displif[guest->slot];
    displif_buffers_limit(&displif->buffers, connect->width, connect->height);
    if (!displif->flip_timer || !displif->scan_timer || !displif->rest_timer || !connect_rings(displif, connect)) {
        int error = errno;
        disconnect(&displif->base);
        errno = error;
        return NULL;
    }
    restore(displif, connect);
    wl_event_source_timer_update(displif->scan_timer, SCAN_MS);
    on_request(displif);
    return &displif->base;
}
