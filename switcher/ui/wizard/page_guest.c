/* Which guest is cloned: those whose disks are images of the pool. */
#include "pages.h"

static void chosen(GtkToggleButton *choice, gpointer data)
{
    struct wizard_view *view = data;
    if (!gtk_toggle_button_get_active(choice))
        return;
    wizard_set_origin(wizard_view_wizard(view), g_object_get_data(G_OBJECT(choice), "guest"));
    wizard_view_changed(view);
}

static GtkWidget *guest_choice(GtkWidget *before, const struct wizard_guest *guest)
{
    GtkWidget *choice = page_choice(before, guest->name, TRUE,
                                    guest->off ? "It is off." : "It is in use; shut it down for a clean copy.");
    g_object_set_data_full(G_OBJECT(choice), "guest", g_strdup(guest->name), g_free);
    return choice;
}

/* The first is the answer until another one is chosen. */
GtkWidget *page_guest_fill(struct wizard_view *view, GtkBox *box)
{
    struct wizard *wizard = wizard_view_wizard(view);
    GPtrArray *guests = wizard_facts(wizard)->guests;
    GtkWidget *choice = NULL, *first = NULL;
    for (guint i = 0; i < guests->len; i++) {
        const struct wizard_guest *guest = g_ptr_array_index(guests, i);
        if (!wizard_can_clone(guest))
            continue;
        if (!wizard_origin(wizard))
            wizard_set_origin(wizard, guest->name);
        gboolean active = g_strcmp0(wizard_origin(wizard), guest->name) == 0;
        choice = guest_choice(choice, guest);
        if (active || !first)
            first = choice;
        gtk_toggle_button_set_active(GTK_TOGGLE_BUTTON(choice), active);
        g_signal_connect(choice, "toggled", G_CALLBACK(chosen), view);
        gtk_box_pack_start(box, choice, FALSE, FALSE, 0);
    }
    return first;
}
