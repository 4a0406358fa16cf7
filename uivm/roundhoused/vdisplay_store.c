// The backends' xenstore nodes and their half of the XenBus handshake.
#include "vdisplay_private.h"

#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <glib-unix.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <xen/xen.h>
#include <xen/io/displif.h>
#include <xen/io/kbdif.h>
#include <xen/io/xenbus.h>
#include <xen/sys/privcmd.h>

// Megabytes a guest may claim for its framebuffer: enough for 4096 by 2160.
enum { VIDEORAM_MIB = 36 };

#define PRIVCMD "/dev/xen/privcmd"

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

static bool read_number(struct vdisplay *vd, const char *directory, const char *name, uint64_t *value)
{
    g_autofree char *path = g_strdup_printf("%s/%s", directory, name);
    unsigned length;
    char *text = xs_read(vd->store, XBT_NULL, path, &length), *end;
    if (!text)
        return false;
    errno = 0;
    *value = strtoull(text, &end, 10);
    bool number = *text >= '0' && *text <= '9' && *end == '\0' && errno == 0;
    free(text);
    return number;
}

static uint64_t read_state(struct vdisplay *vd, const char *directory)
{
    uint64_t state;
    return read_number(vd, directory, "state", &state) ? state : XenbusStateUnknown;
}

static void set_back_state(struct vdevice *device, enum xenbus_state state)
{
    struct vdisplay *vd = device->guest->vd;
    if (read_state(vd, device->back) != state)
        write_node(vd, XBT_NULL, device->back, "state", "%d", state);
}

// An empty directory that its owner may write and the other end may read.
static bool make_directory(struct vdisplay *vd, xs_transaction_t t, const char *path, uint32_t owner, uint32_t reader)
{
    struct xs_permissions permissions[] = {{.id = owner, .perms = XS_PERM_NONE}, {.id = reader, .perms = XS_PERM_READ}};
    return xs_rm(vd->store, t, path) | xs_mkdir(vd->store, t, path) &&
           xs_set_permissions(vd->store, t, path, permissions, 2);
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

static bool exists(struct vdevice *device)
{
    struct vdisplay *vd = device->guest->vd;
    return read_state(vd, device->front) != XenbusStateUnknown && read_state(vd, device->back) != XenbusStateUnknown;
}

bool vdevice_create(struct vdevice *device, GError **error)
{
    struct vdisplay *vd = device->guest->vd;
    bool done = exists(device);
    while (!done) {
        xs_transaction_t t = xs_transaction_start(vd->store);
        bool written = t != XBT_NULL && write_device(device, t);
        int write_error = errno;
        done = t != XBT_NULL && xs_transaction_end(vd->store, t, !written) && written;
        if (done || (written && errno == EAGAIN))
            continue;
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_FAILED, "Cannot make the device %s in xenstore: %s", device->front,
                    g_strerror(written ? errno : write_error));
        return false;
    }
    g_autofree char *state = g_strdup_printf("%s/state", device->front);
    if (xs_watch(vd->store, state, device->token))
        return true;
    g_set_error(error, G_IO_ERROR, G_IO_ERROR_FAILED, "Cannot watch %s in xenstore: %s", state, g_strerror(errno));
    return false;
}

void vdevice_destroy(struct vdevice *device)
{
    struct vdisplay *vd = device->guest->vd;
    g_autofree char *state = g_strdup_printf("%s/state", device->front);
    g_autofree char *back_parent = g_path_get_dirname(device->back);
    g_autofree char *front_parent = g_path_get_dirname(device->front);
    xs_unwatch(vd->store, state, device->token);
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
    g_autofree char *path = g_strdup_printf("%s/protocol", device->front);
    unsigned length;
    char *text = xs_read(device->guest->vd->store, XBT_NULL, path, &length);
    bool native = !text || strcmp(text, "x86_64-abi") == 0;
    free(text);
    return native;
}

static bool describe_vfb(struct vdevice *device, struct link_message *message)
{
    struct vdisplay *vd = device->guest->vd;
    uint64_t frame, channel;
    if (!read_number(vd, device->front, "page-ref", &frame) ||
        !read_number(vd, device->front, "event-channel", &channel) || !native_layout(device))
        return false;
    message->type = LINK_FBIF_CONNECT;
    message->fbif.page_frame = frame;
    message->fbif.event_channel = (uint32_t)channel;
    message->fbif.videoram_limit = VIDEORAM_MIB << 20;
    return true;
}

static bool describe_vdispl(struct vdevice *device, struct link_message *message)
{
    struct vdisplay *vd = device->guest->vd;
    g_autofree char *connector = g_strdup_printf("%s/0", device->front);
    g_autofree char *path = g_strdup_printf("%s/" XENDISPL_FIELD_RESOLUTION, connector);
    uint64_t request, request_channel, event, event_channel;
    struct link_displif_connect *connect = &message->displif;
    unsigned length;
    char *resolution = xs_read(vd->store, XBT_NULL, path, &length);
    bool sized = resolution && sscanf(resolution, "%ux%u", &connect->width, &connect->height) == 2;
    free(resolution);
    if (!sized || !read_number(vd, connector, XENDISPL_FIELD_REQ_RING_REF, &request) ||
        !read_number(vd, connector, XENDISPL_FIELD_REQ_CHANNEL, &request_channel) ||
        !read_number(vd, connector, XENDISPL_FIELD_EVT_RING_REF, &event) ||
        !read_number(vd, connector, XENDISPL_FIELD_EVT_CHANNEL, &event_channel))
        return false;
    message->type = LINK_DISPLIF_CONNECT;
    connect->request_gref = (uint32_t)request;
    connect->request_channel = (uint32_t)request_channel;
    connect->event_gref = (uint32_t)event;
    connect->event_channel = (uint32_t)event_channel;
    return true;
}

