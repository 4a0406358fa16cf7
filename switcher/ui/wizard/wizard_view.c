/* The frame around the wizard's pages: question, why, what is to be said of the answer, and the buttons. */
#include "pages.h"
#include "progress.h"
#include "../style.h"

#include <string.h>

#define COLUMN_WIDTH 600 /* as the lines are long that people read easily */
#define PAGE_HEIGHT  440 /* what a screen of 800x600 has room for */

struct wizard_view {
    struct model *model;
    struct wizard_view_calls calls;
    gpointer user;
    gboolean open;
    struct wizard *wizard; /* NULL: no guest is asked about */
    GHashTable *settings;  /* of guests, by the path of their objects: GVariant, or NULL while they are asked for */
    GCancellable *cancellable;
    GPtrArray *files;
    enum wizard_source files_of;
    GPtrArray *makings;       /* struct progress */
    struct progress *showing; /* one of them; NULL: a page with a question is on screen */
    GtkWidget *column, *ask, *step, *title, *why, *scroll, *holder, *box, *said, *cancel, *back, *next;
};

struct wizard_page_kind {
    const char *title; /* the question */
    const char *why;   /* a line that says why it is asked, or what goes well */
    /* Makes its widgets in a vertical box; gives the one that has the keyboard first. */
    GtkWidget *(*fill)(struct wizard_view *view, GtkBox *box);
};

static const struct wizard_page_kind wizard_page_kinds[WIZARD_PAGE_COUNT] = {
    [WIZARD_PAGE_SOURCE] = {"What is the guest made from?", "A guest is a computer of its own, inside this one.",
                            page_source_fill},
    [WIZARD_PAGE_FILE] = {"Which file?", "It is looked at before anything is made.", page_file_fill},
    [WIZARD_PAGE_GUEST] = {"Which guest is copied?", "The copy begins as that guest is now, and goes its own way.",
                           page_guest_fill},
    [WIZARD_PAGE_NAME] = {"What is it called?", "The name is on its card and on the bar. It can be changed later.",
                          page_name_fill},
    [WIZARD_PAGE_MEMORY] = {"How much memory does it get?", "It has this for itself as long as it runs.",
                            page_memory_fill},
    [WIZARD_PAGE_DISK] = {"How large is its disk?", "It takes room only as it is written to, and it can grow later.",
                          page_disk_fill},
    [WIZARD_PAGE_SUMMARY] = {"Make this guest?", "Nothing has been made yet. Each answer can still be changed.",
                             page_summary_fill},
    [WIZARD_PAGE_PROCESSORS] = {"How many processors does it get?",
                                "Guests share the computer's processors; two serve most.", page_processors_fill},
    [WIZARD_PAGE_FIRMWARE] = {"Which firmware starts it?",
                              "The system on its disk was installed with one of them, and needs that.",
                              page_firmware_fill},
    [WIZARD_PAGE_WINDOWS] = {"Which kind of system is it?", "Systems expect different things of a computer.",
                             page_windows_fill},
    [WIZARD_PAGE_NETWORK] = {"Which network is it on?", "Without one its installer may have nothing to fetch from.",
                             page_network_fill},
};

struct wizard *wizard_view_wizard(struct wizard_view *view)
{
    return view->wizard;
}

/* ---- what the machine is like ---- */

static void settings_told(GObject *source, GAsyncResult *result, gpointer data)
{
    struct wizard_view *view = data;
    GVariant *settings = NULL;
    if (!rh_guest1_call_get_settings_finish(RH_GUEST1(source), &settings, result, NULL))
        return; /* it cannot be cloned then */
    g_hash_table_insert(view->settings, g_strdup(g_dbus_proxy_get_object_path(G_DBUS_PROXY(source))), settings);
    wizard_view_update(view);
}

