// The backends' xenstore nodes and their half of the XenBus handshake.
#include "vdisplay_private.h"

#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <xen/xen.h>
#include <xen/io/displif.h>
#include <xen/io/kbdif.h>
#include <xen/io/sndif.h>
#include <xen/io/xenbus.h>
#include <xen/sys/privcmd.h>

#include "guest_value.h"
#include "link_encode.h"

// Megabytes a guest may claim for its framebuffer: enough for 4096 by 2160.
enum { VIDEORAM_MIB = 36 };

// What the sound process takes (switcher/sound/sndif.h).
enum { SOUND_BUFFER_BYTES = 65536 };
#define SOUND_RATES "8000,11025,16000,22050,32000,44100,48000"

// A transaction loses to every other change of what it touched: whoever makes such changes without end is not waited
// for.
enum { TRANSACTIONS_MAX = 32 };

#ifndef PRIVCMD
#define PRIVCMD "/dev/xen/privcmd"
#endif

static bool write_node(struct vdisplay *vd, xs_transaction_t t, const char *directory, const char *name,
                       const char *format, ...) G_GNUC_PRINTF(5, 6);

static bool write_node(struct vdisplay *vd, xs_transaction_t t, const char *directory, const char *name,
                       const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *value = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    g_autofree char *path = g_strdup_printf("%s/%s", directory, name);
    return xs_write(vd->store, t, path, value, (unsigned)strlen(value));
}

typedef struct {
    char *bytes; // NULL: no such node
    unsigned length;
} store_value;

