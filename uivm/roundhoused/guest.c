/*
 * One guest's life: requests come in, operations run in the toolstack, states and errors go out on the bus.
 */
#include "guest.h"
#include "errors.h"
#include "guest_bus.h"
#include "guest_identity.h"
#include "roundhouse_dbus.h"
#include "saved_state.h"

#include <unistd.h>

#ifndef SHUTDOWN_PATIENCE_SECONDS
#define SHUTDOWN_PATIENCE_SECONDS 90
#endif
#define QUICK_END_SECONDS  10
#define QUICK_RESTARTS_MAX 3

/* What becomes of the guest once its domain is gone. */
enum fate { FATE_OFF, FATE_CRASHED, FATE_RESTART };

struct guest {
    const struct guest_environment *environment;
    struct guest_config *config;
    char *label;                  /* of the domain */
    struct guest_config *defined; /* the file's, while config is what a resumed domain runs by; NULL: the same */
    RhGuest1 *skeleton;
    char *object_path;
    enum guest_state state;
    int domid;
    guint slot; /* of its screen; 0: it has none */
    enum fate fate;
    gboolean destroying;     /* a destroy operation is under way */
    gboolean operating;      /* another one is; there is never a second, so callers cannot queue work */
    struct job *waiting;     /* a start that waits until the crashed domain is gone; NULL: none */
    gint64 started_at;       /* monotonic microseconds */
    guint quick_restarts;    /* restarts in a row that came right after a start */
    guint shutdown_deadline; /* source id, 0: none */
    gboolean restart;        /* its end was asked for so that it starts again */
    gboolean saving;         /* we put it on the disk */
    gboolean held, held_off; /* guest_hold(); off: it must not be started */
};

/* One request under way; holds a reference on the guest. */
struct job {
    struct guest *guest;
    enum guest_request request;
    guest_done_fn done;
    gpointer user;
    int domid;         /* the domain it concerns: another one may have taken its place when an answer arrives */
    gboolean resuming; /* a start that goes on from what was saved */
};

static void start(struct job *job);
static void destroy(struct job *job);

static void guest_clear(gpointer data)
{
    struct guest *guest = data;
    guest_config_free(guest->config);
    guest_config_free(guest->defined);
    g_free(guest->label);
    g_clear_object(&guest->skeleton);
    g_free(guest->object_path);
}

static void guest_unref(struct guest *guest)
{
    g_rc_box_release_full(guest, guest_clear);
}

static struct job *job_new(struct guest *guest, enum guest_request request, guest_done_fn done, gpointer user)
{
    struct job *job = g_new0(struct job, 1);
    *job = (struct job){g_rc_box_acquire(guest), request, done, user, guest->domid, FALSE};
    return job;
}

static void set_error(struct guest *guest, const char *sentence)
{
    if (*sentence)
        g_warning("%s", sentence);
    rh_guest1_set_error(guest->skeleton, sentence);
}

/*
 * Ends a job. A request refused for the state it met is the caller's affair and not the guest's last error.
 */
static void job_finish(struct job *job, const GError *error)
{
    if (error && !g_error_matches(error, RH_ERROR, RH_ERROR_WRONG_STATE))
        set_error(job->guest, error->message);
    if (job->done)
        job->done(job->guest, error, job->user);
    guest_unref(job->guest);
    g_free(job);
}

static void job_fail(struct job *job, enum rh_error code, const char *what, const GError *cause)
{
    g_autoptr(GError) error = g_error_new(RH_ERROR, cause && cause->domain == RH_ERROR ? cause->code : (int)code,
                                          "%s %s. %s", job->guest->config->name, what, cause ? cause->message : "");
    job_finish(job, error);
}

static void tell_signs(struct guest *guest)
{
    display_set_signs(guest->environment->display, guest->domid, guest->state == GUEST_PAUSED ? GUEST_SIGN_PAUSED : 0);
}

static void set_state(struct guest *guest, enum guest_event event)
{
    enum guest_state state = guest_state_next(guest->state, event);
    if (state == guest->state)
        return;
    g_message("%s: %s -> %s", guest->config->name, guest_state_name(guest->state), guest_state_name(state));
    guest->state = state;
    tell_signs(guest);
    rh_guest1_set_state(guest->skeleton, guest_state_name(state));
    g_dbus_interface_skeleton_flush(G_DBUS_INTERFACE_SKELETON(guest->skeleton));
    guest->environment->state_changed(guest, guest->environment->user);
}

