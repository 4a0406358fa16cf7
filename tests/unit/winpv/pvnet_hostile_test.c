/*
 * The shipped pvnet.sys against back ends that lie: in answers, one thing at a time; in rings that real threads write
 * while processors read them; in xenstore. What cannot be closes the device, with an event and nothing else; what can
 * be loses a packet at most.
 */
#include <pthread.h>
#include <unistd.h>
#include <stdlib.h>
#include <string.h>
#include "../check.h"
#include "../random.h"
#include "../test_list.h"
#include "events.h"
#include "network.h"

#define SLOTS 256u

/* --- answers, one at a time --- */

struct answer {
    uint16_t id, offset, flags;
    int16_t status;
};

#define EXTRA(type, flags, size, kind)                                                                                 \
    {                                                                                                                  \
        (uint16_t)((type) | (flags) << 8), size, kind, 0                                                               \
    }
#define MORE NETRXF_more_data
#define INFO NETRXF_extra_info

/* Answers from the first slot on; the bytes of the pages are a good TCP packet's each. */
static const struct {
    const char *what;
    struct answer answers[24];
    unsigned count;
} impossible[] = {
    {"an id of another slot", {{1, 0, 0, 100}}, 1},
    {"an id of no slot", {{0x4141, 0, 0, 100}}, 1},
    {"a part that ends outside of its page", {{0, 4000, 0, 97}}, 1},
    {"a part that begins outside of its page", {{0, 0xffff, 0, 1}}, 1},
    {"a part longer than a page", {{0, 0, 0, 4097}}, 1},
    {"a part of the most bytes", {{0, 1, 0, 0x7fff}}, 1},
    {"extra information of no kind", {{0, 0, INFO, 100}, EXTRA(0, 0, 1400, 1)}, 2},
    {"extra information of an unknown kind", {{0, 0, INFO, 100}, EXTRA(200, 0, 1400, 1)}, 2},
    {"extra information that nobody asked for", {{0, 0, INFO, 100}, EXTRA(4, 0, 1400, 1)}, 2},
    {"segments of no bytes", {{0, 0, INFO, 100}, EXTRA(1, 0, 0, 1)}, 2},
    {"segments of no protocol", {{0, 0, INFO, 100}, EXTRA(1, 0, 1400, 0)}, 2},
    {"segments of an unknown protocol", {{0, 0, INFO, 100}, EXTRA(1, 0, 1400, 3)}, 2},
    {"two sizes of segments", {{0, 0, INFO, 100}, EXTRA(1, 1, 1400, 1), EXTRA(1, 0, 1400, 1)}, 3},
    {"extra information behind the second part", {{0, 0, MORE, 100}, {1, 0, INFO, 100}, EXTRA(1, 0, 1400, 1)}, 3},
    {"more parts than a packet has",
     {{0, 0, MORE, 9},
      {1, 0, MORE, 9},
      {2, 0, MORE, 9},
      {3, 0, MORE, 9},
      {4, 0, MORE, 9},
      {5, 0, MORE, 9},
      {6, 0, MORE, 9},
      {7, 0, MORE, 9},
      {8, 0, MORE, 9},
      {9, 0, MORE, 9},
      {10, 0, MORE, 9},
      {11, 0, MORE, 9},
      {12, 0, MORE, 9},
      {13, 0, MORE, 9},
      {14, 0, MORE, 9},
      {15, 0, MORE, 9},
      {16, 0, MORE, 9},
      {17, 0, MORE, 9},
      {18, 0, 0, 9}},
     19},
};

static void put_answers(struct netback *net, const struct answer *answers, unsigned count)
{
    struct netback_queue *queue = &net->queues[0];

    hv_lock();
    for (unsigned i = 0; i < count; i++)
        memcpy(&queue->receive->ring[(queue->filled + i) % SLOTS].rsp, &answers[i], sizeof(answers[i]));
    queue->filled += count;
    queue->taken += count;
    __atomic_store_n(&queue->receive->rsp_prod, queue->filled, __ATOMIC_SEQ_CST);
    if (queue->filled - queue->receive->rsp_event < count)
        hv_notify(queue->receive_port);
    hv_unlock();
    nt_settle();
}

/* All its pages begin with the packet. */
static void fill_pages(struct netback *net, const struct bytes *packet)
{
    for (unsigned slot = 0; slot < SLOTS; slot++) {
        uint32_t reference = net->queues[0].receive->ring[slot].req.gref;
        unsigned char *page = hv_map(reference, NETBACK_DOMAIN, true);

        memcpy(page, packet->data, packet->size < NT_PAGE ? packet->size : NT_PAGE);
        hv_unmap(reference, true);
    }
}

