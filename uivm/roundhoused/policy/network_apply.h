/* Puts the network's rules in place, the newest ones soon. Main thread only. */
#ifndef RH_POLICY_NETWORK_APPLY_H
#define RH_POLICY_NETWORK_APPLY_H

#include <gio/gio.h>

struct policy_network;

/* nft: the program. told: policy_network_problem() is another. */
struct policy_network *policy_network_new(const char *nft, void (*told)(gpointer user), gpointer user);
void policy_network_free(struct policy_network *network);

/* Takes the text over. The same as before changes nothing. */
void policy_network_set(struct policy_network *network, char *rules);

/* Why the rules are not in place; NULL: they are, or will be. */
const char *policy_network_problem(const struct policy_network *network);

#endif
