/* The page of a guest that is being made. */
#include "progress.h"
#include "../page_parts.h"
#include "../style.h"

#include <string.h>

enum step {
    STEP_ASKED,    /* CreateGuest has not been answered yet */
    STEP_MAKING,   /* there is a job */
    STEP_STARTING, /* there is a guest */
    STEP_OVER
};

struct progress {
    struct model *model;
    struct progress_calls calls;
    gpointer user;
    enum step step;
    struct wizard_request request;
    char *job, *guest; /* paths; NULL: not yet */
    gboolean mine;     /* this program has asked for it, and starts it */
    gboolean seen, started, shown, failed;
    gboolean dead; /* freed by its owner while CreateGuest is not answered */
    GtkWidget *page, *title, *text, *bar, *left, *problem, *stop, *close;
};

/* ---- texts ---- */

char *progress_time_words(int seconds)
{
    int minutes = (seconds + 30) / 60;
    if (seconds < 0)
        return g_strdup("");
    if (seconds < 10)
        return g_strdup("A few seconds left");
    if (seconds < 60)
        return g_strdup_printf("About %d seconds left", (seconds + 9) / 10 * 10);
    if (minutes < 90)
        return g_strdup_printf("About %d minute%s left", minutes, minutes == 1 ? "" : "s");
    return g_strdup_printf("About %d hours left", (minutes + 30) / 60);
}

static void set_title(struct progress *progress, const char *format)
{
    g_auto(GStrv) parts = g_strsplit(format, "%s", 2);
    g_autofree char *title = g_strconcat(parts[0], progress->request.name, parts[1], NULL);
    gtk_label_set_text(GTK_LABEL(progress->title), title);
    page_speak(progress->bar, title, NULL);
}

/* fraction below 0: nobody knows; the bar is then not shown, for a moving one costs a processor. */
static void set_done(struct progress *progress, double fraction, int seconds)
{
    g_autofree char *left = progress_time_words(seconds), *part = g_strdup_printf("%.0f %%", fraction * 100);
    g_autofree char *words = g_strdup_printf("%s%s%s", part, *left ? "  \302\267  " : "", left);
    gtk_widget_set_visible(progress->bar, fraction >= 0);
    gtk_progress_bar_set_fraction(GTK_PROGRESS_BAR(progress->bar), CLAMP(fraction, 0, 1));
    gtk_label_set_text(GTK_LABEL(progress->left), fraction < 0 ? left : words);
    gtk_widget_set_visible(progress->left, fraction >= 0 || *left);
}

static void end(struct progress *progress, const char *title, const char *sentence)
{
    progress->step = STEP_OVER;
    progress->failed = sentence != NULL;
    set_title(progress, title);
    set_done(progress, -1, -1);
    gtk_widget_hide(progress->text);
    gtk_label_set_text(GTK_LABEL(progress->problem), sentence ? sentence : "");
    gtk_widget_set_visible(progress->problem, sentence != NULL);
    gtk_button_set_label(GTK_BUTTON(progress->close), "C_lose");
    gtk_button_set_label(GTK_BUTTON(progress->stop), "_Back to the answers");
    gtk_widget_set_visible(progress->stop, sentence && progress->mine);
    gtk_widget_set_sensitive(progress->stop, TRUE);
    page_speak(progress->stop, "Back to the answers", "Corrects them, and tries again");
    page_speak(progress->close, "Close", "Goes back to the guests");
}

/* ---- steps ---- */

static void leave(struct progress *progress, gboolean back)
{
    progress->calls.left(back, progress->user);
}

static void begin_start(struct progress *progress, const char *guest)
{
    g_free(progress->guest);
    progress->guest = g_strdup(guest);
    if (!progress->mine) {
        end(progress, "%s is ready", NULL);
        return;
    }
    progress->step = STEP_STARTING;
    set_title(progress, "%s is ready");
    set_done(progress, -1, -1);
    gtk_label_set_text(GTK_LABEL(progress->text), "It is starting, and comes on screen in a moment.");
    gtk_widget_hide(progress->stop);
    page_speak(progress->close, NULL, "Goes back to the guests; it starts all the same");
}