static bool front_is_closed(void)
{
    char state[8] = "";

    return store_get("device/vif/0/state", state, sizeof(state)) && !strcmp(state, "6");
}

static void check_closed(const char *what)
{
    struct bytes packet = packet_of(UDP | V4, 100, 1);

    nt_settle();
    CHECK_EQUAL(1, nt_ndis_events(), "%s", what);
    CHECK(!nt_ndis_link() && front_is_closed(), "%s", what);
    CHECK_EQUAL(0, hv_grants(), "%s", what);
    CHECK_EQUAL(NDIS_STATUS_MEDIA_DISCONNECTED, send_one(packet.data, packet.size, 0), "%s", what);
    CHECK(!received(), "%s", what);
}

static void closes_at_an_impossible_packet(void)
{
    struct bytes packet = packet_of(TCP | V4, 1000, 1);

    for (unsigned i = 0; i < sizeof(impossible) / sizeof(impossible[0]); i++) {
        struct system system;
        struct netback *net;

        network_boot(1);
        net = full_card();
        network_run(&system);
        fill_pages(net, &packet);
        put_answers(net, impossible[i].answers, impossible[i].count);
        check_closed(impossible[i].what);
        network_end(&system);
    }
}

/* Packets that are lost, and after which the next one comes. */
static void goes_on_after_a_packet_that_is_lost(void)
{
    static const struct {
        const char *what;
        int kind;
        struct answer answers[4];
        unsigned count;
        bool cut; /* the TCP header's size is none */
    } rows[] = {
        {"failed", TCP | V4, {{0, 0, 0, -1}}, 1, false},
        {"of no bytes", TCP | V4, {{0, 0, 0, 0}}, 1, false},
        {"with a failed part", TCP | V4, {{0, 0, MORE, 100}, {1, 0, 0, -2}}, 2, false},
        {"shorter than a header", TCP | V4, {{0, 0, 0, 13}}, 1, false},
        {"longer than any", TCP | V4, {{0, 0, 0, 1519}}, 1, false},
        {"without a checksum's place", TCP | V4, {{0, 0, NETRXF_csum_blank, 40}}, 1, false},
        {"a large one that is UDP", UDP | V4, {{0, 0, INFO, 1000}, EXTRA(1, 0, 500, 1)}, 2, false},
        {"a large one of the other protocol", TCP | V6, {{0, 0, INFO, 1000}, EXTRA(1, 0, 500, 1)}, 2, false},
        {"a large one without payload", TCP | V4, {{0, 0, INFO, 66}, EXTRA(1, 0, 500, 1)}, 2, false},
        {"a large one of too many segments", TCP | V4, {{0, 0, INFO, 1000}, EXTRA(1, 0, 7, 1)}, 2, false},
        {"a large one of too large segments", TCP | V4, {{0, 0, INFO, 4000}, EXTRA(1, 0, 1600, 1)}, 2, false},
        {"a large one whose header does not end", TCP | V4, {{0, 0, INFO, 60}, EXTRA(1, 0, 500, 1)}, 2, false},
        {"a large one with a wrong header", TCP | V4, {{0, 0, INFO, 1000}, EXTRA(1, 0, 500, 1)}, 2, true},
    };

    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        unsigned headers = (rows[i].kind & V4 ? 34 : 54) + (rows[i].kind & TCP ? 32 : 8);
        unsigned size = rows[i].answers[0].status > (int)headers ? (unsigned)rows[i].answers[0].status : headers;
        struct bytes packet = packet_of(rows[i].kind, size - headers, 1), good = packet_of(UDP | V4, 100, 1);
        struct system system;
        struct netback *net;

        if (rows[i].cut)
            packet.data[46] = 0x10;
        network_boot(1);
        net = full_card();
        network_run(&system);
        fill_pages(net, &packet);
        put_answers(net, rows[i].answers, rows[i].count);
        CHECK(!received(), "%s", rows[i].what);
        CHECK(netback_give(net, 0, good.data, good.size, 0, 0, 0, 0));
        CHECK(got(&good), "%s", rows[i].what);
        CHECK(!nt_ndis_events() && nt_ndis_link());
        network_end(&system);
    }
}

