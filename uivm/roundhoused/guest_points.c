/* Work on the points of a guest, one piece at a time, from a call or by rule. */
#include "guest_points.h"
#include "errors.h"
#include "picture_png.h"
#include "roundhouse_dbus.h"
#include "storage/point_set.h"
#include "storage/pool_work.h"

/* Of the pictures beside points. */
#define PICTURE_WIDTH  256
#define PICTURE_HEIGHT 160

#ifndef UNDO_MINUTE_SECONDS
#define UNDO_MINUTE_SECONDS 60
#endif

struct guest_points {
    const char *pool;
    const GPtrArray *guests;
    struct jobs *jobs;
    struct authority *authority;
    GHashTable *latest; /* name of a guest -> gint64 *, monotonic: its latest undo point, or when it was seen to run */
    gboolean (*may)(gpointer user, const struct guest_config *config, GError **error);
    gpointer user;
};

/* One piece; the guest is held. */
struct work {
    struct guest_points *points;
    struct guest *guest;
    char **images;
    pool_work_fn run;
    char *label; /* of a snapshot */
    gint64 time; /* of the point that it is about */
    GBytes *pixels; /* what the guest showed when it was made; NULL: nothing */
    guint width, height;
    struct point_limits limits;
    struct long_job *job; /* NULL: it is by rule */
    void (*go_on)(gpointer data);
    gpointer data;
    gboolean paused; /* by us */
};

/* ---- in the worker ---- */

static const char *const *images_of_work(const struct work *work)
{
    return (const char *const *)work->images;
}

/* A point is as good without it. */
static void keep_picture(struct pool *pool, const struct work *work, gint64 time)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GBytes) png = work->pixels ? picture_png(work->pixels, work->width, work->height, &error) : NULL;
    if (png && !point_put_picture(pool, work->images[0], time, png, &error))
        g_warning("%s", error->message);
}

static gboolean make_point(struct pool *pool, const struct work *work, GError **error)
{
    gint64 time;
    if (!point_set_make(pool, images_of_work(work), work->label, &time, error))
        return FALSE;
    keep_picture(pool, work, time);
    return TRUE;
}

static gboolean make_snapshot(struct pool *pool, gpointer data, const struct convert_watch *watch, GError **error)
{
    const struct work *work = data;
    (void)watch;
    return make_point(pool, work, error);
}

/* What keeps old blocks is no help where there are none left. */
static gboolean check_space(struct pool *pool, GError **error)
{
    struct pool_space space;
    if (!pool_get_space(pool_path(pool), &space, error))
        return FALSE;
    if (!pool_must_pause(&space))
        return TRUE;
    g_set_error(error, RH_ERROR, RH_ERROR_NO_SPACE, "The disks' space is almost used up. Delete images or points.");
    return FALSE;
}

static gboolean make_undo(struct pool *pool, gpointer data, const struct convert_watch *watch, GError **error)
{
    const struct work *work = data;
    (void)watch;
    return check_space(pool, error) && make_point(pool, work, error) &&
           point_set_trim(pool, images_of_work(work), &work->limits, error);
}

/* It has happened, even if there are too many points then. */
static gboolean revert(struct pool *pool, gpointer data, const struct convert_watch *watch, GError **error)
{
    const struct work *work = data;
    (void)watch;
    if (!point_set_revert(pool, images_of_work(work), work->time, NULL, error))
        return FALSE;
    point_set_trim(pool, images_of_work(work), &work->limits, NULL);
    return TRUE;
}

static gboolean delete_point(struct pool *pool, gpointer data, const struct convert_watch *watch, GError **error)
{
    const struct work *work = data;
    (void)watch;
    return point_set_delete(pool, images_of_work(work), work->time, error);
}

/* ---- one piece of work ---- */

/* Those that it may write; they may be none. */
static char **images_of(const struct guest *guest)
{
    const struct guest_config *config = guest_config(guest);
    g_autoptr(GStrvBuilder) images = g_strv_builder_new();
    for (guint i = 0; i < config->disks->len; i++) {
        const struct guest_disk *disk = g_ptr_array_index(config->disks, i);
        if (disk->pooled && !disk->read_only)
            g_strv_builder_add(images, disk->target);
    }
    return g_strv_builder_end(images);
}

