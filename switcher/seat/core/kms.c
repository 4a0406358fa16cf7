// KMS objects and commits.
#include "kms.h"

#include <drm_fourcc.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xf86drm.h>

#include "log.h"

struct wanted_property {
    const char *name;
    uint32_t *id;
    uint64_t *value; // may be NULL
};

static void read_properties(int fd, uint32_t object, uint32_t type, const struct wanted_property *wanted,
                            unsigned count)
{
    drmModeObjectProperties *list = drmModeObjectGetProperties(fd, object, type);
    for (uint32_t i = 0; list && i < list->count_props; i++) {
        drmModePropertyRes *property = drmModeGetProperty(fd, list->props[i]);
        for (unsigned w = 0; property && w < count; w++) {
            if (strcmp(property->name, wanted[w].name) != 0)
                continue;
            *wanted[w].id = property->prop_id;
            if (wanted[w].value)
                *wanted[w].value = list->prop_values[i];
        }
        drmModeFreeProperty(property);
    }
    drmModeFreeObjectProperties(list);
}

static bool is_primary_plane(int fd, uint32_t plane)
{
    uint32_t id = 0;
    uint64_t value = UINT64_MAX;
    struct wanted_property type = {"type", &id, &value};
    read_properties(fd, plane, DRM_MODE_OBJECT_PLANE, &type, 1);
    return id != 0 && value == DRM_PLANE_TYPE_PRIMARY;
}

static bool find_plane(struct kms *kms)
{
    drmModePlaneRes *planes = drmModeGetPlaneResources(kms->fd);
    kms->plane = 0;
    for (uint32_t i = 0; planes && i < planes->count_planes && !kms->plane; i++) {
        drmModePlane *plane = drmModeGetPlane(kms->fd, planes->planes[i]);
        if (plane && (plane->possible_crtcs >> kms->crtc_index & 1) && is_primary_plane(kms->fd, plane->plane_id))
            kms->plane = plane->plane_id;
        drmModeFreePlane(plane);
    }
    drmModeFreePlaneResources(planes);
    return kms->plane != 0;
}

static bool find_atomic(struct kms *kms)
{
    if (drmSetClientCap(kms->fd, DRM_CLIENT_CAP_UNIVERSAL_PLANES, 1) != 0 ||
        drmSetClientCap(kms->fd, DRM_CLIENT_CAP_ATOMIC, 1) != 0 || !find_plane(kms))
        return false;
    struct kms_plane_properties *p = &kms->properties;
    memset(p, 0, sizeof(*p));
    kms->connector_crtc_id = kms->crtc_mode_id = kms->crtc_active = 0;
    const struct wanted_property plane[] = {
        {"FB_ID", &p->fb_id, NULL},
        {"CRTC_ID", &p->crtc_id, NULL},
        {"SRC_X", &p->src_x, NULL},
        {"SRC_Y", &p->src_y, NULL},
        {"SRC_W", &p->src_w, NULL},
        {"SRC_H", &p->src_h, NULL},
        {"CRTC_X", &p->crtc_x, NULL},
        {"CRTC_Y", &p->crtc_y, NULL},
        {"CRTC_W", &p->crtc_w, NULL},
        {"CRTC_H", &p->crtc_h, NULL},
        {"FB_DAMAGE_CLIPS", &p->fb_damage_clips, NULL},
    };
    const struct wanted_property connector = {"CRTC_ID", &kms->connector_crtc_id, NULL};
    const struct wanted_property crtc[] = {{"MODE_ID", &kms->crtc_mode_id, NULL}, {"ACTIVE", &kms->crtc_active, NULL}};
    read_properties(kms->fd, kms->plane, DRM_MODE_OBJECT_PLANE, plane, sizeof(plane) / sizeof(plane[0]));
    read_properties(kms->fd, kms->connector, DRM_MODE_OBJECT_CONNECTOR, &connector, 1);
    read_properties(kms->fd, kms->crtc, DRM_MODE_OBJECT_CRTC, crtc, 2);
    return p->fb_id && p->crtc_id && p->src_w && p->src_h && p->crtc_w && p->crtc_h && kms->connector_crtc_id &&
           kms->crtc_mode_id && kms->crtc_active;
}