static void set_domid(struct guest *guest, int domid)
{
    guest->domid = domid;
    rh_guest1_set_domain_id(guest->skeleton, domid);
}

static void set_slot(struct guest *guest, guint slot)
{
    guest->slot = slot;
    rh_guest1_set_screen(guest->skeleton, slot);
}

/* Of one that is neither seen nor heard the seat need not know. */
static gboolean needs_slot(const struct guest_config *config)
{
    return config->display != GUEST_DISPLAY_NONE || config->sound == GUEST_SOUND_DUCKED ||
           config->sound == GUEST_SOUND_KEPT;
}

static gboolean offer_screen(struct guest *guest, GError **error)
{
    const struct guest_environment *environment = guest->environment;
    if (!guest->config->slot && !needs_slot(guest->config))
        return TRUE;
    guint slot = guest->config->slot ? guest->config->slot : environment->lend_slot(environment->user, error);
    if (!slot || !display_add_guest(environment->display, guest->config, slot, guest->domid, error))
        return FALSE;
    set_slot(guest, slot);
    return TRUE;
}

static void take_screen(struct guest *guest)
{
    display_remove_guest(guest->environment->display, guest->domid);
    set_slot(guest, 0);
}

static void publish_config(struct guest *guest)
{
    const struct guest_config *config = guest->config;
    g_autofree char *colour = guest_config_text(config, "colour"), *type = guest_config_text(config, "type");
    rh_guest1_set_name(guest->skeleton, config->name);
    rh_guest1_set_slot(guest->skeleton, config->slot);
    rh_guest1_set_colour(guest->skeleton, colour);
    rh_guest1_set_guest_type(guest->skeleton, type);
    rh_guest1_set_memory(guest->skeleton, (guint64)config->memory_mib * 1024);
    rh_guest1_set_vcpus(guest->skeleton, config->vcpus);
    rh_guest1_set_autostart(guest->skeleton, config->autostart);
}

/* ---- the end of a domain ---- */

static void cancel_shutdown_deadline(struct guest *guest)
{
    g_clear_handle_id(&guest->shutdown_deadline, g_source_remove);
}

static gboolean is_saved(struct guest *guest)
{
    return saved_state_there(guest->environment->saved, guest->config->name);
}

/* A domain that ran by its saved definition has ended, or was not made: what the file says now counts again. */
static void take_definition_back(struct guest *guest)
{
    if (!guest->defined)
        return;
    guest_config_free(guest->config);
    guest->config = g_steal_pointer(&guest->defined);
    publish_config(guest);
}

/* The domain exists no more: settles what its fate said. */
static void gone(struct guest *guest)
{
    enum fate fate = guest->fate;
    struct job *waiting = g_steal_pointer(&guest->waiting);
    cancel_shutdown_deadline(guest);
    set_domid(guest, -1);
    guest->fate = FATE_OFF;
    guest->saving = FALSE;
    take_definition_back(guest);
    set_state(guest, fate == FATE_CRASHED ? EVENT_CRASHED : is_saved(guest) ? EVENT_SUSPENDED : EVENT_GONE);
    if (waiting)
        start(waiting);
    else if (fate == FATE_RESTART && guest_state_allows(guest->state, REQUEST_START))
        start(job_new(guest, REQUEST_START, NULL, NULL));
}

static gboolean shutdown_overdue(gpointer data)
{
    struct guest *guest = data;
    g_autofree char *sentence = g_strdup_printf(
        "%s has not shut down within %d seconds. Look at its screen, where it may ask something. Shut it down once "
        "more, or force it off: unsaved work in it is then lost.",
        guest->config->name, SHUTDOWN_PATIENCE_SECONDS);
    guest->shutdown_deadline = 0;
    if (guest->destroying)
        return G_SOURCE_REMOVE;
    set_error(guest, sentence);
    set_state(guest, EVENT_OVERDUE);
    return G_SOURCE_REMOVE;
}

