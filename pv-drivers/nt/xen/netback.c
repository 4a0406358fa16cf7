#include <stdlib.h>
#include <string.h>
#include "events.h"
#include "netback.h"

#define MOST  4u
#define SLOTS 256u

static struct netback *nets[MOST];
static unsigned count;

/* --- nodes --- */

static void path_of(char *path, const struct netback *net, bool front, const char *name)
{
    if (front)
        snprintf(path, 128, HV_DOMAIN_PATH "/device/vif/%u/%s", net->number, name);
    else
        snprintf(path, 128, "/local/domain/7/backend/vif/1/%u/%s", net->number, name);
}

void netback_set(struct netback *net, const char *name, const char *value)
{
    char path[128];

    path_of(path, net, false, name);
    hv_lock();
    store_set(path, value);
    hv_unlock();
}

static void set_number(struct netback *net, const char *name, unsigned value)
{
    char text[24];

    snprintf(text, sizeof(text), "%u", value);
    netback_set(net, name, text);
}

static void set_front(const struct netback *net, const char *name, const char *value)
{
    char path[128];

    path_of(path, net, true, name);
    store_set(path, value);
}

/* A number of the front end's; 0 if there is none. */
static unsigned get(const struct netback *net, const char *name)
{
    char path[128], text[32] = "0";

    path_of(path, net, true, name);
    store_get(path, text, sizeof(text));
    return (unsigned)strtoul(text, NULL, 10);
}

/* --- what the guest sends --- */

static void respond(struct netback_queue *queue, uint16_t id, bool extra)
{
    uint32_t before = queue->produced;
    netif_tx_response_t response = {.id = id, .status = NETIF_RSP_OKAY};

    if (queue->net->fails) {
        queue->net->fails--;
        response.status = NETIF_RSP_ERROR;
    }
    memcpy(&queue->transmit->ring[queue->produced++ % SLOTS].rsp, &response, sizeof(response));
    if (extra) { /* only its status is written */
        queue->transmit->ring[queue->produced % SLOTS].rsp.id = 0x4141;
        queue->transmit->ring[queue->produced++ % SLOTS].rsp.status = NETIF_RSP_NULL;
    }
    __atomic_store_n(&queue->transmit->rsp_prod, queue->produced, __ATOMIC_SEQ_CST);
    if (queue->produced - __atomic_load_n(&queue->transmit->rsp_event, __ATOMIC_SEQ_CST) < queue->produced - before)
        hv_notify(queue->transmit_port);
}

static void answer(struct netback_queue *queue, uint16_t id, bool extra)
{
    if (!queue->net->holds) {
        respond(queue, id, extra);
        return;
    }
    for (unsigned i = 0; i < queue->held_count; i++)
        if (queue->held[i].id == id)
            nt_bug("netback: two sends with the id %u", id);
    queue->held[queue->held_count].extra = extra;
    queue->held[queue->held_count++].id = id;
}

void netback_release(struct netback *net)
{
    hv_lock();
    net->holds = false;
    for (unsigned i = 0; i < net->queue_count; i++) {
        struct netback_queue *queue = &net->queues[i];

        for (unsigned n = 0; n < queue->held_count; n++) {
            unsigned at = net->backwards ? queue->held_count - 1 - n : n;

            respond(queue, queue->held[at].id, queue->held[at].extra);
        }
        queue->held_count = 0;
    }
    hv_unlock();
}

static void copy_in(struct netback_frame *frame, const netif_tx_request_t *request, unsigned at, unsigned size)
{
    unsigned char *page = hv_map(request->gref, NETBACK_DOMAIN, false);

    if (!page || hv_map(request->gref, NETBACK_DOMAIN, true))
        nt_bug("netback: a page of a send is not given, or for writing");
    if (!size || request->offset + size > NT_PAGE || at + size > sizeof(frame->data))
        nt_bug("netback: a part of %u bytes at %u of a page", size, request->offset);
    memcpy(frame->data + at, page + request->offset, size);
    hv_unmap(request->gref, false);
}

static netif_tx_request_t next_request(struct netback_queue *queue, uint32_t produced)
{
    netif_tx_request_t request;

    if (queue->consumed == produced)
        nt_bug("netback: a packet ends in the middle");
    memcpy(&request, &queue->transmit->ring[queue->consumed++ % SLOTS].req, sizeof(request));
    return request;
}

