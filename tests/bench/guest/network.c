/*
 * What the network carries between a guest and Domain-0, over TCP; Domain-0's end is domain0/network.c. Of the whole
 * machine: both ends count.
 */
#include "guest.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "network.h"

#define CARD       "eth0"
#define WAIT_TURNS 100
#define WAIT_US    100000

static int peer;

static struct sockaddr_in address(const char *text, uint16_t port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
    if (inet_pton(AF_INET, text, &a.sin_addr) != 1)
        fail(text);
    return a;
}

/* Drivers come to their cards when they like. */
static void start_card(int control)
{
    struct ifreq request = {.ifr_name = CARD};
    struct sockaddr_in ours = address(GUEST_ADDRESS, 0);
    memcpy(&request.ifr_addr, &ours, sizeof(ours));
    for (unsigned turn = 0; ioctl(control, SIOCSIFADDR, &request); turn++) {
        if (errno != ENODEV || turn == WAIT_TURNS)
            fail("address of the card");
        usleep(WAIT_US);
    }
    request.ifr_flags = IFF_UP | IFF_RUNNING;
    if (ioctl(control, SIOCSIFFLAGS, &request))
        fail("start of the card");
}

static void reach_peer(void)
{
    struct sockaddr_in theirs = address(DOMAIN0_ADDRESS, NETWORK_PORT);
    for (unsigned turn = 0;; turn++) {
        peer = socket(AF_INET, SOCK_STREAM, 0);
        if (peer < 0)
            fail("socket");
        if (!connect(peer, (struct sockaddr *)&theirs, sizeof(theirs)))
            return;
        if (turn == WAIT_TURNS)
            fail("connection to Domain-0");
        close(peer);
        usleep(WAIT_US);
    }
}

static void ask(char what)
{
    if (write(peer, &what, 1) != 1)
        fail("question to Domain-0");
}

static void send_bytes(void)
{
    char done;
    ask(TAKE);
    if (network_send(peer) || read(peer, &done, 1) != 1)
        fail("sending");
}

static void receive_bytes(void)
{
    ask(GIVE);
    if (network_receive(peer))
        fail("receiving");
}

void measure_network(void)
{
    start_card(socket(AF_INET, SOCK_DGRAM, 0));
    reach_peer();
    measure("guest_network_send_mib", send_bytes, 1, NETWORK_BYTES >> 20);
    measure("guest_network_receive_mib", receive_bytes, 1, NETWORK_BYTES >> 20);
    close(peer);
}