/* A restart right after a start, several times in a row, will not get better by repeating it. */
static enum fate fate_of_reboot(struct guest *guest)
{
    gboolean quick = g_get_monotonic_time() - guest->started_at < QUICK_END_SECONDS * G_USEC_PER_SEC;
    guest->quick_restarts = quick ? guest->quick_restarts + 1 : 0;
    if (guest->quick_restarts < QUICK_RESTARTS_MAX)
        return FATE_RESTART;
    g_autofree char *sentence =
        g_strdup_printf("%s restarted %d times in a row right after its start and is left off. Start it once more; if "
                        "that does not help, its system needs repair.",
                        guest->config->name, QUICK_RESTARTS_MAX);
    guest->quick_restarts = 0;
    set_error(guest, sentence);
    return FATE_CRASHED;
}

static enum fate fate_of_end(struct guest *guest, enum toolstack_end end)
{
    if (end == TOOLSTACK_END_REBOOT)
        return fate_of_reboot(guest);
    if (end != TOOLSTACK_END_CRASH)
        return guest->restart ? FATE_RESTART : FATE_OFF;
    g_autofree char *sentence = g_strdup_printf(
        "%s has crashed, and what was not saved in it is lost. Start it again; if it crashes each time, "
        "its system needs repair.",
        guest->config->name);
    set_error(guest, sentence);
    return FATE_CRASHED;
}

/* What looks like an end while the guest is saved, by us or by another tool. TRUE: it was no more than that. */
static gboolean concerns_saving(struct guest *guest, enum toolstack_end end)
{
    gboolean still = guest->state == GUEST_SUSPENDING;
    if (end == TOOLSTACK_END_CRASH && still)
        return TRUE; /* a device model that its saver ends: a domain that stands still does not crash */
    if (end != TOOLSTACK_END_SUSPENDED && end != TOOLSTACK_END_RESUMED)
        return FALSE;
    if (end == TOOLSTACK_END_SUSPENDED)
        set_state(guest, EVENT_SUSPEND);
    else if (still && !guest->saving)
        set_state(guest, EVENT_RESUMED);
    return TRUE;
}

void guest_domain_ended(struct guest *guest, enum toolstack_end end)
{
    if (guest->destroying || guest->domid < 0 || concerns_saving(guest, end))
        return;
    cancel_shutdown_deadline(guest);
    if (end == TOOLSTACK_END_VANISHED) {
        take_screen(guest);
        gone(guest);
        return;
    }
    guest->fate = fate_of_end(guest, end);
    if (guest->fate == FATE_CRASHED)
        set_state(guest, EVENT_CRASHED); /* what is left is taken away, which may take minutes: nobody waits for that */
    destroy(job_new(guest, REQUEST_DESTROY, NULL, NULL));
}

static void destroyed(GObject *source, GAsyncResult *result, gpointer data)
{
    struct job *job = data;
    struct guest *guest = job->guest;
    g_autoptr(GError) error = NULL;
    (void)source;
    guest->destroying = FALSE;
    if (!toolstack_operate_finish(guest->environment->toolstack, result, &error)) {
        if (guest->waiting)
            job_fail(g_steal_pointer(&guest->waiting), RH_ERROR_TOOLSTACK, "could not be started", error);
        job_fail(job, RH_ERROR_TOOLSTACK, "could not be taken away", error);
        return;
    }
    gone(guest);
    job_finish(job, NULL);
}

static void destroy(struct job *job)
{
    struct guest *guest = job->guest;
    guest->destroying = TRUE;
    if (!guest->saving)
        set_state(guest, EVENT_STOP);
    take_screen(guest);
    toolstack_operate(guest->environment->toolstack, TOOLSTACK_DESTROY, guest->domid, destroyed, job);
}

/* ---- start: create paused, offer the screen, unpause ---- */

static void not_started(struct guest *guest)
{
    set_domid(guest, -1);
    take_definition_back(guest);
    set_state(guest, is_saved(guest) ? EVENT_SUSPENDED : EVENT_START_FAILED);
}

static void start_cleaned(GObject *source, GAsyncResult *result, gpointer data)
{
    struct guest *guest = data;
    g_autoptr(GError) error = NULL;
    (void)source;
    if (!toolstack_operate_finish(guest->environment->toolstack, result, &error))
        g_warning("%s: what was left of the failed start could not be taken away. %s", guest->config->name,
                  error->message);
    guest->destroying = FALSE;
    not_started(guest);
    guest_unref(guest);
}

