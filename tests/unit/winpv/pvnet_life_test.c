/* The shipped pvnet.sys from its start to its end: states, its back end's life, requests. */
#include <stdlib.h>
#include <string.h>
#include "../check.h"
#include "../test_list.h"
#include "network.h"

static bool front_state_is(const char *wanted)
{
    char state[8] = "";

    return store_get("device/vif/0/state", state, sizeof(state)) && !strcmp(state, wanted);
}

static void connects_and_leaves(void)
{
    struct system system;
    struct netback *net;
    NDIS_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES general;

    network_boot(1);
    net = full_card();
    network_load(&system);
    network_start(&system);
    CHECK_EQUAL(STATUS_SUCCESS, system.started_as);
    nt_settle();
    CHECK(netback_connected(net) && !nt_ndis_link()); /* nobody is to be told yet */
    general = nt_ndis_general();
    CHECK(!memcmp(general.PermanentMacAddress, "\x00\x16\x3e\x12\x34\x56", 6));
    CHECK_EQUAL(1500, general.MtuSize);
    nt_ndis_restart();
    nt_settle();
    CHECK(nt_ndis_link());
    CHECK(front_state_is("4"));
    CHECK_EQUAL(STATUS_SUCCESS, nt_pnp(system.device, IRP_MN_STOP_DEVICE, NULL, NULL));
    CHECK(!netback_connected(net));
    CHECK(front_state_is("6"));
    CHECK_EQUAL(0, hv_grants());
    network_end(&system);
}

static void takes_settings_of_xenstore(void)
{
    static const struct {
        const char *address, *mtu;
        bool good;
        unsigned size;
    } settings[] = {
        {"00:16:3e:aB:cD:Ef", "1400", true, 1400},
        {"00:16:3e:ab:cd:ef", "9000", true, 1500},
        {"00:16:3e:ab:cd:ef", "x", true, 1500},
        {"01:16:3e:ab:cd:ef", "1500", false, 0},
        {"00:00:00:00:00:00", "1500", false, 0},
        {"00:16:3e:ab:cd", "1500", false, 0},
        {"00:16:3e:ab:cd:eg", "1500", false, 0},
        {"00-16-3e-ab-cd-ef", "1500", false, 0},
        {"", "1500", false, 0},
    };

    for (unsigned i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
        struct system system;

        network_boot(1);
        netback_add((struct netback){.address = settings[i].address, FULL});
        store_set("device/vif/0/mtu", settings[i].mtu);
        network_load(&system);
        network_start(&system);
        CHECK_EQUAL(settings[i].good, NT_SUCCESS(system.started_as), "row %u", i);
        if (settings[i].good)
            CHECK_EQUAL(settings[i].size, nt_ndis_general().MtuSize);
        network_end(&system);
    }
}

/* --- its life --- */

static void pauses(void)
{
    struct system system;
    struct netback *net;
    struct nt_send *sends[300];
    struct bytes packet = packet_of(UDP | V4, 10, 7);

    network_boot(1);
    net = netback_add((struct netback){FULL, .holds = true});
    network_run(&system);
    nt_ndis_hold(true);
    CHECK(netback_give(net, 0, packet.data, packet.size, 0, 0, 0, 0));
    CHECK(got(&packet));
    for (unsigned i = 0; i < 300; i++) {
        sends[i] = nt_send_make(packet.data, packet.size, 0);
        nt_send_start(sends[i]);
    }
    CHECK(nt_ndis_pause_begin());
    for (unsigned i = 0; i < 300; i++)
        CHECK_EQUAL(i < 256 ? NDIS_STATUS_SUCCESS : NDIS_STATUS_PAUSED, nt_send_wait(sends[i]));
    CHECK(netback_give(net, 0, packet.data, packet.size, 0, 0, 0, 0));
    CHECK(!received());
    nt_ndis_hold(false);
    nt_ndis_return_held();
    nt_ndis_pause_end();
    nt_settle();
    CHECK(!received());
    nt_ndis_restart();
    CHECK(got(&packet)); /* it was in the ring */
    CHECK(!nt_ndis_pause_begin());
    nt_ndis_restart();
    network_end(&system);
}

static void resets(void)
{
    struct system system;
    struct nt_send *sends[260];

    network_boot(1);
    netback_add((struct netback){FULL, .holds = true});
    network_run(&system);
    for (unsigned i = 0; i < 260; i++) {
        sends[i] = nt_send_make(packet_of(UDP | V4, 10, 7).data, 52, 0);
        nt_send_start(sends[i]);
    }
    CHECK_EQUAL(NDIS_STATUS_SUCCESS, nt_ndis_reset());
    for (unsigned i = 0; i < 260; i++)
        CHECK_EQUAL(i < 256 ? NDIS_STATUS_SUCCESS : NDIS_STATUS_RESET_IN_PROGRESS, nt_send_wait(sends[i]));
    network_end(&system);
}

