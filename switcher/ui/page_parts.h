/* What the pages of wizard, guests and machine are made of, with a name for each control. */
#ifndef RH_PAGE_PARTS_H
#define RH_PAGE_PARTS_H

#include <gtk/gtk.h>

/*
 * One of several to choose from; before: one of the others, or NULL. With an underscore in front of its access key if
 * plain is FALSE. What is told when it is chosen is for the caller to connect ("toggled").
 */
GtkWidget *page_choice(GtkWidget *before, const char *label, gboolean plain, const char *about);

/* A label for another widget, with an underscore in front of its access key. */
GtkWidget *page_label(const char *text, GtkWidget *of);

/* A quiet line. */
GtkWidget *page_line(const char *text);

/* Name and description for those who do not see it; NULL: as it is. */
void page_speak(GtkWidget *widget, const char *name, const char *description);

/* A button with an access key in its label; about: what it does, for those who do not see it. */
GtkWidget *page_button(const char *label, const char *class_name, const char *about, GCallback clicked, gpointer user);

/* A name over what belongs together. */
GtkWidget *page_heading(const char *text);

/* "20 GiB" */
char *page_size_words(guint64 bytes);

#endif