/* A start that fails after the domain's creation takes the domain away again. */
static void start_failed(struct job *job, enum rh_error code, const GError *cause)
{
    struct guest *guest = job->guest;
    if (guest->domid < 0) {
        not_started(guest);
    } else {
        guest->destroying = TRUE;
        take_screen(guest);
        toolstack_operate(guest->environment->toolstack, TOOLSTACK_DESTROY, guest->domid, start_cleaned,
                          g_rc_box_acquire(guest));
    }
    job_fail(job, code, "could not be started", cause);
}

static void started(GObject *source, GAsyncResult *result, gpointer data)
{
    struct job *job = data;
    struct guest *guest = job->guest;
    g_autoptr(GError) error = NULL;
    (void)source;
    gboolean good = toolstack_operate_finish(guest->environment->toolstack, result, &error);
    gboolean ended = guest->destroying || guest->domid != job->domid;
    if (job->resuming && (good || ended))
        saved_state_forget_used(guest->environment->saved, guest->config->name);
    else if (job->resuming)
        saved_state_unuse(guest->environment->saved, guest->config->name);
    if (!good && !ended) {
        start_failed(job, RH_ERROR_TOOLSTACK, error);
        return;
    }
    if (!good) {
        job_fail(job, RH_ERROR_TOOLSTACK, "ended while it was being started", error);
        return;
    }
    if (!ended)
        set_state(guest, EVENT_STARTED);
    job_finish(job, NULL);
}

static void created(GObject *source, GAsyncResult *result, gpointer data)
{
    struct job *job = data;
    struct guest *guest = job->guest;
    const struct guest_environment *environment = guest->environment;
    g_autoptr(GError) error = NULL;
    (void)source;
    set_domid(guest, toolstack_create_finish(environment->toolstack, result, &error));
    if (guest->domid < 0) {
        start_failed(job, RH_ERROR_TOOLSTACK, error);
        return;
    }
    if (!toolstack_watch(environment->toolstack, guest->domid, &error)) {
        start_failed(job, RH_ERROR_TOOLSTACK, error);
        return;
    }
    if (!offer_screen(guest, &error)) {
        start_failed(job, RH_ERROR_DISPLAY, error);
        return;
    }
    if (job->resuming && !saved_state_use(environment->saved, guest->config->name, &error)) {
        start_failed(job, RH_ERROR_TOOLSTACK, error);
        return;
    }
    guest->started_at = g_get_monotonic_time();
    job->domid = guest->domid;
    toolstack_operate(environment->toolstack, TOOLSTACK_UNPAUSE, guest->domid, started, job);
}

struct guest_config *guest_whole_config(const struct guest *guest, GError **error)
{
    struct guest_config *config = guest_config_copy(guest->config);
    if (guest_identity_complete(config, guest->environment->identities, error))
        return config;
    guest_config_free(config);
    return NULL;
}

/* The descriptor of what was saved, and config as it was then; -1: nothing was, or, with an error, it is of no use. */
static int open_saved(struct guest *guest, const struct guest_config *config, GError **error)
{
    struct guest_config *saved = NULL;
    int fd = is_saved(guest) ? saved_state_open(guest->environment->saved, config, &saved, error) : -1;
    if (fd < 0)
        return -1;
    guest->defined = guest->config;
    guest->config = saved;
    return fd;
}

static void make_domain(gpointer data)
{
    struct job *job = data;
    struct guest *guest = job->guest;
    const struct guest_environment *environment = guest->environment;
    g_autoptr(GError) error = NULL;
    struct guest_config *config = guest_whole_config(guest, &error);
    int saved = config ? open_saved(guest, config, &error) : -1;
    struct guest_config *used = saved < 0 ? config : guest->config;
    if (error || !environment->label(environment->user, used, &error)) {
        if (saved >= 0)
            close(saved);
        guest_config_free(config);
        start_failed(job, RH_ERROR_TOOLSTACK, error);
        return;
    }
    g_free(guest->label);
    guest->label = g_strdup(used->label);
    publish_config(guest);
    job->resuming = saved >= 0;
    toolstack_create(environment->toolstack, used, display_screen(guest->environment->display), saved, created, job);
    guest_config_free(config);
}

static void refuse_for_now(struct job *job, const char *why)
{
    g_autoptr(GError) error =
        g_error_new(RH_ERROR, RH_ERROR_WRONG_STATE, "%s %s. Wait a moment.", job->guest->config->name, why);
    job_finish(job, error);
}