static bool choose_crtc(struct kms *kms, const drmModeRes *resources, const drmModeConnector *connector)
{
    for (int e = 0; e < connector->count_encoders; e++) {
        drmModeEncoder *encoder = drmModeGetEncoder(kms->fd, connector->encoders[e]);
        uint32_t possible = encoder ? encoder->possible_crtcs : 0;
        drmModeFreeEncoder(encoder);
        for (int c = 0; c < resources->count_crtcs; c++) {
            if (!(possible >> c & 1))
                continue;
            kms->crtc = resources->crtcs[c];
            kms->crtc_index = (unsigned)c;
            return true;
        }
    }
    return false;
}

static const drmModeModeInfo *choose_mode(const drmModeConnector *connector, uint32_t width, uint32_t height)
{
    const drmModeModeInfo *preferred = &connector->modes[0];
    for (int i = connector->count_modes - 1; i >= 0; i--)
        if (connector->modes[i].type & DRM_MODE_TYPE_PREFERRED)
            preferred = &connector->modes[i];
    for (int i = 0; width && i < connector->count_modes; i++)
        if (connector->modes[i].hdisplay == width && connector->modes[i].vdisplay == height)
            return &connector->modes[i];
    if (width)
        log_error("the screen has no mode of %ux%u; using %ux%u", width, height, preferred->hdisplay,
                  preferred->vdisplay);
    return preferred;
}

bool kms_find(struct kms *kms, int fd, uint32_t width, uint32_t height, bool force_legacy)
{
    *kms = (struct kms){.fd = fd};
    drmModeRes *resources = drmModeGetResources(fd);
    for (int i = 0; resources && i < resources->count_connectors && !kms->connector; i++) {
        drmModeConnector *connector = drmModeGetConnector(fd, resources->connectors[i]);
        if (connector && connector->connection == DRM_MODE_CONNECTED && connector->count_modes > 0 &&
            choose_crtc(kms, resources, connector)) {
            kms->connector = connector->connector_id;
            kms->mode = *choose_mode(connector, width, height);
        }
        drmModeFreeConnector(connector);
    }
    drmModeFreeResources(resources);
    if (!kms->connector)
        return false;
    kms->atomic = !force_legacy && find_atomic(kms);
    return true;
}

// Gives the buffer of that handle a number of our own, and maps it.
static bool put_to_use(const struct kms *kms, struct kms_framebuffer *framebuffer, uint32_t pitch)
{
    uint32_t width = kms->mode.hdisplay, height = kms->mode.vdisplay;
    uint64_t offset;
    uint32_t handles[4] = {framebuffer->handle}, pitches[4] = {pitch}, offsets[4] = {0};
    void *map = MAP_FAILED;
    if (drmModeAddFB2(kms->fd, width, height, DRM_FORMAT_XRGB8888, handles, pitches, offsets, &framebuffer->id, 0) ==
            0 &&
        drmModeMapDumbBuffer(kms->fd, framebuffer->handle, &offset) == 0)
        map = mmap(NULL, framebuffer->size, PROT_READ | PROT_WRITE, MAP_SHARED, kms->fd, (off_t)offset);
    if (map == MAP_FAILED) {
        int error = errno;
        kms_framebuffer_destroy(kms, framebuffer);
        errno = error;
        return false;
    }
    framebuffer->canvas = (struct canvas){map, width, height, pitch};
    return true;
}