static gboolean hold(struct guest *guest, gboolean off, GError **error)
{
    g_auto(GStrv) images = images_of(guest);
    if (images[0])
        return guest_hold(guest, off, error);
    g_set_error(
        error, RH_ERROR, RH_ERROR_NOT_FOUND,
        "%s has no image of the pool that it may write, so nothing of it can be kept. Give it a disk=image:NAME.",
        guest_config(guest)->name);
    return FALSE;
}

static struct work *work_new(struct guest_points *points, struct guest *guest, pool_work_fn run)
{
    const struct guest_config *config = guest_config(guest);
    struct work *work = g_new(struct work, 1);
    *work = (struct work){.points = points, .guest = guest, .images = images_of(guest), .run = run};
    work->limits = (struct point_limits){config->undo_points, (guint64)config->undo_space << 20};
    return work;
}

static void tell_failure(const struct guest *guest, const GError *error)
{
    g_autofree char *sentence =
        g_strdup_printf("No undo point of %s could be made. %s", guest_config(guest)->name, error->message);
    if (g_strcmp0(rh_guest1_get_error(guest_skeleton(guest)), sentence) != 0) /* once, and not each hour */
        g_warning("%s", sentence);
    rh_guest1_set_error(guest_skeleton(guest), sentence);
}

static void work_end(struct work *work, const GError *error)
{
    if (work->paused)
        guest_request(work->guest, REQUEST_UNPAUSE, NULL, NULL);
    if (work->job)
        long_job_end(work->job, NULL, error);
    else if (error)
        tell_failure(work->guest, error);
    guest_release(work->guest);
    if (work->go_on)
        work->go_on(work->data);
    g_strfreev(work->images);
    g_clear_pointer(&work->pixels, g_bytes_unref);
    g_free(work->label);
    g_free(work);
}

static void worked(GObject *source, GAsyncResult *result, gpointer work)
{
    g_autoptr(GError) error = NULL;
    (void)source;
    pool_work_finish(result, &error);
    work_end(work, error);
}

static void start_work(struct work *work)
{
    /* It takes a moment, and cannot be cancelled in between. */
    pool_work_start(work->points->pool, work->run, work, NULL, NULL, worked, work);
}

static void paused(struct guest *guest, const GError *error, gpointer data)
{
    struct work *work = data;
    (void)guest;
    work->paused = !error;
    if (error)
        work_end(work, error);
    else
        start_work(work);
}

/* Disks that are copied one after the other would not be of one time. */
static void keep(struct work *work)
{
    if (work->images[1] && guest_state(work->guest) == GUEST_RUNNING)
        guest_request(work->guest, REQUEST_PAUSE, paused, work);
    else
        start_work(work);
}

static void shown(GBytes *pixels, guint width, guint height, gpointer data)
{
    struct work *work = data;
    work->pixels = pixels ? g_bytes_ref(pixels) : NULL;
    work->width = width;
    work->height = height;
    keep(work);
}

/* The picture first: a guest that stands still shows that it does. */
static void begin_keeping(struct work *work)
{
    if (!guest_show(work->guest, PICTURE_WIDTH, PICTURE_HEIGHT, shown, work, NULL))
        keep(work);
}

/* ---- calls ---- */

/* A guest as its methods see it; its skeleton owns this. */
struct subject {
    struct guest_points *points;
    struct guest *guest;
};

static void take_call(GDBusMethodInvocation *invocation, struct work *work, const char *kind)
{
    work->job = long_job_begin(work->points->jobs, kind, guest_config(work->guest)->name);
    g_dbus_method_invocation_return_value(invocation, g_variant_new("(o)", long_job_path(work->job)));
}

static void snapshot(GDBusMethodInvocation *invocation, gpointer user, guint argument)
{
    const struct subject *subject = user;
    g_autofree char *label = NULL;
    GError *error = NULL;
    (void)argument;
    g_variant_get(g_dbus_method_invocation_get_parameters(invocation), "(s)", &label);
    if (!hold(subject->guest, FALSE, &error)) {
        g_dbus_method_invocation_take_error(invocation, error);
        return;
    }
    struct work *work = work_new(subject->points, subject->guest, make_snapshot);
    work->label = g_steal_pointer(&label);
    take_call(invocation, work, "snapshot");
    begin_keeping(work);
}