/* Asked once for each guest and wizard. */
static GVariant *settings_of(struct wizard_view *view, RhGuest1 *guest)
{
    const char *path = g_dbus_proxy_get_object_path(G_DBUS_PROXY(guest));
    if (!g_hash_table_contains(view->settings, path)) {
        g_hash_table_insert(view->settings, g_strdup(path), NULL);
        rh_guest1_call_get_settings(guest, NULL, settings_told, view);
    }
    return g_hash_table_lookup(view->settings, path);
}

static void settings_free(gpointer data)
{
    if (data)
        g_variant_unref(data);
}

static void take_facts(struct wizard_view *view)
{
    struct wizard_facts *facts = wizard_facts(view->wizard);
    RhManager1 *manager = model_manager(view->model);
    GPtrArray *guests = model_guests(view->model);
    if (!manager)
        return;
    facts->memory_kib = rh_manager1_get_total_memory(manager);
    facts->free_memory_kib = rh_manager1_get_free_memory(manager);
    facts->pool_bytes = rh_manager1_get_pool_size(manager);
    facts->pool_free_bytes = rh_manager1_get_pool_free(manager);
    facts->slots = 0;
    g_ptr_array_set_size(facts->guests, 0);
    for (guint i = 0; i < guests->len; i++) {
        RhGuest1 *guest = g_ptr_array_index(guests, i);
        facts->slots |= 1u << MIN(rh_guest1_get_slot(guest), 31) | 1u << MIN(rh_guest1_get_screen(guest), 31);
        wizard_add_guest(view->wizard, rh_guest1_get_name(guest), guest_is(guest, GUEST_OFF), settings_of(view, guest));
    }
}

/* ---- a page ---- */

/* Which of how many questions this is; 0: one that is not in line. */
static guint count_steps(struct wizard_view *view, guint *all)
{
    guint here = 0;
    *all = 0;
    for (enum wizard_page page = 0; page <= WIZARD_PAGE_SUMMARY; page++) {
        *all += wizard_asks(view->wizard, page);
        if (page == wizard_page(view->wizard))
            here = *all;
    }
    return here;
}

static void show_step(struct wizard_view *view)
{
    guint all, here = count_steps(view, &all);
    g_autofree char *step = here ? g_strdup_printf("New guest  \302\267  %u of %u", here, all) : g_strdup("New guest");
    gtk_label_set_text(GTK_LABEL(view->step), step);
}

void wizard_view_changed(struct wizard_view *view)
{
    static const char *const classes[] = {[WIZARD_HINT] = "hint", [WIZARD_WAIT] = "quiet", [WIZARD_WRONG] = "error"};
    g_autofree char *sentence = NULL;
    enum wizard_level level = wizard_check(view->wizard, wizard_page(view->wizard), &sentence);
    for (enum wizard_level i = WIZARD_HINT; i <= WIZARD_WRONG; i++)
        style_toggle(view->said, classes[i], i == level);
    gtk_label_set_text(GTK_LABEL(view->said), sentence ? sentence : "");
    gtk_widget_set_visible(view->said, sentence != NULL);
    page_speak(view->said, sentence ? sentence : "", NULL);
    gtk_widget_set_sensitive(view->next, level <= WIZARD_HINT);
    show_step(view);
}

static void show_buttons(struct wizard_view *view)
{
    gboolean last = wizard_page(view->wizard) == WIZARD_PAGE_SUMMARY;
    gtk_widget_set_sensitive(view->back, wizard_page(view->wizard) != WIZARD_PAGE_SOURCE);
    gtk_button_set_label(GTK_BUTTON(view->next), last ? "_Make the guest" : "_Next");
    page_speak(view->next, last ? "Make the guest" : "Next", last ? "Makes it, and starts it" : "To the next question");
}