static void update_making(struct progress *progress)
{
    RhJob1 *job = model_find_job(progress->model, progress->job);
    const char *state = job ? rh_job1_get_state(job) : NULL;
    if (!job && progress->seen && model_manager(progress->model))
        end(progress, "What became of %s is not known",
            "The service that made it has been started anew. If it is not among the guests, nothing is left of it.");
    if (!job)
        return;
    progress->seen = TRUE;
    if (g_str_equal(state, "done"))
        begin_start(progress, rh_job1_get_result(job));
    else if (g_str_equal(state, "failed"))
        end(progress, "%s could not be made", rh_job1_get_error(job));
    else if (g_str_equal(state, "cancelled"))
        end(progress, "%s was not made", NULL);
    else {
        gboolean cancelling = g_str_equal(state, "cancelling");
        set_done(progress, rh_job1_get_progress(job), cancelling ? -1 : rh_job1_get_seconds_left(job));
        gtk_widget_set_sensitive(progress->stop, !cancelling);
        if (cancelling)
            gtk_label_set_text(GTK_LABEL(progress->text), "Taking away what was made so far \342\200\246");
    }
}

/* Its installer is started once only: what runs is not touched by that, and the next start is from the disk. */
static void was_started(struct progress *progress, RhGuest1 *guest)
{
    if (progress->request.then)
        model_set_settings(progress->model, guest, progress->request.then);
    g_clear_pointer(&progress->request.then, g_variant_unref);
    guint screen = rh_guest1_get_screen(guest);
    if (!screen && progress->shown)
        return; /* its picture comes a moment later */
    progress->step = STEP_OVER;
    if (!progress->shown)
        return;
    leave(progress, FALSE);
    progress->calls.switch_to(screen, progress->calls.switch_user);
}

static void update_starting(struct progress *progress)
{
    RhGuest1 *guest = model_find_guest(progress->model, progress->guest);
    if (!guest)
        return;
    const char *error = rh_guest1_get_error(guest);
    if (!progress->started) {
        progress->started = TRUE;
        model_act(progress->model, guest, ACTION_START);
    } else if (guest_is_live(guest))
        was_started(progress, guest);
    else if ((guest_is(guest, GUEST_OFF) || guest_is(guest, GUEST_CRASHED)) && error && *error) {
        progress->mine = FALSE; /* the guest is there: the answers are of no use any more */
        end(progress, "%s is ready, but did not start", error);
    }
}

void progress_update(struct progress *progress)
{
    if (progress->step == STEP_MAKING)
        update_making(progress);
    if (progress->step == STEP_STARTING)
        update_starting(progress);
}

/* ---- buttons ---- */

static void stop_clicked(GtkButton *button, gpointer data)
{
    struct progress *progress = data;
    RhJob1 *job = progress->job ? model_find_job(progress->model, progress->job) : NULL;
    (void)button;
    if (progress->step == STEP_OVER)
        leave(progress, TRUE);
    else if (job)
        model_cancel_job(progress->model, job);
}

static void close_clicked(GtkButton *button, gpointer data)
{
    (void)button;
    leave(data, FALSE);
}