/* argument: whether it is a revert. */
static void use_point(GDBusMethodInvocation *invocation, gpointer user, guint argument)
{
    const struct subject *subject = user;
    GError *error = NULL;
    if (!hold(subject->guest, argument, &error)) {
        g_dbus_method_invocation_take_error(invocation, error);
        return;
    }
    struct work *work = work_new(subject->points, subject->guest, argument ? revert : delete_point);
    g_variant_get(g_dbus_method_invocation_get_parameters(invocation), "(x)", &work->time);
    take_call(invocation, work, argument ? "revert" : "delete-point");
    start_work(work);
}

/* ---- the list ---- */

struct listing {
    GDBusMethodInvocation *invocation;
    char **images;
    GPtrArray *points; /* struct point; NULL: there can be none */
};

static void listing_free(gpointer data)
{
    struct listing *listing = data;
    g_clear_pointer(&listing->points, g_ptr_array_unref);
    g_strfreev(listing->images);
    g_free(listing);
}

static gboolean list(struct pool *pool, gpointer data, const struct convert_watch *watch, GError **error)
{
    struct listing *listing = data;
    (void)watch;
    listing->points = point_set_list(pool, (const char *const *)listing->images, error);
    return listing->points != NULL;
}

static void answer_list(const struct listing *listing)
{
    GVariantBuilder points;
    g_variant_builder_init(&points, G_VARIANT_TYPE("aa{sv}"));
    for (guint i = 0; listing->points && i < listing->points->len; i++) {
        const struct point *point = g_ptr_array_index(listing->points, i);
        g_variant_builder_open(&points, G_VARIANT_TYPE_VARDICT);
        g_variant_builder_add(&points, "{sv}", "time", g_variant_new_int64(point->time));
        g_variant_builder_add(&points, "{sv}", "label", g_variant_new_string(point->label ? point->label : ""));
        g_variant_builder_add(&points, "{sv}", "size", g_variant_new_uint64(point->size));
        g_variant_builder_add(&points, "{sv}", "picture", g_variant_new_boolean(point->picture));
        g_variant_builder_close(&points);
    }
    g_dbus_method_invocation_return_value(listing->invocation, g_variant_new("(aa{sv})", &points));
}

static void listed(GObject *source, GAsyncResult *result, gpointer data)
{
    const struct listing *listing = data;
    GError *error = NULL;
    (void)source;
    if (pool_work_finish(result, &error))
        answer_list(listing);
    else
        g_dbus_method_invocation_take_error(listing->invocation, error);
}

static void list_points(GDBusMethodInvocation *invocation, gpointer user, guint argument)
{
    const struct subject *subject = user;
    struct listing *listing = g_new(struct listing, 1);
    (void)argument;
    *listing = (struct listing){invocation, images_of(subject->guest), NULL};
    if (listing->images[0]) {
        pool_work_start(subject->points->pool, list, listing, listing_free, NULL, listed, listing);
        return;
    }
    answer_list(listing);
    listing_free(listing);
}

/* ---- a picture ---- */

struct looking {
    GDBusMethodInvocation *invocation;
    char *image;
    gint64 time;
    GBytes *picture;
};

static void looking_free(gpointer data)
{
    struct looking *looking = data;
    g_clear_pointer(&looking->picture, g_bytes_unref);
    g_free(looking->image);
    g_free(looking);
}

static gboolean look(struct pool *pool, gpointer data, const struct convert_watch *watch, GError **error)
{
    struct looking *looking = data;
    (void)watch;
    looking->picture = point_picture(pool, looking->image, looking->time, error);
    return looking->picture != NULL;
}

static void looked(GObject *source, GAsyncResult *result, gpointer data)
{
    const struct looking *looking = data;
    GError *error = NULL;
    (void)source;
    if (pool_work_finish(result, &error))
        g_dbus_method_invocation_return_value(
            looking->invocation,
            g_variant_new("(@ay)", g_variant_new_from_bytes(G_VARIANT_TYPE_BYTESTRING, looking->picture, TRUE)));
    else
        g_dbus_method_invocation_take_error(looking->invocation, error);
}