bool kms_framebuffer_create(const struct kms *kms, struct kms_framebuffer *framebuffer)
{
    *framebuffer = (struct kms_framebuffer){0};
    uint32_t pitch;
    if (drmModeCreateDumbBuffer(kms->fd, kms->mode.hdisplay, kms->mode.vdisplay, 32, 0, &framebuffer->handle, &pitch,
                                &framebuffer->size) != 0 ||
        !put_to_use(kms, framebuffer, pitch))
        return false;
    memset(framebuffer->canvas.pixels, 0, framebuffer->size);
    return true;
}

bool kms_framebuffer_adopt(const struct kms *kms, uint32_t id, struct kms_framebuffer *framebuffer)
{
    *framebuffer = (struct kms_framebuffer){0};
    drmModeFB2 *known = drmModeGetFB2(kms->fd, id);
    if (!known)
        return false;
    uint32_t pitch = known->pitches[0];
    bool fits = known->width == kms->mode.hdisplay && known->height == kms->mode.vdisplay &&
                known->pixel_format == DRM_FORMAT_XRGB8888 && known->offsets[0] == 0 && pitch >= known->width * 4;
    framebuffer->handle = known->handles[0]; // 0 without the right to it
    framebuffer->size = (uint64_t)pitch * known->height;
    drmModeFreeFB2(known);
    if (framebuffer->handle && fits && put_to_use(kms, framebuffer, pitch))
        return true;
    kms_framebuffer_destroy(kms, framebuffer);
    return false;
}

void kms_framebuffer_destroy(const struct kms *kms, struct kms_framebuffer *framebuffer)
{
    if (framebuffer->canvas.pixels)
        munmap(framebuffer->canvas.pixels, framebuffer->size);
    if (framebuffer->id)
        drmModeRmFB(kms->fd, framebuffer->id);
    if (framebuffer->handle)
        drmModeDestroyDumbBuffer(kms->fd, framebuffer->handle);
    *framebuffer = (struct kms_framebuffer){0};
}

void kms_framebuffer_leave(struct kms_framebuffer *framebuffer)
{
    if (framebuffer->canvas.pixels)
        munmap(framebuffer->canvas.pixels, framebuffer->size);
    *framebuffer = (struct kms_framebuffer){0};
}

struct kms_leftovers kms_left_on(int fd)
{
    struct kms_leftovers leftovers = {0};
    drmModeRes *resources = drmModeGetResources(fd);
    for (int i = 0; resources && i < resources->count_fbs && leftovers.count < KMS_LEFTOVERS; i++)
        leftovers.ids[leftovers.count++] = resources->fbs[i];
    drmModeFreeResources(resources);
    return leftovers;
}

uint32_t kms_shown(const struct kms *kms)
{
    drmModeCrtc *crtc = drmModeGetCrtc(kms->fd, kms->crtc);
    uint32_t id = crtc ? crtc->buffer_id : 0;
    drmModeFreeCrtc(crtc);
    return id;
}

// A framebuffer holds its memory, so the handles can go first.
struct kms_leftovers kms_inherit(int fd)
{
    struct kms_leftovers leftovers = kms_left_on(fd);
    for (uint32_t handle = 1; handle <= KMS_LEFTOVERS; handle++)
        drmModeDestroyDumbBuffer(fd, handle);
    return leftovers;
}

void kms_remove(const struct kms *kms, struct kms_leftovers *leftovers)
{
    while (leftovers->count > 0)
        drmModeRmFB(kms->fd, leftovers->ids[--leftovers->count]);
}

static void add_plane(const struct kms *kms, drmModeAtomicReq *request, const struct kms_framebuffer *framebuffer)
{
    const struct kms_plane_properties *p = &kms->properties;
    uint64_t width = kms->mode.hdisplay, height = kms->mode.vdisplay;
    const struct {
        uint32_t property;
        uint64_t value;
    } values[] = {
        {p->fb_id, framebuffer->id}, {p->crtc_id, kms->crtc},  {p->src_x, 0},  {p->src_y, 0},
        {p->src_w, width << 16},     {p->src_h, height << 16}, {p->crtc_x, 0}, {p->crtc_y, 0},
        {p->crtc_w, width},          {p->crtc_h, height},
    };
    for (unsigned i = 0; i < sizeof(values) / sizeof(values[0]); i++)
        drmModeAtomicAddProperty(request, kms->plane, values[i].property, values[i].value);
}

