/* The frame around the pages of the installation, and its talk with the installer. */
#include "install_view_private.h"
#include "passphrase.h"
#include "style.h"

#include <string.h>
#include <unistd.h>

#define COLUMN_WIDTH 640
#define PAGE_HEIGHT  440 /* what a screen of 800x600 has room for */
#define LOOK_SECONDS 1

static const struct install_secrets secrets = {passphrase_weakness, recovery_key_new, password_hash_new};

gboolean install_view_wanted(void)
{
    return access(INSTALLER_SOCKET, F_OK) == 0;
}

/* ---- a page ---- */

static gboolean is_busy(const struct install_view *view)
{
    return view->model->state == INSTALL_WORKING || view->model->state == INSTALL_STOPPING;
}

static void set_button(GtkWidget *button, const char *label, gboolean shown, gboolean sensitive)
{
    g_autofree char *name = g_strdup(label);
    char *underscore = strchr(name, '_');
    if (underscore)
        memmove(underscore, underscore + 1, strlen(underscore));
    gtk_button_set_label(GTK_BUTTON(button), label);
    page_speak(button, name, NULL);
    gtk_widget_set_visible(button, shown);
    gtk_widget_set_sensitive(button, sensitive);
}

static void show_buttons(struct install_view *view)
{
    enum install_page page = view->model->page;
    enum install_state state = view->model->state;
    gboolean over = page == INSTALL_PROGRESS, failed = state == INSTALL_FAILED;
    gboolean answered = !install_missing(view->model, page);
    set_button(view->leave,
               page == INSTALL_START ? "_Try"
               : over && !failed     ? "_Stop"
                                     : "_Cancel",
               state != INSTALL_DONE, state != INSTALL_STOPPING);
    set_button(view->back, failed ? "_Back to the answers" : "_Back", !over || failed, page != INSTALL_START);
    set_button(view->next, install_page_kinds[page].next, !over || state == INSTALL_DONE, answered);
}

void install_view_changed(struct install_view *view)
{
    const char *missing = install_missing(view->model, view->model->page);
    g_autofree char *plain = plain_text(missing, PLAIN_SENTENCE_MAX);
    style_toggle(view->said, "hint", TRUE);
    gtk_label_set_text(GTK_LABEL(view->said), plain);
    page_speak(view->said, plain, NULL);
    gtk_widget_set_visible(view->said, missing != NULL);
    gtk_widget_set_sensitive(view->next, !missing);
}

static const char *title_of(const struct install_view *view)
{
    static const char *const titles[] = {"", "It is being installed", "It is being stopped", "Roundhouse is installed",
                                         "Roundhouse was not installed"};
    if (view->model->page == INSTALL_PROGRESS)
        return titles[view->model->state];
    return install_page_kinds[view->model->page].title;
}

/* A button below the page that has the keyboard while the page is the same one; NULL: what is on the page gets it. */
static GtkWidget *button_with_keyboard(struct install_view *view)
{
    GtkWidget *window = gtk_widget_get_toplevel(view->column);
    GtkWidget *focus = GTK_IS_WINDOW(window) ? gtk_window_get_focus(GTK_WINDOW(window)) : NULL;
    gboolean is_button = focus && (focus == view->leave || focus == view->back || focus == view->next);
    return is_button && view->box && view->filled == view->model->page ? focus : NULL;
}

static void give_keyboard(struct install_view *view, GtkWidget *first)
{
    GtkWidget *const wanted[] = {first, view->next, view->leave, view->back};
    for (gsize i = 0; i < G_N_ELEMENTS(wanted); i++) {
        if (!wanted[i] || !gtk_widget_get_visible(wanted[i]) || !gtk_widget_get_sensitive(wanted[i]))
            continue;
        gtk_widget_grab_focus(wanted[i]);
        return;
    }
}

static void refill(struct install_view *view)
{
    const struct install_page_kind *kind = &install_page_kinds[view->model->page];
    GtkWidget *button = button_with_keyboard(view);
    g_clear_handle_id(&view->soon, g_source_remove);
    view->filled = view->model->page;
    if (view->box)
        gtk_widget_destroy(view->box);
    view->stage = view->left = view->bar = NULL;
    view->box = gtk_box_new(GTK_ORIENTATION_VERTICAL, 8);
    gtk_label_set_text(GTK_LABEL(view->title), title_of(view));
    gtk_label_set_text(GTK_LABEL(view->why), kind->why);
    GtkWidget *first = kind->fill(view, GTK_BOX(view->box));
    gtk_box_pack_start(GTK_BOX(view->holder), view->box, FALSE, FALSE, 0);
    gtk_container_set_focus_vadjustment(GTK_CONTAINER(view->box),
                                        gtk_scrolled_window_get_vadjustment(GTK_SCROLLED_WINDOW(view->scroll)));
    gtk_widget_show_all(view->box);
    page_speak(view->box, title_of(view), kind->why);
    show_buttons(view);
    install_view_changed(view);
    give_keyboard(view, button ? button : first);
}

