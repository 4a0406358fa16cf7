/* What keys do, everywhere and in the switcher. */
#include "machine_view_private.h"
#include "../style.h"
#include "chords.h"

#define KEYS_WIDTH 190

static void fill_key(GtkBox *box, const char *keys, const char *about)
{
    GtkWidget *row = gtk_box_new(GTK_ORIENTATION_HORIZONTAL, 14), *cap = gtk_label_new(keys), *holder;
    holder = gtk_box_new(GTK_ORIENTATION_HORIZONTAL, 0);
    style_toggle(cap, "keycap", TRUE);
    gtk_widget_set_valign(cap, GTK_ALIGN_START);
    gtk_widget_set_size_request(holder, KEYS_WIDTH, -1);
    gtk_box_pack_start(GTK_BOX(holder), cap, FALSE, FALSE, 0);
    gtk_box_pack_start(GTK_BOX(row), holder, FALSE, FALSE, 0);
    gtk_box_pack_start(GTK_BOX(row), page_line(about), TRUE, TRUE, 0);
    gtk_box_pack_start(box, row, FALSE, FALSE, 2);
}

GtkWidget *section_keys_fill(gpointer data, GtkBox *box, GtkBox *buttons)
{
    static const char *const here[][2] = {
        {"Arrows", "Choose a guest."},
        {"Enter", "Start the guest that is chosen, or show it."},
        {"1 to 9", "The same with the guest in that slot."},
        {"Delete", "Shut the guest down; asks first."},
        {"Alt + Enter", "All there is to the guest: settings, disks, undo points. So do the menu key and Shift + F10."},
        {"Alt + A", "Add a guest."},
    };
    (void)data, (void)buttons;
    gtk_box_pack_start(box, page_heading("Everywhere"), FALSE, FALSE, 4);
    for (guint i = 0; i < chords_count(); i++) {
        g_autofree char *keys = chords_keys(i), *about = chords_about(i);
        fill_key(box, keys, about);
    }
    gtk_box_pack_start(box, page_heading("Among the guests' cards"), FALSE, FALSE, 4);
    for (gsize i = 0; i < G_N_ELEMENTS(here); i++)
        fill_key(box, here[i][0], here[i][1]);
    return NULL;
}