static bool atomic_set_mode(const struct kms *kms, const struct kms_framebuffer *framebuffer)
{
    uint32_t blob = 0;
    drmModeAtomicReq *request = drmModeAtomicAlloc();
    if (!request || drmModeCreatePropertyBlob(kms->fd, &kms->mode, sizeof(kms->mode), &blob) != 0) {
        drmModeAtomicFree(request);
        return false;
    }
    drmModeAtomicAddProperty(request, kms->connector, kms->connector_crtc_id, kms->crtc);
    drmModeAtomicAddProperty(request, kms->crtc, kms->crtc_mode_id, blob);
    drmModeAtomicAddProperty(request, kms->crtc, kms->crtc_active, 1);
    add_plane(kms, request, framebuffer);
    bool done = drmModeAtomicCommit(kms->fd, request, DRM_MODE_ATOMIC_ALLOW_MODESET, NULL) == 0;
    int error = errno;
    drmModeDestroyPropertyBlob(kms->fd, blob);
    drmModeAtomicFree(request);
    errno = error;
    return done;
}

bool kms_set_mode(struct kms *kms, const struct kms_framebuffer *framebuffer)
{
    if (kms->atomic) {
        if (atomic_set_mode(kms, framebuffer))
            return true;
        log_info("atomic mode setting failed (%s): using the legacy interface", strerror(errno));
        kms->atomic = false;
    }
    uint32_t connector = kms->connector;
    drmModeModeInfo mode = kms->mode;
    return drmModeSetCrtc(kms->fd, kms->crtc, framebuffer->id, 0, 0, &connector, 1, &mode) == 0;
}

static uint32_t damage_blob(const struct kms *kms, const struct damage *drawn)
{
    struct drm_mode_rect clips[DAMAGE_MAX];
    uint32_t blob = 0;
    for (unsigned i = 0; i < drawn->count; i++) {
        struct rect r = drawn->rects[i];
        clips[i] = (struct drm_mode_rect){r.x, r.y, r.x + r.width, r.y + r.height};
    }
    if (kms->properties.fb_damage_clips && drawn->count)
        drmModeCreatePropertyBlob(kms->fd, clips, drawn->count * sizeof(clips[0]), &blob);
    return blob;
}

bool kms_flip(const struct kms *kms, const struct kms_framebuffer *framebuffer, const struct damage *drawn, void *data)
{
    if (!kms->atomic) {
        drmModeClip clips[DAMAGE_MAX];
        for (unsigned i = 0; i < drawn->count; i++) {
            struct rect r = drawn->rects[i];
            clips[i] =
                (drmModeClip){(uint16_t)r.x, (uint16_t)r.y, (uint16_t)(r.x + r.width), (uint16_t)(r.y + r.height)};
        }
        drmModeDirtyFB(kms->fd, framebuffer->id, clips, drawn->count);
        return drmModePageFlip(kms->fd, kms->crtc, framebuffer->id, DRM_MODE_PAGE_FLIP_EVENT, data) == 0;
    }
    drmModeAtomicReq *request = drmModeAtomicAlloc();
    if (!request)
        return false;
    uint32_t blob = damage_blob(kms, drawn);
    add_plane(kms, request, framebuffer);
    if (blob)
        drmModeAtomicAddProperty(request, kms->plane, kms->properties.fb_damage_clips, blob);
    bool done = drmModeAtomicCommit(kms->fd, request, DRM_MODE_ATOMIC_NONBLOCK | DRM_MODE_PAGE_FLIP_EVENT, data) == 0;
    int error = errno;
    if (blob)
        drmModeDestroyPropertyBlob(kms->fd, blob);
    drmModeAtomicFree(request);
    errno = error;
    return done;
}
