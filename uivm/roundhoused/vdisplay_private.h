// Shared by the parts of vdisplay: bookkeeping (vdisplay.c), xenstore (vdisplay_store.c: the handshake,
// vdisplay_watch.c: when to look), the links to the seat (vdisplay_link.c) and to the sound process (vdisplay_sound.c).
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <xenstore.h>

#include "link_protocol.h"
#include "vdisplay.h"
#include "vlink.h"

enum vdevice_type { VDEVICE_VFB, VDEVICE_VDISPL, VDEVICE_VKBD, VDEVICE_VSND };

enum vdevice_phase {
    VDEVICE_WAITING,    // for the frontend
    VDEVICE_CONNECTING, // the seat, or the sound process, was asked
    VDEVICE_CONNECTED,
};

struct vguest;

struct vdevice {
    struct vguest *guest;
    enum vdevice_type type;
    enum vdevice_phase phase;
    bool refused;                   // its guest wrote what cannot be: nothing but a new start of the handshake counts
    struct link_message connection; // what the seat was last told to connect, for the next one; type 0: nothing
    char *front, *back, *token;     // xenstore directories; the watch's token
    bool watched;                   // false: its watch fired too often and is gone until the next look
    bool look;                      // something has changed since the last look
    unsigned events;                // watch events since the last look
    gint64 next_look;               // monotonic microseconds
};

struct vpicture;

struct vguest {
    struct vdisplay *vd;
    unsigned slot;
    uint32_t domid, rgb;
    char name[LINK_NAME_SIZE];
    uint32_t signs; // of enum guest_sign
    unsigned device_count;
    bool has_screen; // the first two devices are display and keyboard
    struct vdevice devices[3];
    enum guest_sound sound;
    uint32_t volume;    // 0..LINK_VOLUME_MAX
    char *vga_socket;   // where its QEMU listens; NULL without one
    bool vga_connected; // the seat has been given a connection
    unsigned vga_tries; // since the last connection
    guint vga_retry;
    struct vpicture *picture; // that the seat was asked for; NULL: none
    gint64 log_since; // monotonic microseconds: the minute that log_lines counts
    unsigned log_lines;
};

struct vdisplay {
    struct xs_handle *store;
    guint store_source, look_source;
    struct vlink seat, sound;
    uint32_t screen_width, screen_height;
    unsigned focused;
    uint32_t picture_serial;
    unsigned cut; // the slot whose guest the person cut off; 0: none
    struct vguest *guests[LINK_SLOTS]; // by slot
    vdisplay_focus_fn *focus_callback;
    void *focus_data;
    vdisplay_lost_fn *lost_callback;
    void *lost_data;
    uint32_t volume, volume_wish, microphone; // vdisplay_sound.c
    uint32_t microphone_told;                 // to the seat
    guint microphone_timer;                   // until it may be told again
    vdisplay_sound_fn *sound_callback;
    void *sound_data;
};

struct vguest *vdisplay_find(const struct vdisplay *vd, uint32_t domid);

struct vdevice *vguest_add_device(struct vguest *guest, enum vdevice_type type); // before vdevice_create()
struct vdevice *vguest_device(struct vguest *guest, enum vdevice_type type);     // NULL: it has none
struct vlink *vdevice_link(const struct vdevice *device);                        // to whom serves it
// The devices that the link's other end serves: it is gone, or the next one is there.
void vguest_forget_connections(struct vguest *guest, const struct vlink *link);
void vguest_connect_again(struct vguest *guest, const struct vlink *link);

// A line in the log about what a guest or its device model did: so many a minute for each guest, the rest are left out.
void vguest_warn(struct vguest *guest, const char *format, ...) G_GNUC_PRINTF(2, 3);

// vdisplay_store.c. Making is one transaction; an error tells the path.
bool vdevice_create(struct vdevice *device, GError **error);
void vdevice_destroy(struct vdevice *device);
bool vdisplay_store_start(struct vdisplay *vd, GError **error);
void vdisplay_store_stop(struct vdisplay *vd);

// vdisplay_watch.c: what a guest's writes cost is bounded. Events are taken without a question to xenstored and only
// mark the device; a marked device is looked at a few times a second at most, whatever its guest does, and a watch that
// fires more often than that is taken away until the next look, so that no event waits in memory.
bool vdevice_watch(struct vdevice *device);
void vdevice_unwatch(struct vdevice *device);
void vdisplay_look_at(struct vdevice *device); // soon
void vdisplay_watch_start(struct vdisplay *vd);
void vdisplay_watch_stop(struct vdisplay *vd);

// Looks at the frontend's state again and does what it calls for; also after the seat came back.
void vdevice_update(struct vdevice *device);
// The next seat is there: it is told what the last one was, and only then xenstore is asked whether that still holds.
void vdevice_connect_again(struct vdevice *device);
void vdevice_ready(struct vdevice *device);             // the seat has connected it
void vdevice_closed(struct vdevice *device, int error); // the seat has not, or no longer

// vdisplay_vga.c: the screen of QEMU, for guests with a vga_socket.
void vdisplay_vga_connect(struct vguest *guest); // gives the seat a new connection, now or as soon as it can be had
void vdisplay_vga_closed(struct vguest *guest, int error); // the seat has lost it
void vdisplay_vga_stop(struct vguest *guest);

// vdisplay_picture.c
void vdisplay_picture_done(struct vguest *guest, const struct link_picture *what); // the seat's answer
void vdisplay_picture_lost(struct vguest *guest);                                  // there will be none

// vdisplay_link.c
extern const struct vlink_events vdisplay_seat_events;
enum vdisplay_sent vdisplay_send(struct vdisplay *vd, const struct link_message *message, int fd); // to the seat
void vdisplay_send_guest(struct vdisplay *vd, const struct vguest *guest);
struct link_message vdisplay_guest_message(const struct vguest *guest);

// vdisplay_sound.c
void vdisplay_sound_start(struct vdisplay *vd, const char *socket_path);
void vdisplay_sound_stop(struct vdisplay *vd);
void vdisplay_sound_focus(struct vdisplay *vd);
// The guest in this slot, 0 none, is not heard and hears nothing until the next call.
void vdisplay_sound_cut(struct vdisplay *vd, unsigned slot);
