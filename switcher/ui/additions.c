/* The row below the cards. */
#include "additions.h"
#include "page_parts.h"
#include "style.h"

struct additions {
    GtkWidget *row, *add, *settings, *jobs;
    struct additions_calls calls;
    gpointer user;
};

static void add_clicked(GtkButton *button, gpointer data)
{
    struct additions *additions = data;
    (void)button;
    additions->calls.add(additions->user);
}

static void settings_clicked(GtkButton *button, gpointer data)
{
    struct additions *additions = data;
    (void)button;
    additions->calls.settings(additions->user);
}

static void install_clicked(GtkButton *button, gpointer data)
{
    struct additions *additions = data;
    (void)button;
    additions->calls.install(additions->user);
}

static void job_clicked(GtkButton *button, gpointer data)
{
    struct additions *additions = data;
    additions->calls.show(g_object_get_data(G_OBJECT(button), "job"), additions->user);
}

static gboolean is_under_way(RhJob1 *job)
{
    const char *state = rh_job1_get_state(job);
    return g_strcmp0(state, "running") == 0 || g_strcmp0(state, "cancelling") == 0;
}

static GtkWidget *find_button(struct additions *additions, RhJob1 *job)
{
    g_autoptr(GList) buttons = gtk_container_get_children(GTK_CONTAINER(additions->jobs));
    for (GList *button = buttons; button; button = button->next) {
        if (g_object_get_data(button->data, "job") == job)
            return button->data;
    }
    return NULL;
}

static GtkWidget *add_button(struct additions *additions, RhJob1 *job)
{
    GtkWidget *button = gtk_button_new(), *label = gtk_label_new_with_mnemonic("_Making");
    gtk_label_set_ellipsize(GTK_LABEL(label), PANGO_ELLIPSIZE_MIDDLE);
    gtk_label_set_max_width_chars(GTK_LABEL(label), 36);
    style_toggle(button, "secondary", TRUE);
    atk_object_set_description(gtk_widget_get_accessible(button), "Shows how far the new guest is");
    g_object_set_data_full(G_OBJECT(button), "job", g_object_ref(job), g_object_unref);
    g_signal_connect(button, "clicked", G_CALLBACK(job_clicked), additions);
    gtk_label_set_mnemonic_widget(GTK_LABEL(label), button);
    gtk_container_add(GTK_CONTAINER(button), label);
    gtk_box_pack_start(GTK_BOX(additions->jobs), button, FALSE, FALSE, 0);
    gtk_widget_show_all(button);
    return button;
}

static void remove_ended(struct additions *additions, GPtrArray *jobs)
{
    g_autoptr(GList) buttons = gtk_container_get_children(GTK_CONTAINER(additions->jobs));
    for (GList *button = buttons; button; button = button->next) {
        RhJob1 *job = g_object_get_data(button->data, "job");
        if (!g_ptr_array_find(jobs, job, NULL) || !is_under_way(job))
            gtk_widget_destroy(button->data);
    }
}

/* The same text again would lay the window out for nothing. */
static void set_label(GtkWidget *button, RhJob1 *job)
{
    double part = rh_job1_get_progress(job);
    g_autofree char *percent = part < 0 ? g_strdup("") : g_strdup_printf("  %.0f %%", part * 100);
    /* An underscore is an access key's, two are one. */
    g_auto(GStrv) parts = g_strsplit(rh_job1_get_guest(job), "_", -1);
    g_autofree char *name = g_strjoinv("__", parts);
    g_autofree char *text = g_strdup_printf("_Making %s \342\200\246%s", name, percent);
    GtkLabel *label = GTK_LABEL(gtk_bin_get_child(GTK_BIN(button)));
    if (g_strcmp0(gtk_label_get_label(label), text) == 0)
        return;
    gtk_label_set_text_with_mnemonic(label, text);
    atk_object_set_name(gtk_widget_get_accessible(button), gtk_label_get_text(label));
}

void additions_update(struct additions *additions, struct model *model, gboolean shown)
{
    GPtrArray *jobs = model_jobs(model);
    remove_ended(additions, jobs);
    for (guint i = 0; i < jobs->len; i++) {
        RhJob1 *job = g_ptr_array_index(jobs, i);
        GtkWidget *button = find_button(additions, job);
        if (is_under_way(job))
            set_label(button ? button : add_button(additions, job), job);
    }
    gtk_widget_set_visible(additions->row, shown && model_manager(model));
}

void additions_focus(struct additions *additions, gboolean settings)
{
    gtk_widget_grab_focus(settings ? additions->settings : additions->add);
}

GtkWidget *additions_widget(struct additions *additions)
{
    return additions->row;
}

struct additions *additions_new(const struct additions_calls *calls, gpointer user)
{
    struct additions *additions = g_new0(struct additions, 1);
    additions->calls = *calls;
    additions->user = user;
    additions->row = gtk_box_new(GTK_ORIENTATION_HORIZONTAL, 12);
    additions->jobs = gtk_box_new(GTK_ORIENTATION_HORIZONTAL, 12);
    additions->add = page_button("_Add a guest", "primary", "Asks a few questions, and makes a new guest",
                                 G_CALLBACK(add_clicked), additions);
    additions->settings = page_button("_Settings", "secondary", "Of this computer: sound, keys, storage, versions",
                                      G_CALLBACK(settings_clicked), additions);
    style_toggle(additions->row, "additions", TRUE);
    gtk_box_pack_start(GTK_BOX(additions->row), additions->add, FALSE, FALSE, 0);
    gtk_box_pack_start(GTK_BOX(additions->row), additions->jobs, FALSE, FALSE, 0);
    gtk_box_pack_start(GTK_BOX(additions->row), additions->settings, FALSE, FALSE, 0);
    if (calls->install)
        gtk_box_pack_start(GTK_BOX(additions->row),
                           page_button("_Install Roundhouse", "secondary", "Asks first what becomes of the disk",
                                       G_CALLBACK(install_clicked), additions),
                           FALSE, FALSE, 0);
    gtk_widget_set_halign(additions->row, GTK_ALIGN_CENTER);
    gtk_widget_show_all(additions->row);
    gtk_widget_set_no_show_all(additions->row, TRUE);
    gtk_widget_hide(additions->row);
    return additions;
}