static void start(struct job *job)
{
    struct guest *guest = job->guest;
    if (guest->held_off) {
        refuse_for_now(job, "has its disks changed now");
        return;
    }
    set_error(guest, "");
    guest->fate = FATE_OFF;
    guest->restart = FALSE;
    set_state(guest, EVENT_START);
    if (is_saved(guest))
        make_domain(job);
    else
        guest->environment->before_start(guest, make_domain, job, guest->environment->user);
}

/* ---- requests to a running guest ---- */

static const struct {
    enum toolstack_operation operation;
    enum guest_event success;
    const char *failure;
} operations[REQUEST_COUNT] = {
    [REQUEST_SHUTDOWN] = {TOOLSTACK_SHUTDOWN, EVENT_STOP, "could not be asked to shut down"},
    [REQUEST_REBOOT] = {TOOLSTACK_REBOOT, EVENT_STOP, "could not be asked to restart"},
    [REQUEST_PAUSE] = {TOOLSTACK_PAUSE, EVENT_PAUSED, "could not be paused"},
    [REQUEST_UNPAUSE] = {TOOLSTACK_UNPAUSE, EVENT_RESUMED, "could not go on"},
};

static void become_idle(struct guest *guest)
{
    guest->operating = FALSE;
}

static void operated(GObject *source, GAsyncResult *result, gpointer data)
{
    struct job *job = data;
    struct guest *guest = job->guest;
    g_autoptr(GError) error = NULL;
    (void)source;
    become_idle(guest);
    if (!toolstack_operate_finish(guest->environment->toolstack, result, &error)) {
        job_fail(job, RH_ERROR_TOOLSTACK, operations[job->request].failure, error);
        return;
    }
    set_error(guest, "");
    if (operations[job->request].success == EVENT_STOP)
        guest->restart = job->request == REQUEST_REBOOT;
    if (guest->domid == job->domid && !guest->destroying)
        set_state(guest, operations[job->request].success);
    if (guest->state == GUEST_STOPPING && !guest->destroying && !guest->shutdown_deadline)
        guest->shutdown_deadline = g_timeout_add_seconds(SHUTDOWN_PATIENCE_SECONDS, shutdown_overdue, guest);
    job_finish(job, NULL);
}

/* FALSE: something else is done to the guest; the job has been refused. */
static gboolean become_busy(struct job *job)
{
    if (job->guest->operating) {
        refuse_for_now(job, "is busy with what it was asked before");
        return FALSE;
    }
    job->guest->operating = TRUE;
    return TRUE;
}

static void operate(struct job *job)
{
    struct guest *guest = job->guest;
    if (become_busy(job))
        toolstack_operate(guest->environment->toolstack, operations[job->request].operation, guest->domid, operated,
                          job);
}

/* ---- suspend to disk ---- */

static void saved(GObject *source, GAsyncResult *result, gpointer data)
{
    struct job *job = data;
    struct guest *guest = job->guest;
    g_autoptr(GError) error = NULL;
    (void)source;
    gboolean good = toolstack_save_finish(guest->environment->toolstack, result, &error);
    gboolean ended = guest->destroying || guest->domid != job->domid;
    become_idle(guest);
    if (good && !ended) {
        destroy(job);
        return;
    }
    guest->saving = FALSE;
    if (good) /* it was forced off meanwhile */
        saved_state_forget(guest->environment->saved, guest->config->name, NULL);
    if (!ended)
        set_state(guest, EVENT_RESUMED);
    job_fail(job, RH_ERROR_TOOLSTACK, ended ? "ended while it was being suspended" : "could not be suspended", error);
}

static void suspend(struct job *job)
{
    struct guest *guest = job->guest;
    g_autoptr(GError) error = NULL;
    struct guest_config *config = guest_whole_config(guest, &error);
    if (!config) {
        job_fail(job, RH_ERROR_TOOLSTACK, "could not be suspended", error);
    } else if (become_busy(job)) {
        set_error(guest, "");
        guest->saving = TRUE;
        set_state(guest, EVENT_SUSPEND);
        toolstack_save(guest->environment->toolstack, config, guest->domid, guest->environment->saved, saved, job);
    }
    guest_config_free(config);
}

