/* Pages of words, and the row of keys. */
#include "said.h"
#include "style.h"

GtkWidget *said_page(const char *title, const char *text, const char *code)
{
    GtkWidget *column = gtk_box_new(GTK_ORIENTATION_VERTICAL, 14);
    const char *const texts[] = {title, text, code};
    const char *const classes[] = {"page-title", "page-text", "code"};
    for (gsize i = 0; i < G_N_ELEMENTS(texts); i++) {
        if (!texts[i])
            continue;
        GtkWidget *label = gtk_label_new(texts[i]);
        gtk_label_set_justify(GTK_LABEL(label), i == 2 ? GTK_JUSTIFY_LEFT : GTK_JUSTIFY_CENTER);
        gtk_label_set_line_wrap(GTK_LABEL(label), TRUE);
        gtk_label_set_max_width_chars(GTK_LABEL(label), 64);
        gtk_widget_set_halign(label, GTK_ALIGN_CENTER);
        style_toggle(label, classes[i], TRUE);
        gtk_box_pack_start(GTK_BOX(column), label, FALSE, FALSE, 0);
    }
    gtk_widget_set_valign(column, GTK_ALIGN_CENTER);
    return column;
}

static GtkWidget *hint(const char *key, const char *meaning)
{
    GtkWidget *row = gtk_box_new(GTK_ORIENTATION_HORIZONTAL, 8);
    GtkWidget *cap = gtk_label_new(key), *label = gtk_label_new(meaning);
    style_toggle(cap, "keycap", TRUE);
    style_toggle(label, "quiet", TRUE);
    gtk_box_pack_start(GTK_BOX(row), cap, FALSE, FALSE, 0);
    gtk_box_pack_start(GTK_BOX(row), label, FALSE, FALSE, 0);
    return row;
}

GtkWidget *said_keys(void)
{
    GtkWidget *row = gtk_box_new(GTK_ORIENTATION_HORIZONTAL, 20);
    gtk_box_pack_start(GTK_BOX(row), hint("Enter", "Start or switch"), FALSE, FALSE, 0);
    gtk_box_pack_start(GTK_BOX(row), hint("Delete", "Shut down"), FALSE, FALSE, 0);
    gtk_box_pack_start(GTK_BOX(row), hint("Ctrl + Alt + 0", "This switcher"), FALSE, FALSE, 0);
    gtk_box_pack_start(GTK_BOX(row), hint("Ctrl + Alt + Space", "Bar over a guest"), FALSE, FALSE, 0);
    gtk_widget_set_halign(row, GTK_ALIGN_CENTER);
    style_toggle(row, "footer", TRUE);
    return row;
}
