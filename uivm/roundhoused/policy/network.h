/*
 * Who may reach whom through guests' network cards: the policy's `connect to` as rules of nftables for the bridges that
 * the cards are ports of. A pure function, so that a test can try the text on real packets.
 *
 * A guest sends from its own address alone. It reaches another guest, or the network outside, where its policy says so,
 * and this machine not at all. Where only one of two may connect, the other answers: segments of TCP that begin no
 * connection, replies to pings, and what finds neighbours; no UDP. What may reach a network is reached from there. A
 * card that is none of these guests' gets nothing through.
 */
#ifndef RH_POLICY_NETWORK_H
#define RH_POLICY_NETWORK_H

#include "asker.h"

struct policy_card {
    const char *guest, *label; /* as in struct policy_party */
    const char *bridge;
    guint domid;
    gboolean emulated; /* it has a second end, of the emulated card */
    guint8 mac[6];
    const char *address; /* IPv4; NULL: not known */
};

/*
 * All rules, to be put in place of those before by one run of `nft -f`. What would have to be asked is denied. The
 * caller frees it.
 */
char *policy_network_rules(struct policy_asker *asker, const struct policy_facts *facts,
                           const struct policy_card *cards, guint count);

#endif