/* There is no domain, only what was saved of it. */
static void give_up_saved(struct job *job)
{
    struct guest *guest = job->guest;
    g_autoptr(GError) error = NULL;
    if (!saved_state_forget(guest->environment->saved, guest->config->name, &error)) {
        job_fail(job, RH_ERROR_TOOLSTACK, "could not be forced off", error);
        return;
    }
    set_error(guest, "");
    set_state(guest, EVENT_GONE);
    job_finish(job, NULL);
}

static void destroy_on_request(struct job *job)
{
    struct guest *guest = job->guest;
    if (guest->state == GUEST_SUSPENDED) {
        give_up_saved(job);
        return;
    }
    if (guest->destroying) {
        refuse_for_now(job, "is being taken away already");
        return;
    }
    set_error(guest, "");
    guest->fate = FATE_OFF;
    guest->saving = FALSE;
    destroy(job);
}

/* What is left of a crash goes first. */
static void start_on_request(struct job *job)
{
    struct guest *guest = job->guest;
    if (guest->waiting) {
        refuse_for_now(job, "is going to be started already");
        return;
    }
    guest->quick_restarts = 0;
    if (guest->domid < 0) {
        start(job);
        return;
    }
    guest->waiting = job;
    if (!guest->destroying)
        destroy(job_new(guest, REQUEST_DESTROY, NULL, NULL));
}

static void switch_to(struct job *job)
{
    struct guest *guest = job->guest;
    g_autoptr(GError) error = NULL;
    if (!guest->slot)
        g_set_error(&error, RH_ERROR, RH_ERROR_DISPLAY, "It has no screen, or not yet.");
    if (guest->slot && display_focus(guest->environment->display, guest->slot, &error))
        job_finish(job, NULL);
    else
        job_fail(job, RH_ERROR_DISPLAY, "could not be brought on screen", error);
}

static void (*const handlers[REQUEST_COUNT])(struct job *) = {
    [REQUEST_START] = start_on_request, [REQUEST_SHUTDOWN] = operate, [REQUEST_REBOOT] = operate,
    [REQUEST_PAUSE] = operate,          [REQUEST_UNPAUSE] = operate,  [REQUEST_DESTROY] = destroy_on_request,
    [REQUEST_SUSPEND] = suspend,        [REQUEST_SWITCH] = switch_to,
};

void guest_request(struct guest *guest, enum guest_request request, guest_done_fn done, gpointer user)
{
    g_autoptr(GError) error = NULL;
    struct job *job = job_new(guest, request, done, user);
    if (!guest_state_check(guest->state, request, guest->config->name, &error)) {
        job_finish(job, error);
        return;
    }
    handlers[request](job);
}

/* ---- the object on the bus ---- */

static void resumed(GObject *source, GAsyncResult *result, gpointer data)
{
    struct guest *guest = data;
    g_autoptr(GError) error = NULL;
    (void)source;
    if (!toolstack_operate_finish(guest->environment->toolstack, result, &error))
        set_error(guest, error->message);
    guest_unref(guest);
}

/*
 * A domain of the guest's name that is already there: the service was restarted while the guest ran, or while it was
 * being made; then it is of no use.
 */
static void take_over(struct guest *guest)
{
    const struct guest_environment *environment = guest->environment;
    g_autoptr(GError) error = NULL;
    struct toolstack_domain domain = toolstack_find(environment->toolstack, guest->config->name);
    gboolean save_was_cut =
        saved_state_tidy(environment->saved, guest->config->name, domain.domid >= 0 && !domain.begun);
    if (domain.domid < 0)
        return;
    guest->label = g_strdup(guest->config->label);
    if (!domain.begun || (domain.suspended && is_saved(guest))) {
        g_message("%s: domain %d is of no use: its making or its end was interrupted", guest->config->name,
                  domain.domid);
        set_domid(guest, domain.domid);
        destroy(job_new(guest, REQUEST_DESTROY, NULL, NULL));
        return;
    }
    if (save_was_cut && domain.suspended)
        toolstack_operate(environment->toolstack, TOOLSTACK_RESUME, domain.domid, resumed, g_rc_box_acquire(guest));
    guest->state = domain.paused ? GUEST_PAUSED : GUEST_RUNNING;
    set_domid(guest, domain.domid);
    rh_guest1_set_state(guest->skeleton, guest_state_name(guest->state));
    g_message("%s: found running as domain %d", guest->config->name, domain.domid);
    if (!toolstack_watch(environment->toolstack, domain.domid, &error)) {
        set_error(guest, error->message);
        g_clear_error(&error);
    }
    if (!offer_screen(guest, &error))
        set_error(guest, error->message);
    tell_signs(guest);
}