static void works(struct netback *net, unsigned port)
{
    struct bytes packet = packet_of(UDP | V4, 300, port);
    struct netback_frame *frame;

    nt_settle();
    CHECK(netback_connected(net) && nt_ndis_link());
    CHECK_EQUAL(NDIS_STATUS_SUCCESS, send_one(packet.data, packet.size, 0));
    nt_settle();
    frame = netback_take(net);
    CHECK(frame && !memcmp(frame->data, packet.data, packet.size));
    free(frame);
    CHECK(netback_give(net, 0, packet.data, packet.size, 0, 0, 0, 0));
    CHECK(got(&packet));
}

static void follows_the_carrier(void)
{
    struct system system;
    struct netback *net;

    network_boot(1);
    net = full_card();
    network_run(&system);
    netback_carrier(net, false);
    nt_settle();
    CHECK(!nt_ndis_link());
    netback_carrier(net, true);
    works(net, 1);
    CHECK_EQUAL(3, nt_ndis_link_changes());
    network_end(&system);
}

static void follows_its_back_end(void)
{
    struct system system;
    struct netback *net;

    network_boot(1);
    net = netback_add((struct netback){FULL, .silent = true});
    network_run(&system);
    CHECK(!netback_connected(net) && !nt_ndis_link());
    CHECK_EQUAL(NDIS_STATUS_MEDIA_DISCONNECTED, send_one(packet_of(UDP | V4, 10, 7).data, 52, 0));
    netback_restart(net); /* there at last */
    works(net, 1);
    netback_restart(net);
    works(net, 2);
    netback_close(net);
    nt_settle();
    CHECK(!nt_ndis_link() && front_state_is("6"));
    CHECK_EQUAL(0, hv_grants());
    net->large_v4 = net->scatter = net->split = false;
    net->most_queues = 3;
    netback_restart(net); /* with less than before */
    works(net, 3);
    CHECK_EQUAL(5, nt_ndis_link_changes());
    network_end(&system);
}

static void goes_on_after_a_resume(void)
{
    struct system system;
    struct netback *net;
    struct nt_send *sends[300];

    network_boot(1);
    net = full_card();
    network_run(&system);
    works(net, 1);
    net->holds = true;
    for (unsigned i = 0; i < 300; i++) {
        sends[i] = nt_send_make(packet_of(UDP | V4, 10, 7).data, 52, 0);
        nt_send_start(sends[i]);
    }
    nt_settle();
    net->holds = false;
    store_set("control/shutdown", "suspend");
    nt_settle();
    CHECK_EQUAL(1, hv_suspends());
    for (unsigned i = 0; i < 300; i++)
        CHECK_EQUAL(i < 256 ? NDIS_STATUS_SUCCESS : NDIS_STATUS_MEDIA_DISCONNECTED, nt_send_wait(sends[i]));
    while (net->frames)
        free(netback_take(net));
    works(net, 2);
    network_end(&system);
}

static void sleeps_and_wakes(void)
{
    struct system system;
    struct netback *net;

    network_boot(1);
    net = full_card();
    network_run(&system);
    nt_ndis_power(false);
    nt_settle();
    CHECK(!netback_connected(net) && !nt_ndis_link());
    CHECK_EQUAL(0, hv_grants());
    nt_ndis_power(true);
    works(net, 1);
    network_end(&system);
}

static void is_removed_without_a_word(void)
{
    struct system system;
    struct netback *net;
    struct nt_send *sends[300];

    network_boot(1);
    net = netback_add((struct netback){FULL, .holds = true});
    network_run(&system);
    for (unsigned i = 0; i < 300; i++) {
        sends[i] = nt_send_make(packet_of(UDP | V4, 10, 7).data, 52, 0);
        nt_send_start(sends[i]);
    }
    CHECK_EQUAL(STATUS_SUCCESS, nt_pnp(system.device, IRP_MN_SURPRISE_REMOVAL, NULL, NULL));
    for (unsigned i = 0; i < 300; i++)
        CHECK_EQUAL(i < 256 ? NDIS_STATUS_SUCCESS : NDIS_STATUS_MEDIA_DISCONNECTED, nt_send_wait(sends[i]));
    CHECK_EQUAL(NDIS_STATUS_MEDIA_DISCONNECTED, send_one(packet_of(UDP | V4, 10, 7).data, 52, 0));
    netback_let_go(net);
    network_end(&system);
}

/* Its pages stay granted, and are nobody else's, until it lets go. */
static void waits_for_pages_that_are_kept(void)
{
    struct system system;
    struct netback *net;

    network_boot(1);
    net = netback_add((struct netback){FULL, .stays = false});
    network_run(&system);
    net->stays = true;
    nt_ndis_power(false);
    CHECK(nt_said("keeps pages of the ring"));
    CHECK_EQUAL(2, hv_grants());
    nt_ndis_power(true);
    nt_settle();
    CHECK(netback_connected(net) && !nt_ndis_link());
    netback_let_go(net);
    netback_restart(net);
    works(net, 1);
    network_end(&system);
}

