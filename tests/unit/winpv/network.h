/* A machine with the shipped pvbus and pvnet in it and cards whose back ends check, and packets for them. */
#ifndef WINPV_NETWORK_H
#define WINPV_NETWORK_H

#include "machine.h"
#include "ndis.h"
#include "netback.h"

extern const char *pvnet_file;

void network_boot(unsigned processors);
void network_load(struct system *system);  /* the bus runs, and the driver is loaded */
void network_start(struct system *system); /* the card's device; the adapter is paused */
/* All of it, and the adapter runs, connected if its back end connects, with all packets wanted that are for it. */
void network_run(struct system *system);
void network_end(struct system *system);

/* A back end's offers. */
#define FULL .split = true, .scatter = true, .checksum_v6 = true, .large_v4 = true, .large_v6 = true

struct bytes {
    unsigned char data[65536];
    unsigned size;
};

enum flags { TCP = 1, UDP = 0, V4 = 2, V6 = 0 };

struct netback *full_card(void);
/* Sends a packet in MDLs of `piece` bytes (0: one), and waits. */
NDIS_STATUS send_one(const void *data, unsigned size, unsigned piece);
/* A send that asks for checksums, or if `segment` is not 0 for segments. */
struct nt_send *send_asking(const struct bytes *packet, unsigned piece, bool tcp, bool v4, unsigned segment);
struct nt_received *received(void); /* the next packet that the protocol got, till the next call; NULL: none */
bool got(const struct bytes *wanted);

/* A packet for the card of the system, from `port`, right in all its sums. */
struct bytes packet_of(int kind, unsigned payload, unsigned port);
/* Is it a packet whose sums are all right? */
bool is_right(const unsigned char *data, unsigned size);
/* Does what stands in the checksum make a right one when somebody sums up the rest, as a card does that is left to? */
bool is_right_when_summed(const unsigned char *data, unsigned size);
void spoil_checksums(struct bytes *packet); /* of transport and IPv4's header */
unsigned payload_at(const unsigned char *data);
unsigned number16(const unsigned char *at);
unsigned number32(const unsigned char *at);

#endif