static gboolean refill_now(gpointer data)
{
    struct install_view *view = data;
    view->soon = 0;
    refill(view);
    return G_SOURCE_REMOVE;
}

void install_view_refill_soon(struct install_view *view)
{
    if (!view->soon)
        view->soon = g_idle_add(refill_now, view);
}

/* ---- the installer ---- */

static void told(const struct record *record, gpointer data)
{
    struct install_view *view = data;
    install_take(view->model, record, g_get_monotonic_time());
    install_show_progress(view);
}

static struct install_link **link_of(struct install_view *view, const char *kind)
{
    return g_str_equal(kind, "check")   ? &view->check
           : g_str_equal(kind, "disks") ? &view->disks
           : g_str_equal(kind, "plan")  ? &view->plan
                                        : &view->run;
}

static void ended(const char *kind, gpointer data)
{
    struct install_view *view = data;
    *link_of(view, kind) = NULL;
    install_ended(view->model, kind);
    if (g_str_equal(kind, "install"))
        g_clear_handle_id(&view->timer, g_source_remove);
    /* A page that somebody types on stays as it is. */
    if (view->model->page == INSTALL_ENCRYPTION)
        install_view_changed(view);
    else
        refill(view);
}

static const struct install_link_calls link_calls = {told, ended};

static void ask(struct install_view *view, const char *kind, const char *request)
{
    struct install_link **link = link_of(view, kind);
    install_link_drop(*link);
    install_begin(view->model, kind);
    *link = install_link_new(kind, request, &link_calls, view);
}

void install_view_plan(struct install_view *view)
{
    const struct install_disk *disk = install_disk(view->model);
    const char *why;
    if (!disk || view->model->use < 0 || !install_use_offered(disk, view->model->use, &why))
        return;
    char *request = install_request_plan(view->model);
    ask(view, "plan", request);
    install_request_free(request);
}

static gboolean look(gpointer data)
{
    install_show_progress(data);
    return G_SOURCE_CONTINUE;
}

static void begin(struct install_view *view)
{
    char *request = install_request(view->model);
    if (!request)
        return;
    ask(view, "install", request);
    install_request_free(request);
    view->timer = g_timeout_add_seconds(LOOK_SECONDS, look, view);
    refill(view);
}

/* ---- opening and closing ---- */

/* What is under way ends with its connection, and answers are forgotten. */
static void forget(struct install_view *view)
{
    static const char *const kinds[] = {"check", "disks", "plan", "install"};
    for (gsize i = 0; i < G_N_ELEMENTS(kinds); i++) {
        install_link_drop(*link_of(view, kinds[i]));
        *link_of(view, kinds[i]) = NULL;
    }
    g_clear_handle_id(&view->timer, g_source_remove);
    g_clear_handle_id(&view->soon, g_source_remove);
    g_clear_pointer(&view->keys, install_keys_free);
    g_clear_pointer(&view->model, install_model_free);
}

static void close_view(struct install_view *view)
{
    if (view->box)
        gtk_widget_destroy(view->box);
    view->box = view->stage = view->left = view->bar = NULL;
    forget(view);
    view->open = FALSE;
    view->calls->closed(view->user);
}

void install_view_open(struct install_view *view)
{
    forget(view);
    view->model = install_model_new(&secrets);
    view->open = TRUE;
    ask(view, "check", "check\nend\n");
    ask(view, "disks", "disks\nend\n");
    refill(view);
}

gboolean install_view_is_open(struct install_view *view)
{
    return view->open;
}

/* ---- buttons and keys ---- */

static void go_on(struct install_view *view)
{
    if (view->model->state == INSTALL_DONE)
        view->calls->restart(view->user);
    else if (view->model->page == INSTALL_SUMMARY && !install_missing(view->model, INSTALL_SUMMARY))
        begin(view);
    else if (install_next(view->model))
        refill(view);
}