static void read_extra(struct netback_queue *queue, struct netback_frame *frame, uint32_t produced)
{
    netif_tx_request_t slot = next_request(queue, produced);
    struct netif_extra_info extra;

    memcpy(&extra, &slot, sizeof(extra));
    if (extra.type != XEN_NETIF_EXTRA_TYPE_GSO || extra.flags || !extra.u.gso.size || extra.u.gso.features ||
        !(extra.u.gso.type == XEN_NETIF_GSO_TYPE_TCPV4 ? queue->net->large_v4
                                                       : extra.u.gso.type == 2 && queue->net->large_v6))
        nt_bug("netback: an extra of type %u, flags %#x, for segments of %u", extra.type, extra.flags,
               extra.u.gso.size);
    frame->segment_size = extra.u.gso.size;
    frame->segment_type = extra.u.gso.type;
}

static void check_frame(const struct netback *net, const struct netback_frame *frame)
{
    bool v6 = frame->data[12] == 0x86;

    if (frame->slots > XEN_NETIF_NR_SLOTS_MIN || (frame->slots > 1 && !net->scatter))
        nt_bug("netback: a packet of %u slots", frame->slots);
    if (frame->segment_size && !(frame->flags & NETTXF_csum_blank))
        nt_bug("netback: a large packet whose checksum is not left out");
    if (frame->flags & NETTXF_csum_blank && (v6 ? !net->checksum_v6 : net->no_checksum_v4))
        nt_bug("netback: a checksum is left out that this back end cannot make");
}

static void keep(struct netback *net, struct netback_frame *frame)
{
    *net->frames_end = frame;
    net->frames_end = &frame->next;
    net->frame_count++;
}

/* The first request tells the size of all. */
static void take_packet(struct netback_queue *queue, uint32_t produced)
{
    netif_tx_request_t requests[XEN_NETIF_NR_SLOTS_MIN + 1];
    struct netback_frame *frame = calloc(1, sizeof(*frame));
    unsigned rest = 0, at = 0;

    requests[0] = next_request(queue, produced);
    frame->queue = queue->number;
    frame->size = requests[0].size;
    frame->flags = requests[0].flags;
    frame->slots = 1;
    if (frame->flags & NETTXF_extra_info)
        read_extra(queue, frame, produced);
    while (requests[frame->slots - 1].flags & NETTXF_more_data) {
        if (frame->slots > XEN_NETIF_NR_SLOTS_MIN)
            nt_bug("netback: a packet of more slots than any may have");
        requests[frame->slots] = next_request(queue, produced);
        if (requests[frame->slots].flags & ~NETTXF_more_data)
            nt_bug("netback: flags %#x of a part", requests[frame->slots].flags);
        rest += requests[frame->slots++].size;
    }
    if (rest >= frame->size)
        nt_bug("netback: %u bytes of a packet of %u are in its other parts", rest, frame->size);
    for (unsigned i = 0; i < frame->slots; i++) {
        unsigned size = i ? requests[i].size : frame->size - rest;

        copy_in(frame, &requests[i], at, size);
        at += size;
    }
    check_frame(queue->net, frame);
    keep(queue->net, frame);
    for (unsigned i = 0; i < frame->slots; i++)
        answer(queue, requests[i].id, !i && frame->segment_size);
}

static void kicked(void *context)
{
    struct netback_queue *queue = context;
    uint32_t produced;

    do {
        if (!queue->transmit || queue->net->blind)
            return;
        produced = __atomic_load_n(&queue->transmit->req_prod, __ATOMIC_SEQ_CST);
        if (produced - queue->produced > SLOTS)
            nt_bug("netback: the front end's index ran away");
        while (queue->consumed != produced)
            take_packet(queue, produced);
        __atomic_store_n(&queue->transmit->req_event, queue->consumed + 1, __ATOMIC_SEQ_CST);
    } while (__atomic_load_n(&queue->transmit->req_prod, __ATOMIC_SEQ_CST) != queue->consumed);
}

struct netback_frame *netback_take(struct netback *net)
{
    struct netback_frame *frame;

    hv_lock();
    frame = net->frames;
    if (frame) {
        net->frames = frame->next;
        net->frame_count--;
    }
    if (!net->frames)
        net->frames_end = &net->frames;
    hv_unlock();
    return frame;
}

/* --- what the guest gets --- */

static netif_rx_request_t next_page(struct netback_queue *queue)
{
    netif_rx_request_t request;

    memcpy(&request, &queue->receive->ring[queue->taken % SLOTS].req, sizeof(request));
    if (request.id != queue->taken % SLOTS)
        nt_bug("netback: the page of slot %u has the id %u", queue->taken % SLOTS, request.id);
    queue->taken++;
    return request;
}