/* "my-desk" is my_2ddesk: what an element of a path may hold, and another one for each name. */
static char *path_of_name(const char *name)
{
    GString *path = g_string_new("/org/roundhouse/guests/");
    for (; *name; name++)
        g_string_append_printf(path, g_ascii_isalnum(*name) ? "%c" : "_%02x", (guchar)*name);
    return g_string_free(path, FALSE);
}

static void put_on_bus(struct guest *guest)
{
    g_autoptr(RhObjectSkeleton) object = rh_object_skeleton_new(guest->object_path);
    rh_object_skeleton_set_guest1(object, guest->skeleton);
    g_dbus_object_manager_server_export(guest->environment->objects, G_DBUS_OBJECT_SKELETON(object));
}

struct guest *guest_new(const struct guest_environment *environment, struct guest_config *config)
{
    struct guest *guest = g_rc_box_new0(struct guest);
    guest->environment = environment;
    guest->config = config;
    guest->skeleton = rh_guest1_skeleton_new();
    guest->object_path = path_of_name(config->name);
    publish_config(guest);
    set_domid(guest, -1);
    rh_guest1_set_error(guest->skeleton, "");
    guest->state = is_saved(guest) ? GUEST_SUSPENDED : GUEST_OFF;
    rh_guest1_set_state(guest->skeleton, guest_state_name(guest->state));
    guest_bus_serve(environment->authority, guest->skeleton, guest);
    take_over(guest);
    put_on_bus(guest);
    return guest;
}

void guest_remove(struct guest *guest)
{
    cancel_shutdown_deadline(guest);
    g_dbus_object_manager_server_unexport(guest->environment->objects, guest->object_path);
    guest_unref(guest);
}

void guest_set_config(struct guest *guest, struct guest_config *config)
{
    struct guest_config **place = guest->defined ? &guest->defined : &guest->config;
    guest_config_free(*place);
    *place = config;
    if (guest->domid < 0)
        publish_config(guest);
}

gboolean guest_check_off(const struct guest *guest, GError **error)
{
    if (guest->held)
        g_set_error(error, RH_ERROR, RH_ERROR_WRONG_STATE, "%s has its disks kept or changed already. Wait a moment.",
                    guest->config->name);
    else if (guest->domid >= 0 || (guest->state != GUEST_OFF && guest->state != GUEST_CRASHED))
        g_set_error(error, RH_ERROR, RH_ERROR_WRONG_STATE, "%s is %s. Shut it down first.", guest->config->name,
                    guest_state_name(guest->state));
    else
        return TRUE;
    return FALSE;
}

gboolean guest_hold(struct guest *guest, gboolean off, GError **error)
{
    if ((off || guest->held) && !guest_check_off(guest, error))
        return FALSE;
    g_rc_box_acquire(guest);
    guest->held = TRUE;
    guest->held_off = off;
    return TRUE;
}

void guest_release(struct guest *guest)
{
    guest->held = guest->held_off = FALSE;
    guest_unref(guest);
}

void guest_forget(const struct guest *guest)
{
    guest_identity_forget(guest->environment->identities, guest->config->name);
}

const struct guest_config *guest_config(const struct guest *guest)
{
    return guest->config;
}

const struct guest_config *guest_definition(const struct guest *guest)
{
    return guest->defined ? guest->defined : guest->config;
}

const char *guest_label(const struct guest *guest)
{
    return guest->domid < 0 ? guest->config->label : guest->label;
}

enum guest_state guest_state(const struct guest *guest)
{
    return guest->state;
}

gpointer guest_skeleton(const struct guest *guest)
{
    return guest->skeleton;
}

const char *guest_object_path(const struct guest *guest)
{
    return guest->object_path;
}

int guest_domid(const struct guest *guest)
{
    return guest->domid;
}

guint guest_slot(const struct guest *guest)
{
    return guest->slot ? guest->slot : guest->config->slot;
}