/* The rest of a packet comes with another event; nothing of it is lost or doubled. */
static void waits_for_the_rest_of_a_packet(void)
{
    static const struct answer parts[] = {
        {0, 0, MORE | INFO, 1000}, EXTRA(1, 0, 1000, 1), {2, 0, MORE, 500}, {3, 0, 0, 500}};
    struct bytes packet = packet_of(TCP | V4, 2000 - 66, 1);
    struct system system;
    struct netback *net;

    network_boot(1);
    net = full_card();
    network_run(&system);
    fill_pages(net, &packet);
    for (unsigned i = 0; i < 4; i++) {
        CHECK(!received());
        put_answers(net, &parts[i], 1);
    }
    CHECK_EQUAL(66 + 1000, received()->size);
    CHECK_EQUAL(66 + 934, received()->size);
    CHECK(!received());
    network_end(&system);
}

/* --- answers to sends --- */

static void run_receive_away(struct netback *net)
{
    net->queues[0].receive->rsp_prod = net->queues[0].filled + SLOTS + 1;
}

static void run_transmit_away(struct netback *net)
{
    net->queues[0].transmit->rsp_prod = net->queues[0].produced + 100;
}

static void put_transmit(struct netback *net, uint16_t id, int16_t status)
{
    struct netback_queue *queue = &net->queues[0];

    queue->transmit->ring[queue->produced % SLOTS].rsp.id = id;
    queue->transmit->ring[queue->produced++ % SLOTS].rsp.status = status;
    __atomic_store_n(&queue->transmit->rsp_prod, queue->produced, __ATOMIC_SEQ_CST);
}

static void answer_outside(struct netback *net)
{
    put_transmit(net, 0x4141, NETIF_RSP_OKAY);
}

static void answer_twice(struct netback *net)
{
    put_transmit(net, net->queues[0].held[0].id, NETIF_RSP_OKAY);
    put_transmit(net, net->queues[0].held[0].id, NETIF_RSP_OKAY);
}

static void answer_nothing(struct netback *net)
{
    put_transmit(net, (uint16_t)(net->queues[0].held[0].id ^ 128), NETIF_RSP_OKAY);
}

static void answer_an_extra(struct netback *net)
{
    put_transmit(net, 0, NETIF_RSP_NULL);
}

static void closes_at_an_impossible_answer(void)
{
    static const struct {
        const char *what;
        void (*fault)(struct netback *net);
    } rows[] = {
        {"an index of receives that ran away", run_receive_away},
        {"an index of sends that ran away", run_transmit_away},
        {"an answer outside", answer_outside},
        {"two answers to one", answer_twice},
        {"an answer to nothing", answer_nothing},
        {"an answer to extra information", answer_an_extra},
    };

    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct bytes packet = packet_of(UDP | V4, 100, 1);
        struct nt_send *sends[300];
        struct system system;
        struct netback *net;

        network_boot(1);
        net = netback_add((struct netback){FULL, .holds = true});
        network_run(&system);
        for (unsigned n = 0; n < 300; n++) {
            sends[n] = nt_send_make(packet.data, packet.size, 0);
            nt_send_start(sends[n]);
        }
        nt_settle();
        hv_lock();
        net->queues[0].held[0].id &= 127; /* all are out: the other half is made free for answer_nothing() */
        rows[i].fault(net);
        if (rows[i].fault == answer_nothing)
            put_transmit(net, (uint16_t)(net->queues[0].held[0].id ^ 128), NETIF_RSP_OKAY);
        hv_notify(net->queues[0].transmit_port);
        hv_notify(net->queues[0].receive_port);
        hv_unlock();
        nt_settle();
        for (unsigned n = 0; n < 300; n++) {
            NDIS_STATUS status = nt_send_wait(sends[n]);

            CHECK(status == NDIS_STATUS_SUCCESS || (n >= 256 && status == NDIS_STATUS_MEDIA_DISCONNECTED), "%s",
                  rows[i].what);
        }
        check_closed(rows[i].what);
        network_end(&system);
    }
}

/* A device that is closed so is whole again on another host, with another back end. */
static void is_whole_again_after_a_resume(void)
{
    struct bytes packet = packet_of(UDP | V4, 100, 1);
    struct system system;
    struct netback *net;

    network_boot(1);
    net = full_card();
    network_run(&system);
    put_answers(net, impossible[0].answers, 1);
    check_closed("before the resume");
    store_set("control/shutdown", "suspend");
    nt_settle();
    CHECK(nt_ndis_link());
    CHECK(netback_give(net, 0, packet.data, packet.size, 0, 0, 0, 0));
    CHECK(got(&packet));
    network_end(&system);
}

/* --- real threads --- */

struct scribbler {
    struct netback *net;
    unsigned char *pages[SLOTS];
    unsigned queues, mode;
    uint64_t seed;
    volatile bool stops;
};

