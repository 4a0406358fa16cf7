/* What pages are made of, with a name for each control. */
#include "page_parts.h"
#include "style.h"

#include <string.h>

void page_speak(GtkWidget *widget, const char *name, const char *description)
{
    AtkObject *accessible = gtk_widget_get_accessible(widget);
    if (name)
        atk_object_set_name(accessible, name);
    if (description)
        atk_object_set_description(accessible, description);
}

static GtkWidget *wrapped(GtkWidget *label)
{
    gtk_label_set_xalign(GTK_LABEL(label), 0);
    gtk_label_set_line_wrap(GTK_LABEL(label), TRUE);
    gtk_label_set_line_wrap_mode(GTK_LABEL(label), PANGO_WRAP_WORD_CHAR);
    gtk_label_set_max_width_chars(GTK_LABEL(label), 60);
    return label;
}

GtkWidget *page_line(const char *text)
{
    GtkWidget *label = wrapped(gtk_label_new(text));
    style_toggle(label, "quiet", TRUE);
    return label;
}

GtkWidget *page_label(const char *text, GtkWidget *of)
{
    GtkWidget *label = gtk_label_new_with_mnemonic(text);
    gtk_label_set_xalign(GTK_LABEL(label), 0);
    gtk_label_set_mnemonic_widget(GTK_LABEL(label), of);
    return label;
}

GtkWidget *page_choice(GtkWidget *before, const char *label, gboolean plain, const char *about)
{
    GtkWidget *radio = gtk_radio_button_new_from_widget(GTK_RADIO_BUTTON(before));
    GtkWidget *words = gtk_box_new(GTK_ORIENTATION_VERTICAL, 2);
    GtkWidget *title = plain ? gtk_label_new(label) : gtk_label_new_with_mnemonic(label);
    if (!plain)
        gtk_label_set_mnemonic_widget(GTK_LABEL(title), radio);
    gtk_label_set_xalign(GTK_LABEL(title), 0);
    gtk_label_set_ellipsize(GTK_LABEL(title), PANGO_ELLIPSIZE_MIDDLE);
    style_toggle(title, "choice-title", TRUE);
    gtk_box_pack_start(GTK_BOX(words), title, FALSE, FALSE, 0);
    gtk_box_pack_start(GTK_BOX(words), page_line(about), FALSE, FALSE, 0);
    gtk_container_add(GTK_CONTAINER(radio), words);
    style_toggle(radio, "choice", TRUE);
    page_speak(radio, gtk_label_get_text(GTK_LABEL(title)), about);
    return radio;
}

GtkWidget *page_button(const char *label, const char *class_name, const char *about, GCallback clicked, gpointer user)
{
    GtkWidget *button = gtk_button_new_with_mnemonic(label);
    style_toggle(button, class_name, TRUE);
    page_speak(button, NULL, about);
    g_signal_connect(button, "clicked", clicked, user);
    return button;
}

GtkWidget *page_heading(const char *text)
{
    GtkWidget *label = wrapped(gtk_label_new(text));
    style_toggle(label, "heading", TRUE);
    atk_object_set_role(gtk_widget_get_accessible(label), ATK_ROLE_HEADING);
    return label;
}

char *page_size_words(guint64 bytes)
{
    return g_format_size_full(bytes, G_FORMAT_SIZE_IEC_UNITS);
}