static void fill(struct netback_queue *queue, const unsigned char *data, unsigned size, unsigned flags)
{
    netif_rx_request_t request = next_page(queue);
    unsigned char *page = hv_map(request.gref, NETBACK_DOMAIN, true);
    unsigned offset = (queue->taken * 7u) % (NT_PAGE - size + 1);
    netif_rx_response_t response = {request.id, (uint16_t)offset, (uint16_t)flags, (int16_t)size};

    if (!page)
        nt_bug("netback: a page to be filled is not given for writing");
    memcpy(page + offset, data, size);
    hv_unmap(request.gref, true);
    memcpy(&queue->receive->ring[queue->filled++ % SLOTS].rsp, &response, sizeof(response));
}

static void fill_extra(struct netback_queue *queue, unsigned segment_size, unsigned segment_type)
{
    struct netif_extra_info extra = {.type = XEN_NETIF_EXTRA_TYPE_GSO};

    next_page(queue);
    extra.u.gso.size = (uint16_t)segment_size;
    extra.u.gso.type = (uint8_t)segment_type;
    memcpy(&queue->receive->ring[queue->filled++ % SLOTS].rsp, &extra, sizeof(netif_rx_response_t));
}

static void fill_all(struct netback_queue *queue, const unsigned char *data, unsigned size, unsigned piece,
                     unsigned flags, unsigned segment_size, unsigned segment_type)
{
    for (unsigned at = 0; at < size; at += piece) {
        unsigned here = size - at < piece ? size - at : piece;

        fill(queue, data + at, here,
             (at ? 0 : flags | (segment_size ? NETRXF_extra_info : 0)) | (at + here < size ? NETRXF_more_data : 0));
        if (!at && segment_size)
            fill_extra(queue, segment_size, segment_type);
    }
}

bool netback_give(struct netback *net, unsigned number, const void *data, unsigned size, unsigned piece, unsigned flags,
                  unsigned segment_size, unsigned segment_type)
{
    struct netback_queue *queue = &net->queues[number];
    unsigned slots;
    uint32_t before;
    bool good;

    if (!piece)
        piece = NT_PAGE;
    slots = (size + piece - 1) / piece + (segment_size != 0);
    hv_lock();
    before = queue->filled;
    good = queue->receive && __atomic_load_n(&queue->receive->req_prod, __ATOMIC_SEQ_CST) - queue->taken >= slots;
    if (good) {
        fill_all(queue, data, size, piece, flags, segment_size, segment_type);
        __atomic_store_n(&queue->receive->rsp_prod, queue->filled, __ATOMIC_SEQ_CST);
        if (queue->filled - __atomic_load_n(&queue->receive->rsp_event, __ATOMIC_SEQ_CST) < queue->filled - before)
            hv_notify(queue->receive_port);
    } else if (queue->receive) {
        __atomic_store_n(&queue->receive->req_event, queue->taken + slots, __ATOMIC_SEQ_CST);
    }
    hv_unlock();
    return good;
}

/* --- the connection --- */

static void connect_queue(struct netback *net, unsigned number)
{
    struct netback_queue *queue = &net->queues[number];
    char folder[32] = "", name[64];

    memset(queue, 0, sizeof(*queue));
    queue->net = net;
    queue->number = number;
    if (net->queue_count > 1)
        snprintf(folder, sizeof(folder), "queue-%u/", number);
    snprintf(name, sizeof(name), "%stx-ring-ref", folder);
    queue->transmit_reference = get(net, name);
    snprintf(name, sizeof(name), "%srx-ring-ref", folder);
    queue->receive_reference = get(net, name);
    snprintf(name, sizeof(name), "%sevent-channel%s", folder, net->split ? "-tx" : "");
    queue->transmit_port = get(net, name);
    snprintf(name, sizeof(name), "%sevent-channel%s", folder, net->split ? "-rx" : "");
    queue->receive_port = get(net, name);
    queue->transmit = hv_map(queue->transmit_reference, NETBACK_DOMAIN, true);
    queue->receive = hv_map(queue->receive_reference, NETBACK_DOMAIN, true);
    if (!queue->transmit || !queue->receive || !hv_bind(queue->transmit_port, NETBACK_DOMAIN, kicked, queue) ||
        (net->split && !hv_bind(queue->receive_port, NETBACK_DOMAIN, kicked, queue)))
        nt_bug("netback: rings or ports of queue %u are not given", number);
    if (queue->receive->req_prod != SLOTS)
        nt_bug("netback: %u pages to be filled, not %u", queue->receive->req_prod, SLOTS);
}

