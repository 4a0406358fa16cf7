/* The shipped pvbus.sys against a xenstore that writes noise, and against itself on four processors. */
#include <string.h>
#include "../check.h"
#include "../test_list.h"
#include "listener.h"
#include "machine.h"

/* What the other side has written into the ring is noise: no fault, no wait without end, and nothing left behind. */
static void survives_noise_from_xenstore(void)
{
    struct xenstore_domain_interface *ring;
    uint64_t seed = 1;

    for (unsigned round = 0; round < 60; round++) {
        struct machine machine;
        struct seen seen;
        char text[16];

        one_device(&machine, &seen, OPTIONS(0));
        nt_settle();
        ring = nt_frame(NT_SPECIAL_FRAME);
        for (unsigned i = 0; i < sizeof(ring->rsp); i++) {
            seed = seed * 6364136223846793005ull + 1442695040888963407ull;
            ring->rsp[i] = (char)(seed >> 60 == 0 ? seed >> 50 : 0);
        }
        ring->rsp_prod += (uint32_t)(round % 3 ? seed >> 55 : seed >> 32);
        hv_notify(1);
        nt_settle();
        seen.bus.store_read(seen.bus.header.Context, "name", text, sizeof(text));
        nt_settle();
        end(&machine, &seen);
    }
}

/* Messages that are whole, and of which one thing is not as it should be. */
static void survives_odd_messages_of_xenstore(void)
{
    static const struct {
        struct xsd_sockmsg header;
        char payload[20];
        bool ends; /* the connection */
    } messages[] = {
        {{.type = XS_READ, .req_id = 99999, .len = 4}, "late", false},
        {{.type = XS_WATCH_EVENT, .len = 0}, "", false},
        {{.type = XS_WATCH_EVENT, .len = 8}, "no token", false},
        {{.type = XS_WATCH_EVENT, .len = 12}, "path\0another", false},
        {{.type = XS_WATCH_EVENT, .len = 13}, "path\0ffffffff", false},
        {{.type = 0xffffffff, .req_id = 0, .len = 1}, "x", false},
        {{.type = XS_READ, .req_id = 1, .len = XENSTORE_PAYLOAD_MAX + 1}, "", true},
        {{.type = XS_WATCH_EVENT, .len = 0xffffffff}, "", true},
    };

    for (unsigned i = 0; i < sizeof(messages) / sizeof(messages[0]); i++) {
        struct xenstore_domain_interface *ring;
        struct machine machine;
        struct seen seen;
        const char *bytes = (const char *)&messages[i].header;
        char text[16];
        NTSTATUS status;

        one_device(&machine, &seen, OPTIONS(0));
        nt_settle();
        ring = nt_frame(NT_SPECIAL_FRAME);
        for (unsigned at = 0; at < sizeof(messages[i].header); at++)
            ring->rsp[MASK_XENSTORE_IDX(ring->rsp_prod++)] = bytes[at];
        for (unsigned at = 0; !messages[i].ends && at < messages[i].header.len; at++)
            ring->rsp[MASK_XENSTORE_IDX(ring->rsp_prod++)] = messages[i].payload[at];
        hv_notify(1);
        nt_settle();
        status = seen.bus.store_read(seen.bus.header.Context, "name", text, sizeof(text));
        CHECK_EQUAL(messages[i].ends ? STATUS_DEVICE_NOT_CONNECTED : STATUS_SUCCESS, status, "message %u", i);
        end(&machine, &seen);
    }
}

static void gives_up_a_ring_whose_index_ran_away(void)
{
    struct xenstore_domain_interface *ring;
    struct machine machine;
    struct seen seen;
    char text[16];

    one_device(&machine, &seen, OPTIONS(0));
    nt_settle();
    ring = nt_frame(NT_SPECIAL_FRAME);
    ring->rsp_prod += XENSTORE_RING_SIZE + 1;
    hv_notify(1);
    nt_settle();
    CHECK_EQUAL(STATUS_DEVICE_NOT_CONNECTED, seen.bus.store_read(seen.bus.header.Context, "name", text, sizeof(text)));
    end(&machine, &seen);
}

/* Devices come and go while a driver asks xenstore, opens and closes ports and grants, on four processors. */
static void races(void)
{
    struct machine machine;
    struct seen seen;
    PDEVICE_OBJECT child[4];
    struct pv_watch *watch;
    struct pv_event *event;
    void *bus;
    char text[16], name[40];

    memset(&seen, 0, sizeof(seen));
    machine_boot(4, OPTIONS(0));
    store_set("device/vbd/1/backend-id", "0");
    machine_load(&machine);
    machine_start(&machine);
    CHECK_EQUAL(1, nt_bus_relations(machine.platform, child, 4));
    seen.bus = machine_interface(child[0]);
    bus = seen.bus.header.Context;
    for (unsigned i = 0; i < 100; i++) {
        CHECK_EQUAL(STATUS_SUCCESS, seen.bus.watch_add(bus, "data", count_watch, &seen, &watch));
        CHECK_EQUAL(STATUS_SUCCESS, seen.bus.event_alloc(bus, 7, count_event, &seen, &event));
        snprintf(name, sizeof(name), "device/vbd/%u/backend-id", 2 + i % 7);
        store_set(name, "0");
        hv_notify(seen.bus.event_port(bus, event));
        store_set("data/x", "1");
        CHECK_EQUAL(STATUS_SUCCESS, seen.bus.store_read(bus, "name", text, sizeof(text)));
        CHECK(!strcmp(text, "guest"));
        seen.bus.event_free(bus, event);
        seen.bus.watch_remove(bus, watch);
    }
    nt_settle();
    CHECK(seen.watches && seen.events);
    end(&machine, &seen);
}

static const struct unit_test tests[] = {
    {"survives noise from xenstore", survives_noise_from_xenstore},
    {"survives odd messages of xenstore", survives_odd_messages_of_xenstore},
    {"gives up a ring whose index ran away", gives_up_a_ring_whose_index_ran_away},
    {"races", races},
};

int main(int count, char **arguments)
{
    if (count != 2)
        return 2;
    pvbus_file = arguments[1];
    return run_tests(tests, sizeof(tests) / sizeof(tests[0]), NULL);
}