static void go_back(struct install_view *view)
{
    if (view->model->state == INSTALL_FAILED) {
        view->model->state = INSTALL_ASKING;
        view->model->page = INSTALL_SUMMARY;
        install_view_plan(view);
        refill(view);
    } else if (install_back(view->model)) {
        refill(view);
    }
}

static void go_away(struct install_view *view)
{
    if (view->model->state == INSTALL_WORKING) {
        view->model->state = INSTALL_STOPPING;
        install_link_stop(view->run);
        refill(view);
    } else if (!is_busy(view) && view->model->state != INSTALL_DONE) {
        close_view(view);
    }
}

static void next_clicked(GtkButton *button, gpointer data)
{
    (void)button;
    go_on(data);
}

static void back_clicked(GtkButton *button, gpointer data)
{
    (void)button;
    go_back(data);
}

static void leave_clicked(GtkButton *button, gpointer data)
{
    (void)button;
    go_away(data);
}

/* Enter on an answer goes on; on a button it is the button's. Escape goes back, and never further than that. */
gboolean install_view_key(struct install_view *view, const GdkEventKey *event)
{
    GtkWidget *focus = gtk_window_get_focus(GTK_WINDOW(gtk_widget_get_toplevel(view->column)));
    gboolean down = event->type == GDK_KEY_PRESS;
    gboolean enter = down && (event->keyval == GDK_KEY_Return || event->keyval == GDK_KEY_KP_Enter);
    if (view->keys && install_keys_event(view->keys, event, GTK_IS_ENTRY(focus) ? GTK_ENTRY(focus) : NULL))
        return TRUE;
    if (down && event->keyval == GDK_KEY_Escape)
        go_back(view);
    else if (enter && (GTK_IS_ENTRY(focus) || GTK_IS_RADIO_BUTTON(focus)))
        go_on(view);
    else
        return FALSE;
    return TRUE;
}

/* ---- construction ---- */

static GtkWidget *label(GtkWidget *column, const char *class_name)
{
    GtkWidget *made = page_line("");
    style_toggle(made, "quiet", FALSE);
    style_toggle(made, class_name, TRUE);
    gtk_box_pack_start(GTK_BOX(column), made, FALSE, FALSE, 0);
    return made;
}

static GtkWidget *build_buttons(struct install_view *view)
{
    GtkWidget *row = gtk_box_new(GTK_ORIENTATION_HORIZONTAL, 12);
    view->leave = page_button("_Cancel", "secondary", NULL, G_CALLBACK(leave_clicked), view);
    view->back = page_button("_Back", "secondary", NULL, G_CALLBACK(back_clicked), view);
    view->next = page_button("_Next", "primary", NULL, G_CALLBACK(next_clicked), view);
    gtk_box_pack_start(GTK_BOX(row), view->leave, FALSE, FALSE, 0);
    gtk_box_pack_end(GTK_BOX(row), view->next, FALSE, FALSE, 0);
    gtk_box_pack_end(GTK_BOX(row), view->back, FALSE, FALSE, 0);
    return row;
}

struct install_view *install_view_new(const struct install_view_calls *calls, gpointer user)
{
    struct install_view *view = g_new0(struct install_view, 1);
    *view = (struct install_view){.calls = calls, .user = user};
    view->column = gtk_box_new(GTK_ORIENTATION_VERTICAL, 10);
    view->title = label(view->column, "wizard-title");
    view->why = label(view->column, "quiet");
    view->scroll = gtk_scrolled_window_new(NULL, NULL);
    view->holder = gtk_box_new(GTK_ORIENTATION_VERTICAL, 0);
    gtk_scrolled_window_set_policy(GTK_SCROLLED_WINDOW(view->scroll), GTK_POLICY_NEVER, GTK_POLICY_AUTOMATIC);
    gtk_container_add(GTK_CONTAINER(view->scroll), view->holder);
    gtk_box_pack_start(GTK_BOX(view->column), view->scroll, TRUE, TRUE, 0);
    view->said = label(view->column, "hint");
    gtk_widget_set_no_show_all(view->said, TRUE);
    gtk_box_pack_end(GTK_BOX(view->column), build_buttons(view), FALSE, FALSE, 0);
    gtk_widget_set_size_request(view->column, COLUMN_WIDTH, PAGE_HEIGHT);
    gtk_widget_set_halign(view->column, GTK_ALIGN_CENTER);
    style_toggle(view->column, "wizard", TRUE);
    return view;
}

GtkWidget *install_view_widget(struct install_view *view)
{
    return view->column;
}
