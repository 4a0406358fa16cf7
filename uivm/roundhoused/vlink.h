// A link to another process (link_protocol.h), this end: connecting, HELLO, sending, and connecting again. A lost
// connection is tried again at once, for the other's socket may outlive it, and then ten times a second.
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "link_protocol.h"

struct vdisplay;

struct vlink_events {
    const char *who; // for the log
    enum link_direction to, from;
    void (*hello)(struct vdisplay *vd, const struct link_message *m, bool first); // first of a connection
    void (*message)(struct vdisplay *vd, const struct link_message *m);           // any other
    void (*lost)(struct vdisplay *vd);
};

struct vlink {
    struct vdisplay *vd;
    const struct vlink_events *events;
    char *path;
    int fd;       // -1 while there is no connection
    bool greeted; // the other has said HELLO
    guint source, retry;
};

// The first try is made by the main loop, so that guests added before it runs are in the first HELLO.
void vlink_start(struct vlink *link, struct vdisplay *vd, const struct vlink_events *events, const char *path);
void vlink_stop(struct vlink *link); // without an event; one that was never started is ignored

// Sends what the other will take and nothing else: a message that it would refuse, and end the connection for, does not
// leave. fd -1: none.
enum vdisplay_sent { VDISPLAY_SENT, VDISPLAY_NO_SEAT, VDISPLAY_REFUSED };
enum vdisplay_sent vlink_send(struct vlink *link, const struct link_message *message, int fd);
