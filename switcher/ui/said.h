/* What the switcher's window says of itself: where there are no cards, and below them. */
#ifndef RH_SAID_H
#define RH_SAID_H

#include <gtk/gtk.h>

/* Sentences in the middle; text and code, which is for a terminal, may be NULL. */
GtkWidget *said_page(const char *title, const char *text, const char *code);

/* The keys that are worth knowing. */
GtkWidget *said_keys(void);

#endif