static void build(struct progress *progress)
{
    GtkWidget *buttons = gtk_box_new(GTK_ORIENTATION_HORIZONTAL, 10);
    progress->page = g_object_ref_sink(gtk_box_new(GTK_ORIENTATION_VERTICAL, 14));
    progress->title = style_label("wizard-title", 0);
    progress->text = page_line("It goes on when you close this, and it can be cancelled until it is done.");
    progress->bar = gtk_progress_bar_new();
    progress->left = style_label("quiet", 0);
    progress->problem = page_line("");
    progress->stop = page_button("_Cancel", "secondary", "Ends it; nothing of the new guest is left",
                                 G_CALLBACK(stop_clicked), progress);
    progress->close =
        page_button("C_lose, it goes on", "primary", "Goes back to the guests; the new one is made all the same",
                    G_CALLBACK(close_clicked), progress);
    gtk_label_set_ellipsize(GTK_LABEL(progress->title), PANGO_ELLIPSIZE_MIDDLE);
    style_toggle(progress->problem, "error", TRUE);
    gtk_widget_set_no_show_all(progress->problem, TRUE);
    gtk_box_pack_start(GTK_BOX(buttons), progress->stop, FALSE, FALSE, 0);
    gtk_box_pack_end(GTK_BOX(buttons), progress->close, FALSE, FALSE, 0);
    GtkWidget *const parts[] = {progress->title, progress->text,    progress->bar,
                                progress->left,  progress->problem, buttons};
    for (gsize i = 0; i < G_N_ELEMENTS(parts); i++)
        gtk_box_pack_start(GTK_BOX(progress->page), parts[i], FALSE, FALSE, 0);
    gtk_widget_set_valign(progress->page, GTK_ALIGN_CENTER);
    set_title(progress, "Making %s");
    gtk_widget_show_all(progress->page);
    set_done(progress, 0, -1);
}

/* ---- its life ---- */

static struct progress *begin(struct model *model, const struct progress_calls *calls, gpointer user, char *name)
{
    struct progress *progress = g_new0(struct progress, 1);
    progress->model = model;
    progress->calls = *calls;
    progress->user = user;
    progress->request.name = name;
    return progress;
}

static void release(struct progress *progress)
{
    wizard_request_clear(&progress->request);
    g_free(progress->job);
    g_free(progress->guest);
    g_free(progress);
}

static void created(const char *job, const char *sentence, gpointer data)
{
    struct progress *progress = data;
    if (progress->dead) {
        release(progress);
        return;
    }
    if (!job) {
        end(progress, "%s could not be made", sentence);
        return;
    }
    progress->job = g_strdup(job);
    progress->step = STEP_MAKING;
    gtk_widget_set_sensitive(progress->stop, TRUE);
    progress_update(progress);
}

struct progress *progress_new(struct model *model, struct wizard_request *request, const struct progress_calls *calls,
                              gpointer user)
{
    struct progress *progress = begin(model, calls, user, NULL);
    progress->request = *request;
    *request = (struct wizard_request){0};
    progress->mine = TRUE;
    build(progress);
    gtk_widget_set_sensitive(progress->stop, FALSE); /* until there is something to cancel */
    model_create(model, progress->request.arguments, progress->request.files, created, progress);
    g_clear_object(&progress->request.files);
    return progress;
}

struct progress *progress_of_job(struct model *model, RhJob1 *job, const struct progress_calls *calls, gpointer user)
{
    struct progress *progress = begin(model, calls, user, g_strdup(rh_job1_get_guest(job)));
    progress->job = g_strdup(g_dbus_proxy_get_object_path(G_DBUS_PROXY(job)));
    progress->step = STEP_MAKING;
    build(progress);
    progress_update(progress);
    return progress;
}

void progress_free(struct progress *progress)
{
    gtk_widget_destroy(progress->page);
    g_object_unref(progress->page);
    progress->dead = TRUE;
    if (progress->step != STEP_ASKED)
        release(progress);
}

GtkWidget *progress_widget(struct progress *progress)
{
    return progress->page;
}

GtkWidget *progress_first(struct progress *progress)
{
    return progress->close;
}

void progress_set_shown(struct progress *progress, gboolean shown)
{
    progress->shown = shown;
}

gboolean progress_is_of(const struct progress *progress, RhJob1 *job)
{
    return g_strcmp0(progress->job, g_dbus_proxy_get_object_path(G_DBUS_PROXY(job))) == 0;
}

gboolean progress_is_over(const struct progress *progress)
{
    return progress->step == STEP_OVER;
}