void wizard_view_refill(struct wizard_view *view)
{
    const struct wizard_page_kind *kind = &wizard_page_kinds[wizard_page(view->wizard)];
    if (view->box)
        gtk_widget_destroy(view->box);
    view->box = gtk_box_new(GTK_ORIENTATION_VERTICAL, 8);
    gtk_label_set_text(GTK_LABEL(view->title), kind->title);
    gtk_label_set_text(GTK_LABEL(view->why), kind->why);
    GtkWidget *first = kind->fill(view, GTK_BOX(view->box));
    gtk_box_pack_start(GTK_BOX(view->holder), view->box, FALSE, FALSE, 0);
    gtk_container_set_focus_vadjustment(GTK_CONTAINER(view->box),
                                        gtk_scrolled_window_get_vadjustment(GTK_SCROLLED_WINDOW(view->scroll)));
    gtk_widget_show_all(view->box);
    page_speak(view->box, kind->title, kind->why);
    show_buttons(view);
    wizard_view_changed(view);
    gtk_widget_grab_focus(first ? first : view->next);
}

void wizard_view_change(struct wizard_view *view, enum wizard_page page)
{
    wizard_change(view->wizard, page);
    wizard_view_refill(view);
}

/* ---- files ---- */

GPtrArray *wizard_view_files(struct wizard_view *view)
{
    if (view->files_of != wizard_source(view->wizard))
        return NULL;
    return view->files;
}

static void files_found(GObject *source, GAsyncResult *result, gpointer data)
{
    struct wizard_view *view = data;
    GPtrArray *files = wizard_files_find_finish(result, NULL);
    (void)source;
    if (!files)
        return; /* cancelled: the view asks about something else by now */
    g_clear_pointer(&view->files, g_ptr_array_unref);
    view->files = files;
    if (wizard_page(view->wizard) == WIZARD_PAGE_FILE)
        wizard_view_refill(view);
}

static void cancel_work(struct wizard_view *view)
{
    g_cancellable_cancel(view->cancellable);
    g_clear_object(&view->cancellable);
    view->cancellable = g_cancellable_new();
}

void wizard_view_find_files(struct wizard_view *view)
{
    cancel_work(view);
    g_clear_pointer(&view->files, g_ptr_array_unref);
    view->files_of = wizard_source(view->wizard);
    wizard_files_find(&wizard_places, view->files_of, view->cancellable, files_found, view);
    if (wizard_page(view->wizard) == WIZARD_PAGE_FILE)
        wizard_view_refill(view);
}

static void was_looked_at(GObject *source, GAsyncResult *result, gpointer data)
{
    struct wizard_view *view = data;
    struct wizard_look *look = wizard_look_finish(result, NULL);
    (void)source;
    if (!look)
        return;
    wizard_set_looked(view->wizard, look->path, &look->medium, g_steal_pointer(&look->system), look->error);
    wizard_look_free(look);
    wizard_view_changed(view);
}

void wizard_view_look(struct wizard_view *view)
{
    cancel_work(view);
    wizard_look(wizard_file(view->wizard), OSINFO_PROGRAM, view->cancellable, was_looked_at, view);
}

/* ---- opening and closing ---- */

static void show_progress(struct wizard_view *view, struct progress *progress)
{
    if (view->showing) {
        progress_set_shown(view->showing, FALSE);
        gtk_container_remove(GTK_CONTAINER(view->column), progress_widget(view->showing));
    }
    view->showing = progress;
    gtk_widget_set_visible(view->ask, !progress);
    if (!progress)
        return;
    progress_set_shown(progress, TRUE);
    gtk_box_pack_start(GTK_BOX(view->column), progress_widget(progress), TRUE, TRUE, 0);
    gtk_widget_grab_focus(progress_first(progress));
}

static void forget_answers(struct wizard_view *view)
{
    cancel_work(view);
    g_clear_pointer(&view->files, g_ptr_array_unref);
    g_hash_table_remove_all(view->settings);
    g_clear_pointer(&view->wizard, wizard_free);
}

static void forget_finished(struct wizard_view *view)
{
    for (guint i = view->makings->len; i-- > 0;) {
        struct progress *progress = g_ptr_array_index(view->makings, i);
        if (progress_is_over(progress) && progress != view->showing)
            g_ptr_array_remove_index(view->makings, i);
    }
}

static void close_view(struct wizard_view *view)
{
    show_progress(view, NULL);
    forget_answers(view);
    view->open = FALSE;
    view->calls.closed(view->user);
}