/* --- requests --- */

static void answers_requests(void)
{
    NDIS_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES general;
    NDIS_OID oids[64];
    struct system system;
    unsigned count;

    network_boot(1);
    full_card();
    network_run(&system);
    general = nt_ndis_general();
    count = general.SupportedOidListLength / sizeof(NDIS_OID);
    memcpy(oids, general.SupportedOidList, general.SupportedOidListLength);
    for (unsigned i = 0; i < count; i++) {
        unsigned char answer[256];
        unsigned used = 0, needed = 0;
        NDIS_STATUS status = nt_ndis_query(oids[i], answer, sizeof(answer), &used);

        if (status == NDIS_STATUS_NOT_SUPPORTED) {
            CHECK(nt_ndis_set(oids[i], answer, 0) == NDIS_STATUS_INVALID_LENGTH, "%x", (unsigned)oids[i]);
            continue;
        }
        CHECK_EQUAL(NDIS_STATUS_SUCCESS, status, "%x", (unsigned)oids[i]);
        if (used)
            CHECK_EQUAL(NDIS_STATUS_INVALID_LENGTH, nt_ndis_query(oids[i], answer, used == 8 ? 3 : used - 1, &needed),
                        "%x", (unsigned)oids[i]);
        if (used)
            CHECK(needed == used, "%x", (unsigned)oids[i]);
    }
    CHECK_EQUAL(NDIS_STATUS_NOT_SUPPORTED, nt_ndis_query(0x12345678, oids, 4, NULL));
    CHECK_EQUAL(NDIS_STATUS_NOT_SUPPORTED, nt_ndis_set(OID_GEN_STATISTICS, oids, 4));
    network_end(&system);
}

static void counts(void)
{
    NDIS_STATISTICS_INFO info;
    struct system system;
    struct netback *net;
    struct bytes packet = packet_of(UDP | V4, 86, 1);
    ULONG ok = 0;

    network_boot(1);
    net = full_card();
    network_run(&system);
    for (unsigned i = 0; i < 3; i++) {
        memset(packet.data, i ? 0xff : 0, i == 1 ? 1 : 6);
        if (!i)
            memcpy(packet.data, "\x00\x16\x3e\x12\x34\x56", 6);
        CHECK_EQUAL(NDIS_STATUS_SUCCESS, send_one(packet.data, packet.size, 0));
        CHECK(netback_give(net, 0, packet.data, packet.size, 0, 0, 0, 0));
        nt_settle();
    }
    net->fails = 1;
    CHECK_EQUAL(NDIS_STATUS_SUCCESS, send_one(packet.data, packet.size, 0));
    nt_settle();
    CHECK(netback_give(net, 0, packet_of(UDP | V4, 1600, 1).data, 1642, 0, 0, 0, 0)); /* longer than packets are */
    nt_settle();
    send_one(packet.data, packet.size, 0);
    for (unsigned i = 0; i < 300; i++) /* so that the failure is heard of */
        send_one(packet.data, packet.size, 0);
    nt_settle();
    CHECK_EQUAL(NDIS_STATUS_SUCCESS, nt_ndis_query(OID_GEN_STATISTICS, &info, sizeof(info), NULL));
    CHECK_EQUAL(1, info.ifHCInUcastPkts);
    CHECK_EQUAL(0, info.ifHCInMulticastPkts); /* not wanted */
    CHECK_EQUAL(1, info.ifHCInBroadcastPkts);
    CHECK_EQUAL(1, info.ifInDiscards);
    CHECK_EQUAL(1, info.ifInErrors);
    CHECK_EQUAL(256, info.ifHCInOctets);
    CHECK_EQUAL(128, info.ifHCInUcastOctets);
    CHECK_EQUAL(1, info.ifHCOutUcastPkts);
    CHECK_EQUAL(1, info.ifHCOutMulticastPkts);
    CHECK_EQUAL(303, info.ifHCOutBroadcastPkts);
    CHECK_EQUAL(305 * 128, info.ifHCOutOctets);
    CHECK_EQUAL(1, info.ifOutErrors);
    CHECK_EQUAL(0, info.ifOutDiscards);
    netback_close(net);
    nt_settle();
    CHECK_EQUAL(NDIS_STATUS_MEDIA_DISCONNECTED, send_one(packet.data, packet.size, 0));
    CHECK_EQUAL(NDIS_STATUS_SUCCESS, nt_ndis_query(OID_GEN_STATISTICS, &info, sizeof(info), NULL));
    CHECK_EQUAL(1, info.ifOutDiscards);
    CHECK_EQUAL(NDIS_STATUS_SUCCESS, nt_ndis_query(OID_GEN_XMIT_OK, &ok, sizeof(ok), NULL));
    CHECK_EQUAL(305, ok);
    network_end(&system);
}