static void get_picture(GDBusMethodInvocation *invocation, gpointer user, guint argument)
{
    const struct subject *subject = user;
    g_auto(GStrv) images = images_of(subject->guest);
    (void)argument;
    if (!images[0]) {
        g_dbus_method_invocation_return_error(invocation, RH_ERROR, RH_ERROR_NOT_FOUND, "It has no points.");
        return;
    }
    struct looking *looking = g_new0(struct looking, 1);
    looking->invocation = invocation;
    looking->image = g_strdup(images[0]);
    g_variant_get(g_dbus_method_invocation_get_parameters(invocation), "(x)", &looking->time);
    pool_work_start(subject->points->pool, look, looking, looking_free, NULL, looked, looking);
}

void guest_points_serve(struct guest_points *points, struct guest *guest)
{
    static const struct authority_method methods[] = {{"handle-snapshot", snapshot, 0},
                                                      {"handle-list-points", list_points, 0},
                                                      {"handle-get-point-picture", get_picture, 0},
                                                      {"handle-revert", use_point, TRUE},
                                                      {"handle-delete-point", use_point, FALSE},
                                                      {NULL, NULL, 0}};
    struct subject *subject = g_new(struct subject, 1);
    *subject = (struct subject){points, guest};
    g_object_set_data_full(G_OBJECT(guest_skeleton(guest)), "points", subject, g_free);
    authority_serve(points->authority, guest_skeleton(guest), methods, subject);
}

/* ---- by rule ---- */

static gint64 *latest(struct guest_points *points, const struct guest *guest)
{
    const char *name = guest_config(guest)->name;
    gint64 *time = g_hash_table_lookup(points->latest, name);
    if (!time) {
        time = g_new(gint64, 1);
        *time = g_get_monotonic_time();
        g_hash_table_insert(points->latest, g_strdup(name), time);
    }
    return time;
}

/* The policy's log counts what is refused. */
static gboolean may_keep(const struct guest_points *points, const struct guest *guest)
{
    g_autoptr(GError) error = NULL;
    if (points->may(points->user, guest_config(guest), &error))
        return TRUE;
    tell_failure(guest, error);
    return FALSE;
}

/* NULL: it wants none, it has no image, it may not be, or a point of it is being made just now. */
static struct work *begin_undo(struct guest_points *points, struct guest *guest)
{
    if (!guest_config(guest)->undo_points || !hold(guest, FALSE, NULL))
        return NULL;
    *latest(points, guest) = g_get_monotonic_time();
    if (may_keep(points, guest))
        return work_new(points, guest, make_undo);
    guest_release(guest);
    return NULL;
}

void guest_points_before_start(struct guest_points *points, struct guest *guest, void (*go_on)(gpointer data),
                               gpointer data)
{
    struct work *work = begin_undo(points, guest);
    if (!work) {
        go_on(data);
        return;
    }
    work->go_on = go_on;
    work->data = data;
    start_work(work);
}

static gboolean is_due(struct guest_points *points, const struct guest *guest)
{
    const struct guest_config *config = guest_config(guest);
    gint64 interval = (gint64)config->undo_minutes * UNDO_MINUTE_SECONDS * G_USEC_PER_SEC;
    return config->undo_points && interval && guest_state(guest) == GUEST_RUNNING &&
           g_get_monotonic_time() - *latest(points, guest) >= interval;
}

void guest_points_tick(struct guest_points *points)
{
    for (guint i = 0; i < points->guests->len; i++) {
        struct guest *guest = g_ptr_array_index(points->guests, i);
        struct work *work = is_due(points, guest) ? begin_undo(points, guest) : NULL;
        if (work)
            begin_keeping(work);
    }
}

/* ---- life ---- */

struct guest_points *guest_points_new(const char *pool_path, const GPtrArray *guests, struct jobs *jobs,
                                      struct authority *authority)
{
    struct guest_points *points = g_new(struct guest_points, 1);
    *points = (struct guest_points){.pool = pool_path,
                                    .guests = guests,
                                    .jobs = jobs,
                                    .authority = authority,
                                    .latest = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free)};
    return points;
}

void guest_points_set_check(struct guest_points *points,
                            gboolean (*may)(gpointer user, const struct guest_config *config, GError **error),
                            gpointer user)
{
    points->may = may;
    points->user = user;
}

void guest_points_free(struct guest_points *points)
{
    g_hash_table_unref(points->latest);
    g_free(points);
}
