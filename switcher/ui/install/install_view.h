/* The pages of the installation in the switcher's window. There only where the machine was started from the boot
 * medium. */
#ifndef RH_INSTALL_VIEW_H
#define RH_INSTALL_VIEW_H

#include <gtk/gtk.h>

struct install_view;

struct install_view_calls {
    void (*closed)(gpointer user);  /* "Try", or the person has left */
    void (*restart)(gpointer user); /* the machine, when it is installed */
};

/* The machine was started from the boot medium. */
gboolean install_view_wanted(void);

/* For the life of the program. */
struct install_view *install_view_new(const struct install_view_calls *calls, gpointer user);
GtkWidget *install_view_widget(struct install_view *view);

void install_view_open(struct install_view *view);
gboolean install_view_is_open(struct install_view *view);

/* A key of the window, pressed or let go; TRUE: it was for the pages. */
gboolean install_view_key(struct install_view *view, const GdkEventKey *event);

#endif