static void sets_offload(void)
{
    NDIS_OFFLOAD_PARAMETERS parameters = {0};
    NDIS_OFFLOAD_ENCAPSULATION encapsulation = {0};
    struct system system;
    struct netback *net;
    struct bytes packet = packet_of(TCP | V4, 100, 1);

    network_boot(1);
    net = full_card();
    network_run(&system);
    CHECK(nt_ndis_offload().Checksum.IPv4Transmit.TcpChecksum && nt_ndis_offload().LsoV2.IPv6.MaxOffLoadSize);
    parameters.TCPIPv4Checksum = NDIS_OFFLOAD_PARAMETERS_TX_ENABLED_RX_DISABLED;
    parameters.UDPIPv6Checksum = NDIS_OFFLOAD_PARAMETERS_TX_RX_DISABLED;
    parameters.LsoV2IPv4 = NDIS_OFFLOAD_PARAMETERS_LSOV2_DISABLED;
    CHECK_EQUAL(NDIS_STATUS_SUCCESS, nt_ndis_set(OID_TCP_OFFLOAD_PARAMETERS, &parameters, sizeof(parameters)));
    CHECK(nt_ndis_offload().Checksum.IPv4Transmit.TcpChecksum && !nt_ndis_offload().Checksum.IPv4Receive.TcpChecksum);
    CHECK(!nt_ndis_offload().Checksum.IPv6Transmit.UdpChecksum && !nt_ndis_offload().LsoV2.IPv4.MaxOffLoadSize);
    CHECK(nt_ndis_offload().LsoV2.IPv6.MaxOffLoadSize && nt_ndis_offload().Checksum.IPv6Receive.TcpChecksum);
    CHECK(netback_give(net, 0, packet.data, packet.size, 0, NETRXF_data_validated, 0, 0));
    CHECK(!received()->checksum.Value);
    parameters = (NDIS_OFFLOAD_PARAMETERS){.LsoV2IPv4 = NDIS_OFFLOAD_PARAMETERS_LSOV2_ENABLED,
                                           .TCPIPv4Checksum = NDIS_OFFLOAD_PARAMETERS_TX_RX_ENABLED};
    CHECK_EQUAL(NDIS_STATUS_SUCCESS, nt_ndis_set(OID_TCP_OFFLOAD_PARAMETERS, &parameters, sizeof(parameters)));
    CHECK(nt_ndis_offload().LsoV2.IPv4.MaxOffLoadSize && nt_ndis_offload().Checksum.IPv4Receive.TcpChecksum);
    parameters.LsoV1 = NDIS_OFFLOAD_PARAMETERS_LSOV1_ENABLED;
    CHECK_EQUAL(NDIS_STATUS_NOT_SUPPORTED, nt_ndis_set(OID_TCP_OFFLOAD_PARAMETERS, &parameters, sizeof(parameters)));
    encapsulation.IPv4.Enabled = NDIS_OFFLOAD_SET_ON;
    encapsulation.IPv4.EncapsulationType = NDIS_ENCAPSULATION_IEEE_802_3;
    CHECK_EQUAL(NDIS_STATUS_SUCCESS, nt_ndis_set(OID_OFFLOAD_ENCAPSULATION, &encapsulation, sizeof(encapsulation)));
    encapsulation.IPv6 = encapsulation.IPv4;
    encapsulation.IPv6.EncapsulationType = NDIS_ENCAPSULATION_NULL;
    CHECK(nt_ndis_set(OID_OFFLOAD_ENCAPSULATION, &encapsulation, sizeof(encapsulation)) != NDIS_STATUS_SUCCESS);
    network_end(&system);
}

static const struct unit_test tests[] = {
    {"connects and leaves", connects_and_leaves},
    {"takes settings of xenstore", takes_settings_of_xenstore},
    {"pauses", pauses},
    {"resets", resets},
    {"follows the carrier", follows_the_carrier},
    {"follows its back end", follows_its_back_end},
    {"goes on after a resume", goes_on_after_a_resume},
    {"sleeps and wakes", sleeps_and_wakes},
    {"is removed without a word", is_removed_without_a_word},
    {"waits for pages that are kept", waits_for_pages_that_are_kept},
    {"answers requests", answers_requests},
    {"counts", counts},
    {"sets offload", sets_offload},
};

int main(int count, char **arguments)
{
    if (count != 3)
        return 2;
    pvbus_file = arguments[1];
    pvnet_file = arguments[2];
    return run_tests(tests, sizeof(tests) / sizeof(tests[0]), NULL);
}