static void left_progress(gboolean back, gpointer data)
{
    struct wizard_view *view = data;
    if (!back || !view->wizard) {
        close_view(view);
        return;
    }
    show_progress(view, NULL);
    take_facts(view);
    wizard_view_refill(view);
}

void wizard_view_open(struct wizard_view *view)
{
    show_progress(view, NULL);
    forget_answers(view);
    view->wizard = wizard_new();
    view->open = TRUE;
    struct wizard_facts *facts = wizard_facts(view->wizard);
    wizard_find_installer(INSTALLER_FOLDER, &facts->installer_kernel, &facts->installer_ramdisk);
    take_facts(view);
    wizard_view_refill(view);
}

static struct progress_calls progress_calls(struct wizard_view *view)
{
    return (struct progress_calls){left_progress, view->calls.switch_to, view->user};
}

void wizard_view_open_job(struct wizard_view *view, RhJob1 *job)
{
    struct progress *progress = NULL;
    struct progress_calls calls = progress_calls(view);
    for (guint i = 0; i < view->makings->len && !progress; i++) {
        if (progress_is_of(g_ptr_array_index(view->makings, i), job))
            progress = g_ptr_array_index(view->makings, i);
    }
    if (!progress) {
        progress = progress_of_job(view->model, job, &calls, view);
        g_ptr_array_add(view->makings, progress);
    }
    view->open = TRUE;
    show_progress(view, progress);
}

gboolean wizard_view_is_open(struct wizard_view *view)
{
    return view->open;
}

/* A page whose offer has changed is made anew, unless somebody is typing in it. */
void wizard_view_update(struct wizard_view *view)
{
    if (view->wizard) {
        gboolean clones = wizard_offers(view->wizard, WIZARD_CLONE);
        take_facts(view);
        if (wizard_page(view->wizard) == WIZARD_PAGE_SOURCE && clones != wizard_offers(view->wizard, WIZARD_CLONE))
            wizard_view_refill(view);
        else
            wizard_view_changed(view);
    }
    for (guint i = 0; i < view->makings->len; i++)
        progress_update(g_ptr_array_index(view->makings, i));
    forget_finished(view);
}

/* ---- buttons and keys ---- */

static void make(struct wizard_view *view)
{
    struct wizard_request request;
    struct progress_calls calls = progress_calls(view);
    g_autoptr(GError) error = NULL;
    if (!wizard_request_make(view->wizard, &request, &error)) {
        view->calls.failed(error->message, view->user);
        return;
    }
    struct progress *progress = progress_new(view->model, &request, &calls, view);
    g_ptr_array_add(view->makings, progress);
    show_progress(view, progress);
}

static void go_on(struct wizard_view *view)
{
    if (wizard_page(view->wizard) == WIZARD_PAGE_SUMMARY) {
        make(view);
        return;
    }
    if (!wizard_next(view->wizard))
        return;
    if (wizard_page(view->wizard) == WIZARD_PAGE_FILE && !wizard_view_files(view))
        wizard_view_find_files(view);
    else
        wizard_view_refill(view);
}

