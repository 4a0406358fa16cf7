/*
 * The display broker's real files between a xenstore in memory, in which guests write what they like, and a seat and a
 * sound process that check every message as the real ones do.
 */
#ifndef VDISPLAY_PEERS_H
#define VDISPLAY_PEERS_H

#include "vdisplay_private.h"

#define FRONT "/local/domain/7/device/"
#define BACK  "/local/domain/0/backend/"

extern struct peer {
    enum link_direction takes;
    char *folder, *path;
    int listener, peer;
    unsigned connections, refused; /* accepted so far; messages that ended one */
    unsigned count[64];            /* messages by type */
    struct link_message last[64];
    unsigned order[64], total; /* the n-th message was of this type */
    gboolean answers;          /* connections with READY, the end of one with CLOSED */
} seat, sound;

extern struct vdisplay *vd;
extern unsigned warnings; /* in the log */

void setup(void);
void teardown(void);
void add(unsigned slot, uint32_t domid, enum guest_display kind);
void write_screen(const char *channel, const char *page, const char *state); /* as domain 7's driver */

void peer_send(struct peer *peer, uint32_t type, uint32_t slot, int error);
void peer_drop(struct peer *peer); /* hangs up; it takes the next connection */

/* Lets everybody go on for a number of turns of the main loop, each followed by what the peers do. */
void turns(unsigned count);
/* Longer than a look at a device can be put off. */
void linger(void);
/* Waits until a node has a value; FALSE after a time in which it should have come many times over. */
gboolean comes(const char *path, const char *value);

#endif