static void connect(struct netback *net)
{
    static const char *const wanted[] = {"request-rx-copy",   "feature-rx-notify", "feature-sg",
                                         "feature-gso-tcpv4", "feature-gso-tcpv6", "feature-ipv6-csum-offload"};
    unsigned queues = get(net, "multi-queue-num-queues");

    for (unsigned i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
        if (get(net, wanted[i]) != 1)
            nt_bug("netback: the front end does not say %s", wanted[i]);
    net->queue_count = queues ? queues : 1;
    if (net->queue_count > (net->most_queues ? net->most_queues : 1) || queues == 1)
        nt_bug("netback: %u queues are asked for", queues);
    for (unsigned i = 0; i < net->queue_count; i++)
        connect_queue(net, i);
    set_number(net, "state", XenbusStateConnected);
}

static void disconnect(struct netback *net)
{
    for (unsigned i = 0; i < net->queue_count; i++) {
        struct netback_queue *queue = &net->queues[i];

        if (!queue->transmit)
            continue;
        hv_unbind(queue->transmit_port);
        hv_unbind(queue->receive_port);
        hv_unmap(queue->transmit_reference, true);
        hv_unmap(queue->receive_reference, true);
        queue->transmit = NULL;
        queue->receive = NULL;
        queue->held_count = 0;
    }
}

bool netback_connected(const struct netback *net)
{
    return net->queue_count && net->queues[0].transmit;
}

static void offer(struct netback *net)
{
    if (net->most_queues)
        set_number(net, "multi-queue-max-queues", net->most_queues);
    set_number(net, "feature-split-event-channels", net->split);
    set_number(net, "feature-sg", net->scatter);
    set_number(net, "feature-rx-copy", 1);
    set_number(net, "feature-no-csum-offload", net->no_checksum_v4);
    set_number(net, "feature-ipv6-csum-offload", net->checksum_v6);
    set_number(net, "feature-gso-tcpv4", net->large_v4);
    set_number(net, "feature-gso-tcpv6", net->large_v6);
    set_number(net, "state", XenbusStateInitWait);
}

/* Linux' back end closes with its front end step by step, and lets go at the first. */
static void front_changed(struct netback *net)
{
    if (net->stays)
        return;
    switch (get(net, "state")) {
    case XenbusStateInitialising:
        if (!netback_connected(net) && !net->silent)
            offer(net);
        break;
    case XenbusStateConnected:
        if (!netback_connected(net))
            connect(net);
        break;
    case XenbusStateClosing:
        disconnect(net);
        set_number(net, "state", XenbusStateClosing);
        break;
    case XenbusStateClosed:
        disconnect(net);
        set_number(net, "state", XenbusStateClosed);
        break;
    default:
        break;
    }
}

static void observe(const char *path)
{
    for (unsigned i = 0; i < count; i++) {
        char state[128];

        path_of(state, nets[i], true, "state");
        if (!strcmp(state, path))
            front_changed(nets[i]);
    }
}

static void new_domain(void)
{
    for (unsigned i = 0; i < count; i++) {
        for (unsigned n = 0; n < NETBACK_QUEUES; n++) {
            nets[i]->queues[n].transmit = NULL;
            nets[i]->queues[n].receive = NULL;
            nets[i]->queues[n].held_count = 0;
        }
        set_front(nets[i], "state", "1");
        offer(nets[i]);
    }
}

void netback_boot(void)
{
    count = 0;
    store_observe(observe);
    hv_on_new_domain = new_domain;
}

struct netback *netback_add(struct netback wanted)
{
    struct netback *net = malloc(sizeof(*net));
    char back[128];

    *net = wanted;
    net->frames_end = &net->frames;
    path_of(back, net, false, "");
    back[strlen(back) - 1] = 0;
    set_front(net, "backend", back);
    set_front(net, "backend-id", "7");
    set_front(net, "mac", net->address ? net->address : "00:16:3e:12:34:56");
    set_front(net, "state", "1");
    if (net->silent)
        set_number(net, "state", XenbusStateInitialising);
    else
        offer(net);
    nets[count++] = net;
    return net;
}

void netback_carrier(struct netback *net, bool up)
{
    set_number(net, "carrier", up);
}

void netback_restart(struct netback *net)
{
    hv_lock();
    disconnect(net);
    set_number(net, "state", XenbusStateInitialising);
    offer(net);
    hv_unlock();
}

void netback_close(struct netback *net)
{
    hv_lock();
    disconnect(net);
    set_number(net, "state", XenbusStateClosing);
    hv_unlock();
}

void netback_let_go(struct netback *net)
{
    hv_lock();
    net->stays = false;
    disconnect(net);
    set_number(net, "state", XenbusStateClosed);
    hv_unlock();
}

void netback_end(void)
{
    while (count) {
        struct netback *net = nets[--count];

        if (netback_connected(net))
            nt_bug("netback: the front end of card %u left without a word", net->number);
        while (net->frames)
            free(netback_take(net));
        free(net);
    }
    store_observe(NULL);
    hv_on_new_domain = NULL;
}