static bool describe_vkbd(struct vdevice *device, struct link_message *message)
{
    struct vdisplay *vd = device->guest->vd;
    struct link_keyboard_connect *connect = &message->keyboard;
    uint64_t channel, absolute = 0, width = 0, height = 0, page;
    if (!read_number(vd, device->front, XENKBD_FIELD_EVT_CHANNEL, &channel))
        return false;
    connect->by_grant = read_number(vd, device->front, XENKBD_FIELD_RING_GREF, &page);
    if (!connect->by_grant && !read_number(vd, device->front, XENKBD_FIELD_RING_REF, &page))
        return false;
    read_number(vd, device->front, XENKBD_FIELD_REQ_ABS_POINTER, &absolute);
    read_number(vd, device->back, XENKBD_FIELD_WIDTH, &width);
    read_number(vd, device->back, XENKBD_FIELD_HEIGHT, &height);
    message->type = LINK_KEYBOARD_CONNECT;
    connect->page = page;
    connect->event_channel = (uint32_t)channel;
    connect->absolute = absolute == 1 && width > 0 && height > 0;
    connect->width = (uint32_t)width;
    connect->height = (uint32_t)height;
    return true;
}

static void connect_device(struct vdevice *device)
{
    static bool (*const describe[])(struct vdevice *, struct link_message *) = {
        [VDEVICE_VFB] = describe_vfb, [VDEVICE_VDISPL] = describe_vdispl, [VDEVICE_VKBD] = describe_vkbd};
    struct vguest *guest = device->guest;
    if (device->phase != VDEVICE_WAITING || !guest->vd->greeted)
        return;
    struct link_message message = {.slot = guest->slot};
    if (!describe[device->type](device, &message)) {
        g_warning("%s: its driver's entries under %s are incomplete or of a 32-bit guest", guest->name, device->front);
        set_back_state(device, XenbusStateClosed);
        return;
    }
    bool needs_privcmd = device->type == VDEVICE_VFB || (device->type == VDEVICE_VKBD && !message.keyboard.by_grant);
    int privcmd = needs_privcmd ? restricted_privcmd(guest->domid) : -1;
    if (needs_privcmd && privcmd < 0) {
        g_warning("%s: cannot open " PRIVCMD " for it: %s", guest->name, g_strerror(errno));
        return;
    }
    if (vdisplay_send(guest->vd, &message, privcmd))
        device->phase = VDEVICE_CONNECTING;
    if (privcmd >= 0)
        close(privcmd);
}

static void disconnect_device(struct vdevice *device)
{
    struct vguest *guest = device->guest;
    uint32_t type = device->type == VDEVICE_VKBD ? LINK_KEYBOARD_DISCONNECT : LINK_DISPLAY_DISCONNECT;
    if (device->phase != VDEVICE_WAITING)
        vdisplay_send(guest->vd, &(struct link_message){.type = type, .slot = guest->slot}, -1);
    device->phase = VDEVICE_WAITING;
}

void vdevice_update(struct vdevice *device)
{
    switch (read_state(device->guest->vd, device->front)) {
    case XenbusStateInitialising:
        disconnect_device(device);
        set_back_state(device, XenbusStateInitWait);
        break;
    case XenbusStateInitialised:
    case XenbusStateConnected:
        connect_device(device);
        break;
    case XenbusStateClosing:
    case XenbusStateClosed:
        disconnect_device(device);
        // drm_xen_front waits for InitWait when it is unloaded, the others for Closed.
        set_back_state(device, device->type == VDEVICE_VDISPL ? XenbusStateInitWait : XenbusStateClosed);
        break;
    default:
        break;
    }
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
    if (device->phase == VDEVICE_WAITING)
        return; // we asked for it
    device->phase = VDEVICE_WAITING;
    g_warning("%s: the seat closed %s: %s", device->guest->name, device->front, g_strerror(error));
    set_back_state(device, XenbusStateClosed);
}

static void handle_watch(struct vdisplay *vd, const char *token)
{
    unsigned domid, index;
    if (sscanf(token, "%u %u", &domid, &index) != 2)
        return;
    struct vguest *guest = vdisplay_find(vd, domid);
    if (guest && index < guest->device_count)
        vdevice_update(&guest->devices[index]);
}

static gboolean on_watch(int fd, GIOCondition condition, void *data)
{
    (void)fd;
    (void)condition;
    struct vdisplay *vd = data;
    char **event;
    while ((event = xs_check_watch(vd->store)) != NULL) {
        handle_watch(vd, event[XS_WATCH_TOKEN]);
        free(event);
    }
    return G_SOURCE_CONTINUE;
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
    vd->store_source = g_unix_fd_add(xs_fileno(vd->store), G_IO_IN, on_watch, vd);
    return true;
}

void vdisplay_store_stop(struct vdisplay *vd)
{
    g_clear_handle_id(&vd->store_source, g_source_remove);
    if (vd->store)
        xs_close(vd->store);
    vd->store = NULL;
}
