/*
 * One guest's life: requests come in, operations run in the toolstack, states and errors go out on the bus.
 */
#include "guest_private.h"
#include "errors.h"
#include "saved_state.h"

#include <unistd.h>

#ifndef SHUTDOWN_PATIENCE_SECONDS
#define SHUTDOWN_PATIENCE_SECONDS 90
#endif
#define QUICK_END_SECONDS  10
#define QUICK_RESTARTS_MAX 3

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

static struct job *job_new(struct guest *guest, enum guest_request request, guest_done_fn done, gpointer user)
{
    struct job *job = g_new0(struct job, 1);
    *job = (struct job){g_rc_box_acquire(guest), request, done, user, guest->domid, FALSE};
    return job;
}

/*
 * Ends a job. A request refused for the state it met is the caller's affair and not the guest's last error.
 */
static void job_finish(struct job *job, const GError *error)
{
    if (error && !g_error_matches(error, RH_ERROR, RH_ERROR_WRONG_STATE))
        guest_set_error(job->guest, error->message);
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

/* ---- the end of a domain ---- */

static void cancel_shutdown_deadline(struct guest *guest)
{
    g_clear_handle_id(&guest->shutdown_deadline, g_source_remove);
}

/* A domain that ran by its saved definition has ended, or was not made: what the file says now counts again. */
static void take_definition_back(struct guest *guest)
{
    if (!guest->defined)
        return;
    guest_config_free(guest->config);
    guest->config = g_steal_pointer(&guest->defined);
    guest_publish_config(guest);
}

/* The domain exists no more: settles what its fate said. */
static void gone(struct guest *guest)
{
    enum fate fate = guest->fate;
    struct job *waiting = g_steal_pointer(&guest->waiting);
    cancel_shutdown_deadline(guest);
    guest_set_domid(guest, -1);
    guest->fate = FATE_OFF;
    guest->saving = FALSE;
    take_definition_back(guest);
    guest_set_state(guest, fate == FATE_CRASHED ? EVENT_CRASHED : guest_is_saved(guest) ? EVENT_SUSPENDED : EVENT_GONE);
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
    guest_set_error(guest, sentence);
    guest_set_state(guest, EVENT_OVERDUE);
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
    guest_set_error(guest, sentence);
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
    guest_set_error(guest, sentence);
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
        guest_set_state(guest, EVENT_SUSPEND);
    else if (still && !guest->saving)
        guest_set_state(guest, EVENT_RESUMED);
    return TRUE;
}

void guest_domain_ended(struct guest *guest, enum toolstack_end end)
{
    if (guest->destroying || guest->domid < 0 || concerns_saving(guest, end))
        return;
    cancel_shutdown_deadline(guest);
    if (end == TOOLSTACK_END_VANISHED) {
        guest_take_screen(guest);
        gone(guest);
        return;
    }
    guest->fate = fate_of_end(guest, end);
    /* What is left of it is taken away, which may take minutes: nobody waits for that. */
    if (guest->fate == FATE_CRASHED)
        guest_set_state(guest, EVENT_CRASHED);
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
        guest_set_state(guest, EVENT_STOP);
    guest_take_screen(guest);
    toolstack_operate(guest->environment->toolstack, TOOLSTACK_DESTROY, guest->domid, destroyed, job);
}

/* ---- start: create paused, offer the screen, unpause ---- */

static void not_started(struct guest *guest)
{
    guest_set_domid(guest, -1);
    take_definition_back(guest);
    guest_set_state(guest, guest_is_saved(guest) ? EVENT_SUSPENDED : EVENT_START_FAILED);
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
        guest_take_screen(guest);
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
        guest_set_state(guest, EVENT_STARTED);
    job_finish(job, NULL);
}

static void created(GObject *source, GAsyncResult *result, gpointer data)
{
    struct job *job = data;
    struct guest *guest = job->guest;
    const struct guest_environment *environment = guest->environment;
    g_autoptr(GError) error = NULL;
    (void)source;
    guest_set_domid(guest, toolstack_create_finish(environment->toolstack, result, &error));
    if (guest->domid < 0) {
        start_failed(job, RH_ERROR_TOOLSTACK, error);
        return;
    }
    if (!toolstack_watch(environment->toolstack, guest->domid, &error)) {
        start_failed(job, RH_ERROR_TOOLSTACK, error);
        return;
    }
    if (!guest_offer_screen(guest, &error)) {
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

/* The descriptor of what was saved, and config as it was then; -1: nothing was, or, with an error, it is of no use. */
static int open_saved(struct guest *guest, const struct guest_config *config, GError **error)
{
    struct guest_config *saved = NULL;
    int fd = guest_is_saved(guest) ? saved_state_open(guest->environment->saved, config, &saved, error) : -1;
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
    guest_publish_config(guest);
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
    guest_set_error(guest, "");
    guest->fate = FATE_OFF;
    guest->restart = FALSE;
    guest_set_state(guest, EVENT_START);
    if (guest_is_saved(guest))
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
    guest_set_error(guest, "");
    if (operations[job->request].success == EVENT_STOP)
        guest->restart = job->request == REQUEST_REBOOT;
    if (guest->domid == job->domid && !guest->destroying)
        guest_set_state(guest, operations[job->request].success);
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
        guest_set_state(guest, EVENT_RESUMED);
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
        guest_set_error(guest, "");
        guest->saving = TRUE;
        guest_set_state(guest, EVENT_SUSPEND);
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
    guest_set_error(guest, "");
    guest_set_state(guest, EVENT_GONE);
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
    guest_set_error(guest, "");
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

/* ---- a domain that is there already ---- */

static void resumed(GObject *source, GAsyncResult *result, gpointer data)
{
    struct guest *guest = data;
    g_autoptr(GError) error = NULL;
    (void)source;
    if (!toolstack_operate_finish(guest->environment->toolstack, result, &error))
        guest_set_error(guest, error->message);
    guest_unref(guest);
}

/*
 * A domain of the guest's name that is already there: the service was restarted while the guest ran, or while it was
 * being made; then it is of no use.
 */
void guest_take_over(struct guest *guest)
{
    const struct guest_environment *environment = guest->environment;
    g_autoptr(GError) error = NULL;
    struct toolstack_domain domain = toolstack_find(environment->toolstack, guest->config->name);
    gboolean save_was_cut =
        saved_state_tidy(environment->saved, guest->config->name, domain.domid >= 0 && !domain.begun);
    if (domain.domid < 0)
        return;
    guest->label = g_strdup(guest->config->label);
    if (!domain.begun || (domain.suspended && guest_is_saved(guest))) {
        g_message("%s: domain %d is of no use: its making or its end was interrupted", guest->config->name,
                  domain.domid);
        guest_set_domid(guest, domain.domid);
        destroy(job_new(guest, REQUEST_DESTROY, NULL, NULL));
        return;
    }
    if (save_was_cut && domain.suspended)
        toolstack_operate(environment->toolstack, TOOLSTACK_RESUME, domain.domid, resumed, g_rc_box_acquire(guest));
    guest->state = domain.paused ? GUEST_PAUSED : GUEST_RUNNING;
    guest_set_domid(guest, domain.domid);
    rh_guest1_set_state(guest->skeleton, guest_state_name(guest->state));
    g_message("%s: found running as domain %d", guest->config->name, domain.domid);
    if (!toolstack_watch(environment->toolstack, domain.domid, &error)) {
        guest_set_error(guest, error->message);
        g_clear_error(&error);
    }
    if (!guest_offer_screen(guest, &error))
        guest_set_error(guest, error->message);
    guest_tell_signs(guest);
}