static void store_value_clear(store_value *value)
{
    free(value->bytes);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(store_value, store_value_clear)

static struct guest_text text_of(const store_value *value)
{
    return (struct guest_text){value->bytes, value->length};
}

static store_value read_value(struct vdisplay *vd, const char *directory, const char *name)
{
    g_autofree char *path = g_strdup_printf("%s/%s", directory, name);
    store_value value = {0};
    value.bytes = xs_read(vd->store, XBT_NULL, path, &value.length);
    return value;
}

// Unknown: no such node. False: it says what is no state.
static bool read_state(struct vdisplay *vd, const char *directory, enum xenbus_state *state)
{
    g_auto(store_value) value = read_value(vd, directory, "state");
    return guest_value_state(text_of(&value), state);
}

// One reader for each kind of value; false: not there, or not what it should be.
#define READER(kind, type)                                                                                             \
    static bool read_##kind(struct vdisplay *vd, const char *directory, const char *name, type *result)                \
    {                                                                                                                  \
        g_auto(store_value) value = read_value(vd, directory, name);                                                   \
        return guest_value_##kind(text_of(&value), result);                                                            \
    }
READER(port, struct event_port)
READER(grant, struct grant_reference)
READER(frame, struct guest_frame)
READER(size, struct screen_size)
READER(flag, bool)
READER(length, uint16_t)
#undef READER

static void set_back_state(struct vdevice *device, enum xenbus_state state)
{
    struct vdisplay *vd = device->guest->vd;
    enum xenbus_state now;
    if (!read_state(vd, device->back, &now) || now != state)
        write_node(vd, XBT_NULL, device->back, "state", "%d", state);
}

// An empty directory that its owner may write and the other end may read.
static bool make_directory(struct vdisplay *vd, xs_transaction_t t, const char *path, uint32_t owner, uint32_t reader)
{
    struct xs_permissions permissions[] = {{.id = owner, .perms = XS_PERM_NONE}, {.id = reader, .perms = XS_PERM_READ}};
    return xs_rm(vd->store, t, path) | xs_mkdir(vd->store, t, path) &&
           xs_set_permissions(vd->store, t, path, permissions, 2);
}

// One device of one stream of playback and one of capture, with what the sound process can do.
static bool write_sound_card(struct vdevice *device, xs_transaction_t t)
{
    struct vdisplay *vd = device->guest->vd;
    g_autofree char *pcm = g_strdup_printf("%s/0", device->front);
    return write_node(vd, t, device->back, XENSND_FIELD_BE_VERSIONS, "%d", XENSND_PROTOCOL_VERSION) &&
           write_node(vd, t, device->front, XENSND_FIELD_VCARD_SHORT_NAME, "Roundhouse") &&
           write_node(vd, t, device->front, XENSND_FIELD_VCARD_LONG_NAME, "Roundhouse sound card") &&
           write_node(vd, t, device->front, XENSND_FIELD_SAMPLE_RATES, SOUND_RATES) &&
           write_node(vd, t, device->front, XENSND_FIELD_SAMPLE_FORMATS, XENSND_PCM_FORMAT_S16_LE_STR) &&
           write_node(vd, t, device->front, XENSND_FIELD_BUFFER_SIZE, "%d", SOUND_BUFFER_BYTES) &&
           write_node(vd, t, device->front, XENSND_FIELD_CHANNELS_MAX, "2") &&
           write_node(vd, t, pcm, XENSND_FIELD_DEVICE_NAME, "Speakers and microphone") &&
           write_node(vd, t, pcm, "0/" XENSND_FIELD_TYPE, XENSND_STREAM_TYPE_PLAYBACK) &&
           write_node(vd, t, pcm, "0/" XENSND_FIELD_STREAM_UNIQUE_ID, "0") &&
           write_node(vd, t, pcm, "1/" XENSND_FIELD_TYPE, XENSND_STREAM_TYPE_CAPTURE) &&
           write_node(vd, t, pcm, "1/" XENSND_FIELD_STREAM_UNIQUE_ID, "1");
}

static bool write_features(struct vdevice *device, xs_transaction_t t)
{
    struct vdisplay *vd = device->guest->vd;
    uint32_t width = vd->screen_width, height = vd->screen_height;
    g_autofree char *connector = g_strdup_printf("%s/0", device->front);
    switch (device->type) {
    case VDEVICE_VFB:
        return write_node(vd, t, device->back, "videoram", "%d", VIDEORAM_MIB) &&
               write_node(vd, t, device->back, "width", "%u", width) &&
               write_node(vd, t, device->back, "height", "%u", height) &&
               write_node(vd, t, device->back, "feature-resize", "1") &&
               write_node(vd, t, device->back, "request-update", "1");
    case VDEVICE_VKBD:
        return write_node(vd, t, device->back, XENKBD_FIELD_FEAT_ABS_POINTER, "1") &&
               write_node(vd, t, device->back, XENKBD_FIELD_WIDTH, "%u", width) &&
               write_node(vd, t, device->back, XENKBD_FIELD_HEIGHT, "%u", height);
    case VDEVICE_VDISPL:
        return write_node(vd, t, device->back, XENDISPL_FIELD_BE_VERSIONS, "1") &&
               write_node(vd, t, device->front, XENDISPL_FIELD_BE_ALLOC, "0") &&
               write_node(vd, t, connector, XENDISPL_FIELD_RESOLUTION, "%ux%u", width, height) &&
               write_node(vd, t, connector, XENDISPL_FIELD_UNIQUE_ID, "0");
    case VDEVICE_VSND:
        return write_sound_card(device, t);
    }
    return false;
}

static bool write_device(struct vdevice *device, xs_transaction_t t)
{
    struct vguest *guest = device->guest;
    struct vdisplay *vd = guest->vd;
    return make_directory(vd, t, device->front, guest->domid, 0) &&
           make_directory(vd, t, device->back, 0, guest->domid) &&
           write_node(vd, t, device->back, "frontend", "%s", device->front) &&
           write_node(vd, t, device->back, "frontend-id", "%u", guest->domid) &&
           write_node(vd, t, device->back, "online", "1") && write_features(device, t) &&
           write_node(vd, t, device->back, "state", "%d", XenbusStateInitWait) &&
           write_node(vd, t, device->front, "backend", "%s", device->back) &&
           write_node(vd, t, device->front, "backend-id", "0") &&
           write_node(vd, t, device->front, "state", "%d", XenbusStateInitialising);
}

// A state that is no state counts too: its node is there.
static bool exists(struct vdevice *device)
{
    struct vdisplay *vd = device->guest->vd;
    enum xenbus_state front, back;
    return (!read_state(vd, device->front, &front) || front != XenbusStateUnknown) &&
           (!read_state(vd, device->back, &back) || back != XenbusStateUnknown);
}

static bool write_in_transaction(struct vdevice *device)
{
    struct vdisplay *vd = device->guest->vd;
    for (unsigned i = 0; i < TRANSACTIONS_MAX; i++) {
        xs_transaction_t t = xs_transaction_start(vd->store);
        if (t == XBT_NULL)
            return false;
        bool written = write_device(device, t);
        int write_error = errno;
        if (xs_transaction_end(vd->store, t, !written) && written)
            return true;
        if (!written)
            errno = write_error;
        if (errno != EAGAIN)
            return false;
    }
    return false;
}

bool vdevice_create(struct vdevice *device, GError **error)
{
    if (!exists(device) && !write_in_transaction(device)) {
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_FAILED, "Cannot make the device %s in xenstore: %s", device->front,
                    g_strerror(errno));
        return false;
    }
    if (vdevice_watch(device))
        return true;
    g_set_error(error, G_IO_ERROR, G_IO_ERROR_FAILED, "Cannot watch %s in xenstore: %s", device->front,
                g_strerror(errno));
    return false;
}