static void go_back(struct wizard_view *view)
{
    if (wizard_back(view->wizard))
        wizard_view_refill(view);
    else
        close_view(view);
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

static void cancel_clicked(GtkButton *button, gpointer data)
{
    (void)button;
    close_view(data);
}

/* Enter on an answer goes on; on a button it is the button's. */
static gboolean is_answer(GtkWidget *focus)
{
    return focus && (GTK_IS_RADIO_BUTTON(focus) || GTK_IS_ENTRY(focus));
}

gboolean wizard_view_key(struct wizard_view *view, guint key)
{
    GtkWidget *focus = gtk_window_get_focus(GTK_WINDOW(gtk_widget_get_toplevel(view->column)));
    gboolean enter = key == GDK_KEY_Return || key == GDK_KEY_KP_Enter;
    if (key == GDK_KEY_Escape && view->showing)
        close_view(view);
    else if (key == GDK_KEY_Escape)
        go_back(view);
    else if (enter && !view->showing && is_answer(focus))
        go_on(view);
    else
        return FALSE;
    return TRUE;
}

/* ---- construction ---- */

static GtkWidget *build_buttons(struct wizard_view *view)
{
    GtkWidget *row = gtk_box_new(GTK_ORIENTATION_HORIZONTAL, 10);
    view->cancel = page_button("_Cancel", "secondary", "Goes back to the guests; nothing is made",
                               G_CALLBACK(cancel_clicked), view);
    view->back =
        page_button("_Back", "secondary", "To the question before; answers stay", G_CALLBACK(back_clicked), view);
    view->next = page_button("_Next", "primary", NULL, G_CALLBACK(next_clicked), view);
    gtk_box_pack_start(GTK_BOX(row), view->cancel, FALSE, FALSE, 0);
    gtk_box_pack_end(GTK_BOX(row), view->next, FALSE, FALSE, 0);
    gtk_box_pack_end(GTK_BOX(row), view->back, FALSE, FALSE, 0);
    return row;
}

static GtkWidget *build_scroll(void)
{
    GtkWidget *scroll = gtk_scrolled_window_new(NULL, NULL);
    gtk_scrolled_window_set_policy(GTK_SCROLLED_WINDOW(scroll), GTK_POLICY_NEVER, GTK_POLICY_AUTOMATIC);
    gtk_scrolled_window_set_propagate_natural_height(GTK_SCROLLED_WINDOW(scroll), TRUE);
    gtk_widget_set_can_focus(scroll, FALSE);
    return scroll;
}

static void build(struct wizard_view *view)
{
    view->column = gtk_box_new(GTK_ORIENTATION_VERTICAL, 0);
    view->ask = gtk_box_new(GTK_ORIENTATION_VERTICAL, 10);
    view->step = style_label("quiet", 0);
    view->title = style_label("wizard-title", 0);
    view->why = page_line("");
    view->scroll = build_scroll();
    view->holder = gtk_box_new(GTK_ORIENTATION_VERTICAL, 0);
    gtk_widget_set_margin_top(view->holder, 8);
    gtk_container_add(GTK_CONTAINER(view->scroll), view->holder);
    view->said = page_line("");
    gtk_widget_set_no_show_all(view->said, TRUE);
    GtkWidget *const parts[] = {view->step, view->title, view->why, view->scroll};
    for (gsize i = 0; i < G_N_ELEMENTS(parts); i++)
        gtk_box_pack_start(GTK_BOX(view->ask), parts[i], parts[i] == view->scroll, TRUE, 0);
    gtk_box_pack_end(GTK_BOX(view->ask), build_buttons(view), FALSE, FALSE, 0);
    gtk_box_pack_end(GTK_BOX(view->ask), view->said, FALSE, FALSE, 4); /* in sight, however long the list of files is */
    gtk_box_pack_start(GTK_BOX(view->column), view->ask, TRUE, TRUE, 0);
    gtk_widget_set_size_request(view->ask, COLUMN_WIDTH, PAGE_HEIGHT);
    gtk_widget_set_valign(view->ask, GTK_ALIGN_CENTER); /* no way from the answer to the buttons on a large screen */
    gtk_widget_set_size_request(view->column, COLUMN_WIDTH, -1);
    gtk_widget_set_halign(view->column, GTK_ALIGN_CENTER);
    style_toggle(view->column, "wizard", TRUE);
    gtk_widget_show_all(view->column);
}

struct wizard_view *wizard_view_new(struct model *model, const struct wizard_view_calls *calls, gpointer user)
{
    struct wizard_view *view = g_new0(struct wizard_view, 1);
    view->model = model;
    view->calls = *calls;
    view->user = user;
    view->settings = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, settings_free);
    view->makings = g_ptr_array_new_with_free_func((GDestroyNotify)(void (*)(void))progress_free);
    view->cancellable = g_cancellable_new();
    build(view);
    return view;
}

GtkWidget *wizard_view_widget(struct wizard_view *view)
{
    return view->column;
}