/* Bytes of the payload change all the time, in every page that the card has; no header ever stands so far behind. */
static void *change_payloads(void *context)
{
    struct scribbler *scribbler = context;

    random_seed(scribbler->seed);
    while (!scribbler->stops)
        for (unsigned i = 0; i < 64; i++)
            scribbler->pages[random_below(SLOTS)][3500 + random_below(596)] ^= (unsigned char)random64();
    return NULL;
}

static void start_thread(pthread_t *thread, void *(*run)(void *), struct scribbler *scribbler)
{
    if (pthread_create(thread, NULL, run, scribbler))
        nt_bug("no thread");
}

/* What is looked at is not what changes: the sums of all that comes are right. */
static void sees_bytes_that_stay(void)
{
    struct bytes large = packet_of(TCP | V4, 30000, 1), small = packet_of(TCP | V4, 1400, 1);
    struct scribbler scribbler = {.seed = 7};
    struct system system;
    struct netback *net;
    pthread_t thread;
    unsigned seen = 0;

    network_boot(2);
    net = full_card();
    network_run(&system);
    for (unsigned slot = 0; slot < SLOTS; slot++) {
        uint32_t reference = net->queues[0].receive->ring[slot].req.gref;

        scribbler.pages[slot] = hv_map(reference, NETBACK_DOMAIN, true);
        hv_unmap(reference, true);
    }
    start_thread(&thread, change_payloads, &scribbler);
    for (unsigned i = 0; i < 200; i++) {
        const struct bytes *sent = i & 1 ? &large : &small;

        CHECK(netback_give(net, 0, sent->data, sent->size, 0, NETRXF_csum_blank | NETRXF_data_validated,
                           i & 1 ? 1400 : 0, XEN_NETIF_GSO_TYPE_TCPV4));
        for (struct nt_received *packet; (packet = received()); seen++)
            CHECK(is_right(packet->data, packet->size), "%u", i);
    }
    scribbler.stops = true;
    pthread_join(thread, NULL);
    CHECK_EQUAL(100 + 100 * 22, seen);
    CHECK(!nt_ndis_events());
    network_end(&system);
}

static uint32_t noise_index(uint32_t around)
{
    return random_below(4) ? around + random_below(300) : (uint32_t)random_value();
}

/* Half of it looks like answers, so that not all ends at the first one. */
static void scribble_once(struct netback_queue *queue, unsigned mode)
{
    unsigned slot = random_below(SLOTS);
    netif_tx_response_t sent = {(uint16_t)(random_below(3) ? slot : random64()), (int16_t)(random_below(9) / 8)};
    netif_rx_response_t came = {(uint16_t)slot, (uint16_t)random_below(200), (uint16_t)random_below(16),
                                (int16_t)(random_below(3800) - 20)};
    uint64_t wild = random_value();

    memcpy(&queue->transmit->ring[slot].rsp, &sent, sizeof(sent));
    memcpy(&queue->receive->ring[slot].rsp, random_below(mode ? 4 : 64) ? (void *)&came : (void *)&wild, sizeof(came));
    switch (random_below(mode ? 24 : 6)) {
    case 0:
        queue->receive->rsp_prod = mode ? noise_index(queue->receive->rsp_prod) : queue->receive->rsp_prod + 1;
        break;
    case 1:
        queue->transmit->rsp_prod = mode ? noise_index(queue->transmit->rsp_prod) : queue->transmit->rsp_prod;
        break;
    case 2:
        queue->receive->req_event = (uint32_t)random64();
        queue->transmit->req_event = (uint32_t)random64();
        break;
    case 3:
        queue->receive->rsp_event = queue->transmit->rsp_event = (uint32_t)random64();
        break;
    case 4:
        queue->transmit->req_prod = queue->receive->req_prod = (uint32_t)random64();
        break;
    default:
        break;
    }
}

static void *scribble(void *context)
{
    struct scribbler *scribbler = context;

    random_seed(scribbler->seed);
    while (!scribbler->stops) {
        hv_lock(); /* so that the rings are there; the processors read them without it */
        for (unsigned i = 0; i < scribbler->queues * 8; i++)
            if (scribbler->net->queues[i % scribbler->queues].transmit)
                scribble_once(&scribbler->net->queues[i % scribbler->queues], scribbler->mode);
        hv_unlock();
        hv_notify(scribbler->net->queues[random_below(scribbler->queues)].receive_port);
        hv_notify(scribbler->net->queues[random_below(scribbler->queues)].transmit_port);
        usleep(300); /* the kernel here waits for DPCs until there are none at all */
    }
    return NULL;
}