void vdevice_destroy(struct vdevice *device)
{
    struct vdisplay *vd = device->guest->vd;
    g_autofree char *back_parent = g_path_get_dirname(device->back);
    g_autofree char *front_parent = g_path_get_dirname(device->front);
    vdevice_unwatch(device);
    xs_rm(vd->store, XBT_NULL, back_parent);
    xs_rm(vd->store, XBT_NULL, front_parent);
}

// A privcmd that can touch this guest and nothing else; -1 with errno.
static int restricted_privcmd(uint32_t domid)
{
    int fd = open(PRIVCMD, O_RDWR | O_CLOEXEC);
    domid_t target = (domid_t)domid;
    if (fd < 0 || ioctl(fd, IOCTL_PRIVCMD_RESTRICT, &target) == 0)
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

static bool native_layout(struct vdevice *device)
{
    g_auto(store_value) value = read_value(device->guest->vd, device->front, "protocol");
    return !value.bytes || guest_value_is(text_of(&value), "x86_64-abi");
}

static bool describe_vfb(struct vdevice *device, struct link_message *message)
{
    struct vdisplay *vd = device->guest->vd;
    struct guest_frame page;
    struct event_port port;
    if (!read_frame(vd, device->front, "page-ref", &page) || !read_port(vd, device->front, "event-channel", &port) ||
        !native_layout(device))
        return false;
    *message = link_encode_fbif(device->guest->slot, page, port, VIDEORAM_MIB << 20);
    return true;
}

static bool describe_vdispl(struct vdevice *device, struct link_message *message)
{
    struct vdisplay *vd = device->guest->vd;
    g_autofree char *connector = g_strdup_printf("%s/0", device->front);
    struct ring requests, events;
    struct screen_size size;
    if (!read_size(vd, connector, XENDISPL_FIELD_RESOLUTION, &size) ||
        !read_grant(vd, connector, XENDISPL_FIELD_REQ_RING_REF, &requests.page) ||
        !read_port(vd, connector, XENDISPL_FIELD_REQ_CHANNEL, &requests.port) ||
        !read_grant(vd, connector, XENDISPL_FIELD_EVT_RING_REF, &events.page) ||
        !read_port(vd, connector, XENDISPL_FIELD_EVT_CHANNEL, &events.port))
        return false;
    *message = link_encode_displif(device->guest->slot, requests, events, size);
    return true;
}

// The range of positions stands in the back end's folder, which is ours; without one there are only movements.
static bool read_range(struct vdevice *device, struct screen_size *range)
{
    struct vdisplay *vd = device->guest->vd;
    return read_length(vd, device->back, XENKBD_FIELD_WIDTH, &range->width) &&
           read_length(vd, device->back, XENKBD_FIELD_HEIGHT, &range->height);
}

// The ring's page is a grant where the driver offers one, else a frame.
static bool describe_vkbd(struct vdevice *device, struct link_message *message)
{
    struct vdisplay *vd = device->guest->vd;
    struct screen_size size;
    struct ring ring;
    struct guest_frame frame;
    bool absolute;
    if (!read_port(vd, device->front, XENKBD_FIELD_EVT_CHANNEL, &ring.port) ||
        !read_flag(vd, device->front, XENKBD_FIELD_REQ_ABS_POINTER, &absolute))
        return false;
    const struct screen_size *range = absolute && read_range(device, &size) ? &size : NULL;
    g_auto(store_value) grant = read_value(vd, device->front, XENKBD_FIELD_RING_GREF);
    bool good = grant.bytes ? guest_value_grant(text_of(&grant), &ring.page)
                            : read_frame(vd, device->front, XENKBD_FIELD_RING_REF, &frame);
    if (good)
        *message = grant.bytes ? link_encode_keyboard_by_grant(device->guest->slot, ring, range)
                               : link_encode_keyboard_by_frame(device->guest->slot, frame, ring.port, range);
    return good;
}

static bool read_stream(struct vdevice *device, const char *name, struct pcm_rings *rings)
{
    struct vdisplay *vd = device->guest->vd;
    g_autofree char *stream = g_strdup_printf("%s/0/%s", device->front, name);
    return read_grant(vd, stream, XENSND_FIELD_RING_REF, &rings->requests.page) &&
           read_port(vd, stream, XENSND_FIELD_EVT_CHNL, &rings->requests.port) &&
           read_grant(vd, stream, XENSND_FIELD_EVT_RING_REF, &rings->events.page) &&
           read_port(vd, stream, XENSND_FIELD_EVT_EVT_CHNL, &rings->events.port);
}

static bool describe_vsnd(struct vdevice *device, struct link_message *message)
{
    struct pcm_rings playback, capture;
    if (!read_stream(device, "0", &playback) || !read_stream(device, "1", &capture))
        return false;
    *message = link_encode_sndif(device->guest->slot, &playback, &capture);
    return true;
}

static void disconnect_device(struct vdevice *device)
{
    static const uint32_t types[] = {[VDEVICE_VFB] = LINK_DISPLAY_DISCONNECT,
                                     [VDEVICE_VDISPL] = LINK_DISPLAY_DISCONNECT,
                                     [VDEVICE_VKBD] = LINK_KEYBOARD_DISCONNECT,
                                     [VDEVICE_VSND] = LINK_SOUND_DISCONNECT};
    struct link_message message = {.type = types[device->type], .slot = device->guest->slot};
    if (device->phase != VDEVICE_WAITING)
        vlink_send(vdevice_link(device), &message, -1);
    device->phase = VDEVICE_WAITING;
    device->connection.type = 0;
}

// The end of a device whose guest writes what cannot be. It stays so until its front end begins anew.
static void refuse(struct vdevice *device, const char *why)
{
    vguest_warn(device->guest, "%s: %s; the device %s is closed", device->guest->name, why, device->front);
    disconnect_device(device);
    device->refused = true;
    set_back_state(device, XenbusStateClosed);
}

static void send_connection(struct vdevice *device, const struct link_message *message, int privcmd)
{
    switch (vlink_send(vdevice_link(device), message, privcmd)) {
    case VDISPLAY_SENT:
        device->phase = VDEVICE_CONNECTING;
        device->connection = *message;
        break;
    case VDISPLAY_REFUSED:
        refuse(device, "its driver asks for what cannot be done");
        break;
    case VDISPLAY_NO_SEAT:
        break; // the next one is asked again
    }
}

static void send_with_privcmd(struct vdevice *device, const struct link_message *message)
{
    struct vguest *guest = device->guest;
    bool needs_privcmd = device->type == VDEVICE_VFB || (device->type == VDEVICE_VKBD && !message->keyboard.by_grant);
    int privcmd = needs_privcmd ? restricted_privcmd(guest->domid) : -1;
    if (needs_privcmd && privcmd < 0) {
        vguest_warn(guest, "%s: cannot open " PRIVCMD " for it: %s", guest->name, g_strerror(errno));
        return;
    }
    send_connection(device, message, privcmd);
    if (privcmd >= 0)
        close(privcmd);
}

static void connect_device(struct vdevice *device)
{
    static bool (*const describe[])(struct vdevice *, struct link_message *) = {[VDEVICE_VFB] = describe_vfb,
                                                                                [VDEVICE_VDISPL] = describe_vdispl,
                                                                                [VDEVICE_VKBD] = describe_vkbd,
                                                                                [VDEVICE_VSND] = describe_vsnd};
    struct link_message message;
    if (device->phase != VDEVICE_WAITING || !vdevice_link(device)->greeted || device->refused)
        return;
    if (describe[device->type](device, &message))
        send_with_privcmd(device, &message);
    else
        refuse(device, "its driver's entries in xenstore are incomplete, out of range or of a 32-bit guest");
}

// A dozen questions to a busy xenstored would stand between the user and the picture.
void vdevice_connect_again(struct vdevice *device)
{
    struct link_message before = device->connection;
    if (before.type && device->phase == VDEVICE_WAITING && !device->refused)
        send_with_privcmd(device, &before);
    vdisplay_look_at(device);
}

static void follow_state(struct vdevice *device, enum xenbus_state state)
{
    switch (state) {
    case XenbusStateInitialising:
        device->refused = false;
        disconnect_device(device);
        set_back_state(device, XenbusStateInitWait);
        break;
    case XenbusStateInitialised:
    case XenbusStateConnected:
        connect_device(device);
        break;
    case XenbusStateClosing:
    case XenbusStateClosed:
        device->refused = false;
        disconnect_device(device);
        // drm_xen_front and snd_xen_front wait for InitWait when they are unloaded, the others for Closed.
        set_back_state(device, device->type == VDEVICE_VDISPL || device->type == VDEVICE_VSND ? XenbusStateInitWait
                                                                                              : XenbusStateClosed);
        break;
    default:
        break;
    }
}

void vdevice_update(struct vdevice *device)
{
    enum xenbus_state state;
    if (read_state(device->guest->vd, device->front, &state))
        follow_state(device, state);
    else if (!device->refused)
        refuse(device, "its driver writes a state that is none");
}

void vdevice_ready(struct vdevice *device)
{
    if (device->phase != VDEVICE_CONNECTING)
        return;
    device->phase = VDEVICE_CONNECTED;
    set_back_state(device, XenbusStateConnected);
}

void vdevice_closed(struct vdevice *device, int error)
{
    if (device->phase == VDEVICE_WAITING || error == 0)
        return; // we asked for it
    device->phase = VDEVICE_WAITING;
    g_autofree char *why = g_strdup_printf("%s closed it (%s)", vdevice_link(device)->events->who, g_strerror(error));
    refuse(device, why);
}

bool vdisplay_store_start(struct vdisplay *vd, GError **error)
{
    if (access(PRIVCMD, R_OK | W_OK) != 0) {
        g_set_error(error, G_IO_ERROR, g_io_error_from_errno(errno),
                    "Cannot use " PRIVCMD ": %s (is this Domain-0, and is xen-privcmd loaded?)", g_strerror(errno));
        return false;
    }
    vd->store = xs_open(0);
    if (!vd->store) {
        g_set_error(error, G_IO_ERROR, g_io_error_from_errno(errno), "Cannot reach xenstored: %s", g_strerror(errno));
        return false;
    }
    vdisplay_watch_start(vd);
    return true;
}

void vdisplay_store_stop(struct vdisplay *vd)
{
    vdisplay_watch_stop(vd);
    if (vd->store)
        xs_close(vd->store);
    vd->store = NULL;
}
