/* What the guest is called. */
#include "pages.h"

static void typed(GtkEditable *entry, gpointer data)
{
    wizard_set_name(wizard_view_wizard(data), gtk_entry_get_text(GTK_ENTRY(entry)));
    wizard_view_changed(data);
}

GtkWidget *page_name_fill(struct wizard_view *view, GtkBox *box)
{
    GtkWidget *entry = gtk_entry_new();
    gtk_entry_set_text(GTK_ENTRY(entry), wizard_name(wizard_view_wizard(view)));
    gtk_entry_set_max_length(GTK_ENTRY(entry), 2 * WIZARD_NAME_MAX); /* a longer one is told about, not cut */
    page_speak(entry, "Name", "Letters, digits, dots, dashes and underscores");
    g_signal_connect(entry, "changed", G_CALLBACK(typed), view);
    gtk_box_pack_start(box, page_label("N_ame", entry), FALSE, FALSE, 0);
    gtk_box_pack_start(box, entry, FALSE, FALSE, 0);
    return entry;
}