/* Sends go on, packets come of whatever is in the pages, lists are held and given back, the adapter pauses. */
static void survives_noise_in_its_rings(void)
{
    for (unsigned round = 0; round < 12; round++) {
        struct bytes packet = packet_of(TCP | V4, 3000, round);
        struct scribbler scribbler = {.seed = round + 1, .mode = round & 1, .queues = round % 3 + 1};
        struct system system;
        pthread_t thread;

        network_boot(4);
        scribbler.net = netback_add((struct netback){FULL, .most_queues = scribbler.queues});
        network_run(&system);
        for (unsigned i = 0; i < scribbler.queues && round & 2; i++)
            fill_pages(scribbler.net, &packet);
        scribbler.net->blind = true;
        start_thread(&thread, scribble, &scribbler);
        for (unsigned i = 0; i < 60; i++) {
            struct nt_send *send = send_asking(&packet, 700, true, true, i & 1 ? 1400 : 0);

            send->list.NetBufferListInfo[NetBufferListHashValue] = (PVOID)(uintptr_t)i;
            send->list.NetBufferListInfo[NetBufferListCancelId] = (PVOID)7;
            nt_ndis_hold(i & 4);
            nt_send_start(send);
            if (i % 20 == 19) {
                nt_ndis_return_held();
                nt_ndis_hold(false);
                nt_ndis_return_held();
                nt_ndis_pause();
                nt_ndis_restart();
            }
            nt_send_cancel((PVOID)7); /* a ring that does not answer is full some time */
            nt_send_wait(send);
            while (nt_received_take(NULL)) {
            }
        }
        scribbler.stops = true;
        pthread_join(thread, NULL);
        nt_ndis_hold(false);
        nt_ndis_return_held();
        network_end(&system);
    }
}

/* --- xenstore --- */

static const char *noise_value(void)
{
    static const char *const values[] = {"",  "0", "1", "2",          "3",        "4",  "5",   "6",
                                         "7", "8", "x", "4294967296", "99999999", "-1", "1 2", "18446744073709551616"};
    static char text[400];

    if (random_below(8))
        return values[random_below(sizeof(values) / sizeof(values[0]))];
    memset(text, '0' + (int)random_below(10), sizeof(text) - 1);
    text[random_below(sizeof(text) - 1)] = 0;
    return text;
}

/* The back end's nodes say anything, while its rings are as they were; in the end it behaves, and all is well. */
static void survives_noise_in_xenstore(void)
{
    static const char *const names[] = {"state",
                                        "state",
                                        "state",
                                        "carrier",
                                        "multi-queue-max-queues",
                                        "feature-split-event-channels",
                                        "feature-sg",
                                        "feature-no-csum-offload",
                                        "feature-ipv6-csum-offload",
                                        "feature-gso-tcpv4",
                                        "feature-gso-tcpv6"};

    for (unsigned round = 0; round < 6; round++) {
        struct bytes packet = packet_of(UDP | V4, 100, round);
        struct system system;
        struct netback *net;

        random_seed(round + 1);
        network_boot(round & 1 ? 4 : 1);
        net = full_card();
        network_run(&system);
        for (unsigned i = 0; i < 60; i++) {
            net->stays = random_below(2);
            netback_set(net, names[random_below(sizeof(names) / sizeof(names[0]))], noise_value());
            if (i & 1)
                nt_settle();
            send_one(packet.data, packet.size, 0);
        }
        nt_settle();
        netback_let_go(net);
        netback_set(net, "carrier", "1");
        netback_set(net, "multi-queue-max-queues", "1");
        nt_settle();
        netback_restart(net);
        nt_settle();
        CHECK(netback_connected(net) && nt_ndis_link(), "round %u", round);
        CHECK(netback_give(net, 0, packet.data, packet.size, 0, 0, 0, 0));
        CHECK(got(&packet), "round %u", round);
        network_end(&system);
    }
}

static const struct unit_test tests[] = {
    {"closes at an impossible packet", closes_at_an_impossible_packet},
    {"goes on after a packet that is lost", goes_on_after_a_packet_that_is_lost},
    {"waits for the rest of a packet", waits_for_the_rest_of_a_packet},
    {"closes at an impossible answer", closes_at_an_impossible_answer},
    {"is whole again after a resume", is_whole_again_after_a_resume},
    {"sees bytes that stay", sees_bytes_that_stay},
    {"survives noise in its rings", survives_noise_in_its_rings},
    {"survives noise in xenstore", survives_noise_in_xenstore},
};

int main(int count, char **arguments)
{
    if (count != 3)
        return 2;
    pvbus_file = arguments[1];
    pvnet_file = arguments[2];
    return run_tests(tests, sizeof(tests) / sizeof(tests[0]), NULL);
}
