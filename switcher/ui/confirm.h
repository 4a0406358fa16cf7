/*
 * A question over the switcher: a panel in the middle, the rest dimmed. Part of the window, so that it works
 * the same on any display server. Escape and the first button say no, and no is what has the keyboard first.
 */
#ifndef RH_CONFIRM_H
#define RH_CONFIRM_H

#include <gtk/gtk.h>

struct confirm;

typedef void (*confirm_yes_fn)(gpointer user);

/* Adds itself to the overlay, hidden. */
struct confirm *confirm_new(GtkOverlay *overlay);

/*
 * Asks; a question that is open already is answered with no. release frees user in any case, NULL: not at
 * all.
 */
void confirm_ask(struct confirm *confirm, const char *title, const char *text, const char *yes_label,
                 confirm_yes_fn yes, gpointer user, GDestroyNotify release);

gboolean confirm_is_open(struct confirm *confirm);
void confirm_cancel(struct confirm *confirm);

#endif
