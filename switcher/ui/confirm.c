/* The question panel. */
#include "confirm.h"
#include "style.h"

struct confirm {
    GtkWidget *layer, *title, *text, *no, *yes;
    GtkWidget *focus_before;
    confirm_yes_fn on_yes;
    gpointer user;
    GDestroyNotify release;
};

static void close_question(struct confirm *confirm)
{
    gtk_widget_hide(confirm->layer);
    if (confirm->release)
        confirm->release(confirm->user);
    confirm->release = NULL;
    confirm->on_yes = NULL;
    if (confirm->focus_before) {
        gtk_widget_grab_focus(confirm->focus_before);
        g_object_remove_weak_pointer(G_OBJECT(confirm->focus_before), (gpointer *)&confirm->focus_before);
        confirm->focus_before = NULL;
    }
}

static void said_no(GtkButton *button, gpointer data)
{
    (void)button;
    close_question(data);
}

/* The panel is away before anything comes of the answer, which may put the keyboard elsewhere. */
static void said_yes(GtkButton *button, gpointer data)
{
    struct confirm *confirm = data;
    confirm_yes_fn on_yes = confirm->on_yes;
    GDestroyNotify release = confirm->release;
    gpointer user = confirm->user;
    (void)button;
    confirm->release = NULL;
    close_question(confirm);
    if (on_yes)
        on_yes(user);
    if (release)
        release(user);
}

/* However long names are. */
static void wrap(GtkWidget *label, int characters)
{
    gtk_label_set_line_wrap(GTK_LABEL(label), TRUE);
    gtk_label_set_line_wrap_mode(GTK_LABEL(label), PANGO_WRAP_WORD_CHAR);
    gtk_label_set_max_width_chars(GTK_LABEL(label), characters);
}

static GtkWidget *build_panel(struct confirm *confirm)
{
    GtkWidget *panel = gtk_box_new(GTK_ORIENTATION_VERTICAL, 12);
    GtkWidget *buttons = gtk_box_new(GTK_ORIENTATION_HORIZONTAL, 10);
    confirm->title = gtk_label_new(NULL);
    confirm->text = gtk_label_new(NULL);
    confirm->no = gtk_button_new_with_label("Cancel");
    confirm->yes = gtk_button_new_with_label("");
    gtk_label_set_xalign(GTK_LABEL(confirm->title), 0);
    gtk_label_set_xalign(GTK_LABEL(confirm->text), 0);
    wrap(confirm->title, 36);
    wrap(confirm->text, 46);
    style_toggle(panel, "panel", TRUE);
    style_toggle(confirm->title, "panel-title", TRUE);
    style_toggle(confirm->text, "panel-text", TRUE);
    style_toggle(confirm->no, "secondary", TRUE);
    style_toggle(confirm->yes, "danger", TRUE);
    g_signal_connect(confirm->no, "clicked", G_CALLBACK(said_no), confirm);
    g_signal_connect(confirm->yes, "clicked", G_CALLBACK(said_yes), confirm);
    gtk_box_pack_end(GTK_BOX(buttons), confirm->yes, FALSE, FALSE, 0);
    gtk_box_pack_end(GTK_BOX(buttons), confirm->no, FALSE, FALSE, 0);
    gtk_box_pack_start(GTK_BOX(panel), confirm->title, FALSE, FALSE, 0);
    gtk_box_pack_start(GTK_BOX(panel), confirm->text, FALSE, FALSE, 0);
    gtk_box_pack_start(GTK_BOX(panel), buttons, FALSE, FALSE, 0);
    gtk_widget_set_halign(panel, GTK_ALIGN_CENTER);
    gtk_widget_set_valign(panel, GTK_ALIGN_CENTER);
    return panel;
}

struct confirm *confirm_new(GtkOverlay *overlay)
{
    struct confirm *confirm = g_new0(struct confirm, 1);
    confirm->layer = gtk_event_box_new();
    gtk_container_add(GTK_CONTAINER(confirm->layer), build_panel(confirm));
    gtk_widget_show_all(gtk_bin_get_child(GTK_BIN(confirm->layer)));
    gtk_widget_set_no_show_all(confirm->layer, TRUE);
    style_toggle(confirm->layer, "dim", TRUE);
    gtk_overlay_add_overlay(overlay, confirm->layer);
    return confirm;
}

void confirm_ask(struct confirm *confirm, const char *title, const char *text, const char *yes_label,
                 confirm_yes_fn yes, gpointer user, GDestroyNotify release)
{
    GtkWidget *window = gtk_widget_get_toplevel(confirm->layer);
    confirm_cancel(confirm);
    confirm->on_yes = yes;
    confirm->user = user;
    confirm->release = release;
    confirm->focus_before = gtk_window_get_focus(GTK_WINDOW(window));
    if (confirm->focus_before)
        g_object_add_weak_pointer(G_OBJECT(confirm->focus_before), (gpointer *)&confirm->focus_before);
    gtk_label_set_text(GTK_LABEL(confirm->title), title);
    gtk_label_set_text(GTK_LABEL(confirm->text), text);
    gtk_button_set_label(GTK_BUTTON(confirm->yes), yes_label);
    gtk_widget_show(confirm->layer);
    gtk_widget_grab_focus(confirm->no);
}

gboolean confirm_is_open(struct confirm *confirm)
{
    return gtk_widget_get_visible(confirm->layer);
}

void confirm_cancel(struct confirm *confirm)
{
    if (confirm_is_open(confirm))
        close_question(confirm);
}
