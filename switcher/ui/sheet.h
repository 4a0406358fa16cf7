/*
 * A page of several sections in the switcher's window, such as a guest's: a title, a row of sections, the one that is
 * shown, a line for what is to be said, and buttons below. By keyboard: Tab and arrows, access keys, Control with Page
 * Up and Page Down for the sections, without it to scroll one that is all text, Escape to close.
 */
#ifndef RH_SHEET_H
#define RH_SHEET_H

#include <gtk/gtk.h>

struct sheet;

struct sheet_section {
    const char *label; /* with its access key */
    const char *about; /* for those who do not see it */
    /* Makes its widgets in a vertical box, and its buttons in a row; gives what has the keyboard first, or NULL. */
    GtkWidget *(*fill)(gpointer user, GtkBox *box, GtkBox *buttons);
};

enum sheet_level { SHEET_FINE, SHEET_HINT, SHEET_WRONG };

/* closed: the person wants to leave. The sections must outlive it. */
struct sheet *sheet_new(const struct sheet_section *sections, guint count, void (*closed)(gpointer user),
                        gpointer user);
GtkWidget *sheet_widget(struct sheet *sheet);

/* Texts are plain; class_name: the chip's colour; chip: NULL: none. */
void sheet_set_title(struct sheet *sheet, const char *title, const char *state, const char *chip,
                     const char *class_name);

/* Shows a section, with the keyboard in it. */
void sheet_show(struct sheet *sheet, guint section);
guint sheet_section(struct sheet *sheet);

/* The section's widgets are made anew; the keyboard stays where it was. */
void sheet_refill(struct sheet *sheet);

/* Scrolls, in a moment, so that this part of the section is seen whole, if it has the keyboard in it. */
void sheet_reveal(struct sheet *sheet, GtkWidget *part);

/* NULL: nothing is to be said. */
void sheet_say(struct sheet *sheet, enum sheet_level level, const char *sentence);

/* A key of the window; TRUE: it was for the sheet. */
gboolean sheet_key(struct sheet *sheet, guint key, GdkModifierType modifiers);

#endif
