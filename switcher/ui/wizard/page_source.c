/* What the guest is made from. Only what this machine has is offered. */
#include "pages.h"

static const struct {
    const char *label, *about;
} sources[WIZARD_SOURCE_COUNT] = {
    [WIZARD_DISC] = {"An _installation disc", "An ISO file, as systems are given out. Its installer asks the rest."},
    [WIZARD_IMAGE] = {"A _ready-made disk image",
                      "A system that is installed already: raw, qcow2, VMDK, VHD, VHDX or VDI."},
    [WIZARD_CLONE] = {"A c_opy of another guest", "At once, and it takes room only for what becomes different."},
    [WIZARD_NETWORK] = {"_Debian from the network", "Its installer is on this computer, and fetches the rest."},
};

static void chosen(GtkToggleButton *choice, gpointer data)
{
    struct wizard_view *view = data;
    if (!gtk_toggle_button_get_active(choice))
        return;
    wizard_set_source(wizard_view_wizard(view), GPOINTER_TO_UINT(g_object_get_data(G_OBJECT(choice), "source")));
    wizard_view_changed(view);
}

GtkWidget *page_source_fill(struct wizard_view *view, GtkBox *box)
{
    struct wizard *wizard = wizard_view_wizard(view);
    GtkWidget *choice = NULL, *first = NULL;
    for (guint source = 0; source < WIZARD_SOURCE_COUNT; source++) {
        if (!wizard_offers(wizard, source))
            continue;
        choice = page_choice(choice, sources[source].label, FALSE, sources[source].about);
        gboolean active = wizard_source(wizard) == source;
        if (active || !first)
            first = choice;
        gtk_toggle_button_set_active(GTK_TOGGLE_BUTTON(choice), active);
        g_object_set_data(G_OBJECT(choice), "source", GUINT_TO_POINTER(source));
        g_signal_connect(choice, "toggled", G_CALLBACK(chosen), view);
        gtk_box_pack_start(box, choice, FALSE, FALSE, 0);
    }
    return first;
}
