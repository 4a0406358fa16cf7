/* The bar over guests. */
#include "bar.h"
#include "guest_look.h"
#include "model_questions.h"
#include "style.h"

struct bar {
    GtkWidget *window, *chip, *name, *state, *asked, *others, *clock;
    struct model *model;
    switch_to_fn switch_to;
    gpointer user;
};

static void slot_clicked(GtkButton *button, gpointer data)
{
    struct bar *bar = data;
    bar->switch_to(GPOINTER_TO_UINT(g_object_get_data(G_OBJECT(button), "slot")), bar->user);
}

static GtkWidget *slot_button(struct bar *bar, guint slot, const char *label)
{
    GtkWidget *button = gtk_button_new_with_label(label);
    g_autofree char *spoken = g_strdup_printf("Switch to %s", label);
    g_object_set_data(G_OBJECT(button), "slot", GUINT_TO_POINTER(slot));
    g_signal_connect(button, "clicked", G_CALLBACK(slot_clicked), bar);
    gtk_widget_set_can_focus(button, FALSE); /* keys belong to the guest */
    gtk_widget_set_valign(button, GTK_ALIGN_CENTER);
    atk_object_set_name(gtk_widget_get_accessible(button), spoken);
    style_toggle(button, "bar-button", TRUE);
    return button;
}

static void fill_others(struct bar *bar, guint focused)
{
    GPtrArray *guests = model_guests(bar->model);
    g_autoptr(GList) old = gtk_container_get_children(GTK_CONTAINER(bar->others));
    g_list_foreach(old, (GFunc)(void (*)(void))gtk_widget_destroy, NULL);
    for (guint i = 0; i < guests->len; i++) {
        RhGuest1 *guest = g_ptr_array_index(guests, i);
        guint slot = rh_guest1_get_screen(guest);
        g_autofree char *label = g_strdup_printf("%u  %s", slot, rh_guest1_get_name(guest));
        if (slot && slot != focused && guest_is_live(guest))
            gtk_box_pack_start(GTK_BOX(bar->others), slot_button(bar, slot, label), FALSE, FALSE, 0);
    }
    if (focused)
        gtk_box_pack_start(GTK_BOX(bar->others), slot_button(bar, 0, "Switcher"), FALSE, FALSE, 0);
    gtk_widget_show_all(bar->others);
}

/* What is asked is not told here: the keys are the guest's, and the answer is given in the switcher alone. */
static void update_asked(struct bar *bar)
{
    guint count = model_question_count(bar->model);
    g_autofree char *text = count == 1 ? g_strdup("A question waits: Ctrl + Alt + 0")
                                       : g_strdup_printf("%u questions wait: Ctrl + Alt + 0", count);
    gtk_label_set_text(GTK_LABEL(bar->asked), text);
    gtk_widget_set_visible(bar->asked, count > 0);
}

static void update(gpointer data)
{
    struct bar *bar = data;
    guint focused = model_focused(bar->model);
    RhGuest1 *guest = model_guest_in_slot(bar->model, focused);
    g_autofree char *number = g_strdup_printf("%u", focused);
    style_set_colours(bar->model);
    gtk_label_set_text(GTK_LABEL(bar->chip), number);
    gtk_label_set_text(GTK_LABEL(bar->name), guest ? rh_guest1_get_name(guest) : "Roundhouse");
    gtk_label_set_text(GTK_LABEL(bar->state), guest ? guest_state_words(guest) : "Switcher");
    gtk_widget_set_visible(bar->state, !guest || !guest_is(guest, GUEST_RUNNING));
    update_asked(bar);
    fill_others(bar, focused);
}

static gboolean tick(gpointer data)
{
    struct bar *bar = data;
    g_autoptr(GDateTime) now = g_date_time_new_now_local();
    g_autofree char *clock = g_date_time_format(now, "%H:%M");
    if (g_strcmp0(gtk_label_get_text(GTK_LABEL(bar->clock)), clock) != 0)
        gtk_label_set_text(GTK_LABEL(bar->clock), clock);
    return G_SOURCE_CONTINUE;
}

GtkWindow *bar_new(struct model *model, switch_to_fn switch_to, gpointer user)
{
    struct bar *bar = g_new0(struct bar, 1);
    GtkWidget *row = gtk_box_new(GTK_ORIENTATION_HORIZONTAL, 10);
    *bar = (struct bar){.model = model, .switch_to = switch_to, .user = user};
    bar->window = gtk_window_new(GTK_WINDOW_TOPLEVEL);
    bar->chip = gtk_label_new(NULL);
    bar->name = gtk_label_new(NULL);
    bar->state = gtk_label_new(NULL);
    bar->asked = gtk_label_new(NULL);
    bar->clock = gtk_label_new(NULL);
    bar->others = gtk_box_new(GTK_ORIENTATION_HORIZONTAL, 6);
    gtk_widget_set_valign(bar->chip, GTK_ALIGN_CENTER);
    style_toggle(bar->window, "bar", TRUE);
    style_toggle(row, "on-screen", TRUE);
    style_toggle(row, "bar-row", TRUE);
    style_toggle(bar->chip, "bar-chip", TRUE);
    style_toggle(bar->name, "bar-name", TRUE);
    style_toggle(bar->asked, "bar-asked", TRUE);
    gtk_box_pack_start(GTK_BOX(row), bar->chip, FALSE, FALSE, 0);
    gtk_box_pack_start(GTK_BOX(row), bar->name, FALSE, FALSE, 0);
    gtk_box_pack_start(GTK_BOX(row), bar->state, FALSE, FALSE, 0);
    gtk_box_pack_start(GTK_BOX(row), bar->asked, FALSE, FALSE, 0);
    gtk_box_pack_end(GTK_BOX(row), bar->clock, FALSE, FALSE, 0);
    gtk_box_pack_end(GTK_BOX(row), bar->others, FALSE, FALSE, 0);
    gtk_container_add(GTK_CONTAINER(bar->window), row);
    gtk_widget_show_all(row);
    gtk_window_set_title(GTK_WINDOW(bar->window), "Roundhouse bar");
    gtk_window_set_decorated(GTK_WINDOW(bar->window), FALSE);
    gtk_window_set_accept_focus(GTK_WINDOW(bar->window), FALSE);
    gtk_window_set_default_size(GTK_WINDOW(bar->window), 1280, BAR_HEIGHT);
    tick(bar);
    g_timeout_add_seconds(1, tick, bar);
    model_observe(model, update, bar);
    return GTK_WINDOW(bar->window);
}
